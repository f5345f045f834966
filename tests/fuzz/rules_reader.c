/* SPDX-License-Identifier: BSD-3-Clause */
/* A second reader of rule files. */
#include "rules_reader.h"

#include <netdb.h>
#include <string.h>

#define WORDS 24
#define LINE  512

#define RANGES 64 /* of ports, in a list */

struct line {
    char text[LINE + 1];
    unsigned count;
    const char *words[WORDS + 1];
};

static bool is(const char *word, const char *expected)
{
    return word != NULL && strcmp(word, expected) == 0;
}

/* ------------------------------------------------------------------------------- numbers */

static int digit_of(char character, int base)
{
    static const char digits[] = "0123456789abcdef";
    char lower = (char)(character >= 'A' && character <= 'F' ? character - 'A' + 'a' : character);
    const char *at = character == '\0' ? NULL : strchr(digits, lower);

    return at != NULL && at - digits < base ? (int)(at - digits) : -1;
}

/* A number, the whole word; -1 when it is none or too large. */
static long number_of(const char *word, long most)
{
    int base = 10;
    long value = 0;

    if (word == NULL)
        return -1;
    if (word[0] == '0' && word[1] == 'x') {
        base = 16;
        word += 2;
    }
    if (*word == '\0')
        return -1;
    for (; *word != '\0'; word++) {
        int digit = digit_of(*word, base);

        if (digit < 0)
            return -1;
        value = value * base + digit;
        if (value > most)
            value = most + 1; /* however long it is */
    }
    return value > most ? -1 : value;
}

/* ----------------------------------------------------------------------------- addresses */

/* 192.0.2.1: four decimal numbers without leading zeros. */
static bool ipv4_of(const char *text, uint8_t *bytes)
{
    for (int i = 0; i < 4; i++) {
        int value = 0, digits = 0;

        if (i > 0 && *text++ != '.')
            return false;
        if (text[0] == '0' && text[1] >= '0' && text[1] <= '9')
            return false;
        while (*text >= '0' && *text <= '9') {
            value = value * 10 + (*text++ - '0');
            if (++digits > 3 || value > 255)
                return false;
        }
        if (digits == 0)
            return false;
        bytes[i] = (uint8_t)value;
    }
    return *text == '\0';
}

/* Groups of hex digits up to a "::" or the end; the last may be an IPv4 address. Returns how many
 * bytes, -1 when it is wrong. */
static int groups_of(char *text, uint8_t *bytes, int room)
{
    int count = 0;

    if (*text == '\0')
        return 0;
    for (;;) {
        char *colon = strchr(text, ':');
        int value = 0, digits = 0;

        if (colon != NULL)
            *colon = '\0';
        if (colon == NULL && strchr(text, '.') != NULL) {
            if (count + 4 > room || !ipv4_of(text, bytes + count))
                return -1;
            return count + 4;
        }
        for (; *text != '\0'; text++) {
            int digit = digit_of(*text, 16);

            if (digit < 0 || ++digits > 4)
                return -1;
            value = value * 16 + digit;
        }
        if (digits == 0 || count + 2 > room)
            return -1;
        bytes[count++] = (uint8_t)(value >> 8);
        bytes[count++] = (uint8_t)value;
        if (colon == NULL)
            return count;
        text = colon + 1;
    }
}

static bool ipv6_of(const char *text, uint8_t *bytes)
{
    char copy[64];
    uint8_t before[16], after[16];
    char *gap;
    int first, second;

    if (strlen(text) >= sizeof(copy))
        return false;
    strcpy(copy, text);
    memset(bytes, 0, 16);
    gap = strstr(copy, "::");
    if (gap == NULL)
        return groups_of(copy, bytes, 16) == 16;
    *gap = '\0';
    /* An IPv4 address stands at the end only. */
    if (strchr(copy, '.') != NULL)
        return false;
    first = groups_of(copy, before, 16);
    second = groups_of(gap + 2, after, 16);
    if (first < 0 || second < 0 || first + second > 14)
        return false;
    memcpy(bytes, before, (size_t)first);
    memcpy(bytes + 16 - second, after, (size_t)second);
    return true;
}

