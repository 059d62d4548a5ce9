"""docs/cluster.md: each command in it is one that the lab runs, or a test that is named."""

import pathlib
import re
import sys
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path[:0] = [str(TOP / "tests/lab"), str(TOP / "cluster")]

import guide  # noqa: E402
import roots  # noqa: E402
from pgwalship_cluster import main  # noqa: E402


class Guide(unittest.TestCase):
    def test_every_command_is_run_somewhere(self):
        known = {**guide.RUN, **guide.ELSEWHERE}
        self.assertEqual(set(), set(guide.commands()) - set(known), "new in the guide")
        self.assertEqual(set(), set(known) - set(guide.commands()), "no longer in the guide")

    def test_continued_lines_and_sentences_are_found(self):
        text = "Then `crm_mon -1`:\n\n    apt-get install a \\\n        b   # the rest\n    $ cibadmin -Q\n"
        self.assertEqual(["apt-get install a b", "cibadmin -Q", "crm_mon -1"], guide.commands(text))

    def test_the_packages_to_install_are_those_that_the_lab_has(self):
        line = next(line for line in guide.ELSEWHERE if line.startswith("apt-get install corosync"))
        # The lab's fencing agent is its own, and pgwalship comes out of the build.
        self.assertEqual(set(), set(line.split()[2:]) - set(roots.PACKAGES) -
                         {"fence-agents", "pgwalship"})

    def test_every_verb_is_in_the_guide(self):
        verbs = next(action for action in main._parser()._actions if action.dest == "verb").choices
        said = {word for line in guide.commands() if line.startswith("pgwalship-cluster")
                for word in re.sub(r"-c \S+ ", "", line).split()[1:2]}
        self.assertEqual(set(verbs), said)


if __name__ == "__main__":
    unittest.main()
