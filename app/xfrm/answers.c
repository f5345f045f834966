/* SPDX-License-Identifier: BSD-3-Clause */
#include "xfrm/answers.h"

#include <netinet/in.h>
#include <string.h>

#include <rte_common.h>

#include "xfrm/algorithms.h"

/* Begins a message with the struct of its type. */
static struct nlmsghdr *begin(void *buffer, size_t room, uint16_t type, const void *body,
                              size_t size)
{
    struct nlmsghdr *header;

    if (room < MNL_NLMSG_HDRLEN + MNL_ALIGN(size))
        return NULL;
    header = mnl_nlmsg_put_header(buffer);
    header->nlmsg_type = type;
    if (size > 0)
        memcpy(mnl_nlmsg_put_extra_header(header, size), body, size);
    return header;
}

/* ------------------------------------------------------------------------------------- SAs */

static struct xfrm_lifetime_cur use_of(const struct spill_xfrm_sa *sa)
{
    return (struct xfrm_lifetime_cur){.bytes = sa->use.bytes,
                                      .packets = sa->use.packets,
                                      .add_time = sa->add_time,
                                      .use_time = sa->use_time};
}

static struct xfrm_usersa_info info_of(const struct spill_xfrm_sa *sa)
{
    struct xfrm_usersa_info info = sa->info;

    info.curlft = use_of(sa);
    return info;
}

static struct xfrm_usersa_id id_of(const struct spill_xfrm_sa *sa)
{
    return (struct xfrm_usersa_id){.daddr = sa->info.id.daddr,
                                   .spi = sa->info.id.spi,
                                   .family = sa->info.family,
                                   .proto = sa->info.id.proto};
}

/* Where its numbers are, and which of those behind have come. */
static bool put_numbers(struct nlmsghdr *header, size_t room, const struct spill_xfrm_sa *sa,
                        const struct spill_xfrm_window *window)
{
    static const struct spill_xfrm_window none;
    const uint64_t *seen = window != NULL ? window->seen : none.seen;
    const bool is_inbound = sa->direction == SPILL_XFRM_IN;
    const uint64_t in = is_inbound ? RTE_MAX(sa->use.sequence, sa->received) : 0;
    const uint64_t out = is_inbound ? 0 : RTE_MAX(sa->use.sequence, sa->sent);
    const struct xfrm_replay_state plain = {
        .oseq = (uint32_t)out, .seq = (uint32_t)in, .bitmap = (uint32_t)seen[0]};
    const uint32_t words = RTE_MAX((sa->window + 31) / 32, 1u);
    const size_t size = sizeof(struct xfrm_replay_state_esn) + words * sizeof(uint32_t);
    _Alignas(struct xfrm_replay_state_esn)
        uint8_t bytes[sizeof(struct xfrm_replay_state_esn) + SPILL_REPLAY_WINDOW_MAX / 8] = {0};
    struct xfrm_replay_state_esn *whole = (struct xfrm_replay_state_esn *)(void *)bytes;

    if (!sa->has_esn_window)
        return mnl_attr_put_check(header, room, XFRMA_REPLAY_VAL, sizeof(plain), &plain);
    whole->bmp_len = words;
    whole->oseq = (uint32_t)out;
    whole->oseq_hi = (uint32_t)(out >> 32);
    whole->seq = (uint32_t)in;
    whole->seq_hi = (uint32_t)(in >> 32);
    whole->replay_window = sa->window;
    for (uint32_t i = 0; i < whole->replay_window && i < in; i++) {
        const uint32_t bit = (uint32_t)((in - 1 - i) % whole->replay_window);

        whole->bmp[bit / 32] |= (uint32_t)(seen[i / 64] >> i % 64 & 1) << bit % 32;
    }
    return mnl_attr_put_check(header, room, XFRMA_REPLAY_ESN_VAL, size, bytes);
}

