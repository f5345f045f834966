/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FLOW_TABLE_H
#define SPILLWAY_FLOW_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/metrics.h"
#include "classify/flow.h"
#include "classify/rule_counts.h"
#include "packet/packet.h"

/**
 * @file
 * Exact-match table of one fast lcore: connection -> what was decided about it (flow.h).
 *
 * A table has one owner, the fast lcore, which alone calls what works on flows: no locks, no
 * atomics. It is made and freed by the control thread while the owner isn't running. It is
 * spillway's own, as this lookup is what each packet pays: flow_groups.h says how it finds.
 *
 * It is bounded: `capacity` IPv4 and as many IPv6 connections. When a family is full, a new
 * connection takes the place of the oldest *stranger*: one that is not decided yet, or denied.
 * Those that are allowed may have 7/8 of the capacity, so that there are always slots for
 * strangers, and a flood of them displaces nobody else. Beyond that, one that becomes allowed takes
 * the place of one that is *one-sided*, which is also what opens or closes, and only one whose
 * other side has answered takes that of another such; of either, one that had no packet since it
 * was last looked at goes. One that finds none to displace stays among the strangers. All of that
 * costs the same whether the table is attacked or not. Entries with packets in the pool are never
 * taken.
 *
 * Collisions can't be crafted: the hash is keyed by the table's seed, which must be secret.
 *
 * The way of a burst: spill_flow_table_lookup() for all of it; then, in order, for each packet
 * without entry spill_flow_table_find_or_add(), which also finds what an earlier packet of the
 * burst added. No entry that a burst has found can go away before its last packet is handled when
 * the caller spill_flow_hold()s the packets that wait, and reads the verdict of all others before
 * the first add.
 *
 * A verdict stands until the flow goes or was silent for the timeout of its state, or
 * spill_flow_table_renew() asks for new ones.
 */

/** What the owner counts, in flows or packets; the control thread reads. */
struct spill_flow_counters {
    uint64_t entries; /* now in the table, both families */
    uint64_t hits;    /* packets that spill_flow_table_lookup() found */
    uint64_t misses;  /* packets that it didn't find */
    uint64_t evicted; /* entries that gave place to a new one */
    uint64_t expired; /* entries not seen for the timeout */
    uint64_t refused; /* additions without slot: see spill_flow_table_find_or_add() */
};

/** What of them is told; sums over several tables likewise. */
extern const struct spill_metrics spill_flow_metrics;

struct spill_flow_table;

/** How long flows may be silent, by protocol and state (flow_state.h). */
enum spill_flow_timeout {
    SPILL_FLOW_TCP_OPENING, /* also when only one side spoke, or none is allowed to */
    SPILL_FLOW_TCP_ESTABLISHED,
    SPILL_FLOW_TCP_CLOSING, /* since the end; of SCTP, too */
    SPILL_FLOW_UDP_ONCE,    /* as above */
    SPILL_FLOW_UDP,         /* both sides spoke; UDP-Lite, too */
    SPILL_FLOW_OTHER,       /* of all other protocols */
    SPILL_FLOW_TIMEOUTS,
};

struct spill_flow_table_config {
    const char *name;  /* 1 to SPILL_FLOW_TABLE_NAME_MAX bytes; copied */
    uint32_t capacity; /* flows of each family: SPILL_FLOW_CAPACITY_MIN to _MAX */
    uint64_t timeout;  /* TSC cycles without a packet after which a flow expires; 0 = never */
    uint64_t timeouts[SPILL_FLOW_TIMEOUTS]; /* those of one state, in place of that; 0 = as above */
    int socket;                             /* NUMA node of the owner, or SOCKET_ID_ANY */
    uint64_t renewal; /* TSC cycles within which all flows ask new rules; 0 = at once */
    uint64_t seed;    /* of the hash: random and secret, so that collisions can't be crafted */
};

#define SPILL_FLOW_TABLE_NAME_MAX 20
#define SPILL_FLOW_CAPACITY_MIN   64
#define SPILL_FLOW_CAPACITY_MAX   (1u << 25)

/**
 * Makes a table. Control thread (takes the EAL's locks, allocates).
 *
 * @param config  read only during the call
 * @param error   says what was refused; may be NULL
 * @return the table, to be freed with spill_flow_table_free(); NULL when a value of the
 * configuration is out of its range or there is no memory on that node
 */
struct spill_flow_table *spill_flow_table_create(const struct spill_flow_table_config *config,
                                                 struct spill_error *error);

