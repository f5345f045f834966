/* SPDX-License-Identifier: BSD-3-Clause */
/* What holds for every plan, on random machines with random ports and roles; and its printed forms.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#include "base/json.h"
#include "plan_inputs.h"

#define ROUNDS 5000

static struct spill_topology machine;
static struct spill_plan_input input;
static struct spill_plan plan;
static unsigned seed;

static unsigned below(unsigned limit)
{
    return (unsigned)rand_r(&seed) % limit;
}

static bool chance(unsigned percent)
{
    return below(100) < percent;
}

/* Up to 8 nodes, with holes in the numbering of nodes and CPUs, some without memory. */
static void random_machine(void)
{
    unsigned nodes = 1u << below(4), i;

    fixture_machine(&machine, nodes, 1 + below(8), 1 + below(2));
    for (i = 1; i < nodes; i++) {
        if (chance(15))
            machine.nodes[i].memory_mib = 0;
        if (chance(15))
            machine.nodes[i].present = false;
        machine.nodes[i].hugepages[0].free = below(200);
        if (!machine.nodes[i].present)
            machine.nodes[i].memory_mib = 0;
    }
    for (i = 0; i < machine.cpu_limit; i++) {
        struct spill_cpu *cpu = &machine.cpus[i];

        cpu->present = machine.nodes[cpu->node].present && !(i > 0 && chance(10));
        cpu->allowed = i == 0 || !chance(10);
        cpu->isolated = cpu->present && chance(20);
    }
}

static void random_role(enum spill_role role, unsigned most)
{
    struct spill_cpu_list *list = &input.roles[role];
    unsigned count = below(most + 1), cpu;

    while (list->count < count) {
        cpu = below(machine.cpu_limit);
        if (machine.cpus[cpu].present && machine.cpus[cpu].allowed)
            list->cpus[list->count++] = (int)cpu;
    }
}

static void random_ports(void)
{
    unsigned count = 1 + below(5), i;
    char name[8];

    for (i = 0; i < count; i++) {
        struct spill_plan_port_input *port;

        snprintf(name, sizeof(name), "p%u", i);
        port = fixture_port(&input, name, (int)below(machine.node_limit + 2) - 1, below(12));
        port->symmetric_rss = chance(60);
        if (chance(30))
            port->rx_queues = 1 + below(port->rx_queues_max > 0 ? port->rx_queues_max : 64);
        if (chance(30))
            port->tx_queues = 1 + below(port->tx_queues_max > 0 ? port->tx_queues_max : 64);
        port->mtu = chance(30) ? 9000 : 1500;
        if (chance(30)) /* about where one mbuf more is needed */
            port->mtu = 2048 * (1 + below(4)) - 40 + below(60);
        port->rx_descriptors = 64 << below(6);
        port->tx_descriptors = 64 << below(6);
        port->data_room = chance(50) ? 9344 : 0;
        port->extra_mbufs = below(100);
    }
    if (chance(70))
        for (i = 0; i + 1 < count; i += 2)
            fixture_wire(&input, input.ports[i].name, input.ports[i + 1].name);
}

static void random_input(void)
{
    random_machine();
    spill_plan_input_init(&input, &machine);
    random_ports();
    input.class_count = below(3);
    for (unsigned i = 0; i < input.class_count; i++)
        input.classes[i] = (struct spill_plan_class){.name = "c", .capacity = 1 + below(100)};
    input.flow_capacity = below(100000);
    input.flow_bytes = 64;
    input.extra_bytes = below(1000000);
    input.split_mbufs = below(60);
    input.tx_backlog = 32 << below(4);
    input.channel_capacity = 64 << below(6);
    if (chance(60)) {
        random_role(SPILL_ROLE_FAST, 8);
        if (input.roles[SPILL_ROLE_FAST].count > 0) {
            random_role(SPILL_ROLE_RX, 4);
            random_role(SPILL_ROLE_TX, 4);
        }
        random_role(SPILL_ROLE_POOL, 8);
        random_role(SPILL_ROLE_CONTROL, 2);
    }
    if (chance(20))
        input.memory_mode = SPILL_MEMORY_NO_HUGE;
}

