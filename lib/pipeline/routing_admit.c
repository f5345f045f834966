/* SPDX-License-Identifier: BSD-3-Clause */
/* The way in by a routed port: what it takes in, from whom, and what is the host's. */
#include <rte_ip.h>

#include "pipeline/drops.h"
#include "pipeline/host_ipsec.h"
#include "pipeline/routing_input.h"

static SPILL_DROP_REASON(reverse_path, "reverse_path",
                         "no route, or with rpf = strict none by the port that the packet came in "
                         "by, leads to the address that it comes from");

/* Whether any path of a group leaves by an interface. */
static bool leads_to(const struct spill_route_tables *tables, const struct spill_group *group,
                     union spill_group_head head, uint16_t interface)
{
    uint32_t i;

    for (i = 0; i <= head.mask; i++) {
        if (tables->hops[spill_group_hop(group, head, i)].interface == interface)
            return true;
    }
    return false;
}

/* Whether a packet comes from its link: it is for the host (routing_input.h), and no route tells.
 */
static bool is_from_link(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, packet->l3_offset);

    if (packet->kind == SPILL_PACKET_IPV6) {
        ip += offsetof(struct rte_ipv6_hdr, src_addr);
        return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
    }
    ip += offsetof(struct rte_ipv4_hdr, src_addr);
    return ip[0] == 169 && ip[1] == 254;
}

static bool source_is_good(const struct spill_routing *routing, uint64_t number,
                           const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const struct spill_group *group = &routing->tables->groups[number];
    const union spill_group_head head = spill_group_get(group);

    if (head.action != SPILL_ROUTE_FORWARD)
        return is_from_link(mbuf, packet);
    return routing->tables->rpf == SPILL_RPF_LOOSE ||
           leads_to(routing->tables, group, head, spill_routing_interface(routing, mbuf, packet));
}

bool spill_routing_source_is_good(const struct spill_routing *routing, struct rte_mbuf *mbuf,
                                  struct spill_packet *packet)
{
    uint64_t group;

    if (routing->tables->rpf == SPILL_RPF_OFF)
        return true;
    if (rte_pktmbuf_linearize(mbuf) != 0)
        return false;
    spill_routing_lookup(routing->tables, &mbuf, &packet, 1, SPILL_ROUTING_FROM, &group);
    return source_is_good(routing, group, mbuf, packet);
}

/* Moves a packet to the front, behind those that are kept. */
static void keep(struct rte_mbuf **mbufs, struct spill_packet *packets, uint32_t *kept, uint32_t i)
{
    if (*kept != i) {
        mbufs[*kept] = mbufs[i];
        packets[*kept] = packets[i];
    }
    (*kept)++;
}

/* Reverse path filtering (RFC 3704): returns how many are left. */
static __rte_noinline uint32_t filter(struct spill_fast *fast, struct rte_mbuf **mbufs,
                                      struct spill_packet *packets, struct spill_packet **pointers,
                                      uint32_t count)
{
    uint64_t groups[SPILL_BURST];
    uint32_t kept = 0, i;

    spill_routing_lookup(fast->routing.tables, mbufs, pointers, count, SPILL_ROUTING_FROM, groups);
    for (i = 0; i < count; i++) {
        if (source_is_good(&fast->routing, groups[i], mbufs[i], &packets[i]))
            keep(mbufs, packets, &kept, i);
        else
            spill_ledger_drop(&fast->ledger, &reverse_path, &mbufs[i], 1);
    }
    return kept;
}

/* What a routed port takes in, in order. */
uint32_t spill_routing_admit(struct spill_fast *fast, uint16_t port, struct rte_mbuf **mbufs,
                             struct spill_packet *packets, struct spill_packet **pointers,
                             uint32_t count, uint64_t stamp)
{
    uint32_t i;

    count = spill_routing_input(fast, port, mbufs, packets, count, stamp);
    for (i = 0; i < count; i++)
        pointers[i] = &packets[i];
    if (unlikely(fast->routing.tables->rpf != SPILL_RPF_OFF) && count > 0)
        count = filter(fast, mbufs, packets, pointers, count);
    return count;
}

/* Counts what no rule is asked about, as the default allows all. */
static void count_allowed(struct spill_fast *fast, const struct spill_packet *packets,
                          uint32_t count, uint64_t stamp)
{
    struct spill_rule_count *of = spill_flow_table_count_of(fast->flows, SPILL_RULE_TALLY_DEFAULT);
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < count; i++)
        bytes += packets[i].length;
    of->packets += count;
    of->bytes += bytes;
    of->last = stamp;
}

void spill_routing_take(struct spill_fast *fast, uint16_t port, struct rte_mbuf **mbufs,
                        struct spill_packet *packets, uint32_t count, uint64_t stamp)
{
    struct spill_packet *pointers[SPILL_BURST];

    count = spill_routing_admit(fast, port, mbufs, packets, pointers, count, stamp);
    if (count == 0)
        return;
    count_allowed(fast, packets, count, stamp);
    spill_routing_send(fast, mbufs, pointers, count, stamp, SPILL_PATH_FAST);
}

/* One packet for the host, in the clear. */
static void give(struct spill_fast *fast, struct rte_mbuf *mbuf, struct spill_packet *packet)
{
    const struct spill_drop_reason *reason = NULL;

    if (unlikely(fast->version.guards_host))
        reason = spill_host_refuses(fast, mbuf, packet);
    if (reason != NULL)
        spill_ledger_drop(&fast->ledger, reason, &mbuf, 1);
    else
        spill_routing_to_host(fast, mbuf, packet);
}

uint32_t spill_routing_give_host(struct spill_fast *fast, struct rte_mbuf **mbufs,
                                 struct spill_packet *packets, struct spill_packet **pointers,
                                 uint32_t count, uint64_t groups[])
{
    const struct spill_group *all = fast->routing.tables->groups;
    uint32_t kept = 0, i;

    spill_routing_lookup(fast->routing.tables, mbufs, pointers, count, SPILL_ROUTING_TO, groups);
    for (i = 0; i < count; i++) {
        /* What is judged takes the way of all: its route ends at the host. */
        if (unlikely(spill_group_get(&all[groups[i]]).action == SPILL_ROUTE_LOCAL)) {
            if (!fast->routing.host_rules ||
                spill_host_is_bypassed(fast, mbufs[i], &packets[i], false)) {
                give(fast, mbufs[i], &packets[i]);
                continue;
            }
            packets[i].for_host = 1;
        }
        groups[kept] = groups[i];
        keep(mbufs, packets, &kept, i);
    }
    return kept;
}
