"""The Pacemaker configuration: resources, constraints, fencing, alerts, as sections of the CIB.

Every element has a fixed id, so that what runs can be compared with what is rendered. Sections that
Pacemaker or the agents write (nodes, status) are never touched: the permanent attribute
`postgresql-data-status` lives in <nodes> and decides who may be promoted.
"""

import xml.etree.ElementTree as ET

from . import postgres
from .timing import timing

CLIENT_VIP = "pgdbclivip"
REPLICATION_VIP = "pgdbrepvip"
POSTGRES = "postgresql"
POSTGRES_CLONE = "mspostgresql"
DAEMON = "pgwalshipd"
DAEMON_CLONE = "pgwalshipd-clone"
ALERT_AGENT = "/usr/share/pgwalship/alerts/pgwalship-alert"
SECTIONS = ("crm_config", "resources", "constraints", "fencing-topology", "rsc_defaults", "alerts")

PROPERTIES = (
    ("stonith-enabled", "true"),
    ("no-quorum-policy", "stop"),
    # A cold start waits this long for other nodes before it elects; the default is 20 s.
    ("dc-deadtime", "5s"),
    ("cluster-recheck-interval", "60s"),
)


def _nvpairs(parent, tag, ident, pairs):
    block = ET.SubElement(parent, tag, id=ident)
    for name, value in pairs:
        ET.SubElement(block, "nvpair", id=f"{ident}-{name}", name=name, value=str(value))


def _operations(primitive, operations):
    block = ET.SubElement(primitive, "operations")
    for operation in operations:
        attributes = {key.replace("_", "-"): str(value) for key, value in operation.items()}
        role = attributes.get("role", "")
        ident = "-".join(filter(None, [primitive.get("id"), attributes["name"],
                                       attributes.get("interval", "0s"), role]))
        ET.SubElement(block, "op", {"id": ident, "interval": "0s", **attributes})


def _primitive(parent, ident, kind, parameters, operations, meta=()):
    standard, provider, name = kind
    attributes = {"id": ident, "class": standard, "type": name}
    if provider:
        attributes["provider"] = provider
    primitive = ET.SubElement(parent, "primitive", attributes)
    if parameters:
        _nvpairs(primitive, "instance_attributes", f"{ident}-params", parameters)
    if meta:
        _nvpairs(primitive, "meta_attributes", f"{ident}-meta", meta)
    _operations(primitive, operations)
    return primitive


def _vip(parent, ident, address, interface):
    parameters = [("ip", address.ip), ("cidr_netmask", address.prefix)]
    if interface:
        parameters.append(("nic", interface))
    _primitive(parent, ident, ("ocf", "heartbeat", "IPaddr2"), parameters, [
        {"name": "start", "timeout": "20s"}, {"name": "stop", "timeout": "20s"},
        {"name": "monitor", "interval": "1s", "timeout": "20s"}])


def _postgres(parent, cluster):
    times = timing(cluster)
    clone = ET.SubElement(parent, "clone", id=POSTGRES_CLONE)
    _nvpairs(clone, "meta_attributes", f"{POSTGRES_CLONE}-meta", [
        ("promotable", "true"), ("notify", "true"), ("promoted-max", 1), ("promoted-node-max", 1),
        ("clone-max", len(cluster.members)), ("clone-node-max", 1), ("interleave", "true")])
    data = cluster.data_directory
    _primitive(clone, POSTGRES, ("ocf", "pgwalship", "pgsql"), [
        ("pgctl", f"{cluster.postgres_bin}/pg_ctl"),
        ("psql", f"{cluster.postgres_bin}/psql"),
        ("pgdata", data),
        ("config", f"{data}/postgresql.conf"),
        ("pgport", cluster.postgres_port),
        ("pgdb", "postgres"),
        ("socketdir", "/var/run/postgresql"),
        ("logfile", postgres.LOG_FILE),
        ("tmpdir", cluster.postgres_tmp),
        ("rep_mode", "sync"),
        ("node_list", " ".join(node.name for node in cluster.members)),
        ("master_ip", cluster.replication_ip.ip),
        ("repuser", cluster.replication_user),
        ("primary_conninfo_opt", f"passfile={postgres.PASSWORD_FILE} connect_timeout=3 "
                                 "keepalives_idle=5 keepalives_interval=2 keepalives_count=3"),
        ("restore_command", postgres.RESTORE_COMMAND),
        ("archive_cleanup_command", postgres.CLEANUP_COMMAND),
        # A promotion begins a new timeline: true would let two servers write one timeline.
        ("restart_on_promote", "false"),
        ("stop_escalate", times.stop_escalate),
        ("stop_escalate_in_slave", times.stop_escalate),
        ("xlog_check_count", 2),
        ("crm_attr_timeout", 5),
        ("check_wal_receiver", "true"),
    ], [
        {"name": "start", "timeout": f"{times.start_timeout}s", "on_fail": "restart"},
        {"name": "promote", "timeout": f"{times.promote_timeout}s", "on_fail": "restart"},
        {"name": "demote", "timeout": f"{times.demote_timeout}s", "on_fail": "stop"},
        {"name": "stop", "timeout": f"{times.stop_timeout}s", "on_fail": "fence"},
        {"name": "notify", "timeout": f"{times.notify_timeout}s"},
        {"name": "monitor", "interval": f"{times.monitor_standby}s",
         "timeout": f"{times.monitor_timeout}s", "on_fail": "restart"},
        {"name": "monitor", "interval": f"{times.monitor_primary}s", "role": "Promoted",
         "timeout": f"{times.monitor_timeout}s", "on_fail": "restart"},
    ])


