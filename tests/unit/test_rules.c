/* SPDX-License-Identifier: BSD-3-Clause */
/* Rule files: what each line means, and what each wrong line is told. */
#include <stdlib.h>

#include <arpa/inet.h>

#include "rules_of.h"

#define ALLOW SPILL_VERDICT_ALLOW
#define DENY  SPILL_VERDICT_DENY
#define BOTH  (SPILL_RULE_IPV4 | SPILL_RULE_IPV6)
#define ANY   (-1)

/* What a line must become. Addresses as text, NULL for any; ports NULL where none is named. */
struct meaning {
    const char *line;
    int action;
    int families;
    int protocol;
    const char *source, *destination;
    int ports[4]; /* source first and last, destination first and last */
    bool names_ports, names_types;
};

#define NO_PORTS           {0, 65535, 0, 65535}, false, false
#define TYPES(first, last) {0, 65535, first, last}, false, true

static const struct meaning MEANINGS[] = {
    {"allow tcp from 10.0.0.0/8 to any port 443",
     ALLOW,
     SPILL_RULE_IPV4,
     6,
     "10.0.0.0/8",
     NULL,
     {0, 65535, 443, 443},
     true,
     false},
    {"deny  udp from any port 1000-2000 to 192.0.2.0/24",
     DENY,
     SPILL_RULE_IPV4,
     17,
     NULL,
     "192.0.2.0/24",
     {1000, 2000, 0, 65535},
     true,
     false},
    {"allow icmp6 from any to any", ALLOW, BOTH, 58, NULL, NULL, NO_PORTS},
    {"deny  any from 2001:db8::/32 to any", DENY, SPILL_RULE_IPV6, ANY, "2001:db8::/32", NULL,
     NO_PORTS},
    {"allow any from any to any", ALLOW, BOTH, ANY, NULL, NULL, NO_PORTS},
    {"allow any from any port 1 to any port 2-3",
     ALLOW,
     BOTH,
     ANY,
     NULL,
     NULL,
     {1, 1, 2, 3},
     true,
     false},
    /* A range of all ports is a port named all the same. */
    {"allow tcp from any to any port 0-65535",
     ALLOW,
     BOTH,
     6,
     NULL,
     NULL,
     {0, 65535, 0, 65535},
     true,
     false},
    {"deny 47 from 192.0.2.1 to 192.0.2.2/32", DENY, SPILL_RULE_IPV4, 47, "192.0.2.1/32",
     "192.0.2.2/32", NO_PORTS},
    {"deny 0 from any to any", DENY, BOTH, 0, NULL, NULL, NO_PORTS},
    {"deny 255 from 0.0.0.0/0 to any", DENY, SPILL_RULE_IPV4, 255, "0.0.0.0/0", NULL, NO_PORTS},
    {"deny 0x11 from ::/0 to any port 53",
     DENY,
     SPILL_RULE_IPV6,
     17,
     "::/0",
     NULL,
     {0, 65535, 53, 53},
     true,
     false},
    {"allow icmp from any to any", ALLOW, BOTH, 1, NULL, NULL, NO_PORTS},
    {"allow icmp from any to any type echo-request", ALLOW, SPILL_RULE_IPV4, 1, NULL, NULL,
     TYPES(0x800, 0x8ff)},
    {"allow icmp6 from any to any type echo-request", ALLOW, SPILL_RULE_IPV6, 58, NULL, NULL,
     TYPES(0x8000, 0x80ff)},
    {"deny 58 from ::1 to any type neighbor-advertisement", DENY, SPILL_RULE_IPV6, 58, "::1/128",
     NULL, TYPES(0x8800, 0x88ff)},
    {"allow icmp from 192.0.2.1 to any type port-unreachable", ALLOW, SPILL_RULE_IPV4, 1,
     "192.0.2.1/32", NULL, TYPES(0x303, 0x303)},
    {"allow icmp from any to any in lan type destination-unreachable/13", ALLOW, SPILL_RULE_IPV4, 1,
     NULL, NULL, TYPES(0x30d, 0x30d)},
    {"allow icmp from any to any type 255/255 in lan", ALLOW, SPILL_RULE_IPV4, 1, NULL, NULL,
     TYPES(0xffff, 0xffff)},
    {"allow icmp from any to any type 0", ALLOW, SPILL_RULE_IPV4, 1, NULL, NULL, TYPES(0, 0xff)},
    {"allow sctp from any to any port 9",
     ALLOW,
     BOTH,
     132,
     NULL,
     NULL,
     {0, 65535, 9, 9},
     true,
     false},
    {"allow udplite from any to any port 9",
     ALLOW,
     BOTH,
     136,
     NULL,
     NULL,
     {0, 65535, 9, 9},
     true,
     false},
    {"allow dccp from any to any port 9",
     ALLOW,
     BOTH,
     33,
     NULL,
     NULL,
     {0, 65535, 9, 9},
     true,
     false},
    {"allow esp from any to any", ALLOW, BOTH, 50, NULL, NULL, NO_PORTS},
    {"allow ah from any to any", ALLOW, BOTH, 51, NULL, NULL, NO_PORTS},
    {"allow gre from any to any", ALLOW, BOTH, 47, NULL, NULL, NO_PORTS},
    {"allow any from 128.0.0.0/1 to 255.255.255.254/31", ALLOW, SPILL_RULE_IPV4, ANY, "128.0.0.0/1",
     "255.255.255.254/31", NO_PORTS},
    {"allow any from ::ffff:192.0.2.1 to 2001:db8::1/128", ALLOW, SPILL_RULE_IPV6, ANY,
     "::ffff:192.0.2.1/128", "2001:db8::1/128", NO_PORTS},
    {"\t allow\ttcp   from any\vto any  \t", ALLOW, BOTH, 6, NULL, NULL, NO_PORTS},
    {"allow tcp from any to any#comment", ALLOW, BOTH, 6, NULL, NULL, NO_PORTS},
    {"allow tcp from any to any # and # more", ALLOW, BOTH, 6, NULL, NULL, NO_PORTS},
    {"allow tcp from any to any\r", ALLOW, BOTH, 6, NULL, NULL, NO_PORTS},
    /* ClassBench */
    {"@10.0.0.0/8\t192.168.0.0/16\t0 : 65535\t80 : 80\t0x06/0xFF\t0x0000/0x0000\t",
     DENY,
     SPILL_RULE_IPV4,
     6,
     "10.0.0.0/8",
     "192.168.0.0/16",
     {0, 65535, 80, 80},
     true,
     false},
    {"@10.0.0.0/8 192.168.0.0/16 0 : 65535 0 : 65535 0x11/0xff", DENY, SPILL_RULE_IPV4, 17,
     "10.0.0.0/8", "192.168.0.0/16", NO_PORTS},
    {"@10.0.0.0/8 0.0.0.0/0 5 : 6 0 : 65535 0x11/0xff allow",
     ALLOW,
     SPILL_RULE_IPV4,
     17,
     "10.0.0.0/8",
     "0.0.0.0/0",
     {5, 6, 0, 65535},
     true,
     false},
    {"@10.0.0.0/8 0.0.0.0/0 0 : 65535 0 : 65535 0x01/0xff 0x0000/0x0000 allow # why", ALLOW,
     SPILL_RULE_IPV4, 1, "10.0.0.0/8", "0.0.0.0/0", NO_PORTS},
    {"@10.0.0.0/8 0.0.0.0/0 0 : 65535 0 : 65535 0x06/0xff 0x1000/0x1000 deny", DENY,
     SPILL_RULE_IPV4, 6, "10.0.0.0/8", "0.0.0.0/0", NO_PORTS},
    {"@10.0.0.0/8 0.0.0.0/0 0 : 65535 0 : 65535 0x06/0xff 0x1000/0x1000", DENY, SPILL_RULE_IPV4, 6,
     "10.0.0.0/8", "0.0.0.0/0", NO_PORTS},
    {"@10.0.0.0/8 0.0.0.0/0 0 : 65535 0 : 65535 0x06/0x00", DENY, SPILL_RULE_IPV4, ANY,
     "10.0.0.0/8", "0.0.0.0/0", NO_PORTS},
    {"@10.1.2.3/8 192.168.77.1/23 0 : 65535 0 : 65535 0x00/0x00", DENY, SPILL_RULE_IPV4, ANY,
     "10.0.0.0/8", "192.168.76.0/23", NO_PORTS},
    {"@2001:db8::1/32 ::/0 0 : 65535 0 : 1023 0x11/0xff",
     DENY,
     SPILL_RULE_IPV6,
     17,
     "2001:db8::/32",
     "::/0",
     {0, 65535, 0, 1023},
     true,
     false},
};

