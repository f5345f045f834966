# SPDX-License-Identifier: BSD-3-Clause
"""Stock libreswan over spillway, against strongSwan over another one.

Debian does not have both installed at a time. LIBRESWAN is a folder in which libreswan's packages are unpacked:

    apt-get download libreswan libldns3 libnss3-tools && for package in *.deb; do dpkg -x $package FOLDER; done
    cd tests/integration && LIBRESWAN=FOLDER /usr/bin/python3 test_libreswan.py
"""
import os
import pathlib
import subprocess
import threading
import unittest

import ike
import peers
from harness import main, need_root, run, until
from test_ike import Sites

ROOT = pathlib.Path(os.environ.get("LIBRESWAN", "/"))
PROGRAMS = pathlib.Path("usr/libexec/ipsec")

CONNECTION = f"""
config setup
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


class Pluto:
    """libreswan's daemon as it is, but for the preload; it looks for its other programs at one place alone."""

    def __init__(self, namespace, folder, path):
        if not (ROOT / PROGRAMS / "pluto").exists():
            raise unittest.SkipTest("needs libreswan, of which LIBRESWAN is the folder: see the head of this file")
        need_root()
        self.namespace, self.folder = namespace, folder
        self.folder.mkdir()
        self.plain = dict(os.environ, LD_LIBRARY_PATH=str(ROOT / "usr/lib/x86_64-linux-gnu"))
        run(ROOT / "usr/bin/certutil", "-N", "-d", f"sql:{folder}", "--empty-password", env=self.plain)
        (folder / "ipsec.secrets").write_text(f': PSK "{peers.SECRET}"\n')
        (folder / "ipsec.conf").write_text(CONNECTION)
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
    def test_child(self):
        left, right = self.ends
        pluto = Pluto(left.namespace, left.folder / "pluto", left.path)
        self.addCleanup(pluto.kill)
        right.start_daemon(self.PROPOSAL)
        self.addCleanup(right.daemon.kill)
        right.daemon.load()
        pluto("whack", "--name", "net", "--initiate")
        self.assertEqual([self.ping("-s", str(size), count=2) for size in (0, 57, 1300)], [2] * 3, pluto.log)

        done = []
        thread = threading.Thread(target=lambda: done.append(self.ping("-i", "0.01", "-W", "5", count=400)))
        thread.start()
        self.renew(lambda: pluto("whack", "--name", "net", "--rekey-ipsec"))
        thread.join()
        self.assertEqual(done, [400])
        # Asked by the other side it sends by the new association at once, before the other side has it.
        self.renew(lambda: right.daemon.swanctl("--rekey", "--child", "net"))
        self.assertEqual(self.ping(), 5)
        pluto("whack", "--name", "net", "--terminate")
        until(lambda: left.spis() == right.spis() == set(), 20, "all is taken away")
        self.assertNotIn("ERROR", pluto.log)
        for end in self.ends:
            self.check(end.program.stop())

    def renew(self, asks):
        before = self.ends[0].spis()
        asks()
        until(lambda: len(self.ends[0].spis() - before) == 2 and not before & self.ends[0].spis(), 20,
              "the child is renewed, and those before are gone")


if __name__ == "__main__":
    main()
