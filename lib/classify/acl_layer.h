/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ACL_LAYER_H
#define SPILLWAY_ACL_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_acl.h>
#include <rte_byteorder.h>

#include "classify/acl_inputs.h"
#include "classify/rules.h"

/**
 * @file
 * Some rules of an ACL, compiled: the part of it that takes time. For the ACL alone (acl.h), which
 * asks one or several of them. Constant for those who look up; versions of an ACL have layers in
 * common, and what who makes them notes of a layer is his own.
 */

/* The contexts of each family, by what its packets have besides addresses. */
enum spill_acl_lookup {
    SPILL_ACL_IPV4,
    SPILL_ACL_IPV4_PORTS,
    SPILL_ACL_IPV4_TYPES, /* of ICMP: a port that it goes to, as it were */
    SPILL_ACL_IPV6,
    SPILL_ACL_IPV6_PORTS,
    SPILL_ACL_IPV6_TYPES,
    SPILL_ACL_LOOKUPS,
};

#define SPILL_ACL_WITH_PORTS (SPILL_ACL_IPV4_PORTS - SPILL_ACL_IPV4)
#define SPILL_ACL_WITH_TYPES (SPILL_ACL_IPV4_TYPES - SPILL_ACL_IPV4)

/* What a lookup reads of a packet: all in network order, in steps of four bytes as rte_acl wants.
 */
struct spill_acl_tuple4 {
    uint32_t protocol; /* in the first byte in memory */
    uint32_t address[2];
    uint16_t port[2];
    uint32_t input;
    rte_be32_t sets[2]; /* that source and destination are in */
};

struct spill_acl_tuple6 {
    uint32_t protocol;
    uint32_t address[2][4];
    uint16_t port[2];
    uint32_t input;
    rte_be32_t sets[2];
};

union spill_acl_tuple {
    struct spill_acl_tuple4 v4;
    struct spill_acl_tuple6 v6;
};

/** What who makes versions knows of a rule that a layer has, and of those that it shares packets
 * with: bits. */
#define SPILL_ACL_LOOKED     0x1u /* it is known whether it is alone */
#define SPILL_ACL_ALONE      0x2u /* there are none */
#define SPILL_ACL_HAS_HIDDEN 0x4u /* those that come later are noted as hidden */
#define SPILL_ACL_HIDDEN     0x8u /* some version is without one that comes earlier, and is found */

struct spill_acl_layer {
    /* NULL without rules. Where no rule names ports, or types, the family's first context stands in
     * that place, too. They give the place of a rule from 1; 0: none matches. */
    struct rte_acl_ctx *context[SPILL_ACL_LOOKUPS];
    uint32_t count;
    bool types; /* rules name types */
    /* Of who makes versions: */
    uint32_t users;           /* ACLs with this layer */
    struct spill_rule *rules; /* a copy; NULL: it was not to be kept, and no other may have it */
    uint32_t *table;          /* places of rules from 1, by a hash of what they match; 0: free */
    uint32_t table_size;      /* a power of two */
    uint8_t *notes;           /* of each rule: bits as above */
    uint32_t distinct;        /* rules of which none before matches the same */
};

/**
 * Compiles rules, the first with the highest priority.
 *
 * @param name        no ACL's or layer's that lives
 * @param categories  of rte_acl, as all layers of an ACL have
 * @param kept        versions may follow that have it, too
 * @param layer       written
 * @return 0; a negative errno
 */
int spill_acl_layer_create(const char *name, const struct spill_ruleset *ruleset,
                           const struct spill_acl_inputs *inputs, uint32_t categories, int socket,
                           bool kept, struct spill_acl_layer **layer);

/** Gives an ACL's share of it back; the last one's frees it. May be NULL. */
void spill_acl_layer_release(struct spill_acl_layer *layer);

/** The place, from 1, of the rule that matches the same as another one; 0: there is none. */
uint32_t spill_acl_layer_find(const struct spill_acl_layer *layer, const struct spill_rule *rule);

/** Whether a packet may match both rules, and it matters which is found. */
bool spill_acl_rules_compete(const struct spill_rule *one, const struct spill_rule *other);

/** Whether the rule of a place shares packets with no other one. @param place  from 1 */
bool spill_acl_layer_is_alone(struct spill_acl_layer *layer, uint32_t place);

/** Notes, for all versions, that one is without the rule of a place: it may hide later ones.
 * @return whether that took a walk over the layer */
bool spill_acl_layer_hide(struct spill_acl_layer *layer, uint32_t place);

/** Whether the rule of a place may be hidden. */
bool spill_acl_layer_is_hidden(const struct spill_acl_layer *layer, uint32_t place);

/** rte_acl's categories: 1, or what it can search at a time. */
uint32_t spill_acl_categories(const struct spill_ruleset *ruleset);

/** EAL memory, as for spill_acl_memory(). */
size_t spill_acl_layer_memory(const struct spill_ruleset *ruleset);

#endif
