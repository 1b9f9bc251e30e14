/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/tmpl.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "flow/value.h"

#define SHOWN_FIELDS 8 /* that an error lists */

static struct tmpl *
make(enum tmpl_kind kind)
{
    struct tmpl *self = mem_alloc(1, sizeof *self);

    self->kind = kind;
    return self;
}

struct tmpl *
tmpl_const(json_t *value)
{
    struct tmpl *self = make(TMPL_CONST);

    self->value = value;
    return self;
}

struct tmpl *
tmpl_ref(enum ref_scope scope, uint32_t index, const char *name)
{
    struct tmpl *self = make(TMPL_REF);

    self->ref = mem_alloc(1, sizeof *self->ref);
    self->ref->scope = scope;
    self->ref->index = index;
    self->ref->name = mem_dup(name);
    return self;
}

struct tmpl *
tmpl_list(void)
{
    return make(TMPL_LIST);
}

struct tmpl *
tmpl_object(void)
{
    return make(TMPL_OBJECT);
}

/* Parts have no capacity of their own: it is the next power of two. */
static bool
is_full(uint32_t n)
{
    return (n & (n - 1)) == 0;
}

static void *
grow(void *p, uint32_t n, size_t size)
{
    size_t cap = n;

    return is_full(n) ? mem_grow(p, &cap, n > 0 ? (size_t)n * 2 : 1, size) : p;
}

void
tmpl_append(struct tmpl *self, struct tmpl **part_p)
{
    self->parts = grow(self->parts, self->npart, sizeof *self->parts);
    self->parts[self->npart++] = *part_p;
    *part_p = NULL;
}

void
tmpl_set(struct tmpl *self, const char *key, struct tmpl **part_p)
{
    self->keys = grow(self->keys, self->npart, sizeof *self->keys);
    self->keys[self->npart] = mem_dup(key);
    tmpl_append(self, part_p);
}

static void
ref_free(struct ref *ref)
{
    for (uint32_t i = 0; i < ref->nstep; i++)
        free(ref->steps[i].name);
    free(ref->steps);
    free(ref->name);
    free(ref);
}

void
tmpl_destroy(struct tmpl **self_p)
{
    struct tmpl *self = *self_p;

    if (!self)
        return;
    if (self->kind == TMPL_CONST) {
        json_decref(self->value);
    } else if (self->kind == TMPL_REF) {
        ref_free(self->ref);
    } else {
        for (uint32_t i = 0; i < self->npart; i++) {
            tmpl_destroy(&self->parts[i]);
            if (self->keys)
                free(self->keys[i]);
        }
        free(self->parts);
        free(self->keys);
    }
    free(self);
    *self_p = NULL;
}

static struct ref *
ref_copy(const struct ref *from)
{
    struct ref *ref = mem_alloc(1, sizeof *ref);

    *ref = *from;
    ref->name = mem_dup(from->name);
    ref->steps = NULL;
    if (from->nstep > 0)
        ref->steps = mem_alloc(from->nstep, sizeof *ref->steps);
    for (uint32_t i = 0; i < from->nstep; i++) {
        ref->steps[i].name = mem_dup(from->steps[i].name);
        ref->steps[i].index = from->steps[i].index;
    }
    return ref;
}

struct tmpl *
tmpl_copy(const struct tmpl *self)
{
    struct tmpl *copy;

    if (!self)
        return NULL;
    copy = make(self->kind);
    if (self->kind == TMPL_CONST)
        copy->value = json_incref(self->value);
    else if (self->kind == TMPL_REF)
        copy->ref = ref_copy(self->ref);
    for (uint32_t i = 0; i < self->npart; i++) {
        struct tmpl *part = tmpl_copy(self->parts[i]);

        if (self->keys)
            tmpl_set(copy, self->keys[i], &part);
        else
            tmpl_append(copy, &part);
    }
    return copy;
}

void
tmpl_each_ref(struct tmpl *self, tmpl_ref_fn *fn, void *ctx)
{
    if (!self)
        return;
    if (self->kind == TMPL_REF)
        fn(ctx, self->ref);
    for (uint32_t i = 0; i < self->npart; i++)
        tmpl_each_ref(self->parts[i], fn, ctx);
}

