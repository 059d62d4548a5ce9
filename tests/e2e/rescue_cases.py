"""`pgwalship rescue` on what a killed PostgreSQL 15 left behind."""

import os
import signal

from harness import is_running, sha256, wait_until
from postgres_cases import PostgresCase


class Rescue(PostgresCase):
    def dead_primary(self):
        """node1's server, killed with segments that it could not archive."""
        cluster = self.server()
        data = cluster.dir / "node1" / "data"
        cluster.stop_daemon("node1")
        cluster.configure("node1", "postgres", look_ahead="0")  # else nothing is left to rescue
        cluster.start_daemon("node1")
        self.archive_all(cluster)
        cluster.psql("ALTER SYSTEM SET archive_command = 'false'")
        cluster.psql("SELECT pg_reload_conf()")
        cluster.psql("CREATE TABLE proof AS SELECT generate_series(1, 1000) AS i")
        for _ in range(3):
            cluster.psql("SELECT pg_switch_wal()")
            cluster.psql("INSERT INTO proof VALUES (1)")
        running = cluster.pgwalship("node1", "rescue", data)
        self.assertEqual(running.code, 2, running)
        self.assertIn("a server runs in", running.err)
        elsewhere = cluster.pgwalship("node1", "rescue", data / "base")
        self.assertEqual(elsewhere.code, 2, elsewhere)
        self.assertIn("HINT: name the data directory", elsewhere.err)
        postmaster = int((data / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGKILL)
        wait_until(lambda: not is_running(postmaster), 10, "the server is dead")
        self.assertTrue((data / "postmaster.pid").exists())
        return cluster, data

    def ready(self, data):
        return sorted(path.name[:-6] for path in (data / "pg_wal/archive_status").glob("*.ready"))

    def test_h40_a_killed_primary_is_shipped_and_conflicts_are_said(self):
        cluster, data = self.dead_primary()
        ready = self.ready(data)
        self.assertGreaterEqual(len(ready), 3)
        self.assertEqual(cluster.status("node1")["postgresql"]["unarchived"], len(ready))
        metrics = cluster.pgwalship("node1", "metrics").out
        self.assertIn(f"\npgwalship_unrescued_files {len(ready)}\n", metrics)
        self.assertIn('pgwalship_postgresql_role{role="stopped"} 1\n', metrics)
        self.assertIn(f"`pgwalship rescue {data}`", cluster.pgwalship("node1", "status").out)

        outcome = cluster.pgwalship("node1", "rescue", data, "--dry-run")
        self.assertEqual(outcome.code, 0, outcome)
        self.assertIn(f"{ready[0]} (ready): would be shipped", outcome.out)
        self.assertNotIn(ready[0], cluster.archive("node1"))

        outcome = cluster.pgwalship("node1", "rescue", data)
        self.assertEqual(outcome.code, 0, outcome)
        wanted = {name: sha256((data / "pg_wal" / name).read_bytes()) for name in ready}
        self.assert_on_quorum(cluster, wanted)
        partial = [name for name in cluster.archive("node1") if name.endswith(".partial")]
        self.assertEqual(len(partial), 1, "the segment that was being written")
        self.assertGreater(partial[0], ready[-1])
        self.assertLess(outcome.out.index(ready[-1]), outcome.out.index(partial[0]))
        self.assertEqual(cluster.status("node1")["postgresql"]["unarchived"], 0)
        self.assertIn("\npgwalship_unrescued_files 0\n",
                      cluster.pgwalship("node1", "metrics").out)

        again = cluster.pgwalship("node1", "rescue", data)
        self.assertEqual(again.code, 0, again)
        self.assertIn("0 files shipped", again.out)

        unfinished = data / "pg_wal" / partial[0].removesuffix(".partial")
        content = bytearray(unfinished.read_bytes())
        content[50] ^= 1  # in its first record: a difference behind the last is no conflict
        unfinished.write_bytes(bytes(content))
        outcome = cluster.pgwalship("node1", "rescue", data)
        self.assertEqual(outcome.code, 3, outcome)
        self.assertIn(f"{partial[0]}: CONFLICT", outcome.out)
        self.assertIn("pgwalship conflicts", outcome.out)
        self.assert_on_quorum(cluster, wanted)

    def test_h40_what_is_ready_and_cannot_be_read_is_not_safe(self):
        cluster, data = self.dead_primary()
        ready = self.ready(data)
        damaged, gone = (data / "pg_wal" / name for name in ready[:2])
        content = damaged.read_bytes()
        damaged.write_bytes(bytes(8192) + content[8192:])
        cluster.run(["mv", gone, cluster.scratch / gone.name])
        for words in (["--dry-run"], []):
            outcome = cluster.pgwalship("node1", "rescue", data, *words)
            self.assertEqual(outcome.code, 1, outcome)
            self.assertIn(f"{damaged.name} (ready): NOT SHIPPED: ", outcome.out)
            self.assertIn(f"{gone.name} (ready): NOT SHIPPED: ", outcome.out)
            self.assertIn("2 not shipped", outcome.out)
            self.assertIn("HINT: another node may have", outcome.out)
        wanted = {name: sha256((data / "pg_wal" / name).read_bytes()) for name in ready[2:]}
        self.assert_on_quorum(cluster, wanted)

        damaged.write_bytes(content)
        self.assert_push(cluster.push("node2", gone.name, (cluster.scratch / gone.name).read_bytes()),
                         0)
        outcome, _ = cluster.fetch("node1", gone.name)
        self.assertEqual(outcome.code, 0, outcome)
        outcome = cluster.pgwalship("node1", "rescue", data)
        self.assertEqual(outcome.code, 0, outcome)
        self.assertIn(f"{gone.name}: ", outcome.out)
        self.assertIn("the archive has it", outcome.out)
