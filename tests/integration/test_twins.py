# SPDX-License-Identifier: BSD-3-Clause
"""Twins: the kernel is the host on routed ports, and says where packets go."""
import json
import os
import pathlib
import re
import signal
import socket
import time
import unittest

from harness import BUILD, SPILLWAY, Net, Spillway, TestCase, inside, main, run, until

CONFIG = """[spillway]
default = allow
idle = sleep
no-huge = on
[router]
routes = 1k
routes6 = 1k
[port lan]
device = net_af_packet0,iface=lan
routed = yes
twin = tlan
address = 10.1.0.1/24, fd01::1/64
[port wan]
device = net_af_packet1,iface=wan
routed = yes
twin = twan
address = 10.2.0.1/24, fd02::1/64
[route 10.50.0.0/16]
via = 10.2.0.2
[route 10.51.0.0/16]
action = prohibit
"""


class Routed(TestCase):
    """left 10.1.0.2, fd01::2 - (lan) spillway (wan) - right 10.2.0.2, fd02::2; right has 10.50.0.1 and 10.77.0.1."""

    def setUp(self):
        super().setUp()
        if not pathlib.Path("/dev/net/tun").exists():
            raise unittest.SkipTest("needs /dev/net/tun")
        self.net = net = Net()
        self.addCleanup(net.close)
        for number, name in ((1, net.left), (2, net.right)):
            self.ip(name, "address flush dev eth0")
            self.ip(name, f"address add 10.{number}.0.2/24 dev eth0")
            self.ip(name, f"-6 address add fd0{number}::2/64 dev eth0 nodad")
            self.ip(name, f"route add default via 10.{number}.0.1")
            self.ip(name, f"-6 route add default via fd0{number}::1")
        for address in ("10.50.0.1", "10.77.0.1"):
            self.ip(net.right, f"address add {address}/32 dev lo")
        # The kernel must not answer by lan and wan themselves, which spillway has; by twins it has IPv6.
        settings = ["net.ipv6.conf.default.disable_ipv6=0", "net.ipv6.conf.default.accept_dad=0"]
        for port in ("lan", "wan"):
            settings += [f"net.ipv4.conf.{port}.rp_filter=1", f"net.ipv4.conf.{port}.arp_ignore=8"]
        net.run(net.middle, "sysctl", "-qw", *settings)
        self.start().ready()

    def start(self, config=CONFIG, *more, **options):
        self.program = Spillway("--config", self.file("router.conf", config), *more, namespace=self.net.middle, **options)
        self.addCleanup(self.program.__exit__)
        return self.program

    def refusing(self, what):
        return ["env", f"REFUSE={what}", f"LD_PRELOAD={BUILD}/tests/integration/librefuse_twins.so"]

    def ip(self, name, command):
        return self.net.run(name, "ip", *command.split())

    def reaches(self, address, seconds=20):
        until(lambda: self.net.ping(self.net.left, address, count=1), seconds, f"ping {address}")

    def misses(self, address):
        until(lambda: not self.net.ping(self.net.left, address, "-W", "1", count=1), 20, f"no ping {address}")

    def end(self):
        report = self.check(self.program.stop())
        self.assertNotIn("tlan", self.ip(self.net.middle, "link show").stdout)
        self.assertNotIn("10.51.0.0", self.ip(self.net.middle, "route show").stdout)
        return report


