/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapshots: when a version is freed, and that no reader ever holds one that was. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>

#include "runtime/snapshot.h"

#define POISON UINT64_C(0xdeaddeaddeaddead)
#define WORDS  16

/* All words of a version hold its number. */
struct version {
    uint64_t words[WORDS];
    struct version *next_freed;
};

/*
 * Freed versions are poisoned and kept, so that a reader that still holds one sees poison and not
 * the next version in the same memory. Under the address sanitizer they are freed: it sees more.
 */
static struct version *freed;
static unsigned freed_count;
static uint64_t last_freed;

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ADDRESS_SANITIZER 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define UNDER_ADDRESS_SANITIZER 1
#endif

static void free_version(void *argument)
{
    struct version *version = argument;
    unsigned i;

    assert_int_not_equal(version->words[0], POISON);
    last_freed = version->words[0];
    freed_count++;
    for (i = 0; i < WORDS; i++)
        ((volatile uint64_t *)version->words)[i] = POISON;
#ifdef UNDER_ADDRESS_SANITIZER
    free(version);
#else
    version->next_freed = freed;
    freed = version;
#endif
}

static int empty_graveyard(void **state)
{
    (void)state;
    while (freed != NULL) {
        struct version *next = freed->next_freed;

        free(freed);
        freed = next;
    }
    freed_count = 0;
    return 0;
}

static struct version *make_version(uint64_t number)
{
    struct version *version = malloc(sizeof(*version));
    unsigned i;

    assert_non_null(version);
    for (i = 0; i < WORDS; i++)
        version->words[i] = number;
    return version;
}

static void publish(struct spill_snapshot *snapshot, uint64_t number)
{
    assert_int_equal(spill_snapshot_publish(snapshot, make_version(number), free_version), 0);
}

static uint64_t number_seen(const struct spill_snapshot *snapshot)
{
    return ((const struct version *)spill_snapshot_get(snapshot))->words[0];
}

static void nothing_published_is_null(void **state)
{
    struct spill_snapshot *snapshot = spill_snapshot_create(SOCKET_ID_ANY, 1);

    (void)state;
    assert_non_null(snapshot);
    assert_null(spill_snapshot_get(snapshot));
    assert_int_equal(spill_snapshot_reclaim(snapshot), 0);
    spill_snapshot_destroy(snapshot);
    spill_snapshot_destroy(NULL);
    assert_int_equal(freed_count, 0);
}

static void no_readers_at_all_is_refused(void **state)
{
    (void)state;
    assert_null(spill_snapshot_create(SOCKET_ID_ANY, 0));
    assert_int_equal(rte_errno, EINVAL);
}

static void newest_version_is_seen(void **state)
{
    struct spill_snapshot *snapshot = spill_snapshot_create(SOCKET_ID_ANY, 4);

    (void)state;
    publish(snapshot, 1);
    assert_int_equal(number_seen(snapshot), 1);
    publish(snapshot, 2);
    assert_int_equal(number_seen(snapshot), 2);
    spill_snapshot_destroy(snapshot);
    assert_int_equal(freed_count, 2);
}

static void version_lives_until_its_reader_is_quiescent(void **state)
{
    struct spill_snapshot *snapshot = spill_snapshot_create(SOCKET_ID_ANY, 4);
    struct spill_snapshot_reader reader;
    const struct version *held;

    (void)state;
    publish(snapshot, 1);
    assert_int_equal(spill_snapshot_reader_register(snapshot, &reader), 0);
    spill_snapshot_reader_online(&reader);
    held = spill_snapshot_get(snapshot);

    publish(snapshot, 2);
    assert_int_equal(spill_snapshot_reclaim(snapshot), 1);
    assert_int_equal(freed_count, 0);
    assert_int_equal(held->words[WORDS - 1], 1);

    spill_snapshot_quiescent(&reader);
    assert_int_equal(spill_snapshot_reclaim(snapshot), 0);
    assert_int_equal(freed_count, 1);
    assert_int_equal(last_freed, 1);

    spill_snapshot_reader_offline(&reader);
    spill_snapshot_reader_unregister(&reader);
    spill_snapshot_destroy(snapshot);
    assert_int_equal(freed_count, 2);
}

