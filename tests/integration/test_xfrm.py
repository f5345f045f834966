# SPDX-License-Identifier: BSD-3-Clause
"""The XFRM socket: what `ip xfrm` may do there, who may not, and what garbage does."""
import concurrent.futures
import itertools
import os
import random
import signal
import socket
import struct
import sys
import threading
import time

import esp
import harness
import ike
from hanging import HangingFiles
from harness import CPUS, Net, Spillway, main, need_program, need_root, until
from test_stall import Held

GCM = "aead rfc4106(gcm(aes)) 0x{:040x} 128"
HELLO = struct.pack("=IHHIIIII", 28, 15, 0, 0, 0, 1, 99, 0xffffffff)
OUT = "src 192.0.2.1 dst 198.51.100.1 proto esp"
IN = "src 198.51.100.1 dst 192.0.2.1 proto esp"


class Socket(harness.TestCase):
    """On devices that carry nothing."""

    def setUp(self):
        super().setUp()
        need_program("ip")
        self.path = self.folder / "xfrm"
        config = self.file("conf", f"[spillway]\nidle = sleep\nfast = {CPUS[0]}\n"
                           "[port lan]\ndevice = net_null0\n[port wan]\ndevice = net_null1\n"
                           f"[wire w]\nports = lan, wan\n[ike]\nxfrm = {self.path}\n")
        self.config = config
        self.ip = ike.Ip(self.path)

    def start(self):
        return Spillway("--config", self.config)

    def test_state(self):
        with self.start() as program:
            program.ready()
            self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
            key = "000102030405060708090a0b0c0d0e0f10111213"
            self.ip(f"state add {OUT} spi 0x1001 reqid 1 mode tunnel "
                    f"aead rfc4106(gcm(aes)) 0x{key} 128")
            self.assertIn("File exists", self.ip.refused(
                f"state add {OUT} spi 0x1001 reqid 1 mode tunnel {GCM.format(1)}"))
            shown = self.ip("state list")
            self.assertIn("proto esp spi 0x00001001 reqid 1 mode tunnel", shown)
            self.assertIn(f"aead rfc4106(gcm(aes)) 0x{key} 128", shown)
            self.ip(f"state add {IN} spi 0x1002 reqid 1 mode tunnel auth-trunc hmac(sha256) "
                    f"0x{'5a' * 32} 128 enc cbc(aes) 0x{'a5' * 16}")
            self.assertIn("SAD count 2", self.ip("state count"))
            self.assertIn("enc cbc(aes)", self.ip(f"state get {IN} spi 0x1002"))
            self.assertRegex(self.ip(f"state allocspi {IN} mode tunnel min 0xc0000000 "
                                     "max 0xc0000fff"), "spi 0xc0000[0-9a-f]{3}")
            for refused, why in ((f"state delete {OUT} spi 0x1009", "No such process"),
                                 (f"state add {OUT.replace('esp', 'ah')} spi 0x2001 mode tunnel "
                                  f"auth-trunc hmac(sha256) 0x{'5a' * 32} 128",
                                  "Protocol not supported"),
                                 (f"state add {OUT} spi 0x2001 mode beet {GCM.format(2)}",
                                  "Protocol not supported"),
                                 (f"state add {OUT} spi 0x2001 mode tunnel {GCM.format(2)} "
                                  "if_id 7", "Operation not supported"),
                                 (f"state add {OUT} spi 0x2001 mode tunnel aead "
                                  f"rfc4309(ccm(aes)) 0x{'5a' * 19} 128",
                                  "Function not implemented")):
                self.assertIn(why, self.ip.refused(refused), refused)
            self.ip(f"state delete {OUT} spi 0x1001")
            self.ip("state flush")
            self.assertEqual(self.ip("state list"), "")
            report = self.check(program.stop())
            self.assertNotIn(key, report.stderr)
        self.assertFalse(self.path.exists())

    def test_policy(self):
        selector = "src 10.1.0.0/16 dst 10.2.0.0/16 dir out"
        template = "tmpl src 192.0.2.1 dst 198.51.100.1 proto esp reqid 1 mode tunnel"
        with self.start() as program:
            program.ready()
            self.ip(f"policy add {selector} priority 100 {template}")
            self.assertIn("File exists", self.ip.refused(f"policy add {selector} {template}"))
            self.ip(f"policy update {selector} priority 200 action block")
            self.ip("policy add src 10.2.0.0/16 dst 10.1.0.0/16 proto tcp dport 22 dir fwd "
                    f"priority 9 {template}")
            shown = self.ip("policy list")
            self.assertLess(shown.index("priority 9"), shown.index("priority 200"))
            self.assertIn("action block", shown)
            self.assertIn("OUT 1 FWD 1", self.ip("policy count"))
            self.ip(f"policy delete {selector}")
            self.assertIn("No such file", self.ip.refused(f"policy delete {selector}"))
            self.ip("policy flush")
            self.assertEqual(self.ip("policy list"), "")
            self.check(program.stop())

    def test_monitor_and_expiry(self):
        """Who listens hears of what comes and goes, and of limits that are reached."""
        with self.start() as program:
            program.ready()
            heard = self.folder / "heard"
            with open(heard, "w") as file:
                monitor = self.ip.monitor(file)
            self.addCleanup(monitor.wait)
            self.addCleanup(monitor.kill)

            def hears(text):
                # It may not listen yet: what it is to hear is done anew.
                self.ip("policy flush")
                return text in heard.read_text()
            until(lambda: hears("Flushed policy"), 20, "the monitor listens")
            self.ip(f"state add {OUT} spi 0x1001 reqid 1 mode tunnel {GCM.format(3)} "
                    "limit time-soft 1 limit time-hard 3")
            until(lambda: "spi 0x00001001" in heard.read_text(), 20, "the new state")
            until(lambda: "hard 1" in heard.read_text() or "hard yes" in heard.read_text().lower(),
                  30, "the hard limit\n" + heard.read_text())
            self.assertEqual(heard.read_text().count("hard 0"), 1, "the soft limit, said once")
            self.assertEqual(self.ip("state list"), "")
            self.check(program.stop())

    def test_garbage(self):
        """Nothing that comes ends it, and others are served all the same."""
        seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
        print(f"SEED={seed}")
        draw = random.Random(seed)
        with self.start() as program:
            program.ready()
            for _ in range(40):
                with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
                    client.connect(str(self.path))
                    client.settimeout(5)
                    try:
                        if draw.random() < 0.9:
                            client.send(HELLO)
                        for _ in range(draw.randrange(30)):
                            size = draw.randrange(1, 600)
                            body = bytearray(draw.randbytes(size))
                            if draw.random() < 0.9:
                                body = bytearray(struct.pack(
                                    "=IHHII", size, 16 + draw.randrange(26),
                                    draw.choice((1, 5, 0x301)), draw.randrange(9), 1)) + body
                            client.send(body[:max(1, size)])
                    except (BrokenPipeError, ConnectionResetError, socket.timeout):
                        pass

            def is_served():  # not yet, as long as those before have all the places
                try:
                    self.ip("state flush")
                    return "SAD count 0" in self.ip("state count")
                except AssertionError:
                    return False
            until(is_served, 60, "others are served")
            self.check(program.stop())

    def test_nothing_passes_for_want_of_room(self):
        """What a start refuses beside associations is refused later, too: it would leave in the clear."""
        wrong = "--on-pool-full 'classify=allow': packets that an SA is to protect would pass in the clear"
        with self.start() as program:
            program.ready()
            ctl = [harness.BUILD / "ctl" / "spillwayctl", "--name", program.name]
            done = harness.run(*ctl, "set", "on-pool-full", "classify=allow", check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(wrong, done.stderr)
            self.config.write_text(self.config.read_text().replace("[port lan]", "on-pool-full = classify=allow\n[port lan]"))
            for command in "diff", "check", "reload":
                done = harness.run(*ctl, command, check=False)
                self.assertNotIn(done.returncode, (0, 1) if command == "diff" else (0,), command)
                self.assertIn(wrong, done.stderr, command)
            self.check(program.stop())

    def test_checks(self):
        """They hold up no change where their files can't be read, nor does the next one that is asked for."""
        def check(name):
            self.file("conf", whole.replace("[spillway]", f"[spillway]\nrules = {files.folder}/{name}"))
            return pool.submit(harness.run, harness.BUILD / "ctl" / "spillwayctl", "--name", program.name, "check",
                               check=False)
        whole = self.config.read_text()
        (self.folder / "hanging").mkdir()
        files = HangingFiles(self.folder / "hanging")
        self.addCleanup(files.close)
        with self.start() as program, concurrent.futures.ThreadPoolExecutor(2) as pool:
            program.ready()
            begun = time.monotonic()
            first = check("first")
            self.assertTrue(files.read.wait(20))
            second = check("second")
            self.ip("policy add src 10.1.0.0/16 dst 10.2.0.0/16 dir out action block")
            self.assertLess(time.monotonic() - begun, 20)
            self.assertFalse(second.done())
            self.assertIn("could not be read in time", first.result().stderr)
            program.stop()

    def test_place_taken(self):
        """A start that fails leaves what is there: another's socket, or a file."""
        with self.start() as program:
            program.ready()
            with self.start() as other:
                self.assertIn("Address already in use", other.wait().stderr)
            self.assertIn("SAD count 0", self.ip("state count"))
            self.check(program.stop())
        self.path.write_text("a file\n")
        with self.start() as other:
            self.assertIn("Address already in use", other.wait().stderr)
        self.assertEqual(self.path.read_text(), "a file\n")

    def test_dump_meets_changes(self):
        """A dump is told to its end, whatever is put in force meanwhile."""
        line = f"xfrm state add {OUT} spi {{:#x}} reqid 7 mode tunnel {GCM.format(5)}\n"
        batch = self.file("batch", "".join(line.format(0x1000 + i)
                                           for i in range(600)))
        with self.start() as program:
            program.ready()
            harness.run("ip", "-batch", batch, env=self.ip.environment)
            ended = threading.Event()

            def change():
                while not ended.is_set():
                    self.ip("policy update src 10.1.0.0/16 dst 10.2.0.0/16 dir out action block")
                    self.ip("policy flush")
            thread = threading.Thread(target=change)
            thread.start()
            try:
                for _ in range(10):
                    self.assertEqual(self.dump(), 600)
            finally:
                ended.set()
                thread.join()
            self.check(program.stop())

    def test_clients_at_once(self):
        """What several ask for at a time is one change, and each hears of his own part."""
        sys.path.insert(0, str(harness.ROOT / "tests" / "bench"))
        from children import Client  # pylint: disable=import-outside-toplevel

        def work(index):
            client = Client(self.path)
            for number in range(index * 10 + 1, index * 10 + 6):
                spis = client.set_up(number)
                with self.assertRaises(FileExistsError):
                    client.set_up(number)
                if number % 2 == 0:
                    client.take_down(number, client.renew(number, spis))
        with self.start() as program:
            program.ready()
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                list(pool.map(work, range(4)))
            self.assertIn("SAD count 44", self.ip("state count"))  # one of each that was refused, too
            self.assertIn("IN 12 OUT 12 FWD 12", " ".join(self.ip("policy count").split()))
            self.check(program.stop())

    def test_many_at_once(self):
        """Requests in one datagram, as `deleteall` sends them, and more of them than a relay notes."""
        line = f"xfrm state add {OUT} spi {{:#x}} reqid 7 mode tunnel {GCM.format(5)}\n"
        batch = self.file("batch", "".join(line.format(0x1000 + i) for i in range(40)))
        with self.start() as program:
            program.ready()
            harness.run("ip", "-batch", batch, env=self.ip.environment)
            self.assertIn("SAD count 40", self.ip("state count"))
            self.ip("state deleteall")
            self.assertIn("SAD count 0", self.ip("state count"))
            self.check(program.stop())

    def dump(self):
        """How many associations are told."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.connect(str(self.path))
            client.settimeout(60)
            client.send(HELLO)
            client.send(struct.pack("=IHHII", 16, 18, 0x301, 1, 1))
            told = 0
            while True:  # events come, too
                kind, flags = struct.unpack_from("=IHH", client.recv(16384))[1:]
                if kind == 3:
                    return told
                told += kind == 16 and flags == 2

    def test_without_spillway(self):
        """A request is answered by an error, at once, and not left open."""
        self.assertIn("Input/output error", self.ip.refused("state count"))

    def test_many_without_spillway(self):
        """Also where nobody reads the answers for a while: then there is no room for more of them."""
        self.assertEqual(self.host("""
s.setblocking(False)
sent = 0
while sent < 1500:
    try:
        s.send(COUNT)
        sent += 1
        idle = 0
    except BlockingIOError:
        idle += 1
        if idle > 50:
            break
        time.sleep(0.01)
s.settimeout(20)
told = [error(s.recv(4096)) for _ in range(sent)]
print(sent > 300 and set(told))
"""), "{-5}")

    def test_fork(self):
        """A child has the socket as its parent has it: each is answered, also when the other is gone."""
        with self.start() as program:
            program.ready()
            self.assertEqual(self.host("""
told = [ask()]
for asks in range(2):
    if os.fork() == 0:
        os._exit(sum(ask() != 0 for _ in range(20 * asks)))
    told += [os.wait()[1], ask()]
parent = os.getpid()
if os.fork() != 0:
    os._exit(0)
while os.getppid() == parent:
    time.sleep(0.01)
print(told + [ask(), ask()], flush=True)
"""), "[0, 0, 0, 0, 0, 0, 0]")
            self.check(program.stop())

    def host(self, text):
        """Runs it in a process with the preload and a socket `s`. Returns what it says."""
        return harness.run("/usr/bin/python3", "-c", """
import os, socket, struct, time
COUNT = struct.pack("=IHHIII", 20, 35, 5, 7, 0, 0)
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 6)
s.settimeout(20)
def error(message):
    kind, value = struct.unpack_from("=4xH10xi", message)
    return value if kind == 2 else 0
