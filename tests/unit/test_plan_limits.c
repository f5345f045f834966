/* SPDX-License-Identifier: BSD-3-Clause */
/* Plans: the memory that they ask for, what is refused, and what is warned of. */
#include "plan_case.h"

/* ------------------------------------------------------------------------------- memory */

static void mempool_sum(void **state)
{
    const struct spill_plan_mempool *mempool = &plan.ports[0].mempool;

    (void)state;
    fixture_machine(&plan_machine, 1, 8, 1);
    fixture_input(&plan_input, &plan_machine, 0, 1);
    fixture_role(&plan_input, SPILL_ROLE_FAST, "1,2");
    fixture_role(&plan_input, SPILL_ROLE_POOL, "3");
    plan_input.ports[0].extra_mbufs = 5000;
    plan_input.split_mbufs = 50;
    plan_compute();
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
    plan_input.ports[0].mtu = 9000;
    plan_compute();
    assert_int_equal(mempool->segments, 5);
    assert_int_equal(mempool->mbufs, (1024 + 512 + 5 * (256 + 1024 + 2560 + 200 + 128 * 32 + 192) +
                                      512 + 256 + 1024 + 2 * 50 + 4 * 384 + 5000 + 1023) /
                                         1024 * 1024);
    plan_input.ports[0].data_room = 9344;
    plan_compute();
    assert_int_equal(mempool->segments, 1);
    assert_int_equal(mempool->data_room, 9344);
}

static void memory_without_nodes_memory(void **state)
{
    unsigned i;

    (void)state;
    fixture_machine(&plan_machine, 4, 4, 1);
    plan_machine.nodes[1].memory_mib = 0;
    fixture_input(&plan_input, &plan_machine, 1, 4);
    plan_compute();
    for (i = 1; i < plan.lcore_count; i++) {
        assert_int_equal(plan.lcores[i].node, 1);
        assert_int_equal(plan.lcores[i].memory_node, 0); /* at 16; 2 and 3 are at 32 */
    }
    assert_int_equal(plan.ports[0].mempool.node, 0);
    assert_false(plan.nodes[1].used);
    assert_true(plan_warned("node 1, which has no memory"));

    for (i = 0; i < 4; i++)
        plan_machine.nodes[i].memory_mib = 0;
    plan_refused("no NUMA node");
}

/* A port on a node that has memory and no CPUs: lcores on the nearest node, mbufs with the port. */
static void node_without_cpus(void **state)
{
    unsigned i;

    (void)state;
    fixture_machine(&plan_machine, 4, 4, 1);
    for (i = 0; i < 16; i++)
        plan_machine.cpus[i].node = plan_machine.cpus[i].node == 3 ? 2 : plan_machine.cpus[i].node;
    fixture_input(&plan_input, &plan_machine, 3, 2);
    plan_compute();
    assert_int_equal(plan.ports[0].mempool.node, 3);
    assert_int_equal(plan_lcore(SPILL_ROLE_FAST, 0)->node, 2);
    assert_true(plan_warned("port lan is on node 3"));
}

