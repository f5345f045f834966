/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FUZZ_H
#define SPILLWAY_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/**
 * @file
 * What the fuzz targets have in common: the input, taken a piece at a time; a clock and seeds that
 * follow from it; the end at a property that doesn't hold. Each target is a program of libFuzzer's.
 */

/** What is left of the input; behind its end there are zeros. */
struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

static inline uint8_t fuzz_byte(struct fuzz_input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->at++;
}

static inline uint16_t fuzz_16(struct fuzz_input *input)
{
    uint16_t high = (uint16_t)(fuzz_byte(input) << 8);

    return high | fuzz_byte(input);
}

static inline uint32_t fuzz_32(struct fuzz_input *input)
{
    uint32_t high = (uint32_t)fuzz_16(input) << 16;

    return high | fuzz_16(input);
}

/** A number below a limit, of one byte where that is enough. */
static inline uint32_t fuzz_below(struct fuzz_input *input, uint32_t limit)
{
    return (limit <= 256 ? fuzz_byte(input) : fuzz_32(input)) % limit;
}

/** Takes so many bytes. */
static inline void fuzz_bytes(struct fuzz_input *input, void *to, size_t count)
{
    size_t there = count < input->left ? count : input->left;

    memset(to, 0, count);
    memcpy(to, input->at, there);
    input->at += there;
    input->left -= there;
}

/** A property that must hold. Its message says what does not. */
#define FUZZ_CHECK(condition, ...)                                                                 \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                        \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/** Starts a real EAL without hugepages, files and sockets, with this thread as its lcore 0. */
void fuzz_eal_start(unsigned mib);

/** The clock, in cycles: turned by the target, and a little by each look at it. */
extern uint64_t fuzz_clock;

/** What the next seeds follow from. */
extern uint64_t fuzz_seed;

/** A file in memory with these bytes, of mode 600, open under this descriptor. */
void fuzz_file(int descriptor, const void *bytes, size_t size);

/** Fails unless an error is one line of text. */
void fuzz_check_line(const char *text);

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#endif
