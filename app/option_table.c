/* SPDX-License-Identifier: BSD-3-Clause */
/* The one table of options and the ways to look something up in it. */
#include "option_table.h"

#include <stdio.h>
#include <string.h>

#include "options.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define FIELD_OF(type, field) .offset = offsetof(type, field), .size = sizeof(((type *)NULL)->field)
#define PLAIN(field)          .scope = SPILL_OPTION_PLAIN, FIELD_OF(struct spill_options, field)

#define PER_PORT(field) .scope = SPILL_OPTION_PER_PORT, FIELD_OF(struct spill_option_port, field)

#define PER_CLASS(field)                                                                           \
    .scope = SPILL_OPTION_PER_CLASS, FIELD_OF(struct spill_option_class_settings, field)

#define PER_SA(which, field)                                                                       \
    .scope = SPILL_OPTION_PER_SA, .key = SPILL_OPTION_SA_##which, .at_reload = true,               \
    FIELD_OF(struct spill_option_sa, field)

#define NUMBER(from, to) .kind = SPILL_OPTION_NUMBER, .least = (from), .most = (to)
#define TIME(from, to)   .kind = SPILL_OPTION_TIME, .least = (from), .most = (to)
#define WORDS(list)      .kind = SPILL_OPTION_WORD, .words = (list)

#define KILO        UINT64_C(1024)
#define MEGA        (KILO * KILO)
#define MILLISECOND (UINT64_C(1000) * 1000)
#define SECOND      (MILLISECOND * 1000)
#define HOUR        (SECOND * 3600)

/* Each in the order of its enum. */
static const char *const class_names[] = {"classify", "decrypt", "encrypt", NULL};
static const char *const verdict_words[] = {"deny", "allow", NULL};
static const char *const idle_words[] = {"busy", "pause", "sleep", NULL};
static const char *const dispatch_words[] = {"auto", "inline", "pool", NULL};
static const char *const pool_full_words[] = {"drop", "inline", "allow", NULL};
static const char *const stall_words[] = {"log", "exit", NULL};
static const char *const direction_words[] = {"in", "out", NULL};
static const char *const mode_words[] = {"tunnel", "transport", NULL};
static const char *const df_words[] = {"copy", "set", "clear", NULL};
static const char *const log_words[] = {"error", "warning", "notice", "info", "debug", NULL};

_Static_assert(COUNT_OF(class_names) == SPILL_OPTION_CLASSES + 1, "each class has a name");

static const char *const group_titles[] = {
    [SPILL_OPTION_GROUP_GENERAL] = "General",
    [SPILL_OPTION_GROUP_PORTS] = "Ports and wires",
    [SPILL_OPTION_GROUP_FIREWALL] = "Firewall",
    [SPILL_OPTION_GROUP_SA] = "IPsec: keys of [sa NAME] in the configuration file, no flags",
    [SPILL_OPTION_GROUP_ROLES] = "Roles (LIST is CPUs as in 1-2,5; none given: planned)",
    [SPILL_OPTION_GROUP_WORK] = "Expensive work, by CLASS",
    [SPILL_OPTION_GROUP_MEMORY] = "Memory",
    [SPILL_OPTION_GROUP_END] = "Ending",
    [SPILL_OPTION_GROUP_OUTPUT] = "Watching",
};

