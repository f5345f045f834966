# SPDX-License-Identifier: BSD-3-Clause
"""What changes while it runs, beside traffic of which nothing may be lost: for the tests of that."""
import re
import signal
import subprocess

from harness import BUILD, Net, Spillway, TestCase, run, until

CTL = BUILD / "ctl" / "spillwayctl"


class FourEnds(Net):
    """The same with another pair of ends, near(eth0) --- (dmz) middle (srv) --- (eth0)far."""

    def _build(self, right):
        super()._build(right)
        for number, end in enumerate(("near", "far")):
            name, port = f"{self.middle}-{end}", ("dmz", "srv")[number]
            run("ip", "netns", "add", name)
            self.namespaces.add(name)
            setattr(self, end, name)
            run("ip", "-n", self.middle, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
            run("ip", "-n", self.middle, "link", "set", port, "up")
            run("ip", "netns", "exec", name, "ethtool", "-K", "eth0", "tx", "off")
            self.address(name, "eth0", number + 1)


class Live(TestCase):
    """A program in the middle of four ends, by the files wire.conf and rules, which change."""

    MEMORY = "--memory", "600"  # for ports that come

    def setUp(self):
        super().setUp()
        self.net = FourEnds()
        self.addCleanup(self.net.close)

    def start(self, config, rules):
        self.file("rules", rules)
        return Spillway("--config", self.file("wire.conf", config), *self.MEMORY, namespace=self.net.middle)

    def reload(self, program, config, rules, said="reloaded: version"):
        """Changes the files, and waits until the program has said what it makes of them. Returns what it said."""
        before = len(program.log)
        self.file("wire.conf", config)
        self.file("rules", rules)
        program.signal(signal.SIGHUP)
        until(lambda: said in program.log[before:], 20, f"{said}\n{program.log}")
        return program.log[before:]

    def refused(self, program, config, rules, what, asked=True):
        """A reload of these is; and a check says so before, unless that shows only when it is tried."""
        self.file("wire.conf", config)
        self.file("rules", rules)
        checked = run(CTL, "--name", program.name, "check", check=False)
        self.assertEqual(checked.returncode, int(asked), checked.stdout + checked.stderr)
        self.assertIn(what if asked else "", checked.stderr)
        self.assertIn(what, self.reload(program, config, rules, "the rules stay as they were"))

    def load(self, name, address="10.9.0.2", seconds=60):
        """Pings all the time; a second's last answer may be late."""
        return subprocess.Popen(["ip", "netns", "exec", name, "ping", "-n", "-q", "-i", "0.002", "-w", str(seconds), address],
                                stdout=subprocess.PIPE, text=True)

    def lost(self, pings):
        """@return how many, and how many came back"""
        pings.send_signal(signal.SIGINT)
        sent, got = re.search(r"(\d+) packets transmitted, (\d+) received", pings.communicate()[0]).groups()
        return int(sent) - int(got), int(got)

    def ports(self, program):
        return [program.telemetry(f"/spillway/metrics,ports,{name}") for name in program.telemetry("/spillway/metrics,ports")]
