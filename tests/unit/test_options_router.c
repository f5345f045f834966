/* SPDX-License-Identifier: BSD-3-Clause */
/* Routed ports, routes and neighbours in the configuration: good and bad. */
#include "config/options_check.h"
#include "config/options_compare.h"
#include "options_parse.h"

/* Two routed ports, open for more keys of the second. */
static const char two[] = "[port lan]\n"
                          "device = net_null0\n"
                          "routed = yes\n"
                          "address = 10.1.0.1/24\n"
                          "[port wan]\n"
                          "device = net_null1\n"
                          "routed = yes\n"
                          "address = 10.2.0.1/24, 2001:db8:2::1/64\n";

static enum spill_options_result parse_with(const char *more)
{
    options_write("%s%s", two, more);
    return options_parse_file();
}

static void test_good(void **state)
{
    char text[SPILL_IP_PREFIX_TEXT];

    (void)state;
    options_assert_good(
        parse_with("[port lan.7]\nparent = lan\nvlan = 7\nrouted = yes\naddress = 10.7.0.1/16\n"
                   "[route 0.0.0.0/0]\nvia = 10.2.0.9 weight 3, fe80::1 port wan , port lan.7\n"
                   "[route 2001:db8::/32]\naction = prohibit\n"
                   "[neighbor 10.7.0.9]\nport = lan.7\nmac = 02:00:00:00:00:01\n"
                   "[router]\nrpf = strict\nhost-rules = yes\nroutes = 1M\nroutes6 = 200k\n"));
    assert_int_equal(options_read.interface_count, 3);
    assert_int_equal(options_read.interfaces[2].port, 0);
    assert_int_equal(options_read.interfaces[2].vlan, 7);
    assert_string_equal(spill_ip_prefix_write(&options_read.interfaces[1].addresses.list[1], text),
                        "2001:db8:2::1/64");
    assert_int_equal(options_read.routes[0].via.count, 3);
    assert_int_equal(options_read.routes[0].via.list[0].index, 1);
    assert_int_equal(options_read.routes[0].via.list[0].weight, 3);
    assert_int_equal(options_read.routes[0].via.list[1].gateway.family, AF_INET6);
    assert_int_equal(options_read.routes[0].via.list[1].index, 1);
    assert_int_equal(options_read.routes[0].via.list[2].gateway.family, 0);
    assert_int_equal(options_read.routes[0].via.list[2].index, 2);
    assert_int_equal(options_read.routes[1].action, SPILL_ROUTE_PROHIBIT);
    assert_int_equal(options_read.neighbors[0].index, 2);
    assert_int_equal(options_read.router.rpf, SPILL_RPF_STRICT);
    assert_true(options_read.pipeline.host_rules);
    assert_int_equal(options_read.router.routes4, 1 << 20);
    assert_true(spill_options_route(&options_read));
}

