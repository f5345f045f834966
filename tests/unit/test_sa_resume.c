/* SPDX-License-Identifier: BSD-3-Clause */
/* SAs that come back: their numbers go on behind the last that was sent or taken. */
#include "ipsec_bench.h"

static struct spill_sa_store *store;
static struct spill_sa_config config;

static int open_store(void **state)
{
    struct spill_sa_store_config about = {.lcores = ipsec_users};
    uint32_t i;

    (void)state;
    ipsec_open(NULL);
    about.crypto = ipsec_crypto;
    about.lcore_count = rte_lcore_count();
    for (i = 0; i < SPILL_NODES_MAX; i++)
        about.memory_nodes[i] = i == 0 ? 0 : -1;
    store = spill_sa_store_create(&about, &ipsec_error);
    assert_non_null(store);
    return 0;
}

static int close_store(void **state)
{
    (void)state;
    spill_sa_store_free(store);
    store = NULL;
    ipsec_close();
    return 0;
}

static struct spill_sa_set *in_force(void)
{
    struct spill_sa_set *set = spill_sa_set_create(store, &config, 1, &ipsec_error);

    if (set == NULL)
        fail_msg("%s", ipsec_error.text);
    return set;
}

static struct spill_sa_set *gone_and_back(struct spill_sa_set *set)
{
    spill_sa_set_free(set);
    assert_int_equal(spill_sa_store_reclaim(store), 0);
    return in_force();
}

static void end(struct spill_sa_set *set)
{
    spill_sa_set_free(set);
    assert_int_equal(spill_sa_store_reclaim(store), 0);
}

/* What may have been taken before it went is not taken again, whether it was or not: the last of
 * all least of all, at any place within a word of the window. */
static void no_number_is_taken_twice(void **state)
{
    static const uint64_t ends[] = {1,   2,   62,   63,   64,   65,   127,
                                    128, 129, 1000, 1023, 1024, 1025, 100000};
    struct ipsec_case kind = ipsec_case_of("aes-128-gcm", 4, false);
    uint64_t i, number;

    (void)state;
    for (i = 0; i < RTE_DIM(ends); i++) {
        struct spill_sa_set *set;
        struct spill_replay *replay;

        ipsec_config(&config, &kind, SPILL_SA_IN, 5000 + (uint32_t)i);
        set = in_force();
        replay = &set->list[0]->state->replay;
        assert_int_equal(spill_replay_note(replay, ends[i]), SPILL_REPLAY_FRESH);
        set = gone_and_back(set);
        replay = &set->list[0]->state->replay;
        for (number = ends[i] > 2000 ? ends[i] - 2000 : 0; number <= ends[i]; number++)
            assert_int_not_equal(spill_replay_check(replay, number), SPILL_REPLAY_FRESH);
        /* And goes on as any window does. */
        for (number = ends[i] + 1; number < ends[i] + 3000; number++) {
            assert_int_equal(spill_replay_note(replay, number), SPILL_REPLAY_FRESH);
            assert_int_equal(spill_replay_note(replay, number), SPILL_REPLAY_SEEN);
        }
        end(set);
    }
}

/* Outbound a number twice under one key gives the key stream away. */
static void no_number_is_sent_twice(void **state)
{
    struct ipsec_case kind = ipsec_case_of("aes-128-gcm", 4, false);
    struct ipsec_frame frame;
    struct spill_sa_set *set;
    struct spill_job job;
    uint32_t round, last = 0, i;

    (void)state;
    ipsec_config(&config, &kind, SPILL_SA_OUT, 6000);
    set = in_force();
    for (round = 0; round < 5; round++) {
        ipsec_job(&job, set->list[0]);
        for (i = 0; i <= round; i++)
            ipsec_add(&job, ipsec_packet(&frame, false, 100, 0, false));
        ipsec_encrypt(&job);
        for (i = 0; i <= round; i++) {
            spill_parse_burst(&job.mbufs[i], 1, 0, spill_packet_of(job.mbufs[i]));
            assert_int_equal(ipsec_sequence_of(job.mbufs[i]), ++last);
        }
        ipsec_free(&job);
        set = gone_and_back(set);
    }
    end(set);
}

/* Who goes on for another begins behind its last number, whatever key it has. */
static void goes_on_behind_a_number(void **state)
{
    struct ipsec_case kind = ipsec_case_of("aes-128-gcm", 4, false);
    struct spill_sa_set *set;

    (void)state;
    ipsec_config(&config, &kind, SPILL_SA_OUT, 7000);
    config.sequence = 41;
    set = in_force();
    assert_int_equal(set->list[0]->state->sequence, 41);
    end(set);
}

/* Several outbound ones that rules know by one name, as while a daemon has a child renewed: the
 * first protects, and what was decided for another goes on with it, in one lane. */
static void several_stand_for_a_name(void **state)
{
    struct ipsec_case kind = ipsec_case_of("aes-128-gcm", 4, false);
    struct spill_sa_config both[2];
    struct spill_sa_set *first, *second, *third;
    const struct spill_sa *before, *after;

    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        ipsec_config(&both[i], &kind, SPILL_SA_OUT, 8000 + i);
        snprintf(both[i].stands_for, sizeof(both[i].stands_for), "child.1");
    }
    first = spill_sa_set_create(store, both, 2, &ipsec_error);
    assert_non_null(first);
    before = first->list[0];
    assert_ptr_equal(spill_sa_set_find(first, "child.1"), before);
    assert_ptr_equal(spill_sa_set_get(first, first->list[1]->id), before);
    assert_int_equal(before->lane, first->list[1]->lane);

    config = both[0]; /* the switch: the other one is the first */
    both[0] = both[1];
    both[1] = config;
    second = spill_sa_set_create(store, both, 2, &ipsec_error);
    assert_non_null(second);
    after = second->list[0];
    assert_ptr_equal(after, first->list[1]);
    assert_ptr_equal(spill_sa_set_get(second, before->id), after);
    assert_ptr_equal(spill_sa_set_find(second, "child.1"), after);

    third = spill_sa_set_create(store, both, 1, &ipsec_error); /* the old one is gone */
    assert_non_null(third);
    assert_ptr_equal(spill_sa_set_get(third, before->id), after);
    spill_sa_set_free(first);
    spill_sa_set_free(second);
    end(third);
}

#define WITH_STORE(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(no_number_is_taken_twice),
        WITH_STORE(no_number_is_sent_twice),
        WITH_STORE(goes_on_behind_a_number),
        WITH_STORE(several_stand_for_a_name),
    };
    int failed;

    ipsec_start(2);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_eal_cleanup();
    return failed;
}
