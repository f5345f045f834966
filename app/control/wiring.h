/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_WIRING_H
#define SPILLWAY_WIRING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/options.h"

/**
 * @file
 * What comes and leaves with a reload while lcores run: wires with both of their ports; routed
 * ports, and sub-ports of routed ports, which have twins.
 *
 *     a reload's thread    bring:   devices, mempools, outputs and exits, interfaces of the router,
 *                                   twins of what comes
 *                          (a version is made, whose rules may name those ports)
 *     control thread       give:    the kernel and the router get addresses, routes and neighbors
 *                          close:   nothing is received any more by what leaves
 *     a reload's thread    quiesce: what is under way leaves, and then nothing any more
 *     control thread       (the version is put in force) admit: what comes is there
 *     a reload's thread    finish:  once every lcore goes by the version, what comes is received
 *                                   from; twins go, and with them the kernel's routes by them, then
 *                                   devices and mempools
 *     control thread       forget:  nothing more is looked for from the kernel about those twins
 *
 * So nothing that came by a port that leaves is judged by rules that don't know it any more, and
 * nothing that comes by a new one by rules that don't know it yet.
 *
 * Whatever fails before the version is in force is taken back: what had come retires, what was
 * closed is opened. A port whose packets do not come home in time stays closed, with its device,
 * and holds up those that would come next: DPDK's id of it must be no other's meanwhile. So does
 * what is routed until no route leads by it any more.
 */

struct spill_program;

/** What is routed of that: by the router's index. */
struct spill_wiring_routed {
    uint32_t count;
    uint16_t list[SPILL_ROUTER_INTERFACES_MAX];
};

/** What of a reload comes and leaves: ports by index in the plan. Starts as all zeros. */
struct spill_wiring {
    uint32_t come_count, leave_count;
    uint8_t come[SPILL_PORTS_MAX], leave[SPILL_PORTS_MAX];
    struct spill_wiring_routed routed_come, routed_leave;
    bool undone; /* what leaves had never been there */
};

/**
 * Whether devices of ports that come can be had, as far as that can be told without them:
 * interfaces, PCI addresses, files. Any thread; it may wait for a file system.
 *
 * @param there  spill_wiring_current(): nothing of it is looked at but names
 * @return 0, or -1 with an error that names file and line, as all that follow
 */
int spill_wiring_check_devices(const struct spill_options *there,
                               const struct spill_options *options, struct spill_error *error);

/**
 * Whether what else comes with options can come: places, VLANs and addresses, and names of twins
 * where these are. Memory, queues, and what drivers and the kernel say of routes are left to
 * spill_wiring_bring(). Who has the reload.
 *
 * @param there  spill_wiring_current()
 */
int spill_wiring_ask(struct spill_program *program, const struct spill_options *there,
                     const struct spill_options *options, struct spill_error *error);

/**
 * Its parts, of one port that comes, and of one that is routed. Likewise.
 *
 * @param before  as many ports that were not there before come before it, and have no place yet
 * @return 0, of a port its place
 */
int spill_wiring_check_port(const struct spill_program *program,
                            const struct spill_options *options,
                            const struct spill_option_port *port, uint32_t before,
                            struct spill_error *error);
int spill_wiring_check_interface(const struct spill_program *program,
                                 const struct spill_options *options,
                                 const struct spill_option_interface *option,
                                 struct spill_error *error);

/** Whether nothing is left of ports that left. Likewise. */
int spill_wiring_check_settled(struct spill_program *program, struct spill_error *error);

/**
 * Finds what leaves, and makes what comes. A reload's thread.
 *
 * @param options  of which the ports and wires are to be there
 * @param wiring   written
 * @return 0; or -1 with an error, and all is as it was
 */
int spill_wiring_bring(struct spill_program *program, const struct spill_options *options,
                       struct spill_wiring *wiring, struct spill_error *error);

/**
 * Gives the kernel what twins that come have, and makes routes and neighbors those of the options.
 * Control thread.
 *
 * @param before  options in force
 * @return 0; or -1 with an error: spill_wiring_take_back() undoes what was done
 */
int spill_wiring_give(struct spill_program *program, const struct spill_wiring *wiring,
                      const struct spill_options *before, const struct spill_options *options,
                      struct spill_error *error);

/** The reverse, as far as it does not go with the twins; before spill_wiring_undo(). */
void spill_wiring_take_back(struct spill_program *program, const struct spill_options *before,
                            const struct spill_options *options);

/** Nothing is received any more by what leaves, once every lcore has turned. Control thread. */
void spill_wiring_close(struct spill_program *program, const struct spill_wiring *wiring);

/** Waits for what is under way of what leaves, --drain-timeout at most; what is left then is
 * dropped by name where it would leave. A reload's thread. @return 0, or -1 with an error: an lcore
 * hangs */
int spill_wiring_quiesce(struct spill_program *program, const struct spill_wiring *wiring,
                         struct spill_error *error);

/** What comes is there. Control thread, once the version is in force. */
void spill_wiring_admit(struct spill_program *program, const struct spill_wiring *wiring);

/** Makes undone what a reload that failed has done: what had come leaves, what was closed is open
 * again. Who has the reload; spill_wiring_finish() does the rest. */
void spill_wiring_undo(struct spill_program *program, struct spill_wiring *wiring);

/** Has what comes received from, and closes what leaves. A reload's thread. */
void spill_wiring_finish(struct spill_program *program, const struct spill_wiring *wiring);

/** Twins that were closed are not waited for, and ports that left not captured. Control thread,
 * once that is done. */
void spill_wiring_forget(struct spill_program *program, const struct spill_wiring *wiring);

/** Plans for what has stayed: what left needs no memory any more, and is not told. For
 * spill_wiring_finish(). */
void spill_wiring_plan_rest(struct spill_program *program);

/** Lets go of what left and could not be let go of in time. Who has the reload; the control thread,
 * while there is none. @return whether nothing is left of that */
bool spill_wiring_settle(struct spill_program *program);

/** Options, with the ports, wires and what is routed that are there in place of their own. They own
 * nothing. Who has the reload. @return the caller's to free(); NULL: no memory */
struct spill_options *spill_wiring_current(const struct spill_program *program,
                                           const struct spill_options *options);

/** The index of the port of that name that is there, or comes; -1: none. Who has the reload. */
int spill_wiring_find(const struct spill_program *program, const char *name);

/** Whether a port or sub-port of that name is there, or would come with options. Likewise. */
bool spill_wiring_has(const struct spill_program *program, const struct spill_options *options,
                      const char *name);

/** What a port is asked for, by its index; copied. @return 0, or -1 with an error: no memory */
int spill_wiring_note(struct spill_program *program, uint32_t index,
                      const struct spill_option_port *port, struct spill_error *error);

/** Frees the copies. At the end. */
void spill_wiring_free(struct spill_program *program);

#endif
