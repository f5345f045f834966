/* SPDX-License-Identifier: BSD-3-Clause */
/* The flow table: what goes when it is full, under floods, under crafted keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <rte_eal.h>
#include <rte_malloc.h>

#include "classify/flow_groups.h"
#include "classify/flow_hash.h"

#include "flow_tables.h"

#define LATER (1000000 * (uint64_t)UNIT)

static void verdicts_of_the_two_directions(void **state)
{
    enum { U = SPILL_VERDICT_UNKNOWN, A = SPILL_VERDICT_ALLOW, D = SPILL_VERDICT_DENY };
    static const uint8_t RIGHTS[] = {[A] = SPILL_FLOW_ALLOWED, [D] = SPILL_FLOW_DENIED, [U] = 0};
    static const uint8_t cases[][3] = {
        /* own, other, what happens */
        {U, U, U}, {U, A, A}, {U, D, U}, {A, U, A}, {A, A, A},
        {A, D, A}, {D, U, D}, {D, A, A}, {D, D, D},
    };

    (void)state;
    for (unsigned i = 0; i < RTE_DIM(cases); i++) {
        for (unsigned direction = 0; direction < 2; direction++) {
            struct spill_flow flow = {.pending = 0};

            flow.rights =
                (uint8_t)(RIGHTS[cases[i][0]] << direction | RIGHTS[cases[i][1]] << !direction);
            assert_int_equal(spill_flow_verdict(&flow, direction), cases[i][2]);
            assert_int_equal(spill_flow_passes(&flow), cases[i][2] == A);
            flow.pending = 1;
            assert_false(spill_flow_passes(&flow));
        }
    }
}

static void a_flow_is_held_so_often_and_no_more(void **state)
{
    struct spill_flow flow = {.pending = 0};

    (void)state;
    for (unsigned i = 0; i < SPILL_FLOW_PENDING_MAX; i++)
        assert_true(spill_flow_hold(&flow));
    assert_false(spill_flow_hold(&flow));
    assert_int_equal(flow.pending, SPILL_FLOW_PENDING_MAX);
    spill_flow_release(&flow);
    assert_true(spill_flow_hold(&flow));
}

static void is_refused_while_all_are_held(void **state)
{
    struct spill_flow_table *table = flows_make(SPILL_FLOW_CAPACITY_MIN, 1);
    struct spill_flow *flows[SPILL_FLOW_CAPACITY_MIN];

    (void)state;
    for (uint32_t i = 0; i < RTE_DIM(flows); i++) {
        flows[i] = flows_add(table, SPILL_PACKET_IPV4, i, 0);
        assert_true(spill_flow_hold(flows[i]));
    }
    assert_null(flows_add(table, SPILL_PACKET_IPV4, 1000, LATER));
    assert_null(flows_find(table, SPILL_PACKET_IPV4, 1000, LATER));
    assert_int_equal(spill_flow_table_expire(table, LATER, 1000), 0);
    /* The other family has slots of its own. */
    assert_non_null(flows_add(table, SPILL_PACKET_IPV6, 1000, LATER));
    for (uint32_t i = 0; i < RTE_DIM(flows); i++) {
        assert_ptr_equal(flows_find(table, SPILL_PACKET_IPV4, i, LATER), flows[i]);
        spill_flow_release(flows[i]);
    }
    assert_non_null(flows_add(table, SPILL_PACKET_IPV4, 1000, LATER));
    assert_int_equal(spill_flow_table_counters(table)->refused, 1);
    assert_int_equal(spill_flow_table_counters(table)->evicted, 1);
    flows_free(table);
}

/* How many of the first `established` connections are in the table; each is seen now. */
static uint32_t touch(struct spill_flow_table *table, uint8_t kind, uint32_t established,
                      uint64_t now)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < established; i++)
        found += flows_find(table, kind, i, now) != NULL;
    return found;
}

/* What a flood consists of. */
enum flood { STRANGERS, ONE_SIDED, FLOODS };

