/* SPDX-License-Identifier: BSD-3-Clause */
#include "xfrm/compile.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <rte_common.h>

#include "xfrm/children.h"

#define IKE_PORT 500

/* Rules that let IKE itself pass, for each policy at most. */
#define IKE_RULES 6

void spill_xfrm_name(const struct spill_xfrm_sa *sa, char name[SPILL_NAME_SIZE])
{
    snprintf(name, SPILL_NAME_SIZE, "%08x.%x", ntohl(sa->info.id.spi),
             sa->serial & SPILL_XFRM_SERIAL_MASK);
}

static void name_child(uint32_t child, char name[SPILL_NAME_SIZE])
{
    snprintf(name, SPILL_NAME_SIZE, "child.%x", child);
}

/* ------------------------------------------------------------------------------------- SAs */

static struct spill_sa_address address_of(const xfrm_address_t *address, uint16_t family)
{
    struct spill_sa_address made = {.family = family == AF_INET6 ? 6 : 4};

    memcpy(made.bytes, address, family == AF_INET6 ? 16 : 4);
    return made;
}

/* As the data plane counts: it does not know what was used up before, and begins at a number. */
static uint64_t limit_of(uint64_t limit, uint64_t used, uint64_t number)
{
    if (limit == 0 || limit == XFRM_INF)
        return 0;
    limit = limit > used ? limit - used : 0;
    return limit < UINT64_MAX - number ? RTE_MAX(limit + number, UINT64_C(1)) : 0;
}

/* Of tunnels: in transport mode there is one header, which stays. */
static uint8_t marks_of(const struct xfrm_usersa_info *info, bool is_out)
{
    if (info->mode != XFRM_MODE_TUNNEL)
        return 0;
    return ((info->flags & XFRM_STATE_NOECN) != 0 ? SPILL_SA_NO_ECN : 0) |
           (!is_out && (info->flags & XFRM_STATE_DECAP_DSCP) != 0 ? SPILL_SA_TAKES_DSCP : 0);
}

/* Soft limits are told by EXPIRE, not by the data plane. */
static void describe(const struct spill_xfrm_sa *sa, struct spill_sa_config *config)
{
    const struct xfrm_usersa_info *info = &sa->info;
    const bool is_out = sa->direction == SPILL_XFRM_OUT;
    const bool writes = is_out && info->mode == XFRM_MODE_TUNNEL;

    *config = (struct spill_sa_config){
        .direction = is_out ? SPILL_SA_OUT : SPILL_SA_IN,
        .mode = info->mode == XFRM_MODE_TUNNEL ? SPILL_SA_TUNNEL : SPILL_SA_TRANSPORT,
        .spi = ntohl(info->id.spi),
        .source = address_of(&info->saddr, info->family),
        .destination = address_of(&info->id.daddr, info->family),
        .algorithm = sa->algorithm,
        .esn = (info->flags & XFRM_STATE_ESN) != 0,
        .nat_traversal = sa->encapsulated,
        .own_port =
            !sa->encapsulated ? 0 : ntohs(is_out ? sa->encap.encap_sport : sa->encap.encap_dport),
        .other_port =
            !sa->encapsulated ? 0 : ntohs(is_out ? sa->encap.encap_dport : sa->encap.encap_sport),
        .roams = sa->encapsulated && !is_out && info->family == AF_INET,
        .replay_window = is_out ? 0 : sa->window,
        .marks = marks_of(info, is_out),
        .packets_hard =
            limit_of(info->lft.hard_packet_limit, sa->earlier.packets, is_out ? sa->sent : 0),
        .bytes_hard = limit_of(info->lft.hard_byte_limit, sa->earlier.bytes, 0),
        .sequence = is_out ? sa->sent : sa->received,
    };
    memcpy(config->key, sa->key, sizeof(config->key));
    spill_xfrm_name(sa, config->name);
    name_child(spill_xfrm_child(sa), config->stands_for);
    name_child(sa->group, config->lane_with);
    if (writes && (sa->extra_flags & XFRM_SA_XFLAG_DONT_ENCAP_DSCP) == 0)
        config->dscp = SPILL_SA_DSCP_COPY;
    if (writes && info->family == AF_INET && (info->flags & XFRM_STATE_NOPMTUDISC) != 0)
        config->df = SPILL_SA_DF_CLEAR;
}

/* Of a name the first one is that which protects: those by which policies go stand before others.
 */
