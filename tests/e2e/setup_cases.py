"""The README's way to three nodes, command for command, and what `config --check` says when it is
not right."""

import os
import pty
import re
import shutil
import subprocess

import harness
from harness import needs_isolation, wait_until
from machines import HOME, MachinesCase, readme


@needs_isolation
class ReadmeSetUp(MachinesCase):
    def check(self, node, code):
        done = node.run(readme("pgwalship config --check"))
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def make_keys(self):
        install = "install -d -m 0700 -o postgres -g postgres /var/lib/postgresql/archive"
        lines = {}
        for node in self.nodes:
            self.ok(node, readme(install))
            lines[node.k] = self.ok(node, readme("pgwalship keys create"))
            self.assertTrue(lines[node.k].startswith(
                'restrict,command="/usr/local/bin/pgwalship receive --from pgdb'), lines[node.k])
        readme("Append it to `/var/lib/postgresql/.ssh/authorized_keys` on the *other* nodes")
        for node in self.nodes:
            keys = node.home / ".ssh" / "authorized_keys"
            keys.write_text("".join(line for k, line in lines.items() if k != node.k))
            shutil.chown(keys, "postgres", "postgres")
        return lines

    def pin(self, node):
        ours, theirs = pty.openpty()
        os.write(ours, b"yes\nyes\n")
        done = node.run(readme("pgwalship keys pin"), stdin=theirs)
        os.close(ours)
        os.close(theirs)
        self.assertEqual(done.returncode, 0, done.stderr)
        for peer in self.nodes:
            if peer is not node:
                shown = self.ok(peer, "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
                self.assertIn(shown.split()[1], done.stderr)

    def start_postgres(self):
        first = self.nodes[0]
        pg = harness.postgres_bin()
        data = f"{HOME}/15/main"
        self.ok(first, f"{pg}/initdb -D {data} -A trust -N", user="postgres")
        for node in self.nodes[1:]:  # as pg_basebackup would: of the same system
            subprocess.run(["cp", "-a", first.home / "15", node.home], check=True)
        settings = readme("archive_mode = on") + "\n"
        for line in ("archive_command = 'pgwalship push %p %f'",
                     "restore_command = 'pgwalship fetch %f %p'"):
            settings += readme(line) + "\n"
        with open(first.home / "15" / "main" / "postgresql.conf", "a") as conf:
            conf.write(settings + "unix_socket_directories = '/run/postgresql'\n"
                       "listen_addresses = ''\n")
        self.ok(first, f"{pg}/pg_ctl -D {data} -l {HOME}/log -w start >/dev/null", user="postgres")

    def test_the_readme_leads_to_three_nodes_that_archive(self):
        one, two, three = self.nodes
        self.make_keys()
        text = self.check(one, 1)
        self.assertIn("HINT: pgwalship keys pin", text)
        for node in self.nodes:
            self.pin(node)
        self.start_postgres()
        readme("`pgwalshipd --foreground`")
        for node in self.nodes:
            node.start(["pgwalshipd", "--foreground"], "pgwalshipd", user="postgres")
        text = self.check(one, 0)
        for words in ("OK    receiver", "OK    clock", "OK    round trip", "OK    archive_command"):
            self.assertIn(words, text)
        wait_until(lambda: one.run("pgwalship status --json").stdout.count('"counts": true') == 2
                   or one.run("pgwalship status --json").stdout.count('"counts":true') == 2,
                   30, "both peers count")
        self.ok(one, "psql -q -c 'create table t (i int)' -c 'select pg_switch_wal()'",
                user="postgres")
        wait_until(lambda: list((two.home / "archive").glob("0*.gz")), 30, "a segment on a peer")
        wait_until(lambda: list((three.home / "archive").glob("0*.gz")), 30, "and on the other")

    def test_config_check_by_root_sees_what_the_daemon_sees(self):
        one = self.nodes[0]
        self.make_keys()
        self.start_postgres()
        service = one.home / ".pg_service.conf"
        service.write_text("[mine]\nhost=/run/postgresql\nuser=postgres\ndbname=postgres\n")
        conf = one.dir / "etc" / "pgwalship" / "pgwalship.conf"
        conf.write_text(re.sub("conninfo = .*", "conninfo = service=mine", conf.read_text()))
        check = "HOME=/root pgwalship config --check"
        self.assertIn("version 15, primary", one.run(check).stdout)
        # The mount point of an archive that is not mounted, as the README has it made.
        os.chown(one.home / "archive", 0, 0)
        (one.home / "archive").chmod(0)
        text = one.run(check).stdout
        self.assertIn("OK    user               postgres\n", text)
        self.assertIn("use '/var/lib/postgresql/archive' as postgres: Permission denied", text)
        self.assertIn("is its file system mounted?", text)
        done = one.run("pgwalship verify")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("there is no archive in '/var/lib/postgresql/archive'", done.stderr)

    def test_pinning_says_who_may_not_write(self):
        one = self.nodes[0]
        self.make_keys()
        one.conf.write_text(re.sub("known-hosts = .*", "known-hosts = /etc/pgwalship/known_hosts",
                                   one.conf.read_text()))
        done = one.run("pgwalship keys pin --yes")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("HINT: may the user 'postgres' write into '/etc/pgwalship'?", done.stderr)

    def test_config_check_finds_a_peer_that_cannot_store(self):
        one, two, three = self.nodes
        self.make_keys()
        for node in self.nodes:
            self.pin(node)
            node.start(["pgwalshipd", "--foreground"], "pgwalshipd", user="postgres")
        tmp = two.home / "archive" / ".pgwalship" / "tmp"
        wait_until(lambda: tmp.exists() and (three.home / "archive" / ".pgwalship").exists(), 10,
                   "the daemons have made their archives")
        tmp.chmod(0o500)
        failed = [line for line in self.check(one, 1).splitlines() if "write a probe" in line]
        self.assertEqual(len(failed), 1, failed)
        self.assertRegex(failed[0], r"FAIL +archive .*Permission denied")

    def test_config_check_finds_each_thing_that_is_wrong_with_a_peer(self):
        one, two, three = self.nodes
        lines = self.make_keys()
        self.pin(one)
        keys = two.home / ".ssh" / "authorized_keys"
        keys.write_text(lines[1].replace("restrict,", "").replace(
            lines[1][lines[1].index('command="'):lines[1].index('" ') + 2], ""))
        three_keys = three.home / ".ssh" / "authorized_keys"
        three_keys.write_text(lines[1].replace("--from pgdb1", "--from pgdb2"))
        text = self.check(one, 1)
        self.assertIn("not tied to a command: it opens a shell there", text)
        self.assertIn("there is no archive in '/var/lib/postgresql/archive' on this node", text)
        # A daemon makes one when it starts.
        self.ok(three, f"mkdir -m 0700 {HOME}/archive/.pgwalship", user="postgres")
        self.assertIn("the key of this connection belongs to 'pgdb2.example.com'",
                      self.check(one, 1))

        keys.write_text("")
        three.sshd.kill()
        three.sshd.wait()
        text = self.check(one, 1)
        self.assertIn("is refused", text)
        self.assertIn("authorized_keys of postgres on", text)
        self.assertIn("needs the line: " + lines[one.k].rsplit(" ", 1)[0] + "\n", text)
        self.assertIn("nobody listens there", text)

        (one.home / ".ssh" / "pgwalship").chmod(0o644)
        conf = one.dir / "etc" / "pgwalship" / "pgwalship.conf"
        self.assertIn("is open to others", self.check(one, 1))
        conf.write_text(conf.read_text().replace("quorum = ANY 1", "quorum = ANY 7")
                        .replace("identity", "identiti"))
        text = self.check(one, 2)
        self.assertIn("quorum", text)
        self.assertIn("did you mean 'identity'?", text)