static void flood_one(struct spill_flow_table *table, enum flood what, uint8_t kind, uint32_t i,
                      uint64_t now)
{
    struct spill_flow *flow;

    /* Few find all slots that they may have taken by such as may not go. */
    flow = what == ONE_SIDED ? flows_add_allowed(table, kind, i, false, now)
                             : flows_add(table, kind, i, now);
    if (what == ONE_SIDED || flow == NULL)
        return;
    if (i % 2 == 0)
        spill_flow_table_note(table, flow, 0, SPILL_VERDICT_DENY, false, 0, 0);
    assert_ptr_equal(flows_add(table, kind, i, now), flow); /* two packets of each */
}

/* Three quarters of the table are established, and are silent while a flood comes of 20 times the
 * capacity. `mixed`: they came between others, and not one after the other. */
static void flood(uint8_t kind, bool mixed, enum flood what)
{
    enum { capacity = 4096, established = capacity / 4 * 3 };
    struct spill_flow_table *table = flows_make(capacity, 0);
    uint32_t next = capacity;
    uint64_t now = BEFORE_WRAP - 10 * capacity * (uint64_t)UNIT / 32; /* wraps half way */

    for (uint32_t i = 0; i < established; i++) {
        while (mixed && flows_below(2) == 0 && next < capacity + established)
            flood_one(table, what, kind, next++, now);
        assert_non_null(flows_add_allowed(table, kind, i, true, now));
    }
    for (uint32_t i = 0; i < 20 * capacity; i++, now += UNIT / 32) {
        flood_one(table, what, kind, next++, now);
        assert_true(spill_flow_table_counters(table)->entries <= capacity);
    }
    assert_int_equal(touch(table, kind, established, now), established);
    assert_in_range(spill_flow_table_counters(table)->entries, capacity / 8 * 7, capacity);
    assert_true(spill_flow_table_counters(table)->refused < 20 * capacity / 1000);
    flows_free(table);
}

static void established_flows_outlive_a_flood(void **state)
{
    (void)state;
    for (unsigned what = 0; what < FLOODS; what++) {
        flood(SPILL_PACKET_IPV4, false, what);
        flood(SPILL_PACKET_IPV4, true, what);
        flood(SPILL_PACKET_IPV6, false, what);
        flood(SPILL_PACKET_IPV6, true, what);
    }
}

/* As the program meets it: 30 000 denied flows a second, of two packets each, for a minute; a
 * one-sided flow that has a packet every 16 s is not lost to them, nor to the timeout. */
static void strangers_displace_no_allowed_flow(void **state)
{
    enum { capacity = 4096, allowed = 2000, per_second = 30000, seconds = 60 };
    const uint64_t second = 2600000000;
    struct spill_flow_table *table = flows_make(capacity, 20 * second);
    uint32_t next = capacity;

    (void)state;
    for (uint32_t i = 0; i < allowed; i++)
        assert_non_null(flows_add_allowed(table, SPILL_PACKET_IPV4, i, false, 0));
    for (uint32_t i = 0; i < seconds * per_second; i++) {
        const uint64_t now = i * (second / per_second);

        flood_one(table, STRANGERS, SPILL_PACKET_IPV4, next++, now);
        if (i % (16 * per_second) == 0)
            assert_int_equal(touch(table, SPILL_PACKET_IPV4, allowed, now), allowed);
        if (i % 64 == 0)
            spill_flow_table_expire(table, now, 4);
    }
    assert_int_equal(spill_flow_table_counters(table)->refused, 0);
    flows_free(table);
}

/* Flows that had traffic once and have no more don't fill the table for ever. */
static void silent_flows_give_way(void **state)
{
    enum { capacity = 1024 };
    struct spill_flow_table *table = flows_make(capacity, 0);
    uint64_t now = BEFORE_WRAP - capacity * (uint64_t)UNIT;

    (void)state;
    for (uint32_t i = 0; i < capacity; i++)
        assert_non_null(flows_add_allowed(table, SPILL_PACKET_IPV4, i, true, now));
    assert_in_range(touch(table, SPILL_PACKET_IPV4, capacity, now), capacity / 8 * 7, capacity);
    for (uint32_t i = 0; i < 20 * capacity; i++, now += UNIT)
        assert_non_null(flows_add_allowed(table, SPILL_PACKET_IPV4, capacity + i, true, now));
    assert_int_equal(touch(table, SPILL_PACKET_IPV4, capacity, now), 0);
    flows_free(table);
}

