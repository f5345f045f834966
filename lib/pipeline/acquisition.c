/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/acquisition.h"

#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_ring_elem.h>

#include "packet/parse.h"
#include "pipeline/fast.h"
#include "pipeline/forward.h"
#include "pipeline/host.h"
#include "pipeline/host_ipsec.h"
#include "pipeline/trace.h"

static const struct spill_trace_line waits = {.stage = "waits for an association"};

static SPILL_DROP_REASON(acquire_expired, "acquire_expired",
                         "no association came for a trap within thirty seconds, or until the end");
static SPILL_DROP_REASON(acquire_full, "acquire_full",
                         "too many packets wait for the association that a trap wants, or for "
                         "those of other traps");
static SPILL_DROP_REASON(acquire_onward, "acquire_onward",
                         "the packet came through an association, and a trap wants another one for "
                         "where it goes, which is not there yet");

static SPILL_COUNTER(asked, "acquire", "asked", "packets",
                     "that the control side was told of, as a trap wants an association for them");
static SPILL_COUNTER(waited, "acquire", "waited", "packets",
                     "that waited for an association until the rules changed");

#define LOOK_US      1000
#define REFUSED_US   1000 /* from one that has no place, and is told of, to the next */
#define ASK_AGAIN_US US_PER_S

static uint64_t cycles_of(uint64_t microseconds)
{
    return rte_get_tsc_hz() / US_PER_S * microseconds;
}

int spill_acquisition_init(struct spill_acquisition *acquisition, const char *lcore, int node,
                           struct spill_error *error)
{
    const int socket = node < 0 ? SOCKET_ID_ANY : node;
    char name[RTE_RING_NAMESIZE];

    /* It may be tried again. */
    if (acquisition->places == NULL)
        acquisition->places = rte_zmalloc_socket(
            "acquisition", SPILL_ACQUISITION_TRAPS * sizeof(*acquisition->places),
            RTE_CACHE_LINE_SIZE, socket);
    snprintf(name, sizeof(name), "acquire-%s", lcore);
    if (acquisition->needs == NULL)
        acquisition->needs = rte_ring_create_elem(name, sizeof(struct spill_acquisition_need),
                                                  SPILL_ACQUISITION_NEEDS, socket,
                                                  RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    if (acquisition->places == NULL || acquisition->needs == NULL)
        return spill_error_set(error, "%s: no memory for packets that wait for associations: %s",
                               lcore, rte_strerror(ENOMEM));
    return 0;
}

void spill_acquisition_free(struct spill_acquisition *acquisition)
{
    rte_free(acquisition->places);
    rte_ring_free(acquisition->needs);
    memset(acquisition, 0, sizeof(*acquisition));
}

/* ---------------------------------------------------------------------------- what is told */

/* @return false: the control thread has not taken those before */
static bool ask(struct spill_fast *fast, const struct spill_packet *packet)
{
    struct spill_acquisition_need need = {
        .trap = packet->sa, .kind = packet->kind, .protocol = spill_packet_protocol(packet)};

    need.has_ports = spill_packet_ends(packet, need.address, need.port) != SPILL_PACKET_NO_PORT;
    if (rte_ring_sp_enqueue_elem(fast->acquisition.needs, &need, sizeof(need)) != 0)
        return false;
    spill_ledger_count(&fast->ledger, &asked, 1);
    return true;
}

uint32_t spill_acquisition_take_needs(struct spill_acquisition *acquisition,
                                      struct spill_acquisition_need *needs, uint32_t most)
{
    return rte_ring_sc_dequeue_burst_elem(acquisition->needs, needs, sizeof(*needs), most, NULL);
}

/* ------------------------------------------------------------------------------- who waits */

/* @param trap  0: one that is free @return NULL: there is none */
static struct spill_acquisition_place *find_place(struct spill_acquisition *acquisition,
                                                  uint16_t trap)
{
    for (uint32_t i = 0; i < SPILL_ACQUISITION_TRAPS; i++) {
        if (acquisition->traps[i] == trap)
            return &acquisition->places[i];
    }
    return NULL;
}

/* Not often: who sends very many such packets must not keep those waiting that have a place. */
static void refuse(struct spill_fast *fast, const struct spill_drop_reason *reason,
                   struct rte_mbuf *mbuf, const struct spill_packet *packet, uint64_t now)
{
    struct spill_acquisition *acquisition = &fast->acquisition;

    if (now - acquisition->refused > cycles_of(REFUSED_US) && ask(fast, packet))
        acquisition->refused = now;
    spill_ledger_drop(&fast->ledger, reason, &mbuf, 1);
}

void spill_acquisition_refuse(struct spill_fast *fast, struct rte_mbuf *mbuf,
                              const struct spill_packet *packet, uint64_t now)
{
    refuse(fast, &acquire_onward, mbuf, packet, now);
}

void spill_acquisition_wait(struct spill_fast *fast, struct rte_mbuf *mbuf,
                            const struct spill_packet *packet, uint64_t stamp,
                            enum spill_acquisition_origin origin)
{
    struct spill_acquisition *acquisition = &fast->acquisition;
    struct spill_acquisition_place *place = find_place(acquisition, packet->sa);

