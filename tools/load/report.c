/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables for people, JSON for programs. */
#include "report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_version.h>

#include "base/json.h"

#define REPORT_VERSION 1

struct percentile {
    const char *name;
    double share;
};

static const struct percentile percentiles[] = {
    {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};

/* Microseconds of so many cycles. */
static double to_us(uint64_t cycles)
{
    return (double)cycles * 1e6 / (double)rte_get_tsc_hz();
}

static double to_mpps(const struct spill_load_trial *trial, uint64_t packets)
{
    return spill_load_trial_rate(trial, packets, rte_get_tsc_hz()) / 1e6;
}

static double share_of(uint64_t part, uint64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

/* ------------------------------------------------------------------------------ text */

void spill_load_print_heading(void)
{
    printf("%-8s %8s %8s  %-16s %12s %12s %9s %9s %9s %8s %8s %8s %8s %8s\n", "trial", "asked",
           "offered", "class", "sent", "received", "lost", "duplicate", "reordered", "p50 us",
           "p90", "p99", "p99.9", "max");
    fflush(stdout);
}

static void print_class(const char *name, const struct spill_load_count *count)
{
    printf("  %-16s %12" PRIu64 " %12" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64, name,
           count->sent, count->received, spill_load_lost(count), count->duplicates,
           count->reordered);
    for (size_t i = 0; i < RTE_DIM(percentiles); i++)
        printf(" %8.1f", to_us(spill_histogram_percentile(&count->latency, percentiles[i].share)));
    printf(" %8.1f\n", to_us(count->latency.max));
}

static void print_more(const struct spill_load_trial *trial)
{
    const struct {
        uint64_t packets;
        const char *what;
    } rest[] = {{trial->tx_full, "refused by the port (tx_full)"},
                {trial->too_late, "not made in time (too_late)"},
                {trial->foreign, "received, not its own (foreign)"}};

    for (size_t i = 0; i < RTE_DIM(rest); i++) {
        if (rest[i].packets > 0)
            printf("%28s%" PRIu64 " %s\n", "", rest[i].packets, rest[i].what);
    }
    if (!trial->quiet)
        printf("%28spackets were still coming at the deadline\n", "");
}

void spill_load_print_trial(const struct spill_load_options *options,
                            const struct spill_load_trial *trial)
{
    char asked[16] = "max";

    if (trial->asked_rate > 0)
        snprintf(asked, sizeof(asked), "%.4f", trial->asked_rate / 1e6);
    printf("%-8s %8s %8.4f", trial->purpose, asked, to_mpps(trial, spill_load_trial_sent(trial)));
    for (unsigned i = 0; i < trial->class_count; i++) {
        if (i > 0)
            printf("%26s", "");
        print_class(options->classes[i].name, &trial->classes[i]);
    }
    print_more(trial);
    fflush(stdout);
}

void spill_load_print_found(const struct spill_load_session *session)
{
    const struct spill_load_found *found = &session->found;

    printf("throughput %.4f Mpps with a loss of at most %g %%%s%s\n", found->rate / 1e6,
           session->bench->options->loss * 100,
           found->generator_limited ? ", limited by the generator" : "",
           found->complete ? "" : ", the search did not end");
    fflush(stdout);
}

/* ------------------------------------------------------------------------------ JSON */

static void write_prefix(struct spill_json *json, const char *key, unsigned family,
                         const struct spill_load_prefix *prefix)
{
    char address[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 8];

    inet_ntop(family == 4 ? AF_INET : AF_INET6, prefix->address, address, sizeof(address));
    snprintf(text, sizeof(text), "%s/%u", address, prefix->length);
    spill_json_string(json, key, text);
}

static void write_class(struct spill_json *json, const struct spill_load_class *class)
{
    char size[16];

    snprintf(size, sizeof(size), class->least == class->most ? "%u" : "%u-%u", class->least,
             class->most);
    spill_json_object_begin(json, NULL);
    spill_json_string(json, "name", class->name);
    spill_json_unsigned(json, "share", class->share);
    spill_json_string(json, "size", class->imix ? "imix" : size);
    spill_json_boolean(json, "new", class->flows == 0);
    spill_json_unsigned(json, "flows", class->flows);
    spill_json_unsigned(json, "family", class->family);
    spill_json_unsigned(json, "vlan", class->vlan);
    write_prefix(json, "from", class->family, &class->from);
    write_prefix(json, "to", class->family, &class->to);
    spill_json_object_end(json);
}

static void write_options(struct spill_json *json, const struct spill_load_options *options)
{
    spill_json_object_begin(json, "options");
    spill_json_boolean(json, "rfc2544", options->rfc2544);
    spill_json_double(json, "rate_mpps", options->rate / 1e6);
    spill_json_double(json, "duration_s", (double)options->duration_ns / 1e9);
    spill_json_double(json, "warm_up_s", (double)options->warm_up_ns / 1e9);
    spill_json_double(json, "trial_s", (double)options->trial_ns / 1e9);
    spill_json_double(json, "loss_allowed", options->loss);
    spill_json_double(json, "max_mpps", options->most / 1e6);
    spill_json_array_begin(json, "latency_at");
    for (unsigned i = 0; i < options->latency_count; i++)
        spill_json_double(json, NULL, options->latency_at[i]);
    spill_json_array_end(json);
    spill_json_array_begin(json, "classes");
    for (unsigned i = 0; i < options->class_count; i++)
        write_class(json, &options->classes[i]);
    spill_json_array_end(json);
    spill_json_object_end(json);
}

static void write_point(struct spill_json *json, const struct spill_histogram *latency,
                        double share)
{
    spill_json_array_begin(json, NULL);
    spill_json_double(json, NULL, to_us(spill_histogram_percentile(latency, share)));
    spill_json_double(json, NULL, share);
    spill_json_array_end(json);
}

/* Each per cent, and the tail finer and finer. */
static void write_cdf(struct spill_json *json, const struct spill_histogram *latency)
{
    spill_json_array_begin(json, "cdf");
    for (int i = 0; i < 99 && spill_histogram_count(latency) > 0; i++)
        write_point(json, latency, i / 100.0);
    for (double rest = 0.01; rest > 5e-5 && spill_histogram_count(latency) > 0; rest /= 10) {
        for (int i = 10; i > 1; i--)
            write_point(json, latency, 1 - rest * i / 10);
    }
    if (spill_histogram_count(latency) > 0)
        write_point(json, latency, 1);
    spill_json_array_end(json);
}

static void write_count(struct spill_json *json, const char *name,
                        const struct spill_load_trial *trial, const struct spill_load_count *count)
{
    spill_json_object_begin(json, NULL);
    spill_json_string(json, "name", name);
    spill_json_unsigned(json, "sent", count->sent);
    spill_json_unsigned(json, "received", count->received);
    spill_json_unsigned(json, "lost", spill_load_lost(count));
    spill_json_double(json, "loss", share_of(spill_load_lost(count), count->sent));
    spill_json_unsigned(json, "duplicates", count->duplicates);
    spill_json_unsigned(json, "reordered", count->reordered);
    spill_json_double(json, "sent_mpps", to_mpps(trial, count->sent));
    spill_json_double(json, "received_mpps", to_mpps(trial, count->received));
    spill_json_object_begin(json, "latency_us");
    for (size_t i = 0; i < RTE_DIM(percentiles); i++)
        spill_json_double(json, percentiles[i].name,
                          to_us(spill_histogram_percentile(&count->latency, percentiles[i].share)));
    spill_json_double(json, "max", to_us(count->latency.max));
    write_cdf(json, &count->latency);
    spill_json_object_end(json);
    spill_json_object_end(json);
}

static void write_trial(struct spill_json *json, const struct spill_load_options *options,
                        const struct spill_load_trial *trial)
{
    const uint64_t sent = spill_load_trial_sent(trial);
    const uint64_t received = spill_load_trial_received(trial);

    spill_json_object_begin(json, NULL);
    spill_json_string(json, "purpose", trial->purpose);
    if (trial->share > 0)
        spill_json_double(json, "share_of_throughput", trial->share);
    if (strcmp(trial->purpose, "search") == 0)
        spill_json_boolean(json, "passed", trial->passed);
    spill_json_double(json, "asked_mpps", trial->asked_rate / 1e6);
    spill_json_double(json, "offered_mpps", to_mpps(trial, sent));
    spill_json_double(json, "received_mpps", to_mpps(trial, received));
    spill_json_double(json, "seconds", (double)trial->took / (double)rte_get_tsc_hz());
    spill_json_unsigned(json, "asked", trial->asked);
    spill_json_unsigned(json, "sent", sent);
    spill_json_unsigned(json, "tx_full", trial->tx_full);
    spill_json_unsigned(json, "too_late", trial->too_late);
    spill_json_unsigned(json, "received", received);
    spill_json_unsigned(json, "lost", sent - received);
    spill_json_double(json, "loss", share_of(sent - received, sent));
    spill_json_unsigned(json, "early", trial->early);
    spill_json_unsigned(json, "foreign", trial->foreign);
    spill_json_boolean(json, "quiet", trial->quiet);
    spill_json_array_begin(json, "classes");
    for (unsigned i = 0; i < trial->class_count; i++)
        write_count(json, options->classes[i].name, trial, &trial->classes[i]);
    spill_json_array_end(json);
    spill_json_object_end(json);
}

static void write_ports(struct spill_json *json, const struct spill_load_bench *bench)
{
    spill_json_array_begin(json, "ports");
    for (unsigned i = 0; i < bench->port_count; i++) {
        const struct spill_port_stats *stats = &bench->stats[i];

        spill_json_object_begin(json, NULL);
        spill_json_string(json, "name", bench->ports[i].name);
        spill_json_string(json, "device", bench->ports[i].device.name);
        spill_json_unsigned(json, "tx_packets", stats->tx_packets);
        spill_json_unsigned(json, "rx_packets", stats->rx_packets);
        spill_json_unsigned(json, "rx_missed", stats->rx_missed);
        spill_json_unsigned(json, "rx_nombuf", stats->rx_nombuf);
        spill_json_unsigned(json, "rx_errors", stats->rx_errors);
        spill_json_unsigned(json, "tx_errors", stats->tx_errors);
        spill_json_object_end(json);
    }
    spill_json_array_end(json);
}

static void write_found(struct spill_json *json, const struct spill_load_found *found)
{
    spill_json_object_begin(json, "throughput");
    spill_json_double(json, "mpps", found->rate / 1e6);
    spill_json_double(json, "failed_mpps", found->failed / 1e6);
    spill_json_boolean(json, "generator_limited", found->generator_limited);
    spill_json_boolean(json, "complete", found->complete);
    spill_json_object_end(json);
}

int spill_load_report_write(const struct spill_load_session *session, int status,
                            struct spill_error *error)
{
    const struct spill_load_options *options = session->bench->options;
    FILE *file = fopen(options->report, "we");
    struct spill_json json;
    int failed;

    if (file == NULL)
        return spill_error_set(error, "--report '%s': %s", options->report, strerror(errno));
    spill_json_begin(&json, file);
    spill_json_object_begin(&json, NULL);
    spill_json_unsigned(&json, "version", REPORT_VERSION);
    spill_json_string(&json, "dpdk", rte_version());
    spill_json_unsigned(&json, "tsc_hz", rte_get_tsc_hz());
    write_options(&json, options);
    spill_json_array_begin(&json, "trials");
    for (unsigned i = 0; i < session->count; i++)
        write_trial(&json, options, session->trials[i]);
    spill_json_array_end(&json);
    if (options->rfc2544)
        write_found(&json, &session->found);
    write_ports(&json, session->bench);
    spill_json_string(&json, "end", session->end);
    spill_json_unsigned(&json, "leaked_mbufs", session->bench->leaked);
    spill_json_signed(&json, "status", status);
    spill_json_object_end(&json);
    failed = spill_json_end(&json);
    if (fclose(file) != 0 || failed != 0)
        return spill_error_set(error, "--report '%s': can't be written", options->report);
    return 0;
}
