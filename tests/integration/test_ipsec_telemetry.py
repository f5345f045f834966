# SPDX-License-Identifier: BSD-3-Clause
"""What DPDK's telemetry socket tells of security associations."""
import json
import os
import pathlib
import socket

import capture
from associations import INLINE, IpsecCase
from harness import Spillway, main, until

RUN = pathlib.Path(os.environ.get("RUNTIME_DIRECTORY", "/var/run")) / "dpdk"


class Telemetry(IpsecCase):
    def ask(self, connection, command):
        connection.send(command.encode())
        return json.loads(connection.recv(65536))[command.split(",", maxsplit=1)[0]]

    def test_sas(self):
        """Names, and what each has used up; the soft lifetime shows."""
        out = self.association("out", lifetime_packets_soft=5)
        into = self.association("in")
        self.file("rules", out.rule() + into.rule())
        source = capture.write(self.folder / "in.pcap", [out.frame(bytes(10))] * 7)
        config = self.file("ipsec.conf", "[spillway]\nrules = rules\n"
                           f"[port in]\ndevice = net_pcap0,rx_pcap={source}\n"
                           "[port out]\ndevice = net_null0,no-rx=1\n[wire w]\nports = in, out\n"
                           + out.section(self.folder) + into.section(self.folder))
        with Spillway("--config", config, *INLINE) as program, \
                socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            program.ready()
            connection.connect(str(RUN / program.name / "dpdk_telemetry.v2"))
            connection.recv(65536)
            self.assertEqual(self.ask(connection, "/spillway/sas"), [out.name, into.name])
            until(lambda: self.ask(connection, f"/spillway/sa,{out.name}")["packets"] == 7, 10,
                  "all packets")
            told = self.ask(connection, f"/spillway/sa,{out.name}")
            self.assertEqual((told["lifetime"], told["direction"], told["spi"], told["bytes"]),
                             ("soft", "out", out.sa.spi, 7 * 38))
            told = self.ask(connection, f"/spillway/sa,{into.name}")
            self.assertEqual((told["lifetime"], told["packets"]), ("within", 0))
            self.assertIsNone(self.ask(connection, "/spillway/sa,nobody"))
            self.assertIsNone(self.ask(connection, "/spillway/sa"))
            self.check(program.stop())


if __name__ == "__main__":
    main()
