# SPDX-License-Identifier: BSD-3-Clause
"""Associations and policies of `ip xfrm`, on wires: what goes between two hosts is ESP on them."""
import itertools
import socket
import struct
import unittest

import esp
import harness
import ike
from harness import CPUS, Net, Spillway, main, need_program, until
from ike import GCM


class Tunnel(harness.TestCase):
    """`ip xfrm` at both ends of a link: what goes between two hosts is ESP on it."""

    def test_ping(self):
        need_program("ip")
        with Net(other=True) as net:
            harness.run("ip", "-n", net.middle, "link", "add", "mid", "type", "veth", "peer", "name",
                        "mid", "netns", net.other)
            for name in net.middle, net.other:
                harness.run("ip", "-n", name, "link", "set", "mid", "up")
            ends = []
            for number, (name, ports) in enumerate(((net.middle, "lan mid"), (net.other, "wan mid"))):
                inner, outer = ports.split()
                path = self.folder / f"xfrm{number}"
                config = self.file(f"conf{number}", f"""
[spillway]
idle = sleep
default = deny
fast = {CPUS[number % len(CPUS)]}
[port inner]
device = net_af_packet0,iface={inner}
[port outer]
device = net_af_packet1,iface={outer}
[wire w]
ports = inner, outer
[ike]
xfrm = {path}
""")
                ends.append((self.enterContext_(Spillway("--config", config, namespace=name)),
                             ike.Ip(path)))
            for program, _ in ends:
                program.ready()
            self.assertEqual(net.ping(net.left, "10.9.0.2", count=1), 0)
            hosts = ("10.9.0.1", "10.9.0.2")
            for number, (_, ip) in enumerate(ends):
                own, other = hosts[number], hosts[1 - number]
                for spi, source, target in ((0x1001, hosts[0], hosts[1]), (0x1002, hosts[1], hosts[0])):
                    ip(f"state add src 192.0.2.{source[-1]} dst 192.0.2.{target[-1]} proto esp "
                       f"spi {spi:#x} reqid 1 mode tunnel {GCM.format(spi)} replay-window 32")
                ends_of = (f"tmpl src 192.0.2.{own[-1]} dst 192.0.2.{other[-1]} proto esp reqid 1 mode tunnel",
                           f"tmpl src 192.0.2.{other[-1]} dst 192.0.2.{own[-1]} proto esp reqid 1 mode tunnel")
                ip(f"policy add src {own}/32 dst {other}/32 dir out {ends_of[0]}")
                ip(f"policy add src {other}/32 dst {own}/32 dir fwd {ends_of[1]}")
            self.assertEqual(net.ping(net.left, "10.9.0.2", count=5), 5)
            shown = ends[0][1]("state get src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1001",
                               counters=True)
            self.assertRegex(shown, r"current:\n\s+420\(bytes\), 5\(packets\)")
            self.assertIn("oseq 0x5", shown)
            ends[0][1]("policy update src 10.9.0.1/32 dst 10.9.0.2/32 dir out action block")
            self.assertEqual(net.ping(net.left, "10.9.0.2", count=1), 0)
            for program, _ in ends:
                self.check(program.stop())

    def enterContext_(self, context):
        self.addCleanup(context.__exit__, None, None, None)
        return context.__enter__()


