/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/value.h"

#include <assert.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "proto/limits.h"

#define SHOWN 60 /* bytes of a text that an error shows */

const char *const value_kind_names[VALUE_KIND_COUNT] = {
    [VALUE_NONE] = "none", [VALUE_TEXT] = "text",   [VALUE_LINES] = "lines",
    [VALUE_INT] = "int",   [VALUE_FLOAT] = "float", [VALUE_JSON] = "json",
};

/* ---- numbers ---- */

static const char *
skip_digits(const char *s)
{
    while (*s >= '0' && *s <= '9')
        s++;
    return s;
}

int
value_read_int(const char *text, json_int_t *ret)
{
    const char *digits = text + (*text == '-' || *text == '+');
    const char *end = skip_digits(digits);
    json_int_t number;

    if (end == digits || *end)
        return -1;
    errno = 0;
    number = strtoll(text, NULL, 10);
    if (errno)
        return -1;
    *ret = number;
    return 0;
}

/* strtod takes more: hexadecimal, "inf", white space. */
static bool
looks_like_float(const char *s)
{
    const char *whole = s + (*s == '-' || *s == '+');
    const char *end = skip_digits(whole);
    bool digits = end > whole;

    if (*end == '.') {
        const char *part = end + 1;

        end = skip_digits(part);
        digits = digits || end > part;
    }
    if (!digits)
        return false;
    if (*end == 'e' || *end == 'E') {
        const char *power = end + 1;

        power += *power == '-' || *power == '+';
        end = skip_digits(power);
        if (end == power)
            return false;
    }
    return *end == '\0';
}

int
value_read_float(const char *text, double *ret)
{
    locale_t plain;
    double number;

    if (!looks_like_float(text))
        return -1;
    plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!plain)
        return -1;
    number = strtod_l(text, NULL, plain);
    freelocale(plain);
    if (!isfinite(number))
        return -1;
    *ret = number;
    return 0;
}

/* As JSON's grammar has it: no "+", no leading zeros, no bare point. */
static bool
is_json_number(const char *s)
{
    const char *digits = s + (*s == '-');
    size_t n = (size_t)(skip_digits(digits) - digits);

    if (n == 0 || (n > 1 && *digits == '0'))
        return false;
    if (digits[n] == '.' && skip_digits(digits + n + 1) == digits + n + 1)
        return false;
    return looks_like_float(s);
}

/* NULL if it is not one, or does not fit. */
static json_t *
number_from_word(const char *text, size_t len)
{
    char *word = mem_text(text, len);
    json_t *value = NULL;
    json_int_t whole;
    double number;

    if (strlen(word) != len || !is_json_number(word))
        value = NULL;
    else if (value_read_int(word, &whole) == 0)
        value = json_integer(whole);
    else if (strpbrk(word, ".eE") && value_read_float(word, &number) == 0)
        value = json_real(number);
    free(word);
    return value;
}

json_t *
value_from_word(const char *text, size_t len)
{
    json_t *number = NULL;

    if (len == 4 && memcmp(text, "null", 4) == 0)
        return json_null();
    if (len == 4 && memcmp(text, "true", 4) == 0)
        return json_true();
    if (len == 5 && memcmp(text, "false", 5) == 0)
        return json_false();
    if (len > 0 && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9')))
        number = number_from_word(text, len);
    return number ? number : json_stringn(text, len);
}

json_t *
value_names(const json_t *object)
{
    json_t *names = json_array();
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, name, value)
        (void)json_array_append_new(names, json_string(name));
    return names;
}

/* ---- from text ---- */

static int
fail_to_parse(struct err *err, const char *what, const char *text, size_t len)
{
    struct buf shown = {0};
    int rc;

    if (len == 0)
        return err_set(err, ERR_INVALID, "no output where %s was expected",
                       what);
    if (text[len - 1] == '\n')
        len--;
    utf8_escape(&shown, text, len > SHOWN ? SHOWN : len);
    rc = err_set(err, ERR_INVALID, "not %s: `%s`%s", what, buf_str(&shown),
                 len > SHOWN ? "..." : "");
    buf_release(&shown);
    return rc;
}

static int
check_utf8(const char *text, size_t len, struct err *err)
{
    size_t valid = utf8_valid(text, len);

    if (valid == len)
        return 0;
    return err_set(err, ERR_INVALID,
                   "the output is not UTF-8 text: byte %zu is 0x%02x", valid,
                   (unsigned char)text[valid]);
}

static int
parse_none(const char *text, size_t len, json_t **ret, struct err *err)
{
    (void)text;
    (void)len;
    (void)err;
    *ret = json_null();
    return 0;
}

static int
parse_text(const char *text, size_t len, json_t **ret, struct err *err)
{
    while (len > 0 && text[len - 1] == '\n')
        len--;
    if (check_utf8(text, len, err) < 0)
        return -1;
    *ret = json_stringn_nocheck(text, len);
    return 0;
}

static int
parse_lines(const char *text, size_t len, json_t **ret, struct err *err)
{
    const char *end = text + len;
    json_t *list;

    if (check_utf8(text, len, err) < 0)
        return -1;
    list = json_array();
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((stop ? stop : end) - text);

        json_array_append_new(list, json_stringn_nocheck(text, n));
        text += n + 1;
    }
    *ret = list;
    return 0;
}

/* The text without white space around it, as a string of its own. */
static char *
trimmed(const char *text, size_t *len)
{
    static const char space[] = " \t\r\n";

    while (*len > 0 && memchr(space, text[*len - 1], sizeof space - 1))
        --*len;
    while (*len > 0 && memchr(space, text[0], sizeof space - 1)) {
        text++;
        --*len;
    }
    return mem_text(text, *len);
}

