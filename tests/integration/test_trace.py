# SPDX-License-Identifier: BSD-3-Clause
"""The way of single packets, by spillwayctl trace: what each stage says, and who may ask for what."""
import contextlib
import json
import socket
import time

import capture
from esp import udp_frame
from harness import CPUS, RUN_FOLDER, Spillway, TestCase, main, until
from ctl import ctl

RULES = """allow udp from 10.0.0.0/8 to any port 53 name "dns"
deny udp from any to any port 99
"""
RETURN = [[6, 0, 0, 1]]


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def ways(text):
    """Each packet's lines, by its number."""
    found = {}
    for line in lines(text):
        found.setdefault(line["packet"], []).append(line)
    return found


class Traced(TestCase):
    """A spillway whose packets come again and again, as fast as can be."""

    frames = [udp_frame(f"10.0.0.{flow}", "192.0.2.1", bytes(18), (1024 + flow, port))
              for flow in range(1, 9) for port in (53, 99)]
    idle = ""

    def config(self, ports="", more=""):
        capture.write(self.folder / "in.pcap", self.frames)
        self.file("rules", RULES)
        ports = ports or ("[port b]\ndevice = net_null0,no-rx=1\n[wire w]\nports = a, b\n")
        return self.file("config", f"[spillway]\nrules = rules\n{more}"
                         f"[port a]\ndevice = net_pcap0,rx_pcap={self.folder}/in.pcap,infinite_rx=1\n{ports}")

    @contextlib.contextmanager
    def running(self, *options, **config):
        with Spillway("--config", self.config(**config), *options) as program:
            program.ready()
            self.path = RUN_FOLDER / program.name / "control"
            yield program

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        self.addCleanup(connection.close)
        connection.connect(str(self.path))
        connection.settimeout(20)
        return connection

    def begin(self, command="trace", /, **keys):
        connection = self.connect()
        connection.sendall(json.dumps({"version": 1, "command": command, **keys}).encode() + b"\n")
        return connection

    def ask(self, command="trace", /, **keys):
        """Its last line."""
        text = self.begin(command, **keys).makefile().read()
        return json.loads(text.splitlines()[-1])


class Trace(Traced):
    def test_ways(self):
        """Of what passes, and of what is dropped: by which rule, when, and where."""
        with self.running() as program:
            passed = ways(ctl(program, "trace", "3", "where", "src host 10.0.0.7 and udp port 53", "--json"))
            denied = ways(ctl(program, "trace", "2", "where", "udp port 99", "--json"))
            text = ctl(program, "trace", "1", "where", "udp port 99")
            self.check(program.stop())
        self.assertEqual(set(passed), {1, 2, 3})
        for way in passed.values():
            self.assertEqual([line["stage"] for line in way], ["receive", "flow", "transmitted"])
            received, flow, sent = way
            self.assertEqual((received["in"], received["source"], received["source_port"], received["destination"],
                              received["destination_port"], received["protocol"]),
                             ("a", "10.0.0.7", 1031, "192.0.2.1", 53, 17))
            self.assertEqual((flow["state"], flow["verdict"], flow["rule"]),
                             ("established", "allow", f"{self.folder}/rules:1 (dns)"))
            self.assertEqual((sent["out"], sent["last"]), ("b", True))
            self.assertEqual(received["lcore"], "fast0")
            self.assertGreaterEqual(sent["since_receive_us"], sent["since_stage_us"])
        for way in denied.values():
            self.assertEqual(way[-1]["stage"], "dropped")
            self.assertEqual((way[-1]["reason"], way[-1]["rule"]), ("denied", f"{self.folder}/rules:2"))
        self.assertRegex(text, r"(?m)^packet 1  20\d\d-")
        self.assertRegex(text, r"(?m)^ +\d+\.\d us  fast0  dropped  reason denied  rule .*/rules:2$")
        self.assertRegex(text, r"(?m)^1 packets traced, 1 of them to their end; 0 records lost")

    def test_asked_anew(self):
        """After a reload a packet of each flow asks the rules, mostly inline, whatever the dispatch."""
        self.frames = [udp_frame(f"10.0.{flow // 200}.{flow % 200 + 1}", "192.0.2.1", bytes(18), (1024 + flow, 53))
                       for flow in range(1000)]
        for dispatch in "inline", "pool":
            with self.subTest(dispatch), self.running("--dispatch", f"classify={dispatch}", "--fast", CPUS[0],
                                                      "--pool", CPUS[-1]) as program:
                asked = []

                def ask():
                    ctl(program, "reload")
                    asked.extend(line for line in lines(ctl(program, "trace", "2000", "where", "udp port 53", "--json"))
                                 if line["stage"] == "rules")
                    return asked
                until(ask, 60, "a flow asks")
                self.assertEqual({(line["verdict"], line["rule"]) for line in asked},
                                 {("allow", f"{self.folder}/rules:1 (dns)")})
                self.assertIn("inline", {line["by"] for line in asked})
                self.check(program.stop())

    def test_many(self):
        """A thousand packets at full speed, a hundred traces one behind the other, and the books balance."""
        with self.running() as program:
            self.assertEqual(set(ways(ctl(program, "trace", "1000", "--json"))), set(range(1, 1001)))
            for _ in range(100):
                self.assertTrue(self.ask(count=1)["done"])
            self.check(program.stop())


