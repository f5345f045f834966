# SPDX-License-Identifier: BSD-3-Clause
"""How programs end: SIGTERM under full load, from a capture without end.

For each end: how long from the signal until the process was gone, its status, packets received and neither
transmitted nor counted as dropped, mbufs that were not back in their pools. spillway's report tells the last
two; for programs that don't say, count_mbufs is preloaded; None where neither can tell.
"""

import collections
import contextlib
import os
import pathlib
import select
import signal
import tempfile
import time

import fastpath
import flows
import gateways
import mix
from contenders import START_SECONDS, clean, read_report, spillway, under_load
from figures import extent_of
from peers import ALGORITHM, BYTES, PEERS

END_SECONDS = 20

End = collections.namedtuple("End", "ms status unaccounted mbufs_left")


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
                read_report(contender.report, status)  # or it fails
                return End(ms, status, 0, 0)
            return End(ms, status, *counts(told))
        except (OSError, ValueError, KeyError) as error:
            log.seek(0)
            text = log.read().decode(errors="replace")
            raise SystemExit(f"{contender.name}: {error!r}\n{text[-2000:]}") from error
        finally:
            contender.environment = {}
            clean(prefix)


def everyone(options):
    """Contenders, and whether count_mbufs can be preloaded."""
    ours = [spillway(options, "spillway", flows.capture(options.folder, fastpath.FLOWS), *fastpath.NO_RULES),
            gateways.ours(options, "spillway, ESP on the pool", mix.capture(options.folder, 100, BYTES, BYTES),
                          ALGORITHM, "--pool", options.control_cpu)]
    theirs = [(contender, PEERS[name].counted) for name in options.compare
              for contender in PEERS[name].contenders(options)[:PEERS[name].ends]]
    return [*((contender, False) for contender in ours), *theirs]


def drain(bench, options):
    """Ends of each, in turns."""
    library = options.build / "tests/bench/libcount_mbufs.so"
    told = {}
    contenders = everyone(options)
    for _ in range(options.runs):
        for contender, counted in contenders:
            bench.command(contender.command("NAME"))
            told.setdefault(contender.name, []).append(end(contender, options, library if counted else None))
    bars = []
    for name, ends in told.items():
        times = [one.ms for one in ends]
        bench.figure(f"{name}: gone after", "ms", times)
        for key, what in (("unaccounted", "unaccounted packets"), ("mbufs_left", "mbufs left in use")):
            values = [getattr(one, key) for one in ends]
            if None in values:
                bench.note(f"{name}: {what}: it does not tell")
            else:
                bench.figure(f"{name}: {what}", "at the end", values)
        if any(one.status != 0 for one in ends):
            bench.note(f"{name}: status {', '.join(sorted({str(one.status) for one in ends}))}")
        bars.append({"name": name, "values": extent_of(times)})
    bench.plot("bars", "drain.svg", "from SIGTERM under full load until the process is gone", y="ms", log_y=True,
               bars=bars)
