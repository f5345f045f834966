# SPDX-License-Identifier: BSD-3-Clause
"""What Pktgen-DPDK measured, as a bench: its JSON lines become figures and pictures for the report.

A line is one result: the same test again, with the same size, load and share, is another run of it.
"""

import statistics

TESTS = "sizes", "rfc2544", "latency", "mixed"

# Column of a line, its unit, and the figure's name.
RECEIVED = "received_mpps", "Mpps", "received"
RATE = "received_mpps", "Mpps", "throughput"
LOSS = "loss", "share", "lost"
LATENCIES = ("avg", "average"), ("p99", "p99")
CURVES = ("received back", "received_mpps"), ("offered", "offered_mpps")


def _size(line):
    return f"{line['size']} B" if line["size"] != "imix" else "IMIX"


def _setting(line):
    """What runs of one test have in common, the size last. The load: as it was asked for, in per cent, or
    else as it was, to three digits."""
    load = line.get("load", f"{line['offered_mpps']:.3g}") if line["test"] == "latency" else None
    return line.get("share"), load, line["size"]


def _order(setting):
    share, load, size = setting
    return share or 0, (size == "imix", size if size != "imix" else 0), float(load or 0)


def _groups(lines, test):
    """Lines of a test by their setting."""
    groups = {}
    for line in lines:
        if line["test"] == test:
            groups.setdefault(_setting(line), []).append(line)
    return [groups[setting] for setting in sorted(groups, key=_order)]


def _spread(values):
    return {"values": values, "median": statistics.median(values), "low": min(values), "high": max(values)}


def _figure(group, column, unit, what):
    line = group[0]
    name = f"{line['test']}, {_size(line)}"
    if line.get("share") is not None:
        name += f", {line['share']:g} % to protect"
    if "clear" in line:
        name += ", in the clear"
    return {"name": f"{name}: {what}", "unit": unit, "void": 0, **_spread([each[column] for each in group])}


def _latency_figures(group):
    line, load = group[0], statistics.median(line["offered_mpps"] for line in group)
    name = f"{line['test']}, {_size(line)}"
    name += f", {line['share']:g} % to protect" if line.get("share") is not None else f" at {load:.3g} Mpps"
    return [{"name": f"{name}: {what} latency", "unit": "µs", "void": 0,
             **_spread([line["latency_us"][column] for line in group])}
            for column, what in LATENCIES if all(column in line["latency_us"] for line in group)]


def _curve(name, groups, x, column):
    points = []
    for group in groups:
        spread = _spread([line[column] for line in group])
        points.append([group[0][x], spread["median"], spread["low"], spread["high"]])
    return {"name": name, "points": points}


def _over_sizes(groups, test, title):
    """Offered and received, over those sizes that are numbers; a mix has no place among them."""
    groups = [group for group in groups if group[0]["size"] != "imix"]
    if len(groups) < 2:
        return []
    return [{"kind": "lines", "file": f"pktgen-{test}.svg", "title": title, "x": "frame, B", "y": "Mpps",
             "series": [_curve(what, groups, "size", column) for what, column in CURVES]}]


def _latency_plot(groups):
    """For each size the average over the load, from the least to the greatest latency."""
    curves = {}
    for group in groups:
        told = [line["latency_us"] for line in group]
        curves.setdefault(_size(group[0]), []).append([
            statistics.median(line["offered_mpps"] for line in group),
            statistics.median(each["avg"] for each in told),
            min(each["min"] for each in told), max(each["max"] for each in told)])
    return [{"kind": "lines", "file": "pktgen-latency.svg", "x": "offered, Mpps", "y": "µs", "log_y": True,
             "title": "Latency under load: average, from least to greatest",
             "series": [{"name": name, "points": points} for name, points in curves.items()]}]


def _clear(group):
    """Of mixed packets those in the clear, where Pktgen told them apart."""
    return [{**line, **line.get("clear", {})} for line in group]


def _mixed_plots(groups):
    """Curves for each size over the share of packets to protect."""
    curves = {}
    for group in groups:
        curves.setdefault(_size(group[0]), []).append(_clear(group))
    return [{"kind": "lines", "file": "pktgen-mixed.svg", "x": "share to protect, %", "y": "Mpps",
             "title": "What came back of packets in the clear, mixed with packets to protect",
             "series": [_curve(f"{size}, {what}", each, "share", column) for size, each in curves.items()
                        for what, column in CURVES]}]


def pktgen_bench(lines):
    """lines: the objects. Returns the bench."""
    for number, line in enumerate(lines, 1):
        if line.get("tool") != "pktgen" or line.get("test") not in TESTS:
            raise ValueError(f"line {number}: tool '{line.get('tool')}', test '{line.get('test')}': "
                             f"expected pktgen and one of: {', '.join(TESTS)}")
    sizes, rfc2544, latency, mixed = (_groups(lines, test) for test in TESTS)
    latency, timed = ([group for group in groups if all(line.get("latency_us") for line in group)]
                      for groups in (latency, mixed))
    figures = [_figure(group, *column) for group in sizes for column in (RECEIVED, LOSS)]
    figures += [_figure(group, *column) for group in rfc2544 for column in (RATE, LOSS)]
    figures += [_figure(_clear(group), *column) for group in mixed for column in (RECEIVED, LOSS)]
    figures += [figure for group in latency + timed for figure in _latency_figures(group)]
    plots = _over_sizes(sizes, "sizes", "Offered and received back, by frame size")
    plots += _over_sizes(rfc2544, "rfc2544", "RFC 2544: throughput, by frame size")
    plots += _latency_plot(latency) if latency else []
    plots += _mixed_plots(mixed) if mixed else []
    versions = sorted({str(line["version"]) for line in lines if "version" in line})
    return {
        "name": "pktgen", "title": "Seen from Pktgen-DPDK",
        "about": "What a traffic generator on the other side of the ports sent, and got back.",
        "notes": [f"Pktgen {', '.join(versions)}."] if versions else [],
        "figures": figures, "plots": plots,
    }
