/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/routing_path_mtu.h"

#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_cycles.h>
#include <rte_esp.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "base/dpdk_versions.h"
#include "ipsec/sa_set.h"
#include "packet/parse.h"

static SPILL_COUNTER(learned, "routing", "path_mtu_learned", "packets",
                     "ICMP errors that have lowered the path MTU of an association");
static SPILL_COUNTER(refused, "routing", "path_mtu_refused", "packets",
                     "ICMP errors about ESP that say nothing new, or that were not believed");

/* Type and code: "fragmentation needed", and "packet too big". */
#define TOO_BIG4 0x0304
#define TOO_BIG6 0x0200

#define ICMP_SIZE 8     /* the header, before what is quoted */
#define RECENT    65536 /* packets that an error may be late */

/* What an error says. */
struct quote {
    bool ipv6, udp;
    uint32_t mtu;
    uint32_t length; /* of the packet that is quoted */
    uint32_t spi, sequence;
    uint16_t port; /* in UDP: that it was sent from */
    uint8_t source[16], destination[16];
};

/* Whether an error's own checksum is right. */
static bool is_whole(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const uint32_t end = (uint32_t)packet->l3_offset + packet->length;
    uint32_t sum;
    uint16_t own;

    if (end < packet->l4_offset || end > rte_pktmbuf_pkt_len(mbuf) ||
        rte_raw_cksum_mbuf(mbuf, packet->l4_offset, end - packet->l4_offset, &own) != 0)
        return false;
    if (packet->kind == SPILL_PACKET_IPV4)
        return own == UINT16_MAX;
    if (packet->l4_offset - packet->l3_offset != sizeof(struct rte_ipv6_hdr))
        return false;
    sum = (uint32_t)own +
          rte_ipv6_phdr_cksum(
              rte_pktmbuf_mtod_offset(mbuf, const struct rte_ipv6_hdr *, packet->l3_offset), 0);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    return sum == UINT16_MAX;
}

/* The IPv4 header that is quoted: without options, as ours are, and of no later fragment. */
static bool read4(const uint8_t *ip, struct quote *quote)
{
    const struct rte_ipv4_hdr *header = (const struct rte_ipv4_hdr *)ip;

    memcpy(quote->source, &header->src_addr, sizeof(header->src_addr));
    memcpy(quote->destination, &header->dst_addr, sizeof(header->dst_addr));
    quote->length = rte_be_to_cpu_16(header->total_length);
    quote->udp = header->next_proto_id == IPPROTO_UDP;
    return header->version_ihl == RTE_IPV4_VHL_DEF &&
           (header->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK)) == 0 &&
           (quote->udp || header->next_proto_id == IPPROTO_ESP);
}

static bool read6(const uint8_t *ip, struct quote *quote)
{
    struct rte_ipv6_hdr header;

    memcpy(&header, ip, sizeof(header));
    memcpy(quote->source, spill_dpdk_ipv6(header.src_addr), sizeof(quote->source));
    memcpy(quote->destination, spill_dpdk_ipv6(header.dst_addr), sizeof(quote->destination));
    quote->length = (uint32_t)sizeof(header) + rte_be_to_cpu_16(header.payload_len);
    quote->udp = header.proto == IPPROTO_UDP;
    return ip[0] >> 4 == 6 && (quote->udp || header.proto == IPPROTO_ESP);
}

/* What stands behind the header that is quoted: mostly all of it is there (RFC 1812 4.3.2.3). */
static bool read_esp(const struct rte_mbuf *mbuf, uint32_t at, struct quote *quote)
{
    struct rte_udp_hdr udp_copy;
    struct rte_esp_hdr esp_copy;
    const struct rte_udp_hdr *udp;
    const struct rte_esp_hdr *esp;

    if (quote->udp) {
        udp = rte_pktmbuf_read(mbuf, at, sizeof(udp_copy), &udp_copy);
        if (udp == NULL)
            return false;
        quote->port = rte_be_to_cpu_16(udp->src_port);
        at += (uint32_t)sizeof(udp_copy);
    }
    esp = rte_pktmbuf_read(mbuf, at, sizeof(esp_copy), &esp_copy);
    if (esp == NULL)
        return false;
    quote->spi = rte_be_to_cpu_32(esp->spi);
    quote->sequence = rte_be_to_cpu_32(esp->seq);
    return true;
}

