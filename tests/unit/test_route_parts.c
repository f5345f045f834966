/* SPDX-License-Identifier: BSD-3-Clause */
/* Parts of lib/route by themselves: addresses, numbers, the routes by prefix, the two sides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <rte_eal.h>
#include <rte_fib.h>
#include <rte_malloc.h>

#include "route/left_right.h"
#include "route/numbers.h"

static struct rte_rcu_qsbr *readers;
static int nodes[SPILL_NODES_MAX];

static struct spill_ip_prefix prefix(const char *text)
{
    struct spill_ip_prefix made;

    assert_true(spill_ip_prefix_read(text, &made));
    return made;
}

/* ------------------------------------------------------------------------------ addresses */

static void test_addresses(void **state)
{
    static const char *const good[] = {"0.0.0.0/0", "10.1.2.3/32", "::/0", "2001:db8::1/64"};
    static const char *const bad[] = {"",           "10.0.0.0/33", "10.0.0/8",    "::/129",
                                      "10.0.0.0/",  "10.0.0.0/x",  "10.0.0.0/-1", "10.0.0.0/8 ",
                                      "1.2.3.4.5/8"};
    struct spill_ip_prefix read, other;
    char text[SPILL_IP_PREFIX_TEXT];
    unsigned i;

    (void)state;
    for (i = 0; i < RTE_DIM(good); i++) {
        read = prefix(good[i]);
        assert_string_equal(spill_ip_prefix_write(&read, text), good[i]);
    }
    for (i = 0; i < RTE_DIM(bad); i++)
        assert_false(spill_ip_prefix_read(bad[i], &read));
    assert_int_equal(prefix("10.0.0.1").length, 32);
    assert_int_equal(prefix("::1").length, 128);
    read = prefix("10.255.3.4/12");
    assert_false(spill_ip_prefix_is_exact(&read));
    spill_ip_prefix_trim(&read);
    assert_string_equal(spill_ip_prefix_write(&read, text), "10.240.0.0/12");
    assert_true(spill_ip_prefix_is_exact(&read));
    other = prefix("10.247.1.1");
    assert_true(spill_ip_prefix_has(&read, &other.address));
    other = prefix("10.1.1.1");
    assert_false(spill_ip_prefix_has(&read, &other.address));
    other = prefix("::");
    assert_false(spill_ip_prefix_has(&read, &other.address));
}

/* -------------------------------------------------------------------------------- numbers */

/* A number is given again only once every reader has been quiescent since. */
static void test_numbers(void **state)
{
    struct spill_numbers numbers;
    uint16_t first;

    (void)state;
    assert_int_equal(spill_numbers_init(&numbers, readers, 5, 7), 0);
    first = spill_numbers_take(&numbers);
    assert_int_equal(first, 5);
    assert_int_equal(spill_numbers_take(&numbers), 6);
    assert_int_equal(spill_numbers_take(&numbers), 0);
    rte_rcu_qsbr_thread_online(readers, 0);
    spill_numbers_give(&numbers, first);
    assert_int_equal(spill_numbers_take(&numbers), 0);
    rte_rcu_qsbr_quiescent(readers, 0);
    assert_int_equal(spill_numbers_take(&numbers), first);
    rte_rcu_qsbr_thread_offline(readers, 0);
    spill_numbers_free(&numbers);
}

/* More were given back than 32 bits count. */
static void test_numbers_for_years(void **state)
{
    struct spill_numbers numbers;
    bool taken[8] = {false};
    unsigned i;

    (void)state;
    assert_int_equal(spill_numbers_init(&numbers, readers, 1, 8), 0);
    numbers.head = numbers.tail = UINT32_MAX;
    while (spill_numbers_take(&numbers) != 0)
        ;
    for (i = 1; i < 8; i++)
        spill_numbers_give(&numbers, (uint16_t)i);
    rte_rcu_qsbr_quiescent(readers, 0);
    for (i = 1; i < 8; i++) {
        const uint16_t number = spill_numbers_take(&numbers);

        assert_in_range(number, 1, 7);
        assert_false(taken[number]);
        taken[number] = true;
    }
    spill_numbers_free(&numbers);
}

