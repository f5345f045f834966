/* SPDX-License-Identifier: BSD-3-Clause */
#include "classify/acl_inputs.h"

#include <string.h>

void spill_acl_inputs_init(struct spill_acl_inputs *inputs, const struct spill_ruleset *ruleset,
                           const struct spill_rule_input *named)
{
    memset(inputs, 0, sizeof(*inputs));
    memset(inputs->ports, UINT8_MAX, sizeof(inputs->ports));
    for (uint16_t i = 0; i < ruleset->input_count; i++) {
        const rte_be32_t bit = rte_cpu_to_be_32(UINT32_C(1) << i);

        if (named[i].vlan == 0) {
            inputs->ports[named[i].port] = bit;
        } else {
            inputs->sub_ports[inputs->sub_count] = named[i];
            inputs->sub_bits[inputs->sub_count++] = bit;
        }
        for (uint16_t j = 0; j < ruleset->input_count; j++)
            if (j == i || (named[i].vlan == 0 && named[j].port == named[i].port))
                inputs->within[i] |= UINT32_C(1) << j;
    }
}

uint32_t spill_acl_inputs_of_rule(const struct spill_acl_inputs *inputs,
                                  const struct spill_rule *rule)
{
    uint32_t bits = 0;

    for (uint32_t left = rule->inputs; left != 0; left &= left - 1)
        bits |= inputs->within[__builtin_ctz(left)];
    return bits;
}
