# SPDX-License-Identifier: BSD-3-Clause
"""Routed ports as ends of tunnels, on captures: what leaves encrypted, and what comes so, both families, crosswise."""
import itertools

import esp
from harness import main
from routed_tunnels import GATEWAY_MAC, SHAPES, SITE_MAC, TunnelCase, mac, port_mac, routed

FAMILIES = list(itertools.product((4, 6), (4, 6), (False, True)))


class Ends(TunnelCase):
    def all_kinds(self):
        """A tunnel of each family inside and outside, with and without UDP around it."""
        return [self.tunnel(inner=inner, outer=outer, nat=nat) for inner, outer, nat in FAMILIES]

    def test_outbound(self):
        """What leaves is routed by its outer header; inside there is a hop less."""
        tunnels = self.all_kinds()
        frames = [one.leaving(self.chance.randbytes(20 + number), number) for number in range(1, 41) for one in tunnels]
        for name, shape in SHAPES.items():
            with self.subTest(name):
                report, got = self.through({"lan": frames}, tunnels, shape)
                self.assertEqual(report.drops, {})
                self.assertEqual(got["lan"], [])
                self.assertEqual(len(got["wan"]), len(frames))
                for one in tunnels:
                    clear, numbers = [], []
                    for frame in got["wan"]:
                        try:
                            found = one.out.decrypt(frame)
                        except esp.Refused:
                            continue
                        self.assertEqual(frame[:12], mac(GATEWAY_MAC) + mac(port_mac(1)))
                        self.assertEqual(found.outer[8 if one.outer == 4 else 7], 64)
                        clear.append(found.frame)
                        numbers.append(found.opened.sequence)
                    self.assertEqual(numbers, list(range(1, 41)))
                    mine = [routed(frame, 1, GATEWAY_MAC) for frame in frames[one.number - 1::len(tunnels)]]
                    self.same(clear, mine, one.out)

    def test_inbound(self):
        """What comes as ESP to the router is decrypted, then routed by what is inside."""
        tunnels = self.all_kinds()
        pairs = [(one, one.coming(self.chance.randbytes(20 + number), number)) for number in range(1, 41)
                 for one in tunnels]
        sealed = [one.back.encrypt(frame, number // len(tunnels) + 1) for number, (one, frame) in enumerate(pairs)]
        for name, shape in SHAPES.items():
            with self.subTest(name):
                report, got = self.through({"wan": sealed}, tunnels, shape)
                self.assertEqual(report.drops, {})
                self.assertEqual(got["wan"], [])
                for one in tunnels:
                    mine = [routed(frame, 0, SITE_MAC) for other, frame in pairs if other is one]
                    self.same([frame for frame in got["lan"] if frame in set(mine)], mine, one.back)
                self.assertEqual(len(got["lan"]), len(pairs))


if __name__ == "__main__":
    main()
