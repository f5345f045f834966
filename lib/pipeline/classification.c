/* SPDX-License-Identifier: BSD-3-Clause */
/* What the rules say, and what becomes of it: into the flow table, and to the packets that asked.
 */
#include <string.h>

#include "pipeline/classification.h"
#include "pipeline/pipeline.h"

#include "base/clock.h"
#include "classify/policy.h"
#include "pipeline/conditioner.h"
#include "pipeline/connection.h"
#include "pipeline/drops.h"
#include "pipeline/fast.h"
#include "pipeline/generation.h"
#include "pipeline/protection.h"
#include "pipeline/routing_flow.h"
#include "pipeline/rule_log.h"
#include "pipeline/trace.h"

static const struct spill_trace_line judged = {
    .stage = "rules",
    .values = {{"verdict", SPILL_TRACE_VERDICT, NULL},
               {"rule", SPILL_TRACE_RULE, NULL},
               {"sa", SPILL_TRACE_SA, NULL},
               {"by", SPILL_TRACE_WORD, spill_trace_ways}}};

/* ------------------------------------------------------------------ the work, on any lcore */

/*
 * A packet in the clear on a wire that should have come through an SA, or that is denied as what
 * comes, may be one that leaves: then the rules for that say by which SA. That it does not come by
 * the outside is looked at when it is encrypted.
 */
static void turn(const struct spill_generation *generation, struct spill_packet *packet,
                 uint32_t *tally)
{
    struct spill_packet question = *packet, *asked = &question;
    const struct spill_sa *sa;
    uint32_t found;

    if (packet->verdict == SPILL_VERDICT_ALLOW || packet->inbound_sa != 0 || packet->reversed ||
        packet->output == SPILL_OUTPUT_ROUTE)
        return;
    if (packet->verdict == SPILL_VERDICT_PROTECT) {
        sa = spill_sa_set_get(generation->sas, packet->sa);
        if (sa == NULL || sa->config.direction == SPILL_SA_OUT)
            return;
    }
    spill_acl_classify(spill_policy_acl(generation->onward), &asked, 1, &found);
    if (question.verdict != SPILL_VERDICT_PROTECT && !spill_acquisition_wants(&question))
        return;
    packet->verdict = question.verdict;
    packet->sa = question.sa;
    *tally = found;
}

static void ask(struct spill_job *job, const struct spill_generation *generation)
{
    struct spill_packet *packets[SPILL_JOB_PACKETS];
    uint32_t i;

    for (i = 0; i < job->count; i++)
        packets[i] = spill_packet_of(job->mbufs[i]);
    spill_acl_classify(spill_policy_acl(generation->policy), packets, job->count, job->notes);
    for (i = 0; i < job->count; i++) {
        const struct spill_policy *policy = spill_generation_policy(generation, packets[i]);

        if (unlikely(policy != generation->policy))
            spill_acl_classify(spill_policy_acl(policy), &packets[i], 1, &job->notes[i]);
        else if (unlikely(generation->onward != NULL))
            turn(generation, packets[i], &job->notes[i]);
    }
    job->result = generation->number;
}

static bool classify(struct spill_job *job, void *context)
{
    ask(job, spill_snapshot_get(context));
    return true;
}

static struct spill_class make(const struct spill_pipeline_config *config)
{
    return (struct spill_class){.work = classify, .context = config->rules};
}

/* ------------------------------------------------------------ the results, on the fast lcore */

/*
 * Whether a packet says nothing of who began a connection that goes by older rules: it would open
 * one from the other side. What is noted of it would take the place of what is known.
 */
static bool opens_against(const struct spill_fast *fast, const struct spill_packet *packet)
{
    return packet->inbound_sa == 0 && spill_flow_goes_alone(packet->flow, packet) &&
           spill_flow_begun_by_other(packet->flow, packet->direction) &&
           spill_flow_table_is_older(fast->flows, packet->flow);
}

/* @param tally  where the rule is counted that decided about it */
static void note(struct spill_fast *fast, const struct spill_job *job, struct spill_packet *packet,
                 uint32_t tally)
{
    const unsigned direction = packet->direction ^ packet->reversed;
    const bool opens = packet->step == SPILL_STEP_OPEN;

    if (packet->verdict == SPILL_VERDICT_ALLOW && spill_connection_opens_nothing(fast, packet))
        return;
    if (opens_against(fast, packet))
        return;
    if (likely(job->result == fast->version.number))
        spill_flow_table_note(fast->flows, packet->flow, direction,
                              (enum spill_verdict)packet->verdict, opens, packet->sa, tally);
    else if (packet->verdict == SPILL_VERDICT_ALLOW && packet->inbound_sa == 0)
        spill_flow_table_note_old(fast->flows, packet->flow, direction, opens);
}

