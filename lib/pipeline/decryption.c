/* SPDX-License-Identifier: BSD-3-Clause */
/* ESP packets for SAs of ours: recognized, into lanes or inline, and what was inside goes on. */
#include "pipeline/decryption.h"
#include "pipeline/pipeline.h"

#include "ipsec/esp.h"
#include "ipsec/sa_set.h"
#include "packet/parse.h"
#include "pipeline/dispatch.h"
#include "pipeline/drops.h"
#include "pipeline/esp_header.h"
#include "pipeline/routing_input.h"
#include "pipeline/trace.h"

static const struct spill_trace_line submitted = {.stage = "decrypt",
                                                  .values = {{"sa", SPILL_TRACE_SA, NULL}}},
                                     opened = {
                                         .stage = "decrypted",
                                         .values = {{"sa", SPILL_TRACE_SA, NULL},
                                                    {"by", SPILL_TRACE_WORD, spill_trace_ways}}};

static SPILL_DROP_REASON(
    pool_full_decrypt, "pool_full_decrypt",
    "the packet was to be decrypted, and the decrypt class had no credit left");
static SPILL_DROP_REASON(esp_no_sa, "esp_no_sa",
                         "ESP for an address of ours, and no inbound association has its SPI and "
                         "addresses, or the UDP around it is not as nat-traversal says");
static SPILL_DROP_REASON(esp_too_old, "esp_too_old",
                         "the sequence number is below the replay window");
static SPILL_DROP_REASON(esp_other_lcore, "esp_other_lcore",
                         "an authentic ESP packet, while another fast lcore was just noting "
                         "packets of the same association");

/* What is known of the ESP packets of a burst. */
struct arrivals {
    uint64_t stamp;
    uint16_t port;   /* that they came by */
    bool wrong_port; /* the SA that is looked at has its ESP elsewhere */
    uint32_t count;
    uint8_t places[SPILL_BURST]; /* in the burst */
    struct rte_mbuf *mbufs[SPILL_BURST];
    struct spill_packet *packets[SPILL_BURST];
    rte_be32_t spis[SPILL_BURST];
    uint32_t sequences[SPILL_BURST]; /* low halves, host order */
    struct spill_sa *sas[SPILL_BURST];
};

static struct spill_class make(const struct spill_pipeline_config *config)
{
    return (struct spill_class){
        .work = spill_esp_decrypt,
        .defers = spill_crypto_is_asynchronous(config->crypto),
        .context = config->crypto,
    };
}

static void drop(struct spill_fast *fast, const struct spill_drop_reason *reason,
                 struct rte_mbuf *mbuf)
{
    spill_ledger_drop(&fast->ledger, reason, &mbuf, 1);
}

/* ------------------------------------------------------------------------ after the crypto */

_Static_assert(SPILL_OUTPUT_ROUTE == SPILL_SA_ROUTED, "what leaves by a route came by one");

/* Notes by which ports authentic packets of an SA come. */
static void learn_ports(struct spill_sa_state *state, uint64_t ports)
{
    uint64_t known = atomic_load_explicit(&state->ports, memory_order_relaxed);

    if (unlikely((known & ports) != ports))
        atomic_fetch_or_explicit(&state->ports, ports, memory_order_relaxed);
}

/* Notes where an SA's peer is: what came last says it (decrypt.c). */
static void learn_place(struct spill_sa_state *state, const struct rte_mbuf *mbuf)
{
    const uint64_t place = spill_sa_place(mbuf->hash.fdir.lo, (uint16_t)mbuf->hash.fdir.hi);

    if (unlikely(atomic_load_explicit(&state->place, memory_order_relaxed) != place))
        atomic_store_explicit(&state->place, place, memory_order_relaxed);
}

/* What an authentic packet takes of a lifetime in bytes: the IP packet inside, which is what its
 * sender counted, too; all that there is where none was found. */
