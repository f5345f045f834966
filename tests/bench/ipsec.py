# SPDX-License-Identifier: BSD-3-Clause
"""What ESP costs where packets are received: spillway against DPDK's ipsec-secgw and VPP on the same captures."""

import contenders
import mix
import vpp
from contenders import Contender
from figures import extent_of, pairs
from gateways import ours, peers

SIZES = [64, 512, 1400]


def inline(bench, options, algorithm="aes-128-gcm"):
    """Every packet is encrypted, by the one lcore that there is."""
    points = {"spillway": [], "ipsec-secgw": [], "VPP": []}
    for size in SIZES:
        capture = mix.capture(options.folder, 100, size, size)
        others, routers = peers(options, capture, algorithm), vpp.gateways(options, capture, algorithm)
        our = ours(options, "spillway", capture, algorithm, "--dispatch", "encrypt=inline")
        everyone = [*others, *routers, our]
        for contender in everyone:
            contender.name += f", {algorithm}, {size} B"
        contenders.measure(bench, everyone, options)
        add(points["spillway"], size, our)
        if others:
            best = min(others, key=Contender.median)
            add(points["ipsec-secgw"], size, best)
            bench.ratio(f"{our.name} / {best.name}", pairs(our.values(), best.values()), 1.0)
        for router in routers:
            add(points["VPP"], size, router)
            bench.ratio(f"{our.name} / {router.name}", pairs(our.values(), router.values()))
    bench.plot("lines", f"ipsec-{algorithm}.svg", f"{algorithm.upper()} where packets are received",
               x="bytes of a frame", y="cycles a packet",
               series=[{"name": name, "points": line} for name, line in points.items() if line])


def add(points, position, contender):
    points.append([position, *extent_of(contender.values())])
