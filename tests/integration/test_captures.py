# SPDX-License-Identifier: BSD-3-Clause
"""Captures through a wire that allows everything: out comes what went in, byte for byte, in order.

The exception are frames that contradict themselves: those that a test here made so, and those that a
capture cut short. oracle.py says which they are and under which name they must be dropped.
"""
import collections
import gzip
import struct
import subprocess

import capture
import oracle
from harness import BUILD, CAPTURES, CPUS, READ, TestCase, main, run, spillway


class Captures(TestCase):
    def through(self, frames):
        """On one lcore all of it stays in order; with workers each flow does."""
        self.once(frames, lambda got: got, "--fast", CPUS[0])
        self.once(frames, oracle.by_flow, "--fast", CPUS[0], "--pool", CPUS[-1], "--on-pool-full",
                  "classify=inline", "--dispatch", "classify=pool")

    def once(self, frames, order, *options):
        source = capture.write(self.folder / "in.pcap", frames)
        out = self.folder / "out.pcap"
        report = self.check(spillway(
            "--port", f"in=net_pcap0,rx_pcap={source}", "--port", f"out=net_pcap1,tx_pcap={out}",
            "--wire", "in:out", "--default", "allow", "--non-ip", "pass", "--exit-on-idle", READ,
            *options))
        gone_on = oracle.sort_out(frames)
        reasons = [packet.reason for _, packet in gone_on]
        expected = [frame for frame, packet in gone_on if not packet.reason]
        self.compare(order(capture.read(out)), order(expected))
        self.assertEqual(report.packets["received"], len(frames))
        self.assertEqual(report.packets["transmitted"], len(expected))
        self.assertEqual(report.drops, dict(collections.Counter(filter(None, reasons))))

    def compare(self, got, expected):
        """As assertEqual on lists of frames, with a message that can be read."""
        for number, (one, other) in enumerate(zip(got, expected)):
            if one != other:
                self.fail(f"frame {number}: got, and expected\n{one.hex()}\n{other.hex()}")
        self.assertEqual(len(got), len(expected))


