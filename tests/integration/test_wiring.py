# SPDX-License-Identifier: BSD-3-Clause
"""Wires come and leave with a reload, while others carry traffic: none of it is lost."""
import re
import signal
import subprocess

from harness import BUILD, Net, Spillway, TestCase, main, run, until

CTL = BUILD / "ctl" / "spillwayctl"

HEAD = """[spillway]
rules = rules
idle = sleep
drain-timeout = 3s
"""
CONFIG = HEAD + """[port lan]
device = net_af_packet0,iface=lan
[port wan]
device = net_af_packet1,iface=wan
[wire lan-wan]
ports = lan, wan
"""
SECOND = """[port dmz]
device = net_af_packet2,iface=dmz
[port srv]
device = net_af_packet3,iface=srv
[wire second]
ports = dmz, srv
"""
RULES = "allow icmp from any to any in lan,wan\n"
SECOND_RULES = RULES + "allow icmp from any to any in dmz\n"


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


class Wires(TestCase):
    OPTIONS = ("--memory", "600")  # for ports that come

    def setUp(self):
        super().setUp()
        self.net = FourEnds()
        self.addCleanup(self.net.close)
        self.file("rules", RULES)
        self.config = self.file("wire.conf", CONFIG)

    def start(self):
        return Spillway("--config", self.config, *self.OPTIONS, namespace=self.net.middle)

    def reload(self, program, config, rules, said="reloaded: version"):
        """Changes the files, and waits until the program has said what it makes of them. Returns what it said."""
        before = len(program.log)
        self.file("wire.conf", config)
        self.file("rules", rules)
        program.signal(signal.SIGHUP)
        until(lambda: said in program.log[before:], 20, f"{said}\n{program.log}")
        return program.log[before:]

    def leave(self, program):
        before = len(program.log)
        self.reload(program, CONFIG, RULES)
        until(lambda: program.log[before:].count("has left") == 2, 20, f"both ports left\n{program.log}")

    def load(self, name, seconds):
        """Pings all the time; a second's last answer may be late."""
        return subprocess.Popen(["ip", "netns", "exec", name, "ping", "-n", "-q", "-i", "0.002", "-w", str(seconds),
                                 "10.9.0.2"], stdout=subprocess.PIPE, text=True)

    def lost(self, pings):
        pings.send_signal(signal.SIGINT)
        sent, got = re.search(r"(\d+) packets transmitted, (\d+) received", pings.communicate()[0]).groups()
        return int(sent) - int(got), int(got)

    def passes(self, count=2):
        return self.net.ping(self.net.near, "10.9.0.2", count=count) == count

    def test_come_and_leave(self):
        with self.start() as program:
            program.ready()
            first = self.load(self.net.left, 60)
            self.assertFalse(self.passes(1))
            for _ in range(3):
                said = self.reload(program, CONFIG + SECOND, SECOND_RULES)
                self.assertNotIn("next start", said)
                second = self.load(self.net.near, 60)
                until(lambda: self.passes(), 20, "a wire that came carries packets")
                # What answers comes by the other port, which no rule lets begin.
                self.assertEqual(self.net.ping(self.net.far, "10.9.0.1", count=1), 0)
                self.leave(program)
                self.assertFalse(self.passes(1))
                second.kill()
                second.communicate()
            lost, got = self.lost(first)
            self.assertLessEqual(lost, 1)  # that which is under way
            self.assertGreater(got, 500)
            ports = {one["name"]: one for one in self.ports(program)}
            report = self.check(program.stop())
        self.assertEqual(ports["dmz"]["link"], "gone")
        for name in "dmz", "srv":
            self.assertGreater(ports[name]["rx_packets"], 0)
        self.assertEqual([one["name"] for one in report["ports"]], ["lan", "wan", "dmz", "srv"])
        self.assertEqual(report["reloads"], 6)

    def refused(self, program, config, rules, what):
        self.assertIn(what, self.reload(program, config, rules, "the rules stay as they were"))

    def test_what_is_refused(self):
        with self.start() as program:
            program.ready()
            for config, rules, what in (
                    (CONFIG + SECOND.replace("iface=srv", "iface=nowhere"), SECOND_RULES,
                     "wire.conf:14: key 'device', value 'net_af_packet3,iface=nowhere': "),
                    (CONFIG + SECOND.replace("net_af_packet3", "net_af_packet0"), SECOND_RULES,
                     "port 'lan' has that device already"),
                    (CONFIG + SECOND.replace("iface=srv", "iface=srv\nmbufs = 400k"), SECOND_RULES,
                     "--memory 600: the plan needs "),
                    (CONFIG + SECOND, SECOND_RULES + "what is this\n", "rules:3: "),
                    (CONFIG, SECOND_RULES, "dmz")):
                with self.subTest(what):
                    self.refused(program, config, rules, what)
            self.assertEqual([one["name"] for one in self.ports(program)], ["lan", "wan"])
            # What was taken back leaves nothing behind.
            self.reload(program, CONFIG + SECOND, SECOND_RULES)
            until(lambda: self.passes(), 20, "a wire that came carries packets")
            self.refused(program, CONFIG, SECOND_RULES, "dmz")
            self.assertTrue(self.passes())
            self.assertEqual(self.net.ping(self.net.left, "10.9.0.2", count=2), 2)
            report = self.check(program.stop())
        self.assertEqual(report["reloads"], 1)

    def test_unconfirmed(self):
        """What left comes back, and what came leaves."""
        with self.start() as program:
            program.ready()
            self.file("wire.conf", HEAD + SECOND)
            self.file("rules", RULES.replace("lan,wan", "dmz"))
            run(CTL, "--name", program.name, "reload", "--confirm", "1s")
            self.assertIn("port wan has left", program.log)
            until(lambda: "port srv has left" in program.log, 20, program.log)
            self.assertEqual(self.net.ping(self.net.left, "10.9.0.2", count=2), 2)
            self.assertFalse(self.passes(1))
            self.check(program.stop())

    def ports(self, program):
        return [program.telemetry(f"/spillway/metrics,ports,{name}") for name in program.telemetry("/spillway/metrics,ports")]


if __name__ == "__main__":
    main()
