/* SPDX-License-Identifier: BSD-3-Clause */
/* ESP inbound: from frames with ESP to the frames inside, parsed again. */
#include "ipsec/esp.h"

#include <netinet/in.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_lcore.h>
#include <rte_udp.h>

#include "ipsec/ecn.h"
#include "ipsec/esp_frame.h"
#include "ipsec/nat_checksum.h"
#include "packet/dscp.h"
#include "packet/parse.h"

SPILL_DROP_REASON(spill_esp_malformed, "esp_malformed",
                  "the ESP packet is too short for its association, or its length fits no block");
SPILL_DROP_REASON(spill_esp_bad_icv, "esp_bad_icv",
                  "the packet is forged, damaged, or encrypted with another key");
SPILL_DROP_REASON(spill_esp_bad_padding, "esp_bad_padding",
                  "an authentic packet's padding is not as RFC 4303 wants it");
SPILL_DROP_REASON(spill_esp_next_header, "esp_next_header",
                  "an authentic packet of a tunnel carries neither IPv4 nor IPv6");
SPILL_DROP_REASON(spill_esp_dummy, "esp_dummy",
                  "an authentic packet without content (RFC 4303, 2.6)");
SPILL_DROP_REASON(spill_esp_congestion, "esp_congestion",
                  "congestion was marked outside on a packet that knows no such mark (RFC 6040)");
SPILL_DROP_REASON(spill_esp_replayed, "esp_replayed", "the sequence number was there before");

/* mbuf's own fields have so many bits: rte_ipsec goes by them. */
#define L3_SIZE_MAX ((1u << RTE_MBUF_L3_LEN_BITS) - 1)

/* Pad length and next header, in front of the ICV. */
struct trailer {
    uint8_t pad_length;
    uint8_t next_header;
};

/* ------------------------------------------------------------------------- before the crypto */

/* Takes the UDP header from between the IP header and ESP, in transport mode. */
static void strip_udp(struct rte_mbuf *mbuf, struct spill_packet *packet)
{
    uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
    uint32_t l3_size = (uint32_t)packet->l4_offset - packet->l3_offset;
    uint8_t *ip;

    memmove(frame + sizeof(struct rte_udp_hdr), frame, packet->l4_offset);
    ip = (uint8_t *)rte_pktmbuf_adj(mbuf, sizeof(struct rte_udp_hdr)) + packet->l3_offset;
    if (packet->kind == SPILL_PACKET_IPV6)
        *spill_esp_next_header_field(ip, l3_size) = IPPROTO_ESP;
    else
        ((struct rte_ipv4_hdr *)ip)->next_proto_id = IPPROTO_ESP;
}

static uint8_t traffic_class(const uint8_t *ip, bool ipv6)
{
    if (ipv6)
        return (uint8_t)(rte_be_to_cpu_32(((const struct rte_ipv6_hdr *)ip)->vtc_flow) >>
                         RTE_IPV6_HDR_TC_SHIFT);
    return ((const struct rte_ipv4_hdr *)ip)->type_of_service;
}

/* Notes what the packet inside will want to know of what is around it. */
static void note_outside(const struct rte_mbuf *mbuf, struct spill_packet *packet)
{
    const uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, packet->l3_offset);
    bool ipv6 = packet->kind == SPILL_PACKET_IPV6;
    uint8_t zone = ipv6 ? packet->key.v6.zone : packet->key.v4.zone;
    struct spill_esp_note *note = spill_esp_note_of(packet);

    note->zone = (zone & (uint8_t)~SPILL_FLOW_FRAGMENT) ^ packet->direction;
    note->outer_tos = traffic_class(ip, ipv6);
    memcpy(note->link, ip - sizeof(note->link), sizeof(note->link));
}

/* Where it comes from is told once it has turned out to be authentic: until then it stands in a
 * field of the mbuf's that nobody else needs. */
static void note_place(struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const struct rte_udp_hdr *udp =
        rte_pktmbuf_mtod_offset(mbuf, const struct rte_udp_hdr *, packet->l4_offset);
    const struct rte_ipv4_hdr *ip =
        rte_pktmbuf_mtod_offset(mbuf, const struct rte_ipv4_hdr *, packet->l3_offset);

    mbuf->hash.fdir.lo = ip->src_addr;
    mbuf->hash.fdir.hi = rte_be_to_cpu_16(udp->src_port);
}

