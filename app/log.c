/* SPDX-License-Identifier: BSD-3-Clause */
/* The program's log. */
#include "log.h"

RTE_LOG_REGISTER(spill_log_type, spillway, NOTICE)

static const uint32_t levels[] = {
    [SPILL_OPTION_LOG_ERROR] = RTE_LOG_ERR,     [SPILL_OPTION_LOG_WARNING] = RTE_LOG_WARNING,
    [SPILL_OPTION_LOG_NOTICE] = RTE_LOG_NOTICE, [SPILL_OPTION_LOG_INFO] = RTE_LOG_INFO,
    [SPILL_OPTION_LOG_DEBUG] = RTE_LOG_DEBUG,
};

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
