/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets to encrypt: by SA into lanes or inline, and out again. */
#include "pipeline/encryption.h"
#include "pipeline/pipeline.h"

#include "ipsec/esp.h"
#include "pipeline/dispatch.h"
#include "pipeline/drops.h"
#include "pipeline/outer.h"
#include "pipeline/routing_error.h"
#include "pipeline/routing_tunnel.h"
#include "pipeline/too_big.h"
#include "pipeline/trace.h"

static const struct spill_trace_line submitted = {.stage = "encrypt",
                                                  .values = {{"sa", SPILL_TRACE_SA, NULL}}},
                                     protected = {
                                         .stage = "encrypted",
                                         .values = {{"sa", SPILL_TRACE_SA, NULL},
                                                    {"by", SPILL_TRACE_WORD, spill_trace_ways}}};

static SPILL_DROP_REASON(
    pool_full_encrypt, "pool_full_encrypt",
    "the packet was to be encrypted, and the encrypt class had no credit left");

/* What packets of one SA have in common, within a burst. */
struct group {
    struct spill_sa *sa;
    struct spill_dispatch_group dispatch;
    uint32_t output, l3_offset, l3_size; /* of the packet that `room` is for */
    uint32_t room;
    bool by_packet;  /* each has its own: it is routed by its own destination */
    bool wrong_port; /* its input is where the SA's ESP is, not what it protects */
    bool no_way;     /* its route has gone since it was looked at */
};

static struct spill_class make(const struct spill_pipeline_config *config)
{
    return (struct spill_class){
        .work = spill_esp_encrypt,
        .begin = spill_esp_take_numbers,
        .defers = spill_crypto_is_asynchronous(config->crypto),
        .context = config->crypto,
    };
}

static __rte_noinline void trace(struct spill_fast *fast, const struct spill_job *job)
{
    for (uint32_t i = 0; i < job->count; i++)
        SPILL_TRACE(&fast->ledger, job->mbufs[i], protected, spill_sa_of(job)->id,
                    job->lane != SPILL_LANE_INLINE);
}

/* Sends a job's packets where nothing is to be looked at but that: all came out, fit, and leave by
 * one port. Returns whether it is so. */
static bool send_at_once(struct spill_fast *fast, struct spill_job *job, enum spill_path path)
{
    const uint8_t output = spill_packet_of(job->mbufs[0])->output;
    const struct spill_exit *exit = &fast->exits.ports[output];
    uint32_t others = output == SPILL_OUTPUT_ROUTE, largest = 0, i;

    for (i = 0; i < job->count && others == 0; i++) {
        const struct spill_packet *packet = spill_packet_of(job->mbufs[i]);

        others |= (packet->output ^ output) | (packet->kind == SPILL_PACKET_MALFORMED);
        largest = RTE_MAX(largest, rte_pktmbuf_pkt_len(job->mbufs[i]) - packet->l3_offset);
    }
    return others == 0 && largest <= exit->mtu &&
           spill_exit_send_all(exit, job->mbufs, job->count, job->stamp, path);
}

/* A job that is done: its frames go to the ports, what failed is dropped under its reason. */
static void retire(struct spill_job *job, void *owner)
{
    struct spill_fast *fast = owner;
    struct spill_sa_lcore *sa = spill_sa_of(job)->lcores[fast->lcore_id];
    enum spill_path path = job->lane == SPILL_LANE_INLINE ? SPILL_PATH_FAST : SPILL_PATH_POOL;
    struct rte_mbuf *done[SPILL_JOB_PACKETS];
    struct spill_packet *packets[SPILL_JOB_PACKETS];
    uint32_t identification = spill_sa_of(job)->state->identification + (uint32_t)job->serial;
    uint32_t encrypted = 0, count = 0, i;
    uint16_t mtu;

    if (unlikely(spill_watch_of(&fast->ledger) != NULL))
        trace(fast, job);
    if (likely(send_at_once(fast, job, path))) {
        sa->packets += job->count;
        return;
    }
    for (i = 0; i < job->count; i++) {
        struct spill_packet *packet = spill_packet_of(job->mbufs[i]);

        if (unlikely(packet->kind == SPILL_PACKET_MALFORMED)) {
            spill_ledger_drop(&fast->ledger, spill_drop_reason_get(packet->drop), &job->mbufs[i],
                              1);
            continue;
        }
        packet->kind = SPILL_PACKET_OTHER; /* it is ours now: its sender is told nothing about it */
        encrypted++;
        mtu = UINT16_MAX;
        if (unlikely(packet->output == SPILL_OUTPUT_ROUTE) &&
            !spill_routing_route_protected(fast, spill_sa_of(job), job->mbufs[i], packet,
                                           identification + i, job->stamp, &mtu))
            continue;
        if (unlikely(spill_outer_may_be_large(fast, job->mbufs[i], packet, mtu))) {
            /* What stands before it must not be overtaken. */
            spill_exit_send(fast, done, packets, count, job->stamp, path);
            count = 0;
            spill_outer_send(fast, job->mbufs[i], packet, mtu, identification + i, job->stamp,
                             path);
            continue;
        }
        packets[count] = packet;
        done[count++] = job->mbufs[i];
    }
    sa->packets += encrypted;
    spill_exit_send(fast, done, packets, count, job->stamp, path);
}

