/* SPDX-License-Identifier: BSD-3-Clause */
/* The loop of a polling lcore: stages, idle policy, heartbeat, end. */
#include <sched.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_debug.h>
#include <rte_eal.h>
#include <rte_pause.h>

#include "base/clock.h"
#include "loop.h"

#define SLEEP_LONGEST_NS 500000

void spill_loop_init(struct spill_loop *loop, const struct spill_token *stop,
                     const struct spill_token *force)
{
    *loop = (struct spill_loop){.stop = stop, .force = force};
    spill_stalls_init(&loop->stalls);
    spill_heartbeat_init(&loop->heartbeat);
}

void spill_loop_add(struct spill_loop *loop, const struct spill_stage *stage)
{
    RTE_VERIFY(loop->stage_count < SPILL_STAGES_MAX);
    loop->stages[loop->stage_count++] = *stage;
}

/*
 * Sleeps for an eighth of the time that nothing has come, so that what comes next waits for a small
 * part of the pause before it, at most SLEEP_LONGEST_NS. Below a microsecond a sleep costs more
 * than it saves.
 */
static void sleep_a_while(struct spill_loop *loop, uint64_t now)
{
    double idle_ns = (double)(now - loop->idle_since) * 1e9 / (double)rte_get_tsc_hz();
    struct timespec pause = {.tv_nsec = (long)RTE_MIN(idle_ns / 8, (double)SLEEP_LONGEST_NS)};

    if (pause.tv_nsec < 1000) {
        rte_pause();
        return;
    }
    if (loop->reader != NULL)
        spill_snapshot_reader_offline(loop->reader);
    nanosleep(&pause, NULL);
    if (loop->reader != NULL)
        spill_snapshot_reader_online(loop->reader);
}

/* Passes the time of an empty turn, which is time to spare: the budget earns it. Returns the TSC.
 */
static uint64_t idle(struct spill_loop *loop, uint64_t now)
{
    const enum spill_idle policy = __atomic_load_n(&loop->idle, __ATOMIC_RELAXED);
    uint64_t later;

    if (loop->idle_since == 0)
        loop->idle_since = now;
    if (policy == SPILL_IDLE_SLEEP)
        sleep_a_while(loop, now);
    else if (loop->yield)
        sched_yield();
    else if (policy == SPILL_IDLE_PAUSE)
        rte_pause();
    else
        return now;
    later = spill_clock();
    if (loop->budget != NULL)
        spill_budget_earn(loop->budget, later - now);
    return later;
}

/*
 * One turn of each stage. Returns what they handled; *now is the time at the end of the last that
 * handled any, *most what the busiest handled. A stage with nothing to do is not worth a look at
 * the clock, which costs as much as the stage: its few cycles count as the next one's.
 */
static uint32_t run_stages(struct spill_loop *loop, struct spill_turn *turn, uint64_t *now,
                           uint32_t *most)
{
    uint32_t handled = 0, i;

    turn->began = *now;
    turn->handled = 0;
    for (i = 0; i < loop->stage_count; i++) {
        struct spill_stage *stage = &loop->stages[i];
        uint64_t began = *now, cycles;
        uint32_t packets;

        spill_heartbeat_stage(&loop->heartbeat, stage->name);
        packets = stage->poll(stage->context, began);
        if (packets == 0)
            continue;
        *now = spill_clock();
        cycles = *now - began;
        handled += packets;
        *most = RTE_MAX(*most, packets);
        stage->packets += packets;
        stage->cycles += cycles;
        turn->cycles[i] = cycles;
        turn->handled |= 1u << i;
        if (cycles > stage->longest)
            stage->longest = cycles;
    }
    spill_heartbeat_stage(&loop->heartbeat, NULL);
    if (handled == 0)
        *now = spill_clock();
    turn->ended = *now;
    turn->packets = handled;
    return handled;
}

static void account(struct spill_loop *loop, const struct spill_turn *turn, uint32_t most)
{
    struct spill_loop_counters *counters = &loop->counters;
    struct spill_budget *budget = loop->budget;
    const uint64_t cycles = turn->ended - turn->began;
    const uint32_t handled = turn->packets;
    bool over_budget = false;

    if (budget != NULL && most <= SPILL_SPARE_PACKETS)
        spill_budget_earn(budget, cycles - RTE_MIN(cycles, budget->spent));
    if (handled == 0) {
        counters->empty_polls++;
    } else {
        counters->packets += handled;
        counters->busy_cycles += cycles;
        if (cycles > counters->longest)
            counters->longest = cycles;
    }
    if (budget != NULL) {
        over_budget = spill_budget_end_iteration(budget);
        counters->over_budget += over_budget;
    }
    if (unlikely(spill_stalls_is_due(&loop->stalls, turn, over_budget)))
        counters->slow += spill_stalls_keep(&loop->stalls, counters->polls, over_budget);
    counters->polls++;
}

/*
 * Asks all stages, upstream first, whether they have come to their end. All must say so in one
 * turn: one that was at its end before may have got packets since from a stage before it.
 */
