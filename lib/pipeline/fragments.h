/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FRAGMENTS_H
#define SPILLWAY_FRAGMENTS_H

#include <stdint.h>

#include "packet/packet.h"
#include "pipeline/fast.h"

/**
 * @file
 * ESP that comes in fragments, for an address that an inbound SA has, from that SA's other end: it
 * is put together (reassembly.h) and decrypted. In UDP only the first fragment tells ESP from other
 * things; what turns out to be none goes on in fragments, as it came. All other fragments stay in
 * the burst.
 *
 * Uses of a packet: kind, key, direction, esp, fragment, input. Sets: input; what is put together
 * is parsed anew.
 */

/** Takes fragments that may be ESP of ours out of a burst: as spill_decryption_take(). The lcore.
 */
uint32_t spill_fragments_take(struct spill_fast *fast, uint16_t port, struct rte_mbuf **mbufs,
                              struct spill_packet *packets, uint32_t count, uint64_t stamp);

#endif
