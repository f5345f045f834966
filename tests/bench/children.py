#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""How long a spillway takes to set up, renew and take down many children of an IKE daemon, and its memory.

Speaks the XFRM socket as charon does: one request after the other, each waiting for its answer; with --clients
several at a time, as charon with `parallel_xfrm = yes`. No packet goes through: the ports carry nothing.

    tests/bench/children.py --build build-bench 1000 3000 5000
"""
import argparse
import concurrent.futures
import ipaddress
import os
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile
import time

ALLOCSPI, NEWSA, DELSA, NEWPOLICY, DELPOLICY = 22, 16, 17, 19, 20
UPDPOLICY, UPDSA = 25, 26
IN, OUT, FWD = 0, 1, 2
REQUEST_ACK, REPLACE = 5, 0
ESP, TUNNEL = 50, 1
INFINITE = struct.pack("=4Q4Q", *[2**64 - 1] * 4, 0, 0, 0, 0)
ENDS = ipaddress.ip_address("192.0.2.1").packed, ipaddress.ip_address("198.51.100.1").packed


def address(packed):
    return packed.ljust(16, b"\0")


def selector(source, destination):
    """Of two hosts; None: all."""
    lengths = [0 if end is None else 32 for end in (destination, source)]
    return (address(destination or b"") + address(source or b"") +
            struct.pack("=4HHBBB3xII", 0, 0, 0, 0, socket.AF_INET, *lengths, 0, 0, 0))


def attribute(kind, payload):
    text = struct.pack("=HH", 4 + len(payload), kind) + payload
    return text + bytes(-len(text) % 4)


def association(spi, reqid, ends):
    source, destination = ends
    return (selector(bytes(4), bytes(4)) + address(destination) + struct.pack(">I", spi) + bytes([ESP, 0, 0, 0]) +
            address(source) + INFINITE + bytes(32 + 12) +
            struct.pack("=IIHBBB7x", 0, reqid, socket.AF_INET, TUNNEL, 0, 0))


def key(spi):
    return attribute(18, b"rfc4106(gcm(aes))".ljust(64, b"\0") + struct.pack("=II", 160, 128) +
                     struct.pack(">I", spi) * 5)


def policy(number, direction, travels, spi=0):
    """Of a child, whose two hosts are its own; of one that travels, its one and all others."""
    inner = None if travels else struct.pack(">I", 0x0a000000 + number), struct.pack(">I", 0x14000000 + number)
    source, destination = ENDS if direction == OUT else ENDS[::-1]
    text = selector(*inner if direction == OUT else inner[::-1]) + INFINITE + bytes(32) + struct.pack(
        "=IIBBBB4x", 100, 0, direction, 0, 0, 0)
    template = (address(destination) + struct.pack(">I", spi) + bytes([ESP, 0, 0, 0]) +
                struct.pack("=H2x", socket.AF_INET) + address(source) +
                struct.pack("=IBBBxIII", number, TUNNEL, 0, 0, *[2**32 - 1] * 3))
    return text + attribute(5, template)


class Client:
    def __init__(self, path, travels=False):
        self.travels = travels
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(str(path))
        self.socket.send(struct.pack("=IHHIIIII", 28, 15, 0, 0, 0, 1, 99, 0))
        self.number = 0

    def ask(self, kind, body):
        """Waits for the answer, and returns it."""
        self.number += 1
        self.socket.send(struct.pack("=IHHII", 16 + len(body), kind, REQUEST_ACK, self.number, 0) + body)
        kept = None
        while True:
            text = self.socket.recv(16384)
            if struct.unpack_from("=H", text, 4)[0] != 2:
                kept = text
                continue
            error = struct.unpack_from("=i", text, 16)[0]
            if error != 0:
                raise OSError(-error, f"message {kind} is refused")
            return kept

    def reserve(self, number):
        text = self.ask(ALLOCSPI, association(0, number, ENDS[::-1]) +
                        struct.pack("=II", 0xc0000000, 0xcfffffff))
        return struct.unpack_from(">I", text, 16 + 56 + 16)[0]

    def associate(self, number, outbound):
        inbound = self.reserve(number)
        self.ask(UPDSA, association(inbound, number, ENDS[::-1]) + key(inbound))
        self.ask(NEWSA, association(outbound, number, ENDS) + key(outbound))
        return inbound, outbound

    def set_up(self, number):
        spis = self.associate(number, 0xd0000000 + number)
        for direction in IN, FWD, OUT:
            self.ask(NEWPOLICY, policy(number, direction, self.travels, spis[1] if direction == OUT else 0))
        return spis

    def remove(self, spi, ends):
        self.ask(DELSA, address(ends[1]) + struct.pack(">I", spi) + struct.pack("=HBx", socket.AF_INET, ESP))

    def renew(self, number, before):
        """As the one who begins it does."""
        spis = self.associate(number, 0xe0000000 + number)
        for direction in IN, FWD, OUT:
            self.ask(UPDPOLICY, policy(number, direction, self.travels, spis[1] if direction == OUT else 0))
        self.remove(before[1], ENDS)
        self.remove(before[0], ENDS[::-1])
        return spis

    def take_down(self, number, spis):
        for direction in OUT, IN, FWD:
            text = policy(number, direction, self.travels)
            self.ask(DELPOLICY, text[:56] + struct.pack("=IBxxx", 0, direction))
        self.remove(spis[0], ENDS[::-1])
        self.remove(spis[1], ENDS)


class Spillway:
    def __init__(self, options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="children-"))
        self.path = self.folder / "xfrm"
        config = self.folder / "conf"
        (self.folder / "rules").write_text("".join(f"{rule}\n" for rule in options.rule))
        config.write_text(f"[spillway]\nidle = sleep\nmemory = {options.memory}\nfast = {options.cpu}\n"
                          "rules = rules\n"
                          "[port lan]\ndevice = net_null0,no-rx=1\n[port wan]\ndevice = net_null1,no-rx=1\n"
                          f"[wire w]\nports = lan, wan\n[ike]\nxfrm = {self.path}\n")
        self.log = open(self.folder / "log", "w", encoding="utf-8")
        self.process = subprocess.Popen([options.build / "app" / "spillway", "--config", config, "--no-huge", "--name",
                                         f"children-{os.getpid()}"], stdout=self.log, stderr=self.log)
        while True:
            try:
                Client(self.path).socket.close()
                return
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.05)

    def resident(self):
        """MiB."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) / 1024

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        return self.process.returncode