/**
 * Frees a table; NULL is allowed. Control thread, when the owner doesn't run any more. Flows that
 * are still held are lost: lanes must be empty.
 */
void spill_flow_table_free(struct spill_flow_table *table);

/**
 * Finds the flows of a burst: sets `flow` of each packet to its entry, or to NULL, and marks what
 * was found as seen now. One that was silent for the timeout isn't found. Packets without a key
 * are passed over. Counts hits and misses. Owner.
 *
 * Where a direction of the flow is protected, or it was refused, sets `sa` to what is noted for the
 * packet's. Counts
 * the packet in the tally that is noted for it, of its flow's rule or none; one that is to ask the
 * rules again is not counted.
 *
 * @param packets  of any kinds, in any mixture
 * @param count    0 to SPILL_BURST
 * @param now      TSC; may be somewhat less than at the call before
 * @return whether each packet has a flow, which spill_flow_passes()
 */
bool spill_flow_table_lookup(struct spill_flow_table *table, struct spill_packet *packets,
                             uint32_t count, uint64_t now);

/**
 * The SA that protects all packets of the burst that was looked up last, where nothing else can
 * become of any that came in the clear: of each the flow spill_flow_only_protects(), and it is no
 * step and not `wrapped`. 0: it is not so. Owner.
 */
uint16_t spill_flow_table_only_sa(const struct spill_flow_table *table);

/**
 * Finds a packet's flow or adds it, with both verdicts unknown and nothing pending; marks it as
 * seen now. One that was silent for the timeout, and isn't held, is begun anew. Evicts another flow
 * when the family is full. Counts neither hit nor miss. Owner.
 *
 * Bounded work: an addition, and a removal when full. The caller should take what the flow's
 * classification needs (a credit) before the call, so that a packet that is refused there evicts
 * nothing.
 *
 * @param packet  of kind SPILL_PACKET_IPV4 or SPILL_PACKET_IPV6; its `flow` is left as it is
 * @param now     as above
 * @return the entry; NULL (counted as refused) when the family is full and those that could go are
 *         held, or when all slots that the key can have are taken by such that can't
 */
struct spill_flow *spill_flow_table_find_or_add(struct spill_flow_table *table,
                                                const struct spill_packet *packet, uint64_t now);

/**
 * Finds the flow of a key, and leaves no mark in it: NULL where there is none, or one that was
 * silent for the timeout. What new rules mean for it shows, as after a lookup. Owner.
 *
 * @param packet  of kind SPILL_PACKET_IPV4 or SPILL_PACKET_IPV6; only its key counts
 */
struct spill_flow *spill_flow_table_find(struct spill_flow_table *table,
                                         const struct spill_packet *packet, uint64_t now);

/**
 * Notes what the rules in force say to the packets of one direction, and takes the flow to its
 * class; another may have to go for that. Of several verdicts noted for one direction PROTECT
 * counts before ALLOW, and that before DENY. What other rules said of any direction is forgotten.
 * Owner.
 *
 * @param flow     an entry of this table
 * @param verdict  UNKNOWN notes nothing
 * @param sa       id of the SA of PROTECT; of DENY SPILL_SA_REJECT where the sender is told; of
 * ALLOW its MSS; else 0
 * @param opens    whether the packet that asked opens a connection (SPILL_STEP_OPEN). If it is the
 * first that is allowed, the flow is opening, else it is established: others of its burst have
 * left their marks already, and don't tell
 * @param tally     where the rule is counted that says it: from now on, that direction's packets,
 * and replies to them. A connection is counted there, unless the flow was counted there before
 */
void spill_flow_table_note(struct spill_flow_table *table, struct spill_flow *flow,
                           unsigned direction, enum spill_verdict verdict, bool opens, uint16_t sa,
                           uint32_t tally);

/**
 * Has packets counted in this array from now on. Before the first call they are in one of the
 * table's own, of which only the slots of no rule and the default may be used. Owner, or the
 * control thread before the owner runs.
 *
 * @param counts  of the owner's, with a slot for each tally that is ever noted; not freed before
 *                the table, or the next call
 */
void spill_flow_table_count_in(struct spill_flow_table *table, struct spill_rule_count *counts);

/** Where the packets of a direction are counted. Owner. */
uint32_t spill_flow_table_tally(struct spill_flow_table *table, struct spill_flow *flow,
                                unsigned direction);

/** Whether the lookup has counted a packet of a direction: where its rule is. Owner. */
bool spill_flow_table_has_counted(struct spill_flow_table *table, struct spill_flow *flow,
                                  unsigned direction);

