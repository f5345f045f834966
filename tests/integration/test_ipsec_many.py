# SPDX-License-Identifier: BSD-3-Clause
"""As many associations as there may be, on several lcores, and all of their keys replaced."""
import secrets
import signal

from associations import need_ipsec
from harness import CPUS, SPILLWAY, Spillway, TestCase, main, run, until

MOST = 4096
FAST, POOL = 2, 3


class Many(TestCase):
    def setUp(self):
        need_ipsec()
        super().setUp()
        self.names = [f"s{number}" for number in range(MOST)]
        sections = []
        for number, name in enumerate(self.names):
            sections.append(f"[sa {name}]\ndirection = {('in', 'out')[number % 2]}\n"
                            f"spi = {0x1000 + number}\nmode = tunnel\nalgorithm = aes-128-gcm\n"
                            f"source = 10.{number >> 8}.{number & 255}.1\n"
                            f"destination = 10.{number >> 8}.{number & 255}.2\n"
                            f"key-file = {name}.key\n")
        self.keys()
        self.file("rules", "".join(f"protect {name} any from any to any\n" for name in self.names[:9]))
        self.config = self.file("ipsec.conf", "[spillway]\nrules = rules\nidle = sleep\n"
                                "[port a]\ndevice = net_null0\n[port b]\ndevice = net_null1\n"
                                "[wire w]\nports = a, b\n" + "".join(sections))

    def keys(self):
        for name in self.names:
            path = self.file(f"{name}.key", secrets.token_hex(20) + "\n")
            path.chmod(0o600)

    def shape(self):
        cpus = [str(CPUS[number % len(CPUS)]) for number in range(FAST + POOL)]
        return ("--config", self.config, "--fast", ",".join(cpus[:FAST]), "--pool",
                ",".join(cpus[FAST:]), "--rx-queues", "a:1", "--rx-queues", "b:1")

    def test_all_and_all_anew(self):
        """They start, and a reload replaces all of them while the old ones are still there."""
        told = run(SPILLWAY, "--no-huge", *self.shape(), "--check").stdout
        self.assertIn(f"associations: {MOST} of at most {MOST}", told)
        with Spillway(*self.shape()) as program:
            program.ready()
            self.keys()
            program.signal(signal.SIGHUP)
            until(lambda: "reload" in program.log, 50, "a reload")
            self.assertRegex(program.log, r"reloaded: version 2\b")
            report = self.check(program.stop())
        self.assertEqual(len(report["sas"]), MOST)


if __name__ == "__main__":
    main()