static void check_address(const struct spill_rule *rule, unsigned end, const char *expected)
{
    char text[INET6_ADDRSTRLEN + 8];
    const int family = rule->families == SPILL_RULE_IPV6 ? AF_INET6 : AF_INET;

    if (expected == NULL) {
        assert_int_equal(rule->length[end], 0);
        assert_true(rule->address[end][0] == 0);
        return;
    }
    inet_ntop(family, rule->address[end], text, INET6_ADDRSTRLEN);
    snprintf(text + strlen(text), 8, "/%u", rule->length[end]);
    assert_string_equal(text, expected);
}

static void each_line_means_what_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(MEANINGS) / sizeof(MEANINGS[0]); i++) {
        const struct meaning *meaning = &MEANINGS[i];
        struct spill_ruleset *ruleset = rules_of(meaning->line);
        const struct spill_rule *rule = ruleset->rules;

        print_message("%s\n", meaning->line);
        assert_int_equal(ruleset->count, 1);
        assert_int_equal(rule->action, meaning->action);
        assert_int_equal(rule->families, meaning->families);
        assert_int_equal(rule->any_protocol, meaning->protocol == ANY);
        assert_int_equal(rule->protocol, meaning->protocol == ANY ? 0 : meaning->protocol);
        assert_int_equal(rule->names_ports, meaning->names_ports);
        assert_int_equal(rule->names_types, meaning->names_types);
        assert_int_equal(rule->line, 1);
        check_address(rule, SPILL_RULE_SOURCE, meaning->source);
        check_address(rule, SPILL_RULE_DESTINATION, meaning->destination);
        for (unsigned end = 0; end < 2; end++) {
            assert_int_equal(rule->first_port[end], meaning->ports[2 * end]);
            assert_int_equal(rule->last_port[end], meaning->ports[2 * end + 1]);
        }
        spill_rules_free(ruleset);
    }
}

