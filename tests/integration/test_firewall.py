# SPDX-License-Identifier: BSD-3-Clause
"""Which packets of a capture come out, against the naive firewall of oracle.py."""
import collections
import os
import random
import struct
import zlib

import capture
import oracle
from harness import CAPTURES, CPUS, READ, SPILLWAY, TestCase, main, run, spillway

OFFICE = """
# what people may do, and nothing else
allow tcp from 10.0.0.0/8 to any port 443
allow tcp from 10.0.0.0/8 to any port 80
deny  udp from any port 1000-2000 to 192.0.2.0/24   # before the next line: first match wins
allow udp from 10.0.0.0/8 to any port 53
allow icmp from any to any
allow icmp6 from any to any
deny  any from 2001:db8::/32 to any
allow udp from fd00::/64 to 2001:db8::/32 port 100-130
"""


def end_of(packet):
    """By which end of the wire a packet comes: either one, but the directions of a connection by two."""
    return 0 if packet.source is None else packet.first ^ (zlib.crc32(repr(packet.flow).encode()) & 1)


def datagram(source, target, port=7, protocol=17):
    """An IPv4 packet: UDP, or TCP that begins a connection."""
    transport = struct.pack("!HHHH", 4000, port, 8, 0) if protocol == 17 else \
        struct.pack("!HHIIBBHHH", 4000, port, 0, 0, 0x50, 2, 0, 0, 0)
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(transport), 0, 0, 64, protocol, 0) + source + target + \
        transport


class Firewall(TestCase):
    def through(self, frames, rules, *options, allow=False, file=None):
        """By rules, which the program may have from a file that says them in another way."""
        ends = [[frame for frame, packet in oracle.in_order(frames) if end_of(packet) == end]
                for end in (0, 1)]
        sources = [capture.write(self.folder / f"rx{end}.pcap", ends[end]) for end in (0, 1)]
        outs = [self.folder / f"tx{end}.pcap" for end in (0, 1)]
        report = self.check(spillway(
            "--port", f"in=net_pcap0,rx_pcap={sources[0]},tx_pcap={outs[0]}",
            "--port", f"out=net_pcap1,rx_pcap={sources[1]},tx_pcap={outs[1]}",
            "--wire", "in:out", "--rules", file or self.file("rules", rules),
            "--default", "allow" if allow else "deny", "--exit-on-idle", READ,
            *(options or ("--fast", CPUS[0]))))
        self.assertEqual(report.packets["received"], len(frames))
        for reason in report.drops:
            self.assertRegex(reason, "^(denied|malformed_.*|fragment_.*|non_ip|encapsulated_ip|link_too_deep|source_routed)$")
        for end, fates in enumerate(oracle.Firewall(rules, allow).fates(ends)):
            must, may = collections.Counter(), collections.Counter()
            for frame, fate in zip(ends[end], fates):
                must[frame] += fate == "passes"
                may[frame] += fate != "denied"
            got = collections.Counter(capture.read(outs[1 - end]))
            for frame in set(ends[end]) | set(got):
                if not must[frame] <= got[frame] <= may[frame]:
                    self.fail(f"{got[frame]} times, should be {must[frame]} to {may[frame]}: "
                              f"{oracle.parse(frame)}\n{rules}")
        return report


