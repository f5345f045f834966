# SPDX-License-Identifier: BSD-3-Clause
"""The programs that spillway is compared with, by name: what each needs, and its contenders.

options, besides those of contenders.arguments(): examples, the folder of DPDK's examples, built; chroot, the
folder that tests/bench/chroot made, or None.
"""

import argparse
import collections
import pathlib
import shutil

import forward
import gateways
import grout
import l3fwd
import mix
import ovs

ALGORITHM, BYTES = "aes-128-cbc+sha256", 1400

# packages: Debian's; suite: of another Debian, where they are in a chroot. contenders: from options.
# counted: it is linked with this machine's DPDK, so that count_mbufs can be preloaded, and ends as
# that expects.
Peer = collections.namedtuple("Peer", "packages suite contenders counted")


def example(options, name):
    """The options, with this example of DPDK's."""
    return argparse.Namespace(**{**vars(options), "example": pathlib.Path(options.examples) / name})


def flows(options):
    return forward.flows(options, 1024)


def with_testpmd(options):
    testpmd = forward.testpmd(options, flows(options)[0])
    testpmd.arguments.append("--no-flush-rx")  # what it receives before it starts it would drop
    return [testpmd]


def with_l3fwd(options):
    capture, rules = flows(options)
    options = example(options, "l3fwd")
    return [forward.l3fwd(options, capture, rules), *l3fwd.modes(options, capture)]


def protected(options):
    """A capture all of which is to be encrypted."""
    return mix.capture(options.folder, 100, BYTES, BYTES)


def with_secgw(options):
    return gateways.peers(example(options, "ipsec-secgw"), protected(options), ALGORITHM)


def with_ovs(options):
    return ovs.contenders(options, flows(options)[0])


def with_grout(options):
    return grout.contenders(options, flows(options)[0])


PEERS = {
    "testpmd": Peer(["dpdk-dev"], None, with_testpmd, True),
    "l3fwd": Peer(["libdpdk-dev"], None, with_l3fwd, True),
    "ipsec-secgw": Peer(["libdpdk-dev"], None, with_secgw, True),
    "ovs": Peer(["openvswitch-switch-dpdk"], None, with_ovs, False),
    "grout": Peer(grout.PACKAGES, grout.SUITE, with_grout, False),
}


def missing(options, name):
    """Why a peer can't run here; None if it can."""
    if name in ("l3fwd", "ipsec-secgw"):
        program = pathlib.Path(options.examples) / name / "build" / name
        return None if program.exists() else f"{program} is not built"
    if name == "ovs":
        return None if pathlib.Path(ovs.DAEMON).exists() else "needs openvswitch-switch-dpdk"
    if name == "grout" and options.chroot:
        there = (pathlib.Path(options.chroot) / "usr/bin/grout").exists()
        return None if there else f"not in {options.chroot}: tests/bench/chroot makes it"
    program = {"testpmd": "dpdk-testpmd"}.get(name, name)
    return None if shutil.which(program) else f"no {program} in PATH"
