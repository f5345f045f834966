# SPDX-License-Identifier: BSD-3-Clause
"""Whom expensive packets cost: a share of them is to be encrypted, far more than can be, and the rest must
not notice. spillway with each dispatch, against DPDK's ipsec-secgw and VPP on the same captures."""

from statistics import median

import contenders
import machine
import mix
import parts
import vpp
from contenders import RECEIVED, Contender
from figures import extent_of, pairs
from gateways import ours, peers

SHARES = [0, 10, 50, 90]  # per cent to protect
BYTES = 1400
ALGORITHM = "aes-128-cbc+sha256"
GROWTH = 1.35
BURST = 32  # packets of a turn, from a source without end
FULL = "pool_full_encrypt"


def esp(bench, options):
    """Cycles and latency of packets in the clear against the share to encrypt."""
    shares = [0, 90] if options.smoke else SHARES
    systems = {f"spillway, {dispatch}": {
        share: gateway(options, share, dispatch) for share in shares} for dispatch in ("auto", "inline", "pool")}
    rivals = {share: peers(options, capture(options, share), ALGORITHM, RECEIVED) for share in shares}
    routers = {share: vpp.gateways(options, capture(options, share), ALGORITHM, RECEIVED) for share in shares}
    everyone = []
    for share in shares:
        for other in rivals[share] + routers[share]:
            other.name += f", {share} %"
        everyone += [*rivals[share], *routers[share], *(line[share] for line in systems.values())]
    contenders.measure(bench, everyone, options)
    growth(bench, "spillway, auto", systems["spillway, auto"], GROWTH)
    parts.difference(bench, options, f"spillway, auto, {max(shares)} % / 0 %",
                     *(systems["spillway, auto"][share] for share in (0, max(shares))))
    if rivals[0]:
        systems["ipsec-secgw"] = {share: min(others, key=Contender.median)
                                  for share, others in rivals.items()}
        growth(bench, "ipsec-secgw", systems["ipsec-secgw"])
    if routers[0]:
        systems["VPP"] = {share: one for share, (one,) in routers.items()}
        growth(bench, "VPP", systems["VPP"])
    measured = machine.interruptions(options)
    for share, one in systems["spillway, auto"].items():
        account(bench, one, share)
        turns = 1e6 * median(one.values(lambda run: run.received)) / BURST
        bench.note(f"{share} %: {turns:.0f} turns a second: the p99.9 of a loop that does nothing in them is "
                   f"{machine.floor_of_tail(measured, turns)} here")
    draw(bench, systems)


def capture(options, share):
    return mix.capture(options.folder, share, BYTES, BYTES)


def gateway(options, share, dispatch):
    """One lcore that receives; and one worker, but for `inline`."""
    pool = [] if dispatch == "inline" else ["--pool", options.control_cpu]
    return ours(options, f"spillway, {dispatch}, {share} %", capture(options, share), ALGORITHM, *pool,
                "--dispatch", f"encrypt={dispatch}", counter=RECEIVED)


def growth(bench, name, line, limit=None):
    """Cycles for each packet received, at the greatest share against none."""
    last = max(line)
    bench.ratio(f"{name}: cycles at {last} % / at 0 %", pairs(line[last].values(), line[0].values()), limit)


def account(bench, contender, share):
    """What became of the packets: by the report, and by the order of the capture, whatever it says."""
    def pool(name):
        return contender.values(lambda run: run.report["pool"]["encrypt"][name] / run.report["seconds"] / 1e6)
    for name, what in (("pool_packets", "encrypted by the pool"), ("refused", "refused: pool_full_encrypt")):
        bench.figure(f"{share} %: {what}", "Mpps", pool(name))
    for percentile, name in (("p50", "p50"), ("p99", "p99"), ("p999", "p99.9")):
        bench.figure(f"{share} %: latency in the clear, {name}", "us",
                     contender.values(lambda run, key=percentile: run.report["latency_us"]["fast"][key]))
    lost = max(abs(missing(run.report, share)) for run in contender.runs)
    others = {reason for run in contender.runs for reason in run.report["drops"]} - {FULL}
    bench.note(f"{share} %: packets in the clear lost: {lost}; drops other than {FULL}: "
               f"{', '.join(sorted(others)) or 'none'}")


def missing(report, share):
    """Packets in the clear that came and did not leave."""
    encrypt, packets = report["pool"]["encrypt"], report["packets"]
    left = packets["transmitted"] - encrypt["inline_packets"] - encrypt["pool_packets"]
    return mix.passing(packets["received"], share) - left


def draw(bench, systems):
    def lines(figure, some=systems):
        return [{"name": name, "points": [[share, *extent_of(one.values(figure(share)))]
                                          for share, one in line.items()]} for name, line in some.items()]
    x = f"% to encrypt, {ALGORITHM.upper()}"
    bench.plot("lines", "isolation-cycles.svg", "the receiving core's cycles for each packet", x=x,
               y="cycles a packet", series=lines(lambda share: lambda run: run.cycles))
    # Nothing waits in the source, which has no end: what is in the clear follows from what was received.
    bench.plot("lines", "isolation-bypass.svg", f"packets in the clear that pass, {BYTES} B", x=x, y="Mpps",
               series=lines(lambda share: lambda run: run.received * (100 - share) / 100))
    ours_only = {name: line for name, line in systems.items() if name.startswith("spillway")}
    bench.plot("lines", "isolation-latency.svg", "latency in the clear within spillway, p99", x=x, y="µs",
               log_y=True, series=lines(lambda share: lambda run: run.report["latency_us"]["fast"]["p99"],
                                        ours_only))
