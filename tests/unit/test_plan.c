/* SPDX-License-Identifier: BSD-3-Clause */
/* Plans for machines, roles and devices of all shapes: who runs where, and what is between them. */
#include "plan_case.h"

static const struct spill_plan_channel *channel_named(const char *name)
{
    unsigned i;

    for (i = 0; i < plan.channel_count; i++)
        if (strcmp(plan.channels[i].name, name) == 0)
            return &plan.channels[i];
    fail_msg("no channel '%s'", name);
    return NULL;
}

/* ---------------------------------------------------------------------------- automatic */

static void automatic_on_one_cpu(void **state)
{
    (void)state;
    fixture_machine(&plan_machine, 1, 1, 1);
    fixture_input(&plan_input, &plan_machine, -1, 1);
    plan_compute();
    plan_counts(1, 0);
    assert_string_equal(plan.eal_lcores, "0@0,1@0");
    assert_int_equal(plan_lcore(SPILL_ROLE_FAST, 0)->pool, -1);
    assert_false(plan_lcore(SPILL_ROLE_FAST, 0)->shared);
    assert_true(plan.automatic);
}

static void automatic_on_two_cpus(void **state)
{
    (void)state;
    fixture_machine(&plan_machine, 1, 2, 1);
    fixture_input(&plan_input, &plan_machine, -1, 8);
    plan_compute();
    plan_counts(1, 1);
    assert_string_equal(plan.eal_lcores, "0@0,1@1,2@0");
    assert_int_equal(plan.warning_count, 0);

    fixture_machine(&plan_machine, 1, 1, 2);
    plan_compute();
    assert_string_equal(plan.eal_lcores, "0@0,1@1,2@0");
    assert_true(plan_warned("threads of one core"));
}

static void automatic_follows_the_ports(void **state)
{
    unsigned i;

    (void)state;
    fixture_machine(&plan_machine, 4, 4, 1);
    fixture_input(&plan_input, &plan_machine, 2, 16);
    plan_compute();
    plan_counts(2, 2);
    for (i = 1; i < plan.lcore_count; i++)
        assert_int_equal(plan.lcores[i].node, 2);
    assert_int_equal(plan.lcores[0].cpu, 0);
    assert_int_equal(plan.ports[0].mempool.node, 2);
    assert_int_equal(plan.warning_count, 0);

    /* One queue: one fast lcore, and at most four workers beside it. */
    fixture_machine(&plan_machine, 2, 16, 1);
    fixture_input(&plan_input, &plan_machine, 1, 1);
    plan_compute();
    plan_counts(1, 4);
    assert_false(plan.spread);
    for (i = 1; i < plan.lcore_count; i++)
        assert_int_equal(plan.lcores[i].node, 1);

    /* Several queues that the device does not spread flows over are worth one. */
    plan_input.ports[0].rx_queues_max = plan_input.ports[1].rx_queues_max = 8;
    plan_input.ports[0].tx_queues_max = plan_input.ports[1].tx_queues_max = 8;
    plan_compute();
    plan_counts(1, 4);
    assert_int_equal(plan.ports[0].rx_queues, 1);
}

static void automatic_keeps_fast_and_pool_off_one_core(void **state)
{
    unsigned i, j;

    (void)state;
    fixture_machine(&plan_machine, 1, 4, 2);
    fixture_input(&plan_input, &plan_machine, 0, 4);
    plan_compute();
    plan_counts(2, 2);
    for (i = 1; i < plan.lcore_count; i++)
        for (j = 1; j < i; j++)
            assert_false(
                spill_topology_siblings(&plan_machine, plan.lcores[i].cpu, plan.lcores[j].cpu));
    assert_false(plan_warned("threads of one core"));
}