class Office(Firewall):
    frames = capture.read(CAPTURES / "office.pcap")

    def test_inline(self):
        report = self.through(self.frames, OFFICE)
        self.assertGreater(report["flows"]["hits"], 0)

    def test_pool(self):
        """With workers, and everything dispatched to them: the same packets, each flow in order."""
        report = self.through(self.frames, OFFICE, "--fast", CPUS[0], "--pool", CPUS[-1],
                              "--dispatch", "classify=pool", "--on-pool-full", "classify=inline")
        self.assertGreater(report["pool"]["classify"]["pool_packets"], 0)

    def test_default_allow(self):
        self.through(self.frames, "deny tcp from any to any port 23\n", allow=True)

    def test_no_rule_matches(self):
        report = self.through(self.frames, "deny any from any to any\n")
        self.assertEqual(report.packets["transmitted"],
                         sum(oracle.parse(frame).source is None for frame in self.frames))

    def test_one_direction_denied(self):
        """A reply passes because its connection was allowed, though a rule denies that direction."""
        self.through(self.frames, "deny any from 192.0.2.0/24 to any\nallow tcp from any to any\n")

    RULES = "allow tcp from 10.0.0.0/8 to any\nallow udp from 10.0.0.0/8 to any\n"

    def by_one_port(self, other):
        """What comes out when all comes in by one port."""
        source, out = capture.write(self.folder / "in.pcap", self.frames), self.folder / "out.pcap"
        self.check(spillway("--port", f"in=net_pcap0,rx_pcap={source}",
                            "--port", f"out=net_pcap1,{other}tx_pcap={out}", "--wire", "in:out", "--rules",
                            self.file("rules", self.RULES), "--exit-on-idle", READ, "--fast", CPUS[0]))
        return collections.Counter(capture.read(out))

    def test_all_by_one_end(self):
        """None is a reply that comes by the end by which the connection did: each is judged alone."""
        nothing = capture.write(self.folder / "nothing.pcap", [])
        firewall = oracle.Firewall(self.RULES)
        self.assertEqual(self.by_one_port(f"rx_pcap={nothing},"), collections.Counter(
            frame for frame in self.frames if firewall.allows(oracle.parse(frame))))

    def test_capture_of_a_wire(self):
        """A capture that is the only source of its wire has the replies, too."""
        self.assertEqual(self.by_one_port(""), collections.Counter(
            oracle.Firewall(self.RULES).passing(self.frames)))


class Headers(Firewall):
    """Rules see through tags, options, extension headers and fragments."""
    frames = capture.read(CAPTURES / "well_formed.pcap")

    def test_ports(self):
        self.through(self.frames, "allow any from any port 1 to any\nallow udp from any to any port 6\n")

    def test_fragments(self):
        """Rules with ports go for later fragments as well: they are those of the first."""
        for rules in ("deny any from any to any port 8\nallow any from any to any\n",
                      "allow udp from any to any port 8\ndeny any from any to any\n",
                      "allow tcp from any to any port 8\nallow 17 from any to any\n"):
            self.through(self.frames, rules)

    def test_protocols(self):
        self.through(self.frames, "".join(f"allow {number} from any to any\n"
                                          for number in (47, 50, 51, 59, 132, 253)))

    def test_malformed(self):
        frames = capture.read(CAPTURES / "malformed.pcap")
        self.through(frames, "allow any from any to any\n")


