"""Conflicts: seen on every node, after restarts too, explained, and decided."""

import gzip

from harness import Case, segment, segment_name, sha256, wait_until
from postgres_cases import PostgresCase
from reconcile_cases import plant


class SameRecords(PostgresCase):
    def test_a_segment_whose_unused_tail_alone_differs_is_a_success(self):
        cluster = self.cluster(postgres=True)
        cluster.psql("CREATE TABLE proof (i int)")
        name = self.archive_all(cluster)
        data = (cluster.dir / "node1" / "data" / "pg_wal" / name).read_bytes()
        tail = data[:-64] + bytes(range(64))
        self.assertNotEqual(tail, data)
        outcome = cluster.push("node1", name, tail)
        self.assert_push(outcome, 0)
        for node in cluster.names:
            wait_until(lambda: name in cluster.archive(node), 10, f"{node} has it")
            self.assertEqual(cluster.archived(node, name), data, "what was there stays")
            self.assertEqual(cluster.status(node)["conflicts"], [])
        kept = (cluster.archive_dir("node1") / ".pgwalship" / "quarantine").glob("*.gz")
        self.assertEqual([path.name for path in kept],
                         [f"{name}.same-records-{sha256(tail)[:12]}.gz"])


    def test_reconcile_and_conflicts_agree_about_it(self):
        server = self.cluster(postgres=True)
        server.psql("CREATE TABLE proof (i int)")
        name = self.archive_all(server)
        data = (server.dir / "node1" / "data" / "pg_wal" / name).read_bytes()
        contents = {"node1": data, "node2": data[:-64] + bytes(range(64))}
        cluster = self.cluster(nodes=2, quorum="NONE")
        for node, content in contents.items():
            cluster.stop_daemon(node)
            other = self.cluster(nodes=1)
            self.assert_push(other.push("node1", name, content), 0)
            plant(other, name, cluster.archive_dir(node))
        cluster.start_daemon("node2")
        cluster.start_daemon("node1")
        cluster.wait_peer("node1", "node2", "current")
        self.assertEqual(cluster.pgwalship("node1", "conflicts").code, 0)
        outcome = cluster.pgwalship("node1", "reconcile")
        self.assertEqual((outcome.code, outcome.out), (0, "node2: equal\n"), outcome)


class Conflict(Case):
    def conflicts_here(self, cluster, node):
        return [one for one in cluster.status(node)["conflicts"] if one["where"] == node]

    def test_h5_a_conflict_on_three_nodes_is_resolved(self):
        cluster = self.cluster()
        name, good, bad = segment_name(1), segment(1, seed="good"), segment(1, seed="bad")
        cluster.stop_daemon("node3")
        stray = cluster.file("stray.gz", gzip.compress(bad))
        target = cluster.archive_dir("node3") / f"{name}.gz"
        self.assertEqual(cluster.run(["cp", stray, target]).code, 0)
        self.assert_push(cluster.push("node1", name, good), 0)
        cluster.start_daemon("node3")
        cluster.wait_peer("node1", "node3", "current")
        self.assert_push(cluster.push("node1", name, good), 0)
        for node in ("node1", "node2"):
            self.assert_push(cluster.push(node, name, bad), 3, "conflicts show")

        for node in cluster.names:
            wait_until(lambda: len(self.conflicts_here(cluster, node)) == 1, 10,
                       f"{node} has a conflict")
        cluster.stop_daemon("node1")
        cluster.start_daemon("node1")
        wait_until(lambda: "byte " in self.conflicts_here(cluster, "node1")[0]["text"], 10,
                   "a restarted daemon finds it again, with its verdict")

        keep = sha256(good)[:12]
        for node in cluster.names:
            listed = cluster.pgwalship(node, "conflicts")
            self.assertEqual(listed.code, 3, listed)
            self.assertIn(name, listed.out)
            shown = cluster.pgwalship(node, "conflicts", "show", name).out
            self.assertIn(sha256(good), shown)
            self.assertIn(sha256(bad), shown)
            unconfirmed = cluster.pgwalship(node, "conflicts", "resolve", name, "--keep", keep)
            self.assertEqual(unconfirmed.code, 2, unconfirmed)
            self.assertIn("nothing was changed", unconfirmed.err)
            resolved = cluster.pgwalship(node, "conflicts", "resolve", name, "--keep", keep, "--yes")
            self.assertEqual(resolved.code, 0, resolved)
            self.assertEqual(cluster.pgwalship(node, "conflicts").code, 0)
        self.assertEqual(len(cluster.holders(name, sha256(good))), 3)
        self.assert_push(cluster.push("node3", name, bad), 3, "an operator decided")
        self.assert_push(cluster.push("node3", name, good), 0)

        for node in cluster.names:  # what a peer answered before is forgotten by a new start
            cluster.stop_daemon(node)
            cluster.start_daemon(node)
        for node in cluster.names:
            self.assertEqual(cluster.status(node)["conflicts"], [])
            self.assertEqual(cluster.status(node)["archive"]["quarantined"], [])
