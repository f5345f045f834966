/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An ACL that goes on with what another version has compiled. Rules that a layer has already stay
 * there; new ones are compiled into a layer of their own, together with smaller layers, so that
 * each rule is compiled a few times while thousands come one by one. A layer that can't be used any
 * more, as a rule that has gone would hide others, or as the order of its rules has changed, is
 * compiled anew.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>

#include "classify/acl_parts.h"

#define SIZE_RATIO 4 /* a layer so many times as large as what comes is left as it is */

/* How many rules of a layer are looked at for what they overlap, which takes a walk over it. */
#define LOOKS_MAX 64

/* Where rules are. */
#define NOWHERE SPILL_ACL_PARTS_MAX
#define HIDDEN  (SPILL_ACL_PARTS_MAX + 1) /* an earlier one matches the same */

struct following {
    const struct spill_ruleset *ruleset;
    uint8_t *where;  /* of each rule: index of a part of the ACL's, or as above */
    uint32_t *place; /* of each in its layer */
    uint32_t live[SPILL_ACL_PARTS_MAX]; /* rules of each part that are of this version */
    bool kept[SPILL_ACL_PARTS_MAX];
};

/* Looks for a rule in the layers there are. */
static void place_rule(struct spill_acl *acl, struct following *following, uint32_t rule)
{
    following->where[rule] = NOWHERE;
    for (uint32_t i = 0; i < acl->part_count; i++) {
        const struct spill_acl_part *part = &acl->parts[i];
        const uint32_t place = spill_acl_layer_find(part->layer, &following->ruleset->rules[rule]);

        if (place == 0)
            continue;
        if (part->order[place] != acl->count) {
            following->where[rule] = HIDDEN;
            return;
        }
        part->order[place] = rule;
        following->where[rule] = (uint8_t)i;
        following->place[rule] = place;
        following->live[i]++;
        return;
    }
}

/* Whether a layer's rules are in the order in which they were compiled, as far as that matters. */
static bool is_in_order(const struct spill_acl *acl, const struct following *following,
                        uint32_t part)
{
    uint32_t last = 0, looks = 0;

    for (uint32_t i = 0; i < following->ruleset->count; i++) {
        const uint32_t place = following->place[i];

        if (following->where[i] != part)
            continue;
        if (place > last)
            last = place;
        else if (++looks > LOOKS_MAX ||
                 spill_acl_layer_note(acl->parts[part].layer, place) != SPILL_ACL_ALONE)
            return false;
    }
    return true;
}

/* Whether none that has gone would be found in the place of one that has not. */
static bool hides_none(const struct spill_acl *acl, uint32_t part)
{
    struct spill_acl_layer *layer = acl->parts[part].layer;
    uint32_t looks = 0;

    for (uint32_t place = 1; place <= layer->count; place++) {
        if (acl->parts[part].order[place] != acl->count)
            continue;
        looks += layer->notes[place - 1] == SPILL_ACL_UNKNOWN;
        if (looks > LOOKS_MAX || spill_acl_layer_note(layer, place) == SPILL_ACL_HIDES_SOME)
            return false;
    }
    return true;
}

/* Which layers are to stay. Returns how many rules are in none of those. */
static uint32_t choose(const struct spill_acl *acl, struct following *following)
{
    uint32_t left = 0, kept = 0, smallest;

    for (uint32_t i = 0; i < acl->part_count; i++) {
        following->kept[i] = 2 * following->live[i] > acl->parts[i].layer->distinct &&
                             is_in_order(acl, following, i) && hides_none(acl, i);
        kept += following->kept[i];
    }
    for (uint32_t i = 0; i < following->ruleset->count; i++)
        left += following->where[i] == NOWHERE ||
                (following->where[i] < NOWHERE && !following->kept[following->where[i]]);
    while (left > 0 && kept > 0) {
        smallest = NOWHERE;
        for (uint32_t i = 0; i < acl->part_count; i++)
            if (following->kept[i] &&
                (smallest == NOWHERE || following->live[i] < following->live[smallest]))
                smallest = i;
        if (kept < SPILL_ACL_PARTS_MAX && following->live[smallest] > SIZE_RATIO * left)
            break;
        following->kept[smallest] = false;
        left += following->live[smallest];
        kept--;
    }
    return left;
}

