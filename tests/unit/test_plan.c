/* SPDX-License-Identifier: BSD-3-Clause */
/* Plans for machines, roles and devices of all shapes; what is refused, and what is warned of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "plan_inputs.h"

static struct spill_topology machine;
static struct spill_plan_input input;
static struct spill_plan plan;
static struct spill_error error;

static void compute(void)
{
    error.text[0] = '\0';
    if (spill_plan_compute(&input, &plan, &error) != 0)
        fail_msg("refused: %s", error.text);
}

static void refused(const char *word)
{
    assert_int_equal(spill_plan_compute(&input, &plan, &error), -1);
    if (strstr(error.text, word) == NULL)
        fail_msg("'%s' does not say '%s'", error.text, word);
    assert_null(strchr(error.text, '\n'));
}

static bool warned(const char *word)
{
    unsigned i;

    for (i = 0; i < plan.warning_count; i++)
        if (strstr(plan.warnings[i], word) != NULL)
            return true;
    return false;
}

static const struct spill_plan_lcore *lcore_of(enum spill_role role, unsigned index)
{
    assert_true(index < plan.count[role]);
    return &plan.lcores[plan.first[role] + index];
}

static void counts(unsigned fast, unsigned pool)
{
    assert_int_equal(plan.count[SPILL_ROLE_FAST], fast);
    assert_int_equal(plan.count[SPILL_ROLE_POOL], pool);
}

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
    fixture_machine(&machine, 1, 1, 1);
    fixture_input(&input, &machine, -1, 1);
    compute();
    counts(1, 0);
    assert_string_equal(plan.eal_lcores, "0@0,1@0");
    assert_int_equal(lcore_of(SPILL_ROLE_FAST, 0)->pool, -1);
    assert_false(lcore_of(SPILL_ROLE_FAST, 0)->shared);
    assert_true(plan.automatic);
}

static void automatic_on_two_cpus(void **state)
{
    (void)state;
    fixture_machine(&machine, 1, 2, 1);
    fixture_input(&input, &machine, -1, 8);
    compute();
    counts(1, 1);
    assert_string_equal(plan.eal_lcores, "0@0,1@1,2@0");
    assert_int_equal(plan.warning_count, 0);

    fixture_machine(&machine, 1, 1, 2);
    compute();
    assert_string_equal(plan.eal_lcores, "0@0,1@1,2@0");
    assert_true(warned("threads of one core"));
}

static void automatic_follows_the_ports(void **state)
{
    unsigned i;

    (void)state;
    fixture_machine(&machine, 4, 4, 1);
    fixture_input(&input, &machine, 2, 16);
    compute();
    counts(2, 2);
    for (i = 1; i < plan.lcore_count; i++)
        assert_int_equal(plan.lcores[i].node, 2);
    assert_int_equal(plan.lcores[0].cpu, 0);
    assert_int_equal(plan.ports[0].mempool.node, 2);
    assert_int_equal(plan.warning_count, 0);

    /* One queue: one fast lcore, and at most four workers beside it. */
    fixture_machine(&machine, 2, 16, 1);
    fixture_input(&input, &machine, 1, 1);
    compute();
    counts(1, 4);
    assert_false(plan.spread);
    for (i = 1; i < plan.lcore_count; i++)
        assert_int_equal(plan.lcores[i].node, 1);

    /* Several queues that the device does not spread flows over are worth one. */
    input.ports[0].rx_queues_max = input.ports[1].rx_queues_max = 8;
    input.ports[0].tx_queues_max = input.ports[1].tx_queues_max = 8;
    compute();
    counts(1, 4);
    assert_int_equal(plan.ports[0].rx_queues, 1);
}

static void automatic_keeps_fast_and_pool_off_one_core(void **state)
{
    unsigned i, j;

    (void)state;
    fixture_machine(&machine, 1, 4, 2);
    fixture_input(&input, &machine, 0, 4);
    compute();
    counts(2, 2);
    for (i = 1; i < plan.lcore_count; i++)
        for (j = 1; j < i; j++)
            assert_false(spill_topology_siblings(&machine, plan.lcores[i].cpu, plan.lcores[j].cpu));
    assert_false(warned("threads of one core"));
}

