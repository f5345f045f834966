/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/stalls.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/watch_names.h"
#include "program.h"
#include "runtime/stall.h"

#define LOOK_NS UINT64_C(500000000)
#define KEPT    32 /* slow turns of each lcore, the newest */
#define SAMPLES 4  /* of the kernel, the newest: the oldest is two seconds old */

/* What the kernel has said of a thread and its CPU. */
struct sample {
    uint64_t time;                    /* TSC; 0: none yet */
    bool has_schedule, has_steal;     /* it has said so */
    uint64_t ran_ns, waited_ns, runs; /* since it began */
    uint64_t stolen;                  /* ticks */
};

struct kept {
    struct spill_stall stall;
    struct sample before, after; /* around it */
};

struct lcore {
    int schedule; /* the thread's schedstat; -1: there is none */
    uint32_t next_sample, kept_count;
    struct sample samples[SAMPLES]; /* the newest before `next_sample` */
    struct kept kept[KEPT];         /* the newest before kept_count % KEPT */
};

struct spill_stall_watch {
    struct spill_program *program;
    struct spill_event look;
    int stat; /* /proc/stat */
    struct lcore lcores[SPILL_LCORES_MAX];
};

/* ------------------------------------------------------------------------------- samples */

/* A thread is known once it runs; where the kernel keeps no such figures, it has no file. */
static int open_schedule(const struct spill_loop *loop)
{
    const pid_t thread = __atomic_load_n(&loop->thread, __ATOMIC_ACQUIRE);
    char path[64];

    if (thread == 0)
        return -1;
    snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", (int)thread);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static void read_schedule(struct lcore *lcore, const struct spill_loop *loop, struct sample *sample)
{
    char text[128];
    ssize_t size;

    if (lcore->schedule < 0)
        lcore->schedule = open_schedule(loop);
    size = lcore->schedule >= 0 ? pread(lcore->schedule, text, sizeof(text) - 1, 0) : -1;
    if (size <= 0)
        return;
    text[size] = '\0';
    sample->has_schedule = sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64, &sample->ran_ns,
                                  &sample->waited_ns, &sample->runs) == 3;
}

/* The eighth number of a CPU's line. @param text  of /proc/stat */
static void read_steal(const char *text, unsigned cpu, struct sample *sample)
{
    char name[24];
    const char *line;

    snprintf(name, sizeof(name), "\ncpu%u ", cpu);
    line = strstr(text, name);
    sample->has_steal =
        line != NULL &&
        sscanf(line + strlen(name), "%*u %*u %*u %*u %*u %*u %*u %" SCNu64, &sample->stolen) == 1;
}

static struct sample *newest(struct lcore *lcore)
{
    return &lcore->samples[(lcore->next_sample + SAMPLES - 1) % SAMPLES];
}

/* The newest that is older than a time; the oldest that there is, if none is. */
static const struct sample *before(const struct lcore *lcore, uint64_t time)
{
    const struct sample *found = NULL;

    for (uint32_t i = 1; i < SAMPLES; i++) {
        const struct sample *sample =
            &lcore->samples[(lcore->next_sample + SAMPLES - 1 - i) % SAMPLES];

        if (sample->time == 0)
            break;
        found = sample;
        if ((int64_t)(time - sample->time) > 0)
            break;
    }
    return found;
}

static void take_sample(struct spill_stall_watch *watch, uint32_t index, const char *stat)
{
    struct lcore *lcore = &watch->lcores[index];
    struct sample *sample = &lcore->samples[lcore->next_sample];

    *sample = (struct sample){.time = spill_clock()};
    read_schedule(lcore, watch->program->pipeline->lcores[index].loop, sample);
    read_steal(stat, (unsigned)watch->program->plan.lcores[index].cpu, sample);
    lcore->next_sample = (lcore->next_sample + 1) % SAMPLES;
}

static void take_stalls(struct lcore *lcore, struct spill_loop *loop)
{
    struct spill_stall stall;

    while (spill_stalls_take(&loop->stalls, &stall)) {
        struct kept *kept = &lcore->kept[lcore->kept_count++ % KEPT];
        const struct sample *sample = before(lcore, stall.turns[SPILL_STALL_ITSELF].began);

        *kept = (struct kept){.stall = stall, .after = *newest(lcore)};
        if (sample != NULL)
            kept->before = *sample;
    }
}

/* The kernel's files are of processors and threads: short, and no disk is behind them. */
static void look(void *context)
{
    struct spill_stall_watch *watch = context;
    const struct spill_pipeline *pipeline = watch->program->pipeline;
    static char stat[64 * 1024];
    const ssize_t size = watch->stat >= 0 ? pread(watch->stat, stat, sizeof(stat) - 1, 0) : -1;

    stat[size > 0 ? size : 0] = '\0';
    for (uint32_t i = 1; i < pipeline->config.plan->lcore_count; i++) {
        take_sample(watch, i, stat);
        take_stalls(&watch->lcores[i], pipeline->lcores[i].loop);
    }
}

/* ------------------------------------------------------------------------------ what is told */

static double microseconds(uint64_t cycles)
{
    return (double)cycles * 1e6 / (double)rte_get_tsc_hz();
}

