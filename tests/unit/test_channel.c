/* SPDX-License-Identifier: BSD-3-Clause */
/* Channels: capacity, refusal and order, and their end under real threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lcores.h"
#include "runtime/channel.h"

#define LCORES       5
#define BURST        32
#define SENDERS_MAX  3
#define CLOSE_ROUNDS 100
#define LEAVE_ROUNDS 5000

static const enum spill_ring_mode modes[] = {SPILL_RING_EXCLUSIVE, SPILL_RING_PREEMPTIBLE};
static struct spill_error error;
static uint64_t seed;

/* A channel never looks into an mbuf: here it carries a sender and a number. */
static struct rte_mbuf *element(uint32_t sender, uint64_t number)
{
    return (struct rte_mbuf *)(uintptr_t)((uint64_t)(sender + 1) << 48 | number);
}

static uint32_t sender_of(const struct rte_mbuf *mbuf)
{
    return (uint32_t)((uintptr_t)mbuf >> 48) - 1;
}

static uint64_t number_of(const struct rte_mbuf *mbuf)
{
    return (uintptr_t)mbuf & 0xffffffffffff;
}

static struct spill_channel *create(uint32_t capacity, uint32_t senders, enum spill_ring_mode mode)
{
    static unsigned created;
    struct spill_channel *channel;
    char name[SPILL_CHANNEL_NAME_MAX];

    /* A name of its own: one that a failed test left behind must not fail the others. */
    snprintf(name, sizeof(name), "test%u", created++);
    channel = spill_channel_create(name, capacity, senders, SOCKET_ID_ANY, mode, &error);
    if (channel == NULL)
        fail_msg("%s", error.text);
    return channel;
}

/* ------------------------------------------------------------------------------ one thread */

static void fill_and_empty(uint32_t capacity, enum spill_ring_mode mode)
{
    struct spill_channel *channel = create(capacity, 1, mode);
    struct spill_sender *sender = spill_channel_sender(channel, 0);
    uint64_t next = 0, wanted = 0, refused = 0, high_water = 0;
    struct rte_mbuf *mbufs[BURST];
    uint32_t waiting = 0, round, count, taken, i;

    for (round = 0; round < 500; round++) {
        count = 1 + test_random_below(&seed, BURST);
        for (i = 0; i < count; i++)
            mbufs[i] = element(0, next + i);
        taken = spill_channel_send(sender, mbufs, count);
        assert_int_equal(taken, RTE_MIN(count, capacity - waiting));
        for (i = 0; i < count; i++)
            assert_ptr_equal(mbufs[i], element(0, next + i));
        next += taken;
        waiting += taken;
        refused += count - taken;
        assert_int_equal(sender->sent, next);
        assert_int_equal(sender->refused, refused);
        assert_int_equal(spill_channel_sent(channel), next);
        assert_int_equal(spill_channel_refused(channel), refused);

        count = test_random_below(&seed, BURST + 1);
        high_water = RTE_MAX(high_water, waiting);
        taken = spill_channel_receive(channel, mbufs, count);
        assert_int_equal(taken, RTE_MIN(count, waiting));
        for (i = 0; i < taken; i++)
            assert_ptr_equal(mbufs[i], element(0, wanted + i));
        wanted += taken;
        waiting -= taken;
        assert_int_equal(channel->received, wanted);
        assert_int_equal(channel->high_water, high_water);
        assert_false(spill_channel_ended(channel));
    }
    assert_int_equal(channel->high_water, capacity < 500 ? capacity : channel->high_water);
    while ((taken = spill_channel_receive(channel, mbufs, BURST)) > 0)
        waiting -= taken;
    assert_int_equal(waiting, 0);
    spill_channel_free(channel);
}

static void capacity_is_exact_and_refused_packets_stay_the_senders(void **state)
{
    static const uint32_t capacities[] = {1, 2, 3, 7, 8, 31, 32, 33, 64, 100};
    uint32_t i;

    (void)state;
    for (i = 0; i < RTE_DIM(capacities); i++) {
        fill_and_empty(capacities[i], SPILL_RING_EXCLUSIVE);
        fill_and_empty(capacities[i], SPILL_RING_PREEMPTIBLE);
    }
}

