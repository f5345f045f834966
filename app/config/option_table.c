/* SPDX-License-Identifier: BSD-3-Clause */
/* The one table of options and the ways to look something up in it. */
#include "config/option_table.h"

#include <stdio.h>
#include <string.h>

#include "classify/flow_table.h"
#include "config/option_reader.h"
#include "config/options.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define FIELD_OF(type, field) .offset = offsetof(type, field), .size = sizeof(((type *)NULL)->field)
#define PLAIN(field)          .scope = SPILL_OPTION_PLAIN, FIELD_OF(struct spill_options, field)
#define PER_PORT(field)       .scope = SPILL_OPTION_PER_PORT, FIELD_OF(struct spill_option_port, field)
#define PER_CLASS(field)                                                                           \
    .scope = SPILL_OPTION_PER_CLASS, FIELD_OF(struct spill_pipeline_class, field)
/* Associations come and go with the files that are read again. */
#define PER_SA(field)                                                                              \
    .scope = SPILL_OPTION_PER_SA, .when = SPILL_OPTION_AT_RELOAD,                                  \
    FIELD_OF(struct spill_option_sa, field)

#define PER_INTERFACE(field)                                                                       \
    .scope = SPILL_OPTION_PER_INTERFACE, FIELD_OF(struct spill_option_interface, field)
#define PER_ROUTE(field) .scope = SPILL_OPTION_PER_ROUTE, FIELD_OF(struct spill_option_route, field)
#define PER_NEIGHBOR(field)                                                                        \
    .scope = SPILL_OPTION_PER_NEIGHBOR, FIELD_OF(struct spill_option_neighbor, field)
#define IKE(field)    .scope = SPILL_OPTION_IKE, FIELD_OF(struct spill_options, ike.field)
#define ROUTER(field) .scope = SPILL_OPTION_ROUTER, FIELD_OF(struct spill_options, router.field)

#define NUMBER(from, to) .kind = SPILL_OPTION_NUMBER, .least = (from), .most = (to)
#define TIME(from, to)   .kind = SPILL_OPTION_TIME, .least = (from), .most = (to)
#define TIMEOUT(state)   PLAIN(pipeline.flow_timeouts_ns[state]), TIME(MILLISECOND, 24 * HOUR)
#define WORDS(...)                                                                                 \
    .kind = SPILL_OPTION_WORD, .words = (const struct spill_option_word[])                         \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            NULL, 0                                                                                \
        }                                                                                          \
    }
#define READ(function) .kind = SPILL_OPTION_READ, .read = (function)

#define TEXT_OF(number) #number
#define TEXT(number)    TEXT_OF(number)

#define KILO        UINT64_C(1024)
#define MEGA        (KILO * KILO)
#define MILLISECOND (UINT64_C(1000) * 1000)
#define SECOND      (MILLISECOND * 1000)
#define HOUR        (SECOND * 3600)

static const struct spill_option_group groups[] = {
    [SPILL_OPTION_GROUP_GENERAL] = {"General", NULL},
    [SPILL_OPTION_GROUP_PORTS] = {"Ports and wires", NULL},
    [SPILL_OPTION_GROUP_FIREWALL] = {"Firewall", NULL},
    [SPILL_OPTION_GROUP_SA] = {"IPsec", ": keys of [sa NAME] in the configuration file, no flags"},
    [SPILL_OPTION_GROUP_PORT_ROUTED] =
        {"Routed ports", ": keys of [port NAME] in the configuration file, no flags"},
    [SPILL_OPTION_GROUP_ROUTE] = {"Routes", ": keys of [route PREFIX], likewise"},
    [SPILL_OPTION_GROUP_NEIGHBOR] = {"Neighbors", ": keys of [neighbor ADDRESS], likewise"},
    [SPILL_OPTION_GROUP_ROUTER] = {"Router", ": keys of [router], likewise"},
    [SPILL_OPTION_GROUP_IKE] = {"IKE", ": keys of [ike], likewise"},
    [SPILL_OPTION_GROUP_ROLES] = {"Roles", " (LIST is CPUs as in 1-2,5)"},
    [SPILL_OPTION_GROUP_WORK] = {"Expensive work, by CLASS", NULL},
    [SPILL_OPTION_GROUP_MEMORY] = {"Memory", NULL},
    [SPILL_OPTION_GROUP_END] = {"Ending", NULL},
    [SPILL_OPTION_GROUP_OUTPUT] = {"Watching", NULL},
};

