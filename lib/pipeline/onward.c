/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/onward.h"

#include "pipeline/routing_flow.h"

static bool is_for_host(const struct spill_fast *fast, struct rte_mbuf *mbuf,
                        struct spill_packet *packet)
{
    const struct spill_route_tables *tables = fast->routing.tables;
    uint64_t group;

    spill_routing_lookup(tables, &mbuf, &packet, 1, SPILL_ROUTING_TO, &group);
    return spill_group_get(&tables->groups[group]).action == SPILL_ROUTE_LOCAL;
}

struct spill_sa *spill_onward_find(const struct spill_fast *fast, struct rte_mbuf *mbuf,
                                   struct spill_packet *packet)
{
    const struct spill_generation *generation = fast->version.generation;
    struct spill_packet question = *packet, *asked = &question;
    struct spill_sa *sa;
    bool denied, wanted;
    uint32_t tally;

    if (packet->output != SPILL_OUTPUT_ROUTE)
        return NULL;
    question.reversed = 0;
    spill_routing_ask(fast, mbuf, &question);
    spill_acl_classify(spill_policy_acl(generation->onward), &asked, 1, &tally);
    wanted = spill_acquisition_wants(&question);
    denied = question.verdict == SPILL_VERDICT_DENY && question.sa == SPILL_SA_HOST_SENDS;
    if (question.verdict != SPILL_VERDICT_PROTECT && !wanted && !denied)
        return NULL;
    sa = wanted || denied ? NULL : spill_sa_set_get(generation->sas, question.sa);
    if ((sa == NULL && !wanted && !denied) || is_for_host(fast, mbuf, packet))
        return NULL;
    packet->sa = question.sa;
    packet->verdict = question.verdict;
    return sa;
}