/* --------------------------------------------------------------------------- what must hold */

static void check_lcores(void)
{
    unsigned role, i, j, seen = 0;

    assert_int_equal(plan.count[SPILL_ROLE_CONTROL], 1);
    assert_true(plan.count[SPILL_ROLE_FAST] > 0);
    for (role = 0; role < SPILL_ROLES; role++) {
        const struct spill_cpu_list *asked = &input.roles[role];

        assert_true(plan.count[role] == 0 || plan.first[role] == seen);
        for (i = 0; i < plan.count[role]; i++, seen++) {
            const struct spill_plan_lcore *lcore = &plan.lcores[seen];

            assert_int_equal(lcore->role, role);
            assert_int_equal(lcore->index, i);
            if (asked->count > 0 && role != SPILL_ROLE_CONTROL)
                assert_int_equal(lcore->cpu, asked->cpus[i]);
            assert_true(machine.cpus[lcore->cpu].present && machine.cpus[lcore->cpu].allowed);
            assert_int_equal(lcore->node, machine.cpus[lcore->cpu].node);
            assert_true(machine.nodes[lcore->memory_node].memory_mib > 0);
            if (machine.nodes[lcore->node].memory_mib > 0)
                assert_int_equal(lcore->memory_node, lcore->node);
        }
        if (asked->count > 0 && role != SPILL_ROLE_CONTROL)
            assert_int_equal(plan.count[role], asked->count);
    }
    assert_int_equal(seen, plan.lcore_count);
    for (i = 1; i < plan.lcore_count; i++) {
        bool shared = false;

        for (j = 1; j < plan.lcore_count; j++)
            shared = shared || (i != j && plan.lcores[i].cpu == plan.lcores[j].cpu);
        assert_int_equal(plan.lcores[i].shared, shared);
        assert_true(!plan.automatic || !shared || plan.count[SPILL_ROLE_POOL] > 0);
    }
}

/* The role that owns queues: that of its own where there is one, else fast. */
static void check_owner(int owner, enum spill_role role)
{
    assert_true(owner > 0 && owner < (int)plan.lcore_count);
    assert_int_equal(plan.lcores[owner].role, plan.count[role] > 0 ? role : SPILL_ROLE_FAST);
}

static void check_queues(void)
{
    unsigned rx[SPILL_LCORES_MAX] = {0}, tx[SPILL_LCORES_MAX] = {0};
    unsigned fast = plan.count[SPILL_ROLE_FAST], p, q, i;

    for (p = 0; p < plan.port_count; p++) {
        const struct spill_plan_port *port = &plan.ports[p];
        const struct spill_plan_port_input *asked = &input.ports[p];

        assert_true(port->rx_queues > 0 && port->tx_queues > 0);
        assert_true(asked->rx_queues == 0 || asked->rx_queues == port->rx_queues);
        assert_true(asked->rx_queues_max == 0 || port->rx_queues <= asked->rx_queues_max);
        assert_true(asked->tx_queues_max == 0 || port->tx_queues <= asked->tx_queues_max);
        for (q = 0; q < port->rx_queues; q++) {
            check_owner(port->rx[q].owner, SPILL_ROLE_RX);
            rx[port->rx[q].owner]++;
            /* Both directions of a flow have one lcore: the queue's number says which. */
            if (!plan.spread)
                assert_int_equal(port->rx[q].owner, plan.first[SPILL_ROLE_FAST] + q % fast);
        }
        if (!plan.spread && fast > 1)
            assert_true(asked->symmetric_rss && port->rx_queues % fast == 0);
        for (q = 0; q < port->tx_queues; q++) {
            check_owner(port->tx[q].owner, SPILL_ROLE_TX);
            tx[port->tx[q].owner]++;
        }
        /* Whom a fast lcore sends to: itself, or a channel that knows it as a sender. */
        for (i = 0; i < fast; i++) {
            const struct spill_plan_queue *queue = &port->tx[port->tx_queue_of[i]];
            unsigned lcore = plan.first[SPILL_ROLE_FAST] + i;

            assert_true(port->tx_queue_of[i] < port->tx_queues);
            if (queue->owner == (int)lcore)
                continue;
            assert_true(queue->channel >= 0);
            assert_int_equal(plan.channels[queue->channel].reader, queue->owner);
            assert_true(spill_plan_channel_sends(&plan.channels[queue->channel], lcore));
        }
    }
    for (i = 0; i < plan.lcore_count; i++) {
        assert_int_equal(rx[i], plan.lcores[i].rx_queues);
        assert_int_equal(tx[i], plan.lcores[i].tx_queues);
    }
}

