/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets that wait for their next hop's MAC address keep their places in their flows (law 4). */
#include "ip_frames.h"

#include <rte_malloc.h>

#include "pipeline/connect.h"
#include "pipeline/waiting.h"
#include "pipeline_bench.h"

static struct bench bench;
static struct spill_router *router;
static struct rte_rcu_qsbr *readers;

static struct spill_fast *fast(void)
{
    return bench.pipeline->lcores[1].fast;
}

/* A route by the second port, to a gateway that nobody has said anything of or to none. */
static void make_router(const char *gateway)
{
    struct spill_router_config config = {
        .routes4 = 64, .routes6 = 64, .readers = readers, .lcores = 1, .seed = 1};
    struct spill_route_path path = {.interface = 1};
    struct spill_pipeline_config pipeline = {0};
    struct spill_ip_prefix prefix;
    struct spill_error error;
    unsigned i;

    for (i = 0; i < SPILL_NODES_MAX; i++)
        config.memory_nodes[i] = i == 0 ? 0 : -1;
    router = spill_router_create(&config, &error);
    assert_non_null(router);
    for (i = 0; i < 2; i++) {
        const struct spill_router_interface interface = {.port = bench_ports[i].id,
                                                         .mac = {{2, 0, 0, 0, 0, 1}}};

        assert_int_equal(spill_router_add_interface(router, &interface, &error), i);
    }
    assert_true(spill_ip_prefix_read("10.0.0.0/8", &prefix));
    assert_true(gateway == NULL || spill_ip_read(gateway, &path.gateway));
    assert_int_equal(spill_router_set_route(router, &prefix, SPILL_ROUTE_FORWARD, &path, 1, &error),
                     0);
    while (spill_router_work(router))
        rte_pause();
    pipeline.router = router;
    assert_int_equal(spill_routing_init(&fast()->routing, &pipeline, 0, 0, &error), 0);
}

static void open_bench(void)
{
    static const struct bench_shape shape = {"all on one lcore", 1, 0, 0, 0};
    const struct bench_options options = {.shape = shape,
                                          .dispatch = SPILL_DISPATCH_INLINE,
                                          .overflow = SPILL_OVERFLOW_INLINE,
                                          .lanes = 8,
                                          .capacity = 16,
                                          .channel_capacity = 256,
                                          .budget_ns = 1u << 30,
                                          .rules = "allow any from any to any\n"};

    if (bench_open(&bench, &options) != 0)
        fail_msg("%s", bench.error.text);
    bench_ports[1].mtu = 1500;
    bench_ports[1].limits =
        (struct spill_port_limits){.packet = 1500, .frame = UINT16_MAX, .segments = UINT16_MAX};
}

/* Routes one packet to 10.0.x.y, as if it had just come. */
static void send_to(uint8_t x, uint8_t y, uint16_t number)
{
    struct spill_packet packet, *pointer = &packet;
    static struct frame frame;
    struct rte_mbuf *mbuf;
    uint8_t *ip;

    frames_build4(&frame, 0, 0, IPPROTO_UDP, 100);
    frames_make_udp(&frame);
    ip = frame.bytes + frame.ip;
    frames_write16(ip + 4, number);
    frames_write16(ip + 6, 0);
    ip[8] = 64;
    memcpy(ip + 16, (const uint8_t[]){10, 0, x, y}, 4);
    mbuf = frames_lay(&frame, 0);
    packet = frames_parse(mbuf);
    packet.input = (uint8_t)bench_ports[0].id;
    packet.output = SPILL_OUTPUT_ROUTE;
    fast()->ledger.received++;
    spill_routing_send(fast(), &mbuf, &pointer, 1, rte_rdtsc(), SPILL_PATH_FAST);
}

static void send_one(uint16_t number)
{
    send_to(0, 1, number);
}

static void turn(void)
{
    struct spill_loop *loop = bench.pipeline->lcores[1].loop;
    uint32_t i;

    for (i = 0; i < loop->stage_count; i++)
        loop->stages[i].poll(loop->stages[i].context, rte_rdtsc());
}

static void who_waits_is_not_overtaken(void **state)
{
    const struct rte_ether_addr mac = {{2, 0, 0, 0, 0, 9}};
    struct spill_ip gateway;
    struct spill_error error;
    struct rte_mbuf *came[8];
    unsigned count, i;

    (void)state;
    open_bench();
    make_router("192.0.2.1");
    send_one(1);
    send_one(2);
    assert_int_equal(fast()->routing.waiting->count, 1);
    assert_true(spill_ip_read("192.0.2.1", &gateway));
    assert_int_equal(
        spill_router_set_neighbor(router, 1, &gateway, SPILL_NEIGHBOR_REACHABLE, &mac, &error), 0);
    send_one(3);
    assert_int_equal(fast()->routing.waiting->count, 0);
    send_one(4);
    turn();
    count = rte_ring_dequeue_burst(bench_out[1], (void **)came, RTE_DIM(came), NULL);
    assert_int_equal(count, 4);
    for (i = 0; i < count; i++)
        assert_int_equal(frames_read16(rte_pktmbuf_mtod_offset(came[i], const uint8_t *, 14 + 4)),
                         i + 1);
    rte_pktmbuf_free_bulk(came, count);
    bench_close(&bench);
    spill_router_free(router);
    assert_int_equal(rte_mempool_in_use_count(frames_pool), 0);
}

