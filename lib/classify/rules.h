/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_RULES_H
#define SPILLWAY_RULES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/name.h"
#include "packet/packet.h"

/**
 * @file
 * Rule files: text to an array of rules, in the order of the file. The first rule that matches
 * wins.
 *
 * One rule a line; `#` starts a comment anywhere; empty lines and CR LF are fine:
 *
 *     ACTION PROTOCOL from END to END [in PORT[,PORT...]] [type TYPE[/CODE][,TYPE[/CODE]...]]
 *     END = ADDRESS[/LENGTH]|@SET|any [port P[-Q][,P[-Q]...]]
 *
 * `mss N|auto` behind all of that makes TCP's ends announce segments of at most N bytes, or of what
 * fits the MTUs of the ports. `log [limit N/s|N/m|N/h]` has what it decides recorded, so many times
 * at most. `limit RATE [burst BYTES]` lets so much through and no more (rule_limit.h): what is
 * beyond goes to the next rule. `dscp N` marks what it lets through (dscp.h). `name "TEXT"` is what
 * the rule is called where it is told of; within the quotes `#` starts no comment.
 *
 * ACTION is allow, deny, reject (deny, and tell the sender) or `protect SA`, with the name of a
 * security association (inspect is reserved). PROTOCOL is any, a name or a number.
 * A rule with an IPv4 address is for IPv4 only, with an IPv6 address for IPv6 only, without any
 * address for both. Ports go with any and with the protocols that have ports; a rule that names
 * ports matches only packets that carry them, also where its protocol is any. A rule with `in` is
 * for packets that came in by one of these ports of the program, by their names; a port's
 * sub-ports, as lan.100, are among what it has, and have names of their own. One with `type` is for
 * ICMP or ICMPv6 messages of these types, by name or number (icmp_types.h).
 *
 * Two other lines:
 *
 *     set NAME = [PREFIX...] [file PATH]     what @NAME means from here on; the file has one a line
 *     include PATH                           the file's lines, here
 *
 * A path is relative to the folder of the file that names it. A set may have prefixes of both
 * families: a rule with it is for those that it has; one with an empty set matches nothing.
 *
 * A line that starts with `@` is a ClassBench filter (IPv4 or IPv6), unchanged or with an action
 * word at its end, allow or deny; without one it denies:
 *
 *     @SOURCE/LENGTH DESTINATION/LENGTH P : Q P : Q PROTOCOL/MASK [FLAGS/MASK] [ACTION]
 *
 * There, host bits below a prefix are cleared silently, the ports 0 : 65535 are no ports named, and
 * the flags are not looked at; so a line that allows may not have any.
 */

#define SPILL_RULES_MAX_LINE 512 /* bytes in a line of a rule file */

#define SPILL_RULES_MAX (1u << 20) /* rules in a file */

#define SPILL_SETS_MAX       32         /* a bit each */
#define SPILL_PREFIXES_MAX   (1u << 22) /* of all sets */
#define SPILL_RULE_FILES_MAX 256        /* that a rule file leads to */

#define SPILL_RULE_NAME_MAX 63 /* bytes */

#define SPILL_MSS_MIN 64 /* bytes; no link that IP runs over has a smaller MTU than 68 */

#define SPILL_INPUTS_NAMED_MAX                                                                     \
    32 /* ports and sub-ports that the rules of a file name with `in`                              \
        */

/* The ends of a packet's way: index of the arrays in struct spill_rule. */
enum spill_rule_end {
    SPILL_RULE_SOURCE,
    SPILL_RULE_DESTINATION,
};

/* Bits of spill_rule.families. */
#define SPILL_RULE_IPV4 0x1
#define SPILL_RULE_IPV6 0x2

/** Which packets a daemon's rule is for: the direction of its policy. */
enum spill_rule_host {
    SPILL_RULE_HOST_NOT,   /* of a file: all, and denying is for all but the host's own */
    SPILL_RULE_HOST_GETS,  /* for what comes, also to it */
    SPILL_RULE_HOST_SENDS, /* for what leaves: its own, and what came through an SA and goes on */
    SPILL_RULE_FORWARDED,  /* for what comes, and is not the host's */
};

/** One rule. Written while the file is read, then constant. */
struct spill_rule {
    uint8_t action;    /* enum spill_verdict, not UNKNOWN */
    uint8_t families;  /* SPILL_RULE_IPV4, SPILL_RULE_IPV6 or both */
    uint8_t protocol;  /* IP protocol, where any_protocol is false; else 0 */
    bool any_protocol; /* every protocol */
    bool names_ports;  /* matches only packets with ports, and these by first_port, last_port */
    bool names_types;  /* matches only ICMP messages, and these by type * 256 + code, which is in
                        * the destination's first_port to last_port */
    uint8_t length[2]; /* bits of address[] that count, of each end; 0: any */
    uint8_t address[2]
                   [16]; /* network order, zero beyond the prefix; IPv4 in the first four bytes */
    uint16_t first_port[2]; /* host order, of each end; 0 to 65535 where none is named */
    uint16_t last_port[2];
    uint32_t
        inputs;    /* bit i: for packets that came in by spill_ruleset.inputs[i]; 0: by any port */
    uint16_t mss;  /* of one that allows: SPILL_SA_MSS_AUTO, or bytes; 0: not said */
    bool reject;   /* of one that denies: its sender is told */
    uint8_t host;  /* enum spill_rule_host; no file says that */
    uint16_t trap; /* of one that denies only until there is an SA: from SPILL_SA_TRAP_FIRST; else
                    * 0; likewise */
    bool log;      /* what it decides is recorded */
    uint64_t log_interval; /* nanoseconds from one record to the next, in the long run; 0: any */
    uint64_t limit;        /* bits a second that it lets through; 0: any */
    uint32_t burst;        /* of one with a limit: bytes */
    uint8_t dscp;          /* 1 + the codepoint that packets get; 0: they keep theirs */
    uint8_t level;         /* of one with a limit, 1 to SPILL_RULE_LEVELS (rule_levels.h); else 0 */
    uint16_t sa; /* of a rule that protects: 1 + index of its name in spill_ruleset.sas; else 0 */
    uint8_t set[2]; /* of each end: 1 + index in spill_ruleset.sets, besides address; 0: none */
    uint16_t file;  /* index in spill_ruleset.paths */
    uint32_t line;  /* in the file, from 1; each range of a list makes a rule */
    uint32_t name;  /* where it begins in spill_ruleset.names; 0: it has none */
    uint32_t text;  /* where its line begins in spill_ruleset.lines; 0: no file has it */
    uint32_t tally; /* where it is counted; written by spill_rule_tallies_assign() */
};

