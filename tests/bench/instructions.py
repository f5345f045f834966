# SPDX-License-Identifier: BSD-3-Clause
"""Instructions that the fast lcore executes for each packet, on the main paths: spillway under valgrind's
callgrind.

They are the same on a busy machine as on a quiet one, so that two commits can be compared anywhere. A path may
grow by 2 % (GROWTH) from one commit to the next, in all and in spillway's own part; more needs its reason in
the commit message.

Each path runs twice, for N and for 2 N packets: what one run has more than the other is that of
established flows alone, or of new ones, each packet of another; start and end cancel. Only the fast
lcore's thread counts. Functions without a name (the static ones of DPDK's libraries) count under their
library; `own` is the part within spillway's own file, inlined functions of DPDK's headers included. What
is under libIPSec_MB is not what a CPU with AVX-512 executes: valgrind knows AVX2 at most, and the library
goes by that.

Instructions are not time: a cache miss costs nothing here. tools/bench measures time.
"""

import collections
import json
import os
import pathlib
import re
import shutil
import subprocess

import fastpath
import flows
import gateways
import mix
import router

ALGORITHM = "aes-128-gcm"
GROWTH = 0.02
PACKETS = 100000  # N; a tick of the control thread, which ends the run, is some ten thousand
NEW_FLOWS = 131072  # more than are ever read
TOP, TOLD = 12, 6  # functions that are kept, and told
FILE_HEADER = 24  # bytes of a capture before its first packet

# valgrind executes a string instruction byte by byte: freeing the routes' memory would take it half a minute.
QUICK_MEMSET = {"GLIBC_TUNABLES": "glibc.cpu.x86_rep_stosb_threshold=0x40000000"}

FAST_LCORE = "spill_submitter_retire"  # is called on fast lcores alone
HISTOGRAMS = {"spill_latency_settle", "account_for"}  # write them, of latency and of jobs
INLINE = ["--dispatch", "encrypt=inline", "--dispatch", "decrypt=inline"]


def clear_capture(folder, size):
    """Packets that are all to be encrypted."""
    return mix.capture(folder, 100, size, size)


def wire(_, first, second):
    return ["--port", f"in={first}", "--port", f"out={second}", "--wire", "in:out"]


def routed(options, first, second):
    return ["--config", router.config(options, first, second)]


def launch(options, source, target, *flags, under=(), joined=wire):
    """Runs spillway to its end, from one capture to a device. Returns its report."""
    report = pathlib.Path(options.folder) / "report.json"
    command = [*under, options.spillway, "--name", f"count-{os.getpid()}", "--no-huge",
               *joined(options, f"net_pcap0,rx_pcap={source}", target), "--default", "allow", "--fast", options.cpu,
               "--control", options.control_cpu, "--on-pool-full", "classify=inline",
               "--report", report, *flags]
    run = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False,
                         env={**os.environ, **QUICK_MEMSET})
    if run.returncode != 0:
        raise SystemExit(f"{options.spillway} ended with status {run.returncode}:\n{run.stderr[-2000:]}")
    return json.loads(report.read_text(encoding="utf-8"))


def encrypted_capture(options, folder, size):
    """What spillway makes of the clear packets."""
    path = folder / f"esp-{size}.pcap"
    launch(options, clear_capture(folder, size), f"net_pcap1,tx_pcap={path}", "--exit-on-idle", "200ms",
           *gateways.configure(folder, ALGORITHM), *INLINE)
    return path


def inbound(folder):
    """The flags for the tunnel's other end. The capture comes again and again, so nothing is a replay."""
    flags = gateways.configure(folder, ALGORITHM)
    configuration = flags[flags.index("--config") + 1]
    text = configuration.read_text(encoding="ascii")
    configuration.write_text(text.replace("direction = out", "direction = in\nreplay-window = 0"),
                             encoding="ascii")
    return flags


def outbound(folder):
    return gateways.configure(folder, ALGORITHM)


def one_rule(folder):
    """The flags for a rule that the flows of the routers' captures are known by."""
    path = folder / "one.rules"
    path.write_text("allow udp from 10.0.0.0/8 to any\n", encoding="ascii")
    return ["--rules", path]


def room_for_new(_):
    """The flags for a capture of which no packet is of a flow before: their mbufs, their entries."""
    return ["--rules", "/dev/null", "--mbufs", f"in:{NEW_FLOWS + 16384}", "--flow-capacity", 2 * NEW_FLOWS]


