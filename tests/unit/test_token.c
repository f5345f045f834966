/* SPDX-License-Identifier: BSD-3-Clause */
/* Cancellation tokens: trees, reasons, deadlines, and several threads at one tree. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "runtime/token.h"

static void cancels_all_below_and_nothing_else(void **state)
{
    struct spill_token root, left, right, leaf;

    (void)state;
    spill_token_init(&root, NULL);
    spill_token_init(&left, &root);
    spill_token_init(&right, &root);
    spill_token_init(&leaf, &left);

    assert_true(spill_token_cancel(&left, "left"));
    assert_true(spill_token_cancelled(&left));
    assert_string_equal(spill_token_reason(&leaf), "left");
    assert_false(spill_token_cancelled(&root));
    assert_false(spill_token_cancelled(&right));
    assert_null(spill_token_reason(&right));
}

static void keeps_the_first_reason(void **state)
{
    struct spill_token root, child, grandchild;

    (void)state;
    spill_token_init(&root, NULL);
    spill_token_init(&child, &root);
    spill_token_init(&grandchild, &child);

    assert_true(spill_token_cancel(&child, "first"));
    assert_false(spill_token_cancel(&child, "second"));
    assert_true(spill_token_cancel(&root, "third"));
    assert_string_equal(spill_token_reason(&root), "third");
    assert_string_equal(spill_token_reason(&child), "first");
    assert_string_equal(spill_token_reason(&grandchild), "first");
}

static void child_of_a_cancelled_parent_is_born_cancelled(void **state)
{
    struct spill_token root, child;

    (void)state;
    spill_token_init(&root, NULL);
    spill_token_cancel(&root, "SIGTERM");
    spill_token_init(&child, &root);
    assert_string_equal(spill_token_reason(&child), "SIGTERM");
    assert_false(spill_token_cancel(&child, "late"));
}

static void deadline_cancels_when_it_is_reached(void **state)
{
    struct spill_token root, child, grandchild, sibling;

    (void)state;
    spill_token_init(&root, NULL);
    spill_token_init(&child, &root);
    spill_token_init(&grandchild, &child);
    spill_token_init(&sibling, &root);
    spill_token_set_deadline(&child, 100);

    assert_int_equal(spill_token_check_deadlines(&root, 99), 0);
    assert_false(spill_token_cancelled(&child));
    assert_int_equal(spill_token_check_deadlines(&root, 100), 1);
    assert_string_equal(spill_token_reason(&child), "deadline");
    assert_string_equal(spill_token_reason(&grandchild), "deadline");
    assert_false(spill_token_cancelled(&root));
    assert_false(spill_token_cancelled(&sibling));
    assert_int_equal(spill_token_check_deadlines(&root, 101), 0);
}

static void deadline_can_be_moved_and_removed(void **state)
{
    struct spill_token token;

    (void)state;
    spill_token_init(&token, NULL);
    assert_int_equal(spill_token_check_deadlines(&token, UINT64_MAX), 0);
    spill_token_set_deadline(&token, 100);
    spill_token_set_deadline(&token, 200);
    assert_int_equal(spill_token_check_deadlines(&token, 150), 0);
    spill_token_set_deadline(&token, 0);
    assert_int_equal(spill_token_check_deadlines(&token, 300), 0);
    assert_false(spill_token_cancelled(&token));
}

static void deadline_counts_only_what_it_cancelled(void **state)
{
    struct spill_token root, done, due, below;

    (void)state;
    spill_token_init(&root, NULL);
    spill_token_init(&done, &root);
    spill_token_init(&due, &root);
    spill_token_init(&below, &due);
    spill_token_set_deadline(&done, 10);
    spill_token_set_deadline(&due, 10);
    spill_token_set_deadline(&below, 10);
    spill_token_cancel(&done, "SIGTERM");

    assert_int_equal(spill_token_check_deadlines(&root, 10), 1);
    assert_string_equal(spill_token_reason(&done), "SIGTERM");
    assert_string_equal(spill_token_reason(&below), "deadline");
}

static void destroyed_in_the_middle_hands_its_children_up(void **state)
{
    struct spill_token root, first, middle, last, children[3];
    unsigned i;

    (void)state;
    spill_token_init(&root, NULL);
    spill_token_init(&first, &root);
    spill_token_init(&middle, &root);
    spill_token_init(&last, &root);
    for (i = 0; i < 3; i++)
        spill_token_init(&children[i], &middle);

    spill_token_destroy(&middle);
    memset(&middle, 0xdd, sizeof(middle));
    spill_token_destroy(&children[1]);
    memset(&children[1], 0xdd, sizeof(children[1]));

    assert_true(spill_token_cancel(&root, "above"));
    assert_string_equal(spill_token_reason(&first), "above");
    assert_string_equal(spill_token_reason(&last), "above");
    assert_string_equal(spill_token_reason(&children[0]), "above");
    assert_string_equal(spill_token_reason(&children[2]), "above");
}

static void children_of_a_destroyed_root_are_roots(void **state)
{
    struct spill_token root, left, right;

    (void)state;
    spill_token_init(&root, NULL);
    spill_token_init(&left, &root);
    spill_token_init(&right, &root);
    spill_token_destroy(&root);
    memset(&root, 0xdd, sizeof(root));

    assert_true(spill_token_cancel(&left, "left"));
    assert_false(spill_token_cancelled(&right));
    spill_token_destroy(&left);
    memset(&left, 0xdd, sizeof(left));
    assert_true(spill_token_cancel(&right, "right"));
}

#define CHAIN 100000

static void *cancel_a_chain(void *argument)
{
    struct spill_token *chain = argument;

    spill_token_set_deadline(&chain[CHAIN - 1], 1);
    spill_token_check_deadlines(&chain[0], 1);
    spill_token_cancel(&chain[0], "top");
    return NULL;
}

/* A walk that took a stack frame for each level would not fit into this thread's stack. */
static void depth_costs_no_stack(void **state)
{
    struct spill_token *chain = calloc(CHAIN, sizeof(*chain));
    pthread_attr_t attributes;
    pthread_t thread;
    unsigned i;

    (void)state;
    assert_non_null(chain);
    for (i = 0; i < CHAIN; i++)
        spill_token_init(&chain[i], i > 0 ? &chain[i - 1] : NULL);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 128 * 1024);
    assert_int_equal(pthread_create(&thread, &attributes, cancel_a_chain, chain), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);

    assert_string_equal(spill_token_reason(&chain[CHAIN - 1]), "deadline");
    for (i = 0; i < CHAIN - 1; i++)
        assert_string_equal(spill_token_reason(&chain[i]), "top");
    free(chain);
}

