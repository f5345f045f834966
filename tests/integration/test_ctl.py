# SPDX-License-Identifier: BSD-3-Clause
"""spillwayctl against a running spillway: what it shows, and what it changes."""
import contextlib
import fcntl
import grp
import http.client
import json
import os
import pty
import re
import select
import socket
import stat
import struct
import subprocess
import sys
import termios
import time
import urllib.error
import urllib.request

import capture
import test_report
from associations import POOL, IpsecCase
from esp import udp_frame
from hanging import HangingFiles
from harness import BUILD, ROOT, RUN_FOLDER, Spillway, TestCase, main, need_program, need_root, run, until

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


CHANGES = "only root and its own user may change this spillway"
REQUEST = {"version": 1, "command": "check"}
RULES = "allow udp from 10.0.0.0/8 to any port 53\n"
ASK = "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\nprint(s.makefile().readline())\n"


class Loaded(TestCase):
    """A spillway in which packets of known flows pass as fast as can be."""

    def configuration(self, more=""):
        capture.write(self.folder / "flows.pcap", [udp_frame(f"10.0.0.{flow}", "192.0.2.1", bytes(18), (1024 + flow, 53))
                                                   for flow in range(1, 65)])
        self.file("rules", RULES)
        return self.file("config", f"[spillway]\nrules = rules\nstats = 50ms\n{more}"
                         f"[port a]\ndevice = net_pcap0,rx_pcap={self.folder}/flows.pcap,infinite_rx=1\n"
                         "[port b]\ndevice = net_null0,no-rx=1\n[wire w]\nports = a, b\n")

    @contextlib.contextmanager
    def running(self):
        with Spillway("--config", self.configuration()) as program:
            program.ready()
            self.path = RUN_FOLDER / program.name / "control"
            yield program


