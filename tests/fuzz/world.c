/* SPDX-License-Identifier: BSD-3-Clause */
/* A pipeline that is polled by hand. */
#include "world.h"

#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "base/clock.h"
#include "pipeline/classification.h"
#include "plan_inputs.h"
#include "poison.h"
#include "runtime/stamp.h"
#include "world_router.h"

#define SLOTS 255 /* of each ring at the ports' other ends */
#define FLOWS 64

struct world world;
struct rte_mempool *world_mbufs, *world_other;
struct spill_crypto *world_crypto;
struct spill_sa *world_peers[2][WORLD_KINDS][WORLD_KEYS];
struct spill_ruleset *world_rulesets[WORLD_RULES];

static struct spill_topology machine;
static struct spill_port ports[2];
static struct rte_ring *in[2], *out[2];
static struct spill_crypto_user users[WORLD_LCORES + 1];
static struct spill_snapshot *routed_rules; /* outlives the inputs, as the router does */
static struct spill_error error;

/* In a port's ring in place of packets: it takes nothing. */
static char stopper;

#define MUST(condition) FUZZ_CHECK(condition, "%s", error.text)

/* How many lcores of each role. */
static const struct shape {
    uint8_t fast, rx, tx, pool;
} shapes[] = {
    {1, 0, 0, 0}, {1, 0, 0, 1}, {2, 0, 0, 0}, {2, 0, 0, 1}, {1, 1, 1, 1}, {2, 1, 1, 2},
};

/* ------------------------------------------------------------------------------------ SAs */

static const struct kind {
    const char *algorithm;
    uint8_t outer; /* 0: transport */
    bool esn, nat_traversal;
} kinds[WORLD_KINDS] = {
    {"aes-128-gcm", 4, false, false},       {"aes-256-gcm", 6, true, false},
    {"aes-128-gcm", 0, false, false},       {"aes-128-gcm", 4, true, true},
    {"aes-128-cbc+sha256", 4, true, false}, {"null+sha1", 0, false, true},
    {"aes-128-ctr+sha256", 6, false, true},
};

static void write_address(struct spill_sa_address *address, uint8_t family, uint8_t side,
                          unsigned kind)
{
    address->family = family;
    if (family == 4)
        memcpy(address->bytes, (const uint8_t[]){198, 51, side, (uint8_t)(kind + 1)}, 4);
    else if (family == 6)
        memcpy(address->bytes,
               (const uint8_t[]){0x20, 0x01, 0x0d, 0xb8, side, [15] = (uint8_t)(kind + 1)}, 16);
}

static void describe(struct spill_sa_config *config, unsigned kind, unsigned key, bool out_of)
{
    const struct kind *is = &kinds[kind];
    uint32_t i;

    memset(config, 0, sizeof(*config));
    snprintf(config->name, sizeof(config->name), "%s-%u", out_of ? "out" : "in", kind);
    config->direction = out_of ? SPILL_SA_OUT : SPILL_SA_IN;
    config->mode = is->outer == 0 ? SPILL_SA_TRANSPORT : SPILL_SA_TUNNEL;
    config->spi = (out_of ? 0x1000 : 0x2000) + kind * 16 + key;
    config->algorithm = spill_ipsec_algorithm_find(is->algorithm);
    config->esn = is->esn;
    config->nat_traversal = is->nat_traversal;
    config->replay_window = out_of ? 0 : 64;
    config->dscp = SPILL_SA_DSCP_COPY;
    write_address(out_of ? &config->source : &config->destination, is->outer, 1, kind);
    write_address(out_of ? &config->destination : &config->source, is->outer, 2, kind);
    for (i = 0; i < spill_ipsec_algorithm_key_size(config->algorithm); i++)
        config->key[i] = (uint8_t)(config->spi * 7 + i * 3);
}

/* The other end of an SA, which has no window. */
static void make_peer(unsigned kind, unsigned key, bool out_of)
{
    struct spill_sa_config config;
    struct spill_sa **peer = &world_peers[out_of][kind][key];

    describe(&config, kind, key, out_of);
    config.direction = out_of ? SPILL_SA_IN : SPILL_SA_OUT;
    config.replay_window = 0;
    *peer = spill_sa_create(&config, (uint16_t)(60000 + config.spi % 1024), NULL, world_crypto,
                            users, 1, &error);
    MUST(*peer != NULL);
}