static uint32_t bytes_inside(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    return packet->kind <= SPILL_PACKET_IPV6 ? packet->length
                                             : rte_pktmbuf_pkt_len(mbuf) - packet->l3_offset;
}

/* What a job's packets are held against while they are noted in their SA, by its one writer. */
struct noting {
    const struct spill_exits *exits;
    const struct spill_sa *sa;
    uint64_t serial;
    uint64_t packets, bytes;         /* that came so far */
    uint64_t packets_end, bytes_end; /* with so many a hard lifetime is used up */
    uint16_t input;                  /* that the next two are known of */
    bool wrong_port;
    uint64_t ports; /* as in the SA's state: the input's bit, and whether that is routed */
};

static struct noting begin_noting(const struct spill_fast *fast, const struct spill_job *job)
{
    const struct spill_sa *sa = spill_sa_of(job);
    const struct spill_sa_config *config = &sa->config;

    return (struct noting){
        .exits = &fast->exits,
        .sa = sa,
        .serial = job->serial,
        .packets = atomic_load_explicit(&sa->state->packets, memory_order_relaxed),
        .bytes = atomic_load_explicit(&sa->state->bytes, memory_order_relaxed),
        .packets_end = config->packets_hard != 0 ? config->packets_hard : UINT64_MAX,
        .bytes_end = config->bytes_hard != 0 ? config->bytes_hard : UINT64_MAX,
        .input = RTE_MAX_ETHPORTS,
    };
}

static void end_noting(const struct noting *noting)
{
    struct spill_sa_state *state = noting->sa->state;

    atomic_store_explicit(&state->packets, noting->packets, memory_order_relaxed);
    atomic_store_explicit(&state->bytes, noting->bytes, memory_order_relaxed);
}

/* Whether a packet came by a port that its SA's ESP must not come by: mostly as the one before. */
static bool came_by_wrong_port(struct noting *noting, uint8_t input)
{
    if (unlikely(input != noting->input)) {
        const unsigned other = spill_exit_of(noting->exits, input);

        noting->input = input;
        noting->wrong_port = spill_sa_is_wrong_input(noting->sa, input, other);
        noting->ports = UINT64_C(1) << input | (uint64_t)(other == SPILL_SA_ROUTED)
                                                   << SPILL_SA_ROUTED;
    }
    return noting->wrong_port;
}

/* Notes an authentic packet in its SA, in order. NULL, or why it goes no further. While a hard
 * lifetime lasts, a packet may begin. */
static const struct spill_drop_reason *note(struct noting *noting, const struct rte_mbuf *mbuf,
                                            const struct spill_packet *packet)
{
    struct spill_sa_state *state = noting->sa->state;
    uint64_t number = packet->sequence;

    if (noting->sa->config.esn)
        number = spill_replay_extend(noting->serial, state->replay.reach, packet->sequence);
    if (came_by_wrong_port(noting, packet->input))
        return &spill_drop_esp_wrong_port;
    if (noting->packets >= noting->packets_end || noting->bytes >= noting->bytes_end)
        return &spill_esp_expired;
    switch (spill_replay_note(&state->replay, number)) {
    case SPILL_REPLAY_SEEN:
        return &spill_esp_replayed;
    case SPILL_REPLAY_OLD:
        return &esp_too_old;
    case SPILL_REPLAY_FRESH:
        break;
    }
    learn_ports(state, noting->ports);
    if (unlikely(noting->sa->config.roams))
        learn_place(state, mbuf);
    noting->packets++;
    noting->bytes += bytes_inside(mbuf, packet);
    return NULL;
}

/* Notes a job's authentic packets, and for each why it goes no further, or NULL. What failed inside
 * an authentic packet is malformed too, but its number counts. */
