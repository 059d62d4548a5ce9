"""What the documents refer to is there: hazards, guarantees and invariants by number, links, paths,
headings, man pages. Each rule is a function of texts, so that a test can show that it bites."""

import pathlib
import re
import sys
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOP / "tests/lab"))

import scenarios  # noqa: E402

FOLDERS = ("base", "wal", "topology", "transport", "archiver", "restorer", "cmd", "tests", "bench",
           "docs", "man", "scripts", "systemd", "cmake", "completion", "packaging", "cluster",
           ".ci")
BINARY = {".pyc", ".gz", ".bin", ".png"}
HAZARDS = "docs/hazards.md"

# "H5", "H8H9Sees", and "test_h8_h39_" in Python; not the middle of a word, a key or a format.
HAZARD = re.compile(r"(?<![A-Za-z0-9_%#+/=])((?:H\d{1,2})+)(?![a-z0-9])|_((?:h\d{1,2}_)+)")
NUMBER = re.compile(r"\d+")
ENTRY = re.compile(r"^- \*\*H(\d+) [^*]+\.\*\* (.*?)(?=^- \*\*|^## |\Z)", re.S | re.M)
IN_CODE = re.compile(r"`([^`\n]+)`")
A_PATH = re.compile(r"(?<![\w./~-])((?:" + "|".join(map(re.escape, FOLDERS)) + r")/[\w./-]*\w)")
CONSOLE = re.compile(r"^```console\n.*?^```$", re.S | re.M)


def read_tree():
    """path -> text of every file that a person wrote."""
    files = [path for path in TOP.iterdir() if path.suffix == ".md"]
    for folder in FOLDERS:
        files += [path for path in (TOP / folder).rglob("*") if path.is_file()]
    texts = {}
    for path in sorted(files):
        if path.suffix not in BINARY and "__pycache__" not in path.parts:
            texts[str(path.relative_to(TOP))] = path.read_text(errors="replace")
    return texts


def documents(tree):
    return {path: text for path, text in tree.items() if path.endswith(".md")}


def pages(tree):
    return {path: text for path, text in tree.items() if path.startswith("man/")}


def prose(tree):
    return {**documents(tree), **pages(tree)}


# -- numbers
def hazards_in(text):
    return {int(number) for upper, lower in HAZARD.findall(text)
            for number in NUMBER.findall(upper + lower)}


def listed_hazards(text):
    """number -> what the list says of it."""
    return {int(number): body for number, body in ENTRY.findall(text)}


def unlisted(tree, listed):
    return [f"{path}: H{number} is not in {HAZARDS}" for path, text in tree.items()
            if not path.startswith("tests/lint/") for number in sorted(hazards_in(text) - listed)]


def wrong_proofs(tree, entries):
    problems = []
    for number, body in entries.items():
        _, _, proven = body.partition("*Proven:*")
        proven, _, untried = re.sub(r"\s+", " ", proven).partition("*Not tried:*")
        tests, _, lab = proven.partition("lab scenario")
        paths = IN_CODE.findall(tests)
        problems += [f"H{number}: {path} does not name it" for path in paths
                     if number not in hazards_in(tree.get(path, ""))]
        problems += [f"H{number}: the lab has no scenario {name}" for name in IN_CODE.findall(lab)
                     if not scenarios.find(name)]
        if not paths and not (untried or "*Not tried:*" in body):
            problems.append(f"H{number}: neither proven nor said to be untried")
    return problems


def without_a_place(tree, letter, place, pattern):
    """Uses of G3 or I5 that `place` does not list."""
    listed = set(re.findall(pattern, tree[place], re.M))
    used = re.compile(rf"(?<![A-Za-z0-9_%#+/=])({letter}\d{{1,2}})(?![A-Za-z0-9])")
    return [f"{path}: {number} is not in {place}" for path, text in tree.items()
            if path.endswith((".md", ".cc", ".h", ".py")) and "/testdata/" not in path
            and not path.startswith("tests/lint/")
            for number in sorted(set(used.findall(text)) - listed)]


# -- links
def anchors(text):
    text = re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
            for title in re.findall(r"^#+ (.+)$", text, re.M)}


