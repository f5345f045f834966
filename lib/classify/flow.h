/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FLOW_H
#define SPILLWAY_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet/packet.h"

/**
 * @file
 * One connection in a flow table: what was decided about it, and who began it.
 *
 * The rules are asked about the direction that began it, and the other one is the reply. So the
 * initiator's direction is the one that is ALLOWED.
 */

/* Bits of spill_flow.rights, of direction 0; that of direction 1 is the next. */
#define SPILL_FLOW_ALLOWED   0x01u
#define SPILL_FLOW_DENIED    0x04u
#define SPILL_FLOW_PROTECTED 0x10u
/* And of both: the rules have changed. */
#define SPILL_FLOW_DUE   0x40u /* they should be asked; until then what was decided holds */
#define SPILL_FLOW_STALE 0x80u /* they must be asked; what was decided only tells who began */

/* Bits of spill_flow.spoken: 0 and 1: that direction had a packet; and: */
#define SPILL_FLOW_SPOKE_BOTH  0x03u
#define SPILL_FLOW_SPOKE_AGAIN 0x04u /* a packet since it was last looked at for eviction */
#define SPILL_FLOW_ASKING      0x08u /* a packet of the burst in hand is to ask the rules */
/* The state of a connection (flow_state.h): 0 when it is established, and neither has sent a FIN.
 */
#define SPILL_FLOW_STATE   0xf0u
#define SPILL_FLOW_OPENING 0x10u /* its handshake isn't done */
#define SPILL_FLOW_FINISHED                                                                        \
    0x20u                        /* direction 0 has sent a FIN; of direction 1 it is the next bit */
#define SPILL_FLOW_CLOSING 0x80u /* it has ended */
/* The same bits while it opens or closes say what has passed since: */
#define SPILL_FLOW_SINCE      0x20u /* something of direction 0; of direction 1 it is the next bit */
#define SPILL_FLOW_SINCE_DATA 0x10u /* closing: data; or an RST ended it, and anything will do */

/* Packets of one flow that can be held at a time. */
#define SPILL_FLOW_PENDING_MAX (INT16_MAX - 1)

/** Which flows have to give way to which: of a higher class to none of a lower one. */
enum spill_flow_class {
    SPILL_FLOW_FREE,        /* not in the table */
    SPILL_FLOW_STRANGER,    /* not decided yet, or denied */
    SPILL_FLOW_ONE_SIDED,   /* allowed, but only one side has spoken yet; or opening, or closing */
    SPILL_FLOW_ESTABLISHED, /* both sides spoke */
    SPILL_FLOW_CLASSES,
};

#define SPILL_FLOW_SLOT_BITS 26
#define SPILL_FLOW_NO_VLAN   UINT16_MAX /* `inner_vlan` of an entry that is free */

/** One connection, one cache line. Written by the table's owner only. Its address stays while it is
 * in the table. An IPv4 flow has 16 bytes to spare behind its key and tallies. */
struct spill_flow {
    union {
        struct spill_key4 v4;
        struct spill_key6 v6;
        uint64_t words[sizeof(struct spill_key6) / sizeof(uint64_t)];
        struct {
            struct spill_key4 is_v4;
            /* By direction: where its packets are counted (rule_counts.h). Of IPv6 the table has
             * them elsewhere. */
            uint32_t tallies[2];
        };
    } key;
    uint16_t inner_vlan;
    uint16_t version; /* of the rules that were asked, by the table's count */
    uint32_t seen;    /* time of the latest packet, the table's to write and to read */
    union {
        struct {
            uint8_t rights;
            uint8_t spoken;
            uint16_t pending : 15;    /* packets held */
            uint16_t conditioned : 1; /* a rule with a limit or a codepoint has decided about one */
        };
        uint32_t gate; /* all of that at once */
    };
    uint16_t
        sa[2]; /* by direction: id of the SA that protects it, or SPILL_SA_REJECT, or its MSS */
    /* Its class and its neighbours there, by their slots: the table's. */
    uint64_t next : SPILL_FLOW_SLOT_BITS;
    uint64_t previous : SPILL_FLOW_SLOT_BITS;
    uint64_t class : 3;
    uint64_t lane : 8; /* while packets are held: the lane they are in; the caller's to write */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct spill_flow) == 64, "one cache line");
_Static_assert(offsetof(struct spill_flow, inner_vlan) == offsetof(struct spill_packet, inner_vlan),
               "key and inner VLAN stand together, as in a packet");

/** Whether a direction of it was allowed, be it protected. */
static inline bool spill_flow_is_allowed(const struct spill_flow *flow)
{
    return (flow->rights & (3 * SPILL_FLOW_ALLOWED | 3 * SPILL_FLOW_PROTECTED)) != 0;
}

