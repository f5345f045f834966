/* SPDX-License-Identifier: BSD-3-Clause */
/* spillway-load, the traffic generator: the order of its start and end. */
#include <stdio.h>

#include "report.h"

/* As spillway's own. */
enum status { STATUS_BALANCED = 0, STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_UNBALANCED = 3 };

static int complain(const struct spill_error *error, enum status status)
{
    fprintf(stderr, "spillway-load: %s\n", error->text);
    return (int)status;
}

static int run(struct spill_load_session *session, const char *argv0, struct spill_error *error)
{
    if (spill_load_bench_start(session->bench, argv0, error) != 0 ||
        spill_load_session_wait(session, error) != 0)
        return -1;
    return spill_load_session_run(session, error);
}

/* Ports closed, accounts balanced, report written. */
static int finish(struct spill_load_session *session, int status, struct spill_error *error)
{
    struct spill_load_bench *bench = session->bench;

    if (bench->eal)
        spill_load_bench_settle(bench);
    if (bench->leaked > 0) {
        spill_error_set(error, "%u mbufs did not come back to their pools", bench->leaked);
        complain(error, STATUS_UNBALANCED);
        status = status == STATUS_BALANCED ? STATUS_UNBALANCED : status;
    }
    if (bench->eal && bench->options->report != NULL &&
        spill_load_report_write(session, status, error) != 0)
        status = complain(error, STATUS_FAILED);
    spill_load_session_free(session);
    spill_load_bench_free(bench);
    return status;
}

int main(int argc, char **argv)
{
    static struct spill_load_options options;
    static struct spill_load_bench bench = {.options = &options};
    static struct spill_load_session session = {.bench = &bench, .end = "failed"};
    struct spill_error error = {.text = ""};
    int status = STATUS_BALANCED;

    switch (spill_load_options_parse(argc, argv, &options, &error)) {
    case SPILL_LOAD_ERROR:
        return complain(&error, STATUS_USAGE);
    case SPILL_LOAD_DONE:
        return STATUS_BALANCED;
    case SPILL_LOAD_GO_ON:
        break;
    }
    spill_token_init(&bench.stop, NULL);
    if (spill_load_session_listen(&error) != 0)
        return complain(&error, STATUS_FAILED);
    if (run(&session, argv[0], &error) != 0)
        status = complain(&error, STATUS_FAILED);
    return finish(&session, status, &error);
}