/* Wrong lines, and what their error says behind "test.rules:1: ". */
#define NO_CODEPOINT(text)                                                                         \
    "'" text "': not a codepoint; 0 to 63, cs0 to cs7, af11 to af43, ef, le or voice-admit"
#define NO_RATE(text)                                                                              \
    "'" text                                                                                       \
    "': not a rate; N and bit, kbit, mbit or gbit, as in 10mbit, from 8kbit to 1000gbit; "         \
    "or log limit N/s"

static const char *const WRONG[][2] = {
    {"deny ip from any to any", "ip: not a protocol that packets carry; any is all of them"},
    {"deny tcp from any to any mss 1360", "mss goes with allow"},
    {"protect x tcp from any to any mss auto", "mss goes with allow"},
    {"allow udp from any to any mss 1360", "mss goes with tcp and any"},
    {"allow tcp from any to any mss", "'end of line': not a segment's size; auto, or 64 to 65535"},
    {"allow tcp from any to any mss 63", "'63': not a segment's size; auto, or 64 to 65535"},
    {"allow tcp from any to any mss 65536", "'65536': not a segment's size; auto, or 64 to 65535"},
    {"allow tcp from any to any mss auto mss 64", "'mss': nothing is expected behind the rule"},
    {"deny tcp from any to any type echo-request", "type: only icmp and icmp6 have types"},
    {"deny any from any to any type 8", "type: only icmp and icmp6 have types"},
    {"deny icmp from any to any type", "no type after 'type'; names or numbers with commas"},
    {"deny icmp from any to any type packet-too-big",
     "'packet-too-big': not a type of ICMP; a name such as echo-request, or TYPE or TYPE/CODE, 0 "
     "to 255"},
    {"deny icmp6 from any to any type 256",
     "'256': not a type of ICMPv6; a name such as echo-request, or TYPE or TYPE/CODE, 0 to 255"},
    {"deny icmp from any to any type 3/256",
     "'3/256': not a type of ICMP; a name such as echo-request, or TYPE or TYPE/CODE, 0 to 255"},
    {"deny icmp from any to any type port-unreachable/3",
     "'port-unreachable/3': not a type of ICMP; a name such as echo-request, or TYPE or TYPE/CODE, "
     "0 to 255"},
    {"deny icmp from any to any type 3,,4",
     "'': not a type of ICMP; a name such as echo-request, or TYPE or TYPE/CODE, 0 to 255"},
    {"deny icmp from any to any type 3 type 4", "'type': nothing is expected behind the rule"},
    {"deny icmp from ::1 to any type 3", "types of ICMP and an IPv6 address in one rule"},
    {"deny icmp6 from any to 192.0.2.1 type 3", "types of ICMPv6 and an IPv4 address in one rule"},
    {"pass tcp from any to any", "'pass': unknown action; allow, deny, reject or protect"},
    {"Allow tcp from any to any", "'Allow': unknown action; allow, deny, reject or protect"},
    {"inspect any from any to any",
     "inspect: this version does not do that yet; allow, deny, reject or protect"},
    {"protect", "no name of an SA after 'protect'"},
    {"protect a.b any from any to any",
     "'a.b': not the name of an SA; 1 to 16 letters, digits, '_' or '-'"},
    {"protect seventeen-letters any from any to any",
     "'seventeen-letters': not the name of an SA; 1 to 16 letters, digits, '_' or '-'"},
    {"protect any from any to any",
     "'from': unknown protocol; any, a name such as tcp, or a number 0 to 255"},
    {"protect left", "no protocol after the action; any, tcp, udp, …"},
    {"allow", "no protocol after the action; any, tcp, udp, …"},
    {"allow tpc from any to any",
     "'tpc': unknown protocol; any, a name such as tcp, or a number 0 to 255"},
    {"allow 256 from any to any",
     "'256': unknown protocol; any, a name such as tcp, or a number 0 to 255"},
    {"allow -1 from any to any",
     "'-1': unknown protocol; any, a name such as tcp, or a number 0 to 255"},
    {"allow 0x from any to any",
     "'0x': unknown protocol; any, a name such as tcp, or a number 0 to 255"},
    {"allow tcp", "'end of line': 'from' is expected here"},
    {"allow tcp to any from any", "'to': 'from' is expected here"},
    {"allow tcp from", "no address after 'from'; any, or one such as 192.0.2.0/24"},
    {"allow tcp from any", "'end of line': 'to' is expected here"},
    {"allow tcp from any to", "no address after 'to'; any, or one such as 192.0.2.0/24"},
    {"allow tcp from any to any to", "'to': nothing is expected behind the rule"},
    {"allow tcp from any to any prt 80", "'prt': nothing is expected behind the rule"},
    {"allow tcp from any to any in", "no port after 'in'; names with commas, as in lan,wan"},
    {"allow tcp from any to any in lan, wan",
     "'': not the name of a port; names with commas, as in lan,wan"},
    {"allow tcp from any to any in a.b",
     "'a.b': not the name of a port; names with commas, as in lan,wan"},
    {"allow tcp from any to any in lan in wan", "'in': nothing is expected behind the rule"},
    {"allow tcp from any in lan to any", "'in': 'to' is expected here"},
    {"@10.0.0.0/8 10.0.0.0/8 1 : 2 3 : 4 0x06/0xff deny in lan",
     "'in': nothing is expected behind the rule"},
    {"allow tcp from 10.0.0 to any", "'10.0.0': not an address; any, or IPv4 or IPv6 such as "
                                     "192.0.2.0/24, 2001:db8::/32"},
    {"allow tcp from 10.0.0.256 to any", "'10.0.0.256': not an address; any, or IPv4 or IPv6 such "
                                         "as 192.0.2.0/24, 2001:db8::/32"},
    {"allow tcp from example.org to any", "'example.org': not an address; any, or IPv4 or IPv6 "
                                          "such as 192.0.2.0/24, 2001:db8::/32"},
    {"allow tcp from fe80::1%lan to any", "'fe80::1%lan': not an address; any, or IPv4 or IPv6 "
                                          "such as 192.0.2.0/24, 2001:db8::/32"},
    {"allow tcp from 1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb to any",
     "'1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb': not an address; any, or IPv4 or "
     "IPv6 such as 192.0.2.0/24, 2001:db8::/32"},
    {"allow tcp from 10.0.0.0/ to any",
     "'10.0.0.0/': the prefix length of IPv4 is a number 0 to 32"},
    {"allow tcp from 10.0.0.0/33 to any",
     "'10.0.0.0/33': the prefix length of IPv4 is a number 0 to 32"},
    {"allow tcp from 10.0.0.0/255.0.0.0 to any",
     "'10.0.0.0/255.0.0.0': the prefix length of IPv4 is a number 0 to 32"},
    {"allow tcp from any to 2001:db8::/129",
     "'2001:db8::/129': the prefix length of IPv6 is a number 0 to 128"},
    {"allow tcp from 10.0.0.1/8 to any",
     "10.0.0.1/8: host bits are set; 10.0.0.0/8 or 10.0.0.1/32"},
    {"allow tcp from 10.0.0.1/31 to any",
     "10.0.0.1/31: host bits are set; 10.0.0.0/31 or 10.0.0.1/32"},
    {"allow tcp from any to 10.0.0.1/0", "10.0.0.1/0: host bits are set; 0.0.0.0/0 or 10.0.0.1/32"},
    {"allow tcp from any to 2001:db8::1/33",
     "2001:db8::1/33: host bits are set; 2001:db8::/33 or 2001:db8::1/128"},
    {"allow tcp from any port to any", "'to': not a port; a number 0 to 65535"},
    {"allow tcp from any to any port", "no number after 'port'; P or P-Q, 0 to 65535"},
    {"allow tcp from any to any port http", "'http': not a port; a number 0 to 65535"},
    {"allow tcp from any to any port 65536", "'65536': not a port; a number 0 to 65535"},
    {"allow tcp from any to any port 80,", "'': not a port; a number 0 to 65535"},
    {"allow tcp from any to any port 80,,443", "'': not a port; a number 0 to 65535"},
    {"allow tcp from any to any port 80, 443", "'': not a port; a number 0 to 65535"},
    {"allow tcp from @bogons to any", "'@bogons': no such set; a line before it: set bogons = ..."},
    {"allow tcp from @ to any", "'@': no such set; a line before it: set  = ..."},
    {"set", "'end of line': set NAME = PREFIX... [file PATH] is expected here"},
    {"set bogons", "'end of line': set NAME = PREFIX... [file PATH] is expected here"},
    {"set bogons 10.0.0.0/8", "'10.0.0.0/8': set NAME = PREFIX... [file PATH] is expected here"},
    {"set a.b = 10.0.0.0/8", "'a.b': not the name of a set; 1 to 16 letters, digits, '_' or '-'"},
    {"set bogons = any", "any: not a prefix; one such as 192.0.2.0/24, 2001:db8::/32"},
    {"set bogons = 10.0.0.1/8", "10.0.0.1/8: host bits are set; 10.0.0.0/8 or 10.0.0.1/32"},
    {"set bogons = @others",
     "'@others': not an address; any, or IPv4 or IPv6 such as 192.0.2.0/24, 2001:db8::/32"},
    {"set bogons = file", "no path after 'file'"},
    {"set bogons = file a b", "set bogons: nothing is expected behind the file"},
    {"set bogons = file a", "a: no file can be named here"},
    {"include a", "a: no file can be named here"},
    {"include a b", "include a: nothing is expected behind the path"},
    {"include ", "no path after 'include'"},
    {"allow tcp from any to any port 80-", "'': not a port; a number 0 to 65535"},
    {"allow tcp from any to any port 1-2-3", "'2-3': not a port; a number 0 to 65535"},
    {"allow tcp from any to any port 443-80",
     "ports 443 to 80: the first is above the last; 80 to 443"},
    {"allow icmp from any to any port 80",
     "protocol icmp has no ports; they go with any, tcp, udp, sctp, udplite and dccp"},
    {"allow 47 from any port 1 to any",
     "protocol 47 has no ports; they go with any, tcp, udp, sctp, udplite and dccp"},
    {"allow tcp from 10.0.0.0/8 to 2001:db8::/32",
     "an IPv4 and an IPv6 address in one rule; two of one family"},
    {"allow tcp from any port 1-2 to any port 3-4 and so on "
     "and on and on and on and on until there are too many words",
     "'too': more words than a rule has"},
    {"allow tcp from any to any log log", "'log': nothing is expected behind the rule"},
    {"allow tcp from any to any log limit", NO_RATE("end of line")},
    {"allow tcp from any to any log limit 10", NO_RATE("10")},
    {"allow tcp from any to any log limit 0/s",
     "'0/s': not a rate; N/s, N/m or N/h, N from 1 to 1000000"},
    {"allow tcp from any to any log limit 10/d",
     "'10/d': not a rate; N/s, N/m or N/h, N from 1 to 1000000"},
    {"allow tcp from any to any log limit 1000001/s",
     "'1000001/s': not a rate; N/s, N/m or N/h, N from 1 to 1000000"},
    {"allow tcp from any to any limit 10/s", NO_RATE("10/s")},
    {"allow tcp from any to any limit mbit", NO_RATE("mbit")},
    {"allow tcp from any to any limit 7999bit", NO_RATE("7999bit")},
    {"allow tcp from any to any limit 1001gbit", NO_RATE("1001gbit")},
    {"allow tcp from any to any limit 10Mbit", NO_RATE("10Mbit")},
    {"allow tcp from any to any limit 1.5mbit", NO_RATE("1.5mbit")},
    {"allow tcp from any to any limit -10mbit", NO_RATE("-10mbit")},
    {"allow tcp from any to any limit 99999999999999999999bit", NO_RATE("99999999999999999999bit")},
    {"deny tcp from any to any limit 10mbit", "limit goes with allow and protect"},
    {"reject tcp from any to any log limit 10mbit", "limit goes with allow and protect"},
    {"allow tcp from any to any limit 10mbit limit 10mbit",
     "'limit': nothing is expected behind the rule"},
    {"allow tcp from any to any limit 10mbit burst",
     "'end of line': not a burst; 1500 to 1073741824 bytes"},
    {"allow tcp from any to any limit 10mbit burst 1499",
     "'1499': not a burst; 1500 to 1073741824 bytes"},
    {"allow tcp from any to any limit 10mbit burst 64k",
     "'64k': not a burst; 1500 to 1073741824 bytes"},
    {"allow tcp from any to any dscp 64", NO_CODEPOINT("64")},
    {"allow tcp from any to any dscp EF", NO_CODEPOINT("EF")},
    {"allow tcp from any to any dscp", NO_CODEPOINT("end of line")},
    {"deny tcp from any to any dscp ef", "dscp goes with allow and protect"},
    {"allow tcp from any to any dscp ef dscp 0", "'dscp': nothing is expected behind the rule"},
    {"allow tcp from any to any burst 3000", "'burst': nothing is expected behind the rule"},
    {"allow tcp from any to any name", "'end of line': no name; one in quotes, as in name \"web\""},
    {"allow tcp from any to any name web", "'web': no name; one in quotes, as in name \"web\""},
    {"allow tcp from any to any name \"web", "\"web: a quote is missing"},
    {"allow tcp from any to any name \"web#", "\"web: a quote is missing"},
    {"allow tcp from any to any name \"web\"x", "\"web\"x: a blank is expected behind the quotes"},
    {"allow tcp from any to any name \"\"", "'': a name has 1 to 63 bytes"},
    {"allow tcp from any to any name \"we\tb\"", "'we\\tb': a name has printable ASCII only"},
    {"allow tcp from any to any name \"a\" name \"b\"",
     "'name': nothing is expected behind the rule"},
    {"allow tcp from any to any name "
     "\"name-name-name-name-name-name-name-name-name-name-name-name-name-\"",
     "'name-name-name-name-name-name-name-name-name-name-name-name-name-': a name has 1 to 63 "
     "bytes"},
    {"allow tcp from \"any\" to any",
     "'\"any': not an address; any, or IPv4 or IPv6 such as 192.0.2.0/24, 2001:db8::/32"},
    {"@10.0.0.0/8", "no destination in a ClassBench filter"},
    {"@ 10.0.0.0/8 10.0.0.0/8",
     "'': not an address; any, or IPv4 or IPv6 such as 192.0.2.0/24, 2001:db8::/32"},
    {"@10.0.0.0/8 10.0.0.0/8", "no source ports in a ClassBench filter; P : Q"},
    {"@10.0.0.0/8 10.0.0.0/8 1 2 3", "no source ports in a ClassBench filter; P : Q"},
    {"@10.0.0.0/8 10.0.0.0/8 1 : 2 3 :", "no destination ports in a ClassBench filter; P : Q"},
    {"@10.0.0.0/8 10.0.0.0/8 1 : 2 3 : 2 0x06/0xff",
     "ports 3 to 2: the first is above the last; 2 to 3"},
    {"@10.0.0.0/8 10.0.0.0/8 1 : 2 3 : 4",
     "'end of line': not a ClassBench protocol; VALUE/MASK up to 0xff"},
    {"@10.0.0.0/8 10.0.0.0/8 1 : 2 3 : 4 tcp",
     "'tcp': not a ClassBench protocol; VALUE/MASK up to 0xff"},
    {"@10.0.0.0/8 10.0.0.0/8 1 : 2 3 : 4 0x106/0xff",
     "'0x106/0xff': not a ClassBench protocol; VALUE/MASK up to 0xff"},
    {"@10.0.0.0/8 10.0.0.0/8 1 : 2 3 : 4 0x06/0x0f",
     "protocol mask 0xf: only 0x00 (any) and 0xff are supported"},
    {"@10.0.0.0/8 10.0.0.0/8 1 : 2 0 : 65535 0x01/0xff",
     "protocol 0x01 has no ports; they go with any, tcp, udp, sctp, udplite and dccp"},
    {"@10.0.0.0/8 ::/0 0 : 65535 0 : 65535 0x06/0xff",
     "an IPv4 and an IPv6 address in one rule; two of one family"},
    {"@10.0.0.0/8 10.0.0.0/8 1 : 2 3 : 4 0x06/0xff 1/x",
     "'1/x': not a ClassBench flags field; VALUE/MASK up to 0xffff"},
    {"@10.0.0.0/8 10.0.0.0/8 1 : 2 3 : 4 0x06/0xff 0x1000/0x1000 allow",
     "flags mask 0x1000: flags are not matched, so a filter that allows has 0x0000/0x0000"},
    {"@10.0.0.0/8 10.0.0.0/8 1 : 2 3 : 4 0x06/0xff accept",
     "'accept': unknown action; allow or deny"},
    {"@10.0.0.0/8 10.0.0.0/8 1 : 2 3 : 4 0x06/0xff protect",
     "protect: a ClassBench filter has no place for an SA; allow or deny"},
    {"@10.0.0.0/8 10.0.0.0/8 1 : 2 3 : 4 0x06/0xff protect left",
     "protect: a ClassBench filter has no place for an SA; allow or deny"},
    {"@10.0.0.0/8 10.0.0.0/8 1 : 2 3 : 4 0x06/0xff inspect",
     "inspect: this version does not do that yet; allow or deny"},
    {"@10.0.0.0/8 10.0.0.0/8 1 : 2 3 : 4 0x06/0xff 0/0 deny 1",
     "'1': nothing is expected behind the rule"},
};

