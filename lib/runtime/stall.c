/* SPDX-License-Identifier: BSD-3-Clause */
#include "stall.h"

#include <stdio.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_ring_elem.h>

void spill_stalls_init(struct spill_stalls *stalls)
{
    *stalls = (struct spill_stalls){.longest = UINT64_MAX, .limit = UINT64_MAX};
}

int spill_stalls_open(struct spill_stalls *stalls, const char *name, int socket,
                      struct spill_error *error)
{
    char ring[RTE_RING_NAMESIZE];

    snprintf(ring, sizeof(ring), "stalls-%s", name);
    stalls->ring = rte_ring_create_elem(ring, sizeof(struct spill_stall), SPILL_STALL_RECORDS,
                                        socket, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    if (stalls->ring == NULL)
        return spill_error_set(error, "%s: no memory for its slow turns: %s", name,
                               rte_strerror(rte_errno));
    stalls->limit = stalls->longest =
        (uint64_t)((double)SPILL_STALL_NS * (double)rte_get_tsc_hz() / 1e9);
    return 0;
}

void spill_stalls_close(struct spill_stalls *stalls)
{
    rte_ring_free(stalls->ring);
    stalls->ring = NULL;
}

/* The turn after one that is kept: with it that is whole. */
static void close_kept(struct spill_stalls *stalls, const struct spill_turn *turn)
{
    stalls->kept.turns[SPILL_STALL_AFTER] = *turn;
    if (rte_ring_sp_enqueue_elem(stalls->ring, &stalls->kept, sizeof(stalls->kept)) != 0)
        stalls->lost++;
    stalls->open = false;
    stalls->limit = stalls->longest;
}

static void open_kept(struct spill_stalls *stalls, const struct spill_turn *before,
                      const struct spill_turn *turn, bool over_budget)
{
    stalls->kept.turns[SPILL_STALL_BEFORE] = *before;
    stalls->kept.turns[SPILL_STALL_ITSELF] = *turn;
    stalls->kept.over_budget = over_budget;
    stalls->open = true;
    stalls->limit = 0;
}

/* A turn behind a slow one may be slow as well: it is one's end and the other's beginning. */
__rte_cold bool spill_stalls_keep(struct spill_stalls *stalls, uint64_t turns, bool over_budget)
{
    const struct spill_turn *turn = &stalls->recent[turns & 1];
    const bool slow = turn->ended - turn->began > stalls->longest || over_budget;

    if (stalls->ring == NULL)
        return slow;
    if (stalls->open)
        close_kept(stalls, turn);
    if (slow && rte_ring_full(stalls->ring))
        stalls->lost++;
    else if (slow)
        open_kept(stalls, &stalls->recent[(turns + 1) & 1], turn,
                  turn->ended - turn->began <= stalls->longest);
    return slow;
}

bool spill_stalls_take(struct spill_stalls *stalls, struct spill_stall *into)
{
    return rte_ring_sc_dequeue_elem(stalls->ring, into, sizeof(*into)) == 0;
}
