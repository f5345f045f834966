# SPDX-License-Identifier: BSD-3-Clause
"""spillwayctl capture: dropped packets with reason and rule, and a port's traffic, as tshark reads them."""
import collections
import json
import signal
import stat
import subprocess

from harness import main, need_program, run, until
from ctl import CTL, ctl
from test_trace import RETURN, Traced

FIELDS = ("frame.interface_name", "frame.comment", "frame.len", "ip.src", "udp.dstport", "frame.packet_flags_direction")


class Capture(Traced):
    def setUp(self):
        super().setUp()
        need_program("tshark")
        self.target = self.folder / "out.pcapng"

    def read(self):
        """Packets as tshark shows them, each a tuple of FIELDS."""
        done = run("tshark", "-r", self.target, "-T", "fields", *(word for field in FIELDS for word in ("-e", field)))
        return [tuple(line.split("\t")) for line in done.stdout.splitlines()]

    def test_dropped(self):
        """With reason and rule as comment; others and their reasons stay out."""
        with self.running() as program:
            def captured():
                """Of packets that were received before the capture began, and waited since, nobody has noted the rule."""
                text = ctl(program, "capture", self.target, "where-dropped", "denied", "count", "100", "where",
                           "src host 10.0.0.3")
                self.assertRegex(text, r"^100 packets captured, \d+ lost\n$")
                self.assertEqual(len(self.read()), 100)
                return {packet for packet in self.read() if ", rule " in packet[1]}
            self.assertEqual(until(captured, 60, "packets with their rule"),
                             {("a", f"dropped: denied, rule {self.folder}/rules:2", "60", "10.0.0.3", "99", "0x00000001")})
            ctl(program, "capture", self.target, "where-dropped", "any", "count", "1")
            self.assertEqual(len(self.read()), 1)
            text = ctl(program, "capture", self.target, "where-dropped", "no_route", "--seconds", "1")
            self.assertEqual((text, self.read()), ("0 packets captured, 0 lost\n", []))
            self.check(program.stop())

    def test_port(self):
        """Both directions of a port, and less of each packet than it had."""
        with self.running() as program:
            ctl(program, "capture", self.target, "port", "a", "count", "64", "bytes", "42")
            self.assertEqual({(name, length, flags) for name, _, length, _, _, flags in self.read()},
                             {("a", "60", "0x00000001")})
            ctl(program, "capture", self.target, "port", "b", "count", "64", "where", "udp")
            self.assertEqual({(name, port, flags) for name, _, _, _, port, flags in self.read()},
                             {("b", "53", "0x00000002")})
            both = collections.Counter()
            for _ in range(2):
                ctl(program, "capture", self.target, "port", "b", "where-dropped", "denied", "count", "1000")
                both.update(port for *_, port, _ in self.read())
            self.assertEqual(set(both), {"53", "99"})
            self.check(program.stop())

    def test_wrong(self):
        with self.running() as program:
            for words, status, said in [
                    ((), 2, "capture: expected FILE WHAT..."), (("f",), 2, "expected where-dropped, or port"),
                    (("f", "port"), 2, "'port': expected one of these and a word behind it: where-dropped REASON"),
                    (("f", "to", "x"), 2, "'to': expected where, "),
                    ((self.target, "port", "nowhere"), 1, "port 'nowhere': there is none"),
                    ((self.target, "where-dropped", "x"), 1, "where-dropped 'x': expected any, or a drop reason"),
                    (("/nowhere/f", "port", "a"), 1, "'/nowhere/f': No such file"),
                    (("/dev/full", "port", "a"), 1, "'/dev/full': No space left"),
                    ((self.target, "port", "a", "count", "0"), 2, "count '0': expected 1 to 10000"),
                    ((self.target, "port", "a", "bytes", "9999"), 2, "bytes '9999': expected 14 to 2048")]:
                self.assertIn(said, ctl(program, "capture", *words, status=status))
            self.check(program.stop())

    def test_file(self):
        """It is its owner's alone, and what it had stays where nothing is captured."""
        self.target.write_text("mine")
        self.target.chmod(0o644)
        link, new = self.folder / "link", self.folder / "new.pcapng"
        link.symlink_to(self.target)
        with self.running() as program:
            ctl(program, "capture", self.target, "port", "nowhere", status=1)
            self.assertIn("Too many levels of symbolic links", ctl(program, "capture", link, "port", "a", status=1))
            self.assertEqual(self.target.read_text(), "mine")
            ctl(program, "capture", new, "port", "nowhere", status=1)
            self.assertFalse(new.exists())
            ctl(program, "capture", new, "port", "a", "count", "1")
            self.assertEqual(stat.filemode(new.stat().st_mode), "-rw-------")
            ctl(program, "capture", self.target, "port", "a", "count", "3")
            self.assertEqual(len(self.read()), 3)
            done = subprocess.run([CTL, "capture", "--name", program.name, "/dev/stdout", "port", "a", "count", "1"],
                                  capture_output=True)
            self.assertEqual(done.stdout[:4], b"\n\r\r\n")
            self.check(program.stop())

    def test_hostile(self):
        """Requests that spillwayctl does not make."""
        with self.running() as program:
            for keys in ({}, {"port": ""}, {"port": 7}, {"port": "x" * 64}, {"dropped": "any", "bytes": 13},
                         {"dropped": "any", "bytes": 1 << 31}, {"dropped": "any", "count": -1},
                         {"port": "a", "filter": [[5, 0, 0, 0xffffffff]] + RETURN}):
                self.assertFalse(self.ask("capture", **keys)["done"], keys)
            self.assertFalse(self.ask("trace", port="a")["done"])
            self.check(program.stop())

    def test_interrupted(self):
        """What came is in the file; the program goes on, and the next may watch."""
        with self.running() as program:
            with subprocess.Popen([CTL, "capture", "--name", program.name, self.target, "port", "b", "where",
                                   "udp port 53"]) as capture:
                until(lambda: self.target.exists() and self.target.stat().st_size > 10000, 20, "packets")
                capture.send_signal(signal.SIGINT)
                capture.wait(20)
            self.assertGreater(len(self.read()), 10)
            until(lambda: self.ask("trace")["done"], 10, "the next may")
            self.check(program.stop())

    def test_slow(self):
        """Who does not read costs nobody anything."""
        with self.running() as program:
            slow = self.begin("capture", port="a", count=10000)
            before = json.loads(ctl(program, "status", "--json"))["packets"]["received"]
            until(lambda: json.loads(ctl(program, "status", "--json"))["packets"]["received"] > before + 100000, 60,
                  "traffic goes on")
            until(lambda: self.ask("trace")["done"], 60, "it was cut off")
            slow.close()
            self.check(program.stop())


if __name__ == "__main__":
    main()
