/* SPDX-License-Identifier: BSD-3-Clause */
/* Traces: what lcores noted of packets on their way, as lines of JSON for the client. */
#include "pipeline/trace.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ring_elem.h>

#include "base/clock.h"
#include "control/watch_names.h"
#include "control/watching.h"
#include "program.h"

#define AT_ONCE     1024 /* records of all lcores that one look takes */
#define TEXT_MAX    8192
#define NUMBERS_MAX ((1u << SPILL_TRACE_LCORE_SHIFT) - 1)
/* How long packets may still be under way once all have come: a neighbour is waited for 3 s. */
#define PATIENCE_S 5

/* A packet that is told of. */
struct way {
    uint64_t began, last; /* TSC */
    bool over;
};

struct tracing {
    uint32_t before; /* packets that each lcore may have numbered for traces before */
    uint32_t begun, over;
    uint64_t full;    /* TSC when the last of those that are wanted had come; 0: not yet */
    struct way *ways; /* by number of the packet, less one; owned */
    uint32_t *numbers[SPILL_LCORES_MAX]; /* by that of the lcore that received it; owned */
    struct spill_trace_record records[AT_ONCE];
};

/* --------------------------------------------------------------------------------- values */

static void write_packet(struct spill_watching *watching, struct spill_json *json,
                         const struct spill_trace_packet *packet)
{
    static const char *const NAMES[2][2] = {{"source", "source_port"},
                                            {"destination", "destination_port"}};
    const int family = packet->kind == SPILL_PACKET_IPV4 ? AF_INET : AF_INET6;
    char address[INET6_ADDRSTRLEN];

    spill_json_string(json, "in", spill_watch_port_name(watching->program, packet->input));
    spill_json_unsigned(json, "bytes", packet->length);
    if (packet->kind == SPILL_PACKET_OTHER)
        spill_json_unsigned(json, "ethertype", packet->port[0]);
    if (packet->kind > SPILL_PACKET_IPV6)
        return;
    if (packet->vlan != 0)
        spill_json_unsigned(json, "vlan", packet->vlan & 0xfff);
    spill_json_unsigned(json, "protocol", packet->protocol);
    for (unsigned end = 0; end < 2; end++) {
        inet_ntop(family, packet->address[end], address, sizeof(address));
        spill_json_string(json, NAMES[end][0], address);
        if (packet->has_ports)
            spill_json_unsigned(json, NAMES[end][1], packet->port[end]);
    }
    if (packet->has_type) {
        spill_json_unsigned(json, "type", packet->port[0]);
        spill_json_unsigned(json, "code", packet->port[1]);
    }
    if (packet->fragment)
        spill_json_boolean(json, "fragment", true);
}

static void write_address(struct spill_json *json, const char *name, const uint32_t *words)
{
    char text[INET6_ADDRSTRLEN];

    if (words[0] > SPILL_PACKET_IPV6)
        return;
    inet_ntop(words[0] == SPILL_PACKET_IPV4 ? AF_INET : AF_INET6, &words[1], text, sizeof(text));
    spill_json_string(json, name, text);
}

static void write_mac(struct spill_json *json, const char *name, const uint32_t *words)
{
    uint8_t bytes[8];
    char text[18];

    memcpy(bytes, words, sizeof(bytes));
    if ((words[0] | words[1]) == 0)
        return;
    snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2],
             bytes[3], bytes[4], bytes[5]);
    spill_json_string(json, name, text);
}

/* What has a name, where it is known. */
static void write_name(struct spill_json *json, const char *name, const char *text)
{
    if (text != NULL)
        spill_json_string(json, name, text);
}

