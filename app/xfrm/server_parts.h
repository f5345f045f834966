/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_XFRM_SERVER_PARTS_H
#define SPILLWAY_XFRM_SERVER_PARTS_H

#include "control/events.h"
#include "control/listener.h"
#include "ipsec/sa_set.h"
#include "xfrm/client.h"
#include "xfrm/requests.h"

/**
 * @file
 * The server's state, for the files that it is made of.
 */

#define SPILL_XFRM_CLIENTS_MAX 32

/** An SA in force, by the number that the state has for it. */
struct spill_xfrm_in_force {
    uint32_t serial;
    const struct spill_sa *sa;
};

struct spill_xfrm {
    struct spill_program *program;
    struct spill_listener listener;
    struct spill_event ticks;
    struct spill_xfrm_client clients[SPILL_XFRM_CLIENTS_MAX];
    struct spill_xfrm_state state;
    struct spill_xfrm_state before; /* what comes back where a change can't be put in force */
    bool changing;                  /* a change is being put in force: nothing is asked meanwhile */
    bool dirty;                     /* one was made, and is not yet */
    uint64_t sequence;              /* of events that the daemons answer */
    /* Events of the change, told once it is in force; each behind its group. */
    uint8_t *events;
    size_t events_size, events_capacity;
    uint64_t events_lost;
    struct spill_xfrm_in_force *in_force; /* by serial, of the version: */
    uint32_t in_force_count;
    uint64_t version;
};

/** What the clients' files need of it. */
struct spill_events *spill_xfrm_events(struct spill_xfrm *server);
void spill_xfrm_client_ready(void *client);
void spill_xfrm_client_drained(struct spill_xfrm_client *client);

/** What is done at a time, for whom. */
struct spill_xfrm_asking {
    struct spill_xfrm *server;
    struct spill_xfrm_client *client; /* NULL: for nobody, as the next */
    const struct nlmsghdr *asked;
    struct spill_xfrm_time time;
};

/** Begins it. */
void spill_xfrm_begin(struct spill_xfrm *server, struct spill_xfrm_client *client,
                      const struct nlmsghdr *asked, struct spill_xfrm_asking *asking,
                      struct spill_xfrm_handling *handling);

/** Keeps an event for when the change is in force. @param asking  struct spill_xfrm_asking * */
void spill_xfrm_take_event(void *asking, enum xfrm_nlgroups group, const struct nlmsghdr *message);

/** Tells the events that were kept; or not, as what they would tell has not come true. */
void spill_xfrm_end_events(struct spill_xfrm *server, bool tells);

/**
 * Tells those who listen to a group; but for who has no room: he loses it, as from the kernel.
 *
 * @param group  enum xfrm_nlgroups
 * @return how many have heard it
 */
uint32_t spill_xfrm_publish(struct spill_xfrm *server, uint32_t group, struct nlmsghdr *message);

/** Asks daemons for SAs that packets wait for. */
void spill_xfrm_heed_needs(struct spill_xfrm *server, const struct spill_xfrm_time *time);

/** One who was asked for SAs is gone: who is there, or comes, is asked anew. */
void spill_xfrm_listener_left(struct spill_xfrm *server);

/** Keeps the state, so that a change may be taken back. @return 0; -ENOBUFS */
int spill_xfrm_prepare(struct spill_xfrm *server);

/** Takes further changes that clients ask for at this moment: all are put in force as one. */
void spill_xfrm_gather(struct spill_xfrm *server);

/** Puts changes in force that were made, if there are some. */
void spill_xfrm_commit(struct spill_xfrm *server);

/** Brings an SA's use up to date. @param window  all zero, gets the numbers that came; may be NULL
 */
void spill_xfrm_look(struct spill_xfrm *server, struct spill_xfrm_sa *sa,
                     const struct spill_xfrm_time *time, struct spill_xfrm_window *window);

/** Looks at times and uses. @param server  struct spill_xfrm * */
void spill_xfrm_tick(void *server);

#endif
