/* SPDX-License-Identifier: MPL-2.0 */
/*
 * value - what a task gives: a JSON document, from text and to text.
 *
 * A value is a jansson json_t. Numbers are 64-bit integers or doubles.
 */
#ifndef FLOW_VALUE_H
#define FLOW_VALUE_H

#include <jansson.h>
#include <stdbool.h>
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

/*
 * Compact JSON, keys in the order they were set, floats in their shortest
 * form; it can be shown on a terminal, and is read back the same as YAML.
 */
void value_json(const json_t *value, struct buf *out);

/* For messages: compact JSON cut to `most` bytes with "..." behind it. */
void value_brief(const json_t *value, size_t most, struct buf *out);

/* "a string", "a list", ...: the kind of a value, for messages. */
const char *value_type_name(const json_t *value);

/* The same document: numbers by what they are worth (1 is 1.0), objects
 * whatever the order of their keys. */
bool value_equal(const json_t *a, const json_t *b);

/*
 * Is a value within bounds? ERR_LIMIT past LIMIT_DEPTH levels of lists and
 * objects, or LIMIT_VALUE_BYTES of JSON. What value_parse gives is.
 */
int value_check(const json_t *value, struct err *err);

/*
 * A number in decimal, all of text: 0, or -1 if it is not one or does not
 * fit. The locale does not matter; ".5" and "5." are floats, "0x5" is not.
 */
int value_read_int(const char *text, json_int_t *ret);
int value_read_float(const char *text, double *ret);

/*
 * A word that was written without quotes: null, true, false and numbers as
 * JSON writes them are that, everything else (also a number that does not fit)
 * is a string. NULL if it is not UTF-8.
 */
json_t *value_from_word(const char *text, size_t len);

/* The names of an object's members (NULL: none), as a new list. */
json_t *value_names(const json_t *object);

#endif
