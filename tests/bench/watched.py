# SPDX-License-Identifier: BSD-3-Clause
"""What it costs the fast lcore that somebody reads what it counts: all that telemetry has, histograms among it.

Within one run, windows with and without a reader take turns. CPU time of the lcore for a packet counts, so what the
reader takes of a CPU does not; it reads without a pause, on the other CPU, and what it costs to be read from ten
times a second is that part of what as many reads as it made have cost."""

import os
import time

import contenders
import flows
from contenders import START_SECONDS, TRANSMITTED, Telemetry
from fastpath import FLOWS, NO_RULES

TIMES = 10  # a second, that are told
WINDOW = 0.5  # seconds
PAIRS = 20


def read_all(telemetry):
    """Every family, and of those that have members each member."""
    for family in telemetry.ask("/spillway/metrics"):
        values = telemetry.ask(f"/spillway/metrics,{family}")
        for member in values if isinstance(values, list) else []:
            telemetry.ask(f"/spillway/metrics,{family},{member}")


def count(process, telemetry):
    """Packets so far, and CPU time of each thread."""
    port, counter = TRANSMITTED
    return telemetry.ports()[port][counter], contenders.cpu_times(process.pid)


def window(process, telemetry, reads):
    """CPU time of the thread that polls for each packet, and how often a second all was read."""
    packets, spent = count(process, telemetry)
    began, times = time.monotonic(), 0
    while (passed := time.monotonic() - began) < WINDOW:
        if reads:
            read_all(telemetry)
            times += 1
        else:
            time.sleep(WINDOW - passed)
    more, later = count(process, telemetry)
    return max(ns - spent.get(thread, 0) for thread, ns in later.items()) / (more - packets), times / passed


class Watched(contenders.Run):
    """One run; ratios: of windows with a reader to those before them, as if it had read TIMES a second; rates: how
    often it did."""

    def pause(self, process, options):
        telemetry = Telemetry(f"bench-{os.getpid()}", process, time.monotonic() + START_SECONDS)
        self.ratios, self.rates = [], []
        cpus = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {options.control_cpu})
        try:
            for _ in range(1 if options.smoke else PAIRS):
                alone, _ = window(process, telemetry, False)
                read, rate = window(process, telemetry, True)
                self.ratios.append(1 + (read / alone - 1) * TIMES / rate)
                self.rates.append(rate)
        finally:
            os.sched_setaffinity(0, cpus)


def reading(bench, options):
    """64 B, established flows, beside a reader."""
    subject = contenders.spillway(options, "spillway, 64 B, read from", flows.capture(options.folder, FLOWS), *NO_RULES)
    runs = [Watched(subject, options) for _ in range(options.runs)]
    bench.command(subject.command("NAME"))
    bench.figure("all telemetry was read", "times a second", [rate for run in runs for rate in run.rates])
    bench.ratio(f"cycles a packet, all telemetry read {TIMES} times a second / not",
                [ratio for run in runs for ratio in run.ratios], 1.005)
