# SPDX-License-Identifier: BSD-3-Clause
"""Policies of `ip xfrm` where the kernel is the host behind a twin: of its own packets, and of what it sends on."""
import os

import esp
import harness
import ike
from harness import Net, Spillway, main, need_program, until


class Host(harness.TestCase):
    """The kernel behind a twin: policies are for its own packets, too."""

    def setUp(self):
        super().setUp()
        need_program("ip")
        if not os.path.exists("/dev/net/tun"):
            self.skipTest("needs /dev/net/tun")
        self.net = Net()
        self.addCleanup(self.net.close)
        net = self.net
        harness.run("ip", "-n", net.left, "address", "flush", "dev", "eth0")
        harness.run("ip", "-n", net.left, "address", "add", "10.1.0.2/24", "dev", "eth0")
        harness.run("ip", "netns", "exec", net.middle, "sysctl", "-qw", "net.ipv4.conf.lan.rp_filter=1",
                    "net.ipv4.conf.lan.arp_ignore=8")
        self.ip = ike.Ip(self.folder / "xfrm")

    def start(self, default, more=""):
        """@return a spillway whose host is reached"""
        config = self.file("conf", f"""
[spillway]
idle = sleep
default = {default}
[router]
routes = 1k
routes6 = 1k
{more}
[port inner]
device = net_af_packet0,iface=lan
routed = yes
twin = tlan
address = 10.1.0.1/24
[ike]
xfrm = {self.folder / "xfrm"}
""")
        program = Spillway("--config", config, namespace=self.net.middle)
        self.addCleanup(program.__exit__)
        program.ready()
        until(self.reaches, 30, "ping by the twin")
        return program

    def reaches(self):
        return self.net.ping(self.net.middle, "10.1.0.2", "-I", "10.1.0.1", "-W", "1", count=1)

    def test_blocked(self):
        program = self.start("deny")
        out, into = "src 10.1.0.1/32 dst 10.1.0.2/32 dir out", "src 10.1.0.2/32 dst 10.1.0.1/32 dir in"
        nothing = "tmpl src 10.1.0.1 dst 10.1.0.2 proto esp reqid 1 mode tunnel"
        for policy, what in (out, "action block"), (out, nothing), (into, "action block"), (into, nothing):
            self.ip(f"policy add {policy} {what}")
            self.assertEqual(self.reaches(), 0, f"{policy} {what}")
            self.ip(f"policy delete {policy}")
            self.assertEqual(self.reaches(), 1, f"without {policy} {what}")
        # As charon has them: one selects both ways, and is older; what leaves asks those for it alone.
        self.ip("policy add src 10.1.0.0/24 dst 0.0.0.0/0 dir in tmpl proto esp reqid 5 mode transport")
        self.ip("policy add src 0.0.0.0/0 dst 10.1.0.0/24 dir out tmpl proto esp reqid 5 mode transport")
        asked = lambda: program.telemetry("/spillway/metrics,acquire")["asked"]  # noqa: E731
        before = asked()
        self.assertEqual(self.reaches(), 0)
        self.assertGreater(asked(), before)
        report = self.check(program.stop())
        self.assertGreaterEqual(report.drops["denied"], 3)
        # What wants an association waits, and goes where the policy does.
        self.assertGreaterEqual(report["acquire"]["waited"], 1)

    def test_judged(self):
        """Where rules judge the host's own, what it sends goes by policies for `out` alone."""
        program = self.start("allow", "host-rules = yes")
        everything = "src 0.0.0.0/0 dst 0.0.0.0/0"
        for way in "in", "fwd":
            self.ip(f"policy add {everything} dir {way} priority 1 action block")
        self.assertEqual(self.reaches(), 1)
        self.assertEqual(self.net.ping(self.net.left, "10.1.0.1", "-W", "1", count=1), 0)
        self.ip(f"policy add {everything} dir out priority 2 action block")
        self.assertEqual(self.reaches(), 0)
        self.check(program.stop())


class Onward(harness.TestCase):
    """What came by a tunnel is not sent in the clear where it should go on by one that is not there."""

    def test_trap(self):
        need_program("ip")
        if not os.path.exists("/dev/net/tun"):
            self.skipTest("needs /dev/net/tun")
        key = bytes(range(20))
        branch = esp.SA("aes-128-gcm", key, 0x1001, source="192.0.2.2", destination="192.0.2.1")
        with Net() as net:
            harness.run("ip", "-n", net.left, "address", "flush", "dev", "eth0")
            harness.run("ip", "-n", net.left, "address", "add", "192.0.2.2/24", "dev", "eth0")
            net.run(net.middle, "sysctl", "-qw", "net.ipv4.conf.lan.rp_filter=1", "net.ipv4.conf.lan.arp_ignore=8")
            path = self.folder / "xfrm"
            ip = ike.Ip(path)
            config = self.file("conf", f"""
[spillway]
idle = sleep
default = deny
[router]
routes = 1k
routes6 = 1k
[port outer]
device = net_af_packet0,iface=lan
routed = yes
twin = tlan
address = 192.0.2.1/24
[ike]
xfrm = {path}
""")
            with Spillway("--config", config, namespace=net.middle) as program:
                program.ready()
                until(lambda: net.ping(net.middle, "192.0.2.2", "-I", "192.0.2.1", "-W", "1", count=1), 30,
                      "ping by the twin")
                net.run(net.middle, "ip", "route", "add", "10.8.0.0/16", "via", "192.0.2.2")
                ends = "src 192.0.2.2 dst 192.0.2.1 proto esp"
                ip(f"state add {ends} spi 0x1001 reqid 1 mode tunnel aead rfc4106(gcm(aes)) 0x{key.hex()} 128 "
                   "replay-window 32")
                ways = "src 10.9.0.0/16 dst 10.8.0.0/16"
                ip(f"policy add {ways} dir fwd priority 1 tmpl {ends} reqid 1 mode tunnel")
                ip(f"policy add {ways} dir out priority 2 tmpl src 192.0.2.1 dst 192.0.2.3 proto esp reqid 2 mode tunnel")
                inner = esp.udp_frame("10.9.0.5", "10.8.0.1", b"x", (1000, 2000), 1)

                def send(number):
                    net.run(net.left, "/usr/bin/python3", "-c",
                            "import socket\n"
                            "s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 50)\n"
                            f"s.sendto({branch.seal(inner[14:], esp.IPIP, number)!r}, ('192.0.2.1', 0))\n")
                    shown = lambda: ip(f"state get {ends} spi 0x1001", counters=True).replace(" ", "")  # noqa: E731
                    until(lambda: f"{number}(packets)" in shown(), 20, "it has come")
                send(1)
                ip(f"policy update {ways} dir out priority 2 action block")
                send(2)
                # What comes to the host is none of it.
                ip(f"policy update {ways} dir in priority 2 action block")
                ip(f"policy update {ways} dir out priority 3 action allow")
                send(3)
                report = self.check(program.stop())
            self.assertEqual(report.drops["acquire_onward"], 1)
            self.assertEqual(report.drops["denied"], 1)
            self.assertEqual(report["acquire"]["asked"], 1)


if __name__ == "__main__":
    main()