static void automatic_prefers_isolated_cpus(void **state)
{
    unsigned i;

    (void)state;
    fixture_machine(&machine, 1, 8, 1);
    machine.cpus[0].isolated = true;
    for (i = 4; i < 8; i++)
        machine.cpus[i].isolated = true;
    fixture_input(&input, &machine, 0, 8);
    compute();
    assert_int_equal(plan.lcores[0].cpu, 1);
    assert_true(plan.lcore_count > 3);
    for (i = 1; i < plan.lcore_count; i++)
        assert_true(machine.cpus[plan.lcores[i].cpu].isolated);

    fixture_role(&input, SPILL_ROLE_FAST, "2");
    compute();
    assert_true(warned("isolated CPUs are unused"));
}

static void automatic_with_holes_and_affinity(void **state)
{
    (void)state;
    fixture_machine(&machine, 3, 4, 1);
    machine.nodes[1].present = false;
    for (unsigned i = 4; i < 8; i++)
        machine.cpus[i].present = false;
    machine.cpus[0].allowed = machine.cpus[9].allowed = false;
    fixture_input(&input, &machine, 2, 2);
    compute();
    assert_int_equal(plan.lcores[0].cpu, 1);
    counts(2, 1);
    assert_string_equal(plan.eal_lcores, "0@1,1@8,2@11,3@10");
    assert_false(plan.nodes[1].used);
}

static void pool_alone_leaves_fast_to_the_plan(void **state)
{
    (void)state;
    fixture_machine(&machine, 1, 4, 1);
    fixture_input(&input, &machine, 0, 1);
    fixture_role(&input, SPILL_ROLE_POOL, "1,3");
    compute();
    assert_string_equal(plan.eal_lcores, "0@0,1@2,2@1,3@3");
    /* And fast alone means no pool. */
    fixture_role(&input, SPILL_ROLE_POOL, "");
    fixture_role(&input, SPILL_ROLE_FAST, "3");
    compute();
    counts(1, 0);
    assert_int_equal(plan.pool_count, 0);
}

/* -------------------------------------------------------------------------- given roles */

static void lcores_are_numbered_by_role(void **state)
{
    (void)state;
    fixture_machine(&machine, 1, 8, 1);
    fixture_input(&input, &machine, 0, 1);
    fixture_role(&input, SPILL_ROLE_CONTROL, "0,7");
    fixture_role(&input, SPILL_ROLE_POOL, "5,6");
    fixture_role(&input, SPILL_ROLE_TX, "4");
    fixture_role(&input, SPILL_ROLE_RX, "3");
    fixture_role(&input, SPILL_ROLE_FAST, "2,1");
    compute();
    assert_string_equal(plan.eal_lcores, "0@(0,7),1@2,2@1,3@3,4@4,5@5,6@6");
    assert_string_equal(lcore_of(SPILL_ROLE_FAST, 1)->name, "fast1");
    assert_string_equal(lcore_of(SPILL_ROLE_RX, 0)->name, "rx0");
    assert_false(plan.automatic);
    assert_int_equal(plan.warning_count, 0);
}

static void shared_cpus_take_turns(void **state)
{
    (void)state;
    fixture_machine(&machine, 1, 4, 1);
    fixture_input(&input, &machine, 0, 1);
    fixture_role(&input, SPILL_ROLE_FAST, "1,1");
    fixture_role(&input, SPILL_ROLE_POOL, "2");
    compute();
    assert_string_equal(plan.eal_lcores, "0@0,1@1,2@1,3@2");
    assert_true(lcore_of(SPILL_ROLE_FAST, 0)->shared && lcore_of(SPILL_ROLE_FAST, 1)->shared);
    assert_false(lcore_of(SPILL_ROLE_POOL, 0)->shared);
    assert_true(plan.pools[0].preemptible);
    assert_true(channel_named("fast1")->preemptible && plan.ports[0].mempool.preemptible);
    assert_true(warned("take turns on CPU 1"));

    fixture_role(&input, SPILL_ROLE_FAST, "1,2");
    fixture_role(&input, SPILL_ROLE_POOL, "3");
    compute();
    assert_false(plan.pools[0].preemptible || channel_named("fast1")->preemptible ||
                 plan.ports[0].mempool.preemptible);
    assert_int_equal(plan.warning_count, 0);
}

