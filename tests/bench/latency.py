# SPDX-License-Identifier: BSD-3-Clause
"""Throughput and latency of whole programs between two memif ports of spillway-load's, which has a CPU of its own:
RFC 2544's throughput and what packets wait below it, and packets in the clear beside packets to encrypt.

Loss is allowed to one packet in a thousand: on a virtual machine the host takes a CPU away for longer than a
ring of packets lasts, and with none allowed the search would find that out, not a program's throughput.
"""

import json
import os
import pathlib
import signal
import subprocess
import tempfile

import fastpath
import gateways
import l3fwd
import rules
import vpp
from contenders import clean, read_report, spillway, started
from figures import extent_of

LOSS = 0.1      # per cent
AT = [10, 50, 90]  # per cent of the throughput
SHARES, BYTES, MPPS, FLOOD_MPPS, RULES = [0, 10, 50, 90], 1400, 1, 2, 10000
ALGORITHM = "aes-128-cbc+sha256"
CLEAR, PROTECT = ("from=172.16.0.0/16,to=172.17.0.0/16", "from=10.1.0.0/16,to=10.2.0.0/16")
# That the class `clear` passes, as each program has it.
ESTABLISHED = {"spillway": "allow udp from 172.16.0.0/16 to 172.17.0.0/16",
               "l3fwd": "R172.16.0.0/16 172.17.0.0/16 0 : 65535 0 : 65535 0x11/0xff 1"}
PERCENTILES = ["p50", "p99", "p99.9"]


def memif(folder, role):
    """Two devices, one at each side of what is measured. Rings of 8 192 packets: with the usual 1 024 an
    interruption of 0.3 ms would be a loss at 4 Mpps."""
    return tuple(f"net_memif{i},role={role},id={i},rsize=13,socket={folder}/memif,socket-abstract=no"
                 for i in (0, 1))


def milliseconds(seconds):
    return f"{round(seconds * 1000)}ms"


