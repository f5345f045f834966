/* SPDX-License-Identifier: BSD-3-Clause */
#include "xfrm/state.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "packet/packet.h"

#define AT_ONCE 64 /* places that a table grows by */

void spill_xfrm_state_clear(struct spill_xfrm_state *state)
{
    if (state->sas != NULL)
        explicit_bzero(state->sas, state->sa_count * sizeof(*state->sas));
    free(state->sas);
    free(state->policies);
    memset(state, 0, sizeof(*state));
}

int spill_xfrm_state_copy(const struct spill_xfrm_state *state, struct spill_xfrm_state *copy)
{
    *copy = *state;
    copy->sas = reallocarray(NULL, state->sa_capacity + 1u, sizeof(*copy->sas));
    copy->policies = reallocarray(NULL, state->policy_capacity + 1u, sizeof(*copy->policies));
    if (copy->sas == NULL || copy->policies == NULL) {
        free(copy->sas);
        free(copy->policies);
        memset(copy, 0, sizeof(*copy));
        return -ENOMEM;
    }
    if (state->sa_count > 0)
        memcpy(copy->sas, state->sas, state->sa_count * sizeof(*copy->sas));
    if (state->policy_count > 0)
        memcpy(copy->policies, state->policies, state->policy_count * sizeof(*copy->policies));
    return 0;
}

bool spill_xfrm_same_address(const xfrm_address_t *one, const xfrm_address_t *other,
                             uint16_t family)
{
    return family == AF_INET6 ? memcmp(one->a6, other->a6, sizeof(one->a6)) == 0
                              : one->a4 == other->a4;
}

static bool is_zero(const xfrm_address_t *address, uint16_t family)
{
    static const xfrm_address_t zero;

    return spill_xfrm_same_address(address, &zero, family);
}

/* ------------------------------------------------------------------------------------- SAs */

struct spill_xfrm_sa *spill_xfrm_sa_find(struct spill_xfrm_state *state,
                                         const xfrm_address_t *destination, uint32_t spi,
                                         uint8_t protocol, uint16_t family)
{
    for (uint32_t i = 0; i < state->sa_count; i++) {
        struct spill_xfrm_sa *sa = &state->sas[i];

        if (sa->info.id.spi == spi && sa->info.id.proto == protocol && sa->info.family == family &&
            spill_xfrm_same_address(&sa->info.id.daddr, destination, family))
            return sa;
    }
    return NULL;
}

/* The old table has keys: it is wiped. */
static int grow_sas(struct spill_xfrm_state *state)
{
    struct spill_xfrm_sa *sas;

    if (state->sa_count < state->sa_capacity)
        return 0;
    sas = calloc(state->sa_capacity + AT_ONCE, sizeof(*sas));
    if (sas == NULL)
        return -1;
    if (state->sas != NULL) {
        memcpy(sas, state->sas, state->sa_count * sizeof(*sas));
        explicit_bzero(state->sas, state->sa_count * sizeof(*sas));
    }
    free(state->sas);
    state->sas = sas;
    state->sa_capacity += AT_ONCE;
    return 0;
}

struct spill_xfrm_sa *spill_xfrm_sa_add(struct spill_xfrm_state *state)
{
    struct spill_xfrm_sa *sa;

    if (state->sa_count == SPILL_XFRM_SAS_MAX || grow_sas(state) != 0)
        return NULL;
    sa = &state->sas[state->sa_count++];
    memset(sa, 0, sizeof(*sa));
    sa->serial = ++state->last_serial;
    return sa;
}

void spill_xfrm_sa_remove(struct spill_xfrm_state *state, struct spill_xfrm_sa *sa)
{
    const uint32_t index = (uint32_t)(sa - state->sas);

    memmove(sa, sa + 1, (state->sa_count - index - 1) * sizeof(*sa));
    state->sa_count--;
    explicit_bzero(&state->sas[state->sa_count], sizeof(*sa));
}

/* Whether one may follow the other: what is sent by it is sent by the other later. */
static bool may_follow(const struct spill_xfrm_sa *one, const struct spill_xfrm_sa *other)
{
    const struct xfrm_usersa_info *info = &one->info, *known = &other->info;

    return info->reqid != 0 && info->reqid == known->reqid && info->family == known->family &&
           info->mode == known->mode && info->id.proto == known->id.proto &&
           spill_xfrm_same_address(&info->id.daddr, &known->id.daddr, info->family) &&
           spill_xfrm_same_address(&info->saddr, &known->saddr, info->family);
}

