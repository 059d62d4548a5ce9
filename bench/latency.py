"""One push into an idle system, called as PostgreSQL's archiver calls archive_command."""

import time

import rivals
from cluster import Cluster
from figures import percentile
from stage import wait_until

TITLE = "one push of 16 MiB into an idle system, durable here and on 1 of 2 peers"
BASELINE = "pgBackRest sync, 1 ssh, zst-3"
PLAIN = "pgwalship, look-ahead = 0"
AHEAD = "pgwalship, shipped ahead"
TRUE = "/bin/true"
CALLS_OF_TRUE = 5  # for each of the others
TUTORIAL_EVERY = 3


def marked(stage, cluster, data, name):
    """PostgreSQL has marked it, and look-ahead has made it durable everywhere."""
    stage.write(data / "pg_wal" / "archive_status" / f"{name}.ready", "")
    wait_until(lambda: all((cluster.archive(node) / f"{name}.gz").exists()
                           for node in cluster.nodes), 30, f"{name} is shipped ahead")
    time.sleep(0.1)


class Measured:
    """The calls of one contender."""

    def __init__(self, stage, caller, command):
        self.stage, self.caller, self.command = stage, caller, command
        self.milliseconds, self.cpu = [], [0.0, 0.0]

    def call(self, name):
        before = self.stage.account.seconds()
        self.milliseconds.append(self.caller.archive(self.command, name))
        time.sleep(0.3)  # what goes on behind the verdict is its work, and the system is idle again
        for side, (after, start) in enumerate(zip(self.stage.account.seconds(), before)):
            self.cpu[side] += after - start

    def result(self):
        calls = len(self.milliseconds)
        if not calls:
            return []
        return [{"p50_ms": percentile(self.milliseconds, 0.5),
                 "p99_ms": percentile(self.milliseconds, 0.99),
                 "lowest_ms": min(self.milliseconds), "highest_ms": max(self.milliseconds),
                 "cpu_ms": sum(self.cpu) * 1000 / calls, "of_it_peers": self.cpu[1] * 1000 / calls,
                 "calls": calls, "samples": self.milliseconds}]


def measure(stage, options):
    calls = 12 if options.quick else 60
    data, names = stage.wal(2 * calls)
    plain, ahead = names[0::2], names[1::2]  # neighbours, of the same kind
    copy = stage.copy("ahead", names)
    ship_ahead, push = Cluster(stage, "a"), Cluster(stage, "p")
    ship_ahead.fresh(node1={"postgres.data-directory": copy})
    push.fresh()
    caller = stage.caller(copy)
    measured = {TRUE: Measured(stage, caller, TRUE),
                AHEAD: Measured(stage, caller, ship_ahead.command("push %p %f")),
                PLAIN: Measured(stage, caller, push.command("push %p %f"))}
    if rivals.available():
        pgbackrest = rivals.PgBackRest(push, BASELINE, asynchronous=False, repositories=1)
        stage.conf(data, archive_command="")
        stage.ctl(data, "start")
        pgbackrest.prepare(data)
        pgbackrest.online(data)
        stage.ctl(data, "-m", "fast", "stop")
        pgbackrest.configure(copy)
        measured[BASELINE] = Measured(stage, caller, pgbackrest.command)
    tutorial = rivals.Tutorial(push)
    tutorial.prepare(copy)
    measured[tutorial.name] = Measured(stage, caller, tutorial.command)
    for turn, (name, other) in enumerate(zip(plain, ahead)):
        marked(stage, ship_ahead, copy, other)
        measured[AHEAD].call(other)
        for _ in range(CALLS_OF_TRUE):
            measured[TRUE].call(name)
        measured[PLAIN].call(name)
        if BASELINE in measured:
            measured[BASELINE].call(name)
        if turn % TUTORIAL_EVERY == 0:
            measured[tutorial.name].call(name)
    caller.close()
    return {name: one.result() for name, one in measured.items()}


def goals(found):
    yield found.at_most("latency, p50 of a push: of pgBackRest sync",
                        found.ratio("p50_ms", PLAIN, BASELINE), 1 / 12)
    yield found.at_most("latency, p99 of a push: of pgBackRest sync",
                        found.ratio("p99_ms", PLAIN, BASELINE), 1 / 5)
    yield found.at_most("latency, p50 when shipped ahead: of /bin/true",
                        found.ratio("p50_ms", AHEAD, TRUE), 1.5)
