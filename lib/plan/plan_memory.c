/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many mbufs, how much memory, on which node.
 *
 * A port's mempool must hold every mbuf that can be away from it at one time: in the device, and in
 * each bounded queue that the port's packets can wait in. Law 1 bounds them all, so the sum is
 * finite and a port never runs dry because of what others hold.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "plan_steps.h"

#define MIB           UINT64_C(1048576)
#define HUGEPAGE      (2 * MIB)
#define PAGE          UINT64_C(4096) /* of memory without hugepages */
#define HUGEPAGE_KIB  2048
#define CACHE_LINE    64
#define MBUF_HEADER   128  /* sizeof(struct rte_mbuf) */
#define MBUF_HEADROOM 128  /* RTE_PKTMBUF_HEADROOM */
#define MBUF_OVERHEAD 128  /* the mempool's own header, and its spreading over memory channels */
#define FRAME_HEADERS 22   /* Ethernet and two VLAN tags */
#define MBUF_ROUNDING 1024 /* a mempool's size is a multiple */
/* Where the device is asked only later. */
#define DESCRIPTORS_GUESS 1024
#define DESCRIPTOR_BYTES  64  /* of a device's ring, with the driver's own record of it */
#define JOB_BYTES         640 /* with what is known of a burst's packets */
#define RING_OVERHEAD     512
#define SENDER_BYTES      64
/* The EAL's and the drivers' own, on the node of the main lcore; and what any heap has on a node.
 */
#define EAL_BYTES  (24 * MIB)
#define HEAP_BYTES (4 * MIB)
#define HEAP_SHARE 32 /* of the rest */

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

/* The memory of a ring for so many pointers: a power of two, one slot stays empty. */
static uint64_t ring_bytes(uint64_t count)
{
    uint64_t slots = 1;

    while (slots < count + 1)
        slots *= 2;
    return slots * sizeof(void *) + RING_OVERHEAD;
}

__attribute__((format(printf, 3, 4))) static void add_term(struct spill_plan_mempool *mempool,
                                                           uint64_t count, const char *format, ...)
{
    struct spill_plan_term *term;
    va_list arguments;

    if (count == 0 || mempool->term_count == SPILL_PLAN_TERMS_MAX)
        return;
    term = &mempool->terms[mempool->term_count++];
    term->count = count;
    va_start(arguments, format);
    vsnprintf(term->what, sizeof(term->what), format, arguments);
    va_end(arguments);
}

/* Adds a term of places that hold whole packets, of several mbufs each when frames are large. */
__attribute__((format(printf, 3, 4))) static void
add_packets(struct spill_plan_mempool *mempool, uint64_t packets, const char *format, ...)
{
    char what[sizeof(mempool->terms[0].what)];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    if (mempool->segments > 1)
        add_term(mempool, packets * mempool->segments, "%.70s x %u segments", what,
                 mempool->segments);
    else
        add_term(mempool, packets, "%s", what);
}

static unsigned descriptors(unsigned asked)
{
    return asked > 0 ? asked : DESCRIPTORS_GUESS;
}

/* ------------------------------------------------------------------------- one mempool */

/* A frame larger than an mbuf comes as a chain. */
static void size_mbuf(const struct spill_plan_input *input,
                      const struct spill_plan_port_input *port, struct spill_plan_mempool *mempool)
{
    unsigned frame = port->mtu + FRAME_HEADERS;

    mempool->data_room = input->data_room + MBUF_HEADROOM;
    if (port->data_room > mempool->data_room)
        mempool->data_room = port->data_room;
    mempool->segments =
        (frame + mempool->data_room - MBUF_HEADROOM - 1) / (mempool->data_room - MBUF_HEADROOM);
    mempool->private_size = input->private_size;
    mempool->cache = input->mempool_cache;
}

/* What waits for transmission at one port. */
static void add_transmit_terms(const struct spill_plan_input *input, const struct spill_plan *plan,
                               unsigned to, struct spill_plan_mempool *mempool)
{
    const struct spill_plan_port *port = &plan->ports[to];
    unsigned tx_descriptors = descriptors(input->ports[to].tx_descriptors);
    unsigned channels = 0, q;

    for (q = 0; q < port->tx_queues; q++)
        if (port->tx[q].channel >= 0)
            channels++;
    add_term(mempool, (uint64_t)tx_descriptors * port->tx_queues,
             "transmit descriptors of %s: %u x %u queues", port->name, tx_descriptors,
             port->tx_queues);
    add_packets(mempool, (uint64_t)input->tx_backlog * port->tx_queues,
                "transmit backlog of %s: %u x %u queues", port->name, input->tx_backlog,
                port->tx_queues);
    add_packets(mempool, (uint64_t)channels * input->channel_capacity,
                "channels to the queues of %s: %u x %u", port->name, channels,
                input->channel_capacity);
}

