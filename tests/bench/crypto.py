#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Cycles of the crypto call alone, for each packet: DPDK's dpdk-test-crypto-perf.

In bursts of 32, encryption, over one queue of one crypto device. It asks the clock, not the kernel,
for its time: a run in which something else had its CPU takes longer, so the least of the runs counts.
Run it through tools/bench.
"""

import argparse
import os
import re
import shutil
import subprocess

BURST, OPERATIONS = 32, 2000000
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


def command(options, device, algorithm):
    _, choices, sizes = ALGORITHMS[algorithm]
    memory = ["--no-huge", "-m", "256"] if options.no_huge else ["--in-memory"]
    return ["dpdk-test-crypto-perf", *memory, "--file-prefix", f"bench-{os.getpid()}", "--no-pci",
            "--no-telemetry", "--log-level", "error", "--main-lcore", str(options.control_cpu),
            "-l", f"{options.control_cpu},{options.cpu}", "--vdev", f"{device}0", "--",
            "--devtype", device, "--ptest", "throughput", *choices,
            "--buffer-sz", ",".join(map(str, sizes)), "--burst-sz", str(BURST),
            "--total-ops", str(OPERATIONS), "--silent", "--csv-friendly"]


def perf(options, device, algorithm):
    """One run: cycles of an operation by size."""
    done = subprocess.run(command(options, device, algorithm), text=True, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    # lcore, bytes, burst, enqueued, dequeued, failed of each, Mops, Gbps, cycles
    lines = re.findall(r"^\d+,(\d+),\d+,(?:[\d.]+,){6}([\d.]+)$", done.stdout, re.MULTILINE)
    cycles = {int(size): float(figure) for size, figure in lines}
    if done.returncode != 0 or not cycles:
        raise SystemExit(f"dpdk-test-crypto-perf: status {done.returncode}\n{done.stdout[-2000:]}")
    return cycles


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--cpu", type=int, default=os.cpu_count() - 1, help="works [the last]")
    parser.add_argument("--control-cpu", type=int, default=0, help="waits [0]")
    parser.add_argument("--runs", type=int, default=5, help="of each [5]")
    parser.add_argument("--no-huge", action="store_true", help="no hugepages")
    options = parser.parse_args()
    if not shutil.which("dpdk-test-crypto-perf"):
        raise SystemExit("  dpdk-test-crypto-perf is not there")
    for algorithm, (devices, _, sizes) in ALGORITHMS.items():
        runs = {device: [] for device in devices}
        for _ in range(options.runs):
            for device in devices:
                runs[device].append(perf(options, device, algorithm))
        for device in devices:
            figures = ", ".join(f"{min(run[size] for run in runs[device]):7.1f} at {size} B"
                                for size in sizes)
            print(f"    {algorithm:20} {device:18} {figures}", flush=True)


main()
