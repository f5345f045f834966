/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests about SAs. */
#include "xfrm/requests.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/udp.h>

#include "base/secret.h"
#include "ipsec/replay.h"
#include "xfrm/acquire.h"
#include "xfrm/algorithms.h"
#include "xfrm/hello.h"

/* How long an SPI stays reserved, and tries to find one that is free. */
#define LARVAL_SECONDS 165
#define SPI_TRIES      1000

#define SECOND_NS UINT64_C(1000000000)

#define PROTOCOL_ANY 255 /* of a flush; 0 as well */

struct buffer {
    _Alignas(struct nlmsghdr) uint8_t bytes[SPILL_XFRM_ANSWER_MAX];
};

static void answer(struct spill_xfrm_handling *handling, struct nlmsghdr *message)
{
    if (message != NULL)
        handling->answer(handling->context, message);
}

static void tell_sa(struct spill_xfrm_handling *handling, uint16_t type,
                    const struct spill_xfrm_sa *sa)
{
    struct buffer buffer;
    struct nlmsghdr *message = spill_xfrm_put_sa(buffer.bytes, sizeof(buffer), type, sa, NULL);

    if (message != NULL)
        handling->event(handling->context, XFRMNLGRP_SA, message);
    explicit_bzero(&buffer, sizeof(buffer));
}

void spill_xfrm_tell_gone(struct spill_xfrm_handling *handling, const struct spill_xfrm_sa *sa)
{
    struct buffer buffer;
    struct nlmsghdr *message = spill_xfrm_put_gone_sa(buffer.bytes, sizeof(buffer), sa);

    if (message != NULL)
        handling->event(handling->context, XFRMNLGRP_SA, message);
}

/* --------------------------------------------------------------------------- what can be */

int spill_xfrm_check_extras(const struct spill_xfrm_message *message)
{
    static const unsigned not_done[] = {XFRMA_SEC_CTX,     XFRMA_COADDR,       XFRMA_TFCPAD,
                                        XFRMA_OFFLOAD_DEV, XFRMA_SET_MARK,     XFRMA_SET_MARK_MASK,
                                        XFRMA_MIGRATE,     XFRMA_MTIMER_THRESH};
    const struct xfrm_mark *mark =
        spill_xfrm_attribute(message, XFRMA_MARK, sizeof(struct xfrm_mark));

    for (size_t i = 0; i < sizeof(not_done) / sizeof(not_done[0]); i++) {
        if (message->attributes[not_done[i]] != NULL)
            return -EOPNOTSUPP;
    }
    if (mark != NULL && mark->m != 0)
        return -EOPNOTSUPP;
    return spill_xfrm_number(message, XFRMA_IF_ID) == 0 ? 0 : -EOPNOTSUPP;
}

static int check_protocol(uint8_t protocol)
{
    return protocol == IPPROTO_ESP ? 0 : -EPROTONOSUPPORT;
}

static int check_info(const struct xfrm_usersa_info *info)
{
    const uint8_t not_done = XFRM_STATE_WILDRECV | XFRM_STATE_ICMP;

    if (info->family != AF_INET && info->family != AF_INET6)
        return -EINVAL;
    if (check_protocol(info->id.proto) != 0)
        return -EPROTONOSUPPORT;
    if (info->mode >= XFRM_MODE_MAX)
        return -EINVAL;
    if (info->mode != XFRM_MODE_TUNNEL && info->mode != XFRM_MODE_TRANSPORT)
        return -EPROTONOSUPPORT;
    if (ntohl(info->id.spi) < SPILL_SA_SPI_FIRST)
        return -EINVAL;
    return (info->flags & not_done) == 0 ? 0 : -EOPNOTSUPP;
}

static int read_encapsulation(const struct spill_xfrm_message *message, struct spill_xfrm_sa *sa)
{
    const void *payload =
        spill_xfrm_attribute(message, XFRMA_ENCAP, sizeof(struct xfrm_encap_tmpl));

    sa->encapsulated = message->attributes[XFRMA_ENCAP] != NULL;
    if (!sa->encapsulated)
        return 0;
    if (payload == NULL)
        return -EINVAL;
    memcpy(&sa->encap, payload, sizeof(sa->encap));
    return sa->encap.encap_type == UDP_ENCAP_ESPINUDP && sa->encap.encap_sport != 0 &&
                   sa->encap.encap_dport != 0
               ? 0
               : -EOPNOTSUPP;
}

