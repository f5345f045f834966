/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ESP_H
#define SPILLWAY_ESP_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "base/ledger.h"
#include "ipsec/crypto.h"
#include "ipsec/sa.h"
#include "packet/packet.h"
#include "runtime/pool.h"

/**
 * @file
 * ESP (RFC 4303): the work on a job of packets of one SA, on whichever lcore does it. rte_ipsec
 * does the protocol, a crypto device the crypto; what stands around them is here: the link header,
 * the outer header's checksum and "don't fragment", congestion marks, NAT traversal in transport
 * mode.
 *
 * The parts that are serial are the submitter's: sequence numbers are taken before the work
 * (spill_esp_take_numbers()), the replay window is looked at before and written after it.
 *
 * A packet on which it fails leaves the work with kind SPILL_PACKET_MALFORMED, and the reason in
 * `drop`; nothing is freed here.
 */

/* Why a packet can't be protected, or didn't come out. */
extern struct spill_drop_reason spill_esp_no_room;           /* both; esp_fetch.c */
extern struct spill_drop_reason spill_esp_crypto_failed;     /* out: encrypt.c */
extern struct spill_drop_reason spill_esp_expired;           /* out and in */
extern struct spill_drop_reason spill_esp_sequence_overflow; /* out */
extern struct spill_drop_reason spill_esp_malformed;         /* in: decrypt.c */
extern struct spill_drop_reason spill_esp_bad_icv;
extern struct spill_drop_reason spill_esp_bad_padding;
extern struct spill_drop_reason spill_esp_next_header;
extern struct spill_drop_reason spill_esp_dummy;
extern struct spill_drop_reason spill_esp_congestion;
extern struct spill_drop_reason spill_esp_replayed;

/* Bytes that the work needs behind a packet: padding, trailer, ICV, and what the ICV covers that is
 * not sent. */
#define SPILL_ESP_TAIL 80

/* Link headers are copied with as much in front of them, which is quicker than by their size. */
#define SPILL_ESP_LINK 24

/* Bytes that it needs before the frame, whose own link header is the least: outer header, UDP, ESP
 * header, initialization vector, and in front of them the copy of the link header. */
#define SPILL_ESP_HEAD (40 + 8 + 8 + 16 + SPILL_ESP_LINK - RTE_ETHER_HDR_LEN)

/**
 * What is known of a packet's other form. In the packet's notes: no key is needed during the work.
 * Written by who works on it.
 */
struct spill_esp_note {
    /* In: */
    uint32_t length;              /* of the packet before its trailer is taken off */
    uint8_t link[SPILL_ESP_LINK]; /* Ethernet with up to two tags, at its end */
    uint8_t zone; /* the wire and the end of it by which it came, as spill_parse_burst() wants it */
    uint8_t outer_tos; /* of the outer header */
    /* Out: */
    rte_be16_t df; /* "don't fragment" of the packet inside, as an IPv4 header has it */
};

_Static_assert(sizeof(struct spill_esp_note) <= sizeof(struct spill_key6), "fits the notes");

static inline struct spill_esp_note *spill_esp_note_of(struct spill_packet *packet)
{
    return (struct spill_esp_note *)packet->key.notes;
}

/**
 * Takes sequence numbers for a job of an outbound SA: the class's begin(). Its first is in
 * `serial`; `work` is lowered to as many packets as lifetimes and the end of the numbers allow, and
 * the others get their reason. The submitting lcore.
 */
void spill_esp_take_numbers(struct spill_job *job, void *context);

/**
 * Encrypts a job's packets: the class's work(). Packets become frames to transmit, link header and
 * all.
 *
 * @param crypto  struct spill_crypto *
 */
bool spill_esp_encrypt(struct spill_job *job, void *crypto);

/**
 * Decrypts a job's packets: the class's work(). Packets become the frames inside, and are parsed
 * again: their metadata is that of the packet inside, with `inbound_sa` the SA's id, and `sequence`
 * as it was.
 *
 * @param crypto  struct spill_crypto *
 */
bool spill_esp_decrypt(struct spill_job *job, void *crypto);

/** Brings jobs that were under way on the user's device: the pool's collect(). */
uint32_t spill_esp_collect(struct spill_job **done, uint32_t most, void *crypto);

/* ---------------------------------- shared by encrypt.c, decrypt.c, esp_fetch.c, esp_collect.c */

/** Marks a packet as failed. */
static inline void spill_esp_fail(struct rte_mbuf *mbuf, const struct spill_drop_reason *reason)
{
    struct spill_packet *packet = spill_packet_of(mbuf);

    packet->kind = SPILL_PACKET_MALFORMED;
    packet->drop = reason->id;
}

/** Fetches what the work will touch of a job's packets. */
void spill_esp_prefetch(const struct spill_job *job);

/**
 * Ends a job whose operations are done: what follows the crypto.
 *
 * @param whole  none of its packets has failed, as far as is known: none is looked at for that
 */
void spill_esp_end_encrypt(struct spill_job *job, struct spill_sa_lcore *lcore, bool whole);
void spill_esp_end_decrypt(struct spill_job *job, struct spill_sa_lcore *lcore, bool whole);

#endif
