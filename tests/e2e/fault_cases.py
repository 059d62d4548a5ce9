"""Peers that hang, vanish or refuse, disks that fill up, and kill -9 anywhere."""

import concurrent.futures
import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time

from harness import (LONG, SEGMENT_BYTES, Case, Load, needs_isolation, segment, segment_name,
                     sha256, wait_until)


class SilentPeer(Case):
    def check_one_silent_peer(self, cluster, silence, end_silence):
        """The quorum holds without it; it is known to be down within 10 s; it catches up (G7)."""
        silence()
        begin = time.monotonic()
        acknowledged = {}
        for number in range(1, 6):
            name, data = segment_name(number), segment(number)
            outcome = cluster.push("node1", name, data)
            self.assert_push(outcome, 0)
            self.assertLess(outcome.seconds, 3, "a silent peer delays nobody (G8)")
            acknowledged[name] = sha256(data)
        cluster.wait_peer("node1", "node2", "down", 11)
        self.assertLess(time.monotonic() - begin, 11)
        self.assertTrue(cluster.peer_status("node1", "node2")["last_error"])
        end_silence()
        wait_until(lambda: cluster.archive("node2") == acknowledged, 30, "the peer catches up")
        self.assert_on_quorum(cluster, acknowledged, peers=2)

    def test_h14_a_stopped_peer(self):
        cluster = self.cluster()
        self.check_one_silent_peer(cluster, lambda: cluster.freeze("node2"),
                                   lambda: cluster.thaw("node2"))

    @needs_isolation
    def test_h14_a_blackholed_peer(self):
        cluster = self.cluster()
        port = str(cluster.port("node2"))

        def iptables(action):
            for side in ("--dport", "--sport"):
                subprocess.run(["iptables", "-w", action, "INPUT", "-i", "lo", "-p", "tcp", side,
                                port, "-j", "DROP"], check=True)

        self.check_one_silent_peer(cluster, lambda: iptables("-A"), lambda: iptables("-D"))

    def test_h14_a_push_that_needs_the_stopped_peer_ends_at_its_deadline(self):
        cluster = self.cluster(nodes=2)
        cluster.configure("node1", "cluster", push_timeout="3s")
        cluster.stop_daemon("node1")
        cluster.start_daemon("node1")
        cluster.wait_peer("node1", "node2", "current")
        cluster.freeze("node2")
        outcome = cluster.push("node1", segment_name(1), segment(1))
        self.assert_push(outcome, 1, "node2")
        self.assertLess(outcome.seconds, 4)
        cluster.thaw("node2")
        wait_until(lambda: cluster.push("node1", segment_name(1), segment(1)).code == 0, 30,
                   "the same push succeeds when the peer is back")

    def test_h14_a_stopped_daemon_does_not_hang_the_client(self):
        cluster = self.cluster(nodes=1)
        cluster.configure("node1", "cluster", push_timeout="3s")
        pid = cluster.daemon_pid("node1")
        os.kill(pid, signal.SIGSTOP)
        outcome = cluster.push("node1", segment_name(1), segment(1))
        os.kill(pid, signal.SIGCONT)
        self.assert_push(outcome, 1)
        self.assertLess(outcome.seconds, 5)

    def test_h14_of_several_sessions_one_after_the_other_is_lost(self):
        cluster = self.cluster()
        cluster.configure("node1", "ssh", sessions="3")
        cluster.stop_daemon("node1")
        cluster.start_daemon("node1")
        for peer in ("node2", "node3"):
            # One of the other peer's daemon, and three of node1's.
            wait_until(lambda: len(cluster.receiver_pids(peer)) == 4, 20, f"sessions with {peer}")
            cluster.wait_peer("node1", peer, "current")
        acknowledged = {}
        lock = threading.Lock()
        numbers = iter(range(1, 1000))

        def push(_):
            with lock:
                number = next(numbers)
            name, data = segment_name(number), segment(number)
            outcome = cluster.push("node1", name, data)
            self.assert_push(outcome, 0)
            with lock:
                acknowledged[name] = sha256(data)

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            pushes = pool.map(push, range(60))
            for pid in cluster.receiver_pids("node2"):
                os.kill(pid, signal.SIGKILL)
                time.sleep(0.3)
            list(pushes)
        for peer in ("node2", "node3"):
            wait_until(lambda: cluster.archive(peer) == acknowledged, 30, f"{peer} has all")
        self.assert_on_quorum(cluster, acknowledged, peers=2)
        wait_until(lambda: len(cluster.receiver_pids("node2")) == 4, 20, "the sessions are back")

    def test_h48_an_outage_is_a_few_lines_of_log(self):
        cluster = self.cluster()
        before = len(cluster.log("node1").splitlines())
        cluster.kill("node2")
        cluster.wait_peer("node1", "node2", "down")
        acknowledged = 0

        def push_next(number):
            return cluster.push("node1", segment_name(number + 1), segment(number + 1)).code

        end = time.monotonic() + 20
        while time.monotonic() < end:
            self.assertEqual(push_next(acknowledged), 0)
            acknowledged += 1
        lines = cluster.log("node1").splitlines()[before:]
        about = [line for line in lines if "node2" in line]
        self.assertTrue(about, "the outage is logged")
        self.assertLessEqual(len(about), 4, "\n".join(about))
        cluster.restart("node2")
        cluster.wait_peer("node1", "node2", "current", 30)
        again = cluster.log("node1").splitlines()[before + len(lines):]
        self.assertLessEqual(len([line for line in again if "node2" in line]), 5, "\n".join(again))


