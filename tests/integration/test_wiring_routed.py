# SPDX-License-Identifier: BSD-3-Clause
"""Routed ports, sub-ports and routes come and leave with a reload, while others carry traffic: none of it is lost."""
import contextlib
import pathlib
import socket
import struct
import subprocess
import unittest

from harness import inside, main, run, until
from live import CTL, Live

ROUTED = """[spillway]
rules = rules
idle = sleep
drain-timeout = 3s
[router]
routes = 1k
routes6 = 1k
[port lan]
device = net_af_packet0,iface=lan
routed = yes
twin = tlan
address = 10.1.0.1/24
[port wan]
device = net_af_packet1,iface=wan
routed = yes
twin = twan
address = 10.2.0.1/24
"""
THIRD = """[port dmz]
device = net_af_packet2,iface=dmz
routed = yes
twin = tdmz
address = 10.3.0.1/24
[route 10.50.0.0/16]
via = 10.3.0.2
"""
GUESTS = """[port guests]
parent = dmz
vlan = 7
routed = yes
twin = tguests
address = 10.7.0.1/24
[neighbor 10.7.0.2]
port = guests
mac = 02:00:00:00:00:07
"""
ROUTED_RULES = "allow icmp from any to any in lan,wan\n"
THIRD_RULES = ROUTED_RULES + "allow icmp from any to any in dmz\n"
GUESTS_RULES = THIRD_RULES + "allow icmp from any to any in guests\n"


class Ends(Live):
    """left 10.1.0.2 - (lan), right 10.2.0.2 - (wan) and near 10.3.0.2 - (dmz), each with a default route to .1 of its network."""

    def setUp(self):
        super().setUp()
        for number, name in ((1, self.net.left), (2, self.net.right), (3, self.net.near)):
            self.ip(name, "address flush dev eth0")
            self.ip(name, f"address add 10.{number}.0.2/24 dev eth0")
            self.ip(name, f"route add default via 10.{number}.0.1")
        self.ip(self.net.near, "address add 10.50.0.1/32 dev lo")

    def ip(self, name, command, **options):
        return self.net.run(name, "ip", *command.split(), **options)

    def mac(self, name, interface):
        return self.net.run(name, "cat", f"/sys/class/net/{interface}/address").stdout.strip()

    def reaches(self, *addresses):
        for address in addresses:
            until(lambda to=address: self.net.ping(self.net.left, to, count=1), 20, f"ping {address}")

    def misses(self, *addresses):
        for address in addresses:
            self.assertEqual(self.net.ping(self.net.left, address, "-W", "1", count=1), 0, address)


