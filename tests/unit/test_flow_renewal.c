/* SPDX-License-Identifier: BSD-3-Clause */
/* The flow table's protected directions and their SAs, and the renewal of all verdicts. */
#include "flow_tables.h"

#define OPERATIONS  300000
#define CONNECTIONS (2 * CAPACITY)
#define UNITS_30    ((uint64_t)UNIT << 29) /* cycles: 2^30 units of `seen`, whose bit 0 is no time */

/* ---- Verdicts ---- */

/* What was noted of a direction, by the verdicts that it may have had one after the other. */
struct noted {
    bool allow, deny, protect;
};

static enum spill_verdict naive_own(const struct noted *own)
{
    if (own->protect)
        return SPILL_VERDICT_PROTECT;
    if (own->allow)
        return SPILL_VERDICT_ALLOW;
    return own->deny ? SPILL_VERDICT_DENY : SPILL_VERDICT_UNKNOWN;
}

static enum spill_verdict naive_clear(const struct noted *own, const struct noted *other)
{
    if (!own->protect && other->allow)
        return SPILL_VERDICT_ALLOW;
    return naive_own(own);
}

static void verdicts_in_any_combination(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 64; bits++) {
        struct spill_flow flow = {.pending = 0};
        struct noted noted[2];
        bool passes;

        for (unsigned direction = 0; direction < 2; direction++) {
            const unsigned three = bits >> 3 * direction;

            noted[direction] = (struct noted){three & 1, three >> 1 & 1, three >> 2 & 1};
            spill_flow_set_verdict(&flow, direction, SPILL_VERDICT_UNKNOWN);
            if (noted[direction].allow)
                spill_flow_set_verdict(&flow, direction, SPILL_VERDICT_ALLOW);
            if (noted[direction].deny)
                spill_flow_set_verdict(&flow, direction, SPILL_VERDICT_DENY);
            if (noted[direction].protect)
                spill_flow_set_verdict(&flow, direction, SPILL_VERDICT_PROTECT);
        }
        for (unsigned direction = 0; direction < 2; direction++) {
            assert_int_equal(spill_flow_own_verdict(&flow, direction),
                             naive_own(&noted[direction]));
            assert_int_equal(spill_flow_verdict(&flow, direction),
                             naive_clear(&noted[direction], &noted[!direction]));
        }
        passes = naive_clear(&noted[0], &noted[1]) == SPILL_VERDICT_ALLOW &&
                 naive_clear(&noted[1], &noted[0]) == SPILL_VERDICT_ALLOW;
        assert_int_equal(spill_flow_passes(&flow), passes);
        flow.pending = 1;
        assert_false(spill_flow_passes(&flow));
        flow.pending = UINT16_MAX - 1;
        assert_false(spill_flow_passes(&flow));
    }
}

/* ---- SAs ---- */

/* What a lookup writes of it to a packet of each direction: nothing while neither is protected. */
static void look_up_sa(struct spill_flow_table *table, uint8_t kind, uint32_t i,
                       const uint16_t expected[2])
{
    struct spill_packet packets[2];
    uint32_t direction;

    for (direction = 0; direction < 2; direction++) {
        packets[direction] = packet_of(kind, i);
        packets[direction].direction = direction & 1;
        packets[direction].sa = 0;
    }
    spill_flow_table_lookup(table, packets, 2, 0);
    assert_int_equal(packets[0].sa, expected[0]);
    assert_int_equal(packets[1].sa, expected[1]);
}

static void each_direction_has_its_sa(void **state)
{
    struct spill_flow_table *table = make_table(CAPACITY, 0);
    static uint16_t expected[2][CAPACITY][2];
    struct spill_flow *flow;

    (void)state;
    for (unsigned kind = 0; kind < 2; kind++)
        for (uint32_t i = 0; i < CAPACITY; i++)
            assert_non_null(add(table, (uint8_t)kind, i, 0));
    for (unsigned round = 0; round < 20000; round++) {
        const uint8_t kind = (uint8_t)random_below(2);
        const uint32_t i = random_below(CAPACITY), direction = random_below(2);
        const uint16_t id = (uint16_t)(1 + random_below(UINT16_MAX));

        spill_flow_table_set_sa(table, find(table, kind, i, 0), direction, id);
        expected[kind][i][direction] = id;
    }
    for (unsigned kind = 0; kind < 2; kind++)
        for (uint32_t i = 0; i < CAPACITY; i++) {
            flow = find(table, (uint8_t)kind, i, 0);
            assert_int_equal(spill_flow_table_sa(table, flow, 0), expected[kind][i][0]);
            assert_int_equal(spill_flow_table_sa(table, flow, 1), expected[kind][i][1]);
            look_up_sa(table, (uint8_t)kind, i, (uint16_t[2]){0, 0});
            spill_flow_set_verdict(flow, 1, SPILL_VERDICT_ALLOW);
            look_up_sa(table, (uint8_t)kind, i, (uint16_t[2]){0, 0});
            spill_flow_set_verdict(flow, random_below(2), SPILL_VERDICT_PROTECT);
            look_up_sa(table, (uint8_t)kind, i, expected[kind][i]);
        }
    free_table(table);
}

