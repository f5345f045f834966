# SPDX-License-Identifier: BSD-3-Clause
"""Stock strongSwan over spillway, where an end of the tunnel gets another address or port.

    left: charon --- spillway === between === spillway --- charon :right
"""
import re

import harness
import ike
import peers
from harness import Net, main, need_program, run, until

RIGHT = "198.51.100.2"


class Moves(harness.TestCase):
    """Both ends have a router between them."""
    OUTER = ("192.0.2.1", RIGHT)
    GATEWAYS = ("192.0.2.254", "198.51.100.254")

    def setUp(self):
        super().setUp()
        for program in "ip", "ping", "swanctl":
            need_program(program)
        self.net = Net(other=True)
        self.addCleanup(self.net.close)
        self.between = self.net.middle + "-b"
        run("ip", "netns", "add", self.between)
        self.net.namespaces.add(self.between)
        (self.folder / "rules").write_text("allow udp from any port 500,4500 to any\n"
                                           "allow udp from any to any port 500,4500\n")
        self.ends = [self.make_end(number) for number in range(2)]
        self.net.run(self.between, "sysctl", "-qw", "net.ipv4.ip_forward=1")

    def make_end(self, number):
        host = (self.net.left, self.net.right)[number]
        middle = (self.net.middle, self.net.other)[number]
        run("ip", "-n", self.between, "link", "add", f"to{number}", "type", "veth", "peer", "name", "mid", "netns",
            middle)
        run("ip", "-n", middle, "link", "set", "mid", "up")
        run("ip", "-n", self.between, "address", "add", f"{self.GATEWAYS[number]}/24", "dev", f"to{number}")
        run("ip", "-n", self.between, "link", "set", f"to{number}", "up")
        run("ip", "-n", host, "address", "flush", "dev", "eth0")
        # A daemon that moves takes any address that an interface has, but of the loopback one.
        for address, device in (f"{self.OUTER[number]}/24", "eth0"), (f"{peers.INNER[number]}/32", "lo"):
            run("ip", "-n", host, "address", "add", address, "dev", device)
        run("ip", "-n", host, "route", "add", "default", "via", self.GATEWAYS[number])
        run("ip", "-n", host, "route", "add", f"{peers.INNER[1 - number]}/32", "via", self.GATEWAYS[number],
            "src", peers.INNER[number])
        end = ike.End(self.net, self.folder, number, self.OUTER)
        end.start()
        self.addCleanup(end.program.__exit__)
        return end

    def begin(self, *changes):
        """Both daemons, whose connections are changed; the child is up afterwards."""
        for end in self.ends:
            end.program.ready()
        for number, end in enumerate(self.ends):
            end.start_daemon("aes128gcm16")
            self.addCleanup(end.daemon.kill)
            for which, pattern, text in changes:
                if which in (None, number):
                    end.daemon.change(pattern, text, load=False)
        for end in self.ends:
            end.daemon.load()
        self.ends[0].daemon.swanctl("--initiate", "--child", "net", "--timeout", "20")
        self.assertEqual(self.ping(), 3)

    def ping(self, *options, count=3):
        return self.net.ping(self.net.left, peers.INNER[1], "-I", peers.INNER[0], *options, count=count)

    def end(self):
        return [self.check(end.program.stop()) for end in self.ends]


