# SPDX-License-Identifier: BSD-3-Clause
"""What spillway decrypts on captures: see associations.py."""
import itertools
import struct

import esp
import esp_vectors
import oracle
from associations import ENDS, INLINE, LARGE, LINK, LOOKED, POOL, SIZES, IpsecCase, all_of, shuffled
from harness import main


class Inbound(IpsecCase):
    """What spillway decrypts."""

    def decrypted(self, associations, sizes=SIZES, shape=INLINE):
        sent = {one: [one.frame(self.chance.randbytes(size), number)
                      for number, size in enumerate(sizes)] for one in associations}
        sealed = [[(one.sa.encrypt(frame, number), frame) for number, frame in enumerate(frames, 1)]
                  for one, frames in sent.items()]
        pairs = shuffled(self, sealed)
        done = self.through([there for there, _ in pairs], associations, shape=shape, mtu=LARGE)
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
                                 for number, frame in enumerate(frames, 1)], [one], idle=LOOKED)
            self.same(done.out, frames[:passes])
            self.assertEqual(sum(done.report.drops.values()),
                             done.report.drops.get("esp_expired", 0))
            self.assertRegex(done.report.stderr, rf"(?i){one.name}\b.*{limit}")
            told = done.report["sas"][one.name]
            self.assertEqual([told[key] for key in ("packets", "sequence", "bytes")],
                             [passes, passes, sum(len(frame) - 14 for frame in frames[:passes])])


if __name__ == "__main__":
    main()
