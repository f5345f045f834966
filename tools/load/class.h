/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_LOAD_CLASS_H
#define SPILLWAY_LOAD_CLASS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/name.h"
#include "probe.h"

/**
 * @file
 * A class of traffic as the user describes it: `voice:share=10,size=64-200,flows=1k,vlan=7`.
 * Control thread.
 */

#define SPILL_LOAD_FLOWS_MAX (UINT32_C(1) << 26)
#define SPILL_LOAD_FRAME_MAX 9018 /* bytes, with FCS */
#define SPILL_LOAD_FCS       4

/** A prefix: the bits behind its length are 0. */
struct spill_load_prefix {
    uint8_t address[16]; /* network order; IPv4 uses the first 4 */
    uint8_t length;
};

struct spill_load_class {
    char name[SPILL_NAME_SIZE];
    uint8_t share;  /* per cent of all packets */
    bool imix;      /* 7 frames of 64 bytes, 4 of 570, 1 of 1518 */
    uint16_t least; /* bytes of a frame with its FCS, any number in between alike */
    uint16_t most;
    uint32_t flows; /* 0: each packet is a new one */
    uint8_t family; /* 4 or 6 */
    uint16_t vlan;  /* 0: untagged */
    struct spill_load_prefix from, to;
};

/**
 * Reads a class: `NAME:key=value,...`, all keys optional.
 *
 * @param class  written on success only
 * @param error  one line without the flag
 * @return 0, or -1
 */
int spill_load_class_parse(const char *text, struct spill_load_class *class,
                           struct spill_error *error);

/** Whether classes go together: names differ, shares make 100. @return 0, or -1 */
int spill_load_classes_check(const struct spill_load_class *classes, unsigned count,
                             struct spill_error *error);

/** Bytes that headers and probe of the class's frames take, FCS included. */
uint16_t spill_load_class_floor(const struct spill_load_class *class);

#endif
