# SPDX-License-Identifier: BSD-3-Clause
"""VPP (FD.io) as a contender, if `vpp` and `vppctl` are in PATH: Debian hasn't it. IPv4 forwarding to one next hop,
or a gateway that routes what is to be protected into an ESP tunnel. One worker thread polls both ports.

The ports are DPDK's, made by VPP's dpdk plugin from the same vdevs as for the other programs.
"""

import contextlib
import pathlib
import subprocess
import tempfile

from contenders import TRANSMITTED, Contender, await_socket, vdevs
from gateways import DESTINATION, SOURCE, SPI, keys

STARTUP = """\
unix {{ nodaemon cli-listen {folder}/cli.sock runtime-dir {folder} }}
api-segment {{ prefix {prefix} }}
statseg {{ socket-name {folder}/stats.sock }}
cpu {{ main-core {control} corelist-workers {cpu} }}
buffers {{ buffers-per-numa 16384 {page} }}
plugins {{
  plugin default {{ disable }}
  plugin dpdk_plugin.so {{ enable }}
  plugin crypto_native_plugin.so {{ enable }}
  plugin crypto_ipsecmb_plugin.so {{ enable }}
}}
dpdk {{
  no-pci telemetry uio-driver none file-prefix {prefix} {memory}
  dev default {{ num-tx-queues 1 }}
  {devices}
}}
"""
# Promiscuous, as the capture's packets are for whom they may.
FORWARD = """\
set interface promiscuous on Ethernet0
set interface ip address Ethernet0 192.0.2.254/24
set interface ip address Ethernet1 198.51.100.254/24
ip neighbor Ethernet1 198.51.100.1 02:00:00:00:00:02
ip route add 0.0.0.0/0 via 198.51.100.1 Ethernet1
"""
# The inbound SA is never used: a protected tunnel must have one.
PROTECT = """\
ipsec sa add 1 spi {spi} esp {keys} tunnel src {source} dst {destination}
ipsec sa add 2 spi {other} inbound esp {keys} tunnel src {destination} dst {source}
ipsec itf create
ipsec tunnel protect ipsec0 sa-in 2 sa-out 1
set interface unnumbered ipsec0 use Ethernet1
set interface state ipsec0 up
ip route add 10.2.0.0/16 via ipsec0
"""
ALGORITHMS = {
    "aes-128-gcm": lambda key: f"crypto-alg aes-gcm-128 crypto-key {key[:16].hex()} salt 0x{key[16:].hex()}",
    "aes-128-cbc+sha256": lambda cipher, authentication: (
        f"crypto-alg aes-cbc-128 crypto-key {cipher.hex()} integ-alg sha-256-128 integ-key {authentication.hex()}"),
}
UP = "set interface state Ethernet1 up\nset interface state Ethernet0 up\n"


class Vpp(Contender):
    """source: as contenders.ends() has it. commands: what vppctl is told before the ports come up."""

    settling = 6.5  # it looks whether a link is up every 3 s, and takes two looks

    def __init__(self, options, name, source, commands, counter=TRANSMITTED):
        super().__init__(name, ["vpp", "-c", "{folder}/startup.conf"], counter)
        self.options, self.source, self.commands = options, source, commands
        self.folder = "FOLDER"  # one for each run

    def command(self, prefix):
        return [word.replace("{folder}", self.folder) for word in super().command(prefix)]

    @contextlib.contextmanager
    def running(self, prefix, log):
        with tempfile.TemporaryDirectory(prefix="spillway-vpp-") as self.folder:
            folder = pathlib.Path(self.folder)
            (folder / "startup.conf").write_text(self.startup(prefix), encoding="ascii")
            (folder / "commands").write_text(self.commands + UP, encoding="ascii")
            with super().running(prefix, log) as process:
                await_socket(folder / "cli.sock", process)
                self.configure(folder)
                yield process

    def startup(self, prefix):
        pages = ("page-size 4k", "no-hugetlb") if self.options.no_huge else ("", "")
        devices = " ".join(word.removeprefix("--") for word in vdevs(self.source))
        return STARTUP.format(folder=self.folder, prefix=prefix, control=self.options.control_cpu,
                              cpu=self.options.cpu, page=pages[0], memory=pages[1], devices=devices)

    @staticmethod
    def configure(folder):
        """It says the names of what it makes, and in whole sentences what is wrong."""
        done = subprocess.run(["vppctl", "-s", folder / "cli.sock", "exec", folder / "commands"], text=True,
                              check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if done.returncode != 0 or any(" " in line.strip() for line in done.stdout.splitlines()):
            raise ValueError(f"vppctl: {done.stdout.strip()}")


def forwarding(options, capture):
    return Vpp(options, "VPP", capture, FORWARD)


def gateways(options, source, algorithm, counter=TRANSMITTED):
    """One that puts packets to 10.2.0.0/16 into the tunnel of gateways.py; none if it is not compared with."""
    if "vpp" not in options.compare:
        return []
    protect = PROTECT.format(spi=SPI, other=SPI + 1, source=SOURCE, destination=DESTINATION,
                             keys=ALGORITHMS[algorithm](*keys(algorithm)))
    return [Vpp(options, "VPP", source, FORWARD + protect, counter)]