static void control_cpu_beside_others(void **state)
{
    (void)state;
    fixture_machine(&machine, 1, 4, 1);
    fixture_input(&input, &machine, 0, 1);
    fixture_role(&input, SPILL_ROLE_CONTROL, "1");
    fixture_role(&input, SPILL_ROLE_FAST, "1");
    compute();
    assert_true(warned("where the control thread runs"));
    assert_false(lcore_of(SPILL_ROLE_FAST, 0)->shared);
    /* Alone it waits for nobody; with others it may be preempted while it holds a ring. */
    assert_false(plan.ports[0].mempool.preemptible);
    fixture_role(&input, SPILL_ROLE_FAST, "1,2");
    fixture_role(&input, SPILL_ROLE_POOL, "3");
    compute();
    assert_true(plan.pools[0].preemptible && channel_named("fast1")->preemptible &&
                plan.ports[0].mempool.preemptible);
}

/* ----------------------------------------------------------------------- queues, channels */

static void hardware_spreads(void **state)
{
    unsigned i, q;

    (void)state;
    fixture_machine(&machine, 1, 8, 1);
    fixture_input(&input, &machine, 0, 16);
    fixture_role(&input, SPILL_ROLE_FAST, "1,2,3");
    compute();
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
    input.ports[0].rx_queues = 6;
    compute();
    assert_false(plan.spread);
    assert_int_equal(plan.ports[0].rx[4].owner, 2);
    input.ports[0].rx_queues = 4;
    compute();
    assert_true(plan.spread);
}

/* Where the ends of a wire hash differently, replies would meet no flow. */
static void devices_that_differ_are_spread_in_software(void **state)
{
    (void)state;
    fixture_machine(&machine, 1, 8, 1);
    fixture_input(&input, &machine, 0, 16);
    fixture_role(&input, SPILL_ROLE_FAST, "1,2,3");
    input.ports[0].rss_fields = 6;
    compute();
    assert_false(plan.spread); /* the other's are not known yet */
    input.ports[1].rss_fields = 2;
    compute();
    assert_true(plan.spread);
    assert_true(warned("ports lan and wan hash different fields"));
    input.ports[1].rss_fields = 6;
    input.ports[0].rss_table = 128;
    input.ports[1].rss_table = 512;
    compute();
    assert_true(plan.spread);
    input.ports[1].rss_table = 128;
    compute();
    assert_false(plan.spread);
    /* Three into 128 goes unevenly, four into 128 and 512 alike. */
    input.ports[1].rss_table = 512;
    fixture_role(&input, SPILL_ROLE_FAST, "1,2,3,4");
    compute();
    assert_false(plan.spread);
    /* Who does not share by hash need not agree. */
    fixture_role(&input, SPILL_ROLE_FAST, "1");
    input.ports[1].rss_fields = 2;
    compute();
    assert_false(plan.spread);
}

static void one_queue_is_spread_in_software(void **state)
{
    (void)state;
    fixture_machine(&machine, 1, 8, 1);
    fixture_input(&input, &machine, 0, 1);
    fixture_role(&input, SPILL_ROLE_FAST, "1,2,3");
    compute();
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
    fixture_machine(&machine, 1, 8, 1);
    fixture_input(&input, &machine, 0, 8);
    input.ports[1].tx_queues_max = 2;
    fixture_role(&input, SPILL_ROLE_FAST, "1,2,3,4,5");
    compute();
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
    fixture_machine(&machine, 2, 8, 1);
    fixture_input(&input, &machine, 0, 1);
    input.ports[1].node = 1;
    fixture_role(&input, SPILL_ROLE_FAST, "1,2");
    fixture_role(&input, SPILL_ROLE_RX, "8,3"); /* the first is on the other node */
    fixture_role(&input, SPILL_ROLE_TX, "4,9");
    compute();
    assert_true(plan.spread);
    assert_int_equal(plan.lcores[plan.ports[0].rx[0].owner].cpu, 3);
    assert_int_equal(plan.lcores[plan.ports[1].rx[0].owner].cpu, 8);
    assert_int_equal(plan.lcores[plan.ports[0].tx[0].owner].cpu, 4);
    assert_int_equal(plan.lcores[plan.ports[1].tx[0].owner].cpu, 9);
    assert_int_equal(channel_named("fast0")->sender_count, 2);
    assert_int_equal(channel_named("wan.tx0")->sender_count, 2);
    assert_int_equal(channel_named("wan.tx0")->node, 1);
    assert_int_equal(lcore_of(SPILL_ROLE_FAST, 0)->tx_queues, 0);

    /* rx alone, with one fast lcore: packets still go over its channel. */
    fixture_role(&input, SPILL_ROLE_FAST, "1");
    fixture_role(&input, SPILL_ROLE_RX, "3,3,8,9");
    fixture_role(&input, SPILL_ROLE_TX, "");
    compute();
    assert_int_equal(plan.ports[0].tx[0].owner, 1);
    assert_int_equal(plan.channel_count, 1);
    assert_true(warned("rx1 (CPU 3) has nothing to do"));
}

