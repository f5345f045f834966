# SPDX-License-Identifier: BSD-3-Clause
"""ESP through spillway on captures, against the reference (esp.py) and tshark.

    in.pcap -> port in  spillway  port out -> out.pcap     what goes back out of port in: back.pcap

Outbound, clear packets go in, and what comes out must decrypt to them. Inbound, the reference makes
the ESP packets, and what comes out must be the packets that they were made of, byte for byte.
"""
import collections
import itertools
import os
import random
import struct
import unittest

import capture
import esp
from harness import CPUS, READ, SPILLWAY, TestCase, run, spillway

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
ENDS = {4: ("192.0.2.1", "198.51.100.1"), 6: ("2001:db8:1::1", "2001:db8:2::1")}
FAMILIES = [("tunnel", inner, outer) for inner in (4, 6) for outer in (4, 6)] + [
    ("transport", 4, 4), ("transport", 6, 6)]
SIZES = (1, 2, 3, 4, 5, 7, 8, 12, 13, 14, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256,
         511, 512, 1023, 1024, 1400, 1460, 2047, 2048, 4095, 8191, 8972, 9000)
MTU = 2000  # more than a frame of 1500 with ESP around it, and in an mbuf of the usual size
LARGE = 9600  # for all SIZES
HIGHEST = 0xFFFFFFFF
# All flows are new: on a machine that is busy with other things, some would be refused.
INLINE = ("--fast", CPUS[0], "--on-pool-full", "classify=inline")
POOL = (*INLINE, "--pool", CPUS[-1], "--dispatch", "classify=inline",
        "--dispatch", "encrypt=pool", "--dispatch", "decrypt=pool")


def need_ipsec():
    """Skips while the program says nothing of SAs."""
    if "[sa NAME]" not in run(SPILLWAY, "--help").stdout:
        raise unittest.SkipTest("this spillway has no IPsec: --help does not name [sa NAME]")


class Association:
    """An SA of the configuration file: the reference's, its direction, and what it is for."""

    def __init__(self, number, chance, direction, algorithm="aes-128-gcm", mode="tunnel", inner=4,
                 outer=4, esn=False, nat=False, **keys):
        self.name, self.direction, self.inner, self.outer = f"sa-{number}", direction, inner, outer
        self.number, self.keys = number, keys
        self.ends = self.hosts() if mode == "transport" else ENDS[outer]
        self.sa = esp.SA(algorithm, chance.randbytes(esp.ALGORITHMS[algorithm].key_size),
                         0x1000 + number, mode, *self.ends, esn, nat)

    def hosts(self):
        """The addresses of the two hosts whose packets it protects."""
        return tuple({4: f"10.{side}.{self.number >> 8}.{self.number & 255}",
                      6: f"fd0{side}::{self.number:x}"}[self.inner] for side in (1, 2))

    def rule(self):
        bits = {4: 32, 6: 128}[self.inner]
        return "protect {} any from {}/{bits} to {}/{bits}\n".format(self.name, *self.hosts(),
                                                                   bits=bits)

    def has_ends(self):
        """Whether its section names addresses. In transport mode every other one does."""
        return self.sa.mode == "tunnel" or self.number % 2

    def section(self, folder):
        """Its section of the configuration file; writes its key file."""
        key = folder / f"{self.name}.key"
        key.touch(0o600)
        key.write_text(self.sa.key.hex() + "\n")
        lines = {"direction": self.direction, "spi": f"{self.sa.spi:#x}", "mode": self.sa.mode,
                 "algorithm": self.sa.name, "key-file": key.name,
                 "esn": "yes" if self.sa.esn else "no",
                 "nat-traversal": "yes" if self.sa.nat_traversal else "no"}
        if self.has_ends():
            lines |= dict(zip(("source", "destination"), self.ends))
        lines |= {name.replace("_", "-"): value for name, value in self.keys.items()}
        return f"[sa {self.name}]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items())

    def frame(self, data, sequence=1, **how):
        return esp.udp_frame(*self.hosts(), data, identification=sequence, **how)

    def packet(self, data):
        """An IP packet from one host to the other."""
        return esp.split(self.frame(data))[1]

    def sealed(self, packet, sequence, next_header=None, **how):
        """A frame of its tunnel with anything in it."""
        if next_header is None:
            next_header = {4: 4, 6: 41}[self.inner]
        return esp.join(LINK, self.sa.outer(self.sa.seal(packet, next_header, sequence, **how)))


