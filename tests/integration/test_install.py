# SPDX-License-Identifier: BSD-3-Clause
"""The runtime library is usable on its own: installed, found by pkg-config, compiled against, run."""
import os
import pathlib
import re
import signal
import subprocess
import tempfile

import capture
import harness
from harness import BUILD, CAPTURES, CPUS, ROOT, run

EAL = "--no-huge", "--no-shconf", "--no-telemetry", "--no-pci", "-m", "64", "--log-level=*:error"

PROGRAM = r"""
#include <spillway/base/json.h>
#include <spillway/base/ledger.h>
#include <spillway/runtime/channel.h>
#include <spillway/runtime/loop.h>
#include <spillway/runtime/stamp.h>
#include <spillway/runtime/submitter.h>
#include <rte_eal.h>

int main(int argc, char **argv)
{
    struct spill_error error;
    struct spill_channel *channel;

    if (rte_eal_init(argc, argv) < 0)
        return 1;
    channel = spill_channel_create("c", 4, 1, SOCKET_ID_ANY, SPILL_RING_EXCLUSIVE, &error);
    if (channel == NULL)
        return 2;
    spill_sender_leave(spill_channel_sender(channel, 0));
    return spill_channel_ended(channel) ? 0 : 3;
}
"""


class Install(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        """Installs the library, and has pkg-config say what a program needs to be built against it."""
        for program in "meson", "pkg-config", "gcc":
            harness.need_program(program)
        root = tempfile.TemporaryDirectory(prefix="spillway-test-")
        cls.addClassCleanup(root.cleanup)
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", root.name, timeout=300)
        package, = pathlib.Path(root.name).rglob("spillway-runtime.pc")
        prefix = re.search(r"^prefix=(.*)$", package.read_text(), re.M).group(1)
        package.write_text(package.read_text().replace(f"prefix={prefix}", f"prefix={root.name}{prefix}"))
        environment = {**os.environ, "PKG_CONFIG_PATH": str(package.parent)}
        cls.flags = run("pkg-config", "--cflags", "--libs", "spillway-runtime", env=environment).stdout.split()

    def build(self, text):
        source = self.file("program.c", text)
        run("gcc", "-O2", "-Wall", "-Werror", source, "-o", self.folder / "program", *self.flags)
        return self.folder / "program"

    def test_runtime_library(self):
        run(self.build(PROGRAM), *EAL, "--lcores=0@0")

    def test_tutorial(self):
        """docs/tutorial.md: its program passes a capture, changed, each flow in order, and ends in order."""
        text = (ROOT / "docs" / "tutorial.md").read_text()
        program = self.build("\n".join(re.findall(r"^```c\n(.*?)^```$", text, re.M | re.S)))
        frames = capture.read(CAPTURES / "office.pcap")
        out = self.folder / "out.pcap"
        first, last = CPUS[0], CPUS[-1]
        process = subprocess.Popen(
            [program, *EAL, f"--lcores=0@{first},1@{first},2@{last},3@{last}",
             f"--vdev=net_pcap0,rx_pcap={CAPTURES}/office.pcap,tx_pcap={out}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        for line in process.stdout:
            if line == f"{len(frames)} received\n":
                process.send_signal(signal.SIGINT)
                break
        end = process.communicate(timeout=30)[0]
        self.assertEqual(process.returncode, 0, end)
        told = re.search(r"^drained: (\d+) received, (\d+) transmitted, (\d+) dropped, 0 in flight$", end, re.M)
        received, transmitted, dropped = (int(number) for number in told.groups())
        self.assertEqual((received, transmitted + dropped), (len(frames), len(frames)))
        self.assertGreater(transmitted, 0)
        changed = [frame[:14] + bytes(byte ^ 0xff for byte in frame[14:]) for frame in frames]
        passed = capture.read(out)
        self.assertEqual(len(passed), transmitted)
        # Of each flow a part of what was sent, in order: drops leave gaps.
        flows = {}
        for frame in changed:
            flows.setdefault(frame[26:34], []).append(frame)
        for frame in passed:
            rest = flows[frame[26:34]]
            del rest[:rest.index(frame) + 1]


if __name__ == "__main__":
    harness.main()
