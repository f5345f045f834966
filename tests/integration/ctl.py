# SPDX-License-Identifier: BSD-3-Clause
"""spillwayctl as tests run it, and a spillway that has something to tell."""
import contextlib
import json
import os
import socket

import capture
from esp import udp_frame
from harness import BUILD, RUN_FOLDER, Spillway, TestCase, run

CTL = BUILD / "ctl" / "spillwayctl"
RULES = "allow udp from 10.0.0.0/8 to any port 53\n"


def ctl(program, *words, status=0):
    """Runs spillwayctl for a program; what it printed."""
    done = run(CTL, "--name", program.name, *words, check=False)
    assert done.returncode == status, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout if status == 0 else done.stderr


class Loaded(TestCase):
    """A spillway in which packets of known flows pass as fast as can be."""

    def configuration(self, more=""):
        capture.write(self.folder / "flows.pcap", [udp_frame(f"10.0.0.{flow}", "192.0.2.1", bytes(18), (1024 + flow, 53))
                                                   for flow in range(1, 65)])
        self.file("rules", RULES)
        return self.file("config", f"[spillway]\nrules = rules\nstats = 50ms\n{more}"
                         f"[port a]\ndevice = net_pcap0,rx_pcap={self.folder}/flows.pcap,infinite_rx=1\n"
                         "[port b]\ndevice = net_null0,no-rx=1\n[wire w]\nports = a, b\n")

    @contextlib.contextmanager
    def running(self):
        with Spillway("--config", self.configuration()) as program:
            program.ready()
            self.path = RUN_FOLDER / program.name / "control"
            yield program


class Asked(Loaded):
    """One that is asked by its control socket."""

    def replace(self, text):
        self.file("next", text)
        os.replace(self.folder / "next", self.folder / "rules")

    def connect(self, timeout=20):
        connection = socket.socket(socket.AF_UNIX)
        self.addCleanup(connection.close)
        connection.connect(str(self.path))
        connection.settimeout(timeout)
        return connection

    def answer(self, connection):
        """What it says until it closes; nothing where it closes before all was sent."""
        text = b""
        with contextlib.suppress(ConnectionError):
            while more := connection.recv(65536):
                text += more
        return json.loads(text) if text else None

    def ask(self, message):
        connection = self.connect()
        with contextlib.suppress(ConnectionError):  # it does not read on when it has seen enough
            connection.sendall(message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n")
        return self.answer(connection)
