/* SPDX-License-Identifier: BSD-3-Clause */
/* ESP outbound: sequence numbers on the submitter, the rest of the work on whoever does it. */
#include "ipsec/esp.h"

#include <netinet/in.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_lcore.h>
#include <rte_udp.h>

#include "ipsec/esp_frame.h"

SPILL_DROP_REASON(spill_esp_crypto_failed, "esp_crypto_failed",
                  "the crypto device reported an error while it encrypted");
SPILL_DROP_REASON(spill_esp_expired, "esp_expired",
                  "a hard lifetime of the packet's association is over");
SPILL_DROP_REASON(spill_esp_sequence_overflow, "esp_sequence_overflow",
                  "the outbound association has no sequence number left");

/* mbuf's own fields have so many bits: rte_ipsec goes by them. */
#define L3_SIZE_MAX ((1u << RTE_MBUF_L3_LEN_BITS) - 1)

/* ------------------------------------------------------------------- on the submitting lcore */

static void refuse(struct spill_job *job, uint32_t from, const struct spill_drop_reason *reason)
{
    uint32_t i;

    for (i = from; i < job->count; i++)
        spill_esp_fail(job->mbufs[i], reason);
    job->work = (uint16_t)from;
}

/* Bytes of a job's packets before `end`. */
static uint64_t bytes_before(const struct spill_job *job, uint32_t end)
{
    uint64_t bytes = 0;
    uint32_t i;

    for (i = 0; i < end; i++)
        bytes += spill_packet_of(job->mbufs[i])->length;
    return bytes;
}

/* How many of a job's packets a lifetime in bytes still allows: while it lasts, one may begin. */
static uint32_t count_within(const struct spill_job *job, uint64_t used, uint64_t limit)
{
    uint32_t i;

    for (i = 0; i < job->count && used < limit; i++)
        used += spill_packet_of(job->mbufs[i])->length;
    return i;
}

/* Takes bytes, of as many of the job's packets as the lifetime allows, and returns how many. */
static uint32_t take_bytes(const struct spill_job *job, _Atomic uint64_t *bytes, uint64_t limit)
{
    uint64_t used = atomic_load_explicit(bytes, memory_order_relaxed), more;
    uint32_t allowed;

    do {
        allowed = used + job->bytes <= limit ? job->count : count_within(job, used, limit);
        more = allowed == job->count ? job->bytes : bytes_before(job, allowed);
    } while (!atomic_compare_exchange_weak_explicit(bytes, &used, used + more, memory_order_relaxed,
                                                    memory_order_relaxed));
    return allowed;
}

/* Takes so many numbers, or as many as are left below the limit. Returns the one before them. */
static uint64_t take_numbers(_Atomic uint64_t *sequence, uint32_t *count, uint64_t limit)
{
    uint64_t taken = atomic_load_explicit(sequence, memory_order_relaxed);
    uint32_t allowed;

    do {
        const uint64_t left = taken < limit ? limit - taken : 0;

        allowed = (uint32_t)RTE_MIN((uint64_t)*count, left);
    } while (!atomic_compare_exchange_weak_explicit(sequence, &taken, taken + allowed,
                                                    memory_order_relaxed, memory_order_relaxed));
    *count = allowed;
    return taken;
}

void spill_esp_take_numbers(struct spill_job *job, void *context)
{
    const struct spill_sa *sa = spill_sa_of(job);
    const struct spill_sa_config *config = &sa->config;
    const uint64_t last = spill_sa_last_number(sa);
    const uint64_t packets_hard = config->packets_hard != 0 ? config->packets_hard : UINT64_MAX;
    const uint64_t bytes_hard = config->bytes_hard != 0 ? config->bytes_hard : UINT64_MAX;
    const uint32_t within = take_bytes(job, &sa->state->bytes, bytes_hard);
    uint32_t allowed = within;

    RTE_SET_USED(context);
    job->work = job->count;
    job->serial = take_numbers(&sa->state->sequence, &allowed, RTE_MIN(last, packets_hard)) + 1;
    if (likely(allowed == job->count))
        return;
    if (allowed < within) /* they have no number, so their bytes are not used up either */
        atomic_fetch_sub_explicit(&sa->state->bytes,
                                  bytes_before(job, within) - bytes_before(job, allowed),
                                  memory_order_relaxed);
    refuse(job, allowed,
           allowed < within && last <= packets_hard ? &spill_esp_sequence_overflow
                                                    : &spill_esp_expired);
}

/* ------------------------------------------------------------------------- before the crypto */