static void reset_peers(void)
{
    for (unsigned i = 0; i < 2 * WORLD_KINDS * WORLD_KEYS; i++) {
        struct spill_sa_state *state = (&world_peers[0][0][0])[i]->state;
        uint32_t window = state->replay.window, reach = state->replay.reach;

        state->sequence = state->bytes = state->packets = 0;
        state->writer = -1;
        state->ports = 0;
        memset(&state->replay, 0, sizeof(state->replay));
        state->replay.window = window;
        state->replay.reach = reach;
    }
}

/* ---------------------------------------------------------------------------------- rules */

static const char *const texts[WORLD_RULES] = {
    "",
    "deny udp from 10.100.1.0/24 to any\n",
    "deny any from any to any port 53\n",
    "allow udp from 10.102.0.0/16 to any in lan\n",
};

static const char plain[] = "deny udp from 10.100.1.0/24 to any\n"
                            "deny tcp from any to any port 7777\n";
static struct spill_ruleset *plain_rulesets[2]; /* without and with rules, of routed ports */

static struct spill_ruleset *read_rules(const char *text, size_t length)
{
    FILE *file =
        length > 0 ? fmemopen((void *)(uintptr_t)text, length, "r") : fopen("/dev/null", "r");
    struct spill_ruleset *ruleset = spill_rules_read(file, "rules", NULL, &error);

    fclose(file);
    MUST(ruleset != NULL);
    return ruleset;
}

static struct spill_ruleset *make_rules(const char *more)
{
    char text[4096];
    int used = snprintf(text, sizeof(text), "%s", more);

    for (unsigned i = 0; i < WORLD_KINDS; i++)
        used += snprintf(text + used, sizeof(text) - (size_t)used,
                         "protect out-%u udp from 10.%u.0.0/16 to any in lan\n"
                         "protect in-%u any from any to 10.%u.0.0/16 in wan\n"
                         "protect out-%u udp from fd00:%u::/32 to any in lan\n"
                         "protect in-%u any from any to fd00:%u::/32 in wan\n",
                         i, i, i, i, i, i, i, i);
    used += snprintf(text + used, sizeof(text) - (size_t)used,
                     "allow udp from 10.100.0.0/16 to any in lan\n"
                     "allow tcp from 10.100.0.0/16 to any port 80 in lan\n"
                     "allow udp from any to 10.101.0.0/16 port 53 in wan\n"
                     "allow udp from fd00:100::/32 to any in lan\n"
                     "allow esp from 203.0.113.0/24 to any\n");
    return read_rules(text, (size_t)used);
}

const struct spill_rule_input *world_inputs(const struct spill_ruleset *ruleset)
{
    static struct spill_rule_input inputs[SPILL_INPUTS_NAMED_MAX];

    for (unsigned i = 0; i < ruleset->input_count; i++)
        inputs[i].port = ports[strcmp(ruleset->inputs[i], "wan") == 0].id;
    return inputs;
}

/*
 * The ACL is a walk over the rules here: to compile them takes twenty milliseconds, a hundred times
 * as long as an input does. That both say the same is another target's.
 */
struct walk {
    const struct spill_ruleset *ruleset; /* one of world_rulesets */
    uint8_t fallback;
    uint16_t sa_ids[2 * WORLD_KINDS];
};

struct spill_acl *__wrap_spill_acl_create(const char *name, const struct spill_ruleset *ruleset,
                                          const uint16_t *sa_ids,
                                          const struct spill_rule_input *inputs,
                                          enum spill_verdict fallback, int socket,
                                          struct spill_error *reason);
void __wrap_spill_acl_free(struct spill_acl *acl);
void __wrap_spill_acl_classify(const struct spill_acl *acl, struct spill_packet **packets,
                               uint32_t count, uint32_t *tallies);

struct spill_acl *__wrap_spill_acl_create(const char *name, const struct spill_ruleset *ruleset,
                                          const uint16_t *sa_ids,
                                          const struct spill_rule_input *inputs,
                                          enum spill_verdict fallback, int socket,
                                          struct spill_error *reason)
{
    struct walk *walk = calloc(1, sizeof(*walk));

    (void)name;
    (void)inputs;
    (void)socket;
    (void)reason;
    walk->ruleset = ruleset;
    walk->fallback = (uint8_t)fallback;
    memcpy(walk->sa_ids, sa_ids, ruleset->sa_count * sizeof(*sa_ids));
    return (struct spill_acl *)walk;
}

void __wrap_spill_acl_free(struct spill_acl *acl)
{
    free(acl);
}

