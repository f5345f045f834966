# SPDX-License-Identifier: BSD-3-Clause
"""What the service manager is told, by one that only listens; and that the units are what systemd understands."""
import os
import re
import shutil
import signal
import socket
import time

import harness
from harness import BUILD, CPUS, ROOT, SPILLWAY, Spillway, TestCase, main, need_program, need_root, process_name, run, until
from test_stall import Held

CPU_OPTIONS = ("--fast", CPUS[-1], "--control", CPUS[0])
NULLS = ("--port", "a=net_null0,no-rx=1", "--port", "b=net_null1,no-rx=1", "--wire", "a:b", "--idle", "sleep",
         *CPU_OPTIONS)
UNITS = ROOT / "config" / "systemd"


class Manager:
    """Binds the socket that NOTIFY_SOCKET names; messages as dicts, in the order in which they came."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(name).replace("@", "\0", 1))
        self.socket.settimeout(30)
        self.name = name
        self.heard = []

    def environment(self, **more):
        """For Spillway(wrapper=): env becomes the program, so its process id stays."""
        return ["env", f"NOTIFY_SOCKET={self.name}", *(f"{name}={value}" for name, value in more.items())]

    def hear(self):
        message = dict(line.split("=", 1) for line in self.socket.recv(4096).decode().split("\n"))
        self.heard.append(message)
        return message

    def hear_until(self, key, text=""):
        """All up to the first message that has a key, with that in its value."""
        messages = [self.hear()]
        while key not in messages[-1] or text not in messages[-1][key]:
            messages.append(self.hear())
        return messages

    def rest(self):
        """What else has come already."""
        self.socket.settimeout(0)
        messages = []
        try:
            while True:
                messages.append(self.hear())
        except BlockingIOError:
            return messages

    def close(self):
        self.socket.close()


class Notify(TestCase):
    def manager(self, name=None):
        manager = Manager(name or self.folder / "notify")
        self.addCleanup(manager.close)
        return manager

    def program(self, manager, *options, **more):
        program = Spillway(*NULLS, *options, wrapper=manager.environment(**more))
        self.addCleanup(program.__exit__)
        return program

    def test_life(self):
        """Ready once it forwards, each reload from its begin to its end, stopping: nothing else, and in that order."""
        rules = self.file("rules", "allow udp from any to any\n")
        manager = self.manager()
        program = self.program(manager, "--rules", rules)
        ready = manager.hear()
        self.assertEqual(ready, {"READY": "1", "STATUS": "forwarding: 2 ports, 2 lcores, 0 reloads"})
        self.assertRegex(program.log, r"\bready\b")
        self.assertEqual(len(program.telemetry("/spillway/metrics,ports")), 2)

        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        program.signal(signal.SIGHUP)
        begun = manager.hear()
        self.assertEqual((begun["RELOADING"], begun["STATUS"]), ("1", "reads its configuration again"))
        self.assertLessEqual(before, int(begun["MONOTONIC_USEC"]))
        self.assertLessEqual(int(begun["MONOTONIC_USEC"]), time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)
        self.assertEqual(manager.hear(), {"READY": "1", "STATUS": "forwarding: 2 ports, 2 lcores, 1 reloads"})

        rules.write_text("nonsense\n")
        program.signal(signal.SIGHUP)
        self.assertIn("RELOADING", manager.hear())
        self.assertEqual(manager.hear(), {
            "READY": "1", "STATUS": "forwarding: 2 ports, 2 lcores, 1 reloads; the last reload was refused"})

        program.signal()
        self.assertEqual(manager.hear(), {"STOPPING": "1", "STATUS": "ending: SIGTERM"})
        self.check(program.wait())
        self.assertEqual(manager.rest(), [])

    def test_command(self):
        """A reload by spillwayctl, as the unit's, is the same; a check is none."""
        manager = self.manager()
        program = self.program(manager)
        manager.hear_until("READY")
        for command in "check", "reload":
            run(BUILD / "ctl" / "spillwayctl", "--name", program.name, command)
        self.assertEqual([list(manager.hear()) for _ in range(2)],
                         [["RELOADING", "MONOTONIC_USEC", "STATUS"], ["READY", "STATUS"]])
        self.check(program.stop())

    def test_name(self):
        """A socket may have a name in place of a path."""
        manager = self.manager(f"@{process_name('spw')}")
        program = self.program(manager, "--duration", "50ms")
        self.assertEqual([list(manager.hear()) for _ in range(2)], [["READY", "STATUS"], ["STOPPING", "STATUS"]])
        self.check(program.wait())

    def test_on_drain(self):
        """The end begins with that command, which is not the program: it has no say."""
        manager = self.manager()
        gate = self.folder / "gate"
        os.mkfifo(gate)
        program = self.program(manager, "--on-drain", f"read word < {gate} && env > {self.folder}/environment",
                               WATCHDOG_USEC=60000000)
        manager.hear_until("READY")
        program.signal()
        manager.hear_until("STOPPING")
        self.assertIsNone(program.process.poll())
        gate.write_text("go\n")
        self.check(program.wait())
        self.assertNotRegex((self.folder / "environment").read_text(), "NOTIFY_SOCKET|WATCHDOG")

    def test_reload_meets_the_end(self):
        """A reload while on-drain runs: READY behind STOPPING would take it back."""
        waits = self.folder / "waits"
        os.mkfifo(waits)
        manager = self.manager()
        program = self.program(manager, "--on-drain", f"cat {waits}")
        manager.hear_until("READY")
        program.signal()
        manager.hear_until("STOPPING")
        run(BUILD / "ctl" / "spillwayctl", "--name", program.name, "reload")
        waits.write_text("")
        self.check(program.wait())
        self.assertEqual(manager.rest(), [])

    def test_start_fails(self):
        """Who never was ready does not say so."""
        manager = self.manager()
        with Spillway("--port", "a=net_pcap0,rx_pcap=/nonexistent", "--port", "b=net_null0", "--wire", "a:b",
                      wrapper=manager.environment()) as program:
            self.assertNotEqual(program.wait().status, 0)
        self.assertNotIn("READY", [key for message in manager.rest() for key in message])

    def test_nobody_listens(self):
        program = Spillway(*NULLS, "--duration", "200ms",
                           wrapper=["env", f"NOTIFY_SOCKET={self.folder}/none", "WATCHDOG_USEC=20000"])
        self.addCleanup(program.__exit__)
        report = self.check(program.wait())
        self.assertEqual(report.stderr.count("service manager can't be told any more: No such file"), 1, report.stderr)

    def test_empty(self):
        """As if there was none."""
        program = Spillway(*NULLS, "--duration", "200ms", wrapper=["env", "NOTIFY_SOCKET="])
        self.addCleanup(program.__exit__)
        self.check(program.wait())

    def test_no_socket(self):
        for name, why in ("relative", "expected a path, or @ and a name"), (f"/{'x' * 200}", "longer than 107 bytes"):
            done = run("env", f"NOTIFY_SOCKET={name}", SPILLWAY, *NULLS, "--no-huge", check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"NOTIFY_SOCKET: '{name}': {why}", done.stderr)

    def test_no_room(self):
        """Who does not read is not waited for, and hears the last state when there is room."""
        manager = self.manager()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stuffer:
            stuffer.setblocking(False)
            try:
                while True:
                    stuffer.sendto(b"STUFF=1", str(manager.name))
            except BlockingIOError:
                pass
        program = self.program(manager, WATCHDOG_USEC=40000)
        program.ready()
        run(BUILD / "ctl" / "spillwayctl", "--name", program.name, "reload")
        messages = manager.hear_until("READY")
        self.assertIn("1 reloads", messages[-1]["STATUS"])
        manager.hear_until("WATCHDOG")
        self.check(program.stop())

    def test_watchdog_of_another(self):
        """The manager means another process: this one feeds nothing."""
        manager = self.manager()
        program = self.program(manager, "--duration", "300ms", WATCHDOG_USEC=20000, WATCHDOG_PID=1)
        messages = manager.hear_until("STOPPING")
        self.assertEqual([list(message)[0] for message in messages], ["READY", "STOPPING"])
        self.check(program.wait())


