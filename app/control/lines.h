/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_LINES_H
#define SPILLWAY_LINES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/**
 * @file
 * Lines into a file, pipe, socket or terminal: each whole or not at all.
 *
 * What is taken in part, as by a full disk, is taken back where that is the end of a file. Where it
 * can't be, the next line begins behind an end of line. One thread at a time.
 */

/** Bytes that a pipe takes whole, behind an end of line. */
#define SPILL_LINE_MAX (PIPE_BUF - 1)

struct spill_lines {
    int descriptor; /* the user's, to set and to close */
    bool cut;       /* what was written last does not end its line */
};

/**
 * Writes a line by one write, which waits only where the descriptor does.
 *
 * @param line  with its end; or a part of a longer one
 * @param size  1 to SPILL_LINE_MAX bytes
 * @return whether it was written; else nothing of it counts
 */
bool spill_lines_put(struct spill_lines *lines, const char *line, size_t size);

#endif