class Wire(harness.TestCase):
    """A wire between two packet sockets, which see fragments as they are."""
    ENDS = {4: ("192.0.2.1", "198.51.100.1"), 6: ("2001:db8::1", "2001:db8:ff::1")}
    INSIDE = "10.1.0.5", "10.2.0.5"

    def setUp(self):
        super().setUp()
        need_program("ip")
        self.net = Net()
        self.addCleanup(self.net.close)
        self.sockets = []
        for name in self.net.left, self.net.right:
            with harness.inside(name):
                made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.addCleanup(made.close)
            made.bind(("eth0", 0))
            made.settimeout(20)
            self.sockets.append(made)
        self.path = self.folder / "xfrm"
        self.ip = ike.Ip(self.path)

    def config(self, cpus=CPUS[:1]):
        self.file("rules", "allow udp from any to any port 4501\n")
        return self.file("conf", f"""
[spillway]
idle = sleep
default = deny
rules = rules
fast = {",".join(map(str, cpus))}
[port lan]
device = net_pcap0,iface=lan
[port wan]
device = net_pcap1,iface=wan
[wire w]
ports = lan, wan
[ike]
xfrm = {self.path}
""")

    def add(self, spi, ends, ports=None, flags=""):
        """The associations of a tunnel, as the reference has them: out, back."""
        sas = []
        for back in False, True:
            turn = -1 if back else 1
            sa = esp.SA("aes-128-gcm", (spi + back).to_bytes(2, "big") * 10, spi + back, "tunnel", *ends[::turn],
                        nat_traversal=ports is not None)
            udp = ""
            if ports:
                sa.ports = ports[::turn]
                udp = f"encap espinudp {sa.ports[0]} {sa.ports[1]} 0.0.0.0"
            self.ip(f"state add src {sa.source} dst {sa.destination} proto esp spi {sa.spi:#x} reqid {spi} mode tunnel "
                    f"{flags} aead rfc4106(gcm(aes)) 0x{sa.key.hex()} 128 replay-window 32 {udp}")
            sas.append(sa)
        return sas

    def select(self, sa, way, near, far, more=""):
        """A policy whose packets go by an association; `more`: of its selector."""
        self.ip(f"policy add src {near} dst {far} {more} dir {way} tmpl src {sa.source} dst {sa.destination} "
                f"proto esp reqid {sa.spi & ~1} mode tunnel")

    def comes(self, number, wanted):
        """The first frame that one of the sockets gets and that is wanted: what the function returns of it."""
        while True:
            found = wanted(self.sockets[number].recv(4096))
            if found:
                return found

    def passes(self, frame):
        self.sockets[1].send(frame)
        self.comes(0, lambda got: got == frame)

    def opened(self, sa):
        """For comes(): of the frames of an association what is inside."""
        def wanted(frame):
            try:
                return sa.decrypt(frame)
            except (esp.Refused, ValueError, KeyError, struct.error):
                return None
        return wanted


class Side(Wire):
    """By which end of a wire ESP is, where somebody beyond that end pretends to be inside."""

    def test_forged_first(self):
        """Nobody who sends in the clear from outside has it changed, where [ike] says it."""
        path = self.config()
        path.write_text(path.read_text() + "port = wan\n")
        inside = esp.udp_frame(*self.INSIDE, b"inside", (1000, 0x1100))
        forged = esp.udp_frame(*self.INSIDE, b"forged", (1000, 0x1100))
        with Spillway("--config", path, namespace=self.net.middle) as program:
            program.ready()
            out, back = self.add(0x1100, self.ENDS[4])
            self.select(out, "out", *self.INSIDE)
            self.select(back, "fwd", *self.INSIDE[::-1])
            self.sockets[1].send(forged)
            until(lambda: program.telemetry("/spillway/metrics,drops").get("esp_wrong_port") == 1, 20, "it is dropped")
            self.sockets[0].send(inside)
            self.assertEqual(self.comes(1, self.opened(out)).frame, inside)
            report = self.check(program.stop())
        self.assertEqual(report.drops["esp_wrong_port"], 1)