def broken_links(tree):
    problems = []
    for path, text in documents(tree).items():
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if "://" in target:
                continue
            file, _, anchor = target.partition("#")
            where = str((TOP / path).parent.joinpath(file).resolve().relative_to(TOP))
            where = where if file else path
            if not (TOP / where).exists() and where not in tree:
                problems.append(f"{path}: there is no {target}")
            elif anchor and anchor not in anchors(tree.get(where, "")):
                problems.append(f"{path}: {where} has no heading for #{anchor}")
    return problems


def exists(path):
    """A file or a folder, or a module that is named without its ending."""
    return any((TOP / (path + ending)).exists() for ending in ("", ".h", ".cc", ".py"))


def broken_paths(tree):
    """What looks like a file of this tree, in documents and man pages."""
    return [f"{path}: there is no {named}" for path, text in prose(tree).items()
            for named in sorted(set(A_PATH.findall(CONSOLE.sub("", text))))
            if not exists(named)]


def broken_documents(tree):
    """Documents that sources name, such as docs/json.md, and headings that are quoted after one."""
    problems = []
    for path, text in tree.items():
        if path.startswith("tests/lint/"):
            continue
        text = re.sub(r"\n\s*(//|#)?\s*", " ", text)
        problems += [f"{path}: there is no {named}" for named in sorted(set(re.findall(
            r"(?<![\w./])docs/[a-z][\w/-]*\.(?:md|yml|json|example)", text))) if named not in tree]
        headings = [(named, title) for named, title in re.findall(
            r'\b(README|docs/\w+\.md), "([A-Z][^"]+)"', text)]
        headings += [(named, number + ". ") for named, number in re.findall(
            r"(docs/\w+\.md),? section (\d+)", text)]
        for named, title in headings:
            there = tree.get("README.md" if named == "README" else named, "")
            if not re.search(rf"^#+ {re.escape(title)}", there, re.M):
                problems.append(f'{path}: {named} has no heading "{title}"')
    return problems


# -- man pages
# Those of other packages that we refer to.
FOREIGN_PAGES = {"authorized_keys(5)", "gunzip(1)", "pg_basebackup(1)", "pg_ctl(1)", "pg_rewind(1)",
                 "sd_notify(3)", "ssh-keygen(1)", "sshd(8)", "syslog(3)", "systemd(1)",
                 "systemd-journald.service(8)"}


def page_name(path):
    """As people write it: pgwalship.conf(5)."""
    name, _, section = path.removeprefix("man/").rpartition(".")
    return f"{name}({section})"


def broken_references(tree):
    problems = []
    known = set(map(page_name, pages(tree)))
    for path, text in pages(tree).items():
        named = {f"{name}({section})" for name, section in re.findall(
            r"^\.(?:It )?Xr (\S+) (\d)", text, re.M)}
        problems += [f"{path}: there is no {page}"
                     for page in sorted(named - known - FOREIGN_PAGES)]
        also = set(re.findall(r"^\.Xr (\S+ \d)", text.partition(".Sh SEE ALSO")[2], re.M))
        also = {"{}({})".format(*page.split()) for page in also}
        problems += [f"{path}: {page} is missing under SEE ALSO"
                     for page in sorted((named & known) - also - {page_name(path)})]
    return problems


def not_installed(tree):
    """What is said to lie below /usr/share/doc/pgwalship, which has what docs/ has."""
    return [f"{path}: nothing puts {name} there" for path, text in prose(tree).items()
            for name in re.findall(r"/usr/share/doc/pgwalship/([\w./-]*\w)", text)
            if f"docs/{name}" not in tree and name not in ("README.md", "examples/pgwalship.conf")]


