/* SPDX-License-Identifier: BSD-3-Clause */
/* The exit: what doesn't fit the port that it leaves by, and a device that refuses (law 10). */
#include "ip_frames.h"

#include "pipeline_bench.h"

#define MTU 1400

static struct bench bench;
/* What came out by each port in the last turns; the test's. */
static struct rte_mbuf *came[2][128];
static uint32_t came_count[2];

static void open_bench(uint32_t shape)
{
    static const struct bench_shape shapes[] = {{"all on one lcore", 1, 0, 0, 0},
                                                {"fast and tx apart", 1, 0, 1, 0}};
    const struct bench_options options = {.shape = shapes[shape],
                                          .dispatch = SPILL_DISPATCH_INLINE,
                                          .overflow = SPILL_OVERFLOW_INLINE,
                                          .lanes = 8,
                                          .capacity = 16,
                                          .channel_capacity = 256,
                                          .budget_ns = 1u << 30,
                                          .rules = "allow any from any to any\n"};

    if (bench_open(&bench, &options) != 0)
        fail_msg("%s", bench.error.text);
    bench.pipeline->lcores[1].fast->forward.non_ip.rest = true;
}

static void take_all(void)
{
    uint32_t port;

    for (port = 0; port < 2; port++)
        came_count[port] +=
            rte_ring_dequeue_burst(bench_out[port], (void **)&came[port][came_count[port]],
                                   (unsigned)RTE_DIM(came[port]) - came_count[port], NULL);
}

/* One turn of every lcore. */
static void turn_once(void)
{
    uint32_t i, j;

    for (i = 1; i < bench.plan.lcore_count; i++) {
        struct spill_loop *loop = bench.pipeline->lcores[i].loop;

        for (j = 0; j < loop->stage_count; j++)
            loop->stages[j].poll(loop->stages[j].context, rte_rdtsc());
    }
    take_all();
}

/* Some turns of every lcore; what came before is freed. */
static void turn(void)
{
    uint32_t round, port;

    for (port = 0; port < 2; port++) {
        rte_pktmbuf_free_bulk(came[port], came_count[port]);
        came_count[port] = 0;
    }
    for (round = 0; round < 3; round++)
        turn_once();
}

static void feed(struct rte_mbuf *mbuf)
{
    assert_int_equal(rte_ring_enqueue(bench_in[0], mbuf), 0);
    bench.fed++;
}

/* A frame, cut into so many segments more, through the wire. */
static void pass(const struct frame *frame, unsigned cuts)
{
    feed(frames_lay(frame, cuts));
    turn();
}

static struct spill_ledger books(void)
{
    struct spill_ledger ledger;

    spill_pipeline_ledger(bench.pipeline, &ledger);
    return ledger;
}

static void assert_dropped(const char *name, uint64_t count)
{
    struct spill_ledger ledger = books();

    assert_int_equal(bench_drops(&ledger, name), count);
    assert_int_equal(spill_ledger_dropped(&ledger), count);
}

/* What the lcores counted under "exits". */
static uint64_t counted(const char *name)
{
    const struct spill_counter *counter;
    uint32_t id;

    for (id = 0; (counter = spill_counter_get(id)) != NULL; id++) {
        if (strcmp(counter->family, "exits") == 0 && strcmp(counter->metric.name, name) == 0)
            return books().counted[id];
    }
    fail_msg("no counter '%s'", name);
    return 0;
}

static void close_bench(void)
{
    struct spill_ledger ledger;

    turn();
    ledger = books();
    assert_int_equal(ledger.received, bench.fed);
    assert_int_equal(spill_ledger_in_flight(&ledger), 0);
    bench_close(&bench);
    assert_int_equal(rte_mempool_in_use_count(frames_pool), 0);
}

/* After a test that failed: the next one finds everything as it was. */
static int clear(void **state)
{
    (void)state;
    if (bench.pipeline == NULL)
        return 0;
    spill_pipeline_abandon(bench.pipeline, NULL);
    bench_take_back();
    take_all();
    bench_close(&bench);
    return 0;
}

