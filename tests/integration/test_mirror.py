# SPDX-License-Identifier: BSD-3-Clause
"""The mirror against the real kernel: what it gives the router follows what the kernel does, told or not."""
import json
import os
import subprocess
import unittest

from harness import BUILD, TestCase, main, need_program, need_root, run, until

PROBE = BUILD / "tests" / "integration" / "mirror_probe"


class Mirror(TestCase):
    """A namespace with the links t1, t2 and t3, each the end of a veth pair in a second one."""

    links = ("t1", "t2", "t3")

    def setUp(self):
        super().setUp()
        need_root()
        need_program("ip")
        self.here = f"spw-test-{os.getpid()}-{self._testMethodName}"
        self.there = self.here + "-far"
        for name in (self.here, self.there):
            if run("ip", "netns", "add", name, check=False).returncode:
                raise unittest.SkipTest("needs network namespaces")
            self.addCleanup(run, "ip", "netns", "delete", name, check=False)
            run("ip", "-n", name, "link", "set", "lo", "up")
        for number, link in enumerate(self.links, 1):
            run("ip", "-n", self.here, "link", "add", link, "type", "veth", "peer", "name", link, "netns", self.there)
            run("ip", "-n", self.there, "link", "set", link, "up")
            run("ip", "netns", "exec", self.here, "sysctl", "-qw", f"net.ipv6.conf.{link}.accept_dad=0")
            self.ip(f"address add 10.{number}.0.1/24 dev {link}")
            self.ip(f"address add fd0{number}::1/64 dev {link} nodad")
            self.ip(f"link set {link} up")
        self.last = 0

    def ip(self, command, check=True):
        return run("ip", "-n", self.here, *command.split(), check=check)

    def probe(self, *options, links=None, wrapper=()):
        command = ["ip", "netns", "exec", self.here, *wrapper, PROBE, *options, *(self.links if links is None else links)]
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end)
        until(lambda: self.show("count")["generations"], 30, "the first generation")

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.assertEqual(self.process.wait(20), 0)

    def show(self, command="show"):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return json.loads("".join(iter(self.process.stdout.readline, "\n")))

    def settled(self):
        """What the sink has once all is read that the kernel has said so far: a route shows it."""
        self.last += 1
        mark = f"192.0.2.{self.last}/32"
        self.ip(f"route add blackhole {mark}")
        return until(lambda: (lambda shown: mark in shown["routes"] and shown)(self.show()), 10, mark)

    def route(self, prefix):
        return self.settled()["routes"].get(prefix)

    def expect(self, prefix, *paths):
        self.assertEqual(self.route(prefix), list(paths) if paths else None, self.ip("route").stdout)

    def agrees(self, **options):
        """A mirror that begins now, and so has nothing but dumps, sees the same."""
        before, process = self.settled()["routes"], self.process
        self.probe(**options)
        self.assertEqual(before, self.show()["routes"])
        self.end()
        self.process = process