bool
tmpl_has_path(const struct tmpl *self)
{
    if (self->kind == TMPL_REF)
        return self->ref->nstep > 0;
    for (uint32_t i = 0; i < self->npart; i++) {
        if (tmpl_has_path(self->parts[i]))
            return true;
    }
    return false;
}

/* ---- evaluating ---- */

struct eval {
    tmpl_lookup_fn *lookup;
    void *ctx;
    struct err *err;
};

/* The reference without its braces, up to `nstep` steps of its path. */
static void
show_ref(const struct ref *ref, uint32_t nstep, struct buf *out)
{
    buf_text(out, ref->name);
    for (uint32_t i = 0; i < nstep; i++) {
        if (ref->steps[i].name)
            buf_printf(out, ".%s", ref->steps[i].name);
        else
            buf_printf(out, "[%u]", ref->steps[i].index);
    }
}

static void
show_fields(json_t *object, struct buf *out)
{
    void *it = json_object_iter(object);
    const char *comma = "";

    for (int n = 0; it && n < SHOWN_FIELDS; n++) {
        const char *key = json_object_iter_key(it);

        buf_printf(out, "%s`", comma);
        utf8_escape(out, key, strlen(key));
        buf_char(out, '`');
        comma = ", ";
        it = json_object_iter_next(object, it);
    }
    if (it)
        buf_text(out, ", ...");
}

static int
fail_step(const struct ref *ref, uint32_t i, json_t *value, struct err *err)
{
    const struct ref_step *step = &ref->steps[i];
    struct buf path = {0}, has = {0};

    show_ref(ref, i, &path);
    show_fields(value, &has);
    if (step->name && json_object_size(value) > 0)
        err_set(err, ERR_INVALID, "`%s` has no field `%s`; it has %s",
                buf_str(&path), step->name, buf_str(&has));
    else if (step->name)
        err_set(err, ERR_INVALID, "`%s` has no field `%s`: it is %s%s",
                buf_str(&path), step->name, value_type_name(value),
                json_is_object(value) ? " without fields" : "");
    else if (json_is_array(value))
        err_set(err, ERR_INVALID,
                "`%s` has no element [%u]: it has %zu, counted from 0",
                buf_str(&path), step->index, json_array_size(value));
    else
        err_set(err, ERR_INVALID, "`%s` has no element [%u]: it is %s",
                buf_str(&path), step->index, value_type_name(value));
    buf_release(&path);
    buf_release(&has);
    return -1;
}

static int
eval_ref(const struct eval *self, const struct ref *ref, json_t **ret)
{
    json_t *value = self->lookup(self->ctx, ref, self->err);

    if (!value)
        return -1;
    for (uint32_t i = 0; i < ref->nstep; i++) {
        const struct ref_step *step = &ref->steps[i];
        json_t *part = step->name ? json_object_get(value, step->name)
                                  : json_array_get(value, step->index);

        if (!part) {
            fail_step(ref, i, value, self->err);
            json_decref(value);
            return -1;
        }
        json_incref(part);
        json_decref(value);
        value = part;
    }
    *ret = value;
    return 0;
}

static int eval(const struct eval *self, const struct tmpl *tmpl, json_t **ret);

static int
eval_parts(const struct eval *self, const struct tmpl *tmpl, json_t **ret)
{
    json_t *whole = tmpl->kind == TMPL_OBJECT ? json_object() : json_array();

    for (uint32_t i = 0; i < tmpl->npart; i++) {
        json_t *part = NULL;

        if (eval(self, tmpl->parts[i], &part) < 0) {
            json_decref(whole);
            return -1;
        }
        if (tmpl->kind == TMPL_OBJECT)
            json_object_set_new(whole, tmpl->keys[i], part);
        else
            json_array_append_new(whole, part);
    }
    *ret = whole;
    return 0;
}

