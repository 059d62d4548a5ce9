"""check and metrics: what monitoring systems read."""

import json
import re
import shutil
import subprocess
import time
import unittest
import urllib.request

from harness import Case, segment, segment_name, wait_until

OK, WARNING, CRITICAL, UNKNOWN = range(4)
# monitoring-plugins.org, "Development Guidelines"
FIRST_LINE = re.compile(r"^PGWALSHIP (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]*"
                        r"( \|( '[^'=|]+'=[-0-9.]+(s|B|c)?(;[0-9.:]*){0,4})+)?$")


class Check(Case):
    def assert_check(self, cluster, node, code, words, *options):
        outcome = cluster.pgwalship(node, "check", *options)
        self.assertEqual(outcome.code, code, outcome)
        self.assertRegex(outcome.out.split("\n")[0], FIRST_LINE)
        self.assertIn(words, outcome.out)
        return outcome

    def test_check_says_ok_warning_critical_and_unknown(self):
        cluster = self.cluster(quorum="ANY 1 (*)")
        roomy = ("--warning-free", "1MB", "--critical-free", "1MB")
        self.assert_push(cluster.push("node1", segment_name(1), segment(1)), 0)
        for peer in ("node2", "node3"):
            cluster.wait_peer("node1", peer, "current")
        self.assert_check(cluster, "node1", OK, "2 of 2 peers current", *roomy)
        self.assert_check(cluster, "node1", UNKNOWN, "warning-age", "--warning-age", "soon")
        self.assert_check(cluster, "node1", UNKNOWN, "nonsense", "--nonsense")

        cluster.kill("node2")
        cluster.wait_peer("node1", "node2", "down")
        self.assert_check(cluster, "node1", OK, "1 of 2 peers current", *roomy)
        self.assert_check(cluster, "node1", WARNING, "peer node2 down", *roomy,
                          "--warning-peer", "1ms")
        cluster.kill("node3")
        cluster.wait_peer("node1", "node3", "down")
        self.assert_check(cluster, "node1", WARNING, "quorum ANY 1 (*) not held", *roomy,
                          "--critical-quorum", "1h")
        self.assert_check(cluster, "node1", CRITICAL, "quorum ANY 1 (*) not held", *roomy,
                          "--critical-quorum", "0")
        cluster.stop_daemon("node1")
        self.assert_check(cluster, "node1", CRITICAL, "pgwalshipd")

    def test_check_push_ships_a_probe_and_says_which_node_did_not_answer(self):
        cluster = self.cluster(quorum="ANY 1 (*)")
        roomy = ("--push", "--warning-free", "1MB", "--critical-free", "1MB")
        for peer in ("node2", "node3"):
            wait_until(lambda: cluster.peer_status("node1", peer)["counts"], 15, "it counts")
        outcome = self.assert_check(cluster, "node1", OK, "a probe was durable on the quorum",
                                    *roomy)
        self.assertRegex(outcome.out, r"'probe_time'=0\.\d+s;;\d+")
        self.assertIn("'node3_probe_time'=", outcome.out)
        for node in cluster.names:
            self.assertEqual(cluster.temporary_files(node), [])

        cluster.freeze("node3")
        self.assert_check(cluster, "node1", WARNING, "probe: node3: ", *roomy)
        cluster.freeze("node2")
        self.assert_check(cluster, "node1", CRITICAL, "probe: no quorum made it durable", *roomy,
                          "--timeout", "3s")
        cluster.thaw("node2")
        cluster.thaw("node3")

    def test_check_push_sees_an_archive_that_takes_no_new_name(self):
        cluster = self.cluster(nodes=2)
        roomy = ("--push", "--warning-free", "1MB", "--critical-free", "1MB")
        wait_until(lambda: cluster.peer_status("node1", "node2")["counts"], 15, "it counts")
        archive = cluster.archive_dir("node2")
        archive.chmod(0o500)  # tmp/ in it can be written to
        outcome = self.assert_check(cluster, "node1", CRITICAL, "no quorum made it durable: not "
                                    "on node2 (and", *roomy)
        self.assertIn("Permission denied", outcome.out)
        archive.chmod(0o700)
        self.assert_check(cluster, "node1", OK, "a probe was durable on the quorum", *roomy)

    def test_check_push_many_at_once_share_a_probe(self):
        cluster = self.cluster(nodes=2)
        wait_until(lambda: cluster.peer_status("node1", "node2")["counts"], 15, "it counts")
        command = cluster.command("node1", "check", "--push", "--warning-free", "1MB",
                                  "--critical-free", "1MB")
        checks = [cluster.start(command) for _ in range(16)]
        for check in checks:
            out, _ = check.communicate(timeout=60)
            self.assertEqual(check.returncode, OK, out)

    def test_check_push_bears_a_peer_whose_configuration_changes(self):
        cluster = self.cluster(nodes=2)
        roomy = ("--push", "--warning-free", "1MB", "--critical-free", "1MB")
        wait_until(lambda: cluster.peer_status("node1", "node2")["counts"], 15, "it counts")
        connects = cluster.peer_status("node1", "node2")["connects"]
        cluster.configure("node2", "archive", compression_level="2")
        deadline = time.monotonic() + 60
        while cluster.peer_status("node1", "node2")["connects"] == connects:
            self.assertLess(time.monotonic(), deadline, "the receiver ends by itself")
            self.assert_check(cluster, "node1", OK, "a probe was durable", *roomy)
        self.assert_check(cluster, "node1", OK, "a probe was durable", *roomy)

    def test_reconcile_levels_the_archives_now_and_says_what_came_over(self):
        cluster = self.cluster(nodes=2)
        self.assert_push(cluster.push("node1", segment_name(1), segment(1)), 0)
        cluster.wait_peer("node1", "node2", "current")
        # Taken away behind the daemons' backs.
        (cluster.archive_dir("node2") / f"{segment_name(1)}.gz").unlink()
        outcome = cluster.pgwalship("node1", "reconcile", "node2")
        self.assertEqual((outcome.code, outcome.out), (0, "node2: equal, 1 sent\n"), outcome)
        self.assertEqual(cluster.archived("node2", segment_name(1)), segment(1))
        outcome = cluster.pgwalship("node1", "reconcile", "--json")
        self.assertEqual(json.loads(outcome.out)["peers"][0]["state"], "equal")
        self.assertEqual(cluster.pgwalship("node1", "reconcile", "node9").code, 2)

        cluster.kill("node2")
        cluster.wait_peer("node1", "node2", "down")
        outcome = cluster.pgwalship("node1", "reconcile")
        self.assertEqual(outcome.code, 1, outcome)
        self.assertIn("node2: unreachable: ", outcome.out)


