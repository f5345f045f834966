# SPDX-License-Identifier: BSD-3-Clause
"""What came through a tunnel of a router's and goes on through another one, and the errors that go back."""
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether

import esp
from harness import main
from routed_tunnels import GATEWAY_MAC, SHAPES, SITE_MAC, TunnelCase, link, mac, port_mac, routed

HUB = """protect from-1 any from 10.9.0.0/16 to 10.0.0.0/8
protect from-2 any from 10.8.0.0/16 to 10.0.0.0/8
allow any from 10.9.0.0/16 to 10.8.0.99
protect to-1 any from 10.0.0.0/8 to 10.9.0.0/16
protect to-2 any from 10.0.0.0/8 to 10.8.0.0/16
protect from-1 any from fd09::/16 to fd00::/8
protect from-2 any from fd08::/16 to fd00::/8
protect to-1 any from fd00::/8 to fd09::/16
protect to-2 any from fd00::/8 to fd08::/16
"""


# The same where what leaves is asked about first.
HUB_TURNED = "".join(reversed(HUB.splitlines(keepends=True)))


def inside(source, to, data=b"x", identification=1, ttl=64, **how):
    frame = bytearray(esp.udp_frame(source, to, data, (1000, 2000), identification, link=link(1), **how))
    if ttl != 64:
        frame[22], frame[24:26] = ttl, b"\0\0"
        frame[24:26] = esp.checksum(bytes(frame[14:34])).to_bytes(2, "big")
    return bytes(frame)


class Hub(TunnelCase):
    """Two branches that reach each other, and the site, by tunnels to this router."""

    def tunnels(self, **other):
        return self.tunnel(), self.tunnel(**{"peer": "198.51.100.2", **other})

    def hub_network(self):
        return self.network().route("0.0.0.0/0", "10.2.0.254").route("::/0", "2001:db8:2::fe")

    def test_both_ways(self):
        """From one tunnel into the other, in order, a hop less; whatever a route would do with it in the clear."""
        one, two = self.tunnels()
        ends = (("10.9.0.5", "10.8.0.1"), ("fd09::5", "fd08::1"))
        there = [inside(source, to, bytes(30), number) for number in range(1, 31) for source, to in ends]
        back = [inside(to, source, bytes(30), number) for number in range(1, 31) for source, to in ends]
        frames = [sealed for number, pair in enumerate(zip(there, back), 1)
                  for sealed in (one.back.encrypt(pair[0], number), two.back.encrypt(pair[1], number))]
        for network, rules in (self.network(), HUB), (self.hub_network(), HUB), (self.hub_network(), HUB_TURNED):
            for name, shape in SHAPES.items():
                with self.subTest(name):
                    report, got = self.through({"wan": frames}, [one, two], shape, rules=rules, network=network)
                    self.assertEqual(report.drops, {})
                    self.assertEqual(got["lan"], [])
                    for tunnel, expected in ((two, there), (one, back)):
                        found = []
                        for frame in got["wan"]:
                            try:
                                found.append(tunnel.out.decrypt(frame))
                            except esp.Refused:
                                continue
                        self.assertEqual([one.opened.sequence for one in found], list(range(1, len(expected) + 1)))
                        for v6 in (False, True):  # each a flow
                            self.same([one.frame for one in found if (one.frame[12] == 0x86) == v6],
                                      [routed(one, 1, GATEWAY_MAC) for one in expected if (one[12] == 0x86) == v6])

    def test_first_rule(self):
        """The first rule beside those that protect with inbound associations decides; the host and the site are as ever."""
        one, two = self.tunnels()
        rules = HUB + "protect to-2 any from any to 10.1.0.1\n"
        allowed, near, host = (inside("10.9.0.5", to) for to in ("10.8.0.99", "10.1.0.7", "10.1.0.1"))
        sealed = [one.back.encrypt(frame, number) for number, frame in enumerate((allowed, near, host), 1)]
        report, got = self.through({"wan": sealed}, [one, two], rules=rules, network=self.hub_network())
        self.assertEqual(report.drops, {"no_host": 1})
        self.same(got["wan"], [routed(allowed, 1, GATEWAY_MAC)])
        self.same(got["lan"], [routed(near, 0, SITE_MAC)])

    def test_not_in(self):
        """Not what the rules of the tunnel that it came through don't let through."""
        one, two = self.tunnels()
        sealed = one.back.encrypt(inside("10.7.0.5", "10.8.0.1"), 1)
        report, got = self.through({"wan": [sealed]}, [one, two], rules=HUB, network=self.hub_network())
        self.assertEqual(report.drops, {"esp_policy": 1})
        self.assertEqual(got, {"lan": [], "wan": []})

    def test_in_the_clear_before(self):
        """Who sends in the clear as from a branch goes by the first rule, and does not stand in that one's way."""
        one, two = self.tunnels()
        frames = [inside("10.9.0.5", "10.8.0.1", b"x", number) for number in range(1, 4)]
        for rules, drops in (HUB, {"esp_required": 65}), (HUB_TURNED, {"esp_required": 1}):
            # What is ESP of a burst goes on before the rest.
            there = 64 * frames[:1] + [one.back.encrypt(frames[1], 1), frames[0], one.back.encrypt(frames[2], 2)]
            report, got = self.through({"wan": there}, [one, two], rules=rules, network=self.hub_network())
            self.assertEqual(report.drops, drops)
            self.same([two.out.decrypt(frame).frame for frame in got["wan"]],
                      [routed(frame, 1, GATEWAY_MAC) for frame in (65 - drops["esp_required"]) * frames[:1] + frames[1:]])
        # Of what comes from there, but not by the tunnel that it should, nothing.
        report, got = self.through({"wan": [two.back.encrypt(frames[0], 1)]}, [one, two], rules=HUB_TURNED,
                                   network=self.hub_network())
        self.assertEqual(report.drops, {"esp_policy": 1})

    def test_port(self):
        """`port` is where their ESP is: of what comes and of what leaves."""
        one, two = self.tunnels(port="wan")
        frame = inside("10.9.0.5", "10.8.0.1")
        report, got = self.through({"wan": [one.back.encrypt(frame, 1)]}, [one, two], rules=HUB)
        self.assertEqual(report.drops, {})
        self.same([two.out.decrypt(got["wan"][0]).frame], [routed(frame, 1, GATEWAY_MAC)])

    def test_errors(self):
        """They go back by the tunnel that the packet came through."""
        one, two = self.tunnels(outer=6, peer="2001:db8:99::2")
        big = inside("10.9.0.5", "10.8.0.1", bytes(1318), fragment=0x4000)
        last = inside("10.9.0.5", "10.8.0.1", ttl=1)
        report, got = self.through({"wan": [one.back.encrypt(big, 1), one.back.encrypt(last, 2)]}, [one, two],
                                   rules=HUB, mtu={"wan": 1400, "lan": 1500})
        self.assertEqual(report.drops, {"esp_too_big": 1, "hops_exceeded": 1})
        told = sorted((Ether(one.out.decrypt(frame).frame) for frame in got["wan"]), key=lambda frame: frame[ICMP].type)
        self.assertEqual([(frame[IP].dst, frame[ICMP].type, frame[ICMP].code) for frame in told],
                         [("10.9.0.5", 3, 4), ("10.9.0.5", 11, 0)])
        self.assertEqual(told[0][ICMP].nexthopmtu, 1326)


