/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_OPTION_ROW_H
#define SPILLWAY_OPTION_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/**
 * @file
 * A row says everything about one option: what it is called, what it takes, what it is when it is
 * not given, where it is stored, and when a change of it is in force. Command line, configuration
 * file, messages, `--help` and the tables of the documents are all made of rows, so they can't say
 * different things. Constant; any thread.
 */

/** What an option is about; says which struct its field is in and how its argument begins. */
enum spill_option_scope {
    SPILL_OPTION_PLAIN,     /* the options themselves */
    SPILL_OPTION_PER_PORT,  /* struct spill_option_port; `NAME:value`, or a key of [port NAME] */
    SPILL_OPTION_PER_CLASS, /* struct spill_pipeline_class; `CLASS=value` */
    SPILL_OPTION_PORT,      /* makes a port; `NAME=value`, or the key `device` of [port NAME] */
    SPILL_OPTION_WIRE,      /* makes a wire; `A:B`, or the key `ports` of [wire NAME] */
    /* Keys of the file alone, no flags: */
    SPILL_OPTION_PER_SA,        /* struct spill_option_sa; of [sa NAME] */
    SPILL_OPTION_PER_INTERFACE, /* struct spill_option_interface; of [port NAME] */
    SPILL_OPTION_PER_ROUTE,     /* struct spill_option_route; of [route PREFIX] */
    SPILL_OPTION_PER_NEIGHBOR,  /* struct spill_option_neighbor; of [neighbor ADDRESS] */
    SPILL_OPTION_ROUTER,        /* the options themselves; of [router] */
    SPILL_OPTION_IKE,           /* likewise; of [ike] */
};

/** How the value is read. */
enum spill_option_kind {
    SPILL_OPTION_SWITCH,       /* a flag without value, or `on`, `off`: bool */
    SPILL_OPTION_ON_OFF,       /* `on`, `off`: bool */
    SPILL_OPTION_YES_NO,       /* `yes`, `no`: bool */
    SPILL_OPTION_NUMBER,       /* least to most: unsigned, of 16, 32 or 64 bits */
    SPILL_OPTION_POWER_OF_TWO, /* the same, powers of two only */
    SPILL_OPTION_TIME,         /* nanoseconds, least to most: uint64_t */
    SPILL_OPTION_WORD,         /* one of words: an enum */
    SPILL_OPTION_CPUS,         /* struct spill_cpu_list */
    SPILL_OPTION_NAME,         /* spill_is_name(): char[SPILL_NAME_SIZE] */
    SPILL_OPTION_FILE,         /* owned char *, relative to the configuration file */
    SPILL_OPTION_SOCKET,       /* likewise, as long as a UNIX socket's name may be */
    SPILL_OPTION_OUTPUT,       /* the same, or `-` */
    SPILL_OPTION_DEVICE,       /* owned char * */
    SPILL_OPTION_COMMAND,      /* owned char *, for the shell */
    SPILL_OPTION_READ,         /* by the row's own function */
    SPILL_OPTION_ACTION,       /* --help, --version: no field */
};

/** When another value of it is in force. */
enum spill_option_when {
    SPILL_OPTION_AT_START,  /* the next one */
    SPILL_OPTION_AT_RELOAD, /* a reload puts it in force, too */
    SPILL_OPTION_AT_ONCE,   /* and so does `spillwayctl set`: its field owns nothing, and its users
                             * look at it, or are told, each time that it changes */
};

/** A word and what it means; a list of them ends with a word that is NULL. */
struct spill_option_word {
    const char *word;
    unsigned value;
};

struct spill_option {
    const char *name;     /* without the dashes; also the key in the file */
    const char *key;      /* in the section of what it makes: `device`, `ports`; NULL: its name */
    const char *argument; /* NULL: that of its kind, or its words; spill_option_argument() adds what
                           * its scope puts in front */
    const char *form;     /* of a required key's value, for messages; NULL: the argument */
    const char *help;     /* without the default, which is added */
    const char *preset;   /* the default as a user would write it; NULL: zero, empty, not given */
    const char *absent;   /* what is when it is not given, where that is more than nothing */
    const char *range;    /* what it may be; NULL: as its kind has it */
    uint8_t group;        /* index into the table's groups */
    enum spill_option_scope scope;
    enum spill_option_kind kind;
    bool flag_only; /* has no key in the file */
    bool required;  /* must be in its section */
    enum spill_option_when when;
    uint16_t offset; /* of the field in the scope's struct */
    uint16_t size;   /* of the field */
    uint64_t least;  /* numbers and times */
    uint64_t most;
    const struct spill_option_word *words; /* SPILL_OPTION_WORD */
    /**
     * SPILL_OPTION_READ: reads a value into the field, which stays as it is on failure.
     *
     * @param problem  on failure: what would be right
     */
    int (*read)(void *field, const char *value, struct spill_error *problem);
};

/** Whether there is a flag for it. */
static inline bool spill_option_is_flag(const struct spill_option *option)
{
    return option->scope < SPILL_OPTION_PER_SA;
}

/** Rows that stand together in texts. */
struct spill_option_group {
    const char *title;
    const char *note; /* behind the title in `--help`; NULL: nothing */
};

/** Rows of a group stand together. */
struct spill_option_table {
    const struct spill_option *rows;
    size_t count;
    const struct spill_option_group *groups;
};

/**
 * @param per_sa  look among the keys of [sa NAME], instead of among the flags
 * @return the row of that name, or NULL
 */
const struct spill_option *spill_option_find_in(const struct spill_option_table *table,
                                                const char *name, bool per_sa);

/** @return the name nearest to a mistyped one, or NULL when none is near */
const char *spill_option_nearest_in(const struct spill_option_table *table, const char *name,
                                    bool per_sa);

/** Room for the texts of spill_option_argument() and spill_option_range(). */
#define SPILL_OPTION_TEXT_SIZE 128

/** Writes what stands behind the flag: "NAME:N", "busy|pause|sleep"; empty: none. @return text */
const char *spill_option_argument(const struct spill_option *option, char *text, size_t size);

/** Writes what the value may be: "1 to 64", "busy, pause, sleep"; empty: anything. @return text */
const char *spill_option_range(const struct spill_option *option, char *text, size_t size);

/** Writes the words with separators: ", " and, before the last one, `last`. @return text */
const char *spill_option_words(const struct spill_option_word *words, const char *last, char *text,
                               size_t size);

/** Prints the rows of a table under their groups, for terminals of 80 columns. */
void spill_option_print(const struct spill_option_table *table);

#endif