/* ADDRESS[/LENGTH] or any */
static bool read_address(const char *word, bool loose, struct reader_rule *rule, int end)
{
    char copy[LINE + 1];
    uint8_t *bytes = rule->address[end];
    unsigned bits = 32;
    char *slash;
    long length;

    if (word == NULL)
        return false;
    if (is(word, "any"))
        return true;
    strcpy(copy, word);
    slash = strchr(copy, '/');
    if (slash != NULL)
        *slash++ = '\0';
    if (strchr(copy, ':') != NULL) {
        bits = 128;
        if (!ipv6_of(copy, bytes))
            return false;
        rule->v6 = true;
    } else {
        if (!ipv4_of(copy, bytes))
            return false;
        rule->v4 = true;
    }
    length = slash == NULL ? (long)bits : number_of(slash, bits);
    if (length < 0)
        return false;
    rule->length[end] = (unsigned)length;
    for (unsigned bit = (unsigned)length; bit < bits; bit++) {
        uint8_t mask = (uint8_t)(0x80 >> bit % 8);

        if ((bytes[bit / 8] & mask) != 0 && !loose)
            return false;
        bytes[bit / 8] &= (uint8_t)~mask;
    }
    return true;
}

/* --------------------------------------------------------------------------------- rules */

static const struct {
    const char *name;
    int number;
} protocols[] = {{"tcp", 6},    {"udp", 17},   {"icmp", 1},  {"icmp6", 58},    {"icmpv6", 58},
                 {"igmp", 2},   {"sctp", 132}, {"esp", 50},  {"ah", 51},       {"gre", 47},
                 {"ipip", 4},   {"ipv6", 41},  {"ospf", 89}, {"vrrp", 112},    {"pim", 103},
                 {"l2tp", 115}, {"eigrp", 88}, {"rsvp", 46}, {"udplite", 136}, {"dccp", 33}};

static bool read_protocol(const char *word, struct reader_rule *rule)
{
    const struct protoent *entry;
    long number = number_of(word, 255);

    if (word == NULL)
        return false;
    rule->protocol = (int)number;
    if (number >= 0 || is(word, "any"))
        return true;
    for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
        if (is(word, protocols[i].name)) {
            rule->protocol = protocols[i].number;
            return true;
        }
    }
    /* The system may know more; by "ip" nobody means what it knows. */
    if (is(word, "ip"))
        return false;
    entry = getprotobyname(word);
    if (entry == NULL || entry->p_proto < 0 || entry->p_proto > 255)
        return false;
    rule->protocol = entry->p_proto;
    return true;
}

static bool set_ports(struct reader_rule *rule, int end, long first, long last)
{
    if (first < 0 || last < 0 || first > last)
        return false;
    rule->first[end] = (unsigned)first;
    rule->last[end] = (unsigned)last;
    return true;
}

/* What holds for a rule as a whole. */
static bool is_whole(struct reader_rule *rule)
{
    static const char ported[] = {6, 17, 33};

    if (rule->v4 && rule->v6)
        return false;
    if (!rule->v4 && !rule->v6)
        rule->v4 = rule->v6 = true;
    if (!rule->names_ports || rule->protocol < 0 || rule->protocol == 132 || rule->protocol == 136)
        return true;
    return rule->protocol != 0 && memchr(ported, rule->protocol, sizeof(ported)) != NULL;
}

static bool is_name(const char *word)
{
    size_t length = word == NULL ? 0 : strlen(word);

    for (size_t i = 0; i < length; i++) {
        char letter = word[i];

        if (!(letter >= 'a' && letter <= 'z') && !(letter >= 'A' && letter <= 'Z') &&
            !(letter >= '0' && letter <= '9') && letter != '_' && letter != '-')
            return false;
    }
    return length >= 1 && length <= 16;
}

