# SPDX-License-Identifier: BSD-3-Clause
"""What rules with `limit` let through, and which rule decides about the rest."""
import json
import time

import capture
import esp
import harness
from associations import INLINE, IpsecCase
from harness import CPUS, READ, TestCase, main, spillway

SIZE = 100  # bytes of an IP packet
RATE = "8kbit"  # 1000 bytes a second


def frame(flow, back=False, six=False):
    """Of a connection from 10.0.*.* to port 53 of 192.0.2.1, one way or back."""
    if six:
        ends = f"2001:db8::{flow + 1:x}", "2001:db8:1::1"
    else:
        ends = f"10.0.{flow // 250}.{flow % 250 + 1}", "192.0.2.1"
    ports = 1000 + flow % 1000, 53
    if back:
        ends, ports = ends[::-1], ports[::-1]
    return esp.udp_frame(*ends, bytes(SIZE - (48 if six else 28)), ports)


class Limit(TestCase):
    """On captures, as fast as they go: a bucket has its burst, and what comes in the time that it takes."""
    WAYS = (("--fast", CPUS[0]),
            ("--fast", CPUS[0], "--pool", CPUS[-1], "--dispatch", "classify=pool", "--on-pool-full", "classify=inline"))

    def through(self, frames, rules, *options):
        """The report, its rules, and the most that a bucket of so many bytes has had, in packets."""
        source = capture.write(self.folder / "in.pcap", frames)
        begun = time.monotonic()
        report = self.check(spillway(
            "--port", f"in=net_pcap0,rx_pcap={source}", "--port",
            f"out=net_pcap1,tx_pcap={self.folder / 'out.pcap'},infinite_rx=0", "--wire", "in:out", "--exit-on-idle",
            READ, "--rules", self.file("rules", rules), *(options or self.WAYS[0])))
        self.most = lambda burst: (burst + 1000 * (time.monotonic() - begun)) // SIZE
        return report, report["rules"]

    def balance(self, report, frames):
        """Each packet is counted by one rule, or beyond a limit without one."""
        drops = report.drops
        self.assertEqual(sum(rule["packets"] for rule in report["rules"]) + drops.get("beyond_limit", 0), len(frames))
        denied = sum(rule["packets"] for rule in report["rules"] if rule["action"] == "deny")
        self.assertEqual(drops.get("denied", 0), denied)

    def test_one_rule(self):
        """One connection and many, of both families: the burst passes, and no more than the rate allows."""
        for way in self.WAYS:
            for flows, six in ((1, False), (1, True), (200, False)):
                frames = [frame(number % flows, six=six) for number in range(2000)]
                report, (rule, default) = self.through(
                    frames, f"allow udp from any to any limit {RATE} burst 20000\n", *way)
                with self.subTest(way=way, flows=flows, six=six):
                    self.assertTrue(200 <= rule["packets"] <= self.most(20000), rule)
                    self.assertEqual(report.packets["transmitted"], rule["packets"])
                    self.assertEqual(rule["beyond_limit"], len(frames) - rule["packets"])
                    self.assertEqual(rule["bytes"], SIZE * rule["packets"])
                    self.assertLessEqual(rule["connections"], flows)
                    self.assertGreater(default["packets"], 0)
                    self.balance(report, frames)

    def test_order(self):
        """What passes by the next rule leaves in its place."""
        frames = [esp.udp_frame("10.0.0.1", "192.0.2.1", number.to_bytes(2, "big") + bytes(SIZE - 30), (1000, 53))
                  for number in range(1500)]
        for way in self.WAYS:
            report, rules = self.through(frames, f"allow udp from any to any limit {RATE} burst 5000\n"
                                         "allow udp from any to any limit 1000gbit\n"
                                         "allow udp from any to any\n", *way)
            self.assertTrue(50 <= rules[0]["packets"] <= self.most(5000), rules)
            passed = [packet[42:44] for packet in capture.read(self.folder / "out.pcap")]
            self.assertEqual(passed, sorted(passed))
            self.assertEqual(len(passed) + report.drops.get("beyond_limit", 0), len(frames))
            self.assertEqual(rules[2]["beyond_limit"], 0)
            self.balance(report, frames)

    def test_next_limit(self):
        """Each rule has its own bucket; the packet that one has no room for may find some in the next."""
        frames = [frame(number % 7) for number in range(1000)]
        report, rules = self.through(
            frames, f'allow udp from any to any port 53 limit {RATE} burst 4000 name "dns"\n'
            "deny udp from 10.0.0.1 to any\n"
            f"allow udp from any to any limit {RATE} burst 6000\n"
            "reject udp from any to any log\n", "--rule-log", self.folder / "log", *self.WAYS[0])
        self.assertTrue(40 <= rules[0]["packets"] <= self.most(4000), rules)
        self.assertTrue(60 <= rules[2]["packets"] <= self.most(6000), rules)
        self.assertEqual(rules[0]["beyond_limit"], 1000 - rules[0]["packets"])
        self.assertGreater(rules[1]["packets"], 0)
        self.assertGreater(rules[3]["packets"], 0)
        self.assertEqual(len(capture.read(self.folder / "out.pcap")), rules[0]["packets"] + rules[2]["packets"])
        self.balance(report, frames)
        for line in (self.folder / "log").read_text().splitlines():
            self.assertEqual(json.loads(line)["line"], 4)

    def test_replies(self):
        """They are the connection's, and the next rule is asked about who began it."""
        frames = [frame(0)] + [frame(0, back=True) for _ in range(500)]
        report, rules = self.through(
            frames, f"allow udp from any to any port 53 limit {RATE} burst 5000\n"
            f"allow udp from 10.0.0.0/16 to any port 53 limit {RATE} burst 3000\n")
        self.assertTrue(50 <= rules[0]["packets"] <= self.most(5000), rules)
        self.assertTrue(30 <= rules[1]["packets"] <= self.most(3000), rules)
        self.balance(report, frames)

    def test_refused_first_packet(self):
        """What none let through is no connection: its other side may not send."""
        for way in self.WAYS:
            frames = [frame(number % 50) for number in range(500)] + [frame(60)] * 2 + [frame(60, back=True)] * 20
            report, (rule, _) = self.through(frames, f"allow udp from 10.0.0.0/16 to any limit {RATE} burst 5000\n", *way)
            self.assertTrue(50 <= rule["packets"] <= self.most(5000), rule)
            self.assertNotIn(frame(60, back=True), capture.read(self.folder / "out.pcap"))
            self.assertLessEqual(rule["connections"], rule["packets"])
            self.balance(report, frames)

    def test_counted_once(self):
        """Where a packet of a known connection has a rule of its own, it is counted there, or beyond that rule's limit."""
        from scapy.all import Ether, IP, TCP

        def segment(source, destination, ports, flags):
            return bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", type=0x800) / IP(src=source, dst=destination) /
                         TCP(sport=ports[0], dport=ports[1], flags=flags) / bytes(200))

        there, back = ("10.0.0.1", "192.0.2.1", (1000, 80)), ("192.0.2.1", "10.0.0.1", (80, 1000))
        frames = [segment(*there, "S")] * 33 + [segment(*back, "SA")] * 33 + [segment(*there, "A")] * 33
        frames += [segment(*back, "S")] * 150
        report, rules = self.through(frames, "allow tcp from 10.0.0.0/16 to any port 80\n"
                                     f"allow tcp from 192.0.2.1 to any limit {RATE} burst 1500\n")
        self.assertLessEqual(max(rule["packets"] for rule in rules), len(frames))
        self.assertGreater(rules[1]["beyond_limit"], 0)
        self.balance(report, frames)

    def test_larger_than_the_burst(self):
        """Such a packet never finds room."""
        frames = [esp.udp_frame("10.0.0.1", "192.0.2.1", bytes(1480), (1000, 53)) for _ in range(20)]
        _, (rule, _) = self.through(frames, f"allow udp from any to any limit {RATE} burst 1500\n")
        self.assertEqual((rule["packets"], rule["beyond_limit"]), (0, 20))

    def test_without_time_to_ask(self):
        """A flood beyond a limit costs the lcore no more than its allowance; what finds none has a name."""
        frames = [frame(number % 50) for number in range(20000)]
        report, (rule, _) = self.through(frames, f"allow udp from any to any limit {RATE} burst 5000\n")
        self.assertTrue(50 <= rule["packets"] <= self.most(5000), rule)
        self.assertEqual(report.drops.get("denied", 0) + report.drops.get("beyond_limit", 0),
                         rule["beyond_limit"])
        self.balance(report, frames)

