/* SPDX-License-Identifier: BSD-3-Clause */
#include "classify/acl_share.h"

#include <errno.h>
#include <stdlib.h>

/* A rule that gets a layer. */
struct candidate {
    uint32_t rule;
    uint32_t length; /* of both prefixes: for how little it is */
};

static int narrow_first(const void *left, const void *right)
{
    const struct candidate *one = left, *other = right;

    if (one->length != other->length)
        return one->length > other->length ? -1 : 1;
    return one->rule < other->rule ? -1 : 1;
}

/* Whether none of the candidates that have a layer competes with one for it. */
static bool fits(const struct spill_rule *rules, const struct candidate *candidates, uint32_t count,
                 const uint8_t *layers, uint8_t layer)
{
    const struct spill_rule *rule = &rules[candidates[count].rule];

    for (uint32_t i = 0; i < count; i++) {
        if (layers[candidates[i].rule] == layer &&
            spill_acl_rules_compete(rule, &rules[candidates[i].rule]))
            return false;
    }
    return true;
}

int spill_acl_share(const struct spill_rule *rules, uint32_t count, uint32_t layer_count,
                    uint8_t *layers)
{
    struct candidate *candidates = calloc(count + 1u, sizeof(*candidates));

    if (candidates == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++)
        candidates[i] = (struct candidate){i, (uint32_t)rules[i].length[0] + rules[i].length[1]};
    qsort(candidates, count, sizeof(*candidates), narrow_first);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t layer = 0;

        while (layer + 1u < layer_count && !fits(rules, candidates, i, layers, layer))
            layer++;
        layers[candidates[i].rule] = layer;
    }
    free(candidates);
    return 0;
}
