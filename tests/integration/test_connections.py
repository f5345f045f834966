# SPDX-License-Identifier: BSD-3-Clause
"""What belongs to a connection, and what a packet may do because of one."""
import ipaddress
import struct

import capture
from harness import CPUS, TestCase, main, spillway

A = CPUS[0]
LAN, WAN, ROUTER = "10.0.0.1", "203.0.113.5", "198.51.100.9"
LAN6, WAN6, ROUTER6 = "fd00::1", "2001:db8::5", "2001:db8:1::9"


def ip(source, target, protocol, payload, hops=64):
    """A frame with an IP packet of either family."""
    ends = [ipaddress.ip_address(end) for end in (source, target)]
    addresses = b"".join(end.packed for end in ends)
    if ends[0].version == 6:
        return bytes(12) + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(payload), protocol, hops) \
            + addresses + payload
    return bytes(12) + b"\x08\x00" + struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, hops,
                                                 protocol, 0) + addresses + payload


def icmp(source, target, kind, code=0, rest=bytes(4), payload=b""):
    protocol = 58 if ":" in source else 1
    return ip(source, target, protocol, struct.pack("!BBH", kind, code, 0) + rest + payload)


def query(source, target, kind, identifier, code=0):
    return icmp(source, target, kind, code, struct.pack("!HH", identifier, 1))


class Captures(TestCase):
    def passing(self, rules, *steps, options=()):
        """Which of the frames pass, by their place. What comes in by a wire's one capture has both
        directions, so that it is sure which comes first."""
        file, out = self.folder / "in.pcap", self.folder / "out.pcap"
        # Each is another frame: the bytes behind the packet are its place.
        frames = [frame + struct.pack("!H", place) for place, frame in enumerate(steps)]
        capture.write(file, frames)
        report = self.check(spillway(
            "--port", f"in=net_pcap0,rx_pcap={file}", "--port", f"out=net_pcap1,tx_pcap={out}",
            "--wire", "in:out", "--rules", self.file("rules", rules), "--fast", A,
            "--exit-on-idle", "200ms", *options))
        places = [struct.unpack("!H", frame[-2:])[0] for frame in capture.read(out)]
        self.assertEqual(places, sorted(places), "the order")
        return places, report.drops

    def test_queries(self):
        """A ping out opens nothing but its answers in."""
        for lan, wan, echo, reply, other in (LAN, WAN, 8, 0, 14), (LAN6, WAN6, 128, 129, 140):
            rules = f"allow {'icmp6' if ':' in lan else 'icmp'} from {lan} to any\n"
            self.assertEqual(self.passing(
                rules,
                query(lan, wan, echo, 7),        # passes
                query(wan, lan, reply, 7),       # passes
                query(wan, lan, reply, 8),       # another identifier
                query(wan, lan, other, 7),       # an answer to something else
                query(wan, lan, echo, 7),        # a ping in
                query(wan, lan, echo, 9),
                icmp(wan, lan, 5, 1, bytes(4), ip(lan, wan, 6, bytes(20))[14:]),  # a redirect
                query(lan, wan, reply, 9),       # passes by the rule, and opens nothing
                query(wan, lan, echo, 9),
                icmp(lan, wan, 5, 1),            # likewise
                icmp(wan, lan, 5, 1),
                query(wan, lan, reply, 7)),      # passes
                ([0, 1, 7, 9, 11], {"denied": 7}))


if __name__ == "__main__":
    main()
