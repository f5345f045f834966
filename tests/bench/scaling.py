# SPDX-License-Identifier: BSD-3-Clause
"""How encryption grows with the pool: packets encrypted a second by 1, 2 and 4 workers.

Every packet is to be encrypted, and the capture gives more than the workers can do. One fast lcore, on
a CPU of its own, receives; each worker has a CPU, the first one together with the control thread, which
sleeps.
"""

import os

import contenders
import mix
from contenders import RECEIVED
from figures import extent_of, pairs
from gateways import ours

BYTES, WORKERS = 1400, [1, 2, 4]
ALGORITHM = "aes-128-cbc+sha256"


def encrypted(contender):
    """Mpps, by the program's own reports."""
    def rate(run):
        encrypt = run.report["pool"]["encrypt"]
        return (encrypt["inline_packets"] + encrypt["pool_packets"]) / run.report["seconds"] / 1e6
    return contender.values(rate)


def workers(bench, options):
    capture = mix.capture(options.folder, 100, BYTES, BYTES)
    cpus = [cpu for cpu in sorted(os.sched_getaffinity(0)) if cpu != options.cpu]

    def gateway(name, dispatch, count):
        pool = ["--pool", ",".join(map(str, cpus[:count]))] if count else []
        return ours(options, name, capture, ALGORITHM, *pool, "--dispatch", f"encrypt={dispatch}",
                    counter=RECEIVED)

    alone = gateway("the fast lcore alone", "inline", 0)
    pools = {count: gateway(f"{count} worker{'s' * (count > 1)}", "pool", count)
             for count in WORKERS if count <= len(cpus)}
    contenders.measure(bench, [alone, *pools.values()], options)
    rates = {contender.name: encrypted(contender) for contender in (alone, *pools.values())}
    for name, values in rates.items():
        bench.figure(f"encrypted by {name}", "Mpps", values)
    for count in list(pools)[1:]:
        bench.ratio(f"{count} workers / one", pairs(rates[pools[count].name], rates[pools[1].name]),
                    better="high")
    absent = [str(count) for count in WORKERS if count not in pools]
    if absent:
        bench.note(f"not told: {' and '.join(absent)} workers, for with the fast lcore they need a CPU each, and "
                   f"there are {len(cpus) + 1}")
    bench.plot("bars", "scaling.svg", f"encrypted with {ALGORITHM.upper()}, {BYTES} B", y="Mpps", bars=[
        {"name": name, "values": extent_of(values)}
        for name, values in rates.items()])