/* A flow that is silent for longer than the timeout is none any more, whoever speaks first. */
static void age_counts_at_the_lookup(void **state)
{
    struct spill_flow_table *table = flows_make(CAPACITY, TIMEOUT);

    (void)state;
    for (uint8_t kind = 0; kind < 2; kind++) {
        struct spill_flow *flow = flows_add_allowed(table, kind, 0, true, UNIT);

        assert_ptr_equal(flows_find(table, kind, 0, UNIT + TIMEOUT), flow);
        assert_null(flows_find(table, kind, 0, 2 * (UNIT + TIMEOUT)));
        assert_true(spill_flow_hold(flow)); /* its packets wait: it can't be over */
        assert_ptr_equal(flows_find(table, kind, 0, 2 * (UNIT + TIMEOUT)), flow);
        assert_true(spill_flow_verdict(flow, 1) == SPILL_VERDICT_ALLOW);
        spill_flow_release(flow);
        assert_null(flows_find(table, kind, 0, 3 * (UNIT + TIMEOUT)));
        assert_ptr_equal(flows_add(table, kind, 0, 3 * (UNIT + TIMEOUT)), flow);
        assert_int_equal(spill_flow_verdict(flow, 0), SPILL_VERDICT_UNKNOWN);
        assert_int_equal(flow->class, SPILL_FLOW_STRANGER);
    }
    assert_int_equal(spill_flow_table_counters(table)->expired, 2);
    flows_free(table);
}

static void the_older_goes_also_when_time_wraps(void **state)
{
    enum { half = SPILL_FLOW_CAPACITY_MIN / 2 };
    struct spill_flow_table *table = flows_make(2 * half, 0);
    uint64_t now = BEFORE_WRAP - (half - 1) * (uint64_t)UNIT;

    (void)state;
    for (uint32_t i = 0; i < 2 * half; i++, now += UNIT)
        assert_non_null(flows_add(table, SPILL_PACKET_IPV4, i, now));
    for (uint32_t i = 0; i < 8; i++)
        assert_non_null(flows_add(table, SPILL_PACKET_IPV4, 1000 + i, now));
    assert_int_equal(spill_flow_table_counters(table)->evicted, 8);
    for (uint32_t i = half; i < 2 * half; i++)
        assert_non_null(flows_find(table, SPILL_PACKET_IPV4, i, now));
    flows_free(table);
}

/* Adds a flow at the last moment before `seen` wraps; it expires `timeout` later, and not before.
 */
static void check_timeout(uint64_t timeout, uint64_t unit)
{
    struct spill_flow_table *table = flows_make(SPILL_FLOW_CAPACITY_MIN, timeout);
    uint64_t now = INT32_MAX * unit;

    assert_non_null(flows_add(table, SPILL_PACKET_IPV6, 0, now));
    assert_int_equal(spill_flow_table_expire(table, now - unit, 1000), 0); /* a loop's old time */
    assert_int_equal(spill_flow_table_expire(table, now + timeout / 2, 1000), 0);
    assert_int_equal(spill_flow_table_expire(table, now + timeout, 1000), 0);
    assert_int_equal(spill_flow_table_expire(table, now + timeout + 2 * unit, 1000), 1);
    assert_int_equal(spill_flow_table_counters(table)->expired, 1);
    assert_null(flows_find(table, SPILL_PACKET_IPV6, 0, now));
    flows_free(table);
}

static void expires_after_the_timeout(void **state)
{
    (void)state;
    check_timeout(1, UNIT);
    check_timeout(TIMEOUT, UNIT);
    check_timeout((uint64_t)UNIT << 28, UNIT);
    check_timeout((uint64_t)UNIT * 3 << 30, 4 * UNIT); /* too long for the usual unit */
}

