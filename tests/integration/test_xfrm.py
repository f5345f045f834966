# SPDX-License-Identifier: BSD-3-Clause
"""The XFRM socket: what `ip xfrm` may do there, who may not, and what garbage does."""
import concurrent.futures
import os
import random
import signal
import socket
import struct
import sys
import threading
import time

import harness
import ike
from hanging import HangingFiles
from harness import CPUS, Spillway, main, need_program, need_root, until
from ike import GCM, HELLO
from test_stall import Held

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


if __name__ == "__main__":
    main()
