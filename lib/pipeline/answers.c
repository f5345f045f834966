/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/answers.h"

#include "pipeline/fast.h"

void spill_answers_add(struct spill_fast *fast, struct rte_mbuf *answer, uint8_t input,
                       uint16_t vlan)
{
    struct spill_answers *answers = &fast->answers;

    fast->ledger.originated++;
    answers->mbufs[answers->count] = answer;
    answers->vlans[answers->count] = vlan;
    answers->inputs[answers->count++] = input;
}
