/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/watching.h"

#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_ring_elem.h>

#include "base/clock.h"
#include "control/commands_client.h"
#include "pipeline/capture.h"
#include "program.h"

#define LOOK_NS UINT64_C(10000000)
/* That every loop has begun a turn, until none can use what was taken away before. */
#define ROUNDS 2
/* At the end of the program, which does not wait for the client. */
#define LAST_LOOKS 64

/* ------------------------------------------------------------------------------- requests */

static int read_number(const json_t *object, const char *key, uint32_t least, uint32_t most,
                       uint32_t *number, size_t *keys, struct spill_error *error)
{
    const json_t *given = json_object_get(object, key);

    if (given == NULL)
        return 0;
    (*keys)++;
    if (!json_is_integer(given) || json_integer_value(given) < least ||
        json_integer_value(given) > most)
        return spill_error_set(error, "%s: expected %u to %u", key, least, most);
    *number = (uint32_t)json_integer_value(given);
    return 0;
}

static int read_text(const json_t *object, const char *key, char *text, size_t size, size_t *keys,
                     struct spill_error *error)
{
    const json_t *given = json_object_get(object, key);

    if (given == NULL)
        return 0;
    (*keys)++;
    if (!json_is_string(given) || json_string_length(given) == 0 ||
        json_string_length(given) >= size)
        return spill_error_set(error, "%s: expected a name", key);
    strcpy(text, json_string_value(given));
    return 0;
}

/* One instruction: [code, jt, jf, k]. */
static bool read_instruction(const json_t *given, struct bpf_insn *instruction)
{
    static const json_int_t most[] = {UINT16_MAX, UINT8_MAX, UINT8_MAX, UINT32_MAX};
    json_int_t numbers[RTE_DIM(most)];

    if (json_array_size(given) != RTE_DIM(most))
        return false;
    for (size_t i = 0; i < RTE_DIM(most); i++) {
        numbers[i] = json_integer_value(json_array_get(given, i));
        if (!json_is_integer(json_array_get(given, i)) || numbers[i] < 0 || numbers[i] > most[i])
            return false;
    }
    *instruction = (struct bpf_insn){.code = (u_short)numbers[0],
                                     .jt = (u_char)numbers[1],
                                     .jf = (u_char)numbers[2],
                                     .k = (bpf_u_int32)numbers[3]};
    return true;
}

static int read_filter(const json_t *object, struct spill_filter *filter, size_t *keys,
                       struct spill_error *error)
{
    const json_t *given = json_object_get(object, "filter");
    size_t i;

    if (given == NULL)
        return 0;
    (*keys)++;
    if (!json_is_array(given) || json_array_size(given) == 0 ||
        json_array_size(given) > SPILL_FILTER_MAX)
        return spill_error_set(error, "filter: expected 1 to %u instructions, [code, jt, jf, k]",
                               SPILL_FILTER_MAX);
    for (i = 0; i < json_array_size(given); i++) {
        if (!read_instruction(json_array_get(given, i), &filter->program[i]))
            return spill_error_set(error, "filter: instruction %zu: expected [code, jt, jf, k]", i);
    }
    filter->count = (uint32_t)json_array_size(given);
    return spill_filter_check(filter, error);
}

int spill_watch_read(const json_t *object, bool captures, struct spill_watch_wanted *wanted,
                     size_t *keys, struct spill_error *error)
{
    *keys = 0;
    wanted->filter.count = 0;
    wanted->count = 1;
    wanted->seconds = 0;
    wanted->port[0] = wanted->dropped[0] = '\0';
    wanted->bytes = SPILL_CAPTURE_BYTES_MAX;
    if (read_number(object, "count", 1, SPILL_WATCH_PACKETS_MAX, &wanted->count, keys, error) !=
            0 ||
        read_number(object, "seconds", 1, SPILL_WATCH_SECONDS_MAX, &wanted->seconds, keys, error) !=
            0 ||
        read_filter(object, &wanted->filter, keys, error) != 0)
        return -1;
    if (!captures)
        return 0;
    return read_number(object, "bytes", 14, SPILL_CAPTURE_BYTES_MAX, &wanted->bytes, keys, error) |
           read_text(object, "port", wanted->port, sizeof(wanted->port), keys, error) |
           read_text(object, "dropped", wanted->dropped, sizeof(wanted->dropped), keys, error);
}

/* ------------------------------------------------------------------------- lcores' watches */

