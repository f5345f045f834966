# SPDX-License-Identifier: BSD-3-Clause
"""A spillway that IKE daemons speak to, and its preload."""
import os
import re
import subprocess

import peers
from harness import BUILD, CPUS, Spillway, run

PRELOAD = BUILD / "preload" / "libspillway-xfrm.so"


def environment(path):
    """In which a program speaks to the socket at a path in place of the kernel's XFRM."""
    return dict(os.environ, LD_PRELOAD=str(PRELOAD), SPILLWAY_XFRM=str(path))


class Ip:
    """`ip xfrm` in place of a daemon."""

    def __init__(self, path):
        self.environment = environment(path)

    def __call__(self, text, counters=False, **how):
        """Runs a command. Returns its output."""
        return run("ip", "-s" if counters else "-d", "xfrm", *text.split(), env=self.environment,
                   **how).stdout

    def refused(self, text):
        """What is said where it fails."""
        done = run("ip", "xfrm", *text.split(), env=self.environment, check=False)
        if done.returncode == 0:
            raise AssertionError(f"{text}: it was not refused")
        return done.stderr

    def monitor(self, output):
        """Listens to events; they are written to a file."""
        return subprocess.Popen(["ip", "xfrm", "monitor"], env=self.environment,
                                stdin=subprocess.DEVNULL, stdout=output,
                                stderr=subprocess.STDOUT)

class End:
    """A spillway in a wire, before a host with charon."""

    def __init__(self, net, folder, number, outer=peers.OUTER):
        self.net, self.folder, self.number, self.outer = net, folder, number, outer
        self.namespace = (net.left, net.right)[number]
        self.path = folder / f"xfrm{number}"
        self.config = folder / f"end{number}.conf"
        self.config.write_text(f"""
[spillway]
idle = sleep
default = deny
rules = rules
fast = {CPUS[number % len(CPUS)]}
[port inner]
device = net_af_packet0,iface={("lan", "wan")[number]}
[port outer]
device = net_af_packet1,iface=mid
[wire w]
ports = inner, outer
[ike]
xfrm = {self.path}
""")
        self.ip = Ip(self.path)
        self.program = self.daemon = None

    def start(self):
        self.program = Spillway("--config", self.config,
                                namespace=(self.net.middle, self.net.other)[self.number])

    def start_daemon(self, proposal, **how):
        ends = list(zip(self.outer, peers.INNER))
        self.daemon = Charon(self.namespace, self.folder / f"charon{self.number}", ends[self.number],
                             ends[1 - self.number], proposal, environment=environment(self.path), **how)

    def spis(self):
        """Of the associations that are there."""
        return set(re.findall(r"spi (0x\w+)", self.ip("state list")))


class Charon(peers.Charon):
    """strongSwan as it is, but for the preload."""

    PLUGINS = ("random nonce aes gcm ctr chapoly sha1 sha2 hmac kdf openssl curve25519 pem pkcs1 "
               "pubkey kernel-netlink socket-default vici")

    def __init__(self, *arguments, mode="tunnel", more="", **how):
        self.mode, self.more = mode, more
        super().__init__(*arguments, **how)

    def load(self):
        self.change("mode = tunnel", f"mode = {self.mode}")
        if self.mode == "transport":
            self.change(r"(local|remote)_ts = .*", r"\1_ts = dynamic", load=False)
        if self.more:
            self.change(r"rekey_packets = 0", self.more, load=False)
        super().load()

    def change(self, pattern, text, load=None):
        """Changes its connection, and loads it again, if it was."""
        path = self.folder / "swanctl.conf"
        path.write_text(re.sub(pattern, text, path.read_text()))
        if load is None and (self.folder / "vici").exists():
            super().load()


def make_ends(net, folder, add_cleanup):
    """Two of them, with a link between."""
    run("ip", "-n", net.middle, "link", "add", "mid", "type", "veth", "peer", "name", "mid", "netns",
        net.other)
    for name in net.middle, net.other:
        run("ip", "-n", name, "link", "set", "mid", "up")
    (folder / "rules").write_text("allow udp from any port 500,4500 to any port 500,4500\n")
    for number, name in enumerate((net.left, net.right)):
        run("ip", "-n", name, "address", "flush", "dev", "eth0")
        for address in f"{peers.OUTER[number]}/24", f"{peers.INNER[number]}/32":
            run("ip", "-n", name, "address", "add", address, "dev", "eth0")
        run("ip", "-n", name, "route", "add", f"{peers.INNER[1 - number]}/32", "via",
            peers.OUTER[1 - number], "src", peers.INNER[number])
    ends = [End(net, folder, number) for number in range(2)]

    def close():
        for end in ends:
            if end.program is not None:
                end.program.__exit__()
    add_cleanup(close)
    return ends
