# SPDX-License-Identifier: BSD-3-Clause
"""What rules have decided is counted: of each line packets, bytes, connections, and when the last came."""
import datetime
import fcntl
import json
import os
import random
import signal
import threading
import time
import unittest

import capture
import esp
import oracle
from harness import CAPTURES, CPUS, READ, SPILLWAY, Net, Spillway, TestCase, main, run, spillway, until

PORTS = ("--wire", "in:out", "--exit-on-idle", READ)


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


class Log(TestCase):
    """What rules with `log` decide stands in a file, a line of JSON for each connection."""

    def frames(self, count):
        """Of each connection three packets."""
        return [esp.udp_frame(f"10.0.{flow // 256}.{flow % 256}", "192.0.2.1", bytes(flow % 9), (flow % 2 + 53, 1000))
                for _ in range(3) for flow in range(count)]

    def through(self, frames, rules, log, *options):
        source = capture.write(self.folder / "in.pcap", frames)
        return self.check(spillway(
            "--port", f"in=net_pcap0,rx_pcap={source}", "--port", "out=net_null0,no-rx=1", *PORTS, "--rules",
            self.file("rules", rules), "--rule-log", log, "--fast", CPUS[0], *options))

    def test_lines(self):
        log = self.file("log", '{"this": "stays"}\n')
        begun = datetime.datetime.now(datetime.timezone.utc)
        frames = self.frames(200)
        report = self.through(frames, 'reject udp from any port 53 to any log name "dns"\n'
                              "allow udp from 10.0.0.0/25 to any\nallow udp from any to any log\n", log)
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        self.assertEqual(lines.pop(0), {"this": "stays"})
        expected = {f"10.0.0.{flow}": (3, None, "allow", 54, flow) if flow % 2 else (1, "dns", "reject", 53, flow)
                    for flow in range(200) if flow % 2 == 0 or flow >= 128}
        self.assertEqual(len(lines), len(expected))
        for line in lines:
            number, name, action, port, flow = expected.pop(line["source"])
            moment = datetime.datetime.fromisoformat(line.pop("time").replace("Z", "+00:00"))
            self.assertLess(abs((moment - begun).total_seconds()), 60)
            self.assertEqual(line, {
                "file": str(self.folder / "rules"), "line": number, "name": name, "action": action, "in": "in",
                "protocol": 17, "source": f"10.0.0.{flow}", "source_port": port, "destination": "192.0.2.1",
                "destination_port": 1000, "bytes": 28 + flow % 9})
        self.assertEqual(report["rule_log"], {"records": len(lines), "limited": 0, "lost": 0, "unwritten": 0})

    def test_limit(self):
        """Five at once, and no more in the time that this takes than one an hour."""
        log = self.folder / "log"
        report = self.through(self.frames(100), "deny udp from any port 53 to any log limit 1/h\n"
                              "deny udp from any to any log limit 1000000/s\n", log)
        lines = [json.loads(line)["line"] for line in log.read_text().splitlines()]
        self.assertEqual(lines.count(1), 5)
        told = report["rule_log"]
        self.assertEqual(told["records"], len(lines))
        self.assertEqual(told["records"] + told["limited"] + told["lost"], 100)

    def test_pipe_that_is_full(self):
        """Nobody is waited for."""
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        report = self.through(self.frames(1000), "deny udp from any to any log\n", pipe)
        self.assertGreater(report["rule_log"]["unwritten"], 100)
        self.told_whole(os.read(reader, 1 << 20).decode(), report["rule_log"])

    def told_whole(self, text, told):
        """Each line is whole, and none is told of that was lost. Returns how many are of rules."""
        lines = text.splitlines(keepends=True)
        records = [json.loads(line) for line in lines if line.startswith("{")]
        self.assertTrue(all(line.endswith("\n") and line.startswith(("{", "spillway: ")) for line in lines), text)
        self.assertEqual(told["unwritten"] + len(records), told["records"])
        self.assertEqual(told["records"] + told["lost"], 1000)
        return len(records)

    def test_reader_that_is_slow(self):
        """Of standard error, who takes a page at a time: he is not waited for, however many pages there are."""
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        text = bytearray()

        def read():
            while piece := os.read(reader, 4096):
                text.extend(piece)
                time.sleep(0.04)
        thread = threading.Thread(target=read)
        thread.start()
        try:
            source = capture.write(self.folder / "in.pcap", self.frames(1000))
            report = self.check(spillway(
                "--port", f"in=net_pcap0,rx_pcap={source}", "--port", "out=net_null0,no-rx=1", *PORTS, "--fast", CPUS[0],
                "--rules", self.file("rules", "deny udp from any to any log\n"), log=writer))
        finally:
            os.close(writer)
            thread.join()
            os.close(reader)
        self.assertGreater(report["rule_log"]["unwritten"], 100)
        self.assertGreater(self.told_whole(text.decode(), report["rule_log"]), 0)

    def test_disk_that_is_full(self):
        """No half of a line stands in the file."""
        disk = self.folder / "disk"
        disk.mkdir()
        if os.geteuid() != 0 or run("mount", "-t", "tmpfs", "-o", "size=64k", "none", disk, check=False).returncode != 0:
            raise unittest.SkipTest("needs root, and mount(2) of tmpfs")
        self.addCleanup(run, "umount", disk)
        report = self.through(self.frames(1000), "deny udp from any to any log\n", disk / "log")
        text = (disk / "log").read_text()
        self.assertGreater(len(text), (64 << 10) - 1000)
        self.assertGreater(self.told_whole(text, report["rule_log"]), 10)

    def test_without_a_file(self):
        """On standard error."""
        source = capture.write(self.folder / "in.pcap", self.frames(3))
        done = run(SPILLWAY, "--name", "rule-log", "--no-huge", "--port", f"in=net_pcap0,rx_pcap={source}", "--port",
                   "out=net_null0,no-rx=1", *PORTS, "--fast", CPUS[0], "--rules",
                   self.file("rules", "deny any from any to any log\n"))
        self.assertEqual(sum(line.startswith('{"time":') for line in done.stderr.splitlines()), 3)
        done = run(SPILLWAY, "--name", "rule-log", "--no-huge", "--port", f"in=net_pcap0,rx_pcap={source}", "--port",
                   "out=net_null0,no-rx=1", *PORTS, "--fast", CPUS[0], "--rule-log", self.folder / "no" / "log", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no/log': No such file or directory", done.stderr)


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
