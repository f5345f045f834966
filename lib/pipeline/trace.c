/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/trace.h"

#include <string.h>

#include <rte_ring_elem.h>

#include "base/clock.h"
#include "packet/parse.h"

/* Records that a packet's way has at most, but for that of a fragmented one: room is waited for, so
 * that most ways are whole. */
#define WAY 24

static const struct spill_trace_line received = {.stage = "receive",
                                                 .values = {{"packet", SPILL_TRACE_PACKET, NULL}}},
                                     dropped = {.stage = "dropped",
                                                .last = true,
                                                .values = {{"reason", SPILL_TRACE_REASON, NULL},
                                                           {"rule", SPILL_TRACE_RULE, NULL}}};

const char *const spill_trace_ways[] = {"inline", "pool", NULL};

void spill_trace_note_number(struct spill_watch *watch, uint32_t number,
                             const struct spill_trace_line *line, const uint32_t *values,
                             uint32_t words)
{
    struct spill_trace_record record = {.time = spill_clock(), .line = line, .packet = number};

    if (number == 0 || watch->choice != NULL)
        return;
    memcpy(record.values, values, words * sizeof(*values));
    if (rte_ring_sp_enqueue_elem(watch->ring, &record, sizeof(record)) != 0)
        watch->lost++;
}

void spill_trace_note(struct spill_watch *watch, struct rte_mbuf *mbuf,
                      const struct spill_trace_line *line, const uint32_t *values, uint32_t words)
{
    const struct spill_mark *mark = spill_mark_of(mbuf);

    if (mark != NULL)
        spill_trace_note_number(watch, mark->packet, line, values, words);
}

void spill_trace_rule(struct rte_mbuf *mbuf, uint32_t tally)
{
    struct spill_mark *mark = spill_mark_of(mbuf);

    if (mark != NULL)
        mark->tally = tally;
}

/* ------------------------------------------------------------------------- where ways begin */

static void write_ends(const struct spill_packet *packet, struct spill_trace_packet *into)
{
    const enum spill_packet_port has = spill_packet_ends(packet, into->address, into->port);

    into->has_ports = has == SPILL_PACKET_PORTS;
    into->has_type = has == SPILL_PACKET_TYPE;
    into->fragment = packet->fragment;
    into->esp = packet->esp == SPILL_ESP_PLAIN;
    into->protocol = spill_packet_protocol(packet);
    into->vlan = SPILL_VLAN_PLACE &
                 (packet->kind == SPILL_PACKET_IPV4 ? packet->key.v4.vlan : packet->key.v6.vlan);
}

static void note_received(struct spill_watch *watch, uint16_t port, struct rte_mbuf *mbuf,
                          const struct spill_packet *packet)
{
    struct spill_trace_packet found = {
        .length = (uint16_t)RTE_MIN(rte_pktmbuf_pkt_len(mbuf), (uint32_t)UINT16_MAX),
        .kind = packet->kind,
        .input = (uint8_t)port,
    };
    uint32_t values[SPILL_TRACE_WORDS] = {0};

    if (packet->kind <= SPILL_PACKET_IPV6)
        write_ends(packet, &found);
    else if (packet->kind == SPILL_PACKET_OTHER)
        found.port[0] = packet->key.type;
    memcpy(values, &found, sizeof(found));
    spill_trace_note_number(watch, watch->number, &received, values, RTE_DIM(values));
}

static void receive(struct spill_watch *watch, uint16_t port, struct rte_mbuf **mbufs,
                    const struct spill_packet *packets, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        spill_watch_mark(mbufs[i], 0);
        if (watch->number == watch->last_number || !spill_filter_matches(watch->filter, mbufs[i]))
            continue;
        if (rte_ring_free_count(watch->ring) < WAY) {
            watch->missed++;
            continue;
        }
        spill_watch_mark(mbufs[i], ++watch->number);
        note_received(watch, port, mbufs[i], &packets[i]);
    }
}

/* --------------------------------------------------------------------------- where they end */

static void drop(struct spill_drop_watch *drops, const struct spill_drop_reason *reason,
                 struct rte_mbuf *const *mbufs, uint32_t count)
{
    struct spill_watch *watch = (struct spill_watch *)drops;

    for (uint32_t i = 0; i < count; i++) {
        const struct spill_mark *mark = spill_mark_of(mbufs[i]);

        if (mark != NULL) {
            const uint32_t values[] = {reason->id, mark->tally};

            spill_trace_note_number(watch, mark->packet, &dropped, values, RTE_DIM(values));
        }
    }
}

static void offer(struct spill_watch *watch, uint16_t port, struct rte_mbuf **mbufs, uint32_t count)
{
    (void)watch, (void)port, (void)mbufs, (void)count;
}

static void leave(struct spill_watch *watch, uint32_t taken)
{
    (void)watch, (void)taken;
}

void spill_trace_init(struct spill_watch *watch, uint32_t lcore, uint32_t before, uint32_t most)
{
    const uint32_t base = (lcore << SPILL_TRACE_LCORE_SHIFT) + before;

    *watch = (struct spill_watch){
        .drops = {.dropped = drop},
        .received = receive,
        .offered = offer,
        .sent = leave,
        .element = sizeof(struct spill_trace_record),
        .number = base,
        .last_number = base + most,
    };
}
