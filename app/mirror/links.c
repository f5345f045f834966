/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "mirror/links.h"

/* Of an interface with its macvlans; the kernel may have more, which nothing asks for. */
#define ADDRESSES_MAX  64
#define IPV6_MTU_LEAST 1280

void spill_mirror_links_init(struct spill_mirror_links *links, const struct spill_mirror_sink *sink)
{
    TAILQ_INIT(&links->all);
    links->sink = sink;
}

static void forget_addresses(struct spill_mirror_link *link)
{
    struct spill_link_address *address, *next;

    for (address = TAILQ_FIRST(&link->addresses); address != NULL; address = next) {
        next = TAILQ_NEXT(address, entry);
        free(address);
    }
    TAILQ_INIT(&link->addresses);
}

void spill_mirror_links_free(struct spill_mirror_links *links)
{
    struct spill_mirror_link *link, *next;

    for (link = TAILQ_FIRST(&links->all); link != NULL; link = next) {
        next = TAILQ_NEXT(link, entry);
        forget_addresses(link);
        free(link);
    }
    TAILQ_INIT(&links->all);
}

/* A twin that is waited for as well. */
static struct spill_mirror_link *find(struct spill_mirror_links *links, uint32_t index)
{
    struct spill_mirror_link *link;

    TAILQ_FOREACH (link, &links->all, entry) {
        if (link->state.index == index)
            return link;
    }
    return NULL;
}

static struct spill_mirror_link *find_or_make(struct spill_mirror_links *links, uint32_t index)
{
    struct spill_mirror_link *link = find(links, index);

    if (link != NULL)
        return link;
    link = calloc(1, sizeof(*link));
    if (link == NULL)
        return NULL;
    link->state.index = index;
    link->interface = -1;
    TAILQ_INIT(&link->addresses);
    TAILQ_INSERT_TAIL(&links->all, link, entry);
    return link;
}

struct spill_mirror_link *spill_mirror_links_find(struct spill_mirror_links *links, uint32_t index)
{
    struct spill_mirror_link *link = find(links, index);

    return link != NULL && link->known ? link : NULL;
}

/* The twin that a link is, or is a macvlan on. */
static struct spill_mirror_link *twin_of(struct spill_mirror_links *links,
                                         struct spill_mirror_link *link)
{
    if (link != NULL && link->interface < 0)
        link = link->state.macvlan ? find(links, link->state.parent) : NULL;
    return link != NULL && link->interface >= 0 ? link : NULL;
}

int spill_mirror_links_interface(struct spill_mirror_links *links, uint32_t index)
{
    const struct spill_mirror_link *twin = twin_of(links, find(links, index));

    return twin != NULL ? twin->interface : -1;
}

/* Those of the twin stand before its macvlans': errors come from the first. */
static void tell_addresses(struct spill_mirror_links *links, const struct spill_mirror_link *twin)
{
    struct spill_ip_prefix all[ADDRESSES_MAX];
    const struct spill_link_address *address;
    struct spill_mirror_link *link;
    uint32_t count = 0, pass;

    for (pass = 0; pass < 2; pass++) {
        TAILQ_FOREACH (link, &links->all, entry) {
            if (twin_of(links, link) != twin || (link == twin) != (pass == 0))
                continue;
            TAILQ_FOREACH (address, &link->addresses, entry) {
                if (address->usable && count < ADDRESSES_MAX)
                    all[count++] = address->prefix;
            }
        }
    }
    links->sink->set_addresses(links->sink->context, (uint16_t)twin->interface, all, count);
}

static void tell_link(struct spill_mirror_links *links, const struct spill_mirror_link *twin,
                      bool new_mac)
{
    const struct spill_kernel_link *state = &twin->state;

    links->twin_changes++;
    links->sink->set_link(links->sink->context, (uint16_t)twin->interface, state->enabled,
                          state->carrier, state->mtu);
    if (new_mac)
        links->sink->set_mac(links->sink->context, (uint16_t)twin->interface, &state->mac);
}

/* VRRP takes the carrier from the macvlan of a virtual router that another one is (protodown): the
 * MAC is that one's then, and a frame to it would be forwarded twice. */
static bool takes_frames(const struct spill_kernel_link *macvlan)
{
    return macvlan != NULL && macvlan->enabled && macvlan->carrier;
}

/* What it is now: NULL: gone; and before: NULL: not there. */
static void tell_macvlan(const struct spill_mirror_links *links,
                         const struct spill_mirror_link *twin,
                         const struct spill_kernel_link *before,
                         const struct spill_kernel_link *now)
{
    const struct spill_mirror_sink *sink = links->sink;
    const bool took = takes_frames(before), takes = takes_frames(now);

    if (took && takes && rte_is_same_ether_addr(&before->mac, &now->mac))
        return;
    if (took)
        sink->remove_mac(sink->context, (uint16_t)twin->interface, &before->mac);
    if (takes)
        sink->add_mac(sink->context, (uint16_t)twin->interface, &now->mac);
}

/* What the sink hears of a link that was `before` and is as it is now. */
static void tell(struct spill_mirror_links *links, struct spill_mirror_link *link, bool was_known,
                 const struct spill_kernel_link *before)
{
    const struct spill_mirror_link *twin = twin_of(links, link);
    const struct spill_kernel_link *now = &link->state;
    const bool new_mac = !was_known || !rte_is_same_ether_addr(&before->mac, &now->mac);

    if (twin == NULL)
        return;
    if (twin != link) {
        tell_macvlan(links, twin, was_known ? before : NULL, now);
    } else if (new_mac || before->enabled != now->enabled || before->carrier != now->carrier ||
               before->mtu != now->mtu || strcmp(before->name, now->name) != 0) {
        tell_link(links, link, new_mac);
    }
}

