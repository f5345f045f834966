/* SPDX-License-Identifier: BSD-3-Clause */
/* EAL, ports, pools and traffic, up and down. */
#include "bench.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

#include "port/eal.h"
#include "port/unmap.h"

#define MBUFS 8191
/* What the EAL and drivers take beside pools and tables. */
#define EAL_BYTES (UINT64_C(64) << 20)

static uint16_t send_room(const struct spill_load_options *options)
{
    const unsigned frame = RTE_MAX(spill_load_options_frame(options), (uint16_t)SPILL_LOAD_HEAD);

    return (uint16_t)(RTE_PKTMBUF_HEADROOM + RTE_ALIGN_CEIL(frame, 64u));
}

/* MiB for --no-huge, where the EAL takes no more later. */
static unsigned memory_mib(const struct spill_load_options *options,
                           const struct spill_device *devices)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t bytes = EAL_BYTES + spill_port_pool_bytes(MBUFS, 0, send_room(options), page);

    for (unsigned i = 0; i < options->port_count; i++)
        bytes +=
            spill_port_pool_bytes(MBUFS, 0, spill_device_data_room(&devices[i], 0, false), page);
    for (unsigned i = 0; i < options->class_count; i++)
        bytes += spill_load_class_bytes(&options->classes[i]);
    return (unsigned)(bytes >> 20) + 1;
}

static int start_eal(struct spill_load_bench *bench, const char *argv0,
                     const struct spill_device *devices, struct spill_error *error)
{
    const struct spill_load_options *options = bench->options;
    char lcores[32];
    const struct spill_eal_config config = {
        .program = argv0,
        .user = options->eal_given ? options->eal_argv : NULL,
        .user_count = options->eal_argc,
        .lcores = lcores,
        .main_lcore = 0,
        .name = options->name,
        .log_level = "--log-level=*:error",
        .memory_mib = options->no_huge ? memory_mib(options, devices) : 0,
        .devices = devices,
        .device_count = options->port_count,
        .hint = "a device's peer may be missing",
    };

    snprintf(lcores, sizeof(lcores), "0@%d,1@%d", options->control, options->cpu);
    if (spill_eal_start(&config, error) != 0)
        return -1;
    bench->eal = true;
    bench->lcore = rte_get_next_lcore(-1, 1, 0);
    if (bench->lcore == RTE_MAX_LCORE)
        return spill_error_set(error, "the EAL has one lcore: expected two, such as --lcores=0,1");
    return 0;
}

static int start_port(struct spill_load_bench *bench, unsigned index,
                      const struct spill_device *device, struct spill_error *error)
{
    const uint16_t mtu = spill_load_options_mtu(bench->options);
    struct spill_port *port = &bench->ports[index];
    struct spill_port_config config = {
        .rx_queues = 1, .tx_queues = 1, .mtu = mtu, .promiscuous = true};
    char name[32];

    if (bench->options->eal_given && spill_eal_plug_in(device) != 0)
        fprintf(stderr, "spillway-load: %s can't be plugged in\n", device->name);
    if (spill_port_find(bench->options->ports[index].name, device, port, error) != 0)
        return -1;
    bench->port_count++;
    snprintf(name, sizeof(name), "receive-%u", index);
    config.pool = bench->receive_pools[index] = spill_port_pool_create(
        name, MBUFS, 0, spill_port_data_room(port, mtu), false, port->socket, error);
    if (config.pool == NULL || spill_port_configure(port, &config, error) != 0 ||
        spill_port_start(port, error) != 0)
        return -1;
    for (unsigned i = 0; i < port->note_count; i++)
        fprintf(stderr, "spillway-load: %s\n", port->notes[i]);
    return 0;
}

/* A peer of memif has left; EAL's interrupt thread is about to unmap what the lcore may read. */
static void await_lcore(void *context)
{
    struct spill_load_bench *bench = context;
    const uint64_t turn = atomic_load_explicit(&bench->turns, memory_order_acquire);

    while (rte_eal_get_lcore_state(bench->lcore) == RUNNING &&
           atomic_load_explicit(&bench->turns, memory_order_acquire) == turn)
        rte_delay_us_sleep(10);
}

int spill_load_bench_start(struct spill_load_bench *bench, const char *argv0,
                           struct spill_error *error)
{
    const struct spill_load_options *options = bench->options;
    struct spill_device devices[SPILL_LOAD_PORTS_MAX] = {0};
    int socket;

    for (unsigned i = 0; i < options->port_count; i++) {
        devices[i] = options->ports[i].device;
        if (spill_device_complete(&devices[i], 1, 1, spill_load_options_mtu(options), error) != 0)
            return -1;
    }
    if (start_eal(bench, argv0, devices, error) != 0)
        return -1;
    socket = (int)rte_lcore_to_socket_id(bench->lcore);
    bench->traffic =
        spill_load_traffic_create(options->classes, options->class_count, socket, error);
    if (bench->traffic == NULL)
        return -1;
    bench->send_pool =
        spill_port_pool_create("send", MBUFS, 0, send_room(options), false, socket, error);
    if (bench->send_pool == NULL)
        return -1;
    spill_load_traffic_clear(bench->send_pool);
    spill_unmap_await(await_lcore, bench);
    for (unsigned i = 0; i < options->port_count; i++) {
        if (start_port(bench, i, &devices[i], error) != 0)
            return -1;
    }
    return 0;
}

const struct spill_port *spill_load_bench_down(const struct spill_load_bench *bench)
{
    for (unsigned i = 0; i < bench->port_count; i++) {
        if (!spill_port_link_up(&bench->ports[i]))
            return &bench->ports[i];
    }
    return NULL;
}

void spill_load_bench_settle(struct spill_load_bench *bench)
{
    unsigned configured = 0;

    while (configured < bench->port_count && bench->ports[configured].pool != NULL)
        configured++;
    spill_port_flush_tx(bench->ports, configured, rte_rdtsc() + rte_get_tsc_hz() / 10);
    for (unsigned i = 0; i < bench->port_count; i++)
        spill_port_stats(&bench->ports[i], &bench->stats[i]);
    for (unsigned i = 0; i < bench->port_count; i++)
        spill_port_close(&bench->ports[i]);
    bench->leaked = spill_port_leaked(bench->ports, configured);
    if (bench->send_pool != NULL)
        bench->leaked += rte_mempool_in_use_count(bench->send_pool);
}

void spill_load_bench_free(struct spill_load_bench *bench)
{
    spill_unmap_await(NULL, NULL);
    for (unsigned i = 0; i < bench->port_count; i++)
        rte_mempool_free(bench->receive_pools[i]);
    rte_mempool_free(bench->send_pool);
    spill_load_traffic_free(bench->traffic);
    spill_eal_end();
}
