/* SPDX-License-Identifier: BSD-3-Clause */
/* From classes to frames. */
#include "traffic.h"

#include <string.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_prefetch.h>
#include <rte_udp.h>

#define TTL       64
#define FLOW_BITS 26
#define SOURCE_BITS                                                                                \
    11 /* of the flow's, in the source port; the others are in the destination's                   \
        */
#define PORT_FIRST 0x8000

static const struct rte_ether_hdr ethernet = {
    .dst_addr = {{0x02, 0x53, 0x50, 0x4c, 0x00, 0x02}},
    .src_addr = {{0x02, 0x53, 0x50, 0x4c, 0x00, 0x01}},
};

/* 7 : 4 : 1, each size spread over the round. */
static const uint16_t imix_sizes[] = {64, 570, 64, 64, 570, 64, 1518, 64, 570, 64, 570, 64};

static uint32_t slots_of(const struct spill_load_class *class)
{
    return class->flows != 0 ? class->flows : SPILL_LOAD_NEW_WINDOW;
}

uint64_t spill_load_class_bytes(const struct spill_load_class *class)
{
    return slots_of(class) * (uint64_t)sizeof(struct spill_load_flow);
}

/* The headers that all frames of a class share; lengths, addresses and ports come later. */
static void lay_out(struct spill_load_stream *stream)
{
    const struct spill_load_class *class = &stream->class;
    const rte_be16_t type =
        rte_cpu_to_be_16(class->family == 4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
    struct rte_ether_hdr *link = (struct rte_ether_hdr *)stream->head;

    *link = ethernet;
    link->ether_type = class->vlan != 0 ? rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN) : type;
    stream->l3_offset = sizeof(*link);
    if (class->vlan != 0) {
        struct rte_vlan_hdr *tag = (struct rte_vlan_hdr *)(link + 1);

        tag->vlan_tci = rte_cpu_to_be_16(class->vlan);
        tag->eth_proto = type;
        stream->l3_offset += sizeof(*tag);
    }
    if (class->family == 4) {
        struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(stream->head + stream->l3_offset);

        ip->version_ihl = RTE_IPV4_VHL_DEF;
        ip->fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG);
        ip->time_to_live = TTL;
        ip->next_proto_id = IPPROTO_UDP;
        stream->l4_offset = stream->l3_offset + sizeof(*ip);
    } else {
        struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(stream->head + stream->l3_offset);

        ip->vtc_flow = rte_cpu_to_be_32(6u << 28);
        ip->proto = IPPROTO_UDP;
        ip->hop_limits = TTL;
        stream->l4_offset = stream->l3_offset + sizeof(*ip);
    }
    stream->probe_offset = stream->l4_offset + sizeof(struct rte_udp_hdr);
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    while (b != 0) {
        uint32_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* A step that comes by every slot, and near the golden section far from all slots just seen. */
static uint32_t choose_step(uint32_t slots)
{
    uint32_t step = (uint32_t)(slots * 0.6180339887498949);

    while (step > 1 && common_divisor(step, slots) != 1)
        step--;
    return step > 0 ? step : 1;
}

/* Gives each of 100 places to the class that is furthest behind its share. */
static void mix_classes(struct spill_load_traffic *traffic)
{
    int behind[SPILL_LOAD_CLASSES_MAX] = {0};

    for (unsigned place = 0; place < SPILL_LOAD_SHARES; place++) {
        unsigned best = 0;

        for (unsigned i = 0; i < traffic->count; i++) {
            behind[i] += traffic->streams[i].class.share;
            if (behind[i] > behind[best])
                best = i;
        }
        behind[best] -= SPILL_LOAD_SHARES;
        traffic->schedule[place] = (uint8_t)best;
    }
}

struct spill_load_traffic *spill_load_traffic_create(const struct spill_load_class *classes,
                                                     unsigned count, int socket,
                                                     struct spill_error *error)
{
    struct spill_load_traffic *traffic =
        rte_zmalloc_socket("load", sizeof(*traffic), RTE_CACHE_LINE_SIZE, socket);

    if (traffic == NULL) {
        spill_error_set(error, "no memory for the classes");
        return NULL;
    }
    traffic->random = 1;
    for (unsigned i = 0; i < count; i++) {
        struct spill_load_stream *stream = &traffic->streams[i];

        stream->class = classes[i];
        stream->index = (uint8_t)i;
        stream->slots = slots_of(&classes[i]);
        stream->step = choose_step(stream->slots);
        lay_out(stream);
        stream->flows = rte_zmalloc_socket("load", spill_load_class_bytes(&classes[i]),
                                           RTE_CACHE_LINE_SIZE, socket);
        traffic->count++;
        if (stream->flows == NULL) {
            spill_error_set(error, "class %s: no memory for %u flows", classes[i].name,
                            stream->slots);
            spill_load_traffic_free(traffic);
            return NULL;
        }
    }
    mix_classes(traffic);
    return traffic;
}

void spill_load_traffic_free(struct spill_load_traffic *traffic)
{
    for (unsigned i = 0; traffic != NULL && i < traffic->count; i++)
        rte_free(traffic->streams[i].flows);
    rte_free(traffic);
}

static void clear_buffer(struct rte_mempool *pool, void *argument, void *object, unsigned index)
{
    struct rte_mbuf *mbuf = object;

    (void)pool, (void)argument, (void)index;
    memset(mbuf->buf_addr, 0, mbuf->buf_len);
}

void spill_load_traffic_clear(struct rte_mempool *pool)
{
    rte_mempool_obj_iter(pool, clear_buffer, NULL);
}

void spill_load_traffic_restart(struct spill_load_traffic *traffic)
{
    for (unsigned i = 0; i < traffic->count; i++) {
        struct spill_load_stream *stream = &traffic->streams[i];

        memset(stream->flows, 0, spill_load_class_bytes(&stream->class));
        stream->counter = RTE_ALIGN_CEIL(stream->counter, UINT64_C(1) * SPILL_LOAD_NEW_WINDOW);
        stream->base = stream->counter;
    }
}

/* xorshift64* (Vigna 2016), a number below the limit. */
static uint32_t random_below(struct spill_load_traffic *traffic, uint32_t limit)
{
    traffic->random ^= traffic->random >> 12;
    traffic->random ^= traffic->random << 25;
    traffic->random ^= traffic->random >> 27;
    return (uint32_t)((traffic->random * UINT64_C(0x2545f4914f6cdd1d) >> 32) * limit >> 32);
}

static uint16_t next_size(struct spill_load_traffic *traffic, struct spill_load_stream *stream)
{
    const struct spill_load_class *class = &stream->class;

    if (class->imix) {
        uint16_t size = imix_sizes[stream->imix_at];

        stream->imix_at = stream->imix_at + 1u < RTE_DIM(imix_sizes) ? stream->imix_at + 1 : 0;
        return size - SPILL_LOAD_FCS;
    }
    if (class->least == class->most)
        return class->least - SPILL_LOAD_FCS;
    return (uint16_t)(class->least - SPILL_LOAD_FCS +
                      random_below(traffic, class->most - class->least + 1u));
}

static void pick(struct spill_load_traffic *traffic, struct spill_load_pick *into)
{
    struct spill_load_stream *stream;

    into->class = traffic->schedule[traffic->schedule_at];
    traffic->schedule_at =
        traffic->schedule_at + 1 < SPILL_LOAD_SHARES ? traffic->schedule_at + 1 : 0;
    stream = &traffic->streams[into->class];
    into->size = next_size(traffic, stream);
    if (stream->class.flows == 0) {
        into->flow = (uint32_t)stream->counter;
        into->slot = (uint32_t)(stream->counter % SPILL_LOAD_NEW_WINDOW);
        into->sequence = (uint32_t)((stream->counter++ - stream->base) / SPILL_LOAD_NEW_WINDOW);
        return;
    }
    into->flow = into->slot = stream->at;
    stream->at += stream->step;
    if (stream->at >= stream->slots)
        stream->at -= stream->slots;
    rte_prefetch0(&stream->flows[into->slot]);
}

/* A bijection of FLOW_BITS bits, so that ports look like chance and yet no two flows share theirs.
 */
static uint32_t scatter_bits(uint32_t number)
{
    const uint32_t mask = (UINT32_C(1) << FLOW_BITS) - 1;

    number &= mask;
    number ^= number >> 13;
    number = number * 0x2c1b3c6d & mask;
    number ^= number >> 12;
    number = number * 0x297a2d39 & mask;
    return number ^ number >> 14;
}

/* 64 bits that depend on all of a number (the finish of splitmix64, Steele et al. 2014). */
static uint64_t hash_bits(uint64_t number)
{
    number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
    return number ^ number >> 31;
}

/* The lowest bits below a prefix, at most 64 of them. */
static uint64_t host_bits(const struct spill_load_prefix *prefix, unsigned width, uint64_t bits)
{
    const unsigned free_bits = width - prefix->length;

    return free_bits >= 64 ? bits : bits & ((UINT64_C(1) << free_bits) - 1);
}

static rte_be32_t address4(const struct spill_load_prefix *prefix, uint64_t bits)
{
    rte_be32_t address;

    memcpy(&address, prefix->address, sizeof(address));
    return address | rte_cpu_to_be_32((uint32_t)host_bits(prefix, 32, bits));
}

static void write_address6(uint8_t *at, const struct spill_load_prefix *prefix, uint64_t bits)
{
    uint64_t low;

    memcpy(at, prefix->address, 16);
    memcpy(&low, at + 8, 8);
    low |= rte_cpu_to_be_64(host_bits(prefix, 128, bits));
    memcpy(at + 8, &low, 8);
}

static void finish4(const struct spill_load_stream *stream, uint8_t *frame, uint16_t size,
                    uint64_t bits)
{
    struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + stream->l3_offset);

    ip->total_length = rte_cpu_to_be_16(size - stream->l3_offset);
    ip->src_addr = address4(&stream->class.from, bits);
    ip->dst_addr = address4(&stream->class.to, bits >> 32);
    ip->hdr_checksum = rte_ipv4_cksum(ip);
}

