/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_SA_NAMES_H
#define SPILLWAY_SA_NAMES_H

#include <stdint.h>

#include "ipsec/sa.h"

/**
 * @file
 * The SAs of a version by the names by which rules know them. Control thread.
 */

struct spill_sa_names;

/** @param list  stays the caller's, and as long as the names @return NULL: no memory */
struct spill_sa_names *spill_sa_names_create(struct spill_sa *const *list, uint32_t count);

/** May be NULL. */
void spill_sa_names_free(struct spill_sa_names *names);

/** The SA that has a name, else the first of those that stand for it, or NULL. */
struct spill_sa *spill_sa_names_find(const struct spill_sa_names *names, const char *name);

/** A hash of a name. */
uint32_t spill_sa_names_hash(const char *name);

#endif
