"""Segments larger than 16 MiB: does memory stay bounded, and is sending begun early?"""

import pathlib
import subprocess
import time

import rivals
from cluster import Cluster, forget_peak, peak_kilobytes
from synthetic import big_segment, segment_name, system_id

TITLE = "one push of a big segment, made of real pages, durable here and on 1 of 2 peers"
MIB = 1 << 20
SIZES = (64, 1024)
BASELINE = "pgwalship, 16 MiB"


def server(stage, megabytes):
    """(data directory of a stopped server with such segments, its system identifier)."""
    data = stage.top / f"server-{megabytes}"
    stage.initdb(data, f"--wal-segsize={megabytes}")
    stage.conf(data, min_wal_size=f"{2 * megabytes}MB")
    first = next(path for path in (data / "pg_wal").iterdir() if len(path.name) == 24)
    return data, system_id(first)


def pushed(stage, command, directory, cluster=None):
    """Time, and the most memory of the client, the daemon and a receiver."""
    others = []
    if cluster:
        others = [cluster.pid("node1"), *cluster.receivers("node2"), *cluster.receivers("node3")]
    for pid in others:
        forget_peak(pid)
    before = sum(stage.account.seconds())
    begin = time.perf_counter()
    log = stage.top / "big.log"
    with open(log, "w") as errors:
        client = stage.start(*command.split(), cwd=directory, stdout=errors, stderr=errors)
    client_peak, threads = 0, 0
    while client.poll() is None:
        try:
            client_peak = max(client_peak, peak_kilobytes(client.pid))
            threads = max(threads, len(list(pathlib.Path(f"/proc/{client.pid}/task").iterdir())))
        except OSError:
            pass  # it has ended
        time.sleep(0.002)
    taken = time.perf_counter() - begin
    if client.returncode != 0:
        raise SystemExit(f"bench: exit code {client.returncode} of {command}\n{log.read_text()}")
    peaks = [peak_kilobytes(pid) for pid in others] or [0]
    time.sleep(1)
    result = {"seconds": taken, "cpu_s": sum(stage.account.seconds()) - before,
              "client_peak_MB": client_peak / 1024}
    if cluster:
        result |= {"daemon_peak_MB": peaks[0] / 1024,
                   "receiver_peak_MB": max(peaks[1:], default=0) / 1024, "threads": threads}
    return result


def one_size(stage, megabytes, sources, rounds, count):
    """`count` segments of that size, each pushed by everybody."""
    data, system = server(stage, megabytes)
    cluster = Cluster(stage, f"b{megabytes}")
    cluster.fresh({"cluster.push-timeout": "5min"})
    rival = None
    if rivals.available():
        rival = rivals.PgBackRest(cluster, f"pgBackRest sync, 1 ssh, zst-3, {megabytes} MiB",
                                  asynchronous=False, repositories=1)
        stage.ctl(data, "start")
        rival.prepare(data)
        rival.online(data)
        stage.ctl(data, "-m", "fast", "stop")
    target = stage.directory(stage.top / "copied")
    for number in range(8, 8 + count):
        name = segment_name(number, megabytes * MIB)
        path = data / "pg_wal" / name
        big_segment(path, sources, number, megabytes * MIB, system)
        stage.own(path)
        commands = {f"pgwalship, {megabytes} MiB": (cluster.command("push %p %f"), cluster),
                    f"cp, no fsync, {megabytes} MiB": (f"cp %p {target}/%f", None)}
        if rival:
            commands[rival.name] = (rival.command, None)
        for title, (command, pushing) in commands.items():
            command = command.replace("%p", f"pg_wal/{name}").replace("%f", name)
            rounds.setdefault(title, []).append(pushed(stage, command, data, pushing))
        path.unlink()
        (target / name).unlink()
    subprocess.run(["rm", "-r", data], check=True)


def measure(stage, options):
    data, names = stage.wal(16)
    sources = [data / "pg_wal" / name for name in names]
    rounds = {}
    for megabytes in (16, *SIZES):
        one_size(stage, megabytes, sources, rounds, 1 if options.quick else 3)
    return rounds


def goals(found):
    small = found.median(BASELINE, "seconds")
    for megabytes in SIZES:
        title = f"pgwalship, {megabytes} MiB"
        taken = found.median(title, "seconds")
        if taken is None or not small:
            continue
        yield found.at_most(f"big, {megabytes} MiB: time, of {megabytes // 16} segments of 16 MiB",
                            taken / small / (megabytes / 16), 1)
        for who in ("client", "daemon", "receiver"):
            yield found.at_most(f"big, {megabytes} MiB: memory of the {who}, MB",
                                found.median(title, f"{who}_peak_MB"), 128)
