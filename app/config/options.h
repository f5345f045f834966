/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_OPTIONS_H
#define SPILLWAY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/name.h"
#include "ipsec/sa.h"
#include "pipeline/pipeline.h"
#include "plan/plan.h"
#include "port/port.h"
#include "route/router.h"

/**
 * @file
 * What the user asked for: the command line and the configuration file as plain, checked data.
 *
 * One table (option_table.c) describes every option; the command line, the file and `--help` are
 * all read from it, and values are stored in the structs that `lib/` takes. Nothing here needs the
 * EAL, and nothing looks at devices or at CPUs: that is the plan's. Everything below is written by
 * spill_options_parse() (command_line.h) and read only afterwards, on the control thread. Times are
 * nanoseconds.
 */

#define SPILL_OPTION_ADDRESSES_MAX  16   /* of an interface */
#define SPILL_OPTION_VIAS_MAX       16   /* of a route */
#define SPILL_OPTION_SAS_MAX        4096 /* sections [sa NAME] */
#define SPILL_OPTION_ROUTES_MAX     4096 /* in the file */
#define SPILL_OPTION_NEIGHBORS_MAX  1024 /* likewise */
#define SPILL_OPTION_WIRE_NAME_SIZE 64   /* a wire's name with its NUL: "A-B" when a flag made it */

enum spill_option_stall {
    SPILL_OPTION_STALL_LOG,
    SPILL_OPTION_STALL_EXIT,
};

enum spill_option_log {
    SPILL_OPTION_LOG_ERROR,
    SPILL_OPTION_LOG_WARNING,
    SPILL_OPTION_LOG_NOTICE,
    SPILL_OPTION_LOG_INFO,
    SPILL_OPTION_LOG_DEBUG,
};

/** One port, `--port NAME=DEVICE` or `[port NAME]`. */
struct spill_option_port {
    char name[SPILL_NAME_SIZE];
    char *device; /* owned; PCI address or vdev with its driver arguments, as given */
    char *where;  /* owned; where it was given, for messages: "--port 'x=y'" or "file:3: …" */
    struct spill_port_config config;   /* queues and descriptors: 0 where the plan is to say */
    struct spill_plan_port_input plan; /* what is asked for beyond that */
};

/** One wire, `--wire A:B` or `[wire NAME]`. */
struct spill_option_wire {
    char name[SPILL_OPTION_WIRE_NAME_SIZE];
    char *where;                         /* owned; as in struct spill_option_port */
    char port_names[2][SPILL_NAME_SIZE]; /* its two ends, as given */
    uint16_t ports[2];                   /* the same as indices into spill_options.ports */
};

/** Names of ports, as given. */
struct spill_option_port_names {
    uint16_t count;
    char names[SPILL_PORTS_MAX][SPILL_NAME_SIZE];
};

/** Where a key was given, for messages: "file:3: key 'spi', value '256'". */
struct spill_option_where {
    const struct spill_option *option;
    char *text; /* owned */
};

/** The same of all keys that were given of a section. */
struct spill_option_wheres {
    unsigned int count;
    struct spill_option_where *list; /* owned; in the order in which they were given */
};

/** One security association, `[sa NAME]`; the file only. */
struct spill_option_sa {
    /* But for the key; its ports as bits for the indices in spill_options.ports. */
    struct spill_sa_config config;
    char *key_file;                      /* owned; path that can be opened as it is; not read yet */
    struct spill_option_port_names port; /* by which its ESP comes or goes; none: is found */
    struct spill_option_wheres where;
};

/** Addresses with the lengths of their networks. */
struct spill_option_addresses {
    uint16_t count;
    struct spill_ip_prefix list[SPILL_OPTION_ADDRESSES_MAX];
};

/** What routing has to do with a port, or with a sub-port of one: keys of [port NAME]. */
struct spill_option_interface {
    char name[SPILL_INTERFACE_NAME_SIZE];
    struct spill_option_wheres where;
    bool routed;
    char parent[SPILL_NAME_SIZE]; /* of a sub-port; else empty */
    uint16_t vlan;                /* of a sub-port; else 0 */
    char twin[SPILL_NAME_SIZE];   /* the kernel's interface; empty: none */
    struct spill_option_addresses addresses;
    uint16_t port; /* index into spill_options.ports: its own, or the parent's */
};

/** One way of a route, as given. */
struct spill_option_via {
    struct spill_ip gateway; /* family 0: whoever has the address is on the port's link */
    char interface[SPILL_INTERFACE_NAME_SIZE]; /* empty: that whose network has the gateway */
    uint32_t weight;
    uint16_t index; /* into spill_options.interfaces */
};

struct spill_option_vias {
    uint16_t count;
    struct spill_option_via list[SPILL_OPTION_VIAS_MAX];
};

