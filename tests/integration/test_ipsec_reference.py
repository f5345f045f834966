# SPDX-License-Identifier: BSD-3-Clause
"""ESP through spillway on captures, against the reference (esp.py) and tshark.

    in.pcap -> port in  spillway  port out -> out.pcap     what goes back out of port in: back.pcap

Outbound, clear packets go in, and what comes out must decrypt to them. Inbound, the reference makes
the ESP packets, and what comes out must be the packets that they were made of, byte for byte.
"""
import collections
import ipaddress
import itertools
import os
import random
import struct
import unittest

import capture
import esp
import esp_vectors
import oracle
from harness import CPUS, SPILLWAY, TestCase, main, need_program, run, spillway

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
ENDS = {4: ("192.0.2.1", "198.51.100.1"), 6: ("2001:db8:1::1", "2001:db8:2::1")}
FAMILIES = [("tunnel", inner, outer) for inner in (4, 6) for outer in (4, 6)] + [
    ("transport", 4, 4), ("transport", 6, 6)]
SIZES = (1, 2, 3, 4, 5, 7, 8, 12, 13, 14, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256,
         511, 512, 1023, 1024, 1400, 1460, 2047, 2048, 4095, 8191, 8972, 9000)
MTU = 9600
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


class IpsecCase(TestCase):
    def setUp(self):
        need_ipsec()
        super().setUp()
        print(f"SEED={SEED}")
        self.chance = random.Random(SEED)
        self.numbers = itertools.count(1)

    def association(self, direction, *about, **how):
        return Association(next(self.numbers), self.chance, direction, *about, **how)

    def through(self, frames, associations, rules=None, default="deny", mtu=MTU, shape=INLINE):
        """Sends frames through a spillway with these SAs. `rules`: None: a rule for each."""
        if rules is None:
            rules = "".join(one.rule() for one in associations)
        self.file("rules", rules)
        files = {name: self.folder / f"{name}.pcap" for name in ("in", "out", "back")}
        capture.write(files["in"], frames)
        config = self.file("ipsec.conf", f"[spillway]\nrules = rules\ndefault = {default}\n"
                           f"[port in]\nmtu = {mtu}\n"
                           f"device = net_pcap0,rx_pcap={files['in']},tx_pcap={files['back']}\n"
                           f"[port out]\nmtu = {mtu}\ndevice = net_pcap1,tx_pcap={files['out']}\n"
                           "[wire in-out]\nports = in, out\n"
                           + "".join(one.section(self.folder) for one in associations))
        report = self.check(spillway("--config", config, "--exit-on-idle", "300ms", *shape,
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


class Outbound(IpsecCase):
    """What spillway encrypts."""

    def encrypted(self, associations, sizes=SIZES, shape=INLINE, **how):
        """Protects a flow of each SA, checks it with the reference, returns the Run."""
        sent = {one: [one.frame(self.chance.randbytes(size), number)
                      for number, size in enumerate(sizes)] for one in associations}
        done = self.through(shuffled(self, sent.values()), associations, shape=shape, **how)
        by_spi = collections.defaultdict(list)
        known = {one.sa.spi: one for one in associations}
        for frame in done.out:
            packet = esp.split(frame)[1]
            nat = packet[esp.headers(packet, False)[1]] == esp.UDP
            by_spi[spi_of(frame, nat)].append(frame)
        self.assertLessEqual(set(by_spi), set(known))
        for one in associations:
            self.compare(one, by_spi[one.sa.spi], sent[one], shape is POOL)
        if shape is not POOL:
            self.assertEqual(done.report.drops, {})
        else:
            self.assertLessEqual(set(done.report.drops), {"pool_full_encrypt"})
        return done

    def compare(self, one, got, sent, may_lack):
        """Decrypts, and compares. `may_lack`: the pool may have refused some."""
        clear = [one.sa.decrypt(frame) for frame in got]
        self.assertEqual([each.opened.sequence for each in clear], list(range(1, len(got) + 1)))
        if may_lack:
            kept = iter(sent)
            self.assertTrue(all(each.frame in kept for each in clear), one.sa)
        else:
            self.same([each.frame for each in clear], sent, one.sa)
        self.assertEqual(len({each.opened.iv for each in clear}), len(got) if one.sa.algorithm.iv
                         else 1, "an IV was used twice")
        for each in clear:
            self.assertLess(len(each.opened.padding), one.sa.algorithm.align)

    def test_every_way(self):
        for algorithm in esp.ALGORITHMS:
            with self.subTest(algorithm):
                self.encrypted(all_of(self, algorithm, "out"))

    def test_every_way_on_workers(self):
        for algorithm in "aes-128-gcm", "aes-256-cbc+sha512", "null+sha1", "chacha20-poly1305":
            with self.subTest(algorithm):
                self.encrypted(all_of(self, algorithm, "out"), shape=POOL)

    def test_tshark(self):
        need_program("tshark")
        associations = [self.association("out", algorithm, *family, nat=nat)
                        for algorithm, family, nat in itertools.product(
                            esp.ALGORITHMS, FAMILIES, (False, True))]
        associations = [one for one in associations if one.sa.tshark()]
        done = self.encrypted(associations, (1, 64, 1400))
        seen = esp.tshark(self.folder / "out.pcap", *(one.sa for one in associations))
        self.assertEqual(len(seen), len(done.out))
        by_spi = {one.sa.spi: one for one in associations}
        for frame, each in zip(done.out, seen):
            packet = esp.split(frame)[1]
            nat = packet[esp.headers(packet, False)[1]] == esp.UDP
            opened = by_spi[spi_of(frame, nat)].sa.decrypt(frame).opened
            self.assertEqual(each, esp.Seen(opened.sequence, True, opened.next_header, opened.data))

    def test_several_flows(self):
        """Many flows of one SA: each in order, sequence numbers without a gap."""
        one = self.association("out", "aes-128-cbc+sha256")
        frames = [one.frame(self.chance.randbytes(self.chance.randrange(1, 1400)), number,
                            ports=(5000 + self.chance.randrange(20), 5000))
                  for number in range(2000)]
        for shape in INLINE, POOL:
            done = self.through(frames, [one], shape=shape)
            clear = [one.sa.decrypt(frame) for frame in done.out]
            self.assertEqual([each.opened.sequence for each in clear],
                             list(range(1, len(clear) + 1)))
            kept = iter(oracle.by_flow(frames))
            self.assertTrue(all(frame in kept for frame in
                                oracle.by_flow([each.frame for each in clear])))
            refused = done.report.drops.get("pool_full_encrypt", 0)
            self.assertEqual(len(clear) + refused, len(frames))

    def test_first_match(self):
        """allow, deny and protect in the order of the file; the rest by default."""
        one = self.association("out")
        source, destination = one.hosts()
        rules = (f"deny udp from {source} to {destination} port 1\n"
                 f"allow udp from {source} to {destination} port 2\n" + one.rule()
                 + f"deny udp from {source} to {destination} port 3\n")
        frames = [one.frame(bytes([port]), port, ports=(9, port)) for port in (1, 2, 3, 4)]
        other = esp.udp_frame(destination, source, b"no reply is implied")
        done = self.through(frames + [other], [one], rules)
        self.assertEqual(done.report.drops, {"denied": 2})
        sealed = [frame for frame in done.out if frame not in frames]
        self.same([frame for frame in done.out if frame in frames], frames[1:2])
        self.same(oracle.by_flow([one.sa.decrypt(frame).frame for frame in sealed]),
                  oracle.by_flow(frames[2:]))

    def test_link_header(self):
        """Tags stay; what pads a short frame is not part of the packet."""
        one = self.association("out", outer=6)
        frame = one.frame(b"x")
        frames = [frame[:12] + tags + frame[12:] + padding
                  for tags in (b"", b"\x81\0\0\x64", b"\x88\xa8\0\xc8\x81\0\0\x64")
                  for padding in (b"", bytes(17))]
        done = self.through(frames, [one])
        self.same([one.sa.decrypt(each).frame for each in done.out],
                  [esp.join(*esp.split(each)) for each in frames])
        self.same(*([esp.split(each)[0] for each in some] for some in (done.out, frames)))

    def test_outer_header(self):
        """DSCP and DF as configured, ECN as RFC 6040, no fragment, a checksum that holds."""
        for inner, outer, dscp, df in itertools.product((4, 6), (4, 6), ("copy", 46), (
                "copy", "set", "clear")):
            if outer == 6 and df != "copy":
                continue  # IPv6 has no such bit
            keys = {"dscp": dscp} | ({"df": df} if outer == 4 else {})
            one = self.association("out", inner=inner, outer=outer, **keys)
            frames = []
            for traffic in range(0, 256, 7):
                frame = bytearray(one.frame(b"x", traffic=traffic))
                if inner == 4 and traffic % 2:
                    frame[14 + 6] |= 0x40
                    packet = bytes(frame[14:])
                    frame[14:34] = esp.with_lengths(packet[:20], 9, esp.UDP, len(packet) - 20)
                frames.append(bytes(frame))
            for sent, got in zip(frames, self.through(frames, [one]).out):
                clear = one.sa.decrypt(got)
                self.assertEqual(clear.frame, sent)
                wanted = esp.traffic_class(esp.split(sent)[1])
                if dscp != "copy":
                    wanted = dscp << 2 | wanted & 3
                self.assertEqual(esp.traffic_class(clear.outer), wanted)
                if outer == 4:
                    copied = inner == 6 or bool(sent[14 + 6] & 0x40)  # IPv6 is as if it were set
                    self.assertEqual(clear.outer[6] & 0xE0, 0x40 * {"copy": copied, "set": True,
                                                                    "clear": False}[df])
                    self.assertEqual(struct.unpack_from("!H", clear.outer, 6)[0] & 0x3FFF, 0)

    def test_options_stay(self):
        """Transport mode: ESP goes behind IPv4 options and IPv6 extension headers for routers."""
        old, new = (self.association("out", "aes-128-gcm", "transport", family, family)
                    for family in (4, 6))
        packet = old.packet(b"options")
        packet = esp.with_lengths(b"\x46" + packet[1:20] + b"\x94\4\0\0", 9, esp.UDP,
                                  len(packet) - 20) + packet[20:]
        frames = [esp.join(LINK, packet)]
        packet = new.packet(b"hop by hop")
        packet = esp.with_lengths(packet[:40], 6, 0, len(packet) - 32) \
            + b"\x11\0\5\2\0\0\1\0" + packet[40:]
        frames.append(esp.join(LINK, packet))
        done = self.through(frames, [old, new])
        self.same([one.sa.decrypt(frame).frame for one, frame in zip((old, new), done.out)], frames)

    def test_too_big(self):
        """The largest packet that fits goes; one more byte is dropped, and its sender is told."""
        for inner, outer in itertools.product((4, 6), (4, 6)):
            one = self.association("out", "aes-256-cbc+sha256", inner=inner, outer=outer)
            largest = max(size for size in range(1500) if one.sa.size(size) <= 1500)
            header = {4: 28, 6: 48}[inner]
            frames = []
            for size in (largest, largest + 1, 1500):
                frame = bytearray(one.frame(bytes(size - header), size))
                if inner == 4:
                    frame[14:34] = esp.with_lengths(
                        bytes(frame[14:20]) + b"\x40" + bytes(frame[21:34]), 9, esp.UDP, size - 20)
                frames.append(bytes(frame))
            done = self.through(frames, [one], mtu=1500)
            self.same([one.sa.decrypt(frame).frame for frame in done.out], frames[:1])
            self.assertEqual(done.report.drops, {"esp_too_big": 2})
            self.assertEqual(done.report.packets["originated"], len(done.back))
            self.assertIn(len(done.back), (1, 2))  # they may come at a limited rate
            for told, sent in zip(done.back, frames[1:]):
                self.told(told, sent, largest)

    def test_split(self):
        """A packet that is too big for the tunnel and may be fragmented is, in its place among the others."""
        for shape in INLINE, POOL:
            one = self.association("out")
            frames = [one.frame(self.chance.randbytes(size), number)
                      for number, size in enumerate([64, 1450, 200, 64, 1472] * 20)]
            done = self.through(frames, [one], mtu=1500, shape=shape)
            sent = [esp.split(frame)[1] for frame in frames]
            came, datagram = [], b""
            for frame in done.out:
                packet = esp.split(one.sa.decrypt(frame).frame)[1]
                field = struct.unpack_from("!H", packet, 6)[0]
                self.assertEqual(8 * (field & 0x1fff), len(datagram), "the fragments are in order")
                datagram += packet[20:]
                if not field & 0x2000:
                    came.append(datagram)
                    datagram = b""
            self.same(came, [packet[20:] for packet in sent], shape)
            self.assertEqual(len(done.out), len(frames) + done.report.packets["originated"])
            self.assertEqual(done.report.packets["originated"], 40)

    def told(self, frame, sent, mtu):
        """An ICMP error about `sent`, to its sender, with this MTU."""
        self.assertEqual(frame[:12], sent[6:12] + sent[:6])
        packet, about = esp.split(frame)[1], esp.split(sent)[1]
        size, name = esp.headers(packet)
        icmp = packet[size:]
        self.assertEqual(esp.addresses(packet)[1], esp.addresses(about)[0])
        if packet[0] >> 4 == 4:
            self.assertEqual(esp.checksum(packet[:size]), 0)
            self.assertEqual((packet[name], icmp[:2], esp.checksum(icmp)), (1, b"\3\4", 0))
            self.assertEqual(struct.unpack_from("!HH", icmp, 4), (0, mtu))
            self.assertGreaterEqual(len(icmp), 8 + 28)
        else:
            pseudo = esp.pseudo_header(packet, 58, len(icmp))
            self.assertEqual((packet[name], icmp[:2]), (58, b"\2\0"))
            self.assertEqual(esp.checksum(pseudo + icmp), 0)
            self.assertEqual(struct.unpack_from("!I", icmp, 4), (max(mtu, 1280),))
            self.assertLessEqual(len(packet), 1280)
        self.assertEqual(about[:len(icmp) - 8], icmp[8:])

    def test_fragment(self):
        """Transport mode is for whole datagrams (RFC 4303, 3.3.4); a tunnel takes fragments."""
        fragment = dict(transport="esp_fragment", tunnel=None)
        for mode, reason in fragment.items():
            one = self.association("out", mode=mode)
            frames = []
            for field in 0x2000, 0x0003:
                packet = one.packet(bytes(16))
                packet = packet[:6] + struct.pack("!H", field) + packet[8:]
                packet = esp.with_lengths(packet[:20], 9, esp.UDP, len(packet) - 20) + packet[20:]
                frames.append(esp.join(LINK, packet))
            done = self.through(frames, [one])
            if reason:
                self.assertEqual((done.report.drops, done.out), ({reason: 2}, []))
            else:
                self.same([one.sa.decrypt(frame).frame for frame in done.out], frames)

    def test_lifetimes(self):
        """The soft limit is told, the hard one ends the SA."""
        for unit, size in ("packets", 1), ("bytes", 128):
            one = self.association("out", **{f"lifetime_{unit}_soft": 5 * size})
            frames = [one.frame(bytes(100), number) for number in range(30)]
            done = self.encrypted_until(frames, one)
            self.assertEqual((len(done.out), done.report.drops), (30, {}))
            self.assertRegex(done.report.stderr, rf"(?i){one.name}\b.*soft")
            one = self.association("out", **{f"lifetime_{unit}_hard": 10 * size})
            done = self.encrypted_until(frames := [one.frame(bytes(100), number)
                                                   for number in range(30)], one)
            self.assertEqual(done.report.drops, {"esp_expired": len(frames) - len(done.out)})
            self.assertIn(len(done.out), (10,) if unit == "packets" else range(5, 11))
            self.assertRegex(done.report.stderr, rf"(?i){one.name}\b.*hard")

    def encrypted_until(self, frames, one):
        done = self.through(frames, [one])
        self.same([one.sa.decrypt(frame).frame for frame in done.out], frames[:len(done.out)])
        return done


class Inbound(IpsecCase):
    """What spillway decrypts."""

    def decrypted(self, associations, sizes=SIZES, shape=INLINE):
        sent = {one: [one.frame(self.chance.randbytes(size), number)
                      for number, size in enumerate(sizes)] for one in associations}
        sealed = [[(one.sa.encrypt(frame, number), frame) for number, frame in enumerate(frames, 1)]
                  for one, frames in sent.items()]
        pairs = shuffled(self, sealed)
        done = self.through([there for there, _ in pairs], associations, shape=shape)
        got, expected = map(oracle.by_flow, (done.out, [back for _, back in pairs]))
        if shape is POOL:
            kept = iter(expected)
            self.assertTrue(all(frame in kept for frame in got))
            self.assertLessEqual(set(done.report.drops), {"pool_full_decrypt"})
        else:
            self.same(got, expected)
            self.assertEqual(done.report.drops, {})

    def test_every_way(self):
        for algorithm in esp.ALGORITHMS:
            with self.subTest(algorithm):
                self.decrypted(all_of(self, algorithm, "in"))

    def test_every_way_on_workers(self):
        for algorithm in "aes-128-gcm", "aes-256-cbc+sha512", "null+sha1", "chacha20-poly1305":
            with self.subTest(algorithm):
                self.decrypted(all_of(self, algorithm, "in"), shape=POOL)

    def test_known_answers(self):
        """The packets of the standards, byte for byte."""
        for vector in esp_vectors.GCM + esp_vectors.CHACHA + esp_vectors.CBC:
            if vector.high or struct.unpack_from("!I", vector.esp)[0] < 256:
                continue  # an SA starts with 0; SPIs below 256 are reserved
            with self.subTest(vector.name):
                plain, sealed = vector.plain, vector.esp
                mode = {4: "tunnel"}.get(plain[-1], "transport")
                one = self.association("in", mode=mode, esn=vector.high is not None)
                spi, sequence = struct.unpack_from("!II", sealed)
                if vector.algorithm == "cbc":
                    key = vector.key + self.chance.randbytes(32)
                    one.sa = esp.SA("aes-128-cbc+sha256", key, spi, mode, *one.ends)
                    sealed = one.sa.seal(plain[:-2 - plain[-2]], plain[-1], sequence, sealed[8:24])
                    self.assertEqual(sealed[:-16], vector.esp)
                else:
                    one.sa = esp.SA(vector.algorithm, vector.key, spi, mode, *one.ends,
                                    vector.high is not None)
                frame = esp.join(LINK, one.sa.outer(sealed))
                expected = one.sa.decrypt(frame).frame
                source, destination = esp.addresses(esp.split(expected)[1])
                rules = f"protect {one.name} any from {source}/32 to {destination}/32\n"
                self.same(self.through([frame], [one], rules).out, [expected])

    def test_congestion(self):
        """ECN when a tunnel ends, in all combinations (RFC 6040, figure 4)."""
        for inner, outer in itertools.product((4, 6), (4, 6)):
            one = self.association("in", inner=inner, outer=outer)
            frames, expected, refused = [], [], 0
            for number, (inside, outside) in enumerate(itertools.product(range(4), range(4)), 1):
                frame = one.frame(b"ecn", number, traffic=0x28 | inside)
                frames.append(one.sa.encrypt(frame, number, outer_class=0xB8 | outside))
                try:
                    expected.append(one.sa.decrypt(frames[-1]).frame)
                except esp.Refused:
                    refused += 1
            done = self.through(frames, [one])
            self.same(done.out, expected)
            self.assertEqual((refused, done.report.drops), (1, {"esp_congestion": 1}))

    def test_padding(self):
        """Padding of any length that fits, and Ethernet's own behind the packet."""
        one = self.association("in")
        packets = [one.packet(bytes(size)) for size in range(4)]
        frames, expected = [], []
        for sequence, (packet, pad) in enumerate(itertools.product(packets, range(256)), 1):
            if (len(packet) + pad + 2) % 4 == 0:
                frames.append(one.sealed(packet, sequence, padding=bytes(range(1, pad + 1))))
                expected.append(esp.join(LINK, packet))
        frames[-1] += bytes(9)
        self.same(self.through(frames, [one]).out, expected)

    def test_others(self):
        """Not ESP of ours: between other ends, IKE and keepalives are subject to the rules."""
        one = self.association("in", nat=True)
        plain = self.association("in")
        away = esp.SA("aes-128-gcm", bytes(20), plain.sa.spi, "tunnel", *reversed(ENDS[4]))
        frames = [away.encrypt(one.frame(b"transit"), 1),
                  esp.udp_frame(*ENDS[4], b"\0\0\0\0" + bytes(28), ports=(4500, 4500)),
                  esp.udp_frame(*ENDS[4], bytes(28), ports=(500, 500)),
                  esp.udp_frame(*reversed(ENDS[4]), b"\xff", ports=(4500, 4500)),
                  esp.udp_frame(*ENDS[4], b"\xff", ports=(4500, 4500))]
        for action in "allow", "deny":
            rules = one.rule() + plain.rule() + f"{action} any from any to any\n"
            done = self.through(frames, [one, plain], rules)
            self.same(oracle.by_flow(done.out),
                      oracle.by_flow(frames) if action == "allow" else [])
            self.assertEqual(done.report.drops,
                             {"denied": len(frames)} if action == "deny" else {})

    def test_new_key(self):
        """Two SAs for what one rule names: a flow that goes over from one to the other, packets of
        both in one burst, keeps its order. A third one's packets are not for that rule."""
        old, other = self.association("in"), self.association("in")
        new = self.association("in", "aes-128-cbc+sha256", stands_for=old.name)
        frames = [old.frame(self.chance.randbytes(self.chance.choice((9, 1000))), number)
                  for number in range(300)]
        ways = [old] * 100 + self.chance.choices((old, new, other), k=100) + [new] * 100
        numbers = {one: itertools.count(1) for one in (old, new, other)}
        there = [way.sa.encrypt(frame, next(numbers[way])) for way, frame in zip(ways, frames)]
        good = [frame for way, frame in zip(ways, frames) if way is not other]
        for shape in INLINE, POOL:
            done = self.through(there, [new, old, other], old.rule() + other.rule(), shape=shape)
            refused = done.report.drops.get("pool_full_decrypt", 0)
            self.assertLessEqual(set(done.report.drops), {"esp_policy", "pool_full_decrypt"})
            self.assertGreater(done.report.drops["esp_policy"], 0)
            kept = iter(good)
            self.assertTrue(all(frame in kept for frame in done.out))
            self.assertGreaterEqual(len(done.out) + refused, len(good))
            if shape is INLINE:
                self.same(done.out, good)

    def test_lifetime(self):
        """As for what is encrypted."""
        for limit, passes in ("soft", 30), ("hard", 10):
            one = self.association("in", **{f"lifetime_packets_{limit}": 10})
            frames = [one.frame(bytes(9), number) for number in range(30)]
            done = self.through([one.sa.encrypt(frame, number)
                                 for number, frame in enumerate(frames, 1)], [one])
            self.same(done.out, frames[:passes])
            self.assertEqual(sum(done.report.drops.values()),
                             done.report.drops.get("esp_expired", 0))
            self.assertRegex(done.report.stderr, rf"(?i){one.name}\b.*{limit}")


class Window:
    """Replay protection (RFC 4303, 3.4.3 and appendix A), naively: a set of what was seen."""

    def __init__(self, size, esn):
        self.size, self.esn, self.top, self.seen = size, esn, 0, set()

    def whole(self, low):
        """The sequence number that a packet's lower half stands for: the only one in or after the
        window. Negative: there is none."""
        if not self.esn:
            return low
        near = self.top - self.size + 1
        whole = near & ~HIGHEST | low
        return whole if whole >= near else whole + (1 << 32)

    def take(self, sequence):
        """The reasons to drop it that a receiver may find, none: taken.

        One that looks at the window for several packets before it decrypts them may still find a
        double of what the packets between have pushed out. With ESN a receiver that does not takes
        what is too old for a packet that is yet to come, which its ICV denies.
        """
        if sequence <= 0 or sequence <= self.top - self.size:
            return ({"esp_too_old"} | ({"esp_replayed"} if sequence in self.seen else set())
                    | ({"esp_bad_icv"} if self.esn else set()))
        if sequence in self.seen:
            return {"esp_replayed"}
        if self.whole(sequence & HIGHEST) != sequence:
            raise ValueError(f"{sequence}: no receiver can know its upper half")
        self.seen.add(sequence)
        self.top = max(self.top, sequence)
        return None


class Replay(IpsecCase):
    """The window's edges, disorder, duplicates, and the roll-over of the lower half."""

    def replayed(self, sequences, window, esn, shape=INLINE):
        """Sends these sequence numbers. The oracle says what must come out."""
        one = self.association("in", "aes-128-gcm", esn=esn, replay_window=window)
        oracle_window = Window(window, esn)
        frames, expected, reasons = [], [], []
        for number, sequence in enumerate(sequences):
            frame = one.frame(struct.pack("!QI", sequence, number))
            frames.append(one.sa.encrypt(frame, sequence))
            reason = oracle_window.take(sequence)
            if reason:
                reasons.append(reason)
            else:
                expected.append(frame)
        done = self.through(frames, [one], shape=shape)
        self.same(done.out, expected, (window, esn))
        self.assert_drops(done.report, reasons)

    def test_edges(self):
        for window, esn in itertools.product((32, 64, 128, 1000, 1024, 16384), (False, True)):
            if esn and window < 64:
                continue  # with ESN it is 64 at least
            with self.subTest(window=window, esn=esn):
                top = 3 * window
                self.replayed([top, top, top - 1, top - window + 1, top - window + 1, top - window,
                               top + 1, top - window + 1, top - window + 2, top + window,
                               top + 1, top, 1], window, esn)

    def test_disorder(self):
        for window, esn in itertools.product((32, 64, 1024), (False, True)):
            if esn and window < 64:
                continue
            with self.subTest(window=window, esn=esn):
                sequences, top = [], 1
                for _ in range(2000):
                    top += self.chance.choice((0, 1, 1, 1, 2, window // 3))
                    back = self.chance.choice((0, 0, 1, self.chance.randrange(2 * window)))
                    sequences.append(max(1, top - back))
                self.replayed(sequences, window, esn)

    def test_one_window_apart(self):
        """Numbers that a ring as large as the window takes for one, the higher yet to come."""
        for window in (64, 128, 192, 1000, 1024, 16384):
            with self.subTest(window=window):
                top = 5 * window // 64 * 64 + 10
                self.replayed([top - 1, top - window, top], window, True)

    def test_roll_over(self):
        """The lower half goes through 2^32: with ESN it goes on."""
        # Leaps, each with time to be noticed: a receiver may take what it got at once together.
        start = [leap + step for leap in (0x7FFFFF00, 0xFFFF0000) for step in range(200)]
        around = list(range((1 << 32) - 40, (1 << 32) + 40))
        self.chance.shuffle(around)
        self.replayed(start + around + around[:10] + [(1 << 32) + 2000, (1 << 32) + 20], 128, True)

    def test_no_window(self):
        """replay-window = 0: nothing is refused."""
        one = self.association("in", replay_window=0)
        frames = [one.frame(bytes([sequence])) for sequence in (5, 5, 1, 9, 5)]
        done = self.through([one.sa.encrypt(frame, sequence) for frame, sequence in zip(
            frames, (5, 5, 1, 9, 5))], [one])
        self.same(done.out, frames)

    def test_without_esn_it_ends(self):
        """Nothing follows 2^32 - 1."""
        self.replayed([0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFF], 64, False)

    def test_forged(self):
        """A packet with a wrong ICV does not move the window."""
        one = self.association("in", replay_window=64)
        good = [one.frame(bytes([number]), number) for number in range(1, 5)]
        frames = [one.sa.encrypt(frame, number) for number, frame in enumerate(good, 1)]
        forged = bytearray(one.sa.encrypt(good[0], 1_000_000))
        forged[-1] ^= 1
        done = self.through(frames[:2] + [bytes(forged)] + frames[2:], [one])
        self.same(done.out, good)
        self.assertEqual(done.report.drops, {"esp_bad_icv": 1})


# What a hostile packet may be dropped as, where the order of checks is not prescribed.
SHORT = frozenset(("esp_malformed", "esp_no_sa", "malformed_transport", "denied", "esp_required",
                   "nat_keepalive"))
BROKEN = frozenset(("esp_malformed", "esp_bad_icv"))
OLD = frozenset(("esp_replayed", "esp_too_old"))


class Hostile(IpsecCase):
    """Each packet is dropped under its name, good ones between them go through unharmed."""

    def dropped(self, associations, cases, rules=None):
        """`cases`: (frame, reason or set of reasons). Good packets of the first SA between them."""
        one = associations[0]
        frames, good = [], []
        for number, (frame, _) in enumerate(cases):
            if number % 50 == 0:
                good.append(one.frame(b"good", number))
                frames.append(one.sa.encrypt(good[-1], 1 + len(good)))
            frames.append(frame)
        done = self.through(frames, associations, rules)
        self.same(done.out, good)
        self.assert_drops(done.report, [reasons for _, reasons in cases])

    def some(self):
        """SAs of several kinds to be attacked."""
        for algorithm, mode, (outer, nat) in itertools.product(
                ("aes-128-gcm", "aes-128-cbc+sha256", "null+sha512", "aes-256-ctr+sha256"),
                ("tunnel", "transport"), ((4, True), (6, False))):
            yield self.association("in", algorithm, mode, outer, outer, nat=nat)

    def unknown(self, one):
        """Why ESP between an SA's ends with an SPI that is not its own is dropped. An SA without
        addresses has no ends: it is transit then, and the rule that asks for the SA forbids it."""
        return "esp_no_sa" if one.has_ends() else "esp_required"

    def outer(self, one, sealed):
        """A frame to the SA's end around what may be ESP."""
        return esp.join(LINK, one.sa.outer(sealed))

    def test_truncated(self):
        """Every length: the IP header tells the truth, or still the old length."""
        everyone, cases = list(self.some()), []
        for one in everyone:
            least = 8 + one.sa.algorithm.iv + one.sa.algorithm.icv + 2
            sealed = one.sa.seal(one.packet(bytes(40)), 4, 100_000)
            whole = self.outer(one, sealed)
            for size in range(len(sealed)):
                reason = SHORT if size < 8 else "esp_malformed" if size < least else BROKEN
                cases.append((self.outer(one, sealed[:size]), reason))
            for size in range(15, len(whole)):
                frame = whole[:size]
                cases.append((frame, oracle.parse(frame).reason))
        self.dropped(everyone, cases)

    def test_extended(self):
        """More behind the ICV than there was."""
        everyone = list(self.some())
        sealed = {one: one.sa.seal(one.packet(bytes(40)), 4, 100_000) for one in everyone}
        self.dropped(everyone, [(self.outer(one, sealed[one] + bytes(more)), BROKEN)
                                for one in everyone for more in range(1, 40)])

    def test_random(self):
        """Random bytes behind a right SPI."""
        everyone, cases = list(self.some()), []
        for one in everyone:
            for _ in range(500):
                data = self.chance.randbytes(self.chance.randrange(4, 1500))
                cases.append((self.outer(one, struct.pack("!I", one.sa.spi) + data),
                              BROKEN | OLD | SHORT))
        self.dropped(everyone, cases)

    def test_flipped(self):
        """Each bit of an ESP packet. One SA at a time, as another SPI may be another's."""
        for one in self.some():
            sealed = one.sa.seal(one.packet(b"flip"), 4, 1 << 20)
            cases = []
            for bit in range(len(sealed) * 8):
                data = bytearray(sealed)
                data[bit // 8] ^= 0x80 >> bit % 8
                reason = self.unknown(one) if bit < 32 else "esp_bad_icv"
                if 32 <= bit < 64 and struct.unpack_from("!I", data, 4)[0] <= 1 << 20:
                    reason = OLD | {"esp_bad_icv"}
                if bit < 32 and one.sa.nat_traversal and data[:4] == bytes(4):
                    reason = "denied"
                cases.append((self.outer(one, bytes(data)), reason))
            with self.subTest(one.sa):
                self.dropped([one], cases)

    def test_trailer(self):
        """What the ICV of a real peer covers, and is wrong all the same."""
        everyone, cases = list(self.some()), []
        for one in everyone:
            own = one.sa.algorithm
            packet = one.packet(bytes(100))
            tunnel = one.sa.mode == "tunnel"
            after = {4: 4, 6: 41}[one.inner] if tunnel else esp.UDP
            if not tunnel:
                packet = packet[esp.headers(packet)[0]:]
            sequence = itertools.count(100_000)

            def sealed(plain):
                plain = bytes(-len(plain) % own.align) + plain
                return self.outer(one, one.sa.seal_plain(plain, next(sequence),
                                                         bytes(range(own.iv))))
            cases += [(sealed(packet + bytes([pad, after])), "esp_bad_padding")
                      for pad in (1, 2, 3, 100, 127, 128, 254, 255)]
            cases += [(sealed(bytes([pad, after])), "esp_bad_padding")
                      for pad in (own.align - 1, own.align, 255)]
            cases += [(sealed(packet + bytes(range(pad)) + bytes([pad, after])), "esp_bad_padding")
                      for pad in (2, 16, 255)]
            cases += [(self.outer(one, one.sa.seal(data, esp.NO_NEXT_HEADER, next(sequence))),
                       "esp_dummy") for data in (b"", bytes(1000))]
            if tunnel:
                cases += [(self.outer(one, one.sa.seal(packet, other, next(sequence))),
                           "esp_next_header") for other in (0, 1, 6, 17, 47, 50, 51, 255)]
        # What is authentic moves the window: good packets are of another SA.
        self.dropped([self.association("in"), *everyone], cases)

    def test_inner(self):
        """What was decrypted is no packet, or not one of this SA's."""
        one, six = self.association("in"), self.association("in", inner=6)
        two = self.association("in")
        packet, other, wide = one.packet(bytes(40)), two.packet(bytes(40)), six.packet(bytes(40))
        sequence = itertools.count(100_000)
        cases = [(one.sealed(data, next(sequence)), "malformed_ipv4")
                 for data in (packet[:-1], packet[:19], b"\x43" + packet[1:],
                              b"\x4f" + packet[1:28], packet[:2] + b"\xff\xff" + packet[4:])]
        cases += [(six.sealed(data, next(sequence)), "malformed_ipv6")
                  for data in (wide[:-1], wide[:39], wide[:4] + b"\xff\xff" + wide[6:])]
        odd = frozenset(("malformed_ipv4", "esp_next_header"))
        cases += [(one.sealed(data, next(sequence)), odd)
                  for data in (wide, b"", b"\x45", bytes(40))]
        cases.append((one.sealed(packet, next(sequence), 41),
                      frozenset(("malformed_ipv6", "esp_next_header"))))
        short = esp.with_lengths(packet[:20], 9, 6, 10) + bytes(10)
        cases.append((one.sealed(short, next(sequence)), "malformed_transport"))
        lying = packet[:24] + b"\xff\xff" + packet[26:]
        cases.append((one.sealed(lying, next(sequence)), "malformed_transport"))
        cases.append((one.sealed(other, next(sequence)), "esp_policy"))
        cases.append((two.sealed(packet, next(sequence)), "esp_policy"))
        foreign = esp.split(esp.udp_frame("10.9.9.9", "10.9.9.8", b"x"))[1]
        cases.append((one.sealed(foreign, next(sequence)), "esp_policy"))
        allowed = esp.split(esp.udp_frame("10.7.7.7", "10.7.7.8", b"x"))[1]
        cases.append((one.sealed(allowed, next(sequence)), "esp_policy"))
        backwards = esp.split(esp.udp_frame(*reversed(one.hosts()), b"x", ports=(40001, 40000)))[1]
        cases.append((one.sealed(backwards, next(sequence)), "esp_policy"))
        rules = "".join(each.rule() for each in (one, six, two)) \
            + "allow any from 10.7.7.7/32 to 10.7.7.8/32\n"
        self.dropped([one, six, two], cases, rules)

    def test_clear(self):
        """In the clear, and should have been protected; also what a good packet's flow shares."""
        one, deep = self.association("in"), self.association("in", inner=6)
        cases = [(each.frame(bytes(size), size), "esp_required")
                 for size in range(100) for each in (one, deep)]
        cases += [(esp.udp_frame(*reversed(one.hosts()), b"reply"), "denied")]
        self.dropped([one, deep], cases)

    def test_no_sa(self):
        """An SPI that nobody has, the right one from elsewhere or with another encapsulation."""
        one, nat = self.association("in"), self.association("in", nat=True)
        packet, cases = one.packet(b"x"), []
        for spi in (256, 0x0FFF, 0x2000, HIGHEST):
            for like in one, nat:
                sa = esp.SA(like.sa.name, like.sa.key, spi, "tunnel", *ENDS[4],
                            nat_traversal=like.sa.nat_traversal)
                cases.append((esp.join(LINK, sa.outer(sa.seal(packet, 4, 100_000))), "esp_no_sa"))
        for like, ends, encapsulated in ((one, ("192.0.2.99", ENDS[4][1]), False),
                                         (one, ENDS[4], True), (nat, ENDS[4], False)):
            sa = esp.SA(like.sa.name, like.sa.key, like.sa.spi, "tunnel", *ends,
                        nat_traversal=encapsulated)
            cases.append((esp.join(LINK, sa.outer(sa.seal(packet, 4, 100_000))), "esp_no_sa"))
        self.dropped([one, nat], cases)

    def test_fragment(self):
        """A fragment of an ESP packet to us can't be decrypted: nobody puts it together here."""
        one, six = self.association("in"), self.association("in", outer=6)
        cases = []
        for field in 0x2000, 0x0001, 0x2001:
            packet = esp.split(one.sealed(one.packet(bytes(64)), 100_000))[1]
            packet = packet[:6] + struct.pack("!H", field) + packet[8:]
            packet = esp.with_lengths(packet[:20], 9, esp.ESP, len(packet) - 20) + packet[20:]
            cases.append((esp.join(LINK, packet), "esp_fragment"))
        for field in 0x0001, 0x0008, 0x0009:
            packet = esp.split(six.sealed(six.packet(bytes(64)), 100_000))[1]
            packet = esp.with_lengths(packet[:40], 6, esp.FRAGMENT, len(packet) - 32) \
                + struct.pack("!BBHI", esp.ESP, 0, field, 7) + packet[40:]
            cases.append((esp.join(LINK, packet), "esp_fragment"))
        self.dropped([one, six], cases)


if __name__ == "__main__":
    main()
