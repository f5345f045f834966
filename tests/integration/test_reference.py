# SPDX-License-Identifier: BSD-3-Clause
"""docs/reference.md names every option, drop reason and report field of the program, and no others."""
import re

from harness import BUILD, CAPTURES, CPUS, READ, ROOT, SPILLWAY, TestCase, main, run, spillway

REASON = re.compile(r'SPILL_DROP_REASON\(\s*\w+,\s*"(\w+)",\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\)')


def plain(cell):
    """A cell's text as help is written: without marks, links, and the full stop."""
    return re.sub(r"\[([^]]*)]\([^)]*\)", r"\1", cell).replace("`", "").rstrip(".")


def joined(literals):
    """The text of a string of C."""
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literals)).replace('\\"', '"').rstrip(".")


class Reference(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = (ROOT / "docs" / "reference.md").read_text()

    def section(self, title):
        """The lines from a heading to the next one of its kind."""
        return self.text.split(f"\n## {title}\n")[1].split("\n## ")[0]

    def rows(self, title, within=True):
        """The cells of its tables' rows, of the sections within it as well or not."""
        text = self.section(title) if within else self.section(title).split("\n### ")[0]
        lines = [line for line in text.splitlines() if line.startswith("| `")]
        return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]

    def test_options(self):
        """Each with the argument and the default that --help shows."""
        text = run(SPILLWAY, "--help").stdout
        options = re.findall(r"^  (--[a-z-]+)( \S+)?(.*(?:\n {30,}.*)*)", text, re.M)
        expected = {flag + argument: re.search(r"\[([^\[\]]+)\]\s*$", help_text)
                    for flag, argument, help_text in options}
        self.assertGreater(len(expected), 30)
        rows = {row[0].strip("`").replace("\\|", "|"): row for row in self.rows("Options")}
        self.assertEqual(set(rows), set(expected))
        for option, default in expected.items():
            if default:
                self.assertEqual(rows[option][2], f"`{default[1]}`", option)

    def test_spillwayctl(self):
        """Its commands and options, with the words of --help."""
        text = run(BUILD / "ctl" / "spillwayctl", "--help").stdout
        helps = {name: words for name, words in re.findall(r"^  ([a-z-]\S*(?: \S+)*?)  +(\S.*)$", text, re.M)
                 if name not in ("--version", "--help", "--file-prefix PREFIX")}
        self.assertGreater(len(helps), 10)
        rows = {row[0].strip("`"): plain(row[1]).replace("\\|", "|") for row in self.rows("spillwayctl", within=False)}
        self.assertEqual(set(rows), set(helps))
        for name, words in helps.items():
            self.assertTrue(rows[name].startswith(words), name)

    def test_tables_are_written(self):
        """The tables of options are what their rows say."""
        run(ROOT / "tools" / "reference" / "write", "--check", BUILD)

    def test_keys(self):
        """Each key of the file alone, as of [sa NAME], with the argument and the default that --help shows."""
        for title, heading, least in (("IPsec", "Security associations", 11), ("Routed ports", "Routed ports", 4),
                                      ("Routes", "Routes", 2), ("Neighbors", "Neighbors", 2), ("Router", "Router", 3)):
            with self.subTest(heading):
                self.check_keys(title, heading, least)

    def check_keys(self, title, heading, least):
        text = run(SPILLWAY, "--help").stdout.split(f"\n{title}: ")[1].split("\n\n")[0]
        keys = re.findall(r"^  ([a-z0-9-]+ \S+)(.*(?:\n {30,}.*)*)", text, re.M)
        self.assertGreaterEqual(len(keys), least)
        section = self.section("Configuration file").split(f"\n### {heading}\n")[1].split("\n### ")[0]
        rows = re.findall(r"^\| `((?:[^`])+)` \| ([^|]+) \|", section, re.M)
        self.assertEqual([key.replace("\\|", "|") for key, _ in rows], [key for key, _ in keys])
        for (key, default), (_, help_text) in zip(rows, keys):
            shown = re.search(r"\[([^\[\]]+)\]\s*$", help_text)
            self.assertIn(default, [f"`{shown[1]}`"] if shown else ["none", "must be there"], key)

    def test_drop_reasons(self):
        sources = "".join(path.read_text() for folder in ("lib", "app")
                          for path in sorted((ROOT / folder).rglob("*.c")))
        reasons = {name: joined(text) for name, text in REASON.findall(sources)}
        self.assertEqual(len(reasons), len(re.findall(r"SPILL_DROP_REASON\(\s*[a-z]", sources)))
        rows = {row[0].strip("`"): plain(row[1]) for row in self.rows("Drop reasons")}
        self.assertEqual(set(rows), set(reasons))
        for name, text in reasons.items():
            self.assertTrue(rows[name].lower().startswith(text.lower()), f"{name}: '{text}', not '{rows[name]}'")

    def keys(self, value):
        """All keys of objects in a value."""
        if isinstance(value, list):
            return set().union(*(self.keys(item) for item in value))
        if not isinstance(value, dict):
            return set()
        return set(value).union(*(self.keys(item) for item in value.values()))

    def test_report_fields(self):
        report = self.check(spillway(
            "--port", f"in=net_pcap0,rx_pcap={CAPTURES}/office.pcap", "--port",
            "out=net_null0,no-rx=1", "--wire", "in:out", "--default", "allow", "--rx", CPUS[0],
            "--fast", CPUS[-1], "--tx", CPUS[0], "--pool", CPUS[0], "--exit-on-idle", READ))
        for part in ("ports", "lcores", "channels", "pool", "flows"):
            self.assertTrue(report[part], part)
        # Reasons and classes are names of their own, not fields.
        report["drops"] = {}
        report["pool"] = list(report["pool"].values())
        words = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", self.section("Report")))))
        self.assertLessEqual(self.keys(report), words)

    def test_links(self):
        """Files that the documents link to are there, and so are the headings."""
        for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
            for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
                if "://" in target:
                    continue
                file, _, anchor = target.partition("#")
                there = (path.parent / file).resolve() if file else path
                self.assertTrue(there.exists(), f"{path.name}: {target}")
                if anchor:
                    titles = re.findall(r"^#+ (.*)$", there.read_text(), re.M)
                    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
                               for title in titles}
                    self.assertIn(anchor, anchors, f"{path.name}: {target}")


if __name__ == "__main__":
    main()
