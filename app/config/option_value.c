/* SPDX-License-Identifier: BSD-3-Clause */
/* One option's value, from its text to its field: a reader for each kind in the table. */
#include "config/option_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/name.h"
#include "config/units.h"
#include "plan/plan.h"
#include "port/device.h"

static int set_bool(bool *field, const char *value, const char *on, const char *off,
                    struct spill_error *problem)
{
    if (strcmp(value, on) != 0 && strcmp(value, off) != 0)
        return spill_error_set(problem, "expected %s or %s", on, off);
    *field = strcmp(value, on) == 0;
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
    struct spill_error form;
    uint64_t nanoseconds;
    const bool is_time = spill_units_parse_time(value, &nanoseconds, &form) == 0;

    if (is_time && nanoseconds >= option->least && nanoseconds <= option->most) {
        *field = nanoseconds;
        return 0;
    }
    if (!is_time && option->most == UINT64_MAX)
        return spill_error_set(problem, "%s", form.text);
    spill_units_format_time(option->least, least, sizeof(least));
    spill_units_format_time(option->most, most, sizeof(most));
    return spill_error_set(problem, "%s%s from %s to %s", is_time ? "expected a time" : form.text,
                           is_time ? "" : ",", least, most);
}

static int set_word(const struct spill_option *option, void *field, const char *value,
                    struct spill_error *problem)
{
    char expected[SPILL_OPTION_TEXT_SIZE];

    for (const struct spill_option_word *word = option->words; word->word != NULL; word++) {
        if (strcmp(word->word, value) == 0) {
            store_number(option, field, word->value);
            return 0;
        }
    }
    return spill_error_set(problem, "expected %s",
                           spill_option_words(option->words, " or ", expected, sizeof(expected)));
}

/* Reads one CPU's number at *text and moves it behind; -1 when there is none. */
static int read_cpu(const char **text)
{
    int cpu = -1;

    for (; **text >= '0' && **text <= '9'; (*text)++) {
        cpu = (cpu < 0 ? 0 : cpu) * 10 + (**text - '0');
        if (cpu > (SPILL_CPUS_MAX - 1))
            return -1;
    }
    return cpu;
}

static int set_cpus(struct spill_cpu_list *field, const char *value, struct spill_error *problem)
{
    struct spill_cpu_list list = {0};
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
                                   (SPILL_CPUS_MAX - 1));
        for (int cpu = first; cpu <= last; cpu++) {
            if (list.count == SPILL_LCORES_MAX)
                return spill_error_set(problem, "expected at most %d CPUs", SPILL_LCORES_MAX);
            list.cpus[list.count++] = cpu;
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
    if (!spill_is_name(value))
        return spill_error_set(problem, "expected " SPILL_NAME_RULE);
    /* Nothing of an earlier value stays behind it: values are compared by their bytes. */
    memset(field, 0, SPILL_NAME_SIZE);
    snprintf(field, SPILL_NAME_SIZE, "%s", value);
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

static int set_socket(const struct spill_option *option, char **field, const char *value,
                      const char *directory, struct spill_error *problem)
{
    if (set_file(option, field, value, directory, problem) != 0)
        return -1;
    if (strlen(*field) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return spill_error_set(problem, "expected a path of at most %zu bytes, with its folder",
                               sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
    return 0;
}

static int set_device(const struct spill_option *option, char **field, const char *value,
                      struct spill_error *problem)
{
    if (value[0] == '\0' || value[0] == ',' || strpbrk(value, " \t\r\n") != NULL)
        return spill_error_set(problem,
                               "expected a PCI address as 0000:41:00.0 or a vdev as %s, without "
                               "blanks",
                               option->scope == SPILL_OPTION_PORT ? "net_af_packet0,iface=veth0"
                                                                  : "crypto_openssl0");
    if (spill_device_check_text(value, problem) != 0)
        return -1;
    return replace_string(field, strdup(value), problem);
}

int spill_option_set(const struct spill_option *option, void *target, const char *value,
                     const char *directory, struct spill_error *problem)
{
    void *field = (char *)target + option->offset;

    switch (option->kind) {
    case SPILL_OPTION_SWITCH:
    case SPILL_OPTION_ON_OFF:
        return set_bool(field, value, "on", "off", problem);
    case SPILL_OPTION_YES_NO:
        return set_bool(field, value, "yes", "no", problem);
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
    case SPILL_OPTION_SOCKET:
        return set_socket(option, field, value, directory, problem);
    case SPILL_OPTION_DEVICE:
        return set_device(option, field, value, problem);
    case SPILL_OPTION_COMMAND:
        return value[0] != '\0' ? replace_string(field, strdup(value), problem)
                                : spill_error_set(problem, "expected what a shell is to run");
    case SPILL_OPTION_READ:
        return option->read(field, value, problem);
    case SPILL_OPTION_ACTION:
        break;
    }
    return spill_error_set(problem, "takes no value");
}
