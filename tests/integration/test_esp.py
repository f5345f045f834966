# SPDX-License-Identifier: BSD-3-Clause
"""The reference itself (esp.py): known answers, round trips, and what scapy and tshark say."""
import itertools
import os
import random
import struct

import capture
import esp
import esp_vectors
from harness import TestCase, main, need_program

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
ENDS = {4: ("192.0.2.1", "198.51.100.1"), 6: ("2001:db8:1::1", "2001:db8:2::1")}
INNER = {4: ("10.1.0.1", "10.2.0.1"), 6: ("fd01::1", "fd02::1")}
HIGH = 5  # upper half of sequence numbers, with ESN


def combinations():
    """(mode, inner family, outer family) that there are: transport mode has one family."""
    return [("tunnel", inner, outer) for inner in (4, 6) for outer in (4, 6)] + [
        ("transport", family, family) for family in (4, 6)]


def sas(chance, esn=(False, True), nat=(False, True), algorithms=esp.ALGORITHMS):
    """(SA, inner family) of every algorithm in every mode, family, with ESN and NAT traversal."""
    for name, (mode, inner, outer), long, udp in itertools.product(algorithms, combinations(), esn,
                                                                   nat):
        key = chance.randbytes(esp.ALGORITHMS[name].key_size)
        ends = ENDS[outer] if mode == "tunnel" else INNER[inner]
        yield esp.SA(name, key, chance.randrange(256, 1 << 32), mode, *ends, long, udp), inner


class Known(TestCase):
    """Known answers."""

    def test_aead(self):
        for vector in esp_vectors.GCM + esp_vectors.CHACHA:
            with self.subTest(vector.name):
                spi, low = struct.unpack_from("!II", vector.esp)
                sa = esp.SA(vector.algorithm, vector.key, spi, "tunnel", *ENDS[4],
                            esn=vector.high is not None)
                sequence = (vector.high or 0) << 32 | low
                iv = vector.esp[8:16]
                self.assertEqual(sa.seal_plain(vector.plain, sequence, iv), vector.esp)
                opened = sa.open(vector.esp, vector.high or 0)
                self.assertEqual(opened.data + opened.padding
                                 + bytes([len(opened.padding), opened.next_header]), vector.plain)
                self.assertEqual(sa.seal(opened.data, opened.next_header, sequence, iv,
                                         opened.padding), vector.esp)

    def test_cbc(self):
        """With an ICV of ours behind each, as the RFC's packets have none."""
        for vector in esp_vectors.CBC:
            with self.subTest(vector.name):
                spi, sequence = struct.unpack_from("!II", vector.esp)
                sa = esp.SA("aes-128-cbc+sha256", vector.key + bytes(32), spi, "tunnel", *ENDS[4])
                sealed = sa.seal(vector.plain[:-2 - vector.plain[-2]], vector.plain[-1], sequence,
                                 vector.esp[8:24])
                self.assertEqual(sealed[:-16], vector.esp)
                opened = sa.open(sealed)
                self.assertEqual(opened.data + opened.padding
                                 + bytes([len(opened.padding), opened.next_header]), vector.plain)

    def test_hmac(self):
        """The ICV of a packet without encryption; its header is the first 8 bytes of the data."""
        for digest, key, data, icv in esp_vectors.HMAC:
            with self.subTest(digest):
                sa = esp.SA(f"null+{digest}", key, 256, "tunnel", *ENDS[4])
                self.assertEqual(sa._mac(data, 0).hex(), icv)

    def test_ecn(self):
        """RFC 6040, figure 4, row by row: Not-ECT, ECT(0), ECT(1), CE outside."""
        rows = {esp.NOT_ECT: (0, 0, 0, None), esp.ECT0: (2, 2, 1, 3), esp.ECT1: (1, 1, 1, 3),
                esp.CE: (3, 3, 3, 3)}
        for inner, row in rows.items():
            for outer, expected in zip((esp.NOT_ECT, esp.ECT0, esp.ECT1, esp.CE), row):
                if expected is None:
                    with self.assertRaises(esp.Refused):
                        esp.ecn_on_leaving(inner, outer)
                else:
                    self.assertEqual(esp.ecn_on_leaving(inner, outer), expected, (inner, outer))


