# SPDX-License-Identifier: BSD-3-Clause
"""A manual page (man(7)) of what a program's --help says."""
import datetime
import os

ABOUT = {
    "spillway": "inline firewall, router and IPsec gateway on DPDK",
    "spillwayctl": "shows and changes a running spillway",
    "spillway-load": "sends UDP packets at a rate, and accounts for what comes back",
}
FILES = {
    "spillway": [("/etc/spillway/spillway.conf", "what the service runs with"),
                 ("/usr/share/doc/spillway", "documents: reference, operations, IPsec, routing")],
    "spillwayctl": [("/run/dpdk/PREFIX/control", "socket of a spillway that root runs, for commands that change it"),
                    ("/run/dpdk/PREFIX/dpdk_telemetry.v2", "the same for what is shown")],
}


def plain(text):
    """Text that roff takes as it is."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga").replace("~", "\\(ti")
    return text.replace("^", "\\(ha").replace('"', "\\(dq")


def line(text):
    """A line of text, which is no request."""
    text = plain(text)
    return "\\&" + text if text.startswith(".") else text


def term(row):
    name = f"\\fB{plain(row.name)}\\fR"
    return name + (f" \\fI{plain(row.argument)}\\fR" if row.argument else "")


def paragraphs(blocks):
    """Text, and lines that are indented as examples."""
    out = []
    for lines in blocks:
        if all(text.startswith("  ") for text in lines):
            out += [".PP", ".RS 4", ".nf", *(line(text.strip("\n")[2:]) for text in lines), ".fi", ".RE"]
        else:
            out += [".PP", *(line(text.strip()) for text in lines)]
    return out[1:] if out and out[0] == ".PP" else out


def page(told, version, others):
    date = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", datetime.datetime.now().timestamp())),
                                           datetime.timezone.utc)
    out = [f'.TH {told.name.upper()} 1 {date:%Y-%m-%d} "spillway {version}" "User Commands"',
           ".SH NAME", f"{plain(told.name)} \\- {plain(ABOUT[told.name])}", ".SH SYNOPSIS"]
    for number, synopsis in enumerate(told.synopsis):
        name, rest = synopsis.split(" ", 1)
        out += [*([".br"] if number else []), f"\\fB{plain(name)}\\fR {plain(rest)}"]
    out += [".SH DESCRIPTION", *paragraphs(told.introduction)]
    for title, rows in told.groups:
        out.append(f'.SH "{plain(title.upper() if title in ("Commands", "Options") else title)}"')
        for row in rows:
            out += [".TP", term(row), line(row.help)]
    status = [lines for lines in told.ending if lines[0].startswith("Exit status: ")]
    rest = [lines for lines in told.ending if lines not in status]
    if rest:
        out += [".SH VALUES", *paragraphs(rest)]
    for lines in status:
        out += [".SH \"EXIT STATUS\"", line(" ".join(lines).replace("Exit status: ", ""))]
    if told.name in FILES:
        out.append(".SH FILES")
        for name, what in FILES[told.name]:
            out += [".TP", f"\\fI{plain(name)}\\fR", line(what)]
    out += [".SH \"SEE ALSO\"", ",\n".join(f".BR {plain(other)} (1)" for other in others).replace(" (1),", " (1),")]
    return "\n".join(out) + "\n"
