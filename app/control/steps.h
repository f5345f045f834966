/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CONTROL_STEPS_H
#define SPILLWAY_CONTROL_STEPS_H

#include "doctor/doctor.h"
#include "program.h"

/**
 * @file
 * What is done with the program while it runs and as it ends, each file's under its name. The
 * control thread's, where nothing else is said.
 */

/* -------------------------------------------------------------------------- doctor.c */

/** What of this machine costs or is broken, by the plan. The caller's to free(); NULL: no memory.
 *  @param eal_runs  in this process: else programs of DPDK are looked for */
struct spill_doctor_lines *spill_program_look(const struct spill_program *program, bool eal_runs);

/* ----------------------------------------------------------------------- generation.c */

/** Makes crypto devices, SAs and rules, and puts their first version in force. @return 0, or -1 */
int spill_program_open_generation(struct spill_program *program, struct spill_error *error);

/** Frees them. No lcore runs. */
void spill_program_close_generation(struct spill_program *program);

/** Frees what was replaced, or refused, as soon as nobody uses it any more. */
void spill_program_free_replaced(struct spill_program *program);

/**
 * The version in force, which stays until spill_program_release_generation(); NULL before the first
 * and after the last. Any thread but the lcores (takes a lock, at which the control thread waits
 * when it puts another version in force).
 */
const struct spill_generation *spill_program_hold_generation(struct spill_program *program);
void spill_program_release_generation(struct spill_program *program);

/**
 * A version of what files have. A reload's thread, or the control thread before any.
 *
 * @param files       checked by spill_program_check_version(); stay the caller's
 * @param same_files  the version in force is of them, too: what that has compiled goes on
 * @return NULL with an error, and nothing has changed
 */
struct spill_generation *spill_program_make_version(struct spill_program *program,
                                                    const struct spill_options *options,
                                                    struct spill_policy_files *files,
                                                    bool same_files, struct spill_error *error);

/**
 * Whether a version can be made of files, but for memory and devices: what they name is there, or
 * comes with the options. Any thread but lcores'.
 */
int spill_program_check_version(const struct spill_program *program,
                                const struct spill_options *options,
                                const struct spill_policy_files *files, struct spill_error *error);

/** Puts another version in force. @return 0; -EBUSY, and the version stays the caller's */
int spill_program_replace_generation(struct spill_program *program,
                                     struct spill_generation *generation);

/* --------------------------------------------------------------------------- routes.c */

/** Has the changes of routes made on the lcores' tables: now, and in the times to come as long as
 * there are some. After any of spill_router_set_route() and its like. */
void spill_program_routes_changed(struct spill_program *program);

/** Give a writer what is told of routes, and of neighbours; there is a router. Any thread. */
void spill_program_write_routes(const struct spill_program *program,
                                struct spill_metric_writer *writer);
void spill_program_write_neighbors(const struct spill_program *program,
                                   struct spill_metric_writer *writer);

/** Says whether a port's link is up, by its index: flows leave routes by it to other next hops. */
void spill_program_route_link(struct spill_program *program, uint32_t port, bool up);

/* ---------------------------------------------------------------------------- rules.c */

/** Gives a writer the rules in force, with what they have counted: bounded. As the above. */
void spill_program_write_rules(struct spill_program *program,
                               const struct spill_metric_family *family,
                               struct spill_metric_writer *writer);

/** When something was, by TSC: nanoseconds of UNIX time. */
uint64_t spill_program_time_of(uint64_t stamp);

/** The values of one rule, by FILE:LINE, its name, or default. @return whether there is one */
bool spill_program_write_rule(struct spill_program *program, const char *title,
                              struct spill_metric_writer *writer);

/* ------------------------------------------------------------------------- rule_log.c */

/** Begins to write what rules with `log` decide. Once the pipeline is made. @return 0, or -1 */
int spill_program_open_rule_log(struct spill_program *program, struct spill_error *error);

/** After a reload: opens its file again, as what stood there may have been moved away, and looks as
 * often as the new rules want. */
void spill_program_reopen_rule_log(struct spill_program *program);

/**
 * Writes what the lcores have recorded so far. Before rules are replaced, so that their records
 * name them; those that lcores make until they take the new ones name the rules that are still
 * there.
 *
 * @param program  struct spill_program *
 */
void spill_program_drain_rule_log(void *program);

/** Ends it. */
void spill_program_close_rule_log(struct spill_program *program);

/* --------------------------------------------------------------------------- reload.c */

