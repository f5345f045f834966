# SPDX-License-Identifier: BSD-3-Clause
"""Other people's IPsec, to talk to: strongSwan with ESP in user space, and DPDK's ipsec-secgw.

Each says by unittest.SkipTest what it needs and does not find. test_peers.py shows that they work
without spillway.
"""
import ipaddress
import os
import pathlib
import re
import signal
import subprocess
import time
import unittest
from collections import namedtuple

import capture
import esp
from harness import BUILD, CPUS, process_name, run, until

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
    settings = ""  # of strongswan.conf, more
    PLUGINS = ("random nonce aes gcm ctr chapoly sha1 sha2 hmac kdf openssl curve25519 pem pkcs1 "
               "pubkey kernel-libipsec kernel-netlink socket-default vici")

    def __init__(self, namespace, folder, own, peer, proposal, environment=None):
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
                {self.settings}
                plugins {{
                    kernel-netlink {{
                        install_routes = no
                    }}
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
            ["ip", "netns", "exec", namespace, *self.command()], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(environment or os.environ, STRONGSWAN_CONF=str(self.folder / "strongswan.conf")))

    def command(self):
        return [self.PROGRAM]

    def load(self):
        """Waits until it answers, and gives it its connection."""
        until(lambda: (self.folder / "vici").exists() or self.process.poll() is not None, 20,
              "charon's socket")
        if self.process.poll() is not None:
            raise AssertionError(f"charon ended: {self.log}")
        self.swanctl("--load-all", "--file", self.folder / "swanctl.conf")

    def swanctl(self, *command, **how):
        return run("swanctl", *command, "--uri", f"unix://{self.folder}/vici", **how).stdout

    @property
    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def agreed(self, since=0):
        """The Agreed SAs of the connection that it initiated: from its log, from a character on, where
        level 4 of chd tells the keys."""
        log = self.log[since:]
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


class IpsecSecgw:
    """DPDK's example ipsec-secgw, from Debian's source of it, on captures.

    It does both directions at once: protected is port 0, unprotected port 1. UDP encapsulation asks
    for flow rules in the NIC, so there is none here; packets have to fit 1500 bytes.
    """

    FOLDER = BUILD / "dpdk"  # where tools/bench has l3fwd
    SOURCE = FOLDER / "usr" / "share" / "dpdk" / "examples" / "ipsec-secgw"
    PROGRAM = SOURCE / "build" / "ipsec-secgw-shared"
    CIPHERS = {"gcm": "aead_algo aes-{}-gcm", "chacha": "aead_algo chacha20-poly1305",
               "cbc": "cipher_algo aes-{}-cbc", "ctr": "cipher_algo aes-{}-ctr",
               "null": "cipher_algo null"}

    @classmethod
    def build(cls):
        """Fetches and builds it, outside of the tree's sources, if that was not done yet."""
        if cls.PROGRAM.exists():
            return
        cls.FOLDER.mkdir(parents=True, exist_ok=True)
        try:
            version = run("dpkg-query", "-W", "-f", "${Version}", "libdpdk-dev").stdout
            if not cls.SOURCE.exists():
                run("apt-get", "download", "-q", f"dpdk-doc={version}", cwd=cls.FOLDER)
                run("dpkg", "-x", next(cls.FOLDER.glob("dpdk-doc_*.deb")), cls.FOLDER)
            # It insists on checksum offload, which captures haven't.
            source = cls.SOURCE / "ipsec-secgw.c"
            source.write_text(source.read_text().replace(
                ".offloads = RTE_ETH_RX_OFFLOAD_CHECKSUM,", ".offloads = 0,"))
            run("make", "-C", cls.SOURCE, "shared", timeout=300)
        except (AssertionError, OSError, subprocess.TimeoutExpired) as why:
            raise unittest.SkipTest(f"can't build DPDK's ipsec-secgw: {why}") from None

    @classmethod
    def sa(cls, direction, sa, inner):
        """The lines of its configuration for an SA and all traffic of an inner network."""
        def key(data):
            return ":".join(f"{byte:02x}" for byte in data)
        own = sa.algorithm
        words = [cls.CIPHERS[own.cipher].format(own.key * 8)]
        kind = words[0].split("_")[0]
        if sa.cipher_key:
            words.append(f"{kind}_key {key(sa.cipher_key + sa.salt)}")
        if own.digest:
            words.append(f"auth_algo {own.digest}-hmac auth_key {key(sa.auth_key)}")
        if sa.mode == "tunnel":
            words.append(f"mode ipv{sa.source.version}-tunnel src {full(sa.source)} "
                         f"dst {full(sa.destination)}")
        else:
            words.append("mode transport")
        family = ipaddress.ip_network(inner).version
        network, bits = inner.split("/")
        return (f"sp ipv{family} {direction} esp protect {sa.spi} pri 1 dst {full(network)}/{bits} "
                "sport 0:65535 dport 0:65535\n" + f"sa {direction} {sa.spi} {' '.join(words)}\n")

    @classmethod
    def through(cls, folder, out, back, clear=(), sealed=()):
        """Runs it. `out`, `back`: (SA, network inside) of either direction; `clear`, `sealed`: frames
        to port 0 and 1. Returns the frames that it encrypted, and those that it decrypted."""
        cls.build()
        folder = pathlib.Path(folder)
        files = {name: folder / f"secgw-{name}.pcap" for name in ("clear", "sealed", "in", "out")}
        capture.write(files["clear"], clear)
        capture.write(files["sealed"], sealed)
        ends = [end for sa, _ in (out, back) for end in (sa.source, sa.destination) if end]
        routes = {(out[1], 1), (back[1], 0)} | {
            (f"{out[0].destination}/{out[0].destination.max_prefixlen}", 1)} if ends else set()
        config = folder / "secgw.cfg"
        config.write_text(
            cls.sa("out", *out) + cls.sa("in", *back) + "".join(
                f"rt ipv{ipaddress.ip_network(network).version} dst "
                f"{full(network.split('/')[0])}/{network.split('/')[1]} port {port}\n"
                for network, port in sorted(routes))
            + "".join(f"neigh port {port} 02:00:00:00:00:02\n" for port in (0, 1)))
        log_file = folder / "secgw.log"
        with open(log_file, "w") as log:
            process = subprocess.Popen(
                [cls.PROGRAM, "--no-huge", "-m", "512", "--no-pci", "--no-telemetry",
                 "--file-prefix", process_name("secgw"), "--lcores", f"0@{CPUS[0]}",
                 "--vdev", f"net_pcap0,rx_pcap={files['clear']},tx_pcap={files['out']}",
                 "--vdev", f"net_pcap1,rx_pcap={files['sealed']},tx_pcap={files['in']}",
                 "--vdev", "crypto_aesni_mb0", "--", "-p", "0x3", "-P", "-u", "0x2", "-l",
                 *(("-e", "-w", "1024") if out[0].esn else ()),
                 "--config", "(0,0,0),(1,0,0)", "-f", config],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            def running():
                if process.poll() is not None:
                    raise AssertionError(f"ipsec-secgw ended\n{log_file.read_text()}")
                return "entering main loop" in log_file.read_text()
            until(running, 20, "ipsec-secgw in its loop")
            time.sleep(0.5)  # it tells nobody when it is done
            process.send_signal(signal.SIGINT)
            process.wait(20)
        finally:
            process.kill()
            process.wait()
        return capture.read(files["in"]), capture.read(files["out"])


def full(address):
    """An address as ipsec-secgw reads it: IPv6 without any group left out."""
    return ipaddress.ip_address(str(address)).exploded
