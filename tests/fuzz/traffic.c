/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames to feed: built, protected, damaged. */
#include "traffic.h"

#include <rte_ip.h>

#include "packet/parse.h"

#define ARENA (4u << 20)

struct traffic traffic;

static uint8_t arena[ARENA];
static uint32_t arena_used;

void traffic_begin(void)
{
    memset(&traffic, 0, sizeof(traffic));
    arena_used = 0;
}

static uint8_t *keep(const uint8_t *bytes, uint32_t length)
{
    uint8_t *kept = arena + arena_used;

    if (arena_used + length > ARENA)
        return NULL;
    memcpy(kept, bytes, length);
    arena_used += length;
    return kept;
}

/* Feeds what a record says, and keeps the record if the port takes it. */
static void feed(struct sent *sent, uint32_t cut)
{
    struct sent *kept = &traffic.sent[traffic.count];

    if (traffic.count == TRAFFIC_MOST || sent->length == 0 || sent->length > WORLD_FRAME)
        return;
    *kept = *sent;
    kept->bytes = keep(sent->bytes, sent->length);
    kept->inner = sent->inner == NULL ? NULL : keep(sent->inner, sent->inner_length);
    if (kept->bytes == NULL || (sent->inner != NULL && kept->inner == NULL) ||
        !world_feed(sent->port, kept->bytes, kept->length, cut))
        return;
    kept->copies = 1;
    traffic.count++;
    traffic.fed++;
}

/* --------------------------------------------------------------------------------- frames */

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* Which nets: those of the SAs, and a few that rules speak of. */
static unsigned take_net(struct fuzz_input *input)
{
    static const uint8_t nets[] = {100, 100, 101, 102, 103};
    unsigned which = fuzz_byte(input) % 16;

    return which < WORLD_KINDS ? which : nets[which % RTE_DIM(nets)];
}

static void put_address(uint8_t *at, bool v6, bool inside, unsigned net, unsigned host)
{
    if (v6) {
        memset(at, 0, 16);
        at[0] = inside ? 0xfd : 0x20;
        at[2] = (uint8_t)(net / 16 / 16), at[3] = (uint8_t)net;
        /* The rules write them in decimal digits, as hex. */
        at[2] = (uint8_t)(net / 100), at[3] = (uint8_t)(net / 10 % 10 << 4 | net % 10);
        at[15] = (uint8_t)host;
    } else {
        at[0] = inside ? 10 : 192;
        at[1] = (uint8_t)(inside ? net : 0);
        at[2] = (uint8_t)(inside ? host / 64 : 2);
        at[3] = (uint8_t)(1 + host % 64);
    }
}