    if (place == NULL)
        place = find_place(acquisition, 0);
    if (place == NULL || place->count == SPILL_ACQUISITION_EACH) {
        refuse(fast, &acquire_full, mbuf, packet, stamp);
        return;
    }
    if (acquisition->packets == 0)
        acquisition->version = fast->version.number;
    acquisition->traps[place - acquisition->places] = packet->sa;
    if (ask(fast, packet))
        place->asked = stamp;
    if (packet != spill_packet_of(mbuf))
        *spill_packet_of(mbuf) = *packet;
    SPILL_TRACE(&fast->ledger, mbuf, waits);
    place->mbufs[place->count] = mbuf;
    place->origins[place->count] = (uint8_t)origin;
    place->stamps[place->count++] = stamp;
    acquisition->packets++;
}

/* ------------------------------------------------------------------------------ what goes on */

static void take_out(struct spill_acquisition *acquisition, struct spill_acquisition_place *place,
                     struct spill_acquisition_place *gone)
{
    *gone = *place;
    place->count = 0;
    acquisition->traps[place - acquisition->places] = 0;
    acquisition->packets -= gone->count;
}

/* One that was taken out, to the end of its place. */
static void put_back(struct spill_acquisition *acquisition, struct spill_acquisition_place *place,
                     const struct spill_acquisition_place *gone, uint32_t index, uint16_t trap)
{
    place->mbufs[place->count] = gone->mbufs[index];
    place->origins[place->count] = gone->origins[index];
    place->stamps[place->count++] = gone->stamps[index];
    acquisition->traps[place - acquisition->places] = trap;
    acquisition->packets++;
}

/* Whether the rules still say of a packet what it waits by. All of a flow are told the same. */
static bool is_still_trapped(const struct spill_fast *fast, struct rte_mbuf *mbuf, uint8_t origin,
                             uint16_t trap)
{
    struct spill_packet question = *spill_packet_of(mbuf);

    if (origin == SPILL_ACQUISITION_HOST && !question.of_host)
        spill_host_ask(fast, &question);
    else
        spill_forward_ask(fast, mbuf, &question);
    return spill_acquisition_wants(&question) && question.sa == trap;
}

/* Sends what newer rules say something else about. It is taken out first: another trap may select
 * it. */
static void send_on(struct spill_fast *fast, struct spill_acquisition_place *place, uint64_t now)
{
    struct spill_acquisition *acquisition = &fast->acquisition;
    const uint16_t trap = acquisition->traps[place - acquisition->places];
    struct spill_acquisition_place gone;
    uint32_t leaving = 0, i;

    take_out(acquisition, place, &gone);
    for (i = 0; i < gone.count; i++) {
        if (is_still_trapped(fast, gone.mbufs[i], gone.origins[i], trap)) {
            put_back(acquisition, place, &gone, i, trap);
            continue;
        }
        gone.origins[leaving] = gone.origins[i];
        gone.mbufs[leaving++] = gone.mbufs[i];
    }
    spill_ledger_count(&fast->ledger, &waited, leaving);
    for (i = 0; i < leaving; i++) {
        if (gone.origins[i] == SPILL_ACQUISITION_HOST)
            spill_host_send(fast, &gone.mbufs[i], 1, now);
        else
            spill_forward_again(fast, gone.mbufs[i], now);
    }
}

static void drop_old(struct spill_fast *fast, struct spill_acquisition_place *place, uint64_t now)
{
    const uint64_t time = SPILL_ACQUISITION_SECONDS * rte_get_tsc_hz();
    struct spill_acquisition_place gone;
    const uint16_t trap = fast->acquisition.traps[place - fast->acquisition.places];
    uint32_t old = 0;

    while (old < place->count && now - place->stamps[old] > time)
        old++;
    if (old == 0)
        return;
    take_out(&fast->acquisition, place, &gone);
    spill_ledger_drop(&fast->ledger, &acquire_expired, gone.mbufs, old);
    for (uint32_t i = old; i < gone.count; i++)
        put_back(&fast->acquisition, place, &gone, i, trap);
}

static void look(struct spill_fast *fast, struct spill_acquisition_place *place, uint64_t now)
{
    drop_old(fast, place, now);
    if (place->count > 0 && now - place->asked > cycles_of(ASK_AGAIN_US) &&
        ask(fast, spill_packet_of(place->mbufs[0])))
        place->asked = now;
}

void spill_acquisition_look(struct spill_fast *fast, uint64_t now)
{
    struct spill_acquisition *acquisition = &fast->acquisition;
    const bool newer = acquisition->version != fast->version.number;

    if (!newer && now - acquisition->looked < cycles_of(LOOK_US))
        return;
    acquisition->looked = now;
    acquisition->version = fast->version.number;
    for (uint32_t i = 0; i < SPILL_ACQUISITION_TRAPS; i++) {
        struct spill_acquisition_place *place = &acquisition->places[i];

        if (place->count > 0 && newer)
            send_on(fast, place, now);
        else if (place->count > 0)
            look(fast, place, now);
    }
}

uint32_t spill_acquisition_drop_all(struct spill_acquisition *acquisition,
                                    struct spill_ledger *ledger,
                                    const struct spill_drop_reason *reason)
{
    const uint32_t packets = acquisition->packets;

    for (uint32_t i = 0; packets > 0 && i < SPILL_ACQUISITION_TRAPS; i++) {
        struct spill_acquisition_place *place = &acquisition->places[i];

        spill_ledger_drop(ledger, reason != NULL ? reason : &acquire_expired, place->mbufs,
                          place->count);
        place->count = 0;
        acquisition->traps[i] = 0;
    }
    acquisition->packets = 0;
    return packets;
}