static void automatic_prefers_isolated_cpus(void **state)
{
    unsigned i;

    (void)state;
    fixture_machine(&plan_machine, 1, 8, 1);
    plan_machine.cpus[0].isolated = true;
    for (i = 4; i < 8; i++)
        plan_machine.cpus[i].isolated = true;
    fixture_input(&plan_input, &plan_machine, 0, 8);
    plan_compute();
    assert_int_equal(plan.lcores[0].cpu, 1);
    assert_true(plan.lcore_count > 3);
    for (i = 1; i < plan.lcore_count; i++)
        assert_true(plan_machine.cpus[plan.lcores[i].cpu].isolated);

    fixture_role(&plan_input, SPILL_ROLE_FAST, "2");
    plan_compute();
    assert_true(plan_warned("isolated CPUs are unused"));
}

static void automatic_with_holes_and_affinity(void **state)
{
    (void)state;
    fixture_machine(&plan_machine, 3, 4, 1);
    plan_machine.nodes[1].present = false;
    for (unsigned i = 4; i < 8; i++)
        plan_machine.cpus[i].present = false;
    plan_machine.cpus[0].allowed = plan_machine.cpus[9].allowed = false;
    fixture_input(&plan_input, &plan_machine, 2, 2);
    plan_compute();
    assert_int_equal(plan.lcores[0].cpu, 1);
    plan_counts(2, 1);
    assert_string_equal(plan.eal_lcores, "0@1,1@8,2@11,3@10");
    assert_false(plan.nodes[1].used);
}

static void pool_alone_leaves_fast_to_the_plan(void **state)
{
    (void)state;
    fixture_machine(&plan_machine, 1, 4, 1);
    fixture_input(&plan_input, &plan_machine, 0, 1);
    fixture_role(&plan_input, SPILL_ROLE_POOL, "1,3");
    plan_compute();
    assert_string_equal(plan.eal_lcores, "0@0,1@2,2@1,3@3");
    /* And fast alone means no pool. */
    fixture_role(&plan_input, SPILL_ROLE_POOL, "");
    fixture_role(&plan_input, SPILL_ROLE_FAST, "3");
    plan_compute();
    plan_counts(1, 0);
    assert_int_equal(plan.pool_count, 0);
}

/* -------------------------------------------------------------------------- given roles */

static void lcores_are_numbered_by_role(void **state)
{
    (void)state;
    fixture_machine(&plan_machine, 1, 8, 1);
    fixture_input(&plan_input, &plan_machine, 0, 1);
    fixture_role(&plan_input, SPILL_ROLE_CONTROL, "0,7");
    fixture_role(&plan_input, SPILL_ROLE_POOL, "5,6");
    fixture_role(&plan_input, SPILL_ROLE_TX, "4");
    fixture_role(&plan_input, SPILL_ROLE_RX, "3");
    fixture_role(&plan_input, SPILL_ROLE_FAST, "2,1");
    plan_compute();
    assert_string_equal(plan.eal_lcores, "0@(0,7),1@2,2@1,3@3,4@4,5@5,6@6");
    assert_string_equal(plan_lcore(SPILL_ROLE_FAST, 1)->name, "fast1");
    assert_string_equal(plan_lcore(SPILL_ROLE_RX, 0)->name, "rx0");
    assert_false(plan.automatic);
    assert_int_equal(plan.warning_count, 0);
}

static void shared_cpus_take_turns(void **state)
{
    (void)state;
    fixture_machine(&plan_machine, 1, 4, 1);
    fixture_input(&plan_input, &plan_machine, 0, 1);
    fixture_role(&plan_input, SPILL_ROLE_FAST, "1,1");
    fixture_role(&plan_input, SPILL_ROLE_POOL, "2");
    plan_compute();
    assert_string_equal(plan.eal_lcores, "0@0,1@1,2@1,3@2");
    assert_true(plan_lcore(SPILL_ROLE_FAST, 0)->shared && plan_lcore(SPILL_ROLE_FAST, 1)->shared);
    assert_false(plan_lcore(SPILL_ROLE_POOL, 0)->shared);
    assert_true(plan.pools[0].preemptible);
    assert_true(channel_named("fast1")->preemptible && plan.ports[0].mempool.preemptible);
    assert_true(plan_warned("take turns on CPU 1"));

    fixture_role(&plan_input, SPILL_ROLE_FAST, "1,2");
    fixture_role(&plan_input, SPILL_ROLE_POOL, "3");
    plan_compute();
    assert_false(plan.pools[0].preemptible || channel_named("fast1")->preemptible ||
                 plan.ports[0].mempool.preemptible);
    assert_int_equal(plan.warning_count, 0);
}

