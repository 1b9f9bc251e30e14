/* SPDX-License-Identifier: MPL-2.0 */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "flow/run.h"
#include "flow/run_impl.h"

/* Whose eyes a template is read with. */
struct scope {
    struct run *run;
    struct plan_id id;
};

static json_t *
or_null(const json_t *value)
{
    return value ? json_incref((json_t *)(uintptr_t)value) : json_null();
}

static json_t *
child_values(const struct map *map)
{
    json_t *list = json_array();

    for (uint32_t k = 0; k < map->n; k++)
        (void)json_array_append_new(list, or_null(map->values[k]));
    return list;
}

json_t *
run_value(const struct run *self, struct plan_id id)
{
    struct run_task *task = &self->tasks[id.task];

    if (id.child != PLAN_WHOLE)
        return or_null(task->map ? task->map->values[id.child] : NULL);
    if (!task->map)
        return or_null(task->value);
    if (task->value)
        return json_incref(task->value);
    if (!plan_task_is_finished(self->plan, id.task))
        return child_values(task->map);
    /* A million children may each look at the list: build it once. */
    task->value = child_values(task->map);
    return json_incref(task->value);
}

json_t *
run_each_value(const struct run *self, uint32_t task, uint32_t key, uint32_t k)
{
    const struct map *map = self->tasks[task].map;
    const struct map_source *source = &map->sources[key];
    uint32_t item = map_item(source, k);

    switch (source->kind) {
    case MAP_RANGE:
        return json_integer(source->from + item);
    case MAP_LIST:
        return or_null(json_array_get(source->list, item));
    case MAP_TASK:
        return or_null(self->tasks[source->task].map->values[item]);
    }
    return json_null();
}

static json_t *
look_up(void *ctx, const struct ref *ref, struct err *err)
{
    const struct scope *scope = ctx;
    const struct run *run = scope->run;
    const struct flow_task *task = NULL;
    json_t *value = NULL;

    switch (ref->scope) {
    case REF_PARAM:
        return or_null(
            json_object_get(run->params, run->flow->params[ref->index].name));
    case REF_TASK:
        return run_value(run, (struct plan_id){ref->index, PLAN_WHOLE});
    case REF_EACH:
        return run_each_value(run, scope->id.task, ref->index, scope->id.child);
    case REF_WITH:
        task = &run->flow->tasks[scope->id.task];
        (void)tmpl_eval(task->with[ref->index].value, look_up, ctx, &value,
                        err);
        return value;
    case REF_UNRESOLVED:
        break;
    }
    (void)err_set(err, ERR_INVALID, "`%s` stands for nothing", ref->name);
    return NULL;
}

int
run_eval(struct run *self, struct plan_id id, const struct tmpl *tmpl,
         json_t **ret, struct err *err)
{
    struct scope scope = {self, id};

    return tmpl_eval(tmpl, look_up, &scope, ret, err);
}

int
run_lookup(struct run *self, struct plan_id id, const char *name, json_t **ret,
           struct err *err)
{
    const struct flow_task *task = &self->flow->tasks[id.task];
    json_t *value;

    for (uint32_t i = 0; i < task->neach && id.child != PLAN_WHOLE; i++) {
        if (strcmp(task->each[i].name, name) == 0) {
            *ret = run_each_value(self, id.task, i, id.child);
            return 0;
        }
    }
    for (uint32_t i = 0; i < task->nwith; i++) {
        if (strcmp(task->with[i].name, name) == 0)
            return run_eval(self, id, task->with[i].value, ret, err);
    }
    value = json_object_get(self->params, name);
    if (!value)
        return err_set(err, ERR_NOT_FOUND, "`%s` has no argument `%s`",
                       task->name, name);
    *ret = json_incref(value);
    return 0;
}

