/* SPDX-License-Identifier: MPL-2.0 */
/*
 * value_write - values as text.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "flow/value.h"

/* Stops adding once `out` is longer than `stop`: a brief look is cheap. */
struct writer {
    struct buf *out;
    size_t stop;
};

static void
write_real(struct buf *out, double number)
{
    char text[40];

    for (int places = 15; places <= 17; places++) {
        (void)snprintf(text, sizeof text, "%.*g", places, number);
        if (strtod(text, NULL) == number)
            break;
    }
    for (char *c = text; *c; c++) {
        if (*c == ',') /* the decimal point of some locales */
            *c = '.';
    }
    buf_text(out, text);
    if (!strpbrk(text, ".e"))
        buf_text(out, ".0");
}

static void
write_char(struct buf *out, unsigned c)
{
    static const char special[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *at =
        c < 0x80 ? memchr(special, (int)c, sizeof special - 1) : NULL;

    if (at) {
        buf_char(out, '\\');
        buf_char(out, letters[at - special]);
    } else {
        buf_printf(out, "\\u%04x", c);
    }
}

/*
 * How many bytes make up a character that is written as an escape, and which
 * one it is. JSON asks for those below 0x20, quotes and backslashes; the other
 * ones are controls, line ends and marks to a terminal or to YAML.
 */
static size_t
escaped(const unsigned char *s, size_t n, unsigned *ret)
{
    size_t len = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : 3;
    unsigned c = s[0];

    if (len == 1) {
        *ret = c;
        return c < 0x20 || c == '"' || c == '\\' || c == 0x7f;
    }
    if (s[0] < 0xc2 || s[0] >= 0xf0 || len > n)
        return 0;
    c = len == 2 ? (c & 0x1fu) << 6 | (s[1] & 0x3fu)
                 : (c & 0xfu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);
    *ret = c;
    if (c < 0xa0 || c == 0x2028 || c == 0x2029 || c == 0xfeff || c >= 0xfffe)
        return len;
    return 0;
}

static void
write_string(const struct writer *self, const char *text, size_t len)
{
    size_t from = 0;

    if (self->out->len <= self->stop && len > self->stop - self->out->len)
        len = self->stop - self->out->len + 1; /* is cut there anyway */
    buf_char(self->out, '"');
    for (size_t i = 0; i < len;) {
        unsigned c;
        size_t n = escaped((const unsigned char *)text + i, len - i, &c);

        if (n > 0) {
            buf_add(self->out, text + from, i - from);
            write_char(self->out, c);
            from = i + n;
        }
        i += n > 0 ? n : 1;
    }
    buf_add(self->out, text + from, len - from);
    buf_char(self->out, '"');
}

static void write_json(const struct writer *self, const json_t *value);

static void
write_list(const struct writer *self, const json_t *value)
{
    size_t n = json_array_size(value);

    buf_char(self->out, '[');
    for (size_t i = 0; i < n && self->out->len <= self->stop; i++) {
        if (i > 0)
            buf_char(self->out, ',');
        write_json(self, json_array_get(value, i));
    }
    buf_char(self->out, ']');
}

static void
write_object(const struct writer *self, const json_t *value)
{
    json_t *object = (json_t *)(uintptr_t)value; /* is not changed */
    void *it = json_object_iter(object);

    buf_char(self->out, '{');
    while (it && self->out->len <= self->stop) {
        write_string(self, json_object_iter_key(it),
                     json_object_iter_key_len(it));
        buf_char(self->out, ':');
        write_json(self, json_object_iter_value(it));
        it = json_object_iter_next(object, it);
        if (it)
            buf_char(self->out, ',');
    }
    buf_char(self->out, '}');
}

static void
write_json(const struct writer *self, const json_t *value)
{
    if (json_is_string(value))
        write_string(self, json_string_value(value), json_string_length(value));
    else if (json_is_integer(value))
        buf_number(self->out, json_integer_value(value));
    else if (json_is_real(value))
        write_real(self->out, json_real_value(value));
    else if (json_is_array(value))
        write_list(self, value);
    else if (json_is_object(value))
        write_object(self, value);
    else if (json_is_boolean(value))
        buf_text(self->out, json_is_true(value) ? "true" : "false");
    else
        buf_text(self->out, "null");
}

void
value_json(const json_t *value, struct buf *out)
{
    write_json(&(struct writer){out, SIZE_MAX}, value);
}

void
value_brief(const json_t *value, size_t most, struct buf *out)
{
    size_t from = out->len;

    write_json(&(struct writer){out, from + most}, value);
    if (out->len - from <= most)
        return;
    out->len = from + utf8_valid(out->data + from, most);
    out->data[out->len] = '\0';
    buf_text(out, "...");
}

static void
write_item(const json_t *value, struct buf *out)
{
    if (json_is_string(value))
        buf_add(out, json_string_value(value), json_string_length(value));
    else
        value_json(value, out);
}

void
value_text(const json_t *value, struct buf *out)
{
    size_t n = json_array_size(value);

    if (json_is_array(value)) {
        for (size_t i = 0; i < n; i++) {
            if (i > 0)
                buf_char(out, '\n');
            write_item(json_array_get(value, i), out);
        }
    } else if (value && !json_is_null(value)) {
        write_item(value, out);
    }
}
