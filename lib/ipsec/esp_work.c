/* SPDX-License-Identifier: BSD-3-Clause */
/* What encryption and decryption have in common: fetching ahead, and jobs on a device. */
#include "ipsec/esp.h"

#include <rte_lcore.h>
#include <rte_prefetch.h>

SPILL_DROP_REASON(spill_esp_no_room, "esp_no_room",
                  "the packet's buffer, or its headers' length field, has no room for ESP");

/* Fetches lines to write to them, where the CPU can: what another lcore has written comes for good
 * at once. In functions of their own, as the instruction is beyond the least CPU that DPDK is built
 * for. */
#ifdef RTE_ARCH_X86_64
#define FETCHES __attribute__((target("prfchw")))
#else
#define FETCHES
#endif

FETCHES static void fetch_mbuf(struct rte_mbuf *mbuf)
{
    __builtin_prefetch(mbuf, 1);
    __builtin_prefetch((const uint8_t *)mbuf + RTE_CACHE_LINE_SIZE, 1);
    __builtin_prefetch(spill_packet_of(mbuf), 1);
}

FETCHES static void fetch_frame(const struct rte_mbuf *mbuf)
{
    const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    const uint8_t *end = frame + rte_pktmbuf_data_len(mbuf);

    /* Headers are written in front of the frame, padding and ICV behind its end. */
    __builtin_prefetch(frame - RTE_CACHE_LINE_SIZE, 1);
    __builtin_prefetch(frame, 1);
    __builtin_prefetch(end, 1);
    __builtin_prefetch(end + RTE_CACHE_LINE_SIZE, 1);
}

void spill_esp_prefetch(const struct spill_job *job)
{
    uint32_t i;

    /* Inline, the packets have just been at hand here. */
    if (job->lane == SPILL_LANE_INLINE)
        return;
    for (i = 0; i < job->count; i++)
        fetch_mbuf(job->mbufs[i]);
    for (i = 0; i < job->count; i++)
        fetch_frame(job->mbufs[i]);
}

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
            spill_esp_end_encrypt(job, sa->lcores[lcore->id]);
        else
            spill_esp_end_decrypt(job, sa->lcores[lcore->id]);
        done[i] = job;
    }
    return count;
}
