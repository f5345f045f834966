#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""results.py TEST FOLDER: prints the results that a test's script left there as JSON lines.

The file `results` has one line for each measurement, a word and then NAME=VALUE; the last line tells
whether the script came to its end. Latencies are in files of their own, beside it.
"""

import json
import pathlib
import statistics
import sys


class Incomplete(Exception):
    """The script did not come to its end; says why."""


def number(text):
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text


def latency(path):
    """Of Pktgen's probes, in microseconds. jitter: the mean difference from one to the next."""
    samples = [int(line) / 1000 for line in path.read_text(encoding="ascii").split()[1:]]
    if not samples:
        return None
    jitter = [abs(after - before) for before, after in zip(samples, samples[1:])]
    ordered = sorted(samples)

    def percentile(share):
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    figures = {"min": ordered[0], "avg": statistics.fmean(samples), "p50": percentile(0.5),
               "p99": percentile(0.99), "max": ordered[-1],
               "jitter": statistics.fmean(jitter) if jitter else 0}
    return {name: round(value, 3) for name, value in figures.items()} | {"probes": len(samples)}


def rates(seconds, sent, received, all_sent, all_received):
    """Rates are those of the measured time; what was lost is known of the whole trial only."""
    lost = max(0, int(all_sent - all_received))
    return {"offered_mpps": round(sent / seconds / 1e6, 6),
            "received_mpps": round(received / seconds / 1e6, 6),
            "lost": lost, "loss": round(lost / all_sent, 9) if all_sent else 0}


def in_the_clear(fields):
    """The same of the packets in the clear that are mixed with others, without the probes. Pktgen 24.07
    counts each size several times over, so that its counts are good for shares only."""
    sent = (1 - fields["probes"] / max(1, fields["all_sent"])) * (1 - fields["share"] / 100)
    probes = fields["probes"] / max(1, fields["all_received"])

    def received(which):
        share = fields[which + "below"] / max(1, fields[which + "by_size"])
        return fields[which + "received"] * max(0, share - probes)

    return rates(fields["seconds"], fields["sent"] * sent, received(""),
                 fields["all_sent"] * sent, received("all_"))


def measurement(test, version, fields, folder):
    record = {"tool": "pktgen", "version": version, "test": test}
    record |= {name: fields[name] for name in ("size", "protect_size", "share", "load", "loss_tolerance")
               if name in fields}
    record |= rates(*(fields[name] for name in ("seconds", "sent", "received", "all_sent",
                                                "all_received")))
    if "below" in fields:
        record["clear"] = in_the_clear(fields)
    if "samples" in fields:
        record["latency_us"] = latency(folder / fields["samples"])
    return record


def records(test, folder):
    """Yields the measurements; raises Incomplete after the last one if the script ended before its time."""
    path = pathlib.Path(folder, "results")
    if not path.exists():
        raise Incomplete("Pktgen did not come to the script: it needs two ports, and memory")
    version = None
    for line in path.read_text(encoding="utf-8").splitlines():
        word, *rest = line.split()
        if word == "end":
            return
        if word == "error":
            raise Incomplete(" ".join(rest))
        fields = {name: number(value) for name, value in (field.split("=", 1) for field in rest)}
        if word == "pktgen":
            version = str(fields["version"])
        else:
            yield measurement(test, version, fields, path.parent)
    raise Incomplete("Pktgen ended within the script")


def main():
    if len(sys.argv) != 3:
        print("usage: results.py TEST FOLDER", file=sys.stderr)
        return 2
    try:
        for record in records(*sys.argv[1:]):
            print(json.dumps(record), flush=True)
    except Incomplete as why:
        print(f"results.py: {why}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
