# SPDX-License-Identifier: BSD-3-Clause
"""What the integration tests share: namespaces, a running spillway, its report, skipping loudly."""
import atexit
import contextlib
import ctypes
import itertools
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SPILLWAY_BUILD", ROOT / "build"))
SPILLWAY = os.environ.get("SPILLWAY", str(BUILD / "app" / "spillway"))
CAPTURES = ROOT / "tests" / "captures"
RUN_FOLDER = pathlib.Path(os.environ.get("RUNTIME_DIRECTORY", "/var/run"), "dpdk")

_place = socket.socket(socket.AF_UNIX)  # while this process lives


def _cpus():
    """The CPUs that there are, first one that comes first in no other test: the lcores of tests beside each other have one each."""
    cpus = sorted(os.sched_getaffinity(0))
    for number, cpu in enumerate(cpus):
        with contextlib.suppress(OSError):
            _place.bind(f"\0spillway-test-cpu-{cpu}")
            return cpus[number:] + cpus[:number]
    return cpus


CPUS = _cpus()

START_DEADLINE = 30  # seconds; a start takes less than one on an idle machine
READ = "50ms"  # for --exit-on-idle: captures are read without a pause, so after this nothing more comes of them
_number = itertools.count()
_libc = ctypes.CDLL(None, use_errno=True)


class Result(unittest.TextTestResult):
    """Knows whether anything was tested: a test whose parts (subTest) were all skipped wasn't."""

    tested = False

    def addSuccess(self, test):
        super().addSuccess(test)
        self.tested = True

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        self.tested = True


def process_name(program):
    """For DPDK, at most 16 characters: what a process of that name leaves is removed at the end."""
    return f"{program}-{os.getpid()}-{next(_number)}"


@atexit.register
def remove_traces():
    """DPDK leaves a folder of each process, for secondary ones, and its hugepages."""
    for folder in RUN_FOLDER.glob(f"*-{os.getpid()}-*"):
        shutil.rmtree(folder, ignore_errors=True)
    for page in pathlib.Path("/dev/hugepages").glob(f"*-{os.getpid()}-*map_*"):
        page.unlink(missing_ok=True)


def main():
    """Runs the calling file's tests. Exit status 77 (meson: SKIP) when all of it was skipped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # a timeout, too, leaves nothing behind
    runner = unittest.TextTestRunner(resultclass=Result, verbosity=2)
    result = unittest.main(module="__main__", exit=False, testRunner=runner).result
    for test, reason in result.skipped:
        print(f"SKIPPED {test}: {reason}", file=sys.stderr)
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(0 if result.tested else 77)


def run(*command, check=True, timeout=60, **options):
    """Runs a command to its end, output as text."""
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=timeout, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def until(condition, seconds, what):
    """Polls a condition until it holds; fails with `what` at the deadline. Returns what it gave."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


def ended(process, seconds):
    """Whether it ends in time. Popen.wait() with a timeout looks only every 50 ms."""
    if process.poll() is not None:
        return True
    poll, descriptor = select.poll(), os.pidfd_open(process.pid)
    poll.register(descriptor, select.POLLIN)
    try:
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(descriptor)


def need_root():
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root (network namespaces, raw sockets)")


def need_program(name):
    if not shutil.which(name):
        raise unittest.SkipTest(f"needs the program {name}: tools/setup installs it")


class Report(dict):
    """A run's end: the JSON report with status, stderr and seconds beside it."""

    def __init__(self, report, status, stderr, seconds):
        super().__init__(report)
        self.status, self.stderr, self.seconds = status, stderr, seconds

    @property
    def packets(self):
        return self["packets"]

    @property
    def drops(self):
        """Drop reasons that were used."""
        return {name: count for name, count in self["drops"].items() if count}


