# SPDX-License-Identifier: BSD-3-Clause
"""Real traffic through each kind of device: pings both ways, or a capture, and an end in order."""
import collections
import pathlib
import unittest

import capture
import oracle
from harness import BUILD, CAPTURES, CPUS, Net, Spillway, TestCase, main, process_name, spillway, until
from holding import held_within
from test_blocks import worker

LAN, WAN = "net_af_packet0,iface=lan", "net_af_packet0,iface=wan"


class Device(TestCase):
    def start(self, namespace, first, second, *options, ready=True):
        program = Spillway("--port", f"a={first}", "--port", f"b={second}", "--wire", "a:b",
                           "--default", "allow", "--idle", "sleep", *options,
                           namespace=namespace)
        self.addCleanup(program.__exit__)
        return program.ready() if ready else program

    def net(self, **how):
        net = Net(**how)
        self.addCleanup(net.close)
        return net

    def pings(self, net, least=10):
        """10 pings each way, v4 and v6; the first may be needed to bring the devices up."""
        until(lambda: net.ping(net.left, "10.9.0.2", count=1), 20, "the first ping")
        for name, number in ((net.left, 2), (net.right, 1)):
            self.assertGreaterEqual(net.ping(name, f"10.9.0.{number}", count=10), least)
            self.assertGreaterEqual(net.ping(name, f"fd09::{number}", "-s", "1452", count=10), least)

    def through_pair(self, first, second, first_waits=False):
        """left - af_packet - spillway - first|second - spillway - af_packet - right

        `first_waits`: the first device does not start until its peer is there.
        """
        net = self.net(other=True)
        one = self.start(net.middle, LAN, first, ready=not first_waits)
        other = self.start(net.other, WAN, second)
        one.ready()
        self.pings(net)
        for program in (one, other):
            report = self.check(program.stop())
            for port in report["ports"]:
                self.assertGreaterEqual(port["rx_packets"], 40, report["ports"])
                self.assertGreaterEqual(port["tx_packets"], 40, report["ports"])


class Memif(Device):
    def test_ping(self):
        socket = f"socket={self.folder}/memif,socket-abstract=no"
        self.through_pair(f"net_memif0,role=server,{socket}", f"net_memif0,role=client,{socket}")

    def test_peer_leaves(self):
        """The other end goes first, under traffic: the one that stays ends in order too."""
        socket = f"socket={self.folder}/memif,socket-abstract=no"
        source = f"net_pcap0,rx_pcap={CAPTURES}/office.pcap,infinite_rx=1"
        one = self.start(None, source, f"net_memif0,role=server,{socket}")
        other = self.start(None, f"net_memif0,role=client,{socket}", "net_null0,no-rx=1")
        until(lambda: (one.telemetry("/ethdev/stats,1") or {}).get("opackets", 0) > 1000, 20, "traffic")
        self.check(other.stop())
        report = one.stop()
        self.check(report, outcome="forced" if report.status == 3 else "drained",
                   status=3 if report.status == 3 else 0)


    def test_peer_is_killed(self):
        """While the lcore is within the driver's code: its rings stay until it has left that. Traffic returns."""
        memif = f"socket={self.folder}/memif,socket-abstract=no"
        source = f"net_pcap0,rx_pcap={CAPTURES}/office.pcap,infinite_rx=1"
        one = self.start(None, source, f"net_memif0,role=server,{memif}", "--stall-timeout", "0")
        thread = int(worker(self, one.process).name)
        link = lambda: (one.telemetry("/ethdev/link_status,1") or {}).get("status")  # noqa: E731
        for slow in False, True, None:
            other = self.start(None, f"net_memif0,role=client,{memif}", "net_null0,no-rx=1")
            received = lambda: other.telemetry("/spillway/metrics,packets")["received"]  # noqa: E731
            until(lambda: received() > 1000, 20, "traffic")
            if slow is None:
                break
            with held_within(one.process.pid, thread, "librte_net_memif"):
                other.process.kill()
                until(lambda: link() == "DOWN", 10, "the peer's end is seen")
                if slow:
                    until(lambda: "its rings stay for so long" in one.log, 10, "the lcore is waited for")
        self.check(one.stop())
        self.check(other.stop())


class Virtio(Device):
    def test_ping(self):
        path = self.folder / "vhost"
        self.through_pair(f"net_vhost0,iface={path}", f"net_virtio_user0,path={path}")

    def test_ping_as_server(self):
        path = self.folder / "vhost"
        self.through_pair(f"net_virtio_user0,path={path},server=1",
                          f"net_vhost0,iface={path},client=1", first_waits=True)


class Tap(Device):
    def test_ping(self):
        """The right host is the middle's own kernel, behind a tap."""
        if not pathlib.Path("/dev/net/tun").exists():
            raise unittest.SkipTest("needs /dev/net/tun")
        net = self.net(right=False)
        program = self.start(net.middle, LAN, "net_tap0,iface=tap0")
        net.run(net.middle, "sysctl", "-qw", "net.ipv6.conf.tap0.disable_ipv6=0")
        net.address(net.middle, "tap0", 2)
        net.right = net.middle
        self.pings(net)
        self.check(program.stop())


class AfXdp(Device):
    def test_ping(self):
        net = self.net()
        try:
            program = self.start(net.middle, "net_af_xdp0,iface=lan", "net_af_xdp1,iface=wan")
        except AssertionError as why:
            if any(word in str(why) for word in ("ENOSYS", "Operation not supported", "Protocol not")):
                raise unittest.SkipTest(f"needs a kernel with AF_XDP: {why}")
            raise
        # Facts of the driver on veth: now and then it loses one.
        self.pings(net, least=8)
        self.check(program.stop())


