/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_PROGRAM_H
#define SPILLWAY_PROGRAM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_cycles.h>

#include "base/error.h"
#include "base/metrics.h"
#include "classify/rule_tallies.h"
#include "config/difference.h"
#include "config/options.h"
#include "config/policy_files.h"
#include "control/events.h"
#include "control/lines.h"
#include "control/on_drain.h"
#include "control/service.h"
#include "doctor/doctor.h"
#include "ipsec/sa_set.h"
#include "pipeline/generation.h"
#include "pipeline/host.h"
#include "pipeline/pipeline.h"
#include "plan/plan.h"
#include "plan/topology.h"
#include "port/mbuf_pool.h"
#include "port/port.h"
#include "runtime/snapshot.h"
#include "runtime/token.h"
#include "runtime/watchdog.h"

/**
 * @file
 * The program's state, and the steps that main() takes in order. All of it is the control thread's,
 * but for what a reload's thread makes and closes of ports, workers and versions (wiring.h,
 * workers.h): one of the two at a time.
 */

/** Exit status. */
enum spill_status {
    SPILL_STATUS_DRAINED = 0,
    SPILL_STATUS_FAILED = 1,
    SPILL_STATUS_USAGE = 2,
    SPILL_STATUS_FORCED = 3, /* or unbalanced */
};

/** How the program ended, the worst last. */
enum spill_outcome {
    SPILL_OUTCOME_DRAINED, /* everything accepted was dealt with */
    SPILL_OUTCOME_FORCED,  /* a deadline or a second signal cut the drain short */
    SPILL_OUTCOME_FAILED,  /* it could not start, or a port or an lcore failed */
};

/** Where signals arrive, and the thread that reads them while the main thread can't. */
struct spill_signals {
    int descriptor;           /* signalfd */
    struct spill_event heard; /* by the control thread */
    unsigned ends;       /* SIGTERM and SIGINT so far; by the guard while there is one, else main */
    pthread_t guard;     /* its thread */
    int guard_over;      /* eventfd: it may go */
    const char *guarded; /* what is said when that does not end */
    int64_t guard_ms;    /* how long that may go on once it was told to end */
};

/** What a version is made of. */
struct spill_sources {
    struct spill_options options;
    struct spill_policy_files files;
};

/** What is in force, and what comes back unless it is confirmed. */
struct spill_confirmation {
    struct spill_sources *in_force; /* owned, as the next; NULL: the program's own, of the start */
    struct spill_sources *former;
    bool waits;  /* for it */
    bool is_due; /* the time is over, and `former` is to come back */
    struct spill_event patience;
    uint64_t until; /* TSC when it is; 0: nothing waits. Atomic: told by any thread */
};

/** A place for a port, by its index in the plan. */
enum spill_port_state {
    SPILL_PORT_FREE,    /* none has been there */
    SPILL_PORT_COMING,  /* made by a reload's thread; rules may name it, nothing comes by it yet */
    SPILL_PORT_THERE,   /* of the configuration in force */
    SPILL_PORT_LEAVING, /* nothing more comes by it; what is under way leaves */
    SPILL_PORT_GONE,    /* it left; its name may come back */
};

struct spill_stall_watch;
struct spill_watching;

/** What daemons have agreed on, and is part of every version. agreement.c. */
struct spill_agreement {
    struct spill_policy_files *files;  /* owned, as the next two; NULL: nothing. Who makes a version
                                        * reads it */
    struct spill_policy_files *before; /* of the version in force, while the next is made */
    struct spill_policy_files *wanted; /* to be put in force; NULL: nothing */
    bool changes_rules;                /* what is made differs from `before` in more than SAs */
    bool changes_sas;                  /* and in SAs */
    void (*over)(void *context, const char *error, bool in_force);
    void *context;
    uint64_t began;           /* TSC, when the version that is waited for was published */
    struct spill_event grace; /* until every lcore goes by it */
};

#define SPILL_PROGRAM_SET_SIZE 1024

