# SPDX-License-Identifier: BSD-3-Clause
"""tools/pktgen: its scripts, its conversion of results, its refusals; and Pktgen itself, if it is here."""
import json
import os
import shlex
import shutil
import unittest

from harness import CPUS, ROOT, Spillway, TestCase, main, need_program, run

FOLDER = ROOT / "tools" / "pktgen"
PKTGEN = shutil.which(os.environ.get("SPILLWAY_PKTGEN", "pktgen"))

# Of a run of `mixed --shares 50 --seconds 1` against spillway over memif; latencies shortened.
RECORDED = """\
pktgen version=24.07.1
measurement received=34933 below=282864 sent=38941 all_below=715072 samples=samples-1 \
seconds=0.99334502220154 share=50 size=64 protect_size=1400 by_size=554528 probes=807 all_received=62522 \
all_by_size=1000352 all_sent=91223
"""
SAMPLES = "Latency\n4000\n6000\n5000\n9000\n"


class Convert(TestCase):
    def convert(self, text, status=0):
        self.file("results", text)
        self.file("samples-1", SAMPLES)
        done = run(FOLDER / "results.py", "mixed", self.folder, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    def test_recorded(self):
        (record,), _ = self.convert(RECORDED + "end\n")
        self.assertEqual(record.pop("latency_us"), {"min": 4, "avg": 6, "p50": 6, "p99": 9, "max": 9,
                                                    "jitter": 2.333, "probes": 4})
        clear = record.pop("clear")
        self.assertEqual(record, {
            "tool": "pktgen", "version": "24.07.1", "test": "mixed", "size": 64, "protect_size": 1400,
            "share": 50, "offered_mpps": 0.039202, "received_mpps": 0.035167, "lost": 91223 - 62522,
            "loss": round(28701 / 91223, 9)})
        # Half of what was sent, but for the probes; and of what came, the small ones but for the probes.
        self.assertEqual(clear["lost"], int((91223 - 807) / 2 - (62522 * 715072 / 1000352 - 807)))
        self.assertAlmostEqual(clear["offered_mpps"], 0.0392 * (1 - 807 / 91223) / 2, places=4)

    def test_error_after_a_measurement(self):
        records, why = self.convert(RECORDED + "error a port has no link after 20 s\n", status=1)
        self.assertEqual(len(records), 1)
        self.assertEqual(why, "results.py: a port has no link after 20 s\n")

    def test_cut_short(self):
        self.assertIn("within the script", self.convert(RECORDED, status=1)[1])

    def test_no_results(self):
        done = run(FOLDER / "results.py", "sizes", self.folder, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("did not come to the script", done.stderr)


class Options(TestCase):
    def refused(self, *words, status=2):
        done = run(FOLDER / "run", "--pktgen", "/bin/true", *words, check=False)
        self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        return done.stderr

    def test_values(self):
        for words, named in ((["sizes", "--sizes", "64,32"], "'32'"), (["mixed", "--shares", "15"], "'15'"),
                             (["--lcores", "0,1", "sizes"], "'0,1'"), (["--seconds", "0", "sizes"], "'0'"),
                             (["--mac", "1:2", "sizes"], "'1:2'"), (["rfc2544", "--loss", "2"], "'2'"),
                             (["mixed", "--clear-size", "300", "--protect-size", "256"], "300"),
                             (["speed"], "'speed'"), (["--pktgen", "/no/pktgen", "sizes"], "/no/pktgen")):
            with self.subTest(words):
                self.assertIn(named, self.refused(*words))

    def test_program_that_is_not_pktgen(self):
        self.assertIn("did not come to the script", self.refused("sizes", status=1))


class Scripts(TestCase):
    def test_syntax(self):
        compiler = shutil.which("luac5.3") or shutil.which("luac5.4")
        if not compiler:
            raise unittest.SkipTest("needs luac: tools/setup lua5.3")
        for script in FOLDER.glob("*.lua"):
            run(compiler, "-p", script)


class Memif(TestCase):
    def test_sizes(self):
        """What Pktgen says was lost is what spillway says it dropped."""
        if not PKTGEN:
            raise unittest.SkipTest("needs Pktgen-DPDK (SPILLWAY_PKTGEN or PATH): tools/pktgen/README.md")
        need_program("script")
        socket = f"socket={self.folder}/memif,socket-abstract=no"
        ports = [f"net_memif{number},role={{}},id={number},{socket}" for number in (0, 1)]
        eal = ["--no-huge", "-m", "512", "--no-pci"]
        for port in ports:
            eal += ["--vdev", port.format("client")]
        cpus = ",".join(str(CPUS[min(number, len(CPUS) - 1)]) for number in range(3))
        with Spillway("--port", f"a={ports[0].format('server')}", "--port", f"b={ports[1].format('server')}",
                      "--wire", "a:b", "--default", "allow") as program:
            program.ready()
            done = run(FOLDER / "run", "--pktgen", PKTGEN, "--lcores", cpus, "--eal", shlex.join(eal),
                       "--seconds", "1", "sizes", "--sizes", "64,imix", "--rate", "0.05", timeout=120)
            report = self.check(program.stop())
        records = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([record["size"] for record in records], [64, "imix"])
        for record in records:
            self.assertGreater(record["offered_mpps"], 0, record)
            self.assertGreater(record["received_mpps"], 0, record)
        self.assertEqual(sum(record["lost"] for record in records), report.packets["dropped"], report)


if __name__ == "__main__":
    main()
