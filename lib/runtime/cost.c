/* SPDX-License-Identifier: BSD-3-Clause */
/* The running estimate of a class's cost. */
#include "cost.h"

#define KEEP        (1.0 - 1.0 / 64)
#define SOLVE_EVERY 16 /* jobs: a division is not for every burst */

/* Solves the normal equations; a negative part (noise) is taken as none. */
static void solve(struct spill_cost *cost)
{
    double square = cost->packets_packets * cost->bytes_bytes;
    double determinant = square - cost->packets_bytes * cost->packets_bytes;
    double per_packet = cost->packets_cycles / cost->packets_packets;
    double per_byte = 0;

    if (determinant > square * 1e-3) {
        double of_packet =
            (cost->packets_cycles * cost->bytes_bytes - cost->bytes_cycles * cost->packets_bytes) /
            determinant;
        double of_byte = (cost->bytes_cycles * cost->packets_packets -
                          cost->packets_cycles * cost->packets_bytes) /
                         determinant;

        if (of_packet < 0) {
            per_packet = 0;
            per_byte = cost->bytes_cycles / cost->bytes_bytes;
        } else if (of_byte >= 0) {
            per_packet = of_packet;
            per_byte = of_byte;
        }
    }
    cost->per_packet = (float)per_packet;
    cost->per_byte = (float)per_byte;
}

void spill_cost_learn(struct spill_cost *cost, uint32_t packets, uint32_t bytes, uint64_t cycles)
{
    double p = packets, b = bytes, c = (double)cycles;

    if (packets == 0)
        return;
    cost->packets_packets = cost->packets_packets * KEEP + p * p;
    cost->packets_bytes = cost->packets_bytes * KEEP + p * b;
    cost->bytes_bytes = cost->bytes_bytes * KEEP + b * b;
    cost->packets_cycles = cost->packets_cycles * KEEP + p * c;
    cost->bytes_cycles = cost->bytes_cycles * KEEP + b * c;
    if (cost->jobs < SOLVE_EVERY || cost->jobs % SOLVE_EVERY == 0)
        solve(cost);
    cost->jobs++;
}
