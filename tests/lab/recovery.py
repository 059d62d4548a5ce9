"""Archives and recoveries as the oracle sees them: with ls, gunzip and PostgreSQL, and nothing of ours
in between except where pgwalship itself is asked whether it tells the truth."""

import json
import os
import shutil
import subprocess
import time

import room

BIN = "/usr/lib/postgresql/15/bin"
ARCHIVE = "var/lib/postgresql/archive"
SEGMENT_BYTES = 16 << 20


def postgres_uid(lab):
    name = next(iter(room.MACHINES))
    for line in (lab.root(name) / "etc/passwd").read_text().splitlines():
        if line.startswith("postgres:"):
            return int(line.split(":")[2])
    raise RuntimeError("the nodes have no user postgres")


def position(name):
    return int(name[8:16], 16) * 256 + int(name[16:24], 16)


def between(names):
    """The segments that were archived from the first to the last of these, on each timeline."""
    timelines = {}
    for name in names:
        if len(name) == 24:
            timelines.setdefault(name[:8], []).append(position(name))
    return {f"{timeline}{at // 256:08X}{at % 256:08X}"
            for timeline, places in timelines.items()
            for at in range(min(places), max(places) + 1)}


def psql(lab, name, sql, timeout=30, port=5432, host="/var/run/postgresql"):
    done = lab.run_in(name, "runuser", "-u", "postgres", "--", f"{BIN}/psql", "-XAtq", "-h", host,
                      "-p", str(port), "-d", "postgres", "-v", "ON_ERROR_STOP=1", text=sql,
                      timeout=timeout)
    return done.stdout.strip()


def untrue_status(lab, names, cut):
    """What `pgwalship status` says on running nodes and is not so."""
    up = {name for name in names if lab.ask("status", name) == "on"}
    wrong = []
    for name in sorted(up):
        try:
            done = lab.run_in(name, "runuser", "-u", "postgres", "--", "pgwalship", "status",
                              "--json", check=False, timeout=10)
            report = json.loads(done.stdout)
        except (RuntimeError, ValueError, subprocess.TimeoutExpired):
            continue  # the daemon does not run: it says nothing, which is no lie
        reachable = set() if name in cut else up - cut - {name}
        for peer in report["peers"]:
            says_up = peer["state"] not in ("down", "connecting")
            if says_up != (peer["node"] in reachable):
                wrong.append(f"{name} calls {peer['node']} {peer['state']}")
        for alarm in report["timelines"]["alarms"]:
            if alarm["kind"] != "beyond_fork":  # a dying primary's last segment may be that
                wrong.append(f"{name} alarms for nothing: {alarm['text']}")
        if report["quorum"]["held"] != bool(reachable):
            wrong.append(f"{name} says that the quorum is "
                         f"{'held' if report['quorum']['held'] else 'lost'}")
    return wrong


class Recovery:
    def __init__(self, lab, cluster):
        self.lab, self.cluster = lab, cluster
        self.names = [node.name for node in cluster.members]
        self.directory = lab.shared / "recovery"

    def take(self, name):
        """A base backup without any WAL: that must come from an archive."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir()
        os.chown(self.directory, postgres_uid(self.lab), 0)
        conninfo = ("host=10.10.10.104 user=replicator "
                    "passfile=/etc/pgwalship/replication.pgpass")
        self.lab.run_in(name, "runuser", "-u", "postgres", "--", f"{BIN}/pg_basebackup", "-D",
                        "/lab/recovery/base", "-d", conninfo, "-X", "none", "-c", "fast",
                        timeout=90)

    def next_row(self, primary):
        return int(psql(self.lab, primary, "select coalesce(max(id), 0) + 1 from ledger"))

    def rows(self, primary, first):
        text = psql(self.lab, primary, f"select id from ledger where id >= {first}")
        return {int(line) for line in text.split()}

    def switch(self, primary):
        """Finishes the segment being written; its name."""
        return psql(self.lab, primary, "select pg_walfile_name(pg_current_wal_lsn()); "
                    "select from pg_switch_wal()").split()[0]

    def archive(self, name):
        return {path.name[:-3] for path in (self.lab.root(name) / ARCHIVE).glob("*.gz")}

    def wait_archives(self, segment, timeout=90):
        end = time.time() + timeout
        while True:
            archives = {name: self.archive(name) for name in self.names}
            missing = [name for name in self.names if segment not in archives[name]]
            if not missing:
                return archives
            if time.time() > end:
                raise RuntimeError(f"{segment} is not in the archive of {', '.join(missing)} after "
                                   f"{timeout} s")
            time.sleep(0.5)

    def gaps(self, name):
        """Missing segments between others of a timeline, and histories that are missing."""
        have = self.archive(name)
        found = sorted(between(have) - have)
        newest = max(int(text[:8], 16) for text in have)
        found += [f"{number:08X}.history" for number in range(2, newest + 1)
                  if f"{number:08X}.history" not in have]
        return found

    def recover(self, name, first):
        """Point-in-time recovery to the end on a node, from the archive there alone: its rows."""
        conf = "\n".join([
            "port = 5499", "listen_addresses = ''", "unix_socket_directories = '/var/tmp/recovery'",
            "archive_mode = off", "max_wal_senders = 10", "hot_standby = on", "fsync = off",
            f"restore_command = 'gunzip <\"/{ARCHIVE}/%f.gz\" >\"%p\"'",
            "recovery_target_timeline = 'latest'", "shared_buffers = 16MB", ""])
        self.lab.run_in(name, "sh", "-ec", f"""
rm -rf /var/tmp/recovery; cp -a /lab/recovery/base /var/tmp/recovery; cd /var/tmp/recovery
cat >postgresql.conf; echo 'local all all peer' >pg_hba.conf
rm -f standby.signal postgresql.auto.conf; touch recovery.signal
chown -R postgres: .; chmod 700 .
runuser -u postgres -- {BIN}/pg_ctl -s -w -t 90 -D . -l log start </dev/null
""", text=conf, timeout=120)
        try:
            end = time.time() + 90
            while psql(self.lab, name, "select pg_is_in_recovery()", port=5499,
                       host="/var/tmp/recovery") == "t":
                if time.time() > end:
                    raise RuntimeError(f"the recovery on {name} does not end")
                time.sleep(0.3)
            text = psql(self.lab, name, f"select id from ledger where id >= {first}", port=5499,
                        host="/var/tmp/recovery")
            return {int(line) for line in text.split()}
        finally:
            self.lab.run_in(name, "sh", "-c", f"cd /; runuser -u postgres -- {BIN}/pg_ctl -s -m "
                            "immediate -D /var/tmp/recovery stop; rm -rf /var/tmp/recovery",
                            check=False)
