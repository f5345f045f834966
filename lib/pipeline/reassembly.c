/* SPDX-License-Identifier: BSD-3-Clause */
/* ESP in fragments: gathered, and put together. */
#include "pipeline/reassembly.h"

#include <netinet/in.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>

#include "ipsec/esp.h"

static SPILL_DROP_REASON(esp_reassembled, "esp_reassembled",
                         "a fragment of ESP whose bytes went on as part of a whole packet: of so "
                         "many fragments one packet less one");
static SPILL_DROP_REASON(esp_fragment_overlap, "esp_fragment_overlap",
                         "fragments of an ESP packet overlap, or contradict each other");
static SPILL_DROP_REASON(
    esp_fragment_timeout, "esp_fragment_timeout",
    "fragments of an ESP packet of which others did not come within two seconds");
static SPILL_DROP_REASON(
    esp_fragment_limit, "esp_fragment_limit",
    "fragments of ESP that had no place: 32 packets of 8 fragments each can be gathered at a time");

#define UNIT 8 /* bytes: of fragments' offsets */

struct ipv6_fragment_header {
    uint8_t next_header;
    uint8_t reserved;
    rte_be16_t offset;
    rte_be32_t identification;
} __attribute__((packed));

/* What a fragment's headers say. */
struct place {
    uint32_t offset, length; /* of its bytes in the payload */
    uint32_t start;          /* where they stand in the frame */
    uint32_t identification;
    bool more;
};

/* ------------------------------------------------------------------------- reading fragments */

/* Where the fragment header of an IPv6 packet stands, which parsing has found; 0: nowhere. Finds
 * the byte that names it, too. */
static uint32_t find_fragment_header(const struct rte_mbuf *mbuf, uint32_t ip, uint32_t *name)
{
    uint32_t offset = ip + (uint32_t)sizeof(struct rte_ipv6_hdr);
    const uint8_t *byte;
    uint8_t header[2], copy, next;

    *name = ip + (uint32_t)offsetof(struct rte_ipv6_hdr, proto);
    while ((byte = rte_pktmbuf_read(mbuf, *name, 1, &copy)) != NULL) {
        next = *byte;
        if (next == IPPROTO_FRAGMENT)
            return offset;
        if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
            return 0;
        byte = rte_pktmbuf_read(mbuf, offset, sizeof(header), header);
        if (byte == NULL)
            return 0;
        *name = offset;
        offset += (byte[1] + 1u) * UNIT;
    }
    return 0;
}

static bool read_ipv6(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                      struct place *place)
{
    uint32_t name, at = find_fragment_header(mbuf, packet->l3_offset, &name);
    struct ipv6_fragment_header copy;
    const struct ipv6_fragment_header *header =
        at == 0 ? NULL : rte_pktmbuf_read(mbuf, at, sizeof(copy), &copy);

    if (header == NULL)
        return false;
    place->identification = header->identification;
    place->offset = rte_be_to_cpu_16(header->offset) & ~7u;
    place->more = (rte_be_to_cpu_16(header->offset) & 1) != 0;
    place->start = at + (uint32_t)sizeof(*header);
    return true;
}

static bool read_ipv4(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                      struct place *place)
{
    struct rte_ipv4_hdr copy;
    const struct rte_ipv4_hdr *header =
        rte_pktmbuf_read(mbuf, packet->l3_offset, sizeof(copy), &copy);
    uint16_t flags;

    if (header == NULL)
        return false;
    flags = rte_be_to_cpu_16(header->fragment_offset);
    place->identification = header->packet_id;
    place->offset = (flags & RTE_IPV4_HDR_OFFSET_MASK) * (uint32_t)UNIT;
    place->more = (flags & RTE_IPV4_HDR_MF_FLAG) != 0;
    place->start = packet->l3_offset + rte_ipv4_hdr_len(header);
    return true;
}

/* False: it can't be a part of anything. */
static bool read_place(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                       struct place *place)
{
    uint32_t end = (uint32_t)packet->l3_offset + packet->length;
    bool there = packet->kind == SPILL_PACKET_IPV4 ? read_ipv4(mbuf, packet, place)
                                                   : read_ipv6(mbuf, packet, place);

    if (!there || place->start >= end)
        return false;
    place->length = end - place->start;
    /* All but the last end where another one can begin. */
    return !place->more || place->length % UNIT == 0;
}

/* Of routed ports a key has no VLAN, and the frame's tag is noted beside it (routing_flow.h). */
static uint16_t vlan_of(const struct rte_mbuf *mbuf, uint16_t vlan)
{
    return vlan != 0 || (mbuf->ol_flags & RTE_MBUF_F_RX_VLAN) == 0 ? vlan : mbuf->vlan_tci;
}

/* What came by another port, or with another tag, is of another datagram: the whole packet has the
 * link header of its first fragment, by which it is judged whose it is. */