/* Cuts off what IP has behind a UDP datagram, whose length parsing has found to be in it. */
static void cut_to_udp(struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const struct rte_udp_hdr *udp =
        rte_pktmbuf_mtod_offset(mbuf, const struct rte_udp_hdr *, packet->l4_offset);

    spill_esp_cut(mbuf, (uint32_t)packet->l4_offset + rte_be_to_cpu_16(udp->dgram_len));
}

/* Makes a packet what rte_ipsec expects: lengths in the mbuf, nothing behind the ICV. */
static bool make_ready(const struct spill_sa *sa, struct rte_mbuf *mbuf)
{
    struct spill_packet *packet = spill_packet_of(mbuf);
    uint32_t l3_size = (uint32_t)packet->l4_offset - packet->l3_offset;

    if (!spill_esp_trim(mbuf, packet))
        return false;
    note_outside(mbuf, packet);
    if (sa->udp_size > 0)
        cut_to_udp(mbuf, packet);
    if (sa->config.roams)
        note_place(mbuf, packet);
    if (sa->udp_size > 0 && sa->config.mode == SPILL_SA_TRANSPORT)
        strip_udp(mbuf, packet);
    else
        l3_size += sa->udp_size;
    if (unlikely(l3_size > L3_SIZE_MAX ||
                 rte_pktmbuf_pkt_len(mbuf) < packet->l3_offset + l3_size + sa->least)) {
        spill_esp_fail(mbuf, &spill_esp_malformed);
        return false;
    }
    mbuf->tx_offload = rte_mbuf_tx_offload(packet->l3_offset, l3_size, 0, 0, 0, 0, 0);
    return true;
}

/*
 * Has rte_ipsec prepare a job's packets. Its SA is made anew for that, with the number that the
 * window ended at when the job was opened: from there the high halves of numbers are found.
 */
static uint32_t unwrap_all(struct spill_job *job, struct spill_sa_lcore *lcore,
                           struct rte_crypto_op **ops)
{
    struct rte_mbuf *mbufs[SPILL_JOB_PACKETS];
    uint32_t count = 0, ready, family, i;

    for (i = 0; i < job->count; i++) {
        if (make_ready(lcore->sa, job->mbufs[i]))
            mbufs[count++] = job->mbufs[i];
    }
    if (count == 0)
        return 0;
    for (family = 0; family < 2; family++) {
        lcore->parameters[family].ipsec_xform.esn.value = job->serial;
        rte_ipsec_sa_init(lcore->sessions[family].sa, &lcore->parameters[family],
                          (uint32_t)lcore->sa_size);
    }
    ready = rte_ipsec_pkt_crypto_prepare(&lcore->sessions[0], mbufs, ops, (uint16_t)count);
    for (i = ready; i < count; i++)
        spill_esp_fail(mbufs[i], &spill_esp_malformed);
    return ready;
}

/* -------------------------------------------------------------------------- after the crypto */

/* Whether a packet was decrypted; one that turned out to be forged has failed. */
static bool is_authentic(struct rte_mbuf *mbuf)
{
    if (spill_packet_of(mbuf)->kind == SPILL_PACKET_MALFORMED)
        return false;
    if (likely((mbuf->ol_flags & RTE_MBUF_F_RX_SEC_OFFLOAD_FAILED) == 0))
        return true;
    mbuf->ol_flags &= ~(RTE_MBUF_F_RX_SEC_OFFLOAD_FAILED | RTE_MBUF_F_RX_SEC_OFFLOAD);
    spill_esp_fail(mbuf, &spill_esp_bad_icv);
    return false;
}

/*
 * Whether rte_ipsec may take the ESP off an authentic packet: it carries something. Finds the
 * family of what is inside.
 */
