/* SPDX-License-Identifier: BSD-3-Clause */
/* Devices and ports: strings, what is planned from them, and real drivers (null, ring, pcap). */
#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_thash.h>

#include "port/port.h"

#define POOL_MBUFS 1023
#define FRAMES     70
#define LONG_FRAME 9014

static char folder[] = "/tmp/spillway-test-port-XXXXXX";
static char capture_in[64], capture_out[64];
static struct spill_error error;
static char **eal_arguments;

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

/* ---- device strings ---- */

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

/* ---- ports ---- */

static struct rte_mempool *pool_new(uint16_t data_room)
{
    struct rte_mempool *pool =
        spill_port_pool_create("test", POOL_MBUFS, 16, data_room, false, SOCKET_ID_ANY, &error);

    if (pool == NULL)
        fail_msg("%s", error.text);
    return pool;
}

static void pool_end(struct rte_mempool *pool)
{
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
    rte_mempool_free(pool);
}

/* A port is found once and stays: closing it would take the device away from the next test. */
static void find(struct spill_port *port, const char *device)
{
    struct spill_device parsed = parse(device);

    if (spill_port_find("lan", &parsed, port, &error) != 0)
        fail_msg("%s", error.text);
}

static void configure(struct spill_port *port, const struct spill_port_config *config)
{
    if (spill_port_configure(port, config, &error) != 0)
        fail_msg("%s", error.text);
}

static void assert_not_configured(struct spill_port *port, const struct spill_port_config *config,
                                  const char *because)
{
    memset(&error, 0, sizeof(error));
    assert_int_equal(spill_port_configure(port, config, &error), -1);
    assert_non_null(strstr(error.text, "port lan: "));
    assert_non_null(strstr(error.text, because));
    assert_false(port->configured);
}

static void absent_ports_say_why(void **state)
{
    struct spill_device device = parse("net_pcap9,rx_pcap=/nonexistent/a.pcap");
    struct spill_port port;

    (void)state;
    assert_int_equal(spill_port_find("wan", &device, &port, &error), -1);
    assert_non_null(strstr(error.text, "port wan: net_pcap9: rx_pcap=/nonexistent/a.pcap"));
    device = parse("net_null99");
    assert_int_equal(spill_port_find("wan", &device, &port, &error), -1);
    assert_non_null(strstr(error.text, "port wan: net_null99: DPDK found no such device"));
}

static void capabilities_are_asked_for(void **state)
{
    struct spill_port port;

    (void)state;
    find(&port, "net_null0");
    assert_string_equal(port.driver, "net_null");
    assert_true(port.capabilities.rx_queues_max >= 256);
    /* it names RSS fields but never spreads */
    assert_false(port.capabilities.rss_symmetric);
    assert_int_equal(port.capabilities.tx_segments, UINT16_MAX);
    assert_int_equal(spill_port_data_room(&port, 9000), RTE_PKTMBUF_HEADROOM + 9024);
    find(&port, "net_ring0");
    assert_true(port.capabilities.rx_scatter);
    assert_int_equal(spill_port_data_room(&port, 9000), RTE_MBUF_DEFAULT_BUF_SIZE);
    find(&port, "net_null1,size=4000");
    assert_true(spill_port_data_room(&port, 1500) >= 4000 + RTE_PKTMBUF_HEADROOM);
}

/* A file has no MTU but one that is given, and is written as far as its driver can. */
static void limits_follow_from_mtu_and_driver(void **state)
{
    struct spill_port_config config = {.rx_queues = 1, .tx_queues = 1};
    struct spill_port port;

    (void)state;
    config.pool = pool_new(RTE_MBUF_DEFAULT_BUF_SIZE);
    find(&port, "net_pcap0,rx_pcap=x,tx_pcap=y");
    configure(&port, &config);
    assert_int_equal(port.mtu, 1500);
    assert_int_equal(port.limits.packet, UINT16_MAX);
    assert_in_range(port.limits.frame, 16128, 65535);
    assert_int_equal(port.limits.least, 0);
    config.mtu = 1400;
    configure(&port, &config);
    assert_int_equal(port.limits.packet, 1400);
    find(&port, "net_null0");
    config.mtu = 0;
    configure(&port, &config);
    assert_int_equal(port.limits.packet, UINT16_MAX);
    assert_int_equal(port.limits.frame, UINT16_MAX);
    assert_int_equal(port.limits.segments, UINT16_MAX);
    port.device.no_link = false;
    configure(&port, &config);
    assert_int_equal(port.limits.packet, 1500);
    rte_mempool_free(config.pool);
}

