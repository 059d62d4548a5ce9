"""What pgwalship-cluster makes of a file, compared with golden files; and what it refuses."""

import os
import pathlib
import re
import subprocess
import sys
import unittest
import xml.etree.ElementTree as ET

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOP / "cluster"))

from pgwalship_cluster import (apply, archive, cib, config, corosync, facts, files, health,  # noqa: E402
                               ini, postgres, scripts, timing)

LAB = TOP / "tests/lab/pgwalship.conf"
TWO_SITES = HERE / "two_sites.conf"


def golden(test, name, text):
    """Compares with a file; PGWALSHIP_GOLDEN=write makes it."""
    path = HERE / "golden" / name
    if os.environ.get("PGWALSHIP_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    test.maxDiff = None
    test.assertEqual(path.read_text(), text)


def problems(text):
    try:
        config.parse(text, "f.conf")
    except ini.Problems as found:
        return str(found)
    return ""


def changed(old, new, base=LAB):
    text = base.read_text()
    assert old in text, old
    return text.replace(old, new, 1)


class Rendering(unittest.TestCase):
    def test_all_files_of_the_lab(self):
        self._golden(LAB, "lab")

    def test_all_files_of_two_sites_with_two_levels_of_fencing(self):
        self._golden(TWO_SITES, "two_sites")

    def _golden(self, path, name):
        cluster = config.load(path)
        text = ""
        keys = {n.name: f"ssh-ed25519 AAAA-{n.name} comment" for n in cluster.nodes}
        collected = files.Collected(keys, {n: [key] for n, key in keys.items()})
        secret = files.Secrets(b"the key", "the password")
        for node in cluster.nodes:
            for file in files.node_files(cluster, node, secret, collected, True):
                if file.path == files.CONFIG:
                    continue
                text += f"==> {node.name}:{file.path} {file.owner} {file.mode:04o}\n"
                text += "(secret)\n" if file.secret else file.content.decode()
        golden(self, f"{name}.files", text)
        golden(self, f"{name}.cib.xml", cib.text(cluster))

    def test_render_prints_no_secret_and_asks_no_node(self):
        done = subprocess.run([TOP / "cluster/pgwalship-cluster", "--config", LAB, "render"],
                              capture_output=True, text=True, check=True)
        self.assertIn("replication.pgpass (postgres, 0600)", done.stdout)
        self.assertIn("(made by apply, not shown)", done.stdout)
        self.assertNotIn("SCRAM-SHA-256$", done.stdout)

    def test_the_commands_of_a_new_node_are_rendered_too(self):
        cluster = config.load(TWO_SITES)
        first, second, _, outside = (scripts.new_node(cluster, node) for node in cluster.nodes)
        for text, has, lacks in (
                (first, "bin/initdb", "bin/pg_basebackup"), (first, "CREATE ROLE", "SCRAM-SHA-256"),
                (second, "pg_basebackup -D /srv/postgresql/15 -d 'host=10.1.0.11 ", "bin/initdb"),
                (outside, "systemctl restart pgwalship-standby", "service corosync")):
            self.assertIn(has, text)
            self.assertNotIn(lacks, text)
            subprocess.run(["sh", "-n"], input=text.encode(), check=True)

    def test_secret_files_are_for_their_owner_alone(self):
        cluster = config.load(LAB)
        for file in files.node_files(cluster, cluster.nodes[0], None, files.Collected(), True):
            if file.secret:
                self.assertEqual(0, file.mode & 0o077, file.path)

    def test_replication_is_limited_to_the_nodes_addresses(self):
        lines = postgres.hba_lines(config.load(TWO_SITES))
        for line in lines:
            words = line.split()
            if "replicator" in words:
                self.assertTrue(words[3].endswith("/32"), line)
                self.assertEqual("scram-sha-256", words[4])
        self.assertFalse([line for line in lines if "trust" in line])

    def test_a_key_may_start_the_receiver_and_nothing_else(self):
        cluster = config.load(LAB)
        keys = {node.name: "ssh-ed25519 AAAA" for node in cluster.nodes}
        lines = archive.authorized_keys(cluster, cluster.nodes[0], keys)
        self.assertEqual(2, len(lines))
        for line in lines:
            self.assertTrue(line.startswith('restrict,command="/usr/bin/pgwalship receive --from '))

    def test_the_password_is_stored_as_postgresql_would(self):
        # RFC 7677's example, whose server signature is known: the same keys.
        import base64
        text = postgres.scram_verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
        self.assertEqual("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
                         "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
                         "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=", text)
        self.assertNotIn("hidden", scripts.make_role(config.load(LAB), "hidden"))

    def test_two_nodes_get_two_node_mode(self):
        text = changed("node = pgdb3.example.com site=sitea address=10.10.10.103\n", "")
        text = text.replace("second-ring = pgdb3.example.com 10.10.20.103\n", "")
        self.assertIn("two_node: 1", corosync.corosync_conf(config.parse(text, "f")))

    def test_the_agent_gets_no_quote_in_its_restore_command(self):
        for command in (postgres.RESTORE_COMMAND, postgres.CLEANUP_COMMAND):
            self.assertNotIn("'", command)


class Times(unittest.TestCase):
    def test_what_must_fit_fits(self):
        for path in (LAB, TWO_SITES):
            cluster = config.load(path)
            self.assertEqual([], timing.check(cluster))
            for what, seconds, limit, most in timing.table(cluster):
                self.assertLessEqual(seconds, most, f"{what} in {limit}")

    def test_h15_a_stopping_server_is_not_killed_while_it_archives(self):
        cluster = config.load(LAB)
        times = timing.timing(cluster)
        self.assertGreaterEqual(times.stop_escalate, timing.slowest_stop(cluster.push_timeout))
        self.assertGreaterEqual(times.stop_timeout - times.stop_escalate, 10)

    def test_a_slow_push_is_refused(self):
        text = changed("[archive]", "push-timeout = 60s\n[archive]")
        self.assertIn("push-timeout", timing.check(config.parse(text, "f"))[0])


class Refusals(unittest.TestCase):
    def test_says_file_line_and_key_and_all_at_once(self):
        text = changed("client-ip = 10.10.10.105/24", "client-ip = 10.10.10.105")
        text = text.replace("fence = power fence_lab", "fence = power")
        said = problems(text)
        self.assertRegex(said, r"f.conf:\d+: \[pacemaker\] client-ip: '10.10.10.105' has no prefix")
        self.assertRegex(said, r"f.conf:\d+: \[pacemaker\] fence: 'power' is not understood")

    def test_a_password_in_the_file(self):
        said = problems(changed("fence = power fence_lab", "fence = a fence_ipmilan password=x"))
        self.assertIn("'password' would be readable by everybody", said)

    def test_every_kind_of_secret_in_the_file(self):
        for key in ("passwd", "snmp_priv_passwd", "secret_key", "vmtoken", "community"):
            said = problems(changed("fence = power fence_lab", f"fence = a fence_x {key}=x"))
            self.assertIn(f"'{key}' would be readable by everybody (HINT", said)
            self.assertNotIn("=x", said)

    def test_the_nodes_of_corosync_which_is_made_from_this_file(self):
        """pgwalshipd can take its nodes from corosync.conf; here that would be a circle."""
        words = ("[cluster] node: Corosync's configuration is made from these lines "
                 "(HINT: list the nodes, one line each)")
        for line in ("node = corosync", "node = corosync site=sitea"):
            said = problems(changed("[archive]", f"{line}\n[archive]"))
            self.assertRegex(said, rf"^f.conf:\d+: {re.escape(words)}$")
        alone = re.sub(r"(?m)^node = .*\n", "", LAB.read_text())
        said = problems(alone.replace("[cluster]\n", "[cluster]\nnode = corosync\n"))
        self.assertIn(words, said)
        self.assertNotIn("[cluster] node: missing", said)

    def test_an_address_or_a_name_that_is_there_twice(self):
        for old, new, said in (
                ("10.10.10.102", "10.10.10.101",
                 "'pgdb2.example.com' has the address of 'pgdb1.example.com'"),
                ("node = pgdb2", "node = pgdb1", "'pgdb1.example.com' has the name of"),
                ("10.10.10.105/24", "10.10.10.104/24", "replication-ip has the address of client-ip"),
                ("10.10.10.105/24", "10.10.10.103/24",
                 "client-ip has the address of node 'pgdb3.example.com'"),
                ("10.10.20.102", "10.10.20.101", "has the address of second-ring of"),
                ("fence = power fence_lab", "fence = p fence_lab\nfence = p fence_lab",
                 "'p' is there twice")):
            self.assertIn(said, problems(changed(old, new)))

    def test_empty_files_and_missing_keys_are_said_all_at_once(self):
        said = problems("")
        for key in ("client-ip", "replication-ip", "directory", "data-directory", "identity", "node"):
            self.assertRegex(said, rf"f.conf:1: \[[a-z]+\] {key}: missing")

    def test_a_node_that_nothing_fences(self):
        said = problems(changed("fence_lab", "fence_lab nodes=pgdb1.example.com"))
        self.assertIn("nothing fences pgdb2.example.com, pgdb3.example.com", said)

    def test_a_member_without_an_ip_address(self):
        said = problems(changed("address=10.10.10.102", "address=pgdb2"))
        self.assertIn("'pgdb2.example.com' needs address=IP", said)

    def test_half_a_second_ring(self):
        said = problems(changed("second-ring = pgdb2.example.com 10.10.20.102\n", ""))
        self.assertIn("missing for pgdb2.example.com", said)

    def test_the_agents_directory_inside_of_the_data(self):
        said = problems(LAB.read_text() + "postgres-tmp = /var/lib/postgresql/15/main/tmp\n")
        self.assertIn("inside of the data directory", said)

    def test_the_keys_are_those_that_the_daemon_knows(self):
        text = (TOP / "cmd/pacemaker_keys.cc").read_text()
        known = set(re.findall(r'\{"pacemaker", "([a-z-]+)"', text))
        self.assertEqual(known, {*config.PACEMAKER_KEYS, *config.PACEMAKER_LISTS})

    def test_the_fencing_examples_of_the_guide_are_understood(self):
        text = (TOP / "docs/cluster.md").read_text()
        fences = re.findall(r"(?m)^    (fence = .*)$", text)
        self.assertGreaterEqual(len({line.split()[3] for line in fences}), 5)
        self.assertEqual("", problems(changed("fence = power fence_lab", "\n".join(fences))))

    def test_the_guide_shows_the_labs_file_and_its_times(self):
        text = (TOP / "docs/cluster.md").read_text()
        for line in LAB.read_text().splitlines()[1:]:
            self.assertIn(line, text)
        for _, seconds, _, most in timing.table(config.load(LAB)):
            self.assertRegex(text, rf"\| {seconds:.0f} s \|.*\| {most:.0f} s \|")

    def test_the_examples_are_understood(self):
        text = (TOP / "docs/pgwalship.conf.example").read_text()
        section = text[text.index("[pacemaker]"):]
        keys = re.sub(r"(?m)^#(?=[a-z])", "", section)
        keys = "\n".join(line for line in keys.splitlines() if not line.startswith("second-ring"))
        start = changed("[pacemaker]", "[was]").split("[was]")[0]
        self.assertEqual("", problems(start + keys))


class TheCib(unittest.TestCase):
    RUNNING = """<cib validate-with="pacemaker-3.9" epoch="7"><configuration>
<crm_config><cluster_property_set id="cib-bootstrap-options">
<nvpair id="dc" name="dc-version" value="2.1.5"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="pgdb1.example.com"><instance_attributes id="n1">
<nvpair id="x" name="postgresql-data-status" value="LATEST"/></instance_attributes></node></nodes>
<resources/><constraints><rsc_location id="cli-ban-x" rsc="mspostgresql" node="pgdb1.example.com"
score="-INFINITY"/></constraints></configuration><status><node_state id="1"/></status></cib>"""

    def setUp(self):
        self.cluster = config.load(LAB)

    def test_merging_keeps_what_is_not_ours(self):
        merged = cib.merged(self.cluster, self.RUNNING)
        for kept in ("postgresql-data-status", "dc-version", "cli-ban-x"):
            self.assertIn(kept, merged)
        self.assertNotIn("node_state", merged)

    def test_a_ban_that_was_forgotten_is_told_of(self):
        self.assertEqual(["cli-ban-x"], cib.made_by_hand(self.RUNNING))

    def test_merged_once_nothing_differs(self):
        self.assertTrue(cib.differences(self.cluster, self.RUNNING))
        merged = cib.merged(self.cluster, self.RUNNING)
        self.assertEqual([], cib.differences(self.cluster, merged))

    def test_a_value_that_was_changed_by_hand_is_seen(self):
        merged = cib.merged(self.cluster, self.RUNNING).replace(
            'name="restart_on_promote" value="false"', 'name="restart_on_promote" value="true"')
        self.assertEqual(["resources: 'mspostgresql' differs"],
                         cib.differences(self.cluster, merged))

    def test_ids_are_unique(self):
        for path in (LAB, TWO_SITES):
            ids = [e.get("id") for e in ET.fromstring(cib.text(config.load(path))).iter()
                   if e.get("id")]
            self.assertEqual(len(ids), len(set(ids)))

    def test_a_node_does_not_fence_itself(self):
        text = cib.text(config.load(TWO_SITES))
        self.assertIn('rsc="fence-ipmi1" node="db1.example.com" score="-INFINITY"', text)


class OnNodes(unittest.TestCase):
    def test_facts_are_read_back(self):
        found = facts.parse("hostname a\nmissing crm_mon\nlink-key ssh-ed25519 AAAA x\n"
                            "host-key ssh-ed25519 BBBB\ndatabase yes\nlock yes\nenabled corosync\n"
                            "file /etc/x abc 600 root\n")
        self.assertEqual(("a", ["crm_mon"], "yes", True), (found.hostname, found.missing,
                                                           found.database, found.lock))
        self.assertEqual(("abc", "600", "root"), found.files["/etc/x"])

    def test_a_file_is_stale_when_content_mode_or_owner_differ(self):
        file = files.File("/etc/x", b"content\n")
        have = facts.Facts(files={"/etc/x": facts.expected(file)})
        self.assertEqual([], facts.stale([file], have))
        have.files["/etc/x"] = (*facts.expected(file)[:2], "nobody")
        self.assertEqual([file], facts.stale([file], have))

    def test_installing_a_block_leaves_the_operators_lines(self):
        import tempfile
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "pg_hba.conf"
            path.write_text("# mine\n")
            user = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()
            group = subprocess.run(["id", "-gn"], capture_output=True, text=True).stdout.strip()
            for content in (b"one\n", b"two\n"):
                file = files.File(str(path), content, user, group, 0o600, block=True)
                subprocess.run(["sh", "-es"], input=scripts.install([file]).encode(), check=True)
            self.assertEqual("# BEGIN pgwalship-cluster\ntwo\n# END pgwalship-cluster\n# mine\n",
                             path.read_text())
            self.assertEqual(0o600, path.stat().st_mode & 0o777)

    def test_an_archive_is_made_but_a_mount_point_that_was_shut_stays_so(self):
        import dataclasses
        import getpass
        import tempfile
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "archive"
            cluster = dataclasses.replace(config.load(LAB), archive_directory=str(path),
                                          ssh_user=getpass.getuser())
            for before, after in ((None, 0o700), (0o755, 0o700), (0, 0)):
                if before is not None:
                    path.chmod(before)
                subprocess.run(["sh", "-es"], input=scripts.make_archive(cluster).encode(), check=True)
                self.assertEqual(after, path.stat().st_mode & 0o777)

    def test_scripts_are_sound(self):
        cluster = config.load(LAB)
        node = cluster.nodes[0]
        wanted = files.node_files(cluster, node, None, files.Collected(), True)
        for text in (scripts.facts(cluster, wanted), scripts.install(wanted), scripts.START,
                     scripts.DISABLE, scripts.STOP_DEFAULT, scripts.make_link_key(cluster, node),
                     scripts.make_directories(cluster), scripts.initdb(cluster),
                     scripts.start_alone(cluster, node), scripts.make_role(cluster, "x"),
                     scripts.clone(cluster, "10.0.0.1"), scripts.stop_server(cluster), scripts.start_outside(cluster, True)):
            subprocess.run(["sh", "-n"], input=text.encode(), check=True)


class Planning(unittest.TestCase):
    def setUp(self):
        self.cluster = config.load(TWO_SITES)
        self.found = {node: facts.Facts(hostname=node.name) for node in self.cluster.nodes}

    def _refusals(self):
        return "\n".join(apply.refusals(self.cluster, self.found))

    def test_empty_machines_are_taken(self):
        self.assertEqual("", self._refusals())

    def test_what_is_in_the_way_is_said_with_what_to_do(self):
        first, second, third, outside = self.cluster.nodes
        self.found[first].missing = ["corosync"]
        self.found[second].hostname = "localhost"
        self.found[second].foreign = True
        self.found[third].database = "elsewhere"
        outside_missing = self.found[outside]
        outside_missing.missing = ["corosync", "pgwalshipd",
                                   f"{self.cluster.postgres_bin}/pg_ctl"]
        said = self._refusals()
        for words in ("db1.example.com: missing: corosync (HINT", "calls itself 'localhost' (HINT",
                      "db2.example.com: it belongs to another cluster (HINT",
                      "has its configuration elsewhere (HINT",
                      "db4.example.com: missing: pgwalshipd, /usr/lib/postgresql/15/bin/pg_ctl (HINT: "
                      "install postgresql-15 pgwalship)"):
            self.assertIn(words, said)

    def test_servers_of_different_origin_are_refused(self):
        first, second, *_ = self.cluster.nodes
        self.found[first].system_id, self.found[second].system_id = "1", "2"
        self.assertIn("of different origin", self._refusals())

    def test_a_server_that_is_there_is_copied_and_never_made_anew(self):
        second = self.cluster.nodes[1]
        self.found[second].database = "yes"
        self.assertEqual(second, apply.bootstrap_node(self.cluster, self.found))
        words = [f"{name}: {what}" for name, what in apply.steps(
            self.cluster, self.found, {node: [] for node in self.cluster.nodes}, [])]
        self.assertFalse([line for line in words if "make a new server" in line])
        self.assertIn("db1.example.com: copy the server from the primary", words)

    def test_after_an_interruption_the_first_server_is_copied_and_not_a_copy(self):
        first, second, third, _ = self.cluster.nodes
        for node, state in ((first, "copied"), (second, "shut down"), (third, "")):
            self.found[node].database, self.found[node].state = "yes" if state else "", state
        self.assertEqual(second, apply.bootstrap_node(self.cluster, self.found))
        self.found[first].state = "in archive recovery"
        self.assertEqual(second, apply.bootstrap_node(self.cluster, self.found))

    def test_a_finished_cluster_has_nothing_to_do(self):
        for node in self.cluster.nodes:
            self.found[node] = facts.Facts(
                hostname=node.name, link_key="x", archive=True, database="yes", corosync=True,
                nodelist=corosync.nodelist(self.cluster), pacemaker=True, enabled={"corosync", "pacemaker"})
        self.assertEqual([], apply.steps(self.cluster, self.found,
                                         {node: [] for node in self.cluster.nodes}, []))


    def test_a_running_corosync_that_lacks_a_member_is_told(self):
        """Also when its file is right already, because apply was interrupted after writing it."""
        first, second, third, _ = self.cluster.nodes
        whole = corosync.nodelist(self.cluster)
        self.assertIn("nodeid=3", whole)
        for node in (first, second, third):
            self.found[node].corosync, self.found[node].nodelist = True, whole
        self.found[second].nodelist = whole.replace("nodeid=3", "")
        self.assertEqual([second], apply.corosync_behind(self.cluster, self.found))
        self.assertIn((second.name, "corosync reads its configuration again"), apply.steps(
            self.cluster, self.found, {node: [] for node in self.cluster.nodes}, []))


class Health(unittest.TestCase):
    def setUp(self):
        self.cluster = config.load(LAB)
        self.text = (HERE / "crm_mon.xml").read_text()

    def test_a_whole_cluster_has_no_troubles(self):
        self.assertEqual([], health.troubles(self.cluster, health.parse(self.text)))

    def test_what_is_wrong_is_said(self):
        text = self.text.replace('name="pgwalship-quorum" value="held"',
                                 'name="pgwalship-quorum" value="lost"')
        said = health.troubles(self.cluster, health.parse(text))
        self.assertIn("the archive on pgdb1.example.com has no quorum", said)

    def test_no_answer_is_no_health(self):
        self.assertTrue(health.troubles(self.cluster, health.Health()))


class Agents(unittest.TestCase):
    def test_node_attributes_come_from_the_status_report(self):
        import json
        report = {"archive": {"complete": True, "missing": 0, "error": "", "ranges": [
            {"timeline": 2, "last": "000000020000000000000007"},
            {"timeline": 1, "last": "000000010000000000000009"}]},
            "quorum": {"held": False}, "timelines": {"troubles": [{"missing_segments": 3}]}}
        done = subprocess.run([TOP / "cluster/ocf/node-attributes"], input=json.dumps(report),
                              capture_output=True, text=True, check=True)
        self.assertEqual("pgwalship-archive complete\npgwalship-quorum lost\n"
                         "pgwalship-last 000000020000000000000007\npgwalship-gaps 3\n", done.stdout)

    def test_the_alert_agent_says_it_in_a_sentence(self):
        import tempfile
        with tempfile.NamedTemporaryFile("r") as file:
            for kind, more in (
                    ("node", {"node": "pgdb1", "desc": "lost"}),
                    ("attribute", {"node": "pgdb1", "attribute_name": "pgwalship-quorum",
                                   "attribute_value": "lost"}),
                    ("resource", {"rc": "0", "target_rc": "0", "task": "monitor"}),
                    ("resource", {"rc": "1", "target_rc": "0", "task": "monitor",
                                  "desc": "Cancelled"})):
                environment = {**os.environ, "CRM_alert_kind": kind, "CRM_alert_timestamp": "now",
                               "CRM_alert_recipient": file.name,
                               **{f"CRM_alert_{key}": value for key, value in more.items()}}
                subprocess.run([TOP / "cluster/alerts/pgwalship-alert"], env=environment,
                               check=True)
            self.assertEqual(["now node pgdb1 is now lost",
                              "now pgdb1: the archive has no quorum, WAL piles up; run pgwalship "
                              "status there"], file.read().splitlines())


if __name__ == "__main__":
    unittest.main()
