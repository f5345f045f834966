/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP errors, and the connections that they are about. */
#include "pipeline/related.h"

#include "packet/parse_inside.h"

/* Whether a flow stands in which `sender` has spoken. */
static bool stands(const struct spill_flow *flow, unsigned sender, bool through)
{
    const unsigned rights = flow->rights & (3 * SPILL_FLOW_ALLOWED | 3 * SPILL_FLOW_PROTECTED);

    /* What comes through an SA may have another lcore than what it answers. */
    return rights != 0 && (through || (flow->spoken >> sender & 1) != 0);
}

bool spill_related_adopt(struct spill_fast *fast, const struct rte_mbuf *mbuf,
                         struct spill_packet *packet, uint64_t now)
{
    struct spill_packet inside;
    struct spill_flow *flow;

    if (!spill_parse_inside(mbuf, packet, &inside))
        return false;
    flow = spill_flow_table_find(fast->flows, &inside, now);
    if (flow == NULL || !stands(flow, inside.direction, packet->inbound_sa != 0))
        return false;
    /* One that had a flow of its own was counted there. */
    packet->counted = packet->flow != NULL &&
                      spill_flow_table_has_counted(fast->flows, packet->flow, packet->direction);
    packet->key = inside.key;
    packet->direction = !inside.direction;
    packet->has_ports = inside.has_ports;
    packet->flow = flow;
    packet->sa = spill_flow_is_protected(flow) ? flow->sa[packet->direction] : 0;
    if (!packet->counted && spill_flow_table_has_counted(fast->flows, flow, packet->direction))
        spill_flow_table_count(
            fast->flows, spill_flow_table_tally(fast->flows, flow, packet->direction), packet, now);
    return true;
}
