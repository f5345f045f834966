/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_XFRM_CHILDREN_H
#define SPILLWAY_XFRM_CHILDREN_H

#include "xfrm/state.h"

/**
 * @file
 * Which policies go by which SAs, and what rules call those: the children of IKE, whose SAs follow
 * one another. Pure; any thread.
 */

/** Who goes by what, as long as the state stays as it is. */
struct spill_xfrm_children {
    struct spill_xfrm_sa **of; /* of each policy, the SA that its packets go or come by: the newest
                                * that it takes; NULL: there is none, or it is wide */
    bool *is_chosen;           /* of each SA: outbound policies go by it */
    /* Of wide policies (state.h), in their order: by which SA goes what is between its ends. */
    struct spill_xfrm_pair {
        uint32_t policy; /* index */
        struct spill_xfrm_sa *sa;
    } * pairs;
    uint32_t pair_count, pair_room;
};

/**
 * Finds which way each SA goes, which policies go by it, and what rules call it; directions and
 * names are noted in the state.
 *
 * @param children  written: for spill_xfrm_children_free(), in any case
 * @return 0; -ENOMEM
 */
int spill_xfrm_children_find(struct spill_xfrm_state *state, struct spill_xfrm_children *children);

/** Frees it. */
void spill_xfrm_children_free(struct spill_xfrm_children *children);

/** What rules call an SA, as a number. Of several with one, a version's first one protects. */
uint32_t spill_xfrm_child(const struct spill_xfrm_sa *sa);

#endif