/* Limits of the port where packets leave, until the next test. */
static struct spill_port_limits *limit(uint16_t packet)
{
    bench_ports[1].mtu = packet;
    bench_ports[1].limits =
        (struct spill_port_limits){.packet = packet, .frame = UINT16_MAX, .segments = UINT16_MAX};
    return &bench_ports[1].limits;
}

static void build_udp4(struct frame *frame, unsigned tags, uint32_t length, bool df)
{
    frames_build4(frame, tags, 0, IPPROTO_UDP, length - 20);
    frames_make_udp(frame);
    frames_write16(frame->bytes + frame->ip + 6, df ? 0x4000 : 0);
}

static void build_udp6(struct frame *frame, unsigned tags, uint32_t length)
{
    frames_build6(frame, tags, 0, IPPROTO_UDP, length - 40);
    frames_make_udp(frame);
}

static void assert_same(const struct rte_mbuf *mbuf, const struct frame *frame, uint32_t length)
{
    static struct frame got;

    frames_unlay(mbuf, &got);
    assert_int_equal(got.length, length);
    assert_memory_equal(got.bytes, frame->bytes, RTE_MIN(length, frame->length));
}

/* ------------------------------------------------------------------------------- the largest */

static void what_fits_leaves_as_it_came(void **state)
{
    static struct frame frame;
    uint32_t shape, tags, cuts;

    (void)state;
    limit(MTU);
    for (shape = 0; shape < 2; shape++) {
        open_bench(shape);
        for (tags = 0; tags <= 2; tags++) {
            for (cuts = 0; cuts < 3; cuts++) {
                build_udp4(&frame, tags, MTU, cuts == 1);
                pass(&frame, cuts);
                assert_int_equal(came_count[1], 1);
                assert_same(came[1][0], &frame, frame.length);
                build_udp6(&frame, tags, MTU);
                pass(&frame, cuts);
                assert_int_equal(came_count[1], 1);
                assert_same(came[1][0], &frame, frame.length);
            }
        }
        assert_dropped("tx_too_big", 0);
        close_bench();
    }
}

/* The sender is told by an error that comes back by the port that the packet came by. */
static void the_sender_of_what_is_too_big_is_told(void **state)
{
    static struct frame frame;
    const uint8_t *icmp;
    uint32_t shape;

    (void)state;
    limit(MTU);
    for (shape = 0; shape < 2; shape++) {
        open_bench(shape);
        build_udp4(&frame, 1, MTU + 1, true);
        pass(&frame, 0);
        assert_int_equal(came_count[1], 0);
        assert_int_equal(came_count[0], 1);
        icmp = rte_pktmbuf_mtod_offset(came[0][0], const uint8_t *, frame.ip + 20);
        assert_int_equal(icmp[0], 3);
        assert_int_equal(icmp[1], 4);
        assert_int_equal(frames_read16(icmp + 6), MTU);
        build_udp6(&frame, 0, MTU + 1);
        pass(&frame, 2);
        assert_int_equal(came_count[1], 0);
        assert_int_equal(came_count[0], 1);
        icmp = rte_pktmbuf_mtod_offset(came[0][0], const uint8_t *, frame.ip + 40);
        assert_int_equal(icmp[0], 2);
        assert_int_equal(frames_read16(icmp + 6), MTU);
        assert_dropped("tx_too_big", 2);
        assert_int_equal(books().originated, 2);
        close_bench();
    }
}

