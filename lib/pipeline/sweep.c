/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/sweep.h"

#include "pipeline/fast.h"

/* Places of the flow table that are looked at in a turn: so many that all of them are in
 * SWEEP_SECONDS, within the bounds of the work that a turn may have. */
#define SWEEP_SECONDS     60
#define SWEEP_PLACES      4
#define SWEEP_PLACES_BUSY 256
#define SWEEP_PLACES_IDLE 4096

/* What is left goes to the next turn. */
void spill_sweep(struct spill_fast *fast, uint64_t now, bool idle)
{
    const uint64_t most = idle ? SWEEP_PLACES_IDLE : SWEEP_PLACES_BUSY;
    const uint64_t interval =
        rte_get_tsc_hz() * SWEEP_SECONDS / spill_flow_table_slots(fast->flows);
    const uint64_t due = (now - fast->sweep.swept) / RTE_MAX(interval, UINT64_C(1));
    const uint64_t count = RTE_MAX(RTE_MIN(due, most), (uint64_t)SWEEP_PLACES);

    spill_flow_table_expire(fast->flows, now, (uint32_t)count);
    fast->sweep.swept = due > most && due < spill_flow_table_slots(fast->flows)
                            ? fast->sweep.swept + count * interval
                            : now;
    spill_datagrams_expire(fast->datagrams, now);
    if (fast->reassembly != NULL)
        spill_reassembly_expire(fast->reassembly, now);
}
