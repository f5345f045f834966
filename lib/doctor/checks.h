/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_DOCTOR_CHECKS_H
#define SPILLWAY_DOCTOR_CHECKS_H

#include <stddef.h>

#include "doctor/doctor.h"

/**
 * @file
 * The checks, for the table in doctor.c, and what they share: adding lines, and reading files below
 * the subject's root.
 */

typedef void spill_doctor_check(const struct spill_doctor_subject *subject,
                                struct spill_doctor_lines *lines);

spill_doctor_check spill_doctor_hugepages, spill_doctor_hugetlbfs, spill_doctor_locked_memory;
spill_doctor_check spill_doctor_isolated, spill_doctor_nohz_full, spill_doctor_siblings,
    spill_doctor_interrupts;
spill_doctor_check spill_doctor_governor, spill_doctor_turbo, spill_doctor_virtual,
    spill_doctor_way_between_cores;
spill_doctor_check spill_doctor_driver, spill_doctor_iommu, spill_doctor_node, spill_doctor_veth;
spill_doctor_check spill_doctor_neighbors, spill_doctor_twins, spill_doctor_rp_filter,
    spill_doctor_forwarding;

/** Adds a line of the check that is made. */
__attribute__((format(printf, 3, 4))) void spill_doctor_add(struct spill_doctor_lines *lines,
                                                            enum spill_doctor_verdict verdict,
                                                            const char *format, ...);

/** Gives the last line the command that mends it; none that is longer than its room, or names CPUs
 * that were left out. */
__attribute__((format(printf, 2, 3))) void spill_doctor_mend(struct spill_doctor_lines *lines,
                                                             const char *format, ...);

/** Room for what one file has, lists of a thousand CPUs included. */
#define SPILL_DOCTOR_FILE_MAX 8192

/** Reads the first line of a file below the root, without its end. @return whether there is one */
__attribute__((format(printf, 4, 5))) bool
spill_doctor_read(const struct spill_doctor_subject *subject, char *text, size_t size,
                  const char *format, ...);

/** Reads a file's number. @return it, or -1: there is none */
__attribute__((format(printf, 2, 3))) long long
spill_doctor_read_number(const struct spill_doctor_subject *subject, const char *format, ...);

/** The path of a file or folder below the root, to be opened. @return `path` */
__attribute__((format(printf, 4, 5))) char *
spill_doctor_path(const struct spill_doctor_subject *subject, char *path, size_t size,
                  const char *format, ...);

#define SPILL_DOCTOR_CPUS_MAX 1024

/** A set of CPUs. */
struct spill_doctor_cpus {
    bool has[SPILL_DOCTOR_CPUS_MAX];
    unsigned count;
};

/** Those of a list as the kernel writes it, "0-3,8". */
void spill_doctor_parse_cpus(struct spill_doctor_cpus *cpus, const char *list);

/** The reverse; ranges that have no room are left out, and ",..." stands for them: no command has
 * such a list (spill_doctor_mend()). @return `text` */
char *spill_doctor_format_cpus(const struct spill_doctor_cpus *cpus, char *text, size_t size);

/** Those on which lcores poll; of no plan: none. */
void spill_doctor_polling_cpus(const struct spill_doctor_subject *subject,
                               struct spill_doctor_cpus *cpus);

/** Those that are online and not in a set. */
void spill_doctor_other_cpus(const struct spill_doctor_subject *subject,
                             const struct spill_doctor_cpus *cpus,
                             struct spill_doctor_cpus *others);

#endif