static int read_window(const struct spill_xfrm_message *message, struct spill_xfrm_sa *sa)
{
    const struct xfrm_replay_state_esn *whole =
        spill_xfrm_attribute(message, XFRMA_REPLAY_ESN_VAL, sizeof(struct xfrm_replay_state_esn));
    const struct xfrm_replay_state *plain =
        spill_xfrm_attribute(message, XFRMA_REPLAY_VAL, sizeof(struct xfrm_replay_state));

    sa->window = sa->info.replay_window;
    sa->has_esn_window = whole != NULL;
    if ((sa->info.flags & XFRM_STATE_ESN) != 0 && whole == NULL)
        return -EINVAL;
    if (whole != NULL) {
        sa->window = whole->replay_window;
        sa->sent = (uint64_t)whole->oseq_hi << 32 | whole->oseq;
        sa->received = (uint64_t)whole->seq_hi << 32 | whole->seq;
    } else if (plain != NULL) {
        sa->sent = plain->oseq;
        sa->received = plain->seq;
    }
    return sa->window <= SPILL_REPLAY_WINDOW_MAX ? 0 : -EINVAL;
}

/* What the SA that it goes on for has used up, and how old it is. */
static void read_use(const struct spill_xfrm_message *message, struct spill_xfrm_sa *sa)
{
    const void *payload =
        spill_xfrm_attribute(message, XFRMA_LTIME_VAL, sizeof(struct xfrm_lifetime_cur));
    struct xfrm_lifetime_cur use;

    if (payload == NULL)
        return;
    memcpy(&use, payload, sizeof(use));
    sa->earlier.packets = sa->use.packets = use.packets;
    sa->earlier.bytes = sa->use.bytes = use.bytes;
    sa->add_time = use.add_time;
    sa->use_time = use.use_time;
}

/* All that a NEWSA says, into an SA that is nobody's yet. */
static int read_sa(const struct spill_xfrm_message *message, struct spill_xfrm_sa *sa)
{
    const uint32_t *flags = spill_xfrm_attribute(message, XFRMA_SA_EXTRA_FLAGS, sizeof(*flags));
    int status;

    memset(sa, 0, sizeof(*sa));
    memcpy(&sa->info, message->body, sizeof(sa->info));
    if ((status = check_info(&sa->info)) != 0 || (status = spill_xfrm_check_extras(message)) != 0)
        return status;
    if (message->attributes[XFRMA_ALG_COMP] != NULL)
        return -EINVAL;
    if (flags != NULL)
        sa->extra_flags = *flags;
    if ((sa->extra_flags & ~(uint32_t)XFRM_SA_XFLAG_DONT_ENCAP_DSCP) != 0)
        return -EOPNOTSUPP;
    read_use(message, sa);
    if ((status = read_encapsulation(message, sa)) != 0 || (status = read_window(message, sa)) != 0)
        return status;
    return spill_xfrm_algorithm_read(message, &sa->algorithm, sa->key);
}

/* ---------------------------------------------------------------------------------- NEWSA */

/* When it was on the clock by which SAs age; as far back as that goes. Never 0, which is never. */
static uint64_t time_of(const struct spill_xfrm_time *time, uint64_t seconds)
{
    const uint64_t age = seconds < time->seconds ? time->seconds - seconds : 0;

    return age == 0 || age < time->now / SECOND_NS ? time->now - age * SECOND_NS : 1;
}

/* Has an SA in the table be what was read, but for what it is known by. */
static void settle(struct spill_xfrm_handling *handling, struct spill_xfrm_sa *sa,
                   const struct spill_xfrm_sa *read)
{
    const uint32_t serial = sa->serial;
    const uint8_t direction = sa->larval ? SPILL_XFRM_IN : SPILL_XFRM_UNKNOWN;

    *sa = *read;
    sa->serial = serial;
    sa->direction = direction;
    sa->told_place = handling->time.now;
    if (sa->add_time == 0)
        sa->add_time = handling->time.seconds;
    sa->added = time_of(&handling->time, sa->add_time);
    sa->used = sa->use_time != 0 ? time_of(&handling->time, sa->use_time) : 0;
    spill_xfrm_sa_join(handling->state, sa);
    spill_xfrm_acquire_answered(handling->state, sa);
    handling->changed = true;
}

