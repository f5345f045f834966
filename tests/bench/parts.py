# SPDX-License-Identifier: BSD-3-Clause
"""Where the cycles of a polling lcore go, by part of the way of a packet: samples of perf's, over which the
cycles a packet of the same run are spread."""

import collections
import pathlib
import re
import shutil
import subprocess

import flows
import mix
from contenders import Run, spillway
from fastpath import FLOWS
from gateways import ours

FREQUENCY = 4999  # samples a second, no multiple of the timer's

# The first pattern that matches a function's name and its library says what it is part of. Debian's libraries
# have no names but those that they export.
PARTS = [
    ("crypto library", r"IPSec_MB|crypto_ipsec_mb"),
    ("ESP", r"spill_esp|spill_sa|esp_|spill_crypto|encrypt|decrypt|librte_ipsec|security|cryptodev"),
    ("source: capture, copied", r"net_pcap|/libc"),
    ("sink: packets released", r"net_null|mempool|librte_mbuf"),
    ("parse", r"parse"),
    ("flow lookup", r"librte_hash|flow_table|classif|policy"),
    ("pool hand-over", r"submitter|worker|retire|pool|spill_place"),
    ("output and latency", r"output|transmit|histogram"),
    ("kernel (timer, host)", r"kernel"),
    ("loop, burst, books", r""),
]


def part_of(symbol, library):
    return next(part for part, pattern in PARTS if re.search(pattern, f"{symbol} {library}"))


def pinned(pid, cpu):
    """The thread that has a CPU to itself."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if re.search(rf"^Cpus_allowed_list:\s*{cpu}$", (task / "status").read_text(encoding="ascii"), re.MULTILINE):
            return task.name
    raise ValueError(f"no thread of {pid} is pinned to CPU {cpu}")


class Sampled(Run):
    """A run during which its fast lcore is sampled as well."""

    def pause(self, process, options):
        thread = pinned(process.pid, options.cpu)
        data = options.folder / "perf.data"
        recorder = subprocess.run(
            ["perf", "record", "-q", "-e", "cpu-clock", "-F", str(FREQUENCY), "-t", thread, "-o", data,
             "--", "sleep", str(options.seconds)], check=False, capture_output=True, text=True,
            stdin=subprocess.DEVNULL)
        if recorder.returncode != 0:
            raise ValueError(f"perf: {recorder.stderr.strip()[-200:]}")
        text = subprocess.run(["perf", "script", "-i", data, "-F", "ip,sym,dso"], check=True,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
        self.samples = collections.Counter(
            part_of(symbol, dso) for symbol, dso in
            re.findall(r"^\s*[0-9a-f]+ (.*?) \(([^)]*)\)$", text, re.MULTILINE))


def cycles_by_part(contender, options):
    """Cycles a packet of its fast lcore."""
    run = Sampled(contender, options)
    total = sum(run.samples.values()) or 1
    return {part: run.cycles * count / total for part, count in run.samples.items()}


def told(bars):
    """The parts that take time in any of them, in the order of PARTS."""
    return [part for part, _ in PARTS if any(bar.get(part, 0) > 0 for bar in bars)]


def can_sample(bench):
    if shutil.which("perf"):
        return True
    bench.note("no perf (Debian: linux-perf): where the cycles go is not told")
    return False


def difference(bench, options, name, first, last):
    """What one of spillway's runs costs more than another, by part."""
    if not can_sample(bench):
        return
    bars = [cycles_by_part(contender, options) for contender in (first, last)]
    more = {part: bars[1].get(part, 0) - bars[0].get(part, 0) for part in told(bars)}
    bench.note(f"{name}: {sum(more.values()):.0f} cycles a packet more: " +
               ", ".join(f"{part} {cycles:+.0f}" for part, cycles in more.items() if abs(cycles) >= 0.5))


def stacks(bench, options):
    """A bar for each kind of traffic."""
    if not can_sample(bench):
        return
    wire = flows.capture(options.folder, FLOWS)
    kinds = {
        "64 B, established": spillway(options, "sampled", wire, "--rules", "/dev/null"),
        **{f"{size} B, {algorithm}": ours(options, "sampled", mix.capture(options.folder, 100, size, size),
                                          algorithm, "--dispatch", "encrypt=inline")
           for size, algorithm in ((64, "aes-128-gcm"), (1400, "aes-128-gcm"), (1400, "aes-128-cbc+sha256"))},
    }
    bars = {name: cycles_by_part(contender, options) for name, contender in kinds.items()}
    parts = told(bars.values())
    for name, bar in bars.items():
        bench.note(f"{name}: " + ", ".join(f"{part} {bar[part]:.0f}" for part in parts if part in bar))
    bench.plot("stacked", "parts.svg", "where a fast lcore's cycles go", y="cycles a packet", parts=parts,
               bars=[{"name": name, "values": [bar.get(part, 0) for part in parts]}
                     for name, bar in bars.items()])