class Back(TunnelCase):
    """Errors about what came through a tunnel are judged as from where it was going to."""

    def test_port(self):
        """By `in PORT` of the port, or sub-port, that the inner route leads to; not of the one that the ESP came by."""
        one = self.tunnel()
        extra = ("[port lan.100]\nparent = lan\nvlan = 100\nrouted = yes\naddress = 10.4.0.1/24\n"
                 f"[neighbor 10.4.0.7]\nport = lan.100\nmac = {SITE_MAC}\n")
        for to, port, answered in (("10.1.0.7", "lan", True), ("10.1.0.7", "wan", False), ("10.1.0.7", "lan.100", False),
                                   ("10.4.0.7", "lan.100", True), ("10.4.0.7", "wan", False)):
            rules = (f"protect {one.names[1]} any from 10.9.0.0/16 to any\n"
                     f"protect {one.names[0]} any from any to 10.9.0.0/16 in {port}\n")
            with self.subTest(to=to, port=port):
                report, got = self.through({"wan": [one.back.encrypt(inside("10.9.0.5", to, ttl=1), 1)]}, [one],
                                           rules=rules, extra=extra)
                self.assertEqual(report.drops, {"hops_exceeded": 1} if answered else {"hops_exceeded": 1, "esp_answer": 1})
                told = [Ether(one.out.decrypt(frame).frame) for frame in got["wan"]]
                self.assertEqual([frame[ICMP].type for frame in told], [11] * answered)
                self.assertTrue(all(frame[:12] == mac(GATEWAY_MAC) + mac(port_mac(1)) for frame in got["wan"]))


if __name__ == "__main__":
    main()
