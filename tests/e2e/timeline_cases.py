"""Timelines: two real promotions, a server that goes on after it was left, a gap, a rival."""

import json
import os

from harness import segment, segment_name, sha256, wait_until
from postgres_cases import PostgresCase as _PostgresCase


class Timelines(_PostgresCase):
    def switch(self, cluster, node, times=1):
        """Ends that many segments of the node's server; the name of the last, once archived."""
        name = None
        for _ in range(times):
            name = cluster.psql("CREATE TABLE IF NOT EXISTS t (i int); INSERT INTO t VALUES (1);"
                                "SELECT pg_walfile_name(pg_switch_wal())",
                                host=cluster.dir / node).splitlines()[-1]
        wait_until(lambda: name in cluster.archive(node), 30, f"{name} is archived on {node}")
        return name

    def promoted(self, cluster, node, source):
        """A server on `node`, made from that of `source` and promoted at the end of its archive."""
        data = cluster.dir / node / "data"
        outcome = cluster.run(["pg_basebackup", "-h", cluster.dir / source, "-U", "postgres", "-D",
                               data, "-c", "fast", "-X", "none", "-l", f"of {source}"])
        self.assertEqual(outcome.code, 0, outcome)
        command = f"{cluster.dir}/bin/pgwalship --config {cluster.dir}/{node}/pgwalship.conf"
        with open(data / "postgresql.conf", "a") as conf:
            conf.write(f"\nunix_socket_directories = '{cluster.dir}/{node}'\n"
                       f"archive_command = '{command} push %p %f'\n"
                       f"restore_command = '{command} fetch %f %p'\n")
        self.signal(cluster, data, "standby.signal")
        last = self.switch(cluster, source, 3)
        wait_until(lambda: last in cluster.archive(node), 30, f"{last} is on {node}")
        self.start_server(cluster, node)
        wait_until(lambda: cluster.psql("SELECT to_regclass('t') IS NOT NULL",
                                        host=cluster.dir / node) == "t", 30, f"{node} follows")
        self.assertEqual(cluster.pg_ctl(data, "promote").code, 0)

    def report(self, cluster, code):
        outcome = cluster.pgwalship("node3", "timeline", "--json")
        self.assertEqual(outcome.code, code, outcome)
        return json.loads(outcome.out)

    def test_a_name_that_is_no_file_is_told(self):
        cluster = self.cluster(nodes=1)
        self.assert_push(cluster.push("node1", segment_name(1), segment(1)), 0)
        self.assertEqual(cluster.pgwalship("node1", "timeline").code, 0)
        archive = cluster.archive_dir("node1")
        cluster.stop_daemon("node1")
        (archive / f"{segment_name(2)}.gz").mkdir()
        (archive / f"{segment_name(3)}.gz").symlink_to("/nowhere")
        os.mkfifo(archive / f"{segment_name(4)}.gz")
        outcome = cluster.pgwalship("node1", "timeline")
        self.assertEqual(outcome.code, 1, outcome)
        self.assertIn("NOT WHOLE: 3 obstacles", outcome.out)
        names = [f"{segment_name(number)}.gz" for number in (2, 3, 4)]
        report = json.loads(cluster.pgwalship("node1", "timeline", "--json").out)
        self.assertEqual(report["obstacles"], names)
        cluster.start_daemon("node1")
        wait_until(lambda: cluster.status("node1")["archive"]["obstacles"] == names, 10,
                   "status tells of them, too")
        self.assertIn("3 names in the archive taken by what is no file",
                      cluster.pgwalship("node1", "status").out)

    def test_h8_h39_forks_gaps_and_spans_of_real_servers(self):
        cluster = self.cluster(postgres=True)
        self.promoted(cluster, "node2", "node1")
        cluster.pg_ctl(cluster.dir / "node1" / "data", "-m", "immediate", "stop")
        self.switch(cluster, "node2", 2)
        self.promoted(cluster, "node3", "node2")
        newest = self.switch(cluster, "node3", 2)

        report = self.report(cluster, 0)
        self.assertEqual([(entry["timeline"], entry.get("parent"))
                          for entry in report["timelines"]], [(1, None), (2, 1), (3, 2)])
        self.assertEqual([backup["label"] for backup in report["backups"]],
                         ["of node1", "of node2"])
        for backup in report["backups"]:
            self.assertEqual(backup["state"], "recoverable")
            span = backup["spans"][-1]
            self.assertEqual((span["timeline"], span["reached_timeline"], "gap" in span),
                             (3, 3, False))
        self.assertEqual(report["timelines"][2]["ranges"][-1]["last"], newest)

        # The server that was left behind goes on writing: archived, and told.
        stray = self.switch(cluster, "node2", 2)
        wait_until(lambda: "beyond the fork" in cluster.log("node2"), 10, "the log tells of it")
        self.assertEqual(cluster.log("node2").count("beyond the fork"), 1)
        alarm = cluster.status("node2")["timelines"]["alarms"][0]
        self.assertEqual((alarm["kind"], alarm["timeline"]), ("beyond_fork", 2))
        wait_until(lambda: stray in cluster.archive("node3"), 30, "it is on node3, too")

        # Another server that calls itself timeline 3.
        outcome = cluster.push("node3", "00000003.history", b"1\t0/1000060\tno reason\n")
        self.assertEqual(outcome.code, 3, outcome)
        wait_until(lambda: "split brain: there are two timelines 3" in cluster.log("node3"), 10,
                   "the log has both histories")
        kinds = lambda: [one["kind"] for one in cluster.status("node3")["timelines"]["alarms"]]
        self.assertIn("split_brain", kinds())
        kept = sha256(cluster.archived("node3", "00000003.history"))[:12]
        self.assertEqual(cluster.pgwalship("node3", "conflicts", "resolve", "00000003.history",
                                           "--keep", kept, "--yes").code, 0)
        wait_until(lambda: "split_brain" not in kinds(), 15, "it is decided, and no alarm any more")
        self.assertIn("no longer so: split brain", cluster.log("node3"))
        self.assertEqual(cluster.push("node3", "00000003.history",
                                      b"1\t0/1000060\tother\n").code, 3)
        wait_until(lambda: "split_brain" in kinds(), 10, "another one is another alarm")

        # A hole that nobody can fill.
        lost = report["timelines"][1]["ranges"][0]["first"]
        lost = f"{lost[:16]}{int(lost[16:], 16) + 1:08X}"
        for node in cluster.names:
            (cluster.archive_dir(node) / f"{lost}.gz").unlink()
        cluster.stop_daemon("node3")  # the picture needs no daemon
        report = self.report(cluster, 1)
        self.assertEqual([gap["first"] for gap in report["timelines"][1]["gaps"]], [lost])
        self.assertEqual({fault["kind"] for fault in report["contradictions"]}, {"beyond_fork"})
        span = report["backups"][0]["spans"][-1]
        self.assertEqual((span["timeline"], span["reached_timeline"], span["gap"]["first"]),
                         (3, 2, lost))
        self.assertEqual(report["backups"][1]["spans"][-1]["timeline"], 3)
        self.assertNotIn("gap", report["backups"][1]["spans"][-1])

        picture = cluster.scratch / "timelines.svg"
        outcome = cluster.pgwalship("node3", "timeline", "--svg", picture)
        self.assertEqual(outcome.code, 1, outcome)
        for words in ("NOT WHOLE: 1 gap (1 missing segment)", "3  left timeline 2 at ",
                      f"! gap: {lost}  1 missing", "! beyond the fork: ",
                      "! conflict: another timeline 3 was refused; it came from 1 until 0/1000060",
                      "of node1, "):
            self.assertIn(words, outcome.out)
        self.assertIn("</svg>", picture.read_text())