static void more_than_the_device_has_is_refused(void **state)
{
    struct spill_port_config config = {.rx_queues = 1, .tx_queues = 2};
    struct spill_port port;

    (void)state;
    config.pool = pool_new(RTE_MBUF_DEFAULT_BUF_SIZE);
    find(&port, "net_pcap0,rx_pcap=x,tx_pcap=y");
    assert_not_configured(&port, &config, "can't have 2 tx queues: at most 1");
    config.rx_queues = 2, config.tx_queues = 1;
    assert_not_configured(&port, &config, "can't have 2 rx queues: at most 1");
    config.rx_queues = config.tx_queues = 0;
    assert_not_configured(&port, &config, "neither rx nor tx");
    config.rx_queues = config.tx_queues = 1, config.mtu = 20;
    assert_not_configured(&port, &config, "mtu 20");
    pool_end(config.pool);
    config.mtu = 0, config.pool = NULL;
    assert_not_configured(&port, &config, "no pool");
}

static void mtu_is_told_or_noted_or_refused(void **state)
{
    struct spill_port_config config = {.rx_queues = 1, .tx_queues = 1, .mtu = 9000};
    struct spill_port port;

    (void)state;
    config.pool = pool_new(RTE_MBUF_DEFAULT_BUF_SIZE);
    find(&port, "net_pcap0,rx_pcap=x,tx_pcap=y"); /* makes chains, can't be told */
    configure(&port, &config);
    assert_int_equal(port.mtu, 9000);
    assert_int_equal(port.note_count, 1);
    assert_non_null(strstr(port.notes[0], "port lan: net_pcap0 can't be told its mtu"));
    find(&port, "net_ring0"); /* scatters by an offload */
    configure(&port, &config);
    assert_true(port.rx_scatter);
    find(&port, "net_null0"); /* does neither */
    assert_not_configured(&port, &config, "needs a data room of 9152");
    pool_end(config.pool);
    config.pool = pool_new(spill_port_data_room(&port, 9000));
    configure(&port, &config);
    assert_int_equal(port.note_count, 0);
    assert_int_equal(port.mtu, 9000);
    config.mtu = 0;
    configure(&port, &config);
    assert_int_equal(port.mtu, 9000); /* as it is */
    config.mtu = 1500;
    configure(&port, &config);
    assert_int_equal(port.mtu, 1500);
    pool_end(config.pool);
}

static void several_queues_of_a_device_without_rss(void **state)
{
    struct spill_port_config config = {.rx_queues = 4, .tx_queues = 2, .rss = true};
    struct spill_port port;

    (void)state;
    config.pool = pool_new(RTE_MBUF_DEFAULT_BUF_SIZE);
    find(&port, "net_null0");
    configure(&port, &config);
    assert_false(port.rss);
    assert_non_null(strstr(port.notes[0], "doesn't spread"));
    port.device.spread = SPILL_DEVICE_SPREAD_ASK;
    assert_not_configured(&port, &config, "no RSS");
    pool_end(config.pool);
}

/* Toeplitz hash of the key that the port was configured with, of a flow's one direction. */
static uint32_t hash_of(const struct rte_eth_conf *conf, uint32_t source, uint32_t destination,
                        uint32_t ports)
{
    uint32_t tuple[3] = {source, destination, ports};

    return rte_softrss(tuple, 3, conf->rx_adv_conf.rss_conf.rss_key);
}