class Marks(TestCase):
    def marked(self, frames, rules):
        """What came out, and in the order in which it went in."""
        source = capture.write(self.folder / "in.pcap", frames)
        self.check(spillway("--port", f"in=net_pcap0,rx_pcap={source}", "--port",
                            f"out=net_pcap1,tx_pcap={self.folder / 'out.pcap'},infinite_rx=0", "--wire", "in:out",
                            "--exit-on-idle", READ, "--rules", self.file("rules", rules), "--fast", CPUS[0]))
        return capture.read(self.folder / "out.pcap")

    def test_codepoints(self):
        """Of what a rule lets through, replies included; ECN's bits and all the rest stay."""
        def of(port, traffic, six=False, back=False):
            ends = ("2001:db8::1", "2001:db8::2") if six else ("10.0.0.1", "192.0.2.1")
            ports = 4000, port
            if back:
                ends, ports = ends[::-1], ports[::-1]
            return esp.udp_frame(*ends, bytes(40), ports, traffic=traffic)

        expected = {53: 46, 80: 0, 443: None}
        sent = [(port, traffic, six, back) for _ in range(2) for port in expected for six in (False, True)
                for back in (False, True) for traffic in (0, 3, 0xb9, 0xff)]
        out = self.marked([of(*one) for one in sent], "allow udp from any to any port 53 dscp ef\n"
                          "allow udp from any to any port 80 dscp cs0\nallow udp from any to any\n")
        for (port, traffic, *how), frame_out in zip(sent, out, strict=True):
            if expected[port] is not None:
                traffic = expected[port] << 2 | traffic & 3
            self.assertEqual(frame_out, of(port, traffic, *how), (port, traffic, how))

    def test_beyond_a_limit(self):
        """It has the mark of the rule that lets it through."""
        frames = [esp.udp_frame("10.0.0.1", "192.0.2.1", bytes(72), (1000, 53)) for _ in range(200)]
        out = self.marked(frames, f"allow udp from any to any limit {RATE} burst 5000 dscp ef\n"
                          "allow udp from any to any limit 1000gbit dscp le\n")
        marks = [packet[15] >> 2 for packet in out]
        self.assertGreaterEqual(marks.count(46), 50)
        self.assertEqual(marks.count(46) + marks.count(1), len(out))
        self.assertEqual(marks[:50], [46] * 50)


