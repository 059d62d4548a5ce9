"""So many files marked .ready, and nobody who calls archive_command (H19, H50)."""

import time

from cluster import Cluster, process_seconds, resident_kilobytes
from stage import wait_until
from synthetic import PAGE, segment_name, small_segment, system_id

TITLE = "marked .ready, segments of 1 MiB with one page, archive_command broken"
SEGMENT = 1 << 20
FIRST = 8
COUNTS = (5000, 50_000)
QUICK_COUNTS = (500, 5000)
LINEAR = 1.25  # what a mark may cost more when there are ten times as many


def title(count):
    return f"{count:,} marks"


BASELINE = "one tenth"


def backlog(stage, data, count, system, page):
    """Marked files in a stopped server's pg_wal; the first and the last name of them."""
    marks = data / "pg_wal" / "archive_status"
    names = [segment_name(number, SEGMENT) for number in range(FIRST, FIRST + count)]
    for number, name in enumerate(names, FIRST):
        small_segment(data / "pg_wal" / name, number, SEGMENT, system, page)
    for name in names:
        (marks / f"{name}.ready").touch()
    stage.own(data)
    return names[0], names[-1]


def one_round(stage, cluster, count, page):
    data = stage.top / "marked"
    stage.initdb(data, "--wal-segsize=1")
    first_file = next(path for path in (data / "pg_wal").iterdir() if len(path.name) == 24)
    first, last = backlog(stage, data, count, system_id(first_file), page)
    cluster.fresh()
    cluster.kill("node1")
    cluster.stage.write(cluster.conf("node1"), cluster.conf("node1").read_text()
                        + f"[postgres]\ndata-directory = {data}\n")
    before = stage.account.seconds()
    begin = time.perf_counter()
    cluster.start("node1")
    times = []
    for name, seconds in ((first, 60), (last, 3600)):
        wait_until(lambda: any((cluster.archive(node) / f"{name}.gz").exists()
                               for node in cluster.nodes[1:]), seconds, f"{name} is shipped")
        times.append(time.perf_counter() - begin)
    wait_until(lambda: cluster.status().get("look_ahead", {}).get("ahead", 0) >= count, 120,
               "everything is shipped")
    pid = cluster.pid("node1")
    daemon = process_seconds(pid)
    total = sum(stage.account.seconds()) - sum(before)
    time.sleep(3)
    idle = process_seconds(pid)
    result = {"first_shipped_s": times[0], "last_shipped_s": times[1],
              "ms_a_mark": times[1] * 1000 / count, "daemon_cpu_ms_a_mark": daemon * 1000 / count,
              "cpu_ms_a_mark": total * 1000 / count,
              "afterwards_daemon_cpu_per_cent": (idle - daemon) / 3 * 100,
              "daemon_MB": resident_kilobytes(pid) / 1024}
    cluster.kill("node1")
    stage.run("rm", "-r", data)
    return result


def measure(stage, options):
    source, names = stage.wal(1)
    with open(source / "pg_wal" / names[0], "rb") as file:
        page = file.read(PAGE)
    cluster = Cluster(stage)
    few, many = QUICK_COUNTS if options.quick else COUNTS
    rounds = {BASELINE: [], title(many): []}
    for _ in range(1 if options.quick else 2):
        rounds[BASELINE].append(one_round(stage, cluster, few, page))
        rounds[title(many)].append(one_round(stage, cluster, many, page))
    return rounds


def goals(found):
    many = next((name for name in found.rounds if name != BASELINE), "")
    for key in ("ms_a_mark", "daemon_cpu_ms_a_mark"):
        yield found.at_most(f"marks, {many}: {key.replace('_', ' ')}, of that of {BASELINE}",
                            found.ratio(key, many, BASELINE), LINEAR)
    yield found.at_most(f"marks, {many}: seconds until the first is shipped, of that of {BASELINE}",
                        found.ratio("first_shipped_s", many, BASELINE), 10 * LINEAR)