static void each_wrong_line_is_told_what_would_be_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        struct spill_error error = {.text = ""};
        char text[1024], expected[1024];

        snprintf(text, sizeof(text), "# first\n\nallow tcp from any to any\n%s\nalso wrong",
                 WRONG[i][0]);
        snprintf(expected, sizeof(expected), "test.rules:4: %s", WRONG[i][1]);
        assert_null(rules_read(text, strlen(text), &error));
        assert_string_equal(error.text, expected);
        assert_null(rules_read(text, strlen(text), NULL));
    }
}

static void bytes_that_are_no_text(void **state)
{
    static const char nul[] = "deny any from any to any\nallow tcp \0 from any to any\n";
    char lines[2 * SPILL_RULES_MAX_LINE];
    struct spill_error error;
    struct spill_ruleset *ruleset;

    (void)state;
    assert_null(rules_read(nul, sizeof(nul) - 1, &error));
    assert_string_equal(error.text, "test.rules:2: a NUL byte; a rule file is text");

    /* A line may be as long as the limit and no longer. */
    memset(lines, '#', sizeof(lines));
    lines[0] = '\n';
    ruleset = rules_read(lines, 1 + SPILL_RULES_MAX_LINE, &error);
    assert_non_null(ruleset);
    assert_int_equal(ruleset->count, 0);
    spill_rules_free(ruleset);
    assert_null(rules_read(lines, 2 + SPILL_RULES_MAX_LINE, &error));
    assert_string_equal(error.text, "test.rules:2: the line is longer than 512 bytes");

    /* A long word does not push what would be right out of the message. */
    memset(lines, 'x', SPILL_RULES_MAX_LINE);
    assert_null(rules_read(lines, SPILL_RULES_MAX_LINE, &error));
    assert_non_null(strstr(error.text, "xxx': unknown action; allow, deny, reject or protect"));
}

