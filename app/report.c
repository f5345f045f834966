/* SPDX-License-Identifier: BSD-3-Clause */
/* The report at exit, and the line of live counters. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_malloc.h>

#include "base/clock.h"
#include "base/json.h"
#include "ethertypes.h"
#include "pipeline/security.h"
#include "program.h"

static double microseconds(uint64_t cycles)
{
    return (double)cycles * 1e6 / (double)rte_get_tsc_hz();
}

static double ratio(uint64_t dividend, uint64_t divisor)
{
    return divisor != 0 ? (double)dividend / (double)divisor : 0;
}

static void write_percentiles(struct spill_json *json, const char *key,
                              const struct spill_histogram *histogram, bool count)
{
    spill_json_object_begin(json, key);
    spill_json_double(json, "p50", microseconds(spill_histogram_percentile(histogram, 0.5)));
    spill_json_double(json, "p99", microseconds(spill_histogram_percentile(histogram, 0.99)));
    spill_json_double(json, "p999", microseconds(spill_histogram_percentile(histogram, 0.999)));
    spill_json_double(json, "max", microseconds(histogram->max));
    if (count)
        spill_json_unsigned(json, "count", spill_histogram_count(histogram));
    spill_json_object_end(json);
}

static void write_packets(struct spill_json *json, const struct spill_ledger *sum)
{
    uint32_t i;

    spill_json_object_begin(json, "packets");
    spill_json_unsigned(json, "received", sum->received);
    spill_json_unsigned(json, "originated", sum->originated);
    spill_json_unsigned(json, "transmitted", sum->transmitted);
    spill_json_unsigned(json, "delivered_to_host", sum->delivered_to_host);
    spill_json_unsigned(json, "dropped", spill_ledger_dropped(sum));
    spill_json_signed(json, "in_flight", spill_ledger_in_flight(sum));
    spill_json_object_end(json);
    spill_json_object_begin(json, "drops");
    for (i = 0; i < spill_drop_reason_count(); i++) {
        if (sum->dropped[i] != 0)
            spill_json_unsigned(json, spill_drop_reason_get(i)->name, sum->dropped[i]);
    }
    spill_json_object_end(json);
}

static void write_ports(struct spill_json *json, const struct spill_program *program)
{
    uint32_t i;

    spill_json_array_begin(json, "ports");
    for (i = 0; i < program->port_count; i++) {
        const struct spill_port *port = &program->ports[i];
        const struct spill_port_stats *stats = &program->port_stats[i];
        struct spill_port_counts counts = spill_pipeline_port(program->pipeline, port->id);

        spill_json_object_begin(json, NULL);
        spill_json_string(json, "name", port->name);
        spill_json_string(json, "driver", port->driver);
        spill_json_signed(json, "socket", port->socket);
        spill_json_unsigned(json, "rx_packets", counts.received);
        spill_json_unsigned(json, "tx_packets", counts.transmitted);
        spill_json_unsigned(json, "rx_missed", stats->rx_missed);
        spill_json_unsigned(json, "rx_nombuf", stats->rx_nombuf);
        spill_json_unsigned(json, "tx_retried", counts.retried);
        spill_json_object_end(json);
    }
    spill_json_array_end(json);
}

static void write_stages(struct spill_json *json, const struct spill_loop *loop)
{
    uint32_t i;

    spill_json_array_begin(json, "stages");
    for (i = 0; i < loop->stage_count; i++) {
        const struct spill_stage *stage = &loop->stages[i];

        spill_json_object_begin(json, NULL);
        spill_json_string(json, "name", stage->name);
        spill_json_unsigned(json, "packets", stage->packets);
        spill_json_double(json, "cycles_per_packet", ratio(stage->cycles, stage->packets));
        spill_json_double(json, "longest_us", microseconds(stage->longest));
        spill_json_object_end(json);
    }
    spill_json_array_end(json);
}

static void write_lcores(struct spill_json *json, const struct spill_pipeline *pipeline)
{
    uint32_t i;

    spill_json_array_begin(json, "lcores");
    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        const struct spill_pipeline_lcore *lcore = &pipeline->lcores[i];
        const struct spill_loop_counters *counters = &lcore->loop->counters;

        spill_json_object_begin(json, NULL);
        spill_json_unsigned(json, "lcore", lcore->plan->id);
        spill_json_signed(json, "cpu", lcore->plan->cpu);
        spill_json_signed(json, "socket", lcore->plan->node);
        spill_json_string(json, "role", spill_role_name(lcore->plan->role));
        spill_json_unsigned(json, "polls", counters->polls);
        spill_json_unsigned(json, "empty_polls", counters->empty_polls);
        spill_json_unsigned(json, "packets", counters->packets);
        spill_json_unsigned(json, "busy_cycles", counters->busy_cycles);
        spill_json_double(json, "cycles_per_packet",
                          ratio(counters->busy_cycles, counters->packets));
        spill_json_unsigned(json, "over_budget", counters->over_budget);
        spill_json_double(json, "longest_burst_us", microseconds(counters->longest));
        write_stages(json, lcore->loop);
        spill_json_object_end(json);
    }
    spill_json_array_end(json);
}

static void write_channels(struct spill_json *json, const struct spill_pipeline *pipeline)
{
    uint32_t i;

    spill_json_array_begin(json, "channels");
    for (i = 0; i < pipeline->config.plan->channel_count; i++) {
        const struct spill_channel *channel = pipeline->channels[i];

        spill_json_object_begin(json, NULL);
        spill_json_string(json, "name", channel->name);
        spill_json_unsigned(json, "capacity", channel->capacity);
        spill_json_unsigned(json, "high_water", channel->high_water);
        spill_json_unsigned(json, "sent", spill_channel_sent(channel));
        spill_json_unsigned(json, "refused", spill_channel_refused(channel));
        spill_json_object_end(json);
    }
    spill_json_array_end(json);
}

/* The accounts of one class over all fast lcores. */
struct class_sum {
    uint64_t capacity, inline_packets, pool_packets, helped_packets, jobs, refused, high_water;
    uint64_t cycles;
    struct spill_histogram wait, service;
};

