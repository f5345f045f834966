/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What may stand between Ethernet and IP: tags, LLC and SNAP, PPPoE, MPLS. Whatever a host behind
 * would look through is looked through here, so that the rules see the IP that the host would.
 */

#include "packet/parse.h"
#include "packet/parse_shared.h"

SPILL_DROP_REASON(spill_malformed_ethernet, "malformed_ethernet",
                  "The frame is shorter than an Ethernet header.");
SPILL_DROP_REASON(spill_malformed_vlan, "malformed_vlan",
                  "The frame ends within a VLAN tag or the type that follows it.");
SPILL_DROP_REASON(
    spill_malformed_encapsulation, "malformed_encapsulation",
    "The frame ends within an LLC, SNAP, PPPoE or MPLS header, or is shorter than one "
    "of them says.");
SPILL_DROP_REASON(spill_encapsulated_ip, "encapsulated_ip",
                  "The frame may hold IP in a way that the rules can't look into.");
SPILL_DROP_REASON(
    spill_link_too_deep, "link_too_deep",
    "There are more than eight tags and labels before IP, or more than two VLAN ids.");
SPILL_DROP_REASON(spill_non_ip, "non_ip",
                  "The frame is not IP, and --non-ip does not name its type.");

#define HEADERS_MAX 8

/* Types below are lengths, of what begins with LLC (IEEE 802.3 3.2.6). */
#define LEAST_TYPE 0x600

#define LLC_SIZE     3
#define LLC_UI       3    /* control: unnumbered information */
#define LLC_ARPANET  0x06 /* RFC 948 */
#define LLC_SNAP     0xaa
#define SNAP_SIZE    8        /* with its LLC */
#define LLC_GROUP    1        /* or response: in the lowest bit of either SAP */
#define OUI_ETHERNET 0x000000 /* RFC 1042: a type follows */
#define OUI_BRIDGE   0x0000f8 /* IEEE 802.1H: likewise */
#define OUI_CISCO    0x00000c

#define TYPE_PPPOE        0x8864 /* RFC 2516 */
#define PPPOE_SIZE        6
#define PPPOE_VERSION     0x11
#define PPP_IPV4          0x0021
#define PPP_IPV6          0x0057
#define PPP_FIRST_CONTROL 0x8000 /* RFC 1661 2: from here on link and network control */

#define MPLS_SIZE 4 /* of one label (RFC 3032) */

/* How the walk goes on behind a header. */
enum step {
    STEP_ON,    /* to link->type */
    STEP_END,   /* it isn't IP */
    STEP_WRONG, /* link->reason says why */
};

static enum step wrong(struct spill_link *link, const struct spill_drop_reason *reason)
{
    link->reason = reason;
    return STEP_WRONG;
}

/* What ends the walk and is not IP, or may be that for somebody who knows more of it. */
static enum step end_at(struct spill_link *link, uint32_t type,
                        const struct spill_drop_reason *reason)
{
    link->type = rte_cpu_to_be_16((uint16_t)type);
    link->reason = reason;
    return STEP_END;
}

static bool read_link(const struct rte_mbuf *mbuf, const struct spill_link *link, uint32_t length,
                      uint8_t *to)
{
    return link->l3_offset + length <= link->end &&
           spill_read_frame(mbuf, link->l3_offset, length, to);
}

/* A host takes a tag with id 0 off as if it weren't there: it is a priority, and no VLAN. False:
 * one id too many. */
static bool enter_vlan(struct spill_link *link, uint16_t tci)
{
    uint16_t id = tci & RTE_VLAN_ID_MASK;

    if (id == 0)
        return true;
    if (link->inner_vlan != 0)
        return false;
    *(link->vlan == 0 ? &link->vlan : &link->inner_vlan) = id;
    return true;
}

static enum step walk_tag(const struct rte_mbuf *mbuf, struct spill_link *link)
{
    uint16_t tpid = rte_be_to_cpu_16(link->type);
    uint8_t tag[RTE_VLAN_HLEN];

    if (!read_link(mbuf, link, sizeof(tag), tag))
        return wrong(link, &spill_malformed_vlan);
    if (!enter_vlan(link, spill_load_be16(tag)))
        return end_at(link, tpid, &spill_link_too_deep);
    link->type = spill_load16(tag + offsetof(struct rte_vlan_hdr, eth_proto));
    link->l3_offset += RTE_VLAN_HLEN;
    return STEP_ON;
}

/* Cisco's protocols of link control, of those that have SNAP types of its own. */
static bool is_cisco_control(uint16_t type)
{
    switch (type) {
    case 0x0104: /* PAgP */
    case 0x010b: /* PVST+ */
    case 0x0111: /* UDLD */
    case 0x2000: /* CDP */
    case 0x2003: /* VTP */
    case 0x2004: /* DTP */
        return true;
    default:
        return false;
    }
}

/* Frames to these addresses hold a whole frame behind what looks like SNAP (Cisco's ISL), whose
 * type is a VLAN there, and may be that of any protocol. */