/** What a packet of a direction notes in `gate`: that it spoke, and spoke again. */
static inline uint32_t spill_flow_gate_spoken(uint64_t direction)
{
    static const uint32_t spoken[2] = {(SPILL_FLOW_SPOKE_AGAIN | 1u) << 8,
                                       (SPILL_FLOW_SPOKE_AGAIN | 2u) << 8};

    _Static_assert(SPILL_FLOW_SPOKE_BOTH == 3, "a bit for each direction");
    return spoken[direction];
}

/** Whether both sides spoke, in a connection that neither opens nor closes. */
static inline bool spill_flow_is_established(const struct spill_flow *flow)
{
    const unsigned bits = SPILL_FLOW_SPOKE_BOTH | SPILL_FLOW_OPENING | SPILL_FLOW_CLOSING;

    return (flow->spoken & bits) == SPILL_FLOW_SPOKE_BOTH;
}

/** Whether the rules are to be asked again, as they have changed. */
static inline bool spill_flow_asks_again(const struct spill_flow *flow)
{
    return (flow->rights & (SPILL_FLOW_DUE | SPILL_FLOW_STALE)) != 0;
}

/** What rights say of a packet that came through an SA: what was decided for its direction. */
static inline enum spill_verdict spill_rights_own(unsigned rights, unsigned direction)
{
    unsigned own = rights >> direction;

    if ((own & SPILL_FLOW_PROTECTED) != 0)
        return SPILL_VERDICT_PROTECT;
    if ((own & SPILL_FLOW_ALLOWED) != 0)
        return SPILL_VERDICT_ALLOW;
    return (own & SPILL_FLOW_DENIED) != 0 ? SPILL_VERDICT_DENY : SPILL_VERDICT_UNKNOWN;
}

/** The same of a packet that came in the clear: it may be a reply. */
static inline enum spill_verdict spill_rights_clear(unsigned rights, unsigned direction)
{
    unsigned own = rights >> direction;

    if ((own & SPILL_FLOW_PROTECTED) != 0)
        return SPILL_VERDICT_PROTECT;
    if ((rights & 3 * SPILL_FLOW_ALLOWED) != 0)
        return SPILL_VERDICT_ALLOW;
    return (own & SPILL_FLOW_DENIED) != 0 ? SPILL_VERDICT_DENY : SPILL_VERDICT_UNKNOWN;
}

/**
 * What was decided for the packets of one direction alone, UNKNOWN when nothing was or the rules
 * are to be asked again: for packets that came through an SA. A reply is implied for none of them,
 * as their rule must name that SA.
 *
 * @param direction  0 or 1, as in struct spill_packet
 */
static inline enum spill_verdict spill_flow_own_verdict(const struct spill_flow *flow,
                                                        unsigned direction)
{
    if (spill_flow_asks_again(flow))
        return SPILL_VERDICT_UNKNOWN;
    return spill_rights_own(flow->rights, direction);
}

/**
 * What is to happen to a packet of a flow that came in the clear: to be protected when its own
 * direction is; else allowed when its own direction was allowed or the other one was (it is a reply
 * then); else what was decided for its direction, UNKNOWN when nothing was or the rules are to be
 * asked again. Protection of the other direction says nothing.
 *
 * @param direction  0 or 1, as in struct spill_packet
 */
static inline enum spill_verdict spill_flow_verdict(const struct spill_flow *flow,
                                                    unsigned direction)
{
    if (spill_flow_asks_again(flow))
        return SPILL_VERDICT_UNKNOWN;
    return spill_rights_clear(flow->rights, direction);
}

/**
 * Whether a packet goes by what was decided for its own direction, whatever the other one may: one
 * that came through an SA, and one that opens a connection. But when both ends open one at the same
 * time (RFC 9293 3.5), each answers the other.
 */
static inline bool spill_flow_goes_alone(const struct spill_flow *flow,
                                         const struct spill_packet *packet)
{
    const unsigned state = SPILL_FLOW_OPENING | SPILL_FLOW_CLOSING;

    return packet->inbound_sa != 0 ||
           (packet->step == SPILL_STEP_OPEN && (flow->spoken & state) != SPILL_FLOW_OPENING);
}

/** What is to happen to a packet of a flow, by either of the above. */
static inline enum spill_verdict spill_flow_packet_verdict(const struct spill_flow *flow,
                                                           const struct spill_packet *packet)
{
    return spill_flow_goes_alone(flow, packet) ? spill_flow_own_verdict(flow, packet->direction)
                                               : spill_flow_verdict(flow, packet->direction);
}

/**
 * What was decided for a packet in the clear, be it due to be asked again: what holds while the
 * rules can't be asked.
 */
