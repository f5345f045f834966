# SPDX-License-Identifier: BSD-3-Clause
"""Open vSwitch with DPDK as a contender: an exact-match hit from port to port, or with an L3 rewrite.

Everything of it is in a folder and a network namespace of its own: database, sockets, and the tap device that
each of its bridges makes. The system's Open vSwitch, if one runs, isn't touched.
"""

import contextlib
import os
import pathlib
import subprocess
import tempfile

from contenders import Contender, await_socket

DAEMON = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
OUTPUT = "in_port=in actions=output:out"
REWRITE = ("ip,in_port=in actions=dec_ttl,mod_dl_src:02:00:00:00:00:03,mod_dl_dst:02:00:00:00:00:04,"
           "output:out")


def run(*command):
    done = subprocess.run([str(word) for word in command], text=True, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise ValueError(f"{' '.join(map(str, command))}: {done.stdout.strip()}")


class OpenVSwitch(Contender):
    """capture: what its port `in` receives. flow: what becomes of it."""

    def __init__(self, options, name, capture, flow):
        super().__init__(name, ["unshare", "--net", DAEMON, "unix:{folder}/db.sock", "--no-chdir",
                                "--pidfile={folder}/vswitchd.pid", "--unixctl={folder}/vswitchd.ctl"])
        self.options, self.capture, self.flow = options, capture, flow
        self.folder = "FOLDER"  # one for each run

    def command(self, prefix):
        return [word.replace("{folder}", self.folder) for word in super().command(prefix)]

    @contextlib.contextmanager
    def running(self, prefix, log):
        with tempfile.TemporaryDirectory(prefix="spillway-ovs-") as self.folder:
            folder = pathlib.Path(self.folder)
            self.environment = dict.fromkeys(("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR"), self.folder)
            with self._database(folder, log):
                self._configure(folder, prefix)
                with super().running(prefix, log) as process:
                    bridge = folder / "bench.mgmt"
                    await_socket(bridge, process)
                    run("ovs-ofctl", "add-flow", f"unix:{bridge}", self.flow)
                    yield process

    @contextlib.contextmanager
    def _database(self, folder, log):
        run("ovsdb-tool", "create", folder / "conf.db", SCHEMA)
        server = subprocess.Popen(
            ["ovsdb-server", "--no-chdir", f"--remote=punix:{folder}/db.sock",
             f"--unixctl={folder}/server.ctl", f"--pidfile={folder}/server.pid", folder / "conf.db"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            env={**os.environ, **self.environment})
        try:
            await_socket(folder / "db.sock", server)
            yield
        finally:
            server.terminate()
            server.wait(20)

    def _configure(self, folder, prefix):
        """Before it starts, so that it comes up whole. Ports are devices that the EAL has made, so that
        they are 0 and 1; without a flow the bridge drops."""
        # Without --legacy-mem it adds --in-memory, which --no-huge excludes.
        memory = "--no-huge --legacy-mem -m 1024" if self.options.no_huge else ""
        source = f"--vdev net_pcap0,rx_pcap={os.path.abspath(self.capture)},infinite_rx=1"
        extra = f"--no-pci --file-prefix {prefix} {memory} {source} --vdev net_null0,no-rx=1"
        port = ("add-port", "bench")
        run("ovs-vsctl", f"--db=unix:{folder}/db.sock", "--no-wait", "init", "--",
            "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
            f"other_config:dpdk-extra=\"{extra}\"",
            f"other_config:dpdk-lcore-mask={1 << self.options.control_cpu:#x}",
            f"other_config:pmd-cpu-mask={1 << self.options.cpu:#x}", "--",
            "add-br", "bench", "--", "set", "bridge", "bench", "datapath_type=netdev",
            "fail-mode=secure", "--",
            *port, "in", "--", "set", "interface", "in", "type=dpdk",
            "options:dpdk-devargs=net_pcap0", "--",
            *port, "out", "--", "set", "interface", "out", "type=dpdk",
            "options:dpdk-devargs=net_null0")


def contenders(options, capture):
    return [OpenVSwitch(options, "OVS port to port", capture, OUTPUT),
            OpenVSwitch(options, "OVS with L3 rewrite", capture, REWRITE)]
