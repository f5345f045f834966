/* SPDX-License-Identifier: BSD-3-Clause */
/* What the steps say: names of roles, and warnings. */
#include <stdarg.h>
#include <stdio.h>

#include "plan_steps.h"

const char *spill_role_name(enum spill_role role)
{
    static const char *const names[SPILL_ROLES] = {"control", "fast", "rx", "tx", "pool"};

    return names[role];
}

bool spill_plan_channel_is_used(const struct spill_plan *plan, unsigned channel)
{
    unsigned i, q;

    for (i = 0; i < plan->port_count; i++)
        for (q = 0; plan->ports[i].left && q < plan->ports[i].tx_queues; q++)
            if (plan->ports[i].tx[q].channel == (int)channel)
                return false;
    return true;
}

void spill_plan_warn(struct spill_plan *plan, const char *format, ...)
{
    va_list arguments;

    plan->warning_count++;
    if (plan->warning_count > SPILL_PLAN_WARNINGS_MAX) {
        plan->warning_count = SPILL_PLAN_WARNINGS_MAX;
        snprintf(plan->warnings[SPILL_PLAN_WARNINGS_MAX - 1], SPILL_PLAN_TEXT_MAX,
                 "there are more warnings than are shown");
        return;
    }
    va_start(arguments, format);
    vsnprintf(plan->warnings[plan->warning_count - 1], SPILL_PLAN_TEXT_MAX, format, arguments);
    va_end(arguments);
}
