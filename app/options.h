/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_OPTIONS_H
#define SPILLWAY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "ipsec/algorithm.h"
#include "pipeline/non_ip.h"
#include "runtime/token.h"

/**
 * @file
 * What the user asked for: the command line and the configuration file as plain, checked data.
 *
 * One table (option_table.c) describes every option; the command line, the file and `--help` are
 * all read from it. Nothing here needs the EAL, and nothing looks at devices or at CPUs: that is
 * the plan's. Everything below is written by spill_options_parse() and read only afterwards, on
 * the control thread. Times are nanoseconds.
 */

#define SPILL_OPTION_NAME_SIZE      17 /* a port's name with its NUL */
#define SPILL_OPTION_WIRE_NAME_SIZE 64 /* a wire's name with its NUL: "A-B" when a flag made it */
#define SPILL_OPTION_PORTS_MAX      32
#define SPILL_OPTION_WIRES_MAX      16
#define SPILL_OPTION_CPUS_MAX       128 /* entries of one CPU list */
#define SPILL_OPTION_CPU_LAST       1023
#define SPILL_OPTION_LANES_MAX      64
#define SPILL_OPTION_SAS_MAX        4096

/** Expensive work that options are given for; a new class is a line here and one in its table. */
enum spill_option_class {
    SPILL_OPTION_CLASS_CLASSIFY,
    SPILL_OPTION_CLASS_DECRYPT,
    SPILL_OPTION_CLASS_ENCRYPT,
    SPILL_OPTION_CLASSES,
};

enum spill_option_verdict {
    SPILL_OPTION_DENY,
    SPILL_OPTION_ALLOW,
};

enum spill_option_idle {
    SPILL_OPTION_IDLE_BUSY,
    SPILL_OPTION_IDLE_PAUSE,
    SPILL_OPTION_IDLE_SLEEP,
};

enum spill_option_dispatch {
    SPILL_OPTION_DISPATCH_AUTO,
    SPILL_OPTION_DISPATCH_INLINE,
    SPILL_OPTION_DISPATCH_POOL,
};

enum spill_option_pool_full {
    SPILL_OPTION_POOL_FULL_DROP,
    SPILL_OPTION_POOL_FULL_INLINE,
    SPILL_OPTION_POOL_FULL_ALLOW,
};

enum spill_option_stall {
    SPILL_OPTION_STALL_LOG,
    SPILL_OPTION_STALL_EXIT,
};

enum spill_option_sa_direction {
    SPILL_OPTION_SA_IN,
    SPILL_OPTION_SA_OUT,
};

enum spill_option_sa_mode {
    SPILL_OPTION_SA_TUNNEL,
    SPILL_OPTION_SA_TRANSPORT,
};

/** What becomes of the outer IPv4 header's "don't fragment". */
enum spill_option_sa_df {
    SPILL_OPTION_SA_DF_COPY,
    SPILL_OPTION_SA_DF_SET,
    SPILL_OPTION_SA_DF_CLEAR,
};

enum spill_option_log {
    SPILL_OPTION_LOG_ERROR,
    SPILL_OPTION_LOG_WARNING,
    SPILL_OPTION_LOG_NOTICE,
    SPILL_OPTION_LOG_INFO,
    SPILL_OPTION_LOG_DEBUG,
};

/** A list of CPUs in the order given; a CPU may stand in it more than once. Empty: not given. */
struct spill_option_cpus {
    uint16_t count;
    uint16_t cpus[SPILL_OPTION_CPUS_MAX];
};

/** One port, `--port NAME=DEVICE` or `[port NAME]`. */
struct spill_option_port {
    char name[SPILL_OPTION_NAME_SIZE];
    char *device; /* owned; PCI address or vdev with its driver arguments, as given */
    char *where;  /* owned; where it was given, for messages: "--port 'x=y'" or "file:3: …" */
    uint16_t rx_queues;      /* 0: as many as the plan wants */
    uint16_t tx_queues;      /* 0: as many as the plan wants */
    uint16_t mtu;            /* 0: leave what the device has */
    bool promiscuous;        /* default on */
    uint32_t mbufs;          /* on top of what the plan computes for the port's mempool */
    uint16_t rx_descriptors; /* 0: the default */
    uint16_t tx_descriptors; /* 0: the default */
};

/** One wire, `--wire A:B` or `[wire NAME]`. */
struct spill_option_wire {
    char name[SPILL_OPTION_WIRE_NAME_SIZE];
    char *where;                                /* owned; as in struct spill_option_port */
    char port_names[2][SPILL_OPTION_NAME_SIZE]; /* its two ends, as given */
    uint16_t ports[2];                          /* the same as indices into spill_options.ports */
};

/** An address; without one, family is 0. */
struct spill_option_address {
    uint8_t family;    /* 4, 6 or 0 */
    uint8_t bytes[16]; /* network order; IPv4 in the first four, the others 0 */
};

/** Names of ports, as given. */
struct spill_option_port_names {
    uint16_t count;
    char names[SPILL_OPTION_PORTS_MAX][SPILL_OPTION_NAME_SIZE];
};

