/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/waiting.h"

#include <string.h>

#include <rte_cycles.h>

#include "pipeline/routing_error.h"
#include "pipeline/routing_tunnel.h"
#include "pipeline/trace.h"

static const struct spill_trace_line waits = {
    .stage = "waits for the neighbor", .values = {{"interface", SPILL_TRACE_INTERFACE, NULL}}};

SPILL_DROP_REASON(spill_drop_neighbor_unresolved, "neighbor_unresolved",
                  "nobody said which MAC address the next hop has, for three seconds or until the "
                  "end");
SPILL_DROP_REASON(spill_drop_neighbor_failed, "neighbor_failed",
                  "the next hop does not answer, or its port leaves; the sender is told");
static SPILL_DROP_REASON(neighbor_full, "neighbor_full",
                         "too many packets wait for next hops' MAC addresses: of this one, or by "
                         "its port");

static SPILL_COUNTER(waited, "routing", "waited", "packets",
                     "for their next hop's MAC address, and were sent then");

#define LOOK_US 100

/* ------------------------------------------------------------------------------ who waits */

/* 1 to 255, and another for addresses of which only one byte differs. */
static uint8_t tag_of(uint16_t interface, const struct spill_ip *address)
{
    uint64_t words[2];

    memcpy(words, address->bytes, sizeof(words));
    words[0] ^= words[1] ^ interface;
    words[0] ^= words[0] >> 32;
    words[0] ^= words[0] >> 16;
    words[0] ^= words[0] >> 8;
    return (uint8_t)words[0] != 0 ? (uint8_t)words[0] : 1;
}

static struct spill_waiting_neighbor *find(struct spill_waiting *waiting, uint16_t interface,
                                           const struct spill_ip *address)
{
    const uint8_t *const end = waiting->tags + SPILL_WAITING_NEIGHBORS;
    const uint8_t tag = tag_of(interface, address), *at = waiting->tags;

    for (; (at = memchr(at, tag, (size_t)(end - at))) != NULL; at++) {
        struct spill_waiting_neighbor *neighbor = &waiting->neighbors[at - waiting->tags];

        if (neighbor->interface == interface && spill_ip_equal(&neighbor->address, address))
            return neighbor;
    }
    return NULL;
}

/* Its packets are the caller's. */
static void give_up_place(struct spill_waiting *waiting, struct spill_waiting_neighbor *neighbor)
{
    neighbor->count = 0;
    waiting->tags[neighbor - waiting->neighbors] = 0;
    waiting->count--;
}

static struct spill_waiting_neighbor *older(struct spill_waiting_neighbor *left,
                                            struct spill_waiting_neighbor *right)
{
    return left == NULL || (int64_t)(right->since - left->since) < 0 ? right : left;
}

/*
 * A place for one more neighbour. Where the port has all that it may have, or there is none, the
 * one that waits longest gives way: who is there answers within milliseconds, so that a scan costs
 * those who are not there their places first (law 9).
 */
static struct spill_waiting_neighbor *take_place(struct spill_fast *fast, uint16_t interface)
{
    const struct spill_interface *interfaces = fast->routing.tables->interfaces;
    struct spill_waiting_neighbor *free = NULL, *of_port = NULL, *of_all = NULL, *gone;
    uint32_t by_port = 0, i;

    for (i = 0; i < SPILL_WAITING_NEIGHBORS; i++) {
        struct spill_waiting_neighbor *neighbor = &fast->routing.waiting->neighbors[i];

        if (neighbor->count == 0) {
            free = neighbor;
            continue;
        }
        of_all = older(of_all, neighbor);
        if (interfaces[neighbor->interface].port == interfaces[interface].port) {
            of_port = older(of_port, neighbor);
            by_port++;
        }
    }
    if (by_port < SPILL_WAITING_PORT && free != NULL)
        return free;
    gone = by_port < SPILL_WAITING_PORT ? of_all : of_port;
    spill_ledger_drop(&fast->ledger, &neighbor_full, gone->mbufs, gone->count);
    give_up_place(fast->routing.waiting, gone);
    return gone;
}

static void ask(struct spill_fast *fast, struct spill_waiting_neighbor *neighbor, uint64_t now)
{
    const struct spill_router_need need = {.interface = neighbor->interface,
                                           .address = neighbor->address};

    if (spill_needs_add(fast->routing.lcore, need))
        neighbor->asked = now;
}

/* The newest are kept (RFC 1122 2.3.2.2). */
static void drop_oldest(struct spill_fast *fast, struct spill_waiting_neighbor *neighbor)
{
    uint32_t i;

    spill_ledger_drop(&fast->ledger, &neighbor_full, &neighbor->mbufs[0], 1);
    for (i = 1; i < SPILL_WAITING_EACH; i++) {
        neighbor->mbufs[i - 1] = neighbor->mbufs[i];
        neighbor->stamps[i - 1] = neighbor->stamps[i];
        neighbor->origins[i - 1] = neighbor->origins[i];
    }
    neighbor->count--;
}

void spill_waiting_add(struct spill_fast *fast, uint16_t interface, const struct spill_ip *address,
                       struct rte_mbuf *mbuf, const struct spill_packet *packet, uint64_t stamp,
                       enum spill_routing_origin origin)
{
    struct spill_waiting *waiting = fast->routing.waiting;
    struct spill_waiting_neighbor *neighbor = find(waiting, interface, address);

