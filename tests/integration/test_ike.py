# SPDX-License-Identifier: BSD-3-Clause
"""Stock strongSwan over spillway: charon at both ends, each with a spillway as its XFRM.

    left: charon, 10.1.0.1, 192.0.2.1 --- spillway === ESP === spillway --- 192.0.2.2, 10.2.0.1, charon :right
"""
import collections
import os
import re
import threading

import harness
import ike
import peers
from harness import Net, main, need_program, run, until


class Sites(harness.TestCase):
    PROPOSAL = "aes128gcm16"
    PAIR = True

    def setUp(self):
        super().setUp()
        for program in "ip", "ping", "swanctl":
            need_program(program)
        self.net = Net(other=self.PAIR)
        self.addCleanup(self.net.close)
        self.ends = ike.make_ends(self.net, self.folder, self.addCleanup)
        for end in self.ends:
            end.start()
        for end in self.ends:
            end.program.ready()

    def begin(self, proposal=PROPOSAL, **how):
        """Both daemons, which know of each other."""
        for end in self.ends:
            end.start_daemon(proposal, **how)
            self.addCleanup(end.daemon.kill)
        for end in self.ends:
            end.daemon.load()
        return self.ends[0].daemon

    def initiate(self, *arguments, **how):
        left = self.begin(*arguments, **how)
        left.swanctl("--initiate", "--child", "net", "--timeout", "20")
        return left

    def ping(self, *options, count=5):
        return self.net.ping(self.net.left, peers.INNER[1], "-I", peers.INNER[0], *options, count=count)

    def end(self):
        reports = [self.check(end.program.stop()) for end in self.ends]
        for end in self.ends:
            end.daemon.kill()
        return reports


