/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_IPSEC_KEY_FILE_H
#define SPILLWAY_IPSEC_KEY_FILE_H

#include <stdint.h>

#include "base/error.h"
#include "ipsec/algorithm.h"

/**
 * @file
 * Key files: one line of hex, the key material of one security association in the order of
 * algorithm.h. Control thread (files).
 *
 * No part of a key is ever in an error, and none stays behind in memory: what is read and written
 * here goes past stdio, and is wiped on every way out.
 */

/**
 * Reads a key file.
 *
 * It must be a regular file (a symbolic link to one is fine) that only its owner may use, and hold
 * as many hex digits as the algorithm needs, of either case. Blanks, a carriage return and one end
 * of the line may follow them, and nothing else.
 *
 * @param path   file to read
 * @param key    written on success: spill_ipsec_algorithm_key_size() bytes, the caller's to wipe
 *               with explicit_bzero(); room for SPILL_IPSEC_KEY_MAX. Wiped on failure
 * @param error  on failure one line that begins with the path; may be NULL
 * @return 0, or -1
 */
int spill_ipsec_key_load(const char *path, const struct spill_ipsec_algorithm *algorithm,
                         uint8_t *key, struct spill_error *error);

/**
 * Reads a key from a file that is open, with the same checks.
 *
 * @param descriptor  open for reading, at its beginning; stays open
 * @param name        what errors call it
 */
int spill_ipsec_key_read(int descriptor, const char *name,
                         const struct spill_ipsec_algorithm *algorithm, uint8_t *key,
                         struct spill_error *error);

/**
 * Creates an empty key file that only its owner may use. What is there already stays as it is.
 *
 * @param error  on failure one line that begins with the path; may be NULL
 * @return a descriptor to write to, the caller's to close; -1 when the file can't be made
 */
int spill_ipsec_key_create(const char *path, struct spill_error *error);

/**
 * Writes a random key as the line of a key file. Waits for the kernel's random numbers where they
 * are not ready yet, just after the machine's start.
 *
 * @param descriptor  open for writing; stays open, also on failure
 * @param name        what errors call it
 * @param error       may be NULL
 * @return 0, or -1 with a part of the line perhaps written
 */
int spill_ipsec_key_generate(const struct spill_ipsec_algorithm *algorithm, int descriptor,
                             const char *name, struct spill_error *error);

#endif
