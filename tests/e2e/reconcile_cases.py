"""reconcile: both ends of whatever link there is become equal; conflicts are kept and told."""

import os
import shutil

from harness import Case, segment, segment_name, sha256, wait_until


def plant(source, name, directory):
    """Puts the only node's file of one cluster into the archive of another, by hand."""
    path = source.archive_dir("node1") / f"{name}.gz"
    owner = path.stat()
    os.chown(shutil.copy(path, directory), owner.st_uid, owner.st_gid)


class Reconcile(Case):
    def test_a_node_that_nobody_can_connect_to_pulls_what_it_lacks(self):
        cluster = self.cluster()
        port = cluster.port("node3")
        for node in ("node1", "node2"):
            path = cluster.dir / node / "pgwalship.conf"
            path.write_text(path.read_text().replace(f"port={port}", "port=1"))
            cluster.stop_daemon(node)
            cluster.start_daemon(node)
        cluster.stop_daemon("node3")
        pushed = {}
        for number in range(1, 6):
            name, data = segment_name(number), segment(number)
            self.assert_push(cluster.push("node1", name, data), 0)
            pushed[name] = sha256(data)
        self.assertEqual(cluster.archive("node3"), {})
        cluster.start_daemon("node3")
        wait_until(lambda: cluster.archive("node3") == pushed, 15, "node3 holds everything")
        wait_until(lambda: cluster.status("node3")["archive"]["missing"] == 0, 5,
                   "node3 knows that nothing is missing")
        self.assertEqual(cluster.status("node3")["archive"]["fetched"], 5)
        self.assertEqual(cluster.peer_status("node1", "node3")["state"], "down")
        self.assertEqual(cluster.temporary_files("node3"), [])

    def test_h5_a_conflict_that_nobody_pushed_is_found_and_kept(self):
        name, ours, theirs = segment_name(7), segment(7, seed=1), segment(7, seed=2)
        other = self.cluster(nodes=1)
        self.assert_push(other.push("node1", name, theirs), 0)
        cluster = self.cluster(nodes=2, quorum="NONE")
        cluster.stop_daemon("node1")
        cluster.stop_daemon("node2")
        # By other hands: neither node was asked.
        plant(other, name, cluster.archive_dir("node2"))
        third = self.cluster(nodes=1)
        self.assert_push(third.push("node1", name, ours), 0)
        plant(third, name, cluster.archive_dir("node1"))
        cluster.start_daemon("node1")
        kept = f"{name}.conflict-{sha256(theirs)[:12]}.gz"
        wait_until(lambda: [(c["name"], c["where"], c.get("file"))
                            for c in cluster.status("node1")["conflicts"]]
                   == [(name, "node1", kept)], 15, "node1 knows of the conflict, and shows it once")
        self.assertEqual(cluster.archived("node1", name), ours, "it is never overwritten")
        self.assertEqual(cluster.archived("node2", name), theirs, "nor spread")
        quarantine = cluster.archive_dir("node1") / ".pgwalship" / "quarantine"
        self.assertEqual([path.name for path in quarantine.glob("*.gz")], [kept])

    def test_files_of_other_hands_are_seen_and_spread_and_removed_ones_are_missed(self):
        other = self.cluster(nodes=1)
        cluster = self.cluster()
        name, data = segment_name(3), segment(3)
        self.assert_push(other.push("node1", name, data), 0)
        for peer in ("node1", "node3"):
            cluster.wait_peer("node2", peer, "current")
        plant(other, name, cluster.archive_dir("node2"))
        self.assertEqual(cluster.status("node2")["archive"]["files"], 1, "at once")
        wait_until(lambda: len(cluster.holders(name, sha256(data))) == 3, 15,
                   "the peers get it, before the next comparison of the minute")
        (cluster.archive_dir("node3") / f"{name}.gz").unlink()
        self.assertEqual(cluster.status("node3")["archive"]["files"], 0, "at once")