def _daemon(parent, cluster):
    clone = ET.SubElement(parent, "clone", id=DAEMON_CLONE)
    _nvpairs(clone, "meta_attributes", f"{DAEMON_CLONE}-meta", [
        ("clone-max", len(cluster.members)), ("clone-node-max", 1), ("interleave", "true")])
    # A daemon that cannot start is tried again each minute; it never moves a database.
    _primitive(clone, DAEMON, ("ocf", "pgwalship", "pgwalshipd"), [("user", cluster.ssh_user)], [
        {"name": "start", "timeout": "20s"}, {"name": "stop", "timeout": "30s"},
        {"name": "monitor", "interval": "5s", "timeout": "20s"}],
        [("migration-threshold", 10), ("failure-timeout", "60s")])


def _fences(parent, cluster):
    members = [node.name for node in cluster.members]
    for fence in cluster.fences:
        nodes = fence.nodes or members
        parameters = [("pcmk_host_list", " ".join(nodes)), ("pcmk_host_check", "static-list")]
        given = dict(fence.parameters)
        parameters = [pair for pair in parameters if pair[0] not in given] + list(given.items())
        device = _primitive(parent, f"fence-{fence.name}", ("stonith", "", fence.agent), parameters,
                            [{"name": "monitor", "interval": "60s", "timeout": "20s"}])
        device.set("class", "stonith")


def _resources(cluster):
    resources = ET.Element("resources")
    _fences(resources, cluster)
    _vip(resources, REPLICATION_VIP, cluster.replication_ip, cluster.interface)
    _vip(resources, CLIENT_VIP, cluster.client_ip, cluster.interface)
    _daemon(resources, cluster)
    _postgres(resources, cluster)
    return resources


def _constraints(cluster):
    constraints = ET.Element("constraints")
    # The addresses follow the primary, never the other way round: one set with the client address
    # last would place that first and forbid a promotion anywhere else.
    for vip in (REPLICATION_VIP, CLIENT_VIP):
        ET.SubElement(constraints, "rsc_colocation", {
            "id": f"{vip}-with-primary", "rsc": vip, "with-rsc": POSTGRES_CLONE,
            "with-rsc-role": "Promoted", "score": "INFINITY"})
    ET.SubElement(constraints, "rsc_order", {
        "id": "replication-ip-then-promote", "first": REPLICATION_VIP, "first-action": "start",
        "then": POSTGRES_CLONE, "then-action": "promote", "kind": "Mandatory",
        "symmetrical": "false"})
    # A primary that stops waits until its standbys have everything, and they are connected through
    # this address: taken away first, it waits for wal_sender_timeout.
    ET.SubElement(constraints, "rsc_order", {
        "id": "demote-then-replication-ip", "first": POSTGRES_CLONE, "first-action": "demote",
        "then": REPLICATION_VIP, "then-action": "stop", "kind": "Optional",
        "symmetrical": "false"})
    ET.SubElement(constraints, "rsc_order", {
        "id": "promote-then-client-ip", "first": POSTGRES_CLONE, "first-action": "promote",
        "then": CLIENT_VIP, "then-action": "start", "kind": "Mandatory"})
    # Optional: the daemon starts first and stops last, but its failure stops no database.
    ET.SubElement(constraints, "rsc_order", {
        "id": "archive-then-postgresql", "first": DAEMON_CLONE, "then": POSTGRES_CLONE,
        "kind": "Optional"})
    location = ET.SubElement(constraints, "rsc_location", id="primary-prefers-whole-archive",
                             rsc=POSTGRES_CLONE)
    rule = ET.SubElement(location, "rule", id="primary-prefers-whole-archive-rule",
                         role="Promoted", score="-50")
    ET.SubElement(rule, "expression", id="primary-prefers-whole-archive-expression",
                  attribute="pgwalship-archive", operation="eq", value="incomplete")
    for fence in cluster.fences:
        if len(fence.nodes) == 1:  # a node does not fence itself
            ET.SubElement(constraints, "rsc_location", {
                "id": f"fence-{fence.name}-elsewhere", "rsc": f"fence-{fence.name}",
                "node": fence.nodes[0], "score": "-INFINITY"})
    return constraints


