/* SPDX-License-Identifier: BSD-3-Clause */
#include "xfrm/children.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include <rte_common.h>

/* ------------------------------------------------------------------------- who belongs where */

/* SAs by their reqids: a policy looks at those of its own. */
struct index {
    struct spill_xfrm_sa *sas;
    uint32_t count;
    uint32_t mask;
    uint32_t *first; /* by reqid, 1 + index of the newest SA; 0: there is none */
    uint32_t *next;  /* of each SA, the next older one of its place */
};

static int make_index(const struct spill_xfrm_state *state, struct index *index)
{
    const uint32_t size = rte_align32pow2(state->sa_count + 2);

    *index = (struct index){.sas = state->sas, .count = state->sa_count, .mask = size - 1};
    index->first = calloc(size, sizeof(*index->first));
    index->next = calloc(state->sa_count + 1u, sizeof(*index->next));
    if (index->first == NULL || index->next == NULL)
        return -ENOMEM;
    /* They stand in the order in which they came. */
    for (uint32_t i = 0; i < state->sa_count; i++) {
        uint32_t *first = &index->first[state->sas[i].info.reqid & index->mask];

        index->next[i] = *first;
        *first = i + 1;
    }
    return 0;
}

/* The next older SA behind one that a policy may take; NULL: the newest. A policy without a reqid
 * may take those of all. */
static struct spill_xfrm_sa *next_older(const struct index *index,
                                        const struct spill_xfrm_policy *policy,
                                        const struct spill_xfrm_sa *sa)
{
    const uint32_t reqid = policy->template.reqid;
    uint32_t i;

    if (reqid != 0)
        i = sa == NULL ? index->first[reqid & index->mask] : index->next[sa - index->sas];
    else
        i = sa == NULL ? index->count : (uint32_t)(sa - index->sas);
    return i != 0 ? &index->sas[i - 1] : NULL;
}

static void find_directions(const struct index *index, const struct spill_xfrm_state *state)
{
    for (uint32_t i = 0; i < state->policy_count; i++) {
        const struct spill_xfrm_policy *policy = &state->policies[i];
        struct spill_xfrm_sa *sa = NULL;

        while (policy->has_template && (sa = next_older(index, policy, sa)) != NULL) {
            if (sa->direction == SPILL_XFRM_UNKNOWN && spill_xfrm_policy_takes(policy, sa))
                sa->direction =
                    policy->info.dir == XFRM_POLICY_OUT ? SPILL_XFRM_OUT : SPILL_XFRM_IN;
        }
    }
}

static struct spill_xfrm_sa *sa_of(const struct index *index,
                                   const struct spill_xfrm_policy *policy)
{
    const uint8_t direction = policy->info.dir == XFRM_POLICY_OUT ? SPILL_XFRM_OUT : SPILL_XFRM_IN;
    struct spill_xfrm_sa *sa = NULL;

    while (policy->has_template && (sa = next_older(index, policy, sa)) != NULL) {
        if (sa->direction == direction && spill_xfrm_policy_takes(policy, sa))
            return sa;
    }
    return NULL;
}

static bool has_pair(const struct spill_xfrm_children *children, uint32_t policy,
                     const struct spill_xfrm_sa *sa)
{
    for (uint32_t i = children->pair_count; i-- > 0 && children->pairs[i].policy == policy;) {
        if (children->pairs[i].sa->group == sa->group)
            return true;
    }
    return false;
}

static int add_pair(struct spill_xfrm_children *children, uint32_t policy, struct spill_xfrm_sa *sa)
{
    if (children->pair_count == children->pair_room) {
        const uint32_t room = 2 * children->pair_room + 16;
        struct spill_xfrm_pair *pairs = realloc(children->pairs, room * sizeof(*pairs));

        if (pairs == NULL)
            return -ENOMEM;
        children->pairs = pairs;
        children->pair_room = room;
    }
    children->pairs[children->pair_count++] = (struct spill_xfrm_pair){policy, sa};
    return 0;
}

/* IKE goes by this end's port of the newest SA that a policy has. */
static void note_port(struct spill_xfrm_policy *policy, const struct spill_xfrm_sa *sa)
{
    const struct xfrm_encap_tmpl *encap = &sa->encap;

    policy->own_port =
        !sa->encapsulated
            ? 0
            : ntohs(sa->direction == SPILL_XFRM_OUT ? encap->encap_sport : encap->encap_dport);
}

/* Of each two ends the newest SA; those of the same ends and reqid are of one group. */
static int find_pairs(const struct index *index, struct spill_xfrm_state *state, uint32_t number,
                      struct spill_xfrm_children *children)
{
    struct spill_xfrm_policy *policy = &state->policies[number];
    const uint8_t direction = policy->info.dir == XFRM_POLICY_OUT ? SPILL_XFRM_OUT : SPILL_XFRM_IN;
    struct spill_xfrm_sa *sa = NULL;
    bool has_port = false;

