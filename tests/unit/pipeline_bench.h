/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TEST_PIPELINE_BENCH_H
#define SPILLWAY_TEST_PIPELINE_BENCH_H

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "classify/policy.h"
#include "classify/rules.h"
#include "lcores.h"
#include "pipeline/pipeline.h"
#include "plan_inputs.h"
#include "poison.h"
#include "runtime/stamp.h"

/**
 * @file
 * A pipeline between two net_ring ports whose other ends the test holds: it puts packets with
 * numbers into what they receive, and takes what they transmit.
 */

#define BENCH_MBUFS 4095
#define BENCH_SLOTS 1023 /* of each ring at the ports' other ends */
#define BENCH_FLOWS 64
#define BENCH_MAGIC 0x5350494c

/** How many lcores of each role. */
struct bench_shape {
    const char *name;
    unsigned fast, rx, tx, pool;
};

/** What a run is made of. */
struct bench_options {
    struct bench_shape shape;
    enum spill_dispatch dispatch;
    enum spill_overflow overflow;
    enum spill_idle idle;
    uint32_t lanes;
    uint32_t capacity; /* jobs */
    uint32_t channel_capacity;
    unsigned rx_queues;  /* of lan; 0: one */
    bool devices_spread; /* both have so many, and spread over them */
    uint64_t budget_ns;
    bool source_waits; /* as a capture does: nothing is lost for want of room */
    const char *rules; /* NULL: bench_usual_rules */
};

/** Behind the headers of each packet. */
struct bench_payload {
    uint32_t magic;
    uint32_t flow;
    uint32_t number; /* in its flow and direction */
};

struct bench {
    struct bench_options options;
    struct spill_plan plan;
    struct spill_snapshot *rules;
    struct spill_token force, stop;
    struct spill_pipeline *pipeline;
    struct spill_error error;
    /* What the test did and saw: */
    uint64_t fed;
    uint64_t fed_allowed; /* of those: that the rules let through */
    uint64_t came[2];     /* by port */
    uint64_t disorder;
    uint32_t next[2][BENCH_FLOWS];     /* number, by direction and flow */
    uint32_t expected[2][BENCH_FLOWS]; /* at least */
};

static struct spill_port bench_ports[2];
static struct rte_ring *bench_in[2], *bench_out[2];
static struct rte_mempool *bench_mbufs;
static struct spill_topology bench_machine;
static uint64_t bench_seed;

/* ------------------------------------------------------------------------------ the ports */

static inline struct rte_ring *bench_ring(const char *name)
{
    struct rte_ring *ring = rte_ring_create(name, BENCH_SLOTS, SOCKET_ID_ANY,
                                            RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);

    if (ring == NULL)
        exit(1);
    return ring;
}

static inline void bench_add_port(unsigned index, const char *name)
{
    struct spill_port *port = &bench_ports[index];
    struct rte_eth_conf config = {0};
    char in[16], out[16];
    int id;

    snprintf(in, sizeof(in), "%s.in", name);
    snprintf(out, sizeof(out), "%s.out", name);
    bench_in[index] = bench_ring(in);
    bench_out[index] = bench_ring(out);
    id = rte_eth_from_rings(name, &bench_in[index], 1, &bench_out[index], 1, 0);
    if (id < 0 || rte_eth_dev_configure((uint16_t)id, 1, 1, &config) != 0 ||
        rte_eth_rx_queue_setup((uint16_t)id, 0, 512, 0, NULL, bench_mbufs) != 0 ||
        rte_eth_tx_queue_setup((uint16_t)id, 0, 512, 0, NULL) != 0 ||
        rte_eth_dev_start((uint16_t)id) != 0) {
        fprintf(stderr, "port %s doesn't start\n", name);
        exit(1);
    }
    port->id = (uint16_t)id;
    port->mtu = 1500;
    port->limits = (struct spill_port_limits){
        .packet = port->mtu, .frame = UINT16_MAX, .segments = UINT16_MAX};
    snprintf(port->name, sizeof(port->name), "%s", name);
}

