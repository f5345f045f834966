/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_COMMAND_ROWS_H
#define SPILLWAY_COMMAND_ROWS_H

/**
 * @file
 * The commands of the control socket, one row each: name, what it takes (NULL: nothing; in
 * brackets: it may be left out), help, and the function of commands.c that does it. spillway and
 * spillwayctl are both made from it.
 *
 * A client sends one line of JSON, and gets one, after which the connection is closed:
 *
 *     {"version": 1, "command": "log-level", "argument": "debug"}
 *     {"version": 1, "done": true, "text": "log-level: notice -> debug"}
 *     {"version": 1, "done": false, "error": "'loud': expected error, warning, notice, info,
 * debug"}
 */

#define SPILL_COMMAND_VERSION 1

#define SPILL_COMMAND_ROWS(ROW)                                                                    \
    ROW("reload", "[--confirm TIME]",                                                              \
        "read the configuration again and put it in force, as SIGHUP does", reload, false)         \
    ROW("check", NULL, "read the configuration again, and say what a reload would", check, false)  \
    ROW("confirm", NULL, "keep what a reload --confirm has put in force", confirm, false)          \
    ROW("drain", NULL, "end in order, as SIGTERM does", drain, false)                              \
    ROW("log-level", "LEVEL", "how much is logged from now on: as set log-level", set_log_level,   \
        false)                                                                                     \
    ROW("report", NULL, "all that is counted by now, as the report at the end has it", report,     \
        true)                                                                                      \
    ROW("metrics", "FORMAT", "the same for Prometheus: openmetrics, or prometheus (0.0.4)",        \
        tell_metrics, true)                                                                        \
    ROW("slow", NULL, "turns of lcores that took too long: as lcores --slow", tell_slow, true)     \
    ROW("plan", NULL, "who runs where, with which queues and memory", tell_plan, true)

/* Whose words spillwayctl joins: KEY=VALUE. */
#define SPILL_COMMAND_SET(ROW)                                                                     \
    ROW("set", "KEY VALUE",                                                                        \
        "an option that acts at once, until a reload puts the configuration's"                     \
        " back: dispatch encrypt=pool",                                                            \
        set_option, false)

/* Of which spillwayctl does a part by itself: where none runs it looks at the machine alone. */
#define SPILL_COMMAND_DOCTOR(ROW)                                                                  \
    ROW("doctor", NULL, "what of this machine costs speed or is broken, and what mends it",        \
        doctor, true)

#endif
