# SPDX-License-Identifier: BSD-3-Clause
"""Established flows beside expensive packets, in the program itself (bench_beside.c): how many of them pass, and how
long they take from their arrival, with each dispatch. Needs no CPU for a generator, so that two are enough for a
fast lcore and a worker."""

import collections

import rules
from gateways import configure
from inside import lines, program, void

DISPATCHES = ["auto", "inline", "pool"]
KEPT = 0.95  # of the established flows' packets, at least
ALLOW = "allow udp from 10.0.0.0/8 to 192.168.1.1/32 port 53"  # the source's established flows
ALGORITHM = "aes-128-cbc+sha256"

# name: of the plots. what: the expensive packets are; kind: bench_beside's word for them; rates: theirs, Mpps; work:
# what the program does with them. bytes, mpps: of the established flows. most: rate up to which dispatch auto must
# keep these.
Mix = collections.namedtuple("Mix", "name what kind rates work bytes mpps most flags")


def flood(bench, options):
    """New flows, by the number of rules."""
    for count in [1000] if options.smoke else [10000, 100000]:
        file = rules.write(options.folder / f"{count}.flood", ALLOW, count)
        measure(bench, options, Mix(f"inside-flood-{count}", f"new flows, {count} rules", "new", [1, 4, 8, 16, 24],
                                    "classify", 64, 5, 16, ["--rules", file]))


def esp(bench, options):
    """Packets to encrypt, in the end more of them than the program can."""
    flags = ["--default", "allow", *configure(options.folder, ALGORITHM)]
    measure(bench, options, Mix("inside-esp", "packets to encrypt (CBC+SHA256)", "protect", [0.2, 1, 2, 4],
                                "encrypt", 1400, 2, 4, flags))


def measure(bench, options, mix):
    rates = ",".join(map(str, mix.rates[1:2] if options.smoke else mix.rates))
    found = {}
    for dispatch in DISPATCHES:
        found[dispatch] = lines(bench, [
            *program(options, "beside", mix.kind, mix.bytes, mix.mpps, options.seconds, rates), *mix.flags,
            "--dispatch", f"{mix.work}={dispatch}"])
        for run in found[dispatch]:
            tell(bench, options, mix, dispatch, run)
    draw(bench, mix, found)


def kept(run):
    return run["kept"] / run["alone"]


def tell(bench, options, mix, dispatch, run):
    name = f"beside {run['rate']:g} Mpps of {mix.what}, {dispatch}"
    limited = dispatch == "auto" and run["rate"] <= mix.most
    bench.ratio(f"kept {name}", [kept(run)], KEPT if limited else None, "high")
    for percentile, value in run["latency_us"].items():
        bench.figure(f"latency {name}, {percentile}", "us", [value], void([run], options),
                     alone=run["latency_alone_us"][percentile])


def draw(bench, mix, found):
    def series(figure):
        return [{"name": f"dispatch {dispatch}", "points": [[run["rate"], *[figure(run)] * 3] for run in runs]}
                for dispatch, runs in found.items()]
    x = f"Mpps of {mix.what}"
    bench.plot("lines", f"{mix.name}.svg", "established flows that are kept", x=x,
               y=f"share of {mix.mpps} Mpps that passes", series=series(kept))
    bench.plot("lines", f"{mix.name}-latency.svg", "latency of established flows, from arrival, p99", x=x, y="µs",
               log_y=True, series=series(lambda run: run["latency_us"]["p99"]))
