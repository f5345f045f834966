# SPDX-License-Identifier: BSD-3-Clause
"""Manual pages and completions have what --help has, and are what man, bash and zsh understand."""
import json
import os
import pty
import re
import socket
import subprocess
import sys
from pathlib import Path

from harness import BUILD, ROOT, SPILLWAY, TestCase, main, need_program, run, until

sys.path.insert(0, str(ROOT / "tools" / "manual"))
from help import LEVELS, Help  # noqa: E402

MADE = BUILD / "tools" / "manual"
PROGRAMS = {"spillway": SPILLWAY, "spillwayctl": BUILD / "ctl" / "spillwayctl",
            "spillway-load": BUILD / "tools" / "load" / "spillway-load"}


def terms(program):
    """What stands at the begin of --help's lines, read anew: options, keys and commands."""
    return re.findall(r"^  ((?:--)?[a-z][a-z0-9-]*)(?: |$)(?!.*\\$)", run(PROGRAMS[program], "--help").stdout, re.M)


class Manual(TestCase):
    def test_pages(self):
        for name in PROGRAMS:
            page = (MADE / f"{name}.1").read_text().replace("\\-", "-")
            in_page = re.findall(r"^\.TP\n\\fB([^\\]+)\\fR", page, re.M)
            missing = [term for term in terms(name) if term not in in_page and term not in PROGRAMS]
            self.assertEqual(missing, [], name)
            self.assertGreater(len(in_page), 10)
            self.assertIn(".SH NAME", page)

    def test_pages_are_clean(self):
        for program in "mandoc", "man":
            need_program(program)
        for name in PROGRAMS:
            page = MADE / f"{name}.1"
            done = run("mandoc", "-T", "lint", "-W", "warning", page, check=False)
            self.assertEqual((done.returncode, done.stdout), (0, ""))
            done = run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page,
                       env={**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"})
            self.assertEqual(done.stderr, "")

    def test_installed(self):
        told = json.loads(run("meson", "introspect", "--installed", BUILD).stdout).values()
        for name in PROGRAMS:
            for path in (f"/man1/{name}.1", f"/bash-completion/completions/{name}", f"/zsh/site-functions/_{name}",
                         f"/bin/{name}"):
                self.assertTrue([where for where in told if where.endswith(path)], path)


class Completion(TestCase):
    def bash(self, *words):
        """What bash offers for the last of the words, as it splits them."""
        script = 'source "$1"; COMP_WORDS=("${@:2}"); COMP_CWORD=$(($# - 2)); COMPREPLY=(); ' \
                 '_${2//-/_}; printf "%s\\n" "${COMPREPLY[@]}"'
        return run("bash", "-c", script, "bash", MADE / words[0], *words).stdout.split()

    def test_bash(self):
        for name in PROGRAMS:
            told = Help(PROGRAMS[name])
            flags = [term for term in terms(name) if term.startswith("--")]
            self.assertEqual(self.bash(name, "--"), flags)
            for flag in flags:
                self.assertIn(flag, self.bash(name, flag[:-1]))
            self.assertEqual(self.bash(name, ""), [row.name for row in told.commands])

    def test_bash_values(self):
        for words, offered in (
                (["spillway", "--idle", ""], ["busy", "pause", "sleep"]),
                (["spillway", "--idle", "=", "p"], ["pause"]),
                (["spillway", "--idle", "="], ["busy", "pause", "sleep"]),
                (["spillway", "--dispatch", "enc"], ["encrypt=auto", "encrypt=inline", "encrypt=pool"]),
                (["spillway", "--dispatch", "encrypt", "=", "p"], ["pool"]),
                (["spillway", "--dispatch", "=", "encrypt", "=", ""], ["auto", "inline", "pool"]),
                (["spillway", "keygen", "aes-128-g"], ["aes-128-gcm"]),
                (["spillway", "--memory", ""], []),
                (["spillwayctl", "--json", "rel"], ["reload"]),
                (["spillwayctl", "metrics", ""], ["openmetrics", "prometheus"]),
                (["spillway-load", "--name", "x", "--rep"], ["--report"])):
            self.assertEqual(self.bash(*words), offered, words)
        path = self.file("wire.conf", "")
        self.assertEqual(self.bash("spillway", "--config", str(path)[:-2]), [str(path)])

    def test_bash_instances(self):
        """Names of spillways that run; none is taken for what a shell may do."""
        for name in ("gate", "gone", "ghost$(touch hit)", "g;touch hit", "g`touch hit`"):
            folder = self.folder / "dpdk" / name
            folder.mkdir(parents=True)
            if name != "gone":
                listener = socket.socket(socket.AF_UNIX)
                self.addCleanup(listener.close)
                listener.bind(str(folder / "control"))
        os.environ["RUNTIME_DIRECTORY"] = str(self.folder)
        self.addCleanup(os.environ.pop, "RUNTIME_DIRECTORY")
        self.assertEqual(self.bash("spillwayctl", "--name", "g"), ["gate"])
        self.assertEqual([*self.folder.rglob("hit"), *Path.cwd().glob("hit")], [])

    def test_levels(self):
        """Words that --help names in a sentence."""
        done = run(SPILLWAY, "--log-level", "loud", check=False)
        self.assertEqual(done.returncode, 2)
        for level in LEVELS:
            self.assertIn(level, done.stderr)

    def test_zsh(self):
        """In a shell as a user has it: what is typed and tab."""
        need_program("zsh")
        leader, follower = pty.openpty()
        shell = subprocess.Popen(["zsh", "-f", "-i"], stdin=follower, stdout=follower, stderr=follower, cwd=self.folder,
                                 env={**os.environ, "TERM": "dumb", "PS1": "> ", "HOME": str(self.folder)})
        os.close(follower)
        self.addCleanup(os.close, leader)
        self.addCleanup(shell.wait)
        self.addCleanup(shell.kill)
        os.set_blocking(leader, False)
        seen = bytearray()

        def says(text):
            try:
                seen.extend(os.read(leader, 65536))
            except BlockingIOError:
                pass
            return text in seen
        os.write(leader, f"fpath=({MADE} $fpath); autoload -Uz compinit; compinit -u -D; echo up''set\n".encode())
        until(lambda: says(b"upset"), 30, seen)
        for typed, whole in ((b"spillwayctl rel", b"spillwayctl reload"), (b"spillway --idle=sl", b"--idle=sleep"),
                             (b"spillway-load --rfc", b"--rfc2544"), (b"spillwayctl log-level deb", b"log-level debug")):
            del seen[:]
            os.write(leader, typed + b"\t")
            until(lambda: says(whole[len(whole) - 3:]), 30, (typed, seen))
            self.assertIn(whole, re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x08", b"", bytes(seen)))
            os.write(leader, b"\x15")  # takes back what was typed


if __name__ == "__main__":
    main()
