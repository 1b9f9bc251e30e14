/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/reference_run.h"

#include <stdlib.h>

#include "base/mem.h"
#include "tests/support/reference_eval.h"
#include "tests/support/reference_inner.h"

/* ---- what it sees ---- */

struct sight {
    struct plan_id *ids;
    size_t n;
    size_t cap;
};

static void
see(struct sight *self, uint32_t task, uint32_t child)
{
    for (size_t i = 0; i < self->n; i++) {
        if (self->ids[i].task == task && self->ids[i].child == child)
            return;
    }
    self->ids = mem_grow(self->ids, &self->cap, self->n + 1, sizeof *self->ids);
    self->ids[self->n++] = (struct plan_id){task, child};
}

static void
see_all(const struct ref_run *self, uint32_t task, struct sight *sight)
{
    see(sight, task, PLAN_WHOLE);
    for (uint32_t k = 0; k < self->tasks[task].nchild; k++)
        see(sight, task, k);
}

/* What all children of a map see alike; a task that is no map sees no more. */
static void
see_needs(const struct ref_run *self, const struct task *task,
          struct sight *sight)
{
    for (uint32_t t = 0; t < self->flow->ntask; t++) {
        if (task->needs[t])
            see_all(self, t, sight);
    }
    for (uint32_t i = 0; i < task->nsource; i++) {
        if (task->sources[i].kind == OVER_NOTHING)
            see_all(self, task->sources[i].from, sight);
    }
}

static uint32_t
item_of(const struct source *source, uint32_t k)
{
    return k / source->stride % source->n;
}

static void
see_givers(const struct task *task, uint32_t k, struct sight *sight)
{
    for (uint32_t i = 0; i < task->nsource; i++) {
        const struct source *source = &task->sources[i];

        if (source->kind == OVER_CHILDREN)
            see(sight, source->from, item_of(source, k));
        else if (source->kind == OVER_FLAT && source->owner)
            see(sight, source->from, source->owner[item_of(source, k)]);
    }
}

static void
see_upstream(const struct ref_run *self, struct plan_id id, struct sight *sight)
{
    const struct task *task = &self->tasks[id.task];

    see_needs(self, task, sight);
    if (id.child != PLAN_WHOLE)
        see_givers(task, id.child, sight);
}

size_t
ref_run_upstream(const struct ref_run *self, struct plan_id id, bool wide,
                 struct plan_id **ret)
{
    const struct task *task = &self->tasks[id.task];
    struct sight sight = {0};

    see_upstream(self, id, &sight);
    for (uint32_t i = 0; id.child == PLAN_WHOLE && i < task->nsource; i++) {
        const struct source *source = &task->sources[i];

        if (source->kind == OVER_FLAT || (wide && source->kind != OVER_ITEMS))
            see_all(self, source->from, &sight);
        else if (source->kind == OVER_CHILDREN)
            see(&sight, source->from, PLAN_WHOLE);
    }
    *ret = sight.ids;
    return sight.n;
}

static struct ref_seen
look(const struct ref_run *self, struct plan_id id)
{
    const struct task *task = &self->tasks[id.task];
    struct ref_seen seen = {.nupstream = task->nsource};
    struct sight sight = {0};

    see_upstream(self, id, &sight);
    for (uint32_t t = 0; t < self->flow->ntask; t++)
        seen.nupstream += task->needs[t];
    for (uint32_t i = 0; i < task->nsource; i++)
        seen.nupstream -= task->sources[i].kind == OVER_ITEMS;
    for (size_t i = 0; i < sight.n; i++) {
        enum plan_state state = ref_run_instance(self, sight.ids[i])->state;

        if (state != PLAN_MAPPED) /* counts as its children */
            reference_see(&seen, state);
    }
    free(sight.ids);
    return seen;
}

/* ---- values ---- */

struct scope {
    const struct ref_run *run;
    struct plan_id id;
};

static json_t *
copy_of(json_t *value)
{
    return value ? json_incref(value) : json_null();
}

json_t *
ref_run_value(const struct ref_run *self, struct plan_id id)
{
    const struct task *task = &self->tasks[id.task];
    json_t *list;

    if (id.child != PLAN_WHOLE || task->whole.state != PLAN_MAPPED)
        return copy_of(ref_run_instance(self, id)->value);
    list = json_array();
    for (uint32_t k = 0; k < task->nchild; k++)
        json_array_append_new(list, copy_of(task->children[k].value));
    return list;
}

/* What a child is made for. */
static json_t *
item_value(const struct ref_run *self, const struct source *source, uint32_t k)
{
    if (source->kind == OVER_NOTHING)
        return json_null();
    if (source->kind == OVER_CHILDREN)
        return ref_run_value(
            self, (struct plan_id){source->from, item_of(source, k)});
    return json_incref(json_array_get(source->items, item_of(source, k)));
}

