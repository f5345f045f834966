# SPDX-License-Identifier: BSD-3-Clause
"""What a firewall has to do with a frame, written down naively and apart from the program.

Headers are read with struct, rules are tried one after the other, flows are a set.
"""
import ipaddress
import struct
from collections import namedtuple

TAGS = (0x8100, 0x88A8, 0x9100, 0x9200, 0x9300)
MPLS = (0x8847, 0x8848)
PPPOE = 0x8864
IPV4, IPV6 = 0x0800, 0x86DD
# Those that may hold IP, and aren't looked into.
OPAQUE = {0x22F3, 0x4305, 0x6558, 0x6559, 0x876B, 0x880B, 0x8870, 0x8874, 0x8899, 0x88E5, 0x88E7, 0x8903,
          0x8909, 0x8926, 0x892F, 0x893F, 0x894F, 0xA0ED, 0xDADA, 0xF1C1, *range(0x1001, 0x1010)}
DEPTH = 8  # tags and labels
# Those that pass by default: ARP and link control. The last two are in LLC.
NON_IP = {0x0806, 0x88CC, 0x8809, 0x888E, 0x88F5, 0x88F6, 0x8902, 0x42, 0x100}
EXTENSIONS = (0, 43, 60)
FRAGMENT = 44
TCP, UDP, DCCP, SCTP, UDPLITE = 6, 17, 33, 132, 136
PORTS = (TCP, UDP, DCCP, SCTP, UDPLITE)
PORT_NAMES = ("in", "out")  # of the two ends of the wire
ICMP, ICMPV6 = 1, 58
QUERIES = {ICMP: {8: 0, 13: 14, 15: 16, 17: 18, 42: 43},
           ICMPV6: {128: 129, 139: 140, 144: 145, 146: 147, 160: 161}}  # and what answers them
NAMES = {"icmp": 1, "tcp": TCP, "udp": UDP, "icmp6": 58, "sctp": SCTP}



Piece = namedtuple("Piece", "datagram first end more")  # of a datagram; bytes [first, end)


class Packet(namedtuple("Packet", "vlan source destination protocol ports later reason piece type icmp answer "
                        "neighbour message step data length", defaults=(None,) * 16)):
    """`reason` is set for frames that no rule lets pass, `source` for IP alone, `ports` where there are
    any. `vlan`: what makes networks of their own of one. `later`: a fragment that isn't the first.
    `piece`: of fragments alone. `type`: of what isn't IP, that of Ethernet, or below 0x600 the DSAP of
    LLC. `icmp`: what is the same in a query and its answer, and in no other message. `message`: its type
    and code. `answer`: it begins nothing. `neighbour`: it passes without a rule, as ARP does. `step`: what it does to
    its connection: "open", "finish", "reset". `data`: it has more than headers. `length`: of the IP packet."""

    @property
    def flow(self):
        """Equal for all packets of a connection, in both directions: for the packets of its two ends."""
        if self.source is None:
            return None
        ports = self.ports or (0, 0)
        return (tuple(sorted([(int(self.source), ports[0]), (int(self.destination), ports[1])])),
                self.source.version, self.protocol, self.vlan, self.later, self.icmp)

    @property
    def first(self):
        """Which of the connection's directions this is."""
        ports = self.ports or (0, 0)
        return (self.source, ports[0]) <= (self.destination, ports[1])


class Dropped(Exception):
    """Under which name."""


class Malformed(Dropped):
    def __init__(self, what):
        super().__init__("malformed_" + what)


class NotIp(Exception):
    """Of which type."""


def parse(frame):
    """The Packet that a frame is."""
    try:
        kind, data, vlan = _link(frame)
        return _ipv4(data, vlan) if kind == IPV4 else _ipv6(data, vlan)
    except Dropped as why:
        return Packet(reason=str(why))
    except NotIp as what:
        return Packet(type=what.args[0])