/* Takes the layers that don't stay away. */
static void drop(struct spill_acl *acl, struct following *following)
{
    uint8_t now[SPILL_ACL_PARTS_MAX + 2] = {[NOWHERE] = NOWHERE, [HIDDEN] = HIDDEN};
    uint32_t count = 0;

    for (uint32_t i = 0; i < acl->part_count; i++) {
        now[i] = NOWHERE;
        if (!following->kept[i]) {
            spill_acl_layer_release(acl->parts[i].layer);
            rte_free(acl->parts[i].order);
            continue;
        }
        now[i] = (uint8_t)count;
        acl->parts[count++] = acl->parts[i];
    }
    acl->part_count = count;
    for (uint32_t i = 0; i < following->ruleset->count; i++)
        following->where[i] = now[following->where[i]];
}

/* Compiles what is in no layer. */
static int add_new(struct spill_acl *acl, const struct following *following, const char *name,
                   uint32_t count, int socket)
{
    struct spill_ruleset some = *following->ruleset;
    struct spill_acl_part *part = &acl->parts[acl->part_count];
    int status = -ENOMEM;

    some.rules = calloc(count, sizeof(*some.rules));
    some.count = 0;
    part->order = spill_acl_make_order(acl, count, socket);
    if (some.rules != NULL && part->order != NULL) {
        for (uint32_t i = 0; i < following->ruleset->count; i++) {
            if (following->where[i] != NOWHERE)
                continue;
            some.rules[some.count++] = following->ruleset->rules[i];
            part->order[some.count] = i;
        }
        status = spill_acl_layer_create(name, &some, &acl->inputs, acl->categories, socket, true,
                                        &part->layer);
    }
    free(some.rules);
    if (status == 0)
        acl->part_count++;
    else
        rte_free(part->order);
    return status;
}

/* Has the layers of another version, none of whose rules is of this one yet. */
static int take_layers(const struct spill_acl *previous, struct spill_acl *acl, int socket)
{
    for (uint32_t i = 0; i < previous->part_count; i++) {
        struct spill_acl_part *part = &acl->parts[i];

        part->order = spill_acl_make_order(acl, previous->parts[i].layer->count, socket);
        if (part->order == NULL)
            return -ENOMEM;
        part->layer = previous->parts[i].layer;
        part->layer->users++;
        acl->part_count++;
    }
    return 0;
}

static int follow(const struct spill_acl *previous, struct spill_acl *acl, const char *name,
                  struct following *following, int socket)
{
    uint32_t left;
    int status = take_layers(previous, acl, socket);

    if (status != 0)
        return status;
    for (uint32_t i = 0; i < following->ruleset->count; i++)
        place_rule(acl, following, i);
    left = choose(acl, following);
    drop(acl, following);
    return left == 0 ? 0 : add_new(acl, following, name, left, socket);
}

/* Rules with limits are in levels of their own, which a layer is compiled for. */
static bool may_follow(const struct spill_acl *previous, const struct spill_ruleset *ruleset)
{
    if (previous == NULL || spill_acl_categories(ruleset) != previous->categories)
        return false;
    for (uint32_t i = 0; i < previous->part_count; i++)
        if (previous->parts[i].layer->rules == NULL)
            return false;
    return true;
}

struct spill_acl *spill_acl_follow(const struct spill_acl *previous, const char *name,
                                   const struct spill_ruleset *ruleset, const uint16_t *sa_ids,
                                   const struct spill_rule_input *inputs,
                                   enum spill_verdict default_verdict, int socket,
                                   struct spill_error *error)
{
    struct following following = {.ruleset = ruleset};
    struct spill_acl *acl;
    int status;

    if (!may_follow(previous, ruleset))
        previous = NULL;
    acl = spill_acl_begin(previous, name, ruleset, inputs, socket, error);
    if (acl == NULL)
        return NULL;
    status = spill_acl_make_results(acl, ruleset, sa_ids, default_verdict, socket);
    if (status == 0 && previous == NULL)
        status = spill_acl_add_all(acl, name, ruleset, socket, true);
    if (status == 0 && previous != NULL) {
        following.where = calloc(ruleset->count + 1u, sizeof(*following.where));
        following.place = calloc(ruleset->count + 1u, sizeof(*following.place));
        status = following.where == NULL || following.place == NULL
                     ? -ENOMEM
                     : follow(previous, acl, name, &following, socket);
    }
    free(following.where);
    free(following.place);
    return spill_acl_end(acl, name, ruleset, status, error);
}
