/* SPDX-License-Identifier: BSD-3-Clause */
/* Errors for people: one line, whatever the names and values that it repeats. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "printable.h"

/* Digits of the shortest key that a key file may hold. */
#define KEY_DIGITS 32

/* A key file may be named where another file is meant, and its line is a word that nobody expects:
 * as much of hexadecimal digits as a key has, from a word's beginning on, is not repeated. */
static void hide_keys(char *text)
{
    char *at = text;

    while (*(at += strcspn(at, "0123456789abcdefABCDEF")) != '\0') {
        const size_t length = strspn(at, "0123456789abcdefABCDEF");

        if (length >= KEY_DIGITS && (at == text || strchr(" '=", at[-1]) != NULL))
            memset(at, '*', length);
        at += length;
    }
}

int spill_error_set(struct spill_error *error, const char *format, ...)
{
    va_list arguments;
    char *text;

    if (error == NULL)
        return -1;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    if (text != NULL)
        hide_keys(text);
    spill_printable(error->text, sizeof(error->text), text != NULL ? text : "no memory");
    free(text);
    error->cancelled = false;
    return -1;
}

int spill_error_cancelled(struct spill_error *error)
{
    if (error != NULL)
        error->cancelled = true;
    return -1;
}