static void without_timeout_nothing_expires(void **state)
{
    struct spill_flow_table *table = flows_make(SPILL_FLOW_CAPACITY_MIN, 0);

    (void)state;
    assert_non_null(flows_add(table, SPILL_PACKET_IPV4, 0, 0));
    assert_int_equal(spill_flow_table_expire(table, LATER, 1000), 0);
    assert_non_null(flows_find(table, SPILL_PACKET_IPV4, 0, LATER));
    flows_free(table);
}

static void an_expiry_looks_at_no_more_than_it_is_told(void **state)
{
    struct spill_flow_table *table = flows_make(1000, 1);

    (void)state;
    for (uint32_t i = 0; i < 1000; i++)
        assert_non_null(flows_add(table, SPILL_PACKET_IPV4, i, 0));
    for (uint32_t i = 0; i < 100; i++)
        assert_true(spill_flow_table_expire(table, LATER, 5) <= 5);
    assert_in_range(spill_flow_table_counters(table)->expired, 380, 500);
    assert_int_equal(spill_flow_table_expire(table, LATER, 0), 0);
    flows_free(table);
}

/* Keys that collide in all of their hash, as one can make them who knows the seed: a factor is 0.
 */
static void crafted_keys_harm_none_that_is_allowed(void **state)
{
    enum { slots = SPILL_FLOW_GROUP * SPILL_FLOW_PROBES };
    struct spill_flow_table *table = flows_make(1000, 0);
    struct spill_flow_hash hash;

    (void)state;
    spill_flow_hash_init(&hash, SEED);
    for (uint32_t i = 0; i < 500; i++) {
        assert_non_null(flows_add_allowed(table, SPILL_PACKET_IPV4, i, false, 0));
        assert_non_null(flows_add_allowed(table, SPILL_PACKET_IPV6, i, false, 0));
    }
    for (uint32_t i = 0; i < 2000; i++) {
        struct spill_packet packet = flows_packet(i % 2, i);
        uint64_t *key = (uint64_t *)&packet;

        key[i % 2 ? 4 : 0] = hash.secret[i % 2 ? 4 : 0];
        key[1] = i;
        packet.inner_vlan = 0;
        assert_int_equal(spill_flow_hash4(&hash, key, 0) == 0, i % 2 == 0);
        assert_int_equal(spill_flow_hash6(&hash, key, 0) == 0, i % 2 == 1);
        (void)spill_flow_table_find_or_add(table, &packet, 0);
    }
    assert_in_range(spill_flow_table_counters(table)->entries, 1000, 1000 + 2 * slots);
    assert_int_equal(spill_flow_table_counters(table)->entries - 1000 +
                         spill_flow_table_counters(table)->refused +
                         spill_flow_table_counters(table)->evicted,
                     2000);
    assert_int_equal(touch(table, SPILL_PACKET_IPV4, 500, 0), 500);
    assert_int_equal(touch(table, SPILL_PACKET_IPV6, 500, 0), 500);
    flows_free(table);
}

/* Full to the last of its capacity, every flow is found, and next to nothing was in the way. */
static void all_of_a_full_table_is_found(void **state)
{
    enum { capacity = 30000 };
    struct spill_flow_table *table = flows_make(capacity, 0);
    uint32_t found = 0;

    (void)state;
    for (uint32_t i = 0; i < capacity; i++)
        (void)flows_add(table, SPILL_PACKET_IPV4, i, 0);
    for (uint32_t i = 0; i < capacity; i++)
        found += flows_find(table, SPILL_PACKET_IPV4, i, 0) != NULL;
    assert_int_equal(found, spill_flow_table_counters(table)->entries);
    assert_int_equal(spill_flow_table_counters(table)->refused, 0);
    assert_in_range(found, capacity - capacity / 1000, capacity);
    flows_free(table);
}

