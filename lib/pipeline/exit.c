/* SPDX-License-Identifier: BSD-3-Clause */
/* The exit: whether packets fit the port that they leave by, and what becomes of those that don't.
 */
#include "pipeline/exit.h"

#include <string.h>

#include <rte_ether.h>

#include "base/clock.h"
#include "pipeline/drops.h"
#include "pipeline/fast.h"
#include "pipeline/too_big.h"

static SPILL_DROP_REASON(tx_too_big, "tx_too_big",
                         "the packet is larger than the port that it leaves by can carry, and is "
                         "not IPv4 without \"don't fragment\"; its sender is told");
static SPILL_DROP_REASON(
    tx_too_many_segments, "tx_too_many_segments",
    "the packet has more segments than the device takes, and does not fit into one");
static SPILL_DROP_REASON(
    tx_too_short, "tx_too_short",
    "the frame is shorter than the device's least, and its buffer has no room for padding");

static SPILL_COUNTER(linearized, "exits", "linearized", "packets",
                     "made one segment, as the device takes no more");
static SPILL_COUNTER(padded, "exits", "padded", "packets",
                     "made as long as the device's least frame");
static SPILL_COUNTER(shortened, "exits", "cut", "packets",
                     "freed of bytes behind the IP packet, with which the frame was too long");

/* Frames that are sent together, where each was looked at for itself. */
#define READY_MAX (SPILL_BURST + SPILL_FRAGMENTS_MAX)

/* Bytes of a frame that fits whatever it is. */
static uint32_t largest_of(const struct spill_port_limits *limits)
{
    return RTE_MIN((uint32_t)limits->packet + RTE_ETHER_HDR_LEN, (uint32_t)limits->frame);
}

void spill_exit_init(struct spill_exit *exit, const struct spill_port *port,
                     struct spill_output *output)
{
    *exit = (struct spill_exit){
        .output = output,
        .limits = port->limits,
        .mtu = port->mtu,
        .most_packet = port->limits.packet,
        .most_mtu = port->mtu,
        .largest = largest_of(&port->limits),
        .only_largest = port->limits.least == 0 && port->limits.segments == UINT16_MAX,
        .address = port->address,
    };
}

static void follow(struct spill_exit *exit, struct spill_link link)
{
    const uint16_t mtu = link.mtu != 0 ? link.mtu : UINT16_MAX;

    exit->lost = link.lost;
    exit->limits.packet = (uint16_t)RTE_MIN(exit->most_packet, mtu);
    exit->mtu = (uint16_t)RTE_MIN(exit->most_mtu, mtu);
    exit->largest = link.lost ? 0 : largest_of(&exit->limits);
}

void spill_exits_follow(struct spill_exits *exits)
{
    uint32_t i;

    exits->links_version = spill_links_version(exits->links);
    for (i = 0; i < RTE_MAX_ETHPORTS; i++) {
        if (exits->ports[i].output != NULL)
            follow(&exits->ports[i], spill_links_get(&exits->links->ports[i]));
    }
}

bool spill_exit_fits_all(const struct spill_exit *exit, struct rte_mbuf **mbufs, uint32_t count)
{
    uint32_t largest = 0, least = UINT32_MAX, segments = 0, i;

    for (i = 0; i < count; i++) {
        largest = RTE_MAX(largest, rte_pktmbuf_pkt_len(mbufs[i]));
        least = RTE_MIN(least, rte_pktmbuf_pkt_len(mbufs[i]));
        segments = RTE_MAX(segments, mbufs[i]->nb_segs);
    }
    return largest <= exit->largest && least >= exit->limits.least &&
           segments <= exit->limits.segments;
}

static bool is_tag(rte_be16_t type)
{
    return type == RTE_BE16(RTE_ETHER_TYPE_VLAN) || type == RTE_BE16(RTE_ETHER_TYPE_QINQ);
}

/* Bytes that the frame's tags may add to its port's MTU. */
static uint32_t tag_bytes(const struct spill_port_limits *limits, const struct rte_mbuf *mbuf)
{
    struct {
        struct rte_ether_hdr ether;
        struct rte_vlan_hdr tag;
    } copy;
    const struct rte_ether_hdr *ether = rte_pktmbuf_read(mbuf, 0, sizeof(copy), &copy);
    const struct rte_vlan_hdr *tag;

    if (ether == NULL || !is_tag(ether->ether_type))
        return 0;
    if (limits->kernel_tag)
        return ether->ether_type == RTE_BE16(RTE_ETHER_TYPE_VLAN) ? RTE_VLAN_HLEN : 0;
    tag = (const struct rte_vlan_hdr *)(ether + 1);
    return is_tag(tag->eth_proto) ? 2 * RTE_VLAN_HLEN : RTE_VLAN_HLEN;
}

