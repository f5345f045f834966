/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_SA_H
#define SPILLWAY_SA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_ipsec.h>
#include <rte_pause.h>

#include "base/error.h"
#include "base/metrics.h"
#include "base/name.h"
#include "ipsec/algorithm.h"
#include "ipsec/crypto.h"
#include "ipsec/path_mtu.h"
#include "ipsec/replay.h"
#include "packet/packet.h"
#include "runtime/pool.h"

/**
 * @file
 * Security association (RFC 4301 4.4.2): what protects the packets of one direction.
 *
 * Made by the control thread, immutable then but for its state: the sequence number of an outbound
 * SA, which several lcores count up, and the window of an inbound one, which one lcore at a time
 * has. Each lcore that works with an SA has memory of its own for it, on its node: its session, and
 * the structures of rte_ipsec, which are no shared ones, so nothing is locked.
 */

enum spill_sa_direction {
    SPILL_SA_IN,
    SPILL_SA_OUT,
};

enum spill_sa_mode {
    SPILL_SA_TUNNEL,
    SPILL_SA_TRANSPORT,
};

/** What becomes of "don't fragment" in the outer IPv4 header. */
enum spill_sa_df {
    SPILL_SA_DF_COPY, /* as inside; IPv6 inside counts as set */
    SPILL_SA_DF_SET,
    SPILL_SA_DF_CLEAR,
};

struct spill_sa_address {
    uint8_t family;    /* 4, 6; 0: none */
    uint8_t bytes[16]; /* network order; IPv4 in the first four; zeroes behind */
};

#define SPILL_SA_DSCP_COPY 64 /* the inner packet's, in place of 0 to 63 */

/* In `marks`, of tunnels: what becomes of marks that routers on the way read and write. */
#define SPILL_SA_NO_ECN     1 /* ECN is neither copied out nor taken over (RFC 6040) */
#define SPILL_SA_TAKES_DSCP 2 /* inbound: the packet inside gets the outer DSCP */

#define SPILL_SA_NAT_PORT 4500 /* RFC 3948 */

#define SPILL_SA_SPI_FIRST 256 /* those below are reserved: RFC 4303, 2.1 */

/** What the user wants an SA to be. */
struct spill_sa_config {
    char name[SPILL_NAME_SIZE];
    char stands_for[SPILL_NAME_SIZE]; /* what rules name for it: an SA, or several by a name that
                                       * is none's; empty: itself */
    char lane_with[SPILL_NAME_SIZE];  /* its packets have the lane of those that stand for this;
                                       * empty: as what rules name for it */
    enum spill_sa_direction direction;
    enum spill_sa_mode mode;
    uint32_t spi; /* host order, from SPILL_SA_SPI_FIRST */
    struct spill_sa_address source;
    struct spill_sa_address destination;
    const struct spill_ipsec_algorithm *algorithm;
    uint8_t key[SPILL_IPSEC_KEY_MAX]; /* as key files have it; to be wiped */
    bool esn;
    bool nat_traversal;  /* in UDP (RFC 3948) */
    uint16_t own_port;   /* of that, at this end; 0: SPILL_SA_NAT_PORT */
    uint16_t other_port; /* at the other end, likewise */
    bool roams; /* inbound, in UDP over IPv4: its peer may have moved; it is told where to */
    uint32_t replay_window;              /* packets; inbound */
    uint64_t packets_soft, packets_hard; /* lifetimes; 0: none */
    uint64_t bytes_soft, bytes_hard;     /* of the packets inside */
    uint8_t dscp;                        /* SPILL_SA_DSCP_COPY, or 0 to 63 */
    uint8_t marks;                       /* SPILL_SA_NO_ECN, SPILL_SA_TAKES_DSCP */
    enum spill_sa_df df;
    uint64_t ports; /* by id, one of a wire: by which its ESP comes or goes; 0: as traffic shows */
    uint64_t sequence; /* that its numbers begin behind, when it is made: another one's last */
};

/**
 * What an SA counts: it goes with the key. An SA that is replaced by one with the same key, as its
 * lifetime was changed, hands it on: a sequence number must never be used twice with a key, nor be
 * accepted twice. So the window keeps the size that it had when the key came.
 */
