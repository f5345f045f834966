/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_PACKET_H
#define SPILLWAY_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

/**
 * @file
 * What the pipeline knows of one packet: its flow key and where its headers are.
 *
 * Parsing writes one of these for each packet of a burst into an array on the lcore's stack. A
 * packet that goes to the pool takes a copy along in its mbuf's private area (spill_packet_of()): a
 * packet that needs no expensive work never touches that cache line.
 */

/* Packets a loop receives, looks up and sends together. */
#define SPILL_BURST 32
/* Packets that an lcore takes in within one turn, over all of its queues: a burst may be begun
 * while there are fewer. */
#define SPILL_TURN (2 * SPILL_BURST)

/* What parsing found. */
enum spill_packet_kind {
    SPILL_PACKET_IPV4,
    SPILL_PACKET_IPV6,
    SPILL_PACKET_OTHER,     /* not IP, or not to be looked into; `drop` says under which name */
    SPILL_PACKET_MALFORMED, /* `drop` says what is wrong with it */
};

/* In a key's `vlan`: what holds the packet besides VLANs. */
#define SPILL_VLAN_PPPOE 0x1000 /* a PPPoE session: its id stands in place of an inner VLAN's */
#define SPILL_VLAN_MPLS                                                                            \
    0x2000 /* labels, which are others in the other direction: not in the key                      \
            */

/* And of ICMP messages, whose ports are an identifier, and type and code (parse.h): */
#define SPILL_VLAN_ALONE  0x4000 /* nothing answers it */
#define SPILL_VLAN_SECOND 0x8000 /* the key's second end asks, or has sent what nothing answers */
#define SPILL_VLAN_PLACE  0x3fff /* where the packet is, without these two */

/* In `key.type`, of frames without a type: the address within LLC (DSAP), or one of these. */
#define SPILL_TYPE_STP   0x42  /* spanning trees (IEEE 802.1D) */
#define SPILL_TYPE_ND    0x101 /* no frame's: what is to IPv6 what ARP is to IPv4 (non_ip.h) */
#define SPILL_TYPE_CISCO 0x100 /* SNAP with Cisco's protocols of link control: CDP, … */

#define SPILL_FLOW_FRAGMENT 0x80 /* in `zone`: a later fragment, which carries no ports */
#define SPILL_FLOW_ONE_END  0x40 /* in `zone`: both directions come by one end of the wire */

/**
 * Key of an IPv4 connection. The end with the lower (address, port) is the first, so that both
 * directions of a connection have one key (`direction` in struct spill_packet tells them apart).
 * Compared and hashed as 16 bytes: every byte is written.
 *
 * A connection belongs to the two ends of a wire: `zone` says at which of them its first address
 * is. So what comes in by the other end with the same addresses has another key. Bits of it:
 * 0: that end; 1 to 5: number of the wire; 6: SPILL_FLOW_ONE_END, bit 0 is 0 then;
 * 7: SPILL_FLOW_FRAGMENT.
 */
struct spill_key4 {
    uint32_t address[2]; /* network order */
    uint16_t port[2];    /* network order; 0 where the protocol or the fragment has none. ICMP: the
                          * identifier of a query or 0; type and code */
    uint8_t protocol;
    uint8_t zone;  /* the wire, and at which end of it the first address is */
    uint16_t vlan; /* id in the outermost tag that has one, host order, or 0; and SPILL_VLAN_… */
} __attribute__((packed, aligned(8)));

/** The same for IPv6, compared and hashed as 40 bytes. */
struct spill_key6 {
    uint8_t address[2][16];
    uint16_t port[2];
    uint8_t protocol;
    uint8_t zone;
    uint16_t vlan;
} __attribute__((packed, aligned(8)));

_Static_assert(sizeof(struct spill_key4) == 16, "hashed as 16 bytes");
_Static_assert(sizeof(struct spill_key6) == 40, "hashed as 40 bytes");

struct spill_flow;

/** What has been decided about a packet or a flow. */
enum spill_verdict {
    SPILL_VERDICT_UNKNOWN,
    SPILL_VERDICT_ALLOW,
    SPILL_VERDICT_DENY,
    SPILL_VERDICT_PROTECT, /* by the SA that stands beside it */
};

/* What stands beside DENY in the SA's place: where the sender is told, and of a packet that is
 * denied for what it is, or beyond a rule's limit, not by a rule; and where what the host
 * gets is denied as well, or what it sends; else 0 does. */
#define SPILL_SA_REJECT        1
#define SPILL_SA_NO_CONNECTION 2
#define SPILL_SA_BEYOND_LIMIT  3
#define SPILL_SA_HOST_GETS     4
#define SPILL_SA_HOST_SENDS    5
/* And from here on, where it is denied, also what the host sends, only until there is an
 * association for it (acquisition.h): a number of the control side's for whoever wants one. */
#define SPILL_SA_TRAP_FIRST 16
/* And beside ALLOW: the largest segment that TCP's ends are to announce, in bytes; this: what fits
 * the ports; or 0. */
#define SPILL_SA_MSS_AUTO 1

