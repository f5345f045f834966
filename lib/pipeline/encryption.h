/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ENCRYPTION_H
#define SPILLWAY_ENCRYPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "ipsec/crypto.h"
#include "ipsec/sa.h"
#include "packet/packet.h"
#include "pipeline/fast.h"
#include "runtime/pool.h"

/**
 * @file
 * Encryption: the class of expensive work that protects packets by outbound SAs.
 *
 * A job is of one SA, and the SA chooses the lane. So the packets of an SA leave in order, and its
 * sequence numbers, which are taken when a job is complete, too; any number of workers work on one
 * SA at a time. A packet whose lane is busy follows into it, also where there is time to do it
 * here.
 *
 * Uses of a packet: kind, l3_offset, l4_offset, length, fragment, input, output, sa. Sets:
 * key.notes and drop while it is in the work; sent by output, which stays, or by the route of what
 * it has become (routing_tunnel.h).
 */

/** Packets of a burst that are to be encrypted, in order. */
struct spill_encryption {
    uint32_t count;
    bool mixed;     /* they are of several SAs */
    uint64_t stamp; /* TSC when they were received */
    struct rte_mbuf *mbufs[SPILL_BURST];
    struct spill_packet *packets[SPILL_BURST];
    struct spill_sa *sas[SPILL_BURST];
};

/** Begins a list: it is empty. */
static inline void spill_encryption_begin(struct spill_encryption *encryption, uint64_t stamp)
{
    encryption->count = 0;
    encryption->mixed = false;
    encryption->stamp = stamp;
}

static inline void spill_encryption_add(struct spill_encryption *encryption, struct rte_mbuf *mbuf,
                                        struct spill_packet *packet, struct spill_sa *sa)
{
    encryption->mbufs[encryption->count] = mbuf;
    encryption->packets[encryption->count] = packet;
    encryption->sas[encryption->count++] = sa;
    encryption->mixed |= sa != encryption->sas[0];
}

/** Its row in the table of classes. */
extern const struct spill_class_row spill_encryption;

/**
 * Encrypts packets here, has the pool do it, or drops them. The lcore.
 *
 * @param sa       of all of them
 * @param mbufs    given away
 * @param packets  of each, with `input`
 * @param count    1 to SPILL_BURST
 * @param stamp    TSC when they were received
 */
void spill_encryption_submit(struct spill_fast *fast, struct spill_sa *sa, struct rte_mbuf **mbufs,
                             struct spill_packet **packets, uint32_t count, uint64_t stamp);

/** The same for packets of any SAs; those of each keep their order. The list is used up. */
void spill_encryption_submit_list(struct spill_fast *fast, struct spill_encryption *encryption);

#endif
