/* SPDX-License-Identifier: BSD-3-Clause */
/* The flow table: against a naive model, under floods, under crafted keys. */
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

#define LATER      (1000000 * (uint64_t)UNIT)
#define OPERATIONS 200000

/* The model: every connection there is, by family and number. */
#define CONNECTIONS (3 * CAPACITY)

struct model_flow {
    struct spill_flow *flow; /* NULL: not in the table */
    uint32_t seen;
    uint16_t pending;
    uint8_t rights;
    enum spill_flow_class class; /* when it was last looked at */
};

struct model {
    struct spill_flow_table *table;
    struct model_flow flows[2][CONNECTIONS]; /* by kind */
    struct spill_flow_counters counters;
    uint64_t now;
    bool waits;
};

static uint32_t model_count(const struct model *model, uint8_t kind)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < CONNECTIONS; i++)
        count += model->flows[kind][i].flow != NULL;
    return count;
}

static uint32_t units(uint64_t now)
{
    return (uint32_t)(now / UNIT);
}

static bool is_over(const struct model *model, const struct model_flow *flow)
{
    return flow->pending == 0 && units(model->now) - flow->seen > TIMEOUT / UNIT;
}

/* Also whether an allowed flow on which both sides spoke waits among the strangers for a slot: it
 * may take that of its like. */
static void model_classes(struct model *model)
{
    model->waits = false;
    for (unsigned i = 0; i < 2 * CONNECTIONS; i++) {
        struct model_flow *flow = &model->flows[i % 2][i / 2];

        if (flow->flow == NULL)
            continue;
        flow->class = flow->flow->class;
        model->waits |= flow->class == SPILL_FLOW_STRANGER &&
                        (flow->flow->rights & 3 * SPILL_FLOW_ALLOWED) != 0 &&
                        (flow->flow->spoken & SPILL_FLOW_SPOKE_BOTH) == SPILL_FLOW_SPOKE_BOTH;
        if (flow->class != SPILL_FLOW_STRANGER &&
            (flow->flow->spoken & SPILL_FLOW_SPOKE_BOTH) == SPILL_FLOW_SPOKE_BOTH)
            flow->class = SPILL_FLOW_ESTABLISHED;
    }
}

/* Takes out of the model what is gone from the table, which none may that is held. */
static uint32_t model_sweep(struct model *model, bool expired, enum spill_flow_class most)
{
    uint32_t gone = 0;

    for (unsigned i = 0; i < 2 * CONNECTIONS; i++) {
        struct model_flow *flow = &model->flows[i % 2][i / 2];

        if (flow->flow != NULL && flow->flow->class == SPILL_FLOW_FREE) {
            assert_int_equal(flow->pending, 0);
            assert_true(!expired || is_over(model, flow));
            /* Strangers give way to all, and who has just come to none that both sides spoke on. */
            assert_true(expired || flow->class <= most);
            flow->flow = NULL;
            gone++;
        }
    }
    return gone;
}

/* Who may have to go for a new flow. */
static enum spill_flow_class may_go(const struct model *model, bool full)
{
    if (!full)
        return SPILL_FLOW_STRANGER;
    return model->waits ? SPILL_FLOW_ESTABLISHED : SPILL_FLOW_ONE_SIDED;
}

/* The same, of an entry that another connection has now. */
static uint32_t model_reused(struct model *model, const struct model_flow *but,
                             const struct spill_flow *entry)
{
    uint32_t gone = 0;

    for (unsigned i = 0; i < 2 * CONNECTIONS; i++) {
        struct model_flow *flow = &model->flows[i % 2][i / 2];

        if (flow->flow == entry && flow != but) {
            assert_int_equal(flow->pending, 0);
            assert_true(flow->class <= may_go(model, true));
            flow->flow = NULL;
            gone++;
        }
    }
    return gone;
}

static void check_flow(const struct model_flow *expected, const struct spill_flow *flow)
{
    assert_ptr_equal(flow, expected->flow);
    if (flow != NULL) {
        assert_int_equal(flow->seen, expected->seen);
        assert_int_equal(flow->pending, expected->pending);
        assert_int_equal(flow->rights, expected->rights);
    }
}

