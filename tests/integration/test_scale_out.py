# SPDX-License-Identifier: BSD-3-Clause
"""Two spillways side by side, as docs/scale-out.md has them: one leaves while packets flow."""
import pathlib
import subprocess
import sys
import unittest

from harness import Net, Spillway, TestCase, main, run, until

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

# Forty flows, each a datagram every 10 ms, until a line comes in; then what was sent, and what came back.
ASK = """
import select, socket, sys, time
flows = []
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
sent, back, ends, due = 0, 0, None, time.monotonic()
while ends is None or (back < sent and time.monotonic() < ends):
    if ends is None and time.monotonic() >= due:
        due += 0.01
        for flow in flows:
            flow.send(b"x" * 100)
            sent += 1
    readable, _, _ = select.select([sys.stdin] * (ends is None) + flows, [], [], 0.005)
    for one in readable:
        if one is sys.stdin:
            word = sys.stdin.readline()
            print(sent, flush=True)
            if word in ("end\\n", ""):
                ends = time.monotonic() + 5
        else:
            back += len(one.recv(2048)) == 100
print(sent, back, flush=True)
"""


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
        config = CONFIG.format(lan=1 + 2 * number, wan=2 + 2 * number, leave=leave + " && sleep 0.1")
        program = Spillway("--config", self.file(f"router{number}.conf", config), namespace=self.middles[number])
        self.addCleanup(program.__exit__)
        return program

    def script(self, name, text, **options):
        process = subprocess.Popen(["ip", "netns", "exec", name, sys.executable, "-c", text], text=True, **options)
        self.net.processes.append(process)
        return process

    def test_one_leaves(self):
        """None of the packets is lost that hosts send meanwhile, and all of them go by the other one."""
        programs = [self.start(number) for number in (0, 1)]
        for number, program in enumerate(programs):
            program.ready()
            for end, subnet in ((self.net.left, 1 + 2 * number), (self.net.right, 2 + 2 * number)):
                until(lambda: self.net.ping(end, f"10.{subnet}.0.1", count=1), 20, f"10.{subnet}.0.1 answers")
        self.script(self.net.right, ECHO)
        until(lambda: ":7 " in self.net.run(self.net.right, "ss", "-Hlun").stdout, 10, "the server")
        asks = self.script(self.net.left, ASK, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        def sent(word="how many"):
            asks.stdin.write(f"{word}\n")
            asks.stdin.flush()
            return int(asks.stdout.readline().split()[0])

        until(lambda: sent() > 2000, 30, "traffic")
        first = self.check(programs[0].stop(30))
        before = sent()
        until(lambda: sent() > before + 2000, 30, "traffic goes on")
        sent("end")
        second = self.check(programs[1].stop(30))
        self.assertEqual(*asks.stdout.readline().split(), "what was sent came back")
        self.assertEqual(first["outcome"], "drained")
        for report in first, second:
            self.assertGreater(report.packets["transmitted"], 100)
            self.assertEqual(set(report.drops) - {"twin_full", "twin_refused"}, set())


if __name__ == "__main__":
    main()
