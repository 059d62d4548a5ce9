"""fetch and repair where disks are full or rotten."""

import json
import os
import shutil

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
        # Both at once: node1 may have had its copy replaced meanwhile.
        bad = damage(cluster, "node3", segment_name(2))
        (cluster.archive_dir("node1") / f"{segment_name(2)}.gz").write_bytes(bad)
        outcome, data = cluster.fetch("node2", segment_name(2))
        self.assertEqual((outcome.code, data is None), (1, True), outcome)
        self.assertIsNone(cluster.archived("node2", segment_name(1)))
        names = [path.name for path in cluster.scratch.iterdir() if "push" not in path.name]
        self.assertEqual(names, [], "no temporary file is left")


class Rot(Case):
    """Bad copies: found, never served, replaced; the damaged bytes are kept."""

    def everywhere(self, count=3):
        cluster = self.cluster()
        for n in range(1, count + 1):
            self.assertEqual(cluster.push("node1", segment_name(n), segment(n)).code, 0)
        for n in range(1, count + 1):
            wait_until(lambda: len(cluster.holders(segment_name(n), sha256(segment(n)))) == 3, 20,
                       f"segment {n} is everywhere")
        return cluster

    def quarantined(self, cluster, node):
        directory = cluster.archive_dir(node) / ".pgwalship" / "quarantine"
        return sorted(path.read_bytes() for path in directory.iterdir())

    def test_h28_verify_finds_and_repairs(self):
        cluster = self.everywhere(6)
        self.assertEqual(cluster.pgwalship("node2", "verify").code, 0)
        bad = [damage(cluster, "node2", segment_name(n)) for n in (1, 4)]
        (cluster.archive_dir("node2") / f"{segment_name(3)}.gz").unlink()
        outcome = cluster.pgwalship("node2", "verify", segment_name(2), segment_name(4))
        self.assertEqual(outcome.code, 1, outcome)
        self.assertEqual(outcome.out.count("\n"), 2, outcome.out)
        outcome = cluster.pgwalship("node2", "verify", "--repair", "--json")
        self.assertEqual(outcome.code, 0, outcome)
        report = json.loads(outcome.out)
        self.assertEqual({(entry["name"], entry["kind"], entry["state"])
                          for entry in report["problems"]},
                         {(segment_name(1), "corrupt", "repaired"),
                          (segment_name(4), "corrupt", "repaired"),
                          (segment_name(3), "gap", "repaired")})
        self.assertEqual(cluster.archive("node2"), cluster.archive("node1"))
        self.assertEqual(self.quarantined(cluster, "node2"), sorted(bad))
        self.assertEqual(cluster.log("node2").count("is bad ("), 2, "one line a bad copy")

    def test_h28_verify_says_what_no_node_has(self):
        cluster = self.everywhere()
        for node in cluster.names:
            damage(cluster, node, segment_name(2))
        outcome = cluster.pgwalship("node2", "verify", "--repair")
        self.assertEqual(outcome.code, 1, outcome)
        self.assertIn(f"{segment_name(2)}: ", outcome.out)
        self.assertIn("NOT repaired", outcome.out)
        cluster.stop_daemon("node2")
        outcome = cluster.pgwalship("node2", "verify")
        self.assertEqual(outcome.code, 1, "without a daemon, too")
        self.assertIn("1 problem", outcome.out)

    def test_verify_names_what_is_in_the_way_of_a_file(self):
        cluster = self.everywhere(2)
        archive = cluster.archive_dir("node2")
        (archive / f"{segment_name(7)}.gz").mkdir()
        (archive / f"{segment_name(8)}.gz").symlink_to("nothing")
        os.mkfifo(archive / f"{segment_name(9)}.gz")
        outcome = cluster.pgwalship("node2", "verify")
        self.assertEqual(outcome.code, 1, outcome)
        for number, why in ((7, "a directory"), (8, "a symbolic link to nothing"),
                            (9, "no regular file")):
            self.assertIn(f"{segment_name(number)}: it is {why}", outcome.out)
        self.assertIn("move it away by hand", outcome.out)

    def test_the_scrub_replaces_bad_copies_by_itself(self):
        cluster = self.everywhere()
        cluster.configure("node3", "archive", scrub="2s")
        cluster.stop_daemon("node3")
        cluster.start_daemon("node3")
        for peer in ("node1", "node2"):
            cluster.wait_peer("node3", peer, "current")
        bad = damage(cluster, "node3", segment_name(2))
        wait_until(lambda: cluster.status("node3")["scrub"].get("last_pass_repaired") == 1
                   or cluster.status("node3")["scrub"]["repaired"] == 1, 20, "it is found")
        self.assertEqual(cluster.archived("node3", segment_name(2)), segment(2))
        self.assertEqual(self.quarantined(cluster, "node3"), [bad])
        wait_until(lambda: "last_pass_age_seconds" in cluster.status("node3")["scrub"], 20,
                   "a full pass")
        self.assertIn("scrub: last full pass", cluster.pgwalship("node3", "status").out)
        self.assertTrue((cluster.archive_dir("node3") / ".pgwalship" / "scrub").exists())
        self.assertEqual(cluster.pgwalship("node3", "verify").code, 0)

    def test_a_bad_copy_does_not_keep_a_replaced_node_from_being_complete(self):
        cluster = self.everywhere()
        cluster.kill("node3")
        damage(cluster, "node1", segment_name(2))
        shutil.rmtree(cluster.archive_dir("node3"))
        cluster.archive_dir("node3").mkdir()
        if os.getuid() == 0:
            shutil.chown(cluster.archive_dir("node3"), cluster.user)
        cluster.stop_daemon("node2")  # its receiver still serves; it sends nothing itself
        cluster.restart("node3")
        wait_until(lambda: cluster.archived("node3", segment_name(2)) == segment(2), 60,
                   "node1 repairs its copy, and sends it")
        self.assertEqual(cluster.archived("node1", segment_name(2)), segment(2))
        wait_until(lambda: cluster.status("node3")["archive"]["complete"], 60, "it is complete")
