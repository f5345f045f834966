/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_PLAN_H
#define SPILLWAY_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/name.h"
#include "topology.h"

/**
 * @file
 * The plan: who runs where, with which memory, computed and checked before anything starts (law 8).
 *
 * spill_plan_compute() is a pure function from the topology, the roles and the ports to a plan: no
 * EAL, no file, no system call. Whatever starts later takes its CPUs, nodes, owners and sizes from
 * the plan and decides nothing itself.
 *
 * It may run twice: before rte_eal_init(), to make the EAL's arguments, with devices whose queues
 * are not known yet; and after, with the devices' capabilities and the lcores that there are now
 * (spill_plan_keep_lcores()).
 *
 * Input and plan are plain memory of the caller's, large (the plan about 400 KiB): not for a stack.
 * Written by the control thread before the lcores start, then constant, but for ports and workers
 * that come later (spill_plan_extend(), spill_plan_add_worker()); any thread may read.
 */

#define SPILL_LCORES_MAX        128 /* the EAL's RTE_MAX_LCORE in distributions */
#define SPILL_PORTS_MAX         32
#define SPILL_WIRES_MAX         16 /* of two ports each */
#define SPILL_QUEUES_MAX        64 /* of one port, in one direction */
#define SPILL_PLAN_CLASSES_MAX  8
#define SPILL_NAME_MAX          32 /* with the NUL */
#define SPILL_PLAN_CHANNELS_MAX (2 * SPILL_LCORES_MAX + SPILL_PORTS_MAX * SPILL_QUEUES_MAX)
/* Packets in a channel for what came to the wrong fast lcore, at most. */
#define SPILL_PLAN_HANDOVER     256
#define SPILL_PLAN_TERMS_MAX    32
#define SPILL_PLAN_WARNINGS_MAX 64
#define SPILL_PLAN_TEXT_MAX     256

/** What an lcore does. The order is that of the lcores in a plan. */
enum spill_role {
    SPILL_ROLE_CONTROL, /* the EAL main lcore; does not poll */
    SPILL_ROLE_FAST,
    SPILL_ROLE_RX,
    SPILL_ROLE_TX,
    SPILL_ROLE_POOL,
    SPILL_ROLES
};

/** The role's name as in flags and reports: "fast". */
const char *spill_role_name(enum spill_role role);

/* ------------------------------------------------------------------------------- the input */

/** CPUs in the user's order; a CPU may stand several times. */
struct spill_cpu_list {
    unsigned count;
    int cpus[SPILL_LCORES_MAX];
};

/** A port as asked for, and what its device can do. */
struct spill_plan_port_input {
    char name[SPILL_NAME_MAX];
    int node;                /* of the device; -1 = unknown */
    unsigned rx_queues_max;  /* of the device; 0 = not known yet */
    unsigned tx_queues_max;  /* of the device; 0 = not known yet */
    unsigned rx_queues;      /* asked for; 0 = automatic */
    unsigned tx_queues;      /* asked for; 0 = automatic */
    unsigned rx_descriptors; /* of each queue */
    unsigned tx_descriptors; /* of each queue */
    unsigned mtu;            /* bytes */
    bool no_mtu;             /* it limits nothing: there is no link, and nobody asked for one */
    unsigned extra_mbufs;    /* asked for beyond what the plan finds */
    bool symmetric_rss;      /* spreads flows over its queues, both directions of a flow to one */
    uint64_t rss_fields;     /* that it hashes; 0 = not known yet */
    unsigned rss_table; /* entries of its redirection table; 0 = not known yet, or it has none */
    bool left;          /* it has its place, and needs no memory: it left while lcores ran */
    unsigned data_room; /* bytes, with the headroom, that an mbuf must have at least; larger
                         * frames come as chains */
};

/** Two ports, by name, whose packets go to each other. */
struct spill_plan_wire {
    char ports[2][SPILL_NAME_MAX];
};

/** A class of expensive work. */
struct spill_plan_class {
    char name[SPILL_NAME_MAX];
    unsigned capacity; /* jobs that each fast lcore may have out at once: its credits */
};

/** An lcore that the EAL has already. */
struct spill_plan_given {
    unsigned id; /* EAL lcore id */
    int cpu;     /* of several the first */
};

enum spill_memory_mode {
    SPILL_MEMORY_HUGEPAGES,
    SPILL_MEMORY_NO_HUGE,
};

/** Everything that a plan follows from. */
struct spill_plan_input {
    const struct spill_topology *topology; /* stays the caller's */