void __wrap_spill_acl_classify(const struct spill_acl *acl, struct spill_packet **packets,
                               uint32_t count, uint32_t *tallies)
{
    const struct walk *walk = (const struct walk *)acl;

    for (uint32_t i = 0; i < count; i++) {
        struct match_packet match;
        const struct spill_rule *rule;

        match_packet_of(packets[i], &match);
        rule = first_match(walk->ruleset, world_inputs(walk->ruleset), &match);
        packets[i]->verdict = rule != NULL ? rule->action : walk->fallback;
        packets[i]->sa = rule != NULL && rule->sa != 0 ? walk->sa_ids[rule->sa - 1] : 0;
        tallies[i] = rule != NULL ? rule->tally : SPILL_RULE_TALLY_DEFAULT;
    }
}

/* ------------------------------------------------------------------------------- versions */

/* Of routed ports: no SAs; where there are no rules, no packet needs a flow. */
static struct spill_generation *make_routed_version(void)
{
    static const uint16_t no_ids[1];
    const struct spill_ruleset *ruleset = plain_rulesets[world.options.rules];
    const int nodes[SPILL_NODES_MAX] = {[1 ... SPILL_NODES_MAX - 1] = -1};
    struct spill_generation *generation;
    struct spill_policy *policy;
    char name[16];

    snprintf(name, sizeof(name), "v%u", world.versions);
    policy = spill_policy_create(name, ruleset, no_ids, world_inputs(ruleset), SPILL_VERDICT_ALLOW,
                                 nodes, &error);
    MUST(policy != NULL);
    generation = spill_generation_create(++world.versions, policy, NULL, NULL);
    MUST(generation != NULL);
    return generation;
}

static struct spill_generation *make_version(void)
{
    struct spill_sa_config configs[2 * WORLD_KINDS];
    const struct spill_ruleset *ruleset = world_rulesets[world.rules_now];
    uint16_t ids[2 * WORLD_KINDS];
    int nodes[SPILL_NODES_MAX];
    struct spill_sa_set *set;
    struct spill_policy *policy;
    struct spill_generation *generation;
    char name[16];
    unsigned i;

    for (i = 0; i < 2 * WORLD_KINDS; i++) {
        describe(&configs[i], i / 2, world.key[i / 2], i % 2 == 0);
        configs[i].packets_soft = 1000u + world.lifetime;
    }
    set = spill_sa_set_create(world.store, configs, 2 * WORLD_KINDS, &error);
    MUST(set != NULL);
    for (i = 0; i < SPILL_NODES_MAX; i++)
        nodes[i] = i == 0 ? 0 : -1;
    for (i = 0; i < ruleset->sa_count; i++)
        ids[i] = spill_sa_set_find(set, ruleset->sas[i])->id;
    snprintf(name, sizeof(name), "v%u", world.versions);
    policy = spill_policy_create(name, ruleset, ids, world_inputs(ruleset), SPILL_VERDICT_DENY,
                                 nodes, &error);
    MUST(policy != NULL);
    generation = spill_generation_create(++world.versions, policy, set, NULL);
    MUST(generation != NULL);
    return generation;
}

static void publish(void)
{
    struct spill_generation *generation =
        world.options.routed ? make_routed_version() : make_version();

    world.rules_used[world.rules_now] = true;
    FUZZ_CHECK(spill_snapshot_publish(world.rules, generation, spill_generation_free) == 0,
               "too many versions that somebody reads");
    spill_sa_store_reclaim(world.store);
}

void world_reload(uint8_t change)
{
    if (world.versions == WORLD_VERSIONS ||
        spill_snapshot_reclaim(world.rules) == SPILL_SNAPSHOT_RETIRED_MAX)
        return;
    if (change % 4 == 0) {
        uint8_t *key = &world.key[change / 4 % WORLD_KINDS];

        *key = (uint8_t)RTE_MIN(*key + 1, WORLD_KEYS - 1);
    } else if (change % 4 == 1) {
        world.lifetime++;
    } else {
        world.rules_now = change / 4 % WORLD_RULES;
    }
    publish();
}

/* ---------------------------------------------------------------------------------- start */

static struct rte_ring *make_ring(const char *name)
{
    struct rte_ring *ring = rte_ring_create(name, SLOTS, SOCKET_ID_ANY,
                                            RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);

    FUZZ_CHECK(ring != NULL, "no ring");
    return ring;
}

