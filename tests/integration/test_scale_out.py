# SPDX-License-Identifier: BSD-3-Clause
"""Spillways side by side, as docs/scale-out.md has them: they leave, and die, while packets flow."""
import pathlib
import re
import subprocess
import sys
import unittest

from daemons import FRR, Lab
from harness import CPUS, ROOT, Net, Spillway, TestCase, main, run, until

CONFIG = """[spillway]
default = allow
idle = sleep
no-huge = on
on-drain = {leave}
[router]
routes = 1k
routes6 = 1k
[port lan]
device = net_af_packet0,iface=lan
routed = yes
twin = tlan
address = 10.{lan}.0.1/24
[port wan]
device = net_af_packet1,iface=wan
routed = yes
twin = twan
address = 10.{wan}.0.1/24
[route 10.60.0.1/32]
via = 10.{lan}.0.2
[route 10.50.0.1/32]
via = 10.{wan}.0.2
"""

ECHO = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE: whatever else the machine does
server.bind(("10.50.0.1", 7))
while True:
    server.sendto(*server.recvfrom(2048))
"""

# Forty flows, each a datagram every 10 ms. A line that comes in is answered by what was sent; "settle" and the end also
# by what came back, when all has or nothing more comes, and by the longest time for which a flow had no answer.
ASK = """
import select, socket, sys, time
flows, heard = [], {}
for _ in range(40):
    flow = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    flow.bind(("10.60.0.1", 0))
    flow.connect(("10.50.0.1", 7))
    flow.settimeout(1)
    answered = False
    while not answered:  # who comes next is not known yet
        try:
            flow.send(b"w")
            answered = flow.recv(2048)
        except OSError:
            pass
    flows.append(flow)
sent, back, longest, settles, due, word = 0, 0, 0, None, time.monotonic(), "start"
heard = dict.fromkeys(flows, due)
while word:
    now = time.monotonic()
    if settles and (back >= sent or now >= settles):
        print(sent, back, round(1000 * longest), flush=True)
        sent, back, longest, settles, due, heard = 0, 0, 0, None, now, dict.fromkeys(flows, now)
    if not settles and now >= due:
        due += 0.01
        for flow in flows:
            flow.send(b"x" * 100)
            sent += 1
    readable, _, _ = select.select([sys.stdin] + flows, [], [], 0.005)
    now = time.monotonic()
    for one in readable:
        if one is not sys.stdin:
            back += len(one.recv(2048)) == 100
            longest = max(longest, now - heard[one])
            heard[one] = now
        else:
            word = sys.stdin.readline().strip()
            if word == "settle":
                settles = now + 2
            elif word:
                print(sent, flush=True)