/* Of less than IPv6's least MTU nobody is told; what is not IP has nobody to tell. */
static void nobody_is_told_what_is_of_no_use(void **state)
{
    static struct frame frame;
    const uint8_t *icmp;

    (void)state;
    limit(1000);
    open_bench(0);
    build_udp6(&frame, 0, 1280);
    pass(&frame, 0);
    assert_int_equal(came_count[0] + came_count[1], 0);
    build_udp6(&frame, 0, 1281);
    pass(&frame, 0);
    assert_int_equal(came_count[0], 1);
    icmp = rte_pktmbuf_mtod_offset(came[0][0], const uint8_t *, frame.ip + 40);
    assert_int_equal(frames_read16(icmp + 6), 1280);
    build_udp4(&frame, 0, 1200, true);
    frames_write16(frame.bytes + 12, 0x88b5); /* for experiments */
    pass(&frame, 0);
    assert_int_equal(came_count[0] + came_count[1], 0);
    assert_dropped("tx_too_big", 3);
    close_bench();
}

/* Bytes of IP that came out by wan together, in packets of at most `most` bytes each. */
static uint32_t payload_that_came(uint32_t ip, uint32_t most)
{
    uint32_t sum = 0, i;

    for (i = 0; i < came_count[1]; i++) {
        const uint8_t *header = rte_pktmbuf_mtod_offset(came[1][i], const uint8_t *, ip);

        assert_in_range(frames_read16(header + 2), 21, most);
        assert_int_equal(frames_sum(header, 20, 0), 0xffff);
        sum += frames_read16(header + 2) - 20;
    }
    return sum;
}

static void ipv4_that_may_be_is_fragmented(void **state)
{
    static struct frame frame;
    uint32_t shape;

    (void)state;
    limit(MTU)->least = 60;
    for (shape = 0; shape < 2; shape++) {
        open_bench(shape);
        build_udp4(&frame, 1, 4000, false);
        pass(&frame, 3);
        assert_int_equal(came_count[0], 0);
        assert_int_equal(came_count[1], 3);
        assert_int_equal(payload_that_came(frame.ip, MTU), 4000 - 20);
        build_udp4(&frame, 0, MTU + 1, false); /* the second fragment is short */
        pass(&frame, 0);
        assert_int_equal(came_count[1], 2);
        assert_int_equal(rte_pktmbuf_pkt_len(came[1][1]), 60);
        assert_int_equal(payload_that_came(frame.ip, MTU), MTU + 1 - 20);
        assert_int_equal(counted("fragmented"), 2);
        assert_int_equal(counted("fragments"), 5);
        assert_int_equal(counted("padded"), 1);
        assert_int_equal(books().originated, 3);
        assert_dropped("tx_too_big", 0);
        close_bench();
    }
}

/* A port without a link but with a driver that has a limit: whole or not at all. */
static void a_file_gets_it_whole_or_not_at_all(void **state)
{
    static struct frame frame;

    (void)state;
    limit(UINT16_MAX)->frame = 9014;
    open_bench(0);
    build_udp4(&frame, 0, 9000, false);
    pass(&frame, 0);
    assert_int_equal(came_count[1], 1);
    assert_same(came[1][0], &frame, frame.length);
    build_udp4(&frame, 0, 9001, false);
    pass(&frame, 0);
    assert_int_equal(came_count[1], 0);
    assert_dropped("tx_too_big", 1);
    close_bench();
}

/* A kernel interface takes one tag of 802.1Q beyond its MTU. */
static void tags_are_counted_as_the_kernel_does(void **state)
{
    static struct frame frame;

    (void)state;
    limit(MTU)->kernel_tag = true;
    open_bench(0);
    build_udp4(&frame, 1, MTU, true);
    pass(&frame, 0);
    assert_int_equal(came_count[1], 1);
    build_udp4(&frame, 2, MTU - 8, true); /* 0x88a8 outside */
    pass(&frame, 0);
    assert_int_equal(came_count[1], 1);
    build_udp4(&frame, 2, MTU, true);
    pass(&frame, 0);
    assert_int_equal(came_count[1], 0);
    assert_int_equal(came_count[0], 1);
    assert_int_equal(
        frames_read16(rte_pktmbuf_mtod_offset(came[0][0], const uint8_t *, frame.ip + 20 + 6)),
        MTU - 8);
    assert_dropped("tx_too_big", 1);
    close_bench();
}