/** Starts the EAL with lcores for all shapes, and makes the two ports. */
static inline void bench_start(unsigned lcores)
{
    test_eal_start(lcores, 256, NULL);
    make_machine(&bench_machine, 1, test_cpu_count, 1);
    bench_mbufs = fixture_poison_pool("bench", BENCH_MBUFS, SPILL_PACKET_PRIVATE_SIZE,
                                      RTE_PKTMBUF_HEADROOM + 256);
    if (bench_mbufs == NULL || spill_stamp_register(NULL) != 0)
        exit(1);
    bench_add_port(0, "lan");
    bench_add_port(1, "wan");
    bench_seed = test_seed() | 1;
}

/* --------------------------------------------------------------------------- the pipeline */

/* Gives the EAL's lcores, from 1 on, to the roles in turn. */
static inline void bench_roles(struct spill_plan_input *input, const struct bench_shape *shape)
{
    const unsigned counts[SPILL_ROLES] = {[SPILL_ROLE_FAST] = shape->fast,
                                          [SPILL_ROLE_RX] = shape->rx,
                                          [SPILL_ROLE_TX] = shape->tx,
                                          [SPILL_ROLE_POOL] = shape->pool};
    unsigned next = 1, role, i;

    input->given_main = 0;
    input->given[input->given_count++] = (struct spill_plan_given){.id = 0, .cpu = 0};
    for (role = SPILL_ROLE_FAST; role < SPILL_ROLES; role++) {
        for (i = 0; i < counts[role]; i++, next++) {
            int cpu = (int)(next % test_cpu_count);

            input->given[input->given_count++] = (struct spill_plan_given){.id = next, .cpu = cpu};
            input->roles[role].cpus[input->roles[role].count++] = cpu;
        }
    }
}

static inline int bench_plan(struct bench *bench)
{
    static struct spill_plan_input input;

    make_input(&input, &bench_machine, -1, 1);
    bench_roles(&input, &bench->options.shape);
    input.ports[0].rx_queues = bench->options.rx_queues;
    input.ports[0].rx_queues_max = RTE_MAX(1U, bench->options.rx_queues);
    if (bench->options.devices_spread) {
        input.ports[0].symmetric_rss = true;
        input.ports[1].rx_queues = input.ports[0].rx_queues;
        input.ports[1].rx_queues_max = input.ports[0].rx_queues_max;
        input.ports[1].symmetric_rss = true;
    }
    input.channel_capacity = bench->options.channel_capacity;
    input.classes[0].capacity = bench->options.capacity;
    input.memory_mode = SPILL_MEMORY_NO_HUGE;
    return spill_plan_compute(&input, &bench->plan, &bench->error);
}

/** Rules, if nothing else is said: port 1111 is allowed, 2222 is not, nor is anything else. */
static const char bench_usual_rules[] = "allow udp from 10.0.0.0/8 to any port 1111\n"
                                        "deny udp from any to any port 2222\n";

/** Publishes a version of rules. @return 0 or -1 with an error */
static inline int bench_publish(struct bench *bench, uint64_t number, const char *text)
{
    char name[16];
    int nodes[SPILL_NODES_MAX];
    struct spill_ruleset *ruleset;
    struct spill_policy *policy = NULL;
    struct spill_generation *generation;
    FILE *file;
    unsigned i;

    for (i = 0; i < SPILL_NODES_MAX; i++)
        nodes[i] = i == 0 ? 0 : -1;
    snprintf(name, sizeof(name), "test-%ju", (uintmax_t)number);
    file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    ruleset = spill_rules_read(file, "test", NULL, &bench->error);
    fclose(file);
    if (ruleset != NULL)
        policy = spill_policy_create(name, ruleset, NULL, NULL, SPILL_VERDICT_DENY, nodes,
                                     &bench->error);
    spill_rules_free(ruleset);
    if (policy == NULL)
        return -1;
    generation = spill_generation_create(number, policy, NULL);
    if (generation == NULL) {
        spill_policy_free(policy);
        return spill_error_set(&bench->error, "no memory for the rules");
    }
    if (bench->rules == NULL)
        bench->rules = spill_snapshot_create(SOCKET_ID_ANY, SPILL_LCORES_MAX);
    if (bench->rules != NULL &&
        spill_snapshot_publish(bench->rules, generation, spill_generation_free) == 0)
        return 0;
    spill_generation_free(generation);
    return spill_error_set(&bench->error, "no memory for the rules");
}