"""


def received(*ways):
    """A command that ends when what was sent before from the one end to the other has been received: a ping is behind it,
    on each CPU, as the kernel has a queue for each."""
    return " && ".join(f"ip netns exec {end} taskset -c {cpu} ping -qc 1 {address} >/dev/null"
                       for end, address in ways for cpu in CPUS)


class Asking:
    """The flows of ASK in a namespace."""

    def __init__(self, namespace):
        self.process = subprocess.Popen(["ip", "netns", "exec", namespace, sys.executable, "-c", ASK], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def tell(self, word):
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return [int(number) for number in self.process.stdout.readline().split()]

    def goes_on(self):
        """Some thousand more are sent."""
        before, = self.tell("how many")
        until(lambda: self.tell("how many")[0] > before + 2000, 30, "traffic goes on")

    def settle(self):
        """@return sent and come back since the last time, and the longest time without, in ms."""
        return self.tell("settle")


class ScaleOut(TestCase):
    """left, 10.60.0.1, and right, 10.50.0.1, spread flows over two spillways: by 10.1 and 10.2, by 10.3 and 10.4."""

    def setUp(self):
        super().setUp()
        if not pathlib.Path("/dev/net/tun").exists():
            raise unittest.SkipTest("needs /dev/net/tun")
        self.net = net = Net()
        self.addCleanup(net.close)
        second = net.middle + "2"
        run("ip", "netns", "add", second)
        net.namespaces.add(second)
        self.middles = net.middle, second
        for end, port in ((net.left, "lan"), (net.right, "wan")):
            run("ip", "-n", second, "link", "add", port, "type", "veth", "peer", "name", "eth1", "netns", end)
            run("ip", "-n", second, "link", "set", port, "up")
            net.run(end, "ethtool", "-K", "eth1", "tx", "off")
        for middle in self.middles:
            settings = ["net.ipv6.conf.default.disable_ipv6=0"]
            for port in ("lan", "wan"):
                settings += [f"net.ipv4.conf.{port}.rp_filter=1", f"net.ipv4.conf.{port}.arp_ignore=8"]
            net.run(middle, "sysctl", "-qw", *settings)
        for end, first, own, other in ((net.left, 1, "10.60.0.1", "10.50.0.1"), (net.right, 2, "10.50.0.1", "10.60.0.1")):
            self.ip(end, f"address add {own}/32 dev lo")
            net.run(end, "sysctl", "-qw", "net.ipv4.fib_multipath_hash_policy=1", "net.ipv4.conf.all.rp_filter=0",
                    "net.ipv4.conf.eth0.rp_filter=0")
            for number in (0, 1):
                self.ip(end, f"address flush dev eth{number}")
                self.ip(end, f"address add 10.{first + 2 * number}.0.2/24 dev eth{number}")
                self.ip(end, f"link set eth{number} up")
                self.ip(end, f"nexthop add id {number + 1} via 10.{first + 2 * number}.0.1 dev eth{number}")
            self.ip(end, "nexthop add id 10 group 1/2")
            self.ip(end, f"route add {other}/32 nhid 10 src {own}")

    def ip(self, name, command):
        return self.net.run(name, "ip", *command.split())

    def start(self, number):
        others = 2 - number  # the next hop that is left
        leave = " && ".join(f"ip -n {end} nexthop replace id 10 group {others}" for end in (self.net.left, self.net.right))
        lan, wan = 1 + 2 * number, 2 + 2 * number
        late = received((self.net.left, f"10.{lan}.0.1"), (self.net.right, f"10.{wan}.0.1"))
        leaves = self.file(f"leaves{number}", f"{leave} && {late}")
        config = CONFIG.format(lan=lan, wan=wan, leave=f"sh {leaves}")
        program = Spillway("--config", self.file(f"router{number}.conf", config), namespace=self.middles[number])
        self.addCleanup(program.__exit__)
        return program

    def test_one_leaves(self):
        """None of the packets is lost that hosts send meanwhile, and all of them go by the other one."""
        programs = [self.start(number) for number in (0, 1)]
        for number, program in enumerate(programs):
            program.ready()
            for end, subnet in ((self.net.left, 1 + 2 * number), (self.net.right, 2 + 2 * number)):
                until(lambda: self.net.ping(end, f"10.{subnet}.0.1", count=1), 20, f"10.{subnet}.0.1 answers")
        self.net.processes.append(subprocess.Popen(["ip", "netns", "exec", self.net.right, sys.executable, "-c", ECHO]))
        until(lambda: ":7 " in self.net.run(self.net.right, "ss", "-Hlun").stdout, 10, "the server")
        asking = Asking(self.net.left)
        self.net.processes.append(asking.process)
        asking.goes_on()
        first = self.check(programs[0].stop(30))
        asking.goes_on()
        sent, back, _ = asking.settle()
        second = self.check(programs[1].stop(30))
        self.assertEqual(sent, back, "what was sent came back")
        for report in first, second:
            self.assertGreater(report.packets["transmitted"], 100)
            self.assertEqual(set(report.drops) - {"twin_full", "twin_refused"}, set())


class Bgp(Lab):
    """config/scale-out: left, 10.60.0.1, and right, 10.50.0.1, with FRR each, and three spillways with FRR between."""

    def setUp(self):
        super().setUp()
        if not (FRR / "bfdd").exists():
            raise unittest.SkipTest("needs FRR: tools/setup --ci installs it")
        folder = ROOT / "config" / "scale-out"
        self.config, self.frr_config, router = ((folder / name).read_text()
                                                for name in ("spillway.conf", "spillway.frr", "router.frr"))
        self.config = self.config.replace("routes = 64k", "routes = 1k").replace("routes6 = 16k", "routes6 = 1k")
        self.ends, self.zebras = {}, {}
        for side, (end, port, network) in enumerate((("left", "veth0", 60), ("right", "veth1", 50)), 1):
            self.ends[end] = space = self.namespace(end)
            self.ip(space, f"address add 10.{network}.0.1/24 dev lo")
            for number in (1, 2, 3):
                ports = f"{self.prefix}-{number}" if side == 2 else self.namespace(number)
                self.link(ports, port, space, f"to{number}")
                self.ip(space, f"address add 10.{side}.{number}.2/24 dev to{number}")
            run("ip", "netns", "exec", space, "sysctl", "-qw", "net.ipv4.fib_multipath_hash_policy=1")
            own = router.replace("10.60.", f"10.{network}.").replace("bgp 65001", f"bgp 6500{side}").replace(
                "10.1.", f"10.{side}.")
            self.zebras[end], *_ = self.frr(space, end, f"hostname {end}\n{own}", "zebra", "bfdd", "bgpd")
        self.twins = {number: self.namespace(f"{number}-twins") for number in (1, 2, 3)}

    def begin(self, number):
        """A spillway, whose on-drain says good-bye to the routers and looks when they have understood, and all has come."""
        leaves = self.file(f"leaves-{number}", f"""while ip -n {self.ends["left"]} route | grep -q "via 10.1.{number}.1 " ||
    ip -n {self.ends["right"]} route | grep -q "via 10.2.{number}.1 "
