/* SPDX-License-Identifier: BSD-3-Clause */
/* The flow table against a naive model. */
#include "flow_tables.h"

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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_naive_model),
    };

    flows_seed(argc, argv);
    return cmocka_run_group_tests(tests, flows_start, flows_stop);
}
