/* SPDX-License-Identifier: BSD-3-Clause */
/* Routing: addresses, and their groups. */
#include <rte_ip.h>

#include "base/dpdk_versions.h"
#include "pipeline/routing.h"

static const size_t offsets4[] = {[SPILL_ROUTING_FROM] = offsetof(struct rte_ipv4_hdr, src_addr),
                                  [SPILL_ROUTING_TO] = offsetof(struct rte_ipv4_hdr, dst_addr)};
static const size_t offsets6[] = {[SPILL_ROUTING_FROM] = offsetof(struct rte_ipv6_hdr, src_addr),
                                  [SPILL_ROUTING_TO] = offsetof(struct rte_ipv6_hdr, dst_addr)};

/* The IPv6 packets of a burst. */
static __rte_noinline void lookup6(const struct spill_route_tables *tables, struct rte_mbuf **mbufs,
                                   struct spill_packet **packets, uint32_t count,
                                   enum spill_routing_end end, uint64_t groups[])
{
    uint8_t addresses[SPILL_BURST][16] = {{0}}, which[SPILL_BURST];
    uint64_t found[SPILL_BURST];
    uint32_t taken = 0, i;

    for (i = 0; i < count; i++) {
        if (packets[i]->kind != SPILL_PACKET_IPV6)
            continue;
        memcpy(addresses[taken],
               rte_pktmbuf_mtod_offset(mbufs[i], const uint8_t *,
                                       packets[i]->l3_offset + offsets6[end]),
               sizeof(addresses[0]));
        which[taken++] = (uint8_t)i;
    }
    rte_fib6_lookup_bulk(__atomic_load_n(&tables->fib6, __ATOMIC_ACQUIRE),
                         spill_dpdk_ipv6_keys(addresses), found, (int)taken);
    for (i = 0; i < taken; i++)
        groups[which[i]] = found[i];
}

void spill_routing_lookup(const struct spill_route_tables *tables, struct rte_mbuf **mbufs,
                          struct spill_packet **packets, uint32_t count, enum spill_routing_end end,
                          uint64_t groups[])
{
    uint32_t addresses[SPILL_BURST];
    uint32_t others = 0, i;

    for (i = 0; i < count; i++) {
        uint32_t address;

        memcpy(&address,
               rte_pktmbuf_mtod_offset(mbufs[i], const uint8_t *,
                                       packets[i]->l3_offset + offsets4[end]),
               sizeof(address));
        addresses[i] = rte_be_to_cpu_32(address); /* of IPv6 something else, which is ignored */
        others += packets[i]->kind != SPILL_PACKET_IPV4;
    }
    if (others < count)
        rte_fib_lookup_bulk(__atomic_load_n(&tables->fib4, __ATOMIC_ACQUIRE), addresses, groups,
                            (int)count);
    else
        memset(groups, 0, count * sizeof(groups[0])); /* no route, for what is of neither family */
    if (others > 0)
        lookup6(tables, mbufs, packets, count, end, groups);
}

struct spill_ip spill_routing_destination(struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, packet->l3_offset);
    uint32_t address;

    if (packet->kind == SPILL_PACKET_IPV6)
        return spill_ip_of6(ip + offsetof(struct rte_ipv6_hdr, dst_addr));
    memcpy(&address, ip + offsetof(struct rte_ipv4_hdr, dst_addr), sizeof(address));
    return spill_ip_of4(address);
}

uint64_t spill_routing_group_of(const struct spill_route_tables *tables, bool ipv6,
                                const uint8_t *address)
{
    uint8_t addresses[1][16];
    uint32_t address4;
    uint64_t group = 0;

    if (ipv6) {
        memcpy(addresses[0], address, sizeof(addresses[0]));
        rte_fib6_lookup_bulk(__atomic_load_n(&tables->fib6, __ATOMIC_ACQUIRE),
                             spill_dpdk_ipv6_keys(addresses), &group, 1);
        return group;
    }
    memcpy(&address4, address, sizeof(address4));
    address4 = rte_be_to_cpu_32(address4);
    rte_fib_lookup_bulk(__atomic_load_n(&tables->fib4, __ATOMIC_ACQUIRE), &address4, &group, 1);
    return group;
}