static void lines_keep_order_and_number(void **state)
{
    struct spill_ruleset *ruleset = rules_of("# office\r\n"
                                             "\r\n"
                                             "allow tcp from any to any port 80\r\n"
                                             "   # indented\n"
                                             "@10.0.0.0/8 10.0.0.0/8 0 : 65535 0 : 65535 0/0\n"
                                             "\n"
                                             "deny any from any to any"); /* no end of line */

    (void)state;
    assert_int_equal(ruleset->count, 3);
    assert_int_equal(ruleset->rules[0].line, 3);
    assert_int_equal(ruleset->rules[1].line, 5);
    assert_int_equal(ruleset->rules[2].line, 7);
    assert_int_equal(ruleset->rules[0].protocol, 6);
    assert_int_equal(ruleset->rules[1].length[1], 8);
    assert_int_equal(ruleset->rules[2].families, BOTH);
    spill_rules_free(ruleset);
    spill_rules_free(NULL);
}

static void rules_protect_with_named_sas(void **state)
{
    struct spill_ruleset *ruleset =
        rules_of("protect to-branch any from 10.1.0.0/16 to 10.2.0.0/16\n"
                 "allow tcp from any to any port 22\n"
                 "protect Sixteen_letters1 udp from any port 1-2 to 2001:db8::/32\n"
                 "protect to-branch tcp from any to any\n"
                 "protect to-branc any from any to any\n"
                 "deny any from any to any\n");
    static const uint16_t SAS[] = {1, 0, 2, 1, 3, 0};

    (void)state;
    assert_int_equal(ruleset->sa_count, 3);
    assert_string_equal(ruleset->sas[0], "to-branch");
    assert_string_equal(ruleset->sas[1], "Sixteen_letters1");
    assert_string_equal(ruleset->sas[2], "to-branc");
    assert_int_equal(ruleset->count, sizeof(SAS) / sizeof(SAS[0]));
    for (unsigned i = 0; i < ruleset->count; i++) {
        assert_int_equal(ruleset->rules[i].sa, SAS[i]);
        assert_int_equal(ruleset->rules[i].action == SPILL_VERDICT_PROTECT, SAS[i] != 0);
    }
    assert_int_equal(ruleset->rules[2].protocol, 17);
    assert_int_equal(ruleset->rules[2].last_port[0], 2);
    assert_int_equal(ruleset->rules[2].length[1], 32);
    spill_rules_free(ruleset);

    ruleset = rules_of("allow any from any to any");
    assert_int_equal(ruleset->sa_count, 0);
    assert_int_equal(ruleset->rules[0].sa, 0);
    spill_rules_free(ruleset);
}

