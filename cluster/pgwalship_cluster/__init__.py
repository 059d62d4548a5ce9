"""The Pacemaker stack around pgwalship, from the one file pgwalship.conf.

Reading order: config (what the file says), timing (which times must fit each other), corosync,
postgres, archive, cib (what is rendered from it), files (all of a node), facts (what a node has),
plan (the difference), apply, verify, life (the acting edge, over ssh).
"""