static void control_cpu_beside_others(void **state)
{
    (void)state;
    fixture_machine(&plan_machine, 1, 4, 1);
    fixture_input(&plan_input, &plan_machine, 0, 1);
    fixture_role(&plan_input, SPILL_ROLE_CONTROL, "1");
    fixture_role(&plan_input, SPILL_ROLE_FAST, "1");
    plan_compute();
    assert_true(plan_warned("where the control thread runs"));
    assert_false(plan_lcore(SPILL_ROLE_FAST, 0)->shared);
    /* Alone it waits for nobody; with others it may be preempted while it holds a ring. */
    assert_false(plan.ports[0].mempool.preemptible);
    fixture_role(&plan_input, SPILL_ROLE_FAST, "1,2");
    fixture_role(&plan_input, SPILL_ROLE_POOL, "3");
    plan_compute();
    assert_true(plan.pools[0].preemptible && channel_named("fast1")->preemptible &&
                plan.ports[0].mempool.preemptible);
}

/* ----------------------------------------------------------------------- queues, channels */

static void hardware_spreads(void **state)
{
    unsigned i, q;

    (void)state;
    fixture_machine(&plan_machine, 1, 8, 1);
    fixture_input(&plan_input, &plan_machine, 0, 16);
    fixture_role(&plan_input, SPILL_ROLE_FAST, "1,2,3");
    plan_compute();
    assert_false(plan.spread);
    assert_int_equal(plan.channel_count, 2 * 3); /* for what comes to the wrong one */
    assert_int_equal(channel_named("fast1")->sender_count, 2);
    for (i = 0; i < 2; i++) {
        assert_int_equal(plan.ports[i].rx_queues, 3);
        assert_int_equal(plan.ports[i].tx_queues, 3);
        for (q = 0; q < 3; q++) {
            assert_int_equal(plan.ports[i].rx[q].owner, 1 + q);
            assert_int_equal(plan.ports[i].tx[q].owner, 1 + q);
            assert_int_equal(plan.ports[i].tx_queue_of[q], q);
        }
    }
    /* Twice as many queues on one port alone still meet on the same lcores; 4 of 3 do not. */
    plan_input.ports[0].rx_queues = 6;
    plan_compute();
    assert_false(plan.spread);
    assert_int_equal(plan.ports[0].rx[4].owner, 2);
    plan_input.ports[0].rx_queues = 4;
    plan_compute();
    assert_true(plan.spread);
}

/* Where the ends of a wire hash differently, replies would meet no flow. */
static void devices_that_differ_are_spread_in_software(void **state)
{
    (void)state;
    fixture_machine(&plan_machine, 1, 8, 1);
    fixture_input(&plan_input, &plan_machine, 0, 16);
    fixture_role(&plan_input, SPILL_ROLE_FAST, "1,2,3");
    plan_input.ports[0].rss_fields = 6;
    plan_compute();
    assert_false(plan.spread); /* the other's are not known yet */
    plan_input.ports[1].rss_fields = 2;
    plan_compute();
    assert_true(plan.spread);
    assert_true(plan_warned("ports lan and wan hash different fields"));
    plan_input.ports[1].rss_fields = 6;
    plan_input.ports[0].rss_table = 128;
    plan_input.ports[1].rss_table = 512;
    plan_compute();
    assert_true(plan.spread);
    plan_input.ports[1].rss_table = 128;
    plan_compute();
    assert_false(plan.spread);
    /* Three into 128 goes unevenly, four into 128 and 512 alike. */
    plan_input.ports[1].rss_table = 512;
    fixture_role(&plan_input, SPILL_ROLE_FAST, "1,2,3,4");
    plan_compute();
    assert_false(plan.spread);
    /* Who does not share by hash need not agree. */
    fixture_role(&plan_input, SPILL_ROLE_FAST, "1");
    plan_input.ports[1].rss_fields = 2;
    plan_compute();
    assert_false(plan.spread);
}