/* An IP packet between an inside and an outside host, in Ethernet; from its beginning. */
static uint32_t build(struct fuzz_input *input, bool outwards, uint8_t *frame)
{
    static const uint8_t protocols[] = {17, 17, 17, 6, 17, 1, 50, 17};
    static const uint16_t services[] = {53, 80, 4500, 7777};
    static const uint8_t flags[] = {0x02, 0x12, 0x10, 0x18, 0x11, 0x04, 0x14, 0xff};
    uint8_t shape = fuzz_byte(input), more = fuzz_byte(input);
    unsigned net = take_net(input), host = fuzz_byte(input) % 80;
    bool v6 = (shape & 1) != 0;
    uint8_t protocol = protocols[shape >> 1 & 7];
    uint32_t tags = (shape & 0x30) == 0x30 ? 1 + (shape >> 7) : 0, header = v6 ? 40 : 20, i;
    uint32_t payload = 20 + fuzz_byte(input) % 64, fragment = 0;
    uint32_t link = 14 + 4 * tags;
    uint8_t *ip = frame + link, *inside, *outside, *transport;

    if ((more & 3) == 3)
        payload = 20 + fuzz_16(input) % 9000;
    memset(frame, 0, link + header);
    memcpy(frame, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
    for (i = 0; i < tags; i++) {
        put16(frame + 12 + 4 * i, 0x8100);
        put16(frame + 14 + 4 * i, 100 + (more >> 7) + i);
    }
    put16(ip - 2, v6 ? 0x86dd : 0x0800);
    inside = ip + (v6 ? 8 : 12) + (outwards ? 0 : (v6 ? 16 : 4));
    outside = ip + (v6 ? 8 : 12) + (outwards ? (v6 ? 16 : 4) : 0);
    put_address(inside, v6, true, net, host);
    put_address(outside, v6, false, 0xdb8, host % 7);
    if (!v6 && protocol == 50)
        memcpy(ip + 12, (const uint8_t[]){203, 0, 113, (uint8_t)host}, 4);
    if (v6) {
        ip[0] = 0x60;
        ip[1] = (uint8_t)(more & 0x30);
        put16(ip + 4, payload);
        ip[6] = protocol == 1 ? 58 : protocol;
        ip[7] = 64;
    } else {
        if ((more & 0x0c) == 0x0c)
            fragment = (more & 0x40) != 0 ? 0x2000 : 3;
        ip[0] = 0x45;
        ip[1] = (uint8_t)(more & 3);
        put16(ip + 2, header + payload);
        put16(ip + 4, traffic.count * 7 + 1);
        put16(ip + 6, fragment != 0 ? fragment : (more & 0x10) != 0 ? 0x4000u : 0);
        ip[8] = 64;
        ip[9] = protocol;
        ((struct rte_ipv4_hdr *)ip)->hdr_checksum = rte_ipv4_cksum((struct rte_ipv4_hdr *)ip);
    }
    transport = ip + header;
    for (i = 0; i < payload; i++)
        transport[i] = (uint8_t)(i * 13 + traffic.count * 5);
    put16(transport + (outwards ? 0 : 2), 1024 + host);
    put16(transport + (outwards ? 2 : 0), services[more >> 5 & 3]);
    if (protocol == 17)
        put16(transport + 4, payload);
    if (protocol == 6) {
        transport[12] = 0x50;
        transport[13] = flags[fuzz_byte(input) % sizeof(flags)];
    }
    if (protocol == 1)
        transport[0] = (uint8_t)(v6 ? 128 : 8);
    return link + header + payload;
}

/* Changes a few bytes. */
static void damage(struct fuzz_input *input, uint8_t *bytes, uint32_t length)
{
    unsigned count = fuzz_byte(input) % 4;

    for (unsigned i = 0; i < count; i++) {
        uint32_t at = fuzz_16(input) % length;

        bytes[at] ^= fuzz_byte(input);
    }
}

/* Puts bytes behind what is whole without them: what claims to be longer than its frame would get
 * what it lacks. */
static uint32_t pad(uint8_t *bytes, uint32_t length, enum world_port port, uint32_t padding)
{
    struct spill_packet packet;

    rte_pktmbuf_free(traffic_parse(bytes, length, port, &packet));
    if (packet.kind == SPILL_PACKET_MALFORMED)
        return length;
    memset(bytes + length, 0x5a, padding);
    return length + padding;
}

void traffic_clear(struct fuzz_input *input, uint32_t padding)
{
    static uint8_t frame[WORLD_FRAME + 256];
    uint8_t shape = fuzz_byte(input);
    struct sent sent = {.port = shape & 1, .bytes = frame};
    uint32_t cut = (shape & 0xc0) == 0xc0 ? 1 + fuzz_byte(input) : 0;

    /* Mostly as it comes from its side, but anybody can write any address. */
    sent.length = build(input, (sent.port == WORLD_LAN) != ((shape & 0x0e) == 0x0e), frame);
    if ((shape & 0x30) == 0x30)
        damage(input, frame, RTE_MIN(sent.length, 80u));
    sent.length = pad(frame, sent.length, sent.port, padding);
    feed(&sent, cut);
}

void traffic_raw(struct fuzz_input *input)
{
    static uint8_t frame[WORLD_FRAME];
    uint8_t shape = fuzz_byte(input);
    struct sent sent = {.port = shape & 1, .bytes = frame, .length = 14 + fuzz_byte(input)};

    fuzz_bytes(input, frame, sent.length);
    feed(&sent, shape >> 1);
}

void traffic_again(struct fuzz_input *input)
{
    struct sent *sent;

    if (traffic.count == 0)
        return;
    sent = &traffic.sent[fuzz_byte(input) % traffic.count];
    if (!world_feed(sent->port, sent->bytes, sent->length, 0))
        return;
    sent->copies++;
    traffic.fed++;
}

/* ------------------------------------------------------------------------------------ ESP */

struct rte_mbuf *traffic_parse(const uint8_t *bytes, uint32_t length, enum world_port port,
                               struct spill_packet *packet)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(world_other);

    FUZZ_CHECK(mbuf != NULL, "no mbuf");
    /* Room for what is put in front. */
    memset(rte_mbuf_to_priv(mbuf), 0, SPILL_PACKET_PRIVATE_SIZE);
    memcpy(rte_pktmbuf_append(mbuf, (uint16_t)length), bytes, length);
    spill_parse_burst(&mbuf, 1, 0, packet);
    packet->input = (uint8_t)port;
    return mbuf;
}