static void rules_name_the_ports_that_packets_came_in_by(void **state)
{
    struct spill_ruleset *ruleset =
        rules_of("allow tcp from any to any port 22 in lan\n"
                 "deny any from any to any\n"
                 "protect one any from any to any in wan,lan,wan\n"
                 "allow any from any to any in Sixteen_letters1,-\n"
                 "allow any from any to any in Sixteen_letters1.4094\n");
    static const uint32_t INPUTS[] = {1, 0, 3, 12, 16};

    (void)state;
    assert_int_equal(ruleset->input_count, 5);
    assert_string_equal(ruleset->inputs[0], "lan");
    assert_string_equal(ruleset->inputs[1], "wan");
    assert_string_equal(ruleset->inputs[2], "Sixteen_letters1");
    assert_string_equal(ruleset->inputs[3], "-");
    assert_string_equal(ruleset->inputs[4], "Sixteen_letters1.4094");
    for (unsigned i = 0; i < ruleset->count; i++)
        assert_int_equal(ruleset->rules[i].inputs, INPUTS[i]);
    spill_rules_free(ruleset);
}

/* A list of ports is a rule for each pair of ranges, in order; line and file stay. */
static void lists_of_ports(void **state)
{
    static const uint16_t expected[][4] = {
        {1, 1, 80, 80}, {1, 1, 443, 443}, {5, 9, 80, 80}, {5, 9, 443, 443}};
    struct spill_ruleset *ruleset =
        rules_of("deny any from any to any\nallow tcp from any port 1,5-9 to any port 80,443\n");
    char text[SPILL_RULES_MAX_LINE] = "deny udp from any to any port 0", expected_error[128];
    struct spill_error error = {.text = ""};

    (void)state;
    assert_int_equal(ruleset->count, 5);
    for (unsigned i = 0; i < 4; i++) {
        const struct spill_rule *rule = &ruleset->rules[1 + i];

        assert_true(rule->names_ports);
        assert_int_equal(rule->line, 2);
        assert_int_equal(rule->first_port[0], expected[i][0]);
        assert_int_equal(rule->last_port[0], expected[i][1]);
        assert_int_equal(rule->first_port[1], expected[i][2]);
        assert_int_equal(rule->last_port[1], expected[i][3]);
    }
    spill_rules_free(ruleset);
    for (unsigned i = 1; i < 65; i++)
        sprintf(text + strlen(text), ",%u", i);
    snprintf(expected_error, sizeof(expected_error),
             "test.rules:1: more than 64 ports and ranges in a list");
    assert_null(rules_read(text, strlen(text), &error));
    assert_string_equal(error.text, expected_error);
    *strrchr(text, ',') = '\0';
    spill_rules_free(rules_of(text));
}

