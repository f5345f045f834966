# SPDX-License-Identifier: BSD-3-Clause
"""spillway as a router beside DPDK's l3fwd with longest prefixes: packets to random destinations.

l3fwd looks up one of two routes and rewrites MAC addresses; it checks neither checksum nor addresses, decrements no
TTL, and counts nothing. spillway does all of that, and has the routes that its file says.
"""

import random

import contenders
import flows
import l3fwd
from contenders import ends, spillway
from figures import pairs

ROUTES = 4000  # near what a file may hold
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


def networks():
    """Of /16 to /24, as many of each of the lengths that tables have most of."""
    draw, seen = random.Random(ROUTES), set()
    while len(seen) < ROUTES:
        length = draw.choice([16, 20, 22, 23, 24, 24, 24, 24])
        seen.add((draw.randrange(11 << 24, 126 << 24) >> 32 - length << 32 - length, length))
    return sorted(seen)


def dotted(address):
    return ".".join(str(byte) for byte in address.to_bytes(4, "big"))


def capture(options, family):
    path = options.folder / f"routed-{ROUTES}-{family}.pcap"
    draw, targets = random.Random(family), networks()
    if not path.exists():
        size = 64 if family == 4 else 80
        flows.write(path, (MAC + flows.frame(
            0x0A000002 + i, flows.port_of(i), draw.choice(targets)[0] + draw.randrange(256), size, family)[6:]
            for i in range(FLOWS)))
    return path


def config(options, first, second):
    """A file with both devices as routed ports, and the routes."""
    path = options.folder / "router.conf"
    routes = [f"[route {dotted(address)}/{length}]\nvia = 172.16.0.2\n" for address, length in networks()]
    routes.append("[route 2001:db8::/32]\nvia = 2001:db8:fffe::2\n")
    path.write_text(FIXED.format(first, second) + "".join(routes), encoding="ascii")
    return path


def ours(options, name, source, family, *more):
    """The program's own arguments, with ports of its file in place of a wire's."""
    one = spillway(options, name, source, *more)
    at = one.arguments.index("--port")
    path = config(options, *ends(source)).rename(options.folder / f"router-{family}.conf")
    one.arguments[at:at + 6] = ["--config", path]
    return one


def forwarding(bench, options):
    """64 B (IPv6: 80 B), 1 024 flows to random destinations in 4 000 routes, without rules."""
    for family, name in (4, "IPv4"), (6, "IPv6"):
        source = capture(options, family)
        routed = ours(options, f"spillway, {name} routed", source, family)
        others = [l3fwd.l3fwd(options, source, "lpm", [
            l3fwd.write(options, f"l3fwd-{one}.routes", text) for one, text in l3fwd.ROUTES.items()],
            f"l3fwd lpm, {name}")] if "l3fwd" in options.compare else []
        contenders.measure(bench, [*others, routed], options)
        for other in others:
            bench.ratio(f"{routed.name} / {other.name}", pairs(routed.values(), other.values()), 1.6)