/* The null driver keeps the key and the table that it is given. */
static void rss_is_symmetric_and_even(void **state)
{
    struct rte_eth_rss_reta_entry64 table[4] = {0};
    struct spill_port_config config = {.rx_queues = 3, .tx_queues = 1, .rss = true};
    struct rte_eth_dev_info info;
    struct rte_eth_conf conf;
    struct spill_port port;

    (void)state;
    config.pool = pool_new(RTE_MBUF_DEFAULT_BUF_SIZE);
    find(&port, "net_null0");
    assert_int_equal(rte_eth_dev_info_get(port.id, &info), 0);
    port.device.spread = SPILL_DEVICE_SPREAD_ASK;
    port.capabilities.rss_fields = RTE_ETH_RSS_IP & info.flow_type_rss_offloads;
    port.capabilities.rss_symmetric = true;
    configure(&port, &config);
    assert_true(port.rss);
    assert_int_equal(spill_port_start(&port, &error), 0);
    assert_int_equal(rte_eth_dev_conf_get(port.id, &conf), 0);
    assert_int_equal(conf.rxmode.mq_mode, RTE_ETH_MQ_RX_RSS);
    assert_int_equal(conf.rx_adv_conf.rss_conf.rss_key_len, 40);
    for (uint32_t i = 1; i < 1000; i++) {
        uint32_t one = i * 2654435761u, other = i * 40503u + 17, ports = i << 16 | 443;

        assert_int_equal(hash_of(&conf, one, other, ports),
                         hash_of(&conf, other, one, ports >> 16 | ports << 16));
    }
    assert_int_not_equal(hash_of(&conf, 1, 2, 3), hash_of(&conf, 1, 3, 3));
    table[0].mask = table[1].mask = UINT64_MAX;
    assert_int_equal(rte_eth_dev_rss_reta_query(port.id, table, info.reta_size), 0);
    for (unsigned i = 0; i < info.reta_size; i++)
        assert_int_equal(table[i / 64].reta[i % 64], i % 3);
    assert_int_equal(spill_port_stop(&port, &error), 0);
    pool_end(config.pool);
}

/* Stands before DPDK's, which is in a library: a device may keep a table of its own. */
static bool refuses;

int rte_eth_dev_rss_reta_update(uint16_t id, struct rte_eth_rss_reta_entry64 *table, uint16_t size)
{
    int (*update)(uint16_t, struct rte_eth_rss_reta_entry64 *, uint16_t) =
        (int (*)(uint16_t, struct rte_eth_rss_reta_entry64 *, uint16_t))dlsym(
            RTLD_NEXT, "rte_eth_dev_rss_reta_update");

    return refuses ? -ENOTSUP : update(id, table, size);
}

/* The port is stopped, and can be configured and started as one that does not spread. */
static void a_refused_table_is_no_spreading(void **state)
{
    struct spill_port_config config = {.rx_queues = 2, .tx_queues = 1, .rss = true};
    struct spill_port port;

    (void)state;
    config.pool = pool_new(RTE_MBUF_DEFAULT_BUF_SIZE);
    find(&port, "net_null0");
    port.device.spread = SPILL_DEVICE_SPREAD_ASK;
    port.capabilities.rss_fields = RTE_ETH_RSS_IP;
    port.capabilities.rss_symmetric = true;
    configure(&port, &config);
    refuses = true;
    assert_int_equal(spill_port_start(&port, &error), -1);
    refuses = false;
    assert_non_null(strstr(error.text, "keeps a table of rx queues of its own"));
    assert_true(port.rss_refused);
    assert_false(port.started);
    assert_false(port.capabilities.rss_symmetric);
    config.rx_queues = 1;
    configure(&port, &config);
    assert_int_equal(spill_port_start(&port, &error), 0);
    assert_int_equal(spill_port_stop(&port, &error), 0);
    pool_end(config.pool);
}

