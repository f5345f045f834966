/* SPDX-License-Identifier: BSD-3-Clause */
/* The way of a packet through a fast lcore. */
#include <string.h>

#include <rte_ethdev.h>

#include "packet/parse.h"
#include "pipeline/classification.h"
#include "pipeline/connection.h"
#include "pipeline/decryption.h"
#include "pipeline/drops.h"
#include "pipeline/fast.h"
#include "pipeline/fragments.h"
#include "pipeline/protection.h"
#include "pipeline/related.h"
#include "pipeline/sort_out.h"
#include "runtime/stamp.h"

/* Flow table places are looked at for expiry in one of so many turns, and in an idle turn: so many
 * that all of them are in SWEEP_SECONDS, within the bounds of the work that a turn may have. */
#define SWEEP_EVERY       16
#define SWEEP_SECONDS     60
#define SWEEP_PLACES      4
#define SWEEP_PLACES_BUSY 256
#define SWEEP_PLACES_IDLE 4096

/*
 * Finds a packet's verdict; what needs none, or can't have one, is dealt with. Returns whether the
 * rules must be asked.
 */
static bool decide(struct spill_fast *fast, struct rte_mbuf *mbuf, struct spill_packet *packet,
                   uint64_t stamp)
{
    int counter = -1;

    if (unlikely(spill_non_ip_is_neighbour(mbuf, packet)))
        counter = spill_non_ip_find_neighbour(&fast->non_ip);
    else if (packet->kind == SPILL_PACKET_OTHER)
        counter = spill_non_ip_find(&fast->non_ip, packet);
    if (counter < 0 && packet->kind <= SPILL_PACKET_IPV6) {
        if (unlikely(packet->step == SPILL_STEP_ERROR))
            spill_related_adopt(fast, mbuf, packet, stamp);
        if (spill_protection_verdict(packet) == SPILL_VERDICT_UNKNOWN)
            return true;
        spill_connection_pass(fast, mbuf, packet, stamp);
        return false;
    }
    if (counter >= 0) {
        fast->non_ip_passed[counter]++;
        packet->verdict = SPILL_VERDICT_ALLOW;
    } else {
        spill_ledger_drop(&fast->ledger, spill_drop_reason_get(packet->drop), &mbuf, 1);
    }
    return false;
}

/*
 * A burst in which not every packet is of an allowed flow. What is to be sent, by a verdict found
 * inline or without one, stays in its place among the others, so the burst keeps its order; the
 * rest is dropped, or waits in a lane. Returns how many are to be sent, moved to the front
 * together.
 */
static uint32_t decide_burst(struct spill_fast *fast, struct rte_mbuf **mbufs,
                             struct spill_packet **packets, uint32_t count, uint64_t stamp)
{
    uint8_t undecided[SPILL_BURST];
    uint32_t undecided_count = 0, i;

    for (i = 0; i < count; i++) {
        if (decide(fast, mbufs[i], packets[i], stamp))
            undecided[undecided_count++] = (uint8_t)i;
    }
    if (undecided_count > 0)
        spill_classification_submit(fast, mbufs, packets, undecided, undecided_count, stamp);
    return spill_protection_apply(fast, mbufs, packets, count, stamp);
}

/* Whether any packet may be ESP, or a fragment of it. */
static bool has_esp(const struct spill_packet *packets, uint32_t count)
{
    uint32_t found = 0, i;

    for (i = 0; i < count; i++)
        found |= packets[i].esp | packets[i].fragment;
    return found != 0;
}

/*
 * The step of a burst that came from one port: look up, then send what is allowed.
 *
 * @param steps  whether packets may change the states of their connections
 */
static void handle(struct spill_fast *fast, uint16_t port, struct rte_mbuf **mbufs,
                   struct spill_packet *packets, uint32_t count, uint64_t stamp, bool steps)
{
    struct spill_packet *pointers[SPILL_BURST];
    uint32_t i;