/* What stands behind an IP packet is no part of it. */
static void a_trailer_is_cut_off(void **state)
{
    static struct frame frame;
    uint32_t cuts, end;

    (void)state;
    limit(MTU);
    open_bench(0);
    for (cuts = 0; cuts < 8; cuts++) {
        build_udp4(&frame, 0, MTU - cuts, true);
        end = frame.length;
        frames_put_noise(&frame, 50);
        pass(&frame, cuts);
        assert_int_equal(came_count[1], 1);
        assert_same(came[1][0], &frame, end);
        rte_mbuf_sanity_check(came[1][0], 1);
    }
    assert_int_equal(counted("cut"), 8);
    assert_dropped("tx_too_big", 0);
    close_bench();
}

/* Of a burst in which some don't fit the others leave in order. */
static void one_too_big_holds_up_no_other(void **state)
{
    static struct frame frame;
    uint32_t i;

    (void)state;
    limit(MTU);
    open_bench(0);
    for (i = 0; i < SPILL_BURST; i++) {
        build_udp4(&frame, 0, i % 4 == 1 ? MTU + 100 : 100 + i, i % 8 == 1);
        frames_write16(frame.bytes + frame.ip + 4, i);
        feed(frames_lay(&frame, 0));
    }
    turn();
    /* 4 of 8 that are too big have DF; the others become two. */
    assert_int_equal(came_count[0], 4);
    assert_int_equal(came_count[1], 24 + 2 * 4);
    for (i = 1; i < came_count[1]; i++)
        assert_true(
            frames_read16(rte_pktmbuf_mtod_offset(came[1][i], const uint8_t *, 14 + 4)) >=
            frames_read16(rte_pktmbuf_mtod_offset(came[1][i - 1], const uint8_t *, 14 + 4)));
    assert_dropped("tx_too_big", 4);
    close_bench();
}

/* -------------------------------------------------------------------- segments, the shortest */

static void what_has_too_many_segments_is_made_one(void **state)
{
    static struct frame frame;
    struct rte_mbuf *mbuf;

    (void)state;
    limit(9000)->segments = 1;
    open_bench(0);
    build_udp4(&frame, 0, 1000, false);
    mbuf = frames_lay(&frame, 3);
    while (mbuf->nb_segs == 1 || mbuf->data_len == 0 || mbuf->buf_len < 2048) {
        rte_pktmbuf_free(mbuf);
        mbuf = frames_lay(&frame, 3);
    }
    feed(mbuf);
    turn();
    assert_int_equal(came_count[1], 1);
    assert_int_equal(came[1][0]->nb_segs, 1);
    assert_same(came[1][0], &frame, frame.length);
    assert_int_equal(counted("linearized"), 1);
    build_udp4(&frame, 0, 5000, false); /* more than an mbuf holds */
    pass(&frame, 0);
    assert_int_equal(came_count[1], 0);
    assert_dropped("tx_too_many_segments", 1);
    close_bench();
}

static void what_is_too_short_is_padded_with_zeros(void **state)
{
    static struct frame frame;
    struct rte_mbuf *mbuf;
    uint32_t i;

    (void)state;
    limit(MTU)->least = 60;
    open_bench(0);
    build_udp4(&frame, 0, 28, false);
    mbuf = frames_lay(&frame, 0);
    memset(rte_pktmbuf_mtod_offset(mbuf, char *, mbuf->data_len), 0xaa,
           100); /* of the one before */
    feed(mbuf);
    turn();
    assert_int_equal(came_count[1], 1);
    assert_same(came[1][0], &frame, 60);
    for (i = frame.length; i < 60; i++)
        assert_int_equal(rte_pktmbuf_mtod(came[1][0], const uint8_t *)[i], 0);
    build_udp4(&frame, 0, 59 - sizeof(struct rte_ether_hdr), false);
    feed(frames_lay(&frame, 0));
    turn();
    assert_int_equal(came_count[1], 1);
    assert_int_equal(came[1][0]->pkt_len, 60);
    build_udp4(&frame, 0, 28, false);
    mbuf = frames_lay(&frame, 0);
    mbuf->buf_len = (uint16_t)(mbuf->data_off + mbuf->data_len + 17); /* one byte too few */
    feed(mbuf);
    turn();
    assert_int_equal(came_count[1], 0);
    assert_dropped("tx_too_short", 1);
    close_bench();
}

