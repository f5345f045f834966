# SPDX-License-Identifier: BSD-3-Clause
"""What comes and leaves with a reload while others carry traffic, of which nothing is lost: wires, and IPsec."""
import json
import pathlib
import re
import signal
import socket
import subprocess

import esp
from associations import need_ipsec
from harness import BUILD, CPUS, Net, Spillway, TestCase, inside, main, need_program, run, until
from live import CTL, Live

HEAD = """[spillway]
rules = rules
idle = sleep
drain-timeout = 3s
"""
CONFIG = HEAD + """[port lan]
device = net_af_packet0,iface=lan
[port wan]
device = net_af_packet1,iface=wan
[wire lan-wan]
ports = lan, wan
"""
SECOND = """[port dmz]
device = net_af_packet2,iface=dmz
[port srv]
device = net_af_packet3,iface=srv
[wire second]
ports = dmz, srv
"""
RULES = "allow icmp from any to any in lan,wan\n"
SECOND_RULES = RULES + "allow icmp from any to any in dmz\n"


class Wires(Live):
    def leave(self, program):
        before = len(program.log)
        self.reload(program, CONFIG, RULES)
        until(lambda: program.log[before:].count("has left") == 2, 20, f"both ports left\n{program.log}")

    def planned(self, program):
        plan = json.loads(run(CTL, "--name", program.name, "plan", "--json").stdout)["plan"]
        return [one["name"] for one in plan["ports"]]

    def passes(self, count=2):
        return self.net.ping(self.net.near, "10.9.0.2", count=count) == count

    def test_come_and_leave(self):
        with self.start(CONFIG, RULES) as program:
            program.ready()
            first = self.load(self.net.left)
            self.assertFalse(self.passes(1))
            for _ in range(3):
                said = self.reload(program, CONFIG + SECOND, SECOND_RULES)
                self.assertNotIn("next start", said)
                second = self.load(self.net.near)
                until(lambda: self.passes(), 20, "a wire that came carries packets")
                # What answers comes by the other port, which no rule lets begin.
                self.assertEqual(self.net.ping(self.net.far, "10.9.0.1", count=1), 0)
                self.leave(program)
                self.assertEqual(self.planned(program), ["lan", "wan"])
                self.assertFalse(self.passes(1))
                second.kill()
                second.communicate()
            lost, got = self.lost(first)
            self.assertLessEqual(lost, 1)  # that which is under way
            self.assertGreater(got, 500)
            ports = {one["name"]: one for one in self.ports(program)}
            report = self.check(program.stop())
        self.assertEqual(ports["dmz"]["link"], "gone")
        for name in "dmz", "srv":
            self.assertGreater(ports[name]["rx_packets"], 0)
        self.assertEqual([one["name"] for one in report["ports"]], ["lan", "wan", "dmz", "srv"])
        self.assertEqual(report["reloads"], 6)

    def test_nothing_slips_through(self):
        """What floods a port that comes and leaves is denied by the rules that know the port, and meets no others."""
        with inside(self.net.far):
            heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        with heard, self.start(CONFIG, "allow any from any to any\n") as program:
            heard.bind(("eth0", 0x0800))
            heard.setblocking(False)
            program.ready()
            run("ip", "-n", self.net.near, "neighbor", "add", "10.9.0.2", "lladdr", "02:00:00:00:00:02", "dev", "eth0")
            for _ in range(3):
                flood = subprocess.Popen(["ip", "netns", "exec", self.net.near, "ping", "-n", "-q", "-i", "0.0005", "-w", "60",
                                          "10.9.0.2"],
                                         stdout=subprocess.DEVNULL)
                self.reload(program, CONFIG + SECOND, "deny any from any to any in dmz\nallow any from any to any\n")
                until(lambda: program.telemetry("/spillway/metrics,drops").get("denied", 0) > 100, 20, "the flood is denied")
                before = len(program.log)
                self.reload(program, CONFIG, "allow any from any to any\n")
                until(lambda: program.log[before:].count("has left") == 2, 20, program.log)
                flood.kill()
                flood.wait()
            self.assertRaises(BlockingIOError, heard.recv, 2048)
            self.check(program.stop())

    def test_what_is_refused(self):
        with self.start(CONFIG, RULES) as program:
            program.ready()
            there = "wire.conf:14: key 'device', value '%s': "
            for config, rules, what in (
                    (CONFIG + SECOND.replace("iface=srv", "iface=nowhere"), SECOND_RULES,
                     there % "net_af_packet3,iface=nowhere" + "net_af_packet3: iface=nowhere: there is no such interface"),
                    (CONFIG + SECOND.replace("net_af_packet3,iface=srv", "0000:fe:1f.7"), SECOND_RULES,
                     there % "0000:fe:1f.7" + "0000:fe:1f.7: there is no such PCI device"),
                    (CONFIG + SECOND.replace("net_af_packet3,iface=srv", "net_pcap0,rx_pcap=/nowhere"), SECOND_RULES,
                     there % "net_pcap0,rx_pcap=/nowhere" + "net_pcap0: rx_pcap=/nowhere: can't be read"),
                    (CONFIG + SECOND.replace("net_af_packet3", "net_af_packet0"), SECOND_RULES,
                     "port 'lan' has that device already"),
                    (CONFIG + SECOND, SECOND_RULES + "what is this\n", "rules:3: "),
                    (CONFIG.replace("port lan", "port in").replace("lan, wan", "in, out").replace("port wan", "port out"),
                     "allow icmp from any to any\n",
                     "wire.conf:6: key 'device', value 'net_af_packet0,iface=lan': port lan has that until it has left: "
                     "expected two reloads, the first without [port in]"),
                    (CONFIG, SECOND_RULES, "dmz")):
                with self.subTest(what):
                    self.refused(program, config, rules, what)
            self.refused(program, CONFIG + SECOND.replace("iface=srv", "iface=srv\nmbufs = 400k"), SECOND_RULES,
                         "--memory 600: the plan needs ", asked=False)
            self.assertEqual([one["name"] for one in self.ports(program)], ["lan", "wan"])
            # What was taken back leaves nothing behind.
            self.reload(program, CONFIG + SECOND, SECOND_RULES)
            until(lambda: self.passes(), 20, "a wire that came carries packets")
            self.refused(program, CONFIG, SECOND_RULES, "dmz")
            self.assertTrue(self.passes())
            # Flows of its wire are still known: another one needs another name.
            self.leave(program)
            self.refused(program, CONFIG + SECOND.replace("srv", "other").replace("iface=other", "iface=srv"),
                         SECOND_RULES, "wire.conf:12: key 'device', value 'net_af_packet2,iface=dmz': port dmz was in another wire")
            self.assertEqual(self.net.ping(self.net.left, "10.9.0.2", count=2), 2)
            report = self.check(program.stop())
        self.assertEqual(report["reloads"], 2)

    def test_end_in_between(self):
        """A signal that comes while a wire leaves, or comes."""
        for first, second in (CONFIG + SECOND, CONFIG), (CONFIG, CONFIG + SECOND):
            with self.start(first, RULES) as program:
                program.ready()
                self.file("wire.conf", second)
                program.signal(signal.SIGHUP)
                report = self.check(program.stop())
                self.assertRegex(report.stderr, "version 2 of the rules is in force|reload: the program ends; the rules stay")

    def test_end_before(self):
        """Both signals at once: that there is no reload any more is said."""
        with self.start(CONFIG, RULES) as program:
            program.ready()
            program.signal(signal.SIGSTOP)
            until(lambda: "State:\tT" in pathlib.Path(f"/proc/{program.process.pid}/status").read_text(), 10, "it is stopped")
            program.signal(signal.SIGHUP)
            program.signal(signal.SIGTERM)
            program.signal(signal.SIGCONT)
            report = self.check(program.wait())
        self.assertIn("reload: the program ends; the rules stay as they were\n", report.stderr)

    def test_captured(self):
        """Who captures a port that leaves hears of it, and of no other port that comes in its place."""
        need_program("tshark")
        with self.start(CONFIG + SECOND, SECOND_RULES) as program:
            program.ready()
            target = self.folder / "out.pcapng"
            capture = subprocess.Popen([CTL, "capture", "--name", program.name, target, "port", "dmz"], text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            until(lambda: self.passes() and target.exists() and target.stat().st_size > 500, 20, "packets are captured")
            self.leave(program)
            other = SECOND.replace("port dmz", "port new").replace("port srv", "port old").replace("dmz, srv", "new, old")
            self.reload(program, CONFIG + other, SECOND_RULES.replace("dmz", "new"))
            until(self.passes, 20, "the port that came in its place carries packets")
            self.assertRegex(capture.communicate(timeout=20)[0], r"^spillwayctl: port dmz has left: \d+ packets captured, 0 lost\n$")
            self.assertEqual(capture.returncode, 1)
            names = run("tshark", "-r", target, "-T", "fields", "-e", "frame.interface_name").stdout.split()
            self.assertEqual(set(names), {"dmz"})
            self.check(program.stop())

    def test_unconfirmed(self):
        """What left comes back, and what came leaves."""
        with self.start(CONFIG, RULES) as program:
            program.ready()
            self.file("wire.conf", HEAD + SECOND)
            self.file("rules", RULES.replace("lan,wan", "dmz"))
            run(CTL, "--name", program.name, "reload", "--confirm", "1s")
            self.assertIn("port wan has left", program.log)
            until(lambda: "port srv has left" in program.log, 20, program.log)
            self.assertEqual(self.net.ping(self.net.left, "10.9.0.2", count=2), 2)
            self.assertFalse(self.passes(1))
            self.check(program.stop())


class Ipsec(TestCase):
    """Associations come to a program that was started without any, by the pool and inline."""

    KEYS = {"out": bytes(range(20)), "in": bytes(range(20, 40))}
    RULES = "protect out udp from any to any port 7\nprotect in udp from any to any port 9\n"
    ENDS = "192.0.2.1", "198.51.100.1"
    COUNT = 100

    def setUp(self):
        need_ipsec()
        super().setUp()
        self.net = Net()
        self.addCleanup(self.net.close)
        for name, key in self.KEYS.items():
            self.file(f"{name}.key", key.hex() + "\n").chmod(0o600)
        self.file("rules", "allow icmp from any to any\n")
        self.config = self.file("wire.conf", CONFIG)
        self.out = esp.SA("aes-128-gcm", self.KEYS["out"], 0x1001, "tunnel", *self.ENDS)
        self.back = esp.SA("aes-128-gcm", self.KEYS["in"], 0x1002, "tunnel", *reversed(self.ENDS))

    def sections(self):
        return "".join(f"[sa {name}]\ndirection = {name}\nspi = {sa.spi:#x}\nmode = tunnel\nsource = {source}\n"
                       f"destination = {destination}\nalgorithm = aes-128-gcm\nkey-file = {name}.key\n"
                       for name, sa, (source, destination) in (("out", self.out, self.ENDS),
                                                               ("in", self.back, tuple(reversed(self.ENDS)))))

    def reload(self, program, config, rules):
        self.file("wire.conf", config)
        self.file("rules", rules)
        run(CTL, "--name", program.name, "reload")

    def send(self):
        """Datagrams from the left come out as ESP, which decrypts to them."""
        with inside(self.net.right):
            tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        with tap, inside(self.net.left), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            tap.bind(("eth0", 0))
            tap.settimeout(20)
            for number in range(self.COUNT):
                out.sendto(b"there %d" % number, ("10.9.0.2", 7))
                while True:
                    frame = tap.recv(2048)
                    if frame[12:14] == b"\x08\0" and frame[23] == 50:
                        break
                self.assertTrue(self.out.decrypt(frame).frame.endswith(b"there %d" % number))

    def receive(self, first):
        """ESP from the right is decrypted for the left."""
        mac = json.loads(run("ip", "-j", "-n", self.net.left, "link", "show", "eth0").stdout)[0]["address"]
        link = bytes.fromhex(mac.replace(":", "")) + b"\x02\0\0\0\0\2\x08\0"
        with inside(self.net.left):
            listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with inside(self.net.right):
            tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        with listener, tap:
            listener.bind(("10.9.0.1", 9))
            listener.settimeout(20)
            tap.bind(("eth0", 0))
            for number in range(first, first + self.COUNT):
                clear = link + esp.udp_frame("10.9.0.2", "10.9.0.1", b"back %d" % number, (9, 9))[14:]
                tap.send(self.back.encrypt(clear, number))
                self.assertEqual(listener.recv(2048), b"back %d" % number)

    def test_comes(self):
        for dispatch in "pool", "inline":
            with self.subTest(dispatch):
                self.come(dispatch)

    def come(self, dispatch):
        self.file("wire.conf", CONFIG)
        self.file("rules", "allow icmp from any to any\n")
        with Spillway("--config", self.config, "--memory", "600", "--dispatch", f"encrypt={dispatch}", "--dispatch",
                      f"decrypt={dispatch}", namespace=self.net.middle) as program:
            program.ready()
            self.assertEqual(self.net.ping(self.net.left, "10.9.0.2", count=2), 2)
            self.reload(program, CONFIG + self.sections(), "allow icmp from any to any\n" + self.RULES)
            self.send()
            self.receive(1)
            # Without any again: what has come stays.
            self.reload(program, CONFIG, "allow icmp from any to any\n")
            self.assertEqual(self.net.ping(self.net.left, "10.9.0.2", count=2), 2)
            report = self.check(program.stop())
        self.assertEqual(report["reloads"], 2)
        for name in "encrypt", "decrypt":
            self.assertEqual(report["pool"][name][f"{dispatch}_packets"], self.COUNT, report["pool"])

    def test_warm(self):
        """Each lcore has its drivers' memory before a packet needs it."""
        warmed = re.compile(r"crypto memory for thread \S*worker\S*")
        preloaded = "env", f"LD_PRELOAD={BUILD}/tests/integration/libtell_crypto.so"
        with Spillway("--config", self.config, "--memory", "600", "--dispatch", "encrypt=inline", "--fast", CPUS[0], "--pool",
                      CPUS[-1], namespace=self.net.middle, wrapper=preloaded) as program:
            program.ready()
            self.reload(program, CONFIG + self.sections(), "allow icmp from any to any\n" + self.RULES)
            driver = program.telemetry("/spillway/metrics,sas,out")["driver"]
            if "aesni" not in driver:
                self.skipTest(f"needs a driver of intel-ipsec-mb's, and has {driver}")
            until(lambda: len(warmed.findall(program.log)) == 2, 20, f"two lcores have it\n{program.log}")
            self.send()
            self.assertEqual(len(warmed.findall(program.log)), 2, program.log)
            self.check(program.stop())

    def test_what_is_refused(self):
        """Buffers that can't hold a frame in one piece, and packets that would pass in the clear."""
        tap = CONFIG.replace("net_af_packet0,iface=lan", "net_pcap0,iface=lan\nmtu = 9000")
        for config, options, what in ((tap, (), "port lan: its buffers hold no frame of MTU 9000 in one piece"),
                                      (CONFIG, ("--on-pool-full", "classify=allow"), "--on-pool-full 'classify=allow'")):
            with self.subTest(what):
                self.file("wire.conf", config)
                with Spillway("--config", self.config, *options, "--memory", "600",
                              namespace=self.net.middle) as program:
                    program.ready()
                    self.file("wire.conf", config + self.sections())
                    done = run(CTL, "--name", program.name, "reload", check=False)
                    self.assertEqual(done.returncode, 1)
                    self.assertIn(what, done.stderr)
                    self.check(program.stop())


if __name__ == "__main__":
    main()
