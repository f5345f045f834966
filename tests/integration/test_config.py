# SPDX-License-Identifier: BSD-3-Clause
"""Flags and configuration files say the same; --check shows the plan; mistakes are named."""
import json
import os
import re
import struct
import subprocess

from harness import SPILLWAY, TestCase, main, process_name, run

RULES = "allow tcp from 10.0.0.0/8 to any port 443\ndeny any from any to any\n"
FILE = """
[spillway]
rules = office.rules
default = deny
flow-capacity = 1k
flow-timeout = 5s
budget = 20us
dispatch = classify=pool
lanes = 8
idle = sleep
no-huge = on
drain-timeout = 3s
[port lan]
device = net_null0,size=128
mtu = 1500
[port wan]
device = net_null1
[wire lan-wan]
ports = lan, wan
"""
FLAGS = ("--rules", "office.rules", "--default", "deny", "--flow-capacity", "1k",
         "--flow-timeout", "5s", "--budget", "20us", "--dispatch", "classify=pool", "--lanes", "8",
         "--idle", "sleep", "--no-huge", "--drain-timeout", "3s", "--port",
         "lan=net_null0,size=128", "--mtu", "lan:1500", "--port", "wan=net_null1", "--wire", "lan:wan")


class Config(TestCase):
    def setUp(self):
        super().setUp()
        self.rules = self.file("office.rules", RULES)
        self.config = self.file("wire.conf", FILE)

    def spillway(self, *options, **how):
        return run(SPILLWAY, *options, cwd=self.folder, **how)

    def plan(self, *options):
        """Without what the doctor measured at that moment, of a machine that others use, too."""
        plan = json.loads(self.spillway(*options, "--check", "--json").stdout)
        return plan | {"doctor": [one["check"] for one in plan["doctor"]]}

    def test_file_equals_flags(self):
        self.assertEqual(self.plan("--config", self.config), self.plan(*FLAGS))

    def test_flag_wins(self):
        self.assertEqual(self.plan("--config", self.config, "--lanes", "4", "--fast", "0"),
                         self.plan(*FLAGS, "--lanes", "4", "--fast", "0"))

    def test_check(self):
        """For a person: roles, rings, mempools with their sum, hugepages and the command for them."""
        text = self.spillway("--port", "lan=net_null0", "--port", "wan=net_null1", "--wire",
                             "lan:wan", "--check").stdout
        for word in ("lan", "wan", "fast", "control", "mempool", "hugepages"):
            self.assertIn(word, text)
        table = [line for line in text.splitlines() if "echo" not in line]  # commands are whole
        self.assertLessEqual(max(map(len, table)), 110, text)

    def test_output_that_is_full(self):
        """It is told, and is no success."""
        for options in (("--check",), ("--check", "--json"), ("--help",), ("--version",)):
            with open("/dev/full", "w") as full:
                done = subprocess.run([SPILLWAY, *FLAGS, *options], cwd=self.folder, stdout=full,
                                      stderr=subprocess.PIPE, text=True)
            self.assertEqual((done.returncode, done.stderr.splitlines()[-1:]),
                             (1, ["spillway: standard output can't be written"]), options)

    def test_check_starts_nothing(self):
        text = self.spillway("--config", self.config, "--check")
        self.assertEqual(text.stderr, "")
        self.assertNotIn("EAL: Detected", text.stdout)

    def test_one_cpu(self):
        """A plan for one CPU: everything on it, with a warning."""
        done = run("taskset", "-c", "0", SPILLWAY, *FLAGS, "--check", cwd=self.folder)
        self.assertIn("fast", done.stdout)

    def test_help(self):
        text = self.spillway("--help").stdout
        self.assertLessEqual(max(map(len, text.splitlines())), 100)
        for flag in ("--config", "--port", "--wire", "--rules", "--drain-timeout", "--report"):
            self.assertIn(flag, text)

    def test_version(self):
        self.assertRegex(self.spillway("--version").stdout, r"\d+\.\d+")

    def wrong(self, *options, says):
        done = self.spillway(*options, check=False, timeout=20)
        self.assertEqual(done.returncode, 2, done)
        lines = done.stderr.strip().splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        for word in says:
            self.assertIn(word, lines[0])

    def test_bad_flags(self):
        good = ("--port", "lan=net_null0", "--port", "wan=net_null1", "--wire", "lan:wan")
        for options, says in (
                (("--duration", "soon"), ("--duration", "soon")),
                (("--duration", "-1s"), ("--duration", "-1s")),
                (("--flow-capacity", "many"), ("--flow-capacity", "many")),
                (("--lanes", "3"), ("--lanes", "3")),
                (("--default", "perhaps"), ("--default", "perhaps", "allow", "deny")),
                (("--idle", "zen"), ("--idle", "zen", "sleep")),
                (("--dispatch", "classify=elsewhere"), ("--dispatch", "elsewhere")),
                (("--dispatch", "shave=pool"), ("--dispatch", "shave")),
                (("--fast", "a"), ("--fast", "a")),
                (("--fast", "99999"), ("--fast", "99999")),
                (("--fast", "900"), ("900",)),
                (("--mtu", "dmz:1500"), ("--mtu", "dmz")),
                (("--mtu", "lan:1"), ("--mtu", "1")),
                (("--wire", "lan:dmz"), ("dmz",)),
                (("--wire", "lan"), ("--wire", "lan")),
                (("--port", "x=net_nonsense0"), ("net_nonsense0",)),
                (("--port", "x=net_pcap9,rx_pcap=/no/such.pcap"), ("/no/such.pcap",)),
                (("--port", "x=net_af_packet0,iface=spwnosuch"), ("spwnosuch",)),
                (("--rules", "/no/such.rules"), ("/no/such.rules",)),
                (("--config", "/no/such.conf"), ("/no/such.conf",)),
                (("--duraton", "1s"), ("--duraton", "--duration")),
                (("--report",), ("--report",)),
                (("stray",), ("stray",))):
            with self.subTest(options=options):
                self.wrong("--no-huge", *good, *options, "--check", says=says)
        with self.subTest("no ports"):
            self.wrong("--no-huge", "--check", says=("--port",))

    def test_bad_files(self):
        for line, wrong, says in (
                ("lanes = 8", "lanes = 3", "bad.conf:9: key 'lanes', value '3'"),
                ("idle = sleep", "idel = sleep", "bad.conf:10: key 'idel' is unknown"),
                ("flow-timeout = 5s", "flow-timeout = 5 parsecs", "bad.conf:6: key 'flow-timeout'"),
                ("ports = lan, wan", "ports = lan, dmz", "dmz"),
                ("[wire lan-wan]", "[sa a]\ndirection = in\n[wire lan-wan]",
                 "bad.conf:18: section [sa a] has no key 'spi'"),
                ("[wire lan-wan]", "[wires]", "wires")):
            with self.subTest(wrong=wrong):
                path = self.file("bad.conf", FILE.replace(line, wrong))
                self.wrong("--config", path, "--check", says=(says,))

    def test_bad_rules(self):
        for number, line in enumerate(("allow tcp from 10.0.0.0/33 to any",
                                       "permit tcp from any to any",
                                       "allow tcp from any to any port 70000",
                                       "allow tcp from any to any port 20-10",
                                       "allow tcp from 10.0.0.1 to fd00::1",
                                       "allow icmp from any to any port 1",
                                       "protect tcp from any to any",
                                       "allow tcp from any")):
            with self.subTest(line=line):
                self.file("bad.rules", "\n" * number + line + "\n")
                self.wrong(*FLAGS, "--rules", "bad.rules", "--check",
                           says=(f"bad.rules:{number + 1}",))

    def test_rules_name_associations(self):
        for name, byte in ("a", "00"), ("b", "11"):
            self.file(f"{name}.key", byte * 20 + "\n").chmod(0o600)
        sections = "".join(f"[sa {name}]\ndirection = in\nmode = transport\nspi = {spi}\nkey-file = "
                           f"{name}.key\nalgorithm = aes-128-gcm\n{more}" for name, spi, more in
                           (("a", 256, ""), ("b", 257, "stands-for = a\n")))
        config = self.file("sa.conf", sections)
        for name, says in (("c", "there is no such SA: expected a section [sa c]"),
                           ("b", "it stands for another SA: expected the name of that one, a")):
            self.rules.write_text(f"\nprotect {name} any from any to any\n")
            self.wrong(*FLAGS, "--config", config, "--check",
                       says=(f"office.rules:2: protect '{name}': {says}",))
        self.rules.write_text("protect a any from any to any\n")
        self.plan(*FLAGS, "--config", config)

    def test_rules_name_ports(self):
        self.rules.write_text("deny any from any to any in lan\n\nallow any from any to any in lan,dmz\n")
        self.wrong(*FLAGS, "--check",
                   says=("office.rules:3: in 'dmz': there is no such port: expected one that --port or "
                         "a section [port dmz] makes",))
        self.rules.write_text("allow any from any to any in lan,wan\n")
        self.plan(*FLAGS)
    def test_captures_of_other_links(self):
        """Raw IP, Linux cooked (two kinds), radiotap; and a pipe, which the driver would wait for."""
        os.mkfifo(self.folder / "pipe.pcap")
        for link in 101, 113, 276, 127:
            (self.folder / f"{link}.pcap").write_bytes(
                struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link))
        for name, says in [(f"{link}.pcap", "link type") for link in (101, 113, 276, 127)] + [
                ("pipe.pcap", "expected a regular file")]:
            for how in ("--check",), ("--exit-on-idle", "100ms"):
                with self.subTest(name=name, how=how):
                    self.wrong("--no-huge", "--port", f"lan=net_pcap0,rx_pcap={name}", "--port",
                               "wan=net_null0", "--wire", "lan:wan", *how, says=(name, says))

    def test_what_acts_on_a_terminal(self):
        """One line, and no byte in it that steers: names of files, values, lines of files."""
        evil = "\x1b]0;a\x07\n\r\x7f\u009b"
        self.file("evil.rules", f"allow {evil[:5]}\x1b[1m from any to any\n")
        self.file(evil, "nonsense\n")
        for options in (("--rules", evil), ("--rules", f"/no/{evil}"), ("--rules", "evil.rules"),
                        ("--config", evil), ("--port", f"x=net_null9,a={evil}"), ("--idle", evil),
                        (f"--{evil}",), (evil,), ("--report", "r", "--name", evil)):
            with self.subTest(options=options):
                done = run(SPILLWAY, *FLAGS, *options, "--check", cwd=self.folder, check=False)
                self.assertEqual(done.returncode, 2, done)
                self.assertRegex(done.stderr, r"\A[ -~\u00a0-\uffff]+\n\Z")

    def test_driver_that_dpdk_does_not_have(self):
        for device, says in (("net_nul1", "net_nul1: DPDK has no driver net_nul"),
                             ("net_null1", "")):
            done = self.spillway("--no-huge", "--port", f"lan={device}", "--port", "wan=net_null2",
                                 "--wire", "lan:wan", "--check")
            self.assertIn(says, done.stderr)
            self.assertEqual(bool(says), bool(done.stderr), done.stderr)

    def test_too_many(self):
        """Refused by their number, before anything is done with them."""
        for text, says in (("".join(f"[port p{n}]\ndevice = net_null{n}\n" for n in range(33)),
                            "bad.conf:66: key 'device', value 'net_null32': expected at most 32 ports"),
                           ("".join(f"[port p{n}]\ndevice = net_null{n}\n" for n in range(33000)),
                            "expected at most 9522 sections"),
                           ("".join(f"[wire w{n}]\nports = a{n}, b{n}\n" for n in range(17)),
                            "bad.conf:33: section [wire w16]: expected at most 16 sections"),
                           ("[spillway]\n" + "".join(f"mtu = p{n}:1500\n" for n in range(9999)),
                            "bad.conf:1026: key 'mtu': expected at most 1024 keys"),
                           ("# " + "x" * 5000, "bad.conf:1: expected a line of at most 4096"),
                           ("#\n" * 100001, "bad.conf:100001: expected at most 100000 lines")):
            with self.subTest(says=says):
                self.wrong("--config", self.file("bad.conf", text), "--check", says=(says,))

    def test_classbench(self):
        self.rules.write_text("@10.0.0.0/8\t192.0.2.0/24\t0 : 65535\t1521 : 1521\t0x06/0xFF\t"
                              "0x0000/0x0000\n@0.0.0.0/0 0.0.0.0/0 0 : 65535 0 : 65535 0x00/0x00 "
                              "0x0000/0x0000 allow\n")
        self.plan(*FLAGS)

    def test_many_rules(self):
        self.rules.write_text("".join(f"allow tcp from 10.{n >> 8 & 255}.{n & 255}.0/24 to any port "
                                      f"{n % 60000 + 1}\n" for n in range(100000)))
        self.plan(*FLAGS)

    def test_eal_options(self):
        """With `--` what stands before is the EAL's."""
        done = self.spillway("--lcores", "0@0,1@0", "--no-huge", "--no-pci", "-m", "512", "--file-prefix",
                             process_name("spw"), "--", *FLAGS, "--duration", "100ms", "--report", "-")
        self.assertEqual(json.loads(done.stdout)["outcome"], "drained")
        self.assertFalse(re.search(r"(?i)error", done.stderr), done.stderr)


if __name__ == "__main__":
    main()
