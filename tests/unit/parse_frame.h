/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TEST_PARSE_FRAME_H
#define SPILLWAY_TEST_PARSE_FRAME_H

#include <stdint.h>

#define FRAME_MAX 1024

/* A frame as it arrives. */
struct frame {
    uint8_t bytes[FRAME_MAX];
    uint32_t length;
    uint64_t ol_flags;
    uint16_t vlan_tci, vlan_tci_outer;
};

#endif
