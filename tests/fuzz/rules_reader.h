/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FUZZ_RULES_READER_H
#define SPILLWAY_FUZZ_RULES_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * @file
 * A second reader of rule files, written after the manual: as naive as can be, with its own eyes
 * for numbers and addresses. Which rules with a limit may meet it does not tell.
 */

#define READER_RULES  512
#define READER_INPUTS 32 /* ports that rules name */
#define READER_SETS   32

struct reader_rule {
    char action; /* a, d, p, r */
    char sa[17]; /* protect's */
    bool v4, v6;
    int protocol; /* -1: any */
    bool names_ports, names_types;
    unsigned mss;  /* 0: none; 1: auto */
    char name[64]; /* empty: none */
    bool log;
    uint64_t log_interval; /* ns; 0: none */
    uint64_t limit;        /* bits a second; 0: none */
    uint32_t burst;        /* bytes */
    unsigned dscp;         /* 1 + codepoint; 0: none */
    unsigned length[2];
    uint8_t address[2][16];
    unsigned first[2], last[2];
    char set[2][17]; /* @NAME of each end; empty: none */
    unsigned input_count;
    char inputs[READER_INPUTS][22]; /* after `in` */
    unsigned line;
};

struct reader {
    unsigned wrong; /* line that is no rule; 0: none */
    unsigned name_count;
    char names[READER_INPUTS][22];
    unsigned set_count, prefix_count;
    struct {
        char name[17];
        bool v4, v6;
    } sets[READER_SETS];
    unsigned count;
    struct reader_rule rules[READER_RULES];
};

/** Reads a text. At most READER_RULES rules are kept, all are counted. */
void reader_read(struct reader *reader, const uint8_t *text, size_t size);

#endif
