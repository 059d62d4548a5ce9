"""Prefetch: what a recovery will ask for next is there already, and a killed one leaves nothing."""

import os
import pathlib
import shutil
import signal
import time

from harness import Case, segment, segment_name, sha256, wait_until
from postgres_cases import PostgresCase


def left_alone(cluster, node="node3"):
    """Stops the daemons that would complete the archive of `node`."""
    for other in cluster.names:
        if other != node:
            cluster.stop_daemon(other)


def only_on_peers(cluster, node="node3"):
    """Restarts the daemon of `node` and empties its archive once it has compared that: the next
    comparison, which would bring everything back, is a minute away."""
    cluster.stop_daemon(node)
    cluster.start_daemon(node)
    for peer in cluster.names:
        if peer != node:
            cluster.wait_peer(node, peer, "current")
    for path in cluster.archive_dir(node).glob("0*.gz"):
        path.unlink()


class Ahead(Case):
    def filled(self, count, random_bytes=4096):
        cluster = self.cluster()
        self.contents = {segment_name(n): segment(n, random_bytes=random_bytes)
                         for n in range(1, count + 1)}
        for name, data in self.contents.items():
            self.assertEqual(cluster.push("node1", name, data).code, 0)
        for node in ("node2", "node3"):
            cluster.wait_peer("node1", node, "current")
        left_alone(cluster)
        return cluster

    def restart_with(self, cluster, **restore):
        cluster.configure("node3", "restore", **restore)
        only_on_peers(cluster)

    def names(self, cluster):
        return sorted(path.name[:-3] for path in cluster.archive_dir("node3").glob("0*.gz"))

    def fetch_all(self, cluster, numbers, node="node3"):
        for n in numbers:
            outcome, data = cluster.fetch(node, segment_name(n))
            self.assertEqual((outcome.code, data), (0, segment(n)), outcome)

    def test_the_next_segments_come_by_themselves_from_both_peers(self):
        cluster = self.filled(24)
        self.restart_with(cluster, prefetch=8)
        self.fetch_all(cluster, [1])
        # What is asked for later comes later: had 1 begun a recovery, its next ones were here first.
        self.fetch_all(cluster, [21, 22])
        wait_until(lambda: {segment_name(23), segment_name(24)} <= set(self.names(cluster)), 10,
                   "two in a row are one")
        self.assertEqual(self.names(cluster), [segment_name(n) for n in (1, 21, 22, 23, 24)],
                         "one segment is no recovery")
        for n in (21, 22, 23, 24):
            (cluster.archive_dir("node3") / f"{segment_name(n)}.gz").unlink()
        self.fetch_all(cluster, [1, 2])
        wait_until(lambda: len(self.names(cluster)) == 10, 10, "eight are ahead")
        # From here on the client finds them locally, and says so.
        for n in range(3, 13):
            self.fetch_all(cluster, [n])
            wait_until(lambda: segment_name(n + 8) in self.names(cluster), 10, "it goes on")
        self.fetch_all(cluster, range(13, 25))
        outcome, _ = cluster.fetch("node3", segment_name(25))
        self.assertEqual(outcome.code, 1, outcome)
        self.assertLess(outcome.seconds, 1, "H29: a standby goes on to stream at once")
        self.assertEqual(cluster.push("node3", segment_name(25), segment(25)).code, 0)
        outcome, data = cluster.fetch("node3", segment_name(25))
        self.assertEqual((outcome.code, data), (0, segment(25)), "and sees what came since")
        self.assertEqual(cluster.archive("node3"),
                         {segment_name(n): sha256(segment(n)) for n in range(1, 26)})

    def test_h35_hints_do_no_harm_without_a_daemon(self):
        cluster = self.filled(3)
        self.restart_with(cluster, prefetch=0)
        self.fetch_all(cluster, [1, 2])
        # The daemon has taken the hints by the time it answers, and without prefetch asks for nothing.
        self.assertEqual(cluster.status("node3")["restore"]["fetched_ahead"], 0)
        cluster.stop_daemon("node3", signal.SIGKILL)
        self.assertEqual(self.names(cluster), [segment_name(1), segment_name(2)])
        cluster.configure("node3", "restore", prefetch=8)
        self.fetch_all(cluster, [1, 2])

    def test_h30_a_killed_prefetch_leaves_nothing_to_be_served(self):
        cluster = self.filled(14, random_bytes=(1 << 20) - 40)
        contents = {n: segment(n, random_bytes=(1 << 20) - 40) for n in range(1, 15)}
        self.restart_with(cluster, prefetch=8)
        for n in (1, 2):
            outcome, data = cluster.fetch("node3", segment_name(n))
            self.assertEqual((outcome.code, data), (0, contents[n]), outcome)
        seen = 0
        for _ in range(4):
            cluster.stop_daemon("node3", signal.SIGKILL)
            seen += len(cluster.temporary_files("node3"))
            for path in cluster.archive_dir("node3").glob("0*.gz"):
                name = path.name[:-3]
                self.assertEqual(cluster.archived("node3", name), self.contents[name], "G3")
            for n in (1, 2, 3, 4):  # the local ones, without a daemon: nothing, or all of it
                outcome, data = cluster.fetch("node3", segment_name(n))
                self.assertIn((outcome.code, data), [(0, contents[n]), (1, None)], outcome)
            for path in list(cluster.archive_dir("node3").glob("0*.gz"))[2:]:
                path.unlink()
            cluster.start_daemon("node3")
            wait_until(lambda: not cluster.temporary_files("node3"), 5, "the rest is swept away")
            for peer in ("node1", "node2"):
                cluster.wait_peer("node3", peer, "current")
            for n in (1, 2):
                outcome, data = cluster.fetch("node3", segment_name(n))
                self.assertEqual((outcome.code, data), (0, contents[n]), outcome)
        print(f"temporary files met: {seen}")

    def spool(self, cluster, node="node3"):
        return sorted((cluster.archive_dir(node) / ".pgwalship" / "ahead").iterdir())

    def ready(self, cluster, node="node3"):
        return [path.name[:24] for path in self.spool(cluster, node)]

    def test_h51_what_lies_ready_is_moved_and_only_as_it_was_written(self):
        cluster = self.filled(14)
        self.restart_with(cluster, prefetch=8)
        self.fetch_all(cluster, [1, 2])
        wait_until(lambda: self.ready(cluster) == [segment_name(n) for n in range(3, 11)], 10,
                   "eight lie ready")
        self.assertTrue(all(path.stat().st_mode & 0o777 == 0o600 for path in self.spool(cluster)))
        inode = self.spool(cluster)[0].stat().st_ino
        self.fetch_all(cluster, [3])
        self.assertEqual((cluster.scratch / "fetched-node3").stat().st_ino, inode, "it was moved")
        wait_until(lambda: self.ready(cluster) == [segment_name(n) for n in range(4, 12)], 10,
                   "the next one follows")
        four, five, six, *_ = self.spool(cluster)
        with open(four, "r+b") as file:  # one bit
            file.seek(70000)
            byte = file.read(1)[0]
            file.seek(70000)
            file.write(bytes([byte ^ 1]))
        whole = five.read_bytes()
        five.unlink()
        five.write_bytes(whole[:70000] + bytes(len(whole) - 70000))
        self.fetch_all(cluster, [4, 5])
        cluster.stop_daemon("node3", signal.SIGKILL)
        inode = six.stat().st_ino
        self.fetch_all(cluster, [6])
        self.assertEqual((cluster.scratch / "fetched-node3").stat().st_ino, inode,
                         "without a daemon, too")
        old = self.spool(cluster)[0]
        os.utime(old, (time.time() - 70, time.time() - 70))
        self.fetch_all(cluster, range(7, 12))
        cluster.start_daemon("node3")
        self.assertEqual(self.spool(cluster), [], "the next daemon begins with nothing")

    def test_a_single_node_unpacks_ahead_what_it_has(self):
        cluster = self.cluster(nodes=1)
        for n in range(1, 6):
            self.assertEqual(cluster.push("node1", segment_name(n), segment(n)).code, 0)
        self.fetch_all(cluster, [1, 2], "node1")
        wait_until(lambda: self.ready(cluster, "node1") == [segment_name(n) for n in (3, 4, 5)],
                   10, "the next ones lie ready")
        inode = self.spool(cluster, "node1")[0].stat().st_ino
        self.fetch_all(cluster, [3], "node1")
        self.assertEqual((cluster.scratch / "fetched-node1").stat().st_ino, inode)
        self.fetch_all(cluster, [4, 5], "node1")
        outcome, _ = cluster.fetch("node1", segment_name(6))
        self.assertEqual(outcome.code, 1, outcome)

    def test_h51_nothing_stays_after_a_recovery_that_turned_away(self):
        cluster = self.filled(12)
        self.restart_with(cluster, prefetch=4)
        self.fetch_all(cluster, [1, 2])
        wait_until(lambda: len(self.spool(cluster)) == 4, 10, "four lie ready")
        self.fetch_all(cluster, [10])
        wait_until(lambda: not self.spool(cluster), 15, "they go")