/* The same for all ports at once, where packets may leave by any of them. */
static void add_all_transmit_terms(const struct spill_plan_input *input,
                                   const struct spill_plan *plan,
                                   struct spill_plan_mempool *mempool)
{
    uint64_t device = 0, backlog = 0, channels = 0;
    unsigned i, q;

    for (i = 0; i < plan->port_count; i++) {
        const struct spill_plan_port *port = &plan->ports[i];

        device += (uint64_t)descriptors(input->ports[i].tx_descriptors) * port->tx_queues;
        backlog += (uint64_t)input->tx_backlog * port->tx_queues;
        for (q = 0; q < port->tx_queues; q++)
            channels += port->tx[q].channel >= 0 ? input->channel_capacity : 0;
    }
    add_term(mempool, device, "transmit descriptors of all ports");
    add_packets(mempool, backlog, "transmit backlogs of all ports");
    add_packets(mempool, channels, "channels to the queues of all ports");
}

/* ICMP errors are made of a port's own mbufs, and go back by the port: one mbuf each. */
static void add_error_term(const struct spill_plan_input *input, const struct spill_plan *plan,
                           unsigned index, struct spill_plan_mempool *mempool)
{
    const struct spill_plan_port *port = &plan->ports[index];
    uint64_t queue = descriptors(input->ports[index].tx_descriptors) + input->tx_backlog;
    uint64_t count = queue * port->tx_queues;
    unsigned q;

    for (q = 0; q < port->tx_queues; q++)
        count += port->tx[q].channel >= 0 ? input->channel_capacity : 0;
    add_term(mempool, count, "ICMP errors back by %s: as many as its transmit side holds",
             port->name);
}

/* What waits on its way from this port's queues to the ports that transmit. */
static void add_way_terms(const struct spill_plan_input *input, const struct spill_plan *plan,
                          struct spill_plan_mempool *mempool)
{
    unsigned polling = plan->lcore_count - 1;
    unsigned fast = plan->count[SPILL_ROLE_FAST];
    uint64_t channels = 0;
    unsigned jobs = 0, i;

    for (i = 0; i < fast; i++) {
        if (plan->fast_channel[i] >= 0)
            channels += plan->channels[plan->fast_channel[i]].capacity;
        if (plan->own_channel[i] >= 0)
            channels += plan->channels[plan->own_channel[i]].capacity;
    }
    for (i = 0; i < plan->pool_count; i++)
        jobs += plan->pools[i].jobs;
    add_packets(mempool, channels, "channels to fast lcores");
    add_packets(mempool, (uint64_t)input->fragments * fast,
                "fragments before their first: %u x %u lcores", input->fragments, fast);
    add_packets(mempool, (uint64_t)jobs * input->burst, "jobs at the pool: %u x %u packets", jobs,
                input->burst);
    add_term(mempool, (uint64_t)input->held_mbufs * plan->count[SPILL_ROLE_FAST],
             "fragments of ESP: %u x %u fast lcores", input->held_mbufs,
             plan->count[SPILL_ROLE_FAST]);
    add_packets(mempool, UINT64_C(2) * polling * input->burst, "bursts in hand: 2 x %u x %u lcores",
                input->burst, polling);
    add_term(mempool, (uint64_t)input->split_mbufs * plan->count[SPILL_ROLE_FAST],
             "fragments in hand: %u x %u fast lcores", input->split_mbufs,
             plan->count[SPILL_ROLE_FAST]);
    add_term(mempool, (uint64_t)mempool->cache * 3 / 2 * plan->lcore_count,
             "mempool caches: 1.5 x %u x %u lcores", mempool->cache, plan->lcore_count);
}

/* No mbuf crosses the edge of a page, but those that are larger than one, which begin at an edge.
 */
static uint64_t mbuf_bytes(uint64_t mbufs, uint64_t element, uint64_t page)
{
    uint64_t on_page = page / element;

    if (on_page == 0)
        return mbufs * round_up(element, page);
    return round_up(mbufs, on_page) / on_page * page;
}

