# SPDX-License-Identifier: BSD-3-Clause
"""ESP (RFC 4303) as a reference, apart from the program: naive, on top of python3-cryptography.

An SA turns a clear Ethernet frame into an ESP frame and back. The Ethernet header stays as it is
(tags too), only the ethertype follows the IP version. Known answers (esp_vectors.py), scapy and
tshark say that it is right: test_esp.py.
"""
import hashlib
import hmac
import ipaddress
import struct
import subprocess
from collections import namedtuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

TAGS = (0x8100, 0x88A8, 0x9100)
IPV4, IPV6 = 0x0800, 0x86DD
ETHERTYPE = {4: IPV4, 6: IPV6}
IPIP, UDP, IPV6_IN, ESP, NO_NEXT_HEADER = 4, 17, 41, 50, 59
HOP_BY_HOP, ROUTING, FRAGMENT, OPTIONS = 0, 43, 44, 60
NAT_PORT = 4500
NOT_ECT, ECT1, ECT0, CE = range(4)
TTL = 64


class Algorithm(namedtuple("Algorithm", "cipher key salt iv align digest icv")):
    """`key`, `salt`, `iv`, `icv`: bytes. `align`: of what is encrypted. `digest`: None for AEAD."""

    @property
    def auth_key(self):
        """Bytes of the authentication key: RFC 2404 and 4868 say as many as the digest has."""
        return hashlib.new(self.digest).digest_size if self.digest else 0

    @property
    def key_size(self):
        """Bytes in a key file."""
        return self.key + self.salt + self.auth_key


