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
 * The program's state: see steps.h in start/ and control/ for what is done with it. All of it is
 * the control thread's, but for what a reload's thread makes and closes of ports, workers and
 * versions (wiring.h, workers.h): one of the two at a time.
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

/** What a reload can be wanted for. One serves all who want the same by then. */
enum spill_reload_wish {
    SPILL_WISH_RELOAD,
    SPILL_WISH_TRIAL, /* a reload that is to be confirmed */
    SPILL_WISH_CHECK,
    SPILL_WISHES,
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
    uint32_t crypto_devices;      /* that lcores have warmed up for */
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
    bool wanted[SPILL_WISHES];              /* a client asked for it, or a signal */
    bool checking;                          /* what is under way is a check */
    bool going_back;                        /* or what was not confirmed */
    uint64_t confirm_ns;                    /* so long a trial waits for that */
    struct spill_confirmation confirmation; /* confirm.c */
    struct spill_agreement agreement;       /* with IKE daemons */
    struct spill_xfrm *xfrm;                /* whom those speak to; NULL: none is heard */
    struct spill_commands *commands;        /* clients'; NULL: none is heard */
    struct spill_watching *watching;        /* packets, for one of them; NULL: nobody does */
    struct spill_event reload_due;          /* its thread is done, or another one is wanted */
    struct spill_reload *reload;            /* under way, else NULL */
    bool making;                     /* of a version, by its thread, which has the store of SAs */
    struct spill_event patience;     /* with its files, is over */
    _Atomic unsigned reloads_lost;   /* given up, whose threads have not come back */
    struct spill_event late_workers; /* that have not left in time, are looked at */
    uint64_t renewing;               /* version in force that not all flows go by yet, else 0 */
    struct spill_event upkeep;       /* while something that was replaced is not freed */
    struct spill_lines rule_log;     /* --rule-log; its descriptor -1: none */
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

/** Empty, with its tokens and nothing to wait for yet. Before anything else. @return 0, or -1 */
int spill_program_init(struct spill_program *program, int argc, char **argv,
                       struct spill_error *error);

#endif