static void started_ports_are_promiscuous_and_refuse_configuration(void **state)
{
    struct spill_port_config config = {.rx_queues = 1, .tx_queues = 1, .promiscuous = true};
    struct spill_port port;

    (void)state;
    config.pool = pool_new(RTE_MBUF_DEFAULT_BUF_SIZE);
    find(&port, "net_ring0");
    configure(&port, &config);
    assert_false(port.promiscuous);
    assert_int_equal(spill_port_start(&port, &error), 0);
    assert_true(port.promiscuous);
    assert_int_equal(port.note_count, 0);
    assert_true(spill_port_link_up(&port));
    assert_int_equal(spill_port_configure(&port, &config, &error), -1);
    assert_non_null(strstr(error.text, "is started"));
    assert_int_equal(spill_port_stop(&port, &error), 0);
    assert_int_equal(spill_port_stop(&port, &error), 0);
    assert_false(spill_port_link_up(&port));
    pool_end(config.pool);
}

static void notes_are_bounded(void **state)
{
    struct spill_port port;

    (void)state;
    find(&port, "net_ring0");
    for (unsigned i = 0; i < SPILL_PORT_NOTES_MAX + 3; i++)
        spill_port_note(&port, "note %u %0300u", i, 0u);
    assert_int_equal(port.note_count, SPILL_PORT_NOTES_MAX);
    assert_int_equal(strlen(port.notes[SPILL_PORT_NOTES_MAX - 1]), SPILL_PORT_NOTE_MAX - 1);
}

static void ring_returns_what_was_sent_and_leaves_nothing(void **state)
{
    struct spill_port_config config = {.rx_queues = 1, .tx_queues = 1};
    struct rte_mbuf *mbufs[32], *got[32];
    struct spill_port_stats stats;
    struct spill_port port;

    (void)state;
    config.pool = pool_new(RTE_MBUF_DEFAULT_BUF_SIZE);
    find(&port, "net_ring0");
    configure(&port, &config);
    assert_int_equal(spill_port_start(&port, &error), 0);
    assert_int_equal(rte_pktmbuf_alloc_bulk(config.pool, mbufs, 32), 0);
    assert_int_equal(rte_eth_tx_burst(port.id, 0, mbufs, 32), 32);
    assert_int_equal(rte_eth_rx_burst(port.id, 0, got, 20), 20);
    assert_ptr_equal(got[19], mbufs[19]);
    rte_pktmbuf_free_bulk(got, 20);
    spill_port_stats(&port, &stats);
    assert_int_equal(stats.tx_packets, 32);
    assert_int_equal(stats.rx_packets, 20);
    /* 12 stay in the ring, where no flush reaches them */
    assert_int_equal(spill_port_flush_tx(&port, 1, rte_rdtsc() + rte_get_tsc_hz()), 12);
    assert_int_equal(spill_port_flush_tx(&port, 1, 0), 12);
    assert_int_equal(spill_port_leaked(&port, 1), 12);
    spill_port_close(&port);
    assert_int_equal(spill_port_leaked(&port, 1), 0);
    assert_non_null(strstr(port.notes[0], "12 packets in net_ring0"));
    spill_port_close(&port);
    spill_port_stats(&port, &stats);
    assert_int_equal(stats.tx_packets, 0);
    pool_end(config.pool);
}

static void counters_begin_at_the_start(void **state)
{
    struct spill_port_config config = {.rx_queues = 1, .tx_queues = 1};
    struct spill_port_stats stats;
    struct rte_mbuf *got[8];
    struct spill_port port;

    (void)state;
    config.pool = pool_new(RTE_MBUF_DEFAULT_BUF_SIZE);
    find(&port, "net_null0");
    configure(&port, &config);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(spill_port_start(&port, &error), 0);
        assert_int_equal(rte_eth_rx_burst(port.id, 0, got, 8), 8);
        rte_pktmbuf_free_bulk(got, 8);
        spill_port_stats(&port, &stats);
        assert_int_equal(stats.rx_packets, 8);
        assert_int_equal(spill_port_stop(&port, &error), 0);
    }
    pool_end(config.pool);
}