/* clang-format off */
static const struct spill_option rows[] = {
    {.name = "config", .group = SPILL_OPTION_GROUP_GENERAL, .flag_only = true,
     .help = "read options from an INI file; flags override it",
     PLAIN(config), .kind = SPILL_OPTION_FILE},
    {.name = "check", .group = SPILL_OPTION_GROUP_GENERAL,
     .help = "print the plan and the hugepages it needs, start nothing",
     PLAIN(check), .kind = SPILL_OPTION_SWITCH},
    {.name = "json", .group = SPILL_OPTION_GROUP_GENERAL,
     .help = "with --check: print the plan as JSON",
     PLAIN(json), .kind = SPILL_OPTION_SWITCH},
    {.name = "explain", .argument = "PACKET", .group = SPILL_OPTION_GROUP_GENERAL, .flag_only = true,
     .help = "with --check: say which rule decides about a packet, such as "
             "'tcp 10.0.0.1:1234 > 192.0.2.1:443 in lan', instead of the plan",
     PLAIN(explain), READ(spill_option_read_text)},
    {.name = "version", .group = SPILL_OPTION_GROUP_GENERAL, .flag_only = true,
     .help = "print the version and end",
     .scope = SPILL_OPTION_PLAIN, .kind = SPILL_OPTION_ACTION},
    {.name = "help", .group = SPILL_OPTION_GROUP_GENERAL, .flag_only = true,
     .help = "print this text and end; so does -h",
     .scope = SPILL_OPTION_PLAIN, .kind = SPILL_OPTION_ACTION},

    {.name = "port", .argument = "NAME=DEVICE[,ARGUMENTS]", .group = SPILL_OPTION_GROUP_PORTS,
     .key = "device", .form = "DEVICE", .required = true, .range = "at most " TEXT(SPILL_PORTS_MAX) " ports",
     .help = "a port: PCI address or vdev with its driver's arguments; repeatable",
     .scope = SPILL_OPTION_PORT, FIELD_OF(struct spill_option_port, device),
     .kind = SPILL_OPTION_DEVICE},
    {.name = "wire", .argument = "A:B", .group = SPILL_OPTION_GROUP_PORTS,
     .key = "ports", .form = "A, B", .required = true, .range = "at most " TEXT(SPILL_WIRES_MAX) " wires",
     .help = "join two ports in both directions; repeatable",
     .scope = SPILL_OPTION_WIRE, FIELD_OF(struct spill_option_wire, port_names),
     READ(spill_option_read_ends)},
    {.name = "rx-queues", .group = SPILL_OPTION_GROUP_PORTS,
     .help = "receive queues of a port", .absent = "as planned",
     PER_PORT(config.rx_queues), NUMBER(1, SPILL_QUEUES_MAX)},
    {.name = "tx-queues", .group = SPILL_OPTION_GROUP_PORTS,
     .help = "transmit queues of a port", .absent = "as planned",
     PER_PORT(config.tx_queues), NUMBER(1, SPILL_QUEUES_MAX)},
    {.name = "mtu", .argument = "BYTES", .group = SPILL_OPTION_GROUP_PORTS,
     .help = "MTU of a port", .absent = "as the device has it",
     PER_PORT(config.mtu), NUMBER(68, 9600)},
    {.name = "promiscuous", .group = SPILL_OPTION_GROUP_PORTS,
     .help = "receive frames for any address",
     PER_PORT(config.promiscuous), .kind = SPILL_OPTION_ON_OFF, .preset = "on"},
    {.name = "mbufs", .group = SPILL_OPTION_GROUP_PORTS,
     .help = "mbufs of a port's mempool on top of those planned",
     PER_PORT(plan.extra_mbufs), NUMBER(0, 16 * MEGA), .preset = "0"},
    {.name = "rx-descriptors", .group = SPILL_OPTION_GROUP_PORTS,
     .help = "descriptors of each receive queue", .absent = "as planned",
     PER_PORT(config.rx_descriptors), NUMBER(8, 32 * KILO)},
    {.name = "tx-descriptors", .group = SPILL_OPTION_GROUP_PORTS,
     .help = "descriptors of each transmit queue", .absent = "as planned",
     PER_PORT(config.tx_descriptors), NUMBER(8, 32 * KILO)},

    {.name = "rules", .group = SPILL_OPTION_GROUP_FIREWALL,
     .help = "rules, first match wins",
     PLAIN(rules), .kind = SPILL_OPTION_FILE, .when = SPILL_OPTION_AT_RELOAD},
    {.name = "default", .group = SPILL_OPTION_GROUP_FIREWALL,
     .help = "what happens to a flow that no rule matches",
     PLAIN(default_verdict), WORDS({"allow", SPILL_VERDICT_ALLOW}, {"deny", SPILL_VERDICT_DENY}), .preset = "deny", .when = SPILL_OPTION_AT_RELOAD},
    {.name = "non-ip", .argument = "TYPES", .group = SPILL_OPTION_GROUP_FIREWALL,
     .help = "frames that pass though they are not IP: arp, nd, control, lldp, 0x88cc, ...; or pass "
             "or drop",
     PLAIN(pipeline.non_ip), READ(spill_option_read_non_ip), .range = "types, pass, drop", .preset = "arp,nd,control"},
    {.name = "flow-capacity", .group = SPILL_OPTION_GROUP_FIREWALL,
     .help = "flows that each fast lcore remembers",
     PLAIN(pipeline.flow_capacity), NUMBER(SPILL_FLOW_CAPACITY_MIN, SPILL_FLOW_CAPACITY_MAX), .preset = "64k"},
    {.name = "flow-timeout", .group = SPILL_OPTION_GROUP_FIREWALL,
     .help = "forget any flow that was silent for so long, in place of the next six",
     .absent = "as those say", PLAIN(pipeline.flow_timeout_ns), TIME(MILLISECOND, 24 * HOUR)},
    {.name = "timeout-tcp-opening", .group = SPILL_OPTION_GROUP_FIREWALL,
     .help = "the same of TCP before the handshake is done",
     TIMEOUT(SPILL_FLOW_TCP_OPENING), .preset = "30s"},
    {.name = "timeout-tcp-established", .group = SPILL_OPTION_GROUP_FIREWALL,
     .help = "of TCP after it",
     TIMEOUT(SPILL_FLOW_TCP_ESTABLISHED), .preset = "2h5m"},
    {.name = "timeout-tcp-closing", .group = SPILL_OPTION_GROUP_FIREWALL,
     .help = "of TCP, and SCTP, since it ended",
     TIMEOUT(SPILL_FLOW_TCP_CLOSING), .preset = "10s"},
    {.name = "timeout-udp-once", .group = SPILL_OPTION_GROUP_FIREWALL,
     .help = "of UDP while only one side has spoken",
     TIMEOUT(SPILL_FLOW_UDP_ONCE), .preset = "30s"},
    {.name = "timeout-udp", .group = SPILL_OPTION_GROUP_FIREWALL,
     .help = "of UDP once both sides have",
     TIMEOUT(SPILL_FLOW_UDP), .preset = "3m"},
    {.name = "timeout-other", .group = SPILL_OPTION_GROUP_FIREWALL,
     .help = "of all other protocols",
     TIMEOUT(SPILL_FLOW_OTHER), .preset = "60s"},
    {.name = "tcp-pickup", .group = SPILL_OPTION_GROUP_FIREWALL,
     .help = "a TCP connection that is under way may be taken up, not only opened by a SYN",
     PLAIN(pipeline.tcp_pickup), .kind = SPILL_OPTION_YES_NO, .preset = "yes"},

    {.name = "direction", .group = SPILL_OPTION_GROUP_SA,
     .help = "which packets: those that come encrypted, or those to encrypt",
     PER_SA(config.direction), WORDS({"in", SPILL_SA_IN}, {"out", SPILL_SA_OUT}), .required = true},
    {.name = "spi", .argument = "N", .group = SPILL_OPTION_GROUP_SA,
     .help = "security parameters index, " TEXT(SPILL_SA_SPI_FIRST) " to 0xffffffff",
     PER_SA(config.spi), READ(spill_option_read_spi), .required = true,
     .range = TEXT(SPILL_SA_SPI_FIRST) " to 0xffffffff"},
    {.name = "mode", .group = SPILL_OPTION_GROUP_SA,
     .help = "whether packets get a header of their own around them",
     PER_SA(config.mode), .required = true,
     WORDS({"tunnel", SPILL_SA_TUNNEL}, {"transport", SPILL_SA_TRANSPORT})},
    {.name = "source", .argument = "ADDRESS", .group = SPILL_OPTION_GROUP_SA,
     .help = "of the encrypted packets; with tunnel it must be there",
     PER_SA(config.source), READ(spill_option_read_address), .range = "IPv4 or IPv6"},
    {.name = "destination", .argument = "ADDRESS", .group = SPILL_OPTION_GROUP_SA,
     .help = "the same; both or neither, of one family",
     PER_SA(config.destination), READ(spill_option_read_address), .range = "IPv4 or IPv6"},
    {.name = "algorithm", .argument = "NAME", .group = SPILL_OPTION_GROUP_SA,
     .help = "such as aes-128-gcm; spillway keygen lists them",
     PER_SA(config.algorithm), READ(spill_option_read_algorithm), .required = true,
     .form = "NAME, such as aes-128-gcm", .range = "[algorithms](#algorithms)"},
    {.name = "key-file", .group = SPILL_OPTION_GROUP_SA,
     .help = "with the key, as spillway keygen writes it",
     PER_SA(key_file), .kind = SPILL_OPTION_FILE, .required = true},
    {.name = "esn", .group = SPILL_OPTION_GROUP_SA,
     .help = "sequence numbers of 64 bits",
     PER_SA(config.esn), .kind = SPILL_OPTION_YES_NO, .preset = "no"},
    {.name = "replay-window", .group = SPILL_OPTION_GROUP_SA,
     .help = "packets that may come late: 32 to 16k, or 0: no protection against replay; "
             "in only",
     PER_SA(config.replay_window), NUMBER(0, SPILL_REPLAY_WINDOW_MAX), .range = "0, or 32 to 16k", .preset = "1024"},
    {.name = "nat-traversal", .group = SPILL_OPTION_GROUP_SA,
     .help = "put ESP into UDP, port 4500",
     PER_SA(config.nat_traversal), .kind = SPILL_OPTION_YES_NO, .preset = "no"},
    {.name = "lifetime-packets-soft", .group = SPILL_OPTION_GROUP_SA,
     .help = "packets after which to warn; 0: never",
     PER_SA(config.packets_soft), NUMBER(0, UINT64_MAX), .preset = "0"},
    {.name = "lifetime-packets-hard", .group = SPILL_OPTION_GROUP_SA,
     .help = "packets after which to stop; 0: never",
     PER_SA(config.packets_hard), NUMBER(0, UINT64_MAX), .preset = "0"},
    {.name = "lifetime-bytes-soft", .argument = "BYTES", .group = SPILL_OPTION_GROUP_SA,
     .help = "bytes after which to warn; 0: never",
     PER_SA(config.bytes_soft), NUMBER(0, UINT64_MAX), .preset = "0"},
    {.name = "lifetime-bytes-hard", .argument = "BYTES", .group = SPILL_OPTION_GROUP_SA,
     .help = "bytes after which to stop; 0: never",
     PER_SA(config.bytes_hard), NUMBER(0, UINT64_MAX), .preset = "0"},
    {.name = "dscp", .argument = "copy|N", .group = SPILL_OPTION_GROUP_SA,
     .help = "of the outer header, 0 to 63, or the inner one's; out and tunnel only",
     PER_SA(config.dscp), READ(spill_option_read_dscp), .range = "copy, 0 to 63", .preset = "copy"},
    {.name = "df", .group = SPILL_OPTION_GROUP_SA,
     .help = "don't fragment, in the outer IPv4 header; out and tunnel only",
     PER_SA(config.df), WORDS({"copy", SPILL_SA_DF_COPY}, {"set", SPILL_SA_DF_SET}, {"clear", SPILL_SA_DF_CLEAR}), .preset = "copy"},
    {.name = "stands-for", .argument = "NAME", .group = SPILL_OPTION_GROUP_SA,
     .help = "rules that name that one mean this one, too: while keys change; in only",
     PER_SA(config.stands_for), .kind = SPILL_OPTION_NAME},
    {.name = "port", .argument = "NAME[,NAME...]", .group = SPILL_OPTION_GROUP_SA,
     .help = "by which its ESP comes or goes, one of a wire; not given: as traffic shows",
     PER_SA(port), READ(spill_option_read_port_names)},

    {.name = "routed", .group = SPILL_OPTION_GROUP_PORT_ROUTED,
     .help = "forward by route what comes in by this port or sub-port; such a port is in no wire",
     PER_INTERFACE(routed), .kind = SPILL_OPTION_YES_NO, .preset = "no"},
    {.name = "address", .argument = "ADDRESS/LENGTH[,...]", .group = SPILL_OPTION_GROUP_PORT_ROUTED,
     .help = "its addresses, with the lengths of their networks' prefixes",
     PER_INTERFACE(addresses), READ(spill_option_read_addresses)},
    {.name = "parent", .argument = "NAME", .group = SPILL_OPTION_GROUP_PORT_ROUTED,
     .help = "the port that a sub-port is of, in place of a device",
     PER_INTERFACE(parent), .kind = SPILL_OPTION_NAME},
    {.name = "vlan", .group = SPILL_OPTION_GROUP_PORT_ROUTED,
     .help = "the VLAN that a sub-port is for",
     PER_INTERFACE(vlan), NUMBER(1, 4094)},
    {.name = "twin", .argument = "NAME", .group = SPILL_OPTION_GROUP_PORT_ROUTED,
     .help = "an interface to make in the kernel, which is the host on the port's link: addresses, neighbors and routes "
             "are the kernel's then",
     PER_INTERFACE(twin), .kind = SPILL_OPTION_NAME},

    {.name = "via", .argument = "HOP[,HOP...]", .group = SPILL_OPTION_GROUP_ROUTE,
     .help = "next hops, which share the flows by their weights: ADDRESS [port NAME] [weight N], or "
             "port NAME for who is on its link",
     PER_ROUTE(via), READ(spill_option_read_vias), .when = SPILL_OPTION_AT_RELOAD},
    {.name = "action", .group = SPILL_OPTION_GROUP_ROUTE,
     .help = "in place of a next hop: drop, and tell the sender but for blackhole",
     PER_ROUTE(action), WORDS({"blackhole", SPILL_ROUTE_BLACKHOLE},
                              {"unreachable", SPILL_ROUTE_UNREACHABLE},
                              {"prohibit", SPILL_ROUTE_PROHIBIT}), .when = SPILL_OPTION_AT_RELOAD},

    {.name = "port", .argument = "NAME", .group = SPILL_OPTION_GROUP_NEIGHBOR, .required = true,
     .help = "the routed port or sub-port on whose link it is",
     PER_NEIGHBOR(interface), READ(spill_option_read_interface), .when = SPILL_OPTION_AT_RELOAD},
    {.name = "mac", .argument = "MAC", .group = SPILL_OPTION_GROUP_NEIGHBOR, .required = true,
     .help = "its MAC address",
     PER_NEIGHBOR(mac), READ(spill_option_read_mac), .when = SPILL_OPTION_AT_RELOAD},

    {.name = "rpf", .group = SPILL_OPTION_GROUP_ROUTER,
     .help = "drop what comes from an address to which there is no route (loose), or none by the "
             "port that it came in by (strict)",
     ROUTER(rpf), WORDS({"off", SPILL_RPF_OFF}, {"loose", SPILL_RPF_LOOSE},
                        {"strict", SPILL_RPF_STRICT}), .preset = "off"},
    {.name = "host-rules", .group = SPILL_OPTION_GROUP_ROUTER,
     .help = "the rules judge what the router itself sends and gets by twins, too; not ARP, neighbor discovery, "
             "groups, link-local addresses, IKE, ESP",
     .scope = SPILL_OPTION_ROUTER, FIELD_OF(struct spill_options, pipeline.host_rules),
     .kind = SPILL_OPTION_YES_NO, .preset = "no"},
    {.name = "routes", .group = SPILL_OPTION_GROUP_ROUTER,
     .help = "IPv4 routes that there may be",
     ROUTER(routes4), NUMBER(64, 4 * MEGA), .preset = "64k"},
    {.name = "routes6", .group = SPILL_OPTION_GROUP_ROUTER,
     .help = "IPv6 routes that there may be",
     ROUTER(routes6), NUMBER(64, MEGA), .preset = "16k"},
    {.name = "table", .argument = "main|N", .group = SPILL_OPTION_GROUP_ROUTER,
     .help = "the kernel's table of routes that is followed, where ports have twins",
     ROUTER(table), READ(spill_option_read_table), .range = "main, 1 to 4294967295", .preset = "main"},
    {.name = "netns", .argument = "FILE", .group = SPILL_OPTION_GROUP_ROUTER,
     .help = "network namespace of the twins, such as /run/netns/NAME; not given: the program's own",
     ROUTER(name_space), .kind = SPILL_OPTION_FILE},

    {.name = "xfrm", .argument = "FILE", .group = SPILL_OPTION_GROUP_IKE,
     .help = "UNIX socket by which IKE daemons have their associations and policies put in force; not given: none is heard",
     IKE(xfrm), .kind = SPILL_OPTION_SOCKET},
    {.name = "port", .argument = "NAME[,NAME...]", .group = SPILL_OPTION_GROUP_IKE,
     .help = "by which the ESP of their associations comes or goes, one of a wire; not given: as traffic shows",
     IKE(port), READ(spill_option_read_port_names), .when = SPILL_OPTION_AT_RELOAD},

    {.name = "fast", .group = SPILL_OPTION_GROUP_ROLES,
     .help = "receive, look up, decide, transmit", .absent = "as planned",
     PLAIN(plan.roles[SPILL_ROLE_FAST]), .kind = SPILL_OPTION_CPUS},
    {.name = "pool", .group = SPILL_OPTION_GROUP_ROLES,
     .help = "workers for expensive jobs", .absent = "as planned",
     PLAIN(plan.roles[SPILL_ROLE_POOL]), .kind = SPILL_OPTION_CPUS, .when = SPILL_OPTION_AT_RELOAD},
    {.name = "rx", .group = SPILL_OPTION_GROUP_ROLES,
     .help = "receive only, and spread flows over the fast lcores",
     PLAIN(plan.roles[SPILL_ROLE_RX]), .kind = SPILL_OPTION_CPUS},
    {.name = "tx", .group = SPILL_OPTION_GROUP_ROLES,
     .help = "transmit only",
     PLAIN(plan.roles[SPILL_ROLE_TX]), .kind = SPILL_OPTION_CPUS},
    {.name = "control", .group = SPILL_OPTION_GROUP_ROLES,
     .help = "signals, timers, reports; never polls", .absent = "as planned",
     PLAIN(plan.roles[SPILL_ROLE_CONTROL]), .kind = SPILL_OPTION_CPUS},
    {.name = "idle", .group = SPILL_OPTION_GROUP_ROLES,
     .help = "what a loop without work does; sleep adapts to the traffic",
     PLAIN(pipeline.idle),
     WORDS({"busy", SPILL_IDLE_BUSY}, {"pause", SPILL_IDLE_PAUSE}, {"sleep", SPILL_IDLE_SLEEP}), .preset = "pause", .when = SPILL_OPTION_AT_ONCE},

    {.name = "budget", .group = SPILL_OPTION_GROUP_WORK,
     .help = "idle time that a fast lcore may save up for doing expensive work itself",
     PLAIN(pipeline.budget_ns), TIME(0, SECOND), .preset = "10us", .when = SPILL_OPTION_AT_ONCE},
    {.name = "dispatch", .group = SPILL_OPTION_GROUP_WORK,
     .help = "where a class of work runs",
     PER_CLASS(dispatch), WORDS({"auto", SPILL_DISPATCH_AUTO}, {"inline", SPILL_DISPATCH_INLINE},
           {"pool", SPILL_DISPATCH_POOL}), .preset = "auto", .when = SPILL_OPTION_AT_ONCE},
    {.name = "pool-capacity", .group = SPILL_OPTION_GROUP_WORK,
     .help = "jobs of a class that may be out at a time", .absent = "as planned",
     PER_CLASS(capacity), NUMBER(1, 64 * KILO)},
    {.name = "on-pool-full", .group = SPILL_OPTION_GROUP_WORK,
     .help = "what happens to packets the pool refuses: drop them, do the work inline over the "
             "budget, or (classify only) let them pass",
     PER_CLASS(overflow),
     WORDS({"drop", SPILL_OVERFLOW_DROP}, {"inline", SPILL_OVERFLOW_INLINE},
           {"allow", SPILL_OVERFLOW_ALLOW}), .preset = "drop", .when = SPILL_OPTION_AT_ONCE},
    {.name = "lanes", .group = SPILL_OPTION_GROUP_WORK,
     .help = "lanes of each fast lcore and class, a power of two",
     PLAIN(pipeline.lanes), .kind = SPILL_OPTION_POWER_OF_TWO, .least = 1, .most = SPILL_LANES_MAX,
     .preset = "16"},
    {.name = "crypto", .argument = "DEVICE", .group = SPILL_OPTION_GROUP_WORK,
     .help = "crypto device instead of those that spillway makes itself, such as a PCI address "
             "or crypto_openssl0",
     PLAIN(crypto), .kind = SPILL_OPTION_DEVICE},

    {.name = "no-huge", .group = SPILL_OPTION_GROUP_MEMORY,
     .help = "run without hugepages",
     PLAIN(no_huge), .kind = SPILL_OPTION_SWITCH},
    {.name = "memory", .argument = "MIB", .group = SPILL_OPTION_GROUP_MEMORY,
     .help = "MiB of memory to take", .absent = "as planned",
     PLAIN(plan.memory_mib), NUMBER(16, MEGA)},
    {.name = "name", .argument = "PREFIX", .group = SPILL_OPTION_GROUP_MEMORY,
     .help = "name of this instance, one for each that runs at a time",
     PLAIN(name), .kind = SPILL_OPTION_NAME, .preset = "spillway"},

    {.name = "duration", .group = SPILL_OPTION_GROUP_END,
     .help = "end after this time",
     PLAIN(duration_ns), TIME(0, 10000 * HOUR)},
    {.name = "packets", .group = SPILL_OPTION_GROUP_END,
     .help = "end after so many packets were received",
     PLAIN(packets), NUMBER(1, UINT64_MAX)},
    {.name = "exit-on-idle", .group = SPILL_OPTION_GROUP_END,
     .help = "end when nothing was received for so long",
     PLAIN(exit_on_idle_ns), TIME(0, 10000 * HOUR)},
    {.name = "drain-timeout", .group = SPILL_OPTION_GROUP_END,
     .help = "at the end, wait at most so long for packets in flight",
     PLAIN(drain_timeout_ns), TIME(0, HOUR), .preset = "2s", .when = SPILL_OPTION_AT_ONCE},
    {.name = "on-drain", .argument = "COMMAND", .group = SPILL_OPTION_GROUP_END,
     .help = "run this by the shell when the end begins, and receive until it has ended",
     PLAIN(on_drain), .kind = SPILL_OPTION_COMMAND},
    {.name = "on-drain-timeout", .group = SPILL_OPTION_GROUP_END,
     .help = "at most so long",
     PLAIN(on_drain_timeout_ns), TIME(0, HOUR), .preset = "30s", .when = SPILL_OPTION_AT_ONCE},
    {.name = "stall-timeout", .group = SPILL_OPTION_GROUP_END,
     .help = "report an lcore that hangs for so long; 0: never",
     PLAIN(stall_timeout_ns), TIME(0, HOUR), .preset = "100ms"},
    {.name = "on-stall", .group = SPILL_OPTION_GROUP_END,
     .help = "what follows when an lcore hangs",
     PLAIN(on_stall), WORDS({"log", SPILL_OPTION_STALL_LOG}, {"exit", SPILL_OPTION_STALL_EXIT}), .preset = "log", .when = SPILL_OPTION_AT_ONCE},

    {.name = "stats", .group = SPILL_OPTION_GROUP_OUTPUT,
     .help = "print a line of live counters this often",
     PLAIN(stats_ns), TIME(0, HOUR)},
    {.name = "report", .argument = "FILE|-", .group = SPILL_OPTION_GROUP_OUTPUT,
     .help = "write a report as JSON at the end; - is standard output",
     PLAIN(report), .kind = SPILL_OPTION_OUTPUT},
    {.name = "rule-log", .argument = "FILE", .group = SPILL_OPTION_GROUP_OUTPUT,
     .help = "append what rules with log decide, as lines of JSON", .absent = "standard error",
     PLAIN(rule_log), .kind = SPILL_OPTION_OUTPUT},
    {.name = "control-socket", .argument = "FILE", .group = SPILL_OPTION_GROUP_OUTPUT,
     .help = "a further UNIX socket for spillwayctl, besides the one beside DPDK's telemetry",
     PLAIN(control_socket), .kind = SPILL_OPTION_SOCKET},
    {.name = "control-group", .argument = "GROUP", .group = SPILL_OPTION_GROUP_OUTPUT,
     .help = "group that may connect to it, and ask for what changes nothing, as an exporter does",
     PLAIN(control_group), .kind = SPILL_OPTION_NAME},
    {.name = "log-level", .argument = "LEVEL", .group = SPILL_OPTION_GROUP_OUTPUT,
     .help = "error, warning, notice, info or debug",
     PLAIN(log_level), WORDS({"error", SPILL_OPTION_LOG_ERROR}, {"warning", SPILL_OPTION_LOG_WARNING},
           {"notice", SPILL_OPTION_LOG_NOTICE}, {"info", SPILL_OPTION_LOG_INFO},
           {"debug", SPILL_OPTION_LOG_DEBUG}), .preset = "notice", .when = SPILL_OPTION_AT_ONCE},
};
/* clang-format on */

const struct spill_option_table spill_options_table = {
    .rows = rows, .count = COUNT_OF(rows), .groups = groups};

const struct spill_option *spill_option_table(size_t *count)
{
    *count = COUNT_OF(rows);
    return rows;
}

const struct spill_option *spill_option_find(const char *name, bool per_sa)
{
    return spill_option_find_in(&spill_options_table, name, per_sa);
}

const char *spill_option_nearest(const char *name, bool per_sa)
{
    return spill_option_nearest_in(&spill_options_table, name, per_sa);
}

int spill_option_find_class(const char *name)
{
    for (int i = 0; i < SPILL_CLASSES; i++) {
        if (strcmp(spill_class_rows[i]->name, name) == 0)
            return i;
    }
    return -1;
}

const char *spill_option_class_list(char *text, size_t size)
{
    size_t used = 0;

    for (int i = 0; i < SPILL_CLASSES && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i == 0 ? "" : ", ",
                                 spill_class_rows[i]->name);
    return text;
}
