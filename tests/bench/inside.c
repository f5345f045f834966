/* SPDX-License-Identifier: BSD-3-Clause */
/* The program itself within a bench. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "config/command_line.h"
#include "control/steps.h"
#include "inside.h"
#include "program.h"
#include "start/steps.h"

static struct spill_program program;
static const char *name;

static int start(struct source *source, uint16_t bytes, struct spill_error *error)
{
    if (spill_program_plan(&program, error) != 0 ||
        spill_program_start_eal(&program, name, error) != 0 ||
        spill_program_find_ports(&program, error) != 0 ||
        spill_program_plan_again(&program, error) != 0 ||
        spill_program_bring_up(&program, error) != 0)
        return -1;
    source_attach(source, program.ports[0].id, program.ports[1].id, program.mempools[0], bytes);
    return spill_program_launch(&program, error);
}

int inside_start(const char *bench, int argc, char **argv, struct source *source, uint16_t bytes)
{
    struct spill_error error = {.text = ""};

    name = bench;
    if (spill_program_init(&program, argc, argv, &error) == 0 &&
        spill_options_parse(argc, argv, NULL, &program.options, &error) == SPILL_OPTIONS_GO_ON &&
        start(source, bytes, &error) == 0)
        return 0;
    fprintf(stderr, "%s: %s\n", name, error.text);
    return -1;
}

int inside_end(void)
{
    struct spill_error error = {.text = ""};
    bool balanced;

    spill_token_cancel(&program.stop, "end of the bench");
    program.stopping = rte_rdtsc();
    spill_control_drain(&program);
    spill_program_settle(&program);
    if (spill_program_report(&program, &error) != 0)
        fprintf(stderr, "%s: %s\n", name, error.text);
    balanced = spill_program_balanced(&program);
    if (!balanced)
        fprintf(stderr, "%s: the books do not balance\n", name);
    return balanced ? 0 : 1;
}

static const struct spill_pipeline_lcore *fast_lcore(void)
{
    for (uint32_t i = 1; i < program.plan.lcore_count; i++) {
        if (program.pipeline->lcores[i].fast != NULL)
            return &program.pipeline->lcores[i];
    }
    abort();
}

const struct spill_account *inside_account(const char *class_name)
{
    const struct spill_submitter *submitter = fast_lcore()->fast->submitter;

    for (uint32_t i = 0; i < submitter->class_count; i++) {
        if (strcmp(submitter->accounts[i].class->name, class_name) == 0)
            return &submitter->accounts[i];
    }
    return NULL;
}

static uint64_t cpu_time(int thread)
{
    char path[64];
    uint64_t nanoseconds = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", thread);
    file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%" SCNu64, &nanoseconds) != 1)
        nanoseconds = 0;
    if (file != NULL)
        fclose(file);
    return nanoseconds;
}

struct inside_reading inside_read(const struct source *source, const struct spill_account *account)
{
    const struct spill_pipeline_lcore *lcore = fast_lcore();

    return (struct inside_reading){
        .cpu_time = cpu_time(source->thread),
        .tsc = rte_rdtsc(),
        .source = source->counters,
        .packets = lcore->fast->ledger.received,
        .turns = lcore->loop->counters.polls,
        .inlined = account->inline_packets + account->helped_packets,
        .pooled = account->pool_packets - account->helped_packets,
        .refused = account->refused,
    };
}

double inside_share(const struct inside_reading *first, const struct inside_reading *last)
{
    return (double)(last->cpu_time - first->cpu_time) * (double)rte_get_tsc_hz() /
           ((double)(last->tsc - first->tsc) * 1e9);
}

double inside_microseconds(const struct inside_reading *first, const struct inside_reading *last)
{
    return (double)(last->source.cycles - first->source.cycles) * 1e6 / (double)rte_get_tsc_hz();
}

void inside_wait(double seconds)
{
    usleep((useconds_t)(seconds * 1e6));
}
