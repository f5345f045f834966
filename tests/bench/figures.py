# SPDX-License-Identifier: BSD-3-Clause
"""What a bench found: figures, ratios of one run, plots. Printed as they come and kept for results.json."""

import statistics


def spread(values):
    return {"values": values, "median": statistics.median(values), "low": min(values), "high": max(values)}


def extent_of(values):
    """What a plot wants of several values: the middle, the lowest, the highest."""
    return [statistics.median(values), min(values), max(values)]


class Bench:
    """One of tools/bench's subjects. `record` is its entry in results.json."""

    def __init__(self, name, title, about):
        self.record = {"name": name, "title": title, "about": about, "commands": [], "notes": [],
                       "figures": [], "ratios": [], "plots": []}
        print(f"{name}: {title}", flush=True)

    def figure(self, name, unit, values, void=0, **more):
        """Values of the runs, of which so many did not have their CPUs; and what else is to be kept of them.
        Returns their median."""
        figure = {"name": name, "unit": unit, "void": void, **spread(values), **more}
        self.record["figures"].append(figure)
        print(f"  {name}: {figure['median']:.4g} {unit}{extent(figure)}"
              f"{f', {void} void' if void else ''}", flush=True)
        return figure["median"]

    def ratio(self, name, values, limit=None, better="low"):
        """Values of pairs of runs that followed each other. Returns their median."""
        ratio = {"name": name, "limit": limit, "better": better, **spread(values)}
        self.record["ratios"].append(ratio)
        verdict = ""
        if limit is not None:
            verdict = f", limit {limit}: {'met' if met(ratio) else 'MISSED'}"
        print(f"  {name}: {ratio['median']:.3f}{extent(ratio)}{verdict}", flush=True)
        return ratio["median"]

    def plot(self, kind, file, title, **what):
        """See plots.py for the kinds and what they want."""
        self.record["plots"].append({"kind": kind, "file": file, "title": title, **what})

    def command(self, command):
        text = command if isinstance(command, str) else " ".join(map(str, command))
        if text not in self.record["commands"]:
            self.record["commands"].append(text)

    def note(self, text):
        self.record["notes"].append(text)
        print(f"  {text}", flush=True)


def extent(one):
    """The range of several values."""
    return f" ({one['low']:.4g} to {one['high']:.4g})" if len(one["values"]) > 1 else ""


def met(ratio):
    if ratio["better"] == "low":
        return ratio["median"] <= ratio["limit"]
    return ratio["median"] >= ratio["limit"]


def pairs(ours, theirs):
    """Ratios of runs that took turns."""
    return [our / their for our, their in zip(ours, theirs)]