    while ((sa = next_older(index, policy, sa)) != NULL) {
        if (sa->direction != direction || !spill_xfrm_policy_takes(policy, sa) ||
            has_pair(children, number, sa))
            continue;
        if (add_pair(children, number, sa) != 0)
            return -ENOMEM;
        if (!has_port)
            note_port(policy, sa);
        has_port = true;
        children->is_chosen[sa - state->sas] |= direction == SPILL_XFRM_OUT;
    }
    return 0;
}

/* ------------------------------------------------------------------------ what rules call SAs */

/*
 * An SA that follows another one takes over its name: then rules stay as they are, and what was
 * decided for the one goes by the other. SAs by which policies go at a time have names of their
 * own, though reqid and ends may be the same: a daemon that is started again counts reqids anew,
 * peers behind one NAT share an address, and one reqid may be given to several children. A name
 * that is free belongs to nobody else: what was decided for a child that is gone goes by none.
 */

/* Whether another SA by which policies go has a name. Those of a name have one reqid. */
static bool is_taken(const struct index *index, const struct spill_xfrm_children *children,
                     const struct spill_xfrm_sa *sa, uint32_t name)
{
    uint32_t i = index->first[sa->info.reqid & index->mask];

    for (; i != 0; i = index->next[i - 1]) {
        if (&index->sas[i - 1] != sa && children->is_chosen[i - 1] &&
            index->sas[i - 1].child == name)
            return true;
    }
    return false;
}

/* In the first round policies claim the names that they have gone by, in the second one SAs keep
 * theirs, and then those get one that are left. */
static bool gets_name(const struct index *index, const struct spill_xfrm_children *children,
                      struct spill_xfrm_state *state, const struct spill_xfrm_policy *policy,
                      struct spill_xfrm_sa *sa, unsigned round)
{
    if (sa->child != 0 && (round > 0 || sa->child == policy->child) &&
        !is_taken(index, children, sa, sa->child))
        return true;
    if (round < 2)
        return false;
    sa->child = policy->child != 0 && policy->group == sa->group &&
                        !is_taken(index, children, sa, policy->child)
                    ? policy->child
                    : ++state->last_group;
    return true;
}

static void name_children(const struct index *index, const struct spill_xfrm_children *children,
                          struct spill_xfrm_state *state)
{
    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < state->policy_count; i++) {
            struct spill_xfrm_sa *sa = children->of[i];
            bool *is_chosen = sa != NULL ? &children->is_chosen[sa - state->sas] : NULL;

            if (sa != NULL && sa->direction == SPILL_XFRM_OUT && !*is_chosen)
                *is_chosen = gets_name(index, children, state, &state->policies[i], sa, round);
        }
    }
    for (uint32_t i = 0; i < state->policy_count; i++) {
        const struct spill_xfrm_sa *sa = children->of[i];

        if (sa != NULL) {
            state->policies[i].group = sa->group;
            state->policies[i].child = sa->child;
            note_port(&state->policies[i], sa);
        }
    }
}

uint32_t spill_xfrm_child(const struct spill_xfrm_sa *sa)
{
    return sa->child != 0 ? sa->child : sa->group;
}

/* ------------------------------------------------------------------------------- the whole */

static int find(const struct index *index, struct spill_xfrm_state *state,
                struct spill_xfrm_children *children)
{
    children->of = calloc(state->policy_count + 1u, sizeof(children->of[0]));
    children->is_chosen = calloc(state->sa_count + 1u, sizeof(children->is_chosen[0]));
    if (children->of == NULL || children->is_chosen == NULL)
        return -ENOMEM;
    find_directions(index, state);
    for (uint32_t i = 0; i < state->policy_count; i++) {
        if (!spill_xfrm_policy_is_wide(&state->policies[i]))
            children->of[i] = sa_of(index, &state->policies[i]);
    }
    name_children(index, children, state);
    for (uint32_t i = 0; i < state->policy_count; i++) {
        if (spill_xfrm_policy_is_wide(&state->policies[i]) &&
            find_pairs(index, state, i, children) != 0)
            return -ENOMEM;
    }
    return 0;
}

int spill_xfrm_children_find(struct spill_xfrm_state *state, struct spill_xfrm_children *children)
{
    struct index index;
    int status = make_index(state, &index);

    *children = (struct spill_xfrm_children){0};
    if (status == 0)
        status = find(&index, state, children);
    free(index.first);
    free(index.next);
    return status;
}

void spill_xfrm_children_free(struct spill_xfrm_children *children)
{
    free(children->of);
    free(children->is_chosen);
    free(children->pairs);
}