static bool goes_to_isl(const struct rte_mbuf *mbuf)
{
    uint8_t to[5] = {0};

    spill_read_frame(mbuf, 0, sizeof(to), to);
    return (to[0] & ~2) == 1 && to[1] == 0 && to[2] == 0x0c && to[3] == 0 && to[4] == 0;
}

/* SNAP: with the type of Ethernet, or of somebody's own. */
static enum step walk_snap(const struct rte_mbuf *mbuf, struct spill_link *link)
{
    uint8_t snap[SNAP_SIZE];
    uint32_t oui;

    if (!read_link(mbuf, link, sizeof(snap), snap))
        return wrong(link, &spill_malformed_encapsulation);
    oui = spill_load_be32(snap + 2) & 0xffffff;
    if ((snap[1] | LLC_GROUP) != (LLC_SNAP | LLC_GROUP) || snap[2] != LLC_UI || goes_to_isl(mbuf))
        return end_at(link, LLC_SNAP, &spill_encapsulated_ip);
    if (oui == OUI_CISCO && is_cisco_control(spill_load_be16(snap + 6)))
        return end_at(link, SPILL_TYPE_CISCO, &spill_non_ip);
    if ((oui != OUI_ETHERNET && oui != OUI_BRIDGE) || spill_load_be16(snap + 6) < LEAST_TYPE)
        return end_at(link, LLC_SNAP, &spill_encapsulated_ip);
    link->type = spill_load16(snap + 6);
    link->l3_offset += sizeof(snap);
    link->wrapped = true;
    return STEP_ON;
}

/* A length in place of a type: LLC begins behind it. */
static enum step walk_llc(const struct rte_mbuf *mbuf, struct spill_link *link)
{
    uint32_t length = rte_be_to_cpu_16(link->type);
    uint8_t llc[LLC_SIZE];

    if (length > link->end - link->l3_offset)
        return wrong(link, &spill_malformed_encapsulation);
    /* Nobody's: there is not even LLC. */
    if (length < sizeof(llc))
        return end_at(link, 0, &spill_non_ip);
    link->end = link->l3_offset + length;
    if (!read_link(mbuf, link, sizeof(llc), llc))
        return wrong(link, &spill_malformed_encapsulation);
    if ((llc[0] | LLC_GROUP) == (LLC_SNAP | LLC_GROUP))
        return walk_snap(mbuf, link);
    if ((llc[0] | LLC_GROUP) == (LLC_ARPANET | LLC_GROUP))
        return end_at(link, LLC_ARPANET, &spill_encapsulated_ip);
    return end_at(link, llc[0], &spill_non_ip);
}

/* What stands behind PPPoE's header: the protocol, of which PPP may leave out the upper byte. */
static enum step walk_ppp(struct spill_link *link, const uint8_t *ppp, uint32_t length)
{
    uint32_t size = ppp[0] & 1 ? 1 : 2;
    uint32_t protocol = size == 1 ? ppp[0] : spill_load_be16(ppp);

    if (length < size)
        return wrong(link, &spill_malformed_encapsulation);
    if (protocol >= PPP_FIRST_CONTROL)
        return end_at(link, TYPE_PPPOE, &spill_non_ip);
    /* What two ids and a session are is more than a flow knows itself by. */
    if ((protocol != PPP_IPV4 && protocol != PPP_IPV6) || link->inner_vlan != 0)
        return end_at(link, TYPE_PPPOE, &spill_encapsulated_ip);
    link->type =
        protocol == PPP_IPV4 ? RTE_BE16(RTE_ETHER_TYPE_IPV4) : RTE_BE16(RTE_ETHER_TYPE_IPV6);
    link->l3_offset += size;
    return STEP_ON;
}

static enum step walk_pppoe(const struct rte_mbuf *mbuf, struct spill_link *link)
{
    uint8_t header[PPPOE_SIZE + 2] = {0};
    uint32_t length;
    enum step step;

    if (!read_link(mbuf, link, PPPOE_SIZE, header))
        return wrong(link, &spill_malformed_encapsulation);
    length = spill_load_be16(header + 4);
    if (length == 0 || length > link->end - link->l3_offset - PPPOE_SIZE)
        return wrong(link, &spill_malformed_encapsulation);
    if (header[0] != PPPOE_VERSION || header[1] != 0)
        return end_at(link, TYPE_PPPOE, &spill_encapsulated_ip);
    spill_read_frame(mbuf, link->l3_offset, PPPOE_SIZE + RTE_MIN(length, 2U), header);
    link->l3_offset += PPPOE_SIZE;
    link->end = link->l3_offset + length;
    step = walk_ppp(link, header + PPPOE_SIZE, length);
    if (step == STEP_ON) {
        link->vlan |= SPILL_VLAN_PPPOE;
        link->inner_vlan = spill_load_be16(header + 2);
        link->wrapped = true;
    }
    return step;
}

/* A stack of labels, to its bottom: nothing says what is there, but IP begins with its version. */
static enum step walk_mpls(const struct rte_mbuf *mbuf, struct spill_link *link, unsigned *headers)
{
    uint16_t type = rte_be_to_cpu_16(link->type);
    uint8_t label[MPLS_SIZE];