/* "Don't fragment" of a packet, as an IPv4 header has it. */
static inline rte_be16_t dont_fragment(const uint8_t *ip, bool ipv6)
{
    const rte_be16_t flag = RTE_BE16(RTE_IPV4_HDR_DF_FLAG);

    return ipv6 ? flag : ((const struct rte_ipv4_hdr *)ip)->fragment_offset & flag;
}

/*
 * Makes packets what rte_ipsec expects, in tunnel mode: the IP packet alone. Their link headers go
 * to where they will stand in the end; their own places are overwritten. Returns whether all are
 * ready, and of one family.
 */
static bool make_tunnel_ready(const struct spill_sa *sa, struct rte_mbuf **mbufs, uint32_t count)
{
    const bool outer_ipv6 = sa->config.source.family == 6;
    const uint32_t ahead = sa->ahead, first = spill_packet_of(mbufs[0])->kind;
    uint32_t others = 0, i;

    for (i = 0; i < count; i++) {
        struct rte_mbuf *mbuf = mbufs[i];
        struct spill_packet *packet = spill_packet_of(mbuf);
        uint8_t *ip;

        if (unlikely(!spill_esp_trim(mbuf, packet))) {
            others = 1;
            continue;
        }
        others |= packet->kind ^ first;
        ip = (uint8_t *)rte_pktmbuf_adj(mbuf, packet->l3_offset);
        spill_esp_note_of(packet)->df = dont_fragment(ip, packet->kind == SPILL_PACKET_IPV6);
        spill_esp_write_link(ip - ahead, ip - SPILL_ESP_LINK, outer_ipv6);
        mbuf->tx_offload = 0;
    }
    return others == 0;
}

/* The same in transport mode: it goes by the headers' lengths. */
static bool make_transport_ready(struct rte_mbuf **mbufs, uint32_t count)
{
    const uint32_t first = spill_packet_of(mbufs[0])->kind;
    uint32_t others = 0, i;

    for (i = 0; i < count; i++) {
        struct spill_packet *packet = spill_packet_of(mbufs[i]);
        uint32_t l3_size = (uint32_t)packet->l4_offset - packet->l3_offset;

        if (spill_esp_trim(mbufs[i], packet)) {
            if (likely(l3_size <= L3_SIZE_MAX))
                mbufs[i]->tx_offload =
                    rte_mbuf_tx_offload(packet->l3_offset, l3_size, 0, 0, 0, 0, 0);
            else
                spill_esp_fail(mbufs[i], &spill_esp_no_room);
        }
        others |= packet->kind ^ first;
    }
    return others == 0;
}

/* Zero vectors: rte_ipsec encrypts the number as the first block, which makes an IV that can't be
 * foretold (NIST SP 800-38A, appendix C). In rte_ipsec's own synchronous way the vector is the
 * number again, so that each packet would have the same IV; that is why this goes through
 * operations. */
static void clear_vectors(const struct spill_sa *sa, struct rte_crypto_op **ops, uint32_t count)
{
    uint32_t i;

    if (sa->config.algorithm->cipher != RTE_CRYPTO_CIPHER_AES_CBC)
        return;
    for (i = 0; i < count; i++)
        memset(rte_crypto_op_ctod_offset(ops[i], void *, SPILL_CRYPTO_IV_OFFSET), 0,
               SPILL_CRYPTO_IV_SIZE);
}

/*
 * Has rte_ipsec write ESP around packets of one family, the first with a given number. Its SA, this
 * lcore's own, is made anew when it would go on with another number. Returns how many operations.
 */
static uint32_t wrap(struct spill_sa_lcore *lcore, bool ipv6, uint64_t number,
                     struct rte_mbuf **mbufs, struct rte_crypto_op **ops, uint32_t count)
{
    struct rte_ipsec_session *session = &lcore->sessions[ipv6];
    uint32_t good, i;

    if (number != lcore->next[ipv6]) {
        lcore->parameters[ipv6].ipsec_xform.esn.value = number;
        rte_ipsec_sa_init(session->sa, &lcore->parameters[ipv6], (uint32_t)lcore->sa_size);
    }
    lcore->next[ipv6] = number + count;
    good = rte_ipsec_pkt_crypto_prepare(session, mbufs, ops, (uint16_t)count);
    for (i = good; i < count; i++)
        spill_esp_fail(mbufs[i], &spill_esp_no_room);
    return good;
}

/* How many packets of a job, from `first` on, are of one kind. */
static uint32_t count_alike(const struct spill_job *job, uint32_t first)
{
    uint8_t kind = spill_packet_of(job->mbufs[first])->kind;
    uint32_t i = first + 1;

    while (i < job->work && spill_packet_of(job->mbufs[i])->kind == kind)
        i++;
    return i - first;
}