uint32_t traffic_copy(const struct rte_mbuf *mbuf, uint8_t *to)
{
    uint32_t length = rte_pktmbuf_pkt_len(mbuf);
    const void *bytes;

    FUZZ_CHECK(length <= WORLD_FRAME + 256, "a frame of %u bytes", length);
    bytes = rte_pktmbuf_read(mbuf, 0, length, to);
    if (bytes != to)
        memcpy(to, bytes, length);
    return length;
}

/* Has the other end of an SA protect what is in an mbuf. Returns whether it could. */
static bool protect(struct spill_sa *sa, struct rte_mbuf *mbuf)
{
    struct spill_packet *packet = spill_packet_of(mbuf);
    struct spill_job job = {.subject = &sa->lcores[0]->subject};

    job.mbufs[job.count++] = mbuf;
    job.work = job.count;
    job.bytes = packet->length;
    spill_esp_take_numbers(&job, NULL);
    FUZZ_CHECK(spill_esp_encrypt(&job, world_crypto), "the other end has no device");
    return packet->kind != SPILL_PACKET_MALFORMED;
}

/* Damages a frame with ESP. Returns whether what its ICV covers is as it was. */
static bool damage_esp(struct fuzz_input *input, struct rte_mbuf *mbuf, uint8_t *frame,
                       uint32_t length)
{
    struct spill_packet packet;
    uint32_t from;

    spill_parse_burst(&mbuf, 1, 0, &packet);
    from = packet.l4_offset + (packet.esp == SPILL_ESP_UDP ? 8u : 0u);
    damage(input, frame, length);
    return memcmp(frame + from, rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, from),
                  length - from) == 0;
}

void traffic_esp(struct fuzz_input *input, uint32_t padding)
{
    static uint8_t frame[WORLD_FRAME + 256], inner[WORLD_FRAME + 256];
    uint8_t shape = fuzz_byte(input), which = fuzz_byte(input);
    struct sent sent = {.port = (shape & 0x0f) == 0x0f ? WORLD_LAN : WORLD_WAN,
                        .esp = true,
                        .authentic = true,
                        .bytes = frame,
                        .inner = inner};
    struct rte_mbuf *mbuf;
    struct spill_sa *sa;

    sent.kind = which % WORLD_KINDS;
    sent.key = (uint8_t)((shape & 0x10) != 0 ? which / 16 % WORLD_KEYS : world.key[sent.kind]);
    sent.inner_length = build(input, false, inner);
    if (sent.inner_length > WORLD_FRAME - 256)
        return;
    sa = world_peers[false][sent.kind][sent.key];
    if ((shape & 0x80) != 0 && fuzz_byte(input) < 4) /* numbers to come, or ages ago */
        sa->state->sequence += (uint64_t)fuzz_16(input) << (fuzz_byte(input) % 17);
    mbuf = traffic_parse(inner, sent.inner_length, sent.port, &(struct spill_packet){0});
    spill_parse_burst(&mbuf, 1, 0, spill_packet_of(mbuf));
    /* Authentic, and wrong inside. */
    if ((shape & 0x60) == 0x60) {
        uint32_t l3 = spill_packet_of(mbuf)->l3_offset;

        damage(input, rte_pktmbuf_mtod_offset(mbuf, uint8_t *, l3), sent.inner_length - l3);
        traffic_copy(mbuf, inner);
    }
    if (spill_packet_of(mbuf)->kind <= SPILL_PACKET_IPV6 &&
        (sa->config.mode == SPILL_SA_TUNNEL || spill_packet_of(mbuf)->fragment == 0) &&
        protect(sa, mbuf)) {
        sent.length = traffic_copy(mbuf, frame);
        if ((shape & 0x60) == 0x40)
            sent.authentic = damage_esp(input, mbuf, frame, sent.length);
        sent.length = pad(frame, sent.length, sent.port, padding);
        feed(&sent, 0);
    }
    rte_pktmbuf_free(mbuf);
}
