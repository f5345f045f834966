# SPDX-License-Identifier: BSD-3-Clause
"""The watchdog names an lcore that hangs and its stage, and ends the program if it is told to."""
import re
import signal
import subprocess

import capture
import harness
from harness import CPUS, Spillway, run, until
from test_blocks import worker

LINK = "spw-stall"


class Held(harness.TestCase):
    """strace holds the fast lcore in the driver's sendto(), as a kernel that hangs would."""

    def setUp(self):
        super().setUp()
        harness.need_root()
        harness.need_program("strace")
        run("ip", "link", "add", f"{LINK}0", "type", "veth", "peer", "name", f"{LINK}1")
        self.addCleanup(run, "ip", "link", "del", f"{LINK}0")
        for end in "01":
            run("ip", "link", "set", f"{LINK}{end}", "up")

    def held(self, *options, seconds=0.6, **how):
        """A program whose fast lcore is in each sendto() for so long; yields it, and ends strace."""
        frames = capture.write(self.folder / "frames.pcap", [bytes(12) + b"\x08\x06" + bytes(46)])
        program = Spillway("--port", f"a=net_pcap0,rx_pcap={frames},infinite_rx=1", "--port",
                           f"b=net_af_packet0,iface={LINK}0",
                           "--wire", "a:b", "--fast", CPUS[-1], "--control", CPUS[0], *options, **how)
        self.addCleanup(program.__exit__)
        program.ready()
        task = worker(self, program.process)
        strace = subprocess.Popen(
            ["strace", "-qq", "-o", "/dev/null", "-e", "trace=sendto",
             "-e", f"inject=sendto:delay_enter={int(seconds * 1e6)}", "-p", task.name],
            stdin=subprocess.DEVNULL)
        self.addCleanup(strace.wait, 10)
        self.addCleanup(strace.send_signal, signal.SIGINT)
        until(lambda: re.search(r"TracerPid:\s*[1-9]", (task / "status").read_text()), 20, "strace attached")
        return program, strace


class Stall(Held):
    def test_log(self):
        program, strace = self.held()
        until(lambda: "lcore 1 hangs in 'receive'" in program.log, 20, program.log)
        status = lambda: program.telemetry("/spillway/status")  # noqa: E731
        until(lambda: status()["hanging"] == 1, 20, "it is shown")
        until(lambda: "lcore 1 goes on" in program.log, 20, program.log)
        strace.send_signal(signal.SIGINT)
        strace.wait(10)
        until(lambda: status()["hanging"] == 0, 20, "it hangs no more")
        self.assertGreaterEqual(status()["stalls"], 1)
        self.check(program.stop())

    def test_never_comes_back(self):
        """What it holds can't be counted, which is another thing than none."""
        program, _ = self.held("--drain-timeout", "100ms", seconds=6)
        until(lambda: "lcore 1 hangs in 'receive'" in program.log, 20, program.log)
        report = program.stop(40)
        self.assertEqual(report.status, 3, report.stderr)
        self.assertIn("does not come back", report.stderr)
        self.assertIsNone(report["leaked_mbufs"])

    def test_exit(self):
        program, _ = self.held("--on-stall", "exit", "--stall-timeout", "15ms")
        report = program.wait(30)
        self.check(report, outcome="failed", status=1)
        self.assertEqual(report["reason"], "stall")
        self.assertIn("lcore 1 hangs in 'receive'", report.stderr)


if __name__ == "__main__":
    harness.main()
