/* SPDX-License-Identifier: BSD-3-Clause */
/* Classes of traffic, read from text. */
#include "class.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "config/units.h"

#define FLOWS_DEFAULT 1024
#define VLAN_LAST     4094

/* A class in the making. */
struct draft {
    struct spill_load_class *class;
    const char *from, *to; /* read once the family is known */
    bool flows_given, fresh;
};

static int read_number(const char *value, unsigned long first, unsigned long last,
                       unsigned long *number)
{
    char *end;

    if (!isdigit((unsigned char)value[0]))
        return -1;
    *number = strtoul(value, &end, 10);
    return *end == '\0' && *number >= first && *number <= last ? 0 : -1;
}

static int set_share(struct draft *draft, const char *value, struct spill_error *error)
{
    unsigned long share;

    if (read_number(value, 1, 100, &share) != 0)
        return spill_error_set(error, "expected per cent from 1 to 100");
    draft->class->share = (uint8_t)share;
    return 0;
}

static int set_size(struct draft *draft, const char *value, struct spill_error *error)
{
    char first[8] = "";
    const char *dash = strchr(value, '-');
    size_t length = dash != NULL ? (size_t)(dash - value) : strlen(value);
    unsigned long least, most;

    draft->class->imix = strcmp(value, "imix") == 0;
    if (draft->class->imix) {
        draft->class->least = 64;
        draft->class->most = 1518;
        return 0;
    }
    if (length < sizeof(first))
        memcpy(first, value, length);
    if (read_number(first, 64, SPILL_LOAD_FRAME_MAX, &least) != 0 ||
        read_number(dash != NULL ? dash + 1 : first, least, SPILL_LOAD_FRAME_MAX, &most) != 0)
        return spill_error_set(error, "expected bytes from 64 to %d, such as 64, 64-1500 or imix",
                               SPILL_LOAD_FRAME_MAX);
    draft->class->least = (uint16_t)least;
    draft->class->most = (uint16_t)most;
    return 0;
}

static int set_flows(struct draft *draft, const char *value, struct spill_error *error)
{
    uint64_t flows;

    if (spill_units_parse_size(value, &flows, NULL) != 0 || flows == 0 ||
        flows > SPILL_LOAD_FLOWS_MAX)
        return spill_error_set(error, "expected 1 to 64M flows, such as 1000, 64k or 1M");
    draft->class->flows = (uint32_t)flows;
    draft->flows_given = true;
    return 0;
}

static int set_family(struct draft *draft, const char *value, struct spill_error *error)
{
    unsigned long family;

    if (read_number(value, 4, 6, &family) != 0 || family == 5)
        return spill_error_set(error, "expected 4 or 6");
    draft->class->family = (uint8_t)family;
    return 0;
}

static int set_vlan(struct draft *draft, const char *value, struct spill_error *error)
{
    unsigned long vlan;

    if (read_number(value, 1, VLAN_LAST, &vlan) != 0)
        return spill_error_set(error, "expected a VLAN id from 1 to %d", VLAN_LAST);
    draft->class->vlan = (uint16_t)vlan;
    return 0;
}

static int set_from(struct draft *draft, const char *value, struct spill_error *error)
{
    (void)error;
    draft->from = value;
    return 0;
}

static int set_to(struct draft *draft, const char *value, struct spill_error *error)
{
    (void)error;
    draft->to = value;
    return 0;
}

static int set_new(struct draft *draft, const char *value, struct spill_error *error)
{
    draft->fresh = strcmp(value, "yes") == 0;
    if (!draft->fresh && strcmp(value, "no") != 0)
        return spill_error_set(error, "expected yes or no");
    return 0;
}

struct key {
    const char *name;
    int (*set)(struct draft *draft, const char *value, struct spill_error *error);
};

static const struct key keys[] = {{"share", set_share},   {"size", set_size}, {"flows", set_flows},
                                  {"family", set_family}, {"vlan", set_vlan}, {"from", set_from},
                                  {"to", set_to},         {"new", set_new}};

static const struct key *find_key(const char *name)
{
    for (size_t i = 0; i < RTE_DIM(keys); i++) {
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    }
    return NULL;
}

static int set_pair(struct draft *draft, char *pair, struct spill_error *error)
{
    char *value = strchr(pair, '=');
    const struct key *key;
    struct spill_error reason;

    if (value != NULL)
        *value++ = '\0';
    key = find_key(pair);
    if (key == NULL || value == NULL)
        return spill_error_set(error,
                               "'%s': expected key=value of share, size, flows, family, vlan, "
                               "from, to or new",
                               pair);
    if (key->set(draft, value, &reason) != 0)
        return spill_error_set(error, "%s=%s: %s", pair, value, reason.text);
    return 0;
}