struct nlmsghdr *spill_xfrm_put_sa(void *buffer, size_t room, uint16_t type,
                                   const struct spill_xfrm_sa *sa,
                                   const struct spill_xfrm_window *window)
{
    const struct xfrm_usersa_info info = info_of(sa);
    struct nlmsghdr *header = begin(buffer, room, type, &info, sizeof(info));
    bool fits = header != NULL;

    if (fits && sa->algorithm != NULL)
        fits = spill_xfrm_algorithm_put(header, room, sa->algorithm, sa->key);
    if (fits && sa->encapsulated)
        fits = mnl_attr_put_check(header, room, XFRMA_ENCAP, sizeof(sa->encap), &sa->encap);
    if (fits && sa->extra_flags != 0)
        fits = mnl_attr_put_check(header, room, XFRMA_SA_EXTRA_FLAGS, sizeof(sa->extra_flags),
                                  &sa->extra_flags);
    if (fits && sa->last_time != 0)
        fits =
            mnl_attr_put_check(header, room, XFRMA_LASTUSED, sizeof(sa->last_time), &sa->last_time);
    return fits && put_numbers(header, room, sa, window) ? header : NULL;
}

struct nlmsghdr *spill_xfrm_put_gone_sa(void *buffer, size_t room, const struct spill_xfrm_sa *sa)
{
    const struct xfrm_usersa_info info = info_of(sa);
    const struct xfrm_usersa_id id = id_of(sa);
    struct nlmsghdr *header = begin(buffer, room, XFRM_MSG_DELSA, &id, sizeof(id));

    return header != NULL && mnl_attr_put_check(header, room, XFRMA_SA, sizeof(info), &info)
               ? header
               : NULL;
}

struct nlmsghdr *spill_xfrm_put_expire(void *buffer, size_t room, const struct spill_xfrm_sa *sa,
                                       bool hard)
{
    const struct xfrm_user_expire expire = {.state = info_of(sa), .hard = hard};

    return begin(buffer, room, XFRM_MSG_EXPIRE, &expire, sizeof(expire));
}

struct nlmsghdr *spill_xfrm_put_numbers(void *buffer, size_t room, const struct spill_xfrm_sa *sa,
                                        const struct spill_xfrm_window *window, uint32_t flags)
{
    const struct xfrm_aevent_id id = {
        .sa_id = id_of(sa), .saddr = sa->info.saddr, .flags = flags, .reqid = sa->info.reqid};
    const struct xfrm_lifetime_cur use = use_of(sa);
    struct nlmsghdr *header = begin(buffer, room, XFRM_MSG_NEWAE, &id, sizeof(id));

    return header != NULL && put_numbers(header, room, sa, window) &&
                   mnl_attr_put_check(header, room, XFRMA_LTIME_VAL, sizeof(use), &use)
               ? header
               : NULL;
}

struct nlmsghdr *spill_xfrm_put_mapping(void *buffer, size_t room, const struct spill_xfrm_sa *sa)
{
    const struct xfrm_user_mapping mapping = {
        .id = id_of(sa),
        .reqid = sa->info.reqid,
        .old_saddr = sa->info.saddr,
        .new_saddr.a4 = (uint32_t)sa->use.place,
        .old_sport = sa->encap.encap_sport,
        .new_sport = htons((uint16_t)(sa->use.place >> 32)),
    };

    return begin(buffer, room, XFRM_MSG_MAPPING, &mapping, sizeof(mapping));
}

/* -------------------------------------------------------------------------------- policies */

static bool put_template(struct nlmsghdr *header, size_t room,
                         const struct spill_xfrm_policy *policy)
{
    return !policy->has_template || mnl_attr_put_check(header, room, XFRMA_TMPL,
                                                       sizeof(policy->template), &policy->template);
}

struct nlmsghdr *spill_xfrm_put_policy(void *buffer, size_t room, uint16_t type,
                                       const struct spill_xfrm_policy *policy, uint64_t use_time)
{
    struct xfrm_userpolicy_info info = policy->info;
    struct nlmsghdr *header;

    info.curlft = (struct xfrm_lifetime_cur){.add_time = policy->add_time, .use_time = use_time};
    header = begin(buffer, room, type, &info, sizeof(info));
    return header != NULL && put_template(header, room, policy) ? header : NULL;
}

struct nlmsghdr *spill_xfrm_put_gone_policy(void *buffer, size_t room,
                                            const struct spill_xfrm_policy *policy)
{
    const struct xfrm_userpolicy_id id = {
        .sel = policy->info.sel, .index = policy->info.index, .dir = policy->info.dir};
    struct nlmsghdr *header = begin(buffer, room, XFRM_MSG_DELPOLICY, &id, sizeof(id));

    return header != NULL && mnl_attr_put_check(header, room, XFRMA_POLICY, sizeof(policy->info),
                                                &policy->info)
               ? header
               : NULL;
}

