"""fetch: the pushed bytes or nothing, and the exit code that recovery needs (README, "Exit codes")."""

import os
import shutil
import signal
import subprocess
import time

from harness import Case, segment, segment_name, sha256, wait_until

STANDBY, RECOVERY = "standby.signal", "recovery.signal"


class Fetch(Case):
    def archived_everywhere(self, cluster, numbers=(1,)):
        for number in numbers:
            self.assertEqual(cluster.push("node1", segment_name(number), segment(number)).code, 0)
        for number in numbers:
            wait_until(lambda: len(cluster.holders(segment_name(number), sha256(segment(number))))
                       == len(cluster.names), 20, f"segment {number} is on all nodes")

    def test_from_the_local_archive(self):
        cluster = self.cluster()
        self.archived_everywhere(cluster)
        outcome, data = cluster.fetch("node2", segment_name(1))
        self.assertEqual((outcome.code, data), (0, segment(1)), outcome)
        mode = os.stat(cluster.scratch / "fetched-node2").st_mode & 0o777
        self.assertEqual(mode, 0o600)

    def test_h35_from_the_local_archive_without_a_daemon(self):
        cluster = self.cluster()
        self.archived_everywhere(cluster)
        cluster.stop_daemon("node2", signal.SIGKILL)
        outcome, data = cluster.fetch("node2", segment_name(1))
        self.assertEqual((outcome.code, data), (0, segment(1)), outcome)

    def test_from_a_peer(self):
        cluster = self.cluster()
        self.archived_everywhere(cluster)
        (cluster.archive_dir("node2") / f"{segment_name(1)}.gz").unlink()
        outcome, data = cluster.fetch("node2", segment_name(1))
        self.assertEqual((outcome.code, data), (0, segment(1)), outcome)

    def test_h24_a_legacy_file_of_gzip(self):
        cluster = self.cluster(nodes=1)
        name, data = segment_name(1), segment(1)
        raw = cluster.file(name, data)
        subprocess.run(cluster.as_user(["gzip", "-9", "-k", raw]), check=True)
        os.rename(f"{raw}.gz", cluster.archive_dir("node1") / f"{name}.gz")
        outcome, fetched = cluster.fetch("node1", name)
        self.assertEqual((outcome.code, fetched), (0, data), outcome)
        self.assertEqual(cluster.push("node1", name, data).code, 0)
        self.assertEqual(cluster.push("node1", name, segment(1, seed="other")).code, 3)

    def test_h28_a_corrupt_copy_is_replaced_from_a_peer(self):
        cluster = self.cluster()
        self.archived_everywhere(cluster)
        path = cluster.archive_dir("node2") / f"{segment_name(1)}.gz"
        damaged = bytearray(path.read_bytes())
        damaged[len(damaged) // 2] ^= 0x10
        path.write_bytes(damaged)
        outcome, data = cluster.fetch("node2", segment_name(1))
        self.assertEqual((outcome.code, data), (0, segment(1)), outcome)
        wait_until(lambda: cluster.archived("node2", segment_name(1)) == segment(1), 10,
                   "the local copy is healed")
        quarantine = cluster.archive_dir("node2") / ".pgwalship" / "quarantine"
        self.assertEqual([file.read_bytes() for file in quarantine.iterdir()], [bytes(damaged)])

    def test_h28_truncated_and_garbage_copies_are_never_served(self):
        cluster = self.cluster(nodes=1)
        self.archived_everywhere(cluster)
        path = cluster.archive_dir("node1") / f"{segment_name(1)}.gz"
        whole = path.read_bytes()
        for damaged in (b"", whole[:10], whole[:-1], whole[:-8], b"garbage" * 100, whole + b"x"):
            path.write_bytes(damaged)
            outcome, data = cluster.fetch("node1", segment_name(1),
                                          cwd=cluster.data_directory(RECOVERY))
            self.assertEqual((outcome.code, data), (255, None), outcome)
            for entry in (cluster.archive_dir("node1") / ".pgwalship" / "quarantine").glob("*"):
                entry.unlink()

    def test_h27_nothing_is_left_where_it_cannot_be_placed(self):
        cluster = self.cluster(nodes=1)
        self.archived_everywhere(cluster)
        outcome = cluster.pgwalship("node1", "fetch", segment_name(1), "/nonexistent/x")
        self.assertNotEqual(outcome.code, 0)
        target = cluster.scratch / "absent"
        outcome = cluster.pgwalship("node1", "fetch", segment_name(9), target)
        self.assertEqual((outcome.code, target.exists()), (1, False), outcome)
        left = [path.name for path in cluster.scratch.iterdir() if "push" not in path.name]
        self.assertEqual(left, [], "no temporary file is left")

    def test_h33_to_any_path_outside_of_recovery(self):
        cluster = self.cluster(nodes=1)
        self.archived_everywhere(cluster)
        directory = cluster.data_directory()
        for target in ("pg_wal/RECOVERYXLOG", f"pg_wal/{segment_name(1)}",
                       str(directory / "pg_wal" / "absolute")):
            outcome = cluster.pgwalship("node1", "fetch", segment_name(1), target, cwd=directory)
            self.assertEqual(outcome.code, 0, outcome)
            self.assertEqual((directory / target).read_bytes(), segment(1))

    def test_h34_sigterm_ends_it_quickly(self):
        cluster = self.cluster()
        for node in ("node2", "node3"):
            cluster.freeze(node)
        directory = cluster.data_directory(RECOVERY)
        process = cluster.start(cluster.command("node1", "fetch", segment_name(1), "target"),
                                cwd=directory)
        time.sleep(0.5)
        self.assertIsNone(process.poll(), "it waits for the silent peers")
        process.terminate()
        self.assertEqual(process.wait(timeout=2), -signal.SIGTERM)
        self.assertEqual(sorted(path.name for path in directory.iterdir()),
                         ["PG_VERSION", "pg_wal", RECOVERY])


class Absence(Case):
    """H25, H26, H36: what `fetch` says when it finds nothing."""

    def codes(self, cluster, name, node="node1"):
        found = {}
        for mode in ((STANDBY,), (RECOVERY,), ()):
            outcome, data = cluster.fetch(node, name, cwd=cluster.data_directory(*mode))
            self.assertIsNone(data)
            found[mode[0] if mode else "neither"] = (outcome.code, outcome)
        return found

    def check(self, cluster, standby, recovery, neither, name=segment_name(9)):
        found = self.codes(cluster, name)
        self.assertEqual({mode: code for mode, (code, _) in found.items()},
                         {STANDBY: standby, RECOVERY: recovery, "neither": neither}, found)
        return found

    def quick(self, **options):
        cluster = self.cluster(**options)
        cluster.configure("node1", "restore", fetch_timeout="3s")
        cluster.stop_daemon("node1")
        cluster.start_daemon("node1")
        for peer in cluster.names[1:]:
            cluster.wait_peer("node1", peer, "current")
        return cluster

    def test_h36_proven_absent(self):
        found = self.check(self.quick(), 1, 1, 1)
        for _, outcome in found.values():
            self.assertLess(outcome.seconds, 1, "PostgreSQL asks for what is not there all the time")

    def test_h36_proven_although_one_peer_is_silent(self):
        # It alone could not have given any node its quorum.
        cluster = self.quick()
        cluster.kill("node3")
        cluster.wait_peer("node1", "node3", "down")
        self.check(cluster, 1, 1, 1)

    def test_h25_not_provable_when_all_peers_are_silent(self):
        cluster = self.quick()
        self.assertEqual(cluster.push("node2", segment_name(9), segment(9)).code, 0)
        for node in ("node2", "node3"):
            cluster.kill(node)
        (cluster.archive_dir("node1") / f"{segment_name(9)}.gz").unlink(missing_ok=True)
        found = self.check(cluster, 1, 255, 1)
        self.assertLess(found[STANDBY][1].seconds, 1.5, "a standby is told at once")
        self.assertGreater(found[RECOVERY][1].seconds, 2, "recovery is worth waiting for")
        self.assertLess(found[RECOVERY][1].seconds, 6)
        for mode in (RECOVERY, "neither"):
            self.assertTrue(found[mode][1].err.strip(), "the reason is on stderr")

    def test_h25_what_was_removed_by_hand_is_not_absent_until_it_is_back(self):
        cluster = self.quick()
        name, data = segment_name(9), segment(9)
        self.assert_push(cluster.push("node2", name, data), 0)
        wait_until(lambda: len(cluster.holders(name, sha256(data))) == 3, 20, "all have it")
        cluster.kill("node3")  # the only one that keeps its copy
        for node in ("node1", "node2"):
            (cluster.archive_dir(node) / f"{name}.gz").unlink()
        found = self.check(cluster, 1, 255, 1)
        self.assertIn("files have vanished", found[RECOVERY][1].err)
        self.assertIn(f"{name} has vanished", cluster.log("node1"))
        self.assertTrue(cluster.status("node1")["archive"]["vanished"])
        # Nor does it after a restart of those who saw it go.
        for node in ("node1", "node2"):
            cluster.restart(node)
        cluster.wait_peer("node1", "node2", "current")
        self.check(cluster, 1, 255, 1)
        cluster.restart("node3")
        wait_until(lambda: len(cluster.holders(name, sha256(data))) == 3, 20, "it comes back")
        wait_until(lambda: not any(cluster.status(node)["archive"]["vanished"]
                                   for node in cluster.names), 20, "both are whole again")
        self.check(cluster, 1, 1, 1, name=segment_name(8))

    def test_h25_an_archive_that_was_put_back_proves_nothing_once_it_was_told_so(self):
        cluster = self.quick()
        cluster.kill("node3")
        cluster.wait_peer("node1", "node3", "down")
        name, data = segment_name(9), segment(9)
        self.assert_push(cluster.push("node1", name, data), 0)
        for node in ("node1", "node2"):
            cluster.kill(node)
        # As it was before that push, and what docs/durability.md says.
        archive = cluster.archive_dir("node2")
        (archive / f"{name}.gz").unlink()
        (archive / ".pgwalship" / "index").unlink(missing_ok=True)
        (archive / ".pgwalship" / "reconciled").unlink()
        cluster.configure("node3", "restore", fetch_timeout="3s")
        for node in ("node2", "node3"):
            cluster.restart(node)
        cluster.wait_peer("node3", "node2", "current")
        outcome, _ = cluster.fetch("node3", name, cwd=cluster.data_directory(RECOVERY))
        self.assertEqual(outcome.code, 255, outcome)
        self.assertFalse(cluster.status("node2")["archive"]["complete"])
        cluster.restart("node1")
        wait_until(lambda: len(cluster.holders(name, sha256(data))) == 3, 20, "all have it")
        wait_until(lambda: cluster.peer_status("node3", "node2")["counts"], 20, "it counts again")

    def test_h25_recovery_goes_on_when_a_peer_returns_in_time(self):
        cluster = self.cluster()
        self.assertEqual(cluster.push("node2", segment_name(9), segment(9)).code, 0)
        for node in ("node2", "node3"):
            cluster.kill(node)
        (cluster.archive_dir("node1") / f"{segment_name(9)}.gz").unlink(missing_ok=True)
        directory = cluster.data_directory(RECOVERY)
        process = cluster.start(cluster.command("node1", "fetch", segment_name(9), "target"),
                                cwd=directory)
        time.sleep(1)
        self.assertIsNone(process.poll(), "it waits")
        for node in ("node2", "node3"):
            cluster.restart(node)
        _, err = process.communicate(timeout=40)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual((directory / "target").read_bytes(), segment(9))

    def test_h36_only_corrupt_copies(self):
        cluster = self.quick()
        name = segment_name(9)
        self.assertEqual(cluster.push("node1", name, segment(9)).code, 0)
        wait_until(lambda: len(cluster.holders(name, sha256(segment(9)))) == 3, 20, "all have it")

        def damage():
            for node in cluster.names:
                path = cluster.archive_dir(node) / f"{name}.gz"
                bad = path.with_name("bad")  # the daemon may take the last one away meanwhile
                bad.write_bytes(b"damaged")
                if os.getuid() == 0:
                    shutil.chown(bad, cluster.user)
                bad.rename(path)

        for mode, code in (((STANDBY,), 1), ((RECOVERY,), 255), ((), 1)):
            damage()
            outcome, data = cluster.fetch("node1", name, cwd=cluster.data_directory(*mode))
            self.assertEqual((outcome.code, data), (code, None), (mode, outcome))
            self.assertTrue(outcome.err.strip())

    def test_h36_without_a_daemon_nothing_is_proven(self):
        cluster = self.quick()
        cluster.stop_daemon("node1", signal.SIGKILL)
        self.check(cluster, 1, 255, 1)

    def test_h26_an_existing_history_is_always_seen_and_a_probe_is_quick(self):
        cluster = self.quick()
        cluster.push("node2", "00000002.history", b"1\t0/100000\tno recovery target specified\n")
        cluster.kill("node3")
        (cluster.archive_dir("node1") / "00000002.history.gz").unlink(missing_ok=True)
        outcome, data = cluster.fetch("node1", "00000002.history",
                                      cwd=cluster.data_directory(STANDBY))
        self.assertEqual((outcome.code, data is not None), (0, True), outcome)
        self.assertLess(outcome.seconds, 3)
        cluster.freeze("node2")
        for mode in ((STANDBY,), (RECOVERY,)):
            outcome, _ = cluster.fetch("node1", "00000003.history",
                                       cwd=cluster.data_directory(*mode))
            self.assertNotEqual(outcome.code, 0)
            self.assertLess(outcome.seconds, 3.5, "a promotion waits for this")

    def test_h36_usage_is_no_reason_to_end_a_recovery(self):
        cluster = self.cluster(nodes=1)
        directory = cluster.data_directory(RECOVERY)
        for arguments in (("fetch",), ("fetch", "../x", "target"), ("fetch", segment_name(1))):
            self.assertEqual(cluster.pgwalship("node1", *arguments, cwd=directory).code, 255)
        broken = cluster.file("broken.conf", b"[nonsense]\n")
        outcome = cluster.run([cluster.dir / "bin" / "pgwalship", "--config", broken, "fetch",
                               segment_name(1), "target"], cwd=directory)
        self.assertEqual(outcome.code, 255)
