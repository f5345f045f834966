#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Measures spillway and its peers: what is compared takes turns, and ratios of one run count.

Without a bench's name all of them run. Writes results.json, index.html and plots to build/bench.
"""

import argparse
import json
import os
import pathlib
import sys
import time

import against
import beside
import building
import crypto
import drain
import fastpath
import grout
import inside
import instructions
import ipsec
import isolation
import latency
import machine
import page
import parts
import peers
import pktgen
import router
import scaling
import twin
import watched
from figures import Bench

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES, PAGES_MANY = 600, 1800  # of 2 MiB; many flows lie in a capture that is all in memory

# name: title, what it tells, what it runs.
BENCHES = {
    "fastpath": (
        "the cheap packets",
        "Established flows from a capture to a port that frees packets, on one lcore: the single-process floor. "
        "The source copies each packet. Then over memif, by spillway-load.",
        [fastpath.established, fastpath.peers_and_rules, fastpath.sizes, fastpath.many, latency.throughput,
         parts.stacks]),
    "router": (
        "routed packets",
        "From a capture to random destinations, on one lcore, beside l3fwd's longest prefixes; and while routes change.",
        [router.forwarding, router.replacement]),
    "twin": (
        "to the host and from it",
        "TCP and small datagrams by a routed port's twin, by net_tap, and by a kernel that forwards.",
        [twin.host]),
    "watched": (
        "what it costs to be read from",
        "Established flows beside who reads all of telemetry again and again.",
        [watched.reading]),
    "channel": (
        "a channel against the rte_ring below it",
        "A burst is sent and received again on one lcore, or from one to another.",
        [inside.channel]),
    "flows": (
        "the flow table's lookup against rte_hash's",
        "Bursts of packets of known flows, in random order.",
        [inside.flows]),
    "pool": (
        "what handing work to the pool costs the lcore that does it",
        "Jobs of 32 packets of which the worker writes a line each.",
        [inside.pool]),
    "isolation": (
        "whom expensive packets cost",
        "More to encrypt than the pool can do, and a flood of new flows, beside packets that have nothing to do "
        "with either.",
        [isolation.esp, latency.beside, latency.beside_flood, beside.esp, beside.flood]),
    "ipsec": (
        "what ESP costs",
        "The crypto call, a worker's job, and a gateway on one lcore.",
        [crypto.call_and_job, ipsec.inline, inside.spare]),
    "instructions": (
        "instructions of the main paths",
        "Counted by valgrind, and so the same on a busy machine; without AVX-512, which valgrind has not.",
        [instructions.count]),
    "drain": (
        "how programs end",
        "SIGTERM under full load: the time, packets not accounted for, mbufs not given back.",
        [drain.drain]),
    "scaling": (
        "more workers",
        "Everything is to be encrypted, by 1, 2 and 4 workers.",
        [scaling.workers]),
}


def arguments():
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__.split("\n", maxsplit=1)[0])
    add, usual = parser.add_argument, ",".join(peers.USUAL)
    add("benches", nargs="*", metavar="BENCH", help=f"some of: {' '.join(BENCHES)} [all]")
    add("--compare", default=usual, metavar="PEER,...",
        help=f"with these, as far as they can be had, of {' '.join(peers.PEERS)} [{usual}]")
    add("--chroot", nargs="?", type=pathlib.Path, const=ROOT / "build-bench/chroot", metavar="DIR",
        help="a Debian sid for peers that this Debian hasn't, made if it isn't there [build-bench/chroot]")
    add("--against", metavar="COMMIT", help="only this tree against another commit of it")
    add("--pktgen", type=pathlib.Path, metavar="FILE", help="only draw what tools/pktgen/run printed")
    add("--smoke", action="store_true", help="only whether everything runs and the books balance")
    add("--runs", type=int, default=3, help="of each program [3]")
    add("--seconds", type=float, default=1, help="measured in each run [1]")
    add("--warm-up", type=float, default=0.5, help="seconds before that [0.5]")
    add("--share", type=float, default=0.95, help="of its CPU, or a run is void [0.95]")
    add("--attempts", type=int, default=5, help="until a run is not void [5]")
    add("--build", type=pathlib.Path, default=ROOT / "build-bench", help="folder [build-bench]")
    add("--results", type=pathlib.Path, default=ROOT / "build/bench", help="folder [build/bench]")
    options = parser.parse_args()
    options.compare = [name for name in options.compare.split(",") if name]
    for names, known, what in ((options.benches, BENCHES, "bench"),
                               (options.compare, peers.PEERS, "peer")):
        for name in names:
            if name not in known:
                parser.error(f"'{name}' is no {what}: there are {' '.join(known)}")
    return prepare(options)


def prepare(options):
    """What follows from the options and the machine."""
    options.root = ROOT
    options.benches = options.benches or list(BENCHES)
    options.folder = options.build / "captures"
    options.spillway = options.build / "app" / "spillway"
    cpus = sorted(os.sched_getaffinity(0))
    options.cpu, options.control_cpu = cpus[-1], cpus[0]
    if options.smoke:
        options.runs, options.seconds, options.warm_up, options.attempts = 1, 0.2, 0.1, 1
    return options


def find_peers(options):
    """Installs and builds what can be had; leaves out, with a line, what can't."""
    packages = [package for name in options.compare
                for package in peers.PEERS[name].packages]
    if packages:
        building.packages(options, packages)
    options.examples = {name: building.example(options, name) if name in options.compare else None
                        for name in building.EXAMPLES}
    if options.chroot and "grout" in options.compare:
        building.chroot(options, grout.SUITE, grout.PACKAGES)
    for name in list(options.compare):
        reason = peers.missing(options, name)
        if reason:
            print(f"{name}: left out: {reason}")
            options.compare.remove(name)


def run_benches(options):
    """Entries of results.json."""
    records = []
    for name in options.benches:
        title, about, measures = BENCHES[name]
        bench = Bench(name, title, about)
        for measure in measures:
            measure(bench, options)
        records.append(bench.record)
    return records


def of_pktgen(path):
    """Results of what tools/pktgen/run printed, perhaps on another machine."""
    lines, number = [], 0
    try:
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            lines.append(json.loads(text))
            pktgen.pktgen_bench(lines[-1:])  # whether a line is one shows in what is made of it
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"tools/bench: --pktgen '{path}', line {number}: {error}: lines as tools/pktgen/run prints "
              "them are wanted", file=sys.stderr)
        sys.exit(2)
    return {"version": 1, "machine": {}, "benches": [pktgen.pktgen_bench(lines)]}


def write(options, results):
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    page.write(results, options.results)
    print(f"report: {options.results / 'index.html'}")


def main():
    options, began = arguments(), time.monotonic()
    if options.pktgen:
        write(options, of_pktgen(options.pktgen))
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    building.ours(options)
    find_peers(options)
    many = "fastpath" in options.benches and not options.smoke and not options.against
    with machine.hugepages(PAGES_MANY if many else PAGES) as there:
        options.no_huge = not there
        if options.no_huge:
            print("hugepages: none to be had: without them, which costs TLB misses, and without the million flows")
        results = {"version": 1, "machine": machine.describe(options)}
        if options.against:
            record, results["against"] = against.compare(options, options.against)
            results["benches"] = [record]
        else:
            results["benches"] = run_benches(options)
    results["seconds"] = round(time.monotonic() - began, 1)
    write(options, results)


if __name__ == "__main__":
    main()