class Commands(Loaded):
    """By the control socket."""

    def replace(self, text):
        self.file("next", text)
        os.replace(self.folder / "next", self.folder / "rules")

    def connect(self, timeout=20):
        connection = socket.socket(socket.AF_UNIX)
        self.addCleanup(connection.close)
        connection.connect(str(self.path))
        connection.settimeout(timeout)
        return connection

    def answer(self, connection):
        """What it says until it closes; nothing where it closes before all was sent."""
        text = b""
        with contextlib.suppress(ConnectionError):
            while more := connection.recv(65536):
                text += more
        return json.loads(text) if text else None

    def ask(self, message):
        connection = self.connect()
        with contextlib.suppress(ConnectionError):  # it does not read on when it has seen enough
            connection.sendall(message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n")
        return self.answer(connection)

    def test_each(self):
        with self.running() as program:
            self.assertEqual(stat.filemode(self.path.stat().st_mode), "srw-------")
            self.assertEqual(ctl(program, "check"), "1 rules and 0 security associations could be put in force\n")
            self.replace(RULES * 3)
            self.assertEqual(ctl(program, "check"), "3 rules and 0 security associations could be put in force\n")
            self.assertEqual(json.loads(ctl(program, "status", "--json"))["status"]["rules_version"], 1)
            self.assertEqual(ctl(program, "reload"), "version 2 of the rules is in force\n")
            self.assertEqual(json.loads(ctl(program, "status", "--json"))["status"]["rules_version"], 2)

            wrong = f"spillwayctl: {self.folder}/rules:2: "
            self.replace(RULES + "what is this\n")
            self.assertTrue(ctl(program, "check", status=1).startswith(wrong))
            self.assertNotIn("stay as they were", program.log)
            self.assertTrue(ctl(program, "reload", status=1).startswith(wrong))
            self.assertIn("stay as they were", program.log)
            self.replace(RULES + "allow any from any to any in nowhere\n")
            self.assertIn("nowhere", ctl(program, "check", status=1))

            self.configuration("flow-capacity = 1k\n")
            for command in "check", "reload":
                self.assertTrue(ctl(program, command).endswith("takes effect at the next start: flow-capacity\n"))
            self.assertEqual(json.loads(ctl(program, "check", "--json"))["restart"], "flow-capacity")

            ctl(program, "reload", "--confirm", "1h")
            self.assertEqual(ctl(program, "log-level", "error"), "log-level: notice -> error\n")
            self.assertEqual(ctl(program, "confirm"), "confirmed\n")
            self.assertNotIn("reload: confirmed", program.log)
            ctl(program, "reload")
            self.assertEqual(ctl(program, "log-level", "notice"), "it is so already\n")
            self.assertIn("'loud': expected error, warning", ctl(program, "log-level", "loud", status=1))
            self.assertIn("fast0", ctl(program, "plan"))
            self.assertIn("lcores", json.loads(ctl(program, "plan", "--json"))["plan"])

            self.assertEqual(ctl(program, "drain"), "receiving ends, draining\n")
            report = self.check(program.wait())
        self.assertEqual((report["reason"], report["reloads"]), ("drain", 4))
        self.assertFalse(self.path.exists())

    def differences(self, program, status=1):
        """What diff tells, by when: each line without its indentation."""
        done = run(CTL, "--name", program.name, "diff", check=False)
        self.assertEqual((done.returncode, done.stderr), (status, ""))
        parts = re.split(r"^(a reload|the next start) changes:$", done.stdout, flags=re.M)
        return {when: [line.strip() for line in text.strip().splitlines()]
                for when, text in zip(parts[1::2], parts[2::2])}

    def test_what_differs(self):
        """By names and values, and when it would be in force; nothing has changed by that."""
        with self.running() as program:
            self.assertEqual(self.differences(program, 0), {})
            self.configuration("flow-capacity = 1k\ndispatch = classify=inline\ndefault = allow\n")
            self.file("config", (self.folder / "config").read_text().replace("null0,no-rx=1", "null0,no-rx=1\nmtu = 1400"))
            self.replace("set lan = 10.0.0.0/8\n" + RULES.replace("10.0.0.0/8", "@lan") +
                         'deny any from 10.9.0.0/16 to any name "guests"\n' + RULES)
            rules = self.folder / "rules"
            self.assertEqual(self.differences(program), {
                "a reload": ["dispatch of classify: auto -> inline", "default: deny -> allow", "set lan: new",
                             f"rule {rules}:2: new, allow udp from @lan to any port 53",
                             f'rule {rules}:3 "guests": new, deny any from 10.9.0.0/16 to any name "guests"'],
                "the next start": ["flow-capacity: 64k -> 1k", "mtu of port b: as the device has it -> 1400"]})
            told = json.loads(ctl(program, "check", "--json"))
            self.assertEqual((len(told["differences"]), told["more"]), (7, 0))
            self.assertIn({"what": "default", "when": "reload", "change": "changed", "before": "deny", "after": "allow"},
                          told["differences"])
            ctl(program, "reload")
            self.assertEqual(set(self.differences(program)), {"the next start"})
            # Other rules in another order, and more than are told one by one.
            self.replace(RULES + 'deny any from 10.9.0.0/16 to any name "guests"\n')
            self.assertEqual(self.differences(program)["a reload"],
                             ["set lan: gone", "order of the rules: changed",
                                                                    f"rule {rules}:2: gone, allow udp from @lan to any port 53"])
            # What a rule was and is: by its name wherever it stands, else where it stands.
            self.replace((RULES + 'deny any from 10.9.0.0/16 to any name "guests"\n').replace("0/16", "0/24"))
            guests = ['deny any from 10.9.0.0/%d to any name "guests"' % bits for bits in (16, 24)]
            self.assertIn([f'rule {rules}:2 "guests": changed, was {rules}:3', "- " + guests[0], "+ " + guests[1]],
                          [lines[i:i + 3] for lines in [self.differences(program)["a reload"]] for i in range(len(lines))])
            self.assertIn({"what": f'rule {rules}:2 "guests"', "when": "reload", "change": "changed", "was": f"{rules}:3",
                           "before": guests[0], "after": guests[1]},
                          json.loads(ctl(program, "check", "--json"))["differences"])
            self.replace("".join(f"deny udp from any to any port {port}\n" for port in range(1, 601)))
            ctl(program, "set", "budget", "20us")
            done = run(CTL, "--name", program.name, "diff", check=False)
            self.assertRegex(done.stdout, r"\nand \d+ more\n$")
            self.assertIn("\n  budget: 20us -> 10us\n", done.stdout)
            self.assertIn("\n  set lan: gone\n", done.stdout)
            # Whole, however long.
            text = (self.folder / "config").read_text()
            self.file("config", text.replace("rules = rules", "rules = rules\non-drain = " + "x" * 240))
            self.assertIn("on-drain: not given -> " + "x" * 240, self.differences(program)["the next start"])
            # What could not be put in force is an error.
            self.replace("what is this\n")
            self.assertIn("rules:1: ", ctl(program, "diff", status=2))
            self.file("config", "[port\n")
            self.assertIn("config:1: ", ctl(program, "diff", status=2))
            self.assertEqual(json.loads(ctl(program, "status", "--json"))["status"]["rules_version"], 2)
            program.stop()
        self.assertEqual(run(CTL, "--name", program.name, "diff", check=False).returncode, 2)

    def test_what_is_set(self):
        """Acts at once, is told as long as the configuration says otherwise, and gives way to that at a reload."""
        pool = lambda: program.telemetry("/spillway/metrics,pool,classify")  # noqa: E731
        status = lambda: json.loads(ctl(program, "status", "--json"))["status"]  # noqa: E731
        with Spillway("--config", self.configuration("default = allow\n"), *POOL, "--dispatch", "classify=inline",
                      "--flow-timeout", "1ms") as program:
            until(lambda: program.ready() and pool()["inline_packets"] > 1000, 20, "flows are classified inline")
            self.assertEqual(pool()["pool_packets"], 0)
            self.assertEqual(ctl(program, "set", "dispatch", "classify=pool"), "dispatch of classify: inline -> pool\n")
            until(lambda: pool()["pool_packets"] > 1000, 20, "flows are classified by workers")
            self.assertEqual(status()["set"], "dispatch of classify: inline -> pool")
            self.assertEqual(self.differences(program), {"a reload": ["dispatch of classify: pool -> inline"]})
            self.assertEqual(ctl(program, "set", "dispatch=classify=inline"), "dispatch of classify: pool -> inline\n")
            self.assertIsNone(status().get("set"))
            ctl(program, "set", "budget", "20us")
            ctl(program, "set", "on-stall", "exit")
            self.assertEqual(status()["set"], "budget: 10us -> 20us, on-stall: log -> exit")
            # What was on trial at a reload is the file's, and so is what comes back.
            ctl(program, "reload", "--confirm", "1s")
            self.assertIsNone(status().get("set"))
            ctl(program, "set", "idle", "sleep")
            until(lambda: "going back" in program.log and status().get("set") is None, 20, "the file's is back")
            # However many they are.
            lines = {ctl(program, "set", *words.split()).strip() for words in (
                "budget 20us", "drain-timeout 3s", "idle sleep", "on-stall exit", "dispatch decrypt=auto", "dispatch encrypt=auto",
                "on-pool-full classify=drop", "on-pool-full decrypt=inline", "on-pool-full encrypt=inline")}
            self.assertEqual(len(lines), 9)
            self.assertIn("dispatch of decrypt: pool -> auto", lines)
            self.assertEqual(set(ctl(program, "status").split("\nSET UNTIL THE NEXT RELOAD\n")[1].splitlines()), lines)
            self.assertEqual(set(json.loads(ctl(program, "status", "--json"))["set"]), lines)
            self.assertEqual(set(json.loads(ctl(program, "report"))["report"]["set"].split(", ")), lines)
            ctl(program, "reload")
            self.assertNotIn("SET UNTIL", ctl(program, "status"))
            for words, wrong in ((("log-level", "loud"), "set log-level 'loud': expected error, warning"),
                                 (("log-level", "-v"), "set log-level '-v': expected error, warning"),
                                 (("budget", "-1us"), "set budget '-1us': expected a time such as 500ns, 10us, 100ms, 2s, 1m or 2h5m, "
                                                      "from 0 to 1s"),
                                 (("lanes", "4"), "set 'lanes': it takes effect at the next start: expected one of: idle"),
                                 (("dispatch", "pool"), "expected CLASS=auto|inline|pool, where CLASS is one of: classify")):
                self.assertIn(wrong, ctl(program, "set", *words, status=1))
            self.assertIn("set: expected KEY VALUE", ctl(program, "set", "budget", status=2))
            self.check(program.stop())

    def test_who_has_said_all(self):
        """A client that half-closes, as nc -N does, gets its answer; the newline may be missing then."""
        with self.running() as program:
            for message in json.dumps(REQUEST) + "\n", json.dumps(REQUEST):
                connection = self.connect()
                connection.sendall(message.encode())
                connection.shutdown(socket.SHUT_WR)
                self.assertTrue(self.answer(connection)["done"])
            watch = {"version": 1, "command": "trace", "count": 3, "filter": [[6, 0, 0, 65535]]}
            connection = self.connect()
            connection.sendall(json.dumps(watch).encode() + b"\n")
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile() as lines:
                self.assertTrue(json.loads(lines.readlines()[-1])["done"])
            # One that watches and leaves makes room for the next, also after it has said all.
            connection = self.connect()
            connection.sendall(json.dumps({**watch, "filter": [[6, 0, 0, 0]]}).encode() + b"\n")
            connection.shutdown(socket.SHUT_WR)
            until(lambda: "at a time" in (self.ask(watch) or {}).get("error", "at a time"), 10, "it watches")
            connection.close()
            until(lambda: self.ask({**watch, "count": 1, "filter": [[6, 0, 0, 0]], "seconds": 1})["done"], 10, "it has left")
            self.check(program.stop())

    def rules(self, program):
        """How many are in force, and the version of them."""
        report = json.loads(ctl(program, "report"))["report"]
        return len(report["rules"]) - 1, report["rules_version"]

    def test_confirm(self):
        """What is not confirmed in time is replaced by what was before, also by what was at the start."""
        with self.running() as program:
            until(lambda: program.telemetry("/spillway/metrics,packets")["transmitted"] > 10000, 20, "traffic")
            dropped = program.telemetry("/spillway/metrics,packets")["dropped"]
            self.assertIn("nothing waits to be confirmed", ctl(program, "confirm", status=1))
            for wrong in "0", "60", "2h", "soon":
                self.assertIn(f"--confirm '{wrong}': expected 1s to 1h",
                              ctl(program, "reload", "--confirm", wrong, status=1))
            self.assertIn("check does not take --confirm", ctl(program, "check", "--confirm", "1s", status=2))

            self.replace(RULES * 2)
            self.assertEqual(ctl(program, "reload", "--confirm", "1s"),
                             "version 2 of the rules is in force, to be confirmed within 1s\n")
            self.assertEqual(self.rules(program), (2, 2))
            until(lambda: self.rules(program) == (1, 3), 20, "the first one is back")
            self.assertIn("not confirmed in time, going back", program.log)
            self.assertIn("nothing waits", ctl(program, "confirm", status=1))

            left = lambda: float(program.telemetry("/spillway/status")["unconfirmed"])  # noqa: E731
            self.assertEqual(left(), 0)
            ctl(program, "reload", "--confirm", "1h")
            self.assertAlmostEqual(left(), 3600, delta=60)
            self.assertEqual(ctl(program, "confirm"), "confirmed\n")
            self.assertEqual(left(), 0)
            self.assertIn("nothing waits", ctl(program, "confirm", status=1))
            # It goes back to what was confirmed, and not to what was on trial.
            for count in 3, 4:
                self.replace(RULES * count)
                ctl(program, "reload", "--confirm", "1s" if count == 4 else "1h")
            self.assertEqual(self.rules(program), (4, 6))
            self.replace("what is this\n")
            ctl(program, "reload", status=1)
            until(lambda: self.rules(program) == (2, 7), 20, "the confirmed one is back")
            # A reload that needs none is one.
            self.replace(RULES * 5)
            ctl(program, "reload", "--confirm", "1h")
            ctl(program, "reload")
            self.assertIn("nothing waits", ctl(program, "confirm", status=1))
            # Packets of known flows have passed throughout; the end does not wait for it.
            ctl(program, "reload", "--confirm", "1h")
            report = self.check(program.stop())
        self.assertEqual(report.packets["dropped"], dropped, report.drops)
        self.assertEqual(report["reloads"], 9)

    def test_check_that_hangs(self):
        """What nobody has confirmed comes back all the same."""
        (self.folder / "hanging").mkdir()
        files = HangingFiles(self.folder / "hanging")
        self.addCleanup(files.close)
        with self.running() as program:
            self.replace(RULES * 2)
            ctl(program, "reload", "--confirm", "1s")
            self.file("config", (self.folder / "config").read_text().replace("= rules", "= hanging/rules"))
            begun = time.monotonic()
            self.assertIn("could not be read in time", ctl(program, "check", status=1))
            until(lambda: json.loads(ctl(program, "status", "--json"))["status"]["rules_version"] == 3, 10, "it is back")
            self.assertLess(time.monotonic() - begun, 20)
            program.stop()

    def test_reload_storm(self):
        """Each is told its own outcome; packets of known flows pass throughout."""
        with self.running() as program:
            until(lambda: program.telemetry("/spillway/metrics,packets")["transmitted"] > 10000, 20, "traffic")
            dropped = program.telemetry("/spillway/metrics,packets")["dropped"]
            for number in range(100):
                broken = number % 2
                self.replace(RULES * (number + 1) + "what is this\n" * broken)
                told = self.ask({"version": 1, "command": "reload"})
                self.assertEqual(told["done"], not broken, told)
                if broken:
                    self.assertIn(f"rules:{number + 2}: ", told["error"])
            # All at once: as many outcomes as there are clients.
            waiting = [self.connect() for _ in range(16)]
            for number, connection in enumerate(waiting):
                connection.sendall(json.dumps(
                    {"version": 1, "command": ("reload", "check")[number % 2]}).encode() + b"\n")
            told = [self.answer(connection) for connection in waiting]
            self.assertEqual({bool(one["done"]) for one in told}, {False}, told)
            self.assertEqual(program.telemetry("/spillway/metrics,packets")["dropped"], dropped)
            report = self.check(program.stop())
        self.assertEqual(report["reloads"], 50)

    def test_hostile(self):
        """None of them keeps the control thread from anything, nor the next client."""
        with self.running() as program:
            for message in (b"\n", b"hello\n", b"[]\n", b"{}\n", b"null\n", b"\0\n", b"\xff\xfe\n", b"[" * 60000 + b"\n",
                            {**REQUEST, "version": 2}, {**REQUEST, "version": "1"}, {**REQUEST, "command": "off"},
                            {**REQUEST, "command": None}, {**REQUEST, "more": 1}, {**REQUEST, "argument": "x"},
                            {"version": 1, "command": "log-level"}, {"version": 1, "command": "log-level", "argument": 7},
                            {"version": 1, "command": "log-level", "argument": "x" * 1000}):
                told = self.ask(message)
                self.assertEqual((told["version"], told["done"]), (1, False), message)
                self.assertTrue(told["error"], message)
            for size in 65536, 10_000_000:
                told = self.ask(b"x" * size)
                self.assertEqual(told["error"], "request: longer than 64 KiB")
            self.assertTrue(self.ask(json.dumps(REQUEST).encode() + b"\n" + b"x" * 1000)["done"])
            # Gone before it is answered, and in the middle of its message.
            for message in b"", b'{"version": 1, ', b'{"version": 1, "command": "reload"}\n':
                with self.connect() as connection:
                    connection.sendall(message)
            # A thousand, of which none says a word.
            many = [self.connect() for _ in range(1000)]
            self.assertEqual(self.answer(many[-1])["error"], "too many clients at this moment")
            # Those that have a place lose it.
            silent = time.monotonic()
            self.assertIsNone(self.answer(many[0]))
            self.assertLess(time.monotonic() - silent, 10)
            until(lambda: (self.ask(REQUEST) or {}).get("done"), 10, "there is room again")
            # Who does not take what it is told, neither.
            deaf = [self.connect() for _ in range(16)]
            for connection in deaf:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
                with contextlib.suppress(ConnectionError):  # one too many was turned away already
                    connection.sendall(b'{"version": 1, "command": "plan"}\n')
            until(lambda: (self.ask(REQUEST) or {}).get("done"), 20, "there is room again")
            self.assertTrue(self.ask({"version": 1, "command": "reload"})["done"])
            report = self.check(program.stop())
        self.assertGreaterEqual(report["reloads"], 1)

    def test_others(self):
        """Nobody else may connect; who can, where the mode was changed, is refused."""
        need_root()
        path = self.folder / "socket"
        self.folder.chmod(0o755)
        with Spillway("--config", self.configuration(), "--control-socket", path) as program:
            program.ready()
            other = dict(user=65534, capture_output=True, text=True)
            done = subprocess.run([sys.executable, "-c", ASK, path], **other)
            self.assertIn("PermissionError", done.stderr)
            path.chmod(0o666)
            done = subprocess.run([sys.executable, "-c", ASK, path], **other)
            self.assertIn("only root and its own user", done.stdout)
            self.assertIn("could be put in force", run(CTL, "--socket", path, "check").stdout)
            # It is in use for another one.
            with Spillway("--config", self.configuration(), "--control-socket", path) as second:
                self.assertEqual(second.wait().status, 1)
                self.assertIn(f"control-socket '{path}': Address already in use", second.log)
            program.process.kill()
            program.process.wait()
        # What one leaves that was killed is no hindrance; a file that is something else stays.
        with Spillway("--config", self.configuration(), "--control-socket", path) as program:
            program.ready()
            self.assertIn("receiving ends", run(CTL, "--socket", path, "drain").stdout)
            self.check(program.wait())
        # Who is told nothing of it finds the program all the same, as the unit's ExecReload does.
        with Spillway("--config", self.configuration(), "--control-socket", path) as program:
            program.ready()
            for way in (), ("--socket", path):
                self.assertIn("could be put in force", run(CTL, "--name", program.name, *way, "check").stdout)
            usual = RUN_FOLDER / program.name / "control"
            self.assertEqual(stat.filemode(usual.stat().st_mode), "srw-------")
            self.check(program.stop())
            self.assertFalse(usual.exists() or path.exists())
        # A group may read, and no more.
        group = grp.getgrgid(65534).gr_name
        with Spillway("--config", self.configuration(), "--control-socket", path, "--control-group", group) as program:
            program.ready()
            self.assertEqual(stat.filemode(path.stat().st_mode), "srw-rw----")
            for command, refused in ("report", None), ("plan", None), ("reload", CHANGES), ("drain", CHANGES):
                connection = [sys.executable, "-c", ASK.replace("print", "s.sendall(sys.argv[2].encode())\nprint"),
                              path, json.dumps({"version": 1, "command": command}) + "\n"]
                told = json.loads(subprocess.run(connection, user=65534, group=65534, extra_groups=[],
                                                 capture_output=True, text=True).stdout)
                self.assertEqual((told["done"], told.get("error")), (refused is None, refused), command)
            report = self.check(program.stop())
            self.assertEqual(report["reloads"], 0)
        for options, said in ((("--control-socket", path, "--control-group", "not-there"), "there is no such group"),
                              (("--control-group", "nogroup"), "expected control-socket with it")):
            with Spillway("--config", self.configuration(), *options) as program:
                self.assertEqual(program.wait().status, 2)
                self.assertIn(f"control-group '{options[-1]}': {said}", program.log)
        path.write_text("mine")
        with Spillway("--config", self.configuration(), "--control-socket", path) as program:
            self.assertEqual(program.wait().status, 1)
        self.assertEqual(path.read_text(), "mine")


class Closed(TestCase):
    """A program that answers, and closes before it has read the request."""

    def test_its_answer_is_told(self):
        path = self.folder / "socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            # Larger than what a socket holds: it is being sent while the other side closes.
            with subprocess.Popen([CTL, "--socket", path, "log-level", "\x01" * 100000], stderr=subprocess.PIPE,
                                  text=True) as client:
                connection, _ = listener.accept()
                connection.recv(1)
                connection.sendall(b'{"version": 1, "done": false, "error": "too many clients at this moment"}\n')
                connection.close()
                said = client.communicate(timeout=20)[1]
        self.assertEqual((client.returncode, said), (1, "spillwayctl: too many clients at this moment\n"))


class Top(Loaded):
    """What happens at this moment, as text and on a screen."""

    @contextlib.contextmanager
    def screen(self, program):
        """top on a terminal of 80 by 24: what it draws, and its process."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        with subprocess.Popen([CTL, "--name", program.name, "top"], stdin=theirs, stdout=theirs, stderr=theirs,
                              env={**os.environ, "TERM": "xterm"}) as top:
            os.close(theirs)
            try:
                yield ours, top
            finally:
                top.kill()
                os.close(ours)

    def drawn(self, terminal, what):
        """Reads until that has been drawn."""
        text = b""
        deadline = time.monotonic() + 20
        while what not in text and time.monotonic() < deadline:
            if select.select([terminal], [], [], 1)[0]:
                text += os.read(terminal, 65536)
        self.assertIn(what, text)

    def test_text(self):
        """Where it is no terminal: one second's rates."""
        with self.running() as program:
            text = ctl(program, "top")
            self.check(program.stop())
        self.assertRegex(text, r"(?m)^PACKETS/s [1-9]\d* received, [1-9]\d* transmitted, 0 to host, 0 dropped$")
        self.assertRegex(text, r"(?m)^fast 1 +\d+ +\d+\.\d ")
        self.assertRegex(text, r"(?m)^a +up +[1-9]\d* +[1-9]\d*\.\d +0 +0\.0 ")
        self.assertRegex(text, r"(?m)^rules:1 +[1-9]\d* +[1-9]\d*\.\d +0 +allow +-$")

    def test_screen(self):
        """It ends by a key, and with the program, which it says on a terminal that is as before."""
        with self.running() as program:
            with self.screen(program) as (terminal, top):
                self.drawn(terminal, b"rules:1")
                os.write(terminal, b"xq")
                self.assertEqual(top.wait(10), 0)
            with self.screen(program) as (terminal, top):
                self.drawn(terminal, b"BUSY %")
                self.check(program.stop())
                self.drawn(terminal, b"expected the socket of a running spillway")
                self.assertEqual(top.wait(10), 1)


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


class Exporter(Loaded):
    """Metrics for Prometheus."""

    def setUp(self):
        super().setUp()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = free.getsockname()
        self.url = "http://%s:%d/metrics" % self.address

    @contextlib.contextmanager
    def serving(self, program):
        listen = "%s:%d" % self.address
        with subprocess.Popen([CTL, "exporter", "--name", program.name, "--listen", listen],
                              stdout=subprocess.PIPE, text=True) as exporter:
            try:
                self.assertTrue(exporter.stdout.readline().endswith(f" at {self.url}\n"))
                yield exporter
                exporter.terminate()
                self.assertEqual(exporter.wait(10), 0)
            finally:
                exporter.kill()

    def get(self, url=None, **headers):
        """Status, type and text."""
        request = urllib.request.Request(url or self.url, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers["Content-Type"], error.read().decode()

    def test_scrape(self):
        """Both formats; what does not change is as the report has it."""
        with self.running() as program, self.serving(program):
            status, kind, text = self.get(Accept="application/openmetrics-text; version=1.0.0,text/plain;q=0.5")
            self.assertEqual((status, kind), (200, "application/openmetrics-text; version=1.0.0; charset=utf-8"))
            self.assertTrue(text.endswith("\n# EOF\n"))
            self.assertIn("# TYPE spillway_packets_received counter\n", text)
            for accept, other in ("q=0", "text/plain"), ("q=0.000, text/plain;q=0.5", "text/plain"), ("q=0.05", "application"):
                self.assertTrue(self.get(Accept="application/openmetrics-text;" + accept)[1].startswith(other), accept)
            status, kind, text = self.get()
            self.assertEqual((status, kind), (200, "text/plain; version=0.0.4; charset=utf-8"))
            self.assertIn("# TYPE spillway_packets_received_total counter\n", text)
            self.assertIn('\nspillway_ports_info{port="a",driver="net_pcap",link="up"} 1\n', text)
            self.assertEqual(self.get(self.url + "x")[::2], (404, "expected /metrics\n"))
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(self.url, data=b"x", timeout=20)
            self.assertEqual(refused.exception.code, 405)
            report = self.check(program.stop())
            status, _, said = self.get()
            self.assertEqual(status, 503)
            self.assertIn("/control: No such file or directory: expected the socket of a running spillway", said)
        values = dict(re.findall(r"^(spillway_\S+) (\S+)$", text, re.M))
        self.assertLessEqual(int(values["spillway_packets_received_total"]), report.packets["received"])
        self.assertEqual(values["spillway_flows_misses_total"], str(report["flows"]["misses"]))
        for rule in report["rules"]:
            name = f"{rule['file']}:{rule['line']}" if rule["line"] else "default"
            self.assertIn(f'spillway_rules_connections_total{{rule="{name}"}}', values)
        # Whatever the report has as a number is a metric, too.
        for family in "packets", "exits", "flows", "routing", "rule_log":
            for key in report[family]:
                self.assertTrue({f"spillway_{family}_{key}", f"spillway_{family}_{key}_total"} & set(values), key)

    def test_promtool(self):
        need_program("promtool")
        with self.running() as program:
            text = ctl(program, "metrics", "prometheus")
            self.check(program.stop())
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_prometheus(self):
        """Prometheus itself finds it up, and has its counters."""
        need_program("prometheus")
        self.file("prometheus.yml", "global: {scrape_interval: 1s}\nscrape_configs: [{job_name: spillway, "
                  f"static_configs: [{{targets: ['%s:%d']}}]}}]\n" % self.address)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            api = "127.0.0.1:%d" % free.getsockname()[1]

        def value(query):
            with contextlib.suppress(OSError, ValueError):  # it starts
                told = json.loads(self.get(f"http://{api}/api/v1/query?query={query}")[2])
                return told["data"]["result"] and float(told["data"]["result"][0]["value"][1])

        with self.running() as program, self.serving(program), open(self.folder / "log", "w") as log:
            with subprocess.Popen(["prometheus", f"--config.file={self.folder}/prometheus.yml",
                                   f"--storage.tsdb.path={self.folder}/data", f"--web.listen-address={api}"],
                                  stdout=log, stderr=log) as server:
                try:
                    until(lambda: value("up"), 60, "it is up")
                    until(lambda: value("spillway_packets_received_total"), 20, "it has counters")
                    self.assertGreater(value("spillway_latency_seconds_bucket{le=%22%2BInf%22}"), 0)
                finally:
                    server.terminate()
                    server.wait(20)
            self.check(program.stop())

    def test_hostile(self):
        """Who holds connections and says nothing, or too much, has no hold of others for long."""
        with self.running() as program, self.serving(program):
            silent = [socket.create_connection(self.address) for _ in range(40)]
            for connection in silent:
                self.addCleanup(connection.close)
            def served():
                with contextlib.suppress(OSError, http.client.HTTPException):
                    return self.get()[0] == 200
            until(served, 30, "others are served")
            for message in b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 100000, b"\0" * 100000, b"GET\r\n\r\n":
                with socket.create_connection(self.address) as connection, contextlib.suppress(ConnectionError):
                    connection.sendall(message)
                    connection.recv(1)
            self.assertEqual(self.get()[0], 200)
            self.check(program.stop())

    def test_where_to_listen(self):
        for listen, status, said in (("here", 2, "expected ADDRESS:PORT"), (":1", 2, "expected ADDRESS:PORT"),
                                     ("127.0.0.1:x", 2, "expected ADDRESS:PORT"),
                                     ("127.0.0.1:99999", 2, "expected ADDRESS:PORT"),
                                     ("127.0.0.1:0", 2, "expected ADDRESS:PORT"), ("127.0.0.1:", 2, "expected ADDRESS:PORT"),
                                     ("::1:9464", 2, "or [::1]:9464"), ("[127.0.0.1]:9464", 2, "expected ADDRESS:PORT"),
                                     ("192.0.2.1:9464", 1, "Cannot assign requested address")):
            done = run(CTL, "exporter", "--listen", listen, check=False)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertIn(said, done.stderr)


if __name__ == "__main__":
    main()