/* Versions go one by one: what was retired after the quiescent state stays. */
static void quiescent_frees_only_what_was_retired_before_it(void **state)
{
    struct spill_snapshot *snapshot = spill_snapshot_create(SOCKET_ID_ANY, 4);
    struct spill_snapshot_reader reader;

    (void)state;
    assert_int_equal(spill_snapshot_reader_register(snapshot, &reader), 0);
    spill_snapshot_reader_online(&reader);
    publish(snapshot, 1);
    publish(snapshot, 2);
    publish(snapshot, 3);
    spill_snapshot_quiescent(&reader);
    publish(snapshot, 4);
    assert_int_equal(spill_snapshot_reclaim(snapshot), 1);
    assert_int_equal(freed_count, 2);
    assert_int_equal(last_freed, 2);
    spill_snapshot_quiescent(&reader);
    assert_int_equal(spill_snapshot_reclaim(snapshot), 0);
    assert_int_equal(last_freed, 3);

    spill_snapshot_reader_unregister(&reader);
    spill_snapshot_destroy(snapshot);
    assert_int_equal(last_freed, 4);
}

static void slowest_reader_decides(void **state)
{
    struct spill_snapshot *snapshot = spill_snapshot_create(SOCKET_ID_ANY, 3);
    struct spill_snapshot_reader readers[3];
    unsigned i;

    (void)state;
    publish(snapshot, 1);
    for (i = 0; i < 3; i++) {
        assert_int_equal(spill_snapshot_reader_register(snapshot, &readers[i]), 0);
        spill_snapshot_reader_online(&readers[i]);
    }
    publish(snapshot, 2);
    spill_snapshot_quiescent(&readers[0]);
    spill_snapshot_reader_offline(&readers[2]);
    spill_snapshot_quiescent(&readers[0]);
    assert_int_equal(spill_snapshot_reclaim(snapshot), 1);
    spill_snapshot_quiescent(&readers[1]);
    assert_int_equal(spill_snapshot_reclaim(snapshot), 0);

    for (i = 0; i < 3; i++)
        spill_snapshot_reader_unregister(&readers[i]);
    spill_snapshot_destroy(snapshot);
}

/* One reader lags at the first version, the other at the second: they are freed apart. */
static void versions_are_freed_one_by_one(void **state)
{
    struct spill_snapshot *snapshot = spill_snapshot_create(SOCKET_ID_ANY, 2);
    struct spill_snapshot_reader first, second;

    (void)state;
    assert_int_equal(spill_snapshot_reader_register(snapshot, &first), 0);
    assert_int_equal(spill_snapshot_reader_register(snapshot, &second), 0);
    spill_snapshot_reader_online(&first);
    spill_snapshot_reader_online(&second);
    publish(snapshot, 1);
    publish(snapshot, 2);
    spill_snapshot_quiescent(&second);
    publish(snapshot, 3);
    spill_snapshot_quiescent(&first);
    assert_int_equal(spill_snapshot_reclaim(snapshot), 1);
    assert_int_equal(freed_count, 1);
    assert_int_equal(last_freed, 1);
    spill_snapshot_quiescent(&second);
    assert_int_equal(spill_snapshot_reclaim(snapshot), 0);
    assert_int_equal(freed_count, 2);
    assert_int_equal(last_freed, 2);

    spill_snapshot_reader_unregister(&first);
    spill_snapshot_reader_unregister(&second);
    spill_snapshot_destroy(snapshot);
}

static void offline_reader_holds_up_nothing(void **state)
{
    struct spill_snapshot *snapshot = spill_snapshot_create(SOCKET_ID_ANY, 1);
    struct spill_snapshot_reader reader;

    (void)state;
    publish(snapshot, 1);
    assert_int_equal(spill_snapshot_reader_register(snapshot, &reader), 0);
    publish(snapshot, 2);
    assert_int_equal(spill_snapshot_reclaim(snapshot), 0);
    spill_snapshot_reader_online(&reader);
    spill_snapshot_reader_offline(&reader);
    publish(snapshot, 3);
    assert_int_equal(spill_snapshot_reclaim(snapshot), 0);
    assert_int_equal(freed_count, 2);
    spill_snapshot_reader_online(&reader);
    assert_int_equal(number_seen(snapshot), 3);
    publish(snapshot, 4);
    assert_int_equal(spill_snapshot_reclaim(snapshot), 1);

    spill_snapshot_reader_unregister(&reader);
    assert_int_equal(spill_snapshot_reclaim(snapshot), 0);
    spill_snapshot_destroy(snapshot);
}

