/* SPDX-License-Identifier: BSD-3-Clause */
/* What may leave. */
#include "leaving.h"

#include <netinet/in.h>

#include "packet/parse.h"

#define NUMBERS 4096 /* of an SA that are told apart */

struct leaving leaving;

/* Numbers that the gateway has used, by kind, key and their low bits. */
static uint64_t used[WORLD_KINDS][WORLD_KEYS][NUMBERS / 64];

/* Packets with ESP of ours that leave in fragments, put together. */
static struct whole {
    bool used;
    uint32_t id;
    uint32_t end; /* of the payload; 0: the last fragment has not left */
    uint32_t there;
    uint8_t bytes[WORLD_FRAME + 256];
} wholes[32];

/* A frame, and what is known of it. */
struct view {
    const uint8_t *bytes;
    uint32_t length;
    struct spill_packet packet; /* by the parser, which has a target of its own */
    struct match_packet match;
};

static uint64_t hash(uint64_t from, const uint8_t *bytes, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        from = (from ^ bytes[i]) * UINT64_C(1099511628211);
    return from;
}

void leaving_begin(void)
{
    memset(&leaving, 0, sizeof(leaving));
    memset(used, 0, sizeof(used));
    memset(wholes, 0, sizeof(wholes));
}

static void look(struct view *view, const uint8_t *bytes, uint32_t length, enum world_port port)
{
    struct rte_mbuf *mbuf = traffic_parse(bytes, length, port, &view->packet);

    rte_pktmbuf_free(mbuf);
    view->bytes = bytes;
    view->length = length;
    if (view->packet.kind <= SPILL_PACKET_IPV6)
        match_packet_of(&view->packet, &view->match);
}

static bool is_ip(const struct view *view)
{
    return view->packet.kind <= SPILL_PACKET_IPV6;
}

/* Bytes that are the packet's: what Ethernet has behind it is nobody's. */
static uint32_t own_length(const struct view *view)
{
    return is_ip(view) ? (uint32_t)view->packet.l3_offset + view->packet.length : view->length;
}

static void fail(const struct view *view, enum world_port port, const char *why)
{
    fprintf(stderr, "by %s: %u bytes:", port == WORLD_LAN ? "lan" : "wan", view->length);
    for (uint32_t i = 0; i < RTE_MIN(view->length, 160u); i++)
        fprintf(stderr, "%s%02x", i % 2 == 0 ? " " : "", view->bytes[i]);
    FUZZ_CHECK(false, "\n%s", why);
}

/* ------------------------------------------------------------------------------- verdicts */

/* Whether any rules that were in force give a packet this verdict; by this SA, if it protects. */
static bool was_verdict(const struct match_packet *match, uint8_t verdict, const char *sa)
{
    for (unsigned i = 0; i < WORLD_RULES; i++) {
        const struct spill_ruleset *ruleset = world_rulesets[i];
        const struct spill_rule *rule;

        if (!world.rules_used[i])
            continue;
        rule = first_match(ruleset, world_inputs(ruleset), match);
        if (rule != NULL && rule->action == verdict &&
            (sa == NULL || strcmp(ruleset->sas[rule->sa - 1], sa) == 0))
            return true;
    }
    return false;
}

/* Whether a packet is a reply to another, as far as fragments can be told. */
static bool is_reply(const struct match_packet *reply, const struct match_packet *to)
{
    if (reply->v6 != to->v6 || reply->protocol != to->protocol || reply->input == to->input ||
        memcmp(reply->address[0], to->address[1], 16) != 0 ||
        memcmp(reply->address[1], to->address[0], 16) != 0)
        return false;
    return !reply->has_ports || !to->has_ports ||
           (reply->port[0] == to->port[1] && reply->port[1] == to->port[0]);
}

/* A later fragment goes the way of the first, which has the ports. */
static bool is_beside(const struct match_packet *fragment, const struct match_packet *first)
{
    return !fragment->has_ports && fragment->v6 == first->v6 &&
           fragment->protocol == first->protocol && fragment->input == first->input &&
           memcmp(fragment->address, first->address, sizeof(first->address)) == 0;
}

