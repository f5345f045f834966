# SPDX-License-Identifier: BSD-3-Clause
"""spillwayctl top."""
import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

from ctl import CTL, Loaded, ctl
from harness import main


class Top(Loaded):
    """What happens at this moment, as text and on a screen."""

    @contextlib.contextmanager
    def screen(self, program):
        """top on a terminal of 80 by 24: what it draws, and its process."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        with subprocess.Popen([CTL, "--name", program.name, "top"], stdin=theirs, stdout=theirs, stderr=theirs,
                              env={**os.environ, "TERM": "xterm"}) as top:
            os.close(theirs)
            try:
                yield ours, top
            finally:
                top.kill()
                os.close(ours)

    def drawn(self, terminal, what):
        """Reads until that has been drawn."""
        text = b""
        deadline = time.monotonic() + 20
        while what not in text and time.monotonic() < deadline:
            if select.select([terminal], [], [], 1)[0]:
                text += os.read(terminal, 65536)
        self.assertIn(what, text)

    def test_text(self):
        """Where it is no terminal: one second's rates."""
        with self.running() as program:
            text = ctl(program, "top")
            self.check(program.stop())
        self.assertRegex(text, r"(?m)^PACKETS/s [1-9]\d* received, [1-9]\d* transmitted, 0 to host, 0 dropped$")
        self.assertRegex(text, r"(?m)^fast 1 +\d+ +\d+\.\d ")
        self.assertRegex(text, r"(?m)^a +up +[1-9]\d* +[1-9]\d*\.\d +0 +0\.0 ")
        self.assertRegex(text, r"(?m)^rules:1 +[1-9]\d* +[1-9]\d*\.\d +0 +allow +-$")

    def test_screen(self):
        """It ends by a key, and with the program, which it says on a terminal that is as before."""
        with self.running() as program:
            with self.screen(program) as (terminal, top):
                self.drawn(terminal, b"rules:1")
                os.write(terminal, b"xq")
                self.assertEqual(top.wait(10), 0)
            with self.screen(program) as (terminal, top):
                self.drawn(terminal, b"BUSY %")
                self.check(program.stop())
                self.drawn(terminal, b"expected the socket of a running spillway")
                self.assertEqual(top.wait(10), 1)


if __name__ == "__main__":
    main()