/**
 * Prepares for reloads: one begins when `reload_due` is notified while one is wanted, beside
 * everything else; what it has made is put in force later. A check is the same up to where a
 * version is made. One that doesn't get its files within
 * 30 s is given up, and so is one that has read for a second when another is wanted.
 *
 * @return 0, or -1 with an error
 */
int spill_program_open_reload(struct spill_program *program, struct spill_error *error);

/** None is under way, or it was given up. */
void spill_program_close_reload(struct spill_program *program);

/**
 * Waits half a second for a reload that is under way: it reads no more files by then, but rules may
 * be compiled for longer. It is given up after that, and nothing that it works with may be freed.
 */
void spill_program_end_reload(struct spill_program *program);

/* -------------------------------------------------------------------------- confirm.c */

/** Frees what a version was made of. NULL is fine. */
void spill_sources_free(struct spill_sources *sources);

/**
 * Notes what the version in force was made of: what it was made of before comes back unless it is
 * confirmed in time, or, without a time, is forgotten. What waits already to be confirmed is not
 * what comes back.
 *
 * @param sources     the program's from here on
 * @param confirm_ns  0: it needs none
 */
void spill_program_note_sources(struct spill_program *program, struct spill_sources *sources,
                                uint64_t confirm_ns);

/** What comes back, when that is due; it stays the program's. The time begins anew, a second. */
bool spill_program_take_former(struct spill_program *program, struct spill_sources **former);

/** Notes that it has come back. */
void spill_program_note_former(struct spill_program *program);

/** Confirms what is in force. @return 0, or -1 with an error: nothing waits for it */
int spill_program_confirm(struct spill_program *program, struct spill_error *error);

/** Frees what is kept for that. */
void spill_program_close_confirmation(struct spill_program *program);

/* ------------------------------------------------------------------------------ set.c */

/** What the configuration in force says of options that act at once. Control thread, as the next.
 */
const struct spill_options *spill_program_configured(const struct spill_program *program);

/**
 * Sets an option that acts at once, until a reload: see spill_options_set().
 *
 * @param text  written: what it is now, and was before
 * @return 0, or -1 with an error, and nothing has changed
 */
int spill_program_set(struct spill_program *program, const char *setting, char *text, size_t size,
                      struct spill_error *error);

/** Puts in force what a configuration says of options that act at once. */
void spill_program_take_at_once(struct spill_program *program, const struct spill_options *options);

/* ----------------------------------------------------------------------- agreement.c */

/**
 * Has what daemons have agreed on put in force, in place of what they had before: as soon as no
 * reload is under way. One at a time.
 *
 * @param files  the program's from here on
 * @param over   called once every lcore goes by it, with NULL; or with what went wrong, and whether
 *               it is in force all the same, as lcores were not heard of in time
 */
void spill_program_agree(struct spill_program *program, struct spill_policy_files *files,
                         void (*over)(void *context, const char *error, bool in_force),
                         void *context);

/** Takes what is wanted, as a version is about to be made with it. @return whether there is some */
bool spill_program_begin_agreement(struct spill_program *program);

/** Whether something to be agreed on is what is in force anyway, and every lcore goes by it. */
bool spill_program_has_agreed(struct spill_program *program,
                              const struct spill_policy_files *files);

/** Says what became of it. @param error  NULL: it was published */
void spill_program_end_agreement(struct spill_program *program, const char *error);

/** Forgets it all; nobody is told any more. */
void spill_program_close_agreement(struct spill_program *program);

/* ------------------------------------------------------------------ commands_socket.c */

/**
 * Begins to listen for commands, at `control` in DPDK's folder of this process, where spillwayctl
 * looks, and at options.control_socket besides; where the former can't be, a warning says so. What
 * comes is answered once the control thread waits. @return 0, -1 with an error
 */
int spill_program_open_commands(struct spill_program *program, struct spill_error *error);

/** Ends it. Who waits for an answer is told that the program ends. */
void spill_program_close_commands(struct spill_program *program);

/** Tells clients that a reload begins: the outcome is that of those that have wanted one by now. */
void spill_program_tell_reload_begun(struct spill_program *program, enum spill_reload_wish wish);

struct spill_command_outcome;

/** Tells them its outcome. */
void spill_program_tell_reload_over(struct spill_program *program,
                                    const struct spill_command_outcome *outcome);

/* ------------------------------------------------------------------------ telemetry.c */

/**
 * Adds spillway's commands to DPDK's telemetry socket: a thread of DPDK's reads the program from
 * here on. Once everything is made that is counted. @return 0, -1 with an error
 */