    if (unlikely(fast->inbound) && has_esp(packets, count)) {
        count = spill_decryption_take(fast, port, mbufs, packets, count, stamp);
        if (count == 0)
            return;
    }
    if (unlikely(spill_flow_table_lookup(fast->flows, packets, count, stamp) < count || steps)) {
        for (i = 0; i < count; i++) {
            packets[i].input = (uint8_t)port;
            packets[i].output = spill_exit_of(&fast->exits, (uint8_t)port);
            pointers[i] = &packets[i];
        }
        if (spill_protection_take_all(fast, mbufs, pointers, count, stamp))
            return;
        count = decide_burst(fast, mbufs, pointers, count, stamp);
        spill_exit_send(fast, mbufs, pointers, count, stamp, SPILL_WAY_FAST);
        return;
    }
    spill_exit_send_burst(fast, port, mbufs, packets, count, stamp);
}

/* The same step for what spill_sort_out() left of the burst. */
static void handle_sorted(struct spill_fast *fast, struct rte_mbuf **mbufs,
                          struct spill_packet *packets, uint32_t count, uint64_t stamp,
                          enum spill_way way)
{
    (void)way;
    handle(fast, packets->input, mbufs, packets, count, stamp, true);
}

/* A burst from one port that has fragments. Those of ESP for us are put together, as whole. */
static void handle_fragments(struct spill_fast *fast, struct rte_mbuf **mbufs,
                             struct spill_packet *packets, uint32_t count, uint64_t stamp)
{
    if (unlikely(fast->inbound))
        count = spill_fragments_take(fast, packets->input, mbufs, packets, count, stamp);
    spill_sort_out(fast, mbufs, packets, count, stamp, SPILL_WAY_FAST, handle_sorted);
}

/* A burst from one port that needs more than a lookup. */
static __rte_noinline void handle_more(struct spill_fast *fast, struct rte_mbuf **mbufs,
                                       struct spill_packet *packets, uint32_t count, uint64_t stamp)
{
    if (spill_sort_out_needed(packets, count))
        handle_fragments(fast, mbufs, packets, count, stamp);
    else
        handle(fast, packets->input, mbufs, packets, count, stamp, true);
}

static void go_on(struct spill_fast *fast, struct rte_mbuf **mbufs, struct spill_packet *packets,
                  uint32_t count, uint64_t stamp, enum spill_way way)
{
    struct spill_packet *pointers[SPILL_BURST];
    uint32_t i;

    spill_flow_table_lookup(fast->flows, packets, count, stamp);
    for (i = 0; i < count; i++) {
        packets[i].output = spill_exit_of(&fast->exits, packets[i].input);
        pointers[i] = &packets[i];
    }
    count = decide_burst(fast, mbufs, pointers, count, stamp);
    spill_exit_send(fast, mbufs, pointers, count, stamp, way);
}

void spill_fast_go_on(struct spill_fast *fast, struct rte_mbuf **mbufs,
                      struct spill_packet *packets, uint32_t count, uint64_t stamp,
                      enum spill_way way)
{
    if (unlikely(spill_sort_out_needed(packets, count)))
        spill_sort_out(fast, mbufs, packets, count, stamp, way, go_on);
    else
        go_on(fast, mbufs, packets, count, stamp, way);
}

void spill_fast_answer(struct spill_fast *fast, struct rte_mbuf *answer, uint8_t input)
{
    struct spill_answers *answers = &fast->answers;

    fast->ledger.originated++;
    answers->mbufs[answers->count] = answer;
    answers->inputs[answers->count++] = input;
}

/* Nothing here is answered again: an answer is an error. Returns how many there were. */
static uint32_t send_answers(struct spill_fast *fast, uint64_t now)
{
    struct spill_answers *answers = &fast->answers;
    uint32_t count = answers->count, i;

    for (i = 0; i < count; i++) {
        struct spill_packet packet;

        spill_parse_burst(&answers->mbufs[i], 1, fast->networks[answers->inputs[i]], &packet);
        packet.input = answers->inputs[i];
        if (packet.kind <= SPILL_PACKET_IPV6)
            packet.secret = 1;
        go_on(fast, &answers->mbufs[i], &packet, 1, now, SPILL_WAY_FAST);
    }
    answers->count = 0;
    return count;
}

/*
 * Whether a burst more would find room everywhere: for sources that can wait. In the worst case
 * each of its packets needs a credit, and all that is at the pool comes back before it.
 */
