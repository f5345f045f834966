/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks of how fast the CPUs are, and how evenly. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/checks.h"

#define CPU "sys/devices/system/cpu/"
/* Of its time that a hypervisor may give to others before it is called a cost. */
#define STEAL_PERCENT 0.1
/* What is more than between caches of one node. */
#define FAR_NS 200

void spill_doctor_governor(const struct spill_doctor_subject *subject,
                           struct spill_doctor_lines *lines)
{
    struct spill_doctor_cpus looked, slow = {.count = 0};
    char text[100], governor[64] = "", last[64] = "";

    spill_doctor_polling_cpus(subject, &looked);
    if (looked.count == 0)
        spill_doctor_other_cpus(subject, &slow, &looked);
    for (int cpu = 0; cpu < SPILL_DOCTOR_CPUS_MAX; cpu++) {
        if (!looked.has[cpu] || !spill_doctor_read(subject, governor, sizeof(governor),
                                                   CPU "cpu%d/cpufreq/scaling_governor", cpu))
            continue;
        if (strcmp(governor, "performance") == 0)
            continue;
        snprintf(last, sizeof(last), "%s", governor);
        slow.has[cpu] = true;
        slow.count++;
    }
    if (slow.count == 0) {
        spill_doctor_add(lines, SPILL_DOCTOR_OK, "%s",
                         governor[0] != '\0' ? governor : "the kernel does not set frequencies");
        return;
    }
    spill_doctor_add(lines, SPILL_DOCTOR_COSTS, "%s on CPUs %s: clocks rise only after a while",
                     last, spill_doctor_format_cpus(&slow, text, sizeof(text)));
    spill_doctor_mend(lines, "cpupower --cpu %s frequency-set --governor performance", text);
}

void spill_doctor_turbo(const struct spill_doctor_subject *subject,
                        struct spill_doctor_lines *lines)
{
    const long long off = spill_doctor_read_number(subject, CPU "intel_pstate/no_turbo");
    const long long boost = spill_doctor_read_number(subject, CPU "cpufreq/boost");

    if (off < 0 && boost < 0) {
        spill_doctor_add(lines, SPILL_DOCTOR_OK, "the kernel knows of none");
    } else if (off == 0 || boost > 0) {
        spill_doctor_add(lines, SPILL_DOCTOR_OK,
                         "on: fastest, and figures vary with what other cores do");
    } else {
        spill_doctor_add(lines, SPILL_DOCTOR_COSTS, "off: clocks stay at their base");
        spill_doctor_mend(lines, off > 0 ? "echo 0 > /" CPU "intel_pstate/no_turbo"
                                         : "echo 1 > /" CPU "cpufreq/boost");
    }
}

/* ------------------------------------------------------------------------- virtualisation */

static bool has_hypervisor(const struct spill_doctor_subject *subject)
{
    char path[PATH_MAX], line[4096];
    FILE *file = fopen(spill_doctor_path(subject, path, sizeof(path), "proc/cpuinfo"), "re");
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL)
        found = strncmp(line, "flags", 5) == 0 && strstr(line, " hypervisor") != NULL;
    if (file != NULL)
        fclose(file);
    return found;
}

/* Percent of the CPUs' time since the boot. */
static double steal(const struct spill_doctor_subject *subject)
{
    unsigned long long part[8] = {0}, sum = 0;
    char line[512];

    if (!spill_doctor_read(subject, line, sizeof(line), "proc/stat") ||
        sscanf(line, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &part[0], &part[1], &part[2],
               &part[3], &part[4], &part[5], &part[6], &part[7]) != 8)
        return 0;
    for (unsigned i = 0; i < 8; i++)
        sum += part[i];
    return sum > 0 ? 100.0 * (double)part[7] / (double)sum : 0;
}

void spill_doctor_virtual(const struct spill_doctor_subject *subject,
                          struct spill_doctor_lines *lines)
{
    const double stolen = steal(subject);
    char name[64], container[64] = "";

    if (spill_doctor_read(subject, name, sizeof(name), "run/systemd/container"))
        snprintf(container, sizeof(container), ", in a container (%.40s)", name);
    if (!has_hypervisor(subject)) {
        spill_doctor_add(lines, SPILL_DOCTOR_OK, "none%s", container);
        return;
    }
    if (!spill_doctor_read(subject, name, sizeof(name), "sys/class/dmi/id/sys_vendor"))
        snprintf(name, sizeof(name), "unknown");
    spill_doctor_add(lines, stolen < STEAL_PERCENT ? SPILL_DOCTOR_OK : SPILL_DOCTOR_COSTS,
                     "a virtual machine (%s)%s; its host took %.2f %% of its time", name, container,
                     stolen);
    if (stolen >= STEAL_PERCENT)
        spill_doctor_mend(lines, "on its host, for each CPU of it: virsh vcpupin, and no other "
                                 "machine there");
}

/* --------------------------------------------------------------------------- core to core */

void spill_doctor_way_between_cores(const struct spill_doctor_subject *subject,
                                    struct spill_doctor_lines *lines)
{
    const struct spill_doctor_lcore *one = NULL, *other, *far = NULL;
    double time, least = 0, most = 0;

    for (unsigned i = 0; subject->core_to_core != NULL && i < subject->lcore_count; i++) {
        other = &subject->lcores[i];
        if (!other->polls)
            continue;
        if (one == NULL) {
            one = other;
            continue;
        }
        time = other->cpu != one->cpu ? subject->core_to_core(one->cpu, other->cpu) : -1;
        if (time < 0)
            continue;
        least = far == NULL || time < least ? time : least;
        if (far == NULL || time > most) {
            most = time;
            far = other;
        }
    }
    if (far == NULL) {
        spill_doctor_add(lines, SPILL_DOCTOR_OK, "%s",
                         subject->running  ? "not measured while lcores poll"
                         : subject->others ? "not measured while programs of DPDK run"
                         : subject->core_to_core != NULL
                             ? "not measured: it takes two CPUs without other work"
                             : "not measured");
        return;
    }
    spill_doctor_add(lines, most <= FAR_NS ? SPILL_DOCTOR_OK : SPILL_DOCTOR_COSTS,
                     "from %s %.0f ns to the nearest lcore, %.0f ns to %s (CPU %d)", one->name,
                     least, most, far->name, far->cpu);
    if (most > FAR_NS)
        spill_doctor_mend(lines, "--fast and --pool with CPUs of one node that share a cache");
}