static void check_channels(void)
{
    unsigned c, i, j, senders;

    for (c = 0; c < plan.channel_count; c++) {
        const struct spill_plan_channel *channel = &plan.channels[c];
        bool preemptible = plan.lcores[channel->reader].preemptible;

        senders = 0;
        for (i = 0; i < SPILL_LCORES_MAX; i++) {
            if (!spill_plan_channel_sends(channel, i))
                continue;
            assert_true(i > 0 && i < plan.lcore_count);
            if ((int)i == channel->reader) /* only an owner that spreads sends to itself */
                assert_true(plan.spread && plan.lcores[i].role == SPILL_ROLE_FAST &&
                            plan.lcores[i].rx_queues > 0);
            preemptible = preemptible || plan.lcores[i].preemptible;
            senders++;
        }
        assert_true(senders > 0);
        assert_int_equal(senders, channel->sender_count);
        assert_int_equal(preemptible, channel->preemptible);
        assert_int_equal(channel->node, plan.lcores[channel->reader].memory_node);
        for (j = 0; j < c; j++)
            assert_string_not_equal(channel->name, plan.channels[j].name);
    }
    /* When spread, every owner of an rx queue reaches every fast lcore. */
    for (i = 0; plan.spread && i < plan.lcore_count; i++) {
        for (j = 0; plan.lcores[i].rx_queues > 0 && j < plan.count[SPILL_ROLE_FAST]; j++) {
            assert_true(plan.fast_channel[j] >= 0);
            assert_true(spill_plan_channel_sends(&plan.channels[plan.fast_channel[j]], i));
        }
    }
}

static void check_pools(void)
{
    unsigned served[SPILL_NODES_MAX] = {0}, workers[SPILL_NODES_MAX] = {0}, i, p;

    for (i = 0; i < plan.lcore_count; i++) {
        const struct spill_plan_lcore *lcore = &plan.lcores[i];

        if (lcore->role == SPILL_ROLE_POOL) {
            workers[lcore->pool]++;
            assert_int_equal(plan.pools[lcore->pool].node, lcore->memory_node);
        } else if (lcore->role != SPILL_ROLE_FAST || plan.pool_count == 0) {
            assert_int_equal(lcore->pool, -1);
        } else {
            served[lcore->pool]++;
            for (p = 0; p < plan.pool_count; p++)
                assert_true(
                    machine.nodes[lcore->memory_node].distance[plan.pools[p].node] >=
                    machine.nodes[lcore->memory_node].distance[plan.pools[lcore->pool].node]);
        }
    }
    for (p = 0; p < plan.pool_count; p++) {
        assert_int_equal(served[p], plan.pools[p].served);
        assert_int_equal(workers[p], plan.pools[p].workers);
    }
}

/* What a port's transmit side can hold of the mbufs of one mempool: in the devices' own rings, each
 * descriptor with an mbuf, and before them, packets of several mbufs each. */
static uint64_t transmit_side(unsigned p, unsigned segments)
{
    const struct spill_plan_port *port = &plan.ports[p];
    uint64_t mbufs = 0;
    unsigned q;

    for (q = 0; q < port->tx_queues; q++) {
        mbufs += input.ports[p].tx_descriptors + (uint64_t)segments * input.tx_backlog;
        if (port->tx[q].owner < 0 || port->tx[q].channel >= 0)
            mbufs += (uint64_t)segments * input.channel_capacity;
    }
    return mbufs;
}

