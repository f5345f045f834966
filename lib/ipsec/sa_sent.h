/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_SA_SENT_H
#define SPILLWAY_SA_SENT_H

#include <stdbool.h>
#include <stdint.h>

#include "ipsec/sa.h"

/**
 * @file
 * Outbound SAs by what their packets have outside: for errors that come about them.
 *
 * Immutable, of one version of the SAs in force. Made and freed by the control thread; any lcore
 * looks up.
 */

struct spill_sa_sent;

/** The SAs in tunnel mode that are outbound among these. NULL when memory is short. */
struct spill_sa_sent *spill_sa_sent_create(struct spill_sa *const *list, uint32_t count);

/** May be NULL. */
void spill_sa_sent_free(struct spill_sa_sent *sent);

/**
 * The SA that has sent a packet, or may have.
 *
 * @param spi          host order
 * @param ipv6         what the two addresses are
 * @param source       16 bytes, or 4, in network order
 * @return NULL: none has
 */
struct spill_sa *spill_sa_sent_find(const struct spill_sa_sent *sent, uint32_t spi, bool ipv6,
                                    const uint8_t *source, const uint8_t *destination);

#endif