class QuorumLoss(Case):
    def test_h17_below_the_threshold_only_the_local_copy_is_enough(self):
        cluster = self.cluster()
        data = cluster.data_directory()
        cluster.configure("node1", "cluster", push_timeout="1s", on_quorum_loss="local")

        def restart_with(minimum_free):
            cluster.configure("node1", "postgres", data_directory=data,
                              pg_wal_minimum_free=minimum_free)
            cluster.stop_daemon("node1")
            cluster.start_daemon("node1")

        restart_with("1MB")
        cluster.kill("node2")
        cluster.kill("node3")
        name = segment_name(1)
        self.assert_push(cluster.push("node1", name, segment(1)), 1, "not on the quorum")
        restart_with("1000TB")
        wait_until(lambda: cluster.push("node1", name, segment(1)).code == 0, 20,
                   "the local copy is enough now")
        self.assertIn("acknowledged with the local copy alone", cluster.log("node1"))
        self.assertIn("NOT SAFE", cluster.pgwalship("node1", "status").out)
        cluster.restart("node2")
        wait_until(lambda: cluster.archived("node2", name), 20, "the peer that returns gets it")


class RefusingPeer(Case):
    def check_refusal(self, cluster, *words):
        entry = cluster.wait_peer("node1", "node2", "down", 20)
        entry = wait_until(lambda: self.matches(cluster, words), 20, f"the reason has {words}")
        self.assertIn("node2", cluster.pgwalship("node1", "status").out)
        self.assert_push(cluster.push("node1", segment_name(1), segment(1)), 0)
        return entry

    @staticmethod
    def matches(cluster, words):
        entry = cluster.peer_status("node1", "node2")
        said = entry["last_error"] + " " + entry["hint"]
        return entry if all(re.search(word, said, re.I) for word in words) else None

    def test_h44_the_host_key_changed(self):
        cluster = self.cluster()
        cluster.kill("node2")
        key = cluster.dir / "node2" / "sshd" / "host_key"
        for path in (key, key.with_suffix(".pub")):
            path.unlink()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        if os.getuid() == 0:
            shutil.chown(key, cluster.user)
        cluster.restart("node2")
        entry = self.check_refusal(cluster, "host key", "SHA256:|known.hosts")
        known = (cluster.dir / "node1" / "known_hosts").read_text()
        self.assertNotIn(key.with_suffix(".pub").read_text().split()[1], known,
                         "a changed key is never learned")
        self.assertEqual(entry["state"], "down")

    def test_h44_the_host_key_is_unknown(self):
        cluster = self.cluster()
        cluster.stop_daemon("node1")
        path = cluster.dir / "node1" / "known_hosts"
        port = f":{cluster.port('node2')} "
        path.write_text("".join(line for line in path.read_text().splitlines(True)
                                if port not in line))
        cluster.start_daemon("node1")
        before = path.read_text()
        self.check_refusal(cluster, "host key", "known.hosts")
        self.assertEqual(path.read_text(), before)

    def test_h44_the_key_is_refused(self):
        cluster = self.cluster()
        (cluster.dir / "node2" / "authorized_keys").write_text("")
        cluster.kill("node2")
        cluster.restart("node2")
        self.check_refusal(cluster, "key|denied|refused", "authorized_keys|log ?in")

    def test_h44_the_forced_command_is_wrong(self):
        cluster = self.cluster()
        path = cluster.dir / "node2" / "authorized_keys"
        right = path.read_text()
        for wrong in ("/nonexistent/pgwalship receive", "echo welcome", "/bin/false"):
            with self.subTest(wrong):
                path.write_text(re.sub('command="[^"]*"', f'command="{wrong}"', right))
                cluster.kill("node2")
                cluster.restart("node2")
                self.check_refusal(cluster, "receive|command|protocol")

    def test_h44_another_node_s_key(self):
        cluster = self.cluster()
        path = cluster.dir / "node2" / "authorized_keys"
        path.write_text(path.read_text().replace("--from node1", "--from node9"))
        cluster.kill("node2")
        cluster.restart("node2")
        self.check_refusal(cluster, "node9|node1")

    def test_h43_a_different_quorum_is_shown(self):
        cluster = self.cluster()
        self.assertFalse(cluster.peer_status("node1", "node2")["configuration_differs"])
        cluster.kill("node2")
        cluster.configure("node2", "cluster", quorum="ALL (*)")
        cluster.restart("node2")
        wait_until(lambda: cluster.peer_status("node1", "node2")["configuration_differs"], 20,
                   "node1 sees that node2 is configured differently")
        cluster.stop_daemon("node2")  # and nobody ends what its sshd has started
        cluster.configure("node2", "cluster", quorum="ANY 1 (*)")
        cluster.start_daemon("node2")
        wait_until(lambda: not cluster.peer_status("node1", "node2")["configuration_differs"], 20,
                   "node1 sees that it is not any more")


