# SPDX-License-Identifier: BSD-3-Clause
"""Each party is killed, and started again: traffic is back without a person."""
import itertools
import os
import re
import subprocess

import harness
import ike
from harness import main, run, until
from test_ike import Sites

RESTORE = harness.ROOT / "preload" / "spillway-ike-restore"


class Parties(Sites):
    QUICK = "retransmit_tries = 2\nretransmit_timeout = 0.5\nretransmit_base = 1\nload ="

    def restart_spillway(self, end):
        end.program.process.kill()
        end.program.__exit__()
        end.start()
        end.program.ready()

    def restore(self, end):
        """What the unit runs."""
        run(RESTORE, "--uri", f"unix://{end.daemon.folder}/vici", timeout=60,
            env=dict(end.ip.environment, LD_PRELOAD="", SPILLWAY_XFRM_LIBRARY=str(ike.PRELOAD)))

    def restart_daemon(self, end, **how):
        end.daemon.kill()
        kept = end.daemon.folder.rename(end.daemon.folder.with_name(f"before{end.number}"))
        end.start_daemon(self.PROPOSAL, **how)
        self.addCleanup(end.daemon.kill)
        return kept

    def end(self):
        for end in self.ends:
            self.check(end.program.stop())
            end.daemon.kill()


class Restart(Parties):
    def test_spillway(self):
        left = self.initiate()
        before = self.ends[0].spis()
        self.assertEqual(self.ping(), 5)
        for end in self.ends:
            self.restart_spillway(end)
            self.restore(end)
            self.assertEqual(self.ping(), 5, left.log)
        self.assertFalse(before & self.ends[0].spis())
        # What is there is left as it is.
        before = self.ends[0].spis()
        self.restore(self.ends[0])
        self.assertEqual(self.ends[0].spis(), before)
        self.end()

    def test_trap(self):
        self.begin()
        end = self.ends[0]
        end.daemon.change("mode = tunnel", "mode = tunnel\nstart_action = trap")
        self.restart_spillway(end)
        self.assertEqual(end.ip("policy list"), "")
        end.ip("policy add src 10.8.0.0/16 dst 10.9.0.0/16 dir out action block")  # no trap's
        self.restore(end)
        self.assertGreater(self.ping("-W", "5"), 3)
        self.end()

    def test_daemon(self):
        """What was agreed on goes on until it is agreed on anew."""
        self.initiate()
        end = self.ends[0]
        before = end.spis()
        end.daemon.kill()
        self.assertEqual(self.ping(), 5)
        self.restart_daemon(end)
        end.daemon.change("mode = tunnel", "mode = tunnel\nstart_action = start", load=False)
        end.daemon.load()
        until(lambda: len(end.spis() - before) == 2, 20, end.daemon.log)
        until(lambda: self.ping(count=1), 20, "it goes through again")
        self.assertEqual(self.ping(), 5)
        self.end()

    def test_other_side(self):
        """A peer that has lost all: that it is dead is found out, and the child made again."""
        left = self.begin()
        settings = left.folder / "strongswan.conf"
        settings.write_text(re.sub("load =", self.QUICK, settings.read_text(), count=1))
        left.swanctl("--reload-settings")
        left.change("dpd_delay = 0", "dpd_delay = 1s\nkeyingtries = 0", load=False)
        left.change("dpd_action = none", "dpd_action = restart")
        left.swanctl("--initiate", "--child", "net", "--timeout", "20")
        before = self.ends[0].spis()
        self.assertEqual(self.ping(), 5)
        right = self.ends[1]
        right.daemon.kill()
        self.restart_spillway(right)
        self.assertEqual(self.ping("-W", "1", count=1), 0)
        # One that is there, and has not loaded its connections yet, would refuse the only try.
        run("ip", "-n", self.net.other, "link", "set", "mid", "down")
        self.restart_daemon(right)
        right.daemon.load()
        run("ip", "-n", self.net.other, "link", "set", "mid", "up")
        until(lambda: len(self.ends[0].spis() - before) >= 2, 60, left.log)
        until(lambda: self.ping(count=1), 20, "it goes through again")
        self.end()


class Killed(Parties):
    """In the midst of what is agreed on. Traps, DPD and the unit bring traffic back."""

    PHASES = {"auth": "generating IKE_AUTH request", "install": "adding inbound ESP SA",
              "renew": "generating CREATE_CHILD_SA request", "renewed": "outbound CHILD_SA"}
    CHANGES = ("dpd_delay = 0", "dpd_delay = 1s"), ("dpd_action = none", "dpd_action = trap"), (
        "mode = tunnel", "mode = tunnel\nstart_action = trap")

    def start_daemon(self, end):
        end.start_daemon(self.PROPOSAL)
        self.addCleanup(end.daemon.kill)
        settings = end.daemon.folder / "strongswan.conf"
        settings.write_text(re.sub("load =", self.QUICK, settings.read_text(), count=1))
        for pattern, text in self.CHANGES:
            end.daemon.change(pattern, text, load=False)
        end.daemon.load()
        end.daemon.swanctl("--reload-settings")

    def ask(self, what):
        """Has the left daemon do it, and waits for nothing."""
        process = subprocess.Popen(["swanctl", what, "--child", "net", "--uri", f"unix://{self.ends[0].daemon.folder}/vici"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

    def kill_at(self, phase, party, end):
        daemon = self.ends[0].daemon
        if "renew" in phase:
            daemon.swanctl("--initiate", "--child", "net", "--timeout", "20")
            self.assertEqual(self.ping(count=1), 1)
        since = len(daemon.log)
        self.ask("--rekey" if "renew" in phase else "--initiate")
        until(lambda: self.PHASES[phase] in daemon.log[since:], 20, phase)
        (end.program if party == "spillway" else end.daemon).process.kill()

    def comes_back(self, party, end):
        if party == "spillway":
            self.restart_spillway(end)
            self.restore(end)
        else:
            end.daemon.kill()
            end.daemon.folder.rename(end.daemon.folder.with_name(f"before{next(self.numbers)}"))
            self.start_daemon(end)
        until(lambda: self.ping("-W", "1", count=1), 60, f"{party} {end.number}: it goes through again\n{self.ends[0].daemon.log}")
        self.assertEqual(self.ping(), 5)

    def test_phases(self):
        """Every party in every phase with PARTIES=all; else one of each."""
        self.numbers = itertools.count()
        for end in self.ends:
            self.start_daemon(end)
        for number, phase in enumerate(self.PHASES):
            for which, (party, index) in enumerate(itertools.product(("daemon", "spillway"), range(2))):
                if os.environ.get("PARTIES") != "all" and which != number:
                    continue
                with self.subTest(phase=phase, party=party, end=index):
                    for end in self.ends:
                        end.daemon.swanctl("--terminate", "--ike", "peer", "--force", check=False)
                    self.kill_at(phase, party, self.ends[index])
                    self.comes_back(party, self.ends[index])
        self.end()


if __name__ == "__main__":
    main()
