# SPDX-License-Identifier: BSD-3-Clause
"""A spillway that IKE daemons speak to, and its preload."""
import os
import subprocess

from harness import BUILD, run

PRELOAD = BUILD / "preload" / "libspillway-xfrm.so"


def environment(path):
    """In which a program speaks to the socket at a path in place of the kernel's XFRM."""
    return dict(os.environ, LD_PRELOAD=str(PRELOAD), SPILLWAY_XFRM=str(path))


class Ip:
    """`ip xfrm` in place of a daemon."""

    def __init__(self, path):
        self.environment = environment(path)

    def __call__(self, text, counters=False, **how):
        """Runs a command. Returns its output."""
        return run("ip", "-s" if counters else "-d", "xfrm", *text.split(), env=self.environment,
                   **how).stdout

    def refused(self, text):
        """What is said where it fails."""
        done = run("ip", "xfrm", *text.split(), env=self.environment, check=False)
        if done.returncode == 0:
            raise AssertionError(f"{text}: it was not refused")
        return done.stderr

    def monitor(self, output):
        """Listens to events; they are written to a file."""
        return subprocess.Popen(["ip", "xfrm", "monitor"], env=self.environment,
                                stdin=subprocess.DEVNULL, stdout=output,
                                stderr=subprocess.STDOUT)