/* Ranges of ports of one end. */
struct list {
    unsigned count, first[RANGES], last[RANGES];
};

/* P[-Q][,P[-Q]...] */
static bool read_list(const char *word, struct list *list)
{
    char copy[LINE + 1];
    char *item = copy;

    if (word == NULL)
        return false;
    strcpy(copy, word);
    for (list->count = 0; item != NULL; list->count++) {
        char *comma = strchr(item, ','), *dash;
        struct reader_rule rule;

        if (comma != NULL)
            *comma++ = '\0';
        dash = strchr(item, '-');
        if (dash != NULL)
            *dash++ = '\0';
        if (list->count == RANGES || !set_ports(&rule, 0, number_of(item, 65535),
                                                number_of(dash == NULL ? item : dash, 65535)))
            return false;
        list->first[list->count] = rule.first[0];
        list->last[list->count] = rule.last[0];
        item = comma;
    }
    return true;
}

/* The index of a set; set_count: there is none. */
static unsigned find_set(const struct reader *reader, const char *name)
{
    unsigned i = 0;

    while (i < reader->set_count && !is(reader->sets[i].name, name))
        i++;
    return i;
}

/* from|to ADDRESS|@SET [port LIST]; moves on over the words. */
static bool read_end(const struct reader *reader, const char ***words, const char *keyword, int end,
                     struct reader_rule *rule, struct list *list)
{
    const char **word = *words;

    *list = (struct list){.count = 1, .last = {65535}};
    if (!is(word[0], keyword) || word[1] == NULL)
        return false;
    if (word[1][0] == '@') {
        if (find_set(reader, word[1] + 1) == reader->set_count)
            return false;
        strcpy(rule->set[end], word[1] + 1);
    } else if (!read_address(word[1], false, rule, end)) {
        return false;
    }
    word += 2;
    if (is(word[0], "port")) {
        if (!read_list(word[1], list))
            return false;
        rule->names_ports = true;
        word += 2;
    }
    *words = word;
    return true;
}

/* A rule is for the families that its sets have; an empty one has both. */
static bool take_families(const struct reader *reader, struct reader_rule *rule)
{
    for (int end = 0; end < 2; end++) {
        unsigned i = find_set(reader, rule->set[end]);

        if (rule->set[end][0] == '\0' || (!reader->sets[i].v4 && !reader->sets[i].v6))
            continue;
        rule->v4 &= reader->sets[i].v4;
        rule->v6 &= reader->sets[i].v6;
    }
    return rule->v4 || rule->v6;
}

/* The name of a port, or that, a dot and up to four digits. */
static bool is_input(char *word)
{
    char *dot = strchr(word, '.');
    size_t digits = dot == NULL ? 1 : strspn(dot + 1, "0123456789");
    bool is;

    if (digits < 1 || digits > 4 || (dot != NULL && dot[1 + digits] != '\0'))
        return false;
    if (dot != NULL)
        *dot = '\0';
    is = is_name(word);
    if (dot != NULL)
        *dot = '.';
    return is;
}

/* in PORT[,PORT...]; ports that rules before this one name are no new ones. */
static bool read_inputs(const char *word, struct reader *reader, struct reader_rule *rule)
{
    char copy[LINE + 1];
    char *name = copy;

    if (word == NULL)
        return false;
    strcpy(copy, word);
    while (name != NULL) {
        char *comma = strchr(name, ',');
        unsigned i;

        if (comma != NULL)
            *comma++ = '\0';
        if (!is_input(name))
            return false;
        for (i = 0; i < reader->name_count && !is(reader->names[i], name); i++)
            ;
        if (i == READER_INPUTS)
            return false;
        if (i == reader->name_count)
            strcpy(reader->names[reader->name_count++], name);
        for (i = 0; i < rule->input_count && !is(rule->inputs[i], name); i++)
            ;
        if (i == rule->input_count)
            strcpy(rule->inputs[rule->input_count++], name);
        name = comma;
    }
    return true;
}