static void note_all(struct spill_fast *fast, const struct spill_job *job,
                     const struct spill_drop_reason **reasons)
{
    struct spill_sa_state *state = spill_sa_of(job)->state;
    const bool writes = spill_sa_take_window(state, fast->lcore_id);
    struct noting noting = begin_noting(fast, job);
    uint32_t i;

    for (i = 0; i < job->count; i++) {
        struct spill_packet *packet = spill_packet_of(job->mbufs[i]);

        reasons[i] = NULL;
        if (packet->inbound_sa != 0)
            reasons[i] = writes ? note(&noting, job->mbufs[i], packet) : &esp_other_lcore;
    }
    if (likely(writes)) {
        end_noting(&noting);
        spill_sa_leave_window(state);
    }
}

static __rte_noinline void trace(struct spill_fast *fast, const struct spill_job *job)
{
    for (uint32_t i = 0; i < job->count; i++)
        SPILL_TRACE(&fast->ledger, job->mbufs[i], opened, spill_sa_of(job)->id,
                    job->lane != SPILL_LANE_INLINE);
}

/* A job that is done: what was inside goes the way of packets, what failed is dropped. */
static void retire(struct spill_job *job, void *owner)
{
    struct spill_fast *fast = owner;
    struct spill_sa_lcore *sa = spill_sa_of(job)->lcores[fast->lcore_id];
    enum spill_path path = job->lane == SPILL_LANE_INLINE ? SPILL_PATH_FAST : SPILL_PATH_POOL;
    const struct spill_drop_reason *reasons[SPILL_JOB_PACKETS];
    struct rte_mbuf *mbufs[SPILL_JOB_PACKETS];
    struct spill_packet packets[SPILL_JOB_PACKETS];
    uint32_t count = 0, i;

    if (unlikely(spill_watch_of(&fast->ledger) != NULL))
        trace(fast, job);
    note_all(fast, job, reasons);
    for (i = 0; i < job->count; i++) {
        struct spill_packet *packet = spill_packet_of(job->mbufs[i]);
        const struct spill_drop_reason *reason = reasons[i];

        if (reason == NULL && packet->kind == SPILL_PACKET_MALFORMED)
            reason = spill_drop_reason_get(packet->drop);
        if (reason != NULL) {
            drop(fast, reason, job->mbufs[i]);
            continue;
        }
        mbufs[count] = job->mbufs[i];
        packets[count++] = *packet;
    }
    sa->packets += count;
    if (unlikely(fast->routing.tables != NULL))
        count = spill_routing_input_inside(fast, mbufs, packets, count);
    if (count > 0)
        spill_forward(fast, mbufs, packets, count, job->stamp, path);
}

static void attach(struct spill_fast *fast)
{
    spill_submitter_on_retire(fast->submitter, SPILL_CLASS_DECRYPT, retire, fast);
}

const struct spill_class_row spill_decryption = {
    .name = "decrypt",
    .needs = SPILL_NEED_IPSEC,
    .overflow = 1 << SPILL_OVERFLOW_DROP | 1 << SPILL_OVERFLOW_INLINE,
    .make = make,
    .attach = attach,
};

/* ----------------------------------------------------------------------- before the crypto */

/* Whether a packet may go to the crypto: what can be known before is right. NULL, or why not. */
static const struct spill_drop_reason *examine(const struct arrivals *arrivals, uint32_t index)
{
    struct spill_sa *sa = arrivals->sas[index];
    const struct spill_packet *packet = arrivals->packets[index];
    struct spill_replay *replay = &sa->state->replay;
    uint64_t number = arrivals->sequences[index];

    if (sa->config.nat_traversal != (packet->esp == SPILL_ESP_UDP))
        return &esp_no_sa;
    if (packet->fragment != 0)
        return &spill_drop_esp_fragment;
    if (arrivals->wrong_port)
        return &spill_drop_esp_wrong_port;
    if (packet->wrapped)
        return &spill_drop_esp_wrapped;
    if (sa->config.esn)
        number = spill_replay_extend(spill_replay_top(replay), replay->reach, (uint32_t)number);
    switch (spill_replay_check(replay, number)) {
    case SPILL_REPLAY_SEEN:
        return &spill_esp_replayed;
    case SPILL_REPLAY_OLD:
        return &esp_too_old;
    case SPILL_REPLAY_FRESH:
    default:
        return NULL;
    }
}

