# SPDX-License-Identifier: BSD-3-Clause
"""All that two daemons may agree on: algorithm, mode, families, ESN, UDP. What they count, what spillway counts, and what
is on the wire, as others decrypt it with the keys that the daemons say.

    left: charon --- spillway === ESP === spillway --- charon :right

Some of all combinations are tried, by chance; TABLE=all tries each of them (half an hour).
"""
import itertools
import os
import random
import re

import capture
import esp
import ike
import peers
from harness import main, need_program, until
from test_ike import Sites

OUTER = {4: peers.OUTER, 6: ike.OUTER6}
INNER = {4: peers.INNER, 6: ike.INNER6}
SIZES = (0, 57, 1200)

# As swanctl.conf has them, as esp.py does, and as the kernel calls them.
ALGORITHMS = {f"aes{bits}gcm16": (f"aes-{bits}-gcm", "rfc4106(gcm(aes))") for bits in (128, 192, 256)}
ALGORITHMS["chacha20poly1305"] = "chacha20-poly1305", "rfc7539esp(chacha20,poly1305)"
for _digest in "sha256", "sha1", "sha384", "sha512":
    ALGORITHMS |= {f"aes{bits}-{_digest}": (f"aes-{bits}-cbc+{_digest}", "cbc(aes)", f"hmac({_digest})")
                   for bits in (128, 192, 256)}
    ALGORITHMS[f"null-{_digest}"] = f"null+{_digest}", "ecb(cipher_null)", f"hmac({_digest})"
ALGORITHMS |= {f"aes{bits}ctr-sha256": (f"aes-{bits}-ctr+sha256", "rfc3686(ctr(aes))", "hmac(sha256)")
               for bits in (128, 192, 256)}
WAYS = list(itertools.product((("tunnel", 4, 4), ("tunnel", 6, 4), ("tunnel", 4, 6), ("tunnel", 6, 6),
                               ("transport", 4, 4), ("transport", 6, 6)), (False, True), (False, True)))


def rows():
    """Which to try: some algorithms, each in a way of its own; or all."""
    if os.environ.get("TABLE") == "all":
        return itertools.product(ALGORITHMS, WAYS)
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print(f"SEED={seed}")
    draw = random.Random(seed)
    return zip(draw.sample(list(ALGORITHMS), 8), draw.sample(WAYS, 8))


class Table(Sites):
    def setUp(self):
        super().setUp()
        need_program("tshark")
        ike.add_ipv6(self.net)
        self.wire = ike.Listener(self.net)
        self.addCleanup(self.wire.close)

    def configure(self, proposal, way):
        (mode, inner, outer), esn, udp = way
        for number, end in enumerate(self.ends):
            ends = [(OUTER[outer][which], INNER[inner][which]) for which in (number, 1 - number)]
            for pattern, text in ((r"esp_proposals = .*", f"esp_proposals = {proposal}{'-esn' * esn}"),
                                  (r"local_addrs = .*", f"local_addrs = {ends[0][0]}"),
                                  (r"remote_addrs = .*", f"remote_addrs = {ends[1][0]}"),
                                  (r"local_ts = .*", f"local_ts = {ends[0][1] if mode == 'tunnel' else 'dynamic'}"),
                                  (r"remote_ts = .*", f"remote_ts = {ends[1][1] if mode == 'tunnel' else 'dynamic'}"),
                                  (r"mode = .*", f"mode = {mode}")):
                end.daemon.change(pattern, text, load=False)
            end.daemon.change(r"(\n *encap = \w+)?\n( *)proposals", rf"\n\2encap = {'yes' if udp else 'no'}\n\2proposals")
        return (OUTER if mode == "transport" else INNER)[inner]

    def agree(self, proposal, way):
        """@return the two SAs, as esp.py has them: from left to right, and back"""
        left = self.ends[0].daemon
        since = len(left.log)
        left.swanctl("--initiate", "--child", "net", "--timeout", "20")
        (mode, _, _), esn, udp = way
        return [esp.SA(ALGORITHMS[proposal][0], key, spi, mode, source, destination, esn=esn, nat_traversal=udp)
                for spi, source, destination, key in left.agreed(since).values()]

    def counted(self, end, spi):
        """By spillway's telemetry, of an association."""
        name = next(name for name in end.program.telemetry("/spillway/sas") if name.startswith(f"{spi:08x}."))
        told = end.program.telemetry(f"/spillway/sa,{name}")
        return told["bytes"], told["packets"]

    def told(self, end):
        """What the daemon says it has received and sent."""
        text = end.daemon.swanctl("--list-sas")
        return [tuple(map(int, re.search(rf"{way} +c[0-9a-f]{{7}}, +(\d+) bytes, +(\d+) packets", text).groups()))
                for way in ("out", "in")]

    def check_wire(self, frames, sas, family, addresses):
        """What is on the wire decrypts to what was sent, and is all of it."""
        clear = {sa.spi: [] for sa in sas}
        for frame in frames:
            try:
                sa = next(sa for sa in sas if sa.spi.to_bytes(4, "big") in frame[34:70])
            except StopIteration:
                is_ping = (frame[12:14] == b"\x08\0" and frame[23] == 1 or
                           frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] in (128, 129))
                self.assertFalse(is_ping, f"in the clear: {frame.hex()}")
                continue
            clear[sa.spi].append(sa.decrypt(frame).frame)
        for sa in sas:
            self.assertEqual([len(frame) for frame in clear[sa.spi]],
                             [14 + {4: 28, 6: 48}[family] + size for size in SIZES])
            for frame in clear[sa.spi]:
                self.assertEqual({str(end) for end in esp.addresses(frame[14:])}, set(addresses))
        if all(sa.tshark() for sa in sas):
            seen = esp.tshark(capture.write(self.folder / "wire.pcap", frames), *sas)
            self.assertEqual([one.good for one in seen], [True] * 2 * len(SIZES))

    def check_row(self, proposal, way):
        (_, family, _), esn, _ = way
        addresses = self.configure(proposal, way)
        self.wire.take()
        sas = self.agree(proposal, way)
        shown = self.ends[0].ip("state list")
        for name in (*ALGORITHMS[proposal][1:], *(["esn"] if esn else [])):
            self.assertIn(name, shown)
        for size in SIZES:
            self.assertEqual(self.net.ping(self.net.left, addresses[1], "-I", addresses[0], "-s", str(size), count=1), 1)
        self.check_wire(self.wire.take(), sas, family, addresses)
        sent = sum({4: 28, 6: 48}[family] + size for size in SIZES), len(SIZES)
        for number, end in enumerate(self.ends):
            self.assertEqual([self.counted(end, sa.spi) for sa in sas], [sent] * 2)
            self.assertEqual(self.told(end), [sent] * 2, number)

    def test_rows(self):
        self.begin()
        for number, (proposal, way) in enumerate(rows()):
            with self.subTest(proposal=proposal, way=way):
                if number:
                    self.ends[0].daemon.swanctl("--terminate", "--ike", "peer", "--timeout", "20")
                    until(lambda: not self.ends[0].spis() and not self.ends[1].spis(), 20, "all is taken away")
                self.check_row(proposal, way)
        sent = sum({4: 28, 6: 48}[way[0][1]] + size for size in SIZES)
        for report in self.end():
            self.assertEqual([(sa["bytes"], sa["packets"]) for sa in report["sas"].values()], [(sent, len(SIZES))] * 2)


if __name__ == "__main__":
    main()
