# SPDX-License-Identifier: BSD-3-Clause
"""The peers of peers.py without spillway: they work, and the keys that they tell are those they use.

Where spillway would be, the reference (esp.py) takes its place.
"""
import contextlib
import ipaddress
import itertools
import random
import select
import socket
import threading

import esp
import peers
from harness import Net, TestCase, inside, main, need_program

ALL = 3  # ETH_P_ALL
ENDS = {4: ("192.0.2.1", "198.51.100.1"), 6: ("2001:db8:1::1", "2001:db8:2::1")}
HOSTS = {4: ("10.1.0.1", "10.2.0.1"), 6: ("fd01::1", "fd02::1")}
NETWORKS = {4: ("10.1.0.0/16", "10.2.0.0/16"), 6: ("fd01::/64", "fd02::/64")}


class StandIn:
    """Joins lan and wan of a Net in Python. With SAs: decrypts from lan, encrypts from wan.

    Keeps the frames that lan sent (`sent`) and got (`got`), and what was refused."""

    def __init__(self, net):
        self.sockets = {}
        with inside(net.middle):
            for port in "lan", "wan":
                self.sockets[port] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                                   socket.htons(ALL))
                self.sockets[port].bind((port, 0))
        self.agreed, self.sequence = None, 0
        self.sent, self.got, self.refused = [], [], []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.forward)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        for port in self.sockets.values():
            port.close()

    def forward(self):
        lan, wan = self.sockets["lan"], self.sockets["wan"]
        while not self.ended.is_set():
            for ready in select.select([lan, wan], [], [], 0.1)[0]:
                frame, address = ready.recvfrom(1 << 16)
                if address[2] == socket.PACKET_OUTGOING:
                    continue
                if ready is lan:
                    self.sent.append(frame)
                    self.send(wan, self.decrypt(frame))
                elif (frame := self.encrypt(frame)) is not None:
                    self.got.append(frame)
                    self.send(lan, frame)

    def send(self, port, frame):
        try:
            if frame is not None:
                port.send(frame)
        except OSError as why:  # too long for it
            self.refused.append(str(why))

    def is_for(self, frame, source, destination):
        return (frame[12:14] == b"\x08\0" and esp.addresses(esp.split(frame)[1])
                == (ipaddress.ip_address(source), ipaddress.ip_address(destination)))

    def decrypt(self, frame):
        if not self.agreed or not self.is_for(frame, *peers.OUTER):
            return frame
        try:
            return self.agreed.there.decrypt(frame).frame
        except esp.Refused as why:
            self.refused.append(str(why))
            return None

    def encrypt(self, frame):
        if not self.agreed or not self.is_for(frame, *reversed(peers.INNER)):
            return frame
        self.sequence += 1
        return self.agreed.back.encrypt(frame, self.sequence)


class StrongSwan(TestCase):
    @contextlib.contextmanager
    def pair(self, proposal):
        """Two that have agreed, and the stand-in between them."""
        with self.subTest(proposal), Net() as net, StandIn(net) as between, peers.StrongSwan(
                net, self.folder / proposal, proposal) as pair:
            yield net, between, pair, pair.agree()

    def ping(self, net, end):
        return net.ping((net.left, net.right)[end], peers.INNER[1 - end], "-I", peers.INNER[end],
                        count=3)

    def test_among_themselves(self):
        """Each algorithm: ping passes, and what is on the wire decrypts with the keys they told."""
        for proposal in peers.StrongSwan.PROPOSALS:
            with self.pair(proposal) as (net, between, _, agreed):
                self.assertEqual(self.ping(net, 0), 3)
                self.on_wire(agreed.there, between.sent)
                self.on_wire(agreed.back, between.got)

    def on_wire(self, sa, frames):
        """Three packets of this SA, which hold ICMP."""
        sealed = [frame for frame in frames if frame[12:14] == b"\x08\0"
                  and esp.split(frame)[1][28:32] == sa.spi.to_bytes(4, "big")]
        clear = [sa.decrypt(frame) for frame in sealed]
        self.assertEqual([each.opened.sequence for each in clear], [1, 2, 3])
        self.assertEqual({esp.split(each.frame)[1][9] for each in clear}, {1})

    def test_taken_over(self):
        """Right's charon is killed, the reference takes its place: ping and TCP both ways."""
        need_program("iperf3")
        for proposal in "aes128gcm16", "aes256-sha512":
            with self.pair(proposal) as (net, between, pair, agreed):
                pair.leave()
                between.agreed = agreed
                self.assertEqual((self.ping(net, 0), self.ping(net, 1)), (3, 3))
                net.start(net.right, "iperf3", "-s", port=5201)
                for more in (), ("-R",):
                    net.run(net.left, "iperf3", "-c", peers.INNER[1], "-B", peers.INNER[0],
                            "-n", "200K", *more)
                self.assertEqual(between.refused, [])
                self.assertGreater(between.sequence, 50)
                self.assertIn("INSTALLED", pair.charons[0].swanctl("--list-sas"))


class IpsecSecgw(TestCase):
    """DPDK's gateway and the reference understand each other."""

    def test_both_ways(self):
        chance = random.Random(1)
        for name, (mode, inner, outer), esn in itertools.product(
                ("aes-128-gcm", "chacha20-poly1305", "aes-256-cbc+sha512", "null+sha1"),
                (("tunnel", 4, 4), ("tunnel", 6, 4), ("transport", 6, 6)), (False, True)):
            ends = ENDS[outer] if mode == "tunnel" else HOSTS[inner]
            there, back = (esp.SA(name, chance.randbytes(esp.ALGORITHMS[name].key_size), spi, mode,
                                  *pair, esn) for spi, pair in ((0x1001, ends),
                                                                (0x1002, ends[::-1])))
            clear = [esp.udp_frame(*HOSTS[inner], bytes(size)) for size in (1, 2, 15, 16, 1300)]
            plain = [esp.udp_frame(*HOSTS[inner][::-1], bytes(size)) for size in (3, 64, 1200)]
            with self.subTest(there):
                got, opened = peers.IpsecSecgw.through(
                    self.folder, (there, NETWORKS[inner][1]), (back, NETWORKS[inner][0]), clear,
                    [back.encrypt(frame, number) for number, frame in enumerate(plain, 1)])
                # It forwards, so the Ethernet header is a new one.
                self.assertEqual([there.decrypt(frame).frame[14:] for frame in got],
                                 [frame[14:] for frame in clear])
                self.assertEqual([frame[14:] for frame in opened], [frame[14:] for frame in plain])


if __name__ == "__main__":
    main()
