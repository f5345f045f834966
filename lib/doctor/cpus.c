/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks of the CPUs on which lcores poll: who else may run there. */
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/checks.h"

#define CPU "sys/devices/system/cpu/"

/* One of the kernel's lists of CPUs against those on which lcores poll. */
static void check_list(const struct spill_doctor_subject *subject, struct spill_doctor_lines *lines,
                       const char *name, const char *otherwise)
{
    struct spill_doctor_cpus listed, polling, missing = {.count = 0};
    char list[SPILL_DOCTOR_FILE_MAX], text[128];

    if (!spill_doctor_read(subject, list, sizeof(list), CPU "%s", name))
        list[0] = '\0';
    spill_doctor_parse_cpus(&listed, list);
    spill_doctor_polling_cpus(subject, &polling);
    for (int cpu = 0; cpu < SPILL_DOCTOR_CPUS_MAX; cpu++) {
        missing.has[cpu] = polling.has[cpu] && !listed.has[cpu];
        missing.count += missing.has[cpu];
    }
    spill_doctor_format_cpus(&listed, text, sizeof(text));
    if (missing.count == 0 && (polling.count > 0 || listed.count > 0)) {
        spill_doctor_add(lines, SPILL_DOCTOR_OK, "CPUs %s", text);
        return;
    }
    if (missing.count > 0)
        spill_doctor_format_cpus(&missing, text, sizeof(text));
    spill_doctor_add(lines, SPILL_DOCTOR_COSTS, "%s%s: %s",
                     missing.count > 0 ? "not CPUs " : "none", missing.count > 0 ? text : "",
                     otherwise);
    if (missing.count > 0)
        spill_doctor_mend(lines, "kernel command line, then reboot: isolcpus=%s nohz_full=%s",
                          spill_doctor_format_cpus(&polling, list, 100), list);
}

void spill_doctor_isolated(const struct spill_doctor_subject *subject,
                           struct spill_doctor_lines *lines)
{
    check_list(subject, lines, "isolated", "the kernel may run other work there");
}

void spill_doctor_nohz_full(const struct spill_doctor_subject *subject,
                            struct spill_doctor_lines *lines)
{
    check_list(subject, lines, "nohz_full", "the timer tick interrupts polling");
}

/* ------------------------------------------------------------------------ sibling threads */

/* The lcore of a CPU, of several one that polls, or NULL. */
static const struct spill_doctor_lcore *lcore_on(const struct spill_doctor_subject *subject,
                                                 int cpu)
{
    const struct spill_doctor_lcore *found = NULL;

    for (unsigned i = 0; i < subject->lcore_count; i++) {
        const struct spill_doctor_lcore *lcore = &subject->lcores[i];

        if (lcore->cpu == cpu && (found == NULL || lcore->polls))
            found = lcore;
    }
    return found;
}

static void check_sibling(const struct spill_doctor_subject *subject,
                          struct spill_doctor_lines *lines, const struct spill_doctor_lcore *lcore,
                          int sibling)
{
    const struct spill_doctor_lcore *other = lcore_on(subject, sibling);

    if (other != NULL && other->receives && sibling < lcore->cpu)
        return; /* told already, the other way round */
    if (other != NULL) {
        spill_doctor_add(lines, SPILL_DOCTOR_COSTS,
                         "%s (CPU %d) and %s (CPU %d) are threads of one core", lcore->name,
                         lcore->cpu, other->name, sibling);
        spill_doctor_mend(lines, other->polls
                                     ? "--fast and --pool with CPUs of different cores"
                                     : "--fast and --control with CPUs of different cores");
        return;
    }
    spill_doctor_add(lines, SPILL_DOCTOR_COSTS,
                     "CPU %d, on which other work may run, is a thread of the core of %s (CPU %d)",
                     sibling, lcore->name, lcore->cpu);
    spill_doctor_mend(lines, "echo 0 > /" CPU "cpu%d/online", sibling);
}

