"""Retention: expire with real base backups, what stops it, and what cleanup may do."""

import shutil

from harness import Case, segment, segment_name, wait_until
from postgres_cases import PostgresCase


def set_retention(cluster, **rules):
    for node in cluster.names:
        cluster.configure(node, "retention", interval="1d", **rules)
        cluster.stop_daemon(node)
        cluster.start_daemon(node)


def names_below(archive, position):
    return sorted(name for name in archive if "history" not in name and name[8:24] < position)


def lsn(position, segment_bytes):
    return f"{int(position[:8], 16):X}/{int(position[8:], 16) * segment_bytes:X}"


class BaseBackups(PostgresCase):
    def test_h37_the_kept_backup_recovers_after_the_rest_expired(self):
        cluster = self.server()
        set_retention(cluster, backups="1")
        shutil.rmtree(self.base_backup(cluster, "node2"))  # its label stays in the archive
        for _ in range(3):
            cluster.psql("CHECKPOINT")
            self.archive_all(cluster)
        kept = self.base_backup(cluster, "node3", "recovery_target_name = 'here'",
                                "recovery_target_action = 'promote'")
        cluster.psql("CREATE TABLE proof AS SELECT generate_series(1, 500) AS i")
        cluster.psql("SELECT pg_create_restore_point('here')")
        cluster.psql("DELETE FROM proof")
        self.archive_all(cluster)
        wait_until(lambda: cluster.archive("node1") == cluster.archive("node2")
                   == cluster.archive("node3"), 30, "all three archives are equal")
        before = cluster.archive("node1")
        start = max(name for name in before if name.endswith(".backup"))[8:24]
        expired = names_below(before, start)
        self.assertGreater(len(expired), 2)
        # The server's last checkpoint is the backup's, so nothing older is needed here.
        needs = cluster.archive_dir("node1") / ".pgwalship" / "needs"
        wait_until(lambda: needs.exists() and needs.read_text().strip() >= start, 25,
                   "the daemon knows what the server needs")

        outcome = cluster.pgwalship("node1", "expire", "--dry-run")
        self.assertEqual(outcome.code, 0, outcome)
        self.assertIn(f"keeps from {lsn(start, 16 << 20)} on", outcome.out)
        self.assertIn(f"{len(expired)} files would go", outcome.out)
        self.assertEqual(cluster.archive("node1"), before, "a dry run removes nothing")

        outcome = cluster.pgwalship("node1", "expire")
        self.assertEqual(outcome.code, 0, outcome)
        self.assertIn(f"{len(expired)} files removed", outcome.out)
        self.assertEqual(names_below(cluster.archive("node1"), start), [])
        self.assertEqual(set(cluster.archive("node1")), set(before) - set(expired))
        self.assertEqual(set(cluster.archive("node2")) & set(expired), set(expired),
                         "no other node's archive is touched")
        self.assertEqual(cluster.status("node1")["retention"]["floor"], start)
        self.assertEqual(cluster.temporary_files("node1"), [])

        # Neither end of a new comparison brings it back.
        cluster.stop_daemon("node2")
        cluster.start_daemon("node2")
        cluster.wait_peer("node2", "node1", "current", 30)
        cluster.wait_peer("node1", "node2", "current", 30)
        self.assertEqual(names_below(cluster.archive("node1"), start), [])

        # The other nodes follow: what has expired on one was on the quorum.
        for node in ("node2", "node3"):
            outcome = cluster.pgwalship(node, "expire")
            self.assertEqual(outcome.code, 0, outcome)
            self.assertEqual(names_below(cluster.archive(node), start), [])
        self.signal(cluster, kept, "recovery.signal")
        self.start_server(cluster, "node3")
        restored = cluster.dir / "node3"
        wait_until(lambda: cluster.psql("SELECT pg_is_in_recovery()", host=restored) == "f", 60,
                   "recovery reached its target")
        self.assertEqual(cluster.psql("SELECT count(*) FROM proof", host=restored), "500")


