/* SPDX-License-Identifier: BSD-3-Clause */
/* Which copy of the rules an lcore reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "classify/policy.h"
#include "classify/rules.h"
#include "lcores.h"

static unsigned socket_id;

unsigned __wrap_rte_socket_id(void);

/* The node that the lcore is on. */
unsigned __wrap_rte_socket_id(void)
{
    return socket_id;
}

static void an_lcore_reads_the_copy_of_its_node(void **state)
{
    static char text[] = "deny any from any to any\n";
    FILE *file = fmemopen(text, sizeof(text) - 1, "r");
    int nodes[SPILL_NODES_MAX];
    struct spill_ruleset *ruleset;
    struct spill_policy *policy;
    struct spill_error error;
    unsigned i;

    (void)state;
    for (i = 0; i < SPILL_NODES_MAX; i++)
        nodes[i] = i < 2 ? 0 : -1;
    ruleset = spill_rules_read(file, "test", NULL, &error);
    fclose(file);
    assert_non_null(ruleset);
    policy = spill_policy_create("test", ruleset, NULL, NULL, SPILL_VERDICT_DENY, nodes, &error);
    spill_rules_free(ruleset);
    assert_non_null(policy);
    for (socket_id = 0; socket_id < 2; socket_id++)
        assert_ptr_equal(spill_policy_acl(policy), policy->copies[0]);
    /* One whose CPUs are on several nodes has no node. */
    socket_id = (unsigned)SOCKET_ID_ANY;
    assert_ptr_equal(spill_policy_acl(policy), policy->copies[0]);
    spill_policy_free(policy);
}

static int start(void **state)
{
    (void)state;
    test_eal_start(1, 64, NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_lcore_reads_the_copy_of_its_node),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
