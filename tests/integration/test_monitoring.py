# SPDX-License-Identifier: BSD-3-Clause
"""Alerts and dashboard go by metrics that there are, and alerts fire for what they are about."""
import itertools
import json
import re

import test_report
from associations import POOL, IpsecCase
from harness import BUILD, CPUS, ROOT, Spillway, main, need_program, run, until

RULES = ROOT / "config" / "prometheus" / "spillway.rules.yml"
TESTS = ROOT / "config" / "prometheus" / "spillway.test.yml"
DASHBOARD = ROOT / "config" / "grafana" / "spillway.json"


def metrics_of(text):
    """Names that stand in expressions."""
    return set(re.findall(r"\bspillway_\w+", text))


class Monitoring(IpsecCase):
    configuration = test_report.Report.configuration  # each kind of thing that is counted

    def alerts(self):
        return dict(re.findall(r"^ +- alert: (\w+)\n((?:(?! +- alert).*\n)*)", RULES.read_text(), re.M))

    def panels(self):
        return json.loads(DASHBOARD.read_text())["panels"]

    def test_metrics_are_there(self):
        with Spillway("--config", self.configuration(), *POOL, "--rx", CPUS[0], "--tx", CPUS[-1]) as program:
            program.ready()
            until(lambda: program.telemetry("/spillway/metrics,packets")["dropped"] > 0, 10, "something is dropped")
            text = run(BUILD / "ctl" / "spillwayctl", "--name", program.name, "metrics", "prometheus").stdout
            self.check(program.stop())
        there = set(re.findall(r"^(spillway_\w+)", text, re.M))
        alerts = set().union(*(metrics_of(alert.split("labels:")[0]) for alert in self.alerts().values()))
        self.assertGreater(len(alerts), 15)
        self.assertEqual(alerts - there, set())
        shown = set().union(*(metrics_of(target["expr"]) for panel in self.panels() for target in panel["targets"]))
        self.assertGreater(len(shown), 30)
        self.assertEqual(shown - there, set())

    def test_drop_reasons(self):
        """Those that an alert leaves out are the program's."""
        reference = (ROOT / "docs" / "reference.md").read_text()
        for reason in re.search(r'reason!~"([^"]+)"', RULES.read_text())[1].split("|"):
            self.assertIn(f"\n| `{reason}` |", reference)

    def test_rules(self):
        need_program("promtool")
        run("promtool", "check", "rules", RULES)
        run("promtool", "test", "rules", TESTS)
        self.assertEqual(re.findall(r"alertname: (\w+)", TESTS.read_text()), list(self.alerts()))

    def test_dashboard(self):
        """Panels do not lie upon each other, and each asks for the instance and data source that were chosen."""
        panels = self.panels()
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        for one, other in itertools.combinations([panel["gridPos"] for panel in panels], 2):
            self.assertFalse(one["x"] < other["x"] + other["w"] and other["x"] < one["x"] + one["w"]
                             and one["y"] < other["y"] + other["h"] and other["y"] < one["y"] + one["h"], (one, other))
        for panel in panels:
            self.assertEqual(panel["datasource"]["uid"], "${datasource}")
            for target in panel["targets"]:
                self.assertEqual(target["expr"].count("spillway_"), target["expr"].count('instance=~"$instance"'))


if __name__ == "__main__":
    main()
