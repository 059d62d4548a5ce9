"""A line between two nodes: TCP with a delay, a bandwidth and a count of bytes, which can hang.

    proxy.py LINK...     LINK = TARGET-PORT:ROUND-TRIP-SECONDS:BYTES-PER-SECOND (0: no cap)

Prints the ports that it listens on, in one line. To each line of input it answers with the bytes
that each link has carried so far, both ways together; it ends with its input. From the line `hang`
on nothing gets through any more: what is open stays open, what is new is accepted, and nobody
answers. Each direction of a link is a bucket of its own that all its connections share. A piece
leaves when all before it have left at that rate, and arrives half a round trip later. What waits to
leave is never more than 50 ms' worth: then nothing more is taken from the sender, as a router's
full queue slows it down.
"""

import queue
import socket
import sys
import threading
import time

PIECE = 65536
QUEUE_SECONDS = 0.05
PIECES_MAX = 1024  # of a link without a cap


class Direction:
    def __init__(self, delay, rate):
        self.delay, self.rate = delay, rate
        self.hangs = False
        self.lock = threading.Lock()
        self.free_at = 0.0  # when what has been taken so far will have left
        self.bytes = 0

    def take(self, count):
        """When these bytes arrive, and how long to wait before more is taken."""
        with self.lock:
            self.bytes += count
            now = time.monotonic()
            self.free_at = max(self.free_at, now) + (count / self.rate if self.rate else 0)
            return self.free_at + self.delay, self.free_at - now - QUEUE_SECONDS

    def carry(self, source, target):
        pieces = queue.Queue(PIECES_MAX)
        threading.Thread(target=self.deliver, args=(pieces, target), daemon=True).start()
        while True:
            try:
                data = source.recv(PIECE)
            except OSError:
                data = b""
            if self.hangs:
                return
            arrives, wait = self.take(len(data))
            pieces.put((arrives, data))
            if not data:
                return
            if wait > 0:
                time.sleep(wait)

    @staticmethod
    def deliver(pieces, target):
        while True:
            arrives, data = pieces.get()
            wait = arrives - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            try:
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(data)
            except OSError:
                return


class Link:
    def __init__(self, words):
        port, round_trip, rate = words.split(":")
        self.target = int(port)
        self.ways = [Direction(float(round_trip) / 2, float(rate)) for _ in range(2)]
        self.open = []  # nothing is closed by being forgotten
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near, _ = self.listener.accept()
            self.open.append(near)
            if self.ways[0].hangs:
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            self.open.append(far)
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for way, source, target in ((self.ways[0], near, far), (self.ways[1], far, near)):
                threading.Thread(target=way.carry, args=(source, target), daemon=True).start()

    def bytes(self):
        return sum(way.bytes for way in self.ways)


def main():
    links = [Link(words) for words in sys.argv[1:]]
    print(*(link.listener.getsockname()[1] for link in links), flush=True)
    for line in sys.stdin:
        for way in (way for link in links for way in link.ways if line == "hang\n"):
            way.hangs = True
        print(*(link.bytes() for link in links), flush=True)


if __name__ == "__main__":
    main()