class Events4(Mirror):
    def test_add_replace_delete(self):
        self.ip("route add 10.50.0.0/16 via 10.1.0.2")
        self.probe()
        self.expect("10.50.0.0/16", "0 10.1.0.2 1")
        self.ip("route replace 10.50.0.0/16 via 10.2.0.2")
        self.expect("10.50.0.0/16", "1 10.2.0.2 1")
        self.ip("route add 10.51.0.0/16 nexthop via 10.1.0.2 weight 2 nexthop via 10.3.0.2")
        self.expect("10.51.0.0/16", "0 10.1.0.2 2", "2 10.3.0.2 1")
        self.ip("route delete 10.50.0.0/16")
        self.expect("10.50.0.0/16")
        self.agrees()

    def test_kinds(self):
        self.probe()
        for kind in ("blackhole", "unreachable", "prohibit"):
            self.ip(f"route add {kind} 10.60.0.0/16")
            self.expect("10.60.0.0/16", kind)
            self.ip(f"route delete {kind} 10.60.0.0/16")
        routes = self.settled()["routes"]
        self.assertEqual(routes["10.1.0.1/32"], ["local"])
        self.assertEqual(routes["10.1.0.255/32"], ["local"])
        self.assertEqual(routes["10.1.0.0/24"], ["0 link 1"])
        self.ip("route add 10.61.0.0/16 dev lo")  # no twin: not forwarded, and no shorter prefix instead
        self.ip("route add default via 10.1.0.2")
        self.expect("10.61.0.0/16", "unreachable")
        self.expect("0.0.0.0/0", "0 10.1.0.2 1")

    def test_metrics(self):
        self.ip("route add 10.50.0.0/16 via 10.2.0.2 metric 20")
        self.probe()
        self.ip("route add 10.50.0.0/16 via 10.1.0.2 metric 10")
        self.ip("route add 10.50.0.0/16 via 10.3.0.2 metric 30")
        self.expect("10.50.0.0/16", "0 10.1.0.2 1")
        self.ip("route delete 10.50.0.0/16 metric 10")
        self.expect("10.50.0.0/16", "1 10.2.0.2 1")
        self.ip("route delete 10.50.0.0/16 metric 20")
        self.expect("10.50.0.0/16", "2 10.3.0.2 1")
        self.agrees()

    def test_append_and_prepend(self):
        """Of one metric the kernel goes by the first; an appended one comes up when that goes."""
        self.ip("route add 10.50.0.0/16 via 10.1.0.2")
        self.ip("route append 10.50.0.0/16 via 10.2.0.2")
        self.probe()
        self.ip("route append 10.50.0.0/16 via 10.3.0.2")
        self.expect("10.50.0.0/16", "0 10.1.0.2 1")
        self.agrees()
        self.ip("route delete 10.50.0.0/16 via 10.1.0.2")
        self.expect("10.50.0.0/16", "1 10.2.0.2 1")
        self.ip("route prepend 10.50.0.0/16 via 10.1.0.2")
        self.expect("10.50.0.0/16", "0 10.1.0.2 1")
        self.agrees()
        self.ip("route delete 10.50.0.0/16 via 10.1.0.2")
        self.ip("route replace 10.50.0.0/16 via 10.1.0.9")  # instead of the first; the other stays behind it
        self.expect("10.50.0.0/16", "0 10.1.0.9 1")
        self.ip("route delete 10.50.0.0/16 via 10.1.0.9")
        self.expect("10.50.0.0/16", "2 10.3.0.2 1")
        self.agrees()

    def test_link_down(self):
        """Routes of a link that is set down go without a message; what is left of several paths stays."""
        self.probe()
        self.ip("route add 10.50.0.0/16 via 10.1.0.2")
        self.ip("route add 10.50.0.0/16 via 10.2.0.2 metric 9")
        self.ip("route add 10.51.0.0/16 nexthop via 10.1.0.2 nexthop via 10.2.0.2")
        self.ip("route add 10.52.0.0/16 via 10.1.0.2")
        self.settled()
        self.ip("link set t1 down")
        shown = self.settled()
        self.assertEqual(shown["routes"]["10.50.0.0/16"], ["1 10.2.0.2 1"])
        self.assertEqual(shown["routes"]["10.51.0.0/16"], ["1 10.2.0.2 1"])
        self.assertNotIn("10.52.0.0/16", shown["routes"])
        self.assertNotIn("10.1.0.0/24", shown["routes"])
        self.assertEqual(shown["routes"]["10.1.0.1/32"], ["local"])  # of a host, not of a link
        self.assertFalse(shown["interfaces"][0]["enabled"])
        self.agrees()
        self.ip("link set t1 up")
        self.expect("10.51.0.0/16", "0 10.1.0.2 1", "1 10.2.0.2 1")
        self.expect("10.1.0.0/24", "0 link 1")
        self.expect("10.52.0.0/16")
        self.agrees()

    def test_carrier_down(self):
        """A plain route stays, `linkdown`; the router knows that the interface has no link."""
        self.ip("route add 10.50.0.0/16 via 10.1.0.2")
        self.probe()
        run("ip", "-n", self.there, "link", "set", "t1", "down")
        until(lambda: not self.show()["interfaces"][0]["carrier"], 10, "no carrier")
        self.expect("10.50.0.0/16", "0 10.1.0.2 1")
        self.agrees()

    def test_last_address(self):
        """A link's last address takes the routes of the link along, without a message."""
        self.ip("address add 10.1.1.1/24 dev t1")
        self.ip("route add 10.50.0.0/16 via 10.1.0.2")
        self.ip("route add 10.52.0.0/16 dev t1")
        self.ip("route add 10.51.0.0/16 nexthop via 10.1.0.2 nexthop via 10.2.0.2")
        self.probe()
        self.ip("address delete 10.1.1.1/24 dev t1")
        self.expect("10.50.0.0/16", "0 10.1.0.2 1")
        self.ip("address delete 10.1.0.1/24 dev t1")
        self.expect("10.50.0.0/16")
        self.expect("10.52.0.0/16")
        self.expect("10.51.0.0/16", "1 10.2.0.2 1")
        self.agrees()
        self.ip("address add 10.1.0.1/24 dev t1")
        self.expect("10.51.0.0/16", "0 10.1.0.2 1", "1 10.2.0.2 1")
        self.agrees()

    def test_address_of_a_link_that_is_down(self):
        """It brings no path back: the link is to come up first."""
        self.probe()
        self.ip("route add 10.51.0.0/16 nexthop via 10.1.0.2 nexthop via 10.2.0.2")
        self.settled()
        self.ip("link set t1 down")
        self.ip("address add 10.1.5.1/24 dev t1")
        self.expect("10.51.0.0/16", "1 10.2.0.2 1")
        self.agrees()
        self.ip("link set t1 up")
        self.expect("10.51.0.0/16", "0 10.1.0.2 1", "1 10.2.0.2 1")

    def test_preferred_source(self):
        """A route goes with the address that it is to be sent from."""
        self.ip("address add 10.1.1.1/24 dev t1")
        self.ip("route add 10.50.0.0/16 via 10.1.0.2 src 10.1.1.1")
        self.probe()
        self.ip("address delete 10.1.1.1/24 dev t1")
        self.expect("10.50.0.0/16")
        self.agrees()

    def test_link_gone(self):
        self.ip("route add 10.50.0.0/16 via 10.1.0.2")
        self.ip("route add 10.50.0.0/16 via 10.2.0.2 metric 9")
        self.probe()
        self.ip("link delete t1")
        self.expect("10.50.0.0/16", "1 10.2.0.2 1")
        self.expect("10.1.0.1/32")
        self.agrees(links=("t2", "t2", "t3"))


