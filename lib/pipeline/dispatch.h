/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_DISPATCH_H
#define SPILLWAY_DISPATCH_H

#include <rte_mbuf.h>

#include "packet/packet.h"
#include "pipeline/fast.h"
#include "runtime/submitter.h"

/**
 * @file
 * Where the crypto of packets is done: for encryption.c and decryption.c.
 */

/** What packets of a burst have in common that are of one SA. */
struct spill_dispatch_group {
    uint32_t class_index;
    uint32_t lane;                 /* of the SA */
    struct spill_subject *subject; /* the SA's, on this lcore */
    uint64_t serial;               /* what the class notes in a job that one of them opens */
    uint64_t stamp;                /* TSC when they were received */
};

/**
 * Puts packets where their crypto is done, their metadata with them, and does what is to be done
 * inline. The lcore.
 *
 * Inline when the class may and there is time; else in the lane of their SA, with a credit; else,
 * by the overflow policy, inline over the budget, or not at all. But where the lane is busy they go
 * into the lane or nowhere: no other way keeps the order (law 4). Nor is there room for what is
 * behind a packet that has none, so that an overload is cheap.
 *
 * @param mbufs    at most SPILL_BURST; those that are taken are given away
 * @param packets  metadata of each
 * @param bytes    of all IP packets together
 * @return how many are taken: the first ones. The others are the caller's, and counted as
 *         refused
 */
uint32_t spill_dispatch_burst(struct spill_fast *fast, const struct spill_dispatch_group *group,
                              struct rte_mbuf **mbufs, struct spill_packet **packets,
                              uint32_t count, uint32_t bytes);

#endif