static int add_sas(const struct spill_xfrm_children *children, const struct spill_xfrm_state *state,
                   struct spill_policy_files *files)
{
    files->sas = calloc(state->sa_count + 1u, sizeof(*files->sas));
    if (files->sas == NULL)
        return -ENOMEM;
    for (unsigned round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < state->sa_count; i++) {
            const struct spill_xfrm_sa *sa = &state->sas[i];

            if (!sa->larval && sa->direction != SPILL_XFRM_UNKNOWN &&
                children->is_chosen[i] == (round == 0))
                describe(sa, &files->sas[files->sa_count++]);
        }
    }
    return 0;
}

/* ----------------------------------------------------------------------------------- rules */

static void take_prefix(struct spill_rule *rule, enum spill_rule_end end,
                        const xfrm_address_t *address, uint8_t length, uint16_t family)
{
    const unsigned size = family == AF_INET6 ? 16 : 4;

    memcpy(rule->address[end], address, size);
    for (unsigned i = 0; i < size; i++) {
        if (length < 8 * (i + 1))
            rule->address[end][i] &= (uint8_t)(length <= 8 * i ? 0 : 0xff00 >> (length - 8 * i));
    }
    rule->length[end] = length;
}

static struct spill_rule begin_rule(const struct xfrm_selector *selector, uint32_t line)
{
    struct spill_rule rule = {
        .families = selector->family == AF_INET6 ? SPILL_RULE_IPV6 : SPILL_RULE_IPV4,
        .protocol = selector->proto,
        .any_protocol = selector->proto == 0,
        .last_port = {UINT16_MAX, UINT16_MAX},
        .line = line,
    };

    take_prefix(&rule, SPILL_RULE_SOURCE, &selector->saddr, selector->prefixlen_s,
                selector->family);
    take_prefix(&rule, SPILL_RULE_DESTINATION, &selector->daddr, selector->prefixlen_d,
                selector->family);
    return rule;
}

static void take_ports(struct spill_rule *rule, enum spill_rule_end end, uint16_t port,
                       uint16_t mask)
{
    rule->first_port[end] = ntohs(port & mask);
    rule->last_port[end] = ntohs((uint16_t)((port & mask) | (uint16_t)~mask));
    rule->names_ports |= mask != 0;
}

/* Of ICMP they are type and code. */
static void take_types(struct spill_rule *rule, const struct xfrm_selector *selector)
{
    const uint16_t first =
        (uint16_t)(ntohs(selector->sport) << 8 | (ntohs(selector->dport & selector->dport_mask)));

    if (selector->sport_mask == 0)
        return;
    rule->names_types = true;
    rule->first_port[SPILL_RULE_DESTINATION] = first;
    rule->last_port[SPILL_RULE_DESTINATION] =
        (uint16_t)(selector->dport_mask != 0 ? first : first | UINT8_MAX);
}

static void take_selector(struct spill_rule *rule, const struct xfrm_selector *selector)
{
    if (selector->proto == IPPROTO_ICMP || selector->proto == IPPROTO_ICMPV6) {
        take_types(rule, selector);
        return;
    }
    take_ports(rule, SPILL_RULE_SOURCE, selector->sport, selector->sport_mask);
    take_ports(rule, SPILL_RULE_DESTINATION, selector->dport, selector->dport_mask);
}

/* The numbers that rules have for names: by a hash, and free where there is none. */
struct numbers {
    uint32_t mask;
    struct {
        uint32_t child;
        uint16_t number;
    } * of;
};

/* @param names  at most */
static int make_numbers(uint32_t names, struct numbers *numbers)
{
    const uint32_t size = rte_align32pow2(2 * names + 2);

    *numbers = (struct numbers){.mask = size - 1, .of = calloc(size, sizeof(*numbers->of))};
    return numbers->of != NULL ? 0 : -ENOMEM;
}

/* The number of the name that rules have for an SA, from 1. */
static uint16_t number_of(const struct spill_xfrm_sa *sa, struct numbers *numbers,
                          struct spill_ruleset *ruleset)
{
    const uint32_t child = spill_xfrm_child(sa);
    uint32_t at = child * UINT32_C(0x9e3779b1) & numbers->mask;

    while (numbers->of[at].number != 0 && numbers->of[at].child != child)
        at = (at + 1) & numbers->mask;
    if (numbers->of[at].number == 0) {
        name_child(child, ruleset->sas[ruleset->sa_count++]);
        numbers->of[at].child = child;
        numbers->of[at].number = ruleset->sa_count;
    }
    return numbers->of[at].number;
}

