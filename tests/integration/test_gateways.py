# SPDX-License-Identifier: BSD-3-Clause
"""What the kernel is asked for of neighbours that no packet waits for: gateways, and those that are in use."""
import re
import unittest

from harness import main, until
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


if __name__ == "__main__":
    main()
