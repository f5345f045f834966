/* SPDX-License-Identifier: BSD-3-Clause */
/* Versions of the security policy. */
#include "pipeline/generation.h"

#include <stdlib.h>

struct spill_generation *spill_generation_create(uint64_t number, struct spill_policy *policy,
                                                 struct spill_sa_set *sas,
                                                 struct spill_rule_list *list)
{
    struct spill_generation *generation = calloc(1, sizeof(*generation));

    if (generation != NULL)
        *generation =
            (struct spill_generation){.number = number, .policy = policy, .sas = sas, .list = list};
    return generation;
}

void spill_generation_free(void *argument)
{
    struct spill_generation *generation = argument;

    if (generation == NULL)
        return;
    spill_policy_free(generation->policy);
    spill_policy_free(generation->onward);
    spill_policy_free(generation->inward);
    spill_policy_free(generation->to_host);
    spill_policy_free(generation->of_host);
    spill_sa_set_free(generation->sas);
    spill_rule_list_free(generation->list);
    free(generation);
}
