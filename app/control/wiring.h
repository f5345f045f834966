/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_WIRING_H
#define SPILLWAY_WIRING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/options.h"

/**
 * @file
 * Wires that come and leave with a reload, with both of their ports, while lcores run.
 *
 *     a reload's thread    bring:   devices, mempools, outputs and exits of what comes
 *                          (a version is made, whose rules may name those ports)
 *     control thread       close:   nothing is received any more by what leaves
 *                          (the version is put in force)
 *                          open:    what comes is received from
 *     a reload's thread    retire:  what is under way leaves; then devices and mempools go
 *
 * Whatever fails before the version is in force is taken back: what had come retires, what was
 * closed is opened. A port whose packets do not come home in time stays closed, with its device,
 * and holds up those that would come next: DPDK's id of it must be no other's meanwhile.
 */

struct spill_program;

/** What of a reload comes and leaves: ports by index in the plan. Starts as all zeros. */
struct spill_wiring {
    uint32_t come_count, leave_count;
    uint8_t come[SPILL_PORTS_MAX], leave[SPILL_PORTS_MAX];
    bool undone; /* what leaves had never been there */
};

/**
 * Finds what leaves, and makes what comes. A reload's thread.
 *
 * @param options  of which the ports and wires are to be there
 * @param wiring   written
 * @return 0; or -1 with an error, and all is as it was
 */
int spill_wiring_bring(struct spill_program *program, const struct spill_options *options,
                       struct spill_wiring *wiring, struct spill_error *error);

/** Nothing is received any more by what leaves. Control thread; waits for a turn of every lcore, a
 * tenth of a second at most. */
void spill_wiring_close(struct spill_program *program, const struct spill_wiring *wiring);

/** What comes is received from, and is there. Control thread. */
void spill_wiring_open(struct spill_program *program, const struct spill_wiring *wiring);

/** Makes undone what a reload that failed has done: what had come leaves, what was closed is open
 * again. Who has the reload; spill_wiring_retire() does the rest. */
void spill_wiring_undo(struct spill_program *program, struct spill_wiring *wiring);

/** Waits for what is under way of what leaves, --drain-timeout at most, and closes it. A reload's
 * thread. */
void spill_wiring_retire(struct spill_program *program, const struct spill_wiring *wiring);

/** Lets go of what left and could not be let go of in time. Who has the reload; the control thread,
 * while there is none. @return whether nothing is left of that */
bool spill_wiring_settle(struct spill_program *program);

/** The options of the start, with the ports and wires that are there in place of its own. They own
 * nothing. Who has the reload. */
void spill_wiring_current(const struct spill_program *program, struct spill_options *options);

/** The index of the port of that name that is there, or comes; -1: none. Who has the reload. */
int spill_wiring_find(const struct spill_program *program, const char *name);

/** Whether a port of that name is there, or would come with options. Likewise. */
bool spill_wiring_has(const struct spill_program *program, const struct spill_options *options,
                      const char *name);

/** What a port is asked for, by its index; copied. @return 0, or -1 with an error: no memory */
int spill_wiring_note(struct spill_program *program, uint32_t index,
                      const struct spill_option_port *port, struct spill_error *error);

/** Frees the copies. At the end. */
void spill_wiring_free(struct spill_program *program);

#endif
