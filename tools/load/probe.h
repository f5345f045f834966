/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_LOAD_PROBE_H
#define SPILLWAY_LOAD_PROBE_H

#include <stdint.h>

/**
 * @file
 * What the payload of each packet begins with. It fits the 18 bytes that the smallest Ethernet
 * frame leaves behind IPv4 and UDP. In host order: who sends it also receives it.
 */
struct spill_load_probe {
    uint16_t mark;     /* SPILL_LOAD_MARK, its lowest bits the class */
    uint32_t flow;     /* number within the class */
    uint32_t sequence; /* within the flow's slot of the table, from 0 in each trial */
    uint64_t stamp;    /* TSC just before the packet was made */
} __attribute__((packed));

_Static_assert(sizeof(struct spill_load_probe) == 18, "fits a frame of 64 bytes");

#define SPILL_LOAD_MARK        0x5ab0
#define SPILL_LOAD_CLASSES_MAX 16

#endif
