/* SPDX-License-Identifier: BSD-3-Clause */
/* One option's value, from its text to its field: a reader for each kind in the table. */
#include "option_value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "units.h"

#define NAME_RULE "1 to 16 letters, digits, '_' or '-'"

bool spill_option_is_name(const char *text)
{
    size_t length =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    return length > 0 && length < SPILL_OPTION_NAME_SIZE && text[length] == '\0';
}

static int set_bool(bool *field, const char *value, struct spill_error *problem)
{
    if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
        return spill_error_set(problem, "expected on or off");
    *field = value[1] == 'n';
    return 0;
}

/* Stores a number that is known to fit. */
static void store_number(const struct spill_option *option, void *field, uint64_t value)
{
    uint16_t narrow = (uint16_t)value;
    uint32_t middle = (uint32_t)value;

    if (option->size == sizeof(narrow))
        memcpy(field, &narrow, sizeof(narrow));
    else if (option->size == sizeof(middle))
        memcpy(field, &middle, sizeof(middle));
    else
        memcpy(field, &value, sizeof(value));
}

static int set_number(const struct spill_option *option, void *field, const char *value,
                      struct spill_error *problem)
{
    char least[SPILL_UNITS_TEXT_SIZE], most[SPILL_UNITS_TEXT_SIZE];
    bool power = option->kind == SPILL_OPTION_POWER_OF_TWO;
    uint64_t number;

    if (spill_units_parse_size(value, &number, problem) == 0 && number >= option->least &&
        number <= option->most && !(power && (number & (number - 1)) != 0)) {
        store_number(option, field, number);
        return 0;
    }
    spill_units_format_size(option->least, least, sizeof(least));
    spill_units_format_size(option->most, most, sizeof(most));
    return spill_error_set(problem, "expected a %s from %s to %s",
                           power ? "power of two" : "number", least, most);
}

static int set_time(const struct spill_option *option, uint64_t *field, const char *value,
                    struct spill_error *problem)
{
    char least[SPILL_UNITS_TEXT_SIZE], most[SPILL_UNITS_TEXT_SIZE];
    uint64_t nanoseconds;

    if (spill_units_parse_time(value, &nanoseconds, problem) != 0)
        return -1;
    if (nanoseconds < option->least || nanoseconds > option->most) {
        spill_units_format_time(option->least, least, sizeof(least));
        spill_units_format_time(option->most, most, sizeof(most));
        return spill_error_set(problem, "expected a time from %s to %s", least, most);
    }
    *field = nanoseconds;
    return 0;
}

static int set_word(const struct spill_option *option, void *field, const char *value,
                    struct spill_error *problem)
{
    char expected[128] = "";
    size_t used = 0;

    for (unsigned int i = 0; option->words[i] != NULL; i++) {
        const char *separator = i == 0 ? "" : option->words[i + 1] == NULL ? " or " : ", ";

        if (strcmp(option->words[i], value) == 0) {
            store_number(option, field, i);
            return 0;
        }
        used += (size_t)snprintf(expected + used, sizeof(expected) - used, "%s%s", separator,
                                 option->words[i]);
    }
    return spill_error_set(problem, "expected %s", expected);
}

/* Reads one CPU's number at *text and moves it behind; -1 when there is none. */
static int read_cpu(const char **text)
{
    int cpu = -1;

    for (; **text >= '0' && **text <= '9'; (*text)++) {
        cpu = (cpu < 0 ? 0 : cpu) * 10 + (**text - '0');
        if (cpu > SPILL_OPTION_CPU_LAST)
            return -1;
    }
    return cpu;
}

static int set_cpus(struct spill_option_cpus *field, const char *value, struct spill_error *problem)
{
    struct spill_option_cpus list = {0};
    const char *at = value;

    for (;;) {
        int first = read_cpu(&at);
        int last = first;

        if (*at == '-') {
            at++;
            last = read_cpu(&at);
        }
        if (first < 0 || last < first || (*at != ',' && *at != '\0'))
            return spill_error_set(problem, "expected CPUs from 0 to %d as in 1-2,5",
                                   SPILL_OPTION_CPU_LAST);
        for (int cpu = first; cpu <= last; cpu++) {
            if (list.count == SPILL_OPTION_CPUS_MAX)
                return spill_error_set(problem, "expected at most %d CPUs", SPILL_OPTION_CPUS_MAX);
            list.cpus[list.count++] = (uint16_t)cpu;
        }
        if (*at == '\0')
            break;
        at++;
        at += strspn(at, " \t");
    }
    *field = list;
    return 0;
}

