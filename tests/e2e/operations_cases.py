"""The runbooks of docs/operations.md: each is typed as it stands there, in the trouble that it is
for, and what it says that one sees, before and afterwards, must be what comes."""

import gzip
import pathlib
import re
import shutil
import unittest

from harness import needs_isolation, wait_until
from machines import DATA, HOME, MachinesCase
from runbook import DOCUMENT, Runbook


class Document(unittest.TestCase):
    def test_each_runbook_is_run_by_a_case(self):
        text = pathlib.Path(__file__).read_text()
        titles = re.findall(r"^## (.+)$", DOCUMENT, re.M)
        self.assertGreater(len(titles), 11)
        for title in titles:
            self.assertIn(f'self.runbook("{title}"', text)


class Operations(MachinesCase):
    def setUp(self):
        super().setUp()
        self.runbooks = []

    def runbook(self, title, **words):
        self.runbooks.append(Runbook(self.nodes, title, {**words}))
        return self.runbooks[-1]

    def finish(self):
        for runbook in self.runbooks:
            runbook.finished()

    def base_backup(self, node, name):
        node.ok(f"pg_basebackup -h 10.10.10.101 -U postgres -D {HOME}/{name} -c fast -N -X none",
                user="postgres")

    def archived(self):
        return int(self.nodes[0].sql("select archived_count from pg_stat_archiver"))


@needs_isolation
class Trouble(Operations):
    def test_the_daemon_is_down_and_then_the_quorum_is_lost(self):
        self.ready()
        one, two, three = self.nodes
        down = self.runbook("The daemon is down")
        one.ok("systemctl stop pgwalshipd")
        down.see()
        down.do()
        down.over()

        lost = self.runbook("Lost quorum")
        two.power_off()
        three.power_off()
        lost.see()
        lost.do(0)
        lost.do(1)
        before = self.archived()
        one.sql("create table less (i int)")
        one.sql("select pg_switch_wal()")
        wait_until(lambda: self.archived() > before, 20, "one copy is enough now")
        two.power_on()
        three.power_on()
        lost.do(2)
        self.wait_current(one)
        lost.do(3)
        lost.over()
        self.assertEqual(one.archive(), two.archive() & three.archive())
        self.finish()

    def wait_current(self, node):
        """All is well, and every peer was compared since it is back."""
        def said():
            status = node.run("pgwalship status").stdout
            return status.startswith("OK") and status.count(" current ") == 2
        wait_until(said, 60, "every peer is current")

    def test_a_conflict(self):
        self.ready()
        one, _, three = self.nodes
        name = self.switch()
        wait_until(lambda: name in three.archive(), 20, "it is everywhere")
        good = gzip.decompress((three.home / "archive" / f"{name}.gz").read_bytes())
        bad = bytearray(good)
        bad[50] ^= 1
        stray = self.directory / "stray"
        stray.write_bytes(bytes(bad))
        stray.chmod(0o644)
        done = one.run(f"pgwalship push {stray} {name}", user="postgres")
        self.assertEqual(done.returncode, 3, done.stderr)
        book = self.runbook("Conflict", **{"00000001000000000000000A": name})
        book.see()
        book.do(0)
        listed = one.ok(f"pgwalship conflicts show {name} || true", user="postgres")
        book.words["3f1c9b02d7aa"] = re.search(r"\b[0-9a-f]{64}\b", listed).group()[:12]
        book.do(1)
        self.switch()
        book.over()
        self.finish()

    def disk(self, node, path, size):
        """A file system of its own at that path, with what is there now."""
        node.ok(f"mkdir /run/disk && mount -t tmpfs -o size={size} none /run/disk"
                f" && chown postgres /run/disk && chmod 700 /run/disk && cp -a {path}/. /run/disk"
                f" && mount --move /run/disk {path} && rmdir /run/disk")

    def fill(self, node, path, free):
        used = int(node.ok(f"df --output=used -B1 {path}").split()[-1])
        node.ok(f"mount -o remount,size={used + free} {path}")

    def test_the_archive_s_disk_is_full(self):
        self.ready()
        one = self.nodes[0]
        one.ok("systemctl stop pgwalshipd")
        self.disk(one, f"{HOME}/archive", "100G")
        one.ok("systemctl start pgwalshipd")
        self.base_backup(one, "old")
        old = {self.switch(), self.switch()}
        self.base_backup(one, "new")
        wait_until(lambda: self.position(one) > "0/5000000", 30,
                   "the daemon knows of the checkpoint")
        self.fill(one, f"{HOME}/archive", 32 << 20)
        book = self.runbook("The archive's disk is full")
        one.sql("insert into t values (1)")
        one.sql("select pg_switch_wal()")
        book.see()
        book.do()
        self.assertEqual(old & one.archive(), set(), "what the newest backup does not need is gone")
        one.ok(f"mount -o remount,size=100G {HOME}/archive")
        self.switch()
        book.over()
        self.finish()

    def position(self, node):
        return re.search(r"primary, at (\S+),", node.ok("pgwalship status")).group(1)

    def test_pg_wal_is_filling_up(self):
        self.ready()
        one = self.nodes[0]
        self.switch()
        one.ok("systemctl stop postgresql@15-main")
        self.disk(one, f"{DATA}/pg_wal", "100G")
        conf = one.conf.read_text()
        one.conf.write_text(conf.replace("[postgres]\n", "[postgres]\npg-wal-minimum-free = 1GB\n"))
        one.ok("systemctl start postgresql@15-main")
        one.sql("select pg_create_physical_replication_slot('forgotten', true)")
        held = one.sql("select pg_walfile_name(pg_current_wal_lsn())")
        for _ in range(6):
            self.switch()
        self.fill(one, f"{DATA}/pg_wal", 64 << 20)
        one.ok("systemctl restart pgwalshipd")  # it looks every 10 s
        book = self.runbook("pg_wal is filling up")
        book.see()
        book.do()
        self.assertNotIn(held, one.ok(f"ls {DATA}/pg_wal"))
        one.ok(f"mount -o remount,size=100G {DATA}/pg_wal")
        one.ok("systemctl restart pgwalshipd")  # or wait for five minutes
        book.over()
        self.finish()

    def test_a_standby_misses_wal_and_becomes_the_primary(self):
        self.ready(servers=2)
        one, two, _ = self.nodes
        two.ok("sed -i '/^restore_command/d' /etc/postgresql/15/main/postgresql.conf")
        two.ok("systemctl stop postgresql@15-main")
        first = self.switch()
        while one.ok(f"ls {DATA}/pg_wal").find(first) >= 0:
            self.switch()
            one.sql("checkpoint")
        two.ok("systemctl start postgresql@15-main || true")
        misses = self.runbook("A standby misses WAL", **{"000000010000000000000005": first})
        misses.see()
        misses.do()
        misses.over()

        change = self.runbook("Planned switchover")
        change.see()
        change.do()
        change.over()
        self.assertEqual(two.sql("select count(*) from t"), one.sql("select count(*) from t"))
        self.finish()


