/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_LOAD_TRAFFIC_H
#define SPILLWAY_LOAD_TRAFFIC_H

#include <stdint.h>

#include <rte_mbuf.h>

#include "class.h"
#include "packet/packet.h"
#include "sequence.h"

/**
 * @file
 * Classes become frames: which class, flow, size and number the next packet has, and its bytes.
 *
 * Addresses and ports follow from the flow's number: ports tell 2^26 flows of each class apart,
 * addresses spread over the prefixes. The flows of a class take turns, in an order that jumps about
 * its table. A class of new flows counts on through all trials; its numbers go round 65 536
 * slots, so that copies are known for what they are and nothing but a delay as long is reordered.
 *
 * Behind headers and probe a frame is zero, which the checksum of IPv6's UDP relies on. So the
 * mbufs come from a pool that nothing but this writes to, and that spill_load_traffic_clear() has
 * seen.
 *
 * After creation all of it is the polling lcore's.
 */

/* Bytes that the longest headers and the probe take, rounded up; written into each frame. */
#define SPILL_LOAD_HEAD       96
#define SPILL_LOAD_SHARES     100
#define SPILL_LOAD_NEW_WINDOW 65536

/** A class in motion. */
struct spill_load_stream {
    struct spill_load_class class;
    uint8_t index;
    uint8_t head[SPILL_LOAD_HEAD] __attribute__((aligned(32)));
    uint16_t l3_offset, l4_offset, probe_offset;
    uint32_t slots;
    uint32_t at, step; /* the flow whose turn it is, and how far the next is from it */
    uint8_t imix_at;
    uint64_t counter, base;        /* packets of new flows, in all and before this trial */
    struct spill_load_flow *flows; /* owned; one for each slot */
};

struct spill_load_traffic {
    unsigned count;
    uint8_t schedule[SPILL_LOAD_SHARES]; /* classes, evenly mixed by their shares */
    uint8_t schedule_at;
    uint64_t random; /* state of the sizes' generator */
    struct spill_load_stream streams[SPILL_LOAD_CLASSES_MAX];
};

/** What a packet of a burst is. */
struct spill_load_pick {
    uint8_t class;
    uint16_t size; /* bytes without FCS */
    uint32_t flow, slot, sequence;
};

/**
 * Makes streams of classes. Control thread, after rte_eal_init().
 *
 * @param socket  NUMA node of the polling lcore
 * @return NULL with an error when there is no memory; freed by spill_load_traffic_free()
 */
struct spill_load_traffic *spill_load_traffic_create(const struct spill_load_class *classes,
                                                     unsigned count, int socket,
                                                     struct spill_error *error);
void spill_load_traffic_free(struct spill_load_traffic *traffic);

/** Bytes that the tables of a class take, for the EAL's memory. */
uint64_t spill_load_class_bytes(const struct spill_load_class *class);

/** Zeroes all buffers of a pool. Control thread, once the pool is made. */
void spill_load_traffic_clear(struct rte_mempool *pool);

/** Forgets what was sent and came: a new trial. New flows go on being new. */
void spill_load_traffic_restart(struct spill_load_traffic *traffic);

/** Makes a burst. @param mbufs  fresh from the pool; @param picks  written for each */
void spill_load_traffic_make(struct spill_load_traffic *traffic, struct rte_mbuf **mbufs,
                             struct spill_load_pick *picks, uint32_t count, uint64_t stamp);

/** Takes back the newest packets, which the port refused: their numbers are given out again. */
void spill_load_traffic_take_back(struct spill_load_traffic *traffic,
                                  const struct spill_load_pick *picks, uint32_t count);

/** The slot of a flow number that came back; NULL when there is no such flow. */
static inline struct spill_load_flow *spill_load_stream_slot(struct spill_load_stream *stream,
                                                             uint32_t flow)
{
    if (stream->class.flows == 0)
        return &stream->flows[flow % SPILL_LOAD_NEW_WINDOW];
    return flow < stream->slots ? &stream->flows[flow] : NULL;
}

#endif