/* Of both protocols: what number stands for a name; one with a code has it in the last digits. */
static const struct {
    const char *name;
    int v4, v6;
} types[] = {
    {"echo-request", 8000, 128000},
    {"echo-reply", 0, 129000},
    {"destination-unreachable", 3000, 1000},
    {"time-exceeded", 11000, 3000},
    {"parameter-problem", 12000, 4000},
    {"packet-too-big", -1, 2000},
    {"redirect", 5000, 137000},
    {"router-advertisement", 9000, 134000},
    {"router-solicitation", 10000, 133000},
    {"timestamp-request", 13000, -1},
    {"timestamp-reply", 14000, -1},
    {"address-mask-request", 17000, -1},
    {"address-mask-reply", 18000, -1},
    {"extended-echo-request", 42000, 160000},
    {"extended-echo-reply", 43000, 161000},
    {"neighbor-solicitation", -1, 135000},
    {"neighbor-advertisement", -1, 136000},
    {"mld-query", -1, 130000},
    {"mld-report", -1, 131000},
    {"mld-done", -1, 132000},
    {"mld2-report", -1, 143000},
    {"network-unreachable", 3001, -1},
    {"host-unreachable", 3002, -1},
    {"protocol-unreachable", 3003, -1},
    {"port-unreachable", 3004, 1005},
    {"fragmentation-needed", 3005, -1},
    {"administratively-prohibited", 3014, 1002},
    {"no-route", -1, 1001},
    {"address-unreachable", -1, 1004},
};

/* NAME, TYPE, NAME/CODE or TYPE/CODE; type * 1000, and 1 more than the code where there is one. */
static long type_of(char *text, bool v6)
{
    char *slash = strchr(text, '/');
    long type, code = 0;

    if (slash != NULL) {
        *slash = '\0';
        code = number_of(slash + 1, 255) + 1;
        if (code == 0)
            return -1;
    }
    type = number_of(text, 255);
    type = type < 0 ? -1 : type * 1000;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (is(text, types[i].name))
            type = v6 ? types[i].v6 : types[i].v4;
    }
    return type < 0 || (code != 0 && type % 1000 != 0) ? -1 : type + code;
}

/* type TYPE[,TYPE...] */
static bool read_types(const char *word, struct reader_rule *rule, struct list *list)
{
    char copy[LINE + 1];
    char *item = copy;

    if (word == NULL || (rule->protocol != 1 && rule->protocol != 58))
        return false;
    strcpy(copy, word);
    for (list->count = 0; item != NULL; list->count++) {
        char *comma = strchr(item, ',');
        long type;

        if (comma != NULL)
            *comma++ = '\0';
        type = type_of(item, rule->protocol == 58);
        if (type < 0 || list->count == RANGES)
            return false;
        list->first[list->count] = (unsigned)(type / 1000 * 256);
        list->last[list->count] = list->first[list->count] + 255;
        if (type % 1000 != 0)
            list->last[list->count] = list->first[list->count] += (unsigned)(type % 1000 - 1);
        item = comma;
    }
    rule->names_types = true;
    return true;
}

/* A rule with types is for one family. */
static bool take_protocol(struct reader_rule *rule)
{
    if (rule->names_types && rule->protocol == 1)
        rule->v6 = false;
    if (rule->names_types && rule->protocol == 58)
        rule->v4 = false;
    return rule->v4 || rule->v6;
}

static void keep(struct reader *reader, const struct reader_rule *rule)
{
    if (reader->count < READER_RULES)
        reader->rules[reader->count] = *rule;
    reader->count++;
}