static void one_queue_is_spread_in_software(void **state)
{
    (void)state;
    fixture_machine(&plan_machine, 1, 8, 1);
    fixture_input(&plan_input, &plan_machine, 0, 1);
    fixture_role(&plan_input, SPILL_ROLE_FAST, "1,2,3");
    plan_compute();
    assert_true(plan.spread);
    assert_int_equal(plan.ports[0].rx[0].owner, 1);
    assert_int_equal(plan.ports[1].rx[0].owner, 2);
    /* Each owner of an rx queue sends to each fast lcore, be it itself. */
    assert_int_equal(channel_named("fast0")->sender_count, 2);
    assert_true(spill_plan_channel_sends(channel_named("fast0"), 1));
    assert_true(spill_plan_channel_sends(channel_named("fast0"), 2));
    assert_int_equal(channel_named("fast2")->sender_count, 2);
    /* One tx queue, owned by fast 0, that the two others send to. */
    assert_int_equal(channel_named("wan.tx0")->reader, 1);
    assert_int_equal(channel_named("wan.tx0")->sender_count, 2);
    assert_false(spill_plan_channel_sends(channel_named("wan.tx0"), 1));
    /* And for what turned out to be another's: from each to each. */
    assert_int_equal(channel_named("fast2.own")->sender_count, 2);
    assert_false(spill_plan_channel_sends(channel_named("fast2.own"), 3));
    assert_int_equal(plan.channel_count, 8);
}

static void fewer_tx_queues_than_fast_lcores(void **state)
{
    (void)state;
    fixture_machine(&plan_machine, 1, 8, 1);
    fixture_input(&plan_input, &plan_machine, 0, 8);
    plan_input.ports[1].tx_queues_max = 2;
    fixture_role(&plan_input, SPILL_ROLE_FAST, "1,2,3,4,5");
    plan_compute();
    assert_false(plan.spread);
    assert_int_equal(plan.ports[0].tx_queues, 5);
    assert_int_equal(plan.ports[1].tx_queues, 2);
    assert_int_equal(plan.ports[1].tx_queue_of[3], 1);
    assert_int_equal(channel_named("wan.tx0")->sender_count, 2);
    assert_int_equal(channel_named("wan.tx1")->sender_count, 1);
    assert_true(spill_plan_channel_sends(channel_named("wan.tx1"), 4));
    assert_int_equal(plan.channel_count, 2 + 2 * 5);
}

