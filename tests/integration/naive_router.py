# SPDX-License-Identifier: BSD-3-Clause
"""A naive router, whose opinion on captures is asked beside that of spillway."""
import collections
import ipaddress

from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6TimeExceeded, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

import capture
from harness import CPUS, READ, TestCase, spillway

DUMMY = "192.0.0.8"


def port_mac(index):
    """What DPDK's capture driver gives its ports."""
    return f"02:70:63:61:70:{index:02x}"


def plain(packet):
    """Bytes, with what scapy computes computed."""
    return bytes(packet.__class__(bytes(packet)))


class Network:
    """A configuration, and what a naive router would do with it."""

    def __init__(self, ports):
        self.ports = list(ports)
        self.addresses = {name: [] for name in ports}
        self.routes, self.neighbors, self.rpf, self.extra = [], {}, "off", ""

    def address(self, port, text):
        interface = ipaddress.ip_interface(text)
        self.addresses[port].append(interface)
        return self

    def route(self, prefix, via=None, action=None):
        self.routes.append((ipaddress.ip_network(prefix), via, action))
        return self

    def neighbor(self, address, port, mac):
        self.neighbors[port, ipaddress.ip_address(address)] = mac
        return self

    def config(self, folder):
        lines = ["[spillway]", "default = allow", self.extra, "[router]", f"rpf = {self.rpf}", "routes = 1k",
                 "routes6 = 1k"]
        for number, name in enumerate(self.ports):
            lines += [f"[port {name}]", f"device = net_pcap{number},rx_pcap={folder}/{name}.pcap,"
                      f"tx_pcap={folder}/{name}-out.pcap", "routed = yes"]
            if self.addresses[name]:
                lines.append("address = " + ", ".join(map(str, self.addresses[name])))
        for prefix, via, action in self.routes:
            lines += [f"[route {prefix}]", f"via = {via}" if via else f"action = {action}"]
        for (port, address), mac in self.neighbors.items():
            lines += [f"[neighbor {address}]", f"port = {port}", f"mac = {mac}"]
        return "\n".join(lines) + "\n"

    # ------------------------------------------------------------------------ the naive router

    def lookup(self, address):
        """('forward', port, gateway or None), ('local',), ('blackhole',) …, or None."""
        best, length = None, -1
        for prefix, via, action in self.routes:
            if address in prefix and prefix.prefixlen > length:
                length = prefix.prefixlen
                if via:
                    gateway = ipaddress.ip_address(via)
                    best = ("forward", self.port_of(gateway), gateway)
                else:
                    best = (action,)
        for name, interfaces in self.addresses.items():
            for one in interfaces:
                if address in one.network and one.network.prefixlen > length:
                    length, best = one.network.prefixlen, ("forward", name, None)
        for interfaces in self.addresses.values():
            for one in interfaces:
                if address == one.ip or (one.version == 4 and one.network.prefixlen < 31 and
                                         address in (one.network.network_address,
                                                     one.network.broadcast_address)):
                    return ("local",)
        return best

    def port_of(self, gateway):
        return max(((one.network.prefixlen, name) for name, interfaces in self.addresses.items()
                    for one in interfaces if gateway in one.network))[1]

    def source(self, port, version):
        """Where errors about what came by a port come from."""
        for name in [port, *self.ports]:
            for one in self.addresses[name]:
                if one.version == version:
                    return str(one.ip)
        return DUMMY if version == 4 else None

    def error(self, port, packet, refusal, mtu=0):
        """The error about a packet, or None."""
        own = self.source(port, 4 if IP in packet else 6)
        if own is None:
            return None
        if IP in packet:
            kind, code = {"no_route": (3, 0), "route_unreachable": (3, 1), "route_prohibited": (3, 13),
                          "hops_exceeded": (11, 0), "neighbor_unresolved": (3, 1), "tx_too_big": (3, 4)}[refusal]
            if packet[IP].frag or (ICMP in packet and packet[ICMP].type in (3, 5, 11, 12)):
                return None
            return IP(tos=0xC0, flags="DF", id=0, ttl=64, src=own, dst=packet[IP].src) / \
                ICMP(type=kind, code=code, nexthopmtu=mtu) / Raw(bytes(packet[IP])[:548])
        header = {"no_route": ICMPv6DestUnreach(code=0), "route_unreachable": ICMPv6DestUnreach(code=3),
                  "route_prohibited": ICMPv6DestUnreach(code=1), "hops_exceeded": ICMPv6TimeExceeded(),
                  "neighbor_unresolved": ICMPv6DestUnreach(code=3), "tx_too_big": ICMPv6PacketTooBig(mtu=mtu)}[refusal]
        return IPv6(tc=0xC0, hlim=64, src=own, dst=packet[IPv6].src) / header / Raw(bytes(packet[IPv6])[:1232])

    def send(self, packet, kind, own=False):
        """(port, frame) of an IP packet that is routed, or a reason."""
        address = ipaddress.ip_address(packet.dst)
        found = self.lookup(address)
        if found is None:
            return "no_route"
        if found[0] == "local":
            return "no_host"
        if found[0] != "forward":
            return {"blackhole": "blackhole", "unreachable": "route_unreachable",
                    "prohibit": "route_prohibited"}[found[0]]
        if not own and (packet.ttl if kind == IP else packet.hlim) <= 1:
            return "hops_exceeded"
        _, port, gateway = found
        mac = self.neighbors.get((port, gateway or address))
        if mac is None:
            return "neighbor_unresolved"
        packet = packet.copy()
        if not own and kind == IP:
            packet.ttl -= 1
            del packet.chksum
        elif not own:
            packet.hlim -= 1
        return port, bytes(Ether(src=port_mac(self.ports.index(port)), dst=mac,
                                 type=0x0800 if kind == IP else 0x86DD) / packet)

    def forward(self, port, frame, out, drops):
        """Adds what becomes of a frame to `out` by port, and to `drops`."""
        packet = Ether(frame)
        kind = IP if IP in packet else IPv6
        ip = packet[kind]
        if self.rpf != "off":
            back = self.lookup(ipaddress.ip_address(ip.src))
            if not back or back[0] != "forward" or (self.rpf == "strict" and back[1] != port):
                drops["reverse_path"] += 1
                return
        became = self.send(ip, kind)
        if not isinstance(became, str):
            out[became[0]].append(became[1])
            return
        drops[became] += 1
        error = None if became in ("no_host", "blackhole") else self.error(port, packet, became)
        if error is None:
            return
        became = self.send(plain_ip(error, kind), kind, own=True)
        if isinstance(became, str):
            drops[became] += 1
        else:
            out[became[0]].append(became[1])


