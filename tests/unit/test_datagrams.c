/* SPDX-License-Identifier: BSD-3-Clause */
/* Fragments against a naive oracle; what is dropped by name; bounds under attack. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "classify/datagrams.h"
#include "lcores.h"
#include "packet/parse.h"
#include "poison.h"

#define MBUFS   2047
#define TIMEOUT 1000
#define UNIT    8

static struct rte_mempool *mempool;
static struct spill_ledger ledger;
static struct spill_datagrams *fragments;
static uint64_t seed;

/* ------------------------------------------------------------------------------------ frames */

struct piece {
    bool v6;
    uint8_t protocol;
    uint32_t datagram;       /* addresses, ports and id follow from it */
    uint32_t offset, length; /* bytes */
    bool more;
};

static void *append(struct rte_mbuf *mbuf, size_t length)
{
    char *room = rte_pktmbuf_append(mbuf, (uint16_t)length);

    assert_non_null(room);
    return memset(room, 0, length);
}

static struct rte_mbuf *ethernet(uint16_t type)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(mempool);
    struct rte_ether_hdr *header;

    assert_non_null(mbuf);
    header = append(mbuf, sizeof(*header));
    header->ether_type = rte_cpu_to_be_16(type);
    return mbuf;
}

static void transport(struct rte_mbuf *mbuf, const struct piece *piece)
{
    uint8_t *payload = append(mbuf, piece->length);

    if (piece->offset > 0)
        return;
    payload[0] = 4; /* port 1024 + n */
    payload[1] = (uint8_t)piece->datagram;
    payload[3] = 53;
    if (piece->protocol == IPPROTO_TCP)
        payload[12] = 15 << 4; /* with forty bytes of options */
    else
        payload[4] = 1; /* UDP length 256 */
}

static struct rte_mbuf *make4(const struct piece *piece)
{
    struct rte_mbuf *mbuf = ethernet(RTE_ETHER_TYPE_IPV4);
    struct rte_ipv4_hdr *ip = append(mbuf, sizeof(*ip));

    ip->version_ihl = RTE_IPV4_VHL_DEF;
    ip->total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip) + piece->length));
    ip->packet_id = rte_cpu_to_be_16((uint16_t)piece->datagram);
    ip->fragment_offset = rte_cpu_to_be_16(
        (uint16_t)(piece->offset / UNIT | (piece->more ? RTE_IPV4_HDR_MF_FLAG : 0U)));
    ip->next_proto_id = piece->protocol;
    ip->src_addr = rte_cpu_to_be_32(0xc0000200);
    ip->dst_addr = rte_cpu_to_be_32(0x0a000000 + (piece->datagram >> 8));
    transport(mbuf, piece);
    return mbuf;
}

/* With a fragment header before which stand `nested` others. */
static struct rte_mbuf *make6(const struct piece *piece, unsigned nested)
{
    struct rte_mbuf *mbuf = ethernet(RTE_ETHER_TYPE_IPV6);
    struct rte_ipv6_hdr *ip = append(mbuf, sizeof(*ip));
    uint8_t *header, *addresses = (uint8_t *)ip + 8;

    ip->vtc_flow = rte_cpu_to_be_32(6U << 28);
    ip->payload_len = rte_cpu_to_be_16((uint16_t)(UNIT * (nested + 1) + piece->length));
    ip->proto = IPPROTO_FRAGMENT;
    addresses[0] = addresses[16] = 0xfd;
    addresses[15] = 1;
    addresses[31] = (uint8_t)(piece->datagram >> 8);
    for (; nested > 0; nested--) {
        header = append(mbuf, UNIT);
        header[0] = IPPROTO_FRAGMENT;
    }
    header = append(mbuf, UNIT);
    header[0] = piece->protocol;
    header[2] = (uint8_t)(piece->offset >> 8);
    header[3] = (uint8_t)(piece->offset | piece->more);
    header[7] = (uint8_t)piece->datagram;
    transport(mbuf, piece);
    return mbuf;
}

static struct rte_mbuf *make(const struct piece *piece, struct spill_packet *packet)
{
    struct rte_mbuf *mbuf = piece->v6 ? make6(piece, 0) : make4(piece);

    assert_true(spill_parse_burst(&mbuf, 1, 0, packet));
    assert_true(packet->kind == (piece->v6 ? SPILL_PACKET_IPV6 : SPILL_PACKET_IPV4));
    packet->input = 3;
    return mbuf;
}

