/* SPDX-License-Identifier: BSD-3-Clause */
/* Values that one key has, or few of one kind. */
#include "config/option_reader.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/ethertypes.h"
#include "config/options.h"
#include "config/units.h"

/* "A:B", or "A, B" as a file has it. */
int spill_option_read_ends(void *target, const char *value, struct spill_error *problem)
{
    char(*field)[SPILL_NAME_SIZE] = target;
    size_t first = strcspn(value, ":,");
    const char *second = value + first;
    char left[SPILL_NAME_SIZE];

    if (*second != '\0' && first < sizeof(left)) {
        snprintf(left, sizeof(left), "%.*s", (int)first, value);
        left[strcspn(left, " \t")] = '\0';
        second += 1 + strspn(second + 1, " \t");
        if (spill_is_name(left) && spill_is_name(second) && strcmp(left, second) != 0) {
            snprintf(field[0], SPILL_NAME_SIZE, "%s", left);
            snprintf(field[1], SPILL_NAME_SIZE, "%s", second);
            return 0;
        }
    }
    return spill_error_set(problem, "expected the names of two different ports");
}

/* "A", or "A, B". */
int spill_option_read_port_names(void *target, const char *value, struct spill_error *problem)
{
    struct spill_option_port_names *field = target;
    struct spill_option_port_names list = {0};
    size_t length;

    for (;; value += length + 1) {
        char name[SPILL_NAME_SIZE];

        value += strspn(value, " \t");
        length = strcspn(value, ",");
        snprintf(name, sizeof(name), "%.*s", (int)length, value);
        name[strcspn(name, " \t")] = '\0';
        if (length >= sizeof(name) + 8 || !spill_is_name(name) || list.count == SPILL_PORTS_MAX)
            return spill_error_set(problem,
                                   "expected the names of ports, such as wan or wan1, wan2");
        memcpy(list.names[list.count++], name, sizeof(name));
        if (value[length] == '\0')
            break;
    }
    *field = list;
    return 0;
}

int spill_option_read_spi(void *target, const char *value, struct spill_error *problem)
{
    uint32_t *field = target;
    bool hex = value[0] == '0' && value[1] == 'x';
    const char *digits = hex ? value + 2 : value;
    char *end = NULL;
    uint64_t number = 0;

    /* strtoull() would take blanks and signs, and a second 0x. */
    if (isxdigit((unsigned char)digits[0]) && digits[1] != 'x' && digits[1] != 'X')
        number = strtoull(digits, &end, hex ? 16 : 10);
    if (end == NULL || *end != '\0' || number < SPILL_SA_SPI_FIRST || number > UINT32_MAX)
        return spill_error_set(problem,
                               "expected an SPI from %d to 0xffffffff, decimal or 0x...: "
                               "those below are reserved (RFC 4303)",
                               SPILL_SA_SPI_FIRST);
    *field = (uint32_t)number;
    return 0;
}

/* Whether packets can come from and go to that address: neither unspecified nor a group. */
static bool is_unicast(const struct spill_sa_address *address)
{
    static const uint8_t zeros[sizeof(address->bytes)];
    uint8_t first = address->bytes[0];

    if (memcmp(address->bytes, zeros, sizeof(zeros)) == 0)
        return false;
    return address->family == 4 ? first < 0xe0 : first != 0xff;
}

int spill_option_read_address(void *target, const char *value, struct spill_error *problem)
{
    struct spill_sa_address *field = target;
    struct spill_sa_address address = {0};

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

int spill_option_read_algorithm(void *target, const char *value, struct spill_error *problem)
{
    const struct spill_ipsec_algorithm **field = target;
    const struct spill_ipsec_algorithm *algorithm = spill_ipsec_algorithm_find(value);
    char list[SPILL_IPSEC_ALGORITHM_LIST_SIZE];

    if (algorithm == NULL)
        return spill_error_set(problem, "expected one of: %s",
                               spill_ipsec_algorithm_list(list, sizeof(list)));
    *field = algorithm;
    return 0;
}

int spill_option_read_dscp(void *target, const char *value, struct spill_error *problem)
{
    uint8_t *field = target;
    uint64_t number = SPILL_SA_DSCP_COPY;

    if (strcmp(value, "copy") != 0 &&
        (spill_units_parse_size(value, &number, problem) != 0 || number >= SPILL_SA_DSCP_COPY))
        return spill_error_set(problem, "expected copy or a number from 0 to %d",
                               SPILL_SA_DSCP_COPY - 1);
    *field = (uint8_t)number;
    return 0;
}

int spill_option_read_table(void *target, const char *value, struct spill_error *problem)
{
    uint32_t *field = target;
    uint64_t number = 254; /* as <linux/rtnetlink.h> has it */

    if (strcmp(value, "main") != 0 && (spill_units_parse_size(value, &number, problem) != 0 ||
                                       number == 0 || number > UINT32_MAX))
        return spill_error_set(problem, "expected main or a number from 1 to %u", UINT32_MAX);
    *field = (uint32_t)number;
    return 0;
}

int spill_option_read_text(void *target, const char *value, struct spill_error *problem)
{
    char **field = target, *text = strdup(value);

    if (text == NULL)
        return spill_error_set(problem, "no memory");
    free(*field);
    *field = text;
    return 0;
}

int spill_option_read_non_ip(void *target, const char *value, struct spill_error *problem)
{
    return spill_ethertypes_read(value, target, problem);
}
