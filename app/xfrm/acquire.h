/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_XFRM_ACQUIRE_H
#define SPILLWAY_XFRM_ACQUIRE_H

#include "pipeline/acquisition.h"
#include "xfrm/requests.h"
#include "xfrm/state.h"

/**
 * @file
 * What daemons are asked for: an SA for what an outbound policy selects, which has none (the
 * kernel's larval states). One is asked for at a time between the two ends that the policy's
 * template has; where it leaves them to the packets, for a few pairs of them. A daemon has
 * SPILL_ACQUISITION_SECONDS; until then, or until the SA is there, it hears no more of that. Pure;
 * the control thread's, as the state.
 */

/**
 * Whether daemons are to be asked for an SA, and notes that they are. The policy is the trap's; it
 * may be gone, or have what it needs.
 *
 * @param want    a packet that a trap selected
 * @param buffer  of `room` bytes, aligned for struct nlmsghdr: gets the message
 * @return the message, as the kernel's XFRM_MSG_ACQUIRE; NULL: nobody is to be asked now
 */
struct nlmsghdr *spill_xfrm_acquire(struct spill_xfrm_state *state,
                                    const struct spill_acquisition_need *want,
                                    const struct spill_xfrm_time *time, void *buffer, size_t room);

/**
 * Whether daemons have been asked for what a packet wants, or for as much as they may be. It looks
 * at what they were asked for, and not at policies and SAs, of which there may be many.
 */
bool spill_xfrm_acquire_asked(const struct spill_xfrm_state *state,
                              const struct spill_acquisition_need *want);

/** Forgets the one that has a message that nobody heard. @param message  spill_xfrm_acquire()'s */
void spill_xfrm_acquire_unheard(struct spill_xfrm_state *state, const struct nlmsghdr *message);

/** Forgets what a trap wanted: its policy wants something else. */
void spill_xfrm_acquire_forget(struct spill_xfrm_state *state, uint16_t trap);

/** Forgets what an SA, which has come, is the answer to: by its number, else by its policy. */
void spill_xfrm_acquire_answered(struct spill_xfrm_state *state, const struct spill_xfrm_sa *sa);

/** As which SA it is told of: a larval one without an SPI. */
struct spill_xfrm_sa spill_xfrm_acquire_sa(const struct spill_xfrm_acquire *acquire);

/** Forgets what took too long, and says so: XFRM_MSG_EXPIRE. */
void spill_xfrm_acquire_expire(struct spill_xfrm_handling *handling);

#endif