struct spill_program {
    struct spill_options options; /* of the start; those that act at once, as they are now */
    struct spill_options
        at_start; /* what the start's configuration said of the latter; owns nothing
                   */
    /* What `spillwayctl set` has set and differs from the configuration in force, with ", "
     * between; `holding` is held to write it, and by others to read it. There is room for all such
     * options. */
    char set[SPILL_PROGRAM_SET_SIZE];
    struct spill_topology topology;
    int argc; /* of main(), to read it all again */
    char **argv;
    struct spill_policy_files files; /* of the start: until others are in force for good */
    /* By index of the port in the plan: first those of the start, as in the options, then those
     * that came since. Of one that is not there, nothing but its name and what it counted is looked
     * at. */
    _Atomic int port_states[SPILL_PORTS_MAX]; /* enum spill_port_state */
    uint8_t port_after[SPILL_PORTS_MAX];      /* what it is once it has left; who has the reload */
    struct spill_option_port port_options[SPILL_PORTS_MAX];
    struct spill_device devices[SPILL_PORTS_MAX];
    struct spill_plan_input plan_input;
    struct spill_plan plan;
    uint32_t workers_at_start; /* of the plan's workers: the first so many */

    struct spill_token force;   /* root: end at once */
    struct spill_token stop;    /* its child: stop receiving, drain */
    struct spill_events events; /* that the control thread waits for */
    struct spill_signals signals;
    struct spill_on_drain on_drain;
    struct spill_service service; /* what runs it is told of it */
    _Atomic int guard_status;     /* enum spill_status: of an end that the guard makes */

    uint32_t port_count; /* found, those that left since among them */
    uint64_t left;       /* TSC when one last did; who has the reload */
    bool comes_ipsec;    /* a reload brings associations; likewise */
    _Atomic bool wiring; /* its thread makes or closes ports or workers */
    struct spill_port ports[SPILL_PORTS_MAX];
    struct rte_mempool *mempools[SPILL_PORTS_MAX];
    struct spill_snapshot *rules; /* of struct spill_generation */
    struct spill_crypto *crypto;  /* NULL, as the next: without IPsec */
    struct spill_sa_store *sas;
    struct spill_rule_tallies *tallies; /* who makes a version has it */
    struct spill_host *host;            /* NULL: no port has a twin */
    struct spill_kernel_side *kernel;   /* that is followed; NULL: none */
    struct spill_router *router;        /* NULL: no port is routed */
    /* Routed ports and sub-ports by the router's index, as the next: first those of the start, then
     * those that came since. `port` is an index in the plan; they own nothing. */
    struct spill_option_interface interfaces[SPILL_ROUTER_INTERFACES_MAX];
    _Atomic int interface_states[SPILL_ROUTER_INTERFACES_MAX]; /* enum spill_port_state */
    _Atomic uint32_t interface_count;
    bool routes_refused;                    /* it was told that some were */
    struct spill_event routing;             /* while changes of routes are not done */
    struct spill_event needs;               /* of lcores: the twins' thread tells */
    uint32_t versions;                      /* of the rules and SAs, made or tried */
    uint32_t reloads;                       /* that came into force */
    bool reload_wanted;                     /* a signal or a client asked for it */
    bool check_wanted;                      /* a client did */
    bool checking;                          /* what is under way is a check */
    bool going_back;                        /* or what was not confirmed */
    uint64_t confirm_ns;                    /* the one that is wanted waits so long, or 0 */
    struct spill_confirmation confirmation; /* confirm.c */
    struct spill_agreement agreement;       /* with IKE daemons */
    struct spill_xfrm *xfrm;                /* whom those speak to; NULL: none is heard */
    struct spill_commands *commands;        /* clients'; NULL: none is heard */
    struct spill_watching *watching;        /* packets, for one of them; NULL: nobody does */
    struct spill_event reload_due;          /* its thread is done, or another one is wanted */
    struct spill_reload *reload;            /* under way, else NULL */
    bool making;                   /* of a version, by its thread, which has the store of SAs */
    struct spill_event patience;   /* with its files, is over */
    _Atomic unsigned reloads_lost; /* given up, whose threads have not come back */
    uint64_t renewing;             /* version in force that not all flows go by yet, else 0 */
    struct spill_event upkeep;     /* while something that was replaced is not freed */
    struct spill_lines rule_log;   /* --rule-log; its descriptor -1: none */
    struct spill_event rule_log_look;
    struct spill_event lifetimes; /* of SAs, looked at from time to time */
    bool watches_lifetimes;
    pthread_mutex_t holding; /* the version in force: none is replaced or freed meanwhile */
    struct spill_pipeline *pipeline;
    struct spill_watchdog watchdog;
    uint32_t hanging_lcores;                       /* at this moment, by the watchdog */
    uint32_t stalls_told;                          /* times that it has told of one */
    struct spill_stall_watch *stalls;              /* slow turns of lcores; NULL: nobody looks */
    struct spill_port_link links[SPILL_PORTS_MAX]; /* as last seen */
    struct spill_event looking;                    /* at them, from time to time */
    struct spill_event hearing;                    /* the kernel tell of them */
    int links_told;                                /* where it does, -1: nowhere */

