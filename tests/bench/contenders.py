# SPDX-License-Identifier: BSD-3-Clause
"""Whole programs that forward one capture, compared from outside in the same way.

Packets are those that a port counted (DPDK's telemetry), time is CPU time of the thread that polls
(the kernel's schedstat), both over the same interval; cycles a packet = CPU time * TSC rate / packets.
Runs of the programs alternate, and the figure of each is the median of its runs. A run whose polling
threads had less of their CPUs than --share is void and repeated.
"""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
from statistics import median

from machine import tsc_ghz

TELEMETRY = pathlib.Path(os.environ.get("RUNTIME_DIRECTORY", "/var/run")) / "dpdk"

START_SECONDS = 60  # at most, until the first packet is transmitted

# What a program is measured by: port and counter of its.
TRANSMITTED, RECEIVED = (1, "opackets"), (0, "ipackets")


class Telemetry:
    """A DPDK program's telemetry socket."""

    def __init__(self, prefix, process, deadline):
        path = TELEMETRY / prefix / "dpdk_telemetry.v2"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(5)
        while True:
            try:
                self.socket.connect(str(path))
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        self.socket.recv(65536)

    def ask(self, command):
        self.socket.send(command.encode())
        return json.loads(self.socket.recv(65536))[command.split(",", maxsplit=1)[0]]

    def ports(self):
        """Statistics of each port."""
        return [self.ask(f"/ethdev/stats,{port}") for port in self.ask("/ethdev/list")]


def clean(prefix):
    """Takes away what a program of this name left: the EAL keeps its folder, and some its hugepages."""
    shutil.rmtree(TELEMETRY / prefix, ignore_errors=True)
    for page in pathlib.Path("/dev/hugepages").glob(f"{prefix}map_*"):
        page.unlink()


def cpu_times(pid):
    """CPU time of each thread in ns, by its id and name."""
    times = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text(encoding="utf-8").strip()
        times[task.name, name] = int((task / "schedstat").read_text(encoding="ascii").split()[0])
    return times


def read_report(path, status):
    """The report of a run of ours, of which law 5 must hold."""
    report = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    packets = report["packets"]
    if (status != 0 or packets["in_flight"] != 0 or report["leaked_mbufs"] != 0
            or packets["received"] + packets["originated"] != packets["transmitted"]
            + packets["delivered_to_host"] + packets["dropped"]):
        raise ValueError(f"the books do not balance, status {status}: {packets}, "
                         f"leaked {report['leaked_mbufs']}, {report['outcome']}")
    return report


def started(contender, process, prefix):
    """Waits until both ports are."""
    deadline = time.monotonic() + START_SECONDS
    telemetry = Telemetry(prefix, process, deadline)
    while not all(telemetry.ask(f"/ethdev/info,{port}")["dev_started"] for port in telemetry.ask("/ethdev/list")):
        if process.poll() is not None or time.monotonic() > deadline:
            raise ValueError(f"{contender.name} starts no ports: status {process.poll()}")
        time.sleep(0.05)


def await_socket(path, process):
    """Waits until a program has made its socket."""
    deadline = time.monotonic() + START_SECONDS
    while not path.is_socket():
        if process.poll() is not None or time.monotonic() > deadline:
            raise ValueError(f"no socket {path.name}: status {process.poll()}")
        time.sleep(0.02)


def under_load(contender, process, prefix, deadline):
    """Its counters, once it has transmitted something."""
    counters = contender.counters(prefix, process, deadline)
    while len(counters.ports()) < 2 or counters.ports()[1]["opackets"] == 0:
        if process.poll() is not None:
            raise ValueError(f"ended with status {process.returncode}")
        if time.monotonic() > deadline:
            raise ValueError("transmits nothing")
        time.sleep(0.1)
    return counters


