"""From whatever the nodes have to what the file says. `plan` says what would be done."""

from . import cib, corosync, facts, files, postgres, scripts, timing
from .edge import Refused, Site


def refusals(cluster, found):
    """Why apply cannot even begin, one line each."""
    wrong = [*timing.check(cluster)]
    for node, have in found.items():
        missing = [name for name in have.missing if node in cluster.members or
                   name in (*scripts.OUTSIDE_PROGRAMS, f"{cluster.postgres_bin}/pg_ctl")]
        if missing:
            packages = "corosync pacemaker resource-agents " if node in cluster.members else ""
            wrong.append(f"{node.name}: missing: {', '.join(missing)} (HINT: install {packages}"
                         "postgresql-15 pgwalship)")
        if have.hostname != node.name:
            wrong.append(f"{node.name}: it calls itself '{have.hostname}' (HINT: hostnamectl "
                         f"set-hostname {node.name})")
        if have.foreign and node in cluster.members:
            wrong.append(f"{node.name}: it belongs to another cluster (HINT: if that is over, "
                         "remove /etc/corosync/corosync.conf)")
        if have.database == "elsewhere":
            wrong.append(f"{node.name}: the server in {cluster.data_directory} has its configuration "
                         "elsewhere (HINT: `pg_dropcluster 15 main` if it is Debian's empty one; "
                         "else move postgresql.conf and pg_hba.conf into the data directory)")
        if have.database == "strange":
            wrong.append(f"{node.name}: {cluster.data_directory} has files and no server (HINT: "
                         "empty it)")
    systems = {have.system_id for have in found.values() if have.system_id}
    if len(systems) > 1:
        wrong.append("the nodes' servers are of different origin: system identifiers " +
                     ", ".join(sorted(systems)))
    return wrong


def bootstrap_node(cluster, found):
    """Where the first server is made, or starts alone to be copied; None when none must."""
    members = cluster.members
    if all(found[node].database for node in members):
        return None
    # A primary, running or stopped, before a standby, and that before a copy that never ran: of two
    # that an interrupted apply has left, the older one is what the other was copied from.
    order = ("in production", "shut down", "", "copied")
    known = [node for node in members if found[node].database]
    return min(known, default=members[0], key=lambda node: order.index(
        found[node].state if found[node].state in order else ""))


def corosync_behind(cluster, found):
    """Members whose running Corosync has another node list than the file."""
    wanted = corosync.nodelist(cluster)
    return [node for node in cluster.members
            if found[node].corosync and found[node].nodelist != wanted]


def behind(have, stale):
    """Does a daemon run that has not read its files as they are, or will be? They may have been edited
    in their place, or by an apply that was interrupted."""
    return have.behind and not any(file.user == "pgwalshipd" for file in stale)


def steps(cluster, found, stale, cib_wrong, unfit=None):
    """What apply would do, in its order: (node name, words). `unfit`: see Site.unfit_role."""
    todo = []
    for node in cluster.nodes:
        have = found[node]
        if not have.link_key:
            todo.append((node.name, f"make the key {cluster.ssh_identity}"))
        if not have.archive:
            todo.append((node.name, f"make the archive {cluster.archive_directory}"))
        if node in cluster.members and have.enabled & {"postgresql", "pgwalshipd"}:
            todo.append((node.name, "leave postgresql and pgwalshipd to Pacemaker"))
        for file in stale[node]:
            known = file.path in have.files
            kind = "change" if known else "write"
            part = " (its marked lines)" if file.block else ""
            todo.append((node.name, f"{kind} {file.path}{part}"))
        if behind(found[node], stale[node]):
            todo.append((node.name, "pgwalshipd starts again, with its new files"))
    if unfit:
        todo.append((unfit.name, f"give the role {cluster.replication_user} the password of "
                     f"{postgres.PASSWORD_FILE}"))
    first = bootstrap_node(cluster, found)
    if first is not None and not found[first].database:
        todo.append((first.name, f"make a new server in {cluster.data_directory}"))
    for node in cluster.nodes:
        if not found[node].database and node != first:
            todo.append((node.name, "copy the server from the primary"))
    for node in cluster.members:
        if not (found[node].corosync and found[node].pacemaker):
            todo.append((node.name, "start corosync and pacemaker"))
    todo += [(node.name, "corosync reads its configuration again")
             for node in corosync_behind(cluster, found)]
    todo += [("cluster", wrong) for wrong in cib_wrong]
    return todo


