"""What the running cluster says of itself: crm_mon's XML, taken apart."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field

from . import cib

QUERY = "crm_mon --output-as=xml --inactive --show-node-attributes --failcounts 2>/dev/null"


@dataclass
class Health:
    dc: str = ""
    quorate: bool = False
    online: set = field(default_factory=set)
    standby: set = field(default_factory=set)
    unclean: set = field(default_factory=set)
    primaries: list = field(default_factory=list)
    replicas: set = field(default_factory=set)
    places: dict = field(default_factory=dict)  # resource -> nodes where it is started
    failures: list = field(default_factory=list)  # words
    attributes: dict = field(default_factory=dict)  # node -> name -> value

    def attribute(self, node, name):
        return self.attributes.get(node, {}).get(name, "")

    def status(self, node):
        """PRI, HS:sync, HS:async, HS:alone, STOP ..."""
        return self.attribute(node, f"{cib.POSTGRES}-status")

    @property
    def primary(self):
        return self.primaries[0] if len(self.primaries) == 1 else ""


def _yes(element, name):
    return element.get(name) == "true"


def parse(text):
    root = ET.fromstring(text)
    health = Health()
    dc = root.find("summary/current_dc")
    if dc is not None and _yes(dc, "present"):
        health.dc = dc.get("name", "")
        health.quorate = _yes(dc, "with_quorum")
    for node in root.findall("nodes/node"):
        name = node.get("name")
        for kind in ("online", "standby", "unclean"):
            if _yes(node, kind):
                getattr(health, kind).add(name)
    for resource in root.iter("resource"):
        if not _yes(resource, "active") or _yes(resource, "orphaned"):
            continue
        nodes = [node.get("name") for node in resource.findall("node")]
        health.places.setdefault(resource.get("id"), set()).update(nodes)
        if resource.get("id") == cib.POSTGRES:
            if resource.get("role") in ("Promoted", "Master"):
                health.primaries += nodes
            elif resource.get("role") in ("Unpromoted", "Slave"):
                health.replicas.update(nodes)
    for node in root.findall("node_attributes/node"):
        health.attributes[node.get("name")] = {
            attribute.get("name"): attribute.get("value")
            for attribute in node.findall("attribute")}
    for failure in root.findall("failures/failure"):
        reason = failure.get("exitreason") or failure.get("exitstatus", "")
        health.failures.append(f"{failure.get('op_key')} on {failure.get('node')}: {reason}")
    return health


def troubles(cluster, health):
    """What is not as it should be, in words; none: the cluster is whole."""
    found = []
    names = {node.name for node in cluster.members}
    if not health.dc:
        return ["the cluster has not elected a coordinator yet"]
    if not health.quorate:
        found.append("the cluster has no quorum: every resource is stopped")
    for name in sorted(names - health.online):
        found.append(f"{name} is offline")
    for name in sorted(names & health.standby):
        found.append(f"{name} is in standby")
    if len(health.primaries) != 1:
        found.append("no primary" if not health.primaries else
                     "more than one primary: " + ", ".join(health.primaries))
    for vip in (cib.REPLICATION_VIP, cib.CLIENT_VIP):
        if health.places.get(vip) != set(health.primaries):
            found.append(f"{vip} is not with the primary")
    up = names & health.online - health.standby
    for name in sorted(up - set(health.primaries) - health.replicas):
        found.append(f"PostgreSQL does not run on {name}")
    sync = [name for name in sorted(names) if health.status(name) == "HS:sync"]
    if len(up) > 1 and len(sync) != 1:
        found.append("no synchronous standby" if not sync else "two synchronous standbys")
    for name in sorted(up - set(sync) - set(health.primaries)):
        if health.status(name) != "HS:async":
            found.append(f"{name} is {health.status(name) or 'unknown'}, not HS:async")
    for name in sorted(up - health.places.get(cib.DAEMON, set())):
        found.append(f"pgwalshipd does not run on {name}")
    for name in sorted(up):
        if health.attribute(name, "pgwalship-quorum") != "held":
            found.append(f"the archive on {name} has no quorum")
        if health.attribute(name, "pgwalship-archive") != "complete":
            found.append(f"the archive on {name} is not complete")
    for fence in cluster.fences:
        if not health.places.get(f"fence-{fence.name}"):
            found.append(f"fence-{fence.name} is not started")
    return found