static json_t *
lookup(void *ctx, const struct ref *ref)
{
    const struct scope *scope = ctx;
    const struct ref_run *run = scope->run;
    const struct flow_task *task = &run->flow->tasks[scope->id.task];

    switch (ref->scope) {
    case REF_PARAM:
        return json_incref(
            json_object_get(run->params, run->flow->params[ref->index].name));
    case REF_TASK:
        return ref_run_value(run, (struct plan_id){ref->index, PLAN_WHOLE});
    case REF_EACH:
        return item_value(run, &run->tasks[scope->id.task].sources[ref->index],
                          scope->id.child);
    case REF_WITH:
        return reference_eval(task->with[ref->index].value, lookup, ctx);
    case REF_UNRESOLVED:
        break;
    }
    return NULL;
}

json_t *
ref_run_eval(const struct ref_run *self, struct plan_id id,
             const struct tmpl *tmpl)
{
    struct scope scope = {self, id};

    return reference_eval(tmpl, lookup, &scope);
}

/* False if that could not be worked out. */
static bool
set(json_t *object, const char *name, json_t *value)
{
    return value && json_object_set_new(object, name, value) == 0;
}

static json_t *
bindings(const struct ref_run *self, struct plan_id id)
{
    const struct flow_task *task = &self->flow->tasks[id.task];
    json_t *all = json_copy(self->params);
    bool ok = true;

    for (uint32_t i = 0; ok && i < task->neach; i++)
        ok = set(all, task->each[i].name,
                 item_value(self, &self->tasks[id.task].sources[i], id.child));
    for (uint32_t i = 0; ok && i < task->nwith; i++)
        ok = set(all, task->with[i].name,
                 ref_run_eval(self, id, task->with[i].value));
    if (ok)
        return all;
    json_decref(all);
    return NULL;
}

static json_t *
given(const struct ref_run *self, struct plan_id id)
{
    const struct flow_task *task = &self->flow->tasks[id.task];
    json_t *all = json_object();
    json_t *env = json_object();
    bool ok = set(all, "bindings", bindings(self, id));

    if (ok && task->input)
        ok = set(all, "stdin", ref_run_eval(self, id, task->input));
    for (uint32_t i = 0; ok && i < task->options->nenv; i++)
        ok = set(env, task->options->env[i].name,
                 ref_run_eval(self, id, task->options->env[i].value));
    json_object_set_new(all, "env", env);
    if (ok)
        return all;
    json_decref(all);
    return NULL;
}

/* ---- one instance ---- */

static bool
may_retry(const struct flow_retry *retry, enum plan_state end, uint32_t attempt)
{
    static const unsigned bits[PLAN_STATE_COUNT] = {
        [PLAN_FAILED] = RETRY_FAILED,
        [PLAN_TIMED_OUT] = RETRY_TIMEOUT,
        [PLAN_CRASHED] = RETRY_LOST,
    };

    return attempt <= retry->times &&
           (end == PLAN_RETRYING || (retry->on & bits[end]) != 0);
}

static void
execute(const struct ref_run *self, struct plan_id id, struct ref_instance *it)
{
    const struct flow_task *task = &self->flow->tasks[id.task];
    struct run_outcome end;

    it->given = given(self, id);
    do {
        json_decref(it->value);
        end = self->try(self->ctx, id, ++it->attempts, it->given);
        it->value = end.value;
    } while (may_retry(&task->options->retry, end.state, it->attempts));
    it->state = end.state == PLAN_RETRYING ? PLAN_FAILED : end.state;
}

static bool
was_skipped(const struct ref_run *self, struct plan_id id)
{
    const struct task *task = &self->tasks[id.task];

    if (id.child != PLAN_WHOLE || task->whole.state != PLAN_MAPPED)
        return ref_run_instance(self, id)->state == PLAN_SKIPPED;
    for (uint32_t k = 0; k < task->nchild; k++) {
        if (task->children[k].state != PLAN_SKIPPED)
            return false;
    }
    return task->nchild > 0;
}

static void
merge(const struct ref_run *self, struct plan_id id, struct ref_instance *it)
{
    const struct flow_task *task = &self->flow->tasks[id.task];

    it->state = PLAN_SUCCEEDED;
    for (uint32_t i = 0; i < task->nneeds; i++) {
        struct plan_id branch = {task->needs[i], PLAN_WHOLE};

        if (task->mapped && self->tasks[branch.task].whole.state == PLAN_MAPPED)
            branch.child = id.child;
        if (was_skipped(self, branch))
            continue;
        it->value = ref_run_value(self, branch);
        return;
    }
}