static bool take(const struct piece *piece, uint64_t now)
{
    struct spill_packet packet;
    struct rte_mbuf *mbuf = make(piece, &packet);

    if (!spill_datagrams_take(fragments, mbuf, &packet, now))
        return false;
    rte_pktmbuf_free(mbuf);
    return true;
}

static uint64_t drops(const char *name)
{
    unsigned i;

    for (i = 0; i < spill_drop_reason_count(); i++) {
        if (strcmp(spill_drop_reason_get(i)->name, name) == 0)
            return ledger.dropped[i];
    }
    fail_msg("no reason '%s'", name);
    return 0;
}

/* ------------------------------------------------------------------------------------ oracle */

#define DATAGRAMS 4
#define UNITS     32 /* of a datagram, at most */

/* A datagram as a picture: one bool for each unit. */
struct picture {
    bool covered[UNITS];
    uint32_t end; /* UNITS + 1: not known */
    bool known, dead;
    uint64_t until;
    uint32_t waiting[UNITS], waiting_count; /* offsets, in order */
};

struct counts {
    uint32_t passed, overlap, full;
};

static struct picture pictures[DATAGRAMS];
static struct counts wanted;

static bool is_complete(const struct picture *picture)
{
    uint32_t i;

    for (i = 0; i < UNITS; i++) {
        if (picture->covered[i] != (i < picture->end))
            return false;
    }
    return picture->known && picture->end <= UNITS;
}

static uint32_t pieces_of(const struct picture *picture)
{
    uint32_t pieces = picture->covered[0], i;

    for (i = 1; i < UNITS; i++)
        pieces += picture->covered[i] && !picture->covered[i - 1];
    return pieces;
}

/* Whether [first, end) fits into what is known. */
static bool overlaps(const struct picture *picture, uint32_t first, uint32_t end, bool more)
{
    bool found = end > picture->end || (!more && picture->end <= UNITS && end != picture->end);
    uint32_t i;

    for (i = first; i < UNITS; i++)
        found = found || (picture->covered[i] && (i < end || !more));
    return found;
}

/* What should become of a piece: true passes. */
static bool expect(const struct piece *piece, uint64_t now)
{
    struct picture *picture = &pictures[piece->datagram];
    uint32_t first = piece->offset / UNIT, end = (piece->offset + piece->length + UNIT - 1) / UNIT;
    uint32_t new = 0, i;

    if (picture->until <= now || is_complete(picture))
        *picture = (struct picture){.end = UNITS + 1, .until = now + TIMEOUT};
    for (i = first; i < end; i++)
        new += !picture->covered[i];
    if (!picture->dead && new > 0 && overlaps(picture, first, end, piece->more)) {
        picture->dead = true;
        wanted.overlap += picture->waiting_count;
        picture->waiting_count = 0;
    }
    if (picture->dead || new == 0) {
        wanted.overlap++;
        return false;
    }
    for (i = first; i < end; i++)
        picture->covered[i] = true;
    if (pieces_of(picture) > SPILL_DATAGRAMS_RANGES) {
        for (i = first; i < end; i++)
            picture->covered[i] = false;
        wanted.full++;
        return false;
    }
    if (!piece->more)
        picture->end = end;
    picture->known |= first == 0;
    if (!picture->known)
        picture->waiting[picture->waiting_count++] = piece->offset;
    return picture->known;
}

/* What waited comes in its order and with the key of the first. */
static void check_released(const struct piece *piece, const struct spill_packet *first)
{
    struct picture *picture = &pictures[piece->datagram];
    struct rte_mbuf *mbufs[SPILL_DATAGRAMS_WAITING_EACH];
    struct spill_packet packets[SPILL_DATAGRAMS_WAITING_EACH];
    uint32_t count = spill_datagrams_next(fragments, mbufs, packets), i;

    assert_int_equal(count, picture->waiting_count);
    for (i = 0; i < count; i++) {
        assert_memory_equal(&packets[i].key, &first->key,
                            piece->v6 ? sizeof(first->key.v6) : sizeof(first->key.v4));
        assert_int_equal(packets[i].direction, first->direction);
        assert_int_equal(packets[i].has_ports, 1);
        assert_int_equal(*rte_pktmbuf_mtod_offset(mbufs[i], uint8_t *, mbufs[i]->pkt_len - 1),
                         picture->waiting[i] / UNIT);
    }
    rte_pktmbuf_free_bulk(mbufs, count);
    wanted.passed += count;
    picture->waiting_count = 0;
}

