/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An ACL that goes on with what another version has compiled. Rules that a layer has already stay
 * there; new ones are compiled into a layer of their own, together with smaller layers, so that
 * each rule is compiled a few times while thousands come one by one.
 *
 * A rule that has gone may still be found in its layer, and hide there what comes later and shares
 * packets with it. That is compiled once more, into a new layer, and is found there from then on,
 * whoever goes next: so thousands that go one by one have a rule behind them all compiled a few
 * times, too. Where it is many that are hidden, those that overlap go into layers apart
 * (acl_share.h), where the next that goes hides none. A layer most of whose rules have gone or are
 * hidden, or whose rules' order has changed, is compiled anew.
 *
 * What is found is right: of the rules that match a packet the first is in a layer where none that
 * has gone hides it, and where those before it that overlap it come before it in the order, too. So
 * that layer finds it, and no other one finds an earlier.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>

#include "classify/acl_parts.h"
#include "classify/acl_share.h"

#define SIZE_RATIO 4 /* a layer so many times as large as what comes is left as it is */

/* How many rules of a layer are looked at for what they overlap, which takes a walk over it. */
#define LOOKS_MAX 64

/* So many that are hidden are compiled together; of more, those that overlap are kept apart. */
#define HIDDEN_MAX 32
#define NEW_MAX    3 /* layers */

/* Where a rule is, besides a bit for each part that finds it. */
#define REPEATS (1u << SPILL_ACL_PARTS_MAX) /* nowhere, as an earlier one matches the same */
#define HIDDEN  (2u << SPILL_ACL_PARTS_MAX) /* a part has it, and may not find it */

struct following {
    const struct spill_ruleset *ruleset;
    uint8_t *where;                      /* of each rule: parts and bits as above */
    uint32_t found[SPILL_ACL_PARTS_MAX]; /* how many rules of this version each part finds */
    uint8_t kept;                        /* parts: bits */
};

/* Gives a rule its place in the order of each layer that has it. */
static void place_rule(struct spill_acl *acl, struct following *following, uint32_t rule)
{
    for (uint32_t i = 0; i < acl->part_count; i++) {
        const struct spill_acl_part *part = &acl->parts[i];
        const uint32_t place = spill_acl_layer_find(part->layer, &following->ruleset->rules[rule]);

        if (place == 0)
            continue;
        if (part->order[place] != acl->count) {
            following->where[rule] = REPEATS;
            return;
        }
        part->order[place] = rule;
    }
}

/* Whether a layer's rules are in the order in which they were compiled, as far as that matters. */
static bool is_in_order(const struct spill_acl *acl, const struct spill_acl_part *part)
{
    uint32_t first = acl->count, looks = 0;

    for (uint32_t place = part->layer->count; place > 0; place--) {
        if (part->order[place] == acl->count)
            continue;
        if (part->order[place] < first)
            first = part->order[place];
        else if (++looks > LOOKS_MAX || !spill_acl_layer_is_alone(part->layer, place))
            return false;
    }
    return true;
}

/* Notes what those hide that have gone. Returns whether it was worth the walks. */
static bool note_hidden(const struct spill_acl *acl, const struct spill_acl_part *part)
{
    uint32_t looks = 0;

    for (uint32_t place = 1; place <= part->layer->count && looks <= LOOKS_MAX; place++)
        looks += part->order[place] == acl->count && spill_acl_layer_hide(part->layer, place);
    return looks <= LOOKS_MAX;
}

/* Which rules a layer finds. Returns whether it may stay. */
static bool find_rules(const struct spill_acl *acl, struct following *following, uint32_t number)
{
    const struct spill_acl_part *part = &acl->parts[number];

    if (!is_in_order(acl, part) || !note_hidden(acl, part))
        return false;
    for (uint32_t place = 1; place <= part->layer->count; place++) {
        if (part->order[place] == acl->count)
            continue;
        if (spill_acl_layer_is_hidden(part->layer, place)) {
            following->where[part->order[place]] |= HIDDEN;
            continue;
        }
        following->where[part->order[place]] |= (uint8_t)(1u << number);
        following->found[number]++;
    }
    return 2 * following->found[number] > part->layer->distinct;
}

/* Whether no layer that stays finds a rule. */
static bool is_left(const struct following *following, uint32_t rule)
{
    return (following->where[rule] & (following->kept | REPEATS)) == 0;
}

static uint32_t count_left(const struct following *following)
{
    uint32_t left = 0;

    for (uint32_t i = 0; i < following->ruleset->count; i++)
        left += is_left(following, i);
    return left;
}

/* Into how many layers what is left is to go: where much is hidden, that is not to be so again. */
static uint32_t count_new(const struct following *following)
{
    uint32_t hidden = 0;

    for (uint32_t i = 0; i < following->ruleset->count; i++)
        hidden += is_left(following, i) && (following->where[i] & HIDDEN) != 0;
    return hidden > HIDDEN_MAX ? NEW_MAX : 1;
}

