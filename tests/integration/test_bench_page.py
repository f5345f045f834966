# SPDX-License-Identifier: BSD-3-Clause
"""The benches' report: whatever names and values are in it, the page and its pictures are well-formed, show
the names as they are, and fetch nothing."""
import html.parser
import re
import sys
import unittest
import xml.etree.ElementTree

import harness
from harness import ROOT, main

sys.path.insert(0, str(ROOT / "tests" / "bench"))
import page  # noqa: E402 (needs the path)
import pktgen  # noqa: E402
import plots  # noqa: E402

NASTY = "<script>alert('1')</script> \"double\" 'single' `id` a_b^c {x} 100 % %d \\n @y $z µ漢 &amp; \x01"
SINGLE = "'begins and % ends with a quote, and is long enough for two lines'"
LATENCIES = [[0, 0.0], [1, 0.5], [2, 0.9], [3, 0.99], [9, 0.999], [40, 0.9999], [1400, 1.0]]


def plot(kind, file, **more):
    return {"kind": kind, "file": file, "title": NASTY, "x": NASTY, "y": NASTY, **more}


def every_plot():
    lines = [{"name": NASTY, "points": [[64, 3, 0, 4], [512, 20, 10, 40], [1400, 7]]},
             {"name": "spillway", "points": [[64, 1, 1, 1], [512, 5, 4, 6], [1400, None]]}]
    bars = [{"name": NASTY, "values": [60, 30, 215]}, {"name": SINGLE, "values": [12, 0, 14]},
            {"name": "spillway", "values": [700]}]
    return [
        plot("lines", "lines.svg", series=lines),
        plot("lines", "lines-log.svg", series=lines, log_y=True),
        plot("cdf", "cdf 100%.svg", series=[{"name": NASTY, "points": LATENCIES},
                                             {"name": "spillway", "points": LATENCIES[:4]}]),
        plot("stacked", "stacked.svg", parts=["receive", NASTY, SINGLE],
             bars=[{"name": NASTY, "values": [20, 0, 3]}, {"name": SINGLE, "values": [1, 2, 3]}]),
        plot("bars", "bars.svg", bars=bars),
        plot("bars", "bars-log.svg", bars=bars, log_y=True),
    ]


def every_result():
    spread = {"values": [1.0, 2.0, 3.0], "median": 2.0, "low": 1.0, "high": 3.0}
    return {
        "version": 1, "seconds": 612.4,
        "machine": {"cpu": NASTY, "cpus": 2, "tsc_ghz": 2.6, "kernel": "6", "dpdk": "22.11",
                    "compiler": "gcc", "commit": NASTY, "date": "2026-11-24T17:00:00Z",
                    "memory": "2 MiB pages", "load": 0.4,
                    "interruptions": {"seconds": 5, "over_us": {"1": 260, "100": 0.4}, "lost": 0.012},
                    "core_to_core_cycles": None},
        "against": {"commit": NASTY, "rows": [
            {"name": NASTY, "unit": "us", "before": 1, "after": 2, "ratio": 1.06, "low": 1.04, "high": 1.08},
            {"name": "slight", "before": 1, "after": 1, "ratio": 1.04, "low": 1.02, "high": 1.08}]},
        "benches": [
            {"name": NASTY, "title": NASTY, "about": NASTY, "commands": [NASTY], "notes": [NASTY],
             "figures": [{"name": NASTY, "unit": NASTY, "void": 2, **spread}],
             "ratios": [{"name": "below", "limit": 2.5, "better": "low", **spread},
                        {"name": "not above", "limit": 2.5, "better": "high", **spread},
                        {"name": "free", "limit": None, **spread}],
             "plots": every_plot()},
            {"name": "bare"},
        ],
    }


