"""push: what is acknowledged, what is refused, and with which exit code."""

import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import time
import unittest

from harness import (SEGMENT_BYTES, Case, Load, is_running, segment, segment_name, sha256,
                     wait_until)
from wire import DONE, GET_END, STATUS_REPORT, Talk, data, put, put_end, status_query


class Push(Case):
    def test_acknowledged_segments_are_on_the_quorum(self):
        cluster = self.cluster()
        acknowledged = {}
        for number in range(1, 11):
            name, data = segment_name(number), segment(number, random_bytes=100_000)
            self.assert_push(cluster.push("node1", name, data), 0)
            acknowledged[name] = sha256(data)
            self.assertGreaterEqual(len(cluster.holders(name, acknowledged[name])), 2)
        self.assert_on_quorum(cluster, acknowledged)
        wait_until(lambda: all(cluster.archive(node) == acknowledged for node in cluster.names), 20,
                   "the third node holds everything as well")

    def test_an_archive_is_plain_gzip(self):
        cluster = self.cluster(nodes=1)
        name, data = segment_name(1), segment(1)
        self.assert_push(cluster.push("node1", name, data), 0)
        path = cluster.archive_dir("node1") / f"{name}.gz"
        self.assertEqual(subprocess.run(["gunzip", "-c", path], capture_output=True).stdout, data)
        listed = subprocess.run(["gzip", "-l", "-N", path], capture_output=True, text=True).stdout
        self.assertIn(name, listed)

    def test_many_clients_at_once(self):
        cluster = self.cluster()
        names = [segment_name(number) for number in range(1, 25)]
        processes, contents = [], {}
        for number, name in enumerate(names, 1):
            contents[name] = segment(number)
            path = cluster.file(f"many-{name}", contents[name])
            processes.append(cluster.start(cluster.command("node1", "push", path, name)))
        for process in processes:
            _, err = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0, err)
        self.assert_on_quorum(cluster, {name: sha256(data) for name, data in contents.items()})

    def test_one_node_alone(self):
        cluster = self.cluster(nodes=1)
        self.assert_push(cluster.push("node1", segment_name(1), segment(1)), 0)
        self.assertTrue(cluster.status("node1")["quorum"]["held"])

    def test_the_client_loads_no_heavy_library(self):
        cluster = self.cluster(nodes=1)
        listed = subprocess.run(["ldd", cluster.dir / "bin" / "pgwalship"], capture_output=True,
                                text=True).stdout
        for library in ("libssh", "libpq", "libspdlog", "libfmt"):
            self.assertNotIn(library, listed)

    def test_h3_a_killed_client_can_push_again(self):
        cluster = self.cluster()
        chance = random.Random(3)
        for number in range(1, 16):
            name, data = segment_name(number), segment(number, random_bytes=SEGMENT_BYTES // 2)
            path = cluster.file("killed", data)
            process = cluster.start(cluster.command("node1", "push", path, name))
            try:
                process.wait(timeout=chance.uniform(0.001, 0.04))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self.assert_push(cluster.push("node1", name, data), 0)
            self.assertGreaterEqual(len(cluster.holders(name, sha256(data))), 2)
        wait_until(lambda: not cluster.temporary_files("node1"), 10, "what was staged is gone")

    def test_h4_identical_content_is_success(self):
        cluster = self.cluster()
        for _ in range(2):
            self.assert_push(cluster.push("node1", segment_name(1), segment(1)), 0)
        self.assertEqual(cluster.status("node1")["conflicts"], [])

    def test_h5_other_content_is_refused_and_kept(self):
        cluster = self.cluster()
        name, first, second = segment_name(1), segment(1, seed="A"), segment(1, seed="B")
        self.assert_push(cluster.push("node1", name, first), 0)
        wait_until(lambda: len(cluster.holders(name, sha256(first))) == 3, 10, "all nodes have it")
        for node in ("node1", "node2"):
            outcome = cluster.push(node, name, second)
            self.assert_push(outcome, 3, sha256(first)[:8], sha256(second)[:8])
        self.assertEqual(len(cluster.holders(name, sha256(first))), 3)
        conflicts = cluster.status("node1")["conflicts"]
        self.assertEqual([conflict["name"] for conflict in conflicts], [name])
        kept = list((cluster.archive_dir("node1") / ".pgwalship" / "quarantine").iterdir())
        self.assertEqual(len(kept), 1)
        self.assertEqual(subprocess.run(["gunzip", "-c", kept[0]], capture_output=True).stdout,
                         second)

    def test_h7_two_primaries_race_for_one_name(self):
        cluster = self.cluster()
        for number in range(1, 9):
            name = segment_name(number)
            processes = []
            for node in ("node1", "node2"):
                path = cluster.file(f"race-{node}", segment(number, seed=node))
                processes.append(cluster.start(cluster.command(node, "push", path, name)))
            codes = [process.wait(timeout=60) for process in processes]
            self.assertLessEqual(codes.count(0), 1, f"both contents of {name} were acknowledged")
            for node, code in zip(("node1", "node2"), codes):
                self.assertIn(code, (0, 1, 3))
                if code == 0:
                    digest = sha256(segment(number, seed=node))
                    self.assertGreaterEqual(len(cluster.holders(name, digest)), 2)

    def test_h9_partial_and_full_are_two_files(self):
        cluster = self.cluster()
        name, full, partial = segment_name(1), segment(1, seed="full"), segment(1, seed="partial")
        self.assert_push(cluster.push("node1", name + ".partial", partial), 0)
        outcome, data = cluster.fetch("node1", name)
        self.assertEqual((outcome.code, data), (1, None))
        self.assert_push(cluster.push("node1", name, full), 0)
        self.assertEqual(cluster.fetch("node1", name)[1], full)
        self.assertEqual(cluster.fetch("node1", name + ".partial")[1], partial)

    def test_h10_only_names_of_wal_are_accepted(self):
        cluster = self.cluster(nodes=1)
        good = segment_name(1)
        for name in ("../x", "A" * 65, good.lower().replace("0", "a"), good + ".gz", "", "a b",
                     good + ".00000028", good + "/", "/" + good, "00000002.HISTORY", good + "\n"):
            self.assert_push(cluster.push("node1", good, segment(1)), 0)
            path = cluster.file("named", segment(1))
            self.assert_push(cluster.pgwalship("node1", "push", path, name), 2)
        label = good + ".00000028.backup"
        self.assert_push(cluster.push("node1", label, b"START WAL LOCATION: 0/100028\n"), 0)
        self.assert_push(cluster.push("node1", "00000002.history", b"1\t0/100000\tno reason\n"), 0)
        self.assertEqual(sorted(cluster.archive("node1")),
                         sorted([good, label, "00000002.history"]))

    def test_h11_what_does_not_belong_here_is_refused(self):
        cluster = self.cluster()
        self.assert_push(cluster.push("node1", segment_name(1), segment(1)), 0)
        strangers = {
            "of another cluster": segment(2, system_id=42),
            "recycled: the address of another segment": segment(7),
            "short": segment(2)[:-8192],
            "long": segment(2) + bytes(8192),
            "of another magic": b"\x00\x00" + segment(2)[2:],
            "of a later timeline": segment(2, timeline=9),
            "empty": b"",
            "zeros": bytes(SEGMENT_BYTES),
        }
        for what, data in strangers.items():
            with self.subTest(what):
                self.assert_push(cluster.push("node1", segment_name(2), data), 2)
        self.assertEqual(list(cluster.archive("node1")), [segment_name(1)])
        self.assert_push(cluster.push("node2", segment_name(3), segment(3, system_id=42)), 2)

    def test_h11_a_foreign_peer_is_turned_away_once_the_archive_has_its_first_file(self):
        cluster = self.cluster(nodes=2, quorum="NONE")
        identity = cluster.archive_dir("node2") / ".pgwalship" / "system-identifier"
        cluster.stop_daemon("node1")
        identity.write_text("42\n")
        shutil.chown(identity, cluster.user)
        cluster.start_daemon("node1")  # greets as new: nothing is wrong yet
        cluster.wait_peer("node1", "node2", "current")
        self.assert_push(cluster.push("node1", segment_name(1), segment(1)), 0)
        wait_until(lambda: "different database systems" in
                   (cluster.peer_status("node1", "node2")["last_error"] or ""), 10,
                   "node1 turns node2 away")
        self.assertEqual(cluster.archive("node2"), {})

    def test_h11_a_foreign_file_does_not_reach_a_peer_whose_archive_is_new(self):
        cluster = self.cluster()
        self.assert_push(cluster.push("node1", segment_name(1), segment(1)), 0)
        cluster.kill("node3")
        directory = cluster.archive_dir("node3")
        directory.rename(directory.parent / "lost")
        directory.mkdir(mode=0o700)
        shutil.chown(directory, cluster.user)
        cluster.restart("node3")
        foreign = segment(9, system_id=42)
        self.assert_push(cluster.push("node2", segment_name(9), foreign), 2, "system identifier")
        self.assert_push(cluster.push("node1", segment_name(2), segment(2)), 0)
        wait_until(lambda: cluster.archived("node3", segment_name(2)), 15, "node3 takes its own")
        self.assertNotIn(segment_name(9), cluster.archive("node3"))

    def test_h12_a_file_that_changes_is_not_acknowledged(self):
        cluster = self.cluster(nodes=1)
        size = 64 << 20
        name = segment_name(1, segment_bytes=size)
        path = cluster.file("changing", segment(1, segment_bytes=size, random_bytes=size // 2))

        def scribble(number):
            with open(path, "r+b") as file:
                file.seek(size - 8)
                file.write(struct.pack("<Q", number))
            return number

        load = Load(scribble)
        try:
            outcome = cluster.pgwalship("node1", "push", path, name)
        finally:
            load.stop()
        self.assertIn(outcome.code, range(1, 126), outcome)
        self.assertEqual(cluster.archive("node1"), {})
        self.assert_push(cluster.pgwalship("node1", "push", path, name), 0)
        self.assertEqual(cluster.archived("node1", name), path.read_bytes())

    def test_h12_pg_wal_may_be_a_symbolic_link(self):
        cluster = self.cluster(nodes=1)
        (cluster.scratch / "elsewhere").symlink_to(cluster.scratch)
        cluster.file("linked", segment(1))
        path = cluster.scratch / "elsewhere" / "linked"
        self.assert_push(cluster.pgwalship("node1", "push", path, segment_name(1)), 0)

    def test_h13_no_failure_ends_above_125(self):
        cluster = self.cluster(nodes=1)
        path, name = cluster.file("segment", segment(1)), segment_name(1)
        binary = cluster.dir / "bin" / "pgwalship"
        config = cluster.dir / "node1" / "pgwalship.conf"
        broken = cluster.file("broken.conf", b"[cluster]\nquorun = 1\n[nonsense]\nx = y\n")
        cases = {
            "no configuration": [binary, "--config", "/nonexistent", "push", path, name],
            "a wrong configuration": [binary, "--config", broken, "push", path, name],
            "no such file": [binary, "--config", config, "push", "/nonexistent", name],
            "a directory": [binary, "--config", config, "push", "/", name],
            "no arguments": [binary, "--config", config, "push"],
            "too many arguments": [binary, "--config", config, "push", path, name, name],
            "an unknown option": [binary, "--config", config, "push", "--frobnicate", path, name],
            "no memory": ["sh", "-c", "ulimit -v 20000; exec \"$@\"", "sh", binary, "--config",
                          config, "push", path, name],
            "no descriptors": ["sh", "-c", "ulimit -n 4; exec \"$@\"", "sh", binary, "--config",
                               config, "push", path, name],
        }
        for what, command in cases.items():
            with self.subTest(what):
                outcome = cluster.run(command)
                self.assertIn(outcome.code, range(0 if what.startswith("no m") else 1, 126),
                              outcome)
                self.assertTrue(outcome.code == 0 or outcome.err.strip(), "no reason given")
        self.assertIn(f"{broken}:2:", cluster.run(cases["a wrong configuration"]).err)
        self.assertIn(f"{broken}:3:", cluster.run(cases["a wrong configuration"]).err)

    def test_h13_the_daemon_is_down_or_dies(self):
        cluster = self.cluster(nodes=1)
        cluster.stop_daemon("node1", signal.SIGKILL)
        self.assert_push(cluster.push("node1", segment_name(1), segment(1)), 1, "HINT")
        cluster.start_daemon("node1")
        self.assert_push(cluster.push("node1", segment_name(1), segment(1)), 0)
        chance = random.Random(13)
        for number in range(2, 8):
            path = cluster.file("dying", segment(number, random_bytes=SEGMENT_BYTES // 2))
            process = cluster.start(cluster.command("node1", "push", path, segment_name(number)))
            time.sleep(chance.uniform(0, 0.02))
            cluster.stop_daemon("node1", signal.SIGKILL)
            _, err = process.communicate(timeout=30)
            self.assertIn(process.returncode, (0, 1), err)
            cluster.start_daemon("node1")


class Socket(Case):
    def test_h46_a_second_daemon_is_refused(self):
        cluster = self.cluster(nodes=1)
        second = [cluster.dir / "bin" / "pgwalshipd", "--foreground", "--config",
                  cluster.dir / "node1" / "pgwalship.conf"]
        outcome = cluster.run(second, timeout=20)
        self.assertNotEqual(outcome.code, 0)
        self.assertTrue(outcome.err.strip())
        self.assert_push(cluster.push("node1", segment_name(1), segment(1)), 0)

    def test_h46_a_second_daemon_of_one_archive_is_refused(self):
        cluster = self.cluster(nodes=1)
        node = cluster.dir / "node1"
        conf = (node / "pgwalship.conf").read_text().replace("pgwalship.sock", "other.sock")
        other = cluster.file("other.conf", conf.encode())
        outcome = cluster.run([cluster.dir / "bin" / "pgwalshipd", "--foreground", "--config",
                               other], timeout=20)
        self.assertNotEqual(outcome.code, 0)
        self.assertIn("another pgwalshipd serves the archive", outcome.err)
        self.assertIn("HINT", outcome.err)
        self.assert_push(cluster.push("node1", segment_name(1), segment(1)), 0)
        cluster.stop_daemon("node1", signal.SIGKILL)  # its lock does not count any more
        cluster.start_daemon("node1")
        self.assert_push(cluster.push("node1", segment_name(2), segment(2)), 0)

    def test_h46_a_stale_socket_is_replaced(self):
        cluster = self.cluster(nodes=1)
        cluster.stop_daemon("node1", signal.SIGKILL)
        self.assertTrue((cluster.dir / "node1" / "pgwalship.sock").is_socket())
        cluster.start_daemon("node1")
        self.assert_push(cluster.push("node1", segment_name(1), segment(1)), 0)

    @unittest.skipUnless(os.getuid() == 0, "needs root, to be somebody else")
    def test_h47_another_user_is_turned_away(self):
        cluster = self.cluster(nodes=1)
        # Even where the files' modes would let them in.
        for path in (cluster.dir, cluster.dir / "bin", cluster.dir / "node1"):
            os.chmod(path, 0o755)
        for path in (cluster.dir / "bin").iterdir():
            os.chmod(path, 0o755)
        os.chmod(cluster.dir / "node1" / "pgwalship.conf", 0o644)
        os.chmod(cluster.dir / "node1" / "pgwalship.sock", 0o666)
        os.chmod(cluster.scratch, 0o755)
        path = cluster.file("others", segment(1), mode=0o644)
        cluster.user = "nobody"
        self.assert_push(cluster.pgwalship("node1", "push", path, segment_name(1)), 1)
        self.assertEqual(cluster.archive("node1"), {})
        cluster.user = "postgres"
        self.assert_push(cluster.pgwalship("node1", "push", path, segment_name(1)), 0)

    def test_h47_garbage_costs_one_session(self):
        cluster = self.cluster(nodes=1)
        path = str(cluster.dir / "node1" / "pgwalship.sock")
        chance = random.Random(47)
        messages = [chance.randbytes(chance.randrange(1, 300)) for _ in range(50)]
        messages += [struct.pack("<IBBHI", 0xFFFFFFFF, 1, 0, 0, 0),
                     struct.pack("<IBBHI", 0, 1, 0, 0, 0), b"", b"GET / HTTP/1.1\r\n\r\n"]
        pid = cluster.daemon_pid("node1")
        for message in messages:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(10)
                client.connect(path)
                try:
                    client.sendall(message)
                    client.shutdown(socket.SHUT_WR)
                    while client.recv(65536):
                        pass
                except (BrokenPipeError, ConnectionResetError):
                    pass
        self.assertTrue(is_running(pid))
        self.assert_push(cluster.push("node1", segment_name(1), segment(1)), 0)

    def test_h47_messages_out_of_order_cost_one_session(self):
        cluster = self.cluster()
        path = cluster.dir / "node1" / "pgwalship.sock"
        pid = cluster.daemon_pid("node1")
        name = segment_name(9)
        whole = [put(1, name), data(1), put_end(1)]
        with Talk(path) as other:
            other.say(put(1, segment_name(8)), data(1))
            for messages, why in (
                    (whole + [put_end(1)], "PutEnd for id 1 after its PutEnd"),
                    (whole + [data(1)], "Data for id 1 after its PutEnd"),
                    (whole + [put(1, name)], "id 1 is already open"),
                    ([put(1, name), put(1, name)], "id 1 is already open"),
                    ([put_end(1)], "PutEnd for id 1, which is not open"),
                    ([data(1)], "Data for id 1, which is not open"),
                    ([(GET_END, struct.pack("<QI", 1, 0))], "that a client may not send")):
                with Talk(path) as talk:
                    talk.say(*messages)
                    self.assertIn(why, talk.hear_failure())
            other.say(status_query(2))
            self.assertEqual(other.hear()[0], STATUS_REPORT, "the session of another client")
        self.assertTrue(is_running(pid))
        self.assert_push(cluster.push("node1", segment_name(1), segment(1)), 0)

    def test_a_put_is_open_until_both_its_answer_and_its_end(self):
        cluster = self.cluster(nodes=1)
        tmp = cluster.archive_dir("node1") / ".pgwalship" / "tmp"
        os.chmod(tmp, 0o500)
        with Talk(cluster.dir / "node1" / "pgwalship.sock") as talk:
            talk.say(put(1, segment_name(1)))
            self.assertEqual(talk.hear()[0], DONE, "it cannot be stored")
            talk.say(data(1), put_end(1), status_query(2))
            self.assertEqual(talk.hear()[0], STATUS_REPORT, "what came late is ignored")
            os.chmod(tmp, 0o700)
            talk.say(put(1, segment_name(1)), data(1), put_end(1))
            self.assertEqual(talk.hear()[0], DONE, "the id is free again")
            talk.say(put_end(1))
            self.assertIn("not open", talk.hear_failure())

    def test_h47_a_client_cannot_fill_the_disk(self):
        cluster = self.cluster(nodes=1)
        with Talk(cluster.dir / "node1" / "pgwalship.sock") as talk:
            talk.say(put(1, segment_name(1)), data(1, bytes(60_000)))
            talk.say(data(1, bytes(60_000)), data(1, bytes(60_000)))
            kind, payload = talk.hear()
            self.assertEqual(kind, DONE)
            self.assertIn(b"more came than a file of 0 bytes can take", payload)
            talk.say(put_end(1), status_query(2))
            self.assertEqual(talk.hear()[0], STATUS_REPORT, "the session goes on")
        wait_until(lambda: not cluster.temporary_files("node1"), 10, "what was staged is gone")

    def test_h49_a_stopped_daemon_loses_nothing_acknowledged(self):
        cluster = self.cluster()
        acknowledged = {}

        def push_next(number):
            name, data = segment_name(number + 1), segment(number + 1, random_bytes=200_000)
            outcome = cluster.push("node1", name, data)
            if outcome.code == 0:
                acknowledged[name] = sha256(data)
            return outcome

        load = Load(push_next)
        try:
            for _ in range(3):
                before = len(acknowledged)
                wait_until(lambda: len(acknowledged) > before + 3, 30, "pushes go through")
                cluster.stop_daemon("node1", signal.SIGTERM, seconds=10)
                cluster.start_daemon("node1")
                cluster.wait_peer("node1", "node2", "current", 30)
        finally:
            outcomes = load.stop()
        for outcome in outcomes:
            self.assertIn(outcome.code, (0, 1), outcome)
        self.assert_on_quorum(cluster, acknowledged)


if __name__ == "__main__":
    unittest.main()