static void publishing_is_refused_while_too_much_is_retired(void **state)
{
    struct spill_snapshot *snapshot = spill_snapshot_create(SOCKET_ID_ANY, 1);
    struct spill_snapshot_reader reader;
    struct version *refused = make_version(99);
    unsigned i;

    (void)state;
    assert_int_equal(spill_snapshot_reader_register(snapshot, &reader), 0);
    spill_snapshot_reader_online(&reader);
    for (i = 0; i <= SPILL_SNAPSHOT_RETIRED_MAX; i++)
        publish(snapshot, i);

    assert_int_equal(spill_snapshot_publish(snapshot, refused, free_version), -EBUSY);
    assert_int_equal(number_seen(snapshot), SPILL_SNAPSHOT_RETIRED_MAX);
    assert_int_equal(freed_count, 0);
    assert_int_equal(refused->words[0], 99);

    /* It makes room by itself as soon as there is some. */
    spill_snapshot_quiescent(&reader);
    assert_int_equal(spill_snapshot_publish(snapshot, refused, free_version), 0);
    assert_int_equal(freed_count, SPILL_SNAPSHOT_RETIRED_MAX);
    assert_int_equal(number_seen(snapshot), 99);

    spill_snapshot_reader_unregister(&reader);
    spill_snapshot_destroy(snapshot);
    assert_int_equal(freed_count, SPILL_SNAPSHOT_RETIRED_MAX + 2);
}

static void null_takes_the_version_away(void **state)
{
    struct spill_snapshot *snapshot = spill_snapshot_create(SOCKET_ID_ANY, 1);

    (void)state;
    publish(snapshot, 1);
    assert_int_equal(spill_snapshot_publish(snapshot, NULL, NULL), 0);
    assert_null(spill_snapshot_get(snapshot));
    assert_int_equal(spill_snapshot_reclaim(snapshot), 0);
    assert_int_equal(freed_count, 1);
    spill_snapshot_destroy(snapshot);
    assert_int_equal(freed_count, 1);
}

static void readers_are_bounded_and_places_come_back(void **state)
{
    struct spill_snapshot *snapshot = spill_snapshot_create(SOCKET_ID_ANY, 2);
    struct spill_snapshot_reader first, second, third;

    (void)state;
    assert_int_equal(spill_snapshot_reader_register(snapshot, &first), 0);
    assert_int_equal(spill_snapshot_reader_register(snapshot, &second), 0);
    assert_int_not_equal(first.id, second.id);
    assert_int_equal(spill_snapshot_reader_register(snapshot, &third), -ENOSPC);
    spill_snapshot_reader_unregister(&first);
    assert_int_equal(spill_snapshot_reader_register(snapshot, &third), 0);
    assert_int_not_equal(third.id, second.id);
    spill_snapshot_reader_unregister(&second);
    spill_snapshot_reader_unregister(&third);
    spill_snapshot_destroy(snapshot);
}

/* Whoever gets the place of a reader that ended online is offline at first all the same. */
static void place_of_an_online_reader_is_given_out_clean(void **state)
{
    struct spill_snapshot *snapshot = spill_snapshot_create(SOCKET_ID_ANY, 1);
    struct spill_snapshot_reader first, second;

    (void)state;
    publish(snapshot, 1);
    assert_int_equal(spill_snapshot_reader_register(snapshot, &first), 0);
    spill_snapshot_reader_online(&first);
    publish(snapshot, 2);
    assert_int_equal(spill_snapshot_reclaim(snapshot), 1);
    spill_snapshot_reader_unregister(&first);
    assert_int_equal(spill_snapshot_reader_register(snapshot, &second), 0);
    assert_int_equal(spill_snapshot_reclaim(snapshot), 0);
    spill_snapshot_reader_unregister(&second);
    spill_snapshot_destroy(snapshot);
}

static void synchronize_gives_up_at_its_deadline(void **state)
{
    struct spill_snapshot *snapshot = spill_snapshot_create(SOCKET_ID_ANY, 1);
    struct spill_snapshot_reader reader;

    (void)state;
    publish(snapshot, 1);
    assert_int_equal(spill_snapshot_reader_register(snapshot, &reader), 0);
    spill_snapshot_reader_online(&reader);
    publish(snapshot, 2);
    assert_int_equal(
        spill_snapshot_synchronize(snapshot, rte_get_tsc_cycles() + rte_get_tsc_hz() / 1000), 1);
    assert_int_equal(spill_snapshot_synchronize(snapshot, 0), 1);
    spill_snapshot_quiescent(&reader);
    assert_int_equal(spill_snapshot_synchronize(snapshot, 0), 0);
    assert_int_equal(freed_count, 1);
    spill_snapshot_reader_unregister(&reader);
    spill_snapshot_destroy(snapshot);
}

/* --- reader threads --- */

#define READERS  3
#define VERSIONS 2000 /* published at least */
#define CHANGES  1000 /* seen by the readers at least */

