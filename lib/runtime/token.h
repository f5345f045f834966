/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TOKEN_H
#define SPILLWAY_TOKEN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * @file
 * Cancellation token: a flag with a reason, a parent, children and an optional deadline.
 *
 * Law 7: every loop hears a token. A loop asks with one relaxed load; everything else here belongs
 * to the threads that steer (control, tests) and takes a lock. Cancelling a token cancels all of
 * its descendants; a child that is made of a cancelled parent is born cancelled. The first reason
 * stays.
 *
 * A relaxed load is enough: a token orders nothing. What was handed over before the cancellation
 * reaches its reader over a channel or a ring, which order it.
 */

struct spill_token {
    _Atomic(const char *) reason; /* NULL until cancelled; written by the thread that cancels */
    _Atomic uint64_t deadline;    /* TSC cycles, 0 = none; written by the control thread */
    /* The tree, under the module's lock: */
    struct spill_token *parent;
    struct spill_token *first_child;
    struct spill_token *next_sibling;
};

/**
 * Makes a token. Any thread, but not a fast lcore (takes a lock).
 *
 * @param token   memory of the caller's, which must stay until spill_token_destroy()
 * @param parent  NULL for a root; must outlive the token
 */
void spill_token_init(struct spill_token *token, struct spill_token *parent);

/**
 * Takes a token out of its tree. Its children become children of its parent, so that a cancellation
 * from above still reaches them; those of a root become roots. Any thread, not a fast lcore; no
 * thread may use the token any more.
 */
void spill_token_destroy(struct spill_token *token);

/**
 * Cancels a token and all of its descendants. Any thread, not a fast lcore.
 *
 * @param reason  not NULL; a string that lives as long as the token and its descendants, such as
 *                "SIGTERM"
 * @return true when this call cancelled the token, false when it was cancelled already (its first
 *         reason stays)
 */
bool spill_token_cancel(struct spill_token *token, const char *reason);

/**
 * Sets, moves or (0) removes the deadline at which spill_token_check_deadlines() cancels the token.
 * Takes no lock. Control thread.
 *
 * @param deadline  TSC cycles
 */
void spill_token_set_deadline(struct spill_token *token, uint64_t deadline);

/**
 * Cancels, with the reason "deadline", each token of a tree whose deadline has passed. Called by
 * the control thread while it waits for an end.
 *
 * @param root  the tree's top
 * @param now   TSC cycles
 * @return how many tokens their own deadline cancelled in this call; descendants that went with
 *         them don't count, nor do tokens that were cancelled before
 */
unsigned spill_token_check_deadlines(struct spill_token *root, uint64_t now);

/** Whether the token is cancelled: one relaxed load. Any thread, also fast lcores. */
static inline bool spill_token_cancelled(const struct spill_token *token)
{
    return atomic_load_explicit(&token->reason, memory_order_relaxed) != NULL;
}

/** The reason of the cancellation, NULL when there was none. Any thread. */
static inline const char *spill_token_reason(const struct spill_token *token)
{
    return atomic_load_explicit(&token->reason, memory_order_acquire);
}

#endif
