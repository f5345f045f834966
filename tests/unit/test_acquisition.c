/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets that wait for associations: in order (law 4), with bounds (law 1), and not for ever. */
#include "ip_frames.h"

#include "base/clock.h"
#include "pipeline/acquisition.h"
#include "pipeline/exit.h"
#include "pipeline/protection.h"
#include "pipeline_bench.h"

#define TRAP SPILL_SA_TRAP_FIRST

static struct bench bench;

static struct spill_fast *fast(void)
{
    return bench.pipeline->lcores[1].fast;
}

static int set_up(void **state)
{
    static const struct bench_shape shape = {"all on one lcore", 1, 0, 0, 0};
    const struct bench_options options = {.shape = shape,
                                          .dispatch = SPILL_DISPATCH_INLINE,
                                          .overflow = SPILL_OVERFLOW_INLINE,
                                          .lanes = 8,
                                          .capacity = 16,
                                          .channel_capacity = 256,
                                          .budget_ns = 1u << 30,
                                          .rules = "deny any from any to any\n"};

    (void)state;
    if (bench_open(&bench, &options) != 0 ||
        spill_acquisition_init(&fast()->acquisition, "bench", 0, &bench.error) != 0)
        fail_msg("%s", bench.error.text);
    bench_ports[1].mtu = 1500;
    bench_ports[1].limits =
        (struct spill_port_limits){.packet = 1500, .frame = UINT16_MAX, .segments = UINT16_MAX};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    spill_acquisition_drop_all(&fast()->acquisition, &fast()->ledger, NULL);
    bench_close(&bench);
    assert_int_equal(rte_mempool_in_use_count(frames_pool), 0);
    return 0;
}

static struct rte_mbuf *make(uint16_t number, struct spill_packet *packet)
{
    static struct frame frame;
    struct rte_mbuf *mbuf;

    frames_build4(&frame, 0, 0, IPPROTO_UDP, 100);
    frames_make_udp(&frame);
    frames_write16(frame.bytes + frame.ip + 4, number);
    frames_write16(frame.bytes + frame.ip + 6, 0);
    frame.bytes[frame.ip + 8] = 64;
    mbuf = frames_lay(&frame, 0);
    *packet = frames_parse(mbuf);
    packet->input = (uint8_t)bench_ports[0].id;
    packet->output = (uint8_t)bench_ports[1].id;
    fast()->ledger.received++;
    return mbuf;
}

/* Has a packet wait that a trap selected. */
static void wait_for(uint16_t trap, uint16_t number, uint64_t stamp)
{
    struct spill_packet packet;
    struct rte_mbuf *mbuf = make(number, &packet);

    packet.verdict = SPILL_VERDICT_DENY;
    packet.sa = trap;
    spill_acquisition_wait(fast(), mbuf, &packet, stamp, SPILL_ACQUISITION_FORWARDED);
}

static void turn(void)
{
    struct spill_loop *loop = bench.pipeline->lcores[1].loop;
    uint32_t i;

    for (i = 0; i < loop->stage_count; i++)
        loop->stages[i].poll(loop->stages[i].context, spill_clock());
}

/* What was sent has the numbers from 1 on. */
static void assert_came(unsigned expected)
{
    struct rte_mbuf *came[32];
    const unsigned count = rte_ring_dequeue_burst(bench_out[1], (void **)came, 32, NULL);
    unsigned i;

    assert_int_equal(count, expected);
    for (i = 0; i < count; i++)
        assert_int_equal(frames_read16(rte_pktmbuf_mtod_offset(came[i], const uint8_t *, 14 + 4)),
                         i + 1);
    rte_pktmbuf_free_bulk(came, count);
}

static uint32_t needs(void)
{
    struct spill_acquisition_need taken[SPILL_ACQUISITION_NEEDS];

    return spill_acquisition_take_needs(&fast()->acquisition, taken, SPILL_ACQUISITION_NEEDS);
}

static uint64_t drops(const char *name)
{
    return bench_drops(&fast()->ledger, name);
}

static void leave_in_order(void **state)
{
    struct spill_packet packet, *pointer = &packet;
    struct rte_mbuf *mbuf;

    (void)state;
    turn();
    for (uint16_t i = 1; i <= 4; i++)
        wait_for(TRAP, i, spill_clock());
    turn();
    assert_came(0);
    assert_int_equal(fast()->acquisition.packets, 4);
    assert_int_equal(bench_publish(&bench, 2, "allow any from any to any\n"), 0);
    /* Within a turn: what comes then does not overtake them. */
    spill_version_take(&fast()->version, fast()->flows, spill_clock());
    mbuf = make(5, &packet);
    packet.verdict = SPILL_VERDICT_ALLOW;
    assert_int_equal(spill_protection_apply(fast(), &mbuf, &pointer, 1, spill_clock()), 1);
    spill_exit_send(fast(), &mbuf, &pointer, 1, spill_clock(), SPILL_PATH_FAST);
    assert_int_equal(fast()->acquisition.packets, 0);
    turn();
    assert_came(5);
}

static void go_by_newer_rules(void **state)
{
    (void)state;
    turn();
    wait_for(TRAP, 1, spill_clock());
    wait_for(TRAP + 1, 2, spill_clock());
    assert_int_equal(bench_publish(&bench, 2, "deny any from any to any\n"), 0);
    turn();
    assert_came(0);
    assert_int_equal(drops("denied"), 2);
    assert_int_equal(fast()->acquisition.packets, 0);
}