static int read_prefix(const char *key, const char *text, uint8_t family,
                       struct spill_load_prefix *prefix, struct spill_error *error)
{
    const unsigned bits = family == 4 ? 32 : 128;
    const char *slash = strchrnul(text, '/');
    char address[INET6_ADDRSTRLEN] = "";
    unsigned long length = 0;

    if ((size_t)(slash - text) < sizeof(address))
        memcpy(address, text, (size_t)(slash - text));
    memset(prefix, 0, sizeof(*prefix));
    if (inet_pton(family == 4 ? AF_INET : AF_INET6, address, prefix->address) != 1 ||
        *slash == '\0' || read_number(slash + 1, 0, bits, &length) != 0)
        return spill_error_set(error, "%s=%s: expected an IPv%u prefix such as %s", key, text,
                               family, family == 4 ? "10.0.0.0/8" : "fd00:1::/64");
    prefix->length = (uint8_t)length;
    for (unsigned bit = (unsigned)length; bit < bits; bit++) {
        if ((prefix->address[bit / 8] & 0x80 >> bit % 8) != 0)
            return spill_error_set(error, "%s=%s: expected no bit set behind the first %lu", key,
                                   text, length);
    }
    return 0;
}

uint16_t spill_load_class_floor(const struct spill_load_class *class)
{
    return (
        uint16_t)(sizeof(struct rte_ether_hdr) +
                  (class->vlan != 0 ? sizeof(struct rte_vlan_hdr) : 0) +
                  (class->family == 4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr)) +
                  sizeof(struct rte_udp_hdr) + sizeof(struct spill_load_probe) + SPILL_LOAD_FCS);
}

/* What depends on several keys. */
static int finish(struct draft *draft, struct spill_error *error)
{
    struct spill_load_class *class = draft->class;
    const bool v4 = class->family == 4;
    const uint16_t least = spill_load_class_floor(class);

    if (draft->fresh && draft->flows_given)
        return spill_error_set(error, "flows=%u and new=yes: expected one of them", class->flows);
    if (draft->fresh)
        class->flows = 0;
    if (class->least < least)
        return spill_error_set(error,
                               "%s%u: expected at least %u, which IPv%u%s and the probe need",
                               class->imix ? "size=imix has frames of " : "size=", class->least,
                               least, class->family, class->vlan != 0 ? ", the VLAN tag" : "");
    if (draft->from == NULL)
        draft->from = v4 ? "10.0.0.0/8" : "fd00:10::/64";
    if (draft->to == NULL)
        draft->to = v4 ? "192.168.0.0/16" : "fd00:20::/64";
    if (read_prefix("from", draft->from, class->family, &class->from, error) != 0)
        return -1;
    return read_prefix("to", draft->to, class->family, &class->to, error);
}

static int read_name(const char *text, struct spill_load_class *class, struct spill_error *error)
{
    size_t length = strcspn(text, ":");
    char name[SPILL_NAME_SIZE + 1];

    snprintf(name, sizeof(name), "%.*s", (int)length, text);
    if (!spill_is_name(name))
        return spill_error_set(error,
                               "name '%.*s': expected " SPILL_NAME_RULE ", then ':key=value,...'",
                               (int)length, text);
    memcpy(class->name, text, length);
    return 0;
}

int spill_load_class_parse(const char *text, struct spill_load_class *class,
                           struct spill_error *error)
{
    struct spill_load_class made = {
        .share = 100, .least = 64, .most = 64, .flows = FLOWS_DEFAULT, .family = 4};
    struct draft draft = {.class = &made};
    char *copy, *rest, *pair;
    int status;

    if (read_name(text, &made, error) != 0)
        return -1;
    copy = strdup(text + strlen(made.name));
    if (copy == NULL)
        return spill_error_set(error, "no memory");
    status = 0;
    rest = copy[0] == ':' ? copy + 1 : NULL;
    while (status == 0 && (pair = strsep(&rest, ",")) != NULL)
        status = set_pair(&draft, pair, error);
    if (status == 0)
        status = finish(&draft, error);
    free(copy);
    if (status == 0)
        *class = made;
    return status;
}

int spill_load_classes_check(const struct spill_load_class *classes, unsigned count,
                             struct spill_error *error)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < count; i++) {
        sum += classes[i].share;
        for (unsigned j = 0; j < i; j++) {
            if (strcmp(classes[i].name, classes[j].name) == 0)
                return spill_error_set(error, "--class %s: is there twice: expected another name",
                                       classes[i].name);
        }
    }
    if (sum != 100)
        return spill_error_set(error, "--class: shares make %u %%: expected 100", sum);
    return 0;
}