class Run:
    """One run of a program.

    cycles: of the thread that receives, for each packet by the contender's counter; received,
    transmitted: Mpps; share: of their CPUs that the polling threads had, the least; report: the
    program's own, where it writes one.
    """

    def __init__(self, contender, options):
        prefix = f"bench-{os.getpid()}"
        clean(prefix)
        if contender.report:
            pathlib.Path(contender.report).unlink(missing_ok=True)
        with tempfile.TemporaryFile() as log:
            try:
                with contender.running(prefix, log) as process:
                    self._measure(contender, process, prefix, options)
                self._conclude(contender, process.returncode)
            except (OSError, ValueError, KeyError, ZeroDivisionError) as error:
                log.seek(0)
                text = log.read().decode(errors="replace")
                raise SystemExit(f"{contender.name}: {error!r}\n{text[-2000:]}") from error
            finally:
                clean(prefix)

    def _measure(self, contender, process, prefix, options):
        deadline = time.monotonic() + START_SECONDS
        counters = under_load(contender, process, prefix, deadline)
        time.sleep(options.warm_up)
        first, times, began = counters.ports(), cpu_times(process.pid), time.monotonic()
        self.pause(process, options)
        last, self.elapsed = counters.ports(), time.monotonic() - began
        self._counted = {(port, counter): last[port][counter] - first[port][counter]
                         for port, counter in (TRANSMITTED, RECEIVED)}
        self._spent = {thread: ns - times.get(thread, 0)
                       for thread, ns in cpu_times(process.pid).items()}

    def pause(self, process, options):
        """The time that is measured. process: the program, for those who watch it meanwhile."""
        del process
        time.sleep(options.seconds)

    def _conclude(self, contender, status):
        self.report, polling = None, [max(self._spent.values())]
        if contender.report:
            self.report = read_report(contender.report, status)
            # The one that receives first.
            lcores = sorted(self.report["lcores"], key=lambda lcore: lcore["role"] != "fast")
            polling = [ns for lcore in lcores for (_, name), ns in self._spent.items()
                       if name.endswith(f"-worker-{lcore['lcore']}")]
        self.share = min(polling) / self.elapsed / 1e9
        self.received, self.transmitted = (self._counted[counter] / self.elapsed / 1e6
                                           for counter in (RECEIVED, TRANSMITTED))
        self.cycles = polling[0] * tsc_ghz() / self._counted[contender.counter]


class Contender:
    """A program with its arguments; {prefix} in them is replaced. report: the file that it writes.
    environment: variables that its process has besides ours. settling: seconds after its start in which it may not
    forward yet, though its ports have started."""

    environment = {}
    settling = 0

    def __init__(self, name, arguments, counter=TRANSMITTED, report=None):
        self.name, self.arguments, self.counter, self.report = name, arguments, counter, report
        self.runs, self.void = [], 0

    def command(self, prefix):
        return [str(argument).replace("{prefix}", prefix) for argument in self.arguments]

    @contextlib.contextmanager
    def running(self, prefix, log):
        """Its process, and with it all that it needs besides: a kind of contender may have more."""
        process = subprocess.Popen(self.command(prefix), stdin=subprocess.PIPE, stdout=log,
                                   stderr=subprocess.STDOUT, env={**os.environ, **self.environment})
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)

    def counters(self, prefix, process, deadline):
        """What has ports(): the statistics of each, that which receives first."""
        return Telemetry(prefix, process, deadline)

    def values(self, figure=lambda run: run.cycles):
        return [figure(run) for run in self.runs]

    def median(self):
        """Cycles a packet."""
        return median(self.values())


def attempt(contender, options):
    """A run in which the polling threads had their CPUs; if there is none, the one with most of them."""
    attempts = []
    for _ in range(options.attempts):
        attempts.append(Run(contender, options))
        if attempts[-1].share >= options.share:
            return attempts[-1]
        contender.void += 1
    return max(attempts, key=lambda run: run.share)


def measure(bench, contenders, options):
    """Runs them in turn until each has its runs. Cycles a packet become figures of the bench."""
    for _ in range(options.runs):
        for contender in contenders:
            contender.runs.append(attempt(contender, options))
    for contender in contenders:
        bench.command(contender.command("NAME"))
        bench.figure(contender.name, "cycles a packet", contender.values(), contender.void,
                     cpu_shares=contender.values(lambda run: run.share),
                     seconds=contender.values(lambda run: run.elapsed))


def memory(options):
    return ["--no-huge", "-m", "1024"] if options.no_huge else ["--in-memory"]


def ends(source):
    """Two devices: those given, or a capture without end and a port that frees packets."""
    if isinstance(source, tuple):
        return source
    return f"net_pcap0,rx_pcap={source},infinite_rx=1", "net_null0,no-rx=1"


def vdevs(source):
    return [word for device in ends(source) for word in ("--vdev", device)]


def spillway(options, name, source, *more, counter=TRANSMITTED, program=None):
    """source: see ends()."""
    report = options.folder / "report.json"
    first, second = ends(source)
    return Contender(name, [
        program or options.spillway, "--name", "{prefix}",
        "--port", f"in={first}", "--port", f"out={second}", "--wire", "in:out",
        "--default", "allow", "--fast", options.cpu, "--control", options.control_cpu,
        "--report", report, *more, *(["--no-huge"] if options.no_huge else []),
    ], counter, report)
