/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_HOST_RULES_H
#define SPILLWAY_HOST_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "packet/packet.h"
#include "pipeline/fast.h"

/**
 * @file
 * The host's own packets and the rules, where these are for it as well (`host-rules`): what comes
 * for it and what it sends has flows and verdicts as what is forwarded, so that its answers, and
 * those to it, pass by state. What comes takes the way of all packets, as its route ends at the
 * host (routing_admit.c); what it sends is here.
 *
 * Not judged is what is not asked about either where tunnels are the host's (host_ipsec.h): so the
 * kernel keeps its links' neighbours, and IKE its peers, whatever the rules say. Nor are later
 * fragments of what the host sends: the first of them is, without which nobody can use them.
 *
 * What a packet of the host's did not come in by, no rule with `in` matches. What leaves does so by
 * the port whose twin the kernel chose, as it is; where a rule protects it by an association after
 * all, as one that was changed meanwhile, it is dropped. One that is rejected is dropped without an
 * answer.
 *
 * Flows are an lcore's own: so each fast lcore has a channel of what the host sends, and the thread
 * chooses as devices and spreading lcores do.
 *
 * Uses of a packet: kind, key, has_ports, fragment, step. Sets: of_host, input, output.
 */

/**
 * Judges what the host has sent, and sends what may pass. The lcore.
 *
 * @param mbufs    given away, but for those that are not judged, which are moved to the front
 * @param packets  to each one's packet, of kind OTHER, with `output` the port of its twin; moved
 *                 together with the mbufs
 * @return how many are not judged, and leave as they are
 */
uint32_t spill_host_rules_judge(struct spill_fast *fast, struct rte_mbuf **mbufs,
                                struct spill_packet **packets, uint32_t count, uint64_t stamp);

/** The fast lcore, by its index, that knows the flow of what the host sends. The host's thread.
 *
 * @param fast  any of them
 * @param port  DPDK's id
 */
uint32_t spill_host_rules_owner(const struct spill_fast *fast, struct rte_mbuf *mbuf,
                                uint16_t port);

#endif
