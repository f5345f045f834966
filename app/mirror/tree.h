/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_MIRROR_TREE_H
#define SPILLWAY_MIRROR_TREE_H

/** Frees a tree of tsearch(), and leaves what it leads to. Any thread. */
void spill_tree_free(void **tree);

#endif