class Watchdog(Held):
    def fed(self, *options, **how):
        manager = Manager(self.folder / "notify")
        self.addCleanup(manager.close)
        program, strace = self.held(*options, wrapper=manager.environment(WATCHDOG_USEC=100000), **how)
        return manager, program, strace

    def test_hangs(self):
        """From when an lcore hangs until it goes on nothing says that all is well."""
        manager, program, strace = self.fed()
        manager.hear_until("WATCHDOG")
        manager.hear_until("STATUS", "; 1 lcores hang")
        meanwhile = manager.hear_until("STATUS", "0 reloads")
        self.assertEqual([list(message) for message in meanwhile], [["STATUS"]])
        strace.send_signal(signal.SIGINT)
        strace.wait(10)
        manager.hear_until("WATCHDOG")
        self.check(program.stop())

    def test_time_begins_again(self):
        """The manager's time ran while an lcore hung: it hears at once that all is well, not by the timer."""
        manager = Manager(self.folder / "notify")
        self.addCleanup(manager.close)
        program, strace = self.held(wrapper=manager.environment(WATCHDOG_USEC=3600 * 1000000))
        manager.hear_until("STATUS", "; 1 lcores hang")
        self.assertIn("WATCHDOG", manager.hear_until("WATCHDOG")[-1])
        strace.send_signal(signal.SIGINT)
        strace.wait(10)
        self.check(program.stop())

    def test_end(self):
        """Nothing is fed from when the end begins: the manager has its own time for that."""
        manager, program, _ = self.fed("--on-stall", "exit")
        manager.hear_until("STOPPING")
        self.check(program.wait(30), outcome="failed", status=1)
        self.assertEqual(manager.rest(), [])

    def test_hangs_at_the_end(self):
        """An lcore that hangs then has no say: the state is that of the end."""
        gate = self.folder / "gate"
        os.mkfifo(gate)
        manager, program, strace = self.fed("--on-drain", f"read word < {gate}")
        program.signal()
        manager.hear_until("STOPPING")
        told = program.log.count("goes on after")
        until(lambda: program.log.count("goes on after") > told + 1, 20, program.log)
        strace.send_signal(signal.SIGINT)
        strace.wait(10)
        gate.write_text("go\n")
        self.check(program.wait(30))
        self.assertEqual(manager.rest(), [])


