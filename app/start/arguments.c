/* SPDX-License-Identifier: BSD-3-Clause */
/* Arguments for the EAL in the making. */
#include "start/arguments.h"

#include <stdarg.h>
#include <stdio.h>

void spill_arguments_add(struct spill_arguments *arguments, const char *format, ...)
{
    char *text = NULL;
    va_list values;

    if (arguments->count == SPILL_ARGUMENTS_MAX - 1)
        return;
    va_start(values, format);
    if (vasprintf(&text, format, values) >= 0)
        arguments->values[arguments->count++] = text;
    va_end(values);
}
