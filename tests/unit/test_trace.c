/* SPDX-License-Identifier: BSD-3-Clause */
/* A trace's ring is bounded: what does not fit is counted, and no way begins that would not. */
#include "ip_frames.h"

#include <rte_ring_elem.h>

#include "pipeline/trace.h"

#define RECORDS 64 /* of the ring */
#define LCORE   3

static const struct spill_trace_line line = {.stage = "stage",
                                             .values = {{"value", SPILL_TRACE_NUMBER, NULL}}};
static const struct spill_filter all;
static struct rte_ring *ring;

static struct spill_watch make_watch(uint32_t most)
{
    struct spill_watch watch;

    spill_trace_init(&watch, LCORE, 0, most);
    watch.filter = &all;
    watch.ring = ring;
    rte_ring_reset(ring);
    return watch;
}

static struct spill_trace_record take(void)
{
    struct spill_trace_record record;

    assert_int_equal(rte_ring_sc_dequeue_elem(ring, &record, sizeof(record)), 0);
    return record;
}

static void records_that_do_not_fit_are_counted(void **state)
{
    struct spill_watch watch = make_watch(1);
    uint32_t i;

    (void)state;
    for (i = 0; i < RECORDS + 5; i++)
        spill_trace_note_number(&watch, 1, &line, &i, 1);
    assert_int_equal(watch.lost, 5);
    for (i = 0; i < RECORDS; i++)
        assert_int_equal(take().values[0], i);
    assert_true(rte_ring_empty(ring));
    spill_trace_note_number(&watch, 0, &line, &i, 1);
    assert_true(rte_ring_empty(ring));
    assert_int_equal(watch.lost, 5);
}

/* The way of one packet after another, each of one record: until there is no room for a long one.
 */
static void ways_begin_where_there_is_room(void **state)
{
    struct spill_watch watch = make_watch(1000);
    struct spill_packet packet;
    struct rte_mbuf *mbuf;
    struct frame frame;
    uint32_t begun, i;

    (void)state;
    frames_build4(&frame, 0, 0, IPPROTO_UDP, 100);
    frames_make_udp(&frame);
    mbuf = frames_lay(&frame, 0);
    packet = frames_parse(mbuf);
    for (i = 0; i < RECORDS; i++)
        watch.received(&watch, 0, &mbuf, &packet, 1);
    begun = rte_ring_count(ring);
    assert_int_equal(watch.missed, RECORDS - begun);
    assert_in_range(begun, RECORDS / 2, RECORDS - 16);
    assert_int_equal(spill_mark_of(mbuf)->packet, 0);
    for (i = 0; i < begun; i++)
        assert_int_equal(take().packet, (LCORE << SPILL_TRACE_LCORE_SHIFT) + i + 1);
    watch.received(&watch, 0, &mbuf, &packet, 1);
    assert_int_equal(spill_mark_of(mbuf)->packet, (LCORE << SPILL_TRACE_LCORE_SHIFT) + begun + 1);
    assert_int_equal(watch.lost, 0);
    rte_pktmbuf_free(mbuf);
}

static void no_more_are_traced_than_asked(void **state)
{
    struct spill_watch watch = make_watch(2);
    struct spill_packet packet;
    struct rte_mbuf *mbuf;
    struct frame frame;
    uint32_t i;

    (void)state;
    frames_build6(&frame, 0, 0, IPPROTO_UDP, 100);
    frames_make_udp(&frame);
    mbuf = frames_lay(&frame, 0);
    packet = frames_parse(mbuf);
    for (i = 0; i < 5; i++)
        watch.received(&watch, 0, &mbuf, &packet, 1);
    assert_int_equal(rte_ring_count(ring), 2);
    assert_int_equal(watch.missed, 0);
    rte_pktmbuf_free(mbuf);
}

static int start_all(void **state)
{
    struct spill_error error;

    if (frames_start(state) != 0 || spill_watch_register(&error) != 0)
        return -1;
    ring = rte_ring_create_elem("trace", sizeof(struct spill_trace_record), RECORDS, SOCKET_ID_ANY,
                                RING_F_EXACT_SZ | RING_F_SP_ENQ | RING_F_SC_DEQ);
    return ring != NULL ? 0 : -1;
}

static int stop_all(void **state)
{
    rte_ring_free(ring);
    return frames_stop(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_that_do_not_fit_are_counted),
        cmocka_unit_test(ways_begin_where_there_is_room),
        cmocka_unit_test(no_more_are_traced_than_asked),
    };

    return cmocka_run_group_tests(tests, start_all, stop_all);
}