static unsigned frame_length(unsigned number)
{
    return number % 10 == 9 ? LONG_FRAME : 60 + number;
}

static void write_capture(const char *path)
{
    const uint32_t header[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1};
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(header, sizeof(header), 1, file), 1);
    for (unsigned i = 0; i < FRAMES; i++) {
        uint32_t record[4] = {i, 0, frame_length(i), frame_length(i)};

        assert_int_equal(fwrite(record, sizeof(record), 1, file), 1);
        for (unsigned j = 0; j < frame_length(i); j++)
            fputc((int)(i + j) & 0xff, file);
    }
    assert_int_equal(fclose(file), 0);
}

static void compare_captures(const char *before, const char *after)
{
    FILE *one = fopen(before, "rb"), *other = fopen(after, "rb");
    uint8_t left[LONG_FRAME], right[LONG_FRAME];

    assert_non_null(one);
    assert_non_null(other);
    fseek(one, 24, SEEK_SET);
    fseek(other, 24, SEEK_SET);
    for (unsigned i = 0; i < FRAMES; i++) {
        uint32_t record[4];

        assert_int_equal(fread(record, sizeof(record), 1, one), 1);
        assert_int_equal(fread(record, sizeof(record), 1, other), 1);
        assert_int_equal(record[2], frame_length(i));
        assert_int_equal(fread(left, record[2], 1, one), 1);
        assert_int_equal(fread(right, record[2], 1, other), 1);
        assert_memory_equal(left, right, record[2]);
    }
    assert_int_equal(fgetc(other), EOF);
    fclose(one);
    fclose(other);
}

static void capture_passes_byte_for_byte(void **state)
{
    struct spill_port_config config = {
        .rx_queues = 1, .tx_queues = 1, .mtu = 9000, .promiscuous = true};
    struct spill_port_stats stats;
    struct rte_mbuf *mbufs[32];
    unsigned chains = 0;
    struct spill_port port;
    uint16_t got;

    (void)state;
    config.pool = pool_new(RTE_MBUF_DEFAULT_BUF_SIZE);
    find(&port, "net_pcap0,rx_pcap=x,tx_pcap=y");
    configure(&port, &config);
    assert_int_equal(port.limits.segments, UINT16_MAX);
    assert_int_equal(spill_port_start(&port, &error), 0);
    while ((got = rte_eth_rx_burst(port.id, 0, mbufs, 32)) > 0) {
        for (unsigned i = 0; i < got; i++)
            chains += mbufs[i]->nb_segs > 1;
        assert_int_equal(rte_eth_tx_burst(port.id, 0, mbufs, got), got);
    }
    assert_int_equal(chains, FRAMES / 10);
    spill_port_stats(&port, &stats);
    assert_int_equal(stats.rx_packets, FRAMES);
    assert_int_equal(stats.tx_packets, FRAMES);
    assert_int_equal(spill_port_flush_tx(&port, 1, rte_rdtsc() + rte_get_tsc_hz()), 0);
    spill_port_close(&port);
    pool_end(config.pool);
    compare_captures(capture_in, capture_out);
}

/* ---- pools ---- */

static void sum_chunk(struct rte_mempool *pool, void *sum, struct rte_mempool_memhdr *chunk,
                      unsigned index)
{
    (void)pool;
    (void)index;
    *(uint64_t *)sum += chunk->len;
}