static void model_lookup(struct model *model)
{
    struct spill_packet packets[SPILL_BURST];
    uint32_t number[SPILL_BURST];
    uint32_t count = flows_below(SPILL_BURST + 1), passing = 0;
    bool all;
    uint32_t mixture = flows_below(3); /* one family, the other, both */

    for (uint32_t i = 0; i < count; i++) {
        number[i] = flows_below(CONNECTIONS);
        packets[i] = flows_packet((uint8_t)(mixture == 2 ? flows_below(2) : mixture), number[i]);
        packets[i].flow = NULL;
        if (flows_below(8) == 0)
            packets[i].kind = SPILL_PACKET_OTHER;
    }
    all = spill_flow_table_lookup(model->table, packets, count, model->now);
    for (uint32_t i = 0; i < count; i++) {
        struct model_flow *expected;

        if (packets[i].kind == SPILL_PACKET_OTHER) {
            assert_null(packets[i].flow);
            continue;
        }
        expected = &model->flows[packets[i].kind][number[i]];
        if (expected->flow == NULL || is_over(model, expected)) {
            assert_null(packets[i].flow);
            model->counters.misses++;
            continue;
        }
        expected->seen = units(model->now);
        check_flow(expected, packets[i].flow);
        model->counters.hits++;
        passing += spill_flow_passes(packets[i].flow);
    }
    assert_int_equal(all, passing == count);
}

static void model_add(struct model *model)
{
    uint8_t kind = (uint8_t)flows_below(2);
    uint32_t number = flows_below(CONNECTIONS);
    struct model_flow *expected = &model->flows[kind][number];
    bool full = model_count(model, kind) == CAPACITY;
    bool known = expected->flow != NULL && !is_over(model, expected);
    bool over = expected->flow != NULL && !known;
    unsigned direction = flows_below(2);
    enum spill_verdict verdict = (enum spill_verdict)flows_below(3);
    struct spill_flow *flow;
    uint32_t gone;

    model_classes(model);
    flow = flows_add(model->table, kind, number, model->now);
    if (flow == NULL) {
        assert_false(known || over);
        /* A full table makes room, and a fuller one than 7/8 may have all slots of a key taken. */
        assert_true(model_count(model, kind) >= CAPACITY * 7 / 8);
        gone = model_sweep(model, false, may_go(model, full));
        assert_true(gone <= full);
        model->counters.evicted += gone;
        model->counters.refused++;
        return;
    }
    if (!known) {
        gone = model_reused(model, over ? expected : NULL, flow) +
               model_sweep(model, false, may_go(model, full));
        assert_true(over ? gone == 0 : gone >= full && gone <= 1u + full);
        model->counters.evicted += gone;
        model->counters.expired += over;
        assert_int_equal(spill_flow_verdict(flow, 0), SPILL_VERDICT_UNKNOWN);
        assert_int_equal(spill_flow_verdict(flow, 1), SPILL_VERDICT_UNKNOWN);
        *expected = (struct model_flow){.flow = flow, .class = SPILL_FLOW_STRANGER};
        spill_flow_table_note(model->table, flow, direction, verdict, false, 0, 0);
        expected->rights = flow->rights;
        model->counters.evicted += model_sweep(model, false, SPILL_FLOW_ONE_SIDED);
    }
    expected->seen = units(model->now);
    check_flow(expected, flow);
}

/* Held are at times few, at times nearly all. */
static void model_hold(struct model *model, bool hold)
{
    struct model_flow *flow = &model->flows[flows_below(2)][flows_below(CONNECTIONS)];

    if (flow->flow != NULL && hold) {
        assert_true(spill_flow_hold(flow->flow));
        flow->pending++;
    } else if (flow->flow != NULL && flow->pending > 0) {
        spill_flow_release(flow->flow);
        flow->pending--;
    }
}

static void model_expire(struct model *model)
{
    uint32_t removed = spill_flow_table_expire(model->table, model->now, flows_below(50));

    assert_int_equal(model_sweep(model, true, SPILL_FLOW_FREE), removed);
    model->counters.expired += removed;
}

static void agrees_with_a_naive_model(void **state)
{
    static struct model model;

    (void)state;
    model.table = flows_make(CAPACITY, TIMEOUT);
    model.now = BEFORE_WRAP - OPERATIONS / 4 * (uint64_t)UNIT; /* wraps half way */
    for (unsigned i = 0; i < OPERATIONS; i++) {
        uint32_t choice = flows_below(100);

        if (choice < 30) {
            model_lookup(&model);
        } else if (choice < 65) {
            model_add(&model);
        } else if (choice < 95) {
            model_hold(&model, flows_below(10) < (i / 4096 % 2 ? 4 : 6));
        } else {
            model_expire(&model);
        }
        model.now += flows_below(2 * UNIT) + (flows_below(500) == 0 ? TIMEOUT : 0);
        model.counters.entries = model_count(&model, 0) + model_count(&model, 1);
        assert_memory_equal(spill_flow_table_counters(model.table), &model.counters,
                            sizeof(model.counters));
    }
    assert_true(units(model.now) < UINT32_MAX / 2); /* it has wrapped */
    assert_true(model.counters.evicted > 1000);
    assert_true(model.counters.expired > 1000);
    assert_true(model.counters.refused > 0);
    flows_free(model.table);
}

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
        cmocka_unit_test(agrees_with_a_naive_model),
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
