"""Mistakes that operators make: what is said of each must lead to what is wrong."""

from harness import Case, segment, segment_name, sha256, wait_until


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
