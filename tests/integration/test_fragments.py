# SPDX-License-Identifier: BSD-3-Clause
"""Fragments belong to the connection of their first, in any order, on any lcore; and nothing that two
hosts might put together differently passes."""
import itertools
import os
import random
import socket
import struct
import threading

import capture
import oracle
from harness import CPUS, Net, Spillway, TestCase, inside, main, spillway

A, B = CPUS[0], CPUS[-1]
SHAPES = {"one": ("--fast", A), "workers": ("--fast", A, "--pool", B, "--dispatch", "classify=pool",
                                            "--on-pool-full", "classify=inline"),
          "two": ("--fast", f"{A},{B}"), "apart": ("--rx", A, "--fast", f"{A},{B}", "--tx", B)}


def datagram(source, target, ports, length, number=0, six=False, size=1000):
    """A UDP datagram in fragments of so many bytes, whole if it fits into one."""
    payload = struct.pack("!HHHH", *ports, 8 + length, 0) + bytes(number % 251 for _ in range(length))
    ends = [socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, end)
            for end in (source, target)]
    for at in range(0, len(payload), size):
        piece, more = payload[at:at + size], at + size < len(payload)
        if six:
            header = struct.pack("!BBHI", 17, 0, at | more, number) if len(payload) > size else b""
            packet = struct.pack("!IHBB", 6 << 28, len(header) + len(piece), 44 if header else 17, 64) \
                + b"".join(ends) + header + piece
        else:
            packet = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(piece), number,
                                 at // 8 | more << 13, 64, 17, 0) + b"".join(ends) + piece
        yield bytes(12) + (b"\x86\xdd" if six else b"\x08\x00") + packet