/* clang-format off */
static const struct spill_option table[] = {
    {.name = "config", .argument = "FILE", .group = SPILL_OPTION_GROUP_GENERAL, .flag_only = true,
     .help = "read options from an INI file; flags override it",
     PLAIN(config), .kind = SPILL_OPTION_FILE},
    {.name = "check", .group = SPILL_OPTION_GROUP_GENERAL,
     .help = "print the plan and the hugepages it needs, start nothing",
     PLAIN(check), .kind = SPILL_OPTION_SWITCH},
    {.name = "json", .group = SPILL_OPTION_GROUP_GENERAL,
     .help = "with --check: print the plan as JSON",
     PLAIN(json), .kind = SPILL_OPTION_SWITCH},
    {.name = "version", .group = SPILL_OPTION_GROUP_GENERAL, .flag_only = true,
     .help = "print the version and end",
     .scope = SPILL_OPTION_PLAIN, .kind = SPILL_OPTION_ACTION},
    {.name = "help", .group = SPILL_OPTION_GROUP_GENERAL, .flag_only = true,
     .help = "print this text and end; so does -h",
     .scope = SPILL_OPTION_PLAIN, .kind = SPILL_OPTION_ACTION},

    {.name = "port", .argument = "NAME=DEVICE[,ARGUMENTS]", .group = SPILL_OPTION_GROUP_PORTS,
     .help = "a port: PCI address or vdev with its driver's arguments; repeatable",
     .scope = SPILL_OPTION_PORT, FIELD_OF(struct spill_option_port, device),
     .kind = SPILL_OPTION_DEVICE},
    {.name = "wire", .argument = "A:B", .group = SPILL_OPTION_GROUP_PORTS,
     .help = "join two ports in both directions; repeatable",
     .scope = SPILL_OPTION_WIRE, FIELD_OF(struct spill_option_wire, port_names),
     .kind = SPILL_OPTION_ENDS},
    {.name = "rx-queues", .argument = "NAME:N", .group = SPILL_OPTION_GROUP_PORTS,
     .help = "receive queues of a port; not given: as planned",
     PER_PORT(rx_queues), NUMBER(1, 64)},
    {.name = "tx-queues", .argument = "NAME:N", .group = SPILL_OPTION_GROUP_PORTS,
     .help = "transmit queues of a port; not given: as planned",
     PER_PORT(tx_queues), NUMBER(1, 64)},
    {.name = "mtu", .argument = "NAME:BYTES", .group = SPILL_OPTION_GROUP_PORTS,
     .help = "MTU of a port; not given: as the device has it",
     PER_PORT(mtu), NUMBER(68, 9600)},
    {.name = "promiscuous", .argument = "NAME:on|off", .group = SPILL_OPTION_GROUP_PORTS,
     .help = "receive frames for any address",
     PER_PORT(promiscuous), .kind = SPILL_OPTION_ON_OFF, .preset = "on"},
    {.name = "mbufs", .argument = "NAME:N", .group = SPILL_OPTION_GROUP_PORTS,
     .help = "mbufs of a port's mempool on top of those planned",
     PER_PORT(mbufs), NUMBER(0, 16 * MEGA), .preset = "0"},
    {.name = "rx-descriptors", .argument = "NAME:N", .group = SPILL_OPTION_GROUP_PORTS,
     .help = "descriptors of each receive queue; not given: as planned",
     PER_PORT(rx_descriptors), NUMBER(8, 32 * KILO)},
    {.name = "tx-descriptors", .argument = "NAME:N", .group = SPILL_OPTION_GROUP_PORTS,
     .help = "descriptors of each transmit queue; not given: as planned",
     PER_PORT(tx_descriptors), NUMBER(8, 32 * KILO)},

    {.name = "rules", .argument = "FILE", .group = SPILL_OPTION_GROUP_FIREWALL,
     .help = "rules, first match wins",
     PLAIN(rules), .kind = SPILL_OPTION_FILE, .at_reload = true},
    {.name = "default", .argument = "allow|deny", .group = SPILL_OPTION_GROUP_FIREWALL,
     .help = "what happens to a flow that no rule matches",
     PLAIN(default_verdict), WORDS(verdict_words), .preset = "deny", .at_reload = true},
    {.name = "non-ip", .argument = "TYPES", .group = SPILL_OPTION_GROUP_FIREWALL,
     .help = "frames that pass though they are not IP: arp, control, lldp, 0x88cc, ...; or pass "
             "or drop",
     PLAIN(non_ip), .kind = SPILL_OPTION_NON_IP, .preset = "arp,control"},
    {.name = "flow-capacity", .argument = "N", .group = SPILL_OPTION_GROUP_FIREWALL,
     .help = "flows that each fast lcore remembers",
     PLAIN(flow_capacity), NUMBER(64, 32 * MEGA), .preset = "64k"},
    {.name = "flow-timeout", .argument = "TIME", .group = SPILL_OPTION_GROUP_FIREWALL,
     .help = "forget a flow that was silent for so long",
     PLAIN(flow_timeout_ns), TIME(MILLISECOND, 24 * HOUR), .preset = "60s"},

    {.name = "direction", .argument = "in|out", .group = SPILL_OPTION_GROUP_SA,
     .help = "which packets: those that come encrypted, or those to encrypt",
     PER_SA(DIRECTION, direction), WORDS(direction_words)},
    {.name = "spi", .argument = "N", .group = SPILL_OPTION_GROUP_SA,
     .help = "security parameters index, 256 to 0xffffffff",
     PER_SA(SPI, spi), .kind = SPILL_OPTION_SPI},
    {.name = "mode", .argument = "tunnel|transport", .group = SPILL_OPTION_GROUP_SA,
     .help = "whether packets get a header of their own around them",
     PER_SA(MODE, mode), WORDS(mode_words)},
    {.name = "source", .argument = "ADDRESS", .group = SPILL_OPTION_GROUP_SA,
     .help = "of the encrypted packets; with tunnel it must be there",
     PER_SA(SOURCE, source), .kind = SPILL_OPTION_ADDRESS},
    {.name = "destination", .argument = "ADDRESS", .group = SPILL_OPTION_GROUP_SA,
     .help = "the same; both or neither, of one family",
     PER_SA(DESTINATION, destination), .kind = SPILL_OPTION_ADDRESS},
    {.name = "algorithm", .argument = "NAME", .group = SPILL_OPTION_GROUP_SA,
     .help = "such as aes-128-gcm; spillway keygen lists them",
     PER_SA(ALGORITHM, algorithm), .kind = SPILL_OPTION_ALGORITHM},
    {.name = "key-file", .argument = "FILE", .group = SPILL_OPTION_GROUP_SA,
     .help = "with the key, as spillway keygen writes it",
     PER_SA(KEY_FILE, key_file), .kind = SPILL_OPTION_FILE},
    {.name = "esn", .argument = "yes|no", .group = SPILL_OPTION_GROUP_SA,
     .help = "sequence numbers of 64 bits",
     PER_SA(ESN, esn), .kind = SPILL_OPTION_YES_NO, .preset = "no"},
    {.name = "replay-window", .argument = "N", .group = SPILL_OPTION_GROUP_SA,
     .help = "packets that may come late: 32 to 16k, or 0: no protection against replay; "
             "in only",
     PER_SA(REPLAY_WINDOW, replay_window), NUMBER(0, 16 * KILO), .preset = "1024"},
    {.name = "nat-traversal", .argument = "yes|no", .group = SPILL_OPTION_GROUP_SA,
     .help = "put ESP into UDP, port 4500",
     PER_SA(NAT_TRAVERSAL, nat_traversal), .kind = SPILL_OPTION_YES_NO, .preset = "no"},
    {.name = "lifetime-packets-soft", .argument = "N", .group = SPILL_OPTION_GROUP_SA,
     .help = "packets after which to warn; 0: never",
     PER_SA(LIFETIME_PACKETS_SOFT, lifetime_packets_soft), NUMBER(0, UINT64_MAX), .preset = "0"},
    {.name = "lifetime-packets-hard", .argument = "N", .group = SPILL_OPTION_GROUP_SA,
     .help = "packets after which to stop; 0: never",
     PER_SA(LIFETIME_PACKETS_HARD, lifetime_packets_hard), NUMBER(0, UINT64_MAX), .preset = "0"},
    {.name = "lifetime-bytes-soft", .argument = "BYTES", .group = SPILL_OPTION_GROUP_SA,
     .help = "bytes after which to warn; 0: never",
     PER_SA(LIFETIME_BYTES_SOFT, lifetime_bytes_soft), NUMBER(0, UINT64_MAX), .preset = "0"},
    {.name = "lifetime-bytes-hard", .argument = "BYTES", .group = SPILL_OPTION_GROUP_SA,
     .help = "bytes after which to stop; 0: never",
     PER_SA(LIFETIME_BYTES_HARD, lifetime_bytes_hard), NUMBER(0, UINT64_MAX), .preset = "0"},
    {.name = "dscp", .argument = "copy|N", .group = SPILL_OPTION_GROUP_SA,
     .help = "of the outer header, 0 to 63, or the inner one's; out and tunnel only",
     PER_SA(DSCP, dscp), .kind = SPILL_OPTION_DSCP, .preset = "copy"},
    {.name = "df", .argument = "copy|set|clear", .group = SPILL_OPTION_GROUP_SA,
     .help = "don't fragment, in the outer IPv4 header; out and tunnel only",
     PER_SA(DF, df), WORDS(df_words), .preset = "copy"},
    {.name = "stands-for", .argument = "NAME", .group = SPILL_OPTION_GROUP_SA,
     .help = "rules that name that one mean this one, too: while keys change; in only",
     PER_SA(STANDS_FOR, stands_for), .kind = SPILL_OPTION_NAME},
    {.name = "port", .argument = "NAME[,NAME...]", .group = SPILL_OPTION_GROUP_SA,
     .help = "by which its ESP comes or goes, one of a wire; not given: as traffic shows",
     PER_SA(PORT, port), .kind = SPILL_OPTION_PORT_NAMES},

    {.name = "fast", .argument = "LIST", .group = SPILL_OPTION_GROUP_ROLES,
     .help = "receive, look up, decide, transmit",
     PLAIN(fast), .kind = SPILL_OPTION_CPUS},
    {.name = "pool", .argument = "LIST", .group = SPILL_OPTION_GROUP_ROLES,
     .help = "workers for expensive jobs",
     PLAIN(pool), .kind = SPILL_OPTION_CPUS},
    {.name = "rx", .argument = "LIST", .group = SPILL_OPTION_GROUP_ROLES,
     .help = "receive only, and spread flows over the fast lcores",
     PLAIN(rx), .kind = SPILL_OPTION_CPUS},
    {.name = "tx", .argument = "LIST", .group = SPILL_OPTION_GROUP_ROLES,
     .help = "transmit only",
     PLAIN(tx), .kind = SPILL_OPTION_CPUS},
    {.name = "control", .argument = "LIST", .group = SPILL_OPTION_GROUP_ROLES,
     .help = "signals, timers, reports; never polls",
     PLAIN(control), .kind = SPILL_OPTION_CPUS},
    {.name = "idle", .argument = "busy|pause|sleep", .group = SPILL_OPTION_GROUP_ROLES,
     .help = "what a loop without work does; sleep adapts to the traffic",
     PLAIN(idle), WORDS(idle_words), .preset = "pause"},

    {.name = "budget", .argument = "TIME", .group = SPILL_OPTION_GROUP_WORK,
     .help = "idle time that a fast lcore may save up for doing expensive work itself",
     PLAIN(budget_ns), TIME(0, SECOND), .preset = "10us"},
    {.name = "dispatch", .argument = "CLASS=auto|inline|pool", .group = SPILL_OPTION_GROUP_WORK,
     .help = "where a class of work runs",
     PER_CLASS(dispatch), WORDS(dispatch_words), .preset = "auto"},
    {.name = "pool-capacity", .argument = "CLASS=N", .group = SPILL_OPTION_GROUP_WORK,
     .help = "jobs of a class that may be out at a time; not given: as planned",
     PER_CLASS(pool_capacity), NUMBER(1, 64 * KILO)},
    {.name = "on-pool-full", .argument = "CLASS=drop|inline|allow",
     .group = SPILL_OPTION_GROUP_WORK,
     .help = "what happens to packets the pool refuses: drop them, do the work inline over the "
             "budget, or (classify only) let them pass",
     PER_CLASS(on_pool_full), WORDS(pool_full_words), .preset = "drop"},
    {.name = "lanes", .argument = "N", .group = SPILL_OPTION_GROUP_WORK,
     .help = "lanes of each fast lcore and class, a power of two",
     PLAIN(lanes), .kind = SPILL_OPTION_POWER_OF_TWO, .least = 1, .most = SPILL_OPTION_LANES_MAX,
     .preset = "16"},
    {.name = "crypto", .argument = "DEVICE", .group = SPILL_OPTION_GROUP_WORK,
     .help = "crypto device instead of those that spillway makes itself, such as a PCI address "
             "or crypto_openssl0",
     PLAIN(crypto), .kind = SPILL_OPTION_DEVICE},

    {.name = "no-huge", .group = SPILL_OPTION_GROUP_MEMORY,
     .help = "run without hugepages",
     PLAIN(no_huge), .kind = SPILL_OPTION_SWITCH},
    {.name = "memory", .argument = "MIB", .group = SPILL_OPTION_GROUP_MEMORY,
     .help = "MiB of memory to take; not given: as planned",
     PLAIN(memory_mib), NUMBER(16, MEGA)},
    {.name = "name", .argument = "PREFIX", .group = SPILL_OPTION_GROUP_MEMORY,
     .help = "name of this instance, one for each that runs at a time",
     PLAIN(name), .kind = SPILL_OPTION_NAME, .preset = "spillway"},

    {.name = "duration", .argument = "TIME", .group = SPILL_OPTION_GROUP_END,
     .help = "end after this time",
     PLAIN(duration_ns), TIME(0, 10000 * HOUR)},
    {.name = "packets", .argument = "N", .group = SPILL_OPTION_GROUP_END,
     .help = "end after so many packets were received",
     PLAIN(packets), NUMBER(1, UINT64_MAX)},
    {.name = "exit-on-idle", .argument = "TIME", .group = SPILL_OPTION_GROUP_END,
     .help = "end when nothing was received for so long",
     PLAIN(exit_on_idle_ns), TIME(0, 10000 * HOUR)},
    {.name = "drain-timeout", .argument = "TIME", .group = SPILL_OPTION_GROUP_END,
     .help = "at the end, wait at most so long for packets in flight",
     PLAIN(drain_timeout_ns), TIME(0, HOUR), .preset = "2s"},
    {.name = "stall-timeout", .argument = "TIME", .group = SPILL_OPTION_GROUP_END,
     .help = "report an lcore that hangs for so long; 0: never",
     PLAIN(stall_timeout_ns), TIME(0, HOUR), .preset = "100ms"},
    {.name = "on-stall", .argument = "log|exit", .group = SPILL_OPTION_GROUP_END,
     .help = "what follows when an lcore hangs",
     PLAIN(on_stall), WORDS(stall_words), .preset = "log"},

    {.name = "stats", .argument = "TIME", .group = SPILL_OPTION_GROUP_OUTPUT,
     .help = "print a line of live counters this often",
     PLAIN(stats_ns), TIME(0, HOUR)},
    {.name = "report", .argument = "FILE|-", .group = SPILL_OPTION_GROUP_OUTPUT,
     .help = "write a report as JSON at the end; - is standard output",
     PLAIN(report), .kind = SPILL_OPTION_OUTPUT},
    {.name = "log-level", .argument = "LEVEL", .group = SPILL_OPTION_GROUP_OUTPUT,
     .help = "error, warning, notice, info or debug",
     PLAIN(log_level), WORDS(log_words), .preset = "notice"},
};
/* clang-format on */