static void pools_are_near(void **state)
{
    (void)state;
    fixture_machine(&machine, 4, 4, 1);
    fixture_input(&input, &machine, 0, 16);
    fixture_role(&input, SPILL_ROLE_FAST, "1,4,8");
    fixture_role(&input, SPILL_ROLE_POOL, "2,9,10");
    compute();
    assert_int_equal(plan.pool_count, 2);
    assert_int_equal(plan.pools[0].node, 0);
    assert_int_equal(plan.pools[0].workers, 1);
    assert_int_equal(plan.pools[0].served, 2); /* node 1 is nearer to 0 than to 2 */
    assert_int_equal(plan.pools[0].jobs, 128);
    assert_int_equal(plan.pools[1].node, 2);
    assert_int_equal(plan.pools[1].workers, 2);
    assert_int_equal(lcore_of(SPILL_ROLE_FAST, 2)->pool, 1);
    assert_true(warned("fast1 on node 1 hands its expensive work to the pool on node 0"));
    assert_true(
        warned("port lan is on node 0, but its rx queues are on another node (fast1, fast2)"));
}

/* ----------------------------------------------------------------------------- an EAL's lcores */

static void given_lcores_take_roles(void **state)
{
    (void)state;
    fixture_machine(&machine, 1, 8, 1);
    fixture_input(&input, &machine, 0, 1);
    input.given_count = 4;
    input.given_main = 5;
    input.given[0] = (struct spill_plan_given){5, 0};
    input.given[1] = (struct spill_plan_given){9, 2};
    input.given[2] = (struct spill_plan_given){7, 2};
    input.given[3] = (struct spill_plan_given){1, 6};
    machine.cpus[2].allowed = false; /* the EAL has set affinities itself */
    fixture_role(&input, SPILL_ROLE_FAST, "2");
    fixture_role(&input, SPILL_ROLE_POOL, "2");
    compute();
    assert_int_equal(plan.lcores[0].id, 5);
    assert_int_equal(lcore_of(SPILL_ROLE_FAST, 0)->id, 7);
    assert_int_equal(lcore_of(SPILL_ROLE_POOL, 0)->id, 9);
    assert_int_equal(plan.idle_count, 1);
    assert_int_equal(plan.idle[0], 1);
    assert_string_equal(plan.eal_lcores, "5@0,7@2,9@2");

    fixture_role(&input, SPILL_ROLE_POOL, "2,2");
    refused("no lcore left on CPU 2");
    fixture_role(&input, SPILL_ROLE_POOL, "");
    fixture_role(&input, SPILL_ROLE_CONTROL, "6");
    refused("main lcore 5 is on CPU 0");
    fixture_role(&input, SPILL_ROLE_CONTROL, "");
    fixture_role(&input, SPILL_ROLE_FAST, "0");
    refused("no lcore left on CPU 0");

    /* Automatic: no second lcore is taken on a CPU. */
    fixture_role(&input, SPILL_ROLE_FAST, "");
    compute();
    counts(1, 1);
    assert_int_equal(plan.idle_count, 1);
    input.given_count = 1;
    refused("no lcore is left for the fast role");
    input.given_main = 4;
    refused("main lcore 4");
}

