"""What crosses the line between archives while both peers' standbys stream."""


import time

from cluster import Cluster
from stage import wait_until

TITLE = "bytes between the archives while two standbys stream, pgbench at a steady rate"
BASELINE = "acknowledge-from-pg-wal = off"
ON = "acknowledge-from-pg-wal = on"
TRANSACTIONS_A_SECOND = 400


def standby(stage, cluster, node):
    """A streaming standby of the server in the stage's directory, with its own socket."""
    data = stage.top / f"standby-{node}"
    stage.run("pg_basebackup", "-h", stage.top, "-U", "postgres", "-D", data, "-c", "fast", "-X",
              "stream")
    stage.conf(data, unix_socket_directories=cluster.dir / node, archive_mode="on",
               archive_command=cluster.command("push %p %f", node),
               primary_conninfo=f"host={stage.top} user=postgres application_name={node}")
    stage.write(data / "standby.signal", "")
    stage.ctl(data, "start", side="peers")
    return data


def load(stage, seconds):
    stage.run("pgbench", "-h", stage.top, "-U", "postgres", "-n", "-c", "2", "-T", seconds, "-R",
              TRANSACTIONS_A_SECOND, "postgres")


def archive_all(stage, data):
    last = stage.sql("SELECT pg_walfile_name(pg_switch_wal())")
    wait_until((data / "pg_wal" / "archive_status" / f"{last}.done").exists, 120,
               f"{last} is archived")


def one_round(stage, cluster, title, seconds):
    setting = {"postgres.acknowledge-from-pg-wal": title.rpartition(" ")[2]}
    primary = stage.copy("primary", [])
    # What was made before is the other measurements', and of no interest here.
    stage.conf(primary, archive_command="", max_wal_size="2GB", wal_keep_size="2GB")
    proxy = stage.proxy(*(f"{cluster.port(node)}:0:0" for node in cluster.nodes))
    detours = dict(zip(cluster.nodes, proxy.ports))
    stage.ctl(primary, "start")
    standbys = {node: standby(stage, cluster, node) for node in cluster.nodes[1:]}
    cluster.fresh({"cluster.quorum": "ALL (*)"}, detours=detours,
                  node1={"postgres.data-directory": primary},
                  **{node: {"postgres.data-directory": data, **setting}
                     for node, data in standbys.items()})
    stage.sql(f"ALTER SYSTEM SET archive_command = '{cluster.command('push %p %f')}'")
    stage.sql("SELECT pg_reload_conf()")
    load(stage, 3)  # past the first full pages
    archive_all(stage, primary)
    time.sleep(1)
    carried = sum(proxy.bytes())
    files = {file.name for file in cluster.archive("node1").glob("0*.gz")}
    before = stage.account.seconds()
    load(stage, seconds)
    archive_all(stage, primary)
    time.sleep(1)
    cpu = sum(stage.account.seconds()) - sum(before)
    carried = sum(proxy.bytes()) - carried
    new = [file for file in cluster.archive("node1").glob("0*.gz") if file.name not in files]
    compressed = sum(file.stat().st_size for file in new) * (len(cluster.nodes) - 1)
    peers = cluster.peers().values()
    for data in (*standbys.values(), primary):
        stage.discard(data)
    proxy.close()
    return {"segments": len(new), "compressed_MB": compressed / 1e6, "carried_MB": carried / 1e6,
            "per_cent": carried * 100 / compressed,
            "acknowledged_by_hash": sum(peer["files_acknowledged_by_hash"] for peer in peers),
            "cpu_ms_per_segment_with_postgres": cpu * 1000 / len(new)}


def measure(stage, options):
    stage.wal(8)
    cluster = Cluster(stage)
    rounds = {title: [] for title in (BASELINE, ON)}
    for _ in range(1 if options.quick else 3):
        for title in rounds:
            rounds[title].append(one_round(stage, cluster, title, 12 if options.quick else 60))
    return rounds


def goals(found):
    yield found.at_most("bytes, on: per cent of the compressed bytes",
                        found.median(ON, "per_cent"), 2)
