/* SPDX-License-Identifier: MPL-2.0 */
/*
 * api_edges - what tasks are given, and what they wait for.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "lib/api.h"

void *
api_append(void *list, uint32_t n, size_t size)
{
    size_t cap = n;

    if (n == 0)
        return mem_alloc(1, size);
    if ((n & (n - 1)) != 0)
        return list;
    return mem_grow(list, &cap, 2 * (size_t)n, size);
}

void
api_add_need(struct flow_task *task, uint32_t upstream)
{
    task->needs = api_append(task->needs, task->nneeds, sizeof *task->needs);
    task->needs[task->nneeds++] = upstream;
}

void
api_each_ref(struct flow_task *task, tmpl_ref_fn *fn, void *ctx)
{
    for (uint32_t i = 0; i < task->neach; i++) {
        tmpl_each_ref(task->each[i].values, fn, ctx);
        tmpl_each_ref(task->each[i].from, fn, ctx);
        tmpl_each_ref(task->each[i].to, fn, ctx);
    }
    for (uint32_t i = 0; i < task->nwith; i++)
        tmpl_each_ref(task->with[i].value, fn, ctx);
    for (uint32_t i = 0; i < task->ncase; i++)
        tmpl_each_ref(task->cases[i].of, fn, ctx);
    for (uint32_t i = 0; i < task->options->nenv; i++)
        tmpl_each_ref(task->options->env[i].value, fn, ctx);
    tmpl_each_ref(task->options->cwd, fn, ctx);
    tmpl_each_ref(task->argv, fn, ctx);
    tmpl_each_ref(task->input, fn, ctx);
    tmpl_each_ref(task->creates, fn, ctx);
}

/* ---- arguments ---- */

static bool
has_argument(const struct flow_task *task, const char *name)
{
    for (uint32_t i = 0; i < task->nwith; i++) {
        if (strcmp(task->with[i].name, name) == 0)
            return true;
    }
    for (uint32_t i = 0; i < task->neach; i++) {
        if (strcmp(task->each[i].name, name) == 0)
            return true;
    }
    return false;
}

static void
add_whole(const struct api_call *call, struct flow_task *task, leat_ref value)
{
    struct tmpl *tmpl = api_tmpl(call, value);

    if (!tmpl)
        return;
    task->with = api_append(task->with, task->nwith, sizeof *task->with);
    task->with[task->nwith++] =
        (struct flow_bind){.name = mem_dup(call->arg), .value = tmpl};
}

static bool
is_list(const struct api_call *call, const struct tmpl *tmpl)
{
    if (tmpl->kind == TMPL_REF || tmpl->kind == TMPL_LIST ||
        (tmpl->kind == TMPL_CONST && json_is_array(tmpl->value)))
        return true;
    api_problem(call,
                "can't map over %s, only over a list (leat_unmapped "
                "gives the whole to each)",
                tmpl->kind == TMPL_CONST  ? value_type_name(tmpl->value)
                : tmpl->kind == TMPL_TEXT ? "a string"
                                          : "an object");
    return false;
}

static void
add_mapped(const struct api_call *call, struct flow_task *task, leat_ref list)
{
    struct flow_each each = {0};

    if ((list.kind & API_KIND_MASK) == API_RANGE) {
        leat_ref end = api_ref(list.flow, API_VALUE, list.index + 1);

        list.kind = API_VALUE;
        each.from = api_tmpl(call, list);
        each.to = each.from ? api_tmpl(call, end) : NULL;
        if (!each.from)
            return;
    } else {
        task->flatten = task->flatten || (list.kind & API_FLATTEN);
        list.kind &= API_KIND_MASK;
        each.values = api_tmpl(call, list);
        if (!each.values || !is_list(call, each.values)) {
            tmpl_destroy(&each.values);
            return;
        }
    }
    each.name = mem_dup(call->arg);
    task->each = api_append(task->each, task->neach, sizeof *task->each);
    task->each[task->neach++] = each;
    task->zip = task->neach > 1;
}

/* True if an argument is to be gone over; `map` if nothing else is said. */
static bool
is_mapped(const struct api_call *call, leat_ref *value, bool map)
{
    bool whole = value->kind & API_UNMAPPED;
    bool split = value->kind & (API_MAPPED | API_FLATTEN) ||
                 (value->kind & API_KIND_MASK) == API_RANGE;

    if (whole && split)
        api_problem(call, "it can't be both mapped and unmapped");
    value->kind &= ~(uint32_t)(API_MAPPED | API_UNMAPPED);
    return split || (map && !whole);
}

void
api_bind(struct api_call *call, uint32_t i, const leat_arg *args, bool map)
{
    for (; args->name; args++) {
        struct flow_task *task = &call->flow->flow->tasks[i];
        leat_ref value = args->value;
        bool over;

        call->arg = args->name;
        if (!api_is_name(call, args->name))
            continue;
        if (has_argument(task, args->name)) {
            api_problem(call, "it is given twice");
            continue;
        }
        over = is_mapped(call, &value, map);
        if (over)
            add_mapped(call, task, value);
        else
            add_whole(call, task, value);
    }
    call->arg = NULL;
}

/* What a merge waits for are its branches; anything else is a problem. */
static bool
is_merge(const struct api_call *call, uint32_t task)
{
    if (call->flow->flow->tasks[task].kind != FLOW_MERGE)
        return false;
    api_problem(call, "a merge takes nothing but its branches");
    return true;
}

void
leat_bind_v(leat_ref task, const char *where, const leat_arg *args)
{
    struct api_call call = {task.flow, where, "leat_bind", NULL, NULL};
    uint32_t i;

    if (task.kind <= API_BAD || !api_may_add(&call))
        return;
    i = api_task(&call, task);
    if (i != UINT32_MAX && !is_merge(&call, i))
        api_bind(&call, i, args, false);
}

/* ---- edges ---- */

static void
set_edge(struct api_call *call, leat_ref down, leat_ref up, const char *key)
{
    leat_flow *flow = call->flow;
    leat_arg args[2] = {{key, up}, {0}};
    uint32_t to, from;

    if (!flow || !api_may_add(call))
        return;
    to = api_task(call, down);
    if (to == UINT32_MAX || is_merge(call, to))
        return;
    if (key) {
        api_bind(call, to, args, false);
        return;
    }
    from = api_task(call, up);
    if (from != UINT32_MAX)
        api_add_need(&flow->flow->tasks[to], from);
}

void
leat_set_upstream(leat_ref task, leat_ref upstream, const char *key)
{
    struct api_call call = {task.flow, NULL, "leat_set_upstream", NULL, NULL};

    set_edge(&call, task, upstream, key);
}

void
leat_set_downstream(leat_ref task, leat_ref downstream, const char *key)
{
    struct api_call call = {task.flow, NULL, "leat_set_downstream", NULL, NULL};

    set_edge(&call, downstream, task, key);
}

void
leat_chain_v(leat_flow *flow, const char *where, const leat_ref *tasks)
{
    struct api_call call = {flow, where, "leat_chain", NULL, NULL};

    for (; tasks[0].kind != API_NONE && tasks[1].kind != API_NONE; tasks++) {
        call.name = NULL;
        set_edge(&call, tasks[1], tasks[0], NULL);
    }
}