/* Whether a packet has an ESP header, and where. */
enum spill_esp {
    SPILL_ESP_NONE,
    SPILL_ESP_PLAIN, /* protocol 50: at l4_offset, at least SPI and sequence number */
    SPILL_ESP_UDP,   /* UDP to port 4500, or to another one where SAs have it (ipsec/sa_ends.h):
                      * behind the UDP header, if it isn't IKE or a keepalive */
};

/** What a packet does to its connection, by its own transport header. */
enum spill_step {
    SPILL_STEP_NONE,
    SPILL_STEP_ANSWER, /* there was something before that it answers: it begins nothing; of ICMP,
                        * and SCTP's INIT ACK */
    /* Those that more has to be done about than a lookup: */
    SPILL_STEP_ACCEPT, /* an answer that agrees to segments as well: TCP's SYN+ACK */
    SPILL_STEP_OPEN,   /* TCP's SYN, SCTP's INIT */
    SPILL_STEP_FINISH, /* its sender has said all: TCP's FIN */
    SPILL_STEP_RESET,  /* the end: TCP's RST, SCTP's ABORT and SHUTDOWN COMPLETE */
    SPILL_STEP_ERROR,  /* an ICMP error, which is about another connection; no fragment */
};

/** One packet's metadata: one cache line. Written by the lcore, or in the pool the worker, that
 * holds the packet. */
struct spill_packet {
    union {
        struct spill_key4 v4;
        struct spill_key6 v6;
        uint8_t
            notes[sizeof(struct spill_key6)]; /* of who works on it and needs no key meanwhile */
        uint16_t type; /* of what isn't IP: its EtherType, host order, or SPILL_TYPE_… */
    } key;
    /* By the parser: */
    uint16_t inner_vlan;   /* id in the next tag that has one, likewise; part of what a flow is */
    uint8_t l3_offset;     /* bytes from the start of the frame to the IP header */
    uint8_t direction : 1; /* 0: sent by the key's first end, 1: by its second */
    uint8_t kind : 2;      /* enum spill_packet_kind */
    uint8_t has_ports : 1; /* 1: key.port[] is read from the packet */
    uint8_t fragment : 1;  /* 1: first or later fragment of a datagram */
    uint8_t esp : 2;       /* enum spill_esp */
    uint8_t wrapped : 1;   /* 1: IP stands behind more than Ethernet and two tags */
    uint16_t length;    /* bytes of the IP packet, by its header; the frame may have more behind */
    uint16_t l4_offset; /* to the transport header, or what stands in its place */
    union {
        struct spill_flow *flow; /* the packet's entry in its owner's flow table, or NULL */
        uint32_t sequence;       /* of an ESP packet in a lane: low half of its sequence number */
    };
    uint8_t verdict; /* enum spill_verdict, written by classification */
    union {
        uint8_t drop; /* drop reason of a packet that isn't IP */
        struct {      /* of IP: */
            uint8_t
                reversed : 1;    /* 1: the rules are asked for the other direction; classification's
                                  */
            uint8_t step : 3;    /* enum spill_step; by the parser */
            uint8_t secret : 1;  /* 1: it tells of what came through an SA, and leaves through
                                  * one or not at all */
            uint8_t counted : 1; /* 1: where its rule is counted; classification's */
            uint8_t of_host : 1; /* 1: the host has sent it, by the port that is its output; of no
                                  * input that a rule names */
            uint8_t for_host : 1; /* 1: the host is to get it, and the rules judge that */
        };
    };
    uint8_t input;  /* id of the port it came from; written by the pipeline */
    uint8_t output; /* id of the port it leaves by; likewise */
    uint16_t sa; /* id of a PROTECT verdict's SA; of DENY may be SPILL_SA_REJECT or _NO_CONNECTION;
                    of ALLOW the MSS, when classification gives it; else 0 */
    uint16_t inbound_sa; /* id of the SA it was decrypted with, 0: it came in the clear */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct spill_packet) == 64, "one cache line");

/** The transport protocol that an IP packet's key has. */
static inline uint8_t spill_packet_protocol(const struct spill_packet *packet)
{
    return packet->kind == SPILL_PACKET_IPV4 ? packet->key.v4.protocol : packet->key.v6.protocol;
}

/** Whether it is of IP, and more has to be done about it than a lookup, by what it does. */
static inline bool spill_packet_steps(const struct spill_packet *packet)
{
    return packet->kind <= SPILL_PACKET_IPV6 && packet->step > SPILL_STEP_ANSWER;
}

/** Whether it is an ICMP message that nothing answers, by its key. */
static inline bool spill_packet_is_alone(const struct spill_packet *packet)
{
    const uint16_t vlan =
        packet->kind == SPILL_PACKET_IPV4 ? packet->key.v4.vlan : packet->key.v6.vlan;

    return (vlan & SPILL_VLAN_ALONE) != 0;
}

/** Room that a mempool's mbufs need in their private area. */
#define SPILL_PACKET_PRIVATE_SIZE sizeof(struct spill_packet)

/** The metadata that travels with a packet. Only for the thread that holds the packet. */
static inline struct spill_packet *spill_packet_of(struct rte_mbuf *mbuf)
{
    return (struct spill_packet *)rte_mbuf_to_priv(mbuf);
}

#endif
