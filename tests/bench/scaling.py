#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""How encryption grows with the pool: packets encrypted a second by 1, 2 and 4 workers.

Every packet is to be encrypted, and the capture gives more than the workers can do. One fast lcore, on
a CPU of its own, receives; each worker has a CPU, the first one together with the control thread, which
sleeps. How programs are measured is told in contenders.py. Run it through tools/bench.
"""

import os

import mix
from contenders import RECEIVED, arguments, measure
from gateways import ALGORITHMS, ours

BYTES, WORKERS = 1400, [1, 2, 4]


def encrypted(contender):
    """Mpps, by the program's own report."""
    def rate(run):
        encrypt = run.report["pool"]["encrypt"]
        return (encrypt["inline_packets"] + encrypt["pool_packets"]) / run.report["seconds"] / 1e6
    return contender.median(rate)


def main():
    parser = arguments(__doc__.split("\n", maxsplit=1)[0], ["scaling"])
    parser.add_argument("--algorithm", choices=ALGORITHMS, default="aes-128-cbc+sha256",
                        help="[aes-128-cbc+sha256]")
    options = parser.parse_args()
    capture = mix.capture(options.folder, 100, BYTES, BYTES)
    cpus = [cpu for cpu in sorted(os.sched_getaffinity(0)) if cpu != options.cpu]

    def gateway(name, dispatch, workers):
        pool = ["--pool", ",".join(map(str, cpus[:workers]))] if workers > 0 else []
        return ours(options, name, capture, options.algorithm, *pool, "--dispatch",
                    f"encrypt={dispatch}", counter=RECEIVED)

    alone = gateway("the fast lcore alone", "inline", 0)
    pools = {workers: gateway(f"{workers} worker{'s' * (workers > 1)}", "pool", workers)
             for workers in WORKERS if workers <= len(cpus)}
    helped = gateway("1 worker, and help", "auto", 1)
    print("  " + " ".join(helped.command("PREFIX")), flush=True)
    measure([alone, *pools.values(), helped], options)
    one = encrypted(pools[1])
    print(f"  {BYTES} B, {options.algorithm}: Mpps encrypted, and of one worker's")
    for contender in (alone, *pools.values(), helped):
        print(f"    {contender.name:22} {encrypted(contender):6.3f} {encrypted(contender) / one:6.2f}")
    missing = [workers for workers in WORKERS if workers not in pools]
    if missing:
        print(f"  not told: {' and '.join(map(str, missing))} workers, which with the fast lcore need "
              f"{' and '.join(str(workers + 1) for workers in missing)} CPUs; there are {len(cpus) + 1}")
    print("  help: a capture never pauses, so the fast lcore has no time to spare here, and helps with "
          "nothing;\n  what its help adds is told by tools/bench spare, whose source is paced")


main()
