/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/receive.h"

#include <rte_ethdev.h>

#include "packet/parse.h"
#include "pipeline/admission.h"
#include "pipeline/decryption.h"
#include "pipeline/fast.h"
#include "pipeline/forward.h"
#include "pipeline/fragments.h"
#include "pipeline/protection.h"
#include "pipeline/routing.h"
#include "pipeline/routing_flow.h"
#include "pipeline/routing_path_mtu.h"
#include "pipeline/sort_out.h"
#include "pipeline/sweep.h"
#include "pipeline/trace.h"
#include "runtime/stamp.h"

/* What another lcore has received, and this one goes on with. */
static const struct spill_trace_line taken = {.stage = "from lcore",
                                              .values = {{"to", SPILL_TRACE_LCORE, NULL}}};

/* Whether any packet may be ESP, or a fragment of it. */
static bool find_esp(const struct spill_fast *fast, struct spill_packet *packets, uint32_t count)
{
    const struct spill_sa_ends *ends = fast->version.generation->sas->ends;
    uint32_t i;

    if (unlikely(ends != NULL))
        spill_sa_ends_mark(ends, packets, count);
    for (i = 0; i < count; i++) {
        if ((packets[i].esp | packets[i].fragment) != 0)
            return true;
    }
    return false;
}

/*
 * The step of a burst that came from one port: look up, then send what is allowed.
 *
 * @param steps  whether packets may change the states of their connections
 */
static void handle(struct spill_fast *fast, uint16_t port, struct rte_mbuf **mbufs,
                   struct spill_packet *packets, uint32_t count, uint64_t stamp, bool steps)
{
    const bool routed = fast->routing.routed[port];
    struct spill_packet *pointers[SPILL_BURST];
    uint64_t groups[SPILL_BURST];
    uint32_t i;

    if (unlikely(routed)) {
        count = spill_routing_admit(fast, port, mbufs, packets, pointers, count, stamp);
        if (count == 0)
            return;
        if (steps && fast->version.generation->sas != NULL)
            spill_routing_hear_errors(fast, mbufs, packets, count, stamp);
    }
    if (unlikely(fast->version.inbound) && find_esp(fast, packets, count)) {
        count = spill_decryption_take(fast, port, mbufs, packets, count, stamp);
        if (count == 0)
            return;
    }
    /* What came as ESP is for the host by what was inside, if at all. */
    if (unlikely(routed)) {
        count = spill_routing_give_host(fast, mbufs, packets, pointers, count, groups);
        if (count == 0)
            return;
    }
    steps |= !spill_flow_table_lookup(fast->flows, packets, count, stamp);
    if (unlikely(spill_watch_of(&fast->ledger) != NULL))
        spill_forward_trace(fast, mbufs, packets, count);
    if (unlikely(steps)) {
        for (i = 0; i < count; i++) {
            packets[i].input = (uint8_t)port;
            packets[i].output = spill_exit_of(&fast->exits, (uint8_t)port);
            pointers[i] = &packets[i];
        }
        if (spill_protection_take_all(fast, mbufs, pointers, count, stamp))
            return;
        count = spill_forward_decide(fast, mbufs, pointers, count, stamp);
        spill_exit_send(fast, mbufs, pointers, count, stamp, SPILL_PATH_FAST);
        return;
    }
    if (unlikely(routed))
        spill_routing_send_found(fast, mbufs, pointers, groups, count, stamp);
    else
        spill_exit_send_burst(fast, port, mbufs, packets, count, stamp);
}

/* The same step for what spill_sort_out() left of the burst. */
static void handle_sorted(struct spill_fast *fast, struct rte_mbuf **mbufs,
                          struct spill_packet *packets, uint32_t count, uint64_t stamp,
                          enum spill_path path)
{
    (void)path;
    handle(fast, packets->input, mbufs, packets, count, stamp, true);
}

/* A burst from one port that has fragments. Those of ESP for us are put together, as whole. */
static void handle_fragments(struct spill_fast *fast, struct rte_mbuf **mbufs,
                             struct spill_packet *packets, uint32_t count, uint64_t stamp)
{
    struct spill_packet *pointers[SPILL_BURST];
    const uint16_t port = packets->input;

