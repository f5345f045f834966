/* SPDX-License-Identifier: BSD-3-Clause */
/* What a plan says is needed is enough: a real EAL with that memory and those lcores. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "plan_inputs.h"

static struct spill_topology machine;
static struct spill_plan_input input;
static struct spill_plan plan;

/* This machine, without hugepages: three fast lcores and a worker, all on its first usable CPU. */
static int start(void **state)
{
    char memory[32];
    char *arguments[] = {"test",     "--no-huge",     "--no-shconf", "--no-pci", "--no-telemetry",
                         "--lcores", plan.eal_lcores, "-m",          memory};
    struct spill_error error;
    unsigned cpu;

    (void)state;
    assert_int_equal(spill_topology_read(&machine, SPILL_SYSFS, &error), 0);
    for (cpu = 0; !machine.cpus[cpu].allowed; cpu++)
        ;
    fixture_input(&input, &machine, -1, 1);
    input.roles[SPILL_ROLE_FAST] = (struct spill_cpu_list){3, {(int)cpu, (int)cpu, (int)cpu}};
    input.roles[SPILL_ROLE_POOL] = (struct spill_cpu_list){1, {(int)cpu}};
    input.memory_mode = SPILL_MEMORY_NO_HUGE;
    input.flow_capacity = 100000;
    if (spill_plan_compute(&input, &plan, &error) != 0)
        fail_msg("%s", error.text);
    snprintf(memory, sizeof(memory), "%u", (unsigned)plan.memory_mib);
    return rte_eal_init(sizeof(arguments) / sizeof(arguments[0]), arguments) < 0 ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    return rte_eal_cleanup();
}

static void lcores_are_those_of_the_plan(void **state)
{
    unsigned i;

    (void)state;
    assert_int_equal(rte_lcore_count(), plan.lcore_count);
    assert_int_equal(rte_get_main_lcore(), plan.lcores[0].id);
    for (i = 1; i < plan.lcore_count; i++) {
        rte_cpuset_t cpus = rte_lcore_cpuset(plan.lcores[i].id);

        assert_int_equal(CPU_COUNT(&cpus), 1);
        assert_true(CPU_ISSET(plan.lcores[i].cpu, &cpus));
    }
}

static void memory_is_enough(void **state)
{
    unsigned i;

    (void)state;
    for (i = 0; i < plan.count[SPILL_ROLE_FAST]; i++)
        assert_non_null(rte_malloc(NULL, input.flow_capacity * input.flow_bytes, 64));
    assert_non_null(rte_malloc(NULL, input.extra_bytes, 64));
    for (i = 0; i < plan.channel_count; i++)
        assert_non_null(rte_ring_create(plan.channels[i].name, plan.channels[i].capacity,
                                        SOCKET_ID_ANY, RING_F_EXACT_SZ));
    for (i = 0; i < plan.port_count; i++) {
        const struct spill_plan_mempool *mempool = &plan.ports[i].mempool;
        struct rte_mempool *made = rte_pktmbuf_pool_create(
            mempool->name, (unsigned)mempool->mbufs, mempool->cache,
            (uint16_t)mempool->private_size, (uint16_t)mempool->data_room, SOCKET_ID_ANY);

        if (made == NULL)
            fail_msg("mempool %s: %s", mempool->name, rte_strerror(rte_errno));
        assert_int_equal(rte_mempool_avail_count(made), mempool->mbufs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lcores_are_those_of_the_plan),
        cmocka_unit_test(memory_is_enough),
    };

    return cmocka_run_group_tests(tests, start, end);
}
