# SPDX-License-Identifier: BSD-3-Clause
"""Pictures of measurements: a dict that says what is to be seen becomes an SVG file, drawn by gnuplot.

They have no background, and one set of colours that can be read on white and on near-black, for who embeds
them may be light or dark without telling. spillway comes first, and over the others.
"""

import html
import math
import pathlib
import re
import shutil
import subprocess
import textwrap

GREY = "#767c85"  # text and axes
INK = "#111111"   # text on a coloured area
# That the colour-blind can tell apart, at 3 : 1 or more against white and #111.
COLOURS = ["#1a8fe3", "#e8590c", "#0f9d76", "#b35fd0", "#a67c00", "#d6498f", "#7d8590", "#6d6ff0"]
POINTS = [7, 5, 9, 13, 11, 4, 6, 8]
DASHES = [1, 1, 2, 4, 5, 3, 1, 2]

# gnuplot's own error bars have white points in an SVG.
WHISKERS = "vectors heads nofilled size screen 0.006,90 linewidth 1.5"

WIDTH = 640
BAR = 34            # height of one that lies
LABEL = 30          # characters of a bar's name in a line
LEGEND = 50         # of a name in the legend
LEAST_SHARE = 1e-9  # of a distribution's end: smaller is the rounding of its sums


def available():
    return shutil.which("gnuplot") is not None


def number(value):
    """With three digits or more, thousands apart."""
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}".replace(",", "\u202f")
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 1 else f"{value:.3g}"


def short(value):
    """The same for a picture: short."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:.3g}\u202fM"
    return number(value) if abs(value) >= 1000 else f"{value:.3g}"


def tidy(value):
    """What XML allows: no control characters, no halves of characters."""
    plain = re.sub(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]", " ", str(value))
    return plain.encode("utf-8", "replace").decode("utf-8")


def spillway_first(entries):
    return sorted(entries, key=lambda entry: "spillway" not in entry["name"].lower())


def _text(value, width=70):
    """A string for gnuplot, in lines of at most `width`. In single quotes, for it runs commands that stand in
    double ones; with apostrophes for those within, which it escapes in a way of its own at each place."""
    lines = textwrap.wrap(tidy(value), width) or [" "]
    return '."\\n".'.join("'" + line.replace("'", "\u2019") + "'" for line in lines)


def _line(value, width):
    """The same in one line, with an ellipsis for what has no room."""
    plain = " ".join(tidy(value).split())
    return _text(plain if len(plain) <= width else plain[:width - 1] + "…", width)


def _tics(pairs):
    return "(" + ", ".join(f"{_text(label)} {at!r}" for label, at in pairs) + ")"


def _block(name, rows):
    return "\n".join([f"${name} << EOD", *(" ".join(map(str, row)) for row in rows), "EOD"])


def _finite(value):
    return value is not None and math.isfinite(value)


def _logarithmic(values):
    """Range from and to one of 1, 2, 5, ... that holds the values, which are above 0, and its tics."""
    least, most = min(values), max(values)
    decades = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    marks = [float(f"{step}e{decade}") for decade in decades for step in (1, 2, 5)]
    low = max(mark for mark in marks if mark <= least)
    high = min([mark for mark in marks if mark >= most and mark > low])
    steps = marks if high / low <= 200 else marks[::3]
    return low, high, [(short(mark), mark) for mark in steps if low <= mark <= high]


def _width(left):
    """Characters of a line in the middle between left axis and right edge."""
    return int((WIDTH - left) / 8)


def _frame(plot, height, names, left=70):
    """What all have: size, colours, title, a legend below that has as many columns as there is room for.
    left: what the vertical axis takes."""
    columns = max(1, int((WIDTH - left) / (min(LEGEND, max(map(len, names), default=0)) * 7.5 + 60)))
    title = textwrap.wrap(tidy(plot["title"]), _width(left))
    height += 28 * bool(names) + 21 * math.ceil(len(names) / columns) + 20 * max(1, len(title))
    return [
        "set encoding utf8",
        f"set terminal svg size {WIDTH},{height:.0f} dynamic noenhanced font 'sans-serif,14'",
        f"set border 3 linecolor rgb '{GREY}'",
        f"set grid linecolor rgb '{GREY}' linewidth 0.4 dashtype 3",
        f"set tics nomirror textcolor rgb '{GREY}'",
        "set key bmargin center horizontal reverse Left samplen 2 height 1 "
        f"maxcols {columns} textcolor rgb '{GREY}'",
        f"set title {_text(plot['title'], _width(left))} textcolor rgb '{GREY}' font ',15'",
    ]


def _axis(axis, label, low, high, tics=None, log=False):
    script = [f"set {axis}label {_line(label, 45)} textcolor rgb '{GREY}'",
              f"set {axis}range [{low!r}:{high!r}]"]
    if log:
        script.append(f"set logscale {axis}")
    if tics:
        script.append(f"set {axis}tics {_tics(tics)}")
    return script


def _styles(series):
    """Of lines: spillway's are thick."""
    return [f"set style line {at + 1} linecolor rgb '{COLOURS[at % 8]}' pointtype {POINTS[at % 8]} "
            f"pointsize 0.7 dashtype {DASHES[at % 8]} "
            f"linewidth {3 if 'spillway' in one['name'].lower() else 1.75}"
            for at, one in enumerate(series)]