static void try_piece(const struct piece *piece, uint64_t now, uint32_t *passed)
{
    struct spill_packet packet;
    struct rte_mbuf *mbuf = make(piece, &packet);
    bool expected = expect(piece, now), passes;

    *rte_pktmbuf_mtod_offset(mbuf, uint8_t *, mbuf->pkt_len - 1) = (uint8_t)(piece->offset / UNIT);
    passes = spill_datagrams_take(fragments, mbuf, &packet, now);
    if (passes != expected)
        fail_msg("datagram %u, %u bytes at %u, more %d: passes %d", piece->datagram, piece->length,
                 piece->offset, piece->more, passes);
    if (passes) {
        uint16_t port =
            piece->v6 ? packet.key.v6.port[packet.direction] : packet.key.v4.port[packet.direction];

        assert_int_equal(rte_be_to_cpu_16(port), 1024 + piece->datagram);
        if (piece->offset == 0)
            check_released(piece, &packet);
        (*passed)++;
        wanted.passed++;
        rte_pktmbuf_free(mbuf);
    }
}

static void random_fragments_fare_as_the_oracle_says(void **state)
{
    uint32_t tried = TEST_ROUNDS(60000), passed = 0, i;
    uint64_t now = 1;

    (void)state;
    memset(pictures, 0, sizeof(pictures));
    memset(&wanted, 0, sizeof(wanted));
    for (i = 0; i < tried; i++) {
        struct piece piece = {.protocol = IPPROTO_UDP,
                              .datagram = test_random_below(&seed, DATAGRAMS),
                              .length = UNIT * (1 + test_random_below(&seed, 3)),
                              .more = test_random_below(&seed, 8) != 0};

        piece.v6 = piece.datagram % 2 == 1;
        piece.offset = UNIT * test_random_below(&seed, UNITS - 3);
        if (test_random_below(&seed, 16) != 0) { /* as most senders do: all alike */
            piece.offset = piece.offset / (2 * UNIT) * (2 * UNIT);
            piece.length = 2 * UNIT;
        }
        if (!piece.more && test_random_below(&seed, 2) == 0)
            piece.length -= 1 + test_random_below(&seed, UNIT - 1);
        if (piece.offset == 0) { /* the last of all would be no fragment */
            piece.more = true;
            piece.length = (piece.length + UNIT - 1) / UNIT * UNIT;
        }
        now += test_random_below(&seed, 20);
        try_piece(&piece, now, &passed);
        spill_datagrams_expire(fragments, now);
    }
    spill_datagrams_drop_all(fragments, NULL, &ledger);
    assert_int_equal(drops("fragment_overlap"), wanted.overlap);
    assert_int_equal(wanted.passed + drops("fragment_overlap") + drops("fragment_no_first") +
                         drops("fragment_table_full"),
                     tried);
    assert_true(passed > tried / 20);
}

/* ----------------------------------------------------------------------------- by name, bounds */

static void later_ones_follow_in_any_order(void **state)
{
    struct piece last = {.protocol = IPPROTO_UDP, .datagram = 7, .offset = 64, .length = 5};
    struct piece first = {
        .protocol = IPPROTO_UDP, .datagram = 7, .offset = 0, .length = 64, .more = true};
    struct rte_mbuf *mbufs[SPILL_DATAGRAMS_WAITING_EACH];
    struct spill_packet packets[SPILL_DATAGRAMS_WAITING_EACH];

    (void)state;
    for (unsigned family = 0; family < 2; family++) {
        first.v6 = last.v6 = family == 1;
        assert_true(take(&first, 1));
        assert_true(take(&last, 2));
        /* All of it came: what has the same id now is another one. */
        assert_false(take(&last, 3));
        assert_int_equal(spill_datagrams_waiting(fragments), 1);
        assert_true(take(&first, 4));
        assert_int_equal(spill_datagrams_next(fragments, mbufs, packets), 1);
        rte_pktmbuf_free(mbufs[0]);
    }
}

