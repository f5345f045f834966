/* SPDX-License-Identifier: BSD-3-Clause */
/* The tree of cancellation tokens: who is below whom, and what a cancellation reaches. */
#include <assert.h>
#include <pthread.h>

#include "token.h"

/*
 * One lock for all trees: they change when the program starts and stops, and a lock of each tree
 * would have to move with the children of a destroyed root.
 *
 * What holds under the lock: everything below a cancelled token is cancelled.
 */
static pthread_mutex_t tree_lock = PTHREAD_MUTEX_INITIALIZER;

/* The next token in a walk of the tree below `top` that leaves out what is below `token`. */
static struct spill_token *next_beside(struct spill_token *token, const struct spill_token *top)
{
    for (; token != top; token = token->parent)
        if (token->next_sibling != NULL)
            return token->next_sibling;
    return NULL;
}

/* The next token in a walk of the tree below `top`, parents before their children. */
static struct spill_token *next_in_tree(struct spill_token *token, const struct spill_token *top)
{
    return token->first_child != NULL ? token->first_child : next_beside(token, top);
}

static void cancel_tree(struct spill_token *top, const char *reason)
{
    struct spill_token *token = top;

    while (token != NULL) {
        if (spill_token_cancelled(token)) {
            token = next_beside(token, top);
            continue;
        }
        atomic_store_explicit(&token->reason, reason, memory_order_release);
        token = next_in_tree(token, top);
    }
}

static bool deadline_passed(const struct spill_token *token, uint64_t now)
{
    uint64_t deadline = atomic_load_explicit(&token->deadline, memory_order_relaxed);

    return deadline != 0 && now >= deadline;
}

void spill_token_init(struct spill_token *token, struct spill_token *parent)
{
    atomic_init(&token->reason, NULL);
    atomic_init(&token->deadline, 0);
    token->parent = parent;
    token->first_child = NULL;
    token->next_sibling = NULL;
    if (parent == NULL)
        return;

    pthread_mutex_lock(&tree_lock);
    atomic_store_explicit(&token->reason, spill_token_reason(parent), memory_order_release);
    token->next_sibling = parent->first_child;
    parent->first_child = token;
    pthread_mutex_unlock(&tree_lock);
}

/* Puts the children of a token that leaves its parent where it stood among its siblings. */
static void replace_by_children(struct spill_token *token)
{
    struct spill_token **link = &token->parent->first_child;
    struct spill_token *child;

    while (*link != token)
        link = &(*link)->next_sibling;
    *link = token->first_child;
    for (child = token->first_child; child != NULL; child = child->next_sibling) {
        child->parent = token->parent;
        link = &child->next_sibling;
    }
    *link = token->next_sibling;
}

/* Makes each child of a root that goes away the root of a tree of its own. */
static void release_children(struct spill_token *root)
{
    struct spill_token *child = root->first_child;

    while (child != NULL) {
        struct spill_token *next = child->next_sibling;

        child->parent = NULL;
        child->next_sibling = NULL;
        child = next;
    }
}

void spill_token_destroy(struct spill_token *token)
{
    pthread_mutex_lock(&tree_lock);
    if (token->parent != NULL)
        replace_by_children(token);
    else
        release_children(token);
    pthread_mutex_unlock(&tree_lock);
}

bool spill_token_cancel(struct spill_token *token, const char *reason)
{
    bool first;

    assert(reason != NULL);
    pthread_mutex_lock(&tree_lock);
    first = !spill_token_cancelled(token);
    cancel_tree(token, reason);
    pthread_mutex_unlock(&tree_lock);
    return first;
}

void spill_token_set_deadline(struct spill_token *token, uint64_t deadline)
{
    atomic_store_explicit(&token->deadline, deadline, memory_order_relaxed);
}

unsigned spill_token_check_deadlines(struct spill_token *root, uint64_t now)
{
    struct spill_token *token = root;
    unsigned cancelled = 0;

    pthread_mutex_lock(&tree_lock);
    while (token != NULL) {
        if (!spill_token_cancelled(token) && !deadline_passed(token, now)) {
            token = next_in_tree(token, root);
            continue;
        }
        if (!spill_token_cancelled(token)) {
            cancel_tree(token, "deadline");
            cancelled++;
        }
        token = next_beside(token, root);
    }
    pthread_mutex_unlock(&tree_lock);
    return cancelled;
}