class Own(Captures):
    def test_office(self):
        self.through(capture.read(CAPTURES / "office.pcap"))

    def test_well_formed(self):
        """Tags, SNAP, PPPoE, MPLS, options, extension headers, fragments, every protocol, frames up to 9014 bytes."""
        frames = capture.read(CAPTURES / "well_formed.pcap")
        self.assertEqual({oracle.parse(frame).reason for frame in frames}, {None})
        self.through(frames)

    def test_malformed(self):
        frames = capture.read(CAPTURES / "malformed.pcap")
        self.assertEqual(len({oracle.parse(frame).reason for frame in frames} - {None}), 11)
        self.through(frames)

    def test_cisco(self):
        """Link control of Cisco passes; ISL, whose VLAN looks like a type, does not, nor what else is Cisco's."""
        def frame(to, kind, inside=bytes(46)):
            snap = b"\xaa\xaa\3\0\0\x0c" + struct.pack("!H", kind) + inside
            return to + bytes(6) + struct.pack("!H", len(snap)) + snap
        groups = bytes.fromhex("01000ccccccc"), bytes.fromhex("01000ccccccd")
        control = [frame(groups[0], kind) for kind in (0x2000, 0x2003, 0x2004, 0x0111, 0x0104)]
        control.append(frame(groups[1], 0x010B))
        held = next(one for one in capture.read(CAPTURES / "office.pcap") if one[12:14] == b"\x08\0")
        isl = [frame(bytes.fromhex(to), kind, bytes(4) + held)
               for to in ("01000c000000", "03000c000000", "01000c000041") for kind in (2, 0x2000, 0x010B)]
        source = capture.write(self.folder / "in.pcap", control + isl + [frame(groups[0], 0x2001)])
        out = self.folder / "out.pcap"
        report = self.check(spillway(
            "--port", f"in=net_pcap0,rx_pcap={source}", "--port", f"out=net_pcap1,tx_pcap={out}",
            "--wire", "in:out", "--default", "allow", "--exit-on-idle", READ))
        self.assertEqual(report.drops, {"encapsulated_ip": len(isl) + 1})
        self.assertEqual(capture.read(out), control)

    def test_non_ip_dropped(self):
        frames = [frame for frame in capture.read(CAPTURES / "office.pcap")
                  if oracle.parse(frame).source is None]
        source = capture.write(self.folder / "in.pcap", frames)
        report = self.check(spillway(
            "--port", f"in=net_pcap0,rx_pcap={source}", "--port", "out=net_null0,no-rx=1",
            "--wire", "in:out", "--default", "allow", "--non-ip", "drop", "--exit-on-idle", READ))
        self.assertEqual(report.drops, {"non_ip": len(frames)})

    def test_non_ip_listed(self):
        """What passes is counted by type; the default is ARP and link control."""
        def frame(kind, data=bytes(46)):
            return bytes(12) + struct.pack("!H", kind) + data
        snap = frame(8, b"\xaa\xaa\3\0\0\x0c\x20\0")
        frames = {"arp": frame(0x0806), "lldp": frame(0x88CC), "stp": frame(46, b"\x42\x42\3" + bytes(43)),
                  "slow": frame(0x8809), "eapol": frame(0x888E), "mvrp": frame(0x88F5),
                  "mmrp": frame(0x88F6), "cfm": frame(0x8902), "cisco": snap, "0x88b5": frame(0x88B5),
                  "pppoe": frame(0x8863), "encapsulated": frame(0x8926), "other": frame(0x6003)}
        source = capture.write(self.folder / "in.pcap", frames.values())
        default = list(frames)[:9]
        for value, passes in (((), default), (("--non-ip", "arp, 0x88b5"), ["arp", "0x88b5"]),
                              (("--non-ip", "drop"), []),
                              (("--non-ip", "pass"), ["other"]),
                              (("--non-ip", "control,pppoe,pass,encapsulated"), list(frames))):
            out = self.folder / "out.pcap"
            report = self.check(spillway(
                "--port", f"in=net_pcap0,rx_pcap={source}", "--port", f"out=net_pcap1,tx_pcap={out}",
                "--wire", "in:out", *value, "--exit-on-idle", READ, "--fast", CPUS[0]))
            counted = {entry["type"]: entry["packets"] for entry in report["non_ip"]}
            if value[1:] == ("pass",):
                self.assertEqual(counted, {"other": len(frames) - 1})
                self.assertEqual(report.drops, {"encapsulated_ip": 1})
                continue
            if "control,pppoe,pass,encapsulated" in value:
                counted["arp"], counted["0x88b5"], counted["other"] = 1, 1, counted["other"] - 2
            self.assertEqual(counted, dict.fromkeys(passes, 1))
            self.assertEqual(capture.read(out), [frames[name] for name in passes])


class Debian(Captures):
    """Captures of real networks, from Debian's packages; one test for each package."""

    def package(self, name, least):
        folder = BUILD / "captures" / name
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            try:
                run("apt-get", "download", "-q", name, cwd=self.folder)
                run("dpkg", "-x", next(self.folder.glob("*.deb")), folder)
            except (AssertionError, OSError, subprocess.TimeoutExpired) as why:
                self.skipTest(f"can't fetch the Debian package {name}: {why}")
        frames = []
        for path in sorted(folder.rglob("*pcap*")):
            if path.is_file():
                try:
                    frames += capture.read(path)
                except (ValueError, gzip.BadGzipFile):
                    pass  # pcapng, other link types, damaged on purpose
        self.assertGreaterEqual(len(frames), least)
        self.through(frames)

    def test_python3_libtrace(self):
        self.package("python3-libtrace", 60)

    def test_python3_dpkt(self):
        self.package("python3-dpkt", 100)

    def test_gopacket(self):
        self.package("golang-github-gopacket-gopacket-dev", 20)

    def test_pathspider(self):
        self.package("pathspider", 68000)

    def test_pcapfix(self):
        self.package("pcapfix", 29)

    def test_sip_tester(self):
        self.package("sip-tester", 356)


if __name__ == "__main__":
    main()