static void second_computation_keeps_lcores(void **state)
{
    static struct spill_plan first;

    (void)state;
    /* By roles: the same plan comes out. */
    fixture_machine(&machine, 2, 4, 2);
    fixture_input(&input, &machine, 0, 4);
    fixture_role(&input, SPILL_ROLE_FAST, "1,2,1");
    fixture_role(&input, SPILL_ROLE_RX, "2");
    fixture_role(&input, SPILL_ROLE_POOL, "3,1");
    compute();
    first = plan;
    spill_plan_keep_lcores(&input, &plan);
    compute();
    assert_memory_equal(plan.lcores, first.lcores, sizeof(plan.lcores));
    assert_string_equal(plan.eal_lcores, first.eal_lcores);

    /* Automatic, before the device has said how many queues it has: one, and no RSS. */
    fixture_input(&input, &machine, 0, 0);
    input.ports[0].symmetric_rss = input.ports[1].symmetric_rss = true;
    compute();
    counts(2, 2);
    spill_plan_keep_lcores(&input, &plan);
    input.ports[0].rx_queues_max = input.ports[1].rx_queues_max = 1;
    input.ports[0].symmetric_rss = input.ports[1].symmetric_rss = false;
    compute();
    counts(1, 3);
    assert_false(plan.spread);
    assert_true(plan.automatic);

    fixture_machine(&machine, 1, 2, 1);
    fixture_input(&input, &machine, 0, 1);
    compute();
    first = plan;
    spill_plan_keep_lcores(&input, &plan);
    compute();
    assert_memory_equal(plan.lcores, first.lcores, sizeof(plan.lcores));

    /* Where fast and pool lcores took turns in choosing, each gets its own again. */
    fixture_machine(&machine, 2, 2, 1);
    fixture_input(&input, &machine, 0, 2);
    compute();
    first = plan;
    counts(2, 1);
    spill_plan_keep_lcores(&input, &plan);
    compute();
    assert_memory_equal(plan.lcores, first.lcores, sizeof(plan.lcores));
}

/* ------------------------------------------------------------------------------- memory */

static void mempool_sum(void **state)
{
    const struct spill_plan_mempool *mempool = &plan.ports[0].mempool;

    (void)state;
    fixture_machine(&machine, 1, 8, 1);
    fixture_input(&input, &machine, 0, 1);
    fixture_role(&input, SPILL_ROLE_FAST, "1,2");
    fixture_role(&input, SPILL_ROLE_POOL, "3");
    input.ports[0].extra_mbufs = 5000;
    input.split_mbufs = 50;
    compute();
    /* 1024 rx, 512 tx, 256 backlog, 1024 channel to wan.tx0, the same of lan for errors, 2 x 1024
     * channels to the fast lcores and 2 x 256 between them, 2 x 100 fragments that wait, 128 jobs
     * of 32, 2 bursts on 3 lcores, fragments on 2, caches of 4, and the wish. */
    assert_int_equal(mempool->mbufs, (1024 + 2 * (512 + 256 + 1024) + 2560 + 200 + 128 * 32 + 192 +
                                      2 * 50 + 4 * 384 + 5000 + 1023) /
                                         1024 * 1024);
    assert_int_equal(mempool->term_count, 12);
    assert_int_equal(mempool->data_room, 2048 + 128);
    assert_int_equal(mempool->segments, 1);

    /* Large frames: five mbufs each, or mbufs as large as the device wants them. */
    input.ports[0].mtu = 9000;
    compute();
    assert_int_equal(mempool->segments, 5);
    assert_int_equal(mempool->mbufs, (1024 + 512 + 5 * (256 + 1024 + 2560 + 200 + 128 * 32 + 192) +
                                      512 + 256 + 1024 + 2 * 50 + 4 * 384 + 5000 + 1023) /
                                         1024 * 1024);
    input.ports[0].data_room = 9344;
    compute();
    assert_int_equal(mempool->segments, 1);
    assert_int_equal(mempool->data_room, 9344);
}

static void memory_without_nodes_memory(void **state)
{
    unsigned i;

    (void)state;
    fixture_machine(&machine, 4, 4, 1);
    machine.nodes[1].memory_mib = 0;
    fixture_input(&input, &machine, 1, 4);
    compute();
    for (i = 1; i < plan.lcore_count; i++) {
        assert_int_equal(plan.lcores[i].node, 1);
        assert_int_equal(plan.lcores[i].memory_node, 0); /* at 16; 2 and 3 are at 32 */
    }
    assert_int_equal(plan.ports[0].mempool.node, 0);
    assert_false(plan.nodes[1].used);
    assert_true(warned("node 1, which has no memory"));

    for (i = 0; i < 4; i++)
        machine.nodes[i].memory_mib = 0;
    refused("no NUMA node");
}

