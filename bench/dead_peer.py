"""What one bad peer costs the others: nothing, as long as the quorum does not need it."""

import time

import rivals
from cluster import Cluster
from drain import drain
from figures import percentile

TITLE = "quorum ANY 1 (*), one of two peers dead, hung or slow"
BASELINE = "both peers well"
DEAD, HUNG = "one dead (refused)", "one hung (accepts, says nothing)"
SLOW = "one slow (200 ms, 1 MB/s)"
NOISE = 1.25  # more than this is a difference


class Round:
    """How node1 meets node3. The daemon of node3 is off each time: it would take its own way to
    what it lacks."""

    def __init__(self, stage, cluster, state):
        self.stage, self.state = stage, state
        self.detours, self.down, self.proxy = None, (), None
        if state == DEAD:
            self.down = ("node3",)
        elif state != BASELINE:
            self.proxy = stage.proxy("hang" if state == HUNG else
                                     f"{cluster.port('node3')}:0.2:1000000")
            self.detours = {"node3": self.proxy.ports[0]}

    def options(self):
        return {"detours": self.detours, "down": self.down,
                "without_daemon": () if self.down else ("node3",)}

    def close(self):
        if self.proxy:
            self.proxy.close()


def latency(stage, cluster, data, names, options):
    cluster.fresh(**options)
    time.sleep(3)  # what is out of reach has been noticed
    caller = stage.caller(data)
    samples = []
    for name in names:
        samples.append(caller.archive(cluster.command("push %p %f"), name))
        time.sleep(0.2)
    caller.close()
    return samples


def measure(stage, options):
    calls, backlog = (10, 16) if options.quick else (40, 64)
    data, names = stage.wal(max(calls, backlog))
    cluster = Cluster(stage)
    contender = rivals.Pgwalship(cluster, "pgwalship")
    rounds = {state: [] for state in (BASELINE, DEAD, HUNG, SLOW)}
    for _ in range(1 if options.quick else 3):
        for state in rounds:
            one = Round(stage, cluster, state)
            samples = latency(stage, cluster, data, names[:calls], one.options())
            drained = drain(stage, names[:backlog], contender, **one.options())
            one.close()
            rounds[state].append({
                "p50_ms": percentile(samples, 0.5), "p99_ms": percentile(samples, 0.99),
                "drain_segments_per_second": drained["segments_per_second"],
                "cpu_ms_per_segment": drained["cpu_ms_per_segment"], "samples": samples})
    return rounds


def goals(found):
    for state in (DEAD, HUNG, SLOW):
        yield found.at_most(f"{state}: p50 of a push, of that with both well",
                            found.ratio("p50_ms", state, BASELINE), NOISE)
        yield found.at_least(f"{state}: drain, of that with both well",
                             found.ratio("drain_segments_per_second", state, BASELINE), 1 / NOISE)