static void attach(struct spill_fast *fast)
{
    spill_submitter_on_retire(fast->submitter, SPILL_CLASS_ENCRYPT, retire, fast);
}

const struct spill_class_row spill_encryption = {
    .name = "encrypt",
    .needs = SPILL_NEED_IPSEC,
    .overflow = 1 << SPILL_OVERFLOW_DROP | 1 << SPILL_OVERFLOW_INLINE,
    .make = make,
    .attach = attach,
};

/* Packets that have room. */
static void dispatch(struct spill_fast *fast, const struct group *group, struct rte_mbuf **mbufs,
                     struct spill_packet **packets, uint32_t count, uint32_t bytes)
{
    uint32_t taken;

    if (unlikely(spill_watch_of(&fast->ledger) != NULL)) {
        for (uint32_t i = 0; i < count; i++)
            SPILL_TRACE(&fast->ledger, mbufs[i], submitted, group->sa->id);
    }
    taken = spill_dispatch_burst(fast, &group->dispatch, mbufs, packets, count, bytes);
    if (unlikely(taken < count))
        spill_ledger_drop(&fast->ledger, &pool_full_encrypt, mbufs + taken, count - taken);
}

/* A packet that protection would make too big: in tunnel mode its fragments go the same way. */
static void submit_too_big(struct spill_fast *fast, const struct group *group,
                           struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    struct rte_mbuf *fragments[SPILL_FRAGMENTS_MAX];
    struct spill_packet pieces[SPILL_FRAGMENTS_MAX], *packets[SPILL_FRAGMENTS_MAX];
    /* It may stand in the mbuf, which is freed with the packet. */
    const struct spill_packet whole = *packet;
    const bool transport = group->sa->config.mode == SPILL_SA_TRANSPORT;
    struct rte_mbuf *answer;
    uint32_t count, bytes = 0, i;

    count = spill_too_big(fast, &spill_drop_esp_too_big, mbuf, packet, group->room,
                          group->dispatch.stamp, transport ? NULL : fragments, &answer);
    if (answer != NULL)
        spill_exit_answer(fast, answer, whole.input, group->dispatch.stamp);
    if (transport)
        return; /* of it there are none */
    for (i = 0; i < count; i++) {
        pieces[i] = whole;
        pieces[i].fragment = 1;
        pieces[i].length = (uint16_t)(rte_pktmbuf_pkt_len(fragments[i]) - whole.l3_offset);
        packets[i] = &pieces[i];
        bytes += pieces[i].length;
    }
    dispatch(fast, group, fragments, packets, count, bytes);
}

/* Not inlined: hardly ever called. A packet that nobody may be told is too big is protected. */
static __rte_noinline void submit_unfit(struct spill_fast *fast, const struct group *group,
                                        struct rte_mbuf *mbuf, struct spill_packet *packet)
{
    if (group->wrong_port)
        spill_ledger_drop(&fast->ledger, &spill_drop_esp_wrong_port, &mbuf, 1);
    else if (group->no_way)
        spill_routing_refuse(fast, &spill_drop_esp_no_route, SPILL_ICMP_HOST_UNREACHABLE, mbuf,
                             packet, group->dispatch.stamp);
    else if (packet->fragment != 0 && group->sa->config.mode == SPILL_SA_TRANSPORT)
        spill_ledger_drop(&fast->ledger, &spill_drop_esp_fragment, &mbuf, 1);
    else if (spill_outer_may_be_split(packet, group->sa->config.mode == SPILL_SA_TUNNEL))
        dispatch(fast, group, &mbuf, &packet, 1, packet->length);
    else
        submit_too_big(fast, group, mbuf, packet);
}

