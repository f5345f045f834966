/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/rules_compare.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classify/rule_hash.h"

#define NONE UINT32_MAX

#define PLACE_SIZE (PATH_MAX + 16) /* a path and a number */

/* A line of the rules. */
struct line {
    uint64_t key;   /* what lines are paired by: what it says, or its name */
    uint32_t rule;  /* its first one */
    uint32_t other; /* the line of the other rules that it is or was, by index; NONE: none */
    bool changed;   /* says something else there */
};

struct lines {
    const struct spill_ruleset *ruleset;
    uint32_t count, sorted;
    struct line *list; /* in the order of the files */
    uint32_t *by_key;  /* indices of those of the above that are to be paired */
};

static int take_lines(const struct spill_ruleset *ruleset, struct lines *lines)
{
    uint32_t first, end;

    lines->ruleset = ruleset;
    lines->list = calloc(ruleset->count + 1u, sizeof(*lines->list));
    lines->by_key = calloc(ruleset->count + 1u, sizeof(*lines->by_key));
    if (lines->list == NULL || lines->by_key == NULL)
        return -1;
    for (first = 0; first < ruleset->count; first = end)
        lines->list[lines->count++] = (struct line){
            .key = spill_rule_hash_line(ruleset, first, &end), .rule = first, .other = NONE};
    return 0;
}

static void free_lines(struct lines *lines)
{
    free(lines->list);
    free(lines->by_key);
}

static const struct spill_rule *rule_of(const struct lines *lines, uint32_t line)
{
    return &lines->ruleset->rules[lines->list[line].rule];
}

/* ---------------------------------------------------------------------------------- pairing */

static void join(struct lines *before, uint32_t left, struct lines *after, uint32_t right,
                 bool changed)
{
    before->list[left].other = right;
    after->list[right].other = left;
    before->list[left].changed = after->list[right].changed = changed;
}

static int compare_lines(const void *one, const void *other, void *context)
{
    const struct line *list = context;
    const uint32_t left = *(const uint32_t *)one, right = *(const uint32_t *)other;

    if (list[left].key != list[right].key)
        return list[left].key < list[right].key ? -1 : 1;
    return left < right ? -1 : 1;
}

static void sort(struct lines *lines)
{
    qsort_r(lines->by_key, lines->sorted, sizeof(*lines->by_key), compare_lines, lines->list);
}

/* Of lines that have the same key, the first is the other's first. */
static void join_by_key(struct lines *before, struct lines *after, bool changed)
{
    uint32_t i = 0, j = 0;

    sort(before);
    sort(after);
    while (i < before->sorted && j < after->sorted) {
        const uint32_t left = before->by_key[i], right = after->by_key[j];
        const uint64_t one = before->list[left].key, other = after->list[right].key;

        if (one == other)
            join(before, left, after, right, changed);
        i += one <= other;
        j += other <= one;
    }
}

static void pick_all(struct lines *lines)
{
    for (lines->sorted = 0; lines->sorted < lines->count; lines->sorted++)
        lines->by_key[lines->sorted] = lines->sorted;
}

/* Those that are still alone, by their names. */
static void pick_named(struct lines *lines)
{
    lines->sorted = 0;
    for (uint32_t i = 0; i < lines->count; i++) {
        const char *name = spill_rules_name(lines->ruleset, rule_of(lines, i));

        if (lines->list[i].other != NONE || *name == '\0')
            continue;
        lines->list[i].key = spill_rule_hash_name(name);
        lines->by_key[lines->sorted++] = i;
    }
}

/* How many lines from there on are alone. */
static uint32_t count_alone(const struct lines *lines, uint32_t from)
{
    uint32_t end = from;

    while (end < lines->count && lines->list[end].other == NONE)
        end++;
    return end - from;
}

