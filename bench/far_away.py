"""Drain over a line with a round trip and a bandwidth: how much of the line is used."""

import socket
import threading
import time

import rivals
from cluster import Cluster
from drain import drain

TITLE = "drain, both peers behind a line of their own, ALL (*)"
BASELINE = "the line alone, 20 ms, 12.5 MB/s"
MEGABYTE = 1_000_000
NARROW, WIDE = 12.5, 50.0
# One SSH window is 2 MiB: at 100 ms it carries 20 MB/s.
# Without a round trip it is the machine's own limit.
LINES = ((0.0, WIDE), (0.020, NARROW), (0.050, NARROW), (0.100, NARROW), (0.050, WIDE),
         (0.100, WIDE))
QUICK_LINES = ((0.0, WIDE), (0.020, NARROW), (0.100, NARROW), (0.100, WIDE))


def title(who, line):
    return f"{who}, {line[0] * 1000:.0f} ms, {line[1]:g} MB/s"


def carry(stage, line, megabytes):
    """Bytes a second of plain TCP through the proxy: what the line itself can do."""
    sink = socket.create_server(("127.0.0.1", 0))
    proxy = stage.proxy(f"{sink.getsockname()[1]}:{line[0]}:{line[1] * MEGABYTE}")
    begin = time.perf_counter()

    def send():
        with socket.create_connection(("127.0.0.1", proxy.ports[0])) as sender:
            for _ in range(megabytes):
                sender.sendall(bytes(MEGABYTE))

    thread = threading.Thread(target=send)
    thread.start()
    receiver, _ = sink.accept()
    received = 0
    while data := receiver.recv(1 << 18):
        received += len(data)
    taken = time.perf_counter() - begin
    thread.join()
    proxy.close()
    sink.close()
    return received / taken


def through(stage, cluster, line, names, contender):
    ports = {node: cluster.port(node) for node in ("node2", "node3")}
    proxy = stage.proxy(*(f"{port}:{line[0]}:{line[1] * MEGABYTE}" for port in ports.values()))
    detours = dict(zip(ports, proxy.ports))
    # Without their daemons: those would take a way of their own.
    result = drain(stage, names, contender, detours, without_daemon=("node2", "node3"))
    proxy.close()
    rate = result["bytes"] / result["seconds"]
    return {"MB_per_second": rate / MEGABYTE,
            "per_cent_of_the_line": rate / line[1] / MEGABYTE * 100,
            "segments_per_second": result["segments_per_second"],
            "cpu_ms_per_segment": result["cpu_ms_per_segment"]}


def measure(stage, options):
    lines = QUICK_LINES if options.quick else LINES
    names = stage.wal(24 if options.quick else 96)[1]
    cluster = Cluster(stage)
    contenders = [rivals.Pgwalship(cluster, "pgwalship", quorum="ALL (*)"),
                  rivals.Pgwalship(cluster, "pgwalship, 4 sessions", quorum="ALL (*)", sessions=4)]
    if rivals.available() and not options.quick:
        contenders.append(rivals.PgBackRest(cluster, "pgBackRest async zst-3"))
    free = carry(stage, (0.1, 0), 200)
    rounds = {title("the line alone", line): [] for line in lines}
    rounds["the proxy without a cap, 100 ms"] = [{"MB_per_second": free / MEGABYTE}]
    for line in lines:
        rate = carry(stage, line, int(line[1] * 2)) / MEGABYTE
        rounds[title("the line alone", line)].append(
            {"MB_per_second": rate, "per_cent_of_the_line": rate / line[1] * 100})
    for _ in range(1 if options.quick else 2):
        for line in lines:
            for one in contenders:
                rounds.setdefault(title(one.name, line), []).append(
                    through(stage, cluster, line, names, one))
    return rounds


def goals(found):
    for line in LINES:
        value = found.median(title("pgwalship, 4 sessions", line), "per_cent_of_the_line")
        if value is not None and line[0]:
            yield found.at_least(f"far away, {line[0] * 1000:.0f} ms, {line[1]:g} MB/s: "
                                 "per cent of the line", value, 80)
