# SPDX-License-Identifier: BSD-3-Clause
"""Other people's IPsec, to talk to: strongSwan with ESP in user space, and DPDK's ipsec-secgw.

Each says by unittest.SkipTest what it needs and does not find. test_peers.py shows that they work
without spillway.
"""
import os
import pathlib
import re
import subprocess
import unittest
from collections import namedtuple

import esp
from harness import run, until

OUTER = ("192.0.2.1", "192.0.2.2")  # of left, right
INNER = ("10.1.0.1", "10.2.0.1")
SECRET = "between these two alone"

# What two peers agreed on: `there` from left to right, `back` the other way; both esp.SA.
Agreed = namedtuple("Agreed", "there back")


class Charon:
    """strongSwan's IKE daemon in a network namespace. ESP is done in the process itself (plugin
    kernel-libipsec), behind a TUN interface, and always in UDP: it needs no kernel with ESP.

    It asks for no sign of life (DPD), renews nothing and sends no keepalives, so that it goes on
    with an SA when its peer's daemon is gone and something else has taken the peer's place.
    """

    PROGRAM = "/usr/sbin/charon-systemd"
    PLUGINS = ("random nonce aes gcm ctr chapoly sha1 sha2 hmac kdf openssl curve25519 pem pkcs1 "
               "pubkey kernel-libipsec kernel-netlink socket-default vici")

    def __init__(self, namespace, folder, own, peer, proposal):
        """`own`, `peer`: (outer address, inner address). `proposal`: as in swanctl.conf."""
        for program in self.PROGRAM, "/usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so":
            if not os.path.exists(program):
                raise unittest.SkipTest(f"needs strongSwan's {program} (Debian: charon-systemd, "
                                        "strongswan-swanctl, libcharon-extra-plugins)")
        if not os.path.exists("/dev/net/tun"):
            raise unittest.SkipTest("needs /dev/net/tun")
        self.namespace, self.folder = namespace, pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.log_file = self.folder / "log"
        (self.folder / "strongswan.conf").write_text(f"""
            charon-systemd {{
                load = {self.PLUGINS}
                load_modular = no
                keep_alive = 0
                plugins {{
                    vici {{
                        socket = unix://{self.folder}/vici
                    }}
                }}
                filelog {{
                    log {{
                        path = {self.log_file}
                        flush_line = yes
                        default = 1
                        chd = 4
                    }}
                }}
            }}
            """)
        (self.folder / "swanctl.conf").write_text(f"""
            connections {{
                peer {{
                    version = 2
                    local_addrs = {own[0]}
                    remote_addrs = {peer[0]}
                    proposals = aes128-sha256-x25519
                    mobike = no
                    dpd_delay = 0
                    rekey_time = 0
                    local {{
                        auth = psk
                        id = {own[0]}
                    }}
                    remote {{
                        auth = psk
                        id = {peer[0]}
                    }}
                    children {{
                        net {{
                            local_ts = {own[1]}/32
                            remote_ts = {peer[1]}/32
                            esp_proposals = {proposal}
                            mode = tunnel
                            rekey_time = 0
                            life_time = 0
                            rekey_bytes = 0
                            rekey_packets = 0
                            dpd_action = none
                            close_action = none
                        }}
                    }}
                }}
            }}
            secrets {{
                ike-peer {{
                    secret = "{SECRET}"
                }}
            }}
            """)
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", namespace, self.PROGRAM], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(os.environ, STRONGSWAN_CONF=str(self.folder / "strongswan.conf")))

    def load(self):
        """Waits until it answers, and gives it its connection."""
        until(lambda: (self.folder / "vici").exists() or self.process.poll() is not None, 20,
              "charon's socket")
        if self.process.poll() is not None:
            raise AssertionError(f"charon ended: {self.log}")
        self.swanctl("--load-all", "--file", self.folder / "swanctl.conf")

    def swanctl(self, *command):
        return run("swanctl", *command, "--uri", f"unix://{self.folder}/vici").stdout

    @property
    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def agreed(self):
        """The Agreed SAs of the connection that it initiated: from its log, where level 4 of chd
        tells the keys."""
        log = self.log
        keys = {}
        for kind, end, size, dump in re.findall(
                r"\[CHD\] (encryption|integrity) (initiator|responder) key => (\d+) bytes @ \S+\n"
                r"((?:.*\[CHD\]\s+\d+: (?:[0-9A-F]{2} )+ .*\n)+)", log):
            text = "".join(re.findall(r"\[CHD\]\s+\d+: ((?:[0-9A-F]{2} )+) ", dump))
            keys[end] = keys.get(end, b"") + bytes.fromhex(text)
            if len(bytes.fromhex(text)) != int(size):
                raise AssertionError(f"{kind} {end}: not {size} bytes\n{dump}")
        spi = re.search(r"CHILD_SA net\{\d+\} established with SPIs (\w+)_i (\w+)_o", log)
        own, peer = self.addresses()
        return {"there": (int(spi[2], 16), own, peer, keys["initiator"]),
                "back": (int(spi[1], 16), peer, own, keys["responder"])}

    def addresses(self):
        text = (self.folder / "swanctl.conf").read_text()
        return [re.search(rf"{end}_addrs = (\S+)", text)[1] for end in ("local", "remote")]

    def kill(self):
        """Ends it at once: its peer is told nothing."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class StrongSwan:
    """Two charons in the outer namespaces of a harness.Net, whose middle must carry their packets.

        left: 10.1.0.1, 192.0.2.1 --- (middle) --- 192.0.2.2, 10.2.0.1 :right

    agree() has left negotiate and returns the SAs; leave() kills right's charon, and right is a plain
    host from then on that sends what is for 10.1.0.1 to left: whoever is in the middle can take the
    place of right's charon. Sequence numbers that it used are lost for that one: don't ping before.
    """

    # Proposals of swanctl.conf, and what spillway calls them.
    PROPOSALS = {"aes128gcm16": "aes-128-gcm", "aes256gcm16": "aes-256-gcm",
                 "chacha20poly1305": "chacha20-poly1305", "aes128-sha256": "aes-128-cbc+sha256",
                 "aes256-sha512": "aes-256-cbc+sha512", "aes128-sha1": "aes-128-cbc+sha1",
                 "aes128ctr-sha256": "aes-128-ctr+sha256"}

    def __init__(self, net, folder, proposal):
        self.net, self.proposal = net, proposal
        self.ends = (net.left, net.right)
        self.charons = []
        for number, namespace in enumerate(self.ends):
            other = 1 - number
            for address in f"{OUTER[number]}/24", f"{INNER[number]}/32":
                run("ip", "-n", namespace, "address", "add", address, "dev", "eth0")
            self.charons.append(Charon(namespace, pathlib.Path(folder) / f"charon-{number}",
                                       (OUTER[number], INNER[number]),
                                       (OUTER[other], INNER[other]), proposal))
            net.processes.append(self.charons[-1].process)  # whatever happens

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for charon in self.charons:
            charon.kill()

    def agree(self):
        """Negotiates. Returns the Agreed SAs."""
        for charon in self.charons:
            charon.load()
        left = self.charons[0]
        left.swanctl("--initiate", "--child", "net", "--timeout", "20")
        algorithm = self.PROPOSALS[self.proposal]
        return Agreed(*(esp.SA(algorithm, key, spi, "tunnel", source, destination,
                               nat_traversal=True)
                        for spi, source, destination, key in left.agreed().values()))

    def leave(self):
        """Right's charon is gone, its SAs and its TUN interface with it; left is not told."""
        self.charons[1].kill()
        run("ip", "-n", self.ends[1], "route", "replace", f"{INNER[0]}/32", "via", OUTER[0], "src",
            INNER[1])
