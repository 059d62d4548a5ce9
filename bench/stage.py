"""What every measurement stands on: a directory, a user, real WAL, processes that are counted."""

import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import tempfile
import time

import account

TOP = pathlib.Path(__file__).resolve().parents[1]
BENCH = TOP / "bench"
# For what runs as another user, which may not reach an interpreter in somebody's home.
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
# Of eight segments four are pgbench's, two a bulk load's, one holds rows that do not compress, and
# one was switched while next to nothing happened.
TURN = (("pgbench", 4), ("bulk", 2), ("noise", 1), ("idle", 1))


class Stage:
    def __init__(self, binaries=None):
        self.account = account.CpuAccount()
        self.binaries = binaries
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="pgws-"))
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.as_user = {}
        if os.getuid() == 0:
            self.user = os.environ.get("LOCAL_CLUSTER_USER", "postgres")
            entry = pwd.getpwnam(self.user)
            self.as_user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        self.account.give_to(self.user)
        shutil.chown(self.top, self.user)
        os.chmod(self.top, 0o755)
        bindir = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True)
        self.postgres = pathlib.Path(bindir.stdout.strip() or "/usr/lib/postgresql/15/bin")
        self.environment = {**os.environ, "HOME": str(self.top)}
        self.data = self.top / "data"
        self.base = self.top / "base"  # a base backup from before all the WAL
        self.made = 0                  # turns of it
        self.clusters = []

    def run(self, *command, input=None):
        done = subprocess.run([str(word) for word in command], cwd=self.top, text=True,
                              capture_output=True, env=self.environment, input=input,
                              **self.as_user)
        if done.returncode != 0:
            raise SystemExit(f"bench: {command[0]} failed: {done.stderr}{done.stdout}")
        return done.stdout.strip()

    def start(self, *command, side="server", **options):
        """A process that goes on; it is ended with everything else."""
        process = subprocess.Popen([str(word) for word in command], text=True,
                                   env=self.environment, preexec_fn=self.account.enter(side),
                                   **{"cwd": self.top, **self.as_user, **options})
        self.account.waited_for.add(process.pid)
        return process

    def write(self, path, text, mode=0o600):
        path.write_text(text)
        os.chmod(path, mode)
        shutil.chown(path, self.user)
        return path

    def own(self, path):
        subprocess.run(["chown", "-R", self.user, path], check=True)

    def program(self, name):
        """A copy of one of ours: the user may not reach the source tree."""
        copy = shutil.copy(BENCH / name, self.top / name)
        os.chmod(copy, 0o755)
        return copy

    def directory(self, path):
        shutil.rmtree(path, ignore_errors=True)
        self.run("mkdir", "-p", path)
        return path

    # ---- PostgreSQL -------------------------------------------------------------------------

    def conf(self, data, **settings):
        with open(data / "postgresql.conf", "a") as conf:
            conf.writelines(f"{key} = '{value}'\n" for key, value in settings.items())

    def ctl(self, data, *arguments, side="server"):
        done = subprocess.run(
            [self.postgres / "pg_ctl", "-D", data, "-s", "-w", "-t", "120", "-l",
             f"{data}.log", *arguments], cwd=self.top, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            preexec_fn=self.account.enter(side), **self.as_user)
        if done.returncode != 0:
            raise SystemExit(f"bench: PostgreSQL: {done.stderr}\nHINT: see {data}.log")

    def sql(self, text, socket=None):
        return self.run("psql", "-X", "-q", "-A", "-t", "-h", socket or self.top, "-U", "postgres",
                        "-d", "postgres", "-c", text)

    def initdb(self, data, *options):
        self.run(self.postgres / "initdb", "-A", "trust", "-U", "postgres", "-N", "-D", data,
                 *options)
        self.conf(data, listen_addresses="", unix_socket_directories=self.top, archive_mode="on",
                  archive_command="", wal_level="replica", max_wal_size="200GB",
                  wal_keep_size="200GB", synchronous_commit="off", fsync="off",
                  checkpoint_timeout="1h", log_min_messages="warning")

    def wal(self, count):
        """(data directory of a stopped server, `count` finished segments of it, none archived).
        Made once, and as many more as somebody asks for. The very first one is left out:
        pg_receivewal begins after one that it has."""
        if not self.data.exists():
            self.initdb(self.data)
            self.ctl(self.data, "start")
            self.run("pg_basebackup", "-h", self.top, "-U", "postgres", "-D", self.base, "-c",
                     "fast", "-X", "stream")
            self.run("pgbench", "-h", self.top, "-U", "postgres", "-i", "-q", "-s", "10",
                     "postgres")
            self.sql("CREATE TABLE bulk (i int PRIMARY KEY, t text); CREATE INDEX ON bulk (t);"
                     "CREATE TABLE noise (b bytea)")
            self.ctl(self.data, "-m", "fast", "stop")
        if len(ready(self.data)) <= count:
            self.ctl(self.data, "start")
            while len(ready(self.data)) <= count:
                for kind, segments in TURN:
                    self.make(kind, len(ready(self.data)) + segments)
            self.ctl(self.data, "-m", "fast", "stop")
        return self.data, ready(self.data)[1:count + 1]

    def make(self, kind, until):
        """WAL of one kind, until there are so many segments."""
        while len(ready(self.data)) < until:
            self.made += 1
            if kind == "pgbench":
                self.run("pgbench", "-h", self.top, "-U", "postgres", "-n", "-c", "4", "-T", "1",
                         "postgres")
            elif kind == "bulk":
                rows = range(self.made * 100000, (self.made + 1) * 100000)
                self.run("psql", "-X", "-q", "-h", self.top, "-U", "postgres", "-d", "postgres",
                         "-c", "COPY bulk FROM STDIN CSV",
                         input="".join(f"{i},row {i * 7919 % 1000003}\n" for i in rows))
            elif kind == "noise":
                self.sql("INSERT INTO noise SELECT (SELECT string_agg(sha512((random() || ' ' || j)"
                         "::bytea), '') FROM generate_series(1, 30) j WHERE i > 0) "
                         "FROM generate_series(1, 4000) i")
            else:
                self.sql("CREATE TABLE IF NOT EXISTS idle (i int); INSERT INTO idle VALUES (1)")
                self.sql("SELECT pg_switch_wal()")

    def copy(self, name, names):
        """A copy of the server in which nothing is marked. The segments `names`, to which nobody
        writes any more, are hard links."""
        finished, copy = set(names), self.top / name
        shutil.rmtree(copy, ignore_errors=True)

        def one(source, target):
            if os.path.basename(source) in finished:
                os.link(source, target)
            else:
                shutil.copy2(source, target)

        others = set(ready(self.data)) - finished
        shutil.copytree(self.data, copy, copy_function=one, ignore=lambda _, entries: [
            entry for entry in entries if entry in others or entry.endswith(".ready")])
        self.own(copy)
        return copy

    def discard(self, copy):
        if (copy / "postmaster.pid").exists():
            self.ctl(copy, "-m", "immediate", "stop")
        shutil.rmtree(copy)

    # ---- helpers as processes ---------------------------------------------------------------

    def caller(self, directory):
        return Caller(self, directory)

    def proxy(self, *links):
        return Proxy(self, links)

    def clear(self):
        """After a measurement: what it has started ends, the WAL stays."""
        for cluster in self.clusters:
            cluster.close()
        self.clusters = []
        for data in self.top.glob("*/postmaster.pid"):
            subprocess.run([self.postgres / "pg_ctl", "-D", data.parent, "-m", "immediate", "stop"],
                           stdout=subprocess.DEVNULL, check=False, cwd=self.top, **self.as_user)
        for path in self.top.iterdir():
            if path not in (self.data, self.base):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def close(self):
        self.account.close()
        shutil.rmtree(self.top, ignore_errors=True)