/* Whether there may be replies to a packet that a rule allows: it may begin something. */
static bool may_begin(const struct view *view)
{
    if (view->match.protocol == IPPROTO_TCP && !world.options.tcp_pickup)
        return view->packet.step == SPILL_STEP_OPEN;
    return view->packet.step != SPILL_STEP_ANSWER && view->packet.step != SPILL_STEP_ACCEPT &&
           view->packet.step != SPILL_STEP_RESET;
}

/* Whether a packet is a reply that another, which has begun, entitles to pass. A SYN is one alone
 * to another SYN. */
static bool may_reply(const struct view *view, const struct view *began)
{
    return may_begin(began) && is_reply(&view->match, &began->match) &&
           (view->packet.step != SPILL_STEP_OPEN || began->packet.step == SPILL_STEP_OPEN);
}

/* Whether a packet needs that one has begun a connection, be it its own sender. */
static bool needs_connection(const struct view *view)
{
    return view->match.protocol == IPPROTO_TCP && view->match.has_ports &&
           !world.options.tcp_pickup && view->packet.step != SPILL_STEP_OPEN;
}

/* Whether both are packets of one direction. */
static bool is_along(const struct match_packet *one, const struct match_packet *other)
{
    return one->v6 == other->v6 && one->protocol == other->protocol && one->input == other->input &&
           one->has_ports && other->has_ports &&
           memcmp(one->address, other->address, sizeof(one->address)) == 0 &&
           memcmp(one->port, other->port, sizeof(one->port)) == 0;
}

/* Whether a packet may pass in the clear: by its own verdict, or by that of who began. */
static bool may_pass(const struct view *view)
{
    struct view other;

    if (was_verdict(&view->match, SPILL_VERDICT_ALLOW, NULL) && !needs_connection(view))
        return true;
    for (uint32_t i = 0; i < traffic.count; i++) {
        const struct sent *sent = &traffic.sent[i];

        look(&other, sent->bytes, sent->length, sent->port);
        if (is_ip(&other) && was_verdict(&other.match, SPILL_VERDICT_ALLOW, NULL) &&
            (may_reply(view, &other) || is_beside(&view->match, &other.match) ||
             (may_begin(&other) && is_along(&view->match, &other.match))))
            return true;
    }
    return false;
}

static void check_pass(const struct view *view, enum world_port port)
{
    if (view->packet.kind == SPILL_PACKET_MALFORMED)
        fail(view, port, "what is malformed passes");
    if (view->packet.kind == SPILL_PACKET_OTHER) {
        if (!world.options.non_ip_pass || view->packet.drop != spill_non_ip.id)
            fail(view, port, "what is no IP passes");
        return;
    }
    if (!may_pass(view))
        fail(view, port, "what no rule allows passes in the clear");
}

/* -------------------------------------------------------------------------- what was fed */

/* Whether a frame is one that was fed, but for what stands behind its packet. */
static bool is_same(const struct view *view, const struct sent *sent)
{
    struct view was;
    uint32_t length;

    if (memcmp(view->bytes, sent->bytes, RTE_MIN(14u, RTE_MIN(view->length, sent->length))) != 0)
        return false;
    look(&was, sent->bytes, sent->length, sent->port);
    length = own_length(&was);
    return view->length >= length && memcmp(view->bytes, sent->bytes, length) == 0 &&
           (view->length <= sent->length || view->length <= 60);
}

static bool passes(const struct view *view, enum world_port port)
{
    for (uint32_t i = 0; i < traffic.count; i++) {
        struct sent *sent = &traffic.sent[i];

        if (sent->port == port || sent->left == sent->copies || !is_same(view, sent))
            continue;
        check_pass(view, port);
        sent->left++;
        return true;
    }
    return false;
}

/* Bytes of an IP packet behind so many, but for TCP's and UDP's checksum: behind a NAT it is made
 * anew in transport mode. */