const struct spill_option *spill_option_table(size_t *count)
{
    *count = COUNT_OF(table);
    return table;
}

const struct spill_option *spill_option_find(const char *name, bool per_sa)
{
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if ((table[i].scope == SPILL_OPTION_PER_SA) == per_sa && strcmp(table[i].name, name) == 0)
            return &table[i];
    }
    return NULL;
}

const char *spill_option_group_title(enum spill_option_group group)
{
    return group_titles[group];
}

const char *spill_option_class_name(enum spill_option_class which)
{
    return class_names[which];
}

int spill_option_find_class(const char *name)
{
    for (int i = 0; i < SPILL_OPTION_CLASSES; i++) {
        if (strcmp(class_names[i], name) == 0)
            return i;
    }
    return -1;
}

const char *spill_option_class_list(char *text, size_t size)
{
    size_t used = 0;

    for (int i = 0; i < SPILL_OPTION_CLASSES && used < size; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%s", i == 0 ? "" : ", ", class_names[i]);
    return text;
}

#define NAME_MAX_COMPARED 31

/* Levenshtein's distance, one row at a time. */
static unsigned int edit_distance(const char *left, const char *right)
{
    unsigned int row[NAME_MAX_COMPARED + 1];
    size_t columns = strlen(right);

    for (unsigned int j = 0; j <= columns; j++)
        row[j] = j;
    for (unsigned int i = 1; left[i - 1] != '\0'; i++) {
        unsigned int diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            unsigned int substituted = diagonal + (left[i - 1] != right[j - 1]);
            unsigned int nearest = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

            diagonal = row[j];
            row[j] = substituted < nearest ? substituted : nearest;
        }
    }
    return row[columns];
}

const char *spill_option_nearest(const char *name, bool per_sa)
{
    size_t length = strlen(name);
    const char *nearest = NULL;
    unsigned int least;

    if (length < 2 || length > NAME_MAX_COMPARED)
        return NULL;
    /* An option that begins so is meant; else at most a third of the letters may be wrong. */
    least = (unsigned int)length / 3 + 2;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        unsigned int distance;

        if ((table[i].scope == SPILL_OPTION_PER_SA) != per_sa)
            continue;
        distance = edit_distance(name, table[i].name);
        if (strncmp(table[i].name, name, length) == 0)
            return table[i].name;
        if (distance < least) {
            least = distance;
            nearest = table[i].name;
        }
    }
    return nearest;
}
