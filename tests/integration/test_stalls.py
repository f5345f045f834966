# SPDX-License-Identifier: BSD-3-Clause
"""Turns of lcores that took too long: kept with what stands around them, and told from interruptions."""
import json
import os
import signal

import test_stall
from harness import CPUS, Spillway, main, until
from test_blocks import worker
from ctl import Loaded, ctl


def slow(program):
    return json.loads(ctl(program, "lcores", "--slow", "--json"))


class Own(test_stall.Stall):
    """The fast lcore is within a system call of its driver for longer than a turn may take."""

    test_exit = test_log = test_never_comes_back = None

    def test_stage(self):
        program, _ = self.held(seconds=0.02)
        found = until(lambda: [turn for turn in slow(program) if turn["turn"]["us"] > 15000], 20, "a slow turn")
        for turn in found:
            self.assertEqual((turn["lcore"], turn["why"]), ("fast0", "longer than 250 us"))
            # Its time was that of the stage which sends what it receives, or sends again.
            self.assertGreater(sum(turn["turn"]["stages_us"].values()), 15000)
            self.assertLessEqual(set(turn["turn"]["stages_us"]), {"retire", "receive", "transmit"})
            self.assertGreater(turn["turn"]["packets"], 0)
            self.assertIn("after", turn)
            self.assertIn(turn["cause"], ("not preempted", "preempted", "stolen", "unknown"))
        self.assertGreater(json.loads(ctl(program, "lcores", "--json"))["fast0"]["slow"], 0)
        text = ctl(program, "lcores", "--slow")
        self.assertRegex(text, r"^LCORE +TIME +TURN us +PACKETS +BEFORE us +AFTER us +STAGES us +CAUSE +WAITED us")
        self.assertRegex(text, r"(?m)^fast0 +20\d\d-")

    def test_longer_than_was_watched(self):
        """What was seen of a turn that is longer says nothing of the rest."""
        program, _ = self.held(seconds=3)
        found = until(lambda: [turn for turn in slow(program) if turn["turn"]["us"] > 2900000], 20, "a slow turn")
        for turn in found:
            self.assertLess(turn["kernel"]["within_us"], turn["turn"]["us"])
            self.assertEqual(turn["cause"], "unknown")


class Kept(Loaded):
    def test_interrupted(self):
        """A thread that was not let run waited for its CPU, by the kernel's own figures."""
        with self.running() as program:
            thread = int(worker(self, program.process).name)
            before = {turn["time"] for turn in slow(program)}
            pinned = os.sched_getaffinity(thread)
            spinner = os.fork()
            if spinner == 0:
                os.sched_setaffinity(0, pinned)
                os.nice(-19)
                while True:
                    pass
            try:
                until(lambda: [turn for turn in slow(program) if turn["time"] not in before and
                               turn["cause"] == "preempted"], 30, "an interruption")
            finally:
                os.kill(spinner, signal.SIGKILL)
                os.waitpid(spinner, 0)
            for turn in slow(program):
                if turn["cause"] == "preempted":
                    self.assertGreaterEqual(turn["kernel"]["waited_for_cpu_us"], turn["turn"]["us"] / 2)
                    self.assertGreater(turn["kernel"]["put_on_cpu"], 0)
            self.check(program.stop())

    def test_bounded(self):
        """However many there are, the newest are kept, and the books balance."""
        with Spillway("--config", self.configuration(), "--budget", "1ns", "--fast", CPUS[0]) as program:
            program.ready()
            for _ in range(20):
                ctl(program, "reload")
                self.assertLessEqual(len(slow(program)), 32 * 8)
            report = self.check(program.stop())
        self.assertIn("slow", report["lcores"][0])


if __name__ == "__main__":
    main()
