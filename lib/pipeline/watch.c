/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/watch.h"

#include <rte_errno.h>

#include "classify/rule_counts.h"
#include "pipeline/pipeline.h"

int spill_mark_offset = -1;
uint64_t spill_mark_flag;

int spill_watch_register(struct spill_error *error)
{
    static const struct rte_mbuf_dynfield field = {
        .name = "spillway_dynfield_mark",
        .size = sizeof(struct spill_mark),
        .align = __alignof__(struct spill_mark),
    };
    static const struct rte_mbuf_dynflag flag = {.name = "spillway_dynflag_mark"};
    const int offset = rte_mbuf_dynfield_register(&field);
    const int bit = offset < 0 ? -1 : rte_mbuf_dynflag_register(&flag);

    if (bit < 0)
        return spill_error_set(error, "mbuf field %s: %s: %zu free bytes and a flag are needed",
                               field.name, rte_strerror(rte_errno), field.size);
    spill_mark_offset = offset;
    spill_mark_flag = UINT64_C(1) << bit;
    return 0;
}

static struct spill_ledger *ledger_of(const struct spill_pipeline_lcore *lcore)
{
    if (lcore->fast != NULL)
        return &lcore->fast->ledger;
    if (lcore->spread != NULL)
        return &lcore->spread->ledger;
    return lcore->transmit != NULL ? &lcore->transmit->ledger : NULL;
}

bool spill_watch_fits(const struct spill_pipeline *pipeline, uint32_t index)
{
    return ledger_of(&pipeline->lcores[index]) != NULL;
}

/* An lcore that both receives for others and transmits has two ledgers and is one writer. */
void spill_watch_publish(struct spill_pipeline *pipeline, struct spill_watch *const *watches)
{
    for (uint32_t i = 1; i < pipeline->config.plan->lcore_count; i++) {
        const struct spill_pipeline_lcore *lcore = &pipeline->lcores[i];
        struct spill_drop_watch *drops =
            watches != NULL && watches[i] != NULL ? &watches[i]->drops : NULL;

        if (lcore->fast != NULL)
            __atomic_store_n(&lcore->fast->ledger.watch, drops, __ATOMIC_RELEASE);
        if (lcore->spread != NULL)
            __atomic_store_n(&lcore->spread->ledger.watch, drops, __ATOMIC_RELEASE);
        if (lcore->transmit != NULL)
            __atomic_store_n(&lcore->transmit->ledger.watch, drops, __ATOMIC_RELEASE);
    }
}

void spill_watch_mark(struct rte_mbuf *mbuf, uint32_t packet)
{
    mbuf->ol_flags |= spill_mark_flag;
    *RTE_MBUF_DYNFIELD(mbuf, spill_mark_offset, struct spill_mark *) =
        (struct spill_mark){.packet = packet, .tally = SPILL_RULE_TALLY_NONE};
}

void spill_watch_numbers(struct rte_mbuf **mbufs, uint32_t count, uint32_t *numbers)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct spill_mark *mark = spill_mark_of(mbufs[i]);

        numbers[i] = mark != NULL ? mark->packet : 0;
    }
}
