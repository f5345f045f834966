/* SPDX-License-Identifier: BSD-3-Clause */
/* `--help`: the table of options as text for a terminal of 80 columns. */
#include <stdio.h>
#include <string.h>

#include "option_table.h"

#define HELP_COLUMN 30 /* where the help texts begin */
#define LAST_COLUMN 79

static const char introduction[] =
    "usage: spillway [EAL options --] [options]\n"
    "       spillway keygen ALGORITHM [FILE]\n"
    "\n"
    "An inline firewall between pairs of ports. Without \"--\" all arguments are\n"
    "spillway's, and it makes those of DPDK's EAL itself. keygen writes a random key\n"
    "for IPsec to a new file that only its owner may read, or to standard output.\n"
    "\n"
    "  spillway --port lan=net_af_packet0,iface=veth0 \\\n"
    "           --port wan=net_af_packet1,iface=veth1 \\\n"
    "           --wire lan:wan --rules office.rules\n"
    "  spillway --config wire.conf --check\n";

static const char ending[] =
    "TIME is 0 or a number with ns, us, ms, s, m or h; N may end with k (1024), M\n"
    "or G. Each flag but --config, --version and --help is also a key in the section\n"
    "[spillway] of the file, those with NAME in [port NAME]. A switch is on or off\n"
    "there, and --no-huge=off overrides the file.\n"
    "\n"
    "Exit status: 0 drained and balanced, 1 failed at run time, 2 bad options,\n"
    "3 forced to end, or unbalanced.\n";

/* Prints words from `column` on, and wraps them between HELP_COLUMN and LAST_COLUMN. */
static size_t print_wrapped(const char *text, size_t column)
{
    while (*text != '\0') {
        size_t length = strcspn(text, " ");

        if (column > HELP_COLUMN && column + 1 + length > LAST_COLUMN) {
            printf("\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)length, text);
        column += length;
        text += length;
        text += strspn(text, " ");
    }
    return column;
}

static void print_option(const struct spill_option *option)
{
    const char *dashes = option->scope == SPILL_OPTION_PER_SA ? "" : "--";
    int used = printf("  %s%s", dashes, option->name);
    char preset[64];
    size_t column;

    if (option->argument != NULL)
        used += printf(" %s", option->argument);
    if (used + 1 > HELP_COLUMN) {
        putchar('\n');
        used = 0;
    }
    printf("%*s", HELP_COLUMN - used, "");
    column = print_wrapped(option->help, HELP_COLUMN);
    if (option->preset != NULL) {
        snprintf(preset, sizeof(preset), "[%s]", option->preset);
        print_wrapped(preset, column);
    }
    putchar('\n');
}

void spill_option_print_help(void)
{
    char classes[SPILL_OPTION_CLASS_LIST_SIZE];
    size_t count;
    const struct spill_option *table = spill_option_table(&count);

    fputs(introduction, stdout);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || table[i].group != table[i - 1].group)
            printf("\n%s:\n", spill_option_group_title(table[i].group));
        print_option(&table[i]);
    }
    printf("\nCLASS is one of: %s.\n", spill_option_class_list(classes, sizeof(classes)));
    fputs(ending, stdout);
}
