/* SPDX-License-Identifier: BSD-3-Clause */
/* What is noted in a flow: verdicts, SAs; and the renewal of all verdicts. */
#include "flow_tables.h"

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
            flow.rights |=
                (uint8_t)((noted[direction].allow ? SPILL_FLOW_ALLOWED : 0) << direction |
                          (noted[direction].deny ? SPILL_FLOW_DENIED : 0) << direction |
                          (noted[direction].protect ? SPILL_FLOW_PROTECTED : 0) << direction);
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
        flow.pending = SPILL_FLOW_PENDING_MAX;
        assert_false(spill_flow_passes(&flow));
        flow.pending = 0;
        flow.rights |= bits % 2 == 0 ? SPILL_FLOW_DUE : SPILL_FLOW_STALE;
        assert_false(spill_flow_passes(&flow));
        for (unsigned direction = 0; direction < 2; direction++) {
            assert_int_equal(spill_flow_verdict(&flow, direction), SPILL_VERDICT_UNKNOWN);
            assert_int_equal(spill_flow_own_verdict(&flow, direction), SPILL_VERDICT_UNKNOWN);
            assert_int_equal(spill_flow_kept_verdict(&flow, direction),
                             bits % 2 == 0 ? naive_clear(&noted[direction], &noted[!direction])
                                           : SPILL_VERDICT_UNKNOWN);
        }
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
        packets[direction] = flows_packet(kind, i);
        packets[direction].direction = direction & 1;
        packets[direction].sa = 0;
    }
    spill_flow_table_lookup(table, packets, 2, 0);
    assert_int_equal(packets[0].sa, expected[0]);
    assert_int_equal(packets[1].sa, expected[1]);
}

static void each_direction_has_its_sa(void **state)
{
    struct spill_flow_table *table = flows_make(CAPACITY, 0);
    static uint16_t expected[2][CAPACITY / 2][2];

    (void)state;
    for (unsigned kind = 0; kind < 2; kind++)
        for (uint32_t i = 0; i < CAPACITY / 2; i++)
            assert_non_null(flows_add(table, (uint8_t)kind, i, 0));
    for (unsigned round = 0; round < 20000; round++) {
        const uint8_t kind = (uint8_t)flows_below(2);
        const uint32_t i = flows_below(CAPACITY / 2), direction = flows_below(2);
        const uint16_t id = (uint16_t)(1 + flows_below(UINT16_MAX));

        spill_flow_table_note(table, flows_find(table, kind, i, 0), direction,
                              SPILL_VERDICT_PROTECT, false, id, 0);
        expected[kind][i][direction] = id;
    }
    for (unsigned kind = 0; kind < 2; kind++)
        for (uint32_t i = 0; i < CAPACITY / 2; i++)
            look_up_sa(table, (uint8_t)kind, i, expected[kind][i]);
    flows_free(table);
}

/* ---- Renewal ---- */

/* A table whose renewals take so long, and some allowed flows in it. */
#define SOME 60

static struct spill_flow_table *make_renewed(uint64_t renewal, struct spill_flow *flows[2][SOME])
{
    const struct spill_flow_table_config config = {
        .name = "test",
        .capacity = CAPACITY,
        .socket = SOCKET_ID_ANY,
        .renewal = renewal,
        .seed = SEED,
    };
    struct spill_flow_table *table;

    flows_free(flows_left);
    table = flows_left = spill_flow_table_create(&config, NULL);
    assert_non_null(table);
    for (uint8_t kind = 0; kind < 2; kind++)
        for (uint32_t i = 0; i < SOME; i++) {
            flows[kind][i] = flows_add_allowed(table, kind, i, true, 0);
            assert_non_null(flows[kind][i]);
        }
    return table;
}

/* How many of them find a verdict with a packet now, or keep one if they can't ask. */
static void count_verdicts(struct spill_flow_table *table, struct spill_flow *flows[2][SOME],
                           uint64_t now, unsigned *found, unsigned *kept)
{
    *found = *kept = 0;
    for (uint8_t kind = 0; kind < 2; kind++)
        for (uint32_t i = 0; i < SOME; i++) {
            assert_ptr_equal(flows_find(table, kind, i, now), flows[kind][i]);
            *found += spill_flow_verdict(flows[kind][i], i % 2) == SPILL_VERDICT_ALLOW;
            *kept += spill_flow_kept_verdict(flows[kind][i], i % 2) == SPILL_VERDICT_ALLOW;
        }
}