class Round(TestCase):
    """Every algorithm, mode, family, with and without ESN and NAT traversal."""

    def setUp(self):
        super().setUp()
        print(f"SEED={SEED}")
        self.chance = random.Random(SEED)

    def frames(self, family, sizes):
        return [esp.udp_frame(*INNER[family], self.chance.randbytes(size), identification=number,
                              traffic=self.chance.randrange(256))
                for number, size in enumerate(sizes)]

    def test_there_and_back(self):
        for sa, inner in sas(self.chance):
            high = HIGH if sa.esn else 0
            frames = self.frames(inner, (1, 2, 3, 4, 15, 16, 17, 1400, 9000))
            for sequence, frame in enumerate(frames, high << 32 | 1):
                there = sa.encrypt(frame, sequence)
                self.assertEqual(there[:12], frame[:12])
                packet = esp.split(frame)[1]
                behind = esp.headers(packet)[0] if sa.mode == "transport" else 0
                self.assertEqual(len(esp.split(there)[1]), behind + sa.size(len(packet) - behind))
                back = sa.decrypt(there, high)
                self.assertEqual(back.frame, frame, sa)
                self.assertEqual(back.opened.sequence, sequence)
                with self.assertRaises(esp.Refused) as refused:
                    at = self.chance.randrange(len(there) - sa.algorithm.icv - 4, len(there))
                    sa.decrypt(there[:at] + bytes([there[at] ^ 1]) + there[at + 1:], high)
                # Where UDP has a checksum, that is looked at first.
                self.assertIn(refused.exception.reason, ("esp_bad_icv", "malformed_transport"))
                if sa.esn:
                    with self.assertRaises(esp.Refused):
                        sa.decrypt(there, high + 1)

    def test_refused(self):
        sa, _ = next(sas(self.chance))
        packet = esp.split(self.frames(4, (100,))[0])[1]
        for reason, sealed in {
                "esp_dummy": sa.seal(b"", esp.NO_NEXT_HEADER, 1),
                "esp_next_header": sa.seal(packet, 6, 1),
                "esp_bad_padding": sa.seal(packet, 4, 1, padding=b"\1\2\4\4" * 4 + b"\1\2"),
                "malformed_ipv4": sa.seal(packet[:-4], 4, 1),
                "malformed_ipv6": sa.seal(packet, 41, 1)}.items():
            with self.assertRaises(esp.Refused) as refused:
                sa.decrypt(esp.join(b"\2" * 12, sa.outer(sealed)))
            self.assertEqual(refused.exception.reason, reason)

    def test_options_and_tags(self):
        """Headers that stay in front of ESP in transport mode, tags, and padded frames."""
        tag = b"\x81\0\0\x64"
        frame = self.frames(4, (4,))[0]
        tagged = frame[:12] + tag + frame[12:] + bytes(10)
        options = bytearray(esp.split(frame)[1])
        options[0:1], options[20:20] = b"\x46", b"\x94\4\0\0"
        options = esp.with_lengths(bytes(options[:24]), 9, 17, len(options) - 24) + options[24:]
        routed = esp.split(self.frames(6, (4,))[0])[1]
        routed = esp.with_lengths(routed[:40], 6, 0, 24 + len(routed) - 40) \
            + b"\x2b\0\1\4\0\0\0\0" + b"\x3c\0\0\0\0\0\0\0" + b"\x11\0\1\4\0\0\0\0" + routed[40:]
        for packet, stays in (options, 24), (routed, 56):
            sa = esp.SA("aes-128-gcm", bytes(20), 256, "transport")
            link = b"\2" * 12 + tag
            there = sa.encrypt(esp.join(link, packet), 1)
            self.assertEqual(there[:16], link)
            self.assertEqual(esp.headers(esp.split(there)[1], False)[0], stays)
            self.assertEqual(sa.decrypt(there).frame, esp.join(link, packet))
        sa = esp.SA("aes-128-gcm", bytes(20), 256, "tunnel", *ENDS[6])
        self.assertEqual(sa.decrypt(sa.encrypt(tagged, 1)).frame, tagged[:-10])

    def test_tshark(self):
        """tshark decrypts and authenticates all that it knows: no ChaCha20, no ESN."""
        need_program("tshark")
        known, frames, expected = [], [], []
        for sa, inner in sas(self.chance, esn=(False,)):
            if not sa.tshark():
                continue
            known.append(sa)
            for number, frame in enumerate(self.frames(inner, (1, 16, 1400)), 1):
                packet = esp.split(frame)[1]
                whole = sa.mode == "tunnel"
                frames.append(sa.encrypt(frame, number))
                expected.append(esp.Seen(number, True, {4: 4, 6: 41}[inner] if whole else 17,
                                         packet if whole else packet[esp.headers(packet)[0]:]))
        self.assertEqual(len(known), (len(esp.ALGORITHMS) - 1) * 12)
        seen = esp.tshark(capture.write(self.folder / "esp.pcap", frames), *known)
        self.assertEqual(len(seen), len(expected))
        for number, (one, other) in enumerate(zip(seen, expected)):
            self.assertEqual(one, other, known[number // 3])

    def test_scapy(self):
        """scapy decrypts what it can: with ESN AEAD alone, with NAT traversal tunnels alone."""
        from scapy.all import IP, UDP, IPv6, raw
        from scapy.layers import ipsec
        ciphers = {"gcm": "AES-GCM", "cbc": "AES-CBC", "ctr": "AES-CTR", "null": "NULL",
                   "chacha": "CHACHA20-POLY1305"}
        digests = {"sha1": "HMAC-SHA1-96", "sha256": "SHA2-256-128", "sha384": "SHA2-384-192",
                   "sha512": "SHA2-512-256"}
        for sa, inner in sas(self.chance):
            if sa.esn and sa.algorithm.digest or sa.nat_traversal and sa.mode == "transport":
                continue
            layer = {4: IP, 6: IPv6}
            high = HIGH if sa.esn else 0
            other = ipsec.SecurityAssociation(
                ipsec.ESP, sa.spi, crypt_algo=ciphers[sa.algorithm.cipher],
                crypt_key=sa.cipher_key + sa.salt or None, auth_key=sa.auth_key or None,
                auth_algo=digests[sa.algorithm.digest] if sa.algorithm.digest else None,
                tunnel_header=layer[sa.source.version](src=str(sa.source), dst=str(sa.destination))
                if sa.mode == "tunnel" else None,
                nat_t_header=UDP(sport=4500, dport=4500) if sa.nat_traversal else None,
                esn_en=sa.esn, esn=high)
            for frame in self.frames(inner, (1, 1400)):
                packet = esp.split(frame)[1]
                if not sa.nat_traversal:  # there scapy 2.5 gets the length of UDP wrong
                    theirs = other.encrypt(layer[inner](packet), seq_num=7)
                    theirs = esp.join(frame[:12], raw(theirs))
                    self.assertEqual(sa.decrypt(theirs, high).frame, frame, sa)
                ours = esp.split(sa.encrypt(frame, high << 32 | 7))[1]
                self.assertEqual(raw(other.decrypt(layer[sa.source.version](ours))), packet, sa)


if __name__ == "__main__":
    main()
