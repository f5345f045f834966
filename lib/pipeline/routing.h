/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ROUTING_H
#define SPILLWAY_ROUTING_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_config.h>
#include <rte_mbuf.h>

#include "packet/packet.h"
#include "pipeline/output.h"
#include "route/tables.h"

/**
 * @file
 * Routing: where packets of routed ports leave, by their destination.
 *
 *     routed port -> input (routing_input.h): is the frame ours, is its header right
 *                 -> to: for the host, or by which route
 *                 -> flow and verdict, where there are rules
 *                 -> on: hop of the route; TTL, checksum, MACs, tag -> THE exit (exit.h)
 *
 * What can't be forwarded is dropped by name, and its sender told (routing_error.h); what waits for
 * its neighbour's MAC waits in waiting.h.
 *
 * A packet whose `output` is SPILL_OUTPUT_ROUTE has no port yet: the exit has it routed. So
 * whatever comes back from the pool, and what was made here, takes the same way.
 *
 * Uses of a packet: kind, key (its VLAN; of several paths all of it), l3_offset, length, fragment,
 * input. Sets: output; l3_offset and l4_offset, where the tag changes.
 */

/* In a packet's `output`: where its route leads. */
#define SPILL_OUTPUT_ROUTE RTE_MAX_ETHPORTS

#define SPILL_NO_INTERFACE UINT16_MAX

struct spill_fast;
struct spill_pipeline_config;
struct spill_waiting;

/**
 * What becomes of a packet for the host. The lcore.
 *
 * @param interface  that it came by
 * @param mbuf       given away: delivered, and counted as that, or dropped by name
 * @param packet     of any kind but malformed
 */
typedef void (*spill_to_host)(void *context, struct spill_fast *fast, uint16_t interface,
                              struct rte_mbuf *mbuf, const struct spill_packet *packet);

/** Whose packet it is that is routed. */
enum spill_routing_origin {
    SPILL_ROUTING_TRANSIT,
    SPILL_ROUTING_OWN,       /* made here: its TTL stays, and nobody is told what becomes of it */
    SPILL_ROUTING_PROTECTED, /* the same, an ESP packet of ours (routing_tunnel.h) */
};

/** A fast lcore's. Written before the lcores start, but for what others say of themselves, and for
 * the last three, which follow interfaces that come and leave. */
struct spill_routing {
    const struct spill_route_tables *tables; /* NULL: no port is routed */
    struct spill_route_lcore *lcore;         /* written by the lcore */
    struct spill_waiting *waiting;           /* likewise */
    spill_to_host to_host;                   /* NULL: there is no host to give packets to */
    void *host;
    struct spill_channel *from_host;     /* of an lcore that sends what the host does; or NULL */
    bool host_rules;                     /* what the host sends and gets is judged as well */
    bool routed[RTE_MAX_ETHPORTS];       /* by id of the port */
    uint16_t untagged[RTE_MAX_ETHPORTS]; /* interface of what has no tag; or SPILL_NO_INTERFACE */
    uint16_t *by_vlan[RTE_MAX_ETHPORTS]; /* of what has one; NULL: none has; owned */
};

/**
 * Prepares a fast lcore's. Control thread.
 *
 * @param config  of the pipeline
 * @param index   of the lcore among the fast ones
 * @return 0, or -1 with an error; what was made is freed by spill_routing_free()
 */
int spill_routing_init(struct spill_routing *routing, const struct spill_pipeline_config *config,
                       uint32_t index, int node, struct spill_error *error);

void spill_routing_free(struct spill_routing *routing);

/**
 * Has packets that come by an interface of the router's known as its own, or not any more. Who has
 * the ports; the lcore may run.
 *
 * @return -1 with an error: no memory
 */
int spill_routing_add_interface(struct spill_routing *routing, uint16_t number, int node,
                                struct spill_error *error);
void spill_routing_remove_interface(struct spill_routing *routing, uint16_t number);

/** Interface of a packet that came by a routed port. The lcore. */
uint16_t spill_routing_interface(const struct spill_routing *routing, const struct rte_mbuf *mbuf,
                                 const struct spill_packet *packet);

/** Which of its addresses. */
enum spill_routing_end { SPILL_ROUTING_FROM, SPILL_ROUTING_TO };

/**
 * Finds the groups of addresses of packets, whose headers are in one piece. The lcore.
 *
 * @param count   at most SPILL_BURST
 * @param groups  by index: numbers of groups; 0: there is no route
 */