static void make_port(unsigned index, const char *name)
{
    struct rte_eth_conf config = {0};
    char text[16];
    int id;

    snprintf(text, sizeof(text), "%s.in", name);
    in[index] = make_ring(text);
    snprintf(text, sizeof(text), "%s.out", name);
    out[index] = make_ring(text);
    id = rte_eth_from_rings(name, &in[index], 1, &out[index], 1, 0);
    FUZZ_CHECK(id >= 0 && rte_eth_dev_configure((uint16_t)id, 1, 1, &config) == 0 &&
                   rte_eth_rx_queue_setup((uint16_t)id, 0, 512, 0, NULL, world_mbufs) == 0 &&
                   rte_eth_tx_queue_setup((uint16_t)id, 0, 512, 0, NULL) == 0 &&
                   rte_eth_dev_start((uint16_t)id) == 0,
               "port %s doesn't start", name);
    ports[index].id = (uint16_t)id;
    snprintf(ports[index].name, sizeof(ports[index].name), "%s", name);
}

void world_start(void)
{
    uint16_t room = RTE_PKTMBUF_HEADROOM + WORLD_FRAME + SPILL_ESP_TAIL;

    fuzz_eal_start(256);
    fixture_machine(&machine, 1, WORLD_LCORES + 1, 1);
    world_mbufs = fixture_poison_pool("ports", WORLD_MBUFS, SPILL_PACKET_PRIVATE_SIZE, room);
    world_other = fixture_poison_pool("other", 31, SPILL_PACKET_PRIVATE_SIZE, room);
    FUZZ_CHECK(world_mbufs != NULL && world_other != NULL && spill_stamp_register(NULL) == 0,
               "no memory");
    make_port(WORLD_LAN, "lan");
    make_port(WORLD_WAN, "wan");
    for (unsigned i = 0; i < RTE_DIM(users); i++)
        users[i] = (struct spill_crypto_user){.id = i, .node = SOCKET_ID_ANY};
    world_crypto = spill_crypto_create(users, RTE_DIM(users), NULL, &error);
    MUST(world_crypto != NULL);
    for (unsigned i = 0; i < 2 * WORLD_KINDS * WORLD_KEYS; i++)
        make_peer(i / WORLD_KEYS % WORLD_KINDS, i % WORLD_KEYS, i / WORLD_KEYS / WORLD_KINDS != 0);
    for (unsigned i = 0; i < WORLD_RULES; i++)
        world_rulesets[i] = make_rules(texts[i]);
    routed_rules = spill_snapshot_create(SOCKET_ID_ANY, SPILL_LCORES_MAX);
    FUZZ_CHECK(routed_rules != NULL, "no memory");
    world_router_start(ports, routed_rules->qsbr);
    plain_rulesets[0] = read_rules("", 0);
    plain_rulesets[1] = read_rules(plain, strlen(plain));
}

/* ----------------------------------------------------------------------------------- open */

static void make_plan(void)
{
    static struct spill_plan_input input;
    const struct shape *shape = &shapes[world.options.shape % RTE_DIM(shapes)];
    const unsigned counts[SPILL_ROLES] = {[SPILL_ROLE_FAST] = shape->fast,
                                          [SPILL_ROLE_RX] = shape->rx,
                                          [SPILL_ROLE_TX] = shape->tx,
                                          [SPILL_ROLE_POOL] = shape->pool};
    unsigned next = 1, role, i;

    fixture_input(&input, &machine, -1, 1);
    input.given[input.given_count++] = (struct spill_plan_given){.id = 0, .cpu = 0};
    for (role = SPILL_ROLE_FAST; role < SPILL_ROLES; role++) {
        for (i = 0; i < counts[role]; i++, next++) {
            input.given[input.given_count++] =
                (struct spill_plan_given){.id = next, .cpu = (int)next};
            input.roles[role].cpus[input.roles[role].count++] = (int)next;
        }
    }
    if (world.options.routed)
        input.wire_count = 0;
    input.channel_capacity = 64;
    input.class_count = SPILL_CLASSES;
    for (i = 0; i < SPILL_CLASSES; i++)
        input.classes[i] =
            (struct spill_plan_class){.name = "class", .capacity = world.options.capacity};
    input.memory_mode = SPILL_MEMORY_NO_HUGE;
    MUST(spill_plan_compute(&input, &world.plan, &error) == 0);
}