static void test_bad(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"mtu = 1500\naddress = 10.0.0.1\n", ":10: key 'address', value '10.0.0.1': given already"},
        {"[port x]\ndevice = net_null2\nrouted = maybe\n", ":11: key 'routed', value 'maybe': "},
        {"[port x]\ndevice = net_null2\nrouted = yes\naddress = 10.0.0.1/33\n",
         "expected at most 16 addresses with the lengths"},
        {"[port x]\ndevice = net_null2\nrouted = yes\naddress = 127.0.0.1/8\n",
         "address 127.0.0.1/8: expected that of a host"},
        {"[port x]\ndevice = net_null2\naddress = 10.9.0.1/24\n",
         "[port x] has addresses: expected routed = yes"},
        {"[port x]\nparent = lan\nrouted = yes\n", "[port x] has a parent: expected its vlan, too"},
        {"[port x]\nparent = lan\nvlan = 5\n", "[port x] is a sub-port: expected routed = yes"},
        {"[port x]\nparent = dmz\nvlan = 5\nrouted = yes\n", "there is no port 'dmz'"},
        {"[port x]\ndevice = net_null2\nparent = lan\nvlan = 5\nrouted = yes\n",
         "[port x] has a parent: expected no device"},
        {"[port x]\ndevice = net_null2\nvlan = 5\nrouted = yes\n",
         "[port x] has a vlan: expected its parent, too"},
        {"[port x]\nparent = lan\nvlan = 5\nrouted = yes\n[port y]\nparent = lan\nvlan = "
         "5\nrouted = yes\n",
         "VLAN 5 of its port is that of [port x] already"},
        {"[port x]\ndevice = net_null2\n",
         "port 'x' is in no wire: expected --wire x:..., or routed"},
        {"[port lan.]\n", "section [port lan.] is unknown"},
        {"[wire a]\nports = lan, wan\n", "port 'lan' is routed: expected it in no wire"},
        {"[route 10.0.0.1/8]\nvia = 10.2.0.9\n",
         ":9: section [route 10.0.0.1/8]: expected a prefix with no bit set beyond its length"},
        {"[route 10.0.0.0]\nvia = 10.2.0.9\n", "section [route 10.0.0.0]: expected a prefix"},
        {"[route ::/0]\naction = prohibit\n[route 1::/16]\naction = prohibit\n[route 0::0/0]\n"
         "action = blackhole\n",
         ":13: section [route 0::0/0] stands in line 9 already"},
        {"[neighbor 2001:db8:2:0::9]\nport = wan\nmac = 02:00:00:00:00:01\n"
         "[neighbor 2001:db8:2::9]\nport = wan\nmac = 02:00:00:00:00:02\n",
         ":12: section [neighbor 2001:db8:2::9] stands in line 9 already"},
        {"[route 192.0.2.0/24]\nvia = 10.2.0.1\n",
         "10.2.0.1 is the router's own address, or a network's: expected that of a neighbor"},
        {"[route 192.0.2.0/24]\nvia = 10.1.0.255\n", "10.1.0.255 is the router's own"},
        {"[neighbor 10.1.0.1]\nport = lan\nmac = 02:00:00:00:00:01\n",
         ":10: key 'port', value 'lan': 10.1.0.1 is the router's own address"},
        {"[port x]\ndevice = net_null2\nrouted = yes\naddress = 10.9.0.0/24\n",
         "address 10.9.0.0/24: expected that of a host"},
        {"[port x]\ndevice = net_null2\nrouted = yes\naddress = 10.9.0.255/24\n",
         "address 10.9.0.255/24: expected that of a host"},
        {"[port lan.7]\nparent = lan\nvlan = 7\nrouted = yes\nmtu = 1400\n",
         "there is no port 'lan.7': expected --port lan.7=...; a sub-port has its parent's"},
        {"[route 0.0.0.0/0]\nvia = 10.3.0.9\n",
         "no port has an address in the network of 10.3.0.9"},
        {"[route 0.0.0.0/0]\nvia = 10.2.0.9 port dmz\n", "port 'dmz' is not there, or not routed"},
        {"[route 0.0.0.0/0]\nvia = 10.2.0.9 weight 0\n", "expected at most 16 next hops"},
        {"[route 0.0.0.0/0]\nvia = 10.2.0.9,\n", "expected at most 16 next hops"},
        {"[route ::/0]\nvia = 10.2.0.9\n", "an IPv6 route: expected IPv6 next hops"},
        {"[route 0.0.0.0/0]\naction = drop\n", "expected blackhole, unreachable or prohibit"},
        {"[route 0.0.0.0/0]\naction = prohibit\nvia = 10.2.0.9\n", "expected via or action, one"},
        {"[route 0.0.0.0/0]\nmetric = 1\n", "key 'metric' is unknown in [route 0.0.0.0/0]"},
        {"[neighbor x]\n", "section [neighbor x]: expected an address"},
        {"[neighbor 10.1.0.9]\nport = lan\n", "section [neighbor 10.1.0.9] has no key 'mac'"},
        {"[neighbor 10.1.0.9]\nport = lan\nmac = 01:00:00:00:00:01\n", "expected the MAC address"},
        {"[neighbor 10.1.0.9]\nport = dmz\nmac = 02:00:00:00:00:01\n", "port 'dmz' is not there"},
        {"[router]\nrpf = yes\n", "expected off, loose or strict"},
        {"[router]\nhost-rules = some\n", "expected yes or no"},
        {"[router]\nroutes = 1\n", "expected"},
        {"[ike]\nxfrm =\n", "expected"},
        {"[ike]\nport = dmz\n",
         ":10: key 'port', value 'dmz': expected the names of ports that are there"},
        {"[ike]\nxfrm = /0123456789012345678901234567890123456789012345678901234567890123456789012"
         "34567890123456789012345678901234567\n",
         "expected a path of at most 107 bytes, with its folder"},
        {"[port x]\ndevice = net_null2\nrouted = yes\naddress = 10.9.0.1/24, 10.1.0.1/16\n",
         ":12: key 'address', value '10.9.0.1/24, 10.1.0.1/16': address 10.1.0.1 is that of [port "
         "lan] already: expected one of its own"},
        {"[port x]\ndevice = net_null2\nrouted = yes\naddress = 2001:db8:2::1/64\n",
         "address 2001:db8:2::1 is that of [port wan] already"},
        {"[port x]\ndevice = net_null2\nrouted = yes\naddress = 10.9.0.1/24, 10.9.0.1/25\n",
         "address 10.9.0.1 stands there twice: expected it once"},
        {"[port lan.7]\nparent = lan\nvlan = 7\nrouted = yes\naddress = 10.1.0.1/24\n",
         "address 10.1.0.1 is that of [port lan] already"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        options_assert_error(parse_with(cases[i].text), cases[i].expected);
    options_write("[port lan]\ndevice = net_null0\nrouted = yes\ntwin = all\n");
    options_assert_error(options_parse_file(),
                         ":4: key 'twin', value 'all': twin all: expected a name that the kernel "
                         "has no other use for");
}

/* Two twins can't have one name: the kernel would refuse the second. */
static void test_twins(void **state)
{
    (void)state;
    options_write("[port lan]\ndevice = net_null0\nrouted = yes\ntwin = one\n"
                  "[port wan]\ndevice = net_null1\nrouted = yes\ntwin = one\n");
    options_assert_error(options_parse_file(),
                         ":8: key 'twin', value 'one': twin one is that of [port lan] already");
}

