# SPDX-License-Identifier: BSD-3-Clause
"""What belongs to a connection, and what a packet may do because of one."""
import ipaddress
import itertools
import os
import random
import struct

import capture
import oracle
from harness import CPUS, READ, TestCase, main, spillway

A, B = CPUS[0], CPUS[-1]
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


class Capturing(TestCase):
    def passing(self, rules, *steps, options=("--fast", A)):
        """Which of the frames pass, by their place. What comes in by a wire's one capture has both
        directions, so that it is sure which comes first."""
        file, out = self.folder / "in.pcap", self.folder / "out.pcap"
        # Each is another frame: the bytes behind the packet are its place.
        frames = [frame + struct.pack("!H", place) for place, frame in enumerate(steps)]
        capture.write(file, frames)
        report = self.check(spillway(
            "--port", f"in=net_pcap0,rx_pcap={file}", "--port", f"out=net_pcap1,tx_pcap={out}",
            "--wire", "in:out", "--rules", self.file("rules", rules),
            "--exit-on-idle", READ, *options))
        places = [struct.unpack("!H", frame[-2:])[0] for frame in capture.read(out)]
        if options == ("--fast", A):
            self.assertEqual(places, sorted(places), "the order")
        return places, report.drops


class Captures(Capturing):
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

    def test_types(self):
        """A rule for types lets no other in, and its ports are none; pings by name, of both families."""
        for lan, wan, name, echo, reply in (LAN, WAN, "icmp", 8, 0), (LAN6, WAN6, "icmp6", 128, 129):
            unreachable = 3 if name == "icmp" else 1
            rules = (f"allow any from {lan} to any port 2048,32768\n"  # as numbers what echo requests are
                     f"deny {name} from {lan} to {wan} type echo-request/1\n"
                     f"allow {name} from {lan} to {wan} type echo-request,{unreachable}/1 in in\n"
                     f"allow {name} from {wan} to any type echo-reply\n")
            later = query(lan, "192.0.2.1" if name == "icmp" else "2001:db8:9::1", echo, 3)
            self.assertEqual(self.passing(
                rules,
                query(lan, wan, echo, 7),             # passes
                query(wan, lan, reply, 7),            # passes
                query(wan, lan, echo, 8),
                query(lan, wan, echo, 9, code=1),
                later,                                # to elsewhere
                icmp(lan, wan, unreachable, 1),       # passes
                icmp(lan, wan, unreachable, 2),
                icmp(lan, wan, 13, 0),
                query(wan, lan, reply, 99),           # passes: an answer to nothing, which a rule names
                ip(lan, wan, 1 if name == "icmp" else 58, bytes(4))),  # too short to be anything
                ([0, 1, 5, 8], {"denied": 6}))

    def test_errors(self):
        """About a connection they pass from the right side, to whom they are about; whatever the
        rules say of ICMP."""
        for lan, wan, router, code in ((LAN, WAN, ROUTER, (3, 4)), (LAN6, WAN6, ROUTER6, (2, 0))):
            def about(packet, source=router, target=lan, kind=code, length=None):
                return icmp(source, target, *kind, payload=packet[14:][:length])
            def udp(source, target, *ports):
                return ip(source, target, 17, struct.pack("!HHHH", *ports, 8, 0))
            within = "fd09::9" if ":" in lan else "10.9.9.9"
            out = udp(lan, wan, 1000, 53)
            head = 40 if ":" in lan else 20
            ping = query(lan, wan, 128 if ":" in lan else 8, 5)
            unreachable, exceeded = ((1, 4), (3, 0)) if ":" in lan else ((3, 3), (11, 0))
            other = udp(lan, wan, 1001, 53)
            options = out[:14 + 40] if ":" in lan else out
            if ":" in lan:  # an extension header before the ports
                options = (out[:14 + 6] + b"\x3c" + out[14 + 7:14 + 40] + b"\x11\0" + bytes(6)
                           + out[14 + 40:])
            frames = [
                (out, True), (about(out), True), (about(out, kind=unreachable, source=wan), True),
                (about(out, kind=exceeded, length=head + 8), True), (about(options), True),
                (about(out, length=head + 7), False), (about(out, length=head - 1), False),
                (about(b""), False),
                (about(other), False),                              # about no connection
                (about(out, target="fd00::2" if ":" in lan else "10.0.0.2"), False),
                (about(udp(wan, lan, 53, 1000), target=wan, source=within), False),  # not said yet
                (about(out, kind=(137, 0) if ":" in lan else (5, 1)), False),
                (ping, True), (about(ping), True),
                (about(query(lan, wan, 128 if ":" in lan else 8, 6)), False),
                (udp(wan, lan, 53, 1000), True),                    # no error has opened anything
                (about(udp(wan, lan, 53, 1000), target=wan, source=within), True),
                (udp(wan, lan, 53, 1001), False)]
            passing, drops = self.passing(
                f"allow udp from {lan} to any\n"
                f"allow {'icmp6' if ':' in lan else 'icmp'} from {lan} to {wan}\n",
                *(frame for frame, _ in frames))
            self.assertEqual(passing, [at for at, (_, passes) in enumerate(frames) if passes])
            self.assertEqual(drops, {"denied": len(frames) - len(passing)})

    def test_errors_on_many_lcores(self):
        """They find the lcore of their connection."""
        frames = []
        for number in range(1, 300):
            for lan, wan, router, code in ((LAN, WAN, ROUTER, (3, 4)), (LAN6, WAN6, ROUTER6, (2, 0))):
                out = ip(lan, wan, 17, struct.pack("!HHHH", number, 53, 8, 0))
                frames += [out, icmp(router, lan, *code, payload=out[14:])]
        for options in ("--fast", f"{A},{B}"), ("--rx", A, "--fast", f"{A},{B}", "--tx", B):
            passing, drops = self.passing("allow udp from any to any port 53\n", *frames, options=options)
            self.assertEqual((sorted(passing), drops), (list(range(len(frames))), {}))

    def test_neighbours(self):
        """IPv6 hosts find each other without a rule, on their link; routers need one."""
        def nd(kind, hops=255, code=0, size=20, before=b""):
            body = struct.pack("!BBH", kind, code, 0) + bytes(size)
            return ip("fe80::1", "ff02::1:ff00:5", 60 if before else 58, before + body, hops)
        frames = [(nd(135), True), (nd(136), True), (nd(135, 254), False), (nd(136, 64), False),
                  (nd(135, code=1), False), (nd(135, size=19), False), (nd(134), False),
                  (nd(137, size=36), False), (nd(135, before=bytes((58, 0, 1, 4, 0, 0, 0, 0))), False)]
        passing, drops = self.passing("deny any from any to any\n", *(frame for frame, _ in frames))
        self.assertEqual(passing, [at for at, (_, passes) in enumerate(frames) if passes])
        self.assertEqual(drops, {"denied": len(frames) - 2})
        self.assertEqual(self.passing("", *(frame for frame, _ in frames),
                                      options=("--fast", A, "--non-ip", "arp"))[0], [])