/* ---------------------------------------------------------------------------- by prefix */

static void test_rib(void **state)
{
    const struct spill_ip_prefix ten = prefix("10.0.0.0/8"), host = prefix("10.0.0.0/32");
    struct spill_rib_entry *entry, *other;
    struct spill_rib rib;

    (void)state;
    assert_int_equal(spill_rib_init(&rib, 2, 1), 0);
    assert_null(spill_rib_find(&rib, &ten));
    entry = spill_rib_make(&rib, &ten);
    assert_ptr_equal(spill_rib_make(&rib, &ten), entry);
    other = spill_rib_make(&rib, &host);
    assert_ptr_not_equal(other, entry);
    assert_null(spill_rib_make(&rib, &(struct spill_ip_prefix){.address.family = AF_INET}));
    /* However often it changes, it is on each list once. */
    spill_rib_want(&rib, entry, 3);
    spill_rib_want(&rib, entry, 4);
    spill_rib_want(&rib, other, 5);
    assert_int_equal(rib.routes, 2);
    assert_ptr_equal(spill_rib_next(&rib, 0), entry);
    assert_ptr_equal(spill_rib_next(&rib, 0), other);
    assert_null(spill_rib_next(&rib, 0));
    assert_ptr_equal(spill_rib_next(&rib, 1), entry);
    /* What a side still has stays until it has not. */
    entry->applied[0] = 4;
    spill_rib_want(&rib, entry, 0);
    assert_ptr_equal(spill_rib_next(&rib, 0), entry);
    spill_rib_release(&rib, entry);
    assert_ptr_equal(spill_rib_find(&rib, &ten), entry);
    entry->applied[0] = 0;
    spill_rib_release(&rib, entry);
    assert_null(spill_rib_find(&rib, &ten));
    assert_ptr_equal(spill_rib_find(&rib, &host), other);
    assert_non_null(spill_rib_make(&rib, &ten));
    spill_rib_free(&rib);
}

/* ---------------------------------------------------------------------------- two sides */

struct seen {
    const struct spill_fib *front;
    unsigned published;
    int uses[65536]; /* of groups, by the sides */
};

static void publish(void *context, const struct spill_fib *fib)
{
    struct seen *seen = context;

    seen->front = fib;
    seen->published++;
}

static void changed(void *context, uint16_t before, uint16_t after)
{
    struct seen *seen = context;

    seen->uses[before]--;
    seen->uses[after]++;
}

static uint64_t look(const struct seen *seen, uint32_t address)
{
    uint64_t group = 0;

    rte_fib_lookup_bulk(seen->front->copies[0], &address, &group, 1);
    return group;
}

static void open_table(struct spill_left_right *table, struct seen *seen, uint32_t capacity)
{
    const struct spill_left_right_config config = {.family = AF_INET,
                                                   .capacity = capacity,
                                                   .memory_nodes = nodes,
                                                   .readers = readers,
                                                   .publish = publish,
                                                   .changed = changed,
                                                   .context = seen};
    struct spill_error error;

    assert_int_equal(spill_left_right_init(table, &config, &error), 0);
}

static void want(struct spill_left_right *table, const struct spill_ip_prefix *where,
                 uint16_t group)
{
    struct spill_rib_entry *entry = spill_rib_make(&table->rib, where);

    assert_non_null(entry);
    spill_rib_want(&table->rib, entry, group);
}