/* The kept layer that finds the fewest rules. */
static uint32_t smallest_of(const struct following *following, uint32_t part_count)
{
    uint32_t smallest = SPILL_ACL_PARTS_MAX;

    for (uint32_t i = 0; i < part_count; i++) {
        if ((following->kept >> i & 1) != 0 &&
            (smallest == SPILL_ACL_PARTS_MAX || following->found[i] < following->found[smallest]))
            smallest = i;
    }
    return smallest;
}

/* Which layers are to stay. Returns how many rules none of those finds. */
static uint32_t choose(const struct spill_acl *acl, struct following *following)
{
    uint32_t left, smallest, parts;

    for (uint32_t i = 0; i < acl->part_count; i++)
        following->kept |= (uint8_t)(find_rules(acl, following, i) << i);
    while ((left = count_left(following)) > 0 && following->kept != 0) {
        smallest = smallest_of(following, acl->part_count);
        parts = (uint32_t)__builtin_popcount(following->kept) + count_new(following);
        if (parts <= SPILL_ACL_PARTS_MAX && following->found[smallest] / SIZE_RATIO >= left)
            break;
        following->kept &= (uint8_t) ~(1u << smallest);
    }
    return left;
}

/* Takes the layers that don't stay away. */
static void drop(struct spill_acl *acl, const struct following *following)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < acl->part_count; i++) {
        if ((following->kept >> i & 1) != 0) {
            acl->parts[count++] = acl->parts[i];
            continue;
        }
        spill_acl_layer_release(acl->parts[i].layer);
        rte_free(acl->parts[i].order);
    }
    acl->part_count = count;
}

/* What no layer finds, and which of the new ones each is for. */
struct left {
    struct spill_rule *rules;
    uint32_t *indices; /* of each in the version */
    uint8_t *layers;
    uint32_t count;
};

static void free_left(struct left *left)
{
    free(left->rules);
    free(left->indices);
    free(left->layers);
}

static int gather(const struct following *following, uint32_t count, uint32_t layers,
                  struct left *left)
{
    *left = (struct left){
        .rules = calloc(count + 1u, sizeof(*left->rules)),
        .indices = calloc(count + 1u, sizeof(*left->indices)),
        .layers = calloc(count + 1u, sizeof(*left->layers)),
    };
    if (left->rules == NULL || left->indices == NULL || left->layers == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < following->ruleset->count; i++) {
        if (is_left(following, i)) {
            left->rules[left->count] = following->ruleset->rules[i];
            left->indices[left->count++] = i;
        }
    }
    return layers == 1 ? 0 : spill_acl_share(left->rules, count, layers, left->layers);
}

/* Compiles those that are for one layer. */
static int add_layer(struct spill_acl *acl, const struct spill_ruleset *ruleset,
                     const struct left *left, uint8_t layer, const char *name, int socket)
{
    struct spill_ruleset some = *ruleset;
    struct spill_acl_part *part = &acl->parts[acl->part_count];
    int status = -ENOMEM;

    some.rules = calloc(left->count + 1u, sizeof(*some.rules));
    some.count = 0;
    part->order = spill_acl_make_order(acl, left->count, socket);
    if (some.rules != NULL && part->order != NULL) {
        for (uint32_t i = 0; i < left->count; i++) {
            if (left->layers[i] != layer)
                continue;
            some.rules[some.count++] = left->rules[i];
            part->order[some.count] = left->indices[i];
        }
        status = some.count == 0
                     ? 1
                     : spill_acl_layer_create(name, &some, &acl->inputs, acl->categories, socket,
                                              true, &part->layer);
    }
    free(some.rules);
    if (status == 0)
        acl->part_count++;
    else
        rte_free(part->order);
    return RTE_MIN(status, 0);
}

/* Compiles what no layer finds. */
static int add_new(struct spill_acl *acl, const struct following *following, const char *name,
                   uint32_t count, int socket)
{
    static const char *const SUFFIX[NEW_MAX] = {"", "b", "c"};
    const uint32_t layers = count_new(following);
    char layer_name[SPILL_ACL_NAME_MAX + 2];
    struct left left;
    int status = gather(following, count, layers, &left);

    for (uint8_t i = 0; i < layers && status == 0; i++) {
        snprintf(layer_name, sizeof(layer_name), "%s%s", name, SUFFIX[i]);
        status = add_layer(acl, following->ruleset, &left, i, layer_name, socket);
    }
    free_left(&left);
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
        status =
            following.where == NULL ? -ENOMEM : follow(previous, acl, name, &following, socket);
    }
    free(following.where);
    return spill_acl_end(acl, name, ruleset, status, error);
}
