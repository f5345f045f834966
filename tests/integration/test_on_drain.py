# SPDX-License-Identifier: BSD-3-Clause
"""--on-drain: who sends traffic here is told before receiving ends, and that waits for it."""
import json
import os
import pathlib
import signal

from harness import SPILLWAY, Net, Spillway, TestCase, main, process_name, run, spillway, until
from ctl import ctl

NULLS = ("--port", "a=net_null0,no-rx=1", "--port", "b=net_null1,no-rx=1", "--wire", "a:b", "--idle", "sleep")


class OnDrain(TestCase):
    def setUp(self):
        super().setUp()
        self.gate = self.folder / "gate"
        os.mkfifo(self.gate)

    def waiting(self, then="exit 0"):
        """A command that says which process it is, and waits until it may go on."""
        return f"echo $$ > {self.folder}/child.new; mv {self.folder}/child.new {self.folder}/child; " \
               f"read word < {self.gate}; {then}"

    def child(self):
        path = self.folder / "child"
        until(path.exists, 10, "the command runs")
        return int(path.read_text())

    def is_gone(self, group):
        """Of the command's process group at most the dead are left, whom nobody has asked about."""
        def read(stat):
            try:
                return stat.read_text()
            except (FileNotFoundError, ProcessLookupError):
                return ") Z 0 0"  # it has gone meanwhile
        states = [read(stat).rpartition(")")[2].split() for stat in pathlib.Path("/proc").glob("[0-9]*/stat")]
        self.assertEqual([state for state in states if int(state[2]) == group and state[0] != "Z"], [])

    def open_gate(self):
        self.gate.write_text("go\n")

    def test_traffic_goes_on(self):
        """No packet is lost while the command runs."""
        net = Net()
        self.addCleanup(net.close)
        with Spillway("--port", "lan=net_af_packet0,iface=lan", "--port", "wan=net_af_packet1,iface=wan", "--wire",
                      "lan:wan", "--default", "allow", "--on-drain", self.waiting(), namespace=net.middle) as program:
            program.ready().signal()
            self.child()
            self.assertEqual(net.ping(net.left, "10.9.0.2", count=20), 20)
            self.open_gate()
            report = self.check(program.wait())
        self.assertEqual((report["reason"], report["outcome"]), ("SIGTERM", "drained"))
        self.assertIn("SIGTERM: on-drain runs; receiving ends when that has", report.stderr)
        self.assertIn("on-drain has ended: receiving ends, draining", report.stderr)

    def test_it_fails(self):
        """That is told, and the end goes on."""
        for command, told in (("exit 3", "on-drain: exit status 3"), ("kill -ABRT $$", "on-drain: ended by signal 6"),
                              ("/nonexistent/command", "on-drain: exit status 127")):
            report = self.check(spillway(*NULLS, "--on-drain", command, "--duration", "100ms"))
            self.assertEqual((report["reason"], report["outcome"]), ("duration", "drained"))
            self.assertIn(told, report.stderr)

    def test_output(self):
        """Goes where the log goes, and not into a report."""
        done = run(SPILLWAY, "--no-huge", "--name", process_name("spw"), *NULLS, "--duration", "100ms", "--on-drain",
                   "echo hello", "--report", "-")
        self.assertEqual(json.loads(done.stdout)["outcome"], "drained")
        self.assertIn("hello", done.stderr.splitlines())

    def test_it_does_not_end(self):
        """It is killed with what it has started, and packets drain all the same."""
        with Spillway(*NULLS, "--on-drain", "sleep 1000 & " + self.waiting(), "--on-drain-timeout", "200ms") as program:
            program.ready().signal()
            child = self.child()
            report = self.check(program.wait())
        self.assertEqual((report["reason"], report["outcome"]), ("SIGTERM", "drained"))
        self.assertIn("not done within --on-drain-timeout", report.stderr)
        self.is_gone(child)

    def test_it_gets_less_time(self):
        """What is set meanwhile counts from when it began."""
        with Spillway(*NULLS, "--on-drain", self.waiting(), "--on-drain-timeout", "1h") as program:
            program.ready().signal()
            child = self.child()
            self.assertEqual(ctl(program, "set", "on-drain-timeout", "1ms"), "on-drain-timeout: 1h -> 1ms\n")
            report = self.check(program.wait())
        self.assertIn("not done within --on-drain-timeout", report.stderr)
        self.is_gone(child)

    def test_it_is_told(self):
        """The end has begun by then; telemetry and the report name what began it."""
        with Spillway(*NULLS, "--on-drain", self.waiting()) as program:
            self.assertEqual(program.ready().telemetry("/spillway/status")["state"], "running")
            program.signal(signal.SIGINT)
            self.child()
            told = program.telemetry("/spillway/status")
            self.open_gate()
            report = self.check(program.wait())
        self.assertEqual((told["state"], told["reason"], report["reason"]), ("ending", "SIGINT", "SIGINT"))

    def test_second_signal(self):
        """It waits for nothing."""
        with Spillway(*NULLS, "--on-drain", self.waiting(), "--on-drain-timeout", "1h") as program:
            program.ready().signal(signal.SIGINT)
            child = self.child()
            report = program.stop()
        self.assertEqual((report.status, report["outcome"], report["reason"]), (3, "forced", "SIGINT"))
        self.is_gone(child)

    def test_what_it_has(self):
        """It hears signals, has no input, and nothing of the program's that is open."""
        out = self.folder / "out"
        # By the shell alone: while it starts a program it blocks signals itself.
        read = f"while read -r line; do case $line in SigBlk*) echo \"$line\";; esac; done < /proc/$$/status >> {out}"
        report = self.check(spillway(*NULLS, "--duration", "100ms", "--on-drain",
                                     f"cat; ls -l /proc/$$/fd > {out}; {read}"))
        self.assertEqual(report["outcome"], "drained")
        self.assertRegex(out.read_text(), "SigBlk:\t0+\n")
        self.assertNotRegex(out.read_text(), "socket:|anon_inode:|dpdk|/dev/(?!null)")


if __name__ == "__main__":
    main()