/* Two keys that differ in one word, and in spite of it have one hash. */
static void check_word(uint8_t kind, unsigned word, const struct spill_flow_hash *hash)
{
    struct spill_flow_table *table = flows_make(1000, 0);
    struct spill_flow *flows[2];

    for (unsigned i = 0; i < 2; i++) {
        struct spill_packet packet = flows_packet(kind, 0);
        uint64_t *key = (uint64_t *)&packet;

        packet.inner_vlan = 0;
        if (kind == SPILL_PACKET_IPV4) {
            key[!word] = hash->secret[!word];
        } else if (word < 4) {
            key[4] = hash->secret[4];
        } else {
            key[0] = hash->secret[0];
            key[2] = hash->secret[2];
        }
        key[word] = i;
        assert_int_equal(kind == SPILL_PACKET_IPV4 ? spill_flow_hash4(hash, key, packet.inner_vlan)
                                                   : spill_flow_hash6(hash, key, packet.inner_vlan),
                         0);
        flows[i] = spill_flow_table_find_or_add(table, &packet, 0);
        assert_non_null(flows[i]);
    }
    assert_ptr_not_equal(flows[0], flows[1]);
    flows_free(table);
}

static void keys_with_one_hash_are_told_apart(void **state)
{
    struct spill_flow_hash hash;

    (void)state;
    spill_flow_hash_init(&hash, SEED);
    for (unsigned word = 0; word < SPILL_FLOW_HASH_WORDS4; word++)
        check_word(SPILL_PACKET_IPV4, word, &hash);
    for (unsigned word = 0; word < SPILL_FLOW_HASH_WORDS6; word++)
        check_word(SPILL_PACKET_IPV6, word, &hash);
}

static void every_bit_of_a_key_counts(void **state)
{
    struct spill_flow_table *table = flows_make(1000, 0);
    static const uint8_t kinds[2] = {SPILL_PACKET_IPV4, SPILL_PACKET_IPV6};

    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        unsigned bytes =
            kinds[k] == SPILL_PACKET_IPV4 ? sizeof(struct spill_key4) : sizeof(struct spill_key6);
        struct spill_flow *plain = flows_add(table, kinds[k], 0, 0);

        for (unsigned bit = 0; bit < 8 * bytes; bit++) {
            struct spill_packet packet = flows_packet(kinds[k], 0);

            ((uint8_t *)&packet)[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_ptr_not_equal(spill_flow_table_find_or_add(table, &packet, 0), plain);
        }
        for (unsigned bit = 0; bit < 12; bit++) {
            struct spill_packet packet = flows_packet(kinds[k], 0);

            packet.inner_vlan ^= (uint16_t)(1 << bit);
            assert_ptr_not_equal(spill_flow_table_find_or_add(table, &packet, 0), plain);
        }
        assert_ptr_equal(flows_add(table, kinds[k], 0, 0), plain);
    }
    assert_int_equal(spill_flow_table_counters(table)->entries, 2 + 8 * (16 + 40) + 2 * 12);
    flows_free(table);
}

static size_t heap_in_use(void)
{
    struct rte_malloc_socket_stats stats;

    assert_int_equal(rte_malloc_get_socket_stats(0, &stats), 0);
    return stats.heap_allocsz_bytes;
}

static void the_plan_knows_its_bytes(void **state)
{
    static const uint32_t capacities[] = {64, 100, 127, 128, 1000, 1024, 60000, 65536};

    (void)state;
    for (unsigned i = 0; i < RTE_DIM(capacities); i++) {
        size_t before = heap_in_use();
        struct spill_flow_table *table = flows_make(capacities[i], 0);
        size_t bytes = heap_in_use() - before;
        struct spill_flow_memory memory[2];
        const uint8_t *flow;

        assert_in_range(spill_flow_table_bytes(capacities[i]), bytes, bytes + bytes / 10 + 4096);
        spill_flow_table_memory(table, memory);
        flow = (const uint8_t *)flows_add(table, SPILL_PACKET_IPV4, 0, 0);
        assert_in_range(flow - (const uint8_t *)memory[0].start, 0, memory[0].bytes - 8);
        flow = (const uint8_t *)flows_add(table, SPILL_PACKET_IPV6, 0, 0);
        assert_in_range(flow - (const uint8_t *)memory[1].start, 0, memory[1].bytes - 8);
        assert_string_equal(memory[1].name, "test.v6");
        flows_free(table);
        assert_int_equal(heap_in_use(), before);
    }
}

