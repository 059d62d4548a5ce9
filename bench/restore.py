"""Recovery of segments that only a peer holds, and single fetches without prefetch."""

import re
import shutil
import time

import rivals
from cluster import Cluster
from figures import percentile
from stage import ready, wait_until

TITLE = "recovery of a base backup, all WAL on a peer"
BASELINE = "WAL already in pg_wal"
READY = "mv of a file that lies ready"
AHEAD, ALONE = "pgwalship", "pgwalship, prefetch = 0"
ASYNC, SYNC = "pgBackRest async, ssh, zst-3", "pgBackRest sync, ssh, zst-3"


class InPlace:
    """The floor: no restore_command at all."""

    name, command = BASELINE, None

    def prepare(self, copy, names):
        pass


class Move:
    """The floor of any restore_command: PostgreSQL starts a shell for each segment, and waits."""

    name = READY

    def __init__(self, stage):
        self.stage, self.files = stage, stage.top / "ready"
        self.command = f"mv {self.files}/%f %p"

    def prepare(self, copy, names):
        shutil.rmtree(self.files, ignore_errors=True)
        self.stage.directory(self.files)
        self.stage.run("cp", *(self.stage.data / "pg_wal" / name for name in names), self.files)


class Fetch:
    """node1 fetches what node2 holds."""

    def __init__(self, cluster, name, prefetch):
        self.cluster, self.name, self.prefetch = cluster, name, prefetch
        self.command = cluster.command("fetch %f %p")

    def prepare(self, copy, names):
        """Empties the archive here once it has been compared: the next comparison, which would
        bring everything back, is a minute away."""
        here, there = self.cluster.archive("node1"), self.cluster.archive("node2")
        for path in there.glob("0*.gz"):
            if not (here / path.name).exists():
                shutil.copy(path, here / path.name)
        self.cluster.stage.own(here)
        self.cluster.fresh(keep=True, without_daemon=("node2",),
                           node1={"restore.prefetch": self.prefetch})
        self.cluster.wait_current("node1", "node2")
        for path in here.glob("0*.gz"):
            path.unlink()


class ArchiveGet:
    def __init__(self, rival):
        self.rival, self.name, self.command = rival, rival.name, rival.restore

    def prepare(self, copy, names):
        self.rival.configure(copy)


def prepared(stage, contender, names):
    """A base backup, ready to recover."""
    copy = stage.top / "recovery"
    stage.run("cp", "-a", stage.base, copy)
    stage.directory(copy / "pg_wal")
    stage.directory(copy / "pg_wal" / "archive_status")
    stage.conf(copy, archive_mode="off", log_min_messages="log", log_line_prefix="")
    if contender.command:
        stage.conf(copy, restore_command=contender.command)
        stage.write(copy / "recovery.signal", "")
    else:
        stage.run("cp", *(stage.data / "pg_wal" / name for name in names), copy / "pg_wal")
    contender.prepare(copy, names)
    (stage.top / "recovery.log").unlink(missing_ok=True)
    return copy


def page_before(name):
    """The LSN of the last page before this segment."""
    lsn = (int(name[8:16], 16) << 32) + (int(name[16:24], 16) << 24) - 8192
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def recover(stage, contender, names, few=None):
    """Of the first `few` segments: the archive has all of them, and recovery would go on."""
    copy = prepared(stage, contender, names)
    if few:
        stage.conf(copy, recovery_target_lsn=page_before(names[few]),
                   recovery_target_action="promote")
    log = stage.top / "recovery.log"
    before = stage.account.seconds()
    stage.ctl(copy, "-W", "start")
    wait_until(lambda: log.exists() and "redo done" in log.read_text(), 900,
               f"{contender.name} has recovered")
    server, peers = (after - start for after, start in zip(stage.account.seconds(), before))
    elapsed = float(re.search(r"redo done.*elapsed: ([0-9.]+) s", log.read_text())[1])
    wait_until(lambda: "ready to accept" in log.read_text().rpartition("redo done")[2], 60,
               "it is promoted")
    stage.discard(copy)
    count = few or len(names)
    return {"segments_per_second": count / elapsed,
            "cpu_ms_per_segment": (server + peers) * 1000 / count,
            "of_it_peers": peers * 1000 / count}