static bool is_same_behind_a_nat(const struct view *view, const uint8_t *ip, const uint8_t *was,
                                 uint32_t skip)
{
    const uint8_t protocol = spill_packet_protocol(&view->packet);
    const uint32_t l4 = (uint32_t)view->packet.l4_offset - view->packet.l3_offset;
    const uint32_t at = l4 + (protocol == 6 ? 16 : 6), length = view->packet.length;

    if ((protocol != 6 && protocol != 17) || at < skip || at + 2 > length)
        return memcmp(ip + skip, was + skip, length - skip) == 0;
    return memcmp(ip + skip, was + skip, at - skip) == 0 &&
           memcmp(ip + at + 2, was + at + 2, length - at - 2) == 0;
}

/* The IP packet of a frame is that of one fed by the other port. */
static bool is_packet_of(const struct view *view, enum world_port port, bool checksum, bool nat)
{
    const uint8_t *ip = view->bytes + view->packet.l3_offset;

    for (uint32_t i = 0; i < traffic.count; i++) {
        const struct sent *sent = &traffic.sent[i];
        const uint8_t *was;
        struct view fed;

        if (sent->port == port)
            continue;
        look(&fed, sent->bytes, sent->length, sent->port);
        was = fed.bytes + fed.packet.l3_offset;
        if (!is_ip(&fed) || fed.packet.length != view->packet.length)
            continue;
        if (memcmp(ip, was, 10) == 0 && (!checksum || memcmp(ip + 10, was + 10, 2) == 0) &&
            (nat ? is_same_behind_a_nat(view, ip, was, 12)
                 : memcmp(ip + 12, was + 12, fed.packet.length - 12u) == 0))
            return true;
    }
    return false;
}

/* The payload of a fragment is a piece of that packet's. */
static bool is_piece_of(const struct view *view, const struct view *whole)
{
    const uint8_t *ip = view->bytes + view->packet.l3_offset;
    const uint8_t *was = whole->bytes + whole->packet.l3_offset;
    uint32_t header = ip[0] % 16 * 4u, at = ((uint32_t)(ip[6] & 0x1f) << 8 | ip[7]) * 8;
    uint32_t length = view->packet.length - header, own, begin;

    if (view->packet.kind != SPILL_PACKET_IPV4 || view->packet.fragment == 0 ||
        whole->packet.kind != SPILL_PACKET_IPV4)
        return false;
    own = was[0] % 16 * 4u;
    begin = ((uint32_t)(was[6] & 0x1f) << 8 | was[7]) * 8;
    return memcmp(ip + 4, was + 4, 2) == 0 && ip[9] == was[9] &&
           memcmp(ip + 12, was + 12, 8) == 0 && at >= begin &&
           at - begin + length <= whole->packet.length - own &&
           memcmp(ip + header, was + own + at - begin, length) == 0;
}

/* It is a piece of a packet fed by the other port. */
static bool is_piece(const struct view *view, enum world_port port)
{
    for (uint32_t i = 0; i < traffic.count; i++) {
        const struct sent *sent = &traffic.sent[i];
        struct view fed;

        if (sent->port == port)
            continue;
        look(&fed, sent->bytes, sent->length, sent->port);
        if (is_piece_of(view, &fed))
            return true;
    }
    return false;
}

/* ------------------------------------------------------------------------------------ ESP */

/* The SA of ours that a frame's ESP is of, by its SPI. */
static bool find_sa(const struct view *view, uint32_t *kind, uint32_t *key, uint32_t *number)
{
    const uint8_t *esp =
        view->bytes + view->packet.l4_offset + (view->packet.esp == SPILL_ESP_UDP ? 8 : 0);
    uint32_t spi;

    if (!is_ip(view) || view->packet.esp == SPILL_ESP_NONE ||
        esp + 8 > view->bytes + own_length(view))
        return false;
    spi = (uint32_t)esp[0] << 24 | (uint32_t)esp[1] << 16 | (uint32_t)esp[2] << 8 | esp[3];
    *number = (uint32_t)esp[4] << 24 | (uint32_t)esp[5] << 16 | (uint32_t)esp[6] << 8 | esp[7];
    *kind = (spi - 0x1000) / 16;
    *key = spi % 16;
    return spi >= 0x1000 && *kind < WORLD_KINDS && *key < WORLD_KEYS;
}

