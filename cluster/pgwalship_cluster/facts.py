"""What a node has, as scripts.facts printed it."""

import hashlib
from dataclasses import dataclass, field

from .files import marked


@dataclass
class Facts:
    hostname: str = ""
    init: str = ""
    missing: list = field(default_factory=list)  # programs
    link_key: str = ""
    host_keys: list = field(default_factory=list)
    authkey: str = ""  # hash
    password: str = ""  # hash
    role: str = ""  # on the primary: what it stores of the replication role's password, or "none"
    archive: bool = False
    database: str = ""  # "", yes, elsewhere (its configuration is not with it), strange
    system_id: str = ""
    state: str = ""  # pg_controldata's words, or "copied": a copy that never ran
    lock: bool = False
    corosync: bool = False
    nodelist: str = ""  # as the running Corosync has it, in the words of corosync.nodelist
    pacemaker: bool = False
    behind: bool = False  # pgwalshipd runs, and began before its files were written
    foreign: bool = False  # it belongs to another cluster
    enabled: set = field(default_factory=set)
    files: dict = field(default_factory=dict)  # path -> (hash, mode, owner)


def parse(text):
    facts = Facts()
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == "missing":
            facts.missing.append(value)
        elif name == "host-key":
            facts.host_keys.append(value)
        elif name == "enabled":
            facts.enabled.add(value)
        elif name == "file":
            path, digest, mode, owner = value.split(" ")
            facts.files[path] = (digest, mode, owner)
        elif name in ("archive", "lock", "corosync", "pacemaker", "foreign", "behind"):
            setattr(facts, name, value == "yes")
        elif name in ("hostname", "init", "link-key", "authkey", "password", "role",
                      "database", "system-id", "state", "nodelist"):
            setattr(facts, name.replace("-", "_"), value)
    return facts


def holders(found, nodes, what):
    """Of `nodes` that have this secret, one for each content: what most of them have comes first."""
    having = {}
    for node in nodes:
        if digest := getattr(found[node], what):
            having.setdefault(digest, []).append(node)
    return [same[0] for same in sorted(having.values(), key=len, reverse=True)]


def expected(file):
    """The entry that facts.files has when the file is as rendered."""
    content = marked(file.content) if file.block else file.content
    return (hashlib.sha256(content).hexdigest(), f"{file.mode:o}", file.owner)


def stale(files, facts):
    """Those that differ from what stands on the node."""
    return [file for file in files if facts.files.get(file.path) != expected(file)]
