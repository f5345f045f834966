# SPDX-License-Identifier: BSD-3-Clause
"""TCP of the real kernel through spillway: what lives, what ends, and what strangers can't do."""
import signal
import socket
import struct
import threading
import time

from harness import Net, Spillway, TestCase, inside, main, until

PORTS = ("--port", "lan=net_af_packet0,iface=lan", "--port", "wan=net_af_packet1,iface=wan",
         "--wire", "lan:wan")
# Other states than that of an established connection last no longer than IDLE.
TIMEOUTS = ("--timeout-udp", "1s", "--timeout-udp-once", "1s", "--timeout-tcp-opening", "2s",
            "--timeout-tcp-closing", "1s", "--timeout-other", "1s")
IDLE = 3
RULES = """
allow tcp from 10.9.0.1 to any in lan
allow icmp6 from any to any
"""
CLIENT, SERVER = ("10.9.0.1", 4000), ("10.9.0.2", 5201)
SYN, RST = 2, 4


class Kernel(TestCase):
    def setUp(self):
        super().setUp()
        self.net, self.client = Net(), CLIENT
        self.addCleanup(self.net.close)
        self.program = Spillway(*PORTS, "--rules", self.file("rules", RULES),
                                "--idle", "sleep", *TIMEOUTS, namespace=self.net.middle)
        self.addCleanup(self.program.__exit__)
        self.program.ready()

    def socket(self, namespace, address):
        with inside(namespace):
            made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.settimeout(5)
        made.bind(address)
        self.addCleanup(made.close)
        return made

    def connected(self):
        """The sockets of both ends."""
        listener = self.socket(self.net.right, SERVER)
        listener.listen()
        client = self.socket(self.net.left, self.client)
        client.connect(SERVER)
        server, _ = listener.accept()
        listener.close()
        server.settimeout(5)
        self.addCleanup(server.close)
        return client, server

    def say(self, sender, receiver, text=b"something"):
        sender.sendall(text)
        self.assertEqual(receiver.recv(100), text)

    def forge(self, flags):
        """A packet that says it is the server's, far out of its window."""
        with inside(self.net.right):
            stranger = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.addCleanup(stranger.close)
        stranger.bind(("eth0", 0))
        ends = [socket.inet_aton(end) for end, _ in (SERVER, self.client)]
        stranger.send(b"\xff" * 6 + b"\x02" + bytes(5) + b"\x08\x00"
                      + struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0, *ends)
                      + struct.pack("!HHIIBBHHH", SERVER[1], self.client[1], 1, 1, 0x50, flags, 0, 0, 0))

    def handled(self, count):
        """Waits until spillway has had so many packets more since."""
        had = self.received()
        return lambda: until(lambda: self.received() >= had + count, 10, "what was sent")

    def received(self):
        return (self.program.telemetry("/ethdev/stats,1") or {}).get("ipackets", 0)

    def refused_from_server(self):
        """Whether the server's side can't begin a connection by the ports of the one that ended."""
        listener = self.socket(self.net.left, self.client)
        listener.listen()
        stranger = self.socket(self.net.right, SERVER)
        stranger.settimeout(0.5)
        with self.assertRaises(TimeoutError):
            stranger.connect(self.client)
        return True

    def denied(self):
        return self.check(self.program.stop()).drops.get("denied", 0)

    def test_idle(self):
        """It is silent for longer than UDP may be, or TCP in any other state; the server speaks first."""
        client, server = self.connected()
        self.say(client, server)
        time.sleep(IDLE)
        self.say(server, client)
        self.assertEqual(self.denied(), 0)

    def test_half_close(self):
        """The client has said all, and the server takes its time."""
        client, server = self.connected()
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(server.recv(100), b"")
        for _ in range(2):
            time.sleep(IDLE)
            self.say(server, client)
        server.close()
        self.assertEqual(client.recv(100), b"")
        self.assertEqual(self.denied(), 0)

    def test_ends(self):
        """By RST or FIN, of either end: after it the server's side may begin nothing."""
        for linger, who in ((True, 0), (True, 1), (False, 0), (False, 1)):
            with self.subTest(linger=linger, who=who):
                ends = self.connected()
                self.say(*ends)
                if linger:
                    ends[who].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                ends[who].close()
                if linger:
                    with self.assertRaises(ConnectionResetError):
                        ends[1 - who].recv(100)
                else:
                    self.assertEqual(ends[1 - who].recv(100), b"")
                ends[1 - who].close()
                if linger:  # else one of them waits for two minutes, and its port is taken
                    self.assertTrue(self.refused_from_server())
                else:
                    handled = self.handled(1)
                    self.forge(SYN)
                    handled()
                time.sleep(1.5)  # longer than it closes
                self.client = (self.client[0], self.client[1] + 1)
        self.assertGreaterEqual(self.denied(), 4)

    def test_simultaneous_open(self):
        client, server = self.socket(self.net.left, self.client), self.socket(self.net.right, SERVER)

        def cross():
            for end in client, server:
                end.setblocking(False)
            client.connect_ex(SERVER)
            server.connect_ex(self.client)
            for end in client, server:
                end.settimeout(5)
        cross()
        for end, other in ((client, SERVER), (server, self.client)):
            until(lambda end=end: end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0, 5, "a connection")
            until(lambda end=end, other=other: self.peer(end) == other, 5, "both ends")
        self.say(client, server)
        time.sleep(IDLE)
        self.say(server, client)
        self.assertLessEqual(self.denied(), 1)  # the server's SYN, if it came before the client's

    def peer(self, end):
        try:
            return end.getpeername()
        except OSError:
            return None

    def test_forged_end(self):
        """A stranger's RST ends no connection that goes on: it is there still after a silence."""
        client, server = self.connected()
        handled = self.handled(1)
        self.forge(RST)
        handled()
        self.say(client, server)
        self.say(server, client)
        time.sleep(IDLE)
        self.say(server, client)
        self.assertEqual(self.denied(), 0)

    def test_forged_opening(self):
        """Nor does a SYN; it does not reach the client."""
        client, server = self.connected()
        handled = self.handled(1)
        self.forge(SYN)
        handled()
        self.say(server, client)
        time.sleep(IDLE)
        self.say(server, client)
        self.assertEqual(self.denied(), 1)

    def test_forged_opening_while_rules_change(self):
        """What they say of it does not take the place of what is known of who began."""
        client, server = self.connected()
        handled = self.handled(100)
        for number in range(100):
            if number % 25 == 0:
                self.program.signal(signal.SIGHUP)
            self.forge(SYN)
            self.say(server, client)
            time.sleep(0.02)
        handled()
        self.assertEqual(self.denied(), 100)

    def test_a_stream_meanwhile(self):
        """Forged ends by the dozen, while data goes both ways."""
        client, server = self.connected()
        stop = threading.Event()

        def forge():
            while not stop.is_set():
                self.forge(RST)
                time.sleep(0.01)
        thread = threading.Thread(target=forge)
        thread.start()
        try:
            for number in range(150):
                self.say(*((client, server) if number % 3 else (server, client)), b"%d" % number)
                time.sleep(0.01)
        finally:
            stop.set()
            thread.join()
        self.assertEqual(self.denied(), 0)


if __name__ == "__main__":
    main()