static uint64_t mempool_bytes(const struct spill_plan_input *input,
                              const struct spill_plan_mempool *mempool, unsigned lcores)
{
    uint64_t element =
        round_up(MBUF_HEADER + mempool->private_size + mempool->data_room, CACHE_LINE) +
        MBUF_OVERHEAD;
    uint64_t page = input->memory_mode == SPILL_MEMORY_NO_HUGE ? PAGE : HUGEPAGE;

    return mbuf_bytes(mempool->mbufs, element, page) + ring_bytes(mempool->mbufs) +
           (uint64_t)lcores * (mempool->cache * UINT64_C(3) * sizeof(void *) + CACHE_LINE);
}

static void size_mempool(const struct spill_plan_input *input, struct spill_plan *plan,
                         unsigned index)
{
    const struct spill_plan_port_input *from = &input->ports[index];
    struct spill_plan_port *port = &plan->ports[index];
    struct spill_plan_mempool *mempool = &port->mempool;
    unsigned rx_descriptors = descriptors(from->rx_descriptors);
    uint64_t sum = 0;
    unsigned i;

    snprintf(mempool->name, sizeof(mempool->name), "%s", port->name);
    for (i = 1; i < plan->lcore_count && plan->lcore_count > 2; i++)
        mempool->preemptible |= plan->lcores[i].preemptible;
    mempool->node = port->node >= 0 ? spill_topology_memory_node(input->topology, port->node)
                                    : plan->lcores[port->rx[0].owner].memory_node;
    size_mbuf(input, from, mempool);
    add_term(mempool, (uint64_t)rx_descriptors * port->rx_queues,
             "receive descriptors: %u x %u queues", rx_descriptors, port->rx_queues);
    if (port->peer >= 0) {
        add_transmit_terms(input, plan, (unsigned)port->peer, mempool);
        add_error_term(input, plan, index, mempool);
    } else { /* by whichever its packets are to leave */
        add_all_transmit_terms(input, plan, mempool);
    }
    add_way_terms(input, plan, mempool);
    add_term(mempool, from->extra_mbufs, "asked for beyond that");
    for (i = 0; i < mempool->term_count; i++)
        sum += mempool->terms[i].count;
    mempool->mbufs = round_up(sum, MBUF_ROUNDING);
    mempool->bytes = mempool_bytes(input, mempool, plan->lcore_count);
}

/* --------------------------------------------------------------------------- all nodes */

static void add_lcore_memory(const struct spill_plan_input *input, struct spill_plan *plan)
{
    unsigned i;

    for (i = 0; i < plan->lcore_count; i++) {
        const struct spill_plan_lcore *lcore = &plan->lcores[i];
        struct spill_plan_node *node = &plan->nodes[lcore->memory_node];

        node->used = true;
        node->rings += input->lcore_bytes;
        if (lcore->role == SPILL_ROLE_FAST)
            node->tables += round_up(input->flow_capacity * input->flow_bytes, CACHE_LINE);
        if (lcore->role == SPILL_ROLE_FAST || lcore->role == SPILL_ROLE_POOL)
            node->extra = input->extra_bytes;
    }
    for (i = 0; i < plan->channel_count; i++)
        plan->nodes[plan->channels[i].node].rings +=
            ring_bytes(plan->channels[i].capacity) +
            (uint64_t)plan->channels[i].sender_count * SENDER_BYTES;
    for (i = 0; i < plan->pool_count; i++)
        plan->nodes[plan->pools[i].node].rings +=
            input->class_count * ring_bytes(plan->pools[i].jobs) +
            (uint64_t)plan->pools[i].jobs * JOB_BYTES;
}

static void add_port_memory(const struct spill_plan_input *input, struct spill_plan *plan)
{
    unsigned i;

    for (i = 0; i < plan->port_count; i++) {
        const struct spill_plan_port *port = &plan->ports[i];
        struct spill_plan_node *node = &plan->nodes[port->mempool.node];

        if (port->left)
            continue;
        node->used = true;
        node->mempools += port->mempool.bytes;
        node->rings += (uint64_t)DESCRIPTOR_BYTES *
                       (descriptors(input->ports[i].rx_descriptors) * port->rx_queues +
                        descriptors(input->ports[i].tx_descriptors) * port->tx_queues);
    }
}

static void sum_node(struct spill_plan *plan, unsigned index)
{
    struct spill_plan_node *node = &plan->nodes[index];

    if (!node->used)
        return;
    node->total = node->mempools + node->rings + node->tables + node->extra;
    node->slack = HEAP_BYTES + node->total / HEAP_SHARE;
    if ((int)index == plan->lcores[0].memory_node)
        node->slack += EAL_BYTES;
    node->total += node->slack;
}

