/* SPDX-License-Identifier: BSD-3-Clause */
/* A plan as tables for people. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "plan.h"

#define LIST_LENGTH 100 /* of a list on one line; what is longer ends in "..." */

/* Words on one line. */
struct list {
    char text[LIST_LENGTH + 8];
    bool full;
};

/* Adds a word, with a comma before it but for the first. */
__attribute__((format(printf, 2, 3))) static void add_word(struct list *list, const char *format,
                                                           ...)
{
    size_t used = strlen(list->text);
    char word[SPILL_NAME_MAX + 16];
    va_list arguments;

    if (list->full)
        return;
    va_start(arguments, format);
    vsnprintf(word, sizeof(word), format, arguments);
    va_end(arguments);
    list->full = used + strlen(word) > LIST_LENGTH - 2;
    snprintf(list->text + used, sizeof(list->text) - used, "%s%s", used > 0 ? ", " : "",
             list->full ? "..." : word);
}

static double mib(uint64_t bytes)
{
    return (double)bytes / 1048576.0;
}

/* The queues that an lcore owns in one direction. */
static void list_queues(const struct spill_plan *plan, unsigned index, bool rx, struct list *list)
{
    unsigned i, q, count;

    for (i = 0; i < plan->port_count; i++) {
        const struct spill_plan_port *port = &plan->ports[i];

        count = rx ? port->rx_queues : port->tx_queues;
        for (q = 0; !port->left && q < count; q++)
            if ((rx ? port->rx : port->tx)[q].owner == (int)index)
                add_word(list, "%s.%s%u", port->name, rx ? "rx" : "tx", q);
    }
}

/* The fast lcores that hand their jobs to a pool. */
static void list_served(const struct spill_plan *plan, int pool, struct list *list)
{
    unsigned i;

    for (i = 0; i < plan->lcore_count; i++)
        if (plan->lcores[i].role == SPILL_ROLE_FAST && plan->lcores[i].pool == pool)
            add_word(list, "%s", plan->lcores[i].name);
}

/* Adds a sentence about an lcore's work, when there is something to say. */
static void print_part(FILE *out, bool *first, const char *what, const char *which)
{
    if (which[0] == '\0')
        return;
    fprintf(out, "%s%s%s", *first ? "" : "; ", what, which);
    *first = false;
}

static void print_work(const struct spill_plan *plan, unsigned index, FILE *out)
{
    const struct spill_plan_lcore *lcore = &plan->lcores[index];
    struct list rx = {.full = false}, tx = {.full = false}, served = {.full = false};
    bool first = true;

    list_queues(plan, index, true, &rx);
    list_queues(plan, index, false, &tx);
    print_part(out, &first, "receives ", rx.text);
    if (lcore->role == SPILL_ROLE_FAST && plan->spread)
        print_part(out, &first, "takes its share from channel ", lcore->name);
    print_part(out, &first, "transmits ", tx.text);
    if (lcore->role == SPILL_ROLE_CONTROL)
        print_part(out, &first, "signals, telemetry, reports", "; sleeps meanwhile");
    if (lcore->role == SPILL_ROLE_FAST && lcore->pool < 0)
        print_part(out, &first, "expensive work as well: ", "there is no pool");
    if (lcore->role == SPILL_ROLE_POOL) {
        list_served(plan, lcore->pool, &served);
        print_part(out, &first, "expensive work of ", served.text);
    }
    if (first)
        fprintf(out, "nothing");
    fprintf(out, "%s\n", lcore->shared ? " (takes turns on its CPU)" : "");
}

static void print_lcores(const struct spill_plan *plan, FILE *out)
{
    unsigned i;

    fprintf(out, "lcores: who runs where%s\n", plan->automatic ? " (chosen automatically)" : "");
    fprintf(out, "  %-8s %5s %5s %5s  %s\n", "name", "lcore", "CPU", "node", "work");
    for (i = 0; i < plan->lcore_count; i++) {
        const struct spill_plan_lcore *lcore = &plan->lcores[i];

        if (spill_plan_presence(lcore) == SPILL_AWAY)
            continue;
        fprintf(out, "  %-8s %5u %5d %5d  ", lcore->name, lcore->id, lcore->cpu, lcore->node);
        print_work(plan, i, out);
    }
    fprintf(out, "  EAL: --lcores %s\n", plan->eal_lcores);
    for (i = 0; i < plan->idle_count; i++)
        fprintf(out, "%s%u", i == 0 ? "  without a role: EAL lcores " : ", ", plan->idle[i]);
    fputs(plan->idle_count > 0 ? "\n\n" : "\n", out);
}

static void print_ports(const struct spill_plan *plan, FILE *out)
{
    unsigned i;

    fprintf(out, "ports\n  %-16s %5s %10s %10s  %s\n", "name", "node", "rx queues", "tx queues",
            "wired to");
    for (i = 0; i < plan->port_count; i++) {
        const struct spill_plan_port *port = &plan->ports[i];
        char node[16] = "-";

        if (port->left)
            continue;
        if (port->node >= 0)
            snprintf(node, sizeof(node), "%d", port->node);
        fprintf(out, "  %-16s %5s %10u %10u  %s\n", port->name, node, port->rx_queues,
                port->tx_queues, port->peer >= 0 ? plan->ports[port->peer].name : "-");
    }
    if (plan->spread)
        fprintf(out, "  Flows are spread over the fast lcores in software: whoever receives hashes "
                     "and sends on.\n\n");
    else if (plan->count[SPILL_ROLE_FAST] > 1)
        fprintf(out, "  The devices spread flows over the fast lcores (symmetric RSS).\n\n");
    else
        fprintf(out, "\n");
}

