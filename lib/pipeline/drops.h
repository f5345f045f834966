/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_DROPS_H
#define SPILLWAY_DROPS_H

#include "base/ledger.h"

/**
 * @file
 * The drop reasons of the pipeline that more than one of its files uses; the others are each in the
 * file that uses it. malformed_… are the parser's (packet/parse.h).
 */
extern struct spill_drop_reason spill_drop_denied;
extern struct spill_drop_reason spill_drop_drain_deadline;
extern struct spill_drop_reason spill_drop_esp_fragment;
extern struct spill_drop_reason spill_drop_esp_wrong_port;
extern struct spill_drop_reason spill_drop_esp_too_big;
extern struct spill_drop_reason spill_drop_tx_fit_limit;
extern struct spill_drop_reason spill_drop_tx_link_down;
extern struct spill_drop_reason spill_drop_esp_wrapped;
extern struct spill_drop_reason spill_drop_esp_required;
extern struct spill_drop_reason spill_drop_esp_no_route;

#endif
