/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TEST_GATEWAY_BENCH_H
#define SPILLWAY_TEST_GATEWAY_BENCH_H

#include "ipsec/esp.h"
#include "pipeline/classification.h"
#include "pipeline/decryption.h"
#include "pipeline/encryption.h"
#include "pipeline_bench.h"

/**
 * @file
 * A gateway on the pipeline bench, and the SAs of the other end of its tunnel, which is the test.
 */

#define GATEWAY_LCORES 6
#define GATEWAY_SPIS   64   /* of each direction, one behind the other as keys are replaced */
#define GATEWAY_OUT    1000 /* the first */
#define GATEWAY_OTHER  (GATEWAY_OUT + GATEWAY_SPIS / 2) /* of the other SA outbound */
#define GATEWAY_IN     2000

enum gateway_direction {
    GATEWAY_ENCRYPTS, /* from lan to wan */
    GATEWAY_DECRYPTS, /* from wan to lan */
};

struct gateway_options {
    struct bench_shape shape;
    enum spill_dispatch dispatch[SPILL_CLASSES];
    uint32_t capacity;
    uint64_t budget_ns;
    enum spill_overflow overflow; /* of all classes */
    const char *algorithm;
    bool esn;
    bool device;       /* the crypto is on the user's device, asynchronous */
    bool source_waits; /* then nothing may be lost */
    bool by_hand;      /* the test polls the lcores' stages, in its own thread */
};

static struct {
    struct gateway_options options;
    struct spill_crypto *crypto; /* of the test's end */
    struct spill_crypto *device; /* the gateway's, when it is another */
    struct spill_sa_store *store;
    struct spill_sa_config configs[3]; /* "out", "in" and "other", as they are now */
    uint32_t generation;               /* of the keys */
    uint64_t versions;                 /* published */
    struct spill_sa *peers[2][GATEWAY_SPIS];
    /* What came of the flows, by direction: */
    uint32_t next[2][BENCH_FLOWS];     /* number to send */
    uint32_t expected[2][BENCH_FLOWS]; /* at least */
    uint64_t fed[2], came[2];          /* packets that needed an SA */
    uint64_t fed_clear, came_clear;    /* that needed none */
    uint64_t doubled;                  /* fed once more */
    uint64_t disorder, lost, bad;
    uint64_t last[GATEWAY_SPIS]; /* sequence number on the wire */
    bool protect_all;            /* also what needed no SA before */
} gateway;

static struct bench bench;
static struct spill_crypto_user gateway_users[GATEWAY_LCORES];

/* ------------------------------------------------------------------------ work of any length */

static uint32_t gateway_delay; /* cycles of a job at most */

/* Some jobs take long, on whichever lcore does them. */
static inline void gateway_dawdle(void)
{
    static __thread uint64_t random;

    if (random == 0)
        random = (rte_rdtsc() ^ (uint64_t)rte_lcore_id() << 32) | 1;
    if (rte_lcore_id() == 0 || gateway_delay == 0)
        return;
    if (test_random_below(&random, 4) == 0)
        test_spin(test_random_below(&random, gateway_delay));
    if (test_random_below(&random, 64) == 0)
        sched_yield();
}

#define GATEWAY_WRAP(result, name, parameters, arguments)                                          \
    result __real_##name parameters;                                                               \
    result __wrap_##name parameters;                                                               \
    result __wrap_##name parameters                                                                \
    {                                                                                              \
        gateway_dawdle();                                                                          \
        return __real_##name arguments;                                                            \
    }

GATEWAY_WRAP(bool, spill_esp_encrypt, (struct spill_job * job, void *crypto), (job, crypto))
GATEWAY_WRAP(bool, spill_esp_decrypt, (struct spill_job * job, void *crypto), (job, crypto))
GATEWAY_WRAP(void, spill_acl_classify,
             (const struct spill_acl *acl, struct spill_packet **packets, uint32_t count),
             (acl, packets, count))

/* -------------------------------------------------------------------- SAs of both ends, rules */

static inline void gateway_fail(void)
{
    fail_msg("%s", bench.error.text);
}

static inline void gateway_config(struct spill_sa_config *config, const char *name,
                                  enum spill_sa_direction direction, uint32_t spi)
{
    uint32_t i;

