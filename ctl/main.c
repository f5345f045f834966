/* SPDX-License-Identifier: BSD-3-Clause */
/* spillwayctl: reads the command line, has the command run, and says how that went. */
#include "options.h"

static int complain(const struct spill_error *error, enum spill_ctl_status status)
{
    fprintf(stderr, "spillwayctl: %s\n", error->text);
    return (int)status;
}

static int finish(void)
{
    struct spill_error error;

    if (fflush(stdout) == 0 && !ferror(stdout))
        return SPILL_CTL_DONE;
    spill_error_set(&error, "standard output can't be written");
    return complain(&error, SPILL_CTL_FAILED);
}

static int run(const struct spill_ctl_request *request)
{
    struct spill_error error = {.text = ""};

    const enum spill_ctl_status status = request->command->run(request, stdout, &error);

    if (error.text[0] != '\0')
        return complain(&error, status);
    return finish() == SPILL_CTL_DONE ? status : SPILL_CTL_FAILED;
}

int main(int argc, char **argv)
{
    struct spill_ctl_request request;
    struct spill_error error = {.text = ""};

    switch (spill_ctl_options_parse(argc, argv, &request, &error)) {
    case SPILL_CTL_HELP:
        spill_ctl_commands_help(stdout);
        return finish();
    case SPILL_CTL_VERSION:
        puts("spillwayctl " SPILL_VERSION);
        return finish();
    case SPILL_CTL_WRONG:
        return complain(&error, SPILL_CTL_USAGE);
    case SPILL_CTL_GO_ON:
        break;
    }
    return run(&request);
}
