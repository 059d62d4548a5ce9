"""Segments larger than 16 MiB: does memory stay bounded, and is sending begun early?"""

import pathlib
import subprocess
import time

import rivals
from cluster import Cluster, forget_peak, peak_kilobytes
from synthetic import big_segment, segment_name, system_id

TITLE = "one push of a big segment, made of real pages, durable here and on 1 of 2 peers"
MIB = 1 << 20
SMALL = 16
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


def together(results):
    """Of pushes that were made one after the other."""
    sums = {key: sum(result[key] for result in results) for key in ("seconds", "cpu_s")}
    peaks = {key: max(result[key] for result in results) for key in results[0]}
    return peaks | sums


def batch_title(count, megabytes):
    return f"pgwalship, {f'{count} of ' if count > 1 else ''}{megabytes} MiB"


def one_size(stage, megabytes, sources, rounds, count, batches=(1,)):
    """Batches of segments of that size, `count` times; single ones are pushed by everybody."""
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
    number = 8
    for batch in batches * count:
        paths = []
        for at in range(batch):  # what one big segment has in a row
            paths.append(data / "pg_wal" / segment_name(number, megabytes * MIB))
            big_segment(paths[-1], sources[at % len(sources):] + sources[:at % len(sources)],
                        number, megabytes * MIB, system)
            stage.own(paths[-1])
            number += 1
        commands = {batch_title(batch, megabytes): (cluster.command("push %p %f"), cluster)}
        if batch == 1:
            commands[f"cp, no fsync, {megabytes} MiB"] = (f"cp %p {target}/%f", None)
        if batch == 1 and rival:
            commands[rival.name] = (rival.command, None)
        for title, (command, pushing) in commands.items():
            rounds.setdefault(title, []).append(together([
                pushed(stage, command.replace("%p", f"pg_wal/{path.name}").replace("%f", path.name),
                       data, pushing)
                for path in paths]))
        for path in paths:
            path.unlink()
            (target / path.name).unlink(missing_ok=True)
    subprocess.run(["rm", "-r", data], check=True)


def measure(stage, options):
    data, names = stage.wal(16)
    sources = [data / "pg_wal" / name for name in names]
    rounds = {}
    count = 1 if options.quick else 3
    one_size(stage, SMALL, sources, rounds, count, (1, *(size // SMALL for size in SIZES)))
    for megabytes in SIZES:
        one_size(stage, megabytes, sources, rounds, count)
    return rounds


def goals(found):
    for megabytes in SIZES:
        title, pieces = batch_title(1, megabytes), megabytes // SMALL
        ratio = found.ratio("seconds", title, batch_title(pieces, SMALL))
        if ratio is None:
            continue
        yield found.at_most(f"big, {megabytes} MiB: time, of {pieces} segments of 16 MiB with the "
                            "same pages", ratio, 1)
        for who in ("client", "daemon", "receiver"):
            yield found.at_most(f"big, {megabytes} MiB: memory of the {who}, MB",
                                found.median(title, f"{who}_peak_MB"), 128)
