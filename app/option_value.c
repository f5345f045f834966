/* SPDX-License-Identifier: BSD-3-Clause */
/* One option's value, from its text to its field: a reader for each kind in the table. */
#include "option_value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ethertypes.h"
#include "options.h"
#include "port/device.h"
#include "units.h"

#define NAME_RULE "1 to 16 letters, digits, '_' or '-'"

bool spill_option_is_name(const char *text)
{
    size_t length =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    return length > 0 && length < SPILL_OPTION_NAME_SIZE && text[length] == '\0';
}

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

/* "A", or "A, B". */
static int set_port_names(struct spill_option_port_names *field, const char *value,
                          struct spill_error *problem)
{
    struct spill_option_port_names list = {0};
    size_t length;

    for (;; value += length + 1) {
        char name[SPILL_OPTION_NAME_SIZE];

        value += strspn(value, " \t");
        length = strcspn(value, ",");
        snprintf(name, sizeof(name), "%.*s", (int)length, value);
        name[strcspn(name, " \t")] = '\0';
        if (length >= sizeof(name) + 8 || !spill_option_is_name(name) ||
            list.count == SPILL_OPTION_PORTS_MAX)
            return spill_error_set(problem,
                                   "expected the names of ports, such as wan or wan1, wan2");
        memcpy(list.names[list.count++], name, sizeof(name));
        if (value[length] == '\0')
            break;
    }
    *field = list;
    return 0;
}

static int set_spi(uint32_t *field, const char *value, struct spill_error *problem)
{
    bool hex = value[0] == '0' && value[1] == 'x';
    const char *digits = hex ? value + 2 : value;
    char *end = NULL;
    uint64_t number = 0;

    /* strtoull() would take blanks and signs, and a second 0x. */
    if (isxdigit((unsigned char)digits[0]) && digits[1] != 'x' && digits[1] != 'X')
        number = strtoull(digits, &end, hex ? 16 : 10);
    if (end == NULL || *end != '\0' || number < SPILL_OPTION_SPI_FIRST || number > UINT32_MAX)
        return spill_error_set(problem,
                               "expected an SPI from %d to 0xffffffff, decimal or 0x...: "
                               "those below are reserved (RFC 4303)",
                               SPILL_OPTION_SPI_FIRST);
    *field = (uint32_t)number;
    return 0;
}

/* Whether packets can come from and go to that address: neither unspecified nor a group. */
static bool is_unicast(const struct spill_option_address *address)
{
    static const uint8_t zeros[sizeof(address->bytes)];
    uint8_t first = address->bytes[0];

    if (memcmp(address->bytes, zeros, sizeof(zeros)) == 0)
        return false;
    return address->family == 4 ? first < 0xe0 : first != 0xff;
}

static int set_address(struct spill_option_address *field, const char *value,
                       struct spill_error *problem)
{
    struct spill_option_address address = {0};

    if (inet_pton(AF_INET, value, address.bytes) == 1)
        address.family = 4;
    else if (inet_pton(AF_INET6, value, address.bytes) == 1)
        address.family = 6;
    if (address.family == 0 || !is_unicast(&address))
        return spill_error_set(problem, "expected the address of a host, as 192.0.2.1 or "
                                        "2001:db8::1");
    *field = address;
    return 0;
}

static int set_algorithm(const struct spill_ipsec_algorithm **field, const char *value,
                         struct spill_error *problem)
{
    const struct spill_ipsec_algorithm *algorithm = spill_ipsec_algorithm_find(value);
    char list[SPILL_IPSEC_ALGORITHM_LIST_SIZE];

    if (algorithm == NULL)
        return spill_error_set(problem, "expected one of: %s",
                               spill_ipsec_algorithm_list(list, sizeof(list)));
    *field = algorithm;
    return 0;
}

static int set_dscp(uint8_t *field, const char *value, struct spill_error *problem)
{
    uint64_t number = SPILL_OPTION_DSCP_COPY;

    if (strcmp(value, "copy") != 0 &&
        (spill_units_parse_size(value, &number, problem) != 0 || number >= SPILL_OPTION_DSCP_COPY))
        return spill_error_set(problem, "expected copy or a number from 0 to %d",
                               SPILL_OPTION_DSCP_COPY - 1);
    *field = (uint8_t)number;
    return 0;
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
    case SPILL_OPTION_DEVICE:
        return set_device(option, field, value, problem);
    case SPILL_OPTION_ENDS:
        return set_ends(field, value, problem);
    case SPILL_OPTION_PORT_NAMES:
        return set_port_names(field, value, problem);
    case SPILL_OPTION_SPI:
        return set_spi(field, value, problem);
    case SPILL_OPTION_ADDRESS:
        return set_address(field, value, problem);
    case SPILL_OPTION_ALGORITHM:
        return set_algorithm(field, value, problem);
    case SPILL_OPTION_DSCP:
        return set_dscp(field, value, problem);
    case SPILL_OPTION_NON_IP:
        return spill_ethertypes_read(value, field, problem);
    case SPILL_OPTION_ACTION:
        break;
    }
    return spill_error_set(problem, "takes no value");
}