static void sizes_of_segments(void **state)
{
    struct spill_ruleset *ruleset = rules_of("allow any from any to any mss 1360 in lan\n"
                                             "allow tcp from any to any port 1,2 mss auto\n"
                                             "allow 6 from any to any\n");

    (void)state;
    assert_int_equal(ruleset->count, 4);
    assert_int_equal(ruleset->rules[0].mss, 1360);
    assert_int_equal(ruleset->rules[1].mss, SPILL_SA_MSS_AUTO);
    assert_int_equal(ruleset->rules[2].mss, SPILL_SA_MSS_AUTO);
    assert_int_equal(ruleset->rules[3].mss, 0);
    spill_rules_free(ruleset);
}

/* Each of a list makes a rule; all stand in one line. */
static void lists_of_types(void **state)
{
    struct spill_ruleset *ruleset =
        rules_of("allow icmp from any to any type echo-request,3/4,time-exceeded\n");
    static const uint16_t expected[][2] = {{0x800, 0x8ff}, {0x304, 0x304}, {0xb00, 0xbff}};

    (void)state;
    assert_int_equal(ruleset->count, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(ruleset->rules[i].first_port[1], expected[i][0]);
        assert_int_equal(ruleset->rules[i].last_port[1], expected[i][1]);
        assert_int_equal(ruleset->rules[i].line, 1);
    }
    spill_rules_free(ruleset);
}