def _legend(names, how):
    """Keys in their order, whatever the order in which the curves are drawn."""
    return [f"keyentry with {how(at)} title {_line(name, LEGEND)}" for at, name in enumerate(names)]


def _at_least(low, column):
    """For a logarithmic axis has no 0."""
    return f"({column} > {low!r} ? {column} : {low!r})"


def _few(values):
    """The values themselves as tics, where they are not too close; otherwise gnuplot's choice."""
    values = sorted(set(values))
    gap = (values[-1] - values[0]) * 0.07
    if len(values) > 8 or any(after - before < gap for before, after in zip(values, values[1:])):
        return None
    return [(short(value), value) for value in values]


def lines(plot):
    """y over x with the range of each point: [x, y, low, high] or [x, y]."""
    log, series = plot.get("log_y", False), []
    for one in spillway_first(plot["series"]):
        points = [[*point, point[1], point[1]][:4] for point in one["points"]
                  if all(map(_finite, point)) and (point[1] > 0 or not log)]
        if points:
            series.append({"name": one["name"], "points": points})
    if not series:
        return None
    every = [point for one in series for point in one["points"]]
    heights = [value for point in every for value in point[1:] if value > 0 or not log]
    xs = [point[0] for point in every]
    pad = (max(xs) - min(xs)) * 0.04 or 1
    if log:
        low, high, tics = _logarithmic(heights)
    else:
        low, high, tics = 0, max(heights) * 1.08 or 1, None
    names = [one["name"] for one in series]
    drawn = []
    for at in reversed(range(len(series))):
        drawn += [f"$s{at} using 1:2 with linespoints linestyle {at + 1} notitle",
                  f"$s{at} using 1:($4 > $3 ? {_at_least(low, '$3')} : NaN):(0):($4-{_at_least(low, '$3')}) "
                  f"with {WHISKERS} linecolor rgb '{COLOURS[at % 8]}' notitle"]
    return [
        *_frame(plot, 380, names),
        *_axis("x", plot["x"], min(xs) - pad, max(xs) + pad, _few(xs)),
        *_axis("y", plot["y"], low, high, tics, log),
        *_styles(series),
        *(_block(f"s{at}", one["points"]) for at, one in enumerate(series)),
        "plot " + ", ".join(_legend(names, lambda at: f"linespoints linestyle {at + 1}") + drawn),
    ]


def cdf(plot):
    """Of latencies: the share that is above, so that each further nine has as much room as that before."""
    series = []
    for one in spillway_first(plot["series"]):
        points = [[at, 1 - share] for at, share in one["points"] if at > 0 and math.isfinite(at)]
        if points:
            series.append({"name": one["name"], "points": points})
    above = [rest for one in series for _, rest in one["points"] if rest > LEAST_SHARE]
    if not above:
        return None
    digits = min(9, max(4, math.ceil(-math.log10(min(above)) - 1e-6)))
    floor = 10.0 ** -digits
    for one in series:  # what reaches 1 falls to the floor there: that is the maximum
        end = next((at for at, (_, rest) in enumerate(one["points"]) if rest < floor), len(one["points"]))
        one["points"] = [*one["points"][:end], *([at, floor] for at, _ in one["points"][end:end + 1])]
    nines = [("p50", 0.5), ("p90", 0.1), ("p99", 0.01)]
    nines += [("p99." + "9" * (digit - 2), 10.0 ** -digit) for digit in range(3, digits + 1)]
    low, high, tics = _logarithmic([at for one in series for at, _ in one["points"]])
    names = [one["name"] for one in series]
    return [
        *_frame(plot, 380, names),
        *_axis("x", plot["x"], low, high, tics, log=True),
        *_axis("y", "percentile", floor, 1.0, nines, log=True),
        *_styles(series),
        *(_block(f"s{at}", one["points"]) for at, one in enumerate(series)),
        "plot " + ", ".join(
            _legend(names, lambda at: f"lines linestyle {at + 1}")
            + [f"$s{at} with lines linestyle {at + 1} notitle" for at in reversed(range(len(series)))]),
    ]


def _lying(plot, names, most, tics=None, low=0, log=False):
    """The frame of bars that lie, for their names may be long: the first one on top."""
    count = len(plot["bars"])
    room = most * (most / low) ** 0.15 if log else most * 1.12
    wrapped = [textwrap.wrap(tidy(bar["name"]), LABEL) or [" "] for bar in plot["bars"]]
    left = 16 + 8 * max(len(line) for label in wrapped for line in label)
    rise = max(BAR, 21 * max(map(len, wrapped)))
    return [
        *_frame(plot, 110 + rise * count, names, left),
        *_axis("x", plot["y"], low, room, tics, log),
        f"set lmargin at screen {left / WIDTH:.3f}", f"set yrange [0.4:{count + 0.6}]", "unset ytics",
        # Not as tics: gnuplot takes those for formats, and cuts them.
        *(f"set label {_text(bar['name'], LABEL)} at graph 0, first {count - at} right "
          f"offset -1,{(len(label) - 1) / 2} textcolor rgb '{GREY}'"
          for at, (bar, label) in enumerate(zip(plot["bars"], wrapped))),
        f"unset grid\nset grid xtics linecolor rgb '{GREY}' linewidth 0.4 dashtype 3",
    ]


