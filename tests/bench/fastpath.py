# SPDX-License-Identifier: BSD-3-Clause
"""Cycles a packet of whole programs that forward one capture: spillway, DPDK's l3fwd and testpmd.

How they are measured is told in contenders.py.
"""

import contenders
import flows
import l3fwd
import peers
from contenders import Contender, memory, spillway, vdevs
from figures import extent_of, pairs

NO_RULES = ["--rules", "/dev/null"]
FLOWS = 1024
# Rates are told for the sizes of RFC 2544, section 9.1, that say most.
SIZES = [64, 512, 1400]


def exact_match(options, capture, rules):
    """On one lcore, for the capture source has one queue and l3fwd wants one for each lcore."""
    folder = options.examples["l3fwd"]
    return Contender("l3fwd em", [
        folder / "build" / "l3fwd", *memory(options), "--file-prefix", "{prefix}", "--no-pci",
        "-l", options.cpu, *vdevs(capture), "--", "-E", "-p", "3", "--config",
        f"(0,0,{options.cpu}),(1,0,{options.cpu})", "--parse-ptype", "--rule_ipv4", rules,
        "--rule_ipv6", folder / "em_default_v6.cfg",
    ])


def testpmd(options, capture, name="testpmd macswap", packets=FLOWS):
    return Contender(name, [
        "dpdk-testpmd", *memory(options), "--file-prefix", "{prefix}", "--no-pci",
        "-l", f"{options.control_cpu},{options.cpu}", *vdevs(capture), "--",
        "--forward-mode=macswap", "--auto-start", "--burst=32", "--nb-cores=1", "-i",
        f"--total-num-mbufs={packets + 16384}",
    ])


def established(bench, options):
    """64 B, 1 024 established flows, against programs that do less."""
    capture, rules = flows.files(options.folder, FLOWS)
    others = []
    if "testpmd" in options.compare:
        others.append(testpmd(options, capture))
    if "l3fwd" in options.compare:
        others.append(exact_match(options, capture, rules))
    ours = spillway(options, "spillway, 64 B", capture, *NO_RULES)
    contenders.measure(bench, [*others, ours], options)
    for other in others:
        bench.ratio(f"{ours.name} / {other.name}", pairs(ours.values(), other.values()),
                    1.0 if other.name == "l3fwd em" else None)


def peers_and_rules(bench, options):
    """Other programs on the same capture, and spillway with as many rules as l3fwd's ACL. l3fwd classifies each
    packet, spillway each flow once; OVS caches flows; grout and l3fwd's lpm and fib look up routes."""
    capture = flows.capture(options.folder, FLOWS)
    others = [one for name in options.compare if name not in ("testpmd", "ipsec-secgw")
              for one in peers.PEERS[name].contenders(options) if one.name != "l3fwd em"]
    counts = l3fwd.RULE_COUNTS[:1] if options.smoke else l3fwd.RULE_COUNTS
    ours = [l3fwd.ours(options, capture, count) for count in counts]
    contenders.measure(bench, [*others, *ours], options)
    bench.plot("bars", "peers.svg", "64 B, 1 024 flows, capture to null: what each does differs", y="cycles a packet",
               bars=[{"name": one.name, "values": extent_of(one.values())}
                     for one in [*ours, *others]])


def sizes(bench, options):
    """Larger packets, and others: the source copies each, which testpmd tells."""
    kinds = {f"{size} B": {"size": size} for size in SIZES[1:]}
    kinds |= {"IMIX": {"size": "imix"}, "IPv6, 80 B": {"size": 80, "family": 6},
              "VLAN, 68 B": {"size": 68, "vlan": 7}}
    for name, kind in kinds.items():
        capture = flows.capture(options.folder, FLOWS, **kind)
        floor = testpmd(options, capture, f"testpmd macswap, {name}")
        ours = spillway(options, f"spillway, {name}", capture, *NO_RULES)
        contenders.measure(bench, [floor, ours], options)


def many(bench, options):
    """Many flows against 1 024. The source holds a packet of each flow: what more of them cost it, in
    cache misses, testpmd shows, which has no flows."""
    counts = [FLOWS, 65536] + ([] if options.no_huge or options.smoke else [1000000])
    sources, ours = [], []
    for count in counts:
        capture, _ = flows.files(options.folder, count)
        sources.append(testpmd(options, capture, f"testpmd macswap, {count} packets", count))
        # Refused flows would be classified in their time, seconds of it: this learns them at once.
        ours.append(spillway(options, f"spillway, {count} flows", capture, *NO_RULES,
                             "--on-pool-full", "classify=inline",
                             "--mbufs", f"in:{count + 16384}",
                             "--flow-capacity", max(65536, count * 2)))
    contenders.measure(bench, [one for pair in zip(sources, ours) for one in pair], options)
    for count, source, our in list(zip(counts, sources, ours))[1:]:
        bench.ratio(f"{count} flows / {FLOWS}", pairs(our.values(), ours[0].values()),
                    1.5 if count == 1000000 else None)
        bench.ratio(f"the source alone, {count} packets / {FLOWS}",
                    pairs(source.values(), sources[0].values()))
    bench.plot("lines", "flows.svg", "what more flows cost", x="flows", y="cycles a packet", log_x=True,
               series=[{"name": name, "points": [
                   [count, *extent_of(one.values())]
                   for count, one in zip(counts, group)]}
                   for name, group in (("spillway", ours), ("the source alone (testpmd)", sources))])
