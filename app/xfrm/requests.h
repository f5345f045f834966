/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_XFRM_REQUESTS_H
#define SPILLWAY_XFRM_REQUESTS_H

#include "xfrm/answers.h"
#include "xfrm/state.h"

/**
 * @file
 * What a request does to the state, and what it is answered: the kernel's XFRM, without sockets and
 * without a data plane.
 */

/** The time, at which all of a request happens. */
struct spill_xfrm_time {
    uint64_t now;     /* ns of CLOCK_MONOTONIC */
    uint64_t seconds; /* of CLOCK_REALTIME */
};

struct spill_xfrm_handling {
    struct spill_xfrm_state *state;
    struct spill_xfrm_time time;
    /** Brings an SA's use up to what the data plane says, and tells which numbers came, in a window
     * of zeroes; may be NULL. NULL: there is none. */
    void (*look)(void *context, struct spill_xfrm_sa *sa, struct spill_xfrm_window *window);
    /** Takes an answer that is more than "done" or an error, without its sequence number. */
    void (*answer)(void *context, struct nlmsghdr *message);
    /** Takes an event for a multicast group. */
    void (*event)(void *context, enum xfrm_nlgroups group, const struct nlmsghdr *message);
    void *context;
    bool changed; /* set: the data plane has to follow */
};

/**
 * Does what a message asks for, but for dumps, of which nothing is done.
 *
 * @return 0; a negative errno: nothing has changed
 */
int spill_xfrm_handle(struct spill_xfrm_handling *handling,
                      const struct spill_xfrm_message *message);

/** Those of policies. */
int spill_xfrm_handle_policy(struct spill_xfrm_handling *handling,
                             const struct spill_xfrm_message *message);

/** Tells of an SA that was taken away. */
void spill_xfrm_tell_gone(struct spill_xfrm_handling *handling, const struct spill_xfrm_sa *sa);

/**
 * What can't be done here, and must not be pretended: marks, interfaces, offload and the like.
 *
 * @return 0; -EOPNOTSUPP
 */
int spill_xfrm_check_extras(const struct spill_xfrm_message *message);

#endif
