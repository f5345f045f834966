# SPDX-License-Identifier: BSD-3-Clause
"""spillwayctl against a running spillway: what it shows, and what it changes."""
import json
import subprocess

import test_report
from associations import POOL, IpsecCase
from harness import BUILD, Spillway, main, run, until

CTL = BUILD / "ctl" / "spillwayctl"


def ctl(program, *words, status=0):
    """Runs spillwayctl for a program; what it printed."""
    done = run(CTL, "--name", program.name, *words, check=False)
    assert done.returncode == status, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout if status == 0 else done.stderr


def rows(text):
    """A table as its headings, and the rest by the first cell of each row."""
    heading, *lines = text.splitlines()
    return heading, {line.split()[0]: line.split()[1:] for line in lines}


class Show(IpsecCase):
    configuration = test_report.Report.configuration  # each kind of thing that is counted

    def test_views(self):
        """Each command's text and JSON tell what the report has in the end."""
        views = "status", "ports", "lcores", "channels", "pool", "latency", "flows", "rules", "drops", "sa"
        with Spillway("--config", self.configuration(), *POOL) as program:
            program.ready()
            until(lambda: program.telemetry("/spillway/metrics,packets")["received"] == 28
                  and program.telemetry("/spillway/metrics,packets")["in_flight"] == 0, 10, "all packets")
            told = {view: json.loads(ctl(program, view, "--json")) for view in views}
            text = {view: ctl(program, view) for view in views}
            report = self.check(program.stop())
        self.assertEqual(told["status"]["status"]["state"], "running")
        self.assertEqual(told["status"]["packets"]["received"], 28)
        self.assertEqual(told["drops"], report["drops"])
        for port in report["ports"]:
            self.assertEqual(told["ports"][port["name"]], port)
        self.assertEqual(told["flows"], report["flows"])
        self.assertEqual(set(told["channels"]), {channel["name"] for channel in report["channels"]})
        self.assertEqual(told["pool"]["encrypt"]["pool_packets"], report["pool"]["encrypt"]["pool_packets"])
        self.assertEqual(set(told["sa"]), set(report["sas"]))
        self.assertEqual([rule["packets"] for rule in told["rules"].values()],
                         [rule["packets"] for rule in report["rules"]])
        self.assertIn("fast_p99", told["latency"])

        self.assertEqual(rows(text["drops"])[1],
                         {reason: [str(packets)] for reason, packets in report["drops"].items()})
        heading, ports = rows(text["ports"])
        self.assertRegex(heading, "^PORT +DRIVER +LINK +MTU BYTES +RX PACKETS +TX PACKETS ")
        self.assertEqual({name: cells[3] for name, cells in ports.items()},
                         {port["name"]: str(port["rx_packets"]) for port in report["ports"]})
        # Numbers stand to the right: each line ends where the heading ends.
        for view in "ports", "lcores", "channels", "pool", "latency", "flows", "drops":
            self.assertEqual(len({len(line) for line in text[view].splitlines()}), 1, text[view])

    def test_who_is_not_there(self):
        """One line on standard error, and exit status 1; a wrong command line is 2."""
        for words, status, said in [
                (("status", "--name", "nobody"), 1, "nobody/dpdk_telemetry.v2: No such file or directory: expected"),
                (("status", "--socket", "/"), 1, "spillwayctl: /: "),
                ((), 2, "no command: --help lists them"),
                (("stats",), 2, "'stats' is no command: --help lists them"),
                (("status", "now"), 2, "status: 'now' is too much"),
                (("status", "--name"), 2, "'--name' wants a value"),
                (("status", "--loud"), 2, "'--loud' is no option: --help lists them")]:
            done = run(CTL, *words, check=False)
            self.assertEqual((done.returncode, done.stdout), (status, ""), words)
            self.assertIn(said, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn("\n  drops ", run(CTL, "--help").stdout)
        self.assertEqual(run(CTL, "--version").stdout.split()[0], "spillwayctl")
        with open("/dev/full", "w") as full:
            done = subprocess.run([CTL, "--help"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual((done.returncode, done.stderr), (1, "spillwayctl: standard output can't be written\n"))


if __name__ == "__main__":
    main()