def _link(frame):
    """The type of IP, what it says, and whose it is: VLANs or a session."""
    if len(frame) < 14:
        raise Malformed("ethernet")
    kind, data = int.from_bytes(frame[12:14], "big"), frame[14:]
    vlans, depth, more = [], 0, None
    while kind not in (IPV4, IPV6):
        if kind in TAGS:
            depth += 1
            if depth > DEPTH:
                raise Dropped("link_too_deep")
            if len(data) < 4:
                raise Malformed("vlan")
            tag, kind = struct.unpack_from("!HH", data)
            if tag & 0xFFF:
                vlans.append(tag & 0xFFF)
            if len(vlans) > 2:
                raise Dropped("link_too_deep")
            data = data[4:]
        elif kind in MPLS:
            kind, data, more = *_mpls(data, depth), "mpls"
        elif kind == PPPOE:
            kind, data, more = _pppoe(data)
            if len(vlans) > 1:
                raise Dropped("encapsulated_ip")
        elif kind < 0x600:
            kind, data = _llc(kind, data)
        elif kind in OPAQUE:
            raise Dropped("encapsulated_ip")
        else:
            raise NotIp(kind)
    return kind, data, (*vlans, more)


def _llc(length, data):
    if length > len(data) or (length > 2 and data[0] | 1 == 0xAB and length < 8):
        raise Malformed("encapsulation")
    if length < 3:
        raise NotIp(0)
    data = data[:length]
    if data[0] | 1 == 7:
        raise Dropped("encapsulated_ip")
    if data[0] | 1 != 0xAB:
        raise NotIp(data[0])
    if data[3:6] == b"\0\0\x0c":
        raise NotIp(0x100)
    if data[1] | 1 != 0xAB or data[2] != 3 or data[3:6] not in (b"\0\0\0", b"\0\0\xf8") or data[6] < 6:
        raise Dropped("encapsulated_ip")
    return int.from_bytes(data[6:8], "big"), data[8:]


def _pppoe(data):
    if len(data) < 6:
        raise Malformed("encapsulation")
    first, session, length = struct.unpack_from("!HHH", data)
    if not 1 <= length <= len(data) - 6:
        raise Malformed("encapsulation")
    if first != 0x1100:
        raise Dropped("encapsulated_ip")
    data = data[6:6 + length]
    size = 1 if data[0] & 1 else 2
    if len(data) < size:
        raise Malformed("encapsulation")
    protocol = int.from_bytes(data[:size], "big")
    if protocol >= 0x8000:
        raise NotIp(PPPOE)
    if protocol not in (0x21, 0x57):
        raise Dropped("encapsulated_ip")
    return IPV4 if protocol == 0x21 else IPV6, data[size:], ("session", session)


def _mpls(data, depth):
    bottom = False
    while not bottom:
        depth += 1
        if depth > DEPTH:
            raise Dropped("link_too_deep")
        if len(data) < 4:
            raise Malformed("encapsulation")
        bottom, data = data[2] & 1, data[4:]
    if not data:
        raise Malformed("encapsulation")
    if data[0] >> 4 not in (4, 6):
        raise Dropped("encapsulated_ip")
    return (IPV4 if data[0] >> 4 == 4 else IPV6), data


def _ipv4(data, vlan):
    if len(data) < 20:
        raise Malformed("ipv4")
    first, _, total, number, fragment, _, protocol = struct.unpack_from("!BBHHHBB", data)
    header = (first & 15) * 4
    if first >> 4 != 4 or header < 20 or not header <= total <= len(data):
        raise Malformed("ipv4")
    options = data[20:header]
    while options and options[0]:
        size = 1 if options[0] == 1 else options[1] if len(options) > 1 else 0
        if options[0] in (131, 137):
            raise Dropped("source_routed")
        if options[0] != 1 and not 2 <= size <= len(options):
            raise Malformed("ipv4")
        options = options[size:]
    ports, later = _transport(protocol, data[header:total], (fragment & 0x1FFF) * 8,
                              bool(fragment & 0x2000), header)
    piece = None
    if fragment & 0x3FFF:
        start = (fragment & 0x1FFF) * 8
        piece = Piece((data[12:20], protocol, number, vlan), start, start + total - header,
                      bool(fragment & 0x2000))
    return _step(_icmp(Packet(vlan, ipaddress.ip_address(data[12:16]), ipaddress.ip_address(data[16:20]),
                              protocol, ports, later, piece=piece, length=total), ICMP, data[header:total]), data[header:total])