static int make_watch(struct spill_watching *watching, uint32_t lcore, struct spill_error *error)
{
    const struct spill_plan_lcore *plan = &watching->program->plan.lcores[lcore];
    const int node = plan->memory_node < 0 ? SOCKET_ID_ANY : plan->memory_node;
    struct spill_watch *watch = rte_zmalloc_socket("watch", sizeof(*watch), 64, node);
    char name[RTE_RING_NAMESIZE];

    if (watch == NULL)
        return spill_error_set(error, "%s: no memory on node %d", plan->name, plan->memory_node);
    watching->watches[lcore] = watch;
    watching->kind->prepare(watching, lcore, watch);
    watch->filter = &watching->wanted.filter;
    watch->element = watching->record;
    snprintf(name, sizeof(name), "watch-%s", plan->name);
    watch->ring = rte_ring_create_elem(name, watch->element, watching->records, node,
                                       RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    if (watch->ring == NULL)
        return spill_error_set(error, "%s: no memory for records: %s", plan->name,
                               rte_strerror(rte_errno));
    return 0;
}

static void free_all(struct spill_watching *watching)
{
    for (uint32_t i = 0; i < SPILL_LCORES_MAX; i++) {
        if (watching->watches[i] != NULL)
            rte_ring_free(watching->watches[i]->ring);
        rte_free(watching->watches[i]);
    }
    watching->kind->end(watching);
    free(watching);
}

static int make_all(struct spill_watching *watching, struct spill_error *error)
{
    const struct spill_pipeline *pipeline = watching->program->pipeline;

    if (watching->kind->begin(watching, error) != 0)
        return -1;
    for (uint32_t i = 1; i < pipeline->config.plan->lcore_count; i++) {
        if (spill_watch_fits(pipeline, i) && make_watch(watching, i, error) != 0)
            return -1;
    }
    return 0;
}

/* ---------------------------------------------------------------------------- watching */

static void tell_end(struct spill_watching *watching)
{
    struct spill_command_client *client = watching->client;
    char text[256], error[sizeof(watching->reason) + sizeof(text) + 2];

    if (client == NULL)
        return;
    watching->client = NULL;
    watching->kind->sum_up(watching, text, sizeof(text));
    snprintf(error, sizeof(error), "%s: %s", watching->reason, text);
    spill_command_client_tell(
        client, &(struct spill_command_outcome){.error = watching->reason[0] != '\0' ? error : NULL,
                                                .text = text});
}

static void end_by(struct spill_watching *watching, const char *reason)
{
    snprintf(watching->reason, sizeof(watching->reason), "%s", reason);
}

/* The lcores have been told; those that began a turn before may still use theirs. */
static void leave(struct spill_watching *watching)
{
    if (!watching->leaves)
        spill_watch_publish(watching->program->pipeline, NULL);
    watching->leaves = true;
}

static bool is_empty(const struct spill_watching *watching)
{
    bool empty = true;

    for (uint32_t i = 0; i < SPILL_LCORES_MAX; i++)
        empty =
            empty && (watching->watches[i] == NULL || rte_ring_empty(watching->watches[i]->ring));
    return empty;
}

static void finish(struct spill_watching *watching)
{
    struct spill_program *program = watching->program;

    spill_event_remove(&watching->look);
    tell_end(watching);
    program->watching = NULL;
    free_all(watching);
}

static void look(void *context)
{
    struct spill_watching *watching = context;
    const struct spill_pipeline *pipeline = watching->program->pipeline;

    if (watching->leaves) {
        watching->rounds += spill_pipeline_turned(pipeline, watching->turns) ? 1 : 0;
        if (watching->rounds <= ROUNDS)
            return;
    }
    if ((watching->kind->take(watching) && !watching->leaves) ||
        (watching->until != 0 && spill_clock() > watching->until))
        leave(watching);
    if (watching->rounds > ROUNDS && (is_empty(watching) || watching->client == NULL))
        finish(watching);
}

bool spill_watching_has_room(const struct spill_watching *watching)
{
    return watching->client == NULL ||
           spill_command_client_room(watching->client) >= SPILL_COMMAND_LINES_MAX / 2;
}

bool spill_watching_tell(struct spill_watching *watching, const char *line, size_t size)
{
    if (watching->client == NULL)
        return false;
    if (spill_command_client_put(watching->client, line, size))
        return true;
    end_by(watching, "cut off: its lines were not taken in time");
    leave(watching);
    return false;
}

int spill_watching_begin(struct spill_program *program, const struct spill_watch_kind *kind,
                         const struct spill_watch_wanted *wanted, struct spill_error *error)
{
    struct spill_watching *watching;

    if (program->watching != NULL)
        return spill_error_set(error, "%s: another client watches packets now: one at a time",
                               kind->name);
    if (program->started == 0)
        return spill_error_set(error, "%s: the lcores do not run yet", kind->name);
    watching = calloc(1, sizeof(*watching));
    if (watching == NULL)
        return spill_error_set(error, "%s: no memory", kind->name);
    watching->program = program;
    watching->kind = kind;
    watching->wanted = *wanted;
    if (wanted->seconds != 0)
        watching->until = spill_clock() + wanted->seconds * rte_get_tsc_hz();
    if (make_all(watching, error) != 0 ||
        (spill_events_every(&program->events, &watching->look, LOOK_NS, look, watching) != 0 &&
         spill_error_set(error, "no memory") != 0)) {
        free_all(watching);
        return -1;
    }
    program->watching = watching;
    spill_watch_publish(program->pipeline, watching->watches);
    return 0;
}

void spill_watching_attach(struct spill_program *program, struct spill_command_client *client)
{
    program->watching->client = client;
}

void spill_watching_left(struct spill_program *program)
{
    if (program->watching == NULL)
        return;
    program->watching->client = NULL;
    leave(program->watching);
}

void spill_watching_port_left(struct spill_program *program, const char *name)
{
    struct spill_watching *watching = program->watching;

    if (watching == NULL || strcmp(watching->wanted.port, name) != 0)
        return;
    snprintf(watching->reason, sizeof(watching->reason), "port %s has left", name);
    leave(watching);
}

void spill_watching_close(struct spill_program *program)
{
    struct spill_watching *watching = program->watching;

    if (watching == NULL)
        return;
    leave(watching);
    for (uint32_t i = 0; i < LAST_LOOKS && !is_empty(watching); i++)
        watching->kind->take(watching);
    end_by(watching, "the program ends");
    if (program->hanging) { /* which may still write there */
        spill_event_remove(&watching->look);
        tell_end(watching);
        program->watching = NULL;
        return;
    }
    finish(watching);
}