/* A second opinion: every place at which a mbuf of the port's may be, one by one. */
static uint64_t places(unsigned p)
{
    unsigned segments = (input.ports[p].mtu + 14 + 2 * 4 + plan.ports[p].mempool.data_room - 129) /
                        (plan.ports[p].mempool.data_room - 128);
    uint64_t mbufs = input.ports[p].extra_mbufs;
    unsigned i;

    for (i = 0; i < plan.ports[p].rx_queues; i++)
        mbufs += input.ports[p].rx_descriptors;
    for (i = 0; i < plan.port_count; i++)
        if (plan.ports[p].peer < 0 || plan.ports[p].peer == (int)i)
            mbufs += transmit_side(i, segments);
    if (plan.ports[p].peer >= 0) /* answers, of one mbuf each, leave by the port itself */
        mbufs += transmit_side(p, 1);
    for (i = 0; i < plan.lcore_count; i++) {
        mbufs += input.mempool_cache * 3 / 2;
        if (i > 0)
            mbufs += (uint64_t)segments * 2 * input.burst;
        if (plan.lcores[i].role != SPILL_ROLE_FAST)
            continue;
        mbufs += input.split_mbufs;
        mbufs += (uint64_t)segments * input.fragments;
        if (plan.spread)
            mbufs += (uint64_t)segments * input.channel_capacity;
        /* From the others: what is this one's, and as received where nobody spreads. */
        if (plan.count[SPILL_ROLE_FAST] > 1)
            mbufs += (uint64_t)segments *
                     (input.channel_capacity < 256 ? input.channel_capacity : 256) *
                     (plan.spread ? 1 : 2);
    }
    for (i = 0; i < plan.lcore_count * input.class_count; i++)
        if (plan.lcores[i / input.class_count].role == SPILL_ROLE_FAST && plan.pool_count > 0)
            mbufs +=
                (uint64_t)segments * input.burst * input.classes[i % input.class_count].capacity;
    return mbufs;
}

static void check_memory(void)
{
    uint64_t mempools[SPILL_NODES_MAX] = {0}, tables[SPILL_NODES_MAX] = {0};
    uint64_t extra[SPILL_NODES_MAX] = {0}, sum, total = 0;
    unsigned i, t;

    for (i = 0; i < plan.port_count; i++) {
        const struct spill_plan_mempool *mempool = &plan.ports[i].mempool;

        for (t = 0, sum = 0; t < mempool->term_count; t++)
            sum += mempool->terms[t].count;
        assert_true(mempool->mbufs >= sum && mempool->mbufs < sum + 1024);
        assert_int_equal(sum, places(i));
        assert_true(mempool->bytes > mempool->mbufs * (128 + mempool->data_room));
        assert_true((uint64_t)mempool->segments * (mempool->data_room - 128) >=
                    input.ports[i].mtu + 22);
        if (plan.ports[i].node >= 0 && machine.nodes[plan.ports[i].node].memory_mib > 0)
            assert_int_equal(mempool->node, plan.ports[i].node);
        mempools[mempool->node] += mempool->bytes;
    }
    for (i = 0; i < plan.lcore_count; i++)
        if (plan.lcores[i].role == SPILL_ROLE_FAST || plan.lcores[i].role == SPILL_ROLE_POOL)
            extra[plan.lcores[i].memory_node] = input.extra_bytes;
    for (i = 0; i < plan.count[SPILL_ROLE_FAST]; i++)
        tables[plan.lcores[1 + i].memory_node] += input.flow_capacity * input.flow_bytes;
    for (i = 0; i < SPILL_NODES_MAX; i++) {
        const struct spill_plan_node *node = &plan.nodes[i];

        assert_int_equal(node->mempools, mempools[i]);
        assert_int_equal(node->tables, tables[i]);
        assert_int_equal(node->extra, extra[i]);
        assert_int_equal(node->total,
                         node->mempools + node->rings + node->tables + node->extra + node->slack);
        assert_true(node->total == 0 || machine.nodes[i].memory_mib > 0);
        assert_true(node->hugepages == 0 || node->hugepages * 2097152 >= node->total);
        total += node->total;
    }
    assert_true(plan.memory_mib * 1048576 >= total && plan.memory_mib * 1048576 < total + 2097152);
}