/* Takes the packets of an SA off the list, from the one at `first` to where one of its lane comes
 * that must not be overtaken; those that may go to the crypto are gathered, in order. Returns how
 * many these are, and the bytes of their IP packets. */
static uint32_t take_group(struct spill_fast *fast, struct arrivals *arrivals, uint32_t first,
                           struct rte_mbuf **mbufs, struct spill_packet **packets, uint32_t *bytes)
{
    const struct spill_sa *sa = arrivals->sas[first];
    uint32_t count = 0, i;

    *bytes = 0;
    for (i = first; i < arrivals->count; i++) {
        const struct spill_drop_reason *reason;
        struct spill_packet *packet = arrivals->packets[i];

        if (arrivals->sas[i] == NULL)
            continue;
        if (arrivals->sas[i] != sa) {
            if (arrivals->sas[i]->lane == sa->lane)
                break;
            continue;
        }
        reason = examine(arrivals, i);
        arrivals->sas[i] = NULL;
        if (unlikely(reason != NULL)) {
            drop(fast, reason, arrivals->mbufs[i]);
            continue;
        }
        packet->sequence = arrivals->sequences[i];
        *bytes += packet->length;
        mbufs[count] = arrivals->mbufs[i];
        packets[count++] = packet;
    }
    return count;
}

/*
 * Submits packets of the SA of the one at `first`, and takes them off the list. A job notes
 * where its window ends when it is opened: from there the high halves of its numbers are told.
 */
static void submit_group(struct spill_fast *fast, struct arrivals *arrivals, uint32_t first)
{
    struct spill_sa *sa = arrivals->sas[first];
    struct spill_dispatch_group group = {.class_index = SPILL_CLASS_DECRYPT,
                                         .lane = sa->lane & (fast->submitter->lane_count - 1),
                                         .subject = &sa->lcores[fast->lcore_id]->subject,
                                         .serial = spill_replay_top(&sa->state->replay),
                                         .stamp = arrivals->stamp};
    struct rte_mbuf *mbufs[SPILL_BURST];
    struct spill_packet *packets[SPILL_BURST];
    uint32_t bytes, count, taken;

    arrivals->wrong_port = spill_sa_is_wrong_input(
        sa, arrivals->port, spill_exit_of(&fast->exits, (uint8_t)arrivals->port));
    count = take_group(fast, arrivals, first, mbufs, packets, &bytes);
    if (unlikely(spill_watch_of(&fast->ledger) != NULL)) {
        for (uint32_t i = 0; i < count; i++)
            SPILL_TRACE(&fast->ledger, mbufs[i], submitted, sa->id);
    }
    taken = spill_dispatch_burst(fast, &group, mbufs, packets, count, bytes);

    if (unlikely(taken < count))
        spill_ledger_drop(&fast->ledger, &pool_full_decrypt, mbufs + taken, count - taken);
}

/* --------------------------------------------------------------------------- what is ours */

/* Which packets are for an address of ours: it is noted among the SAs under SPI 0. */
static void find_ours(const struct spill_fast *fast, struct arrivals *arrivals, bool *ours)
{
    const rte_be32_t none[SPILL_BURST] = {0};
    struct spill_sa *sas[SPILL_BURST];
    uint32_t i;

    spill_sa_set_lookup(fast->version.generation->sas, arrivals->packets, none, sas,
                        arrivals->count);
    for (i = 0; i < arrivals->count; i++)
        ours[i] = sas[i] != NULL;
}

/* Whether a packet is a fragment of UDP, and none that fragments.c gathers: nobody can tell whether
 * it is ESP for us, so the rules decide. */