@needs_isolation
class Change(Operations):
    def test_a_node_is_replaced_and_keys_are_changed(self):
        self.ready()
        one, _, three = self.nodes
        self.switch()
        replace = self.runbook("Replace a node")
        three.power_off()
        replace.see()
        for path in three.home.iterdir():
            shutil.rmtree(path, ignore_errors=True)
        three.make_host_key()
        three.start_sshd()
        three.ok("rm -f /run/*.pid")
        replace.do()
        replace.over()
        self.assertEqual(one.archive(), three.archive())

        rotate = self.runbook("Key rotation")
        rotate.see()
        rotate.do(0)
        self.nodes[1].make_host_key()
        self.nodes[1].sshd.kill()
        self.nodes[1].start_sshd()
        rotate.do(1)
        rotate.over()
        self.finish()

    def test_point_in_time_recovery(self):
        self.ready()
        one, _, three = self.nodes
        self.base_backup(three, "backup")
        self.switch(rows=10)
        when = one.sql("select clock_timestamp()")
        one.sql("select pg_sleep(0.1)")
        one.sql("drop table t")
        last = one.sql("select pg_walfile_name(pg_switch_wal())")
        wait_until(lambda: last in three.archive(), 20, "the accident is archived")
        book = self.runbook("Point-in-time recovery", **{"2026-11-25 10:00:00+00": when})
        book.why()
        three.ok(f"install -d -o postgres -g postgres {HOME}/15")
        book.do()
        book.over()
        self.assertEqual(three.sql("select count(*) from t"), "10")
        self.finish()

    def test_an_upgrade_and_a_second_site(self):
        self.ready()
        one = self.nodes[0]
        # What the package's script does to the daemon; tests/package/trial installs the package.
        upgrade = self.runbook("Upgrade", **{
            "apt install ./pgwalship_*.deb": "systemctl restart pgwalshipd"})
        upgrade.see()
        upgrade.do()
        upgrade.over()
        sites = self.runbook("Two sites")
        section = re.search(r"^```ini\n(.*?)^```$", sites.text, re.S | re.M).group(1)
        for node in self.nodes:
            text = node.conf.read_text()
            node.conf.write_text(section + text[text.index("[archive]"):])
        sites.do()
        sites.over()
        self.nodes[2].power_off()
        self.switch()
        self.finish()

    def test_from_the_archive_script_and_back(self):
        self.ready()
        one = self.nodes[0]
        script = one.home / "archive.sh"
        script.write_text(f'#!/bin/bash\narchivedir="{HOME}/archive"\n'
                          "/bin/gzip < $1 > $archivedir/$2.gz\n")
        script.chmod(0o755)
        book = self.runbook("From the archive script and back")
        book.do(part="Back")
        self.switch()
        book.see()
        book.do(0)
        book.do(1)
        self.switch()
        book.over()
        book.do(part="Back")
        self.switch()
        self.finish()