def _topology(cluster):
    topology = ET.Element("fencing-topology")
    for node in cluster.members:
        levels = {}
        for fence in cluster.fences:
            if not fence.nodes or node.name in fence.nodes:
                levels.setdefault(fence.level, []).append(f"fence-{fence.name}")
        if len(levels) == 1 and len(next(iter(levels.values()))) == 1:
            continue  # one device needs no topology
        for index, devices in sorted(levels.items()):
            ET.SubElement(topology, "fencing-level", {
                "id": f"fence-{node.name}-{index}", "target": node.name, "index": str(index),
                "devices": ",".join(devices)})
    return topology


def _alerts(cluster):
    alerts = ET.Element("alerts")
    alert = ET.SubElement(alerts, "alert", id="pgwalship-alert", path=ALERT_AGENT)
    select = ET.SubElement(alert, "select")
    for kind in ("select_nodes", "select_fencing", "select_resources"):
        ET.SubElement(select, kind)
    attributes = ET.SubElement(select, "select_attributes")
    for name in ("pgwalship-archive", "pgwalship-quorum", "pgwalship-gaps"):
        ET.SubElement(attributes, "attribute", id=f"pgwalship-alert-{name}", name=name)
    recipients = cluster.alert_recipients or ["syslog"]
    for number, recipient in enumerate(recipients, start=1):
        ET.SubElement(alert, "recipient", id=f"pgwalship-alert-recipient-{number}",
                      value=recipient)
    return alerts


def sections(cluster):
    """name -> element, for every section that belongs to pgwalship-cluster."""
    crm_config = ET.Element("crm_config")
    _nvpairs(crm_config, "cluster_property_set", "cib-bootstrap-options",
             [*PROPERTIES, ("cluster-name", cluster.name)])
    defaults = ET.Element("rsc_defaults")
    _nvpairs(defaults, "meta_attributes", "rsc-options",
             [("resource-stickiness", cluster.stickiness)])
    return {"crm_config": crm_config, "resources": _resources(cluster),
            "constraints": _constraints(cluster), "fencing-topology": _topology(cluster),
            "rsc_defaults": defaults, "alerts": _alerts(cluster)}


def text(cluster):
    """All sections, indented, for people."""
    configuration = ET.Element("configuration")
    configuration.extend(sections(cluster).values())
    ET.indent(configuration)
    return ET.tostring(configuration, encoding="unicode") + "\n"


# Set by Pacemaker itself, or by hand for a while: kept as they are.
KEPT_PROPERTIES = ("have-watchdog", "dc-version", "cluster-infrastructure", "last-lrm-refresh",
                   "maintenance-mode")


def _keep(new, old):
    """Moves what is not ours from the running section into the new one."""
    if old is None:
        return
    if new.tag == "crm_config":
        ours = new.find("cluster_property_set")
        for pair in old.iter("nvpair"):
            if pair.get("name") in KEPT_PROPERTIES:
                ours.append(pair)
    if new.tag == "constraints":  # `crm_resource --move` and --ban
        for constraint in old:
            if constraint.get("id", "").startswith("cli-"):
                new.append(constraint)


def merged(cluster, running):
    """`running`, the text of `cibadmin --query`, with our sections in place of what stands there."""
    root = ET.fromstring(running)
    status = root.find("status")
    if status is not None:
        root.remove(status)
    configuration = root.find("configuration")
    for name, section in sections(cluster).items():
        old = configuration.find(name)
        _keep(section, old)
        if old is None:
            if len(section):
                configuration.append(section)
            continue
        place = list(configuration).index(old)
        configuration.remove(old)
        configuration.insert(place, section)
    return ET.tostring(root, encoding="unicode")


def without_status(running):
    root = ET.fromstring(running)
    status = root.find("status")
    if status is not None:
        root.remove(status)
    return ET.tostring(root, encoding="unicode")


def _flat(element):
    """What an element means, whatever the order of attributes and blanks."""
    children = sorted((_flat(child) for child in element), key=repr)
    return (element.tag, tuple(sorted(element.attrib.items())), tuple(children))


def differences(cluster, running):
    """Which parts of our sections run otherwise than rendered, one line each."""
    configuration = ET.fromstring(running).find("configuration")
    found = []
    for name, section in sections(cluster).items():
        old = configuration.find(name)
        _keep(section, old)
        have = {child.get("id"): _flat(child) for child in (old if old is not None else [])}
        want = {child.get("id"): _flat(child) for child in section}
        for ident in want.keys() | have.keys():
            if ident not in have:
                found.append(f"{name}: '{ident}' is missing")
            elif ident not in want:
                found.append(f"{name}: '{ident}' is not in the file")
            elif have[ident] != want[ident]:
                found.append(f"{name}: '{ident}' differs")
    return sorted(found)


def made_by_hand(running):
    """Constraints of `crm_resource --move` and --ban: kept by apply, and in the way until cleared."""
    constraints = ET.fromstring(running).find("configuration/constraints")
    return [child.get("id") for child in (constraints if constraints is not None else [])
            if child.get("id", "").startswith("cli-")]


def restarts_postgresql(found):
    """Would these differences make Pacemaker restart the server?"""
    return f"resources: '{POSTGRES_CLONE}' differs" in found
