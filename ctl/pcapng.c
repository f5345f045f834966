/* SPDX-License-Identifier: BSD-3-Clause */
#include "pcapng.h"

#include <string.h>

/* Types of blocks, and codes of options, by section numbers of the draft. */
enum {
    BLOCK_SECTION = 0x0A0D0D0A,  /* 4.1 */
    BLOCK_INTERFACE = 1,         /* 4.2 */
    BLOCK_ENHANCED_PACKET = 6,   /* 4.3 */
    OPTION_END = 0,              /* 3.5 */
    OPTION_COMMENT = 1,          /* 3.5 */
    OPTION_USER_APPLICATION = 4, /* 4.1 */
    OPTION_INTERFACE_NAME = 2,   /* 4.2 */
    OPTION_TIME_RESOLUTION = 9,  /* 4.2 */
    OPTION_FLAGS = 2,            /* 4.3 */
};

#define BYTE_ORDER_MAGIC  0x1A2B3C4Du
#define LINKTYPE_ETHERNET 1
#define TEXT_MAX          8192 /* bytes of an option that is told */

static void put32(FILE *out, uint32_t value)
{
    fwrite(&value, sizeof(value), 1, out);
}

static void put16(FILE *out, uint16_t value)
{
    fwrite(&value, sizeof(value), 1, out);
}

static uint32_t padded(uint32_t size)
{
    return (size + 3) & ~3u;
}

static void put_padded(FILE *out, const void *data, uint32_t size)
{
    static const uint8_t zeros[4];

    fwrite(data, 1, size, out);
    fwrite(zeros, 1, padded(size) - size, out);
}

static uint32_t text_size(const char *text)
{
    return (uint32_t)strnlen(text, TEXT_MAX);
}

/* Bytes of an option with so many of its value. */
static uint32_t option_size(uint32_t size)
{
    return 4 + padded(size);
}

static void put_option(FILE *out, uint16_t code, const void *value, uint32_t size)
{
    put16(out, code);
    put16(out, (uint16_t)size);
    put_padded(out, value, size);
}

static void begin_block(FILE *out, uint32_t type, uint32_t total)
{
    put32(out, type);
    put32(out, total);
}

static void end_block(FILE *out, uint32_t total)
{
    put_option(out, OPTION_END, "", 0);
    put32(out, total);
}

void spill_ctl_pcapng_begin(FILE *out, const char *program)
{
    const uint32_t size = text_size(program);
    const uint32_t total = 28 + option_size(size) + option_size(0);

    begin_block(out, BLOCK_SECTION, total);
    put32(out, BYTE_ORDER_MAGIC);
    put16(out, 1); /* version 1.0 */
    put16(out, 0);
    put32(out, UINT32_MAX); /* how long the section is, 64 bits: not said */
    put32(out, UINT32_MAX);
    put_option(out, OPTION_USER_APPLICATION, program, size);
    end_block(out, total);
}

void spill_ctl_pcapng_interface(FILE *out, const char *name)
{
    static const uint8_t nanoseconds = 9; /* ten to the power of minus so much */
    const uint32_t size = text_size(name);
    const uint32_t total = 20 + option_size(size) + option_size(1) + option_size(0);

    begin_block(out, BLOCK_INTERFACE, total);
    put16(out, LINKTYPE_ETHERNET);
    put16(out, 0);
    put32(out, 0); /* no limit */
    put_option(out, OPTION_INTERFACE_NAME, name, size);
    put_option(out, OPTION_TIME_RESOLUTION, &nanoseconds, sizeof(nanoseconds));
    end_block(out, total);
}

void spill_ctl_pcapng_frame(FILE *out, const struct spill_ctl_frame_captured *frame)
{
    const uint32_t size = frame->comment != NULL ? text_size(frame->comment) : 0;
    const uint32_t flags = frame->direction;
    const uint32_t total = 32 + padded(frame->kept) + (size > 0 ? option_size(size) : 0) +
                           option_size(sizeof(flags)) + option_size(0);

    begin_block(out, BLOCK_ENHANCED_PACKET, total);
    put32(out, frame->interface);
    put32(out, (uint32_t)(frame->time >> 32));
    put32(out, (uint32_t)frame->time);
    put32(out, frame->kept);
    put32(out, frame->length);
    put_padded(out, frame->data, frame->kept);
    if (size > 0)
        put_option(out, OPTION_COMMENT, frame->comment, size);
    put_option(out, OPTION_FLAGS, &flags, sizeof(flags));
    end_block(out, total);
}