/* What waits for somebody on a link that leaves is let go of at once. */
static void none_waits_for_what_leaves(void **state)
{
    (void)state;
    open_bench();
    make_router("192.0.2.1");
    send_one(1);
    spill_waiting_look(fast(), rte_rdtsc());
    assert_int_equal(fast()->routing.waiting->count, 1);
    fast()->routing.waiting->looked = 0;
    spill_router_set_link(router, 1, SPILL_LINK_OF_LEAVING, false);
    spill_waiting_look(fast(), rte_rdtsc());
    assert_int_equal(bench_drops(&fast()->ledger, "neighbor_failed"), 1);
    /* The sender would be told by the same way. */
    fast()->routing.waiting->looked = 0;
    spill_waiting_look(fast(), rte_rdtsc());
    assert_int_equal(fast()->routing.waiting->count, 0);
    assert_int_equal(bench_drops(&fast()->ledger, "neighbor_failed"), 2);
    bench_close(&bench);
    spill_router_free(router);
    assert_int_equal(rte_mempool_in_use_count(frames_pool), 0);
}

/* The nth, of which neighbours are told by one byte: half of them have the same. */
static void nth(unsigned i, uint8_t *x, uint8_t *y)
{
    *x = (uint8_t)(i < SPILL_WAITING_PORT / 2 ? i : 0);
    *y = (uint8_t)(i < SPILL_WAITING_PORT / 2 ? i ^ 64 : i);
}

static void resolve(uint8_t x, uint8_t y)
{
    const struct rte_ether_addr mac = {{2, 0, 0, 0, 0, 9}};
    struct spill_ip address = {.family = AF_INET, .bytes = {10, 0, x, y}};
    struct spill_error error;

    assert_int_equal(
        spill_router_set_neighbor(router, 1, &address, SPILL_NEIGHBOR_REACHABLE, &mac, &error), 0);
}

/* Each neighbour's packets are found among those that wait for others; the first gives way. */
static void many_neighbors_are_told_apart(void **state)
{
    const struct spill_waiting *waiting;
    unsigned i;

    (void)state;
    open_bench();
    make_router(NULL);
    waiting = fast()->routing.waiting;
    for (i = 0; i < SPILL_WAITING_PORT + 1; i++) {
        uint8_t x, y;

        nth(i, &x, &y);
        send_to(x, y, 1);
        send_to(x, y, 2);
        assert_int_equal(waiting->count, RTE_MIN(i + 1, (unsigned)SPILL_WAITING_PORT));
    }
    assert_int_equal(bench_drops(&fast()->ledger, "neighbor_full"), 2);
    for (i = 1; i < SPILL_WAITING_PORT + 1; i++) {
        struct rte_mbuf *came[8];
        unsigned count, each;
        uint8_t x, y;

        nth(i, &x, &y);
        resolve(x, y);
        send_to(x, y, 3);
        assert_int_equal(waiting->count, SPILL_WAITING_PORT - i);
        turn();
        count = rte_ring_dequeue_burst(bench_out[1], (void **)came, RTE_DIM(came), NULL);
        assert_int_equal(count, 3);
        for (each = 0; each < count; each++) {
            const uint8_t *ip = rte_pktmbuf_mtod_offset(came[each], const uint8_t *, 14);

            assert_int_equal(frames_read16(ip + 4), each + 1);
            assert_int_equal(frames_read16(ip + 18), x << 8 | y);
        }
        rte_pktmbuf_free_bulk(came, count);
    }
    bench_close(&bench);
    spill_router_free(router);
    assert_int_equal(rte_mempool_in_use_count(frames_pool), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_is_not_overtaken),
        cmocka_unit_test(none_waits_for_what_leaves),
        cmocka_unit_test(many_neighbors_are_told_apart),
    };
    int failed;

    bench_start(3);
    frames_pool = fixture_poison_pool("frames", FRAME_MBUFS, SPILL_PACKET_PRIVATE_SIZE,
                                      RTE_MBUF_DEFAULT_BUF_SIZE);
    readers = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE);
    if (frames_pool == NULL || readers == NULL || rte_rcu_qsbr_init(readers, 1) != 0)
        return 1;
    srand((unsigned)bench_seed);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_free(readers);
    rte_eal_cleanup();
    return failed;
}