/* A port on a node that has memory and no CPUs: lcores on the nearest node, mbufs with the port. */
static void node_without_cpus(void **state)
{
    unsigned i;

    (void)state;
    fixture_machine(&machine, 4, 4, 1);
    for (i = 0; i < 16; i++)
        machine.cpus[i].node = machine.cpus[i].node == 3 ? 2 : machine.cpus[i].node;
    fixture_input(&input, &machine, 3, 2);
    compute();
    assert_int_equal(plan.ports[0].mempool.node, 3);
    assert_int_equal(lcore_of(SPILL_ROLE_FAST, 0)->node, 2);
    assert_true(warned("port lan is on node 3"));
}

static void hugepages(void **state)
{
    char expected[128];
    uint64_t needed;

    (void)state;
    fixture_machine(&machine, 2, 4, 1);
    fixture_input(&input, &machine, 1, 1);
    machine.nodes[1].hugepages[0] = (struct spill_hugepages){2048, 10, 4};
    compute();
    needed = plan.nodes[1].hugepages;
    assert_true(needed > 4 && needed * 2 * 1048576 >= plan.nodes[1].total);
    assert_int_equal(plan.nodes[1].hugepages_missing, needed - 4);
    snprintf(expected, sizeof(expected),
             "echo %u > /sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages",
             (unsigned)(10 + needed - 4));
    assert_string_equal(plan.nodes[1].command, expected);
    assert_true(warned(expected));
    assert_int_equal(plan.nodes[0].hugepages_missing, 0);

    /* Larger pages count as well. */
    machine.nodes[1].hugepage_sizes = 2;
    machine.nodes[1].hugepages[1] = (struct spill_hugepages){1048576, 1, 1};
    compute();
    assert_int_equal(plan.nodes[1].hugepages_missing, 0);

    fixture_machine(&machine, 1, 4, 1);
    machine.has_node_folders = false;
    machine.nodes[0].hugepage_sizes = 0;
    input.ports[0].node = input.ports[1].node = -1;
    compute();
    assert_non_null(strstr(plan.nodes[0].command, "> /proc/sys/vm/nr_hugepages"));

    input.memory_mode = SPILL_MEMORY_NO_HUGE;
    compute();
    assert_int_equal(plan.nodes[0].hugepages, 0);
    assert_int_equal(plan.nodes[0].hugepages_missing, 0);
    assert_true(plan.memory_mib * 1048576 >= plan.nodes[0].total);
    assert_int_equal(plan.warning_count, 0);
}

static void memory_limits(void **state)
{
    (void)state;
    fixture_machine(&machine, 1, 4, 1);
    fixture_input(&input, &machine, 0, 1);
    input.memory_mib = 16;
    refused("--memory 16: the plan needs");
    input.memory_mib = 1024;
    compute();
    assert_int_equal(plan.memory_mib, 1024);
    input.memory_mib = 20000;
    refused("this machine has 16384");
    input.memory_mib = 0;
    input.flow_capacity = 1u << 30;
    refused("node 0 has 16384 MiB");
    input.memory_mode = SPILL_MEMORY_NO_HUGE;
    refused("this machine has 16384");
}

/* ------------------------------------------------------------------------------- refusals */

static void refused_cpus(void **state)
{
    (void)state;
    fixture_machine(&machine, 1, 4, 1);
    fixture_input(&input, &machine, 0, 1);
    fixture_role(&input, SPILL_ROLE_FAST, "1,77");
    refused("--fast: there is no CPU 77; this machine has 0-3");
    machine.cpus[2].allowed = false;
    fixture_role(&input, SPILL_ROLE_FAST, "1");
    fixture_role(&input, SPILL_ROLE_POOL, "2");
    refused("--pool: CPU 2 is outside of the affinity mask of this process, 0-1,3");
    machine.cpus[3].present = false;
    fixture_role(&input, SPILL_ROLE_POOL, "");
    fixture_role(&input, SPILL_ROLE_CONTROL, "3");
    refused("--control: there is no CPU 3; this machine has 0-2");
    fixture_input(&input, &machine, 0, 1);
    machine.cpus[0].allowed = machine.cpus[1].allowed = false;
    refused("no CPU of this machine may be used");
}

