# SPDX-License-Identifier: BSD-3-Clause
"""DPDK's l3fwd in each of its modes, and spillway with as many rules as l3fwd's ACL has.

em has a rule for each flow (fastpath.py); lpm and fib have two routes that hold all addresses; acl has the
rules of rules.py. These deny, so the first rule lets the capture's flows pass: both programs have the same
rules in the same order, and the earliest match wins in both.
"""

import rules
from contenders import Contender, memory, spillway, vdevs
from flows import DESTINATION_PORT

RULE_COUNTS = [10, 1000, 10000]
ROUTES = {"4": "R0.0.0.0/1 1\nR128.0.0.0/1 1\n", "6": "R2001:db8::/32 1\n"}
OURS = f"allow udp from 10.0.0.0/8 to 192.168.1.1/32 port {DESTINATION_PORT}\n"
THEIRS = f"R10.0.0.0/8 192.168.1.1/32 0 : 65535 {DESTINATION_PORT} : {DESTINATION_PORT} 0x11/0xff 1\n"
THEIRS_6 = "R{0} {0} 0 : 65535 0 : 65535 0x11/0xff 1\n".format("2001:db8:0:0:0:0:0:0/32")  # it wants one


def write(options, name, text):
    path = options.folder / name
    path.write_text(text, encoding="ascii")
    return path


def denials(count):
    """So many rules, one of them for the flows of the capture, in the form that both programs read."""
    return "".join(f"{rule}\n" for rule in rules.generate(count - 1))


def l3fwd(options, capture, mode, files, name=None):
    """files: rules for IPv4 and IPv6. On one lcore: the capture source has one queue."""
    return Contender(name or f"l3fwd {mode}", [
        options.examples["l3fwd"] / "build" / "l3fwd", *memory(options), "--file-prefix",
        "{prefix}", "--no-pci", "-l", options.cpu, *vdevs(capture), "--", "--lookup", mode, "-p", "3",
        "--config", f"(0,0,{options.cpu}),(1,0,{options.cpu})", "--parse-ptype",
        "--rule_ipv4", files[0], "--rule_ipv6", files[1]])


def routed(options, capture, mode):
    """lpm or fib."""
    return l3fwd(options, capture, mode,
                 [write(options, f"l3fwd-{family}.routes", text) for family, text in ROUTES.items()])


def acl(options, capture, count):
    files = [write(options, f"l3fwd-{count}.acl", THEIRS + denials(count)),
             write(options, "l3fwd-6.acl", THEIRS_6)]
    return l3fwd(options, capture, "acl", files, f"l3fwd acl, {count} rules")


def filtering(options, source, first, file):
    """acl with the rules of a file that spillway reads; the first line there is no ClassBench filter, and `first` takes
    its place. In the others, what follows the last tab is `allow` or `deny`."""
    lines = [first]
    for line in file.read_text(encoding="ascii").splitlines()[1:]:
        rule, _, action = line.rsplit("\t", maxsplit=2)
        lines.append(f"R{rule[1:]} 1" if action == "allow" else rule)
    return l3fwd(options, source, "acl", [write(options, f"l3fwd-{file.stem}.acl", "\n".join([*lines, ""])),
                                          write(options, "l3fwd-6.acl", THEIRS_6)])


def modes(options, capture):
    return [*(routed(options, capture, mode) for mode in ("lpm", "fib")),
            *(acl(options, capture, count) for count in RULE_COUNTS)]


def ours(options, capture, count):
    """spillway with the rules of acl()."""
    file = write(options, f"spillway-{count}.rules", OURS + denials(count))
    return spillway(options, f"spillway, {count} rules", capture, "--rules", file,
                    # All flows are new at the start: classified at once, none of their packets is refused.
                    "--on-pool-full", "classify=inline")