static void write_turn(struct spill_json *json, const char *key, const struct spill_loop *loop,
                       const struct spill_turn *turn)
{
    if (turn->began == 0)
        return;
    spill_json_object_begin(json, key);
    spill_json_double(json, "us", microseconds(turn->ended - turn->began));
    spill_json_unsigned(json, "packets", turn->packets);
    spill_json_object_begin(json, "stages_us");
    for (uint32_t i = 0; i < loop->stage_count; i++) {
        if ((turn->handled >> i & 1) != 0)
            spill_json_double(json, loop->stages[i].name, microseconds(turn->cycles[i]));
    }
    spill_json_object_end(json);
    spill_json_object_end(json);
}

/* Whether the kernel was asked before the turn began, and after it had ended. */
static bool is_covered(const struct kept *kept)
{
    const struct spill_turn *turn = &kept->stall.turns[SPILL_STALL_ITSELF];

    return kept->before.time != 0 && (int64_t)(turn->began - kept->before.time) >= 0 &&
           (int64_t)(kept->after.time - turn->ended) >= 0;
}

/*
 * By which the machine can be told from the program, as far as the kernel counts it. Of a turn that
 * was watched in part, what was seen may prove that it was kept from running, but not that it ran.
 */
static const char *cause_of(const struct kept *kept, bool scheduled, double waited_us,
                            double stolen_us)
{
    const struct spill_turn *turn = &kept->stall.turns[SPILL_STALL_ITSELF];
    const double us = microseconds(turn->ended - turn->began);

    if (!scheduled)
        return "unknown";
    if (waited_us >= us / 2)
        return "preempted";
    if (stolen_us >= us / 2)
        return "stolen";
    return is_covered(kept) && waited_us < us / 10 && stolen_us == 0 ? "not preempted" : "unknown";
}

static void write_kernel(struct spill_json *json, const struct kept *kept)
{
    const struct sample *old = &kept->before, *new = &kept->after;
    const bool scheduled = old->has_schedule && new->has_schedule;
    const bool stolen = old->has_steal && new->has_steal;
    const double waited_us = scheduled ? (double)(new->waited_ns - old->waited_ns) / 1e3 : 0;
    const double stolen_us =
        stolen ? (double)(new->stolen - old->stolen) * 1e6 / (double)sysconf(_SC_CLK_TCK) : 0;

    spill_json_string(json, "cause", cause_of(kept, scheduled, waited_us, stolen_us));
    spill_json_object_begin(json, "kernel");
    spill_json_double(json, "within_us", old->time != 0 ? microseconds(new->time - old->time) : 0);
    if (scheduled) {
        spill_json_double(json, "waited_for_cpu_us", waited_us);
        spill_json_unsigned(json, "put_on_cpu", new->runs - old->runs);
    }
    if (stolen)
        spill_json_double(json, "stolen_us", stolen_us);
    spill_json_object_end(json);
}

static void write_kept(struct spill_json *json, const char *name, const struct spill_loop *loop,
                       const struct kept *kept)
{
    const struct spill_stall *stall = &kept->stall;

    spill_json_object_begin(json, NULL);
    spill_json_string(json, "lcore", name);
    spill_watch_write_time(json, "time", stall->turns[SPILL_STALL_ITSELF].began);
    spill_json_string(json, "why", stall->over_budget ? "over the budget" : "longer than 250 us");
    write_turn(json, "before", loop, &stall->turns[SPILL_STALL_BEFORE]);
    write_turn(json, "turn", loop, &stall->turns[SPILL_STALL_ITSELF]);
    write_turn(json, "after", loop, &stall->turns[SPILL_STALL_AFTER]);
    write_kernel(json, kept);
    spill_json_object_end(json);
}

void spill_program_write_stalls(struct spill_program *program, struct spill_json *json,
                                const char *key)
{
    struct spill_stall_watch *watch = program->stalls;

    spill_json_array_begin(json, key);
    for (uint32_t i = 1; watch != NULL && i < program->plan.lcore_count; i++) {
        const struct lcore *lcore = &watch->lcores[i];
        const uint32_t count = RTE_MIN(lcore->kept_count, (uint32_t)KEPT);

        for (uint32_t n = lcore->kept_count - count; n != lcore->kept_count; n++)
            write_kept(json, program->plan.lcores[i].name, program->pipeline->lcores[i].loop,
                       &lcore->kept[n % KEPT]);
    }
    spill_json_array_end(json);
}

/* --------------------------------------------------------------------------- from when to when */

int spill_program_open_stalls(struct spill_program *program, struct spill_error *error)
{
    struct spill_stall_watch *watch = calloc(1, sizeof(*watch));

    if (watch == NULL)
        return spill_error_set(error, "no memory for slow turns of lcores");
    watch->program = program;
    watch->stat = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    for (uint32_t i = 0; i < SPILL_LCORES_MAX; i++)
        watch->lcores[i].schedule = -1;
    program->stalls = watch;
    look(watch);
    if (spill_events_every(&program->events, &watch->look, LOOK_NS, look, watch) != 0)
        return spill_error_set(error, "no memory for a timer");
    return 0;
}

void spill_program_close_stalls(struct spill_program *program)
{
    struct spill_stall_watch *watch = program->stalls;

    if (watch == NULL)
        return;
    spill_event_remove(&watch->look);
    for (uint32_t i = 0; i < SPILL_LCORES_MAX; i++) {
        if (watch->lcores[i].schedule >= 0)
            close(watch->lcores[i].schedule);
    }
    if (watch->stat >= 0)
        close(watch->stat);
    free(watch);
    program->stalls = NULL;
}