class SmallDisk(Case):
    def put_archive_on_small_disk(self, cluster, node, mib):
        """Moves a node's archive to a file system of that size; nothing is kept free by policy."""
        cluster.kill(node)
        archive = cluster.archive_dir(node)
        kept = cluster.directory / "kept"
        shutil.copytree(archive, kept)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0700", "none", archive],
                       check=True)
        cluster.mounts.append(archive)
        shutil.copytree(kept, archive, dirs_exist_ok=True)
        subprocess.run(["chown", "-R", cluster.user, archive], check=True)
        cluster.configure(node, "archive", minimum_free="0B")
        cluster.restart(node)
        wait_until(lambda: cluster.status(node), 10, "the daemon is back")
        for peer in cluster.names:
            if peer != node:
                cluster.wait_peer(node, peer, "current")
                cluster.wait_peer(peer, node, "current")

    def push_until_full(self, cluster):
        """Segments that do not compress, until one is refused; its number."""
        for number in range(1, 40):
            data = segment(number, random_bytes=SEGMENT_BYTES - 100)
            outcome = cluster.push("node1", segment_name(number), data)
            if outcome.code != 0:
                self.assertEqual(outcome.code, 4, outcome)
                self.assertIn("no space", outcome.err.lower())
                return number, outcome
        raise AssertionError("the disk never was full")

    def check_full_and_freed(self, full_node, number, cluster):
        archive = cluster.archive(full_node)  # reads all: a partial file would raise (G3)
        self.assertNotIn(segment_name(number), archive)
        wait_until(lambda: not cluster.temporary_files(full_node), 5, "no temporary file is left")
        subprocess.run(["mount", "-o", "remount,size=64m", cluster.archive_dir(full_node)],
                       check=True)
        data = segment(number, random_bytes=SEGMENT_BYTES - 100)
        wait_until(lambda: cluster.push("node1", segment_name(number), data).code == 0, 40,
                   "the same segment is accepted when there is space")
        wait_until(lambda: len(cluster.holders(segment_name(number), sha256(data))) == 2, 40,
                   "both nodes have it")


