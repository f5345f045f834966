/* SPDX-License-Identifier: BSD-3-Clause */
/* A rule against a packet, one field after the other. */
#include "classify/rule_match.h"

static bool within(const uint8_t *address, const uint8_t *prefix, unsigned length)
{
    for (unsigned bit = 0; bit < length; bit++) {
        if (((address[bit / 8] ^ prefix[bit / 8]) >> (7 - bit % 8) & 1) != 0)
            return false;
    }
    return true;
}

void spill_rule_packet_find_sets(const struct spill_ruleset *ruleset,
                                 struct spill_rule_packet *packet)
{
    packet->sets[0] = packet->sets[1] = 0;
    for (uint32_t i = 0; i < ruleset->prefix_count; i++) {
        const struct spill_prefix *prefix = &ruleset->prefixes[i];

        for (unsigned end = 0; end < 2; end++) {
            if (prefix->family == packet->family &&
                within(packet->address[end], prefix->address, prefix->length))
                packet->sets[end] |= UINT32_C(1) << (prefix->set - 1);
        }
    }
}

static bool end_matches(const struct spill_rule *rule, const struct spill_rule_packet *packet,
                        unsigned end)
{
    const uint8_t set = rule->set[end];

    return within(packet->address[end], rule->address[end], rule->length[end]) &&
           (set == 0 || (packet->sets[end] >> (set - 1) & 1) != 0);
}

static bool is_between(uint16_t value, const struct spill_rule *rule, unsigned end)
{
    return value >= rule->first_port[end] && value <= rule->last_port[end];
}

unsigned spill_rule_differs(const struct spill_rule *rule, const struct spill_rule_packet *packet)
{
    unsigned differs = 0;

    if ((rule->families & packet->family) == 0)
        return SPILL_RULE_OTHER_FAMILY; /* its addresses can't be compared */
    if (!rule->any_protocol && rule->protocol != packet->protocol)
        differs |= SPILL_RULE_OTHER_PROTOCOL;
    if (!end_matches(rule, packet, SPILL_RULE_SOURCE))
        differs |= SPILL_RULE_OTHER_SOURCE;
    if (!end_matches(rule, packet, SPILL_RULE_DESTINATION))
        differs |= SPILL_RULE_OTHER_DESTINATION;
    if (rule->names_ports && (!packet->has_ports || !is_between(packet->port[0], rule, 0) ||
                              !is_between(packet->port[1], rule, 1)))
        differs |= SPILL_RULE_OTHER_PORTS;
    if (rule->names_types && (!packet->has_type || !is_between(packet->port[1], rule, 1)))
        differs |= SPILL_RULE_OTHER_TYPE;
    if (rule->inputs != 0 && (rule->inputs & packet->input) == 0)
        differs |= SPILL_RULE_OTHER_INPUT;
    return differs;
}