static bool has_room(const struct spill_fast *fast)
{
    uint32_t held = fast->submitter->held, bursts = fast->security->sas == NULL ? 1 : held + 1, i;

    if (fast->admission <= 0)
        return false;
    /* With IPsec, what comes back from one class may need a credit of the next. */
    if (held > 0 && fast->submitter->credits < bursts * SPILL_BURST)
        return false;
    for (i = 0; i < fast->transmitter.output_count; i++) {
        if (!spill_output_has_room(&fast->transmitter.outputs[i], held))
            return false;
    }
    return true;
}

static uint32_t receive_queue(struct spill_fast *fast, struct spill_input *input, uint64_t now)
{
    struct rte_mbuf *mbufs[SPILL_BURST];
    struct spill_packet packets[SPILL_BURST];
    uint32_t count = rte_eth_rx_burst(input->port, input->queue, mbufs, SPILL_BURST), i;

    if (count == 0)
        return 0;
    input->received += count;
    fast->ledger.received += count;
    if (likely(!spill_parse_burst(mbufs, count, fast->networks[input->port], packets))) {
        handle(fast, input->port, mbufs, packets, count, now, false);
        return count;
    }
    for (i = 0; i < count; i++)
        packets[i].input = (uint8_t)input->port;
    handle_more(fast, mbufs, packets, count, now);
    return count;
}

/* Packets of one port that another lcore received and parsed. */
static void handle_run(struct spill_fast *fast, const struct spill_input *input,
                       struct rte_mbuf **mbufs, struct spill_packet *packets, uint32_t count)
{
    uint64_t stamp = spill_stamp_get(mbufs[0]);

    if (input->handed)
        handle(fast, packets->input, mbufs, packets, count, stamp, true);
    else if (likely(!spill_sort_out_more(packets, count)))
        handle(fast, packets->input, mbufs, packets, count, stamp, false);
    else
        handle_more(fast, mbufs, packets, count, stamp);
}

/* A channel's packets, in runs of those that came from one port. */
static uint32_t receive_channel(struct spill_fast *fast, const struct spill_input *input)
{
    struct rte_mbuf *mbufs[SPILL_BURST];
    struct spill_packet packets[SPILL_BURST];
    uint32_t count = spill_channel_receive(input->channel, mbufs, SPILL_BURST);
    uint32_t first = 0, i;

    for (i = 0; i < count; i++)
        packets[i] = *spill_packet_of(mbufs[i]);
    for (i = 1; i <= count; i++) {
        if (i == count || packets[i].input != packets[first].input) {
            handle_run(fast, input, mbufs + first, packets + first, i - first);
            first = i;
        }
    }
    return count;
}

static uint32_t receive(struct spill_fast *fast, struct spill_input *input, uint64_t now,
                        bool stopped)
{
    if (input->can_wait &&
        (!has_room(fast) || !(input->handed || spill_handover_has_room(&fast->handover))))
        return 0;
    if (input->channel != NULL)
        return receive_channel(fast, input);
    return likely(!stopped) ? receive_queue(fast, input, now) : 0;
}

/* ------------------------------------------------------------------------------- the stages */

void spill_fast_take_version(struct spill_fast *fast, uint64_t now)
{
    const struct spill_security *security = spill_snapshot_get(fast->rules);

    fast->security = security;
    if (likely(security->number == fast->version))
        return;
    if (fast->version != 0)
        spill_flow_table_renew(fast->flows, now);
    fast->version = security->number;
    fast->inbound = security->sas != NULL && security->sas->has_inbound;
}

static uint32_t retire_poll(void *context, uint64_t now)
{
    struct spill_fast *fast = context;

    spill_fast_take_version(fast, now);
    spill_exits_look(&fast->exits);
    if (unlikely(fast->renewed != fast->version) && spill_flow_table_renewed(fast->flows))
        __atomic_store_n(&fast->renewed, fast->version, __ATOMIC_RELEASE);
    return send_answers(fast, now) + spill_submitter_retire(fast->submitter, now);
}

/* Once nothing is received and the lanes are empty, nothing more goes to the pool or downstream. */
static bool retire_end(void *context)
{
    struct spill_fast *fast = context;

    if (!fast->receive_ended || !spill_submitter_idle(fast->submitter) || fast->answers.count > 0)
        return false;
    spill_datagrams_drop_all(fast->datagrams, NULL, &fast->ledger); /* that came through an SA */
    spill_submitter_leave(fast->submitter);
    spill_transmitter_leave(&fast->transmitter);
    return true;
}