/* PLAN_READY: all that was asked for is so. */
static enum plan_state
try_cases(const struct ref_run *self, struct plan_id id)
{
    const struct flow_task *task = &self->flow->tasks[id.task];
    enum plan_state state = PLAN_READY;

    for (uint32_t i = 0; state == PLAN_READY && i < task->ncase; i++) {
        json_t *value = ref_run_eval(self, id, task->cases[i].of);

        if (!value)
            state = PLAN_FAILED;
        else if (!value_equal(value, task->cases[i].is))
            state = PLAN_SKIPPED;
        json_decref(value);
    }
    return state;
}

static void
judge(const struct ref_run *self, struct plan_id id, struct ref_instance *it)
{
    const struct plan_task *rules = &self->tasks[id.task].rules;
    struct ref_seen seen = look(self, id);

    it->state = PLAN_SKIPPED;
    if (reference_must_skip(rules, &seen))
        return;
    it->state = reference_trigger(rules, &seen);
    if (it->state == PLAN_READY)
        it->state = try_cases(self, id);
    if (it->state != PLAN_READY)
        return;
    if (self->flow->tasks[id.task].kind == FLOW_MERGE)
        merge(self, id, it);
    else
        execute(self, id, it);
}

/* ---- maps ---- */

/* All branches of a merge of maps were skipped as a whole. */
static bool
have_no_branch(const struct ref_run *self, const struct flow_task *merge)
{
    for (uint32_t i = 0; i < merge->nneeds; i++) {
        if (self->tasks[merge->needs[i]].whole.state != PLAN_SKIPPED)
            return false;
    }
    return true;
}

static void
expand(const struct ref_run *self, uint32_t t)
{
    const struct flow_task *task = &self->flow->tasks[t];
    struct task *result = &self->tasks[t];
    struct plan_id id = {t, PLAN_WHOLE};
    struct ref_seen seen;
    bool ok = reference_sources(self, t);

    seen = look(self, id);
    if (reference_must_skip(&result->rules, &seen))
        result->whole.state = PLAN_SKIPPED;
    else if (task->kind == FLOW_MERGE && have_no_branch(self, task))
        result->whole.state = PLAN_SKIPPED;
    else if (!ok || !reference_length(task, result))
        result->whole.state = PLAN_FAILED;
    else
        result->whole.state = PLAN_MAPPED;
    if (result->whole.state != PLAN_MAPPED)
        return;
    result->children = mem_alloc(result->nchild, sizeof *result->children);
    for (id.child = 0; id.child < result->nchild; id.child++)
        judge(self, id, &result->children[id.child]);
}

/* ---- tasks ---- */

static struct plan_task
rules_of(const struct flow_options *options)
{
    return (struct plan_task){
        .skip_on_skip = options->skip_on_skip,
        .trigger = (uint8_t)options->trigger,
        .at_least = options->at_least,
        .at_most = options->at_most,
    };
}

static void
find_key_needs(const struct ref_run *self, const struct flow_task *task,
               bool *needs, bool *all)
{
    for (uint32_t i = 0; i < task->neach; i++) {
        const struct flow_each *each = &task->each[i];
        uint32_t from = reference_mapped_source(self->flow, each);

        if (from == PLAN_NONE)
            reference_mark(each->values, needs);
        else
            all[from] = true;
        reference_mark(each->from, needs);
        reference_mark(each->to, needs);
    }
}

/* All that it refers to, and of that not what it goes over child by child. */
static void
find_needs(const struct ref_run *self, uint32_t t, bool *all)
{
    const struct flow_task *task = &self->flow->tasks[t];
    bool *needs = self->tasks[t].needs;
    bool goes_over_needs = task->kind == FLOW_MERGE && task->mapped;

    for (uint32_t i = 0; i < task->nneeds; i++)
        (goes_over_needs ? all : needs)[task->needs[i]] = true;
    for (uint32_t i = 0; i < task->nwith; i++)
        reference_mark(task->with[i].value, needs);
    for (uint32_t i = 0; i < task->options->nenv; i++)
        reference_mark(task->options->env[i].value, needs);
    for (uint32_t i = 0; i < task->ncase; i++)
        reference_mark(task->cases[i].of, needs);
    reference_mark(task->input, needs);
    reference_mark(task->argv, needs);
    find_key_needs(self, task, needs, all);
    for (uint32_t u = 0; u < self->flow->ntask; u++)
        all[u] |= needs[u];
}