class Routed(Ends):
    """left 10.1.0.2 - (lan) and right 10.2.0.2 - (wan) route; near 10.3.0.2 - (dmz), which has 10.50.0.1, comes and leaves, and with
    it a guest, 10.7.0.2 in VLAN 7, of which there is no more than frames."""

    def setUp(self):
        super().setUp()
        if not pathlib.Path("/dev/net/tun").exists():
            raise unittest.SkipTest("needs /dev/net/tun")
        self.router = self.mac(self.net.middle, "dmz")
        # The kernel must not answer by the interfaces themselves, which spillway has.
        settings = [f"net.ipv4.conf.{port}.{key}" for port in ("lan", "wan", "dmz") for key in ("rp_filter=1", "arp_ignore=8")]
        self.net.run(self.net.middle, "sysctl", "-qw", *settings)

    def hears(self):
        """What the guest hears within a second of the router, to which it speaks, and of left, which pings it."""
        heard, guest, router = set(), b"\2\0\0\0\0\7", bytes.fromhex(self.router.replace(":", ""))
        tag = struct.pack("!HH", 0x8100, 7)
        own, gateway, right = (socket.inet_aton(address) for address in ("10.7.0.2", "10.7.0.1", "10.2.0.2"))
        with inside(self.net.near), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as link:
            link.bind(("eth0", 3))
            link.setsockopt(263, 8, 1)  # PACKET_AUXDATA: the tag is told beside the frame
            link.settimeout(1)
            link.send(b"\xff" * 6 + guest + tag + struct.pack("!HHHBBH", 0x806, 1, 0x800, 6, 4, 1) + guest + own + bytes(6) + gateway)
            echo = b"\x45\0\0\x1c\0\0\0\0\x40\1" + struct.pack("!H", 0x66d5) + own + right + b"\x08\0\xf7\xff\0\0\0\0"
            link.send(router + guest + tag + b"\x08\0" + echo)
            pings = subprocess.Popen(["ip", "netns", "exec", self.net.left, "ping", "-c", "1", "-W", "1", "10.7.0.2"],
                                     stdout=subprocess.DEVNULL)
            with contextlib.suppress(TimeoutError):
                while len(heard) < 3:
                    frame, beside, _, _ = link.recvmsg(2048, 64)
                    if beside and struct.unpack("IIIHHHH", beside[0][2])[5] & 0xfff == 7 and frame[:6] == guest:
                        heard.add(("arp", frame[28:32]) if frame[12:14] == b"\x08\6" else ("icmp", frame[26:30]))
            pings.wait()
        return heard == {("arp", gateway), ("icmp", right), ("icmp", socket.inet_aton("10.1.0.2"))}

    def leave(self, program, *names, config=ROUTED, rules=ROUTED_RULES):
        before = len(program.log)
        self.reload(program, config, rules)
        for name in names:
            until(lambda left=name: f"port {left} has left" in program.log[before:], 20, program.log)

    def first(self, program):
        program.ready()
        self.reaches("10.2.0.2")
        return self.load(self.net.left, "10.2.0.2")

    def test_come_and_leave(self):
        with self.start(ROUTED, ROUTED_RULES) as program:
            first = self.first(program)
            for _ in range(3):
                said = self.reload(program, ROUTED + THIRD + GUESTS, GUESTS_RULES)
                self.assertNotIn("next start", said)
                self.assertIn("port guests is there", said)
                second = self.load(self.net.near, "10.2.0.2")
                self.reaches("10.3.0.1", "10.3.0.2", "10.50.0.1", "10.7.0.1")
                until(self.hears, 20, "the guest hears the router")
                self.assertIn("10.50.0.0/16", self.ip(self.net.middle, "route show").stdout)
                self.leave(program, "dmz", "guests")
                self.assertNotIn("tdmz", self.ip(self.net.middle, "link show").stdout)
                self.misses("10.3.0.1", "10.50.0.1")
                second.kill()
                second.communicate()
            lost, got = self.lost(first)
            self.assertLessEqual(lost, 1)  # that which is under way
            self.assertGreater(got, 500)
            ports = {one["name"]: one for one in self.ports(program)}
            self.assertNotIn("is gone", program.log)
            report = self.check(program.stop())
        self.assertEqual(ports["dmz"]["link"], "gone")
        self.assertEqual([one["name"] for one in report["ports"]], ["lan", "wan", "dmz"])
        self.assertEqual(report["reloads"], 6)

    def test_sub_port(self):
        """It comes and leaves by itself; its port stays."""
        with self.start(ROUTED, ROUTED_RULES) as program:
            first = self.first(program)
            self.reload(program, ROUTED + THIRD, THIRD_RULES)
            self.reaches("10.50.0.1")
            second = self.load(self.net.near, "10.2.0.2")
            for _ in range(2):
                self.reload(program, ROUTED + THIRD + GUESTS, GUESTS_RULES)
                until(self.hears, 20, "the guest hears the router")
                self.leave(program, "guests", config=ROUTED + THIRD, rules=THIRD_RULES)
                self.misses("10.7.0.1")
            for pings in first, second:
                self.assertLessEqual(self.lost(pings)[0], 1)
            self.check(program.stop())

    def test_routes(self):
        """They come, change and leave."""
        with self.start(ROUTED, ROUTED_RULES) as program:
            self.first(program).kill()
            said = self.reload(program, ROUTED + THIRD + "[route 10.51.0.0/16]\naction = prohibit\n", THIRD_RULES)
            self.assertNotIn("next start", said)
            self.reaches("10.50.0.1")
            self.assertIn("prohibit 10.51.0.0/16", self.ip(self.net.middle, "route show").stdout)
            # One that changes is changed at once: no packet finds none.
            self.ip(self.net.right, "address add 10.50.0.1/32 dev lo")
            load = self.load(self.net.left, "10.50.0.1")
            for hop in ("10.2.0.2", "10.3.0.2") * 5:
                self.reload(program, ROUTED + THIRD.replace("via = 10.3.0.2", f"via = {hop}"), THIRD_RULES)
                self.assertIn(f"10.50.0.0/16 via {hop}", self.ip(self.net.middle, "route show").stdout)
            self.assertLessEqual(self.lost(load)[0], 1)
            self.reload(program, ROUTED + THIRD.replace("via = 10.3.0.2", "action = blackhole"), THIRD_RULES)
            shown = self.ip(self.net.middle, "route show").stdout
            self.assertIn("blackhole 10.50.0.0/16", shown)
            self.assertNotIn("10.51.0.0", shown)
            self.check(program.stop())
            self.assertNotIn("10.50.0.0", self.ip(self.net.middle, "route show").stdout)

    def test_what_is_refused(self):
        with self.start(ROUTED, ROUTED_RULES) as program:
            first = self.first(program)
            self.ip(self.net.middle, "tuntap add tguests mode tap")
            self.refused(program, ROUTED + THIRD + GUESTS, GUESTS_RULES,
                         "wire.conf:29: key 'twin', value 'tguests': twin tguests: there is an interface of that name already")
            self.ip(self.net.middle, "link delete tguests")
            self.ip(self.net.middle, "route add 10.50.0.0/16 via 10.2.0.2")
            self.refused(program, ROUTED + THIRD, THIRD_RULES, "route 10.50.0.0/16: the kernel has one to there already",
                         asked=False)
            self.ip(self.net.middle, "route delete 10.50.0.0/16")
            self.assertNotIn("tdmz", self.ip(self.net.middle, "link show").stdout)
            # The MTU of one that was refused is nobody's any more.
            self.ip(self.net.middle, "link set dmz mtu 3000")
            self.refused(program, ROUTED + THIRD, THIRD_RULES, "port dmz has MTU 3000, more than the ports of the start",
                         asked=False)
            self.reload(program, ROUTED + GUESTS.replace("parent = dmz", "parent = lan"), ROUTED_RULES)
            self.ip(self.net.middle, "link set dmz mtu 1500")
            # A port without a twin; and one whose keys change, which is the next start's.
            self.refused(program, ROUTED + THIRD, GUESTS_RULES, "guests")
            self.assertIn("address of port wan", self.reload(program, ROUTED.replace("10.2.0.1/24", "10.2.0.1/16"), ROUTED_RULES))
            self.reload(program, ROUTED + THIRD, THIRD_RULES)
            self.reaches("10.50.0.1")
            self.assertLessEqual(self.lost(first)[0], 1)
            report = self.check(program.stop())
        self.assertEqual(report["reloads"], 3)

    def test_addresses(self):
        """Those of two ports are apart, in the file and of what is there; networks that overlap are told of."""
        moved = ROUTED.replace("10.2.0.1/24", "10.4.0.1/24")
        with self.start(ROUTED, ROUTED_RULES) as program:
            first = self.first(program)
            self.refused(program, ROUTED + THIRD.replace("10.3.0.1/24", "10.2.0.1/24"), THIRD_RULES,
                         "wire.conf:22: key 'address', value '10.2.0.1/24': address 10.2.0.1 is that of [port wan] already")
            self.refused(program, moved + THIRD.replace("10.3.0.1/24", "10.2.0.1/24, 10.3.0.1/24"), THIRD_RULES,
                         "wire.conf:22: key 'address', value '10.2.0.1/24, 10.3.0.1/24': port wan has 10.2.0.1 until the next start")
            self.file("wire.conf", ROUTED + THIRD.replace("10.3.0.1/24", "10.3.0.1/24, 10.2.0.129/28"))
            said = "wire.conf:22: key 'address', value '10.3.0.1/24, 10.2.0.129/28': network 10.2.0.128/28 overlaps 10.2.0.0/24 of [port wan]"
            for command in "check", "reload":
                self.assertIn(f"warning: {self.folder}/{said}", run(CTL, "--name", program.name, command).stdout)
            self.assertIn(f"reload: {self.folder}/{said}", program.log)
            self.assertLessEqual(self.lost(first)[0], 1)
            self.check(program.stop())

    def test_other_name(self):
        """Of a sub-port, for the same VLAN: that takes two reloads, as the one before has to have left."""
        renamed = GUESTS.replace("guests", "visitors")
        with self.start(ROUTED, ROUTED_RULES) as program:
            first = self.first(program)
            self.reload(program, ROUTED + THIRD + GUESTS, GUESTS_RULES)
            self.refused(program, ROUTED + THIRD + renamed, THIRD_RULES,
                         "wire.conf:27: key 'vlan', value '7': port guests has VLAN 7 of port dmz until it has left: expected two "
                         "reloads, the first without [port visitors]")
            self.leave(program, "guests", config=ROUTED + THIRD, rules=THIRD_RULES)
            self.assertIn("port visitors is there", self.reload(program, ROUTED + THIRD + renamed,
                                                                GUESTS_RULES.replace("guests", "visitors")))
            until(self.hears, 20, "the guest hears the router")
            self.assertLessEqual(self.lost(first)[0], 1)
            self.check(program.stop())

    def test_unconfirmed(self):
        with self.start(ROUTED, ROUTED_RULES) as program:
            first = self.first(program)
            self.file("wire.conf", ROUTED + THIRD + GUESTS)
            self.file("rules", GUESTS_RULES)
            run(CTL, "--name", program.name, "reload", "--confirm", "2s")
            self.reaches("10.7.0.1")
            until(lambda: "port dmz has left" in program.log, 20, program.log)
            self.misses("10.50.0.1")
            self.assertLessEqual(self.lost(first)[0], 1)
            self.check(program.stop())


