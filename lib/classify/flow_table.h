/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FLOW_TABLE_H
#define SPILLWAY_FLOW_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet/packet.h"
#include "runtime/error.h"

/**
 * @file
 * Exact-match table of one fast lcore: connection → what was decided about it.
 *
 * A table has one owner, the fast lcore, which alone calls what works on flows: no locks, no
 * atomics. It is made and freed by the control thread while the owner isn't running.
 *
 * It is bounded: `capacity` IPv4 and as many IPv6 connections. When a family is full, a new
 * connection takes the place of an old one: of SPILL_FLOW_SAMPLE entries, taken from all over the
 * table by a hand that moves on, the one seen longest ago goes, where one that had a single packet
 * counts as eight times as old. So an addition costs the same whether the table is attacked or not,
 * and connections that have traffic outlive a flood of such that have one packet. Entries with
 * packets in the pool are never taken.
 *
 * Collisions can't be crafted: the hash is keyed by the table's seed, which must be secret. Whoever
 * knew it could have additions refused, at 6 000 cycles each: rte_hash gives up after 248 buckets.
 *
 * The way of a burst: spill_flow_table_lookup() for all of it; then, in order, for each packet
 * without entry spill_flow_table_find_or_add(), which also finds what an earlier packet of the
 * burst added. No entry that a burst has found can go away before its last packet is handled when
 * the caller spill_flow_hold()s the packets that wait, and reads the verdict of all others before
 * the first add.
 *
 * A verdict stands until the flow goes, or spill_flow_table_renew() asks for new ones.
 */

/* Entries that an eviction compares. */
#define SPILL_FLOW_SAMPLE 8

/* Packets of one flow that can be held at a time. */
#define SPILL_FLOW_PENDING_MAX (UINT16_MAX - 1)

/** One connection. Written by the table's owner only. Its address stays while it is in the table.
 */
struct spill_flow {
    uint32_t seen;    /* time of the latest packet, the table's to write and to read */
    uint16_t pending; /* packets held; UINT16_MAX: not in the table */
    uint8_t verdicts; /* bits 0, 1: direction 0, 1 (struct spill_packet) is allowed; 2, 3: denied;
                         4, 5: protected */
    uint8_t lane;     /* while packets are held: the lane they are in; the caller's to write */
};

_Static_assert(sizeof(struct spill_flow) == 8, "eight bytes beside the key");

/* Bits of spill_flow.verdicts, of direction 0; that of direction 1 is the next. */
#define SPILL_FLOW_ALLOWED   0x01u
#define SPILL_FLOW_DENIED    0x04u
#define SPILL_FLOW_PROTECTED 0x10u

/**
 * What was decided for the packets of one direction alone, UNKNOWN when nothing was: for packets
 * that came through an SA. A reply is implied for none of them, as their rule must name that SA.
 *
 * @param direction  0 or 1, as in struct spill_packet
 */
static inline enum spill_verdict spill_flow_own_verdict(const struct spill_flow *flow,
                                                        unsigned direction)
{
    unsigned own = (unsigned)flow->verdicts >> direction;

    if ((own & SPILL_FLOW_PROTECTED) != 0)
        return SPILL_VERDICT_PROTECT;
    if ((own & SPILL_FLOW_ALLOWED) != 0)
        return SPILL_VERDICT_ALLOW;
    return (own & SPILL_FLOW_DENIED) != 0 ? SPILL_VERDICT_DENY : SPILL_VERDICT_UNKNOWN;
}

/**
 * What is to happen to a packet of a flow that came in the clear: to be protected when its own
 * direction is; else allowed when its own direction was allowed or the other one was (it is a reply
 * then); else what was decided for its direction, UNKNOWN when nothing was. Protection of the other
 * direction says nothing.
 *
 * @param direction  0 or 1, as in struct spill_packet
 */