/* What a rule lets through, and how often it is recorded, are two things. */
static void rates(void **state)
{
    static const struct {
        const char *options;
        uint64_t limit, log_interval;
        uint32_t burst;
    } expected[] = {
        {"", 0, 0, 0},
        {"limit 8kbit", 8000, 0, 16384},
        {"limit 8000bit burst 1500", 8000, 0, 1500},
        {"limit 10mbit log", 10000000, 0, 125000},
        {"log limit 10mbit burst 0x10000", 10000000, 0, 65536},
        {"log limit 2/s limit 1000gbit name \"a\"", 1000000000000, 500000000, 1u << 30},
        {"limit 4294967295bit log limit 1/m", 4294967295, 60000000000, 53687091},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct spill_ruleset *ruleset;
        char text[128];

        snprintf(text, sizeof(text), "allow any from any to any %s", expected[i].options);
        ruleset = rules_of(text);
        assert_int_equal(ruleset->rules[0].limit, expected[i].limit);
        assert_int_equal(ruleset->rules[0].burst, expected[i].burst);
        assert_int_equal(ruleset->rules[0].log_interval, expected[i].log_interval);
        assert_int_equal(ruleset->rules[0].log, strstr(text, "log") != NULL);
        spill_rules_free(ruleset);
    }
}

static void codepoints(void **state)
{
    static const struct {
        const char *said;
        uint8_t dscp;
    } expected[] = {{"0", 0},    {"63", 63},          {"0x2e", 46},  {"cs0", 0},
                    {"cs7", 56}, {"af11", 10},        {"af43", 38},  {"ef", 46},
                    {"le", 1},   {"voice-admit", 44}, {"default", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct spill_ruleset *ruleset;
        char text[128];

        snprintf(text, sizeof(text), "allow any from any to any dscp %s limit 1mbit",
                 expected[i].said);
        ruleset = rules_of(text);
        assert_int_equal(ruleset->rules[0].dscp, 1 + expected[i].dscp);
        spill_rules_free(ruleset);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_means_what_it_says),
        cmocka_unit_test(each_wrong_line_is_told_what_would_be_right),
        cmocka_unit_test(bytes_that_are_no_text),
        cmocka_unit_test(lines_keep_order_and_number),
        cmocka_unit_test(rules_protect_with_named_sas),
        cmocka_unit_test(rules_name_the_ports_that_packets_came_in_by),
        cmocka_unit_test(lists_of_ports),
        cmocka_unit_test(lists_of_types),
        cmocka_unit_test(sizes_of_segments),
        cmocka_unit_test(rates),
        cmocka_unit_test(codepoints),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