class Caller:
    """Runs commands as PostgreSQL's archiver does."""

    def __init__(self, stage, directory):
        self.log = stage.top / "caller.log"
        self.process = stage.start(PYTHON, "-S", stage.program("caller.py"), cwd=directory,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=open(self.log, "a"))

    def call(self, command):
        """Milliseconds; it must succeed."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        taken, code = self.process.stdout.readline().split()
        if int(code) != 0:
            raise SystemExit(f"bench: exit code {code} of: {command}\n{self.log.read_text()}")
        return float(taken)

    def archive(self, command, name):
        return self.call(command.replace("%p", f"pg_wal/{name}").replace("%f", name))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Proxy:
    """See proxy.py. `ports` are where its links listen."""

    def __init__(self, stage, links):
        self.process = stage.start(PYTHON, "-S", stage.program("proxy.py"), *links,
                                   side="tools", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ports = [int(port) for port in self.process.stdout.readline().split()]

    def hang(self):
        self.bytes("hang")

    def bytes(self, order=""):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        return [int(count) for count in self.process.stdout.readline().split()]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def ready(data):
    marks = data / "pg_wal" / "archive_status"
    return sorted(path.name[:-6] for path in marks.glob("*.ready") if len(path.name) == 30)


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"bench: waited {seconds} s in vain until {what}")
        time.sleep(0.005)
