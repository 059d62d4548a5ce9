"""pgwalship.conf taken apart, by the rules of cmd/ini.cc: no quotes, no escapes; a comment starts a
line or follows a blank; a key may come twice."""

import re
from dataclasses import dataclass

SIZE_MAX = 1 << 20  # as kFileSizeMax in cmd/config.cc


@dataclass(frozen=True)
class Entry:
    line: int
    section: str
    key: str
    value: str


class Problems(Exception):
    """All that is wrong with a file, one line each: FILE:LINE: [section] key: what (HINT: ...)."""

    def __init__(self, path):
        super().__init__(path)
        self.path = path
        self.found = []

    def add(self, line, where, what, hint=""):
        text = f"{self.path}:{line}: {where + ': ' if where else ''}{what}"
        self.found.append((line, text + (f" (HINT: {hint})" if hint else "")))

    def raise_if_any(self):
        if self.found:
            raise self

    def __str__(self):
        return "\n".join(text for _, text in sorted(self.found))


def parse(text, problems):
    """All entries, in order. What is no entry is a problem."""
    entries = []
    section = None
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        line = re.sub(r"(^|[ \t\r])#.*", "", raw).strip(" \t\r")
        if not line or line.startswith(";"):
            continue
        if line.startswith("["):
            heading = re.fullmatch(r"\[[ \t]*([A-Za-z0-9_-]+)[ \t]*\]", line)
            section = heading.group(1) if heading else None
            if not heading:
                problems.add(number, "", f"'{line}' is not a section: write [name]")
            continue
        key, equals, value = (part.strip(" \t\r") for part in line.partition("="))
        if not equals:
            problems.add(number, "", f"'{line}' is neither a section nor key = value")
        elif section is None:
            problems.add(number, "", f"'{key}' stands in no section")
        else:
            entries.append(Entry(number, section, key, value))
    return entries
