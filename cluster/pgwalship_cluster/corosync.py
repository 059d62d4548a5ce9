"""/etc/corosync/corosync.conf."""

from .timing import timing


def _node(node):
    lines = [f"    node {{",
             f"        name: {node.name}",
             f"        nodeid: {node.number}",
             f"        ring0_addr: {node.address}"]
    if node.ring1:
        lines.append(f"        ring1_addr: {node.ring1}")
    return "\n".join([*lines, "    }"])


def nodelist(cluster):
    """The running node list, as scripts.facts prints it: what a daemon has read, not its file."""
    words = []
    for node in cluster.members:
        words += [f"name={node.name}", f"nodeid={node.number}", f"ring0_addr={node.address}"]
        words += [f"ring1_addr={node.ring1}"] if node.ring1 else []
    return " ".join(sorted(words))


def corosync_conf(cluster):
    two_nodes = "\n    two_node: 1" if len(cluster.members) == 2 else ""
    nodes = "\n".join(_node(node) for node in cluster.members)
    return f"""\
# Made by pgwalship-cluster from pgwalship.conf; changes here are lost.
totem {{
    version: 2
    cluster_name: {cluster.name}
    transport: knet
    crypto_cipher: aes256
    crypto_hash: sha256
    token: {round(timing(cluster).token * 1000)}
}}

nodelist {{
{nodes}
}}

quorum {{
    provider: corosync_votequorum{two_nodes}
}}

logging {{
    to_stderr: no
    to_logfile: yes
    logfile: /var/log/corosync/corosync.log
    to_syslog: yes
    timestamp: on
}}
"""
