# SPDX-License-Identifier: BSD-3-Clause
"""Captures of packets to protect (10.1.0.0/16 to 10.2.0.0/16) and packets that pass by in the clear
(172.16.0.0/16 to 172.17.0.0/16), each of a flow of its own, evenly mixed: never in blocks."""

import random

from flows import frame, port_of, write

COUNT = 1040  # packets: of which each share is a whole number; no multiple of a burst
PROTECT, BYPASS = (0x0A010000, 0x0A020000), (0xAC100000, 0xAC110000)


def passing(packets, share):
    """How many of the first so many packets are not to be protected, as the capture repeats."""
    rounds, rest = divmod(packets, COUNT)
    return packets - rounds * (COUNT * share // 100) - rest * share // 100


def capture(folder, share, protect, bypass):
    """A capture with a share (per cent) of packets to protect of one size and the rest of another, in
    bytes with FCS. The same arguments always give the same file."""
    path = folder / f"mix-{share}-{protect}-{bypass}.pcap"
    if not path.exists():
        order = list(range(COUNT))
        random.Random(share).shuffle(order)
        frames = []
        for position, i in enumerate(order):
            clear = passing(position + 1, share) > passing(position, share)
            source, destination = BYPASS if clear else PROTECT
            frames.append(frame(source + i, port_of(i), destination + i, bypass if clear else protect))
        write(path, frames)
    return path
