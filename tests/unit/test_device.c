/* SPDX-License-Identifier: BSD-3-Clause */
/* Devices: strings, and what follows from them before any is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_ethdev.h>

#include "port/port.h"

static struct spill_error error;

static struct spill_device parse(const char *text)
{
    struct spill_device device;

    if (spill_device_parse(text, &device, &error) != 0)
        fail_msg("%s", error.text);
    return device;
}

static void assert_refused(const char *text, const char *because)
{
    struct spill_device device;

    memset(&error, 0, sizeof(error));
    assert_int_equal(spill_device_parse(text, &device, &error), -1);
    assert_non_null(strstr(error.text, because));
}

static void pci_addresses_get_their_domain(void **state)
{
    struct spill_device device = parse("41:00.1");

    (void)state;
    assert_string_equal(device.name, "0000:41:00.1");
    assert_true(device.pci);
    assert_int_equal(device.rx_queues_max, 0);
    assert_int_equal(device.spread, SPILL_DEVICE_SPREAD_ASK);
    device = parse("0001:41:00.0,class=rxq,num=3");
    assert_string_equal(device.name, "0001:41:00.0");
    assert_string_equal(device.arguments, "class=rxq,num=3");
}

static void drivers_are_known_by_name(void **state)
{
    struct spill_device device = parse("net_af_packet0,iface=lo");

    (void)state;
    assert_string_equal(device.name, "net_af_packet0");
    assert_string_equal(device.driver, "net_af_packet");
    assert_string_equal(device.arguments, "iface=lo");
    assert_true(device.known);
    assert_false(device.pci);
    assert_string_equal(parse("eth_null12").driver, "net_null");
    assert_string_equal(parse("virtio_user3,path=/x").driver, "net_virtio_user");
    assert_true(parse("virtio_user3,path=/x").single_file_segments);
    assert_false(parse("net_bonding0,mode=1").known);
    assert_int_equal(parse("net_bonding0,mode=1").rx_queues_max, 0);
}

static void queues_follow_from_arguments(void **state)
{
    static const struct {
        const char *text;
        unsigned rx, tx;
    } cases[] = {
        {"net_af_packet0,iface=a", 1, 1},
        {"net_af_packet0,iface=a,qpairs=4", 4, 4},
        {"net_af_xdp0,iface=a,queue_count=2", 2, 2},
        {"net_virtio_user0,path=/a,queues=8", 8, 8},
        {"net_vhost0,iface=/a,queues=3", 3, 3},
        {"net_vhost0,iface=/a", 1, 1},
        {"net_memif0,role=client", 1, 1},
        {"net_tap0", 1, 1},
        {"net_ring0", 16, 16},
        {"net_pcap0,rx_pcap=a,rx_pcap=b,tx_pcap=c", 2, 1},
        {"net_pcap0,tx_pcap=c", 1, 1},
        {"net_pcap0,rx_iface=a", 1, 1},
        {"net_pcap0,iface=a", 1, 1},
    };

    (void)state;
    for (unsigned i = 0; i < RTE_DIM(cases); i++) {
        assert_int_equal(parse(cases[i].text).rx_queues_max, cases[i].rx);
        assert_int_equal(parse(cases[i].text).tx_queues_max, cases[i].tx);
    }
    assert_true(parse("net_null0").rx_queues_max >= 256);
    assert_true(parse("net_pcap0,rx_pcap=a").finite_source);
    assert_false(parse("net_pcap0,rx_pcap=a,infinite_rx=1").finite_source);
    assert_true(parse("net_pcap0,tx_pcap=a").finite_source); /* nothing ever comes */
    assert_true(parse("net_pcap0,tx_pcap=a").silent);
    assert_true(parse("net_null0,no-rx=1").silent);
    assert_false(parse("net_null0").silent);
    assert_false(parse("net_pcap0,rx_pcap=a,tx_pcap=b").silent);
    assert_true(parse("net_pcap0,rx_pcap=a,tx_pcap=b").captured);
    assert_false(parse("net_pcap0,rx_pcap=a,rx_iface=eth0").captured);
    assert_false(parse("net_pcap0,tx_pcap=a").captured);
}

