/* SPDX-License-Identifier: BSD-3-Clause */
/* Files below the subject's root, and the kernel's lists of CPUs. */
#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/checks.h"

/* Of a list of CPUs that has no room. */
#define MORE ",..."

static bool read_line(const struct spill_doctor_subject *subject, char *text, size_t size,
                      const char *format, va_list arguments)
{
    char name[PATH_MAX], path[PATH_MAX];
    FILE *file;
    char *line;

    vsnprintf(name, sizeof(name), format, arguments);
    file = fopen(spill_doctor_path(subject, path, sizeof(path), "%s", name), "re");
    if (file == NULL)
        return false;
    line = fgets(text, (int)size, file);
    fclose(file);
    if (line == NULL)
        text[0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return true;
}

bool spill_doctor_read(const struct spill_doctor_subject *subject, char *text, size_t size,
                       const char *format, ...)
{
    va_list arguments;
    bool there;

    va_start(arguments, format);
    there = read_line(subject, text, size, format, arguments);
    va_end(arguments);
    return there;
}

long long spill_doctor_read_number(const struct spill_doctor_subject *subject, const char *format,
                                   ...)
{
    char text[64], *end;
    va_list arguments;
    long long number = -1;

    va_start(arguments, format);
    if (read_line(subject, text, sizeof(text), format, arguments)) {
        number = strtoll(text, &end, 10);
        if (end == text)
            number = -1;
    }
    va_end(arguments);
    return number;
}

char *spill_doctor_path(const struct spill_doctor_subject *subject, char *path, size_t size,
                        const char *format, ...)
{
    va_list arguments;
    size_t used;

    snprintf(path, size, "%s/", subject->root);
    used = strlen(path);
    va_start(arguments, format);
    vsnprintf(path + used, size - used, format, arguments);
    va_end(arguments);
    return path;
}

void spill_doctor_parse_cpus(struct spill_doctor_cpus *cpus, const char *list)
{
    memset(cpus, 0, sizeof(*cpus));
    while (*list != '\0') {
        char *end;
        long first, last, cpu;

        if (!isdigit((unsigned char)*list)) {
            list++;
            continue;
        }
        first = last = strtol(list, &end, 10);
        if (*end == '-')
            last = strtol(end + 1, &end, 10);
        for (cpu = first; cpu <= last && cpu < SPILL_DOCTOR_CPUS_MAX; cpu++) {
            cpus->count += !cpus->has[cpu];
            cpus->has[cpu] = true;
        }
        list = end;
    }
}

char *spill_doctor_format_cpus(const struct spill_doctor_cpus *cpus, char *text, size_t size)
{
    size_t used = 0;
    char range[32];

    text[0] = '\0';
    for (int cpu = 0; cpu < SPILL_DOCTOR_CPUS_MAX; cpu++) {
        const int first = cpu;

        if (!cpus->has[cpu])
            continue;
        while (cpu + 1 < SPILL_DOCTOR_CPUS_MAX && cpus->has[cpu + 1])
            cpu++;
        snprintf(range, sizeof(range), cpu > first ? "%s%d-%d" : "%s%d", used > 0 ? "," : "", first,
                 cpu);
        if (used + strlen(range) + sizeof(MORE) > size) {
            strcpy(text + used, MORE);
            break;
        }
        strcpy(text + used, range);
        used += strlen(range);
    }
    return text;
}

void spill_doctor_polling_cpus(const struct spill_doctor_subject *subject,
                               struct spill_doctor_cpus *cpus)
{
    memset(cpus, 0, sizeof(*cpus));
    for (unsigned i = 0; i < subject->lcore_count; i++) {
        const struct spill_doctor_lcore *lcore = &subject->lcores[i];

        if (!lcore->polls || lcore->cpu < 0 || lcore->cpu >= SPILL_DOCTOR_CPUS_MAX)
            continue;
        cpus->count += !cpus->has[lcore->cpu];
        cpus->has[lcore->cpu] = true;
    }
}

void spill_doctor_other_cpus(const struct spill_doctor_subject *subject,
                             const struct spill_doctor_cpus *cpus, struct spill_doctor_cpus *others)
{
    char list[SPILL_DOCTOR_FILE_MAX];

    if (!spill_doctor_read(subject, list, sizeof(list), "sys/devices/system/cpu/online"))
        list[0] = '\0';
    spill_doctor_parse_cpus(others, list);
    for (int cpu = 0; cpu < SPILL_DOCTOR_CPUS_MAX; cpu++) {
        if (!others->has[cpu] || !cpus->has[cpu])
            continue;
        others->has[cpu] = false;
        others->count--;
    }
}
