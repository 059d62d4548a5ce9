"""What a push, a start and the memory cost as the archive grows."""

import time

from cluster import Cluster, resident_kilobytes
from figures import percentile
from stage import wait_until
from synthetic import fill_archives, system_id

TITLE = "a push, memory and start-up as the archive grows"
BASELINE = "0 segments"
FIRST = 1 << 16  # number of the first segment that is made; far from those of the server
START_ROUNDS = 3


def title(size):
    return f"{size:,} segments"


def start_seconds(cluster, size, how):
    """From the daemon's start to an archive that is read, and to a quorum that is held."""
    cluster.kill("node1")
    if how == "without cache":
        (cluster.archive("node1") / ".pgwalship" / "index").unlink(missing_ok=True)
    begin = time.perf_counter()
    cluster.start("node1")
    seconds = {}

    def over():
        status = cluster.status()
        archive = status.get("archive", {})
        if archive.get("files", 0) >= size and not archive.get("reading"):
            seconds.setdefault("read", time.perf_counter() - begin)
        if status.get("quorum", {}).get("held"):
            seconds.setdefault("quorum", time.perf_counter() - begin)
        return len(seconds) == 2

    wait_until(over, 120, "the archive is read, and the quorum held")
    return seconds["read"], seconds["quorum"]


def open_cluster(stage, size, segment):
    cluster = Cluster(stage, f"f{size}")
    for node in cluster.nodes:
        cluster.kill(node)
    fill_archives(stage, [cluster.archive(node) for node in cluster.nodes], FIRST, size,
                  system_id(segment))
    cluster.fresh({"archive.scrub": "off"}, keep=True)
    for peer in cluster.nodes[1:]:
        cluster.wait_current("node1", peer, 300)
    return cluster


def measure(stage, options):
    calls = 16 if options.quick else 40
    sizes = [0, 1000, 20_000 if options.quick else 100_000]
    sizes += [1_000_000] if options.million else []
    data, names = stage.wal(calls)
    clusters = {size: open_cluster(stage, size, data / "pg_wal" / names[0]) for size in sizes}
    caller = stage.caller(data)
    samples = {size: [] for size in sizes}
    cpu = dict.fromkeys(sizes, 0.0)
    for turn, name in enumerate(names):
        for size in sizes[turn % len(sizes):] + sizes[:turn % len(sizes)]:
            before = sum(stage.account.seconds())
            samples[size].append(caller.archive(clusters[size].command("push %p %f"), name))
            time.sleep(0.2)
            cpu[size] += sum(stage.account.seconds()) - before
    caller.close()
    rounds = {}
    for size, cluster in clusters.items():
        receivers = [resident_kilobytes(pid) for pid in cluster.receivers("node2")]
        result = {"p50_ms": percentile(samples[size], 0.5),
                  "p99_ms": percentile(samples[size], 0.99),
                  "cpu_ms": cpu[size] * 1000 / calls,
                  "daemon_MB": resident_kilobytes(cluster.pid("node1")) / 1024,
                  "receiver_MB": max(receivers, default=0) / 1024, "samples": samples[size]}
        if size:
            base = rounds[title(0)][0]["daemon_MB"]
            result["daemon_bytes_a_segment"] = (result["daemon_MB"] - base) * (1 << 20) / size
        rounds[title(size)] = [result]
    for _ in range(START_ROUNDS):
        for size, cluster in clusters.items():
            cold, _ = start_seconds(cluster, size, "without cache")
            warm, quorum = start_seconds(cluster, size, "from cache")
            rounds[title(size)].append({"start_without_cache_s": cold, "start_from_cache_s": warm,
                                        "quorum_held_after_s": quorum})
    return rounds


def goals(found):
    for size in (1000, 20_000, 100_000, 1_000_000):
        ratio = found.ratio("p50_ms", title(size), BASELINE)
        if ratio is not None:
            yield found.at_most(f"flat, p50 of a push with {title(size)}: of an empty archive's",
                                ratio, 1.1)
