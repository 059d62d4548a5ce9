"""The replication password: in a file on each node, and stored by the primary's role. Which of them
counts when they differ, and what is said of it; on a real cluster it is the lab's scenario `password`."""

import pathlib
import sys
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOP / "cluster"))

from pgwalship_cluster import (apply, config, facts, files, postgres, remote,  # noqa: E402
                               verify)

PASSWORD, OTHER = "of all nodes", "of one node"
ROLE = postgres.scram_verifier(PASSWORD, b"salt")


class Nodes:
    """Answers to the two commands that read a secret, and to a login."""

    def __init__(self, passwords, keys, login=(0, "1\n")):
        self.passwords, self.keys, self._login = passwords, keys, login

    def run(self, node, script, timeout=0):
        if "base64" in script:
            return self.keys[node.number - 1] + "\n"
        return f"*:5432:*:replicator:{self.passwords[node.number - 1]}\n"

    def ask(self, node, script, timeout=0):
        return remote.Answer(*self._login, "")


class Password(unittest.TestCase):
    def setUp(self):
        self.cluster = config.load(TOP / "tests/lab/pgwalship.conf")
        self.first, self.second, self.third = self.cluster.nodes

    def _site(self, passwords, keys=("a2V5",) * 3, role=ROLE, **more):
        found = {}
        for node, password, key in zip(self.cluster.nodes, passwords, keys):
            found[node] = facts.Facts(password=password and f"hash of {password}",
                                      authkey=key and f"hash of {key}", database="yes")
        found[self.second].role = role  # the primary
        return verify.Verify(self.cluster, Nodes(passwords, keys, **more), str), found

    def test_all_the_same(self):
        site, found = self._site([PASSWORD] * 3)
        self.assertEqual(files.Secrets(b"key", PASSWORD), site.secrets(found))
        self.assertIsNone(site.unfit_role(found, site.secrets(found)))
        self.assertEqual([], site._password(found, site.secrets(found)))

    def test_a_file_that_was_changed_gives_way_to_what_the_role_takes(self):
        """Also the first node's, and when most files were changed."""
        for passwords in ([OTHER, PASSWORD, PASSWORD], [OTHER, OTHER, PASSWORD]):
            site, found = self._site(passwords)
            self.assertEqual(PASSWORD, site.secrets(found).replication_password)
            self.assertIsNone(site.unfit_role(found, site.secrets(found)))

    def test_a_role_that_was_changed_gives_way_to_the_files(self):
        site, found = self._site([PASSWORD] * 3, role=postgres.scram_verifier("by hand", b"salt"))
        secret = site.secrets(found)
        self.assertEqual(PASSWORD, secret.replication_password)
        self.assertEqual(self.second, site.unfit_role(found, secret))
        words = apply.steps(self.cluster, found, {node: [] for node in found}, [], self.second)
        self.assertIn(("pgdb2.example.com", "give the role replicator the password of "
                       "/etc/pgwalship/replication.pgpass"), words)
        said = site._password(found, secret)
        self.assertEqual(1, len(said))
        self.assertRegex(said[0], r"^pgdb2.example.com: the role replicator does not take .* \(HINT: "
                         "pgwalship-cluster apply")
        self.assertNotIn(PASSWORD, said[0])

    def test_a_role_that_is_gone_may_not_log_in_or_has_another_kind_of_password(self):
        for role in ("none", "md5f3ac5a5dd5ba7f8ba4ea3b3b0d7bd3f1", "SCRAM-SHA-256$4096:broken"):
            site, found = self._site([PASSWORD] * 3, role=role)
            self.assertEqual(self.second, site.unfit_role(found, site.secrets(found)), role)

    def test_without_a_primary_what_most_have_counts_and_nothing_is_said_of_the_role(self):
        site, found = self._site([OTHER, PASSWORD, PASSWORD], role="")
        self.assertEqual(PASSWORD, site.secrets(found).replication_password)
        self.assertIsNone(site.unfit_role(found, site.secrets(found)))

    def test_the_key_that_most_have_counts(self):
        site, found = self._site([PASSWORD] * 3, keys=("b3RoZXI=", "a2V5", "a2V5"))
        self.assertEqual(b"key", site.secrets(found).authkey)

    def test_a_password_that_no_node_has_any_more_is_made_anew_and_the_key_is_not(self):
        site, found = self._site([""] * 3)
        secret = site.secrets(found)
        self.assertEqual("", secret.replication_password)
        made = site.complete(secret)
        self.assertEqual(b"key", made.authkey)
        self.assertGreater(len(made.replication_password), 20)
        self.assertEqual(self.second, site.unfit_role(found, made))

    def test_a_standby_that_cannot_log_in_is_named_with_the_servers_words(self):
        site, found = self._site([PASSWORD] * 3, login=(
            2, 'psql: error: connection failed: FATAL:  password authentication failed for user "r"\n'
            'password retrieved from file "/etc/pgwalship/replication.pgpass"\n'))
        said = site._password(found, site.secrets(found))
        self.assertEqual(["pgdb1.example.com", "pgdb3.example.com"],
                         [line.split(":")[0] for line in said])
        self.assertIn("at the primary: connection failed: FATAL:  password authentication failed",
                      said[0])

    def test_postgresqls_own_iterations_are_read_and_not_assumed(self):
        self.assertTrue(postgres.scram_fits("p", postgres.scram_verifier("p", b"s", 5000)))
        self.assertFalse(postgres.scram_fits("q", postgres.scram_verifier("p", b"s", 5000)))
        self.assertFalse(postgres.scram_fits("", postgres.scram_verifier("", b"s")))


class Daemon(unittest.TestCase):
    def test_a_daemon_that_runs_with_older_files_is_told_of_once(self):
        cluster = config.load(TOP / "tests/lab/pgwalship.conf")
        node = cluster.nodes[0]
        config_file = files.File(files.CONFIG, b"", user="pgwalshipd")
        self.assertTrue(apply.behind(facts.Facts(behind=True), []))
        self.assertFalse(apply.behind(facts.Facts(behind=True), [config_file]))
        found = {n: facts.Facts(behind=n is node) for n in cluster.nodes}
        words = [f"{name}: {what}" for name, what in apply.steps(
            cluster, found, {n: [] for n in cluster.nodes}, []) if "pgwalshipd" in what]
        self.assertEqual([f"{node.name}: pgwalshipd starts again, with its new files"], words)


if __name__ == "__main__":
    unittest.main()
