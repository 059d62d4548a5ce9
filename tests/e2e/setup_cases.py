"""The README's way to three nodes, command for command: each node with a host name, an /etc, a home
of postgres and an sshd on port 22 of its own. And what `config --check` says when it is not right."""

import os
import pathlib
import pty
import shutil
import subprocess
import tempfile
import unittest

import harness
from harness import TOP, needs_isolation, wait_until

README = (TOP / "README.md").read_text()
NAMES = [f"pgdb{k}.example.com" for k in (1, 2, 3)]
HOME = "/var/lib/postgresql"
PREPARE = """
set -e
mount --make-rprivate /
hostname {name}
mount --bind {dir}/home {home}
mount --bind {dir}/etc /etc
mount --bind {bin} /usr/local/bin
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd /run/postgresql /run/pgwalship
chown postgres /run/postgresql /run/pgwalship
touch {dir}/ready
exec sleep 600
"""
SSHD = """ListenAddress 10.10.10.10{k}
HostKey /etc/ssh/ssh_host_ed25519_key
PidFile none
UsePAM no
AuthenticationMethods publickey
"""


def readme(command):
    """A command that the README gives, so that it cannot say anything else than what is tested."""
    if command not in README:
        raise AssertionError(f"the README does not say: {command}")
    return command


def readme_config():
    lines = README[README.index("## Set up three nodes"):].splitlines()
    begin = lines.index("       [cluster]")
    end = lines.index("", begin)
    return "\n".join(line.strip() for line in lines[begin:end]) + "\n"


class Node:
    def __init__(self, directory, k):
        self.k, self.name = k, NAMES[k - 1]
        self.dir = directory / f"node{k}"
        self.home = self.dir / "home"
        self.home.mkdir(parents=True)
        shutil.chown(self.home, "postgres", "postgres")
        subprocess.run(["cp", "-a", "/etc", self.dir / "etc"], check=True)
        etc = self.dir / "etc"
        shadow = (etc / "shadow").read_text().splitlines()
        (etc / "shadow").write_text("\n".join(  # sshd without PAM lets in nobody who is locked
            line.replace(":!", ":*", 1) if line.startswith("postgres:") else line
            for line in shadow) + "\n")
        for key in (etc / "ssh").glob("ssh_host_*"):
            key.unlink()
        (etc / "ssh").mkdir(exist_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                        etc / "ssh" / "ssh_host_ed25519_key"], check=True)
        (etc / "ssh" / "test_sshd").write_text(SSHD.format(k=k))
        (etc / "pgwalship").mkdir()
        (etc / "pgwalship" / "pgwalship.conf").write_text(readme_config())
        subprocess.run(["ip", "address", "replace", f"10.10.10.10{k}/32", "dev", "lo"], check=True)
        script = PREPARE.format(name=self.name, dir=self.dir, home=HOME, bin=directory / "bin")
        self.processes = [subprocess.Popen(["unshare", "--mount", "--uts", "sh", "-c", script])]
        wait_until((self.dir / "ready").exists, 20, "the node's namespaces")
        self.start(["/usr/sbin/sshd", "-D", "-f", "/etc/ssh/test_sshd"], "sshd")

    def command(self, words, user=None):
        become = ["setpriv", "--reuid", user, "--regid", user, "--init-groups",
                  "env", f"HOME={HOME}"] if user else []
        return ["nsenter", "--mount", "--uts", "-t", str(self.processes[0].pid), *become, *words]

    def start(self, words, log, user=None):
        with open(self.dir / f"{log}.log", "w") as out:
            process = subprocess.Popen(self.command(words, user), stdout=out, stderr=out, cwd="/",
                                       stdin=subprocess.DEVNULL)
        self.processes.append(process)

    def run(self, text, user=None, stdin=subprocess.DEVNULL):
        return subprocess.run(self.command(["sh", "-c", text], user), capture_output=True,
                              text=True, stdin=stdin, cwd="/", timeout=60)

    def close(self):
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@needs_isolation
class ReadmeSetUp(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="pgws-"))
        os.chmod(self.directory, 0o755)
        self.addCleanup(shutil.rmtree, self.directory, True)
        (self.directory / "bin").mkdir()
        for name in ("pgwalship", "pgwalshipd", "pgwalship-setup"):
            shutil.copy(pathlib.Path(harness.BINARIES) / name, self.directory / "bin")
        self.nodes = []
        self.addCleanup(lambda: [node.close() for node in self.nodes])
        for k in (1, 2, 3):
            self.nodes.append(Node(self.directory, k))

    def ok(self, node, text, **options):
        done = node.run(text, **options)
        self.assertEqual(done.returncode, 0, f"{text}: {done.stdout}{done.stderr}")
        return done.stdout

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
        self.addCleanup(first.run, f"{pg}/pg_ctl -D {data} -m immediate stop", user="postgres")

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
        self.assertIn("the key of this connection belongs to 'pgdb2.example.com'", text)

        keys.write_text("")
        three.processes[1].kill()
        three.processes[1].wait()
        text = self.check(one, 1)
        self.assertIn("is refused", text)
        self.assertIn("authorized_keys of postgres on", text)
        self.assertIn("nobody listens there", text)

        (one.home / ".ssh" / "pgwalship").chmod(0o644)
        conf = one.dir / "etc" / "pgwalship" / "pgwalship.conf"
        self.assertIn("is open to others", self.check(one, 1))
        conf.write_text(conf.read_text().replace("quorum = ANY 1", "quorum = ANY 7")
                        .replace("identity", "identiti"))
        text = self.check(one, 2)
        self.assertIn("quorum", text)
        self.assertIn("did you mean 'identity'?", text)


