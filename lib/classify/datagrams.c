/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagrams in fragments: later ones get the key of their first. */
#include <rte_malloc.h>

#include "base/secret.h"
#include "classify/datagrams.h"
#include "classify/flow_hash.h"
#include "packet/fragment_header.h"
#include "packet/parse.h"

static SPILL_DROP_REASON(fragment_overlap, "fragment_overlap",
                         "the fragment has bytes of its datagram that came already, or lies behind "
                         "its end, or another one of the datagram did (RFC 5722)");
static SPILL_DROP_REASON(fragment_nested, "fragment_nested", "an IPv6 fragment within a fragment");
static SPILL_DROP_REASON(
    fragment_short, "fragment_short",
    "a first fragment whose TCP options go on in the next (RFC 1858, RFC 7112)");
static SPILL_DROP_REASON(fragment_no_first, "fragment_no_first",
                         "a later fragment whose first did not come in two seconds");
static SPILL_DROP_REASON(fragment_table_full, "fragment_table_full",
                         "too many fragments wait for their first, or too many datagrams, or "
                         "pieces of one, are under way");

#define WAYS        8
#define SETS        (SPILL_DATAGRAMS_MOST / WAYS)
#define UNIT        8 /* bytes: fragments begin at multiples */
#define EXPIRE      8 /* datagrams looked at in one call */
#define NONE        UINT16_MAX
#define UNKNOWN_END UINT16_MAX

/* What all fragments of a datagram have in common. Hashed and compared as words. */
struct datagram_id {
    uint8_t address[2][16]; /* source, destination; of IPv4 the first four bytes */
    uint32_t id;
    uint16_t vlan;
    uint16_t inner_vlan;
    uint8_t protocol; /* IPv4 */
    uint8_t input;
    uint16_t inbound_sa;
    uint8_t kind;
    uint8_t zero[3];
};

#define ID_WORDS 6
_Static_assert(sizeof(struct datagram_id) == ID_WORDS * sizeof(uint64_t), "hashed as words");

/* Bytes that came, in units. */
struct range {
    uint16_t first, end;
};

struct datagram {
    struct datagram_id id;
    uint64_t until; /* TSC; 0: the place is free */
    /* Of the first fragment, once it came: */
    uint64_t key_rest; /* of its key, behind the addresses */
    uint8_t direction : 1;
    uint8_t has_ports : 1;
    uint8_t known : 1; /* it came */
    uint8_t step : 3;
    uint8_t dead : 1; /* fragments overlapped: nothing more of it passes */
    uint8_t range_count;
    struct range ranges[SPILL_DATAGRAMS_RANGES]; /* ascending; no two touch */
    uint16_t end;                                /* units; UNKNOWN_END until the last came */
    uint16_t waiting;                            /* fragments */
    uint16_t oldest, newest;                     /* of those, into `places`; NONE */
} __rte_cache_aligned;

_Static_assert(sizeof(struct datagram) == 128, "two lines");

/* A fragment that waits; its metadata is in its private area. */
struct place {
    struct rte_mbuf *mbuf;
    uint16_t next; /* of the datagram, or of those that are free */
};

struct spill_datagrams {
    struct spill_ledger *ledger;
    uint64_t timeout;
    uint64_t secret[ID_WORDS];
    uint32_t hand;             /* datagram that is looked at for expiry next */
    uint32_t waiting;          /* fragments, of all datagrams */
    uint16_t free;             /* first free place */
    struct datagram *answered; /* its first came last */
    struct place places[SPILL_DATAGRAMS_WAITING];
    struct datagram datagrams[SPILL_DATAGRAMS_MOST];
};

struct spill_datagrams *spill_datagrams_create(uint64_t timeout, struct spill_ledger *ledger,
                                               int socket, struct spill_error *error)
{
    struct spill_datagrams *fragments =
        rte_zmalloc_socket(NULL, sizeof(*fragments), RTE_CACHE_LINE_SIZE, socket);
    uint32_t i;

    if (fragments == NULL || spill_secret(fragments->secret, sizeof(fragments->secret)) != 0) {
        rte_free(fragments);
        spill_error_set(error, "fragments: no memory on node %d", socket);
        return NULL;
    }
    fragments->ledger = ledger;
    fragments->timeout = timeout;
    for (i = 0; i < SPILL_DATAGRAMS_WAITING; i++)
        fragments->places[i].next = i + 1 < SPILL_DATAGRAMS_WAITING ? (uint16_t)(i + 1) : NONE;
    return fragments;
}