static inline enum spill_verdict spill_flow_verdict(const struct spill_flow *flow,
                                                    unsigned direction)
{
    unsigned own = (unsigned)flow->verdicts >> direction;

    if ((own & SPILL_FLOW_PROTECTED) != 0)
        return SPILL_VERDICT_PROTECT;
    if ((flow->verdicts & 3 * SPILL_FLOW_ALLOWED) != 0)
        return SPILL_VERDICT_ALLOW;
    return (own & SPILL_FLOW_DENIED) != 0 ? SPILL_VERDICT_DENY : SPILL_VERDICT_UNKNOWN;
}

/**
 * Whether a packet of either direction that came in the clear may pass at once: allowed, neither
 * direction protected, and none waits before it.
 */
static inline bool spill_flow_passes(const struct spill_flow *flow)
{
    unsigned bits = flow->verdicts & (3 * SPILL_FLOW_ALLOWED | 3 * SPILL_FLOW_PROTECTED);

    /* 1 to 3: an allowed direction, and no bit above. */
    return bits - 1 < 3 * SPILL_FLOW_ALLOWED && flow->pending == 0;
}

/** Whether any direction is protected: then there is an SA noted for it. */
static inline bool spill_flow_is_protected(const struct spill_flow *flow)
{
    return (flow->verdicts & 3 * SPILL_FLOW_PROTECTED) != 0;
}

/**
 * Notes what was decided for the packets of one direction. Of several verdicts noted for one
 * direction PROTECT counts before ALLOW, and that before DENY.
 *
 * @param verdict  PROTECT: spill_flow_table_set_sa() notes by which SA
 */
static inline void spill_flow_set_verdict(struct spill_flow *flow, unsigned direction,
                                          enum spill_verdict verdict)
{
    static const uint8_t BITS[] = {
        [SPILL_VERDICT_UNKNOWN] = 0,
        [SPILL_VERDICT_ALLOW] = SPILL_FLOW_ALLOWED,
        [SPILL_VERDICT_DENY] = SPILL_FLOW_DENIED,
        [SPILL_VERDICT_PROTECT] = SPILL_FLOW_PROTECTED,
    };

    flow->verdicts |= (uint8_t)(BITS[verdict] << direction);
}

/**
 * Counts a packet that goes into a lane with a pointer to the flow: it can't be evicted or expire
 * until spill_flow_release() was called as many times.
 *
 * @return false, and nothing is counted, when SPILL_FLOW_PENDING_MAX are held already
 */
__attribute__((warn_unused_result)) static inline bool spill_flow_hold(struct spill_flow *flow)
{
    if (flow->pending >= SPILL_FLOW_PENDING_MAX)
        return false;
    flow->pending++;
    return true;
}

/** A packet that was held has left its lane. */
static inline void spill_flow_release(struct spill_flow *flow)
{
    flow->pending--;
}

/** What the owner counts, in flows or packets; the control thread reads. */
struct spill_flow_counters {
    uint64_t entries; /* now in the table, both families */
    uint64_t hits;    /* packets that spill_flow_table_lookup() found */
    uint64_t misses;  /* packets that it didn't find */
    uint64_t evicted; /* entries that gave place to a new one */
    uint64_t expired; /* entries not seen for the timeout */
    uint64_t refused; /* additions without place: see spill_flow_table_find_or_add() */
};

struct spill_flow_table;

struct spill_flow_table_config {
    const char *name;  /* unique in the process, 1 to SPILL_FLOW_TABLE_NAME_MAX bytes; copied */
    uint32_t capacity; /* flows of each family: SPILL_FLOW_CAPACITY_MIN to _MAX */
    uint64_t timeout;  /* TSC cycles without a packet after which a flow expires; 0 = never */
    int socket;        /* NUMA node of the owner, or SOCKET_ID_ANY */
    uint64_t seed;     /* of the hash: random and secret, so that collisions can't be crafted */
};