static void split_roles(void **state)
{
    (void)state;
    fixture_machine(&plan_machine, 2, 8, 1);
    fixture_input(&plan_input, &plan_machine, 0, 1);
    plan_input.ports[1].node = 1;
    fixture_role(&plan_input, SPILL_ROLE_FAST, "1,2");
    fixture_role(&plan_input, SPILL_ROLE_RX, "8,3"); /* the first is on the other node */
    fixture_role(&plan_input, SPILL_ROLE_TX, "4,9");
    plan_compute();
    assert_true(plan.spread);
    assert_int_equal(plan.lcores[plan.ports[0].rx[0].owner].cpu, 3);
    assert_int_equal(plan.lcores[plan.ports[1].rx[0].owner].cpu, 8);
    assert_int_equal(plan.lcores[plan.ports[0].tx[0].owner].cpu, 4);
    assert_int_equal(plan.lcores[plan.ports[1].tx[0].owner].cpu, 9);
    assert_int_equal(channel_named("fast0")->sender_count, 2);
    assert_int_equal(channel_named("wan.tx0")->sender_count, 2);
    assert_int_equal(channel_named("wan.tx0")->node, 1);
    assert_int_equal(plan_lcore(SPILL_ROLE_FAST, 0)->tx_queues, 0);

    /* rx alone, with one fast lcore: packets still go over its channel. */
    fixture_role(&plan_input, SPILL_ROLE_FAST, "1");
    fixture_role(&plan_input, SPILL_ROLE_RX, "3,3,8,9");
    fixture_role(&plan_input, SPILL_ROLE_TX, "");
    plan_compute();
    assert_int_equal(plan.ports[0].tx[0].owner, 1);
    assert_int_equal(plan.channel_count, 1);
    assert_true(plan_warned("rx1 (CPU 3) has nothing to do"));
}

static void pools_are_near(void **state)
{
    (void)state;
    fixture_machine(&plan_machine, 4, 4, 1);
    fixture_input(&plan_input, &plan_machine, 0, 16);
    fixture_role(&plan_input, SPILL_ROLE_FAST, "1,4,8");
    fixture_role(&plan_input, SPILL_ROLE_POOL, "2,9,10");
    plan_compute();
    assert_int_equal(plan.pool_count, 2);
    assert_int_equal(plan.pools[0].node, 0);
    assert_int_equal(plan.pools[0].workers, 1);
    assert_int_equal(plan.pools[0].served, 2); /* node 1 is nearer to 0 than to 2 */
    assert_int_equal(plan.pools[0].jobs, 128);
    assert_int_equal(plan.pools[1].node, 2);
    assert_int_equal(plan.pools[1].workers, 2);
    assert_int_equal(plan_lcore(SPILL_ROLE_FAST, 2)->pool, 1);
    assert_true(plan_warned("fast1 on node 1 hands its expensive work to the pool on node 0"));
    assert_true(
        plan_warned("port lan is on node 0, but its rx queues are on another node (fast1, fast2)"));
}

/* ----------------------------------------------------------------------------- an EAL's lcores */

static void given_lcores_take_roles(void **state)
{
    (void)state;
    fixture_machine(&plan_machine, 1, 8, 1);
    fixture_input(&plan_input, &plan_machine, 0, 1);
    plan_input.given_count = 4;
    plan_input.given_main = 5;
    plan_input.given[0] = (struct spill_plan_given){5, 0};
    plan_input.given[1] = (struct spill_plan_given){9, 2};
    plan_input.given[2] = (struct spill_plan_given){7, 2};
    plan_input.given[3] = (struct spill_plan_given){1, 6};
    plan_machine.cpus[2].allowed = false; /* the EAL has set affinities itself */
    fixture_role(&plan_input, SPILL_ROLE_FAST, "2");
    fixture_role(&plan_input, SPILL_ROLE_POOL, "2");
    plan_compute();
    assert_int_equal(plan.lcores[0].id, 5);
    assert_int_equal(plan_lcore(SPILL_ROLE_FAST, 0)->id, 7);
    assert_int_equal(plan_lcore(SPILL_ROLE_POOL, 0)->id, 9);
    assert_int_equal(plan.idle_count, 1);
    assert_int_equal(plan.idle[0], 1);
    assert_string_equal(plan.eal_lcores, "5@0,7@2,9@2");

    fixture_role(&plan_input, SPILL_ROLE_POOL, "2,2");
    plan_refused("no lcore left on CPU 2");
    fixture_role(&plan_input, SPILL_ROLE_POOL, "");
    fixture_role(&plan_input, SPILL_ROLE_CONTROL, "6");
    plan_refused("main lcore 5 is on CPU 0");
    fixture_role(&plan_input, SPILL_ROLE_CONTROL, "");
    fixture_role(&plan_input, SPILL_ROLE_FAST, "0");
    plan_refused("no lcore left on CPU 0");

    /* Automatic: no second lcore is taken on a CPU. */
    fixture_role(&plan_input, SPILL_ROLE_FAST, "");
    plan_compute();
    plan_counts(1, 1);
    assert_int_equal(plan.idle_count, 1);
    plan_input.given_count = 1;
    plan_refused("no lcore is left for the fast role");
    plan_input.given_main = 4;
    plan_refused("main lcore 4");
}

