/* SPDX-License-Identifier: BSD-3-Clause */
/* What encryption and decryption have in common before their work: packets are fetched ahead. */
#include "ipsec/esp.h"

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