    do {
        if (*headers == HEADERS_MAX)
            return end_at(link, type, &spill_link_too_deep);
        if (!read_link(mbuf, link, sizeof(label), label))
            return wrong(link, &spill_malformed_encapsulation);
        link->l3_offset += sizeof(label);
        ++*headers;
    } while ((label[2] & 1) == 0);
    if (!read_link(mbuf, link, 1, label))
        return wrong(link, &spill_malformed_encapsulation);
    if (label[0] >> 4 != IPVERSION && label[0] >> 4 != 6)
        return end_at(link, type, &spill_encapsulated_ip);
    link->type =
        label[0] >> 4 == IPVERSION ? RTE_BE16(RTE_ETHER_TYPE_IPV4) : RTE_BE16(RTE_ETHER_TYPE_IPV6);
    link->vlan |= SPILL_VLAN_MPLS;
    link->wrapped = true;
    return STEP_ON;
}

/* Types that hold frames or packets of others, in ways that nothing here knows, or with secrets. */
static bool is_opaque(uint32_t type)
{
    switch (type) {
    case 0x22f3: /* TRILL */
    case 0x4305: /* B.A.T.M.A.N. advanced */
    case 0x6558: /* Ethernet bridged */
    case 0x6559: /* frame relay */
    case 0x876b: /* compressed TCP/IP headers */
    case 0x880b: /* PPP */
    case 0x8870: /* LLC in large frames */
    case 0x8874: /* switches' own tags */
    case 0x8899:
    case 0xdada:
    case 0x88e5: /* MACsec */
    case 0x88e7: /* I-TAG: a backbone's frame around one with addresses of its own */
    case 0x8903: /* FabricPath */
    case 0x8909: /* Cisco's metadata */
    case 0x8926: /* VN-Tag */
    case 0x892f: /* HSR */
    case 0x893f: /* E-TAG */
    case 0x894f: /* NSH */
    case 0xa0ed: /* LoWPAN */
    case 0xf1c1: /* R-TAG */
        return true;
    default:
        return type > 0x1000 && type < 0x1010; /* trailers of BSD */
    }
}

static bool is_tag(uint32_t type)
{
    switch (type) {
    case RTE_ETHER_TYPE_VLAN:
    case RTE_ETHER_TYPE_QINQ:
    case RTE_ETHER_TYPE_QINQ1: /* 0x9100, and those that vendors count on from there */
    case RTE_ETHER_TYPE_QINQ2:
    case RTE_ETHER_TYPE_QINQ3:
        return true;
    default:
        return false;
    }
}

static bool is_mpls(uint32_t type)
{
    return type == RTE_ETHER_TYPE_MPLS || type == RTE_ETHER_TYPE_MPLSM;
}

bool spill_parse_holds_packets(uint16_t type)
{
    return type == RTE_ETHER_TYPE_IPV4 || type == RTE_ETHER_TYPE_IPV6 || is_tag(type) ||
           is_mpls(type) || is_opaque(type);
}

static enum step walk(const struct rte_mbuf *mbuf, struct spill_link *link, unsigned *headers)
{
    uint32_t type = rte_be_to_cpu_16(link->type);

    if (is_tag(type))
        return ++*headers > HEADERS_MAX ? end_at(link, type, &spill_link_too_deep)
                                        : walk_tag(mbuf, link);
    if (is_mpls(type))
        return walk_mpls(mbuf, link, headers);
    if (type == TYPE_PPPOE)
        return walk_pppoe(mbuf, link);
    if (type < LEAST_TYPE)
        return walk_llc(mbuf, link);
    return end_at(link, type, is_opaque(type) ? &spill_encapsulated_ip : &spill_non_ip);
}

/* Tags that the device has taken off: they are the outermost. */
static unsigned enter_stripped(const struct rte_mbuf *mbuf, struct spill_link *link)
{
    unsigned headers = 0;

    if ((mbuf->ol_flags & RTE_MBUF_F_RX_QINQ_STRIPPED) != 0) {
        enter_vlan(link, mbuf->vlan_tci_outer);
        headers++;
    }
    if ((mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0) {
        enter_vlan(link, mbuf->vlan_tci);
        headers++;
    }
    return headers;
}

bool spill_parse_link(const struct rte_mbuf *mbuf, struct spill_link *link)
{
    uint8_t header[RTE_ETHER_HDR_LEN];
    enum step step = STEP_ON;
    unsigned headers;

    link->end = rte_pktmbuf_pkt_len(mbuf);
    if (!read_link(mbuf, link, sizeof(header), header)) {
        link->reason = &spill_malformed_ethernet;
        return false;
    }
    link->type = spill_load16(header + offsetof(struct rte_ether_hdr, ether_type));
    link->l3_offset = sizeof(header);
    headers = enter_stripped(mbuf, link);
    while (step == STEP_ON && link->type != RTE_BE16(RTE_ETHER_TYPE_IPV4) &&
           link->type != RTE_BE16(RTE_ETHER_TYPE_IPV6))
        step = walk(mbuf, link, &headers);
    link->wrapped |= link->l3_offset > SPILL_LINK_PLAIN;
    return step != STEP_WRONG;
}