def ask():
    s.send(COUNT)
    s.recv(4096)
    return error(s.recv(4096))
while "ask" in PROGRAM and ask() != 0:
    time.sleep(0.02)
""".replace("PROGRAM", repr(text)) + text, env=self.ip.environment, timeout=60).stdout.strip()

    def test_others_may_not(self):
        need_root()
        with self.start() as program:
            program.ready()
            os.chmod(self.folder, 0o755)
            os.chmod(self.path, 0o666)
            done = harness.run("setpriv", "--reuid=65534", "--clear-groups", "/usr/bin/python3", "-c",
                               "import socket, sys\n"
                               "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
                               "s.settimeout(10)\n"
                               "s.connect(sys.argv[1])\n"
                               "print(s.recv(1))", self.path)
            self.assertEqual(done.stdout.strip(), "b''")
            report = self.check(program.stop())
            self.assertIn("neither root nor spillway's user is refused", report.stderr)


class InForce(Held):
    """What is answered holds: no lcore goes by what was before."""

    def test_lcore_that_hangs(self):
        need_program("ip")
        path = self.folder / "xfrm"
        program, strace = self.held("--config", self.file("conf", f"[ike]\nxfrm = {path}\n"), seconds=20)
        until(lambda: "hangs in 'receive'" in program.log, 20, program.log)
        ip = ike.Ip(path)
        self.assertIn("Connection timed out",
                      ip.refused(f"state add {OUT} spi 0x1001 reqid 1 mode tunnel {GCM.format(1)}"))
        # What changes nothing is not in force before the change that it relies on.
        self.assertIn("Connection timed out",
                      ip.refused(f"state update {OUT} spi 0x1001 reqid 1 mode tunnel {GCM.format(1)}"))
        strace.send_signal(signal.SIGINT)
        strace.wait(10)
        self.assertIn("SAD count 1", ip("state count"))
        ip(f"state delete {OUT} spi 0x1001")
        self.assertIn("an lcore does not go by it in time", program.log)
        self.check(program.stop())


class Tunnel(harness.TestCase):
    """`ip xfrm` at both ends of a link: what goes between two hosts is ESP on it."""

    def test_ping(self):
        need_program("ip")
        with Net(other=True) as net:
            harness.run("ip", "-n", net.middle, "link", "add", "mid", "type", "veth", "peer", "name",
                        "mid", "netns", net.other)
            for name in net.middle, net.other:
                harness.run("ip", "-n", name, "link", "set", "mid", "up")
            ends = []
            for number, (name, ports) in enumerate(((net.middle, "lan mid"), (net.other, "wan mid"))):
                inner, outer = ports.split()
                path = self.folder / f"xfrm{number}"
                config = self.file(f"conf{number}", f"""