static int
eval_with(struct run *self, struct plan_id id, const struct flow_bind *with,
          json_t **ret, struct err *err)
{
    if (run_eval(self, id, with->value, ret, err) < 0)
        return err_prefix(err, "with: `%s`: ", with->name);
    return 0;
}

/* Only a path can lead nowhere: nothing is evaluated for the others. */
int
run_check_bindings(struct run *self, struct plan_id id, struct err *err)
{
    const struct flow_task *task = &self->flow->tasks[id.task];

    for (uint32_t i = 0; i < task->nwith; i++) {
        json_t *value = NULL;

        if (tmpl_has_path(task->with[i].value) &&
            eval_with(self, id, &task->with[i], &value, err) < 0)
            return -1;
        json_decref(value);
    }
    return 0;
}

typedef void own_fn(void *ctx, const char *name, json_t *value);

/* Each keys and with bindings, in this order; fn takes the values over. */
static int
each_own(struct run *self, struct plan_id id, own_fn *fn, void *ctx,
         struct err *err)
{
    const struct flow_task *task = &self->flow->tasks[id.task];

    for (uint32_t i = 0; i < task->neach && id.child != PLAN_WHOLE; i++)
        fn(ctx, task->each[i].name, run_each_value(self, id.task, i, id.child));
    for (uint32_t i = 0; i < task->nwith; i++) {
        json_t *value = NULL;

        if (eval_with(self, id, &task->with[i], &value, err) < 0)
            return -1;
        fn(ctx, task->with[i].name, value);
    }
    return 0;
}

static void
add_value(void *ctx, const char *name, json_t *value)
{
    (void)json_object_set_new(ctx, name, value);
}

static int
add_own(struct run *self, struct plan_id id, json_t *all, struct err *err)
{
    return each_own(self, id, add_value, all, err);
}

int
run_own(struct run *self, struct plan_id id, json_t **ret, struct err *err)
{
    const struct flow_task *task = &self->flow->tasks[id.task];
    json_t *all = NULL;

    if (task->nwith > 0 || (task->neach > 0 && id.child != PLAN_WHOLE))
        all = json_object();
    if (all && add_own(self, id, all, err) < 0) {
        json_decref(all);
        return -1;
    }
    *ret = all;
    return 0;
}

struct own_text {
    struct buf *out;
    char before; /* the next name */
};

/* Names are no more than letters, and none is there twice: that is checked with
 * the flow. */
static void
add_text(void *ctx, const char *name, json_t *value)
{
    struct own_text *self = ctx;

    buf_char(self->out, self->before);
    self->before = ',';
    buf_char(self->out, '"');
    buf_text(self->out, name);
    buf_add(self->out, "\":", 2);
    value_json(value, self->out);
    json_decref(value);
}

int
run_own_text(struct run *self, struct plan_id id, struct buf *out,
             struct err *err)
{
    struct own_text text = {out, '{'};

    if (each_own(self, id, add_text, &text, err) < 0)
        return -1;
    if (text.before != '{')
        buf_char(out, '}');
    return 0;
}

/* ---- finding the children of a map ---- */

bool
run_is_linked(const struct run *self, uint32_t task, uint32_t key)
{
    const struct flow_task *spec = &self->flow->tasks[task];
    uint32_t from = flow_child_source(self->flow, spec, key);

    return from != UINT32_MAX && self->tasks[from].map;
}

static int
check_source(const struct run *self, const struct tmpl *values, struct err *err)
{
    struct plan_id id;
    enum plan_state state;

    if (values->kind != TMPL_REF || values->ref->scope != REF_TASK)
        return 0;
    id = (struct plan_id){values->ref->index, PLAN_WHOLE};
    state = plan_state(self->plan, id);
    if (state == PLAN_MAPPED || state == PLAN_SUCCEEDED || state == PLAN_CACHED)
        return 0;
    return err_set(err, ERR_INVALID, "nothing to map over: `%s` is %s",
                   self->flow->tasks[id.task].name, plan_state_names[state]);
}