class Captures(TestCase):
    def wire(self, rules, frames, answers=(), *options):
        """(what came out at the far end, at the near end, report)"""
        files = {name: self.folder / f"{name}.pcap" for name in ("in", "out", "far", "near")}
        capture.write(files["in"], frames)
        capture.write(files["out"], answers)
        report = self.check(spillway(
            "--port", f"in=net_pcap0,rx_pcap={files['in']},tx_pcap={files['near']}",
            "--port", f"out=net_pcap1,rx_pcap={files['out']},tx_pcap={files['far']}",
            "--wire", "in:out", "--rules", self.file("rules", rules), "--exit-on-idle", "1s",
            *options))
        return capture.read(files["far"]), capture.read(files["near"]), report

    def test_answer_in_fragments(self):
        """What a resolver gets: the answer needs no rule, with the first fragment in any place."""
        for six in False, True:
            client, server = ("fd00::1", "2001:db8::5") if six else ("10.0.0.1", "203.0.113.5")
            ask = list(datagram(client, server, (5000, 53), 40, 7, six))
            answer = list(datagram(server, client, (53, 5000), 2900, 7, six))
            self.assertEqual(len(answer), 3)
            for order in itertools.permutations(answer):
                far, near, report = self.wire("allow udp from any to any port 53\n", ask, order,
                                              "--fast", A)
                self.assertEqual((far, report.drops), (ask, {}))
                self.assertEqual(near, [frame for frame, _ in oracle.sort_out(order)])

    def test_rules_with_ports(self):
        """Many datagrams at a time, shuffled a little, in every shape of lcores."""
        seed = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
        dice = random.Random(seed)
        frames = []
        for number in range(1, 2000):
            six = dice.random() < 0.5
            target = f"fd00::{number % 50:x}" if six else f"10.0.0.{number % 50}"
            source = "2001:db8::5" if six else "203.0.113.5"
            port = dice.choice((53, 54))
            frames += datagram(source, target, (port, 5000 + number), dice.choice((50, 900, 2500, 4000)),
                               number, six)
        for at in range(0, len(frames) - 8, 8):
            part = frames[at:at + 8]
            dice.shuffle(part)
            frames[at:at + 8] = part
        passes = [frame for frame, packet in oracle.sort_out(frames) if packet.ports[0] == 53]
        for name, options in SHAPES.items():
            with self.subTest(shape=name, seed=seed):
                far, _, report = self.wire("allow udp from any port 53 to any\n", frames, (), *options)
                if sorted(far) != sorted(passes):  # assertEqual would take minutes to show it
                    self.fail(f"{len(far)} frames came, and {len(passes)} should: {report.drops}")
                self.assertEqual(report.drops, {"denied": len(frames) - len(passes)})
                if name == "one":
                    self.assertTrue(far == passes, "the order")

    def test_what_hosts_put_together_differently(self):
        """By name, and nothing of the datagram behind it."""
        def pieces(number, *offsets, size=64, protocol=6):
            for at, more in offsets:
                tcp = struct.pack("!HHIIBBHHH", 4000, 80, 0, 0, 0x50, 2, 0, 0, 0) + bytes(size)
                piece = tcp[:size] if at == 0 else bytes(size)
                yield bytes(12) + b"\x08\x00" + struct.pack(
                    "!BBHHHBBH4s4s", 0x45, 0, 20 + len(piece), number, at // 8 | more << 13, 64,
                    protocol, 0, bytes((10, 0, 0, 1)), bytes((192, 0, 2, 1))) + piece
        overlap = list(pieces(1, (0, True), (16, True), (64, False)))   # RFC 3128
        rewrite = list(pieces(2, (0, True), (0, True), (64, False)))    # a second first
        tiny = list(pieces(3, (0, True), size=16))                      # RFC 1858
        end = list(pieces(4, (0, True), (128, False), (192, True)))     # behind the last
        lone = list(pieces(5, (64, False)))
        frames = overlap + rewrite + tiny + end + lone
        far, _, report = self.wire("allow tcp from any to any port 80\n", frames, (), "--fast", A)
        self.assertEqual(far, overlap[:1] + rewrite[:1] + rewrite[2:] + end[:2])
        self.assertEqual(report.drops, {"fragment_overlap": 4, "malformed_fragment": 1,
                                        "fragment_no_first": 1})


    def test_headers_in_pieces(self):
        """Each way to spread a header over fragments has a name, in both families."""
        ends4, ends6 = bytes((10, 0, 0, 1, 10, 0, 0, 2)), b"\xfd" + bytes(15) + b"\xfd" + bytes(14) + b"\1"

        def first(protocol, data, number, six):
            if six:
                header = struct.pack("!BBHI", protocol, 0, 1, number)
                return bytes(12) + b"\x86\xdd" + struct.pack(
                    "!IHBB", 6 << 28, 8 + len(data), 44, 64) + ends6 + header + data
            return bytes(12) + b"\x08\0" + struct.pack(
                "!BBHHHBBH", 0x45, 0, 20 + len(data), number, 0x2000, 64, protocol, 0) + ends4 + data
        tcp = struct.pack("!HHIIBBHHH", 1000, 80, 1, 0, 15 << 4, 2, 100, 0, 0) + bytes(40)
        nested = struct.pack("!BBHIHHHH", 17, 0, 1, 77, 1000, 53, 16, 0) + bytes(8)
        for six in False, True:
            frames = [first(6, tcp[:24], 1, six), first(6, tcp[:56], 2, six), first(6, tcp[:16], 3, six),
                      first(17, tcp[:4], 4, six), first(6, tcp + bytes(4), 5, six)]
            frames += [first(44, nested, 6, six)] if six else []
            far, _, report = self.wire("allow any from any to any\n", frames)
            self.assertEqual(report.drops, {"fragment_short": 2, "malformed_fragment": 1,
                                            "malformed_transport": 1, **({"fragment_nested": 1} if six else {})})
            self.assertEqual(far, frames[4:5])


class Kernel(TestCase):
    """Real hosts send what is larger than their MTU. IPv6, as af_packet puts IPv4 together."""

    def test_udp(self):
        net = Net()
        self.addCleanup(net.close)
        with inside(net.right):
            server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            server.bind(("fd09::2", 5300))
        with inside(net.left):
            client = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            client.settimeout(5)
        self.addCleanup(client.close)

        def answer():
            while True:
                data, whom = server.recvfrom(65536)
                if not data:
                    return
                server.sendto(data[::-1], whom)
        for options in ("--fast", A), ("--fast", f"{A},{B}"):
            thread = threading.Thread(target=answer)
            thread.start()
            program = Spillway("--port", "lan=net_af_packet0,iface=lan", "--port",
                               "wan=net_af_packet1,iface=wan", "--wire", "lan:wan", "--rules",
                               self.file("rules", "allow udp from fd09::1 to fd09::2 port 5300\n"
                                         "allow icmp6 from any to any\n"),
                               "--idle", "sleep", *options, namespace=net.middle)
            self.addCleanup(program.__exit__)
            program.ready()
            try:
                for length in 100, 4000, 20000:
                    data = os.urandom(length)
                    client.sendto(data, ("fd09::2", 5300))
                    self.assertEqual(client.recv(65536), data[::-1])
                self.assertEqual(net.ping(net.left, "fd09::2", "-s", "4000"), 5)
            finally:
                client.sendto(b"", ("fd09::2", 5300))
                thread.join(10)
            report = self.check(program.stop())
            self.assertEqual(report.drops, {})
        server.close()


if __name__ == "__main__":
    main()
