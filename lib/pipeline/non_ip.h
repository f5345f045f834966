/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_PIPELINE_NON_IP_H
#define SPILLWAY_PIPELINE_NON_IP_H

#include <stdbool.h>
#include <stdint.h>

#include "packet/parse.h"

/**
 * @file
 * Which frames pass that are not IP, and so have no rule. Zero: none.
 */

#define SPILL_NON_IP_TYPES_MAX 32

struct spill_non_ip {
    uint16_t count;
    bool rest;         /* what is of none of the types passes, too */
    bool encapsulated; /* and what may hold IP that the rules can't look into */
    uint16_t types[SPILL_NON_IP_TYPES_MAX]; /* host order, or SPILL_TYPE_… */
};

/* Counters of those that passed: one for each type, by its index, and two for all others. */
#define SPILL_NON_IP_REST         SPILL_NON_IP_TYPES_MAX
#define SPILL_NON_IP_ENCAPSULATED (SPILL_NON_IP_TYPES_MAX + 1)
#define SPILL_NON_IP_COUNTERS     (SPILL_NON_IP_TYPES_MAX + 2)

/**
 * @param packet  of the kind SPILL_PACKET_OTHER
 * @return the counter that it passes under, or -1: it is dropped, under `packet->drop`
 */
static inline int spill_non_ip_find(const struct spill_non_ip *set,
                                    const struct spill_packet *packet)
{
    uint16_t i;

    if (packet->drop != spill_non_ip.id)
        return set->encapsulated ? SPILL_NON_IP_ENCAPSULATED : -1;
    for (i = 0; i < set->count; i++) {
        if (set->types[i] == packet->key.type)
            return i;
    }
    return set->rest ? SPILL_NON_IP_REST : -1;
}

#endif