    /* By role; all but control empty = automatic. Empty control = automatic. Fast without pool: no
     * pool, expensive work is done inline. Pool without fast: fast is automatic. */
    struct spill_cpu_list roles[SPILL_ROLES];
    const char *where[SPILL_ROLES]; /* that they were given, for messages; NULL: as by a flag */

    /* The lcores of an EAL that the user (or an earlier plan) set up; 0 = the plan makes them. The
     * main lcore becomes control; roles are given to the others. */
    unsigned given_count;
    struct spill_plan_given given[SPILL_LCORES_MAX];
    unsigned given_main; /* lcore id of the main lcore */

    unsigned port_count;
    struct spill_plan_port_input ports[SPILL_PORTS_MAX];
    unsigned wire_count; /* packets of a port in none may leave by any */
    struct spill_plan_wire wires[SPILL_WIRES_MAX];
    unsigned class_count;
    struct spill_plan_class classes[SPILL_PLAN_CLASSES_MAX];

    unsigned burst;            /* packets */
    unsigned channel_capacity; /* packets */
    unsigned tx_backlog;       /* packets that the owner of a tx queue keeps for its device */
    unsigned held_mbufs;       /* that each fast lcore may keep back: fragments of ESP; 0: none */
    unsigned fragments;        /* packets that wait on each fast lcore for their first fragment */
    unsigned mempool_cache;    /* mbufs of each lcore */
    unsigned split_mbufs;      /* that a fast lcore has in hand while it splits a packet */
    unsigned private_size;     /* bytes behind each mbuf's header, a multiple of 8 */
    unsigned data_room;        /* bytes of a packet that one mbuf holds, without the headroom */
    uint64_t flow_capacity;    /* entries of the flow table of each fast lcore */
    uint64_t flow_bytes;       /* memory of one entry */
    uint64_t lcore_bytes;      /* what each polling lcore has besides: stages, accounts, backlogs */
    uint64_t extra_bytes;      /* once on each node with fast or pool lcores: rules */

    enum spill_memory_mode memory_mode;
    uint64_t memory_mib; /* all memory there may be; 0 = what the plan needs */
};

/** Empties an input and sets burst 32, channels 1024, backlog 256, cache 256, private 64,
 * data room 2048. */
void spill_plan_input_init(struct spill_plan_input *input, const struct spill_topology *topology);

/* -------------------------------------------------------------------------------- the plan */

/** Whether an lcore is there; all are but workers, which may come and leave. */
enum spill_plan_presence {
    SPILL_PRESENT,
    SPILL_LEAVING, /* it takes no more work */
    SPILL_AWAY,    /* nothing runs there: it left, or has not come yet */
};

/** One lcore. */
struct spill_plan_lcore {
    unsigned id; /* EAL lcore id */
    enum spill_role role;
    unsigned index;   /* within its role: fast 0, fast 1, … */
    char name[16];    /* "fast0"; "control" */
    int cpu;          /* control: the first of its CPUs */
    int node;         /* of the CPU */
    int memory_node;  /* where its memory goes: its node, or the nearest that has memory */
    bool shared;      /* another polling lcore has the same CPU: idle loops must yield */
    bool preemptible; /* that, or the control thread may run there: rings must survive it */
    int pool;         /* fast: the pool it hands jobs to; pool: the pool it works for; -1 = none */
    int presence;     /* enum spill_plan_presence: spill_plan_presence() */
    unsigned rx_queues; /* that it owns, of all ports */
    unsigned tx_queues;
};

/** One receive or transmit queue. */
struct spill_plan_queue {
    int owner;   /* index into lcores: the only one that polls it */
    int channel; /* tx: index into channels, where others send; -1 = only the owner sends. rx: -1 */
};

/** One term of a sum. */
struct spill_plan_term {
    char what[96];
    uint64_t count;
};

/** The mbufs of one port's receive queues: rte_pktmbuf_pool_create()'s arguments. */
struct spill_plan_mempool {
    char name[SPILL_NAME_MAX]; /* that of the port */
    int node;
    uint64_t mbufs;        /* the terms' sum, rounded up */
    unsigned cache;        /* mbufs of each lcore */
    unsigned private_size; /* bytes behind the mbuf's header */
    unsigned data_room;    /* bytes, with the headroom */
    unsigned segments;     /* mbufs that the largest frame takes */
    bool preemptible;      /* its ring must survive that one of several lcores is preempted */
    uint64_t bytes;        /* all of it, with the mempool's own needs */
    unsigned term_count;
    struct spill_plan_term terms[SPILL_PLAN_TERMS_MAX];
};