class Rights(TestCase):
    """Devices work with the capabilities that docs/operations.md names, and with none of them less."""
    DEVICES = {"memif": "net_memif0,role=server,socket={folder}/memif,socket-abstract=no",
               "pcap of an interface": "net_pcap0,iface=lan", "af_packet": "net_af_packet0,iface=lan",
               "tap": "net_tap0,iface=tap0", "af_xdp": "net_af_xdp0,iface=lan"}

    def setUp(self):
        super().setUp()
        self.net = harness.Net(right=False)
        self.addCleanup(self.net.close)
        need_program("setpriv")
        os.chmod(self.folder, 0o777)
        self.program = shutil.copy(SPILLWAY, self.folder)

    def works(self, device, capabilities):
        text = ",".join(["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in capabilities)])
        done = self.net.run(self.net.middle, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                            f"--inh-caps={text}", f"--ambient-caps={text}", "env", f"RUNTIME_DIRECTORY={self.folder}",
                            self.program, "--no-huge", "--name", process_name("spw"), "--port",
                            f"a={self.DEVICES[device].format(folder=self.folder)}", "--port", "b=net_null0,no-rx=1",
                            "--wire", "a:b", *CPU_OPTIONS, "--duration", "50ms", check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return done.returncode == 0

    def test_devices(self):
        rows = re.findall(r"^\| ([^|]+?) \| (none|(?:`CAP_\w+` ?)+) \|", (ROOT / "docs" / "operations.md").read_text(), re.M)
        told = {name: re.findall(r"CAP_\w+", needs) for names, needs in rows for name in names.split(", ")}
        for device in self.DEVICES:
            if device == "af_xdp" and not self.works(device, told[device] + ["CAP_BPF"]):
                continue  # a kernel or driver without
            with self.subTest(device):
                self.assertTrue(self.works(device, told[device]))
                for name in told[device]:
                    self.assertFalse(self.works(device, [other for other in told[device] if other != name]), name)


class Unit(TestCase):
    def setUp(self):
        super().setUp()
        need_program("systemd-analyze")

    def unit(self, name):
        """A copy whose programs are those of the build."""
        text = (UNITS / name).read_text()
        for program, path in (("spillwayctl", BUILD / "ctl" / "spillwayctl"), ("spillway", SPILLWAY),
                              (r"\S*/spillway-ike-restore", ROOT / "preload" / "spillway-ike-restore")):
            text = re.sub(rf"^(Exec\w+=){program}(?= |$)", rf"\g<1>{path}", text, flags=re.M)
        return self.file(name, re.sub(r"^Documentation=.*\n", "", text, flags=re.M))

    def test_verify(self):
        for unit in UNITS.glob("*.service"):
            done = run("systemd-analyze", "verify", self.unit(unit.name), check=False)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_security(self):
        """No setting is lost by a slip: what is exposed, of 10, is at most what the devices make it."""
        for name, most in ("spillway.service", 3.5), ("spillway-exporter.service", 1.6):
            told = run("systemd-analyze", "security", "--offline=true", "--no-pager", UNITS / name).stdout
            self.assertLessEqual(float(re.search(r"exposure level for \S+: ([\d.]+)", told)[1]), most, told)

    def test_system_calls(self):
        """What a run of veth and twin-less ports calls is in the unit's filter."""
        need_root()
        need_program("strace")
        allowed = set()

        def add(group):
            for line in run("systemd-analyze", "syscall-filter", group).stdout.splitlines()[1:]:
                word = line.strip()
                if word.startswith("@"):
                    add(word)
                elif word and not word.startswith("#"):
                    allowed.add(word)
        add(re.search(r"^SystemCallFilter=(\S+)$", (UNITS / "spillway.service").read_text(), re.M)[1])
        trace = self.folder / "trace"
        net = harness.Net()
        self.addCleanup(net.close)
        program = Spillway("--port", "lan=net_af_packet0,iface=lan", "--port", "wan=net_af_packet1,iface=wan", "--wire",
                           "lan:wan", "--idle", "sleep", namespace=net.middle,
                           wrapper=["strace", "-f", "-qq", "-o", trace])
        self.addCleanup(program.__exit__)
        program.ready()
        run("ip", "netns", "exec", net.middle, BUILD / "ctl" / "spillwayctl", "--name", program.name, "reload")
        # strace holds signals back from itself, so the tracee is told.
        run(BUILD / "ctl" / "spillwayctl", "--name", program.name, "drain")
        self.check(program.wait(60))
        called = set(re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)[( ]", trace.read_text(), re.M))
        self.assertIn("sendto", called)
        # DPDK's virtio asks for iopl when it is loaded, and does without.
        self.assertEqual(called - allowed - {"resumed", "iopl"}, set())


if __name__ == "__main__":
    main()
