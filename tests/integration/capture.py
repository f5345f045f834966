# SPDX-License-Identifier: BSD-3-Clause
"""Reads and writes pcap files: frames as bytes, nothing between the file and the test."""
import gzip
import struct

ETHERNET = 1


def read(path):
    """All frames of a pcap file (also .gz), in order, as the file holds them."""
    return [frame for frame, _ in records(path)]


def records(path):
    """(frame, length on the wire) of all records. ValueError: not an Ethernet pcap file."""
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rb") as file:
        data = file.read()
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<",
             b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">"}.get(data[:4])
    if not order or len(data) < 24:
        raise ValueError("not a pcap file")
    if struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF != ETHERNET:
        raise ValueError("not a capture of Ethernet frames")
    found, at = [], 24
    while at < len(data):
        if at + 16 > len(data):
            raise ValueError("ends within a record")
        captured, length = struct.unpack_from(order + "II", data, at + 8)
        if at + 16 + captured > len(data):
            raise ValueError("ends within a frame")
        found.append((data[at + 16:at + 16 + captured], length))
        at += 16 + captured
    return found


def write(path, frames):
    """Writes frames a millisecond apart. The result depends on the frames alone."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, ETHERNET))
        for number, frame in enumerate(frames):
            file.write(struct.pack("<IIII", number // 1000, number % 1000 * 1000, len(frame),
                                   len(frame)))
            file.write(frame)
    return path