class Null(Device):
    def test_forward(self):
        report = self.check(spillway("--port", "a=net_null0,size=128,copy=1", "--port", "b=net_null1",
                                     "--wire", "a:b", "--default", "allow", "--packets", "100k"))
        ports = {port["name"]: port for port in report["ports"]}
        self.assertEqual(report.packets["received"],
                         ports["a"]["rx_packets"] + ports["b"]["rx_packets"])
        self.assertEqual(report.packets["transmitted"],
                         ports["a"]["tx_packets"] + ports["b"]["tx_packets"])


class Ring(Device):
    def test_round_trip(self):
        """A capture goes into the ring, comes back out of it, and into a file."""
        out = self.folder / "out.pcap"
        report = self.check(spillway(
            "--port", f"a=net_pcap0,rx_pcap={CAPTURES}/office.pcap,tx_pcap={out}", "--port",
            "b=net_ring0", "--wire", "a:b", "--default", "allow", "--exit-on-idle", "300ms",
            "--on-pool-full", "classify=inline"))
        frames = capture.read(CAPTURES / "office.pcap")
        self.assertEqual(oracle.by_flow(capture.read(out)), oracle.by_flow(frames))
        self.assertEqual(report.packets["received"], 2 * len(frames))

    def test_end_with_full_ring(self):
        """The ring's only reader is spillway: when it ends, what lies in there is not lost track of."""
        source = f"net_pcap0,rx_pcap={CAPTURES}/office.pcap,infinite_rx=1"
        report = self.start(None, source, "net_ring0").stop()
        self.check(report, outcome="forced" if report.status else "drained",
                   status=3 if report.status else 0)


class Pcap(Device):
    def test_both_ways(self):
        """Two captures in opposite directions at a time."""
        names = ("office", "well_formed")
        ports = []
        for number, name in enumerate(names):
            ports.append(f"net_pcap{number},rx_pcap={CAPTURES}/{name}.pcap,"
                         f"tx_pcap={self.folder}/{number}.pcap")
        self.check(spillway("--port", f"a={ports[0]}", "--port", f"b={ports[1]}", "--wire", "a:b",
                            "--default", "allow", "--exit-on-idle", "300ms"))
        for got, sent in (("1", "office"), ("0", "well_formed")):
            self.assertEqual(oracle.by_flow(capture.read(self.folder / f"{got}.pcap")),
                             oracle.by_flow(capture.read(CAPTURES / f"{sent}.pcap")))

    def test_interface(self):
        """net_pcap on live interfaces."""
        net = self.net()
        program = self.start(net.middle, "net_pcap0,iface=lan", "net_pcap1,iface=wan")
        self.pings(net)
        self.check(program.stop())


class AfPacket(Device):
    def test_two_queues(self):
        """Two queues are two members of a fanout group: flows keep their order, both ways."""
        net = self.net()
        program = self.start(net.middle, LAN, "net_af_packet1,iface=wan", "--rx-queues", "a:2",
                             "--rx-queues", "b:2", "--tx-queues", "a:2", "--tx-queues", "b:2")
        self.pings(net)
        self.check(program.stop())


class Refuses(Device):
    """Of the drivers here without a NIC, failsafe alone claims RSS and is asked for it."""

    EAL = ("--vdev=net_failsafe0,dev(net_null5)", "--vdev=net_failsafe1,dev(net_null6)", "--no-huge", "-m", "1024",
           "--no-pci", "--no-telemetry", "--lcores", f"0@{CPUS[0]},1@{CPUS[0]},2@{CPUS[-1]}")

    def test_table(self):
        """A device that keeps a table of its own: flows are spread in software, with a warning."""
        library = BUILD / "tests" / "integration" / "librefuse_table.so"
        for refuses in False, True:
            report = self.check(spillway(
                "--port", "a=net_failsafe0", "--port", "b=net_failsafe1", "--wire", "a:b", "--default", "allow",
                "--packets", "100k", "--idle", "sleep", "--fast", f"{CPUS[0]},{CPUS[-1]}",
                eal=(*self.EAL, f"--file-prefix={process_name('spw')}"),
                wrapper=("env", f"LD_PRELOAD={library}") if refuses else ()))
            said = "port a: net_failsafe0 keeps a table of rx queues of its own (Operation not supported): " \
                "flows are spread in software" in report.stderr
            self.assertEqual(said, refuses, report.stderr)
            self.assertEqual(report.packets["received"], sum(port["rx_packets"] for port in report["ports"]))
            lcores = [lcore["packets"] for lcore in report["lcores"] if lcore["role"] == "fast"]
            self.assertEqual(len(lcores), 2)


class Hugepages(Device):
    def test_hugepages(self):
        """The same with hugepages, if there are free ones."""
        lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
        memory = {name: int(value.split()[0]) for name, value in (line.split(":") for line in lines)}
        if memory.get("HugePages_Free", 0) * memory["Hugepagesize"] < 256 << 10:
            raise unittest.SkipTest("needs 256 MiB of free hugepages: echo 256 > "
                                    "/proc/sys/vm/nr_hugepages")
        out = self.folder / "out.pcap"
        report = self.check(spillway(
            "--port", f"a=net_pcap0,rx_pcap={CAPTURES}/office.pcap", "--port",
            f"b=net_pcap1,tx_pcap={out}", "--wire", "a:b", "--default", "allow", "--exit-on-idle",
            "300ms", huge=True))
        self.assertEqual(collections.Counter(capture.read(out)),
                         collections.Counter(capture.read(CAPTURES / "office.pcap")), report)


if __name__ == "__main__":
    main()