static int
list_source(struct run *self, struct plan_id id, const struct flow_each *each,
            struct map_source *source, struct err *err)
{
    struct buf brief = {0};
    size_t n;

    if (check_source(self, each->values, err) < 0 ||
        run_eval(self, id, each->values, &source->list, err) < 0)
        return err_prefix(err, "each: `%s`: ", each->name);
    if (!json_is_array(source->list)) {
        value_brief(source->list, 80, &brief);
        (void)err_set(err, ERR_INVALID,
                      "each: `%s`: can't map over %s, only over a list: %s",
                      each->name, value_type_name(source->list),
                      buf_str(&brief));
        buf_release(&brief);
        return -1;
    }
    n = json_array_size(source->list);
    if (n > LIMIT_CHILDREN)
        return err_set(err, ERR_LIMIT,
                       "each: `%s`: %zu items, at most %u are allowed",
                       each->name, n, LIMIT_CHILDREN);
    source->kind = MAP_LIST;
    source->count = (uint32_t)n;
    return 0;
}

static int
range_end(struct run *self, struct plan_id id, const struct tmpl *tmpl,
          int64_t *ret, struct err *err)
{
    json_t *value = NULL;
    int rc = 0;

    if (run_eval(self, id, tmpl, &value, err) < 0)
        return -1;
    if (json_is_integer(value))
        *ret = json_integer_value(value);
    else
        rc = err_set(err, ERR_INVALID,
                     "the ends of a range are integers, this is %s",
                     value_type_name(value));
    json_decref(value);
    return rc;
}

static int
range_source(struct run *self, struct plan_id id, const struct flow_each *each,
             struct map_source *source, struct err *err)
{
    int64_t to = 0;

    if (range_end(self, id, each->from, &source->from, err) < 0 ||
        range_end(self, id, each->to, &to, err) < 0)
        return err_prefix(err, "each: `%s`: ", each->name);
    source->kind = MAP_RANGE;
    if (to < source->from)
        return 0;
    /* Unsigned, so that the widest range can't overflow. */
    if ((uint64_t)to - (uint64_t)source->from >= LIMIT_CHILDREN)
        return err_set(err, ERR_LIMIT,
                       "each: `%s`: %" PRId64 "..%" PRId64
                       " is more than %u children",
                       each->name, source->from, to, LIMIT_CHILDREN);
    source->count = (uint32_t)(to - source->from + 1);
    return 0;
}

/*
 * Un-nest what one item gives. Prefect 1.4: the child of a mapped task that
 * has no list (it failed, or was skipped) stands for one item, so that what
 * comes after sees its state.
 */
static int
flatten_item(json_t *flat, const json_t *item, bool may_be_plain, size_t at,
             struct err *err)
{
    const json_t *element;
    size_t i;

    if (json_is_array(item)) {
        json_array_foreach(item, i, element)
            (void)json_array_append_new(flat, or_null(element));
        return 0;
    }
    if (may_be_plain) {
        (void)json_array_append_new(flat, json_null());
        return 0;
    }
    return err_set(err, ERR_INVALID, "flatten: element %zu is %s, not a list",
                   at, value_type_name(item));
}

static int
flatten(const struct run *self, struct map *map, uint32_t from, struct err *err)
{
    struct map_source *source = &map->sources[0];
    json_t *flat = json_array();
    size_t cap = 0;
    const json_t *item;
    size_t i;

    json_array_foreach(source->list, i, item) {
        struct plan_id id = {from, (uint32_t)i};
        bool plain = from != PLAN_NONE &&
                     (plan_state(self->plan, id) == PLAN_SKIPPED ||
                      !plan_state_is_success(plan_state(self->plan, id)));
        size_t before = json_array_size(flat);

        if (flatten_item(flat, item, plain, i, err) < 0) {
            json_decref(flat);
            return -1;
        }
        if (from == PLAN_NONE)
            continue;
        map->owner = mem_grow(map->owner, &cap, json_array_size(flat) + 1,
                              sizeof *map->owner);
        for (size_t k = before; k < json_array_size(flat); k++)
            map->owner[k] = (uint32_t)i;
    }
    json_decref(source->list);
    source->list = flat;
    source->task = from;
    source->count = (uint32_t)json_array_size(flat);
    return 0;
}