static void gather(void *context, const char *warning)
{
    strcat(strcat((char *)context, warning), ";");
}

static void assert_overlaps(const char *more, const char *expected)
{
    char told[2048] = "";

    options_assert_good(parse_with(more));
    spill_options_tell_overlaps(&options_read, gather, told);
    if (strstr(told, expected) == NULL || (expected[0] == '\0' && told[0] != '\0'))
        fail_msg("'%s' is told, expected '%s'", told, expected);
}

/* Networks may overlap, as in the kernel; it is told. Links without a network, and link-local
 * addresses, are apart whatever they are. */
static void test_overlaps(void **state)
{
    (void)state;
    assert_overlaps("", "");
    assert_overlaps("[port x]\ndevice = net_null2\nrouted = yes\naddress = 10.1.0.9/24\n",
                    ":12: key 'address', value '10.1.0.9/24': network 10.1.0.0/24 overlaps "
                    "10.1.0.0/24 of [port lan]: who is in both is reached by one of the two");
    assert_overlaps("[port x]\ndevice = net_null2\nrouted = yes\naddress = 10.0.0.1/8\n",
                    "network 10.0.0.0/8 overlaps 10.2.0.0/24 of [port wan]");
    assert_overlaps("[port x]\ndevice = net_null2\nrouted = yes\naddress = 2001:db8:2:0:7::1/80\n",
                    "network 2001:db8:2:0:7::/80 overlaps 2001:db8:2::/64 of [port wan]");
    assert_overlaps("[port x]\ndevice = net_null2\nrouted = yes\naddress = 10.1.0.1/32, "
                    "10.9.0.1/24, 10.9.0.2/24, fe80::1/64\n[port y]\nparent = x\nvlan = 7\n"
                    "routed = yes\naddress = fe80::1/64, 10.1.0.1/32\n",
                    "");
}

static void join(const struct spill_difference *difference, void *context)
{
    static const char *const changes[] = {
        [SPILL_CHANGED] = "", [SPILL_NEW] = "+", [SPILL_GONE] = "-"};

    strcat(strcat(strcat((char *)context, changes[difference->change]), difference->what), ";");
}

static void assert_differences(const struct spill_options *before,
                               const struct spill_options *after, enum spill_option_when when,
                               const char *expected)
{
    char told[512] = "";

    spill_options_compare(before, after, when, join, told);
    assert_string_equal(told, expected);
}

#define TWINS "[port lan]\ndevice = net_null0\nrouted = yes\ntwin = t0\naddress = 10.1.0.1/24\n"
#define MORE                                                                                       \
    "[port dmz]\ndevice = net_null2\nrouted = yes\ntwin = t2\n"                                    \
    "[port lan.7]\nparent = lan\nvlan = 7\nrouted = yes\ntwin = t7\n"                              \
    "[neighbor 10.7.0.9]\nport = lan.7\nmac = 02:00:00:00:00:01\n"
#define ROUTE "[route 10.9.0.0/16]\nvia = 10.1.0.9\n"

/* Beside others with twins, what is routed comes and leaves with a reload. */
static void test_compared(void **state)
{
    static struct spill_options first;

    (void)state;
    options_write("%s", MORE TWINS ROUTE);
    options_assert_good(options_parse_file());
    first = options_read;
    options_read = (struct spill_options){0};
    options_write("%s", TWINS ROUTE);
    options_assert_good(options_parse_file());
    assert_differences(&options_read, &first, SPILL_OPTION_AT_START, "");
    assert_differences(&options_read, &first, SPILL_OPTION_AT_RELOAD,
                       "+port dmz;+routed port dmz;+routed port lan.7;+neighbor 10.7.0.9;");
    assert_differences(&first, &options_read, SPILL_OPTION_AT_RELOAD,
                       "-port dmz;-routed port dmz;-routed port lan.7;-neighbor 10.7.0.9;");
    options_write("%s", TWINS "[route 10.9.0.0/16]\nvia = port lan\n");
    options_assert_good(options_parse_file());
    assert_differences(&first, &options_read, SPILL_OPTION_AT_START, "");
    assert_differences(&options_read, &first, SPILL_OPTION_AT_RELOAD,
                       "+port dmz;+routed port dmz;+routed port lan.7;via of route 10.9.0.0/16;"
                       "+neighbor 10.7.0.9;");
    /* Without twins it is the next start's. */
    options_assert_good(parse_with(""));
    assert_differences(&first, &options_read, SPILL_OPTION_AT_START,
                       "-port dmz;+port wan;twin of port lan;-routed port dmz;-routed port lan.7;"
                       "+routed port wan;");
    spill_options_free(&first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),     cmocka_unit_test(test_bad),
        cmocka_unit_test(test_twins),    cmocka_unit_test(test_overlaps),
        cmocka_unit_test(test_compared),
    };

    return cmocka_run_group_tests(tests, options_setup, options_teardown);
}
