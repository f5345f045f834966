# SPDX-License-Identifier: BSD-3-Clause
"""The main job on real traffic: two hosts (namespaces) joined through spillway over af_packet."""
import json
import socket
import struct
import threading
import time
import unittest

from harness import Net, ROOT, Spillway, TestCase, inside, main, need_program, run, until

RULES = """
allow icmp from any to any
allow icmp6 from any to any
allow tcp from 10.9.0.1 to 10.9.0.2 port 5201
allow tcp from fd09::1 to fd09::2 port 5201
deny  tcp from any to any port 2300
allow udp from 10.9.0.0/24 to any
"""
PORTS = ("--port", "lan=net_af_packet0,iface=lan", "--port", "wan=net_af_packet1,iface=wan",
         "--wire", "lan:wan")
PACKET_AUXDATA, SOL_PACKET, VLAN_VALID = 8, 263, 0x10


class Wire(TestCase):
    def setUp(self):
        super().setUp()
        self.net = Net()
        self.addCleanup(self.net.close)
        self.rules = self.file("rules", RULES)

    def spillway(self, *options):
        program = Spillway(*PORTS, "--rules", self.rules, "--idle", "sleep", *options,
                           namespace=self.net.middle)
        self.addCleanup(program.__exit__)
        return program.ready()

    def test_ping(self):
        program = self.spillway()
        for address in ("10.9.0.2", "fd09::2"):
            self.assertEqual(self.net.ping(self.net.left, address), 5)
        for address in ("10.9.0.1", "fd09::1"):
            self.assertEqual(self.net.ping(self.net.right, address, "-s", "1472" if "." in address
                                           else "1452"), 5)
        report = self.check(program.stop())
        ports = {port["name"]: port for port in report["ports"]}
        for port in ports.values():
            self.assertGreaterEqual(port["rx_packets"], 20)
            self.assertGreaterEqual(port["tx_packets"], 20)
            self.assertEqual(port["driver"], "net_af_packet")
        self.assertEqual(report["reason"], "SIGTERM")
        self.assertGreaterEqual(report["flows"]["hits"], 36)

    def test_example_configuration(self):
        for old, new in ("lan", "veth0"), ("wan", "veth1"):
            for change in ("down",), ("name", new):
                run("ip", "-n", self.net.middle, "link", "set", old, *change)
            run("ip", "-n", self.net.middle, "link", "set", new, "up")
        program = Spillway("--config", ROOT / "config" / "wire.conf", namespace=self.net.middle)
        self.addCleanup(program.__exit__)
        program.ready()
        self.assertEqual(self.net.ping(self.net.left, "10.9.0.2"), 5)
        self.assertFalse(self.net.connects(self.net.right, "10.9.0.1", 23))
        report = self.check(program.stop())
        self.assertGreater(report.drops["denied"], 0)

    def test_tcp(self):
        need_program("iperf3")
        program = self.spillway()
        for address, more in (("10.9.0.2", ()), ("10.9.0.2", ("-R",)), ("fd09::2", ())):
            server = self.net.start(self.net.right, "iperf3", "-s", "-1", port=5201)
            done = self.net.run(self.net.left, "iperf3", "-c", address, "-t", "1", "-J", *more)
            moved = json.loads(done.stdout)["end"]["sum_received"]["bytes"]
            self.assertGreater(moved, 100_000)
            server.wait(10)
        report = self.check(program.stop())
        self.assertGreater(report.packets["transmitted"], 3 * 100_000 / 1500)

    def test_blocked(self):
        """The server is there and answers its own host; through spillway nobody reaches it."""
        server = ("/usr/bin/python3", "-m", "http.server", "--bind", "::")
        for port in (2300, 5201, 2400):
            self.net.start(self.net.right, *server, str(port), port=port)
        program = self.spillway()
        self.assertTrue(self.net.connects(self.net.left, "10.9.0.2", 5201))
        self.assertTrue(self.net.connects(self.net.left, "fd09::2", 5201))
        self.assertFalse(self.net.connects(self.net.left, "10.9.0.2", 2300), "a rule denies it")
        self.assertFalse(self.net.connects(self.net.left, "fd09::2", 2300), "a rule denies it")
        self.assertFalse(self.net.connects(self.net.left, "10.9.0.2", 2400), "no rule: the default")
        self.assertTrue(self.net.connects(self.net.right, "127.0.0.1", 2300))
        report = self.check(program.stop())
        self.assertGreaterEqual(report.drops.get("denied", 0), 3, report.drops)

    def test_new_connections_from_outside(self):
        """Allowed from the inside only: the other way round the same ports are refused."""
        self.net.start(self.net.left, "/usr/bin/python3", "-m", "http.server", "5201", port=5201)
        program = self.spillway()
        self.assertFalse(self.net.connects(self.net.right, "10.9.0.1", 5201))
        self.check(program.stop())

    def test_vlan_device(self):
        """A ping between VLAN interfaces."""
        for name, number in ((self.net.left, 1), (self.net.right, 2)):
            made = self.net.run(name, "ip", "link", "add", "link", "eth0", "name", "vlan100",
                                "type", "vlan", "id", "100", check=False)
            if made.returncode:
                raise unittest.SkipTest(f"needs the kernel's 8021q: {made.stderr.strip()}")
            self.net.run(name, "ip", "address", "add", f"10.100.0.{number}/24", "dev", "vlan100")
            self.net.run(name, "ip", "link", "set", "vlan100", "up")
        program = self.spillway()
        self.assertEqual(self.net.ping(self.net.left, "10.100.0.2"), 5)
        self.check(program.stop())

    def test_tagged_frames(self):
        """Echo requests with one tag and with two arrive at the other end with the same tags.

        The outer tag is 0x8100: the kernel takes it out of the frame, and DPDK's af_packet driver
        puts it back as 0x8100, whatever its type was. Captures test 0x88a8.
        """
        program = self.spillway()
        sender, receiver = (self.raw_socket(name) for name in (self.net.left, self.net.right))
        for tags in (b"\x81\x00\x00\x64", b"\x81\x00\x00\xc8\x81\x00\x00\x64"):
            frame = (b"\xff" * 6 + b"\x02" + bytes(5) + tags + b"\x08\x00"
                     + struct.pack("!BBHHHBBH4s4s", 0x45, 0, 46, 0, 0, 64, 1, 0, b"\x0a\x64\0\1",
                                   b"\x0a\x64\0\2") + b"\x08" + bytes(17) + b"spillway")

            def arrived():
                sender.send(frame)
                return self.receive(receiver, frame)
            until(arrived, 10, f"the frame with tags {tags.hex()}")
        self.check(program.stop())

    def raw_socket(self, namespace):
        with inside(namespace):
            made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            made.bind(("eth0", 0))
        made.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        made.settimeout(0.2)
        self.addCleanup(made.close)
        return made

    def receive(self, receiver, frame):
        """Whether the frame comes within a moment; the kernel keeps the outer tag beside it."""
        try:
            while True:
                data, extra, _, _ = receiver.recvmsg(2048, 256)
                for level, kind, value in extra:
                    if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                        status, _, _, _, _, tag, protocol = struct.unpack("=IIIHHHH", value)
                        if status & VLAN_VALID:
                            data = data[:12] + struct.pack("!HH", protocol, tag) + data[12:]
                if data == frame:
                    return True
        except socket.timeout:
            return False

    def test_stop_under_traffic(self):
        """SIGTERM while iperf3 sends in both directions."""
        need_program("iperf3")
        program = self.spillway()
        self.net.start(self.net.right, "iperf3", "-s", port=5201)
        client = self.net.start(self.net.left, "iperf3", "-c", "10.9.0.2", "-t", "30", "--bidir")
        until(lambda: (program.telemetry("/ethdev/stats,1") or {}).get("opackets", 0) > 1000, 20,
              "1000 packets sent")
        self.check(program.stop())
        client.kill()

    def test_interface_goes_down(self):
        """A port whose interface is taken down under load does not keep it from ending in order."""
        program = self.spillway()
        stop = threading.Event()
        sender = self.raw_socket(self.net.left)
        frame = bytes(12) + b"\x08\x06" + bytes(100)

        def send():
            while not stop.is_set():
                try:
                    sender.send(frame)
                except OSError:
                    time.sleep(0.01)
        thread = threading.Thread(target=send)
        thread.start()
        try:
            until(lambda: (program.telemetry("/ethdev/stats,1") or {}).get("opackets", 0) > 100, 20,
                  "100 packets sent")
            self.net.run(self.net.middle, "ip", "link", "set", "wan", "down")
            report = program.stop()
        finally:
            stop.set()
            thread.join()
        self.assertIn(report.status, (0, 3), report.stderr)
        self.check(report, outcome="forced" if report.status else "drained", status=report.status)


if __name__ == "__main__":
    main()