class Ports(Wire):
    """ESP in UDP at a port of this end that the daemon has chosen; and flags of associations."""
    PORTS = 4501, 61000

    def tunnel(self, family, spi, flags="", ports=PORTS):
        out, back = self.add(spi, self.ENDS[family], ports, flags)
        self.select(out, "out", *self.INSIDE, f"proto udp dport {spi}")
        self.select(back, "fwd", *self.INSIDE[::-1], f"proto udp dport {spi}")
        return out, back

    def test_both_ways(self):
        with Spillway("--config", self.config(), namespace=self.net.middle) as program:
            program.ready()
            for family, spi in ((4, 0x1100), (6, 0x1200)):
                out, back = self.tunnel(family, spi)
                there = esp.udp_frame(*self.INSIDE, b"there", (1000, spi))
                here = esp.udp_frame(*self.INSIDE[::-1], bytes(1200), (1000, spi))

                self.sockets[0].send(there)
                self.assertEqual(self.comes(1, self.opened(out)).frame, there)
                sealed = back.encrypt(here, 1, dont_fragment=False)
                self.sockets[1].send(sealed)
                self.comes(0, lambda got, here=here: got == here)
                # IKE and what keeps a NAT's mapping alive are not ESP; nor is what goes to another end.
                source, own = self.ENDS[family][::-1]
                self.passes(esp.udp_frame(source, own, bytes(4) + b"IKE" + bytes(40), self.PORTS[::-1]))
                self.passes(esp.udp_frame(source, own, b"\xff", self.PORTS[::-1]))
                self.passes(esp.udp_frame(source, own[:-1] + "9", b"no ESP at all", self.PORTS[::-1]))
                # What says to be ESP, and is of no association.
                self.sockets[1].send(esp.udp_frame(source, own, b"\0\0\x99\x99" + bytes(60), self.PORTS[::-1]))
                self.passes(esp.udp_frame(source, own, b"\xff", self.PORTS[::-1], 2))
                if family == 4:
                    for part in esp.pieces(back.encrypt(here, 2, dont_fragment=False), 800):
                        self.sockets[1].send(part)
                    self.comes(0, lambda got, here=here: got == here)
            # The daemon has another port from now on: what goes to the old one is nobody's ESP.
            self.ip("state flush")
            self.passes(esp.udp_frame(*self.ENDS[4][::-1], b"\0\0\x99\x99" + bytes(60), self.PORTS[::-1], 3))
            report = self.check(program.stop())
        self.assertEqual(report.drops["esp_no_sa"], 2)
        self.assertEqual(report.drops["esp_reassembled"], 1)

    @unittest.skipIf(len(CPUS) < 2, "needs two CPUs")
    def test_lcore(self):
        """Whatever its ports, whole or in fragments: the ESP of an association comes to one lcore, and so does what is
        inside, which has a flow there."""
        for host in self.net.left, self.net.right:  # which have flows of their own else
            self.net.run(host, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        with Spillway("--config", self.config(CPUS[:2]), namespace=self.net.middle) as program:
            program.ready()
            for number in range(8):
                spi = 0x1100 + 16 * number
                _, back = self.tunnel(4, spi, ports=(4501 + number, 61000 + number))
                small, large = (esp.udp_frame(*self.INSIDE[::-1], bytes(size), (1000, spi)) for size in (100, 1200))
                self.sockets[1].send(back.encrypt(small, 1))
                self.comes(0, lambda got, small=small: got == small)
                for part in esp.pieces(back.encrypt(large, 2, dont_fragment=False), 800):
                    self.sockets[1].send(part)
                self.comes(0, lambda got, large=large: got == large)
            self.assertEqual(program.telemetry("/spillway/metrics,flows")["entries"], 8)
            self.check(program.stop())

    def test_ike(self):
        """Where a policy would have it IKE goes by the port of its ESP: no rule says so, and nothing else passes."""
        path = self.config()
        self.file("rules", "")
        with Spillway("--config", path, namespace=self.net.middle) as program:
            program.ready()
            ends = self.ENDS[4]
            out, _ = self.add(0x1100, ends, self.PORTS)
            self.select(out, "out", *ends)
            message = bytes(4) + b"IKE" + bytes(40)
            stray, good = (esp.udp_frame(*ends[::-1], message, (61000, port)) for port in (4502, 4501))
            for frame in stray, good:
                self.sockets[1].send(frame)
            self.comes(0, lambda got: self.assertNotEqual(got, stray) or got == good)
            self.ip("state flush")
            self.passes(esp.udp_frame(*ends[::-1], message, self.PORTS[::-1], 2))
            self.check(program.stop())

    def routed(self, default):
        """Rules judge what is for the host, which is not there."""
        return self.file("routed", f"""
[spillway]
idle = sleep
default = {default}
fast = {CPUS[0]}
[port wan]
device = net_pcap0,iface=wan
routed = yes
address = {self.ENDS[4][0]}/24
[router]
host-rules = yes
[ike]
xfrm = {self.path}
""")

    def test_ike_for_the_host(self):
        """Rules for the host do not judge IKE by the port of an association; by another one they do."""
        path = self.routed("deny")
        link = b"\2pcap\0" + b"\2\0\0\0\0\2"
        with Spillway("--config", path, namespace=self.net.middle) as program:
            program.ready()
            self.tunnel(4, 0x1100)
            for port, count in (4501, 3), (4502, 5):
                for _ in range(count):
                    message = bytes(4) + b"IKE" + bytes(40)
                    self.sockets[1].send(esp.udp_frame(*self.ENDS[4][::-1], message, (61000, port), link=link))
            until(lambda: (program.telemetry("/spillway/metrics,drops") or {}).get("denied", 0) >= 5, 20, "all have come")
            report = self.check(program.stop())
        self.assertEqual(report.drops["denied"], 5)
        self.assertGreaterEqual(report.drops["no_host"], 3)

    def test_directions_for_the_host(self):
        """Where rules judge the host's own, what is for it goes by policies for `in`, and what is forwarded by others."""
        path = self.routed("allow")
        link = b"\2pcap\0" + b"\2\0\0\0\0\2"
        own, far = self.ENDS[4]
        with Spillway("--config", path, namespace=self.net.middle) as program:
            program.ready()
            for way in "fwd", "out":
                self.ip(f"policy add src 0.0.0.0/0 dst 0.0.0.0/0 dir {way} priority 1 action block")
            self.ip(f"policy add src {far}/32 dst {own}/32 proto udp dport 9 dir in priority 2 action block")
            for number, (to, port, count) in enumerate(((own, 7, 3), (own, 9, 5), ("203.0.113.9", 7, 2))):
                for _ in range(count):
                    self.sockets[1].send(esp.udp_frame(far, to, b"x", (1000 + number, port), link=link))
            until(lambda: (program.telemetry("/spillway/metrics,drops") or {}).get("denied", 0) >= 7, 20, "all have come")
            report = self.check(program.stop())
        self.assertEqual(report.drops["denied"], 7)
        self.assertGreaterEqual(report.drops["no_host"], 3)

    def test_marks(self):
        """Flags: congestion is neither told outside nor heard of, and the packet inside gets the DSCP outside."""
        with Spillway("--config", self.config(), namespace=self.net.middle) as program:
            program.ready()
            for family, spi in ((4, 0x1100), (6, 0x1200)):
                out, back = self.tunnel(family, spi, "flag noecn decap-dscp")
                self.assertIn("noecn decap-dscp", self.ip(f"state get src {out.source} dst {out.destination} proto esp "
                                                          f"spi {spi:#x}"))
                self.sockets[0].send(esp.udp_frame(*self.INSIDE, b"there", (1000, spi), traffic=0x28 | 2))

                self.assertEqual(esp.traffic_class(self.comes(1, self.opened(out)).outer), 0x28)
                sealed = back.encrypt(esp.udp_frame(*self.INSIDE[::-1], b"here", (1000, spi), traffic=0x28), 1,
                                      outer_class=0xb8 | 3)
                self.sockets[1].send(sealed)
                expected = esp.udp_frame(*self.INSIDE[::-1], b"here", (1000, spi), traffic=0xb8)
                self.comes(0, lambda got, expected=expected: got == expected)
            self.check(program.stop())


class Fragments(Wire):
    """ESP that was fragmented on its way, as a kernel sends it where the path is narrow: of a daemon's associations."""

    def test_together(self):
        """Plain and in UDP, both families, in any order of fragments: in one lane with what came whole."""
        with Spillway("--config", self.config(), namespace=self.net.middle) as program:
            program.ready()
            gathered = 0
            for number, (family, ports) in enumerate(itertools.product((4, 6), (None, (4500, 4500), (4501, 61000)))):
                spi = 0x1100 + 16 * number
                _, back = self.add(spi, self.ENDS[family], ports)
                self.select(back, "fwd", *self.INSIDE[::-1], f"proto udp dport {spi}")
                frames = [esp.udp_frame(*self.INSIDE[::-1], bytes([n]) * 1200, (1000, spi), n) for n in range(1, 10)]
                for n, frame in enumerate(frames, 1):
                    sealed = back.encrypt(frame, n, dont_fragment=False)
                    parts = esp.pieces(sealed, (1000, 600, 504)[n % 3], n) if n % 4 else [sealed]
                    gathered += len(parts) - 1
                    for part in parts[::(-1, 1)[n % 2]]:
                        self.sockets[1].send(part)
                came = []
                while len(came) < len(frames):
                    came.append(self.comes(0, lambda got, frames=frames: got in frames and got))
                self.assertEqual(came, frames)
            report = self.check(program.stop())
        self.assertEqual(report.drops["esp_reassembled"], gathered)
        self.assertNotIn("esp_fragment", report.drops)

    def test_of_strangers(self):
        """What is ESP for this end from elsewhere than a peer is not gathered."""
        with Spillway("--config", self.config(), namespace=self.net.middle) as program:
            program.ready()
            _, back = self.add(0x1100, self.ENDS[4])
            self.select(back, "fwd", *self.INSIDE[::-1])
            frame = esp.udp_frame(*self.INSIDE[::-1], bytes(1200))
            stranger = esp.SA(back.name, back.key, back.spi, "tunnel", "198.51.100.7", back.destination)
            for part in esp.pieces(stranger.encrypt(frame, 1, dont_fragment=False), 800):
                self.sockets[1].send(part)
            self.sockets[1].send(back.encrypt(frame, 2))
            self.comes(0, lambda got: got == frame)
            report = self.check(program.stop())
        self.assertEqual(report.drops["esp_fragment"], 2)


class Ways(Wire):
    """Policies of one priority, which select the same packets as what comes and as what leaves."""

    def test_all_addresses(self):
        """One tunnel for all there is, as daemons set it up: what comes first, and first without an association."""
        anywhere = "0.0.0.0/0", "0.0.0.0/0"
        there = [esp.udp_frame(*self.INSIDE, b"there", identification=number) for number in range(3)]
        here = [esp.udp_frame(*self.INSIDE[::-1], b"here", identification=number) for number in range(3)]
        with Spillway("--config", self.config(), namespace=self.net.middle) as program:
            program.ready()
            ends = [esp.SA("aes-128-gcm", bytes(20), 0x1100, "tunnel", *ends) for ends in
                    (self.ENDS[4], self.ENDS[4][::-1])]
            for way, sa in ("in", ends[1]), ("fwd", ends[1]), ("out", ends[0]):
                self.select(sa, way, *anywhere)
            # It waits for the association.
            self.sockets[0].send(there[0])
            until(lambda: program.telemetry("/spillway/metrics,acquire")["asked"] > 0, 20, "it waits")
            out, back = self.add(0x1100, self.ENDS[4])
            self.assertEqual(self.comes(1, self.opened(out)).frame, there[0])
            self.sockets[1].send(back.encrypt(here[0], 1))
            self.comes(0, lambda got: got == here[0])
            # In the clear nothing comes from outside, whatever it says it is; and it stands in nobody's way.
            self.sockets[1].send(here[1])
            self.sockets[1].send(there[1])
            self.sockets[1].send(back.encrypt(here[2], 2))
            self.comes(0, lambda got: self.assertNotIn(got, (here[1], there[1])) or got == here[2])
            self.sockets[0].send(there[2])
            self.assertEqual(self.comes(1, self.opened(out)).frame, there[2])
            self.check(program.stop())

    def test_hub(self):
        """Two spokes, whose packets come back from the inside: in the clear from there alone, both ways."""
        spokes = ("10.2.0.0/24", "10.2.1.0/24")
        with Spillway("--config", self.config(), namespace=self.net.middle) as program:
            program.ready()
            tunnels = []
            for number, spoke in enumerate(spokes):
                out, back = self.add(0x1100 + 16 * number, ("192.0.2.1", f"198.51.100.{1 + number}"))
                for way, sa in ("in", back), ("fwd", back):
                    self.select(sa, way, spoke, "10.0.0.0/8")
                self.select(out, "out", "10.0.0.0/8", spoke)
                tunnels.append((out, back))
            hosts = "10.2.0.5", "10.2.1.5"
            for one in 0, 1:
                frame = esp.udp_frame(hosts[one], hosts[1 - one], b"x")
                self.sockets[1].send(tunnels[one][1].encrypt(frame, 1))
                self.comes(0, lambda got, frame=frame: got == frame)
                self.sockets[0].send(frame)
                self.assertEqual(self.comes(1, self.opened(tunnels[1 - one][0])).frame, frame)
                self.sockets[1].send(frame)  # as from the other spoke, and in the clear
                self.sockets[1].send(tunnels[one][1].encrypt(frame, 2))
                self.comes(0, lambda got, frame=frame: got == frame)
            report = self.check(program.stop())
        self.assertEqual(report.drops["esp_required"], 2)


if __name__ == "__main__":
    main()
