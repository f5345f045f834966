# SPDX-License-Identifier: BSD-3-Clause
"""What spillway encrypts on captures: see associations.py."""
import collections
import itertools
import struct

import esp
import oracle
from associations import FAMILIES, INLINE, LARGE, LINK, LOOKED, POOL, SIZES, IpsecCase, all_of, shuffled, spi_of
from harness import main, need_program


class Outbound(IpsecCase):
    """What spillway encrypts."""

    def encrypted(self, associations, sizes=SIZES, shape=INLINE, **how):
        """Protects a flow of each SA, checks it with the reference, returns the Run."""
        sent = {one: [one.frame(self.chance.randbytes(size), number)
                      for number, size in enumerate(sizes)] for one in associations}
        done = self.through(shuffled(self, sent.values()), associations, shape=shape, mtu=LARGE, **how)
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
            told = done.report["sas"][one.name]
            self.assertEqual([told[key] for key in ("packets", "sequence", "bytes")],
                             [len(done.out), len(done.out), sum(len(frame) - 14 for frame in frames[:len(done.out)])],
                             "what was dropped is not counted")

    def encrypted_until(self, frames, one):
        done = self.through(frames, [one], idle=LOOKED)
        self.same([one.sa.decrypt(frame).frame for frame in done.out], frames[:len(done.out)])
        return done


if __name__ == "__main__":
    main()
