# SPDX-License-Identifier: BSD-3-Clause
"""What leaves to a capture: whole, or cut to an MTU that is given (law 10)."""
import socket
import struct

import capture
from harness import READ, TestCase, main, spillway
from udp_packets import frame, udp4, udp6


class Files(TestCase):
    """Captures have no MTU but one that is given."""

    def through(self, frames, *options, out="tx_pcap={}/out.pcap"):
        path = capture.write(self.folder / "in.pcap", frames)
        report = self.check(spillway(
            "--port", f"in=net_pcap0,rx_pcap={path},tx_pcap={self.folder}/back.pcap", "--port",
            "out=net_pcap1," + out.format(self.folder), "--wire", "in:out", "--default", "allow",
            "--exit-on-idle", READ, *options))
        return report, capture.read(self.folder / "out.pcap"), capture.read(self.folder / "back.pcap")

    def test_whole_or_not_at_all(self):
        sizes = 100, 1514, 9014, 16128, 16129, 20014, 65535 - 14
        frames = [frame(udp4(size - 14, False, number)) for number, size in enumerate(sizes)]
        report, out, _ = self.through(frames)
        lost = [one for one in frames if one not in out]
        self.assertEqual([one for one in frames if one in out], out, "no part of a frame")
        self.assertEqual(report.packets["transmitted"], len(out))
        self.assertEqual(report.drops.get("tx_too_big", 0), len(lost))
        self.assertTrue(all(len(one) > 16128 for one in lost))

    def test_an_mtu_that_is_given(self):
        sizes = 1400, 1500, 1501, 3000
        report, out, back = self.through([frame(udp4(size, True)) for size in sizes], "--mtu",
                                         "out:1500")
        self.assertEqual([len(one) - 14 for one in out], [1400, 1500])
        self.assertEqual(report.drops, {"tx_too_big": 2})
        self.assertEqual([struct.unpack_from("!H", one, 40)[0] for one in back], [1500, 1500])

    def test_a_capture_waits_for_its_fragments(self):
        """What is read from a file is fragmented whole, however long that takes."""
        frames = [frame(udp4(9000, False, number)) for number in range(300)]
        report, out, _ = self.through(frames, "--mtu", "out:1500")
        self.assertEqual(report.drops, {})
        self.assertEqual(report["exits"]["fragmented"], 300)
        self.assertEqual(report["exits"]["fragments"], len(out))
        self.assertEqual(sum(len(one) - 34 for one in out), 300 * 8980)
        self.assertEqual(report.packets["originated"], len(out) - 300)

    def test_ipv6_beyond_fragments_and_to_groups(self):
        """Packet Too Big answers later fragments, too, and what goes to a group: from a link-local
        address, as the group has none."""
        first, later = bytearray(udp6(1288)), bytearray(udp6(1500))
        first[6:7] = later[6:7] = b"\x2c"
        first[40:56] = b"\x11\0\0\x01\0\0\0\1" + b"\0\1\0\2\x0a\0\0\0"
        later[40:48] = b"\x11\0\x04\xd8\0\0\0\1"
        first, later = frame(bytes(first)), frame(bytes(later))
        report, out, back = self.through([first, later, frame(udp6(1500, "ff05::1234"))],
                                         "--mtu", "out:1300")
        self.assertEqual(out, [first])
        self.assertEqual(report.drops, {"tx_too_big": 2})
        self.assertEqual([one[54] for one in back], [2, 2])
        self.assertEqual(back[0][22:38], socket.inet_pton(socket.AF_INET6, "fd09::2"))
        self.assertEqual(back[1][22:24], b"\xfe\x80")

    def test_one_sender_does_not_starve_the_others(self):
        """Each of ten others gets its error, among thousands that one asks for."""
        frames = []
        for number in range(5000):
            frames.append(frame(udp4(1501, True)))
            if number % 500 == 499:
                frames.append(frame(udp4(1501, True, ends=(f"10.9.1.{number // 500}", "10.9.0.2"))))
        _, _, back = self.through(frames, "--mtu", "out:1500")
        told = {one[30:34] for one in back}
        self.assertEqual(len(told), 11, told)
        self.assertLess(len(back), 1000)


if __name__ == "__main__":
    main()