    memset(config, 0, sizeof(*config));
    strcpy(config->name, name);
    config->direction = direction;
    config->spi = spi + gateway.generation;
    config->algorithm = spill_ipsec_algorithm_find(gateway.options.algorithm);
    config->esn = gateway.options.esn;
    config->replay_window = direction == SPILL_SA_IN ? 1024 : 0;
    config->dscp = SPILL_SA_DSCP_COPY;
    config->source.family = config->destination.family = 4;
    memcpy(direction == SPILL_SA_OUT ? config->source.bytes : config->destination.bytes,
           "\xc6\x33\x64\x01", 4);
    memcpy(direction == SPILL_SA_OUT ? config->destination.bytes : config->source.bytes,
           "\xc6\x33\x64\x02", 4);
    for (i = 0; i < spill_ipsec_algorithm_key_size(config->algorithm); i++)
        config->key[i] = (uint8_t)(config->spi + i * 3);
}

/* The other end of an SA of the gateway's, for the main lcore. */
static inline void gateway_add_peer(const struct spill_sa_config *config)
{
    struct spill_sa_config other = *config;
    uint32_t out = config->direction == SPILL_SA_OUT;
    struct spill_sa **peer =
        &gateway.peers[out][config->spi - (out != 0 ? GATEWAY_OUT : GATEWAY_IN)];

    other.direction = out != 0 ? SPILL_SA_IN : SPILL_SA_OUT;
    other.replay_window = 0;
    *peer = spill_sa_create(&other, (uint16_t)(60000 + config->spi), NULL, gateway.crypto,
                            gateway_users, 1, &bench.error);
    if (*peer == NULL)
        gateway_fail();
}

/** New keys for both directions, from the next version on. */
static inline void gateway_rekey(void)
{
    uint32_t i;

    gateway.generation++;
    assert_true(gateway.generation < GATEWAY_SPIS / 2);
    gateway_config(&gateway.configs[0], "out", SPILL_SA_OUT, GATEWAY_OUT);
    gateway_config(&gateway.configs[1], "in", SPILL_SA_IN, GATEWAY_IN);
    gateway_config(&gateway.configs[2], "other", SPILL_SA_OUT, GATEWAY_OTHER);
    for (i = 0; i < RTE_DIM(gateway.configs); i++)
        gateway_add_peer(&gateway.configs[i]);
}

static inline struct spill_policy *gateway_policy(const struct spill_sa_set *set, char *text)
{
    FILE *file = fmemopen(text, strlen(text), "r");
    struct spill_ruleset *ruleset = spill_rules_read(file, "test", NULL, &bench.error);
    int nodes[SPILL_NODES_MAX];
    struct spill_policy *policy;
    uint16_t ids[4];
    char name[16];
    uint32_t i;

    fclose(file);
    if (ruleset == NULL)
        gateway_fail();
    for (i = 0; i < SPILL_NODES_MAX; i++)
        nodes[i] = i == 0 ? 0 : -1;
    for (i = 0; i < ruleset->sa_count; i++)
        ids[i] = spill_sa_set_find(set, ruleset->sas[i])->id;
    snprintf(name, sizeof(name), "v%lu", (unsigned long)gateway.versions);
    policy = spill_policy_create(name, ruleset, ids, NULL, SPILL_VERDICT_DENY, nodes, &bench.error);
    spill_rules_free(ruleset);
    if (policy == NULL)
        gateway_fail();
    return policy;
}

/**
 * Publishes a version with the SAs as they are in `gateway.configs`.
 *
 * @param more  further rules in front; may be ""
 */
static inline void gateway_publish(const char *more)
{
    struct spill_sa_set *set =
        spill_sa_set_create(gateway.store, gateway.configs, RTE_DIM(gateway.configs), &bench.error);
    struct spill_generation *generation;
    char text[1024];

    if (set == NULL)
        gateway_fail();
    snprintf(text, sizeof(text),
             "%sprotect out udp from 10.0.0.0/8 to any port 1111\n"
             "protect in udp from any port 1111 to 10.0.0.0/8\n"
             "protect other udp from 10.0.0.0/8 to any port 2222\n"
             "protect in udp from any port 2222 to 10.0.0.0/8\n"
             "allow udp from 10.0.0.0/8 to any port 3333\n",
             more);
    gateway.versions++;
    generation = spill_generation_create(gateway.versions, gateway_policy(set, text), set);
    assert_non_null(generation);
    while (spill_snapshot_publish(bench.rules, generation, spill_generation_free) != 0)
        sched_yield();
    spill_sa_store_reclaim(gateway.store);
}

