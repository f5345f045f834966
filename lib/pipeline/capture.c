/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/capture.h"

#include <string.h>

#include <rte_ring_elem.h>
#include <rte_ring_peek_zc.h>

#include "base/clock.h"
#include "classify/rule_counts.h"

/* Room for up to so many records, which the lcore writes in place: what comes too late costs no
 * copy.
 * @return how many; at `data` */
static uint32_t reserve(struct spill_watch *watch, uint32_t count, struct rte_ring_zc_data *data)
{
    return rte_ring_enqueue_zc_burst_elem_start(watch->ring, watch->element, count, data, NULL);
}

static struct spill_capture_record *record_at(const struct spill_watch *watch,
                                              const struct rte_ring_zc_data *data, uint32_t index)
{
    uint8_t *base = index < data->n1 ? data->ptr1 : data->ptr2;

    return (void *)(base + (size_t)(index < data->n1 ? index : index - data->n1) * watch->element);
}

static void write_record(const struct spill_watch *watch, struct spill_capture_record *record,
                         struct rte_mbuf *mbuf, uint16_t port, enum spill_capture_event event,
                         uint8_t reason)
{
    const uint32_t length = rte_pktmbuf_pkt_len(mbuf);
    const uint32_t kept = RTE_MIN(length, watch->choice->bytes);
    const struct spill_mark *mark = spill_mark_of(mbuf);
    const void *data;

    *record = (struct spill_capture_record){
        .time = spill_clock(),
        .length = length,
        .kept = kept,
        .tally = mark != NULL ? mark->tally : SPILL_RULE_TALLY_NONE,
        .port = port,
        .event = (uint8_t)event,
        .reason = reason,
    };
    data = rte_pktmbuf_read(mbuf, 0, kept, record->data);
    if (data != NULL && data != record->data)
        memcpy(record->data, data, kept);
}

/* Whether a packet is wanted, and not enough were kept. */
static bool is_wanted(const struct spill_watch *watch, const struct rte_mbuf *mbuf)
{
    return watch->number < watch->last_number && spill_filter_matches(watch->filter, mbuf);
}

static void keep(struct spill_watch *watch, struct rte_mbuf *mbuf, uint16_t port,
                 enum spill_capture_event event, uint8_t reason)
{
    struct rte_ring_zc_data room;

    if (!is_wanted(watch, mbuf))
        return;
    if (reserve(watch, 1, &room) == 0) {
        watch->lost++;
        return;
    }
    write_record(watch, record_at(watch, &room, 0), mbuf, port, event, reason);
    rte_ring_enqueue_zc_elem_finish(watch->ring, 1);
    watch->number++;
}

static void receive(struct spill_watch *watch, uint16_t port, struct rte_mbuf **mbufs,
                    const struct spill_packet *packets, uint32_t count)
{
    (void)packets;
    for (uint32_t i = 0; i < count; i++)
        spill_watch_mark(mbufs[i], 0);
    for (uint32_t i = 0; port == watch->choice->port && i < count; i++)
        keep(watch, mbufs[i], port, SPILL_CAPTURE_IN, 0);
}

/* Copies what is offered, as the device may free what it takes. */
static void offer(struct spill_watch *watch, uint16_t port, struct rte_mbuf **mbufs, uint32_t count)
{
    uint32_t wanted = 0, written = 0;
    struct rte_ring_zc_data room;

    for (uint32_t i = 0; i < count; i++) {
        watch->wanted[i] = port == watch->choice->port && is_wanted(watch, mbufs[i]);
        wanted += watch->wanted[i];
    }
    watch->room = wanted > 0 ? reserve(watch, wanted, &room) : 0;
    for (uint32_t i = 0; i < count && written < watch->room; i++) {
        if (watch->wanted[i])
            write_record(watch, record_at(watch, &room, written++), mbufs[i], port,
                         SPILL_CAPTURE_OUT, 0);
    }
}

/* What the device did not take comes again. */
static void sent(struct spill_watch *watch, uint32_t taken)
{
    uint32_t wanted = 0, kept;

    for (uint32_t i = 0; i < taken; i++)
        wanted += watch->wanted[i];
    kept = RTE_MIN(wanted, watch->room);
    if (watch->room > 0)
        rte_ring_enqueue_zc_elem_finish(watch->ring, kept);
    watch->room = 0;
    watch->number += kept;
    watch->lost += wanted - kept;
}

static void drop(struct spill_drop_watch *drops, const struct spill_drop_reason *reason,
                 struct rte_mbuf *const *mbufs, uint32_t count)
{
    struct spill_watch *watch = (struct spill_watch *)drops;

    if (!watch->choice->reasons[reason->id])
        return;
    for (uint32_t i = 0; i < count; i++)
        keep(watch, mbufs[i], mbufs[i]->port, SPILL_CAPTURE_DROPPED, reason->id);
}

void spill_capture_init(struct spill_watch *watch, const struct spill_capture_choice *choice,
                        uint32_t most)
{
    *watch = (struct spill_watch){.drops = {.dropped = drop},
                                  .received = receive,
                                  .offered = offer,
                                  .sent = sent,
                                  .choice = choice,
                                  .last_number = most};
}
