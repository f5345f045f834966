# SPDX-License-Identifier: BSD-3-Clause
"""Gateways: those of routes are known before a packet waits for them, and spillway is one to hosts."""
import re
import socket
import struct
import unittest

from harness import inside, main, until
from test_twins import Routed


class Gateways(Routed):
    def neighbor(self, twin, address):
        return self.ip(self.net.middle, f"neigh show dev {twin} to {address}").stdout

    def test_kept(self):
        """The kernel keeps a gateway by itself as long as routes have it, and what it was given for good always."""
        net = self.net
        probe = net.run(net.right, "ip", "neigh", "add", "10.2.0.77", "dev", "eth0", "managed", check=False)
        if probe.returncode:
            raise unittest.SkipTest("needs an ip that knows managed neighbours")
        mac = re.search(r"link/ether (\S+)", self.ip(net.left, "link show dev eth0").stdout)[1]
        self.ip(net.middle, f"neigh replace 10.1.0.2 lladdr {mac} nud permanent dev tlan")
        self.ip(net.middle, "neigh add 10.2.0.99 dev twan managed")
        self.reaches("10.2.0.2")
        self.ip(net.middle, "route add 10.52.0.0/16 via 10.2.0.3")
        self.ip(net.right, "address add 10.2.0.3/24 dev eth0")
        # 10.2.0.3 no packet has waited for.
        for gateway in ("10.2.0.2", "10.2.0.3"):
            until(lambda: re.search(r"managed.*(REACHABLE|STALE|DELAY|PROBE)", self.neighbor("twan", gateway)), 20,
                  f"{gateway} is managed\n{self.ip(net.middle, 'neigh').stdout}")
        self.reaches("10.2.0.2")
        self.ip(net.middle, "route delete 10.52.0.0/16 via 10.2.0.3")
        until(lambda: "managed" not in self.neighbor("twan", "10.2.0.3"), 20, "it is no gateway any more")
        self.assertIn("PERMANENT", self.neighbor("tlan", "10.1.0.2"))
        self.assertIn("managed", self.neighbor("twan", "10.2.0.99"), "it is somebody else's")
        self.reaches("10.2.0.2")
        report = self.end()
        self.assertGreater(report["kernel"]["gateways_asked"], 0)

    def test_advertised(self):
        """A host takes it for its default router by what is sent on the twin, as by radvd (RFC 4861 6.2)."""
        net = self.net
        net.run(net.middle, "sysctl", "-qw", "net.ipv6.conf.tlan.forwarding=1", "net.ipv6.conf.twan.forwarding=1")
        net.run(net.left, "sysctl", "-qw", "net.ipv6.conf.eth0.accept_ra=1", "net.ipv6.conf.eth0.forwarding=0")
        self.ip(net.left, "-6 route delete default")
        with inside(net.middle):
            twin = socket.if_nametoindex("tlan")
            made = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        self.addCleanup(made.close)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, twin)
        advertisement = struct.pack(">BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)

        def taken():
            made.sendto(advertisement, ("ff02::1", 0, 0, twin))
            return "proto ra" in self.ip(net.left, "-6 route show default").stdout
        until(taken, 20, "a default route by advertisement")
        until(lambda: net.ping(net.left, "fd02::2", count=1), 20, "ping by it")
        self.end()


if __name__ == "__main__":
    main()