/** The keys of [sa NAME], in the order of their rows in the table of options. */
enum spill_option_sa_key {
    SPILL_OPTION_SA_DIRECTION,
    SPILL_OPTION_SA_SPI,
    SPILL_OPTION_SA_MODE,
    SPILL_OPTION_SA_SOURCE,
    SPILL_OPTION_SA_DESTINATION,
    SPILL_OPTION_SA_ALGORITHM,
    SPILL_OPTION_SA_KEY_FILE,
    SPILL_OPTION_SA_ESN,
    SPILL_OPTION_SA_REPLAY_WINDOW,
    SPILL_OPTION_SA_NAT_TRAVERSAL,
    SPILL_OPTION_SA_LIFETIME_PACKETS_SOFT,
    SPILL_OPTION_SA_LIFETIME_PACKETS_HARD,
    SPILL_OPTION_SA_LIFETIME_BYTES_SOFT,
    SPILL_OPTION_SA_LIFETIME_BYTES_HARD,
    SPILL_OPTION_SA_DSCP,
    SPILL_OPTION_SA_DF,
    SPILL_OPTION_SA_STANDS_FOR,
    SPILL_OPTION_SA_PORT,
    SPILL_OPTION_SA_KEYS,
};

#define SPILL_OPTION_SPI_FIRST 256 /* those below are reserved: RFC 4303, 2.1 */
#define SPILL_OPTION_DSCP_COPY 64  /* spill_option_sa.dscp: the inner packet's */

/** One security association, `[sa NAME]`; the file only. */
struct spill_option_sa {
    char name[SPILL_OPTION_NAME_SIZE];
    /* Owned; where each key was given, for messages: "file:3: key 'spi', value '256'". NULL: not
     * given; direction, spi, mode, algorithm and key-file always are. */
    char *where[SPILL_OPTION_SA_KEYS];
    enum spill_option_sa_direction direction;
    enum spill_option_sa_mode mode;
    uint32_t spi;                            /* host order, 256 or more */
    struct spill_option_address source;      /* both or none of the two, of one family; */
    struct spill_option_address destination; /* in tunnel mode both */
    const struct spill_ipsec_algorithm *algorithm;
    char *key_file;         /* owned; path that can be opened as it is; not read yet */
    bool esn;               /* extended sequence numbers */
    bool nat_traversal;     /* ESP in UDP, port 4500 to 4500 */
    uint16_t replay_window; /* packets; in: 0 (none) or 32 and more; out: without meaning */
    uint8_t dscp;           /* of the outer header: 0 to 63, or SPILL_OPTION_DSCP_COPY */
    enum spill_option_sa_df df;
    char stands_for[SPILL_OPTION_NAME_SIZE]; /* in: the one that rules name for it; empty: itself */
    struct spill_option_port_names port;     /* by which its ESP comes or goes; none: is found */
    uint32_t ports;                          /* the same: a bit for each index into ports */
    uint64_t lifetime_packets_soft;          /* 0: no limit, here and below */
    uint64_t lifetime_packets_hard;
    uint64_t lifetime_bytes_soft;
    uint64_t lifetime_bytes_hard;
};

/** What is set for one class of expensive work. */
struct spill_option_class_settings {
    enum spill_option_dispatch dispatch;
    enum spill_option_pool_full on_pool_full; /* allow: classify only */
    uint32_t pool_capacity;                   /* jobs; 0: the plan's */
};

struct spill_options {
    /* Arguments before `--`, verbatim; pointers into argv, which must stay. */
    bool eal_given; /* there was a `--`, also when nothing stands before it */
    int eal_argc;   /* without the program's name */
    char **eal_argv;

    char *config; /* owned; NULL: none */

    uint16_t port_count;
    struct spill_option_port ports[SPILL_OPTION_PORTS_MAX];
    uint16_t wire_count;
    struct spill_option_wire wires[SPILL_OPTION_WIRES_MAX];

    uint16_t sa_count;
    struct spill_option_sa *sas; /* owned; in the order of the file */

    char *rules; /* owned; path that can be opened as it is; NULL: only the default verdict */
    enum spill_option_verdict default_verdict;
    struct spill_non_ip non_ip;
    uint32_t flow_capacity;   /* flows on each fast lcore */
    uint64_t flow_timeout_ns; /* > 0 */

    struct spill_option_cpus fast;
    struct spill_option_cpus pool;
    struct spill_option_cpus rx;
    struct spill_option_cpus tx;
    struct spill_option_cpus control;
    enum spill_option_idle idle;

    uint64_t budget_ns; /* 0: nothing is done inline while there is a pool */
    uint16_t lanes;     /* of each fast lcore; power of two */
    struct spill_option_class_settings classes[SPILL_OPTION_CLASSES];

    char *crypto; /* owned; device for encryption, as given; NULL: those made by the program */

    bool no_huge;
    uint32_t memory_mib; /* 0: the plan's sum */
    char name[SPILL_OPTION_NAME_SIZE];

    uint64_t duration_ns;     /* 0: no limit */
    uint64_t packets;         /* stop after so many were received; 0: no limit */
    uint64_t exit_on_idle_ns; /* 0: never */
    uint64_t drain_timeout_ns;
    uint64_t stall_timeout_ns; /* 0: no watchdog */
    enum spill_option_stall on_stall;

    uint64_t stats_ns; /* 0: no live counters */
    bool check;
    bool json;
    char *report;                    /* owned; path, or "-" for standard output; NULL: none */
    enum spill_option_log log_level; /* default notice */
};

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

/** Frees what the options own and empties them; a second call does nothing. */
void spill_options_free(struct spill_options *options);

/** @return the port of that name, or NULL */
struct spill_option_port *spill_options_find_port(struct spill_options *options, const char *name);

/** @return the security association of that name, or NULL */
const struct spill_option_sa *spill_options_find_sa(const struct spill_options *options,
                                                    const char *name);

/** @return a class's name as the user writes it, "classify" */
const char *spill_option_class_name(enum spill_option_class which);

#endif
