/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/policy_compare.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classify/rule_hash.h"

#define NONE UINT32_MAX

/* A line of the rules. */
struct line {
    uint64_t hash;
    uint32_t rule;  /* its first one */
    uint32_t other; /* the line of the other policy that says the same, by index; NONE: none */
};

struct lines {
    uint32_t count;
    struct line *list; /* in the order of the files */
    uint32_t *by_hash; /* indices of the above */
};

/* ---------------------------------------------------------------------------------- telling */

static void tell(spill_difference_tell *tell_one, void *context, enum spill_change change,
                 const char *what, const char *before, const char *after)
{
    tell_one(&(struct spill_difference){what, SPILL_OPTION_AT_RELOAD, change, before, after},
             context);
}

/* ------------------------------------------------------------------------------------ rules */

static int compare_lines(const void *one, const void *other, void *context)
{
    const struct line *list = context;
    const uint32_t left = *(const uint32_t *)one, right = *(const uint32_t *)other;

    if (list[left].hash != list[right].hash)
        return list[left].hash < list[right].hash ? -1 : 1;
    return left < right ? -1 : 1;
}

static int take_lines(const struct spill_ruleset *ruleset, struct lines *lines)
{
    uint32_t first, end;

    lines->list = calloc(ruleset->count + 1u, sizeof(*lines->list));
    lines->by_hash = calloc(ruleset->count + 1u, sizeof(*lines->by_hash));
    if (lines->list == NULL || lines->by_hash == NULL)
        return -1;
    for (first = 0; first < ruleset->count; first = end) {
        lines->list[lines->count] = (struct line){
            .hash = spill_rule_hash_line(ruleset, first, &end), .rule = first, .other = NONE};
        lines->by_hash[lines->count] = lines->count;
        lines->count++;
    }
    qsort_r(lines->by_hash, lines->count, sizeof(*lines->by_hash), compare_lines, lines->list);
    return 0;
}

/* Of lines that say the same, the first is the other's first. */
static void pair(struct lines *left, struct lines *right)
{
    uint32_t i = 0, j = 0;

    while (i < left->count && j < right->count) {
        struct line *one = &left->list[left->by_hash[i]], *other = &right->list[right->by_hash[j]];

        if (one->hash == other->hash) {
            one->other = right->by_hash[j++];
            other->other = left->by_hash[i++];
        } else if (one->hash < other->hash) {
            i++;
        } else {
            j++;
        }
    }
}

static void tell_lines(const struct lines *lines, const struct spill_ruleset *ruleset,
                       enum spill_change change, spill_difference_tell *tell_one, void *context)
{
    for (uint32_t i = 0; i < lines->count; i++) {
        const struct spill_rule *rule = &ruleset->rules[lines->list[i].rule];
        const char *name = spill_rules_name(ruleset, rule);
        const char *action = spill_rule_action_name((enum spill_verdict)rule->action, rule->reject);
        char what[PATH_MAX + 128]; /* a path, a number, a name */

        if (lines->list[i].other != NONE)
            continue;
        snprintf(what, sizeof(what), "rule %s:%u%s%s%s", spill_rules_path(ruleset, rule),
                 (unsigned)rule->line, *name != '\0' ? " \"" : "", name, *name != '\0' ? "\"" : "");
        tell(tell_one, context, change, what, change == SPILL_GONE ? action : NULL,
             change == SPILL_NEW ? action : NULL);
    }
}

/* Whether lines that both have stand in the same order. */
static bool is_ordered(const struct lines *lines)
{
    uint32_t last = 0;

    for (uint32_t i = 0; i < lines->count; i++) {
        if (lines->list[i].other == NONE)
            continue;
        if (lines->list[i].other < last)
            return false;
        last = lines->list[i].other;
    }
    return true;
}

static void free_lines(struct lines *lines)
{
    free(lines->list);
    free(lines->by_hash);
}

