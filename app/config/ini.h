/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_INI_H
#define SPILLWAY_INI_H

#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

/**
 * @file
 * An INI file as sections, keys and values with the lines they stand in. What they mean is
 * config.c's.
 *
 * rte_cfgfile is not used: it has no line numbers, which every message needs, cuts long names and
 * values without a word, takes a line without '=' for an empty one, ignores what follows ']', and
 * takes a comment that it doesn't know for a key. The file is read once, so it may be a pipe.
 *
 * A line is `[section]`, `key = value`, or empty; `;` begins a comment anywhere, `#` at the
 * beginning of a line. Names have at most 63 bytes, values 255, lines 4096, a file 100 000 of them.
 */

#define SPILL_INI_NAME_SIZE  64 /* with the NUL, here and below */
#define SPILL_INI_VALUE_SIZE 256

/** A section's heading (key is empty) or one of its keys, in the order of the file. */
struct spill_ini_entry {
    unsigned int line;
    char section[SPILL_INI_NAME_SIZE]; /* blanks between words are one blank */
    char key[SPILL_INI_NAME_SIZE];
    char value[SPILL_INI_VALUE_SIZE];
};

struct spill_ini {
    size_t count;
    struct spill_ini_entry *entries; /* owned */
};

/**
 * Reads a file from an open stream up to its end.
 *
 * @param file   stays open and the caller's
 * @param name   what errors call it
 * @param sections_max  more are refused before anything is done with them
 * @param ini    written; on success the caller calls spill_ini_free()
 * @param error  on failure "name:line: …"
 * @return 0, or -1 with nothing to free
 */
int spill_ini_read(FILE *file, const char *name, unsigned int sections_max, struct spill_ini *ini,
                   struct spill_error *error);

/** Frees the entries. */
void spill_ini_free(struct spill_ini *ini);

#endif
