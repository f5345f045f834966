/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_EXIT_H
#define SPILLWAY_EXIT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_config.h>
#include <rte_mbuf.h>

#include "packet/packet.h"
#include "pipeline/allowance.h"
#include "pipeline/error_limit.h"
#include "pipeline/links.h"
#include "pipeline/output.h"
#include "pipeline/routing.h"
#include "port/port.h"

/**
 * @file
 * The exit: the one place that says where a packet leaves, and whether it can (law 10).
 *
 * *Where* is spill_exit_of(): the other end of the wire that the packet came by, or, where it came
 * by a routed port, where its route leads (routing.h). It is written to `output` in the packet's
 * metadata; an ICMP error leaves by its packet's `input` instead, or is routed.
 *
 * *Whether* is held against what the port can carry (struct spill_port_limits): the largest frame,
 * the least, and the number of segments. For a burst that is one look at each mbuf; only where
 * something sticks out each packet is looked at for itself:
 *
 *     longer than it may be, but its IP packet isn't     what stands behind that is cut off
 *     an IPv4 packet that is too large, without DF       fragments
 *     any other packet that is too large                 dropped: tx_too_big; its sender is told
 *     more segments than the device takes                made one segment, or dropped
 *     shorter than the least frame                       padded with zeros, or dropped
 *
 * IPv4 without DF is fragmented although spillway routes nothing: its sender asked for that and
 * can't be told otherwise (RFC 1191 4), and af_packet hands over datagrams that the kernel has put
 * together from fragments, which were small enough when they came.
 *
 * What is so of a port changes with its link (links.h): with a kernel interface's MTU, and while
 * one is down or gone, nothing fits: dropped as `tx_link_down`.
 *
 * What copies a packet is expensive work that can't go to the pool: it has an allowance of time,
 * and what finds none is dropped as `tx_fit_limit`.
 *
 * Uses of a packet: kind, l3_offset, length, input, output. Sets: nothing, but for a burst that
 * came by one port input and output, where it looks closer.
 */

/** One port's exit. Written before the lcores start, and by the lcore when the link changes. */
struct spill_exit {
    struct spill_output *output;
    struct spill_port_limits limits;
    uint16_t mtu;     /* bytes: what tunnels reckon with, also where there is no limit */
    uint32_t largest; /* bytes: a frame up to that fits, whatever it is; 0 while the link is lost */
    bool lost;        /* what is given to its device is lost */
    uint16_t most_packet, most_mtu; /* as the port was configured: no link's MTU makes more of it */
    bool only_largest;              /* it takes any number of segments, and the shortest frame */
    struct rte_ether_addr address;
};

/** A fast lcore's exits. Written by the lcore, but for what is written before it starts, or before
 * anything comes by a port that comes later (plug.h). */
struct spill_exits {
    uint8_t other_end[RTE_MAX_ETHPORTS]; /* of a port's wire, or SPILL_OUTPUT_ROUTE; before */
    struct spill_exit ports[RTE_MAX_ETHPORTS + 1]; /* by id; before. The last: of what is routed */
    struct spill_allowance fitting;                /* time for what copies packets */
    struct spill_error_limit errors;
    const struct spill_links *links; /* before */
    uint32_t links_version;          /* that the exits are of */
};

struct spill_fast;

/** Prepares a port's exit. Control thread, before the lcores start. @param port  configured */
void spill_exit_init(struct spill_exit *exit, const struct spill_port *port,
                     struct spill_output *output);

/** Makes the exits as the links are now. The lcore. */
void spill_exits_follow(struct spill_exits *exits);

/** The same where any link has changed since. The lcore, once a turn. */
static inline void spill_exits_look(struct spill_exits *exits)
{
    if (unlikely(spill_links_version(exits->links) != exits->links_version))
        spill_exits_follow(exits);
}

/** Where a packet leaves: the port, by that which it came by. For its `output`. */
static inline uint8_t spill_exit_of(const struct spill_exits *exits, uint8_t input)
{
    return exits->other_end[input];
}

/**
 * Bytes that an IP packet may have at its output, behind the link header that it has now.
 *
 * @param packet  with `output`, of kind IPv4 or IPv6
 */
uint32_t spill_exit_room(const struct spill_exits *exits, const struct rte_mbuf *mbuf,
                         const struct spill_packet *packet);

/** The same behind a link header of so many bytes that a route gives it. The lcore. */
uint32_t spill_exit_room_behind(const struct spill_exit *exit, uint32_t link);

/**
 * Sends packets that know their outputs. The lcore.
 *
 * @param mbufs    given away: sent, or dropped by name
 * @param packets  of each, with `output` and `input`; of kind OTHER where nobody is to be told
 * @param stamp    TSC when they were received
 */
void spill_exit_send(struct spill_fast *fast, struct rte_mbuf **mbufs,
                     struct spill_packet **packets, uint32_t count, uint64_t stamp,
                     enum spill_path path);

/**
 * The same for a burst that came by one port, to the other end of its wire.
 *
 * @param packets  of each; `input` and `output` need not be there
 */
void spill_exit_send_burst(struct spill_fast *fast, uint16_t input, struct rte_mbuf **mbufs,
                           struct spill_packet *packets, uint32_t count, uint64_t stamp);

/**
 * Sends packets that leave by one port, if all fit as they are; if not, nothing is done. The lcore.
 *
 * @param mbufs  given away when it is so
 * @return whether it is so
 */
bool spill_exit_send_all(const struct spill_exit *exit, struct rte_mbuf **mbufs, uint32_t count,
                         uint64_t stamp, enum spill_path path);

/**
 * Sends what was made here to answer a packet, by the port that the packet came by. The lcore.
 *
 * @param answer  given away
 */
void spill_exit_answer(struct spill_fast *fast, struct rte_mbuf *answer, uint8_t input,
                       uint64_t stamp);

/** spill_exit_fits() where more than the largest frame is to be looked at. */
bool spill_exit_fits_all(const struct spill_exit *exit, struct rte_mbuf **mbufs, uint32_t count);

/** Whether all frames of a burst can be sent as they are. */
static inline bool spill_exit_fits(const struct spill_exit *exit, struct rte_mbuf **mbufs,
                                   uint32_t count)
{
    struct rte_mbuf **end = mbufs + count;
    uint32_t largest = 0;

    if (!exit->only_largest)
        return spill_exit_fits_all(exit, mbufs, count);
    /* Unrolled: this is all that the exit costs a packet. */
    for (; end - mbufs >= 4; mbufs += 4) {
        uint32_t one = RTE_MAX(mbufs[0]->pkt_len, mbufs[1]->pkt_len);
        uint32_t other = RTE_MAX(mbufs[2]->pkt_len, mbufs[3]->pkt_len);

        largest = RTE_MAX(largest, RTE_MAX(one, other));
    }
    for (; mbufs < end; mbufs++)
        largest = RTE_MAX(largest, mbufs[0]->pkt_len);
    return largest <= exit->largest;
}

#endif
