/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_DATAGRAMS_H
#define SPILLWAY_DATAGRAMS_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "base/error.h"
#include "base/ledger.h"
#include "packet/packet.h"

/**
 * @file
 * Datagrams that are under way in fragments: a later fragment carries no ports, and gets those of
 * its first, so that it belongs to the first one's connection and goes by the same verdict.
 *
 * Nothing is put together. A fragment that comes before its first waits for it. What no host should
 * see is dropped under a name: bytes that come twice (RFC 5722, and the same for IPv4: RFC 1858,
 * RFC 3128), of which the datagram's other fragments are dropped as well unless it was no more than
 * a repetition; a fragment within a fragment; a first one without the whole transport header.
 *
 * A datagram is known by addresses, protocol (IPv4), id, both VLAN ids, the port that it comes in
 * by and the SA that it came through. It is forgotten after SPILL_DATAGRAMS_TIMEOUT_MS, or when all
 * of it came and its place is wanted.
 *
 * Bounds: SPILL_DATAGRAMS_MOST at a time, in sets of 8; SPILL_DATAGRAMS_WAITING fragments that
 * wait, at most SPILL_DATAGRAMS_WAITING_EACH of one datagram; SPILL_DATAGRAMS_RANGES pieces that do
 * not touch. A datagram whose first came is never displaced by one whose first did not. The hash is
 * keyed, so sets can't be aimed at.
 *
 * All functions but create and free are the owning lcore's; they never block.
 */

#define SPILL_DATAGRAMS_MOST         1024
#define SPILL_DATAGRAMS_WAITING      256
#define SPILL_DATAGRAMS_WAITING_EACH 16
#define SPILL_DATAGRAMS_RANGES       8
#define SPILL_DATAGRAMS_TIMEOUT_MS   2000

struct spill_datagrams;

/**
 * Makes a table. Control thread.
 *
 * @param timeout  TSC cycles that a datagram is remembered from its first arrival
 * @param ledger   of the owner, where drops are counted; stays the caller's
 * @param socket   NUMA node, or SOCKET_ID_ANY
 * @return NULL with an error when there is no memory
 */
struct spill_datagrams *spill_datagrams_create(uint64_t timeout, struct spill_ledger *ledger,
                                               int socket, struct spill_error *error);

/** Frees a table in which nothing waits. Control thread. May be NULL. */
void spill_datagrams_free(struct spill_datagrams *fragments);

/** Memory of a table, bytes. */
uint64_t spill_datagrams_bytes(void);

/**
 * Takes a fragment.
 *
 * @param mbuf    given away unless true is returned: it waits, or was dropped
 * @param packet  with `input` and `inbound_sa`; of a later fragment, the key becomes that of its
 * first
 * @param now     TSC
 * @return whether the packet goes on now. After a first one, spill_datagrams_next() has what waited
 *         for it
 */
bool spill_datagrams_take(struct spill_datagrams *fragments, struct rte_mbuf *mbuf,
                          struct spill_packet *packet, uint64_t now);

/**
 * Gives what waited for the first fragment that was taken last, in the order in which it came. To
 * be asked before the next is taken.
 *
 * @param mbufs, packets  room for SPILL_DATAGRAMS_WAITING_EACH
 * @return how many
 */
uint32_t spill_datagrams_next(struct spill_datagrams *fragments, struct rte_mbuf **mbufs,
                              struct spill_packet *packets);

/** Drops what waited too long in a few places, going round. */
void spill_datagrams_expire(struct spill_datagrams *fragments, uint64_t now);

/** How many wait. Exact for the owner. */
uint32_t spill_datagrams_waiting(const struct spill_datagrams *fragments);

/**
 * Drops all that waits: no first will come any more.
 *
 * @param reason  NULL: as at the timeout
 * @param ledger  where it is counted
 * @return packets
 */
uint32_t spill_datagrams_drop_all(struct spill_datagrams *fragments,
                                  const struct spill_drop_reason *reason,
                                  struct spill_ledger *ledger);

#endif
