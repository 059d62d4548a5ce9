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


class Meeting(rivals.Pgwalship):
    """How node1 meets node3, which is well at first: a quorum of new archives needs all of them
    once. The daemon of node3 is off: it would take its own way to what it lacks."""

    def __init__(self, cluster, state):
        super().__init__(cluster, "pgwalship")
        self.state = state
        line = "0.2:1000000" if state == SLOW else "0:0"
        self.proxy = self.stage.proxy(f"{cluster.port('node3')}:{line}")

    def fresh(self, data, detours=None, **others):
        through = {"node3": self.proxy.ports[0]} if self.state in (HUNG, SLOW) else None
        super().fresh(data, through, without_daemon=("node3",), **others)
        self.cluster.wait_current("node1", "node3")

    def online(self, data):
        if self.state == DEAD:
            self.cluster.kill("node3")
        elif self.state == HUNG:
            self.proxy.hang()


def latency(stage, data, names, state, cluster):
    meeting = Meeting(cluster, state)
    meeting.look_ahead = 0
    meeting.fresh(data)
    meeting.online(data)
    caller = stage.caller(data)
    samples = []
    for name in names:
        samples.append(caller.archive(meeting.command, name))
        time.sleep(0.2)
    caller.close()
    meeting.proxy.close()
    return samples


def measure(stage, options):
    calls, backlog = (10, 16) if options.quick else (40, 64)
    data, names = stage.wal(max(calls, backlog))
    cluster = Cluster(stage)
    rounds = {state: [] for state in (BASELINE, DEAD, HUNG, SLOW)}
    for _ in range(1 if options.quick else 3):
        for state in rounds:
            samples = latency(stage, data, names[:calls], state, cluster)
            meeting = Meeting(cluster, state)
            drained = drain(stage, names[:backlog], meeting)
            meeting.proxy.close()
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
