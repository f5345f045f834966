/* SPDX-License-Identifier: BSD-3-Clause */
#include "xfrm/acquire.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "xfrm/answers.h"
#include "xfrm/hello.h"

#define TIME_NS (SPILL_ACQUISITION_SECONDS * UINT64_C(1000000000))

static struct spill_xfrm_policy *policy_of(struct spill_xfrm_state *state, uint16_t trap)
{
    for (uint32_t i = 0; i < state->policy_count; i++) {
        if (state->policies[i].trap == trap)
            return &state->policies[i];
    }
    return NULL;
}

/* ------------------------------------------------------------------------ what is asked for */

/* The packet alone, as the kernel tells it. */
static struct xfrm_selector selector_of(const struct spill_acquisition_need *want)
{
    const bool v4 = want->kind == SPILL_PACKET_IPV4;
    const uint16_t mask = want->has_ports ? UINT16_MAX : 0;
    struct xfrm_selector selector = {
        .family = v4 ? AF_INET : AF_INET6,
        .prefixlen_s = v4 ? 32 : 128,
        .prefixlen_d = v4 ? 32 : 128,
        .proto = want->protocol,
        .sport = htons(want->port[0]),
        .dport = htons(want->port[1]),
        .sport_mask = mask,
        .dport_mask = mask,
    };

    memcpy(&selector.saddr, want->address[0], v4 ? 4 : 16);
    memcpy(&selector.daddr, want->address[1], v4 ? 4 : 16);
    return selector;
}

/* Behind addresses of IPv4 there are zeroes: all are compared as those of IPv6, here and below. */
static bool is_open(const xfrm_address_t *template)
{
    static const xfrm_address_t none;

    return spill_xfrm_same_address(template, &none, AF_INET6);
}

static xfrm_address_t end_of(const xfrm_address_t *template, const xfrm_address_t *packet)
{
    return is_open(template) ? *packet : *template;
}

static bool is_same(const struct spill_xfrm_acquire *one, const struct spill_xfrm_acquire *other)
{
    return one->trap == other->trap &&
           spill_xfrm_same_address(&one->info.saddr, &other->info.saddr, AF_INET6) &&
           spill_xfrm_same_address(&one->info.id.daddr, &other->info.id.daddr, AF_INET6);
}

/* Whether one more may be asked for: of the policy, and at all. */
static bool has_room(const struct spill_xfrm_acquires *acquires,
                     const struct spill_xfrm_acquire *wanted)
{
    uint32_t of_policy = 0;

    for (uint32_t i = 0; i < acquires->count; i++) {
        if (is_same(&acquires->list[i], wanted))
            return false;
        of_policy += acquires->list[i].trap == wanted->trap;
    }
    return of_policy < SPILL_XFRM_ACQUIRES_EACH && acquires->count < SPILL_XFRM_ACQUIRES_MAX;
}

bool spill_xfrm_acquire_asked(const struct spill_xfrm_state *state,
                              const struct spill_acquisition_need *want)
{
    const struct spill_xfrm_acquires *acquires = &state->acquires;
    uint32_t of_policy = 0;

    for (uint32_t i = 0; i < acquires->count; i++) {
        const struct spill_xfrm_acquire *acquire = &acquires->list[i];

        if (acquire->trap != want->trap)
            continue;
        if (acquire->any || memcmp(acquire->packet, want->address, sizeof(acquire->packet)) == 0)
            return true;
        of_policy++;
    }
    return of_policy == SPILL_XFRM_ACQUIRES_EACH || acquires->count == SPILL_XFRM_ACQUIRES_MAX;
}

/* What the kernel has in its table until a daemon answers. */
static struct xfrm_usersa_info larval(const struct xfrm_user_tmpl *template,
                                      const struct xfrm_selector *selector, uint64_t seconds)
{
    return (struct xfrm_usersa_info){
        .sel = *selector,
        .id = {.daddr = end_of(&template->id.daddr, &selector->daddr), .proto = template->id.proto},
        .saddr = end_of(&template->saddr, &selector->saddr),
        .lft = {.soft_byte_limit = XFRM_INF,
                .hard_byte_limit = XFRM_INF,
                .soft_packet_limit = XFRM_INF,
                .hard_packet_limit = XFRM_INF,
                .hard_add_expires_seconds = SPILL_ACQUISITION_SECONDS},
        .curlft.add_time = seconds,
        .reqid = template->reqid,
        .family = template->family,
        .mode = template->mode,
    };
}