/* Nanoseconds from one to the next; 0: wrong. */
static uint64_t read_rate(const char *word)
{
    static const struct {
        char unit;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}};
    char copy[LINE + 1];
    size_t length = word == NULL ? 0 : strlen(word);
    long count;

    if (length < 3 || word[length - 2] != '/')
        return 0;
    strcpy(copy, word);
    copy[length - 2] = '\0';
    count = strchr(copy, '/') != NULL ? 0 : number_of(copy, 1000000);
    for (size_t i = 0; i < 3 && count > 0; i++) {
        if (word[length - 1] == units[i].unit)
            return units[i].seconds * 1000000000 / (uint64_t)count;
    }
    return 0;
}

/* Class and drop precedence count in eights and twos. */
static long codepoint_of(const char *word)
{
    if (word == NULL)
        return -1;
    if (strlen(word) == 3 && strncmp(word, "cs", 2) == 0 && word[2] >= '0' && word[2] <= '7')
        return 8 * (word[2] - '0');
    if (strlen(word) == 4 && strncmp(word, "af", 2) == 0 && word[2] >= '1' && word[2] <= '4' &&
        word[3] >= '1' && word[3] <= '3')
        return 8 * (word[2] - '0') + 2 * (word[3] - '0');
    if (is(word, "ef"))
        return 46;
    if (is(word, "voice-admit"))
        return 44;
    if (is(word, "le"))
        return 1;
    return is(word, "default") ? 0 : number_of(word, 63);
}

/* Digits and a unit. */
static bool read_limit(const char *word, struct reader_rule *rule)
{
    static const struct {
        const char *unit;
        uint64_t bits;
    } units[] = {{"bit", 1}, {"kbit", 1000}, {"mbit", 1000000}, {"gbit", 1000000000}};
    uint64_t number = 0;
    const char *at = word;

    for (; at != NULL && *at >= '0' && *at <= '9' && number < 10000000000000; at++)
        number = number * 10 + (uint64_t)(*at - '0');
    if (at == word || number > 1000000000000 || (rule->action != 'a' && rule->action != 'p'))
        return false;
    for (size_t i = 0; i < 4; i++) {
        if (is(at, units[i].unit))
            rule->limit = number * units[i].bits;
    }
    rule->burst = rule->limit / 80 < 16384 ? 16384 : (uint32_t)(rule->limit / 80);
    if (rule->limit / 80 > 1 << 30)
        rule->burst = 1 << 30;
    return rule->limit >= 8000 && rule->limit <= 1000000000000;
}

/* "TEXT", whose last quote is gone. */
static bool read_name(const char *word, struct reader_rule *rule)
{
    size_t length = strlen(word);

    if (word[0] != '"' || length < 2 || length > sizeof(rule->name))
        return false;
    for (size_t i = 1; i < length; i++) {
        if (word[i] < 0x20 || word[i] > 0x7e)
            return false;
    }
    strcpy(rule->name, word + 1);
    return true;
}

