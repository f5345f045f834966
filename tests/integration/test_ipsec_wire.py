# SPDX-License-Identifier: BSD-3-Clause
"""ESP as it is on wires: what stands behind packets, checksums, which end of a wire they come by.

See associations.py. Here both ports receive: what goes into `in` comes out of `out`, and back.
"""
import ipaddress
import itertools
import struct

import capture
import esp
from associations import ENDS, INLINE, LINK, MTU, POOL, IpsecCase, Run
from harness import CPUS, READ, main, spillway

TRAILER = b"\xa5" * 6


def tcp_frame(source, destination, data):
    """One that begins a connection."""
    link, packet = esp.split(esp.udp_frame(source, destination, data))
    size, name = {4: (20, 9), 6: (40, 6)}[packet[0] >> 4]
    segment = struct.pack("!HHIIBBHHH", 40000, 40001, 1, 0, 0x50, 2, 1024, 0, 0) + data
    header = esp.with_lengths(packet[:size], name, 6, len(segment))
    summed = esp.checksum(esp.pseudo_header(header, 6, len(segment)) + segment)
    return esp.join(link, header + segment[:16] + struct.pack("!H", summed) + segment[18:])


class OnTheWire(IpsecCase):
    def both(self, there, back, associations, rules=None, shape=INLINE, default="deny", mtu=MTU):
        """Sends frames into both ports of a wire, those of `there` first."""
        if rules is None:
            rules = "".join(one.rule() for one in associations)
        self.file("rules", rules)
        files = {name: self.folder / f"{name}.pcap" for name in ("in", "out", "there", "back")}
        capture.write(files["there"], there)
        capture.write(files["back"], back)
        config = self.file("ipsec.conf", f"[spillway]\nrules = rules\ndefault = {default}\n"
                           f"[port in]\nmtu = {mtu}\n"
                           f"device = net_pcap0,rx_pcap={files['there']},tx_pcap={files['in']}\n"
                           f"[port out]\nmtu = {mtu}\n"
                           f"device = net_pcap1,rx_pcap={files['back']},tx_pcap={files['out']}\n"
                           "[wire w]\nports = in, out\n"
                           + "".join(one.section(self.folder) for one in associations))
        report = self.check(spillway("--config", config, "--exit-on-idle", READ, *shape,
                                     timeout=120))
        self.assertEqual(report.packets["received"], len(there) + len(back))
        return Run(report, capture.read(files["out"]), capture.read(files["in"]))

    # ------------------------------------------------------------------ behind the packet

    def test_trailer(self):
        """A packet that just fits, with bytes behind it in its frame, is encrypted: they are no part
        of it, in lifetimes neither."""
        for inner in 4, 6:
            for outer in 4, 6:
                one = self.association("out", inner=inner, outer=outer)
                room = 1500 - one.sa.size(0)
                while one.sa.size(room + 1) <= 1500:
                    room += 1
                head = len(esp.split(one.frame(b""))[1])
                sent = [one.frame(bytes(room - head - less), number)
                        for number, less in enumerate((0, 1, 700), 1)]
                done = self.through([frame + TRAILER for frame in sent], [one], mtu=1500)
                self.same([one.sa.decrypt(frame).frame for frame in done.out], sent)
                self.assertEqual(done.report.drops, {})
                self.assertEqual(done.report["sas"][one.name]["bytes"],
                                 sum(len(esp.split(frame)[1]) for frame in sent))

    def test_bytes_of_both_ends(self):
        """Both ends of an association count the same: the packets inside."""
        for mode, inner in ("tunnel", 4), ("tunnel", 6), ("transport", 4), ("transport", 6):
            out = self.association("out", "aes-128-cbc+sha256", mode=mode, inner=inner)
            back = self.association("in", "aes-128-cbc+sha256", mode=mode, inner=inner)
            back.number, back.sa, back.ends = out.number, out.sa, out.ends
            sent = [out.frame(bytes(size), number) for number, size in enumerate((1, 17, 999), 1)]
            first = self.through([frame + TRAILER for frame in sent], [out])
            second = self.through([frame + TRAILER for frame in first.out], [back])
            self.same(second.out, sent)
            counted = [first.report["sas"][out.name]["bytes"],
                       second.report["sas"][back.name]["bytes"],
                       sum(len(esp.split(frame)[1]) for frame in sent)]
            self.assertEqual(len(set(counted)), 1, counted)

    def test_hidden_size(self):
        """Padding behind the packet inside hides its size (RFC 4303, 2.7), and is cut off."""
        for inner in 4, 6:
            for shape in INLINE, POOL:
                one = self.association("in", inner=inner)
                packets = [one.packet(bytes(size)) for size in (0, 11, 100)]
                frames = [one.sealed(packet + bytes(hidden), number)
                          for number, (packet, hidden) in enumerate(
                              ((packet, hidden) for packet in packets for hidden in (1, 4, 900)), 1)]
                done = self.through(frames, [one], shape=shape)
                self.same(done.out, [esp.join(LINK, packet) for packet in packets for _ in range(3)])
                self.assertEqual(done.report["sas"][one.name]["bytes"],
                                 3 * sum(len(packet) for packet in packets))

    def test_behind_the_datagram(self):
        """ESP in UDP ends where UDP says."""
        one = self.association("in", nat=True)
        frame = one.frame(b"inside")
        link, packet = esp.split(one.sa.encrypt(frame, 1))
        header = esp.with_lengths(packet[:20], 9, esp.UDP, len(packet) - 20 + len(TRAILER))
        done = self.through([esp.join(link, header + packet[20:] + TRAILER)], [one])
        self.same(done.out, [frame])

    # ------------------------------------------------------------------ UDP

    def test_udp_checksum(self):
        """Over IPv6 it is there and right (RFC 8200, 8.1), over IPv4 it is zero (RFC 3948, 2.1).
        What comes may have any: the ICV tells more than it could (RFC 6935, 6936)."""
        for mode, outer in ("tunnel", 4), ("tunnel", 6), ("transport", 4), ("transport", 6):
            inner = outer if mode == "transport" else 4
            one = self.association("out", mode=mode, inner=inner, outer=outer, nat=True)
            sent = [one.frame(self.chance.randbytes(size), number)
                    for number, size in enumerate((1, 2, 3, 1400), 1)]
            done = self.through(sent, [one])
            self.same([one.sa.decrypt(frame).frame for frame in done.out], sent)
            for frame in done.out:
                packet = esp.split(frame)[1]
                at = 20 if outer == 4 else 40
                self.assertEqual(packet[at + 6:at + 8] == b"\0\0", outer == 4)
            back = self.association("in", mode=mode, inner=inner, outer=outer, nat=True)
            frames = [back.frame(b"data", number) for number in range(2)]
            there = []
            for number, zero in enumerate((False, True)):
                back.sa.zero_checksum = zero
                there.append(back.sa.encrypt(frames[number], number + 1))
            self.same(self.through(there, [back]).out, frames)

    def test_checksum_behind_a_nat(self):
        """In transport mode checksums inside are of addresses that a NAT has changed: they are made anew (RFC 3948, 3.1.2)."""
        for family, other in (4, "203.0.113.9"), (6, "2001:db8:9::9"):
            one = self.association("in", mode="transport", inner=family, outer=family, nat=True)
            if one.has_ends():
                one = self.association("in", mode="transport", inner=family, outer=family, nat=True)
            one.sa.zero_checksum = True
            own, host = one.hosts()
            there, expected = [], []
            for number, (make, data) in enumerate(itertools.product((esp.udp_frame, tcp_frame), (b"", b"x", bytes(range(250)))), 1):
                link, packet = esp.split(one.sa.encrypt(make(own, host, data), number))
                at, end = {4: (12, 20), 6: (8, 40)}[family]
                packed = ipaddress.ip_address(other).packed
                header = packet[:at] + packed + packet[at + len(packed):end]
                there.append(esp.join(link, esp.with_lengths(header, {4: 9, 6: 6}[family], esp.UDP, len(packet) - end)
                                      + packet[end:]))
                expected.append(make(other, host, data))
            bits = {4: 32, 6: 128}[family]
            done = self.through(there, [one], f"protect {one.name} any from any to {host}/{bits}\n")
            self.assertEqual(done.report.drops, {})
            self.same(done.out, expected)

    def test_keepalive(self):
        """A keepalive (RFC 3948, 2.3) is a byte, also in a frame of Ethernet's least size; and
        nothing shorter than an ESP header is ESP."""
        one = self.association("in", nat=True)
        frames = [esp.udp_frame(*ENDS[4], data, ports=(4500, 4500)) + padding
                  for data in (b"\xff", b"\xff\xff", b"\1" * 7) for padding in (b"", bytes(17))]
        done = self.through(frames, [one], one.rule() + "allow udp from any to any\n")
        self.same(done.out, frames)
        self.assertEqual(done.report.drops, {})

    # ------------------------------------------------------------------ several lcores

    def test_a_nat_changes_its_mind(self):
        """The source port changes within a flow, and packets take other VLANs: with two fast lcores
        all of them are decrypted."""
        shape = ("--fast", ",".join(str(cpu) for cpu in CPUS[:2]), "--idle", "sleep",
                 "--on-pool-full", "classify=inline")
        if len(CPUS) < 2:
            self.skipTest("needs two CPUs")
        for outer in 4, 6:
            one = self.association("in", outer=outer, nat=True)
            frames = [one.frame(self.chance.randbytes(50), number) for number in range(200)]
            one.sa.zero_checksum = True
            there = []
            for number, frame in enumerate(frames, 1):
                link, packet = esp.split(one.sa.encrypt(frame, number))
                at = 20 if outer == 4 else 40
                port = struct.pack("!H", 4500 if number < 50 else 20000 + number % 40)
                tag = b"" if number < 150 else struct.pack("!HH", 0x8100, 7)
                there.append(esp.join(link + tag, packet[:at] + port + packet[at + 2:]))
            done = self.through(there, [one], shape=shape)
            self.assertEqual(done.report.drops, {})
            self.assertEqual(done.report["sas"][one.name]["packets"], len(frames))
            self.same(sorted(esp.split(frame)[1] for frame in done.out),
                      sorted(esp.split(frame)[1] for frame in frames))

    def test_two_wires(self):
        """ESP of one association comes by two wires, as while a failover is under way: all of it is
        decrypted, and leaves by the wire that it came by."""
        if len(CPUS) < 2:
            self.skipTest("needs two CPUs")
        one = self.association("in")
        frames = [one.frame(self.chance.randbytes(50), number) for number in range(400)]
        self.file("rules", one.rule())
        config = ["[spillway]\nrules = rules\n" + one.section(self.folder)]
        for wire in 0, 1:
            capture.write(self.folder / f"in{wire}.pcap", [
                one.sa.encrypt(frame, number) for number, frame in enumerate(frames, 1) if number % 2 == wire])
            config.append(f"[port in{wire}]\ndevice = net_pcap{wire},rx_pcap={self.folder}/in{wire}.pcap\n"
                          f"[port out{wire}]\ndevice = net_pcap{2 + wire},tx_pcap={self.folder}/out{wire}.pcap\n"
                          f"[wire w{wire}]\nports = in{wire}, out{wire}\n")
        report = self.check(spillway(
            "--config", self.file("two.conf", "".join(config)), "--exit-on-idle", READ, "--fast",
            ",".join(str(cpu) for cpu in CPUS[:2]), "--idle", "sleep", "--on-pool-full", "classify=inline"))
        self.assertEqual(report.drops, {})
        for wire in 0, 1:
            self.same(capture.read(self.folder / f"out{wire}.pcap"),
                      [frame for number, frame in enumerate(frames, 1) if number % 2 == wire], wire)

    # ------------------------------------------------------------------ in fragments

    def test_fragments(self):
        """ESP that was fragmented on its way is put together (RFC 4303, 3.4.1): in any order, also
        among other packets, in UDP and not."""
        for outer in 4, 6:
            for nat in False, True:
                for shape in INLINE, POOL:
                    one = self.association("in", outer=outer, nat=nat)
                    frames = [one.frame(self.chance.randbytes(1400), number) for number in range(9)]
                    there = []
                    for number, frame in enumerate(frames, 1):
                        sealed = one.sa.encrypt(frame, number)
                        parts = esp.pieces(sealed, (1000, 600, 504)[number % 3], number)
                        self.chance.shuffle(parts)
                        there += parts if number % 4 else [sealed]
                    done = self.through(there, [one], shape=shape)
                    self.same(done.out, frames)
                    self.assertEqual(done.report.drops, {"esp_reassembled": len(there) - len(frames)})

    def test_fragments_first_by_the_second_port(self):
        """They keep the port that they came by, also where the first of a burst is one put together:
        what is inside goes to the wire's other end, and the side is learned right."""
        for keys in {}, {"port": "out"}:
            for outer in 4, 6:
                one = self.association("in", outer=outer, **keys)
                frames = [one.frame(self.chance.randbytes(1400), number) for number in range(40)]
                sealed = [one.sa.encrypt(frame, number) for number, frame in enumerate(frames, 1)]
                there = esp.pieces(sealed[0], 1000) + sealed[1:39] + esp.pieces(sealed[39], 1000, 2)
                done = self.both([], there, [one])
                self.same(done.back, frames)
                self.same(done.out, [])
                self.assertEqual(done.report.drops, {"esp_reassembled": len(there) - len(frames)})

    def test_broken_fragments(self):
        """What overlaps, or is not all there, is not decrypted; the packet behind it is."""
        for outer in 4, 6:
            one = self.association("in", outer=outer)
            frames = [one.frame(self.chance.randbytes(1000), number) for number in range(4)]
            sealed = [one.sa.encrypt(frame, number) for number, frame in enumerate(frames, 1)]
            first, second = esp.pieces(sealed[0], 600, 1)
            shifted = esp.pieces(sealed[0], 592, 1)[1]
            done = self.through([first, shifted, second] + esp.pieces(sealed[1], 600, 2)[:1]
                                + esp.pieces(sealed[2], 600, 3) + sealed[3:], [one])
            self.same(done.out, frames[2:])
            self.assertEqual(done.report.drops, {"esp_fragment_overlap": 3, "esp_reassembled": 1,
                                                 "esp_fragment_timeout": 1})

    def whole(self, parts):
        """The IP packet that fragments make, which come in order and have no gap."""
        link, first = esp.split(parts[0])
        payload, numbers = b"", set()
        for part in parts:
            packet = esp.split(part)[1]
            at, more = {4: lambda p: (20, p[6] & 0x20), 6: lambda p: (48, p[43] & 1)}[
                packet[0] >> 4](packet)
            offset = struct.unpack_from("!H", packet, 6 if at == 20 else 42)[0]
            offset = offset % 8192 * 8 if at == 20 else offset & ~7
            self.assertEqual(offset, len(payload))
            self.assertEqual(bool(more), part is not parts[-1])
            numbers.add(packet[4:6] if at == 20 else packet[44:48])
            payload += packet[at:]
        self.assertEqual(len(numbers), 1)
        if first[0] >> 4 == 4:
            header = esp.with_lengths(first[:6] + b"\0\0" + first[8:20], 9, first[9], len(payload))
        else:
            header = esp.with_lengths(first[:40], 6, first[40], len(payload))
        return esp.join(link, header + payload)

    def test_least_mtu(self):
        """IPv6 of 1280 bytes passes, however little room there is: what it becomes is fragmented (RFC
        2473, 7.1). Of less than that nobody is told."""
        for mode, outer in ("tunnel", 4), ("tunnel", 6), ("transport", 6):
            for nat in False, True:
                for shape in INLINE, POOL:
                    one = self.association("out", mode=mode, inner=6, outer=outer, nat=nat)
                    size = 1280 - 48
                    sent = [one.frame(self.chance.randbytes(size - less), number)
                            for number, less in enumerate((0, 1, 8, 500), 1)]
                    large = one.frame(bytes(size + 1))
                    # A fast lcore that lost its CPU meanwhile has no time left to fragment.
                    for _ in range(5):
                        done = self.through(sent[:3] + [large] + sent[3:], [one], mtu=1300,
                                            shape=shape)
                        if "tx_fit_limit" not in done.report.drops:
                            break
                    self.assertTrue(all(len(esp.split(frame)[1]) <= 1300 for frame in done.out))
                    self.assertEqual(len(done.out), 7)
                    got = [self.whole(done.out[at:at + 2]) for at in (0, 2, 4)] + done.out[6:]
                    self.same([one.sa.decrypt(frame).frame for frame in got], sent)
                    self.assertEqual(done.report.drops, {"esp_too_big": 1})
                    told = esp.split(done.back[0])[1]
                    self.assertEqual((len(done.back), told[40], struct.unpack_from("!I", told, 44)[0]),
                                     (1, 2, 1280))

    def test_too_big_behind_decryption(self):
        """The sender inside is told through the tunnel; where no rule protects what goes back, nobody is."""
        shapes = INLINE, POOL, (*POOL, "--dispatch", "classify=pool")
        for inner, outer, shape in itertools.product((4, 6), (4, 6), shapes):
            one = self.association("in", inner=inner, outer=outer)
            back = self.association("out", inner=inner, outer=outer)
            near, far = one.hosts()
            clear = [one.frame(bytes(size), number, **({"fragment": 0x4000} if inner == 4 else {}))
                     for number, size in enumerate((10, 1400, 1400, 1200), 1)]
            sealed = [one.sa.encrypt(frame, number) for number, frame in enumerate(clear, 1)]
            for answered in True, False:
                rules = one.rule() + (f"protect {back.name}" if answered else "allow") + (
                    f" any from {far} to {near}\n")
                done = self.through(sealed, [one, back], rules, shape=shape, out_mtu=1300)
                self.same(done.out, [clear[0], clear[3]])
                self.assertEqual(done.report.drops,
                                 {"tx_too_big": 2} | ({} if answered else {"esp_answer": 2}))
                self.assertEqual(done.report["exits"]["icmp_errors"], 2)
                self.assertEqual(len(done.back), 2 if answered else 0)
                for frame in done.back:
                    told = esp.split(back.sa.decrypt(frame).frame)[1]
                    at = {4: 20, 6: 40}[inner]
                    self.assertEqual(told[at:at + 2], {4: b"\3\4", 6: b"\2\0"}[inner])
                    self.assertEqual(struct.unpack_from("!H", told, at + 6)[0], 1300)
                    self.assertIn(told[at + 8:at + 400], esp.split(clear[1])[1] + esp.split(clear[2])[1])

    def test_fragments_of_others(self):
        """Fragments in transit, of IKE to an address of ours, and of UDP from strangers, go by the rules
        as they came."""
        one = self.association("in", nat=True)
        away = esp.SA("aes-128-gcm", bytes(20), 0x4444, "tunnel", *reversed(ENDS[4]))
        ike = esp.udp_frame(*ENDS[4], b"\0\0\0\0" + bytes(1400), ports=(4500, 4500))
        other = esp.udp_frame(*ENDS[4], bytes(1400), ports=(53, 5353))
        transit = away.encrypt(one.frame(bytes(1200)), 1)
        away.nat_traversal = True
        in_udp = away.encrypt(one.frame(bytes(1200)), 1)
        # To an address of ours, from nobody that we know.
        away.source, away.destination = away.destination, away.source
        away.source += 7
        stranger = away.encrypt(one.frame(bytes(1200)), 1)
        frames = sum((esp.pieces(frame, 800, number)
                      for number, frame in enumerate((ike, other, transit, in_udp, stranger))), [])
        for action in "allow", "deny":
            done = self.through(frames, [one], one.rule() + f"{action} any from any to any\n")
            self.same(sorted(done.out), sorted(frames) if action == "allow" else [])
            self.assertEqual(done.report.drops, {} if action == "allow" else {"denied": len(frames)})

    # ------------------------------------------------------------------ ends of a wire

    def pair(self, **keys):
        """Associations between the ends of a tunnel, outbound and inbound, and a rule for each."""
        out, back = self.association("out", **keys), self.association("in", **keys)
        back.sa.source, back.sa.destination = out.sa.destination, out.sa.source
        back.ends = tuple(reversed(out.ends))
        return out, back

    def test_sides_as_configured(self):
        """ESP by the wrong end is not decrypted, clear packets by the wrong end are not encrypted;
        neither uses up anything."""
        for shape in INLINE, POOL:
            out, back = self.pair(port="out")
            clear = [out.frame(bytes(9), number) for number in range(20)]
            inside = [back.frame(bytes(9), number) for number in range(20)]
            sealed = [back.sa.encrypt(frame, number) for number, frame in enumerate(inside, 1)]
            done = self.both(clear + sealed[:10], clear + sealed, [out, back], shape=shape)
            self.same([out.sa.decrypt(frame).frame for frame in done.out], clear)
            self.same(done.back, inside)
            self.assertEqual(done.report.drops, {"esp_wrong_port": 30})
            self.assertEqual(done.report["sas"][out.name]["sequence"], 20)
            self.assertEqual(done.report["sas"][back.name]["packets"], 20)

    def test_sides_as_rules_say(self):
        """Rules that say by which port packets come tell where an association's ESP is."""
        out, back = self.pair()
        rules = f"{out.rule().rstrip()} in in\n{back.rule().rstrip()} in out\n"
        clear, inside = out.frame(b"clear"), back.frame(b"inside")
        sealed = [back.sa.encrypt(inside, number) for number in (1, 2)]
        # The first that come are at the wrong ends: nobody learns from them.
        done = self.both(sealed[:1], [clear], [out, back], rules)
        self.assertEqual(done.report.drops, {"esp_wrong_port": 1, "denied": 1})
        done = self.both(sealed[:1] + [clear], [clear] + sealed, [out, back], rules)
        self.same([out.sa.decrypt(frame).frame for frame in done.out], [clear])
        self.same(done.back, [inside] * 2)
        self.assertEqual(done.report.drops, {"esp_wrong_port": 1, "denied": 1})

    def test_sides_as_traffic_shows(self):
        """Without the key: the end of the first packet, authentic or in the clear, is the one."""
        out, back = self.association("out"), self.association("in")
        clear = [out.frame(bytes(9), number) for number in range(20)]
        inside = [back.frame(bytes(9), number) for number in range(20)]
        sealed = [back.sa.encrypt(frame, number) for number, frame in enumerate(inside, 1)]
        # Both come by `in`, which is right for the one as for the other: they are of two peers.
        done = self.both((clear + sealed)[:32], (sealed + clear)[:32], [out], out.rule())
        self.same([out.sa.decrypt(frame).frame for frame in done.out], clear)
        self.assertEqual(done.report.drops, {"denied": 12 + 20, "esp_wrong_port": 12})
        done = self.both(sealed[:10], sealed[10:], [back])
        self.same(done.out, inside[:10])
        self.assertEqual(done.report.drops, {"esp_wrong_port": 10})

    def test_authentic_is_truer_than_first(self):
        """A stranger's packet that is the first of all, by the wrong end, does not keep the inside
        out once the peer has spoken."""
        out, back = self.pair()
        clear = [out.frame(bytes(9), number) for number in range(40)]
        inside = back.frame(bytes(9))
        # Bursts are of 32: in the second one the peer's side is known.
        there = [out.frame(b"stranger")] * 32 + [back.sa.encrypt(inside, 1)] + [out.frame(b"late")]
        done = self.both(there, [out.frame(b"inside")] * 32 + clear, [out, back])
        self.same([out.sa.decrypt(frame).frame for frame in done.back[-40:]], clear)
        self.same(done.out[-1:], [inside])


if __name__ == "__main__":
    main()