/** One port. */
struct spill_plan_port {
    char name[SPILL_NAME_MAX];
    bool left; /* it has its place, and nothing else: not told */
    int node;  /* of the device; -1 = unknown */
    int peer;  /* index of the port at the other end of its wire; -1 = none */
    unsigned rx_queues;
    unsigned tx_queues;
    struct spill_plan_queue rx[SPILL_QUEUES_MAX];
    struct spill_plan_queue tx[SPILL_QUEUES_MAX];
    /* By index of the fast lcore: the queue that its packets take. It is the queue's owner, or
     * sends to the queue's channel. */
    uint8_t tx_queue_of[SPILL_LCORES_MAX];
    struct spill_plan_mempool mempool;
};

/** A queue of packets between lcores. */
struct spill_plan_channel {
    char name[SPILL_NAME_MAX + 16]; /* "fast0": packets to fast 0 as received; "fast0.own": those
                                     * found to be its own; "wan.tx0": to that tx queue */
    int reader;                     /* index into lcores */
    int node;                       /* memory node of the reader */
    unsigned capacity;              /* packets */
    unsigned sender_count;
    uint64_t senders[SPILL_LCORES_MAX / 64]; /* bit i: lcores[i] sends */
    bool preemptible; /* a sender or the reader is: a ring mode that survives preemption */
};

/** Whether an lcore, by its index, sends on a channel. */
static inline bool spill_plan_channel_sends(const struct spill_plan_channel *channel,
                                            unsigned lcore)
{
    return (channel->senders[lcore / 64] >> (lcore % 64) & 1) != 0;
}

/** The workers of one node. */
struct spill_plan_pool {
    int node;         /* memory node of its workers: where rings and jobs are */
    unsigned workers; /* pool lcores that are present */
    unsigned served;  /* fast lcores that hand jobs to it */
    unsigned jobs;    /* that can be out at once: the sum of all credits of all classes */
    bool preemptible; /* one of them is: a ring mode that survives preemption */
};

/** Memory on one node, bytes. */
struct spill_plan_node {
    bool used;
    uint64_t mempools;
    uint64_t rings;  /* channels, pool rings, jobs, lanes, device queues */
    uint64_t tables; /* flow tables */
    uint64_t extra;  /* rules */
    uint64_t slack;  /* the EAL's own needs, fragmentation */
    uint64_t total;
    uint64_t hugepages;         /* of 2 MiB that hold the total (0 with --no-huge) */
    uint64_t hugepages_missing; /* of those: not free now */
    char command[128];          /* makes them available; run as root */
};

/** The plan. */
struct spill_plan {
    /* Sorted by role; index 0 is control. Those of a role stand together: */
    unsigned lcore_count;
    struct spill_plan_lcore lcores[SPILL_LCORES_MAX];
    unsigned first[SPILL_ROLES];     /* index of the first lcore of a role */
    unsigned count[SPILL_ROLES];     /* and how many there are */
    struct spill_cpu_list control;   /* CPUs of the control thread */
    char eal_lcores[4096];           /* for the EAL's --lcores: "0@0,1@1,2@1" */
    bool automatic;                  /* the fast lcores were not given by the user */
    unsigned idle_count;             /* lcores that the EAL has and the plan leaves alone */
    unsigned idle[SPILL_LCORES_MAX]; /* their EAL lcore ids */

    /* Packets are spread over the fast lcores by hash in software, by the owners of rx queues. */
    bool spread;
    unsigned port_count;
    struct spill_plan_port ports[SPILL_PORTS_MAX];
    unsigned channel_count;
    struct spill_plan_channel channels[SPILL_PLAN_CHANNELS_MAX];
    int fast_channel[SPILL_LCORES_MAX]; /* by index of the fast lcore: its input; -1 = none */
    int own_channel[SPILL_LCORES_MAX];  /* likewise: what others found to be its own */
    unsigned pool_count;
    struct spill_plan_pool pools[SPILL_NODES_MAX];

    enum spill_memory_mode memory_mode;
    uint64_t memory_mib; /* all nodes; with --no-huge the EAL's -m */
    unsigned node_limit; /* highest node number + 1 */
    struct spill_plan_node nodes[SPILL_NODES_MAX];

    /* What works, but costs. One sentence each. */
    unsigned warning_count;
    char warnings[SPILL_PLAN_WARNINGS_MAX][SPILL_PLAN_TEXT_MAX];
};

