/* SPDX-License-Identifier: BSD-3-Clause */
/* Errors for people: one line, whatever the names and values that it repeats. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "error.h"
#include "printable.h"

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
