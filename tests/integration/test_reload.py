# SPDX-License-Identifier: BSD-3-Clause
"""A reload that is refused, however far it came, changes nothing; the next one is as if it had not been."""
import os
import re
import signal
import socket
import struct

import capture
from associations import need_ipsec
from harness import Net, Spillway, TestCase, inside, main, until

CONFIG = """[spillway]
rules = rules
idle = sleep
[port lan]
device = net_af_packet0,iface=lan
mtu = 1500
[port wan]
device = net_af_packet1,iface=wan
mtu = 1500
[wire lan-wan]
ports = lan, wan
[sa out]
direction = out
spi = 0x1001
mode = tunnel
source = 192.0.2.1
destination = 198.51.100.1
algorithm = aes-128-gcm
key-file = key
"""
RULES = "protect out udp from any to any port 7\nallow icmp from any to any\n"
KEY = "0123456789abcdef0123456789abcdef01234567\n"
OTHER = KEY[::-1].strip() + "\n"


class Halfway(TestCase):
    def setUp(self):
        need_ipsec()
        super().setUp()
        self.net = Net()
        self.addCleanup(self.net.close)
        self.sent = 0
        (self.folder / "key").touch(0o600)
        self.write(CONFIG, RULES, KEY)

    def write(self, config, rules, key):
        self.file("ipsec.conf", config)
        self.file("rules", rules)
        self.file("key", key)

    def reload(self, program, *files, refused):
        """Changes the files, and waits until the program has said what it makes of them."""
        said = "stay as they were" if refused else "is in force"
        before = program.log.count(said)
        self.write(*files)
        program.signal(signal.SIGHUP)
        until(lambda: program.log.count(said) > before, 20, f"{said}\n{program.log}")

    def send(self, count=5):
        """Packets for the association."""
        self.sent += count
        with inside(self.net.left), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for _ in range(count):
                out.sendto(b"data", ("10.9.0.2", 7))

    def works(self):
        self.assertEqual(self.net.ping(self.net.left, "10.9.0.2", count=2), 2)
        self.send()

    def test_nothing_changes(self):
        deny = "deny any from any to any\n"
        refused = [
            # All that comes first is right, and new; what comes last is not.
            (CONFIG.replace("0x1001", "0x1002"), deny, "no key\n"),
            (CONFIG + "lifetime-packets-hard = 3\n", deny + "protect nobody udp from any to any\n", KEY),
            (CONFIG.replace("source = 192.0.2.1", "source = 192.0.2.9"), deny + "what is this\n", OTHER),
            (CONFIG.replace("aes-128-gcm", "aes-256-gcm"), deny, OTHER),
            (CONFIG + "spi = 7\n", deny, OTHER),
            # A port that is there from the next start on, as the other end of its wire stays.
            (CONFIG.replace("port wan", "port dmz").replace("lan, wan", "lan, dmz"),
             "allow icmp from any to any in dmz\n" + deny, KEY),
        ]
        with Spillway("--config", self.folder / "ipsec.conf", namespace=self.net.middle) as program:
            program.ready()
            self.works()
            for turn, files in enumerate(refused):
                self.reload(program, *files, refused=True)
                with self.subTest(turn):
                    self.works()
            # The same key goes on with its numbers, and the same settings with all of it.
            self.reload(program, CONFIG, "allow icmp from any to any\n" + RULES, KEY, refused=False)
            self.works()
            self.reload(program, CONFIG, RULES.replace("allow icmp", "deny icmp"), KEY, refused=False)
            version = re.findall(r"version (\d+) of the rules is in force", program.log)[-1]
            until(lambda: f"all flows go by version {version} now" in program.log, 20, "all flows were asked")
            self.assertEqual(self.net.ping(self.net.left, "10.9.0.2", count=2), 0)
            report = self.check(program.stop())
        self.assertEqual(report["reloads"], 2)
        self.assertEqual(list(report["sas"]), ["out"])
        told = report["sas"]["out"]
        self.assertEqual((told["spi"], told["sequence"], told["packets"]), (0x1001, self.sent, self.sent), told)