/* What stands behind the line that both have, or at the beginning, if there are as many. */
static void join_places(struct lines *before, uint32_t left, struct lines *after, uint32_t right)
{
    const uint32_t count = count_alone(before, left);
    const bool last = left + count == before->count;

    if (count_alone(after, right) != count || (right + count == after->count) != last ||
        (!last && before->list[left + count].other != right + count))
        return;
    for (uint32_t i = 0; i < count; i++)
        join(before, left + i, after, right + i, true);
}

static void join_by_place(struct lines *before, struct lines *after)
{
    join_places(before, 0, after, 0);
    for (uint32_t i = 0; i + 1 < before->count; i++) {
        if (before->list[i].other != NONE && before->list[i + 1].other == NONE)
            join_places(before, i + 1, after, before->list[i].other + 1);
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

/* ---------------------------------------------------------------------------------- telling */

static void write_place(const struct lines *lines, uint32_t line, char *text)
{
    const struct spill_rule *rule = rule_of(lines, line);

    snprintf(text, PLACE_SIZE, "%s:%u", spill_rules_path(lines->ruleset, rule),
             (unsigned)rule->line);
}

/* One of them, beside what it was or is. @param lines  of which it tells name and place */
static void tell_line(const struct lines *lines, uint32_t line, struct spill_difference *difference,
                      spill_difference_tell *tell, void *context)
{
    const char *name = spill_rules_name(lines->ruleset, rule_of(lines, line));
    char what[PLACE_SIZE + SPILL_RULE_NAME_MAX + 16], place[PLACE_SIZE];

    write_place(lines, line, place);
    snprintf(what, sizeof(what), "rule %s%s%s%s", place, *name != '\0' ? " \"" : "", name,
             *name != '\0' ? "\"" : "");
    difference->what = what;
    difference->when = SPILL_OPTION_AT_RELOAD;
    tell(difference, context);
}

static const char *text_of(const struct lines *lines, uint32_t line)
{
    return spill_rules_text(lines->ruleset, rule_of(lines, line));
}

static void tell_changed_and_gone(const struct lines *before, const struct lines *after,
                                  spill_difference_tell *tell, void *context)
{
    for (uint32_t i = 0; i < before->count; i++) {
        const struct line *line = &before->list[i];
        struct spill_difference difference = {.change = SPILL_GONE, .before = text_of(before, i)};
        char was[PLACE_SIZE];

        if (line->other == NONE) {
            tell_line(before, i, &difference, tell, context);
        } else if (line->changed) {
            write_place(before, i, was);
            difference.change = SPILL_CHANGED;
            difference.after = text_of(after, line->other);
            difference.was = was;
            tell_line(after, line->other, &difference, tell, context);
        }
    }
}

static void tell_new(const struct lines *after, spill_difference_tell *tell, void *context)
{
    for (uint32_t i = 0; i < after->count; i++) {
        struct spill_difference difference = {.change = SPILL_NEW, .after = text_of(after, i)};

        if (after->list[i].other == NONE)
            tell_line(after, i, &difference, tell, context);
    }
}

int spill_rules_compare(const struct spill_ruleset *in_force, const struct spill_ruleset *again,
                        spill_difference_tell *tell, void *context, struct spill_error *error)
{
    struct lines before = {0}, after = {0};
    int status = 0;

    if (take_lines(in_force, &before) == 0 && take_lines(again, &after) == 0) {
        pick_all(&before), pick_all(&after);
        join_by_key(&before, &after, false);
        pick_named(&before), pick_named(&after);
        join_by_key(&before, &after, true);
        if (!is_ordered(&before))
            tell(&(struct spill_difference){.what = "order of the rules",
                                            .when = SPILL_OPTION_AT_RELOAD,
                                            .change = SPILL_CHANGED},
                 context);
        join_by_place(&before, &after);
        tell_changed_and_gone(&before, &after, tell, context);
        tell_new(&after, tell, context);
    } else {
        status = spill_error_set(error, "no memory to compare the rules");
    }
    free_lines(&before);
    free_lines(&after);
    return status;
}
