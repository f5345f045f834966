/* SPDX-License-Identifier: BSD-3-Clause */
/* From state to state, and how long each lasts. */
#include "classify/flow_state.h"

#include <netinet/in.h>

/* A unit of `seen` is 2^SHIFT cycles (50 us at 2.6 GHz), or more when a timeout has more than
 * TIMEOUT_MAX of them. Times are compared as long as they are less than 2^31 units apart, and no
 * flow lives longer than AGE_MAX: so one that has expired is found so for 2^30 units (14 h) at
 * least. */
#define SHIFT       17
#define TIMEOUT_MAX (INT32_C(1) << 29)
#define AGE_MAX     (INT32_C(1) << 30)
#define LEAST_MAX   (INT32_C(1) << 28)
#define NEVER       INT32_MAX

/* What has to come after an end so that it was none. */
#define GOES_ON (3 * SPILL_FLOW_SINCE | SPILL_FLOW_SINCE_DATA)

static uint64_t timeout_of(const struct spill_flow_table_config *config, unsigned which)
{
    return config->timeouts[which] != 0 ? config->timeouts[which] : config->timeout;
}

void spill_flow_times_init(struct spill_flow_times *times,
                           const struct spill_flow_table_config *config)
{
    times->shift = SHIFT;
    for (unsigned i = 0; i < SPILL_FLOW_TIMEOUTS; i++) {
        while (timeout_of(config, i) >> times->shift >= (uint64_t)TIMEOUT_MAX)
            times->shift++;
    }
    times->least = LEAST_MAX;
    for (unsigned i = 0; i < SPILL_FLOW_TIMEOUTS; i++) {
        const uint64_t timeout = timeout_of(config, i);

        times->after[i] = timeout == 0 ? NEVER : RTE_MAX((int32_t)(timeout >> times->shift), 1);
        times->least = RTE_MIN(times->least, times->after[i]);
    }
}

/* How far `seen` stands in the past when a flow closes: its age is more than the least even if the
 * next packet's time is somewhat earlier. */
static int32_t behind(const struct spill_flow_times *times)
{
    return 2 * times->least;
}

static enum spill_flow_timeout timeout_in(const struct spill_flow_family *family,
                                          const struct spill_flow *flow)
{
    const bool both = spill_flow_is_allowed(flow) && spill_flow_is_established(flow);

    if ((flow->spoken & SPILL_FLOW_CLOSING) != 0)
        return SPILL_FLOW_TCP_CLOSING;
    switch (family->is_v4 ? flow->key.v4.protocol : flow->key.v6.protocol) {
    case IPPROTO_TCP:
        return both ? SPILL_FLOW_TCP_ESTABLISHED : SPILL_FLOW_TCP_OPENING;
    case IPPROTO_UDP:
    case IPPROTO_UDPLITE:
        return both ? SPILL_FLOW_UDP : SPILL_FLOW_UDP_ONCE;
    default:
        return SPILL_FLOW_OTHER;
    }
}

bool spill_flow_is_over(const struct spill_flow_times *times,
                        const struct spill_flow_family *family, const struct spill_flow *flow,
                        uint32_t now)
{
    const enum spill_flow_timeout timeout = timeout_in(family, flow);
    const int32_t since = timeout == SPILL_FLOW_TCP_CLOSING ? behind(times) : 0;

    return flow->pending == 0 && times->after[timeout] != NEVER &&
           spill_flow_age(flow, now) > since + times->after[timeout];
}

void spill_flow_keep_age(struct spill_flow *flow, uint32_t now)
{
    if (spill_flow_age(flow, now) > AGE_MAX)
        flow->seen = now - (uint32_t)AGE_MAX;
}

/* A connection that begins anew after its end. A SYN in one that stands changes nothing: anybody
 * may have sent it. */
static void open_again(struct spill_flow *flow, unsigned direction, uint32_t now)
{
    if ((flow->spoken & SPILL_FLOW_CLOSING) == 0)
        return;
    flow->seen = now;
    flow->spoken = (uint8_t)(SPILL_FLOW_OPENING | 1u << direction);
}

/* A packet of an opening connection: behind the handshake is what comes when both have spoken. */
static void shake_hands(struct spill_flow *flow, unsigned direction, bool behind)
{
    if ((flow->spoken & (SPILL_FLOW_OPENING | SPILL_FLOW_CLOSING)) != SPILL_FLOW_OPENING)
        return;
    flow->spoken |= (uint8_t)(SPILL_FLOW_SINCE << direction);
    if (behind && (flow->spoken & 3 * SPILL_FLOW_SINCE) == 3 * SPILL_FLOW_SINCE)
        flow->spoken &= (uint8_t)~SPILL_FLOW_STATE;
}

/* What closes gives way before what is established, so it leaves that class. */
static void end(const struct spill_flow_times *times, struct spill_flow_family *family,
                struct spill_flow *flow, unsigned since, uint32_t now)
{
    flow->spoken = (uint8_t)((flow->spoken & ~SPILL_FLOW_STATE) | SPILL_FLOW_CLOSING | since);
    flow->seen = now - (uint32_t)behind(times);
    if (flow->class == SPILL_FLOW_ESTABLISHED)
        spill_flow_enlist(family, flow, SPILL_FLOW_ONE_SIDED);
}

static void finish(const struct spill_flow_times *times, struct spill_flow_family *family,
                   struct spill_flow *flow, unsigned direction, uint32_t now)
{
    if ((flow->spoken & (SPILL_FLOW_CLOSING | SPILL_FLOW_OPENING)) != 0)
        return;
    flow->spoken |= (uint8_t)(SPILL_FLOW_FINISHED << direction);
    if ((flow->spoken & 3 * SPILL_FLOW_FINISHED) == 3 * SPILL_FLOW_FINISHED)
        end(times, family, flow, 0, now);
}

/* What a closing connection should not have any more: of both sides, it goes on. */
static void doubt(struct spill_flow *flow, unsigned direction, bool data, uint32_t now)
{
    if ((flow->spoken & SPILL_FLOW_CLOSING) == 0)
        return;
    flow->spoken |= (uint8_t)(SPILL_FLOW_SINCE << direction | (data ? SPILL_FLOW_SINCE_DATA : 0));
    if ((flow->spoken & GOES_ON) != GOES_ON)
        return;
    flow->spoken &= (uint8_t)~SPILL_FLOW_STATE;
    flow->seen = now;
}

void spill_flow_step(const struct spill_flow_times *times, struct spill_flow_family *family,
                     struct spill_flow *flow, const struct spill_packet *packet, bool data,
                     uint32_t now)
{
    const unsigned direction = packet->direction;

    /* A reply in the burst of the packet that it answers was no stranger's, after all. */
    flow->spoken |= (uint8_t)(1u << direction);
    if (packet->step == SPILL_STEP_OPEN)
        open_again(flow, direction, now);
    shake_hands(flow, direction,
                packet->step == SPILL_STEP_NONE || packet->step == SPILL_STEP_FINISH);
    if (packet->step == SPILL_STEP_FINISH)
        finish(times, family, flow, direction, now);
    else if (packet->step == SPILL_STEP_RESET && (flow->spoken & SPILL_FLOW_CLOSING) == 0)
        end(times, family, flow, SPILL_FLOW_SINCE_DATA, now);
    else if (packet->step == SPILL_STEP_NONE)
        doubt(flow, direction, data, now);
}
