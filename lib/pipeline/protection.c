/* SPDX-License-Identifier: BSD-3-Clause */
/* What follows from a verdict: sent, encrypted or dropped. */
#include "pipeline/protection.h"

#include "ipsec/sa_set.h"
#include "pipeline/drops.h"
#include "pipeline/encryption.h"
#include "pipeline/inward.h"
#include "pipeline/onward.h"
#include "pipeline/reject.h"

static SPILL_DROP_REASON(esp_policy, "esp_policy",
                         "the packet came through an association, and its first matching rule is "
                         "not protect with that one");

static SPILL_DROP_REASON(tcp_no_connection, "tcp_no_connection",
                         "a TCP packet that a rule allows, but is of no connection and opens none, "
                         "with tcp-pickup = no");

static SPILL_DROP_REASON(
    beyond_limit, "beyond_limit",
    "its rule's limit was used up, and the rule protects, or there was no time to "
    "ask the next one");

static SPILL_DROP_REASON(esp_answer, "esp_answer",
                         "an error about a packet that came through an association, and no rule "
                         "protects what goes back");

/* What does not come through an SA, and may leave through one alone. */
static inline bool is_secret(const struct spill_packet *packet)
{
    return packet->kind <= SPILL_PACKET_IPV6 && packet->secret;
}

/* Why a packet that is neither sent nor encrypted is dropped. */
static const struct spill_drop_reason *reason_of(const struct spill_packet *packet)
{
    if (packet->verdict == SPILL_VERDICT_DENY && packet->sa == SPILL_SA_NO_CONNECTION)
        return &tcp_no_connection;
    if (packet->verdict == SPILL_VERDICT_DENY && packet->sa == SPILL_SA_BEYOND_LIMIT)
        return &beyond_limit;
    if (packet->verdict == SPILL_VERDICT_DENY &&
        (packet->sa == SPILL_SA_HOST_GETS || packet->sa == SPILL_SA_HOST_SENDS))
        return &spill_drop_denied;
    if (packet->inbound_sa != 0)
        return &esp_policy;
    if (is_secret(packet))
        return &esp_answer;
    return packet->verdict == SPILL_VERDICT_PROTECT ? &spill_drop_esp_required : &spill_drop_denied;
}

static bool is_rejected(const struct spill_packet *packet)
{
    return packet->verdict == SPILL_VERDICT_DENY && packet->sa == SPILL_SA_REJECT &&
           packet->inbound_sa == 0 && !is_secret(packet) && !packet->of_host;
}

/* The outbound SA that is to protect a clear packet, or NULL; mostly that of the one before it. */
static struct spill_sa *outbound_sa(const struct spill_fast *fast,
                                    const struct spill_packet *packet, struct spill_sa *last)
{
    struct spill_sa *sa;

    if (packet->verdict != SPILL_VERDICT_PROTECT || packet->inbound_sa != 0 || packet->of_host)
        return NULL;
    if (likely(last != NULL && last->id == packet->sa))
        return last;
    sa = spill_sa_set_get(fast->version.generation->sas, packet->sa);
    return sa != NULL && sa->config.direction == SPILL_SA_OUT ? sa : NULL;
}

/* The SA that a packet came through may be of an older version than its verdict, or the other way
 * round: it is the one that has taken its place. Or it stands for the one that the rule names. */
static inline bool may_be_sent(const struct spill_fast *fast, const struct spill_packet *packet)
{
    if (packet->inbound_sa == 0)
        return packet->verdict == SPILL_VERDICT_ALLOW && !is_secret(packet);
    if (packet->verdict != SPILL_VERDICT_PROTECT)
        return false;
    return packet->sa == packet->inbound_sa ||
           spill_sa_set_same_name(fast->version.generation->sas, packet->sa, packet->inbound_sa);
}

/* Whether what leaves has rules of its own to ask (onward.h): what may be sent as it came through
 * an SA, and an error about it, whose first rule may want it to come through one. */
