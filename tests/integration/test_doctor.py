# SPDX-License-Identifier: BSD-3-Clause
"""What the doctor says of this machine, by spillwayctl and --check. (Other machines: tests/unit/test_doctor.c.)"""
import json
import re
import shutil

from harness import BUILD, CPUS, ROOT, SPILLWAY, Spillway, TestCase, main, need_program, need_root, \
    process_name, run

CTL = BUILD / "ctl" / "spillwayctl"
NULLS = ("--port", "a=net_null0,no-rx=1", "--port", "b=net_null1,no-rx=1", "--wire", "a:b", "--fast", CPUS[-1],
         "--control", CPUS[0])
LINE = re.compile(r"^(ok|costs|broken) +(\S[^:]*?)  +\S.*$")


def checks():
    """As the table has them."""
    return re.findall(r'^    \{"([^"]+)", spill_doctor_\w+\},$', (ROOT / "lib" / "doctor" / "doctor.c").read_text(), re.M)


class Doctor(TestCase):
    def names(self, lines):
        """The checks of text, in order."""
        names = []
        for line in lines:
            match = LINE.match(line)
            self.assertTrue(match or line.startswith(25 * " "), line)
            if match and match[2] not in names:
                names.append(match[2])
        return names

    def test_alone(self):
        """Without a spillway: each check says something, and the status tells whether anything is broken."""
        done = run("env", f"RUNTIME_DIRECTORY={self.folder}", CTL, "doctor", check=False)
        first, *lines = done.stdout.splitlines()
        self.assertIn("no spillway runs", first)
        self.assertEqual([name for name in self.names(lines) if name != "neighbours"],
                         [name for name in checks() if name != "neighbours"])
        told = json.loads(run("env", f"RUNTIME_DIRECTORY={self.folder}", CTL, "doctor", "--json", check=False).stdout)
        self.assertEqual(done.returncode, 1 if "broken" in [line["verdict"] for line in told] else 0)

    def test_unseen(self):
        """Where it can't be seen whether one runs, none is said to run."""
        need_root()
        self.folder.chmod(0o755)
        (self.folder / "dpdk").mkdir(mode=0o700)
        done = run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env",
                   f"RUNTIME_DIRECTORY={self.folder}", shutil.copy(CTL, self.folder), "doctor", check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("control: Permission denied", done.stderr)

    def test_named(self):
        """One that was asked for and does not run is no reason to look at the machine."""
        done = run(CTL, "--name", process_name("spw"), "doctor", check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))

    def test_check(self):
        """--check has the same checks, by its plan."""
        done = run(SPILLWAY, "--no-huge", *NULLS, "--check")
        lines = done.stdout.partition("machine: what costs, what is broken, and what mends it\n")[2].splitlines()
        self.assertEqual([name for name in self.names(lines) if name != "neighbours"],
                         [name for name in checks() if name != "neighbours"])
        told = json.loads(run(SPILLWAY, "--no-huge", *NULLS, "--check", "--json").stdout)
        self.assertIn("lcores", told)
        self.assertEqual(told["doctor"][0], {
            "check": "hugepages", "verdict": "costs", "command": "no-huge = off, and the pages that --check then names",
            "text": "--no-huge: ordinary pages are slower, and on whatever node"})

    def test_check_beside_another(self):
        """The CPUs of lcores that poll are left alone."""
        def said():
            told = json.loads(run(SPILLWAY, "--no-huge", *NULLS, "--name", process_name("spw"), "--check", "--json").stdout)
            return next(line["text"] for line in told["doctor"] if line["check"] == "core to core")
        with Spillway(*NULLS, "--idle", "sleep") as program:
            program.ready()
            self.assertEqual(said(), "not measured while programs of DPDK run")
            self.check(program.stop())

    def test_running(self):
        """A running spillway looks from where it is: its network namespace has the other end of its veth."""
        need_root()
        need_program("ethtool")
        namespace = process_name("spw")
        run("ip", "netns", "add", namespace)
        self.addCleanup(run, "ip", "netns", "del", namespace)
        run("ip", "-n", namespace, "link", "add", "port0", "type", "veth", "peer", "name", "host0")
        for end in "port0", "host0":
            run("ip", "-n", namespace, "link", "set", end, "up")
        with Spillway("--port", "a=net_af_packet0,iface=port0", "--port", "b=net_null1,no-rx=1", "--wire", "a:b",
                      namespace=namespace) as program:
            program.ready()
            doctor = CTL, "--name", program.name, "doctor"
            done = run(*doctor, check=False)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertRegex(done.stderr, r"spillwayctl: \d+ of these are broken")
            lines = [line for line in json.loads(run(*doctor, "--json", check=False).stdout)
                     if line["check"] == "veth offloads"]
            self.assertEqual([(line["verdict"], line["command"]) for line in lines],
                             [("broken", "ethtool -K host0 tx off tso off gso off")])
            run("ip", "netns", "exec", namespace, "ethtool", "-K", "host0", "tx", "off", "tso", "off", "gso", "off")
            self.assertEqual(run(*doctor, check=False).returncode, 0)
            self.check(program.stop())


if __name__ == "__main__":
    main()
