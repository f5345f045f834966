# SPDX-License-Identifier: BSD-3-Clause
"""Stock strongSwan over spillway, while packets go both ways: of none may anything be seen.

    left: charon --- spillway === ESP === spillway --- charon :right

ROUNDS says how often the child is renewed.
"""
import concurrent.futures
import os
import random
import re
import socket
import struct
import subprocess
import threading

import ike
import peers
from harness import main, until
from ike import HELLO
from streams import Stream
from test_ike import Sites

ROUNDS = int(os.environ.get("ROUNDS", 10))
FLUSHES = 28, 29


class Load(Sites):
    def setUp(self):
        super().setUp()
        self.wire = ike.Listener(self.net)
        self.addCleanup(self.wire.close)
        self.highest = {}

    def load(self):
        ends = [(name, address) for name, address in zip((self.net.left, self.net.right), peers.INNER)]
        streams = [Stream(*ends, 7001), Stream(*ends[::-1], 7002)]
        for stream in streams:
            self.addCleanup(stream.end)
            until(lambda stream=stream: any(stream.got), 20, "packets come")
        return streams

    def installed(self):
        """For each end the children that packets go by; None: one is just being renewed."""
        told = [end.daemon.swanctl("--list-sas") for end in self.ends]
        if any(re.search(r"net: #.* (REKEYING|INSTALLING|CREATED|UPDATING|RETRYING)", text) for text in told):
            return None
        return [set(re.findall(r"net: #(\d+), reqid \d+, INSTALLED", text)) for text in told]

    def is_renewed(self, before):
        now = self.installed()
        return now and all(len(end) == 1 for end in now) and all(one != other for one, other in zip(now, before))

    def renew(self, *daemons, what=("--child", "net")):
        """Has some of the daemons renew it, at once."""
        before = self.installed()
        asked = [subprocess.Popen(["swanctl", "--rekey", *what, "--uri", f"unix://{daemon.folder}/vici"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for daemon in daemons]
        for process in asked:
            process.wait()
        if what[0] == "--child":
            try:
                until(lambda: self.is_renewed(before), 60, "it is renewed")
            except AssertionError as why:
                logs = "\n".join(end.daemon.log[-4000:] for end in self.ends)
                raise AssertionError(f"{why}\n{logs}") from None
        self.look_at_numbers()

    def look_at_numbers(self):
        """Those of each SPI grow by one, so none comes twice; and nothing but IKE is in the clear."""
        for frame in self.wire.take():
            if frame[12:14] != b"\x08\0":
                continue
            spi, number = struct.unpack_from("!II", frame, 34)
            if frame[23] == 17:
                self.assertIn(spi & 0xffff, (500, 4500), frame.hex())
                continue
            self.assertEqual(frame[23], 50, frame.hex())
            self.assertEqual(number, self.highest.get(spi, 0) + 1, f"{spi:08x}")
            self.highest[spi] = number

    def end_load(self, streams):
        self.assertEqual([stream.end() for stream in streams], [(0, 0)] * 2)
        self.look_at_numbers()
        for report in self.end():
            for reason in "esp_no_sa", "esp_replayed", "esp_bad_icv", "esp_required":
                self.assertNotIn(reason, report.drops)


class Both(Load):
    def test_at_once(self):
        """Both sides renew it at the same time, now and then their IKE_SA as well."""
        self.initiate()
        daemons = [end.daemon for end in self.ends]
        streams = self.load()
        for number in range(ROUNDS):
            self.renew(*daemons)
            if number % 5 == 2:
                self.renew(daemons[number % 2], what=("--ike", "peer"))
        self.end_load(streams)
        print(f"{ROUNDS} rounds, {len(self.highest)} SPIs, {sum(stream.sent for stream in streams)} packets")


class Hostile(Load):
    """Whoever may speak to the socket and speaks nonsense, or does not listen, is in nobody's way."""

    def connect(self, groups=0):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        client.settimeout(5)
        client.connect(str(self.ends[0].path))
        client.send(HELLO[:-4] + struct.pack("=I", groups))
        return client

    def speak(self, draw, ended):
        """How many messages were sent until it ended."""
        sent = 0
        while not ended.is_set():
            with self.connect(draw.choice((0, 0xffffffff))) as client:
                try:
                    for _ in range(draw.randrange(200)):
                        client.send(self.nonsense(draw), socket.MSG_DONTWAIT)
                        sent += 1
                except (BrokenPipeError, ConnectionResetError, BlockingIOError):
                    pass
        return sent

    def nonsense(self, draw):
        """Half messages, those that say another length, and whole ones with anything in them; of dumps many."""
        body = draw.randbytes(draw.randrange(500))
        kind = draw.choice([kind for kind in range(16, 42) if kind not in FLUSHES])
        header = struct.pack("=IHHII", 16 + len(body), kind, draw.choice((1, 5, 0x301, 0x305)), draw.randrange(1 << 32), 1)
        message = draw.choice((header + body, header + body[:len(body) // 2], draw.randbytes(40), header[:7]))
        return message

    def test_beside_a_daemon(self):
        seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
        print(f"SEED={seed}")
        self.initiate()
        streams = self.load()
        ended = threading.Event()
        deaf = [self.connect(0xffffffff) for _ in range(4)]
        for client in deaf:
            self.addCleanup(client.close)
            for _ in range(20):
                client.send(struct.pack("=IHHII", 16, 18, 0x301, 1, 1))
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            speakers = [pool.submit(self.speak, random.Random(seed + number), ended) for number in range(6)]
            try:
                for number in range(ROUNDS):
                    self.renew(self.ends[number % 2].daemon)
            finally:
                ended.set()
            for speaker in speakers:
                self.assertGreater(speaker.result(), 0)
        self.end_load(streams)


if __name__ == "__main__":
    main()
