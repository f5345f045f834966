/* SPDX-License-Identifier: BSD-3-Clause */
/* Captures: packets that lcores copied, as lines of JSON for the client, who writes the file. */
#include "pipeline/capture.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ring_elem.h>

#include "control/steps.h"
#include "control/watch_names.h"
#include "control/watching.h"
#include "program.h"

#define AT_ONCE                                                                                    \
    64 /* packets of an lcore that one look takes: at most half of the client's room               \
        */
#define TITLE_MAX 4300
#define TEXT_MAX  (TITLE_MAX * 2 + SPILL_CAPTURE_BYTES_MAX * 2 + 1024)

struct capturing {
    struct spill_capture_choice choice;
    uint32_t told;
    uint64_t record[(sizeof(struct spill_capture_record) + SPILL_CAPTURE_BYTES_MAX + 8) / 8];
    char line[TEXT_MAX];
    char data[2 * SPILL_CAPTURE_BYTES_MAX + 1];
};

static const char *const events[] = {
    [SPILL_CAPTURE_IN] = "in", [SPILL_CAPTURE_OUT] = "out", [SPILL_CAPTURE_DROPPED] = "dropped"};

static void write_data(struct capturing *capturing, const struct spill_capture_record *record)
{
    static const char DIGITS[] = "0123456789abcdef";
    char *to = capturing->data;

    for (uint32_t i = 0; i < record->kept; i++) {
        *to++ = DIGITS[record->data[i] >> 4];
        *to++ = DIGITS[record->data[i] & 0xf];
    }
    *to = '\0';
}

static void write_line(struct spill_watching *watching, FILE *out,
                       const struct spill_capture_record *record)
{
    struct capturing *capturing = watching->state;
    const struct spill_program *program = watching->program;
    const bool dropped = record->event == SPILL_CAPTURE_DROPPED;
    char title[TITLE_MAX];
    struct spill_json json;

    spill_json_begin_line(&json, out);
    spill_json_object_begin(&json, NULL);
    spill_json_unsigned(&json, "time_ns", spill_program_time_of(record->time));
    spill_json_string(&json, "event", events[record->event]);
    /* One that was captured may have left since, and has no id any more. */
    spill_json_string(&json, "port",
                      dropped ? spill_watch_port_name(program, record->port)
                              : watching->wanted.port);
    if (dropped)
        spill_json_string(&json, "reason", spill_drop_reason_get(record->reason)->name);
    if (spill_watch_rule_title(program, record->tally, title, sizeof(title)))
        spill_json_string(&json, "rule", title);
    spill_json_unsigned(&json, "bytes", record->length);
    write_data(capturing, record);
    spill_json_string(&json, "data", capturing->data);
    spill_json_object_end(&json);
    spill_json_end(&json);
}

static void tell(struct spill_watching *watching, const struct spill_capture_record *record)
{
    struct capturing *capturing = watching->state;
    FILE *out = fmemopen(capturing->line, sizeof(capturing->line), "w");
    long size;

    if (out == NULL)
        return;
    write_line(watching, out, record);
    size = ftell(out);
    fclose(out);
    if (size > 0)
        spill_watching_tell(watching, capturing->line, (size_t)size);
}

static bool take(struct spill_watching *watching)
{
    struct capturing *capturing = watching->state;

    for (uint32_t i = 0; i < SPILL_LCORES_MAX; i++) {
        const struct spill_watch *watch = watching->watches[i];

        for (uint32_t n = 0; watch != NULL && n < AT_ONCE && spill_watching_has_room(watching);
             n++) {
            if (rte_ring_sc_dequeue_elem(watch->ring, capturing->record, watch->element) != 0)
                break;
            if (capturing->told == watching->wanted.count)
                continue;
            capturing->told++;
            tell(watching, (const struct spill_capture_record *)capturing->record);
        }
    }
    return capturing->told == watching->wanted.count;
}

static void sum_up(const struct spill_watching *watching, char *text, size_t size)
{
    const struct capturing *capturing = watching->state;
    uint64_t lost = 0;

    for (uint32_t i = 0; i < SPILL_LCORES_MAX; i++)
        lost += watching->watches[i] != NULL ? watching->watches[i]->lost : 0;
    snprintf(text, size, "%u packets captured, %" PRIu64 " lost", capturing->told, lost);
}

static void end(struct spill_watching *watching)
{
    free(watching->state);
}

/* ---------------------------------------------------------------------- what is captured */

static int choose_drops(struct spill_capture_choice *choice, const char *name,
                        struct spill_error *error)
{
    bool found = false;

    for (unsigned id = 0; id < spill_drop_reason_count() && *name != '\0'; id++) {
        choice->reasons[id] =
            strcmp(name, "any") == 0 || strcmp(name, spill_drop_reason_get(id)->name) == 0;
        found = found || choice->reasons[id];
    }
    return found || *name == '\0' ? 0
                                  : spill_error_set(error,
                                                    "where-dropped '%s': expected any, or a drop "
                                                    "reason of docs/reference.md",
                                                    name);
}

static int choose_port(const struct spill_program *program, struct spill_capture_choice *choice,
                       const char *name, struct spill_error *error)
{
    choice->port = SPILL_CAPTURE_NO_PORT;
    for (uint32_t i = 0; i < program->port_count; i++) {
        if (spill_program_has_port(program, i) && strcmp(program->ports[i].name, name) == 0)
            choice->port = program->ports[i].id;
    }
    return choice->port != SPILL_CAPTURE_NO_PORT || *name == '\0'
               ? 0
               : spill_error_set(error, "port '%s': there is none of this name", name);
}

static int begin(struct spill_watching *watching, struct spill_error *error)
{
    const struct spill_watch_wanted *wanted = &watching->wanted;
    struct capturing *capturing = calloc(1, sizeof(*capturing));

    watching->state = capturing;
    if (capturing == NULL)
        return spill_error_set(error, "capture: no memory");
    capturing->choice.bytes = wanted->bytes;
    watching->record = spill_capture_element(wanted->bytes);
    watching->records = SPILL_CAPTURE_RING / watching->record;
    if (wanted->port[0] == '\0' && wanted->dropped[0] == '\0')
        return spill_error_set(error, "capture: expected a port, or where-dropped");
    return choose_drops(&capturing->choice, wanted->dropped, error) == 0
               ? choose_port(watching->program, &capturing->choice, wanted->port, error)
               : -1;
}

static void prepare(struct spill_watching *watching, uint32_t lcore, struct spill_watch *watch)
{
    const struct capturing *capturing = watching->state;

    (void)lcore;
    spill_capture_init(watch, &capturing->choice, watching->wanted.count);
}

const struct spill_watch_kind spill_capturing = {
    .name = "capture",
    .begin = begin,
    .prepare = prepare,
    .take = take,
    .sum_up = sum_up,
    .end = end,
};