static bool is_sound(const struct spill_sa *sa, struct rte_mbuf *mbuf, bool *ipv6)
{
    struct spill_packet *packet = spill_packet_of(mbuf);
    const struct trailer *trailer;

    /* Authentic: from here on the packet counts in the SA's window, whatever is wrong with it. */
    packet->inbound_sa = sa->id;
    trailer = rte_pktmbuf_mtod_offset(mbuf, const struct trailer *,
                                      rte_pktmbuf_pkt_len(mbuf) - sa->high_size -
                                          sa->config.algorithm->icv_size - sizeof(*trailer));
    *ipv6 = sa->config.mode == SPILL_SA_TUNNEL ? trailer->next_header == IPPROTO_IPV6
                                               : packet->kind == SPILL_PACKET_IPV6;
    if (unlikely(trailer->next_header == IPPROTO_NONE))
        spill_esp_fail(mbuf, &spill_esp_dummy);
    else if (unlikely(sa->config.mode == SPILL_SA_TUNNEL && !*ipv6 &&
                      trailer->next_header != IPPROTO_IPIP))
        spill_esp_fail(mbuf, &spill_esp_next_header);
    return packet->kind != SPILL_PACKET_MALFORMED;
}

/* Takes ESP off packets of one family inside. Those it can't be taken off have failed afterwards.
 */
static uint32_t take_off(struct spill_sa_lcore *lcore, bool ipv6, struct rte_mbuf **mbufs,
                         uint32_t count)
{
    uint32_t good, i;

    for (i = 0; i < count; i++)
        spill_esp_note_of(spill_packet_of(mbufs[i]))->length = rte_pktmbuf_pkt_len(mbufs[i]);
    good = rte_ipsec_pkt_process(&lcore->sessions[ipv6], mbufs, (uint16_t)count);
    for (i = good; i < count; i++) {
        bool whole =
            spill_esp_note_of(spill_packet_of(mbufs[i]))->length == rte_pktmbuf_pkt_len(mbufs[i]);

        /* It looks at the padding first; a number it knows already stood in this job twice. */
        spill_esp_fail(mbufs[i], whole ? &spill_esp_bad_padding : &spill_esp_replayed);
    }
    return good;
}

/* Marks of congestion go from the outer header to the packet inside. */
static void pass_congestion_on(struct rte_mbuf *mbuf, struct spill_packet *packet, uint8_t outer)
{
    uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, packet->l3_offset);
    bool ipv6 = packet->kind == SPILL_PACKET_IPV6;
    uint8_t inner;
    int mark;

    if (likely((outer & SPILL_ECN_MASK) == 0)) /* there is none */
        return;
    inner = traffic_class(ip, ipv6) & SPILL_ECN_MASK;
    mark = spill_ecn_decapsulate(inner, outer & SPILL_ECN_MASK);
    if (likely(mark == inner))
        return;
    if (mark < 0)
        spill_esp_fail(mbuf, &spill_esp_congestion);
    else if (ipv6)
        spill_ecn_set_ipv6((struct rte_ipv6_hdr *)ip, (uint8_t)mark);
    else
        spill_ecn_set_ipv4((struct rte_ipv4_hdr *)ip, (uint8_t)mark);
}

/* The same where an SA has it otherwise. */
static void pass_marks_on(const struct spill_sa *sa, struct rte_mbuf *mbuf,
                          struct spill_packet *packet, uint8_t outer)
{
    if ((sa->config.marks & SPILL_SA_TAKES_DSCP) != 0)
        spill_dscp_set(mbuf, packet, outer >> 2);
    if ((sa->config.marks & SPILL_SA_NO_ECN) == 0)
        pass_congestion_on(mbuf, packet, outer);
}

/* Makes a frame of what was inside. */
static void frame(const struct spill_sa *sa, struct rte_mbuf *mbuf, bool ipv6)
{
    struct spill_packet *packet = spill_packet_of(mbuf);

    if (sa->config.mode == SPILL_SA_TUNNEL) {
        spill_esp_write_link(rte_pktmbuf_mtod(mbuf, uint8_t *), spill_esp_note_of(packet)->link,
                             ipv6);
        rte_pktmbuf_prepend(mbuf, packet->l3_offset);
    } else if (!ipv6) {
        struct rte_ipv4_hdr *header =
            rte_pktmbuf_mtod_offset(mbuf, struct rte_ipv4_hdr *, packet->l3_offset);

        header->hdr_checksum = 0;
        header->hdr_checksum = rte_ipv4_cksum(header);
    }
}

