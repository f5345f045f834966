/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who gives way to whom. Each class has a list, the oldest first, that goes through the entries
 * themselves; so an entry is taken out of it, and put at its end, in constant time.
 *
 * A packet changes no list: that would cost each of them two cache misses more. What it says
 * of its flow (that both sides have spoken, that it is in use) is looked at when the flow is the
 * oldest of its list and somebody wants its slot: it may then go to another class, or to the end
 * once more (the second chance of CLOCK).
 */
#include "classify/flow_family.h"

/* Strangers that are looked at for one that may go, and allowed flows: half of these get a second
 * chance if they are in use. */
#define LOOKS         32
#define ALLOWED_LOOKS 16

#define LINK(slot) ((slot) & ((1u << SPILL_FLOW_SLOT_BITS) - 1))

void spill_flow_lists_init(struct spill_flow_family *family)
{
    for (unsigned class = 0; class < SPILL_FLOW_CLASSES; class ++) {
        struct spill_flow *list = spill_flow_list(family, class);

        list->next = list->previous = LINK(family->slots + class);
    }
}

static void unlist(struct spill_flow_family *family, struct spill_flow *flow)
{
    spill_flow_at(family, flow->previous)->next = flow->next;
    spill_flow_at(family, flow->next)->previous = flow->previous;
}

void spill_flow_enlist(struct spill_flow_family *family, struct spill_flow *flow,
                       enum spill_flow_class class)
{
    struct spill_flow *list = spill_flow_list(family, class);
    uint32_t slot = spill_flow_slot(family, flow);

    if (flow->class != SPILL_FLOW_FREE)
        unlist(family, flow);
    flow->class = class;
    flow->previous = list->previous;
    flow->next = LINK(family->slots + class);
    spill_flow_at(family, list->previous)->next = LINK(slot);
    list->previous = LINK(slot);
}

void spill_flow_remove(struct spill_flow_family *family, const struct spill_flow_hash *hash,
                       struct spill_flow *flow)
{
    spill_flow_groups_give(&family->groups, spill_flow_hash_entry(hash, family, flow),
                           spill_flow_slot(family, flow));
    family->allowed -= flow->class > SPILL_FLOW_STRANGER;
    family->entry_count--;
    unlist(family, flow);
    flow->class = SPILL_FLOW_FREE;
    flow->inner_vlan = SPILL_FLOW_NO_VLAN;
}

/* The oldest of a class; NULL when there is none. */
static struct spill_flow *oldest(const struct spill_flow_family *family,
                                 enum spill_flow_class class)
{
    uint32_t slot = (uint32_t)spill_flow_list(family, class)->next;

    return slot < family->slots ? spill_flow_at(family, slot) : NULL;
}

static enum spill_flow_class class_of(const struct spill_flow *flow)
{
    return spill_flow_is_established(flow) ? SPILL_FLOW_ESTABLISHED : SPILL_FLOW_ONE_SIDED;
}

/* Of a class, one that is not in use goes. False: none may. */
static bool displace(struct spill_flow_family *family, const struct spill_flow_hash *hash,
                     enum spill_flow_class class)
{
    struct spill_flow *flow;

    for (unsigned i = 0; i < ALLOWED_LOOKS && (flow = oldest(family, class)) != NULL; i++) {
        const bool in_use = (flow->spoken & SPILL_FLOW_SPOKE_AGAIN) != 0 && i < ALLOWED_LOOKS / 2;

        if (flow->pending == 0 && class_of(flow) == class && !in_use) {
            spill_flow_remove(family, hash, flow);
            return true;
        }
        flow->spoken &= (uint8_t)~SPILL_FLOW_SPOKE_AGAIN;
        spill_flow_enlist(family, flow, class_of(flow));
    }
    return false;
}

uint32_t spill_flow_promote(struct spill_flow_family *family, const struct spill_flow_hash *hash,
                            struct spill_flow *flow)
{
    const enum spill_flow_class class = class_of(flow);
    uint32_t gone = 0;

    if (family->allowed == family->allowed_most) {
        if (!displace(family, hash, SPILL_FLOW_ONE_SIDED) &&
            (class == SPILL_FLOW_ONE_SIDED || !displace(family, hash, SPILL_FLOW_ESTABLISHED)))
            return 0;
        gone = 1;
    }
    spill_flow_enlist(family, flow, class);
    family->allowed++;
    return gone;
}

void spill_flow_demote(struct spill_flow_family *family, struct spill_flow *flow)
{
    family->allowed--;
    spill_flow_enlist(family, flow, SPILL_FLOW_STRANGER);
}

bool spill_flow_evict(struct spill_flow_family *family, const struct spill_flow_hash *hash)
{
    struct spill_flow *flow;

    for (unsigned i = 0; i < LOOKS && (flow = oldest(family, SPILL_FLOW_STRANGER)) != NULL; i++) {
        if (spill_flow_is_allowed(flow)) { /* it found no slot when it became so */
            if (spill_flow_promote(family, hash, flow) > 0)
                return true;
            if (flow->class != SPILL_FLOW_STRANGER)
                continue;
        }
        if (flow->pending == 0) {
            spill_flow_remove(family, hash, flow);
            return true;
        }
        spill_flow_enlist(family, flow, SPILL_FLOW_STRANGER);
    }
    return false;
}

/* Of the slots that a key may have, the first whose flow is a stranger that may go; one that is
 * allowed, and found no slot among those, only if no other is there. */
static struct spill_flow *stranger_near(const struct spill_flow_family *family, uint64_t of_key)
{
    struct spill_flow_probe probe = spill_flow_probe(&family->groups, of_key);
    struct spill_flow *found = NULL;

    for (unsigned i = 0; i < SPILL_FLOW_PROBES; i++) {
        for (uint32_t slot = 0; slot < SPILL_FLOW_GROUP; slot++) {
            struct spill_flow *flow =
                spill_flow_at(family, (uint64_t)probe.group * SPILL_FLOW_GROUP + slot);

            if (flow->class != SPILL_FLOW_STRANGER || flow->pending != 0)
                continue;
            if (!spill_flow_is_allowed(flow))
                return flow;
            found = flow;
        }
        spill_flow_probe_next(&family->groups, &probe);
    }
    return found;
}

bool spill_flow_evict_near(struct spill_flow_family *family, const struct spill_flow_hash *hash,
                           uint64_t of_key)
{
    struct spill_flow *flow = stranger_near(family, of_key);

    if (flow != NULL)
        spill_flow_remove(family, hash, flow);
    return flow != NULL;
}