/* Law 3: what copies packets has an allowance; without any it is dropped, and the rest goes on. */
static void what_copies_packets_gets_the_time_that_there_is(void **state)
{
    static struct frame large, small;
    struct spill_fast *fast;
    struct spill_allowance *fitting;
    struct rte_mbuf *mbuf;

    (void)state;
    limit(MTU)->segments = 1;
    open_bench(0);
    fast = bench.pipeline->lcores[1].fast;
    fitting = &fast->exits.fitting;
    build_udp4(&large, 0, MTU + 1, false);
    build_udp4(&small, 0, 500, false);
    pass(&large, 0);
    assert_int_equal(came_count[1], 2);
    feed(frames_lay(&large, 0));
    fitting->left = 1;
    fast->receive.has_time = false;
    fast->receive.last_turn = rte_rdtsc();
    turn_once();
    assert_int_equal(came_count[1], 4);
    assert_true(fitting->left < 1); /* what it costs is taken out */
    fitting->most = -1;             /* nothing is earned */
    fitting->left = -1;
    pass(&large, 0);
    assert_int_equal(came_count[1], 0);
    pass(&small, 0);
    assert_int_equal(came_count[1], 1);
    do
        mbuf = frames_lay(&small, 3);
    while (mbuf->nb_segs == 1 && (rte_pktmbuf_free(mbuf), true));
    feed(mbuf);
    turn();
    assert_int_equal(came_count[1], 0);
    assert_dropped("tx_fit_limit", 2);
    close_bench();
}

/* ------------------------------------------------------------------------- limits of errors */

static struct spill_packet source4(uint32_t address)
{
    struct spill_packet packet = {.kind = SPILL_PACKET_IPV4, .direction = 1};

    packet.key.v4.address[1] = rte_cpu_to_be_32(address);
    return packet;
}

/* Errors that a source gets in a second in which it asks each of so many times. */
static uint32_t tokens(struct spill_error_limit *errors, const struct spill_packet *packet,
                       uint64_t from, uint32_t times)
{
    uint32_t count = 0, i;

    for (i = 0; i < times; i++)
        count += spill_error_limit_take(errors, packet, from + (uint64_t)i * 1000000 / times);
    return count;
}

/* By a clock of a million ticks a second, and at most a thousand errors. */
static void one_sender_leaves_errors_for_the_others(void **state)
{
    static struct spill_error_limit errors;
    struct spill_packet one = source4(0x0a000001), other;
    uint32_t i, all = 0;

    (void)state;
    spill_error_limit_init(&errors, 1000000, 1000, 7);
    assert_in_range(tokens(&errors, &one, 1000000, 100000), 100, 110);
    assert_in_range(tokens(&errors, &one, 2000000, 100000), 95, 105); /* no second burst */
    for (i = 0; i < 100000; i++) {
        uint64_t now = 5000000 + i * 10;

        spill_error_limit_take(&errors, &one, now);
        if (i % 1000 != 0)
            continue;
        other = source4(0x0b000000 + i);
        all += spill_error_limit_take(&errors, &other, now);
    }
    assert_int_equal(all, 100); /* each of them, beside the one that floods */
    for (i = 0, all = 0; i < 100000; i++) {
        other = source4(0xc0000000 + i);
        all += spill_error_limit_take(&errors, &other, 9000000 + i * 10);
    }
    assert_in_range(all, 1000, 1070); /* in all */
    spill_error_limit_init(&errors, 1000000, 1000, 7);
    assert_int_equal(tokens(&errors, &one, 1000000, 1), 1); /* a clock near 0 owes nothing */
}