/** One route, `[route PREFIX]`. */
struct spill_option_route {
    struct spill_ip_prefix prefix;
    char *where;                    /* owned; the first of its keys */
    enum spill_route_action action; /* NONE: not given, it forwards */
    struct spill_option_vias via;
};

/** One neighbour, `[neighbor ADDRESS]`. */
struct spill_option_neighbor {
    struct spill_ip address;
    char *where; /* owned; the first of its keys */
    char interface[SPILL_INTERFACE_NAME_SIZE];
    struct rte_ether_addr mac;
    uint16_t index; /* into spill_options.interfaces */
};

/** `[ike]`. */
struct spill_option_ike {
    char *xfrm;                          /* owned; path of the socket; NULL: none */
    struct spill_option_port_names port; /* by which the associations' ESP is; none: is found */
    uint64_t ports; /* the same as bits for the indices in spill_options.ports */
    struct spill_option_wheres where;
};

/** `[router]`. */
struct spill_option_router {
    enum spill_router_rpf rpf;
    uint32_t routes4, routes6; /* how many there may be */
    uint32_t table;            /* the kernel's, of routes that are followed */
    char *name_space;          /* owned; of the twins; NULL: the program's own */
};

struct spill_option;

struct spill_options {
    /* Arguments before `--`, verbatim; pointers into argv, which must stay. */
    bool eal_given; /* there was a `--`, also when nothing stands before it */
    int eal_argc;   /* without the program's name */
    char **eal_argv;

    char *config; /* owned; NULL: none */

    uint16_t port_count;
    struct spill_option_port ports[SPILL_PORTS_MAX];
    uint16_t wire_count;
    struct spill_option_wire wires[SPILL_WIRES_MAX];

    uint16_t sa_count;
    struct spill_option_sa *sas; /* owned; in the order of the file */

    struct spill_option_router router;
    struct spill_option_ike ike;
    uint16_t interface_count;
    struct spill_option_interface
        *interfaces; /* owned, as the next two; in the order of the file */
    uint16_t route_count;
    struct spill_option_route *routes;
    uint16_t neighbor_count;
    struct spill_option_neighbor *neighbors;

    char *rules; /* owned; path that can be opened as it is; NULL: only the default verdict */
    enum spill_verdict default_verdict;    /* deny or allow */
    struct spill_plan_input plan;          /* roles and memory */
    struct spill_option_wheres roles;      /* where those were given that were */
    struct spill_pipeline_config pipeline; /* but for what is made at the start */

    char *crypto; /* owned; device for encryption, as given; NULL: those made by the program */

    bool no_huge;
    char name[SPILL_NAME_SIZE];

    uint64_t duration_ns;     /* 0: no limit */
    uint64_t packets;         /* stop after so many were received; 0: no limit */
    uint64_t exit_on_idle_ns; /* 0: never */
    uint64_t drain_timeout_ns;
    char *on_drain; /* owned; for the shell, before anything ends; NULL: nothing */
    uint64_t on_drain_timeout_ns;
    uint64_t stall_timeout_ns; /* 0: no watchdog */
    enum spill_option_stall on_stall;

    uint64_t stats_ns; /* 0: no live counters */
    bool check;
    bool json;
    char *explain;        /* owned; NULL, or the packet that --check explains */
    char *control_socket; /* owned; path; besides the one in DPDK's folder; or NULL */
    char control_group[SPILL_NAME_SIZE]; /* of who may read by it; empty: none */
    char *rule_log;                      /* owned; path; NULL: standard error */
    char *report;                        /* owned; path, or "-" for standard output; NULL: none */
    enum spill_option_log log_level;     /* default notice */
};

/**
 * What a name stands for that rules have behind `in`.
 *
 * @param input  written: its port is an index into `ports`
 * @return whether there is such a port or sub-port
 */
bool spill_options_find_input(const struct spill_options *options, const char *name,
                              struct spill_rule_input *input);

/** Frees what the options own and empties them; a second call does nothing. */
void spill_options_free(struct spill_options *options);

/** @return the port of that name, or NULL */
struct spill_option_port *spill_options_find_port(struct spill_options *options, const char *name);

/** @return the interface of that name, routed or not, or NULL */
struct spill_option_interface *spill_options_find_interface(const struct spill_options *options,
                                                            const char *name);

/** @return whether any port or sub-port is routed */
bool spill_options_route(const struct spill_options *options);

/** @return whether packets may be protected: there are associations, or a daemon brings some */
bool spill_options_protect(const struct spill_options *options);

/** @return whether routed ports have twins: all of them, or none */
bool spill_options_have_twins(const struct spill_options *options);

/** @return the security association of that name, or NULL */
const struct spill_option_sa *spill_options_find_sa(const struct spill_options *options,
                                                    const char *name);

/** @return where a key was given, NULL: nowhere, the default holds */
const char *spill_option_where(const struct spill_option_wheres *wheres, const char *key);

/** The same of an association's. */
const char *spill_option_sa_where(const struct spill_option_sa *sa, const char *key);

#endif
