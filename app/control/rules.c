/* SPDX-License-Identifier: BSD-3-Clause */
/* What is told of the rules in force: where each stands, and what it has decided. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "control/steps.h"
#include "control/telemetry_writer.h"
#include "program.h"

/* Of a larger set only rules that have decided something, or have a name, are told; and no more
 * than this either way. */
#define TOLD_MAX 4096

#define TITLE_SIZE 4200 /* FILE:LINE */

struct told {
    const char *file, *name, *action;
    uint32_t line;
    uint64_t last; /* UNIX time in seconds; 0: never */
    struct spill_rule_count count;
};

static struct spill_metric_value line_of(const void *told)
{
    const struct told *rule = told;

    return rule->line != 0 ? spill_value_unsigned(rule->line)
                           : (struct spill_metric_value){.type = SPILL_VALUE_NONE};
}

static struct spill_metric_value last_of(const void *told)
{
    const struct told *rule = told;

    return rule->last != 0 ? spill_value_unsigned(rule->last)
                           : (struct spill_metric_value){.type = SPILL_VALUE_NONE};
}

static struct spill_metric_value file_of(const void *told)
{
    return spill_value_text(((const struct told *)told)->file);
}

static struct spill_metric_value name_of(const void *told)
{
    return spill_value_text(((const struct told *)told)->name);
}

static const struct spill_metric rows[] = {
    SPILL_METRIC_COMPUTED(TEXT, "file", file_of, "", "that the rule stands in"),
    SPILL_METRIC_COMPUTED(GAUGE, "line", line_of, "", "in the file"),
    SPILL_METRIC_COMPUTED(TEXT, "name", name_of, "", "that the rule gives itself"),
    SPILL_METRIC(TEXT, "action", struct told, action, "", "allow, deny, reject or protect"),
    SPILL_METRIC(COUNTER, "packets", struct told, count.packets, "packets",
                 "of connections that the rule decided about"),
    SPILL_METRIC(COUNTER, "bytes", struct told, count.bytes, "bytes", "of those, from IP on"),
    SPILL_METRIC(COUNTER, "connections", struct told, count.connections, "connections",
                 "that the rule decided about, also those that it refused"),
    SPILL_METRIC(COUNTER, "beyond_limit", struct told, count.beyond, "packets",
                 "beyond the rule's limit, which are in none of the other counters of it"),
    SPILL_METRIC_COMPUTED(GAUGE, "last", last_of, "s", "packet, in UNIX time"),
};
static const struct spill_metrics rule_metrics = SPILL_METRICS(rows);

uint64_t spill_program_time_of(uint64_t stamp)
{
    const uint64_t now = spill_clock();
    struct timespec real;

    clock_gettime(CLOCK_REALTIME, &real);
    return (uint64_t)real.tv_sec * SPILL_SECOND_NS + (uint64_t)real.tv_nsec -
           (now > stamp ? spill_nanoseconds(now - stamp) : 0); /* clocks of lcores may differ */
}

static void tell_rule(const struct spill_rule_list *list, const struct spill_rule_listed *rule,
                      struct told *told)
{
    const char *name = spill_rule_list_name(list, rule);

    *told = (struct told){
        .file = spill_rule_list_path(list, rule),
        .name = *name != '\0' ? name : NULL,
        .action = spill_rule_action_name((enum spill_verdict)rule->action, rule->reject),
        .line = rule->line,
        .count = spill_rule_counts_sum(list->counts, rule->tally),
    };
    if (told->count.last != 0)
        told->last = spill_program_time_of(told->count.last) / SPILL_SECOND_NS;
}

/* FILE:LINE, or default. */
static void title_of(const struct spill_rule_list *list, const struct spill_rule_listed *rule,
                     char title[TITLE_SIZE])
{
    if (rule->line == 0)
        snprintf(title, TITLE_SIZE, "default");
    else
        snprintf(title, TITLE_SIZE, "%s:%" PRIu32, spill_rule_list_path(list, rule), rule->line);
}

static void write_rule(const struct spill_rule_list *list, const struct spill_rule_listed *rule,
                       const struct spill_metric_family *family, struct spill_metric_writer *writer)
{
    char title[TITLE_SIZE];
    struct told told;

    title_of(list, rule, title);
    tell_rule(list, rule, &told);
    writer->member_begin(writer, family, title);
    spill_metrics_write(&rule_metrics, &told, writer);
    writer->member_end(writer, family);
}

static bool is_of_interest(const struct spill_rule_list *list, const struct spill_rule_listed *rule)
{
    return rule->line == 0 || rule->name != 0 ||
           spill_rule_counts_sum(list->counts, rule->tally).packets != 0;
}

/* The default is the last, and has its place. */
static void write_rules(const struct spill_rule_list *list,
                        const struct spill_metric_family *family,
                        struct spill_metric_writer *writer)
{
    const bool all = list->count <= TOLD_MAX;
    const struct spill_rule_listed *last = &list->rules[list->count - 1];
    uint32_t told = 0;

    for (const struct spill_rule_listed *rule = list->rules; rule < last && told < TOLD_MAX - 1;
         rule++) {
        if (!all && !is_of_interest(list, rule))
            continue;
        write_rule(list, rule, family, writer);
        told++;
    }
    write_rule(list, last, family, writer);
}

void spill_program_write_rules(struct spill_program *program,
                               const struct spill_metric_family *family,
                               struct spill_metric_writer *writer)
{
    const struct spill_generation *generation = spill_program_hold_generation(program);

    if (generation != NULL && generation->list != NULL)
        write_rules(generation->list, family, writer);
    spill_program_release_generation(program);
}

/* The line that FILE:LINE ends with; 0: it is none, as the default's. */
static uint32_t line_in(const char *title)
{
    const char *colon = strrchr(title, ':');

    return colon != NULL ? (uint32_t)strtoul(colon + 1, NULL, 10) : 0;
}

/* Whether a rule is meant: texts are compared where numbers leave a doubt alone, as there may be a
 * million rules. */
static bool is_titled(const struct spill_rule_list *list, const struct spill_rule_listed *rule,
                      const char *title, uint32_t line)
{
    char text[TITLE_SIZE];

    if (rule->name != 0 && strcmp(title, spill_rule_list_name(list, rule)) == 0)
        return true;
    if (rule->line != line)
        return false;
    title_of(list, rule, text);
    return spill_telemetry_is_named(text, title);
}

bool spill_program_write_rule(struct spill_program *program, const char *title,
                              struct spill_metric_writer *writer)
{
    const struct spill_generation *generation = spill_program_hold_generation(program);
    const struct spill_rule_list *list = generation != NULL ? generation->list : NULL;
    const uint32_t line = line_in(title);
    uint32_t i = 0;
    bool found;

    while (list != NULL && i < list->count && !is_titled(list, &list->rules[i], title, line))
        i++;
    found = list != NULL && i < list->count;
    if (found) {
        struct told told;

        tell_rule(list, &list->rules[i], &told);
        spill_metrics_write(&rule_metrics, &told, writer);
    }
    spill_program_release_generation(program);
    return found;
}
