/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/host_ipsec.h"

#include <netinet/in.h>

#include <rte_ip.h>

#include "base/dpdk_versions.h"
#include "classify/policy.h"
#include "packet/parse.h"
#include "pipeline/drops.h"
#include "pipeline/encryption.h"
#include "pipeline/host.h"
#include "pipeline/outer.h"
#include "pipeline/routing_flow.h"
#include "pipeline/routing_input.h"
#include "pipeline/routing_tunnel.h"
#include "pipeline/too_big.h"

#define NO_PORT UINT8_MAX /* that a packet came in by: no rule names it */

/* ---------------------------------------------------------------------------- who is asked about
 */

bool spill_host_is_ike(const struct spill_fast *fast, const struct spill_packet *packet, bool ours)
{
    const struct spill_sa_set *sas = fast->version.generation->sas;
    const unsigned end = ours ? packet->direction : !packet->direction;
    const uint16_t port =
        packet->kind == SPILL_PACKET_IPV4 ? packet->key.v4.port[end] : packet->key.v6.port[end];

    return spill_packet_protocol(packet) == IPPROTO_UDP &&
           (port == RTE_BE16(500) || port == RTE_BE16(SPILL_SA_NAT_PORT) ||
            (sas != NULL && spill_sa_ends_has(sas->ends, packet, end)));
}

/* Whether it stays on its link, or goes to a group. */
static bool is_for_link(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, packet->l3_offset);
    const uint8_t *to =
        ip + (packet->kind == SPILL_PACKET_IPV4 ? offsetof(struct rte_ipv4_hdr, dst_addr)
                                                : offsetof(struct rte_ipv6_hdr, dst_addr));

    if (packet->kind == SPILL_PACKET_IPV4)
        return to[0] >= 224 || (to[0] == 169 && to[1] == 254);
    return to[0] == 0xff || (to[0] == 0xfe && (to[1] & 0xc0) == 0x80);
}

bool spill_host_is_bypassed(const struct spill_fast *fast, const struct rte_mbuf *mbuf,
                            const struct spill_packet *packet, bool ours)
{
    return packet->kind > SPILL_PACKET_IPV6 || packet->esp == SPILL_ESP_PLAIN ||
           spill_host_is_ike(fast, packet, ours) || is_for_link(mbuf, packet) ||
           spill_host_is_discovery(mbuf, packet);
}

/* Whether the rule that was found for a packet denies the host's, too. @param how  it sends it, or
 * gets it: where there is no rule for that, one for the other way may have been found */
static bool is_denied(const struct spill_packet *packet, uint16_t how)
{
    return packet->verdict == SPILL_VERDICT_DENY && packet->sa == how;
}

/* The SA by which the first rule that matches protects, or NULL. */
static struct spill_sa *rule_of(const struct spill_generation *generation,
                                const struct spill_policy *policy, struct spill_packet *packet)
{
    uint32_t tally;

    spill_acl_classify(spill_policy_acl(policy), &packet, 1, &tally);
    if (packet->verdict != SPILL_VERDICT_PROTECT)
        return NULL;
    return spill_sa_set_get(generation->sas, packet->sa);
}

/* ------------------------------------------------------------------------------ from the host */

/* Tells the host that a packet is too large. */
static void answer(struct spill_fast *fast, struct rte_mbuf *mbuf,
                   const struct spill_packet *packet, uint32_t room, uint64_t stamp)
{
    struct rte_mbuf *reply = spill_too_big_for_host(fast, mbuf, packet, room, stamp);
    struct spill_packet parsed;

    if (reply != NULL) {
        spill_parse_burst(&reply, 1, fast->receive.zones[packet->input], &parsed);
        parsed.input = packet->input;
        spill_routing_to_host(fast, reply, &parsed);
    }
    spill_ledger_drop(&fast->ledger, &spill_drop_esp_too_big, &mbuf, 1);
}

