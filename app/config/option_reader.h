/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_OPTION_READER_H
#define SPILLWAY_OPTION_READER_H

#include "base/error.h"

/**
 * @file
 * What rows of SPILL_OPTION_READ read their values with. The field is what each names; it is
 * written on success only. On failure the problem says what would be right. @return 0, or -1
 */

/** "A:B" or "A, B": struct spill_option_wire's port_names. */
int spill_option_read_ends(void *field, const char *value, struct spill_error *problem);

/** "A" or "A, B": struct spill_option_port_names. */
int spill_option_read_port_names(void *field, const char *value, struct spill_error *problem);

/** Decimal or 0x...: uint32_t. */
int spill_option_read_spi(void *field, const char *value, struct spill_error *problem);

/** The address of a host: struct spill_sa_address. */
int spill_option_read_address(void *field, const char *value, struct spill_error *problem);

/** An algorithm's name: const struct spill_ipsec_algorithm *. */
int spill_option_read_algorithm(void *field, const char *value, struct spill_error *problem);

/** `copy` or 0 to 63: uint8_t. */
int spill_option_read_dscp(void *field, const char *value, struct spill_error *problem);
int spill_option_read_table(void *target, const char *value, struct spill_error *problem);

/** Any text: an owned char *, in place of the one before. */
int spill_option_read_text(void *field, const char *value, struct spill_error *problem);

/** Types of frames: struct spill_non_ip. */
int spill_option_read_non_ip(void *field, const char *value, struct spill_error *problem);

int spill_option_read_addresses(void *target, const char *value, struct spill_error *problem);
int spill_option_read_vias(void *target, const char *value, struct spill_error *problem);
int spill_option_read_interface(void *target, const char *value, struct spill_error *problem);
int spill_option_read_mac(void *target, const char *value, struct spill_error *problem);

#endif
