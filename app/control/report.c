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

#include "base/clock.h"
#include "base/json.h"
#include "control/log.h"
#include "control/steps.h"
#include "program.h"

static double microseconds(uint64_t cycles)
{
    return (double)cycles * 1e6 / (double)rte_get_tsc_hz();
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

static struct spill_metric_value version(const void *program)
{
    (void)program;
    return spill_value_text(SPILL_VERSION);
}

static struct spill_metric_value outcome(const void *program)
{
    return spill_value_text(outcome_name(((const struct spill_program *)program)->outcome));
}

static struct spill_metric_value reason(const void *program)
{
    return spill_value_text(spill_program_end_reason(program));
}

static struct spill_metric_value seconds(const void *program)
{
    const struct spill_program *of = program;

    return spill_value_real(of->started != 0 ? microseconds(of->stopping - of->started) / 1e6 : 0);
}

static struct spill_metric_value leaked_mbufs(const void *program)
{
    const struct spill_program *of = program;

    return of->uncounted ? (struct spill_metric_value){.type = SPILL_VALUE_NONE}
                         : spill_value_unsigned(of->leaked);
}

static struct spill_metric_value drain_ms(const void *program)
{
    const struct spill_program *of = program;

    return spill_value_real(microseconds(of->stopped - of->stopping) / 1e3);
}

/* Of the whole run, once it is over. */
static const struct spill_metric rows[] = {
    SPILL_METRIC_COMPUTED(TEXT, "version", version, "", "of spillway"),
    SPILL_METRIC_COMPUTED(TEXT, "outcome", outcome, "", "drained, forced or failed"),
    SPILL_METRIC_COMPUTED(TEXT, "reason", reason, "", "what began the end"),
    SPILL_METRIC_COMPUTED(GAUGE, "seconds", seconds, "s",
                          "from the start of the lcores to the beginning of the end"),
    SPILL_METRIC_COMPUTED(GAUGE, "leaked_mbufs", leaked_mbufs, "mbufs",
                          "not back in their mempools after the ports were closed"),
    SPILL_METRIC(COUNTER, "reloads", struct spill_program, reloads, "reloads",
                 "times that the configuration was read again and is in force"),
    SPILL_METRIC_COMPUTED(GAUGE, "drain_ms", drain_ms, "ms",
                          "from the beginning of the end until the last lcore had ended"),
};
static const struct spill_metrics run_metrics = SPILL_METRICS(rows);

static void write_report(struct spill_json *json, struct spill_program *program)
{
    struct spill_metric_json writer;

    spill_json_object_begin(json, NULL);
    spill_metric_json_init(&writer, json);
    spill_metrics_write(&run_metrics, program, &writer.writer);
    spill_program_write_metrics(program, NULL, &writer.writer);
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

int spill_program_report(struct spill_program *program, struct spill_error *error)
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
    spill_log_always("%.1f s: %" PRIu64 " received, %" PRIu64 " transmitted, %" PRIu64
                     " dropped, %" PRId64 " in flight",
                     seconds, sum.received, sum.transmitted, spill_ledger_dropped(&sum),
                     spill_ledger_in_flight(&sum));
}