class Events6(Mirror):
    def test_link_down(self):
        self.probe()
        self.ip("-6 route add fd50::/16 via fd01::2")
        self.ip("-6 route add fd50::/16 via fd02::2 metric 2000")
        self.ip("-6 route add fd51::/16 nexthop via fd01::2 nexthop via fd02::2")
        self.settled()
        self.ip("link set t1 down")
        self.expect("fd50::/16", "1 fd02::2 1")
        self.expect("fd51::/16", "1 fd02::2 1")
        self.expect("fd01::/64")
        self.agrees()
        self.ip("link set t1 up")
        self.expect("fd51::/16", "0 fd01::2 1", "1 fd02::2 1")

    def test_append(self):
        """A message has all the paths; the order is the kernel's."""
        self.probe()
        self.ip("-6 route add fd50::/16 via fd01::2")
        self.ip("-6 route append fd50::/16 via fd02::2")
        self.assertEqual(sorted(self.route("fd50::/16")), ["0 fd01::2 1", "1 fd02::2 1"])
        self.ip("-6 route append fd50::/16 via fd03::2")
        self.assertEqual(sorted(self.route("fd50::/16")), ["0 fd01::2 1", "1 fd02::2 1", "2 fd03::2 1"])
        self.ip("-6 route replace fd50::/16 via fd03::9")
        self.expect("fd50::/16", "2 fd03::9 1")
        self.agrees()

    def test_delete_of_one_path(self):
        self.ip("-6 route add fd50::/16 nexthop via fd01::2 nexthop via fd02::2 nexthop via fd03::2")
        self.probe()
        self.ip("-6 route delete fd50::/16 via fd02::2")
        self.assertEqual(sorted(self.route("fd50::/16")), ["0 fd01::2 1", "2 fd03::2 1"])
        self.ip("-6 route delete fd50::/16 via fd01::2")
        self.expect("fd50::/16", "2 fd03::2 1")
        self.agrees()
        self.ip("-6 route delete fd50::/16")
        self.expect("fd50::/16")

    def test_delete_of_all_paths(self):
        self.ip("-6 route add fd50::/16 nexthop via fd01::2 nexthop via fd02::2")
        self.ip("-6 route add fd50::/16 via fd03::2 metric 2000")
        self.probe()
        self.ip("-6 route delete fd50::/16 metric 1024")
        self.expect("fd50::/16", "2 fd03::2 1")

    def test_on_links(self):
        """Routes of one metric by links do not become one route."""
        self.probe()
        self.ip("-6 route add fd50::/16 dev t1 metric 5")
        self.ip("-6 route append fd50::/16 dev t2 metric 5")
        self.expect("fd50::/16", "0 link 1")
        self.ip("-6 route delete fd50::/16 dev t1 metric 5")
        self.expect("fd50::/16", "1 link 1")
        self.agrees()

    def test_local(self):
        self.probe()
        shown = self.settled()["routes"]
        self.assertEqual(shown["fd01::1/128"], ["local"])
        self.assertEqual(shown["fd01::/64"], ["0 link 1"])
        self.assertFalse([prefix for prefix in shown if prefix.startswith(("fe80", "ff"))])

    def test_carrier_down(self):
        self.ip("-6 route add fd50::/16 via fd01::2")
        self.probe()
        run("ip", "-n", self.there, "link", "set", "t1", "down")
        until(lambda: not self.show()["interfaces"][0]["carrier"], 10, "no carrier")
        self.expect("fd50::/16", "0 fd01::2 1")