struct spill_sa_state {
    /* Outbound: counted up by each lcore that submits, a job at a time. */
    _Atomic uint64_t sequence; /* numbers taken; never beyond the last, nor a hard lifetime */
    _Atomic uint64_t bytes;    /* outbound: by who submits; inbound: by who has the window */
    /* Inbound: */
    _Atomic int writer;       /* lcore id of who has the window at this moment; -1: nobody */
    _Atomic uint64_t packets; /* authentic and fresh; by who has the window */
    uint32_t users;           /* SAs with this state; control thread */
    /* Outbound: random; with a packet's number added it identifies the fragments of that. */
    uint32_t identification;
    struct spill_replay replay; /* by who has the window */
    /* Of one that roams: spill_sa_place() of where the last authentic packet came from, which was
     * fresh; 0: none yet. By who has the window. */
    _Atomic uint64_t place;
    /* Ports by which its ESP comes or goes, never both of a wire, where the settings say none.
     * Inbound: those by which authentic packets came; by who has the window. Outbound: by the first
     * clear packets, until the SA of the other direction says it; who submits. */
    _Atomic uint64_t ports;
    struct spill_path_mtu path; /* outbound, of routed ports: by any lcore that hears of it */
};

/* In place of the other end of a wire, and as a bit of an SA's ports: they are routed. */
#define SPILL_SA_ROUTED RTE_MAX_ETHPORTS

_Static_assert(SPILL_SA_ROUTED < 64, "a bit for each port, and one for what is routed");

struct spill_sa;

/** What one lcore has of an SA, on its node. Written by that lcore. */
struct spill_sa_lcore {
    struct spill_subject subject; /* a fast lcore's jobs and their cost */
    struct spill_sa *sa;
    /* A fast lcore's counter: what came out of the SA. */
    uint64_t packets;
    /* To run the crypto here: */
    struct spill_crypto_session crypto;
    struct rte_ipsec_session sessions[2]; /* by family inside: IPv4, IPv6 */
    struct rte_ipsec_sa_prm parameters[2];
    uint64_t next[2]; /* outbound: number that each would give out next; 0: not made yet */
    int sa_size;      /* bytes of each rte_ipsec_sa */
} __rte_cache_aligned;

struct spill_sa {
    struct spill_sa_config config;
    uint16_t id;         /* 1 to 65535, unique among SAs that live */
    uint16_t lane;       /* its packets', modulo how many there are: that of the SA it replaces */
    uint32_t users;      /* versions with this SA; control thread */
    uint8_t told;        /* of its lifetime's end: 1 the soft, 2 the hard one; control thread */
    uint64_t told_ports; /* of those that traffic has shown; control thread */
    uint8_t header[sizeof(struct rte_ipv6_hdr)]; /* outer, in tunnel mode */
    uint8_t header_size;
    uint32_t header_sum; /* of an IPv4 header's words that all packets have in common */
    uint8_t ahead;    /* bytes put in front: outer header, UDP, ESP header, initialization vector */
    uint8_t udp_size; /* 8 with NAT traversal, else 0 */
    uint8_t high_size; /* bytes of the number's high half behind the trailer, for the ICV alone */
    uint16_t least;    /* bytes from the ESP header on that a packet must have */
    struct rte_crypto_sym_xform transforms[2];
    struct spill_sa_state *state;
    struct spill_sa_lcore *lcores[RTE_MAX_LCORE]; /* by EAL lcore id; NULL: doesn't work with it */
};

/**
 * Makes an SA. Control thread.
 *
 * @param config      copied
 * @param id          see above
 * @param predecessor SA with the same key, whose state goes on; may be NULL
 * @param lcores      that will submit to it or run its crypto
 * @return the SA, for spill_sa_free(); NULL with an error that names it
 */
struct spill_sa *spill_sa_create(const struct spill_sa_config *config, uint16_t id,
                                 const struct spill_sa *predecessor, struct spill_crypto *crypto,
                                 const struct spill_crypto_user *lcores, uint32_t lcore_count,
                                 struct spill_error *error);

/** Has one more lcore run its crypto, while others do; one that has its part keeps it. Control
 * thread, or who has the store. @return 0, or -1 with an error that names the SA */
int spill_sa_add_lcore(struct spill_sa *sa, struct spill_crypto *crypto,
                       const struct spill_crypto_user *lcore, struct spill_error *error);

/**
 * Has a new SA go on where one with the same key, which is gone, had ended: what that has sent or
 * received is not sent or taken again. Control thread.
 *
 * @param sequence  its last number, not 0
 */
void spill_sa_resume(struct spill_sa *sa, uint64_t sequence);

/** Frees an SA that no lcore uses any more, its keys wiped. Control thread. May be NULL. */
void spill_sa_free(struct spill_sa *sa);

/** Whether no lcore has a job of an SA out; then it stays so once no version has the SA. */
bool spill_sa_idle(const struct spill_sa *sa);

/** Whether two SAs are the same in all of their settings. */
bool spill_sa_same(const struct spill_sa_config *one, const struct spill_sa_config *other);

/** Whether two SAs must share their state: one key, and inbound one SPI and kind of numbers. */
bool spill_sa_same_key(const struct spill_sa_config *one, const struct spill_sa_config *other);

