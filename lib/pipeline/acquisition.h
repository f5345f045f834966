/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ACQUISITION_H
#define SPILLWAY_ACQUISITION_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "base/error.h"
#include "base/ledger.h"
#include "packet/packet.h"

/**
 * @file
 * Packets that wait for an association: their first rule is a trap, which wants one that is not
 * there yet (RFC 4301 4.4.1.2, "larval"). The control side is told what would have gone, and has an
 * IKE daemon agree on one.
 *
 * A few packets of each trap wait, the first that came; they leave in order when a version of the
 * rules is in force that says something else of them than the trap, before all that comes later
 * (law 4): each new version is asked about each packet, once. When that takes
 * SPILL_ACQUISITION_SECONDS they are dropped. So whoever sends to all addresses that a trap selects
 * takes the places of that trap alone, and what finds none is dropped by name (law 1).
 *
 * The ring that tells is bounded. What waits is told when it comes, and the oldest of each trap
 * again once a second; what finds no place is told once a millisecond at most, as the association
 * is wanted all the same. How often a daemon is asked is for the control side to say.
 *
 * Uses of a packet: all of it; it waits in its mbuf.
 */

#define SPILL_ACQUISITION_TRAPS 64 /* that packets wait for at a time */
#define SPILL_ACQUISITION_EACH  8  /* packets of a trap */
#define SPILL_ACQUISITION_SECONDS                                                                  \
    30 /* as long as the kernel has a daemon take (xfrm_acq_expires) */
#define SPILL_ACQUISITION_ALL   (SPILL_ACQUISITION_TRAPS * SPILL_ACQUISITION_EACH)
#define SPILL_ACQUISITION_NEEDS 256 /* that the control thread may not have taken yet */

struct spill_fast;

/** Whose packet it is that waits. */
enum spill_acquisition_origin {
    SPILL_ACQUISITION_FORWARDED,
    SPILL_ACQUISITION_HOST, /* behind twins (host_ipsec.h) */
};

/** What the control side is told: a packet that a trap selected. */
struct spill_acquisition_need {
    uint8_t address[2][16]; /* source, destination; IPv4 in the first four bytes */
    uint16_t port[2];       /* host order; of ICMP type and code */
    uint16_t trap;
    uint8_t kind; /* SPILL_PACKET_IPV4 or _IPV6 */
    uint8_t protocol;
    uint8_t has_ports; /* or type and code */
    uint8_t spare[3];
};

/** The packets of one trap. */
struct spill_acquisition_place {
    uint8_t count;                           /* packets; 0: the place is free */
    uint8_t origins[SPILL_ACQUISITION_EACH]; /* enum spill_acquisition_origin */
    struct rte_mbuf *mbufs[SPILL_ACQUISITION_EACH];
    uint64_t stamps[SPILL_ACQUISITION_EACH]; /* TSC when they were received, the oldest first */
    uint64_t asked;                          /* TSC: when the control side was last told */
};

/** A fast lcore's. Written by the lcore, but for the pointers. */
struct spill_acquisition {
    uint16_t traps[SPILL_ACQUISITION_TRAPS]; /* by place; 0: it is free */
    uint32_t packets;                        /* that wait */
    uint64_t version;                        /* of the rules that they were last asked about */
    uint64_t looked;                         /* TSC */
    uint64_t refused;                        /* TSC: when one without a place was last told of */
    struct spill_acquisition_place *places;  /* before the lcores start, as the next */
    struct rte_ring *needs;                  /* of struct spill_acquisition_need */
};

/**
 * Makes a fast lcore's. Control thread.
 *
 * @param lcore  its name
 * @return 0, or -1 with an error; what was made is freed by spill_acquisition_free()
 */
int spill_acquisition_init(struct spill_acquisition *acquisition, const char *lcore, int node,
                           struct spill_error *error);

void spill_acquisition_free(struct spill_acquisition *acquisition);

/** Whether a packet's verdict is a trap's. */
static inline bool spill_acquisition_wants(const struct spill_packet *packet)
{
    return packet->verdict == SPILL_VERDICT_DENY && packet->sa >= SPILL_SA_TRAP_FIRST;
}

/**
 * Has a packet wait, or drops it. The lcore.
 *
 * @param mbuf    given away
 * @param packet  with a trap's verdict; may be the mbuf's own
 * @param stamp   TSC when it was received
 */
void spill_acquisition_wait(struct spill_fast *fast, struct rte_mbuf *mbuf,
                            const struct spill_packet *packet, uint64_t stamp,
                            enum spill_acquisition_origin origin);

/** Drops a packet that may not wait, as its rights may not hold as long; it is told of all the
 * same. The lcore. @param mbuf  given away @param now  TSC */
void spill_acquisition_refuse(struct spill_fast *fast, struct rte_mbuf *mbuf,
                              const struct spill_packet *packet, uint64_t now);

/**
 * Goes on with what waits where there is a newer version of the rules, and drops what has waited
 * for too long. The lcore, once a turn where any waits, before all that it takes in; no burst that
 * it has may need its flows any more.
 */
void spill_acquisition_look(struct spill_fast *fast, uint64_t now);

/** Drops what waits, at the end. The lcore, or the control thread once it has ended.
 * @param reason  NULL: that of what has waited for too long @return packets */
uint32_t spill_acquisition_drop_all(struct spill_acquisition *acquisition,
                                    struct spill_ledger *ledger,
                                    const struct spill_drop_reason *reason);

/** Takes out what an lcore tells. The control thread. @return how many */
uint32_t spill_acquisition_take_needs(struct spill_acquisition *acquisition,
                                      struct spill_acquisition_need *needs, uint32_t most);

#endif