struct nlmsghdr *spill_xfrm_put_acquire(void *buffer, size_t room,
                                        const struct spill_xfrm_policy *policy,
                                        const struct xfrm_user_acquire *acquire)
{
    struct nlmsghdr *header = begin(buffer, room, XFRM_MSG_ACQUIRE, acquire, sizeof(*acquire));

    return header != NULL && put_template(header, room, policy) ? header : NULL;
}

/* ----------------------------------------------------------------------------------- all */

struct nlmsghdr *spill_xfrm_put_flushed_sas(void *buffer, size_t room, uint8_t protocol)
{
    const struct xfrm_usersa_flush flush = {.proto = protocol};

    return begin(buffer, room, XFRM_MSG_FLUSHSA, &flush, sizeof(flush));
}

struct nlmsghdr *spill_xfrm_put_flushed_policies(void *buffer, size_t room)
{
    return begin(buffer, room, XFRM_MSG_FLUSHPOLICY, NULL, 0);
}

struct nlmsghdr *spill_xfrm_put_sad_info(void *buffer, size_t room,
                                         const struct spill_xfrm_state *state, uint32_t flags)
{
    const struct xfrmu_sadhinfo table = {.sadhcnt = state->sa_capacity,
                                         .sadhmcnt = SPILL_XFRM_SAS_MAX};
    const uint32_t count = state->sa_count + state->acquires.count;
    struct nlmsghdr *header = begin(buffer, room, XFRM_MSG_NEWSADINFO, &flags, sizeof(flags));

    return header != NULL &&
                   mnl_attr_put_check(header, room, XFRMA_SAD_CNT, sizeof(count), &count) &&
                   mnl_attr_put_check(header, room, XFRMA_SAD_HINFO, sizeof(table), &table)
               ? header
               : NULL;
}

/* What strongSwan asks for at its start: all hosts and no nets are looked up by hash. */
struct nlmsghdr *spill_xfrm_put_spd_info(void *buffer, size_t room,
                                         const struct spill_xfrm_state *state, uint32_t flags)
{
    const struct xfrmu_spdhinfo table = {.spdhcnt = state->policy_capacity,
                                         .spdhmcnt = SPILL_XFRM_POLICIES_MAX};
    const struct xfrmu_spdhthresh ipv4 = {32, 32}, ipv6 = {128, 128};
    struct xfrmu_spdinfo info = {0};
    struct nlmsghdr *header = begin(buffer, room, XFRM_MSG_NEWSPDINFO, &flags, sizeof(flags));

    for (uint32_t i = 0; i < state->policy_count; i++) {
        const uint8_t dir = state->policies[i].info.dir;

        info.incnt += dir == XFRM_POLICY_IN;
        info.outcnt += dir == XFRM_POLICY_OUT;
        info.fwdcnt += dir == XFRM_POLICY_FWD;
    }
    return header != NULL &&
                   mnl_attr_put_check(header, room, XFRMA_SPD_INFO, sizeof(info), &info) &&
                   mnl_attr_put_check(header, room, XFRMA_SPD_HINFO, sizeof(table), &table) &&
                   mnl_attr_put_check(header, room, XFRMA_SPD_IPV4_HTHRESH, sizeof(ipv4), &ipv4) &&
                   mnl_attr_put_check(header, room, XFRMA_SPD_IPV6_HTHRESH, sizeof(ipv6), &ipv6)
               ? header
               : NULL;
}

struct nlmsghdr *spill_xfrm_put_error(void *buffer, const struct nlmsghdr *asked, int error)
{
    const struct nlmsgerr body = {.error = error, .msg = *asked};
    struct nlmsghdr *header = begin(buffer, SPILL_XFRM_END_SIZE, NLMSG_ERROR, &body, sizeof(body));

    header->nlmsg_seq = asked->nlmsg_seq;
    return header;
}

struct nlmsghdr *spill_xfrm_put_done(void *buffer, const struct nlmsghdr *asked)
{
    const int error = 0;
    struct nlmsghdr *header = begin(buffer, SPILL_XFRM_END_SIZE, NLMSG_DONE, &error, sizeof(error));

    header->nlmsg_flags = NLM_F_MULTI;
    header->nlmsg_seq = asked->nlmsg_seq;
    return header;
}