static void
find_out(const struct ref_run *self, uint32_t t)
{
    const struct flow_task *task = &self->flow->tasks[t];
    struct task *result = &self->tasks[t];
    bool *all = mem_alloc(self->flow->ntask, sizeof *all);

    if (!result->is_known) {
        result->needs = mem_alloc(self->flow->ntask, sizeof *result->needs);
        result->rules = rules_of(task->options);
        find_needs(self, t, all);
        for (uint32_t u = 0; u < self->flow->ntask; u++) {
            if (all[u])
                find_out(self, u);
        }
        if (task->mapped) {
            result->nsource =
                task->kind == FLOW_MERGE ? task->nneeds : task->neach;
            result->sources =
                mem_alloc(result->nsource, sizeof *result->sources);
            expand(self, t);
        } else {
            judge(self, (struct plan_id){t, PLAN_WHOLE}, &result->whole);
        }
        result->is_known = true;
    }
    free(all);
}

/* ---- the whole ---- */

struct ref_run *
ref_run_new(const struct flow *flow, json_t *params, ref_try_fn *try, void *ctx)
{
    struct ref_run *self = mem_alloc(1, sizeof *self);

    *self = (struct ref_run){
        .flow = flow,
        .params = json_incref(params),
        .try = try,
        .ctx = ctx,
        .tasks = mem_alloc(flow->ntask, sizeof *self->tasks),
    };
    for (uint32_t t = 0; t < flow->ntask; t++)
        find_out(self, t);
    return self;
}

static void
release(struct ref_instance *it)
{
    json_decref(it->value);
    json_decref(it->given);
}

void
ref_run_destroy(struct ref_run **self_p)
{
    struct ref_run *self = *self_p;

    if (!self)
        return;
    for (uint32_t t = 0; t < self->flow->ntask; t++) {
        struct task *task = &self->tasks[t];

        for (uint32_t i = 0; i < task->nsource; i++) {
            json_decref(task->sources[i].items);
            free(task->sources[i].owner);
        }
        for (uint32_t k = 0; k < task->nchild; k++)
            release(&task->children[k]);
        release(&task->whole);
        free(task->sources);
        free(task->children);
        free(task->needs);
    }
    json_decref(self->params);
    free(self->tasks);
    free(self);
    *self_p = NULL;
}

const struct ref_instance *
ref_run_instance(const struct ref_run *self, struct plan_id id)
{
    const struct task *task = &self->tasks[id.task];

    return id.child == PLAN_WHOLE ? &task->whole : &task->children[id.child];
}

uint32_t
ref_run_children(const struct ref_run *self, uint32_t task)
{
    return self->tasks[task].nchild;
}

static bool
task_is_success(const struct ref_run *self, uint32_t t)
{
    const struct task *task = &self->tasks[t];

    for (uint32_t k = 0; k < task->nchild; k++) {
        if (!plan_state_is_success(task->children[k].state))
            return false;
    }
    return task->whole.state == PLAN_MAPPED ||
           plan_state_is_success(task->whole.state);
}

/* It waits for all of the other, or its children for theirs. */
static bool
waits_for(const struct ref_run *self, uint32_t t, uint32_t other)
{
    const struct flow_task *task = &self->flow->tasks[t];
    bool waits = self->tasks[t].needs[other];

    for (uint32_t i = 0; i < task->neach; i++)
        waits |= reference_mapped_source(self->flow, &task->each[i]) == other;
    for (uint32_t i = 0; i < task->nneeds; i++)
        waits |= task->needs[i] == other;
    return waits;
}

bool
ref_run_follows(const struct ref_run *self, uint32_t task, uint32_t other)
{
    for (uint32_t t = 0; t < self->flow->ntask; t++) {
        if (waits_for(self, task, t) &&
            (t == other || ref_run_follows(self, t, other)))
            return true;
    }
    return false;
}

static bool
is_terminal(const struct ref_run *self, uint32_t t)
{
    for (uint32_t u = 0; u < self->flow->ntask; u++) {
        if (waits_for(self, u, t))
            return false;
    }
    return true;
}

bool
ref_run_is_success(const struct ref_run *self)
{
    const struct flow *flow = self->flow;
    bool ok = true;

    for (size_t i = 0; i < flow->nreference; i++)
        ok &= task_is_success(self, flow->reference[i]);
    for (uint32_t t = 0; flow->nreference == 0 && t < flow->ntask; t++)
        ok &= !is_terminal(self, t) || task_is_success(self, t);
    return ok;
}

json_t *
ref_run_output(const struct ref_run *self)
{
    if (!self->flow->output || !ref_run_is_success(self))
        return json_null();
    return ref_run_eval(self, (struct plan_id){0, PLAN_WHOLE},
                        self->flow->output);
}
