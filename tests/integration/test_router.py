# SPDX-License-Identifier: BSD-3-Clause
"""Routed ports on captures, against a naive router: what leaves by which port, and what is dropped why."""
import collections
import ipaddress
import json
import os
import random
import socket
import struct

from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

import capture
from harness import CPUS, ROOT, SPILLWAY, main, run, spillway
from naive_router import Network, Routing, folded, frame, port_mac


class Forward(Routing):
    def test_way(self):
        """There and back, of both families."""
        frames = {"lan": [frame(0, "10.1.0.7", "192.0.2.9"), frame(0, "2001:db8:1::7", "2001:db8:99::1")],
                  "wan": [frame(1, "192.0.2.9", "10.1.0.7"), frame(1, "2001:db8:99::1", "2001:db8:1::7")]}
        report = self.against(self.two(), frames)
        self.assertEqual(report.packets["transmitted"], 4)

    def test_order(self):
        """Ports' packets leave in the order in which they came, also where some are answered or dropped."""
        frames = [frame(0, "10.1.0.7", "192.0.2.9", ttl=1 + number % 3, load=number.to_bytes(4, "big"))
                  for number in range(300)]
        _, got = self.route(self.two(), {"lan": frames})
        numbers = [int.from_bytes(Ether(one)[Raw].load, "big") for one in got["wan"]]
        self.assertEqual(numbers, [number for number in range(300) if number % 3 > 0])

    def test_no_route(self):
        network = self.two()
        network.routes = []
        self.against(network, {"lan": [frame(0, "10.1.0.7", "192.0.2.9"), frame(0, "2001:db8:1::7", "2001:db8:99::1")]})

    def test_actions(self):
        network = self.two()
        for number, action in enumerate(("blackhole", "unreachable", "prohibit")):
            network.route(f"198.51.{number}.0/24", action=action).route(f"2001:db8:f{number}::/48", action=action)
        self.against(network, {"lan": [frame(0, "10.1.0.7", f"198.51.{number}.9") for number in range(4)]
                               + [frame(0, "2001:db8:1::7", f"2001:db8:f{number}::9") for number in range(4)]})

    def test_hops(self):
        """TTL and hop limit of 0 and 1 end here; 2 goes on."""
        self.against(self.two(), {"lan": [frame(0, source, to, ttl=ttl) for ttl in (0, 1, 2, 255)
                                          for source, to in (("10.1.0.7", "192.0.2.9"),
                                                             ("2001:db8:1::7", "2001:db8:99::1"))]})

    def test_checksums(self):
        """Of many values, and of those where RFC 1624 has a carry."""
        frames = [frame(0, "10.1.0.7", "192.0.2.9", id=number * 13 % 65536, ttl=2 + number % 254)
                  for number in range(2000)]
        for ttl in (2, 64, 255):
            words = struct.unpack("!10H", frame(0, "10.1.0.7", "192.0.2.9", id=0, ttl=ttl)[14:34])
            rest = sum(words) - words[5]
            for checksum in (0xFEFE, 0xFEFF, 0xFF00, 0xFFFE, 0x0000):
                number = next(one for one in range(65536) if folded(rest + one) == checksum ^ 0xFFFF)
                frames.append(frame(0, "10.1.0.7", "192.0.2.9", id=number, ttl=ttl))
                self.assertEqual(int.from_bytes(frames[-1][24:26], "big"), checksum)
        self.against(self.two(), {"lan": frames})

    def test_errors_are_not_answered(self):
        """Nor are later fragments."""
        about = bytes(IP(src="192.0.2.9", dst="10.1.0.7") / UDP())
        error = Ether(dst=port_mac(0)) / IP(src="10.1.0.7", dst="192.0.2.9", ttl=1) / ICMP(type=3, code=1) / about
        later = Ether(dst=port_mac(0)) / IP(src="10.1.0.7", dst="192.0.2.9", ttl=1, frag=10) / Raw(bytes(40))
        report = self.against(self.two(), {"lan": [bytes(error), bytes(later)]})
        self.assertEqual(report.packets["originated"], 0)

    def test_limited(self):
        """To one host, or /64, only a few errors at once; others still get theirs."""
        frames = [frame(0, f"{source}{host}", to, ttl=1) for source, to in (("10.1.0.", "192.0.2.9"),
                                                                         ("2001:db8:1::", "2001:db8:99::1"))
                  for host in (7, 8) for _ in range(20)]
        network = self.two().neighbor("10.1.0.8", "lan", "02:00:00:00:00:08")
        network.neighbor("2001:db8:1::8", "lan", "02:00:00:00:00:08")
        report, got = self.route(network, {"lan": frames})
        told = collections.Counter(Ether(one)[IP].dst if IP in Ether(one) else "6" for one in got["lan"])
        self.assertEqual(set(told), {"10.1.0.7", "10.1.0.8", "6"})
        for count in told.values():
            self.assertIn(count, range(8, 12))
        self.assertEqual(report["routing"]["icmp_errors"] + report["routing"]["icmp_errors_limited"], 80)

    def test_example(self):
        """config/router.conf, on captures."""
        text = (ROOT / "config" / "router.conf").read_text()
        for number, name in enumerate(("lan", "wan")):
            text = text.replace(f"net_af_packet{number},iface=veth{number}",
                                f"net_pcap{number},rx_pcap={self.folder}/{name}.pcap,"
                                f"tx_pcap={self.folder}/{name}-out.pcap")
        frames = [frame(0, "10.1.0.7", "192.0.2.9"), frame(0, "10.1.0.7", "192.168.1.1"),
                  frame(0, "10.1.0.7", "10.1.100.7"), frame(0, "2001:db8:1::7", "2001:db8:99::1")]
        report, got = self.route(self.two(), {"lan": frames}, config=text)
        self.assertEqual(report.drops, {"route_prohibited": 1})
        self.assertEqual(len(got["wan"]), 2)
        self.assertEqual([(Ether(one).dst, Dot1Q in Ether(one)) for one in got["lan"]],
                         [("02:00:00:00:01:07", False), ("02:00:00:00:64:07", True)])

    def test_no_address(self):
        """Of a port without an address errors come from another's, of none from the dummy address (RFC 7600)."""
        network = Network(["lan", "wan"])
        network.address("wan", "10.2.0.1/24")
        network.routes = [(ipaddress.ip_network("10.2.9.0/24"), None, "unreachable")]
        network.neighbor("10.2.0.7", "wan", "02:00:00:00:00:07")
        self.against(network, {"lan": [frame(0, "10.2.0.7", "10.2.9.1")]})

    def test_random(self):
        """Random routes, neighbours and packets of three ports, both families."""
        seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
        print(f"SEED={seed}")
        chance = random.Random(seed)
        for _ in range(3):
            self.against(*self.world(chance))

    def world(self, chance):
        network = Network(["a", "b", "c"])
        for number, name in enumerate(network.ports):
            network.address(name, f"10.{number}.0.1/16").address(name, f"2001:db8:{number}::1/48")
            network.route(f"30.{number}.0.0/16", f"10.{number}.0.2")
            network.route(f"2001:beef:{number}::/48", f"2001:db8:{number}::2")
            for host in range(2, 6):
                network.neighbor(f"10.{number}.0.{host}", name, f"02:00:00:00:0{number}:{host:02x}")
                network.neighbor(f"2001:db8:{number}::{host}", name, f"02:00:00:00:1{number}:{host:02x}")
        for _ in range(60):
            number, host = chance.randrange(3), chance.randrange(2, 6)
            four = ipaddress.ip_network((f"20.{chance.randrange(4)}.{chance.randrange(4)}.{chance.randrange(4)}",
                                         chance.randrange(8, 33)), strict=False)
            six = ipaddress.ip_network((f"2001:dead:{chance.randrange(4):x}::{chance.randrange(4)}",
                                        chance.randrange(16, 129)), strict=False)
            for one, via in ((four, f"10.{number}.0.{host}"), (six, f"2001:db8:{number}::{host}")):
                if one in [prefix for prefix, _, _ in network.routes]:
                    continue
                if chance.random() < 0.8:
                    network.route(str(one), via)
                else:
                    network.route(str(one), action=chance.choice(("blackhole", "unreachable", "prohibit")))
        return network, self.random_frames(chance, network)

    def random_frames(self, chance, network):
        """Of those that are answered as few as may be answered at once (error_limit.h)."""
        frames, answered = {name: [] for name in network.ports}, 0
        for _ in range(1500):
            number = chance.randrange(3)
            name, one = network.ports[number], self.random_frame(chance, number)
            drops = collections.Counter()
            network.forward(name, one, {port: [] for port in network.ports}, drops)
            answered += sum(drops.values()) > 0
            if answered < 60 or not drops:
                frames[name].append(one)
        return frames

    def random_frame(self, chance, number):
        ttl, host = chance.choice((1, 2, 64, 255)), chance.randrange(256)
        if chance.random() < 0.5:
            return frame(number, f"30.{number}.{host}.{chance.randrange(2, 6)}",
                         chance.choice((f"10.{chance.randrange(3)}.0.{chance.randrange(0, 6)}",
                                        f"20.{chance.randrange(5)}.{chance.randrange(4)}.{chance.randrange(4)}")), ttl)
        return frame(number, f"2001:beef:{number}:{host:x}::1",
                     chance.choice((f"2001:db8:{chance.randrange(3)}::{chance.randrange(1, 6)}",
                                    f"2001:dead:{chance.randrange(5):x}::{chance.randrange(4)}")), ttl)


