/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TRACE_H
#define SPILLWAY_TRACE_H

#include "pipeline/watch.h"

/**
 * @file
 * The way of single packets through the stages: a record at each, of what the stage found.
 *
 * A stage declares its line beside itself, as a static const struct spill_trace_line, and notes it
 * by SPILL_TRACE() with as many values as the line has names. The record points to the line; the
 * control thread makes text of both (app/control/trace.c). What a drop says comes by the ledger.
 */

#define SPILL_TRACE_RECORDS 4096 /* of a ring */
#define SPILL_TRACE_WORDS   11
#define SPILL_TRACE_VALUES  4
/** A packet's number has above these bits the lcore that received it. */
#define SPILL_TRACE_LCORE_SHIFT 24

/** What a value of a line is: how many words of a record it takes, and how it is told. */
enum spill_trace_kind {
    SPILL_TRACE_NUMBER,    /* one, as the next ones */
    SPILL_TRACE_PORT,      /* id */
    SPILL_TRACE_RULE,      /* its tally */
    SPILL_TRACE_VERDICT,   /* enum spill_verdict */
    SPILL_TRACE_SA,        /* id; 0: none */
    SPILL_TRACE_REASON,    /* id of a drop reason */
    SPILL_TRACE_WORD,      /* index of one of the value's words */
    SPILL_TRACE_INTERFACE, /* of the router's */
    SPILL_TRACE_LCORE,     /* index in the plan */
    SPILL_TRACE_MAC,       /* two: its bytes as they stand in a frame */
    SPILL_TRACE_ADDRESS,   /* five: enum spill_packet_kind, and the bytes */
    SPILL_TRACE_PACKET,    /* all: struct spill_trace_packet */
};

struct spill_trace_value {
    const char *name; /* key of JSON; NULL: there is no such value */
    enum spill_trace_kind kind;
    const char *const *words;
};

struct spill_trace_line {
    const char *stage;
    bool last; /* the packet is gone then */
    struct spill_trace_value values[SPILL_TRACE_VALUES];
};

struct spill_trace_record {
    uint64_t time; /* TSC */
    const struct spill_trace_line *line;
    uint32_t packet;                    /* its number: of its first lcore, and a count */
    uint32_t values[SPILL_TRACE_WORDS]; /* in the order of the line's */
};

_Static_assert(sizeof(struct spill_trace_record) == 64, "one cache line");

/** Words of where a class of expensive work was done: 0 here, 1 by the pool. */
extern const char *const spill_trace_ways[];

/** What parsing found, of a packet that was received. */
struct spill_trace_packet {
    uint8_t address[2][16]; /* source, destination */
    uint16_t port[2];       /* host order; ICMP: type and code; no IP: its EtherType, or LLC */
    uint16_t vlan;
    uint16_t length; /* of the frame, 65535 at most */
    uint8_t kind;    /* enum spill_packet_kind */
    uint8_t protocol;
    uint8_t input; /* id of the port */
    uint8_t has_ports : 1;
    uint8_t has_type : 1;
    uint8_t fragment : 1;
    uint8_t esp : 1;
};

_Static_assert(sizeof(struct spill_trace_packet) <= SPILL_TRACE_WORDS * sizeof(uint32_t),
               "fits a record");

/** Prepares an lcore's watch for a trace, but for its ring and its filter. Control thread.
 *  @param before  packets that were numbered by traces before, and may be under way still
 *  @param most    packets of this one; with those before at most 2^24 - 1 */
void spill_trace_init(struct spill_watch *watch, uint32_t lcore, uint32_t before, uint32_t most);

/** Notes a line, if the packet is traced. The lcore, its holder. */
void spill_trace_note(struct spill_watch *watch, struct rte_mbuf *mbuf,
                      const struct spill_trace_line *line, const uint32_t *values, uint32_t words);

/** Notes it of a packet's number, which may be gone; 0: nothing. The lcore. */
void spill_trace_note_number(struct spill_watch *watch, uint32_t number,
                             const struct spill_trace_line *line, const uint32_t *values,
                             uint32_t words);

/** Notes in a packet's mark which rule decided about it. The lcore, its holder. */
void spill_trace_rule(struct rte_mbuf *mbuf, uint32_t tally);

/** Notes a stage's line: SPILL_TRACE(&fast->ledger, mbuf, line, value, …). */
#define SPILL_TRACE(ledger_, mbuf_, line_, ...)                                                    \
    do {                                                                                           \
        struct spill_watch *watch_ = spill_watch_of(ledger_);                                      \
                                                                                                   \
        if (unlikely(watch_ != NULL)) {                                                            \
            const uint32_t values_[] = {__VA_ARGS__};                                              \
                                                                                                   \
            spill_trace_note(watch_, mbuf_, &(line_), values_, RTE_DIM(values_));                  \
        }                                                                                          \
    } while (0)

#endif
