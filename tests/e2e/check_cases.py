"""check and metrics: what monitoring systems read."""

import re

from harness import Case, segment, segment_name

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
