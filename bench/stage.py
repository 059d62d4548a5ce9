"""What every measurement stands on: real WAL, three nodes of scripts/local-cluster, CPU."""

import os
import pathlib
import pwd
import resource
import shutil
import subprocess
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[1]
LOCAL_CLUSTER = TOP / "scripts" / "local-cluster"
NODES = ("node1", "node2", "node3")
ACCOUNTS = pathlib.Path("/sys/fs/cgroup/cpuacct")


class CpuAccount:
    """CPU of this process's whole tree, daemonised grandchildren included: a cgroup when we may
    make one, else what has been waited for. This process itself does not count."""

    def __init__(self):
        self.group = ACCOUNTS / f"pgwalship-bench-{os.getpid()}"
        try:
            self.group.mkdir()
            (self.group / "cgroup.procs").write_text(str(os.getpid()))
        except OSError:
            self.group = None
        self.complete = self.group is not None

    def seconds(self):
        own = resource.getrusage(resource.RUSAGE_SELF)
        if self.group:
            total = int((self.group / "cpuacct.usage").read_text()) / 1e9
            return total - own.ru_utime - own.ru_stime
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return children.ru_utime + children.ru_stime

    def close(self):
        if self.group:
            for pid in (self.group / "cgroup.procs").read_text().split():
                try:
                    (ACCOUNTS / "cgroup.procs").write_text(pid)
                except OSError:
                    pass  # it has ended
            self.group.rmdir()


class Stage:
    def __init__(self, binaries=None):
        self.account = CpuAccount()
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="pgws-"))
        self.dir = self.top / "c"
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.as_user = {}
        if os.getuid() == 0:
            self.user = os.environ.get("LOCAL_CLUSTER_USER", "postgres")
            entry = pwd.getpwnam(self.user)
            self.as_user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        shutil.chown(self.top, self.user)
        os.chmod(self.top, 0o755)
        bindir = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True)
        self.postgres = pathlib.Path(bindir.stdout.strip() or "/usr/lib/postgresql/15/bin")
        self.binaries = binaries

    def run(self, *command, environment=None):
        done = subprocess.run([str(word) for word in command], cwd=self.top, text=True,
                              capture_output=True, env={**os.environ, **(environment or {})},
                              **self.as_user)
        if done.returncode != 0:
            raise SystemExit(f"bench: {command[0]} failed: {done.stderr}{done.stdout}")
        return done.stdout.strip()

    def write(self, path, text, mode=0o600):
        path.write_text(text)
        os.chmod(path, mode)
        shutil.chown(path, self.user)
        return path

    # ---- PostgreSQL -------------------------------------------------------------------------

    def conf(self, data, **settings):
        with open(data / "postgresql.conf", "a") as conf:
            conf.writelines(f"{key} = '{value}'\n" for key, value in settings.items())

    def ctl(self, data, *arguments):
        self.run(self.postgres / "pg_ctl", "-D", data, "-s", "-w", "-t", "120", "-l",
                 self.top / "postgres.log", *arguments)

    def sql(self, text):
        return self.run("psql", "-X", "-q", "-A", "-t", "-h", self.top, "-U", "postgres", "-d",
                        "postgres", "-c", text)

    def make_wal(self, count):
        """A stopped server whose pg_wal holds `count` finished segments, none archived: half of
        them pgbench's, half of a bulk load (COPY, an index, rows that do not compress)."""
        data = self.top / "data"
        self.run(self.postgres / "initdb", "-A", "trust", "-U", "postgres", "-N", "-D", data)
        self.conf(data, listen_addresses="", unix_socket_directories=self.top, archive_mode="on",
                  archive_command="", wal_level="replica", max_wal_size="50GB",
                  wal_keep_size="50GB", synchronous_commit="off", fsync="off",
                  checkpoint_timeout="1h")
        self.ctl(data, "start")
        self.run("pgbench", "-h", self.top, "-U", "postgres", "-i", "-q", "-s", "10", "postgres")
        while len(ready(data)) < count // 2:
            self.run("pgbench", "-h", self.top, "-U", "postgres", "-n", "-c", "8", "-T", "3",
                     "postgres")
            self.sql("CHECKPOINT")
        self.sql("CREATE TABLE bulk (i int PRIMARY KEY, t text)")
        at = 0
        while len(ready(data)) < count:
            self.sql(f"INSERT INTO bulk SELECT i, CASE WHEN i % 10 = 0 THEN "
                     f"encode(sha512(i::text::bytea), 'base64') ELSE 'row ' || i END "
                     f"FROM generate_series({at}, {at + 99999}) i")
            at += 100000
        self.ctl(data, "-m", "fast", "stop")
        return data

    # ---- the three nodes --------------------------------------------------------------------

    def up(self):
        options = ["--bin", self.binaries] if self.binaries else []
        subprocess.run([LOCAL_CLUSTER, "up", self.dir, *options], check=True,
                       stdout=subprocess.DEVNULL)

    def restart_daemon(self, node):
        for action in ("kill", "restart"):
            subprocess.run([LOCAL_CLUSTER, action, self.dir, node], check=True,
                           stdout=subprocess.DEVNULL)

    def pgwalship(self, node):
        return f"{self.dir}/bin/pgwalship --config {self.dir}/{node}/pgwalship.conf"

    def wait_quorum(self, seconds=30):
        deadline = time.monotonic() + seconds
        while '"held": true' not in self.run(*self.pgwalship("node1").split(), "status", "--json"):
            if time.monotonic() > deadline:
                raise SystemExit("bench: the nodes did not come together")
            time.sleep(0.1)

    def port(self, node):
        lines = (self.dir / node / "sshd" / "sshd_config").read_text().splitlines()
        return next(line.split()[1] for line in lines if line.startswith("Port "))

    def close(self):
        for data in self.top.glob("*/postmaster.pid"):
            subprocess.run([self.postgres / "pg_ctl", "-D", data.parent, "-m", "immediate", "stop"],
                           stdout=subprocess.DEVNULL, check=False, cwd=self.top, **self.as_user)
        if (self.dir / "cluster").exists():
            subprocess.run([LOCAL_CLUSTER, "down", self.dir], stdout=subprocess.DEVNULL,
                           check=False)
        shutil.rmtree(self.top, ignore_errors=True)
        self.account.close()


def ready(data):
    marks = data / "pg_wal" / "archive_status"
    return sorted(path.name[:-6] for path in marks.glob("*.ready") if len(path.name) == 30)