class Clients(Traced):
    """Who asks, and leaves, and does not take what it asked for."""

    def test_wrong(self):
        with self.running() as program:
            for words, said in [(("trace",), "expected N [where 'FILTER']"), (("trace", "0"), "expected 1 to 10000"),
                                (("trace", "1", "where", "udp", "port", "53"), "'port': expected the filter as one word"),
                                (("trace", "1", "where"), "expected N"), (("trace", "1", "if", "ip"), "expected N"),
                                (("trace", "1", "where", "hots 1"), "where 'hots 1': "),
                                (("trace", "1", "--seconds", "x"), "--seconds 'x': expected 1 to 86400")]:
                self.assertIn(said, ctl(program, *words, status=2))
            self.check(program.stop())

    def test_hostile_filters(self):
        """No program of a client's is run that could do anything but look at a frame and end."""
        hostile = {"backward": [[5, 0, 0, 0xffffffff]] + RETURN, "beyond": [[21, 9, 0, 0]] + RETURN,
                   "memory": [[96, 0, 0, 16]] + RETURN, "store": [[2, 0, 0, 1 << 20]] + RETURN,
                   "division": [[52, 0, 0, 0]] + RETURN, "endless": [[0, 0, 0, 0]], "opcode": [[255, 0, 0, 0]] + RETURN,
                   "long": RETURN * 513, "empty": [], "text": "ip", "half": [[6, 0, 0]], "big": [[6, 0, 0, 1 << 32]],
                   "negative": [[6, 0, 0, -1]], "words": [["6", 0, 0, 1]], "none": [None]}
        with self.running() as program:
            for name, code in hostile.items():
                with self.subTest(name):
                    answer = self.ask(filter=code)
                    self.assertFalse(answer["done"])
                    self.assertIn("filter: ", answer["error"])
            for keys in {"count": 0}, {"count": 10001}, {"count": "1"}, {"seconds": 0}, {"what": 1}, {"argument": "1"}:
                self.assertFalse(self.ask(**keys)["done"], keys)
            # An index near 2^32, which wraps to a place within the frame for who adds in 32 bits.
            wraps = [[1, 0, 0, 0xfffffffe], [64, 0, 0, 0]] + RETURN
            self.assertIn("0 packets traced", self.ask(filter=wraps, seconds=1)["text"])
            self.assertTrue(self.ask(filter=RETURN * 512)["done"])
            self.check(program.stop())

    def test_leaving(self):
        """One that leaves ends its trace; until then no other may begin."""
        with self.running() as program:
            for _ in range(20):
                connection = self.begin(count=1000, filter=[[6, 0, 0, 0]])
                until(lambda: "one at a time" in self.ask().get("error", ""), 10, "it watches")
                connection.close()
                until(lambda: self.ask()["done"], 10, "it has left")
            # Halfway through its lines.
            for _ in range(20):
                connection = self.begin(count=10000)
                connection.recv(100)
                connection.close()
                until(lambda: self.ask()["done"], 10, "it has left")
            self.check(program.stop())

    def test_slow(self):
        """One that does not read is cut off, and nothing waits for it."""
        with self.running() as program:
            slow = self.begin(count=10000)
            until(lambda: self.ask()["done"], 60, "it was cut off, or has got all that there was")
            self.assertEqual(json.loads(ctl(program, "status", "--json"))["status"]["state"], "running")
            with contextlib.suppress(ConnectionError):
                text = slow.makefile().read()
                if text.endswith("}\n") and '"error"' in text:
                    self.assertIn("cut off", text)
            self.check(program.stop())

    def test_time_is_over(self):
        with self.running() as program:
            began = time.monotonic()
            text = ctl(program, "trace", "5", "where", "host 10.9.9.9", "--seconds", "1")
            self.assertEqual(text.split(" packets")[0], "0")
            self.assertGreaterEqual(time.monotonic() - began, 1)
            self.check(program.stop())

    def test_reload_and_end(self):
        """A trace goes on over reloads, and who waits for one is told that the program ends."""
        with self.running() as program:
            connection = self.begin(count=5, filter=[[6, 0, 0, 0]])
            for _ in range(5):
                ctl(program, "reload")
            self.assertIn("one at a time", self.ask()["error"])
            report = self.check(program.stop())
            self.assertIn("the program ends", connection.makefile().read())
            self.assertEqual(report.status, 0)


if __name__ == "__main__":
    main()