def plain_ip(packet, kind):
    return kind(bytes(packet))


def frame(port, src, dst, ttl=64, load=b"x" * 20, mac=None, **ip):
    """A frame to a port, of either family."""
    version = IPv6 if ":" in dst else IP
    hops = {"hlim" if version == IPv6 else "ttl": ttl}
    return bytes(Ether(src="02:00:00:00:00:99", dst=mac or port_mac(port)) / version(src=src, dst=dst, **hops, **ip) /
                 UDP(sport=1000, dport=2000) / Raw(load))


def folded(number):
    """Of a sum of 16-bit words, the one's complement sum."""
    while number > 0xFFFF:
        number = (number & 0xFFFF) + (number >> 16)
    return number


class Routing(TestCase):
    """What a run gives and what it should."""

    def two(self):
        """A lan, and a wan with the way to everywhere."""
        network = Network(["lan", "wan"])
        network.address("lan", "10.1.0.1/24").address("lan", "2001:db8:1::1/64")
        network.address("wan", "10.2.0.1/24").address("wan", "2001:db8:2::1/64")
        network.route("0.0.0.0/0", "10.2.0.254").route("::/0", "2001:db8:2::fe")
        network.neighbor("10.2.0.254", "wan", "02:00:00:00:00:02")
        network.neighbor("2001:db8:2::fe", "wan", "02:00:00:00:00:02")
        network.neighbor("10.1.0.7", "lan", "02:00:00:00:00:07")
        network.neighbor("2001:db8:1::7", "lan", "02:00:00:00:00:07")
        return network

    def route(self, network, frames, *options, config=None):
        """Runs it; returns its report, and frames by port."""
        for name in network.ports:
            capture.write(self.folder / f"{name}.pcap", frames.get(name, []))
        path = self.file("router.conf", config or network.config(self.folder))
        report = self.check(spillway("--config", path, "--exit-on-idle", READ, *(options or ("--fast", CPUS[0]))))
        return report, {name: capture.read(self.folder / f"{name}-out.pcap") for name in network.ports}

    def against(self, network, frames, *options):
        """The same against the naive router; the order of each port's frames counts."""
        out, drops = {name: [] for name in network.ports}, collections.Counter()
        # Ports are read in turn, so the order between them is not known: one after another here.
        report, got = self.route(network, frames, *options)
        for name in network.ports:
            for one in frames.get(name, []):
                network.forward(name, one, out, drops)
        self.assertEqual(report.drops, dict(drops))
        for name in network.ports:
            self.same(got[name], out[name], name)
        return report

    def same(self, got, expected, name):
        got, expected = collections.Counter(got), collections.Counter(expected)
        for one in (got - expected):
            self.fail(f"{name} sent\n{Ether(one).show(dump=True)}\nbut should have sent such as\n"
                      + next((Ether(other).show(dump=True) for other in expected - got), "nothing"))
        for other in (expected - got):
            self.fail(f"{name} should have sent\n{Ether(other).show(dump=True)}")
