# SPDX-License-Identifier: BSD-3-Clause
"""What is wrong with ESP packets, and what then becomes of them: see associations.py."""
import itertools
import struct

import esp
import oracle
from associations import ENDS, HIGHEST, LINK, IpsecCase
from harness import main

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

    def test_behind_labels(self):
        """IP behind MPLS or PPPoE is judged as IP, but neither encrypted nor decrypted: an SA is no place for labels."""
        one, two = self.association("in"), self.association("out")
        cases = []
        for frame in one.sealed(one.packet(bytes(40)), 100_000), two.frame(bytes(40)):
            link, packet = frame[:12], frame[14:]
            pppoe = struct.pack("!BBHHH", 0x11, 0, 7, len(packet) + 2, 0x0021)
            cases += [(link + b"\x88\x47" + struct.pack("!I", 16 << 12 | 0x100 | 64) + packet, "esp_wrapped"),
                      (link + b"\x88\x64" + pppoe + packet, "esp_wrapped")]
        self.dropped([one, two], cases)

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
        """Fragments of ESP packets to us that contradict each other, or end where none can begin."""
        one, six = self.association("in"), self.association("in", outer=6)
        cases = []
        for field in 0x2000, 0x0001, 0x2001:
            packet = esp.split(one.sealed(one.packet(bytes(64)), 100_000))[1]
            packet = packet[:6] + struct.pack("!H", field) + packet[8:]
            packet = esp.with_lengths(packet[:20], 9, esp.ESP, len(packet) - 20) + packet[20:]
            cases.append((esp.join(LINK, packet), "esp_fragment_overlap"))
        for field in 0x0001, 0x0008, 0x0009:
            packet = esp.split(six.sealed(six.packet(bytes(64)), 100_000))[1]
            packet = esp.with_lengths(packet[:40], 6, esp.FRAGMENT, len(packet) - 32) \
                + struct.pack("!BBHI", esp.ESP, 0, field, 7) + packet[40:]
            cases.append((esp.join(LINK, packet), "esp_fragment_overlap"))
        self.dropped([one, six], cases)


if __name__ == "__main__":
    main()