void spill_datagrams_free(struct spill_datagrams *fragments)
{
    rte_free(fragments);
}

uint64_t spill_datagrams_bytes(void)
{
    return sizeof(struct spill_datagrams);
}

uint32_t spill_datagrams_waiting(const struct spill_datagrams *fragments)
{
    return fragments->waiting;
}

/* ---------------------------------------------------------------------------- those that wait */

static void drop(struct spill_datagrams *fragments, const struct spill_drop_reason *reason,
                 struct rte_mbuf *mbuf)
{
    spill_ledger_drop(fragments->ledger, reason, &mbuf, 1);
}

static bool wait(struct spill_datagrams *fragments, struct datagram *datagram,
                 struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    uint16_t index = fragments->free;
    struct place *place;

    if (index == NONE || datagram->waiting == SPILL_DATAGRAMS_WAITING_EACH)
        return false;
    place = &fragments->places[index];
    fragments->free = place->next;
    *place = (struct place){.mbuf = mbuf, .next = NONE};
    *spill_packet_of(mbuf) = *packet;
    if (datagram->waiting++ == 0)
        datagram->oldest = index;
    else
        fragments->places[datagram->newest].next = index;
    datagram->newest = index;
    fragments->waiting++;
    return true;
}

/* The one that waited longest. */
static struct rte_mbuf *take_oldest(struct spill_datagrams *fragments, struct datagram *datagram)
{
    uint16_t index = datagram->oldest;
    struct place *place = &fragments->places[index];
    struct rte_mbuf *mbuf = place->mbuf;

    datagram->oldest = place->next;
    datagram->waiting--;
    fragments->waiting--;
    *place = (struct place){.next = fragments->free};
    fragments->free = index;
    return mbuf;
}

static void drop_waiting(struct spill_datagrams *fragments, struct datagram *datagram,
                         const struct spill_drop_reason *reason)
{
    while (datagram->waiting > 0)
        drop(fragments, reason, take_oldest(fragments, datagram));
}

void spill_datagrams_expire(struct spill_datagrams *fragments, uint64_t now)
{
    uint32_t i;

    for (i = 0; i < EXPIRE && fragments->waiting > 0; i++) {
        struct datagram *datagram = &fragments->datagrams[fragments->hand];

        fragments->hand = (fragments->hand + 1) % SPILL_DATAGRAMS_MOST;
        if (datagram->waiting > 0 && datagram->until <= now)
            drop_waiting(fragments, datagram, &fragment_no_first);
    }
}

uint32_t spill_datagrams_drop_all(struct spill_datagrams *fragments,
                                  const struct spill_drop_reason *reason,
                                  struct spill_ledger *ledger)
{
    uint32_t count = fragments->waiting, i;

    for (i = 0; i < SPILL_DATAGRAMS_MOST && fragments->waiting > 0; i++) {
        while (fragments->datagrams[i].waiting > 0) {
            struct rte_mbuf *mbuf = take_oldest(fragments, &fragments->datagrams[i]);

            spill_ledger_drop(ledger, reason != NULL ? reason : &fragment_no_first, &mbuf, 1);
        }
    }
    return count;
}

/* -------------------------------------------------------------------------------- the datagram */

/* Of routed ports a key has no VLAN, and the frame's tag is noted beside it. */
static uint16_t vlan_of(const struct rte_mbuf *mbuf, uint16_t vlan)
{
    return vlan != 0 || (mbuf->ol_flags & RTE_MBUF_F_RX_VLAN) == 0 ? vlan & SPILL_VLAN_PLACE
                                                                   : mbuf->vlan_tci & 0xfff;
}

