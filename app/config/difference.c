/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/difference.h"

#include <stdio.h>

#include <rte_common.h>

void spill_differences_add(const struct spill_difference *difference, void *differences)
{
    struct spill_differences *all = differences;
    const uint32_t index = all->count++;

    if (index >= SPILL_DIFFERENCES_MAX)
        return;
    all->list[index].when = difference->when;
    all->list[index].change = difference->change;
    snprintf(all->list[index].what, sizeof(all->list[index].what), "%s", difference->what);
    snprintf(all->list[index].before, sizeof(all->list[index].before), "%s",
             difference->before != NULL ? difference->before : "");
    snprintf(all->list[index].after, sizeof(all->list[index].after), "%s",
             difference->after != NULL ? difference->after : "");
}

void spill_differences_write(const struct spill_differences *differences, struct spill_json *json)
{
    static const char *const changes[] = {
        [SPILL_CHANGED] = "changed", [SPILL_NEW] = "new", [SPILL_GONE] = "gone"};
    const uint32_t listed = RTE_MIN(differences->count, (uint32_t)SPILL_DIFFERENCES_MAX);

    spill_json_array_begin(json, "differences");
    for (uint32_t i = 0; i < listed; i++) {
        spill_json_object_begin(json, NULL);
        spill_json_string(json, "what", differences->list[i].what);
        spill_json_string(json, "when",
                          differences->list[i].when == SPILL_OPTION_AT_START ? "start" : "reload");
        spill_json_string(json, "change", changes[differences->list[i].change]);
        if (differences->list[i].before[0] != '\0')
            spill_json_string(json, "before", differences->list[i].before);
        if (differences->list[i].after[0] != '\0')
            spill_json_string(json, "after", differences->list[i].after);
        spill_json_object_end(json);
    }
    spill_json_array_end(json);
    spill_json_unsigned(json, "more", differences->count - listed);
}