struct readers {
    struct spill_snapshot *snapshot;
    _Atomic bool stop;
    _Atomic unsigned reading; /* readers that have seen a version */
    _Atomic unsigned wrong;   /* poison, a torn version, or one older than the last */
    _Atomic uint64_t seen;    /* versions, by all readers, that differed from the one before */
};

/* Looks at a version for a while, as a loop does at its configuration over an iteration. */
static bool version_is_whole(const struct version *version, uint64_t number)
{
    const volatile uint64_t *words = version->words;
    unsigned i, pass;

    for (pass = 0; pass < 4; pass++)
        for (i = 0; i < WORDS; i++)
            if (words[i] != number)
                return false;
    return number != POISON;
}

static void *read_versions(void *argument)
{
    struct readers *readers = argument;
    struct spill_snapshot_reader reader;
    uint64_t last = 0;
    unsigned iteration;

    if (spill_snapshot_reader_register(readers->snapshot, &reader) != 0)
        return NULL;
    spill_snapshot_reader_online(&reader);
    for (iteration = 1; !readers->stop; iteration++) {
        const struct version *version = spill_snapshot_get(readers->snapshot);
        uint64_t number = version->words[0];

        readers->reading += iteration == 1;
        if (iteration % 2 == 0)
            sched_yield(); /* while it holds the version */
        readers->wrong += !version_is_whole(version, number) || number < last;
        readers->seen += number != last;
        last = number;
        spill_snapshot_quiescent(&reader);
        if (iteration % 16 == 0) {
            spill_snapshot_reader_offline(&reader);
            sched_yield();
            spill_snapshot_reader_online(&reader);
        }
    }
    spill_snapshot_reader_offline(&reader);
    spill_snapshot_reader_unregister(&reader);
    return NULL;
}

static void readers_never_hold_what_was_freed(void **state)
{
    struct readers readers = {.snapshot = spill_snapshot_create(SOCKET_ID_ANY, READERS + 1)};
    uint64_t minute = 60 * rte_get_tsc_hz();
    pthread_t threads[READERS];
    uint64_t number;
    unsigned i;

    (void)state;
    publish(readers.snapshot, 1);
    for (i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_versions, &readers), 0);
    while (readers.reading < READERS)
        sched_yield();
    for (number = 2; number <= VERSIONS || readers.seen < CHANGES; number++) {
        struct version *version = make_version(number);

        while (spill_snapshot_publish(readers.snapshot, version, free_version) == -EBUSY)
            sched_yield();
        sched_yield();
    }
    assert_int_equal(spill_snapshot_synchronize(readers.snapshot, rte_get_tsc_cycles() + minute),
                     0);
    assert_int_equal(freed_count, number - 2);
    readers.stop = true;
    for (i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);

    assert_int_equal(readers.wrong, 0);
    spill_snapshot_destroy(readers.snapshot);
    assert_int_equal(freed_count, number - 1);
}

static int start_eal(void **state)
{
    char *arguments[] = {
        "test_snapshot", "--no-huge", "--no-shconf", "--no-telemetry", "--no-pci", "-m", "64",
        "--lcores",      "0",         "--log-level", "lib.*:error",    NULL};

    (void)state;
    return rte_eal_init(RTE_DIM(arguments) - 1, arguments) < 0 ? -1 : 0;
}

static int stop_eal(void **state)
{
    (void)state;
    return rte_eal_cleanup();
}

#define SNAPSHOT_TEST(test) cmocka_unit_test_teardown(test, empty_graveyard)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SNAPSHOT_TEST(nothing_published_is_null),
        SNAPSHOT_TEST(no_readers_at_all_is_refused),
        SNAPSHOT_TEST(newest_version_is_seen),
        SNAPSHOT_TEST(version_lives_until_its_reader_is_quiescent),
        SNAPSHOT_TEST(quiescent_frees_only_what_was_retired_before_it),
        SNAPSHOT_TEST(slowest_reader_decides),
        SNAPSHOT_TEST(versions_are_freed_one_by_one),
        SNAPSHOT_TEST(offline_reader_holds_up_nothing),
        SNAPSHOT_TEST(publishing_is_refused_while_too_much_is_retired),
        SNAPSHOT_TEST(null_takes_the_version_away),
        SNAPSHOT_TEST(readers_are_bounded_and_places_come_back),
        SNAPSHOT_TEST(place_of_an_online_reader_is_given_out_clean),
        SNAPSHOT_TEST(synchronize_gives_up_at_its_deadline),
        SNAPSHOT_TEST(readers_never_hold_what_was_freed),
    };

    return cmocka_run_group_tests_name("snapshot", tests, start_eal, stop_eal);
}