static int
eval_text(const struct eval *self, const struct tmpl *tmpl, json_t **ret)
{
    struct buf text = {0};
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < tmpl->npart; i++) {
        json_t *part = NULL;

        rc = eval(self, tmpl->parts[i], &part);
        if (rc == 0)
            value_text(part, &text);
        json_decref(part);
    }
    if (rc == 0)
        *ret = json_stringn_nocheck(buf_str(&text), text.len);
    buf_release(&text);
    return rc;
}

static int
eval(const struct eval *self, const struct tmpl *tmpl, json_t **ret)
{
    if (tmpl->kind == TMPL_CONST) {
        *ret = json_incref(tmpl->value);
        return 0;
    }
    if (tmpl->kind == TMPL_REF)
        return eval_ref(self, tmpl->ref, ret);
    if (tmpl->kind == TMPL_TEXT)
        return eval_text(self, tmpl, ret);
    return eval_parts(self, tmpl, ret);
}

int
tmpl_eval(const struct tmpl *self, tmpl_lookup_fn *lookup, void *ctx,
          json_t **ret, struct err *err)
{
    return eval(&(struct eval){lookup, ctx, err}, self, ret);
}

/* ---- writing ---- */

/*
 * Double a dollar sign that would not stand for itself: before "{" and "$",
 * and at the end, where a reference may follow.
 */
static void
write_plain(const char *text, size_t len, struct buf *out)
{
    for (size_t i = 0; i < len; i++) {
        char next = i + 1 < len ? text[i + 1] : '{';

        buf_char(out, text[i]);
        if (text[i] == '$' && (next == '{' || next == '$'))
            buf_char(out, '$');
    }
}

static json_t *
text_json(struct buf *text)
{
    json_t *value = json_stringn_nocheck(buf_str(text), text->len);

    buf_release(text);
    return value;
}

static json_t *
const_to_json(json_t *value)
{
    struct buf text = {0};
    json_t *copy;

    if (json_is_string(value)) {
        const char *s = json_string_value(value);
        size_t n = json_string_length(value);

        if (!memchr(s, '$', n))
            return json_incref(value);
        write_plain(s, n, &text);
        return text_json(&text);
    }
    if (json_is_array(value)) {
        copy = json_array();
        for (size_t i = 0; i < json_array_size(value); i++)
            json_array_append_new(copy,
                                  const_to_json(json_array_get(value, i)));
        return copy;
    }
    if (json_is_object(value)) {
        copy = json_object();
        for (void *it = json_object_iter(value); it;
             it = json_object_iter_next(value, it))
            json_object_set_new(copy, json_object_iter_key(it),
                                const_to_json(json_object_iter_value(it)));
        return copy;
    }
    return json_incref(value);
}

static void
write_ref(const struct ref *ref, struct buf *out)
{
    buf_text(out, "${");
    show_ref(ref, ref->nstep, out);
    buf_char(out, '}');
}

static json_t *
text_to_json(const struct tmpl *self)
{
    struct buf text = {0};

    for (uint32_t i = 0; i < self->npart; i++) {
        const struct tmpl *part = self->parts[i];

        if (part->kind == TMPL_REF)
            write_ref(part->ref, &text);
        else
            write_plain(json_string_value(part->value),
                        json_string_length(part->value), &text);
    }
    return text_json(&text);
}

json_t *
tmpl_to_json(const struct tmpl *self)
{
    struct buf text = {0};
    json_t *whole;

    if (self->kind == TMPL_CONST)
        return const_to_json(self->value);
    if (self->kind == TMPL_TEXT)
        return text_to_json(self);
    if (self->kind == TMPL_REF) {
        write_ref(self->ref, &text);
        return text_json(&text);
    }
    whole = self->kind == TMPL_OBJECT ? json_object() : json_array();
    for (uint32_t i = 0; i < self->npart; i++) {
        json_t *part = tmpl_to_json(self->parts[i]);

        if (self->kind == TMPL_OBJECT)
            json_object_set_new(whole, self->keys[i], part);
        else
            json_array_append_new(whole, part);
    }
    return whole;
}