LINK = b"\x02\0\0\0\0\2\x02\0\0\0\0\1"
Run = collections.namedtuple("Run", "report out back")


LOOKED = "300ms"  # idle for so long: the control thread has looked at lifetimes, ten times a second


class IpsecCase(TestCase):
    def setUp(self):
        need_ipsec()
        super().setUp()
        print(f"SEED={SEED}")
        self.chance = random.Random(SEED)
        self.numbers = itertools.count(1)

    def association(self, direction, *about, **how):
        return Association(next(self.numbers), self.chance, direction, *about, **how)

    def through(self, frames, associations, rules=None, default="deny", mtu=MTU, shape=INLINE,
                out_mtu=None, idle=READ):
        """Sends frames through a spillway with these SAs. `rules`: None: a rule for each."""
        if rules is None:
            rules = "".join(one.rule() for one in associations)
        self.file("rules", rules)
        files = {name: self.folder / f"{name}.pcap" for name in ("in", "out", "back")}
        capture.write(files["in"], frames)
        config = self.file("ipsec.conf", f"[spillway]\nrules = rules\ndefault = {default}\n"
                           f"[port in]\nmtu = {mtu}\n"
                           f"device = net_pcap0,rx_pcap={files['in']},tx_pcap={files['back']}\n"
                           f"[port out]\nmtu = {out_mtu or mtu}\ndevice = net_pcap1,tx_pcap={files['out']}\n"
                           "[wire in-out]\nports = in, out\n"
                           + "".join(one.section(self.folder) for one in associations))
        report = self.check(spillway("--config", config, "--exit-on-idle", idle, *shape,
                                     timeout=120))
        self.assertEqual(report.packets["received"], len(frames))
        return Run(report, capture.read(files["out"]), capture.read(files["back"]))

    def assert_drops(self, report, cases):
        """`cases`: for each packet that must be dropped the name of the reason, or a set of some."""
        exact, possible = collections.Counter(), collections.Counter()
        for reasons in cases:
            (exact if isinstance(reasons, str) else possible).update(
                [reasons] if isinstance(reasons, str) else reasons)
        for reason in report.drops.keys() | exact.keys():
            count = report.drops.get(reason, 0)
            self.assertIn(count, range(exact[reason], exact[reason] + possible[reason] + 1),
                          (reason, report.drops, exact, possible))
        self.assertEqual(report.packets["dropped"], len(cases))

    def same(self, got, expected, what=""):
        """As assertEqual on lists of frames, with a message that can be read."""
        for number, (one, other) in enumerate(zip(got, expected)):
            if one != other:
                self.fail(f"{what} frame {number}: got, and expected\n{one.hex()}\n{other.hex()}")
        self.assertEqual(len(got), len(expected), what)


def all_of(case, algorithm, direction):
    """An SA of each mode, family, with and without ESN and NAT traversal."""
    return [case.association(direction, algorithm, *family, esn=esn, nat=nat)
            for family, esn, nat in itertools.product(FAMILIES, (False, True), (False, True))]


def spi_of(frame, nat_traversal):
    packet = esp.split(frame)[1]
    return struct.unpack_from("!I", packet, esp.headers(packet, False)[0] + 8 * nat_traversal)[0]


def shuffled(case, lists):
    """The elements of all lists, those of each in their order."""
    lists = [collections.deque(one) for one in lists]
    mixed = []
    while lists := [one for one in lists if one]:
        mixed.append(case.chance.choice(lists).popleft())
    return mixed