def stacked(plot):
    """Bars of parts, each with the sum behind it, and the number in a part that has room for it."""
    parts, bars = plot["parts"], plot["bars"]
    sums = [sum(filter(_finite, bar["values"])) for bar in bars]
    most = max(sums, default=0)
    if most <= 0:
        return None
    blocks, drawn = {}, []
    for part in range(len(parts)):
        rows = []
        for at, bar in enumerate(bars):
            values = [value if _finite(value) else 0 for value in bar["values"]]
            left, value = sum(values[:part]), values[part]
            label = short(value) if value >= most * 0.08 else '" "'
            rows.append([left, left + value, len(bars) - at, label])
        blocks[f"p{part}"] = rows
        drawn += [f"$p{part} using (($1+$2)/2):3:1:2:($3-0.34):($3+0.34) with boxxyerror "
                  f"fillstyle solid 1 noborder linecolor rgb '{COLOURS[part % 8]}' notitle",
                  f"$p{part} using (($1+$2)/2):3:4 with labels font ',12' textcolor rgb '{INK}' notitle"]
    totals = [[total, len(bars) - at, short(total)] for at, total in enumerate(sums)]
    drawn.append(f"$totals using 1:2:3 with labels left offset 0.5,0 textcolor rgb '{GREY}' notitle")
    return [
        *_lying(plot, parts, most),
        *(_block(name, rows) for name, rows in blocks.items()), _block("totals", totals),
        "plot " + ", ".join(
            _legend(parts, lambda at: f"boxes fillstyle solid 1 noborder linecolor rgb '{COLOURS[at % 8]}'")
            + drawn),
    ]


def bars(plot):
    """One value each, with its range: [value, low, high] or [value]."""
    log = plot.get("log_y", False)
    kept = [bar for bar in spillway_first(plot["bars"])
            if bar["values"] and all(map(_finite, bar["values"])) and (bar["values"][0] > 0 or not log)]
    if not kept:
        return None
    ours, peers = [], []
    for at, bar in enumerate(kept):
        value, from_, to = [*bar["values"], *bar["values"][:1] * 2][:3]
        ranks = ours if "spillway" in bar["name"].lower() else peers
        ranks.append([value, len(kept) - at, from_, to, short(value)])
    rows, low, tics = ours + peers, 0, None
    most = max(row[3] for row in rows) or 1
    if log:
        low, most, tics = _logarithmic([value for row in rows for value in row[:1] + row[2:4] if value > 0])
        low = 10.0 ** math.floor(math.log10(low / 3))  # so that the shortest bar is one
        _, most, tics = _logarithmic([low, most])
    least, drawn = _at_least(low, "$3"), []
    for name, ranks, colour in ("$ours", ours, COLOURS[0]), ("$peers", peers, COLOURS[6]):
        if ranks:
            drawn += [f"{name} using 1:2:({low!r}):1:($2-0.34):($2+0.34) with boxxyerror "
                      f"linecolor rgb '{colour}' fillstyle transparent solid 0.5 border rgb '{colour}'",
                      f"{name} using ($4 > $3 ? {least} : NaN):2:($4-{least}):(0) with {WHISKERS} "
                      f"linecolor rgb '{colour}'",
                      f"{name} using 4:2:5 with labels left offset 0.9,0 textcolor rgb '{GREY}'"]
    return [
        *_lying({**plot, "bars": kept}, [], most, tics, low, log),
        _block("ours", ours), _block("peers", peers), "unset key", "plot " + ", ".join(drawn),
    ]


KINDS = {"lines": lines, "cdf": cdf, "stacked": stacked, "bars": bars}


def draw(plot, folder):
    """Draws into the folder, as the plot's file. False if the plot has nothing to be seen."""
    name = plot["file"]
    if pathlib.PurePath(name).name != name or not name.endswith(".svg"):
        raise ValueError(f"plot's file '{name}': expected a name like mix-cycles.svg")
    if plot["kind"] not in KINDS:
        raise ValueError(f"{name}: plot of kind '{plot['kind']}': expected one of: {', '.join(KINDS)}")
    script = KINDS[plot["kind"]](plot)
    if script is None:
        return False
    done = subprocess.run(["gnuplot", "-d", "-"], input="\n".join(script) + "\n", capture_output=True,
                          encoding="utf-8", timeout=60, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{name}: gnuplot: {done.stderr.strip()}")
    title = html.escape(tidy(plot["title"]), quote=False)
    picture = done.stdout.replace("<title>Gnuplot</title>", f"<title>{title}</title>", 1)
    (pathlib.Path(folder) / name).write_text(picture, encoding="utf-8")
    return True
