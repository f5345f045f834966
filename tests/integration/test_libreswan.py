# SPDX-License-Identifier: BSD-3-Clause
"""Stock libreswan over spillway, against strongSwan over another one.

Debian does not have both installed at a time. LIBRESWAN is a folder in which libreswan's packages are unpacked:

    apt-get download libreswan libldns3 libnss3-tools && for package in *.deb; do dpkg -x $package FOLDER; done
    cd tests/integration && LIBRESWAN=FOLDER /usr/bin/python3 test_libreswan.py
"""
import os
import pathlib
import re
import subprocess
import unittest

import ike
import peers
import test_ike_moves
from harness import main, need_root, run, until
from streams import Stream
from test_ike import Sites

ROOT = pathlib.Path(os.environ.get("LIBRESWAN", "/"))
PROGRAMS = pathlib.Path("usr/libexec/ipsec")

CONNECTION = f"""config setup
conn net
    authby=secret
    left={peers.OUTER[0]}
    right={peers.OUTER[1]}
    leftsubnet={peers.INNER[0]}/32
    rightsubnet={peers.INNER[1]}/32
    ikev2=insist
    ike=aes128-sha2_256-dh31
    esp=aes_gcm128-null
    pfs=no
    mobike=no
    leftupdown=%disabled
    auto=add
"""
ADDRESSES = dict(zip((*peers.OUTER, *peers.INNER), (*ike.OUTER6, *ike.INNER6)))


class Pluto:
    """libreswan's daemon as it is, but for the preload; it looks for its other programs at one place alone."""

    def __init__(self, namespace, folder, path, *changes):
        """`changes`: of lines of its connection, by the names that they begin with; None: there is none."""
        if not (ROOT / PROGRAMS / "pluto").exists():
            raise unittest.SkipTest("needs libreswan, of which LIBRESWAN is the folder: see the head of this file")
        need_root()
        self.namespace, self.folder = namespace, folder
        self.folder.mkdir()
        self.plain = dict(os.environ, LD_LIBRARY_PATH=str(ROOT / "usr/lib/x86_64-linux-gnu"))
        run(ROOT / "usr/bin/certutil", "-N", "-d", f"sql:{folder}", "--empty-password", env=self.plain)
        (folder / "ipsec.secrets").write_text(f': PSK "{peers.SECRET}"\n')
        connection = CONNECTION
        for name, value in changes:
            connection = re.sub(rf"    {name}=.*\n", "", connection)
            connection += f"    {name}={value}\n" if value is not None else ""
        (folder / "ipsec.conf").write_text(connection)
        move = "" if ROOT == pathlib.Path("/") else (
            f"mount -t tmpfs none /usr/libexec && cp -r {ROOT / PROGRAMS} /usr/libexec/ && ")
        with open(folder / "log", "w") as file:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", namespace, "unshare", "-m", "sh", "-c", f'{move}exec /{PROGRAMS}/pluto "$@"',
                 "pluto", "--nofork", "--stderrlog", "--config", folder / "ipsec.conf", "--secretsfile",
                 folder / "ipsec.secrets", "--rundir", folder, "--nssdir", folder],
                env=dict(self.plain, LD_PRELOAD=str(ike.PRELOAD), SPILLWAY_XFRM=str(path)),
                stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        until(lambda: (folder / "pluto.ctl").exists() or self.process.poll() is not None, 20, "pluto's socket")
        self("whack", "--listen")
        self("addconn", "--config", folder / "ipsec.conf", "net")

    @property
    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def __call__(self, program, *arguments):
        return run("ip", "netns", "exec", self.namespace, ROOT / PROGRAMS / program, "--ctlsocket",
                   self.folder / "pluto.ctl", *arguments, env=self.plain).stdout

    def kill(self):
        self.process.kill()
        self.process.wait()


