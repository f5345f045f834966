/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/version.h"

void spill_version_change(struct spill_version *version, struct spill_flow_table *flows,
                          uint64_t now)
{
    const struct spill_generation *generation = version->generation;

    if (generation->list != NULL)
        spill_flow_table_count_in(flows, generation->list->counts->of[version->index]);
    if (spill_flow_table_settled(flows)) {
        __atomic_store_n(&version->settled, version->settling, __ATOMIC_RELEASE);
        version->settling = generation->number;
    }
    if (version->number != 0)
        spill_flow_table_renew(flows, now, version->number < generation->at_once);
    version->number = generation->number;
    version->inbound = generation->sas != NULL && generation->sas->has_inbound;
    version->guards_host = version->inbound || generation->policy->denies_host;
    version->open = generation->sas == NULL && generation->policy->allows_all;
}

/* What has changed while a version was watched is watched now. */
void spill_version_change_done(struct spill_version *version, struct spill_flow_table *flows)
{
    if (spill_flow_table_renewed(flows))
        __atomic_store_n(&version->renewed, version->number, __ATOMIC_RELEASE);
    if (!spill_flow_table_settled(flows))
        return;
    __atomic_store_n(&version->settled, version->settling, __ATOMIC_RELEASE);
    version->settling = version->number;
    spill_flow_table_watch(flows);
}