/** Takes down what bench_open() made, also when it failed half-way. */
static inline void bench_close(struct bench *bench)
{
    spill_pipeline_free(bench->pipeline);
    spill_snapshot_destroy(bench->rules);
    bench->pipeline = NULL;
    bench->rules = NULL;
    spill_token_destroy(&bench->stop);
    spill_token_destroy(&bench->force);
}

/** Makes plan, rules and pipeline. @return 0, or -1 with an error: bench_close() all the same */
static inline int bench_open(struct bench *bench, const struct bench_options *options)
{
    struct spill_pipeline_config config = {
        .plan = &bench->plan,
        .ports = bench_ports,
        .stop = &bench->stop,
        .force = &bench->force,
        .idle = options->idle,
        .budget_ns = options->budget_ns,
        .lanes = options->lanes,
        .classes = {{.capacity = options->capacity,
                     .dispatch = options->dispatch,
                     .overflow = options->overflow}},
        .flow_capacity = 1024,
    };

    memset(bench, 0, sizeof(*bench));
    bench->options = *options;
    spill_token_init(&bench->force, NULL);
    spill_token_init(&bench->stop, &bench->force);
    bench_ports[0].device.finite_source = options->source_waits;
    bench_ports[1].device.finite_source = options->source_waits;
    if (bench_plan(bench) != 0 ||
        bench_publish(bench, 1, options->rules != NULL ? options->rules : bench_usual_rules) != 0)
        return -1;
    config.rules = bench->rules;
    bench->pipeline = spill_pipeline_create(&config, &bench->error);
    return bench->pipeline != NULL ? 0 : -1;
}

/* ---------------------------------------------------------------------------- the traffic */

struct bench_frame {
    struct rte_ether_hdr ethernet;
    struct rte_ipv4_hdr ip;
    struct rte_udp_hdr udp;
    struct bench_payload payload;
} __attribute__((packed, aligned(2)));

static inline bool bench_allowed(uint32_t flow)
{
    return flow % 8 != 7;
}

static inline void bench_fill(struct bench *bench, struct rte_mbuf *mbuf, uint32_t flow,
                              unsigned direction)
{
    struct bench_frame *frame = (struct bench_frame *)rte_pktmbuf_append(mbuf, sizeof(*frame));
    rte_be32_t inside = rte_cpu_to_be_32(0x0a000000 + flow * 7),
               outside = rte_cpu_to_be_32(0xc0000201);
    rte_be16_t own = rte_cpu_to_be_16((uint16_t)(10000 + flow)),
               service = rte_cpu_to_be_16(bench_allowed(flow) ? 1111 : 2222);

    memset(frame, 0, sizeof(*frame));
    frame->ethernet.ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
    frame->ip.version_ihl = 0x45;
    frame->ip.time_to_live = 64;
    frame->ip.next_proto_id = IPPROTO_UDP;
    frame->ip.total_length = rte_cpu_to_be_16(sizeof(*frame) - sizeof(frame->ethernet));
    frame->ip.src_addr = direction == 0 ? inside : outside;
    frame->ip.dst_addr = direction == 0 ? outside : inside;
    frame->udp.src_port = direction == 0 ? own : service;
    frame->udp.dst_port = direction == 0 ? service : own;
    frame->udp.dgram_len = rte_cpu_to_be_16(sizeof(frame->udp) + sizeof(frame->payload));
    frame->payload = (struct bench_payload){
        .magic = BENCH_MAGIC, .flow = flow, .number = bench->next[direction][flow]++};
}

