# SPDX-License-Identifier: BSD-3-Clause
"""How it ends: SIGTERM under full load and during the start, a second one, a stuck transmit side."""
import fcntl
import os
import random
import select
import signal
import socket
import struct
import time

import capture
from hanging import HangingFiles
from holding import held_within
from harness import CPUS, Spillway, TestCase, main, until
from test_blocks import worker
from ctl import ctl

A, B = CPUS[0], CPUS[-1]
DRAIN = 2000  # ms, the default of --drain-timeout


def flood(flows):
    """One small UDP frame of each of so many flows."""
    for flow in range(flows):
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 46, 0, 0, 64, 17, 0,
                             struct.pack("!I", 0x0A000000 + flow), b"\xc0\x00\x02\x01")
        yield (bytes(12) + b"\x08\x00" + header + struct.pack("!HHHH", 1024 + flow % 60000, 53, 26, 0)
               + bytes(18))


class End(TestCase):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"SEED={seed}", flush=True)
        self.dice = random.Random(seed)
        self.flood = capture.write(self.folder / "flood.pcap", flood(2048))

    def source(self, number):
        return f"net_pcap{number},rx_pcap={self.flood},infinite_rx=1"

    def conserved(self, report):
        self.assertGreater(report.packets["received"], 0)
        self.assertEqual(report.packets["received"],
                         report.packets["transmitted"] + report.packets["dropped"])
        self.assertLessEqual(report["drain_ms"], DRAIN)
        self.assertEqual(report["reason"], "SIGTERM")


class UnderLoad(End):
    """20 times in a row, from sources that never end."""

    def rounds(self, *options, both):
        out = self.source(1) if both else "net_null0,no-rx=1"
        for turn in range(20):
            with self.subTest(turn=turn), \
                 Spillway("--port", f"in={self.source(0)}", "--port", f"out={out}", "--wire",
                          "in:out", "--default", "allow", *options) as program:
                program.ready()
                time.sleep(self.dice.random() / 10)  # any moment will do: none is waited for
                self.conserved(self.check(program.stop()))

    def test_without_pool(self):
        self.rounds("--fast", A, both=False)

    def test_pool_of_one(self):
        """Each flow is new: the table holds fewer than the capture has."""
        self.rounds("--fast", A, "--pool", B, "--flow-capacity", "256", both=True)

    def test_pool_of_two(self):
        self.rounds("--fast", A, "--pool", f"{A},{B}", "--flow-capacity", "256",
                    "--dispatch", "classify=pool", both=True)

    def test_split(self):
        self.rounds("--rx", A, "--fast", f"{A},{B}", "--tx", B, "--pool", B,
                    "--flow-capacity", "256", both=True)

    def test_interrupt(self):
        """SIGINT is the same."""
        with Spillway("--port", f"in={self.source(0)}", "--port", "out=net_null0,no-rx=1",
                      "--wire", "in:out", "--default", "allow") as program:
            report = self.check(program.ready().signal(signal.SIGINT).wait(15))
            self.assertEqual(report["reason"], "SIGINT")


