/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_XFRM_STATE_H
#define SPILLWAY_XFRM_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "ipsec/algorithm.h"
#include "ipsec/replay.h"
#include "ipsec/sa_set.h"
#include "xfrm/message.h"

/**
 * @file
 * What IKE daemons have agreed on: SAs and policies, as the kernel would hold them (SAD and SPD).
 * Plain memory with bounds; the control thread's, as all of app/xfrm but what its header calls
 * pure.
 */

#define SPILL_XFRM_SAS_MAX      SPILL_SAS_MAX
#define SPILL_XFRM_POLICIES_MAX 16384
#define SPILL_XFRM_SERIAL_MASK  UINT32_C(0xfffffff) /* of a serial, what an SA's name has */

/** Which way an SA's packets go. A message does not say it. */
enum spill_xfrm_direction {
    SPILL_XFRM_UNKNOWN, /* until a policy takes it: no packet goes by it */
    SPILL_XFRM_IN,      /* its SPI was reserved here, or an inbound policy takes it */
    SPILL_XFRM_OUT,     /* an outbound policy takes it */
};

/** What the data plane says of an SA. */
struct spill_xfrm_use {
    uint64_t packets, bytes;
    uint64_t sequence; /* the last that was sent, or the highest that came */
    uint64_t place; /* inbound, in UDP over IPv4: where the last came from (ipsec/sa.h); 0: none */
};

/** Of an inbound one: bit i: the number `sequence` - i has come. */
struct spill_xfrm_window {
    uint64_t seen[SPILL_REPLAY_WINDOW_MAX / 64];
};

struct spill_xfrm_sa {
    struct xfrm_usersa_info info; /* as it was asked for, but curlft and stats */
    uint32_t serial;              /* of this one, never another's: its name */
    uint32_t
        group; /* shared by those that may follow one another: one direction, reqid, two ends */
    uint32_t child;      /* what rules call it, once outbound policies go by it; 0: not yet */
    bool larval;         /* its SPI is reserved, and no more */
    uint8_t direction;   /* enum spill_xfrm_direction */
    bool told_soft;      /* EXPIRE was sent */
    uint64_t told_place; /* MAPPING was sent, or it was set: ns of CLOCK_MONOTONIC */
    bool encapsulated;   /* in UDP */
    bool has_esn_window; /* REPLAY_ESN_VAL came, and goes back */
    uint32_t window;     /* of replay */
    /* What it begins behind, as it is the continuation of another: sent, received. */
    uint64_t sent, received;
    struct {
        uint64_t packets, bytes;
    } earlier; /* used up before, likewise */
    struct xfrm_encap_tmpl encap;
    uint32_t extra_flags;
    const struct spill_ipsec_algorithm *algorithm; /* NULL: larval */
    uint8_t key[SPILL_IPSEC_KEY_MAX];
    uint64_t added;     /* ns of CLOCK_MONOTONIC */
    uint64_t used;      /* likewise, when the first packet was seen; 0: none yet */
    uint64_t add_time;  /* s of CLOCK_REALTIME, as the next */
    uint64_t use_time;  /* of the first packet; the kernel's curlft */
    uint64_t last_time; /* of the last one; 0: none */
    struct spill_xfrm_use use;
};

struct spill_xfrm_policy {
    struct xfrm_userpolicy_info info; /* with the index that it was given */
    uint64_t serial;  /* how new it is: of two with one priority the older one is asked first */
    uint64_t changed; /* when its template was given, in the same count */
    bool has_template;
    struct xfrm_user_tmpl template;
    uint64_t add_time; /* s of CLOCK_REALTIME */
    /* Of the last SA that its packets went by, the group and the name; 0: there was none. */
    uint32_t group, child;
    uint16_t own_port; /* of the last one's ESP in UDP, which IKE has as well; 0: it had none */
    uint16_t trap;     /* of an outbound one: what packets that want an SA are told by; never
                        * another's as long as it is there */
};

#define SPILL_XFRM_ACQUIRES_MAX 256 /* SAs that daemons are asked for, at a time */
#define SPILL_XFRM_ACQUIRES_EACH                                                                   \
    8 /* and of one policy, where its template leaves the ends open                                \
       */

/** An SA that daemons were asked for (acquire.h). */
struct spill_xfrm_acquire {
    struct xfrm_usersa_info
        info;              /* as a larval one: its ends, the packet that it was asked for as
                            * its selector, and `seq`, by which daemons may answer: never 0 */
    uint8_t packet[2][16]; /* the addresses of that packet */
    bool any;              /* its ends are those of all packets that its policy selects */
    uint64_t since;        /* ns of CLOCK_MONOTONIC */
    uint16_t trap;         /* of the policy */
};