class Spillway:
    """A running spillway. As a context manager it is killed on leaving, if it still runs then.

    `log` is what it has for standard error, else `self.log`.
    """

    def __init__(self, *options, namespace=None, eal=(), huge=False, wrapper=(), log=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="spillway-test-"))
        self.report_file = self.folder / "report.json"
        self.log_file = self.folder / "log"
        command = ["ip", "netns", "exec", namespace] if namespace else []
        command += [*wrapper, SPILLWAY]
        if eal:
            command += [*eal, "--"]
        elif not huge:
            command += ["--no-huge"]
        self.name = process_name("spw")
        if not eal:
            command += ["--name", self.name]
        command += ["--report", self.report_file, *options]
        self.command = [str(part) for part in command]
        self.started = time.monotonic()
        with open(self.log_file, "w") as file:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=file,
                                            stderr=subprocess.STDOUT if log is None else log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def log(self):
        return self.log_file.read_text(errors="replace")

    def ready(self):
        """Waits until it forwards."""
        def is_ready():
            if self.process.poll() is not None:
                raise AssertionError(f"{self}: ended before it was ready\n{self.log}")
            return re.search(r"^.*\bready\b", self.log, re.M)
        until(is_ready, START_DEADLINE, f"{self} ready\n{self.log}")
        return self

    def telemetry(self, command):
        """Asks DPDK's telemetry socket; None while there is none."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
                connection.settimeout(5)
                connection.connect(str(RUN_FOLDER / self.name / "dpdk_telemetry.v2"))
                connection.recv(1 << 16)  # its greeting
                connection.send(command.encode())
                return json.loads(connection.recv(1 << 16))[command.split(",")[0]]
        except (FileNotFoundError, ConnectionError):
            return None

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self

    def wait(self, timeout=60):
        """Waits for its end and returns its Report."""
        if not ended(self.process, timeout):
            raise AssertionError(f"{self}: still runs after {timeout} s\n{self.log}")
        status = self.process.wait()
        seconds = time.monotonic() - self.started
        report = json.loads(self.report_file.read_text()) if self.report_file.exists() else {}
        return Report(report, status, self.log, seconds)

    def stop(self, timeout=15):
        return self.signal().wait(timeout)

    def __str__(self):
        return " ".join(self.command)


def spillway(*options, timeout=60, **how):
    """Runs spillway to its own end (--exit-on-idle, --packets, …) and returns its Report."""
    with Spillway(*options, **how) as program:
        return program.wait(timeout)


class TestCase(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="spillway-test-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def check(self, report, outcome="drained", status=0):
        """What must hold at the end of every run: laws 5 and 7."""
        self.assertEqual(report.status, status, f"{report}\n{report.stderr}")
        self.assertTrue(report, f"no report was written\n{report.stderr}")
        self.assertEqual(report["outcome"], outcome, report)
        packets = report.packets
        self.assertEqual(packets["received"] + packets["originated"],
                         packets["transmitted"] + packets["delivered_to_host"]
                         + packets["dropped"] + packets["in_flight"], report)
        self.assertEqual(packets["dropped"], sum(report["drops"].values()), report["drops"])
        self.assertEqual(packets["in_flight"], 0, report)
        # Not counted where a port or an lcore did not come back.
        self.assertIn(report["leaked_mbufs"], (0, None) if outcome == "forced" else (0,), report)
        self.assertNotRegex(report.stderr, r"(?i)sanitizer|segfault|panic")
        return report


@contextlib.contextmanager
def inside(namespace):
    """The calling thread in a network namespace: sockets made there stay there."""
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{namespace}") as there:
        if _libc.setns(there.fileno(), 0x40000000):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            _libc.setns(home.fileno(), 0x40000000)


class Net:
    """left(eth0) --- (lan) middle (wan) --- (eth0)right: three namespaces, two veth pairs.

    left is 10.9.0.1 and fd09::1, right .2 and ::2. The middle has no addresses: spillway joins it.
    `right=False` leaves the right half out. `other=True` puts `wan` into a middle of its own, for a
    second spillway: DPDK's af_packet ports of two processes may clash within one (by their fanout
    group, which is the process id and the interface's number mixed).
    """

    def __init__(self, right=True, other=False):
        need_root()
        for program in ("ip", "ethtool"):
            need_program(program)
        prefix = f"spw-test-{os.getpid()}-{next(_number)}"
        self.left, self.middle, self.right = (f"{prefix}-{end}" for end in ("l", "m", "r"))
        self.other = f"{prefix}-o" if other else self.middle
        self.processes = []
        self.namespaces = set()
        try:
            self._build(right)
        except BaseException:
            self.close()
            raise

    def _build(self, right):
        self.namespaces = {self.left, self.middle, self.other} | ({self.right} if right else set())
        for name in self.namespaces:
            made = run("ip", "netns", "add", name, check=False)
            if made.returncode:
                raise unittest.SkipTest(f"needs network namespaces: {made.stderr.strip()}")
            run("ip", "-n", name, "link", "set", "lo", "up")
        for name in {self.middle, self.other}:
            run("ip", "netns", "exec", name, "sysctl", "-qw",
                "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        pairs = [(self.left, self.middle, "lan", 1), (self.right, self.other, "wan", 2)]
        for name, middle, port, number in pairs[:2 if right else 1]:
            made = run("ip", "-n", middle, "link", "add", port, "type", "veth", "peer", "name",
                       "eth0", "netns", name, check=False)
            if made.returncode:
                raise unittest.SkipTest(f"needs veth: {made.stderr.strip()}")
            run("ip", "-n", middle, "link", "set", port, "up")
            # The kernel leaves TCP checksums and segmentation to the device, and veth has none:
            # without this spillway would carry half-made packets of 64 kB.
            run("ip", "netns", "exec", name, "ethtool", "-K", "eth0", "tx", "off")
            self.address(name, "eth0", number)

    def address(self, name, interface, number):
        run("ip", "-n", name, "address", "add", f"10.9.0.{number}/24", "dev", interface)
        run("ip", "-n", name, "-6", "address", "add", f"fd09::{number}/64", "dev", interface, "nodad")
        run("ip", "-n", name, "link", "set", interface, "up")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        for name in self.namespaces:
            run("ip", "netns", "delete", name, check=False)

    def run(self, name, *command, **options):
        return run("ip", "netns", "exec", name, *command, **options)

    def start(self, name, *command, port=None):
        """Starts a server in a namespace and waits until it listens on its TCP port."""
        process = subprocess.Popen(["ip", "netns", "exec", name, *command],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.processes.append(process)
        if port:
            until(lambda: f":{port} " in self.run(name, "ss", "-Hltn").stdout, 10, f"port {port}")
        return process

    def stream(self, client, server, address, *options):
        """iperf3 between two namespaces, with a server of its own: one that has just served refuses the next."""
        port = str(5201 + next(_number))
        self.start(server, "iperf3", "-s", "-1", "-p", port, port=port)
        return self.run(client, "iperf3", "-c", address, "-p", port, *options)

    def ping(self, name, address, *options, count=5):
        """Pings and returns how many answers came."""
        done = self.run(name, "ping", "-n", "-c", count, "-i", "0.1", "-W", "2", *options, address,
                        check=False)
        return int(re.search(r"(\d+) received", done.stdout)[1])

    def connects(self, name, address, port, seconds=1):
        """Whether a TCP connection is made."""
        return self.run(name, "timeout", seconds, "bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}",
                        check=False).returncode == 0
