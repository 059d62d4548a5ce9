"""What pgwalship.conf says of the cluster: the node list and paths that pgwalshipd reads too, and the
section [pacemaker], which is for this program. man pgwalship.conf explains every key."""

import ipaddress
import re
from dataclasses import dataclass, field

from . import ini, values
from .values import Address

DEFAULT_PATH = "/etc/pgwalship/pgwalship.conf"


@dataclass(frozen=True)
class Node:
    name: str
    site: str
    address: str
    port: int
    number: int  # Corosync's node id: its place in the list, from 1
    ring1: str = ""


@dataclass(frozen=True)
class FenceDevice:
    name: str
    agent: str
    nodes: tuple  # names; empty: it can fence every member
    level: int
    parameters: tuple  # (name, value)


@dataclass(frozen=True)
class Client:
    database: str
    user: str
    network: str


@dataclass
class Cluster:
    path: str
    text: str  # the file itself: it goes to every node
    name: str = "main"
    nodes: list = field(default_factory=list)
    archive_directory: str = ""
    data_directory: str = ""
    push_timeout: float = 15.0
    ssh_user: str = "postgres"
    ssh_identity: str = ""
    ssh_known_hosts: str = ""
    socket: str = "/run/pgwalship/pgwalship.sock"
    site: str = ""
    client_ip: Address = None
    replication_ip: Address = None
    interface: str = ""
    token: float = 3.0
    stickiness: int = 100
    postgres_bin: str = "/usr/lib/postgresql/15/bin"
    postgres_port: int = 5432
    postgres_tmp: str = "/var/lib/postgresql/pacemaker"
    replication_user: str = "replicator"
    clients: list = field(default_factory=list)
    fences: list = field(default_factory=list)
    alert_recipients: list = field(default_factory=list)

    @property
    def members(self):
        """The nodes that Pacemaker runs on; the others are archive peers and async standbys."""
        return [node for node in self.nodes if not self.site or node.site == self.site]

    @property
    def outsiders(self):
        members = self.members
        return [node for node in self.nodes if node not in members]

    def node(self, name):
        """The node of that name, or the only one whose name starts so."""
        exact = [node for node in self.nodes if node.name == name]
        near = exact or [n for n in self.nodes if n.name.startswith(name + ".")]
        if len(near) != 1:
            known = ", ".join(node.name for node in self.nodes)
            raise LookupError(f"'{name}' is not a node (HINT: one of {known})")
        return near[0]


# Keys of other sections that matter here: (section, key) -> (attribute, reader).
SHARED_KEYS = {
    ("cluster", "name"): ("name", values.name),
    ("cluster", "push-timeout"): ("push_timeout", values.duration),
    ("archive", "directory"): ("archive_directory", values.path),
    ("postgres", "data-directory"): ("data_directory", values.path),
    ("ssh", "user"): ("ssh_user", values.name),
    ("ssh", "identity"): ("ssh_identity", values.path),
    ("ssh", "known-hosts"): ("ssh_known_hosts", values.path),
    ("daemon", "socket"): ("socket", values.path),
}

# The keys of [pacemaker]; cmd/pacemaker_keys.cc has the same names.
PACEMAKER_KEYS = {
    "site": ("site", values.name),
    "client-ip": ("client_ip", values.network_address),
    "replication-ip": ("replication_ip", values.network_address),
    "interface": ("interface", values.name),
    "token": ("token", values.duration),
    "stickiness": ("stickiness", values.number),
    "postgres-bin": ("postgres_bin", values.path),
    "postgres-port": ("postgres_port", values.port),
    "postgres-tmp": ("postgres_tmp", values.path),
    "replication-user": ("replication_user", values.sql_name),
}
PACEMAKER_LISTS = ("second-ring", "client", "fence", "alert-recipient")

# What a fence agent is told in the CIB can be read by others, and this file is on every node.
SECRET_PARAMETER = re.compile(r"passw|secret|token|community")


