/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames of any bytes: the quick way of parsing says what the careful one says, of one segment and
 * of several, and what the oracle says; whatever stands behind the frame; and reads no byte that is
 * not the frame's.
 *
 * Input: which tags the device stripped (1), their contents (4), where segments end (1 and 2 for
 * each), then the frame.
 */
#include "fuzz.h"

#include <sanitizer/asan_interface.h>

#include "packet/parse.h"
#include "packet/parse_shared.h"
#include "parse_oracle.h"
#include "poison.h"

#define NETWORK  5
#define SEGMENTS 4

static struct rte_mempool *pool;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_eal_start(64);
    pool = fixture_poison_pool("frames", 63, 0, RTE_PKTMBUF_HEADROOM + FRAME_MAX);
    FUZZ_CHECK(pool != NULL, "no memory");
    return 0;
}

/* Of a segment all that is not the frame's may not be read, or may be: then it is noise. */
static void guard(const struct rte_mbuf *mbuf, bool on)
{
    uint8_t *start = mbuf->buf_addr, *data = rte_pktmbuf_mtod(mbuf, uint8_t *);
    uint8_t *end = data + mbuf->data_len;

    /* Poison is in units of eight bytes: only whole ones, at the data's beginning. */
    if (on) {
        ASAN_POISON_MEMORY_REGION(start, (size_t)(data - start) & ~(size_t)7);
        ASAN_POISON_MEMORY_REGION(end, (size_t)(start + mbuf->buf_len - end));
    } else {
        ASAN_UNPOISON_MEMORY_REGION(start, mbuf->buf_len);
    }
}

/* Lays a frame into segments, its bytes at the end of what may be read. */
static struct rte_mbuf *lay(const struct frame *frame, const uint32_t *ends, unsigned count)
{
    struct rte_mbuf *head = NULL;
    uint32_t from = 0;

    for (unsigned i = 0; i <= count; i++) {
        struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
        uint32_t to = i == count ? frame->length : ends[i];

        FUZZ_CHECK(mbuf != NULL, "no mbuf");
        memset(mbuf->buf_addr, 0x45, mbuf->buf_len);
        memcpy(rte_pktmbuf_append(mbuf, (uint16_t)(to - from)), frame->bytes + from, to - from);
        from = to;
        if (head == NULL)
            head = mbuf;
        else
            FUZZ_CHECK(rte_pktmbuf_chain(head, mbuf) == 0, "no chain");
    }
    head->ol_flags = frame->ol_flags;
    head->vlan_tci = frame->vlan_tci;
    head->vlan_tci_outer = frame->vlan_tci_outer;
    return head;
}

static void guard_all(const struct rte_mbuf *head, bool on)
{
    for (; head != NULL; head = head->next)
        guard(head, on);
}

/* The key by the oracle's mouth: each end in its place, as the header of the key says. */
static void check_key(const struct expected *expected, const struct spill_packet *packet)
{
    bool v4 = expected->kind == SPILL_PACKET_IPV4;
    size_t size = v4 ? 4 : 16;
    unsigned first = packet->direction;
    const uint8_t *addresses =
        v4 ? (const uint8_t *)packet->key.v4.address : packet->key.v6.address[0];
    uint8_t end[2][18] = {{0}, {0}};
    uint16_t port[2];

    memcpy(port, v4 ? packet->key.v4.port : packet->key.v6.port, sizeof(port));
    FUZZ_CHECK(memcmp(addresses + first * size, expected->source, size) == 0, "source");
    FUZZ_CHECK(memcmp(addresses + !first * size, expected->destination, size) == 0, "destination");
    if (expected->icmp) {
        FUZZ_CHECK(memcmp(port, expected->ports, 4) == 0, "identifier and type");
        memset(port, 0, sizeof(port));
    } else {
        FUZZ_CHECK(memcmp(&port[first], expected->ports, 2) == 0, "source port");
        FUZZ_CHECK(memcmp(&port[!first], expected->ports + 2, 2) == 0, "destination port");
    }
    FUZZ_CHECK((v4 ? packet->key.v4.protocol : packet->key.v6.protocol) == expected->protocol,
               "protocol");
    /* The lowest bit says at which end of the wire the first address is. */
    FUZZ_CHECK((v4 ? packet->key.v4.zone : packet->key.v6.zone) ==
                   (NETWORK ^ first) + (expected->later ? SPILL_FLOW_FRAGMENT : 0),
               "zone");
    FUZZ_CHECK((v4 ? packet->key.v4.vlan : packet->key.v6.vlan) ==
                   (expected->vlan | expected->alone |
                    (expected->icmp && first != expected->answers ? SPILL_VLAN_SECOND : 0)),
               "VLAN");
    for (unsigned i = 0; i < 2; i++) {
        memcpy(end[i], addresses + i * size, size);
        memcpy(end[i] + size, &port[i], 2);
    }
    FUZZ_CHECK(memcmp(end[0], end[1], size + 2) <= 0, "the ends' order");
    FUZZ_CHECK(memcmp(end[0], end[1], size + 2) != 0 || first == 0, "equal ends' direction");
}

