/* SPDX-License-Identifier: BSD-3-Clause */
/* What differs between the configuration in force and the files: the program compares, for check.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "command.h"
#include "control_socket.h"
#include "instance.h"

#define PATIENCE_S 600 /* as of check: files may be large */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

/* Whole, as what differs may be at its end. */
__attribute__((format(printf, 2, 3))) static void print_line(FILE *out, const char *format, ...)
{
    char *line = NULL, *printable = NULL;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vasprintf(&line, format, arguments);
    va_end(arguments);
    if (length >= 0)
        printable = malloc(4 * (size_t)length + 16); /* each byte as \xHH */
    if (printable != NULL)
        spill_printable(printable, 4 * (size_t)length + 16, line);
    fprintf(out, "  %s\n", printable != NULL ? printable : "no memory");
    free(printable);
    if (length >= 0)
        free(line);
}

/* Whether "rule PLACE" or "rule PLACE NAME" is still in its place. */
static bool is_at(const char *what, const char *place)
{
    const char *found = strstr(what, place);

    return found != NULL && strchr(" ", found[strlen(place)]) != NULL;
}

/* Rules one below the other. */
static void print_rules(const json_t *difference, FILE *out)
{
    const char *what = text_of(difference, "what"), *was = text_of(difference, "was");
    const bool moved = !is_at(what, was);

    print_line(out, "%s: changed%s%s", what, moved ? ", was " : "", moved ? was : "");
    print_line(out, "  - %s", text_of(difference, "before"));
    print_line(out, "  + %s", text_of(difference, "after"));
}

/* "mtu of port lan: 1500 -> 9000", "port dmz: new", "rule office.rules:12: new, allow any …". */
static void print_one(const json_t *difference, FILE *out)
{
    const char *change = text_of(difference, "change"), *what = text_of(difference, "what");
    const char *before = text_of(difference, "before"), *after = text_of(difference, "after");
    const bool either = before[0] != '\0' || after[0] != '\0';

    if (json_object_get(difference, "was") != NULL)
        print_rules(difference, out);
    else if (strcmp(change, "changed") == 0 && before[0] != '\0' && after[0] != '\0')
        print_line(out, "%s: %s -> %s", what, before, after);
    else
        print_line(out, "%s: %s%s%s%s", what, change, either ? ", " : "", before, after);
}

/* Those of one time. */
static void print_when(const json_t *differences, const char *when, const char *title, FILE *out)
{
    const json_t *difference;
    bool any = false;
    size_t i;

    json_array_foreach(differences, i, difference)
    {
        if (strcmp(text_of(difference, "when"), when) != 0)
            continue;
        if (!any)
            fprintf(out, "%s\n", title);
        any = true;
        print_one(difference, out);
    }
}

static void print(const json_t *answer, FILE *out)
{
    const json_t *differences = json_object_get(answer, "differences");
    const json_int_t more = json_integer_value(json_object_get(answer, "more"));

    if (json_array_size(differences) == 0)
        fputs("nothing differs\n", out);
    print_when(differences, "reload", "a reload changes:", out);
    print_when(differences, "start", "the next start changes:", out);
    if (more > 0)
        fprintf(out, "and %" JSON_INTEGER_FORMAT " more\n", more);
}

enum spill_ctl_status spill_ctl_diff(const struct spill_ctl_request *request, FILE *out,
                                     struct spill_error *error)
{
    char path[PATH_MAX];
    json_t *answer;
    const json_t *differences;
    bool any;

    if (spill_ctl_instance_path(request, "control", path, error) != 0)
        return SPILL_CTL_USAGE;
    answer = spill_ctl_control_do(path, "check", NULL, PATIENCE_S, error);
    differences = json_object_get(answer, "differences");
    if (answer != NULL && !json_is_array(differences))
        spill_error_set(error, "%s: this spillway does not tell what differs", path);
    if (!json_is_array(differences)) {
        json_decref(answer);
        return SPILL_CTL_USAGE;
    }
    if ((request->given & SPILL_CTL_TAKES(JSON)) != 0) {
        json_dumpf(answer, out, JSON_INDENT(2));
        fputc('\n', out);
    } else {
        print(answer, out);
    }
    any = json_array_size(differences) > 0;
    json_decref(answer);
    if (fflush(out) != 0 || ferror(out)) {
        spill_error_set(error, "standard output can't be written");
        return SPILL_CTL_USAGE;
    }
    return any ? SPILL_CTL_FAILED : SPILL_CTL_DONE;
}