/* ------------------------------------------------------------------------------ open, close */

static inline void gateway_open(const struct gateway_options *options)
{
    struct spill_sa_store_config store = {.lcores = gateway_users, .lcore_count = GATEWAY_LCORES};
    struct spill_pipeline_config config = {.plan = &bench.plan,
                                           .ports = bench_ports,
                                           .stop = &bench.stop,
                                           .force = &bench.force,
                                           .idle = SPILL_IDLE_PAUSE,
                                           .budget_ns = options->budget_ns,
                                           .lanes = 8,
                                           .flow_capacity = 1024};
    struct spill_crypto *crypto = gateway.crypto;
    uint32_t i;

    memset(&bench, 0, sizeof(bench));
    memset(&gateway, 0, sizeof(gateway));
    gateway.crypto = crypto;
    if (options->device) {
        crypto =
            spill_crypto_create(gateway_users, GATEWAY_LCORES, "crypto_aesni_mb1", &bench.error);
        if (crypto == NULL)
            gateway_fail();
        gateway.device = crypto;
    }
    gateway.options = *options;
    bench.options = (struct bench_options){
        .shape = options->shape, .capacity = options->capacity, .channel_capacity = 256};
    spill_token_init(&bench.force, NULL);
    spill_token_init(&bench.stop, &bench.force);
    for (i = 0; i < 2; i++)
        bench_ports[i].device.finite_source = options->source_waits;
    for (i = 0; i < SPILL_NODES_MAX; i++)
        store.memory_nodes[i] = i == 0 ? 0 : -1;
    store.crypto = crypto;
    gateway.store = spill_sa_store_create(&store, &bench.error);
    bench.rules = spill_snapshot_create(SOCKET_ID_ANY, SPILL_LCORES_MAX);
    assert_true(gateway.store != NULL && bench.rules != NULL);
    gateway_rekey();
    gateway_publish("");
    config.rules = bench.rules;
    config.crypto = crypto;
    for (i = 0; i < SPILL_CLASSES; i++)
        config.classes[i] = (struct spill_pipeline_class){.capacity = options->capacity,
                                                          .overflow = options->overflow,
                                                          .dispatch = options->dispatch[i]};
    if (bench_plan(&bench) != 0 ||
        (bench.pipeline = spill_pipeline_create(&config, &bench.error), bench.pipeline == NULL))
        gateway_fail();
    if (!options->by_hand && spill_pipeline_launch(bench.pipeline, &bench.error) != 0)
        gateway_fail();
}

/** Takes down what gateway_open() made, after the pipeline has ended. */
static inline void gateway_close(void)
{
    uint32_t i;

    bench_close(&bench);
    for (i = 0; i < GATEWAY_SPIS; i++) {
        spill_sa_free(gateway.peers[0][i]);
        spill_sa_free(gateway.peers[1][i]);
        gateway.peers[0][i] = gateway.peers[1][i] = NULL;
    }
    assert_int_equal(spill_sa_store_reclaim(gateway.store), 0);
    spill_sa_store_free(gateway.store);
    spill_crypto_free(gateway.device);
    gateway.store = NULL;
    gateway.device = NULL;
}

/** After a test that failed: the next one finds everything as it was. */
static inline int gateway_clear(void **state)
{
    struct rte_mbuf *mbuf;
    unsigned port;

    (void)state;
    if (gateway.store == NULL)
        return 0;
    spill_token_cancel(&bench.force, "test");
    while (bench.pipeline != NULL && spill_pipeline_running(bench.pipeline, NULL))
        sched_yield();
    if (bench.pipeline != NULL)
        spill_pipeline_abandon(bench.pipeline, NULL);
    bench_take_back();
    for (port = 0; port < 2; port++) {
        while (rte_ring_dequeue(bench_out[port], (void **)&mbuf) == 0)
            rte_pktmbuf_free(mbuf);
    }
    gateway_close();
    return 0;
}

/** Starts the EAL, the ports and the crypto for all lcores. */
static inline void gateway_start(void)
{
    uint32_t i;

    bench_start(GATEWAY_LCORES);
    for (i = 0; i < GATEWAY_LCORES; i++)
        gateway_users[i] = (struct spill_crypto_user){.id = i, .node = SOCKET_ID_ANY};
    gateway.crypto = spill_crypto_create(gateway_users, GATEWAY_LCORES, NULL, &bench.error);
    if (gateway.crypto == NULL)
        exit(1);
}

#endif