class Documents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tree = read_tree()
        cls.hazards = listed_hazards(cls.tree[HAZARDS])

    def clean(self, problems):
        self.assertEqual([], problems, "\n" + "\n".join(problems))

    def test_the_hazards_are_in_order_and_each_is_there_once(self):
        text = self.tree[HAZARDS]
        numbers = [int(number) for number in re.findall(r"^- \*\*H(\d+) ", text, re.M)]
        self.assertEqual(list(range(1, len(self.hazards) + 1)), numbers)

    def test_every_hazard_that_is_named_is_listed(self):
        self.assertGreater(len(set().union(*map(hazards_in, self.tree.values()))), 40)
        self.clean(unlisted(self.tree, set(self.hazards)))

    def test_what_is_called_proven_is_named_by_those_tests(self):
        self.clean(wrong_proofs(self.tree, self.hazards))

    def test_every_guarantee_and_invariant_that_is_named_is_listed(self):
        self.clean(without_a_place(self.tree, "G", "README.md", r"^- (G\d+) ")
                   + without_a_place(self.tree, "I", "ARCHITECTURE.md", r"^- (I\d+) "))

    def test_links_lead_somewhere(self):
        self.clean(broken_links(self.tree))

    def test_files_and_headings_that_are_named_exist(self):
        self.clean(broken_paths(self.tree) + broken_documents(self.tree))

    def test_man_pages_refer_to_pages_that_exist(self):
        self.clean(broken_references(self.tree) + not_installed(self.tree))


class Bite(unittest.TestCase):
    def test_numbers(self):
        self.assertEqual({5, 8, 9, 39}, hazards_in("TEST(X, H8H9H39Sees) // (H5)"))
        self.assertEqual({8, 39}, hazards_in("def test_h8_h39_forks(self):"))
        self.assertEqual(set(), hazards_in("AAAAH5B strftime('%H2') #H5 SHA256:xH5= Highly h5"))
        self.assertEqual(["a.h: H51 is not in docs/hazards.md"], unlisted({"a.h": "// H51."}, {1}))

    def test_proofs(self):
        entries = listed_hazards(
            "- **H1 A.** Text. *Proven:* `tests/a.cc`,\n  `tests/b.cc`; lab scenario `99`.\n"
            "- **H2 B.** Text.\n- **H3 C.** Text. *Not tried:* it.\n")
        self.assertEqual(["H1: tests/b.cc does not name it", "H1: the lab has no scenario 99",
                          "H2: neither proven nor said to be untried"],
                         wrong_proofs({"tests/a.cc": "H1Bites", "tests/b.cc": "H12"}, entries))
        self.assertEqual(["a.cc: G2 is not in README.md"], without_a_place(
            {"README.md": "- G1 one", "a.cc": "G1 (G2)"}, "G", "README.md", r"^- (G\d+) "))

    def test_links_and_paths(self):
        tree = {"README.md": "# A b\n[x](docs/none.md) [y](#a-b) [z](#c) cmd/none.cc cmd/config "
                             "https://example.com/cmd/x",
                "a.cc": '// README, "A b", docs/gone.md,\n// README, "No\n// such"'}
        self.assertEqual(["README.md: there is no docs/none.md",
                          "README.md: README.md has no heading for #c"], broken_links(tree))
        self.assertEqual(["README.md: there is no cmd/none.cc"], broken_paths(
            {"README.md": tree["README.md"].replace("docs/none.md", "")}))
        self.assertEqual(
            ["a.cc: there is no docs/gone.md", 'a.cc: README has no heading "No such"'],
            broken_documents({"README.md": "# A b\n", "a.cc": tree["a.cc"]}))
        self.assertEqual(['a.cc: docs/p.md has no heading "4. "'], broken_documents(
            {"docs/p.md": "## 3. C\n", "a.cc": "// docs/p.md section 3, docs/p.md, section 4"}))

    def test_man_pages(self):
        tree = {"man/a.1": ".Xr b 8 ,\n.Xr c 3\n.Pa /usr/share/doc/pgwalship/no.md\n.Sh SEE ALSO\n",
                "man/b.8": ".Sh SEE ALSO\n.Xr a 1\n"}
        self.assertEqual(["man/a.1: there is no c(3)", "man/a.1: b(8) is missing under SEE ALSO"],
                         broken_references(tree))
        self.assertEqual(["man/a.1: nothing puts no.md there"], not_installed(tree))


if __name__ == "__main__":
    unittest.main()
