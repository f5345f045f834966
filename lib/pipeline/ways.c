/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/ways.h"

#include <stdlib.h>
#include <string.h>

static enum spill_way way_of(const struct spill_ways_input *input, const struct spill_rule *rule)
{
    const struct spill_sa *sa =
        rule->sa != 0 ? spill_sa_set_get(input->sas, input->ids[rule->sa - 1]) : NULL;

    if (sa != NULL)
        return sa->config.direction == SPILL_SA_IN ? SPILL_WAY_IN : SPILL_WAY_OUT;
    if (rule->host == SPILL_RULE_HOST_GETS || rule->host == SPILL_RULE_FORWARDED)
        return SPILL_WAY_IN;
    return rule->trap != 0 || rule->host == SPILL_RULE_HOST_SENDS ? SPILL_WAY_OUT : SPILL_WAY_ANY;
}

/* --------------------------------------------------------- whether rules of both ways may meet */

/* Where packets come from that a rule is for. */
struct source {
    uint8_t family; /* SPILL_RULE_IPV4, _IPV6 */
    uint8_t first[16], last[16];
    enum spill_way way;
};

static int compare(const void *left, const void *right)
{
    const struct source *one = left, *other = right;
    int order = one->family - other->family;

    if (order == 0)
        order = memcmp(one->first, other->first, sizeof(one->first));
    return order != 0 ? order : memcmp(other->last, one->last, sizeof(one->last));
}

static void add_source(struct source *source, const struct spill_rule *rule, uint8_t family,
                       enum spill_way way)
{
    const bool any = rule->set[SPILL_RULE_SOURCE] != 0;
    const unsigned length = any ? 0 : rule->length[SPILL_RULE_SOURCE];

    *source = (struct source){.family = family, .way = way};
    for (unsigned i = 0; i < sizeof(source->first); i++) {
        const uint8_t open = (uint8_t)(length >= 8 * (i + 1) ? 0
                                       : length <= 8 * i     ? 0xff
                                                             : 0xff >> (length - 8 * i));

        source->first[i] = any ? 0 : rule->address[SPILL_RULE_SOURCE][i];
        source->last[i] = source->first[i] | open;
    }
}

/* Prefixes that meet are one in the other: of those before, the one that reaches farthest tells. */
static bool any_meet(struct source *sources, uint32_t count)
{
    const struct source *farthest[2] = {NULL, NULL};

    qsort(sources, count, sizeof(*sources), compare);
    for (uint32_t i = 0; i < count; i++) {
        const struct source *source = &sources[i], *other = farthest[source->way == SPILL_WAY_IN];
        const struct source **own = &farthest[source->way != SPILL_WAY_IN];

        if (other != NULL && other->family == source->family &&
            memcmp(other->last, source->first, sizeof(other->last)) >= 0)
            return true;
        if (*own == NULL || (*own)->family != source->family ||
            memcmp((*own)->last, source->last, sizeof(source->last)) < 0)
            *own = source;
    }
    return false;
}

/* Whether a rule for the one way and one for the other may be for the same packets: by where they
 * come from, which the ends of a tunnel do not share, but a hub and its spokes. */
static int meet(const struct spill_ways_input *input, bool *found)
{
    struct source *sources = malloc((2 * (size_t)input->ruleset->count + 1) * sizeof(*sources));
    uint32_t count = 0, i;

    if (sources == NULL)
        return -1;
    for (i = 0; i < input->ruleset->count; i++) {
        const struct spill_rule *rule = &input->ruleset->rules[i];
        const enum spill_way way = way_of(input, rule);

        for (uint8_t family = SPILL_RULE_IPV4; family <= SPILL_RULE_IPV6; family++) {
            if (way != SPILL_WAY_ANY && (rule->families & family) != 0)
                add_source(&sources[count++], rule, family, way);
        }
    }
    *found = any_meet(sources, count);
    free(sources);
    return 0;
}

/* ------------------------------------------------------------------------------ rules of a way */

/* Copies all rules but those for the other way, up to the last for this one. Returns how many; 0:
 * there are none for this way, or none for the other one. */
static uint32_t select_rules(const struct spill_ways_input *input, enum spill_way way,
                             struct spill_rule *rules)
{
    uint32_t count = 0, last = 0, i;
    bool others = false;

    for (i = 0; i < input->ruleset->count; i++) {
        const struct spill_rule *rule = &input->ruleset->rules[i];
        const enum spill_way own = way_of(input, rule);

        if (own != way && own != SPILL_WAY_ANY) {
            others = true;
            continue;
        }
        rules[count++] = *rule;
        if (own == way)
            last = count;
    }
    return others ? last : 0;
}

static int create(const struct spill_ways_input *input, struct spill_ruleset *selected,
                  enum spill_verdict default_verdict, struct spill_policy **policy,
                  struct spill_error *error)
{
    if (input->follows)
        *policy = spill_policy_follow(input->previous, input->name, selected, input->ids,
                                      input->inputs, default_verdict, input->memory_nodes, error);
    else
        *policy = spill_policy_create(input->name, selected, input->ids, input->inputs,
                                      default_verdict, input->memory_nodes, error);
    return *policy != NULL ? 0 : -1;
}

int spill_ways_create(const struct spill_ways_input *input, enum spill_way way,
                      struct spill_policy **policy, struct spill_error *error)
{
    struct spill_ruleset selected = *input->ruleset;
    bool both;
    int status;

    *policy = NULL;
    if (meet(input, &both) != 0)
        return spill_error_set(error, "rules: no memory");
    if (!both)
        return 0;
    selected.rules = calloc(selected.count + 1u, sizeof(*selected.rules));
    if (selected.rules == NULL)
        return spill_error_set(error, "rules: no memory");
    selected.count = select_rules(input, way, selected.rules);
    status = selected.count > 0 ? create(input, &selected, SPILL_VERDICT_ALLOW, policy, error) : 0;
    free(selected.rules);
    return status;
}

/* Copies all rules but those that are not for what the host gets, or sends. */
static uint32_t select_host_rules(const struct spill_ways_input *input, enum spill_way way,
                                  struct spill_rule *rules)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < input->ruleset->count; i++) {
        const struct spill_rule *rule = &input->ruleset->rules[i];
        const enum spill_way own = way_of(input, rule);

        if (rule->host != SPILL_RULE_FORWARDED && (own == way || own == SPILL_WAY_ANY))
            rules[count++] = *rule;
    }
    return count;
}

int spill_ways_create_host(const struct spill_ways_input *input, enum spill_way way,
                           enum spill_verdict default_verdict, struct spill_policy **policy,
                           struct spill_error *error)
{
    struct spill_ruleset selected = *input->ruleset;
    int status = 0;

    *policy = NULL;
    selected.rules = calloc(selected.count + 1u, sizeof(*selected.rules));
    if (selected.rules == NULL)
        return spill_error_set(error, "rules: no memory");
    selected.count = select_host_rules(input, way, selected.rules);
    if (selected.count < input->ruleset->count)
        status = create(input, &selected, default_verdict, policy, error);
    free(selected.rules);
    return status;
}