static void pool_bytes_are_what_it_takes(void **state)
{
    struct rte_mempool *pool = pool_new(RTE_MBUF_DEFAULT_BUF_SIZE);
    uint64_t planned = spill_port_pool_bytes(POOL_MBUFS, 16, RTE_MBUF_DEFAULT_BUF_SIZE, 4096);
    uint64_t taken = 0;
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);

    (void)state;
    rte_mempool_mem_iter(pool, sum_chunk, &taken);
    assert_true(planned >= (uint64_t)POOL_MBUFS * (sizeof(struct rte_mbuf) + 16 + 2176));
    assert_true(planned >= taken);
    assert_true(planned <= 2 * taken);
    /* large pages hold many, small ones none, and then two are taken for each */
    assert_true(spill_port_pool_bytes(POOL_MBUFS, 16, 2176, 2 << 20) < planned);
    assert_true(spill_port_pool_bytes(1000, 0, 5000, 4096) >= 1000 * 8192);
    assert_int_equal(rte_mempool_in_use_count(pool), 1);
    rte_pktmbuf_free(mbuf);
    assert_null(spill_port_pool_create("test", 64, 0, 2176, false, SOCKET_ID_ANY, &error));
    assert_non_null(strstr(error.text, "pool test: "));
    assert_non_null(strstr(error.text, "there is a pool of that name"));
    pool_end(pool);
}

static void pool_too_large_says_how_much_it_wants(void **state)
{
    (void)state;
    memset(&error, 0, sizeof(error));
    assert_null(spill_port_pool_create("huge", 1 << 20, 0, 2176, false, SOCKET_ID_ANY, &error));
    assert_non_null(strstr(error.text, "pool huge: no memory for 1048576 mbufs: 4"));
    assert_non_null(strstr(error.text, "MiB"));
    assert_non_null(strstr(error.text, "--memory"));
}

static void eal_start(void)
{
    static char *fixed[] = {"test_port", "--no-huge", "--no-shconf",  "--no-telemetry",
                            "-m",        "64",        "--lcores=0@0", "--log-level=1"};
    char capture[sizeof(capture_in) + sizeof(capture_out) + 40];
    struct spill_device devices[5];
    char *all[RTE_DIM(fixed) + RTE_DIM(devices) + 2];
    int count;

    snprintf(capture, sizeof(capture), "net_pcap0,rx_pcap=%s,tx_pcap=%s", capture_in, capture_out);
    devices[0] = parse("net_null0");
    devices[1] = parse("net_null1,size=4000");
    devices[2] = parse("net_ring0");
    devices[3] = parse(capture);
    devices[4] = parse("net_pcap9,rx_pcap=/nonexistent/a.pcap");
    count = spill_device_eal_arguments(devices, RTE_DIM(devices), &eal_arguments);
    assert_int_equal(count, RTE_DIM(devices) + 1);
    memcpy(all, fixed, sizeof(fixed));
    memcpy(all + RTE_DIM(fixed), eal_arguments, (size_t)count * sizeof(*all));
    assert_true(rte_eal_init((int)RTE_DIM(fixed) + count, all) >= 0);
}

static int group_setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(capture_in, sizeof(capture_in), "%s/in.pcap", folder);
    snprintf(capture_out, sizeof(capture_out), "%s/out.pcap", folder);
    write_capture(capture_in);
    eal_start();
    return 0;
}

static int group_teardown(void **state)
{
    int result = rte_eal_cleanup();

    (void)state;
    spill_device_eal_arguments_free(eal_arguments);
    unlink(capture_in);
    unlink(capture_out);
    rmdir(folder);
    return result;
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
        cmocka_unit_test(absent_ports_say_why),
        cmocka_unit_test(capabilities_are_asked_for),
        cmocka_unit_test(limits_follow_from_mtu_and_driver),
        cmocka_unit_test(more_than_the_device_has_is_refused),
        cmocka_unit_test(mtu_is_told_or_noted_or_refused),
        cmocka_unit_test(several_queues_of_a_device_without_rss),
        cmocka_unit_test(rss_is_symmetric_and_even),
        cmocka_unit_test(a_refused_table_is_no_spreading),
        cmocka_unit_test(started_ports_are_promiscuous_and_refuse_configuration),
        cmocka_unit_test(notes_are_bounded),
        cmocka_unit_test(counters_begin_at_the_start),
        cmocka_unit_test(ring_returns_what_was_sent_and_leaves_nothing),
        cmocka_unit_test(capture_passes_byte_for_byte),
        cmocka_unit_test(pool_bytes_are_what_it_takes),
        cmocka_unit_test(pool_too_large_says_how_much_it_wants),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