class Balanced(html.parser.HTMLParser):
    """Fails on an element that is not closed, or in another order; keeps text, attributes and ids."""

    VOID = "meta", "img"

    def __init__(self, text):
        super().__init__()
        self.open, self.text, self.elements = [], [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.text.append(data)


class Page(harness.TestCase):

    def setUp(self):
        super().setUp()
        if not plots.available():
            raise unittest.SkipTest("needs gnuplot: tools/setup gnuplot-nox installs it")

    def written(self, results):
        page.write(results, self.folder)
        text = (self.folder / "index.html").read_text(encoding="utf-8")
        self.assertNotIn("http", text)
        return text, Balanced(text)

    def picture(self, name):
        """Its text, line by line."""
        text = (self.folder / name).read_text(encoding="utf-8")
        root = xml.etree.ElementTree.fromstring(text)
        for tag in "script", "image", "foreignObject":
            self.assertIsNone(root.find(f".//{{*}}{tag}"), name)
        self.assertNotIn("http", re.sub(r'xmlns(:\w+)?="[^"]*"', "", text), name)
        return ["".join(element.itertext()) for element in root.iterfind(".//{*}text")]

    def test_everything(self):
        text, parsed = self.written(every_result())
        self.assertEqual([tag for tag, _ in parsed.elements if tag == "script"], [])
        shown = "".join(parsed.text)
        self.assertIn(plots.tidy(NASTY), shown)
        self.assertIn("1 of 2 limits met", shown)
        self.assertEqual((text.count('class="met"'), text.count('class="missed"')), (1, 2))
        self.assertEqual(text.count('class="changed"'), 1)
        files = {file.name for file in self.folder.iterdir()}
        self.assertEqual(files, {"index.html", *(one["file"] for one in every_plot())})
        images = [attributes for tag, attributes in parsed.elements if tag == "img"]
        self.assertEqual(len(images), len(every_plot()))
        ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
        self.assertEqual(len(ids), len(set(ids)))

    def test_names_in_pictures(self):
        """As they are, but for the kind of quote; gnuplot would run, format or swallow some."""
        for one in every_plot():
            self.assertTrue(plots.draw(one, self.folder))
            lines = " ".join(self.picture(one["file"]))
            for part in "<script>alert(’1’)</script>", "`id` a_b^c {x} 100 % %d", "µ漢 &amp;":
                self.assertIn(part, re.sub(r"\s+", " ", lines), one["file"])
            if one["kind"] in ("bars", "stacked"):
                self.assertIn("’begins and % ends with a quote, and is long enough for two lines’", lines)

    def test_nines(self):
        plots.draw(every_plot()[2], self.folder)
        labels = self.picture(every_plot()[2]["file"])
        for label in "p50", "p90", "p99", "p99.9", "p99.99":
            self.assertIn(label, labels)

    def test_almost_nothing(self):
        _, parsed = self.written({"version": 1, "benches": []})
        self.assertIn("No bench ran.", "".join(parsed.text))
        empty = [plot("lines", "a.svg", series=[]), plot("cdf", "b.svg", series=[]),
                 plot("stacked", "c.svg", parts=[], bars=[]), plot("bars", "d.svg", bars=[]),
                 plot("cdf", "e.svg", series=[{"name": "none", "points": []}]),
                 plot("bars", "f.svg", bars=[{"name": "none", "values": []}])]
        _, parsed = self.written({"version": 1, "benches": [{"name": "empty", "plots": empty}]})
        self.assertEqual("".join(parsed.text).count("nothing to draw"), len(empty))
        self.assertEqual([file.name for file in self.folder.iterdir()], ["index.html"])

    def test_single_points(self):
        """One point, equal values, 0 and tiny ones have axes too."""
        for at, values in enumerate(([5], [0], [1e-9], [3e9])):
            for log in False, True:
                for kind, more in (("lines", {"series": [{"name": "a", "points": [[1, *values]]}]}),
                                   ("bars", {"bars": [{"name": "a", "values": values}]})):
                    one = plot(kind, f"{kind}-{at}-{log}.svg", log_y=log, **more)
                    self.assertEqual(plots.draw(one, self.folder), values[0] > 0 or not log)

    def test_wrong(self):
        for wrong, says in ((plot("pie", "a.svg"), "pie"), (plot("lines", "../a.svg"), "../a.svg"),
                            (plot("lines", "a.png"), "a.png")):
            with self.assertRaisesRegex(ValueError, re.escape(says)):
                plots.draw(wrong, self.folder)
        with self.assertRaisesRegex(ValueError, "version 2"):
            page.write({"version": 2}, self.folder)

    def test_pktgen(self):
        def line(test, size, offered, received, **more):
            return {"tool": "pktgen", "version": "24.07.1", "test": test, "size": size,
                    "offered_mpps": offered, "received_mpps": received, "lost": 10,
                    "loss": 1 - received / offered, **more}
        lines = [line(test, size, 2.0, received) for test in ("sizes", "rfc2544")
                 for size in (1518, "imix", 64) for received in (1.0, 1.5, 1.9)]
        lines += [line("latency", 64, load, load, latency_us={"min": 1, "avg": 3 * load, "max": 90})
                  for load in (0.1, 0.5, 0.9)]
        lines += [line("mixed", "imix", 1.0, 1 - share / 100, share=share,
                       clear={"received_mpps": 0.5 - share / 200, "offered_mpps": 0.5, "loss": share / 100},
                       latency_us={"min": 1, "avg": 4, "p99": 8, "max": 9}) for share in (0, 10, 50)]
        bench = pktgen.pktgen_bench(lines)
        figures = {figure["name"]: figure for figure in bench["figures"]}
        self.assertEqual(figures["sizes, IMIX: received"]["values"], [1.0, 1.5, 1.9])
        self.assertEqual(figures["rfc2544, 64 B: throughput"]["median"], 1.5)
        self.assertEqual(figures["latency, 64 B at 0.5 Mpps: average latency"]["median"], 1.5)
        self.assertEqual(figures["mixed, IMIX, 50 % to protect, in the clear: received"]["low"], 0.25)
        self.assertEqual(figures["mixed, IMIX, 50 % to protect: p99 latency"]["median"], 8)
        _, parsed = self.written({"version": 1, "benches": [bench]})
        self.assertEqual(len([tag for tag, _ in parsed.elements if tag == "img"]), 4)
        self.picture("pktgen-latency.svg")
        with self.assertRaisesRegex(ValueError, "line 1: tool 'other'"):
            pktgen.pktgen_bench([{"tool": "other", "test": "sizes"}])
        self.assertEqual(pktgen.pktgen_bench([])["figures"], [])


if __name__ == "__main__":
    main()
