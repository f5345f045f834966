/* SPDX-License-Identifier: BSD-3-Clause */
/* The polling loop: sends what is due, receives, and keeps the accounts. */
#include "trial.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_udp.h>

#include "pace.h"
#include "packet/parse.h"

#define SEND_BURST    32
#define RECEIVE_BURST 64
/* How late a packet may be sent. */
#define CATCH_UP_US 100
/* Nothing has come for so long: nothing is on its way. And how long to wait for that at most. */
#define QUIET_MS    100
#define DEADLINE_MS 3000

/* The state of a run of the loop. */
struct run {
    const struct spill_load_line *line;
    struct spill_load_trial *trial;
    uint64_t began;     /* TSC; what has an older stamp is early */
    bool counting;      /* false in the warm-up */
    uint64_t last_came; /* TSC when a packet of this program came last */
};

struct spill_load_trial *spill_load_trial_create(unsigned class_count)
{
    struct spill_load_trial *trial =
        calloc(1, sizeof(*trial) + class_count * sizeof(struct spill_load_count));

    if (trial != NULL)
        trial->class_count = class_count;
    return trial;
}

static void count_sent(struct run *run, const struct spill_load_pick *picks, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        run->trial->classes[picks[i].class].sent++;
}

static void send_burst(struct run *run, uint32_t count, uint64_t now)
{
    const struct spill_load_line *line = run->line;
    struct rte_mbuf *mbufs[SEND_BURST];
    struct spill_load_pick picks[SEND_BURST];
    uint32_t sent = 0;

    /* No buffers: the port has all of them, and would take no more either. */
    if (rte_pktmbuf_alloc_bulk(line->pool, mbufs, count) == 0) {
        spill_load_traffic_make(line->traffic, mbufs, picks, count, now);
        sent = rte_eth_tx_burst(line->out, 0, mbufs, (uint16_t)count);
        spill_load_traffic_take_back(line->traffic, picks + sent, count - sent);
        rte_pktmbuf_free_bulk(mbufs + sent, count - sent);
    } else {
        rte_eth_tx_burst(line->out, 0, mbufs, 0); /* virtio takes its time to give them back */
    }
    if (!run->counting)
        return;
    count_sent(run, picks, sent);
    run->trial->tx_full += count - sent;
}

/* Reads a packet's probe. @return the flow it belongs to, or NULL: it is not this program's */
static struct spill_load_flow *find_flow(const struct spill_load_line *line,
                                         const struct rte_mbuf *mbuf,
                                         const struct spill_packet *packet,
                                         struct spill_load_probe *probe)
{
    const uint32_t offset = packet->l4_offset + (uint32_t)sizeof(struct rte_udp_hdr);
    const unsigned mask = SPILL_LOAD_CLASSES_MAX - 1;
    bool udp = (packet->kind == SPILL_PACKET_IPV4 && packet->key.v4.protocol == IPPROTO_UDP) ||
               (packet->kind == SPILL_PACKET_IPV6 && packet->key.v6.protocol == IPPROTO_UDP);

    if (!udp || packet->fragment || offset + sizeof(*probe) > rte_pktmbuf_data_len(mbuf))
        return NULL;
    memcpy(probe, rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, offset), sizeof(*probe));
    if ((probe->mark & ~mask) != SPILL_LOAD_MARK || (probe->mark & mask) >= line->traffic->count)
        return NULL;
    return spill_load_stream_slot(&line->traffic->streams[probe->mark & mask], probe->flow);
}

static void count_probe(struct run *run, struct spill_load_flow *flow,
                        const struct spill_load_probe *probe, uint64_t now)
{
    const unsigned class = probe->mark & (SPILL_LOAD_CLASSES_MAX - 1);
    struct spill_load_count *count = &run->trial->classes[class];

    run->last_came = now;
    if (!run->counting || probe->stamp < run->began) {
        run->trial->early++;
        return;
    }
    switch (spill_load_arrive(flow, probe->sequence)) {
    case SPILL_LOAD_DUPLICATE:
        count->duplicates++;
        return;
    case SPILL_LOAD_REORDERED:
        count->reordered++;
        break;
    case SPILL_LOAD_IN_ORDER:
        break;
    }
    count->received++;
    spill_histogram_record(&count->latency, now - probe->stamp, 1);
}

