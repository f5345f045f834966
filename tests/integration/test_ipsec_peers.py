# SPDX-License-Identifier: BSD-3-Clause
"""spillway as one end of a tunnel whose other end is somebody else's IPsec (peers.py)."""
import contextlib
import itertools
import random

import capture
import esp
import peers
from associations import need_ipsec
from harness import CPUS, READ, Net, Spillway, TestCase, main, need_program, spillway
from test_peers import ENDS, HOSTS, NETWORKS, StandIn


def section(folder, name, direction, sa):
    """An SA's section of the configuration file; writes its key file."""
    key = folder / f"{name}.key"
    key.touch(0o600)
    key.write_text(sa.key.hex() + "\n")
    answers = {True: "yes", False: "no"}
    return (f"[sa {name}]\ndirection = {direction}\nspi = {sa.spi:#x}\nmode = {sa.mode}\n"
            f"source = {sa.source}\ndestination = {sa.destination}\nalgorithm = {sa.name}\n"
            f"key-file = {key.name}\nesn = {answers[sa.esn]}\n"
            f"nat-traversal = {answers[sa.nat_traversal]}\n")


class StrongSwan(TestCase):
    """spillway takes the place of the right one of two charons, with the SAs that they agreed on.

        left: charon --- lan  spillway  wan --- right: a plain host
    """

    def setUp(self):
        need_ipsec()
        super().setUp()

    @contextlib.contextmanager
    def taken_over(self, proposal):
        with Net() as net:
            pair = peers.StrongSwan(net, self.folder / proposal, proposal)
            with pair:
                with StandIn(net):
                    agreed = pair.agree()
                pair.leave()
                config = self.file("ipsec.conf", (
                    "[spillway]\nrules = rules\nidle = sleep\n"
                    "[port lan]\ndevice = net_af_packet0,iface=lan\nmtu = 1500\n"
                    "[port wan]\ndevice = net_af_packet1,iface=wan\nmtu = 1500\n"
                    "[wire lan-wan]\nports = lan, wan\n")
                    + section(self.folder, "from-left", "in", agreed.there)
                    + section(self.folder, "to-left", "out", agreed.back))
                left, right = peers.INNER
                self.file("rules", f"protect from-left any from {left}/32 to {right}/32\n"
                          f"protect to-left any from {right}/32 to {left}/32\n"
                          "allow udp from any to any port 4500\n")
                with Spillway("--config", config, namespace=net.middle) as program:
                    yield net, pair, program.ready()

    def ping(self, net, end, *options):
        return net.ping((net.left, net.right)[end], peers.INNER[1 - end], "-I", peers.INNER[end],
                        *options)

    def test_ping_and_tcp(self):
        need_program("iperf3")
        for proposal in peers.StrongSwan.PROPOSALS:
            with self.subTest(proposal), self.taken_over(proposal) as (net, pair, program):
                for end in 0, 1:
                    self.assertEqual(self.ping(net, end), 5)
                    self.assertEqual(self.ping(net, end, "-s", "1300"), 5)
                for more in (), ("-R",):
                    net.stream(net.left, net.right, peers.INNER[1], "-B", peers.INNER[0], "-n", "1M", *more)
                self.assertIn("INSTALLED", pair.charons[0].swanctl("--list-sas"))
                report = self.check(program.stop())
                self.assertEqual([name for name in report.drops if name.startswith("esp_")], [])

    def test_told_of_the_mtu(self):
        """A packet that doesn't fit with ESP around it: its sender learns what does."""
        with self.taken_over("aes128gcm16") as (net, _, program):
            done = net.run(net.right, "ping", "-n", "-c", "2", "-M", "do", "-s", "1472", "-I",
                           peers.INNER[1], peers.INNER[0], check=False)
            self.assertRegex(done.stdout + done.stderr, r"(?i)mtu")
            report = self.check(program.stop())
            self.assertGreaterEqual(report.drops.get("esp_too_big", 0), 1)


class IpsecSecgw(TestCase):
    """What spillway encrypts DPDK's gateway decrypts, and the other way round; on captures."""

    def setUp(self):
        need_ipsec()
        super().setUp()

    def test_both_ways(self):
        """Each algorithm with and without ESN; modes and families in turn."""
        chance = random.Random(1)
        kinds = itertools.cycle((("tunnel", 4, 4), ("tunnel", 4, 6), ("tunnel", 6, 4),
                                 ("transport", 6, 6), ("tunnel", 6, 6)))
        for (name, esn), (mode, inner, outer) in zip(itertools.product(
                ("aes-128-gcm", "aes-256-gcm", "chacha20-poly1305", "aes-128-cbc+sha256",
                 "aes-256-cbc+sha512", "aes-128-ctr+sha256", "null+sha1"), (False, True)), kinds):
            ends = ENDS[outer] if mode == "tunnel" else HOSTS[inner]
            there, back = (esp.SA(name, chance.randbytes(esp.ALGORITHMS[name].key_size), spi, mode,
                                  *pair, esn) for spi, pair in ((0x1001, ends),
                                                                (0x1002, ends[::-1])))
            hosts = HOSTS[inner]
            clear = [esp.udp_frame(*hosts, chance.randbytes(size), identification=size)
                     for size in (1, 2, 15, 16, 1300)]
            plain = [esp.udp_frame(*hosts[::-1], chance.randbytes(size), identification=size)
                     for size in (3, 64, 1200)]
            with self.subTest(there):
                sealed = self.through("out", there, clear, hosts)
                made, opened = peers.IpsecSecgw.through(
                    self.folder, (back, NETWORKS[inner][0]), (there, NETWORKS[inner][1]), plain,
                    sealed)
                self.assertEqual([frame[14:] for frame in opened], [frame[14:] for frame in clear])
                got = self.through("in", back, made, hosts[::-1])
                self.assertEqual([frame[14:] for frame in got], [frame[14:] for frame in plain])

    def through(self, direction, sa, frames, hosts):
        """Frames through a spillway with one SA, for what the first host sends to the second."""
        files = [self.folder / name for name in ("in.pcap", "out.pcap")]
        capture.write(files[0], frames)
        bits = "32" if "." in hosts[0] else "128"
        self.file("rules", "protect one any from {0}/{2} to {1}/{2}\n".format(*hosts, bits))
        config = self.file("ipsec.conf", (
            "[spillway]\nrules = rules\n"
            f"[port in]\ndevice = net_pcap0,rx_pcap={files[0]}\n"
            f"[port out]\ndevice = net_pcap1,tx_pcap={files[1]}\n[wire in-out]\nports = in, out\n")
            + section(self.folder, "one", direction, sa))
        report = self.check(spillway("--config", config, "--exit-on-idle", READ, "--fast",
                                     CPUS[0]))
        self.assertEqual(report.drops, {})
        return capture.read(files[1])


if __name__ == "__main__":
    main()
