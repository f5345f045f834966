/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ANSWERS_H
#define SPILLWAY_ANSWERS_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

/**
 * @file
 * Answers that leave through an SA: they wait for the lcore's next turn.
 */

struct spill_fast;

#define SPILL_ANSWERS_MAX 32

/** Errors about packets that came through an SA: they wait for the lcore's next turn, and then take
 * the way of packets, as if the host behind had sent them. */
struct spill_answers {
    uint32_t count;
    struct rte_mbuf *mbufs[SPILL_ANSWERS_MAX];
    uint8_t inputs[SPILL_ANSWERS_MAX]; /* port by which that host's packets come */
    uint16_t vlans[SPILL_ANSWERS_MAX]; /* of a routed port: with that tag; 0: none */
};

/** Whether one more can wait. The lcore. */
static inline bool spill_answers_have_room(const struct spill_answers *answers)
{
    return answers->count < SPILL_ANSWERS_MAX;
}

/**
 * Sends an answer to a packet that came through an SA the way that the answered host's own packets
 * take: by its connection's rule, through the outbound SA that this names. It leaves through one or
 * not at all (`esp_answer`), as it holds the beginning of what was protected. Not before the next
 * turn: whoever makes it is in the midst of a burst, or of jobs that are retired. The lcore.
 *
 * @param answer  given away; there is room for it
 * @param input   port that the answered packet was to leave by
 * @param vlan    where that is a routed one, of the sub-port; else 0
 */
void spill_answers_add(struct spill_fast *fast, struct rte_mbuf *answer, uint8_t input,
                       uint16_t vlan);

#endif