class Libreswan(Sites):
    """libreswan at the left end."""

    def begin_with(self, *changes, right=()):
        """Both daemons; `changes` of libreswan's connection, `right` of strongSwan's."""
        left, other = self.ends
        self.pluto = Pluto(left.namespace, left.folder / "pluto", left.path, *changes)
        self.addCleanup(self.pluto.kill)
        other.start_daemon(self.PROPOSAL)
        self.addCleanup(other.daemon.kill)
        for pattern, text in right:
            other.daemon.change(pattern, text, load=False)
        other.daemon.load()
        return self.pluto

    def initiate_with(self, *changes, **how):
        pluto = self.begin_with(*changes, **how)
        pluto("whack", "--name", "net", "--initiate")
        return pluto

    def reaches(self, addresses=peers.INNER):
        """Packets of several sizes."""
        self.assertEqual([self.net.ping(self.net.left, addresses[1], "-I", addresses[0], "-s", str(size), count=2)
                          for size in (0, 57, 1300)], [2] * 3, self.pluto.log)

    def end(self):
        self.assertNotIn("ERROR", self.pluto.log)
        return [self.check(end.program.stop()) for end in self.ends]

    def renew(self, asks):
        before = self.ends[0].spis()
        asks()
        until(lambda: len(self.ends[0].spis() - before) == 2 and not before & self.ends[0].spis(), 20,
              "the child is renewed, and those before are gone")

    def test_child(self):
        pluto = self.initiate_with()
        self.reaches()
        streams = [Stream(*ends, port) for ends, port in zip(self.directions(), (7001, 7002))]
        for _ in range(3):
            self.renew(lambda: pluto("whack", "--name", "net", "--rekey-ipsec"))
        self.assertEqual([stream.end() for stream in streams], [(0, 0)] * 2)
        # Asked by the other side it sends by the new association at once, before the other side has it.
        self.renew(lambda: self.ends[1].daemon.swanctl("--rekey", "--child", "net"))
        self.assertEqual(self.ping(), 5)
        # What it tells is what spillway has counted.
        told = pluto("whack", "--trafficstatus")
        self.assertRegex(told, r"inBytes=420, outBytes=420")
        pluto("whack", "--name", "net", "--terminate")
        until(lambda: self.ends[0].spis() == self.ends[1].spis() == set(), 20, "all is taken away")
        self.end()

    def directions(self):
        ends = list(zip((self.net.left, self.net.right), peers.INNER))
        return ends, ends[::-1]

    def test_transport(self):
        self.initiate_with(("type", "transport"), ("leftsubnet", None), ("rightsubnet", None),
                           right=((r"mode = tunnel", "mode = transport"), (r"(local|remote)_ts = .*", r"\1_ts = dynamic")))
        self.reaches(peers.OUTER)
        self.assertIn("mode transport", self.ends[0].ip("state list"))
        self.renew(lambda: self.pluto("whack", "--name", "net", "--rekey-ipsec"))
        self.reaches(peers.OUTER)
        self.end()

    def test_several_subnets(self):
        others = "10.1.0.3", "10.1.7.1"
        for address in others:
            run("ip", "-n", self.net.left, "address", "add", f"{address}/32", "dev", "eth0")
        run("ip", "-n", self.net.right, "route", "add", "10.1.0.0/16", "via", peers.OUTER[0], "src", peers.INNER[1])
        self.initiate_with(("leftsubnet", None), ("leftsubnets", "{10.1.0.0/24,10.1.7.1/32}"),
                           right=((r"remote_ts = .*", "remote_ts = 10.1.0.0/24,10.1.7.1/32"),))
        for address in (peers.INNER[0], *others):
            self.reaches((address, peers.INNER[1]))
        self.assertEqual(len(self.ends[0].spis()), 4)
        self.end()

    def test_ipv6(self):
        ike.add_ipv6(self.net)
        changes = [(name, ADDRESSES[address] + tail) for name, address, tail in zip(
            ("left", "right", "leftsubnet", "rightsubnet"), (*peers.OUTER, *peers.INNER), ("", "", "/128", "/128"))]
        self.initiate_with(*changes, right=[(rf"\b{re.escape(old)}(/32)?\b", new + ("/128" if old in peers.INNER else ""))
                                            for old, new in ADDRESSES.items()])
        self.reaches(ike.INNER6)
        self.end()

    def test_in_udp(self):
        self.initiate_with(("encapsulation", "yes"))
        self.assertIn("encap type espinudp", self.ends[0].ip("state list"))
        self.reaches()
        self.end()

    def test_on_demand(self):
        """Packets have the child made for them, and wait."""
        pluto = self.begin_with(("auto", "ondemand"))
        pluto("whack", "--name", "net", "--route")
        self.assertEqual(self.ends[0].spis(), set())
        self.assertEqual(self.ping("-W", "5"), 5, pluto.log)
        left, _ = self.end()
        self.assertGreaterEqual(left["acquire"]["waited"], 1)

    def test_dead_peer(self):
        """One that is started again, and knows nothing: it is found out, and the child made again."""
        self.initiate_with(("dpddelay", "1"), ("dpdtimeout", "3"), ("dpdaction", "restart"))
        self.reaches()
        before = self.ends[0].spis()
        right = self.ends[1]
        right.daemon.kill()
        right.ip("state flush")
        right.ip("policy flush")
        right.daemon.folder.rename(right.daemon.folder.with_name("before"))
        right.start_daemon(self.PROPOSAL)
        self.addCleanup(right.daemon.kill)
        right.daemon.load()
        until(lambda: len(self.ends[0].spis() - before) == 2, 90, "the child is made again")
        until(lambda: self.ping(count=1), 20, "it goes through again")
        self.end()

    def test_spillway_restarts(self):
        pluto = self.initiate_with()
        self.reaches()
        left = self.ends[0]
        left.program.process.kill()
        left.program.__exit__()
        left.start()
        left.program.ready()
        until(lambda: left.ip("state list") == "", 20, "it has nothing")
        pluto("whack", "--name", "net", "--terminate")
        pluto("whack", "--name", "net", "--initiate")
        self.reaches()
        self.check(left.program.stop())

    def test_libreswan_restarts(self):
        """What was agreed on goes on, until it is agreed on anew."""
        self.initiate_with()
        self.reaches()
        left = self.ends[0]
        before = left.spis()
        self.pluto.kill()
        self.assertEqual(self.ping(), 5)
        self.pluto = Pluto(left.namespace, left.folder / "pluto2", left.path)
        self.addCleanup(self.pluto.kill)
        self.pluto("whack", "--name", "net", "--initiate")
        self.assertEqual(len(left.spis() - before), 2)
        self.reaches()
        self.end()


class LibreswanBehindNat(test_ike_moves.Nat):
    """libreswan behind a NAT whose mapping changes: it is found wherever it is."""

    def test_mapping_changes(self):
        for end in self.ends:
            end.program.ready()
        self.translate(61000)
        left, right = self.ends
        pluto = Pluto(left.namespace, left.folder / "pluto", left.path, ("right", test_ike_moves.RIGHT))
        self.addCleanup(pluto.kill)
        right.start_daemon("aes128gcm16")
        self.addCleanup(right.daemon.kill)
        right.daemon.change(r"remote_addrs = \S+", "remote_addrs = %any", load=False)
        right.daemon.load()
        pluto("whack", "--name", "net", "--initiate")
        self.assertEqual(self.ping(), 3, pluto.log)
        spis = right.spis()
        self.assertIn("sport 61000 dport 4500", right.ip("state list"))
        self.translate(62000)
        self.follows(f"{self.GATEWAYS[1]}:62000", spis)
        self.end()


if __name__ == "__main__":
    main()
