# SPDX-License-Identifier: BSD-3-Clause
"""What traces say of ESP, of routed ports, of what is not plain IPv4, and where several lcores have a part."""
import capture
from associations import POOL, IpsecCase
from esp import udp_frame
from harness import CPUS, Spillway, TestCase, main, until
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw
from ctl import ctl
from test_trace import ways


def stages(way):
    return [line["stage"] for line in way]


def sent(program, *where):
    """Ways of packets that were transmitted: a source that does not wait has many dropped on a busy machine."""
    return until(lambda: [way for way in ways(ctl(program, "trace", "200", *where, "--json")).values()
                          if way[0]["stage"] == "receive" and way[-1]["stage"] == "transmitted"], 60, "one that passes")


class Inside(IpsecCase):
    """Packets that are protected, and that came through associations."""

    def test_associations(self):
        """Out and in, on the fast lcore and by the pool."""
        out, into = self.association("out"), self.association("in", replay_window=0)
        self.file("rules", out.rule() + into.rule())
        source = capture.write(self.folder / "in.pcap", [out.frame(bytes(64)), into.sa.encrypt(into.frame(bytes(64)), 1)])
        config = self.file("ipsec.conf", "[spillway]\nrules = rules\n"
                           f"[port in]\ndevice = net_pcap0,rx_pcap={source},infinite_rx=1\n"
                           "[port out]\ndevice = net_null0,no-rx=1\n[wire w]\nports = in, out\n"
                           + out.section(self.folder) + into.section(self.folder))
        for how, by in (("--fast", CPUS[0], "--dispatch", "encrypt=inline", "--dispatch", "decrypt=inline"), "inline"), \
                       (POOL, "pool"):
            with self.subTest(by), Spillway("--config", config, *how) as program:
                program.ready()
                left, came = sent(program, "where", "udp"), sent(program, "where", "esp")
                text = ctl(program, "trace", "1", "where", "esp")
                self.check(program.stop())
            for way in left:
                self.assertEqual(stages(way), ["receive", "flow", "encrypt", "encrypted", "transmitted"])
                self.assertEqual((way[1]["verdict"], way[1]["rule"]), ("protect", f"{self.folder}/rules:1"))
                self.assertEqual([line.get("sa") for line in way[2:4]], [out.name] * 2)
                self.assertEqual(way[3]["by"], by)
            for way in came:
                self.assertEqual(stages(way), ["receive", "decrypt", "decrypted", "flow", "transmitted"])
                self.assertEqual((way[1]["sa"], way[2]["sa"], way[2]["by"]), (into.name, into.name, by))
                self.assertEqual((way[3]["verdict"], way[3]["rule"]), ("protect", f"{self.folder}/rules:2"))
            self.assertIn(f"decrypt  sa {into.name}", text)