/* Bytes of the largest frame with the tags that this one has. */
static uint32_t frame_limit(const struct spill_port_limits *limits, const struct rte_mbuf *mbuf)
{
    return RTE_MIN((uint32_t)limits->packet + RTE_ETHER_HDR_LEN + tag_bytes(limits, mbuf),
                   (uint32_t)limits->frame);
}

uint32_t spill_exit_room(const struct spill_exits *exits, const struct rte_mbuf *mbuf,
                         const struct spill_packet *packet)
{
    const struct spill_exit *exit = &exits->ports[packet->output];
    uint32_t room = frame_limit(&exit->limits, mbuf);

    room -= RTE_MIN(room, (uint32_t)packet->l3_offset);
    return RTE_MIN(room, (uint32_t)exit->mtu);
}

uint32_t spill_exit_room_behind(const struct spill_exit *exit, uint32_t link)
{
    const struct spill_port_limits *limits = &exit->limits;
    const uint32_t room = RTE_MIN((uint32_t)limits->packet, (uint32_t)limits->frame - link);

    return RTE_MIN(room, (uint32_t)exit->mtu);
}

/* ------------------------------------------------------------------ what is made to fit */

static void drop(struct spill_fast *fast, const struct spill_drop_reason *reason,
                 struct rte_mbuf *mbuf)
{
    spill_ledger_drop(&fast->ledger, reason, &mbuf, 1);
}

static bool is_ip(const struct spill_packet *packet)
{
    return packet->kind == SPILL_PACKET_IPV4 || packet->kind == SPILL_PACKET_IPV6;
}

/* Cuts a frame to so many bytes, at least one. */
static void cut(struct rte_mbuf *mbuf, uint32_t length)
{
    struct rte_mbuf *last = mbuf;
    uint32_t left = length;

    for (mbuf->nb_segs = 1; left > last->data_len; mbuf->nb_segs++) {
        left -= last->data_len;
        last = last->next;
    }
    last->data_len = (uint16_t)left;
    rte_pktmbuf_free(last->next);
    last->next = NULL;
    mbuf->pkt_len = length;
}

/* Work that copies a packet, when there is time for it; what it took is paid. */
static bool linearize(struct spill_fast *fast, struct rte_mbuf *mbuf)
{
    uint64_t began = spill_clock();
    int status;

    if (fast->exits.fitting.left <= 0) {
        drop(fast, &spill_drop_tx_fit_limit, mbuf);
        return false;
    }
    status = rte_pktmbuf_linearize(mbuf);
    spill_allowance_spend(&fast->exits.fitting, spill_clock() - began);
    if (status != 0)
        drop(fast, &tx_too_many_segments, mbuf);
    spill_ledger_count(&fast->ledger, &linearized, status == 0);
    return status == 0;
}

/* What stands in padding must tell nobody anything: it is zeros. */
static bool pad(struct spill_fast *fast, struct rte_mbuf *mbuf, uint32_t least)
{
    uint16_t missing = (uint16_t)(least - rte_pktmbuf_pkt_len(mbuf));
    char *padding = rte_pktmbuf_append(mbuf, missing);

    if (padding == NULL) {
        drop(fast, &tx_too_short, mbuf);
        return false;
    }
    memset(padding, 0, missing);
    spill_ledger_count(&fast->ledger, &padded, 1);
    return true;
}

/* Segments and least size. False: it was dropped. */
static bool suit(struct spill_fast *fast, const struct spill_exit *exit, struct rte_mbuf *mbuf)
{
    if (mbuf->nb_segs > exit->limits.segments && !linearize(fast, mbuf))
        return false;
    return rte_pktmbuf_pkt_len(mbuf) >= exit->limits.least || pad(fast, mbuf, exit->limits.least);
}

/* A packet that is too large for its output: its fragments, if it may have any. Returns how many.
 */
static uint32_t split(struct spill_fast *fast, const struct spill_exit *exit, struct rte_mbuf *mbuf,
                      const struct spill_packet *packet, uint32_t room, uint64_t stamp,
                      struct rte_mbuf **fragments)
{
    const uint8_t input = packet->input; /* it may stand in the mbuf */
    /* A port without a limit but its driver's takes a packet whole or not at all. */
    const bool whole = exit->limits.packet == UINT16_MAX;
    struct rte_mbuf *answer;
    uint32_t kept = 0, count, i;

    count = spill_too_big(fast, &tx_too_big, mbuf, packet, room, stamp, whole ? NULL : fragments,
                          &answer);
    if (answer != NULL)
        spill_exit_answer(fast, answer, input, stamp);
    for (i = 0; !whole && i < count; i++) {
        if (suit(fast, exit, fragments[i]))
            fragments[kept++] = fragments[i];
    }
    return kept;
}

