/* SPDX-License-Identifier: BSD-3-Clause */
/* The ledger with real mbufs: what is dropped is counted and freed; the balance. And their stamp.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_eal.h>
#include <rte_mbuf.h>

#include "base/ledger.h"
#include "runtime/stamp.h"

#define MBUFS 256
#define BURST 32

SPILL_DROP_REASON(drop_first, "test_first", "Dropped by a test, for the first reason.");
SPILL_DROP_REASON(drop_second, "test_second", "Dropped by a test, for the second reason.");

static struct rte_mempool *mbuf_pool;

static void reasons_have_ids_before_main(void **state)
{
    (void)state;
    assert_true(spill_drop_reason_count() >= 2);
    assert_int_not_equal(drop_first.id, drop_second.id);
    assert_ptr_equal(spill_drop_reason_get(drop_first.id), &drop_first);
    assert_ptr_equal(spill_drop_reason_get(drop_second.id), &drop_second);
    assert_string_equal(spill_drop_reason_get(drop_second.id)->name, "test_second");
    assert_null(spill_drop_reason_get(spill_drop_reason_count()));
}

static void ids_follow_the_order_of_registration(void **state)
{
    static struct spill_drop_reason third = {.name = "test_third", .help = "", .id = 77};
    static struct spill_drop_reason fourth = {.name = "test_fourth", .help = "", .id = 77};
    unsigned count = spill_drop_reason_count();

    (void)state;
    spill_drop_reason_register(&third);
    spill_drop_reason_register(&fourth);
    assert_int_equal(spill_drop_reason_count(), count + 2);
    assert_int_equal(third.id, count);
    assert_int_equal(fourth.id, count + 1);
    assert_ptr_equal(spill_drop_reason_get(count), &third);
    assert_ptr_equal(spill_drop_reason_get(count + 1), &fourth);
}

static void register_twice(void)
{
    struct spill_drop_reason same_name = {.name = "test_first", .help = "", .id = 0};

    spill_drop_reason_register(&same_name);
}

/* The last that fits is registered without complaint; one_too_many comes on top of it. */
static void register_too_many(void)
{
    static struct spill_drop_reason many[SPILL_DROP_REASONS_MAX];
    static char names[SPILL_DROP_REASONS_MAX][16];
    static struct spill_drop_reason one_too_many = {.name = "one_too_many", .help = "", .id = 0};
    unsigned i;

    for (i = 0; spill_drop_reason_count() < SPILL_DROP_REASONS_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "many_%u", i);
        many[i].name = names[i];
        spill_drop_reason_register(&many[i]);
    }
    fprintf(stderr, "full;");
    spill_drop_reason_register(&one_too_many);
}