struct spill_xfrm_acquires {
    struct spill_xfrm_acquire list[SPILL_XFRM_ACQUIRES_MAX];
    uint32_t count;
    uint32_t last_sequence;
};

struct spill_xfrm_state {
    struct spill_xfrm_sa *sas;
    uint32_t sa_count, sa_capacity;
    struct spill_xfrm_policy *policies; /* in the order in which they are asked */
    uint32_t policy_count, policy_capacity;
    uint32_t last_serial, last_group, last_index;
    uint64_t last_change;
    uint16_t last_trap;
    bool traps_again; /* all numbers have been given out: they are given out again */
    struct spill_xfrm_acquires acquires;
};

/** Frees what is in it, keys wiped, and leaves it empty. */
void spill_xfrm_state_clear(struct spill_xfrm_state *state);

/** Makes a copy, for spill_xfrm_state_clear(). @return 0; -ENOMEM */
int spill_xfrm_state_copy(const struct spill_xfrm_state *state, struct spill_xfrm_state *copy);

/** Whether two addresses are one, in a family. */
bool spill_xfrm_same_address(const xfrm_address_t *one, const xfrm_address_t *other,
                             uint16_t family);

/** Whether two select the same packets. */
bool spill_xfrm_same_selector(const struct xfrm_selector *one, const struct xfrm_selector *other);

/** The SA of an id, larval ones as well; NULL: there is none. It moves when others come or go. */
struct spill_xfrm_sa *spill_xfrm_sa_find(struct spill_xfrm_state *state,
                                         const xfrm_address_t *destination, uint32_t spi,
                                         uint8_t protocol, uint16_t family);

/** Adds an SA, all zero but its serial. @return NULL: there are too many, or no memory */
struct spill_xfrm_sa *spill_xfrm_sa_add(struct spill_xfrm_state *state);

/** Takes one away, its key wiped. */
void spill_xfrm_sa_remove(struct spill_xfrm_state *state, struct spill_xfrm_sa *sa);

/** Gives an SA whose settings are complete its group. */
void spill_xfrm_sa_join(struct spill_xfrm_state *state, struct spill_xfrm_sa *sa);

/** The policy with a selector and direction, or, where `index` is not 0, with that one; or NULL. */
struct spill_xfrm_policy *spill_xfrm_policy_find(struct spill_xfrm_state *state,
                                                 const struct xfrm_selector *selector, uint8_t dir,
                                                 uint32_t index);

/**
 * Adds a policy at its place, with a new index.
 *
 * @param before  which it takes the place and index of; NULL: none. It is gone afterwards
 * @return 0; -ENOSPC, -ENOMEM
 */
int spill_xfrm_policy_put(struct spill_xfrm_state *state, const struct spill_xfrm_policy *policy,
                          struct spill_xfrm_policy *before);

/** Takes one away. */
void spill_xfrm_policy_remove(struct spill_xfrm_state *state, struct spill_xfrm_policy *policy);

/**
 * Whether a policy's packets may be protected by an SA: its template says so. A template without
 * addresses is for transport mode: those of the selector count then, as far as it has hosts.
 */
bool spill_xfrm_policy_takes(const struct spill_xfrm_policy *policy,
                             const struct spill_xfrm_sa *sa);

/** Whether a host is of a prefix. */
bool spill_xfrm_is_within(const xfrm_address_t *host, const xfrm_address_t *prefix, uint8_t length);

/** Whether what a policy selects goes or comes by SAs of several ends, each packet by that of its
 * own addresses: in transport mode, where the template leaves open what the selector has more than
 * one host for. */
bool spill_xfrm_policy_is_wide(const struct spill_xfrm_policy *policy);

/** The part of such a policy that is between two hosts; any other one as it is. */
struct spill_xfrm_policy spill_xfrm_policy_between(const struct spill_xfrm_policy *policy,
                                                   const xfrm_address_t *from,
                                                   const xfrm_address_t *to);

/**
 * The SA that protects what an outbound policy selects: the one whose SPI its template has, else
 * the newest that it takes. NULL: there is none.
 */
const struct spill_xfrm_sa *spill_xfrm_policy_choose(const struct spill_xfrm_state *state,
                                                     const struct spill_xfrm_policy *policy);

#endif