/* No number may come twice with one key: vectors are made of them. */
static void note_number(const struct view *view, uint32_t kind, uint32_t key, uint32_t number)
{
    uint64_t *word = &used[kind][key][number / 64 % (NUMBERS / 64)];

    FUZZ_CHECK(number != 0, "number 0");
    if ((*word >> number % 64 & 1) != 0)
        fail(view, WORLD_WAN, "a number comes twice");
    *word |= UINT64_C(1) << number % 64;
}

/* What the other end makes of ESP of ours; false: nothing. */
static bool unprotect(const struct view *view, struct spill_sa *sa, uint8_t *bytes,
                      struct view *inside)
{
    struct spill_job job = {.subject = &sa->lcores[0]->subject};
    struct rte_mbuf *mbuf =
        traffic_parse(view->bytes, view->length, WORLD_WAN, &(struct spill_packet){0});
    struct spill_packet *packet = spill_packet_of(mbuf);
    uint32_t length;
    bool good;

    spill_parse_burst(&mbuf, 1, 0, packet);
    packet->sequence = 0;
    job.mbufs[job.count++] = mbuf;
    job.work = job.count;
    FUZZ_CHECK(spill_esp_decrypt(&job, world_crypto), "the other end has no device");
    good = packet->inbound_sa != 0 && packet->kind != SPILL_PACKET_MALFORMED;
    length = good ? traffic_copy(mbuf, bytes) : 0;
    rte_pktmbuf_free(mbuf);
    if (good)
        look(inside, bytes, length, WORLD_LAN);
    return good;
}

/* Whether so many bytes of an IP packet are those that were inside ESP, but for what may have
 * become others: marks of congestion have come on, and checksums with them; and in transport mode
 * the header is anybody's. */
static bool is_inside(const struct sent *sent, const struct view *inner, const uint8_t *ip,
                      uint32_t length)
{
    const struct spill_sa_config *sa = &world_peers[false][sent->kind][sent->key]->config;
    const uint8_t *was = inner->bytes + inner->packet.l3_offset;
    struct view part = *inner;
    uint32_t skip = inner->packet.kind == SPILL_PACKET_IPV4 ? 12 : 2;

    if (sa->mode == SPILL_SA_TRANSPORT)
        skip = (uint32_t)inner->packet.l4_offset - inner->packet.l3_offset;
    if (length > inner->packet.length || length < skip)
        return false;
    part.packet.length = (uint16_t)length;
    return sa->mode == SPILL_SA_TRANSPORT && sa->nat_traversal
               ? is_same_behind_a_nat(&part, ip, was, skip)
               : memcmp(ip + skip, was + skip, length - skip) == 0;
}

/* ------------------------------------------------------------------------------ ICMP errors */

/* An error about a packet that came in by the port that it leaves by: in the clear, or inside of
 * ESP. */
static bool is_error_about(const struct view *view, enum world_port port, bool inside)
{
    const uint8_t *icmp = view->bytes + view->packet.l4_offset;
    uint32_t carried = own_length(view) - view->packet.l4_offset - 8;
    uint8_t protocol = view->packet.kind == SPILL_PACKET_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;

    if (!is_ip(view) || view->match.protocol != protocol || carried > 1280 || carried < 20)
        return false;
    for (uint32_t i = 0; i < traffic.count; i++) {
        const struct sent *sent = &traffic.sent[i];
        struct view fed;

        if (sent->port != port || (inside && !(sent->esp && sent->authentic)))
            continue;
        look(&fed, inside ? sent->inner : sent->bytes, inside ? sent->inner_length : sent->length,
             sent->port);
        if (is_ip(&fed) && carried <= fed.packet.length &&
            (inside ? is_inside(sent, &fed, icmp + 8, carried)
                    : memcmp(icmp + 8, fed.bytes + fed.packet.l3_offset, carried) == 0))
            return true;
    }
    return false;
}

