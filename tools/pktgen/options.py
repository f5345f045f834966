# SPDX-License-Identifier: BSD-3-Clause
"""Measures a device under test with Pktgen-DPDK: port 0 sends, port 1 receives what comes through. Prints one
JSON object a line for each measurement."""

import argparse
import math
import os
import re
import shlex
import sys

SIZES = [64, 128, 256, 512, 1024, 1280, 1518]


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong."""

    def error(self, message):
        print(f"tools/pktgen/run: {message}", file=sys.stderr)
        sys.exit(2)


def listed(convert):
    return lambda text: [convert(part) for part in text.split(",")]


def within(least, most, unit, convert=float):
    """A converter for numbers in this range."""
    def checked(text):
        try:
            value = convert(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"'{text}' is no {unit} from {least} to {most}")
        return value
    return checked


def size(text):
    return text if text == "imix" else within(64, 1518, "size in bytes (or imix)", int)(text)


def share(text):
    value = within(0, 100, "share in per cent", int)(text)
    if value % 10:
        raise argparse.ArgumentTypeError(f"'{text}' is no multiple of 10")
    return value


def cpus(text):
    values = listed(within(0, 1023, "CPU", int))(text)
    if len(values) < 3 or len(values) % 2 == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not one CPU, and then as many for each port: 0,1,2")
    return values


def mac(text):
    if not re.fullmatch(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", text):
        raise argparse.ArgumentTypeError(f"'{text}' is no MAC address: 02:00:00:00:00:01")
    return text


def size_class(bytes_with_fcs):
    """Pktgen counts what it receives by these classes: 64, up to 127, up to 255 and so on."""
    return sum(bytes_with_fcs >= least for least in (65, 128, 256, 512, 1024))


def add_sizes(test, sizes):
    test.add_argument("--sizes", type=listed(size), default=sizes, metavar="LIST",
                      help=f"in bytes with FCS, or imix [{','.join(map(str, sizes))}]")


def add_rate(test, what):
    test.add_argument("--rate", type=within(0, 1000, "rate in Mpps"), default=0, metavar="MPPS", help=what)


def add_tests(tests):
    test = tests.add_parser("sizes", help="the rate at which packets of each size come through")
    add_sizes(test, SIZES + ["imix"])
    add_rate(test, "sent [as fast as Pktgen can]")

    test = tests.add_parser("rfc2544", help="throughput, by binary search")
    add_sizes(test, SIZES)
    test.add_argument("--loss", type=within(0, 1, "share"), default=0, help="share that may be lost [0]")
    test.add_argument("--precision", type=within(0.001, 0.5, "share"), default=0.01,
                      help="share of the full rate at which the search ends [0.01]")

    test = tests.add_parser("latency", help="latency at shares of a rate")
    add_sizes(test, [64])
    add_rate(test, "that the shares are of [what comes through at full speed]")
    test.add_argument("--loads", type=listed(within(1, 100, "share in per cent", int)), metavar="LIST",
                      default=[10, 50, 90], help="per cent of the rate [10,50,90]")

    test = tests.add_parser("mixed", help="packets in the clear beside packets to protect")
    add_rate(test, "sent [as fast as Pktgen can]")
    test.add_argument("--shares", type=listed(share), default=[0, 10, 50, 90], metavar="LIST",
                      help="per cent to protect [0,10,50,90]")
    test.add_argument("--clear-size", type=within(64, 1518, "size in bytes", int), default=64,
                      metavar="BYTES", help="of those in the clear, with FCS [64]")
    test.add_argument("--protect-size", type=within(128, 1518, "size in bytes", int), default=1400,
                      metavar="BYTES", help="of those to protect [1400]")


def parse():
    parser = Parser(prog="tools/pktgen/run", description=__doc__)
    parser.add_argument("--pktgen", default=os.environ.get("SPILLWAY_PKTGEN", "pktgen"), metavar="PATH",
                        help="the program [$SPILLWAY_PKTGEN, or pktgen from PATH]")
    parser.add_argument("--lcores", type=cpus, default=[0, 1, 2], metavar="CPUS",
                        help="for its screen, for port 0, for port 1; as many for each port [0,1,2]")
    parser.add_argument("--eal", default="", type=shlex.split, metavar="ARGUMENTS",
                        help="of DPDK's, with the two ports: '-a 0000:41:00.0 -a 0000:41:00.1'")
    parser.add_argument("--mac", type=mac, help="where packets are sent to [Pktgen's port 1]")
    parser.add_argument("--seconds", type=within(1, 3600, "number of seconds", int), default=5,
                        help="that each rate is measured for [5]")
    add_tests(parser.add_subparsers(dest="test", required=True, metavar="TEST", parser_class=Parser))
    options = parser.parse_args()
    if options.test == "mixed" and size_class(options.clear_size) >= size_class(options.protect_size):
        parser.error(f"--clear-size {options.clear_size}, --protect-size {options.protect_size}: the latter "
                     "must be in a larger of Pktgen's classes, which begin at 128, 256, 512 and 1024")
    return options