do sleep 0.01
done
{received((self.ends["left"], f"10.1.{number}.1"), (self.ends["right"], f"10.2.{number}.1"))}""")
        config = self.own(number, self.config).replace("vtysh -c", f"vtysh --vty_socket {self.folder / str(number)} -c")
        self.assertIn("sleep 1\n", config)
        return self.start(str(number), config.replace("sleep 1\n", f"sh {leaves}\n"), self.twins[number])

    def own(self, number, text):
        return text.replace("10.1.1.", f"10.1.{number}.").replace("10.2.1.", f"10.2.{number}.")

    def ways(self, *numbers):
        """Both ends spread over these."""
        for (end, space), network in zip(self.ends.items(), ("10.50.0.0/24", "10.60.0.0/24")):
            def seen():
                told = self.ip(space, f"route show {network}").stdout
                return {int(number) for number in re.findall(r"via 10\.[12]\.(\d)\.1 ", told)}
            until(lambda: seen() == set(numbers), 60, f"{end}: ways {numbers}, not {seen()}")

    def test_one_leaves_one_dies(self):
        """Who leaves loses no packet, and comes again; of one who is killed BFD knows, long before BGP's 180 s."""
        programs = {number: self.begin(number) for number in (1, 2, 3)}
        for number, program in programs.items():
            program.ready()
            self.frr(self.twins[number], str(number), f"hostname h{number}\n" + self.own(number, self.frr_config),
                     "zebra", "bfdd", "bgpd")
        self.ways(1, 2, 3)
        self.daemon(self.ends["right"], sys.executable, "-c", ECHO)
        asking = Asking(self.ends["left"])
        self.addCleanup(asking.process.stdin.close)
        self.addCleanup(asking.process.kill)
        asking.goes_on()
        self.assertGreater(self.check(programs[1].stop(60)).packets["transmitted"], 100)
        self.ways(2, 3)
        asking.goes_on()
        sent, back, _ = asking.settle()
        self.assertEqual(sent, back, "what was sent came back")
        programs[1] = self.begin(1).ready()
        run("vtysh", "--vty_socket", self.folder / "1", "-c", "configure terminal", "-c", "router bgp 65010",
            "-c", "no bgp graceful-shutdown")
        self.ways(1, 2, 3)
        asking.goes_on()
        sent, back, _ = asking.settle()
        self.assertEqual(sent, back, "what was sent came back")
        programs[2].process.kill()
        programs[2].process.wait()
        self.ways(1, 3)
        asking.goes_on()
        sent, back, longest = asking.settle()
        print(f"one of three killed: {sent - back} of {sent} packets lost, in {longest} ms", file=sys.stderr)
        self.assertGreater(sent, back)
        self.assertLess(longest, 5000)
        asking.goes_on()
        sent, back, _ = asking.settle()
        self.assertEqual(sent, back, "what was sent came back")
        asking.process.kill()
        for end, network in (("left", 50), ("right", 60)):  # or the last one would wait for another way
            self.kill(self.zebras[end])
            self.ip(self.ends[end], f"route delete 10.{network}.0.0/24")
        for number in (1, 3):
            self.check(programs[number].stop(60))


if __name__ == "__main__":
    main()
