#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Cycles a packet of whole programs that forward one capture: spillway, DPDK's l3fwd and testpmd.

How they are measured is told in contenders.py. Run it through tools/bench.
"""

import os
import pathlib
import subprocess
import sys

from contenders import Contender, arguments, measure, memory, spillway, vdevs

NO_RULES = ["--rules", "/dev/null"]
HERE = pathlib.Path(__file__).resolve().parent


def l3fwd(options, capture, rules):
    """On one lcore, for the capture source has one queue and l3fwd wants one for each lcore."""
    folder = pathlib.Path(options.example)
    return Contender("l3fwd em", [
        folder / "build" / "l3fwd", *memory(options), "--file-prefix", "{prefix}", "--no-pci",
        "-l", options.cpu, *vdevs(capture), "--", "-E", "-p", "3", "--config",
        f"(0,0,{options.cpu}),(1,0,{options.cpu})", "--parse-ptype", "--rule_ipv4", rules,
        "--rule_ipv6", folder / "em_default_v6.cfg",
    ])


def testpmd(options, capture, name="testpmd macswap", packets=1024):
    return Contender(name, [
        "dpdk-testpmd", *memory(options), "--file-prefix", "{prefix}", "--no-pci",
        "-l", f"{options.control_cpu},{options.cpu}", *vdevs(capture), "--",
        "--forward-mode=macswap", "--auto-start", "--burst=32", "--nb-cores=1", "-i",
        f"--total-num-mbufs={packets + 16384}",
    ])


def flows(options, count):
    """A capture with so many flows, and l3fwd's rules for it."""
    capture, rules = (f"{options.folder}/{count}.{end}" for end in ("pcap", "rules"))
    if not os.path.exists(rules):
        subprocess.run([sys.executable, HERE / "flows.py", str(count), capture, rules], check=True)
    return capture, rules


def compare(contenders, options):
    print("  " + " ".join(contenders[-1].command("PREFIX")), flush=True)
    measure(contenders, options)


def wire(options):
    """64 B, 1 024 established flows: against l3fwd and testpmd."""
    capture, rules = flows(options, 1024)
    contenders = [testpmd(options, capture), spillway(options, "spillway", capture, *NO_RULES)]
    if options.example:
        contenders.insert(1, l3fwd(options, capture, rules))
    else:
        print("  l3fwd is not available: no comparison with it")
    compare(contenders, options)
    ours = contenders[-1].median()
    for other in contenders[:-1]:
        print(f"  spillway / {other.name}: {ours:.1f} / {other.median():.1f} = "
              f"{ours / other.median():.2f}")


def scale(options):
    """Many flows against 1 024. The source holds a packet of each flow: what more of them cost it, in
    cache misses, testpmd shows, which has no flows."""
    counts = [1024, 65536] + ([] if options.no_huge else [1000000])
    sources, ours = [], []
    for count in counts:
        capture, _ = flows(options, count)
        sources.append(testpmd(options, capture, f"macswap, {count} packets", count))
        # Refused flows would be classified in their time, seconds of it: this learns them at once.
        ours.append(spillway(options, f"spillway, {count} flows", capture, *NO_RULES,
                             "--on-pool-full", "classify=inline",
                             "--mbufs", f"in:{count + 16384}",
                             "--flow-capacity", max(65536, count * 2)))
    compare([contender for pair in zip(sources, ours) for contender in pair], options)
    for source, our in list(zip(sources, ours))[1:]:
        base, floor = ours[0].median(), sources[0].median()
        print(f"  {our.name} / 1024: {our.median():.1f} / {base:.1f} = {our.median() / base:.2f}; "
              f"source alone {source.median():.1f} / {floor:.1f} = {source.median() / floor:.2f}; "
              f"above it {our.median() - source.median():.1f} / {base - floor:.1f}")


def main():
    parser = arguments(__doc__.split("\n", maxsplit=1)[0], ["wire", "scale"])
    options = parser.parse_args()
    {"wire": wire, "scale": scale}[options.what](options)


main()
