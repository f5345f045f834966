/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_START_STEPS_H
#define SPILLWAY_START_STEPS_H

#include "program.h"

/**
 * @file
 * The steps that main() takes in order before the lcores run and after they have ended, each file's
 * under its name. The control thread's, where nothing else is said.
 */

/* ------------------------------------------------------------------------ planning.c */

/** Reads rules and topology, parses devices, computes the plan. @return 0, -1 with an error */
int spill_program_plan(struct spill_program *program, struct spill_error *error);

/** Parses a port's device, as far as that can be told without it. @return 0, -1 with an error */
int spill_program_parse_device(const struct spill_option_port *port, struct spill_device *device,
                               struct spill_error *error);

/** The same, and looks whether the device can be there: interfaces, PCI addresses, files. Any
 * thread. @return 0, -1 with an error */
int spill_program_check_device(const struct spill_option_port *port, struct spill_device *device,
                               struct spill_error *error);

/** What a plan has to know of a port, by its options and its parsed device; and what the device
 * that was found adds to that. */
void spill_program_plan_port(const struct spill_program *program, uint32_t index,
                             struct spill_plan_port_input *port);
void spill_program_plan_found(const struct spill_program *program, uint32_t index,
                              struct spill_plan_port_input *port);

/** Computes the plan again with the lcores that the EAL has and the queues that the devices have.
 */
int spill_program_plan_again(struct spill_program *program, struct spill_error *error);

/**
 * Whether classes may be dispatched, and overflow, as options say: nothing that is to be protected
 * passes in the clear for want of room, and a crypto device's work is not done inline.
 *
 * @return 0, -1 with an error
 */
int spill_program_check_classes(const struct spill_program *program,
                                const struct spill_options *options, struct spill_error *error);

/** Whether the ports' buffers hold whole frames with room for ESP, of a program that was planned
 * without. @return 0, -1 with an error */
int spill_program_check_room(const struct spill_program *program, struct spill_error *error);

/** Prints the plan for --check, as text or JSON. @return 0, -1 with an error: standard output
 * fails, or memory is short */
int spill_program_print_plan(const struct spill_program *program, struct spill_error *error);

/* ------------------------------------------------------------------------- explain.c */

/** Prints what the rules say of options.explain. @return 0, -1 with an error */
int spill_program_explain(struct spill_program *program, struct spill_error *error);

/* --------------------------------------------------------------------- never_match.c */

/** Warns of rules that can never match, for --check. */
void spill_program_warn_of_rules(const struct spill_program *program);

/* ----------------------------------------------------------------------------- eal.c */

/** Starts the EAL with the user's arguments, or with those that follow from the plan. */
int spill_program_start_eal(struct spill_program *program, const char *argv0,
                            struct spill_error *error);

/* ------------------------------------------------------------------------- bring_up.c */

/** Finds the ports' devices. @return 0, -1 with an error */
int spill_program_find_ports(struct spill_program *program, struct spill_error *error);

/** Makes a port's mempool by the plan, and configures its device; and starts it. @return 0, -1 with
 * an error */
int spill_program_configure_port(struct spill_program *program, uint32_t index,
                                 struct spill_error *error);
int spill_program_start_port(struct spill_program *program, uint32_t index,
                             struct spill_error *error);

/** Makes mempools, rules and pipeline, and starts the ports. @return 0, -1 with an error */
int spill_program_bring_up(struct spill_program *program, struct spill_error *error);

/* -------------------------------------------------------------------------- routing.c */

/** Makes the router, if any port is routed, with what the configuration says of it. The rules are
 * there. @return 0, -1 with an error */
int spill_program_open_router(struct spill_program *program, struct spill_error *error);

/** Tells the router, where it follows no kernel, the addresses of its interfaces and the routes
 * that belong to them, but for prefixes to which it has one. @return 0, -1 with an error */
int spill_program_set_addresses(struct spill_program *program, struct spill_error *error);

/**
 * Adds a routed port or sub-port to the router. Who has the ports.
 *
 * @param option  copied, but for what it owns
 * @param port    index in the plan
 * @return the router's index, -1 with an error: there are too many
 */
int spill_program_add_interface(struct spill_program *program,
                                const struct spill_option_interface *option, uint16_t port,
                                enum spill_port_state state, struct spill_error *error);

/* ------------------------------------------------------------------- routes_of_options.c */

