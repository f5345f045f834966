/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The flow table's lookup against rte_hash's: cycles a packet for bursts of 32 IPv4 packets, of
 * 1 024, 65 536 and 1 000 000 flows in random order, the hash included; both tables have room for
 * twice as many. rte_hash has the key of 16 bytes by CRC, which is cheaper than a hash that can't
 * be attacked, and its flows beside it, of which the verdict is read and the time written, as the
 * flow table does. Only the lookups' time counts. A line of JSON each; where memory ends, fewer
 * lines. Arguments: the EAL's, and how many rounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_malloc.h>

#include "bench.h"
#include "classify/flow_table.h"

#define ROUND 8192 /* packets */
#define ROOM  2    /* places for each flow */

enum subject {
    HASH,
    TABLE,
    SUBJECTS,
};

/* What rte_hash finds. */
struct flow {
    uint64_t seen;
    uint8_t verdict;
};

struct tables {
    uint32_t count; /* flows */
    uint32_t *order;
    uint32_t next; /* in the order */
    struct spill_flow_table *table;
    struct rte_hash *hash;
    struct flow *flows;
    uint64_t passed; /* packets of either; read, so that nothing is left out */
};

static unsigned rounds;

static void fill(struct spill_packet *packet, uint32_t flow)
{
    memset(packet, 0, sizeof(*packet));
    packet->kind = SPILL_PACKET_IPV4;
    packet->has_ports = 1;
    packet->key.v4 = (struct spill_key4){.address = {flow * UINT32_C(2654435761), 0x0200a8c0},
                                         .port = {(uint16_t)flow, 80},
                                         .protocol = 6};
}

static void fill_burst(struct tables *tables, struct spill_packet *packets)
{
    for (uint32_t i = 0; i < SPILL_BURST; i++) {
        fill(&packets[i], tables->order[tables->next]);
        if (++tables->next == tables->count)
            tables->next = 0;
    }
}

static uint32_t look_up_hash(struct tables *tables, struct spill_packet *packets, uint64_t now)
{
    const void *keys[SPILL_BURST];
    void *found[SPILL_BURST];
    uint64_t hits = 0;
    uint32_t passed = 0, i;

    for (i = 0; i < SPILL_BURST; i++)
        keys[i] = &packets[i].key;
    rte_hash_lookup_bulk_data(tables->hash, keys, SPILL_BURST, &hits, found);
    for (i = 0; i < SPILL_BURST; i++) {
        struct flow *flow = found[i];

        if ((hits >> i & 1) == 0)
            continue;
        flow->seen = now;
        passed += flow->verdict == SPILL_VERDICT_ALLOW;
    }
    return passed;
}

/* Cycles a packet of a round. */
static double round_of(struct tables *tables, enum subject subject)
{
    struct spill_packet packets[SPILL_BURST];
    uint64_t cycles = 0;

    for (uint32_t i = 0; i < ROUND; i += SPILL_BURST) {
        uint64_t began;

        fill_burst(tables, packets);
        began = rte_rdtsc_precise();
        if (subject == HASH)
            tables->passed += look_up_hash(tables, packets, began);
        else if (spill_flow_table_lookup(tables->table, packets, SPILL_BURST, began))
            tables->passed += SPILL_BURST;
        cycles += rte_rdtsc_precise() - began;
    }
    return (double)cycles / ROUND;
}

static void shuffle(uint32_t *order, uint32_t count)
{
    uint64_t random = 88172645463325252;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t other;

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        other = (uint32_t)(random % (i + 1));
        order[i] = order[other];
        order[other] = i;
    }
}

static bool enter(struct tables *tables, uint32_t index)
{
    struct flow *flow = &tables->flows[index];
    struct spill_packet packet;
    struct spill_flow *entry;

    fill(&packet, index);
    flow->verdict = SPILL_VERDICT_ALLOW;
    entry = spill_flow_table_find_or_add(tables->table, &packet, rte_rdtsc());
    if (entry == NULL || rte_hash_add_key_data(tables->hash, &packet.key, flow) != 0)
        return false;
    spill_flow_table_note(tables->table, entry, 0, SPILL_VERDICT_ALLOW, false, 0, 0);
    return true;
}

static bool make(struct tables *tables, uint32_t count)
{
    const struct spill_flow_table_config config = {
        .name = "bench", .capacity = count * ROOM, .socket = SOCKET_ID_ANY, .seed = 1};
    const struct rte_hash_parameters parameters = {.name = "bench",
                                                   .entries = count * ROOM,
                                                   .key_len = sizeof(struct spill_key4),
                                                   .hash_func = rte_hash_crc,
                                                   .socket_id = SOCKET_ID_ANY};
    uint32_t i;

    *tables = (struct tables){.count = count};
    tables->order = calloc(count, sizeof(*tables->order));
    tables->flows = rte_zmalloc(NULL, count * sizeof(*tables->flows), RTE_CACHE_LINE_SIZE);
    tables->table = spill_flow_table_create(&config, NULL);
    tables->hash = rte_hash_create(&parameters);
    if (tables->order == NULL || tables->flows == NULL || tables->table == NULL ||
        tables->hash == NULL)
        return false;
    shuffle(tables->order, count);
    for (i = 0; i < count && enter(tables, i); i++)
        ;
    return i == count;
}

static void free_tables(struct tables *tables)
{
    rte_hash_free(tables->hash);
    spill_flow_table_free(tables->table);
    rte_free(tables->flows);
    free(tables->order);
}

static void compare(struct tables *tables)
{
    static struct bench_series series[SUBJECTS];
    struct bench_times times = bench_times_now();
    unsigned i;

    series[HASH].count = series[TABLE].count = 0;
    for (i = 0; i < rounds * SUBJECTS; i++)
        bench_add(&series[i % SUBJECTS], round_of(tables, i % SUBJECTS));
    printf("{\"flows\": %u, \"table\": %.3f, \"hash\": %.3f, \"found\": %.6f, \"share\": %.3f}\n",
           tables->count, bench_median(&series[TABLE]), bench_median(&series[HASH]),
           (double)tables->passed / ((double)rounds * SUBJECTS * ROUND), bench_share_since(&times));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const uint32_t counts[] = {1024, 65536, 1000000};
    struct tables tables;
    bool made = true;
    int used = rte_eal_init(argc, argv);

    if (used < 0)
        return 1;
    rounds = bench_rounds(argc - used, argv + used);
    for (size_t i = 0; i < RTE_DIM(counts) && made; i++) {
        made = make(&tables, counts[i]);
        if (made)
            compare(&tables);
        else
            fprintf(stderr, "bench_flows: no memory for %u flows\n", counts[i]);
        free_tables(&tables);
    }
    rte_eal_cleanup();
    return 0;
}