/* Of an SA that is there, the kernel too changes no more than that. */
static void update(struct spill_xfrm_handling *handling, struct spill_xfrm_sa *sa,
                   const struct spill_xfrm_sa *read)
{
    sa->info.lft = read->info.lft;
    sa->encapsulated = read->encapsulated;
    sa->encap = read->encap;
    sa->told_soft = false;
    handling->changed = true;
}

static int new_sa(struct spill_xfrm_handling *handling, const struct spill_xfrm_message *message)
{
    const uint16_t type = message->header->nlmsg_type;
    struct spill_xfrm_sa read, *sa;
    int status = read_sa(message, &read);

    if (status == 0) {
        const struct xfrm_usersa_info *info = &read.info;

        sa = spill_xfrm_sa_find(handling->state, &info->id.daddr, info->id.spi, info->id.proto,
                                info->family);
        if (type == XFRM_MSG_NEWSA && sa != NULL)
            status = -EEXIST;
        else if (type == XFRM_MSG_UPDSA && sa == NULL)
            status = -ESRCH;
        else if (sa == NULL && (sa = spill_xfrm_sa_add(handling->state)) == NULL)
            status = -ENOBUFS;
        else if (sa->algorithm != NULL)
            update(handling, sa, &read);
        else
            settle(handling, sa, &read);
    }
    if (status == 0)
        tell_sa(handling, type, sa);
    explicit_bzero(&read, sizeof(read));
    return status;
}

/* ------------------------------------------------------------------------------- ALLOCSPI */

static int choose_spi(struct spill_xfrm_handling *handling, const struct xfrm_userspi_info *asked,
                      uint32_t *spi)
{
    const struct xfrm_usersa_info *info = &asked->info;
    const uint64_t count = (uint64_t)asked->max - asked->min + 1;
    uint32_t random;

    for (uint32_t i = 0; i < SPI_TRIES && i < count; i++) {
        if (spill_secret(&random, sizeof(random)) != 0)
            return -ENOENT;
        *spi = htonl((uint32_t)(asked->min + (count <= SPI_TRIES ? i : random % count)));
        if (spill_xfrm_sa_find(handling->state, &info->id.daddr, *spi, info->id.proto,
                               info->family) == NULL)
            return 0;
    }
    return -ENOENT;
}

static int allocate_spi(struct spill_xfrm_handling *handling,
                        const struct spill_xfrm_message *message)
{
    struct xfrm_userspi_info asked;
    struct spill_xfrm_sa *sa;
    struct buffer buffer;
    uint32_t spi;
    int status;

    memcpy(&asked, message->body, sizeof(asked));
    if (asked.info.family != AF_INET && asked.info.family != AF_INET6)
        return -EINVAL;
    if ((status = check_protocol(asked.info.id.proto)) != 0 ||
        (status = spill_xfrm_check_extras(message)) != 0)
        return status;
    if (asked.min > asked.max || asked.min < SPILL_SA_SPI_FIRST)
        return -EINVAL;
    if ((status = choose_spi(handling, &asked, &spi)) != 0)
        return status;
    sa = spill_xfrm_sa_add(handling->state);
    if (sa == NULL)
        return -ENOBUFS;
    sa->info = asked.info;
    sa->info.id.spi = spi;
    sa->info.lft.hard_add_expires_seconds = LARVAL_SECONDS;
    sa->larval = true;
    sa->added = handling->time.now;
    sa->add_time = handling->time.seconds;
    answer(handling, spill_xfrm_put_sa(buffer.bytes, sizeof(buffer), XFRM_MSG_NEWSA, sa, NULL));
    return 0;
}

/* ----------------------------------------------------------------------- all that is left */

