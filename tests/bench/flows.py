# SPDX-License-Identifier: BSD-3-Clause
"""Captures of UDP packets, one of each of so many flows in random order, and the rules by which l3fwd's exact
match sends the same flows to port 1.

The same arguments always give the same files. Sizes are of frames with their FCS, which a capture has not.
"""

import itertools
import random
import struct

DESTINATION, DESTINATION_PORT = 0xC0A80101, 53
MACS = bytes.fromhex("020000000002" "020000000001")
FCS, ETHERNET, TAG, IP4_HEADER, IP6_HEADER, UDP_HEADER = 4, 14, 4, 20, 40, 8
# Seven small packets, four of middle size and one large, as generators have it.
IMIX = [64] * 7 + [570] * 4 + [1518]


def checksum(data):
    """RFC 1071; of an even number of bytes."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def ip4(source, destination, length):
    fields = (0x45, 0, IP4_HEADER + length, 0, 0, 64, 17)
    header = struct.pack("!BBHHHBBHII", *fields, 0, source, destination)
    return struct.pack("!BBHHHBBHII", *fields, checksum(header), source, destination)


def ip6(source, destination, length):
    """Of 2001:db8::/32, with the other family's addresses at their ends."""
    ends = (bytes.fromhex("20010db8") + bytes(8) + struct.pack("!I", end) for end in (source, destination))
    return struct.pack("!IHBB", 6 << 28, length, 17, 64) + b"".join(ends)


def frame(source, port, destination=DESTINATION, size=64, family=4, vlan=None):
    """A UDP packet."""
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    length = size - FCS - ETHERNET - len(tag) - (IP4_HEADER if family == 4 else IP6_HEADER)
    ether = MACS + tag + struct.pack("!H", 0x0800 if family == 4 else 0x86DD)
    ip = (ip4 if family == 4 else ip6)(source, destination, length)
    ports = struct.pack("!HHH", port, DESTINATION_PORT, length)
    payload = bytes(length - UDP_HEADER)
    udp = 0  # no checksum, which only IPv4 allows
    if family == 6:
        pseudo = ip[8:40] + struct.pack("!IHBB", length, 0, 0, 17)
        covered = pseudo + ports + bytes(2) + payload
        udp = checksum(covered + bytes(len(covered) % 2)) or 0xFFFF
    return ether + ip + ports + struct.pack("!H", udp) + payload


def write(path, frames):
    """A capture in the classic format."""
    with open(path, "wb") as capture:
        capture.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for data in frames:
            capture.write(struct.pack("=IIII", 0, 0, len(data), len(data)) + data)


def port_of(i):
    return 1024 + i % 60000


def shuffled(count):
    order = list(range(count))
    random.Random(count).shuffle(order)
    return order


def capture(folder, count, size=64, family=4, vlan=None):
    """A capture of so many flows."""
    path = folder / f"flows-{count}-{size}-{family}-{vlan or 0}.pcap"
    if not path.exists():
        sizes = itertools.cycle(IMIX if size == "imix" else [size])
        write(path, (frame(0x0A000000 + i, port_of(i), DESTINATION, next(sizes), family, vlan)
                     for i in shuffled(count)))
    return path


def files(folder, count):
    """The plainest capture of so many flows, and l3fwd's rules for it."""
    rules = folder / f"{count}.em"
    if not rules.exists():
        with open(rules, "w", encoding="ascii") as text:
            for i in shuffled(count):
                source = f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}"
                text.write(f"R192.168.1.1 {source} {DESTINATION_PORT} {port_of(i)} 0x11 1\n")
    return capture(folder, count), rules