/* On a wire: of the port at its other end, unless the packet came by that one. */
static uint32_t find_room(const struct spill_fast *fast, struct group *group,
                          const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const struct spill_sa *twin;
    uint32_t mtu;

    if (unlikely(packet->output == SPILL_OUTPUT_ROUTE)) {
        group->wrong_port = false;
        mtu = spill_routing_tunnel_mtu(fast, group->sa, mbuf, packet, group->dispatch.stamp);
        group->no_way = mtu == 0;
    } else {
        twin = spill_sa_set_twin(fast->version.generation->sas, group->sa);
        group->wrong_port =
            spill_sa_is_wrong_clear_input(group->sa, twin, packet->input, packet->output);
        mtu = group->wrong_port ? 0 : spill_exit_room(&fast->exits, mbuf, packet);
    }
    return spill_sa_room(group->sa, mtu, (uint32_t)packet->l4_offset - packet->l3_offset);
}

/* How large a packet may be: mostly as the one before it. */
static uint32_t room_for(const struct spill_fast *fast, struct group *group,
                         const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    uint32_t l3_size = (uint32_t)packet->l4_offset - packet->l3_offset;

    if (unlikely(packet->output != group->output || packet->l3_offset != group->l3_offset ||
                 l3_size != group->l3_size || group->by_packet)) {
        group->room = find_room(fast, group, mbuf, packet);
        group->output = packet->output;
        group->l3_offset = packet->l3_offset;
        group->l3_size = l3_size;
        group->by_packet =
            packet->output == SPILL_OUTPUT_ROUTE && group->sa->config.mode == SPILL_SA_TRANSPORT;
    }
    return group->room;
}

/* Whether a packet can be protected as it is. */
static inline bool fits(const struct spill_fast *fast, struct group *group,
                        const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                        uint32_t length)
{
    return length <= room_for(fast, group, mbuf, packet) &&
           likely(packet->fragment == 0 || group->sa->config.mode == SPILL_SA_TUNNEL);
}

void spill_encryption_submit(struct spill_fast *fast, struct spill_sa *sa, struct rte_mbuf **mbufs,
                             struct spill_packet **packets, uint32_t count, uint64_t stamp)
{
    struct group group = {
        .sa = sa,
        .output = UINT8_MAX,
        .dispatch = {.class_index = SPILL_CLASS_ENCRYPT,
                     .lane = sa->lane & (fast->submitter->lane_count - 1),
                     .subject = &sa->lcores[fast->lcore_id]->subject,
                     .stamp = stamp},
    };
    uint32_t first = 0, bytes = 0, i;

    if (unlikely(fast->routing.tables != NULL))
        count = spill_routing_enter_tunnel(fast, sa, mbufs, packets, count, stamp);
    for (i = 0; i < count; i++) {
        uint32_t length = packets[i]->length;

        if (likely(fits(fast, &group, mbufs[i], packets[i], length))) {
            bytes += length;
            continue;
        }
        /* What stands before it must not be overtaken. */
        dispatch(fast, &group, mbufs + first, packets + first, i - first, bytes);
        submit_unfit(fast, &group, mbufs[i], packets[i]);
        first = i + 1;
        bytes = 0;
    }
    dispatch(fast, &group, mbufs + first, packets + first, i - first, bytes);
}

/* Moves the packets of the first one's SA to `group`, in order, and the others to the front. */
static void take_group(struct spill_encryption *encryption, struct spill_encryption *group)
{
    uint32_t kept = 0, i;

    spill_encryption_begin(group, encryption->stamp);
    for (i = 0; i < encryption->count; i++) {
        struct spill_sa *sa = encryption->sas[i];

        if (group->count == 0 || sa == group->sas[0]) {
            spill_encryption_add(group, encryption->mbufs[i], encryption->packets[i], sa);
            continue;
        }
        encryption->mbufs[kept] = encryption->mbufs[i];
        encryption->packets[kept] = encryption->packets[i];
        encryption->sas[kept++] = sa;
    }
    encryption->count = kept;
}

static void submit_group(struct spill_fast *fast, struct spill_encryption *group)
{
    spill_encryption_submit(fast, group->sas[0], group->mbufs, group->packets, group->count,
                            group->stamp);
}

void spill_encryption_submit_list(struct spill_fast *fast, struct spill_encryption *encryption)
{
    struct spill_encryption group;

    if (!encryption->mixed) {
        submit_group(fast, encryption);
        return;
    }
    while (encryption->count > 0) {
        take_group(encryption, &group);
        submit_group(fast, &group);
    }
}
