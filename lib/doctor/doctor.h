/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_DOCTOR_H
#define SPILLWAY_DOCTOR_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/json.h"

/**
 * @file
 * What of this machine costs speed, or breaks later, and the command that mends it: a table of
 * checks, each a function that reads /sys and /proc. Nothing is changed, and nothing of DPDK is
 * used: spillway and spillwayctl both have it. One thread; not an lcore's.
 */

#define SPILL_DOCTOR_LCORES_MAX 128
#define SPILL_DOCTOR_PORTS_MAX  32
#define SPILL_DOCTOR_TWINS_MAX  64
#define SPILL_DOCTOR_NODES_MAX  64
#define SPILL_DOCTOR_LINES_MAX  160
#define SPILL_DOCTOR_TEXT_MAX   256

/** An lcore of the plan. */
struct spill_doctor_lcore {
    char name[16];
    int cpu, node;
    bool polls;    /* false: control, which sleeps */
    bool receives; /* packets: a fast lcore, or one that spreads them */
};

struct spill_doctor_port {
    char name[32];
    char pci[64];                /* its address; empty: none */
    char interface[IF_NAMESIZE]; /* the kernel's that it sends by; empty: none */
    bool unfinished;             /* that is one end of a veth, or may be: spill_device's word */
};

/** The interface of the kernel's beside a routed port. */
struct spill_doctor_twin {
    char name[IF_NAMESIZE];
    bool gone; /* it was there: what has its name now is another's */
};

/** Where to look, and for whom. A plan's, or of the machine alone: then all counts are 0. */
struct spill_doctor_subject {
    const char *root; /* before /sys and /proc: "", or a folder that has such */
    bool running;     /* its memory is taken, and its lcores poll */
    bool others;      /* programs of DPDK run, or may: their lcores poll */
    bool hugepages;   /* it takes them */
    unsigned lcore_count;
    struct spill_doctor_lcore lcores[SPILL_DOCTOR_LCORES_MAX];
    unsigned port_count;
    struct spill_doctor_port ports[SPILL_DOCTOR_PORTS_MAX];
    unsigned twin_count;
    struct spill_doctor_twin twins[SPILL_DOCTOR_TWINS_MAX];
    uint64_t pages[SPILL_DOCTOR_NODES_MAX]; /* of 2 MiB, by node */

    /** Measures the way from one CPU's cache to another's, in ns, or < 0. NULL: nobody does */
    double (*core_to_core)(int cpu, int other);
    /** Whether an interface leaves checksums or segments to its device, -1: unknown. NULL: as that
     */
    int (*offloads)(const char *interface);
};

enum spill_doctor_verdict {
    SPILL_DOCTOR_OK,
    SPILL_DOCTOR_COSTS,  /* it works, slower or less evenly than it could */
    SPILL_DOCTOR_BROKEN, /* it does not start, or will not work */
};

struct spill_doctor_line {
    const char *check; /* its name */
    enum spill_doctor_verdict verdict;
    char text[SPILL_DOCTOR_TEXT_MAX];
    char command[SPILL_DOCTOR_TEXT_MAX]; /* that mends it; empty: none does */
};

/** About 80 KiB. Starts as all zeros. */
struct spill_doctor_lines {
    const char *check; /* whose lines come */
    unsigned count;
    unsigned lost; /* for which there was no room */
    struct spill_doctor_line lines[SPILL_DOCTOR_LINES_MAX];
};

/** Makes all checks. */
void spill_doctor_look(const struct spill_doctor_subject *subject,
                       struct spill_doctor_lines *lines);

/** How many lines have a verdict. */
unsigned spill_doctor_count(const struct spill_doctor_lines *lines,
                            enum spill_doctor_verdict verdict);

/** Prints lines for people: verdict, check, figure; and below what mends it. */
void spill_doctor_print(const struct spill_doctor_lines *lines, FILE *out);

/** Writes an array of objects with `check`, `verdict`, `text` and, where one mends it, `command`.
 */
void spill_doctor_print_json(const struct spill_doctor_lines *lines, struct spill_json *json,
                             const char *key);

/** The folder in which DPDK's programs have theirs, in `dpdk`. */
const char *spill_doctor_runtime_folder(void);

/**
 * Whether programs of DPDK run that have theirs in such a folder, or it can't be seen.
 *
 * Not in a process whose EAL runs, which would lose its own lock by looking.
 */
bool spill_doctor_dpdk_runs(const char *folder);

/** Measures it with two threads for 20 ms, to which any other work there is preferred, and waits
 * for them 100 ms at most: `core_to_core` of this machine. */
double spill_doctor_core_to_core(int cpu, int other);

/** Asks the kernel: `offloads` of this machine. */
int spill_doctor_offloads(const char *interface);

#endif
