# SPDX-License-Identifier: BSD-3-Clause
"""The programs that spillway is compared with, by name: what each needs, and its contenders."""

import collections
import pathlib
import shutil

import fastpath
import flows
import gateways
import grout
import l3fwd
import mix
import ovs
import vpp

ALGORITHM, BYTES = "aes-128-cbc+sha256", 1400

# packages: Debian's, which tools/bench installs when the peer is asked for. contenders: from options; how they
# end is looked at for the first `ends` of them. counted: they are linked with this machine's DPDK, so that
# count_mbufs can be preloaded, and end as that expects.
Peer = collections.namedtuple("Peer", "packages contenders ends counted")


def forwarded(options):
    return flows.capture(options.folder, fastpath.FLOWS)


def with_testpmd(options):
    testpmd = fastpath.testpmd(options, forwarded(options))
    testpmd.arguments.append("--no-flush-rx")  # what it receives before it starts it would drop
    return [testpmd]


def with_l3fwd(options):
    return [fastpath.exact_match(options, *flows.files(options.folder, fastpath.FLOWS)),
            *l3fwd.modes(options, forwarded(options))]


def with_secgw(options):
    capture = mix.capture(options.folder, 100, BYTES, BYTES)
    return gateways.peers(options, capture, ALGORITHM)


def with_ovs(options):
    return ovs.contenders(options, forwarded(options))


def with_grout(options):
    return grout.contenders(options, forwarded(options))


def with_vpp(options):
    return [vpp.forwarding(options, forwarded(options))]


PEERS = {
    "testpmd": Peer(["dpdk-dev"], with_testpmd, 1, True),
    "l3fwd": Peer([], with_l3fwd, 1, True),
    "ipsec-secgw": Peer([], with_secgw, 2, True),
    "ovs": Peer(["openvswitch-switch-dpdk"], with_ovs, 1, False),
    "grout": Peer(["mmdebstrap"], with_grout, 1, False),
    "vpp": Peer([], with_vpp, 1, False),
}
USUAL = ["testpmd", "l3fwd", "ipsec-secgw"]


def missing(options, name):
    """Why a peer can't run here; None if it can."""
    if name in options.examples:
        return None if options.examples[name] else "its source can't be had or built"
    if name == "ovs":
        return None if pathlib.Path(ovs.DAEMON).exists() else "needs openvswitch-switch-dpdk"
    if name == "grout" and options.chroot:
        return None
    programs = {"testpmd": ["dpdk-testpmd"], "vpp": ["vpp", "vppctl"]}.get(name, [name])
    lacking = [program for program in programs if not shutil.which(program)]
    return None if not lacking else f"no {lacking[0]} in PATH" + (
        {"grout": ": --chroot makes a place for it", "vpp": ": it is in no Debian, FD.io has packages"}.get(name, ""))
