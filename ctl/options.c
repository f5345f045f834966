/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include <ctype.h>
#include <getopt.h>
#include <string.h>

static const struct row {
    const char *name;
    const char *argument; /* NULL: none */
    const char *help;
    enum spill_ctl_option option;
} rows[] = {
    {"name", "PREFIX", "which spillway: its --name; not given: spillway", SPILL_CTL_NAME},
    {"file-prefix", "PREFIX", "the same, in DPDK's words", SPILL_CTL_NAME},
    {"socket", "PATH", "or the path of the socket that the command asks", SPILL_CTL_SOCKET},
    {"json", NULL, "print what was told as JSON", SPILL_CTL_JSON},
    {"listen", "ADDRESS:PORT", "of exporter: where to serve; not given: 127.0.0.1:9464",
     SPILL_CTL_LISTEN},
    {"confirm", "TIME", "of reload: what was before comes back unless confirm follows, as 60s",
     SPILL_CTL_CONFIRM},
    {"seconds", "N", "of trace and capture: ends after so long", SPILL_CTL_SECONDS},
    {"slow", NULL, "of lcores: turns that took too long, and what the kernel says of them",
     SPILL_CTL_SLOW},
    {"once", NULL, "of top: print one second as text, and end", SPILL_CTL_ONCE},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

void spill_ctl_options_help(FILE *out)
{
    size_t i;

    for (i = 0; i < ROWS; i++)
        fprintf(out, "  --%s%s%s%*s%s\n", rows[i].name, rows[i].argument != NULL ? " " : "",
                rows[i].argument != NULL ? rows[i].argument : "",
                (int)(24 - strlen(rows[i].name) -
                      (rows[i].argument != NULL ? strlen(rows[i].argument) + 1 : 0)),
                "", rows[i].help);
    fputs("  --version                 print the version and end\n"
          "  --help                    print this text and end; so does -h\n",
          out);
}

/* A long option's number for getopt; none is a character. */
enum { HELP = 256, VERSION, FIRST_ROW };

static void fill(struct option *options)
{
    size_t i;

    options[0] = (struct option){"help", no_argument, NULL, HELP};
    options[1] = (struct option){"version", no_argument, NULL, VERSION};
    for (i = 0; i < ROWS; i++)
        options[2 + i] = (struct option){rows[i].name,
                                         rows[i].argument != NULL ? required_argument : no_argument,
                                         NULL, FIRST_ROW + (int)i};
    options[2 + ROWS] = (struct option){NULL, 0, NULL, 0};
}

/* What stands in brackets is an option, --confirm. */
static bool takes_word(const struct spill_ctl_command *command)
{
    return command->argument != NULL && command->argument[0] != '[' && !command->sentence;
}

static unsigned options_of(const struct spill_ctl_command *command)
{
    const bool confirm = command->argument != NULL && !takes_word(command) && !command->sentence;

    return command->options | (confirm ? SPILL_CTL_TAKES(CONFIRM) : 0);
}

/* What is no option: the command, and its argument. */
static int take_words(int argc, char **argv, struct spill_ctl_request *request,
                      struct spill_error *error)
{
    const struct spill_ctl_command *command;

    if (argc == 0)
        return spill_error_set(error, "no command: --help lists them");
    command = request->command = spill_ctl_command_find(argv[0]);
    if (command == NULL)
        return spill_error_set(error, "'%s' is no command: --help lists them", argv[0]);
    request->argument = argv[1];
    request->word_count = argc - 1;
    request->words = argv + 1;
    if (argc == 1 && takes_word(command))
        return spill_error_set(error, "%s: expected %s", command->name, command->argument);
    if (!command->sentence && argc > (takes_word(command) ? 2 : 1))
        return spill_error_set(error, "%s: '%s' is too much", command->name, argv[argc - 1]);
    if ((request->given & SPILL_CTL_TAKES(CONFIRM)) != 0)
        request->argument = request->values[SPILL_CTL_CONFIRM];
    for (size_t i = 0; i < ROWS; i++) {
        if ((request->given & ~options_of(command) & 1u << rows[i].option) != 0)
            return spill_error_set(error, "%s does not take --%s", command->name, rows[i].name);
    }
    return 0;
}

/* Whether what comes next is no option: no option begins with a digit, and what stands behind the
 * KEY of set is its value. */
static bool is_word(const char *text, int words, char **first)
{
    if (text[0] != '-' || text[1] == '\0' || isdigit((unsigned char)text[1]))
        return true;
    return words == 2 && text[1] != '-' && strcmp(first[0], "set") == 0;
}

enum spill_ctl_parsed spill_ctl_options_parse(int argc, char **argv,
                                              struct spill_ctl_request *request,
                                              struct spill_error *error)
{
    struct option options[ROWS + 3];
    char **words = argv + 1; /* written where options and words stood that are read already */
    const char *given;
    int found, count = 0;

    *request = (struct spill_ctl_request){.given = 0};
    fill(options);
    opterr = 0;
    for (;;) {
        while (optind < argc && is_word(argv[optind], count, words))
            words[count++] = argv[optind++];
        given = argv[optind];
        found = getopt_long(argc, argv, "+:h", options, NULL);
        if (found == -1)
            break;
        if (found == 'h' || found == HELP)
            return SPILL_CTL_HELP;
        if (found == VERSION)
            return SPILL_CTL_VERSION;
        if (found < FIRST_ROW) {
            spill_error_set(
                error, found == ':' ? "'%s' wants a value" : "'%s' is no option: --help lists them",
                given);
            return SPILL_CTL_WRONG;
        }
        request->given |= 1u << rows[found - FIRST_ROW].option;
        request->values[rows[found - FIRST_ROW].option] = optarg;
    }
    while (optind < argc) /* behind "--" */
        words[count++] = argv[optind++];
    words[count] = NULL;
    return take_words(count, words, request, error) == 0 ? SPILL_CTL_GO_ON : SPILL_CTL_WRONG;
}
