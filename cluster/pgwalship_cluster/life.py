"""The life of a node: switchover, standby and back, rejoin after a failure, upgrade.

The resource agent leaves PGSQL.lock on every former primary and refuses to start there, because it
cannot know whether that server holds what no other has. `rejoin` finds out: it ships what only that
server holds into the archive, makes its data directory a copy of the primary's, and only then takes
the lock away.
"""

from . import cib, postgres, scripts, values
from .edge import Refused, Site

# pgwalship rescue: all safe; or all safe, some of it in quarantine, because the archive has another
# content under that name.
RESCUED = (0, 3)


class Life(Site):
    def _primary(self):
        state = self.health()
        if not state.quorate:
            raise Refused("the cluster has no quorum (HINT: bring a majority of the nodes back first)")
        if not state.primary:
            raise Refused("there is no primary now (HINT: pgwalship-cluster status)")
        return state, self.cluster.node(state.primary)

    def standby(self, name):
        """Stops everything on a node and keeps it away; the primary moves when it is there."""
        node = self.cluster.node(name)
        state, primary = self._primary()
        if node == primary and not self._synchronous(state):
            raise Refused(f"{node.name} is the primary and there is no synchronous standby to take "
                          "over (HINT: pgwalship-cluster status)")
        self.remote.run(node, f"crm_attribute -N {node.name} -n standby -v on -l forever")
        self.wait(f"{node.name} is in standby", lambda now: [
            f"{what} runs on {node.name}" for what, places in now.places.items()
            if node.name in places] + ([] if now.primary not in ("", node.name) else
                                       ["no primary elsewhere"]), 120)

    def unstandby(self, name):
        node = self.cluster.node(name)
        locked = self._locked(node)
        if locked:  # the agent would refuse to start; let everything else start
            self.remote.run(node, self._ban(node))
        self.remote.run(node, f"crm_attribute -N {node.name} -n standby -D -l forever")
        if locked:
            self.rejoin(name)
        else:
            self._wait_replica(node)

    def switchover(self, name=""):
        """The primary's place goes to the synchronous standby, and it becomes a standby itself."""
        state, old = self._primary()
        sync = self._synchronous(state)
        if not sync:
            raise Refused("there is no synchronous standby (HINT: pgwalship-cluster status)")
        if name and self.cluster.node(name).name != sync:
            raise Refused(f"{self.cluster.node(name).name} is not the synchronous standby, {sync} is "
                          "(HINT: only that one is known to have every commit)")
        # A failover takes it all the same: it has every commit. A person can wait.
        if state.attribute(sync, "pgwalship-archive") != "complete":
            raise Refused(f"the archive on {sync} is not complete, and a primary's should be (HINT: "
                          "`pgwalship status` there says what is missing; wait until it is fetched)")
        self.say(f"{old.name} -> {sync}")
        self.remote.run(old, self._ban(old))
        self.wait(f"{sync} is the primary", lambda now: [] if now.primary == sync else
                  [f"primary: {now.primary or 'none'}"], 120)
        self.rejoin(old.name)

    def _synchronous(self, state):
        return next((node.name for node in self.cluster.members
                     if state.status(node.name) == "HS:sync"), "")

    @staticmethod
    def _ban(node):
        return f"crm_resource --ban --resource {cib.POSTGRES_CLONE} --node {node.name} >/dev/null 2>&1"

    def _locked(self, node):
        return self.remote.ask(node, f"test -e {self.cluster.postgres_tmp}/PGSQL.lock").code == 0

    def rejoin(self, name):
        """Makes a former primary a standby again."""
        cluster, remote = self.cluster, self.remote
        node = cluster.node(name)
        _, primary = self._primary()
        if node == primary:
            raise Refused(f"{node.name} is the primary")
        answer = remote.ask(node, f"head -n1 {cluster.data_directory}/postmaster.pid | xargs -r "
                            "kill -0")
        state = self.health()
        if node.name in state.replicas and answer.code == 0:
            raise Refused(f"{node.name} is a standby already")
        self._wait_daemon(node)
        # Before anything is changed: both ways back need it.
        if words := self.login(node):
            raise Refused(f"{words} (HINT: pgwalship-cluster apply makes the passwords the same; then "
                          "again)")
        self._rescue(node)
        # Until its first checkpoint the control file of a new primary names the old timeline;
        # pg_rewind would believe it, and the copy could not start.
        remote.run(primary, f"runuser -u postgres -- {cluster.postgres_bin}/psql -Xq -d postgres "
                   f"-p {cluster.postgres_port} -c CHECKPOINT", timeout=600)
        if not self._rewind(node):
            self.say(f"{node.name}: copying the primary's data directory")
            remote.run(node, f"rm -rf {cluster.data_directory}")
            remote.run(node, scripts.clone(cluster, cluster.replication_ip.ip), timeout=24 * 3600)
        remote.run(node, f"""
rm -f {cluster.data_directory}/standby.signal {cluster.postgres_tmp}/PGSQL.lock
crm_resource --clear --resource {cib.POSTGRES_CLONE} --node {node.name} >/dev/null 2>&1 || true
crm_resource --cleanup --resource {cib.POSTGRES_CLONE} --node {node.name} >/dev/null 2>&1
""")
        self._wait_replica(node)
        self.say(f"{node.name} is a standby again")

    def _wait_daemon(self, node):
        self.wait(f"pgwalshipd runs on {node.name}", lambda now: [] if node.name in
                  now.places.get(cib.DAEMON, ()) else ["it does not"], 60)

    def _wait_replica(self, node):
        self.wait(f"{node.name} is a standby", lambda now: [] if now.status(node.name) in
                  ("HS:sync", "HS:async") else [now.status(node.name) or "unknown"], 180)

    def _rescue(self, node):
        answer = self.remote.ask(node, f"runuser -u postgres -- pgwalship rescue "
                                 f"{self.cluster.data_directory}", timeout=3600)
        for line in answer.out.splitlines():
            self.say(f"  {node.name}: {line}")
        if answer.code not in RESCUED:
            raise Refused(f"{node.name}: what only this server holds is not safe yet: "
                          f"{(answer.err or answer.out).strip()} (HINT: bring the archive's quorum "
                          "back, or do what is said about files that cannot be read; then again)")

    def _rewind(self, node):
        cluster = self.cluster
        data, binaries = cluster.data_directory, cluster.postgres_bin
        source = postgres.conninfo(cluster, cluster.replication_ip.ip) + " dbname=postgres"
        answer = self.remote.ask(node, f"""
cd /
# The start that failed left one; pg_rewind cannot work with it.
rm -f {data}/standby.signal {data}/postmaster.pid
for f in recovery.conf rep_mode.conf; do [ -e {cluster.postgres_tmp}/$f ] ||
    runuser -u postgres -- touch {cluster.postgres_tmp}/$f; done
runuser -u postgres -- {binaries}/pg_rewind -D {data} --restore-target-wal \\
    --source-server={scripts.q(source)} 2>&1
""", timeout=3600)
        last = answer.out.strip().splitlines()[-1:] or [""]
        self.say(f"  {node.name}: {last[0]}")
        return answer.code == 0

    def upgrade(self, command):
        """Node by node: runs a command there, such as a package's upgrade, and restarts the daemon."""
        for node in self.cluster.nodes:
            self.say(f"{node.name}: {command}")
            self.remote.run(node, command + "\n" + scripts.restart_daemon(self.cluster), timeout=1800)
            self._wait_quorum(node)

    def _wait_quorum(self, node):
        inside = node in self.cluster.members
        self.wait(f"the archive on {node.name} has its quorum and is complete", lambda now: [
            f"{name} is {have.get(name) or 'unknown'}"
            for have in [now.attributes.get(node.name, {}) if inside else self._attributes(node)]
            for name, good in (("pgwalship-quorum", "held"), ("pgwalship-archive", "complete"))
            if have.get(name) != good], 120)

    def _attributes(self, node):
        """What the resource agent publishes for the nodes in the cluster, of one that is outside."""
        answer = self.remote.ask(node, f"runuser -u {self.cluster.ssh_user} -- pgwalship status --json "
                                       "2>/dev/null | python3 /usr/share/pgwalship/ocf/node-attributes")
        return dict(line.split(" ", 1) for line in answer.out.splitlines() if answer.code == 0)

    def secret(self, path, content):
        """Puts a fence agent's password script on every member: it prints the password."""
        try:
            values.path(path)
        except ValueError as error:
            raise Refused(error.args[0]) from None
        if not content.strip() or "\n" in content.strip():
            raise Refused("standard input is not a password in one line")
        quoted, place = scripts.q(content.strip()), scripts.q(path)
        for node in self.cluster.members:
            self.remote.run(node, f"""
umask 077
install -d -m 0755 "$(dirname {place})"
cat >{place}.new <<'END_OF_SCRIPT'
#!/bin/sh
printf '%s\\n' {quoted}
END_OF_SCRIPT
chmod 700 {place}.new
mv {place}.new {place}
""")