def measure(options, count):
    program = Spillway(options)
    clients = [Client(program.path, options.travel) for _ in range(options.clients)]
    numbers = range(1, count + 1)
    resident = program.resident()

    def everyone(work):
        def share(index):
            return [work(clients[index], number) for number in numbers[index::len(clients)]]
        with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
            shares = list(pool.map(share, range(len(clients))))
        return {number: done for index in range(len(clients))
                for number, done in zip(numbers[index::len(clients)], shares[index])}

    def timed(work):
        began = time.monotonic()
        done = everyone(work)
        return done, time.monotonic() - began

    try:
        spis, up = timed(Client.set_up)
        used = program.resident() - resident
        print(f"{count} children, {2 * count} associations, {3 * count} policies, {options.clients} at a time: "
              f"up in {up:.1f} s ({up / count * 1000:.1f} ms each), {used:.0f} MiB", flush=True)
        last = {number: spis[number] for number in numbers[-options.renewed:]}
        began = time.monotonic()
        for number in last:
            spis[number] = clients[0].renew(number, last[number])
        print(f"    renewed: {(time.monotonic() - began) / len(last) * 1000:.1f} ms each", flush=True)
        if not options.keep:
            down = timed(lambda client, number: client.take_down(number, spis[number]))[1]
            print(f"    down in {down:.1f} s ({down / count * 1000:.1f} ms each)", flush=True)
    finally:
        status = program.end()
    if status != 0:
        raise RuntimeError((program.folder / "log").read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("children", type=int, nargs="+")
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build-bench"))
    parser.add_argument("--clients", type=int, default=1, help="that ask at a time [1]")
    parser.add_argument("--renewed", type=int, default=20, help="how many are renewed [20]")
    parser.add_argument("--rule", action="append", default=[], help="of the rule file")
    parser.add_argument("--travel", action="store_true", help="each child is of one host, and all others")
    parser.add_argument("--keep", action="store_true", help="don't take them down")
    parser.add_argument("--cpu", type=int, default=1, help="of the fast lcore [1]")
    parser.add_argument("--memory", default="2048", help="MiB of spillway's [2048]")
    options = parser.parse_args()
    for count in options.children:
        measure(options, count)


if __name__ == "__main__":
    main()