    if (neighbor == NULL) {
        neighbor = take_place(fast, interface);
        *neighbor = (struct spill_waiting_neighbor){
            .address = *address, .interface = interface, .since = stamp};
        waiting->tags[neighbor - waiting->neighbors] = tag_of(interface, address);
        waiting->count++;
        ask(fast, neighbor, stamp);
    }
    if (neighbor->count == SPILL_WAITING_EACH)
        drop_oldest(fast, neighbor);
    if (packet != spill_packet_of(mbuf))
        *spill_packet_of(mbuf) = *packet;
    SPILL_TRACE(&fast->ledger, mbuf, waits, interface);
    neighbor->mbufs[neighbor->count] = mbuf;
    neighbor->origins[neighbor->count] = (uint8_t)origin;
    neighbor->stamps[neighbor->count++] = stamp;
}

/* --------------------------------------------------------------------------- what goes on */

static void send_one(struct spill_fast *fast, struct rte_mbuf *mbuf, uint8_t origin, uint64_t stamp)
{
    struct spill_packet *packet = spill_packet_of(mbuf);

    if (origin == SPILL_ROUTING_OWN)
        spill_routing_send_own(fast, mbuf, packet, stamp);
    else if (origin == SPILL_ROUTING_PROTECTED)
        spill_routing_send_protected(fast, mbuf, packet, stamp);
    else
        spill_routing_send(fast, &mbuf, &packet, 1, stamp, SPILL_PATH_FAST);
}

/* They are taken out first: whoever is still not resolved waits anew. */
static void send_on(struct spill_fast *fast, struct spill_waiting_neighbor *neighbor)
{
    struct spill_waiting_neighbor gone = *neighbor;
    uint32_t i;

    give_up_place(fast->routing.waiting, neighbor);
    spill_ledger_count(&fast->ledger, &waited, gone.count);
    for (i = 0; i < gone.count; i++)
        send_one(fast, gone.mbufs[i], gone.origins[i], gone.stamps[i]);
}

void spill_waiting_go_first(struct spill_fast *fast, uint16_t hop)
{
    const struct spill_hop *of = &fast->routing.tables->hops[hop];
    struct spill_waiting_neighbor *neighbor =
        find(fast->routing.waiting, of->interface, &of->address);

    if (neighbor != NULL)
        send_on(fast, neighbor);
}

static void refuse(struct spill_fast *fast, struct spill_waiting_neighbor *neighbor,
                   const struct spill_drop_reason *reason, uint64_t now)
{
    struct spill_waiting_neighbor gone = *neighbor;
    uint32_t i;

    give_up_place(fast->routing.waiting, neighbor);
    for (i = 0; i < gone.count; i++) {
        if (gone.origins[i] == SPILL_ROUTING_TRANSIT)
            spill_routing_refuse(fast, reason, SPILL_ICMP_HOST_UNREACHABLE, gone.mbufs[i],
                                 spill_packet_of(gone.mbufs[i]), now);
        else
            spill_ledger_drop(&fast->ledger, reason, &gone.mbufs[i], 1);
    }
}

static void look(struct spill_fast *fast, struct spill_waiting_neighbor *neighbor, uint64_t now)
{
    const struct spill_route_tables *tables = fast->routing.tables;
    const uint16_t hop = spill_hop_find(tables, neighbor->interface, &neighbor->address);
    const uint8_t kind = spill_hop_get(&tables->hops[hop]).kind; /* hop 0 is never resolved */

    if (kind == SPILL_HOP_REACHABLE)
        send_on(fast, neighbor);
    else if (kind == SPILL_HOP_FAILED ||
             (__atomic_load_n(&tables->interfaces[neighbor->interface].down, __ATOMIC_RELAXED) &
              SPILL_LINK_OF_LEAVING) != 0)
        refuse(fast, neighbor, &spill_drop_neighbor_failed, now);
    else if (now - neighbor->since > rte_get_tsc_hz() / MS_PER_S * SPILL_WAITING_MS)
        refuse(fast, neighbor, &spill_drop_neighbor_unresolved, now);
    else if (now - neighbor->asked > rte_get_tsc_hz())
        ask(fast, neighbor, now);
}

void spill_waiting_look(struct spill_fast *fast, uint64_t now)
{
    struct spill_waiting *waiting = fast->routing.waiting;
    uint32_t i;

    if (now - waiting->looked < rte_get_tsc_hz() / US_PER_S * LOOK_US)
        return;
    waiting->looked = now;
    for (i = 0; i < SPILL_WAITING_NEIGHBORS; i++) {
        if (waiting->neighbors[i].count > 0)
            look(fast, &waiting->neighbors[i], now);
    }
}

uint32_t spill_waiting_drop_all(struct spill_waiting *waiting, struct spill_ledger *ledger,
                                const struct spill_drop_reason *reason)
{
    uint32_t dropped = 0, i;

    for (i = 0; i < SPILL_WAITING_NEIGHBORS; i++) {
        struct spill_waiting_neighbor *neighbor = &waiting->neighbors[i];

        if (neighbor->count == 0)
            continue;
        spill_ledger_drop(ledger, reason, neighbor->mbufs, neighbor->count);
        dropped += neighbor->count;
        give_up_place(waiting, neighbor);
    }
    return dropped;
}
