# SPDX-License-Identifier: BSD-3-Clause
"""Benches within one process, written in C: each says its figures as lines of JSON."""

import json
import subprocess

from figures import pairs
from gateways import configure

SMOKE_ROUNDS = 3
ESP = "aes-128-cbc+sha256"


def lines(bench, command, **how):
    """Runs a program and returns what it said."""
    command = [str(word) for word in command]
    bench.command(command)
    done = subprocess.run(command, text=True, check=False, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not found:
        raise SystemExit(f"{command[0]}: status {done.returncode}\n{done.stdout}{done.stderr[-2000:]}")
    return found


def eal(options):
    """For a bench without the program around it; the main lcore measures."""
    memory = ["--no-huge", "-m", "256"] if options.no_huge else ["--in-memory"]
    return [*memory, "--file-prefix", "bench", "--no-pci", "--no-telemetry", "--log-level", "error",
            "--main-lcore", options.cpu, "-l", f"{options.control_cpu},{options.cpu}",
            *(["--", SMOKE_ROUNDS] if options.smoke else [])]


def repeated(bench, options, name):
    """The lines of several runs of a bench, side by side."""
    program = options.build / "tests/bench" / f"bench_{name}"
    return list(zip(*(lines(bench, [program, *eal(options)]) for _ in range(options.runs))))


def void(runs, options):
    return sum(run["share"] < options.share for run in runs)


def channel(bench, options):
    for runs in repeated(bench, options, "channel"):
        cores, burst = runs[0]["cores"], runs[0]["burst"]
        name = f"{'one core' if cores == 1 else 'two cores'}, burst {burst}"
        values = {key: [run[key] for run in runs] for key in ("channel", "ring")}
        bench.figure(f"channel, {name}", "cycles a packet", values["channel"], void(runs, options))
        bench.figure(f"rte_ring, {name}", "cycles a packet", values["ring"], void(runs, options))
        bench.ratio(f"channel / rte_ring, {name}", pairs(values["channel"], values["ring"]),
                    1.15 if burst == 32 else None)


def flows(bench, options):
    """Without hugepages there is no memory for a million."""
    for runs in repeated(bench, options, "flows"):
        name = f"{runs[0]['flows']} flows"
        if any(run["found"] < 1 for run in runs):
            raise SystemExit(f"bench_flows: {name}: not all were found")
        values = {key: [run[key] for run in runs] for key in ("table", "hash")}
        bench.figure(f"flow table, {name}", "cycles a packet", values["table"], void(runs, options))
        bench.figure(f"rte_hash, {name}", "cycles a packet", values["hash"], void(runs, options))
        bench.ratio(f"flow table / rte_hash, {name}", pairs(values["table"], values["hash"]), 1.0)


def pool(bench, options):
    kept_up, overloaded = repeated(bench, options, "pool")

    def above_mbufs(runs, key):
        return [run[key] - run["mbufs"] for run in runs]
    bench.figure("pool, above mbufs", "cycles a packet", above_mbufs(kept_up, "pool"),
                 void(kept_up, options))
    bench.figure("bare ring of bursts, above mbufs", "cycles a packet", above_mbufs(kept_up, "bare"),
                 void(kept_up, options))
    bench.ratio("pool / bare ring", pairs(above_mbufs(kept_up, "pool"), above_mbufs(kept_up, "bare")))
    bench.figure("pool overloaded, above mbufs", "cycles a packet", above_mbufs(overloaded, "pool"),
                 void(overloaded, options))
    bench.figure("refused then", "% of packets", [100 * run["refused"] for run in overloaded])


def program(options, name, *arguments):
    """A bench around the program: one fast lcore, one worker, a source made by the clock."""
    return [options.build / "tests/bench" / f"bench_{name}", *arguments,
            "--name", "bench", "--port", "in=net_null0,no-rx=1", "--port", "out=net_null1,no-rx=1",
            "--wire", "in:out", "--fast", options.cpu, "--pool", options.control_cpu,
            "--control", options.control_cpu, *(["--no-huge"] if options.no_huge else [])]


def spare(bench, options):
    """Packets encrypted at half of the fast lcore's capacity, every other one to encrypt: more than a worker can do.
    10us is the default; there are CPUs where a job of 1 400 B takes longer, so that it is the worker's."""
    gateway = configure(options.folder, ESP)
    for size, budget in ((512, "10us"), (1400, "20us")):
        reached = {"pool": [], "auto": []}
        for _ in range(options.runs):
            for dispatch, values in reached.items():
                run = lines(bench, [*program(options, "protect", options.seconds, size), "--default", "allow",
                                    *gateway, "--dispatch", f"encrypt={dispatch}", "--budget", budget])[0]
                values.append(run)
        for dispatch, runs in reached.items():
            name = f"{size} B, budget {budget}, {dispatch}"
            bench.figure(f"encrypted, {name}", "Mpps", encrypted(runs), void(runs, options))
            bench.figure(f"packets in the clear, {name}", "% that pass",
                         [100 * run["clear_out"] / run["clear_in"] for run in runs])
        bench.ratio(f"encrypted with the fast lcore's help / by the worker alone, {size} B, budget {budget}",
                    pairs(encrypted(reached["auto"]), encrypted(reached["pool"])), 1.0, "high")


def encrypted(runs):
    return [run["inline"] + run["pool"] for run in runs]
