# SPDX-License-Identifier: BSD-3-Clause
"""grout, DPDK's graph router, as a contender: IPv4 forwarding of the capture to one next hop.

Debian 12 hasn't it: it runs in the chroot that tests/bench/chroot made (--chroot), or as it is found in PATH.
It takes its configuration and tells its counters through a socket, of which its client grcli knows.
"""

import contextlib
import json
import pathlib
import shutil
import struct
import subprocess
import tempfile

from contenders import Contender, await_socket

HERE = pathlib.Path(__file__).resolve().parent
SUITE = "sid"
PACKAGES = ["grout", "librte-net-pcap26", "librte-net-null26", "librte-mempool-ring26",
            "librte-bus-fslmc26"]  # it names a device on that bus to the EAL, which must know it then
MAC = bytes.fromhex("027063617000")  # of net_pcap0, which can't be given another

CONFIGURATION = """\
affinity cpus set control {control} datapath {cpu}
interface add port in devargs net_pcap0,rx_pcap={capture},infinite_rx=1 up
interface add port out devargs net_null0,no-rx=1 up
address add 192.0.2.254/24 iface in
address add 198.51.100.254/24 iface out
nexthop add l3 iface out address 198.51.100.1 mac 02:00:00:00:00:02
route add 0.0.0.0/0 via 198.51.100.1
"""


def addressed(capture, path):
    """A copy of a capture whose packets are for the router: it drops those for others."""
    data = bytearray(pathlib.Path(capture).read_bytes())
    position = 24
    while position < len(data):
        length, = struct.unpack_from("=I", data, position + 8)
        data[position + 16:position + 22] = MAC
        position += 16 + length
    path.write_bytes(data)


class Grout(Contender):
    """chroot: the folder in which it is, or None."""

    def __init__(self, options, name, capture):
        self.options, self.chroot = options, options.chroot
        self.folder = "FOLDER"  # one for each run, /mnt in the chroot
        self.addressed = pathlib.Path(options.folder) / f"{pathlib.Path(capture).stem}-grout.pcap"
        addressed(capture, self.addressed)
        memory = ["--test-mode"] if options.no_huge else []
        super().__init__(name, ["grout", "--poll-mode", *memory, "--socket", "{seen}/grout.sock",
                                "--metrics", "unix:{seen}/metrics", "--", "--file-prefix", "{prefix}"])

    def seen(self):
        """The folder as grout sees it."""
        return "/mnt" if self.chroot else self.folder

    def entered(self, words):
        """A command where grout is."""
        return [*([HERE / "enter", self.chroot, self.folder] if self.chroot else []), *words]

    def command(self, prefix):
        words = map(str, self.entered(super().command(prefix)))
        return [word.replace("{seen}", self.seen()) for word in words]

    @contextlib.contextmanager
    def running(self, prefix, log):
        with tempfile.TemporaryDirectory(prefix="spillway-grout-") as self.folder:
            shutil.copy(self.addressed, self.folder)
            with super().running(prefix, log) as process:
                await_socket(pathlib.Path(self.folder) / "grout.sock", process)
                self.client(CONFIGURATION.format(
                    control=self.options.control_cpu, cpu=self.options.cpu,
                    capture=f"{self.seen()}/{self.addressed.name}"))
                yield process

    def client(self, commands, *flags):
        """What grcli answers."""
        command = ["grcli", "--err-exit", "--no-pager", *flags, "--socket", f"{self.seen()}/grout.sock"]
        done = subprocess.run(self.entered(command), input=commands, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise ValueError(f"grcli: {done.stdout.strip()}")
        return done.stdout

    def counters(self, prefix, process, deadline):
        """It starts the EAL without telemetry."""
        return self

    def ports(self):
        stats = {one["interface"]: one for one in
                 json.loads(self.client("interface stats\n", "--json"))}
        return [{"ipackets": stats[name]["rx_packets"], "opackets": stats[name]["tx_packets"]}
                for name in ("in", "out")]


def contenders(options, capture):
    return [Grout(options, "grout", capture)]