int spill_program_start_telemetry(struct spill_program *program, struct spill_error *error);

/** Has the commands answer nothing any more, and waits for one under way. Before anything goes. */
void spill_program_end_telemetry(void);

/* -------------------------------------------------------------------------- metrics.c */

/**
 * Gives a writer all that the program and its pipeline count. The control thread, or another one
 * between spill_program_start_telemetry() and spill_program_end_telemetry().
 *
 * @param family  this one alone; NULL: all
 */
void spill_program_write_metrics(struct spill_program *program, const char *family,
                                 struct spill_metric_writer *writer);

/* --------------------------------------------------------------------------- status.c */

/** Copies what `spillwayctl set` has set. Any thread but one that has `holding`. */
void spill_program_tell_set(struct spill_program *program, char text[SPILL_PROGRAM_SET_SIZE]);

/** Gives a writer what is told of the program as a whole while it runs. As the above. */
void spill_program_write_status(struct spill_program *program, struct spill_metric_writer *writer);

/* -------------------------------------------------------------------------- signals.c */

/**
 * Takes SIGTERM, SIGINT and SIGHUP over from their default, before there is another thread. They
 * cancel the program's tokens, or reload, while the control thread waits or a guard reads.
 */
int spill_signals_init(struct spill_program *program, struct spill_error *error);

/**
 * Has signals looked after while files are read and the program starts, until
 * spill_signals_start_over(): what does not end within ten seconds of the first signal, or by a
 * second one, is left with status 3.
 */
int spill_signals_guard_start(struct spill_program *program, struct spill_error *error);
void spill_signals_start_over(struct spill_program *program);

/**
 * The same for what follows the drain, until the process ends: after --drain-timeout and ten
 * seconds, or by a further signal, the process ends with the status in guard_status.
 */
void spill_signals_guard_end(struct spill_program *program);

/** Whether a second signal, or a later one, has come since there were `ends` of them. */
bool spill_signals_cut_short(const struct spill_program *program, unsigned ends);

/* -------------------------------------------------------------------------- control.c */

/** Runs until the end begins: events, limits, watchdog, links. @return 0, -1 with an error */
int spill_control_run(struct spill_program *program, struct spill_error *error);

/** Waits until the lcores have drained and ended, or the drain deadline forces them. */
void spill_control_drain(struct spill_program *program);

/** --drain-timeout has changed: lcores that drain get the new one, from when they began to. */
void spill_control_bound_drain(struct spill_program *program);

/**
 * Waits for a thread of the end's, no longer once a further signal has come that is not the first.
 *
 * @param nanoseconds  at most
 * @return false when it still runs
 */
bool spill_control_join(struct spill_program *program, pthread_t thread, uint64_t nanoseconds);

/* ----------------------------------------------------------------------------- links.c */

/** Takes all links for up, with their ports' MTUs: what differs is told at the first look. */
void spill_program_init_links(struct spill_program *program);

/**
 * Looks at the ports' links now, once a second, and when the kernel tells of a change (rtnetlink),
 * until spill_program_leave_links(): a change is logged, and where it is a kernel's interface that
 * went down, went away or has another MTU, passed on to the lcores.
 *
 * @return 0, -1 without memory
 */
int spill_program_watch_links(struct spill_program *program);

/** The lcores have ended. After a watch that failed, too. */
void spill_program_leave_links(struct spill_program *program);

/** Gives a writer a port's link, as last seen, and what its device did not send. Any thread. */
void spill_program_write_link(const struct spill_program *program, uint32_t index,
                              struct spill_metric_writer *writer);

/** Logs what devices took and did not send. Once the ports are closed. */
void spill_program_tell_unsent(const struct spill_program *program);

/* -------------------------------------------------------------------------- outcome.c */

/** Notes how the program ends; a worse end stays. */
void spill_program_end_as(struct spill_program *program, enum spill_outcome outcome);

/** Whether the books balance with nothing leaked. */
bool spill_program_balanced(const struct spill_program *program);

/** The exit status of the outcome and the books. */
enum spill_status spill_program_status(const struct spill_program *program);

/** The one of two that says more: failed, then forced, then drained. */
enum spill_status spill_status_worse(enum spill_status one, enum spill_status other);

/* --------------------------------------------------------------------------- report.c */

/** Writes the report if one was asked for. @return 0, -1 with an error */
int spill_program_report(struct spill_program *program, struct spill_error *error);

/** One line of live counters to standard error. */
void spill_program_print_stats(const struct spill_program *program);

#endif