def tcp(source, target, ports, flags, payload=b""):
    return ip(source, target, 6, struct.pack("!HHIIBBHHH", *ports, 1, 1, 0x50, flags, 1024, 0, 0) + payload)


FIN, SYN, RST, ACK = 1, 2, 4, 16


class Tcp(Capturing):
    """What opens a connection and what ends it."""

    def talk(self, *packets, rules=f"allow tcp from {LAN} to any\n", options=("--fast", A)):
        """Which pass of packets as "c:SYN" and "s:ACK+", where + is data."""
        frames = []
        for packet in packets:
            side, _, what = packet.partition(":")
            flags = sum(globals()[name] for name in what.rstrip("+").split("|"))
            ends = (LAN, WAN, (1000, 80)) if side == "c" else (WAN, LAN, (80, 1000))
            frames.append(tcp(*ends, flags, b"data" if "+" in what else b""))
        passing, drops = self.passing(rules, *frames, options=options)
        return [packets[place] for place in range(len(packets)) if place not in passing], drops

    def test_after_the_end(self):
        """A SYN from the side that serves asks the rules; nothing opens anything."""
        hands = ("c:SYN", "s:SYN|ACK", "c:ACK")
        for end in ("c:RST",), ("s:RST",), ("c:FIN|ACK", "s:FIN|ACK", "c:ACK"), ("s:FIN|ACK", "c:FIN|ACK", "s:ACK"):
            self.assertEqual(self.talk(*hands, *end, "s:SYN", "s:SYN|ACK", "s:ACK+", "s:SYN", "c:SYN", "s:SYN|ACK"),
                             (["s:SYN", "s:SYN"], {"denied": 2}))
        self.assertEqual(self.talk(*hands, "c:RST", "s:SYN", "c:SYN|ACK", "s:ACK", rules="allow tcp from any to any\n"),
                         ([], {}))

    def test_refused_and_again(self):
        self.assertEqual(self.talk("c:SYN", "s:RST|ACK", "s:SYN", "c:SYN", "s:SYN|ACK", "c:ACK", "s:SYN"),
                         (["s:SYN", "s:SYN"], {"denied": 2}))

    def test_simultaneous_open(self):
        self.assertEqual(self.talk("c:SYN", "s:SYN", "c:SYN|ACK", "s:SYN|ACK", "c:ACK+", "s:ACK+", "s:SYN"),
                         (["s:SYN"], {"denied": 1}))

    def test_nothing_begun(self):
        """Neither SYN+ACK nor RST begin anything, but where a rule allows them for themselves."""
        self.assertEqual(self.talk("s:SYN|ACK", "s:RST", "s:ACK+", "s:FIN|ACK", "c:SYN|ACK", "s:ACK+", "c:RST", "s:ACK"),
                         (["s:SYN|ACK", "s:RST", "s:ACK+", "s:FIN|ACK", "s:ACK+", "s:ACK"], {"denied": 6}))

    def test_pickup(self):
        self.assertEqual(self.talk("s:ACK+", "c:ACK+", "s:ACK+", "s:SYN"), (["s:ACK+", "s:SYN"], {"denied": 2}))
        self.assertEqual(
            self.talk("c:ACK+", "c:FIN|ACK", "c:RST", "c:SYN|ACK", "s:ACK", "c:SYN", "s:SYN|ACK", "c:ACK+",
                      options=("--fast", A, "--tcp-pickup", "no")),
            (["c:ACK+", "c:FIN|ACK", "c:RST", "c:SYN|ACK", "s:ACK"], {"tcp_no_connection": 4, "denied": 1}))

    def test_sctp(self):
        """INIT opens, whatever opens; after ABORT the server's asks the rules."""
        def chunk(kind, server=False, path=0):
            lan = f"10.0.{path}.1"
            ends = (WAN, lan, 80, 1000) if server else (lan, WAN, 1000, 80)
            return ip(*ends[:2], 132, struct.pack("!HHIIBBH", *ends[2:], 1, 0, kind, 0, 4))
        frames = [(chunk(2, True), False), (chunk(1), True), (chunk(2, True), True), (chunk(10), True),
                  (chunk(11, True), True), (chunk(1, True), False), (chunk(4, True, 1), False), (chunk(4, False, 1), True),
                  (chunk(5, True, 1), True), (chunk(6), True), (chunk(1, True), False), (chunk(1), True)]
        passing, drops = self.passing("allow sctp from 10.0.0.0/8 to any\n", *(frame for frame, _ in frames))
        self.assertEqual(passing, [at for at, (_, passes) in enumerate(frames) if passes])
        self.assertEqual(drops, {"denied": len(frames) - len(passing)})