/* In IPv6 a host can have any address below its first 64 bits. */
static void errors_to_one_prefix_are_counted_together(void **state)
{
    static struct spill_error_limit errors;
    struct spill_packet packet = {.kind = SPILL_PACKET_IPV6};
    uint32_t count = 0, i;

    (void)state;
    spill_error_limit_init(&errors, 1000000, 1000, 7);
    for (i = 0; i < 200; i++) {
        memcpy(packet.key.v6.address[0], "\x20\x01\x0d\xb8\0\0\0\1", 8);
        memcpy(packet.key.v6.address[0] + 12, &i, 4);
        count += spill_error_limit_take(&errors, &packet, 1000000);
    }
    assert_in_range(count, 1, 10);
}

/* What may not be answered takes nothing from those that may. */
static void only_answers_count(void **state)
{
    static struct frame frame;
    uint32_t i;

    (void)state;
    limit(MTU);
    open_bench(0);
    for (i = 0; i < 2000; i++) {
        frames_build4(&frame, 0, 0, IPPROTO_ICMP, MTU);
        frames_write16(frame.bytes + frame.ip + 6, 0x4000);
        frame.bytes[frame.payload] = 3; /* an error */
        pass(&frame, 0);
        assert_int_equal(came_count[0], 0);
    }
    build_udp4(&frame, 0, MTU + 1, true);
    for (i = 0; i < 100; i++)
        pass(&frame, 0);
    assert_true(counted("icmp_errors") >= 8);
    assert_int_equal(counted("icmp_errors") + counted("icmp_errors_limited"), 100);
    assert_dropped("tx_too_big", 2100);
    close_bench();
}

/* ------------------------------------------------------------------------ why a device refuses */

static eth_tx_burst_t real_transmit;
static eth_tx_prep_t real_prepare;
static bool takes_nothing;

/* A device that never takes a frame that ends so, as some do with what is wrong for them. */
static bool is_hated(const struct rte_mbuf *mbuf)
{
    return rte_pktmbuf_mtod(mbuf, const uint8_t *)[mbuf->data_len - 1] == 0xee;
}

static uint16_t choosy_transmit(void *queue, struct rte_mbuf **mbufs, uint16_t count)
{
    uint16_t taken = 0;

    while (!takes_nothing && taken < count && !is_hated(mbufs[taken]))
        taken++;
    return real_transmit(queue, mbufs, taken);
}

static uint16_t choosy_prepare(void *queue, struct rte_mbuf **mbufs, uint16_t count)
{
    (void)queue;
    (void)count;
    rte_errno = EINVAL;
    return is_hated(mbufs[0]) ? 0 : 1;
}

static void set_device(bool nothing, bool prepares)
{
    struct rte_eth_fp_ops *device = &rte_eth_fp_ops[bench_ports[1].id];

    takes_nothing = nothing;
    device->tx_pkt_burst = choosy_transmit;
    device->tx_pkt_prepare = prepares ? choosy_prepare : real_prepare;
}

static int reset_device(void **state)
{
    struct rte_eth_fp_ops *device = &rte_eth_fp_ops[bench_ports[1].id];
    int status = clear(state);

    device->tx_pkt_burst = real_transmit;
    device->tx_pkt_prepare = real_prepare;
    return status;
}

static void feed_number(uint32_t number, bool hated)
{
    static struct frame frame;

    build_udp4(&frame, 0, 200, false);
    frames_write16(frame.bytes + frame.ip + 4, number);
    frame.bytes[frame.length - 1] = hated ? 0xee : 0;
    feed(frames_lay(&frame, 0));
}

static uint32_t number_of(const struct rte_mbuf *mbuf)
{
    return frames_read16(rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, 14 + 4));
}

