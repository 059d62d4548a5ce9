"""PostgreSQL 15 itself: archiving under load, recovery through fetch, and stopping in time."""

import os
import random
import re
import shutil
import signal
import subprocess
import time

from harness import LONG, Case, sha256, wait_until


class PostgresCase(Case):
    def server(self, **options):
        """A cluster whose node1 archives; what it archived stays in pg_wal, to compare with."""
        cluster = self.cluster(postgres=True, **options)
        cluster.psql("ALTER SYSTEM SET wal_keep_size = '20GB'")
        cluster.psql("ALTER SYSTEM SET max_wal_size = '10GB'")
        cluster.psql("SELECT pg_reload_conf()")
        self.assertEqual(cluster.run(cluster.pgbench("-i", "-s", "3", "-q")).code, 0)
        return cluster

    def archive_all(self, cluster, seconds=60):
        """Switches segments, and waits until the archiver has passed the last one."""
        last = cluster.psql("SELECT pg_walfile_name(pg_switch_wal())")
        wait_until(lambda: last in cluster.marked_done(), seconds, f"{last} is archived")
        return last

    def check_everything_marked_done(self, cluster, peers=1):
        """What PostgreSQL was told is safe is what it wrote, at home and on the quorum (G1)."""
        pg_wal = cluster.dir / "node1" / "data" / "pg_wal"
        acknowledged = {name: sha256((pg_wal / name).read_bytes())
                        for name in cluster.marked_done() if (pg_wal / name).exists()}
        self.assertGreater(len(acknowledged), 1)
        self.assert_on_quorum(cluster, acknowledged, peers)
        self.assert_archives_agree(cluster)
        return acknowledged

    def base_backup(self, cluster, node, *settings):
        """A data directory for `node`, made from node1's server, that restores through fetch."""
        data = cluster.dir / node / "data"
        outcome = cluster.run(["pg_basebackup", "-h", cluster.dir / "node1", "-U", "postgres",
                               "-D", data, "-c", "fast", "-X", "none"])
        self.assertEqual(outcome.code, 0, outcome)
        command = f"{cluster.dir}/bin/pgwalship --config {cluster.dir}/{node}/pgwalship.conf"
        with open(data / "postgresql.conf", "a") as conf:
            conf.write("\n".join([
                f"unix_socket_directories = '{cluster.dir}/{node}'",
                f"archive_command = '{command} push %p %f'",
                f"restore_command = '{command} fetch %f %p'", *settings]) + "\n")
        return data

    def signal(self, cluster, data, name):
        (data / name).touch()
        if os.getuid() == 0:
            shutil.chown(data / name, cluster.user)

    def start_server(self, cluster, node):
        outcome = cluster.pg_ctl(cluster.dir / node / "data", "-l",
                                 cluster.dir / node / "server.log", "-t", "90", "start")
        log = cluster.dir / node / "server.log"
        self.assertEqual(outcome.code, 0, log.read_text() if log.exists() else outcome)


class Archiving(PostgresCase):
    def test_a_load_is_archived_on_three_nodes(self):
        cluster = self.server()
        outcome = cluster.run(cluster.pgbench("-c", "4", "-T", "8"))
        self.assertEqual(outcome.code, 0, outcome)
        self.archive_all(cluster)
        self.check_everything_marked_done(cluster)
        self.assertEqual(cluster.psql("SELECT failed_count FROM pg_stat_archiver"), "0")
        wait_until(lambda: cluster.archive("node1") == cluster.archive("node2")
                   == cluster.archive("node3"), 30, "all three archives are equal")

    def test_status_says_what_is_on_the_primary_alone(self):
        cluster = self.cluster(postgres=True)
        cluster.psql("CREATE TABLE proof (i int)")
        name = self.archive_all(cluster)
        wait_until(lambda: name in cluster.archive("node3"), 20, "it is everywhere")
        cluster.psql("INSERT INTO proof SELECT generate_series(1, 40000)")  # some MB, not archived
        unarchived = wait_until(
            lambda: [line for line in cluster.pgwalship("node1", "status").out.splitlines()
                     if re.match(r"not archived yet: [0-9.]+ MB, on the primary alone", line)],
            30, "it is told")
        self.assertIn(f"recoverable up to {name} on 3 of 3 nodes",
                      cluster.pgwalship("node1", "status").out, unarchived)
        figures = cluster.status("node1")["postgresql"]
        self.assertGreater(figures["alone_bytes"], 1 << 20)
        self.assertEqual(figures["alone_bytes"], figures["unarchived_bytes"])
        self.archive_all(cluster)
        wait_until(lambda: cluster.status("node1")["postgresql"]["alone_bytes"] < 1 << 20, 30,
                   "it is archived")

    def test_kill_9_under_load(self):
        cluster = self.server()
        chance = random.Random(1)
        load = cluster.start(cluster.pgbench("-c", "4", "-T", "600", "-n"))

        def kill_push():
            found = subprocess.run(["pgrep", "-f", f"{cluster.dir}/node1/pgwalship[.]conf push"],
                                   capture_output=True, text=True).stdout.split()
            for pid in found:
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass

        def kill_daemon():
            node = chance.choice(cluster.names)
            cluster.stop_daemon(node, signal.SIGKILL)
            cluster.restart(node)

        def kill_peer():
            node = chance.choice(["node2", "node3"])
            cluster.kill(node)
            cluster.restart(node)

        def kill_postgres():
            nonlocal load
            cluster.kill("node1")
            cluster.restart("node1")
            load = cluster.start(cluster.pgbench("-c", "4", "-T", "600", "-n"))

        faults = [kill_push, kill_daemon, kill_peer, kill_push, kill_postgres]
        for turn in range(50 if LONG else 10):
            time.sleep(chance.uniform(0.2, 1))
            if faults[turn % 5] is not kill_postgres:
                cluster.psql("SELECT pg_switch_wal()")
            faults[turn % 5]()
        load.kill()
        self.archive_all(cluster, 150)
        self.check_everything_marked_done(cluster)

    def test_h15_a_fast_stop_ends_although_the_peers_are_dead(self):
        cluster = self.server()
        for node in ("node2", "node3"):
            cluster.kill(node)
        cluster.run(cluster.pgbench("-c", "2", "-T", "3", "-n"))
        cluster.psql("SELECT pg_switch_wal()")
        begin = time.monotonic()
        outcome = cluster.pg_ctl(cluster.dir / "node1" / "data", "-m", "fast", "-t", "100", "stop")
        self.assertEqual(outcome.code, 0, outcome)
        self.assertLess(time.monotonic() - begin, 60)
        for node in ("node2", "node3"):
            cluster.restart(node)
        cluster.restart("node1")
        self.archive_all(cluster)
        self.check_everything_marked_done(cluster)


