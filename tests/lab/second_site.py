"""A node outside of the cluster: its archive, its asynchronous standby, and the unit that runs that."""

import subprocess
import time

import guide
import recovery

NAME = "pgdb4.example.com"
UNIT = "pgwalship-standby"
STANDBY_SETTINGS = "/var/lib/postgresql/pacemaker/recovery.conf"
PID_FILE = f"{guide.DATA}/postmaster.pid"


class SecondSite:
    def __init__(self, life):
        self.life, self.lab = life, life.lab
        self.with_systemd = life.with_systemd

    def run(self):
        self._archive_fills()
        self._streams()
        self.life.command("upgrade", "pgwalship --version >/dev/null")
        self._archive_fills()
        if self.with_systemd:
            self._unit()
        self._from_its_archive_alone()

    def takes_over_and_back(self):
        """The first site is lost; the standby is promoted; later the cluster is made of its server."""
        recovery.psql(self.lab, self.life.health().primary, "create table of_both (what text)")
        last = recovery.psql(self.lab, self.life.health().primary, "select pg_current_wal_lsn()")
        self.life.until(30, "the second site has all", lambda: self._ask(
            f"select pg_last_wal_replay_lsn() >= '{last}'") == "t")
        for name in self.life.names:
            self.lab.ask("hold", name)
            self.lab.ask("off", name)
        self._at("cd /; " + guide.PROMOTE, timeout=90)
        recovery.psql(self.lab, NAME, "insert into of_both values ('of the second')")
        for name in self.life.names:
            self._clear(name)
        self._move_the_server()
        self.life.command("apply")
        primary = self.life.health().primary
        if recovery.psql(self.lab, primary, "select what from of_both") != "of the second":
            self.life.fail("what was written at the second site is lost")
        self._streams()

    def _clear(self, name):
        """Alone it starts no server, and then it is a machine without a cluster."""
        self.lab.ask("release", name)
        self.lab.ask("on", name)
        self.life.wait_ssh(name)
        command = guide.CLEAR if self.with_systemd else guide.without_systemd(guide.CLEAR)
        time.sleep(5)
        self.lab.run_in(name, "sh", "-ec", "if pgrep -x postgres; then exit 1; fi\n" + command, timeout=120)

    def _move_the_server(self):
        if self.with_systemd:
            self._at(guide.STOP_STANDBY, timeout=90)
        else:
            self._at(f"cd /; runuser -u postgres -- {recovery.BIN}/pg_ctl -s -w -t 80 -D {guide.DATA} stop",
                     timeout=90)
        place, name = guide.DATA.rsplit("/", 1)
        out = self.lab.command_in(NAME, ["tar", "-C", place, "-cf", "-", name])
        into = self.lab.command_in(self.life.names[0], ["tar", "-C", place, "-xpf", "-"])
        with subprocess.Popen(out, stdout=subprocess.PIPE) as source:
            subprocess.run(into, stdin=source.stdout, check=True, timeout=120)
        self._at(f"rm -r {guide.DATA}")

    def _at(self, script, **more):
        return self.lab.run_in(NAME, "sh", "-c", script, **more).stdout.strip()

    def _archive_fills(self):
        backup = recovery.Recovery(self.lab, self.life.cluster)
        first = self.life.names[0]
        self.life.until(60, "the second site's archive is filled",
                        lambda: not backup.archive(first) - backup.archive(NAME))

    def _streams(self):
        """As the primary sees it."""
        def seen():
            return recovery.psql(
                self.lab, self.life.health().primary, "select sync_state from pg_stat_replication "
                f"where application_name = '{NAME}' and state = 'streaming'") == "async"
        self.life.until(40, "the second site's standby streams, asynchronously", seen)

    def _unit(self):
        """systemd runs it: through a death, a crash of one process, a stop, and a boot."""
        if self._at(f"systemctl is-enabled {UNIT}; systemctl is-active {UNIT}") != "enabled\nactive":
            self.life.fail(f"{UNIT} is not enabled and active")
        for what, kill in (("its server is killed", f"kill -9 $(head -n1 {PID_FILE})"),
                           ("one of its processes is killed", "pkill -9 -f '^postgres: checkpointer'")):
            before = self._main_pid()
            self._at(kill)
            self.life.until(40, f"{UNIT} runs again after {what}", lambda before=before: (
                self._main_pid() not in ("0", before) and
                self._at(f"systemctl is-active {UNIT}", check=False) == "active"))
            self._streams()
        self._stops_and_starts()
        self.lab.ask("off", NAME)
        self.lab.ask("on", NAME)
        self.life.until(60, f"{UNIT} is active after a boot", lambda: self._at(
            f"systemctl is-active {UNIT} pgwalshipd", check=False) == "active\nactive")
        self._streams()

    def _main_pid(self):
        return self._at(f"systemctl show -p MainPID --value {UNIT}")

    def _stops_and_starts(self):
        begun = time.time()
        self._at(f"systemctl stop {UNIT}", timeout=60)
        result = self._at(f"systemctl show -p Result --value {UNIT}")
        if result != "success" or time.time() - begun > 20:
            self.life.fail(f"stopping {UNIT} took {time.time() - begun:.0f} s: {result}")
        if self._at("pgrep -x postgres", check=False):
            self.life.fail(f"a server runs after {UNIT} was stopped")
        self.life.told("verify", 1, f"{NAME}: its standby does not run")
        self._at(f"systemctl start {UNIT}", timeout=60)
        self._streams()

    def _from_its_archive_alone(self):
        """Where it cannot stream it follows what its archive gets; `apply` puts that right."""
        self._at(f"sed -i 's/host=10.10.10.104/host=10.10.10.199/' {STANDBY_SETTINGS}")
        self._again()
        primary = self.life.health().primary
        position = recovery.psql(self.lab, primary, "select pg_switch_wal()")
        caught_up = f"select pg_last_wal_replay_lsn() >= '{position}'"
        self.life.until(60, "the standby replays a segment out of its archive",
                        lambda: self._ask(caught_up) == "t")
        if self._ask("select count(*) from pg_stat_wal_receiver where status = 'streaming'") != "0":
            self.life.fail("it streams from nowhere")
        self.life.told("verify", 1, f"{NAME}: its standby does not stream from the primary")
        self.life.command("apply")
        self._streams()

    def _ask(self, sql):
        try:
            return recovery.psql(self.lab, NAME, sql)
        except RuntimeError:  # it is not up yet
            return ""

    def _again(self):
        if self.with_systemd:
            self._at(f"systemctl restart {UNIT}", timeout=60)
        else:
            self._at(f"runuser -u postgres -- {recovery.BIN}/pg_ctl -s -w -D {guide.DATA} "
                     "-l /tmp/log restart </dev/null >/dev/null 2>&1", timeout=60)
