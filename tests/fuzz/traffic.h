/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FUZZ_TRAFFIC_H
#define SPILLWAY_FUZZ_TRAFFIC_H

#include "world.h"

/**
 * @file
 * What is fed to a pipeline, and remembered, so that what leaves can be told to be of it.
 */

#define TRAFFIC_MOST 192 /* frames of one input */

/** A frame that was fed. */
struct sent {
    enum world_port port;
    uint32_t length; /* of the frame */
    uint32_t copies; /* how often it was fed */
    uint32_t left;   /* how often it has left */
    bool esp;        /* made by the other end of an SA */
    bool authentic;  /* and as that made it */
    uint8_t kind, key;
    uint32_t inner_length; /* of the frame that is inside */
    uint8_t *bytes, *inner;
};

struct traffic {
    uint32_t count;
    struct sent sent[TRAFFIC_MOST];
    uint64_t fed; /* packets that a port took */
};

extern struct traffic traffic;

/** Forgets all. */
void traffic_begin(void);

/** Feeds a frame in the clear, built as the input says. @param padding  bytes behind IP packets */
void traffic_clear(struct fuzz_input *input, uint32_t padding);

/** Feeds ESP from the other end of an SA, with anything inside, and whole or not. */
void traffic_esp(struct fuzz_input *input, uint32_t padding);

/** Feeds bytes as they are. */
void traffic_raw(struct fuzz_input *input);

/** Feeds something once more. */
void traffic_again(struct fuzz_input *input);

/** What parsing says of a frame, and the frame in an mbuf of the other ends'; to be freed. */
struct rte_mbuf *traffic_parse(const uint8_t *bytes, uint32_t length, enum world_port port,
                               struct spill_packet *packet);

/** An mbuf's bytes, which may be in several segments, in `to`; of WORLD_FRAME and some. */
uint32_t traffic_copy(const struct rte_mbuf *mbuf, uint8_t *to);

#endif
