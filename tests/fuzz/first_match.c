/* SPDX-License-Identifier: BSD-3-Clause */
/* A walk over rules. */
#include "first_match.h"

#include <arpa/inet.h>
#include <string.h>

static bool came_in(const struct spill_ruleset *ruleset, const struct spill_rule *rule,
                    const struct spill_rule_input *named, uint8_t input)
{
    for (unsigned i = 0; i < ruleset->input_count; i++) {
        if ((rule->inputs >> i & 1) != 0 && input == named[i].port)
            return true;
    }
    return rule->inputs == 0;
}

static bool matches(const struct spill_rule *rule, const struct match_packet *packet)
{
    if ((rule->families & (packet->v6 ? SPILL_RULE_IPV6 : SPILL_RULE_IPV4)) == 0 ||
        (!rule->any_protocol && rule->protocol != packet->protocol) ||
        (rule->names_ports && !packet->has_ports) || (rule->names_types && !packet->has_type))
        return false;
    for (unsigned end = 0; end < 2; end++) {
        for (unsigned bit = 0; bit < rule->length[end]; bit++) {
            uint8_t mask = (uint8_t)(0x80 >> bit % 8);

            if (((packet->address[end][bit / 8] ^ rule->address[end][bit / 8]) & mask) != 0)
                return false;
        }
        if ((rule->names_ports || (rule->names_types && end == 1)) &&
            (packet->port[end] < rule->first_port[end] || packet->port[end] > rule->last_port[end]))
            return false;
    }
    return true;
}

const struct spill_rule *first_match(const struct spill_ruleset *ruleset,
                                     const struct spill_rule_input *named,
                                     const struct match_packet *packet)
{
    for (uint32_t i = 0; i < ruleset->count; i++) {
        if (matches(&ruleset->rules[i], packet) &&
            came_in(ruleset, &ruleset->rules[i], named, packet->input))
            return &ruleset->rules[i];
    }
    return NULL;
}

void match_packet_of(const struct spill_packet *packet, struct match_packet *match)
{
    bool v6 = packet->kind == SPILL_PACKET_IPV6;

    memset(match, 0, sizeof(*match));
    match->v6 = v6;
    match->has_ports = packet->has_ports;
    match->protocol = v6 ? packet->key.v6.protocol : packet->key.v4.protocol;
    match->input = packet->input;
    for (unsigned end = 0; end < 2; end++) {
        unsigned place = end ^ packet->direction;

        if (v6)
            memcpy(match->address[end], packet->key.v6.address[place], 16);
        else
            memcpy(match->address[end], &packet->key.v4.address[place], 4);
        match->port[end] = ntohs(v6 ? packet->key.v6.port[place] : packet->key.v4.port[place]);
    }
}