class Kinds(TestCase):
    """What is not plain IPv4 on a wire."""

    def test_kinds(self):
        ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        frames = {
            "ip6 and udp": (ether / IPv6(src="2001:db8::7", dst="2001:db8::9") / UDP(sport=9, dport=53) / Raw(bytes(9)),
                            {"source": "2001:db8::7", "destination": "2001:db8::9", "source_port": 9, "protocol": 17}),
            "icmp6": (ether / IPv6(src="2001:db8::8", dst="2001:db8::9") / ICMPv6EchoRequest(id=3),
                      {"type": 128, "code": 0, "protocol": 58}),
            "vlan 7": (ether / Dot1Q(vlan=7) / IP(src="10.0.0.7", dst="10.1.0.1") / TCP(sport=5, dport=80, flags="S"),
                       {"vlan": 7, "source": "10.0.0.7", "destination_port": 80}),
            "icmp": (ether / IP(src="10.0.0.8", dst="10.1.0.1") / ICMP(), {"type": 8, "code": 0}),
            "arp": (ether / ARP(), {"ethertype": 0x806}),
            "ip and src host 10.0.0.9": (ether / IP(src="10.0.0.9", dst="10.1.0.1", frag=5) / Raw(bytes(30)),
                                         {"fragment": True}),
            "ip and src host 10.0.0.10": (ether / IP(src="10.0.0.10", dst="10.1.0.1", ihl=3, len=60) / Raw(bytes(50)), {}),
        }
        source = capture.write(self.folder / "in.pcap", [bytes(frame).ljust(60, b"\0") for frame, _ in frames.values()])
        config = self.file("config", "[spillway]\ndefault = allow\n"
                           f"[port a]\ndevice = net_pcap0,rx_pcap={source},infinite_rx=1\n"
                           "[port b]\ndevice = net_null0,no-rx=1\n[wire w]\nports = a, b\n")
        with Spillway("--config", config) as program:
            program.ready()
            for text, (_, expected) in frames.items():
                with self.subTest(text):
                    way = ways(ctl(program, "trace", "1", "where", text, "--json", "--seconds", "10"))[1]
                    self.assertLessEqual(expected.items(), way[0].items())
                    if "ethertype" not in expected and expected:
                        self.assertIn("flow", stages(way)[1:] + ["flow"] * ("fragment" in expected))
                    if not expected:
                        self.assertEqual((stages(way), way[1]["reason"]), (["receive", "dropped"], "malformed_ipv4"))
            self.check(program.stop())

    def test_lcores(self):
        """One lcore receives, another one decides, a third one transmits."""
        source = capture.write(self.folder / "in.pcap", [udp_frame(f"10.0.0.{host}", "192.0.2.1", bytes(18), (9, 53))
                                                         for host in range(1, 9)])
        config = self.file("config", "[spillway]\ndefault = allow\n"
                           f"[port a]\ndevice = net_pcap0,rx_pcap={source},infinite_rx=1\n"
                           "[port b]\ndevice = net_null0,no-rx=1\n[wire w]\nports = a, b\n")
        with Spillway("--config", config, "--rx", CPUS[0], "--fast", CPUS[0], "--tx", CPUS[-1]) as program:
            program.ready()
            found = sent(program)
            self.check(program.stop())
        for way in found:
            self.assertEqual(stages(way), ["receive", "from lcore", "flow", "to the port's lcore", "transmitted"])
            self.assertEqual([line["lcore"] for line in way], ["rx0", "fast0", "fast0", "fast0", "tx0"])


class Routed(TestCase):
    """Routed ports: by which route, to which next hop; and why not."""

    def test_routes(self):
        def frame(destination, ttl=64, mac="02:70:63:61:70:00", source="10.0.0.9"):
            return bytes(Ether(src="02:00:00:00:00:01", dst=mac) / IP(src=source, dst=destination, ttl=ttl) /
                         UDP(sport=9, dport=53) / Raw(bytes(18)))
        cases = {
            "10.1.0.5": ("transmitted", {"action": "forward", "interface": "q", "next_hop": "10.0.1.2",
                                         "mac": "02:00:00:00:00:12"}, {"out": "q"}),
            "10.0.1.2": ("transmitted", {"action": "forward", "interface": "q", "next_hop": "10.0.1.2"}, {"out": "q"}),
            "10.2.0.5": ("dropped", {"action": "blackhole"}, {"reason": "blackhole"}),
            "10.3.0.5": ("dropped", {"action": "prohibit"}, {"reason": "route_prohibited"}),
            "172.16.0.1": ("dropped", {"action": "none"}, {"reason": "no_route"}),
            "10.0.1.77": ("dropped", {"action": "forward", "next_hop": "10.0.1.77"}, {"reason": "neighbor_full"}),
        }
        source = capture.write(self.folder / "in.pcap", [frame(destination) for destination in cases])
        config = self.file("config", "[spillway]\ndefault = allow\n[router]\nroutes = 1k\nroutes6 = 1k\n"
                           f"[port p]\ndevice = net_pcap0,rx_pcap={source},infinite_rx=1\nrouted = yes\naddress = 10.0.0.1/24\n"
                           "[port q]\ndevice = net_null0,no-rx=1\nrouted = yes\naddress = 10.0.1.1/24\n"
                           "[route 10.1.0.0/16]\nvia = 10.0.1.2\n[route 10.2.0.0/16]\naction = blackhole\n"
                           "[route 10.3.0.0/16]\naction = prohibit\n"
                           "[neighbor 10.0.1.2]\nport = q\nmac = 02:00:00:00:00:12\n")
        with Spillway("--config", config) as program:
            program.ready()
            for destination, (last, route, end) in cases.items():
                with self.subTest(destination):
                    way = ways(ctl(program, "trace", "1", "where", f"dst host {destination}", "--json", "--seconds",
                                   "20"))[1]
                    found = {line["stage"]: line for line in way}
                    self.assertLessEqual(route.items(), found["route"].items())
                    self.assertEqual(way[-1]["stage"], last, way)
                    self.assertLessEqual(end.items(), way[-1].items())
            self.check(program.stop())


if __name__ == "__main__":
    main()