/* The other side is not touched before the readers have gone on. */
static void test_sides(void **state)
{
    const struct spill_ip_prefix ten = prefix("10.0.0.0/8");
    struct seen *seen = calloc(1, sizeof(*seen));
    struct spill_left_right table;
    unsigned turns;

    (void)state;
    assert_non_null(seen);
    open_table(&table, seen, 64);
    rte_rcu_qsbr_thread_online(readers, 0);
    want(&table, &ten, 7);
    assert_int_equal(look(seen, 0x0a000001), 0);
    assert_true(spill_left_right_work(&table, 10));
    assert_int_equal(seen->published, 2);
    assert_int_equal(look(seen, 0x0a000001), 7);
    assert_int_equal(seen->uses[7], 1);
    want(&table, &ten, 8);
    assert_true(spill_left_right_work(&table, 10));
    assert_int_equal(look(seen, 0x0a000001), 7); /* a reader may still be on the other side */
    rte_rcu_qsbr_quiescent(readers, 0);
    assert_true(spill_left_right_work(&table, 10));
    assert_int_equal(look(seen, 0x0a000001), 8);
    rte_rcu_qsbr_quiescent(readers, 0);
    assert_false(spill_left_right_work(&table, 10));
    assert_int_equal(seen->uses[7], 0);
    assert_int_equal(seen->uses[8], 2);
    assert_int_equal(seen->published, 3);
    /* What is changed back before the other side was told is on the front's list alone. */
    want(&table, &ten, 9);
    assert_true(spill_left_right_work(&table, 10));
    want(&table, &ten, 8);
    for (turns = 0; spill_left_right_work(&table, 10); turns++) {
        assert_true(turns < 10);
        rte_rcu_qsbr_quiescent(readers, 0);
    }
    assert_int_equal(look(seen, 0x0a000001), 8);
    assert_int_equal(seen->uses[8], 2);
    rte_rcu_qsbr_thread_offline(readers, 0);
    spill_left_right_free(&table);
    free(seen);
}

/* A table with less room than routes is made anew, as DPDK's may count wrongly; then what has no
 * room is counted, and the others are right. */
static void test_full(void **state)
{
    struct seen *seen = calloc(1, sizeof(*seen));
    struct spill_ip_prefix where = prefix("10.0.0.0/32");
    struct spill_left_right table;
    uint32_t i;

    (void)state;
    assert_non_null(seen);
    open_table(&table, seen, 64); /* and as many networks /24 with longer prefixes */
    for (i = 0; i < 6000; i++) {
        where.address.bytes[2] = (uint8_t)(i % 60);
        want(&table, &where, (uint16_t)(1 + i % 2));
        while (spill_left_right_work(&table, 10)) {
        }
        want(&table, &where, 0);
        while (spill_left_right_work(&table, 10)) {
        }
    }
    assert_int_equal(table.refused, 0);
    assert_int_equal(table.rib.routes, 0);
    assert_int_equal(seen->uses[1] + seen->uses[2], 0);
    for (i = 0; i < 64; i++) {
        where.address.bytes[2] = (uint8_t)i;
        want(&table, &where, 9);
    }
    while (spill_left_right_work(&table, 10)) {
    }
    assert_int_equal(look(seen, 0x0a000000), 9);
    assert_int_equal(seen->uses[9] + (int)table.refused, 128);
    spill_left_right_free(&table);
    free(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_numbers_for_years),
        cmocka_unit_test(test_rib),
        cmocka_unit_test(test_sides),
        cmocka_unit_test(test_full),
    };
    char *arguments[] = {(char *)(uintptr_t) "test_route_parts",
                         (char *)(uintptr_t) "--no-huge",
                         (char *)(uintptr_t) "-m",
                         (char *)(uintptr_t) "160",
                         (char *)(uintptr_t) "--no-shconf",
                         (char *)(uintptr_t) "--no-telemetry",
                         (char *)(uintptr_t) "--no-pci",
                         (char *)(uintptr_t) "-l",
                         (char *)(uintptr_t) "0"};
    unsigned i;

    if (rte_eal_init(RTE_DIM(arguments), arguments) < 0)
        return 1;
    for (i = 0; i < SPILL_NODES_MAX; i++)
        nodes[i] = i == 0 ? 0 : -1;
    readers = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE);
    if (readers == NULL || rte_rcu_qsbr_init(readers, 1) != 0 ||
        rte_rcu_qsbr_thread_register(readers, 0) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
