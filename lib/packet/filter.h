/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FILTER_H
#define SPILLWAY_FILTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <pcap/pcap.h>
#include <rte_mbuf.h>

#include "base/error.h"

/**
 * @file
 * Filters in the pcap syntax: a program of the classic BPF, as libpcap makes it for Ethernet, that
 * says of a frame whether it is meant.
 *
 * Who gives a program need not be trusted, so it is examined first: every jump goes forward and
 * stays inside, hence it ends after as many steps as it has instructions; each is one that there
 * is, its place in the memory exists, and no constant divisor is 0. (libpcap's own check lets jumps
 * go back.) libpcap's interpreter runs it, which holds every load against the frame's bytes; those
 * of DPDK's BPF do not once an index is near 2^32, up to version 25.11.
 */

#define SPILL_FILTER_MAX 512 /* instructions; a list of thirty hosts has 200 */

struct spill_filter {
    uint32_t count; /* 0: every frame is meant */
    struct bpf_insn program[SPILL_FILTER_MAX];
};

/** Examines a program. Pure. @return 0, or -1 with an error that says which instruction is wrong */
int spill_filter_check(const struct spill_filter *filter, struct spill_error *error);

/** Whether a frame is meant, by what stands in its first segment. Any thread that holds it. */
static inline bool spill_filter_matches(const struct spill_filter *filter,
                                        const struct rte_mbuf *mbuf)
{
    const struct bpf_program program = {.bf_len = filter->count,
                                        .bf_insns = (struct bpf_insn *)(uintptr_t)filter->program};
    const struct pcap_pkthdr header = {.caplen = rte_pktmbuf_data_len(mbuf),
                                       .len = rte_pktmbuf_pkt_len(mbuf)};

    return filter->count == 0 ||
           pcap_offline_filter(&program, &header, rte_pktmbuf_mtod(mbuf, const uint8_t *)) != 0;
}

#endif
