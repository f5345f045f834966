# SPDX-License-Identifier: BSD-3-Clause
"""What a program's --help says, in its parts."""
import pathlib
import re
import subprocess

LEVELS = "error", "warning", "notice", "info", "debug"
ROW = re.compile(r"^  (\S.*?)(?:  +(\S.*))?$")


class Row:
    """An option, a key or a command."""

    def __init__(self, term):
        name, _, self.argument = term.partition(" ")
        self.name, self.term, self.lines = name, term, []

    @property
    def help(self):
        return " ".join(self.lines)

    @property
    def is_flag(self):
        return self.name.startswith("--")


class Help:
    def __init__(self, program):
        self.name = pathlib.Path(program).name
        self.program = str(program)
        text = subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout
        self.synopsis, self.introduction, self.groups, self.ending = [], [], [], []
        rows = None
        for paragraph in text.strip("\n").split("\n\n"):
            first, *lines = paragraph.split("\n")
            if rows is None and re.match(r"(usage: )?" + self.name, first):
                self.take_synopsis([first, *lines])
            elif lines and lines[0].startswith("  ") and re.match(r"\S.*:$", first):
                self.groups.append((first[:-1], self.rows(lines)))
                rows = self.groups
            elif rows is None:
                self.introduction.append([first, *lines])
            else:
                self.ending.append([first, *lines])

    def take_synopsis(self, lines):
        for line in lines:
            line = line.replace("usage:", "").strip()
            if line.startswith(self.name + " "):
                self.synopsis.append(line)
            else:
                self.introduction.append([line])

    @staticmethod
    def rows(lines):
        rows = []
        for line in lines:
            match = ROW.match(line)
            if match and not line.startswith(" " * 20):
                rows.append(Row(match[1]))
                rows[-1].lines += [match[2]] if match[2] else []
            else:
                rows[-1].lines.append(line.strip())
        return rows

    @property
    def flags(self):
        return [row for _, rows in self.groups for row in rows if row.is_flag]

    @property
    def commands(self):
        """Words that may stand in an option's place: a program's of its own group, and what its synopsis has."""
        rows = [row for title, rows in self.groups if title == "Commands" for row in rows]
        for line in self.synopsis:
            match = re.match(rf"{self.name} ([a-z]+) ([A-Z]+)", line)
            if match:
                rows.append(Row(f"{match[1]} {match[2]}"))
        return rows

    @property
    def classes(self):
        for lines in self.ending:
            match = re.search(r"CLASS is one of: ([a-z, ]+)\.", " ".join(lines))
            if match:
                return match[1].split(", ")
        return []

    def words(self, row):
        """The words that a row's argument may be; none: anything."""
        argument = row.argument.strip("[]")
        if re.fullmatch(r"[a-z]+(\|[a-z]+)+", argument):
            return argument.split("|")
        match = re.fullmatch(r"CLASS=([a-z|]+)", argument)
        if match:
            return [f"{name}={word}" for name in self.classes for word in match[1].split("|")]
        if argument == "LEVEL":
            return list(LEVELS)
        if argument == "FORMAT":
            return re.findall(r"openmetrics|prometheus", row.help)
        if argument == "ALGORITHM":
            told = subprocess.run([self.program, row.name], capture_output=True, text=True, check=False).stderr
            return told.rpartition("one of: ")[2].strip().split(", ")
        return []

    @staticmethod
    def takes_file(row):
        return row.argument in ("FILE", "FILE|-", "PATH")

    @staticmethod
    def takes_instance(row):
        return row.argument == "PREFIX"
