# SPDX-License-Identifier: BSD-3-Clause
"""What the report has, where and of which type: tests/integration/report.keys, one a line.

Whoever reads reports relies on it. A new key is added there; one that is there stays.
"""
import pathlib
import socket
import struct

import capture
import esp
from associations import POOL, IpsecCase
from harness import CPUS, READ, Spillway, main, spillway, until

KEYS = pathlib.Path(__file__).with_name("report.keys")
# Names that users or packets give.
NAMES = {"sas": "NAME", "drops": "REASON", "pool": "CLASS"}
ARP = b"\xff" * 6 + b"\x02\0\0\0\0\1" + b"\x08\x06" + bytes(28)


def keys(value, path=""):
    """All values in a report, as lines of place and type."""
    if isinstance(value, list):
        return set().union(*(keys(item, f"{path}[]") for item in value)) if value else {f"{path}[]"}
    if isinstance(value, dict):
        name = NAMES.get(path)
        return set().union(*(keys(item, f"{path}.{name or key}".lstrip("."))
                             for key, item in value.items())) if value else {f"{path}: empty"}
    # A number that happens to be whole is written as one.
    kind = {str: "text", int: "number", float: "number", type(None): "null"}[type(value)]
    return {f"{path}: {kind}"}


class Report(IpsecCase):
    def configuration(self):
        """Each kind of thing that is counted: associations, drops, fragments, frames that are not IP."""
        out, into = self.association("out"), self.association("in")
        self.file("rules", out.rule() + into.rule() + "allow udp from 10.200.0.0/16 to any\n"
                  "deny 99 from any to any name \"unused\"\n")
        clear = out.frame(bytes(64))
        coming = into.sa.encrypt(into.frame(bytes(64)), 1)
        other = esp.udp_frame("10.200.0.1", "10.201.0.1", bytes(9))
        large = esp.udp_frame("10.200.0.1", "10.201.0.1", bytes(2000))
        large = large[:20] + struct.pack(">H", 0) + large[22:]
        denied = esp.udp_frame("192.0.2.77", "10.201.0.1", bytes(9))
        source = capture.write(self.folder / "in.pcap", [ARP, clear, coming, other, other, large, denied] * 4)
        return self.file("ipsec.conf", "[spillway]\nrules = rules\n"
                         f"[port in]\ndevice = net_pcap0,rx_pcap={source}\n"
                         "[port out]\ndevice = net_null0,no-rx=1\n[wire w]\nports = in, out\n"
                         + out.section(self.folder) + into.section(self.folder))

    def test_keys(self):
        report = self.check(spillway("--config", self.configuration(), *POOL, "--rx", CPUS[0],
                                     "--tx", CPUS[-1], "--exit-on-idle", READ))
        self.assertEqual(report.packets["received"], 28)
        routed = self.file("router.conf", "[port r]\ndevice = net_null0,no-rx=1\nrouted = yes\naddress = 10.0.0.1/24\n"
                           "[route 10.1.0.0/16]\nvia = 10.0.0.2\n[neighbor 10.0.0.2]\nport = r\nmac = 02:00:00:00:00:02\n")
        routed = self.check(spillway("--config", routed, "--duration", "100ms"))
        self.assertEqual((routed["routes"]["ipv4"], routed["routes"]["ipv6"], routed["neighbors"]["known"]), (5, 0, 1))
        told = keys({family: routed[family] for family in ("routes", "neighbors", "kernel")})
        self.assertEqual(keys(report) | told, set(KEYS.read_text().split("\n")[:-1]))

    def test_telemetry(self):
        """Family by family, and member by member, telemetry tells the same names while lcores run."""
        with Spillway("--config", self.configuration(), *POOL) as program:
            program.ready()
            until(lambda: program.telemetry("/spillway/metrics,packets")["received"] == 28, 10, "all packets")
            told = {}
            for family in program.telemetry("/spillway/metrics"):
                answer = program.telemetry(f"/spillway/metrics,{family}")
                told[family] = answer if isinstance(answer, dict) else {
                    member: program.telemetry(f"/spillway/metrics,{family},{member}") for member in answer}
            for wrong in ("nothing", "ports,nothing", "packets,in", ","):
                self.assertIsNone(program.telemetry(f"/spillway/metrics,{wrong}"), wrong)
            report = self.check(program.stop())
        self.assertEqual(set(told), {key for key, value in report.items() if isinstance(value, (dict, list))})
        for family in "packets", "drops", "exits", "flows":
            self.assertEqual(told[family].keys(), report[family].keys(), family)
        for port in report["ports"]:
            self.assertEqual(told["ports"][port["name"]], port)
        self.assertEqual(set(told["sas"]), set(report["sas"]))
        self.assertEqual(told["pool"]["encrypt"]["pool_packets"], report["pool"]["encrypt"]["pool_packets"])
        self.assertGreater(float(told["pool"]["encrypt"]["service_us_max"]), 0)
        self.assertIn("stages_receive_packets", told["lcores"]["fast0"])
        self.assertEqual({frame["type"] for frame in report["non_ip"]}, set(told["non_ip"]))


if __name__ == "__main__":
    main()