#define SPILL_FLOW_TABLE_NAME_MAX 20
#define SPILL_FLOW_CAPACITY_MIN   64
#define SPILL_FLOW_CAPACITY_MAX   (1u << 25) /* rte_hash counts a key's offset in 32 bits */

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
 * was found as seen now. Packets without a key are passed over. Counts hits and misses. Owner.
 *
 * Where a direction of the flow is protected, sets `sa` to what spill_flow_table_sa() tells for the
 * packet's.
 *
 * The families of a burst are looked up apart: a mixture costs some ten cycles a packet more.
 *
 * @param packets  of any kinds, in any mixture
 * @param count    0 to SPILL_BURST
 * @param now      TSC; may be somewhat less than at the call before
 * @return of how many packets the flow spill_flow_passes()
 */
uint32_t spill_flow_table_lookup(struct spill_flow_table *table, struct spill_packet *packets,
                                 uint32_t count, uint64_t now);

/**
 * Finds a packet's flow or adds it, with both verdicts unknown and nothing pending; marks it as
 * seen now. Evicts another flow when the family is full. Counts neither hit nor miss. Owner.
 *
 * Bounded work: an addition, and a removal when full. The caller should take what the flow's
 * classification needs (a credit) before the call, so that a packet that is refused there evicts
 * nothing.
 *
 * @param packet  of kind SPILL_PACKET_IPV4 or SPILL_PACKET_IPV6; its `flow` is left as it is
 * @param now     as above
 * @return the entry; NULL (counted as refused) when the family is full and each of the entries that
 *         were compared is held, or when the buckets of the key are full
 */
struct spill_flow *spill_flow_table_find_or_add(struct spill_flow_table *table,
                                                const struct spill_packet *packet, uint64_t now);

/**
 * Notes by which SA a direction of a flow is protected. Owner. Kept beside the entries: costs a
 * cache miss, for protected flows only.
 *
 * @param flow  an entry of this table
 * @param id    of the SA, 1 to 65535
 */
void spill_flow_table_set_sa(struct spill_flow_table *table, const struct spill_flow *flow,
                             unsigned direction, uint16_t id);

/**
 * The SA noted last for a direction of a flow. Owner. Has a meaning only while the direction's own
 * verdict is PROTECT.
 */
uint16_t spill_flow_table_sa(const struct spill_flow_table *table, const struct spill_flow *flow,
                             unsigned direction);

/**
 * Has all verdicts given anew, because the rules have changed: a flow that was last seen until
 * `now` has no verdict any more when its next packet comes, be it by spill_flow_table_lookup() or
 * spill_flow_table_find_or_add(). Costs nothing at once. Times have a unit of some 50 us: a flow
 * that is seen within the same unit may have to be asked more than once. Owner.
 *
 * A flow that is held loses its verdicts too, so packets in lanes must bring their own. And a
 * verdict by the old rules that comes out of a lane later must not be noted in the flow.
 *
 * @param now  TSC; not less than at any call before
 */
void spill_flow_table_renew(struct spill_flow_table *table, uint64_t now);

/**
 * Looks at the next `count` places of the table and removes flows that have not been seen for the
 * timeout and aren't held; takes away verdicts that spill_flow_table_renew() has ended. The work is
 * bounded by `count`: a few in each loop of the lcore keep the table clean, more of them may be
 * spent in idle time. Owner. All of the table must be looked at within 7 hours, or times become
 * ambiguous; also of one without timeout.
 *
 * @param now  as above
 * @return how many were removed
 */
uint32_t spill_flow_table_expire(struct spill_flow_table *table, uint64_t now, uint32_t count);

/** The owner's counters; the control thread may read them at any time. They live with the table. */
const struct spill_flow_counters *spill_flow_table_counters(const struct spill_flow_table *table);

/** Bytes that a table of such a capacity takes from the EAL's heap, for the memory plan. */
size_t spill_flow_table_bytes(uint32_t capacity);

/** A piece of memory that belongs to a table. */
struct spill_flow_memory {
    const char *name; /* of the rte_hash, such as "flows-1.v4"; lives with the table */
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