class Recovery(PostgresCase):
    def test_a_standby_recovers_through_fetch_and_is_promoted(self):
        cluster = self.server()
        data = self.base_backup(cluster, "node2")
        self.signal(cluster, data, "standby.signal")
        cluster.psql("CREATE TABLE proof AS SELECT generate_series(1, 1000) AS i")
        cluster.run(cluster.pgbench("-c", "2", "-T", "3", "-n"))
        self.archive_all(cluster)
        # What node2 needs must come from a peer.
        for path in cluster.archive_dir("node2").glob("0*.gz"):
            path.unlink()
        self.start_server(cluster, "node2")
        standby = cluster.dir / "node2"
        wait_until(lambda: cluster.psql("SELECT to_regclass('proof') IS NOT NULL",
                                        host=standby) == "t", 60, "the standby has the table")
        self.assertEqual(cluster.psql("SELECT count(*) FROM proof", host=standby), "1000")
        cluster.psql("INSERT INTO proof VALUES (1001)")
        last = self.archive_all(cluster)
        wait_until(lambda: cluster.psql("SELECT count(*) FROM proof", host=standby) == "1001", 60,
                   f"the standby follows to {last}")
        cluster.pg_ctl(cluster.dir / "node1" / "data", "-m", "fast", "stop")
        self.assertEqual(cluster.pg_ctl(data, "promote").code, 0)
        cluster.psql("INSERT INTO proof VALUES (1002)", host=standby)
        cluster.psql("SELECT pg_switch_wal()", host=standby)
        wait_until(lambda: "00000002.history" in cluster.archive("node3")
                   and any(name.startswith("00000002") and len(name) == 24
                           for name in cluster.archive("node3")), 60,
                   "the new timeline is archived on the third node")
        self.assert_archives_agree(cluster)

    def test_point_in_time_on_a_node_whose_archive_is_empty(self):
        cluster = self.server()
        data = self.base_backup(cluster, "node3", "recovery_target_name = 'here'",
                                "recovery_target_action = 'promote'")
        cluster.psql("CREATE TABLE proof AS SELECT generate_series(1, 500) AS i")
        cluster.psql("SELECT pg_create_restore_point('here')")
        cluster.run(cluster.pgbench("-c", "2", "-T", "3", "-n"))
        cluster.psql("DELETE FROM proof")
        self.archive_all(cluster)
        cluster.kill("node3")
        shutil.rmtree(cluster.archive_dir("node3"))
        cluster.archive_dir("node3").mkdir()
        self.signal(cluster, data, "recovery.signal")
        if os.getuid() == 0:
            shutil.chown(cluster.archive_dir("node3"), cluster.user)
        cluster.restart("node3")  # its server, too
        restored = cluster.dir / "node3"
        wait_until(lambda: cluster.psql("SELECT pg_is_in_recovery()", host=restored) == "f", 90,
                   "recovery reached its target")
        self.assertEqual(cluster.psql("SELECT count(*) FROM proof", host=restored), "500")

    def test_h36_recovery_is_not_ended_by_silent_peers(self):
        cluster = self.server()
        cluster.configure("node3", "restore", fetch_timeout="2s")
        data = self.base_backup(cluster, "node3")
        cluster.psql("CREATE TABLE proof AS SELECT generate_series(1, 500) AS i")
        self.archive_all(cluster)
        for path in cluster.archive_dir("node3").glob("0*.gz"):
            path.unlink()
        for node in ("node1", "node2"):
            cluster.kill(node)
        self.signal(cluster, data, "recovery.signal")
        outcome = cluster.pg_ctl(data, "-l", cluster.dir / "node3" / "server.log", "-t", "30",
                                 "start")
        self.assertNotEqual(outcome.code, 0, "it must not open with a part of the data")
        self.assertTrue((data / "recovery.signal").exists(), "recovery can be tried again")
        for node in ("node1", "node2"):
            cluster.restart(node)
        cluster.wait_peer("node3", "node1", "current", 30)
        self.start_server(cluster, "node3")
        wait_until(lambda: cluster.psql("SELECT pg_is_in_recovery()",
                                        host=cluster.dir / "node3") == "f", 60, "it is open")
        self.assertEqual(cluster.psql("SELECT count(*) FROM proof", host=cluster.dir / "node3"),
                         "500")
