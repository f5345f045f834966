# SPDX-License-Identifier: BSD-3-Clause
"""Each party is killed, and started again: traffic is back without a person."""
import re

import harness
import ike
from harness import main, run, until
from test_ike import Sites

RESTORE = harness.ROOT / "preload" / "spillway-ike-restore"


class Restart(Sites):
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
        left.change("dpd_delay = 0", "dpd_delay = 1s", load=False)
        left.change("dpd_action = none", "dpd_action = restart")
        left.swanctl("--initiate", "--child", "net", "--timeout", "20")
        before = self.ends[0].spis()
        self.assertEqual(self.ping(), 5)
        right = self.ends[1]
        right.daemon.kill()
        self.restart_spillway(right)
        self.assertEqual(self.ping("-W", "1", count=1), 0)
        self.restart_daemon(right)
        right.daemon.load()
        until(lambda: len(self.ends[0].spis() - before) >= 2, 60, left.log)
        until(lambda: self.ping(count=1), 20, "it goes through again")
        self.end()


if __name__ == "__main__":
    main()
