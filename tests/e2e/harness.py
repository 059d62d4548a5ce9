"""A cluster of scripts/local-cluster for one test case, and what the cases need to judge it.

Nothing here trusts pgwalship: archives are read with Python's own gzip and hashlib. Waiting is for
conditions, with a limit. Everything runs as the cluster's user, never as root.
"""

import gzip
import hashlib
import json
import os
import pathlib
import pwd
import random
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
LOCAL_CLUSTER = TOP / "scripts" / "local-cluster"
BINARIES = os.environ.get("PGWALSHIP_BINARIES", str(TOP / "build" / "release" / "cmd"))
LONG = bool(os.environ.get("PGWALSHIP_LONG"))
SYSTEM_ID = 7_000_000_000_000_000_001
SEGMENT_BYTES = 1 << 20  # the smallest PostgreSQL allows: synthetic cases stay quick


def postgres_bin():
    found = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True)
    return found.stdout.strip() if found.returncode == 0 else "/usr/lib/postgresql/15/bin"


def segment_name(number, timeline=1, segment_bytes=SEGMENT_BYTES):
    per_log = (1 << 32) // segment_bytes
    return f"{timeline:08X}{number // per_log:08X}{number % per_log:08X}"


def segment(number, timeline=1, segment_bytes=SEGMENT_BYTES, system_id=SYSTEM_ID, seed=0,
            random_bytes=4096):
    """A WAL segment with a true long page header and a body that `seed` decides."""
    header = struct.pack("<HHIQIxxxxQII", 0xD110, 0x0002, timeline, number * segment_bytes, 0,
                         system_id, segment_bytes, 8192)
    noise = random.Random(f"{number}/{timeline}/{seed}").randbytes(random_bytes)
    return header + noise + bytes(segment_bytes - len(header) - len(noise))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def wait_until(condition, seconds, what):
    """The condition's first true value; fails the case after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class Outcome:
    """How a command ended: exit code (negative: signal), output, seconds."""

    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds

    def __repr__(self):
        return f"exit {self.code} after {self.seconds:.2f} s: {self.err.strip() or self.out.strip()}"


class Cluster:
    def __init__(self, nodes=3, quorum=None, postgres=False):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="pgws-"))
        os.chmod(self.directory, 0o755)
        self.dir = self.directory / "c"
        self.names = [f"node{k}" for k in range(1, nodes + 1)]
        arguments = ["up", self.dir, "--nodes", str(nodes), "--bin", BINARIES]
        arguments += ["--quorum", quorum] if quorum else []
        arguments += ["--postgres"] if postgres else []
        self.user = os.environ.get("LOCAL_CLUSTER_USER", "postgres")
        if os.getuid() != 0:
            self.user = pwd.getpwuid(os.getuid()).pw_name
        self.background = []
        self.mounts = []
        self.scratch = self.directory / "scratch"
        self.scratch.mkdir()
        shutil.chown(self.scratch, self.user)
        try:
            self.local_cluster(*arguments)
        except BaseException:
            self.close()
            raise

    # ---- life -------------------------------------------------------------------------------

    def local_cluster(self, *arguments, check=True):
        done = subprocess.run([LOCAL_CLUSTER, *map(str, arguments)], capture_output=True, text=True)
        if check and done.returncode != 0:
            raise AssertionError(f"local-cluster {arguments[0]}: {done.stderr}{self.logs(20)}")
        return done.stdout

    def close(self):
        for process in self.background:
            if process.poll() is None:
                process.kill()
                process.wait()
        if (self.dir / "cluster").exists():
            for name in self.names:
                self.local_cluster("kill", self.dir, name, check=False)
        for mount in self.mounts:
            subprocess.run(["umount", "-l", mount], check=False)
        shutil.rmtree(self.directory, ignore_errors=True)

    def kill(self, node):
        self.local_cluster("kill", self.dir, node)

    def restart(self, node):
        self.local_cluster("restart", self.dir, node)

    def freeze(self, node):
        self.local_cluster("freeze", self.dir, node)

    def thaw(self, node):
        self.local_cluster("thaw", self.dir, node)

    def daemon_pid(self, node):
        return int((self.dir / node / "pgwalshipd.pid").read_text())

    def sshd_pid(self, node):
        return int((self.dir / node / "sshd.pid").read_text())

    def receiver_pids(self, node):
        pattern = f"pgwalship --config {self.dir}/{node}/pgwalship[.]conf receive"
        found = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True).stdout
        return [int(pid) for pid in found.split()]

    def stop_daemon(self, node, number=signal.SIGTERM, seconds=20):
        pid = self.daemon_pid(node)
        os.kill(pid, number)
        wait_until(lambda: not is_running(pid), seconds, f"the daemon of {node} ends")

    def start_daemon(self, node):
        self.restart(node)
        wait_until(lambda: self.status(node), 10, f"the daemon of {node} answers")

    def port(self, node):
        for line in (self.dir / node / "sshd" / "sshd_config").read_text().splitlines():
            if line.startswith("Port "):
                return int(line.split()[1])
        raise AssertionError("no Port in sshd_config")

    def configure(self, node, section, **values):
        """Sets keys (with _ for -) of one section; takes effect when the daemon starts."""
        path = self.dir / node / "pgwalship.conf"
        lines = path.read_text().splitlines()
        keys = {key.replace("_", "-"): value for key, value in values.items()}
        if f"[{section}]" not in lines:
            lines += ["", f"[{section}]"]
        begin = lines.index(f"[{section}]") + 1
        end = next((i for i in range(begin, len(lines)) if lines[i].startswith("[")), len(lines))
        kept = [line for line in lines[begin:end] if line.split("=")[0].strip() not in keys]
        lines[begin:end] = [f"{key} = {value}" for key, value in keys.items()] + kept
        path.write_text("\n".join(lines) + "\n")

    # ---- commands ---------------------------------------------------------------------------

    def as_user(self, command):
        if os.getuid() != 0:
            return command
        entry = pwd.getpwnam(self.user)
        return ["setpriv", "--reuid", str(entry.pw_uid), "--regid", str(entry.pw_gid),
                "--init-groups", *command]

    def start(self, command, cwd=None, **options):
        process = subprocess.Popen(self.as_user([str(word) for word in command]),
                                   cwd=cwd or self.scratch, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   **options)
        self.background.append(process)
        return process

    def run(self, command, cwd=None, timeout=120, **options):
        begin = time.monotonic()
        process = self.start(command, cwd, **options)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise AssertionError(f"hangs, after {timeout} s: {command}") from None
        return Outcome(process.returncode, out, err, time.monotonic() - begin)

    def command(self, node, *arguments):
        return [self.dir / "bin" / "pgwalship", "--config", self.dir / node / "pgwalship.conf",
                *arguments]

    def pgwalship(self, node, *arguments, **options):
        return self.run(self.command(node, *arguments), **options)

    def file(self, name, data, mode=0o600):
        """A file of the cluster's user in the scratch directory."""
        path = self.scratch / name
        path.write_bytes(data)
        os.chmod(path, mode)
        shutil.chown(path, self.user)
        return path

    def push(self, node, name, data, **options):
        return self.pgwalship(node, "push", self.file(f"push-{node}-{name}", data), name, **options)

    def fetch(self, node, name, cwd=None, **options):
        """The outcome, and the bytes that arrived (None: no file)."""
        target = (cwd or self.scratch) / f"fetched-{node}"
        target.unlink(missing_ok=True)
        outcome = self.pgwalship(node, "fetch", name, target, cwd=cwd, **options)
        return outcome, target.read_bytes() if target.exists() else None

    def data_directory(self, *signals):
        """A directory that looks to `fetch` like a PostgreSQL data directory in recovery."""
        path = pathlib.Path(tempfile.mkdtemp(dir=self.scratch, prefix="pgdata-"))
        (path / "pg_wal").mkdir()
        (path / "PG_VERSION").write_text("15\n")
        for name in signals:
            (path / name).touch()
        for entry in [path, *path.iterdir()]:
            shutil.chown(entry, self.user)
        return path

    # ---- what is so -------------------------------------------------------------------------

    def status(self, node):
        outcome = self.pgwalship(node, "status", "--json")
        try:
            return json.loads(outcome.out)
        except ValueError:
            return None

    def peer_status(self, node, peer):
        status = self.status(node)
        return status and next(entry for entry in status["peers"] if entry["node"] == peer)

    def wait_peer(self, node, peer, state, seconds=15):
        def reached():
            entry = self.peer_status(node, peer)
            return entry if entry and entry["state"] == state else None
        return wait_until(reached, seconds, f"{peer} is {state} in the status of {node}")

    def archive_dir(self, node):
        return self.dir / node / "archive"

    def archived(self, node, name):
        """The content under that name in a node's archive, independently read; None if absent."""
        path = self.archive_dir(node) / f"{name}.gz"
        return gzip.decompress(path.read_bytes()) if path.exists() else None

    def archive(self, node):
        """Every name of a node's archive with the SHA-256 of its content; a broken file raises."""
        return {path.name[:-3]: sha256(gzip.decompress(path.read_bytes()))
                for path in sorted(self.archive_dir(node).glob("*.gz"))}

    def holders(self, name, digest):
        found = []
        for node in self.names:
            data = self.archived(node, name)
            if data is not None and sha256(data) == digest:
                found.append(node)
        return found

    def temporary_files(self, node):
        tmp = self.archive_dir(node) / ".pgwalship" / "tmp"
        return sorted(path.name for path in tmp.iterdir()) if tmp.exists() else []

    def log(self, node):
        return (self.dir / node / "pgwalshipd.log").read_text(errors="replace")

    def logs(self, lines=40):
        text = ""
        for node in self.names:
            for name in ("pgwalshipd.log", "sshd/log", "postgres.log"):
                path = self.dir / node / name
                if path.exists():
                    tail = path.read_text(errors="replace").splitlines()[-lines:]
                    text += f"\n--- {node}/{name}\n" + "\n".join(tail)
        return text

    # ---- PostgreSQL of node1 ----------------------------------------------------------------

    def psql(self, sql, host=None):
        outcome = self.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h",
                            host or self.dir / "node1", "-U", "postgres", "-d", "postgres",
                            "-c", sql])
        if outcome.code != 0:
            raise AssertionError(f"{sql}: {outcome.err}")
        return outcome.out.strip()

    def pgbench(self, *arguments, host=None):
        return ["pgbench", "-h", host or self.dir / "node1", "-U", "postgres", *arguments,
                "postgres"]

    def pg_ctl(self, data, *arguments, timeout=120):
        return self.run([f"{postgres_bin()}/pg_ctl", "-D", data, "-w", *arguments],
                        timeout=timeout)

    def marked_done(self, data=None):
        """The segments that PostgreSQL was told are archived."""
        marks = (data or self.dir / "node1" / "data") / "pg_wal" / "archive_status"
        return sorted(path.name[:-5] for path in marks.glob("*.done"))