/* Runs `act` in a process of its own; it must abort, and say each of the two texts. */
static void assert_aborts(void (*act)(void), const char *text, const char *other)
{
    char said[4096];
    ssize_t length;
    size_t used = 0;
    int pipe_ends[2];
    int status;
    pid_t child;

    assert_int_equal(pipe(pipe_ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        /* cmocka's handler would carry on with the next test here. */
        signal(SIGABRT, SIG_DFL);
        dup2(pipe_ends[1], STDERR_FILENO);
        act();
        _exit(0);
    }
    close(pipe_ends[1]);
    while ((length = read(pipe_ends[0], said + used, sizeof(said) - 1 - used)) > 0)
        used += (size_t)length;
    said[used] = '\0';
    close(pipe_ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(said, text));
    assert_non_null(strstr(said, other));
}

static void duplicate_name_aborts(void **state)
{
    (void)state;
    assert_aborts(register_twice, "'test_first'", "twice");
}

static void overflow_aborts(void **state)
{
    (void)state;
    assert_aborts(register_too_many, "full;", "'one_too_many' is one too many");
}

static void drop_counts_and_frees(void **state)
{
    struct spill_ledger ledger = {0};
    struct rte_mbuf *mbufs[BURST];

    (void)state;
    assert_int_equal(rte_pktmbuf_alloc_bulk(mbuf_pool, mbufs, BURST), 0);
    assert_int_equal(rte_mempool_in_use_count(mbuf_pool), BURST);

    spill_ledger_drop(&ledger, &drop_first, mbufs, 20);
    assert_int_equal(rte_mempool_in_use_count(mbuf_pool), BURST - 20);
    spill_ledger_drop(&ledger, &drop_second, mbufs + 20, BURST - 20);
    assert_int_equal(rte_mempool_in_use_count(mbuf_pool), 0);
    spill_ledger_drop(&ledger, &drop_second, mbufs, 0);

    assert_int_equal(ledger.dropped[drop_first.id], 20);
    assert_int_equal(ledger.dropped[drop_second.id], BURST - 20);
    assert_int_equal(spill_ledger_dropped(&ledger), BURST);
}

static void chained_packet_is_one_packet(void **state)
{
    struct spill_ledger ledger = {0};
    struct rte_mbuf *mbufs[3];
    struct rte_mbuf *packet;

    (void)state;
    assert_int_equal(rte_pktmbuf_alloc_bulk(mbuf_pool, mbufs, 3), 0);
    packet = mbufs[0];
    assert_int_equal(rte_pktmbuf_chain(packet, mbufs[1]), 0);
    assert_int_equal(rte_pktmbuf_chain(packet, mbufs[2]), 0);

    spill_ledger_drop(&ledger, &drop_first, &packet, 1);
    assert_int_equal(spill_ledger_dropped(&ledger), 1);
    assert_int_equal(rte_mempool_in_use_count(mbuf_pool), 0);
}

static void balance_is_what_came_without_what_left(void **state)
{
    struct spill_ledger ledger = {.received = 100, .originated = 10};

    (void)state;
    assert_int_equal(spill_ledger_in_flight(&ledger), 110);
    ledger.transmitted = 50;
    assert_int_equal(spill_ledger_in_flight(&ledger), 60);
    ledger.delivered_to_host = 7;
    assert_int_equal(spill_ledger_in_flight(&ledger), 53);
    ledger.dropped[drop_second.id] = 50;
    ledger.dropped[SPILL_DROP_REASONS_MAX - 1] = 3;
    assert_int_equal(spill_ledger_in_flight(&ledger), 0);
    ledger.transmitted++;
    assert_int_equal(spill_ledger_in_flight(&ledger), -1);
}

/* Fills every counter with a value of its own. */
static void fill(struct spill_ledger *ledger, uint64_t from)
{
    unsigned id;

    ledger->received = from++;
    ledger->originated = from++;
    ledger->transmitted = from++;
    ledger->delivered_to_host = from++;
    for (id = 0; id < SPILL_DROP_REASONS_MAX; id++)
        ledger->dropped[id] = from++;
}

static void sum_adds_every_counter(void **state)
{
    struct spill_ledger sum = {0}, one = {0}, other = {0};
    unsigned id;

    (void)state;
    fill(&one, 1000);
    fill(&other, UINT64_C(1) << 40);
    spill_ledger_add(&sum, &one);
    spill_ledger_add(&sum, &other);
    assert_int_equal(sum.received, one.received + other.received);
    assert_int_equal(sum.originated, one.originated + other.originated);
    assert_int_equal(sum.transmitted, one.transmitted + other.transmitted);
    assert_int_equal(sum.delivered_to_host, one.delivered_to_host + other.delivered_to_host);
    for (id = 0; id < SPILL_DROP_REASONS_MAX; id++)
        assert_int_equal(sum.dropped[id], one.dropped[id] + other.dropped[id]);
}

/* What one lcore receives another transmits: each balance is off, their sum is not. */
static void lcores_balance_together(void **state)
{
    struct spill_ledger receiver = {.received = 40};
    struct spill_ledger sender = {.transmitted = 40};
    struct spill_ledger sum = {0};

    (void)state;
    assert_int_equal(spill_ledger_in_flight(&receiver), 40);
    assert_int_equal(spill_ledger_in_flight(&sender), -40);
    spill_ledger_add(&sum, &receiver);
    spill_ledger_add(&sum, &sender);
    assert_int_equal(spill_ledger_in_flight(&sum), 0);
}

static void stamp_stays_with_its_mbuf(void **state)
{
    struct rte_mbuf *mbufs[BURST];
    struct spill_error error = {.text = ""};
    int offset;
    unsigned i;

    (void)state;
    assert_int_equal(spill_stamp_register(&error), 0);
    offset = spill_stamp_offset;
    assert_true(offset >= 0);
    assert_int_equal(rte_mbuf_dynfield_lookup("spillway_dynfield_stamp", NULL), offset);
    assert_int_equal(spill_stamp_register(&error), 0);
    assert_int_equal(spill_stamp_offset, offset);

    assert_int_equal(rte_pktmbuf_alloc_bulk(mbuf_pool, mbufs, BURST), 0);
    for (i = 0; i < BURST; i++)
        spill_stamp_set(mbufs[i], UINT64_MAX - i);
    for (i = 0; i < BURST; i++) {
        assert_int_equal(spill_stamp_get(mbufs[i]), UINT64_MAX - i);
        /* Nothing else of the mbuf was written. */
        assert_int_equal(rte_mbuf_check(mbufs[i], 1, &(const char *){NULL}), 0);
        assert_int_equal(rte_pktmbuf_headroom(mbufs[i]), RTE_PKTMBUF_HEADROOM);
    }
    rte_pktmbuf_free_bulk(mbufs, BURST);
}

static int start_eal(void **state)
{
    char *arguments[] = {"test_ledger", "--no-huge",   "--no-shconf", "--no-telemetry",
                         "--no-pci",    "-m",          "64",          "--lcores",
                         "0",           "--log-level", "lib.*:error", NULL};

    (void)state;
    if (rte_eal_init(RTE_DIM(arguments) - 1, arguments) < 0)
        return -1;
    mbuf_pool =
        rte_pktmbuf_pool_create("mbufs", MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    return mbuf_pool == NULL ? -1 : 0;
}

static void register_stamp_without_room(void)
{
    struct rte_mbuf_dynfield field = {.size = 1, .align = 1};
    struct spill_error error = {.text = ""};
    unsigned i;

    if (start_eal(NULL) != 0)
        return;
    for (i = 0;; i++) {
        snprintf(field.name, sizeof(field.name), "test_field_%u", i);
        if (rte_mbuf_dynfield_register(&field) < 0)
            break;
    }
    if (spill_stamp_register(&error) == -1)
        fprintf(stderr, "%s", error.text);
    abort();
}

/* With an EAL of the child's own: the memory of one without hugepages is shared over a fork. */
static void stamp_without_room_is_an_error(void **state)
{
    (void)state;
    assert_aborts(register_stamp_without_room, "spillway_dynfield_stamp", "8 free bytes");
}

static int stop_eal(void **state)
{
    (void)state;
    rte_mempool_free(mbuf_pool);
    return rte_eal_cleanup();
}

int main(void)
{
    const struct CMUnitTest without_eal[] = {
        cmocka_unit_test(reasons_have_ids_before_main),
        cmocka_unit_test(ids_follow_the_order_of_registration),
        cmocka_unit_test(duplicate_name_aborts),
        cmocka_unit_test(overflow_aborts),
        cmocka_unit_test(balance_is_what_came_without_what_left),
        cmocka_unit_test(sum_adds_every_counter),
        cmocka_unit_test(lcores_balance_together),
        cmocka_unit_test(stamp_without_room_is_an_error),
    };
    const struct CMUnitTest with_mbufs[] = {
        cmocka_unit_test(drop_counts_and_frees),
        cmocka_unit_test(chained_packet_is_one_packet),
        cmocka_unit_test(stamp_stays_with_its_mbuf),
    };
    int failed = cmocka_run_group_tests_name("ledger", without_eal, NULL, NULL);

    return failed + cmocka_run_group_tests_name("ledger: mbufs", with_mbufs, start_eal, stop_eal);
}