/* Memory holds something before it is written, and nothing may depend on it. */
static void fill_mbufs(uint8_t value)
{
    static struct rte_mbuf *mbufs[WORLD_MBUFS];

    FUZZ_CHECK(rte_pktmbuf_alloc_bulk(world_mbufs, mbufs, WORLD_MBUFS) == 0, "mbufs are out");
    for (unsigned i = 0; i < WORLD_MBUFS; i++) {
        memset(mbufs[i]->buf_addr, value, mbufs[i]->buf_len);
        memset(rte_mbuf_to_priv(mbufs[i]), value, SPILL_PACKET_PRIVATE_SIZE);
    }
    rte_pktmbuf_free_bulk(mbufs, WORLD_MBUFS);
}

static void configure(struct spill_pipeline_config *config)
{
    const struct world_options *options = &world.options;

    *config = (struct spill_pipeline_config){.plan = &world.plan,
                                             .ports = ports,
                                             .rules = world.rules,
                                             .crypto = world_crypto,
                                             .stop = &world.stop,
                                             .force = &world.force,
                                             .budget_ns = options->budget_ns,
                                             .lanes = options->lanes,
                                             .non_ip = {.rest = options->non_ip_pass},
                                             .flow_capacity = FLOWS,
                                             .tcp_pickup = options->tcp_pickup};
    for (unsigned i = 0; i < SPILL_FLOW_TIMEOUTS; i++)
        config->flow_timeouts_ns[i] =
            options->by_state ? (1 + i * 5 % 7) * UINT64_C(1000000000) : UINT64_C(7000000000);
    for (unsigned i = 0; i < SPILL_CLASSES; i++)
        config->classes[i] = (struct spill_pipeline_class){.capacity = options->capacity,
                                                           .dispatch = options->dispatch[i],
                                                           .overflow = options->overflow};
    for (unsigned i = 0; i < 2; i++) {
        ports[i].device.finite_source = options->source_waits;
        ports[i].mtu = options->limits[i].packet;
        ports[i].limits = options->limits[i];
    }
}

void world_open(const struct world_options *options)
{
    struct spill_sa_store_config store = {.crypto = world_crypto, .lcores = &users[1]};
    struct spill_pipeline_config config;

    memset(&world, 0, sizeof(world));
    world.options = *options;
    fuzz_clock = UINT64_C(1) << 40;
    fuzz_seed = 1;
    reset_peers();
    fill_mbufs(options->before);
    spill_token_init(&world.force, NULL);
    spill_token_init(&world.stop, &world.force);
    make_plan();
    store.lcore_count = world.plan.lcore_count - 1;
    for (unsigned i = 0; i < SPILL_NODES_MAX; i++)
        store.memory_nodes[i] = i == 0 ? 0 : -1;
    world.store = spill_sa_store_create(&store, &error);
    world.rules =
        options->routed ? routed_rules : spill_snapshot_create(SOCKET_ID_ANY, SPILL_LCORES_MAX);
    MUST(world.store != NULL && world.rules != NULL);
    publish();
    configure(&config);
    if (options->routed) {
        config.crypto = NULL;
        config.router = world_router_open();
    }
    world.pipeline = spill_pipeline_create(&config, &error);
    MUST(world.pipeline != NULL);
    for (unsigned i = 1; i < world.plan.lcore_count; i++) {
        if (world.pipeline->lcores[i].reads)
            spill_snapshot_reader_online(&world.pipeline->lcores[i].reader);
        /* The first turn of each is a whole one, as of all loops. */
        world_poll(i, -1);
    }
}

/* ------------------------------------------------------------------------------------ run */

uint32_t world_lcore_count(void)
{
    return world.plan.lcore_count - 1;
}

void world_poll(uint32_t index, int stage)
{
    struct spill_pipeline_lcore *lcore = &world.pipeline->lcores[index];
    struct spill_loop *loop = lcore->loop;

    if (world.ended[index])
        return;
    RTE_PER_LCORE(_lcore_id) = lcore->plan->id;
    for (uint32_t i = 0; i < loop->stage_count; i++) {
        if (stage < 0 || i == (uint32_t)stage % loop->stage_count)
            loop->stages[i].poll(loop->stages[i].context, spill_clock());
    }
    if (stage < 0 && loop->budget != NULL)
        spill_budget_earn(loop->budget, 2000);
    if (stage < 0 && loop->reader != NULL)
        spill_snapshot_quiescent(loop->reader);
    RTE_PER_LCORE(_lcore_id) = 0;
}

