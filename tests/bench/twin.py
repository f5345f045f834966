# SPDX-License-Identifier: BSD-3-Clause
"""What goes to the host, and comes from it, by the twin of a routed port; beside a wire to a port of net_tap that the
host has, and beside a kernel that forwards.

A namespace is the peer, another one the host; between them is a pair of veth and what is compared. iperf3 runs on the
control CPU at both ends, and so does the kernel's work for it; spillway's lcore has the other CPU.
"""

import contextlib
import itertools
import json
import os
import pathlib
import subprocess
import time

import contenders
from contenders import START_SECONDS
from figures import pairs

PEER, HOST = "10.9.0.2", "10.9.0.1"
TWIN = """[router]
netns = /run/netns/{host}
[port lan]
device = net_af_packet0,iface={veth}
routed = yes
twin = lan
address = 10.9.0.1/24
"""
WHOLE = ["tx", "off", "tso", "off", "gso", "off"]  # packets as they would be on a wire
NUMBERS = itertools.count()
# name: what iperf3 is told, and what of its answer counts.
FIGURES = {
    "TCP to the host": ([], "Gbit/s"),
    "TCP from the host": (["-R"], "Gbit/s"),
    "64 B to the host": (["-u", "-b", "0", "-l", "22"], "1000 packets a second"),
    "64 B from the host": (["-u", "-b", "0", "-l", "22", "-R"], "1000 packets a second"),
}