/*
 * Counts a packet that has asked the rules: where its flow is counted now, or where its own rule
 * is. Returns where that is.
 */
static uint32_t count(struct spill_fast *fast, struct spill_packet *packet, uint32_t tally,
                      uint64_t stamp)
{
    const uint32_t of_flow = spill_flow_table_tally(fast->flows, packet->flow, packet->direction);
    const uint32_t counted = of_flow != SPILL_RULE_TALLY_NONE ? of_flow : tally;

    if (!packet->counted)
        spill_flow_table_count(fast->flows, counted, packet, stamp);
    packet->counted = 0;
    return counted;
}

/* Has a rule's decision recorded, if it is not what the flow goes by already. */
static void record(struct spill_fast *fast, const struct spill_job *job,
                   const struct spill_packet *packet, uint32_t tally)
{
    const unsigned direction = packet->direction ^ packet->reversed;

    if (spill_flow_table_tally(fast->flows, packet->flow, direction) != tally)
        spill_rule_log_note(fast, packet, tally, job->stamp);
}

/* Whether a packet is to begin a connection by a rule with a limit. */
static bool begins_limited(struct spill_fast *fast, const struct spill_packet *packet,
                           uint32_t tally)
{
    return packet->flow->rights == 0 && packet->reversed == 0 &&
           packet->verdict != SPILL_VERDICT_DENY &&
           spill_flow_table_count_of(fast->flows, tally)->limit != NULL;
}

/* It begins one if it passes, by that rule or beyond its limit by the next: nobody answers what was
 * not let through. */
static void note_limited(struct spill_fast *fast, const struct spill_job *job,
                         struct rte_mbuf *mbuf, struct spill_packet *packet, uint32_t tally)
{
    const struct spill_packet asked = *packet;
    struct spill_packet passed;

    count(fast, packet, tally, job->stamp);
    if (spill_connection_is_missing(fast, packet))
        return;
    spill_conditioner_apply(fast, mbuf, packet, tally, job->stamp);
    if (packet->verdict == SPILL_VERDICT_DENY)
        return;
    passed = *packet;
    *packet = asked;
    note(fast, job, packet, tally);
    *packet = passed;
}

/* Gives a packet the verdict of its flow, where that has one now. */
static void take_verdict(struct spill_packet *packet)
{
    const struct spill_flow *flow = packet->flow;
    const enum spill_verdict known = spill_flow_packet_verdict(flow, packet);

    if (known != SPILL_VERDICT_UNKNOWN) {
        packet->verdict = (uint8_t)known;
        packet->sa = known == SPILL_VERDICT_ALLOW ? 0 : flow->sa[packet->direction];
    } else if (packet->inbound_sa == 0 &&
               spill_flow_packet_kept(flow, packet) == SPILL_VERDICT_ALLOW) {
        packet->verdict = SPILL_VERDICT_ALLOW; /* until a packet has asked the newest rules */
    } else if (packet->reversed && packet->verdict != SPILL_VERDICT_ALLOW) {
        /* Who began it may not go on, or has to go on protected: this one is no reply any more. */
        packet->sa = packet->verdict == SPILL_VERDICT_DENY && !spill_acquisition_wants(packet)
                         ? packet->sa
                         : 0;
        packet->verdict = SPILL_VERDICT_DENY;
    }
}

/* A packet that is answered for all that it was asked. */
static void close_question(struct spill_fast *fast, struct spill_packet *packet)
{
    spill_flow_release(packet->flow);
    if (unlikely(fast->routing.routed[packet->input]))
        spill_routing_asked(packet);
    packet->reversed = 0; /* what comes next has a drop reason there */
    if (spill_connection_is_missing(fast, packet)) {
        packet->verdict = SPILL_VERDICT_DENY;
        packet->sa = SPILL_SA_NO_CONNECTION;
    }
}

static __rte_noinline void trace(struct spill_fast *fast, const struct spill_job *job,
                                 struct rte_mbuf *mbuf, const struct spill_packet *packet,
                                 uint32_t tally)
{
    const bool protects = packet->verdict == SPILL_VERDICT_PROTECT;

    spill_trace_rule(mbuf, tally);
    SPILL_TRACE(&fast->ledger, mbuf, judged, packet->verdict, tally, protects ? packet->sa : 0,
                job->lane != SPILL_LANE_INLINE);
}

