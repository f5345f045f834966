# SPDX-License-Identifier: BSD-3-Clause
"""What spillwayctl changes of a running spillway, and says that a reload would."""
import json
import re
import stat
import time

from associations import POOL
from ctl import CTL, RULES, Asked, ctl
from hanging import HangingFiles
from harness import Spillway, main, run, until


class Commands(Asked):
    """By the control socket."""

    def test_each(self):
        with self.running() as program:
            self.assertEqual(stat.filemode(self.path.stat().st_mode), "srw-------")
            self.assertEqual(ctl(program, "check"), "1 rules and 0 security associations could be put in force\n")
            self.replace(RULES * 2 + "allow udp from 10.0.0.0/8 to any port 53,54,60-69\n")
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
            for words in ("budget",), ("dispatch", "encrypt", "pool"):
                self.assertIn("set: expected KEY VALUE, as dispatch encrypt=pool", ctl(program, "set", *words, status=2))
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
                self.assertIn(f"--confirm '{wrong}': expected 1s to 1h, as 60s",
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

    def test_confirm_beside_one_that_needs_none(self):
        """Both wait while a reload is under way: what the one puts in force is what the other goes back to."""
        (self.folder / "hanging").mkdir()
        files = HangingFiles(self.folder / "hanging")
        self.addCleanup(files.close)
        with self.running() as program:
            good = (self.folder / "config").read_text()
            self.file("config", good.replace("= rules", "= hanging/rules"))
            lost = self.connect()
            lost.sendall(b'{"version": 1, "command": "reload"}\n')
            self.assertTrue(files.read.wait(10))
            self.file("config", good)
            self.replace(RULES * 2)
            waiting = [self.connect() for _ in range(2)]
            for connection, more in zip(waiting, (', "argument": "1s"', "")):
                connection.sendall(f'{{"version": 1, "command": "reload"{more}}}\n'.encode())
            self.assertIn("in time", self.answer(lost)["error"])
            self.assertEqual([self.answer(connection)["done"] for connection in waiting], [True, True])
            until(lambda: ctl(program, "status", "--json") and float(
                program.telemetry("/spillway/status")["unconfirmed"]) == 0, 20, "nothing waits")
            self.assertEqual(self.rules(program)[0], 2)
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


if __name__ == "__main__":
    main()