class NextHops(Mirror):
    def objects(self):
        for number, address in enumerate(("10.1.0.2", "10.2.0.2", "10.3.0.2"), 1):
            self.ip(f"nexthop add id {number} via {address} dev t{number}")
            self.ip(f"nexthop add id {number + 5} via fd0{number}::2 dev t{number}")
        self.ip("nexthop add id 10 group 1/2,3")
        self.ip("nexthop add id 16 group 6/7")
        self.ip("route add 10.50.0.0/16 nhid 10")
        self.ip("route add 10.51.0.0/16 nhid 1")
        self.ip("-6 route add fd50::/16 nhid 16")
        self.ip("-6 route add fd51::/16 nhid 6")

    def test_group(self):
        self.objects()
        self.probe()
        self.expect("10.50.0.0/16", "0 10.1.0.2 1", "1 10.2.0.2 3")
        self.expect("fd50::/16", "0 fd01::2 1", "1 fd02::2 1")
        self.ip("nexthop replace id 10 group 2/3")
        self.expect("10.50.0.0/16", "1 10.2.0.2 1", "2 10.3.0.2 1")
        self.ip("nexthop replace id 2 via 10.2.0.9 dev t2")
        self.expect("10.50.0.0/16", "1 10.2.0.9 1", "2 10.3.0.2 1")
        self.ip("nexthop add id 20 blackhole")
        self.ip("route replace 10.51.0.0/16 nhid 20")
        self.expect("10.51.0.0/16", "blackhole")
        self.agrees()

    def test_delete(self):
        """Objects take their routes along; the kernel says nothing of IPv4's."""
        self.objects()
        self.probe()
        self.ip("nexthop delete id 1")
        self.expect("10.51.0.0/16")
        self.expect("10.50.0.0/16", "1 10.2.0.2 3")
        self.ip("nexthop delete id 6")
        self.expect("fd51::/16")
        self.expect("fd50::/16", "1 fd02::2 1")
        self.agrees()
        self.ip("nexthop delete id 2")
        self.expect("10.50.0.0/16")
        self.ip("nexthop delete id 16")
        self.expect("fd50::/16")
        self.agrees()

    def test_carrier_down(self):
        """Objects of a link without carrier vanish with their routes, without a message for either."""
        self.objects()
        self.ip("route add 10.51.0.0/16 via 10.3.0.2 metric 7")
        self.probe()
        run("ip", "-n", self.there, "link", "set", "t1", "down")
        until(lambda: not self.show()["interfaces"][0]["carrier"], 10, "no carrier")
        self.expect("10.51.0.0/16", "2 10.3.0.2 1")
        self.expect("10.50.0.0/16", "1 10.2.0.2 3")
        self.expect("fd51::/16")
        self.expect("fd50::/16", "1 fd02::2 1")
        self.agrees()

    def test_link_down(self):
        self.objects()
        self.probe()
        self.ip("link set t2 down")
        self.expect("10.50.0.0/16", "0 10.1.0.2 1")
        self.ip("link set t1 down")
        self.expect("10.50.0.0/16")
        self.expect("fd50::/16")
        self.agrees()

    def test_compatible(self):
        """One change of a group is one change here, whatever the kernel says of its routes beside."""
        self.objects()
        self.file("batch", "".join(f"route add 10.200.{i}.0/24 nhid 10\n" for i in range(200)))
        self.ip(f"-batch {self.folder}/batch")
        for mode in (0, 1):
            run("ip", "netns", "exec", self.here, "sysctl", "-qw", f"net.ipv4.nexthop_compat_mode={mode}")
            if not mode:
                self.probe()
            before = self.settled()
            self.ip(f"nexthop replace id 10 group {2 + mode}/1")
            after = self.settled()
            self.assertEqual(after["routes"]["10.200.7.0/24"], [f"{1 + mode} 10.{2 + mode}.0.2 1", "0 10.1.0.2 1"])
            self.assertEqual(after["route_changes"], before["route_changes"] + 1)  # the mark