/* What a driver has room to send, and where an MTU and its tags mean something. */
static void what_can_be_sent_follows_from_the_driver(void **state)
{
    static const struct {
        const char *text;
        bool kernel_tag, no_link;
    } cases[] = {
        {"net_af_packet0,iface=a", true, false},
        {"net_af_xdp0,iface=a", true, false},
        {"net_pcap0,iface=a", true, false},
        {"net_pcap0,rx_pcap=a,tx_iface=a", true, false},
        {"net_pcap0,rx_iface=a,tx_pcap=a", false, true},
        {"net_pcap0,tx_pcap=a", false, true},
        {"net_ring0", false, true},
        {"net_null0", false, true},
        {"net_tap0", false, false},
        {"net_memif0", false, false},
        {"net_vhost0,iface=/a", false, false},
        {"net_virtio_user0,path=/a", false, false},
        {"41:00.0", false, false},
    };
    struct spill_device device = parse("net_af_packet0,iface=none-such");

    (void)state;
    for (unsigned i = 0; i < RTE_DIM(cases); i++) {
        assert_int_equal(parse(cases[i].text).kernel_tag, cases[i].kernel_tag);
        assert_int_equal(parse(cases[i].text).no_link, cases[i].no_link);
    }
    assert_int_equal(spill_device_complete(&device, 0, 0, 1500, &error), 0);
    assert_int_equal(device.tx_frame, 2048 - 32);
    device = parse("net_af_packet0,iface=none-such");
    assert_int_equal(spill_device_complete(&device, 0, 0, 9000, &error), 0);
    assert_in_range(device.tx_frame, 9000 + 22, 9000 + 1024 + 22);
}

static void bad_strings_say_what_is_wrong(void **state)
{
    char long_name[300];

    (void)state;
    assert_refused("", "is no device");
    assert_refused("eth0", "is no device");
    assert_refused("veth0,iface=x", "is no device");
    assert_refused("41:00", "is no device");
    assert_refused("net_af_packet0", "needs the argument iface");
    assert_refused("net_virtio_user0,queues=1", "needs the argument path");
    assert_refused("net_af_packet0,iface=a,qpairs=many", "qpairs=many");
    assert_refused("net_af_packet0,iface=a,qpairs=0", "from 1 to");
    assert_refused("net_af_packet0,iface=a,qpairs=-1", "qpairs=-1");
    assert_refused("net_af_packet0,iface", "expected key=value");
    assert_refused("net_pcap0", "neither source nor destination");
    assert_refused("net_null0,size=100000", "size=100000");
    assert_refused("net_vhost0,iface=/a,tso=1", "unfinished checksums");
    memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    assert_refused(long_name, "at most");
}

/* DPDK's parsers would read or write where they must not. */
static void text_that_dpdk_can_not_take_is_refused(void **state)
{
    char many[512] = "net_null0";

    (void)state;
    assert_refused("net_null0,size=[64",
                   "net_null0: argument 'size=[64': its bracket is not closed");
    assert_refused("net_null0,size=[64,copy=1", "its bracket is not closed");
    assert_refused("net_null0,size=64]", "brackets don't match");
    assert_refused("net_null0,size=[[64]]", "brackets don't match");
    assert_refused("net_null0,size=[64]x", "nothing behind the list");
    assert_refused("net_null0,", "expected key=value");
    assert_refused("net_null0,,size=64", "expected key=value");
    assert_refused("net_null0,=64", "expected key=value");
    assert_refused("net_null0,si ze=64", "the key of letters");
    assert_refused("net_null0,size=", "expected a value behind '='");
    assert_refused("net_null0,size=6\n4", "control byte, 0x0a");
    assert_refused("net_null0\x1b[1m", "'net_null0\\x1b[1m': is no device");
    assert_refused("net_null/0", "is no device");
    assert_refused("net_pcap0,rx_pcap=a/bus=/bus=/bus=/bus=", "expected one '='");
    for (unsigned i = 0; i < 33; i++)
        strcat(many, ",a=b");
    assert_refused(many, "at most 32");
    many[strlen(many) - 4] = '\0';
    parse(many);
    parse("net_null0,a=[1,2],b=pf[0-1]vf[2],c=[]");
    assert_refused("net_pcap0,rx_pcap=/srv/a=b.pcap", "expected one '='");
    parse("net_pcap0,rx_pcap=/srv/gr\xc3\xbcn/a.pcap");
}

