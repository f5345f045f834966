# SPDX-License-Identifier: BSD-3-Clause
"""What leaves fits the port that it leaves by: frames that are too large for each kind of device (law 10)."""
import contextlib
import ctypes
import os
import pathlib
import socket
import struct
import threading
import unittest

from harness import BUILD, Net, Spillway, TestCase, inside, main, run, until
from udp_packets import frame, udp4, udp6

LAN = "net_af_packet0,iface=lan"
LARGE = 9000


class Ear:
    """Frames that an interface of a namespace receives, from now on."""

    def __init__(self, namespace, interface="eth0"):
        with inside(namespace):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind((interface, 0))
        self.frames = []
        self.ends = False
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        self.socket.settimeout(0.05)
        while not self.ends:
            try:
                data, address = self.socket.recvfrom(1 << 16)
            except TimeoutError:
                continue
            if address[2] != socket.PACKET_OUTGOING:
                self.frames.append(data)

    def close(self):
        self.ends = True
        self.thread.join()
        self.socket.close()

    def payload(self, protocol):
        """Bytes behind the headers of IPv4 packets of a protocol, together."""
        return sum(len(data) - 34 for data in self.frames
                   if data[12:14] == b"\x08\x00" and data[23] == protocol)


@contextlib.contextmanager
def stopped(thread):
    """One thread of a process, for a while."""
    trace = ctypes.CDLL(None, use_errno=True).ptrace
    trace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if trace(16, thread, None, None):  # PTRACE_ATTACH
        raise unittest.SkipTest(f"needs ptrace: {os.strerror(ctypes.get_errno())}")
    os.waitpid(thread, 0x40000000)  # __WALL
    try:
        yield
    finally:
        trace(17, thread, None, None)  # PTRACE_DETACH