class Nat(Moves):
    """The left end is behind a masquerading NAT, whose mapping changes: its port, then its address."""

    def translate(self, port, address=None):
        """What it makes of the left end's port 4500 from now on."""
        how = f"snat to {address}:{port}" if address else f"masquerade to :{port}"
        self.net.run(self.between, "nft", f"""
            flush ruleset; table ip n {{
                chain post {{
                    type nat hook postrouting priority srcnat;
                    oifname "to1" udp sport 4500 {how}
                    oifname "to1" udp sport 500 masquerade
                }}
            }}""".replace("flush ruleset; ", "flush ruleset\n"))
        # What it has noted of connections goes with the link.
        run("ip", "-n", self.between, "link", "set", "to1", "down")
        run("ip", "-n", self.between, "link", "set", "to1", "up")

    def follows(self, place, spis):
        """Pings until the right end sends to there, by the same associations."""
        port = place.rpartition(":")[2]
        until(lambda: self.ping(count=1) and f"sport {port} dport 4500" in self.ends[1].ip("state list"), 20,
              f"the right end sends to {place}")
        shown = self.ends[1].ip("state list")
        self.assertIn(f"sport 4500 dport {port}", shown)
        self.assertIn(f"src {RIGHT} dst {place.partition(':')[0]}\n", shown)
        self.assertEqual(self.ends[1].spis(), spis)
        self.assertEqual(self.ping(), 3)

    def test_mapping_changes(self):
        need_program("nft")
        self.translate(61000)
        self.begin((1, r"remote_addrs = \S+", "remote_addrs = %any"))
        heard = self.folder / "heard"
        with open(heard, "w") as file:
            monitor = self.ends[1].ip.monitor(file)
        self.addCleanup(monitor.wait)
        self.addCleanup(monitor.kill)
        spis = self.ends[1].spis()
        self.assertIn("sport 61000 dport 4500", self.ends[1].ip("state list"))
        self.translate(62000)
        self.follows(f"{self.GATEWAYS[1]}:62000", spis)
        run("ip", "-n", self.between, "address", "add", "198.51.100.77/24", "dev", "to1")
        self.translate(63000, "198.51.100.77")
        self.follows("198.51.100.77:63000", spis)
        # What is not authentic says nothing of where it comes from.
        spi = re.search(rf"dst {RIGHT}\n\tproto esp spi (0x\w+)", self.ends[1].ip("state list"))[1]
        self.net.run(self.between, "/usr/bin/python3", "-c",
                     "import socket, struct, time\n"
                     "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                     "s.bind(('198.51.100.254', 5555))\n"
                     "for i in range(30):\n"
                     f"    s.sendto(struct.pack('!II', {spi}, 1000 + i) + bytes(60), ('{RIGHT}', 4500))\n"
                     "    time.sleep(0.05)\n")
        self.assertEqual(self.ping(), 3)
        for text in "62000", "198.51.100.77:63000":
            self.assertIn(text, heard.read_text())
        self.assertNotIn("5555", heard.read_text())
        reports = self.end()
        self.assertEqual(reports[1].drops["esp_bad_icv"], 30)

    def test_transport(self):
        """Checksums are of addresses that the NAT has changed; those of ICMP are not."""
        self.translate(61000)
        for end in self.ends:
            end.program.ready()
            end.start_daemon("aes128gcm16", mode="transport")
            self.addCleanup(end.daemon.kill)
        self.ends[1].daemon.change(r"remote_addrs = \S+", "remote_addrs = %any", load=False)
        for end in self.ends:
            end.daemon.load()
        self.ends[0].daemon.swanctl("--initiate", "--child", "net", "--timeout", "20")
        self.assertEqual(self.net.ping(self.net.left, RIGHT), 5)
        for more in (), ("-R",), ("-u",):
            self.net.stream(self.net.left, self.net.right, RIGHT, "-n", "100K", *more)
        self.end()


class Mobike(Moves):
    """The left end's host gets another address, and its daemon says so (RFC 4555)."""

    def test_address_changes(self):
        self.begin((None, "mobike = no", "mobike = yes"), (0, r"local_addrs = \S+", "local_addrs = %any"),
                   (1, r"remote_addrs = \S+", "remote_addrs = %any"))
        spis = [end.spis() for end in self.ends]
        for moved, gone in ("192.0.2.7", self.OUTER[0]), ("192.0.2.9", "192.0.2.7"):
            run("ip", "-n", self.net.left, "address", "add", f"{moved}/24", "dev", "eth0")
            run("ip", "-n", self.net.left, "address", "delete", f"{gone}/24", "dev", "eth0")
            # The kernel takes routes away that came by the first address.
            run("ip", "-n", self.net.left, "address", "replace", f"{moved}/24", "dev", "eth0")
            for route in "default", f"{peers.INNER[1]}/32":
                run("ip", "-n", self.net.left, "route", "replace", route, "via", self.GATEWAYS[0],
                    *(("src", peers.INNER[0]) if "/" in route else ()))
            for end in self.ends:
                until(lambda end=end: f"src {moved} dst {RIGHT}" in end.ip("state list")
                      and f"src {RIGHT} dst {moved}" in end.ip("policy list"), 20,
                      f"the tunnel ends at {moved}")
            self.assertEqual(self.ping(), 3)
            self.assertEqual([end.spis() for end in self.ends], spis)
        self.end()


if __name__ == "__main__":
    main()
