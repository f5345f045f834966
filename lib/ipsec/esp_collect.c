/* SPDX-License-Identifier: BSD-3-Clause */
/* Jobs that come back from a crypto device. */
#include <rte_lcore.h>

#include "ipsec/esp.h"

uint32_t spill_esp_collect(struct spill_job **done, uint32_t most, void *crypto)
{
    struct spill_crypto_ops *finished[SPILL_CRYPTO_DEPTH];
    struct spill_crypto_lcore *lcore = spill_crypto_lcore(crypto, rte_lcore_id());
    uint32_t count = spill_crypto_finish(lcore, finished), i;

    RTE_SET_USED(most); /* at least SPILL_CRYPTO_DEPTH */
    for (i = 0; i < count; i++) {
        struct spill_job *job = finished[i]->job;
        struct spill_sa *sa = spill_sa_of(job);

        finished[i]->job = NULL;
        if (sa->config.direction == SPILL_SA_OUT)
            spill_esp_end_encrypt(job, sa->lcores[lcore->id], false);
        else
            spill_esp_end_decrypt(job, sa->lcores[lcore->id], false);
        done[i] = job;
    }
    return count;
}
