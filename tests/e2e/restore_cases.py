"""fetch and repair where disks are full or rotten."""

import os
import shutil
import subprocess

from fault_cases import SmallDisk
from harness import SEGMENT_BYTES, Case, needs_isolation, segment, segment_name, sha256, wait_until


def damage(cluster, node, name):
    """Changes one byte in the middle of a node's copy; the damaged bytes."""
    path = cluster.archive_dir(node) / f"{name}.gz"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 0x10
    path.write_bytes(damaged)
    return bytes(damaged)


@needs_isolation
class FullDisk(SmallDisk):
    def test_a_fetch_needs_no_room_in_the_archive(self):
        cluster = self.cluster()
        whole = {n: segment(n, random_bytes=SEGMENT_BYTES - 100) for n in (1, 2)}
        self.put_archive_on_small_disk(cluster, "node2", 4)
        left = shutil.disk_usage(cluster.archive_dir("node2")).free
        cluster.run(["fallocate", "-l", str(left - (256 << 10)),
                     cluster.archive_dir("node2") / "ballast"])
        for n, data in whole.items():
            self.assertEqual(cluster.push("node1", segment_name(n), data).code, 0)
            wait_until(lambda: cluster.archived("node3", segment_name(n)) == data, 20, "node3")
        self.assertIsNone(cluster.archived("node2", segment_name(1)))
        outcome, data = cluster.fetch("node2", segment_name(1))
        self.assertEqual((outcome.code, data == whole[1]), (0, True), outcome)
        # One of the two copies is rotten: the client finds out, and takes the other.
        damage(cluster, "node1", segment_name(2))
        for _ in range(2):
            outcome, data = cluster.fetch("node2", segment_name(2))
            self.assertEqual((outcome.code, data == whole[2]), (0, True), outcome)
        damage(cluster, "node3", segment_name(2))
        outcome, data = cluster.fetch("node2", segment_name(2))
        self.assertEqual((outcome.code, data), (1, None), outcome)
        self.assertIsNone(cluster.archived("node2", segment_name(1)))
        names = [path.name for path in cluster.scratch.iterdir() if "push" not in path.name]
        self.assertEqual(names, [], "no temporary file is left")