def run(*words):
    subprocess.run([str(word) for word in words], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


class Path:
    """A way between a peer and a host. name: of the contender."""

    def __init__(self, options, name):
        self.options, self.name = options, name
        self.peer, self.host = (f"bench-{os.getpid()}-{end}" for end in ("peer", "host"))

    @contextlib.contextmanager
    def there(self):
        """Both namespaces with their addresses, and what is between. The kernel takes its time to delete them: no name
        of an interface is used twice."""
        self.veth = f"bv{os.getpid() % 10000}-{next(NUMBERS)}"
        for one in self.peer, self.host:
            run("ip", "netns", "add", one)
            run("ip", "-n", one, "link", "set", "lo", "up")
        try:
            run("ip", "link", "add", self.veth, "type", "veth", "peer", "name", "eth0", "netns", self.peer)
            run("ip", "-n", self.peer, "address", "add", f"{PEER}/24", "dev", "eth0")
            run("ip", "netns", "exec", self.peer, "ethtool", "-K", "eth0", *WHOLE)
            run("ip", "-n", self.peer, "link", "set", "eth0", "up")
            run("ip", "link", "set", self.veth, "up")
            with self.between():
                yield
        finally:
            for one in self.peer, self.host:
                run("ip", "netns", "delete", one)

    @contextlib.contextmanager
    def between(self):
        """A kernel that forwards: two more interfaces, and the host behind them."""
        run("ip", "link", "set", self.veth, "netns", self.host)
        inner = f"{self.host}-in"
        run("ip", "netns", "add", inner)
        try:
            run("ip", "-n", self.host, "address", "add", "10.9.0.254/24", "dev", self.veth)
            run("ip", "-n", self.host, "link", "set", self.veth, "up")
            run("ip", "-n", self.host, "link", "add", "out", "type", "veth", "peer", "name", "eth0", "netns", inner)
            run("ip", "-n", self.host, "address", "add", "10.9.1.254/24", "dev", "out")
            run("ip", "-n", self.host, "link", "set", "out", "up")
            run("ip", "netns", "exec", self.host, "sysctl", "-qw", "net.ipv4.ip_forward=1")
            run("ip", "-n", inner, "address", "add", f"{HOST}/32", "dev", "eth0")
            run("ip", "-n", inner, "link", "set", "eth0", "up")
            run("ip", "-n", inner, "route", "add", "10.9.1.254", "dev", "eth0")
            run("ip", "-n", inner, "route", "add", "default", "via", "10.9.1.254", "dev", "eth0", "src", HOST)
            run("ip", "-n", self.host, "route", "add", f"{HOST}/32", "dev", "out")
            run("ip", "-n", self.peer, "route", "add", f"{HOST}/32", "via", "10.9.0.254")
            self.server_at = inner
            yield
        finally:
            run("ip", "netns", "delete", inner)

    def measure(self):
        """{name of the figure: value}"""
        with self.there():
            self.iperf3(["-n", "10K"])  # neighbors are known, the link is up
            return {name: value(self.iperf3(["-t", str(max(1, round(self.options.seconds))), *words]))
                    for name, (words, _) in FIGURES.items()}

    def iperf3(self, words):
        """What one run of it told."""
        pinned = ["taskset", "-c", str(self.options.control_cpu), "iperf3"]
        server = subprocess.Popen(["ip", "netns", "exec", self.server_at, *pinned, "-s", "-1"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        try:
            while True:
                done = subprocess.run(["ip", "netns", "exec", self.peer, *pinned, "-c", HOST, "-J", *words],
                                      stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                                      timeout=START_SECONDS)
                told = json.loads(done.stdout or "{}")
                if "error" not in told and told.get("end"):
                    server.wait(START_SECONDS)
                    return told["end"]
                if time.monotonic() > deadline or server.poll() is not None:
                    raise SystemExit(f"{self.name}: iperf3: {done.stdout[-300:]}")
                time.sleep(0.05)  # it does not listen yet, or the way is not there yet
        finally:
            if server.poll() is None:
                server.terminate()
            server.wait()


class Ours(Path):
    """spillway between them; arguments: beside CPUs and name."""

    @contextlib.contextmanager
    def between(self):
        report = pathlib.Path(self.options.folder) / "twin.json"
        report.unlink(missing_ok=True)
        self.prefix = f"bench-{os.getpid()}"
        process = subprocess.Popen([str(word) for word in (
            self.options.spillway, "--name", self.prefix, "--fast", self.options.cpu, "--control",
            self.options.control_cpu, "--report", report, "--default", "allow",
            *(["--no-huge"] if self.options.no_huge else []), *self.arguments())],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.finish(process)
            yield
        finally:
            process.terminate()
            process.wait(20)
        packets = json.loads(report.read_text(encoding="utf-8"))["packets"]
        if process.returncode != 0 or packets["in_flight"] != 0:
            raise SystemExit(f"{self.name}: the books do not balance, status {process.returncode}: {packets}")

    def finish(self, process):
        """The host's interface, once it is there."""
        del process
        self.server_at = self.host


class Twin(Ours):
    """A routed port, whose twin is in the host's namespace."""

    def arguments(self):
        path = pathlib.Path(self.options.folder) / "twin.conf"
        path.write_text(TWIN.format(host=self.host, veth=self.veth), encoding="ascii")
        return ["--config", path]


class Tap(Ours):
    """A wire to net_tap's port, whose interface the host has."""

    def arguments(self):
        return ["--port", f"in=net_af_packet0,iface={self.veth}", "--port", f"out=net_tap0,iface={self.veth}t",
                "--wire", "in:out"]

    def finish(self, process):
        name = f"{self.veth}t"
        contenders.started(self, process, self.prefix)  # its driver has set it up
        run("ip", "link", "set", name, "netns", self.host)
        run("ip", "-n", self.host, "address", "add", f"{HOST}/24", "dev", name)
        run("ip", "-n", self.host, "link", "set", name, "up")
        self.server_at = self.host


def value(end):
    """Gbit/s of TCP, or thousands of packets a second that arrived."""
    total = end.get("sum", {})
    if "packets" in total:
        return (total["packets"] - total["lost_packets"]) / total["seconds"] / 1e3
    return end["sum_received"]["bits_per_second"] / 1e9


def host(bench, options):
    """TCP and small datagrams, each way. What is tried only for whether it runs is the twin."""
    if os.geteuid() != 0:
        return bench.note("namespaces take root")
    paths = [Twin(options, "twin"), Tap(options, "net_tap"), Path(options, "the kernel forwards")]
    paths = paths[:1] if options.smoke else paths
    runs = [[one.measure() for one in paths] for _ in range(options.runs)]
    for name, (_, unit) in FIGURES.items():
        ours = [run_of[0][name] for run_of in runs]
        bench.figure(f"{name}, twin", unit, ours)
        for number, other in list(enumerate(paths))[1:]:
            theirs = [run_of[number][name] for run_of in runs]
            bench.figure(f"{name}, {other.name}", unit, theirs)
            bench.ratio(f"{name}: twin / {other.name}", pairs(ours, theirs), better="high")
    return None
