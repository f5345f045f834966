/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ACL_H
#define SPILLWAY_ACL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "classify/rule_limit.h"
#include "classify/rules.h"
#include "packet/packet.h"

/**
 * @file
 * A rule set compiled for lookup: which verdict does the first matching rule give a packet?
 *
 * Built on rte_acl. Each family has a context of the rules that name neither ports nor ICMP types,
 * for packets without (other protocols, later fragments); one that has those with ports as well,
 * for packets with ports; and one that has those with types, for ICMP messages. So a rule that
 * names ports can't match a packet that carries none. The port that a packet came in by is a field
 * where any rule names one.
 *
 * Once made, an ACL never changes: any number of threads may classify with it, without locks.
 */

struct spill_acl;

/**
 * Compiles a rule set. Control thread, after the EAL is up. Takes 0.1 to 0.5 ms a rule (100 000
 * rules: 10 to 20 s on a quiet machine) and, while it runs, heap: 25 to 45 KB a rule, and for sets
 * of up to 10 000 rules, where it looks for the fastest lookup, up to 110 KB a rule.
 *
 * @param name             the ACL's own: none of the same name may live at the time; at most
 *                         SPILL_ACL_NAME_MAX characters
 * @param ruleset          not needed any more afterwards
 * @param sa_ids           for each of ruleset->sas the id of that SA, 1 to 65535; not needed any
 *                         more afterwards; may be NULL when there is none
 * @param inputs           what each of ruleset->inputs stands for; not needed any more afterwards;
 *                         may be NULL when there is none
 * @param default_verdict  for packets that no rule matches; ALLOW or DENY
 * @param socket           NUMA node of the lcores that will classify, or SOCKET_ID_ANY
 * @param error            may be NULL
 * @return the ACL, to be freed with spill_acl_free(); NULL on error: the name is taken or too long,
 * or memory is short
 */
struct spill_acl *spill_acl_create(const char *name, const struct spill_ruleset *ruleset,
                                   const uint16_t *sa_ids, const struct spill_rule_input *inputs,
                                   enum spill_verdict default_verdict, int socket,
                                   struct spill_error *error);

#define SPILL_ACL_NAME_MAX 19

/**
 * The same for a version that follows another: what that has compiled, and both have, is not
 * compiled again. It takes time for what differs, and some microseconds for a thousand rules.
 *
 * @param previous  the version before, with the same inputs and sets in its rule set; NULL: none.
 *                  Only one that was made by this, too, saves anything
 */
struct spill_acl *spill_acl_follow(const struct spill_acl *previous, const char *name,
                                   const struct spill_ruleset *ruleset, const uint16_t *sa_ids,
                                   const struct spill_rule_input *inputs,
                                   enum spill_verdict default_verdict, int socket,
                                   struct spill_error *error);

/** Frees an ACL. No thread may be using it any more. Control thread. NULL is fine. */
void spill_acl_free(struct spill_acl *acl);

/**
 * Gives each packet of a burst the verdict of the first rule that matches it, or the default's.
 * Any thread, also concurrently; no system call, lock or allocation.
 *
 * @param packets  of the kinds IPv4 and IPv6, mixed as they come, with `input`, and the VLAN in
 *                 their key; one that is `reversed` is judged as one of the other direction that
 *                 came in by its `output`; `verdict` is written, and `sa`: of a rule that
 *                 protects the SA's id, of one that denies what stands in packet.h, else 0
 * @param count    at most SPILL_BURST
 * @param tallies  written, `count` of them: where each one's rule is counted (rule_counts.h), with
 *                 SPILL_RULE_RECORDS where it has `log`
 */
void spill_acl_classify(const struct spill_acl *acl, struct spill_packet **packets, uint32_t count,
                        uint32_t *tallies);

/** What one rule decides. */
struct spill_acl_decision {
    uint8_t verdict; /* enum spill_verdict */
    uint16_t sa;     /* as in struct spill_packet */
    uint32_t tally;  /* and SPILL_RULE_RECORDS */
};

/**
 * All decisions that a packet may have: of the first rule that matches it, and as long as that has
 * a limit, of the next beyond it (rule_levels.h). The last is of one without a limit, or the
 * default. One search, which finds all of them. Any thread, as above.
 *
 * @param packet  as above; nothing is written to it
 * @return how many there are, 1 at least
 */
uint32_t spill_acl_chain(const struct spill_acl *acl, const struct spill_packet *packet,
                         struct spill_acl_decision chain[SPILL_RULE_LEVELS + 1]);

/**
 * How much EAL memory one ACL of these rules is to be given, in bytes. The ACL uses up to this much
 * for speed, mostly a fraction of it. What it needs at least depends on how rules overlap: all sets
 * measured stay below, but it is no upper bound, and spill_acl_create() fails cleanly where memory
 * ends. Any thread; needs no EAL.
 */
size_t spill_acl_memory(const struct spill_ruleset *ruleset);

#endif
