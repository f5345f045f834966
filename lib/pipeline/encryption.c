/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets to encrypt: by SA into lanes or inline, and out again. */
#include "pipeline/encryption.h"

#include "ipsec/esp.h"
#include "pipeline/place.h"
#include "pipeline/too_big.h"

static SPILL_DROP_REASON(pool_full_encrypt, "pool_full_encrypt",
                         "the packet was to be encrypted, and the class had no credit left");
SPILL_DROP_REASON(spill_drop_esp_fragment, "esp_fragment",
                  "a fragment that was to be protected in transport mode, or ESP in fragments");

/* One SA's packets of a burst. */
struct group {
    struct spill_sa_lcore *sa;
    uint32_t lane;
    uint32_t mtu, l3_size; /* of the packet that `room` is for */
    uint32_t room;
    uint64_t stamp;
    uint32_t refused_count;
    struct rte_mbuf *refused[SPILL_BURST];
};

struct spill_class spill_encryption_class(struct spill_crypto *crypto, uint32_t capacity,
                                          enum spill_dispatch dispatch)
{
    return (struct spill_class){
        .name = "encrypt",
        .work = spill_esp_encrypt,
        .begin = spill_esp_take_numbers,
        .defers = spill_crypto_is_asynchronous(crypto),
        .context = crypto,
        .capacity = capacity,
        .dispatch = spill_crypto_is_asynchronous(crypto) ? SPILL_DISPATCH_POOL : dispatch,
    };
}

/* A job that is done: its frames go to the ports, what failed is dropped under its reason. */
static void retire(struct spill_job *job, void *owner)
{
    struct spill_fast *fast = owner;
    struct spill_sa_lcore *sa = spill_sa_of(job)->lcores[fast->lcore_id];
    enum spill_way way = job->lane == SPILL_LANE_INLINE ? SPILL_WAY_FAST : SPILL_WAY_POOL;
    struct rte_mbuf *done[SPILL_JOB_PACKETS];
    uint8_t inputs[SPILL_JOB_PACKETS];
    uint32_t count = 0, i;

    for (i = 0; i < job->count; i++) {
        const struct spill_packet *packet = spill_packet_of(job->mbufs[i]);

        if (unlikely(packet->kind == SPILL_PACKET_MALFORMED)) {
            spill_ledger_drop(&fast->ledger, spill_drop_reason_get(packet->drop), &job->mbufs[i],
                              1);
            continue;
        }
        inputs[count] = packet->input;
        done[count++] = job->mbufs[i];
    }
    sa->packets += count;
    spill_fast_send(fast, done, inputs, count, job->stamp, way);
}

void spill_encryption_attach(struct spill_fast *fast)
{
    spill_submitter_on_retire(fast->submitter, SPILL_CLASS_ENCRYPT, retire, fast);
}

static __rte_always_inline void place_or_refuse(struct spill_fast *fast, struct group *group,
                                                struct rte_mbuf *mbuf,
                                                const struct spill_packet *packet)
{
    if (unlikely(!spill_place(fast, SPILL_CLASS_ENCRYPT, group->lane, &group->sa->subject, mbuf,
                              packet, 0, group->stamp)))
        group->refused[group->refused_count++] = mbuf;
}

/* Full: the refused go at once. */
static void drop_refused(struct spill_fast *fast, struct group *group)
{
    if (group->refused_count > 0)
        spill_ledger_drop(&fast->ledger, &pool_full_encrypt, group->refused, group->refused_count);
    group->refused_count = 0;
}

/* A packet that protection would make too big: in tunnel mode its fragments go the same way. Not
 * inlined: hardly ever called. */
static __rte_noinline void submit_too_big(struct spill_fast *fast, struct group *group,
                                          struct rte_mbuf *mbuf, const struct spill_packet *packet,
                                          uint32_t room)
{
    struct rte_mbuf *fragments[SPILL_FRAGMENTS_MAX];
    struct spill_packet fragment = *packet;
    uint32_t count = 0, i;

    if (group->sa->sa->config.mode == SPILL_SA_TUNNEL)
        count = spill_too_big_split(fast, mbuf, packet, room, fragments);
    if (count == 0) {
        spill_too_big_drop(fast, mbuf, packet, room, group->stamp);
        return;
    }
    /* What stands before it must not be overtaken, nor the inline job be filled over its end. */
    spill_inline_run(fast->submitter, SPILL_CLASS_ENCRYPT);
    drop_refused(fast, group);
    fragment.fragment = 1;
    for (i = 0; i < count; i++)
        place_or_refuse(fast, group, fragments[i], &fragment);
    spill_inline_run(fast->submitter, SPILL_CLASS_ENCRYPT);
    drop_refused(fast, group);
}

/* How large a packet may be: mostly as the one before it. */
static uint32_t room_for(const struct spill_fast *fast, struct group *group,
                         const struct spill_packet *packet)
{
    uint32_t mtu = fast->paths[packet->input].mtu;
    uint32_t l3_size = (uint32_t)packet->l4_offset - packet->l3_offset;

    if (unlikely(mtu != group->mtu || l3_size != group->l3_size)) {
        group->room = spill_sa_room(group->sa->sa, mtu, l3_size);
        group->mtu = mtu;
        group->l3_size = l3_size;
    }
    return group->room;
}

static void submit(struct spill_fast *fast, struct group *group, struct rte_mbuf *mbuf,
                   const struct spill_packet *packet)
{
    const struct spill_sa *sa = group->sa->sa;
    uint32_t room = room_for(fast, group, packet);

    if (unlikely(packet->fragment != 0 && sa->config.mode == SPILL_SA_TRANSPORT))
        spill_ledger_drop(&fast->ledger, &spill_drop_esp_fragment, &mbuf, 1);
    else if (unlikely(rte_pktmbuf_pkt_len(mbuf) - packet->l3_offset > room))
        submit_too_big(fast, group, mbuf, packet, room);
    else
        place_or_refuse(fast, group, mbuf, packet);
}

/* Submits all packets of the SA of the first one from `first` on, and takes them off the list. */
static void submit_group(struct spill_fast *fast, struct spill_encryption *encryption,
                         uint32_t first)
{
    struct spill_sa *sa = encryption->sas[first];
    struct group group = {
        .sa = sa->lcores[fast->lcore_id],
        .lane = sa->lane & (fast->submitter->lane_count - 1),
        .stamp = encryption->stamp,
    };
    uint32_t i;

    for (i = first; i < encryption->count; i++) {
        if (encryption->sas[i] != sa)
            continue;
        encryption->sas[i] = NULL;
        submit(fast, &group, encryption->mbufs[i], encryption->packets[i]);
    }
    spill_inline_run(fast->submitter, SPILL_CLASS_ENCRYPT);
    drop_refused(fast, &group);
}

void spill_encryption_submit(struct spill_fast *fast, struct spill_encryption *encryption)
{
    uint32_t i;

    for (i = 0; i < encryption->count; i++) {
        if (encryption->sas[i] != NULL)
            submit_group(fast, encryption, i);
    }
}
