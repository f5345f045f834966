# SPDX-License-Identifier: BSD-3-Clause
"""Two routers with twins, and a tunnel between them: the kernel is the host everywhere."""
import pathlib
import re
import secrets
import signal
import unittest

from harness import Net, Spillway, TestCase, main, until

CONFIG = """[spillway]
name = {name}
rules = {name}.rules
default = deny
idle = sleep
no-huge = on
[router]
routes = 1k
routes6 = 1k
[port {lan}]
device = net_af_packet0,iface={lan}
routed = yes
twin = t{lan}
address = 10.{near}.0.1/24, fd0{near}::1/64
[port mid]
device = net_af_packet1,iface=mid
routed = yes
twin = tmid
address = 192.0.2.{near}/24, fd99::{near}/64
[route 10.{far}.0.0/16]
via = 192.0.2.{far}
[route fd0{far}::/64]
via = fd99::{far}
[sa to-far]
direction = out
spi = 0x100{near}
mode = tunnel
source = {outer}{near}
destination = {outer}{far}
algorithm = aes-128-gcm
key-file = {near}.key
[sa from-far]
direction = in
spi = 0x100{far}
mode = tunnel
source = {outer}{far}
destination = {outer}{near}
algorithm = aes-128-gcm
key-file = {far}.key
"""
RULES = """protect to-far any from 10.{near}.0.0/16 to 10.{far}.0.0/16
protect to-far any from fd0{near}::/64 to fd0{far}::/64
protect from-far any from 10.{far}.0.0/16 to 10.{near}.0.0/16
protect from-far any from fd0{far}::/64 to fd0{near}::/64
"""


