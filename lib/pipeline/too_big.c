/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets that are too large for what they leave by: split, or their senders told. */
#include "pipeline/too_big.h"

#include <rte_ip.h>

#include "base/clock.h"
#include "packet/fragment.h"
#include "packet/icmp_error.h"
#include "pipeline/drops.h"
#include "pipeline/fast.h"
#include "pipeline/routing_error.h"
#include "pipeline/trace.h"

static SPILL_COUNTER(errors, "exits", "icmp_errors", "packets",
                     "sent to senders of packets that were too large");
static SPILL_COUNTER(errors_limited, "exits", "icmp_errors_limited", "packets",
                     "not sent, as there were too many");
static SPILL_COUNTER(
    fragmented, "exits", "fragmented", "packets",
    "IPv4 packets that were too large for their port or for ESP and could be split");
static SPILL_COUNTER(pieces, "exits", "fragments", "packets", "the pieces of those");

static const struct spill_trace_line split_up = {
    .stage = "fragmented", .last = true, .values = {{"fragments", SPILL_TRACE_NUMBER, NULL}}};

/* The least that an IPv6 link carries (RFC 8200 5): of less nobody is told. */
#define IPV6_LEAST 1280

bool spill_too_big_may_split(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const struct rte_ipv4_hdr *header;
    struct rte_ipv4_hdr copy;

    if (packet->kind != SPILL_PACKET_IPV4)
        return false;
    header = rte_pktmbuf_read(mbuf, packet->l3_offset, sizeof(copy), &copy);
    return header != NULL && (header->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)) == 0;
}

/* Bytes of a fragment: as many as there is room for, in an mbuf as well. */
static uint16_t fragment_size(const struct rte_mbuf *mbuf, uint32_t room)
{
    return (uint16_t)RTE_MIN(room, (uint32_t)rte_pktmbuf_data_room_size(mbuf->pool) -
                                       RTE_PKTMBUF_HEADROOM);
}

void spill_too_big_count_fragments(struct spill_fast *fast, uint32_t count)
{
    fast->ledger.originated += count - 1;
    spill_ledger_count(&fast->ledger, &fragmented, 1);
    spill_ledger_count(&fast->ledger, &pieces, count);
}

/* Splits a packet that may be. Returns how many fragments there are, 0: it can't be done. */
static uint32_t split(struct spill_fast *fast, struct rte_mbuf *mbuf,
                      const struct spill_packet *packet, uint32_t room, struct rte_mbuf **fragments)
{
    struct spill_exits *exits = &fast->exits;
    uint64_t began = spill_clock();
    int count = spill_fragment_ipv4(mbuf, packet, fragment_size(mbuf, room), mbuf->pool, fragments,
                                    SPILL_FRAGMENTS_MAX);

    spill_allowance_spend(&exits->fitting, spill_clock() - began);
    if (count <= 0)
        return 0;
    spill_too_big_count_fragments(fast, (uint32_t)count);
    SPILL_TRACE(&fast->ledger, mbuf, split_up, (uint32_t)count);
    rte_pktmbuf_free(mbuf);
    return (uint32_t)count;
}

/* What a packet's sender may be told: bytes of IP; 0 = nothing. An IPv4 packet has DF. */
static uint16_t told(const struct rte_mbuf *mbuf, const struct spill_packet *packet, uint32_t room)
{
    uint32_t least = packet->kind == SPILL_PACKET_IPV6 ? IPV6_LEAST : RTE_ETHER_MIN_MTU;

    if (packet->kind > SPILL_PACKET_IPV6 || !spill_icmp_may_answer(mbuf, packet))
        return 0;
    room = RTE_MAX(room, least);
    return packet->length > room ? (uint16_t)room : 0;
}

/* Where spillway routes it says so itself. */
static struct rte_mbuf *make(const struct spill_fast *fast, struct rte_mbuf *mbuf,
                             const struct spill_packet *packet, uint16_t mtu)
{
    struct spill_answer_source source;

    if (!spill_routing_answers(fast, packet->input))
        return spill_icmp_too_big(mbuf, packet, mtu, &fast->exits.ports[packet->output].address,
                                  mbuf->pool);
    return spill_routing_source(fast, mbuf, packet, &source)
               ? spill_icmp_too_big_from(mbuf, packet, mtu, &source, mbuf->pool)
               : NULL;
}

/* The answer to a packet in the clear, or NULL: there are too many, no mbuf for it, or it waits. */
static struct rte_mbuf *tell(struct spill_fast *fast, struct rte_mbuf *mbuf,
                             const struct spill_packet *packet, uint16_t mtu, uint64_t stamp)
{
    struct spill_exits *exits = &fast->exits;
    const bool through = packet->inbound_sa != 0;
    struct rte_mbuf *reply;

    if ((through && !spill_answers_have_room(&fast->answers)) ||
        !spill_error_limit_take(&exits->errors, packet, stamp)) {
        spill_ledger_count(&fast->ledger, &errors_limited, 1);
        return NULL;
    }
    reply = make(fast, mbuf, packet, mtu);
    spill_ledger_count(&fast->ledger, &errors, reply != NULL);
    if (reply == NULL || !through)
        return reply;
    if (spill_routing_answers(fast, packet->input))
        spill_routing_answer_through(fast, reply, mbuf, packet);
    else
        spill_answers_add(fast, reply, packet->output, 0);
    return NULL;
}

struct rte_mbuf *spill_too_big_for_host(struct spill_fast *fast, struct rte_mbuf *mbuf,
                                        const struct spill_packet *packet, uint32_t room,
                                        uint64_t stamp)
{
    struct spill_exits *exits = &fast->exits;
    const uint16_t mtu = told(mbuf, packet, room);
    struct rte_mbuf *reply;

    if (mtu == 0)
        return NULL;
    if (!spill_error_limit_take(&exits->errors, packet, stamp)) {
        spill_ledger_count(&fast->ledger, &errors_limited, 1);
        return NULL;
    }
    reply = spill_icmp_too_big(mbuf, packet, mtu, &exits->ports[packet->input].address, mbuf->pool);
    if (reply != NULL) {
        spill_ledger_count(&fast->ledger, &errors, 1);
        fast->ledger.originated++;
    }
    return reply;
}

uint32_t spill_too_big(struct spill_fast *fast, const struct spill_drop_reason *reason,
                       struct rte_mbuf *mbuf, const struct spill_packet *packet, uint32_t room,
                       uint64_t stamp, struct rte_mbuf **fragments, struct rte_mbuf **answer)
{
    uint32_t count = 0;
    uint16_t mtu;

    *answer = NULL;
    if (!spill_too_big_may_split(mbuf, packet)) {
        if ((mtu = told(mbuf, packet, room)) != 0)
            *answer = tell(fast, mbuf, packet, mtu, stamp);
    } else if (fragments != NULL) {
        if (fast->exits.fitting.left > 0)
            count = split(fast, mbuf, packet, room, fragments);
        else
            reason = &spill_drop_tx_fit_limit;
    }
    if (count == 0)
        spill_ledger_drop(&fast->ledger, reason, &mbuf, 1);
    return count;
}
