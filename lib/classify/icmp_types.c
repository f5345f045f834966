/* SPDX-License-Identifier: BSD-3-Clause */
/* Types and codes of ICMP and ICMPv6 by name. */
#include "classify/icmp_types.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "classify/rule_fields.h"

#define ALL_CODES -1

struct name {
    const char *text;
    uint8_t type;
    int16_t code;
};

static const struct name ICMP[] = {
    {"echo-reply", 0, ALL_CODES},
    {"destination-unreachable", 3, ALL_CODES},
    {"network-unreachable", 3, 0},
    {"host-unreachable", 3, 1},
    {"protocol-unreachable", 3, 2},
    {"port-unreachable", 3, 3},
    {"fragmentation-needed", 3, 4},
    {"administratively-prohibited", 3, 13},
    {"redirect", 5, ALL_CODES},
    {"echo-request", 8, ALL_CODES},
    {"router-advertisement", 9, ALL_CODES},
    {"router-solicitation", 10, ALL_CODES},
    {"time-exceeded", 11, ALL_CODES},
    {"parameter-problem", 12, ALL_CODES},
    {"timestamp-request", 13, ALL_CODES},
    {"timestamp-reply", 14, ALL_CODES},
    {"address-mask-request", 17, ALL_CODES},
    {"address-mask-reply", 18, ALL_CODES},
    {"extended-echo-request", 42, ALL_CODES},
    {"extended-echo-reply", 43, ALL_CODES},
    {NULL, 0, 0},
};

static const struct name ICMPV6[] = {
    {"destination-unreachable", 1, ALL_CODES},
    {"no-route", 1, 0},
    {"administratively-prohibited", 1, 1},
    {"address-unreachable", 1, 3},
    {"port-unreachable", 1, 4},
    {"packet-too-big", 2, ALL_CODES},
    {"time-exceeded", 3, ALL_CODES},
    {"parameter-problem", 4, ALL_CODES},
    {"echo-request", 128, ALL_CODES},
    {"echo-reply", 129, ALL_CODES},
    {"mld-query", 130, ALL_CODES},
    {"mld-report", 131, ALL_CODES},
    {"mld-done", 132, ALL_CODES},
    {"router-solicitation", 133, ALL_CODES},
    {"router-advertisement", 134, ALL_CODES},
    {"neighbor-solicitation", 135, ALL_CODES},
    {"neighbor-advertisement", 136, ALL_CODES},
    {"redirect", 137, ALL_CODES},
    {"mld2-report", 143, ALL_CODES},
    {"extended-echo-request", 160, ALL_CODES},
    {"extended-echo-reply", 161, ALL_CODES},
    {NULL, 0, 0},
};

/* What a text begins with before its code: a name, or a number. */
static bool read_type(uint8_t protocol, const char *text, struct name *found)
{
    const struct name *name = protocol == IPPROTO_ICMP ? ICMP : ICMPV6;
    uint32_t number;

    *found = (struct name){.code = ALL_CODES};
    if (spill_rule_number(text, UINT8_MAX, &number)) {
        found->type = (uint8_t)number;
        return true;
    }
    for (; name->text != NULL; name++) {
        if (strcmp(text, name->text) == 0) {
            *found = *name;
            return true;
        }
    }
    return false;
}

bool spill_icmp_type_read(uint8_t protocol, const char *text, uint16_t *first, uint16_t *last)
{
    const char *slash = strchr(text, '/');
    const size_t size = slash == NULL ? strlen(text) : (size_t)(slash - text);
    char type[32];
    struct name found;
    uint32_t code;

    if (size >= sizeof(type))
        return false;
    snprintf(type, sizeof(type), "%.*s", (int)size, text);
    if (!read_type(protocol, type, &found))
        return false;
    if (slash != NULL) {
        if (found.code != ALL_CODES || !spill_rule_number(slash + 1, UINT8_MAX, &code))
            return false;
        found.code = (int16_t)code;
    }
    *first = (uint16_t)(found.type << 8 | (found.code == ALL_CODES ? 0 : found.code));
    *last = (uint16_t)(found.type << 8 | (found.code == ALL_CODES ? UINT8_MAX : found.code));
    return true;
}