def _ipv6(data, vlan):
    if len(data) < 40 or data[0] >> 4 != 6:
        raise Malformed("ipv6")
    length, kind = struct.unpack_from("!HB", data, 4)
    body = data[40:40 + length]
    if len(body) < length or (length == 0 and kind == 0):
        raise Malformed("ipv6")
    offset, more, walked, piece, pieces = 0, False, 0, None, 0
    while kind in EXTENSIONS or kind == FRAGMENT:
        walked += 1
        size = 8 if kind == FRAGMENT else (body[1] + 1) * 8 if len(body) >= 8 else 8
        if len(body) < size or walked > 8 or (kind == 0 and walked > 1):
            raise Malformed("ipv6_extension")
        if kind == 43 and body[3]:
            raise Dropped("source_routed")
        if kind == FRAGMENT:
            pieces += 1 + (body[0] == FRAGMENT)
            field, = struct.unpack_from("!H", body, 2)
            offset, more = field & 0xFFF8, bool(field & 1)
            if offset or more:
                piece = Piece((data[8:40], body[4:8], vlan), offset, offset + len(body) - 8, more)
            if offset + length - 8 > 65535:
                raise Malformed("fragment")
        kind, body = FRAGMENT if offset else body[0], body[size:]
        if offset:
            break
    ports, later = _transport(kind, body, offset, more, 0)
    if piece and pieces > 1:
        raise Dropped("fragment_nested")
    neighbour = (walked == 0 and kind == ICMPV6 and len(body) >= 24 and data[7] == 255
                 and body[:2] in (b"\x87\0", b"\x88\0"))
    return _step(_icmp(Packet(vlan, ipaddress.ip_address(data[8:24]), ipaddress.ip_address(data[24:40]), kind,
                              ports, later, piece=piece, neighbour=neighbour, length=40 + length), ICMPV6, body), body)


def _icmp(packet, protocol, data):
    if packet.protocol != protocol or packet.later:
        return packet
    kind, code = (data[0], data[1]) if len(data) >= 8 else (None, None)
    packet = packet._replace(message=(kind, code))
    for query, answer in QUERIES[protocol].items():
        if kind == query and code == 0:
            return packet._replace(icmp=(query, data[4:6], packet.source))
        if kind == answer:
            return packet._replace(icmp=(query, data[4:6], packet.destination), answer=True)
    return packet._replace(icmp=("alone", kind, code, packet.source))


def _step(packet, data):
    if packet.later or packet.protocol not in (TCP, SCTP):
        return packet
    if packet.protocol == SCTP:
        chunk = data[12] if len(data) >= 16 else None
        return packet._replace(step={1: "open", 6: "reset", 14: "reset"}.get(chunk), data=True,
                               answer=chunk == 2 or None)
    flags, data = data[13], packet.piece is not None or len(data) > (data[12] >> 4) * 4
    packet = packet._replace(data=data)
    if flags & 4:
        return packet._replace(step="reset")
    if flags & 2:
        return packet._replace(answer=True) if flags & 16 else packet._replace(step="open")
    return packet._replace(step="finish" if flags & 1 else None)


def _transport(protocol, data, offset, more, before):
    """(ports or None, whether it is a later fragment). `before`: bytes of headers ahead of it."""
    if offset:
        if before + offset + len(data) > 65535 or (protocol == TCP and offset == 8):
            raise Malformed("fragment")
        return None, True
    if protocol == 50 and len(data) < 8:
        raise Malformed("transport")
    if protocol not in PORTS:
        return None, False
    fixed = {TCP: 20, UDP: 8, UDPLITE: 8, SCTP: 12, DCCP: 12}[protocol]
    if len(data) < fixed:
        raise Malformed("fragment" if more and protocol == TCP else "transport")
    if protocol == TCP:
        size = (data[12] >> 4) * 4
        good = 20 <= size and (more or size <= len(data))
    elif protocol == DCCP:
        good = (16 if data[8] & 1 else 12) <= data[4] * 4 and (more or data[4] * 4 <= len(data))
    elif protocol in (UDP, UDPLITE):
        claimed, = struct.unpack_from("!H", data, 4)
        good = (8 <= claimed and (more or claimed <= len(data))
                if protocol == UDP else claimed == 0 or 8 <= claimed and (more or claimed <= len(data)))
    else:
        good = True
    if not good:
        raise Malformed("transport")
    return struct.unpack_from("!HH", data), False


class Datagram:
    def __init__(self):
        self.covered, self.end, self.first, self.waiting = set(), None, None, []


