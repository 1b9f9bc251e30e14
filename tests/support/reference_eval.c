/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/reference_eval.h"

#include "base/buf.h"
#include "flow/value.h"

static json_t *
follow(const struct ref *ref, json_t *value)
{
    json_t *at = value;

    for (uint32_t i = 0; at && i < ref->nstep; i++) {
        const struct ref_step *step = &ref->steps[i];

        at = step->name ? json_object_get(at, step->name)
                        : json_array_get(at, step->index);
    }
    json_incref(at);
    json_decref(value);
    return at;
}

static json_t *
eval_text(const struct tmpl *tmpl, ref_lookup_fn *lookup, void *ctx)
{
    struct buf text = {0};
    json_t *whole = NULL;
    uint32_t i;

    for (i = 0; i < tmpl->npart; i++) {
        json_t *part = reference_eval(tmpl->parts[i], lookup, ctx);

        if (!part)
            break;
        value_text(part, &text);
        json_decref(part);
    }
    if (i == tmpl->npart)
        whole = json_stringn(buf_str(&text), text.len);
    buf_release(&text);
    return whole;
}

static json_t *
eval_parts(const struct tmpl *tmpl, ref_lookup_fn *lookup, void *ctx)
{
    bool is_list = tmpl->kind == TMPL_LIST;
    json_t *whole = is_list ? json_array() : json_object();

    for (uint32_t i = 0; i < tmpl->npart; i++) {
        json_t *part = reference_eval(tmpl->parts[i], lookup, ctx);

        if (!part) {
            json_decref(whole);
            return NULL;
        }
        if (is_list)
            json_array_append_new(whole, part);
        else
            json_object_set_new(whole, tmpl->keys[i], part);
    }
    return whole;
}

json_t *
reference_eval(const struct tmpl *tmpl, ref_lookup_fn *lookup, void *ctx)
{
    switch (tmpl->kind) {
    case TMPL_CONST:
        return json_incref(tmpl->value);
    case TMPL_REF:
        return follow(tmpl->ref, lookup(ctx, tmpl->ref));
    case TMPL_TEXT:
        return eval_text(tmpl, lookup, ctx);
    case TMPL_LIST:
    case TMPL_OBJECT:
        break;
    }
    return eval_parts(tmpl, lookup, ctx);
}

void
reference_mark(const struct tmpl *tmpl, bool *tasks)
{
    if (!tmpl || tmpl->kind == TMPL_CONST)
        return;
    if (tmpl->kind == TMPL_REF) {
        if (tmpl->ref->scope == REF_TASK)
            tasks[tmpl->ref->index] = true;
        return;
    }
    for (uint32_t i = 0; i < tmpl->npart; i++)
        reference_mark(tmpl->parts[i], tasks);
}