class Others(Mirror):
    def test_addresses_and_links(self):
        self.probe()
        self.ip("address add 10.1.9.1/24 dev t1")
        self.ip("link set t1 mtu 1400")
        shown = self.settled()["interfaces"][0]
        self.assertEqual(shown["mtu"], 1400)
        addresses = [address for address in shown["addresses"] if not address.startswith("fe80")]
        self.assertEqual(addresses, ["10.1.0.1/24", "fd01::1/64", "10.1.9.1/24"])

    def macvlan(self):
        made = self.ip("link add vrrp link t1 address 00:00:5e:00:01:07 type macvlan mode bridge", check=False)
        if made.returncode:
            self.skipTest(f"needs macvlan: {made.stderr}")
        self.ip("address add 10.7.0.1/24 dev vrrp")
        self.ip("link set vrrp up")

    def test_macvlan(self):
        """One on a twin, as VRRP has it: its MAC is the interface's too, its routes leave there."""
        self.probe()
        self.macvlan()
        shown = self.settled()
        self.assertEqual(shown["routes"]["10.7.0.0/24"], ["0 link 1"])
        self.assertEqual(shown["interfaces"][0]["macs"], ["00:00:5E:00:01:07"])
        self.assertIn("10.7.0.1/24", shown["interfaces"][0]["addresses"])
        for off, on in ("down", "up"), ("protodown on", "protodown off"):
            self.ip(f"link set vrrp {off}")
            self.assertEqual(self.settled()["interfaces"][0]["macs"], [], off)
            self.ip(f"link set vrrp {on}")
            until(lambda: self.show()["interfaces"][0]["macs"] == ["00:00:5E:00:01:07"], 10, on)
        self.ip("link delete vrrp")
        shown = self.settled()
        self.assertEqual(shown["interfaces"][0]["macs"], [])
        self.assertNotIn("10.7.0.0/24", shown["routes"])
        self.assertNotIn("10.7.0.1/24", shown["interfaces"][0]["addresses"])

    def test_tunnels(self):
        """What the kernel would put into a tunnel (lwtunnel) leaves by no other way."""
        self.ip("route add 10.50.0.0/16 via 10.2.0.2 metric 9")
        tunnel = "encap ip id 5 dst 10.9.9.9 via 10.1.0.2 dev t1"
        self.probe()
        made = self.ip(f"route add 10.50.0.0/16 {tunnel} metric 7", check=False)
        if made.returncode:
            self.skipTest(f"needs lwtunnel: {made.stderr}")
        self.ip(f"nexthop add id 5 {tunnel}")
        self.ip("route add 10.51.0.0/16 nhid 5")
        self.ip("route add 10.52.0.0/16 nexthop encap ip id 5 dst 10.9.9.9 via 10.1.0.2 dev t1 "
                "nexthop via 10.2.0.2 dev t2")
        self.ip("-6 route add fd50::/16 encap seg6 mode encap segs fd09::1 via fd01::2 dev t1")
        routes = self.settled()["routes"]
        self.assertEqual([routes[prefix] for prefix in ("10.50.0.0/16", "10.51.0.0/16", "fd50::/16")],
                         3 * [["unreachable"]])
        self.assertEqual(routes["10.52.0.0/16"], ["1 10.2.0.2 1"])
        self.assertEqual(self.show("count")["groups_tunneled"], 4)
        self.agrees()
        self.ip("route delete 10.50.0.0/16 metric 7")
        self.ip("nexthop replace id 5 via 10.1.0.2 dev t1")
        self.expect("10.50.0.0/16", "1 10.2.0.2 1")
        self.expect("10.51.0.0/16", "0 10.1.0.2 1")

    def test_neighbors(self):
        self.ip("neigh add 10.1.0.2 lladdr 02:00:00:00:00:02 dev t1")
        self.probe()
        self.ip("neigh add fd02::2 lladdr 02:00:00:00:00:03 dev t2 nud stale")
        shown = self.settled()["neighbors"]
        self.assertEqual(shown["0 10.1.0.2"], "reachable")
        self.assertEqual(shown["1 fd02::2"], "reachable")
        self.ip("neigh delete 10.1.0.2 dev t1")
        self.assertNotIn("0 10.1.0.2", self.settled()["neighbors"])

    def test_neighbors_of_a_macvlan(self):
        """They are not the twin's, which may have found out other things, or the same and keeps it."""
        self.probe()
        self.macvlan()
        for link in "t1", "vrrp":
            self.ip(f"neigh add 10.1.0.2 lladdr 02:00:00:00:00:02 dev {link}")
        self.ip("neigh add 10.7.0.2 lladdr 02:00:00:00:00:07 dev vrrp")
        self.ip("neigh delete 10.1.0.2 dev vrrp")
        shown = self.settled()["neighbors"]
        self.assertEqual(shown.get("0 10.1.0.2"), "reachable")
        self.assertNotIn("0 10.7.0.2", shown)

    def test_neighbor_without_protocol(self):
        """One that is not found out by ARP has a MAC all the same (EVPN); one of a group's is nobody's."""
        self.probe()
        self.ip("neigh add 10.1.0.2 lladdr 02:00:00:00:00:02 dev t1 nud noarp")
        self.ip("neigh add 10.1.0.3 lladdr ff:ff:ff:ff:ff:ff dev t1 nud noarp")
        shown = self.settled()["neighbors"]
        self.assertEqual(shown["0 10.1.0.2"], "reachable")
        self.assertEqual(shown["0 10.1.0.3"], "unresolved")

    def test_neighbor_that_is_silent(self):
        self.probe()
        self.ip("neigh replace 10.3.0.2 dev t3 use")
        until(lambda: self.show()["neighbors"].get("2 10.3.0.2") == "failed", 20, "failed")

    def test_table(self):
        """Another table than main is the one that is mirrored, once something is in it."""
        self.probe("table=77")
        self.ip("route add 10.50.0.0/16 via 10.1.0.2")
        self.ip("route add blackhole 10.51.0.0/16 table 77")
        routes = until(lambda: (lambda now: "10.51.0.0/16" in now and now)(self.show()["routes"]), 10, "a route")
        self.assertNotIn("10.50.0.0/16", routes)
        self.assertEqual(routes["10.1.0.1/32"], ["local"])

    def test_namespace(self):
        """Of another namespace than its own."""
        self.ip("route add 10.50.0.0/16 via 10.1.0.2")
        self.here, here = self.there, self.here
        self.probe(f"netns=/run/netns/{here}", links=())
        self.here = here
        self.expect("10.50.0.0/16", "unreachable")

    def test_privileges(self):
        """In the namespace where it is, it asks for none that only another one takes."""
        need_program("setpriv")
        self.ip("route add 10.50.0.0/16 via 10.1.0.2")
        self.probe(wrapper=("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"))
        self.expect("10.50.0.0/16", "0 10.1.0.2 1")

    def test_audit(self):
        """It finds nothing wrong, which says that messages and dumps tell the same."""
        self.ip("route add 10.50.0.0/16 via 10.1.0.2")
        self.ip("route append 10.50.0.0/16 via 10.2.0.2")
        self.ip("nexthop add id 1 via 10.1.0.2 dev t1")
        self.ip("-6 route add fd50::/16 nexthop via fd01::2 nexthop via fd02::2")
        self.probe("audit=50")
        for _ in range(3):
            for command in ("route add 10.51.0.0/16 nhid 1", "link set t2 down", "link set t2 up",
                            "-6 route append fd50::/16 via fd03::2", "route delete 10.51.0.0/16",
                            "-6 route delete fd50::/16 via fd03::2"):
                self.ip(command)
            audits = self.show()["audits"]
            until(lambda: self.show()["audits"] > audits + 1, 20, "two audits")
        self.assertEqual(self.show()["differences"], 0)