static void a_renewal_of_no_time_is_at_once(void **state)
{
    struct spill_flow *flows[2][SOME];
    struct spill_flow_table *table = make_renewed(0, flows);
    unsigned found, kept;

    (void)state;
    count_verdicts(table, flows, UNIT, &found, &kept);
    assert_int_equal(found, 2 * SOME);
    spill_flow_table_renew(table, UNIT, false);
    assert_true(spill_flow_table_renewed(table));
    count_verdicts(table, flows, UNIT, &found, &kept);
    assert_int_equal(kept, 0);
    for (uint32_t i = 0; i < SOME; i++) /* the initiator is known all the same */
        assert_true(spill_flow_begun_by_other(flows[0][i], 1) &&
                    !spill_flow_begun_by_other(flows[0][i], 0));
    spill_flow_table_note(table, flows[0][0], 0, SPILL_VERDICT_ALLOW, false, 0, 0);
    assert_int_equal(spill_flow_verdict(flows[0][0], 1), SPILL_VERDICT_ALLOW);
    spill_flow_table_note(table, flows[0][1], 0, SPILL_VERDICT_DENY, false, 0, 0);
    assert_int_equal(spill_flow_verdict(flows[0][1], 0), SPILL_VERDICT_DENY);
    assert_int_equal(spill_flow_verdict(flows[0][1], 1), SPILL_VERDICT_UNKNOWN);
    assert_int_equal(flows[0][1]->class, SPILL_FLOW_STRANGER);
    flows_free(table);
}

/* With time for it, too, where it must be; and while another goes on. */
static void a_renewal_at_once_is_not_spread(void **state)
{
    const uint64_t renewal = 512 * 100, begin = 1000000;
    struct spill_flow *flows[2][SOME];
    struct spill_flow_table *table = make_renewed(renewal, flows);
    unsigned found, kept;

    (void)state;
    spill_flow_table_renew(table, begin, false);
    spill_flow_table_renew(table, begin + renewal / 4, true);
    assert_true(spill_flow_table_renewed(table));
    count_verdicts(table, flows, begin + renewal / 4, &found, &kept);
    assert_int_equal(found + kept, 0);
    flows_free(table);
}

/* Flows ask in turn, until half of the time all should have, and until its end all must. */
static void a_renewal_is_spread(void **state)
{
    const uint64_t renewal = 512 * 100, begin = 1000000;
    struct spill_flow *flows[2][SOME];
    struct spill_flow_table *table = make_renewed(renewal, flows);
    unsigned found, kept, before = 2 * SOME;

    (void)state;
    spill_flow_table_renew(table, begin, false);
    for (uint64_t now = begin; now <= begin + renewal; now += renewal / 64) {
        count_verdicts(table, flows, now, &found, &kept);
        assert_true(found <= before && before - found < SOME / 2);
        if (now < begin + renewal / 2)
            assert_int_equal(kept, 2 * SOME);
        if (now >= begin + renewal / 2)
            assert_int_equal(found, 0);
        assert_int_equal(spill_flow_table_renewed(table), now >= begin + renewal);
        before = found;
    }
    assert_int_equal(kept, 0);
    flows_free(table);
}

/* What was asked meanwhile is not asked again; and new renewals do not put off the first. */
static void a_flow_asks_once_and_none_is_put_off(void **state)
{
    const uint64_t renewal = 512 * 100, begin = 1000000;
    struct spill_flow *flows[2][SOME];
    struct spill_flow_table *table = make_renewed(renewal, flows);
    unsigned found, kept;

    (void)state;
    spill_flow_table_renew(table, begin, false);
    flows_find(table, SPILL_PACKET_IPV4, 0, begin + renewal);
    spill_flow_table_note(table, flows[0][0], 0, SPILL_VERDICT_ALLOW, false, 0, 0);
    for (uint64_t now = begin + renewal; now < begin + 3 * renewal; now += renewal / 7) {
        flows_find(table, SPILL_PACKET_IPV4, 0, now);
        assert_int_equal(spill_flow_verdict(flows[0][0], 1), SPILL_VERDICT_ALLOW);
    }
    for (uint64_t now = begin + 3 * renewal; now <= begin + 4 * renewal; now += renewal / 50)
        spill_flow_table_renew(table, now, false);
    count_verdicts(table, flows, begin + 4 * renewal, &found, &kept);
    assert_int_equal(kept, 0);
    flows_free(table);
}

