/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_OPTION_TABLE_H
#define SPILLWAY_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * @file
 * The one table of options. The command line, the configuration file, the defaults and `--help`
 * are all read from it, so that they can't say different things. Constant; any thread.
 *
 * To add an option: a field in options.h and a row in option_table.c; the tests then ask for one
 * good and one bad value of it. To add a class of work: a line in enum spill_option_class and in
 * the table of names.
 */

/** What an option is about; says which struct its field is in and how its argument begins. */
enum spill_option_scope {
    SPILL_OPTION_PLAIN,     /* struct spill_options */
    SPILL_OPTION_PER_PORT,  /* struct spill_option_port; `NAME:value`, or a key of [port NAME] */
    SPILL_OPTION_PER_CLASS, /* struct spill_option_class_settings; `CLASS=value` */
    SPILL_OPTION_PORT,      /* makes a port; `NAME=value`, or the key `device` of [port NAME] */
    SPILL_OPTION_WIRE,      /* makes a wire; `A:B`, or the key `ports` of [wire NAME] */
    SPILL_OPTION_PER_SA,    /* struct spill_option_sa; a key of [sa NAME], no flag */
};

/** How the value is read. */
enum spill_option_kind {
    SPILL_OPTION_SWITCH,       /* a flag without value, or `on`, `off`: bool */
    SPILL_OPTION_ON_OFF,       /* `on`, `off`: bool */
    SPILL_OPTION_YES_NO,       /* `yes`, `no`: bool */
    SPILL_OPTION_NUMBER,       /* least to most: uint16_t, uint32_t or uint64_t */
    SPILL_OPTION_POWER_OF_TWO, /* the same, powers of two only */
    SPILL_OPTION_TIME,         /* nanoseconds, least to most: uint64_t */
    SPILL_OPTION_WORD,         /* one of words: an enum that counts from 0 */
    SPILL_OPTION_CPUS,         /* struct spill_option_cpus */
    SPILL_OPTION_NAME,         /* letters, digits, '_', '-': char[SPILL_OPTION_NAME_SIZE] */
    SPILL_OPTION_FILE,         /* owned char *, relative to the configuration file */
    SPILL_OPTION_OUTPUT,       /* the same, or `-` */
    SPILL_OPTION_DEVICE,       /* owned char * */
    SPILL_OPTION_ENDS,         /* two port names: the wire's port_names */
    SPILL_OPTION_PORT_NAMES,   /* one or several: struct spill_option_port_names */
    SPILL_OPTION_SPI,          /* decimal or 0x...: uint32_t */
    SPILL_OPTION_ADDRESS,      /* of one host: struct spill_option_address */
    SPILL_OPTION_ALGORITHM,    /* const struct spill_ipsec_algorithm * */
    SPILL_OPTION_DSCP,         /* `copy` or 0 to 63: uint8_t */
    SPILL_OPTION_NON_IP,       /* struct spill_non_ip */
    SPILL_OPTION_ACTION,       /* --help, --version: no field */
};

enum spill_option_group {
    SPILL_OPTION_GROUP_GENERAL,
    SPILL_OPTION_GROUP_PORTS,
    SPILL_OPTION_GROUP_FIREWALL,
    SPILL_OPTION_GROUP_SA,
    SPILL_OPTION_GROUP_ROLES,
    SPILL_OPTION_GROUP_WORK,
    SPILL_OPTION_GROUP_MEMORY,
    SPILL_OPTION_GROUP_END,
    SPILL_OPTION_GROUP_OUTPUT,
    SPILL_OPTION_GROUPS,
};

struct spill_option {
    const char *name;     /* without the dashes; also the key in the file */
    const char *argument; /* as `--help` shows it; NULL: none */
    const char *help;     /* without the default, which is added */
    const char *preset;   /* the default as a user would write it; NULL: zero, empty, not given */
    enum spill_option_group group;
    enum spill_option_scope scope;
    enum spill_option_kind kind;
    bool flag_only;  /* has no key in the file */
    bool at_reload;  /* a reload puts it in force too; else it takes a new start */
    uint8_t key;     /* SPILL_OPTION_PER_SA: enum spill_option_sa_key */
    uint16_t offset; /* of the field in the scope's struct */
    uint16_t size;   /* of the field */
    uint64_t least;  /* numbers and times */
    uint64_t most;
    const char *const *words; /* SPILL_OPTION_WORD; ends with NULL */
};

/** @param count  written: the number of rows; rows of a group stand together */
const struct spill_option *spill_option_table(size_t *count);

/**
 * @param per_sa  look among the keys of [sa NAME], instead of among the flags
 * @return the option of that name, or NULL
 */
const struct spill_option *spill_option_find(const char *name, bool per_sa);

/**
 * @param per_sa  look among the keys of [sa NAME], instead of among the flags
 * @return the name nearest to a mistyped one, or NULL when none is near
 */
const char *spill_option_nearest(const char *name, bool per_sa);

/** @return the heading of a group in `--help` */
const char *spill_option_group_title(enum spill_option_group group);

/** @return the class of that name (an enum spill_option_class), or -1 */
int spill_option_find_class(const char *name);

/** Room for spill_option_class_list(). */
#define SPILL_OPTION_CLASS_LIST_SIZE 64

/** Writes the names of all classes, "classify, encrypt". @return text */
const char *spill_option_class_list(char *text, size_t size);

/** Prints `--help`; no line is longer than 79 columns. */
void spill_option_print_help(void);

#endif