class RecoveryAhead(PostgresCase):
    SEGMENTS = 42

    def prepare(self, segment_mb=16):
        cluster = self.cluster(postgres=True)
        if segment_mb != 16:
            data = cluster.dir / "node1" / "data"
            self.assertEqual(cluster.pg_ctl(data, "-m", "fast", "stop").code, 0)
            resized = cluster.run([pathlib.Path(self.bin()) / "pg_resetwal",
                                   f"--wal-segsize={segment_mb}", data])
            self.assertEqual(resized.code, 0, resized)
            with open(data / "postgresql.conf", "a") as conf:
                conf.write("min_wal_size = '8MB'\nmax_wal_size = '1GB'\n")
            self.assertEqual(cluster.pg_ctl(data, "-l", cluster.dir / "node1" / "server.log",
                                            "start").code, 0)
        cluster.psql("CREATE TABLE proof (i int)")
        data = self.base_backup(cluster, "node3", "recovery_target_name = 'here'",
                                "recovery_target_action = 'promote'")
        for i in range(self.SEGMENTS):
            cluster.psql(f"INSERT INTO proof VALUES ({i})")
            cluster.psql("SELECT pg_switch_wal()")
        cluster.psql("SELECT pg_create_restore_point('here')")
        cluster.psql("DELETE FROM proof")
        self.archive_all(cluster, 120)
        cluster.wait_peer("node1", "node2", "current", 60)
        return cluster, data

    @staticmethod
    def bin():
        from harness import postgres_bin
        return postgres_bin()

    def recover(self, cluster, data, prefetch, meanwhile=None):
        """A point-in-time recovery on node3 whose archive is empty; seconds."""
        copy = cluster.dir / "node3" / "data"
        shutil.rmtree(copy, ignore_errors=True)  # before the node starts what it finds
        cluster.configure("node3", "restore", prefetch=prefetch)
        only_on_peers(cluster)
        cluster.run(["cp", "-a", data, copy])
        self.signal(cluster, copy, "recovery.signal")
        (cluster.dir / "node3" / "server.log").unlink(missing_ok=True)
        begin = time.monotonic()
        self.start_server(cluster, "node3")
        host = cluster.dir / "node3"
        if meanwhile:
            meanwhile(host / "server.log")
        wait_until(lambda: cluster.psql("SELECT pg_is_in_recovery()", host=host) == "f", 90,
                   "recovery reached its target")
        seconds = time.monotonic() - begin
        self.assertEqual(cluster.psql("SELECT count(*), sum(i) FROM proof", host=host),
                         f"{self.SEGMENTS}|{sum(range(self.SEGMENTS))}")
        stopped = cluster.pg_ctl(copy, "-m", "immediate", "stop")
        self.assertEqual(stopped.code, 0, stopped)
        restored = (host / "server.log").read_text().count("restored log file")
        self.assertGreaterEqual(restored, self.SEGMENTS)
        self.assert_archives_agree(cluster)
        for name in (copy / "pg_wal").iterdir():
            self.assertNotIn("pgwalship", name.name, "nothing of ours is left in pg_wal")
        return seconds

    def compare(self, segment_mb):
        cluster, data = self.prepare(segment_mb)
        base = cluster.dir / "base"
        shutil.move(data, base)
        left_alone(cluster)
        without = self.recover(cluster, base, 0)
        ahead = self.recover(cluster, base, 8)
        print(f"{self.SEGMENTS} segments of {segment_mb} MB: {without:.2f} s without prefetch, "
              f"{ahead:.2f} s with 8")

    def test_h30_h51_the_daemon_is_killed_while_a_server_recovers(self):
        cluster, data = self.prepare()
        base = cluster.dir / "base"
        shutil.move(data, base)
        left_alone(cluster)
        spool = cluster.archive_dir("node3") / ".pgwalship" / "ahead"
        flipped = []

        def kill_and_flip(log):
            for least in (8, 20):
                wait_until(lambda: log.exists() and log.read_text().count("restored log file")
                           >= least, 60, f"{least} segments are restored")
                cluster.stop_daemon("node3", signal.SIGKILL)
                for path in sorted(spool.iterdir())[::2]:
                    try:
                        with open(path, "r+b") as file:
                            file.seek(4096)
                            file.write(b"not what was there")
                    except FileNotFoundError:
                        continue  # the server has it
                    flipped.append(path.name)
                cluster.start_daemon("node3")

        self.recover(cluster, base, 8, kill_and_flip)
        print(f"changed in the spool: {len(flipped)} files")

    def test_h31_point_in_time_from_peers_alone(self):
        self.compare(16)

    def test_h31_segments_of_one_megabyte(self):
        self.compare(1)
