/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP errors: whether a packet may be answered by one, and how it is made. */
#include "packet/icmp_error.h"

#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_ip.h>

#include "base/dpdk_versions.h"
#include "packet/answer.h"
#include "packet/parse.h"

/* Bytes of the whole IP packet that an error may have. */
#define MOST_IPV4 576
#define MOST_IPV6 1280

#define CLASS_CS6 0xc0 /* what has precedence 6, "internetwork control" (RFC 1812, 4.3.2.5) */

/* An error's header, of ICMPv4 and ICMPv6 alike: behind it stands the packet. */
struct icmp_error {
    uint8_t type;
    uint8_t code;
    uint16_t checksum;
    rte_be32_t mtu; /* ICMPv4 has two bytes for it, behind two of zero: the same for a uint16_t.
                     * Of a parameter problem the pointer, in ICMPv4 one byte before three of zero
                     */
} __attribute__((packed)); /* behind Ethernet, so not aligned */

#define ICMP4_UNREACHABLE          3
#define ICMP4_FRAGMENTATION_NEEDED 4
#define ICMP4_TIME_EXCEEDED        11
#define ICMP4_PARAMETER_PROBLEM    12
#define ICMP6_UNREACHABLE          1
#define ICMP6_TOO_BIG              2
#define ICMP6_TIME_EXCEEDED        3
#define ICMP6_PARAMETER_PROBLEM    4
#define ICMP6_FIRST_QUERY          128 /* all types below are errors */
#define ICMP6_REDIRECT             137

static bool is_error4(uint8_t type)
{
    switch (type) {
    case 3:  /* destination unreachable */
    case 4:  /* source quench */
    case 5:  /* redirect */
    case 11: /* time exceeded */
    case 12: /* parameter problem */
        return true;
    default:
        return false;
    }
}

