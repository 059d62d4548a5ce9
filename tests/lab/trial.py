"""One scenario from a whole cluster back to a whole cluster, and the verdict: the oracle."""

import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

import recovery
import room
import witnesses

sys.path.insert(0, str(room.HERE.parents[1] / "cluster"))
from pgwalship_cluster import config, health  # noqa: E402

PATIENCE = 240  # for the cluster to become whole again after the repair
STOPPED_AFTER = 15  # without a majority nothing is acknowledged from here on
STOPPED_FOR = 30  # then it is repaired
STATUS_WITHIN = 20  # pgwalship notices a peer's loss within 10 s


class Failure(Exception):
    pass


@dataclass
class Result:
    number: str
    title: str
    continues: bool
    within: int
    roles: dict = field(default_factory=dict)
    outage: float = 0.0  # the longest time without an acknowledged commit
    service_after_repair: float = None
    whole_after: float = 0.0  # from the repair, or from the fault when nothing needs a repair
    acknowledged: int = 0
    lost: int = 0
    segments: int = 0
    fenced: list = field(default_factory=list)
    rejoined: list = field(default_factory=list)
    recovered_on: list = field(default_factory=list)
    failures: list = field(default_factory=list)
    seconds: float = 0.0


class Trial:
    def __init__(self, lab, scenario, say):
        self.lab, self.scenario, self.say = lab, scenario, say
        self.names = list(room.MACHINES)
        self.cluster = config.load(str(lab.directory / "pgwalship.conf"))
        self.result = Result(scenario.number, scenario.title, scenario.continues, scenario.within)
        self.cut = set()
        self.start = time.time()

    # -- looking
    def health(self):
        for name in self.names:
            try:
                done = self.lab.run_in(name, "sh", "-c", health.QUERY, check=False, timeout=20)
            except (RuntimeError, subprocess.TimeoutExpired):
                continue
            if done.returncode == 0 and done.stdout:
                state = health.parse(done.stdout)
                if state.dc and state.quorate:
                    return state
        return health.Health()

    def fail(self, words):
        self.result.failures.append(words)
        self.say(f"  FAILED: {words}")

    def wait_whole(self, timeout):
        end = time.time() + timeout
        while True:
            wrong = health.troubles(self.cluster, self.health())
            if not wrong:
                return
            if time.time() > end:
                raise Failure("the cluster does not become whole: " + "; ".join(wrong))
            time.sleep(1)

    def fencings(self):
        text = (self.lab.directory / "power.log").read_text()
        return [(float(when), name) for when, name, what in
                (line.split(" ", 2) for line in text.splitlines())
                if what in ("asked to reboot", "asked to off") and float(when) > self.start]

    # -- doing
    def strike(self, kind, name):
        if kind == "network":
            self.lab.ask("cut", name)
            self.cut.add(name)
        elif kind == "power":
            self.lab.ask("hold", name)
            self.lab.ask("off", name)
        elif kind == "postgres":
            self.lab.run_in(name, "sh", "-c",
                            "kill -9 $(head -n1 /var/lib/postgresql/15/main/postmaster.pid)")
        elif kind in ("replication-ip", "client-ip"):
            ip = "10.10.10.104" if kind == "replication-ip" else "10.10.10.105"
            self.lab.run_in(name, "ip", "address", "del", f"{ip}/24", "dev", "eth0")
        elif kind == "standby":
            self.command("standby", name)

    def command(self, *words):
        done = subprocess.run(self.lab.cluster_command(*words), capture_output=True, text=True,
                              check=False, timeout=400)
        if done.returncode != 0:
            raise Failure(f"pgwalship-cluster {' '.join(words)}: "
                          f"{(done.stderr or done.stdout).strip()}")

    def repair(self):
        """True when there was something to repair."""
        done = False
        for role, kind in self.scenario.faults:
            name = self.result.roles[role]
            if kind == "network":
                self.lab.ask("join", name)
                self.cut.discard(name)
            elif kind == "power":
                self.lab.ask("release", name)
                self.lab.ask("on", name)
            elif kind == "standby":
                self.command("unstandby", name)
            done = done or kind in ("network", "power", "standby")
        return done

    def rejoin_all(self, end):
        """Every node whose server does not start because it was a primary, as an operator would."""
        seen = {}
        while time.time() < end:
            state = self.health()
            wrong = health.troubles(self.cluster, state)
            if not wrong:
                return
            for name in self.names:
                idle = (state.primary and name in state.online and name != state.primary
                        and name not in state.replicas and self._locked(name))
                seen[name] = seen.get(name, 0) + 1 if idle else 0
                if seen[name] >= 3:
                    self.say(f"  rejoin {name}")
                    self.command("rejoin", name)
                    self.result.rejoined.append(name)
                    seen[name] = 0
            time.sleep(1)

    def _locked(self, name):
        return (self.lab.root(name) / "var/lib/postgresql/pacemaker/PGSQL.lock").exists()

    # -- the course of it
    def run(self):
        try:
            self._run()
        except (Failure, RuntimeError, OSError, subprocess.SubprocessError) as error:
            self.fail(str(error))
        self.result.seconds = round(time.time() - self.start, 1)
        return self.result

    def _run(self):
        self.wait_whole(60)
        state = self.health()
        roles = {"M": state.primary}
        for name in self.names:
            if state.status(name) == "HS:sync":
                roles["S"] = name
            elif state.status(name) == "HS:async":
                roles["A"] = name
        self.result.roles = roles
        backup = recovery.Recovery(self.lab, self.cluster)
        backup.take(roles["A"])
        writer = witnesses.Writer(backup.next_row(roles["M"]))
        watcher = witnesses.Watcher(self.lab, self.names, recovery.postgres_uid(self.lab))
        watcher.start()
        writer.start()
        try:
            self._break_and_mend(writer)
        finally:
            writer.stop()
            watcher.stop()
        self._judge(writer, watcher, backup)

    def _break_and_mend(self, writer):
        end = time.time() + 20
        while len(writer.acknowledged) < 20:
            if time.time() > end:
                raise Failure("the client cannot write to a whole cluster")
            time.sleep(0.1)
        fault = time.time()
        self.say("  " + ", ".join(f"{kind} of {self.result.roles[role]}"
                                  for role, kind in self.scenario.faults))
        threads = [threading.Thread(target=self.strike, args=(kind, self.result.roles[role]))
                   for role, kind in self.scenario.faults]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        struck = time.time()
        if self.scenario.continues:
            self._expect_service(writer, fault, struck)
        else:
            self._expect_silence(writer, struck)
        self._status_is_true()
        repaired = time.time()
        if not self.repair():
            repaired = fault
        if not self.scenario.continues:
            self._expect_return(writer, repaired)
        self.rejoin_all(time.time() + PATIENCE)
        self.wait_whole(10)
        self.result.whole_after = round(time.time() - repaired, 1)
        self.result.outage = round(writer.longest_gap(fault), 1)
        if self.scenario.continues and self.result.outage > self.scenario.within:
            self.fail(f"no commit for {self.result.outage} s, {self.scenario.within} s allowed")
        now = time.time()
        while not writer.since(now):
            if time.time() > now + 10:
                raise Failure("the client cannot write to the mended cluster")
            time.sleep(0.1)

    def _expect_service(self, writer, fault, struck):
        """Commits again, and for some seconds on: a commit that slipped through is not service."""
        end = fault + max(self.scenario.within, 10) + 60
        steady = None
        while time.time() < end:
            time.sleep(0.2)
            if time.time() - writer.last() > 2 or writer.last() < struck:
                steady = None
            elif steady is None:
                steady = time.time()
            # A lost replica may stop commits some seconds later, when its connection has drained.
            if steady and time.time() - steady > 5 and time.time() - struck > 12:
                return
        raise Failure(f"service did not come back within {end - fault:.0f} s")

    def _expect_silence(self, writer, struck):
        time.sleep(max(0.0, struck + STOPPED_FOR - time.time()))
        late = writer.since(struck + STOPPED_AFTER)
        if late:
            self.fail(f"{len(late)} commits were acknowledged without a majority")

    def _expect_return(self, writer, repaired):
        end = repaired + self.scenario.within
        while not writer.since(repaired):
            if time.time() > end:
                raise Failure(f"no commit within {self.scenario.within} s after the repair")
            time.sleep(0.2)
        self.result.service_after_repair = round(writer.since(repaired)[0][1] - repaired, 1)

    # -- pgwalship status
    def _status_is_true(self):
        end = time.time() + STATUS_WITHIN
        while True:
            wrong = recovery.untrue_status(self.lab, self.names, self.cut)
            if not wrong:
                return
            if time.time() > end:
                self.fail("pgwalship status is not true: " + "; ".join(wrong))
                return
            time.sleep(1)

    # -- the verdict
    def _judge(self, writer, watcher, backup):
        result = self.result
        result.acknowledged = len(writer.acknowledged)
        result.fenced = [name for _, name in self.fencings()]
        numbers = {number for number, _ in writer.acknowledged}
        state = self.health()
        lost = numbers - backup.rows(state.primary, writer.first)
        result.lost = len(lost)
        if lost:
            self.fail(f"{len(lost)} acknowledged commits are lost, the first is {min(lost)}")
        if watcher.twice:
            when, names = watcher.twice[0]
            self.fail(f"two primaries at a time, {len(watcher.twice)} times: {', '.join(names)} "
                      f"{when - self.start:.1f} s after the start")
        last = backup.switch(state.primary)
        archives = backup.wait_archives(last)
        acknowledged = recovery.between(watcher.archived | {last})
        result.segments = len(acknowledged)
        for segment in sorted(acknowledged):
            holders = [name for name in self.names if segment in archives[name]]
            if len(holders) < 2:
                self.fail(f"{segment} was acknowledged and is on {len(holders)} nodes")
        for name in self.names:
            for gap in backup.gaps(name):
                self.fail(f"the archive on {name} has a gap: {gap}")
        self._recover(numbers, writer.first, backup)
        wrong = recovery.untrue_status(self.lab, self.names, self.cut)
        if wrong:
            self.fail("pgwalship status is not true at the end: " + "; ".join(wrong))

    def _recover(self, numbers, first, backup):
        """From every node's archive alone."""
        for name in self.names:
            found = backup.recover(name, first)
            if numbers - found:
                self.fail(f"recovery from the archive of {name} lacks {len(numbers - found)} commits")
            else:
                self.result.recovered_on.append(name)


def plain(text):
    return re.sub(r"\.example\.com", "", text)