static void check_refused(const char *name, uint32_t capacity, const char *text)
{
    const struct spill_flow_table_config config = {
        .name = name, .capacity = capacity, .socket = SOCKET_ID_ANY};
    struct spill_error error = {.text = ""};
    size_t before = heap_in_use();

    assert_null(spill_flow_table_create(&config, &error));
    assert_non_null(strstr(error.text, text));
    assert_int_equal(heap_in_use(), before);
    assert_null(spill_flow_table_create(&config, NULL));
}

static void says_what_it_refuses(void **state)
{
    struct spill_flow_table *table = flows_make(1000, 0);

    (void)state;
    check_refused("", 1000, "1 to 20 bytes");
    check_refused("a name of 21 bytes...", 1000, "'a name of 21 bytes...'");
    check_refused("few", SPILL_FLOW_CAPACITY_MIN - 1, "63: must be 64 to 33554432");
    check_refused("many", SPILL_FLOW_CAPACITY_MAX + 1, "33554433: must be 64");
    check_refused("large", SPILL_FLOW_CAPACITY_MAX, "large.v4: no memory for 33554432 flows");
    flows_free(table);
    spill_flow_table_free(NULL);
}

/* Of several verdicts the SA of that which goes before the others stays beside it. */
static void an_sa_stands_beside_its_verdict(void **state)
{
    struct spill_flow_table *table = flows_make(CAPACITY, TIMEOUT);
    struct spill_flow *flow = flows_add(table, SPILL_PACKET_IPV4, 1, 0);

    (void)state;
    spill_flow_table_note(table, flow, 0, SPILL_VERDICT_DENY, false, SPILL_SA_REJECT, 0);
    assert_int_equal(flow->sa[0], SPILL_SA_REJECT);
    spill_flow_table_note(table, flow, 0, SPILL_VERDICT_PROTECT, false, 7, 0);
    assert_int_equal(flow->sa[0], 7);
    spill_flow_table_note(table, flow, 0, SPILL_VERDICT_DENY, false, SPILL_SA_REJECT, 0);
    spill_flow_table_note(table, flow, 0, SPILL_VERDICT_ALLOW, false, 0, 0);
    assert_int_equal(flow->sa[0], 7);
    assert_int_equal(spill_flow_own_verdict(flow, 0), SPILL_VERDICT_PROTECT);
    spill_flow_table_free(table);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_sa_stands_beside_its_verdict),
        cmocka_unit_test(verdicts_of_the_two_directions),
        cmocka_unit_test(a_flow_is_held_so_often_and_no_more),
        cmocka_unit_test(is_refused_while_all_are_held),
        cmocka_unit_test(established_flows_outlive_a_flood),
        cmocka_unit_test(silent_flows_give_way),
        cmocka_unit_test(the_older_goes_also_when_time_wraps),
        cmocka_unit_test(expires_after_the_timeout),
        cmocka_unit_test(without_timeout_nothing_expires),
        cmocka_unit_test(an_expiry_looks_at_no_more_than_it_is_told),
        cmocka_unit_test(crafted_keys_harm_none_that_is_allowed),
        cmocka_unit_test(all_of_a_full_table_is_found),
        cmocka_unit_test(strangers_displace_no_allowed_flow),
        cmocka_unit_test(age_counts_at_the_lookup),
        cmocka_unit_test(keys_with_one_hash_are_told_apart),
        cmocka_unit_test(every_bit_of_a_key_counts),
        cmocka_unit_test(the_plan_knows_its_bytes),
        cmocka_unit_test(says_what_it_refuses),
    };

    flows_seed(argc, argv);
    return cmocka_run_group_tests(tests, flows_start, flows_stop);
}