static void add_account(struct class_sum *sum, const struct spill_account *account)
{
    sum->capacity += account->share;
    sum->inline_packets += account->inline_packets;
    sum->pool_packets += account->pool_packets;
    sum->helped_packets += account->helped_packets;
    sum->jobs += account->jobs;
    sum->refused += account->refused;
    sum->high_water += account->high_water;
    sum->cycles += account->service_cycles;
    spill_histogram_add(&sum->wait, &account->wait);
    spill_histogram_add(&sum->service, &account->service);
}

static void write_class(struct spill_json *json, const struct spill_pipeline *pipeline,
                        uint32_t index, const char *name)
{
    static struct class_sum sum;
    uint32_t i;

    memset(&sum, 0, sizeof(sum));
    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        if (pipeline->lcores[i].fast != NULL)
            add_account(&sum, &pipeline->lcores[i].fast->submitter->accounts[index]);
    }
    spill_json_object_begin(json, name);
    spill_json_unsigned(json, "capacity", sum.capacity);
    spill_json_unsigned(json, "inline_packets", sum.inline_packets);
    spill_json_unsigned(json, "pool_packets", sum.pool_packets);
    spill_json_unsigned(json, "helped_packets", sum.helped_packets);
    spill_json_unsigned(json, "jobs", sum.jobs);
    spill_json_unsigned(json, "refused", sum.refused);
    spill_json_unsigned(json, "high_water", sum.high_water);
    write_percentiles(json, "wait_us", &sum.wait, false);
    write_percentiles(json, "service_us", &sum.service, false);
    spill_json_double(json, "cycles_per_packet",
                      ratio(sum.cycles, sum.inline_packets + sum.pool_packets));
    spill_json_object_end(json);
}

static void write_pool(struct spill_json *json, const struct spill_pipeline *pipeline)
{
    uint32_t count = pipeline->config.crypto != NULL ? SPILL_CLASSES : 1, i;

    spill_json_object_begin(json, "pool");
    for (i = 0; i < count; i++)
        write_class(json, pipeline, i, spill_option_class_name((enum spill_option_class)i));
    spill_json_object_end(json);
}

/* Packets of an SA that left it: encrypted, or decrypted and within its policy's bounds. */
static uint64_t passed(const struct spill_sa *sa)
{
    uint64_t packets = 0;
    uint32_t i;

    for (i = 0; i < RTE_MAX_LCORE; i++)
        packets += sa->lcores[i] != NULL ? sa->lcores[i]->packets : 0;
    return packets;
}

