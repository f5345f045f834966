/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CTL_PCAPNG_H
#define SPILLWAY_CTL_PCAPNG_H

#include <stdint.h>
#include <stdio.h>

/**
 * @file
 * Capture files of Ethernet frames with comments: blocks of draft-ietf-opsawg-pcapng, in this
 * machine's byte order, with times in nanoseconds. What can't be written shows as the stream's
 * error.
 */

enum spill_ctl_direction {
    SPILL_CTL_DIRECTION_UNKNOWN = 0, /* values of epb_flags */
    SPILL_CTL_DIRECTION_IN = 1,
    SPILL_CTL_DIRECTION_OUT = 2,
};

struct spill_ctl_frame_captured {
    uint32_t interface; /* number of its description, in their order, from 0 */
    uint64_t time;      /* nanoseconds of UNIX time */
    uint32_t length;    /* bytes that it had */
    uint32_t kept;      /* and of `data` */
    enum spill_ctl_direction direction;
    const uint8_t *data;
    const char *comment; /* NULL: none */
};

/** Begins a section. @param program  that writes it */
void spill_ctl_pcapng_begin(FILE *out, const char *program);

/** Describes the next interface. */
void spill_ctl_pcapng_interface(FILE *out, const char *name);

void spill_ctl_pcapng_frame(FILE *out, const struct spill_ctl_frame_captured *frame);

#endif
