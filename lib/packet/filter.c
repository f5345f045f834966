/* SPDX-License-Identifier: BSD-3-Clause */
#include "packet/filter.h"

/* Whether an instruction that computes is one that there is. */
static bool computes(const struct bpf_insn *instruction)
{
    switch (BPF_OP(instruction->code)) {
    case BPF_DIV:
    case BPF_MOD:
        return BPF_SRC(instruction->code) == BPF_X || instruction->k != 0;
    case BPF_LSH:
    case BPF_RSH:
        return BPF_SRC(instruction->code) == BPF_X || instruction->k < 32;
    case BPF_NEG:
        return BPF_SRC(instruction->code) == BPF_K;
    case BPF_ADD:
    case BPF_SUB:
    case BPF_MUL:
    case BPF_OR:
    case BPF_AND:
    case BPF_XOR:
        return true;
    default:
        return false;
    }
}

/* Offsets that are negative stand for what Linux knows of a packet, and are no bytes of it. */
static bool loads(const struct bpf_insn *instruction)
{
    switch (instruction->code) {
    case BPF_LD | BPF_W | BPF_ABS:
    case BPF_LD | BPF_H | BPF_ABS:
    case BPF_LD | BPF_B | BPF_ABS:
    case BPF_LDX | BPF_B | BPF_MSH:
    case BPF_LD | BPF_W | BPF_IND:
    case BPF_LD | BPF_H | BPF_IND:
    case BPF_LD | BPF_B | BPF_IND:
        return instruction->k <= INT32_MAX;
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
        return instruction->k < BPF_MEMWORDS;
    case BPF_LD | BPF_IMM:
    case BPF_LDX | BPF_IMM:
    case BPF_LD | BPF_W | BPF_LEN:
    case BPF_LDX | BPF_W | BPF_LEN:
        return true;
    default:
        return false;
    }
}

/* Whether it goes forward, to one of the `left` that stand behind it. */
static bool jumps(const struct bpf_insn *instruction, uint32_t left)
{
    switch (BPF_OP(instruction->code)) {
    case BPF_JA:
        return instruction->code == (BPF_JMP | BPF_JA) && instruction->k < left;
    case BPF_JEQ:
    case BPF_JGT:
    case BPF_JGE:
    case BPF_JSET:
        return instruction->jt < left && instruction->jf < left;
    default:
        return false;
    }
}

static bool is_right(const struct bpf_insn *instruction, uint32_t left)
{
    if (instruction->code > UINT8_MAX)
        return false;
    switch (BPF_CLASS(instruction->code)) {
    case BPF_LD:
    case BPF_LDX:
        return loads(instruction);
    case BPF_ST:
    case BPF_STX:
        return instruction->code <= BPF_STX && instruction->k < BPF_MEMWORDS;
    case BPF_ALU:
        return computes(instruction);
    case BPF_JMP:
        return jumps(instruction, left);
    case BPF_RET:
        return instruction->code == (BPF_RET | BPF_K) || instruction->code == (BPF_RET | BPF_A);
    default:
        return instruction->code == (BPF_MISC | BPF_TAX) ||
               instruction->code == (BPF_MISC | BPF_TXA);
    }
}

int spill_filter_check(const struct spill_filter *filter, struct spill_error *error)
{
    const struct bpf_insn *program = filter->program;
    uint32_t i;

    if (filter->count == 0)
        return 0;
    for (i = 0; i < filter->count; i++) {
        if (!is_right(&program[i], filter->count - 1 - i))
            return spill_error_set(error,
                                   "filter: instruction %u (code %u, jt %u, jf %u, k %u): expected "
                                   "one of the classic BPF, with jumps forward and inside",
                                   i, program[i].code, program[i].jt, program[i].jf, program[i].k);
    }
    if (BPF_CLASS(program[filter->count - 1].code) != BPF_RET)
        return spill_error_set(error, "filter: expected a return as its last instruction");
    return 0;
}