struct nlmsghdr *spill_xfrm_acquire(struct spill_xfrm_state *state,
                                    const struct spill_acquisition_need *want,
                                    const struct spill_xfrm_time *time, void *buffer, size_t room)
{
    const struct spill_xfrm_policy *policy = policy_of(state, want->trap);
    const struct xfrm_selector selector = selector_of(want);
    struct spill_xfrm_acquires *acquires = &state->acquires;
    struct spill_xfrm_acquire wanted = {.trap = want->trap, .since = time->now};
    struct spill_xfrm_policy between;
    struct xfrm_user_acquire acquire;

    if (policy == NULL || !policy->has_template)
        return NULL;
    wanted.info = larval(&policy->template, &selector, time->seconds);
    between = spill_xfrm_policy_between(policy, &wanted.info.saddr, &wanted.info.id.daddr);
    if (!has_room(acquires, &wanted) || spill_xfrm_policy_choose(state, &between) != NULL)
        return NULL;
    wanted.any = !is_open(&policy->template.saddr) && !is_open(&policy->template.id.daddr);
    memcpy(wanted.packet, want->address, sizeof(wanted.packet));
    wanted.info.seq = ++acquires->last_sequence;
    acquires->list[acquires->count++] = wanted;
    acquire = (struct xfrm_user_acquire){
        .id = wanted.info.id,
        .saddr = wanted.info.saddr,
        .sel = selector,
        .policy = policy->info,
        .aalgos = policy->template.aalgos,
        .ealgos = policy->template.ealgos,
        .calgos = policy->template.calgos,
        .seq = wanted.info.seq,
    };
    return spill_xfrm_put_acquire(buffer, room, policy, &acquire);
}

/* ------------------------------------------------------------------------- what is forgotten */

static void forget(struct spill_xfrm_acquires *acquires, uint32_t index)
{
    acquires->list[index] = acquires->list[--acquires->count];
}

void spill_xfrm_acquire_unheard(struct spill_xfrm_state *state, const struct nlmsghdr *message)
{
    const struct xfrm_user_acquire *acquire = mnl_nlmsg_get_payload(message);

    for (uint32_t i = state->acquires.count; i-- > 0;) {
        if (state->acquires.list[i].info.seq == acquire->seq)
            forget(&state->acquires, i);
    }
}

void spill_xfrm_acquire_forget(struct spill_xfrm_state *state, uint16_t trap)
{
    for (uint32_t i = state->acquires.count; i-- > 0;) {
        if (state->acquires.list[i].trap == trap)
            forget(&state->acquires, i);
    }
}

/* A policy that is gone wants nothing. */
static bool is_answered(struct spill_xfrm_state *state, const struct spill_xfrm_acquire *acquire,
                        const struct spill_xfrm_sa *sa)
{
    const struct spill_xfrm_policy *policy;
    struct spill_xfrm_policy between;

    if (sa->info.seq != 0 && sa->info.seq == acquire->info.seq)
        return true;
    policy = policy_of(state, acquire->trap);
    if (policy == NULL)
        return true;
    between = spill_xfrm_policy_between(policy, &acquire->info.saddr, &acquire->info.id.daddr);
    return sa->direction != SPILL_XFRM_IN && spill_xfrm_policy_takes(&between, sa);
}

void spill_xfrm_acquire_answered(struct spill_xfrm_state *state, const struct spill_xfrm_sa *sa)
{
    for (uint32_t i = state->acquires.count; i-- > 0;) {
        if (is_answered(state, &state->acquires.list[i], sa))
            forget(&state->acquires, i);
    }
}

struct spill_xfrm_sa spill_xfrm_acquire_sa(const struct spill_xfrm_acquire *acquire)
{
    return (struct spill_xfrm_sa){
        .info = acquire->info, .larval = true, .add_time = acquire->info.curlft.add_time};
}

void spill_xfrm_acquire_expire(struct spill_xfrm_handling *handling)
{
    _Alignas(struct nlmsghdr) uint8_t buffer[SPILL_XFRM_ANSWER_MAX];
    struct spill_xfrm_acquires *acquires = &handling->state->acquires;

    for (uint32_t i = acquires->count; i-- > 0;) {
        const struct spill_xfrm_sa sa = spill_xfrm_acquire_sa(&acquires->list[i]);

        if (handling->time.now - acquires->list[i].since < TIME_NS)
            continue;
        forget(acquires, i);
        handling->event(handling->context, XFRMNLGRP_EXPIRE,
                        spill_xfrm_put_expire(buffer, sizeof(buffer), &sa, true));
    }
}
