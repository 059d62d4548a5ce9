"""Look-ahead: what PostgreSQL has marked is shipped before its archiver hands it over."""

import time

from harness import Case, sha256, wait_until


class LookAhead(Case):
    def server(self, archive_command=None):
        cluster = self.cluster(postgres=True)
        cluster.psql("ALTER SYSTEM SET wal_keep_size = '2GB'")
        if archive_command:
            cluster.psql(f"ALTER SYSTEM SET archive_command = '{archive_command}'")
        cluster.psql("SELECT pg_reload_conf()")
        return cluster

    def switch(self, cluster, times):
        names = []
        for _ in range(times):
            cluster.psql("CREATE TABLE IF NOT EXISTS t (i int); INSERT INTO t VALUES (1)")
            names.append(cluster.psql("SELECT pg_walfile_name(pg_switch_wal())"))
        return names

    def contents(self, cluster, names):
        pg_wal = cluster.dir / "node1" / "data" / "pg_wal"
        return {name: sha256((pg_wal / name).read_bytes()) for name in names}

    def view(self, cluster):
        status = cluster.status("node1")
        return status["look_ahead"] if status else {}

    def test_h50_it_ships_while_archive_command_cannot_be_executed(self):
        cluster = self.server(archive_command="/no/such/command %p")
        names = self.switch(cluster, 12)
        contents = self.contents(cluster, names)
        wait_until(lambda: self.view(cluster).get("ahead", 0) >= len(names), 20, "they are shipped")
        self.assert_on_quorum(cluster, contents)
        self.assertFalse(set(names) & set(cluster.marked_done()))

        # Once it works again each push is answered at once, and nothing is shipped twice.
        shipped = self.view(cluster)["shipped"]
        cluster.psql("ALTER SYSTEM RESET archive_command")
        cluster.psql("SELECT pg_reload_conf()")
        last = self.switch(cluster, 1)[0]

        # The archiver has ended (exit code 127). Its postmaster starts it again when something
        # wakes that, such as a connection, or a minute later.
        def caught_up():
            cluster.psql("SELECT 1")
            return last in cluster.marked_done()

        wait_until(caught_up, 90, "the archiver has caught up")
        view = self.view(cluster)
        self.assertGreaterEqual(view["answered"], len(names))
        self.assertLessEqual(view["shipped"], shipped + 1)
        self.assert_on_quorum(cluster, contents)

    def test_h18_a_segment_that_was_rewritten_is_pushed_and_refused(self):
        cluster = self.server(archive_command="/bin/false")
        name = self.switch(cluster, 1)[0]
        wait_until(lambda: self.view(cluster).get("ahead", 0) >= 1, 20, "it is shipped")
        path = cluster.dir / "node1" / "data" / "pg_wal" / name
        before = sha256(path.read_bytes())
        with open(path, "r+b") as segment:
            segment.seek(8192 + 100)
            segment.write(b"another history")
        outcome = cluster.pgwalship("node1", "push", path, name)
        self.assertEqual(outcome.code, 3, outcome)
        self.assertEqual(sha256(cluster.archived("node1", name)), before)

    def test_a_killed_daemon_begins_again(self):
        cluster = self.server(archive_command="/bin/false")
        names = self.switch(cluster, 4)
        wait_until(lambda: self.view(cluster).get("ahead", 0) >= len(names), 20, "they are shipped")
        cluster.kill("node1")
        cluster.restart("node1")
        wait_until(lambda: self.view(cluster).get("ahead", 0) >= len(names), 30, "and again")
        path = cluster.dir / "node1" / "data" / "pg_wal" / names[0]
        begin = time.monotonic()
        outcome = cluster.pgwalship("node1", "push", path, names[0])
        self.assertEqual(outcome.code, 0, outcome)
        self.assertLess(time.monotonic() - begin, 5)
        self.assertGreaterEqual(self.view(cluster)["answered"], 1)
