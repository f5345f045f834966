/* SPDX-License-Identifier: BSD-3-Clause */
#include <search.h>
#include <stddef.h>

#include "mirror/tree.h"

static void keep(void *node)
{
    (void)node;
}

void spill_tree_free(void **tree)
{
    tdestroy(*tree, keep);
    *tree = NULL;
}
