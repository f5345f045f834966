/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/run_limits.h"

#include "base/clock.h"
#include "control/steps.h"

#define SAMPLE_NS UINT64_C(10000000)
/* A limit in packets is passed by what comes between two samples. */
#define PACKETS_SAMPLE_NS UINT64_C(1000000)

static void print_stats(void *program)
{
    spill_program_print_stats(program);
}

static void sample(void *context)
{
    struct spill_run_limits *limits = context;
    struct spill_program *program = limits->program;
    const struct spill_options *options = &program->options;
    const uint64_t now = spill_clock();
    /* An lcore that lost its CPU has looked at nothing: that time is not idle. */
    bool turned = spill_pipeline_turned(program->pipeline, limits->turns);
    uint64_t received = spill_pipeline_received(program->pipeline);

    if (received != limits->received)
        limits->idle = 0;
    else if (turned)
        limits->idle += now - limits->sampled;
    limits->received = received;
    limits->sampled = now;
    if (options->packets != 0 && received >= options->packets)
        spill_program_end(program, "packets");
    if (options->exit_on_idle_ns != 0 && limits->idle >= spill_cycles(options->exit_on_idle_ns))
        spill_program_end(program, "idle");
}

/* Nanoseconds of the duration that are left. */
static uint64_t left_of_duration(const struct spill_program *program)
{
    const uint64_t end = program->started + spill_cycles(program->options.duration_ns);
    const uint64_t now = spill_clock();

    return now < end ? spill_nanoseconds(end - now) : 0;
}

/* The timer goes by another clock than the TSC, by which the report tells how long it ran. */
static void end_duration(void *context)
{
    struct spill_run_limits *limits = context;
    struct spill_program *program = limits->program;
    const uint64_t left = left_of_duration(program);

    if (left == 0 ||
        spill_events_after(&program->events, &limits->duration, left, end_duration, limits) != 0)
        spill_program_end(program, "duration");
}

int spill_run_limits_begin(struct spill_run_limits *limits, struct spill_program *program)
{
    const struct spill_options *options = &program->options;
    struct spill_events *events = &program->events;
    const uint64_t samples = options->packets != 0 ? PACKETS_SAMPLE_NS : SAMPLE_NS;
    int status = 0;

    limits->program = program;
    limits->sampled = spill_clock();
    if (options->duration_ns != 0)
        status |= spill_events_after(events, &limits->duration, left_of_duration(program),
                                     end_duration, limits);
    if (options->packets != 0 || options->exit_on_idle_ns != 0)
        status |= spill_events_every(events, &limits->sample, samples, sample, limits);
    if (options->stats_ns != 0)
        status |=
            spill_events_every(events, &limits->stats, options->stats_ns, print_stats, program);
    return status;
}

void spill_run_limits_end(struct spill_run_limits *limits)
{
    spill_event_remove(&limits->duration);
    spill_event_remove(&limits->sample);
    spill_event_remove(&limits->stats);
}
