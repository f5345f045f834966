/* SPDX-License-Identifier: BSD-3-Clause */
/* What packets begin, go on with and end. */
#include "pipeline/connection.h"

#include <netinet/in.h>

#include <rte_ip.h>
#include <rte_tcp.h>

#include "packet/tcp_mss.h"
#include "pipeline/protection.h"

bool spill_connection_opens_nothing(const struct spill_fast *fast,
                                    const struct spill_packet *packet)
{
    if ((packet->flow->rights & 3 * SPILL_FLOW_ALLOWED) != 0)
        return false;
    switch (packet->step) {
    case SPILL_STEP_OPEN:
        return false;
    case SPILL_STEP_ANSWER:
    case SPILL_STEP_ACCEPT:
    case SPILL_STEP_RESET:
        return true;
    case SPILL_STEP_ERROR:
        /* It has a flow of its own, which nothing answers, or that of what it is about. */
        return !spill_packet_is_alone(packet);
    default:
        return !fast->admission.tcp_pickup && spill_packet_protocol(packet) == IPPROTO_TCP;
    }
}

bool spill_connection_is_missing(const struct spill_fast *fast, const struct spill_packet *packet)
{
    return !fast->admission.tcp_pickup && packet->verdict == SPILL_VERDICT_ALLOW &&
           packet->inbound_sa == 0 && spill_packet_protocol(packet) == IPPROTO_TCP &&
           packet->step != SPILL_STEP_ERROR && spill_connection_opens_nothing(fast, packet);
}

/* Whether there is more than a header. Of SCTP, and of fragments, whatever it is. */
static bool has_data(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const uint8_t *offset;
    uint8_t copy;

    if (spill_packet_protocol(packet) != IPPROTO_TCP || packet->fragment != 0)
        return true;
    offset = rte_pktmbuf_read(
        mbuf, packet->l4_offset + (uint32_t)offsetof(struct rte_tcp_hdr, data_off), 1, &copy);
    return offset != NULL &&
           packet->l4_offset + (*offset >> 4) * 4U < (uint32_t)packet->l3_offset + packet->length;
}

/* What the rule of a connection that passes in the clear says of segments; 0: nothing. */
static uint16_t mss_of(const struct spill_flow *flow)
{
    for (unsigned direction = 0; direction < 2; direction++) {
        if (spill_rights_own(flow->rights, direction) == SPILL_VERDICT_ALLOW)
            return flow->sa[direction];
    }
    return 0;
}

/* The largest segment that fits both ports: one end's leave by the one, the other's by the other.
 */
static uint16_t mss_that_fits(const struct spill_fast *fast, const struct spill_packet *packet)
{
    const uint32_t mtu =
        RTE_MIN(fast->exits.ports[packet->input].mtu, fast->exits.ports[packet->output].mtu);
    const uint32_t headers = (packet->kind == SPILL_PACKET_IPV4 ? sizeof(struct rte_ipv4_hdr)
                                                                : sizeof(struct rte_ipv6_hdr)) +
                             sizeof(struct rte_tcp_hdr);

    return (uint16_t)(mtu - RTE_MIN(mtu, headers));
}

/* Both ends announce in the segments that have SYN. */
static void clamp(const struct spill_fast *fast, struct rte_mbuf *mbuf,
                  const struct spill_packet *packet)
{
    const uint16_t mss = mss_of(packet->flow);

    if (mss != 0 && (packet->step == SPILL_STEP_OPEN || packet->step == SPILL_STEP_ACCEPT) &&
        spill_packet_protocol(packet) == IPPROTO_TCP)
        spill_tcp_clamp_mss(mbuf, packet,
                            mss == SPILL_SA_MSS_AUTO ? mss_that_fits(fast, packet) : mss);
}

void spill_connection_step(struct spill_fast *fast, struct rte_mbuf *mbuf,
                           const struct spill_packet *packet, uint64_t now)
{
    if (packet->step == SPILL_STEP_ERROR || !spill_protection_passes(fast, packet))
        return;
    spill_flow_table_step(fast->flows, packet->flow, packet, has_data(mbuf, packet), now);
    clamp(fast, mbuf, packet);
}
