# SPDX-License-Identifier: BSD-3-Clause
"""Routed packets of flows that the rules have allowed: their routes are looked up once."""
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether

from harness import CPUS, main
from naive_router import Routing, frame

BURST = 32
GATEWAY, BESIDE = "02:00:00:00:00:02", "02:00:00:00:00:0a"


class Known(Routing):
    """Bursts of which nothing has to be asked."""

    def test_beside_the_hosts(self):
        """What is the host's leaves the burst; those behind it go by their own routes."""
        network = self.two().neighbor("10.2.0.7", "wan", BESIDE)
        rules = self.file("rules", "allow udp from any to any in lan\n")
        config = network.config(self.folder).replace("default = allow", f"default = deny\nrules = {rules}")
        far, near, host = (frame(0, "10.1.0.7", address) for address in ("192.0.2.9", "10.2.0.7", "10.1.0.1"))
        report, got = self.route(network, {"lan": [far, near] * (BURST // 2) + [host, far, near, host] * (BURST // 4)},
                                 "--fast", CPUS[0], config=config)
        self.assertEqual(report.drops, {"no_host": BURST // 2})
        self.assertEqual([(Ether(one).dst, Ether(one)[IP].dst) for one in got["wan"]],
                         [(GATEWAY, "192.0.2.9"), (BESIDE, "10.2.0.7")] * (BURST * 3 // 4))
        self.assertEqual({Ether(one)[IP].ttl for one in got["wan"]}, {63})


if __name__ == "__main__":
    main()