class DuringStart(End):
    def test_any_moment(self):
        """Exit 0, whenever it comes. Only before main() has begun does the kernel's default hold."""
        for turn in range(20):
            with self.subTest(turn=turn), \
                 Spillway("--port", f"in={self.source(0)}", "--port", "out=net_null0,no-rx=1",
                          "--wire", "in:out", "--default", "allow", "--pool", B) as program:
                time.sleep(self.dice.random() * 0.6)
                report = program.stop()
                if report.status == -signal.SIGTERM and not report.stderr:
                    continue
                self.assertEqual(report.status, 0, report.stderr)
                if report:
                    self.check(report)
                    self.assertEqual(report["reason"], "SIGTERM")

    def test_mistake(self):
        """An error stays one when a signal comes before it."""
        with Spillway("--port", "in=net_null0", "--port", "out=net_null1", "--wire", "in:out") as other:
            other.ready()
            for options, status, said in (["--flow-capacity", "1"], 2, "--flow-capacity"), \
                    (["--name", other.name], 1, "the EAL does not start"):
                with self.subTest(said), \
                     Spillway("--port", "in=net_null0", "--port", "out=net_null1", "--wire", "in:out",
                              *options, wrapper=["/usr/bin/python3", "-c", BLOCKED]) as program:
                    report = program.wait(30)
                    self.assertEqual(report.status, status, report.stderr)
                    self.assertIn(said, report.stderr)

    def test_pending_from_the_first_instruction(self):
        """Blocked over exec, so that it is there when the program first looks."""
        with Spillway("--port", f"in={self.source(0)}", "--port", "out=net_null0,no-rx=1", "--wire",
                      "in:out", "--default", "allow",
                      wrapper=["/usr/bin/python3", "-c", BLOCKED]) as program:
            report = program.wait(30)
            self.assertEqual(report.status, 0, report.stderr)
            if report:
                self.assertEqual(report["reason"], "SIGTERM")

    def test_reload(self):
        """One that is wanted before the lcores run begins when they do."""
        with Spillway("--port", "in=net_null0,no-rx=1", "--port", "out=net_null1,no-rx=1", "--wire",
                      "in:out", "--default", "allow",
                      wrapper=["/usr/bin/python3", "-c", BLOCKED.replace("SIGTERM", "SIGHUP")]) as program:
            until(lambda: "is in force" in program.log, 20, "a reload")
            self.assertEqual(self.check(program.stop())["reloads"], 1)


BLOCKED = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.kill(os.getpid(), signal.SIGTERM)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class NeverAccepts(End):
    """A transmit side that takes nothing: the end is forced, and says what that cost."""

    def sender(self, device, *options):
        return Spillway("--port", f"in={self.source(0)}", "--port", f"out={device}", "--wire",
                        "in:out", "--default", "allow", "--fast", A, *options)

    def receiver(self, device):
        return Spillway("--port", f"in={device}", "--port", "out=net_null0,no-rx=1", "--wire",
                        "in:out", "--default", "allow", "--fast", B)

    def forced(self, report, most=DRAIN + 1500):
        self.check(report, outcome="forced", status=3)
        self.assertGreater(report.packets["dropped"], 0)
        self.assertLessEqual(report["drain_ms"], most)

    def freeze(self, sender, receiver):
        """Stops the receiver's process, and waits until the sender's device takes no more."""
        sent = lambda: (sender.telemetry("/ethdev/stats,1") or {}).get("opackets", 0)  # noqa: E731
        until(sent, 20, "packets sent")
        receiver.signal(signal.SIGSTOP)
        last = [sent(), time.monotonic()]

        def still():
            now = sent()
            if now != last[0]:
                last[:] = [now, time.monotonic()]
            return time.monotonic() - last[1] > 0.3
        until(still, 20, "full rings")

    def memif(self, number, role):
        return f"net_memif{number},role={role},socket={self.folder}/memif,socket-abstract=no"

    def test_memif_without_peer(self):
        with self.sender(self.memif(0, "server")) as sender:
            self.forced(sender.ready().stop())

    def test_memif_peer_frozen(self):
        with self.sender(self.memif(0, "server")) as sender:
            sender.ready()
            with self.receiver(self.memif(0, "client")) as receiver:
                self.freeze(sender, receiver.ready())
                self.forced(sender.stop())

    def test_vhost_peer_frozen(self):
        with self.sender(f"net_vhost0,iface={self.folder}/vhost") as sender:
            sender.ready()
            with self.receiver(f"net_virtio_user0,path={self.folder}/vhost") as receiver:
                self.freeze(sender, receiver.ready())
                self.forced(sender.stop())

    def test_virtio_user_peer_frozen(self):
        with self.receiver(f"net_vhost0,iface={self.folder}/vhost") as receiver:
            receiver.ready()
            with self.sender(f"net_virtio_user0,path={self.folder}/vhost") as sender:
                self.freeze(sender.ready(), receiver)
                self.forced(sender.stop())

    def test_second_signal(self):
        """It ends the waiting at once, however long the drain might have taken."""
        with self.sender(self.memif(0, "server"), "--drain-timeout", "60s") as sender:
            sender.ready().signal()
            until(lambda: "SIGTERM" in sender.log, 10, "SIGTERM noted in the log")
            self.forced(sender.stop(), most=10000)

    def test_while_it_drains(self):
        """An lcore that hangs is told, and that it has come back; the drain gets the time that is set."""
        with self.sender(self.memif(0, "server"), "--drain-timeout", "60s") as sender:
            sender.ready().signal()
            until(lambda: "SIGTERM" in sender.log, 10, "SIGTERM noted in the log")
            hanging = lambda: sender.telemetry("/spillway/status")["hanging"]  # noqa: E731
            with held_within(sender.process.pid, int(worker(self, sender.process).name), "/spillway"):
                until(lambda: hanging() == 1, 10, "it is shown")
            until(lambda: hanging() == 0, 10, "it hangs no more")
            self.assertEqual(ctl(sender, "set", "drain-timeout", "1ms"), "drain-timeout: 1m -> 1ms\n")
            report = sender.wait()
        self.forced(report, most=60000)
        self.assertIn("not drained within --drain-timeout", report.stderr)


