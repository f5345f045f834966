/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of checks, and the lines that they add. */
#include "doctor/doctor.h"

#include <stdarg.h>
#include <string.h>

#include "doctor/checks.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *name;
    spill_doctor_check *check;
} rows[] = {
    {"hugepages", spill_doctor_hugepages},
    {"hugetlbfs", spill_doctor_hugetlbfs},
    {"locked memory", spill_doctor_locked_memory},
    {"isolated CPUs", spill_doctor_isolated},
    {"nohz_full", spill_doctor_nohz_full},
    {"sibling threads", spill_doctor_siblings},
    {"interrupts", spill_doctor_interrupts},
    {"governor", spill_doctor_governor},
    {"turbo", spill_doctor_turbo},
    {"virtualisation", spill_doctor_virtual},
    {"core to core", spill_doctor_way_between_cores},
    {"driver", spill_doctor_driver},
    {"IOMMU", spill_doctor_iommu},
    {"NUMA node", spill_doctor_node},
    {"veth offloads", spill_doctor_veth},
    {"neighbours", spill_doctor_neighbors},
    {"twins", spill_doctor_twins},
    {"rp_filter", spill_doctor_rp_filter},
    {"forwarding", spill_doctor_forwarding},
};

static const char *const verdicts[] = {
    [SPILL_DOCTOR_OK] = "ok",
    [SPILL_DOCTOR_COSTS] = "costs",
    [SPILL_DOCTOR_BROKEN] = "broken",
};

void spill_doctor_look(const struct spill_doctor_subject *subject, struct spill_doctor_lines *lines)
{
    lines->count = lines->lost = 0;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        lines->check = rows[i].name;
        rows[i].check(subject, lines);
    }
}

void spill_doctor_add(struct spill_doctor_lines *lines, enum spill_doctor_verdict verdict,
                      const char *format, ...)
{
    struct spill_doctor_line *line;
    va_list arguments;

    if (lines->count == SPILL_DOCTOR_LINES_MAX) {
        lines->lost++;
        return;
    }
    line = &lines->lines[lines->count++];
    *line = (struct spill_doctor_line){.check = lines->check, .verdict = verdict};
    va_start(arguments, format);
    vsnprintf(line->text, sizeof(line->text), format, arguments);
    va_end(arguments);
}

void spill_doctor_mend(struct spill_doctor_lines *lines, const char *format, ...)
{
    struct spill_doctor_line *line = &lines->lines[lines->count - 1];
    va_list arguments;
    int length;

    /* The line that it is for may have found no room. */
    if (lines->lost > 0)
        return;
    va_start(arguments, format);
    length = vsnprintf(line->command, sizeof(line->command), format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof(line->command) || strstr(line->command, ",...") != NULL)
        line->command[0] = '\0';
}

unsigned spill_doctor_count(const struct spill_doctor_lines *lines,
                            enum spill_doctor_verdict verdict)
{
    unsigned count = 0;

    for (unsigned i = 0; i < lines->count; i++)
        count += lines->lines[i].verdict == verdict;
    return count;
}

void spill_doctor_print(const struct spill_doctor_lines *lines, FILE *out)
{
    for (unsigned i = 0; i < lines->count; i++) {
        const struct spill_doctor_line *line = &lines->lines[i];

        fprintf(out, "%-6s  %-15s  %s\n", verdicts[line->verdict], line->check, line->text);
        if (line->command[0] != '\0')
            fprintf(out, "                         %s\n", line->command);
    }
    if (lines->lost > 0)
        fprintf(out, "and %u lines more\n", lines->lost);
}

void spill_doctor_print_json(const struct spill_doctor_lines *lines, struct spill_json *json,
                             const char *key)
{
    spill_json_array_begin(json, key);
    for (unsigned i = 0; i < lines->count; i++) {
        const struct spill_doctor_line *line = &lines->lines[i];

        spill_json_object_begin(json, NULL);
        spill_json_string(json, "check", line->check);
        spill_json_string(json, "verdict", verdicts[line->verdict]);
        spill_json_string(json, "text", line->text);
        if (line->command[0] != '\0')
            spill_json_string(json, "command", line->command);
        spill_json_object_end(json);
    }
    spill_json_array_end(json);
}
