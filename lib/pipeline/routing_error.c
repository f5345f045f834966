/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/routing_error.h"

#include <rte_byteorder.h>
#include <rte_ip.h>

#include "pipeline/routing_input.h"

static SPILL_COUNTER(errors, "routing", "icmp_errors", "packets",
                     "sent to senders of packets that can't be forwarded");
static SPILL_COUNTER(errors_limited, "routing", "icmp_errors_limited", "packets",
                     "not sent, as there were too many");

/* 192.0.0.8: IPv4's dummy address, for errors of routers that have none (RFC 7600). */
#define DUMMY RTE_BE32(0xc0000008)

static bool sources_of(const struct spill_interface *interface, uint8_t kind,
                       struct spill_answer_source *source)
{
    struct spill_route_sources sources;

    if (!spill_interface_sources(interface, &sources))
        return false;
    source->address4 = sources.address4;
    memcpy(source->address6, sources.address6, sizeof(source->address6));
    return kind == SPILL_PACKET_IPV4 ? sources.has4 : sources.has6;
}

bool spill_routing_source(const struct spill_fast *fast, const struct rte_mbuf *mbuf,
                          const struct spill_packet *packet, struct spill_answer_source *source)
{
    const struct spill_interface *interfaces = fast->routing.tables->interfaces;
    const uint16_t own = spill_routing_interface(&fast->routing, mbuf, packet);
    uint32_t i;

    if (own != SPILL_NO_INTERFACE && sources_of(&interfaces[own], packet->kind, source))
        return true;
    for (i = 0; i < SPILL_ROUTER_INTERFACES_MAX; i++) {
        if (sources_of(&interfaces[i], packet->kind, source))
            return true;
    }
    source->address4 = DUMMY;
    return packet->kind == SPILL_PACKET_IPV4;
}

void spill_routing_answer_through(struct spill_fast *fast, struct rte_mbuf *answer,
                                  struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const struct spill_route_tables *tables = fast->routing.tables;
    struct spill_packet question = *packet;
    uint16_t number = spill_routing_interface_to(tables, mbuf, &question);

    if (number == SPILL_NO_INTERFACE)
        number = spill_routing_interface(&fast->routing, mbuf, packet);
    if (number == SPILL_NO_INTERFACE)
        spill_answers_add(fast, answer, packet->input, 0);
    else
        spill_answers_add(fast, answer, (uint8_t)tables->interfaces[number].port,
                          tables->interfaces[number].vlan);
}

/* Whether its sender may be told of a packet now. @param source  written: from where */
static bool may_tell(struct spill_fast *fast, const struct rte_mbuf *mbuf,
                     const struct spill_packet *packet, uint64_t stamp,
                     struct spill_answer_source *source)
{
    if (packet->secret || packet->wrapped || !spill_icmp_may_answer(mbuf, packet) ||
        !spill_answer_is_to_host(mbuf, packet) || !spill_routing_source(fast, mbuf, packet, source))
        return false;
    if ((packet->inbound_sa != 0 && !spill_answers_have_room(&fast->answers)) ||
        !spill_error_limit_take(&fast->exits.errors, packet, stamp)) {
        spill_ledger_count(&fast->ledger, &errors_limited, 1);
        return false;
    }
    return true;
}

/* Sends an error, if there is one. */
static void send_error(struct spill_fast *fast, struct rte_mbuf *reply, struct rte_mbuf *mbuf,
                       const struct spill_packet *packet, uint64_t stamp)
{
    if (reply == NULL)
        return;
    spill_ledger_count(&fast->ledger, &errors, 1);
    if (packet->inbound_sa != 0) {
        spill_routing_answer_through(fast, reply, mbuf, packet);
        return;
    }
    fast->ledger.originated++;
    spill_routing_originate(fast, reply, packet->input, stamp);
}

void spill_routing_refuse(struct spill_fast *fast, const struct spill_drop_reason *reason,
                          enum spill_icmp_refusal refusal, struct rte_mbuf *mbuf,
                          const struct spill_packet *packet, uint64_t stamp)
{
    struct spill_answer_source source;

    if (may_tell(fast, mbuf, packet, stamp, &source))
        send_error(fast, spill_icmp_refuse(mbuf, packet, refusal, &source, mbuf->pool), mbuf,
                   packet, stamp);
    spill_ledger_drop(&fast->ledger, reason, &mbuf, 1);
}

/* Whether the checksum of an IPv4 header is right: else it says nothing about its sender. */
static bool is_whole(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    uint16_t sum;
    uint8_t copy;
    const uint8_t *first = rte_pktmbuf_read(mbuf, packet->l3_offset, sizeof(copy), &copy);

    return packet->kind == SPILL_PACKET_IPV6 ||
           (first != NULL &&
            rte_raw_cksum_mbuf(mbuf, packet->l3_offset,
                               (*first & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER,
                               &sum) == 0 &&
            sum == UINT16_MAX);
}

void spill_routing_tell_problem(struct spill_fast *fast, struct rte_mbuf *mbuf, uint8_t input,
                                uint64_t stamp)
{
    struct spill_answer_source source;
    struct spill_parse_problem problem = {.pointer = 0};
    struct spill_packet packet = {.kind = SPILL_PACKET_MALFORMED};

    if (!fast->version.open ||
        !spill_parse_problem(mbuf, fast->receive.zones[input], &packet, &problem) ||
        !is_whole(mbuf, &packet))
        return;
    packet.input = input;
    if (spill_routing_interface(&fast->routing, mbuf, &packet) != SPILL_NO_INTERFACE &&
        spill_routing_source_is_good(&fast->routing, mbuf, &packet) &&
        may_tell(fast, mbuf, &packet, stamp, &source))
        send_error(fast, spill_icmp_problem(mbuf, &packet, &problem, &source, mbuf->pool), mbuf,
                   &packet, stamp);
}