ICV = {"sha1": 12, "sha256": 16, "sha384": 24, "sha512": 32}
ALGORITHMS = {f"aes-{bits}-gcm": Algorithm("gcm", bits // 8, 4, 8, 4, None, 16)
              for bits in (128, 192, 256)}
ALGORITHMS["chacha20-poly1305"] = Algorithm("chacha", 32, 4, 8, 4, None, 16)
ALGORITHMS |= {f"aes-{bits}-cbc+{digest}": Algorithm("cbc", bits // 8, 0, 16, 16, digest, icv)
               for bits in (128, 192, 256) for digest, icv in ICV.items()}
ALGORITHMS |= {f"aes-{bits}-ctr+sha256": Algorithm("ctr", bits // 8, 4, 8, 4, "sha256", 16)
               for bits in (128, 192, 256)}
ALGORITHMS |= {f"null+{digest}": Algorithm("null", 0, 0, 0, 4, digest, icv)
               for digest, icv in ICV.items()}


class Refused(Exception):
    """A packet that a receiver must drop. `reason`: the drop reason's name in the report."""

    def __init__(self, reason, why):
        super().__init__(f"{reason}: {why}")
        self.reason = reason


# What an ESP packet holds. `padding` without the two bytes behind it.
Opened = namedtuple("Opened", "sequence iv data padding next_header")
# A decrypted frame: `frame` is the clear one; `outer` the IP header before ESP, `opened` an Opened.
Clear = namedtuple("Clear", "frame outer opened")


def checksum(data):
    """The Internet checksum (RFC 1071); of data with a right checksum in it: 0."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


def split(frame):
    """A frame's (link header without its ethertype, IP packet without what pads the frame)."""
    at = 12
    while struct.unpack_from("!H", frame, at)[0] in TAGS:
        at += 4
    packet = frame[at + 2:]
    return frame[:at], packet[:ip_length(packet)]


def ip_length(packet):
    """What an IP packet's header says about its length."""
    if packet[0] >> 4 == 4:
        return struct.unpack_from("!H", packet, 2)[0]
    return 40 + struct.unpack_from("!H", packet, 4)[0]


def join(link, packet):
    return link + struct.pack("!H", ETHERTYPE[packet[0] >> 4]) + packet


def headers(packet, behind_routing_options=True):
    """(bytes of headers that stay in front of ESP, offset of the byte that names what follows).

    RFC 4303, 3.1.1: IPv6 extension headers that routers look at stay in front; options for the
    destination alone go behind, if a routing header tells them apart.
    """
    if packet[0] >> 4 == 4:
        return (packet[0] & 15) * 4, 9
    at, name, routed = 40, 6, False
    while packet[name] in (HOP_BY_HOP, ROUTING, OPTIONS, FRAGMENT):
        if packet[name] == OPTIONS and routed and behind_routing_options:
            break
        routed |= packet[name] == ROUTING
        name, at = at, at + (8 if packet[name] == FRAGMENT else (packet[at + 1] + 1) * 8)
    return at, name


def with_lengths(header, name, next_header, size):
    """A header that says what follows it, and how long that is."""
    header = bytearray(header)
    header[name] = next_header
    if header[0] >> 4 == 4:
        struct.pack_into("!H", header, 2, len(header) + size)
        struct.pack_into("!H", header, 10, 0)
        struct.pack_into("!H", header, 10, checksum(bytes(header)))
    else:
        struct.pack_into("!H", header, 4, len(header) - 40 + size)
    return bytes(header)


def traffic_class(packet):
    """DSCP and ECN, as the byte that IPv4 has for them."""
    return packet[1] if packet[0] >> 4 == 4 else (struct.unpack_from("!H", packet)[0] >> 4) & 0xFF


def with_ecn(packet, ecn):
    """A packet with another ECN field."""
    packet = bytearray(packet)
    if packet[0] >> 4 == 6:
        packet[1] = packet[1] & 0xCF | ecn << 4
        return bytes(packet)
    packet[1] = packet[1] & 0xFC | ecn
    header, _ = headers(packet)
    packet[10:12] = b"\0\0"
    struct.pack_into("!H", packet, 10, checksum(bytes(packet[:header])))
    return bytes(packet)


def ecn_on_leaving(inner, outer):
    """The inner packet's ECN when a tunnel ends (RFC 6040, figure 4). Refused: must be dropped."""
    if outer == CE:
        if inner == NOT_ECT:
            raise Refused("esp_congestion", "CE outside, Not-ECT inside")
        return CE
    return ECT1 if (inner, outer) == (ECT0, ECT1) else inner


class SA:
    """`key`: bytes, as in the key file. Addresses: needed in tunnel mode; strings."""

    zero_checksum = False  # of UDP over IPv6, in what is sent
    ports = NAT_PORT, NAT_PORT  # of UDP: source, destination

    def __init__(self, algorithm, key, spi, mode="tunnel", source=None, destination=None, esn=False,
                 nat_traversal=False):
        self.name, self.algorithm = algorithm, ALGORITHMS[algorithm]
        self.key, self.spi, self.mode, self.esn = key, spi, mode, esn
        self.nat_traversal = nat_traversal
        self.source, self.destination = (address and ipaddress.ip_address(address)
                                         for address in (source, destination))
        if len(key) != self.algorithm.key_size:
            raise ValueError(f"{algorithm}: {len(key)} bytes of key, not {self.algorithm.key_size}")
        if mode == "tunnel" and not (self.source and self.destination):
            raise ValueError("a tunnel has two ends")
        sizes = self.algorithm.key, self.algorithm.salt
        self.cipher_key, rest = key[:sizes[0]], key[sizes[0]:]
        self.salt, self.auth_key = rest[:sizes[1]], rest[sizes[1]:]

    def __repr__(self):
        return (f"{self.name} {self.mode} {self.source} {self.destination} spi {self.spi:#x} "
                f"esn {self.esn} nat {self.nat_traversal}")

    # ------------------------------------------------------------------------ ESP alone

    def seal(self, data, next_header, sequence, iv=None, padding=None):
        """An ESP packet from its SPI on. `padding`: instead of the shortest one, 1, 2, 3, …"""
        if iv is None:
            iv = hashlib.sha256(self.key + struct.pack("!Q", sequence)).digest()[:self.algorithm.iv]
        if padding is None:
            padding = bytes(range(1, -(len(data) + 2) % self.algorithm.align + 1))
        plain = data + padding + struct.pack("!BB", len(padding), next_header)
        return self.seal_plain(plain, sequence, iv)

    def seal_plain(self, plain, sequence, iv):
        """The same, with a trailer of the caller's own in `plain`."""
        header = struct.pack("!II", self.spi, sequence & 0xFFFFFFFF)
        if not self.algorithm.digest:
            return header + iv + self._aead().encrypt(self.salt + iv, plain, self._aad(sequence))
        text = header + iv + self._crypt(plain, iv, encrypt=True)
        return text + self._mac(text, sequence)

    def open(self, esp, high=0):
        """What an ESP packet holds. `high`: upper half of its sequence number. Raises Refused."""
        iv_size, icv_size = self.algorithm.iv, self.algorithm.icv
        size = len(esp) - 8 - iv_size - icv_size
        if size < 2 or size % self.algorithm.align:
            raise Refused("esp_malformed", f"{len(esp)} bytes")
        spi, low = struct.unpack_from("!II", esp)
        if spi != self.spi:
            raise Refused("esp_no_sa", f"spi {spi:#x}")
        sequence, iv = high << 32 | low, esp[8:8 + iv_size]
        text, icv = esp[8 + iv_size:len(esp) - icv_size], esp[len(esp) - icv_size:]
        if not self.algorithm.digest:
            try:
                plain = self._aead().decrypt(self.salt + iv, text + icv, self._aad(sequence))
            except InvalidTag:
                raise Refused("esp_bad_icv", f"sequence {sequence}") from None
        else:
            if not hmac.compare_digest(icv, self._mac(esp[:len(esp) - icv_size], sequence)):
                raise Refused("esp_bad_icv", f"sequence {sequence}")
            plain = self._crypt(text, iv, encrypt=False)
        pad, next_header = plain[-2:]
        if pad > len(plain) - 2:
            raise Refused("esp_bad_padding", f"{pad} bytes of padding in {len(plain)}")
        data, padding = plain[:len(plain) - 2 - pad], plain[len(plain) - 2 - pad:-2]
        if padding != bytes(range(1, pad + 1)):
            raise Refused("esp_bad_padding", padding.hex())
        return Opened(sequence, iv, data, padding, next_header)

    def _aead(self):
        return (AESGCM if self.algorithm.cipher == "gcm" else ChaCha20Poly1305)(self.cipher_key)

    def _aad(self, sequence):
        """RFC 4106, 5: with ESN all of the sequence number."""
        return struct.pack("!IQ" if self.esn else "!II", self.spi,
                           sequence if self.esn else sequence & 0xFFFFFFFF)

    def _crypt(self, text, iv, encrypt):
        if self.algorithm.cipher == "null":
            return text
        mode = modes.CBC(iv) if self.algorithm.cipher == "cbc" else modes.CTR(
            self.salt + iv + b"\0\0\0\1")  # RFC 3686, 4
        cipher = Cipher(algorithms.AES(self.cipher_key), mode)
        step = cipher.encryptor() if encrypt else cipher.decryptor()
        return step.update(text) + step.finalize()

    def _mac(self, text, sequence):
        """RFC 4303, 2.2.1: with ESN its upper half follows the packet, but is not sent."""
        if self.esn:
            text += struct.pack("!I", sequence >> 32)
        return hmac.digest(self.auth_key, text, self.algorithm.digest)[:self.algorithm.icv]

    # ---------------------------------------------------------------------- whole frames

    def encrypt(self, frame, sequence, outer_class=None, dont_fragment=None, ttl=TTL, **how):
        """An ESP frame. Tunnel mode: DSCP, ECN and DF of the outer header are the inner packet's,
        unless given. `how`: as seal()."""
        link, packet = split(frame)
        if self.mode == "tunnel":
            esp = self.seal(packet, IPIP if packet[0] >> 4 == 4 else IPV6_IN, sequence, **how)
            if outer_class is None:
                outer_class = traffic_class(packet)
            if dont_fragment is None:  # IPv6 is as if it were set
                dont_fragment = packet[0] >> 4 == 6 or bool(packet[6] & 0x40)
            return join(link, self.outer(esp, outer_class, dont_fragment, sequence, ttl))
        size, name = headers(packet)
        esp = self._in_udp(self.seal(packet[size:], packet[name], sequence, **how))
        header = with_lengths(packet[:size], name, self._protocol(), len(esp))
        return join(link, header + self._summed(header, esp))

    def outer(self, esp, outer_class=0, dont_fragment=False, sequence=0, ttl=TTL):
        """An IP packet from this tunnel's one end to its other, around an ESP packet."""
        esp = self._in_udp(esp)
        ends = self.source.packed + self.destination.packed
        if self.source.version == 4:
            header = struct.pack("!BBHHHBBH", 0x45, outer_class, 0, sequence & 0xFFFF,
                                 0x4000 if dont_fragment else 0, ttl, 0, 0) + ends
        else:
            header = struct.pack("!IHBB", 6 << 28 | outer_class << 20, 0, 0, ttl) + ends
        header = with_lengths(header, 9 if self.source.version == 4 else 6, self._protocol(),
                              len(esp))
        return header + self._summed(header, esp)

    def _protocol(self):
        return UDP if self.nat_traversal else ESP

    def _in_udp(self, esp):
        """RFC 3948, 2.1; a checksum of zero."""
        if not self.nat_traversal:
            return esp
        return struct.pack("!HHHH", *self.ports, 8 + len(esp), 0) + esp

    def _summed(self, header, udp):
        """With the checksum that UDP must have over IPv6 (RFC 8200, 8.1), unless `zero_checksum`
        has it sent as a tunnel may (RFC 6935)."""
        if not self.nat_traversal or header[0] >> 4 == 4 or self.zero_checksum:
            return udp
        summed = checksum(pseudo_header(header, UDP, len(udp)) + udp) or 0xFFFF
        return udp[:6] + struct.pack("!H", summed) + udp[8:]

    def decrypt(self, frame, high=0):
        """The Clear of an ESP frame. Raises Refused."""
        link, packet = split(frame)
        size, name = headers(packet, behind_routing_options=False)
        outer, esp = packet[:size], packet[size:]
        if outer[0] >> 4 == 4 and checksum(outer):
            raise Refused("malformed_ipv4", "checksum")
        if packet[name] != self._protocol():
            raise Refused("esp_no_sa", f"protocol {packet[name]}")
        if self.nat_traversal:
            source, destination, length, summed = struct.unpack_from("!HHHH", esp)
            if (source, destination) != self.ports:
                raise Refused("esp_no_sa", f"ports {source}, {destination}")
            if length != len(esp):
                raise Refused("malformed_transport", f"length {length} of {len(esp)}")
            if not summed and outer[0] >> 4 == 6:  # as Linux does
                raise Refused("malformed_transport", "no checksum over IPv6")
            if summed and checksum(pseudo_header(outer, UDP, len(esp)) + esp):
                raise Refused("malformed_transport", "checksum")
            esp = esp[8:]
        ends = addresses(outer)
        if self.source and ends != (self.source, self.destination):
            raise Refused("esp_no_sa", f"from {ends[0]} to {ends[1]}")
        opened = self.open(esp, high)
        if opened.next_header == NO_NEXT_HEADER:
            raise Refused("esp_dummy", "next header 59")
        if self.mode == "transport":
            header = with_lengths(outer, name, opened.next_header, len(opened.data))
            return Clear(join(link, header + opened.data), outer, opened)
        inner = opened.data
        version = {IPIP: 4, IPV6_IN: 6}.get(opened.next_header)
        if not version:
            raise Refused("esp_next_header", str(opened.next_header))
        least = 20 if version == 4 else 40
        if len(inner) < least or inner[0] >> 4 != version or ip_length(inner) != len(inner):
            raise Refused(f"malformed_ipv{version}", inner[:40].hex())
        ecn = ecn_on_leaving(traffic_class(inner) & 3, traffic_class(outer) & 3)
        if ecn != traffic_class(inner) & 3:
            inner = with_ecn(inner, ecn)
        return Clear(join(link, inner), outer, opened)

    def size(self, length):
        """Bytes that a packet of `length` bytes takes in this tunnel, or behind its headers in
        transport mode."""
        own = self.algorithm
        plain = length + 2 + -(length + 2) % own.align
        outer = (20 if self.source.version == 4 else 40) if self.mode == "tunnel" else 0
        return outer + (8 if self.nat_traversal else 0) + 8 + own.iv + plain + own.icv

    # ------------------------------------------------------------------ other references

    def tshark(self):
        """Options that make tshark decrypt and authenticate it; None: tshark 4.0 can't."""
        cipher = {"gcm": "AES-GCM with 16 octet ICV [RFC4106]", "cbc": "AES-CBC [RFC3602]",
                  "ctr": "AES-CTR [RFC3686]", "null": "NULL"}.get(self.algorithm.cipher)
        if not cipher or self.esn:
            return None
        digest = {None: "NULL", "sha1": "HMAC-SHA-1-96 [RFC2404]"}.get(
            self.algorithm.digest, "HMAC-SHA-{}-{} [RFC4868]".format(
                (self.algorithm.digest or "")[3:], self.algorithm.icv * 8))
        keys = [f"0x{key.hex()}" if key else "" for key in (self.cipher_key + self.salt,
                                                            self.auth_key)]
        family = "IPv6" if self.source and self.source.version == 6 else "IPv4"
        return ["-o", "uat:esp_sa:" + ",".join(f'"{field}"' for field in (
            family, "*", "*", f"0x{self.spi:08x}", cipher, keys[0], digest, keys[1]))]


def addresses(packet):
    if packet[0] >> 4 == 4:
        return ipaddress.ip_address(packet[12:16]), ipaddress.ip_address(packet[16:20])
    return ipaddress.ip_address(packet[8:24]), ipaddress.ip_address(packet[24:40])


def pseudo_header(packet, protocol, size):
    if packet[0] >> 4 == 4:
        return packet[12:20] + struct.pack("!BBH", 0, protocol, size)
    return packet[8:40] + struct.pack("!II", size, protocol)


def udp_frame(source, destination, data, ports=(40000, 40001), identification=1, traffic=0,
              fragment=0, link=b"\x02\0\0\0\0\2\x02\0\0\0\0\1"):
    """An Ethernet frame with a UDP datagram whose checksums are right."""
    ends = [ipaddress.ip_address(address) for address in (source, destination)]
    size = 8 + len(data)
    packed = ends[0].packed + ends[1].packed
    if ends[0].version == 4:
        header = struct.pack("!BBHHHBBH", 0x45, traffic, 0, identification & 0xFFFF, fragment,
                             TTL, 0, 0) + packed
        header = with_lengths(header, 9, UDP, size)
    else:
        header = with_lengths(struct.pack("!IHBB", 6 << 28 | traffic << 20, 0, 0, TTL) + packed, 6,
                              UDP, size)
    udp = struct.pack("!HHHH", *ports, size, 0) + data
    summed = checksum(pseudo_header(header, UDP, size) + udp) or 0xFFFF
    return join(link, header + udp[:6] + struct.pack("!H", summed) + data)


def pieces(frame, size, identification=1):
    """A frame's IP packet in fragments of so many bytes of payload."""
    link, packet = split(frame)
    if packet[0] >> 4 == 4:
        head, payload, proto = packet[:20], packet[20:], packet[9]
    else:
        head, payload, proto = packet[:40], packet[40:], packet[6]
    parts = []
    for at in range(0, len(payload), size):
        part, more = payload[at:at + size], at + size < len(payload)
        if packet[0] >> 4 == 4:
            header = head[:4] + struct.pack("!HH", identification, at // 8 | more << 13) + head[8:]
            parts.append(join(link, with_lengths(header, 9, proto, len(part)) + part))
        else:
            behind = struct.pack("!BBHI", proto, 0, at | more, identification)
            header = with_lengths(head, 6, FRAGMENT, 8 + len(part))
            parts.append(join(link, header + behind + part))
    return parts


# What tshark found in an ESP packet. `good`: whether the ICV was right.
Seen = namedtuple("Seen", "sequence good next_header data")


def tshark(capture, *sas):
    """Has tshark decrypt the ESP packets of a capture with SAs for which tshark() gives options."""
    fields = ["esp.sequence", "esp.icv_good", "esp.protocol", "esp.contained_data"]
    command = ["tshark", "-n", "-r", str(capture), "-Y", "esp", "-T", "fields", "-E", "separator=;",
               "-d", "udp.port==5000-65535,data",  # what it guesses of random data is in the way
               "-o", "esp.enable_encryption_decode:TRUE",
               "-o", "esp.enable_authentication_check:TRUE",
               *(option for sa in sas for option in sa.tshark()),
               *(option for field in fields for option in ("-e", field))]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=120)
    if done.returncode:
        raise AssertionError(f"{command}: exit {done.returncode}\n{done.stderr}")
    rows = [line.split(";") for line in done.stdout.splitlines()]
    return [Seen(int(sequence), good == "1", int(next_header or "-1", 0), bytes.fromhex(data))
            for sequence, good, next_header, data in rows]