/*
 * The hugepages of a node that are there and free, of any size, and the command that makes those of
 * 2 MiB enough. Pages in use by others stay theirs.
 */
static void size_hugepages(const struct spill_plan_input *input, struct spill_plan *plan,
                           unsigned index)
{
    const struct spill_node *machine = &input->topology->nodes[index];
    struct spill_plan_node *node = &plan->nodes[index];
    uint64_t free_bytes = 0, present = 0;
    unsigned i;

    if (!node->used || input->memory_mode == SPILL_MEMORY_NO_HUGE)
        return;
    for (i = 0; i < machine->hugepage_sizes; i++) {
        free_bytes += machine->hugepages[i].free * machine->hugepages[i].size_kib * 1024;
        if (machine->hugepages[i].size_kib == HUGEPAGE_KIB)
            present = machine->hugepages[i].total;
    }
    node->hugepages = round_up(node->total, HUGEPAGE) / HUGEPAGE;
    if (free_bytes < node->total)
        node->hugepages_missing = round_up(node->total - free_bytes, HUGEPAGE) / HUGEPAGE;
    if (input->topology->has_node_folders)
        snprintf(node->command, sizeof(node->command),
                 "echo %" PRIu64 " > /sys/devices/system/node/node%u/hugepages/hugepages-%dkB"
                 "/nr_hugepages",
                 present + node->hugepages_missing, index, HUGEPAGE_KIB);
    else
        snprintf(node->command, sizeof(node->command),
                 "echo %" PRIu64 " > /proc/sys/vm/nr_hugepages", present + node->hugepages_missing);
}

/* What the machine, or --memory, can't give at all is refused now, not by the EAL later. */
static int check_memory(const struct spill_plan_input *input, const struct spill_plan *plan,
                        uint64_t needed_mib, struct spill_error *error)
{
    struct spill_plan_node sum = {0};
    uint64_t machine_mib = 0;
    unsigned i;

    for (i = 0; i < plan->node_limit; i++) {
        const struct spill_plan_node *node = &plan->nodes[i];
        uint64_t mib = input->topology->nodes[i].memory_mib;

        machine_mib += mib;
        sum.mempools += node->mempools;
        sum.tables += node->tables;
        sum.extra += node->extra;
        if (input->memory_mode == SPILL_MEMORY_HUGEPAGES && node->total > mib * MIB)
            return spill_error_set(error,
                                   "node %u has %" PRIu64 " MiB of memory, the plan needs %" PRIu64
                                   " MiB there; fewer descriptors, smaller --flow-capacity or"
                                   " --pool-capacity, or fewer lcores need less",
                                   i, mib, node->total / MIB + 1);
    }
    if (input->memory_mib > 0 && input->memory_mib < needed_mib)
        return spill_error_set(error,
                               "--memory %" PRIu64 ": the plan needs %" PRIu64
                               " MiB (mempools %" PRIu64 ", flow tables %" PRIu64 ", rules %" PRIu64
                               "); --memory %" PRIu64 " would do",
                               input->memory_mib, needed_mib, sum.mempools / MIB, sum.tables / MIB,
                               sum.extra / MIB, needed_mib);
    if (needed_mib > machine_mib || input->memory_mib > machine_mib)
        return spill_error_set(
            error, "--memory: %" PRIu64 " MiB are wanted, and this machine has %" PRIu64,
            input->memory_mib > 0 ? input->memory_mib : needed_mib, machine_mib);
    return 0;
}

int spill_plan_size_memory(const struct spill_plan_input *input, struct spill_plan *plan,
                           struct spill_error *error)
{
    uint64_t total = 0;
    unsigned i;

    plan->node_limit = input->topology->node_limit;
    plan->memory_mode = input->memory_mode;
    for (i = 0; i < plan->port_count; i++)
        size_mempool(input, plan, i);
    add_lcore_memory(input, plan);
    add_port_memory(input, plan);
    for (i = 0; i < plan->node_limit; i++) {
        sum_node(plan, i);
        size_hugepages(input, plan, i);
        total += plan->nodes[i].total;
    }
    total = round_up(total, HUGEPAGE) / MIB;
    plan->memory_mib = input->memory_mib > 0 ? input->memory_mib : total;
    return check_memory(input, plan, total, error);
}
