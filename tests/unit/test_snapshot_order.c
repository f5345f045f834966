/* SPDX-License-Identifier: BSD-3-Clause */
/* The order of steps within a publication, against the worst that a reader can do between two of
 * them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <rte_rcu_qsbr.h>

#include "base/clock.h"
#include "lcores.h"

static uint64_t look_behind(uint64_t grace);

/* The seam: a reader ends its turn, and begins another, just when the grace period has begun. */
#define rte_rcu_qsbr_start(qsbr) look_behind((rte_rcu_qsbr_start)(qsbr))
#include "../../lib/runtime/snapshot.c"
#undef rte_rcu_qsbr_start

static struct spill_snapshot *snapshot;
static struct spill_snapshot_reader reader;
static int versions[3];
static bool freed[3];
static const void *held; /* what the reader found last */

static void free_version(void *version)
{
    freed[(int *)version - versions] = true;
}

static void look(void)
{
    spill_snapshot_quiescent(&reader);
    held = spill_snapshot_get(snapshot);
}

static uint64_t look_behind(uint64_t grace)
{
    look();
    return grace;
}

/* A grace period that begins before the old version is out of reach ends before the reader that
 * took it then has left it. */
static void a_reader_between_two_steps_holds_what_lives(void **state)
{
    uint32_t i;

    (void)state;
    snapshot = spill_snapshot_create(SOCKET_ID_ANY, 1);
    assert_non_null(snapshot);
    assert_int_equal(spill_snapshot_reader_register(snapshot, &reader), 0);
    spill_snapshot_reader_online(&reader);
    for (i = 0; i < RTE_DIM(versions); i++) {
        assert_int_equal(spill_snapshot_publish(snapshot, &versions[i], free_version), 0);
        if (i == 0) /* there was none before to be retired */
            look();
        spill_snapshot_reclaim(snapshot);
        assert_false(freed[(const int *)held - versions]);
        assert_int_equal((const int *)held - versions, i);
    }
    spill_snapshot_reader_unregister(&reader);
    spill_snapshot_destroy(snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_between_two_steps_holds_what_lives),
    };
    int failed;

    test_eal_start(1, 64, NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_eal_cleanup();
    return failed;
}
