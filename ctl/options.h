/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CTL_OPTIONS_H
#define SPILLWAY_CTL_OPTIONS_H

#include "command.h"

enum spill_ctl_parsed {
    SPILL_CTL_GO_ON,
    SPILL_CTL_HELP,
    SPILL_CTL_VERSION,
    SPILL_CTL_WRONG, /* with an error */
};

/** Reads the command line. @param request  overwritten */
enum spill_ctl_parsed spill_ctl_options_parse(int argc, char **argv,
                                              struct spill_ctl_request *request,
                                              struct spill_error *error);

/** The rows of --help. */
void spill_ctl_options_help(FILE *out);

#endif
