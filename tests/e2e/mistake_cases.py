"""Mistakes that operators make: what is said of each must lead to what is wrong."""

import os
import shutil

from harness import Case, postgres_bin, segment, segment_name, sha256, wait_until

FORBIDDEN = "its owner and mode, and those of the directories above it"


class Unreadable(Case):
    def test_a_configuration_or_key_that_may_not_be_read_is_not_called_missing(self):
        cluster = self.cluster(nodes=2)
        home = cluster.dir / "node1"
        cluster.stop_daemon("node1")
        daemon = [cluster.dir / "bin" / "pgwalshipd", "--foreground", "--config",
                  home / "pgwalship.conf"]
        os.chmod(home / "id_ed25519", 0)
        os.chmod(home / "archive", 0o500)
        outcome = cluster.run(daemon, timeout=20)
        os.chmod(home / "archive", 0o700)
        self.assertEqual(outcome.err.count(FORBIDDEN), 2, outcome)
        self.assertNotIn("keys create", outcome.err)
        checked = cluster.pgwalship("node1", "config", "--check")
        self.assertIn(FORBIDDEN, checked.out)
        self.assertNotIn("keys create", checked.out)
        os.chmod(home / "pgwalship.conf", 0)
        outcome = cluster.pgwalship("node1", "status")
        self.assertEqual(outcome.code, 2, outcome)
        self.assertIn(FORBIDDEN, outcome.err)


class AnotherDataDirectory(Case):
    def test_the_server_that_answers_is_not_called_stopped(self):
        cluster = self.cluster(postgres=True)
        other = cluster.dir / "node1" / "other"
        other.mkdir()
        shutil.chown(other, cluster.user)
        made = cluster.run([f"{postgres_bin()}/initdb", "-N", "-A", "trust", "-D", other])
        self.assertEqual(made.code, 0, made)
        cluster.configure("node1", "postgres", data_directory=other)
        cluster.stop_daemon("node1")
        cluster.start_daemon("node1")
        words = "PostgreSQL answers, but no server runs in [postgres] data-directory"
        wait_until(lambda: words in cluster.log("node1"), 30, "the log says it")
        self.assertEqual(cluster.status("node1")["role"], "primary")
        self.assertIn(words, cluster.pgwalship("node1", "status").out)
        self.assertEqual(cluster.pgwalship("node1", "check").code, 1)
        self.assertIn("no server runs in", cluster.pgwalship("node1", "config", "--check").out)


class RemovedByHand(Case):
    def test_the_log_says_each_time_that_all_is_back(self):
        cluster = self.cluster()
        name, data = segment_name(9), segment(9)
        self.assert_push(cluster.push("node1", name, data), 0)
        wait_until(lambda: len(cluster.holders(name, sha256(data))) == 3, 20, "all have it")
        for times in range(1, 6):
            (cluster.archive_dir("node1") / f"{name}.gz").unlink()
            said = "complete again after files had vanished"
            wait_until(lambda: cluster.log("node1").count(said) == times, 20, f"{times}: {said}")
            self.assertEqual(cluster.archived("node1", name), data)
        self.assertIn(f"{name} has vanished", cluster.log("node1"))
        self.assertFalse(cluster.status("node1")["archive"]["vanished"])

    def test_a_single_node_promises_nobody_who_brings_it_back(self):
        cluster = self.cluster(nodes=1)
        name = segment_name(9)
        self.assert_push(cluster.push("node1", name, segment(9)), 0)
        (cluster.archive_dir("node1") / f"{name}.gz").unlink()
        wait_until(lambda: "there is no peer to bring it back" in cluster.log("node1"), 20, "it is said")
        self.assertNotIn("will bring it back", cluster.log("node1"))