class UnderLoad(TestCase):
    """As many reloads as go, while all that an lcore can do is packets of flows that are known."""

    RELOADS = int(os.environ.get("RELOADS", "20"))
    RULES = "allow udp from 10.0.0.0/8 to any port 53\n"

    def frames(self, flows):
        """Of each flow a packet, and an answer, which no rule allows: all openings before all answers."""
        there, back = [], []
        for flow in range(flows):
            client = (0x0A000000 + flow, 1024 + flow)
            for frames, (source, port), (to, to_port) in ((there, client, (0xC0000201, 53)),
                                                          (back, (0xC0000201, 53), client)):
                ip = struct.pack("!BBHHHBBHII", 0x45, 0, 46, 0, 0, 64, 17, 0, source, to)
                frames.append(bytes(12) + b"\x08\0" + ip + struct.pack("!HHHH", port, to_port, 26, 0) + bytes(18))
        return there + back

    def replace(self, text):
        self.file("next", text)
        os.replace(self.folder / "next", self.folder / "rules")

    def dropped(self, program):
        return [int(count) for count in re.findall(r" (\d+) dropped", program.log)]

    def settled(self, program):
        """Waits until nothing is dropped any more, and returns how many were until then."""
        until(lambda: len(self.dropped(program)) > 3 and len(set(self.dropped(program)[-3:])) == 1, 20,
              f"all flows are known\n{program.log[-2000:]}")
        return self.dropped(program)[-1]

    def reload(self, program, number):
        """Every other one is refused."""
        refused = number % 2 != 0
        said = "stay as they were" if refused else "is in force"
        before = program.log.count(said)
        self.replace(self.RULES + "what is this\n" * refused)
        program.signal(signal.SIGHUP)
        until(lambda: program.log.count(said) > before, 20, f"{said}\n{program.log[-2000:]}")

    def loses_nothing(self, flows, dispatch):
        capture.write(self.folder / "flows.pcap", self.frames(flows))
        self.replace(self.RULES)
        with Spillway("--port", f"a=net_pcap0,rx_pcap={self.folder}/flows.pcap,infinite_rx=1",
                      "--port", "b=net_null0,no-rx=1", "--wire", "a:b", "--rules", self.folder / "rules",
                      "--stats", "50ms", "--dispatch", f"classify={dispatch}") as program:
            program.ready()
            before = self.settled(program)
            for number in range(self.RELOADS):
                self.reload(program, number)
            version = re.findall(r"version (\d+) of the rules is in force", program.log)[-1]
            until(lambda: f"all flows go by version {version} now" in program.log, 20, "all flows were asked")
            after = self.settled(program)
            report = self.check(program.stop())
        self.assertEqual(report["reloads"], self.RELOADS // 2)
        self.assertEqual(after - before, 0, report.drops)

    def test_many_flows(self):
        self.loses_nothing(4096, "auto")

    def test_few_that_send_much(self):
        """More comes of one than there are credits for while a worker answers."""
        self.loses_nothing(4, "pool")


class Restart(TestCase):
    """What a reload can't change is named; what it can is not."""

    CONFIG = """[spillway]
rules = rules
default = deny
flow-capacity = 1k
[port lan]
device = net_null0,no-rx=1
mtu = 1500
[port wan]
device = net_null1,no-rx=1
[wire lan-wan]
ports = lan, wan
"""

    def reload(self, program, config):
        before = len(program.log)
        self.file("wire.conf", config)
        program.signal(signal.SIGHUP)
        until(lambda: "is in force" in program.log[before:], 20, "a reload")
        return program.log[before:]

    def test_keys_are_named(self):
        self.file("rules", "allow any from any to any\n")
        path = self.file("wire.conf", self.CONFIG)
        with Spillway("--config", path) as program:
            program.ready()
            self.assertNotIn("at the next start", self.reload(program, self.CONFIG.replace("deny", "allow")))
            for old, new, named in (
                    ("= 1k", "= 2k\nnon-ip = pass\npool-capacity = classify=7\ncrypto = crypto_null0",
                     "non-ip, flow-capacity, crypto, pool-capacity of classify"),
                    ("mtu = 1500", "promiscuous = off", "mtu of port lan, promiscuous of port lan"),
                    ("null1", "null2", "device of port wan"),
                    ("wan]", "dmz]", "port wan, port dmz, wire lan-wan, wire lan-dmz")):
                with self.subTest(named):
                    config = self.CONFIG.replace(old, new)
                    if "dmz" in new:
                        config = config.replace(", wan", ", dmz")
                    self.assertIn(f"reload: of {named} the new value takes effect at the next start\n",
                                  self.reload(program, config))
            self.assertNotIn("at the next start", self.reload(program, self.CONFIG))
            self.check(program.stop())


if __name__ == "__main__":
    main()
