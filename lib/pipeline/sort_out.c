/* SPDX-License-Identifier: BSD-3-Clause */
/* Fragments in a burst: to their connections, and to the lcores of those. */
#include "pipeline/sort_out.h"
#include "classify/datagrams.h"
#include "packet/parse_inside.h"
#include "pipeline/handover.h"

/* A burst that is sorted out. */
struct sorting {
    struct spill_fast *fast;
    struct rte_mbuf **mbufs; /* the first `kept` stay in the burst */
    struct spill_packet *packets;
    uint32_t kept;
    uint64_t stamp;
    enum spill_path path;
    spill_sort_out_then then;
};

static void go_on(struct sorting *sorting, struct rte_mbuf **mbufs, struct spill_packet *packets,
                  uint32_t count)
{
    if (count > 0)
        sorting->then(sorting->fast, mbufs, packets, count, sorting->stamp, sorting->path);
}

/* Whether the packet is another lcore's; it was sent there. */
static bool hand_on(const struct sorting *sorting, struct rte_mbuf *mbuf,
                    const struct spill_packet *packet, struct spill_sender *const *senders,
                    uint32_t owner)
{
    if (owner == sorting->fast->handover.self)
        return false;
    spill_handover_send(sorting->fast, senders[owner], mbuf, packet, sorting->stamp);
    return true;
}

/* The same for one whose ports are known. What came through an SA stays on the lcore of the SA. */
static bool hand_to_flow(const struct sorting *sorting, struct rte_mbuf *mbuf,
                         const struct spill_packet *packet)
{
    const struct spill_handover *handover = &sorting->fast->handover;

    return packet->inbound_sa == 0 && handover->count > 1 &&
           hand_on(sorting, mbuf, packet, handover->flows,
                   spill_handover_flow_owner(handover, packet));
}

/* The same for one whose ports may not be known. */
static bool hand_to_datagram(const struct sorting *sorting, struct rte_mbuf *mbuf,
                             const struct spill_packet *packet)
{
    const struct spill_handover *handover = &sorting->fast->handover;

    return packet->inbound_sa == 0 && handover->count > 1 &&
           hand_on(sorting, mbuf, packet, handover->datagrams,
                   spill_handover_datagram_owner(handover, packet));
}

/* The same for an ICMP error. Where software spreads, it came to the right lcore. */
static bool hand_to_related(const struct sorting *sorting, struct rte_mbuf *mbuf,
                            const struct spill_packet *packet)
{
    const struct spill_handover *handover = &sorting->fast->handover;
    struct spill_packet inside;

    if (!handover->by_device || handover->count == 1 || packet->kind > SPILL_PACKET_IPV6 ||
        packet->step != SPILL_STEP_ERROR || packet->inbound_sa != 0 ||
        !spill_parse_inside(mbuf, packet, &inside))
        return false;
    inside.input = packet->input;
    return hand_on(sorting, mbuf, packet, handover->flows,
                   spill_handover_flow_owner(handover, &inside));
}

static void keep(struct sorting *sorting, struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    sorting->mbufs[sorting->kept] = mbuf;
    sorting->packets[sorting->kept++] = *packet;
}

/* What waited for the first fragment that came just now. */
static void release(struct sorting *sorting)
{
    struct rte_mbuf *mbufs[SPILL_DATAGRAMS_WAITING_EACH];
    struct spill_packet packets[SPILL_DATAGRAMS_WAITING_EACH];
    uint32_t count = spill_datagrams_next(sorting->fast->datagrams, mbufs, packets);
    uint32_t kept = 0, i;

    for (i = 0; i < count; i++) {
        if (hand_to_flow(sorting, mbufs[i], &packets[i]))
            continue;
        mbufs[kept] = mbufs[i];
        packets[kept++] = packets[i];
    }
    if (kept == 0)
        return;
    go_on(sorting, sorting->mbufs, sorting->packets, sorting->kept);
    sorting->kept = 0;
    go_on(sorting, mbufs, packets, kept);
}

static void take(struct sorting *sorting, struct rte_mbuf *mbuf, struct spill_packet *packet)
{
    if (hand_to_datagram(sorting, mbuf, packet) ||
        !spill_datagrams_take(sorting->fast->datagrams, mbuf, packet, sorting->stamp))
        return;
    if (!hand_to_flow(sorting, mbuf, packet))
        keep(sorting, mbuf, packet);
    release(sorting);
}

void spill_sort_out(struct spill_fast *fast, struct rte_mbuf **mbufs, struct spill_packet *packets,
                    uint32_t count, uint64_t stamp, enum spill_path path, spill_sort_out_then then)
{
    struct sorting sorting = {fast, mbufs, packets, 0, stamp, path, then};
    uint32_t i;

    for (i = 0; i < count; i++) {
        if (packets[i].fragment != 0)
            take(&sorting, mbufs[i], &packets[i]);
        else if (!hand_to_related(&sorting, mbufs[i], &packets[i]))
            keep(&sorting, mbufs[i], &packets[i]);
    }
    go_on(&sorting, mbufs, packets, sorting.kept);
}