static bool goes_onward(const struct spill_fast *fast, const struct spill_packet *packet)
{
    if (packet->inbound_sa != 0)
        return may_be_sent(fast, packet);
    return is_secret(packet) && packet->verdict == SPILL_VERDICT_PROTECT &&
           outbound_sa(fast, packet, NULL) == NULL;
}

/* Whether it waits for the association that a trap wants. */
static inline bool waits(const struct spill_packet *packet)
{
    return spill_acquisition_wants(packet) && packet->inbound_sa == 0 && !is_secret(packet);
}

bool spill_protection_passes(const struct spill_fast *fast, const struct spill_packet *packet)
{
    return may_be_sent(fast, packet) || outbound_sa(fast, packet, NULL) != NULL;
}

bool spill_protection_take_all(struct spill_fast *fast, struct rte_mbuf **mbufs,
                               struct spill_packet **packets, uint32_t count, uint64_t stamp)
{
    const uint16_t id = spill_flow_table_only_sa(fast->flows);
    struct spill_sa *sa;

    if (id == 0 || unlikely(spill_fast_owes(fast)))
        return false;
    sa = spill_sa_set_get(fast->version.generation->sas, id);
    if (sa == NULL || sa->config.direction != SPILL_SA_OUT)
        return false;
    spill_encryption_submit(fast, sa, mbufs, packets, count, stamp);
    return true;
}

uint32_t spill_protection_apply(struct spill_fast *fast, struct rte_mbuf **mbufs,
                                struct spill_packet **packets, uint32_t count, uint64_t stamp)
{
    struct spill_encryption encryption;
    struct rte_mbuf *denied[SPILL_BURST];
    uint32_t denied_count = 0, kept = 0, i;
    struct spill_sa *sa, *last = NULL;
    bool onward, inward;

    /* The rules may have been replaced within the turn: what waited is not overtaken. */
    if (unlikely(spill_fast_owes(fast)))
        spill_acquisition_look(fast, stamp);
    onward = fast->version.generation->onward != NULL;
    inward = fast->version.generation->inward != NULL;
    spill_encryption_begin(&encryption, stamp);
    for (i = 0; i < count; i++) {
        struct spill_packet *packet = packets[i];

        if (packet->verdict == SPILL_VERDICT_UNKNOWN)
            continue;
        if (unlikely(inward) && packet->inbound_sa != 0 && !may_be_sent(fast, packet))
            spill_inward_find(fast, mbufs[i], packet, stamp);
        sa = outbound_sa(fast, packet, last);
        if (unlikely(onward) && (packet->inbound_sa | packet->secret) != 0 &&
            goes_onward(fast, packet))
            sa = spill_onward_find(fast, mbufs[i], packet);
        if (sa != NULL && unlikely(packet->wrapped)) {
            spill_ledger_drop(&fast->ledger, &spill_drop_esp_wrapped, &mbufs[i], 1);
        } else if (sa != NULL) {
            spill_encryption_add(&encryption, mbufs[i], packet, sa);
            last = sa;
        } else if (may_be_sent(fast, packet)) {
            mbufs[kept] = mbufs[i];
            packets[kept++] = packet;
        } else if (unlikely(waits(packet))) {
            spill_acquisition_wait(fast, mbufs[i], packet, stamp,
                                   packet->of_host ? SPILL_ACQUISITION_HOST
                                                   : SPILL_ACQUISITION_FORWARDED);
        } else if (unlikely(packet->inbound_sa != 0) && spill_acquisition_wants(packet)) {
            spill_acquisition_refuse(fast, mbufs[i], packet, stamp);
        } else if (is_rejected(packet)) {
            spill_reject(fast, mbufs[i], packet, stamp);
        } else if (reason_of(packet) == &spill_drop_denied) {
            denied[denied_count++] = mbufs[i];
        } else {
            spill_ledger_drop(&fast->ledger, reason_of(packet), &mbufs[i], 1);
        }
    }
    if (denied_count > 0)
        spill_ledger_drop(&fast->ledger, &spill_drop_denied, denied, denied_count);
    if (encryption.count > 0)
        spill_encryption_submit_list(fast, &encryption);
    return kept;
}
