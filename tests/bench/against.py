# SPDX-License-Identifier: BSD-3-Clause
"""This tree against another commit of it: the same captures, in turns, so that what the machine does meanwhile
meets both alike."""

import argparse
import shutil

import building
import contenders
import flows
import instructions
import mix
from contenders import RECEIVED, spillway
from fastpath import NO_RULES
from figures import Bench, pairs, spread
from gateways import ours

RUNS = 9  # pairs, unless told otherwise


def pair(options, make):
    """The same contender with the other program and with this one."""
    return [make(program=program) for program in (options.other, options.spillway)]


def subjects(options):
    """Names, and a contender for each program."""
    def wire(size):
        return lambda **how: spillway(options, f"wire, {size} B", flows.capture(options.folder, 1024, size),
                                      *NO_RULES, **how)

    def encrypt(algorithm, size):
        capture = mix.capture(options.folder, 100, size, size)
        return lambda **how: ours(options, f"{algorithm}, {size} B", capture, algorithm,
                                  "--dispatch", "encrypt=inline", **how)

    def pool(share):
        capture = mix.capture(options.folder, share, 1400, 1400)
        return lambda **how: ours(options, f"{share} % to encrypt by the pool", capture, "aes-128-cbc+sha256",
                                  "--pool", options.control_cpu, "--dispatch", "encrypt=auto",
                                  counter=RECEIVED, **how)
    makers = [wire(64), wire(1400), encrypt("aes-128-gcm", 64), encrypt("aes-128-gcm", 1400),
              encrypt("aes-128-cbc+sha256", 1400), pool(50), pool(90)]
    return [pair(options, make) for make in makers]


def compare(options, revision):
    """The bench's entry, and the table of before and after."""
    bench = Bench("against", f"this tree against {revision}", "Ratios of paired runs of both programs.")
    name, options.other = building.other(options, revision)
    rows = []
    for before, after in subjects(options):
        for _ in range(options.runs if options.smoke else max(options.runs, RUNS)):
            for contender in (before, after):
                contender.runs.append(contenders.attempt(contender, options))
        ratios = pairs(after.values(), before.values())
        bench.ratio(f"{after.name}: now / {name}", ratios)
        extent = spread(ratios)
        rows.append({"name": after.name, "unit": "cycles a packet", "before": before.median(),
                     "after": after.median(), "ratio": extent["median"], "low": extent["low"],
                     "high": extent["high"]})
    rows += count(bench, options, name)
    return bench.record, {"commit": name, "rows": rows}


def count(bench, options, name):
    """Instructions of both programs: the same whatever else the machine does."""
    if not shutil.which("valgrind"):
        bench.note("no valgrind: instructions are not counted")
        return []
    after = instructions.measure(options)
    before = instructions.measure(argparse.Namespace(**{**vars(options), "spillway": options.other}))
    rows = []
    for path, figures in after.items():
        for key, what in (("instructions_per_packet", ""), ("own", ", spillway's own")):
            was, now = before[path][key], figures[key]
            bench.ratio(f"instructions, {path}{what}: now / {name}", [now / was], 1 + instructions.GROWTH)
            rows.append({"name": f"{path}{what}", "unit": "instructions a packet", "before": was, "after": now,
                         "ratio": now / was, "low": now / was, "high": now / was})
    return rows
