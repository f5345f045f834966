/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CAPTURE_H
#define SPILLWAY_CAPTURE_H

#include "pipeline/watch.h"

/**
 * @file
 * Packets copied as they are dropped, or as they come and leave by a port, with reason and rule.
 */

#define SPILL_CAPTURE_BYTES_MAX 2048          /* of a packet */
#define SPILL_CAPTURE_RING      (1024 * 1024) /* bytes of records, of each lcore */
#define SPILL_CAPTURE_NO_PORT   RTE_MAX_ETHPORTS

/** Which packets. Written before lcores see it. */
struct spill_capture_choice {
    bool reasons[SPILL_DROP_REASONS_MAX]; /* those dropped, by id of the reason */
    uint16_t port;  /* those that come or leave by it, by its id; or SPILL_CAPTURE_NO_PORT */
    uint32_t bytes; /* of each, at most */
};

enum spill_capture_event {
    SPILL_CAPTURE_IN,
    SPILL_CAPTURE_OUT,
    SPILL_CAPTURE_DROPPED,
};

struct spill_capture_record {
    uint64_t time;   /* TSC */
    uint32_t length; /* bytes of the frame */
    uint32_t kept;   /* and those that follow */
    uint32_t tally;  /* of the rule, or SPILL_RULE_TALLY_NONE */
    uint16_t port;   /* id: of one that was dropped, where it came from, as its device says */
    uint8_t event;   /* enum spill_capture_event */
    uint8_t reason;  /* id, of one that was dropped */
    uint8_t data[];
};

/** Bytes of a record with its packet. */
static inline uint32_t spill_capture_element(uint32_t bytes)
{
    return (uint32_t)RTE_ALIGN(sizeof(struct spill_capture_record) + bytes, 8u);
}

/** Prepares an lcore's watch for a capture, but for its ring and its filter. Control thread.
 *  @param choice  stays the caller's
 *  @param most    packets */
void spill_capture_init(struct spill_watch *watch, const struct spill_capture_choice *choice,
                        uint32_t most);

#endif
