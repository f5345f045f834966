/* SPDX-License-Identifier: BSD-3-Clause */
/* Actions, protocols, addresses and ports of rules, from their text. */
#include "classify/rule_fields.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a word that an error shows, so that what would be right still fits behind it. */
#define SHOWN "%.80s"

/* The protocols that people filter by: /etc/protocols need not exist. */
static const struct {
    const char *name;
    uint8_t number;
} PROTOCOLS[] = {
    {"tcp", 6},    {"udp", 17},   {"icmp", 1},  {"icmp6", 58},    {"icmpv6", 58},
    {"igmp", 2},   {"sctp", 132}, {"esp", 50},  {"ah", 51},       {"gre", 47},
    {"ipip", 4},   {"ipv6", 41},  {"ospf", 89}, {"vrrp", 112},    {"pim", 103},
    {"l2tp", 115}, {"eigrp", 88}, {"rsvp", 46}, {"udplite", 136}, {"dccp", 33},
};

static bool has_ports(uint8_t protocol)
{
    switch (protocol) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_SCTP:
    case IPPROTO_UDPLITE:
    case IPPROTO_DCCP:
        return true;
    default:
        return false;
    }
}

int spill_rule_error(const struct spill_rule_location *location, const char *format, ...)
{
    char message[sizeof(location->error->text)];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    return spill_error_set(location->error, "%s:%u: %s", location->name, location->line, message);
}

bool spill_rule_number(const char *text, uint32_t most, uint32_t *value)
{
    const bool hexadecimal = text[0] == '0' && text[1] == 'x';
    unsigned long number;
    char *end;

    /* strtoul would take a sign and blanks as well. */
    if (!isxdigit((unsigned char)(hexadecimal ? text[2] : text[0])))
        return false;
    errno = 0;
    number = strtoul(text, &end, hexadecimal ? 16 : 10);
    if (errno != 0 || end == text || *end != '\0' || number > most)
        return false;
    *value = (uint32_t)number;
    return true;
}

int spill_rule_action(const struct spill_rule_location *location, const char *text,
                      bool may_protect, struct spill_rule *rule)
{
    const char *right = may_protect ? "allow, deny, reject or protect" : "allow or deny";

    if (strcmp(text, "allow") == 0)
        rule->action = SPILL_VERDICT_ALLOW;
    else if (strcmp(text, "deny") == 0)
        rule->action = SPILL_VERDICT_DENY;
    else if (strcmp(text, "reject") == 0 && may_protect)
        rule->action = SPILL_VERDICT_DENY;
    else if (strcmp(text, "protect") == 0 && may_protect)
        rule->action = SPILL_VERDICT_PROTECT;
    else if (strcmp(text, "protect") == 0)
        return spill_rule_error(location, "protect: a ClassBench filter has no place for an SA; %s",
                                right);
    else if (strcmp(text, "inspect") == 0)
        return spill_rule_error(location, "inspect: this version does not do that yet; %s", right);
    else
        return spill_rule_error(location, "'" SHOWN "': unknown action; %s", text, right);
    rule->reject = strcmp(text, "reject") == 0;
    return 0;
}

int spill_rule_protocol(const struct spill_rule_location *location, const char *text,
                        struct spill_rule *rule)
{
    const struct protoent *known;
    uint32_t number;

    if (strcmp(text, "any") == 0) {
        rule->any_protocol = true;
        return 0;
    }
    if (spill_rule_number(text, UINT8_MAX, &number)) {
        rule->protocol = (uint8_t)number;
        return 0;
    }
    for (size_t i = 0; i < sizeof(PROTOCOLS) / sizeof(PROTOCOLS[0]); i++)
        if (strcmp(text, PROTOCOLS[i].name) == 0) {
            rule->protocol = PROTOCOLS[i].number;
            return 0;
        }
    /* In /etc/protocols that is number 0, which no packet has: nobody means it. */
    if (strcmp(text, "ip") == 0)
        return spill_rule_error(location,
                                "ip: not a protocol that packets carry; any is all of them");
    known = getprotobyname(text);
    if (known == NULL || known->p_proto < 0 || known->p_proto > UINT8_MAX)
        return spill_rule_error(
            location,
            "'" SHOWN "': unknown protocol; any, a name such as tcp, or a number 0 to 255", text);
    rule->protocol = (uint8_t)known->p_proto;
    return 0;
}

/* Clears the bits beyond the prefix; returns whether there were any. */
static bool clear_host_part(uint8_t *address, unsigned bytes, unsigned length)
{
    bool found = false;

    for (unsigned i = length / 8; i < bytes; i++) {
        const uint8_t keep = i == length / 8 ? (uint8_t)(0xff00 >> length % 8) : 0;

        found |= (address[i] & ~keep) != 0;
        address[i] &= keep;
    }
    return found;
}