/* Writes a value, and returns how many words it has. */
static uint32_t write_value(struct spill_watching *watching, struct spill_json *json,
                            const struct spill_trace_value *value, const uint32_t *words)
{
    static const char *const verdicts[] = {[SPILL_VERDICT_UNKNOWN] = "none yet",
                                           [SPILL_VERDICT_ALLOW] = "allow",
                                           [SPILL_VERDICT_DENY] = "deny",
                                           [SPILL_VERDICT_PROTECT] = "protect"};
    const struct spill_program *program = watching->program;
    struct spill_trace_packet packet;
    char title[TEXT_MAX / 2];

    switch (value->kind) {
    case SPILL_TRACE_NUMBER:
        spill_json_unsigned(json, value->name, words[0]);
        break;
    case SPILL_TRACE_PORT:
        write_name(json, value->name, spill_watch_port_name(program, words[0]));
        break;
    case SPILL_TRACE_RULE:
        if (spill_watch_rule_title(program, words[0], title, sizeof(title)))
            spill_json_string(json, value->name, title);
        break;
    case SPILL_TRACE_VERDICT:
        spill_json_string(json, value->name, verdicts[words[0] % RTE_DIM(verdicts)]);
        break;
    case SPILL_TRACE_SA:
        write_name(json, value->name, spill_watch_sa_name(program, words[0]));
        break;
    case SPILL_TRACE_REASON:
        spill_json_string(json, value->name, spill_drop_reason_get(words[0])->name);
        break;
    case SPILL_TRACE_WORD:
        spill_json_string(json, value->name, value->words[words[0]]);
        break;
    case SPILL_TRACE_INTERFACE:
        write_name(json, value->name, spill_watch_interface_name(program, words[0]));
        break;
    case SPILL_TRACE_LCORE:
        spill_json_string(json, value->name, program->plan.lcores[words[0]].name);
        break;
    case SPILL_TRACE_MAC:
        write_mac(json, value->name, words);
        return 2;
    case SPILL_TRACE_ADDRESS:
        write_address(json, value->name, words);
        return 5;
    case SPILL_TRACE_PACKET:
        memcpy(&packet, words, sizeof(packet));
        write_packet(watching, json, &packet);
        break;
    }
    return 1;
}

/* ----------------------------------------------------------------------------------- lines */

static double microseconds(uint64_t cycles)
{
    return (double)cycles * 1e6 / (double)rte_get_tsc_hz();
}

/* An lcore's TSC may be some cycles behind another's. */
static uint64_t since(uint64_t now, uint64_t then)
{
    return now > then ? now - then : 0;
}

static void write_line(struct spill_watching *watching, FILE *out, uint32_t number,
                       const struct spill_trace_record *record, const char *lcore)
{
    const struct tracing *tracing = watching->state;
    const struct way *way = &tracing->ways[number - 1];
    const struct spill_trace_value *value = record->line->values;
    const uint32_t *words = record->values;
    struct spill_json json;

    spill_json_begin_line(&json, out);
    spill_json_object_begin(&json, NULL);
    spill_json_unsigned(&json, "packet", number);
    spill_watch_write_time(&json, "time", record->time);
    spill_json_double(&json, "since_receive_us", microseconds(since(record->time, way->began)));
    spill_json_double(&json, "since_stage_us", microseconds(since(record->time, way->last)));
    spill_json_string(&json, "lcore", lcore);
    spill_json_string(&json, "stage", record->line->stage);
    for (; value < record->line->values + SPILL_TRACE_VALUES && value->name != NULL; value++)
        words += write_value(watching, &json, value, words);
    if (record->line->last)
        spill_json_boolean(&json, "last", true);
    spill_json_object_end(&json);
    spill_json_end(&json);
}

static void tell(struct spill_watching *watching, uint32_t number,
                 const struct spill_trace_record *record, const char *lcore)
{
    char line[TEXT_MAX];
    FILE *out = fmemopen(line, sizeof(line), "w");
    long size;

    if (out == NULL)
        return;
    write_line(watching, out, number, record, lcore);
    size = ftell(out);
    fclose(out);
    if (size > 0)
        spill_watching_tell(watching, line, (size_t)size);
}

/* --------------------------------------------------------------------------------- records */

/* The number that the client knows a packet by; 0: it is told of no more. */
static uint32_t number_of(struct spill_watching *watching, const struct spill_trace_record *record)
{
    struct tracing *tracing = watching->state;
    const uint32_t lcore = record->packet >> SPILL_TRACE_LCORE_SHIFT;
    const uint32_t index = (record->packet & NUMBERS_MAX) - 1 - tracing->before;
    uint32_t *number;

    if (lcore >= SPILL_LCORES_MAX || tracing->numbers[lcore] == NULL ||
        index >= watching->wanted.count)
        return 0;
    number = &tracing->numbers[lcore][index];
    if (*number == 0 && record->line->values[0].kind == SPILL_TRACE_PACKET &&
        tracing->begun < watching->wanted.count) {
        *number = ++tracing->begun;
        tracing->ways[*number - 1].began = tracing->ways[*number - 1].last = record->time;
        if (tracing->begun == watching->wanted.count)
            tracing->full = spill_clock();
    }
    return *number;
}

