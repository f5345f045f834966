/* SPDX-License-Identifier: BSD-3-Clause */
/* The place of the receive stamp in the mbuf. */
#include <rte_errno.h>

#include "stamp.h"

int spill_stamp_offset = -1;

int spill_stamp_register(struct spill_error *error)
{
    static const struct rte_mbuf_dynfield field = {
        .name = "spillway_dynfield_stamp",
        .size = sizeof(uint64_t),
        .align = __alignof__(uint64_t),
    };
    int offset = rte_mbuf_dynfield_register(&field);

    if (offset < 0)
        return spill_error_set(error, "mbuf field %s: %s: %zu free bytes in the mbuf are needed",
                               field.name, rte_strerror(rte_errno), field.size);
    spill_stamp_offset = offset;
    return 0;
}