static void what_holds_for_every_plan(void **state)
{
    struct spill_error error;
    const char *given = getenv("SEED");
    unsigned round, computed = 0, spread = 0, round_seed;

    (void)state;
    round_seed = given != NULL ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL) * 10007;
    print_message("SEED=%u\n", round_seed);
    for (round = 0; round < ROUNDS; round++) {
        seed = round_seed + round;
        random_input();
        if (spill_plan_compute(&input, &plan, &error) != 0) {
            /* Of the random inputs, only memory can be short. */
            if (strstr(error.text, " MiB") == NULL)
                fail_msg("seed %u: %s", round_seed + round, error.text);
            continue;
        }
        computed++;
        spread += plan.spread ? 1 : 0;
        check_lcores();
        check_queues();
        check_channels();
        check_pools();
        check_memory();
        /* The lcores that came out, given back, make the same plan again. */
        if (!plan.automatic) {
            static struct spill_plan again;

            spill_plan_keep_lcores(&input, &plan);
            assert_int_equal(spill_plan_compute(&input, &again, &error), 0);
            assert_memory_equal(plan.lcores, again.lcores, sizeof(plan.lcores));
            assert_memory_equal(plan.ports, again.ports, sizeof(plan.ports));
        }
    }
    print_message("%u plans, %u of them spread\n", computed, spread);
    assert_true(computed > ROUNDS / 2 && spread > ROUNDS / 20);
}

/* -------------------------------------------------------------------------------- printed */

static char *printed(bool json)
{
    struct spill_json document;
    size_t size;
    char *text;
    FILE *out = open_memstream(&text, &size);

    if (json) {
        spill_json_begin(&document, out);
        spill_plan_print_json(&plan, &document, NULL);
        assert_int_equal(spill_json_end(&document), 0);
    } else {
        spill_plan_print(&plan, out);
    }
    fclose(out);
    return text;
}

static void expect_text(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no '%s' in:\n%s", part, text);
}

static void the_printed_plan(void **state)
{
    struct spill_error error;
    char *text;

    (void)state;
    fixture_machine(&machine, 2, 4, 1);
    fixture_input(&input, &machine, 1, 1);
    machine.nodes[1].hugepages[0].free = 0;
    fixture_role(&input, SPILL_ROLE_FAST, "5,6");
    fixture_role(&input, SPILL_ROLE_POOL, "7");
    assert_int_equal(spill_plan_compute(&input, &plan, &error), 0);
    text = printed(false);
    expect_text(text,
                "  fast0        1     5     1  receives lan.rx0; takes its share from channel "
                "fast0; transmits lan.tx0, wan.tx0\n");
    expect_text(text, "  pool0        3     7     1  expensive work of fast0, fast1\n");
    expect_text(text, "  EAL: --lcores 0@0,1@5,2@6,3@7\n");
    expect_text(text, "  wan.tx0                    1024     1  fast0    fast1\n");
    expect_text(text, "        1024  receive descriptors: 1024 x 1 queues\n");
    expect_text(text, "of them are missing; as root:\n    echo ");
    free(text);
    text = printed(true);
    expect_text(text, "\"eal_lcores\": \"0@0,1@5,2@6,3@7\"");
    expect_text(text, "\"spread_in_software\": true");
    expect_text(text, "\"what\": \"receive descriptors: 1024 x 1 queues\"");
    expect_text(text, "nr_hugepages\"");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_holds_for_every_plan),
        cmocka_unit_test(the_printed_plan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
