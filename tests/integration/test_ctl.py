# SPDX-License-Identifier: BSD-3-Clause
"""spillwayctl against a running spillway: what it shows, and an ordinary day."""
import json
import re
import subprocess

import test_report
from associations import POOL, IpsecCase
from ctl import CTL, Loaded, ctl
from harness import ROOT, Spillway, main, need_program, run, until


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

    def test_router(self):
        """What routed ports have."""
        config = self.file("router.conf", "[port r]\ndevice = net_null0,no-rx=1\nrouted = yes\naddress = 10.0.0.1/24\n"
                           "[route 10.1.0.0/16]\nvia = 10.0.0.2\n[neighbor 10.0.0.2]\nport = r\nmac = 02:00:00:00:00:02\n")
        with Spillway("--config", config) as program:
            program.ready()
            told = {view: json.loads(ctl(program, view, "--json")) for view in ("routes", "neighbors", "kernel")}
            self.assertRegex(ctl(program, "routes"), r"ROUTES +COUNT\nipv4 +5\n")
            report = self.check(program.stop())
        for view, values in told.items():
            self.assertEqual(values, report[view])

    def test_a_path_beyond_ascii(self):
        """DPDK's telemetry has ASCII alone; what it tells can be asked for, and so can the path as it is."""
        rules = self.file("umlä-" + "x" * 150 + ".rules", "allow udp from any to any\n")
        with Spillway("--port", "a=net_null0,no-rx=1", "--port", "b=net_null1,no-rx=1", "--wire", "a:b", "--idle", "sleep",
                      "--rules", rules) as program:
            title = f"{rules}:1"
            told = program.ready().telemetry("/spillway/rules")
            for rule in title, told[0]:
                self.assertEqual(program.telemetry(f"/spillway/rule,{rule}")["action"], "allow")
            self.assertEqual(set(json.loads(ctl(program, "rules", "--json"))), {told[0], "default"})
            self.assertTrue(told[0].endswith("x.rules:1"), told)
            self.check(program.stop())
        rules = self.file("umlä.rules", "allow udp from any to any\n")
        with Spillway("--port", "a=net_null0,no-rx=1", "--port", "b=net_null1,no-rx=1", "--wire", "a:b", "--idle", "sleep",
                      "--rules", rules) as program:
            program.ready()
            self.assertIn("/uml\\xc3\\xa4.rules:1 ", ctl(program, "rules"))
            self.check(program.stop())

    def test_associations_come_back(self):
        """With the numbers that they have by then, after a reload that nobody confirmed."""
        with Spillway("--config", self.configuration(), *POOL) as program:
            program.ready()
            sas = lambda: json.loads(ctl(program, "sa", "--json"))  # noqa: E731
            until(lambda: sum(sa["packets"] for sa in sas().values()) == 5, 10, "all packets")
            before = sas()
            config = self.folder / "ipsec.conf"
            config.write_text(config.read_text().split("[sa ")[0])
            self.file("rules", "deny any from any to any\n")
            ctl(program, "reload", "--confirm", "1s")
            self.assertEqual(sas(), {})
            until(lambda: set(sas()) == set(before), 20, "they are back")
            self.assertEqual([sa["sequence"] for sa in sas().values()], [sa["sequence"] for sa in before.values()])
            self.check(program.stop())

    def test_who_is_not_there(self):
        """One line on standard error, and exit status 1; a wrong command line is 2."""
        for words, status, said in [
                (("status", "--name", "nobody"), 1, "nobody/dpdk_telemetry.v2: No such file or directory: expected"),
                (("status", "--socket", "/"), 1, "spillwayctl: /: "),
                ((), 2, "no command: --help lists them"),
                (("stats",), 2, "'stats' is no command: --help lists them"),
                (("status", "now"), 2, "status: 'now' is too much"),
                (("status", "-1"), 2, "status: '-1' is too much"),
                (("status", "-ab"), 2, "'-ab' is no option: --help lists them"),
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


class Day(Loaded):
    """The page of docs/operations.md: each command as it stands there."""

    def test_day(self):
        need_program("jq")
        page = (ROOT / "docs" / "operations.md").read_text().split("\n## An ordinary day\n")[1].split("\n## ")[0]
        commands = re.findall(r"^    (.+)$", page, re.M)
        self.assertGreater(len(commands), 15)
        with self.running() as program:
            until(lambda: program.telemetry("/spillway/metrics,packets")["transmitted"] > 10000, 20, "traffic")
            for command in commands:
                done = run("sh", "-c", f"spillwayctl() {{ '{CTL}' --name {program.name} \"$@\"; }}; {command}", check=False)
                self.assertEqual((done.returncode, done.stderr), (0, ""), command)
                self.assertTrue(done.stdout or command.startswith("test "), command)
            report = self.check(program.wait())
        self.assertEqual((report["reason"], report["reloads"]), ("drain", 2))


if __name__ == "__main__":
    main()
