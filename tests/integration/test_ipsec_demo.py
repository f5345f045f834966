# SPDX-License-Identifier: BSD-3-Clause
"""Two gateways back to back, run from config/ipsec-left.conf and -right.conf as they are.

    left(eth0) --- (lan) gateway (wan) --- (wan) gateway (lan) --- (eth0)right
    10.1.0.1             namespace               namespace             10.2.0.1
"""
import collections
import json
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time

from harness import Net, ROOT, SPILLWAY, Spillway, TestCase, inside, main, need_program, run, until

LEFT, RIGHT = "10.1.0.1", "10.2.0.1"
KEYS = "left-to-right", "right-to-left"
# What a packet may meet at the other end's old or new association: numbers begin again with a key.
OTHER_KEY = "esp_bad_icv", "esp_replayed", "esp_too_old"


class Sites(Net):
    """The network above: each gateway in a namespace of its own."""

    def __init__(self):
        super().__init__(other=True)
        try:
            self._join()
        except BaseException:
            self.close()
            raise

    def _join(self):
        for change in (("down",), ("name", "lan"), ("up",)):
            run("ip", "-n", self.other, "link", "set", "lan" if change == ("up",) else "wan", *change)
        run("ip", "-n", self.middle, "link", "add", "wan", "type", "veth", "peer", "name", "wan",
            "netns", self.other)
        for gateway in (self.middle, self.other):
            run("ip", "-n", gateway, "link", "set", "wan", "up")
        for host, own, there in ((self.left, LEFT, "10.2.0.0/16"), (self.right, RIGHT, "10.1.0.0/16")):
            run("ip", "-n", host, "address", "flush", "dev", "eth0")
            run("ip", "-n", host, "address", "add", f"{own}/16", "dev", "eth0")
            run("ip", "-n", host, "route", "add", there, "dev", "eth0")


class Tap:
    """Counts what arrives at both ends of the middle link, by kind."""

    def __init__(self, net):
        self.kinds = collections.Counter()
        self.ended = threading.Event()
        self.sockets = []
        for gateway in (net.middle, net.other):
            with inside(gateway):
                made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
                made.bind(("wan", 0))
            self.sockets.append(made)
        self.thread = threading.Thread(target=self.count)
        self.thread.start()

    def count(self):
        while not self.ended.is_set():
            for ready in select.select(self.sockets, [], [], 0.1)[0]:
                self.kinds[self.kind(ready.recv(1 << 16))] += 1

    def kind(self, frame):
        if frame[12:14] == b"\x08\x06":
            return "ARP"
        if frame[12:14] == b"\x08\0" and frame[23] == 50:
            return "ESP"
        return frame[:60].hex()

    def close(self):
        self.ended.set()
        self.thread.join()
        for each in self.sockets:
            each.close()


