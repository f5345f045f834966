/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_EAL_H
#define SPILLWAY_EAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "port/device.h"

/**
 * @file
 * The EAL, of which a process has one: started with arguments of the user's own, or with those that
 * follow from what is asked for. Control thread.
 */

struct spill_eal_config {
    const char *program; /* argv[0] */
    /* The user's arguments, in place of all that follows up to the devices; NULL: none */
    char *const *user;
    int user_count;
    const char *lcores; /* of --lcores */
    unsigned main_lcore;
    const char *name;      /* of --file-prefix */
    const char *log_level; /* the whole argument, as --log-level=*:error */
    uint64_t memory_mib;   /* without hugepages; 0: with them */
    bool telemetry;
    const struct spill_device *devices;
    unsigned device_count;
    const char *hint;                   /* what may be wrong when it doesn't start */
    void (*tell)(const char *argument); /* gets each argument before the start; NULL: nobody */
};

/** @return 0, or -1 with an error; spill_eal_end() in either case */
int spill_eal_start(const struct spill_eal_config *config, struct spill_error *error);

/**
 * Plugs a device in that the user's arguments did not name. One that is there already stays.
 *
 * @return 0, or -1: spill_port_find() says what is wrong
 */
int spill_eal_plug_in(const struct spill_device *device);

/** Takes a device's driver off it, once its port is closed. What can't be taken stays, unused. */
void spill_eal_unplug(const struct spill_device *device);

/** Ends the EAL, if it was started. Ports are closed, and all that is in its memory is gone. */
void spill_eal_end(void);

#endif
