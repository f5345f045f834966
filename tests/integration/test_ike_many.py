# SPDX-License-Identifier: BSD-3-Clause
"""Many children of two stock strongSwans, over spillway, and over the kernel's own ESP where it has that.

CHILDREN says how many, in IKE_SAS connections; times are printed:

    cd tests/integration && CHILDREN=1000 /usr/bin/python3 test_ike_many.py
"""
import contextlib
import os
import pathlib
import re
import socket
import time

import ike
import peers
from harness import inside, main, run, until
from test_ike import Sites
from test_ike_peers import need_esp
from test_peers import StandIn

CHILDREN = int(os.environ.get("CHILDREN", 20))
IKE_SAS = int(os.environ.get("IKE_SAS", 1))
SECONDS = 60 + CHILDREN
CHILD = """child{0} {{
    local_ts = 10.{1}.{2}.{3}/32
    remote_ts = 10.{4}.{2}.{3}/32
    esp_proposals = aes128gcm16
    rekey_time = 0
    life_time = 0
    start_action = {5}
}}
"""


def write_children(daemon, number):
    """Gives a daemon its connections with all their children, whose hosts are 10.1.x.y and 10.2.x.y."""
    path = daemon.folder / "swanctl.conf"
    text = path.read_text()
    connection = re.search(r"( +)peer \{.*?\n\1\}\n", text, re.S)[0]
    made = ""
    for which in range(IKE_SAS):
        own = "".join(CHILD.format(index, 1 + number, index >> 8, index & 255, 2 - number,
                                   "none" if number else "start")
                      for index in range(which + 1, CHILDREN + 1, IKE_SAS))
        made += re.sub(r"(children \{\n).*(\n +\}\n +\}\n)$", lambda found: found[1] + own + found[2],
                       re.sub(r"id = (\S+)", rf"id = \1-{which}", connection.replace("peer {", f"peer{which} {{")),
                       flags=re.S)
    path.write_text(text.replace(connection, made))


class Children(Sites):
    def setUp(self):
        super().setUp()
        for number, name in enumerate((self.net.left, self.net.right)):
            # All hosts of a site are here.
            run("ip", "-n", name, "route", "add", "local", f"10.{1 + number}.0.0/16", "dev", "lo")
            run("ip", "-n", name, "route", "add", f"10.{2 - number}.0.0/16", "via", peers.OUTER[1 - number])

    def installed(self, daemons):
        return [daemon.swanctl("--list-sas").count("INSTALLED") for daemon in daemons]

    def count(self, number):
        """How many associations an end has, as `ip xfrm` says it."""
        return self.ends[number].ip("state count")

    def cpu(self, daemon):
        """Seconds that a daemon has had, the kernel's work for it among them, and its spillway."""
        end = next((end for end in self.ends if end.daemon is daemon), None)
        ticks = [sum(map(int, pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
                 for process in [daemon.process] + ([end.program.process] if end else [])]
        return [each / os.sysconf("SC_CLK_TCK") for each in ticks]

    def timed(self, what, daemons, wait):
        before = [self.cpu(daemon) for daemon in daemons]
        began = time.monotonic()
        wait()
        took = time.monotonic() - began
        used = ["+".join(f"{now - then:.1f}" for now, then in zip(self.cpu(daemon), earlier))
                for daemon, earlier in zip(daemons, before)]
        print(f"{CHILDREN} children in {IKE_SAS}, {what}: {took:.1f} s, {took / CHILDREN * 1000:.1f} ms each; "
              f"CPU of daemon+spillway: {', '.join(used)} s", flush=True)

    def wait_up(self, daemons):
        """By what is new in their logs: to ask for all of them takes long."""
        with contextlib.ExitStack() as stack:
            logs = [stack.enter_context(open(daemon.log_file, errors="replace")) for daemon in daemons]
            left = [CHILDREN] * len(logs)

            def are_up():
                for number, log in enumerate(logs):
                    left[number] -= log.read().count(" established with SPIs ")
                return max(left) <= 0
            until(are_up, SECONDS, f"up: all but {left}")

    def wait_down(self, daemons):
        for which in range(IKE_SAS):
            run("swanctl", "--terminate", "--ike", f"peer{which}", "--timeout", SECONDS, "--uri",
                f"unix://{daemons[0].folder}/vici", timeout=SECONDS)
        until(lambda: all("SAD count 0" in self.count(number) for number in range(2)), SECONDS, "down")

    def carried(self):
        """How many of the children carry a packet."""
        with inside(self.net.right):
            receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receiver.settimeout(5)
        receiver.bind(("0.0.0.0", 7000))
        came = set()
        for index in range(1, CHILDREN + 1):
            host = f"{index >> 8}.{index & 255}"
            with inside(self.net.left):
                sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sender.bind((f"10.1.{host}", 0))
            sender.sendto(b"x", (f"10.2.{host}", 7000))
            sender.close()
            came.add(receiver.recvfrom(100)[1][0])
        receiver.close()
        return len(came)

    def up_and_down(self, daemons):
        for number, daemon in enumerate(daemons):
            write_children(daemon, number)
        for daemon in daemons[::-1]:
            daemon.load()
        self.timed("up", daemons, lambda: self.wait_up(daemons))
        self.assertEqual(self.installed(daemons), [CHILDREN] * 2)
        self.assertEqual(self.carried(), CHILDREN)
        self.timed("down", daemons, lambda: self.wait_down(daemons))


class Many(Children):
    def test_children(self):
        for end in self.ends:
            end.start_daemon(self.PROPOSAL)
            self.addCleanup(end.daemon.kill)
        self.up_and_down([end.daemon for end in self.ends])
        for end in self.ends:
            self.assertEqual(end.ip("policy list"), "")
        for report in self.end():
            self.assertNotIn("esp_no_sa", report.drops)
            self.assertNotIn("esp_bad_icv", report.drops)


class OfKernel(Children):
    """The same over the kernel, to compare with."""

    PAIR = False

    def count(self, number):
        return run("ip", "-n", (self.net.left, self.net.right)[number], "xfrm", "state", "count").stdout

    def test_children(self):
        need_esp(self.net.right)
        self.check(self.ends[0].program.stop())
        with StandIn(self.net):
            daemons = []
            for number, name in enumerate((self.net.left, self.net.right)):
                ends = list(zip(peers.OUTER, peers.INNER))[::1 - 2 * number]
                daemons.append(ike.Charon(name, self.folder / f"kernel{number}", *ends, self.PROPOSAL))
                self.addCleanup(daemons[-1].kill)
            self.up_and_down(daemons)


if __name__ == "__main__":
    main()