def is_running(pid):
    """As long as one of its threads does: until then its locks are held, whatever the first says."""
    for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            if stat.read_text().rsplit(")", 1)[1].split()[0] not in "ZX":
                return True
        except (FileNotFoundError, ProcessLookupError):
            pass
    return False


class Case(unittest.TestCase):
    """A case that makes clusters; what they logged is shown when it fails."""

    def setUp(self):
        self.clusters = []
        self.addCleanup(self._close)

    def cluster(self, **options):
        cluster = Cluster(**options)
        self.clusters.append(cluster)
        return cluster

    def _close(self):
        failed = any(error for _, error in getattr(self._outcome, "errors", [])) or any(
            getattr(self._outcome.result, kind) for kind in ("errors", "failures"))
        for cluster in self.clusters:
            if failed:
                print(cluster.logs())
            cluster.close()

    def assert_push(self, outcome, code, *words):
        self.assertEqual(outcome.code, code, outcome)
        for word in words:
            self.assertIn(word, outcome.err)
        if code != 0:
            self.assertTrue(outcome.err.strip(), "a failed push gives its reason")

    def assert_on_quorum(self, cluster, acknowledged, peers=1, origin="node1"):
        """Every acknowledged name is intact at home and on at least `peers` others (G1)."""
        archives = {node: cluster.archive(node) for node in cluster.names}
        for name, digest in acknowledged.items():
            holders = [node for node in cluster.names if archives[node].get(name) == digest]
            self.assertIn(origin, holders, f"{name} is not intact at home")
            self.assertGreaterEqual(len(holders) - 1, peers, f"{name} is only on {holders}")

    def assert_archives_agree(self, cluster):
        """One name never has two contents (G2)."""
        contents = {}
        for node in cluster.names:
            for name, digest in cluster.archive(node).items():
                self.assertEqual(contents.setdefault(name, digest), digest,
                                 f"{name} differs on {node}")


class Load:
    """Runs `step(number)` again and again on a thread, until stopped; keeps what it returns."""

    def __init__(self, step):
        self.results = []
        self.error = None
        self._step = step
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        try:
            while not self._stop.is_set():
                self.results.append(self._step(len(self.results)))
        except BaseException as error:  # handed to the case by stop()
            self.error = error

    def stop(self):
        self._stop.set()
        self._thread.join()
        if self.error:
            raise self.error
        return self.results


def needs_isolation(test):
    """For cases that change the network or mount: never on the machine's own."""
    return unittest.skipUnless("PGWALSHIP_ISOLATED" in os.environ,
                               "needs root, for a private network and private mounts")(test)
