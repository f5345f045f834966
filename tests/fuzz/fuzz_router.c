/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pipeline whose ports are routed, polled by hand (world.h): frames of all sorts from both sides,
 * routes, neighbours, MTUs and links that change, time, ports that take nothing.
 *
 * - The books balance, and every mbuf comes home, those that wait for neighbours too.
 * - What leaves is for a neighbour of its port, and by a port that a route to its destination led
 * to.
 * - It is a packet that came, with one hop less and a right checksum; or a piece of one, or an
 * error from an address of the router's own, of which there are no more than packets.
 * - What memory held before changes nothing.
 *
 * Input: the options, then steps.
 */
#include <netinet/in.h>

#include <rte_ip.h>

#include "traffic.h"
#include "world_router.h"

#define STEPS 400

#define LINK 14
#define OURS "\x02\0\0\0\0\x01"

static uint64_t left_hash, left_count, errors;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    world_start();
    return 0;
}

static void take_options(struct fuzz_input *input, struct world_options *options)
{
    static const uint16_t mtus[] = {1500, 9000, 68, 576, 1280, 1400};
    uint8_t shape = fuzz_byte(input), ways = fuzz_byte(input);

    *options = (struct world_options){.routed = true,
                                      .rules = (ways & 4) != 0,
                                      .shape = shape & 7,
                                      .overflow = (shape & 8) != 0,
                                      .source_waits = (shape & 0x20) != 0,
                                      .capacity = 8,
                                      .lanes = 2,
                                      .budget_ns = (ways >> 4) * 1500u,
                                      .tcp_pickup = true};
    for (unsigned i = 0; i < SPILL_CLASSES; i++)
        options->dispatch[i] = (shape >> 6) % 3;
    for (unsigned i = 0; i < 2; i++)
        options->limits[i] =
            (struct spill_port_limits){.packet = mtus[fuzz_byte(input) % 6],
                                       .frame = UINT16_MAX,
                                       .segments = (shape & 0x10) != 0 ? 1 : UINT16_MAX};
}

/* ------------------------------------------------------------------------------- what leaves */

static void fail(const uint8_t *frame, uint32_t length, const char *why)
{
    fprintf(stderr, "%u bytes:", length);
    for (uint32_t i = 0; i < RTE_MIN(length, 120u); i++)
        fprintf(stderr, "%s%02x", i % 2 == 0 ? " " : "", frame[i]);
    FUZZ_CHECK(false, "\n%s", why);
}

static bool is_v6(const uint8_t *frame)
{
    return frame[12] == 0x86;
}

static struct spill_ip address_in(const uint8_t *frame, bool source)
{
    uint32_t four;

    if (is_v6(frame))
        return spill_ip_of6(frame + LINK + (source ? 8 : 24));
    memcpy(&four, frame + LINK + (source ? 12 : 16), sizeof(four));
    return spill_ip_of4(four);
}

/* Whether a packet that came is this one but for what forwarding changes. */
static bool is_forwarded(const struct sent *sent, const uint8_t *frame)
{
    const uint8_t *came = sent->bytes + LINK, *ip = frame + LINK;
    const bool v6 = is_v6(frame);
    const uint32_t length =
        v6 ? 40u + (uint32_t)(ip[4] << 8 | ip[5]) : (uint32_t)(ip[2] << 8 | ip[3]);
    const unsigned hops = v6 ? 7 : 8, behind = v6 ? 8 : 12;

    if (sent->length < LINK + length || memcmp(sent->bytes + 12, frame + 12, 2) != 0 ||
        came[hops] != ip[hops] + 1)
        return false;
    return memcmp(came, ip, hops) == 0 && (v6 || came[9] == ip[9]) &&
           memcmp(came + behind, ip + behind, length - behind) == 0;
}

/* A piece of one that came: the same header but for length, fragment, hops and checksum. */
static bool is_piece(const struct sent *sent, const uint8_t *frame)
{
    const uint8_t *came = sent->bytes + LINK, *ip = frame + LINK;

    return !is_v6(frame) && sent->length >= LINK + 20 &&
           memcmp(sent->bytes + 12, frame + 12, 2) == 0 && came[1] == ip[1] &&
           memcmp(came + 4, ip + 4, 2) == 0 && came[8] == ip[8] + 1 &&
           memcmp(came + 12, ip + 12, 8) == 0 && ((ip[6] << 8 | ip[7]) & 0x3fff) != 0;
}

static bool came(const uint8_t *frame)
{
    for (uint32_t i = 0; i < traffic.count; i++) {
        if (is_forwarded(&traffic.sent[i], frame) || is_piece(&traffic.sent[i], frame))
            return true;
    }
    return false;
}

