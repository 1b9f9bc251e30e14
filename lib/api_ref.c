/* SPDX-License-Identifier: MPL-2.0 */
/*
 * api_ref - references of the C API, and the templates that they become.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "lib/api.h"

leat_ref
api_ref(leat_flow *flow, enum api_kind kind, size_t index)
{
    return (leat_ref){flow, (uint32_t)kind, (uint32_t)index, 0};
}

leat_ref
api_bad(leat_flow *flow)
{
    return api_ref(flow, API_BAD, 0);
}

static enum api_kind
kind_of(leat_ref ref)
{
    return (enum api_kind)(ref.kind & API_KIND_MASK);
}

/* Keep a template in the flow, to be referred to. */
static leat_ref
keep(leat_flow *flow, struct tmpl *tmpl)
{
    flow->values = mem_grow(flow->values, &flow->cap_value, flow->nvalue + 1,
                            sizeof *flow->values);
    flow->values[flow->nvalue] = tmpl;
    return api_ref(flow, API_VALUE, flow->nvalue++);
}

/* True if a ref can be used in a call at all; else a problem, if it is new. */
static bool
is_usable(const struct api_call *call, leat_ref ref)
{
    if (kind_of(ref) == API_BAD)
        return false;
    if (kind_of(ref) == API_NONE)
        api_problem(call, "it is given no value (a leat_ref of zeroes)");
    else if (ref.flow != call->flow)
        api_problem(call, "it belongs to another flow, `%s`",
                    ref.flow->flow->name);
    else if (ref.child > 0)
        api_problem(call, "leat_child is only for asking about results");
    else
        return true;
    return false;
}

struct tmpl *
api_tmpl(const struct api_call *call, leat_ref ref)
{
    const struct flow *flow = call->flow->flow;

    if (!is_usable(call, ref))
        return NULL;
    switch (ref.kind) {
    case API_TASK:
        return tmpl_ref(REF_TASK, ref.index, flow->tasks[ref.index].name);
    case API_PARAM:
        return tmpl_ref(REF_PARAM, ref.index, flow->params[ref.index].name);
    case API_VALUE:
        return tmpl_copy(call->flow->values[ref.index]);
    default:
        api_problem(call, "leat_mapped, leat_unmapped, leat_flatten and "
                          "leat_range are only for arguments of tasks");
        return NULL;
    }
}

uint32_t
api_task(struct api_call *call, leat_ref ref)
{
    if (!is_usable(call, ref))
        return UINT32_MAX;
    if (ref.kind == API_TASK) {
        if (!call->name)
            call->name = call->flow->flow->tasks[ref.index].name;
        return ref.index;
    }
    api_problem(call, "it is not a task but %s",
                ref.kind == API_PARAM ? "a parameter" : "a value");
    return UINT32_MAX;
}

/* ---- values ---- */

leat_ref
leat_value(leat_flow *flow, json_t *value)
{
    struct api_call call = {flow, NULL, "leat_value", NULL, NULL};

    if (value)
        return keep(flow, tmpl_const(value));
    api_problem(&call, "the value is NULL (json_null() is null)");
    return api_bad(flow);
}

leat_ref
leat_list_v(leat_flow *flow, const leat_ref *elements)
{
    struct api_call call = {flow, NULL, "leat_list", NULL, NULL};
    struct tmpl *list = tmpl_list();
    bool good = true;

    for (; kind_of(*elements) != API_NONE; elements++) {
        struct tmpl *part = api_tmpl(&call, *elements);

        good = good && part;
        if (part)
            tmpl_append(list, &part);
    }
    if (good)
        return keep(flow, list);
    tmpl_destroy(&list);
    return api_bad(flow);
}

leat_ref
leat_object_v(leat_flow *flow, const leat_arg *fields)
{
    struct api_call call = {flow, NULL, "leat_object", NULL, NULL};
    struct tmpl *object = tmpl_object();
    bool good = true;

    for (; fields->name; fields++) {
        struct tmpl *part;

        call.arg = fields->name;
        part = api_tmpl(&call, fields->value);
        good = good && part;
        if (part)
            tmpl_set(object, fields->name, &part);
    }
    if (good)
        return keep(flow, object);
    tmpl_destroy(&object);
    return api_bad(flow);
}

static struct tmpl *parse(const struct api_call *call, json_t *value);

static struct tmpl *
parse_list(const struct api_call *call, const json_t *value)
{
    struct tmpl *list = tmpl_list();
    json_t *element;
    size_t i;

    json_array_foreach(value, i, element) {
        struct tmpl *part = parse(call, element);

        if (part)
            tmpl_append(list, &part);
    }
    return list;
}

