"""Files that are made, where PostgreSQL would take too long: archived ones of no content, and
segments of any size."""

import hashlib
import os
import struct

PAGE = 8192
LONG_HEADER = 0x0002
SEGMENT_16 = 16 << 20
PER_LOG_ID = 1 << 32


def segment_name(number, segment_bytes=SEGMENT_16, timeline=1):
    per_id = PER_LOG_ID // segment_bytes
    return f"{timeline:08X}{number // per_id:08X}{number % per_id:08X}"


def system_id(segment):
    """That of the server which wrote this segment."""
    with open(segment, "rb") as file:
        return struct.unpack_from("<Q", file.read(40), 24)[0]


def archived(name, number, system, origin="node1"):
    """A true header (wal/gzip.h) and nothing behind it, as bench/reconcile.cc makes them."""
    facts = struct.pack("<B32sQQIQI", 1, hashlib.sha256(name.encode()).digest(), SEGMENT_16, system,
                        1, number * SEGMENT_16, SEGMENT_16)
    facts += struct.pack("<H", len(origin)) + origin.encode()
    return (b"\x1f\x8b\x08\x0c" + bytes(5) + b"\x03" + struct.pack("<H2sH", 4 + len(facts), b"WS",
                                                                  len(facts))
            + facts + name.encode() + b"\0")


def fill_archives(stage, directories, first, count, system):
    """`count` segments from number `first` on, the same in all directories (hard links)."""
    for number in range(first, first + count):
        name = segment_name(number)
        path = f"{directories[0]}/{name}.gz"
        with open(path, "wb") as file:
            file.write(archived(name, number, system))
        for other in directories[1:]:
            os.link(path, f"{other}/{name}.gz")
    for directory in directories:
        stage.own(directory)


def renumbered(page, offset, address, segment_bytes, system):
    """A page of real WAL as one that belongs at another address."""
    magic, info, timeline, _, rest = struct.unpack_from("<HHIQI", page)
    info = info | LONG_HEADER if offset == 0 else info & ~LONG_HEADER
    head = struct.pack("<HHIQI", magic, info, timeline, address + offset, rest)
    if offset == 0:
        head += struct.pack("<4xQII", system, segment_bytes, PAGE)
    return head + page[len(head):]


def big_segment(path, sources, number, segment_bytes, system):
    """A segment of any size made of the pages of real ones, each with its right address."""
    offset = 0
    with open(path, "wb") as file:
        while offset < segment_bytes:
            for source in sources:
                with open(source, "rb") as real:
                    while offset < segment_bytes and (page := real.read(PAGE)):
                        file.write(renumbered(page, offset, number * segment_bytes, segment_bytes,
                                              system))
                        offset += PAGE


def small_segment(path, number, segment_bytes, system, page):
    """One page of real WAL at the beginning, and nothing after it, as after a forced switch."""
    with open(path, "wb") as file:
        file.write(renumbered(page, 0, number * segment_bytes, segment_bytes, system))
        file.truncate(segment_bytes)
