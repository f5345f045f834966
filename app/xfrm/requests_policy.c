/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests about policies. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "xfrm/acquire.h"
#include "xfrm/hello.h"
#include "xfrm/requests.h"

struct buffer {
    _Alignas(struct nlmsghdr) uint8_t bytes[SPILL_XFRM_ANSWER_MAX];
};

static void tell(struct spill_xfrm_handling *handling, const struct nlmsghdr *message)
{
    if (message != NULL)
        handling->event(handling->context, XFRMNLGRP_POLICY, message);
}

/* ------------------------------------------------------------------------------ NEWPOLICY */

/* A range of ports can be said where the mask has no hole. */
static bool is_range(uint16_t mask)
{
    const uint16_t left = (uint16_t)~ntohs(mask);

    return (left & (left + 1)) == 0;
}

/* Of ICMP the source port is the type, and the other one the code: of all types, or of one. */
static bool is_type(const struct xfrm_selector *selector)
{
    const bool type = selector->sport_mask == UINT16_MAX, code = selector->dport_mask == UINT16_MAX;

    return (type || selector->sport_mask == 0) && (code || selector->dport_mask == 0) &&
           (type || !code) && ntohs(selector->sport) <= UINT8_MAX &&
           ntohs(selector->dport) <= UINT8_MAX;
}

/* As the data plane reads headers; of others no port would ever match. */
static bool has_ports(uint8_t protocol)
{
    return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
           protocol == IPPROTO_DCCP || protocol == IPPROTO_UDPLITE;
}

static int check_selector(const struct xfrm_selector *selector)
{
    const uint8_t longest = selector->family == AF_INET6 ? 128 : 32;

    if (selector->family != AF_INET && selector->family != AF_INET6)
        return -EINVAL;
    if (selector->prefixlen_d > longest || selector->prefixlen_s > longest)
        return -EINVAL;
    if (selector->ifindex != 0)
        return -EOPNOTSUPP;
    if (selector->proto == IPPROTO_ICMP || selector->proto == IPPROTO_ICMPV6)
        return is_type(selector) ? 0 : -EOPNOTSUPP;
    if (selector->proto != 0 && !has_ports(selector->proto) &&
        (selector->dport_mask != 0 || selector->sport_mask != 0))
        return -EOPNOTSUPP;
    return is_range(selector->dport_mask) && is_range(selector->sport_mask) ? 0 : -EOPNOTSUPP;
}

static int check_info(const struct xfrm_userpolicy_info *info)
{
    const struct xfrm_lifetime_cfg *limits = &info->lft;

    if (info->share > XFRM_SHARE_UNIQUE || info->dir > XFRM_POLICY_FWD ||
        (info->action != XFRM_POLICY_ALLOW && info->action != XFRM_POLICY_BLOCK))
        return -EINVAL;
    if (info->index != 0 && (info->index & 7) != info->dir)
        return -EINVAL;
    if (limits->soft_add_expires_seconds != 0 || limits->hard_add_expires_seconds != 0 ||
        limits->soft_use_expires_seconds != 0 || limits->hard_use_expires_seconds != 0)
        return -EOPNOTSUPP;
    return check_selector(&info->sel);
}

static int check_template(const struct xfrm_user_tmpl *template)
{
    if (template->family != AF_INET && template->family != AF_INET6)
        return -EINVAL;
    if (template->mode >= XFRM_MODE_MAX)
        return -EINVAL;
    if (template->id.proto != IPPROTO_ESP ||
        (template->mode != XFRM_MODE_TUNNEL && template->mode != XFRM_MODE_TRANSPORT))
        return -EPROTONOSUPPORT;
    return template->optional == 0 ? 0 : -EOPNOTSUPP;
}

/* One template at most: several are for what is compressed, or protected twice. */
static int read_template(const struct spill_xfrm_message *message, struct spill_xfrm_policy *policy)
{
    const struct nlattr *attribute = message->attributes[XFRMA_TMPL];
    const size_t size = attribute != NULL ? mnl_attr_get_payload_len(attribute) : 0;

    if (size == 0)
        return 0;
    if (size % sizeof(policy->template) != 0)
        return -EINVAL;
    if (size != sizeof(policy->template))
        return -EOPNOTSUPP;
    memcpy(&policy->template, mnl_attr_get_payload(attribute), size);
    policy->has_template = true;
    if (policy->template.family == 0)
        policy->template.family = policy->info.sel.family;
    return check_template(&policy->template);
}

