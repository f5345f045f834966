/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_STREAM_H
#define SPILLWAY_STREAM_H

#include <stdio.h>
#include <sys/stat.h>

#include "base/error.h"
#include "runtime/token.h"

/**
 * @file
 * Files that don't hold up who reads them (law 7): whatever a path leads to, such as a pipe that
 * nobody writes to, each wait looks at a token and has an end.
 *
 * A file system that hangs holds a thread within open() or read(), where nothing reaches it: there
 * the thread has to be given up by those who wait for it.
 */

#define SPILL_STREAM_PATIENCE_S 10

/** A file being read. The reader's thread. */
struct spill_stream {
    FILE *file; /* to read from */
    const char *path;
    const struct spill_token *stop;
    int descriptor;     /* doesn't block */
    int failure;        /* errno of a read; 0: none failed */
    struct stat opened; /* as it was then */
};

/**
 * Opens a file for reading. A read fails once the token is cancelled, when nothing has come for
 * SPILL_STREAM_PATIENCE_S, and at the end of a regular file that was written to meanwhile: what was
 * read may be neither the old one nor the new.
 *
 * @param path    stays the caller's, as long as the stream; so does `stop`
 * @param stop    NULL: none
 * @param stream  written; stays where it is until spill_stream_close()
 * @param error   on failure "PATH: …"; may be NULL
 * @return 0, or -1 with nothing to close
 */
int spill_stream_open(const char *path, const struct spill_token *stop, struct spill_stream *stream,
                      struct spill_error *error);

/**
 * Closes it.
 *
 * @param error  when a read failed for a reason of the stream's own, gets that reason in place of
 *               the reader's
 */
void spill_stream_close(struct spill_stream *stream, struct spill_error *error);

#endif