/* @param sa  that the policy's packets go or come by; NULL: there is none */
static void add_rule(const struct spill_xfrm_policy *policy, const struct spill_xfrm_sa *sa,
                     uint32_t line, struct numbers *numbers, struct spill_ruleset *ruleset)
{
    struct spill_rule *rule = &ruleset->rules[ruleset->count++];

    *rule = begin_rule(&policy->info.sel, line);
    take_selector(rule, &policy->info.sel);
    rule->host = policy->info.dir == XFRM_POLICY_OUT  ? SPILL_RULE_HOST_SENDS
                 : policy->info.dir == XFRM_POLICY_IN ? SPILL_RULE_HOST_GETS
                                                      : SPILL_RULE_FORWARDED;
    if (policy->info.action == XFRM_POLICY_BLOCK || (policy->has_template && sa == NULL)) {
        rule->action = SPILL_VERDICT_DENY;
        if (policy->info.action != XFRM_POLICY_BLOCK)
            rule->trap = policy->trap; /* of an outbound one */
    } else if (!policy->has_template) {
        rule->action = SPILL_VERDICT_ALLOW;
    } else {
        rule->action = SPILL_VERDICT_PROTECT;
        rule->sa = number_of(sa, numbers, ruleset);
    }
}

/* ------------------------------------------------------------------------------ IKE itself */

/* A template for transport mode may leave them to the selector. */
static bool has_ends(const struct xfrm_user_tmpl *template)
{
    static const xfrm_address_t none;

    return !spill_xfrm_same_address(&template->saddr, &none, template->family) &&
           !spill_xfrm_same_address(&template->id.daddr, &none, template->family);
}

/* One host at this end, which has the daemon, whichever peers that has: of more it is not known
 * which of them does. */
static bool selects_host(const struct xfrm_selector *selector)
{
    return selector->prefixlen_s == (selector->family == AF_INET6 ? 128 : 32);
}

/* A policy as that for what leaves would be, whichever way it is for. */
static struct spill_xfrm_policy outward(const struct spill_xfrm_policy *policy)
{
    const struct xfrm_selector *selector = &policy->info.sel;
    struct spill_xfrm_policy out = *policy;

    if (policy->info.dir == XFRM_POLICY_OUT)
        return out;
    out.info.sel.saddr = selector->daddr;
    out.info.sel.daddr = selector->saddr;
    out.info.sel.prefixlen_s = selector->prefixlen_d;
    out.info.sel.prefixlen_d = selector->prefixlen_s;
    out.info.sel.sport = selector->dport;
    out.info.sel.dport = selector->sport;
    out.info.sel.sport_mask = selector->dport_mask;
    out.info.sel.dport_mask = selector->sport_mask;
    out.template.saddr = policy->template.id.daddr;
    out.template.id.daddr = policy->template.saddr;
    return out;
}

/* Whether what daemons say to each other is among what a policy selects. Those for what comes count
 * as well: a daemon's last answer may be on its way when the other one is gone. */
static bool selects_ike(const struct spill_xfrm_policy *policy)
{
    const struct spill_xfrm_policy out = outward(policy);
    const struct xfrm_selector *selector = &out.info.sel;
    const struct xfrm_user_tmpl *template = &out.template;

    if (!policy->has_template || (selector->proto != 0 && selector->proto != IPPROTO_UDP))
        return false;
    if (!has_ends(template))
        return selects_host(selector);
    return template->family == selector->family &&
           spill_xfrm_is_within(&template->saddr, &selector->saddr, selector->prefixlen_s) &&
           spill_xfrm_is_within(&template->id.daddr, &selector->daddr, selector->prefixlen_d);
}

/* The ends between which they speak: the tunnel's, else those that are selected. */
static struct xfrm_selector ike_selector(const struct spill_xfrm_policy *policy)
{
    const struct spill_xfrm_policy out = outward(policy);
    struct xfrm_selector selector = out.info.sel;

    selector.proto = IPPROTO_UDP;
    if (has_ends(&out.template)) {
        selector.saddr = out.template.saddr;
        selector.daddr = out.template.id.daddr;
        selector.prefixlen_s = selector.prefixlen_d = selector.family == AF_INET6 ? 128 : 32;
    }
    return selector;
}

/* A NAT may have changed the other end's port, and never that of this one. */
static void add_ike_rule(struct spill_ruleset *ruleset, const struct xfrm_selector *selector,
                         uint16_t port, bool back, uint32_t line)
{
    struct xfrm_selector way = *selector;
    struct spill_rule *rule = &ruleset->rules[ruleset->count++];
    const enum spill_rule_end local = back ? SPILL_RULE_DESTINATION : SPILL_RULE_SOURCE;

    if (back) {
        way.saddr = selector->daddr;
        way.daddr = selector->saddr;
        way.prefixlen_s = selector->prefixlen_d;
        way.prefixlen_d = selector->prefixlen_s;
    }
    *rule = begin_rule(&way, line);
    rule->action = SPILL_VERDICT_ALLOW;
    take_ports(rule, back ? SPILL_RULE_SOURCE : SPILL_RULE_DESTINATION, selector->dport,
               selector->dport_mask);
    rule->names_ports = true;
    rule->first_port[local] = rule->last_port[local] = port;
}

