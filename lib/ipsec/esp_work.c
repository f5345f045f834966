/* SPDX-License-Identifier: BSD-3-Clause */
/* What encryption and decryption have in common: frames before and after, and jobs on a device. */
#include "ipsec/esp.h"

#include <string.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_lcore.h>
#include <rte_prefetch.h>

SPILL_DROP_REASON(spill_esp_no_room, "esp_no_room",
                  "the packet's buffer, or its headers' length field, has no room for ESP");

void spill_esp_prefetch(const struct spill_job *job)
{
    uint32_t i;

    for (i = 0; i < job->count; i++) {
        rte_prefetch0(job->mbufs[i]);
        rte_prefetch0(spill_packet_of(job->mbufs[i]));
    }
    for (i = 0; i < job->count; i++) {
        const uint8_t *frame = rte_pktmbuf_mtod(job->mbufs[i], const uint8_t *);

        rte_prefetch0(frame);
        rte_prefetch0(frame + rte_pktmbuf_data_len(job->mbufs[i]));
    }
}

/* Bytes that an IP header, which parsing has checked, says its packet has. */
static uint32_t ip_length(const uint8_t *ip, bool ipv6)
{
    if (ipv6)
        return rte_be_to_cpu_16(((const struct rte_ipv6_hdr *)ip)->payload_len) +
               (uint32_t)sizeof(struct rte_ipv6_hdr);
    return rte_be_to_cpu_16(((const struct rte_ipv4_hdr *)ip)->total_length);
}

bool spill_esp_trim(struct rte_mbuf *mbuf, struct spill_packet *packet)
{
    bool ipv6 = packet->kind == SPILL_PACKET_IPV6;
    uint8_t network = ipv6 ? packet->key.v6.network : packet->key.v4.network;
    struct spill_esp_note *note = spill_esp_note_of(packet);
    const uint8_t *frame;
    uint32_t excess;

    if (unlikely(rte_pktmbuf_linearize(mbuf) != 0)) {
        spill_esp_fail(mbuf, &spill_esp_no_room);
        return false;
    }
    frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    /* Frames shorter than Ethernet's least are padded, and the padding is no part of the packet. */
    excess =
        rte_pktmbuf_pkt_len(mbuf) - packet->l3_offset - ip_length(frame + packet->l3_offset, ipv6);
    if (excess > 0)
        rte_pktmbuf_trim(mbuf, (uint16_t)excess);
    if (unlikely(rte_pktmbuf_tailroom(mbuf) < SPILL_ESP_TAIL ||
                 rte_pktmbuf_headroom(mbuf) < SPILL_ESP_HEAD)) {
        spill_esp_fail(mbuf, &spill_esp_no_room);
        return false;
    }
    note->network = network & (uint8_t)~SPILL_FLOW_FRAGMENT;
    note->link_size = (uint8_t)packet->l3_offset;
    memcpy(note->link, frame, RTE_MIN(packet->l3_offset, sizeof(note->link)));
    return true;
}

void spill_esp_put_link(struct rte_mbuf *mbuf, const struct spill_esp_note *note, bool ipv6)
{
    rte_be16_t type = ipv6 ? RTE_BE16(RTE_ETHER_TYPE_IPV6) : RTE_BE16(RTE_ETHER_TYPE_IPV4);
    char *link = rte_pktmbuf_prepend(mbuf, note->link_size);

    memcpy(link, note->link, note->link_size);
    memcpy(link + note->link_size - sizeof(type), &type, sizeof(type));
}

uint8_t *spill_esp_next_header_field(uint8_t *ip, uint32_t l3_size)
{
    uint8_t *field = &((struct rte_ipv6_hdr *)ip)->proto;
    size_t offset = sizeof(struct rte_ipv6_hdr), size = 0;

    while (offset < l3_size && rte_ipv6_get_next_ext(ip + offset, *field, &size) >= 0) {
        field = ip + offset;
        offset += size;
    }
    return field;
}

uint32_t spill_esp_collect(struct spill_job **done, uint32_t most, void *crypto)
{
    struct spill_crypto_ops *finished[SPILL_CRYPTO_DEPTH];
    struct spill_crypto_lcore *lcore = spill_crypto_lcore(crypto, rte_lcore_id());
    uint32_t count = spill_crypto_finish(lcore, finished), i;

    RTE_SET_USED(most); /* at least SPILL_CRYPTO_DEPTH */
    for (i = 0; i < count; i++) {
        struct spill_job *job = finished[i]->job;
        struct spill_sa *sa = spill_sa_of(job);

        finished[i]->job = NULL;
        if (sa->config.direction == SPILL_SA_OUT)
            spill_esp_end_encrypt(job, sa->lcores[lcore->id]);
        else
            spill_esp_end_decrypt(job, sa->lcores[lcore->id]);
        done[i] = job;
    }
    return count;
}
