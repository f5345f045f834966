/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CTL_FRAME_H
#define SPILLWAY_CTL_FRAME_H

#include <stdio.h>

#include <jansson.h>

/**
 * @file
 * What happened between two reports of a running program, as a page of text: rates, where the
 * lcores' time went, and of drops and rules those that there is most of. Pure.
 */

/**
 * Prints it: lines, of which those behind an empty one are headings.
 *
 * @param before  report; may be that of another run, or nonsense: what can't be told is told as "-"
 * @param after   report
 * @param name    of the instance
 * @param lines   at most; tables are cut so that each has some of them
 * @return 0, or -1 without memory
 */
int spill_ctl_frame_print(const json_t *before, const json_t *after, const char *name,
                          unsigned lines, FILE *out);

#endif
