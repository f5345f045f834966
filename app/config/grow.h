/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_GROW_H
#define SPILLWAY_GROW_H

#include <stdlib.h>

/**
 * @file
 * Arrays that grow by one entry at a time, as a file is read.
 */

/**
 * Makes room for one more entry. The room is doubled at each power of two, so that all entries
 * together are copied once only. Any thread.
 *
 * @param array  NULL for the first entry; from the heap, the caller's
 * @param count  entries in it, of which none was taken away
 * @param size   of an entry, in bytes
 * @return the array, perhaps elsewhere; NULL when there is no memory: the old one is as it was
 */
static inline void *spill_grow(void *array, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return array;
    return reallocarray(array, count == 0 ? 1 : 2 * count, size);
}

#endif
