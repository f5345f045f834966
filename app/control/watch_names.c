/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/watch_names.h"
#include "control/steps.h"

#include <stdio.h>
#include <time.h>

const char *spill_watch_port_name(const struct spill_program *program, uint32_t id)
{
    for (uint32_t i = 0; i < program->port_count; i++) {
        if (program->ports[i].id == id)
            return program->ports[i].name;
    }
    return NULL;
}

const char *spill_watch_interface_name(const struct spill_program *program, uint32_t index)
{
    return index < program->interface_count ? program->interfaces[index].name : NULL;
}

const char *spill_watch_sa_name(const struct spill_program *program, uint32_t id)
{
    const struct spill_generation *generation = spill_snapshot_get(program->rules);
    const struct spill_sa *sa = generation->sas != NULL && id <= UINT16_MAX
                                    ? spill_sa_set_get(generation->sas, (uint16_t)id)
                                    : NULL;

    return sa != NULL ? sa->config.name : NULL;
}

bool spill_watch_rule_title(const struct spill_program *program, uint32_t tally, char *title,
                            size_t size)
{
    const struct spill_rule_list *list =
        ((const struct spill_generation *)spill_snapshot_get(program->rules))->list;
    const struct spill_rule_listed *rule =
        tally != SPILL_RULE_TALLY_NONE ? spill_rule_list_find(list, tally) : NULL;
    const char *path, *name;

    if (rule == NULL)
        return false;
    path = spill_rule_list_path(list, rule);
    name = spill_rule_list_name(list, rule);
    if (path == NULL)
        snprintf(title, size, "default");
    else
        snprintf(title, size, "%s:%u%s%s%s", path, rule->line, *name != '\0' ? " (" : "", name,
                 *name != '\0' ? ")" : "");
    return true;
}

void spill_watch_write_time(struct spill_json *json, const char *key, uint64_t stamp)
{
    const uint64_t nanoseconds = spill_program_time_of(stamp);
    const time_t seconds = (time_t)(nanoseconds / SPILL_SECOND_NS);
    char date[24], text[40];
    struct tm parts;

    gmtime_r(&seconds, &parts);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text, sizeof(text), "%s.%09uZ", date, (unsigned)(nanoseconds % SPILL_SECOND_NS));
    spill_json_string(json, key, text);
}