[spillway]
idle = sleep
default = deny
fast = {CPUS[number % len(CPUS)]}
[port inner]
device = net_af_packet0,iface={inner}
[port outer]
device = net_af_packet1,iface={outer}
[wire w]
ports = inner, outer
[ike]
xfrm = {path}
""")
                ends.append((self.enterContext_(Spillway("--config", config, namespace=name)),
                             ike.Ip(path)))
            for program, _ in ends:
                program.ready()
            self.assertEqual(net.ping(net.left, "10.9.0.2", count=1), 0)
            hosts = ("10.9.0.1", "10.9.0.2")
            for number, (_, ip) in enumerate(ends):
                own, other = hosts[number], hosts[1 - number]
                for spi, source, target in ((0x1001, hosts[0], hosts[1]), (0x1002, hosts[1], hosts[0])):
                    ip(f"state add src 192.0.2.{source[-1]} dst 192.0.2.{target[-1]} proto esp "
                       f"spi {spi:#x} reqid 1 mode tunnel {GCM.format(spi)} replay-window 32")
                ends_of = (f"tmpl src 192.0.2.{own[-1]} dst 192.0.2.{other[-1]} proto esp reqid 1 mode tunnel",
                           f"tmpl src 192.0.2.{other[-1]} dst 192.0.2.{own[-1]} proto esp reqid 1 mode tunnel")
                ip(f"policy add src {own}/32 dst {other}/32 dir out {ends_of[0]}")
                ip(f"policy add src {other}/32 dst {own}/32 dir fwd {ends_of[1]}")
            self.assertEqual(net.ping(net.left, "10.9.0.2", count=5), 5)
            shown = ends[0][1]("state get src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1001",
                               counters=True)
            self.assertRegex(shown, r"current:\n\s+420\(bytes\), 5\(packets\)")
            self.assertIn("oseq 0x5", shown)
            ends[0][1]("policy update src 10.9.0.1/32 dst 10.9.0.2/32 dir out action block")
            self.assertEqual(net.ping(net.left, "10.9.0.2", count=1), 0)
            for program, _ in ends:
                self.check(program.stop())

    def enterContext_(self, context):
        self.addCleanup(context.__exit__, None, None, None)
        return context.__enter__()


class Wire(harness.TestCase):
    """A wire between two packet sockets, which see fragments as they are."""
    ENDS = {4: ("192.0.2.1", "198.51.100.1"), 6: ("2001:db8::1", "2001:db8:ff::1")}
    INSIDE = "10.1.0.5", "10.2.0.5"

    def setUp(self):
        super().setUp()
        need_program("ip")
        self.net = Net()
        self.addCleanup(self.net.close)
        self.sockets = []
        for name in self.net.left, self.net.right:
            with harness.inside(name):
                made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.addCleanup(made.close)
            made.bind(("eth0", 0))
            made.settimeout(20)
            self.sockets.append(made)
        self.path = self.folder / "xfrm"
        self.ip = ike.Ip(self.path)

    def config(self):
        self.file("rules", "allow udp from any to any port 4501\n")
        return self.file("conf", f"""