/* Whether a packet is too large for its tunnel, and nothing can be done about it here. */
static bool is_too_large(const struct spill_fast *fast, const struct spill_sa *sa,
                         const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                         uint64_t stamp, uint32_t *room)
{
    const uint32_t mtu = spill_routing_tunnel_mtu(fast, sa, mbuf, packet, stamp);

    *room = spill_sa_room(sa, mtu, (uint32_t)packet->l4_offset - packet->l3_offset);
    return mtu > 0 && packet->length > *room && !spill_too_big_may_split(mbuf, packet) &&
           !spill_outer_may_be_split(packet, sa->config.mode == SPILL_SA_TUNNEL);
}

struct spill_sa *spill_host_ask(const struct spill_fast *fast, struct spill_packet *packet)
{
    const struct spill_generation *generation = fast->version.generation;
    const uint8_t port = packet->input;
    struct spill_sa *sa;

    packet->input = NO_PORT;
    packet->reversed = 0;
    /* What leaves has rules of its own, where some are for what comes (onward.h). */
    sa = rule_of(generation, generation->onward != NULL ? generation->onward : generation->policy,
                 packet);
    packet->input = port;
    return sa;
}

/* Whether a packet leaves as it is; if not, it was dealt with. */
static bool leaves(struct spill_fast *fast, struct spill_encryption *encryption,
                   struct rte_mbuf *mbuf, struct spill_packet *packet)
{
    struct spill_sa *sa;
    uint32_t room;

    if (spill_host_is_bypassed(fast, mbuf, packet, true))
        return true;
    sa = spill_host_ask(fast, packet);
    if (spill_acquisition_wants(packet)) {
        spill_acquisition_wait(fast, mbuf, packet, encryption->stamp, SPILL_ACQUISITION_HOST);
        return false;
    }
    if (is_denied(packet, SPILL_SA_HOST_SENDS)) {
        spill_ledger_drop(&fast->ledger, &spill_drop_denied, &mbuf, 1);
        return false;
    }
    if (sa == NULL || sa->config.direction != SPILL_SA_OUT)
        return true;
    packet->secret = 1; /* made here: its TTL stays, and it leaves by the SA or not at all */
    packet->output = SPILL_OUTPUT_ROUTE;
    if (is_too_large(fast, sa, mbuf, packet, encryption->stamp, &room))
        answer(fast, mbuf, packet, room, encryption->stamp);
    else
        spill_encryption_add(encryption, mbuf, packet, sa);
    return false;
}

uint32_t spill_host_protect(struct spill_fast *fast, struct rte_mbuf **mbufs,
                            struct spill_packet **pointers, uint32_t count, uint64_t stamp)
{
    struct spill_encryption encryption;
    uint32_t kept = 0, i;

    spill_encryption_begin(&encryption, stamp);
    for (i = 0; i < count; i++) {
        const uint8_t port = pointers[i]->input;

        spill_parse_burst(&mbufs[i], 1, fast->receive.zones[port], pointers[i]);
        pointers[i]->input = port;
        pointers[i]->inbound_sa = 0;
        if (!leaves(fast, &encryption, mbufs[i], pointers[i]))
            continue;
        pointers[i]->kind = SPILL_PACKET_OTHER;
        pointers[i]->output = port;
        mbufs[kept] = mbufs[i];
        pointers[kept++] = pointers[i];
    }
    if (encryption.count > 0)
        spill_encryption_submit_list(fast, &encryption);
    return kept;
}

/* -------------------------------------------------------------------------------- to the host */

const struct spill_drop_reason *spill_host_refuses(struct spill_fast *fast, struct rte_mbuf *mbuf,
                                                   struct spill_packet *packet)
{
    const struct spill_generation *generation = fast->version.generation;
    const struct spill_policy *policy =
        generation->inward != NULL ? generation->inward : generation->policy;
    const struct spill_sa *sa;

    if (spill_host_is_bypassed(fast, mbuf, packet, false))
        return NULL;
    packet->reversed = 0;
    spill_routing_ask(fast, mbuf, packet);
    sa = rule_of(generation, policy, packet);
    spill_routing_asked(packet);
    if (is_denied(packet, SPILL_SA_HOST_GETS))
        return &spill_drop_denied;
    return sa != NULL && sa->config.direction == SPILL_SA_IN ? &spill_drop_esp_required : NULL;
}
