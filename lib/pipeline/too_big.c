/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets that don't fit once they are protected. */
#include "pipeline/too_big.h"

#include <rte_ip.h>

#include "packet/fragment.h"
#include "packet/icmp_error.h"

static SPILL_DROP_REASON(esp_too_big, "esp_too_big",
                         "protected, the packet would be larger than the MTU; its sender is told");

/* Errors that may be sent ahead of their time, one behind the other. */
#define ERRORS_AT_ONCE 32

static bool may_be_split(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const struct rte_ipv4_hdr *header;
    struct rte_ipv4_hdr copy;

    if (packet->kind != SPILL_PACKET_IPV4)
        return false;
    header = rte_pktmbuf_read(mbuf, packet->l3_offset, sizeof(copy), &copy);
    return header != NULL && (header->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)) == 0;
}

uint32_t spill_too_big_split(struct spill_fast *fast, struct rte_mbuf *mbuf,
                             const struct spill_packet *packet, uint32_t room,
                             struct rte_mbuf *fragments[SPILL_FRAGMENTS_MAX])
{
    int count;

    if (!may_be_split(mbuf, packet))
        return 0;
    count = spill_fragment_ipv4(mbuf, packet, (uint16_t)RTE_MIN(room, (uint32_t)UINT16_MAX),
                                mbuf->pool, fragments, SPILL_FRAGMENTS_MAX);
    if (count <= 0)
        return 0;
    /* One of them is the packet that came, the others were made here. */
    fast->ledger.originated += (uint32_t)count - 1;
    rte_pktmbuf_free(mbuf);
    return (uint32_t)count;
}

/* Sends an answer back to where a packet came from. */
static void answer(struct spill_fast *fast, struct rte_mbuf *reply, uint8_t input, uint64_t stamp)
{
    uint16_t other_end = fast->paths[input].output->port;

    fast->ledger.originated++;
    spill_output_send(fast->paths[other_end].output, &reply, 1, stamp, SPILL_WAY_FAST);
}

void spill_too_big_drop(struct spill_fast *fast, struct rte_mbuf *mbuf,
                        const struct spill_packet *packet, uint32_t room, uint64_t stamp)
{
    uint16_t mtu = (uint16_t)RTE_MIN(room, (uint32_t)UINT16_MAX);
    struct rte_mbuf *reply = NULL;

    if (fast->next_error <= stamp + ERRORS_AT_ONCE * fast->error_interval)
        reply = spill_icmp_too_big(mbuf, packet, mtu, mbuf->pool);
    if (reply != NULL) {
        fast->next_error = RTE_MAX(fast->next_error, stamp) + fast->error_interval;
        answer(fast, reply, packet->input, stamp);
    }
    spill_ledger_drop(&fast->ledger, &esp_too_big, &mbuf, 1);
}
