#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes a random rule set that looks like those of ClassBench's seeds, as ClassBench filters.

Addresses are nested as in real sets: a few sites, networks within them, hosts within these; so many
rules share their upper bits. The profiles follow the published seeds: acl (hosts and services, few
wildcards, no source ports), fw (many wildcards, source ports as well), ipc (between the two). The
same arguments always give the same rules.
"""

import argparse
import ipaddress
import random

# Weights of: wildcard, site, network, host.
ADDRESSES = {
    "acl": ((15, 15, 40, 30), (3, 7, 45, 45)),
    "fw": ((35, 10, 25, 30), (25, 15, 30, 30)),
    "ipc": ((10, 20, 35, 35), (10, 20, 35, 35)),
}
# Weights of: any, exact, 1024-65535, 0-1023, another range.
PORTS = {
    "acl": ((100, 0, 0, 0, 0), (15, 60, 10, 1, 14)),
    "fw": ((70, 10, 17, 1, 2), (25, 50, 15, 2, 8)),
    "ipc": ((75, 15, 5, 1, 4), (45, 40, 5, 1, 9)),
}
PROTOCOLS = {"acl": (75, 15, 4, 6), "fw": (55, 25, 5, 15), "ipc": (60, 25, 5, 10)}
SERVICES = (20, 21, 22, 23, 25, 53, 67, 69, 80, 88, 110, 111, 123, 135, 137, 138, 139, 143, 161,
            162, 179, 389, 443, 445, 514, 515, 587, 636, 993, 995, 1433, 1521, 1723, 2049, 3128,
            3306, 3389, 5060, 5061, 5432, 5900, 6000, 6379, 8000, 8080, 8443, 9100, 11211, 27017)


class Networks:
    """Prefixes of one family, nested: lists of (address, length) for each level."""

    def __init__(self, generator, bits, rules):
        self.generator, self.bits = generator, bits
        site_lengths = (12, 14, 16, 16, 16, 18) if bits == 32 else (28, 32, 32, 36, 40, 48)
        network_lengths = ((20, 22, 23, 24, 24, 24, 25, 26, 27, 28) if bits == 32
                           else (48, 56, 64, 64))
        self.sites = [self.below(0, 0 if bits == 32 else 3, generator.choice(site_lengths))
                      for _ in range(max(4, rules // 400))]
        self.networks = [self.below(*generator.choice(self.sites),
                                    generator.choice(network_lengths))
                         for _ in range(max(8, rules // 20))]

    def below(self, address, length, new_length):
        """A random prefix of new_length bits within address/length."""
        if (address, length) == (0, 0):
            address, length = self.generator.randrange(1, 224) << 24, 8
        elif (address, length) == (0, 3):
            address = 1 << 125
        new_length = max(new_length, length)
        part = self.generator.getrandbits(new_length - length) if new_length > length else 0
        return address | part << (self.bits - new_length), new_length

    def draw(self, weights):
        level = self.generator.choices(range(4), weights)[0]
        if level == 0:
            return 0, 0
        if level == 1:
            return self.generator.choice(self.sites)
        network = self.generator.choice(self.networks)
        if level == 2:
            return network
        return self.below(*network, self.bits)


def draw_ports(generator, weights):
    kind = generator.choices(range(5), weights)[0]
    if kind == 1:
        known = generator.random() < 0.8
        port = generator.choice(SERVICES) if known else generator.randrange(65536)
        return port, port
    if kind == 4:
        first = generator.randrange(1024, 60000)
        return first, min(65535, first + generator.choice((1, 3, 9, 15, 99, 511, 1000)))
    return ((0, 65535), None, (1024, 65535), (0, 1023))[kind]


def generate(count, action="deny", profile="acl", family="4", seed=1):
    """Yields so many different rules. deny leaves the action word out."""
    generator = random.Random(f"{seed} {profile} {family} {count}")
    bits = 32 if family == "4" else 128
    address_type = ipaddress.IPv4Address if bits == 32 else ipaddress.IPv6Address
    networks = Networks(generator, bits, count)
    written = set()
    while len(written) < count:
        ends = [networks.draw(weights) for weights in ADDRESSES[profile]]
        protocols = (6, 17, 1 if bits == 32 else 58, 0)
        protocol = generator.choices(protocols, PROTOCOLS[profile])[0]
        ports = [(0, 65535), (0, 65535)]
        if protocol in (6, 17):
            ports = [draw_ports(generator, weights) for weights in PORTS[profile]]
        if ends[0][1] == 0 and ends[1][1] == 0 and ports[1] == (0, 65535):
            continue  # would hide most of what follows
        text = "@" + "\t".join(
            [f"{address_type(address)}/{length}" for address, length in ends]
            + [f"{first} : {last}" for first, last in ports]
            + [f"0x{protocol:02x}/0x{0xff if protocol else 0:02x}", "0x0000/0x0000"])
        if text in written:
            continue
        written.add(text)
        word = generator.choice(("allow", "deny")) if action == "mixed" else action
        yield text if action == "deny" else f"{text}\t{word}"


def write(path, first, count):
    """A file of one rule and then so many that allow or deny; made once, as it is always the same."""
    if not path.exists():
        path.write_text("\n".join([first, *generate(count, action="mixed")]) + "\n", encoding="ascii")
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("count", type=int, help="how many rules")
    parser.add_argument("--seed", type=int, default=1,
                        help="another number, another set (default 1)")
    parser.add_argument("--profile", choices=sorted(ADDRESSES), default="acl")
    parser.add_argument("--family", choices=("4", "6"), default="4")
    parser.add_argument("--action", choices=("deny", "allow", "mixed"), default="deny",
                        help="what the rules do; deny, the default, leaves the action word out")
    options = parser.parse_args()
    for rule in generate(options.count, options.action, options.profile, options.family, options.seed):
        print(rule)


if __name__ == "__main__":
    main()