void spill_xfrm_sa_join(struct spill_xfrm_state *state, struct spill_xfrm_sa *sa)
{
    sa->group = 0;
    for (uint32_t i = 0; i < state->sa_count && sa->group == 0; i++) {
        const struct spill_xfrm_sa *other = &state->sas[i];

        if (other != sa && !other->larval && may_follow(sa, other))
            sa->group = other->group;
    }
    if (sa->group == 0)
        sa->group = ++state->last_group;
}

/* ------------------------------------------------------------------------------- policies */

bool spill_xfrm_same_selector(const struct xfrm_selector *one, const struct xfrm_selector *other)
{
    return one->family == other->family && one->proto == other->proto &&
           one->prefixlen_d == other->prefixlen_d && one->prefixlen_s == other->prefixlen_s &&
           one->dport == other->dport && one->dport_mask == other->dport_mask &&
           one->sport == other->sport && one->sport_mask == other->sport_mask &&
           spill_xfrm_same_address(&one->daddr, &other->daddr, one->family) &&
           spill_xfrm_same_address(&one->saddr, &other->saddr, one->family);
}

struct spill_xfrm_policy *spill_xfrm_policy_find(struct spill_xfrm_state *state,
                                                 const struct xfrm_selector *selector, uint8_t dir,
                                                 uint32_t index)
{
    for (uint32_t i = 0; i < state->policy_count; i++) {
        struct spill_xfrm_policy *policy = &state->policies[i];

        if (policy->info.dir == dir &&
            (index != 0 ? policy->info.index == index
                        : spill_xfrm_same_selector(&policy->info.sel, selector)))
            return policy;
    }
    return NULL;
}

static int grow_policies(struct spill_xfrm_state *state)
{
    struct spill_xfrm_policy *policies;

    if (state->policy_count == SPILL_XFRM_POLICIES_MAX)
        return -ENOSPC;
    if (state->policy_count < state->policy_capacity)
        return 0;
    policies = reallocarray(state->policies, state->policy_capacity + AT_ONCE, sizeof(*policies));
    if (policies == NULL)
        return -ENOMEM;
    state->policies = policies;
    state->policy_capacity += AT_ONCE;
    return 0;
}

static bool has_trap(const struct spill_xfrm_state *state, uint16_t trap)
{
    for (uint32_t i = 0; i < state->policy_count; i++) {
        if (state->policies[i].trap == trap)
            return true;
    }
    return false;
}

/* A number for an outbound policy: of what has been told by those before nothing is taken for it
 * before all others have been used. */
static uint16_t next_trap(struct spill_xfrm_state *state)
{
    do {
        if (state->last_trap == UINT16_MAX)
            state->traps_again = true;
        state->last_trap = state->last_trap < SPILL_SA_TRAP_FIRST || state->last_trap == UINT16_MAX
                               ? SPILL_SA_TRAP_FIRST
                               : (uint16_t)(state->last_trap + 1);
    } while (state->traps_again && has_trap(state, state->last_trap));
    return state->last_trap;
}

int spill_xfrm_policy_put(struct spill_xfrm_state *state, const struct spill_xfrm_policy *policy,
                          struct spill_xfrm_policy *before)
{
    struct spill_xfrm_policy added = *policy;
    uint32_t place = 0;
    int status;

    added.changed = ++state->last_change;
    added.serial = before != NULL ? before->serial : state->last_change;
    /* The kernel's numbers tell the direction by their lowest bits. */
    added.info.index =
        before != NULL ? before->info.index : (++state->last_index << 3 | added.info.dir);
    if (before != NULL) {
        added.trap = before->trap;
        added.group = before->group;
        added.child = before->child;
        added.own_port = before->own_port;
    } else if (added.info.dir == XFRM_POLICY_OUT) {
        added.trap = next_trap(state);
    }
    if (before != NULL)
        spill_xfrm_policy_remove(state, before);
    else if ((status = grow_policies(state)) != 0)
        return status;
    while (place < state->policy_count &&
           (state->policies[place].info.priority < added.info.priority ||
            (state->policies[place].info.priority == added.info.priority &&
             state->policies[place].serial < added.serial)))
        place++;
    memmove(&state->policies[place + 1], &state->policies[place],
            (state->policy_count - place) * sizeof(*state->policies));
    state->policies[place] = added;
    state->policy_count++;
    return 0;
}