/* However often the rules change, a flow that is silent has to ask. */
static void versions_do_not_become_ambiguous(void **state)
{
    struct spill_flow *flows[2][SOME];
    struct spill_flow_table *table = make_renewed(0, flows);
    unsigned found, kept;

    (void)state;
    for (unsigned i = 1; i < 200000; i++) {
        spill_flow_table_renew(table, i, false);
        if (i % 1000 == 0)
            spill_flow_table_expire(table, i, 8 * CAPACITY);
        if (i % 4999 == 0) {
            count_verdicts(table, flows, i, &found, &kept);
            assert_int_equal(kept, 0);
        }
    }
    flows_free(table);
}

/* How many slots the hand has to come by. */
static uint64_t round_of(struct spill_flow_table *table)
{
    uint64_t slots = 0;

    for (spill_flow_table_renew(table, UNIT, true); !spill_flow_table_settled(table); slots++)
        spill_flow_table_expire(table, UNIT, 1);
    return slots;
}

/* However often the rules change, what older ones had is given up. */
static void old_tallies_go_all_the_same(void **state)
{
    static const uint64_t renewals[] = {0, 512 * 100};
    struct spill_flow *flows[2][SOME];

    (void)state;
    for (unsigned i = 0; i < RTE_DIM(renewals); i++) {
        struct spill_flow_table *table = make_renewed(renewals[i], flows);
        const uint64_t round = round_of(table);
        uint64_t now = 1000000;
        unsigned quarter;

        for (unsigned j = 0; j < 2 * SOME; j++)
            spill_flow_table_note(table, flows[j % 2][j / 2], 0, SPILL_VERDICT_ALLOW, false, 0,
                                  SPILL_RULE_TALLY_FIRST);
        spill_flow_table_renew(table, now, false);
        for (quarter = 0; quarter < 16 && !spill_flow_table_settled(table); quarter++) {
            spill_flow_table_renew(table, now, false);
            now += renewals[i] / 4 + 1;
            spill_flow_table_expire(table, now, (uint32_t)(round / 4 + 1));
        }
        assert_true(spill_flow_table_settled(table));
        assert_true(quarter >= 4);
        for (unsigned j = 0; j < 2 * SOME; j++)
            assert_int_equal(spill_flow_table_tally(table, flows[j % 2][j / 2], 0),
                             SPILL_RULE_TALLY_NONE);
        flows_free(table);
    }
}

/* A verdict that comes late tells who began, and holds as long as one from before would. */
static void an_old_verdict_tells_who_began(void **state)
{
    struct spill_flow_table *table = flows_make(CAPACITY, 0);
    struct spill_flow *flow = flows_add(table, SPILL_PACKET_IPV4, 0, 0);

    (void)state;
    spill_flow_table_note_old(table, flow, 1, false);
    assert_int_equal(spill_flow_verdict(flow, 1), SPILL_VERDICT_UNKNOWN);
    assert_int_equal(spill_flow_kept_verdict(flow, 0), SPILL_VERDICT_ALLOW);
    assert_true(spill_flow_begun_by_other(flow, 0));
    spill_flow_table_note(table, flow, 1, SPILL_VERDICT_DENY, false, 0, 0);
    spill_flow_table_note_old(table, flow, 1, false);
    assert_int_equal(spill_flow_kept_verdict(flow, 1), SPILL_VERDICT_DENY);
    flows_free(table);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_in_any_combination),
        cmocka_unit_test(each_direction_has_its_sa),
        cmocka_unit_test(a_renewal_of_no_time_is_at_once),
        cmocka_unit_test(a_renewal_at_once_is_not_spread),
        cmocka_unit_test(a_renewal_is_spread),
        cmocka_unit_test(a_flow_asks_once_and_none_is_put_off),
        cmocka_unit_test(versions_do_not_become_ambiguous),
        cmocka_unit_test(old_tallies_go_all_the_same),
        cmocka_unit_test(an_old_verdict_tells_who_began),
    };

    flows_seed(argc, argv);
    return cmocka_run_group_tests(tests, flows_start, flows_stop);
}
