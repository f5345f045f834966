# SPDX-License-Identifier: BSD-3-Clause
"""Two IPsec gateways on the same capture, with the same keys: spillway and DPDK's ipsec-secgw.

Both put mix.PROTECT into one tunnel and let the rest pass in the clear, without ESN, from a capture
to a port that frees packets.
"""

import collections
import os
import pathlib

from contenders import TRANSMITTED, Contender, memory, spillway, vdevs

SPI, SOURCE, DESTINATION = 0x1001, "192.0.2.1", "198.51.100.1"

# keys: lengths in bytes, an AEAD's with its salt. device: the crypto device that is the fastest in
# ipsec-secgw. ways: names and what of ipsec-secgw's configuration and flags they take; it has code of
# its own for ESP, which uses queues, and with -l takes librte_ipsec, where it can call synchronously.
# Which of them is faster depends on the packets, so all run, and the best of them counts.
OWN, LIBRARY, CALL = ("own ESP", "", []), ("-l", "", ["-l"]), ("-l cpu-crypto", "cpu-crypto", ["-l"])
Algorithm = collections.namedtuple("Algorithm", "keys secgw device ways")
ALGORITHMS = {
    "aes-128-gcm": Algorithm(
        [20], "aead_algo aes-128-gcm aead_key {}", "crypto_aesni_gcm", [OWN, CALL]),
    "aes-128-cbc+sha256": Algorithm(
        [16, 32], "cipher_algo aes-128-cbc cipher_key {} auth_algo sha256-hmac auth_key {}",
        "crypto_aesni_mb", [OWN, LIBRARY]),
    # Its own code makes no IV that ChaCha20-Poly1305 could use, and drops every packet.
    "chacha20-poly1305": Algorithm(
        [36], "aead_algo chacha20-poly1305 aead_key {}", "crypto_aesni_mb", [LIBRARY, CALL]),
}

SPILLWAY = """\
[sa to-branch]
direction = out
spi = {spi}
mode = tunnel
source = {source}
destination = {destination}
algorithm = {algorithm}
key-file = {key}
"""
RULES = "protect to-branch any from 10.1.0.0/16 to 10.2.0.0/16\n"

SECGW = """\
sp ipv4 out esp protect {spi} pri 2 src 10.1.0.0/16 dst 10.2.0.0/16 sport 0:65535 dport 0:65535
sp ipv4 out esp bypass pri 1 src 0.0.0.0/0 dst 0.0.0.0/0 sport 0:65535 dport 0:65535
sa out {spi} {keys} mode ipv4-tunnel src {source} dst {destination}{type}
rt ipv4 dst {destination}/32 port 1
rt ipv4 dst 172.17.0.0/16 port 1
"""


def keys(algorithm):
    return [bytes(range(1, length + 1)) for length in ALGORITHMS[algorithm].keys]


def configure(folder, algorithm):
    """Writes spillway's configuration, key and rules. Returns the flags that name them."""
    stem, rules = pathlib.Path(folder) / algorithm, pathlib.Path(folder) / "protect.rules"
    configuration, key = (stem.with_name(stem.name + end) for end in (".conf", ".key"))
    key.unlink(missing_ok=True)
    with open(os.open(key, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
        file.write(b"".join(keys(algorithm)).hex() + "\n")
    configuration.write_text(SPILLWAY.format(
        spi=SPI, source=SOURCE, destination=DESTINATION, algorithm=algorithm, key=key.name))
    rules.write_text(RULES)
    # Flows that are new at the start are all classified, else some of their packets are refused.
    return ["--config", configuration, "--rules", rules, "--on-pool-full", "classify=inline"]


def ours(options, name, capture, algorithm, *more, **how):
    return spillway(options, name, capture, *configure(options.folder, algorithm), *more, **how)


def secgw(options, source, algorithm, way, counter=TRANSMITTED):
    """One lcore does everything; a port that frees packets need not be polled, but a memif must have a queue
    of each kind."""
    queues = "(0,0,{0}),(1,0,{0})" if isinstance(source, tuple) else "(0,0,{0})"
    name, action, flags = way
    configuration = pathlib.Path(options.folder) / f"{algorithm}-{action or 'queue'}.cfg"
    configuration.write_text(SECGW.format(
        spi=SPI, source=SOURCE, destination=DESTINATION, type=f" type {action}" if action else "",
        keys=ALGORITHMS[algorithm].secgw.format(*(key.hex(":") for key in keys(algorithm)))))
    return Contender(f"ipsec-secgw, {name}", [
        options.examples["ipsec-secgw"] / "build" / "ipsec-secgw", *memory(options),
        "--file-prefix", "{prefix}", "--no-pci", "-l", options.cpu,
        "--vdev", f"{ALGORITHMS[algorithm].device}0", *vdevs(source), "--",
        "-p", "3", "-P", "--config", queues.format(options.cpu), "-f", configuration, *flags,
    ], counter)


def peers(options, source, algorithm, counter=TRANSMITTED):
    """ipsec-secgw in each of its ways; none if it is not there."""
    if "ipsec-secgw" not in options.compare:
        return []
    ways = ALGORITHMS[algorithm].ways
    return [secgw(options, source, algorithm, way, counter) for way in ways]
