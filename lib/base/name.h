/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_NAME_H
#define SPILLWAY_NAME_H

#include <stdbool.h>
#include <string.h>

/**
 * @file
 * Names that a user gives: of ports, wires, security associations, instances. They become part of
 * the names of rings and mempools, which are short; but for those of sub-ports. Any thread.
 */

#define SPILL_NAME_LENGTH 16
#define SPILL_NAME_SIZE   (SPILL_NAME_LENGTH + 1) /* with its NUL */

/** What a name is, for messages. */
#define SPILL_NAME_RULE "1 to 16 letters, digits, '_' or '-'"
_Static_assert(SPILL_NAME_LENGTH == 16, "the rule says so");

/** Whether a text is such a name. */
static inline bool spill_is_name(const char *text)
{
    const size_t length =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    return length > 0 && length <= SPILL_NAME_LENGTH && text[length] == '\0';
}

/** Of a port, or of a sub-port of one. */
#define SPILL_INTERFACE_NAME_SIZE (SPILL_NAME_SIZE + 5)

/** Whether a text is the name of a port, or of a sub-port: such a name, or that and `.` with up to
 * four digits behind it, as lan.100. */
static inline bool spill_is_interface_name(const char *text)
{
    const size_t length = strcspn(text, "."), digits = strlen(text + length);
    char name[SPILL_NAME_SIZE] = "";

    if (length >= sizeof(name))
        return false;
    memcpy(name, text, length);
    return spill_is_name(name) && digits != 1 && digits <= 5 &&
           (digits == 0 || strspn(text + length + 1, "0123456789") == digits - 1);
}

#endif
