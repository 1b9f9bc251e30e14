/* SPDX-License-Identifier: MPL-2.0 */
/*
 * value - what a task gives: a JSON document, from text and to text.
 *
 * A value is a jansson json_t. Numbers are 64-bit integers or doubles.
 */
#ifndef FLOW_VALUE_H
#define FLOW_VALUE_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum value_kind {
    VALUE_NONE,  /* null, whatever the output */
    VALUE_TEXT,  /* the output without trailing newlines, as $(...) */
    VALUE_LINES, /* a list of its lines, without an empty last one */
    VALUE_INT,
    VALUE_FLOAT,
    VALUE_JSON,
    VALUE_KIND_COUNT
};

/* Names as flow files write them: "none", "text", ... */
extern const char *const value_kind_names[VALUE_KIND_COUNT];

/*
 * Make a value of a task's standard output. Fails with ERR_INVALID if the text
 * is not of that kind, showing the text; with ERR_LIMIT past LIMIT_VALUE_BYTES
 * or, for JSON, LIMIT_DEPTH. JSON is strict: one document, no duplicate keys.
 */
int value_parse(enum value_kind kind, const char *text, size_t len,
                json_t **ret, struct err *err);

/*
 * A value as a task sees it in its environment and inside longer strings: a
 * string as it is, numbers in their shortest exact form, true and false, null
 * as nothing, a list one element a line, an object as compact JSON; inside a
 * list, whatever is not a string is compact JSON.
 */
void value_text(const json_t *value, struct buf *out);

/* Compact JSON, keys in the order they were set. */
void value_json(const json_t *value, struct buf *out);

/* For messages: compact JSON cut to `most` bytes with "..." behind it. */
void value_brief(const json_t *value, size_t most, struct buf *out);

/* "a string", "a list", ...: the kind of a value, for messages. */
const char *value_type_name(const json_t *value);

#endif