# capture, flags: functions that make them. waits: the source must wait for the pool, so that nothing is
# refused; only a capture with an end does, and is read packet by packet. joined: what makes the ports' arguments.
# packets: N.
Path = collections.namedtuple("Path", "capture flags waits joined packets", defaults=[False, wire, PACKETS])
PATHS = {
    "wire, 64 B": Path(
        lambda options, folder: flows.capture(folder, fastpath.FLOWS), lambda folder: ["--rules", "/dev/null"]),
    "new connections, 64 B": Path(
        lambda options, folder: flows.capture(folder, NEW_FLOWS), room_for_new, packets=NEW_FLOWS // 4),
    "routed, 64 B": Path(
        lambda options, folder: router.capture(options, 4), lambda folder: [], joined=routed),
    "routed, 80 B of IPv6": Path(
        lambda options, folder: router.capture(options, 6), lambda folder: [], joined=routed),
    "routed by a rule, 64 B": Path(
        lambda options, folder: router.capture(options, 4), one_rule, joined=routed),
    "encrypt inline, 64 B": Path(
        lambda options, folder: clear_capture(folder, 64), lambda folder: [*outbound(folder), *INLINE],
        False),
    "encrypt inline, 1400 B": Path(
        lambda options, folder: clear_capture(folder, 1400), lambda folder: [*outbound(folder), *INLINE],
        False),
    "decrypt inline, 64 B": Path(
        lambda options, folder: encrypted_capture(options, folder, 64),
        lambda folder: [*inbound(folder), *INLINE], False),
    # A loop that waits for the pool sleeps: its empty turns would count.
    "encrypt pool, 64 B": Path(
        lambda options, folder: clear_capture(folder, 64),
        lambda folder: [*outbound(folder), "--dispatch", "encrypt=pool", "--idle", "sleep"], True),
}


def costs(profile):
    """Instructions by (object, function) of one thread's profile, in callgrind's format."""
    names, spent, called = {}, collections.Counter(), False
    place = {"ob": "", "fn": ""}
    for line in profile.read_text(encoding="utf-8", errors="replace").splitlines():
        if match := re.fullmatch(r"(ob|fn)=\((\d+)\)(?: (.*))?", line):
            kind, number, name = match.groups()
            place[kind] = names.setdefault((kind, number), name)
        elif match := re.fullmatch(r"(cob|cfn)=\((\d+)\) (.*)", line):
            names[match[1][1:], match[2]] = match[3]
        elif line.startswith("calls="):
            called = True  # the next line is what the callee spent
        elif re.match(r"[+*\d-]", line):
            if not called:
                spent[place["ob"], place["fn"]] += sum(int(word) for word in line.split()[1:2])
            called = False
    return spent


def profile_of_fast_lcore(folder):
    for profile in folder.glob("callgrind-*"):
        spent = costs(profile)
        if any(function == FAST_LCORE for _, function in spent):
            return spent
    raise SystemExit(f"{folder}: no thread called {FAST_LCORE}: is it a build without its symbols?")


def source_of(capture, packets, waits):
    """The source for at least so many packets of a capture, and the flags that end it."""
    if not waits:
        return f"{capture},infinite_rx=1", ["--packets", packets]
    content, path = capture.read_bytes(), capture.with_suffix(".repeated.pcap")
    header, frames = content[:FILE_HEADER], content[FILE_HEADER:]
    path.write_bytes(header + frames * -(-packets // mix.COUNT))
    return path, ["--exit-on-idle", "1s"]


def run(options, folder, capture, path, packets):
    """One run for at least so many packets. Returns how many they were, and the instructions."""
    for old in folder.glob("callgrind*"):
        old.unlink()
    under = ["valgrind", "--quiet", "--tool=callgrind", "--separate-threads=yes",
             # Or the control thread would not get its turn to end the run.
             "--fair-sched=yes", f"--callgrind-out-file={folder}/callgrind"]
    pool = ["--pool", options.control_cpu] if path.waits else []
    source, end = source_of(capture, packets, path.waits)
    report = launch(options, source, "net_null0,no-rx=1", *path.flags(folder), *pool, *end, under=under,
                    joined=path.joined)
    if report["packets"]["dropped"] != 0:
        raise SystemExit(f"packets were dropped: {report['drops']}")
    return report["packets"]["received"], profile_of_fast_lcore(folder)


def name_of(place):
    library, function = place
    if function.startswith("0x"):
        return pathlib.Path(library).name.split(".so")[0]
    return function


def measure_path(options, folder, path):
    capture = path.capture(options, folder)
    few, first = run(options, folder, capture, path, path.packets)
    many, second = run(options, folder, capture, path, 2 * path.packets)
    spent = collections.Counter()
    own = 0
    for place in second:
        more = (second[place] - first[place]) / (many - few)
        spent[name_of(place)] += more
        own += more if place[0] == os.path.realpath(options.spillway) else 0
    return {
        "instructions_per_packet": round(sum(spent.values()), 1),
        "own": round(own, 1),
        "histograms": round(sum(spent[function] for function in HISTOGRAMS), 1),
        "by_function": {function: round(count, 1) for function, count in spent.most_common(TOP)},
    }


def measure(options):
    """{path: {"instructions_per_packet": x, "own": y, "histograms": z, "by_function": {function: w}}}
    of options.spillway."""
    folder = options.folder / "instructions"
    folder.mkdir(exist_ok=True)
    paths = dict(list(PATHS.items())[:1]) if options.smoke else PATHS
    return {name: measure_path(options, folder, path) for name, path in paths.items()}


def count(bench, options):
    """All of a path, what of it is spillway's own, and the functions that take most."""
    if not shutil.which("valgrind"):
        bench.note("no valgrind: instructions are not counted")
        return
    for name, path in measure(options).items():
        bench.figure(name, "instructions a packet", [path["instructions_per_packet"]])
        bench.figure(f"{name}: spillway's own", "instructions a packet", [path["own"]])
        bench.figure(f"{name}: of them into histograms of times", "instructions a packet", [path["histograms"]])
        most = list(path["by_function"].items())[:TOLD]
        bench.note(f"{name}: " + ", ".join(f"{function} {spent:.0f}" for function, spent in most))