static bool all_ended(struct spill_loop *loop)
{
    bool all = true;
    uint32_t i;

    for (i = 0; i < loop->stage_count; i++)
        all &= loop->stages[i].end(loop->stages[i].context);
    return all;
}

void spill_loop_start_again(struct spill_loop *loop)
{
    __atomic_store_n(&loop->again, loop->again + 1, __ATOMIC_RELEASE);
}

/* @param starts  of those that it was told to, how many it has begun */
static void start(struct spill_loop *loop, uint32_t *starts)
{
    *starts = __atomic_load_n(&loop->again, __ATOMIC_ACQUIRE);
    if (loop->start != NULL)
        loop->start(loop->start_context);
}

int spill_loop_run(void *argument)
{
    struct spill_loop *loop = argument;
    uint64_t now = spill_clock();
    uint32_t starts;
    int forced = 0;

    __atomic_store_n(&loop->thread, (pid_t)rte_sys_gettid(), __ATOMIC_RELEASE);
    if (loop->reader != NULL)
        spill_snapshot_reader_online(loop->reader);
    start(loop, &starts);
    for (;;) {
        struct spill_turn *turn = spill_stalls_turn(&loop->stalls, loop->counters.polls);
        uint32_t most = 0, handled = run_stages(loop, turn, &now, &most);

        account(loop, turn, most);
        spill_heartbeat_beat(&loop->heartbeat);
        if (loop->reader != NULL)
            spill_snapshot_quiescent(loop->reader);
        if (unlikely(__atomic_load_n(&loop->again, __ATOMIC_RELAXED) != starts)) {
            start(loop, &starts);
            now = spill_clock();
        }
        if (unlikely(spill_token_cancelled(loop->stop))) {
            forced = spill_token_cancelled(loop->force);
            if (forced || all_ended(loop))
                break;
        }
        if (handled != 0)
            loop->idle_since = 0;
        else
            now = idle(loop, now);
    }
    if (loop->reader != NULL)
        spill_snapshot_reader_offline(loop->reader);
    spill_heartbeat_sleep(&loop->heartbeat);
    return forced;
}

/* --------------------------------------------------------------------------- what is told */

static const struct spill_metric loop_rows[] = {
    SPILL_METRIC(COUNTER, "polls", struct spill_loop_counters, polls, "turns", "of the loop"),
    SPILL_METRIC(COUNTER, "empty_polls", struct spill_loop_counters, empty_polls, "turns",
                 "in which no stage found anything to do"),
    SPILL_METRIC(COUNTER, "packets", struct spill_loop_counters, packets, "packets",
                 "handled by its stages; a packet counts in each stage that handled it"),
    SPILL_METRIC(COUNTER, "busy_cycles", struct spill_loop_counters, busy_cycles, "cycles",
                 "of turns that found something to do"),
    SPILL_METRIC_RATIO("cycles_per_packet", struct spill_loop_counters, busy_cycles, packets,
                       "cycles", "busy cycles by packets"),
    SPILL_METRIC(COUNTER, "over_budget", struct spill_loop_counters, over_budget, "turns",
                 "with more expensive work than the budget"),
    SPILL_METRIC(COUNTER, "slow", struct spill_loop_counters, slow, "turns",
                 "longer than 250 us, or with more expensive work than the budget"),
    SPILL_METRIC_CYCLES(GAUGE, "longest_burst_us", struct spill_loop_counters, longest,
                        "longest turn"),
};
static const struct spill_metrics loop_metrics = SPILL_METRICS(loop_rows);

static const struct spill_metric stage_rows[] = {
    SPILL_METRIC(TEXT, "name", struct spill_stage, name, "", "of the stage"),
    SPILL_METRIC(COUNTER, "packets", struct spill_stage, packets, "packets", "that it handled"),
    SPILL_METRIC_ADDED(struct spill_stage, cycles),
    SPILL_METRIC_RATIO("cycles_per_packet", struct spill_stage, cycles, packets, "cycles",
                       "cycles of turns that handled packets, by packets"),
    SPILL_METRIC_CYCLES(GAUGE, "longest_us", struct spill_stage, longest, "longest turn"),
};
static const struct spill_metrics stage_metrics = SPILL_METRICS(stage_rows);
static const struct spill_metric_family stages = {
    .name = "stages", .label = "stage", .shape = SPILL_FAMILY_LIST};

void spill_loop_write_metrics(const struct spill_loop *loop, struct spill_metric_writer *writer)
{
    struct spill_loop_counters counters = {0};
    uint32_t i;

    spill_metrics_add(&loop_metrics, &counters, &loop->counters);
    spill_metrics_write(&loop_metrics, &counters, writer);
    writer->family_begin(writer, &stages);
    for (i = 0; i < loop->stage_count; i++) {
        struct spill_stage stage = {.name = loop->stages[i].name};

        spill_metrics_add(&stage_metrics, &stage, &loop->stages[i]);
        writer->member_begin(writer, &stages, stage.name);
        spill_metrics_write(&stage_metrics, &stage, writer);
        writer->member_end(writer, &stages);
    }
    writer->family_end(writer, &stages);
}
