/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_PLUG_H
#define SPILLWAY_PLUG_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/pipeline.h"

/**
 * @file
 * How a port comes into a pipeline and leaves it: at the start, and while lcores run.
 *
 *     spill_plug_port()      each lcore has an output to it, and an exit: packets can leave by it
 *     spill_plug_open()      its receive queues are polled
 *     spill_plug_close()     they are not any more: nothing new comes
 *     spill_plug_is_idle()   what was to leave by it has left
 *     spill_plug_unplug()    nothing leaves by it any more: what would is dropped as `tx_link_down`
 *
 * Lcores are not stopped for it, and take no lock. Who changes something, the one thread that has
 * the plan (the control thread, or a reload's), adds behind what there is, and writes the count
 * last; what was added is never taken away, but closed. Between two steps of which one has to be
 * seen before the other, spill_pipeline_await_turn() waits until every lcore has.
 *
 * A port is known by its index in the plan. One that left may come back under the same index, with
 * another device; DPDK's id of it may be another's by then.
 */

/**
 * Makes a port's channels, and each lcore's outputs and exits. What it made before stays, closed,
 * and is used again.
 *
 * @param index  of the port in the plan; configured
 * @return 0, or -1 with an error: memory is short, or an lcore has too many queues. Then nothing is
 *         open, and it may be tried again
 */
int spill_plug_port(struct spill_pipeline *pipeline, uint32_t index, struct spill_error *error);

/**
 * Has each lcore know what comes by an interface of the router's, on a port that is plugged in; or
 * not any more: such packets are dropped as `unknown_vlan`.
 *
 * @param number  the router's index
 * @return 0, or -1 with an error: memory is short
 */
int spill_plug_interface(struct spill_pipeline *pipeline, uint16_t number,
                         struct spill_error *error);
void spill_plug_no_interface(struct spill_pipeline *pipeline, uint16_t number);

/** What a port counts begins anew, as its device's own counts do. Before it is open. */
void spill_plug_count_anew(struct spill_pipeline *pipeline, uint32_t index);

/** A port that was unplugged is sent to again. */
void spill_plug_again(struct spill_pipeline *pipeline, uint32_t index);

/** Has the port's receive queues polled. Once every lcore has seen what spill_plug_port() wrote, on
 * both ends of its wire. */
void spill_plug_open(struct spill_pipeline *pipeline, uint32_t index);

/** No lcore receives from the port any more, once each has seen it. */
void spill_plug_close(struct spill_pipeline *pipeline, uint32_t index);

/** Whether nothing waits to be sent by the port, in backlogs and in channels to those. */
bool spill_plug_is_idle(const struct spill_pipeline *pipeline, uint32_t index);

/** Nothing is given to the port's device any more, once every lcore has seen it twice over. */
void spill_plug_unplug(struct spill_pipeline *pipeline, uint32_t index);

#endif
