"""Three machines as the documents speak of them: pgdb1 to pgdb3, each with a host name, an /etc, a
home of postgres, a /run and an sshd on port 22 of its own, and `systemctl` for the two services.

What is tested by these are the documents: commands are read out of them, so that they cannot say
anything else than what was run.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import harness
from harness import TOP, wait_until

README = (TOP / "README.md").read_text()
NAMES = [f"pgdb{k}.example.com" for k in (1, 2, 3)]
HOME = "/var/lib/postgresql"
DATA = f"{HOME}/15/main"
PREPARE = """
set -e
mount --make-rprivate /
hostname {name}
mount --bind {dir}/home {home}
mount --bind {dir}/etc /etc
mount --bind {dir}/bin /usr/local/bin
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
# What systemd does with the two units, without systemd.
SYSTEMCTL = r"""#!/bin/sh
pid=/run/pgwalshipd.pid
running() { [ -e $pid ] && kill -0 "$(cat $pid)" 2>/dev/null; }
start() {
  case $1 in
    pgwalshipd)
      running && return
      setsid setpriv --reuid postgres --regid postgres --init-groups \
        env HOME=/var/lib/postgresql pgwalshipd --foreground >>/run/pgwalshipd.log 2>&1 </dev/null &
      echo $! >$pid
      tries=0
      until pgwalship status --json >/dev/null 2>&1 || ! running; do
        sleep 0.05; tries=$((tries + 1)); [ $tries -lt 200 ] || return 1
      done
      running ;;
    *) pg_ctlcluster 15 main start >/dev/null ;;
  esac
}
stop() {
  case $1 in
    pgwalshipd) if running; then kill "$(cat $pid)"; while running; do sleep 0.05; done; fi ;;
    *) pg_ctlcluster 15 main stop -m fast >/dev/null || [ $? -eq 2 ] ;;
  esac
}
verb=$1
case "$verb $2" in
  "disable --now") verb=stop; shift ;;
  "enable --now") verb=start; shift ;;
esac
unit=${2%@15-main}; unit=${unit%.service}
case $verb in
  start | stop) $verb "$unit" ;;
  restart) stop "$unit"; start "$unit" ;;
  reload) kill -HUP "$(cat $pid)" ;;
  status)
    running && echo "Active: active (running)" && exit
    echo "Active: inactive (dead)"
    exit 3 ;;
  *) echo "no such verb here: $verb" >&2; exit 1 ;;
esac
"""
JOURNALCTL = "#!/bin/sh\nexec tail -n 1000 /run/pgwalshipd.log\n"


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
        self.k, self.name, self.short = k, NAMES[k - 1], f"pgdb{k}"
        self.dir = directory / f"node{k}"
        self.home = self.dir / "home"
        self.home.mkdir(parents=True)
        # A disk of its own: what others do to the machine's must not look like a trouble here.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200G,mode=0755", "none", self.home],
                       check=True)
        shutil.chown(self.home, "postgres", "postgres")
        shutil.copytree(directory / "bin", self.dir / "bin")
        for name, script in (("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL)):
            (self.dir / "bin" / name).write_text(script)
            (self.dir / "bin" / name).chmod(0o755)
        subprocess.run(["cp", "-a", "/etc", self.dir / "etc"], check=True)
        etc = self.dir / "etc"
        shadow = (etc / "shadow").read_text().splitlines()
        (etc / "shadow").write_text("\n".join(  # sshd without PAM lets in nobody who is locked
            line.replace(":!", ":*", 1) if line.startswith("postgres:") else line
            for line in shadow) + "\n")
        for key in (etc / "ssh").glob("ssh_host_*"):
            key.unlink()
        shutil.rmtree(etc / "postgresql", ignore_errors=True)
        (etc / "ssh").mkdir(exist_ok=True)
        self.make_host_key()
        (etc / "ssh" / "test_sshd").write_text(SSHD.format(k=k))
        (etc / "pgwalship").mkdir()
        self.conf = etc / "pgwalship" / "pgwalship.conf"
        self.conf.write_text(readme_config())
        subprocess.run(["ip", "address", "replace", f"10.10.10.10{k}/32", "dev", "lo"], check=True)
        script = PREPARE.format(name=self.name, dir=self.dir, home=HOME)
        self.anchor = subprocess.Popen(["unshare", "--mount", "--uts", "sh", "-c", script])
        wait_until((self.dir / "ready").exists, 20, "the node's namespaces")
        self.processes = []
        self.start_sshd()

    def make_host_key(self):
        path = self.dir / "etc" / "ssh" / "ssh_host_ed25519_key"
        path.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)

    def start_sshd(self):
        self.sshd = self.start(["/usr/sbin/sshd", "-D", "-f", "/etc/ssh/test_sshd"], "sshd")

    def command(self, words, user=None):
        become = ["setpriv", "--reuid", user, "--regid", user, "--init-groups",
                  "env", f"HOME={HOME}"] if user else []
        return ["nsenter", "--mount", "--uts", "-t", str(self.anchor.pid), *become, *words]

    def start(self, words, log, user=None):
        with open(self.dir / f"{log}.log", "w") as out:
            process = subprocess.Popen(self.command(words, user), stdout=out, stderr=out, cwd="/",
                                       stdin=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def run(self, text, user=None, stdin=subprocess.DEVNULL):
        return subprocess.run(self.command(["sh", "-c", text], user), capture_output=True,
                              text=True, stdin=stdin, cwd="/", timeout=60)

    def ok(self, text, **options):
        done = self.run(text, **options)
        if done.returncode != 0:
            raise AssertionError(f"{self.short}: {text}: {done.stdout}{done.stderr}")
        return done.stdout

    def sql(self, text):
        return self.ok(f'psql -X -qAt -d postgres -c "{text}"', user="postgres").strip()

    def alive(self):
        """What runs on this machine: all that sees its mounts."""
        mounts = os.readlink(f"/proc/{self.anchor.pid}/ns/mnt")
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and os.readlink(entry / "ns" / "mnt") == mounts:
                    found.append(int(entry.name))
            except OSError:  # it has ended
                pass
        return [pid for pid in found if pid != self.anchor.pid and harness.is_running(pid)]

    def power_off(self):
        """As pulling the plug does; again, until nothing is left that could have forked."""
        while pids := self.alive():
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            for process in self.processes:
                process.poll()
            time.sleep(0.02)

    def power_on(self):
        self.start_sshd()
        self.ok("rm -f /run/*.pid /run/postgresql/*; systemctl start pgwalshipd")

    def close(self):
        if (self.dir / "ready").exists() and self.anchor.poll() is None:
            self.power_off()
        self.anchor.kill()
        self.anchor.wait()
        for process in self.processes:
            process.wait()
        subprocess.run(["umount", "-l", self.home], check=True)

    def archive(self):
        names = self.ok(f"ls {HOME}/archive").split()
        return {name[:-3] for name in names if name.endswith(".gz")}

    def log(self):
        return self.run("cat /run/pgwalshipd.log").stdout


class MachinesCase(unittest.TestCase):
    """Three machines with nothing on them but PostgreSQL's and pgwalship's programs."""

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="pgws-"))
        os.chmod(self.directory, 0o755)
        self.addCleanup(shutil.rmtree, self.directory, True)
        (self.directory / "bin").mkdir()
        for name in ("pgwalship", "pgwalshipd", "pgwalship-setup"):
            shutil.copy(pathlib.Path(harness.BINARIES) / name, self.directory / "bin")
        self.nodes = []
        self.addCleanup(self._close)
        for k in (1, 2, 3):
            self.nodes.append(Node(self.directory, k))

    def _close(self):
        failed = any(error for _, error in getattr(self._outcome, "errors", [])) or any(
            getattr(self._outcome.result, kind) for kind in ("errors", "failures"))
        for node in self.nodes:
            if failed:
                print(f"--- {node.name}\n" + "\n".join(node.log().splitlines()[-40:]))
            node.close()

    def ok(self, node, text, **options):
        return node.ok(text, **options)

    def ready(self, servers=1):
        """All that the README's steps lead to; pgdb1 has the primary, the next ones standbys."""
        lines = {node.k: (node.ok("install -d -m 0700 -o postgres -g postgres "
                                  f"{HOME}/archive"), node.ok("pgwalship keys create"))[1]
                 for node in self.nodes}
        for node in self.nodes:
            keys = node.home / ".ssh" / "authorized_keys"
            keys.write_text("".join(line for k, line in lines.items() if k != node.k))
            shutil.chown(keys, "postgres", "postgres")
        for node in self.nodes:
            node.ok("pgwalship keys pin --yes")
        self.make_postgres(servers)
        for node in self.nodes:
            node.ok("systemctl start pgwalshipd")
        for node in self.nodes:
            self.wait_ok(node)

    def make_postgres(self, servers):
        for node in self.nodes[servers:]:
            text = node.conf.read_text()
            node.conf.write_text(text[:text.index("[postgres]")] + text[text.index("[ssh]"):])
        if not servers:
            return
        first = self.nodes[0]
        first.ok("pg_createcluster 15 main -p 5432 -- -A trust --no-sync >/dev/null")
        with open(first.dir / "etc/postgresql/15/main/postgresql.conf", "a") as conf:
            conf.write("unix_socket_directories = '/run/postgresql'\n"
                       "listen_addresses = '10.10.10.101'\nwal_keep_size = 0\nwal_log_hints = on\n"
                       + "".join(readme(line) + "\n" for line in (
                           "archive_mode = on", "archive_command = 'pgwalship push %p %f'",
                           "restore_command = 'pgwalship fetch %f %p'")))
        with open(first.dir / "etc/postgresql/15/main/pg_hba.conf", "a") as hba:
            hba.write("host all all 10.10.10.0/24 trust\n"
                      "host replication all 10.10.10.0/24 trust\n")
        first.ok("systemctl start postgresql@15-main")
        for node in self.nodes[1:]:
            subprocess.run(["cp", "-a", first.dir / "etc" / "postgresql", node.dir / "etc"],
                           check=True)
            conf = node.dir / "etc/postgresql/15/main/postgresql.conf"
            conf.write_text(conf.read_text().replace("10.10.10.101", f"10.10.10.10{node.k}"))
        for node in self.nodes[1:servers]:
            self.make_standby(node)

    def make_standby(self, node):
        node.ok(f"pg_basebackup -h 10.10.10.101 -U postgres -D {DATA} -c fast -R -N",
                user="postgres")
        node.ok("systemctl start postgresql@15-main")

    def wait_ok(self, node, seconds=30):
        wait_until(lambda: node.run("pgwalship status").stdout.startswith("OK"), seconds,
                   f"{node.short} says OK: " + node.run("pgwalship status").stdout)

    def switch(self, node=None, rows=1000):
        """Some WAL; the name of the segment, once PostgreSQL was told that it is archived."""
        node = node or self.nodes[0]
        node.sql("create table if not exists t (i int);"
                 f"insert into t select generate_series(1, {rows})")
        name = node.sql("select pg_walfile_name(pg_switch_wal())")
        told = f"select last_archived_wal >= '{name}' from pg_stat_archiver"
        wait_until(lambda: node.sql(told) == "t", 30, f"{name} is archived")
        return name