class TwoRouters(TestCase):
    """left 10.1.0.2 - (lan) one (mid 192.0.2.1) ===ESP=== (mid 192.0.2.2) two (wan) - right 10.2.0.2"""

    outer = "192.0.2."

    def setUp(self):
        super().setUp()
        if not pathlib.Path("/dev/net/tun").exists():
            raise unittest.SkipTest("needs /dev/net/tun")
        self.net = net = Net(other=True)
        self.addCleanup(net.close)
        self.ip(net.middle, f"link add mid type veth peer name mid netns {net.other}")
        for number, name in ((1, net.left), (2, net.right)):
            self.ip(name, "address flush dev eth0")
            self.ip(name, f"address add 10.{number}.0.2/24 dev eth0")
            self.ip(name, f"-6 address add fd0{number}::2/64 dev eth0 nodad")
            self.ip(name, f"route add default via 10.{number}.0.1")
            self.ip(name, f"-6 route add default via fd0{number}::1")
        for number in (1, 2):
            self.file(f"{number}.key", secrets.token_hex(20) + "\n").chmod(0o600)
        self.programs = [self.start(1, 2, "one", "lan", net.middle), self.start(2, 1, "two", "wan", net.other)]
        for program in self.programs:
            program.ready()

    def start(self, near, far, name, lan, namespace):
        self.ip(namespace, "link set mid up")
        settings = ["net.ipv6.conf.default.disable_ipv6=0", "net.ipv6.conf.default.accept_dad=0"]
        for port in (lan, "mid"):
            settings += [f"net.ipv4.conf.{port}.rp_filter=1", f"net.ipv4.conf.{port}.arp_ignore=8"]
        self.net.run(namespace, "sysctl", "-qw", *settings)
        values = {"near": near, "far": far, "name": name, "lan": lan, "outer": self.outer}
        self.file(f"{name}.rules", RULES.format(**values))
        program = Spillway("--config", self.file(f"{name}.conf", CONFIG.format(**values)), namespace=namespace)
        self.addCleanup(program.__exit__)
        return program

    def ip(self, name, command):
        return self.net.run(name, "ip", *command.split())

    def reaches(self, address):
        until(lambda: self.net.ping(self.net.left, address, count=1), 30, f"ping {address}")
        self.assertGreaterEqual(self.net.ping(self.net.left, address, count=10), 10, address)

    def ends(self):
        return [self.check(program.stop()) for program in self.programs]

    def test_ping(self):
        """Both families through the tunnel; the first packet waits for the other router's MAC address."""
        for address in ("10.2.0.2", "fd02::2"):
            self.reaches(address)
        for report in self.ends():
            self.assertGreaterEqual(report["sas"]["to-far"]["packets"], 20)
            self.assertGreaterEqual(report["sas"]["from-far"]["packets"], 20)
            self.assertGreaterEqual(report["routing"]["waited"], 1)

    def test_host(self):
        """The routers' own packets go by the tunnel, small and large ones, and what answers comes by it."""
        self.reaches("10.2.0.1")
        for address, own, size in (("10.2.0.2", "10.1.0.1", 64), ("fd02::2", "fd01::1", 64), ("10.2.0.1", "10.1.0.1", 3000),
                                   ("fd02::1", "fd01::1", 1232), ("10.2.0.2", "10.1.0.1", 1446 - 28)):
            for _ in range(2):  # the first teaches the kernel the tunnel's MTU
                came = self.net.ping(self.net.middle, address, "-I", own, "-s", size, count=5)
            self.assertGreaterEqual(came, 5, (address, size))
        self.net.ping(self.net.middle, "10.2.0.2", "-I", "10.1.0.1", "-s", 1450, "-M", "do", count=2)
        self.assertRegex(self.ip(self.net.middle, "route get 10.2.0.2 from 10.1.0.1").stdout, r"mtu 14\d\d")
        one, two = self.ends()
        self.assertGreaterEqual(one["sas"]["to-far"]["packets"], 50)
        self.assertEqual(two.drops.get("esp_required", 0), 0)

    def test_host_leaves(self):
        """A rule for what comes by the tunnel says nothing of what the host sends."""
        rules = (self.folder / "one.rules").read_text()
        self.file("one.rules", "protect from-far any from 10.1.0.1 to 10.2.0.0/16\n" + rules)
        self.programs[0].signal(signal.SIGHUP)
        until(lambda: "version 2" in self.programs[0].log, 20, "the reload")
        until(lambda: self.net.ping(self.net.middle, "10.2.0.2", "-I", "10.1.0.1", count=3) == 3, 20, "ping by the tunnel")
        _, two = self.ends()
        self.assertEqual(two.drops.get("esp_required", 0), 0)

    def test_large(self):
        """The host inside is told of the MTU that the tunnel leaves, and adapts."""
        self.reaches("10.2.0.2")
        self.net.ping(self.net.left, "10.2.0.2", "-s", "1450", "-M", "do", count=2)
        route = self.ip(self.net.left, "route get 10.2.0.2").stdout
        self.assertRegex(route, r"mtu 14\d\d")
        most = int(re.search(r"mtu (\d+)", route)[1])
        self.assertGreaterEqual(self.net.ping(self.net.left, "10.2.0.2", "-s", most - 28, "-M", "do", count=5), 5)
        self.ends()

    def test_reload(self):
        """Rules without the tunnel let nothing pass; with it again it goes on, with the same numbers."""
        self.reaches("10.2.0.2")
        program, rules = self.programs[0], (self.folder / "one.rules").read_text()
        self.file("one.rules", "deny any from any to any\n")
        program.signal(signal.SIGHUP)
        until(lambda: not self.net.ping(self.net.left, "10.2.0.2", "-W", "1", count=1), 20, "no ping")
        self.file("one.rules", rules)
        program.signal(signal.SIGHUP)
        self.reaches("10.2.0.2")
        one, two = self.ends()
        self.assertEqual(two.drops.get("esp_replayed", 0), 0)
        self.assertEqual(one["sas"]["to-far"]["sequence"], one["sas"]["to-far"]["packets"])

    def test_link_down(self):
        """Without the link between the routers senders are told; with it the tunnel is there again."""
        self.reaches("10.2.0.2")
        self.ip(self.net.other, "link set mid down")
        until(lambda: not self.net.ping(self.net.left, "10.2.0.2", "-W", "1", count=1), 20, "no ping")
        self.ip(self.net.other, "link set mid up")
        self.reaches("10.2.0.2")
        self.ends()

    def test_next_hop_gone(self):
        """Senders are told of a next hop that does not answer, before anything is encrypted for it."""
        self.reaches("10.2.0.2")
        self.programs[1].stop()
        self.ip(self.net.middle, "neigh flush dev tmid")
        pings = lambda: self.net.run(self.net.left, "ping", "-n", "-c", 3, "-i", "0.2", "-W", "1", "10.2.0.2",
                                     check=False).stdout
        until(lambda: "errors" in pings(), 30, "errors of a next hop that is gone")
        report = self.check(self.programs[0].stop())
        self.assertGreaterEqual(report.drops["neighbor_failed"], 1)

    def test_end_under_load(self):
        """Packets in tunnels, with workers and waiting are accounted for."""
        self.reaches("10.2.0.2")
        flood = self.net.start(self.net.left, "ping", "-f", "-q", "10.2.0.2")
        sent = lambda: self.programs[1].telemetry("/spillway/sa,from-far")["packets"]
        until(lambda: sent() > 200, 20, "packets under load")
        self.ends()
        flood.kill()


class TwoRouters6(TwoRouters):
    """The same over IPv6."""

    outer = "fd99::"


if __name__ == "__main__":
    main()