[spillway]
idle = sleep
default = deny
rules = rules
fast = {CPUS[0]}
[port lan]
device = net_pcap0,iface=lan
[port wan]
device = net_pcap1,iface=wan
[wire w]
ports = lan, wan
[ike]
xfrm = {self.path}
""")

    def add(self, spi, ends, ports=None, flags=""):
        """The associations of a tunnel, as the reference has them: out, back."""
        sas = []
        for back in False, True:
            turn = -1 if back else 1
            sa = esp.SA("aes-128-gcm", (spi + back).to_bytes(2, "big") * 10, spi + back, "tunnel", *ends[::turn],
                        nat_traversal=ports is not None)
            udp = ""
            if ports:
                sa.ports = ports[::turn]
                udp = f"encap espinudp {sa.ports[0]} {sa.ports[1]} 0.0.0.0"
            self.ip(f"state add src {sa.source} dst {sa.destination} proto esp spi {sa.spi:#x} reqid {spi} mode tunnel "
                    f"{flags} aead rfc4106(gcm(aes)) 0x{sa.key.hex()} 128 replay-window 32 {udp}")
            sas.append(sa)
        return sas

    def select(self, sa, way, near, far, more=""):
        """A policy whose packets go by an association; `more`: of its selector."""
        self.ip(f"policy add src {near} dst {far} {more} dir {way} tmpl src {sa.source} dst {sa.destination} "
                f"proto esp reqid {sa.spi & ~1} mode tunnel")

    def comes(self, number, wanted):
        """The first frame that one of the sockets gets and that is wanted: what the function returns of it."""
        while True:
            found = wanted(self.sockets[number].recv(4096))
            if found:
                return found

    def passes(self, frame):
        self.sockets[1].send(frame)
        self.comes(0, lambda got: got == frame)

    def opened(self, sa):
        """For comes(): of the frames of an association what is inside."""
        def wanted(frame):
            try:
                return sa.decrypt(frame)
            except (esp.Refused, ValueError, KeyError, struct.error):
                return None
        return wanted


class Ports(Wire):
    """ESP in UDP at a port of this end that the daemon has chosen; and flags of associations."""
    PORTS = 4501, 61000

    def tunnel(self, family, spi, flags=""):
        out, back = self.add(spi, self.ENDS[family], self.PORTS, flags)
        self.select(out, "out", *self.INSIDE, f"proto udp dport {spi}")
        self.select(back, "fwd", *self.INSIDE[::-1], f"proto udp dport {spi}")
        return out, back

    def test_both_ways(self):
        with Spillway("--config", self.config(), namespace=self.net.middle) as program:
            program.ready()
            for family, spi in ((4, 0x1100), (6, 0x1200)):
                out, back = self.tunnel(family, spi)
                there = esp.udp_frame(*self.INSIDE, b"there", (1000, spi))
                here = esp.udp_frame(*self.INSIDE[::-1], bytes(1200), (1000, spi))

                self.sockets[0].send(there)
                self.assertEqual(self.comes(1, self.opened(out)).frame, there)
                sealed = back.encrypt(here, 1, dont_fragment=False)
                self.sockets[1].send(sealed)
                self.comes(0, lambda got, here=here: got == here)
                # IKE and what keeps a NAT's mapping alive are not ESP; nor is what goes to another end.
                source, own = self.ENDS[family][::-1]
                self.passes(esp.udp_frame(source, own, bytes(4) + b"IKE" + bytes(40), self.PORTS[::-1]))
                self.passes(esp.udp_frame(source, own, b"\xff", self.PORTS[::-1]))
                self.passes(esp.udp_frame(source, own[:-1] + "9", b"no ESP at all", self.PORTS[::-1]))
                # What says to be ESP, and is of no association.
                self.sockets[1].send(esp.udp_frame(source, own, b"\0\0\x99\x99" + bytes(60), self.PORTS[::-1]))
                self.passes(esp.udp_frame(source, own, b"\xff", self.PORTS[::-1], 2))
                if family == 4:
                    for part in esp.pieces(back.encrypt(here, 2, dont_fragment=False), 800):
                        self.sockets[1].send(part)
                    self.comes(0, lambda got, here=here: got == here)
            # The daemon has another port from now on: what goes to the old one is nobody's ESP.
            self.ip("state flush")
            self.passes(esp.udp_frame(*self.ENDS[4][::-1], b"\0\0\x99\x99" + bytes(60), self.PORTS[::-1], 3))
            report = self.check(program.stop())
        self.assertEqual(report.drops["esp_no_sa"], 2)
        self.assertEqual(report.drops["esp_reassembled"], 1)

    def test_ike(self):
        """Where a policy would have it IKE goes by the port of its ESP: no rule says so, and nothing else passes."""
        path = self.config()
        self.file("rules", "")
        with Spillway("--config", path, namespace=self.net.middle) as program:
            program.ready()
            ends = self.ENDS[4]
            out, _ = self.add(0x1100, ends, self.PORTS)
            self.select(out, "out", *ends)
            message = bytes(4) + b"IKE" + bytes(40)
            stray, good = (esp.udp_frame(*ends[::-1], message, (61000, port)) for port in (4502, 4501))
            for frame in stray, good:
                self.sockets[1].send(frame)
            self.comes(0, lambda got: self.assertNotEqual(got, stray) or got == good)
            self.ip("state flush")
            self.passes(esp.udp_frame(*ends[::-1], message, self.PORTS[::-1], 2))
            self.check(program.stop())

    def test_ike_for_the_host(self):
        """Rules for the host do not judge IKE by the port of an association; by another one they do."""
        path = self.file("routed", f"""