/** Where a rule is counted. Owner. */
struct spill_rule_count *spill_flow_table_count_of(struct spill_flow_table *table, uint32_t tally);

/** Counts a packet that the lookup did not. Owner. */
void spill_flow_table_count(struct spill_flow_table *table, uint32_t tally,
                            const struct spill_packet *packet, uint64_t now);

/** Takes back that a packet was counted, as another rule decides about it; the time stays. Owner.
 */
void spill_flow_table_uncount(struct spill_flow_table *table, uint32_t tally,
                              const struct spill_packet *packet);

/**
 * Whether what is known of a flow is of older rules, so that a verdict that is noted now would
 * replace it. Owner.
 */
bool spill_flow_table_is_older(const struct spill_flow_table *table, const struct spill_flow *flow);

/**
 * Takes a flow to the state that a packet brings about which passes: of its connection, and neither
 * denied nor an ICMP error. Nothing is changed while no direction of it is allowed. Owner.
 *
 * @param flow    an entry of this table
 * @param packet  of that flow, and spill_flow_needs_step()
 * @param data    whether it has any behind its transport header; asked where the flow is closing
 * @param now     as above
 */
void spill_flow_table_step(struct spill_flow_table *table, struct spill_flow *flow,
                           const struct spill_packet *packet, bool data, uint64_t now);

/**
 * Notes that older rules allowed a direction of a flow of which nothing is noted: it is
 * SPILL_FLOW_DUE from the beginning, and known who began it. Owner.
 */
void spill_flow_table_note_old(struct spill_flow_table *table, struct spill_flow *flow,
                               unsigned direction, bool opens);

/**
 * Has all verdicts given anew, because the rules have changed. Owner.
 *
 * That is spread: in the first half of the configured `renewal`, one flow after the other becomes
 * SPILL_FLOW_DUE, in an order that has nothing to do with their packets; one that stays so for
 * another half becomes SPILL_FLOW_STALE. It shows when its next packet comes. So a flow goes by
 * what rules said that have been replaced for no longer than `renewal`, also when they are replaced
 * again meanwhile. Costs nothing at once.
 *
 * A flow that is held is asked again too, so packets in lanes must bring their own verdict. And a
 * verdict by the old rules that comes out of a lane later must not be noted in the flow.
 *
 * @param now      TSC; not less than at any call before
 * @param at_once  it is not spread: every flow is SPILL_FLOW_STALE from its next packet on
 */
void spill_flow_table_renew(struct spill_flow_table *table, uint64_t now, bool at_once);

/** Whether no flow goes by what older rules said any more. Owner. */
bool spill_flow_table_renewed(const struct spill_flow_table *table);

/**
 * Whether no flow has a tally any more that only rules before the renewal that is watched had: the
 * one that began when this was so before, else the one of spill_flow_table_watch(). Renewals that
 * have begun since do not put it off. Owner.
 */
bool spill_flow_table_settled(const struct spill_flow_table *table);

/** Watches the latest renewal from here on. Owner. */
void spill_flow_table_watch(struct spill_flow_table *table);

/**
 * Looks at the next `count` slots of the table and removes flows that have not been seen for the
 * timeout and aren't held. Goes on with a renewal. The work is bounded by `count`: a few in each
 * loop of the lcore keep the table clean, more of them may be spent in idle time. Owner. All of the
 * table must be looked at within 14 hours, or times become ambiguous; also of one without timeout.
 *
 * @param now  as above
 * @return how many were removed
 */
uint32_t spill_flow_table_expire(struct spill_flow_table *table, uint64_t now, uint32_t count);

/** How many slots there are to look at, of both families. */
uint64_t spill_flow_table_slots(const struct spill_flow_table *table);

/** The owner's counters; the control thread may read them at any time. They live with the table. */
const struct spill_flow_counters *spill_flow_table_counters(const struct spill_flow_table *table);

/** Bytes that a table of such a capacity takes from the EAL's heap, for the memory plan. */
size_t spill_flow_table_bytes(uint32_t capacity);

/** A piece of memory that belongs to a table. */
struct spill_flow_memory {
    const char *name; /* such as "flows-1.v4"; lives with the table */
    const void *start;
    size_t bytes;
};

/**
 * Where the entries of the two families are, so that the control thread can ask the kernel on which
 * NUMA node they really lie. Control thread.
 *
 * @param memory  written: IPv4, IPv6
 */
void spill_flow_table_memory(const struct spill_flow_table *table,
                             struct spill_flow_memory memory[2]);

#endif