class Hidden(Firewall):
    """What a host behind would take as IP is judged as IP, or dropped by name."""

    def test_priority_tags(self):
        """Hosts take off any number of tags with id 0 (CVE-2021-27853)."""
        syn = bytes(12) + b"%s\x08\0" + datagram(bytes((10, 0, 0, 1)), bytes((192, 0, 2, 1)), 22, 6)
        frames = [syn.replace(b"%s", kind + b"\0\0" + b"\x81\0\0\0" * (count - 1))
                  for count in range(1, 13) for kind in (b"\x81\0", b"\x88\xa8", b"\x92\0")]
        report = self.through(frames, "deny any from any to any\n")
        self.assertEqual(report.drops, {"denied": 3 * 8, "link_too_deep": 3 * 4})
        report = self.through(frames, "allow tcp from any to any port 22\n")
        self.assertEqual(report.packets["transmitted"], 3 * 8)

    def test_networks(self):
        """Customers of one outer VLAN, of VLANs behind a priority, and of PPPoE sessions share no flow."""
        def tagged(*ids):
            return bytes(12) + b"".join(b"\x81\0" + struct.pack("!H", vlan) for vlan in ids)

        def session(number, packet):
            return bytes(12) + b"\x88\x64\x11\0" + struct.pack("!HHH", number, len(packet) + 2, 0x21) + packet
        a, b = bytes((10, 0, 0, 1)), bytes((192, 0, 2, 1))
        asks, answers = datagram(a, b, 4000), datagram(b, a, 4000)
        frames = [tagged(100, inner) + b"\x08\0" + asks for inner in range(1, 60)]
        frames += [tagged(100, inner) + b"\x08\0" + answers for inner in range(101, 160)]
        frames += [tagged(0, inner) + b"\x08\0" + asks for inner in range(201, 260)]
        frames += [tagged(0, inner) + b"\x08\0" + answers for inner in range(301, 360)]
        frames += [session(number, asks) for number in range(1, 60)]
        frames += [session(number, answers) for number in range(101, 160)]
        report = self.through(frames, "allow udp from 10.0.0.0/8 to any\n")
        self.assertEqual(report.drops, {"denied": len(frames) // 2})

    def test_nothing_around_ip(self):
        """Tags, SNAP, PPPoE, MPLS, VN-Tag, a backbone's frames, …: under rules that deny all."""
        frames = capture.read(CAPTURES / "well_formed.pcap") + capture.read(CAPTURES / "malformed.pcap")
        report = self.through(frames, "deny any from any to any\n")
        for reason in ("denied", "encapsulated_ip", "link_too_deep", "malformed_encapsulation",
                       "source_routed"):
            self.assertGreater(report.drops[reason], 0)
        self.assertEqual(report.packets["transmitted"],
                         sum(packet.type in oracle.NON_IP or bool(packet.neighbour)
                             for packet in map(oracle.parse, frames)))


class Inputs(Firewall):
    """Rules for what came in by a port: both ends of the wire send."""
    RULES = """
deny  any from 10.0.0.0/8 to any in out
allow udp from 10.0.0.0/8 to any
allow udp from any to any port 5000 in out,in
allow tcp from any to any in out
"""

    def datagram(self, *what):
        return bytes(12) + b"\x08\0" + datagram(*what)

    def test_inputs(self):
        inside, outside = bytes((10, 0, 0)), bytes((192, 0, 2))
        sent = {"in": [], "out": []}
        for number in range(1, 200):
            one = bytes((number,))
            far, other = outside + one, outside + bytes((255 - number,))
            sent["in"] += [self.datagram(inside + one, far), self.datagram(far, other, 5000),
                           self.datagram(far, other, 80, 6)]
            # Forged, with addresses of flows that the other end has opened or might open.
            sent["out"] += [self.datagram(inside + one, other), self.datagram(other, far, 5001),
                            self.datagram(inside + one, other, 5000),
                            self.datagram(other, far, 81, 6)]
        files = {name: (capture.write(self.folder / f"{name}.pcap", frames),
                        self.folder / f"from-{name}.pcap") for name, frames in sent.items()}
        report = self.check(spillway(
            "--port", f"in=net_pcap0,rx_pcap={files['in'][0]},tx_pcap={files['out'][1]}",
            "--port", f"out=net_pcap1,rx_pcap={files['out'][0]},tx_pcap={files['in'][1]}",
            "--wire", "in:out", "--rules", self.file("rules", self.RULES), "--exit-on-idle", READ,
            "--fast", CPUS[0]))
        for port, frames in sent.items():
            firewall = oracle.Firewall(self.RULES)
            passes = [frame for frame in frames if firewall.allows(oracle.parse(frame), port)]
            self.assertIn(len(passes) / len(frames), (0.25, 2 / 3))
            self.assertEqual(capture.read(files[port][1]), passes, port)
        self.assertEqual(set(report.drops), {"denied"})

    def test_workers_and_spreading(self):
        """The same where other lcores receive, and others classify: the input goes along."""
        frames = [self.datagram(bytes((10, 0, 0, number)), bytes((192, 0, 2, number)))
                  for number in range(200)]
        source = capture.write(self.folder / "in.pcap", frames)
        for port, passes in ("in", 200), ("out", 0):
            out = self.folder / f"{port}.out.pcap"
            self.check(spillway(
                "--port", f"in=net_pcap0,rx_pcap={source}", "--port", f"out=net_pcap1,tx_pcap={out}",
                "--wire", "in:out", "--rules",
                self.file("rules", f"allow udp from any to any in {port}\n"), "--exit-on-idle", READ,
                "--rx", CPUS[0], "--fast", f"{CPUS[0]},{CPUS[-1]}", "--pool", CPUS[-1], "--dispatch",
                "classify=pool", "--on-pool-full", "classify=inline"))
            self.assertEqual(len(capture.read(out)), passes)


class Sets(Firewall):
    """Lists, sets and files within files mean what the long form says."""
    frames = capture.read(CAPTURES / "office.pcap") + capture.read(CAPTURES / "well_formed.pcap")

    def test_long_form(self):
        inside = "10.0.0.0/9", "10.128.0.0/10", "10.192.0.0/10", "fd00::/64"
        outside = "192.0.2.0/25", "2001:db8::/32"
        self.file("inside.txt", "# ours\n" + "\n".join(inside[1:]) + "\n")
        self.file("shared.rules", f"set inside = {inside[0]} file inside.txt\n"
                  f"set outside = {' '.join(outside)}\nallow tcp from @inside to any port 443,80\n")
        short = self.file("short.rules", "include shared.rules\ndeny udp from any port 1000-1400,1401-2000 "
                          "to @outside\nallow udp from @inside to any port 53,100-130\nallow icmp6 from any to any\n")
        long = [f"allow tcp from {prefix} to any port {port}\n" for prefix in inside for port in (443, 80)]
        long += [f"deny udp from any port 1000-2000 to {prefix}\n" for prefix in outside]
        long += [f"allow udp from {prefix} to any port {ports}\n" for prefix in inside
                 for ports in ("53", "100-130")]
        report = self.through(self.frames, "".join(long) + "allow icmp6 from any to any\n", file=short)
        self.assertGreater(report.packets["transmitted"], 100)

    def test_a_million_prefixes(self):
        """In time and memory; the last of them is the one that decides."""
        self.file("many.txt", "".join(f"{20 + i // 65536}.{i // 256 % 256}.{i % 256}.0/24\n"
                                      for i in range(1_000_000)))
        frames = [bytes(12) + b"\x08\0" + datagram(bytes((10, 0, 0, 1)), bytes((35, low, 63, 1)))
                  for low in (65, 66, 67)]
        out = self.folder / "out.pcap"
        report = self.check(spillway(
            "--port", f"in=net_pcap0,rx_pcap={capture.write(self.folder / 'in.pcap', frames)}",
            "--port", f"out=net_pcap1,tx_pcap={out}", "--wire", "in:out", "--rules",
            self.file("rules", "set many = file many.txt\nallow any from any to @many\n"),
            "--exit-on-idle", READ, "--fast", CPUS[0]))
        # 1 000 000 = 15 * 65536 + 66 * 256 + 64: 35.66.63.0/24 is the last.
        self.assertEqual(capture.read(out), frames[:2])
        self.assertEqual(report.drops, {"denied": 1})


class Explain(TestCase):
    """--check --explain says of a packet in words what the rules say of it."""
    ports = "--port", "in=net_null0", "--port", "out=net_null1", "--wire", "in:out", "--check"

    def explain(self, rules, packet, status=0):
        done = run(SPILLWAY, *self.ports, "--rules", self.file("some.rules", rules), "--explain", packet,
                   check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        return (done.stdout if status == 0 else done.stderr).replace(f"{self.folder}/", "").splitlines()

    def test_what_the_oracle_says(self):
        """Which rule it is, of a packet of each kind in the captures."""
        rules = OFFICE.strip().splitlines() + ["allow any from any to any port 0-1023 in in",
                                               "reject icmp from any to any type 8,3/1",
                                               "allow 58 from any to any in out type 128"]
        packets = {(str(packet.source), str(packet.destination), packet.protocol, packet.ports, packet.message)
                   : packet for _, packet in oracle.sort_out(Sets.frames) if packet.source and not packet.reason}
        for packet in random.Random(1).sample(list(packets.values()), 30):
            ends = [f"[{end}]:{packet.ports[place]}" if packet.ports else str(end)
                    for place, end in enumerate((packet.source, packet.destination))]
            kind = ""
            if packet.message and packet.message[0] is not None:
                kind = f" type {packet.message[0]}/{packet.message[1]}"
            for port in "in", "out":
                matching = [(place + 1, line.split()[0]) for place, line in enumerate(rules)
                            if line.split("#")[0] and oracle.Rule(line).matches(packet, port)]
                said = self.explain("\n".join(rules), f"{packet.protocol} {ends[0]} > {ends[1]} in {port}{kind}")
                self.assertEqual(said[0], f"{matching[0][1]}: some.rules:{matching[0][0]}" if matching
                                 else "deny: no rule matches, and that is --default")

    def test_beyond_a_limit(self):
        """Which rules come next, and where that ends."""
        rules = ("allow udp from any to any port 53,50-60 limit 10mbit\ndeny udp from 10.0.0.9 to any\n"
                 "allow any from any to any limit 8kbit name \"rest\"\n")
        self.assertEqual(self.explain(rules, "udp 10.0.0.1:1 > 10.0.0.2:53"), [
            "allow: some.rules:1", 'beyond 10000000 bit/s allow: some.rules:3 "rest"',
            "beyond 8000 bit/s deny: no rule matches, and that is --default"])
        self.assertEqual(self.explain(rules, "udp 10.0.0.9:1 > 10.0.0.2:53"), [
            "allow: some.rules:1", "beyond 10000000 bit/s deny: some.rules:2"])

    def test_near(self):
        """Rules that had said something else, but for one thing."""
        rules = "set ours = 10.0.0.0/8\nreject tcp from @ours to any port 22 in out\n" \
            "allow tcp from @ours to 192.0.2.1 port 1-9,443\ndeny tcp from any to any port 7\n"
        self.assertEqual(self.explain(rules, "tcp 10.0.0.1:5 > 192.0.2.1:443 in in"), ["allow: some.rules:3"])
        self.assertEqual(self.explain(rules, "tcp 11.0.0.1:5 > 192.0.2.1:7 in in"),
                         ["deny: some.rules:4", "some.rules:3, to allow, does not match: source"])
        self.assertEqual(self.explain("allow icmp from any to any type echo-request/0", "icmp 10.0.0.1 > 10.0.0.2 "
                                      "type echo-request"), ["allow: some.rules:1"])
        self.assertEqual(self.explain(rules, "tcp 10.0.0.1:5 > 192.0.2.2:443 in in"),
                         ["deny: no rule matches, and that is --default",
                          "some.rules:3, to allow, does not match: destination"])
        self.assertEqual(self.explain("deny tcp from any to any port 1\nallow udp from any to any port 1,2,3\ndeny any "
                                      "from any to any\n", "udp 10.0.0.1:5 > 10.0.0.2:7 in in"),
                         ["deny: some.rules:3", "some.rules:2, to allow, does not match: ports"])

    def test_never_matches(self):
        """--check warns of what one earlier rule covers, and goes on."""
        rules = "allow tcp from 10.0.0.0/8 to any\ndeny udp from any to any\ndeny tcp from 10.1.0.0/16 to any port 22,80\n"
        done = run(SPILLWAY, *self.ports, "--rules", self.file("some.rules", rules))
        warned = [line for line in done.stderr.splitlines() if "never" in line]
        self.assertEqual(warned, [f"spillway: {self.folder}/some.rules:3: this rule never matches: {self.folder}/some.rules:1 "
                                  "matches all that it would"])
        many = run(SPILLWAY, *self.ports, "--rules", self.file("some.rules", rules[:33] + "deny tcp from 10.1.0.0/16 to any\n" * 25))
        self.assertEqual(sum("this rule never matches" in line for line in many.stderr.splitlines()), 20)
        self.assertIn("5 more rules never match", many.stderr)

    def test_no_packet(self):
        for packet, why in (("", "expected a protocol"), ("tcp 10.0.0.1", "expected a protocol"),
                            ("tcp 10.0.0.1:1 to 10.0.0.2:2", "expected a protocol"),
                            ("tcp 10.0.0.0/8 > 10.0.0.2", "expected one packet"),
                            ("tcp 10.0.0.1:1 > 10.0.0.2", "expected one packet"),
                            ("any 10.0.0.1 > 10.0.0.2", "expected one packet"),
                            ("tcp 10.0.0.1:1-2 > 10.0.0.2:3", "expected one packet"),
                            ("tcp 10.0.0.1:1 > 10.0.0.2:3 in lan", "there is no port lan"),
                            ("tcp 10.0.0.1:x > 10.0.0.2:3", "'x': not a port"),
                            ("icmp 10.0.0.1 > 10.0.0.2 type 3,4", "expected one packet"),
                            ("tcp 10.0.0.1:1 > 10.0.0.2:3 " + 20 * "in ", "more words"),
                            ("tcp 10.0.0.1:1 > " + 600 * "1", "too long")):
            said, = self.explain("allow any from any to any\n", packet, 2)
            self.assertIn("--explain:", said)
            self.assertIn(why, said)
        said, = self.explain("allow any from any to any in in\n", "tcp 10.0.0.1:1 > 10.0.0.2:3", 2)
        self.assertIn("expected the one that it comes in by", said)


class Reject(Firewall):
    """What a rule rejects is dropped, and its sender told, as scapy reads it."""

    def test_answers(self):
        from scapy.all import Ether, ICMP, ICMPv6DestUnreach, IP, IPv6, Raw, TCP, UDP, Dot1Q
        link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        hosts4, hosts6 = IP(src="10.0.0.1", dst="192.0.2.1"), IPv6(src="fd00::1", dst="2001:db8::1")
        ports = dict(sport=4000, dport=113)
        rejected = [link / hosts4 / TCP(**ports, seq=1000),
                    link / Dot1Q(vlan=7) / hosts6 / TCP(**ports, seq=2000),
                    link / hosts4 / TCP(**ports, flags="PA", seq=5, ack=777) / Raw(b"1234"),
                    link / hosts4 / UDP(**ports) / Raw(b"abcd"),
                    link / hosts6 / UDP(**ports) / Raw(b"abcd")]
        silent = [link / hosts4 / TCP(**ports, flags="R"),  # a RST, a group, an error, a later fragment
                  link / IP(src="10.0.0.1", dst="224.0.0.5") / UDP(**ports),
                  link / hosts4 / ICMP(type=3, code=1) / IP(src="192.0.2.9", dst="10.0.0.1") / UDP(**ports)]
        source = capture.write(self.folder / "in.pcap", [bytes(frame) for frame in rejected + silent])
        back = self.folder / "back.pcap"
        report = self.check(spillway(
            "--port", f"in=net_pcap0,rx_pcap={source},tx_pcap={back}", "--port", "out=net_null1,no-rx=1",
            "--wire", "in:out", "--rules", self.file("rules", "reject any from any to any\n"),
            "--exit-on-idle", READ, "--fast", CPUS[0]))
        self.assertEqual(report.drops, {"rejected": len(rejected) + len(silent)})
        self.assertEqual((report["exits"]["resets"], report["exits"]["icmp_prohibited"]), (3, 2))
        answers = [Ether(frame) for frame in capture.read(back)]
        self.assertEqual(len(answers), len(rejected))
        for answer, sent in zip(answers, rejected):
            self.assertEqual((answer.src, answer.dst), (sent.dst, sent.src))
            layer = IPv6 if IPv6 in sent else IP
            self.assertEqual((answer[layer].src, answer[layer].dst), (sent[layer].dst, sent[layer].src))
            # Checksums: scapy computes them anew when they are not there.
            whole = Ether(bytes(answer))
            for part in (IP, TCP, ICMP, ICMPv6DestUnreach):
                if part in whole:
                    name = "cksum" if part is ICMPv6DestUnreach else "chksum"
                    was = getattr(whole[part], name)
                    delattr(whole[part], name)
                    self.assertEqual(getattr(Ether(bytes(whole))[part], name), was, part)
        flags = [(str(answer[TCP].flags), answer[TCP].seq, answer[TCP].ack) for answer in answers[:3]]
        self.assertEqual(flags, [("RA", 0, 1001), ("RA", 0, 2001), ("R", 777, 0)])
        self.assertEqual(answers[1][Dot1Q].vlan, 7)
        self.assertEqual((answers[3][ICMP].type, answers[3][ICMP].code), (3, 13))
        self.assertEqual(answers[4][ICMPv6DestUnreach].code, 1)

    def test_each_packet(self):
        """Who tries again with the same ports is told again, within the limit: the flow is known by then."""
        from scapy.all import Ether, IP, TCP
        frame = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="10.0.0.1", dst="192.0.2.1")
                      / TCP(sport=4000, dport=113))
        source, back = capture.write(self.folder / "in.pcap", [frame] * 80), self.folder / "back.pcap"
        report = self.check(spillway(
            "--port", f"in=net_pcap0,rx_pcap={source},tx_pcap={back}", "--port", "out=net_null1,no-rx=1",
            "--wire", "in:out", "--rules", self.file("rules", "reject any from any to any\n"),
            "--exit-on-idle", READ, "--fast", CPUS[0]))
        self.assertEqual(report.drops, {"rejected": 80})
        answers = len(capture.read(back))
        self.assertGreater(answers, 1)
        self.assertEqual(answers + report["exits"]["rejected_limited"], 80)


class Random(Firewall):
    """Random rules, and a capture in which they have something to do."""

    def setUp(self):
        super().setUp()
        self.seed = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"SEED={self.seed}", flush=True)
        self.dice = random.Random(self.seed)

    def network(self, addresses):
        if self.dice.random() < 0.3:
            return "any"
        address = self.dice.choice(addresses)
        length = self.dice.choice((0, 8, 16, 24, 28, 31, 32) if address.version == 4
                                  else (0, 16, 32, 64, 112, 127, 128))
        return str(oracle.ipaddress.ip_network(f"{address}/{length}", strict=False))

    def rule(self, packets):
        while True:
            source = self.network([packet.source for packet in packets])
            target = self.network([packet.destination for packet in packets])
            if "any" in (source, target) or (":" in source) == (":" in target):
                break
        packet = self.dice.choice(packets)
        protocol = self.dice.choice(("any", "tcp", "udp", str(packet.protocol)))
        ports = ["", ""]
        if packet.ports and protocol in ("any", "tcp", "udp", "6", "17"):
            for end in (0, 1):
                if self.dice.random() < 0.4:
                    low = packet.ports[end] - packet.ports[end] % self.dice.choice((1, 16, 4096))
                    high = min(65535, low + self.dice.choice((0, 15, 8191)))
                    ports[end] = f" port {low}-{high}" if high > low else f" port {low}"
        return (f"{self.dice.choice(('allow', 'deny'))} {protocol} from {source}{ports[0]} "
                f"to {target}{ports[1]}\n")

    def test_random_rules(self):
        frames = capture.read(CAPTURES / "office.pcap") + capture.read(CAPTURES / "well_formed.pcap")
        packets = [packet for packet in map(oracle.parse, frames) if packet.source]
        for turn in range(12):
            rules = "".join(self.rule(packets) for _ in range(self.dice.choice((1, 5, 40, 300))))
            self.dice.shuffle(frames)
            options = () if turn % 2 else ["--fast", CPUS[0], "--pool", CPUS[-1], "--dispatch",
                                           "classify=pool", "--on-pool-full", "classify=inline"]
            with self.subTest(turn=turn, seed=self.seed, pool=not turn % 2):
                self.through(frames, rules, *options, allow=turn % 3 == 0)


if __name__ == "__main__":
    main()
