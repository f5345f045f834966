# SPDX-License-Identifier: BSD-3-Clause
"""The page "Why does a packet not pass?" of docs/operations.md, each command as it stands there."""
import re

from harness import ROOT, main, need_program, run
from ctl import CTL
from test_trace import Traced


class Why(Traced):
    def test_page(self):
        for program in "jq", "tshark":
            need_program(program)
        page = (ROOT / "docs" / "operations.md").read_text().split("\n## Why does a packet not pass?\n")[1].split("\n## ")[0]
        commands = re.findall(r"^    (.+)$", page, re.M)
        self.assertGreater(len(commands), 5)
        said = ""
        with self.running() as program:
            for command in commands:
                command = command.replace("/tmp/", f"{self.folder}/")
                done = run("sh", "-c", f"spillwayctl() {{ '{CTL}' --name {program.name} \"$@\"; }}; {command}", check=False)
                self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}{done.stderr}")
                said += done.stdout
            self.check(program.stop())
        self.assertRegex(said, r"denied +\d+\n")
        self.assertIn(f"dropped  reason denied  rule {self.folder}/rules:2", said)
        self.assertIn(f"10.0.0.7\t99\tdropped: denied, rule {self.folder}/rules:2", said)
        self.assertIn("50 packets captured", said)


if __name__ == "__main__":
    main()