class Twins(Routed):
    def test_ping(self):
        """Of the router's own addresses, and through it; neighbours are found out by the kernel."""
        for address in ("10.1.0.1", "fd01::1", "10.2.0.1", "10.2.0.2", "fd02::2", "10.50.0.1"):
            self.reaches(address)
            self.assertGreaterEqual(self.net.ping(self.net.left, address, count=10), 10, address)
        done = self.net.run(self.net.left, "ping", "-n", "-c", "1", "-W", "2", "10.51.0.1", check=False)
        self.assertRegex(done.stdout, r"(?i)prohibited|filtered")
        self.assertIn("proto 83", self.ip(self.net.middle, "-N route show 10.50.0.0/16").stdout)
        told = self.program.telemetry("/spillway/metrics,kernel")
        report = self.end()
        self.assertGreaterEqual(report["routes"]["ipv4"], 8)
        self.assertGreaterEqual(report["routes"]["ipv6"], 4)
        self.assertGreaterEqual(report["neighbors"]["known"], 4)
        self.assertGreaterEqual(report["kernel"]["neighbors_resolved"], 2)
        self.assertEqual((told["generations"], told["overruns"], told["audits"]), (1, 0, 0))
        self.assertGreater(report.packets["delivered_to_host"], 20)
        self.assertGreater(report.packets["originated"], 20)

    def test_routes_are_followed(self):
        self.reaches("10.2.0.2")
        self.misses("10.77.0.1")
        self.ip(self.net.middle, "route add 10.77.0.0/24 via 10.2.0.2")
        self.reaches("10.77.0.1")
        self.ip(self.net.middle, "route replace blackhole 10.77.0.0/24")
        self.misses("10.77.0.1")
        self.ip(self.net.middle, "nexthop add id 7 via 10.2.0.2 dev twan")
        self.ip(self.net.middle, "route replace 10.77.0.0/24 nhid 7")
        self.reaches("10.77.0.1")
        self.ip(self.net.middle, "nexthop delete id 7")
        self.misses("10.77.0.1")
        self.end()

    def test_too_many_routes(self):
        """Nobody who gives them to the kernel hears that there is no room: the log and the report say so."""
        self.end()
        self.start(CONFIG.replace("routes = 1k", "routes = 64")).ready()
        batch = self.file("many", "".join(f"route add 10.60.{n}.0/24 via 10.2.0.2\n" for n in range(100)))
        self.ip(self.net.middle, f"-batch {batch}")
        until(lambda: "more routes" in self.program.log, 10, "a warning")
        report = self.end()
        self.assertGreaterEqual(report["routes"]["refused"], 36)
        self.assertEqual(report["routes"]["ipv4"], 64)

    def test_link_down(self):
        """Of the twin, and of the port: the twin has the carrier that the port has."""
        self.reaches("10.2.0.2")
        self.ip(self.net.middle, "link set twan down")
        self.misses("10.2.0.2")
        self.ip(self.net.middle, "link set twan up")
        self.reaches("10.2.0.2")
        self.ip(self.net.right, "link set eth0 down")
        until(lambda: "NO-CARRIER" in self.ip(self.net.middle, "link show twan").stdout, 10, "no carrier")
        self.ip(self.net.right, "link set eth0 up")
        self.ip(self.net.right, "route add default via 10.2.0.1")
        until(lambda: "NO-CARRIER" not in self.ip(self.net.middle, "link show twan").stdout, 10, "a carrier")
        self.reaches("10.2.0.2")
        self.end()

    def test_mac(self):
        """Who gives the twin another MAC address, or a macvlan one of its own, reaches it by that."""
        self.reaches("10.1.0.1")
        self.ip(self.net.middle, "link set tlan address 02:aa:aa:aa:aa:01")
        self.ip(self.net.left, "neigh flush dev eth0")
        self.reaches("10.1.0.1")
        self.reaches("10.2.0.2")
        self.ip(self.net.middle, "link add vrrp link tlan type macvlan mode bridge")
        self.ip(self.net.middle, "link set vrrp address 00:00:5e:00:01:07")
        self.ip(self.net.middle, "address add 10.1.0.7/32 dev vrrp")
        self.ip(self.net.middle, "link set vrrp up")
        self.ip(self.net.left, "route replace default via 10.1.0.7")
        self.ip(self.net.left, "neigh replace 10.1.0.7 lladdr 00:00:5e:00:01:07 dev eth0")
        self.reaches("10.2.0.2")
        self.end()

    def test_rules(self):
        """Of what is forwarded they judge each flow: its first packet, and bursts of a flow that is known."""
        self.end()
        rules = self.file("r.rules", "allow icmp from 10.1.0.0/24 to any in lan\nreject udp from any to any\n")
        config = CONFIG.replace("default = allow", f"default = deny\nrules = {rules}")
        self.start(config).ready()
        self.reaches("10.2.0.2")
        self.assertGreaterEqual(self.net.ping(self.net.left, "10.2.0.2", count=50), 49)
        self.assertEqual(self.net.ping(self.net.right, "10.1.0.2", "-W", "1", count=2), 0)
        self.assertGreaterEqual(self.end().drops["denied"], 2)

    def test_reload(self):
        """After it rules are asked as of who began, by the port that the route to him leads to, whoever speaks first."""
        self.end()
        rules = self.file("r.rules", 'allow any from 10.1.0.0/24 to any in lan\n')
        config = CONFIG.replace("default = allow", f"default = deny\nrules = {rules}")
        self.program = program = Spillway("--config", self.file("router.conf", config), namespace=self.net.middle)
        self.addCleanup(program.__exit__)
        program.ready()
        self.reaches("10.2.0.2")
        ends = []
        for name, address in ((self.net.left, "10.1.0.2"), (self.net.right, "10.2.0.2")):
            with inside(name):
                ends.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            self.addCleanup(ends[-1].close)
            ends[-1].bind((address, 7000))
            ends[-1].settimeout(10)
        left, right = ends
        left.sendto(b"begin", ("10.2.0.2", 7000))
        self.assertEqual(right.recv(100), b"begin")
        rules.write_text('allow any from 10.1.0.0/24 to any in lan log name "again"\n')
        program.signal(signal.SIGHUP)
        until(lambda: "all flows go by version 2" in program.log, 20, "all flows by the new rules")
        right.sendto(b"go on", ("10.1.0.2", 7000))
        self.assertEqual(left.recv(100), b"go on")
        until(lambda: '"protocol": 17' in program.log, 10, "a record of the new rule")
        record = json.loads(next(line for line in program.log.splitlines() if '"protocol": 17' in line))
        self.assertEqual([record[key] for key in ("name", "in", "source", "source_port", "destination")],
                         ["again", "lan", "10.1.0.2", 7000, "10.2.0.2"])
        self.assertEqual(program.telemetry("/spillway/rule,again")["packets"], 1)
        self.end()

    def test_routes_of_others(self):
        """What the kernel was told by others stays, and the start says so."""
        self.end()
        self.ip(self.net.middle, "link set lo up")
        self.ip(self.net.middle, "route add 10.50.0.0/16 dev lo")
        done = self.net.run(self.net.middle, SPILLWAY, "--config", self.file("router.conf", CONFIG), check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("route 10.50.0.0/16: the kernel has one to there already", done.stderr)
        self.assertIn("dev lo", self.ip(self.net.middle, "route show 10.50.0.0/16").stdout)
        self.assertNotIn("tlan", self.ip(self.net.middle, "link show").stdout)

    def test_scan(self):
        """Who is there is found beside a scan for many who are not."""
        self.reaches("10.2.0.2")
        scan = self.net.start(self.net.left, "/usr/bin/python3", "-c", "import itertools, socket, time\n"
                              "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                              "for n in itertools.cycle(range(3, 250)):\n"
                              " s.sendto(b'scan', (f'10.2.0.{n}', 7)); time.sleep(.004)")
        until(lambda: self.program.telemetry("/spillway/metrics,drops").get("neighbor_full", 0) > 100, 20, "many scanned")
        came = 0
        for _ in range(20):
            self.ip(self.net.middle, "neigh flush dev twan to 10.2.0.2")
            came += self.net.ping(self.net.left, "10.2.0.2", "-W", "1", count=1)
        scan.terminate()
        self.assertGreaterEqual(came, 17)
        self.end()

    def test_hosts_tricks(self):
        """A router learns no routes from router advertisements, and none from redirects."""
        for key in "ipv6.conf.tlan.accept_ra", "ipv6.conf.tlan.accept_redirects", "ipv4.conf.tlan.accept_redirects":
            self.assertEqual(self.net.run(self.net.middle, "sysctl", "-n", f"net.{key}").stdout.strip(), "0", key)
        self.end()

    def test_what_was_given_comes_back(self):
        """A twin that is set down loses routes and IPv6 addresses in the kernel; it has them again when it is up."""
        self.reaches("10.50.0.1")
        self.ip(self.net.middle, "link set twan down")
        self.misses("10.50.0.1")
        self.ip(self.net.middle, "link set twan up")
        self.reaches("10.50.0.1")
        self.reaches("fd02::2")
        self.end()

    def test_down_and_up_at_once(self):
        """The same where nobody has seen it down; of more routes than are given at a time."""
        self.end()
        self.start(CONFIG + "".join(f"[route 10.60.{n}.0/24]\nvia = 10.2.0.2\n" for n in range(200))).ready()
        self.reaches("10.50.0.1")
        self.program.signal(signal.SIGSTOP)
        self.ip(self.net.middle, "link set twan down")
        self.ip(self.net.middle, "link set twan up")
        self.assertEqual(self.ip(self.net.middle, "route show 10.50.0.0/16").stdout, "")
        self.program.signal(signal.SIGCONT)
        self.reaches("10.50.0.1")
        self.reaches("fd02::2")
        until(lambda: self.ip(self.net.middle, "route show").stdout.count("10.60.") == 200, 10, "all routes")
        self.end()

    def test_address_comes_back(self):
        """A twin that loses its last IPv4 address loses routes; it has them again with the address, if it is up."""
        self.reaches("10.50.0.1")
        self.ip(self.net.middle, "address del 10.2.0.1/24 dev twan")
        self.misses("10.50.0.1")
        self.ip(self.net.middle, "address add 10.9.0.1/24 dev twan")
        until(lambda: "route 10.50.0.0/16: the kernel refuses it" in self.program.log, 10, "a warning")
        self.ip(self.net.middle, "address add 10.2.0.1/24 dev twan")
        self.reaches("10.50.0.1")
        self.assertIn("proto 83", self.ip(self.net.middle, "-N route show 10.50.0.0/16").stdout)
        batch = self.file("swap", "address del 10.9.0.1/24 dev twan\naddress del 10.2.0.1/24 dev twan\n"
                          "address add 10.2.0.1/24 dev twan\n")
        self.ip(self.net.middle, f"-batch {batch}")
        self.reaches("10.50.0.1")
        self.ip(self.net.middle, "link set twan down")
        self.ip(self.net.middle, "address del 10.2.0.1/24 dev twan")
        self.ip(self.net.middle, "address add 10.2.0.1/24 dev twan")
        self.ip(self.net.middle, "link set twan up")
        self.reaches("10.50.0.1")
        self.end()

    def test_messages_are_lost(self):
        """With those that the kernel throws away, a twin may have been down and up."""
        self.end()
        self.start(wrapper=self.refusing("buffer")).ready()
        self.reaches("10.50.0.1")
        self.program.signal(signal.SIGSTOP)
        batch = self.file("many", "".join(f"route add blackhole 10.{60 + n // 256}.{n % 256}.0/24\n" for n in range(5000)))
        self.ip(self.net.middle, f"-batch {batch}")
        self.ip(self.net.middle, "link set twan down")
        self.ip(self.net.middle, "link set twan up")
        self.program.signal(signal.SIGCONT)
        self.reaches("10.50.0.1")
        self.reaches("fd02::2")
        self.assertGreater(self.end()["kernel"]["overruns"], 0)

    def test_ipv6_comes_back(self):
        """The kernel has no IPv6 where the MTU is less than 1280, and forgets its addresses then."""
        self.reaches("fd02::2")
        self.ip(self.net.middle, "link set twan mtu 1200")
        self.misses("fd02::2")
        self.ip(self.net.middle, "link set twan mtu 1500")
        self.reaches("fd02::2")
        self.end()

    def watched(self):
        """Twins that the thread waits for."""
        folder = pathlib.Path(f"/proc/{self.program.process.pid}")
        twins = {fd.name for fd in (folder / "fd").iterdir() if os.readlink(fd) == "/dev/net/tun"}
        return [fd for info in (folder / "fdinfo").iterdir()
                for fd in re.findall(r"^tfd:\s*(\d+)", info.read_text(), re.M) if fd in twins]

    def test_twin_is_deleted(self):
        """That is said once, and the other port goes on."""
        self.reaches("10.2.0.2")
        self.assertEqual(len(self.watched()), 2)
        self.ip(self.net.middle, "link delete tlan")
        until(lambda: "twin tlan is gone" in self.program.log, 10, "a warning")
        self.assertEqual(self.net.ping(self.net.right, "10.2.0.1"), 5)
        until(lambda: len(self.watched()) == 1, 10, "one twin is waited for")
        # Another interface of its name is not the twin.
        self.ip(self.net.middle, "tuntap add tlan mode tap")
        done = run(BUILD / "ctl" / "spillwayctl", "--name", self.program.name, "doctor", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"broken +twins +twin tlan: deleted, .*, and somebody made another of its name")
        self.ip(self.net.middle, "link delete tlan")
        self.ip(self.net.middle, "link set twan down")
        self.ip(self.net.middle, "link set twan up")
        until(lambda: self.net.ping(self.net.right, "10.2.0.1", count=1), 10, "the other twin is up again")
        self.assertEqual(self.end().stderr.count("is gone"), 1)

    def test_twin_is_taken_away(self):
        """To another network namespace, and back: there it keeps neither addresses nor routes."""
        self.reaches("10.50.0.1")
        self.ip(self.net.middle, f"link set twan netns {self.net.left}")
        until(lambda: "twin twan is gone" in self.program.log, 10, "a warning")
        self.assertIn("nothing is routed by it until it is back, or after a restart", self.program.log)
        self.misses("10.50.0.1")
        self.ip(self.net.left, f"link set twan netns {self.net.middle}")
        until(lambda: "twin twan is there again" in self.program.log, 10, "a notice")
        self.ip(self.net.middle, "link set twan up")
        self.reaches("10.50.0.1")
        self.reaches("fd02::2")
        self.end()

    def test_renamed(self):
        self.reaches("10.50.0.1")
        self.ip(self.net.middle, "link set twan down")
        self.ip(self.net.middle, "link set twan name outside")
        self.ip(self.net.middle, "link set outside up")
        self.reaches("10.50.0.1")
        self.assertIn("10.2.0.1", self.ip(self.net.middle, "address show outside").stdout)
        self.ip(self.net.middle, "link set outside mtu 9000")
        until(lambda: "twin outside has MTU 9000" in self.program.log, 10, "a warning by its name")
        self.ip(self.net.middle, "link delete outside")
        until(lambda: "twin outside is gone" in self.program.log, 10, "another one")
        self.end()

    def test_another_one(self):
        """A name that is taken, by another spillway or by anybody: the start says so."""
        self.ip(self.net.middle, "tuntap add tmine mode tap")
        for name in "tlan", "tmine", "wan":
            config = self.file("other.conf", CONFIG.replace("tlan", name).replace("twan", "tother"))
            done = self.net.run(self.net.middle, SPILLWAY, "--config", config, check=False)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(f"twin {name}: there is an interface of that name already", done.stderr)
        self.assertIn("tmine", self.ip(self.net.middle, "link show").stdout)
        self.reaches("10.50.0.1")
        self.end()

    def mtu(self, name):
        return int(re.search(r"mtu (\d+)", self.ip(self.net.middle, f"link show {name}").stdout)[1])

    def too_big(self, address):
        return self.net.run(self.net.left, "ping", "-n", "-c", "1", "-W", "2", "-M", "do", "-s", "1440", address,
                            check=False).stdout

    def test_mtu(self):
        """That of a twin is what is routed by its port at most; that of the port is its twin's."""
        self.reaches("10.2.0.2")
        self.reaches("fd02::2")
        self.assertIn("1 received", self.too_big("10.2.0.2"))
        self.ip(self.net.middle, "link set twan mtu 1400")
        until(lambda: "mtu = 1400" in self.too_big("10.2.0.2"), 10, "too big")
        until(lambda: re.search("mtu[ =:]+1400", self.too_big("fd02::2")), 10, "too big")
        self.ip(self.net.middle, "link set tlan mtu 9000")
        until(lambda: "twin tlan has MTU 9000" in self.program.log, 10, "a warning")
        self.ip(self.net.middle, "link set tlan mtu 1500")
        self.ip(self.net.middle, "link set wan mtu 1450")  # the lesser one of the twin stays
        until(lambda: "has MTU 1450 now" in self.program.log, 10, "another MTU")
        self.ip(self.net.middle, "link set wan mtu 1350")
        until(lambda: self.mtu("twan") == 1350, 10, "the twin's MTU")
        self.ip(self.net.middle, "link set wan mtu 1500")
        until(lambda: self.mtu("twan") == 1500, 10, "the twin's MTU")
        self.assertEqual(self.mtu("tlan"), 1500)
        self.ip(self.net.left, "route flush cache")
        self.assertIn("1 received", self.too_big("10.2.0.2"))
        self.end()

    def test_leftovers(self):
        """Routes of one that was killed are taken over, or removed where they are not wanted any more."""
        self.reaches("10.50.0.1")
        self.program.signal(signal.SIGKILL).process.wait()
        for command in ("route add blackhole 10.60.0.0/16 proto 83", "-6 route add unreachable fd60::/16 proto 83",
                        "route add blackhole 10.61.0.0/16 proto static"):
            self.ip(self.net.middle, command)
        self.assertIn("proto 83", self.ip(self.net.middle, "-N route show 10.51.0.0/16").stdout)
        self.start().ready()
        self.assertIn("2 routes of an earlier spillway are removed", self.program.log)
        shown = self.ip(self.net.middle, "-N route show").stdout + self.ip(self.net.middle, "-N -6 route show").stdout
        self.assertNotIn("10.60.0.0", shown)
        self.assertNotIn("fd60::", shown)
        self.assertIn("10.61.0.0", shown)
        self.assertRegex(shown, r"8 10\.51\.0\.0/16 proto 83")
        self.reaches("10.50.0.1")
        self.end()

    def test_no_answer(self):
        """A kernel that removes no route does not hold up the end."""
        self.end()
        routes = "".join(f"[route 10.{n}.0.0/16]\naction = blackhole\n" for n in range(100, 140))
        self.start(CONFIG + routes, wrapper=self.refusing("route")).ready()
        start = time.monotonic()
        report = self.check(self.program.stop())
        self.assertLess(time.monotonic() - start, 6)
        self.assertIn("41 routes are still in the kernel", report.stderr)
        self.start().ready()
        self.assertIn("40 routes of an earlier spillway are removed", self.program.log)
        self.end()

    def test_no_thread(self):
        """Where the twins can have no thread there is no start, and nothing hangs."""
        self.end()
        program = self.start(wrapper=self.refusing("thread"))
        report = self.check(program.wait(8), outcome="failed", status=1)
        self.assertIn("no thread for the twins", report.stderr)
        self.assertNotIn("not drained", report.stderr)

    def test_sleeps(self):
        """The control thread hears of all that it has to do, and is woken by nothing else."""
        self.end()
        self.start("[spillway]\nstall-timeout = 0\n" + CONFIG.partition("\n")[2]).ready()
        self.reaches("10.50.0.1")
        status = pathlib.Path(f"/proc/{self.program.process.pid}/task/{self.program.process.pid}/status")
        woken = lambda: int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status.read_text(), re.M)[1])  # noqa: E731
        before = woken()
        time.sleep(2)
        self.assertLess(woken() - before, 50)
        self.end()

    def test_namespace_and_table(self):
        """Twins in a namespace of their own, and the routes of another table than main."""
        self.end()
        there = self.net.middle + "-twins"
        run("ip", "netns", "add", there)
        self.net.namespaces.add(there)
        config = CONFIG.replace("[router]", f"[router]\nnetns = /run/netns/{there}\ntable = 77")
        self.start(config).ready()
        self.assertIn("proto 83", self.ip(there, "-N route show table 77").stdout)
        self.ip(there, "route add 10.2.0.0/24 dev twan table 77")
        self.ip(there, "route add 10.1.0.0/24 dev tlan table 77")
        self.reaches("10.1.0.1")
        self.reaches("10.2.0.2")
        self.reaches("10.50.0.1")
        self.end()

    def test_end_under_load(self):
        """Packets are on their way through, to the host, from it, and wait for neighbors: each is accounted for."""
        self.reaches("10.2.0.2")
        self.net.start(self.net.left, "ping", "-q", "-f", "-s", "1000", "10.1.0.1")
        self.net.start(self.net.right, "ping", "-q", "-f", "10.1.0.2")
        self.net.start(self.net.left, "/usr/bin/python3", "-c", "import itertools, socket\n"
                       "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                       "for n in itertools.cycle(range(100, 112)):\n s.sendto(b'who', (f'10.2.0.{n}', 7))")
        metrics = lambda family: self.program.telemetry(f"/spillway/metrics,{family}")  # noqa: E731
        until(lambda: metrics("drops").get("neighbor_full", 0) > 1000, 20, "many packets that wait")
        until(lambda: metrics("packets")["delivered_to_host"] > 1000, 20, "many packets to the host")
        report = self.end()
        self.assertEqual(sum(port["rx_packets"] for port in report["ports"]), report.packets["received"])
        self.assertEqual(sum(port["tx_packets"] for port in report["ports"]), report.packets["transmitted"])
        self.assertGreater(report.packets["originated"], 1000)
        self.assertGreater(report.drops["neighbor_unresolved"], 0)
        self.assertNotIn("drain_deadline", report.drops)

    def test_flood(self):
        """A flood of one class leaves another one through."""
        self.reaches("10.1.0.1")
        flood = self.net.start(self.net.left, "ping", "-q", "-f", "-s", "8", "10.1.0.1")
        self.net.run(self.net.left, "ip", "neigh", "flush", "dev", "eth0", check=False)
        done = self.net.run(self.net.left, "ping", "-n", "-c", "5", "-i", "0.2", "10.2.0.2", check=False)
        flood.terminate()
        self.assertRegex(done.stdout, r"[345] received")
        self.end()


if __name__ == "__main__":
    main()
