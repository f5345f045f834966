/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CTL_FILTER_H
#define SPILLWAY_CTL_FILTER_H

#include <jansson.h>

#include "base/error.h"

/**
 * A filter in the pcap syntax as the program takes it: instructions of the classic BPF for
 * Ethernet, each [code, jt, jf, k].
 *
 * @return the caller's to json_decref(); NULL with an error
 */
json_t *spill_ctl_filter_compile(const char *text, struct spill_error *error);

/** A whole number from `least` to `most`. @return 0, or -1 with an error that begins with `what` */
int spill_ctl_number_parse(const char *text, const char *what, unsigned least, unsigned most,
                           unsigned *number, struct spill_error *error);

#endif
