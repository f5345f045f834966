# SPDX-License-Identifier: BSD-3-Clause
"""What rules have decided is counted: of each line packets, bytes, connections, and when the last came."""
import os
import random
import signal
import time

import capture
import oracle
from harness import CAPTURES, CPUS, Net, Spillway, TestCase, main, spillway, until

PORTS = ("--wire", "in:out", "--exit-on-idle", "300ms")


class Counts(TestCase):
    """On captures, against the oracle."""

    def setUp(self):
        super().setUp()
        self.seed = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"SEED={self.seed}", flush=True)
        self.dice = random.Random(self.seed)

    def told(self, frames, rules, *options):
        """The rules of the report, the default as the last."""
        source = capture.write(self.folder / "in.pcap", frames)
        report = self.check(spillway(
            "--port", f"in=net_pcap0,rx_pcap={source}", "--port", "out=net_null0,no-rx=1", *PORTS,
            "--rules", self.file("rules", rules), *(options or ("--fast", CPUS[0]))))
        return report["rules"]

    def rule(self, packets):
        """One that some packets match, and others nearly."""
        packet = self.dice.choice(packets)
        ends = []
        for address in (packet.source, packet.destination):
            length = self.dice.choice((0, 8, 16, 28, 32)) * (1 if address.version == 4 else 4)
            ends.append(str(oracle.ipaddress.ip_network(f"{address}/{length}", strict=False)))
        protocol = self.dice.choice(("any", str(packet.protocol)))
        return f"{self.dice.choice(('allow', 'deny'))} {protocol} from {ends[0]} to {ends[1]}"

    def test_against_the_oracle(self):
        """Both directions of a wire in one capture, on the lcore and by way of the pool."""
        frames = [frame for frame, packet in oracle.sort_out(capture.read(CAPTURES / "office.pcap"))
                  if packet.piece is None]
        packets = [packet for packet in map(oracle.parse, frames) if packet.source]
        for turn in range(12):
            rules = [self.rule(packets) for _ in range(self.dice.choice((0, 1, 5, 40)))]
            options = () if turn % 2 else ("--fast", CPUS[0], "--pool", CPUS[-1], "--dispatch", "classify=pool",
                                           "--on-pool-full", "classify=inline")
            before = int(time.time())
            told = self.told(frames, "\n".join(rules), *options)
            expected = oracle.Firewall("\n".join(rules)).counts(frames)
            with self.subTest(turn=turn, seed=self.seed, rules=rules):
                self.assertEqual([[rule[key] for key in ("packets", "bytes", "connections")] for rule in told], expected)
                self.assertEqual([rule["line"] for rule in told], [*range(1, len(rules) + 1), None])
                self.assertEqual([rule["action"] for rule in told], [rule.split()[0] for rule in rules] + ["deny"])
                for rule in told:
                    if rule["packets"]:
                        self.assertTrue(before - 1 <= rule["last"] <= time.time() + 1, rule)
                    else:
                        self.assertIsNone(rule["last"])

    def test_lists_and_names(self):
        """A line with lists is one rule, and an included file is named."""
        frames = [frame for frame, packet in oracle.sort_out(capture.read(CAPTURES / "office.pcap"))
                  if packet.source and packet.protocol == oracle.UDP and packet.piece is None]
        self.file("more", 'allow udp from any to any port 0-1023,1024-65535 name "all of UDP # here"\n')
        told = self.told(frames, "# first\ninclude more\n")
        self.assertEqual([(rule["name"], rule["line"], rule["packets"]) for rule in told],
                         [("all of UDP # here", 1, len(frames)), (None, None, 0)])
        self.assertEqual(told[0]["file"], str(self.folder / "more"))

    def test_many(self):
        """Of more than 4096 rules those are told that matched, or have a name, and the default."""
        frames = capture.read(CAPTURES / "office.pcap")
        lines = [f"deny tcp from 198.18.{number // 256}.{number % 256} to 198.18.0.0/15" for number in range(4200)]
        lines[70] += ' name "watched"'
        lines[4100] = "allow any from any to any"
        told = self.told(frames, "\n".join(lines))
        self.assertEqual([(rule["line"], rule["name"]) for rule in told], [(71, "watched"), (4101, None), (None, None)])
        self.assertEqual(told[0]["packets"], 0)
        self.assertGreater(told[1]["packets"], 100)


class Reload(TestCase):
    """What was counted stays with a rule that stays, wherever it stands."""
    RULES = 'allow icmp from any to any name "ping"\n'

    def reload(self, program, rules, refused=False):
        said = "stay as they were" if refused else "is in force"
        before = program.log.count(said)
        self.file("rules", rules)
        program.signal(signal.SIGHUP)
        until(lambda: program.log.count(said) > before, 20, f"{said}\n{program.log}")

    def test_reload(self):
        net = Net()
        self.addCleanup(net.close)
        path = self.file("rules", self.RULES)
        with Spillway("--port", "lan=net_af_packet0,iface=lan", "--port", "wan=net_af_packet1,iface=wan", "--wire",
                      "lan:wan", "--rules", path, "--idle", "sleep", namespace=net.middle) as program:
            def packets(rule):
                return program.telemetry(f"/spillway/rule,{rule}")["packets"]

            program.ready()
            self.assertEqual(net.ping(net.left, "10.9.0.2", count=2), 2)
            self.assertEqual(packets("ping"), 4)
            self.assertEqual(packets(f"{path}:1"), 4)
            self.assertEqual(program.telemetry("/spillway/rules"), [f"{path}:1", "default"])
            self.reload(program, "deny tcp from any to any\n" * 100 + self.RULES)
            self.assertEqual(net.ping(net.left, "10.9.0.2", count=2), 2)
            self.assertEqual(packets("ping"), 8)
            self.assertEqual(packets(f"{path}:101"), 8)
            self.assertEqual(packets(f"{path}:100"), 0)
            self.reload(program, "deny icmp\n", refused=True)
            self.reload(program, "deny icmp from any to any\n")
            self.assertEqual(net.ping(net.left, "10.9.0.2", count=2), 0)
            for wrong in ("ping", f"{path}:2", path, ""):
                self.assertIsNone(program.telemetry(f"/spillway/rule,{wrong}"))
            self.assertEqual(packets(f"{path}:1"), 2)
            default = program.telemetry("/spillway/rule,default")
            self.assertEqual(default["action"], "deny")
            report = self.check(program.stop())
        self.assertEqual([rule["line"] for rule in report["rules"]], [1, None])
        told = report["rules"][0]
        self.assertEqual((told["packets"], told["bytes"], told["connections"]), (2, 168, 1))


if __name__ == "__main__":
    main()
