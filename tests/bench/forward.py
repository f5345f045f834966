#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Cycles a packet of whole programs that forward one capture: spillway, DPDK's l3fwd and testpmd.

All are measured from outside in the same way: packets that the transmitting port counted (DPDK's
telemetry) and CPU time of the thread that polls (the kernel's schedstat), both over the same
interval; cycles a packet = CPU time * TSC rate / packets. Runs of the programs alternate, and the
figure of each is the median of its runs. A run whose thread had less of its CPU than --share is void
and repeated. Run it through tools/bench.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TELEMETRY = pathlib.Path(os.environ.get("RUNTIME_DIRECTORY", "/var/run")) / "dpdk"


def tsc_ghz():
    """Of the time-stamp counter. The kernel tells its rate as BogoMIPS: two a cycle."""
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii")
    return float(re.search(r"bogomips\s*:\s*([\d.]+)", text).group(1)) / 2000


class Telemetry:
    """A DPDK program's telemetry socket."""

    def __init__(self, prefix, deadline):
        path = TELEMETRY / prefix / "dpdk_telemetry.v2"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(5)
        while True:
            try:
                self.socket.connect(str(path))
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        self.socket.recv(65536)

    def transmitted(self):
        """Packets that all ports transmitted, by port."""
        self.socket.send(b"/ethdev/list")
        ports = json.loads(self.socket.recv(65536))["/ethdev/list"]
        counts = []
        for port in ports:
            self.socket.send(f"/ethdev/stats,{port}".encode())
            counts.append(json.loads(self.socket.recv(65536))["/ethdev/stats"]["opackets"])
        return counts


def cpu_times(pid):
    """CPU time of each thread in ns."""
    times = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        times[task.name] = int((task / "schedstat").read_text(encoding="ascii").split()[0])
    return times


class Run:
    """One run of a program: cycles a packet, packets a second, and its thread's share of the CPU."""

    def __init__(self, contender, options):
        prefix = f"bench-{os.getpid()}"
        shutil.rmtree(TELEMETRY / prefix, ignore_errors=True)
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(contender.command(prefix), stdin=subprocess.PIPE, stdout=log,
                                       stderr=subprocess.STDOUT)
            try:
                self._measure(process, prefix, options)
            except (OSError, ValueError, KeyError, ZeroDivisionError) as error:
                log.seek(0)
                text = log.read().decode(errors="replace")
                raise SystemExit(f"{contender.name}: {error!r}\n{text[-2000:]}") from error
            finally:
                process.terminate()
                process.wait(20)

    def _measure(self, process, prefix, options):
        telemetry = Telemetry(prefix, time.monotonic() + 30)
        while len(telemetry.transmitted()) < 2 or telemetry.transmitted()[1] == 0:
            if process.poll() is not None:
                raise ValueError(f"ended with status {process.returncode}")
            time.sleep(0.1)
        time.sleep(options.warm_up)
        packets, times, began = telemetry.transmitted()[1], cpu_times(process.pid), time.monotonic()
        time.sleep(options.seconds)
        packets = telemetry.transmitted()[1] - packets
        elapsed = time.monotonic() - began
        spent = max(ns - times.get(task, 0) for task, ns in cpu_times(process.pid).items())
        self.share = spent / elapsed / 1e9
        self.rate = packets / elapsed / 1e6
        self.cycles = spent * tsc_ghz() / packets


class Contender:
    """A program with its arguments; {prefix} in them is replaced."""

    def __init__(self, name, arguments):
        self.name, self.arguments, self.runs = name, arguments, []

    def command(self, prefix):
        return [argument.replace("{prefix}", prefix) for argument in self.arguments]

    def median(self):
        return statistics.median(run.cycles for run in self.runs)


def measure(contenders, options):
    """Runs them in turn until each has its runs."""
    print("  " + " ".join(contenders[-1].command("PREFIX")), flush=True)
    for _ in range(options.runs):
        for contender in contenders:
            attempts = []
            for _ in range(options.attempts):
                run = Run(contender, options)
                attempts.append(run)
                void = run.share < options.share
                print(f"    {contender.name:24} {run.cycles:7.1f} cycles a packet {run.rate:6.2f} Mpps, "
                      f"{run.share:4.0%} of its CPU{'  void' if void else ''}", flush=True)
                if not void:
                    break
            else:
                print(f"    {contender.name}: {options.attempts} void runs, the machine is busy: "
                      "that with most of its CPU counts")
            contender.runs.append(max(attempts, key=lambda run: run.share))


def memory(options):
    return ["--no-huge", "-m", "1024"] if options.no_huge else ["--in-memory"]


def spillway(options, name, capture, *more):
    return Contender(name, [
        options.spillway, "--name", "{prefix}",
        "--port", f"in=net_pcap0,rx_pcap={capture},infinite_rx=1",
        "--port", "out=net_null0,no-rx=1", "--wire", "in:out",
        "--rules", "/dev/null", "--default", "allow", "--fast", str(options.cpu),
        "--control", str(options.control_cpu), *more, *(["--no-huge"] if options.no_huge else []),
    ])


def vdevs(capture):
    return ["--vdev", f"net_pcap0,rx_pcap={capture},infinite_rx=1", "--vdev", "net_null0,no-rx=1"]


def l3fwd(options, capture, rules):
    """On one lcore, for the capture source has one queue and l3fwd wants one for each lcore."""
    folder = pathlib.Path(options.l3fwd)
    return Contender("l3fwd em", [
        str(folder / "build" / "l3fwd"), *memory(options), "--file-prefix", "{prefix}", "--no-pci",
        "-l", str(options.cpu), *vdevs(capture), "--", "-E", "-p", "3", "--config",
        f"(0,0,{options.cpu}),(1,0,{options.cpu})", "--parse-ptype", "--rule_ipv4", rules,
        "--rule_ipv6", str(folder / "em_default_v6.cfg"),
    ])


def testpmd(options, capture, name="testpmd macswap", packets=1024):
    return Contender(name, [
        "dpdk-testpmd", *memory(options), "--file-prefix", "{prefix}", "--no-pci",
        "-l", f"{options.control_cpu},{options.cpu}", *vdevs(capture), "--",
        "--forward-mode=macswap", "--auto-start", "--burst=32", "--nb-cores=1", "-i",
        f"--total-num-mbufs={packets + 16384}",
    ])


def flows(options, count):
    """A capture with so many flows, and l3fwd's rules for it."""
    capture, rules = (f"{options.folder}/{count}.{end}" for end in ("pcap", "rules"))
    if not os.path.exists(rules):
        subprocess.run([sys.executable, HERE / "flows.py", str(count), capture, rules], check=True)
    return capture, rules


def wire(options):
    """64 B, 1 024 established flows: against l3fwd and testpmd."""
    capture, rules = flows(options, 1024)
    contenders = [testpmd(options, capture), spillway(options, "spillway", capture)]
    if options.l3fwd:
        contenders.insert(1, l3fwd(options, capture, rules))
    else:
        print("  l3fwd is not available: no comparison with it")
    measure(contenders, options)
    ours = contenders[-1].median()
    for other in contenders[:-1]:
        print(f"  spillway / {other.name}: {ours:.1f} / {other.median():.1f} = "
              f"{ours / other.median():.2f}")


def scale(options):
    """Many flows against 1 024. The source holds a packet of each flow: what more of them cost it, in
    cache misses, testpmd shows, which has no flows."""
    counts = [1024, 65536] + ([] if options.no_huge else [1000000])
    sources, ours = [], []
    for count in counts:
        capture, _ = flows(options, count)
        sources.append(testpmd(options, capture, f"macswap, {count} packets", count))
        # Refused flows would be classified in their time, seconds of it: this learns them at once.
        ours.append(spillway(options, f"spillway, {count} flows", capture,
                             "--on-pool-full", "classify=inline",
                             "--mbufs", f"in:{count + 16384}",
                             "--flow-capacity", str(max(65536, count * 2))))
    measure([contender for pair in zip(sources, ours) for contender in pair], options)
    for source, our in list(zip(sources, ours))[1:]:
        base, floor = ours[0].median(), sources[0].median()
        print(f"  {our.name} / 1024: {our.median():.1f} / {base:.1f} = {our.median() / base:.2f}; "
              f"source alone {source.median():.1f} / {floor:.1f} = {source.median() / floor:.2f}; "
              f"above it {our.median() - source.median():.1f} / {base - floor:.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("what", choices=["wire", "scale"])
    parser.add_argument("--spillway", required=True, help="the program")
    parser.add_argument("--l3fwd", help="folder of l3fwd's source, built")
    parser.add_argument("--folder", required=True, help="for captures")
    parser.add_argument("--cpu", type=int, default=os.cpu_count() - 1, help="polls [the last]")
    parser.add_argument("--control-cpu", type=int, default=0, help="does the rest [0]")
    parser.add_argument("--runs", type=int, default=5, help="of each program [5]")
    parser.add_argument("--seconds", type=float, default=2, help="measured in each run [2]")
    parser.add_argument("--warm-up", type=float, default=1, help="seconds before that [1]")
    parser.add_argument("--share", type=float, default=0.95, help="of its CPU, or it is void [0.95]")
    parser.add_argument("--attempts", type=int, default=5, help="until a run is not void [5]")
    parser.add_argument("--no-huge", action="store_true", help="no hugepages")
    options = parser.parse_args()
    {"wire": wire, "scale": scale}[options.what](options)


main()