/* Frames that no flow has: not IP, or cut off. */
static inline void bench_fill_other(struct rte_mbuf *mbuf, bool malformed)
{
    struct rte_ether_hdr *ethernet =
        (struct rte_ether_hdr *)rte_pktmbuf_append(mbuf, sizeof(*ethernet) + 10);

    memset(ethernet, 0, sizeof(*ethernet) + 10);
    ethernet->ether_type = rte_cpu_to_be_16(malformed ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_ARP);
}

/**
 * Lets a port receive up to a burst of packets, as far as there are mbufs and room.
 *
 * @param flows  of so many flows, at most BENCH_FLOWS, in a random mixture
 * @return how many
 */
static inline uint32_t bench_feed(struct bench *bench, unsigned port, uint32_t count,
                                  uint32_t flows)
{
    struct rte_mbuf *mbufs[SPILL_BURST];
    uint32_t i;

    count = RTE_MIN(count, RTE_MIN(rte_ring_free_count(bench_in[port]), (unsigned)SPILL_BURST));
    if (rte_pktmbuf_alloc_bulk(bench_mbufs, mbufs, count) != 0)
        return 0;
    for (i = 0; i < count; i++) {
        uint32_t flow = test_random_below(&bench_seed, flows);
        uint32_t kind = test_random_below(&bench_seed, 50);

        if (kind < 2) {
            bench_fill_other(mbufs[i], kind == 0);
        } else {
            bench_fill(bench, mbufs[i], flow, port);
            bench->fed_allowed += port == 0 && bench_allowed(flow);
        }
    }
    if (rte_ring_enqueue_bulk(bench_in[port], (void **)mbufs, count, NULL) != count)
        abort();
    bench->fed += count;
    return count;
}

static inline void bench_check(struct bench *bench, unsigned port, struct rte_mbuf *mbuf)
{
    const struct bench_frame *frame = rte_pktmbuf_mtod(mbuf, const struct bench_frame *);
    unsigned direction = !port; /* what leaves by wan was received by lan */

    if (mbuf->pkt_len != sizeof(*frame) || frame->payload.magic != BENCH_MAGIC) {
        bench->disorder++; /* only whole packets of allowed flows may come */
        return;
    }
    bench->disorder +=
        frame->payload.number < bench->expected[direction][frame->payload.flow] ||
        (bench->options.overflow != SPILL_OVERFLOW_ALLOW && !bench_allowed(frame->payload.flow));
    bench->expected[direction][frame->payload.flow] = frame->payload.number + 1;
}

/** Takes what the ports have transmitted, and checks it. @return packets */
static inline uint32_t bench_drain(struct bench *bench)
{
    struct rte_mbuf *mbufs[SPILL_BURST];
    uint32_t total = 0, count, i;
    unsigned port;

    for (port = 0; port < 2; port++) {
        count = rte_ring_dequeue_burst(bench_out[port], (void **)mbufs, SPILL_BURST, NULL);
        for (i = 0; i < count; i++)
            bench_check(bench, port, mbufs[i]);
        rte_pktmbuf_free_bulk(mbufs, count);
        bench->came[port] += count;
        total += count;
    }
    return total;
}

/** Frees what was fed and never received. @return packets */
static inline uint32_t bench_take_back(void)
{
    struct rte_mbuf *mbuf;
    uint32_t count = 0;
    unsigned port;

    for (port = 0; port < 2; port++) {
        for (; rte_ring_dequeue(bench_in[port], (void **)&mbuf) == 0; count++)
            rte_pktmbuf_free(mbuf);
    }
    return count;
}

/** The drops of a run under a reason's name. */
static inline uint64_t bench_drops(const struct spill_ledger *ledger, const char *name)
{
    unsigned i;

    for (i = 0; i < spill_drop_reason_count(); i++) {
        if (strcmp(spill_drop_reason_get(i)->name, name) == 0)
            return ledger->dropped[i];
    }
    return 0;
}

#endif
