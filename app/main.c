/* SPDX-License-Identifier: BSD-3-Clause */
/* The order of start and stop; nothing else. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/command_line.h"
#include "control/log.h"
#include "control/steps.h"
#include "program.h"
#include "start/keygen.h"
#include "start/steps.h"

/* Large: the plan alone is some hundred KiB. */
static struct spill_program program;

/* What is opened later must not become a standard stream: lines would be written into it. */
static void open_standard_streams(void)
{
    int descriptor;

    do
        descriptor = open("/dev/null", O_RDWR);
    while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    if (descriptor >= 0)
        close(descriptor);
}

static int complain(const struct spill_error *error, enum spill_status status)
{
    spill_log_always("%s", error->text);
    return (int)status;
}

/* --check with EAL arguments of the user's: the lcores are known only once the EAL runs. */
static int check(const char *argv0, struct spill_error *error)
{
    if (program.options.eal_given && (spill_program_start_eal(&program, argv0, error) != 0 ||
                                      spill_program_find_ports(&program, error) != 0 ||
                                      spill_program_plan_again(&program, error) != 0))
        return complain(error, SPILL_STATUS_USAGE);
    if (program.options.explain != NULL)
        return spill_program_explain(&program, error) == 0 ? SPILL_STATUS_DRAINED
                                                           : complain(error, SPILL_STATUS_USAGE);
    spill_program_warn_of_rules(&program);
    spill_program_warn_of_twins(&program);
    return spill_program_print_plan(&program, error) == 0 ? SPILL_STATUS_DRAINED
                                                          : complain(error, SPILL_STATUS_FAILED);
}

/* Each step of the start in order, as long as no signal came between two of them. */
static int take_steps(const char *argv0, struct spill_error *error)
{
    if (spill_program_start_eal(&program, argv0, error) != 0 ||
        spill_program_find_ports(&program, error) != 0 ||
        spill_program_plan_again(&program, error) != 0)
        return -1;
    if (spill_token_cancelled(&program.stop))
        return 0;
    return spill_program_bring_up(&program, error);
}

static int start(const char *argv0, struct spill_error *error)
{
    int status = take_steps(argv0, error);

    spill_signals_start_over(&program);
    /* What a step that was told to end leaves undone is no failure. */
    if (status != 0)
        return error->cancelled ? 0 : status;
    if (spill_token_cancelled(&program.stop))
        return 0;
    return spill_program_launch(&program, error);
}

static int run(struct spill_error *error)
{
    SPILL_LOG(NOTICE, "ready");
    if (spill_control_run(&program, error) != 0)
        return -1;
    SPILL_LOG(INFO, "draining: %s", spill_program_end_reason(&program));
    return 0;
}

static bool wants_check(int argc, char **argv)
{
    int i;

    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--check") == 0)
            return true;
    }
    return false;
}

/*
 * Options, files and plan; nothing has started yet. Returns whether to go on, else *status is the
 * program's. A signal ends the reading: that is no mistake in what was read, but a check that was
 * not made is no good one either.
 */
static bool prepare(int argc, char **argv, enum spill_status *status)
{
    struct spill_error error = {.text = ""};
    enum spill_options_result result;

    result = spill_options_parse(argc, argv, &program.stop, &program.options, &error);
    *status = SPILL_STATUS_DRAINED;
    if (result == SPILL_OPTIONS_DONE) {
        if (fflush(stdout) != 0 || ferror(stdout)) {
            spill_error_set(&error, "standard output can't be written");
            *status = (enum spill_status)complain(&error, SPILL_STATUS_FAILED);
        }
        return false;
    }
    if (result == SPILL_OPTIONS_GO_ON) {
        spill_log_set_level(program.options.log_level);
        if (spill_program_plan(&program, &error) == 0)
            return true;
    }
    *status = wants_check(argc, argv) ? SPILL_STATUS_FORCED : SPILL_STATUS_DRAINED;
    if (!error.cancelled)
        *status = (enum spill_status)complain(&error, SPILL_STATUS_USAGE);
    return false;
}

/* Drain, ports, report, memory. Returns the exit status. */
static enum spill_status end(void)
{
    struct spill_error error = {.text = ""};
    enum spill_status status;

    spill_service_stopping(&program.service);
    if (program.started != 0)
        spill_control_drain(&program);
    spill_program_end_reload(&program);
    spill_program_settle(&program);
    status = spill_program_status(&program);
    atomic_store(&program.guard_status, SPILL_STATUS_FAILED);
    spill_signals_guard_end(&program);
    if (spill_program_report(&program, &error) != 0)
        status =
            spill_status_worse(status, (enum spill_status)complain(&error, SPILL_STATUS_FAILED));
    atomic_store(&program.guard_status, spill_status_worse(status, SPILL_STATUS_FORCED));
    spill_program_tear_down(&program);
    if (program.hanging || program.abandoned)
        _exit((int)status);
    return status;
}

int main(int argc, char **argv)
{
    struct spill_error error = {.text = ""};
    enum spill_status status;

    if (argc > 1 && strcmp(argv[1], "keygen") == 0)
        return spill_keygen(argc - 2, argv + 2);
    open_standard_streams();
    if (spill_log_open() != 0)
        return SPILL_STATUS_FAILED;
    if (spill_program_init(&program, argc, argv, &error) != 0 ||
        spill_service_open(&program.service, &program, &error) != 0 ||
        spill_signals_init(&program, &error) != 0 ||
        spill_signals_guard_start(&program, &error) != 0)
        return complain(&error, SPILL_STATUS_FAILED);
    if (!prepare(argc, argv, &status))
        return (int)status;
    if (program.options.check)
        return check(argv[0], &error);
    if (start(argv[0], &error) != 0 || (program.started != 0 && run(&error) != 0)) {
        complain(&error, SPILL_STATUS_FAILED);
        spill_program_end_as(&program, SPILL_OUTCOME_FAILED);
        spill_token_cancel(&program.stop, "start");
    }
    return (int)end();
}
