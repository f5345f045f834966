/* SPDX-License-Identifier: BSD-3-Clause */
/* What SAs have used up, and what follows from that: the data plane counts, daemons are told. */
#include <stdio.h>
#include <stdlib.h>

#include <netinet/in.h>

#include "program.h"
#include "xfrm/acquire.h"
#include "xfrm/hello.h"
#include "xfrm/server_parts.h"

#define SECOND UINT64_C(1000000000)

/* ----------------------------------------------------------------------- the data plane's */

static int compare(const void *left, const void *right)
{
    const struct spill_xfrm_in_force *one = left, *other = right;

    return one->serial < other->serial ? -1 : one->serial > other->serial;
}

/* Which SAs of a version are the state's: their names say it. */
static void index_version(struct spill_xfrm *server, const struct spill_generation *generation)
{
    const struct spill_sa_set *sas = generation->sas;
    struct spill_xfrm_in_force *list;
    uint32_t i, spi, serial;
    int end;

    server->in_force_count = 0;
    list = reallocarray(server->in_force, sas->count + 1u, sizeof(*list));
    if (list == NULL)
        return;
    server->in_force = list;
    for (i = 0; i < sas->count; i++) {
        end = 0;
        if (sscanf(sas->list[i]->config.name, "%8x.%x%n", &spi, &serial, &end) == 2 &&
            sas->list[i]->config.name[end] == '\0')
            list[server->in_force_count++] =
                (struct spill_xfrm_in_force){.serial = serial, .sa = sas->list[i]};
    }
    qsort(list, server->in_force_count, sizeof(*list), compare);
    server->version = generation->number;
}

static const struct spill_sa *find_in_force(struct spill_xfrm *server, uint32_t serial)
{
    const struct spill_generation *generation = spill_snapshot_get(server->program->rules);
    const struct spill_xfrm_in_force key = {.serial = serial & SPILL_XFRM_SERIAL_MASK};
    const struct spill_xfrm_in_force *found;

    if (server->version != generation->number)
        index_version(server, generation);
    found = server->in_force_count == 0
                ? NULL
                : bsearch(&key, server->in_force, server->in_force_count, sizeof(key), compare);
    return found != NULL ? found->sa : NULL;
}

/* The highest number, and those below that have come. One lcore notes others meanwhile: a moment's
 * view, in which a number may be missing that is just coming. */
static void look_at_window(struct spill_replay *replay, uint64_t top, uint32_t size,
                           struct spill_xfrm_window *window)
{
    for (uint64_t i = 0; i < size && i < top; i++) {
        const uint64_t number = top - i;
        const uint64_t word = __atomic_load_n(spill_replay_word(replay, number), __ATOMIC_RELAXED);

        window->seen[i / 64] |= (word >> number % 64 & 1) << i % 64;
    }
}

void spill_xfrm_look(struct spill_xfrm *server, struct spill_xfrm_sa *sa,
                     const struct spill_xfrm_time *time, struct spill_xfrm_window *window)
{
    const struct spill_sa *found = find_in_force(server, sa->serial);
    const uint64_t packets = sa->use.packets;
    struct spill_sa_use use;

    if (found == NULL)
        return;
    use = spill_sa_use(found);
    sa->use.packets = use.packets;
    sa->use.bytes = use.bytes + sa->earlier.bytes;
    if (found->config.direction == SPILL_SA_OUT) {
        sa->use.packets -= RTE_MIN(use.packets, sa->sent);
        sa->use.sequence = use.packets;
    } else {
        sa->use.sequence = spill_replay_top(&found->state->replay);
        if (window != NULL)
            look_at_window(&found->state->replay, sa->use.sequence, RTE_MAX(sa->window, 32u),
                           window);
        sa->use.place = atomic_load_explicit(&found->state->place, memory_order_relaxed);
    }
    sa->use.packets += sa->earlier.packets;
    if (sa->use.packets == packets)
        return;
    sa->last_time = time->seconds;
    if (sa->use_time == 0) {
        sa->use_time = time->seconds;
        sa->used = time->now;
    }
}

/* -------------------------------------------------------------------------------- limits */