void spill_xfrm_policy_remove(struct spill_xfrm_state *state, struct spill_xfrm_policy *policy)
{
    const uint32_t index = (uint32_t)(policy - state->policies);

    memmove(policy, policy + 1, (state->policy_count - index - 1) * sizeof(*policy));
    state->policy_count--;
}

/* ------------------------------------------------------------------- which SA for a policy */

bool spill_xfrm_is_within(const xfrm_address_t *host, const xfrm_address_t *prefix, uint8_t length)
{
    const uint8_t *one = (const uint8_t *)host, *other = (const uint8_t *)prefix;
    const unsigned whole = length / 8u, rest = length % 8u;

    return memcmp(one, other, whole) == 0 &&
           (rest == 0 || ((one[whole] ^ other[whole]) & (0xff00 >> rest & 0xff)) == 0);
}

/* Whether an end of an SA is what a policy wants: what its template has, else a selected host. */
static bool is_end(const xfrm_address_t *end, const xfrm_address_t *template,
                   const xfrm_address_t *selected, uint8_t length, uint16_t family,
                   uint16_t selected_family)
{
    if (!is_zero(template, family))
        return spill_xfrm_same_address(end, template, family);
    return selected_family != family || spill_xfrm_is_within(end, selected, length);
}

static bool is_open(const xfrm_address_t *template, uint16_t family, uint8_t length)
{
    return is_zero(template, family) && length != (family == AF_INET6 ? 128 : 32);
}

bool spill_xfrm_policy_is_wide(const struct spill_xfrm_policy *policy)
{
    const struct xfrm_selector *selector = &policy->info.sel;
    const struct xfrm_user_tmpl *template = &policy->template;

    return policy->has_template && template->mode == XFRM_MODE_TRANSPORT &&
           (is_open(&template->saddr, selector->family, selector->prefixlen_s) ||
            is_open(&template->id.daddr, selector->family, selector->prefixlen_d));
}

struct spill_xfrm_policy spill_xfrm_policy_between(const struct spill_xfrm_policy *policy,
                                                   const xfrm_address_t *from,
                                                   const xfrm_address_t *to)
{
    struct spill_xfrm_policy between = *policy;

    if (!spill_xfrm_policy_is_wide(policy))
        return between;
    between.info.sel.saddr = *from;
    between.info.sel.daddr = *to;
    between.info.sel.prefixlen_s = between.info.sel.prefixlen_d =
        policy->info.sel.family == AF_INET6 ? 128 : 32;
    return between;
}

bool spill_xfrm_policy_takes(const struct spill_xfrm_policy *policy, const struct spill_xfrm_sa *sa)
{
    const bool is_out = policy->info.dir == XFRM_POLICY_OUT;
    const struct xfrm_user_tmpl *template = &policy->template;
    const struct xfrm_selector *selector = &policy->info.sel;
    const struct xfrm_usersa_info *info = &sa->info;

    if (!policy->has_template || policy->info.action != XFRM_POLICY_ALLOW || sa->larval ||
        info->id.proto != template->id.proto || info->mode != template->mode ||
        (template->reqid != 0 && info->reqid != template->reqid))
        return false;
    /* Inbound the SPI is the packet's to say. */
    if (is_out && template->id.spi != 0 && template->id.spi != info->id.spi)
        return false;
    if (template->mode == XFRM_MODE_TUNNEL && template->family != info->family)
        return false;
    return is_end(&info->id.daddr, &template->id.daddr, &selector->daddr, selector->prefixlen_d,
                  info->family, selector->family) &&
           is_end(&info->saddr, &template->saddr, &selector->saddr, selector->prefixlen_s,
                  info->family, selector->family);
}

const struct spill_xfrm_sa *spill_xfrm_policy_choose(const struct spill_xfrm_state *state,
                                                     const struct spill_xfrm_policy *policy)
{
    const struct spill_xfrm_sa *chosen = NULL;

    for (uint32_t i = 0; i < state->sa_count; i++) {
        const struct spill_xfrm_sa *sa = &state->sas[i];

        if (spill_xfrm_policy_takes(policy, sa) && sa->direction != SPILL_XFRM_IN &&
            (chosen == NULL || sa->serial > chosen->serial))
            chosen = sa;
    }
    return chosen;
}