void spill_doctor_siblings(const struct spill_doctor_subject *subject,
                           struct spill_doctor_lines *lines)
{
    const unsigned before = lines->count;
    struct spill_doctor_cpus siblings;
    char list[256];

    for (unsigned i = 0; i < subject->lcore_count; i++) {
        const struct spill_doctor_lcore *lcore = &subject->lcores[i];

        if (!lcore->receives ||
            !spill_doctor_read(subject, list, sizeof(list),
                               CPU "cpu%d/topology/thread_siblings_list", lcore->cpu))
            continue;
        spill_doctor_parse_cpus(&siblings, list);
        for (int cpu = 0; cpu < SPILL_DOCTOR_CPUS_MAX; cpu++) {
            if (siblings.has[cpu] && cpu != lcore->cpu)
                check_sibling(subject, lines, lcore, cpu);
        }
    }
    if (lines->count > before)
        return;
    if (!spill_doctor_read(subject, list, sizeof(list), CPU "smt/control"))
        snprintf(list, sizeof(list), "unknown");
    spill_doctor_add(lines, SPILL_DOCTOR_OK,
                     subject->lcore_count > 0 ? "each lcore that receives has its core for itself"
                                              : "SMT is %s",
                     list);
}

/* ----------------------------------------------------------------------------- interrupts */

/* Whether somebody takes an interrupt: the kernel keeps numbers of devices that are not used. */
static bool has_action(const struct spill_doctor_subject *subject, const char *number)
{
    char actions[256];

    return !spill_doctor_read(subject, actions, sizeof(actions), "sys/kernel/irq/%s/actions",
                              number) ||
           actions[0] != '\0';
}

/* Whether an interrupt may come on one of these CPUs. */
static bool may_come(const struct spill_doctor_subject *subject, const char *number,
                     const struct spill_doctor_cpus *polling)
{
    struct spill_doctor_cpus cpus;
    char list[SPILL_DOCTOR_FILE_MAX];

    if (!spill_doctor_read(subject, list, sizeof(list), "proc/irq/%s/effective_affinity_list",
                           number))
        if (!spill_doctor_read(subject, list, sizeof(list), "proc/irq/%s/smp_affinity_list",
                               number))
            return false;
    spill_doctor_parse_cpus(&cpus, list);
    for (int cpu = 0; cpu < SPILL_DOCTOR_CPUS_MAX; cpu++) {
        if (cpus.has[cpu] && polling->has[cpu])
            return true;
    }
    return false;
}

static unsigned count_interrupts(const struct spill_doctor_subject *subject,
                                 const struct spill_doctor_cpus *polling)
{
    char path[PATH_MAX];
    DIR *folder = opendir(spill_doctor_path(subject, path, sizeof(path), "proc/irq"));
    struct dirent *entry;
    unsigned count = 0;

    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
            count +=
                has_action(subject, entry->d_name) && may_come(subject, entry->d_name, polling);
    }
    if (folder != NULL)
        closedir(folder);
    return count;
}

void spill_doctor_interrupts(const struct spill_doctor_subject *subject,
                             struct spill_doctor_lines *lines)
{
    struct spill_doctor_cpus polling, others;
    char text[100];
    unsigned count;

    spill_doctor_polling_cpus(subject, &polling);
    count = count_interrupts(subject, &polling);
    if (count == 0) {
        spill_doctor_add(lines, SPILL_DOCTOR_OK, "none comes on CPUs of lcores that poll");
        return;
    }
    spill_doctor_add(lines, SPILL_DOCTOR_COSTS, "%u come on CPUs of lcores that poll (%s)", count,
                     spill_doctor_format_cpus(&polling, text, sizeof(text)));
    spill_doctor_other_cpus(subject, &polling, &others);
    if (others.count > 0)
        spill_doctor_mend(lines,
                          "for i in /proc/irq/*/smp_affinity_list; do echo %s > $i; done "
                          "2>/dev/null; systemctl disable --now irqbalance",
                          spill_doctor_format_cpus(&others, text, sizeof(text)));
}