class Dropped(Routing):
    """What a routed port does not take in, each by its name."""

    def test_input(self):
        def ether(**how):
            return Ether(**{"src": "02:00:00:00:00:99", "dst": port_mac(0), **how})
        good = IP(src="10.1.0.7", dst="192.0.2.9") / UDP() / Raw(bytes(20))
        good6 = IPv6(src="2001:db8:1::7", dst="2001:db8:99::1") / UDP() / Raw(bytes(20))
        cases = [
            ("other_mac", ether(dst="02:00:00:00:00:55") / good),
            ("unknown_vlan", ether() / Dot1Q(vlan=5) / good),
            ("unknown_vlan", ether() / Dot1Q(vlan=5) / ARP()),
            ("link_broadcast", ether(dst="ff:ff:ff:ff:ff:ff") / good),
            ("link_broadcast", ether(dst="33:33:00:00:00:01") / good6),
            ("ip_checksum", ether() / IP(src="10.1.0.7", dst="192.0.2.9", chksum=0x1234) / UDP()),
            ("non_ip", ether(dst="ff:ff:ff:ff:ff:ff") / ARP()),
            ("no_host", ether() / IP(src="10.1.0.7", dst="10.1.0.1") / UDP()),
            ("no_host", ether() / IP(src="10.1.0.7", dst="10.2.0.255") / UDP()),
            ("no_host", ether(dst="ff:ff:ff:ff:ff:ff") / IP(src="10.1.0.7", dst="10.1.0.255") / UDP()),
            ("no_host", ether(dst="ff:ff:ff:ff:ff:ff") / IP(src="0.0.0.0", dst="255.255.255.255") / UDP()),
            ("no_host", ether(dst="01:00:5e:00:00:05") / IP(src="10.1.0.7", dst="224.0.0.5", ttl=1) / UDP()),
            ("no_host", ether(dst="33:33:00:00:00:01") / IPv6(src="fe80::7", dst="ff02::1") / UDP()),
            ("no_host", ether() / IPv6(src="fe80::7", dst="fe80::1") / UDP()),
            ("multicast", ether(dst="01:00:5e:01:02:03") / IP(src="10.1.0.7", dst="239.1.2.3") / UDP()),
            ("multicast", ether(dst="33:33:00:00:00:09") / IPv6(src="2001:db8:1::7", dst="ff0e::9") / UDP()),
            ("link_local", ether() / IP(src="169.254.1.1", dst="192.0.2.9") / UDP()),
            ("link_local", ether() / IP(src="10.1.0.7", dst="169.254.1.1") / UDP()),
            ("link_local", ether() / IPv6(src="fe80::7", dst="2001:db8:99::1") / UDP()),
        ]
        for address in ("0.1.2.3", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"):
            cases.append(("martian", ether() / IP(src=address, dst="192.0.2.9") / UDP()))
        for address in ("0.0.0.0", "0.1.2.3", "127.0.0.1", "240.0.0.1"):
            cases.append(("martian", ether() / IP(src="10.1.0.7", dst=address) / UDP()))
        for address in ("::", "::1", "::ffff:10.1.0.7", "ff02::1"):
            cases.append(("martian", ether() / IPv6(src=address, dst="2001:db8:99::1") / UDP()))
        for address in ("::", "::1", "::ffff:192.0.2.9"):
            cases.append(("martian", ether() / IPv6(src="2001:db8:1::7", dst=address) / UDP()))
        network = self.two().neighbor("fe80::7", "lan", "02:00:00:00:00:07")
        report, got = self.route(network, {"lan": [bytes(packet) for _, packet in cases]})
        self.assertEqual(report.drops, dict(collections.Counter(name for name, _ in cases)))
        self.assertEqual(got["wan"], [])
        # What is beyond the scope of its source is the one that is told of, on its link.
        self.assertEqual([(Ether(one)[ICMPv6DestUnreach].code, Ether(one)[IPv6].dst) for one in got["lan"]],
                         [(2, "fe80::7")])

    def test_odd_but_good(self):
        """What needs a closer look, and goes on: options, extension headers, 64:ff9b::/96, frames of every length."""
        frames = [bytes(Ether(dst=port_mac(0)) / IP(src="10.1.0.7", dst="192.0.2.9", options=[b"\x94\x04\0\0"]) / UDP()),
                  frame(0, "2001:db8:1::7", "64:ff9b::1"), frame(0, "10.1.0.7", "169.1.2.3"),
                  frame(0, "10.1.0.7", "192.0.2.9", load=b"")]
        self.against(self.two(), {"lan": frames})

    def test_parameter_problem(self):
        """What is wrong with options and extension headers is told, of what is ours, whole and no error, and limited."""
        def ipv4(options, load=UDP(), dst=port_mac(0), **ip):
            return Ether(dst=dst) / IP(**{"src": "10.1.0.7", "dst": "192.0.2.9", **ip}, options=[options]) / load

        def ipv6(first, load):
            return Ether(dst=port_mac(0)) / IPv6(src="2001:db8:1::7", dst="2001:db8:99::1", nh=first) / Raw(load)
        option, udp = b"\x3c" + bytes(7), bytes(UDP())
        told = [("malformed_ipv4", 0, 21, ipv4(b"\x94\x01\0\0")), ("malformed_ipv4", 0, 22, ipv4(b"\1\x94\4\0")),
                ("source_routed", 0, 21, ipv4(b"\x83\x7f\0\0")),
                ("malformed_ipv6_extension", 1, 40, ipv6(60, bytes(8) + option + udp)),
                ("malformed_ipv6_extension", 0, 41, ipv6(60, b"\x11\xff" + bytes(14))),
                ("malformed_ipv6_extension", 8, 104, ipv6(60, option * 9 + udp)),
                ("source_routed", 0, 42, ipv6(43, b"\x11\0\4\1" + bytes(4) + udp))]
        wrong = b"\x94\x01\0\0"
        error = b"\0" + bytes(7) + b"\x3c" + bytes(7) + b"\x3a" + bytes(7) + bytes(ICMPv6DestUnreach() / IPv6())
        silent = [("malformed_ipv6_extension", ipv6(60, error)),
                  ("malformed_ipv4", Ether(dst=port_mac(0), type=0x88a8) / Dot1Q(vlan=5) / ipv4(wrong).payload),
                  ("source_routed", ipv4(b"\x83\3\4\0")), ("malformed_ipv4", ipv4(wrong, chksum=0x1234)),
                  ("malformed_ipv4", ipv4(wrong, dst="02:00:00:00:00:55")), ("malformed_ipv4", ipv4(wrong, src="224.0.0.1")),
                  ("malformed_ipv4", ipv4(wrong, dst="ff:ff:ff:ff:ff:ff")), ("malformed_ipv4", ipv4(wrong, frag=9)),
                  ("malformed_ipv4", ipv4(wrong, load=ICMP(type=3) / IP() / UDP()))]
        frames = [bytes(one[-1]) for one in told + silent]
        report, got = self.route(self.two(), {"lan": frames})
        self.assertEqual(report.drops, dict(collections.Counter(one[0] for one in told + silent)))
        errors = [Ether(one) for one in got["lan"]]
        self.assertEqual(len(errors), len(told))
        for (_, code, pointer, about), error in zip(told, errors):
            with self.subTest(pointer=pointer, about=about):
                if IP in about:
                    self.assertEqual((error[IP].src, error[IP].dst, error[ICMP].type), ("10.1.0.1", "10.1.0.7", 12))
                    icmp, said = bytes(error[IP])[20:], error[ICMP].ptr
                else:
                    self.assertEqual((error[IPv6].src, error[IPv6].dst, error[IPv6].payload.type),
                                     ("2001:db8:1::1", "2001:db8:1::7", 4))
                    icmp, said = bytes(error[IPv6])[40:], error[IPv6].payload.ptr
                self.assertEqual((icmp[1], said, icmp[8:]), (code, pointer, bytes(about)[14:]))
        report, got = self.route(self.two(), {"lan": [frames[0]] * 40})
        self.assertIn(len(got["lan"]), range(8, 12))
        self.assertEqual(report["routing"]["icmp_errors_limited"], 40 - len(got["lan"]))
        group = frames[3].replace(*(socket.inet_pton(socket.AF_INET6, to) for to in ("2001:db8:99::1", "ff0e::1")))
        report, got = self.route(self.two(), {"lan": [group] * 40 + [frames[3]]})
        self.assertEqual((len(got["lan"]), report["routing"]["icmp_errors_limited"]), (1, 0))

    def test_parameter_problem_of_strangers(self):
        """Nothing is told to who may not send from there, nor where rules would judge: nobody gets what he didn't ask for."""
        frames = [bytes(Ether(dst=port_mac(0)) / IP(src=source, dst="192.0.2.9", options=[b"\x94\x01\0\0"]) / UDP())
                  for source in ("10.1.0.7", "10.2.0.7")]
        for rpf, default, told in (("off", "allow", ["lan", "wan"]), ("strict", "allow", ["lan"]), ("off", "deny", [])):
            network = self.two().neighbor("10.2.0.7", "wan", "02:00:00:00:00:77")
            network.rpf = rpf
            config = network.config(self.folder).replace("default = allow", f"default = {default}")
            with self.subTest(rpf=rpf, default=default):
                report, got = self.route(network, {"lan": frames}, config=config)
                self.assertEqual(report.drops, {"malformed_ipv4": 2})
                self.assertEqual([name for name in network.ports for _ in got[name]], told)

    def test_reverse_path(self):
        """Loose: any route will do; strict: one by that port."""
        for rpf in ("loose", "strict"):
            network = self.two()
            network.routes = network.routes[:0]
            network.rpf = rpf
            network.route("20.0.0.0/8", "10.2.0.254").route("2001:dead::/32", "2001:db8:2::fe")
            with self.subTest(rpf=rpf):
                frames = {port: [frame(number, source, to) for source, to in (
                    ("10.1.0.7", "20.0.0.1"), ("20.0.0.1", "10.1.0.7"), ("30.0.0.1", "20.0.0.1"),
                    ("2001:db8:1::7", "2001:dead::1"), ("2001:dead::1", "2001:db8:1::7"),
                    ("2001:bad::1", "2001:db8:1::7"))] for number, port in enumerate(network.ports)}
                report = self.against(network, frames)
                self.assertEqual(report.drops["reverse_path"], {"loose": 4, "strict": 8}[rpf])

    def test_unresolved(self):
        """The newest few wait for each neighbour, and not for more neighbours than a port may have; at the end all go."""
        frames = [frame(0, "10.1.0.7", f"10.2.0.{host}") for host in range(10, 40) for _ in range(6)]
        report, got = self.route(self.two(), {"lan": frames})
        self.assertEqual(report.drops, {"neighbor_full": 30 * 2 + 14 * 4, "neighbor_unresolved": 16 * 4})
        self.assertEqual(got["wan"], [])

    def test_unresolved_for_long(self):
        """After three seconds the sender is told."""
        network = self.two()
        frames = [frame(0, "10.1.0.7", "10.2.0.10")]
        for name in network.ports:
            capture.write(self.folder / f"{name}.pcap", frames if name == "lan" else [])
        report = self.check(spillway("--config", self.file("router.conf", network.config(self.folder)),
                                     "--duration", "4s", "--fast", CPUS[0]))
        self.assertEqual(report.drops, {"neighbor_unresolved": 1})
        told = [Ether(one) for one in capture.read(self.folder / "lan-out.pcap")]
        self.assertEqual([(one[ICMP].type, one[ICMP].code, one[IP].src) for one in told], [(3, 1, "10.1.0.1")])


class Paths(Routing):
    """Routes with several next hops, sub-ports, MTUs, wires beside."""

    def several(self):
        network = Network(["lan", "a", "b"])
        network.address("lan", "10.1.0.1/24").address("a", "10.2.0.1/24").address("b", "10.3.0.1/24")
        network.neighbor("10.2.0.254", "a", "02:00:00:00:00:02").neighbor("10.3.0.254", "b", "02:00:00:00:00:03")
        return network

    def test_spread(self):
        """Flows are divided by weight; those of one flow, and all fragments of one, go one way."""
        network = self.several()
        network.route("0.0.0.0/0", "10.2.0.254 weight 3, 10.3.0.254")
        frames = [bytes(Ether(dst=port_mac(0)) / IP(src=f"10.1.0.{flow % 200}", dst=f"192.0.2.{flow // 200}") /
                        UDP(sport=flow + 1, dport=53)) for flow in range(1000)] * 3
        parts = [bytes(Ether(dst=port_mac(0)) / IP(src="10.1.0.7", dst=f"192.0.3.{number}", id=7, frag=part * 2,
                                                   flags="MF" if part < 2 else 0) / (bytes(UDP(sport=9, dport=9)) + bytes(8)))
                 for number in range(20) for part in range(3)]
        _, got = self.route(network, {"lan": frames + parts})
        flows = {name: collections.Counter((Ether(one)[IP].src, Ether(one)[UDP].sport) for one in got[name]
                                           if "192.0.3." not in Ether(one)[IP].dst) for name in ("a", "b")}
        self.assertFalse(flows["a"].keys() & flows["b"].keys())
        self.assertEqual(set(flows["a"].values()) | set(flows["b"].values()), {3})
        self.assertAlmostEqual(len(flows["a"]), 750, delta=60)
        for number in range(20):
            self.assertIn(3, [sum(Ether(one)[IP].dst == f"192.0.3.{number}" for one in got[name]) for name in ("a", "b")])

    def test_too_big(self):
        """By the MTU of the port that it leaves by: fragments without DF, else an error that says so."""
        network = self.two()
        config = network.config(self.folder).replace("wan-out.pcap\n", "wan-out.pcap\nmtu = 1300\n")
        big = bytes(1372)
        frames = [frame(0, "10.1.0.7", "192.0.2.9", load=big), frame(0, "10.1.0.7", "192.0.2.9", load=big, flags="DF"),
                  frame(0, "2001:db8:1::7", "2001:db8:99::1", load=big)]
        report, got = self.route(network, {"lan": frames}, config=config)
        self.assertEqual(report.drops, {"tx_too_big": 2})
        parts = [Ether(one)[IP] for one in got["wan"]]
        self.assertEqual([(part.frag, int(part.flags), part.ttl) for part in parts], [(0, 1, 63), (160, 0, 63)])
        self.assertEqual({Ether(one).dst for one in got["wan"]}, {"02:00:00:00:00:02"})
        told = [Ether(one) for one in got["lan"]]
        self.assertEqual([one.dst for one in told], ["02:00:00:00:00:07"] * 2)
        self.assertEqual((told[0][ICMP].type, told[0][ICMP].code, told[0][ICMP].nexthopmtu, told[0][IP].src),
                         (3, 4, 1300, "10.1.0.1"))
        self.assertEqual((told[1][ICMPv6PacketTooBig].mtu, told[1][IPv6].src), (1300, "2001:db8:1::1"))

    def test_vlans(self):
        """Sub-ports: by the tag on the way in, with the tag of the other on the way out."""
        network = self.two()
        config = network.config(self.folder) + """
[port lan.100]
parent = lan
vlan = 100
routed = yes
address = 10.100.0.1/24
[port wan.200]
parent = wan
vlan = 200
routed = yes
address = 10.200.0.1/24, 2001:db8:200::1/64
[neighbor 10.100.0.7]
port = lan.100
mac = 02:00:00:00:01:07
[neighbor 10.200.0.7]
port = wan.200
mac = 02:00:00:00:02:07
[neighbor 2001:db8:200::7]
port = wan.200
mac = 02:00:00:00:02:07
"""
        def tagged(port, vlan, source, to, version=IP):
            tags = Dot1Q(vlan=vlan) if vlan is not None else Raw()
            ip = version(src=source, dst=to) / UDP() / Raw(bytes(30))
            return bytes(Ether(dst=port_mac(port), type=0x8100 if vlan is not None else
                               0x0800 if version == IP else 0x86DD) / tags / ip)
        frames = {"lan": [tagged(0, None, "10.1.0.7", "10.200.0.7"), tagged(0, 100, "10.100.0.7", "10.200.0.7"),
                          tagged(0, 100, "10.100.0.7", "10.1.0.7"), tagged(0, 0, "10.1.0.7", "10.100.0.7"),
                          tagged(0, None, "2001:db8:1::7", "2001:db8:200::7", IPv6),
                          tagged(0, 200, "10.200.0.7", "10.1.0.7"),
                          bytes(Ether(dst=port_mac(0)) / Dot1Q(vlan=100) / Dot1Q(vlan=5) /
                                IP(src="10.100.0.7", dst="10.1.0.7"))],
                  "wan": [tagged(1, 200, "10.200.0.7", "10.100.0.7"), tagged(1, 200, "10.200.0.7", "192.0.2.1")]}
        report, got = self.route(network, frames, config=config)
        self.assertEqual(report.drops, {"unknown_vlan": 2})

        def seen(name):
            return sorted((Ether(one).dst, Ether(one).src, Ether(one)[Dot1Q].vlan if Dot1Q in Ether(one) else None,
                           (Ether(one)[IP].src if IP in Ether(one) else Ether(one)[IPv6].src)) for one in got[name])
        lan, wan = port_mac(0), port_mac(1)
        self.assertEqual(seen("lan"), sorted([
            ("02:00:00:00:00:07", lan, None, "10.100.0.7"), ("02:00:00:00:01:07", lan, 100, "10.1.0.7"),
            ("02:00:00:00:01:07", lan, 100, "10.200.0.7")], key=str))
        self.assertEqual(sorted(map(str, seen("wan"))), sorted(map(str, [
            ("02:00:00:00:02:07", wan, 200, "10.1.0.7"), ("02:00:00:00:02:07", wan, 200, "10.100.0.7"),
            ("02:00:00:00:02:07", wan, 200, "2001:db8:1::7"), ("02:00:00:00:00:02", wan, None, "10.200.0.7")])))

    def test_wires_beside(self):
        """A wire's frames leave as they came, beside routed ports in one program."""
        network = self.two()
        config = network.config(self.folder) + f"""
[port left]
device = net_pcap2,rx_pcap={self.folder}/left.pcap,tx_pcap={self.folder}/left-out.pcap
[port right]
device = net_pcap3,rx_pcap={self.folder}/right.pcap,tx_pcap={self.folder}/right-out.pcap
[wire left-right]
ports = left, right
"""
        wired = [frame(9, "10.1.0.7", "192.0.2.9", ttl=1), frame(9, "127.0.0.1", "10.1.0.1")]
        capture.write(self.folder / "left.pcap", wired)
        capture.write(self.folder / "right.pcap", [])
        report, got = self.route(network, {"lan": [frame(0, "10.1.0.7", "192.0.2.9")]}, config=config)
        self.assertEqual(capture.read(self.folder / "right-out.pcap"), wired)
        self.assertEqual(len(got["wan"]), 1)
        self.assertEqual(report.drops, {})


class Judged(Routing):
    """Rules on routed ports: flows are known, and pass both ways."""

    def rules(self, text, *frames_of):
        network = self.two()
        rules = self.file("rules", text)
        config = network.config(self.folder).replace("default = allow", f"default = deny\nrules = {rules}")
        return self.route(network, dict(zip(("lan", "wan"), frames_of)), "--fast", CPUS[0], config=config)

    def test_reply(self):
        """What lan begins is answered from wan; what wan begins is not let in, and nothing is judged that is for none."""
        out = [frame(0, "10.1.0.7", "192.0.2.9"), frame(0, "10.1.0.7", "192.0.2.9", ttl=1)]
        back = [bytes(Ether(dst=port_mac(1)) / IP(src=source, dst="10.1.0.7") / UDP(sport=2000, dport=port) / b"back")
                for source, port in (("192.0.2.9", 1000), ("192.0.2.8", 1000), ("192.0.2.9", 1001))]
        report, got = self.rules("allow udp from any to any in lan\n", out, back + [frame(1, "192.0.2.9", "10.2.0.1")])
        self.assertEqual(len(got["wan"]), 1)
        self.assertEqual(report.drops.get("hops_exceeded"), 1)
        self.assertEqual(report.drops.get("no_host"), 1)
        # Ports are read in turn: lan's burst comes first.
        self.assertEqual(report.drops.get("denied"), 2)
        self.assertEqual([Ether(one)[UDP].dport for one in got["lan"] if UDP in Ether(one) and ICMP not in Ether(one)],
                         [1000])

    def test_too_big_by_a_sub_port(self):
        """The error comes from the address of the sub-port that the packet came in by, also where rules are."""
        network = self.two()
        rules = self.file("rules", "allow udp from any to any\n")
        config = network.config(self.folder).replace("default = allow", f"default = deny\nrules = {rules}")
        config = config.replace("[port wan]\n", "[port wan]\nmtu = 1000\n") + """
[port lan.100]
parent = lan
vlan = 100
routed = yes
address = 10.100.0.1/24
[neighbor 10.100.0.7]
port = lan.100
mac = 02:00:00:00:01:07
"""
        large = bytes(Ether(dst=port_mac(0)) / Dot1Q(vlan=100) / IP(src="10.100.0.7", dst="192.0.2.9", flags="DF") /
                      UDP(sport=1000, dport=2000) / bytes(1200))
        report, got = self.route(network, {"lan": [large]}, "--fast", CPUS[0], config=config)
        self.assertEqual(sum(report.drops.values()), 1)
        self.assertEqual([(Ether(one)[Dot1Q].vlan, Ether(one)[IP].src, Ether(one)[ICMP].code) for one in got["lan"]],
                         [(100, "10.100.0.1", 4)])

    def test_vlans(self):
        """A connection of two VLANs is one: what comes back in the other is its answer, also beside errors about it."""
        network = self.two()
        rules = self.file("rules", "allow udp from any to any in lan\n")
        config = network.config(self.folder).replace("default = allow", f"default = deny\nrules = {rules}") + """
[port lan.100]
parent = lan
vlan = 100
routed = yes
address = 10.100.0.1/24
[neighbor 10.100.0.7]
port = lan.100
mac = 02:00:00:00:01:07
"""
        out = bytes(Ether(dst=port_mac(0)) / Dot1Q(vlan=100) / IP(src="10.100.0.7", dst="192.0.2.9") /
                    UDP(sport=1000, dport=2000) / b"out")
        back = IP(src="192.0.2.9", dst="10.100.0.7") / UDP(sport=2000, dport=1000) / b"back"
        error = IP(src="192.0.2.8", dst="10.100.0.7") / ICMP(type=3, code=3) / \
            Raw(bytes(Ether(out)[IP])[:28])
        stranger = IP(src="192.0.2.9", dst="10.100.0.7") / UDP(sport=2001, dport=1000)
        frames = {"lan": [out], "wan": [bytes(Ether(dst=port_mac(1)) / ip) for ip in (back, error, stranger)]}
        report, got = self.route(network, frames, "--fast", CPUS[0], config=config)
        self.assertEqual(report.drops, {"denied": 1})
        self.assertEqual(len(got["wan"]), 1)
        self.assertEqual([(Ether(one).dst, Ether(one)[Dot1Q].vlan, Ether(one)[IP].src) for one in got["lan"]],
                         [("02:00:00:00:01:07", 100, "192.0.2.9"), ("02:00:00:00:01:07", 100, "192.0.2.8")])
        self.assertEqual([(rule["packets"], rule["connections"]) for rule in report["rules"]], [(3, 1), (1, 1)])

    def test_in_sub_port(self):
        """Rules name sub-ports, with their ports or without: a port has what its sub-ports have."""
        network = self.two()
        config = network.config(self.folder)
        for vlan in (100, 200):
            config += f"[port lan.{vlan}]\nparent = lan\nvlan = {vlan}\nrouted = yes\naddress = 10.{vlan}.0.1/24, fd00:{vlan}::1/64\n"
        frames = []
        for vlan in (None, 100, 200):
            for ip in (IP(src="10.100.0.7", dst="192.0.2.9"), IPv6(src="fd00::7", dst="2001:db8:9::9")):
                udp = ip / UDP(sport=1000 + (vlan or 0)) / b"x"
                frames.append(bytes(Ether(dst=port_mac(0), type=0x8100) / Dot1Q(vlan=vlan) / udp) if vlan else
                              bytes(Ether(dst=port_mac(0)) / udp))
        # By rules: how many pass, and which `in` is recorded for these.
        for text, count, ins in (
                ("deny any from any to any in lan.100\nallow any from any to any in lan log\n", 4,
                 ["lan", "lan", "lan.200", "lan.200"]),
                ("allow any from any to any in lan.100 log\n", 2, ["lan.100"] * 2),
                ("allow any from any to any in wan,lan.200 log\n", 2, ["lan.200"] * 2),
                ("deny any from any to any in lan\nallow any from any to any in lan.100,lan.200 log\n", 0, []),
                ("allow any from any to any in lan log\n", 6, ["lan", "lan", "lan.100", "lan.100", "lan.200", "lan.200"])):
            with self.subTest(text):
                rules, log = self.file("rules", text), self.folder / "log"
                log.unlink(missing_ok=True)
                report, got = self.route(
                    network, {"lan": frames}, "--fast", CPUS[0], "--rule-log", log,
                    config=config.replace("default = allow", f"default = deny\nrules = {rules}"))
                self.assertEqual(len([one for one in got["wan"] if UDP in Ether(one)]), count)
                self.assertEqual(report.drops.get("denied", 0), 6 - count)
                self.assertEqual(sorted(json.loads(line)["in"] for line in log.read_text().splitlines()), ins)
        config = self.file("config", config.replace("default = allow", f"default = deny\nrules = {rules}"))
        for packet, said in (("udp 10.100.0.7:1 > 192.0.2.9:2 in lan.200", f"allow: {rules}:2"),
                             ("udp 10.100.0.7:1 > 192.0.2.9:2 in lan.100", f"deny: {rules}:1")):
            self.file("rules", "deny any from any to any in lan.100\nallow any from any to any in lan\n")
            self.assertIn(said, run(SPILLWAY, "--config", config, "--check", "--explain", packet).stdout)
        self.file("rules", "deny any from any to any in lan.300\n")
        done = run(SPILLWAY, "--config", config, "--check", check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{rules}:1: in 'lan.300': there is no such port", done.stderr)

    def test_default(self):
        """What goes by a default that allows all is counted, though no flow is looked up; but not what is the host's."""
        frames = [frame(0, "10.1.0.7", "192.0.2.9"), frame(0, "2001:db8:1::7", "2001:db8:9::9"),
                  frame(0, "10.1.0.7", "192.0.2.9", ttl=1), frame(0, "10.1.0.7", "10.1.0.1")]
        report, got = self.route(self.two(), {"lan": frames})
        self.assertEqual(len(got["wan"]), 2)
        self.assertEqual(report.drops, {"hops_exceeded": 1, "no_host": 1})
        [told] = report["rules"]
        self.assertEqual([told[key] for key in ("line", "action", "packets", "bytes", "connections")],
                         [None, "allow", 3, sum(len(one) - 14 for one in frames[:3]), 0])
        self.assertIsNotNone(told["last"])

    def test_reject(self):
        """A refusal comes from the port's own address."""
        report, got = self.rules("reject any from any to any\n", [frame(0, "10.1.0.7", "192.0.2.9")], [])
        self.assertEqual(report.drops, {"rejected": 1})
        told = Ether(got["lan"][0])
        self.assertEqual((told[ICMP].type, told[ICMP].code, told[IP].src, told.dst),
                         (3, 13, "10.1.0.1", "02:00:00:00:00:07"))

    def test_pool(self):
        """By way of the pool: each flow waits for its verdict there, and is routed then."""
        frames = [frame(0, "10.1.0.7", "192.0.2.9", load=number.to_bytes(4, "big")) for number in range(200)]
        network = self.two()
        rules = self.file("rules", "allow udp from any to any in lan\n")
        config = network.config(self.folder).replace("default = allow", f"default = deny\nrules = {rules}")
        report, got = self.route(network, {"lan": frames}, "--fast", CPUS[0], "--pool", CPUS[-1], "--dispatch",
                                 "classify=pool", config=config)
        self.assertEqual([int.from_bytes(Ether(one)[Raw].load, "big") for one in got["wan"]], list(range(200)))
        self.assertEqual({Ether(one)[IP].ttl for one in got["wan"]}, {63})
        self.assertEqual(report.drops, {})


if __name__ == "__main__":
    main()
