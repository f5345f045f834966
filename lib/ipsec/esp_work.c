/* SPDX-License-Identifier: BSD-3-Clause */
/* What encryption and decryption have in common: fetching ahead, and jobs on a device. */
#include "ipsec/esp.h"

#include <rte_lcore.h>
#include <rte_prefetch.h>

SPILL_DROP_REASON(spill_esp_no_room, "esp_no_room",
                  "the packet's buffer, or the length fields of its headers, have no room for ESP");

/*
 * Fetches a line to write to it: what another lcore has written comes for good at once. The
 * compiler knows the instruction for later CPUs than the least that DPDK is built for alone;
 * earlier ones take it for none.
 */
static inline void fetch(const void *line)
{
#ifdef RTE_ARCH_X86_64
    asm volatile("prefetchw %0" : : "m"(*(const char *)line));
#else
    __builtin_prefetch(line, 1);
#endif
}

static inline void fetch_mbuf(struct rte_mbuf *mbuf)
{
    fetch(mbuf);
    fetch((const uint8_t *)mbuf + RTE_CACHE_LINE_SIZE);
    fetch(spill_packet_of(mbuf));
}

static inline void fetch_frame(const struct rte_mbuf *mbuf)
{
    const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    const uint8_t *end = frame + rte_pktmbuf_data_len(mbuf);

    /* Headers are written in front of the frame, padding and ICV behind its end. */
    fetch(frame - RTE_CACHE_LINE_SIZE);
    fetch(frame);
    fetch(end);
    fetch(end + RTE_CACHE_LINE_SIZE);
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
