# SPDX-License-Identifier: BSD-3-Clause
"""How it ends with packets in the crypto: SIGTERM under full load, from captures without end."""
import time

import capture
from associations import IpsecCase
from harness import CPUS, Spillway, main

A, B = CPUS[0], CPUS[-1]
DRAIN = 2000  # ms, the default of --drain-timeout
SHARED = ("--pool", f"{A},{B}")


class UnderLoad(IpsecCase):
    """20 times in a row for each way to run the crypto: nothing is left in a lane, a worker or a
    device's queue."""

    def config(self, algorithm):
        """Packets to protect and ESP to decrypt, mixed. A window of 0, as the same ESP comes again."""
        out = self.association("out", algorithm)
        into = self.association("in", algorithm, replay_window=0)
        frames = []
        for number in range(1, 257):
            frames.append(out.frame(self.chance.randbytes(self.chance.randrange(1, 1400)),
                                    ports=(number, 7)))
            frames.append(into.sa.encrypt(into.frame(bytes(100), number, ports=(number, 9)), number))
        source = capture.write(self.folder / "mix.pcap", frames)
        self.file("rules", out.rule() + into.rule())
        return self.file("ipsec.conf", "[spillway]\nrules = rules\n"
                         f"[port in]\ndevice = net_pcap0,rx_pcap={source},infinite_rx=1\n"
                         "[port out]\ndevice = net_null0,no-rx=1\n[wire in-out]\nports = in, out\n"
                         + out.section(self.folder) + into.section(self.folder))

    def rounds(self, *options, algorithm="aes-128-cbc+sha256"):
        config = self.config(algorithm)
        worked = dict.fromkeys(("encrypt", "decrypt"), 0)
        for turn in range(20):
            with self.subTest(turn=turn), Spillway("--config", config, *options) as program:
                program.ready()
                time.sleep(self.chance.random() / 10)  # any moment will do: none is waited for
                report = self.check(program.stop())
                self.assertEqual(report.packets["received"],
                                 report.packets["transmitted"] + report.packets["dropped"])
                self.assertLessEqual(report["drain_ms"], DRAIN)
                for name in worked:
                    worked[name] += sum(report["pool"][name][kind]
                                        for kind in ("inline_packets", "pool_packets"))
        for name, packets in worked.items():
            self.assertGreater(packets, 0, name)

    def test_inline(self):
        self.rounds("--fast", A)

    def test_pool(self):
        self.rounds("--fast", A, "--pool", B, "--dispatch", "encrypt=pool", "--dispatch",
                    "decrypt=pool")

    def test_pool_of_two(self):
        self.rounds("--fast", A, *SHARED, algorithm="aes-128-gcm")

    def test_split(self):
        self.rounds("--rx", A, "--fast", f"{A},{B}", "--tx", B, "--pool", B)

    def test_device(self):
        """Queues of a device of the user's, which keeps jobs until it has enough of them."""
        self.rounds("--fast", A, *SHARED, "--crypto", "crypto_aesni_mb0")

    def test_device_that_is_slow(self):
        self.rounds("--fast", A, *SHARED, "--crypto", "crypto_openssl0", algorithm="aes-256-gcm")


if __name__ == "__main__":
    main()