static void take_record(struct spill_watching *watching, const struct spill_trace_record *record,
                        const char *lcore)
{
    struct tracing *tracing = watching->state;
    const uint32_t number = number_of(watching, record);
    struct way *way = &tracing->ways[number - 1];

    if (number == 0)
        return;
    tell(watching, number, record, lcore);
    way->last = record->time;
    tracing->over += record->line->last && !way->over;
    way->over = way->over || record->line->last;
}

/* Which record of several lcores is the older one; where each lcore's are in order. */
struct source {
    const char *lcore;
    uint32_t first, end;
};

static struct source *oldest(const struct tracing *tracing, struct source *sources, uint32_t count)
{
    struct source *found = NULL;

    for (uint32_t i = 0; i < count; i++) {
        if (sources[i].first < sources[i].end &&
            (found == NULL || (int64_t)(tracing->records[sources[i].first].time -
                                        tracing->records[found->first].time) < 0))
            found = &sources[i];
    }
    return found;
}

static bool take(struct spill_watching *watching)
{
    struct tracing *tracing = watching->state;
    struct source sources[SPILL_LCORES_MAX], *source;
    uint32_t count = 0, used = 0;

    for (uint32_t i = 0; i < SPILL_LCORES_MAX; i++) {
        const struct spill_watch *watch = watching->watches[i];

        if (watch == NULL || !spill_watching_has_room(watching))
            continue;
        sources[count].lcore = watching->program->plan.lcores[i].name;
        sources[count].first = used;
        used += rte_ring_sc_dequeue_burst_elem(watch->ring, &tracing->records[used],
                                               sizeof(tracing->records[0]), AT_ONCE - used, NULL);
        sources[count++].end = used;
    }
    while ((source = oldest(tracing, sources, count)) != NULL)
        take_record(watching, &tracing->records[source->first++], source->lcore);
    return tracing->full != 0 && (tracing->over == tracing->begun ||
                                  spill_clock() - tracing->full > PATIENCE_S * rte_get_tsc_hz());
}

static void sum_up(const struct spill_watching *watching, char *text, size_t size)
{
    const struct tracing *tracing = watching->state;
    uint64_t lost = 0, missed = 0;

    for (uint32_t i = 0; i < SPILL_LCORES_MAX; i++) {
        lost += watching->watches[i] != NULL ? watching->watches[i]->lost : 0;
        missed += watching->watches[i] != NULL ? watching->watches[i]->missed : 0;
    }
    snprintf(text, size,
             "%u packets traced, %u of them to their end; %" PRIu64 " records lost, %" PRIu64
             " packets passed over for want of room",
             tracing->begun, tracing->over, lost, missed);
}

static void end(struct spill_watching *watching)
{
    struct tracing *tracing = watching->state;

    if (tracing == NULL)
        return;
    for (uint32_t i = 0; i < SPILL_LCORES_MAX; i++)
        free(tracing->numbers[i]);
    free(tracing->ways);
    free(tracing);
}

static int begin(struct spill_watching *watching, struct spill_error *error)
{
    static uint32_t numbered;
    struct tracing *tracing = calloc(1, sizeof(*tracing));

    /* A packet of the trace before may be under way still, and is none of this one's. */
    if (numbered + watching->wanted.count > NUMBERS_MAX)
        numbered = 0;
    if (tracing != NULL)
        tracing->before = numbered;
    numbered += watching->wanted.count;
    watching->state = tracing;
    watching->record = sizeof(struct spill_trace_record);
    watching->records = SPILL_TRACE_RECORDS;
    if (tracing != NULL)
        tracing->ways = calloc(watching->wanted.count, sizeof(*tracing->ways));
    return tracing != NULL && tracing->ways != NULL ? 0
                                                    : spill_error_set(error, "trace: no memory");
}

static void prepare(struct spill_watching *watching, uint32_t lcore, struct spill_watch *watch)
{
    struct tracing *tracing = watching->state;

    spill_trace_init(watch, lcore, tracing->before, watching->wanted.count);
    tracing->numbers[lcore] = calloc(watching->wanted.count, sizeof(uint32_t));
}

const struct spill_watch_kind spill_tracing = {
    .name = "trace",
    .begin = begin,
    .prepare = prepare,
    .take = take,
    .sum_up = sum_up,
    .end = end,
};