/**
 * Computes a plan.
 *
 * Which owner for which queue:
 * - No rx lcores, and each port can have a multiple of as many rx queues as there are fast lcores,
 *   with symmetric RSS (or there is one fast lcore), and the two ends of each wire hash the same
 *   fields into tables that spread alike: queue q belongs to fast lcore q modulo their number, on
 *   every port, so that both directions of a flow meet on one lcore.
 * - Else `spread`: the queues go round the rx lcores (without any: the fast lcores), those on the
 *   port's node first; the owner hashes each packet and sends it to its fast lcore's channel.
 * - Where there are several fast lcores, each has a channel from all others for packets that are
 * its own, and one for packets as received, which is that of the spreading lcores if they spread.
 * - With tx lcores: each port has one tx queue (unless more were asked for), which go round the tx
 *   lcores, those on the port's node first; every fast lcore sends to them.
 * - Without: tx queue q belongs to fast lcore q; a fast lcore without a queue of its own sends to
 *   queue (its index modulo their number).
 *
 * @param input  read only
 * @param plan   written to; after an error its content is undefined
 * @return 0; or -1 with an error: a CPU that the machine does not have or that the process may not
 *         use, roles that make no sense, more queues than a device has, a wire that names an
 * unknown port or one that is in two wires, too many lcores, no memory, less memory than needed
 */
int spill_plan_compute(const struct spill_plan_input *input, struct spill_plan *plan,
                       struct spill_error *error);

/**
 * Makes an input keep the lcores of a plan, for a second computation once the EAL runs with them.
 * Roles that the user gave stay; automatic ones are given again, to the same lcores, by what the
 * devices turned out to be.
 */
void spill_plan_keep_lcores(struct spill_plan_input *input, const struct spill_plan *plan);

/**
 * Takes ports over from a plan of more of them, while lcores run by this one, if for what is in use
 * nothing changes: ports, channels and lcores are as they were, and new ones stand behind them.
 *
 * Changes only what no lcore and no other thread looks at, and counts it last.
 *
 * @param wider   of the same lcores; its ports begin with those of the plan
 * @param in_use  by index of the plan's ports: it stays as it is; another is what `wider` says
 * @return 0, or -1 with an error that says what would change, and nothing has
 */
int spill_plan_extend(struct spill_plan *plan, const struct spill_plan *wider, const bool *in_use,
                      struct spill_error *error);

/** Whether an lcore is there. Any thread. */
static inline enum spill_plan_presence spill_plan_presence(const struct spill_plan_lcore *lcore)
{
    return (enum spill_plan_presence)__atomic_load_n(&lcore->presence, __ATOMIC_RELAXED);
}

/**
 * Checks that a CPU is there, and that the process may use it.
 *
 * @param where  what asks for it, the beginning of the error
 * @param any    it may be another than the process may use
 * @return 0, or -1 with an error
 */
int spill_plan_check_cpu(const struct spill_topology *topology, const char *where, int cpu,
                         bool any, struct spill_error *error);

/**
 * Makes a place for a worker that comes while lcores run by this plan: behind the others, away, and
 * not counted yet.
 *
 * @param cpu  where it is to run: one that there is
 * @return the place; NULL with an error that says why that takes a restart: there is no place,
 *         lcores or rings would have to share the CPU that were not made for that, or there is no
 *         pool on its node
 */
struct spill_plan_lcore *spill_plan_add_worker(struct spill_plan *plan,
                                               const struct spill_topology *topology, int cpu,
                                               struct spill_error *error);

/** Counts the place that was made, which others look at from here on. */
void spill_plan_count_worker(struct spill_plan *plan);

/** Says whether a worker is there. */
void spill_plan_set_presence(struct spill_plan *plan, unsigned lcore,
                             enum spill_plan_presence presence);

/** Whether a channel, by its index, leads to a port that is there, or to lcores. */
bool spill_plan_channel_is_used(const struct spill_plan *plan, unsigned channel);

/** Writes a plan for people: a few tables. What has left is not told. Not a fast lcore. */
void spill_plan_print(const struct spill_plan *plan, FILE *out);

struct spill_json;

/** Writes a plan as one JSON object. Within an object the key is needed, else NULL. */
void spill_plan_print_json(const struct spill_plan *plan, struct spill_json *json, const char *key);

/** The same into an object that is open. */
void spill_plan_print_members(const struct spill_plan *plan, struct spill_json *json);

#endif
