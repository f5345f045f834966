/* SPDX-License-Identifier: BSD-3-Clause */
/* lcores: what each did; with --slow the turns that took too long, as the program keeps them. */
#include <inttypes.h>
#include <string.h>

#include "command.h"
#include "control_socket.h"
#include "instance.h"
#include "table.h"

#define ASK_SECONDS 5
#define CELL_SIZE   256

static const char *const HEADINGS[] = {"LCORE",     "TIME",     "TURN us",   "PACKETS",
                                       "BEFORE us", "AFTER us", "STAGES us", "CAUSE",
                                       "WAITED us", "STOLEN us"};

static void add_number(struct spill_ctl_table *table, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    char text[32] = "-";

    if (json_is_number(value))
        snprintf(text, sizeof(text), json_is_integer(value) ? "%.0f" : "%.1f",
                 json_number_value(value));
    spill_ctl_table_add(table, text);
}

static void add_text(struct spill_ctl_table *table, const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    spill_ctl_table_add(table, text != NULL ? text : "-");
}

/* Each stage with its time, in one cell. */
static void add_stages(struct spill_ctl_table *table, json_t *turn)
{
    json_t *stages = json_object_get(turn, "stages_us"), *value;
    char text[CELL_SIZE] = "-";
    size_t used = 0;
    const char *name;

    json_object_foreach(stages, name, value)
    {
        const int size = snprintf(text + used, sizeof(text) - used, "%s%s %.1f",
                                  used > 0 ? ", " : "", name, json_number_value(value));

        if (size < 0 || (size_t)size >= sizeof(text) - used)
            break;
        used += (size_t)size;
    }
    spill_ctl_table_add(table, text);
}

static int print(json_t *stalls, FILE *out)
{
    const size_t columns = sizeof(HEADINGS) / sizeof(HEADINGS[0]);
    struct spill_ctl_table table;
    json_t *stall;
    size_t i;

    spill_ctl_table_begin(&table, (unsigned)columns);
    for (i = 0; i < columns; i++)
        spill_ctl_table_add(&table, HEADINGS[i]);
    json_array_foreach(stalls, i, stall)
    {
        json_t *turn = json_object_get(stall, "turn"), *kernel = json_object_get(stall, "kernel");

        add_text(&table, stall, "lcore");
        add_text(&table, stall, "time");
        add_number(&table, turn, "us");
        add_number(&table, turn, "packets");
        add_number(&table, json_object_get(stall, "before"), "us");
        add_number(&table, json_object_get(stall, "after"), "us");
        add_stages(&table, turn);
        add_text(&table, stall, "cause");
        add_number(&table, kernel, "waited_for_cpu_us");
        add_number(&table, kernel, "stolen_us");
    }
    return spill_ctl_table_end(&table, out);
}

static enum spill_ctl_status show_slow(const struct spill_ctl_request *request, FILE *out,
                                       struct spill_error *error)
{
    char path[PATH_MAX];
    json_t *answer, *stalls;

    if (spill_ctl_instance_path(request, "control", path, error) != 0 ||
        (answer = spill_ctl_control_do(path, "slow", NULL, ASK_SECONDS, error)) == NULL)
        return SPILL_CTL_FAILED;
    stalls = json_object_get(answer, "slow");
    if ((request->given & SPILL_CTL_TAKES(JSON)) != 0) {
        json_dumpf(stalls, out, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
        fputc('\n', out);
    } else if (print(stalls, out) != 0) {
        spill_error_set(error, "no memory");
    }
    json_decref(answer);
    return error->text[0] == '\0' ? SPILL_CTL_DONE : SPILL_CTL_FAILED;
}

enum spill_ctl_status spill_ctl_lcores(const struct spill_ctl_request *request, FILE *out,
                                       struct spill_error *error)
{
    return (request->given & SPILL_CTL_TAKES(SLOW)) != 0 ? show_slow(request, out, error)
                                                         : spill_ctl_show(request, out, error);
}
