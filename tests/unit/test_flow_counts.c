/* SPDX-License-Identifier: BSD-3-Clause */
/* The flow table: where packets and connections are counted, against a model of it. */
#include "flow_tables.h"

#define TALLIES 20
#define FLOWS   40

/* What is noted of one direction. */
struct noted {
    enum spill_verdict verdict;
    uint32_t tally;
};

struct model {
    struct spill_flow_table *table;
    struct spill_rule_count counts[TALLIES];
    struct noted flows[2][FLOWS][2];
    struct spill_rule_count expected[TALLIES];
};

static uint32_t tally_of(unsigned number)
{
    return number * (uint32_t)SPILL_RULE_TALLY_WORDS;
}

static bool lets(const struct noted *noted)
{
    return noted->verdict == SPILL_VERDICT_ALLOW || noted->verdict == SPILL_VERDICT_PROTECT;
}

/* By which rule a direction's packets go, as a reader of the rules would say. */
static uint32_t counted_at(const struct noted flow[2], unsigned direction)
{
    if (!lets(&flow[direction]) && flow[!direction].verdict == SPILL_VERDICT_ALLOW)
        return flow[!direction].tally;
    return flow[direction].tally;
}

/* One end of a flow is never both allowed and protected, as its rule is one. */
static enum spill_verdict draw_verdict(uint32_t i, unsigned direction)
{
    if (flows_below(3) == 0)
        return SPILL_VERDICT_DENY;
    return (i + direction) % 3 == 0 ? SPILL_VERDICT_PROTECT : SPILL_VERDICT_ALLOW;
}

static void note_one(struct model *model, uint8_t kind, uint32_t i)
{
    struct spill_flow *flow = flows_add(model->table, kind, i, 0);
    const unsigned direction = flows_below(2);
    struct noted *own = &model->flows[kind][i][direction];
    const enum spill_verdict verdict = draw_verdict(i, direction);
    const uint32_t number = 2 + flows_below(TALLIES - 2);
    const uint32_t before = counted_at(model->flows[kind][i], direction);

    assert_non_null(flow);
    spill_flow_table_note(model->table, flow, direction, verdict, false, 0, tally_of(number));
    if (verdict == SPILL_VERDICT_DENY && lets(own))
        return;
    *own = (struct noted){verdict, tally_of(number)};
    if (counted_at(model->flows[kind][i], direction) == tally_of(number) &&
        before != tally_of(number))
        model->expected[number].connections++;
}

static void look_up(struct model *model, uint64_t now)
{
    struct spill_packet packets[SPILL_BURST];
    const uint32_t count = flows_below(SPILL_BURST + 1);

    for (uint32_t n = 0; n < count; n++) {
        const uint8_t kind = (uint8_t)flows_below(2);
        const uint32_t i = flows_below(FLOWS + 5);
        struct spill_rule_count *expected = NULL;

        packets[n] = flows_packet(kind, i);
        packets[n].length = (uint16_t)flows_below(UINT16_MAX + 1);
        if (i < FLOWS)
            expected = &model->expected[counted_at(model->flows[kind][i], packets[n].direction) /
                                        SPILL_RULE_TALLY_WORDS];
        if (i >= FLOWS || expected == model->expected)
            continue;
        expected->packets++;
        expected->bytes += packets[n].length;
        expected->last = now;
    }
    spill_flow_table_lookup(model->table, packets, count, now);
}

static void open_model(struct model *model)
{
    memset(model, 0, sizeof(*model));
    model->table = flows_make(2 * FLOWS + 64, 0);
    spill_flow_table_count_in(model->table, model->counts);
}

static void packets_are_counted_where_their_rule_is(void **state)
{
    static struct model model;

    (void)state;
    open_model(&model);
    for (unsigned round = 0; round < 20000; round++) {
        if (flows_below(3) == 0)
            note_one(&model, (uint8_t)flows_below(2), flows_below(FLOWS));
        else
            look_up(&model, round);
    }
    assert_memory_equal(&model.counts[1], &model.expected[1],
                        sizeof(model.counts) - sizeof(model.counts[0]));
    flows_free(model.table);
}

/* An entry is another flow's later, or its own anew. */
static void a_new_flow_is_no_rules(void **state)
{
    static struct model model;

    (void)state;
    for (uint8_t kind = 0; kind < 2; kind++) {
        struct spill_packet packet = flows_packet(kind, 1);
        struct spill_flow *flow;

        open_model(&model);
        flows_free(model.table);
        model.table = flows_make(SPILL_FLOW_CAPACITY_MIN, TIMEOUT);
        spill_flow_table_count_in(model.table, model.counts);
        flow = spill_flow_table_find_or_add(model.table, &packet, 0);
        spill_flow_table_note(model.table, flow, packet.direction, SPILL_VERDICT_ALLOW, false, 0,
                              tally_of(3));
        assert_int_equal(spill_flow_table_tally(model.table, flow, 0), tally_of(3));
        assert_int_equal(spill_flow_table_tally(model.table, flow, 1), tally_of(3));
        assert_ptr_equal(spill_flow_table_find_or_add(model.table, &packet, 2 * TIMEOUT), flow);
        assert_int_equal(spill_flow_table_tally(model.table, flow, 0), SPILL_RULE_TALLY_NONE);
        assert_int_equal(spill_flow_table_tally(model.table, flow, 1), SPILL_RULE_TALLY_NONE);
        flows_free(model.table);
    }
}

