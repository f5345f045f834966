# SPDX-License-Identifier: BSD-3-Clause
"""How programs end: SIGTERM under full load, from a capture without end.

For each end: how long from the signal until the process was gone, its status, packets received and neither
transmitted nor counted as dropped, mbufs that were not back in their pools. spillway's report tells the last
two; for programs that don't say, count_mbufs is preloaded; None where neither can tell.
"""

import collections
import contextlib
import json
import os
import pathlib
import select
import signal
import statistics
import tempfile
import time

from contenders import START_SECONDS, under_load

END_RUNS = 5
END_SECONDS = 20

# report: the program's own, where it writes one.
End = collections.namedtuple("End", "ms status unaccounted mbufs_left report", defaults=[None])


def counts(path):
    """Of count_mbufs: packets and mbufs, each None if not told."""
    if not path.exists():
        return None, None
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    ports = [int(line[2]) - int(line[3]) for line in lines if line[0] == "port"]
    pools = [int(line[2]) for line in lines if line[0] == "pool"]
    return sum(ports) if ports else None, sum(pools) if pools else None


def terminate(process):
    """How long it took it to end, in ms. A pidfd tells the moment, where wait() looks now and then."""
    with contextlib.closing(os.fdopen(os.pidfd_open(process.pid))) as gone:
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        if not select.select([gone], [], [], END_SECONDS)[0]:
            process.kill()
            raise ValueError(f"did not end within {END_SECONDS} s")
        return (time.monotonic() - began) * 1000


def end(contender, options, count_mbufs):
    """One end. count_mbufs: the library to preload, or None."""
    prefix = f"bench-{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="spillway-end-") as folder, \
         open(f"{folder}/log", "w+b") as log:
        told = pathlib.Path(folder) / "counts"
        if count_mbufs:
            contender.environment = {"LD_PRELOAD": os.path.abspath(count_mbufs),
                                     "COUNT_MBUFS": str(told)}
        try:
            with contender.running(prefix, log) as process:
                under_load(contender, process, prefix, time.monotonic() + START_SECONDS)
                time.sleep(options.warm_up)
                ms = terminate(process)
                status = process.wait()
            if contender.report:
                report = json.loads(pathlib.Path(contender.report).read_text(encoding="utf-8"))
                return End(ms, status, report["packets"]["in_flight"], report["leaked_mbufs"],
                           report)
            return End(ms, status, *counts(told))
        except (OSError, ValueError, KeyError) as error:
            log.seek(0)
            text = log.read().decode(errors="replace")
            raise SystemExit(f"{contender.name}: {error!r}\n{text[-2000:]}") from error
        finally:
            contender.environment = {}


def ends(contenders, options, count_mbufs=None, runs=END_RUNS):
    """Ends of each contender by its name; they take turns. count_mbufs: for all of these."""
    told = {contender.name: [] for contender in contenders}
    for _ in range(runs):
        for contender in contenders:
            told[contender.name].append(end(contender, options, count_mbufs))
    return told


def tell(told):
    """A line for each program: the median of its times and their range, and what all runs had."""
    def each(values):
        return ",".join(sorted({"?" if value is None else str(value) for value in values}))

    print(f"    {'':27} {'ms':>7} {'':>16} {'status':>7} {'unaccounted':>12} {'mbufs left':>11}")
    for name, runs in told.items():
        times = sorted(run.ms for run in runs)
        spread = f"{times[0]:.0f} to {times[-1]:.0f}"
        print(f"    {name:27} {statistics.median(times):7.1f} {spread:>16} "
              f"{each(run.status for run in runs):>7} {each(run.unaccounted for run in runs):>12} "
              f"{each(run.mbufs_left for run in runs):>11}", flush=True)