static inline enum spill_verdict spill_flow_kept_verdict(const struct spill_flow *flow,
                                                         unsigned direction)
{
    if ((flow->rights & SPILL_FLOW_STALE) != 0)
        return SPILL_VERDICT_UNKNOWN;
    return spill_rights_clear(flow->rights, direction);
}

/** The same of a packet that came in the clear, which may go alone. */
static inline enum spill_verdict spill_flow_packet_kept(const struct spill_flow *flow,
                                                        const struct spill_packet *packet)
{
    if ((flow->rights & SPILL_FLOW_STALE) != 0)
        return SPILL_VERDICT_UNKNOWN;
    return spill_flow_goes_alone(flow, packet)
               ? spill_rights_own(flow->rights, packet->direction)
               : spill_rights_clear(flow->rights, packet->direction);
}

/** Whether a packet changes the state of its connection, or may. */
static inline bool spill_flow_needs_step(const struct spill_flow *flow,
                                         const struct spill_packet *packet)
{
    return packet->step > SPILL_STEP_ANSWER ||
           (flow->spoken & (SPILL_FLOW_OPENING | SPILL_FLOW_CLOSING)) != 0;
}

/**
 * Whether the rules are to be asked about the other direction than the one of a packet in the
 * clear, because that one has begun the connection. What they allow it then goes for its replies.
 */
static inline bool spill_flow_begun_by_other(const struct spill_flow *flow, unsigned direction)
{
    return (flow->rights >> !direction & SPILL_FLOW_ALLOWED) != 0 &&
           (flow->rights >> direction & (SPILL_FLOW_ALLOWED | SPILL_FLOW_PROTECTED)) == 0;
}

/* What spill_flow_hindrances() is at most where there are none, also of several flows by OR. */
#define SPILL_FLOW_NO_HINDRANCE 3u

/** What keeps a flow's packets from passing at once, by its gate. */
static inline uint32_t spill_flow_hindrances(uint32_t gate)
{
    const uint32_t bits = 3 * SPILL_FLOW_ALLOWED | 3 * SPILL_FLOW_PROTECTED | SPILL_FLOW_DUE |
                          SPILL_FLOW_STALE | (SPILL_FLOW_OPENING | SPILL_FLOW_CLOSING) << 8 |
                          UINT32_C(0xffff0000);

    /* 0 to 2: an allowed direction, and no bit above. Of others more than 3: of no direction all
     * bits, and of those above at least the lowest four. */
    return (gate & bits) - 1;
}

/**
 * Whether a packet of either direction that came in the clear and is no step may pass at once:
 * allowed, neither direction protected, the rules not to be asked, none waits before it, no rule
 * limits or marks it, and the connection neither opens nor closes.
 */
static inline bool spill_flow_passes(const struct spill_flow *flow)
{
    return spill_flow_hindrances(flow->gate) <= SPILL_FLOW_NO_HINDRANCE;
}

/**
 * Whether nothing but protection can become of a packet of a direction that came in the clear and
 * is no step: it is protected, and nothing but that keeps it from passing at once.
 */
static inline bool spill_flow_only_protects(const struct spill_flow *flow, unsigned direction)
{
    const uint32_t others = SPILL_FLOW_DUE | SPILL_FLOW_STALE |
                            (SPILL_FLOW_OPENING | SPILL_FLOW_CLOSING) << 8 | UINT32_C(0xffff0000);

    return (flow->gate & others) == 0 && (flow->gate >> direction & SPILL_FLOW_PROTECTED) != 0;
}

/** Whether any direction is protected: then there is an SA noted for it. */
static inline bool spill_flow_is_protected(const struct spill_flow *flow)
{
    return (flow->rights & 3 * SPILL_FLOW_PROTECTED) != 0;
}

/** Whether it was denied and neither direction allowed: then it is noted whether senders are told.
 */
static inline bool spill_flow_is_refused(const struct spill_flow *flow)
{
    return (flow->rights & 3 * SPILL_FLOW_DENIED) != 0 && !spill_flow_is_allowed(flow);
}

/**
 * Counts a packet that goes into a lane with a pointer to the flow: it can't be evicted or expire
 * until spill_flow_release() was called as many times.
 *
 * @return false, and nothing is counted, when SPILL_FLOW_PENDING_MAX are held already
 */
__attribute__((warn_unused_result)) static inline bool spill_flow_hold(struct spill_flow *flow)
{
    if (flow->pending >= SPILL_FLOW_PENDING_MAX)
        return false;
    flow->pending++;
    return true;
}

/** A packet that was held has left its lane. */
static inline void spill_flow_release(struct spill_flow *flow)
{
    flow->pending--;
}

#endif