def sort_out(frames):
    """(frame, Packet) in the order in which they go on: later fragments behind their first and with
    its ports, or with a reason."""
    datagrams, result = {}, []
    for frame in frames:
        packet = parse(frame)
        piece = packet.piece
        if piece is None:
            result.append((frame, packet))
            continue
        datagram = datagrams.setdefault(piece.datagram, Datagram())
        new = set(range(piece.first, piece.end))
        if new & datagram.covered or (datagram.end is not None and piece.end > datagram.end):
            result.append((frame, packet._replace(reason="fragment_overlap")))
            continue
        datagram.covered |= new
        if not piece.more:
            datagram.end = piece.end
        if piece.first == 0:
            datagram.first = packet
        datagram.waiting.append((frame, packet))
        if datagram.first is None:
            continue
        datagram.waiting.sort(key=lambda waits: waits[1].later)
        result += [(one, datagram.first._replace(step=None, data=True, answer=None) if waits.later else datagram.first)
                   for one, waits in datagram.waiting]
        datagram.waiting = []
        if datagram.end is not None and len(datagram.covered) == datagram.end:
            del datagrams[piece.datagram]
    for datagram in datagrams.values():
        result += [(frame, packet._replace(reason="fragment_no_first"))
                   for frame, packet in datagram.waiting]
    return result


def in_order(frames):
    """The same in the order in which they came."""
    places, result = {}, [None] * len(frames)
    for place, frame in enumerate(frames):
        places.setdefault(frame, []).append(place)
    for frame, packet in sort_out(frames):
        result[places[frame].pop(0)] = (frame, packet)
    return result


def by_flow(frames):
    """Frames sorted by direction of their flow, those of each in the order in which they were."""
    def key(frame):
        packet = parse(frame)
        return repr((packet.flow, packet.source and packet.first))
    return sorted(frames, key=key)


class Rule:
    """One line of a rule file: ACTION PROTOCOL from ADDRESS [port P[-Q]] to ADDRESS [port P[-Q]]
    [in PORT[,PORT...]] [type TYPE[/CODE][,...]], types in numbers."""

    def __init__(self, line):
        words = line.split("#")[0].split()
        self.allow = words.pop(0) == "allow"
        protocol = words.pop(0)
        self.protocol = None if protocol == "any" else NAMES.get(protocol) or int(protocol)
        self.ends = []
        for expected in ("from", "to"):
            assert words.pop(0) == expected, line
            address = words.pop(0)
            network = None if address == "any" else ipaddress.ip_network(address)
            ports = None
            if words and words[0] == "port":
                words.pop(0)
                low, _, high = words.pop(0).partition("-")
                ports = range(int(low), int(high or low) + 1)
            self.ends.append((network, ports))
        self.inputs = self.types = None
        if words and words[0] == "in":
            words.pop(0)
            self.inputs = words.pop(0).split(",")
        if words and words[0] == "type":
            words.pop(0)
            self.types = [tuple(map(int, kind.split("/"))) for kind in words.pop(0).split(",")]
        assert not words, line

    def matches(self, packet, port=None):
        if self.inputs is not None and port not in self.inputs:
            return False
        if self.protocol not in (None, packet.protocol):
            return False
        if self.types is not None and not any(packet.message and kind == packet.message[:len(kind)]
                                              for kind in self.types):
            return False
        families = {network.version for network, _ in self.ends if network}
        if families and packet.source.version not in families:
            return False
        for end, address in enumerate((packet.source, packet.destination)):
            network, ports = self.ends[end]
            if network and address not in network:
                return False
            if ports and (packet.ports is None or packet.ports[end] not in ports):
                return False
        return True


