/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets that are too big, of any form: fragments put together are the packet, each has its
 * checksum and fits; errors say what the RFCs want; and the packet stays as it was, whatever comes
 * of it, with nothing of the pool left out.
 *
 * Input: MTU (2), where segments end (1 and 2 for each), the IP packet's length (2); then the frame
 * from its headers on, which noise makes as long as that.
 */
#include "fuzz.h"

#include <errno.h>

#include "packet/fragment.h"
#include "packet/icmp_error.h"
#include "packet/parse.h"
#include "poison.h"

#define FRAME_MAX 9600
#define SEGMENTS  4
#define MOST      256 /* fragments */

static struct rte_mempool *pool;

struct frame {
    uint8_t bytes[FRAME_MAX];
    uint32_t length;
};

static struct frame frame;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_eal_start(128);
    pool = fixture_poison_pool("frames", 1023, 0, RTE_PKTMBUF_HEADROOM + FRAME_MAX);
    FUZZ_CHECK(pool != NULL, "no memory");
    return 0;
}

static uint32_t read16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

/* The one's complement sum: 0xffff of what holds its right checksum. */
static uint32_t sum_of(const uint8_t *bytes, uint32_t length, uint32_t sum)
{
    for (uint32_t i = 0; i < length; i++)
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static struct rte_mbuf *lay(const uint32_t *ends, unsigned count)
{
    struct rte_mbuf *head = NULL;
    uint32_t from = 0;

    for (unsigned i = 0; i <= count; i++) {
        struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
        uint32_t to = i == count ? frame.length : ends[i];

        FUZZ_CHECK(mbuf != NULL, "no mbuf");
        memcpy(rte_pktmbuf_append(mbuf, (uint16_t)(to - from)), frame.bytes + from, to - from);
        from = to;
        if (head == NULL)
            head = mbuf;
        else
            FUZZ_CHECK(rte_pktmbuf_chain(head, mbuf) == 0, "no chain");
    }
    return head;
}

static void check_unchanged(const struct rte_mbuf *mbuf)
{
    static uint8_t copy[FRAME_MAX];

    FUZZ_CHECK(rte_pktmbuf_pkt_len(mbuf) == frame.length, "its length has changed");
    FUZZ_CHECK(memcmp(rte_pktmbuf_read(mbuf, 0, frame.length, copy), frame.bytes, frame.length) ==
                   0,
               "its bytes have changed");
}

/* ------------------------------------------------------------------------------- fragments */

/* What the fragments are put together to. */
static struct {
    uint8_t bytes[FRAME_MAX], there[FRAME_MAX];
    uint32_t length; /* 0: the last fragment has not come */
} whole;

/* Takes a fragment's payload; `base`: where the packet's own began, which may be a fragment. */
static void put_together(const uint8_t *ip, uint32_t base)
{
    uint32_t header = ip[0] % 16 * 4u, length = read16(ip + 2) - header;
    uint32_t at = read16(ip + 6) % 8192 * 8 - base;

    FUZZ_CHECK(at + length <= FRAME_MAX, "a fragment beyond the packet");
    for (uint32_t i = 0; i < length; i++) {
        FUZZ_CHECK(whole.there[at + i] == 0, "fragments overlap");
        whole.there[at + i] = 1;
        whole.bytes[at + i] = ip[header + i];
    }
    if (at + length > whole.length)
        whole.length = at + length;
}

static void check_fragment(const struct rte_mbuf *mbuf, const uint8_t *was, uint32_t link,
                           uint16_t mtu, bool last)
{
    const uint8_t *bytes = rte_pktmbuf_mtod(mbuf, const uint8_t *), *is = bytes + link;
    uint32_t length = rte_pktmbuf_data_len(mbuf) - link, header = is[0] % 16 * 4u;

    FUZZ_CHECK(mbuf->nb_segs == 1 && mbuf->pkt_len == mbuf->data_len, "not one segment");
    FUZZ_CHECK(length <= mtu && length >= header && is[0] / 16 == 4, "%u bytes at MTU %u", length,
               mtu);
    FUZZ_CHECK(read16(is + 2) == length, "total length %u, not %u", read16(is + 2), length);
    FUZZ_CHECK(memcmp(bytes, frame.bytes, link) == 0, "its link header differs");
    FUZZ_CHECK(sum_of(is, header, 0) == 0xffff, "checksum");
    FUZZ_CHECK(is[1] == was[1] && memcmp(is + 4, was + 4, 2) == 0 &&
                   memcmp(is + 8, was + 8, 2) == 0 && memcmp(is + 12, was + 12, 8) == 0,
               "a field of the header differs");
    if (!last)
        FUZZ_CHECK((is[6] & 0x20) != 0 && (length - header) % 8 == 0, "a fragment in the middle");
    else
        FUZZ_CHECK((is[6] & 0x20) == (was[6] & 0x20), "the last fragment");
}

static void fragment(struct rte_mbuf *mbuf, const struct spill_packet *packet, uint16_t mtu)
{
    const uint8_t *ip = frame.bytes + packet->l3_offset;
    uint32_t header = ip[0] % 16 * 4u, payload = read16(ip + 2) - header;
    struct rte_mbuf *fragments[MOST];
    unsigned in_use = rte_mempool_in_use_count(pool);
    int count = spill_fragment_ipv4(mbuf, packet, mtu, pool, fragments, MOST);

    if (count < 0) {
        FUZZ_CHECK(rte_mempool_in_use_count(pool) == in_use, "mbufs are gone");
        FUZZ_CHECK(count != -ENOTSUP || (ip[6] & 0x40) != 0, "DF is not set");
        FUZZ_CHECK(count != -EINVAL || mtu < 68 || payload / (mtu - header) * 8 / 7 >= MOST / 2 ||
                       header > 20 || packet->wrapped ||
                       RTE_MIN(mtu, payload + header) + RTE_PKTMBUF_HEADROOM >
                           rte_pktmbuf_data_room_size(pool),
                   "refused at MTU %u", mtu);
        return;
    }
    memset(&whole, 0, sizeof(whole));
    for (int i = 0; i < count; i++) {
        check_fragment(fragments[i], ip, packet->l3_offset, mtu, i == count - 1);
        put_together(rte_pktmbuf_mtod_offset(fragments[i], const uint8_t *, packet->l3_offset),
                     read16(ip + 6) % 8192 * 8);
    }
    FUZZ_CHECK(whole.length == payload, "%u bytes, not %u", whole.length, payload);
    FUZZ_CHECK(memcmp(whole.bytes, ip + header, payload) == 0, "other bytes");
    FUZZ_CHECK(payload == 0 || memchr(whole.there, 0, payload) == NULL, "a gap");
    rte_pktmbuf_free_bulk(fragments, (unsigned)count);
    FUZZ_CHECK(rte_mempool_in_use_count(pool) == in_use, "mbufs are gone");
}

/* ---------------------------------------------------------------------------------- errors */

/* Of the port that is too small, and its link-local address. */
static const struct rte_ether_addr own = {{2, 0, 0, 0, 0, 1}};
static const uint8_t own6[16] = {0xfe, 0x80, [11] = 0xff, [12] = 0xfe, [15] = 1};

static bool is_single(const uint8_t *address, bool v4)
{
    static const uint8_t none[16];

    if (v4)
        return address[0] < 224 && address[0] != 0 && address[0] != 127;
    return address[0] != 0xff && memcmp(address, none, 16) != 0;
}

static void check_error(const struct rte_mbuf *reply, const struct spill_packet *packet,
                        uint16_t mtu)
{
    const uint8_t *bytes = rte_pktmbuf_mtod(reply, const uint8_t *);
    const uint8_t *was = frame.bytes + packet->l3_offset, *is = bytes + packet->l3_offset;
    bool v4 = packet->kind == SPILL_PACKET_IPV4;
    uint32_t header = v4 ? 20 : 40, size = v4 ? 4 : 16, from = v4 ? 12 : 8;
    uint32_t length = rte_pktmbuf_data_len(reply) - packet->l3_offset;
    const uint8_t *icmp = is + header;
    uint32_t carried = length - header - 8;
    FUZZ_CHECK(reply->nb_segs == 1 && reply->pkt_len == reply->data_len, "not one segment");
    bool group = (frame.bytes[0] & 1) != 0, group6 = !v4 && was[24] == 0xff;

    FUZZ_CHECK(memcmp(bytes, frame.bytes + 6, 6) == 0 &&
                   memcmp(bytes + 6, group ? own.addr_bytes : frame.bytes, 6) == 0 &&
                   memcmp(bytes + 12, frame.bytes + 12, packet->l3_offset - 12u) == 0,
               "Ethernet");
    FUZZ_CHECK(!(v4 && group) && (frame.bytes[6] & 1) == 0, "an answer to a group");
    FUZZ_CHECK(memcmp(is + from, group6 ? own6 : was + from + size, size) == 0 &&
                   memcmp(is + from + size, was + from, size) == 0,
               "addresses");
    FUZZ_CHECK(is_single(is + from + size, v4), "an error to no single host");
    FUZZ_CHECK(length <= (v4 ? 576 : 1280), "%u bytes", length);
    FUZZ_CHECK(carried <= frame.length - packet->l3_offset && memcmp(icmp + 8, was, carried) == 0,
               "what it carries");
    FUZZ_CHECK(icmp[0] == (v4 ? 3 : 2) && icmp[1] == (v4 ? 4 : 0), "type %u", icmp[0]);
    FUZZ_CHECK(read16(icmp + 6) == mtu, "MTU %u, not %u", read16(icmp + 6), mtu);
    if (v4)
        FUZZ_CHECK(is[0] == 0x45 && read16(is + 2) == length && is[9] == 1 &&
                       sum_of(is, 20, 0) == 0xffff && sum_of(icmp, length - 20, 0) == 0xffff,
                   "IPv4");
    else
        FUZZ_CHECK(is[0] == 0x6c && read16(is + 4) == length - 40 && is[6] == 58 &&
                       sum_of(icmp, length - 40, sum_of(is + 8, 32, 58 + length - 40)) == 0xffff,
                   "IPv6");
}

static void answer(struct rte_mbuf *mbuf, const struct spill_packet *packet, uint16_t mtu)
{
    unsigned in_use = rte_mempool_in_use_count(pool);
    struct rte_mbuf *reply = spill_icmp_too_big(mbuf, packet, mtu, &own, pool);

    FUZZ_CHECK(reply == NULL || spill_icmp_may_answer(mbuf, packet), "an answer that may not be");

    if (reply != NULL) {
        check_error(reply, packet, mtu);
        rte_pktmbuf_free(reply);
    }
    FUZZ_CHECK(rte_mempool_in_use_count(pool) == in_use, "mbufs are gone");
}

/* ----------------------------------------------------------------------------- the frame */

static void take_frame(struct fuzz_input *input)
{
    uint32_t length = fuzz_16(input) % (FRAME_MAX + 1), there = (uint32_t)input->left, i;

    frame.length = RTE_MAX(length, RTE_MIN(there, (uint32_t)FRAME_MAX));
    fuzz_bytes(input, frame.bytes, RTE_MIN(there, frame.length));
    for (i = there; i < frame.length; i++)
        frame.bytes[i] = (uint8_t)(i * 31 + i / 251);
    /* Most lengths in headers would lie; some IP packets end with their frame. */
    if (length % 2 == 0 && frame.length > 34 && read16(frame.bytes + 12) == 0x0800) {
        frame.bytes[16] = (uint8_t)((frame.length - 14) >> 8);
        frame.bytes[17] = (uint8_t)(frame.length - 14);
    }
    if (length % 2 == 0 && frame.length > 54 && read16(frame.bytes + 12) == 0x86dd) {
        frame.bytes[18] = (uint8_t)((frame.length - 54) >> 8);
        frame.bytes[19] = (uint8_t)(frame.length - 54);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct fuzz_input input = {bytes, size};
    uint16_t mtu = fuzz_16(&input);
    unsigned count = fuzz_below(&input, SEGMENTS);
    uint32_t ends[SEGMENTS];
    struct spill_packet packet;
    struct rte_mbuf *mbuf;

    for (unsigned i = 0; i < count; i++)
        ends[i] = fuzz_16(&input);
    take_frame(&input);
    for (unsigned i = 0; i < count; i++) {
        uint32_t before = i == 0 ? 0 : ends[i - 1];

        ends[i] = before + ends[i] % (frame.length - before + 1);
    }
    mbuf = lay(ends, count);
    spill_parse_burst(&mbuf, 1, 0, &packet);
    if (packet.kind <= SPILL_PACKET_IPV6)
        answer(mbuf, &packet, mtu);
    if (packet.kind == SPILL_PACKET_IPV4)
        fragment(mbuf, &packet, mtu);
    check_unchanged(mbuf);
    rte_pktmbuf_free(mbuf);
    FUZZ_CHECK(rte_mempool_in_use_count(pool) == 0, "mbufs are gone");
    return 0;
}
