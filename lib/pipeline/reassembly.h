/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_REASSEMBLY_H
#define SPILLWAY_REASSEMBLY_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "base/ledger.h"
#include "packet/packet.h"

/**
 * @file
 * Reassembly of ESP that was fragmented on its way (RFC 4303 3.4.1; RFC 791, RFC 8200 4.5). Nothing
 * else is put together: fragments in transit stay as they are.
 *
 * Bounded in datagrams, in fragments of each, and in time. Where there is no place for a new
 * datagram, the oldest incomplete one goes: the fragments of one packet come close behind each
 * other, so that who sends many first ones displaces hardly any but his own. Fragments that overlap
 * end their datagram, and what comes of it later (RFC 5722); a duplicate goes alone.
 *
 * A fast lcore's own: all fragments of a datagram reach one lcore, as those who spread go by
 * addresses alone for them. All functions are that lcore's, but where another thread is named.
 */

#define SPILL_REASSEMBLY_DATAGRAMS 32
#define SPILL_REASSEMBLY_PIECES    8
#define SPILL_REASSEMBLY_MBUFS     (SPILL_REASSEMBLY_DATAGRAMS * SPILL_REASSEMBLY_PIECES)

/* For so long a datagram's fragments are waited for. RFC 8200 would allow a minute, in which
 * strangers could do much. */
#define SPILL_REASSEMBLY_SECONDS 2

/** What tells datagrams apart; compared as bytes. */
struct spill_reassembly_key {
    uint8_t address[2][16]; /* source, destination */
    uint32_t identification;
    uint16_t vlan, inner_vlan;
    uint8_t zone;
    uint8_t protocol;
    uint8_t kind;
    uint8_t input;
};

struct spill_piece {
    struct rte_mbuf *mbuf;
    uint16_t offset; /* of its bytes in the datagram's payload */
    uint16_t length;
    uint16_t start; /* where they stand in the frame */
};

struct spill_datagram {
    struct spill_reassembly_key key;
    uint64_t began; /* TSC; 0: free */
    uint32_t count;
    uint32_t total;  /* bytes of payload; 0: the last fragment has not come */
    uint32_t length; /* of all pieces together */
    bool bad;        /* fragments overlapped: nothing more of it is taken */
    struct spill_piece pieces[SPILL_REASSEMBLY_PIECES]; /* ascending */
};

/** Written by the lcore, but for what is written before it starts. */
struct spill_reassembly {
    uint64_t timeout;            /* cycles; before */
    struct spill_ledger *ledger; /* before */
    uint32_t used;               /* datagrams */
    struct spill_datagram datagrams[SPILL_REASSEMBLY_DATAGRAMS];
};

/**
 * Takes a fragment in.
 *
 * @param mbuf    given away: it waits, with its metadata, or is dropped by name
 * @param packet  of kind IPV4 or IPV6, with `fragment`
 * @param now     TSC
 * @return the datagram, if it is complete: for spill_reassembly_join() or _release(), at once; else
 *         NULL
 */
struct spill_datagram *spill_reassembly_take(struct spill_reassembly *reassembly,
                                             struct rte_mbuf *mbuf,
                                             const struct spill_packet *packet, uint64_t now);

/** The metadata of a complete datagram's first fragment. */
static inline const struct spill_packet *
spill_reassembly_first(const struct spill_datagram *datagram)
{
    return spill_packet_of(datagram->pieces[0].mbuf);
}

/**
 * Makes one packet, in one segment, of a complete datagram's fragments; these count as dropped by
 * `esp_reassembled`, but for one that stands for the packet.
 *
 * @return the caller's; NULL: it has no room in an mbuf, and all were dropped by name
 */
struct rte_mbuf *spill_reassembly_join(struct spill_reassembly *reassembly,
                                       struct spill_datagram *datagram);

/** Gives a complete datagram's fragments back as they came. @return how many */
uint32_t spill_reassembly_release(struct spill_reassembly *reassembly,
                                  struct spill_datagram *datagram,
                                  struct rte_mbuf *mbufs[SPILL_REASSEMBLY_PIECES]);

/** Drops datagrams that have waited too long; all of them: when `now` is UINT64_MAX, also for the
 * control thread, when the lcore has ended. @return packets dropped */
uint32_t spill_reassembly_expire(struct spill_reassembly *reassembly, uint64_t now);

#endif
