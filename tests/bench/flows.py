#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""flows.py COUNT CAPTURE [RULES]: writes a capture of 64 B UDP packets (60 B without FCS), one of each of
COUNT flows in random order, and the rules by which l3fwd's exact match sends the same flows to port 1.

The same count always gives the same files.
"""

import random
import struct
import sys

DESTINATION, DESTINATION_PORT = 0xC0A80101, 53
ETHERNET = bytes.fromhex("020000000002" "020000000001" "0800")
FCS, IP_HEADER = 4, 20


def checksum(header):
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def frame(source, port, destination=DESTINATION, size=64):
    """A UDP packet of so many bytes with FCS, which a capture has not."""
    length = size - FCS - len(ETHERNET) - IP_HEADER
    fields = (0x45, 0, IP_HEADER + length, 0, 0, 64, 17)
    header = struct.pack("!BBHHHBBHII", *fields, 0, source, destination)
    header = struct.pack("!BBHHHBBHII", *fields, checksum(header), source, destination)
    udp = struct.pack("!HHHH", port, DESTINATION_PORT, length, 0)
    return ETHERNET + header + udp + bytes(length - len(udp))


def write(path, frames):
    """A capture in the classic format."""
    with open(path, "wb") as capture:
        capture.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for data in frames:
            capture.write(struct.pack("=IIII", 0, 0, len(data), len(data)) + data)


def port_of(i):
    return 1024 + i % 60000


def main():
    count, capture = int(sys.argv[1]), sys.argv[2]
    rules = sys.argv[3] if len(sys.argv) > 3 else "/dev/null"
    order = list(range(count))
    random.Random(count).shuffle(order)
    write(capture, (frame(0x0A000000 + i, port_of(i)) for i in order))
    with open(rules, "w", encoding="ascii") as text:
        for i in order:
            source = f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}"
            text.write(f"R192.168.1.1 {source} {DESTINATION_PORT} {port_of(i)} 0x11 1\n")


if __name__ == "__main__":
    main()