static bool is_over(uint64_t since, uint64_t now, uint64_t seconds)
{
    return seconds != 0 && seconds != XFRM_INF && since != 0 && (now - since) / SECOND >= seconds;
}

static bool is_used(uint64_t used, uint64_t limit)
{
    return limit != 0 && limit != XFRM_INF && used >= limit;
}

static bool reached_hard(const struct spill_xfrm_sa *sa, uint64_t now)
{
    const struct xfrm_lifetime_cfg *limits = &sa->info.lft;

    return is_over(sa->added, now, limits->hard_add_expires_seconds) ||
           is_over(sa->used, now, limits->hard_use_expires_seconds) ||
           is_used(sa->use.bytes, limits->hard_byte_limit) ||
           is_used(sa->use.packets, limits->hard_packet_limit);
}

static bool reached_soft(const struct spill_xfrm_sa *sa, uint64_t now)
{
    const struct xfrm_lifetime_cfg *limits = &sa->info.lft;

    return is_over(sa->added, now, limits->soft_add_expires_seconds) ||
           is_over(sa->used, now, limits->soft_use_expires_seconds) ||
           is_used(sa->use.bytes, limits->soft_byte_limit) ||
           is_used(sa->use.packets, limits->soft_packet_limit);
}

static void tell(struct spill_xfrm_handling *handling, const struct spill_xfrm_sa *sa, bool hard)
{
    _Alignas(struct nlmsghdr) uint8_t buffer[SPILL_XFRM_ANSWER_MAX];

    handling->event(handling->context, XFRMNLGRP_EXPIRE,
                    spill_xfrm_put_expire(buffer, sizeof(buffer), sa, hard));
}

/* ------------------------------------------------------------------------- a peer that moves */

static bool has_moved(const struct spill_xfrm_sa *sa)
{
    return sa->use.place != 0 && sa->encapsulated &&
           sa->use.place != spill_sa_place(sa->info.saddr.a4, ntohs(sa->encap.encap_sport));
}

/* A NAT before the peer has another address or port for it. The daemon is told at most once a
 * second, and not within the first of an SA: packets from before may come then. */
static void tell_place(struct spill_xfrm_handling *handling, struct spill_xfrm_sa *sa)
{
    _Alignas(struct nlmsghdr) uint8_t buffer[SPILL_XFRM_ANSWER_MAX];
    const uint64_t now = handling->time.now;

    if (!has_moved(sa) || now - sa->told_place < SECOND)
        return;
    sa->told_place = now;
    handling->event(handling->context, XFRMNLGRP_MAPPING,
                    spill_xfrm_put_mapping(buffer, sizeof(buffer), sa));
}

/* As the kernel does: who has reached a hard limit is taken away, and its daemon told. */
void spill_xfrm_tick(void *context)
{
    struct spill_xfrm *server = context;
    struct spill_xfrm_state *state = &server->state;
    struct spill_xfrm_handling handling;
    struct spill_xfrm_asking asking;
    uint32_t i;

    if (spill_token_cancelled(&server->program->stop))
        return;
    spill_xfrm_begin(server, NULL, NULL, &asking, &handling);
    spill_xfrm_heed_needs(server, &asking.time); /* nothing is put in force for that */
    if (server->changing)
        return;
    spill_xfrm_acquire_expire(&handling);
    for (i = state->sa_count; i-- > 0;) {
        struct spill_xfrm_sa *sa = &state->sas[i];

        if (!sa->larval)
            spill_xfrm_look(server, sa, &handling.time, NULL);
        if (reached_hard(sa, handling.time.now)) {
            if (!sa->larval && spill_xfrm_prepare(server) != 0)
                continue; /* without memory the next look does it */
            sa = &state->sas[i];
            tell(&handling, sa, true);
            server->dirty |= !sa->larval;
            spill_xfrm_sa_remove(state, sa);
        } else if (!sa->larval && !sa->told_soft && reached_soft(sa, handling.time.now)) {
            sa->told_soft = true;
            tell(&handling, sa, false);
        } else {
            tell_place(&handling, sa);
        }
    }
    spill_xfrm_commit(server);
}
