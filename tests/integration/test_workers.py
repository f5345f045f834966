# SPDX-License-Identifier: BSD-3-Clause
"""Workers come and leave with a reload, while all packets are encrypted and decrypted by them: none is lost.

    left(eth0) --- (lan) spillway (here) --- (there) another (wan) --- (eth0)right      ESP between here and there
"""
import json
import pathlib
import re
import signal
import subprocess

from harness import BUILD, CPUS, Net, Spillway, TestCase, main, need_program, run, until

CTL = BUILD / "ctl" / "spillwayctl"
FIRST, OTHER = CPUS[0], CPUS[-1]
MORE = f"{FIRST},{OTHER},{FIRST}"

HEAD = f"""[spillway]
rules = {{name}}.rules
idle = sleep
fast = {FIRST}
control = {FIRST}
drain-timeout = {{drain}}
[port {{inner}}]
device = net_af_packet0,iface={{inner}}
[port {{outer}}]
device = net_af_packet1,iface={{outer}}
[wire w]
ports = {{inner}}, {{outer}}
"""
RULES = """protect out any from {0} to {1}
protect in any from {1} to {0}
"""
HOSTS, ENDS = ("10.9.0.1", "10.9.0.2"), ("192.0.2.1", "198.51.100.1")


def association(direction, spi, port, ends):
    window = "replay-window = 1024\n" if direction == "in" else ""
    return (f"[sa {direction}]\ndirection = {direction}\nspi = {spi}\nmode = tunnel\nport = {port}\nsource = {ends[0]}\n"
            f"destination = {ends[1]}\nalgorithm = aes-128-gcm\nkey-file = {spi}.key\n{window}")


