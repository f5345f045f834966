/* SPDX-License-Identifier: BSD-3-Clause */
#include "classify/rule_limit.h"

void spill_rule_limit_init(struct spill_rule_limit *limit, uint64_t rate, uint32_t burst,
                           uint64_t hz, uint64_t now)
{
    const double units = 8.0 * (double)hz * (1u << SPILL_RULE_LIMIT_SHIFT) / (double)rate;

    *limit = (struct spill_rule_limit){
        .full = now << SPILL_RULE_LIMIT_SHIFT,
        .depth = (uint64_t)(units * burst),
        .per_byte = (uint64_t)(units * (1u << SPILL_RULE_LIMIT_BYTE_SHIFT)),
    };
}
