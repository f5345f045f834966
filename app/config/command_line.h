/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_COMMAND_LINE_H
#define SPILLWAY_COMMAND_LINE_H

#include "config/options.h"
#include "runtime/token.h"

/**
 * @file
 * From the command line, and the file that it names, to checked options.
 */

enum spill_options_result {
    SPILL_OPTIONS_ERROR = -1, /* bad input: the program ends with status 2 */
    SPILL_OPTIONS_GO_ON = 0,
    SPILL_OPTIONS_DONE = 1, /* --help or --version was printed: the program ends with status 0 */
};

/**
 * Reads the command line and, with `--config`, the file; flags override what the file says.
 *
 * With a `--` in argv, what stands before the first one are EAL arguments. `--help` and
 * `--version` print to standard output and win over everything else. A port or wire given by flag
 * replaces the device or ends of the file's entry of that name; the port's other settings stay
 * unless flags override them too. File names in a configuration file are relative to that file.
 * Nothing is kept from one call to the next: the same arguments can be parsed again, into other
 * options, while the first ones live.
 *
 * @param argc, argv  as main() has them; must stay as long as the options (EAL arguments)
 * @param stop        ends the reading of the file when it is cancelled; NULL: nothing does
 * @param options     written in any case; on SPILL_OPTIONS_GO_ON and on SPILL_OPTIONS_DONE and on
 *                    an error the caller calls spill_options_free()
 * @param error       on SPILL_OPTIONS_ERROR one line that names flag or file:line; may be NULL
 */
enum spill_options_result spill_options_parse(int argc, char **argv, const struct spill_token *stop,
                                              struct spill_options *options,
                                              struct spill_error *error);

#endif
