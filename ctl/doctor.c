/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doctor: the checks of a running spillway, which knows its plan, ports and network namespace;
 * where none runs, those of the machine.
 */
#include "doctor/doctor.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "command.h"
#include "control_socket.h"
#include "instance.h"

#define PATIENCE_S 30

static bool wants_json(const struct spill_ctl_request *request)
{
    return (request->given & SPILL_CTL_TAKES(JSON)) != 0;
}

static enum spill_ctl_status outcome(unsigned broken, struct spill_error *error)
{
    if (broken == 0)
        return SPILL_CTL_DONE;
    spill_error_set(error, "%u of these are broken", broken);
    return SPILL_CTL_FAILED;
}

static enum spill_ctl_status look_at_machine(const struct spill_ctl_request *request, FILE *out,
                                             struct spill_error *error)
{
    const struct spill_doctor_subject subject = {.root = ""};
    struct spill_doctor_lines *lines = calloc(1, sizeof(*lines));
    struct spill_json json;
    unsigned broken;

    if (lines == NULL) {
        spill_error_set(error, "no memory");
        return SPILL_CTL_FAILED;
    }
    spill_doctor_look(&subject, lines);
    if (wants_json(request)) {
        spill_json_begin(&json, out);
        spill_doctor_print_json(lines, &json, NULL);
        spill_json_end(&json);
    } else {
        fputs("no spillway runs: the machine without a plan; spillway --check looks with one\n",
              out);
        spill_doctor_print(lines, out);
    }
    broken = spill_doctor_count(lines, SPILL_DOCTOR_BROKEN);
    free(lines);
    return outcome(broken, error);
}

static enum spill_ctl_status ask(const struct spill_ctl_request *request, const char *path,
                                 FILE *out, struct spill_error *error)
{
    json_t *answer = spill_ctl_control_do(path, "doctor", NULL, PATIENCE_S, error);
    const char *text;
    unsigned broken;

    if (answer == NULL)
        return SPILL_CTL_FAILED;
    if (wants_json(request)) {
        json_dumpf(json_object_get(answer, "doctor"), out, JSON_INDENT(2));
        fputc('\n', out);
    } else {
        text = json_string_value(json_object_get(answer, "text"));
        spill_ctl_print_text(text != NULL ? text : "", out);
    }
    broken = (unsigned)json_integer_value(json_object_get(answer, "broken"));
    json_decref(answer);
    return outcome(broken, error);
}

enum spill_ctl_status spill_ctl_doctor(const struct spill_ctl_request *request, FILE *out,
                                       struct spill_error *error)
{
    const unsigned named = SPILL_CTL_TAKES(NAME) | SPILL_CTL_TAKES(SOCKET);
    char path[PATH_MAX];

    if (spill_ctl_instance_path(request, "control", path, error) != 0)
        return SPILL_CTL_FAILED;
    /* One that can't be looked for may run all the same. */
    if ((request->given & named) == 0 && access(path, F_OK) != 0 && errno == ENOENT)
        return look_at_machine(request, out, error);
    return ask(request, path, out, error);
}
