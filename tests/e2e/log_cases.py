"""The log of a long trouble: each state is said when it begins, and not again while it lasts."""

import time

from fault_cases import SmallDisk
from harness import LONG, SEGMENT_BYTES, Load, needs_isolation, segment, segment_name, wait_until

# PostgreSQL is asked every 10 s, a peer that is down several times in this time.
WATCHED_SECONDS = 120 if LONG else 12


@needs_isolation
class Lasting(SmallDisk):
    def stays_quiet(self, cluster, code, name, data):
        """All that is wrong was said; what comes from here on would come for ever."""
        said = len(cluster.log("node1"))
        load = Load(lambda _: cluster.push("node1", name, data).code)
        time.sleep(WATCHED_SECONDS)  # nothing to wait for: that nothing comes is what is tested
        codes = load.stop()
        self.assertEqual(set(codes), {code})
        more = cluster.log("node1")[said:].splitlines()
        self.assertLessEqual(len(more), 1, f"after {len(codes)} pushes: {more}")

    def test_h48_no_peer_no_quorum_and_no_server(self):
        cluster = self.cluster(postgres=True)
        cluster.configure("node1", "cluster", push_timeout="1s")
        cluster.stop_daemon("node1")
        cluster.start_daemon("node1")
        cluster.wait_peer("node1", "node2", "current")
        first = cluster.psql("SELECT pg_walfile_name(pg_switch_wal())")
        wait_until(lambda: cluster.archived("node1", first), 30, "the first segment")
        system = int(cluster.psql("SELECT system_identifier FROM pg_control_system()"))
        said = len(cluster.log("node1"))
        for node in ("node2", "node3"):
            cluster.kill(node)
        cluster.pg_ctl(cluster.dir / "node1" / "data", "-m", "immediate", "stop")
        for words in ("peer node2: cannot connect", "peer node3: cannot connect", "cannot be met",
                      "PostgreSQL cannot be asked"):
            wait_until(lambda: words in cluster.log("node1")[said:], 30, f"the log says: {words}")
        sizes = {"segment_bytes": 16 << 20}
        self.stays_quiet(cluster, 1, segment_name(50, **sizes),
                         segment(50, system_id=system, **sizes))

    def test_h16_reconcile_does_not_wait_for_a_full_disk(self):
        cluster = self.cluster(nodes=2, quorum="NONE")
        self.put_archive_on_small_disk(cluster, "node1", 6)
        cluster.stop_daemon("node1")
        for number in range(1, 9):
            data = segment(number, random_bytes=SEGMENT_BYTES - 100)
            self.assert_push(cluster.push("node2", segment_name(number), data), 0)
        cluster.start_daemon("node1")
        wait_until(lambda: cluster.status("node1")["archive"]["fetch_error"], 30, "it is full")
        outcome = cluster.pgwalship("node1", "reconcile")
        self.assertEqual(outcome.code, 1, outcome)
        self.assertLess(outcome.seconds, 20)
        self.assertIn("node2: failed: the archive here cannot take in what is missing", outcome.out)

    def test_h48_no_space(self):
        cluster = self.cluster(nodes=2)
        self.put_archive_on_small_disk(cluster, "node1", 6)
        number, _ = self.push_until_full(cluster)
        self.stays_quiet(cluster, 4, segment_name(number),
                         segment(number, random_bytes=SEGMENT_BYTES - 100))
