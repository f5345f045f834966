/* SPDX-License-Identifier: BSD-3-Clause */
/* Codepoints of differentiated services, by name or number. */
#include <string.h>

#include <rte_common.h>

#include "classify/rule_reader.h"
#include "packet/dscp.h"

/* RFC 2474, 2597, 3246, 5865, 8622. */
static const struct {
    const char *name;
    uint8_t codepoint;
} NAMES[] = {{"cs0", 0},   {"cs1", 8},   {"cs2", 16},    {"cs3", 24},        {"cs4", 32},
             {"cs5", 40},  {"cs6", 48},  {"cs7", 56},    {"af11", 10},       {"af12", 12},
             {"af13", 14}, {"af21", 18}, {"af22", 20},   {"af23", 22},       {"af31", 26},
             {"af32", 28}, {"af33", 30}, {"af41", 34},   {"af42", 36},       {"af43", 38},
             {"ef", 46},   {"le", 1},    {"default", 0}, {"voice-admit", 44}};

int spill_rule_read_dscp(const struct spill_rule_location *location, struct spill_rule_words *words,
                         struct spill_rule *rule)
{
    const char *text = spill_rule_take(words);
    uint32_t number = SPILL_DSCP_MAX + 1;

    for (unsigned i = 0; text != NULL && i < RTE_DIM(NAMES); i++)
        if (strcmp(text, NAMES[i].name) == 0)
            number = NAMES[i].codepoint;
    if (number > SPILL_DSCP_MAX &&
        (text == NULL || !spill_rule_number(text, SPILL_DSCP_MAX, &number)))
        return spill_rule_error(location,
                                "'%.80s': not a codepoint; 0 to 63, cs0 to cs7, af11 to af43, ef, "
                                "le or voice-admit",
                                text != NULL ? text : "end of line");
    if (rule->action == SPILL_VERDICT_DENY)
        return spill_rule_error(location, "dscp goes with allow and protect");
    rule->dscp = (uint8_t)(1 + number);
    return 0;
}