def load(bench, options, folder, *flags):
    """Runs spillway-load against a program that is there. Returns its report."""
    first, second = memif(folder, "client")
    report = pathlib.Path(folder) / "load.json"
    command = [options.build / "tools/load/spillway-load", "--name", f"load-{os.getpid()}",
               "--port", f"out={first}", "--port", f"in={second}", "--cpu", options.control_cpu,
               "--control", options.control_cpu, "--report", report,
               *(["--no-huge"] if options.no_huge else []), *flags]
    bench.command(command)
    done = subprocess.run([str(word) for word in command], check=False, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise ValueError(f"spillway-load: status {done.returncode}\n{done.stdout[-2000:]}")
    return json.loads(report.read_text(encoding="utf-8"))


def tried(bench, options, make, warm_up, *flags):
    """A run of a program between the ports of the load's. make: of its two devices, the contender. warm_up: in
    seconds, of the load."""
    prefix = f"bench-{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="spillway-bench-") as folder, tempfile.TemporaryFile() as log:
        contender = make(memif(folder, "server"))
        try:
            with contender.running(prefix, log) as process:
                started(contender, process, prefix)
                report = load(bench, options, folder, "--warm-up", milliseconds(warm_up + contender.settling), *flags)
            account(bench, contender, process.returncode)
        except (OSError, ValueError, KeyError) as error:
            log.seek(0)
            raise SystemExit(f"{contender.name}: {error}\n{log.read().decode(errors='replace')[-2000:]}") from error
        finally:
            clean(prefix)
    return report


def account(bench, contender, status):
    """The program's own books, if it writes any. The load left first, and DPDK's net_memif then unmaps the rings from
    another thread, whoever is polling them: that may end the program, after all that is measured here."""
    if status == -signal.SIGSEGV:
        bench.note(f"{contender.name}: net_memif crashed when its peer left: a run without the program's books")
    elif contender.report:
        read_report(contender.report, status)


def trials(report, purpose):
    return [trial for trial in report["trials"] if trial["purpose"] == purpose]


def throughput(bench, options):
    """RFC 2544, sections 26.1 and 26.2: 64 B, 1 024 flows."""
    systems = {"spillway": lambda ends: spillway(options, "spillway", ends, *fastpath.NO_RULES)}
    if "testpmd" in options.compare:
        systems["testpmd macswap"] = lambda ends: fastpath.testpmd(options, ends)
    flags = ["--rfc2544", "--loss", LOSS, "--trial", "100ms" if options.smoke else "500ms",
             "--latency-at", ",".join(map(str, AT)), "--class", "all:share=100,size=64,flows=1024"]
    curves = []
    for name, make in systems.items():
        reports = [tried(bench, options, make, 0.1, *flags) for _ in range(options.runs)]
        bench.figure(f"{name}: throughput over memif, 64 B", "Mpps",
                     [report["throughput"]["mpps"] for report in reports])
        reports = [report for report in reports if report["throughput"]["mpps"] > 0]
        if not reports:
            bench.note(f"{name}: no rate had a loss of at most {LOSS} %: no latencies")
            continue
        for i, at in enumerate(AT):
            waits = [trials(report, "latency")[i]["classes"][0] for report in reports]
            for percentile in PERCENTILES:
                bench.figure(f"{name}: at {at} % of it, {percentile}", "us",
                             [wait["latency_us"][percentile] for wait in waits])
            bench.figure(f"{name}: at {at} % of it, reordered", "packets", [wait["reordered"] for wait in waits])
            if at == 50:
                curves.append({"name": name, "points": waits[0]["latency_us"]["cdf"]})
    if curves:
        bench.plot("cdf", "latency.svg", "there and back over memif, at half of its throughput", x="latency, µs",
                   series=curves)


def gateways_of(options):
    """Where the load has one of two CPUs, there is none for a worker."""
    systems, cpus = {}, sorted(os.sched_getaffinity(0))
    for dispatch in ("auto", "inline", "pool"):
        pool = [] if dispatch == "inline" else ["--pool", cpus[1]]
        if not pool or len(cpus) > 2:
            systems[f"spillway, {dispatch}"] = lambda ends, dispatch=dispatch, pool=pool: gateways.ours(
                options, "spillway", ends, ALGORITHM, *pool, "--dispatch", f"encrypt={dispatch}")
    for peer in gateways.peers(options, ("", ""), ALGORITHM)[:1]:
        systems[peer.name] = lambda ends: gateways.peers(options, ends, ALGORITHM)[0]
    if "vpp" in options.compare:
        systems["VPP"] = lambda ends: vpp.gateways(options, ends, ALGORITHM)[0]
    return systems


def beside(bench, options):
    """Packets in the clear beside packets to encrypt, at a rate that one lcore can't do at the end."""
    if len(os.sched_getaffinity(0)) < 3:
        bench.note("latency from outside with a pool is not told: load, fast lcore and worker need three CPUs")

    def classes(share):
        return [f"clear:share={100 - share},size={BYTES},flows=512,{CLEAR}",
                f"protect:share={share},size={BYTES},flows=512,{PROTECT}"]
    told = Beside("beside", f"{{}} % of {MPPS} Mpps to encrypt, {ALGORITHM.upper()}", MPPS, classes)
    told.measure(bench, options, gateways_of(options))


def beside_flood(bench, options):
    """Established flows beside a flood of new ones."""
    def classes(share):
        return [f"clear:share={100 - share},size=64,flows=1024,{CLEAR}",
                f"flood:share={share},size=64,new=yes,{PROTECT}"]
    told = Beside("beside-flood", f"{{}} % of {FLOOD_MPPS} Mpps new flows, {RULES} rules", FLOOD_MPPS, classes)
    told.measure(bench, options, firewalls_of(options))


def firewalls_of(options):
    """Programs with RULES behind one that allows the established flows. l3fwd keeps no flows, and looks up
    the rules for each packet."""
    file = rules.write(options.folder / f"{RULES}.beside", ESTABLISHED["spillway"], RULES)
    cpus = sorted(os.sched_getaffinity(0))
    systems = {f"spillway, {dispatch}": lambda ends, dispatch=dispatch: spillway(
        options, "spillway", ends, "--rules", file, "--dispatch", f"classify={dispatch}",
        *([] if dispatch == "inline" else ["--pool", cpus[1]]))
        for dispatch in ("auto", "inline", "pool") if dispatch == "inline" or len(cpus) > 2}
    if "l3fwd" in options.compare:
        systems["l3fwd acl"] = lambda ends: l3fwd.filtering(options, ends, ESTABLISHED["l3fwd"], file)
    return systems


class Beside:
    """What becomes of the class `clear` beside a share of the other one. what: the share's meaning, with {} for
    the share; mpps: of both."""

    def __init__(self, name, what, mpps, classes):
        self.name, self.what, self.mpps, self.classes = name, what, mpps, classes

    def measure(self, bench, options, systems):
        shares = SHARES[1:2] if options.smoke else SHARES
        lines = {name: {share: self.runs(bench, options, make, share) for share in shares}
                 for name, make in systems.items()}
        for name, line in lines.items():
            for share, runs in line.items():
                self.tell(bench, f"{name}: {self.what.format(share)}: in the clear", runs)
        self.draw(bench, lines, max(shares))

    def runs(self, bench, options, make, share):
        """The class in the clear of each run. A share of 0 is no class."""
        classes = [one for one in self.classes(share) if ":share=0," not in one]
        flags = [word for one in classes for word in ("--class", one)]
        reports = [tried(bench, options, make, options.warm_up, "--rate", self.mpps, "--duration",
                         milliseconds(options.seconds), *flags)
                   for _ in range(options.runs)]
        return [next(one for one in report["trials"][-1]["classes"] if one["name"] == "clear")
                for report in reports]

    @staticmethod
    def tell(bench, name, runs):
        bench.figure(f"{name}, throughput", "% that come back", [100 * run["received"] / run["sent"] for run in runs])
        for percentile in PERCENTILES:
            bench.figure(f"{name}, {percentile}", "us", [run["latency_us"][percentile] for run in runs])

    def draw(self, bench, lines, worst):
        x = self.what.format("").strip()
        bench.plot("lines", f"{self.name}-latency.svg", "latency in the clear over memif, p99", x=x, y="µs",
                   log_y=True,
                   series=series(lines, lambda run: run["latency_us"]["p99"]))
        bench.plot("lines", f"{self.name}-bypass.svg", "packets in the clear that come back", x=x, y="%",
                   series=series(lines, lambda run: 100 * run["received"] / run["sent"]))
        bench.plot("cdf", f"{self.name}.svg", f"latency in the clear over memif, {self.what.format(worst)}",
                   x="latency, µs", series=[{"name": name, "points": line[worst][0]["latency_us"]["cdf"]}
                                            for name, line in lines.items()])


def series(lines, figure):
    """Of a plot: what a figure of the runs is at each share."""
    return [{"name": name, "points": [[share, *extent_of([figure(run) for run in runs])]
                                      for share, runs in line.items()]} for name, line in lines.items()]
