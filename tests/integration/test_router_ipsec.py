# SPDX-License-Identifier: BSD-3-Clause
"""Routed ports as ends of tunnels, on captures: what leaves encrypted, and what comes so, both families, crosswise."""
import collections
import itertools
import struct

from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import Ether
from scapy.packet import Raw

import capture
import esp
from harness import READ, ROOT, main, spillway
from routed_tunnels import GATEWAY_MAC, SHAPES, SITE_MAC, TunnelCase, link, mac, port_mac, routed

FAMILIES = list(itertools.product((4, 6), (4, 6), (False, True)))


class Ends(TunnelCase):
    def all_kinds(self):
        """A tunnel of each family inside and outside, with and without UDP around it."""
        return [self.tunnel(inner=inner, outer=outer, nat=nat) for inner, outer, nat in FAMILIES]

    def test_outbound(self):
        """What leaves is routed by its outer header; inside there is a hop less."""
        tunnels = self.all_kinds()
        frames = [one.leaving(self.chance.randbytes(20 + number), number) for number in range(1, 41) for one in tunnels]
        for name, shape in SHAPES.items():
            with self.subTest(name):
                report, got = self.through({"lan": frames}, tunnels, shape)
                self.assertEqual(report.drops, {})
                self.assertEqual(got["lan"], [])
                self.assertEqual(len(got["wan"]), len(frames))
                for one in tunnels:
                    clear, numbers = [], []
                    for frame in got["wan"]:
                        try:
                            found = one.out.decrypt(frame)
                        except esp.Refused:
                            continue
                        self.assertEqual(frame[:12], mac(GATEWAY_MAC) + mac(port_mac(1)))
                        self.assertEqual(found.outer[8 if one.outer == 4 else 7], 64)
                        clear.append(found.frame)
                        numbers.append(found.opened.sequence)
                    self.assertEqual(numbers, list(range(1, 41)))
                    mine = [routed(frame, 1, GATEWAY_MAC) for frame in frames[one.number - 1::len(tunnels)]]
                    self.same(clear, mine, one.out)

    def test_inbound(self):
        """What comes as ESP to the router is decrypted, then routed by what is inside."""
        tunnels = self.all_kinds()
        pairs = [(one, one.coming(self.chance.randbytes(20 + number), number)) for number in range(1, 41)
                 for one in tunnels]
        sealed = [one.back.encrypt(frame, number // len(tunnels) + 1) for number, (one, frame) in enumerate(pairs)]
        for name, shape in SHAPES.items():
            with self.subTest(name):
                report, got = self.through({"wan": sealed}, tunnels, shape)
                self.assertEqual(report.drops, {})
                self.assertEqual(got["wan"], [])
                for one in tunnels:
                    mine = [routed(frame, 0, SITE_MAC) for other, frame in pairs if other is one]
                    self.same([frame for frame in got["lan"] if frame in set(mine)], mine, one.back)
                self.assertEqual(len(got["lan"]), len(pairs))


    def test_example(self):
        """config/router-ipsec.conf, on captures: the tunnel, and the rest of the world."""
        one = self.tunnel(esn=True)
        text = (ROOT / "config" / "router-ipsec.conf").read_text()
        text = text.replace("rules/router", str(ROOT / "config" / "rules" / "router"))
        for number, name in enumerate(("lan", "wan")):
            text = text.replace(f"net_af_packet{number},iface=veth{number}", f"net_pcap{number},rx_pcap={self.folder}/"
                                f"{name}.pcap,tx_pcap={self.folder}/{name}-out.pcap")
        (self.folder / "keys").mkdir()
        for name, sa in (("to", one.out), ("from", one.back)):
            self.file(f"keys/{name}-branch.key", sa.key.hex() + "\n").chmod(0o600)
        world = esp.udp_frame("10.1.0.7", "203.0.113.9", b"x", link=link(0))
        capture.write(self.folder / "lan.pcap", [one.leaving(b"x"), world])
        capture.write(self.folder / "wan.pcap", [one.back.encrypt(one.coming(b"x"), 1), one.coming(b"x")])
        report = self.check(spillway("--config", self.file("example.conf", text), "--exit-on-idle", READ,
                                     *SHAPES["inline"]))
        self.assertEqual(report.drops, {"esp_required": 1})
        got = sorted(capture.read(self.folder / "wan-out.pcap"), key=len)
        self.same([got[0], one.out.decrypt(got[1]).frame],
                  [routed(world, 1, GATEWAY_MAC), routed(one.leaving(b"x"), 1, GATEWAY_MAC)])
        self.same(capture.read(self.folder / "lan-out.pcap"), [routed(one.coming(b"x"), 0, SITE_MAC)])


class Attacked(TunnelCase):
    """What must not get through, and under which name it ends."""

    def drops(self, frames, tunnels, drops, **how):
        report, got = self.through(frames, tunnels, **how)
        self.assertEqual(report.drops, drops)
        return got

    def test_clear(self):
        """What should have come through the tunnel, and did not."""
        one, other = self.tunnel(), self.tunnel(inner=6)
        got = self.drops({"wan": [one.coming(b"x"), other.coming(b"x")], "lan": [one.coming(b"x", port=0)]},
                         [one, other], {"esp_required": 3})
        self.assertEqual(got, {"lan": [], "wan": []})

    def test_foreign_inside(self):
        """Who has one key can't send what another is for, nor what no rule is for."""
        one, other = self.tunnel(), self.tunnel()
        inside = [other.coming(b"x"), *(esp.udp_frame(source, to, b"x", (1000, 3001), link=link(1)) for source, to in (
            ("10.9.0.6", "10.1.0.7"), ("10.9.0.5", "10.1.0.8"), ("10.1.0.7", "10.9.0.5"), ("10.9.0.5", "10.1.0.1")))]
        sealed = [one.back.encrypt(frame, number) for number, frame in enumerate(inside, 1)]
        got = self.drops({"wan": sealed}, [one, other], {"esp_policy": len(inside)})
        self.assertEqual(got, {"lan": [], "wan": []})

    def test_no_ones_addresses(self):
        """Groups, links and loopback are not reached through a tunnel, whatever its rule allows."""
        one, other = self.tunnel(), self.tunnel(inner=6)
        rules = f"protect {one.names[1]} any from 0.0.0.0/0 to 0.0.0.0/0\n" \
                f"protect {other.names[1]} any from ::/0 to ::/0\n"
        cases = [(one, "10.9.0.5", "224.0.0.5", "multicast"), (one, "10.9.0.5", "239.1.1.1", "multicast"),
                 (one, "10.9.0.5", "255.255.255.255", "martian"), (one, "127.0.0.1", "10.1.0.7", "martian"),
                 (one, "0.0.0.0", "10.1.0.7", "martian"), (one, "10.9.0.5", "169.254.1.1", "link_local"),
                 (other, "fd09::5", "ff02::5", "multicast"), (other, "::1", "2001:db8:1::7", "martian"),
                 (other, "fe80::5", "2001:db8:1::7", "link_local"), (other, "fd09::5", "fe80::1", "link_local"),
                 (one, "10.9.0.5", "10.1.0.1", "no_host"), (other, "fd09::5", "2001:db8:1::1", "no_host")]
        sealed = [tunnel.back.encrypt(esp.udp_frame(source, to, b"x", link=link(1)), number)
                  for number, (tunnel, source, to, _) in enumerate(cases, 1)]
        self.drops({"wan": sealed}, [one, other], collections.Counter(reason for *_, reason in cases), rules=rules)

    def test_whose(self):
        """ESP at a tunnel's end without an association, at another address of the router's, and by another port."""
        one = self.tunnel()
        self.stranger = self.tunnel()
        elsewhere = self.tunnel(ours="10.1.0.1")
        elsewhere.back.spi = one.back.spi
        frames = {"wan": [self.stranger.back.encrypt(one.coming(b"x"), 1), elsewhere.back.encrypt(one.coming(b"x"), 1)],
                  "lan": [one.back.encrypt(one.coming(b"x", port=0), 1)]}
        got = self.drops(frames, [one], {"esp_no_sa": 1, "no_host": 1})
        self.same(got["lan"], [routed(one.coming(b"x"), 0, SITE_MAC)])

    def test_port(self):
        """With `port` its ESP comes by that port alone, and leaves by it alone."""
        one, other = self.tunnel(port="wan"), self.tunnel(port="lan")
        frames = {"lan": [one.back.encrypt(one.coming(b"x", port=0), 1), other.leaving(b"x")]}
        self.drops(frames, [one, other], {"esp_wrong_port": 2})

    def test_for_the_host(self):
        """IKE, and what keeps a NAT's mapping alive."""
        one = self.tunnel(nat=True)
        frames = [esp.udp_frame(one.back.source, one.back.destination, data, ports, link=link(1))
                  for data, ports in ((bytes(40), (500, 500)), (bytes(44), (4500, 4500)), (b"\xff", (4500, 4500)),
                                      (bytes(44), (61000, 4500)))]
        self.drops({"wan": frames}, [one], {"no_host": 4})

    def test_clear_for_the_host(self):
        """The same for the host, whatever else rules say of it; IKE it gets."""
        one, other = self.tunnel(), self.tunnel(inner=6)
        rules = f"protect {one.names[1]} any from 10.9.0.0/16 to 10.0.0.0/8\n" \
                f"protect {other.names[1]} any from fd09::/16 to 2001:db8::/32\ndeny any from 10.8.0.0/16 to any\n"
        clear = [("10.9.0.5", "10.1.0.1", 53), ("fd09::5", "2001:db8:1::1", 53), ("10.9.0.5", "10.1.0.1", 500),
                 ("10.9.0.5", "10.2.0.1", 4500), ("10.8.0.5", "10.1.0.1", 53)]
        frames = [esp.udp_frame(source, to, bytes(44), (port, port), link=link(1)) for source, to, port in clear]
        # That it comes from IKE's port says nothing.
        frames += [esp.udp_frame("10.9.0.5", "10.1.0.1", bytes(44), (port, 53), link=link(1)) for port in (500, 4500)]
        self.drops({"wan": frames}, [one, other], {"esp_required": 4, "no_host": 3}, rules=rules)

    def test_not_ours(self):
        """ESP in transit is judged by the rules."""
        one = self.tunnel()
        transit = esp.join(link(0), esp.SA("aes-128-gcm", bytes(20), 0x99, "tunnel", "10.1.0.7", "198.51.100.9").outer(
            bytes(40)))
        rules = "allow 50 from 10.1.0.0/16 to any\n"
        got = self.drops({"lan": [transit]}, [one], {}, rules=rules)
        self.same(got["wan"], [routed(transit, 1, GATEWAY_MAC)])

    def test_forged_fragments(self):
        """Fragments to another's MAC address are no part of what is put together; those to ours are."""
        one = self.tunnel()
        clear = one.coming(bytes(1200))
        whole = bytearray(one.back.encrypt(clear, 1, dont_fragment=False))
        def piece(at, end, more, to):
            header = bytearray(whole[14:34])
            header[2:4] = (20 + end - at).to_bytes(2, "big")
            header[6:8] = (more << 13 | at // 8).to_bytes(2, "big")
            header[10:12] = b"\0\0"
            header[10:12] = esp.checksum(bytes(header)).to_bytes(2, "big")
            return to + mac(GATEWAY_MAC) + b"\x08\0" + bytes(header) + bytes(whole[34 + at:34 + end])
        size = len(whole) - 34
        frames = [piece(800, size, 0, mac("02:00:00:00:00:55")), piece(0, 800, 1, mac(port_mac(1))),
                  piece(800, size, 0, mac(port_mac(1)))]
        got = self.drops({"wan": frames}, [one], {"other_mac": 1, "esp_reassembled": 1})
        self.same(got["lan"], [routed(clear, 0, SITE_MAC)])


class Way(TunnelCase):
    """No way to the other end, none yet, and too narrow ones."""

    def test_no_route(self):
        """Nor one to the router itself: the sender is told, and nothing loops."""
        tunnels = [self.tunnel(peer="203.0.113.1"), self.tunnel(peer="10.1.0.1"),
                   self.tunnel(inner=6, outer=6, peer="2001:db8:77::1")]
        report, got = self.through({"lan": [one.leaving(b"x") for one in tunnels]}, tunnels)
        self.assertEqual(report.drops, {"esp_no_route": 3})
        told = [Ether(frame) for frame in got["lan"]]
        self.assertEqual([(one[IP].src, one[IP].dst, one[ICMP].type, one[ICMP].code) for one in told if IP in one],
                         [("10.1.0.1", "10.1.0.7", 3, 1)] * 2)
        self.assertEqual([(one[IPv6].src, one[ICMPv6DestUnreach].code) for one in told if ICMPv6DestUnreach in one],
                         [("2001:db8:1::1", 3)])

    def test_rule_for_the_tunnel(self):
        """What was encrypted asks no rule, even where one would encrypt it again."""
        one, other = self.tunnel(), self.tunnel(peer="198.51.100.2")
        rules = f"protect {other.names[0]} 50 from any to any\n" + one.rules()
        report, got = self.through({"lan": [one.leaving(b"x")]}, [one, other], rules=rules)
        self.assertEqual(report.drops, {})
        self.same([one.out.decrypt(frame).frame for frame in got["wan"]], [routed(one.leaving(b"x"), 1, GATEWAY_MAC)])

    def test_within(self):
        """ESP within ESP for the router is the host's."""
        one, other = self.tunnel(), self.tunnel()
        inner = other.back.encrypt(other.coming(b"x"), 1)
        rules = f"protect {one.names[1]} any from any to any\n"
        report, _ = self.through({"wan": [one.back.encrypt(inner, 1)]}, [one, other], rules=rules)
        self.assertEqual(report.drops, {"no_host": 1})

    def test_hops(self):
        """The last one ends before the tunnel."""
        one = self.tunnel()
        frame = bytearray(one.leaving(b"x"))
        frame[22], frame[24:26] = 1, b"\0\0"
        frame[24:26] = esp.checksum(bytes(frame[14:34])).to_bytes(2, "big")
        report, got = self.through({"lan": [bytes(frame)]}, [one])
        self.assertEqual(report.drops, {"hops_exceeded": 1})
        self.assertEqual([Ether(frame)[ICMP].type for frame in got["lan"]], [11])

    def test_unresolved(self):
        """What is encrypted waits for the next hop of its tunnel; no more than of any."""
        one = self.tunnel()
        network = self.network()
        network.neighbors = {key: mac for key, mac in network.neighbors.items() if key[0] == "lan"}
        for name, shape in SHAPES.items():
            with self.subTest(name):
                report, got = self.through({"lan": [one.leaving(b"x", number) for number in range(6)]}, [one], shape,
                                           network=network)
                self.assertEqual(report.drops, {"neighbor_full": 2, "neighbor_unresolved": 4})
                self.assertEqual(got, {"lan": [], "wan": []})

    def test_too_big(self):
        """By the MTU of the port that the tunnel leaves by: fragments, or its sender is told from our address."""
        for outer, most in ((4, 1346), (6, 1326)):
            tunnels = [self.tunnel(inner=inner, outer=outer) for inner in (4, 6)]
            big = {4: most - 28, 6: most - 48}
            frames = [one.leaving(bytes(big[one.inner] + more), fragment=df if one.inner == 4 else 0)
                      for one in tunnels for more in (0, 1) for df in (0, 0x4000)]
            report, got = self.through({"lan": frames}, tunnels, mtu={"wan": 1400, "lan": 1500})
            with self.subTest(outer=outer):
                self.assertEqual(report.drops, {"esp_too_big": 3})
                told = [Ether(frame) for frame in got["lan"]]
                self.assertEqual([(one[IP].src, one[ICMP].nexthopmtu) for one in told if ICMP in one],
                                 [("10.1.0.1", most)])
                self.assertEqual([(one[IPv6].src, one[ICMPv6PacketTooBig].mtu) for one in told if IPv6 in one],
                                 [("2001:db8:1::1", most)] * 2)
                self.assertEqual(len(got["wan"]), 6)  # one in two fragments
                self.assertLessEqual(max(len(frame) for frame in got["wan"]), 1414)

    def test_least(self):
        """IPv6 of 1280 bytes leaves in outer fragments."""
        one = self.tunnel(inner=6, outer=6)
        report, got = self.through({"lan": [one.leaving(bytes(1232))]}, [one], mtu={"wan": 1280})
        self.assertEqual(report.drops, {})
        self.assertEqual(len(got["wan"]), 2)
        self.assertEqual({frame[:12] for frame in got["wan"]}, {mac(GATEWAY_MAC) + mac(port_mac(1))})
        self.assertTrue(all(IPv6ExtHdrFragment in Ether(frame) and len(frame) <= 1294 for frame in got["wan"]))

    def test_too_big_inside(self):
        """What comes through a tunnel, and is too big for the lan: its sender is told through the tunnel."""
        one = self.tunnel()
        rules = f"protect {one.names[0]} any from any to 10.9.0.0/16\nprotect {one.names[1]} any from 10.9.0.0/16 to any\n"
        frame = one.back.encrypt(one.coming(bytes(1300), fragment=0x4000), 1)
        report, got = self.through({"wan": [frame]}, [one], rules=rules, mtu={"lan": 1280})
        self.assertEqual(report.drops, {"tx_too_big": 1})
        told = Ether(one.out.decrypt(got["wan"][0]).frame)
        self.assertEqual((told[IP].dst, told[ICMP].code, told[ICMP].nexthopmtu), ("10.9.0.5", 4, 1280))
        self.assertEqual(len(got["wan"]), 1)

    def test_nowhere_inside(self):
        """The same where there is no route; without a rule for that direction nobody is told."""
        one = self.tunnel()
        inside = esp.udp_frame("10.9.0.5", "10.77.0.1", b"x", link=link(1))
        back = f"protect {one.names[1]} any from 10.9.0.0/16 to any\n"
        for rules, drops in ((f"protect {one.names[0]} any from any to 10.9.0.0/16\n" + back, {"no_route": 1}),
                             (back + "allow any from any to any\n", {"no_route": 1, "esp_answer": 1})):
            report, got = self.through({"wan": [one.back.encrypt(inside, 1)]}, [one], rules=rules)
            self.assertEqual(report.drops, drops)
            self.assertEqual(len(got["wan"]), 2 - len(drops))


class Shapes(TunnelCase):
    """Other ways than from one port to the next hop."""

    def test_transport(self):
        """Between hosts behind the router, by the packets' own addresses; a hop less, once."""
        tunnels = [self.tunnel(inner=family, outer=family, mode="transport", nat=nat)
                   for family in (4, 6) for nat in (False, True)]
        network = self.network().route("10.9.0.0/16", "10.2.0.254").route("fd09::/16", "2001:db8:2::fe")
        clear = [one.leaving(bytes(30), number) for number in range(1, 5) for one in tunnels]
        back = [(one, one.coming(bytes(30), number)) for number in range(1, 5) for one in tunnels]
        for name, shape in SHAPES.items():
            with self.subTest(name):
                report, got = self.through(
                    {"lan": clear, "wan": [one.back.encrypt(frame, number // 4 + 1)
                                           for number, (one, frame) in enumerate(back)]}, tunnels, shape, network=network)
                self.assertEqual(report.drops, {})
                self.assertEqual(sorted(got["lan"]), sorted(routed(frame, 0, SITE_MAC) for _, frame in back))
                opened = []
                for frame in got["wan"]:
                    for one in tunnels:
                        try:
                            opened.append(one.out.decrypt(frame).frame)
                        except esp.Refused:
                            pass
                self.assertEqual(sorted(opened), sorted(routed(frame, 1, GATEWAY_MAC) for frame in clear))

    def test_sub_port(self):
        """A tunnel by a VLAN: its tag is outside alone, and what comes by it is routed to a port without."""
        one = self.tunnel(ours="10.3.0.1", peer="203.0.113.1")
        extra = ("[port wan.100]\nparent = wan\nvlan = 100\nrouted = yes\naddress = 10.3.0.1/24\n"
                 "[route 203.0.113.0/24]\nvia = 10.3.0.254\n"
                 f"[neighbor 10.3.0.254]\nport = wan.100\nmac = {GATEWAY_MAC}\n")
        tag = b"\x81\0\0\x64"
        sealed = one.back.encrypt(one.coming(b"x"), 1)
        rules = one.rules().rstrip() + " in wan.100\n"
        # By the port itself, without a tag, the rule does not let it in.
        other = esp.udp_frame("10.9.0.5", "10.1.0.7", b"y", (1001, 3001), link=link(1))
        frames = {"lan": [one.leaving(b"x")], "wan": [sealed[:12] + tag + sealed[12:], one.back.encrypt(other, 2)]}
        for name, shape in SHAPES.items():
            with self.subTest(name):
                report, got = self.through(frames, [one], shape, extra=extra, rules=rules)
                self.assertEqual(report.drops, {"esp_policy": 1})
                self.same(got["lan"], [routed(one.coming(b"x"), 0, SITE_MAC)])
                self.assertEqual(got["wan"][0][:16], mac(GATEWAY_MAC) + mac(port_mac(1)) + tag)
                found = one.out.decrypt(got["wan"][0][:12] + got["wan"][0][16:])
                self.same([found.frame], [routed(one.leaving(b"x"), 1, GATEWAY_MAC)])

    def test_several_next_hops(self):
        """An association keeps to one of them, so that its packets keep their order; all together use both."""
        tunnels = [self.tunnel() for _ in range(16)]
        network = self.network()
        network.routes = [one for one in network.routes if one[0].version == 6]
        network.neighbor("10.2.0.253", "wan", "02:00:00:00:00:03")
        extra = "[route 198.51.100.0/24]\nvia = 10.2.0.254, 10.2.0.253\n"
        frames = [one.leaving(bytes(8), number) for number in range(1, 21) for one in tunnels]
        report, got = self.through({"lan": frames}, tunnels, network=network, extra=extra)
        self.assertEqual(report.drops, {})
        by, numbers = collections.defaultdict(set), collections.defaultdict(list)
        for frame in got["wan"]:
            spi, number = struct.unpack_from("!II", frame, 34)
            by[spi].add(frame[:6])
            numbers[spi].append(number)
        self.assertEqual({len(one) for one in by.values()}, {1})
        self.assertEqual(len(set.union(*by.values())), 2)
        self.assertEqual(set(map(tuple, numbers.values())), {tuple(range(1, 21))})


class PathMtu(TunnelCase):
    """ICMP errors from routers on a tunnel's way."""

    def error(self, outer, mtu, length=1400, spi=None, sequence=1, source=None, sa=None):
        """One about an ESP packet of a tunnel's."""
        spi = sa.spi if spi is None else spi
        body = struct.pack("!II", spi, sequence) + bytes(80)
        if sa.nat_traversal:
            body = struct.pack("!HHHH", 4500, 4500, length - 20, 0) + body
        protocol = 17 if sa.nat_traversal else 50
        if outer == 4:
            quoted = IP(src=str(source or sa.source), dst=str(sa.destination), len=length, proto=protocol, flags="DF")
            packet = IP(src="192.0.2.77", dst=str(source or sa.source)) / ICMP(type=3, code=4, nexthopmtu=mtu) / quoted
        else:
            quoted = IPv6(src=str(source or sa.source), dst=str(sa.destination), plen=length - 40, nh=protocol)
            packet = IPv6(src="2001:db8:77::7", dst=str(source or sa.source)) / ICMPv6PacketTooBig(mtu=mtu) / quoted
        return link(1) + (b"\x08\0" if outer == 4 else b"\x86\xdd") + bytes(packet / Raw(body))

    def after(self, one, errors, size, shape=SHAPES["inline"]):
        """What is told to a sender of so many bytes once the errors were heard: an MTU, or None; and the report."""
        # The port that is read first is the one that goes on while the other has nothing: its burst comes before.
        network = self.network()
        frames = [one.leaving(bytes(1330), 0)] + [one.leaving(b"x", number) for number in range(39)]
        big = one.leaving(bytes(size), fragment=0x4000 if one.inner == 4 else 0)
        path = {name: self.folder / f"{name}.pcap" for name in network.ports}
        capture.write(path["lan"], frames + [one.leaving(b"x")] * 3000 + [big])
        capture.write(path["wan"], [one.back.encrypt(one.coming(b"x"), 1)] * 64 + errors)
        report = self.check(spillway("--config", self.file("router.conf", self.config(network, [one])),
                                     "--exit-on-idle", READ, *shape))
        got = [Ether(frame) for frame in capture.read(self.folder / "lan-out.pcap")]
        told = [frame[ICMP].nexthopmtu for frame in got if ICMP in frame]
        told += [frame[ICMPv6PacketTooBig].mtu for frame in got if ICMPv6PacketTooBig in frame]
        return told, report

    def test_believed(self):
        """Both families, in UDP as well: the sender inside is told of less from then on."""
        for inner, outer, nat in FAMILIES:
            one = self.tunnel(inner=inner, outer=outer, nat=nat)
            with self.subTest(one.out):
                told, report = self.after(one, [self.error(outer, 1300, sa=one.out)], 1360)
                room = max(length for length in range(1300) if one.out.size(length) <= 1300)
                self.assertEqual(report["routing"]["path_mtu_learned"], 1)
                self.assertEqual(report["sas"][one.names[0]]["path_mtu"], 1300)
                self.assertEqual(told, [max(room, 1280) if inner == 6 else room])

    def test_bounded(self):
        """Not below what any link, or host, must take."""
        for outer, least in ((4, 576), (6, 1280)):
            one = self.tunnel(outer=outer)
            _, report = self.after(one, [self.error(outer, 68, sa=one.out)], 1400)
            self.assertEqual(report["sas"][one.names[0]]["path_mtu"], least)

    def test_forged(self):
        """What quotes no packet that was sent is not believed."""
        one = self.tunnel()
        good = {"outer": 4, "mtu": 1300, "sa": one.out}
        broken = bytearray(self.error(**good))
        broken[-1] ^= 1
        forged = [self.error(**good | how) for how in (
            {"spi": 0x9999}, {"sequence": 0}, {"sequence": 0x7fffffff}, {"sequence": 100000}, {"mtu": 0},
            {"mtu": 1400}, {"mtu": 1450}, {"source": "10.1.0.1"}, {"length": 1499})] + [bytes(broken)]
        about = IP(src="10.1.0.7", dst="198.51.100.1", len=1400, flags="DF") / UDP(sport=1000, dport=443)
        other = IP(src="192.0.2.77", dst="10.1.0.7") / ICMP(type=3, code=4, nexthopmtu=1300) / about / Raw(bytes(80))
        _, report = self.after(one, forged + [link(1) + b"\x08\0" + bytes(other)], 1400)
        self.assertEqual(report["routing"]["path_mtu_learned"], 0)
        self.assertEqual(report["routing"]["path_mtu_refused"], len(forged))
        self.assertEqual(report["sas"][one.names[0]]["path_mtu"], 0)


if __name__ == "__main__":
    main()