class IpsecDemo(TestCase):
    def setUp(self):
        super().setUp()
        self.net = Sites()
        self.addCleanup(self.net.close)
        shutil.copytree(ROOT / "config", self.folder / "config",
                        ignore=shutil.ignore_patterns("keys"))
        self.keys = self.folder / "config" / "keys"
        self.keys.mkdir()
        self.new_keys()

    def new_keys(self, suffix=""):
        for name in KEYS:
            name += suffix
            (self.keys / f"{name}.key").unlink(missing_ok=True)
            run(SPILLWAY, "keygen", "aes-128-gcm", self.keys / f"{name}.key")

    def gateways(self):
        """Both, started."""
        made = []
        for name, namespace in (("left", self.net.middle), ("right", self.net.other)):
            program = Spillway("--config", self.folder / "config" / f"ipsec-{name}.conf",
                               namespace=namespace)
            self.addCleanup(program.__exit__)
            made.append(program)
        return [program.ready() for program in made]

    def tap(self):
        tap = Tap(self.net)
        self.addCleanup(tap.close)
        return tap

    def end(self, gateways):
        """SIGTERM: both drain. Returns their reports."""
        reports = [self.check(program.stop()) for program in gateways]
        for report in reports:
            self.assertEqual(report["reason"], "SIGTERM")
        return reports

    def transfer(self, *more):
        done = self.net.run(self.net.left, "iperf3", "-c", RIGHT, "-n", "2M", "-J", *more)
        # It counts no more as received when its sender has handed over its last byte.
        self.assertGreater(json.loads(done.stdout)["end"]["sum_received"]["bytes"], 500_000)

    def test_traffic(self):
        """Ping and TCP both ways; packets too big for the tunnel make their senders adapt."""
        need_program("iperf3")
        tap = self.tap()
        gateways = self.gateways()
        self.assertEqual(self.net.ping(self.net.left, RIGHT), 5)
        self.assertEqual(self.net.ping(self.net.right, LEFT), 5)
        # What may be fragmented is: the packet fills the MTU, and its ESP packet would not fit.
        self.assertEqual(self.net.ping(self.net.left, RIGHT, "-s", "1472", "-M", "dont"), 5)
        self.net.start(self.net.right, "iperf3", "-s", port=5201)
        self.transfer()
        self.transfer("-R")
        self.assertIn("mtu 1446", self.net.run(self.net.left, "ip", "route", "get", RIGHT).stdout)
        until(lambda: tap.kinds["ESP"] > 2000, 5, "ESP in the middle")
        left, right = self.end(gateways)
        self.assertLessEqual(set(tap.kinds), {"ESP", "ARP"})
        self.through(left["sas"]["to-right"], right["sas"]["from-left"])
        self.through(right["sas"]["to-left"], left["sas"]["from-right"])
        for report in left, right:
            # The hosts' own IPv6 is denied; the first large packets of each connection are too big.
            self.assertLessEqual(set(report.drops), {"denied", "esp_too_big"})
            self.assertGreaterEqual(report.packets["originated"], 5)  # 5 packets became 10
        self.assertGreater(left.drops["esp_too_big"], 0)

    def through(self, there, here):
        """One association at both ends: nothing was lost between them."""
        self.assertGreater(there["packets"], 500)
        self.assertEqual(there["packets"], here["packets"])
        self.assertEqual(there["sequence"], here["sequence"])
        self.assertEqual(there["packets"], there["sequence"])

    def flood(self, count):
        made = subprocess.Popen(["ip", "netns", "exec", self.net.left, "ping", "-n", "-q", "-i",
                                 "0.002", "-c", str(count), "-W", "1", RIGHT],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.addCleanup(made.stdout.close)
        self.addCleanup(made.kill)
        return made

    def received(self, flood):
        return int(re.search(r"(\d+) received", flood.communicate(timeout=30)[0])[1])

    def reload(self, gateways, version):
        for program in gateways:
            program.signal(signal.SIGHUP)
        for program in gateways:
            until(lambda: f"version {version} of the rules is in force" in program.log, 10,
                  program.log)

    def change(self, pattern, how):
        """Has a section of each gateway's configuration replaced by what a function makes of it."""
        for name in "left", "right":
            path = self.folder / "config" / f"ipsec-{name}.conf"
            path.write_text(re.sub(rf"\[sa {pattern}\][^[]*", lambda found: how(found[0]),
                                   path.read_text()))

    def test_next_keys(self):
        """As docs/ipsec.md says: new keys, twice, while pings flow, and none is lost."""
        gateways = self.gateways()
        self.assertEqual(self.net.ping(self.net.left, RIGHT), 5)
        flood = self.flood(2000)
        self.new_keys("-2")
        self.new_keys("-3")

        def with_key(number):
            return lambda section: re.sub(r"(-\d)?\.key", f"-{number}.key",
                                          re.sub("0x.0", f"0x{number}0", section))

        def added(section):
            name = re.search("sa (.*)]", section)[1]
            return section + with_key(2)(section).replace(
                f"[sa {name}]", f"[sa {name}-next]\nstands-for = {name}")
        for version, sections, how in ((2, "from-.*", added), (3, "to-.*", with_key(2)),
                                       (4, "from-[a-z]*", with_key(3)), (5, "to-.*", with_key(3))):
            self.change(sections, how)
            self.reload(gateways, version)
            if version == 3:
                for program, name in zip(gateways, ("from-right-next", "from-left-next")):
                    until(lambda: program.telemetry(f"/spillway/sa,{name}")["packets"] > 5, 10, name)
        self.assertIsNone(flood.poll())
        self.assertEqual(self.received(flood), 2000)
        for report in self.end(gateways):
            self.assertLessEqual(set(report.drops), {"denied"})
            self.assertEqual(report["reloads"], 4)
            for name, sa in report["sas"].items():
                self.assertGreater(sa["packets"], 5, name)

    def test_new_keys(self):
        """New keys at both ends while pings flow: lost is what met the other end's old key alone."""
        gateways = self.gateways()
        self.assertEqual(self.net.ping(self.net.left, RIGHT), 5)
        flood = self.flood(1000)
        time.sleep(0.5)
        self.new_keys()
        self.reload(gateways, 2)
        received = self.received(flood)
        self.assertEqual(self.net.ping(self.net.left, RIGHT), 5)
        reports = self.end(gateways)
        bad = sum(report.drops.get(reason, 0) for report in reports for reason in OTHER_KEY)
        self.assertEqual(1000 - received, bad, [report.drops for report in reports])
        self.assertLess(bad, 500)
        for report in reports:
            self.assertEqual(report["reloads"], 1)
            self.assertLessEqual(set(report.drops), {"denied", *OTHER_KEY})
            for name, sa in report["sas"].items():
                self.assertGreater(sa["sequence"], 5, name)
                self.assertLess(sa["sequence"], 1000, name)  # it began at 1 with the new key


if __name__ == "__main__":
    main()