/* ESP that the gateway made. */
static bool is_ours(const struct view *view, enum world_port port)
{
    static uint8_t bytes[WORLD_FRAME + 256];
    uint32_t kind, key, number;
    struct view inside;
    char name[SPILL_NAME_SIZE];
    struct spill_sa *sa;

    if (port != WORLD_WAN || !find_sa(view, &kind, &key, &number))
        return false;
    sa = world_peers[true][kind][key];
    if (!unprotect(view, sa, bytes, &inside))
        fail(view, port, "the other end can't read it");
    note_number(view, kind, key, number);
    if (is_error_about(&inside, port, true))
        return true;
    if (!is_packet_of(&inside, port, sa->config.mode == SPILL_SA_TUNNEL,
                      sa->config.mode == SPILL_SA_TRANSPORT && sa->config.nat_traversal) &&
        !is_piece(&inside, port))
        fail(&inside, port, "this was protected, and nobody sent it");
    snprintf(name, sizeof(name), "out-%u", kind);
    if (!was_verdict(&inside.match, SPILL_VERDICT_PROTECT, name) && inside.packet.fragment == 0)
        fail(&inside, port, "protected by an SA that no rule names for it");
    return true;
}

static struct whole *find_whole(bool v6, uint32_t id)
{
    struct whole *whole = &wholes[id % (RTE_DIM(wholes) / 2) + (v6 ? RTE_DIM(wholes) / 2 : 0)];

    if (!whole->used || whole->id != id)
        *whole = (struct whole){.used = true, .id = id};
    return whole;
}

/* Whether a source is a gateway's, or in transport mode that of a host that an SA is for: what else
 * such a host sends in fragments is protected or dropped. */
static bool has_own_source(bool v6, const uint8_t *ip)
{
    if (v6)
        return memcmp(ip + 8, (const uint8_t[]){0x20, 0x01, 0x0d, 0xb8, 1}, 5) == 0 ||
               (memcmp(ip + 8, (const uint8_t[]){0xfd, 0, 0}, 3) == 0 && ip[11] < WORLD_KINDS);
    return memcmp(ip + 12, (const uint8_t[]){198, 51, 1}, 3) == 0 ||
           (ip[12] == 10 && ip[13] < WORLD_KINDS);
}

/*
 * A fragment that the gateway made of its own ESP. Once all have left, they are what `packet` gets.
 * False: it is none.
 */
static bool is_own_fragment(const struct view *view, enum world_port port, struct whole **packet)
{
    bool v6 = view->packet.kind == SPILL_PACKET_IPV6;
    const uint8_t *ip = view->bytes + view->packet.l3_offset;
    uint32_t header = v6 ? 40 : 20, skip = v6 ? 48 : 20, at, more, length, id;
    struct whole *whole;

    *packet = NULL;
    if (port != WORLD_WAN || !is_ip(view) || view->packet.fragment == 0 || !has_own_source(v6, ip))
        return false;
    if (v6) {
        at = ((uint32_t)ip[42] << 8 | ip[43]) & 0xfff8;
        more = ip[43] & 1;
        memcpy(&id, ip + 44, 4);
    } else {
        at = ((uint32_t)(ip[6] & 0x1f) << 8 | ip[7]) * 8;
        more = ip[6] >> 5 & 1;
        id = (uint32_t)ip[4] << 8 | ip[5];
    }
    length = view->packet.length - skip;
    whole = find_whole(v6, id);
    FUZZ_CHECK(at + length <= WORLD_FRAME, "a fragment of %u bytes at %u", length, at);
    /* The headers in front are the first fragment's. */
    if (at == 0) {
        memcpy(whole->bytes, view->bytes, view->packet.l3_offset + header);
        if (v6)
            whole->bytes[view->packet.l3_offset + 6] = ip[40];
    }
    memcpy(whole->bytes + view->packet.l3_offset + header + at, ip + skip, length);
    whole->there += length;
    if (!more)
        whole->end = at + length;
    if (whole->end == 0 || whole->there < whole->end)
        return true;
    ip = whole->bytes + view->packet.l3_offset;
    length = whole->end + (v6 ? 0 : 20);
    whole->bytes[view->packet.l3_offset + (v6 ? 4 : 2)] = (uint8_t)(length >> 8);
    whole->bytes[view->packet.l3_offset + (v6 ? 5 : 3)] = (uint8_t)length;
    if (!v6)
        memset(whole->bytes + view->packet.l3_offset + 6, 0, 2);
    whole->end += view->packet.l3_offset + header;
    *packet = whole;
    return true;
}

