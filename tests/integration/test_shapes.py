# SPDX-License-Identifier: BSD-3-Clause
"""Every way to split the data path over lcores: packets are conserved, and each flow keeps its order.

Each frame carries the number of its flow and its place in it.
"""
import random
import struct

import capture
from harness import CPUS, READ, TestCase, main, spillway

A, B = CPUS[0], CPUS[-1]
FLOWS, LENGTH = 2000, 25


def frame(flow, place):
    """v4 and v6 by turns; every seventh flow is tagged."""
    payload = struct.pack("!II", flow, place) + bytes(10)
    udp = struct.pack("!HHHH", 1024 + flow % 60000, 53, 8 + len(payload), 0) + payload
    if flow % 2:
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                             struct.pack("!I", 0x0A000000 + flow), b"\xc0\x00\x02\x01")
        kind = b"\x08\x00"
    else:
        header = struct.pack("!IHBB16s16s", 0x60000000, len(udp), 17, 64,
                             b"\xfd" + bytes(11) + struct.pack("!I", flow), b"\x20\x01" + bytes(14))
        kind = b"\x86\xdd"
    tag = b"\x81\x00\x00\x05" if flow % 7 == 0 else b""
    return bytes(12) + tag + kind + header + udp


def place_of(data):
    return struct.unpack("!II", data[-18:-10])


class Shapes(TestCase):
    @classmethod
    def setUpClass(cls):
        order = [flow for flow in range(FLOWS) for _ in range(LENGTH)]
        random.Random(1).shuffle(order)
        places = [0] * FLOWS
        cls.frames = []
        for flow in order:
            cls.frames.append(frame(flow, places[flow]))
            places[flow] += 1

    def shape(self, *options, fast=1, whole=False):
        """`fast`: how many fast lcores must have had work. `whole`: nothing may be dropped."""
        source = capture.write(self.folder / "in.pcap", self.frames)
        out = self.folder / "out.pcap"
        report = self.check(spillway(
            "--port", f"in=net_pcap0,rx_pcap={source}", "--port", f"out=net_pcap1,tx_pcap={out}",
            "--wire", "in:out", "--default", "allow", "--exit-on-idle", READ, *options))
        got = capture.read(out)
        self.assertEqual(report.packets["received"], len(self.frames))
        self.assertEqual(report.packets["transmitted"], len(got))
        self.assertEqual(report.packets["dropped"], len(self.frames) - len(got))
        if whole:
            self.assertEqual(report.drops, {})
        self.assertGreater(len(got), len(self.frames) / 100)
        self.assertFalse(set(got) - set(self.frames), "frames that were never sent")
        last = {}
        for data in got:
            flow, place = place_of(data)
            self.assertGreater(place, last.get(flow, -1), f"flow {flow} is out of order")
            last[flow] = place
        busy = [lcore for lcore in report["lcores"] if lcore["role"] == "fast" and lcore["packets"]]
        self.assertGreaterEqual(len(busy), fast, report["lcores"])

    def test_automatic(self):
        self.shape()

    def test_one_lcore(self):
        self.shape("--fast", A, whole=True)

    def test_one_cpu_for_everything(self):
        self.shape("--fast", A, "--pool", A, "--control", A)

    def test_pool(self):
        self.shape("--fast", A, "--pool", f"{B},{B}", "--on-pool-full", "classify=inline", whole=True)

    def test_pool_always(self):
        self.shape("--fast", A, "--pool", f"{A},{B}", "--dispatch", "classify=pool")

    def test_pool_with_one_lane(self):
        self.shape("--fast", A, "--pool", B, "--dispatch", "classify=pool", "--lanes", "1")

    def test_apart(self):
        """Receive, decide, transmit: an lcore each."""
        self.shape("--rx", A, "--fast", B, "--tx", A)

    def test_apart_with_pool(self):
        self.shape("--rx", A, "--fast", B, "--tx", A, "--pool", f"{A},{B}",
                   "--dispatch", "classify=pool")

    def test_several_fast_behind_one_queue(self):
        self.shape("--rx", A, "--fast", f"{A},{B},{B}", fast=3)

    def test_several_fast_share_a_tx_queue(self):
        self.shape("--rx", A, "--fast", f"{A},{B},{B}", "--tx", B, fast=3)

    def test_several_fast_and_no_other_role(self):
        """The device has one queue each way: its owners are among the fast lcores."""
        self.shape("--fast", f"{A},{B}", fast=2)

    def test_everything_at_once(self):
        self.shape("--rx", A, "--fast", f"{A},{B}", "--tx", B, "--pool", f"{A},{B}",
                   "--budget", "2us", "--lanes", "4", fast=2)

    def test_idle(self):
        for idle in ("busy", "pause", "sleep"):
            with self.subTest(idle=idle):
                self.shape("--idle", idle, "--rx", A, "--fast", B, "--tx", A)


if __name__ == "__main__":
    main()