/* The checksum covers addresses, UDP header and probe; all behind them is zero. */
static void finish6(const struct spill_load_stream *stream, uint8_t *frame, uint64_t bits)
{
    struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(frame + stream->l3_offset);
    struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
    const size_t covered =
        2 * sizeof(ip->src_addr) + sizeof(*udp) + sizeof(struct spill_load_probe);
    uint32_t sum;
    uint16_t folded;

    ip->payload_len = udp->dgram_len;
    write_address6((uint8_t *)&ip->src_addr, &stream->class.from, bits);
    write_address6((uint8_t *)&ip->dst_addr, &stream->class.to, hash_bits(bits));
    sum = (uint32_t)rte_raw_cksum(&ip->src_addr, covered) + udp->dgram_len +
          rte_cpu_to_be_16(IPPROTO_UDP);
    sum = (sum >> 16) + (sum & 0xffff);
    folded = (uint16_t) ~((sum >> 16) + sum);
    udp->dgram_cksum = folded != 0 ? folded : 0xffff;
}

static void make(const struct spill_load_stream *stream, const struct spill_load_pick *picked,
                 struct rte_mbuf *mbuf, uint64_t stamp)
{
    uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
    struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(frame + stream->l4_offset);
    const uint32_t ports = scatter_bits(picked->flow);
    const uint64_t bits = hash_bits((uint64_t)stream->index << 32 | picked->flow);
    const struct spill_load_probe probe = {.mark = SPILL_LOAD_MARK | stream->index,
                                           .flow = picked->flow,
                                           .sequence = picked->sequence,
                                           .stamp = stamp};

