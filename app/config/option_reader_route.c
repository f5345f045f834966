/* SPDX-License-Identifier: BSD-3-Clause */
/* Values of routed ports, routes and neighbours. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/name.h"
#include "config/option_reader.h"
#include "config/options.h"

/* Takes the text up to the next comma, without blanks around it, and moves behind it. NULL: it is
 * too long. */
static char *next_item(const char **value, char *item, size_t size)
{
    size_t length = strcspn(*value, ","), blanks = strspn(*value, " \t");
    const char *start = *value + RTE_MIN(blanks, length);

    *value += length;
    length = (size_t)(*value - start);
    while (length > 0 && (start[length - 1] == ' ' || start[length - 1] == '\t'))
        length--;
    if (length == 0 || length >= size)
        return NULL;
    memcpy(item, start, length);
    item[length] = '\0';
    return item;
}

int spill_option_read_addresses(void *target, const char *value, struct spill_error *problem)
{
    struct spill_option_addresses *field = target, list = {.count = 0};

    for (;; value++) {
        char item[SPILL_IP_PREFIX_TEXT];

        if (list.count == SPILL_OPTION_ADDRESSES_MAX ||
            next_item(&value, item, sizeof(item)) == NULL ||
            !spill_ip_prefix_read(item, &list.list[list.count++]))
            return spill_error_set(problem,
                                   "expected at most %d addresses with the lengths of their "
                                   "networks' prefixes, as 192.0.2.1/24, 2001:db8::1/64",
                                   SPILL_OPTION_ADDRESSES_MAX);
        if (*value == '\0')
            break;
    }
    *field = list;
    return 0;
}

/* "10.0.0.1 port wan weight 2". */
static bool read_via(char *item, struct spill_option_via *via)
{
    char *rest = item, *word = strsep(&rest, " \t"), *end;

    *via = (struct spill_option_via){.weight = 1};
    if (strcmp(word, "port") != 0) {
        if (!spill_ip_read(word, &via->gateway))
            return false;
        word = strsep(&rest, " \t");
    }
    for (; word != NULL; word = strsep(&rest, " \t")) {
        const char *what;

        if (*word == '\0')
            continue;
        do
            what = strsep(&rest, " \t");
        while (what != NULL && *what == '\0');
        if (what == NULL)
            return false;
        if (strcmp(word, "port") == 0 && spill_is_interface_name(what)) {
            snprintf(via->interface, sizeof(via->interface), "%s", what);
        } else if (strcmp(word, "weight") == 0 && *what >= '0' && *what <= '9') {
            const unsigned long weight = strtoul(what, &end, 10);

            if (*end != '\0' || weight == 0 || weight > 256)
                return false;
            via->weight = (uint32_t)weight;
        } else {
            return false;
        }
    }
    return via->gateway.family != 0 || via->interface[0] != '\0';
}

int spill_option_read_vias(void *target, const char *value, struct spill_error *problem)
{
    struct spill_option_vias *field = target, list = {.count = 0};

    for (;; value++) {
        char item[128];

        if (list.count == SPILL_OPTION_VIAS_MAX || next_item(&value, item, sizeof(item)) == NULL ||
            !read_via(item, &list.list[list.count++]))
            return spill_error_set(problem,
                                   "expected at most %d next hops, each ADDRESS [port NAME] "
                                   "[weight 1 to 256], or port NAME [weight N]",
                                   SPILL_OPTION_VIAS_MAX);
        if (*value == '\0')
            break;
    }
    *field = list;
    return 0;
}

int spill_option_read_interface(void *target, const char *value, struct spill_error *problem)
{
    char *field = target;

    if (!spill_is_interface_name(value))
        return spill_error_set(problem,
                               "expected the name of a port, or of a sub-port such as lan.100");
    snprintf(field, SPILL_INTERFACE_NAME_SIZE, "%s", value);
    return 0;
}

int spill_option_read_mac(void *target, const char *value, struct spill_error *problem)
{
    struct rte_ether_addr *field = target, mac;

    if (strlen(value) != 17 || rte_ether_unformat_addr(value, &mac) != 0 ||
        !rte_is_valid_assigned_ether_addr(&mac))
        return spill_error_set(problem,
                               "expected the MAC address of one device, as 02:00:00:00:00:01");
    *field = mac;
    return 0;
}
