# SPDX-License-Identifier: BSD-3-Clause
"""The traffic generator: alone on a ring, into the void, and through spillway over two memifs."""
import itertools
import json
import os
import pathlib
import signal
import subprocess

from harness import BUILD, CPUS, Spillway, TestCase, main, process_name, until
from holding import held_within
from test_blocks import worker

LOAD = BUILD / "tools" / "load" / "spillway-load"
CLASSES = ("--class", "small:share=40,flows=100k", "--class", "mixed:share=20,size=imix",
           "--class", "six:share=20,family=6,size=88-1518,vlan=7", "--class", "flood:share=20,new=yes")
NAMES = ["small", "mixed", "six", "flood"]
CLOCK_NANOSLEEP = "230 "  # its number on x86-64
_number = itertools.count()


class Generator(TestCase):
    def start(self, *options):
        """A running generator; spillway's own polling takes the highest CPU."""
        self.report_file = self.folder / f"load-{next(_number)}.json"
        process = subprocess.Popen(
            [str(part) for part in (LOAD, "--no-huge", "--name", process_name("ld"),
                                    "--cpu", CPUS[0], "--report", self.report_file, *options)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def finish(self, process, status=0):
        """Waits for its end; the report, whose books are checked."""
        self.output, self.errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, status, self.output + self.errors)
        report = json.loads(self.report_file.read_text())
        self.assertEqual(report["leaked_mbufs"], 0)
        self.assertEqual(report["status"], status)
        for trial in report["trials"]:
            self.check_trial(trial)
        self.check_ports(report)
        return report

    def check_trial(self, trial):
        self.assertEqual(trial["asked"], trial["sent"] + trial["tx_full"] + trial["too_late"], trial)
        for key in ("sent", "received", "lost"):
            self.assertEqual(trial[key], sum(one[key] for one in trial["classes"]), key)
        for one in trial["classes"]:
            self.assertEqual(one["lost"], one["sent"] - one["received"])
            latency = one["latency_us"]
            self.assertEqual([latency[key] for key in ("p50", "p90", "p99", "p99.9", "max")],
                             sorted(latency[key] for key in ("p50", "p90", "p99", "p99.9", "max")))
            self.assertEqual(latency["cdf"], sorted(latency["cdf"]))
            if one["received"]:
                self.assertEqual(latency["cdf"][-1], [latency["max"], 1])
            else:
                self.assertEqual(latency["cdf"], [])

    def check_ports(self, report):
        """What the trials counted is what the devices counted, warm-ups aside."""
        trials, ports = report["trials"], report["ports"]
        counted = sum(trial["received"] + trial["early"] + trial["foreign"]
                      + sum(one["duplicates"] for one in trial["classes"]) for trial in trials)
        self.assertEqual(counted, sum(port["rx_packets"] for port in ports), report)
        self.assertGreaterEqual(ports[0]["tx_packets"], sum(trial["sent"] for trial in trials))

    def all_came(self, trial):
        for key in ("lost", "foreign"):
            self.assertEqual(trial[key], 0, trial)
        for one in trial["classes"]:
            self.assertGreater(one["received"], 0, one)
            self.assertEqual((one["duplicates"], one["reordered"]), (0, 0), one)


class Ring(Generator):
    def test_round_trip(self):
        report = self.finish(self.start("--port", "a=net_ring0", "--rate", "0.05", "--duration", "500ms",
                                        "--warm-up", "100ms", *CLASSES))
        (trial,) = report["trials"]
        self.all_came(trial)
        self.assertAlmostEqual(trial["asked"], 25000, delta=1)
        self.assertGreater(trial["early"], 0, "no warm-up")
        self.assertEqual([one["name"] for one in trial["classes"]], NAMES)
        self.assertEqual([one["name"] for one in report["options"]["classes"]], NAMES)
        sent = [one["sent"] for one in trial["classes"]]
        for share, packets in zip((.4, .2, .2, .2), sent):
            self.assertAlmostEqual(packets / trial["sent"], share, delta=0.01)
        self.assertEqual(report["end"], "done")
        for name in NAMES:
            self.assertIn(f" {name} ", self.output)

    def test_as_fast_as_it_can(self):
        report = self.finish(self.start("--port", "a=net_ring0", "--duration", "300ms",
                                        "--warm-up", "0", *CLASSES))
        (trial,) = report["trials"]
        self.all_came(trial)
        self.assertEqual((trial["asked_mpps"], trial["too_late"], trial["early"]), (0, 0, 0))

    def test_signal(self):
        """It ends early, and in order."""
        for number in (signal.SIGTERM, signal.SIGINT):
            process = self.start("--port", "a=net_ring0", "--rate", "0.1", "--duration", "1h",
                                 "--warm-up", "0")
            self.assertIn("trial", process.stdout.readline())
            process.send_signal(number)
            report = self.finish(process)
            self.assertEqual(report["end"], "signal")
            self.assertLess(report["trials"][0]["seconds"], 60)
            self.assertEqual(report["trials"][0]["lost"], 0)

    def test_rfc2544(self):
        """The search's verdicts follow from its trials, and latency is measured at what it found."""
        report = self.finish(self.start("--port", "a=net_ring0", "--rfc2544", "--trial", "50ms", "--warm-up",
                                        "0", "--max", "0.1", "--loss", "0.5%", "--latency-at", "10,50"))
        search = [trial for trial in report["trials"] if trial["purpose"] == "search"]
        best = 0
        for trial in search:
            offered = trial["sent"] + trial["tx_full"]
            passed = (0 < trial["received"] and offered >= 0.99 * trial["asked"]
                      and offered - trial["received"] <= 0.005 * offered)
            self.assertEqual(trial["passed"], passed, trial)
            best = trial["offered_mpps"] if passed else best
        self.assertEqual(search[0]["asked_mpps"], 0.1)
        self.assertAlmostEqual(report["throughput"]["mpps"], best, places=6)
        self.assertTrue(report["throughput"]["complete"])
        shares = [trial["share_of_throughput"] for trial in report["trials"]
                  if trial["purpose"] == "latency"]
        self.assertEqual(shares, [0.1, 0.5] if best else [])
        self.assertIn("throughput", self.output)


class Void(Generator):
    def test_lost(self):
        """What goes nowhere is lost, all of it; what comes from nowhere is foreign."""
        report = self.finish(self.start("--port", "out=net_null0,no-rx=1", "--port", "in=net_null1", "--rate",
                                        "0.05", "--duration", "200ms", "--warm-up", "0"))
        (trial,) = report["trials"]
        self.assertGreater(trial["sent"], 0)
        self.assertEqual((trial["lost"], trial["loss"]), (trial["sent"], 1))
        self.assertGreater(trial["foreign"], 0)

    def test_no_peer(self):
        process = self.start("--port", f"a=net_memif0,role=server,socket={self.folder}/m,socket-abstract=no",
                             "--wait", "200ms")
        self.finish(process, status=1)
        self.assertRegex(self.errors, r"^spillway-load: port a: net_memif0 has no link within --wait")

    def test_bad_option(self):
        process = self.start("--port", "a=net_ring0", "--rate", "fast")
        output, errors = process.communicate(timeout=20)
        self.assertEqual((process.returncode, output), (2, ""))
        self.assertEqual(errors, "spillway-load: --rate 'fast': expected millions of packets a second, "
                                 "such as 2.5, or max\n")


class Peer(Generator):
    def test_is_killed(self):
        """While the lcore is within the driver: the rings stay until it has left that, and that is the end of the load."""
        socket = f"socket={self.folder}/m,socket-abstract=no"
        process = self.start("--port", f"a=net_memif0,role=server,{socket}", "--rate", "0.01", "--duration", "60s")
        until((self.folder / "m").exists, 20, "its socket")
        with Spillway("--port", f"a=net_memif0,role=client,{socket}", "--port", "b=net_null0,no-rx=1", "--wire", "a:b",
                      "--default", "allow") as spillway:
            until(lambda: spillway.ready().telemetry("/spillway/metrics,packets")["received"] > 100, 20, "traffic")
            interrupts = next(task for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir()
                              if (task / "comm").read_text().strip() in ("eal-intr-thread", "dpdk-intr"))
            with held_within(process.pid, int(worker(self, process).name), "librte_net_memif"):
                spillway.process.kill()
                until(lambda: (interrupts / "syscall").read_text().startswith(CLOCK_NANOSLEEP), 20, "the lcore is waited for")
            report = self.finish(process, status=1)
        self.assertEqual(report["end"], "link")
        self.assertEqual(self.errors, "spillway-load: a link went down: the peer has left\n")


class Wire(Generator):
    def test_all_accounted(self):
        """out - memif - spillway - memif - in: each packet in both programs' books, and none lost."""
        ends = [f"socket={self.folder}/{name},socket-abstract=no" for name in ("out", "in")]
        process = self.start("--port", f"out=net_memif0,role=server,{ends[0]}",
                             "--port", f"in=net_memif1,role=server,{ends[1]}",
                             "--rate", "0.01", "--duration", "1s", "--warm-up", "200ms", *CLASSES)
        until(lambda: all((self.folder / name).exists() for name in ("out", "in")), 20, "its sockets")
        with Spillway("--port", f"a=net_memif0,role=client,{ends[0]}",
                      "--port", f"b=net_memif1,role=client,{ends[1]}",
                      "--wire", "a:b", "--default", "allow") as spillway:
            spillway.ready()
            report = self.finish(process)
            forwarded = self.check(spillway.stop())
        (trial,) = report["trials"]
        self.all_came(trial)
        self.assertEqual([one["name"] for one in trial["classes"]], NAMES)
        self.assertEqual(forwarded.packets["received"], report["ports"][0]["tx_packets"])
        self.assertEqual(forwarded.packets["transmitted"],
                         trial["received"] + trial["early"] + trial["foreign"])
        self.assertEqual(forwarded.drops, {})


if __name__ == "__main__":
    main()