/* What the other end of an SA had sent. */
static bool was_protected(const struct view *view, enum world_port port)
{
    char name[SPILL_NAME_SIZE];

    for (uint32_t i = 0; i < traffic.count; i++) {
        struct sent *sent = &traffic.sent[i];
        const uint8_t *ip = view->bytes + view->packet.l3_offset;
        struct view inner;

        if (!sent->esp || !sent->authentic || sent->left > 0 || sent->port == port)
            continue;
        look(&inner, sent->inner, sent->inner_length, sent->port);
        if (!is_ip(&inner) || !is_ip(view) || inner.packet.length != view->packet.length)
            continue;
        if (!is_inside(sent, &inner, ip, inner.packet.length))
            continue;
        snprintf(name, sizeof(name), "in-%u", sent->kind);
        if (!was_verdict(&view->match, SPILL_VERDICT_PROTECT, name) && view->packet.fragment == 0)
            fail(view, port, "it came through an SA that no rule names for it");
        sent->left++;
        return true;
    }
    return false;
}

/* A piece of what the other end of an SA had sent: it was too big for the port behind the gateway.
 */
static bool is_piece_of_protected(const struct view *view, enum world_port port)
{
    char name[SPILL_NAME_SIZE];

    for (uint32_t i = 0; i < traffic.count; i++) {
        const struct sent *sent = &traffic.sent[i];
        struct view inner;

        if (!sent->esp || !sent->authentic || sent->port == port)
            continue;
        look(&inner, sent->inner, sent->inner_length, sent->port);
        if (!is_piece_of(view, &inner))
            continue;
        snprintf(name, sizeof(name), "in-%u", sent->kind);
        if (!was_verdict(&inner.match, SPILL_VERDICT_PROTECT, name) && inner.packet.fragment == 0)
            fail(view, port, "a piece came through an SA that no rule names for it");
        return true;
    }
    return false;
}

/* What leaves fits the port. Tags may stand beside the MTU, or the kernel's one. */
static void check_size(const struct view *view, enum world_port port)
{
    const struct spill_port_limits *limits = &world.options.limits[port];
    uint32_t tags = limits->kernel_tag ? 4 : 8;

    if (view->length > limits->frame || view->length > limits->packet + 14u + tags)
        fail(view, port, "a frame larger than the port's");
    if (is_ip(view) && view->packet.length > limits->packet)
        fail(view, port, "a packet larger than the MTU");
    if (view->length < limits->least)
        fail(view, port, "a frame smaller than the port's least");
}

static void check(enum world_port port, const uint8_t *bytes, uint32_t length)
{
    struct view view;
    struct whole *whole;

    look(&view, bytes, length, !port);
    check_size(&view, port);
    if (is_own_fragment(&view, port, &whole)) {
        if (whole == NULL)
            return;
        whole->used = false;
        look(&view, whole->bytes, whole->end, !port);
        if (!is_ours(&view, port))
            fail(&view, port, "fragments of ours that are no ESP of ours");
        return;
    }
    if (is_ours(&view, port) || passes(&view, port) || was_protected(&view, port) ||
        is_error_about(&view, port, false) || is_piece_of_protected(&view, port))
        return;
    if (!is_piece(&view, port))
        fail(&view, port, "nobody sent this");
    if (!may_pass(&view))
        fail(&view, port, "a piece of what no rule allows passes in the clear");
}

void leaving_take(void)
{
    static uint8_t bytes[WORLD_FRAME + 256];

    for (unsigned port = 0; port < 2; port++) {
        struct rte_mbuf *mbuf;

        while ((mbuf = world_take(port)) != NULL) {
            uint32_t length = traffic_copy(mbuf, bytes);

            FUZZ_CHECK(mbuf->nb_segs <= world.options.limits[port].segments, "%u segments",
                       mbuf->nb_segs);
            rte_pktmbuf_free(mbuf);
            leaving.frames[port]++;
            leaving.hash[port] = hash(leaving.hash[port], (const uint8_t *)&length, 4);
            leaving.hash[port] = hash(leaving.hash[port], bytes, length);
            check(port, bytes, length);
        }
    }
}