    if (unlikely(fast->version.inbound) && fast->routing.routed[port])
        count = spill_routing_admit(fast, port, mbufs, packets, pointers, count, stamp);
    if (unlikely(fast->version.inbound) && count > 0)
        count = spill_fragments_take(fast, port, mbufs, packets, count, stamp);
    spill_sort_out(fast, mbufs, packets, count, stamp, SPILL_PATH_FAST, handle_sorted);
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

/*
 * Whether a burst more would find room everywhere: for sources that can wait. In the worst case
 * each of its packets needs a credit, and all that is at the pool comes back before it.
 */
static bool has_room(const struct spill_fast *fast)
{
    uint32_t held = fast->submitter->held,
             bursts = fast->version.generation->sas == NULL ? 1 : held + 1, i;

    if (fast->admission.entering.left <= 0)
        return false;
    /* With IPsec, what comes back from one class may need a credit of the next. */
    if (held > 0 && fast->submitter->credits < bursts * SPILL_BURST)
        return false;
    for (i = 0; i < spill_transmitter_count(&fast->transmitter); i++) {
        if (!spill_output_has_room(fast->transmitter.outputs[i], held))
            return false;
    }
    return true;
}

/* Whether what comes by a port is routed, and no flow is asked about it. */
static bool is_routed_alone(const struct spill_fast *fast, uint16_t port)
{
    return fast->routing.routed[port] && fast->version.open;
}

/* Shows a burst to who watches this lcore. */
static __rte_noinline void show(struct spill_watch *watch, uint16_t port, struct rte_mbuf **mbufs,
                                const struct spill_packet *packets, uint32_t count)
{
    watch->received(watch, port, mbufs, packets, count);
}

static uint32_t receive_queue(struct spill_fast *fast, struct spill_input *input, uint64_t now)
{
    struct rte_mbuf *mbufs[SPILL_BURST];
    struct spill_packet packets[SPILL_BURST];
    struct spill_watch *watch = spill_watch_of(&fast->ledger);
    uint32_t count = rte_eth_rx_burst(input->port, input->queue, mbufs, SPILL_BURST), i;
    bool more;

    if (count == 0)
        return 0;
    input->received += count;
    fast->ledger.received += count;
    if (unlikely(is_routed_alone(fast, input->port))) {
        spill_parse_burst(mbufs, count, fast->receive.zones[input->port], packets);
        if (unlikely(watch != NULL))
            show(watch, input->port, mbufs, packets, count);
        spill_routing_take(fast, input->port, mbufs, packets, count, now);
        return count;
    }
    more = spill_parse_burst(mbufs, count, fast->receive.zones[input->port], packets);
    if (unlikely(watch != NULL))
        show(watch, input->port, mbufs, packets, count);
    /* Without sub-ports, what has a tag is nobody's. */
    if (unlikely(fast->routing.by_vlan[input->port] != NULL))
        spill_routing_join(mbufs, packets, count);
    if (likely(!more)) {
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

    if (unlikely(spill_watch_of(&fast->ledger) != NULL)) {
        for (uint32_t i = 0; i < count; i++)
            SPILL_TRACE(&fast->ledger, mbufs[i], taken, fast->plan_index);
    }
    if (unlikely(is_routed_alone(fast, packets->input))) {
        spill_routing_take(fast, packets->input, mbufs, packets, count, stamp);
        return;
    }
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

static uint32_t take_input(struct spill_fast *fast, struct spill_input *input, uint64_t now,
                           bool stopped)
{
    if (unlikely(spill_input_closed(input)))
        return 0;
    if (input->can_wait &&
        (!has_room(fast) || !(input->handed || spill_handover_has_room(&fast->handover))))
        return 0;
    if (input->channel != NULL)
        return receive_channel(fast, input);
    return likely(!stopped) ? receive_queue(fast, input, now) : 0;
}

static uint32_t receive_poll(void *context, uint64_t now)
{
    struct spill_fast *fast = context;
    struct spill_receive *receive = &fast->receive;
    const uint64_t passed = now - receive->last_turn;
    const bool stopped = spill_token_cancelled(receive->stop);
    const uint32_t inputs = spill_receive_count(receive);
    uint32_t handled = 0, i;

    spill_allowance_earn(&fast->exits.fitting, passed, receive->has_time);
    spill_admission_earn(fast, passed, receive->has_time);
    receive->last_turn = now;
    for (i = 0; i < inputs && handled < SPILL_TURN; i++) {
        struct spill_input *input = &receive->inputs[receive->next_input];
        uint32_t count = take_input(fast, input, now, stopped);

        if (++receive->next_input == inputs)
            receive->next_input = 0;
        handled += count;
        /* There is more: what is done once in a turn is then done for both bursts. And a channel
         * gives as much as an lcore that spreads may receive. */
        if (count == SPILL_BURST && handled < SPILL_TURN)
            handled += take_input(fast, input, now, stopped);
    }
    /* At a few Mpps hardly a poll is empty, but a loop that is ahead of its packets finds few. */
    receive->has_time = handled <= SPILL_BURST / 4;
    spill_submitter_flush(fast->submitter);
    spill_submitter_help(fast->submitter);
    if (handled == 0 || ++fast->sweep.turns % SPILL_SWEEP_EVERY == 0)
        spill_sweep(fast, now, handled == 0);
    return handled;
}

static bool inputs_ended(const struct spill_fast *fast, bool handed)
{
    uint32_t i;

    for (i = 0; i < spill_receive_count(&fast->receive); i++) {
        const struct spill_input *input = &fast->receive.inputs[i];

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
    fast->receive.ended = inputs_ended(fast, true);
    return fast->receive.ended;
}

void spill_receive_add_stage(struct spill_fast *fast, struct spill_loop *loop)
{
    struct spill_stage stage = {
        .name = "receive", .poll = receive_poll, .end = receive_end, .context = fast};

    spill_loop_add(loop, &stage);
}

static const struct spill_metric input_rows[] = {
    SPILL_METRIC(COUNTER, "rx_packets", struct spill_input, received, "packets",
                 "received from the device, by spillway's count"),
};
const struct spill_metrics spill_input_metrics = SPILL_METRICS(input_rows);