static void ends_when_all_have_left_and_not_before_the_last_element(void **state)
{
    struct rte_mbuf *mbuf = element(0, 1);
    uint32_t i;

    (void)state;
    for (i = 0; i < RTE_DIM(modes); i++) {
        struct spill_channel *channel = create(4, 2, modes[i]);

        assert_false(spill_channel_ended(channel));
        assert_int_equal(spill_channel_send(spill_channel_sender(channel, 0), &mbuf, 1), 1);
        spill_sender_leave(spill_channel_sender(channel, 0));
        assert_false(spill_channel_ended(channel));
        spill_sender_leave(spill_channel_sender(channel, 1));
        assert_false(spill_channel_ended(channel));
        assert_int_equal(spill_channel_receive(channel, &mbuf, 1), 1);
        assert_true(spill_channel_ended(channel));
        spill_sender_leave(spill_channel_sender(channel, 1));
        assert_true(spill_channel_ended(channel));
        spill_channel_free(channel);
    }
}

static void a_closed_channel_refuses_and_makes_its_senders_leave(void **state)
{
    struct rte_mbuf *mbufs[3] = {element(0, 1), element(0, 2), element(0, 3)};
    uint32_t i;

    (void)state;
    for (i = 0; i < RTE_DIM(modes); i++) {
        struct spill_channel *channel = create(4, 2, modes[i]);
        struct spill_sender *first = spill_channel_sender(channel, 0);
        struct spill_sender *second = spill_channel_sender(channel, 1);

        assert_int_equal(spill_channel_send(first, mbufs, 1), 1);
        spill_channel_close(channel);
        assert_int_equal(spill_channel_send(first, mbufs + 1, 2), 0);
        assert_int_equal(first->sent, 1);
        assert_int_equal(first->refused, 2);
        assert_ptr_equal(mbufs[1], element(0, 2));
        assert_false(spill_channel_ended(channel));
        assert_int_equal(spill_channel_receive(channel, mbufs, 3), 1);
        assert_false(spill_channel_ended(channel));
        assert_int_equal(spill_channel_send(second, mbufs, 1), 0);
        assert_true(spill_channel_ended(channel));
        spill_channel_free(channel);
    }
}

static void what_cannot_be_is_an_error_and_leaves_nothing(void **state)
{
    size_t before = test_heap_bytes();
    struct spill_channel *channel;

    (void)state;
    assert_null(spill_channel_create("x", 0, 1, SOCKET_ID_ANY, SPILL_RING_EXCLUSIVE, &error));
    assert_non_null(strstr(error.text, "'x'"));
    assert_null(spill_channel_create("x", 1, 0, SOCKET_ID_ANY, SPILL_RING_EXCLUSIVE, &error));
    assert_null(spill_channel_create("a name of twenty-four ch", 1, 1, SOCKET_ID_ANY,
                                     SPILL_RING_EXCLUSIVE, &error));
    channel = create(1, 1, SPILL_RING_EXCLUSIVE);
    assert_null(
        spill_channel_create(channel->name, 1, 1, SOCKET_ID_ANY, SPILL_RING_EXCLUSIVE, &error));
    assert_non_null(strstr(error.text, channel->name));
    spill_channel_free(channel);
    spill_channel_free(NULL);
    assert_int_equal(test_heap_bytes(), before);
}

/* ------------------------------------------------------------------------- several threads */

struct producer {
    struct spill_sender *sender;
    uint64_t packets;
    uint64_t seed;
    uint64_t refused; /* that were sent again */
} __rte_cache_aligned;

/* Sends all its numbers, what is refused once more, then leaves. */
static int produce(void *argument)
{
    struct producer *producer = argument;
    uint32_t index = (uint32_t)(producer->sender - producer->sender->channel->senders);
    struct rte_mbuf *mbufs[BURST];
    uint64_t next = 0;

    while (next < producer->packets) {
        uint32_t count = 1 + test_random_below(&producer->seed, BURST), taken, i;

        count = (uint32_t)RTE_MIN(count, producer->packets - next);
        for (i = 0; i < count; i++)
            mbufs[i] = element(index, next + i);
        taken = spill_channel_send(producer->sender, mbufs, count);
        producer->refused += count - taken;
        next += taken;
        if (taken < count)
            sched_yield();
    }
    spill_sender_leave(producer->sender);
    return 0;
}

