/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_LOAD_OPTIONS_H
#define SPILLWAY_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/name.h"
#include "class.h"
#include "port/port.h"

/**
 * @file
 * The command line of spillway-load. Control thread.
 */

#define SPILL_LOAD_PORTS_MAX     2
#define SPILL_LOAD_LATENCIES_MAX 16
#define SPILL_LOAD_CPU_ANY       (-1)

struct spill_load_port {
    char name[SPILL_PORT_NAME_MAX];
    struct spill_device device;
};

/** The report's name points into argv. */
struct spill_load_options {
    bool eal_given; /* argv had a `--`: what stood before it are EAL arguments */
    int eal_argc;
    char **eal_argv;

    unsigned port_count;
    struct spill_load_port ports[SPILL_LOAD_PORTS_MAX];
    unsigned class_count;
    struct spill_load_class classes[SPILL_LOAD_CLASSES_MAX];
    int cpu, control; /* by default the highest and the lowest that may be used */
    bool no_huge;
    char name[SPILL_NAME_SIZE];
    const char *report; /* NULL: none */

    double rate; /* packets a second; 0: as many as can be */
    uint64_t duration_ns, warm_up_ns, wait_ns;

    bool rfc2544;
    double loss; /* a share */
    double most; /* packets a second; 0: what the generator can send */
    uint64_t trial_ns;
    unsigned latency_count;
    double latency_at[SPILL_LOAD_LATENCIES_MAX]; /* shares of the throughput */
};

enum spill_load_parsed {
    SPILL_LOAD_GO_ON,
    SPILL_LOAD_DONE, /* --help or --version was printed */
    SPILL_LOAD_ERROR,
};

/**
 * Reads the command line. Arguments before a `--` are the EAL's.
 *
 * @param options  overwritten
 * @param error    on SPILL_LOAD_ERROR one line; not NULL
 */
enum spill_load_parsed spill_load_options_parse(int argc, char **argv,
                                                struct spill_load_options *options,
                                                struct spill_error *error);

/** The largest frame of all classes, bytes without FCS. */
uint16_t spill_load_options_frame(const struct spill_load_options *options);

/** The MTU that the ports need for it; 0: as they have it. */
uint16_t spill_load_options_mtu(const struct spill_load_options *options);

#endif
