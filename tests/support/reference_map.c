/* SPDX-License-Identifier: MPL-2.0 */
/*
 * reference_map - what the children of a map are made for.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "tests/support/reference_inner.h"

static void
over_map(const struct ref_run *self, uint32_t from, struct source *source)
{
    const struct task *task = &self->tasks[from];

    source->from = from;
    source->n = task->nchild;
    source->kind =
        task->whole.state == PLAN_MAPPED ? OVER_CHILDREN : OVER_NOTHING;
}

static void
add_flat(struct source *source, size_t *cap, json_t *item, uint32_t owner)
{
    source->owner =
        mem_grow(source->owner, cap, source->n + 1, sizeof *source->owner);
    source->owner[source->n++] = owner;
    json_array_append(source->items, item);
}

/*
 * A child that gave nothing stands for one item, so that what became of it is
 * seen; one that succeeded must have given a list.
 */
static bool
over_flat_map(const struct ref_run *self, uint32_t from, struct source *source)
{
    const struct task *task = &self->tasks[from];
    size_t cap = 0;

    over_map(self, from, source);
    if (source->kind == OVER_NOTHING)
        return true;
    *source =
        (struct source){.kind = OVER_FLAT, .from = from, .items = json_array()};
    for (uint32_t j = 0; j < task->nchild; j++) {
        const struct ref_instance *child = &task->children[j];
        bool ok = child->state == PLAN_SUCCEEDED || child->state == PLAN_CACHED;
        size_t i;
        json_t *item;

        if (!ok)
            add_flat(source, &cap, json_null(), j);
        else if (!json_is_array(child->value))
            return false;
        json_array_foreach(child->value, i, item)
            add_flat(source, &cap, item, j);
    }
    return true;
}

/* Takes the list over. */
static bool
over_list(json_t *list, bool flatten, struct source *source)
{
    json_t *items = json_array();
    bool ok = json_is_array(list);
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item) {
        if (!flatten)
            json_array_append(items, item);
        else if (json_is_array(item))
            json_array_extend(items, item);
        else
            ok = false;
    }
    json_decref(list);
    *source = (struct source){
        .kind = OVER_ITEMS,
        .items = items,
        .n = (uint32_t)json_array_size(items),
    };
    return ok;
}

static bool
over_range(const struct ref_run *self, struct plan_id id,
           const struct flow_each *each, struct source *source)
{
    json_t *from = ref_run_eval(self, id, each->from);
    json_t *to = ref_run_eval(self, id, each->to);
    bool ok = json_is_integer(from) && json_is_integer(to);
    json_t *list = json_array();

    for (json_int_t i = json_integer_value(from);
         ok && i <= json_integer_value(to); i++)
        json_array_append_new(list, json_integer(i));
    json_decref(from);
    json_decref(to);
    return over_list(list, false, source) && ok;
}

uint32_t
reference_mapped_source(const struct flow *flow, const struct flow_each *each)
{
    const struct tmpl *tmpl = each->values;

    return tmpl && tmpl->kind == TMPL_REF && tmpl->ref->scope == REF_TASK &&
                   tmpl->ref->nstep == 0 && flow->tasks[tmpl->ref->index].mapped
               ? tmpl->ref->index
               : PLAN_NONE;
}

static bool
over_key(const struct ref_run *self, uint32_t t, const struct flow_each *each,
         struct source *source)
{
    const struct flow_task *task = &self->flow->tasks[t];
    struct plan_id id = {t, PLAN_WHOLE};
    uint32_t from = reference_mapped_source(self->flow, each);

    if (from != PLAN_NONE && task->flatten)
        return over_flat_map(self, from, source);
    if (from != PLAN_NONE)
        over_map(self, from, source);
    else if (each->values)
        return over_list(ref_run_eval(self, id, each->values), task->flatten,
                         source);
    else
        return over_range(self, id, each, source);
    return true;
}

bool
reference_sources(const struct ref_run *self, uint32_t t)
{
    const struct flow_task *task = &self->flow->tasks[t];
    bool ok = true;

    for (uint32_t i = 0; i < task->neach; i++)
        ok &= over_key(self, t, &task->each[i], &self->tasks[t].sources[i]);
    for (uint32_t i = 0; task->kind == FLOW_MERGE && i < task->nneeds; i++)
        over_map(self, task->needs[i], &self->tasks[t].sources[i]);
    return ok;
}

bool
reference_length(const struct flow_task *task, struct task *result)
{
    bool pairs = task->zip || task->kind == FLOW_MERGE;
    uint32_t nfound = 0;
    uint32_t n = 1;

    for (uint32_t i = result->nsource; i-- > 0;) {
        struct source *source = &result->sources[i];

        if (source->kind == OVER_NOTHING && task->kind != FLOW_MERGE)
            return false;
        if (source->kind == OVER_NOTHING)
            continue;
        if (pairs && nfound > 0 && source->n != n)
            return false;
        source->stride = pairs ? 1 : n;
        n = pairs ? source->n : n * source->n;
        nfound++;
    }
    result->nchild = nfound > 0 ? n : 0;
    return nfound > 0;
}
