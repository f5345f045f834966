/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports on real drivers (null, ring, pcap), and their mempools. */
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