class Protected(IpsecCase):
    def test_no_clear_packet(self):
        """What is beyond the limit of a rule that protects goes to no rule that would let it leave in the clear."""
        out, into = self.association("out"), self.association("in")
        packet = into.packet(bytes(72))
        frames = [out.frame(bytes(72))] * 200 + [into.sealed(packet, number + 1) for number in range(200)]
        rules = "".join(one.rule().rstrip() + f" limit {RATE} burst 5000\n" for one in (out, into))
        run = self.through(frames, [out, into], rules + "allow any from any to any\n")
        protected, opened, allow, _ = run.report["rules"]
        for rule in protected, opened:
            self.assertGreaterEqual(rule["packets"], 50)
            self.assertEqual(rule["packets"] + rule["beyond_limit"], 200)
        self.assertEqual(run.report.drops, {"beyond_limit": protected["beyond_limit"] + opened["beyond_limit"]})
        self.assertEqual(allow["packets"], 0)
        said = harness.run(harness.SPILLWAY, "--config", self.folder / "ipsec.conf", "--check", "--explain",
                           "udp {}:1 > {}:2".format(*out.hosts())).stdout.splitlines()
        self.assertEqual(said[1], "beyond 8000 bit/s deny: what is to be protected does not go by another rule")
        self.assertEqual(len(run.out), protected["packets"] + opened["packets"])
        self.assertEqual(sum(esp.split(frame)[1] == packet for frame in run.out), opened["packets"])

    def test_reply_beyond_a_limit(self):
        """Where the next rule protects who began it, an answer does not go by that one's association."""
        out = self.association("out")
        there, back = (esp.udp_frame(*ends, bytes(72), ports) for ends, ports in (
            (out.hosts(), (1000, 53)), (out.hosts()[::-1], (53, 1000))))
        run = self.through([there] + [back] * 200, [out],
                           f"allow udp from any to any port 53 limit {RATE} burst 5000\n" + out.rule())
        allowed, protected, _ = run.report["rules"]
        self.assertGreaterEqual(allowed["packets"], 50)
        self.assertEqual(allowed["packets"] + allowed["beyond_limit"], 201)
        self.assertEqual(run.report["sas"][out.name]["packets"], 0)
        self.assertEqual(len(run.out) + len(run.back), allowed["packets"])
        self.assertEqual(sum(run.report.drops.values()), allowed["beyond_limit"])
        self.assertLessEqual(protected["packets"], allowed["beyond_limit"])


if __name__ == "__main__":
    main()