/* --- random operations against the simplest model that could be right --- */

#define MODEL_TOKENS 40
#define MODEL_STEPS  100000

struct model {
    struct spill_token token;
    bool alive;
    int parent; /* -1: a root */
    const char *reason;
    uint64_t deadline;
};

static bool model_below(const struct model *model, int token, int top)
{
    for (; token >= 0; token = model[token].parent)
        if (token == top)
            return true;
    return false;
}

static void model_cancel(struct model *model, int top, const char *reason)
{
    int i;

    for (i = 0; i < MODEL_TOKENS; i++)
        if (model[i].alive && model[i].reason == NULL && model_below(model, i, top))
            model[i].reason = reason;
}

static void model_init(struct model *model, int token)
{
    int parent = rand() % (MODEL_TOKENS + 2);

    if (parent >= MODEL_TOKENS || !model[parent].alive)
        parent = -1;
    model[token].alive = true;
    model[token].parent = parent;
    model[token].reason = parent < 0 ? NULL : model[parent].reason;
    model[token].deadline = 0;
    spill_token_init(&model[token].token, parent < 0 ? NULL : &model[parent].token);
}

static void model_destroy(struct model *model, int token)
{
    int i;

    for (i = 0; i < MODEL_TOKENS; i++)
        if (model[i].alive && model[i].parent == token)
            model[i].parent = model[token].parent;
    model[token].alive = false;
    spill_token_destroy(&model[token].token);
    memset(&model[token].token, 0xdd, sizeof(model[token].token));
}

static bool model_due(const struct model *model, int token, uint64_t now)
{
    return model[token].reason == NULL && model[token].deadline != 0 &&
           model[token].deadline <= now;
}

/* A token counts when it is due and nothing between it and the top is. */
static void model_check_deadlines(struct model *model, int top, uint64_t now)
{
    bool counts[MODEL_TOKENS] = {false};
    unsigned count = 0;
    int i, above;

    for (i = 0; i < MODEL_TOKENS; i++) {
        counts[i] = model[i].alive && model_below(model, i, top) && model_due(model, i, now);
        for (above = i; counts[i] && above != top;) {
            above = model[above].parent;
            counts[i] = !model_due(model, above, now);
        }
    }
    for (i = 0; i < MODEL_TOKENS; i++) {
        if (counts[i]) {
            model_cancel(model, i, "deadline");
            count++;
        }
    }
    assert_int_equal(spill_token_check_deadlines(&model[top].token, now), count);
}

static void model_step(struct model *model, uint64_t now)
{
    int token = rand() % MODEL_TOKENS;
    int what = rand() % 16;

    if (!model[token].alive) {
        model_init(model, token);
    } else if (what == 0) {
        const char *reason = rand() % 2 != 0 ? "one" : "other";
        bool first = model[token].reason == NULL;

        model_cancel(model, token, reason);
        assert_int_equal(spill_token_cancel(&model[token].token, reason), first);
    } else if (what < 6) {
        model_destroy(model, token);
    } else if (what < 10) {
        model[token].deadline = rand() % 4 == 0 ? 0 : now + (uint64_t)(rand() % 400);
        spill_token_set_deadline(&model[token].token, model[token].deadline);
    } else if (what == 10) {
        model_check_deadlines(model, token, now);
    }
}