/* Parses frames, those together that came from one zone. */
static void parse(struct rte_mbuf **mbufs, uint32_t count, struct spill_packet *inside)
{
    uint32_t first, end;

    for (first = 0; first < count; first = end) {
        uint8_t zone = spill_esp_note_of(spill_packet_of(mbufs[first]))->zone;

        for (end = first + 1; end < count; end++) {
            if (spill_esp_note_of(spill_packet_of(mbufs[end]))->zone != zone)
                break;
        }
        spill_parse_burst(mbufs + first, end - first, zone, inside + first);
    }
}

/* Makes a packet's metadata that of the packet inside. */
static void become(const struct spill_sa *sa, struct rte_mbuf *mbuf,
                   const struct spill_packet *inside)
{
    struct spill_packet *packet = spill_packet_of(mbuf);
    uint8_t outer_tos = spill_esp_note_of(packet)->outer_tos, input = packet->input;
    uint32_t sequence = packet->sequence;

    *packet = *inside;
    packet->input = input;
    packet->sequence = sequence;
    packet->inbound_sa = sa->id;
    if (packet->kind <= SPILL_PACKET_IPV6 && sa->config.mode == SPILL_SA_TUNNEL) {
        /* Behind it there may be padding that hides its size (RFC 4303 2.7). */
        spill_esp_cut(mbuf, (uint32_t)packet->l3_offset + packet->length);
        if (likely(sa->config.marks == 0))
            pass_congestion_on(mbuf, packet, outer_tos);
        else
            pass_marks_on(sa, mbuf, packet, outer_tos);
    }
}

/* From packets of one family that ESP was taken off to those inside. */
static void finish(const struct spill_sa *sa, struct rte_mbuf **mbufs, uint32_t count, bool ipv6)
{
    struct spill_packet inside[SPILL_JOB_PACKETS];
    uint32_t i;

    for (i = 0; i < count; i++)
        frame(sa, mbufs[i], ipv6);
    parse(mbufs, count, inside);
    for (i = 0; i < count; i++)
        become(sa, mbufs[i], &inside[i]);
    if (likely(sa->udp_size == 0 || sa->config.mode == SPILL_SA_TUNNEL))
        return;
    for (i = 0; i < count; i++) {
        if (inside[i].kind <= SPILL_PACKET_IPV6)
            spill_nat_checksum_mend(mbufs[i], &inside[i]);
    }
}

void spill_esp_end_decrypt(struct spill_job *job, struct spill_sa_lcore *lcore, bool whole)
{
    struct rte_mbuf *families[2][SPILL_JOB_PACKETS];
    uint32_t counts[2] = {0, 0}, family, i;
    bool ipv6;

    for (i = 0; i < job->count; i++) {
        if ((likely(whole) || is_authentic(job->mbufs[i])) &&
            is_sound(lcore->sa, job->mbufs[i], &ipv6))
            families[ipv6][counts[ipv6]++] = job->mbufs[i];
    }
    for (family = 0; family < 2; family++) {
        if (counts[family] == 0)
            continue;
        counts[family] = take_off(lcore, family, families[family], counts[family]);
        finish(lcore->sa, families[family], counts[family], family);
    }
}

bool spill_esp_decrypt(struct spill_job *job, void *crypto)
{
    unsigned id = rte_lcore_id();
    struct spill_sa_lcore *lcore = spill_sa_of(job)->lcores[id];
    struct spill_crypto_ops *slot = spill_crypto_slot(spill_crypto_lcore(crypto, id));
    uint32_t count;
    bool whole;

    spill_esp_prefetch(job);
    count = unwrap_all(job, lcore, slot->pointers);
    whole = count == job->count;
    if (count > 0 && lcore->crypto.mode == SPILL_CRYPTO_DEVICE) {
        if (spill_crypto_submit(&lcore->crypto, job, slot, count))
            return false;
        whole = false;
    } else if (count > 0) {
        whole &= spill_crypto_run(&lcore->crypto, slot, count);
    }
    spill_esp_end_decrypt(job, lcore, whole);
    return true;
}