static bool read_rule(struct reader *reader, const char **word, struct reader_rule *rule)
{
    struct list lists[2];

    if (is(*word, "protect")) {
        if (!is_name(*++word))
            return false;
        strcpy(rule->sa, *word);
        rule->action = 'p';
    } else if (is(*word, "allow") || is(*word, "deny") || is(*word, "reject")) {
        rule->action = **word;
    } else {
        return false;
    }
    if (!read_protocol(*++word, rule))
        return false;
    word++;
    if (!read_end(reader, &word, "from", 0, rule, &lists[0]) ||
        !read_end(reader, &word, "to", 1, rule, &lists[1]))
        return false;
    for (; *word != NULL; word += 2) {
        if (is(*word, "in") && rule->input_count == 0) {
            if (!read_inputs(word[1], reader, rule))
                return false;
        } else if (is(*word, "type") && !rule->names_types) {
            if (!read_types(word[1], rule, &lists[1]))
                return false;
        } else if (is(*word, "mss") && rule->mss == 0) {
            long bytes = is(word[1], "auto") ? 1 : number_of(word[1], 65535);

            if (rule->action != 'a' || (rule->protocol != -1 && rule->protocol != 6) ||
                (bytes < 64 && !is(word[1], "auto")))
                return false;
            rule->mss = (unsigned)bytes;
        } else if (is(word[0], "log") && !rule->log) {
            rule->log = true;
            word--; /* a word alone, unless there is a limit of it */
            if (!is(word[2], "limit") || word[3] == NULL || strchr(word[3], '/') == NULL)
                continue;
            rule->log_interval = read_rate(word[3]);
            if (rule->log_interval == 0)
                return false;
            word += 2;
        } else if (is(word[0], "limit") && rule->limit == 0) {
            if (!read_limit(word[1], rule))
                return false;
            if (is(word[2], "burst")) {
                long bytes = word[3] == NULL ? 0 : number_of(word[3], 1 << 30);

                if (bytes < 1500)
                    return false;
                rule->burst = (uint32_t)bytes;
                word += 2;
            }
        } else if (is(word[0], "dscp") && rule->dscp == 0) {
            long codepoint = codepoint_of(word[1]);

            if (codepoint < 0 || (rule->action != 'a' && rule->action != 'p'))
                return false;
            rule->dscp = (unsigned)codepoint + 1;
        } else if (is(word[0], "name") && rule->name[0] == '\0') {
            if (word[1] == NULL || !read_name(word[1], rule))
                return false;
        } else {
            return false;
        }
    }
    if (!is_whole(rule) || !take_protocol(rule) || !take_families(reader, rule))
        return false;
    for (unsigned i = 0; i < lists[0].count; i++) {
        for (unsigned j = 0; j < lists[1].count; j++) {
            set_ports(rule, 0, lists[0].first[i], lists[0].last[i]);
            set_ports(rule, 1, lists[1].first[j], lists[1].last[j]);
            keep(reader, rule);
        }
    }
    return true;
}

/* set NAME = PREFIX...; files can't be named here. */
static bool read_set(struct reader *reader, char *text)
{
    static const char blanks[] = " \t\v\f\r";
    const char *name = strtok(text, blanks), *equals = strtok(NULL, blanks), *word;

    if (!is_name(name) || !is(equals, "=") || find_set(reader, name) != reader->set_count ||
        reader->set_count == READER_SETS)
        return false;
    strcpy(reader->sets[reader->set_count].name, name);
    reader->sets[reader->set_count].v4 = reader->sets[reader->set_count].v6 = false;
    while ((word = strtok(NULL, blanks)) != NULL) {
        struct reader_rule rule = {0};

        if (is(word, "any") || !read_address(word, false, &rule, 0))
            return false;
        reader->sets[reader->set_count].v4 |= rule.v4;
        reader->sets[reader->set_count].v6 |= rule.v6;
        reader->prefix_count++;
    }
    reader->set_count++;
    return true;
}