class Workers(TestCase):
    POOL = [word for name in ("classify", "encrypt", "decrypt") for word in ("--dispatch", f"{name}=pool")]

    def setUp(self):
        super().setUp()
        self.net = Net(other=True)
        self.addCleanup(self.net.close)
        run("ip", "-n", self.net.middle, "link", "add", "here", "type", "veth", "peer", "name", "there",
            "netns", self.net.other)
        for name, end in (self.net.middle, "here"), (self.net.other, "there"):
            run("ip", "-n", name, "link", "set", end, "up")
        for spi in 1001, 1002:
            key = self.folder / f"{spi}.key"
            key.touch(0o600)
            key.write_text(f"{spi:040x}\n")
        self.file("left.rules", RULES.format(*HOSTS))
        self.file("right.rules", RULES.format(*HOSTS[::-1]))
        other = self.file("right.conf", HEAD.format(name="right", drain="3s", inner="wan", outer="there")
                          + association("in", 1001, "there", ENDS) + association("out", 1002, "there", ENDS[::-1]))
        self.other = Spillway("--config", other, namespace=self.net.other)
        self.addCleanup(self.other.__exit__)
        self.other.ready()

    def configure(self, pool, drain="3s"):
        head = HEAD.format(name="left", drain=drain, inner="lan", outer="here")
        return self.file("left.conf", (head.replace("idle", f"pool = {pool}\nidle", 1) if pool is not None else head)
                         + association("out", 1001, "here", ENDS) + association("in", 1002, "here", ENDS[::-1]))

    def start(self, pool=FIRST, drain="3s"):
        return Spillway("--config", self.configure(pool, drain), *self.POOL, namespace=self.net.middle)

    def reload(self, program, pool, said="reloaded: version", **how):
        before = len(program.log)
        self.configure(pool, **how)
        program.signal(signal.SIGHUP)
        until(lambda: said in program.log[before:], 20, f"{said}\n{program.log}")
        return program.log[before:]

    def passes(self, count=2):
        return self.net.ping(self.net.left, "10.9.0.2", count=count) == count

    def lcores(self, program):
        """Those that are or were there, by their names."""
        names = program.telemetry("/spillway/metrics,lcores")
        return {name: program.telemetry(f"/spillway/metrics,lcores,{name}") for name in names}

    def planned(self, program):
        """Workers' CPUs, as the plan tells them."""
        plan = json.loads(run(CTL, "--name", program.name, "plan", "--json").stdout)["plan"]
        return [one["cpu"] for one in plan["lcores"] if one["role"] == "pool"]

    def come_and_leave(self, program):
        before = {name: one["packets"] for name, one in self.lcores(program).items()}
        self.reload(program, MORE)
        until(lambda: all(one["state"] == "there" for one in self.lcores(program).values()), 20, "all are there")
        until(lambda: all(self.lcores(program)[name]["packets"] > before.get(name, 0) for name in ("pool0", "pool1", "pool2")),
              30, "each has work")
        self.assertEqual(sorted(self.planned(program)), sorted(int(cpu) for cpu in MORE.split(",")))
        before = len(program.log)
        self.reload(program, FIRST)
        until(lambda: program.log[before:].count("has left CPU") == 2, 20, f"two left\n{program.log}")
        self.assertEqual(self.planned(program), [int(FIRST)])

    def test_come_and_leave(self):
        with self.start() as program:
            program.ready()
            until(lambda: self.passes(1), 20, f"ESP passes\n{program.log}")
            pings = subprocess.Popen(["ip", "netns", "exec", self.net.left, "ping", "-n", "-q", "-f", "-l", "8", "-w",
                                      "100", "10.9.0.2"], stdout=subprocess.PIPE, text=True)
            for _ in range(3):
                self.come_and_leave(program)
            pings.send_signal(signal.SIGINT)
            sent, got = re.search(r"(\d+) packets transmitted, (\d+) received", pings.communicate()[0]).groups()
            self.assertLessEqual(int(sent) - int(got), 8)  # those under way
            states = {name: one["state"] for name, one in self.lcores(program).items()}
            report = self.check(program.stop())
        self.assertEqual(states, {"fast0": "there", "pool0": "there", "pool1": "gone", "pool2": "gone"})
        self.assertEqual([one["state"] for one in report["lcores"]], list(states.values()))
        self.assertEqual(report["reloads"], 6)
        self.assertEqual(report["pool"]["encrypt"]["inline_packets"], 0)
        self.assertGreaterEqual(report["pool"]["encrypt"]["pool_packets"], int(got))
        self.assertLessEqual(set(report.drops), {"denied"})  # what IPv6 has to say now and then

    def test_unconfirmed(self):
        """What came leaves again, and what left comes: here all change places."""
        with self.start() as program:
            program.ready()
            self.configure(OTHER if OTHER != FIRST else MORE)
            self.assertIn("pool", run(CTL, "--name", program.name, "diff", check=False).stdout)
            run(CTL, "--name", program.name, "reload", "--confirm", "1s")
            self.assertTrue(self.passes())
            until(lambda: self.planned(program) == [int(FIRST)], 20, f"all is as it was\n{program.log}")
            self.assertTrue(self.passes())
            # Not given: those of the start.
            self.reload(program, MORE)
            self.reload(program, None)
            until(lambda: self.planned(program) == [int(FIRST)], 20, f"those of the start\n{program.log}")
            self.check(program.stop())

    def refused(self, program, pool, what):
        """And a check says so before."""
        self.configure(pool)
        checked = run(CTL, "--name", program.name, "check", check=False)
        self.assertEqual((checked.returncode, what in checked.stderr), (1, True), checked.stderr)
        self.assertIn(what, self.reload(program, pool, "the rules stay as they were"))

    def test_what_is_refused(self):
        with self.start() as program:
            program.ready()
            self.refused(program, f"{FIRST},999", f"left.conf:3: key 'pool', value '{FIRST},999': there is no CPU 999; this machine")
            self.assertEqual(self.planned(program), [int(FIRST)])
            self.check(program.stop())
        with self.start(pool=None) as program:
            program.ready()
            self.refused(program, FIRST, f"left.conf:3: key 'pool', value '{FIRST}': no worker can come on CPU {FIRST}: the plan has "
                         "no worker on its node")
            self.assertTrue(self.passes())
            self.check(program.stop())

    def hold(self, program, name):
        """strace holds a worker in its sleep, as a kernel that hangs would."""
        need_program("strace")
        tasks = pathlib.Path(f"/proc/{program.process.pid}/task").iterdir()
        task = next(task for task in tasks if (task / "comm").read_text().strip() == name)
        strace = subprocess.Popen(["strace", "-qq", "-o", "/dev/null", "-e", "trace=clock_nanosleep",
                                   "-e", "inject=clock_nanosleep:delay_enter=3000000", "-p", task.name],
                                  stdin=subprocess.DEVNULL)
        until(lambda: re.search(r"TracerPid:\s*[1-9]", (task / "status").read_text()), 20, "strace attached")
        return strace

    def test_hangs(self):
        with self.start(drain="300ms") as program:
            program.ready()
            self.reload(program, MORE, drain="300ms")
            strace = self.hold(program, "pool1")
            until(lambda: "hangs in 'between stages'" in program.log, 20, program.log)
            self.assertTrue(self.passes())
            self.reload(program, f"{FIRST},{FIRST}", "worker pool1 leaves CPU", drain="300ms")
            self.assertEqual(self.lcores(program)["pool1"]["state"], "leaving")
            if OTHER != FIRST:
                self.refused(program, MORE, f"the worker that leaves CPU {OTHER} is still at work: expected another try later")
            self.assertTrue(self.passes())
            strace.send_signal(signal.SIGINT)
            strace.wait(10)
            until(lambda: "goes on after" in program.log, 20, program.log)
            # Nobody has to ask for it.
            until(lambda: f"worker pool1 has left CPU {OTHER}" in program.log, 20, program.log)
            self.assertEqual(self.lcores(program)["pool1"]["state"], "gone")
            self.reload(program, MORE, drain="300ms")
            until(lambda: self.lcores(program)["pool1"]["state"] == "there", 20, program.log)
            self.assertTrue(self.passes())
            self.check(program.stop())


if __name__ == "__main__":
    main()