static int check_type(const struct spill_xfrm_message *message)
{
    const struct xfrm_userpolicy_type *type =
        spill_xfrm_attribute(message, XFRMA_POLICY_TYPE, sizeof(*type));

    return type == NULL || type->type == XFRM_POLICY_TYPE_MAIN ? 0 : -EOPNOTSUPP;
}

static int new_policy(struct spill_xfrm_handling *handling,
                      const struct spill_xfrm_message *message)
{
    const uint16_t type = message->header->nlmsg_type;
    struct spill_xfrm_policy policy = {.add_time = handling->time.seconds};
    struct spill_xfrm_policy *before;
    struct buffer buffer;
    int status;

    memcpy(&policy.info, message->body, sizeof(policy.info));
    if ((status = check_info(&policy.info)) != 0 ||
        (status = spill_xfrm_check_extras(message)) != 0 || (status = check_type(message)) != 0 ||
        (status = read_template(message, &policy)) != 0)
        return status;
    before = spill_xfrm_policy_find(handling->state, &policy.info.sel, policy.info.dir, 0);
    if (type == XFRM_MSG_NEWPOLICY && before != NULL)
        return -EEXIST;
    /* A daemon that gives it anew knows it now: one that was asked before may not have. */
    if (before != NULL)
        spill_xfrm_acquire_forget(handling->state, before->trap);
    if ((status = spill_xfrm_policy_put(handling->state, &policy, before)) != 0)
        return status;
    handling->changed = true;
    before = spill_xfrm_policy_find(handling->state, &policy.info.sel, policy.info.dir, 0);
    tell(handling, spill_xfrm_put_policy(buffer.bytes, sizeof(buffer), type, before, 0));
    return 0;
}

/* ----------------------------------------------------------------------- all that is left */

/* When a packet last went by it: by an SA that it takes. */
static uint64_t use_time_of(struct spill_xfrm_handling *handling,
                            const struct spill_xfrm_policy *policy)
{
    struct spill_xfrm_state *state = handling->state;
    uint64_t last = 0;

    for (uint32_t i = 0; i < state->sa_count; i++) {
        struct spill_xfrm_sa *sa = &state->sas[i];

        if (!spill_xfrm_policy_takes(policy, sa))
            continue;
        if (handling->look != NULL)
            handling->look(handling->context, sa, NULL);
        last = sa->last_time > last ? sa->last_time : last;
    }
    return last;
}

static int get_policy(struct spill_xfrm_handling *handling,
                      const struct spill_xfrm_message *message)
{
    const bool is_deleted = message->header->nlmsg_type == XFRM_MSG_DELPOLICY;
    const struct xfrm_userpolicy_id *id = message->body;
    struct spill_xfrm_policy *policy =
        spill_xfrm_policy_find(handling->state, &id->sel, id->dir, id->index);
    struct nlmsghdr *answer;
    struct buffer buffer;

    if (policy == NULL)
        return -ENOENT;
    if (is_deleted) {
        tell(handling, spill_xfrm_put_gone_policy(buffer.bytes, sizeof(buffer), policy));
        spill_xfrm_policy_remove(handling->state, policy);
        handling->changed = true;
        return 0;
    }
    answer = spill_xfrm_put_policy(buffer.bytes, sizeof(buffer), XFRM_MSG_NEWPOLICY, policy,
                                   use_time_of(handling, policy));
    if (answer != NULL)
        handling->answer(handling->context, answer);
    return 0;
}

static int flush_policies(struct spill_xfrm_handling *handling,
                          const struct spill_xfrm_message *message)
{
    struct buffer buffer;

    if (check_type(message) != 0)
        return 0;
    handling->changed |= handling->state->policy_count > 0;
    handling->state->policy_count = 0;
    tell(handling, spill_xfrm_put_flushed_policies(buffer.bytes, sizeof(buffer)));
    return 0;
}

int spill_xfrm_handle_policy(struct spill_xfrm_handling *handling,
                             const struct spill_xfrm_message *message)
{
    switch (message->header->nlmsg_type) {
    case XFRM_MSG_NEWPOLICY:
    case XFRM_MSG_UPDPOLICY:
        return new_policy(handling, message);
    case XFRM_MSG_GETPOLICY:
    case XFRM_MSG_DELPOLICY:
        return get_policy(handling, message);
    case XFRM_MSG_FLUSHPOLICY:
        return flush_policies(handling, message);
    case XFRM_MSG_MIGRATE: /* as a kernel that was built without */
        return -ENOPROTOOPT;
    default:
        return -EOPNOTSUPP;
    }
}
