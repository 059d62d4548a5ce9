"""The life of a node, on a running cluster with a client that writes all the time."""

import concurrent.futures
import json
import os
import signal
import subprocess
import time

import guide
import point_in_time
import recovery
import room
import second_site
import trial
import witnesses
from pgwalship_cluster import scripts

HOME = "/var/lib/postgresql/.ssh"
PASSWORD_FILE = "/etc/pgwalship/replication.pgpass"
FENCED = "pgdb2.example.com"  # by the guide


class Life(trial.Trial):
    """What the cases need: a writer, the program, and a verdict."""

    def _run(self):
        self.wait_whole(60)
        state = self.health()
        backup = recovery.Recovery(self.lab, self.cluster)
        self.writer = writer = witnesses.Writer(backup.next_row(state.primary))
        watcher = witnesses.Watcher(self.lab, self.names, recovery.postgres_uid(self.lab))
        watcher.start()
        writer.start()
        begun = time.time()
        try:
            getattr(self, "_" + self.scenario.number)(state)
            self.wait_whole(120)
        finally:
            writer.stop()
            watcher.stop()
        self.result.whole_after = round(time.time() - begun, 1)
        self.result.outage = round(writer.longest_gap(begun), 1)
        self.result.acknowledged = len(writer.acknowledged)
        numbers = {number for number, _ in writer.acknowledged}
        lost = numbers - backup.rows(self.health().primary, writer.first)
        self.result.lost = len(lost)
        if lost:
            self.fail(f"{len(lost)} acknowledged commits are lost")
        if watcher.twice:
            self.fail("two primaries at a time")
        if self.result.outage > self.scenario.within:
            self.fail(f"no commit for {self.result.outage} s, {self.scenario.within} s allowed")

    def _synchronous(self, state):
        return next(name for name in self.names if state.status(name) == "HS:sync")

    def _refused(self, *words):
        done = subprocess.run(self.lab.cluster_command(*words), capture_output=True, text=True,
                              check=False, timeout=60)
        if done.returncode == 0 or "HINT" not in done.stderr:
            self.fail(f"pgwalship-cluster {' '.join(words)} was not refused with a hint")

    def _switchover(self, state):
        sync = self._synchronous(state)
        other = next(name for name in self.names if name not in (state.primary, sync))
        self._refused("switchover", other)
        self.command("switchover")
        if self.health().primary != sync:
            self.fail(f"{sync} is not the primary")

    def _guide(self, _state):
        """docs/cluster.md, word for word, on a cluster that is whole; in the end a node is fenced."""
        (self.lab.directory / "password").write_text("of the board\n")
        for command, where in guide.RUN.items():
            done = self._as_written(command, where)
            # A node whose archive's disk is small, or whose daemon is young, is warned of.
            if done.returncode > (1 if command == "pgwalship check" else 0):
                self.fail(f"'{command}' ends with {done.returncode}: {done.stderr or done.stdout}")
            if "of the board" in done.stdout + done.stderr:
                self.fail(f"'{command}' prints a password")
        self._secret_is_in_place()
        if self.health().primary == FENCED:
            self.command("switchover")
        self.wait_whole(60)
        name = next(name for name in self.names if name != FENCED)
        gone = time.time()
        self.lab.run_in(name, "stonith_admin", "--reboot", FENCED, timeout=60)
        if FENCED not in [who for when, who in self.fencings() if when > gone]:
            self.fail(f"stonith_admin does not fence {FENCED}")
        told = self.lab.run_in(name, "grep", "pgwalship-alert", "/var/log/syslog", check=False)
        if f"fencing: Operation reboot of {FENCED}" not in told.stdout:
            self.fail("no alert tells of the fencing")

    def _as_written(self, command, where):
        if where == guide.NODE:
            return self.lab.run_in(self.names[0], "sh", "-c", command, check=False, timeout=60)
        environment = {**os.environ, "PATH": f"{self.lab.directory}/bin:{os.environ['PATH']}",
                       "PGWALSHIP_CONFIG": f"{self.lab.directory}/pgwalship.conf"}
        return subprocess.run(["sh", "-c", command], cwd=self.lab.directory, env=environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, timeout=400)

    def _secret_is_in_place(self):
        script = "/etc/pgwalship/fence/ipmi1"
        for name in self.names:
            done = self.lab.run_in(name, "sh", "-c", f"stat -c '%a %U' {script}; {script}")
            if done.stdout != "700 root\nof the board\n":
                self.fail(f"{name}: {script} is or prints: {done.stdout}")

    def _incomplete(self, state):
        """The synchronous standby's archive is lost and cannot be filled: nobody is to prefer it."""
        sync = self._synchronous(state)
        self.lab.run_in(sync, "sh", "-ec", f"""
cd /etc/pgwalship; cp -p known_hosts known_hosts.away; : >known_hosts; mv {HOME}/authorized_keys {HOME}/away
until find /{recovery.ARCHIVE} -mindepth 1 -delete; do sleep 0.1; done  # the daemon writes there
kill -TERM $(cat /run/pgwalship/pgwalshipd.pid); pkill -f '[p]gwalship receive' || true""")
        try:
            self.until(90, f"{sync} says that its archive is incomplete", lambda: self.health()
                       .attribute(sync, "pgwalship-archive") == "incomplete")
            scores = self.lab.run_in(state.primary, "crm_simulate", "-sL").stdout
            line = next((line for line in scores.splitlines() if "postgresql:" in line and sync in
                         line and "promotion score" in line), "")
            # 100 is what the resource agent gives to the synchronous standby.
            if not line.endswith(": 50"):
                self.fail(f"an incomplete archive does not lower the score for promotion: '{line}'")
            self._refused("switchover")
        finally:
            self.lab.run_in(sync, "sh", "-c", "mv /etc/pgwalship/known_hosts.away /etc/pgwalship/"
                            f"known_hosts; mv {HOME}/away {HOME}/authorized_keys")
        self.wait_whole(120)
        self.command("switchover")
        if self.health().primary != sync:
            self.fail(f"{sync} is not the primary")

    @staticmethod
    def until(seconds, what, condition, pause=0.5):
        end = time.time() + seconds
        while not condition():
            if time.time() > end:
                raise trial.Failure(f"not within {seconds} s: {what}")
            time.sleep(pause)

    def _replace(self, state):
        """A machine is lost with its disk; a new one comes up in its place. `apply` dies once."""
        name = next(name for name in self.names
                    if name not in (state.primary, self._synchronous(state)))
        gone = time.time()
        self.lab.ask("reset", name)
        while not [when for when, who in self.fencings() if who == name and when > gone]:
            if time.time() > gone + 60:
                raise trial.Failure(f"{name} is not fenced")
            time.sleep(0.5)
        while self.lab.ask("status", name) != "on":  # the power switch gives it power again
            time.sleep(0.5)
        self.wait_ssh(name)
        self._die_while_copying(name)
        self.command("apply")
        self._verified()

    def _die_while_copying(self, name):
        """`apply` and its copy are killed in the middle. The next one takes no half for a server."""
        var = self.lab.root(name) / "var/lib/postgresql"
        mark = var / "pacemaker/unfinished-copy"
        with open(self.lab.directory / "killed.log", "wb") as log, subprocess.Popen(
                self.lab.cluster_command("apply"), stdout=log, stderr=log) as process:
            self.until(60, f"a copy begins on {name}", lambda: process.poll() is not None or (
                mark.exists() and any((var / "15/main").iterdir())), 0.01)
            process.kill()
            # In here are no processes but the lab's.
            subprocess.run(["pkill", "-KILL", "-x", "pg_basebackup"], check=False)
        if process.returncode != -signal.SIGKILL:
            self.fail(f"apply ended with {process.returncode} before it was killed")
        # Its shell on the node goes on, if only to its end.
        self.until(10, "the copy ends", lambda: subprocess.run(
            ["pgrep", "-x", "pg_basebackup"], stdout=subprocess.DEVNULL, check=False).returncode != 0)
        if not mark.exists():
            self.fail("the copy was over before it was killed")

    def _password(self, state):
        """The replication password is changed by hand: the role's, then a node's file."""
        primary, first = state.primary, self.names[0]
        recovery.psql(self.lab, primary, "alter role replicator password 'by hand'")
        self.told("plan", 0, f"{primary}: give the role replicator the password of {PASSWORD_FILE}")
        self.told("verify", 1, f"{primary}: the role replicator does not take the password")
        recovery.psql(self.lab, primary,
                      "select pg_terminate_backend(pid) from pg_stat_replication")
        time.sleep(3)
        if recovery.psql(self.lab, primary, "select 1 from pg_stat_replication"):
            self.fail("a standby logs in with a password that is not the role's")
        self.command("apply")
        self._verified()
        self.lab.run_in(first, "sed", "-i", "s/:[^:]*$/:wrong/", PASSWORD_FILE)
        self.told("plan", 0, f"{first}: change {PASSWORD_FILE}\n1 changes\n")
        self.told("verify", 1, f"{first}: {PASSWORD_FILE} is not as rendered")
        self.command("apply")
        self._verified()
        old = self.lab.run_in(first, "cat", PASSWORD_FILE).stdout
        for name in self.names:  # the guide's way to a new one
            self.lab.run_in(name, "rm", PASSWORD_FILE)
        self.command("apply")
        self._verified()
        if self.lab.run_in(first, "cat", PASSWORD_FILE).stdout == old:
            self.fail("the password is the old one")

    def told(self, verb, code, words):
        done = subprocess.run(self.lab.cluster_command(verb), capture_output=True, text=True,
                              check=False, timeout=60)
        if done.returncode != code or words not in done.stdout:
            self.fail(f"{verb} ends with {done.returncode} and does not say '{words}': "
                      f"{done.stdout}{done.stderr}")
        password = self.lab.run_in(self.names[1], "cat", PASSWORD_FILE).stdout.strip()
        if password.rpartition(":")[2] in done.stdout + done.stderr:
            self.fail(f"{verb} prints the password")

    def _off_and_on(self, state):
        """All of it, standbys first, the primary last, and on again."""
        stop, start = (("systemctl stop pacemaker corosync", "systemctl start corosync pacemaker")
                       if self.with_systemd else (scripts.STOP, scripts.START))
        for name in sorted(self.names, key=lambda name: name == state.primary):
            self.lab.run_in(name, "sh", "-ec", f"{{ {stop}\n}} >/dev/null 2>&1", timeout=120)
        for name in self.names:
            if self._locked(name):
                self.fail(f"{name} has its lock after an orderly stop")
        # At the same time: a majority that is up fences whoever is late.
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: self.lab.run_in(
                name, "sh", "-ec", f"{{ {start}\n}} >/dev/null 2>&1", timeout=120), self.names))
        self.wait_whole(180)
        self._verified()

    def _point_in_time(self, state):
        point_in_time.PointInTime(self).run(state)
        self._verified()

    def daemon_alone(self):
        return scripts.start_outside(self.cluster, False)

    @property
    def with_systemd(self):
        return json.loads((self.lab.directory / "machines.json").read_text())["init"] == "systemd"

    def _upgrade(self, _state):
        self.command("upgrade", "pgwalship --version >/dev/null")

    def _second_site(self, _state):
        """A node outside of the cluster, with an archive and an asynchronous standby."""
        self.lab.ask("on", second_site.NAME)
        self.wait_ssh(second_site.NAME)
        self._add("site=siteb", "site = sitea\n")
        second_site.SecondSite(self).run()

    def _site_lost(self, _state):
        """After second_site."""
        if not self.cluster.outsiders:
            raise trial.Failure("there is no second site (HINT: lab run second_site,site_lost)")
        time.sleep(3)
        self.writer.stop()  # what it still gets acknowledged would be lost with the site
        second_site.SecondSite(self).takes_over_and_back()
        self.wait_whole(60)
        self._verified()

    def _add_node(self, _state):
        """The same machine becomes a member."""
        self._add("site=sitea", "second-ring = pgdb4.example.com 10.10.20.106\n")
        self.names.append(second_site.NAME)

    def _add(self, site, more):
        path = self.lab.directory / "pgwalship.conf"
        text = "\n".join(line for line in room.CONFIG.splitlines() if "pgdb4" not in line)
        last = "address=10.10.10.103\n"
        text = text.replace(last, f"{last}node = {second_site.NAME} {site} address=10.10.10.106\n")
        path.write_text(text.rstrip("\n") + "\n" + more)
        self.command("apply")
        self.cluster = trial.config.load(str(path))
        self._verified()

    def wait_ssh(self, name):
        end = time.time() + 30
        while self.lab.run_in(name, "bash", "-c", ": </dev/tcp/127.0.0.1/22", check=False).returncode != 0:
            if time.time() > end:
                raise trial.Failure(f"{name} does not come up")
            time.sleep(0.2)

    def _verified(self):
        self.command("verify")