static void write_key(struct spill_reassembly_key *key, const struct rte_mbuf *mbuf,
                      const struct spill_packet *packet, const struct place *place)
{
    const unsigned source = packet->direction;

    memset(key, 0, sizeof(*key));
    key->identification = place->identification;
    key->inner_vlan = packet->inner_vlan;
    key->kind = packet->kind;
    key->input = packet->input;
    if (packet->kind == SPILL_PACKET_IPV4) {
        const struct spill_key4 *v4 = &packet->key.v4;

        memcpy(key->address[0], &v4->address[source], sizeof(v4->address[0]));
        memcpy(key->address[1], &v4->address[!source], sizeof(v4->address[0]));
        key->vlan = vlan_of(mbuf, v4->vlan);
        key->zone = v4->zone & (uint8_t)~SPILL_FLOW_FRAGMENT;
        key->protocol = v4->protocol;
    } else {
        const struct spill_key6 *v6 = &packet->key.v6;

        memcpy(key->address[0], v6->address[source], sizeof(v6->address[0]));
        memcpy(key->address[1], v6->address[!source], sizeof(v6->address[0]));
        key->vlan = vlan_of(mbuf, v6->vlan);
        key->zone = v6->zone & (uint8_t)~SPILL_FLOW_FRAGMENT;
        /* No protocol: later fragments may say any (RFC 8200 4.5). */
    }
}

/* ------------------------------------------------------------------------------ the table */

/* Drops what a datagram holds. Its place stays taken. */
static uint32_t drop_pieces(struct spill_reassembly *reassembly, struct spill_datagram *datagram,
                            const struct spill_drop_reason *reason, uint32_t from)
{
    uint32_t count = datagram->count - from, i;

    for (i = from; i < datagram->count; i++)
        spill_ledger_drop(reassembly->ledger, reason, &datagram->pieces[i].mbuf, 1);
    datagram->count = from;
    return count;
}

static void free_place(struct spill_reassembly *reassembly, struct spill_datagram *datagram)
{
    datagram->began = 0;
    reassembly->used--;
}

/* The datagram of a key; made where there is none, at the cost of the oldest if need be. */
static struct spill_datagram *find(struct spill_reassembly *reassembly,
                                   const struct spill_reassembly_key *key, uint64_t now)
{
    struct spill_datagram *oldest = &reassembly->datagrams[0];
    uint32_t i;

    for (i = 0; i < SPILL_REASSEMBLY_DATAGRAMS; i++) {
        struct spill_datagram *datagram = &reassembly->datagrams[i];

        if (datagram->began != 0 && memcmp(&datagram->key, key, sizeof(*key)) == 0)
            return datagram;
        if (datagram->began < oldest->began)
            oldest = datagram;
    }
    if (oldest->began == 0)
        reassembly->used++;
    else
        drop_pieces(reassembly, oldest, &esp_fragment_limit, 0);
    *oldest = (struct spill_datagram){.key = *key, .began = now};
    return oldest;
}

/* Puts a piece into its place. NULL, or why it does not go in; unless it is there already, that
 * ends the datagram. */
static const struct spill_drop_reason *insert(struct spill_datagram *datagram,
                                              struct rte_mbuf *mbuf, const struct place *place)
{
    struct spill_piece *pieces = datagram->pieces;
    uint32_t end = place->offset + place->length, at = datagram->count, i;

    while (at > 0 && pieces[at - 1].offset > place->offset)
        at--;
    if (at > 0 && pieces[at - 1].offset == place->offset && pieces[at - 1].length == place->length)
        return &esp_fragment_overlap;
    datagram->bad = true;
    if ((at > 0 && (uint32_t)pieces[at - 1].offset + pieces[at - 1].length > place->offset) ||
        (at < datagram->count && end > pieces[at].offset) ||
        (datagram->total != 0 && (end > datagram->total || !place->more)) ||
        (!place->more && at < datagram->count))
        return &esp_fragment_overlap;
    if (datagram->count == SPILL_REASSEMBLY_PIECES)
        return &esp_fragment_limit;
    datagram->bad = false;
    for (i = datagram->count; i > at; i--)
        pieces[i] = pieces[i - 1];
    pieces[at] = (struct spill_piece){.mbuf = mbuf,
                                      .offset = (uint16_t)place->offset,
                                      .length = (uint16_t)place->length,
                                      .start = (uint16_t)place->start};
    datagram->count++;
    datagram->length += place->length;
    if (!place->more)
        datagram->total = end;
    return NULL;
}

struct spill_datagram *spill_reassembly_take(struct spill_reassembly *reassembly,
                                             struct rte_mbuf *mbuf,
                                             const struct spill_packet *packet, uint64_t now)
{
    const struct spill_drop_reason *reason = &esp_fragment_overlap;
    struct spill_datagram *datagram;
    struct spill_reassembly_key key;
    struct place place;

    if (!read_place(mbuf, packet, &place)) {
        spill_ledger_drop(reassembly->ledger, reason, &mbuf, 1);
        return NULL;
    }
    write_key(&key, mbuf, packet, &place);
    datagram = find(reassembly, &key, now);
    if (!datagram->bad)
        reason = insert(datagram, mbuf, &place);
    if (reason != NULL) {
        if (datagram->bad)
            drop_pieces(reassembly, datagram, reason, 0);
        spill_ledger_drop(reassembly->ledger, reason, &mbuf, 1);
        return NULL;
    }
    *spill_packet_of(mbuf) = *packet;
    /* They don't overlap: as many bytes as there are in all are all. */
    return datagram->total != 0 && datagram->length == datagram->total ? datagram : NULL;
}

