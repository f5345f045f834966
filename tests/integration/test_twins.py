# SPDX-License-Identifier: BSD-3-Clause
"""Twins: the kernel is the host on routed ports, and says where packets go."""
import pathlib
import unittest

from harness import SPILLWAY, Net, Spillway, TestCase, main, run, until

CONFIG = """[spillway]
default = allow
idle = sleep
no-huge = on
[router]
routes = 1k
routes6 = 1k
[port lan]
device = net_af_packet0,iface=lan
routed = yes
twin = tlan
address = 10.1.0.1/24, fd01::1/64
[port wan]
device = net_af_packet1,iface=wan
routed = yes
twin = twan
address = 10.2.0.1/24, fd02::1/64
[route 10.50.0.0/16]
via = 10.2.0.2
[route 10.51.0.0/16]
action = prohibit
"""


class Twins(TestCase):
    """left 10.1.0.2, fd01::2 - (lan) spillway (wan) - right 10.2.0.2, fd02::2; right has 10.50.0.1 and 10.77.0.1."""

    def setUp(self):
        super().setUp()
        if not pathlib.Path("/dev/net/tun").exists():
            raise unittest.SkipTest("needs /dev/net/tun")
        self.net = net = Net()
        self.addCleanup(net.close)
        for number, name in ((1, net.left), (2, net.right)):
            self.ip(name, "address flush dev eth0")
            self.ip(name, f"address add 10.{number}.0.2/24 dev eth0")
            self.ip(name, f"-6 address add fd0{number}::2/64 dev eth0 nodad")
            self.ip(name, f"route add default via 10.{number}.0.1")
            self.ip(name, f"-6 route add default via fd0{number}::1")
        for address in ("10.50.0.1", "10.77.0.1"):
            self.ip(net.right, f"address add {address}/32 dev lo")
        # The kernel must not answer by lan and wan themselves, which spillway has; by twins it has IPv6.
        settings = ["net.ipv6.conf.default.disable_ipv6=0", "net.ipv6.conf.default.accept_dad=0"]
        for port in ("lan", "wan"):
            settings += [f"net.ipv4.conf.{port}.rp_filter=1", f"net.ipv4.conf.{port}.arp_ignore=8"]
        net.run(net.middle, "sysctl", "-qw", *settings)
        self.program = Spillway("--config", self.file("router.conf", CONFIG), namespace=net.middle)
        self.addCleanup(self.program.__exit__)
        self.program.ready()

    def ip(self, name, command):
        return self.net.run(name, "ip", *command.split())

    def reaches(self, address, seconds=20):
        until(lambda: self.net.ping(self.net.left, address, count=1), seconds, f"ping {address}")

    def misses(self, address):
        until(lambda: not self.net.ping(self.net.left, address, "-W", "1", count=1), 20, f"no ping {address}")

    def end(self):
        report = self.check(self.program.stop())
        self.assertNotIn("tlan", self.ip(self.net.middle, "link show").stdout)
        self.assertNotIn("10.51.0.0", self.ip(self.net.middle, "route show").stdout)
        return report

    def test_ping(self):
        """Of the router's own addresses, and through it; neighbours are found out by the kernel."""
        for address in ("10.1.0.1", "fd01::1", "10.2.0.1", "10.2.0.2", "fd02::2", "10.50.0.1"):
            self.reaches(address)
            self.assertGreaterEqual(self.net.ping(self.net.left, address, count=10), 10, address)
        done = self.net.run(self.net.left, "ping", "-n", "-c", "1", "-W", "2", "10.51.0.1", check=False)
        self.assertRegex(done.stdout, r"(?i)prohibited|filtered")
        self.assertIn("proto 83", self.ip(self.net.middle, "-N route show 10.50.0.0/16").stdout)
        report = self.end()
        self.assertGreater(report.packets["delivered_to_host"], 20)
        self.assertGreater(report.packets["originated"], 20)

    def test_routes_are_followed(self):
        self.reaches("10.2.0.2")
        self.misses("10.77.0.1")
        self.ip(self.net.middle, "route add 10.77.0.0/24 via 10.2.0.2")
        self.reaches("10.77.0.1")
        self.ip(self.net.middle, "route replace blackhole 10.77.0.0/24")
        self.misses("10.77.0.1")
        self.ip(self.net.middle, "nexthop add id 7 via 10.2.0.2 dev twan")
        self.ip(self.net.middle, "route replace 10.77.0.0/24 nhid 7")
        self.reaches("10.77.0.1")
        self.ip(self.net.middle, "nexthop delete id 7")
        self.misses("10.77.0.1")
        self.end()

    def test_link_down(self):
        """Of the twin, and of the port: the twin has the carrier that the port has."""
        self.reaches("10.2.0.2")
        self.ip(self.net.middle, "link set twan down")
        self.misses("10.2.0.2")
        self.ip(self.net.middle, "link set twan up")
        self.reaches("10.2.0.2")
        self.ip(self.net.right, "link set eth0 down")
        until(lambda: "NO-CARRIER" in self.ip(self.net.middle, "link show twan").stdout, 10, "no carrier")
        self.ip(self.net.right, "link set eth0 up")
        self.ip(self.net.right, "route add default via 10.2.0.1")
        until(lambda: "NO-CARRIER" not in self.ip(self.net.middle, "link show twan").stdout, 10, "a carrier")
        self.reaches("10.2.0.2")
        self.end()

    def test_mac(self):
        """Who gives the twin another MAC address, or a macvlan one of its own, reaches it by that."""
        self.reaches("10.1.0.1")
        self.ip(self.net.middle, "link set tlan address 02:aa:aa:aa:aa:01")
        self.ip(self.net.left, "neigh flush dev eth0")
        self.reaches("10.1.0.1")
        self.reaches("10.2.0.2")
        self.ip(self.net.middle, "link add vrrp link tlan type macvlan mode bridge")
        self.ip(self.net.middle, "link set vrrp address 00:00:5e:00:01:07")
        self.ip(self.net.middle, "address add 10.1.0.7/32 dev vrrp")
        self.ip(self.net.middle, "link set vrrp up")
        self.ip(self.net.left, "route replace default via 10.1.0.7")
        self.ip(self.net.left, "neigh replace 10.1.0.7 lladdr 00:00:5e:00:01:07 dev eth0")
        self.reaches("10.2.0.2")
        self.end()

    def test_rules(self):
        """Of what is forwarded they judge each flow: its first packet, and bursts of a flow that is known."""
        self.end()
        rules = self.file("r.rules", "allow icmp from 10.1.0.0/24 to any in lan\nreject udp from any to any\n")
        config = CONFIG.replace("default = allow", f"default = deny\nrules = {rules}")
        self.program = Spillway("--config", self.file("router.conf", config), namespace=self.net.middle)
        self.addCleanup(self.program.__exit__)
        self.program.ready()
        self.reaches("10.2.0.2")
        self.assertGreaterEqual(self.net.ping(self.net.left, "10.2.0.2", count=50), 49)
        self.assertEqual(self.net.ping(self.net.right, "10.1.0.2", "-W", "1", count=2), 0)
        self.assertGreaterEqual(self.end().drops["denied"], 2)

    def test_routes_of_others(self):
        """What the kernel was told by others stays, and the start says so."""
        self.end()
        self.ip(self.net.middle, "link set lo up")
        self.ip(self.net.middle, "route add 10.50.0.0/16 dev lo")
        done = self.net.run(self.net.middle, SPILLWAY, "--config", self.file("router.conf", CONFIG), check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("route 10.50.0.0/16: the kernel has one to there already", done.stderr)
        self.assertIn("dev lo", self.ip(self.net.middle, "route show 10.50.0.0/16").stdout)
        self.assertNotIn("tlan", self.ip(self.net.middle, "link show").stdout)

    def test_scan(self):
        """Who is there is found beside a scan for many who are not."""
        self.reaches("10.2.0.2")
        scan = self.net.start(self.net.left, "/usr/bin/python3", "-c", "import itertools, socket, time\n"
                              "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                              "for n in itertools.cycle(range(3, 250)):\n"
                              " s.sendto(b'scan', (f'10.2.0.{n}', 7)); time.sleep(.004)")
        until(lambda: self.program.telemetry("/spillway/metrics,drops").get("neighbor_full", 0) > 100, 20, "many scanned")
        came = 0
        for _ in range(20):
            self.ip(self.net.middle, "neigh flush dev twan to 10.2.0.2")
            came += self.net.ping(self.net.left, "10.2.0.2", "-W", "1", count=1)
        scan.terminate()
        self.assertGreaterEqual(came, 17)
        self.end()

    def test_hosts_tricks(self):
        """A router learns no routes from router advertisements, and none from redirects."""
        for key in "ipv6.conf.tlan.accept_ra", "ipv6.conf.tlan.accept_redirects", "ipv4.conf.tlan.accept_redirects":
            self.assertEqual(self.net.run(self.net.middle, "sysctl", "-n", f"net.{key}").stdout.strip(), "0", key)
        self.end()

    def test_what_was_given_comes_back(self):
        """A twin that is set down loses routes and IPv6 addresses in the kernel; it has them again when it is up."""
        self.reaches("10.50.0.1")
        self.ip(self.net.middle, "link set twan down")
        self.misses("10.50.0.1")
        self.ip(self.net.middle, "link set twan up")
        self.reaches("10.50.0.1")
        self.reaches("fd02::2")
        self.end()

    def test_namespace_and_table(self):
        """Twins in a namespace of their own, and the routes of another table than main."""
        self.end()
        there = self.net.middle + "-twins"
        run("ip", "netns", "add", there)
        self.net.namespaces.add(there)
        config = CONFIG.replace("[router]", f"[router]\nnetns = /run/netns/{there}\ntable = 77")
        self.program = Spillway("--config", self.file("router.conf", config), namespace=self.net.middle)
        self.addCleanup(self.program.__exit__)
        self.program.ready()
        self.assertIn("proto 83", self.ip(there, "-N route show table 77").stdout)
        self.ip(there, "route add 10.2.0.0/24 dev twan table 77")
        self.ip(there, "route add 10.1.0.0/24 dev tlan table 77")
        self.reaches("10.1.0.1")
        self.reaches("10.2.0.2")
        self.reaches("10.50.0.1")
        self.end()

    def test_flood(self):
        """A flood of one class leaves another one through."""
        self.reaches("10.1.0.1")
        flood = self.net.start(self.net.left, "ping", "-q", "-f", "-s", "8", "10.1.0.1")
        self.net.run(self.net.left, "ip", "neigh", "flush", "dev", "eth0", check=False)
        done = self.net.run(self.net.left, "ping", "-n", "-c", "5", "-i", "0.2", "10.2.0.2", check=False)
        flood.terminate()
        self.assertRegex(done.stdout, r"[345] received")
        self.end()


if __name__ == "__main__":
    main()
