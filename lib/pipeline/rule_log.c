/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/rule_log.h"

#include <stdio.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ring_elem.h>

#include "packet/parse.h"
#include "pipeline/fast.h"

static SPILL_COUNTER(records, "rule_log", "records", "records", "of what rules with log decided");
static SPILL_COUNTER(limited, "rule_log", "limited", "records",
                     "not made, as their rule had made as many as it may");
static SPILL_COUNTER(lost, "rule_log", "lost", "records",
                     "not made, as those before were not taken yet");

struct rte_ring *spill_rule_log_create(const char *lcore, int socket, struct spill_error *error)
{
    char name[RTE_RING_NAMESIZE];
    struct rte_ring *ring;

    snprintf(name, sizeof(name), "rule-log-%s", lcore);
    ring = rte_ring_create_elem(name, sizeof(struct spill_rule_record), SPILL_RULE_LOG_RECORDS,
                                socket, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    if (ring == NULL)
        spill_error_set(error, "%s: no memory for the records of rules: %s", lcore,
                        rte_strerror(rte_errno));
    return ring;
}

/* Whether a rule may make a record (the generic cell rate algorithm, ITU-T I.371). */
static bool may_record(struct spill_fast *fast, uint32_t tally, uint64_t now)
{
    const struct spill_rule_listed *rule =
        spill_rule_list_find(fast->version.generation->list, tally);
    const uint64_t interval = rule != NULL ? rule->log_interval : 0;
    uint64_t *due;

    if (interval == 0)
        return true;
    due = &spill_flow_table_count_of(fast->flows, tally)->record_due;
    if ((int64_t)(*due - now) > (int64_t)(interval * (SPILL_RULE_LOG_BURST - 1)))
        return false;
    *due = RTE_MAX(*due, now) + interval;
    return true;
}

void spill_rule_log_note(struct spill_fast *fast, const struct spill_packet *packet, uint32_t tally,
                         uint64_t now)
{
    struct spill_rule_record record = {
        .stamp = now,
        .tally = tally,
        .length = packet->length,
        .verdict = packet->verdict,
        .rejected = packet->verdict == SPILL_VERDICT_DENY && packet->sa == SPILL_SA_REJECT,
        .family = packet->kind,
        .protocol = spill_packet_protocol(packet),
        .input = packet->reversed ? packet->output : packet->input,
        .vlan = SPILL_VLAN_PLACE &
                (packet->kind == SPILL_PACKET_IPV4 ? packet->key.v4.vlan : packet->key.v6.vlan),
    };
    enum spill_packet_port has;

    if (!may_record(fast, tally, now)) {
        spill_ledger_count(&fast->ledger, &limited, 1);
        return;
    }
    has = spill_packet_ends(packet, record.address, record.port);
    record.has_ports = has == SPILL_PACKET_PORTS;
    record.has_type = has == SPILL_PACKET_TYPE;
    if (rte_ring_sp_enqueue_elem(fast->rule_log, &record, sizeof(record)) == 0)
        spill_ledger_count(&fast->ledger, &records, 1);
    else
        spill_ledger_count(&fast->ledger, &lost, 1);
}

uint32_t spill_rule_log_take(struct rte_ring *ring, struct spill_rule_record *into, uint32_t most)
{
    return rte_ring_sc_dequeue_burst_elem(ring, into, sizeof(*into), most, NULL);
}
