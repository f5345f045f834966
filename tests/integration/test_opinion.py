# SPDX-License-Identifier: BSD-3-Clause
"""A second opinion on what the report says: the same counted outside, from captures and by the kernel."""
import collections
import socket

import capture
import esp
from associations import INLINE, POOL, IpsecCase
from harness import READ, Net, Spillway, TestCase, inside, main, run, spillway, until

SIZES = (1, 17, 200, 1400)


def inside_bytes(frames):
    """Of the IP packets, by their own headers."""
    return sum(esp.ip_length(esp.split(frame)[1]) for frame in frames)


class Associations(IpsecCase):
    """What went through each, on the lcore that received it and on workers. Both ends count the same."""

    def told(self, direction, shape):
        some = [self.association(direction, "aes-128-gcm", "tunnel", *family) for family in ((4, 4), (6, 4), (4, 6))]
        clear = {one: [one.frame(self.chance.randbytes(size), number)
                       for number, size in enumerate(SIZES * (3 + place), 1)]
                 for place, one in enumerate(some)}
        sent = [frame if direction == "out" else one.sa.encrypt(frame, number)
                for one, frames in clear.items() for number, frame in enumerate(frames, 1)]
        done = self.through(sent, some, shape=shape)
        self.assertEqual(done.report.drops, {})
        self.assertEqual(len(done.out), len(sent))
        for one, frames in clear.items():
            told = done.report["sas"][one.name]
            self.assertEqual(told["packets"], len(frames), one.name)
            self.assertEqual(told["sequence"], len(frames), one.name)
            self.assertEqual(told["bytes"], inside_bytes(frames), one.name)
        work = done.report["pool"]["encrypt" if direction == "out" else "decrypt"]
        self.assertEqual(work["inline_packets"] + work["pool_packets"], len(sent))
        self.assertEqual(work["pool_packets"] > 0, shape is POOL, work)

    def test_told(self):
        for direction in "out", "in":
            for name, shape in ("inline", INLINE), ("pool", POOL):
                with self.subTest(direction, way=name):
                    self.told(direction, shape)


class Flows(TestCase):
    """Flows and the packets that were theirs."""

    def test_told(self):
        flows, rounds = 50, 7
        hosts = [(f"10.0.0.{number}", "10.1.0.1") for number in range(1, flows + 1)]
        frames = [esp.udp_frame(*ends, b"data", identification=turn) for turn in range(rounds) for ends in hosts]
        denied = [esp.udp_frame("192.0.2.1", "10.1.0.1", b"data", identification=turn) for turn in range(rounds)]
        files = [self.folder / name for name in ("in.pcap", "out.pcap")]
        capture.write(files[0], frames + denied)
        report = self.check(spillway(
            "--port", f"in=net_pcap0,rx_pcap={files[0]}", "--port", f"out=net_pcap1,tx_pcap={files[1]}", "--wire",
            "in:out", "--rules", self.file("rules", "allow udp from 10.0.0.0/8 to any\n"), "--exit-on-idle", READ,
            "--on-pool-full", "classify=inline"))
        passed = capture.read(files[1])
        self.assertEqual(collections.Counter(passed), collections.Counter(frames))
        ports = {port["name"]: port for port in report["ports"]}
        self.assertEqual(ports["in"]["rx_packets"], len(frames) + len(denied))
        self.assertEqual(ports["out"]["tx_packets"], len(passed))
        self.assertEqual(report.drops, {"denied": len(denied)})
        told = report["flows"]
        self.assertEqual(told["hits"] + told["misses"], len(frames) + len(denied), told)
        self.assertGreaterEqual(told["misses"], flows + 1, told)
        self.assertEqual(told["entries"], flows + 1, told)
        self.assertEqual((told["evicted"], told["expired"]), (0, 0), told)


class Ports(TestCase):
    """What the kernel saw come in and go out of the interfaces that are the ports."""

    def count(self, name):
        folder = f"/sys/class/net/{name}/statistics"
        lines = run("ip", "netns", "exec", self.net.middle, "cat", f"{folder}/rx_packets", f"{folder}/tx_packets")
        return [int(line) for line in lines.stdout.split()]

    def test_told(self):
        self.net = Net()
        self.addCleanup(self.net.close)
        for host in self.net.left, self.net.right:  # which says nothing of its own then
            run("ip", "netns", "exec", host, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        before = {name: self.count(name) for name in ("lan", "wan")}
        frames = [esp.udp_frame("10.9.0.1", "10.9.0.2", bytes(size), (1000, 5001 + size % 2)) for size in range(400)]
        with Spillway("--port", "lan=net_af_packet0,iface=lan", "--port", "wan=net_af_packet1,iface=wan", "--wire",
                      "lan:wan", "--rules", self.file("rules", "allow udp from any to any port 5001\n"), "--idle",
                      "sleep", "--on-pool-full", "classify=inline", namespace=self.net.middle) as program:
            program.ready()
            ready = {name: self.count(name) for name in before}
            with inside(self.net.left), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
                out.bind(("eth0", 0))
                for frame in frames:
                    out.send(frame)
            until(lambda: self.count("wan")[1] - ready["wan"][1] >= len(frames) // 2, 20, "half of them out again")
            report = self.check(program.stop())
        after = {name: self.count(name) for name in before}
        ports = {port["name"]: port for port in report["ports"]}
        for name in before:
            self.assertEqual(before[name], ready[name], "the link was not quiet")
            self.assertEqual([ports[name]["rx_packets"], ports[name]["tx_packets"]],
                             [now - then for now, then in zip(after[name], ready[name])], name)
        self.assertEqual(report.packets["received"], len(frames))
        self.assertEqual(report.packets["transmitted"], len(frames) // 2)
        self.assertEqual(report.drops, {"denied": len(frames) // 2})


if __name__ == "__main__":
    main()