static void a_pci_device_has_one_name(void **state)
{
    static const char *const spellings[] = {"0000:ab:00.1", "ab:00.1", "AB:00.1", "0000:AB:00.1"};

    (void)state;
    for (unsigned i = 0; i < RTE_DIM(spellings); i++)
        assert_string_equal(parse(spellings[i]).name, "0000:ab:00.1");
}

/* A capture's header: its magic number as this machine writes it, and the link type. */
static void write_header(const char *path, uint32_t link_type)
{
    const uint32_t header[] = {0xa1b2c3d4, 4u << 16 | 2, 0, 0, 65535, link_type};
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(header, sizeof(header), 1, file), 1);
    fclose(file);
}

static void captures_of_other_links_and_pipes_are_refused(void **state)
{
    /* raw IP (two numbers), Linux cooked, cooked v2, radiotap, null, PPP, 802.15.4 */
    static const uint32_t others[] = {101, 12, 113, 276, 127, 0, 9, 195};
    char path[] = "/tmp/spillway-test-XXXXXX", text[64];
    struct spill_device device;
    int descriptor = mkstemp(path);

    (void)state;
    assert_true(descriptor >= 0);
    close(descriptor);
    snprintf(text, sizeof(text), "net_pcap0,rx_pcap=%s", path);
    device = parse(text);
    assert_int_equal(spill_device_check_capture(&device, &error), -1);
    assert_non_null(strstr(error.text, "is no capture"));
    write_header(path, 1);
    assert_int_equal(spill_device_check_capture(&device, &error), 0);
    for (unsigned i = 0; i < RTE_DIM(others); i++) {
        write_header(path, others[i]);
        assert_int_equal(spill_device_check_capture(&device, &error), -1);
        assert_non_null(strstr(error.text, "its link type is"));
        assert_non_null(strstr(error.text, path));
    }
    unlink(path);
    assert_int_equal(spill_device_check_capture(&device, &error), 0); /* the driver will say so */
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(spill_device_check_capture(&device, &error), -1);
    assert_non_null(strstr(error.text, "expected a regular file"));
    snprintf(text, sizeof(text), "net_pcap0,tx_pcap=%s", path);
    device = parse(text);
    assert_int_equal(spill_device_check_capture(&device, &error), -1);
    assert_non_null(strstr(error.text, "is a pipe"));
    unlink(path);
}

static void af_packet_frames_hold_the_mtu(void **state)
{
    struct spill_device device = parse("net_af_packet0,iface=none-such");

    (void)state;
    assert_int_equal(spill_device_complete(&device, 0, 0, 0, &error), 0);
    assert_string_equal(device.arguments,
                        "iface=none-such,blocksz=65536,framesz=2048,framecnt=2048");
    assert_int_equal(device.mtu, 1500);
    assert_int_equal(spill_device_data_room(&device, 0, true), 2176);

    device = parse("net_af_packet0,iface=none-such");
    assert_int_equal(spill_device_complete(&device, 2, 1, 9000, &error), 0);
    assert_string_equal(device.arguments,
                        "iface=none-such,qpairs=2,blocksz=36864,framesz=9216,framecnt=2048");
    assert_int_equal(device.rx_queues_max, 2);
    /* the driver copies a whole frame into one mbuf, or refuses */
    assert_true(spill_device_data_room(&device, 0, true) >= 9216 - 32 + RTE_PKTMBUF_HEADROOM);

    device = parse("net_af_packet0,iface=none-such,framesz=2048,blocksz=4096");
    assert_int_equal(spill_device_complete(&device, 0, 0, 1500, &error), 0);
    assert_string_equal(device.arguments, "iface=none-such,framesz=2048,blocksz=4096");
    assert_int_equal(spill_device_complete(&device, 0, 0, 9000, &error), -1);
    assert_non_null(strstr(error.text, "framesz=9216"));

    device = parse("net_af_packet0,iface=lo"); /* lo has 65536, far more than Ethernet frames */
    assert_int_equal(spill_device_complete(&device, 0, 0, 0, &error), 0);
    assert_true(device.mtu > 1500);
}