class Exit(TestCase):
    def wire(self, second, *options, mtu=LARGE, lan=LAN, **how):
        """left (MTU 9000) - af_packet - spillway - `second`"""
        self.net = Net(**how)
        self.addCleanup(self.net.close)
        for name, interface in (self.net.left, "eth0"), (self.net.middle, "lan"):
            run("ip", "-n", name, "link", "set", interface, "mtu", mtu)
        program = Spillway("--port", f"a={lan}", "--port", f"b={second}", "--wire", "a:b",
                           "--default", "allow", "--idle", "sleep", *options,
                           namespace=self.net.middle)
        self.addCleanup(program.__exit__)
        return program.ready()

    def ears(self):
        ears = [Ear(self.net.left), Ear(self.net.right)]
        for ear in ears:
            self.addCleanup(ear.close)
        return ears

    def send(self, frames, name=None):
        with inside(name or self.net.left), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
            out.bind(("eth0", 0))
            for data in frames:
                out.send(data)

    def alive(self, least=1):
        """Small packets go on."""
        until(lambda: self.net.ping(self.net.left, "10.9.0.2", count=3) >= least, 10, "a ping after all")

    def too_large_to(self, second, *options):
        """Frames of 8 942 bytes towards 1 500: with DF the sender is told; without, they arrive."""
        program = self.wire(second, *options)
        self.alive()
        left, right = self.ears()
        self.send([frame(udp4(8928, True)) for _ in range(5)])
        self.send([frame(udp6(8928)) for _ in range(5)])
        self.alive()
        self.send([frame(udp4(8928, False, number)) for number in range(1, 6)])
        self.alive()
        report = self.check(program.stop())
        self.assertEqual(report.drops.get("tx_too_big"), 10, report)
        # Where others have the CPU, there may be no time for each.
        self.assertLessEqual(set(report.drops), {"tx_too_big", "tx_fit_limit"}, report)
        self.assertEqual(report["exits"]["fragmented"], 5 - report.drops.get("tx_fit_limit", 0))
        errors = [data for data in left.frames if data[12:14] == b"\x08\x00" and data[23] == 1
                  and data[34:36] == b"\x03\x04"]
        self.assertEqual([struct.unpack_from("!H", data, 40)[0] for data in errors], [1500] * 5)
        self.assertEqual(len([data for data in left.frames if data[12:14] == b"\x86\xdd"
                              and data[20] == 58 and data[54:62] == b"\2\0" + data[56:58]
                              + struct.pack("!I", 1500)]), 5)
        self.assertLessEqual(max(len(data) for data in right.frames), 1514)
        return right.payload(17), report["exits"]["fragmented"] * (8928 - 20)

    def test_af_packet(self):
        self.assertEqual(*self.too_large_to("net_af_packet1,iface=wan"))

    def test_af_xdp(self):
        """These overwrote the driver's buffers."""
        try:
            came, sent = self.too_large_to("net_af_xdp0,iface=wan")
        except AssertionError as why:
            if any(word in str(why) for word in ("ENOSYS", "Operation not supported", "Protocol not")):
                raise unittest.SkipTest(f"needs a kernel with AF_XDP: {why}") from why
            raise
        self.assertLessEqual(came, sent)  # now and then it loses one
        self.assertGreater(came, 0)

    def test_pcap_interface(self):
        """libpcap refuses them each time that it is asked."""
        self.assertEqual(*self.too_large_to("net_pcap0,iface=wan"))

    def test_pcap_interface_to_send_by(self):
        """The same where the argument is that for sending alone."""
        program = self.wire("net_pcap0,rx_iface_in=wan,tx_iface=wan")
        self.send([frame(udp4(8928, True)) for _ in range(5)])
        self.alive()
        report = self.check(program.stop())
        self.assertEqual(report.drops, {"tx_too_big": 5}, report)

    def test_tap(self):
        """A datagram of 1 620 bytes that the kernel put together; it stayed for ever."""
        if not pathlib.Path("/dev/net/tun").exists():
            raise unittest.SkipTest("needs /dev/net/tun")
        program = self.wire("net_tap0,iface=tap0", mtu=1500, right=False)
        self.net.run(self.net.middle, "sysctl", "-qw", "net.ipv6.conf.tap0.disable_ipv6=0")
        self.net.address(self.net.middle, "tap0", 2)
        self.alive()
        self.assertEqual(self.net.ping(self.net.left, "10.9.0.2", "-s", "1592", count=5), 5)
        self.send([frame(udp4(1500, True))] * 3)
        self.alive()
        report = self.check(program.stop())
        self.assertGreaterEqual(report.packets["originated"], 5)
        self.assertEqual(report.drops, {})

    def test_tap_is_deleted(self):
        """Its driver would keep what was to leave by it for ever, and the end would have to be forced."""
        if not pathlib.Path("/dev/net/tun").exists():
            raise unittest.SkipTest("needs /dev/net/tun")
        program = self.wire("net_tap0,iface=tap0", mtu=1500, right=False)
        self.link("set", "tap0", "down")
        until(lambda: self.port(program, "link") == "down", 10, "it is down")
        self.send([frame(udp4(200, True))] * 5)
        self.link("delete", "tap0")
        until(lambda: self.port(program, "link") == "gone", 10, "its end is seen")
        self.send([frame(udp4(200, True))] * 50)
        until(lambda: program.telemetry("/spillway/metrics,drops").get("tx_link_down", 0) >= 50, 10,
              "they are dropped by name")
        self.check(program.stop())
        self.assertIn("port b: the interface of net_tap0 is gone: it can't come back before a restart", program.log)

    def test_put_together_by_the_kernel(self):
        """The same between two af_packet ports: it got lost, and counted as transmitted."""
        program = self.wire("net_af_packet1,iface=wan", mtu=1500)
        self.alive()
        for end, address in (self.net.left, "10.9.0.2"), (self.net.right, "10.9.0.1"):
            until(lambda: self.net.ping(end, address, "-s", "1592", count=5) == 5, 60, "all pings answered")
        self.check(program.stop())

    def test_path_mtu_is_learned(self):
        """The host sends less, once it was told."""
        program = self.wire("net_af_packet1,iface=wan")
        for family, address in ("-4", "10.9.0.2"), ("-6", "fd09::2"):
            self.assertEqual(self.net.ping(self.net.left, address, "-M", "do", "-s", "4000", count=2), 0)
            known = self.net.run(self.net.left, "ip", family, "route", "get", address).stdout
            self.assertIn("mtu 1500", known)
        self.check(program.stop())

    def test_the_kernel_counts_one_tag(self):
        """A full packet behind two tags is more than af_packet takes: its sender is told."""
        program = self.wire("net_af_packet1,iface=wan")
        left, right = self.ears()
        one, two = b"\x81\x00\x00\x64", b"\x88\xa8\x00\xc8\x81\x00\x00\x64"
        self.send([frame(udp4(1500, True), one)] * 3)
        self.send([frame(udp4(1500, True), two)] * 3)
        self.send([frame(udp4(1492, True), two)] * 3)
        self.alive()
        report = self.check(program.stop())
        self.assertEqual(len([data for data in right.frames if data[-1472:] == udp4(1500, True)[28:]]), 3)
        self.assertEqual(report.drops.get("tx_too_big", 0) + len(
            [data for data in right.frames if b"\x05\xd4" in data[:24]]), 6, report)

    def test_memif(self):
        """A device that would have carried it: but its MTU is 1 500."""
        socket_ = f"socket={self.folder}/memif,socket-abstract=no"
        program = self.wire(f"net_memif0,role=server,{socket_}")
        with Spillway("--port", f"m=net_memif0,role=client,{socket_}", "--port", "n=net_null0,no-rx=1",
                      "--wire", "m:n", "--default", "allow", "--idle", "sleep") as other:
            other.ready()
            self.send([frame(udp4(8928, True))] * 5)
            until(lambda: (other.telemetry("/ethdev/stats,0") or {}).get("ipackets", 0) > 0
                  or self.send([frame(udp4(200, True))]), 10, "a small one at the other end")
            self.check(other.stop())
        self.assertEqual(program.stop().drops.get("tx_too_big"), 5)

    def link(self, *what):
        run("ip", "-n", self.net.middle, "link", *what)

    def port(self, program, key):
        return program.telemetry("/spillway/metrics,ports,b")[key]

    def lost_at(self, second, down, up=None):
        """What can't leave by an interface is named, and none of it counts as sent."""
        program = self.wire(second, mtu=1500)
        self.alive()
        down()
        until(lambda: self.port(program, "link") != "up", 10, "the link is seen")
        given = self.port(program, "tx_packets")
        self.send([frame(udp4(200, True))] * 50)
        until(lambda: program.telemetry("/spillway/metrics,drops").get("tx_link_down", 0) >= 50, 10,
              "they are dropped by name")
        self.assertEqual(self.port(program, "tx_packets"), given)
        if up:
            up()
            self.alive()
        return program, self.check(program.stop())

    def test_interface_goes_down(self):
        for second in "net_af_packet1,iface=wan", "net_pcap0,iface=wan":
            with self.subTest(second):
                program, report = self.lost_at(second, lambda: self.link("set", "wan", "down"),
                                               lambda: self.link("set", "wan", "up"))
                self.assertRegex(program.log, r"port b: link down\n(.*\n)*.*port b: link up\n")
                self.assertEqual(report["ports"][1]["link"], "up")

    def test_first_packet_after_it_is_up_again(self):
        """It leaves by itself: what the kernel has left in the device's socket would keep it."""
        program = self.wire("net_af_packet1,iface=wan", mtu=1500)
        self.alive()
        for time_ in range(1, 4):
            self.link("set", "wan", "down")
            until(lambda: self.port(program, "link") == "down", 10, "the end is seen")
            self.link("set", "wan", "up")
            until(lambda: self.port(program, "link") == "up", 10, "its return is seen")
            ear = Ear(self.net.right)
            self.send([frame(udp4(200 + time_, True))])
            until(lambda: ear.payload(17) == 180 + time_, 10, "the one packet arrives")
            ear.close()
        self.assertEqual(self.check(program.stop())["ports"][1]["tx_unsent"], 0)

    def test_carrier_goes(self):
        self.lost_at("net_af_packet1,iface=wan",
                     lambda: run("ip", "-n", self.net.right, "link", "set", "eth0", "down"))

    def test_interface_is_deleted(self):
        program, report = self.lost_at("net_af_packet1,iface=wan", lambda: self.link("delete", "wan"))
        self.assertIn("port b: the interface of net_af_packet1 is gone", program.log)
        self.assertEqual(report["ports"][1]["link"], "gone")

    def test_interface_is_made_again(self):
        """To the driver it is gone for good, which is told, and what would leave by it is dropped until a new start."""
        program = self.wire("net_af_packet1,iface=wan", mtu=1500)
        self.alive()
        self.link("delete", "wan")
        until(lambda: self.port(program, "link") == "gone", 10, "its end is seen")
        self.link("add", "wan", "type", "veth", "peer", "name", "again")
        for end in "wan", "again":
            self.link("set", end, "up")
        run(BUILD / "ctl" / "spillwayctl", "--name", program.name, "check")  # after what the kernel has told
        self.assertEqual(self.port(program, "link"), "gone")
        self.send([frame(udp4(200, True))] * 5)
        until(lambda: program.telemetry("/spillway/metrics,drops").get("tx_link_down", 0) >= 5, 10, "they are dropped")
        self.check(program.stop())
        self.assertIn("can't come back before a restart", program.log)
        again = Spillway("--port", "a=net_af_packet0,iface=lan", "--port", "b=net_af_packet1,iface=wan", "--wire", "a:b",
                         "--default", "allow", namespace=self.net.middle)
        self.addCleanup(again.__exit__)
        ear = Ear(self.net.middle, "again")
        self.addCleanup(ear.close)
        again.ready()
        self.send([frame(udp4(200, True))])
        until(lambda: ear.payload(17) == 180, 10, "the packet arrives")
        self.check(again.stop())

    def test_interface_goes_to_another_namespace(self):
        """With the same number when it is back; the driver's sockets are on none. Also where both happen between two looks."""
        for between in contextlib.nullcontext, stopped:
            program = self.wire("net_af_packet1,iface=wan", mtu=1500)
            self.alive()
            with between(program.process.pid):
                self.link("set", "wan", "netns", self.net.right)
                run("ip", "-n", self.net.right, "link", "set", "wan", "netns", self.net.middle)
                self.link("set", "wan", "up")
            until(lambda: self.port(program, "link") == "gone", 10, "its end is seen")
            self.send([frame(udp4(200, True))] * 5)
            until(lambda: program.telemetry("/spillway/metrics,drops").get("tx_link_down", 0) >= 5, 10, "they are dropped")
            self.assertEqual(self.port(program, "link"), "gone")
            self.check(program.stop())

    def test_what_the_device_did_not_send(self):
        """An interface's end that the control thread has not heard of yet: the device counts."""
        program = self.wire("net_af_packet1,iface=wan", mtu=1500)
        self.alive()
        with stopped(program.process.pid):
            self.link("delete", "wan")
            self.send([frame(udp4(200, True))] * 50)
            until(lambda: program.telemetry("/ethdev/stats,1")["oerrors"] >= 50, 10, "the device gets them")
        until(lambda: self.port(program, "link") == "gone", 10, "the end is seen")
        report = self.check(program.stop())
        port = report["ports"][1]
        self.assertGreaterEqual(port["tx_unsent"], 50)
        self.assertIn(f"port b: {port['tx_unsent']} of {port['tx_packets']} packets that its device "
                      "took were not sent, by its own count", program.log)

    def test_mtu_is_lowered(self):
        """The kernel skips what is too large without telling the driver."""
        program = self.wire("net_af_packet1,iface=wan", mtu=1500)
        self.alive()
        self.link("set", "wan", "mtu", 1300)
        until(lambda: self.port(program, "mtu") == 1300, 10, "the MTU is seen")
        left, right = self.ears()
        self.send([frame(udp4(1400, True))] * 5)
        self.send([frame(udp4(1400, False, number)) for number in range(1, 6)])
        self.alive()
        self.link("set", "wan", "mtu", 1500)
        until(lambda: self.port(program, "mtu") == 1500, 10, "the MTU is seen")
        self.send([frame(udp4(1500, True))] * 5)
        self.alive()
        report = self.check(program.stop())
        self.assertEqual(report.drops, {"tx_too_big": 5})
        self.assertEqual([struct.unpack_from("!H", data, 40)[0] for data in left.frames
                          if data[23] == 1 and data[34:36] == b"\x03\x04"], [1300] * 5)
        self.assertEqual(right.payload(17), 5 * 1380 + 5 * 1480)
        self.assertRegex(program.log, r"port b: its interface has MTU 1300 now, instead of 1500: .*\n"
                                      r"(.*\n)*.*port b: its interface has MTU 1500 again")

    def test_unequal_ends_are_warned_of(self):
        program = self.wire("net_af_packet1,iface=wan")
        self.assertRegex(program.log, r"wire a:b: MTU 9000 at the one end, 1500 at the other")
        self.check(program.stop())


if __name__ == "__main__":
    main()
