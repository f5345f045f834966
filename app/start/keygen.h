/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_KEYGEN_H
#define SPILLWAY_KEYGEN_H

/**
 * @file
 * `spillway keygen ALGORITHM [FILE]`: writes the key of a security association.
 */

/**
 * Runs the command: a random key goes to a new file, or to standard output. Mistakes are told on
 * standard error, in one line. Needs no EAL.
 *
 * @param argc, argv  what stands behind the word keygen
 * @return the program's exit status: 0; 1 when the key can't be written, and there is no file then;
 *         2 for bad use, which includes a file that is there already
 */
int spill_keygen(int argc, char **argv);

#endif