class Many(Mirror):
    def batch(self, name, lines):
        self.file(name, "".join(line + "\n" for line in lines))
        self.ip(f"-batch {self.folder}/{name}")

    def prefixes(self, count):
        return (f"100.{i >> 16}.{i >> 8 & 255}.{i & 255}/32" for i in range(count))

    def test_overrun(self):
        """Messages are thrown away while it does not read: it begins anew, and has all again."""
        self.batch("old", [f"route add {prefix} via 10.1.0.2" for prefix in self.prefixes(3000)])
        self.probe("buffer=4096")
        self.show("stop")
        self.batch("new", [f"route {'delete' if i % 2 else 'replace'} {prefix} via 10.{1 if i % 2 else 2}.0.2"
                           for i, prefix in enumerate(self.prefixes(3000))])
        self.ip("nexthop add id 1 via 10.3.0.2 dev t3")
        self.ip("route add 10.50.0.0/16 nhid 1")
        generations = self.show("go")["generations"]
        until(lambda: self.show("count")["generations"] > generations, 30, "a new generation")
        shown = self.show()
        self.assertGreater(shown["overruns"], 0)
        self.assertEqual(shown["routes"]["10.50.0.0/16"], ["2 10.3.0.2 1"])
        self.assertEqual(sum(prefix.startswith("100.") for prefix in shown["routes"]), 1500)
        self.assertEqual(shown["routes"]["100.0.0.2/32"], ["1 10.2.0.2 1"])
        self.agrees()

    def test_many_routes(self):
        """100 000 come by messages and by a dump, and go with their link."""
        self.probe()
        self.batch("add", [f"route add {prefix} via 10.1.0.2" for prefix in self.prefixes(100000)])
        until(lambda: self.show("count")["route_count"] > 100000, 60, "100 000 routes")
        first = self.process
        self.probe()
        self.assertGreater(self.show("count")["route_count"], 100000)
        self.end()
        self.process = first
        self.ip("link set t1 down")
        until(lambda: self.show("count")["route_count"] < 100, 20, "no routes")
        self.assertEqual(self.show("count")["overruns"], 0)
        self.agrees()


if __name__ == "__main__":
    main()
