/* SPDX-License-Identifier: BSD-3-Clause */
#include "classify/rule_words.h"

#include <string.h>

bool spill_rule_take_if(struct spill_rule_words *words, const char *expected)
{
    const char *word = words->word[words->next];

    if (word == NULL || strcmp(word, expected) != 0)
        return false;
    words->next++;
    return true;
}

const char *spill_rule_shown(const struct spill_rule_words *words)
{
    const char *word = words->word[words->next];

    return word == NULL ? "end of line" : word;
}

char *spill_rule_next_word(char **rest)
{
    char *word;

    do
        word = strsep(rest, " \t\v\f\r");
    while (word != NULL && *word == '\0');
    return word;
}

/* The end of what stands in quotes, which begins here: its last quote. NULL: there is none. */
static char *end_of_quotes(char *text)
{
    return *text == '"' ? strchr(text + 1, '"') : NULL;
}

/* The next word of a rule, of which one in quotes keeps the first of them. Returns 1; 0 at the end
 * of the line; -1 with an error. */
static int next_rule_word(const struct spill_rule_location *location, char **rest, char **word)
{
    char *end;

    if (*rest == NULL)
        return 0;
    *rest += strspn(*rest, " \t\v\f\r");
    if (**rest != '"') {
        *word = spill_rule_next_word(rest);
        return *word != NULL;
    }
    *word = *rest;
    end = end_of_quotes(*rest);
    if (end == NULL)
        return spill_rule_error(location, "%.80s: a quote is missing", *word);
    *rest = end[1] == '\0' ? NULL : end + 2;
    if (end[1] != '\0' && strchr(" \t\v\f\r", end[1]) == NULL)
        return spill_rule_error(location, "%.80s: a blank is expected behind the quotes", *word);
    *end = '\0';
    return 1;
}

int spill_rule_split(const struct spill_rule_location *location, char *line,
                     struct spill_rule_words *words)
{
    unsigned count = 0;
    char *word;
    int result;

    *words = (struct spill_rule_words){0};
    while ((result = next_rule_word(location, &line, &word)) > 0) {
        if (count == SPILL_RULE_WORDS_MAX)
            return spill_rule_error(location, "'%.80s': more words than a rule has", word);
        words->word[count++] = word;
    }
    return result;
}

void spill_rule_cut_comment(char *line)
{
    char *end;

    for (; *line != '\0' && *line != '#'; line++) {
        end = end_of_quotes(line);
        if (end != NULL)
            line = end;
    }
    *line = '\0';
}
