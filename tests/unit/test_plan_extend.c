/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports and workers that come while lcores run: what is in use stays, or the plan says what would
 * not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "plan_inputs.h"

static struct spill_topology machine;
static struct spill_plan_input input;
static struct spill_plan plan, wider;
static struct spill_error error;
static bool in_use[SPILL_PORTS_MAX];

/* Two ports on a wire, with so many fast lcores. */
static void start(const char *fast, unsigned queues)
{
    fixture_machine(&machine, 1, 8, 1);
    fixture_input(&input, &machine, -1, queues);
    fixture_role(&input, SPILL_ROLE_FAST, fast);
    fixture_role(&input, SPILL_ROLE_POOL, "6");
    assert_int_equal(spill_plan_compute(&input, &plan, &error), 0);
    memset(in_use, 0, sizeof(in_use));
    in_use[0] = in_use[1] = true;
}

/* The same with another wire, as a program would ask for it that runs. */
static void widen(unsigned queues)
{
    spill_plan_keep_lcores(&input, &plan);
    fixture_port(&input, "dmz", -1, queues);
    fixture_port(&input, "srv", -1, queues);
    fixture_wire(&input, "dmz", "srv");
    if (spill_plan_compute(&input, &wider, &error) != 0)
        fail_msg("%s", error.text);
}

static void refused(const char *word)
{
    static struct spill_plan before;

    before = plan;
    assert_int_equal(spill_plan_extend(&plan, &wider, in_use, &error), -1);
    if (strstr(error.text, word) == NULL)
        fail_msg("'%s' does not say '%s'", error.text, word);
    assert_memory_equal(&before, &plan, sizeof(plan));
}

static void ports_come(void **state)
{
    (void)state;
    start("1,2", 1);
    widen(1);
    assert_int_equal(spill_plan_extend(&plan, &wider, in_use, &error), 0);
    assert_int_equal(plan.port_count, 4);
    assert_int_equal(plan.ports[2].peer, 3);
    assert_int_equal(plan.channel_count, wider.channel_count);
    assert_string_equal(plan.channels[plan.channel_count - 1].name, "srv.tx0");
    assert_memory_equal(plan.nodes, wider.nodes, sizeof(plan.nodes));
    /* Nobody is told of the channels of a port that has left. */
    assert_true(spill_plan_channel_is_used(&plan, plan.channel_count - 1));
    plan.ports[3].left = true;
    assert_false(spill_plan_channel_is_used(&plan, plan.channel_count - 1));
    assert_true(spill_plan_channel_is_used(&plan, 0));
}

static void a_place_is_taken_again(void **state)
{
    (void)state;
    start("1", 1);
    widen(1);
    assert_int_equal(spill_plan_extend(&plan, &wider, in_use, &error), 0);
    /* The second wire has left; it comes back as another. */
    input.ports[2].mtu = 9000;
    input.wires[1] = (struct spill_plan_wire){.ports = {"srv", "dmz"}};
    assert_int_equal(spill_plan_compute(&input, &wider, &error), 0);
    assert_int_equal(spill_plan_extend(&plan, &wider, in_use, &error), 0);
    assert_int_equal(plan.port_count, 4);
    assert_int_equal(plan.ports[2].mempool.mbufs, wider.ports[2].mempool.mbufs);
}

static void what_would_change_is_named(void **state)
{
    (void)state;
    /* Devices that spread by themselves, and one that can't. */
    start("1,2", 2);
    widen(1);
    refused("spread in software");
    start("1,2", 1);
    widen(1);
    wider.ports[1].rx[0].owner++;
    refused("port wan");
    start("1,2", 1);
    widen(1);
    wider.ports[0].tx_queue_of[1]++;
    refused("port lan");
    start("1,2", 1);
    widen(1);
    wider.channels[0].senders[0] ^= 2;
    refused("channel fast0");
    start("1,2", 1);
    widen(1);
    wider.lcores[1].id++;
    refused("lcores");
}

