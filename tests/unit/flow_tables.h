/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TEST_FLOW_TABLES_H
#define SPILLWAY_TEST_FLOW_TABLES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <rte_common.h>
#include <rte_eal.h>

#include "classify/flow_table.h"

/**
 * @file
 * What the tests of the flow table have in common: tables, connections by number, chance, an EAL.
 */

#define SEED        0x5eed
#define CAPACITY    100
#define UNIT        131072                        /* cycles: what `seen` resolves */
#define TIMEOUT     (500 * (uint64_t)UNIT)        /* cycles */
#define BEFORE_WRAP (UINT32_MAX * (uint64_t)UNIT) /* `seen` is at its greatest */

static uint64_t random_state;

/** Seeds from the first argument, or from the time; prints the seed. */
static inline void random_seed(int argc, char **argv)
{
    random_state = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL) * 2654435761u | 1;
    printf("seed %#jx (an argument repeats it)\n", (uintmax_t)random_state);
}

static inline uint32_t random_below(uint32_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % bound;
}

static struct spill_flow_table *left_over; /* by a test that failed */

static inline void free_table(struct spill_flow_table *table)
{
    spill_flow_table_free(table);
    left_over = NULL;
}

static inline struct spill_flow_table *make_table(uint32_t capacity, uint64_t timeout)
{
    const struct spill_flow_table_config config = {
        .name = "test",
        .capacity = capacity,
        .timeout = timeout,
        .socket = SOCKET_ID_ANY,
        .seed = SEED,
    };
    struct spill_error error = {.text = ""};

    free_table(left_over);
    left_over = spill_flow_table_create(&config, &error);
    if (left_over == NULL)
        fail_msg("%s", error.text);
    return left_over;
}

/* The i-th of a family's connections. What a packet holds behind its key differs each time. */
static inline struct spill_packet packet_of(uint8_t kind, uint32_t i)
{
    struct spill_packet packet;

    memset(&packet, (int)random_below(256), sizeof(packet));
    packet.kind = kind == SPILL_PACKET_IPV4 ? SPILL_PACKET_IPV4 : SPILL_PACKET_IPV6;
    packet.direction = random_below(2) & 1;
    packet.inner_vlan = (uint16_t)(i % 3);
    if (kind == SPILL_PACKET_IPV4) {
        packet.key.v4 = (struct spill_key4){.address = {i, 1}, .port = {2, 3}, .protocol = 6};
    } else {
        packet.key.v6 = (struct spill_key6){.port = {2, 3}, .protocol = 17};
        memcpy(packet.key.v6.address[i % 2] + 12, &i, sizeof(i));
    }
    return packet;
}

static inline struct spill_flow *add(struct spill_flow_table *table, uint8_t kind, uint32_t i,
                                     uint64_t now)
{
    struct spill_packet packet = packet_of(kind, i);

    return spill_flow_table_find_or_add(table, &packet, now);
}

/* A flow that is allowed, and that one or both sides spoke on. */
static inline struct spill_flow *add_allowed(struct spill_flow_table *table, uint8_t kind,
                                             uint32_t i, bool both, uint64_t now)
{
    struct spill_packet packet = packet_of(kind, i);
    struct spill_flow *flow;

    packet.direction = 0;
    flow = spill_flow_table_find_or_add(table, &packet, now);
    if (flow == NULL)
        return NULL;
    spill_flow_table_note(table, flow, 0, SPILL_VERDICT_ALLOW, 0, 0);
    packet.direction = 1;
    if (both)
        spill_flow_table_lookup(table, &packet, 1, now);
    return flow;
}

static inline struct spill_flow *find(struct spill_flow_table *table, uint8_t kind, uint32_t i,
                                      uint64_t now)
{
    struct spill_packet packet = packet_of(kind, i);

    spill_flow_table_lookup(table, &packet, 1, now);
    return packet.flow;
}

static inline int start_eal(void **state)
{
    char *arguments[] = {
        "test_flows", "--no-huge", "--no-shconf", "--no-telemetry", "--no-pci",       "-m",
        "64",         "--lcores",  "0",           "--log-level",    "lib.*:critical", NULL};

    (void)state;
    return rte_eal_init(RTE_DIM(arguments) - 1, arguments) < 0 ? -1 : 0;
}

static inline int stop_eal(void **state)
{
    (void)state;
    return rte_eal_cleanup();
}

#endif
