/* SPDX-License-Identifier: BSD-3-Clause */
/* What rules say of rates: how much they let through, and how often they are recorded. */
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "classify/rule_limit.h"
#include "classify/rule_reader.h"

#define RECORDS_MAX 1000000 /* in their unit */

/* N/s, N/m or N/h: nanoseconds from one to the next. 0, with the error written: it is none. */
static uint64_t read_interval(const struct spill_rule_location *location, char *text)
{
    static const struct {
        const char *unit;
        uint64_t nanoseconds;
    } UNITS[] = {
        {"s", UINT64_C(1000000000)}, {"m", UINT64_C(60000000000)}, {"h", UINT64_C(3600000000000)}};
    char *unit = strchr(text, '/');
    uint32_t count;

    *unit++ = '\0';
    for (unsigned i = 0; i < RTE_DIM(UNITS); i++)
        if (strcmp(unit, UNITS[i].unit) == 0 && spill_rule_number(text, RECORDS_MAX, &count) &&
            count > 0)
            return UNITS[i].nanoseconds / count;
    unit[-1] = '/';
    spill_rule_error(location, "'%.80s': not a rate; N/s, N/m or N/h, N from 1 to %u", text,
                     RECORDS_MAX);
    return 0;
}

int spill_rule_read_log(const struct spill_rule_location *location, struct spill_rule_words *words,
                        struct spill_rule *rule)
{
    char *const *word = &words->word[words->next];

    rule->log = true;
    /* With bits it is the rule's own. */
    if (word[0] == NULL || strcmp(word[0], "limit") != 0 || word[1] == NULL ||
        strchr(word[1], '/') == NULL)
        return 0;
    words->next += 2;
    rule->log_interval = read_interval(location, word[1]);
    return rule->log_interval != 0 ? 0 : -1;
}

/* Nbit, Nkbit, Nmbit or Ngbit: bits a second. 0: it is none. */
static uint64_t read_bits(const char *text)
{
    static const struct {
        const char *unit;
        uint64_t bits;
    } UNITS[] = {{"kbit", 1000}, {"mbit", 1000000}, {"gbit", 1000000000}, {"bit", 1}};
    unsigned long long count;
    char *unit;

    if (*text < '0' || *text > '9')
        return 0;
    count = strtoull(text, &unit, 10); /* of a larger number the largest that there is */
    for (unsigned i = 0; i < RTE_DIM(UNITS); i++)
        if (strcmp(unit, UNITS[i].unit) == 0 &&
            count <= SPILL_RULE_LIMIT_RATE_MAX / UNITS[i].bits &&
            count * UNITS[i].bits >= SPILL_RULE_LIMIT_RATE_MIN)
            return count * UNITS[i].bits;
    return 0;
}

/* What the rate has in a tenth of a second. */
static uint32_t default_burst(uint64_t bits)
{
    return (uint32_t)RTE_MIN(RTE_MAX(bits / 80, (uint64_t)SPILL_RULE_BURST_DEFAULT),
                             (uint64_t)SPILL_RULE_BURST_MAX);
}

int spill_rule_read_limit(const struct spill_rule_location *location,
                          struct spill_rule_words *words, struct spill_rule *rule)
{
    const char *text = spill_rule_take(words);

    rule->limit = text != NULL ? read_bits(text) : 0;
    if (rule->limit == 0)
        return spill_rule_error(location,
                                "'%.80s': not a rate; N and bit, kbit, mbit or gbit, as in 10mbit, "
                                "from 8kbit to 1000gbit; or log limit N/s",
                                text != NULL ? text : "end of line");
    if (rule->action == SPILL_VERDICT_DENY)
        return spill_rule_error(location, "limit goes with allow and protect");
    rule->burst = default_burst(rule->limit);
    if (!spill_rule_take_if(words, "burst"))
        return 0;
    text = spill_rule_take(words);
    if (text == NULL || !spill_rule_number(text, SPILL_RULE_BURST_MAX, &rule->burst) ||
        rule->burst < SPILL_RULE_BURST_MIN)
        return spill_rule_error(location, "'%.80s': not a burst; %u to %u bytes",
                                text != NULL ? text : "end of line", SPILL_RULE_BURST_MIN,
                                SPILL_RULE_BURST_MAX);
    return 0;
}
