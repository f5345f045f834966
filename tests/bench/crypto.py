#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What crypto costs a worker: DPDK's dpdk-test-crypto-perf, our call of the same, and the whole job.

dpdk-test-crypto-perf encrypts bursts of 32 over one queue of one crypto device; bench_esp runs the same
through spillway's own code. Runs of the two alternate. Both ask the clock, not the kernel, for their time,
so each measures many times for a few milliseconds, and has medians of that which a time without its CPU does
not move; of the runs, the least counts where the two are compared. Within bench_esp the median of the runs'
ratios counts. Run it through tools/bench.
"""

import argparse
import collections
import os
import re
import shutil
import statistics
import subprocess

BURST, OPERATIONS, ROUNDS = 32, 3200, 15
CIPHER_HASH = ["--optype", "cipher-then-auth", "--cipher-algo", "aes-cbc", "--cipher-op", "encrypt",
               "--cipher-key-sz", "16", "--cipher-iv-sz", "16", "--auth-algo", "sha2-256-hmac",
               "--auth-op", "generate", "--auth-key-sz", "32", "--digest-sz", "16"]


def aead(algorithm, key):
    return ["--optype", "aead", "--aead-algo", algorithm, "--aead-op", "encrypt", "--aead-key-sz", key,
            "--aead-iv-sz", "12", "--aead-aad-sz", "8", "--digest-sz", "16"]


# Of an algorithm: the devices that can do it, the program's options, and bytes to encrypt: whole blocks.
ALGORITHMS = {
    "aes-128-gcm": (["crypto_aesni_gcm", "crypto_aesni_mb"], aead("aes-gcm", "16"), [512, 1400]),
    "aes-128-cbc+sha256": (["crypto_aesni_mb"], CIPHER_HASH, [512, 1408]),
    "chacha20-poly1305": (["crypto_aesni_mb"], aead("chacha20-poly1305", "32"), [512, 1400]),
}
CALL_LIMIT = 0.95
MOVED_LIMIT, LIMITED = 1.35, ("aes-128-cbc+sha256", 1400)

# A line of bench_esp's: cycles of the call, with operations as dpdk-test-crypto-perf lays them out (even)
# and as rte_ipsec does, of the job, and of the job on moved packets.
Line = collections.namedtuple("Line", "algorithm driver size crypto even call job moved")


def eal(options):
    memory = ["--no-huge", "-m", "256"] if options.no_huge else ["--in-memory"]
    return [*memory, "--file-prefix", f"bench-{os.getpid()}", "--no-pci", "--no-telemetry",
            "--log-level", "error", "-l", f"{options.control_cpu},{options.cpu}"]


def run(command):
    done = subprocess.run([str(word) for word in command], text=True, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]}: status {done.returncode}\n{done.stdout[-2000:]}")
    return done.stdout


def perf(options, device, algorithm):
    """A run of dpdk-test-crypto-perf: cycles of an operation by size, medians of its rounds, for which it
    is given each size as often. Its main lcore only waits."""
    _, choices, sizes = ALGORITHMS[algorithm]
    output = run([
        "dpdk-test-crypto-perf", *eal(options), "--main-lcore", options.control_cpu,
        "--vdev", f"{device}0", "--", "--devtype", device, "--ptest", "throughput", *choices,
        "--buffer-sz", ",".join(map(str, sizes * ROUNDS)), "--burst-sz", BURST,
        "--total-ops", OPERATIONS, "--silent", "--csv-friendly"])
    # lcore, bytes, burst, enqueued, dequeued, failed of each, Mops, Gbps, cycles
    lines = re.findall(r"^\d+,(\d+),\d+,(?:[\d.]+,){6}([\d.]+)$", output, re.MULTILINE)
    if not lines:
        raise SystemExit(f"dpdk-test-crypto-perf: no figures\n{output[-2000:]}")
    return {size: statistics.median(float(figure) for one, figure in lines if int(one) == size)
            for size in sizes}


def esp(options):
    """A run of bench_esp. Its main lcore works."""
    output = run([options.esp, *eal(options), "--main-lcore", options.cpu])
    lines = re.findall(r"^(\S+) +(\S+) +(\d+) +(\d+) +([\d.]+) +([\d.]+) +([\d.]+) +[\d.]+ +([\d.]+) "
                       r"+[\d.]+ +\d+%$", output, re.MULTILINE)
    if not lines:
        raise SystemExit(f"{options.esp}: no figures\n{output[-2000:]}")
    return [Line(*line[:2], *map(int, line[2:4]), *map(float, line[4:])) for line in lines]


def tell_perf(perfs):
    print("  dpdk-test-crypto-perf: cycles an operation, by bytes of crypto")
    for (algorithm, device), runs in perfs.items():
        figures = ", ".join(f"{min(run[size] for run in runs):7.1f} at {size} B" for size in runs[0])
        print(f"    {algorithm:20} {device:18} {figures}")


def tell_jobs(esps):
    """Ratios of each run are medians of its rounds; here their medians over the runs, and the range of what
    moved lines cost: where two virtual CPUs are further from each other for a while, that is a run's whole
    life, and the median says nothing of it."""
    print("  spillway: cycles a packet of the call, the job in cache, and the job whose packets another "
          "lcore\n  has just written; by bytes of the frame with FCS, and of crypto")
    print(f"    {'':20} {'':18} {'frame':>5} {'crypto':>6} {'call':>8} {'job':>8} {'moved':>8} "
          f"{'job/call':>9} {'moved/call':>10}")
    for lines in zip(*esps):
        first = lines[0]
        call, job, moved, whole = (statistics.median(map(figure, lines)) for figure in (
            lambda line: line.call, lambda line: line.job, lambda line: line.moved,
            lambda line: line.job / line.call))
        ratios = sorted(line.moved / line.call for line in lines)
        limit = f", limit {MOVED_LIMIT}" if (first.algorithm, first.size) == LIMITED else ""
        print(f"    {first.algorithm:20} {first.driver:18} {first.size:5} {first.crypto:6} {call:8.1f} "
              f"{job:8.1f} {moved:8.1f} {whole:9.2f} {statistics.median(ratios):10.2f} "
              f" ({ratios[0]:.2f} to {ratios[-1]:.2f}{limit})")


def tell_calls(perfs, esps):
    """rte_ipsec's operations cross cache lines: ESP header and IV stand before what is encrypted."""
    print(f"  dpdk-test-crypto-perf / our call, the least of each (limit {CALL_LIMIT}), with operations as "
          "it lays them\n  out, from the start of a cache line; and as rte_ipsec does")
    for lines in zip(*esps):
        first = lines[0]
        runs = perfs.get((first.algorithm, first.driver), [{}])
        if first.crypto not in runs[0]:
            continue
        theirs = min(run[first.crypto] for run in runs)
        even, call = min(line.even for line in lines), min(line.call for line in lines)
        print(f"    {first.algorithm:20} {first.driver:18} {first.crypto:5} B of crypto: "
              f"{theirs:.1f} / {even:.1f} = {theirs / even:.2f}; / {call:.1f} = {theirs / call:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--esp", required=True, help="the program bench_esp")
    parser.add_argument("--cpu", type=int, default=os.cpu_count() - 1, help="works [the last]")
    parser.add_argument("--control-cpu", type=int, default=0, help="waits, writes packets [0]")
    parser.add_argument("--runs", type=int, default=5, help="of each [5]")
    parser.add_argument("--no-huge", action="store_true", help="no hugepages")
    options = parser.parse_args()
    perfs, esps = {}, []
    if shutil.which("dpdk-test-crypto-perf"):
        perfs = {(algorithm, device): [] for algorithm, (devices, _, _) in ALGORITHMS.items()
                 for device in devices}
    for _ in range(options.runs):
        for (algorithm, device), runs in perfs.items():
            runs.append(perf(options, device, algorithm))
        esps.append(esp(options))
    if perfs:
        tell_perf(perfs)
    else:
        print("  dpdk-test-crypto-perf is not there: no comparison with it")
    tell_jobs(esps)
    if perfs:
        tell_calls(perfs, esps)


main()