/**
 * Makes the configuration's routes those of one in place of another's: in the kernel where ports
 * have twins, else in the router. Those by a port that is not there are left out. Control thread.
 *
 * @param before  what has been made so; NULL: nothing
 * @return 0; or -1 with an error, and some may have been made: the reverse undoes that
 */
int spill_program_set_routes(struct spill_program *program, const struct spill_options *before,
                             const struct spill_options *after, struct spill_error *error);

/** The same for its neighbors, in the router. */
int spill_program_set_neighbors(struct spill_program *program, const struct spill_options *before,
                                const struct spill_options *after, struct spill_error *error);

/** The router's index of an interface of options that is there, comes or leaves; -1: it is neither.
 * Who has the ports, or the control thread. */
int spill_program_find_interface(const struct spill_program *program,
                                 const struct spill_options *options, uint16_t index);

/** Starts the lcores. @return 0, -1 with an error */
int spill_program_launch(struct spill_program *program, struct spill_error *error);

/* ----------------------------------------------------------------------------- twins.c */

/**
 * Makes the twins of routed ports, and what is between them and the lcores, where the options have
 * any. The router has its interfaces; the ports are configured. @return 0, -1 with an error
 */
int spill_program_open_twins(struct spill_program *program, struct spill_error *error);

/** Whether no interface has the name of a twin that is to come, where twins are. Any thread, which
 * is there meanwhile. @return 0, -1 with an error */
int spill_program_ask_twin(const struct spill_program *program,
                           const struct spill_option_interface *option, struct spill_error *error);

/** Warns of twins that can't be made now, for --check. Those of a spillway that runs may be there.
 */
void spill_program_warn_of_twins(const struct spill_program *program);

/** Makes the twin of one more interface, by the router's index. The host's thread may run. Who has
 * the ports. @return 0, -1 with an error */
int spill_program_add_twin(struct spill_program *program, uint32_t index,
                           struct spill_error *error);

/** Starts the twins' thread, where there are any. Before the lcores. @return 0, -1 with an error */
int spill_program_start_host(struct spill_program *program, struct spill_error *error);

/** Delivers what the lcores gave the host, and ends the twins' thread. They have ended. */
void spill_program_end_host(struct spill_program *program);

/* --------------------------------------------------------------------- follow_kernel.c */

/**
 * Has the router follow the kernel from here on, and gives the kernel addresses and routes of the
 * options. Once the lcores run. @return 0, -1 with an error
 */
int spill_program_follow_kernel(struct spill_program *program, struct spill_error *error);

/** Follows a twin that has come, by the router's index, sets it up and gives the kernel its
 * addresses. @return 0, -1 with an error */
int spill_program_follow_twin(struct spill_program *program, uint16_t index,
                              struct spill_error *error);

/** Follows a twin no more that was closed. */
void spill_program_leave_twin(struct spill_program *program, uint16_t index);

/** Ends that, and takes back the routes that the twins do not take along: within a second. What was
 * counted stays. */
void spill_program_leave_kernel(struct spill_program *program);

/** Gives a writer what was heard from the kernel, and asked of it. Any thread. */
void spill_program_write_kernel(const struct spill_program *program,
                                struct spill_metric_writer *writer);

/**
 * Whether the twin of an interface, by the router's index, is gone: deleted, or taken to another
 * network namespace. Control thread.
 *
 * @param name  written: what the kernel calls it now, or did; the options' name before it is known
 */
bool spill_program_twin_is_gone(const struct spill_program *program, uint32_t interface,
                                char name[IF_NAMESIZE]);

/** Asks the kernel for neighbours that lcores need. @param program  struct spill_program * */
void spill_program_heed_needs(void *program);

/**
 * A port can carry another MTU than before, in bytes: its twins have it too, but for one that was
 * given a lesser one by somebody. (The MTU of a twin is in turn what is routed by its port at most,
 * and never the port's own.)
 */
void spill_program_twins_follow_mtu(struct spill_program *program, uint32_t port, uint32_t before,
                                    uint32_t now);

/* ------------------------------------------------------------------------ tear_down.c */

/** Stops the ports, balances the accounts, counts the mempools. */
void spill_program_settle(struct spill_program *program);

/** Frees everything and ends the EAL. */
void spill_program_tear_down(struct spill_program *program);

#endif