/** A prefix of a set. */
struct spill_prefix {
    uint8_t address[16]; /* network order, zero beyond the prefix; IPv4 in the first four bytes */
    uint8_t length;
    uint8_t family; /* SPILL_RULE_IPV4 or SPILL_RULE_IPV6 */
    uint8_t set;    /* 1 + index in spill_ruleset.sets */
};

/** What a name in spill_ruleset.inputs stands for. */
struct spill_rule_input {
    uint16_t port; /* id of the port's device */
    uint16_t vlan; /* of a sub-port: what has that tag; 0: all of the port */
};

/** Texts, each with its NUL, behind an empty one. */
struct spill_rule_texts {
    char *bytes; /* NULL: there is none */
    uint32_t size;
    uint32_t capacity; /* only the reader looks at it */
};

/** The rules of a file. */
struct spill_ruleset {
    struct spill_rule *rules; /* in the order of the file */
    uint32_t count;
    uint32_t capacity;            /* elements allocated; only the reader looks at it */
    char (*sas)[SPILL_NAME_SIZE]; /* names that rules protect with, in the order of first use */
    uint16_t sa_count;
    uint16_t input_count;
    /* names of ports and sub-ports that rules name with `in`, in the order of first use */
    char inputs[SPILL_INPUTS_NAMED_MAX][SPILL_INTERFACE_NAME_SIZE];
    uint16_t *sa_slots; /* 1 + index of names, by hash; only the reader looks at it */
    /* names of sets, in the order of the file, and the families that they have prefixes of */
    char sets[SPILL_SETS_MAX][SPILL_NAME_SIZE];
    uint8_t set_families[SPILL_SETS_MAX];
    uint8_t set_count;
    struct spill_prefix *prefixes; /* of all sets */
    uint32_t prefix_count;
    uint32_t prefix_capacity; /* only the reader looks at it */
    char **paths;             /* of the files, the first of them the one that names the others */
    uint32_t path_count;
    struct spill_rule_texts names; /* of rules */
    struct spill_rule_texts lines; /* that are rules, as the file has them, without comments */
};

/** A file that a rule file names, open. */
struct spill_rule_file {
    FILE *stream;
    void *handle; /* the opener's own */
};

/** Who opens files that rule files name. */
struct spill_rule_files {
    /** Returns 0, or -1 with an error that names the path. */
    int (*open)(void *context, const char *path, struct spill_rule_file *file,
                struct spill_error *error);
    /** Closes it; may put a reason of its own into the error if a read failed. */
    void (*close)(void *context, struct spill_rule_file *file, struct spill_error *error);
    void *context;
};

/**
 * Reads a rule file from an open stream up to its end. Control thread (heap).
 *
 * @param file   stays open and the caller's
 * @param name   what errors call it; paths in it are relative to the folder that it has
 * @param files  open what the file names; NULL: it may name none
 * @param error  says what is wrong, with name and line; may be NULL
 * @return the rules, to be freed with spill_rules_free(); NULL on error. A file without any rule is
 *         no error.
 */
struct spill_ruleset *spill_rules_read(FILE *file, const char *name,
                                       const struct spill_rule_files *files,
                                       struct spill_error *error);

/** The path of the file that a rule stands in, for errors. */
const char *spill_rules_path(const struct spill_ruleset *ruleset, const struct spill_rule *rule);

/** The word for what a rule does: allow, deny, reject or protect. */
const char *spill_rule_action_name(enum spill_verdict action, bool reject);

/** How many lines have rules: one with lists has several. */
uint32_t spill_rules_lines(const struct spill_ruleset *ruleset);

/** What a rule is called; empty: nothing. */
const char *spill_rules_name(const struct spill_ruleset *ruleset, const struct spill_rule *rule);

/** What the file has for a rule; empty: no file has it. */
const char *spill_rules_text(const struct spill_ruleset *ruleset, const struct spill_rule *rule);

/** Whether two rules, one behind the other, were made of one line. */
static inline bool spill_rules_same_line(const struct spill_rule *rule,
                                         const struct spill_rule *other)
{
    return rule->file == other->file && rule->line == other->line;
}

/** Whether a rule denies what the host gets or sends, whether or not rules are for that. */
static inline bool spill_rule_denies_host(const struct spill_rule *rule)
{
    return rule->action == SPILL_VERDICT_DENY &&
           (rule->host == SPILL_RULE_HOST_GETS || rule->host == SPILL_RULE_HOST_SENDS);
}

/** Frees rules. NULL is fine. */
void spill_rules_free(struct spill_ruleset *ruleset);

#endif
