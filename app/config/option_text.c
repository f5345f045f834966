/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/option_text.h"

#include <stdio.h>
#include <string.h>

#include "config/units.h"
#include "plan/plan.h"

static uint64_t number_in(const struct spill_option *option, const void *field)
{
    uint16_t narrow;
    uint32_t middle;
    uint64_t wide;

    if (option->size == sizeof(narrow)) {
        memcpy(&narrow, field, sizeof(narrow));
        return narrow;
    }
    if (option->size == sizeof(middle)) {
        memcpy(&middle, field, sizeof(middle));
        return middle;
    }
    memcpy(&wide, field, sizeof(wide));
    return wide;
}

static const char *nothing(const struct spill_option *option)
{
    return option->absent != NULL ? option->absent : "not given";
}

static const char *word_of(const struct spill_option *option, uint64_t value)
{
    for (const struct spill_option_word *word = option->words; word->word != NULL; word++) {
        if (word->value == value)
            return word->word;
    }
    return nothing(option);
}

/* A number of a row without a default is 0 where it was not given, which is less than its least. */
static const char *write_number(const struct spill_option *option, uint64_t value, char *text,
                                size_t size)
{
    char number[SPILL_UNITS_TEXT_SIZE];

    if (value == 0 && option->preset == NULL)
        snprintf(text, size, "%s", nothing(option));
    else
        snprintf(text, size, "%s",
                 option->kind == SPILL_OPTION_TIME
                     ? spill_units_format_time(value, number, sizeof(number))
                     : spill_units_format_size(value, number, sizeof(number)));
    return text;
}

static const char *write_cpus(const struct spill_option *option, const struct spill_cpu_list *list,
                              char *text, size_t size)
{
    size_t used = 0;

    snprintf(text, size, "%s", nothing(option));
    for (unsigned i = 0; i < list->count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%d", i > 0 ? "," : "", list->cpus[i]);
    return text;
}

const char *spill_option_text(const struct spill_option *option, const void *target, char *text,
                              size_t size)
{
    const void *field = (const char *)target + option->offset;
    const char *string;
    bool on;

    switch (option->kind) {
    case SPILL_OPTION_SWITCH:
    case SPILL_OPTION_ON_OFF:
    case SPILL_OPTION_YES_NO:
        memcpy(&on, field, sizeof(on));
        string = option->kind == SPILL_OPTION_YES_NO ? (on ? "yes" : "no") : (on ? "on" : "off");
        break;
    case SPILL_OPTION_NUMBER:
    case SPILL_OPTION_POWER_OF_TWO:
    case SPILL_OPTION_TIME:
        return write_number(option, number_in(option, field), text, size);
    case SPILL_OPTION_WORD:
        string = word_of(option, number_in(option, field));
        break;
    case SPILL_OPTION_CPUS:
        return write_cpus(option, field, text, size);
    case SPILL_OPTION_NAME:
        string = field;
        return string[0] != '\0' ? string : nothing(option);
    case SPILL_OPTION_FILE:
    case SPILL_OPTION_SOCKET:
    case SPILL_OPTION_OUTPUT:
    case SPILL_OPTION_DEVICE:
    case SPILL_OPTION_COMMAND:
        memcpy(&string, field, sizeof(string));
        return string != NULL && string[0] != '\0' ? string : nothing(option);
    default:
        return NULL;
    }
    return string;
}