static bool same_reason(const char *one, const char *other)
{
    return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

static void random_trees_agree_with_a_model(void **state)
{
    struct model *model = calloc(MODEL_TOKENS, sizeof(*model));
    unsigned seed = (unsigned)time(NULL);
    uint64_t now;
    int i;

    (void)state;
    assert_non_null(model);
    printf("seed %u\n", seed);
    srand(seed);
    for (now = 1; now <= MODEL_STEPS; now++) {
        model_step(model, now);
        for (i = 0; i < MODEL_TOKENS; i++)
            if (model[i].alive)
                assert_true(same_reason(spill_token_reason(&model[i].token), model[i].reason));
    }
    free(model);
}

/* --- several threads at one tree --- */

#define CHILDREN 8
#define READERS  2
#define VISITORS 2
#define THREADS  (READERS + VISITORS + 2)
#define ROUNDS   300

struct family {
    struct spill_token root;
    struct spill_token children[CHILDREN];
    struct spill_token guests[VISITORS][CHILDREN]; /* below the children */
    _Atomic unsigned visitors;
    pthread_barrier_t start;
    _Atomic unsigned first;   /* how many of the cancelling threads were the first */
    _Atomic unsigned changed; /* how often a reason was seen to change */
};

static void *cancel_family(void *argument)
{
    struct family *family = argument;

    pthread_barrier_wait(&family->start);
    atomic_fetch_add(&family->first, spill_token_cancel(&family->root, "family"));
    return NULL;
}

/* Makes children, takes them away and makes them again until the family is cancelled. */
static void *visit_family(void *argument)
{
    struct family *family = argument;
    struct spill_token *guests = family->guests[atomic_fetch_add(&family->visitors, 1)];
    unsigned i;

    for (i = 0; i < CHILDREN; i++)
        spill_token_init(&guests[i], &family->children[i]);
    pthread_barrier_wait(&family->start);
    for (i = 0; !spill_token_cancelled(&family->root); i = (i + 1) % CHILDREN) {
        spill_token_destroy(&guests[i]);
        spill_token_init(&guests[i], &family->children[i]);
    }
    return NULL;
}

static void *read_family(void *argument)
{
    struct family *family = argument;
    const char *seen[CHILDREN] = {NULL};
    unsigned i, left = CHILDREN;

    pthread_barrier_wait(&family->start);
    while (left > 0) {
        left = 0;
        for (i = 0; i < CHILDREN; i++) {
            const char *reason = spill_token_reason(&family->children[i]);

            if (seen[i] != NULL && reason != seen[i])
                atomic_fetch_add(&family->changed, 1);
            seen[i] = reason;
            left += reason == NULL;
        }
    }
    return NULL;
}

static void make_family(struct family *family)
{
    unsigned i;

    spill_token_init(&family->root, NULL);
    for (i = 0; i < CHILDREN; i++)
        spill_token_init(&family->children[i],
                         i % 4 == 0 ? &family->root : &family->children[i - 1]);
    family->visitors = 0;
    family->first = 0;
    family->changed = 0;
    pthread_barrier_init(&family->start, NULL, THREADS);
}

static void one_of_many_cancels_and_all_readers_hear(void **state)
{
    void *(*const acts[THREADS])(void *) = {read_family,  read_family,   visit_family,
                                            visit_family, cancel_family, cancel_family};
    static struct family family;
    pthread_t threads[THREADS];
    unsigned round, i;

    (void)state;
    for (round = 0; round < ROUNDS; round++) {
        make_family(&family);
        for (i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, acts[i], &family), 0);
        for (i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&family.start);

        assert_int_equal(family.first, 1);
        assert_int_equal(family.changed, 0);
        for (i = 0; i < CHILDREN; i++) {
            assert_string_equal(spill_token_reason(&family.children[i]), "family");
            assert_true(spill_token_cancelled(&family.guests[0][i]));
            assert_true(spill_token_cancelled(&family.guests[1][i]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cancels_all_below_and_nothing_else),
        cmocka_unit_test(keeps_the_first_reason),
        cmocka_unit_test(child_of_a_cancelled_parent_is_born_cancelled),
        cmocka_unit_test(deadline_cancels_when_it_is_reached),
        cmocka_unit_test(deadline_can_be_moved_and_removed),
        cmocka_unit_test(deadline_counts_only_what_it_cancelled),
        cmocka_unit_test(destroyed_in_the_middle_hands_its_children_up),
        cmocka_unit_test(children_of_a_destroyed_root_are_roots),
        cmocka_unit_test(depth_costs_no_stack),
        cmocka_unit_test(random_trees_agree_with_a_model),
        cmocka_unit_test(one_of_many_cancels_and_all_readers_hear),
    };

    return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