static void check(enum world_port port, const uint8_t *frame, uint32_t length)
{
    const struct rte_ether_addr mac = world_router_mac(port, frame[5]);
    const struct spill_ip to = address_in(frame, false), from = address_in(frame, true);
    const bool v6 = is_v6(frame);

    if (memcmp(frame, &mac, 6) != 0 || memcmp(frame + 6, OURS, 6) != 0)
        fail(frame, length, "for nobody that the port's link has");
    if (memcmp(frame + 12, v6 ? "\x86\xdd" : "\x08\0", 2) != 0)
        fail(frame, length, "no IP");
    if (!v6 && rte_raw_cksum(frame + LINK, (frame[LINK] & 15) * 4u) != 0xffff)
        fail(frame, length, "a wrong checksum");
    if (!world_router_leads(&to, port))
        fail(frame, length, "no route leads there");
    if (world_router_is_own(&from) &&
        frame[LINK + (v6 ? 6 : 9)] == (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) && !came(frame)) {
        errors++;
        return;
    }
    if (!came(frame))
        fail(frame, length, "nobody sent it");
}

static void take(void)
{
    static uint8_t bytes[WORLD_FRAME + 256];

    world_router_work();
    for (unsigned port = 0; port < 2; port++) {
        struct rte_mbuf *mbuf;

        while ((mbuf = world_take(port)) != NULL) {
            const uint32_t length = traffic_copy(mbuf, bytes);

            FUZZ_CHECK(mbuf->nb_segs <= world.options.limits[port].segments, "%u segments",
                       mbuf->nb_segs);
            rte_pktmbuf_free(mbuf);
            left_count++;
            for (uint32_t i = 0; i < length; i++)
                left_hash = (left_hash ^ bytes[i]) * UINT64_C(1099511628211);
            check(port, bytes, length);
        }
    }
}

/* ------------------------------------------------------------------------------------- steps */

static void step(struct fuzz_input *input)
{
    const uint8_t what = fuzz_byte(input);

    switch (what % 16) {
    case 0 ... 4:
        traffic_clear(input, 0);
        break;
    case 5:
        traffic_raw(input);
        break;
    case 6:
        traffic_again(input);
        break;
    case 7 ... 9:
        for (uint32_t i = 1; i <= world_lcore_count(); i++)
            world_poll(i, -1);
        break;
    case 10:
        world_poll(1 + what / 16 % world_lcore_count(), (what & 0x80) != 0 ? fuzz_byte(input) : -1);
        break;
    case 11:
        take();
        break;
    case 12:
        world_block(what / 16 & 1, what / 32 % 4 == 0);
        break;
    case 13 ... 14:
        world_router_change(input);
        break;
    case 15:
        fuzz_clock += UINT64_C(1) << fuzz_byte(input) % 36;
        break;
    }
}

static void run(const uint8_t *bytes, size_t size, uint8_t before, struct spill_ledger *ledger)
{
    struct fuzz_input input = {bytes, size};
    struct world_options options;

    take_options(&input, &options);
    options.before = before;
    left_hash = left_count = errors = 0;
    world_open(&options);
    traffic_begin();
    for (unsigned i = 0; i < STEPS && input.left > 0; i++)
        step(&input);
    world_drain(take);
    memset(ledger, 0, sizeof(*ledger));
    world_close(ledger);
    FUZZ_CHECK(ledger->received == traffic.fed && ledger->transmitted == left_count &&
                   spill_ledger_in_flight(ledger) == 0,
               "%llu fed, %llu received, %llu transmitted, %llu came, %lld in flight",
               (unsigned long long)traffic.fed, (unsigned long long)ledger->received,
               (unsigned long long)ledger->transmitted, (unsigned long long)left_count,
               (long long)spill_ledger_in_flight(ledger));
    if (getenv("FUZZ_TELL") != NULL)
        fprintf(stderr, "%llu fed, %llu left, %llu of them errors\n",
                (unsigned long long)traffic.fed, (unsigned long long)left_count,
                (unsigned long long)errors);
    FUZZ_CHECK(errors <= traffic.fed, "%llu errors about %llu packets", (unsigned long long)errors,
               (unsigned long long)traffic.fed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct spill_ledger first, second;
    uint64_t hash;

    if (size < 5)
        return 0;
    run(bytes, size, 0x45, &first);
    hash = left_hash;
    run(bytes, size, 0xa5, &second);
    FUZZ_CHECK(hash == left_hash &&
                   memcmp(first.dropped, second.dropped, sizeof(first.dropped)) == 0,
               "what memory held is in what left, or was dropped");
    return 0;
}
