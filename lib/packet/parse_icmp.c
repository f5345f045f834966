/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP and ICMPv6 in keys: who asks, what answers it, and what nothing answers. */
#include <netinet/in.h>

#include <rte_common.h>

#include "packet/parse.h"
#include "packet/parse_shared.h"

#define HEADER 8 /* bytes: type, code, checksum, and of queries the identifier */

/* A type of query, and that of its answers. Both have an identifier in the fifth and sixth byte. */
struct query {
    uint8_t request;
    uint8_t reply;
};

static const struct query QUERIES4[] = {
    {8, 0},   /* echo (RFC 792) */
    {13, 14}, /* timestamp */
    {15, 16}, /* information */
    {17, 18}, /* address mask (RFC 950) */
    {42, 43}, /* extended echo (RFC 8335) */
};

static const struct query QUERIES6[] = {
    {128, 129}, /* echo (RFC 4443) */
    {139, 140}, /* node information (RFC 4620); in place of an identifier what is asked */
    {144, 145}, /* home agents (RFC 6275) */
    {146, 147}, /* mobile prefixes */
    {160, 161}, /* extended echo (RFC 8335) */
};

/* Whether a message tells that a packet could not be delivered. Not redirects, which change routes,
 * nor source quench, which nobody obeys any more (RFC 6633). */
static bool is_error(bool v4, uint8_t type)
{
    return v4 ? type == 3 || type == 11 || type == 12 : type >= 1 && type <= 4;
}

/* The query that a message is, or answers; NULL: neither. */
static const struct query *query_of(bool v4, const uint8_t *header)
{
    const struct query *queries = v4 ? QUERIES4 : QUERIES6;
    const unsigned count = v4 ? RTE_DIM(QUERIES4) : RTE_DIM(QUERIES6);

    for (unsigned i = 0; i < count; i++) {
        /* Of a query with a code, an answer would not tell which code it had. */
        if ((header[0] == queries[i].request && header[1] == 0) || header[0] == queries[i].reply)
            return &queries[i];
    }
    return NULL;
}

/* The type of what answers a query of this type. */
static uint8_t answer_to(bool v4, uint8_t request)
{
    const struct query *queries = v4 ? QUERIES4 : QUERIES6;
    const unsigned count = v4 ? RTE_DIM(QUERIES4) : RTE_DIM(QUERIES6);
    unsigned i = 0;

    while (i + 1 < count && queries[i].request != request)
        i++;
    return queries[i].reply;
}

bool spill_icmp_message(const struct spill_packet *packet, uint16_t *message)
{
    const bool v4 = packet->kind == SPILL_PACKET_IPV4;
    const uint8_t protocol = v4 ? packet->key.v4.protocol : packet->key.v6.protocol;
    const uint8_t zone = v4 ? packet->key.v4.zone : packet->key.v6.zone;
    const rte_be16_t port = v4 ? packet->key.v4.port[1] : packet->key.v6.port[1];

    if (protocol != (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) || (zone & SPILL_FLOW_FRAGMENT) != 0)
        return false;
    *message = rte_be_to_cpu_16(port);
    /* Echo replies are never alone: these zeros are of one too short to have a type. */
    if (spill_packet_is_alone(packet))
        return *message != 0;
    if ((packet->step == SPILL_STEP_ANSWER) != (packet->reversed != 0))
        *message = (uint16_t)(answer_to(v4, (uint8_t)(*message >> 8)) << 8);
    return true;
}

void spill_parse_icmp(const struct rte_mbuf *mbuf, uint32_t length, struct spill_packet *packet)
{
    const bool v4 = packet->kind == SPILL_PACKET_IPV4;
    uint8_t header[HEADER] = {0};
    const struct query *query = NULL;
    uint16_t port[2] = {0, 0}, mark;
    bool second = packet->direction;

    /* What is shorter is nothing that a host takes: it has no type. */
    if (length >= HEADER && spill_read_frame(mbuf, packet->l4_offset, HEADER, header))
        query = query_of(v4, header);
    if (query != NULL) {
        const bool answers = header[0] == query->reply;

        port[0] = spill_load16(header + 4);
        port[1] = rte_cpu_to_be_16((uint16_t)(query->request << 8));
        second ^= answers;
        packet->step = answers ? SPILL_STEP_ANSWER : SPILL_STEP_NONE;
    } else {
        port[1] = spill_load16(header);
        if (is_error(v4, header[0]) && packet->fragment == 0)
            packet->step = SPILL_STEP_ERROR;
    }
    mark = (uint16_t)((query == NULL ? SPILL_VLAN_ALONE : 0) | (second ? SPILL_VLAN_SECOND : 0));
    memcpy(v4 ? packet->key.v4.port : packet->key.v6.port, port, sizeof(port));
    if (v4)
        packet->key.v4.vlan |= mark;
    else
        packet->key.v6.vlan |= mark;
}

enum spill_packet_port spill_packet_ends(const struct spill_packet *packet, uint8_t address[2][16],
                                         uint16_t port[2])
{
    const bool v4 = packet->kind == SPILL_PACKET_IPV4;
    const uint16_t *ports = v4 ? packet->key.v4.port : packet->key.v6.port;
    uint16_t message;

    for (unsigned end = 0; end < 2; end++) {
        const unsigned from = end ^ packet->direction ^ packet->reversed;

        if (v4)
            memcpy(address[end], &packet->key.v4.address[from], 4);
        else
            memcpy(address[end], packet->key.v6.address[from], 16);
        port[end] = packet->has_ports ? rte_be_to_cpu_16(ports[from]) : 0;
    }
    if (packet->has_ports)
        return SPILL_PACKET_PORTS;
    if (!spill_icmp_message(packet, &message))
        return SPILL_PACKET_NO_PORT;
    port[0] = message >> 8;
    port[1] = message & UINT8_MAX;
    return SPILL_PACKET_TYPE;
}