    /* What the report tells: */
    enum spill_outcome outcome;
    bool hanging; /* an lcore, port or crypto job never came back: nothing it may touch is freed */
    bool abandoned;       /* a reload likewise: its thread goes on until the process ends */
    bool ports_abandoned; /* and may be making or closing ports */
    uint64_t started;     /* TSC when the lcores were launched; 0: never */
    uint64_t stopping;    /* TSC when the end began */
    uint64_t stopped;     /* TSC when the last lcore had ended */
    uint64_t leaked;      /* mbufs that did not come back to their pools */
    bool uncounted;       /* how many could not be told: an lcore or a port never came back */
    bool settled;         /* the ports' counters are what they were at the end: */
    struct spill_port_stats port_stats[SPILL_PORTS_MAX];
};

#define SPILL_SECOND_NS UINT64_C(1000000000)

/** Whether a port, by its index, is of the configuration in force. Any thread. */
static inline bool spill_program_has_port(const struct spill_program *program, uint32_t index)
{
    return program->port_states[index] == SPILL_PORT_THERE;
}

/** Whether a routed port or sub-port, by the router's index, is of the configuration in force.
 * Likewise. */
static inline bool spill_program_has_interface(const struct spill_program *program, uint32_t index)
{
    return program->interface_states[index] == SPILL_PORT_THERE;
}

/** Nanoseconds in TSC cycles. After rte_eal_init(). */
static inline uint64_t spill_cycles(uint64_t nanoseconds)
{
    return (uint64_t)((double)nanoseconds * (double)rte_get_tsc_hz() / 1e9);
}

/** The reverse. */
static inline uint64_t spill_nanoseconds(uint64_t cycles)
{
    return (uint64_t)((double)cycles * 1e9 / (double)rte_get_tsc_hz());
}

/* -------------------------------------------------------------------------- program.c */

/** Empty, with its tokens and nothing to wait for yet. Before anything else. @return 0, or -1 */
int spill_program_init(struct spill_program *program, int argc, char **argv,
                       struct spill_error *error);

/* ------------------------------------------------------------------------ planning.c */

/** Reads rules and topology, parses devices, computes the plan. @return 0, -1 with an error */
int spill_program_plan(struct spill_program *program, struct spill_error *error);

/** Parses a port's device, as far as that can be told without it. @return 0, -1 with an error */
int spill_program_parse_device(const struct spill_option_port *port, struct spill_device *device,
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

/* -------------------------------------------------------------------------- doctor.c */

/** What of this machine costs or is broken, by the plan. The caller's to free(); NULL: no memory.
 *  @param eal_runs  in this process: else programs of DPDK are looked for */
struct spill_doctor_lines *spill_program_look(const struct spill_program *program, bool eal_runs);

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
void spill_program_tell_reload_begun(struct spill_program *program, bool checks);

/**
 * Tells them its outcome.
 *
 * @param error    NULL: it went well
 * @param text     what is to be said then
 * @param restart  keys that differ and take a restart; empty: none
 * @param differences  of a check that went well; else NULL
 */
void spill_program_tell_reload_over(struct spill_program *program, const char *error,
                                    const char *text, const char *restart,
                                    const struct spill_differences *differences);

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

/* ----------------------------------------------------------------------------- twins.c */

/**
 * Makes the twins of routed ports, and what is between them and the lcores, where the options have
 * any. The router has its interfaces; the ports are configured. @return 0, -1 with an error
 */
int spill_program_open_twins(struct spill_program *program, struct spill_error *error);

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

/* ------------------------------------------------------------------------ tear_down.c */

/** Stops the ports, balances the accounts, counts the mempools. */
void spill_program_settle(struct spill_program *program);

/** Frees everything and ends the EAL. */
void spill_program_tear_down(struct spill_program *program);

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