static void check(const struct expected *expected, const struct spill_packet *packet)
{
    FUZZ_CHECK(packet->kind == expected->kind, "%u, not %u", packet->kind, expected->kind);
    if (expected->drop != NULL)
        FUZZ_CHECK(packet->drop == expected->drop->id, "reason %u", packet->drop);
    else
        FUZZ_CHECK(packet->reversed == 0 && packet->step == oracle_step(expected), "step %u",
                   packet->step);
    FUZZ_CHECK(packet->l3_offset == expected->l3 && packet->l4_offset == expected->l4,
               "offsets %u %u", packet->l3_offset, packet->l4_offset);
    FUZZ_CHECK(packet->length == expected->length, "length %u", packet->length);
    FUZZ_CHECK(packet->inner_vlan == expected->inner_vlan, "inner VLAN %u", packet->inner_vlan);
    FUZZ_CHECK(packet->has_ports == expected->has_ports, "ports");
    FUZZ_CHECK(packet->wrapped == expected->wrapped, "wrapped");
    FUZZ_CHECK(packet->esp == expected->esp, "ESP %u", packet->esp);
    FUZZ_CHECK(packet->fragment == expected->fragment, "fragment");
    FUZZ_CHECK(packet->sa == 0 && packet->inbound_sa == 0 && packet->flow == NULL &&
                   packet->verdict == SPILL_VERDICT_UNKNOWN && packet->input == 0 &&
                   packet->output == 0,
               "what parsing doesn't know");
    if (expected->kind <= SPILL_PACKET_IPV6)
        check_key(expected, packet);
    else
        FUZZ_CHECK(packet->key.type == expected->type, "type %#x", packet->key.type);
}

/* Parses a burst of the frame, as it may stand anywhere in one, and carefully. */
static void parse(const struct frame *frame, const uint32_t *ends, unsigned count)
{
    struct expected expected = oracle(frame);
    struct rte_mbuf *mbuf = lay(frame, ends, count);
    struct rte_mbuf *burst[3] = {mbuf, mbuf, mbuf};
    struct spill_packet packets[4];

    memset(packets, 0xa5, sizeof(packets));
    guard_all(mbuf, true);
    spill_parse_burst(burst, 3, NETWORK, packets);
    spill_parse_carefully(mbuf, NETWORK, &packets[3]);
    guard_all(mbuf, false);
    for (unsigned i = 0; i < 4; i++)
        check(&expected, &packets[i]);
    rte_pktmbuf_free(mbuf);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct fuzz_input input = {bytes, size};
    static struct frame frame;
    uint32_t ends[SEGMENTS - 1];
    uint8_t stripped = fuzz_byte(&input);
    unsigned count;

    memset(&frame, 0, sizeof(frame));
    frame.ol_flags = ((stripped & 1) != 0 ? RTE_MBUF_F_RX_VLAN_STRIPPED : 0) |
                     ((stripped & 2) != 0 ? RTE_MBUF_F_RX_QINQ_STRIPPED : 0);
    frame.vlan_tci = fuzz_16(&input);
    frame.vlan_tci_outer = fuzz_16(&input);
    count = fuzz_below(&input, SEGMENTS);
    for (unsigned i = 0; i < count; i++)
        ends[i] = fuzz_16(&input);
    frame.length = (uint32_t)RTE_MIN(input.left, (size_t)FRAME_MAX);
    fuzz_bytes(&input, frame.bytes, frame.length);
    for (unsigned i = 0; i < count; i++) {
        uint32_t before = i == 0 ? 0 : ends[i - 1];

        ends[i] = before + ends[i] % (frame.length - before + 1);
    }
    parse(&frame, NULL, 0);
    if (count > 0)
        parse(&frame, ends, count);
    return 0;
}
