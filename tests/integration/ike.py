# SPDX-License-Identifier: BSD-3-Clause
"""A spillway that IKE daemons speak to, and its preload.

STRONGSWAN is a folder with another Debian, whose strongSwan is the one of the right end then:

    tests/bench/chroot trixie FOLDER charon-systemd libcharon-extra-plugins
    cd tests/integration && STRONGSWAN=FOLDER /usr/bin/python3 test_ike.py
"""
import os
import re
import socket
import struct
import subprocess

import peers
from harness import BUILD, CPUS, Spillway, inside, run

PRELOAD = BUILD / "preload" / "libspillway-xfrm.so"
GCM = "aead rfc4106(gcm(aes)) 0x{:040x} 128"  # of `ip xfrm state`, with a number for a key
HELLO = struct.pack("=IHHIIIII", 28, 15, 0, 0, 0, 1, 99, 0xffffffff)  # what a client says first


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

    def __init__(self, net, folder, number, outer=peers.OUTER, port="mid"):
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
device = net_af_packet1,iface={port}
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
        self.daemon = (Charon if self.number == 0 else RightCharon)(
            self.namespace, self.folder / f"charon{self.number}", ends[self.number], ends[1 - self.number], proposal,
            environment=environment(self.path), **how)

    def spis(self):
        """Of the associations that are there."""
        return set(re.findall(r"spi (0x\w+)", self.ip("state list")))


class Charon(peers.Charon):
    """strongSwan as it is, but for the preload."""

    PLUGINS = ("random nonce aes gcm ctr chapoly sha1 sha2 hmac kdf openssl curve25519 pem pkcs1 "
               "pubkey kernel-netlink socket-default vici")

    def __init__(self, *arguments, mode="tunnel", more="", settings="", **how):
        self.mode, self.more, self.settings = mode, more, settings
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


class RightCharon(Charon):
    """One of another Debian, if STRONGSWAN says so."""

    ROOT = os.environ.get("STRONGSWAN", "/")

    def command(self):
        if self.ROOT == "/":
            return super().command()
        return ["unshare", "--mount", "sh", "-c", """
            root=$1 program=$2
            shift 2
            for folder; do
                mkdir -p "$root$folder" && mount --rbind "$folder" "$root$folder" || exit
            done
            exec chroot "$root" "$program"
            """, "sh", self.ROOT, self.PROGRAM, "/dev", "/proc", "/sys", self.folder.parent, PRELOAD.parent]


class Listener:
    """What goes over the link between the two, as it comes at either end; more than fits into a buffer may not wait."""

    PACKET, STATISTICS, BUFFER_FORCE, ALL = 263, 6, 33, 3

    def __init__(self, net):
        self.sockets = []
        for namespace in net.middle, net.other:
            with inside(namespace):
                self.sockets.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(self.ALL)))
            self.sockets[-1].setsockopt(socket.SOL_SOCKET, self.BUFFER_FORCE, 256 << 20)
            self.sockets[-1].bind(("mid", 0))

    def take(self):
        """The frames since it was asked before; those of each direction in their order."""
        frames = []
        for each in self.sockets:
            try:
                while True:
                    frame, address = each.recvfrom(1 << 16, socket.MSG_DONTWAIT)
                    if address[2] != socket.PACKET_OUTGOING:
                        frames.append(frame)
            except BlockingIOError:
                pass
            lost = struct.unpack("II", each.getsockopt(self.PACKET, self.STATISTICS, 8))[1]
            if lost:
                raise AssertionError(f"{lost} frames were not heard")
        return frames

    def close(self):
        for each in self.sockets:
            each.close()


OUTER6, INNER6 = ("fd09::1", "fd09::2"), ("fd01::1", "fd02::1")


def add_ipv6(net):
    """Addresses and routes of the hosts. Nobody has to ask for a neighbour, in the clear."""
    hosts = net.left, net.right
    links = [run("ip", "-n", name, "link", "show", "eth0").stdout.split("link/ether ")[1].split()[0] for name in hosts]
    for number, name in enumerate(hosts):
        for address in f"{OUTER6[number]}/64", f"{INNER6[number]}/128":
            run("ip", "-n", name, "address", "add", address, "dev", "eth0", "nodad")
        run("ip", "-n", name, "neigh", "replace", OUTER6[1 - number], "lladdr", links[1 - number], "dev", "eth0")
        run("ip", "-n", name, "route", "add", f"{INNER6[1 - number]}/128", "via", OUTER6[1 - number], "dev", "eth0",
            "src", INNER6[number])


def make_ends(net, folder, add_cleanup):
    """Two of them, with a link between; one, before the left host, where the net has one place alone."""
    pair = net.other != net.middle
    if pair:
        run("ip", "-n", net.middle, "link", "add", "mid", "type", "veth", "peer", "name", "mid", "netns", net.other)
        for name in net.middle, net.other:
            run("ip", "-n", name, "link", "set", "mid", "up")
    (folder / "rules").write_text("allow udp from any port 500,4500,4501 to any port 500,4500,4501\n")
    for number, name in enumerate((net.left, net.right)):
        run("ip", "-n", name, "address", "flush", "dev", "eth0")
        for address in f"{peers.OUTER[number]}/24", f"{peers.INNER[number]}/32":
            run("ip", "-n", name, "address", "add", address, "dev", "eth0")
        run("ip", "-n", name, "route", "add", f"{peers.INNER[1 - number]}/32", "via",
            peers.OUTER[1 - number], "src", peers.INNER[number])
    ends = [End(net, folder, number) for number in range(2)] if pair else [End(net, folder, 0, port="wan")]

    def close():
        for end in ends:
            if end.program is not None:
                end.program.__exit__()
    add_cleanup(close)
    return ends