class Waits(End):
    """What the control thread waits for has an end and hears the signals, whatever a path leads to."""

    def setUp(self):
        super().setUp()
        self.pipe = self.folder / "pipe"
        os.mkfifo(self.pipe)

    def wire(self, *options):
        return Spillway("--port", "in=net_null0,no-rx=1", "--port", "out=net_null1,no-rx=1", "--wire",
                        "in:out", "--default", "allow", *options)

    def test_start_on_a_pipe_without_writer(self):
        for option in "--rules", "--config":
            for also, status in ((), 0), (("--check",), 3):
                with self.subTest(option=option, also=also), self.wire(option, self.pipe, *also) as program:
                    until(lambda: self.opened(program), 20, "the pipe opened")
                    self.assertEqual(program.stop().status, status, program.log)

    def hanging(self):
        folder = self.folder / "hanging"
        folder.mkdir()
        files = HangingFiles(folder)
        self.addCleanup(files.close)
        return files

    def opened(self, program):
        folder = f"/proc/{program.process.pid}/fd"
        try:
            return any(os.readlink(f"{folder}/{name}") == str(self.pipe) for name in os.listdir(folder))
        except FileNotFoundError:
            return False

    def test_reload_from_a_pipe_without_writer(self):
        rules = self.file("rules", "allow any from any to any\n")
        with self.wire("--rules", rules) as program:
            program.ready()
            os.replace(self.pipe, rules)
            self.pipe = rules
            program.signal(signal.SIGHUP)
            until(lambda: self.opened(program), 20, "the pipe opened")
            self.check(program.stop())

    def test_reload_of_many_rules(self):
        """They take seconds to compile: the end is not held up, and nothing was lost."""
        rules = self.file("rules", "allow any from any to any\n")
        with self.wire("--rules", rules, "--memory", "1k", "--drain-timeout", "1s") as program:
            program.ready()
            many = self.file("many", "".join(
                f"allow tcp from 10.{n >> 8 & 255}.{n & 255}.0/24 to any port {n % 60000 + 1}\n"
                for n in range(100000)))
            os.replace(many, rules)
            program.signal(signal.SIGHUP)
            time.sleep(1)  # in the midst of it; before or after is right as well
            self.check(program.stop())

    def test_start_on_a_file_system_that_hangs(self):
        """Nothing reaches a thread in its read(): a second signal ends the process with it."""
        files = self.hanging()
        for options in (["--rules"], ["--rules", "--check"], ["--config"]):
            with self.subTest(options), self.wire(options[0], files.folder / "".join(options), *options[1:]) as program:
                self.assertTrue(files.read.wait(20))
                files.read.clear()
                program.signal()
                until(lambda: "SIGTERM" in program.log, 10, "SIGTERM noted in the log")
                self.assertEqual(program.stop(5).status, 3, program.log)
                self.assertIn("the start does not end; ending without it", program.log)

    def test_reload_from_a_file_system_that_hangs(self):
        rules = self.file("rules", "allow any from any to any\n")
        files = self.hanging()
        with self.wire("--rules", rules) as program:
            program.ready()
            rules.unlink()
            rules.symlink_to(files.folder / "file")
            program.signal(signal.SIGHUP)
            self.assertTrue(files.read.wait(20))
            report = self.check(program.stop())
            self.assertIn("a reload is still under way; ending without it", report.stderr)
            self.assertEqual(report["reloads"], 0)

    def test_reload_after_one_that_hangs(self):
        """Another signal begins anew, once the first had a second; the end waits for neither."""
        rules = self.file("rules", "allow any from any to any\n")
        files = self.hanging()
        with self.wire("--rules", rules) as program:
            program.ready()
            rules.rename(self.folder / "good")
            rules.symlink_to(files.folder / "file")
            program.signal(signal.SIGHUP)
            self.assertTrue(files.read.wait(20))
            rules.unlink()
            rules.symlink_to(self.folder / "good")
            program.signal(signal.SIGHUP)
            until(lambda: "is in force" in program.log, 20, "a reload")
            self.assertIn("its files could not be read in time; the rules stay as they were", program.log)
            report = self.check(program.stop())
            self.assertGreaterEqual(report["reloads"], 1)

    def test_report_into_a_pipe_without_reader(self):
        with self.wire("--report", self.pipe, "--duration", "100ms") as program:
            report = program.wait(30)
            self.assertEqual(report.status, 1, report.stderr)
            self.assertIn("is a pipe that nobody reads", report.stderr)

    def test_report_into_a_pipe_that_is_full(self):
        """Its reader doesn't read: left after --drain-timeout and two seconds."""
        reader = os.open(self.pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        writer = os.open(self.pipe, os.O_WRONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, writer)
        while True:
            try:
                os.write(writer, bytes(4096))
            except BlockingIOError:
                break
        with self.wire("--report", self.pipe, "--duration", "100ms", "--drain-timeout", "1s") as program:
            report = program.wait(30)
            self.assertEqual(report.status, 1, report.stderr)
            self.assertIn("the report and what follows it do not end", report.stderr)

    def test_log_that_nobody_reads(self):
        """Start, reload and end wait for nobody; what was lost is counted once somebody reads."""
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        self.unread(os.fdopen(reader, "rb", 0), os.fdopen(writer, "wb", 0))

    def test_log_that_the_journal_does_not_read(self):
        """A socket, as services have it."""
        self.unread(*socket.socketpair())

    def unread(self, reader, writer):
        self.addCleanup(reader.close)
        self.addCleanup(writer.close)
        os.set_blocking(writer.fileno(), False)
        while True:
            try:
                os.write(writer.fileno(), bytes(4096))
            except BlockingIOError:
                break
        os.set_blocking(writer.fileno(), True)
        rules = self.file("rules", "allow any from any to any\n")
        with Spillway("--port", f"in={self.source(0)}", "--port", "out=net_null0,no-rx=1", "--wire",
                      "in:out", "--rules", rules, "--stats", "10ms", log=writer) as program:
            sent = lambda: (program.telemetry("/ethdev/stats,1") or {}).get("opackets", 0)  # noqa: E731
            until(sent, 30, "packets sent")
            rules.write_text("deny any from any to any\n")
            program.signal(signal.SIGHUP)
            until(lambda: (program.telemetry("/spillway/metrics,drops") or {}).get("denied"), 20,
                  "the new rules in force")
            text = b""
            while b"were lost here" not in text:
                self.assertTrue(select.select([reader], [], [], 20)[0], text[-1000:])
                text += os.read(reader.fileno(), 1 << 16)
            self.assertRegex(text.strip(b"\0"), rb"^spillway: [1-9][0-9]* lines of the log were lost here\n")
            until(lambda: not select.select([], [writer], [], 0)[1], 30, "a log that is full again")
            report = self.check(program.stop())
            self.assertEqual(report["reloads"], 1)
            self.assertLessEqual(report["drain_ms"], DRAIN)

    def test_first_signal_after_a_duration(self):
        """Is not the second one: the drain goes on until its own deadline."""
        with Spillway("--port", f"in={self.source(0)}", "--port",
                      f"out=net_memif0,role=server,socket={self.folder}/memif,socket-abstract=no",
                      "--wire", "in:out", "--default", "allow", "--duration", "500ms",
                      "--drain-timeout", "3s") as program:
            program.ready()
            time.sleep(1)
            program.signal()
            until(lambda: "ending already (duration)" in program.log, 10, "the signal noted")
            report = program.wait(30)
            self.check(report, outcome="forced", status=3)
            self.assertGreaterEqual(report["drain_ms"], 2900)
            self.assertNotIn("again", report.stderr)


if __name__ == "__main__":
    main()