/* Looks for what has expired; at `most` places of the flow table: more is left to the next turn. */
static void sweep(struct spill_fast *fast, uint64_t now, uint64_t most)
{
    const uint64_t interval =
        rte_get_tsc_hz() * SWEEP_SECONDS / spill_flow_table_places(fast->flows);
    const uint64_t due = (now - fast->swept) / RTE_MAX(interval, UINT64_C(1));
    const uint64_t count = RTE_MAX(RTE_MIN(due, most), (uint64_t)SWEEP_PLACES);

    spill_flow_table_expire(fast->flows, now, (uint32_t)count);
    fast->swept = due > most && due < spill_flow_table_places(fast->flows)
                      ? fast->swept + count * interval
                      : now;
    spill_datagrams_expire(fast->datagrams, now);
    if (fast->reassembly != NULL)
        spill_reassembly_expire(fast->reassembly, now);
}

static uint32_t receive_poll(void *context, uint64_t now)
{
    struct spill_fast *fast = context;
    bool stopped = spill_token_cancelled(fast->stop);
    uint32_t handled = 0, i;

    spill_allowance_earn(&fast->exits.fitting, now - fast->last_turn, fast->has_time);
    spill_classification_earn(fast, now);
    for (i = 0; i < fast->input_count && handled < SPILL_TURN; i++) {
        struct spill_input *input = &fast->inputs[fast->next_input];
        uint32_t count = receive(fast, input, now, stopped);

        if (++fast->next_input == fast->input_count)
            fast->next_input = 0;
        handled += count;
        /* As much as an lcore that spreads may receive. */
        if (input->channel != NULL && count == SPILL_BURST)
            handled += receive(fast, input, now, stopped);
    }
    /* At a few Mpps hardly a poll is empty, but a loop that is ahead of its packets finds few. */
    fast->has_time = handled <= SPILL_BURST / 4;
    spill_submitter_flush(fast->submitter);
    spill_submitter_help(fast->submitter);
    if (handled == 0 || ++fast->turns % SWEEP_EVERY == 0)
        sweep(fast, now, handled == 0 ? SWEEP_PLACES_IDLE : SWEEP_PLACES_BUSY);
    return handled;
}

static bool inputs_ended(const struct spill_fast *fast, bool handed)
{
    uint32_t i;

    for (i = 0; i < fast->input_count; i++) {
        const struct spill_input *input = &fast->inputs[i];

        if (input->channel != NULL && input->handed == handed &&
            !spill_channel_ended(input->channel))
            return false;
    }
    return true;
}

/* Devices first, then what others received, then what others found to be ours: see handover.h. */
static bool receive_end(void *context)
{
    struct spill_fast *fast = context;

    if (fast->handover.by_device)
        spill_handover_leave_datagrams(&fast->handover);
    if (!inputs_ended(fast, false))
        return false;
    if (fast->reassembly != NULL)
        spill_reassembly_expire(fast->reassembly, UINT64_MAX);
    spill_datagrams_drop_all(fast->datagrams, NULL, &fast->ledger);
    spill_handover_leave_flows(&fast->handover);
    fast->receive_ended = inputs_ended(fast, true);
    return fast->receive_ended;
}

void spill_fast_add_stages(struct spill_fast *fast, struct spill_loop *loop)
{
    struct spill_stage retire_stage = {
        .name = "retire", .poll = retire_poll, .end = retire_end, .context = fast};
    struct spill_stage receive_stage = {
        .name = "receive", .poll = receive_poll, .end = receive_end, .context = fast};

    /* What the pool has finished first: its verdicts spare the packets behind it the lane. */
    spill_loop_add(loop, &retire_stage);
    spill_loop_add(loop, &receive_stage);
    spill_transmitter_add_stage(&fast->transmitter, loop);
}

static const struct spill_metric input_rows[] = {
    SPILL_METRIC(COUNTER, "rx_packets", struct spill_input, received, "packets",
                 "received from the device, by spillway's count"),
};
const struct spill_metrics spill_input_metrics = SPILL_METRICS(input_rows);