[spillway]
idle = sleep
default = deny
fast = {CPUS[0]}
[port wan]
device = net_pcap0,iface=wan
routed = yes
address = {self.ENDS[4][0]}/24
[router]
host-rules = yes
[ike]
xfrm = {self.path}
""")
        link = b"\2pcap\0" + b"\2\0\0\0\0\2"
        with Spillway("--config", path, namespace=self.net.middle) as program:
            program.ready()
            self.tunnel(4, 0x1100)
            for port, count in (4501, 3), (4502, 5):
                for _ in range(count):
                    message = bytes(4) + b"IKE" + bytes(40)
                    self.sockets[1].send(esp.udp_frame(*self.ENDS[4][::-1], message, (61000, port), link=link))
            until(lambda: (program.telemetry("/spillway/metrics,drops") or {}).get("denied", 0) >= 5, 20, "all have come")
            report = self.check(program.stop())
        self.assertEqual(report.drops["denied"], 5)
        self.assertGreaterEqual(report.drops["no_host"], 3)

    def test_marks(self):
        """Flags: congestion is neither told outside nor heard of, and the packet inside gets the DSCP outside."""
        with Spillway("--config", self.config(), namespace=self.net.middle) as program:
            program.ready()
            for family, spi in ((4, 0x1100), (6, 0x1200)):
                out, back = self.tunnel(family, spi, "flag noecn decap-dscp")
                self.assertIn("noecn decap-dscp", self.ip(f"state get src {out.source} dst {out.destination} proto esp "
                                                          f"spi {spi:#x}"))
                self.sockets[0].send(esp.udp_frame(*self.INSIDE, b"there", (1000, spi), traffic=0x28 | 2))

                self.assertEqual(esp.traffic_class(self.comes(1, self.opened(out)).outer), 0x28)
                sealed = back.encrypt(esp.udp_frame(*self.INSIDE[::-1], b"here", (1000, spi), traffic=0x28), 1,
                                      outer_class=0xb8 | 3)
                self.sockets[1].send(sealed)
                expected = esp.udp_frame(*self.INSIDE[::-1], b"here", (1000, spi), traffic=0xb8)
                self.comes(0, lambda got, expected=expected: got == expected)
            self.check(program.stop())


class Fragments(Wire):
    """ESP that was fragmented on its way, as a kernel sends it where the path is narrow: of a daemon's associations."""

    def test_together(self):
        """Plain and in UDP, both families, in any order of fragments: in one lane with what came whole."""
        with Spillway("--config", self.config(), namespace=self.net.middle) as program:
            program.ready()
            gathered = 0
            for number, (family, ports) in enumerate(itertools.product((4, 6), (None, (4500, 4500), (4501, 61000)))):
                spi = 0x1100 + 16 * number
                _, back = self.add(spi, self.ENDS[family], ports)
                self.select(back, "fwd", *self.INSIDE[::-1], f"proto udp dport {spi}")
                frames = [esp.udp_frame(*self.INSIDE[::-1], bytes([n]) * 1200, (1000, spi), n) for n in range(1, 10)]
                for n, frame in enumerate(frames, 1):
                    sealed = back.encrypt(frame, n, dont_fragment=False)
                    parts = esp.pieces(sealed, (1000, 600, 504)[n % 3], n) if n % 4 else [sealed]
                    gathered += len(parts) - 1
                    for part in parts[::(-1, 1)[n % 2]]:
                        self.sockets[1].send(part)
                came = []
                while len(came) < len(frames):
                    came.append(self.comes(0, lambda got, frames=frames: got in frames and got))
                self.assertEqual(came, frames)
            report = self.check(program.stop())
        self.assertEqual(report.drops["esp_reassembled"], gathered)
        self.assertNotIn("esp_fragment", report.drops)

    def test_of_strangers(self):
        """What is ESP for this end from elsewhere than a peer is not gathered."""
        with Spillway("--config", self.config(), namespace=self.net.middle) as program:
            program.ready()
            _, back = self.add(0x1100, self.ENDS[4])
            self.select(back, "fwd", *self.INSIDE[::-1])
            frame = esp.udp_frame(*self.INSIDE[::-1], bytes(1200))
            stranger = esp.SA(back.name, back.key, back.spi, "tunnel", "198.51.100.7", back.destination)
            for part in esp.pieces(stranger.encrypt(frame, 1, dont_fragment=False), 800):
                self.sockets[1].send(part)
            self.sockets[1].send(back.encrypt(frame, 2))
            self.comes(0, lambda got: got == frame)
            report = self.check(program.stop())
        self.assertEqual(report.drops["esp_fragment"], 2)