/* Whether a packet is an ICMP error; one that ends before its type may be. */
static bool may_be_error(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const bool v4 = packet->kind == SPILL_PACKET_IPV4;
    const uint8_t protocol = spill_packet_claim(mbuf, packet);
    const uint8_t *type;
    uint8_t copy;

    if (packet->step == SPILL_STEP_ERROR) /* its key may be that of what it is about */
        return true;
    if (protocol != (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
        return false;
    type = rte_pktmbuf_read(mbuf, packet->l4_offset, sizeof(copy), &copy);
    if (type == NULL)
        return true;
    return v4 ? is_error4(*type) : *type < ICMP6_FIRST_QUERY || *type == ICMP6_REDIRECT;
}

bool spill_icmp_may_answer(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    if (!spill_answer_may_begin(mbuf, packet) || may_be_error(mbuf, packet))
        return false;
    if (packet->kind == SPILL_PACKET_IPV4)
        return spill_answer_is_to_host(mbuf, packet);
    /* IPv6: "packet too big" may answer what goes to a group, and later fragments (RFC 4443
     * 2.4 e 3), but those of ICMP, which may be of an error. */
    return spill_packet_claim(mbuf, packet) != IPPROTO_ICMPV6 ||
           !spill_answer_is_later_fragment(mbuf, packet);
}

/* Has an answer come from an address of ours. */
static void write_source(const struct spill_answer *answer, bool v4,
                         const struct spill_answer_source *source)
{
    struct rte_ipv4_hdr *ipv4 = answer->ip;
    struct rte_ipv6_hdr *ipv6 = answer->ip;

    if (v4) {
        ipv4->src_addr = source->address4;
        ipv4->hdr_checksum = 0;
        ipv4->hdr_checksum = rte_ipv4_cksum(ipv4);
    } else {
        memcpy(spill_dpdk_ipv6(ipv6->src_addr), source->address6, sizeof(source->address6));
    }
}

/* An error of this type and code; the caller has seen that there may be one. */
static struct rte_mbuf *make(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                             const struct icmp_error *header, const struct rte_ether_addr *own,
                             const struct spill_answer_source *source, struct rte_mempool *pool)
{
    const bool v4 = packet->kind == SPILL_PACKET_IPV4;
    const uint32_t before = (uint32_t)sizeof(*header) +
                            (v4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr));
    const uint32_t quoted =
        RTE_MIN((uint32_t)packet->length, (v4 ? MOST_IPV4 : MOST_IPV6) - before);
    const uint32_t length = (uint32_t)sizeof(*header) + quoted;
    struct spill_answer answer;
    struct icmp_error *icmp;

    if (!spill_answer_begin(mbuf, packet, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, CLASS_CS6, length,
                            own, pool, &answer))
        return NULL;
    if (source != NULL)
        write_source(&answer, v4, source);
    icmp = answer.payload;
    *icmp = *header;
    if (!spill_answer_copy(mbuf, packet->l3_offset, quoted, icmp + 1)) {
        rte_pktmbuf_free(answer.mbuf);
        return NULL;
    }
    /* ICMPv6 also has the addresses in its checksum. */
    icmp->checksum =
        v4 ? (uint16_t)~rte_raw_cksum(icmp, length) : rte_ipv6_udptcp_cksum(answer.ip, icmp);
    return answer.mbuf;
}

static struct icmp_error too_big(const struct spill_packet *packet, uint16_t mtu)
{
    const bool v4 = packet->kind == SPILL_PACKET_IPV4;

    return (struct icmp_error){
        .type = v4 ? ICMP4_UNREACHABLE : ICMP6_TOO_BIG,
        .code = v4 ? ICMP4_FRAGMENTATION_NEEDED : 0,
        .mtu = rte_cpu_to_be_32(mtu),
    };
}

struct rte_mbuf *spill_icmp_too_big(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                                    uint16_t mtu, const struct rte_ether_addr *own,
                                    struct rte_mempool *pool)
{
    const struct icmp_error header = too_big(packet, mtu);

    return spill_icmp_may_answer(mbuf, packet) ? make(mbuf, packet, &header, own, NULL, pool)
                                               : NULL;
}

struct rte_mbuf *spill_icmp_too_big_from(const struct rte_mbuf *mbuf,
                                         const struct spill_packet *packet, uint16_t mtu,
                                         const struct spill_answer_source *source,
                                         struct rte_mempool *pool)
{
    const struct icmp_error header = too_big(packet, mtu);

    return spill_icmp_may_answer(mbuf, packet) ? make(mbuf, packet, &header, NULL, source, pool)
                                               : NULL;
}

/* Types and codes, of ICMPv4 and ICMPv6. IPv4 has no scopes: there it is the host that can't be
 * reached. */
static const struct icmp_error refusals[][2] = {
    [SPILL_ICMP_NO_ROUTE] = {{ICMP4_UNREACHABLE, 0, 0, 0}, {ICMP6_UNREACHABLE, 0, 0, 0}},
    [SPILL_ICMP_HOST_UNREACHABLE] = {{ICMP4_UNREACHABLE, 1, 0, 0}, {ICMP6_UNREACHABLE, 3, 0, 0}},
    [SPILL_ICMP_PROHIBITED] = {{ICMP4_UNREACHABLE, 13, 0, 0}, {ICMP6_UNREACHABLE, 1, 0, 0}},
    [SPILL_ICMP_TIME_EXCEEDED] = {{ICMP4_TIME_EXCEEDED, 0, 0, 0}, {ICMP6_TIME_EXCEEDED, 0, 0, 0}},
    [SPILL_ICMP_BEYOND_SCOPE] = {{ICMP4_UNREACHABLE, 1, 0, 0}, {ICMP6_UNREACHABLE, 2, 0, 0}},
};

struct rte_mbuf *spill_icmp_refuse(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                                   enum spill_icmp_refusal refusal,
                                   const struct spill_answer_source *source,
                                   struct rte_mempool *pool)
{
    if (!spill_icmp_may_answer(mbuf, packet) || !spill_answer_is_to_host(mbuf, packet))
        return NULL;
    return make(mbuf, packet, &refusals[refusal][packet->kind == SPILL_PACKET_IPV6], NULL, source,
                pool);
}

struct rte_mbuf *spill_icmp_problem(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                                    const struct spill_parse_problem *problem,
                                    const struct spill_answer_source *source,
                                    struct rte_mempool *pool)
{
    const bool v4 = packet->kind == SPILL_PACKET_IPV4;
    const struct icmp_error header = {
        .type = v4 ? ICMP4_PARAMETER_PROBLEM : ICMP6_PARAMETER_PROBLEM,
        .code = problem->code,
        .mtu = rte_cpu_to_be_32(v4 ? problem->pointer << 24 : problem->pointer),
    };

    if (!spill_icmp_may_answer(mbuf, packet) || !spill_answer_is_to_host(mbuf, packet))
        return NULL;
    return make(mbuf, packet, &header, NULL, source, pool);
}

struct rte_mbuf *spill_icmp_prohibited(const struct rte_mbuf *mbuf,
                                       const struct spill_packet *packet, struct rte_mempool *pool)
{
    return spill_icmp_refuse(mbuf, packet, SPILL_ICMP_PROHIBITED, NULL, pool);
}
