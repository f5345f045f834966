/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ACL_INPUTS_H
#define SPILLWAY_ACL_INPUTS_H

#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>

#include "classify/rules.h"
#include "packet/packet.h"

/**
 * @file
 * What packets came in by, as rules with `in` want it: each packet has one bit, that of the
 * sub-port which it came in by where rules name it, else its port's, and a rule that names a port
 * has its sub-ports' bits, too. For the ACL alone (acl.h); constant once made.
 */

struct spill_acl_inputs {
    rte_be32_t ports[UINT8_MAX + 1]; /* the port's bit, by its id; all bits where none names it */
    /* Of the sub-ports that rules name, and their bits: */
    struct spill_rule_input sub_ports[SPILL_INPUTS_NAMED_MAX];
    rte_be32_t sub_bits[SPILL_INPUTS_NAMED_MAX];
    uint32_t sub_count;
    uint32_t within[SPILL_INPUTS_NAMED_MAX]; /* by index of a name: its bit, and its sub-ports' */
};

/** @param named  what each of ruleset->inputs stands for */
void spill_acl_inputs_init(struct spill_acl_inputs *inputs, const struct spill_ruleset *ruleset,
                           const struct spill_rule_input *named);

/** The bits that a rule matches, of one that names any. */
uint32_t spill_acl_inputs_of_rule(const struct spill_acl_inputs *inputs,
                                  const struct spill_rule *rule);

/** The bit of what a packet came in by, or, where it is `reversed`, of what it leaves by. */
static inline rte_be32_t spill_acl_inputs_of(const struct spill_acl_inputs *inputs,
                                             const struct spill_packet *packet)
{
    const uint8_t port = packet->reversed ? packet->output : packet->input;
    const uint16_t vlan =
        (packet->kind == SPILL_PACKET_IPV4 ? packet->key.v4.vlan : packet->key.v6.vlan) &
        SPILL_VLAN_PLACE;

    if (unlikely(packet->of_host) && !packet->reversed)
        return (rte_be32_t)UINT32_MAX; /* as of a port that none names */
    for (uint32_t i = 0; i < inputs->sub_count; i++)
        if (inputs->sub_ports[i].port == port && inputs->sub_ports[i].vlan == vlan)
            return inputs->sub_bits[i];
    return inputs->ports[port];
}

#endif
