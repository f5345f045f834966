# SPDX-License-Identifier: BSD-3-Clause
"""Numbered datagrams, of which it is known which have come, and in which order."""
import select
import socket
import struct
import threading
import time

from harness import inside


class Stream:
    """From one host to another, by several flows, until it is ended."""

    FLOWS = 4

    def __init__(self, source, target, port, pause=0.002):
        """`source`, `target`: namespace and address."""
        self.sent, self.got, self.pause = 0, [[] for _ in range(self.FLOWS)], pause
        self.ended = threading.Event()
        with inside(target[0]):
            self.receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.receiver.bind((target[1], port))
        self.senders = []
        for _ in range(self.FLOWS):
            with inside(source[0]):
                self.senders.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            self.senders[-1].bind((source[1], 0))
            self.senders[-1].connect((target[1], port))
        self.threads = [threading.Thread(target=work) for work in (self.send, self.receive)]
        for thread in self.threads:
            thread.start()

    def send(self):
        while not self.ended.is_set():
            number = self.sent
            self.senders[number % self.FLOWS].send(struct.pack("!I", number) + bytes(number * 37 % 1000))
            self.sent = number + 1
            time.sleep(self.pause)

    def receive(self):
        deadline = None
        while deadline is None or (time.monotonic() < deadline and sum(map(len, self.got)) < self.sent):
            if self.ended.is_set() and deadline is None:
                self.threads[0].join()
                deadline = time.monotonic() + 5
            if select.select([self.receiver], [], [], 0.1)[0]:
                number = struct.unpack_from("!I", self.receiver.recv(2048))[0]
                self.got[number % self.FLOWS].append(number)

    def end(self):
        """@return how many were lost, and how many came late or twice"""
        self.ended.set()
        for thread in self.threads:
            thread.join()
        for each in self.senders + [self.receiver]:
            each.close()
        lost = self.sent - len({number for flow in self.got for number in flow})
        late = sum(one >= other for flow in self.got for one, other in zip(flow, flow[1:]))
        return lost, late
