/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets that are refused, and their senders told. */
#include "pipeline/reject.h"

#include <netinet/in.h>

#include "packet/icmp_error.h"
#include "packet/parse.h"
#include "packet/tcp_reset.h"
#include "pipeline/routing_error.h"

static SPILL_DROP_REASON(rejected, "rejected",
                         "A rule rejects the packet's flow; its sender is told.");

static SPILL_COUNTER(resets, "exits", "resets", "packets",
                     "sent to senders of TCP that is rejected");
static SPILL_COUNTER(prohibited, "exits", "icmp_prohibited", "packets",
                     "sent to senders of other packets that are rejected");
static SPILL_COUNTER(rejected_limited, "exits", "rejected_limited", "packets",
                     "neither sent, as there were too many");

/* "Administratively prohibited", from where the packet was going to, or from a router's address. */
static struct rte_mbuf *prohibit(const struct spill_fast *fast, struct rte_mbuf *mbuf,
                                 const struct spill_packet *packet)
{
    struct spill_answer_source source;

    if (!spill_routing_answers(fast, packet->input))
        return spill_icmp_prohibited(mbuf, packet, mbuf->pool);
    return spill_routing_source(fast, mbuf, packet, &source)
               ? spill_icmp_refuse(mbuf, packet, SPILL_ICMP_PROHIBITED, &source, mbuf->pool)
               : NULL;
}

static void tell(struct spill_fast *fast, struct rte_mbuf *mbuf, const struct spill_packet *packet,
                 uint64_t stamp)
{
    const bool tcp = spill_packet_claim(mbuf, packet) == IPPROTO_TCP;
    struct rte_mbuf *reply;

    if (!spill_error_limit_take(&fast->exits.errors, packet, stamp)) {
        spill_ledger_count(&fast->ledger, &rejected_limited, 1);
        return;
    }
    reply = tcp ? spill_tcp_reset(mbuf, packet, mbuf->pool) : prohibit(fast, mbuf, packet);
    if (reply == NULL)
        return;
    spill_ledger_count(&fast->ledger, tcp ? &resets : &prohibited, 1);
    spill_exit_answer(fast, reply, packet->input, stamp);
}

void spill_reject(struct spill_fast *fast, struct rte_mbuf *mbuf, const struct spill_packet *packet,
                  uint64_t stamp)
{
    tell(fast, mbuf, packet, stamp);
    spill_ledger_drop(&fast->ledger, &rejected, &mbuf, 1);
}
