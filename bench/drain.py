"""A backlog, drained by PostgreSQL's own archiver: segments a second, and CPU a segment."""

import shutil
import time

import rivals
from stage import ready


def contenders(stage):
    found = [rivals.Pgwalship(stage, "pgwalship, ANY 1 (*)", 8),
             rivals.Pgwalship(stage, "pgwalship, ALL (*)", 8, "ALL (*)"),
             rivals.Pgwalship(stage, "pgwalship, look-ahead = 0", 0),
             rivals.Floor(stage)]
    if shutil.which("pgbackrest"):
        found.append(rivals.PgBackRest(stage, "pgBackRest async, 2 ssh repositories, zst-3"))
        found.append(
            rivals.PgBackRest(stage, "pgBackRest async, 2 ssh repositories, gz-6", "gz", 6))
    found.append(rivals.Tutorial(stage))
    return found


def drain(stage, data, names, contender):
    """The time from the moment on which all marks are there to the last segment's `.done`."""
    copy = stage.top / "drain"
    shutil.rmtree(copy, ignore_errors=True)
    stage.run("cp", "-a", "--reflink=auto", data, copy)
    marks = copy / "pg_wal" / "archive_status"
    for mark in marks.glob("*.ready"):
        mark.unlink()
    stage.conf(copy, archive_command=contender.command)
    contender.prepare(copy)
    stage.ctl(copy, "start")
    contender.online(copy)
    stage.sql("CHECKPOINT")
    time.sleep(1)  # the archiver has seen that there is nothing
    cpu = stage.account.seconds()
    begin = time.perf_counter()
    for name in names:
        stage.write(marks / f"{name}.ready", "")
    stage.sql("SELECT pg_switch_wal()")  # wakes the archiver
    last = marks / f"{names[-1]}.done"
    deadline = time.monotonic() + 600
    while not last.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    taken = time.perf_counter() - begin
    time.sleep(1)  # what goes on behind the verdict is its work, too
    cpu = stage.account.seconds() - cpu
    stage.ctl(copy, "-m", "immediate", "stop")
    shutil.rmtree(copy)
    return {"segments_per_second": len(names) / taken,
            "cpu_ms_per_segment": cpu * 1000 / len(names)}


def measure(stage, options):
    count = 24 if options.quick else 64
    data = stage.make_wal(count)
    names = ready(data)[:count]
    stage.up()
    everybody = [one for one in contenders(stage)
                 if not options.only or any(word in one.name for word in options.only)]
    rounds = {one.name: [] for one in everybody}
    for _ in range(1 if options.quick else 3):
        for one in everybody:  # interleaved: what disturbs one round disturbs all
            slow = isinstance(one, rivals.Tutorial)
            rounds[one.name].append(drain(stage, data, names[:8] if slow else names, one))
    return rounds