class _Loader:
    def __init__(self, path, text):
        self.cluster = Cluster(path=path, text=text)
        self.problems = ini.Problems(path)
        self.lines = {}
        self.rings = {}

    def load(self):
        for entry in ini.parse(self.cluster.text, self.problems):
            where = f"[{entry.section}] {entry.key}"
            self.lines.setdefault(where, entry.line)
            self.lines.setdefault(f"[{entry.section}]", entry.line)
            try:
                self._set(entry)
            except ValueError as error:
                self.problems.add(entry.line, where, *error.args)
        self._check()
        self.problems.raise_if_any()
        return self.cluster

    def _set(self, entry):
        if entry.section == "pacemaker":
            if not entry.value:
                raise ValueError("the value is missing")
            if entry.key in PACEMAKER_KEYS:
                attribute, reader = PACEMAKER_KEYS[entry.key]
                setattr(self.cluster, attribute, reader(entry.value))
            elif entry.key in PACEMAKER_LISTS:
                getattr(self, "_add_" + entry.key.replace("-", "_"))(entry.value, entry.line)
            else:
                known = ", ".join(sorted([*PACEMAKER_KEYS, *PACEMAKER_LISTS]))
                raise ValueError("unknown key", f"one of {known}")
        elif (entry.section, entry.key) == ("cluster", "node"):
            self._add_node(entry.value)
        elif (entry.section, entry.key) in SHARED_KEYS:
            attribute, reader = SHARED_KEYS[(entry.section, entry.key)]
            setattr(self.cluster, attribute, reader(entry.value))

    def _add_node(self, value):
        name, *attributes = value.split()
        if name == "corosync":
            raise ValueError("Corosync's configuration is made from these lines",
                             "list the nodes, one line each")
        given = values.attributes(attributes, ("site", "address", "port"))
        nodes = self.cluster.nodes
        nodes.append(Node(name=values.name(name), site=given.get("site", ""),
                          address=given.get("address", name),
                          port=values.port(given.get("port", "22")), number=len(nodes) + 1))

    def _add_second_ring(self, value, line):
        words = value.split()
        if len(words) != 2:
            raise ValueError(f"'{value}' is not understood", "a node's name and its second address")
        self.rings[words[0]] = (values.address(words[1]), line)

    def _add_client(self, value, _line):
        words = value.split()
        if len(words) != 3:
            raise ValueError(f"'{value}' is not understood",
                             "database, user and network, such as app app 10.10.10.0/24")
        self.cluster.clients.append(Client(values.sql_name(words[0]), values.sql_name(words[1]),
                                           values.network(words[2])))

    def _add_alert_recipient(self, value, _line):
        self.cluster.alert_recipients.append(value)

    _INSTEAD = {"community": "snmp_version=3 with username and password_script"}

    def _add_fence(self, value, _line):
        words = value.split()
        if len(words) < 2 or "=" in words[0] or "=" in words[1]:
            raise ValueError(f"'{value}' is not understood",
                             "a name, the agent, then nodes=, level= and the agent's parameters")
        given = values.attributes(words[2:])
        nodes = tuple(given.pop("nodes", "").split(",")) if "nodes" in given else ()
        level = values.number(given.pop("level", "1"))
        for key in given:
            if SECRET_PARAMETER.search(key) and not key.endswith("_script"):
                raise ValueError(f"'{key}' would be readable by everybody", self._INSTEAD.get(
                    key, f"use {key}_script=FILE, and `pgwalship-cluster secret FILE` puts it on "
                    "every node"))
        if not 1 <= level <= 9:
            raise ValueError(f"level {level} is out of range", "1 to 9, tried in this order")
        self.cluster.fences.append(FenceDevice(values.name(words[0]), words[1], nodes, level,
                                               tuple(given.items())))

    def _complain(self, where, what, hint=""):
        line = self.lines.get(where, self.lines.get(where.split(" ")[0], 1))
        self.problems.add(line, where, what, hint)

    def _check(self):
        cluster = self.cluster
        required = {"[pacemaker] client-ip": cluster.client_ip,
                    "[pacemaker] replication-ip": cluster.replication_ip,
                    "[archive] directory": cluster.archive_directory,
                    "[postgres] data-directory": cluster.data_directory,
                    "[ssh] identity": cluster.ssh_identity,
                    "[ssh] known-hosts": cluster.ssh_known_hosts,
                    "[cluster] node": cluster.nodes}
        for where, value in required.items():
            if not value and where not in self.lines:
                self._complain(where, "missing")
        self._check_twice()
        self._check_nodes()
        self._check_rings()
        self._check_fences()
        tmp, data = cluster.postgres_tmp + "/", cluster.data_directory + "/"
        if tmp.startswith(data):
            self._complain("[pacemaker] postgres-tmp", "it is inside of the data directory",
                           "a clone must not bring the other node's PGSQL.lock along")

    def _check_twice(self):
        """What may be there once: names, and addresses of whatever kind."""
        cluster = self.cluster
        seen = {}
        for node in cluster.nodes:
            for what, value in (("name", node.name), ("address", (node.address, node.port))):
                if (what, value) in seen:
                    self._complain("[cluster] node", f"'{node.name}' has the {what} of "
                                   f"'{seen[(what, value)]}'")
                seen[(what, value)] = node.name
        owners = {}
        places = [(node.address, f"node '{node.name}'") for node in cluster.nodes]
        places += [(address, f"second-ring of '{name}'")
                   for name, (address, _) in self.rings.items()]
        places += [(vip.ip, key) for key, vip in (("client-ip", cluster.client_ip), (
            "replication-ip", cluster.replication_ip)) if vip]
        for address, owner in places:
            if address in owners and not (owner.startswith("node") and
                                          owners[address].startswith("node")):
                self._complain("[pacemaker]", f"{owner} has the address of {owners[address]}, "
                               f"{address}", "each needs one of its own")
            owners.setdefault(address, owner)
        names = [fence.name for fence in cluster.fences]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self._complain("[pacemaker] fence", f"'{name}' is there twice")

    def _check_nodes(self):
        cluster = self.cluster
        if cluster.nodes and len(cluster.members) < 2:
            self._complain("[pacemaker] site", f"'{cluster.site}' has {len(cluster.members)} nodes",
                           "a cluster needs two at least, and three to keep its quorum")
        for node in cluster.members:
            try:
                ipaddress.ip_address(node.address)
            except ValueError:
                self._complain("[cluster] node", f"'{node.name}' needs address=IP",
                               "a cluster must come up while the name servers are down")

    def _check_rings(self):
        names = {node.name for node in self.cluster.members}
        for name, (_, line) in self.rings.items():
            if name not in names:
                self.problems.add(line, "[pacemaker] second-ring", f"'{name}' is not a member")
        if self.rings and names - set(self.rings):
            self._complain("[pacemaker] second-ring", "missing for " +
                           ", ".join(sorted(names - set(self.rings))))
        self.cluster.nodes = [
            Node(**{**node.__dict__, "ring1": self.rings.get(node.name, ("", 0))[0]})
            for node in self.cluster.nodes]

    def _check_fences(self):
        names = {node.name for node in self.cluster.members}
        where = "[pacemaker] fence"
        covered = set()
        for fence in self.cluster.fences:
            for name in fence.nodes:
                if name not in names:
                    self._complain(where, f"'{fence.name}' is for '{name}', which is not a member")
            covered |= set(fence.nodes) or names
        if names - covered:
            self._complain(where, "missing: nothing fences " + ", ".join(sorted(names - covered)),
                           "a node that cannot be fenced cannot be replaced by another; see "
                           "docs/cluster.md for examples")


def parse(text, path):
    """Raises ini.Problems with everything that is wrong."""
    return _Loader(path, text).load()


def load(path):
    with open(path, encoding="utf-8") as file:
        return parse(file.read(ini.SIZE_MAX), path)
