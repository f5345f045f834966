/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_XFRM_ALGORITHMS_H
#define SPILLWAY_XFRM_ALGORITHMS_H

#include "ipsec/algorithm.h"
#include "xfrm/message.h"

/**
 * @file
 * The kernel's names of algorithms, and the key material that comes with them. Pure; any thread.
 */

/**
 * Finds the algorithm that the attributes of a NEWSA or UPDSA name, and its key.
 *
 * @param key  SPILL_IPSEC_KEY_MAX bytes: as key files have it; to be wiped
 * @return 0; -EINVAL: none, several, or a key of another length; -ENOSYS: one that spillway has not
 */
int spill_xfrm_algorithm_read(const struct spill_xfrm_message *message,
                              const struct spill_ipsec_algorithm **algorithm, uint8_t *key);

/** Puts it into an answer, with the key. @return false: no room */
bool spill_xfrm_algorithm_put(struct nlmsghdr *answer, size_t room,
                              const struct spill_ipsec_algorithm *algorithm, const uint8_t *key);

#endif