static const struct spill_crypto_session *any_session(const struct spill_sa *sa)
{
    uint32_t i;

    for (i = 0; sa->lcores[i] == NULL; i++)
        ;
    return &sa->lcores[i]->crypto;
}

static void write_sa(struct spill_json *json, const struct spill_sa *sa)
{
    struct spill_sa_use use = spill_sa_use(sa);
    bool out = sa->config.direction == SPILL_SA_OUT;

    spill_json_object_begin(json, sa->config.name);
    spill_json_string(json, "direction", out ? "out" : "in");
    spill_json_unsigned(json, "spi", sa->config.spi);
    spill_json_string(json, "algorithm", sa->config.algorithm->name);
    spill_json_string(json, "driver", spill_crypto_driver(any_session(sa)));
    spill_json_unsigned(json, "packets", passed(sa));
    spill_json_unsigned(json, "bytes", use.bytes);
    spill_json_unsigned(json, "sequence",
                        out ? atomic_load(&sa->state->sequence) : sa->state->replay.top);
    spill_json_string(json, "lifetime", spill_program_lifetime(&use));
    spill_json_object_end(json);
}

static void write_sas(struct spill_json *json, const struct spill_program *program)
{
    const struct spill_security *security = spill_snapshot_get(program->rules);
    uint32_t i;

    spill_json_object_begin(json, "sas");
    for (i = 0; security->sas != NULL && i < security->sas->count; i++)
        write_sa(json, security->sas->list[i]);
    spill_json_object_end(json);
}

static void write_latency(struct spill_json *json, const struct spill_pipeline *pipeline)
{
    static struct spill_histogram sums[SPILL_WAYS];

    memset(sums, 0, sizeof(sums));
    spill_pipeline_latency(pipeline, SPILL_WAY_FAST, &sums[SPILL_WAY_FAST]);
    spill_pipeline_latency(pipeline, SPILL_WAY_POOL, &sums[SPILL_WAY_POOL]);
    spill_json_object_begin(json, "latency_us");
    write_percentiles(json, "fast", &sums[SPILL_WAY_FAST], true);
    write_percentiles(json, "pool", &sums[SPILL_WAY_POOL], true);
    spill_json_object_end(json);
}

/* What was done to make packets fit the ports that they left by. */
static void write_exits(struct spill_json *json, const struct spill_pipeline *pipeline)
{
    struct spill_exit_counts sum;

    spill_pipeline_exit_counts(pipeline, &sum);
    spill_json_object_begin(json, "exits");
    spill_json_unsigned(json, "fragmented", sum.fragmented);
    spill_json_unsigned(json, "fragments", sum.fragments);
    spill_json_unsigned(json, "linearized", sum.linearized);
    spill_json_unsigned(json, "padded", sum.padded);
    spill_json_unsigned(json, "cut", sum.cut);
    spill_json_unsigned(json, "icmp_errors", sum.errors);
    spill_json_unsigned(json, "icmp_errors_limited", sum.errors_limited);
    spill_json_object_end(json);
}

/* What passed though it is not IP, by type. */
static void write_non_ip(struct spill_json *json, const struct spill_program *program)
{
    const struct spill_pipeline *pipeline = program->pipeline;
    const struct spill_non_ip *set = &program->options.non_ip;
    uint64_t sums[SPILL_NON_IP_COUNTERS] = {0};
    uint32_t i, j;

    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        for (j = 0; j < SPILL_NON_IP_COUNTERS && pipeline->lcores[i].fast != NULL; j++)
            sums[j] +=
                __atomic_load_n(&pipeline->lcores[i].fast->non_ip_passed[j], __ATOMIC_RELAXED);
    }
    spill_json_array_begin(json, "non_ip");
    for (j = 0; j < SPILL_NON_IP_COUNTERS; j++) {
        char number[8];

        if (sums[j] == 0)
            continue;
        spill_json_object_begin(json, NULL);
        spill_json_string(json, "type",
                          j == SPILL_NON_IP_REST ? "other"
                          : j == SPILL_NON_IP_ENCAPSULATED
                              ? "encapsulated"
                              : spill_ethertype_name(set->types[j], number, sizeof(number)));
        spill_json_unsigned(json, "packets", sums[j]);
        spill_json_object_end(json);
    }
    spill_json_array_end(json);
}

