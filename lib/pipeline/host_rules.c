/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/host_rules.h"

#include "packet/parse.h"
#include "packet/parse_inside.h"
#include "pipeline/exit.h"
#include "pipeline/forward.h"
#include "pipeline/host_ipsec.h"
#include "pipeline/routing_flow.h"
#include "pipeline/trace.h"

static bool is_later_fragment(const struct spill_packet *packet)
{
    const uint8_t zone =
        packet->kind == SPILL_PACKET_IPV4 ? packet->key.v4.zone : packet->key.v6.zone;

    return (zone & SPILL_FLOW_FRAGMENT) != 0;
}

/* Whether the rules say what becomes of it; it is prepared for them then. */
static bool is_judged(const struct spill_fast *fast, struct rte_mbuf *mbuf,
                      struct spill_packet *packet, uint8_t port)
{
    spill_parse_burst(&mbuf, 1, fast->receive.zones[port], packet);
    if (spill_host_is_bypassed(fast, mbuf, packet, true) || is_later_fragment(packet))
        return false;
    spill_routing_join(&mbuf, packet, 1);
    packet->of_host = 1;
    packet->input = packet->output = port;
    packet->inbound_sa = 0;
    return true;
}

uint32_t spill_host_rules_judge(struct spill_fast *fast, struct rte_mbuf **mbufs,
                                struct spill_packet **packets, uint32_t count, uint64_t stamp)
{
    struct spill_packet judged[SPILL_BURST], *pointers[SPILL_BURST];
    struct rte_mbuf *of[SPILL_BURST];
    uint32_t judged_count = 0, kept = 0, i;

    for (i = 0; i < count; i++) {
        if (is_judged(fast, mbufs[i], &judged[judged_count], packets[i]->output)) {
            pointers[judged_count] = &judged[judged_count];
            of[judged_count++] = mbufs[i];
            continue;
        }
        mbufs[kept] = mbufs[i];
        packets[kept++] = packets[i];
    }
    if (judged_count == 0)
        return kept;
    spill_flow_table_lookup(fast->flows, judged, judged_count, stamp);
    if (unlikely(spill_watch_of(&fast->ledger) != NULL))
        spill_forward_trace(fast, of, judged, judged_count);
    judged_count = spill_forward_decide(fast, of, pointers, judged_count, stamp);
    spill_exit_send(fast, of, pointers, judged_count, stamp, SPILL_PATH_FAST);
    return kept;
}

uint32_t spill_host_rules_owner(const struct spill_fast *fast, struct rte_mbuf *mbuf, uint16_t port)
{
    const struct spill_handover *handover = &fast->handover;
    struct spill_packet packet, inside;

    if (handover->count == 1)
        return 0;
    spill_parse_burst(&mbuf, 1, fast->receive.zones[port], &packet);
    if (packet.kind > SPILL_PACKET_IPV6)
        return 0;
    packet.input = (uint8_t)port;
    if (packet.step == SPILL_STEP_ERROR && spill_parse_inside(mbuf, &packet, &inside)) {
        inside.input = (uint8_t)port;
        return spill_handover_flow_owner(handover, &inside);
    }
    return spill_handover_flow_owner(handover, &packet);
}
