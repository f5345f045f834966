/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_JSON_H
#define SPILLWAY_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/**
 * @file
 * Writes JSON to a stream: the plan and the report.
 *
 * Values are written as they come; nothing is kept. Within an object each value has a key, within
 * an array and at the top the key is NULL; the wrong one of the two is a programming error and
 * aborts. One thread at a time, not a fast lcore (formatted output).
 */

#define SPILL_JSON_DEPTH_MAX 16

/** A document being written. The functions below write each field. */
struct spill_json {
    FILE *out;
    bool on_one_line;
    unsigned depth;                      /* objects and arrays that are open */
    bool is_array[SPILL_JSON_DEPTH_MAX]; /* what is open at each depth */
    bool has_values[SPILL_JSON_DEPTH_MAX];
};

/**
 * Begins a document.
 *
 * @param out  stays the caller's
 */
void spill_json_begin(struct spill_json *json, FILE *out);

/** The same, of a document that is one line: of a file that has one in each. */
void spill_json_begin_line(struct spill_json *json, FILE *out);

/**
 * Ends a document with a newline and flushes it. Whatever was opened must have been closed.
 *
 * @return 0, or -1 when the stream has had an error
 */
int spill_json_end(struct spill_json *json);

void spill_json_object_begin(struct spill_json *json, const char *key);
void spill_json_object_end(struct spill_json *json);
void spill_json_array_begin(struct spill_json *json, const char *key);
void spill_json_array_end(struct spill_json *json);

/** A string; what is not UTF-8 in it becomes U+FFFD. NULL is written as null. */
void spill_json_string(struct spill_json *json, const char *key, const char *value);
void spill_json_unsigned(struct spill_json *json, const char *key, uint64_t value);
void spill_json_signed(struct spill_json *json, const char *key, int64_t value);
/** A number with 9 significant digits; null when it is not finite. */
void spill_json_double(struct spill_json *json, const char *key, double value);
void spill_json_boolean(struct spill_json *json, const char *key, bool value);

#endif