/**
 * The largest IP packet that still fits into `mtu` bytes of IP once it is protected. Any thread.
 *
 * @param l3_size  bytes of IP headers that stay in front, in transport mode; not looked at else
 */
uint32_t spill_sa_room(const struct spill_sa *sa, uint32_t mtu, uint32_t l3_size);

/** What an SA has used up: for lifetimes and reports. Any thread; a moment's view. */
struct spill_sa_use {
    uint64_t packets;
    uint64_t bytes;
    bool soft; /* a soft lifetime is over */
    bool hard; /* a hard one: nothing passes any more */
};
struct spill_sa_use spill_sa_use(const struct spill_sa *sa);

/** How an SA stands to its lifetime: "within", "soft" or "over". */
const char *spill_sa_lifetime(const struct spill_sa_use *use);

/** Gives a writer what is told of an SA; or of that, what counts for its lifetimes. Any thread. */
void spill_sa_write_metrics(const struct spill_sa *sa, struct spill_metric_writer *writer);
void spill_sa_write_use(const struct spill_sa *sa, struct spill_metric_writer *writer);

/* How often an lcore asks for a window that another one has: for as long as that one takes to note
 * some packets of a job. */
#define SPILL_SA_WINDOW_TRIES 64

/**
 * Takes the window of an inbound SA, with all else that inbound packets write of its state, for as
 * long as it takes to note a job's packets. So packets of one SA may come to any lcore, as a NAT or
 * a network changes its mind, and the window still has one writer at a time. Never waits for long:
 * the lcore that has it may have lost its CPU. Any lcore.
 *
 * @return whether it is the caller's, who gives it back by spill_sa_leave_window()
 */
static inline bool spill_sa_take_window(struct spill_sa_state *state, unsigned lcore)
{
    uint32_t tries;

    for (tries = 0; tries < SPILL_SA_WINDOW_TRIES; tries++) {
        int nobody = -1;

        if (likely(atomic_compare_exchange_strong_explicit(
                &state->writer, &nobody, (int)lcore, memory_order_acquire, memory_order_relaxed)))
            return true;
        rte_pause();
    }
    return false;
}

static inline void spill_sa_leave_window(struct spill_sa_state *state)
{
    atomic_store_explicit(&state->writer, -1, memory_order_release);
}

/**
 * Whether an inbound SA's ESP must not come by a port: its settings name others, or authentic
 * packets came by the other end of the wire, or by a routed port and not by a wire, or the other
 * way round. Any lcore.
 *
 * @param other  id of the port at the other end, or SPILL_SA_ROUTED
 */
static inline bool spill_sa_is_wrong_input(const struct spill_sa *sa, unsigned port, unsigned other)
{
    uint64_t known;

    if (sa->config.ports != 0)
        return (sa->config.ports >> port & 1) == 0;
    known = atomic_load_explicit(&sa->state->ports, memory_order_relaxed);
    if (other == SPILL_SA_ROUTED)
        return known != 0 && (known >> SPILL_SA_ROUTED & 1) == 0;
    return ((known >> other | known >> SPILL_SA_ROUTED) & 1) != 0;
}

/**
 * Whether an outbound SA must not protect what comes in the clear by a port: its ESP would leave by
 * the other end of the wire, which its settings, or the ESP of the other direction, or the first
 * packet of all, show to be the inside. Any lcore that submits.
 *
 * @param twin   the inbound SA between the same two ends, or NULL
 * @param other  id of the port at the other end
 */
bool spill_sa_is_wrong_clear_input(struct spill_sa *sa, const struct spill_sa *twin, unsigned port,
                                   unsigned other);

/** Where a packet in UDP over IPv4 comes from. @param address  network order @param port  host's */
static inline uint64_t spill_sa_place(uint32_t address, uint16_t port)
{
    return (uint64_t)port << 32 | address;
}

/** The ports of ESP in UDP: at this end, and at the other one. */
static inline uint16_t spill_sa_own_port(const struct spill_sa_config *config)
{
    return config->own_port != 0 ? config->own_port : SPILL_SA_NAT_PORT;
}

static inline uint16_t spill_sa_other_port(const struct spill_sa_config *config)
{
    return config->other_port != 0 ? config->other_port : SPILL_SA_NAT_PORT;
}

/** The SA that a job is about. */
static inline struct spill_sa *spill_sa_of(const struct spill_job *job)
{
    return ((struct spill_sa_lcore *)job->subject)->sa;
}

/**
 * Sequence numbers of an outbound SA end here (RFC 4303 3.3.3): it never wraps. rte_ipsec doesn't
 * give out the very last one, and several lcores at a time may ask for numbers beyond it.
 */
static inline uint64_t spill_sa_last_number(const struct spill_sa *sa)
{
    return sa->config.esn ? UINT64_MAX - UINT32_MAX : UINT32_MAX - 1;
}

#endif
