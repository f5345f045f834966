# SPDX-License-Identifier: BSD-3-Clause
"""A reload that is refused, however far it came, changes nothing; the next one is as if it had not been."""
import re
import signal
import socket

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


if __name__ == "__main__":
    main()
