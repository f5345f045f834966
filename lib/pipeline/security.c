/* SPDX-License-Identifier: BSD-3-Clause */
/* Versions of the security policy. */
#include "pipeline/security.h"

#include <stdlib.h>

struct spill_security *spill_security_create(uint64_t number, struct spill_policy *policy,
                                             struct spill_sa_set *sas)
{
    struct spill_security *security = calloc(1, sizeof(*security));

    if (security != NULL)
        *security = (struct spill_security){.number = number, .policy = policy, .sas = sas};
    return security;
}

void spill_security_free(void *argument)
{
    struct spill_security *security = argument;

    if (security == NULL)
        return;
    spill_policy_free(security->policy);
    spill_sa_set_free(security->sas);
    free(security);
}
