# SPDX-License-Identifier: BSD-3-Clause
"""spillway as a router beside DPDK's l3fwd with longest prefixes: packets to random destinations.

l3fwd looks up one of two routes and rewrites MAC addresses; it checks neither checksum nor addresses, decrements no
TTL, and counts nothing. spillway does all of that, and has the routes that its file says; or as many as the target
says, which the kernel has and the mirror brings, where root runs the bench.
"""

import contextlib
import os
import random
import subprocess
import tempfile
import time

import contenders
import flows
import l3fwd
from contenders import Contender, Telemetry, ends, spillway
from figures import pairs

ROUTES = 4000  # near what a file may hold
MANY = 100_000
GATEWAYS = "172.16.0.2", "172.16.0.3"
RULES = 10_000
FLOWS = 1024
MAC = bytes.fromhex("027063617000")  # of the first capture port, as DPDK counts them
FIXED = """[router]
routes = 8k
routes6 = 1k
[port in]
device = {}
routed = yes
address = 10.0.0.1/8, 2001:db8:ffff::1/64
[port out]
device = {}
routed = yes
address = 172.16.0.1/24, 2001:db8:fffe::1/64
[neighbor 172.16.0.2]
port = out
mac = 02:00:00:00:00:02
[neighbor 2001:db8:fffe::2]
port = out
mac = 02:00:00:00:00:02
"""


TWINS = """[router]
routes = 128k
netns = /run/netns/{}
[port in]
device = {}
routed = yes
twin = in
address = 10.0.0.1/8
[port out]
device = {}
routed = yes
twin = out
address = 172.16.0.1/24
"""


def networks(count):
    """Of /16 to /24, as many of each of the lengths that tables have most of."""
    draw, seen = random.Random(count), set()
    while len(seen) < count:
        length = draw.choice([16, 20, 22, 23, 24, 24, 24, 24])
        seen.add((draw.randrange(11 << 24, 126 << 24) >> 32 - length << 32 - length, length))
    return sorted(seen)


def dotted(address):
    return ".".join(str(byte) for byte in address.to_bytes(4, "big"))


def capture(options, family, count=ROUTES):
    path = options.folder / f"routed-{count}-{family}.pcap"
    draw, targets = random.Random(family), networks(count)
    if not path.exists():
        size = 64 if family == 4 else 80
        flows.write(path, (MAC + flows.frame(
            0x0A000002 + i, flows.port_of(i), draw.choice(targets)[0] + draw.randrange(256), size, family)[6:]
            for i in range(FLOWS)))
    return path


def config(options, first, second):
    """A file with both devices as routed ports, and the routes."""
    path = options.folder / "router.conf"
    routes = [f"[route {dotted(address)}/{length}]\nvia = 172.16.0.2\n" for address, length in networks(ROUTES)]
    routes.append("[route 2001:db8::/32]\nvia = 2001:db8:fffe::2\n")
    path.write_text(FIXED.format(first, second) + "".join(routes), encoding="ascii")
    return path


def with_file(contender, path):
    """The same program with ports of a file in place of a wire's."""
    at = contender.arguments.index("--port")
    contender.arguments[at:at + 6] = ["--config", path]
    return contender


def ours(options, name, source, family, *more):
    path = config(options, *ends(source)).rename(options.folder / f"router-{family}.conf")
    return with_file(spillway(options, name, source, *more), path)


def by_rules(options, source):
    """With 10 000 rules, of which the first is that of all flows; they are known once they were classified."""
    file = l3fwd.write(options, "router.rules", "allow udp from 10.0.0.0/8 to any\n" + l3fwd.denials(RULES))
    return ours(options, "spillway, IPv4 routed, 10 000 rules", source, 4, "--rules", file,
                "--on-pool-full", "classify=inline")