static void identify(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                     const struct spill_fragment_header *header, struct datagram_id *id)
{
    unsigned source = packet->direction;

    *id = (struct datagram_id){.id = header->id,
                               .inner_vlan = packet->inner_vlan,
                               .input = packet->input,
                               .inbound_sa = packet->inbound_sa,
                               .kind = packet->kind};
    if (packet->kind == SPILL_PACKET_IPV4) {
        memcpy(id->address[0], &packet->key.v4.address[source], sizeof(uint32_t));
        memcpy(id->address[1], &packet->key.v4.address[!source], sizeof(uint32_t));
        id->vlan = vlan_of(mbuf, packet->key.v4.vlan);
        id->protocol = packet->key.v4.protocol;
    } else {
        /* Not the protocol: the first says what comes behind all extension headers, the later ones
         * what comes behind the fragment header. */
        memcpy(id->address[0], packet->key.v6.address[source], sizeof(id->address[0]));
        memcpy(id->address[1], packet->key.v6.address[!source], sizeof(id->address[1]));
        id->vlan = vlan_of(mbuf, packet->key.v6.vlan);
    }
}

static uint32_t hash_of(const struct spill_datagrams *fragments, const struct datagram_id *id)
{
    const uint64_t *secret = fragments->secret;
    uint64_t word[ID_WORDS], sum;

    memcpy(word, id, sizeof(word));
    sum = spill_flow_hash_fold(word[0] ^ secret[0], word[1] ^ secret[1]) ^
          spill_flow_hash_fold(word[2] ^ secret[2], word[3] ^ secret[3]);
    return (uint32_t)spill_flow_hash_fold(
        sum ^ spill_flow_hash_fold(word[4] ^ secret[4], word[5] ^ secret[5]), secret[0]);
}

static bool is_complete(const struct datagram *datagram)
{
    return datagram->known && datagram->range_count == 1 && datagram->ranges[0].first == 0 &&
           datagram->ranges[0].end == datagram->end;
}

/* How much a datagram's place is worth: the lowest is given to a new one. */
static unsigned worth(const struct datagram *datagram, uint64_t now)
{
    if (datagram->until <= now)
        return 0;
    if (is_complete(datagram))
        return 1;
    if (datagram->dead)
        return 2;
    return datagram->known ? 4 : 3;
}

/* Finds a datagram, or gives it a place; NULL when its set has only what is worth more. */
static struct datagram *find_or_add(struct spill_datagrams *fragments, const struct datagram_id *id,
                                    bool first, uint64_t now)
{
    struct datagram *set = &fragments->datagrams[(hash_of(fragments, id) % SETS) * WAYS];
    struct datagram *least = NULL;
    uint32_t i;

    for (i = 0; i < WAYS; i++) {
        struct datagram *datagram = &set[i];
        unsigned is = worth(datagram, now);

        if (is > 1 && memcmp(&datagram->id, id, sizeof(*id)) == 0)
            return datagram;
        if (least == NULL || is < worth(least, now) ||
            (is == worth(least, now) && datagram->until < least->until))
            least = datagram;
    }
    if (worth(least, now) == 4 && !first)
        return NULL;
    drop_waiting(fragments, least,
                 worth(least, now) == 0 ? &fragment_no_first : &fragment_table_full);
    *least = (struct datagram){.id = *id,
                               .until = now + fragments->timeout,
                               .end = UNKNOWN_END,
                               .oldest = NONE,
                               .newest = NONE};
    return least;
}

/* ----------------------------------------------------------------------------- what came of it */

enum arrival {
    ARRIVED,
    REPEATED, /* all of it came before */
    OVERLAPS, /* with what came, or with the datagram's end */
    SCATTERED /* one piece too many */
};

/* Notes the bytes of a fragment, [first, end) in units. */
static enum arrival note(struct datagram *datagram, uint16_t first, uint16_t end, bool more)
{
    struct range *ranges = datagram->ranges;
    uint32_t count = datagram->range_count, at, i;
    bool joins_before, joins_behind;

    for (at = 0; at < count && ranges[at].end < first; at++)
        ;
    if (at < count && ranges[at].first <= first && end <= ranges[at].end && first < ranges[at].end)
        return REPEATED;
    if (at < count && ranges[at].end == first)
        at++;
    /* ranges[at - 1] ends at or before `first`. */
    if ((at < count && ranges[at].first < end) || end > datagram->end ||
        (!more && ((datagram->end != UNKNOWN_END && datagram->end != end) || at < count)))
        return OVERLAPS;
    joins_before = at > 0 && ranges[at - 1].end == first;
    joins_behind = at < count && ranges[at].first == end;
    if (!joins_before && !joins_behind) {
        if (count == SPILL_DATAGRAMS_RANGES)
            return SCATTERED;
        for (i = count; i > at; i--)
            ranges[i] = ranges[i - 1];
        ranges[at] = (struct range){.first = first, .end = end};
        datagram->range_count++;
    } else if (joins_before && joins_behind) {
        ranges[at - 1].end = ranges[at].end;
        for (i = at; i + 1 < count; i++)
            ranges[i] = ranges[i + 1];
        datagram->range_count--;
    } else if (joins_before) {
        ranges[at - 1].end = end;
    } else {
        ranges[at].first = first;
    }
    if (!more)
        datagram->end = end;
    return ARRIVED;
}