/* ---- Renewal ---- */

/* The model: every connection there is, by family and number, and when all was renewed. */
struct model_flow {
    struct spill_flow *flow; /* NULL: not in the table */
    uint64_t seen;           /* in units */
    unsigned seen_at;        /* number of the operation */
    uint8_t verdicts;
};

struct model {
    struct spill_flow_table *table;
    struct model_flow flows[2][CONNECTIONS]; /* by kind */
    uint64_t now;
    uint64_t renewed; /* in units */
    unsigned renewed_at, operation;
    unsigned kept, lost; /* verdicts that packets found, and that they didn't find any more */
};

/* A packet of a flow has come: what is left of its verdicts? */
static void model_packet(struct model *model, struct model_flow *expected, struct spill_flow *flow)
{
    const bool before = expected->seen_at < model->renewed_at;
    const bool same_unit = expected->seen == model->renewed;

    assert_ptr_equal(flow, expected->flow);
    if (expected->verdicts != 0) {
        if (before || (same_unit && flow->verdicts == 0)) {
            expected->verdicts = 0;
            model->lost++;
        } else {
            model->kept++;
        }
    }
    assert_int_equal(flow->verdicts, expected->verdicts);
    expected->seen = model->now / UNIT;
    expected->seen_at = model->operation;
    if (random_below(2) == 0) {
        spill_flow_set_verdict(flow, random_below(2), (enum spill_verdict)random_below(4));
        expected->verdicts = flow->verdicts;
    }
}

/* Takes out of the model what is gone from the table. */
static void model_sweep(struct model *model)
{
    for (unsigned i = 0; i < 2 * CONNECTIONS; i++) {
        struct model_flow *flow = &model->flows[i % 2][i / 2];

        if (flow->flow != NULL && flow->flow->pending == UINT16_MAX)
            flow->flow = NULL;
    }
}

static void model_lookup(struct model *model)
{
    struct spill_packet packets[SPILL_BURST];
    struct model_flow *expected[SPILL_BURST];
    uint32_t count = random_below(SPILL_BURST + 1), base = random_below(CONNECTIONS);

    for (uint32_t i = 0; i < count; i++) { /* each connection at most once */
        const uint8_t kind = (uint8_t)(i % 2);

        packets[i] = packet_of(kind, (base + i) % CONNECTIONS);
        expected[i] = &model->flows[kind][(base + i) % CONNECTIONS];
    }
    spill_flow_table_lookup(model->table, packets, count, model->now);
    for (uint32_t i = 0; i < count; i++) {
        if (expected[i]->flow == NULL)
            assert_null(packets[i].flow);
        else
            model_packet(model, expected[i], packets[i].flow);
    }
}

static void model_add(struct model *model)
{
    const uint8_t kind = (uint8_t)random_below(2);
    const uint32_t number = random_below(CONNECTIONS);
    struct model_flow *expected = &model->flows[kind][number];
    struct spill_flow *flow = add(model->table, kind, number, model->now);

    if (expected->flow == NULL) {
        assert_non_null(flow);
        model_sweep(model);
        assert_int_equal(flow->verdicts, 0);
        *expected = (struct model_flow){.flow = flow, .seen_at = model->operation};
    }
    model_packet(model, expected, flow);
}

static void agrees_with_a_naive_model(void **state)
{
    static struct model model;

    (void)state;
    model.table = make_table(CAPACITY, TIMEOUT);
    model.now = BEFORE_WRAP - OPERATIONS / 4 * (uint64_t)UNIT / 4; /* wraps half way */
    for (model.operation = 1; model.operation < OPERATIONS; model.operation++) {
        const uint32_t choice = random_below(1000);

        if (choice < 300) {
            model_lookup(&model);
        } else if (choice < 700) {
            model_add(&model);
        } else if (choice < 995) {
            spill_flow_table_expire(model.table, model.now, random_below(8));
            model_sweep(&model);
        } else {
            spill_flow_table_renew(model.table, model.now);
            model.renewed = model.now / UNIT;
            model.renewed_at = model.operation;
        }
        model.now += random_below(UNIT / 2) + (random_below(500) == 0 ? TIMEOUT / 2 : 0);
    }
    assert_true((uint32_t)(model.now / UNIT * 2) < UINT32_MAX / 2);
    assert_true(model.kept > OPERATIONS / 10);
    assert_true(model.lost > OPERATIONS / 1000);
    free_table(model.table);
}

/* One flow of each family, allowed. */
static void add_allowed(struct spill_flow_table *table, struct spill_flow *flows[2], uint64_t now)
{
    for (unsigned kind = 0; kind < 2; kind++) {
        flows[kind] = add(table, (uint8_t)kind, 0, now);
        spill_flow_set_verdict(flows[kind], 0, SPILL_VERDICT_ALLOW);
    }
}

