# SPDX-License-Identifier: BSD-3-Clause
"""What strangers try at a router that is the end of tunnels, and what the host must not take for a neighbour's."""
import capture
import esp
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6NDOptDstLLAddr, IPv6
from harness import main
from routed_tunnels import GATEWAY_MAC, SHAPES, SITE, SITE_MAC, TunnelCase, link, routed


def discovery(message, source, to, port, hops=255):
    """A frame of neighbour discovery, to a routed port."""
    return esp.join(link(port), bytes(IPv6(src=source, dst=to, hlim=hops) / message))


class Strangers(TunnelCase):
    def test_inner_addresses_outside(self):
        """With `port` nothing is encrypted that comes by it in the clear, and it uses up no number."""
        for name, shape in SHAPES.items():
            one, other = self.tunnel(port="wan"), self.tunnel(inner=6, outer=6, port="wan")
            with self.subTest(name):
                report, got = self.through({"wan": [one.leaving(b"x", port=1), other.leaving(b"x", port=1)] * 20,
                                            "lan": [one.leaving(b"y"), other.leaving(b"y")]}, [one, other], shape)
                self.assertEqual(report.drops, {"esp_wrong_port": 40})
                found = [tunnel.out.decrypt(frame) for tunnel, frame in zip((one, other), sorted(got["wan"], key=len))]
                self.assertEqual([frame.opened.sequence for frame in found], [1, 1])
                self.same([frame.frame for frame in found],
                          [routed(tunnel.leaving(b"y"), 1, GATEWAY_MAC) for tunnel in (one, other)])

    def test_discovery_in_transit(self):
        """Neighbour discovery to another link is judged as any packet; that for the router is the host's."""
        one = self.tunnel()
        frames = [discovery(message, "2001:db8:1::66", "2001:db8:99::1", 0) for message in (
            ICMPv6ND_NS(tgt="2001:db8:99::1"), ICMPv6ND_NA(tgt="2001:db8:1::66") / ICMPv6NDOptDstLLAddr(lladdr=SITE_MAC))]
        frames.append(discovery(ICMPv6ND_NS(tgt="2001:db8:1::1"), "2001:db8:1::66", "2001:db8:1::1", 0))
        report, got = self.through({"lan": frames}, [one])
        self.assertEqual(report.drops, {"denied": 2, "no_host": 1})
        self.assertEqual(got, {"lan": [], "wan": []})

    def test_discovery_inside(self):
        """Nor does it come through a tunnel: a hop limit of 255 says nothing there."""
        one = self.tunnel(inner=6)
        rules = f"protect {one.names[1]} any from any to any\n"
        inside = [discovery(message, "fd09::5", to, 1, hops) for to in ("2001:db8:1::1", SITE[6])
                  for hops in (255, 64) for message in (
                      ICMPv6ND_NS(tgt=to), ICMPv6ND_RA(),
                      ICMPv6ND_NA(tgt="2001:db8:1::7") / ICMPv6NDOptDstLLAddr(lladdr="02:00:00:00:00:66"))]
        sealed = [one.back.encrypt(frame, number) for number, frame in enumerate(inside, 1)]
        report, got = self.through({"wan": sealed}, [one], rules=rules)
        self.assertEqual(report.drops, {"link_local": len(inside)})
        self.assertEqual(got, {"lan": [], "wan": []})

    def test_wire_beside(self):
        """ESP that came by a routed port is none of a wire's, and the other way round."""
        one = self.tunnel()
        extra = "".join(f"[port {name}]\ndevice = net_pcap{number},rx_pcap={self.folder}/{name}.pcap,"
                        f"tx_pcap={self.folder}/{name}-out.pcap\n" for number, name in ((2, "left"), (3, "right")))
        extra += "[wire side]\nports = left, right\n"
        other = esp.udp_frame("10.66.0.1", "10.1.0.7", b"x", link=link(1))
        for first, second in (("wan", "left"), ("left", "wan")):
            frames = {first: [one.back.encrypt(one.coming(b"x"), 1)],
                      second: [other] * 3000 + [one.back.encrypt(one.coming(b"x"), 2)]}
            for name in ("left", "right"):
                capture.write(self.folder / f"{name}.pcap", frames.get(name, []))
            with self.subTest(second):
                report, _ = self.through(frames, [one], extra=extra)
                self.assertEqual(report.drops, {"denied": 3000, "esp_wrong_port": 1})


if __name__ == "__main__":
    main()
