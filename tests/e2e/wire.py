"""A client of the daemon that says what it likes: messages of docs/protocol.md, made by hand."""

import socket
import struct
import zlib

HELLO, FAILURE, PUT, DATA, PUT_END, DONE, GET_END, STATUS_QUERY, STATUS_REPORT = (
    1, 2, 3, 4, 5, 6, 11, 19, 20)
CLIENT = 1


def text(words):
    return struct.pack("<H", len(words)) + words.encode()


def put(number, name):
    no_facts = bytes(32) + struct.pack("<QQIQI", 0, 0, 0, 0, 0) + text("")
    return PUT, struct.pack("<Q", number) + text(name) + struct.pack("<Q", 0) + no_facts


def data(number, content=b"x"):
    return DATA, struct.pack("<Q", number) + content


def put_end(number, crc32=0):
    return PUT_END, struct.pack("<QI", number, crc32)


def status_query(number):
    return STATUS_QUERY, struct.pack("<QB", number, 0)


class Talk:
    """A session that has greeted."""

    def __init__(self, path, cluster="local", seconds=20):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        self.socket.connect(str(path))
        hello = (struct.pack("<IHHQB", 0x53574750, 1, 1, 0, CLIENT) + text("wire") + text(cluster)
                 + text("") + struct.pack("<QQBBQ", 0, 0, 0, 0, 0))
        self.say((HELLO, hello))
        kind, payload = self.hear()
        if kind != HELLO:
            raise AssertionError(f"no greeting: {kind} {payload}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def say(self, *messages):
        """In one piece."""
        self.socket.sendall(b"".join(
            struct.pack("<IBBHI", len(payload), kind, 0, 0, zlib.crc32(payload)) + payload
            for kind, payload in messages))

    def hear(self):
        """The type and the payload of the next message; (None, b"") when the daemon hung up."""
        header = self._read(12)
        if not header:
            return None, b""
        length, kind = struct.unpack("<IB", header[:5])
        return kind, self._read(length)

    def hear_failure(self):
        """What the daemon says before it ends the session."""
        while True:
            kind, payload = self.hear()
            if kind == FAILURE:
                length = struct.unpack("<H", payload[1:3])[0]
                return payload[3:3 + length].decode()
            if kind is None:
                raise AssertionError("the daemon hung up without a word")

    def _read(self, size):
        content = b""
        while len(content) < size:
            piece = self.socket.recv(size - len(content))
            if not piece:
                return b""
            content += piece
        return content