/* The output's backlog at a time that the test says. */
static void retry_at(uint64_t now)
{
    struct spill_transmitter *transmitter = NULL;
    uint32_t i, lcore;

    turn();
    for (lcore = 1; lcore < bench.plan.lcore_count; lcore++) {
        transmitter = spill_pipeline_transmitter(&bench.pipeline->lcores[lcore]);
        for (i = 0; transmitter != NULL && i < transmitter->output_count; i++)
            spill_output_retry(transmitter->outputs[i], now);
    }
    take_all();
}

/* The driver says so itself: at once. */
static void a_packet_that_the_driver_rejects_is_dropped_at_once(void **state)
{
    uint32_t shape, i;

    (void)state;
    limit(MTU);
    set_device(false, true);
    for (shape = 0; shape < 2; shape++) {
        open_bench(shape);
        for (i = 0; i < 20; i++)
            feed_number(i, i % 3 == 0);
        turn();
        assert_int_equal(came_count[1], 13);
        for (i = 1; i < came_count[1]; i++)
            assert_true(number_of(came[1][i]) > number_of(came[1][i - 1]));
        assert_dropped("tx_refused", 7);
        close_bench();
    }
}

/* It says nothing, but takes others: those behind the first wait for a while, and then go. */
static void a_packet_that_is_never_taken_blocks_no_other(void **state)
{
    uint32_t shape, i, all;

    (void)state;
    limit(MTU);
    set_device(false, false);
    for (shape = 0; shape < 2; shape++) {
        open_bench(shape);
        for (i = 0; i < 20; i++)
            feed_number(i, i < 2 || i == 10);
        turn();
        for (i = 0, all = 0; i < 10 && all < 17; i++) {
            retry_at(rte_rdtsc() + (i + 1) * rte_get_tsc_hz());
            all += came_count[1];
        }
        assert_int_equal(all, 17);
        assert_dropped("tx_refused", 3);
        close_bench();
    }
}

static void alone_it_is_given_up(void **state)
{
    uint64_t now;

    (void)state;
    limit(MTU);
    set_device(false, false);
    open_bench(0);
    feed_number(1, true);
    turn();
    now = rte_rdtsc();
    retry_at(now + rte_get_tsc_hz() / 2);
    assert_dropped("tx_refused", 0);
    retry_at(now + 2 * rte_get_tsc_hz());
    assert_dropped("tx_refused", 1);
    close_bench();
}

/* "Not now" waits, for as long as it may take, and nothing is lost. */
static void a_device_that_takes_nothing_is_waited_for(void **state)
{
    uint32_t i;

    (void)state;
    limit(MTU);
    set_device(true, false);
    open_bench(0);
    for (i = 0; i < 20; i++)
        feed_number(i, false);
    turn();
    for (i = 0; i < 100; i++)
        retry_at(rte_rdtsc() + i * rte_get_tsc_hz());
    assert_dropped("tx_refused", 0);
    set_device(false, false);
    turn();
    assert_int_equal(came_count[1], 20);
    for (i = 0; i < 20; i++)
        assert_int_equal(number_of(came[1][i]), i);
    assert_dropped("tx_refused", 0);
    close_bench();
}

/* ---------------------------------------------------------------------------------- links */

static void link_is(uint16_t mtu, bool lost)
{
    spill_links_set(&bench.pipeline->links, bench_ports[1].id,
                    (struct spill_link){.mtu = mtu, .lost = lost});
    turn();
}

/* Of an interface that is down its driver would take them: what waited is dropped with the rest. */
static void what_leaves_by_a_lost_link_is_dropped(void **state)
{
    uint32_t shape, i;

    (void)state;
    limit(MTU);
    for (shape = 0; shape < 2; shape++) {
        open_bench(shape);
        set_device(true, false);
        for (i = 0; i < 20; i++)
            feed_number(i, false);
        turn();
        assert_dropped("tx_link_down", 0);
        link_is(0, true);
        assert_dropped("tx_link_down", 20);
        set_device(false, false);
        for (i = 0; i < 5; i++)
            feed_number(i, false);
        turn();
        assert_int_equal(came_count[1], 0);
        assert_dropped("tx_link_down", 25);
        link_is(0, false);
        feed_number(1, false);
        turn();
        assert_int_equal(came_count[1], 1);
        close_bench();
    }
}

