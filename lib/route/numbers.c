/* SPDX-License-Identifier: BSD-3-Clause */
#include "route/numbers.h"

#include <stdlib.h>

int spill_numbers_init(struct spill_numbers *numbers, struct rte_rcu_qsbr *readers, uint32_t first,
                       uint32_t limit)
{
    *numbers =
        (struct spill_numbers){.readers = readers, .first = first, .limit = limit, .fresh = first};
    numbers->given = calloc(limit - first, sizeof(*numbers->given));
    return numbers->given != NULL ? 0 : -1;
}

void spill_numbers_free(struct spill_numbers *numbers)
{
    free(numbers->given);
}

uint16_t spill_numbers_take(struct spill_numbers *numbers)
{
    const uint32_t size = numbers->limit - numbers->first;
    const uint64_t oldest = numbers->head % size;

    if (numbers->head != numbers->tail &&
        rte_rcu_qsbr_check(numbers->readers, numbers->given[oldest].grace, false) == 1) {
        numbers->head++;
        return numbers->given[oldest].number;
    }
    return numbers->fresh < numbers->limit ? (uint16_t)numbers->fresh++ : 0;
}

void spill_numbers_give(struct spill_numbers *numbers, uint16_t number)
{
    const uint32_t size = numbers->limit - numbers->first;
    const uint64_t last = numbers->tail++ % size;

    numbers->given[last].grace = rte_rcu_qsbr_start(numbers->readers);
    numbers->given[last].number = number;
}