static int
parse_number(const char *text, size_t len, bool whole, json_t **ret,
             struct err *err)
{
    char *word = trimmed(text, &len);
    json_int_t integer = 0;
    double real = 0;
    int rc = strlen(word) == len ? 0 : -1;

    if (rc == 0)
        rc = whole ? value_read_int(word, &integer)
                   : value_read_float(word, &real);
    if (rc == 0)
        *ret = whole ? json_integer(integer) : json_real(real);
    else
        (void)fail_to_parse(err, whole ? "an integer" : "a number", word, len);
    free(word);
    return rc;
}

static int
parse_int(const char *text, size_t len, json_t **ret, struct err *err)
{
    return parse_number(text, len, true, ret, err);
}

static int
parse_float(const char *text, size_t len, json_t **ret, struct err *err)
{
    return parse_number(text, len, false, ret, err);
}

/* jansson's iterators take no const object, but change nothing. */
static json_t *
for_iterating(const json_t *value)
{
    return (json_t *)(uintptr_t)value;
}

/* Bounded, also for what a C function made. */
static bool
is_deeper(const json_t *value, unsigned levels)
{
    json_t *object = for_iterating(value);

    if (!json_is_array(value) && !json_is_object(value))
        return false;
    if (levels == 0)
        return true;
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (is_deeper(json_array_get(value, i), levels - 1))
            return true;
    }
    for (void *it = json_object_iter(object); it;
         it = json_object_iter_next(object, it)) {
        if (is_deeper(json_object_iter_value(it), levels - 1))
            return true;
    }
    return false;
}

int
value_check(const json_t *value, struct err *err)
{
    size_t bytes = 0;

    if (is_deeper(value, LIMIT_DEPTH))
        return err_set(err, ERR_LIMIT,
                       "the value is nested deeper than %d levels",
                       LIMIT_DEPTH);
    if (json_is_string(value))
        bytes = json_string_length(value);
    else if (json_is_array(value) || json_is_object(value))
        bytes = json_dumpb(value, NULL, 0, JSON_COMPACT);
    if (bytes > LIMIT_VALUE_BYTES)
        return err_set(err, ERR_LIMIT,
                       "the value has %zu bytes; %u are the most: write a "
                       "file and give its path",
                       bytes, LIMIT_VALUE_BYTES);
    return 0;
}

static int
parse_json(const char *text, size_t len, json_t **ret, struct err *err)
{
    json_error_t error;
    json_t *value;

    value =
        json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!value) {
        struct buf said = {0};
        struct err what;

        fail_to_parse(&what, "JSON", text, len);
        utf8_escape(&said, error.text, strlen(error.text));
        if (len > 0)
            (void)err_set(err, ERR_INVALID, "%s (line %d, column %d: %s)",
                          what.msg, error.line, error.column, buf_str(&said));
        else
            *err = what;
        buf_release(&said);
        return -1;
    }
    if (value_check(value, err) < 0) {
        json_decref(value);
        return -1;
    }
    *ret = value;
    return 0;
}

int
value_parse(enum value_kind kind, const char *text, size_t len, json_t **ret,
            struct err *err)
{
    static int (*const parsers[])(const char *, size_t, json_t **,
                                  struct err *) = {
        [VALUE_NONE] = parse_none,   [VALUE_TEXT] = parse_text,
        [VALUE_LINES] = parse_lines, [VALUE_INT] = parse_int,
        [VALUE_FLOAT] = parse_float, [VALUE_JSON] = parse_json,
    };

    static_assert(sizeof parsers / sizeof parsers[0] == VALUE_KIND_COUNT,
                  "a parser for every kind");
    if (kind != VALUE_NONE && len > LIMIT_VALUE_BYTES)
        return err_set(err, ERR_LIMIT,
                       "the value has %zu bytes; %u are the most", len,
                       LIMIT_VALUE_BYTES);
    return parsers[kind](text ? text : "", len, ret, err);
}

/* ---- kinds ---- */

const char *
value_type_name(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",
        [JSON_STRING] = "a string",  [JSON_INTEGER] = "an integer",
        [JSON_REAL] = "a float",     [JSON_TRUE] = "a boolean",
        [JSON_FALSE] = "a boolean",  [JSON_NULL] = "null",
    };

    return value ? names[json_typeof(value)] : "null";
}

static bool
equal_lists(const json_t *a, const json_t *b)
{
    size_t n = json_array_size(a);

    if (json_array_size(b) != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!value_equal(json_array_get(a, i), json_array_get(b, i)))
            return false;
    }
    return true;
}

static bool
equal_objects(const json_t *a, const json_t *b)
{
    json_t *object = for_iterating(a);

    if (json_object_size(a) != json_object_size(b))
        return false;
    for (void *it = json_object_iter(object); it;
         it = json_object_iter_next(object, it)) {
        const json_t *other = json_object_getn(b, json_object_iter_key(it),
                                               json_object_iter_key_len(it));

        if (!other || !value_equal(json_object_iter_value(it), other))
            return false;
    }
    return true;
}

bool
value_equal(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) != json_is_integer(b) && json_is_number(a) &&
        json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    if (json_is_array(a) && json_is_array(b))
        return equal_lists(a, b);
    if (json_is_object(a) && json_is_object(b))
        return equal_objects(a, b);
    if (!a || !b)
        return (!a || json_is_null(a)) && (!b || json_is_null(b));
    return json_equal(a, b);
}
