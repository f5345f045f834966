# SPDX-License-Identifier: BSD-3-Clause
"""The machine that figures are taken on: what it is, what it does to a polling thread, its hugepages."""

import contextlib
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess

MEMINFO = pathlib.Path("/proc/meminfo")
HUGEPAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")  # of the default size, 2 MiB
SECONDS = 3  # in which interruptions are counted


def output(*command):
    """First line of what a command says; nothing if it can't be run."""
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL)
    except OSError:
        return ""
    return done.stdout.split("\n", maxsplit=1)[0].strip()


def tsc_ghz():
    """Of the time-stamp counter. The kernel tells its rate as BogoMIPS: two a cycle."""
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii")
    return float(re.search(r"bogomips\s*:\s*([\d.]+)", text).group(1)) / 2000


def commit(root):
    """Which of the tree's commits this is."""
    head = output("git", "-C", root, "rev-parse", "--short", "HEAD") or "unknown"
    return head + (" (changed)" if output("git", "-C", root, "status", "--porcelain") else "")


def interruptions(options):
    """What the machine does to a loop that does nothing: see bench_machine.c."""
    return json.loads(output(options.build / "tests/bench/bench_machine", options.cpu,
                             options.control_cpu, SECONDS if not options.smoke else 0.2))


def floor_of_tail(measured, turns):
    """Between which two times the p99.9 of a loop of so many turns a second lies that does nothing in them: a
    thousandth of its turns is interrupted for longer. In us, as text."""
    longer = [int(us) for us, count in measured["over_us"].items() if count > turns / 1000]
    shorter = [int(us) for us, count in measured["over_us"].items() if count <= turns / 1000]
    return f"{max(longer, default=0)} to {min(shorter, default='more than 100')} us"


def describe(options):
    """The entry of results.json."""
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"model name\s*:\s*(.*)", text)
    measured = interruptions(options)
    distance = measured.pop("core_to_core_cycles", None)
    return {
        "cpu": model.group(1) if model else platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "tsc_ghz": round(tsc_ghz(), 3),
        "kernel": platform.release(),
        "dpdk": output("pkg-config", "--modversion", "libdpdk"),
        "compiler": output("cc", "--version"),
        "commit": commit(options.root),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "memory": "no hugepages" if options.no_huge else "2 MiB pages",
        "load": os.getloadavg()[0],
        "interruptions": measured,
        "core_to_core_cycles": distance,
    }


def meminfo(name):
    return int(re.search(rf"{name}:\s*(\d+)", MEMINFO.read_text(encoding="ascii")).group(1))


@contextlib.contextmanager
def hugepages(wanted):
    """So many free 2 MiB pages while it lasts; gives whether they are there. What is taken is given back."""
    missing = wanted - meminfo("HugePages_Free")
    if os.geteuid() != 0:
        yield missing <= 0 and os.access("/dev/hugepages", os.W_OK)
        return
    before = HUGEPAGES.read_text(encoding="ascii")
    if missing > 0:
        # Surplus pages, which a file still holds, are part of the total that is asked for.
        total = meminfo("HugePages_Total") + missing
        print(f"hugepages: {wanted} of 2 MiB are needed: {total} for now", flush=True)
        HUGEPAGES.write_text(str(total), encoding="ascii")
    try:
        if "hugetlbfs" not in pathlib.Path("/proc/mounts").read_text(encoding="utf-8"):
            os.makedirs("/dev/hugepages", exist_ok=True)
            subprocess.run(["mount", "-t", "hugetlbfs", "none", "/dev/hugepages"], check=True)
        yield meminfo("HugePages_Free") >= wanted
    finally:
        HUGEPAGES.write_text(before, encoding="ascii")
