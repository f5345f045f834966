/* SPDX-License-Identifier: BSD-3-Clause */
/* Where keys find a slot: how often none of a key's is free, and that nothing is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_common.h>

#include "classify/flow_groups.h"

#define CAPACITY 65536
#define GROUPS   ((CAPACITY * 7 / 6 + SPILL_FLOW_GROUP - 1) / SPILL_FLOW_GROUP) /* as the table's */

struct key {
    uint64_t hash;
    uint32_t slot;
};

static struct key keys[CAPACITY];
static uint64_t random_state;

/* SplitMix64. */
static uint64_t draw(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* Adds a key, whatever its hash; returns how many others found no slot before it. */
static uint32_t add(struct spill_flow_groups *groups, struct key *key)
{
    for (uint32_t refused = 0;; refused++) {
        int64_t slot;

        key->hash = draw();
        slot = spill_flow_groups_take(groups, key->hash);
        if (slot < 0)
            continue;
        key->slot = (uint32_t)slot;
        return refused;
    }
}

/* Of so many keys, one that goes for one that comes, again and again: how many are refused. */
static uint32_t refused_at(uint32_t count, uint32_t additions)
{
    struct spill_flow_groups groups = {.count = GROUPS};
    uint32_t refused = 0;

    groups.all = aligned_alloc(RTE_CACHE_LINE_SIZE,
                               RTE_ALIGN_CEIL(GROUPS * sizeof(*groups.all), RTE_CACHE_LINE_SIZE));
    assert_non_null(groups.all);
    memset(groups.all, 0, GROUPS * sizeof(*groups.all));
    random_state = 1;
    for (uint32_t i = 0; i < count; i++)
        add(&groups, &keys[i]);
    for (uint32_t i = 0; i < additions; i++) {
        struct key *key = &keys[draw() % count];

        spill_flow_groups_give(&groups, key->hash, key->slot);
        refused += add(&groups, key);
    }
    for (uint32_t i = 0; i < count; i++)
        spill_flow_groups_give(&groups, keys[i].hash, keys[i].slot);
    for (uint32_t i = 0; i < GROUPS; i++) {
        static const struct spill_flow_group empty;

        assert_memory_equal(&groups.all[i], &empty, sizeof(empty));
    }
    free(groups.all);
    return refused;
}

static void a_full_table_refuses_one_of_5000(void **state)
{
    (void)state;
    assert_in_range(refused_at(CAPACITY, 1000000), 150, 300);
}

static void below_nine_tenths_none_is_refused(void **state)
{
    (void)state;
    assert_int_equal(refused_at(CAPACITY / 10 * 9, 2000000), 0);
    assert_int_equal(refused_at(CAPACITY / 100 * 79, 1000000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_table_refuses_one_of_5000),
        cmocka_unit_test(below_nine_tenths_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