static int
expand_key(struct run *self, uint32_t task, uint32_t key, struct map *map,
           struct err *err)
{
    struct plan_id id = {task, PLAN_WHOLE};
    const struct flow_task *spec = &self->flow->tasks[task];
    const struct flow_each *each = &spec->each[key];
    struct map_source *source = &map->sources[key];
    uint32_t from = flow_child_source(self->flow, spec, key);

    source->task = PLAN_NONE;
    if (!each->values)
        return range_source(self, id, each, source, err);
    if (from != PLAN_NONE && self->tasks[from].map && !spec->flatten) {
        source->kind = MAP_TASK;
        source->task = from;
        source->count = self->tasks[from].map->n;
        return 0;
    }
    if (list_source(self, id, each, source, err) < 0)
        return -1;
    if (!spec->flatten)
        return 0;
    return flatten(self, map, from, err);
}

/*
 * A merge of mapped tasks goes child to child with all of them. A branch that
 * ended without children, most likely skipped as a whole, is the same for
 * every child.
 */
static int
expand_merge(struct run *self, const struct flow_task *spec, struct map *map,
             struct err *err)
{
    const struct map *longest = NULL;

    for (uint32_t i = 0; i < spec->nneeds; i++) {
        const struct map *branch = self->tasks[spec->needs[i]].map;

        if (!branch)
            continue;
        if (longest && branch->n != longest->n)
            return err_set(err, ERR_INVALID,
                           "first: `%s` has %u children, another branch %u",
                           self->flow->tasks[spec->needs[i]].name, branch->n,
                           longest->n);
        longest = branch;
    }
    if (!longest)
        return err_set(err, ERR_INVALID, "first: no branch has children");
    for (uint32_t i = 0; i < spec->nneeds; i++)
        map->sources[i] = (struct map_source){
            .kind = MAP_TASK, .task = spec->needs[i], .count = longest->n};
    return map_settle(map, NULL, true, err);
}

int
run_expand(struct run *self, uint32_t task, struct map **ret, struct err *err)
{
    const struct flow_task *spec = &self->flow->tasks[task];
    bool merge = spec->kind == FLOW_MERGE;
    struct map *map = map_new(merge ? spec->nneeds : spec->neach);
    int rc = 0;

    if (merge) {
        rc = expand_merge(self, spec, map, err);
    } else {
        for (uint32_t i = 0; i < spec->neach && rc == 0; i++)
            rc = expand_key(self, task, i, map, err);
        if (rc == 0)
            rc = map_settle(map, spec->each, spec->zip || spec->flatten, err);
    }
    if (rc < 0)
        map_destroy(&map);
    else
        *ret = map;
    return rc;
}

static bool
was_skipped(const struct run *self, struct plan_id id)
{
    const struct plan *plan = self->plan;
    uint32_t n;

    if (plan_state(plan, id) != PLAN_MAPPED)
        return plan_state(plan, id) == PLAN_SKIPPED;
    n = plan_children(plan, id.task);
    return n > 0 && plan_children_in(plan, id.task, PLAN_SKIPPED) == n;
}

json_t *
run_merge(struct run *self, struct plan_id id)
{
    const struct flow_task *task = &self->flow->tasks[id.task];

    for (uint32_t i = 0; i < task->nneeds; i++) {
        struct plan_id branch = {task->needs[i], PLAN_WHOLE};

        if (self->tasks[branch.task].map)
            branch.child = id.child;
        if (!was_skipped(self, branch))
            return run_value(self, branch);
    }
    return json_null();
}
