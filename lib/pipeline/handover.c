/* SPDX-License-Identifier: BSD-3-Clause */
/* Whose a packet is, and its way there. */
#include <netinet/in.h>

#include <rte_ethdev.h>
#include <rte_thash.h>

#include "packet/parse.h"
#include "pipeline/fast.h"
#include "pipeline/handover.h"
#include "pipeline/trace.h"

static const struct spill_trace_line handed = {.stage = "to its flow's lcore",
                                               .values = {{NULL, SPILL_TRACE_NUMBER, NULL}}};

static SPILL_DROP_REASON(handover_full, "handover_full",
                         "the packet came to another fast lcore than its connection's, and the "
                         "channel between them was full");

/* The field that a device hashes for the ports of a packet; 0: it hashes addresses alone. */
static uint64_t port_field(bool v4, uint8_t protocol)
{
    switch (protocol) {
    case IPPROTO_TCP:
        return v4 ? RTE_ETH_RSS_NONFRAG_IPV4_TCP : RTE_ETH_RSS_NONFRAG_IPV6_TCP;
    case IPPROTO_UDP:
        return v4 ? RTE_ETH_RSS_NONFRAG_IPV4_UDP : RTE_ETH_RSS_NONFRAG_IPV6_UDP;
    case IPPROTO_SCTP:
        return v4 ? RTE_ETH_RSS_NONFRAG_IPV4_SCTP : RTE_ETH_RSS_NONFRAG_IPV6_SCTP;
    default:
        return 0;
    }
}

/* What the device chooses. The key is symmetric: the order of the ends is of no account. */
static uint32_t device_owner(const struct spill_handover *handover,
                             const struct spill_packet *packet)
{
    const struct spill_handover_rss *rss = &handover->rss;
    bool v4 = packet->kind == SPILL_PACKET_IPV4;
    uint32_t words = v4 ? 2 : 8, tuple[9], i;

    memcpy(tuple, &packet->key, words * sizeof(*tuple));
    if (packet->has_ports &&
        (rss->fields[packet->input] &
         port_field(v4, v4 ? packet->key.v4.protocol : packet->key.v6.protocol)) != 0)
        memcpy(&tuple[words++], v4 ? packet->key.v4.port : packet->key.v6.port, sizeof(*tuple));
    for (i = 0; i < words; i++)
        tuple[i] = rte_be_to_cpu_32(tuple[i]);
    return rte_softrss(tuple, words, rss->key) % rss->table_sizes[packet->input] %
           rss->queues[packet->input] % handover->count;
}

uint32_t spill_handover_datagram_owner(const struct spill_handover *handover,
                                       const struct spill_packet *packet)
{
    return spill_packet_share(spill_packet_address_hash(packet, handover->seed), handover->count);
}

uint32_t spill_handover_flow_owner(const struct spill_handover *handover,
                                   const struct spill_packet *packet)
{
    if (handover->by_device)
        return device_owner(handover, packet);
    return spill_packet_share(spill_packet_hash(packet, handover->seed), handover->count);
}

void spill_handover_send(struct spill_fast *fast, struct spill_sender *sender,
                         struct rte_mbuf *mbuf, const struct spill_packet *packet, uint64_t stamp)
{
    *spill_packet_of(mbuf) = *packet;
    SPILL_TRACE(&fast->ledger, mbuf, handed, 0);
    spill_output_mark(&mbuf, 1, stamp, SPILL_PATH_FAST);
    if (spill_channel_send(sender, &mbuf, 1) == 0)
        spill_ledger_drop(&fast->ledger, &handover_full, &mbuf, 1);
}

static void leave(struct spill_sender *const *senders, uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        if (senders[i] != NULL)
            spill_sender_leave(senders[i]);
    }
}

void spill_handover_leave_datagrams(const struct spill_handover *handover)
{
    leave(handover->datagrams, handover->count);
}

void spill_handover_leave_flows(const struct spill_handover *handover)
{
    leave(handover->flows, handover->count);
}

bool spill_handover_has_room(const struct spill_handover *handover)
{
    uint32_t i;

    for (i = 0; i < handover->count; i++) {
        /* What waits for a first fragment may come with it. */
        if ((handover->datagrams[i] != NULL &&
             !spill_sender_has_room(handover->datagrams[i], SPILL_BURST)) ||
            (handover->flows[i] != NULL &&
             !spill_sender_has_room(handover->flows[i], 2 * SPILL_BURST)))
            return false;
    }
    return true;
}
