/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_RULE_WORDS_H
#define SPILLWAY_RULE_WORDS_H

#include <stdbool.h>

#include "classify/rule_fields.h"

/**
 * @file
 * A line of a rule file as words. For the files of the rule reader alone (rule_reader.h).
 */

#define SPILL_RULE_WORDS_MAX 24 /* in a line */

/** The words of a line, in the line's own memory; past the last they are NULL. One that stood in
 * quotes begins with one still. */
struct spill_rule_words {
    char *word[SPILL_RULE_WORDS_MAX + 1];
    unsigned next;
};

/** Takes the next word, or NULL at the end of the line. */
static inline char *spill_rule_take(struct spill_rule_words *words)
{
    char *word = words->word[words->next];

    if (word != NULL)
        words->next++;
    return word;
}

/** Takes the next word if it is the one given. */
bool spill_rule_take_if(struct spill_rule_words *words, const char *expected);

/** The next word as an error shows it. */
const char *spill_rule_shown(const struct spill_rule_words *words);

/** Cuts a line's comment off. */
void spill_rule_cut_comment(char *line);

/** The next word of what is left of a line; NULL at its end. */
char *spill_rule_next_word(char **rest);

/** The words of a line, of which one in quotes is one. Returns 0, or -1 with the error written. */
int spill_rule_split(const struct spill_rule_location *location, char *line,
                     struct spill_rule_words *words);

#endif
