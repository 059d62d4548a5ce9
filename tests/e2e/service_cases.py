"""pgwalshipd as a service: what it tells a service manager, with a real NOTIFY_SOCKET."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from harness import BINARIES, Case, SYSTEM_ID, segment, segment_name, wait_until


class Service:
    """One daemon of its own, started as systemd would."""

    def __init__(self, watchdog_seconds=None):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="pgws-"))
        os.chmod(self.dir, 0o755)
        (self.dir / "archive").mkdir()
        self.config = self.dir / "pgwalship.conf"
        self.config.write_text(f"[archive]\ndirectory = {self.dir}/archive\n"
                               f"[daemon]\nsocket = {self.dir}/s\nlog-target = stderr\n")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.dir / "notify"))
        self.log = self.dir / "log"
        environment = dict(os.environ, NOTIFY_SOCKET=str(self.dir / "notify"))
        if watchdog_seconds:
            environment["WATCHDOG_USEC"] = str(int(watchdog_seconds * 1_000_000))
        self.process = subprocess.Popen(
            [f"{BINARIES}/pgwalshipd", "--foreground", "--config", self.config],
            stdin=subprocess.DEVNULL, stderr=self.log.open("w"), env=environment)

    def told(self, seconds):
        """The next datagram, as a dictionary; None when none comes."""
        self.notify.settimeout(seconds)
        try:
            text = self.notify.recv(8192).decode()
        except socket.timeout:
            return None
        return dict(line.split("=", 1) for line in text.splitlines())

    def until_told(self, key, seconds=10):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            told = self.told(max(0.01, deadline - time.monotonic()))
            if told and key in told:
                return told
        raise AssertionError(f"no {key} within {seconds} s: {self.log.read_text()}")

    def connect(self):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.connect(str(self.dir / "s"))
        return client

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()
        self.notify.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Notify(unittest.TestCase):
    def service(self, **options):
        service = Service(**options)
        self.addCleanup(service.close)
        return service

    def test_ready_comes_when_clients_can_connect_and_stopping_at_sigterm(self):
        service = self.service()
        told = service.until_told("READY")
        service.connect().close()
        self.assertEqual(told["READY"], "1")
        self.assertEqual(told["STATUS"], "quorum NONE: held")
        self.assertIsNone(service.told(1.5), "no keep-alive for a manager that does not watch")

        service.process.send_signal(signal.SIGTERM)
        self.assertEqual(service.until_told("STOPPING")["STOPPING"], "1")
        self.assertEqual(service.process.wait(timeout=15), 0)

    def test_a_wrong_configuration_is_never_ready_and_ends_with_2(self):
        service = self.service()
        service.until_told("READY")
        service.config.write_text("[archive]\ndirectory = nowhere\n")
        service.process.send_signal(signal.SIGHUP)
        self.assertEqual(service.until_told("RELOADING")["RELOADING"], "1")
        service.until_told("READY")
        self.assertIn("the old configuration stays", service.log.read_text())
        outcome = subprocess.run(service.process.args, capture_output=True, text=True,
                                 env=dict(os.environ, NOTIFY_SOCKET=str(service.dir / "notify")))
        self.assertEqual(outcome.returncode, 2, outcome)
        self.assertIsNone(service.told(0.2))

    def test_sighup_takes_over_what_it_can_and_names_what_needs_a_restart(self):
        service = self.service()
        service.until_told("READY")
        service.config.write_text(service.config.read_text().replace("directory = ", "directory = /")
                                  + "log-level = debug\n[retention]\ndays = 2\n")
        service.process.send_signal(signal.SIGHUP)
        told = service.until_told("RELOADING")
        self.assertGreater(int(told["MONOTONIC_USEC"]), 0)
        service.until_told("READY")
        log = service.log.read_text()
        self.assertIn("taken over: [retention] days, [daemon] log-level", log)
        self.assertIn("needs a restart: [archive] directory", log)

    def test_h49_signs_of_life_stop_while_the_loop_is_stuck(self):
        service = self.service(watchdog_seconds=1)
        service.until_told("READY")
        begin = time.monotonic()
        for _ in range(4):
            service.until_told("WATCHDOG", seconds=1)
        self.assertGreater(time.monotonic() - begin, 1, "two a second, not more")
        service.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: service.told(0.01) is None, 2, "what was sent is read")
        self.assertIsNone(service.told(2))
        service.process.send_signal(signal.SIGCONT)
        service.until_told("WATCHDOG", seconds=2)


class Cluster(Case):
    def test_an_address_is_taken_over_while_pushes_go_on(self):
        cluster = self.cluster()
        cluster.wait_peer("node1", "node2", "current")
        config = cluster.dir / "node1" / "pgwalship.conf"
        right = config.read_text()
        port = str(cluster.port("node2"))
        config.write_text(right.replace(f"port={port}", "port=1"))
        os.kill(cluster.daemon_pid("node1"), signal.SIGHUP)
        cluster.wait_peer("node1", "node2", "down")
        name = segment_name(1)
        self.assert_push(cluster.push("node1", name, segment(1, system_id=SYSTEM_ID)), 0)
        config.write_text(right)
        os.kill(cluster.daemon_pid("node1"), signal.SIGHUP)
        wait_until(lambda: cluster.archived("node2", name), 15, "node2 has what it missed")
        self.assertIn("taken over: the address of node2", cluster.log("node1"))