static void what_no_sender_makes_is_dropped_by_name(void **state)
{
    struct piece tcp = {.protocol = IPPROTO_TCP, .datagram = 1, .length = 24, .more = true};
    struct piece odd = {.protocol = IPPROTO_UDP, .datagram = 2, .length = 23, .more = true};
    struct piece inner = {
        .v6 = true, .protocol = IPPROTO_UDP, .datagram = 3, .length = 64, .more = true};
    struct spill_packet packet;
    struct rte_mbuf *mbuf;

    (void)state;
    assert_false(take(&tcp, 1)); /* its options would come in the next */
    assert_int_equal(drops("fragment_short"), 1);
    tcp.length = 64;
    assert_true(take(&tcp, 1));
    assert_false(take(&odd, 1));
    assert_int_equal(drops("malformed_fragment"), 1);
    mbuf = make6(&inner, 1);
    assert_true(spill_parse_burst(&mbuf, 1, 0, &packet));
    assert_false(spill_datagrams_take(fragments, mbuf, &packet, 1));
    inner.protocol = IPPROTO_FRAGMENT;
    inner.offset = 64;
    mbuf = make6(&inner, 0);
    assert_true(spill_parse_burst(&mbuf, 1, 0, &packet));
    assert_false(spill_datagrams_take(fragments, mbuf, &packet, 1));
    assert_int_equal(drops("fragment_nested"), 2);
}

/* RFC 1858, 3128, 5722: neither before nor behind what a rule has judged. */
static void an_overlap_ends_its_datagram(void **state)
{
    struct piece first = {.protocol = IPPROTO_TCP, .datagram = 1, .length = 64, .more = true};
    struct piece over = {.protocol = IPPROTO_TCP, .datagram = 1, .offset = 16, .length = 64};
    struct piece behind = {.protocol = IPPROTO_TCP, .datagram = 1, .offset = 80, .length = 64};

    (void)state;
    assert_true(take(&first, 1));
    assert_false(take(&over, 1));
    assert_false(take(&behind, 1));
    assert_int_equal(drops("fragment_overlap"), 2);
    /* One that comes again changes nothing. */
    first.datagram = behind.datagram = 2;
    behind.offset = 64;
    assert_true(take(&first, 1));
    assert_false(take(&first, 1));
    assert_true(take(&behind, 1));
}

static void strangers_fragments_are_bounded(void **state)
{
    struct piece stranger = {.protocol = IPPROTO_UDP, .offset = 64, .length = 64, .more = true};
    struct piece first = {.protocol = IPPROTO_UDP, .datagram = 5, .length = 64, .more = true};
    struct piece later = {.protocol = IPPROTO_UDP, .datagram = 5, .offset = 64, .length = 64};
    uint32_t i;

    (void)state;
    assert_true(take(&first, 1));
    for (i = 0; i < 20000; i++) {
        stranger.datagram = 1024 + i;
        assert_false(take(&stranger, 1 + i % TIMEOUT / 2));
        assert_true(spill_datagrams_waiting(fragments) <= SPILL_DATAGRAMS_WAITING);
    }
    assert_true(drops("fragment_table_full") >= 20000 - SPILL_DATAGRAMS_WAITING);
    assert_true(take(&later, TIMEOUT)); /* its first was not displaced */
    /* After the time all of them are gone. */
    for (i = 0; i < SPILL_DATAGRAMS_MOST; i++)
        spill_datagrams_expire(fragments, 2 * TIMEOUT);
    assert_int_equal(spill_datagrams_waiting(fragments), 0);
    assert_int_equal(drops("fragment_table_full") + drops("fragment_no_first"), 20000);
    assert_false(take(&later, 2 * TIMEOUT));
}

static int open_table(void **state)
{
    struct spill_error error;

    (void)state;
    memset(&ledger, 0, sizeof(ledger));
    fragments = spill_datagrams_create(TIMEOUT, &ledger, SOCKET_ID_ANY, &error);
    return fragments != NULL ? 0 : -1;
}

static int close_table(void **state)
{
    (void)state;
    spill_datagrams_drop_all(fragments, NULL, &ledger);
    spill_datagrams_free(fragments);
    return rte_mempool_avail_count(mempool) == MBUFS ? 0 : -1;
}

static int start(void **state)
{
    (void)state;
    test_eal_start(1, 64, NULL);
    seed = test_seed() | 1;
    mempool = fixture_poison_pool("fragments", MBUFS, SPILL_PACKET_PRIVATE_SIZE,
                                  RTE_PKTMBUF_HEADROOM + 512);
    return mempool != NULL ? 0 : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_table, close_table)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(random_fragments_fare_as_the_oracle_says), TEST(later_ones_follow_in_any_order),
        TEST(what_no_sender_makes_is_dropped_by_name),  TEST(an_overlap_ends_its_datagram),
        TEST(strangers_fragments_are_bounded),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
