"""Fail-over on PostgreSQL 15: what a dead primary streamed and never archived is archived from its
standby's pg_wal, and a recovery runs across the fail-over."""

import os
import signal

from harness import LONG, wait_until
from postgres_cases import PostgresCase


class Failover(PostgresCase):
    def standby(self, cluster, node, primary="node1", **settings):
        """A streaming standby of `primary` on `node`, whose daemon watches its pg_wal."""
        data = self.base_backup(cluster, node,
                                f"primary_conninfo = 'host={cluster.dir}/{primary} user=postgres'",
                                "wal_keep_size = 0", "max_wal_size = '48MB'",
                                "min_wal_size = '32MB'", "checkpoint_timeout = '30s'")
        (data / "postgresql.auto.conf").write_text("")
        self.signal(cluster, data, "standby.signal")
        cluster.stop_daemon(node)
        cluster.configure(node, "postgres", data_directory=data, **settings)
        cluster.start_daemon(node)  # its server, too
        wait_until(lambda: cluster.psql("SELECT count(*) FROM pg_stat_wal_receiver",
                                        host=cluster.dir / node) == "1", 30, f"{node} streams")
        return data

    def segments(self, cluster, node, timeline):
        return [name for name in cluster.archive(node)
                if len(name) == 24 and name.startswith(f"{timeline:08X}")]

    def number(self, name):
        return int(name[8:16], 16) * 256 + int(name[16:24], 16)

    def assert_no_gap(self, cluster, node, first):
        """From `first` on, every segment of timeline 1 up to the fork, and of timeline 2 from it."""
        old = [self.number(name) for name in self.segments(cluster, node, 1)]
        new = [self.number(name) for name in self.segments(cluster, node, 2)]
        self.assertTrue(new, f"{node} has nothing of the new timeline")
        begin = self.number(first)
        wanted = list(range(begin, new[0]))
        self.assertEqual([n for n in old if n >= begin][:len(wanted)], wanted,
                         f"a gap before the fork in the archive of {node}")
        self.assertEqual(new, list(range(new[0], new[-1] + 1)), f"a gap after the fork on {node}")
        self.assertIn("00000002.history", cluster.archive(node))

    def fail_over(self, end):
        """`end` takes the primary out of service."""
        cluster = self.server()
        cluster.psql("CREATE TABLE proof (i int)")
        recovered = self.base_backup(cluster, "node3", "recovery_target_timeline = 'latest'")
        first = cluster.psql("SELECT pg_walfile_name(pg_switch_wal())")
        standby = cluster.dir / "node2"
        data = self.standby(cluster, "node2")
        self.archive_all(cluster)
        # From here on nothing of node1 is archived by node1.
        cluster.psql("ALTER SYSTEM SET archive_command = 'false'")
        cluster.psql("SELECT pg_reload_conf()")
        for turn in range(4):
            cluster.psql(f"INSERT INTO proof VALUES ({turn})")
            cluster.run(cluster.pgbench("-c", "2", "-T", "1", "-n"))
            last = cluster.psql("SELECT pg_walfile_name(pg_switch_wal())")
        cluster.psql("INSERT INTO proof VALUES (100)")
        wait_until(lambda: cluster.psql("SELECT max(i) FROM proof", host=standby) == "100", 30,
                   "the standby has the last row")
        self.assertNotIn(last, cluster.marked_done(), "node1 was to archive nothing")
        end(cluster)
        self.assertEqual(cluster.pg_ctl(data, "promote").code, 0)
        cluster.psql("CHECKPOINT", host=standby)
        cluster.psql("INSERT INTO proof VALUES (101)", host=standby)
        newest = cluster.psql("SELECT pg_walfile_name(pg_switch_wal())", host=standby)
        for node in ("node2", "node3"):
            wait_until(lambda n=node: newest in cluster.archive(n)
                       and last in cluster.archive(n), 20, f"{node} holds {last} and {newest}")
            self.assert_no_gap(cluster, node, first)
        self.assert_archives_agree(cluster)
        self.recover(cluster, recovered)

    def recover(self, cluster, data):
        """On node3, from a base backup that is older than the fail-over."""
        self.signal(cluster, data, "recovery.signal")
        self.start_server(cluster, "node3")
        wait_until(lambda: cluster.psql("SELECT pg_is_in_recovery()",
                                        host=cluster.dir / "node3") == "f", 60, "it is open")
        self.assertEqual(cluster.psql("SELECT string_agg(i::text, ',' ORDER BY i) FROM proof",
                                      host=cluster.dir / "node3"), "0,1,2,3,100,101")

    def test_h41_a_failover_leaves_no_hole(self):
        for _ in range(20 if LONG else 1):
            self.fail_over(lambda cluster: cluster.kill("node1"))
            self.clusters.pop().close()

    def test_h41_a_clean_switchover_leaves_no_hole_either(self):
        def stop(cluster):
            stopped = cluster.pg_ctl(cluster.dir / "node1" / "data", "-m", "fast", "stop")
            self.assertEqual(stopped.code, 0, stopped)
        self.fail_over(stop)

    def test_acknowledged_by_hash_almost_nothing_crosses_the_network(self):
        cluster = self.server(quorum="ALL (*)")
        self.standby(cluster, "node2", acknowledge_from_pg_wal="on")
        for pid in cluster.receiver_pids("node2"):  # they began before that
            os.kill(pid, signal.SIGTERM)
        self.archive_all(cluster)
        for node in ("node2", "node3"):
            cluster.wait_peer("node1", node, "current", 30)
        before = {node: cluster.peer_status("node1", node) for node in ("node2", "node3")}
        names = []
        for _ in range(5):
            cluster.run(cluster.pgbench("-c", "2", "-t", "1000", "-n"))
            lsn = cluster.psql("SELECT pg_current_wal_lsn()")
            wait_until(lambda: cluster.psql(f"SELECT pg_last_wal_replay_lsn() >= '{lsn}'",
                                            host=cluster.dir / "node2") == "t", 30, "it follows")
            names.append(self.archive_all(cluster))
        after = {node: cluster.peer_status("node1", node) for node in ("node2", "node3")}
        sent = {node: after[node]["bytes_sent"] - before[node]["bytes_sent"] for node in after}
        print(f"bytes sent a segment: {sent['node3'] // len(names)} as bytes, "
              f"{sent['node2'] // len(names)} by hash")
        self.assertLess(sent["node2"], 0.02 * sent["node3"])
        self.assertGreaterEqual(after["node2"]["files_acknowledged_by_hash"], len(names))
        self.assertEqual(after["node3"]["files_acknowledged_by_hash"], 0)
        archives = [cluster.archive(node) for node in cluster.names]
        for name in names:
            self.assertEqual(len({archive[name] for archive in archives}), 1)
