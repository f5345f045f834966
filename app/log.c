/* SPDX-License-Identifier: BSD-3-Clause */
/* The program's log. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/printable.h"

#define LINE_SIZE 1024

RTE_LOG_REGISTER(spill_log_type, spillway, NOTICE)

static const uint32_t levels[] = {
    [SPILL_OPTION_LOG_ERROR] = RTE_LOG_ERR,     [SPILL_OPTION_LOG_WARNING] = RTE_LOG_WARNING,
    [SPILL_OPTION_LOG_NOTICE] = RTE_LOG_NOTICE, [SPILL_OPTION_LOG_INFO] = RTE_LOG_INFO,
    [SPILL_OPTION_LOG_DEBUG] = RTE_LOG_DEBUG,
};

void spill_log_line(uint32_t level, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list arguments;
    char *text;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    spill_printable(line, sizeof(line), text != NULL ? text : "no memory for a line of the log");
    free(text);
    rte_log(level, (uint32_t)spill_log_type, "spillway: %s\n", line);
}

void spill_log_set_level(enum spill_option_log level)
{
    rte_log_set_level((uint32_t)spill_log_type, levels[level]);
    rte_log_set_global_level(RTE_LOG_DEBUG);
}

const char *spill_log_eal_argument(enum spill_option_log level)
{
    switch (level) {
    case SPILL_OPTION_LOG_DEBUG:
        return "--log-level=lib.eal:debug";
    case SPILL_OPTION_LOG_INFO:
        return "--log-level=*:notice";
    default:
        return "--log-level=*:error";
    }
}
