# SPDX-License-Identifier: BSD-3-Clause
"""Namespaces with a spillway that has twins, and routing daemons beside, which all end with the test."""
import itertools
import os
import pathlib
import shutil
import signal
import subprocess
import unittest

from harness import Spillway, TestCase, need_program, need_root, run, until

FRR = pathlib.Path("/usr/lib/frr")
_number = itertools.count()

PORT = """[port {name}]
device = net_af_packet{index},iface={name}
routed = yes
twin = t{name}
address = {address}
"""


class Lab(TestCase):
    """Namespaces, a router of spillway and twins, and daemons, which all end with the test."""

    def setUp(self):
        super().setUp()
        need_root()
        for program in ("ip", "ethtool"):
            need_program(program)
        if not pathlib.Path("/dev/net/tun").exists():
            raise unittest.SkipTest("needs /dev/net/tun")
        self.folder.chmod(0o755)  # for daemons that are not root's
        self.prefix = f"spw-test-{os.getpid()}-{next(_number)}"

    def namespace(self, name):
        full = f"{self.prefix}-{name}"
        made = run("ip", "netns", "add", full, check=False)
        if made.returncode:
            raise unittest.SkipTest(f"needs network namespaces: {made.stderr.strip()}")
        self.addCleanup(run, "ip", "netns", "delete", full, check=False)
        run("ip", "-n", full, "link", "set", "lo", "up")
        return full

    def ip(self, name, command, check=True):
        return run("ip", "-n", name, *command.split(), check=check)

    def link(self, one, name, other, far):
        """A pair whose ends leave no checksum to a device."""
        self.ip(one, f"link add name {name} type veth peer name {far} netns {other}")
        for space, end in ((one, name), (other, far)):
            self.ip(space, f"link set dev {end} up")
            run("ip", "netns", "exec", space, "ethtool", "-K", end, "tx", "off")

    def router(self, name, ports, routes="1k"):
        """spillway on links of a namespace; the twins are in another one. @return program, the twins' namespace"""
        ports = "".join(PORT.format(name=port, index=index, address=address)
                        for index, (port, address) in enumerate(ports.items()))
        there = self.namespace(name + "-twins")
        return self.start(name, "[spillway]\ndefault = allow\nidle = sleep\nno-huge = on\n"
                          f"[router]\nroutes = {routes}\nroutes6 = 1k\n{ports}", there).ready(), there

    def start(self, name, config, there):
        """spillway by a configuration, its twins in a namespace that is there."""
        space = f"{self.prefix}-{name}"
        run("ip", "netns", "exec", space, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        file = self.file(f"{name}.conf", config.replace("[router]\n", f"[router]\nnetns = /run/netns/{there}\n"))
        program = Spillway("--config", file, namespace=space)
        self.addCleanup(program.__exit__)
        return program

    def daemon(self, space, *command):
        log = open(self.folder / f"daemon-{next(_number)}.log", "w+")
        process = subprocess.Popen(["ip", "netns", "exec", space, *map(str, command)], stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        process.log = lambda: (log.seek(0), log.read())[1]
        self.addCleanup(log.close)
        self.addCleanup(self.kill, process)
        return process

    def kill(self, process):
        """With its children: of keepalived the parent alone would leave one. What they leave goes with their namespaces."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def frr(self, space, name, config, *daemons, options=()):
        folder = self.folder / name
        folder.mkdir(mode=0o755)
        (folder / "frr.conf").write_text(config)
        for path in (folder, folder / "frr.conf"):
            shutil.chown(path, "frr", "frr")
        made = []
        for daemon in daemons:
            own = ("--bfdctl", folder / "bfdd.sock") if daemon == "bfdd" else ()
            made.append(self.daemon(space, FRR / daemon, "-f", folder / "frr.conf", "-i", folder / f"{daemon}.pid",
                                    "-z", folder / "zserv.api", "--vty_socket", folder, "-P", "0", *own, *options))
            until((folder / f"{daemon}.vty").exists, 20, f"{daemon}: {made[-1].log()}")
        return made

    def bird(self, space, name, config):
        process = self.daemon(space, "bird", "-f", "-c", self.file(f"{name}.bird", config),
                              "-s", self.folder / f"{name}.ctl")
        until((self.folder / f"{name}.ctl").exists, 20, f"bird: {process.log()}")
        return process