uint32_t spill_reassembly_release(struct spill_reassembly *reassembly,
                                  struct spill_datagram *datagram,
                                  struct rte_mbuf *mbufs[SPILL_REASSEMBLY_PIECES])
{
    uint32_t count = datagram->count, i;

    for (i = 0; i < count; i++)
        mbufs[i] = datagram->pieces[i].mbuf;
    free_place(reassembly, datagram);
    return count;
}

uint32_t spill_reassembly_expire(struct spill_reassembly *reassembly, uint64_t now)
{
    uint32_t dropped = 0, i;

    for (i = 0; i < SPILL_REASSEMBLY_DATAGRAMS && reassembly->used > 0; i++) {
        struct spill_datagram *datagram = &reassembly->datagrams[i];

        if (datagram->began == 0 || now - datagram->began < reassembly->timeout)
            continue;
        dropped += drop_pieces(reassembly, datagram, &esp_fragment_timeout, 0);
        free_place(reassembly, datagram);
    }
    return dropped;
}

/* -------------------------------------------------------------------------- putting together */

/* Makes the first fragment's headers those of the whole packet. */
static void mend_ipv4(struct rte_mbuf *mbuf, uint32_t ip_offset, uint32_t length)
{
    struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(mbuf, struct rte_ipv4_hdr *, ip_offset);

    ip->total_length = rte_cpu_to_be_16((uint16_t)length);
    ip->fragment_offset = 0;
    ip->hdr_checksum = 0;
    ip->hdr_checksum = rte_ipv4_cksum(ip);
}

/* The same for IPv6, where the fragment header is taken out. */
static void mend_ipv6(struct rte_mbuf *mbuf, uint32_t ip_offset, uint32_t start, uint32_t length)
{
    const uint32_t size = sizeof(struct ipv6_fragment_header);
    uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
    uint32_t name;

    find_fragment_header(mbuf, ip_offset, &name);
    frame[name] = ((struct ipv6_fragment_header *)(frame + start - size))->next_header;
    ((struct rte_ipv6_hdr *)(frame + ip_offset))->payload_len =
        rte_cpu_to_be_16((uint16_t)(length - sizeof(struct rte_ipv6_hdr)));
    memmove(frame + size, frame, start - size);
    rte_pktmbuf_adj(mbuf, (uint16_t)size);
}

/* Puts the bytes of all pieces behind those of the first. */
static bool gather(const struct spill_datagram *datagram)
{
    const struct spill_piece *first = &datagram->pieces[0];
    struct rte_mbuf *mbuf = first->mbuf;
    uint32_t i, excess;

    if (rte_pktmbuf_linearize(mbuf) != 0)
        return false;
    excess = rte_pktmbuf_pkt_len(mbuf) - first->start - first->length;
    rte_pktmbuf_trim(mbuf, (uint16_t)excess);
    if (rte_pktmbuf_tailroom(mbuf) < datagram->total - first->length)
        return false;
    for (i = 1; i < datagram->count; i++) {
        const struct spill_piece *piece = &datagram->pieces[i];
        uint8_t *to = (uint8_t *)rte_pktmbuf_append(mbuf, piece->length);
        const void *from = rte_pktmbuf_read(piece->mbuf, piece->start, piece->length, to);

        if (from != to)
            memcpy(to, from, piece->length);
    }
    return true;
}

struct rte_mbuf *spill_reassembly_join(struct spill_reassembly *reassembly,
                                       struct spill_datagram *datagram)
{
    const struct spill_piece *first = &datagram->pieces[0];
    const struct spill_packet *packet = spill_reassembly_first(datagram);
    uint32_t length = (uint32_t)first->start - packet->l3_offset + datagram->total;
    struct rte_mbuf *mbuf = first->mbuf;

    if (packet->kind == SPILL_PACKET_IPV6)
        length -= (uint32_t)sizeof(struct ipv6_fragment_header);
    if (length > UINT16_MAX || !gather(datagram)) {
        drop_pieces(reassembly, datagram, &spill_esp_no_room, 0);
        free_place(reassembly, datagram);
        return NULL;
    }
    if (packet->kind == SPILL_PACKET_IPV4)
        mend_ipv4(mbuf, packet->l3_offset, length);
    else
        mend_ipv6(mbuf, packet->l3_offset, first->start, length);
    drop_pieces(reassembly, datagram, &esp_reassembled, 1);
    free_place(reassembly, datagram);
    return mbuf;
}