class Rules(Case):
    def archive_some(self, cluster, count=8):
        names = [segment_name(number) for number in range(1, count + 1)]
        for number, name in enumerate(names, 1):
            self.assertEqual(cluster.push("node1", name, segment(number)).code, 0)
        wait_until(lambda: cluster.archive("node1") == cluster.archive("node2"), 20,
                   "both archives are equal")
        return names

    def test_a_peer_that_is_down_stops_expiry(self):
        cluster = self.cluster(nodes=2)
        set_retention(cluster, size="20kB")
        names = self.archive_some(cluster)
        cluster.wait_peer("node1", "node2", "current", 20)
        cluster.kill("node2")
        cluster.wait_peer("node1", "node2", "down", 20)
        outcome = cluster.pgwalship("node1", "expire")
        self.assertEqual(outcome.code, 3, outcome)
        self.assertIn("node2", outcome.out)
        self.assertEqual(sorted(cluster.archive("node1")), names)
        cluster.restart("node2")
        cluster.wait_peer("node1", "node2", "current", 30)
        outcome = cluster.pgwalship("node1", "expire")
        self.assertEqual(outcome.code, 0, outcome)
        left = sorted(cluster.archive("node1"))
        self.assertEqual(left, names[-len(left):], "the newest stay")
        self.assertLess(len(left), len(names))

    def test_h38_cleanup_removes_only_what_retention_lets_go(self):
        cluster = self.cluster(nodes=2)
        set_retention(cluster)
        names = self.archive_some(cluster)
        cluster.wait_peer("node1", "node2", "current", 20)
        outcome = cluster.pgwalship("node1", "cleanup", names[6])
        self.assertEqual(outcome.code, 0, outcome)
        self.assertEqual(sorted(cluster.archive("node1")), names, "no rule, nothing goes")
        set_retention(cluster, size="5kB")
        cluster.wait_peer("node1", "node2", "current", 20)
        outcome = cluster.pgwalship("node1", "cleanup", "--dry-run", names[4] + ".00000028.backup")
        self.assertEqual(outcome.code, 0, outcome)
        self.assertIn(f"needs from {lsn(names[4][8:], 1 << 20)} on", outcome.out)
        self.assertEqual(sorted(cluster.archive("node1")), names)
        outcome = cluster.pgwalship("node1", "cleanup", names[4])
        self.assertEqual(outcome.code, 0, outcome)
        wait_until(lambda: sorted(cluster.archive("node1")) == names[4:], 10,
                   "what is before %r is gone, and no more")
        # The other node's own run keeps what this one's server needs.
        cluster.wait_peer("node2", "node1", "current", 20)
        outcome = cluster.pgwalship("node2", "expire")
        self.assertIn(f"the server of node1 needs from {lsn(names[4][8:], 1 << 20)} on", outcome.out)
        self.assertEqual(sorted(cluster.archive("node2")), names[4:])

    def test_without_rules_nothing_is_said_of_peers(self):
        cluster = self.cluster(nodes=2)
        self.archive_some(cluster)
        outcome = cluster.pgwalship("node1", "expire", "--dry-run")
        self.assertEqual(outcome.code, 0, outcome)
        self.assertIn("no rule is configured", outcome.out)
        self.assertNotIn("has not answered", outcome.out)

    def test_without_the_daemon_only_a_dry_run_works(self):
        cluster = self.cluster(nodes=2)
        set_retention(cluster, size="20kB")
        names = self.archive_some(cluster)
        cluster.stop_daemon("node1")
        outcome = cluster.pgwalship("node1", "expire", "--dry-run")
        self.assertEqual(outcome.code, 0, outcome)
        self.assertIn("nothing is ever removed without the daemon", outcome.out)
        self.assertIn("may go: ", outcome.out)
        self.assertEqual(cluster.pgwalship("node1", "expire").code, 1)
        self.assertEqual(cluster.pgwalship("node1", "cleanup", names[3]).code, 1)
        self.assertEqual(sorted(cluster.archive("node1")), names)
