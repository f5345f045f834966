/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ACL_PARTS_H
#define SPILLWAY_ACL_PARTS_H

#include "classify/acl.h"
#include "classify/acl_layer.h"
#include "classify/prefix_sets.h"

/**
 * @file
 * What an ACL is made of, for the files that make it: layers, most of them another version's as
 * well, and what is this version's alone: what its rules decide, and where in their order those of
 * each layer are. A rule that is not of this version any more has its place behind all others.
 */

#define SPILL_ACL_PARTS_MAX 4

/** What a rule decides. */
struct spill_acl_result {
    uint8_t verdict;
    uint8_t level;  /* of its limit; 0: it has none */
    uint16_t sa;    /* as in struct spill_packet */
    uint32_t tally; /* with SPILL_RULE_RECORDS where it has `log` */
};

struct spill_acl_part {
    struct spill_acl_layer *layer; /* one of its users is this ACL */
    uint32_t *order; /* by the place of a rule in it, from 1: which of results; of 0 the default */
};

struct spill_acl_sets {
    struct spill_prefix_sets *sets;
    uint32_t users; /* ACLs; who makes versions */
};

struct spill_acl {
    struct spill_acl_inputs inputs;
    struct spill_acl_sets *sets;      /* NULL: the rules name none */
    struct spill_acl_result *results; /* the rules', then the default */
    uint32_t count;                   /* of rules: the default's place */
    uint32_t categories;              /* of rte_acl: all rules, then without those of each level */
    bool types;                       /* rules name types */
    uint32_t part_count;
    struct spill_acl_part parts[SPILL_ACL_PARTS_MAX];
};

/** Begins one, without results and parts, which has the sets of a previous version's. */
struct spill_acl *spill_acl_begin(const struct spill_acl *previous, const char *name,
                                  const struct spill_ruleset *ruleset,
                                  const struct spill_rule_input *inputs, int socket,
                                  struct spill_error *error);

/** Gives it what its rules decide. @return 0; a negative errno */
int spill_acl_make_results(struct spill_acl *acl, const struct spill_ruleset *ruleset,
                           const uint16_t *sa_ids, enum spill_verdict default_verdict, int socket);

/** The order of a layer with so many rules, none of which is of this version. NULL: no memory. */
uint32_t *spill_acl_make_order(const struct spill_acl *acl, uint32_t rules, int socket);

/** Makes one part of all rules. @param kept  as for spill_acl_layer_create() @return as that */
int spill_acl_add_all(struct spill_acl *acl, const char *name, const struct spill_ruleset *ruleset,
                      int socket, bool kept);

/** Gives it out; or frees it, with an error, where the status is not 0. */
struct spill_acl *spill_acl_end(struct spill_acl *acl, const char *name,
                                const struct spill_ruleset *ruleset, int status,
                                struct spill_error *error);

#endif
