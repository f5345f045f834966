# SPDX-License-Identifier: BSD-3-Clause
"""Stock strongSwan over spillway, against one whose ESP is somebody else's.

    left: charon, 10.1.0.1, 192.0.2.1 --- spillway === ESP === 192.0.2.2, 10.2.0.1, charon :right
"""
import threading
import unittest

import ike
import peers
from harness import main, need_program, run, until
from test_ike import Sites


def need_esp(namespace):
    ends = "src 192.0.2.9 dst 192.0.2.8 proto esp spi 0x900"
    made = run("ip", "-n", namespace, "xfrm", "state", "add", *ends.split(), "mode", "tunnel", "aead", "rfc4106(gcm(aes))",
               "0x" + 20 * "00", "128", check=False)
    if made.returncode:
        raise unittest.SkipTest(f"needs a kernel that has ESP: {made.stderr.strip()}")
    run("ip", "-n", namespace, "xfrm", "state", "flush")


class OneSite(Sites):
    PAIR = False

    def begin(self, proposal=Sites.PROPOSAL, **how):
        left = super().begin(proposal, **how)
        self.right = self.start_right(list(zip(peers.OUTER, peers.INNER))[::-1], proposal, **how)
        self.addCleanup(self.right.kill)
        self.right.load()
        return left

    def carries(self, addresses, source):
        """Packets of many sizes, and a stream each way."""
        for size in 0, 1, 2, 3, 57, 1300:
            self.assertEqual(self.net.ping(self.net.left, addresses[1], "-I", addresses[0], "-s", str(size), count=2), 2)
        for more in (), ("-R",):
            self.net.stream(self.net.left, self.net.right, addresses[1], *source, "-M", "1200", "-n", "1M", *more)

    def renew(self, daemon):
        left = self.ends[0].daemon
        before = self.ends[0].spis()
        daemon.swanctl("--rekey", "--child", "net")
        until(lambda: len(self.ends[0].spis() - before) == 2 and "REKEYED" not in left.swanctl("--list-sas"), 30,
              f"it is renewed\n{left.log}")

    def renewed_by_both(self):
        """Under load, of which nothing is lost."""
        done = []
        thread = threading.Thread(target=lambda: done.append(self.ping("-i", "0.005", "-W", "5", count=1000)))
        thread.start()
        for daemon in self.ends[0].daemon, self.right:
            self.renew(daemon)
        thread.join()
        self.assertEqual(done, [1000])

    def end(self):
        left = self.ends[0].daemon
        left.swanctl("--terminate", "--ike", "peer", "--timeout", "20")
        until(lambda: self.ends[0].spis() == set(), 20, "all is taken away")
        report, = super().end()
        for reason in "esp_no_sa", "esp_replayed", "esp_bad_icv":
            self.assertNotIn(reason, report.drops)


class Libipsec(OneSite):
    """ESP is in the right daemon itself, by strongSwan's own implementation, and always in UDP."""

    def start_right(self, ends, proposal):
        return peers.Charon(self.net.right, self.folder / "libipsec", *ends, proposal)

    def test_child(self):
        need_program("iperf3")
        self.initiate()
        self.carries(peers.INNER, ("-B", peers.INNER[0]))
        self.renewed_by_both()
        self.end()


class Kernel(OneSite):
    """ESP is the kernel's, where it has that."""

    def start_right(self, ends, proposal, **how):
        return ike.Charon(self.net.right, self.folder / "kernel", *ends, proposal, **how)

    def tunnel(self, proposal, *changes):
        need_esp(self.net.right)
        self.begin(proposal)
        for daemon in self.ends[0].daemon, self.right:
            for pattern, text in changes:
                daemon.change(pattern, text)
        self.ends[0].daemon.swanctl("--initiate", "--child", "net", "--timeout", "20")
        self.carries(peers.INNER, ("-B", peers.INNER[0]))
        self.renewed_by_both()
        self.end()

    def test_child(self):
        self.tunnel("aes128gcm16-esn")

    def test_in_udp(self):
        self.tunnel("aes256-sha256", ("mobike = no", "mobike = no\nencap = yes"))

    def test_transport(self):
        need_esp(self.net.right)
        self.initiate("chacha20poly1305", mode="transport")
        self.carries(peers.OUTER, ())
        self.renew(self.right)
        self.assertEqual(self.net.ping(self.net.left, peers.OUTER[1]), 5)
        self.end()


if __name__ == "__main__":
    main()
