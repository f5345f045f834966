/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/difference.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Returns whether there was memory. @param text  NULL: none */
static bool copy(char **to, const char *text)
{
    *to = text != NULL ? strdup(text) : NULL;
    return text == NULL || *to != NULL;
}

static void free_entry(struct spill_differences_entry *entry)
{
    free(entry->what);
    free(entry->before);
    free(entry->after);
    free(entry->was);
}

void spill_differences_add(const struct spill_difference *difference, void *differences)
{
    struct spill_differences *all = differences;
    struct spill_differences_entry *entry = &all->list[all->listed];

    all->count++;
    if (all->listed == SPILL_DIFFERENCES_MAX)
        return;
    *entry =
        (struct spill_differences_entry){.when = difference->when, .change = difference->change};
    if (copy(&entry->what, difference->what) && copy(&entry->before, difference->before) &&
        copy(&entry->after, difference->after) && copy(&entry->was, difference->was))
        all->listed++;
    else
        free_entry(entry);
}

void spill_differences_free(struct spill_differences *differences)
{
    if (differences == NULL)
        return;
    for (uint32_t i = 0; i < differences->listed; i++)
        free_entry(&differences->list[i]);
    free(differences);
}

void spill_differences_write(const struct spill_differences *differences, struct spill_json *json)
{
    static const char *const changes[] = {
        [SPILL_CHANGED] = "changed", [SPILL_NEW] = "new", [SPILL_GONE] = "gone"};

    spill_json_array_begin(json, "differences");
    for (uint32_t i = 0; i < differences->listed; i++) {
        spill_json_object_begin(json, NULL);
        spill_json_string(json, "what", differences->list[i].what);
        spill_json_string(json, "when",
                          differences->list[i].when == SPILL_OPTION_AT_START ? "start" : "reload");
        spill_json_string(json, "change", changes[differences->list[i].change]);
        if (differences->list[i].before != NULL)
            spill_json_string(json, "before", differences->list[i].before);
        if (differences->list[i].after != NULL)
            spill_json_string(json, "after", differences->list[i].after);
        if (differences->list[i].was != NULL)
            spill_json_string(json, "was", differences->list[i].was);
        spill_json_object_end(json);
    }
    spill_json_array_end(json);
    spill_json_unsigned(json, "more", differences->count - differences->listed);
}
