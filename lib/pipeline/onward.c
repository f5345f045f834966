/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/onward.h"

#include <stdlib.h>

#include "pipeline/routing_flow.h"

/* ---------------------------------------------------------------------------- their rules */

/* Copies all rules but those for what comes, by an inbound SA or to the host, up to the last that
 * protects with an outbound one, wants one, or denies what leaves; 0, where none could be meant. */
static uint32_t select_rules(const struct spill_ruleset *ruleset, const struct spill_sa_set *sas,
                             const uint16_t *ids, struct spill_rule *rules)
{
    uint32_t count = 0, outbound = 0, i;
    bool inbound = false;

    for (i = 0; i < ruleset->count; i++) {
        const struct spill_rule *rule = &ruleset->rules[i];
        const struct spill_sa *sa = rule->sa != 0 ? spill_sa_set_get(sas, ids[rule->sa - 1]) : NULL;

        if (sa != NULL && sa->config.direction == SPILL_SA_IN) {
            inbound = true;
            continue;
        }
        if (rule->host == SPILL_RULE_HOST_GETS) {
            inbound = true;
            continue;
        }
        rules[count++] = *rule;
        if (sa != NULL || rule->trap != 0 || rule->host == SPILL_RULE_HOST_SENDS)
            outbound = count;
    }
    return inbound ? outbound : 0;
}

/* Without them what leaves is asked about as all is. */
static bool has_some_for_what_comes(const struct spill_ruleset *ruleset)
{
    for (uint32_t i = 0; ruleset->sa_count == 0 && i < ruleset->count; i++) {
        if (ruleset->rules[i].host == SPILL_RULE_HOST_GETS)
            return true;
    }
    return ruleset->sa_count > 0;
}

int spill_onward_create(const struct spill_policy *previous, bool follows, const char *name,
                        const struct spill_ruleset *ruleset, const struct spill_sa_set *sas,
                        const uint16_t *ids, const struct spill_rule_input *inputs,
                        const int memory_nodes[SPILL_NODES_MAX], struct spill_policy **onward,
                        struct spill_error *error)
{
    struct spill_ruleset selected = *ruleset;

    *onward = NULL;
    if (!has_some_for_what_comes(ruleset))
        return 0;
    selected.rules = calloc(ruleset->count, sizeof(*selected.rules));
    if (selected.rules == NULL)
        return spill_error_set(error, "rules: no memory");
    selected.count = select_rules(ruleset, sas, ids, selected.rules);
    if (selected.count > 0 && follows)
        *onward = spill_policy_follow(previous, name, &selected, ids, inputs, SPILL_VERDICT_ALLOW,
                                      memory_nodes, error);
    else if (selected.count > 0)
        *onward = spill_policy_create(name, &selected, ids, inputs, SPILL_VERDICT_ALLOW,
                                      memory_nodes, error);
    free(selected.rules);
    return selected.count == 0 || *onward != NULL ? 0 : -1;
}

/* ------------------------------------------------------------------------------ a packet */

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
    denied = question.verdict == SPILL_VERDICT_DENY && question.sa == SPILL_SA_HOST_TOO;
    if (question.verdict != SPILL_VERDICT_PROTECT && !wanted && !denied)
        return NULL;
    sa = wanted || denied ? NULL : spill_sa_set_get(generation->sas, question.sa);
    if ((sa == NULL && !wanted && !denied) || is_for_host(fast, mbuf, packet))
        return NULL;
    packet->sa = question.sa;
    packet->verdict = question.verdict;
    return sa;
}
