/* SPDX-License-Identifier: MPL-2.0 */
/*
 * tmpl_parse - references in strings.
 */
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "flow/tmpl.h"
#include "proto/limits.h"

struct reader {
    const char *text;
    size_t len;
    size_t at;
    struct buf plain; /* text since the last reference */
    struct tmpl *parts;
    struct err *err;
};

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_word(char c)
{
    return is_letter(c) || is_digit(c) || c == '-';
}

/* The byte ahead; NUL at the end. */
static char
ahead(const struct reader *self)
{
    return self->at < self->len ? self->text[self->at] : '\0';
}

static int
fail(struct reader *self, const char *what)
{
    return err_set(self->err, ERR_INVALID, "%s", what);
}

static int
read_word(struct reader *self, char **ret)
{
    size_t from = self->at;

    while (is_word(ahead(self)))
        self->at++;
    if (self->at - from > LIMIT_NAME_BYTES) {
        self->at = from;
        return fail(self, "this name is too long");
    }
    *ret = mem_text(self->text + from, self->at - from);
    return 0;
}

static struct ref_step *
add_step(struct ref *ref)
{
    size_t cap = ref->nstep;
    struct ref_step *step;

    ref->steps = mem_grow(ref->steps, &cap, ref->nstep + 1, sizeof *ref->steps);
    step = &ref->steps[ref->nstep++];
    *step = (struct ref_step){0};
    return step;
}

static int
read_index(struct reader *self, struct ref *ref)
{
    uint64_t number = 0;
    size_t from = ++self->at;

    while (is_digit(ahead(self)) && number < UINT32_MAX)
        number = number * 10 + (uint64_t)(self->text[self->at++] - '0');
    if (self->at == from || number >= UINT32_MAX)
        return fail(self, "an index is a whole number from 0");
    if (ahead(self) != ']')
        return fail(self, "expected `]` after the index");
    self->at++;
    add_step(ref)->index = (uint32_t)number;
    return 0;
}

static int
read_field(struct reader *self, struct ref *ref)
{
    self->at++;
    if (!is_word(ahead(self)))
        return fail(self, "expected the name of a field after `.`");
    return read_word(self, &add_step(ref)->name);
}

/* Behind the name: fields and indexes up to the "}". */
static int
read_path(struct reader *self, struct ref *ref)
{
    int rc = 0;

    while (rc == 0 && ahead(self) != '}') {
        if (ref->nstep >= LIMIT_DEPTH)
            return fail(self, "this path is too long");
        if (ahead(self) == '.')
            rc = read_field(self, ref);
        else if (ahead(self) == '[')
            rc = read_index(self, ref);
        else if (self->at >= self->len)
            return fail(self, "`${` without a `}`");
        else
            return fail(self, "a reference is a name and a path, such as "
                              "${a.field[0]}, and nothing more");
    }
    if (rc == 0)
        self->at++;
    return rc;
}

static int
read_ref(struct reader *self, struct tmpl **ret)
{
    struct tmpl *part = tmpl_ref(REF_UNRESOLVED, 0, NULL);
    int rc = -1;

    part->ref->offset = (uint32_t)self->at;
    self->at += 2;
    if (self->at >= self->len)
        fail(self, "`${` without a `}`");
    else if (!is_letter(ahead(self)))
        fail(self, "expected a name after `${`; write `$${` for a plain `${`");
    else if (read_word(self, &part->ref->name) == 0)
        rc = read_path(self, part->ref);
    if (rc < 0)
        tmpl_destroy(&part);
    else
        *ret = part;
    return rc;
}

static void
flush_plain(struct reader *self)
{
    struct tmpl *part;

    if (self->plain.len == 0)
        return;
    part = tmpl_const(json_stringn_nocheck(self->plain.data, self->plain.len));
    tmpl_append(self->parts, &part);
    buf_clear(&self->plain);
}

static int
read_text(struct reader *self)
{
    while (self->at < self->len) {
        const char *from = self->text + self->at;
        const char *dollar = memchr(from, '$', self->len - self->at);
        size_t n = dollar ? (size_t)(dollar - from) : self->len - self->at;
        struct tmpl *part = NULL;
        char next;

        buf_add(&self->plain, from, n);
        self->at += n;
        if (!dollar)
            break;
        next = self->at + 1 < self->len ? dollar[1] : '\0';
        if (next != '{') {
            buf_char(&self->plain, '$');
            self->at += next == '$' ? 2 : 1;
            continue;
        }
        if (read_ref(self, &part) < 0)
            return -1;
        flush_plain(self);
        tmpl_append(self->parts, &part);
    }
    return 0;
}

/* One part alone is the whole. */
static struct tmpl *
finish(struct reader *self)
{
    struct tmpl *whole = self->parts;

    flush_plain(self);
    if (whole->npart == 1) {
        struct tmpl *only = whole->parts[0];

        whole->npart = 0;
        return only;
    }
    self->parts = NULL;
    return whole;
}

int
tmpl_parse(const char *text, size_t len, struct tmpl **ret, size_t *at,
           struct err *err)
{
    struct reader reader = {.text = text, .len = len, .err = err};
    int rc;

    *at = utf8_valid(text, len);
    if (*at < len)
        return err_set(err, ERR_INVALID, "this is not UTF-8 text");
    if (!memchr(text, '$', len)) { /* most strings: no parts to put together */
        *ret = tmpl_const(json_stringn_nocheck(text, len));
        return 0;
    }
    reader.parts = tmpl_list();
    reader.parts->kind = TMPL_TEXT;
    rc = read_text(&reader);
    if (rc == 0)
        *ret = finish(&reader);
    *at = reader.at;
    buf_release(&reader.plain);
    tmpl_destroy(&reader.parts);
    return rc;
}
