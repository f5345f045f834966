/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_LOAD_BENCH_H
#define SPILLWAY_LOAD_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"
#include "port/port.h"
#include "runtime/token.h"
#include "traffic.h"

/**
 * @file
 * What the generator runs on: EAL, ports, pools, traffic; brought up, and down with its accounts
 * balanced. Control thread.
 */
struct spill_load_bench {
    const struct spill_load_options *options;
    struct spill_token stop;
    bool eal;
    unsigned lcore;         /* that polls */
    _Atomic uint64_t turns; /* of its loop: it writes them */
    unsigned port_count;
    struct spill_port ports[SPILL_LOAD_PORTS_MAX];
    struct rte_mempool *receive_pools[SPILL_LOAD_PORTS_MAX];
    struct rte_mempool *send_pool;
    struct spill_load_traffic *traffic;
    /* After spill_load_bench_settle(): */
    struct spill_port_stats stats[SPILL_LOAD_PORTS_MAX];
    unsigned leaked; /* mbufs that did not come back to their pools */
};

/** Brings everything up, but for the links. @return 0, or -1; free in any case */
int spill_load_bench_start(struct spill_load_bench *bench, const char *argv0,
                           struct spill_error *error);

/** The first port whose link is down, or NULL. */
const struct spill_port *spill_load_bench_down(const struct spill_load_bench *bench);

/** Closes the ports, reads their counters, counts the mbufs. */
void spill_load_bench_settle(struct spill_load_bench *bench);

void spill_load_bench_free(struct spill_load_bench *bench);

#endif