class Connection:
    """Two ends, and what has passed between them. Times are not looked at: all of it comes at once."""

    def __init__(self, pickup=True):
        self.state, self.pickup = None, pickup
        self.sent, self.finished, self.data = set(), set(), False

    def takes(self, packet, allowed):
        """Whether a packet passes that rules allow for itself, or not."""
        if self.state is None:
            return allowed and self.begins(packet)
        if packet.step == "open" and self.state != "opening" and not allowed:
            return False
        if packet.step == "open" and self.state == "closing":
            self.state, self.sent, self.finished = "opening", set(), set()
        self.goes_on(packet)
        return True

    def begins(self, packet):
        if packet.protocol == TCP and packet.step != "open" and not self.pickup:
            return False
        if not packet.answer and packet.step != "reset":
            self.state = "opening" if packet.step == "open" else "established"
            self.goes_on(packet)
        return True

    def goes_on(self, packet):
        plain = packet.step is None and not packet.answer
        if self.state == "opening":
            self.sent.add(packet.first)
            if len(self.sent) == 2 and (plain or packet.step == "finish"):
                self.state = "established"
        if self.state == "closing" and plain:
            self.sent.add(packet.first)
            self.data |= packet.data
            if len(self.sent) == 2 and self.data:
                self.state, self.finished = "established", set()
        elif self.state == "established" and packet.step == "finish":
            self.finished.add(packet.first)
        if self.state in ("opening", "established") and (packet.step == "reset" or len(self.finished) == 2):
            self.state, self.sent, self.data = "closing", set(), packet.step == "reset"


class Firewall:
    """First match wins; an allowed packet allows its replies, which come by the wire's other end, or
    out of the one capture that is all there is of a wire."""

    def __init__(self, rules, default_allow=False, pickup=True):
        self.rules = [Rule(line) for line in rules.splitlines() if line.split("#")[0].strip()]
        self.default_allow, self.pickup = default_allow, pickup

    def allows(self, packet, port="in"):
        """Whether a packet that came in by a port passes for itself."""
        if packet.source is None:
            return packet.reason is None and packet.type in NON_IP
        if packet.neighbour:
            return True
        return packet.reason is None and (next(
            (rule.allow for rule in self.rules if rule.matches(packet, port)), self.default_allow))

    def passing(self, frames):
        """Those that pass of one capture of a wire, which has both directions, one after the other."""
        connections, passing = {}, []
        for frame, packet in in_order(frames):
            if packet.source is None or packet.reason:
                if self.allows(packet):
                    passing.append(frame)
                continue
            connection = connections.setdefault(packet.flow, Connection(self.pickup))
            if connection.takes(packet, self.allows(packet)):
                passing.append(frame)
        return passing

    def counts(self, frames):
        """Of each rule, and of the default as the last: packets, bytes and connections that it decided about, in
        one capture of a wire. What comes in the clear alone."""
        counts = [[0, 0, 0] for _ in range(len(self.rules) + 1)]
        connections, decided = {}, {}
        for _, packet in in_order(frames):
            if packet.source is None or packet.reason or packet.neighbour:
                continue
            own = next((place for place, rule in enumerate(self.rules) if rule.matches(packet, "in")), len(self.rules))
            connection = connections.setdefault(packet.flow, Connection(self.pickup))
            by = decided.setdefault(packet.flow, {})
            asks = packet.first not in by or (packet.step == "open" and connection.state not in (None, "opening"))
            allowed = self.rules[own].allow if own < len(self.rules) else self.default_allow
            stood = connection.state is not None
            connection.takes(packet, allowed)
            before = by.get(packet.first)
            if connection.state is not None and asks and allowed:
                by[packet.first] = own
                if not stood:
                    by[not packet.first] = own
            elif not stood and not allowed:
                by[packet.first] = own
            counts[own if before is None else before][0] += 1
            counts[own if before is None else before][1] += packet.length
            if by.get(packet.first) != before:
                counts[own][2] += 1
        return counts

    def fates(self, ends):
        """What becomes of the frames that come in by the two ends of a wire: for each end a list of
        "passes", "denied" and "either". That is one which passes if the packet that it is a reply
        to came first, which nobody knows of two captures."""
        packets = [[packet for _, packet in in_order(frames)] for frames in ends]
        opened = [{(packet.flow, packet.first, packet.step == "open") for packet in end
                   if packet.source and not packet.answer and packet.step != "reset" and self.allows(packet, port)}
                  for port, end in zip(PORT_NAMES, packets)]

        def fate(packet, end):
            if self.allows(packet, PORT_NAMES[end]):
                return "passes"
            ways = (True,) if packet.step == "open" else (True, False)
            return "either" if packet.source and any((packet.flow, not packet.first, way) in opened[1 - end]
                                                     for way in ways) else "denied"
        return [[fate(packet, end) for packet in packets[end]] for end in (0, 1)]