void spill_routing_lookup(const struct spill_route_tables *tables, struct rte_mbuf **mbufs,
                          struct spill_packet **packets, uint32_t count, enum spill_routing_end end,
                          uint64_t groups[]);

/**
 * The interface that a packet's route leads to; SPILL_NO_INTERFACE: it is not forwarded. The lcore.
 *
 * @param mbuf  whose headers are in one piece
 */
uint16_t spill_routing_interface_to(const struct spill_route_tables *tables, struct rte_mbuf *mbuf,
                                    struct spill_packet *packet);

/** The address that a packet of IP goes to. Any thread. @param mbuf  whose headers are in one piece
 */
struct spill_ip spill_routing_destination(struct rte_mbuf *mbuf, const struct spill_packet *packet);

/** The group of an address alone. The lcore. @param address  in network order, 4 or 16 bytes */
uint64_t spill_routing_group_of(const struct spill_route_tables *tables, bool ipv6,
                                const uint8_t *address);

/** The hop that a packet takes of a group that forwards, by its key. The lcore. */
uint16_t spill_routing_hop_of(const struct spill_route_tables *tables, uint64_t group,
                              const struct spill_packet *packet);

/**
 * The step of a burst that came by a routed port, where nothing is asked of flows. The lcore.
 *
 * @param mbufs    given away
 * @param packets  parsed
 * @param stamp    TSC when they were received
 */
void spill_routing_take(struct spill_fast *fast, uint16_t port, struct rte_mbuf **mbufs,
                        struct spill_packet *packets, uint32_t count, uint64_t stamp);

/**
 * The first part of that step: what is not to be forwarded is dealt with. It may be done twice.
 *
 * @param mbufs    given away, but for those that go on, which are moved to the front
 * @param packets   of each, moved together with the mbufs; gets `input` and `output`
 * @param pointers  gets where each of those stands that go on
 * @return how many go on
 */
uint32_t spill_routing_admit(struct spill_fast *fast, uint16_t port, struct rte_mbuf **mbufs,
                             struct spill_packet *packets, struct spill_packet **pointers,
                             uint32_t count, uint64_t stamp);

/**
 * The second, before the flows are asked: what is for the host is given to it. Likewise.
 *
 * @param pointers  to each of the packets
 * @param groups    gets what spill_routing_lookup() finds for those that go on
 */
uint32_t spill_routing_give_host(struct spill_fast *fast, struct rte_mbuf **mbufs,
                                 struct spill_packet *packets, struct spill_packet **pointers,
                                 uint32_t count, uint64_t groups[]);

/**
 * Routes packets whose input was dealt with, and sends them. The lcore; for the exit.
 *
 * @param mbufs    given away
 * @param packets  of each
 */
void spill_routing_send(struct spill_fast *fast, struct rte_mbuf **mbufs,
                        struct spill_packet **packets, uint32_t count, uint64_t stamp,
                        enum spill_path path);

/** The same where the groups of their destinations were found in the same turn. */
void spill_routing_send_found(struct spill_fast *fast, struct rte_mbuf **mbufs,
                              struct spill_packet **packets, const uint64_t groups[],
                              uint32_t count, uint64_t stamp);

/** The same for one that was made here: its TTL stays, and nobody is told what becomes of it. */
void spill_routing_send_own(struct spill_fast *fast, struct rte_mbuf *mbuf,
                            struct spill_packet *packet, uint64_t stamp);

/**
 * Takes one from a packet's TTL, which is routed by another header than its own. The lcore.
 *
 * @return false: none was left, the packet was dropped, and its sender told
 */
bool spill_routing_count_hop(struct spill_fast *fast, struct rte_mbuf *mbuf,
                             struct spill_packet *packet, uint64_t stamp);

/**
 * Routes an ESP packet of ours up to the exit, where routing_tunnel.c has it sent. The lcore.
 *
 * @param mbuf    given away where it is not to be sent
 * @param packet  with its outer addresses in the key; gets its `output`
 * @param mtu     gets the route's
 * @return whether it is to be sent; it may wait for its next hop instead, or was dropped
 */
bool spill_routing_protected(struct spill_fast *fast, struct rte_mbuf *mbuf,
                             struct spill_packet *packet, uint64_t stamp, uint16_t *mtu);

/**
 * Parses, routes and sends what was made here, as an error.
 *
 * @param mbuf  given away; an IP packet behind a link header, which is written anew
 */
void spill_routing_originate(struct spill_fast *fast, struct rte_mbuf *mbuf, uint8_t input,
                             uint64_t stamp);

#endif
