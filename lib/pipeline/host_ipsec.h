/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_HOST_IPSEC_H
#define SPILLWAY_HOST_IPSEC_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "packet/packet.h"
#include "pipeline/fast.h"

/**
 * @file
 * The host's own packets and tunnels: what a twin's kernel sends goes by an outbound association
 * where the first rule for what leaves says so (onward.h), and what comes to the host in the clear
 * ends where that rule is protect by an inbound one; either ends where the rule denies it for the
 * host, too (SPILL_SA_HOST_SENDS, _GETS). Of the rules nothing else counts for the host, unless
 * they are for it as well (host_rules.h): what is allowed or denied there its own firewall says. It
 * is asked for each packet, and no flow is noted. What a trap selects waits for its association
 * (acquisition.h).
 *
 * IKE and ESP of the host's own, neighbour discovery, and what is for a link or a group are not
 * asked about (RFC 4301 4.4.1: bypass).
 *
 * A packet that is too large for its tunnel is answered to the host as from where it was going to:
 * a kernel takes no error that comes from an address of its own.
 *
 * Uses of a packet: kind, key, direction, esp, l3_offset, l4_offset, length, input. Sets: verdict,
 * sa, secret, output.
 */

/**
 * Has packets of the host's encrypted that are to be. The lcore.
 *
 * @param mbufs     given away, but for those that leave as they are, which are moved to the front
 * @param pointers  to each one's packet, with `input` the port of its twin; moved together with the
 *                  mbufs; of kind OTHER in the end
 * @return how many leave as they are
 */
uint32_t spill_host_protect(struct spill_fast *fast, struct rte_mbuf **mbufs,
                            struct spill_packet **pointers, uint32_t count, uint64_t stamp);

/**
 * Whether an IP packet is IKE's, by our own end's port: what the other end has there says nothing.
 * The lcore.
 *
 * @param ours  the host has sent it
 */
bool spill_host_is_ike(const struct spill_fast *fast, const struct spill_packet *packet, bool ours);

/** Whether a packet is not asked about, whatever the rules are. Any lcore.
 *
 * @param ours  the host has sent it
 */
bool spill_host_is_bypassed(const struct spill_fast *fast, const struct rte_mbuf *mbuf,
                            const struct spill_packet *packet, bool ours);

/** Asks the rules in force about a packet that the host sends. The lcore.
 * @param packet  with `input` the port of its twin; gets their verdict
 * @return the SA that is to protect it, or NULL */
struct spill_sa *spill_host_ask(const struct spill_fast *fast, struct spill_packet *packet);

/** Why a packet in the clear may not be given to the host; NULL: it may. The lcore. */
const struct spill_drop_reason *spill_host_refuses(struct spill_fast *fast, struct rte_mbuf *mbuf,
                                                   struct spill_packet *packet);

#endif