/* Whether an error says that an ESP packet was too big, and about which. */
static bool read_quote(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                       struct quote *quote)
{
    uint8_t copy[ICMP_SIZE + sizeof(struct rte_ipv6_hdr)];
    const bool ipv6 = packet->kind == SPILL_PACKET_IPV6;
    const uint32_t inside = ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
    const uint8_t *icmp = rte_pktmbuf_read(mbuf, packet->l4_offset, ICMP_SIZE + inside, copy);
    uint16_t type;
    uint32_t mtu;

    if (icmp == NULL)
        return false;
    memcpy(&type, icmp, sizeof(type));
    memcpy(&mtu, icmp + 4, sizeof(mtu)); /* of IPv4 the second half */
    if (rte_be_to_cpu_16(type) != (ipv6 ? TOO_BIG6 : TOO_BIG4))
        return false;
    quote->ipv6 = ipv6;
    quote->mtu = ipv6 ? rte_be_to_cpu_32(mtu) : rte_be_to_cpu_32(mtu) & UINT16_MAX;
    if (!(ipv6 ? read6(icmp + ICMP_SIZE, quote) : read4(icmp + ICMP_SIZE, quote)))
        return false;
    return read_esp(mbuf, packet->l4_offset + ICMP_SIZE + inside, quote);
}

/* Whether an SA has sent such a packet a short while ago, and it may have been too big. */
static bool is_credible(const struct spill_sa *sa, const struct quote *quote)
{
    const uint64_t last = atomic_load_explicit(&sa->state->sequence, memory_order_relaxed);

    return quote->udp == sa->config.nat_traversal &&
           (!quote->udp || quote->port == spill_sa_own_port(&sa->config)) && quote->mtu > 0 &&
           quote->mtu < quote->length && spill_path_mtu_has_sent(&sa->state->path, quote->length) &&
           quote->sequence > 0 && last > 0 && (uint32_t)last - quote->sequence < RECENT;
}

/* Whether what is quoted is, or says to be, ESP: at another port only that of an SA is. */
static bool is_esp(const struct spill_sa *sa, const struct quote *quote)
{
    return !quote->udp || quote->port == SPILL_SA_NAT_PORT ||
           (sa != NULL && quote->port == spill_sa_own_port(&sa->config));
}

static bool believe(const struct spill_sa *sa, const struct quote *quote, uint64_t stamp)
{
    const uint32_t least = quote->ipv6 ? SPILL_PATH_MTU_LEAST6 : SPILL_PATH_MTU_LEAST4;

    return sa != NULL && is_credible(sa, quote) &&
           spill_path_mtu_lower(&sa->state->path, (uint16_t)RTE_MAX(quote->mtu, least), stamp,
                                rte_get_tsc_hz());
}

void spill_routing_hear_errors(struct spill_fast *fast, struct rte_mbuf **mbufs,
                               const struct spill_packet *packets, uint32_t count, uint64_t stamp)
{
    const struct spill_sa *sa;
    struct quote quote;
    uint32_t i;

    for (i = 0; i < count; i++) {
        if (packets[i].kind > SPILL_PACKET_IPV6 || packets[i].step != SPILL_STEP_ERROR ||
            !read_quote(mbufs[i], &packets[i], &quote))
            continue;
        sa = spill_sa_sent_find(fast->version.generation->sas->sent, quote.spi, quote.ipv6,
                                quote.source, quote.destination);
        if (!is_esp(sa, &quote))
            continue;
        if (is_whole(mbufs[i], &packets[i]) && believe(sa, &quote, stamp))
            spill_ledger_count(&fast->ledger, &learned, 1);
        else
            spill_ledger_count(&fast->ledger, &refused, 1);
    }
}
