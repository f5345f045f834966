/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_DROPS_H
#define SPILLWAY_DROPS_H

#include "base/ledger.h"

/**
 * @file
 * The drop reasons of the pipeline that more than one of its files uses. Each is defined in the
 * file of the stage it belongs to; malformed_… are the parser's (packet/parse.h).
 */
extern struct spill_drop_reason spill_drop_denied;         /* classification.c */
extern struct spill_drop_reason spill_drop_drain_deadline; /* run.c */
extern struct spill_drop_reason spill_drop_esp_fragment;   /* encryption.c */
extern struct spill_drop_reason spill_drop_esp_wrong_port; /* encryption.c */
extern struct spill_drop_reason spill_drop_esp_too_big;    /* encryption.c */
extern struct spill_drop_reason spill_drop_tx_fit_limit;   /* exit.c */
extern struct spill_drop_reason spill_drop_tx_link_down;   /* output.c */
extern struct spill_drop_reason spill_drop_esp_wrapped;    /* protection.c */

#endif