class RandomTcp(Capturing):
    """Connections by chance, in which packets are lost, come twice and in another order, and strangers
    write some, against the oracle."""

    SHAPES = (("--fast", A), ("--fast", A, "--pool", B, "--dispatch", "classify=pool"),
              ("--rx", A, "--fast", f"{A},{B}", "--tx", B))

    def conversation(self, dice, client, server):
        """Packets as (whether of the client, flags, payload)."""
        data = [(dice.random() < 0.5, ACK, b"x" * dice.choice((0, 5))) for _ in range(dice.randrange(6))]
        first, second = dice.choice(((True, False), (False, True)))
        ends = dice.choice(([(first, FIN | ACK, b""), (second, FIN | ACK, b""), (first, ACK, b"")], [(first, RST, b"")],
                            [(first, FIN | ACK, b""), (second, ACK, b"more"), (second, RST, b"")], []))
        opening = dice.choice(([(True, SYN, b""), (False, SYN | ACK, b""), (True, ACK, b"")],
                               [(True, SYN, b""), (False, RST | ACK, b"")], [],
                               [(True, SYN, b""), (False, SYN, b""), (True, SYN | ACK, b""), (False, SYN | ACK, b"")]))
        packets = []
        for packet in opening + data + ends:
            if dice.random() < 0.1:
                continue
            packets += [packet] * (1 + (dice.random() < 0.1))
            if dice.random() < 0.1:
                packets.append((dice.random() < 0.5, dice.choice((SYN, SYN | ACK, RST, FIN | ACK, ACK)), b""))
        for place in range(len(packets) - 1):
            if dice.random() < 0.1:
                packets[place:place + 2] = reversed(packets[place:place + 2])
        return [tcp(*((*client[:1], *server[:1], (client[1], server[1])) if of_client
                      else (*server[:1], *client[:1], (server[1], client[1]))), flags, payload)
                for of_client, flags, payload in packets]

    def test_against_the_oracle(self):
        seed = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"SEED={seed}", flush=True)
        dice = random.Random(seed)
        rules = f"allow tcp from {LAN} to any\nallow tcp from {LAN6} to any\nallow tcp from any to any port 443\n"
        for shape in self.SHAPES:
            pickup = dice.random() < 0.7
            lines = []
            for number in range(60):
                lan, wan = dice.choice(((LAN, WAN), (LAN6, WAN6)))
                ends = ((lan, 1000 + number), (wan, dice.choice((80, 443))))
                # Several after each other, which either side may open, by the same ports.
                lines.append([frame for _ in range(dice.randrange(1, 5)) for frame in
                              self.conversation(dice, *(ends if dice.random() < 0.8 else ends[::-1]))])
            frames = []
            while any(lines):
                line = dice.choice([line for line in lines if line])
                frames.append(line.pop(0))
            places, drops = self.passing(rules, *frames, options=(*shape, "--tcp-pickup", "yes" if pickup else "no"))
            placed = [frame + struct.pack("!H", place) for place, frame in enumerate(frames)]
            expected = {struct.unpack("!H", frame[-2:])[0]
                        for frame in oracle.Firewall(rules, pickup=pickup).passing(placed)}
            wrong = sorted(expected ^ set(places))
            self.assertEqual(wrong, [], f"seed {seed}, {shape}, pickup {pickup}")
            self.assertEqual(sum(drops.values()), len(frames) - len(places))