class Mirrored(Contender):
    """The kernel has the routes, in a network namespace of the twins. They are entered before anything is measured."""

    def __init__(self, options, name, source):
        self.namespace, self.folder = f"bench-routes-{os.getpid()}", options.folder
        self.elsewhere = ["taskset", "-c", str(options.control_cpu)]  # than the lcore polls
        path = options.folder / "router-many.conf"
        path.write_text(TWINS.format(self.namespace, *ends(source)), encoding="ascii")
        one = with_file(spillway(options, name, source), path)
        super().__init__(name, one.arguments, one.counter, one.report)
        self.neighbors, self.changes = self._neighbors(), [self._changes(gateway) for gateway in GATEWAYS]

    def _neighbors(self):
        """A file for ip -batch with which all are known: senders as well, lest errors from before there were routes
        wait for them for seconds."""
        path = self.folder / "router-many.neighbors"
        known = [(gateway, "out") for gateway in GATEWAYS] + [(dotted(0x0A000002 + flow), "in") for flow in range(FLOWS)]
        path.write_text("".join(
            f"neigh replace {address} lladdr 02:00:00:00:00:02 dev {port} nud permanent\n" for address, port in known),
            encoding="ascii")
        return path

    def _changes(self, gateway):
        """A file for ip -batch with which all routes go by this gateway."""
        path = self.folder / f"router-many-{gateway}.ip"
        path.write_text("".join(
            f"route replace {dotted(address)}/{length} via {gateway}\n" for address, length in networks(MANY)),
            encoding="ascii")
        return path

    @contextlib.contextmanager
    def running(self, prefix, log):
        subprocess.run(["ip", "netns", "add", self.namespace], check=True)
        try:
            with super().running(prefix, log) as process:
                contenders.started(self, process, prefix)
                self._ip(self.neighbors)
                self.change(0)
                self._await_routes(process, prefix)
                yield process
        finally:
            subprocess.run(["ip", "netns", "delete", self.namespace], check=True)

    def change(self, gateway):
        """Has the kernel send all by one of the two gateways. Returns the seconds that it took."""
        began = time.monotonic()
        self._ip(self.changes[gateway])
        return time.monotonic() - began

    def _ip(self, batch):
        subprocess.run([*self.elsewhere, "ip", "-netns", self.namespace, "-batch", batch], check=True)

    def _await_routes(self, process, prefix):
        deadline = time.monotonic() + contenders.START_SECONDS
        telemetry = Telemetry(prefix, process, deadline)
        while telemetry.ask("/spillway/metrics,routes")["ipv4"] < MANY:
            if process.poll() is not None or time.monotonic() > deadline:
                raise ValueError("the kernel's routes are not in the tables")
            time.sleep(0.1)


class Counted:
    """What a fast lcore has dropped, and its turns above 250 us, in one stretch of time."""

    def __init__(self, telemetry):
        self.telemetry, self.began, self.first = telemetry, time.monotonic(), self._now(telemetry)

    @staticmethod
    def _now(telemetry):
        return (telemetry.ask("/spillway/metrics,packets")["dropped"],
                telemetry.ask("/spillway/metrics,lcores,fast0")["slow"])

    def end(self):
        """Packets dropped, and slow turns a second."""
        dropped, slow = (now - then for now, then in zip(self._now(self.telemetry), self.first))
        return dropped, slow / (time.monotonic() - self.began)


def replacement(bench, options):
    """100 000 routes get another gateway one by one, as fast as the kernel takes them, under packets at full rate;
    and as long a time without, in turn: what the machine itself interrupts, it does in both."""
    if os.geteuid() != 0 or options.smoke:
        return bench.note("routes are replaced where root runs the bench")
    one = Mirrored(options, "spillway, routes replaced", capture(options, 4, MANY))
    prefix, rounds = f"bench-{os.getpid()}", []
    with tempfile.TemporaryFile() as log, one.running(prefix, log) as process:
        telemetry = Telemetry(prefix, process, time.monotonic() + contenders.START_SECONDS)
        for number in range(options.runs):
            changing = Counted(telemetry)
            seconds = one.change((number + 1) % 2)
            dropped, slow = changing.end()
            quiet = Counted(telemetry)
            time.sleep(seconds)
            rounds.append((seconds, dropped, slow, quiet.end()[1]))
    contenders.read_report(one.report, process.returncode)
    for name, unit, values in zip(("100 000 routes replaced", "dropped meanwhile", "turns above 250 us meanwhile",
                                   "turns above 250 us without"), ("s", "packets", "a second", "a second"), zip(*rounds)):
        bench.figure(name, unit, list(values))


def forwarding(bench, options):
    """64 B (IPv6: 80 B), 1 024 flows to random destinations in 4 000 routes, and in 100 000 of the kernel's, without
    rules; and with them."""
    for family, name in (4, "IPv4"), (6, "IPv6"):
        source = capture(options, family)
        limits = {ours(options, f"spillway, {name} routed", source, family): 1.6}
        if family == 4:
            limits[by_rules(options, source)] = 2.2
        if family == 4 and os.geteuid() == 0:
            limits[Mirrored(options, "spillway, 100 000 IPv4 routes", capture(options, family, MANY))] = 1.6
        others = [l3fwd.l3fwd(options, source, "lpm", [
            l3fwd.write(options, f"l3fwd-{one}.routes", text) for one, text in l3fwd.ROUTES.items()],
            f"l3fwd lpm, {name}")] if "l3fwd" in options.compare else []
        contenders.measure(bench, [*others, *limits], options)
        for other in others:
            for one, limit in limits.items():
                bench.ratio(f"{one.name} / {other.name}", pairs(one.values(), other.values()), limit)