class Ways(Wire):
    """Policies of one priority, which select the same packets as what comes and as what leaves."""

    def test_all_addresses(self):
        """One tunnel for all there is, as daemons set it up: what comes first, and first without an association."""
        anywhere = "0.0.0.0/0", "0.0.0.0/0"
        there = [esp.udp_frame(*self.INSIDE, b"there", identification=number) for number in range(3)]
        here = [esp.udp_frame(*self.INSIDE[::-1], b"here", identification=number) for number in range(3)]
        with Spillway("--config", self.config(), namespace=self.net.middle) as program:
            program.ready()
            ends = [esp.SA("aes-128-gcm", bytes(20), 0x1100, "tunnel", *ends) for ends in
                    (self.ENDS[4], self.ENDS[4][::-1])]
            for way, sa in ("in", ends[1]), ("fwd", ends[1]), ("out", ends[0]):
                self.select(sa, way, *anywhere)
            # It waits for the association.
            self.sockets[0].send(there[0])
            until(lambda: program.telemetry("/spillway/metrics,acquire")["asked"] > 0, 20, "it waits")
            out, back = self.add(0x1100, self.ENDS[4])
            self.assertEqual(self.comes(1, self.opened(out)).frame, there[0])
            self.sockets[1].send(back.encrypt(here[0], 1))
            self.comes(0, lambda got: got == here[0])
            # In the clear nothing comes from outside, whatever it says it is; and it stands in nobody's way.
            self.sockets[1].send(here[1])
            self.sockets[1].send(there[1])
            self.sockets[1].send(back.encrypt(here[2], 2))
            self.comes(0, lambda got: self.assertNotIn(got, (here[1], there[1])) or got == here[2])
            self.sockets[0].send(there[2])
            self.assertEqual(self.comes(1, self.opened(out)).frame, there[2])
            self.check(program.stop())

    def test_hub(self):
        """Two spokes, whose packets come back from the inside: in the clear from there alone, both ways."""
        spokes = ("10.2.0.0/24", "10.2.1.0/24")
        with Spillway("--config", self.config(), namespace=self.net.middle) as program:
            program.ready()
            tunnels = []
            for number, spoke in enumerate(spokes):
                out, back = self.add(0x1100 + 16 * number, ("192.0.2.1", f"198.51.100.{1 + number}"))
                for way, sa in ("in", back), ("fwd", back):
                    self.select(sa, way, spoke, "10.0.0.0/8")
                self.select(out, "out", "10.0.0.0/8", spoke)
                tunnels.append((out, back))
            hosts = "10.2.0.5", "10.2.1.5"
            for one in 0, 1:
                frame = esp.udp_frame(hosts[one], hosts[1 - one], b"x")
                self.sockets[1].send(tunnels[one][1].encrypt(frame, 1))
                self.comes(0, lambda got, frame=frame: got == frame)
                self.sockets[0].send(frame)
                self.assertEqual(self.comes(1, self.opened(tunnels[1 - one][0])).frame, frame)
                self.sockets[1].send(frame)  # as from the other spoke, and in the clear
                self.sockets[1].send(tunnels[one][1].encrypt(frame, 2))
                self.comes(0, lambda got, frame=frame: got == frame)
            report = self.check(program.stop())
        self.assertEqual(report.drops["esp_required"], 2)