/* All packets of a job that can be worked on, in runs of one family; those that can't interrupt
 * the numbers. Returns how many operations there are. */
static uint32_t wrap_all(struct spill_job *job, struct spill_sa_lcore *lcore,
                         struct rte_crypto_op **ops)
{
    const bool alike = lcore->sa->config.mode == SPILL_SA_TUNNEL
                           ? make_tunnel_ready(lcore->sa, job->mbufs, job->work)
                           : make_transport_ready(job->mbufs, job->work);
    uint32_t ready = 0, first, count;

    for (first = 0; first < job->work; first += count) {
        uint8_t kind = spill_packet_of(job->mbufs[first])->kind;

        count = likely(alike) ? job->work : count_alike(job, first);
        if (likely(kind != SPILL_PACKET_MALFORMED))
            ready += wrap(lcore, kind == SPILL_PACKET_IPV6, job->serial + first, job->mbufs + first,
                          ops + ready, count);
    }
    clear_vectors(lcore->sa, ops, ready);
    return ready;
}

/* -------------------------------------------------------------------------- after the crypto */

/*
 * The UDP checksum over IPv6 (RFC 8200 8.1), of what is encrypted already. RFC 6935 would let a
 * tunnel send zero, but receivers drop that unless they are told (Linux is not). IPv4 needs none
 * (RFC 3948 2.1).
 *
 * @param ip       the IPv6 header, whose own checksum UDP's stands in for
 * @param l3_size  bytes up to the UDP header
 */
static void write_udp_checksum(uint8_t *ip, uint32_t l3_size)
{
    struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + l3_size);
    const struct {
        rte_be32_t length;
        rte_be32_t protocol;
    } rest = {rte_cpu_to_be_32(rte_be_to_cpu_16(udp->dgram_len)), RTE_BE32(IPPROTO_UDP)};
    uint32_t sum = rte_raw_cksum(ip + offsetof(struct rte_ipv6_hdr, src_addr), 32);
    uint16_t checksum;

    udp->dgram_cksum = 0;
    sum += rte_raw_cksum(&rest, sizeof(rest));
    sum += rte_raw_cksum(udp, rte_be_to_cpu_16(udp->dgram_len));
    sum = (sum & UINT16_MAX) + (sum >> 16);
    checksum = (uint16_t) ~((sum & UINT16_MAX) + (sum >> 16));
    udp->dgram_cksum = checksum != 0 ? checksum : UINT16_MAX;
}

/* Puts a UDP header between the IP header and ESP (RFC 3948 2.1): rte_ipsec does so for tunnels. */
static uint8_t *insert_udp(const struct spill_sa *sa, struct rte_mbuf *mbuf,
                           const struct spill_packet *packet)
{
    uint8_t *start = (uint8_t *)rte_pktmbuf_prepend(mbuf, sizeof(struct rte_udp_hdr));
    struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(start + packet->l4_offset);

    memmove(start, start + sizeof(*udp), packet->l4_offset);
    *udp = (struct rte_udp_hdr){
        .src_port = rte_cpu_to_be_16(spill_sa_own_port(&sa->config)),
        .dst_port = rte_cpu_to_be_16(spill_sa_other_port(&sa->config)),
        .dgram_len = rte_cpu_to_be_16((uint16_t)(rte_pktmbuf_pkt_len(mbuf) - packet->l4_offset)),
    };
    return start + packet->l3_offset;
}

static void end_transport(const struct spill_sa *sa, struct rte_mbuf *mbuf)
{
    const struct spill_packet *packet = spill_packet_of(mbuf);
    uint32_t l3_size = (uint32_t)packet->l4_offset - packet->l3_offset;
    uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, packet->l3_offset);
    struct rte_ipv4_hdr *v4;
    struct rte_ipv6_hdr *v6;

    if (sa->udp_size > 0)
        ip = insert_udp(sa, mbuf, packet);
    if (packet->kind == SPILL_PACKET_IPV6) {
        v6 = (struct rte_ipv6_hdr *)ip;
        if (sa->udp_size > 0) {
            *spill_esp_next_header_field(ip, l3_size) = IPPROTO_UDP;
            v6->payload_len =
                rte_cpu_to_be_16((uint16_t)(rte_be_to_cpu_16(v6->payload_len) + sa->udp_size));
            write_udp_checksum(ip, l3_size);
        }
        return;
    }
    v4 = (struct rte_ipv4_hdr *)ip;
    if (sa->udp_size > 0) {
        v4->next_proto_id = IPPROTO_UDP;
        v4->total_length =
            rte_cpu_to_be_16((uint16_t)(rte_be_to_cpu_16(v4->total_length) + sa->udp_size));
    }
    v4->hdr_checksum = 0;
    v4->hdr_checksum = rte_ipv4_cksum(v4);
}