class Unmounted(Case):
    @needs_isolation
    def test_h25_an_archive_that_is_unmounted_is_neither_empty_nor_filled_beneath(self):
        cluster = self.cluster(nodes=2)
        archive = cluster.archive_dir("node2")
        cluster.kill("node2")
        disk = cluster.directory / "disk"
        archive.rename(disk)
        archive.mkdir()
        shutil.chown(archive, cluster.user)
        mount = ["mount", "--bind", disk, archive]
        subprocess.run(mount, check=True)
        cluster.mounts.append(archive)
        cluster.restart("node2")
        cluster.wait_peer("node1", "node2", "current")
        name, data = segment_name(1), segment(1)
        self.assert_push(cluster.push("node1", name, data), 0)
        wait_until(lambda: len(cluster.holders(name, sha256(data))) == 2, 20, "both have it")
        subprocess.run(["umount", "-l", archive], check=True)
        outcome = cluster.push("node2", segment_name(2), segment(2))
        self.assertNotEqual(outcome.code, 0)
        self.assertIn("is another directory than when this process started", outcome.err)
        self.assertIn("HINT: mount its file system again", outcome.err)
        self.assertIn("another directory", cluster.status("node2")["archive"]["error"])
        self.assertNotEqual(cluster.push("node1", segment_name(3), segment(3)).code, 0,
                            "nor does a receiver store anything there")
        # Nor does one that begins now, as after a network's blip.
        for pid in cluster.receiver_pids("node2"):
            with contextlib.suppress(ProcessLookupError):  # it has seen it by itself
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: "there is no archive in" in
                   cluster.peer_status("node1", "node2")["last_error"], 20, "node1 is told so")
        self.assertNotEqual(cluster.push("node1", segment_name(4), segment(4)).code, 0)
        self.assertEqual(list(archive.iterdir()), [])
        subprocess.run(mount, check=True)
        for node, number in (("node2", 2), ("node1", 3)):
            wait_until(lambda: cluster.push(node, segment_name(number), segment(number)).code == 0,
                       40, f"{node} goes on without a restart")
        self.assertEqual(cluster.status("node2")["archive"]["error"], "")
        self.assertFalse(cluster.status("node2")["archive"]["vanished"], "nothing has")


class FullDisk(SmallDisk):
    @needs_isolation
    def test_h16_the_own_disk_is_full(self):
        cluster = self.cluster(nodes=2)
        self.put_archive_on_small_disk(cluster, "node1", 6)
        number, _ = self.push_until_full(cluster)
        self.check_full_and_freed("node1", number, cluster)

    @needs_isolation
    def test_h16_a_peer_s_disk_is_full(self):
        cluster = self.cluster(nodes=2)
        self.put_archive_on_small_disk(cluster, "node2", 6)
        cluster.configure("node1", "cluster", push_timeout="3s")
        cluster.stop_daemon("node1")
        cluster.start_daemon("node1")
        cluster.wait_peer("node1", "node2", "current")
        number, outcome = self.push_until_full(cluster)
        self.assertIn("node2", outcome.err)
        self.check_full_and_freed("node2", number, cluster)