static void receive(struct run *run)
{
    struct rte_mbuf *mbufs[RECEIVE_BURST];
    struct spill_packet packets[RECEIVE_BURST];
    struct spill_load_probe probes[RECEIVE_BURST];
    struct spill_load_flow *flows[RECEIVE_BURST];
    const uint16_t count = rte_eth_rx_burst(run->line->in, 0, mbufs, RECEIVE_BURST);
    uint64_t now;

    if (count == 0)
        return;
    now = rte_rdtsc();
    for (uint16_t i = 0; i < count; i++)
        rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], const void *));
    spill_parse_burst(mbufs, count, 0, packets);
    for (uint16_t i = 0; i < count; i++) {
        flows[i] = find_flow(run->line, mbufs[i], &packets[i], &probes[i]);
        rte_prefetch0(flows[i]);
    }
    for (uint16_t i = 0; i < count; i++) {
        if (flows[i] != NULL && probes[i].stamp <= now)
            count_probe(run, flows[i], &probes[i], now);
        else
            run->trial->foreign++;
    }
    rte_pktmbuf_free_bulk(mbufs, count);
}

/* What comes back to the port that only sends: nothing of it is awaited there. */
static void drain_sender(struct run *run)
{
    struct rte_mbuf *mbufs[RECEIVE_BURST];
    uint16_t count;

    if (run->line->out == run->line->in)
        return;
    count = rte_eth_rx_burst(run->line->out, 0, mbufs, RECEIVE_BURST);
    run->trial->foreign += count;
    rte_pktmbuf_free_bulk(mbufs, count);
}

/* Whoever waits for the next turn knows that the lcore has left the driver since. */
static void count_turn(const struct spill_load_line *line)
{
    atomic_store_explicit(line->turns, atomic_load_explicit(line->turns, memory_order_relaxed) + 1,
                          memory_order_release);
}

/* Sends at the trial's rate for so many cycles, or until it is told to stop. */
static void load(struct run *run, uint64_t cycles)
{
    const uint64_t hz = run->line->hz, start = rte_rdtsc(), end = start + cycles;
    struct spill_load_pace pace =
        spill_load_pace_begin(start, run->trial->asked_rate, hz / 1000000 * CATCH_UP_US, hz);
    uint64_t now = start;
    uint32_t due = 1;

    run->began = start;
    /* After the last cycle too, until nothing is due: so all that was asked for is accounted for.
     */
    while (now < end || (due > 0 && pace.per_cycle > 0)) {
        now = rte_rdtsc();
        due = spill_load_pace_due(&pace, RTE_MIN(now, end), SEND_BURST);
        if (due > 0)
            send_burst(run, due, now);
        receive(run);
        drain_sender(run);
        count_turn(run->line);
        if (spill_token_cancelled(run->line->stop))
            break;
    }
    if (!run->counting)
        return;
    run->trial->took = RTE_MAX(RTE_MIN(rte_rdtsc(), end) - start, UINT64_C(1));
    run->trial->too_late = pace.too_late;
    run->trial->asked = pace.dealt;
}

static void wait_until_quiet(struct run *run)
{
    const uint64_t hz = run->line->hz, deadline = rte_rdtsc() + hz / 1000 * DEADLINE_MS;
    struct rte_mbuf *none[1] = {NULL};
    uint64_t now = rte_rdtsc();

    run->last_came = now;
    while (now < deadline && now - run->last_came < hz / 1000 * QUIET_MS) {
        receive(run);
        drain_sender(run);
        rte_eth_tx_burst(run->line->out, 0, none, 0); /* virtio frees in here */
        count_turn(run->line);
        now = rte_rdtsc();
    }
    run->trial->quiet = now < deadline;
}

void spill_load_trial_run(const struct spill_load_line *line, struct spill_load_trial *trial)
{
    struct run run = {.line = line, .trial = trial};

    if (trial->warm_up > 0 && !spill_token_cancelled(line->stop))
        load(&run, trial->warm_up);
    spill_load_traffic_restart(line->traffic);
    run.counting = true;
    load(&run, trial->duration);
    wait_until_quiet(&run);
}

uint64_t spill_load_trial_sent(const struct spill_load_trial *trial)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < trial->class_count; i++)
        sum += trial->classes[i].sent;
    return sum;
}

uint64_t spill_load_trial_received(const struct spill_load_trial *trial)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < trial->class_count; i++)
        sum += trial->classes[i].received;
    return sum;
}

double spill_load_trial_rate(const struct spill_load_trial *trial, uint64_t packets, uint64_t hz)
{
    return trial->took > 0 ? (double)packets * (double)hz / (double)trial->took : 0;
}