/* After new rules, no flow has a tally of the old ones when the table says so. */
static void old_tallies_are_given_up(void **state)
{
    static struct model model;
    uint64_t now = 1;

    (void)state;
    open_model(&model);
    for (uint8_t kind = 0; kind < 2; kind++)
        for (uint32_t i = 0; i < FLOWS; i++)
            spill_flow_table_note(model.table, flows_add(model.table, kind, i, 0), 0,
                                  SPILL_VERDICT_ALLOW, false, 0, tally_of(4));
    assert_true(spill_flow_table_settled(model.table));
    spill_flow_table_renew(model.table, now, false);
    assert_false(spill_flow_table_settled(model.table));
    while (!spill_flow_table_settled(model.table))
        spill_flow_table_expire(model.table, ++now, 7);
    for (uint8_t kind = 0; kind < 2; kind++)
        for (uint32_t i = 0; i < FLOWS; i++) {
            struct spill_packet packet = flows_packet(kind, i);
            struct spill_flow *flow = spill_flow_table_find(model.table, &packet, now);

            assert_int_equal(spill_flow_table_tally(model.table, flow, packet.direction),
                             SPILL_RULE_TALLY_NONE);
        }
    flows_free(model.table);
}

#define RENEWAL 1024 /* cycles */

/* A table whose flows ask new rules in such a time, with one flow that a rule allows. */
static struct spill_flow *open_renewed(struct model *model, uint8_t kind)
{
    const struct spill_flow_table_config config = {
        .name = "renewed",
        .capacity = SPILL_FLOW_CAPACITY_MIN,
        .socket = SOCKET_ID_ANY,
        .seed = SEED,
        .renewal = RENEWAL,
    };
    struct spill_flow *flow;

    open_model(model);
    flows_free(model->table);
    flows_left = model->table = spill_flow_table_create(&config, NULL);
    assert_non_null(model->table);
    spill_flow_table_count_in(model->table, model->counts);
    flow = flows_add(model->table, kind, 1, 0);
    assert_non_null(flow);
    spill_flow_table_note(model->table, flow, 0, SPILL_VERDICT_ALLOW, false, 0, tally_of(3));
    return flow;
}

/* Looks up a burst of one flow. */
static void look_up_both(struct model *model, uint8_t kind, uint64_t now)
{
    struct spill_packet packets[2];

    for (unsigned direction = 0; direction < 2; direction++) {
        packets[direction] = flows_packet(kind, 1);
        packets[direction].direction = direction & 1;
    }
    spill_flow_table_lookup(model->table, packets, 2, now);
    for (unsigned direction = 0; direction < 2; direction++)
        assert_int_equal(
            spill_flow_table_has_counted(model->table, packets[direction].flow, direction),
            model->counts[3].last == now || model->counts[4].last == now);
}

/* A packet that asks new rules is counted by them alone, whether it should or must ask. */
static void what_asks_again_is_not_counted(void **state)
{
    static struct model model;

    (void)state;
    for (uint8_t kind = 0; kind < 2; kind++) {
        struct spill_flow *flow = open_renewed(&model, kind);

        look_up_both(&model, kind, 1);
        assert_int_equal(model.counts[3].packets, 2);
        spill_flow_table_renew(model.table, 2, false);
        look_up_both(&model, kind, 2);
        assert_int_equal(model.counts[3].packets, 4);
        look_up_both(&model, kind, 2 + RENEWAL / 2);
        assert_int_equal(flow->rights, SPILL_FLOW_ALLOWED | SPILL_FLOW_DUE);
        look_up_both(&model, kind, 2 + RENEWAL);
        assert_true((flow->rights & SPILL_FLOW_STALE) != 0);
        look_up_both(&model, kind, 3 + RENEWAL);
        assert_int_equal(model.counts[3].packets, 4);
        assert_int_equal(model.counts[3].last, 2);
        spill_flow_table_note(model.table, flow, 0, SPILL_VERDICT_ALLOW, false, 0, tally_of(4));
        look_up_both(&model, kind, 4 + RENEWAL);
        assert_int_equal(model.counts[4].packets, 2);
        assert_int_equal(model.counts[3].packets, 4);
        flows_free(model.table);
    }
}

/* What new rules say of one direction leaves the other one nowhere, where they say nothing of it.
 */
static void a_verdict_ends_the_older_tally_of_the_other_side(void **state)
{
    static struct model model;

    (void)state;
    for (uint8_t kind = 0; kind < 2; kind++) {
        struct spill_flow *flow = open_renewed(&model, kind);

        spill_flow_table_renew(model.table, 2, false);
        look_up_both(&model, kind, 2 + RENEWAL / 2);
        spill_flow_table_note(model.table, flow, 0, SPILL_VERDICT_DENY, false, 0, tally_of(4));
        assert_int_equal(spill_flow_table_tally(model.table, flow, 0), tally_of(4));
        assert_int_equal(spill_flow_table_tally(model.table, flow, 1), SPILL_RULE_TALLY_NONE);
        spill_flow_table_note(model.table, flow, 1, SPILL_VERDICT_DENY, false, 0, tally_of(5));
        assert_int_equal(spill_flow_table_tally(model.table, flow, 0), tally_of(4));
        assert_int_equal(spill_flow_table_tally(model.table, flow, 1), tally_of(5));
        flows_free(model.table);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_are_counted_where_their_rule_is),
        cmocka_unit_test(a_new_flow_is_no_rules),
        cmocka_unit_test(old_tallies_are_given_up),
        cmocka_unit_test(what_asks_again_is_not_counted),
        cmocka_unit_test(a_verdict_ends_the_older_tally_of_the_other_side),
    };

    flows_seed(argc, argv);
    return cmocka_run_group_tests(tests, flows_start, flows_stop);
}