bool world_feed(enum world_port port, const uint8_t *bytes, uint32_t length, uint32_t cut)
{
    struct rte_mbuf *mbufs[2] = {rte_pktmbuf_alloc(world_mbufs), NULL};
    void *object;

    if (cut > 0 && cut < length && mbufs[0] != NULL)
        mbufs[1] = rte_pktmbuf_alloc(world_mbufs);
    else
        cut = length;
    if (mbufs[0] == NULL || (cut < length && mbufs[1] == NULL) ||
        rte_ring_free_count(in[port]) == 0) {
        rte_pktmbuf_free(mbufs[0]);
        rte_pktmbuf_free(mbufs[1]);
        return false;
    }
    memcpy(rte_pktmbuf_append(mbufs[0], (uint16_t)cut), bytes, cut);
    if (mbufs[1] != NULL) {
        memcpy(rte_pktmbuf_append(mbufs[1], (uint16_t)(length - cut)), bytes + cut, length - cut);
        rte_pktmbuf_chain(mbufs[0], mbufs[1]);
    }
    mbufs[0]->port = ports[port].id;
    object = mbufs[0];
    return rte_ring_enqueue(in[port], object) == 0;
}

struct rte_mbuf *world_take(enum world_port port)
{
    void *object;

    while (rte_ring_dequeue(out[port], &object) == 0) {
        if (object != &stopper)
            return object;
    }
    return NULL;
}

void world_block(enum world_port port, bool block)
{
    void *object = &stopper;

    if (block) {
        while (rte_ring_enqueue(out[port], object) == 0)
            ;
        return;
    }
    for (unsigned count = rte_ring_count(out[port]); count > 0; count--) {
        rte_ring_dequeue(out[port], &object);
        if (object != &stopper)
            rte_ring_enqueue(out[port], object);
    }
}

/* ------------------------------------------------------------------------------------ end */

static bool end_of(uint32_t index)
{
    struct spill_loop *loop = world.pipeline->lcores[index].loop;
    bool all = true;

    RTE_PER_LCORE(_lcore_id) = world.plan.lcores[index].id;
    for (uint32_t i = 0; i < loop->stage_count; i++)
        all &= loop->stages[i].end(loop->stages[i].context);
    RTE_PER_LCORE(_lcore_id) = 0;
    return all;
}

void world_drain(void (*take)(void))
{
    uint32_t left = world_lcore_count(), turns = 0;

    world_block(WORLD_LAN, false);
    world_block(WORLD_WAN, false);
    /* What has arrived is still received. */
    for (unsigned port = 0; port < 2; port++) {
        for (; rte_ring_count(in[port]) > 0; turns++) {
            FUZZ_CHECK(turns < 10000, "what has arrived is never received");
            for (uint32_t i = 1; i <= world_lcore_count(); i++)
                world_poll(i, -1);
            take();
            fuzz_clock += 100000;
        }
    }
    spill_token_cancel(&world.stop, "end");
    while (left > 0) {
        FUZZ_CHECK(turns++ < 20000, "the end doesn't come");
        for (uint32_t i = 1; i <= world_lcore_count(); i++) {
            if (world.ended[i])
                continue;
            world_poll(i, -1);
            world.ended[i] = end_of(i);
            left -= world.ended[i];
        }
        take();
    }
    take();
}

void world_close(struct spill_ledger *ledger)
{
    for (unsigned i = 1; i < world.plan.lcore_count; i++) {
        if (world.pipeline->lcores[i].reads)
            spill_snapshot_reader_offline(&world.pipeline->lcores[i].reader);
    }
    FUZZ_CHECK(spill_pipeline_abandon(world.pipeline, NULL) == 0, "packets left behind");
    spill_pipeline_ledger(world.pipeline, ledger);
    spill_pipeline_free(world.pipeline);
    if (!world.options.routed)
        spill_snapshot_destroy(world.rules);
    FUZZ_CHECK(spill_sa_store_reclaim(world.store) == 0, "an SA with jobs that are out");
    spill_sa_store_free(world.store);
    spill_token_destroy(&world.stop);
    spill_token_destroy(&world.force);
    FUZZ_CHECK(rte_mempool_in_use_count(world_mbufs) == 0, "%u mbufs are gone",
               rte_mempool_in_use_count(world_mbufs));
    FUZZ_CHECK(rte_mempool_in_use_count(world_other) == 0, "mbufs of the other end are gone");
}
