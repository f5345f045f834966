# SPDX-License-Identifier: BSD-3-Clause
"""The report of a run of benches: one page of HTML, and the pictures beside it.

It has no script and nothing from elsewhere, and is light or dark as its reader is. At the top is what tells
how far the figures can be trusted; every figure has its range.
"""

import html
import pathlib
import urllib.parse

import plots
from plots import number

VERSION = 1
NOTICEABLE = 0.03  # a change whose whole range is beyond that

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59626d; --paper: #fff; --line: #d4d9df;
  --box: #f4f6f8; --link: #0a62b0; --good: #0b7a4b; --bad: #b83a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --soft: #9ba5b0; --paper: #111;
  --line: #343a42; --box: #1b1e22; --link: #69b4f5; --good: #4cc38a; --bad: #ff8b5c; } }
body { margin: 0 auto; padding: 1.2rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1, h2, h3 { line-height: 1.25; }
h2 { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1.5rem; }
p, ul { max-width: 46rem; }
a { color: var(--link); }
.box { background: var(--box); border: 1px solid var(--line); border-radius: 6px;
  padding: .2rem 1.2rem 1rem; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: 1.2rem; }
.pair > *, .pictures > * { min-width: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .9rem .25rem 0; text-align: left; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { font-weight: 500; color: var(--soft); }
td:first-child:not(.n) { white-space: normal; min-width: 9rem; overflow-wrap: anywhere; }
.n { text-align: right; }
.met { color: var(--good); }
.missed, .changed { color: var(--bad); font-weight: 600; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); gap: 1rem;
  align-items: start; }
figure { margin: .5rem 0; overflow-x: auto; }
figure img { width: 100%; min-width: 26rem; max-width: 40rem; }
pre { overflow-x: auto; background: var(--box); padding: .8rem; border-radius: 6px; font-size: .85rem; }
summary { cursor: pointer; color: var(--link); }
"""


def text(value):
    return html.escape(plots.tidy(value))


def table(head, rows):
    """head: titles, those of numbers begin with '#'. Cells are HTML."""
    style = [' class="n"' if title.startswith("#") else "" for title in head]
    titles = "".join(f"<th{cell}>{text(title.lstrip('#'))}</th>" for title, cell in zip(head, style))
    body = "\n".join("<tr>" + "".join(f"<td{how}>{cell}</td>" for how, cell in zip(style, row)) + "</tr>"
                     for row in rows)
    return (f'<div class="wide"><table><thead><tr>{titles}</tr></thead>\n'
            f"<tbody>\n{body}\n</tbody></table></div>")


def described(pairs):
    """A list of terms; those without a value are left out."""
    return "<dl>" + "\n".join(f"<dt>{text(term)}</dt><dd>{text(value)}</dd>" for term, value in pairs
                              if value is not None) + "</dl>"


def reach(entry, form=number):
    """From its lowest to its highest."""
    low, high = entry.get("low"), entry.get("high")
    return "" if low is None or high is None else f"{form(low)} to {form(high)}"


def ratio_number(value):
    return "–" if value is None else f"{value:.3f}" if abs(value) < 10 else number(value)


def met(ratio):
    """Whether the median is within the limit; None if it has none."""
    limit, median = ratio.get("limit"), ratio.get("median")
    if limit is None or median is None:
        return None
    return median >= limit if ratio.get("better") == "high" else median <= limit


def verdict(ratio):
    return {None: "", True: '<span class="met">✓</span>',
            False: '<span class="missed">missed</span>'}[met(ratio)]


def anchor(bench):
    return "-".join(plots.tidy(bench["name"]).split())


def title(bench):
    return text(bench.get("title") or bench["name"])


def link(bench):
    return f'<a href="#{text(urllib.parse.quote(anchor(bench)))}">{title(bench)}</a>'


def ratios(bench):
    rows = []
    for ratio in bench.get("ratios", ()):
        sign = "≥" if ratio.get("better") == "high" else "≤"
        limit = "" if ratio.get("limit") is None else f"{sign} {ratio['limit']:g}"
        rows.append([text(ratio["name"]), ratio_number(ratio.get("median")), verdict(ratio), limit,
                     reach(ratio, ratio_number), str(len(ratio.get("values", ())))])
    return table(["ratio", "#median", "", "#limit", "#range", "#runs"], rows) if rows else ""


def figures(bench):
    rows = [[text(figure["name"]), number(figure.get("median")), text(figure.get("unit", "")), reach(figure),
             str(len(figure.get("values", ()))), str(figure.get("void") or "")]
            for figure in bench.get("figures", ())]
    return table(["figure", "#median", "unit", "#range", "#runs", "#void"], rows) if rows else ""


def pictures(bench, folder):
    shown = []
    for plot in bench.get("plots", ()) if plots.available() else ():
        name = text(plot["title"])
        if plots.draw(plot, folder):
            file = text(urllib.parse.quote(plot["file"]))
            shown.append(f'<figure><a href="{file}"><img src="{file}" alt="{name}"></a></figure>')
        else:
            shown.append(f"<p>{name}: nothing to draw.</p>")
    return '<div class="pictures">' + "\n".join(shown) + "</div>" if shown else ""


def commands(bench):
    if not bench.get("commands"):
        return ""
    lines = "\n".join(text(command) for command in bench["commands"])
    return f"<details><summary>Commands</summary><pre>{lines}</pre></details>"


def section(bench, folder):
    about = f"<p>{text(bench['about'])}</p>" if bench.get("about") else ""
    notes = "".join(f"<li>{text(note)}</li>" for note in bench.get("notes", ()))
    return "\n".join([
        f'<section id="{text(anchor(bench))}">', f"<h2>{title(bench)}</h2>", about,
        pictures(bench, folder), ratios(bench), figures(bench), f"<ul>{notes}</ul>" if notes else "",
        commands(bench), "</section>",
    ])


def machine_box(results):
    machine, seconds = results.get("machine", {}), results.get("seconds")
    took = None if seconds is None else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    ghz = machine.get("tsc_ghz")
    return '<div class="box"><h3>The machine</h3>' + described([
        ("CPU", machine.get("cpu")), ("CPUs", machine.get("cpus")),
        ("TSC", None if ghz is None else f"{ghz:g} GHz"), ("memory", machine.get("memory")),
        ("kernel", machine.get("kernel")), ("DPDK", machine.get("dpdk")),
        ("compiler", machine.get("compiler")), ("commit", machine.get("commit")),
        ("begun", machine.get("date")), ("took", took)]) + "</div>"


def trust_box(results):
    machine, benches = results.get("machine", {}), results.get("benches", ())
    every = [figure for bench in benches for figure in bench.get("figures", ())]
    void = sum(figure.get("void") or 0 for figure in every)
    runs = sum(len(figure.get("values", ())) for figure in every)
    load, cycles = machine.get("load"), machine.get("core_to_core_cycles")
    held, over = machine.get("interruptions") or {}, ""
    lost = held.get("lost")
    if held.get("over_us"):
        over = ("<p>Times a second that a polling loop was interrupted, "
                f"over {text(held.get('seconds', '?'))} s:</p>"
                + table([f"#> {us} µs" for us in held["over_us"]],
                        [[plots.short(count) for count in held["over_us"].values()]]))
    return '<div class="box"><h3>How far to trust this</h3>' + described([
        ("load", None if load is None else f"{load:g}, on {machine.get('cpus', '?')} CPUs"),
        ("time lost", None if lost is None else f"{100 * lost:.2f} % of a polling loop’s, to interruptions"),
        ("core to core", "not measured" if cycles is None else f"{cycles:g} cycles"),
        ("void runs", f"{void}, beside {runs} that count")]) + over + (
        "<p>What is compared ran in turns, so a ratio holds against the noise that its range shows. "
        "Plain figures belong to this machine and this hour.</p></div>")


def summary(results):
    """How many limits were met, and which were not."""
    benches = results.get("benches", ())
    judged = [(bench, ratio) for bench in benches for ratio in bench.get("ratios", ())
              if met(ratio) is not None]
    missed = [(bench, ratio) for bench, ratio in judged if not met(ratio)]
    lines = []
    if judged:
        lines.append(f"<p><strong>{len(judged) - len(missed)} of {len(judged)} limits met.</strong></p>")
    if missed:
        lines.append("<ul>" + "".join(
            f'<li><span class="missed">missed</span>: {text(ratio["name"])}, '
            f'{ratio_number(ratio["median"])} ({link(bench)})</li>' for bench, ratio in missed) + "</ul>")
    lines.append("<p>" + " · ".join(map(link, benches)) + "</p>" if benches else "<p>No bench ran.</p>")
    if not plots.available() and any(bench.get("plots") for bench in benches):
        lines.append("<p>No pictures: gnuplot is missing (<code>tools/setup gnuplot-nox</code>).</p>")
    return "\n".join(lines)


def change(row):
    """By how much it changed; marked if all of the range says so."""
    if row.get("ratio") is None:
        return "–"
    by = f"{(row['ratio'] - 1) * 100:+.1f} %".replace("-", "−")
    low, high = row.get("low"), row.get("high")
    if low is not None and high is not None and (low > 1 + NOTICEABLE or high < 1 - NOTICEABLE):
        return f'<span class="changed">{"▲" if low > 1 else "▼"} {by}</span>'
    return by


def comparison(against):
    rows = [[text(row["name"]), change(row), number(row.get("before")), number(row.get("after")),
             text(row.get("unit", "")), ratio_number(row.get("ratio")), reach(row, ratio_number)]
            for row in against.get("rows", ())]
    return (f"<h2>Against {text(against.get('commit', '?'))}</h2>\n"
            "<p>Before is that commit, after is this one; both ran in turns. "
            f"▲ and ▼ mark what changed by more than {100 * NOTICEABLE:g} % over its whole range.</p>\n"
            + table(["figure", "#change", "#before", "#after", "unit", "#ratio", "#range"], rows))


def write(results, folder):
    """index.html and its pictures, into the folder, which is made if it isn't there."""
    if results.get("version") != VERSION:
        raise ValueError(f"results of version {results.get('version')}: expected {VERSION}")
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    commit = results.get("machine", {}).get("commit")
    page = "\n".join([
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>spillway: benches{' of ' + text(commit) if commit else ''}</title>",
        f"<style>{STYLE}</style></head><body>", "<h1>spillway: what the benches measured</h1>",
        summary(results), f'<div class="pair">{machine_box(results)}\n{trust_box(results)}</div>',
        comparison(results["against"]) if results.get("against") else "",
        *(section(bench, folder) for bench in results.get("benches", ())), "</body></html>\n",
    ])
    (folder / "index.html").write_text(page, encoding="utf-8")