class Trap(harness.TestCase):
    """Whoever sends to all that a trap selects has daemons asked once, and takes a few places."""

    def wire(self, path):
        return self.file("conf", f"""
[spillway]
idle = sleep
default = allow
fast = {CPUS[0]}
[port lan]
device = net_af_packet0,iface=lan
[port wan]
device = net_af_packet1,iface=wan
[wire w]
ports = lan, wan
[ike]
xfrm = {path}
""")

    def test_open_ends(self):
        """Transport mode with many hosts: each packet goes by the association of its own ends, and of no other."""
        need_program("ip")
        with Net() as net:
            path = self.folder / "xfrm"
            ip = ike.Ip(path)
            with Spillway("--config", self.wire(path), namespace=net.middle) as program:
                program.ready()
                until(lambda: net.ping(net.left, "10.9.0.2", count=1), 20, "the neighbour is known")
                net.run(net.left, "ip", "route", "add", "10.9.1.0/24", "via", "10.9.0.2")
                ip("policy add src 10.9.0.1/32 dst 10.9.1.0/24 dir out tmpl proto esp reqid 3 mode transport")

                def send(*hosts):
                    net.run(net.left, "/usr/bin/python3", "-c",
                            "import socket\n"
                            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                            f"for i in {hosts}: s.sendto(b'x', (f'10.9.1.{{i}}', 9))\n")

                def add(host, spi):
                    ip(f"state add src 10.9.0.1 dst 10.9.1.{host} proto esp spi {spi:#x} reqid 3 mode transport "
                       f"{GCM.format(spi)}")

                def went(host, spi, count):
                    shown = lambda: ip(f"state get src 10.9.0.1 dst 10.9.1.{host} proto esp spi {spi:#x}",  # noqa: E731
                                       counters=True)
                    until(lambda: f"{count}(packets)" in shown().replace(" ", ""), 20, (host, spi, count))
                send(22, 23, 24)
                until(lambda: program.telemetry("/spillway/metrics,acquire")["asked"] >= 3, 20, "they wait")
                add(22, 0x7100)
                went(22, 0x7100, 1)
                add(23, 0x7101)
                went(23, 0x7101, 1)
                send(22, 22, 23, 24)
                went(22, 0x7100, 3)
                went(23, 0x7101, 2)
                add(22, 0x7200)
                send(22)
                went(22, 0x7200, 1)
                ip("state delete src 10.9.0.1 dst 10.9.1.23 proto esp spi 0x7101")
                send(23, 22)
                went(22, 0x7200, 2)
                report = self.check(program.stop())
            self.assertEqual(report.drops["acquire_expired"], 3)  # two for 24, one for 23

    def test_reload_of_sets(self):
        """What a version has in common with the one before it is what has not changed: no set that has."""
        need_program("ip")
        with Net() as net:
            path = self.folder / "xfrm"
            ip = ike.Ip(path)
            config = self.wire(path)
            rules = self.file("rules", "set good = 10.9.0.0/24\nallow icmp from @good to any\n")
            config.write_text(config.read_text().replace("default = allow", f"default = deny\nrules = {rules}"))
            with Spillway("--config", config, namespace=net.middle) as program:
                program.ready()
                ip("policy add src 10.7.0.1/32 dst 10.7.0.2/32 dir out action block")
                until(lambda: net.ping(net.left, "10.9.0.2", count=1), 20, "it passes")
                for prefix, passes in (("10.8.0.0/24", 0), ("10.9.0.0/24", 1)):
                    rules.write_text(f"set good = {prefix}\nallow icmp from @good to any\n")
                    harness.run(harness.BUILD / "ctl" / "spillwayctl", "--name", program.name, "reload")
                    until(lambda: net.ping(net.left, "10.9.0.2", "-W", "1", count=1) == passes, 20, prefix)
                self.check(program.stop())

    def test_scan(self):
        need_program("ip")
        with Net() as net:
            path = self.folder / "xfrm"
            ip = ike.Ip(path)
            config = self.wire(path)
            with Spillway("--config", config, namespace=net.middle) as program:
                program.ready()
                heard, other = self.folder / "heard", self.folder / "other"

                def listen(path):
                    with open(path, "w") as file:
                        monitor = ip.monitor(file)
                    self.addCleanup(monitor.wait)
                    self.addCleanup(monitor.kill)
                    return monitor
                monitors = [listen(heard), listen(other)]
                trap = ("src 10.9.0.1/32 dst 10.9.1.0/24 dir out priority 1 "
                        "tmpl src 10.9.0.1 dst 10.9.0.2 proto esp reqid 7 mode tunnel")

                def hears():
                    ip("policy update " + trap)
                    return all("reqid 7" in path.read_text() for path in (heard, other))
                until(hears, 20, "the monitors listen")
                net.run(net.left, "ip", "route", "add", "10.9.1.0/24", "via", "10.9.0.2")
                until(lambda: net.ping(net.left, "10.9.0.2", count=1), 20, "the neighbour is known: all can be sent")
                net.run(net.left, "/usr/bin/python3", "-c",
                        "import socket\n"
                        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                        "for i in range(200): s.sendto(b'x', (f'10.9.1.{i + 1}', 9))\n")
                until(lambda: "acquire" in heard.read_text(), 20, "the daemon is asked")
                self.assertEqual(net.ping(net.left, "10.9.0.2", count=2), 2)
                text = heard.read_text()
                # Until it is there, or for 30 seconds, it is among the states, as the kernel has it.
                shown = ip("state list")
                self.assertIn("proto esp spi 0x00000000 reqid 7 mode tunnel", shown)
                self.assertIn("sel src 10.9.0.1/32 dst 10.9.1.1/32 proto udp", shown)
                self.assertIn("SAD count 1", ip("state count"))
                # Who was asked is gone: who is left is asked again, and who comes.
                monitors[0].kill()
                until(lambda: other.read_text().count("acquire") == 2, 20, "the other one is asked")
                monitors[1].kill()
                monitors[1].wait()
                listen(heard)
                until(lambda: "acquire" in heard.read_text(), 20, "another daemon is asked")
                ip("policy delete src 10.9.0.1/32 dst 10.9.1.0/24 dir out")
                report = self.check(program.stop())
            self.assertEqual(text.count("acquire"), 1, text)
            self.assertIn("sel src 10.9.0.1/32 dst 10.9.1.1/32 proto udp", text)
            self.assertEqual(report.drops["acquire_full"], 200 - 8)
            self.assertEqual(report["acquire"]["waited"], 8)