static struct spill_xfrm_sa *find(struct spill_xfrm_handling *handling,
                                  const struct xfrm_usersa_id *id, struct spill_xfrm_window *window)
{
    struct spill_xfrm_sa *sa =
        spill_xfrm_sa_find(handling->state, &id->daddr, id->spi, id->proto, id->family);

    if (sa != NULL && handling->look != NULL)
        handling->look(handling->context, sa, window);
    return sa;
}

static int delete_sa(struct spill_xfrm_handling *handling, const struct spill_xfrm_message *message)
{
    struct spill_xfrm_sa *sa = find(handling, message->body, NULL);

    if (sa == NULL)
        return -ESRCH;
    spill_xfrm_tell_gone(handling, sa);
    handling->changed |= !sa->larval;
    spill_xfrm_sa_remove(handling->state, sa);
    return 0;
}

static int get_sa(struct spill_xfrm_handling *handling, const struct spill_xfrm_message *message)
{
    struct spill_xfrm_window window = {0};
    const struct spill_xfrm_sa *sa = find(handling, message->body, &window);
    struct buffer buffer;

    if (sa == NULL)
        return -ESRCH;
    answer(handling, spill_xfrm_put_sa(buffer.bytes, sizeof(buffer), XFRM_MSG_NEWSA, sa, &window));
    explicit_bzero(&buffer, sizeof(buffer));
    return 0;
}

static int get_numbers(struct spill_xfrm_handling *handling,
                       const struct spill_xfrm_message *message)
{
    const struct xfrm_aevent_id *id = message->body;
    struct spill_xfrm_window window = {0};
    const struct spill_xfrm_sa *sa = find(handling, &id->sa_id, &window);
    struct buffer buffer;

    if (sa == NULL)
        return -ESRCH;
    answer(handling, spill_xfrm_put_numbers(buffer.bytes, sizeof(buffer), sa, &window, id->flags));
    return 0;
}

static int flush_sas(struct spill_xfrm_handling *handling, const struct spill_xfrm_message *message)
{
    const uint8_t protocol = ((const struct xfrm_usersa_flush *)message->body)->proto;
    struct spill_xfrm_state *state = handling->state;
    struct buffer buffer;

    if (protocol != 0 && protocol != PROTOCOL_ANY && protocol != IPPROTO_ESP)
        return 0;
    while (state->sa_count > 0) {
        handling->changed = true;
        spill_xfrm_sa_remove(state, &state->sas[state->sa_count - 1]);
    }
    state->acquires.count = 0;
    handling->event(handling->context, XFRMNLGRP_SA,
                    spill_xfrm_put_flushed_sas(buffer.bytes, sizeof(buffer), protocol));
    return 0;
}

static int get_info(struct spill_xfrm_handling *handling, const struct spill_xfrm_message *message)
{
    struct buffer buffer;
    uint32_t flags;

    memcpy(&flags, message->body, sizeof(flags));
    answer(handling,
           message->header->nlmsg_type == XFRM_MSG_GETSADINFO
               ? spill_xfrm_put_sad_info(buffer.bytes, sizeof(buffer), handling->state, flags)
               : spill_xfrm_put_spd_info(buffer.bytes, sizeof(buffer), handling->state, flags));
    return 0;
}

int spill_xfrm_handle(struct spill_xfrm_handling *handling,
                      const struct spill_xfrm_message *message)
{
    switch (message->header->nlmsg_type) {
    case XFRM_MSG_NEWSA:
    case XFRM_MSG_UPDSA:
        return new_sa(handling, message);
    case XFRM_MSG_ALLOCSPI:
        return allocate_spi(handling, message);
    case XFRM_MSG_DELSA:
        return delete_sa(handling, message);
    case XFRM_MSG_GETSA:
        return get_sa(handling, message);
    case XFRM_MSG_GETAE:
        return get_numbers(handling, message);
    case XFRM_MSG_FLUSHSA:
        return flush_sas(handling, message);
    case XFRM_MSG_GETSADINFO:
    case XFRM_MSG_GETSPDINFO:
        return get_info(handling, message);
    case XFRM_MSG_NEWAE: /* numbers of an SA in force are nobody's to set: none must come twice */
        return -EOPNOTSUPP;
    default:
        return spill_xfrm_handle_policy(handling, message);
    }
}
