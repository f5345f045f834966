/* SPDX-License-Identifier: BSD-3-Clause */
/* RSTs for connections that are not to be. */
#include "packet/tcp_reset.h"

#include <netinet/in.h>

#include <rte_ip.h>
#include <rte_tcp.h>

#include "packet/answer.h"

/* What a segment takes of its sequence: its data, and a SYN and a FIN one each. */
static uint32_t segment_length(const struct spill_packet *packet, const struct rte_tcp_hdr *tcp)
{
    const uint32_t headers =
        (uint32_t)packet->l4_offset - packet->l3_offset + (tcp->data_off >> 4) * 4u;
    const uint32_t data = packet->length > headers ? packet->length - headers : 0;

    return data + ((tcp->tcp_flags & RTE_TCP_SYN_FLAG) != 0) +
           ((tcp->tcp_flags & RTE_TCP_FIN_FLAG) != 0);
}

struct rte_mbuf *spill_tcp_reset(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                                 struct rte_mempool *pool)
{
    struct rte_tcp_hdr was, *tcp;
    struct spill_answer answer;

    /* The key of an ICMP error may be that of what it is about. */
    if (packet->fragment != 0 || packet->step == SPILL_STEP_ERROR ||
        !spill_answer_may_begin(mbuf, packet) || !spill_answer_is_to_host(mbuf, packet) ||
        !spill_answer_copy(mbuf, packet->l4_offset, sizeof(was), &was) ||
        (was.tcp_flags & RTE_TCP_RST_FLAG) != 0 ||
        !spill_answer_begin(mbuf, packet, IPPROTO_TCP, 0, sizeof(was), NULL, pool, &answer))
        return NULL;
    tcp = answer.payload;
    *tcp = (struct rte_tcp_hdr){
        .src_port = was.dst_port,
        .dst_port = was.src_port,
        .data_off = sizeof(was) / 4 << 4,
        .tcp_flags = RTE_TCP_RST_FLAG,
    };
    if ((was.tcp_flags & RTE_TCP_ACK_FLAG) != 0) {
        tcp->sent_seq = was.recv_ack;
    } else {
        tcp->tcp_flags |= RTE_TCP_ACK_FLAG;
        tcp->recv_ack =
            rte_cpu_to_be_32(rte_be_to_cpu_32(was.sent_seq) + segment_length(packet, &was));
    }
    tcp->cksum = packet->kind == SPILL_PACKET_IPV4 ? rte_ipv4_udptcp_cksum(answer.ip, tcp)
                                                   : rte_ipv6_udptcp_cksum(answer.ip, tcp);
    return answer.mbuf;
}