def single_fetches(stage, contender, names):
    """Milliseconds of fetches that nothing has prepared: every third one, backwards."""
    copy = prepared(stage, contender, names)
    (copy / "recovery.signal").unlink()
    target = stage.directory(stage.top / "fetched")
    caller = stage.caller(copy)
    samples = []
    for name in names[::-3]:
        command = contender.command.replace("%f", name).replace("%p", f"{target}/{name}")
        samples.append(caller.call(command))
        time.sleep(0.1)
    caller.close()
    stage.discard(copy)
    return {"one_fetch_p50_ms": percentile(samples, 0.5), "samples": samples}


def archive(stage, cluster, names, rival):
    """Brings all of it to node2, and to the rival's repository there."""
    caller = stage.caller(stage.data)
    cluster.fresh({"cluster.quorum": "ALL (*)"})
    for name in names:
        caller.archive(cluster.command("push %p %f"), name)
    caller.close()
    if not rival:
        return
    copy = stage.copy("filling", names)
    stage.conf(copy, archive_command=rival.command)
    rival.prepare(copy)
    stage.ctl(copy, "start")
    rival.online(copy)
    marks = copy / "pg_wal" / "archive_status"
    for name in names:
        stage.write(marks / f"{name}.ready", "")
    stage.sql("SELECT pg_switch_wal()")
    wait_until((marks / f"{names[-1]}.done").exists, 600, "pgBackRest has archived everything")
    stage.discard(copy)


def contenders(stage, cluster, names):
    get_async = get_sync = None
    if rivals.available():
        get_async = rivals.PgBackRest(cluster, ASYNC, repositories=1)
        get_sync = rivals.PgBackRest(cluster, SYNC, asynchronous=False, repositories=1)
        get_sync.repository = get_async.repository  # one repository, two ways to read it
    archive(stage, cluster, names, get_async)
    found = [InPlace(), Move(stage), Fetch(cluster, AHEAD, 8), Fetch(cluster, ALONE, 0)]
    return found + [ArchiveGet(rival) for rival in (get_async, get_sync) if rival]


def measure(stage, options):
    count = 24 if options.quick else 256
    stage.wal(count)
    label = (stage.base / "backup_label").read_text()
    start = re.search(r"file ([0-9A-F]{24})", label)[1]
    names = [name for name in ready(stage.data) if name >= start][:count]
    cluster = Cluster(stage, nodes=2)
    everybody = contenders(stage, cluster, names)
    rounds = {one.name: [] for one in everybody}
    for _ in range(1 if options.quick else 3):
        for one in everybody:
            is_slow = one.name == SYNC or (one.name == ALONE and options.quick)
            rounds[one.name].append(recover(stage, one, names, 12 if is_slow else None))
    for one in everybody:
        if one.name in (ALONE, SYNC):
            rounds[one.name].append(single_fetches(stage, one, names[:36]))
    return rounds


def goals(found):
    yield found.at_least("restore, replay rate: of WAL already in pg_wal",
                         found.ratio("segments_per_second", AHEAD, BASELINE), 0.95)
    redo = found.median(BASELINE, "cpu_ms_per_segment")
    above = [found.median(name, "cpu_ms_per_segment") for name in (AHEAD, ASYNC)]
    known = redo is not None and None not in above
    yield found.at_most("restore, CPU above redo: of pgBackRest async's",
                        (above[0] - redo) / (above[1] - redo) if known else None, 0.3)
    yield found.at_least("restore, one fetch without prefetch: times as fast as pgBackRest sync",
                         found.ratio("one_fetch_p50_ms", SYNC, ALONE), 10)