/* Nor is anybody told that a packet was too big, who could do nothing about it. */
static void a_link_s_mtu_is_in_force_at_once(void **state)
{
    static struct frame frame;

    (void)state;
    limit(MTU);
    open_bench(0);
    build_udp4(&frame, 0, MTU, true);
    link_is(MTU - 1, false);
    pass(&frame, 0);
    assert_int_equal(came_count[1], 0);
    assert_int_equal(came_count[0], 1);
    assert_int_equal(
        frames_read16(rte_pktmbuf_mtod_offset(came[0][0], const uint8_t *, 14 + 20 + 6)), MTU - 1);
    assert_dropped("tx_too_big", 1);
    link_is(MTU - 1, true);
    pass(&frame, 0);
    assert_int_equal(came_count[0] + came_count[1], 0);
    link_is(9000, false); /* its buffers are for the MTU that it was started with */
    pass(&frame, 0);
    assert_int_equal(came_count[1], 1);
    build_udp4(&frame, 0, MTU + 1, true);
    pass(&frame, 0);
    assert_int_equal(came_count[1], 0);
    close_bench();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_fits_leaves_as_it_came, clear),
        cmocka_unit_test_teardown(the_sender_of_what_is_too_big_is_told, clear),
        cmocka_unit_test_teardown(nobody_is_told_what_is_of_no_use, clear),
        cmocka_unit_test_teardown(ipv4_that_may_be_is_fragmented, clear),
        cmocka_unit_test_teardown(a_file_gets_it_whole_or_not_at_all, clear),
        cmocka_unit_test_teardown(tags_are_counted_as_the_kernel_does, clear),
        cmocka_unit_test_teardown(a_trailer_is_cut_off, clear),
        cmocka_unit_test_teardown(one_too_big_holds_up_no_other, clear),
        cmocka_unit_test_teardown(what_has_too_many_segments_is_made_one, clear),
        cmocka_unit_test_teardown(what_is_too_short_is_padded_with_zeros, clear),
        cmocka_unit_test_teardown(what_copies_packets_gets_the_time_that_there_is, clear),
        cmocka_unit_test(one_sender_leaves_errors_for_the_others),
        cmocka_unit_test(errors_to_one_prefix_are_counted_together),
        cmocka_unit_test_teardown(only_answers_count, clear),
        cmocka_unit_test_teardown(a_packet_that_the_driver_rejects_is_dropped_at_once,
                                  reset_device),
        cmocka_unit_test_teardown(a_packet_that_is_never_taken_blocks_no_other, reset_device),
        cmocka_unit_test_teardown(alone_it_is_given_up, reset_device),
        cmocka_unit_test_teardown(a_device_that_takes_nothing_is_waited_for, reset_device),
        cmocka_unit_test_teardown(what_leaves_by_a_lost_link_is_dropped, reset_device),
        cmocka_unit_test_teardown(a_link_s_mtu_is_in_force_at_once, clear),
    };
    int failed;

    bench_start(3);
    frames_pool = fixture_poison_pool("frames", FRAME_MBUFS, SPILL_PACKET_PRIVATE_SIZE,
                                      RTE_MBUF_DEFAULT_BUF_SIZE);
    if (frames_pool == NULL)
        return 1;
    srand((unsigned)bench_seed);
    real_transmit = rte_eth_fp_ops[bench_ports[1].id].tx_pkt_burst;
    real_prepare = rte_eth_fp_ops[bench_ports[1].id].tx_pkt_prepare;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_eal_cleanup();
    return failed;
}