class Killed(Case):
    ROUNDS = 60 if LONG else 12

    def test_kill_9_anywhere_loses_nothing_acknowledged(self):
        cluster = self.cluster()
        chance = random.Random(9)
        acknowledged = {}
        current = []

        def push_next(_):
            number = len(acknowledged) + 1
            name, data = segment_name(number), segment(number, random_bytes=300_000)
            path = cluster.file("load", data)
            process = cluster.start(cluster.command("node1", "push", path, name))
            current[:] = [process]
            _, err = process.communicate(timeout=60)
            if process.returncode == 0:
                acknowledged[name] = sha256(data)
            elif process.returncode != 1:
                self.assertEqual(process.returncode, -signal.SIGKILL, err)
            return process.returncode

        def kill_client():
            for process in list(current):
                process.kill()

        def kill_daemon():
            node = chance.choice(cluster.names)
            cluster.stop_daemon(node, signal.SIGKILL)
            cluster.restart(node)

        def kill_receiver():
            for pid in cluster.receiver_pids(chance.choice(cluster.names)):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

        def kill_sshd():
            node = chance.choice(["node2", "node3"])
            os.kill(cluster.sshd_pid(node), signal.SIGKILL)
            time.sleep(chance.uniform(0, 0.3))
            cluster.restart(node)

        def kill_node():
            node = chance.choice(cluster.names)
            cluster.kill(node)
            cluster.restart(node)

        faults = [kill_client, kill_daemon, kill_receiver, kill_sshd, kill_node]
        load = Load(push_next)
        try:
            for turn in range(self.ROUNDS):
                time.sleep(chance.uniform(0, 0.5))
                faults[turn % len(faults)]()
                before = len(acknowledged)
                wait_until(lambda: len(acknowledged) > before, 40, "pushes go on")
        finally:
            load.stop()
        self.assert_on_quorum(cluster, acknowledged)
        self.assert_archives_agree(cluster)
        wait_until(lambda: all(acknowledged.items() <= cluster.archive(node).items()
                               for node in cluster.names), 60, "all archives become complete (G7)")
        for node in cluster.names:
            wait_until(lambda: not cluster.temporary_files(node), 20, f"{node} cleans up")

    def test_h42_a_replaced_node_does_not_count_until_it_is_complete(self):
        cluster = self.cluster()
        acknowledged = {}
        for number in range(1, 21):
            name, data = segment_name(number), segment(number)
            self.assert_push(cluster.push("node1", name, data), 0)
            acknowledged[name] = sha256(data)
        for node in ("node2", "node3"):
            cluster.kill(node)
        shutil.rmtree(cluster.archive_dir("node2"))
        cluster.archive_dir("node2").mkdir()
        if os.getuid() == 0:
            shutil.chown(cluster.archive_dir("node2"), cluster.user)
        cluster.restart("node2")
        wait_until(lambda: cluster.archive("node2") == acknowledged, 60, "node2 is filled again")
        # What node2 had acknowledged and lost, node3 alone may hold: nobody knows before it is back.
        self.assertFalse(cluster.peer_status("node1", "node2")["counts"])
        cluster.restart("node3")
        wait_until(lambda: cluster.peer_status("node1", "node2")["counts"], 60,
                   "the replaced node counts again")

    def test_h20_history_goes_first_in_a_catch_up(self):
        cluster = self.cluster()
        cluster.kill("node3")
        for number in range(1, 41):
            self.assert_push(cluster.push("node1", segment_name(number), segment(number)), 0)
        history = b"1\t0/2800000\tno recovery target specified\n"
        self.assert_push(cluster.push("node1", "00000002.history", history), 0)
        # Only one sender: then the order in which files appear is the order of its sending.
        cluster.stop_daemon("node2")
        cluster.restart("node3")
        wait_until(lambda: len(cluster.archive("node3")) == 41, 60, "the peer caught up")
        files = sorted(cluster.archive_dir("node3").glob("*.gz"),
                       key=lambda path: path.stat().st_mtime_ns)
        # Four are on the way at once in a catch-up.
        self.assertIn("00000002.history.gz", [path.name for path in files[:4]])
