#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What ESP costs, and whom: spillway against DPDK's ipsec-secgw on the same captures.

ipsec: every packet is encrypted, on the lcore that receives it. isolation: a share of them is, far
more than the pool can do, and the rest must not notice. How programs are measured is told in
contenders.py. Run it through tools/bench.
"""

import pathlib
import shutil
import subprocess

import mix
from contenders import RECEIVED, Contender, arguments, measure
from gateways import ALGORITHMS, ours, peers

HERE = pathlib.Path(__file__).resolve().parent
SHARES = [0, 10, 50, 90]  # per cent to protect
PROTECTED = 1400          # bytes of these
GROWTH, LATENCY_US = 1.35, 20
FULL = "pool_full_encrypt"


def commands(contenders):
    for contender in contenders:
        print("  " + " ".join(contender.command("PREFIX")), flush=True)


def ipsec(options):
    """Everything is encrypted, at three sizes."""
    groups = []
    for size in (64, 512, 1400):
        capture = mix.capture(options.folder, 100, size, size)
        others = peers(options, capture, options.algorithm)
        groups.append((size, others, ours(options, "spillway", capture, options.algorithm,
                                          "--dispatch", "encrypt=inline")))
    commands([*groups[-1][1], groups[-1][2]])
    for size, others, our in groups:
        print(f"  {size} B, {options.algorithm}")
        measure([*others, our], options)
    for size, others, our in groups:
        figures = f"{our.median():.1f}"
        if others:
            best = min(others, key=Contender.median)
            figures += f" / {best.median():.1f} = {our.median() / best.median():.2f} of {best.name}"
        print(f"  {size} B: {figures}")


class Gateway:
    """Medians of spillway's runs at one share."""

    def __init__(self, contender, share):
        def pool(name):
            return contender.median(
                lambda run: run.report["pool"]["encrypt"][name] / run.report["seconds"] / 1e6)

        self.cycles = contender.median()
        self.bypass = bypass(contender, share)
        self.inline, self.pool, self.refused = map(pool, ("inline_packets", "pool_packets", "refused"))
        self.latency = contender.median(lambda run: run.report["latency_us"]["fast"]["p999"])
        self.lost = max(abs(lost(run.report, share)) for run in contender.runs)
        self.reasons = {reason for run in contender.runs for reason in run.report["drops"]} - {FULL}


def lost(report, share):
    """Packets in the clear that came and did not leave: by the capture, not by the drop reasons."""
    encrypt, packets = report["pool"]["encrypt"], report["packets"]
    left = packets["transmitted"] - encrypt["inline_packets"] - encrypt["pool_packets"]
    return mix.passing(packets["received"], share) - left


def isolation(options):
    """A share of the packets is encrypted, with one fast lcore and one worker."""
    groups = []
    for share in SHARES:
        capture = mix.capture(options.folder, share, PROTECTED, options.bypass)
        others = peers(options, capture, options.algorithm, RECEIVED)
        groups.append((share, others, ours(
            options, f"spillway, {share} %", capture, options.algorithm, "--pool",
            options.control_cpu, "--dispatch", "encrypt=auto", counter=RECEIVED)))
    commands([*groups[-1][1], groups[-1][2]])
    print(f"  {PROTECTED} B to encrypt with {options.algorithm}, {options.bypass} B in the clear: "
          "cycles for each packet received")
    measure([one for _, others, our in groups for one in [*others, our]], options)
    gateways = {share: Gateway(our, share) for share, _, our in groups}
    rivals = {share: min(others, key=Contender.median) for share, others, _ in groups if others}
    tell(options, gateways, rivals)
    draw(options, gateways, rivals)


def tell(options, gateways, rivals):
    print("  share  cycles  of 0 %  bypass  inline    pool  refused   lost  p99.9 us  "
          "ipsec-secgw: cycles  of 0 %  bypass   (Mpps)")
    for share, own in gateways.items():
        line = (f"  {share:3} %  {own.cycles:7.1f} {own.cycles / gateways[0].cycles:7.2f} "
                f"{own.bypass:7.2f} {own.inline:7.2f} {own.pool:7.2f} {own.refused:8.2f} "
                f"{own.lost:6} {own.latency:9.1f}")
        if share in rivals:
            line += (f" {rivals[share].median():20.1f} "
                     f"{rivals[share].median() / rivals[0].median():7.2f} "
                     f"{bypass(rivals[share], share):7.2f}")
        print(line)
    last, worst = gateways[SHARES[-1]], max(own.latency for own in gateways.values())
    reasons = set().union(*(own.reasons for own in gateways.values()))
    # Packets of another size cost the source another copy: then there is no limit.
    limit = f" (limit {GROWTH})" if options.bypass == PROTECTED else ""
    print(f"  cycles at {SHARES[-1]} % / at 0 %: {last.cycles / gateways[0].cycles:.2f}{limit}; "
          f"bypass packets lost: {max(own.lost for own in gateways.values())} "
          f"(limit 0), other drops than {FULL}: {', '.join(sorted(reasons)) or 'none'}; "
          f"bypass p99.9: {worst:.1f} us (limit {LATENCY_US})")


def bypass(contender, share):
    """Mpps in the clear; both gateways leave nothing in the receive queue, for it has no end."""
    return contender.median(lambda run: run.received) * (100 - share) / 100


def draw(options, gateways, rivals):
    """Both systems on one axis: isolation-BYTES.svg."""
    data = pathlib.Path(options.folder) / f"isolation-{options.bypass}.dat"
    picture = data.with_suffix(".svg")
    with open(data, "w", encoding="ascii") as file:
        file.write("# share %, cycles and bypass Mpps of spillway, the same of ipsec-secgw\n")
        for share, own in gateways.items():
            file.write(f"{share} {own.cycles:.1f} {own.bypass:.3f}")
            if share in rivals:
                file.write(f" {rivals[share].median():.1f} {bypass(rivals[share], share):.3f}")
            file.write("\n")
    if not shutil.which("gnuplot"):
        print(f"  gnuplot is not there: no plot of {data}")
        return
    subprocess.run(["gnuplot", "-e", f"data='{data}'; picture='{picture}'; bytes={options.bypass}; "
                    f"algorithm='{options.algorithm.upper()}'; systems={2 if rivals else 1}",
                    HERE / "isolation.gnuplot"], check=True)
    print(f"  plot: {picture}")


def main():
    parser = arguments(__doc__.split("\n", maxsplit=1)[0], ["ipsec", "isolation"])
    parser.add_argument("--algorithm", choices=ALGORITHMS,
                        help="[aes-128-gcm for ipsec, aes-128-cbc+sha256 for isolation]")
    parser.add_argument("--bypass", type=int, default=PROTECTED, choices=[64, PROTECTED],
                        help=f"isolation: bytes of packets in the clear [{PROTECTED}]")
    options = parser.parse_args()
    usual = {"ipsec": "aes-128-gcm", "isolation": "aes-128-cbc+sha256"}
    options.algorithm = options.algorithm or usual[options.what]
    if not options.example:
        print("  ipsec-secgw is not available: no comparison with it")
    {"ipsec": ipsec, "isolation": isolation}[options.what](options)


if __name__ == "__main__":
    main()
