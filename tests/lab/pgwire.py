"""A small PostgreSQL client: simple queries, SCRAM or peer, a deadline for everything. One connection
that stays open notices an outage to the tenth of a second, which a psql for each commit does not."""

import base64
import hashlib
import hmac
import os
import socket
import struct


class PgError(Exception):
    pass


class Connection:
    def __init__(self, where, user, password="", database="postgres", timeout=1.5):
        """`where`: (host, port), or a connected socket."""
        if isinstance(where, socket.socket):
            self._socket = where
        else:
            self._socket = socket.create_connection(where, timeout=timeout)
        self._socket.settimeout(timeout)
        self._buffer = b""
        self._password = password
        words = b"".join(word.encode() + b"\0" for word in
                         ("user", user, "database", database, "application_name", "lab"))
        body = struct.pack("!I", 196608) + words + b"\0"
        self._socket.sendall(struct.pack("!I", len(body) + 4) + body)
        try:
            self._authenticate(user)
        except BaseException:
            self.close()
            raise

    def close(self):
        self._socket.close()

    def _read(self, size):
        while len(self._buffer) < size:
            block = self._socket.recv(65536)
            if not block:
                raise PgError("the server has closed the connection")
            self._buffer += block
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _message(self):
        kind, length = struct.unpack("!cI", self._read(5))
        body = self._read(length - 4)
        if kind == b"E":
            fields = dict((field[:1], field[1:]) for field in body.split(b"\0") if field)
            raise PgError(fields.get(b"M", b"error").decode(errors="replace"))
        return kind, body

    def _send(self, kind, body):
        self._socket.sendall(kind + struct.pack("!I", len(body) + 4) + body)

    def _authenticate(self, user):
        scram = None
        while True:
            kind, body = self._message()
            if kind == b"Z":
                return
            if kind != b"R":
                continue
            code = struct.unpack("!I", body[:4])[0]
            if code == 10:
                scram = self._scram_first()
            elif code == 11:
                self._send(b"p", self._scram_final(scram, body[4:]))

    def _scram_first(self):
        nonce = base64.b64encode(os.urandom(18)).decode()
        first = f"n=,r={nonce}"
        message = ("n,," + first).encode()
        self._send(b"p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(message)) + message)
        return first

    def _scram_final(self, first, server):
        fields = dict(part.split("=", 1) for part in server.decode().split(","))
        salted = hashlib.pbkdf2_hmac("sha256", self._password.encode(),
                                     base64.b64decode(fields["s"]), int(fields["i"]))
        client = hmac.digest(salted, b"Client Key", "sha256")
        final = f"c=biws,r={fields['r']}"
        text = ",".join([first, server.decode(), final]).encode()
        signature = hmac.digest(hashlib.sha256(client).digest(), text, "sha256")
        proof = bytes(a ^ b for a, b in zip(client, signature))
        return f"{final},p={base64.b64encode(proof).decode()}".encode()

    def query(self, sql):
        """Rows of text."""
        self._send(b"Q", sql.encode() + b"\0")
        rows, error = [], None
        while True:
            try:
                kind, body = self._message()
            except PgError as problem:
                if not str(problem).startswith("the server has closed"):
                    error = problem
                    continue
                raise error or problem from None
            if kind == b"D":
                rows.append(self._row(body))
            elif kind == b"Z":
                if error:
                    raise error
                return rows

    @staticmethod
    def _row(body):
        count, at, row = struct.unpack("!H", body[:2])[0], 2, []
        for _ in range(count):
            size = struct.unpack("!i", body[at:at + 4])[0]
            at += 4
            row.append(None if size < 0 else body[at:at + size].decode())
            at += max(size, 0)
        return row