/* One packet: writes the frames to send in its place, and returns how many they are. */
static uint32_t fit(struct spill_fast *fast, const struct spill_exit *exit, struct rte_mbuf *mbuf,
                    const struct spill_packet *packet, uint64_t stamp, struct rte_mbuf **ready)
{
    uint32_t limit = frame_limit(&exit->limits, mbuf);

    if (exit->lost) {
        drop(fast, &spill_drop_tx_link_down, mbuf);
        return 0;
    }
    if (rte_pktmbuf_pkt_len(mbuf) > limit) {
        uint32_t end = (uint32_t)packet->l3_offset + packet->length;

        if (!is_ip(packet) || end > limit)
            return split(fast, exit, mbuf, packet,
                         limit - RTE_MIN(limit, (uint32_t)packet->l3_offset), stamp, ready);
        cut(mbuf, end);
        spill_ledger_count(&fast->ledger, &shortened, 1);
    }
    ready[0] = mbuf;
    return suit(fast, exit, mbuf) ? 1 : 0;
}

/* --------------------------------------------------------------------------------- sending */

/* A burst in which not everything fits: each packet is looked at. */
static __rte_noinline void fit_and_send(struct spill_fast *fast, const struct spill_exit *exit,
                                        struct rte_mbuf **mbufs, struct spill_packet **packets,
                                        uint32_t count, uint64_t stamp, enum spill_path path)
{
    struct rte_mbuf *ready[READY_MAX];
    uint32_t waiting = 0, i;

    for (i = 0; i < count; i++) {
        waiting += fit(fast, exit, mbufs[i], packets[i], stamp, ready + waiting);
        if (waiting >= SPILL_BURST) {
            spill_output_send(exit->output, ready, waiting, stamp, path);
            waiting = 0;
        }
    }
    spill_output_send(exit->output, ready, waiting, stamp, path);
}

static void send_run(struct spill_fast *fast, struct rte_mbuf **mbufs,
                     struct spill_packet **packets, uint32_t count, uint64_t stamp,
                     enum spill_path path)
{
    const struct spill_exit *exit = &fast->exits.ports[packets[0]->output];

    if (likely(spill_exit_send_all(exit, mbufs, count, stamp, path)))
        return;
    if (packets[0]->output == SPILL_OUTPUT_ROUTE) /* where nothing fits */
        spill_routing_send(fast, mbufs, packets, count, stamp, path);
    else
        fit_and_send(fast, exit, mbufs, packets, count, stamp, path);
}

void spill_exit_send(struct spill_fast *fast, struct rte_mbuf **mbufs,
                     struct spill_packet **packets, uint32_t count, uint64_t stamp,
                     enum spill_path path)
{
    uint32_t first, end;

    for (first = 0; first < count; first = end) {
        const uint8_t output = packets[first]->output;

        for (end = first + 1; end < count && packets[end]->output == output; end++)
            ;
        send_run(fast, mbufs + first, packets + first, end - first, stamp, path);
    }
}

bool spill_exit_send_all(const struct spill_exit *exit, struct rte_mbuf **mbufs, uint32_t count,
                         uint64_t stamp, enum spill_path path)
{
    if (unlikely(!spill_exit_fits(exit, mbufs, count)))
        return false;
    spill_output_send(exit->output, mbufs, count, stamp, path);
    return true;
}

void spill_exit_send_burst(struct spill_fast *fast, uint16_t input, struct rte_mbuf **mbufs,
                           struct spill_packet *packets, uint32_t count, uint64_t stamp)
{
    const uint8_t output = spill_exit_of(&fast->exits, (uint8_t)input);
    const struct spill_exit *exit = &fast->exits.ports[output];
    struct spill_packet *pointers[SPILL_BURST];
    uint32_t i;

    if (likely(spill_exit_send_all(exit, mbufs, count, stamp, SPILL_PATH_FAST)))
        return;
    for (i = 0; i < count; i++) {
        packets[i].input = (uint8_t)input;
        packets[i].output = output;
        pointers[i] = &packets[i];
    }
    fit_and_send(fast, exit, mbufs, pointers, count, stamp, SPILL_PATH_FAST);
}

void spill_exit_answer(struct spill_fast *fast, struct rte_mbuf *answer, uint8_t input,
                       uint64_t stamp)
{
    struct spill_packet packet = {.kind = SPILL_PACKET_OTHER, .output = input};
    struct spill_packet *pointer = &packet;

    fast->ledger.originated++;
    if (fast->routing.routed[input])
        spill_routing_originate(fast, answer, input, stamp);
    else
        spill_exit_send(fast, &answer, &pointer, 1, stamp, SPILL_PATH_FAST);
}
