# SPDX-License-Identifier: BSD-3-Clause
"""host-rules: what the router itself sends and gets by twins is judged by the rules, too."""
import re
import signal
import socket
import unittest

from harness import CPUS, inside, main, until
from test_twins import CONFIG, Routed

RULES = """allow icmp from 10.1.0.0/24 to 10.1.0.1 in lan
allow tcp from 10.1.0.1 to 10.1.0.2 port 80
allow udp from any to 10.1.0.1 port 53
allow tcp from any to any port 81 in wan
reject tcp from any to 10.1.0.1 port 82
"""


class HostRules(Routed):
    def judged(self, rules, *options):
        """Anew, with these rules and a default of deny."""
        self.end()
        self.rules = self.file("r.rules", rules)
        self.start(CONFIG.replace("default = allow", f"default = deny\nrules = {self.rules}")
                   .replace("[router]\n", "[router]\nhost-rules = yes\n"), *options).ready()

    def server(self, name, address, kind=socket.SOCK_STREAM):
        with inside(name):
            made = socket.socket(socket.AF_INET, kind)
            self.addCleanup(made.close)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.settimeout(5)
            made.bind(address)
        if kind == socket.SOCK_STREAM:
            made.listen()
        return made

    def client(self, name, address, seconds=5.0):
        """@return its socket, or the class of the error."""
        with inside(name):
            made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.addCleanup(made.close)
        made.settimeout(seconds)
        try:
            made.connect(address)
        except OSError as error:
            return type(error)
        return made

    def both_ways(self, *options):
        left, host, right = self.net.left, self.net.middle, self.net.right
        self.judged(RULES, *options)
        # What the kernel does on its links goes on: it finds neighbours, and is found.
        self.reaches("10.1.0.1")
        servers = [self.server(left, ("10.1.0.2", 80)), self.server(right, ("10.2.0.2", 81)),
                   self.server(host, ("10.1.0.1", 82)), self.server(host, ("10.1.0.1", 83))]
        for _ in range(8):  # ports, and so flows, of more than one lcore
            sends = self.client(host, ("10.1.0.2", 80))
            self.assertIsInstance(sends, socket.socket, "the host's own connection")
            accepted, _ = servers[0].accept()
            accepted.settimeout(5)
            accepted.sendall(b"x" * 20000)
            self.assertEqual(len(sends.makefile("rb").read(20000)), 20000)
            sends.sendall(b"y" * 20000)
            self.assertEqual(len(accepted.makefile("rb").read(20000)), 20000)
        self.assertIs(self.client(host, ("10.2.0.2", 81), 0.3), TimeoutError, "it came in by no port")
        self.assertIs(self.client(left, ("10.1.0.1", 82)), ConnectionRefusedError)
        self.assertIs(self.client(left, ("10.1.0.1", 83), 0.3), TimeoutError)
        for name, address in ((right, "10.2.0.1"), (host, "10.1.0.2")):
            self.assertEqual(self.net.ping(name, address, "-W", "0.3", count=1), 0)

    def test_both_ways(self):
        """Each connection by its first packet, answers by state; what is rejected is told so."""
        self.both_ways()
        names = self.server(self.net.middle, ("10.1.0.1", 53), socket.SOCK_DGRAM)
        with inside(self.net.left):
            asks = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(asks.close)
        asks.settimeout(5)
        asks.sendto(b"?", ("10.1.0.1", 53))
        _, sender = names.recvfrom(5000)
        names.sendto(b"!" * 4000, sender)  # in fragments
        self.assertEqual(len(asks.recv(5000)), 4000)
        # The rules are asked again about who began.
        self.rules.write_text(RULES.replace("port 53", "port 54"))
        self.program.signal(signal.SIGHUP)
        until(lambda: re.search("all flows go by version 2", self.program.log), 20, self.program.log)
        asks.sendto(b"?", ("10.1.0.1", 53))
        names.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            names.recv(1)
        self.assertGreaterEqual(self.end().drops["denied"], 5)

    @unittest.skipIf(len(CPUS) < 2, "needs two CPUs")
    def test_two_lcores(self):
        """What the host sends comes to the lcore that has its flow."""
        self.both_ways("--fast", f"{CPUS[0]},{CPUS[1]}")
        self.end()

    def test_default(self):
        """Without it the host's own traffic is the host's."""
        self.end()
        rules = self.file("r.rules", RULES)
        self.start(CONFIG.replace("default = allow", f"default = deny\nrules = {rules}")).ready()
        self.reaches("10.1.0.1")
        self.assertEqual(self.net.ping(self.net.middle, "10.2.0.2", count=1), 1)
        self.end()


if __name__ == "__main__":
    main()
