/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_SA_ENDS_H
#define SPILLWAY_SA_ENDS_H

#include <stdbool.h>
#include <stdint.h>

#include "ipsec/sa.h"
#include "packet/packet.h"

/**
 * @file
 * Where ESP in UDP ends at a port of ours that is another than the usual one: IKE daemons choose
 * it. Parsing knows none of these ports.
 *
 * Immutable, of one version of the SAs in force. Made and freed by the control thread; any lcore
 * looks up.
 */

struct spill_sa_ends;

/**
 * The ends of the inbound SAs in UDP among these.
 *
 * @param ends  gets them; NULL: all have the usual port
 * @return -1 when memory is short
 */
int spill_sa_ends_create(struct spill_sa *const *list, uint32_t count, struct spill_sa_ends **ends);

/** May be NULL. */
void spill_sa_ends_free(struct spill_sa_ends *ends);

/**
 * Whether an end of a UDP packet is one of them.
 *
 * @param ends    may be NULL
 * @param packet  of kind IPV4 or IPV6, with ports
 * @param end     of its key: 0, 1
 */
bool spill_sa_ends_has(const struct spill_sa_ends *ends, const struct spill_packet *packet,
                       unsigned end);

/** Says of a burst's packets which are ESP because they go to such an end. */
void spill_sa_ends_mark(const struct spill_sa_ends *ends, struct spill_packet *packets,
                        uint32_t count);

#endif
