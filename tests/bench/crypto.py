# SPDX-License-Identifier: BSD-3-Clause
"""What crypto costs a worker: DPDK's dpdk-test-crypto-perf, our call of the same, and the whole job.

dpdk-test-crypto-perf encrypts bursts of 32 over one queue of one crypto device; bench_esp runs the same
through spillway's own code. Runs of the two alternate. Both ask the clock, not the kernel, for their time,
so each measures many times for a few milliseconds, and has medians of that which a time without its CPU does
not move; of the runs, the least counts where the two are compared. Within bench_esp the median of the runs'
ratios counts. Run it through tools/bench.
"""

import re
import shutil
import subprocess
from statistics import median

import inside

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


def perf(bench, options, device, algorithm):
    """A run of dpdk-test-crypto-perf: cycles of an operation by size, medians of its rounds, for which it
    is given each size as often. Its main lcore only waits."""
    _, choices, sizes = ALGORITHMS[algorithm]
    memory = ["--no-huge", "-m", "256"] if options.no_huge else ["--in-memory"]
    command = ["dpdk-test-crypto-perf", *memory, "--file-prefix", "bench", "--no-pci", "--no-telemetry",
               "--log-level", "error", "-l", f"{options.control_cpu},{options.cpu}",
               "--main-lcore", options.control_cpu, "--vdev", f"{device}0", "--", "--devtype", device,
               "--ptest", "throughput", *choices, "--buffer-sz", ",".join(map(str, sizes * ROUNDS)),
               "--burst-sz", BURST, "--total-ops", OPERATIONS, "--silent", "--csv-friendly"]
    bench.command(command)
    done = subprocess.run([str(word) for word in command], text=True, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    # lcore, bytes, burst, enqueued, dequeued, failed of each, Mops, Gbps, cycles
    lines = re.findall(r"^\d+,(\d+),\d+,(?:[\d.]+,){6}([\d.]+)$", done.stdout, re.MULTILINE)
    if done.returncode != 0 or not lines:
        raise SystemExit(f"dpdk-test-crypto-perf: status {done.returncode}\n{done.stdout[-2000:]}")
    return {size: median(float(figure) for one, figure in lines if int(one) == size) for size in sizes}


def call_and_job(bench, options):
    """The crypto call against dpdk-test-crypto-perf, and the whole job of a worker against the call."""
    perfs = {}
    if shutil.which("dpdk-test-crypto-perf") and not options.smoke:
        perfs = {(algorithm, device): [] for algorithm, (devices, _, _) in ALGORITHMS.items()
                 for device in devices}
    else:
        bench.note("dpdk-test-crypto-perf was not run")
    program, jobs = options.build / "tests/bench/bench_esp", []
    for _ in range(options.runs):
        for (algorithm, device), runs in perfs.items():
            runs.append(perf(bench, options, device, algorithm))
        jobs.append(inside.lines(bench, [program, *inside.eal(options)]))
    for runs in zip(*jobs):
        tell_job(bench, runs, inside.void(runs, options))
        tell_call(bench, runs, perfs.get((runs[0]["algorithm"], runs[0]["driver"])))


def tell_job(bench, runs, void):
    first = runs[0]
    name = f"{first['algorithm']}, {first['frame']} B"
    for key, what in (("call", "crypto call"), ("job", "job in cache"), ("moved", "job of a worker")):
        bench.figure(f"{what}, {name}", "cycles a packet", [run[key] for run in runs], void)
    limited = (first["algorithm"], first["frame"]) == LIMITED
    bench.ratio(f"job of a worker / crypto call, {name}", [run["moved"] / run["call"] for run in runs],
                MOVED_LIMIT if limited else None)


def tell_call(bench, runs, perfs):
    """The least of each: both ask the clock, not the kernel, for their time. rte_ipsec's operations cross
    cache lines, for Ethernet's header has 14 bytes; dpdk-test-crypto-perf's (even) begin on one."""
    first = runs[0]
    if not perfs or first["crypto"] not in perfs[0]:
        return
    theirs = min(run[first["crypto"]] for run in perfs)
    name = f"{first['algorithm']}, {first['crypto']} B of crypto"
    bench.figure(f"dpdk-test-crypto-perf, {name}", "cycles an operation", [theirs])
    bench.ratio(f"dpdk-test-crypto-perf / crypto call, {name}", [theirs / min(run["call"] for run in runs)],
                CALL_LIMIT, "high")
    bench.ratio(f"the same with its layout, {name}", [theirs / min(run["even"] for run in runs)],
                CALL_LIMIT, "high")