static void are_told(void **state)
{
    struct spill_acquisition_need need;
    struct spill_packet packet;
    struct rte_mbuf *mbuf = make(1, &packet);
    const unsigned from = packet.direction;

    (void)state;
    packet.verdict = SPILL_VERDICT_DENY;
    packet.sa = TRAP;
    spill_acquisition_wait(fast(), mbuf, &packet, spill_clock(), SPILL_ACQUISITION_FORWARDED);
    assert_int_equal(spill_acquisition_take_needs(&fast()->acquisition, &need, 1), 1);
    assert_int_equal(need.trap, TRAP);
    assert_int_equal(need.kind, SPILL_PACKET_IPV4);
    assert_int_equal(need.protocol, IPPROTO_UDP);
    assert_memory_equal(need.address[0], &packet.key.v4.address[from], 4);
    assert_memory_equal(need.address[1], &packet.key.v4.address[!from], 4);
    assert_memory_not_equal(need.address[0], need.address[1], 4);
    assert_int_equal(need.has_ports, 1);
    assert_int_equal(need.port[0], rte_be_to_cpu_16(packet.key.v4.port[from]));
    assert_int_equal(need.port[1], rte_be_to_cpu_16(packet.key.v4.port[!from]));
    assert_int_not_equal(need.port[0], need.port[1]);
}

static void are_few(void **state)
{
    const uint64_t now = spill_clock();
    uint16_t trap, i;

    (void)state;
    turn();
    for (i = 0; i < 1000; i++)
        wait_for(TRAP, i, now);
    assert_int_equal(fast()->acquisition.packets, SPILL_ACQUISITION_EACH);
    assert_int_equal(drops("acquire_full"), 1000 - SPILL_ACQUISITION_EACH);
    /* All that wait, and one of those that do not. */
    assert_int_equal(needs(), SPILL_ACQUISITION_EACH + 1);
    /* Others have their places all the same. */
    for (trap = 1; trap < SPILL_ACQUISITION_TRAPS; trap++)
        wait_for(TRAP + trap, 0, now);
    assert_int_equal(drops("acquire_full"), 1000 - SPILL_ACQUISITION_EACH);
    wait_for(TRAP + trap, 0, now + rte_get_tsc_hz());
    assert_int_equal(drops("acquire_full"), 1000 - SPILL_ACQUISITION_EACH + 1);
    assert_int_equal(needs(), SPILL_ACQUISITION_TRAPS - 1 + 1);
    /* The control thread takes none. */
    for (i = 0; i < 2 * SPILL_ACQUISITION_NEEDS; i++)
        wait_for(TRAP, i, now + (2 + i) * rte_get_tsc_hz());
    assert_int_equal(needs(), SPILL_ACQUISITION_NEEDS);
}

static void do_not_wait_for_ever(void **state)
{
    const uint64_t second = rte_get_tsc_hz(), now = spill_clock();

    (void)state;
    turn();
    wait_for(TRAP, 1, now);
    wait_for(TRAP, 2, now + 10 * second);
    assert_int_equal(needs(), 2);
    /* Of each trap one is asked for again, once a second. */
    spill_acquisition_look(fast(), now + 10 * second + second / 2);
    assert_int_equal(needs(), 0);
    spill_acquisition_look(fast(), now + 11 * second + second / 2);
    spill_acquisition_look(fast(), now + 11 * second + second / 2 + second / 100);
    assert_int_equal(needs(), 1);
    spill_acquisition_look(fast(), now + 29 * second);
    assert_int_equal(drops("acquire_expired"), 0);
    spill_acquisition_look(fast(), now + 31 * second);
    assert_int_equal(drops("acquire_expired"), 1);
    assert_int_equal(fast()->acquisition.packets, 1);
    spill_acquisition_look(fast(), now + 41 * second);
    assert_int_equal(drops("acquire_expired"), 2);
    assert_int_equal(fast()->acquisition.packets, 0);
}

/* Other rules have changed, and the trap selects it still: it waits on, for the time that it had,
 * and nobody is asked again. */
static void wait_on_by_the_same_trap(void **state)
{
    const uint64_t second = rte_get_tsc_hz(), now = spill_clock();
    struct spill_ruleset *ruleset;

    (void)state;
    turn();
    wait_for(TRAP, 1, now - 10 * second);
    wait_for(TRAP + 1, 2, now);
    assert_int_equal(needs(), 2);
    ruleset = bench_read_rules(&bench, "deny any from any to any\n");
    assert_non_null(ruleset);
    ruleset->rules[0].trap = TRAP;
    assert_int_equal(bench_publish_rules(&bench, 2, ruleset, true), 0);
    turn();
    /* The other one waits by this trap now. */
    assert_int_equal(fast()->acquisition.packets, 2);
    assert_int_equal(needs(), 1);
    spill_acquisition_look(fast(), now + 19 * second);
    assert_int_equal(drops("acquire_expired"), 0);
    spill_acquisition_look(fast(), now + 21 * second);
    assert_int_equal(drops("acquire_expired"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(leave_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(go_by_newer_rules, set_up, tear_down),
        cmocka_unit_test_setup_teardown(are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(are_few, set_up, tear_down),
        cmocka_unit_test_setup_teardown(do_not_wait_for_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wait_on_by_the_same_trap, set_up, tear_down),
    };
    int failed;

    bench_start(3);
    frames_pool = fixture_poison_pool("frames", FRAME_MBUFS, SPILL_PACKET_PRIVATE_SIZE,
                                      RTE_MBUF_DEFAULT_BUF_SIZE);
    if (frames_pool == NULL)
        return 1;
    srand((unsigned)bench_seed);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_mempool_free(frames_pool);
    rte_eal_cleanup();
    return failed;
}
