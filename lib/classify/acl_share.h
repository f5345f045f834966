/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ACL_SHARE_H
#define SPILLWAY_ACL_SHARE_H

#include "classify/acl_layer.h"

/**
 * @file
 * Which rules are compiled into a layer together, where many of them overlap: those that don't, so
 * that none of them hides another one when it goes. Policies of travellers are so: those from any
 * to an address overlap those from an address to any, and none of their own kind.
 *
 * The narrow ones choose first; what finds no place is in the last layer, whatever is there. Each
 * rule is held against those before it: some seconds for 20 000. Who makes versions.
 */

/** Gives each rule a layer: a number below `layer_count`. @return 0; a negative errno */
int spill_acl_share(const struct spill_rule *rules, uint32_t count, uint32_t layer_count,
                    uint8_t *layers);

#endif