/*
 * Completes an outer IPv4 header: rte_ipsec leaves out "don't fragment" and the checksum. What
 * differs from packet to packet is added to the sum of the rest.
 */
static inline void complete_outer(struct rte_ipv4_hdr *outer, rte_be16_t df, uint32_t header_sum)
{
    uint32_t sum = header_sum + rte_cpu_to_be_16(outer->type_of_service) + outer->total_length +
                   outer->packet_id + df;

    sum = (sum & UINT16_MAX) + (sum >> 16);
    outer->fragment_offset = df;
    outer->hdr_checksum = (rte_be16_t) ~(sum + (sum >> 16));
}

static void end_tunnel(const struct spill_sa *sa, struct rte_mbuf **mbufs, uint32_t count)
{
    const rte_be16_t flag = RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
    const rte_be16_t set = sa->config.df == SPILL_SA_DF_SET ? flag : 0;
    const rte_be16_t copied = sa->config.df == SPILL_SA_DF_COPY ? flag : 0;
    const uint32_t header_sum = sa->header_sum;
    const bool outer_ipv4 = sa->config.source.family == 4;
    uint32_t i;

    for (i = 0; i < count; i++) {
        struct spill_packet *packet = spill_packet_of(mbufs[i]);

        if (outer_ipv4)
            complete_outer(rte_pktmbuf_mtod(mbufs[i], struct rte_ipv4_hdr *),
                           set | (copied & spill_esp_note_of(packet)->df), header_sum);
        else if (sa->udp_size > 0)
            write_udp_checksum(rte_pktmbuf_mtod(mbufs[i], uint8_t *), sizeof(struct rte_ipv6_hdr));
        rte_pktmbuf_prepend(mbufs[i], packet->l3_offset);
    }
}

/* The packets of a job that have been encrypted; those that could not be have failed. */
static uint32_t find_encrypted(struct spill_job *job, struct rte_mbuf **encrypted)
{
    uint32_t count = 0, i;

    for (i = 0; i < job->work; i++) {
        struct rte_mbuf *mbuf = job->mbufs[i];

        if (unlikely((mbuf->ol_flags & RTE_MBUF_F_RX_SEC_OFFLOAD_FAILED) != 0)) {
            mbuf->ol_flags &= ~(RTE_MBUF_F_RX_SEC_OFFLOAD_FAILED | RTE_MBUF_F_RX_SEC_OFFLOAD);
            spill_esp_fail(mbuf, &spill_esp_crypto_failed);
        }
        encrypted[count] = mbuf;
        count += spill_packet_of(mbuf)->kind != SPILL_PACKET_MALFORMED;
    }
    return count;
}

/* Ends those that have been encrypted. */
static void end_all(struct spill_sa_lcore *lcore, struct rte_mbuf **encrypted, uint32_t count)
{
    const struct spill_sa *sa = lcore->sa;
    uint32_t i;

    if (count == 0)
        return;
    /* Takes out the numbers' high halves, which the ICV covers and which are not sent. */
    if (sa->high_size > 0)
        rte_ipsec_pkt_process(&lcore->sessions[0], encrypted, (uint16_t)count);
    if (sa->config.mode == SPILL_SA_TUNNEL) {
        end_tunnel(sa, encrypted, count);
        return;
    }
    for (i = 0; i < count; i++)
        end_transport(sa, encrypted[i]);
}

void spill_esp_end_encrypt(struct spill_job *job, struct spill_sa_lcore *lcore, bool whole)
{
    struct rte_mbuf *encrypted[SPILL_JOB_PACKETS];

    if (likely(whole))
        end_all(lcore, job->mbufs, job->work);
    else
        end_all(lcore, encrypted, find_encrypted(job, encrypted));
}

bool spill_esp_encrypt(struct spill_job *job, void *crypto)
{
    unsigned id = rte_lcore_id();
    struct spill_sa_lcore *lcore = spill_sa_of(job)->lcores[id];
    struct spill_crypto_ops *slot = spill_crypto_slot(spill_crypto_lcore(crypto, id));
    uint32_t count;
    bool whole;

    spill_esp_prefetch(job);
    count = wrap_all(job, lcore, slot->pointers);
    whole = count == job->work;
    if (count > 0 && lcore->crypto.mode == SPILL_CRYPTO_DEVICE) {
        if (spill_crypto_submit(&lcore->crypto, job, slot, count))
            return false;
        whole = false;
    } else if (count > 0) {
        whole &= spill_crypto_run(&lcore->crypto, slot, count);
    }
    spill_esp_end_encrypt(job, lcore, whole);
    return true;
}
