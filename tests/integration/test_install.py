# SPDX-License-Identifier: BSD-3-Clause
"""The runtime library is usable on its own: installed, found by pkg-config, compiled against, run."""
import os
import re

import harness
from harness import BUILD, run

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

    def setUp(self):
        super().setUp()
        for program in "meson", "pkg-config", "gcc":
            harness.need_program(program)

    def test_runtime_library(self):
        root = self.folder / "root"
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", root, timeout=300)
        package, = root.rglob("spillway-runtime.pc")
        prefix = re.search(r"^prefix=(.*)$", package.read_text(), re.M).group(1)
        package.write_text(package.read_text().replace(f"prefix={prefix}", f"prefix={root}{prefix}"))
        environment = {**os.environ, "PKG_CONFIG_PATH": str(package.parent)}
        flags = run("pkg-config", "--cflags", "--libs", "spillway-runtime", env=environment).stdout.split()
        source = self.file("program.c", PROGRAM)
        run("gcc", "-Wall", "-Wextra", "-Werror", source, "-o", self.folder / "program", *flags)
        run(self.folder / "program", "--no-huge", "--no-shconf", "--no-telemetry", "--no-pci",
            "-m", "64", "--lcores=0@0", "--log-level=*:error")


if __name__ == "__main__":
    harness.main()
