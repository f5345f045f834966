# SPDX-License-Identifier: BSD-3-Clause
"""The control socket: who may ask, and what becomes of clients that don't behave."""
import contextlib
import grp
import json
import socket
import stat
import subprocess
import sys
import time

from ctl import CTL, Asked
from harness import RUN_FOLDER, Spillway, TestCase, main, need_root, run, until

CHANGES = "only root and its own user may change this spillway"
REQUEST = {"version": 1, "command": "check"}
ASK = "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\nprint(s.makefile().readline())\n"


class Clients(Asked):
    """Of all kinds."""

    def test_who_has_said_all(self):
        """A client that half-closes, as nc -N does, gets its answer; the newline may be missing then."""
        with self.running() as program:
            for message in json.dumps(REQUEST) + "\n", json.dumps(REQUEST):
                connection = self.connect()
                connection.sendall(message.encode())
                connection.shutdown(socket.SHUT_WR)
                self.assertTrue(self.answer(connection)["done"])
            watch = {"version": 1, "command": "trace", "count": 3, "filter": [[6, 0, 0, 65535]]}
            connection = self.connect()
            connection.sendall(json.dumps(watch).encode() + b"\n")
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile() as lines:
                self.assertTrue(json.loads(lines.readlines()[-1])["done"])
            # One that watches and leaves makes room for the next, also after it has said all.
            connection = self.connect()
            connection.sendall(json.dumps({**watch, "filter": [[6, 0, 0, 0]]}).encode() + b"\n")
            connection.shutdown(socket.SHUT_WR)
            until(lambda: "at a time" in (self.ask(watch) or {}).get("error", "at a time"), 10, "it watches")
            connection.close()
            until(lambda: self.ask({**watch, "count": 1, "filter": [[6, 0, 0, 0]], "seconds": 1})["done"], 10, "it has left")
            self.check(program.stop())

    def test_hostile(self):
        """None of them keeps the control thread from anything, nor the next client."""
        with self.running() as program:
            for message in (b"\n", b"hello\n", b"[]\n", b"{}\n", b"null\n", b"\0\n", b"\xff\xfe\n", b"[" * 60000 + b"\n",
                            {**REQUEST, "version": 2}, {**REQUEST, "version": "1"}, {**REQUEST, "command": "off"},
                            {**REQUEST, "command": None}, {**REQUEST, "more": 1}, {**REQUEST, "argument": "x"},
                            {"version": 1, "command": "log-level"}, {"version": 1, "command": "log-level", "argument": 7},
                            {"version": 1, "command": "log-level", "argument": "x" * 1000}):
                told = self.ask(message)
                self.assertEqual((told["version"], told["done"]), (1, False), message)
                self.assertTrue(told["error"], message)
            for size in 65536, 10_000_000:
                told = self.ask(b"x" * size)
                self.assertEqual(told["error"], "request: longer than 64 KiB")
            self.assertTrue(self.ask(json.dumps(REQUEST).encode() + b"\n" + b"x" * 1000)["done"])
            # Gone before it is answered, and in the middle of its message.
            for message in b"", b'{"version": 1, ', b'{"version": 1, "command": "reload"}\n':
                with self.connect() as connection:
                    connection.sendall(message)
            # A thousand, of which none says a word.
            many = [self.connect() for _ in range(1000)]
            self.assertEqual(self.answer(many[-1])["error"], "too many clients at this moment")
            # Those that have a place lose it.
            silent = time.monotonic()
            self.assertIsNone(self.answer(many[0]))
            self.assertLess(time.monotonic() - silent, 10)
            until(lambda: (self.ask(REQUEST) or {}).get("done"), 10, "there is room again")
            # Who does not take what it is told, neither.
            deaf = [self.connect() for _ in range(16)]
            for connection in deaf:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
                with contextlib.suppress(ConnectionError):  # one too many was turned away already
                    connection.sendall(b'{"version": 1, "command": "plan"}\n')
            until(lambda: (self.ask(REQUEST) or {}).get("done"), 20, "there is room again")
            self.assertTrue(self.ask({"version": 1, "command": "reload"})["done"])
            report = self.check(program.stop())
        self.assertGreaterEqual(report["reloads"], 1)

    def test_others(self):
        """Nobody else may connect; who can, where the mode was changed, is refused."""
        need_root()
        path = self.folder / "socket"
        self.folder.chmod(0o755)
        with Spillway("--config", self.configuration(), "--control-socket", path) as program:
            program.ready()
            other = dict(user=65534, capture_output=True, text=True)
            done = subprocess.run([sys.executable, "-c", ASK, path], **other)
            self.assertIn("PermissionError", done.stderr)
            path.chmod(0o666)
            done = subprocess.run([sys.executable, "-c", ASK, path], **other)
            self.assertIn("only root and its own user", done.stdout)
            self.assertIn("could be put in force", run(CTL, "--socket", path, "check").stdout)
            # It is in use for another one.
            with Spillway("--config", self.configuration(), "--control-socket", path) as second:
                self.assertEqual(second.wait().status, 1)
                self.assertIn(f"control-socket '{path}': Address already in use", second.log)
            program.process.kill()
            program.process.wait()
        # What one leaves that was killed is no hindrance; a file that is something else stays.
        with Spillway("--config", self.configuration(), "--control-socket", path) as program:
            program.ready()
            self.assertIn("receiving ends", run(CTL, "--socket", path, "drain").stdout)
            self.check(program.wait())
        # Who is told nothing of it finds the program all the same, as the unit's ExecReload does.
        with Spillway("--config", self.configuration(), "--control-socket", path) as program:
            program.ready()
            for way in (), ("--socket", path):
                self.assertIn("could be put in force", run(CTL, "--name", program.name, *way, "check").stdout)
            usual = RUN_FOLDER / program.name / "control"
            self.assertEqual(stat.filemode(usual.stat().st_mode), "srw-------")
            self.check(program.stop())
            self.assertFalse(usual.exists() or path.exists())
        # A group may read, and no more.
        group = grp.getgrgid(65534).gr_name
        with Spillway("--config", self.configuration(), "--control-socket", path, "--control-group", group) as program:
            program.ready()
            self.assertEqual(stat.filemode(path.stat().st_mode), "srw-rw----")
            for command, refused in ("report", None), ("plan", None), ("reload", CHANGES), ("drain", CHANGES):
                connection = [sys.executable, "-c", ASK.replace("print", "s.sendall(sys.argv[2].encode())\nprint"),
                              path, json.dumps({"version": 1, "command": command}) + "\n"]
                told = json.loads(subprocess.run(connection, user=65534, group=65534, extra_groups=[],
                                                 capture_output=True, text=True).stdout)
                self.assertEqual((told["done"], told.get("error")), (refused is None, refused), command)
            report = self.check(program.stop())
            self.assertEqual(report["reloads"], 0)
        for options, said in ((("--control-socket", path, "--control-group", "not-there"), "there is no such group"),
                              (("--control-group", "nogroup"), "expected control-socket with it")):
            with Spillway("--config", self.configuration(), *options) as program:
                self.assertEqual(program.wait().status, 2)
                self.assertIn(f"control-group '{options[-1]}': {said}", program.log)
        path.write_text("mine")
        with Spillway("--config", self.configuration(), "--control-socket", path) as program:
            self.assertEqual(program.wait().status, 1)
        self.assertEqual(path.read_text(), "mine")


class Closed(TestCase):
    """A program that answers, and closes before it has read the request."""

    def test_its_answer_is_told(self):
        path = self.folder / "socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            # Larger than what a socket holds: it is being sent while the other side closes.
            with subprocess.Popen([CTL, "--socket", path, "log-level", "\x01" * 100000], stderr=subprocess.PIPE,
                                  text=True) as client:
                connection, _ = listener.accept()
                connection.recv(1)
                connection.sendall(b'{"version": 1, "done": false, "error": "too many clients at this moment"}\n')
                connection.close()
                said = client.communicate(timeout=20)[1]
        self.assertEqual((client.returncode, said), (1, "spillwayctl: too many clients at this moment\n"))


if __name__ == "__main__":
    main()