class Child(Sites):
    def test_up_and_down(self):
        self.begin()
        self.assertEqual(self.ping(count=1), 0)
        left = self.ends[0].daemon
        left.swanctl("--initiate", "--child", "net", "--timeout", "20")
        self.assertEqual(self.ping(), 5)
        self.assertEqual(self.ping("-s", "1400", count=3), 3)
        # What the daemon tells is what spillway has counted.
        told = left.swanctl("--list-sas")
        self.assertRegex(told, r"in +c[0-9a-f]{7}, +\d+ bytes, +8 packets")
        self.assertRegex(told, r"out +c[0-9a-f]{7}, +\d+ bytes, +8 packets")
        left.swanctl("--terminate", "--ike", "peer", "--timeout", "20")
        for end in self.ends:
            until(lambda end=end: end.ip("state list") == "" and end.ip("policy list") == "", 20,
                  "all is taken away")
        self.assertEqual(self.ping(count=1), 0)
        for report in self.end():
            self.assertNotIn("esp_no_sa", report.drops)

    def test_algorithms(self):
        """Each of them, with packets of several sizes; of CBC the ICVs that RFC 4868 has."""
        self.begin()
        for proposal, *names in (("aes256gcm16", "rfc4106(gcm(aes))"),
                                 ("chacha20poly1305", "rfc7539esp(chacha20,poly1305)"),
                                 ("aes128-sha1", "cbc(aes)", "hmac(sha1)"),
                                 ("aes128-sha256", "cbc(aes)", "hmac(sha256)"),
                                 ("aes256-sha512", "cbc(aes)", "hmac(sha512)"),
                                 ("aes128ctr-sha256", "rfc3686(ctr(aes))", "hmac(sha256)"),
                                 ("null-sha256", "ecb(cipher_null)", "hmac(sha256)"),
                                 ("aes128gcm16-esn", "rfc4106(gcm(aes))", "esn"),
                                 ("aes192-sha384-esn", "cbc(aes)", "hmac(sha384)", "esn")):
            with self.subTest(proposal=proposal):
                for end in self.ends:
                    end.daemon.change(r"esp_proposals = .*", f"esp_proposals = {proposal}")
                left = self.ends[0].daemon
                left.swanctl("--initiate", "--child", "net", "--timeout", "20")
                shown = self.ends[0].ip("state list")
                for name in names:
                    self.assertIn(name, shown)
                self.assertEqual([self.ping("-s", str(size), count=2) for size in (0, 57, 1300)], [2] * 3)
                left.swanctl("--terminate", "--ike", "peer", "--timeout", "20")
        self.end()

    def test_other_port(self):
        """A daemon that has another port than 4500 for what goes through a NAT; here it is made to think that there is one."""
        for end, settings in zip(self.ends, ("port_nat_t = 4501", "")):
            end.start_daemon(self.PROPOSAL, settings=settings)
            self.addCleanup(end.daemon.kill)
        self.ends[0].daemon.change("mobike = no", "mobike = no\nencap = yes", load=False)
        for end in self.ends:
            end.daemon.load()
        self.ends[0].daemon.swanctl("--initiate", "--child", "net", "--timeout", "20")
        self.assertEqual(self.ping(), 5)
        for end in self.ends:
            shown = end.ip("state list")
            for ports in "sport 4501 dport 4500", "sport 4500 dport 4501":
                self.assertIn(ports, shown)
        self.ends[1].daemon.swanctl("--rekey", "--child", "net")
        self.assertEqual(self.ping("-s", "1300"), 5)
        self.end()

    def test_transport(self):
        """Between the daemons' own addresses; IKE itself stays as it is."""
        self.initiate(mode="transport")
        self.assertEqual(self.net.ping(self.net.left, peers.OUTER[1]), 5)
        self.assertIn("mode transport", self.ends[0].ip("state list"))
        reports = self.end()
        for report in reports:
            self.assertEqual(sum(sa["packets"] for sa in report["sas"].values()), 10, report["sas"])

    def test_expires(self):
        """What a child has used up, or its age, makes the daemon renew it: spillway tells it."""
        self.begin(more="rekey_packets = 0")
        for limits in ("rekey_packets = 20\nlife_packets = 100\nrand_packets = 0",
                       "rekey_bytes = 1500\nlife_bytes = 20000\nrand_bytes = 0",
                       "rekey_time = 2s\nlife_time = 30s\nrand_time = 0"):
            with self.subTest(limits):
                left = self.ends[0].daemon
                # Its peer's are as they were.
                left.change(r"(\n *(rekey|life|rand)_(packets|bytes|time) = \S+)+(\n *dpd_action)",
                            f"\nrekey_time = 0\nlife_time = 0\n{limits}\\4")
                left.swanctl("--initiate", "--child", "net", "--timeout", "20")
                first = self.ends[0].spis()
                self.assertEqual(self.ping(count=25), 25)
                until(lambda: len(self.ends[0].spis() - first) >= 2, 20, f"it is renewed\n{left.log}")
                self.assertEqual(self.ping(), 5)
                left.swanctl("--terminate", "--ike", "peer", "--timeout", "20")
        self.end()

    def test_used_up(self):
        """Without a renewal nothing goes by a child that has reached its hard limit, and another one is made."""
        wire = ike.Listener(self.net)
        self.addCleanup(wire.close)
        left = self.initiate(more="rekey_packets = 0\nlife_packets = 10\nrand_packets = 0")
        first = self.ends[0].spis()
        self.ping("-W", "1", count=15)  # some may wait until it is there
        sent = collections.Counter(frame[34:38] for frame in wire.take() if frame[12:14] == b"\x08\0" and frame[23] == 50)
        self.assertEqual(max(sent.values()), 10, sent)
        until(lambda: len(self.ends[0].spis() - first) >= 2, 20, f"another one is there\n{left.log}")
        until(lambda: self.ping("-W", "1", count=1), 20, "it goes through again")
        self.end()


class Trap(Sites):
    """What a policy selects has a child made for it, and waits until it is there."""

    def trap(self):
        for end in self.ends:
            end.start_daemon(self.PROPOSAL)
            self.addCleanup(end.daemon.kill)
            end.daemon.change(r"(mode = tunnel)", r"\1\nstart_action = trap", load=False)
        for end in self.ends:
            end.daemon.load()

    def test_first_packets_wait(self):
        self.trap()
        self.assertEqual(self.ends[0].spis(), set())
        self.assertEqual(self.ping("-i", "0.2"), 5)
        self.assertEqual(len(self.ends[0].spis() - {"0x00000000"}), 2)
        left, _ = self.end()
        # One child for all of them, and none was lost.
        self.assertEqual(len(re.findall(r"CHILD_SA net\{\d+\} established", self.ends[0].daemon.log)), 1)
        self.assertNotIn("acquire_full", left.drops)
        self.assertGreaterEqual(left["acquire"]["waited"], 1)


