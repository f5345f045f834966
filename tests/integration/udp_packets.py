# SPDX-License-Identifier: BSD-3-Clause
"""Packets of any size with UDP inside, byte by byte."""
import socket
import struct


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp4(length, df, number=0, ends=("10.9.0.1", "10.9.0.2")):
    """An IPv4 packet of so many bytes with UDP inside."""
    addresses = b"".join(socket.inet_aton(end) for end in ends)
    header = struct.pack("!BBHHHBBH", 0x45, 0, length, number, 0x4000 if df else 0, 64, 17, 0)
    header = header[:10] + struct.pack("!H", checksum(header + addresses)) + addresses
    return (header + struct.pack("!HHHH", 5000, 7000, length - 20, 0)
            + bytes(n % 251 for n in range(length - 28)))


def udp6(length, destination="fd09::2"):
    return (struct.pack("!IHBB", 6 << 28, length - 40, 17, 64)
            + socket.inet_pton(socket.AF_INET6, "fd09::1")
            + socket.inet_pton(socket.AF_INET6, destination)
            + struct.pack("!HHHH", 5000, 7000, length - 40, 0) + bytes(length - 48))


def frame(packet, tags=b""):
    kind = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
    return b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01" + tags + kind + packet