class Segments(TestCase):
    """`mss`: what the ends of a connection announce."""

    @staticmethod
    def segment(source, target, ports, flags, options):
        """A TCP segment with a true checksum."""
        ends = b"".join(ipaddress.ip_address(end).packed for end in (source, target))
        options += bytes(-len(options) % 4)
        def header(checksum):
            return struct.pack("!HHIIBBHHH", *ports, 7, 9, (20 + len(options)) // 4 << 4, flags, 1000, checksum,
                               0) + options
        text = ends + struct.pack("!HH", 6, len(header(0))) + header(0)
        total = sum(struct.unpack(f"!{len(text) // 2}H", text))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        return ip(source, target, 6, header(total ^ 0xFFFF))

    def test_sizes(self):
        """Larger ones become N, in both directions and in no other packet; the checksum is right."""
        SYN, ACK, BOTH = 2, 16, 18
        options = {  # those of a SYN, with the size in its place
            b"\2\4%s": True, b"\1\2\4%s": True, b"\1\1\1\2\4%s\1": True, b"\4\2\2\4%s\3\3\7": True,
            b"\0\2\4%s": False, b"\2\3%s": False, b"\3\0\2\4%s": False, b"\1\2\6%s\1\1": False, b"\2\xff%s": False}
        for lan, wan, auto in ((LAN, WAN, 1460), (LAN6, WAN6, 1440)):
            for rule, most in ("1360", 1360), ("auto", auto), ("65535", 65535):
                sent, expected = [], []
                for port, ((text, told), size) in enumerate(
                        itertools.product(options.items(), (0, 500, 1359, 1360, 1361, 1500, 65535)), 1000):
                    is_ = min(size, most) if told else size
                    there, back = (lan, wan, (port, 80)), (wan, lan, (80, port))
                    for ends, flags in ((there, SYN), (back, BOTH), (there, ACK), (back, ACK),
                                        (there, SYN), (back, BOTH)):  # it began anew, or they come again
                        sent.append(self.segment(*ends, flags, text % struct.pack("!H", size)))
                        expected.append(self.segment(*ends, flags, text % struct.pack(
                            "!H", size if flags == ACK else is_)))
                file, out = capture.write(self.folder / "in.pcap", sent), self.folder / "out.pcap"
                self.check(spillway(
                    "--port", f"in=net_pcap0,rx_pcap={file}", "--port", f"out=net_pcap1,tx_pcap={out}",
                    "--mtu", "in:1500", "--wire", "in:out", "--fast", A, "--exit-on-idle", READ, "--rules",
                    self.file("rules", f"allow tcp from {lan} to any port 80 mss {rule}\n")))
                for place, (got, right) in enumerate(zip(capture.read(out), expected, strict=True)):
                    self.assertEqual(got, right, f"{place}: {sent[place].hex()}")


if __name__ == "__main__":
    main()