int spill_mirror_links_add_twin(struct spill_mirror_links *links, uint32_t index,
                                uint16_t interface)
{
    struct spill_mirror_link *link = find_or_make(links, index);

    if (link == NULL)
        return -1;
    link->interface = interface;
    if (link->known)
        tell(links, link, false, &link->state);
    return 0;
}

void spill_mirror_links_remove_twin(struct spill_mirror_links *links, uint32_t index)
{
    struct spill_mirror_link *link = find(links, index);

    if (link == NULL)
        return;
    link->interface = -1;
    if (link->known)
        return;
    forget_addresses(link);
    TAILQ_REMOVE(&links->all, link, entry);
    free(link);
}

/* Whether addresses and routes that the link had are gone meanwhile: all, or IPv6's, which there is
 * none of below its least MTU (RFC 8200 5). */
static bool is_up_again(const struct spill_kernel_link *before, const struct spill_kernel_link *now)
{
    return now->enabled &&
           (!before->enabled || (before->mtu < IPV6_MTU_LEAST && now->mtu >= IPV6_MTU_LEAST));
}

int spill_mirror_links_set(struct spill_mirror_links *links, const struct spill_kernel_link *state,
                           uint32_t generation, struct spill_link_change *change)
{
    struct spill_mirror_link *link = find_or_make(links, state->index);
    struct spill_kernel_link before;
    bool was_known;

    memset(change, 0, sizeof(*change));
    if (link == NULL)
        return -1;
    before = link->state;
    was_known = link->known;
    link->state = *state;
    link->known = true;
    link->generation = generation;
    link->ups += was_known && is_up_again(&before, state);
    tell(links, link, was_known, &before);
    change->appeared = !was_known;
    change->went_down = was_known && before.enabled && !state->enabled;
    change->came_up = was_known && !before.enabled && state->enabled;
    change->stopped = was_known && before.running && !state->running;
    return 0;
}

void spill_mirror_links_remove(struct spill_mirror_links *links, uint32_t index)
{
    struct spill_mirror_link *link = spill_mirror_links_find(links, index);
    struct spill_mirror_link *twin = twin_of(links, link);

    if (link == NULL)
        return;
    forget_addresses(link);
    if (twin != NULL)
        tell_addresses(links, twin);
    if (link->interface < 0) {
        if (twin != NULL)
            tell_macvlan(links, twin, &link->state, NULL);
        TAILQ_REMOVE(&links->all, link, entry);
        free(link);
    } else {
        link->known = false;
        link->state = (struct spill_kernel_link){.index = index, .mtu = link->state.mtu};
        tell_link(links, link, false);
    }
}

static struct spill_link_address *find_address(struct spill_mirror_link *link,
                                               const struct spill_ip_prefix *prefix)
{
    struct spill_link_address *address;

    TAILQ_FOREACH (address, &link->addresses, entry) {
        if (address->prefix.length == prefix->length &&
            spill_ip_equal(&address->prefix.address, &prefix->address))
            return address;
    }
    return NULL;
}

int spill_mirror_links_set_address(struct spill_mirror_links *links,
                                   const struct spill_kernel_address *state, uint32_t generation)
{
    struct spill_mirror_link *link = spill_mirror_links_find(links, state->link);
    struct spill_link_address *address;
    bool changed, made = false;

    if (link == NULL)
        return 0;
    address = find_address(link, &state->prefix);
    if (address == NULL) {
        address = calloc(1, sizeof(*address));
        if (address == NULL)
            return -1;
        address->prefix = state->prefix;
        TAILQ_INSERT_TAIL(&link->addresses, address, entry);
        made = true;
    }
    changed = made || address->usable != state->usable;
    address->usable = state->usable;
    address->generation = generation;
    link->addresses_added += made;
    links->twin_changes += made && link->interface >= 0;
    if (changed && twin_of(links, link) != NULL)
        tell_addresses(links, twin_of(links, link));
    return made;
}

bool spill_mirror_links_remove_address(struct spill_mirror_links *links,
                                       const struct spill_kernel_address *state)
{
    struct spill_mirror_link *link = spill_mirror_links_find(links, state->link);
    struct spill_link_address *gone = link != NULL ? find_address(link, &state->prefix) : NULL;
    const struct spill_link_address *other;
    bool last = state->prefix.address.family == AF_INET;

    if (gone == NULL)
        return false;
    TAILQ_FOREACH (other, &link->addresses, entry)
        last &= other == gone || other->prefix.address.family != AF_INET;
    TAILQ_REMOVE(&link->addresses, gone, entry);
    if (twin_of(links, link) != NULL)
        tell_addresses(links, twin_of(links, link));
    free(gone);
    return last;
}

bool spill_mirror_links_stale(struct spill_mirror_links *links, uint32_t generation,
                              uint32_t *index)
{
    const struct spill_mirror_link *link;

    TAILQ_FOREACH (link, &links->all, entry) {
        if (link->known && link->generation != generation) {
            *index = link->state.index;
            return true;
        }
    }
    return false;
}

bool spill_mirror_links_stale_address(struct spill_mirror_links *links, uint32_t generation,
                                      struct spill_kernel_address *stale)
{
    const struct spill_link_address *address;
    const struct spill_mirror_link *link;

    TAILQ_FOREACH (link, &links->all, entry) {
        TAILQ_FOREACH (address, &link->addresses, entry) {
            if (address->generation != generation) {
                *stale = (struct spill_kernel_address){.link = link->state.index,
                                                       .prefix = address->prefix};
                return true;
            }
        }
    }
    return false;
}