class Plain(Ends):
    """The same without twins: nobody answers for the router, and no kernel has its routes."""

    CONFIG = """[spillway]
rules = rules
idle = sleep
[router]
routes = 64
routes6 = 64
"""
    ROUTE = "[route 10.50.0.0/16]\nvia = 10.3.0.2\n"

    def setUp(self):
        super().setUp()
        self.config = self.CONFIG
        self.neighbors = {}
        for number, port, name in ((1, "lan", self.net.left), (2, "wan", self.net.right), (3, "dmz", self.net.near)):
            self.ip(name, f"neighbor replace 10.{number}.0.1 lladdr {self.mac(self.net.middle, port)} dev eth0")
            self.config += (f"[port {port}]\ndevice = net_af_packet{number},iface={port}\nrouted = yes\n"
                            f"address = 10.{number}.0.1/24\n")
            self.neighbors[port] = f"[neighbor 10.{number}.0.2]\nport = {port}\nmac = {self.mac(name, 'eth0')}\n"
        self.all = self.config + "".join(self.neighbors.values())

    RULES = "allow icmp from any to any\n"

    def change(self, program, config):
        said = self.reload(program, config, self.RULES)
        self.assertNotIn("next start", said)

    def test_routes(self):
        with self.start(self.all, self.RULES) as program:
            program.ready()
            self.reaches("10.2.0.2")
            self.misses("10.50.0.1")
            first = self.load(self.net.left, "10.2.0.2")
            self.change(program, self.all + self.ROUTE)
            self.reaches("10.50.0.1")
            second = self.load(self.net.left, "10.50.0.1")
            # Two that have the address: while the route changes, none of its packets finds no way.
            self.ip(self.net.right, "address add 10.50.0.1/32 dev lo")
            for hop in ("10.2.0.2", "10.3.0.2") * 3:
                self.change(program, self.all + self.ROUTE.replace("10.3.0.2", hop))
            self.assertLessEqual(self.lost(second)[0], 1)
            for action, said in ("prohibit", "Packet filtered"), ("unreachable", "Destination Host Unreachable"):
                self.change(program, self.all + self.ROUTE.replace("via = 10.3.0.2", f"action = {action}"))
                until(lambda text=said: text in self.net.run(self.net.left, "ping", "-c", "1", "-W", "1", "10.50.0.1",
                                                             check=False).stdout, 20, action)
            self.change(program, self.all)
            self.misses("10.50.0.1")
            self.assertLessEqual(self.lost(first)[0], 1)
            self.check(program.stop())

    def test_neighbors(self):
        with self.start(self.config + self.neighbors["lan"], self.RULES) as program:
            program.ready()
            self.misses("10.2.0.2")
            self.change(program, self.all)
            self.reaches("10.2.0.2", "10.3.0.2")
            first = self.load(self.net.left, "10.2.0.2")
            wrong = "[neighbor 10.3.0.2]\nport = dmz\nmac = 02:00:00:00:00:99\n"
            self.change(program, self.all.replace(self.neighbors["dmz"], wrong))
            self.misses("10.3.0.2")
            self.change(program, self.all)
            self.reaches("10.3.0.2")
            self.change(program, self.all.replace(self.neighbors["dmz"], ""))
            self.misses("10.3.0.2")
            self.assertLessEqual(self.lost(first)[0], 1)
            self.check(program.stop())

    def test_own_network(self):
        """A route that stood in place of an address's own lets that come back."""
        with self.start(self.all, self.RULES) as program:
            program.ready()
            self.reaches("10.2.0.2")
            self.change(program, self.all + "[route 10.2.0.0/24]\naction = blackhole\n")
            self.misses("10.2.0.2")
            self.change(program, self.all)
            self.reaches("10.2.0.2")
            self.check(program.stop())

    def test_what_is_refused(self):
        """There is no room for some of the routes: none of them is there, and those before are."""
        many = "".join(f"[route 10.60.{number}.0/24]\nvia = 10.3.0.2\n" for number in range(64))
        with self.start(self.all + self.ROUTE, self.RULES) as program:
            program.ready()
            self.reaches("10.2.0.2", "10.50.0.1")
            self.ip(self.net.near, "address add 10.60.0.1/32 dev lo")
            first = self.load(self.net.left, "10.50.0.1")
            self.refused(program, self.all + many, self.RULES, "route", asked=False)
            self.misses("10.60.0.1")
            self.assertLessEqual(self.lost(first)[0], 1)
            # What is not confirmed comes back, too.
            self.file("wire.conf", self.all + self.ROUTE.replace("10.50", "10.60"))
            run(CTL, "--name", program.name, "reload", "--confirm", "2s")
            self.reaches("10.60.0.1")
            until(lambda: self.net.ping(self.net.left, "10.60.0.1", count=1) == 0, 20, "it goes")
            self.reaches("10.50.0.1")
            self.check(program.stop())


if __name__ == "__main__":
    main()
