"""From the tutorial's archive script to pgwalship and on, with a real server."""

import shutil
import signal
import time

from harness import SYSTEM_ID, TOP, Case, segment, segment_name, wait_until

SCRIPT = """#!/bin/bash
archivedir="{archive}"
synckey="{key}"
touch {trap}
/bin/gzip < $1 > $archivedir/$2.gz || exit 1
sitea_nodes="node1 node2"
for node in ${{sitea_nodes}}; do
  /usr/bin/rsync -az --delete -e "ssh -i $synckey" $archivedir/ postgres@$node:$archivedir
done
"""


class Adopt(Case):
    def script(self, cluster):
        """What the tutorial has, with this cluster's directory; it must never be executed."""
        self.old = cluster.scratch / "old-archive"
        self.old.mkdir()
        shutil.chown(self.old, cluster.user)
        self.trap = cluster.scratch / "executed"
        text = SCRIPT.format(archive=self.old, key=cluster.scratch / "key", trap=self.trap)
        return cluster.file("archive.sh", text.encode())

    def test_a_server_moves_from_the_script_and_recovers_across_the_change(self):
        cluster = self.cluster(nodes=2, postgres=True)
        script = self.script(cluster)
        tool = cluster.file("tutorial-archive.sh",
                            (TOP / "bench" / "tutorial-archive.sh").read_bytes())
        cluster.psql(f"alter system set archive_command = 'TUTORIAL_ARCHIVE={self.old} "
                     f"TUTORIAL_KEY=none TUTORIAL_PEERS= bash {tool} %p %f'")
        cluster.psql("select pg_reload_conf()")
        backup = cluster.scratch / "backup"
        done = cluster.run(["pg_basebackup", "-h", cluster.dir / "node1", "-U", "postgres",
                            "-D", backup, "-c", "fast", "-X", "none"])
        self.assertEqual(done.code, 0, done)
        cluster.psql("create table t (i int)")
        for i in range(3):
            cluster.psql(f"insert into t values ({i})")
            cluster.psql("select pg_switch_wal()")
        wait_until(lambda: len(list(self.old.glob("0*.gz"))) >= 5, 30, "the script archives")
        bad = self.old / "0000000900000000000000AA.gz"
        bad.write_bytes(b"\x1f\x8b no gzip")
        cluster.file("key", b"")

        adopt = cluster.command("node1", "adopt", "--script", script)
        halfway = cluster.start(adopt)  # interrupted at some moment, and run again
        time.sleep(0.05)
        halfway.send_signal(signal.SIGKILL)
        halfway.wait()
        outcome = cluster.run(adopt)
        self.assertEqual(outcome.code, 3, outcome)
        self.assertIn("0000000900000000000000AA: ", outcome.out)
        self.assertIn("exists and stays as it is", outcome.out)
        self.assertIn("archive_command = 'pgwalship --config", outcome.out)
        self.assertIn("The way back", outcome.out)
        bad.unlink()
        outcome = cluster.run(adopt)
        self.assertEqual(outcome.code, 0, outcome)
        self.assertIn(" 0 copied", "\n " + outcome.out.split("\n", 1)[1])
        self.assertFalse(self.trap.exists(), "the script was executed")

        cluster.psql("alter system reset archive_command")
        cluster.psql("select pg_reload_conf()")
        for i in range(3, 6):
            cluster.psql(f"insert into t values ({i})")
            cluster.psql("select pg_switch_wal()")
        last = cluster.psql("select pg_walfile_name(pg_current_wal_lsn() - 1)")
        wait_until(lambda: cluster.archived("node2", last), 30, "push goes on, on the peer, too")
        wait_until(lambda: cluster.archive("node1") == cluster.archive("node2"), 30,
                   "what was adopted reaches the peer")
        self.assertIn("all good", cluster.pgwalship("node2", "verify").out)
        self.recover(cluster, backup)

    def recover(self, cluster, backup):
        conf = cluster.dir / "node2" / "pgwalship.conf"
        with open(backup / "postgresql.auto.conf", "a") as out:
            out.write(f"restore_command = '{cluster.dir}/bin/pgwalship --config {conf} fetch %f %p'\n"
                      f"archive_mode = off\nunix_socket_directories = '{cluster.scratch}'\n")
        (backup / "recovery.signal").touch()
        shutil.chown(backup / "recovery.signal", cluster.user)
        done = cluster.pg_ctl(backup, "-l", cluster.scratch / "recovered.log", "start")
        self.assertEqual(done.code, 0, done)
        try:
            wait_until(lambda: cluster.psql("select pg_is_in_recovery()", cluster.scratch) == "f",
                       30, "recovery ends")
            self.assertEqual(cluster.psql("select string_agg(i::text, '' order by i) from t",
                                          cluster.scratch), "012345")
        finally:
            cluster.pg_ctl(backup, "-m", "immediate", "stop")

    def test_a_directory_is_adopted_in_place_with_a_new_configuration(self):
        cluster = self.cluster(nodes=1)
        script = self.script(cluster)
        for n in (1, 2, 4):
            name = segment_name(n)
            path = cluster.file(name, segment(n))
            cluster.run(["gzip", path])
            shutil.move(f"{path}.gz", self.old / f"{name}.gz")
        foreign = cluster.file("f", segment(5, system_id=SYSTEM_ID + 1))
        cluster.run(["gzip", foreign])
        shutil.move(f"{foreign}.gz", self.old / f"{segment_name(5)}.gz")
        conf = cluster.scratch / "new.conf"
        adopt = [cluster.dir / "bin" / "pgwalship", "--config", conf, "adopt", "--script", script]
        outcome = cluster.run([*adopt, "--dry-run"])
        self.assertEqual(outcome.code, 3, outcome)
        self.assertFalse(conf.exists() or (self.old / ".pgwalship").exists())
        self.assertIn("node = node2", outcome.out)
        outcome = cluster.run(adopt)
        self.assertEqual(outcome.code, 3, outcome)
        for words in (f"{segment_name(3)}: ", f"{segment_name(5)}: it is of the cluster with",
                      "they stay where they are", f"wrote '{conf}'"):
            self.assertIn(words, outcome.out)
        self.assertEqual(len(list(self.old.glob("*.gz"))), 4, "nothing is taken away")
        before = conf.read_text()
        self.assertIn(f"directory = {self.old}", before)
        self.assertEqual(cluster.run(adopt).code, 3)
        self.assertEqual(conf.read_text(), before)
        self.assertFalse(self.trap.exists(), "the script was executed")
