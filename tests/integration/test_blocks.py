# SPDX-License-Identifier: BSD-3-Clause
"""Law 2: on a fast lcore's loop there is no system call but those that the port's driver makes."""
import pathlib
import re
import signal
import subprocess

import harness
from harness import CPUS, Spillway, until

# Rules, flows and a full transmit way: everything but the drivers, which make no system calls.
PORTS = ("--port", f"a=net_pcap0,rx_pcap={harness.CAPTURES / 'office.pcap'},infinite_rx=1",
         "--port", "b=net_null1,no-rx=1", "--wire", "a:b", "--default", "allow")
IDLE_PORTS = ("--port", "a=net_null0,no-rx=1", "--port", "b=net_null1,no-rx=1", "--wire", "a:b")
POLLS = 1_000_000


def worker(test, process):
    """The thread of lcore 1, as DPDK names it: it has changed that over time."""
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        if re.fullmatch(r"(lcore-worker-|rte-worker-|dpdk-worker)1",
                        (task / "comm").read_text().strip()):
            return task
    return test.fail("no thread of lcore 1")


class NeverBlocks(harness.TestCase):

    def setUp(self):
        super().setUp()
        harness.need_root()
        harness.need_program("strace")

    def calls(self, *options):
        """System calls that strace sees on the fast lcore during a second of its CPU time."""
        trace = self.folder / "trace"
        with Spillway(*options, "--fast", CPUS[-1], "--control", CPUS[0]) as program:
            program.ready()
            task = worker(self, program.process)

            def ran():
                return int((task / "schedstat").read_text().split()[0])
            strace = subprocess.Popen(["strace", "-qq", "-o", trace, "-p", task.name],
                                      stdin=subprocess.DEVNULL)
            until(lambda: re.search(r"TracerPid:\s*[1-9]", (task / "status").read_text()), 10,
                  "strace attached")
            begin = ran()
            until(lambda: ran() > begin + 10 ** 9 or trace.stat().st_size > 0, 30, "a second ran")
            strace.send_signal(signal.SIGINT)
            strace.wait(10)
            report = self.check(program.stop())
        return trace.read_text(), report

    def test_under_load(self):
        for idle in "busy", "pause", "sleep":
            calls, report = self.calls(*PORTS, "--idle", idle)
            self.assertEqual(calls, "")
            self.assertGreater(report.packets["transmitted"], POLLS)

    def test_idle(self):
        for idle in "busy", "pause":
            calls, report = self.calls(*IDLE_PORTS, "--idle", idle)
            self.assertEqual(calls, "")
            self.assertGreater(report["lcores"][0]["empty_polls"], POLLS)

    def test_what_this_test_sees(self):
        """An idle loop that was told to sleep does call the kernel."""
        calls, _ = self.calls(*IDLE_PORTS, "--idle", "sleep")
        self.assertIn("nanosleep", calls)


if __name__ == "__main__":
    harness.main()
