# SPDX-License-Identifier: BSD-3-Clause
"""Tunnels that end at a router, on captures, against the reference (esp.py).

    site 10.1.0.7 - (lan 10.1.0.1) spillway (wan 10.2.0.1) - 10.2.0.254 - peer 198.51.100.1 - 10.9.0.5

and IPv6 likewise: site 2001:db8:1::7, peer 2001:db8:99::1, behind it fd09::5.
"""
import itertools
import random

import capture
import esp
from associations import INLINE, POOL, SEED
from harness import READ, TestCase, spillway
from naive_router import Network, port_mac

OURS = {4: "10.2.0.1", 6: "2001:db8:2::1"}
PEER = {4: "198.51.100.1", 6: "2001:db8:99::1"}
SITE = {4: "10.1.0.7", 6: "2001:db8:1::7"}
FAR = {4: "10.9.0.5", 6: "fd09::5"}
BITS = {4: 32, 6: 128}
GATEWAY_MAC, SITE_MAC = "02:00:00:00:00:02", "02:00:00:00:00:07"


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def link(port, source="02:00:00:00:00:99"):
    """To a routed port, from somebody on its link."""
    return mac(port_mac(port)) + mac(source)


def routed(frame, port, to, hops=1):
    """A frame as a router sends it on: by a port, to a MAC address, with a hop less."""
    packet = bytearray(esp.split(frame)[1])
    if packet[0] >> 4 == 6:
        packet[7] -= hops
        return esp.join(mac(to) + mac(port_mac(port)), bytes(packet))
    packet[8] -= hops
    packet[10:12] = b"\0\0"
    size = (packet[0] & 15) * 4
    packet[10:12] = esp.checksum(bytes(packet[:size])).to_bytes(2, "big")
    return esp.join(mac(to) + mac(port_mac(port)), bytes(packet))


class Tunnel:
    """Two associations, one for each direction: `out` and `back`, as the reference has them, and our names for them."""

    def __init__(self, number, chance, inner=4, outer=4, nat=False, mode="tunnel", algorithm="aes-128-gcm", esn=False,
                 ours=None, peer=None, **keys):
        self.number, self.inner, self.outer, self.keys, self.mode = number, inner, outer, keys, mode
        self.names = f"to-{number}", f"from-{number}"
        ends = (ours or OURS[outer], peer or PEER[outer]) if mode == "tunnel" else (SITE[inner], FAR[inner])
        key_size = esp.ALGORITHMS[algorithm].key_size
        self.out = esp.SA(algorithm, chance.randbytes(key_size), 0x1000 + number, mode, *ends, esn, nat)
        self.back = esp.SA(algorithm, chance.randbytes(key_size), 0x2000 + number, mode, *ends[::-1], esn, nat)

    def rules(self):
        """One for each direction, of this tunnel's ports."""
        near, far = (f"{one[self.inner]}/{BITS[self.inner]}" for one in (SITE, FAR))
        port = 3000 + self.number
        return (f"protect {self.names[0]} udp from {near} to {far} port {port}\n"
                f"protect {self.names[1]} udp from {far} to {near} port {port}\n")

    def sections(self, folder):
        text = ""
        for name, sa, direction in ((self.names[0], self.out, "out"), (self.names[1], self.back, "in")):
            key = folder / f"{name}.key"
            key.touch(0o600)
            key.write_text(sa.key.hex() + "\n")
            lines = {"direction": direction, "spi": f"{sa.spi:#x}", "mode": sa.mode, "algorithm": sa.name,
                     "key-file": key.name, "esn": "yes" if sa.esn else "no",
                     "nat-traversal": "yes" if sa.nat_traversal else "no", "source": sa.source,
                     "destination": sa.destination, **self.keys}
            text += f"[sa {name}]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items())
        return text

    def leaving(self, data, identification=1, port=0, **how):
        """A clear frame of the site's, to a routed port."""
        return esp.udp_frame(SITE[self.inner], FAR[self.inner], data, (1000, 3000 + self.number), identification,
                             link=link(port), **how)

    def coming(self, data, identification=1, port=1, **how):
        """One of the far host's: what is inside of ESP that comes by a port."""
        return esp.udp_frame(FAR[self.inner], SITE[self.inner], data, (1000, 3000 + self.number), identification,
                             link=link(port), **how)


class TunnelCase(TestCase):
    def setUp(self):
        super().setUp()
        print(f"SEED={SEED}")
        self.chance = random.Random(SEED)
        self.numbers = itertools.count(1)

    def tunnel(self, **how):
        return Tunnel(next(self.numbers), self.chance, **how)

    def network(self):
        network = Network(["lan", "wan"])
        network.address("lan", "10.1.0.1/24").address("lan", "2001:db8:1::1/64")
        network.address("wan", "10.2.0.1/24").address("wan", "2001:db8:2::1/64")
        network.route("198.51.100.0/24", "10.2.0.254").route("2001:db8:99::/48", "2001:db8:2::fe")
        for address in ("10.2.0.254", "2001:db8:2::fe"):
            network.neighbor(address, "wan", GATEWAY_MAC)
        for address in SITE.values():
            network.neighbor(address, "lan", SITE_MAC)
        return network

    def config(self, network, tunnels, rules=None, default="deny", extra=""):
        """Writes rules and keys; returns the configuration's text."""
        self.file("rules", "".join(one.rules() for one in tunnels) if rules is None else rules)
        text = network.config(self.folder).replace("default = allow", f"default = {default}\nrules = rules")
        return text + "".join(one.sections(self.folder) for one in tunnels) + extra

    def through(self, frames, tunnels, shape=INLINE, network=None, mtu=None, **how):
        """Sends frames (by name of the port) through a router with these tunnels: report, and frames by port."""
        network = network or self.network()
        for name in network.ports:
            capture.write(self.folder / f"{name}.pcap", frames.get(name, []))
        text = self.config(network, tunnels, **how)
        for name, bytes_ in (mtu or {}).items():
            text = text.replace(f"[port {name}]\n", f"[port {name}]\nmtu = {bytes_}\n")
        path = self.file("router.conf", text)
        report = self.check(spillway("--config", path, "--exit-on-idle", READ, *shape, timeout=120))
        self.assertEqual(report.packets["received"], sum(map(len, frames.values())))
        return report, {name: capture.read(self.folder / f"{name}-out.pcap") for name in network.ports}

    def same(self, got, expected, what=""):
        """As assertEqual on lists of frames, with a message that can be read."""
        for number, (one, other) in enumerate(zip(got, expected)):
            if one != other:
                self.fail(f"{what} frame {number}: got, and expected\n{one.hex()}\n{other.hex()}")
        self.assertEqual(len(got), len(expected), what)


SHAPES = {"inline": INLINE, "pool": POOL}