static void queues_asked_for_are_asked_of_the_driver(void **state)
{
    struct spill_device device = parse("net_vhost0,iface=/a");

    (void)state;
    assert_int_equal(spill_device_complete(&device, 4, 2, 0, &error), 0);
    assert_string_equal(device.arguments, "iface=/a,queues=4");
    device = parse("net_tap0");
    assert_int_equal(spill_device_complete(&device, 4, 4, 0, &error), 0);
    assert_string_equal(device.arguments, "");
    assert_int_equal(device.rx_queues_max, 4);
    assert_int_equal(spill_device_complete(&device, 17, 17, 0, &error), -1);
    assert_non_null(strstr(error.text, "at most 16"));
    device = parse("net_pcap0,rx_pcap=a");
    assert_int_equal(spill_device_complete(&device, 2, 1, 0, &error), -1);
    device = parse("net_af_packet0,iface=a,qpairs=4");
    assert_int_equal(spill_device_complete(&device, 2, 4, 0, &error), -1);
    assert_non_null(strstr(error.text, "would not be read"));
    assert_int_equal(spill_device_complete(&device, 5, 4, 0, &error), -1);
    device = parse("0000:41:00.0");
    assert_int_equal(spill_device_complete(&device, 64, 64, 9000, &error), 0);
}

static void eal_arguments_follow_from_devices(void **state)
{
    struct spill_device devices[2] = {parse("net_null0,copy=1"), parse("virtio_user1,path=/a")};
    char **arguments;

    (void)state;
    assert_int_equal(spill_device_eal_arguments(devices, 2, &arguments), 4);
    assert_string_equal(arguments[0], "--vdev=net_null0,copy=1");
    assert_string_equal(arguments[1], "--vdev=virtio_user1,path=/a");
    assert_string_equal(arguments[2], "--no-pci");
    assert_string_equal(arguments[3], "--single-file-segments");
    assert_null(arguments[4]);
    spill_device_eal_arguments_free(arguments);
    devices[1] = parse("41:00.0");
    assert_int_equal(spill_device_eal_arguments(devices, 2, &arguments), 2);
    assert_string_equal(arguments[1], "--allow=0000:41:00.0");
    assert_null(arguments[2]);
    spill_device_eal_arguments_free(arguments);
}

static void absent_devices_are_seen_from_outside(void **state)
{
    struct spill_device device = parse("net_af_packet0,iface=none-such");

    (void)state;
    assert_int_equal(spill_device_check(&device, &error), -1);
    assert_non_null(strstr(error.text, "none-such"));
    device = parse("net_af_packet0,iface=lo");
    assert_int_equal(spill_device_check(&device, &error), 0);
    device = parse("net_pcap0,rx_pcap=/nonexistent/a.pcap");
    assert_int_equal(spill_device_check(&device, &error), -1);
    assert_non_null(strstr(error.text, "/nonexistent/a.pcap: can't be read: No such file"));
    device = parse("net_pcap0,tx_pcap=/nonexistent/a.pcap");
    assert_int_equal(spill_device_check(&device, &error), -1);
    device = parse("net_virtio_user0,path=/nonexistent");
    assert_int_equal(spill_device_check(&device, &error), -1);
    assert_non_null(strstr(error.text, "server=1"));
    device = parse("ff1f:41:00.0");
    assert_int_equal(spill_device_check(&device, &error), -1);
    assert_non_null(strstr(error.text, "no such PCI device"));
    device = parse("net_null0");
    assert_int_equal(spill_device_check(&device, &error), 0);
    device = parse("eth_null0");
    assert_int_equal(spill_device_check(&device, &error), 0);
    device = parse("virtio_user0,path=/dev/null");
    assert_int_equal(spill_device_check(&device, &error), 0);
    device = parse("net_nul1");
    assert_int_equal(spill_device_check(&device, &error), -1);
    assert_non_null(strstr(error.text, "net_nul1: DPDK has no driver net_nul"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pci_addresses_get_their_domain),
        cmocka_unit_test(drivers_are_known_by_name),
        cmocka_unit_test(queues_follow_from_arguments),
        cmocka_unit_test(what_can_be_sent_follows_from_the_driver),
        cmocka_unit_test(bad_strings_say_what_is_wrong),
        cmocka_unit_test(text_that_dpdk_can_not_take_is_refused),
        cmocka_unit_test(a_pci_device_has_one_name),
        cmocka_unit_test(captures_of_other_links_and_pipes_are_refused),
        cmocka_unit_test(af_packet_frames_hold_the_mtu),
        cmocka_unit_test(queues_asked_for_are_asked_of_the_driver),
        cmocka_unit_test(eal_arguments_follow_from_devices),
        cmocka_unit_test(absent_devices_are_seen_from_outside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
