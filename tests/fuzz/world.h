/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FUZZ_WORLD_H
#define SPILLWAY_FUZZ_WORLD_H

#include "first_match.h"
#include "fuzz.h"
#include "ipsec/esp.h"
#include "pipeline/generation.h"
#include "pipeline/pipeline.h"

/**
 * @file
 * A whole pipeline that this thread polls by hand: two ports, lan and wan, whose other ends the
 * target holds, as a wire or routed (world_router.h); lcores of several shapes; rules; and SAs of
 * several kinds, whose other ends are the target's too. Made anew for each input, but for the
 * ports, their mempool and the other ends.
 */

#define WORLD_LCORES   6
#define WORLD_KINDS    7 /* of SAs; of each one out and one in */
#define WORLD_KEYS     4 /* that a kind may have had, one behind the other */
#define WORLD_RULES    4 /* versions of the rules' text */
#define WORLD_FRAME    9216
#define WORLD_MBUFS    127
#define WORLD_VERSIONS 64 /* published at most */

enum world_port {
    WORLD_LAN,
    WORLD_WAN,
};

/** What an input chooses. */
struct world_options {
    uint8_t shape;
    uint8_t dispatch[SPILL_CLASSES];
    uint8_t overflow; /* of all classes: DROP or INLINE */
    bool non_ip_pass;
    bool source_waits;
    struct spill_port_limits limits[2];
    uint32_t capacity; /* jobs */
    uint32_t lanes;
    uint64_t budget_ns;
    bool tcp_pickup;
    bool routed;    /* both ports are; without SAs */
    bool rules;     /* there are, so packets have flows */
    bool by_state;  /* each state of a flow has a timeout of its own */
    uint8_t before; /* what memory holds before it is written */
};

struct world {
    struct world_options options;
    struct spill_plan plan;
    struct spill_snapshot *rules;
    struct spill_token force, stop;
    struct spill_sa_store *store;
    struct spill_pipeline *pipeline;
    uint32_t versions;            /* published */
    uint8_t key[WORLD_KINDS];     /* that each kind has now */
    uint8_t lifetime;             /* a change that keeps keys */
    bool rules_used[WORLD_RULES]; /* were in force at a time */
    uint32_t rules_now;
    bool ended[WORLD_LCORES + 1]; /* by index in the plan */
};

extern struct world world;
extern struct rte_mempool *world_mbufs; /* of what the ports receive */
extern struct rte_mempool *world_other; /* of the other ends */
extern struct spill_crypto *world_crypto;
extern struct spill_sa *world_peers[2][WORLD_KINDS][WORLD_KEYS]; /* by direction of the gateway's */
extern struct spill_ruleset *world_rulesets[WORLD_RULES];

/** What the inputs that rules name stand for. */
const struct spill_rule_input *world_inputs(const struct spill_ruleset *ruleset);

/** Once: EAL, ports, mempools, crypto, the other ends of all SAs. */
void world_start(void);

/** Makes a pipeline, with rules and SAs in force. */
void world_open(const struct world_options *options);

/** Publishes a version: `change` says what is new in it. Nothing when it can't be now. */
void world_reload(uint8_t change);

/** One turn of an lcore, given by its index in the plan from 1 on; of one stage, or of all. */
void world_poll(uint32_t lcore, int stage);

/** As many lcores poll. */
uint32_t world_lcore_count(void);

/** Puts bytes into what a port receives, in one segment or two. False: there is no room. */
bool world_feed(enum world_port port, const uint8_t *bytes, uint32_t length, uint32_t cut);

/** Takes a frame that a port has transmitted, the caller's to free; NULL: there is none. */
struct rte_mbuf *world_take(enum world_port port);

/** Has a port take nothing any more, or take all again. */
void world_block(enum world_port port, bool block);

/** Has everything come to its end, in order. What leaves meanwhile is handed to `take`. */
void world_drain(void (*take)(void));

/** Frees it all; every mbuf must be back. Gives what was counted. */
void world_close(struct spill_ledger *ledger);

#endif
