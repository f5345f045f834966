/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/capture.h"

#include <string.h>

#include <rte_ring_elem.h>

#include "base/clock.h"
#include "classify/rule_counts.h"

static void keep(struct spill_watch *watch, struct rte_mbuf *mbuf, uint16_t port,
                 enum spill_capture_event event, uint8_t reason)
{
    union {
        struct spill_capture_record record;
        uint8_t bytes[sizeof(struct spill_capture_record) + SPILL_CAPTURE_BYTES_MAX + 8];
    } element;
    const uint32_t length = rte_pktmbuf_pkt_len(mbuf);
    const uint32_t kept = RTE_MIN(length, watch->choice->bytes);
    const struct spill_mark *mark = spill_mark_of(mbuf);
    const void *data;

    element.record = (struct spill_capture_record){
        .time = spill_clock(),
        .length = length,
        .kept = kept,
        .tally = mark != NULL ? mark->tally : SPILL_RULE_TALLY_NONE,
        .port = port,
        .event = (uint8_t)event,
        .reason = reason,
    };
    data = rte_pktmbuf_read(mbuf, 0, kept, element.record.data);
    if (data != NULL && data != element.record.data)
        memcpy(element.record.data, data, kept);
    if (rte_ring_sp_enqueue_elem(watch->ring, &element, watch->element) != 0)
        watch->lost++;
}

/* By what a port takes and gives. */
static void keep_all(struct spill_watch *watch, uint16_t port, struct rte_mbuf **mbufs,
                     uint32_t count, enum spill_capture_event event)
{
    for (uint32_t i = 0; i < count; i++) {
        if (spill_filter_matches(watch->filter, mbufs[i]))
            keep(watch, mbufs[i], port, event, 0);
    }
}

static void receive(struct spill_watch *watch, uint16_t port, struct rte_mbuf **mbufs,
                    const struct spill_packet *packets, uint32_t count)
{
    (void)packets;
    for (uint32_t i = 0; i < count; i++)
        spill_watch_mark(mbufs[i], 0);
    if (port == watch->choice->port)
        keep_all(watch, port, mbufs, count, SPILL_CAPTURE_IN);
}

static void leave(struct spill_watch *watch, uint16_t port, struct rte_mbuf **mbufs, uint32_t count)
{
    if (port == watch->choice->port)
        keep_all(watch, port, mbufs, count, SPILL_CAPTURE_OUT);
}

static void drop(struct spill_drop_watch *drops, const struct spill_drop_reason *reason,
                 struct rte_mbuf *const *mbufs, uint32_t count)
{
    struct spill_watch *watch = (struct spill_watch *)drops;

    if (!watch->choice->reasons[reason->id])
        return;
    for (uint32_t i = 0; i < count; i++) {
        if (spill_filter_matches(watch->filter, mbufs[i]))
            keep(watch, mbufs[i], mbufs[i]->port, SPILL_CAPTURE_DROPPED, reason->id);
    }
}

void spill_capture_init(struct spill_watch *watch, const struct spill_capture_choice *choice)
{
    *watch = (struct spill_watch){
        .drops = {.dropped = drop}, .received = receive, .sent = leave, .choice = choice};
}