static int compare_rules(const struct spill_ruleset *left, const struct spill_ruleset *right,
                         spill_difference_tell *tell_one, void *context, struct spill_error *error)
{
    struct lines before = {0}, after = {0};
    int status = 0;

    if (take_lines(left, &before) == 0 && take_lines(right, &after) == 0) {
        pair(&before, &after);
        if (!is_ordered(&before))
            tell(tell_one, context, SPILL_CHANGED, "order of the rules", NULL, NULL);
        tell_lines(&before, left, SPILL_GONE, tell_one, context);
        tell_lines(&after, right, SPILL_NEW, tell_one, context);
    } else {
        status = spill_error_set(error, "no memory to compare the rules");
    }
    free_lines(&before);
    free_lines(&after);
    return status;
}

/* ------------------------------------------------------------------------------------- sets */

static int find_set(const struct spill_ruleset *ruleset, const char *name)
{
    for (uint8_t i = 0; i < ruleset->set_count; i++) {
        if (strcmp(ruleset->sets[i], name) == 0)
            return i;
    }
    return -1;
}

static void compare_set(const struct spill_ruleset *left, uint32_t index,
                        const struct spill_ruleset *right, spill_difference_tell *tell_one,
                        void *context)
{
    const int other = find_set(right, left->sets[index]);
    char what[192], before[32], after[32];
    uint32_t counts[2];

    snprintf(what, sizeof(what), "set %s", left->sets[index]);
    if (other < 0) {
        tell(tell_one, context, SPILL_GONE, what, NULL, NULL);
        return;
    }
    if (spill_rule_hash_set(left, index, &counts[0]) ==
            spill_rule_hash_set(right, (uint32_t)other, &counts[1]) &&
        counts[0] == counts[1])
        return;
    snprintf(before, sizeof(before), "%u prefixes", (unsigned)counts[0]);
    snprintf(after, sizeof(after), "%u prefixes", (unsigned)counts[1]);
    tell(tell_one, context, SPILL_CHANGED, what, before, after);
}

static void compare_sets(const struct spill_ruleset *left, const struct spill_ruleset *right,
                         spill_difference_tell *tell_one, void *context)
{
    char what[192];

    for (uint32_t i = 0; i < left->set_count; i++)
        compare_set(left, i, right, tell_one, context);
    for (uint32_t i = 0; i < right->set_count; i++) {
        if (find_set(left, right->sets[i]) >= 0)
            continue;
        snprintf(what, sizeof(what), "set %s", right->sets[i]);
        tell(tell_one, context, SPILL_NEW, what, NULL, NULL);
    }
}

/* ------------------------------------------------------------------------------------- keys */

static const struct spill_sa_config *find_sa(const struct spill_policy_files *files,
                                             const char *name, uint32_t *next)
{
    for (uint32_t i = 0; i < files->sa_count; i++) {
        const uint32_t index = (*next + i) % files->sa_count;

        if (strcmp(files->sas[index].name, name) == 0) {
            *next = index + 1;
            return &files->sas[index];
        }
    }
    return NULL;
}

static void compare_keys(const struct spill_policy_files *left,
                         const struct spill_policy_files *right, spill_difference_tell *tell_one,
                         void *context)
{
    uint32_t next = 0;
    char what[192];

    for (uint32_t i = 0; i < left->sa_count; i++) {
        const struct spill_sa_config *sa = &left->sas[i];
        const struct spill_sa_config *other = find_sa(right, sa->name, &next);

        if (other == NULL || memcmp(sa->key, other->key, sizeof(sa->key)) == 0)
            continue;
        snprintf(what, sizeof(what), "key of sa %s", sa->name);
        tell(tell_one, context, SPILL_CHANGED, what, NULL, NULL);
    }
}

int spill_policy_compare(const struct spill_policy_files *in_force,
                         const struct spill_policy_files *again, spill_difference_tell *tell_one,
                         void *context, struct spill_error *error)
{
    compare_sets(in_force->ruleset, again->ruleset, tell_one, context);
    compare_keys(in_force, again, tell_one, context);
    return compare_rules(in_force->ruleset, again->ruleset, tell_one, context, error);
}
