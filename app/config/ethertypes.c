/* SPDX-License-Identifier: BSD-3-Clause */
/* Types of frames that are not IP. */
#include "config/ethertypes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/units.h"
#include "packet/parse.h"

/* Several types may have one name. */
static const struct {
    const char *name;
    uint16_t type;
    bool control;
} known[] = {
    {"arp", 0x0806, false},
    {"rarp", 0x8035, false},
    {"nd", SPILL_TYPE_ND, false}, /* of IPv6: neighbour solicitations and advertisements */
    {"lldp", 0x88cc, true},
    {"stp", SPILL_TYPE_STP, true}, /* in LLC: spanning trees, rapid and multiple ones, too */
    {"slow", 0x8809, true},        /* IEEE 802.3 annex 57A: LACP, markers, OAM, ESMC */
    {"eapol", 0x888e, true},       /* IEEE 802.1X */
    {"mvrp", 0x88f5, true},
    {"mmrp", 0x88f6, true},
    {"cfm", 0x8902, true}, /* IEEE 802.1ag, and ring protection (G.8032) */
    {"cisco", SPILL_TYPE_CISCO, true},
    {"isis", 0xfe, false}, /* in LLC: OSI */
    {"ptp", 0x88f7, false},
    {"pppoe", 0x8863, false}, /* discovery, and control in sessions */
    {"pppoe", 0x8864, false},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char right[] =
    "expected pass, drop, or types with commas, as arp, nd, control, lldp or "
    "0x88cc; control is lldp, stp, slow, eapol, mvrp, mmrp, cfm and cisco";

static int add(struct spill_non_ip *set, uint16_t type, struct spill_error *problem)
{
    uint16_t i;

    for (i = 0; i < set->count; i++) {
        if (set->types[i] == type)
            return 0;
    }
    if (set->count == SPILL_NON_IP_TYPES_MAX)
        return spill_error_set(problem, "expected at most %u types", SPILL_NON_IP_TYPES_MAX);
    set->types[set->count++] = type;
    return 0;
}

/* What is below 0x600 is a length. */
static int add_number(struct spill_non_ip *set, const char *item, struct spill_error *problem)
{
    unsigned long number;
    char *end;

    if (strncmp(item, "0x", 2) != 0 || strspn(item + 2, "0123456789abcdefABCDEF") == 0)
        return spill_error_set(problem, "%s", right);
    number = strtoul(item, &end, 16);
    if (*end != '\0' || number > UINT16_MAX)
        return spill_error_set(problem, "%s", right);
    if (number < 0x600)
        return spill_error_set(problem, "expected 0x600 to 0xffff");
    if (spill_parse_holds_packets((uint16_t)number))
        return spill_error_set(problem,
                               "expected a type that holds no packets: those of %#lx go by the "
                               "rules, or by 'encapsulated'",
                               number);
    return add(set, (uint16_t)number, problem);
}

static int add_item(struct spill_non_ip *set, const char *item, struct spill_error *problem)
{
    bool control = strcmp(item, "control") == 0, found = false;
    size_t i;

    if (strcmp(item, "pass") == 0) {
        set->rest = true;
        return 0;
    }
    if (strcmp(item, "encapsulated") == 0) {
        set->encapsulated = true;
        return 0;
    }
    for (i = 0; i < COUNT_OF(known); i++) {
        if (control ? !known[i].control : strcmp(item, known[i].name) != 0)
            continue;
        found = true;
        if (add(set, known[i].type, problem) != 0)
            return -1;
    }
    return found ? 0 : add_number(set, item, problem);
}

int spill_ethertypes_read(const char *text, struct spill_non_ip *field, struct spill_error *problem)
{
    struct spill_non_ip set = {0};
    const char *at = text;
    char item[24];

    while (strcmp(text, "drop") != 0) {
        size_t length;

        at += strspn(at, " \t");
        length = strcspn(at, ", \t");
        snprintf(item, sizeof(item), "%.*s", (int)length, at);
        if (length >= sizeof(item))
            return spill_error_set(problem, "%s", right);
        if (add_item(&set, item, problem) != 0)
            return -1;
        at += length;
        at += strspn(at, " \t");
        if (*at == '\0')
            break;
        if (*at++ != ',')
            return spill_error_set(problem, "%s", right);
    }
    *field = set;
    return 0;
}

const char *spill_ethertype_name(uint16_t type, char *text, size_t size)
{
    size_t i;

    for (i = 0; i < COUNT_OF(known); i++) {
        if (known[i].type == type)
            return known[i].name;
    }
    snprintf(text, size, "0x%04x", type);
    return text;
}
