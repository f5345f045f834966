/* SPDX-License-Identifier: BSD-3-Clause */
/* ESP in fragments: which are ours, and what goes on once all of a datagram are there. */
#include "pipeline/fragments.h"

#include <string.h>

#include "packet/parse.h"
#include "pipeline/esp_header.h"
#include "pipeline/routing_flow.h"

/* Whether a fragment may be part of an ESP packet: of ESP itself, or of UDP. */
static bool may_be_part(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    uint8_t protocol;

    if (packet->fragment == 0 || packet->kind > SPILL_PACKET_IPV6)
        return false;
    protocol = spill_packet_claim(mbuf, packet);
    return protocol == IPPROTO_ESP || protocol == IPPROTO_UDP;
}

/* Whether a packet comes from where an SA's do. */
static bool comes_from(const struct spill_sa *sa, const struct spill_packet *packet)
{
    return packet->kind == SPILL_PACKET_IPV4
               ? memcmp(sa->config.source.bytes, &packet->key.v4.address[packet->direction],
                        sizeof(packet->key.v4.address[0])) == 0
               : memcmp(sa->config.source.bytes, packet->key.v6.address[packet->direction],
                        sizeof(packet->key.v6.address[0])) == 0;
}

/*
 * Whether a fragment is to be gathered: it comes from a peer to an address of ours, by the right
 * end of the wire; in UDP, if the peer's ESP is. All else goes on as what it is.
 */
static bool is_part(const struct spill_fast *fast, const struct rte_mbuf *mbuf,
                    struct spill_packet *packet, uint16_t port)
{
    const rte_be32_t none = 0;
    struct spill_sa *sa = NULL;

    if (!may_be_part(mbuf, packet))
        return false;
    spill_sa_set_lookup(fast->version.generation->sas, &packet, &none, &sa, 1);
    if (sa == NULL || !comes_from(sa, packet) ||
        spill_sa_is_wrong_input(sa, port, spill_exit_of(&fast->exits, (uint8_t)port)))
        return false;
    return (spill_packet_claim(mbuf, packet) == IPPROTO_UDP) == sa->config.nat_traversal;
}

/* Whether a datagram is ESP, by the first of its fragments. */
static bool is_esp(const struct spill_datagram *datagram)
{
    const struct spill_packet *packet = spill_reassembly_first(datagram);
    uint32_t sequence;
    rte_be32_t spi;

    return packet->esp != SPILL_ESP_NONE &&
           spill_esp_read_header(datagram->pieces[0].mbuf, packet, &spi, &sequence) && spi != 0;
}

/* Fragments of what is no ESP go on as they came: by the rules. */
static void let_go(struct spill_fast *fast, struct spill_datagram *datagram, uint64_t stamp)
{
    struct rte_mbuf *mbufs[SPILL_REASSEMBLY_PIECES];
    struct spill_packet packets[SPILL_REASSEMBLY_PIECES], *pointers[SPILL_REASSEMBLY_PIECES];
    uint64_t groups[SPILL_REASSEMBLY_PIECES];
    uint32_t count = spill_reassembly_release(fast->reassembly, datagram, mbufs), i;

    for (i = 0; i < count; i++) {
        packets[i] = *spill_packet_of(mbufs[i]);
        pointers[i] = &packets[i];
    }
    if (count > 0 && fast->routing.routed[packets[0].input])
        count = spill_routing_give_host(fast, mbufs, packets, pointers, count, groups);
    if (count > 0)
        spill_forward(fast, mbufs, packets, count, stamp, SPILL_PATH_FAST);
}

/* Whether any packet of a burst is a fragment. */
static bool has_fragments(const struct spill_packet *packets, uint32_t count)
{
    uint32_t found = 0, i;

    for (i = 0; i < count; i++)
        found |= packets[i].fragment;
    return found != 0;
}

uint32_t spill_fragments_take(struct spill_fast *fast, uint16_t port, struct rte_mbuf **mbufs,
                              struct spill_packet *packets, uint32_t count, uint64_t stamp)
{
    const struct spill_sa_ends *ends = fast->version.generation->sas->ends;
    uint32_t kept = 0, i;

    if (likely(!has_fragments(packets, count)))
        return count;
    if (unlikely(ends != NULL))
        spill_sa_ends_mark(ends, packets, count);
    for (i = 0; i < count; i++) {
        struct spill_datagram *datagram;
        struct rte_mbuf *mbuf = mbufs[i];

        packets[i].input = (uint8_t)port;
        if (!is_part(fast, mbufs[i], &packets[i], port)) {
            mbufs[kept] = mbuf;
            packets[kept++] = packets[i];
            continue;
        }
        datagram = spill_reassembly_take(fast->reassembly, mbuf, &packets[i], stamp);
        if (datagram == NULL)
            continue;
        if (!is_esp(datagram)) {
            let_go(fast, datagram, stamp);
        } else if ((mbuf = spill_reassembly_join(fast->reassembly, datagram)) != NULL) {
            /* It goes on in the burst, in the place of the last that came of it. */
            spill_parse_burst(&mbuf, 1, fast->receive.zones[port], &packets[kept]);
            if (fast->routing.routed[port])
                spill_routing_join(&mbuf, &packets[kept], 1);
            packets[kept].input = (uint8_t)port;
            mbufs[kept++] = mbuf;
        }
    }
    return kept;
}