/* ------------------------------------------------------------------------------- workers */

static void start_pool(unsigned nodes, const char *fast, const char *pool)
{
    fixture_machine(&machine, nodes, 8, 1);
    fixture_input(&input, &machine, -1, 1);
    fixture_role(&input, SPILL_ROLE_CONTROL, "0");
    fixture_role(&input, SPILL_ROLE_FAST, fast);
    fixture_role(&input, SPILL_ROLE_POOL, pool);
    assert_int_equal(spill_plan_compute(&input, &plan, &error), 0);
}

static void worker_refused(int cpu, const char *word)
{
    const unsigned before = plan.lcore_count;

    assert_null(spill_plan_add_worker(&plan, &machine, cpu, &error));
    if (strstr(error.text, word) == NULL)
        fail_msg("'%s' does not say '%s'", error.text, word);
    assert_int_equal(plan.lcore_count, before);
}

static void workers_come_behind_the_others(void **state)
{
    const struct spill_plan_lcore *lcore;

    (void)state;
    start_pool(1, "1", "6");
    lcore = spill_plan_add_worker(&plan, &machine, 5, &error);
    assert_ptr_equal(lcore, &plan.lcores[3]);
    assert_int_equal(plan.lcore_count, 3);
    spill_plan_count_worker(&plan);
    assert_int_equal(plan.lcore_count, 4);
    assert_string_equal(lcore->name, "pool1");
    assert_int_equal(lcore->cpu, 5);
    assert_int_equal(lcore->pool, 0);
    assert_int_equal(spill_plan_presence(lcore), SPILL_AWAY);
    assert_int_equal(plan.pools[0].workers, 1);
    spill_plan_set_presence(&plan, 3, SPILL_PRESENT);
    assert_int_equal(plan.pools[0].workers, 2);
    spill_plan_set_presence(&plan, 2, SPILL_LEAVING);
    spill_plan_set_presence(&plan, 2, SPILL_AWAY);
    assert_int_equal(plan.pools[0].workers, 1);
}

/* Ports that come later go by all places of workers, as those of the start. */
static void ports_come_after_workers(void **state)
{
    struct spill_plan_lcore *lcore;

    (void)state;
    start_pool(1, "1", "6");
    memset(in_use, 0, sizeof(in_use));
    in_use[0] = in_use[1] = true;
    lcore = spill_plan_add_worker(&plan, &machine, 5, &error);
    assert_non_null(lcore);
    lcore->id = 3;
    spill_plan_count_worker(&plan);
    fixture_role(&input, SPILL_ROLE_POOL, "6,5");
    widen(1);
    assert_int_equal(spill_plan_extend(&plan, &wider, in_use, &error), 0);
    assert_int_equal(plan.port_count, 4);
    assert_int_equal(spill_plan_presence(lcore), SPILL_AWAY);
}

static void what_a_worker_would_change_is_named(void **state)
{
    (void)state;
    start_pool(1, "1", "6");
    worker_refused(1, "fast0 has that CPU for itself");
    worker_refused(6, "pool0 has that CPU for itself");
    worker_refused(0, "would share that CPU");
    /* On a CPU that is shared already, and with rings for it, one more is nothing new. */
    start_pool(1, "1", "1");
    assert_non_null(spill_plan_add_worker(&plan, &machine, 1, &error));
    assert_true(plan.lcores[3].shared);
    assert_non_null(spill_plan_add_worker(&plan, &machine, 0, &error));
    assert_false(plan.lcores[3].shared);
    start_pool(2, "1", "6");
    worker_refused(9, "the plan has no worker on its node, 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_come),
        cmocka_unit_test(a_place_is_taken_again),
        cmocka_unit_test(what_would_change_is_named),
        cmocka_unit_test(workers_come_behind_the_others),
        cmocka_unit_test(ports_come_after_workers),
        cmocka_unit_test(what_a_worker_would_change_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