/* Ports, protocol, network and VLAN id: the same in both kinds of keys. */
static uint8_t *key_rest(struct spill_packet *packet)
{
    return packet->key.notes + (packet->kind == SPILL_PACKET_IPV4
                                    ? offsetof(struct spill_key4, port)
                                    : offsetof(struct spill_key6, port));
}

static void learn(struct datagram *datagram, struct spill_packet *packet)
{
    memcpy(&datagram->key_rest, key_rest(packet), sizeof(datagram->key_rest));
    datagram->direction = packet->direction;
    datagram->has_ports = packet->has_ports;
    datagram->step = packet->step & 7;
    datagram->known = 1;
}

static void apply(const struct datagram *datagram, struct spill_packet *packet)
{
    memcpy(key_rest(packet), &datagram->key_rest, sizeof(datagram->key_rest));
    packet->direction = datagram->direction;
    packet->has_ports = datagram->has_ports;
    packet->step = datagram->step;
}

/* What is wrong with a fragment by itself, or NULL. */
static const struct spill_drop_reason *fault_of(const struct spill_fragment_header *header)
{
    if (header->nested)
        return &fragment_nested;
    if (header->end <= header->first || (header->more && header->end % UNIT != 0))
        return &spill_malformed_fragment;
    return header->short_header ? &fragment_short : NULL;
}

/* Enters a fragment. NULL with the datagram, or why it is dropped. */
static const struct spill_drop_reason *enter(struct spill_datagrams *fragments,
                                             const struct rte_mbuf *mbuf,
                                             const struct spill_packet *packet,
                                             const struct spill_fragment_header *header,
                                             uint64_t now, struct datagram **datagram)
{
    struct datagram_id id;

    identify(mbuf, packet, header, &id);
    *datagram = find_or_add(fragments, &id, header->first == 0, now);
    if (*datagram == NULL)
        return &fragment_table_full;
    if ((*datagram)->dead)
        return &fragment_overlap;
    switch (note(*datagram, (uint16_t)(header->first / UNIT),
                 (uint16_t)((header->end + UNIT - 1) / UNIT), header->more)) {
    case ARRIVED:
        return NULL;
    case SCATTERED:
        return &fragment_table_full;
    case OVERLAPS:
        (*datagram)->dead = 1;
        drop_waiting(fragments, *datagram, &fragment_overlap);
        return &fragment_overlap;
    case REPEATED:
    default:
        return &fragment_overlap;
    }
}

bool spill_datagrams_take(struct spill_datagrams *fragments, struct rte_mbuf *mbuf,
                          struct spill_packet *packet, uint64_t now)
{
    const struct spill_drop_reason *reason;
    struct spill_fragment_header header;
    struct datagram *datagram;

    spill_fragment_header_read(mbuf, packet, &header);
    reason = fault_of(&header);
    if (reason == NULL)
        reason = enter(fragments, mbuf, packet, &header, now, &datagram);
    if (reason != NULL) {
        drop(fragments, reason, mbuf);
        return false;
    }
    if (header.first == 0) {
        learn(datagram, packet);
        fragments->answered = datagram;
        return true;
    }
    if (datagram->known) {
        apply(datagram, packet);
        return true;
    }
    if (!wait(fragments, datagram, mbuf, packet))
        drop(fragments, &fragment_table_full, mbuf);
    return false;
}

uint32_t spill_datagrams_next(struct spill_datagrams *fragments, struct rte_mbuf **mbufs,
                              struct spill_packet *packets)
{
    struct datagram *datagram = fragments->answered;
    uint32_t count = 0;

    fragments->answered = NULL;
    while (datagram != NULL && datagram->waiting > 0) {
        mbufs[count] = take_oldest(fragments, datagram);
        packets[count] = *spill_packet_of(mbufs[count]);
        apply(datagram, &packets[count++]);
    }
    return count;
}
