"""A backlog, drained by PostgreSQL's own archiver: segments a second, and CPU a segment."""

import time

import barman_rival
import receivewal
import rivals
from cluster import Cluster
from stage import wait_until

TITLE = "a backlog, drained by PostgreSQL's own archiver"
BASELINE = "pgBackRest async, 2 ssh, zst-3"
GZIP = "pgBackRest async, 2 ssh, gz-6"
SLOW_SEGMENTS = 8


def contenders(cluster, quick):
    yield rivals.Pgwalship(cluster, "pgwalship, ANY 1 (*)")
    yield rivals.Pgwalship(cluster, "pgwalship, ALL (*)", quorum="ALL (*)")
    if rivals.available():
        yield rivals.PgBackRest(cluster, BASELINE)
        yield rivals.PgBackRest(cluster, GZIP, "gz", 6, slow=quick)
    yield rivals.Floor(cluster)
    yield rivals.Tutorial(cluster)
    if quick:
        return
    yield rivals.Pgwalship(cluster, "pgwalship, look-ahead = 0", 0)
    if rivals.available():
        yield rivals.PgBackRest(cluster, "pgBackRest async, 2 ssh, lz4", "lz4", 1)
        yield rivals.PgBackRest(cluster, "pgBackRest sync, 2 ssh, zst-3", asynchronous=False,
                                slow=True)
        yield rivals.PgBackRest(cluster, "pgBackRest sync, 1 ssh, zst-3", asynchronous=False,
                                repositories=1, slow=True)
    if barman_rival.available():
        yield barman_rival.Barman(cluster)
    yield receivewal.Receiver(cluster)


def wanted(contender, options):
    return not options.only or any(word in contender.name for word in options.only)


def drain(stage, names, contender, detours=None, **nodes):
    """The time from the moment on which all marks are there to the last segment's `.done`."""
    copy = stage.copy("drain", names)
    marks = copy / "pg_wal" / "archive_status"
    stage.conf(copy, archive_command=getattr(contender, "command", ""))
    contender.fresh(copy, detours, **nodes)
    contender.prepare(copy, detours)
    stage.conf(copy, archive_command=contender.command)
    stage.ctl(copy, "start")
    contender.online(copy)
    stage.sql("CHECKPOINT")
    time.sleep(1)  # the archiver has seen that there is nothing
    before = stage.account.seconds()
    begin = time.perf_counter()
    if hasattr(contender, "receive"):
        contender.receive(copy, names)
    else:
        for name in names:
            stage.write(marks / f"{name}.ready", "")
        stage.sql("SELECT pg_switch_wal()")  # wakes the archiver
        last = marks / f"{names[-1]}.done"
        wait_until(last.exists, 900, f"{contender.name} has archived {names[-1]}")
    taken = time.perf_counter() - begin
    time.sleep(1)  # what goes on behind the verdict is its work, too
    server, peers = (after - start for after, start in zip(stage.account.seconds(), before))
    result = {"segments_per_second": len(names) / taken,
              "cpu_ms_per_segment": (server + peers) * 1000 / len(names),
              "of_it_peers": peers * 1000 / len(names),
              "seconds": taken, "bytes": contender.bytes()}
    stage.discard(copy)
    return result


def shown(run):
    return {key: run[key] for key in ("segments_per_second", "cpu_ms_per_segment", "of_it_peers")}


def measure(stage, options):
    count = 24 if options.quick else 64
    everybody = [(one.name, one, count) for one in contenders(Cluster(stage), options.quick)]
    if not options.quick:
        everybody += [(f"{one.name}, 256 segments", one, 256) for _, one, _ in everybody[:3]]
    names = stage.wal(max(count for _, _, count in everybody))[1]
    everybody = [entry for entry in everybody if wanted(entry[1], options)]
    rounds = {title: [] for title, _, _ in everybody}
    for _ in range(1 if options.quick else 3):
        for title, one, count in everybody:  # interleaved: what disturbs a round disturbs all
            backlog = names[:SLOW_SEGMENTS if one.slow else count]
            rounds[title].append(shown(drain(stage, backlog, one)))
    return rounds


def goals(found):
    for suffix in ("", ", 256 segments"):
        for name in ("pgwalship, ANY 1 (*)", "pgwalship, ALL (*)"):
            rate = found.ratio("segments_per_second", name + suffix, BASELINE + suffix)
            cpu = found.ratio("cpu_ms_per_segment", name + suffix, BASELINE + suffix)
            if suffix and rate is None:
                continue
            yield found.at_least(f"drain, {name}{suffix}: over pgBackRest async zst-3", rate, 3)
            yield found.at_most(f"CPU, {name}{suffix}: of pgBackRest async zst-3", cpu, 0.5)
    yield found.at_least("drain, pgwalship, ANY 1 (*): over pgBackRest async gz-6", found.ratio(
        "segments_per_second", "pgwalship, ANY 1 (*)", GZIP), 10)