class Rekey(Sites):
    ROUNDS = 20

    def test_under_load(self):
        """Children are renewed while packets go both ways: none is lost, and none comes twice."""
        left = self.initiate()
        done = []

        def load():
            done.append(self.net.run(self.net.left, "ping", "-n", "-q", "-i", "0.002", "-W", "5", "-c", 6000,
                                     "-I", peers.INNER[0], peers.INNER[1], check=False, timeout=300).stdout)
        thread = threading.Thread(target=load)
        thread.start()
        before = self.ends[0].spis()
        rounds = 0
        while thread.is_alive() and rounds < self.ROUNDS:
            self.ends[rounds % 2].daemon.swanctl("--rekey", "--child", "net")
            until(lambda: self.ends[0].spis() - before and "REKEYED" not in left.swanctl("--list-sas"), 30,
                  "the child is renewed")
            before = self.ends[0].spis()
            rounds += 1
        thread.join()
        self.assertGreater(rounds, 3)
        self.assertIn("6000 packets transmitted, 6000 received", done[0])
        for report in self.end():
            self.assertNotIn("esp_no_sa", report.drops)
            self.assertNotIn("esp_replayed", report.drops)


class Routed(harness.TestCase):
    """The daemons are on the gateways, which route and have twins: tunnel ends are their addresses."""

    def gateway(self, net, number):
        host, name, port = ((net.left, net.middle, "lan"), (net.right, net.other, "wan"))[number]
        own = number + 1
        run("ip", "-n", name, "link", "set", "mid", "up")
        run("ip", "netns", "exec", name, "ethtool", "-K", "mid", "tx", "off")
        for interface in port, "mid":
            # The kernel answers by the twins, and not by the interfaces that spillway has.
            run("ip", "netns", "exec", name, "sysctl", "-qw", f"net.ipv4.conf.{interface}.rp_filter=1",
                f"net.ipv4.conf.{interface}.arp_ignore=8")
        run("ip", "-n", host, "address", "flush", "dev", "eth0")
        run("ip", "-n", host, "address", "add", f"10.{own}.0.2/24", "dev", "eth0")
        run("ip", "-n", host, "route", "add", "default", "via", f"10.{own}.0.1")
        path = self.folder / f"xfrm{number}"
        config = self.file(f"conf{number}", f"""
[spillway]
idle = sleep
fast = {harness.CPUS[number % len(harness.CPUS)]}
[port inner]
device = net_af_packet0,iface={port}
routed = yes
twin = inner0
address = 10.{own}.0.1/24
[port outer]
device = net_af_packet1,iface=mid
routed = yes
twin = outer0
address = 192.0.2.{own}/24
[router]
routes = 4k
routes6 = 4k
[ike]
xfrm = {path}
""")
        program = harness.Spillway("--config", config, namespace=name)
        self.addCleanup(program.__exit__)
        return program, name, path

    def begin(self, more="mode = tunnel"):
        if not os.path.exists("/dev/net/tun"):
            self.skipTest("needs /dev/net/tun")
        need_program("swanctl")
        net = Net(other=True)
        self.addCleanup(net.close)
        run("ip", "-n", net.middle, "link", "add", "mid", "type", "veth", "peer", "name", "mid", "netns",
            net.other)
        gateways = [self.gateway(net, number) for number in range(2)]
        daemons = []
        for number, (program, name, path) in enumerate(gateways):
            program.ready()
            ends = [(f"192.0.2.{own}", f"10.{own}.0.0") for own in (number + 1, 2 - number)]
            daemons.append(ike.Charon(name, self.folder / f"charon{number}", *ends, "aes128gcm16",
                                      environment=ike.environment(path)))
            self.addCleanup(daemons[-1].kill)
        for daemon in daemons:
            daemon.change(r"(_ts = 10.\d.0.0)/32", r"\1/24", load=False)
            daemon.change("mode = tunnel", more, load=False)
            daemon.load()
        return net, [program for program, *_ in gateways], daemons

    def test_ping(self):
        net, programs, daemons = self.begin()
        daemons[0].swanctl("--initiate", "--child", "net", "--timeout", "20")
        self.assertEqual(net.ping(net.left, "10.2.0.2"), 5)
        for program in programs:
            self.check(program.stop())

    def test_trap(self):
        """What the gateway forwards has the child made, and waits for it; and what it sends itself, when that is gone."""
        net, programs, daemons = self.begin("mode = tunnel\nstart_action = trap")
        self.assertEqual(net.ping(net.left, "10.2.0.2", count=2), 2)
        daemons[0].swanctl("--terminate", "--ike", "peer", "--timeout", "20")
        # The other one has answered before it takes its own away, which what comes by the next child must not meet.
        until(lambda: ike.Ip(self.folder / "xfrm1")("state list") == "", 20, "nothing is left of it at the other end")
        self.assertEqual(net.ping(net.middle, "10.2.0.1", "-I", "10.1.0.1", count=2), 2)
        left, _ = (self.check(program.stop()) for program in programs)
        self.assertGreaterEqual(left["acquire"]["waited"], 2)


if __name__ == "__main__":
    main()
