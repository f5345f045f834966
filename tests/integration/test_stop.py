# SPDX-License-Identifier: BSD-3-Clause
"""Runs that end by themselves, and the report that they leave."""
import json
import pathlib
import re
import time

from harness import CAPTURES, CPUS, Spillway, TestCase, main, process_name, run, spillway, SPILLWAY

NULLS = ("--port", "a=net_null0", "--port", "b=net_null1", "--wire", "a:b", "--default", "allow",
         "--non-ip", "pass")
CAPTURE = ("--port", f"a=net_pcap0,rx_pcap={CAPTURES}/office.pcap",
           "--port", "b=net_null0,no-rx=1", "--wire", "a:b", "--default", "allow")


class Stop(TestCase):
    def test_duration(self):
        report = self.check(spillway(*NULLS, "--duration", "300ms"))
        self.assertEqual(report["reason"], "duration")
        self.assertGreaterEqual(report["seconds"], 0.3)
        self.assertLess(report["seconds"], 5)
        self.assertGreater(report.packets["transmitted"], 0)

    def test_packets(self):
        report = self.check(spillway(*NULLS, "--packets", "10000"))
        self.assertEqual(report["reason"], "packets")
        self.assertGreaterEqual(report.packets["received"], 10000)

    def test_idle(self):
        report = self.check(spillway(*CAPTURE, "--exit-on-idle", "200ms"))
        self.assertIn("idle", report["reason"])
        self.assertEqual(report.packets["received"], 540)
        self.assertEqual(report.packets["transmitted"], 540)

    def test_report_on_standard_output(self):
        done = run(SPILLWAY, "--no-huge", "--name", process_name("spw"), *CAPTURE, "--exit-on-idle",
                   "100ms", "--report", "-")
        self.assertEqual(json.loads(done.stdout)["packets"]["received"], 540)

    def test_live_counters(self):
        report = self.check(spillway(*NULLS, "--duration", "1s", "--stats", "100ms"))
        lines = [line for line in report.stderr.splitlines() if re.search(r"received|rx", line)]
        self.assertGreaterEqual(len(lines), 3, report.stderr)

    def test_two_wires(self):
        report = self.check(spillway(
            *NULLS, "--port", f"c=net_pcap0,rx_pcap={CAPTURES}/office.pcap,infinite_rx=1",
            "--port", "d=net_null2,no-rx=1", "--wire", "c:d", "--duration", "200ms"))
        ports = {port["name"]: port for port in report["ports"]}
        self.assertEqual(set(ports), set("abcd"))
        self.assertGreater(ports["d"]["tx_packets"], 0)
        self.assertEqual(ports["c"]["tx_packets"], 0)
        self.assertGreater(ports["a"]["tx_packets"], 0)


class Control(TestCase):
    def test_sleeps(self):
        """Without a watchdog nothing is due: it wakes once a second, for all that it can't hear of."""
        with Spillway(*NULLS, "--stall-timeout", "0", "--idle", "sleep") as program:
            status = pathlib.Path(f"/proc/{program.ready().process.pid}/task/{program.process.pid}/status")
            woken = lambda: int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status.read_text(), re.M)[1])  # noqa: E731
            before = woken()
            time.sleep(2)
            self.assertLess(woken() - before, 20)
            self.check(program.stop())


class Report(TestCase):
    """Every key of the reference is there, and the numbers fit each other."""

    def test_keys(self):
        report = self.check(spillway(*CAPTURE, "--exit-on-idle", "200ms", "--fast", CPUS[0],
                                     "--pool", CPUS[-1], "--dispatch", "classify=pool",
                                     "--on-pool-full", "classify=inline"))
        self.assertLessEqual({"version", "outcome", "reason", "seconds", "packets", "drops",
                              "leaked_mbufs", "drain_ms", "ports", "lcores", "channels", "pool",
                              "latency_us", "flows"}, set(report))
        self.assertEqual(set(report.packets), {"received", "originated", "transmitted",
                                               "delivered_to_host", "dropped", "in_flight"})
        for port in report["ports"]:
            self.assertLessEqual({"name", "driver", "socket", "rx_packets", "tx_packets",
                                  "rx_missed", "rx_nombuf", "tx_retried", "tx_unsent", "link", "mtu"}, set(port))
        self.assertEqual([(port["name"], port["driver"]) for port in report["ports"]],
                         [("a", "net_pcap"), ("b", "net_null")])
        self.assertEqual(report["ports"][0]["rx_packets"], 540)
        self.assertEqual(report["ports"][1]["tx_packets"], 540)
        for lcore in report["lcores"]:
            self.assertLessEqual({"lcore", "cpu", "socket", "role", "polls", "empty_polls",
                                  "packets", "busy_cycles", "cycles_per_packet", "over_budget",
                                  "longest_burst_us"}, set(lcore))
        self.assertLessEqual({"fast", "pool"}, {lcore["role"] for lcore in report["lcores"]})
        for channel in report["channels"]:
            self.assertLessEqual({"name", "capacity", "high_water", "sent", "refused"}, set(channel))
            self.assertLessEqual(channel["high_water"], channel["capacity"])
        classify = report["pool"]["classify"]
        self.assertLessEqual({"capacity", "inline_packets", "pool_packets", "jobs", "refused",
                              "high_water", "wait_us", "service_us", "cycles_per_packet"},
                             set(classify))
        self.assertGreater(classify["pool_packets"], 0)
        self.assertLessEqual(classify["high_water"], classify["capacity"])
        for times in (classify["wait_us"], classify["service_us"], *report["latency_us"].values()):
            self.assertLessEqual({"p50", "p99", "p999", "max"}, set(times))
            self.assertLessEqual(times["p50"], times["p99"])
            self.assertLessEqual(times["p99"], times["p999"])
            self.assertLessEqual(times["p999"], times["max"])
        self.assertEqual(sum(way["count"] for way in report["latency_us"].values()), 540)
        self.assertLessEqual({"entries", "hits", "misses", "evicted", "expired"},
                             set(report["flows"]))


if __name__ == "__main__":
    main()