static int set_name(char *field, const char *value, struct spill_error *problem)
{
    if (!spill_option_is_name(value))
        return spill_error_set(problem, "expected " NAME_RULE);
    snprintf(field, SPILL_OPTION_NAME_SIZE, "%s", value);
    return 0;
}

static int replace_string(char **field, char *string, struct spill_error *problem)
{
    if (string == NULL)
        return spill_error_set(problem, "out of memory");
    free(*field);
    *field = string;
    return 0;
}

static int set_file(const struct spill_option *option, char **field, const char *value,
                    const char *directory, struct spill_error *problem)
{
    bool standard_output = option->kind == SPILL_OPTION_OUTPUT && strcmp(value, "-") == 0;
    char *path;

    if (value[0] == '\0')
        return spill_error_set(problem, "expected the name of a file");
    if (directory == NULL || value[0] == '/' || standard_output)
        return replace_string(field, strdup(value), problem);
    if (asprintf(&path, "%s/%s", directory, value) < 0)
        path = NULL;
    return replace_string(field, path, problem);
}

static int set_device(char **field, const char *value, struct spill_error *problem)
{
    if (value[0] == '\0' || value[0] == ',' || strpbrk(value, " \t\r\n") != NULL)
        return spill_error_set(problem, "expected a PCI address as 0000:41:00.0 or a vdev as "
                                        "net_af_packet0,iface=veth0, without blanks");
    return replace_string(field, strdup(value), problem);
}

/* "A:B", or "A, B" as a file has it. */
static int set_ends(char (*field)[SPILL_OPTION_NAME_SIZE], const char *value,
                    struct spill_error *problem)
{
    size_t first = strcspn(value, ":,");
    const char *second = value + first;
    char left[SPILL_OPTION_NAME_SIZE];

    if (*second != '\0' && first < sizeof(left)) {
        snprintf(left, sizeof(left), "%.*s", (int)first, value);
        left[strcspn(left, " \t")] = '\0';
        second += 1 + strspn(second + 1, " \t");
        if (spill_option_is_name(left) && spill_option_is_name(second) &&
            strcmp(left, second) != 0) {
            snprintf(field[0], SPILL_OPTION_NAME_SIZE, "%s", left);
            snprintf(field[1], SPILL_OPTION_NAME_SIZE, "%s", second);
            return 0;
        }
    }
    return spill_error_set(problem, "expected the names of two different ports");
}

int spill_option_set(const struct spill_option *option, void *target, const char *value,
                     const char *directory, struct spill_error *problem)
{
    void *field = (char *)target + option->offset;

    switch (option->kind) {
    case SPILL_OPTION_SWITCH:
    case SPILL_OPTION_ON_OFF:
        return set_bool(field, value, problem);
    case SPILL_OPTION_NUMBER:
    case SPILL_OPTION_POWER_OF_TWO:
        return set_number(option, field, value, problem);
    case SPILL_OPTION_TIME:
        return set_time(option, field, value, problem);
    case SPILL_OPTION_WORD:
        return set_word(option, field, value, problem);
    case SPILL_OPTION_CPUS:
        return set_cpus(field, value, problem);
    case SPILL_OPTION_NAME:
        return set_name(field, value, problem);
    case SPILL_OPTION_FILE:
    case SPILL_OPTION_OUTPUT:
        return set_file(option, field, value, directory, problem);
    case SPILL_OPTION_DEVICE:
        return set_device(field, value, problem);
    case SPILL_OPTION_ENDS:
        return set_ends(field, value, problem);
    case SPILL_OPTION_ACTION:
        break;
    }
    return spill_error_set(problem, "takes no value");
}