/* VALUE/MASK */
static bool read_masked(const char *word, long most, long *value, long *mask)
{
    char copy[LINE + 1];
    char *slash;

    if (word == NULL)
        return false;
    strcpy(copy, word);
    slash = strchr(copy, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    *value = number_of(copy, most);
    *mask = number_of(slash + 1, most);
    return *value >= 0 && *mask >= 0;
}

/* @SOURCE DESTINATION P : Q P : Q PROTOCOL/MASK [FLAGS/MASK] [ACTION] */
static bool read_filter(const char **word, unsigned count, struct reader_rule *rule)
{
    long value, mask, flags = 0;

    if (count < 9 || !is(word[3], ":") || !is(word[6], ":"))
        return false;
    if (!read_address(word[0] + 1, true, rule, 0) || !read_address(word[1], true, rule, 1))
        return false;
    for (int end = 0; end < 2; end++) {
        if (!set_ports(rule, end, number_of(word[2 + 3 * end], 65535),
                       number_of(word[4 + 3 * end], 65535)))
            return false;
        rule->names_ports |= rule->first[end] != 0 || rule->last[end] != 65535;
    }
    if (!read_masked(word[8], 255, &value, &mask) || (mask != 0 && mask != 255))
        return false;
    rule->protocol = mask == 0 ? -1 : (int)value;
    word += 9;
    if (*word != NULL && strchr(*word, '/') != NULL && !read_masked(*word++, 65535, &value, &flags))
        return false;
    rule->action = 'd';
    if (*word != NULL) {
        if (!is(*word, "allow") && !is(*word, "deny"))
            return false;
        rule->action = **word++;
    }
    if (flags != 0 && rule->action == 'a')
        return false;
    return *word == NULL && is_whole(rule);
}

/* --------------------------------------------------------------------------------- lines */

/* Where the quotes end that begin here; 0: none do. */
static size_t quoted(const char *text)
{
    const char *end = *text == '"' ? strchr(text + 1, '"') : NULL;

    return end == NULL ? 0 : (size_t)(end - text);
}

/* Bytes before a line's comment. */
static size_t before_comment(const char *text)
{
    size_t i;

    for (i = 0; text[i] != '\0' && text[i] != '#'; i++)
        i += quoted(text + i);
    return i;
}

/* A line's words; one that begins with a quote loses its last. False: it has too many, or one with
 * a wrong end. */
static bool split(struct line *line, const char *text)
{
    size_t size = strlen(text);
    bool inside = false;

    line->count = 0;
    for (size_t i = 0; i < size; i++) {
        bool blank = memchr(" \t\v\f\r", text[i], 5) != NULL;
        size_t end = inside ? 0 : quoted(text + i);

        if (!inside && text[i] == '"' &&
            (end == 0 ||
             (text[i + end + 1] != '\0' && strchr(" \t\v\f\r", text[i + end + 1]) == NULL)))
            return false;
        if (end > 0) {
            if (line->count == WORDS)
                return false;
            line->words[line->count++] = &line->text[i];
            memcpy(&line->text[i], text + i, end);
            line->text[i + end] = '\0';
            i += end;
            continue;
        }

        line->text[i] = blank ? '\0' : (char)text[i];
        line->text[i + 1] = '\0';
        if (!blank && !inside) {
            if (line->count == WORDS)
                return false;
            line->words[line->count++] = &line->text[i];
        }
        inside = !blank;
    }
    line->words[line->count] = NULL;
    return true;
}

/* Whether the line begins with a word, and what is behind it. */
static char *behind(char *text, const char *word)
{
    static const char blanks[] = " \t\v\f\r";

    text += strspn(text, blanks);
    if (strncmp(text, word, strlen(word)) != 0)
        return NULL;
    text += strlen(word);
    return *text == '\0' || strchr(blanks, *text) != NULL ? text : NULL;
}

/* Whether it is right. */
static bool read_line(struct reader *reader, const uint8_t *text, size_t size, unsigned number)
{
    struct reader_rule rule = {.last = {65535, 65535}, .line = number};
    char copy[LINE + 1] = "";
    struct line line;
    char *rest;

    if (size > LINE || memchr(text, '\0', size) != NULL)
        return false;
    memcpy(copy, text, size);
    copy[before_comment(copy)] = '\0';
    rest = behind(copy, "set");
    if (rest != NULL)
        return read_set(reader, rest);
    if (behind(copy, "include") != NULL || !split(&line, copy))
        return false;
    if (line.count == 0)
        return true;
    if (line.words[0][0] != '@')
        return read_rule(reader, line.words, &rule);
    if (!read_filter(line.words, line.count, &rule))
        return false;
    keep(reader, &rule);
    return true;
}

void reader_read(struct reader *reader, const uint8_t *text, size_t size)
{
    unsigned line = 0;

    reader->wrong = reader->count = reader->name_count = 0;
    reader->set_count = reader->prefix_count = 0;
    while (size > 0) {
        const uint8_t *newline = memchr(text, '\n', size);
        size_t length = newline == NULL ? size : (size_t)(newline - text);

        line++;
        if (!read_line(reader, text, length, line)) {
            reader->wrong = line;
            return;
        }
        length += newline != NULL;
        text += length;
        size -= length;
    }
}