static int host_bits_error(const struct spill_rule_location *location, const char *text,
                           const char *without_length, const struct spill_rule *rule,
                           enum spill_rule_end end, int family)
{
    char network[INET6_ADDRSTRLEN];

    inet_ntop(family, rule->address[end], network, sizeof(network));
    return spill_rule_error(location, "%s: host bits are set; %s/%u or %s/%u", text, network,
                            rule->length[end], without_length, family == AF_INET ? 32 : 128);
}

int spill_rule_address(const struct spill_rule_location *location, const char *text,
                       bool clear_host_bits, enum spill_rule_end end, struct spill_rule *rule)
{
    const size_t size = strcspn(text, "/");
    char address[INET6_ADDRSTRLEN];
    uint32_t length;
    unsigned bits;
    int family;

    if (strcmp(text, "any") == 0)
        return 0;
    snprintf(address, sizeof(address), "%.*s", (int)size, text);
    family = strchr(address, ':') == NULL ? AF_INET : AF_INET6;
    if (size >= sizeof(address) || inet_pton(family, address, rule->address[end]) != 1)
        return spill_rule_error(
            location,
            "'" SHOWN "': not an address; any, or IPv4 or IPv6 such as 192.0.2.0/24, 2001:db8::/32",
            text);
    bits = family == AF_INET ? 32 : 128;
    length = bits;
    if (text[size] == '/' && !spill_rule_number(text + size + 1, bits, &length))
        return spill_rule_error(location,
                                "'" SHOWN "': the prefix length of %s is a number 0 to %u", text,
                                family == AF_INET ? "IPv4" : "IPv6", bits);
    rule->length[end] = (uint8_t)length;
    rule->families |= family == AF_INET ? SPILL_RULE_IPV4 : SPILL_RULE_IPV6;
    if (clear_host_part(rule->address[end], bits / 8, length) && !clear_host_bits)
        return host_bits_error(location, text, address, rule, end, family);
    return 0;
}

int spill_rule_ports(const struct spill_rule_location *location, const char *first,
                     const char *last, enum spill_rule_end end, struct spill_rule *rule)
{
    uint32_t low, high;

    if (!spill_rule_number(first, UINT16_MAX, &low))
        return spill_rule_error(location, "'" SHOWN "': not a port; a number 0 to 65535", first);
    if (!spill_rule_number(last, UINT16_MAX, &high))
        return spill_rule_error(location, "'" SHOWN "': not a port; a number 0 to 65535", last);
    if (low > high)
        return spill_rule_error(location, "ports %u to %u: the first is above the last; %u to %u",
                                low, high, high, low);
    rule->first_port[end] = (uint16_t)low;
    rule->last_port[end] = (uint16_t)high;
    return 0;
}

int spill_rule_inputs(const struct spill_rule_location *location, char *text,
                      struct spill_ruleset *ruleset, struct spill_rule *rule)
{
    const char *name;

    while ((name = strsep(&text, ",")) != NULL) {
        uint16_t i = 0;

        if (!spill_is_interface_name(name))
            return spill_rule_error(
                location, "'" SHOWN "': not the name of a port; names with commas, as in lan,wan",
                name);
        while (i < ruleset->input_count && strcmp(ruleset->inputs[i], name) != 0)
            i++;
        if (i == SPILL_INPUTS_NAMED_MAX)
            return spill_rule_error(location, "port %s: more than %u of them", name,
                                    SPILL_INPUTS_NAMED_MAX);
        if (i == ruleset->input_count)
            snprintf(ruleset->inputs[ruleset->input_count++], SPILL_INTERFACE_NAME_SIZE, "%s",
                     name);
        rule->inputs |= UINT32_C(1) << i;
    }
    return 0;
}

int spill_rule_complete(const struct spill_rule_location *location, const char *protocol,
                        struct spill_rule *rule)
{
    if (rule->families == (SPILL_RULE_IPV4 | SPILL_RULE_IPV6))
        return spill_rule_error(location,
                                "an IPv4 and an IPv6 address in one rule; two of one family");
    if (rule->families == 0)
        rule->families = SPILL_RULE_IPV4 | SPILL_RULE_IPV6;
    if (rule->names_types)
        rule->families &= rule->protocol == IPPROTO_ICMP ? SPILL_RULE_IPV4 : SPILL_RULE_IPV6;
    if (rule->families == 0)
        return spill_rule_error(location, "types of %s and an %s address in one rule",
                                rule->protocol == IPPROTO_ICMP ? "ICMP" : "ICMPv6",
                                rule->protocol == IPPROTO_ICMP ? "IPv6" : "IPv4");
    if (rule->names_ports && !rule->any_protocol && !has_ports(rule->protocol))
        return spill_rule_error(location,
                                "protocol " SHOWN
                                " has no ports; they go with any, tcp, udp, sctp, "
                                "udplite and dccp",
                                protocol);
    return 0;
}