static void refused_roles(void **state)
{
    unsigned i;

    (void)state;
    fixture_machine(&machine, 1, 4, 1);
    fixture_input(&input, &machine, 0, 1);
    fixture_role(&input, SPILL_ROLE_RX, "1");
    refused("--rx: needs fast lcores");
    fixture_role(&input, SPILL_ROLE_RX, "");
    fixture_role(&input, SPILL_ROLE_TX, "1");
    refused("--tx: needs fast lcores");

    fixture_input(&input, &machine, 0, 1);
    for (i = 0; i < 100; i++)
        input.roles[SPILL_ROLE_FAST].cpus[i] = input.roles[SPILL_ROLE_POOL].cpus[i] = 1;
    input.roles[SPILL_ROLE_FAST].count = 100;
    input.roles[SPILL_ROLE_POOL].count = 27;
    compute();
    assert_int_equal(plan.lcore_count, 128);
    input.roles[SPILL_ROLE_POOL].count = 28;
    refused("--pool: too many lcores; 128 at most");
}

static void refused_ports(void **state)
{
    (void)state;
    fixture_machine(&machine, 1, 4, 1);
    fixture_input(&input, &machine, 0, 4);
    input.ports[1].rx_queues = 5;
    refused("--rx-queues wan:5: the device has 4");
    input.ports[1].rx_queues = 0;
    input.ports[0].tx_queues = 5;
    refused("--tx-queues lan:5: the device has 4");
    input.ports[0].tx_queues_max = 0; /* not known yet */
    compute();
    input.ports[0].tx_queues = 65;
    refused("--tx-queues lan:65: a port has at most 64");

    fixture_input(&input, &machine, 0, 1);
    snprintf(input.wires[0].ports[1], SPILL_NAME_MAX, "dmz");
    refused("--wire lan:dmz: there is no port 'dmz'");
    fixture_input(&input, &machine, 0, 1);
    fixture_port(&input, "dmz", 0, 1);
    fixture_wire(&input, "wan", "dmz");
    refused("--wire wan:dmz: port 'wan' is in two wires");
    input.wire_count = 1;
    snprintf(input.wires[0].ports[1], SPILL_NAME_MAX, "lan");
    refused("a wire has two different ports");

    fixture_input(&input, &machine, 0, 1);
    fixture_port(&input, "lan", 0, 1);
    refused("--port lan: two ports");
    snprintf(input.ports[2].name, SPILL_NAME_MAX, "a name too long for it");
    refused("' ' in the name");
    snprintf(input.ports[2].name, SPILL_NAME_MAX, "a-name-too-long-for-it");
    refused("1 to 16 characters");
    input.ports[2].name[0] = '\0';
    refused("1 to 16 characters");
    input.port_count = SPILL_PORTS_MAX + 1;
    refused("33 ports");
    fixture_input(&input, &machine, 0, 1);
    input.channel_capacity = 0;
    refused("must be above 0");
}

/* Only where an MTU means something. */
static void unequal_ends_are_warned_of(void **state)
{
    (void)state;
    fixture_machine(&machine, 1, 8, 1);
    fixture_input(&input, &machine, 0, 1);
    compute();
    assert_false(warned("MTU"));
    input.ports[0].mtu = 9000;
    compute();
    assert_true(warned("wire lan:wan: MTU 9000 at the one end, 1500 at the other"));
    input.ports[1].no_mtu = true;
    compute();
    assert_false(warned("MTU"));
}

static void warnings_end_in_time(void **state)
{
    unsigned i;

    (void)state;
    fixture_machine(&machine, 1, 128, 1);
    fixture_input(&input, &machine, 0, 64);
    input.roles[SPILL_ROLE_FAST].count = 100;
    for (i = 0; i < 100; i++)
        input.roles[SPILL_ROLE_FAST].cpus[i] = (int)i;
    fixture_role(&input, SPILL_ROLE_CONTROL, "100");
    for (i = 0; i < 100; i++)
        input.roles[SPILL_ROLE_CONTROL].cpus[i] = (int)i;
    input.roles[SPILL_ROLE_CONTROL].count = 100;
    compute();
    assert_int_equal(plan.warning_count, SPILL_PLAN_WARNINGS_MAX);
    assert_true(warned("there are more warnings"));
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
        cmocka_unit_test(mempool_sum),
        cmocka_unit_test(memory_without_nodes_memory),
        cmocka_unit_test(node_without_cpus),
        cmocka_unit_test(hugepages),
        cmocka_unit_test(memory_limits),
        cmocka_unit_test(refused_cpus),
        cmocka_unit_test(refused_roles),
        cmocka_unit_test(refused_ports),
        cmocka_unit_test(unequal_ends_are_warned_of),
        cmocka_unit_test(warnings_end_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