/* Receives until the end and checks that each sender's numbers come without a gap. */
static uint64_t receive_all(struct spill_channel *channel, uint64_t next[SENDERS_MAX])
{
    struct rte_mbuf *mbufs[BURST];
    uint64_t total = 0;

    for (;;) {
        bool ended = spill_channel_ended(channel);
        uint32_t count = spill_channel_receive(channel, mbufs, 1 + test_random_below(&seed, BURST)),
                 i;

        assert_false(ended && count > 0);
        if (ended)
            return total;
        if (count == 0)
            sched_yield();
        for (i = 0; i < count; i++)
            assert_int_equal(number_of(mbufs[i]), next[sender_of(mbufs[i])]++);
        total += count;
        assert_true(channel->high_water <= channel->capacity);
    }
}

static void several_producers(uint32_t senders, uint64_t packets, uint32_t capacity,
                              enum spill_ring_mode mode)
{
    struct spill_channel *channel = create(capacity, senders, mode);
    static struct producer producers[SENDERS_MAX];
    uint64_t next[SENDERS_MAX] = {0}, refused = 0;
    uint32_t i;

    for (i = 0; i < senders; i++) {
        producers[i] = (struct producer){.sender = spill_channel_sender(channel, i),
                                         .packets = packets,
                                         .seed = test_random(&seed) | 1};
        assert_int_equal(rte_eal_remote_launch(produce, &producers[i], 1 + i), 0);
    }
    assert_int_equal(receive_all(channel, next), packets * senders);
    rte_eal_mp_wait_lcore();
    for (i = 0; i < senders; i++) {
        assert_int_equal(next[i], packets);
        assert_int_equal(channel->senders[i].sent, packets);
        assert_int_equal(channel->senders[i].refused, producers[i].refused);
        refused += producers[i].refused;
    }
    assert_int_equal(channel->received, packets * senders);
    assert_int_equal(spill_channel_sent(channel), packets * senders);
    assert_int_equal(spill_channel_refused(channel), refused);
    spill_channel_free(channel);
}

static void each_element_once_and_in_its_senders_order(void **state)
{
    (void)state;
    several_producers(3, TEST_ROUNDS(500000), 256, SPILL_RING_PREEMPTIBLE);
    several_producers(3, TEST_ROUNDS(25000), 5, SPILL_RING_PREEMPTIBLE);
    several_producers(1, TEST_ROUNDS(500000), 256, SPILL_RING_EXCLUSIVE);
    several_producers(1, TEST_ROUNDS(25000), 1, SPILL_RING_EXCLUSIVE);
    /* More threads than CPUs: slow, each preempted producer holds up the others. */
    several_producers(2, TEST_ROUNDS(50000), 64, SPILL_RING_EXCLUSIVE);
}

/* A sender that sends consecutive numbers until the channel is closed. */
static int send_until_closed(void *argument)
{
    struct producer *producer = argument;
    uint32_t index = (uint32_t)(producer->sender - producer->sender->channel->senders);
    struct rte_mbuf *mbufs[BURST];

    while (!atomic_load_explicit(&producer->sender->left, memory_order_relaxed)) {
        uint32_t count = 1 + test_random_below(&producer->seed, BURST), taken, i;

        for (i = 0; i < count; i++)
            mbufs[i] = element(index, producer->packets + i);
        taken = spill_channel_send(producer->sender, mbufs, count);
        producer->packets += taken;
        if (taken == 0)
            sched_yield();
    }
    return 0;
}

struct closer {
    struct spill_channel *channel;
    uint64_t after; /* cycles */
};

static int close_soon(void *argument)
{
    const struct closer *closer = argument;

    test_spin(closer->after);
    spill_channel_close(closer->channel);
    return 0;
}

