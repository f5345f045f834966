/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_SA_SET_H
#define SPILLWAY_SA_SET_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ipsec_sad.h>
#include <rte_lcore.h>

#include "base/error.h"
#include "ipsec/sa.h"
#include "ipsec/sa_ends.h"
#include "ipsec/sa_sent.h"
#include "packet/packet.h"
#include "plan/topology.h"

/**
 * @file
 * The SAs in force: one version of them, immutable, published together with the rules that name
 * them; and the store of all SAs that live, from which versions are made.
 *
 * An SA that two versions have in common is one SA: its numbers and window go on. One that no
 * version has any more stays until the last of its jobs is home, so packets in lanes are finished
 * with the SA that they began with; its key is remembered then, for if it comes back its numbers
 * must not begin again. One of the same name takes its place: what an older version decided goes on
 * with that one, in the same lane. While keys change, an inbound SA may stand for another one:
 * rules that name that one mean both, and both are in one lane, so that a flow keeps its order when
 * its sender goes over from one to the other (law 4). Several SAs of one direction may stand for a
 * name that is none's: outbound the first of them protects, and what an older version decided goes
 * on with that one at once. rte_ipsec_sad finds inbound SAs, on each node
 * that reads it.
 *
 * Everything is the control thread's, but the lookups, which any lcore may do.
 */

#define SPILL_SAS_MAX 16384 /* in one version */

/** The inbound SAs of one family of outer addresses, on one node. */
struct spill_sad {
    struct rte_ipsec_sad *ipv4;
    struct rte_ipsec_sad *ipv6;
};

struct spill_sa_names;
struct spill_sa_store;

/** One version. */
struct spill_sa_set {
    struct spill_sa_store *store; /* that its SAs live in; control thread, as the next */
    uint32_t users;               /* versions of the policy with all of these */
    uint32_t count;
    struct spill_sa **list;  /* in the order of the configuration */
    struct spill_sa **by_id; /* also under the ids of those that they have replaced */
    struct spill_sa **twins; /* by id: an outbound one's inbound one between the same two ends */
    struct spill_sa **named; /* by id likewise: the SA that rules name for it */
    uint32_t id_limit;       /* ids below it may be looked at in by_id and named */
    struct spill_sa_names *names; /* control thread */
    struct spill_sa_sent *sent;   /* for errors about outbound ones */
    struct spill_sa_ends *ends;   /* of inbound ones in UDP; NULL: none is unusual */
    bool has_inbound;
    struct spill_sad sads[SPILL_NODES_MAX];            /* by memory node */
    const struct spill_sad *by_slot[SPILL_NODE_SLOTS]; /* by spill_node_slot() of who reads */
};

/** Where SAs are used. */
struct spill_sa_store_config {
    struct spill_crypto *crypto;            /* stays the caller's */
    const struct spill_crypto_user *lcores; /* that work with every SA; copied */
    uint32_t lcore_count;
    int memory_nodes[SPILL_NODES_MAX]; /* of each node, where its lcores' memory is; -1: none there
                                        */
};

/** @return NULL with an error when memory is short */
struct spill_sa_store *spill_sa_store_create(const struct spill_sa_store_config *config,
                                             struct spill_error *error);

/**
 * Has one more lcore work with every SA, those of older versions among them, while others do. It
 * may, once this has returned; whoever was added before is there already. Who has the store.
 *
 * @return 0; or -1 with an error, and the parts that were made are there at the next try
 */
int spill_sa_store_add_lcore(struct spill_sa_store *store, const struct spill_crypto_user *lcore,
                             struct spill_error *error);

/** Frees the store with all SAs, when no version is left and no lcore runs. May be NULL. */
void spill_sa_store_free(struct spill_sa_store *store);

/**
 * Makes a version. SAs that are there already with all the same settings are taken over.
 *
 * @param configs  at most SPILL_SAS_MAX, with names of their own
 * @return NULL with an error; then nothing has changed
 */
struct spill_sa_set *spill_sa_set_create(struct spill_sa_store *store,
                                         const struct spill_sa_config *configs, uint32_t count,
                                         struct spill_error *error);

/** Has another version of the policy have the same SAs: spill_sa_set_free() once more. @return it
 */
struct spill_sa_set *spill_sa_set_share(struct spill_sa_set *set);

/** Frees a version that no lcore reads any more. Its SAs go by spill_sa_store_reclaim(). */
void spill_sa_set_free(struct spill_sa_set *set);

/** Frees SAs that no version has, once their last job is home. @return how many stay until then */
uint32_t spill_sa_store_reclaim(struct spill_sa_store *store);

/**
 * The SA of an id, which may be of an older version: then the one that has taken its place. NULL:
 * this version has none. Any lcore.
 */
static inline struct spill_sa *spill_sa_set_get(const struct spill_sa_set *set, uint16_t id)
{
    return id < set->id_limit ? set->by_id[id] : NULL;
}

/** An inbound SA between the same two ends as an outbound one of this version; NULL: none. Any
 * lcore. */
static inline struct spill_sa *spill_sa_set_twin(const struct spill_sa_set *set,
                                                 const struct spill_sa *sa)
{
    return sa->id < set->id_limit ? set->twins[sa->id] : NULL;
}

/** Whether two ids are those of SAs that rules know by one name, as spill_sa_set_get() finds them.
 * Any lcore. */
static inline bool spill_sa_set_same_name(const struct spill_sa_set *set, uint16_t one,
                                          uint16_t other)
{
    return one < set->id_limit && other < set->id_limit && set->named[one] != NULL &&
           set->named[one] == set->named[other];
}

/** The SA of a name, else the first of those that stand for it, or NULL. */
struct spill_sa *spill_sa_set_find(const struct spill_sa_set *set, const char *name);

/**
 * Looks up the inbound SAs of ESP packets, by SPI and outer addresses. With an SPI of 0, finds any
 * SA where the packet's destination is one of an inbound SA: one with its source, too, if there is
 * any. Any lcore.
 *
 * @param packets  of kind IPV4 or IPV6, with their own addresses in the key
 * @param spis     of each, as on the wire
 * @param sas      gets each one's SA, or NULL
 * @param count    at most SPILL_BURST
 */
void spill_sa_set_lookup(const struct spill_sa_set *set, struct spill_packet **packets,
                         const rte_be32_t *spis, struct spill_sa **sas, uint32_t count);

#endif