static void hugepages(void **state)
{
    char expected[128];
    uint64_t needed;

    (void)state;
    fixture_machine(&plan_machine, 2, 4, 1);
    fixture_input(&plan_input, &plan_machine, 1, 1);
    plan_machine.nodes[1].hugepages[0] = (struct spill_hugepages){2048, 10, 4};
    plan_compute();
    needed = plan.nodes[1].hugepages;
    assert_true(needed > 4 && needed * 2 * 1048576 >= plan.nodes[1].total);
    assert_int_equal(plan.nodes[1].hugepages_missing, needed - 4);
    snprintf(expected, sizeof(expected),
             "echo %u > /sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages",
             (unsigned)(10 + needed - 4));
    assert_string_equal(plan.nodes[1].command, expected);
    assert_true(plan_warned(expected));
    assert_int_equal(plan.nodes[0].hugepages_missing, 0);

    /* Larger pages count as well. */
    plan_machine.nodes[1].hugepage_sizes = 2;
    plan_machine.nodes[1].hugepages[1] = (struct spill_hugepages){1048576, 1, 1};
    plan_compute();
    assert_int_equal(plan.nodes[1].hugepages_missing, 0);

    fixture_machine(&plan_machine, 1, 4, 1);
    plan_machine.has_node_folders = false;
    plan_machine.nodes[0].hugepage_sizes = 0;
    plan_input.ports[0].node = plan_input.ports[1].node = -1;
    plan_compute();
    assert_non_null(strstr(plan.nodes[0].command, "> /proc/sys/vm/nr_hugepages"));

    plan_input.memory_mode = SPILL_MEMORY_NO_HUGE;
    plan_compute();
    assert_int_equal(plan.nodes[0].hugepages, 0);
    assert_int_equal(plan.nodes[0].hugepages_missing, 0);
    assert_true(plan.memory_mib * 1048576 >= plan.nodes[0].total);
    assert_int_equal(plan.warning_count, 0);
}

static void memory_limits(void **state)
{
    (void)state;
    fixture_machine(&plan_machine, 1, 4, 1);
    fixture_input(&plan_input, &plan_machine, 0, 1);
    plan_input.memory_mib = 16;
    plan_refused("--memory 16: the plan needs");
    plan_input.memory_mib = 1024;
    plan_compute();
    assert_int_equal(plan.memory_mib, 1024);
    plan_input.memory_mib = 20000;
    plan_refused("this machine has 16384");
    plan_input.memory_mib = 0;
    plan_input.flow_capacity = 1u << 30;
    plan_refused("node 0 has 16384 MiB");
    plan_input.memory_mode = SPILL_MEMORY_NO_HUGE;
    plan_refused("this machine has 16384");
}

/* ------------------------------------------------------------------------------- refusals */

static void refused_cpus(void **state)
{
    (void)state;
    fixture_machine(&plan_machine, 1, 4, 1);
    fixture_input(&plan_input, &plan_machine, 0, 1);
    fixture_role(&plan_input, SPILL_ROLE_FAST, "1,77");
    plan_refused("--fast: there is no CPU 77; this machine has 0-3");
    plan_machine.cpus[2].allowed = false;
    fixture_role(&plan_input, SPILL_ROLE_FAST, "1");
    fixture_role(&plan_input, SPILL_ROLE_POOL, "2");
    plan_refused("--pool: CPU 2 is outside of the affinity mask of this process, 0-1,3");
    plan_machine.cpus[3].present = false;
    fixture_role(&plan_input, SPILL_ROLE_POOL, "");
    fixture_role(&plan_input, SPILL_ROLE_CONTROL, "3");
    plan_refused("--control: there is no CPU 3; this machine has 0-2");
    fixture_input(&plan_input, &plan_machine, 0, 1);
    plan_machine.cpus[0].allowed = plan_machine.cpus[1].allowed = false;
    plan_refused("no CPU of this machine may be used");
}

static void refused_roles(void **state)
{
    unsigned i;

    (void)state;
    fixture_machine(&plan_machine, 1, 4, 1);
    fixture_input(&plan_input, &plan_machine, 0, 1);
    fixture_role(&plan_input, SPILL_ROLE_RX, "1");
    plan_refused("--rx: needs fast lcores");
    fixture_role(&plan_input, SPILL_ROLE_RX, "");
    fixture_role(&plan_input, SPILL_ROLE_TX, "1");
    plan_refused("--tx: needs fast lcores");

    fixture_input(&plan_input, &plan_machine, 0, 1);
    for (i = 0; i < 100; i++)
        plan_input.roles[SPILL_ROLE_FAST].cpus[i] = plan_input.roles[SPILL_ROLE_POOL].cpus[i] = 1;
    plan_input.roles[SPILL_ROLE_FAST].count = 100;
    plan_input.roles[SPILL_ROLE_POOL].count = 27;
    plan_compute();
    assert_int_equal(plan.lcore_count, 128);
    plan_input.roles[SPILL_ROLE_POOL].count = 28;
    plan_refused("--pool: too many lcores; 128 at most");
}