class Metrics(Case):
    def assert_well_formed(self, text):
        if shutil.which("promtool") is None:
            raise unittest.SkipTest("promtool is not installed")
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                                 capture_output=True)
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, ""))

    def test_metrics_are_served_and_printed_and_prometheus_finds_nothing_wrong(self):
        cluster = self.cluster(nodes=2)
        cluster.configure("node1", "daemon", **{"metrics-listen": "127.0.0.1:19187"})
        cluster.stop_daemon("node1")
        cluster.start_daemon("node1")
        self.assert_push(cluster.push("node1", segment_name(1), segment(1)), 0)
        printed = cluster.pgwalship("node1", "metrics")
        self.assertEqual(printed.code, 0, printed)
        self.assertIn('pgwalship_pushes_total{outcome="acknowledged"} 1\n', printed.out)
        self.assertIn("pgwalship_push_duration_seconds_count 1\n", printed.out)
        self.assertIn("\npgwalship_archive_bytes ", printed.out)
        self.assert_well_formed(printed.out)
        self.assertIn("pgwalship_archive_reading 0\n", printed.out)
        self.assertIn("pgwalship_archive_fetch_failing 0\n", printed.out)
        offset = wait_until(lambda: re.search(r"clock_offset_seconds\{peer=\"node2\"\} (\S+)",
                                              cluster.pgwalship("node1", "metrics").out), 10,
                            "the peer's clock is known")
        self.assertLess(abs(float(offset.group(1))), 1)
        self.assertIn('clock_offset_error_seconds{peer="node2"}',
                      cluster.pgwalship("node1", "metrics").out)
        with urllib.request.urlopen("http://127.0.0.1:19187/metrics", timeout=10) as answer:
            served = answer.read().decode()
        names = {line.split()[2] for line in served.splitlines() if line.startswith("# TYPE pg")}
        self.assertEqual(names, {line.split()[2] for line in printed.out.splitlines()
                                 if line.startswith("# TYPE")})
        self.assertIn("pgwalship_up 1\n", served)