static void close_race(uint32_t senders, enum spill_ring_mode mode)
{
    struct spill_channel *channel = create(1 + test_random_below(&seed, 100), senders, mode);
    struct closer closer = {.channel = channel, .after = test_random_below(&seed, 300000)};
    static struct producer producers[SENDERS_MAX];
    uint64_t next[SENDERS_MAX] = {0}, total = 0;
    struct rte_mbuf *rest[BURST];
    uint32_t i;

    for (i = 0; i < senders; i++) {
        producers[i] = (struct producer){.sender = spill_channel_sender(channel, i),
                                         .seed = test_random(&seed) | 1};
        rte_eal_remote_launch(send_until_closed, &producers[i], 1 + i);
    }
    rte_eal_remote_launch(close_soon, &closer, LCORES - 1);
    total = receive_all(channel, next);
    rte_eal_mp_wait_lcore();
    for (i = 0; i < senders; i++) {
        assert_int_equal(next[i], producers[i].packets);
        assert_int_equal(producers[i].sender->sent, next[i]);
        total -= next[i];
    }
    assert_int_equal(total, 0);
    assert_true(spill_channel_ended(channel));
    assert_int_equal(spill_channel_receive(channel, rest, BURST), 0);
    spill_channel_free(channel);
}

static void what_was_taken_before_a_close_arrives_before_the_end(void **state)
{
    uint32_t i;

    (void)state;
    for (i = 0; i < TEST_ROUNDS(CLOSE_ROUNDS); i++)
        close_race(1 + i % 3, SPILL_RING_PREEMPTIBLE);
    for (i = 0; i < TEST_ROUNDS(CLOSE_ROUNDS); i++)
        close_race(1, SPILL_RING_EXCLUSIVE);
}

struct relay {
    struct spill_channel *channel;
    _Atomic uint32_t round; /* that the sender may begin */
    _Atomic uint32_t sent;
    uint32_t rounds;
};

/* Sends one element and leaves at once, in each round. */
static int send_and_leave(void *argument)
{
    struct relay *relay = argument;
    uint32_t round;

    for (round = 1; round <= relay->rounds; round++) {
        struct rte_mbuf *mbuf = element(0, round);

        while (atomic_load_explicit(&relay->round, memory_order_acquire) < round)
            sched_yield();
        while (spill_channel_send(spill_channel_sender(relay->channel, 0), &mbuf, 1) == 0)
            ;
        spill_sender_leave(spill_channel_sender(relay->channel, 0));
        atomic_store_explicit(&relay->sent, round, memory_order_release);
    }
    return 0;
}

static void an_element_and_the_leave_behind_it_come_in_order(void **state)
{
    struct relay relay = {.rounds = TEST_ROUNDS(LEAVE_ROUNDS)};
    struct rte_mbuf *mbuf;
    uint32_t round, received, looks;

    (void)state;
    relay.channel = create(8, 1, SPILL_RING_EXCLUSIVE);
    rte_eal_remote_launch(send_and_leave, &relay, 1);
    for (round = 1; round <= relay.rounds; round++) {
        atomic_store_explicit(&relay.channel->senders[0].left, false, memory_order_relaxed);
        atomic_store_explicit(&relay.round, round, memory_order_release);
        received = 0;
        for (looks = 0; !spill_channel_ended(relay.channel); looks++) {
            if (spill_channel_receive(relay.channel, &mbuf, 1) == 1) {
                assert_int_equal(number_of(mbuf), round);
                received++;
            } else if (looks > 1000) {
                sched_yield();
            }
        }
        assert_int_equal(received, 1);
        while (atomic_load_explicit(&relay.sent, memory_order_acquire) < round)
            sched_yield();
    }
    rte_eal_mp_wait_lcore();
    spill_channel_free(relay.channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(capacity_is_exact_and_refused_packets_stay_the_senders),
        cmocka_unit_test(ends_when_all_have_left_and_not_before_the_last_element),
        cmocka_unit_test(a_closed_channel_refuses_and_makes_its_senders_leave),
        cmocka_unit_test(what_cannot_be_is_an_error_and_leaves_nothing),
        cmocka_unit_test(each_element_once_and_in_its_senders_order),
        cmocka_unit_test(what_was_taken_before_a_close_arrives_before_the_end),
        cmocka_unit_test(an_element_and_the_leave_behind_it_come_in_order),
    };
    int failed;

    test_eal_start(LCORES, 64, NULL);
    seed = test_seed() | 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_eal_cleanup();
    return failed;
}
