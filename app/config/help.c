/* SPDX-License-Identifier: BSD-3-Clause */
/* `--help`: the table of options, and what stands around it. */
#include <stdio.h>

#include "config/option_table.h"

static const char introduction[] =
    "usage: spillway [EAL options --] [options]\n"
    "       spillway keygen ALGORITHM [FILE]\n"
    "\n"
    "An inline firewall, IPsec gateway and router. Without \"--\" all arguments are\n"
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

void spill_option_print_help(void)
{
    char classes[SPILL_OPTION_CLASS_LIST_SIZE];

    fputs(introduction, stdout);
    spill_option_print(&spill_options_table);
    printf("\nCLASS is one of: %s.\n", spill_option_class_list(classes, sizeof(classes)));
    fputs(ending, stdout);
}