static bool selects_port(const struct xfrm_selector *selector, uint16_t port)
{
    return ((selector->sport ^ htons(port)) & selector->sport_mask) == 0;
}

/* IKE that was let pass last. */
struct ike {
    struct xfrm_selector selector;
    uint16_t own_port;
};

/* IKE has the port of ESP in UDP, and keeps it when the last SA is gone: it makes the next one.
 * Policies of one child, for either way, mostly stand together: once is enough. */
static void let_ike_pass(const struct spill_xfrm_policy *policy, uint32_t line, struct ike *last,
                         struct spill_ruleset *ruleset)
{
    const uint16_t ports[] = {IKE_PORT, SPILL_SA_NAT_PORT, policy->own_port};
    const struct xfrm_selector selector = ike_selector(policy);

    if (spill_xfrm_same_selector(&selector, &last->selector) && policy->own_port == last->own_port)
        return;
    *last = (struct ike){selector, policy->own_port};
    for (unsigned i = 0; i < RTE_DIM(ports); i++) {
        if (ports[i] == 0 || (i > 1 && ports[i] == SPILL_SA_NAT_PORT) ||
            !selects_port(&selector, ports[i]))
            continue;
        add_ike_rule(ruleset, &selector, ports[i], false, line);
        add_ike_rule(ruleset, &selector, ports[i], true, line);
    }
}

/* ------------------------------------------------------------------------------- the whole */

/* @param pairs  of wide policies */
static struct spill_ruleset *create_ruleset(const struct spill_xfrm_state *state, uint32_t pairs)
{
    const uint32_t policies = state->policy_count;
    struct spill_ruleset *ruleset = calloc(1, sizeof(*ruleset));

    if (ruleset == NULL)
        return NULL;
    ruleset->capacity = policies + pairs;
    for (uint32_t i = 0; i < policies; i++)
        ruleset->capacity += selects_ike(&state->policies[i]) ? IKE_RULES : 0;
    ruleset->rules = calloc(ruleset->capacity + 1u, sizeof(*ruleset->rules));
    ruleset->sas = calloc(policies + pairs + 1u, sizeof(*ruleset->sas));
    ruleset->paths = calloc(1, sizeof(*ruleset->paths));
    if (ruleset->paths != NULL)
        ruleset->paths[0] = strdup(SPILL_XFRM_RULES_PATH);
    ruleset->path_count = 1;
    if (ruleset->rules != NULL && ruleset->sas != NULL && ruleset->paths != NULL &&
        ruleset->paths[0] != NULL)
        return ruleset;
    ruleset->path_count = ruleset->paths != NULL ? 1 : 0;
    spill_rules_free(ruleset);
    return NULL;
}

static int compile(const struct spill_xfrm_children *children, const struct spill_xfrm_state *state,
                   struct spill_policy_files *files)
{
    struct numbers numbers;
    struct ike last = {.own_port = 0};
    uint32_t pair = 0, i;

    files->ruleset = create_ruleset(state, children->pair_count);
    if (files->ruleset == NULL || add_sas(children, state, files) != 0 ||
        make_numbers(state->policy_count + children->pair_count, &numbers) != 0) {
        spill_policy_files_free(files);
        return -ENOMEM;
    }
    for (i = 0; i < state->policy_count; i++) {
        if (selects_ike(&state->policies[i]))
            let_ike_pass(&state->policies[i], i + 1, &last, files->ruleset);
    }
    for (i = 0; i < state->policy_count; i++) {
        const struct spill_xfrm_policy *policy = &state->policies[i];

        for (; pair < children->pair_count && children->pairs[pair].policy == i; pair++) {
            const struct spill_xfrm_sa *sa = children->pairs[pair].sa;
            const struct spill_xfrm_policy between =
                spill_xfrm_policy_between(policy, &sa->info.saddr, &sa->info.id.daddr);

            add_rule(&between, sa, i + 1, &numbers, files->ruleset);
        }
        add_rule(policy, children->of[i], i + 1, &numbers, files->ruleset);
    }
    free(numbers.of);
    return 0;
}

int spill_xfrm_compile(struct spill_xfrm_state *state, struct spill_policy_files *files)
{
    struct spill_xfrm_children children;
    int status = spill_xfrm_children_find(state, &children);

    *files = (struct spill_policy_files){0};
    if (status == 0)
        status = compile(&children, state, files);
    spill_xfrm_children_free(&children);
    return status;
}