    memcpy(frame, stream->head, SPILL_LOAD_HEAD);
    memcpy(frame + stream->probe_offset, &probe, sizeof(probe));
    udp->src_port = rte_cpu_to_be_16(PORT_FIRST | stream->index << SOURCE_BITS |
                                     (ports & ((1u << SOURCE_BITS) - 1)));
    udp->dst_port = rte_cpu_to_be_16((uint16_t)(PORT_FIRST | ports >> SOURCE_BITS));
    udp->dgram_len = rte_cpu_to_be_16(picked->size - stream->l4_offset);
    mbuf->data_len = picked->size;
    mbuf->pkt_len = picked->size;
    if (stream->class.family == 4)
        finish4(stream, frame, picked->size, bits);
    else
        finish6(stream, frame, bits);
}

void spill_load_traffic_make(struct spill_load_traffic *traffic, struct rte_mbuf **mbufs,
                             struct spill_load_pick *picks, uint32_t count, uint64_t stamp)
{
    for (uint32_t i = 0; i < count; i++)
        pick(traffic, &picks[i]);
    for (uint32_t i = 0; i < count; i++) {
        struct spill_load_stream *stream = &traffic->streams[picks[i].class];

        if (stream->class.flows != 0)
            picks[i].sequence = stream->flows[picks[i].slot].sent++;
        make(stream, &picks[i], mbufs[i], stamp);
    }
}

void spill_load_traffic_take_back(struct spill_load_traffic *traffic,
                                  const struct spill_load_pick *picks, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct spill_load_stream *stream = &traffic->streams[picks[i].class];

        if (stream->class.flows == 0)
            stream->counter--;
        else
            stream->flows[picks[i].slot].sent--;
    }
}