static struct tmpl *
parse_object(const struct api_call *call, json_t *value)
{
    struct tmpl *object = tmpl_object();
    const char *key;
    json_t *field;

    json_object_foreach(value, key, field) {
        struct tmpl *part = parse(call, field);

        if (part)
            tmpl_set(object, key, &part);
    }
    return object;
}

static struct tmpl *
parse(const struct api_call *call, json_t *value)
{
    struct tmpl *tmpl = NULL;
    struct err err;
    size_t at = 0;

    if (json_is_array(value))
        return parse_list(call, value);
    if (json_is_object(value))
        return parse_object(call, value);
    if (!json_is_string(value))
        return tmpl_const(json_incref(value));
    if (tmpl_parse(json_string_value(value), json_string_length(value), &tmpl,
                   &at, &err) < 0)
        api_problem(call, "\"%s\", at byte %zu: %s", json_string_value(value),
                    at + 1, err.msg);
    return tmpl;
}

leat_ref
leat_template(leat_flow *flow, json_t *value)
{
    struct api_call call = {flow, NULL, "leat_template", NULL, NULL};
    size_t problems = flow->nproblem + flow->dropped;
    struct tmpl *tmpl = NULL;

    if (value)
        tmpl = parse(&call, value);
    else
        api_problem(&call, "the value is NULL (json_null() is null)");
    json_decref(value);
    if (flow->nproblem + flow->dropped == problems)
        return keep(flow, tmpl);
    tmpl_destroy(&tmpl);
    return api_bad(flow);
}

/* ---- paths ---- */

/* The ref with one more step; takes the field. */
static leat_ref
add_step(const struct api_call *call, leat_ref ref, struct ref_step step)
{
    struct tmpl *tmpl = api_tmpl(call, ref);
    struct ref *r;

    if (tmpl && tmpl->kind != TMPL_REF) {
        api_problem(call, "only what parameters and tasks give can be looked "
                          "into");
        tmpl_destroy(&tmpl);
    }
    if (!tmpl) {
        free(step.name);
        return api_bad(call->flow);
    }
    r = tmpl->ref;
    r->steps = api_append(r->steps, r->nstep, sizeof *r->steps);
    r->steps[r->nstep++] = step;
    return keep(call->flow, tmpl);
}

leat_ref
leat_get(leat_ref ref, const char *field)
{
    struct api_call call = {ref.flow, NULL, "leat_get", field, NULL};

    if (kind_of(ref) == API_NONE)
        return ref;
    if (!field) {
        api_problem(&call, "the field's name is NULL");
        return api_bad(ref.flow);
    }
    return add_step(&call, ref, (struct ref_step){mem_dup(field), 0});
}

leat_ref
leat_at(leat_ref ref, unsigned index)
{
    struct api_call call = {ref.flow, NULL, "leat_at", NULL, NULL};

    if (kind_of(ref) == API_NONE)
        return ref;
    return add_step(&call, ref, (struct ref_step){NULL, index});
}

/* ---- how an argument is given ---- */

static leat_ref
mark(leat_ref ref, enum api_kind flag)
{
    if (kind_of(ref) > API_BAD)
        ref.kind |= (uint32_t)flag;
    return ref;
}

leat_ref
leat_mapped(leat_ref list)
{
    return mark(list, API_MAPPED);
}

leat_ref
leat_unmapped(leat_ref ref)
{
    return mark(ref, API_UNMAPPED);
}

leat_ref
leat_flatten(leat_ref list)
{
    return mark(list, API_FLATTEN);
}

leat_ref
leat_range(leat_ref from, leat_ref to)
{
    leat_flow *flow = from.flow ? from.flow : to.flow;
    struct api_call call = {flow, NULL, "leat_range", NULL, NULL};
    struct tmpl *begin, *end;
    leat_ref ret;

    if (!flow)
        return from;
    begin = api_tmpl(&call, from);
    end = api_tmpl(&call, to);
    if (!begin || !end) {
        tmpl_destroy(&begin);
        tmpl_destroy(&end);
        return api_bad(flow);
    }
    ret = keep(flow, begin);
    (void)keep(flow, end);
    ret.kind = API_RANGE;
    return ret;
}

leat_ref
leat_child(leat_ref task, size_t index)
{
    task.child = index < UINT32_MAX - 1 ? (uint32_t)index + 1 : UINT32_MAX;
    return task;
}