static void print_channels(const struct spill_plan *plan, FILE *out)
{
    unsigned i, lcore;

    if (plan->channel_count > 0)
        fprintf(out, "channels: packets from lcore to lcore\n  %-22s %8s %5s  %-8s %s\n", "name",
                "capacity", "node", "reader", "senders");
    for (i = 0; i < plan->channel_count; i++) {
        const struct spill_plan_channel *channel = &plan->channels[i];
        struct list senders = {.full = false};

        if (!spill_plan_channel_is_used(plan, i))
            continue;
        for (lcore = 0; lcore < plan->lcore_count; lcore++)
            if (spill_plan_channel_sends(channel, lcore))
                add_word(&senders, "%s", plan->lcores[lcore].name);
        fprintf(out, "  %-22s %8u %5d  %-8s %s%s\n", channel->name, channel->capacity,
                channel->node, plan->lcores[channel->reader].name, senders.text,
                channel->preemptible ? " (survives preemption)" : "");
    }
    if (plan->channel_count > 0)
        fputc('\n', out);
}

static void print_pools(const struct spill_plan *plan, FILE *out)
{
    unsigned i;

    if (plan->pool_count > 0)
        fprintf(out, "pools: expensive work\n  %5s %8s %8s  %s\n", "node", "workers", "jobs",
                "serves");
    for (i = 0; i < plan->pool_count; i++) {
        const struct spill_plan_pool *pool = &plan->pools[i];
        struct list served = {.full = false};

        list_served(plan, (int)i, &served);
        fprintf(out, "  %5d %8u %8u  %s%s\n", pool->node, pool->workers, pool->jobs, served.text,
                pool->preemptible ? " (survives preemption)" : "");
    }
    if (plan->pool_count > 0)
        fputc('\n', out);
}

static void print_mempools(const struct spill_plan *plan, FILE *out)
{
    unsigned i, t;

    fprintf(out, "mempools: every mbuf that can be away at one time\n");
    for (i = 0; i < plan->port_count; i++) {
        const struct spill_plan_mempool *mempool = &plan->ports[i].mempool;
        uint64_t sum = 0;

        if (plan->ports[i].left)
            continue;
        fprintf(out, "  %s, node %d: %" PRIu64 " mbufs of %u bytes, %.1f MiB\n", mempool->name,
                mempool->node, mempool->mbufs, mempool->data_room, mib(mempool->bytes));
        for (t = 0; t < mempool->term_count; t++) {
            fprintf(out, "  %10" PRIu64 "  %s\n", mempool->terms[t].count, mempool->terms[t].what);
            sum += mempool->terms[t].count;
        }
        fprintf(out, "  %10" PRIu64 "  sum, rounded up to %" PRIu64 "\n", sum, mempool->mbufs);
    }
    fputc('\n', out);
}

static void print_memory(const struct spill_plan *plan, FILE *out)
{
    bool huge = plan->memory_mode == SPILL_MEMORY_HUGEPAGES;
    unsigned i;

    fprintf(out, "memory, MiB: %" PRIu64 " in all%s\n", plan->memory_mib,
            huge ? "" : ", without hugepages");
    fprintf(out, "  %5s %10s %10s %10s %10s %10s %10s\n", "node", "mempools", "tables", "rings",
            "rules", "reserve", "sum");
    for (i = 0; i < plan->node_limit; i++) {
        const struct spill_plan_node *node = &plan->nodes[i];

        if (node->used)
            fprintf(out, "  %5u %10.1f %10.1f %10.1f %10.1f %10.1f %10.1f\n", i,
                    mib(node->mempools), mib(node->tables), mib(node->rings), mib(node->extra),
                    mib(node->slack), mib(node->total));
    }
    for (i = 0; huge && i < plan->node_limit; i++) {
        const struct spill_plan_node *node = &plan->nodes[i];

        if (!node->used)
            continue;
        fprintf(out, "  node %u needs %" PRIu64 " hugepages of 2 MiB, ", i, node->hugepages);
        if (node->hugepages_missing == 0)
            fprintf(out, "which are free\n");
        else
            fprintf(out, "%" PRIu64 " of them are missing; as root:\n    %s\n",
                    node->hugepages_missing, node->command);
    }
    fputc('\n', out);
}

void spill_plan_print(const struct spill_plan *plan, FILE *out)
{
    unsigned i;

    print_lcores(plan, out);
    print_ports(plan, out);
    print_channels(plan, out);
    print_pools(plan, out);
    print_mempools(plan, out);
    print_memory(plan, out);
    if (plan->warning_count == 0)
        fprintf(out, "no warnings\n");
    else
        fprintf(out, "warnings: this works, but costs\n");
    for (i = 0; i < plan->warning_count; i++)
        fprintf(out, "  - %s\n", plan->warnings[i]);
}