static void a_flow_seen_in_the_same_unit_is_asked_again(void **state)
{
    struct spill_flow_table *table = make_table(CAPACITY, 0);
    struct spill_flow *flows[2];

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        const uint64_t now = (uint64_t)(100 + 10 * i) * UNIT;

        add_allowed(table, flows, now + UNIT / 2);
        spill_flow_table_renew(table, now + UNIT - 1);
        for (unsigned kind = 0; kind < 2; kind++) {
            if (i % 2 == 0)
                assert_ptr_equal(find(table, (uint8_t)kind, 0, now + UNIT), flows[kind]);
            else
                assert_ptr_equal(add(table, (uint8_t)kind, 0, now + UNIT), flows[kind]);
            assert_int_equal(flows[kind]->verdicts, 0);
            spill_flow_set_verdict(flows[kind], 0, SPILL_VERDICT_ALLOW);
            assert_ptr_equal(find(table, (uint8_t)kind, 0, now + 2 * UNIT), flows[kind]);
            assert_true(spill_flow_passes(flows[kind]));
        }
    }
    free_table(table);
}

/* Wherever the expiring hand is, one round of it takes what is older, held or not, and ends it. */
static void the_hand_ends_a_renewal(void **state)
{
    const uint64_t now = 100 * (uint64_t)UNIT;
    struct spill_flow *flows[2], *fresh;

    (void)state;
    for (uint32_t start = 0; start < 4 * CAPACITY; start += 7) {
        struct spill_flow_table *table = make_table(CAPACITY, 0);

        add_allowed(table, flows, now);
        assert_true(spill_flow_hold(flows[start % 2]));
        spill_flow_table_expire(table, now, start);
        spill_flow_table_renew(table, now);
        fresh = add(table, SPILL_PACKET_IPV4, 1, now + UNIT);
        spill_flow_set_verdict(fresh, 1, SPILL_VERDICT_DENY);
        for (uint32_t i = 0; i < 5 * CAPACITY; i++)
            assert_int_equal(spill_flow_table_expire(table, now + 2 * UNIT, 1), 0);
        assert_int_equal(flows[0]->verdicts, 0);
        assert_int_equal(flows[1]->verdicts, 0);
        assert_int_equal(spill_flow_verdict(fresh, 1), SPILL_VERDICT_DENY);
        spill_flow_release(flows[start % 2]);
        free_table(table);
    }
}

/* Times of days, with flows that never expire: what was renewed long ago stays so, and what was
 * given since stays too. */
static void times_do_not_become_ambiguous(void **state)
{
    struct spill_flow_table *table = make_table(CAPACITY, 0);
    struct spill_flow *flows[2], *silent;
    uint64_t now = UNIT;

    (void)state;
    silent = add(table, SPILL_PACKET_IPV6, 1, now);
    spill_flow_set_verdict(silent, 0, SPILL_VERDICT_ALLOW);
    spill_flow_table_renew(table, now);
    for (unsigned i = 0; i < 64; i++) {
        spill_flow_table_expire(table, now, 10 * CAPACITY);
        now += UNITS_30 / 4;
        add_allowed(table, flows, now);
        spill_flow_table_expire(table, now, 10 * CAPACITY);
        now += UNIT;
        assert_ptr_equal(find(table, SPILL_PACKET_IPV4, 0, now), flows[0]);
        assert_true(spill_flow_passes(flows[0]));
        assert_int_equal(silent->verdicts, 0);
        /* A flow silent for long is before each renewal all the same. */
        if (i % 8 == 0) {
            spill_flow_table_renew(table, now);
            assert_ptr_equal(find(table, SPILL_PACKET_IPV6, 0, now + UNIT), flows[1]);
            assert_int_equal(flows[1]->verdicts, 0);
        }
    }
    spill_flow_set_verdict(silent, 0, SPILL_VERDICT_ALLOW);
    for (unsigned i = 0; i < 11; i++) /* it would be of the future */
        spill_flow_table_expire(table, now += UNITS_30, 10 * CAPACITY);
    assert_true(spill_flow_passes(silent));
    spill_flow_table_renew(table, now);
    assert_ptr_equal(find(table, SPILL_PACKET_IPV6, 1, now), silent);
    assert_int_equal(silent->verdicts, 0);
    free_table(table);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_in_any_combination),
        cmocka_unit_test(each_direction_has_its_sa),
        cmocka_unit_test(agrees_with_a_naive_model),
        cmocka_unit_test(a_flow_seen_in_the_same_unit_is_asked_again),
        cmocka_unit_test(the_hand_ends_a_renewal),
        cmocka_unit_test(times_do_not_become_ambiguous),
    };

    random_seed(argc, argv);
    return cmocka_run_group_tests(tests, start_eal, stop_eal);
}