/*
 * Notes what was found for a packet in its flow; what the first of them found is the flow's, and
 * goes for those behind it. Of a verdict that was found by rules which have been replaced since,
 * it is noted who began alone; and one that it brought along was noted before it came.
 */
static void settle(struct spill_fast *fast, const struct spill_job *job, uint32_t index)
{
    struct rte_mbuf *mbuf = job->mbufs[index];
    struct spill_packet *packet = spill_packet_of(mbuf);
    /* Slots of older versions may have been given to other rules. */
    const uint32_t found = job->work > 0 && job->result == fast->version.number
                               ? job->notes[index]
                               : SPILL_RULE_TALLY_NONE;
    const uint32_t tally = found & ~SPILL_RULE_RECORDS;
    const bool asked =
        job->work > 0 && spill_flow_packet_verdict(packet->flow, packet) == SPILL_VERDICT_UNKNOWN;
    uint32_t counted = tally;

    if (unlikely(found != tally))
        record(fast, job, packet, tally);
    if (unlikely(asked && begins_limited(fast, packet, tally))) {
        note_limited(fast, job, mbuf, packet, tally);
        close_question(fast, packet);
    } else {
        if (asked)
            note(fast, job, packet, tally);
        counted = count(fast, packet, tally, job->stamp);
        take_verdict(packet);
        close_question(fast, packet);
        spill_conditioner_apply(fast, mbuf, packet, counted, job->stamp);
    }
    if (unlikely(spill_watch_of(&fast->ledger) != NULL))
        trace(fast, job, mbuf, packet, counted);
    spill_connection_pass(fast, mbuf, packet, job->stamp);
}

/*
 * Packets of an inline job stay in their burst, which goes on with them; those from a lane go on
 * here. Each keeps the verdict that it had in its turn: a packet after it may open the connection
 * the other way.
 */
static void retire(struct spill_job *job, void *owner)
{
    struct spill_fast *fast = owner;
    struct spill_packet *packets[SPILL_JOB_PACKETS];
    uint32_t count, i;

    /* Published in this turn, and seen by who did the work: its SAs are none of the version before.
     */
    if (unlikely(job->work > 0 && job->result > fast->version.number))
        spill_version_take(&fast->version, fast->flows, spill_clock());
    /* Rules that hold at once hold for what was under way, too. */
    if (unlikely(job->work > 0 && job->result < fast->version.generation->at_once))
        ask(job, fast->version.generation);
    for (i = 0; i < job->count; i++) {
        packets[i] = spill_packet_of(job->mbufs[i]);
        settle(fast, job, i);
    }
    if (job->lane == SPILL_LANE_INLINE)
        return;
    count = spill_protection_apply(fast, job->mbufs, packets, job->count, job->stamp);
    spill_exit_send(fast, job->mbufs, packets, count, job->stamp, SPILL_PATH_POOL);
}

static void attach(struct spill_fast *fast)
{
    spill_submitter_on_retire(fast->submitter, SPILL_CLASS_CLASSIFY, retire, fast);
}

const struct spill_class_row spill_classification = {
    .name = "classify",
    /* Passing is what the policy could have said; the others can't say that for want of a cipher.
     */
    .overflow = 1 << SPILL_OVERFLOW_DROP | 1 << SPILL_OVERFLOW_INLINE | 1 << SPILL_OVERFLOW_ALLOW,
    .make = make,
    .attach = attach,
};

bool spill_classification_keep(struct spill_fast *fast, struct rte_mbuf *mbuf,
                               struct spill_packet *packet, uint64_t stamp)
{
    const struct spill_flow *flow = packet->flow;

    if (flow == NULL || packet->inbound_sa != 0 ||
        spill_flow_packet_kept(flow, packet) == SPILL_VERDICT_UNKNOWN)
        return false;
    packet->verdict = (uint8_t)spill_flow_packet_kept(flow, packet);
    packet->sa = packet->verdict == SPILL_VERDICT_ALLOW ? 0 : flow->sa[packet->direction];
    spill_conditioner_apply(fast, mbuf, packet, count(fast, packet, SPILL_RULE_TALLY_NONE, stamp),
                            stamp);
    spill_connection_pass(fast, mbuf, packet, stamp);
    return true;
}
