/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands that the program itself carries out, and that print what it answers. */
#include <string.h>

#include "base/printable.h"
#include "command.h"
#include "control_socket.h"
#include "instance.h"

#define PATIENCE_S 600 /* a million rules take minutes to compile */

/* Of several lines each is made printable by itself. */
void spill_ctl_print_text(const char *text, FILE *out)
{
    char line[16384], printable[16384];
    size_t length;

    for (; *text != '\0'; text += length + (text[length] == '\n')) {
        length = strcspn(text, "\n");
        snprintf(line, sizeof(line), "%.*s", (int)length, text);
        spill_printable(printable, sizeof(printable), line);
        fprintf(out, "%s\n", printable);
    }
}

static void print_warnings(const json_t *answer, FILE *out)
{
    const json_t *warning;
    size_t i;

    json_array_foreach(json_object_get(answer, "warnings"), i, warning)
    {
        fputs("warning: ", out);
        spill_ctl_print_text(json_string_value(warning), out);
    }
}

/* What has no text is told as JSON. */
static void print(const json_t *answer, bool as_json, FILE *out)
{
    const char *text = json_string_value(json_object_get(answer, "text"));
    const char *restart = json_string_value(json_object_get(answer, "restart"));

    if (as_json || text == NULL) {
        json_dumpf(answer, out, JSON_INDENT(2));
        fputc('\n', out);
        return;
    }
    spill_ctl_print_text(text, out);
    if (restart != NULL) {
        fputs("takes effect at the next start: ", out);
        spill_ctl_print_text(restart, out);
    }
    print_warnings(answer, out);
}

static enum spill_ctl_status have_done(const struct spill_ctl_request *request,
                                       const char *argument, FILE *out, struct spill_error *error)
{
    char path[PATH_MAX];
    json_t *answer;

    if (spill_ctl_instance_path(request, "control", path, error) != 0)
        return SPILL_CTL_FAILED;
    answer = spill_ctl_control_do(path, request->command->name, argument, PATIENCE_S, error);
    if (answer == NULL)
        return SPILL_CTL_FAILED;
    print(answer, (request->given & SPILL_CTL_TAKES(JSON)) != 0, out);
    json_decref(answer);
    return SPILL_CTL_DONE;
}

enum spill_ctl_status spill_ctl_remote(const struct spill_ctl_request *request, FILE *out,
                                       struct spill_error *error)
{
    return have_done(request, request->argument, out, error);
}

enum spill_ctl_status spill_ctl_set(const struct spill_ctl_request *request, FILE *out,
                                    struct spill_error *error)
{
    const char *const *words = (const char *const *)request->words;
    char setting[512];

    if (request->word_count < 1 || request->word_count > 2 ||
        (request->word_count == 1 && strchr(words[0], '=') == NULL)) {
        spill_error_set(error, "set: expected %s, as dispatch encrypt=pool",
                        request->command->argument);
        return SPILL_CTL_USAGE;
    }
    snprintf(setting, sizeof(setting), "%s%s%s", words[0], request->word_count == 2 ? "=" : "",
             request->word_count == 2 ? words[1] : "");
    return have_done(request, setting, out, error);
}