static inline bool is_fragment_of_udp(const struct spill_packet *packet)
{
    return packet->fragment != 0 && packet->esp == SPILL_ESP_UDP;
}

/* Deals with packets of no SA: dropped when they are for us. Returns those still in the burst. */
static uint64_t settle_strangers(struct spill_fast *fast, struct arrivals *arrivals)
{
    uint64_t taken = 0;
    bool ours[SPILL_BURST] = {false}, asked = false;
    uint32_t i;

    for (i = 0; i < arrivals->count; i++) {
        if (arrivals->sas[i] == NULL || arrivals->spis[i] == 0) {
            if (!asked)
                find_ours(fast, arrivals, ours);
            asked = true;
            arrivals->sas[i] = NULL;
            if (!ours[i] || is_fragment_of_udp(arrivals->packets[i]))
                continue;
            drop(fast, arrivals->packets[i]->fragment != 0 ? &spill_drop_esp_fragment : &esp_no_sa,
                 arrivals->mbufs[i]);
        }
        taken |= UINT64_C(1) << arrivals->places[i];
    }
    return taken;
}

/*
 * Hands those on that are another lcore's. Who spreads in software knows no port of ESP but 4500:
 * by others it comes as any UDP, by its ports, and its fragments by their addresses, as all other
 * ESP. So that is where an SA's packets meet, large or small, and whatever a NAT makes of the
 * ports: in order.
 */
static void hand_on(struct spill_fast *fast, struct arrivals *arrivals)
{
    struct spill_handover *handover = &fast->handover;
    uint32_t i;

    for (i = 0; i < arrivals->count; i++) {
        const struct spill_packet *packet = arrivals->packets[i];
        uint32_t owner;

        if (arrivals->sas[i] == NULL || packet->esp != SPILL_ESP_UDP)
            continue;
        owner = spill_handover_datagram_owner(handover, packet);
        if (owner == handover->self)
            continue;
        spill_handover_send(fast, handover->flows[owner], arrivals->mbufs[i], packet,
                            arrivals->stamp);
        arrivals->sas[i] = NULL;
    }
}

uint32_t spill_decryption_take(struct spill_fast *fast, uint16_t port, struct rte_mbuf **mbufs,
                               struct spill_packet *packets, uint32_t count, uint64_t stamp)
{
    struct arrivals arrivals = {.stamp = stamp, .port = port};
    uint32_t kept = 0, i;
    uint64_t taken;

    for (i = 0; i < count; i++) {
        uint32_t n = arrivals.count;

        if (packets[i].kind > SPILL_PACKET_IPV6 ||
            !spill_esp_read_header(mbufs[i], &packets[i], &arrivals.spis[n],
                                   &arrivals.sequences[n]))
            continue;
        packets[i].input = (uint8_t)port;
        arrivals.places[n] = (uint8_t)i;
        arrivals.mbufs[n] = mbufs[i];
        arrivals.packets[n] = &packets[i];
        arrivals.count++;
    }
    if (arrivals.count == 0)
        return count;
    spill_sa_set_lookup(fast->version.generation->sas, arrivals.packets, arrivals.spis,
                        arrivals.sas, arrivals.count);
    taken = settle_strangers(fast, &arrivals);
    if (unlikely(fast->version.generation->sas->ends != NULL) && fast->handover.count > 1 &&
        !fast->handover.by_device)
        hand_on(fast, &arrivals);
    for (i = 0; i < arrivals.count; i++) {
        if (arrivals.sas[i] != NULL)
            submit_group(fast, &arrivals, i);
    }
    if ((uint32_t)__builtin_popcountll(taken) == count)
        return 0;
    for (i = 0; i < count; i++) {
        if ((taken >> i & 1) != 0)
            continue;
        mbufs[kept] = mbufs[i];
        if (kept != i)
            packets[kept] = packets[i];
        kept++;
    }
    return kept;
}