static void refused_ports(void **state)
{
    (void)state;
    fixture_machine(&plan_machine, 1, 4, 1);
    fixture_input(&plan_input, &plan_machine, 0, 4);
    plan_input.ports[1].rx_queues = 5;
    plan_refused("--rx-queues wan:5: the device has 4");
    plan_input.ports[1].rx_queues = 0;
    plan_input.ports[0].tx_queues = 5;
    plan_refused("--tx-queues lan:5: the device has 4");
    plan_input.ports[0].tx_queues_max = 0; /* not known yet */
    plan_compute();
    plan_input.ports[0].tx_queues = 65;
    plan_refused("--tx-queues lan:65: a port has at most 64");

    fixture_input(&plan_input, &plan_machine, 0, 1);
    snprintf(plan_input.wires[0].ports[1], SPILL_NAME_MAX, "dmz");
    plan_refused("--wire lan:dmz: there is no port 'dmz'");
    fixture_input(&plan_input, &plan_machine, 0, 1);
    fixture_port(&plan_input, "dmz", 0, 1);
    fixture_wire(&plan_input, "wan", "dmz");
    plan_refused("--wire wan:dmz: port 'wan' is in two wires");
    plan_input.wire_count = 1;
    snprintf(plan_input.wires[0].ports[1], SPILL_NAME_MAX, "lan");
    plan_refused("a wire has two different ports");

    fixture_input(&plan_input, &plan_machine, 0, 1);
    fixture_port(&plan_input, "lan", 0, 1);
    plan_refused("--port lan: two ports");
    snprintf(plan_input.ports[2].name, SPILL_NAME_MAX, "a name too long for it");
    plan_refused("' ' in the name");
    snprintf(plan_input.ports[2].name, SPILL_NAME_MAX, "a-name-too-long-for-it");
    plan_refused("1 to 16 characters");
    plan_input.ports[2].name[0] = '\0';
    plan_refused("1 to 16 characters");
    plan_input.port_count = SPILL_PORTS_MAX + 1;
    plan_refused("33 ports");
    fixture_input(&plan_input, &plan_machine, 0, 1);
    plan_input.channel_capacity = 0;
    plan_refused("must be above 0");
}

/* Only where an MTU means something. */
static void unequal_ends_are_warned_of(void **state)
{
    (void)state;
    fixture_machine(&plan_machine, 1, 8, 1);
    fixture_input(&plan_input, &plan_machine, 0, 1);
    plan_compute();
    assert_false(plan_warned("MTU"));
    plan_input.ports[0].mtu = 9000;
    plan_compute();
    assert_true(plan_warned("wire lan:wan: MTU 9000 at the one end, 1500 at the other"));
    plan_input.ports[1].no_mtu = true;
    plan_compute();
    assert_false(plan_warned("MTU"));
}

static void warnings_end_in_time(void **state)
{
    unsigned i;

    (void)state;
    fixture_machine(&plan_machine, 1, 128, 1);
    fixture_input(&plan_input, &plan_machine, 0, 64);
    plan_input.roles[SPILL_ROLE_FAST].count = 100;
    for (i = 0; i < 100; i++)
        plan_input.roles[SPILL_ROLE_FAST].cpus[i] = (int)i;
    fixture_role(&plan_input, SPILL_ROLE_CONTROL, "100");
    for (i = 0; i < 100; i++)
        plan_input.roles[SPILL_ROLE_CONTROL].cpus[i] = (int)i;
    plan_input.roles[SPILL_ROLE_CONTROL].count = 100;
    plan_compute();
    assert_int_equal(plan.warning_count, SPILL_PLAN_WARNINGS_MAX);
    assert_true(plan_warned("there are more warnings"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
