"""Runs a runbook of docs/operations.md: what it says to type is typed, what it shows must come.

In a block `pgdb1#` is a command of root on pgdb1, `pgdb1$` one of postgres, `pgdb2,3#` one for both
and `all#` one for each node in turn. Lines without a prompt are what the command before them
prints, each of them a line of its output; `...` stands for any text, and of a key or a fingerprint
that is shortened so it is remembered what was printed: commands that name it get that.
"""

import re
import time

from harness import TOP

DOCUMENT = (TOP / "docs" / "operations.md").read_text()
PARTS = ("You see", "Why", "Do", "Over when", "Back")
PROMPT = re.compile(r"(pgdb[123,]+|all)([#$]) (.+)")
WORD = re.compile(r"(?:AAAA|SHA256:)\w+\.\.\.")


class Step:
    def __init__(self, where, user, command):
        self.nodes = "123" if where == "all" else where.removeprefix("pgdb")
        self.user, self.command, self.shown = user, command, []


def read_blocks(text):
    """The steps of each block of that text."""
    blocks = []
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.S | re.M):
        steps = []
        for line in block.splitlines():
            if found := PROMPT.fullmatch(line):
                where, prompt, command = found.groups()
                steps.append(Step(where, "postgres" if prompt == "$" else None, command))
            else:
                steps[-1].shown.append(line.strip())
        blocks.append(steps)
    return blocks


class Runbook:
    """`words`: what is called otherwise in the document than here."""

    def __init__(self, nodes, title, words=None):
        self.nodes = nodes
        self.words = {"/usr/bin/pgwalship": "/usr/local/bin/pgwalship", **(words or {})}
        self.title = title
        text = next((text for text in re.split(r"^## ", DOCUMENT, flags=re.M)
                     if text.startswith(title + "\n")), None)
        if text is None:
            raise AssertionError(f"docs/operations.md has no runbook '{title}'")
        self.text = text
        pieces = re.split(r"^\*\*(" + "|".join(PARTS) + r")\b\.?\*\*", text, flags=re.M)
        self.parts = {name: read_blocks(text) for name, text in zip(pieces[1::2], pieces[2::2])}
        self.left = {(name, number) for name, blocks in self.parts.items()
                     for number in range(len(blocks))}

    def see(self, *blocks):
        self.show("You see", blocks)

    def why(self):
        self.show("Why", ())

    def over(self, *blocks):
        self.show("Over when", blocks)

    def do(self, *blocks, part="Do"):
        """Runs the blocks of that number, or all: each command must succeed, or print what the
        document shows."""
        for step in self.take(part, blocks):
            if wrong := self.run(step):
                raise AssertionError(wrong)

    def finished(self):
        if self.left:
            raise AssertionError(f"'{self.title}': nothing ran {sorted(self.left)}")

    def take(self, part, numbers):
        numbers = numbers or range(len(self.parts[part]))
        self.left -= {(part, number) for number in numbers}
        return [step for number in numbers for step in self.parts[part][number]]

    def show(self, part, blocks, seconds=20):
        """Their commands, again and again until they print what the document shows."""
        for step in self.take(part, blocks):
            deadline = time.monotonic() + seconds
            while (wrong := self.run(step)) and time.monotonic() < deadline:
                time.sleep(0.2)
            if wrong:
                raise AssertionError(wrong)

    def here(self, text):
        for word, here in self.words.items():
            text = text.replace(word, here)
        return text

    def run(self, step):
        """What is wrong with what it prints; None when all is as the document says."""
        command = self.here(step.command)
        for node in self.nodes:
            if str(node.k) not in step.nodes:
                continue
            done = node.run(command, user=step.user)
            printed = done.stdout + done.stderr
            told = f"{node.short}: {command}\nexit {done.returncode}\n{printed}"
            if not step.shown and done.returncode != 0:
                return told
            for line in step.shown:
                if not self.is_in(line, printed):
                    return f"{told}does not say: {self.here(line)}"
        return None

    def is_in(self, line, printed):
        """Whether a line of the output is the document's; remembers the words it shortens."""
        line = self.here(line)
        pattern, words, end = "", [], 0
        for found in re.finditer(WORD.pattern + r"|\.\.\.", line):
            pattern += re.escape(line[end:found.start()])
            end = found.end()
            if found.group() == "...":
                pattern += ".*"
                continue
            words.append(found.group())
            kind = found.group().partition(":")  # SHA256:..., or a whole word
            pattern += "(" + (re.escape(kind[0] + ":") if kind[1] else "") + r"\S+)"
        pattern = r"\s*" + re.sub(r"(\\ )+", r"\\s+", pattern + re.escape(line[end:])) + r"\s*"
        for candidate in printed.splitlines():
            if matched := re.fullmatch(pattern, candidate):
                self.words.update(zip(words, matched.groups()))
                return True
        return False