static void second_computation_keeps_lcores(void **state)
{
    static struct spill_plan first;

    (void)state;
    /* By roles: the same plan comes out. */
    fixture_machine(&plan_machine, 2, 4, 2);
    fixture_input(&plan_input, &plan_machine, 0, 4);
    fixture_role(&plan_input, SPILL_ROLE_FAST, "1,2,1");
    fixture_role(&plan_input, SPILL_ROLE_RX, "2");
    fixture_role(&plan_input, SPILL_ROLE_POOL, "3,1");
    plan_compute();
    first = plan;
    spill_plan_keep_lcores(&plan_input, &plan);
    plan_compute();
    assert_memory_equal(plan.lcores, first.lcores, sizeof(plan.lcores));
    assert_string_equal(plan.eal_lcores, first.eal_lcores);

    /* Automatic, before the device has said how many queues it has: one, and no RSS. */
    fixture_input(&plan_input, &plan_machine, 0, 0);
    plan_input.ports[0].symmetric_rss = plan_input.ports[1].symmetric_rss = true;
    plan_compute();
    plan_counts(2, 2);
    spill_plan_keep_lcores(&plan_input, &plan);
    plan_input.ports[0].rx_queues_max = plan_input.ports[1].rx_queues_max = 1;
    plan_input.ports[0].symmetric_rss = plan_input.ports[1].symmetric_rss = false;
    plan_compute();
    plan_counts(1, 3);
    assert_false(plan.spread);
    assert_true(plan.automatic);

    fixture_machine(&plan_machine, 1, 2, 1);
    fixture_input(&plan_input, &plan_machine, 0, 1);
    plan_compute();
    first = plan;
    spill_plan_keep_lcores(&plan_input, &plan);
    plan_compute();
    assert_memory_equal(plan.lcores, first.lcores, sizeof(plan.lcores));

    /* Where fast and pool lcores took turns in choosing, each gets its own again. */
    fixture_machine(&plan_machine, 2, 2, 1);
    fixture_input(&plan_input, &plan_machine, 0, 2);
    plan_compute();
    first = plan;
    plan_counts(2, 1);
    spill_plan_keep_lcores(&plan_input, &plan);
    plan_compute();
    assert_memory_equal(plan.lcores, first.lcores, sizeof(plan.lcores));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(automatic_on_one_cpu),
        cmocka_unit_test(automatic_on_two_cpus),
        cmocka_unit_test(automatic_follows_the_ports),
        cmocka_unit_test(automatic_keeps_fast_and_pool_off_one_core),
        cmocka_unit_test(automatic_prefers_isolated_cpus),
        cmocka_unit_test(automatic_with_holes_and_affinity),
        cmocka_unit_test(pool_alone_leaves_fast_to_the_plan),
        cmocka_unit_test(lcores_are_numbered_by_role),
        cmocka_unit_test(shared_cpus_take_turns),
        cmocka_unit_test(control_cpu_beside_others),
        cmocka_unit_test(hardware_spreads),
        cmocka_unit_test(devices_that_differ_are_spread_in_software),
        cmocka_unit_test(one_queue_is_spread_in_software),
        cmocka_unit_test(fewer_tx_queues_than_fast_lcores),
        cmocka_unit_test(split_roles),
        cmocka_unit_test(pools_are_near),
        cmocka_unit_test(given_lcores_take_roles),
        cmocka_unit_test(second_computation_keeps_lcores),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