static void write_flows(struct spill_json *json, const struct spill_pipeline *pipeline)
{
    struct spill_flow_counters sum = {0};
    uint32_t i;

    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        const struct spill_flow_counters *counters;

        if (pipeline->lcores[i].fast == NULL)
            continue;
        counters = spill_flow_table_counters(pipeline->lcores[i].fast->flows);
        sum.entries += counters->entries;
        sum.hits += counters->hits;
        sum.misses += counters->misses;
        sum.evicted += counters->evicted;
        sum.expired += counters->expired;
    }
    spill_json_object_begin(json, "flows");
    spill_json_unsigned(json, "entries", sum.entries);
    spill_json_unsigned(json, "hits", sum.hits);
    spill_json_unsigned(json, "misses", sum.misses);
    spill_json_unsigned(json, "evicted", sum.evicted);
    spill_json_unsigned(json, "expired", sum.expired);
    spill_json_object_end(json);
}

static const char *outcome_name(enum spill_outcome outcome)
{
    static const char *const names[] = {
        [SPILL_OUTCOME_DRAINED] = "drained",
        [SPILL_OUTCOME_FORCED] = "forced",
        [SPILL_OUTCOME_FAILED] = "failed",
    };

    return names[outcome];
}

static void write_report(struct spill_json *json, const struct spill_program *program)
{
    const struct spill_pipeline *pipeline = program->pipeline;
    const char *reason = spill_token_reason(&program->stop);
    struct spill_ledger sum = {0};

    if (pipeline != NULL)
        spill_pipeline_ledger(pipeline, &sum);
    spill_json_object_begin(json, NULL);
    spill_json_string(json, "version", SPILL_VERSION);
    spill_json_string(json, "outcome", outcome_name(program->outcome));
    spill_json_string(json, "reason", reason);
    spill_json_double(
        json, "seconds",
        program->started != 0 ? microseconds(program->stopping - program->started) / 1e6 : 0);
    write_packets(json, &sum);
    if (program->uncounted)
        spill_json_string(json, "leaked_mbufs", NULL);
    else
        spill_json_unsigned(json, "leaked_mbufs", program->leaked);
    spill_json_unsigned(json, "reloads", program->reloads);
    spill_json_double(json, "drain_ms", microseconds(program->stopped - program->stopping) / 1e3);
    if (pipeline != NULL) {
        write_ports(json, program);
        write_lcores(json, pipeline);
        write_channels(json, pipeline);
        write_pool(json, pipeline);
        write_sas(json, program);
        write_latency(json, pipeline);
        write_exits(json, pipeline);
        write_flows(json, pipeline);
        write_non_ip(json, program);
    }
    spill_json_object_end(json);
}

/* A pipe without a reader is an error and not waited for. */
static FILE *open_report(const char *path)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                          S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH);
    FILE *out = NULL;

    if (descriptor >= 0 && fcntl(descriptor, F_SETFL, 0) == 0)
        out = fdopen(descriptor, "w");
    if (out == NULL && descriptor >= 0)
        close(descriptor);
    return out;
}

int spill_program_report(const struct spill_program *program, struct spill_error *error)
{
    const char *path = program->options.report;
    struct spill_json json;
    FILE *out;
    int status;

    if (path == NULL)
        return 0;
    out = strcmp(path, "-") == 0 ? stdout : open_report(path);
    if (out == NULL)
        return spill_error_set(error, "--report '%s': %s", path,
                               errno == ENXIO ? "is a pipe that nobody reads" : strerror(errno));
    spill_json_begin(&json, out);
    write_report(&json, program);
    status = spill_json_end(&json);
    if (out != stdout && fclose(out) != 0)
        status = -1;
    return status == 0 ? 0 : spill_error_set(error, "--report '%s': can't be written", path);
}

void spill_program_print_stats(const struct spill_program *program)
{
    double seconds = microseconds(spill_clock() - program->started) / 1e6;
    struct spill_ledger sum;

    spill_pipeline_ledger(program->pipeline, &sum);
    fprintf(stderr,
            "spillway: %.1f s: %" PRIu64 " received, %" PRIu64 " transmitted, %" PRIu64
            " dropped, %" PRId64 " in flight\n",
            seconds, sum.received, sum.transmitted, spill_ledger_dropped(&sum),
            spill_ledger_in_flight(&sum));
}
