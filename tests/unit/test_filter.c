/* SPDX-License-Identifier: BSD-3-Clause */
/* Filters: what strangers may send in place of a program, and that one says what libpcap says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pcap/pcap.h>

#include "packet/filter.h"

static struct spill_filter filter;
static struct spill_error error;

#define CHECK(...)                                                                                 \
    check((const struct bpf_insn[]){__VA_ARGS__},                                                  \
          sizeof((const struct bpf_insn[]){__VA_ARGS__}) / sizeof(struct bpf_insn))

static int check(const struct bpf_insn *program, uint32_t count)
{
    memcpy(filter.program, program, count * sizeof(*program));
    filter.count = count;
    error.text[0] = '\0';
    return spill_filter_check(&filter, &error);
}

#define RETURN BPF_STMT(BPF_RET | BPF_K, 1)

static void what_can_be_no_filter_is_refused(void **state)
{
    (void)state;
    assert_int_equal(CHECK(RETURN), 0);
    /* Back to itself, back to the first, past the end, into the last place but one. */
    assert_int_equal(CHECK(BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX), RETURN), -1);
    assert_int_equal(CHECK(RETURN, BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX - 1), RETURN), -1);
    assert_int_equal(CHECK(BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN), -1);
    assert_int_equal(CHECK(BPF_STMT(BPF_JMP | BPF_JA, 0), RETURN), 0);
    assert_int_equal(CHECK(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), RETURN), -1);
    assert_int_equal(CHECK(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 255), RETURN), -1);
    assert_int_equal(CHECK(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), RETURN, RETURN), 0);
    /* Places that its memory does not have, for each that uses it. */
    assert_int_equal(CHECK(BPF_STMT(BPF_LD | BPF_MEM, BPF_MEMWORDS), RETURN), -1);
    assert_int_equal(CHECK(BPF_STMT(BPF_LDX | BPF_MEM, UINT32_MAX), RETURN), -1);
    assert_int_equal(CHECK(BPF_STMT(BPF_ST, BPF_MEMWORDS), RETURN), -1);
    assert_int_equal(CHECK(BPF_STMT(BPF_STX, BPF_MEMWORDS), RETURN), -1);
    assert_int_equal(CHECK(BPF_STMT(BPF_STX, BPF_MEMWORDS - 1), RETURN), 0);
    /* What Linux would tell of a packet; divisors; shifts; opcodes. */
    assert_int_equal(CHECK(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0xfffff000), RETURN), -1);
    assert_int_equal(CHECK(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN), -1);
    assert_int_equal(CHECK(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 0), RETURN), -1);
    assert_int_equal(CHECK(BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RETURN), -1);
    assert_int_equal(CHECK(BPF_STMT(BPF_ALU | 0xb0, 1), RETURN), -1);
    assert_int_equal(CHECK(BPF_STMT(UINT16_MAX, 0), RETURN), -1);
    assert_int_equal(CHECK(BPF_STMT(0x100 | BPF_LD | BPF_IMM, 0), RETURN), -1);
    assert_int_equal(CHECK(BPF_STMT(BPF_LDX | BPF_H | BPF_MSH, 14), RETURN), -1);
    assert_int_equal(CHECK(BPF_STMT(BPF_RET | 0x18, 0)), -1);
    assert_int_equal(CHECK(BPF_STMT(BPF_LD | BPF_IMM, 1)), -1);
    assert_non_null(strstr(error.text, "a return as its last"));
}

/* Loads at and beyond the end of a frame, by every index: none of them is one of its bytes. */
static void nothing_beyond_the_frame_is_read(void **state)
{
    static const uint32_t INDEXES[] = {59,        60, 61, INT32_MAX, 0x80000000, UINT32_MAX - 3,
                                       UINT32_MAX};
    uint8_t memory[64];
    struct rte_mbuf mbuf = {.buf_addr = memory, .data_len = 60, .pkt_len = 60, .nb_segs = 1};

    (void)state;
    memset(memory, 1, sizeof(memory));
    for (size_t i = 0; i < sizeof(INDEXES) / sizeof(INDEXES[0]); i++) {
        assert_int_equal(CHECK(BPF_STMT(BPF_LDX | BPF_IMM, INDEXES[i]),
                               BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), RETURN),
                         0);
        assert_false(spill_filter_matches(&filter, &mbuf));
    }
    assert_int_equal(CHECK(BPF_STMT(BPF_LDX | BPF_IMM, UINT32_MAX),
                           BPF_STMT(BPF_LD | BPF_W | BPF_IND, 5), RETURN),
                     0);
    spill_filter_matches(&filter, &mbuf);
    assert_int_equal(CHECK(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 56), RETURN), 0);
    assert_true(spill_filter_matches(&filter, &mbuf));
}

static void a_filter_says_what_libpcap_says(void **state)
{
    static const struct {
        const char *text;
        bool means;
    } cases[] = {
        {"ip", true},
        {"ip and host 10.0.0.7", true},
        {"ip and host 10.0.0.8", false},
        {"udp port 53 and src net 10.0.0.0/8", true},
        {"ip6 host 2001:db8::1 or (ip and udp portrange 50-60)", true},
        {"len > 100", false},
        {"vlan 7", false},
    };
    uint8_t frame[60] = {2, 0, 0,  0,  0, 2, 2,  0, 0, 0, 0,   1, 8, 0, 0x45, 0, 0, 46, 0, 0,
                         0, 0, 64, 17, 0, 0, 10, 0, 0, 7, 192, 0, 2, 1, 4,    0, 0, 53, 0, 26};
    struct rte_mbuf mbuf = {.buf_addr = frame, .data_len = 60, .pkt_len = 60, .nb_segs = 1};
    pcap_t *none = pcap_open_dead(DLT_EN10MB, 65535);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bpf_program program;

        assert_int_equal(pcap_compile(none, &program, cases[i].text, 1, PCAP_NETMASK_UNKNOWN), 0);
        assert_int_equal(check(program.bf_insns, program.bf_len), 0);
        assert_int_equal(spill_filter_matches(&filter, &mbuf), cases[i].means);
        pcap_freecode(&program);
    }
    pcap_close(none);
    filter.count = 0;
    assert_int_equal(spill_filter_check(&filter, &error), 0);
    assert_true(spill_filter_matches(&filter, &mbuf));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_no_filter_is_refused),
        cmocka_unit_test(nothing_beyond_the_frame_is_read),
        cmocka_unit_test(a_filter_says_what_libpcap_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
