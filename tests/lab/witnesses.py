"""Who looks on while things break: a client that writes, and one that asks every server, cable or not,
whether it is a primary."""

import ctypes
import os
import socket
import threading
import time

import pgwire

CLIENT_ADDRESS = ("10.10.10.105", 5432)
APP_PASSWORD = "lab-app"
SYS_SETRESUID = 117  # x86-64; of the calling thread alone, which libc's setresuid is not


class Writer(threading.Thread):
    """Inserts rows through the client address, one by one, and keeps what was acknowledged."""

    def __init__(self, first):
        super().__init__(daemon=True)
        self.acknowledged = []  # (id, time)
        self.next = first
        self.first = first
        self.end = threading.Event()

    def run(self):
        connection = None
        while not self.end.is_set():
            number, self.next = self.next, self.next + 1
            try:
                if connection is None:
                    connection = pgwire.Connection(CLIENT_ADDRESS, "app", APP_PASSWORD)
                connection.query(f"insert into ledger values ({number}, repeat('x', 200))")
                self.acknowledged.append((number, time.time()))
            except (OSError, pgwire.PgError):
                if connection:
                    connection.close()
                connection = None
            self.end.wait(0.1)
        if connection:
            connection.close()

    def stop(self):
        self.end.set()
        self.join()

    def last(self):
        return self.acknowledged[-1][1] if self.acknowledged else 0.0

    def since(self, moment):
        return [entry for entry in self.acknowledged if entry[1] > moment]

    def longest_gap(self, moment):
        """Between two acknowledged commits, the second one after `moment`."""
        times = [entry[1] for entry in self.acknowledged]
        return max((b - a for a, b in zip(times, times[1:]) if b > moment), default=0.0)


class Watcher(threading.Thread):
    """Asks each server over its own socket in the file system, which no cable interrupts."""

    QUERY = ("select pg_is_in_recovery(), coalesce(last_archived_wal, ''), "
             "current_setting('synchronous_standby_names') from pg_stat_archiver")

    def __init__(self, lab, names, postgres_uid):
        super().__init__(daemon=True)
        self.lab, self.names, self.uid = lab, names, postgres_uid
        self.end = threading.Event()
        self.connections = {}
        self.rounds = 0
        self.twice = []  # (time, names) with more than one primary
        self.primaries = {}  # name -> time last seen as primary
        self.archived = set()  # what a primary's archive_command has acknowledged

    def _connect(self, name):
        pid = self.lab.ask("pid", name)
        if pid == "0":
            return None
        directory = os.open(f"/proc/{pid}/root/run/postgresql", os.O_PATH | os.O_DIRECTORY)
        libc = ctypes.CDLL(None, use_errno=True)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(1)
        try:
            # Peer authentication takes the effective user of the thread that connects.
            libc.syscall(SYS_SETRESUID, -1, self.uid, -1)
            connection.connect(f"/proc/self/fd/{directory}/.s.PGSQL.5432")
        finally:
            libc.syscall(SYS_SETRESUID, -1, 0, -1)
            os.close(directory)
        return pgwire.Connection(connection, "postgres", timeout=1)

    def _ask(self, name):
        try:
            if name not in self.connections:
                made = self._connect(name)
                if made is None:
                    return None
                self.connections[name] = made
            return self.connections[name].query(self.QUERY)[0]
        except (OSError, pgwire.PgError, RuntimeError, IndexError):
            old = self.connections.pop(name, None)
            if old:
                old.close()
            return None

    def run(self):
        while not self.end.wait(0.3):
            now = time.time()
            answers = {name: self._ask(name) for name in self.names}
            primaries = [name for name, answer in answers.items() if answer and answer[0] == "f"]
            self.rounds += 1
            for name in primaries:
                self.primaries[name] = now
                if answers[name][1]:
                    self.archived.add(answers[name][1])
            if len(primaries) > 1:
                self.twice.append((now, primaries))

    def stop(self):
        self.end.set()
        self.join()