class Apply(Site):
    def look(self):
        found = self.facts()
        wrong = refusals(self.cluster, found)
        if wrong:
            raise Refused("\n".join(wrong))
        return found

    def stale(self, found, secret):
        return {node: facts.stale(self.wanted_files(node, found, secret), found[node])
                for node in self.cluster.nodes}

    def plan(self):
        found = self.look()
        secret = self.secrets(found)
        running = [node for node in self.cluster.members if found[node].pacemaker]
        if running:
            wrong = cib.differences(self.cluster, self.remote.run(running[0], "cibadmin --query"))
        else:
            wrong = [f"configure {name}" for name in cib.SECTIONS]
        return steps(self.cluster, found, self.stale(found, secret), wrong,
                     self.unfit_role(found, secret))

    def apply(self):
        cluster, remote = self.cluster, self.remote
        found = self.look()
        self.say("keys and directories")
        remote.run_all({node: scripts.make_directories(cluster) + scripts.make_link_key(cluster, node)
                        + (scripts.DISABLE + scripts.STOP_DEFAULT +
                           scripts.stop_server(cluster) if node in cluster.members else "")
                        for node in cluster.nodes})
        found = self.facts()
        secret = self.complete(self.secrets(found))
        stale = self.stale(found, secret)
        self._install(found, stale)
        self._give_password(found, secret)
        self._databases(found, secret)
        remote.run_all({node: scripts.start_outside(cluster, found[node].behind or any(
            file.user == "pgwalshipd" for file in stale[node])) for node in cluster.outsiders})
        self._tell_corosync(found, stale)
        cold = [node for node in cluster.members if not found[node].pacemaker]
        if cold:
            self.say("corosync and pacemaker: " + ", ".join(node.name for node in cold))
            remote.run_all({node: scripts.START for node in cold}, timeout=180)
            remote.run_all({node: scripts.ENABLE for node in cold})
        names = {node.name for node in cluster.members}
        self.wait("all nodes are online", lambda state: [
            f"{name} is offline" for name in sorted(names - state.online)], 90)
        for wrong in self.push_cib(cluster.members[0]):
            self.say(f"  {wrong}")
        self._tell(found, stale)
        if cold:
            state = self.wait("there is a primary", lambda state: [] if state.primary else
                              ["no primary"], 180)
            primary = cluster.node(state.primary)
            self._give_password({**found, **self.facts([primary])}, secret)
        self.wait_whole()
        self._standbys(found, stale)
        self.say("the cluster is whole")

    def _install(self, found, stale):
        for node in self.cluster.nodes:
            for file in stale[node]:
                self.say(f"  {node.name}: {file.path}")
        self.remote.run_all({node: scripts.install(stale[node])
                             for node in self.cluster.nodes if stale[node]})

    def _give_password(self, found, secret):
        """The role takes what the files say: before a copy is made, or a standby connects again."""
        primary = self.unfit_role(found, secret)
        if primary:
            self.say(f"  {primary.name}: the role {self.cluster.replication_user} gets the password "
                     f"of {postgres.PASSWORD_FILE}")
            self.remote.run(primary, scripts.make_role(self.cluster, secret.replication_password))

    def _databases(self, found, secret):
        cluster, remote = self.cluster, self.remote
        first = bootstrap_node(cluster, found)
        if first is None:
            return
        lacking = [node for node in cluster.members if not found[node].database and node != first]
        if found[first].pacemaker:
            self.say("copying the server to " + ", ".join(node.name for node in lacking))
            remote.run_all({node: scripts.clone(cluster, cluster.replication_ip.ip)
                            for node in lacking}, timeout=3600)
            return
        if not found[first].database:
            self.say(f"a new server on {first.name}")
            remote.run(first, scripts.initdb(cluster))
        remote.run(first, scripts.install(files.database_files(cluster)))
        remote.run(first, scripts.start_alone(cluster, first))
        try:
            remote.run(first, scripts.make_role(cluster, secret.replication_password))
            self.say("copying it to " + ", ".join(node.name for node in lacking))
            remote.run_all({node: scripts.clone(cluster, first.address) for node in lacking},
                           timeout=3600)
        finally:
            remote.run(first, scripts.stop_alone(cluster))

    def _standbys(self, found, stale):
        """Nodes outside of the cluster: copies of the primary, asynchronous, in no vote."""
        cluster, remote = self.cluster, self.remote
        for node in cluster.outsiders:
            if not found[node].database:
                self.say(f"copying the server to {node.name}")
                remote.run(node, scripts.clone(cluster, cluster.replication_ip.ip),
                           timeout=24 * 3600)
            remote.run(node, scripts.start_standby(cluster, any(
                file.user == "postgresql" for file in stale[node])), timeout=320)
            if words := self.outside_trouble(node, 30):  # it may have much to replay first
                self.say(f"  {words}")

    def _tell_corosync(self, found, stale):
        """Before a new member starts: the others take no message from one that they do not know."""
        behind = corosync_behind(self.cluster, found)
        warm = [node for node in self.cluster.members if found[node].corosync]
        if not behind and any(file.user == "corosync" for node in warm for file in stale[node]):
            behind = warm
        # Each for itself: it reaches the nodes of its own ring, and not those that it lacks.
        for node in behind:
            self.say(f"  {node.name}: corosync reads its configuration again")
            self.remote.run(node, "corosync-cfgtool -R")

    def _tell(self, found, stale):
        """Those who read their configuration only when told so."""
        cluster, remote = self.cluster, self.remote
        users = {node: {file.user for file in stale[node]} for node in cluster.nodes}
        warm = [node for node in cluster.members if found[node].pacemaker]
        for node in warm:
            if "postgresql" in users[node]:
                self.say(f"  {node.name}: PostgreSQL reads its configuration again")
                remote.ask(node, f"runuser -u postgres -- {cluster.postgres_bin}/pg_ctl -D "
                           f"{cluster.data_directory} reload")
            if "pgwalshipd" in users[node] or found[node].behind:
                self.say(f"  {node.name}: pgwalshipd starts again")
                remote.run(node, scripts.restart_daemon(cluster), timeout=120)
