/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_XFRM_ANSWERS_H
#define SPILLWAY_XFRM_ANSWERS_H

#include "xfrm/state.h"

/**
 * @file
 * XFRM messages as the kernel writes them: answers and events. Each is written to a buffer of
 * `room` bytes, aligned for struct nlmsghdr; the returned message is at its beginning, with
 * sequence number and port 0. NULL: it does not fit. Pure; any thread.
 */

/**
 * An SA with its keys.
 *
 * @param type    XFRM_MSG_NEWSA or UPDSA
 * @param window  which numbers came; NULL: it is not known of any
 */
struct nlmsghdr *spill_xfrm_put_sa(void *buffer, size_t room, uint16_t type,
                                   const struct spill_xfrm_sa *sa,
                                   const struct spill_xfrm_window *window);

/** One that was taken away. */
struct nlmsghdr *spill_xfrm_put_gone_sa(void *buffer, size_t room, const struct spill_xfrm_sa *sa);

/** One whose soft or hard limit was reached. */
struct nlmsghdr *spill_xfrm_put_expire(void *buffer, size_t room, const struct spill_xfrm_sa *sa,
                                       bool hard);

/** Its numbers and use, as GETAE asks for them. @param window  as above @param flags  as asked */
struct nlmsghdr *spill_xfrm_put_numbers(void *buffer, size_t room, const struct spill_xfrm_sa *sa,
                                        const struct spill_xfrm_window *window, uint32_t flags);

/** A policy. @param type  XFRM_MSG_NEWPOLICY or UPDPOLICY @param use_time  seconds; 0: none */
struct nlmsghdr *spill_xfrm_put_policy(void *buffer, size_t room, uint16_t type,
                                       const struct spill_xfrm_policy *policy, uint64_t use_time);

/** One that was taken away. */
struct nlmsghdr *spill_xfrm_put_gone_policy(void *buffer, size_t room,
                                            const struct spill_xfrm_policy *policy);

/** What comes by an SA in UDP comes from another place than it says: `use.place`. */
struct nlmsghdr *spill_xfrm_put_mapping(void *buffer, size_t room, const struct spill_xfrm_sa *sa);

/** A policy's packets need an SA that is not there. */
struct nlmsghdr *spill_xfrm_put_acquire(void *buffer, size_t room,
                                        const struct spill_xfrm_policy *policy,
                                        const struct xfrm_user_acquire *acquire);

/** All of a protocol's SAs, or all policies, are gone. */
struct nlmsghdr *spill_xfrm_put_flushed_sas(void *buffer, size_t room, uint8_t protocol);
struct nlmsghdr *spill_xfrm_put_flushed_policies(void *buffer, size_t room);

/** How many there are. @param flags  as asked */
struct nlmsghdr *spill_xfrm_put_sad_info(void *buffer, size_t room,
                                         const struct spill_xfrm_state *state, uint32_t flags);
struct nlmsghdr *spill_xfrm_put_spd_info(void *buffer, size_t room,
                                         const struct spill_xfrm_state *state, uint32_t flags);

/** What ends a request, with its sequence number. @param error  negative errno; 0: it is done */
struct nlmsghdr *spill_xfrm_put_error(void *buffer, const struct nlmsghdr *asked, int error);

/** What ends a dump. */
struct nlmsghdr *spill_xfrm_put_done(void *buffer, const struct nlmsghdr *asked);

/** Room for either. */
#define SPILL_XFRM_END_SIZE 64

#endif