class Host(harness.TestCase):
    """The kernel behind a twin: policies are for its own packets, too."""

    def test_blocked(self):
        need_program("ip")
        if not os.path.exists("/dev/net/tun"):
            self.skipTest("needs /dev/net/tun")
        with Net() as net:
            harness.run("ip", "-n", net.left, "address", "flush", "dev", "eth0")
            harness.run("ip", "-n", net.left, "address", "add", "10.1.0.2/24", "dev", "eth0")
            harness.run("ip", "netns", "exec", net.middle, "sysctl", "-qw", "net.ipv4.conf.lan.rp_filter=1",
                        "net.ipv4.conf.lan.arp_ignore=8")
            path = self.folder / "xfrm"
            ip = ike.Ip(path)
            config = self.file("conf", f"""
[spillway]
idle = sleep
default = deny
[router]
routes = 1k
routes6 = 1k
[port inner]
device = net_af_packet0,iface=lan
routed = yes
twin = tlan
address = 10.1.0.1/24
[ike]
xfrm = {path}
""")
            reaches = lambda: net.ping(net.middle, "10.1.0.2", "-I", "10.1.0.1", "-W", "1", count=1)
            with Spillway("--config", config, namespace=net.middle) as program:
                program.ready()
                until(reaches, 30, "ping by the twin")
                out, into = "src 10.1.0.1/32 dst 10.1.0.2/32 dir out", "src 10.1.0.2/32 dst 10.1.0.1/32 dir in"
                nothing = "tmpl src 10.1.0.1 dst 10.1.0.2 proto esp reqid 1 mode tunnel"
                for policy, what in (out, "action block"), (out, nothing), (into, "action block"), (into, nothing):
                    ip(f"policy add {policy} {what}")
                    self.assertEqual(reaches(), 0, f"{policy} {what}")
                    ip(f"policy delete {policy}")
                    self.assertEqual(reaches(), 1, f"without {policy} {what}")
                # As charon has them: one selects both ways, and is older; what leaves asks those for it alone.
                ip("policy add src 10.1.0.0/24 dst 0.0.0.0/0 dir in tmpl proto esp reqid 5 mode transport")
                ip("policy add src 0.0.0.0/0 dst 10.1.0.0/24 dir out tmpl proto esp reqid 5 mode transport")
                asked = lambda: program.telemetry("/spillway/metrics,acquire")["asked"]  # noqa: E731
                before = asked()
                self.assertEqual(reaches(), 0)
                self.assertGreater(asked(), before)
                report = self.check(program.stop())
                self.assertGreaterEqual(report.drops["denied"], 3)
                # What wants an association waits, and goes where the policy does.
                self.assertGreaterEqual(report["acquire"]["waited"], 1)


class Onward(harness.TestCase):
    """What came by a tunnel is not sent in the clear where it should go on by one that is not there."""

    def test_trap(self):
        need_program("ip")
        if not os.path.exists("/dev/net/tun"):
            self.skipTest("needs /dev/net/tun")
        key = bytes(range(20))
        branch = esp.SA("aes-128-gcm", key, 0x1001, source="192.0.2.2", destination="192.0.2.1")
        with Net() as net:
            harness.run("ip", "-n", net.left, "address", "flush", "dev", "eth0")
            harness.run("ip", "-n", net.left, "address", "add", "192.0.2.2/24", "dev", "eth0")
            net.run(net.middle, "sysctl", "-qw", "net.ipv4.conf.lan.rp_filter=1", "net.ipv4.conf.lan.arp_ignore=8")
            path = self.folder / "xfrm"
            ip = ike.Ip(path)
            config = self.file("conf", f"""
[spillway]
idle = sleep
default = deny
[router]
routes = 1k
routes6 = 1k
[port outer]
device = net_af_packet0,iface=lan
routed = yes
twin = tlan
address = 192.0.2.1/24
[ike]
xfrm = {path}
""")
            with Spillway("--config", config, namespace=net.middle) as program:
                program.ready()
                until(lambda: net.ping(net.middle, "192.0.2.2", "-I", "192.0.2.1", "-W", "1", count=1), 30,
                      "ping by the twin")
                net.run(net.middle, "ip", "route", "add", "10.8.0.0/16", "via", "192.0.2.2")
                ends = "src 192.0.2.2 dst 192.0.2.1 proto esp"
                ip(f"state add {ends} spi 0x1001 reqid 1 mode tunnel aead rfc4106(gcm(aes)) 0x{key.hex()} 128 "
                   "replay-window 32")
                ways = "src 10.9.0.0/16 dst 10.8.0.0/16"
                ip(f"policy add {ways} dir fwd priority 1 tmpl {ends} reqid 1 mode tunnel")
                ip(f"policy add {ways} dir out priority 2 tmpl src 192.0.2.1 dst 192.0.2.3 proto esp reqid 2 mode tunnel")
                inner = esp.udp_frame("10.9.0.5", "10.8.0.1", b"x", (1000, 2000), 1)

                def send(number):
                    net.run(net.left, "/usr/bin/python3", "-c",
                            "import socket\n"
                            "s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 50)\n"
                            f"s.sendto({branch.seal(inner[14:], esp.IPIP, number)!r}, ('192.0.2.1', 0))\n")
                    shown = lambda: ip(f"state get {ends} spi 0x1001", counters=True).replace(" ", "")  # noqa: E731
                    until(lambda: f"{number}(packets)" in shown(), 20, "it has come")
                send(1)
                ip(f"policy update {ways} dir out priority 2 action block")
                send(2)
                # What comes to the host is none of it.
                ip(f"policy update {ways} dir in priority 2 action block")
                ip(f"policy update {ways} dir out priority 3 action allow")
                send(3)
                report = self.check(program.stop())
            self.assertEqual(report.drops["acquire_onward"], 1)
            self.assertEqual(report.drops["denied"], 1)
            self.assertEqual(report["acquire"]["asked"], 1)


if __name__ == "__main__":
    main()
