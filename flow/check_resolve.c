/* SPDX-License-Identifier: MPL-2.0 */
/*
 * check_resolve - from the names in references to what they stand for.
 *
 * Lexically: the task's own each keys, its with bindings, then the parameters
 * and tasks of the flow.
 */
#include <string.h>

#include "base/mem.h"
#include "flow/check.h"
#include "proto/limits.h"

#define FEW     8 /* names looked through without a table */
#define IS_WITH (UINT32_C(1) << 31)

/* Which of a task's own names can be seen from where a reference stands. */
enum sight { SEES_FLOW, SEES_EACH, SEES_ALL };

struct resolver {
    struct flow *flow;
    struct diags *diags;
    struct flow_task *task; /* NULL: the flow's output */
    uint32_t number;        /* of the task */
    uint32_t count;         /* references to tasks */
    enum sight sight;
    bool itself;        /* depends on itself: said once */
    struct names names; /* each and with, if there are many */
};

static uint32_t
find_own(const struct resolver *self, const char *name)
{
    const struct flow_task *task = self->task;

    if (!task)
        return NAMES_NONE;
    if (self->names.n > 0)
        return names_find(&self->names, name);
    for (uint32_t i = 0; i < task->neach; i++) {
        if (strcmp(task->each[i].name, name) == 0)
            return i;
    }
    for (uint32_t i = 0; i < task->nwith; i++) {
        if (strcmp(task->with[i].name, name) == 0)
            return i | IS_WITH;
    }
    return NAMES_NONE;
}

static bool
resolve_own(const struct resolver *self, struct ref *ref)
{
    uint32_t own;

    if (self->sight == SEES_FLOW)
        return false;
    own = find_own(self, ref->name);
    if (own == NAMES_NONE || (own & IS_WITH && self->sight != SEES_ALL))
        return false;
    ref->scope = own & IS_WITH ? REF_WITH : REF_EACH;
    ref->index = own & ~IS_WITH;
    return true;
}

static bool
resolve_global(const struct resolver *self, struct ref *ref)
{
    uint32_t task = flow_find_task(self->flow, ref->name);
    uint32_t param = flow_find_param(self->flow, ref->name);

    if (task == UINT32_MAX && param == UINT32_MAX)
        return false;
    ref->scope = task != UINT32_MAX ? REF_TASK : REF_PARAM;
    ref->index = task != UINT32_MAX ? task : param;
    return true;
}

/* ---- errors ---- */

static struct flow_place
place_of(const struct resolver *self, const struct ref *ref)
{
    if (ref->line > 0)
        return (struct flow_place){ref->line, ref->col,
                                   (uint32_t)strlen(ref->name) + 3};
    return self->task ? self->task->place : (struct flow_place){0};
}

static const char *
near_own(const struct resolver *self, const char *name)
{
    const struct flow_task *task = self->task;
    const char *names[2 * FEW];
    size_t n = 0;

    if (!task || self->sight == SEES_FLOW)
        return NULL;
    for (uint32_t i = 0; i < task->neach && n < FEW; i++)
        names[n++] = task->each[i].name;
    for (uint32_t i = 0; i < task->nwith && n < (size_t)2 * FEW; i++) {
        if (self->sight == SEES_ALL)
            names[n++] = task->with[i].name;
    }
    return names_near(name, names, n);
}

static char *
suggest(const struct resolver *self, const char *name)
{
    const char *near = near_own(self, name);

    if (find_own(self, name) != NAMES_NONE)
        return mem_printf("`%s` is known in the rest of the task, not where "
                          "its bindings are made",
                          name);
    if (!near)
        near =
            flow_near(self->flow, name, FLOW_NAMES_TASKS | FLOW_NAMES_PARAMS);
    return near ? mem_printf("did you mean `%s`?", near) : NULL;
}

static void
refuse(struct resolver *self, const struct ref *ref)
{
    char *help;

    if (self->diags->n >= LIMIT_ERRORS) { /* looking for names takes time */
        self->diags->dropped++;
        return;
    }
    help = suggest(self, ref->name);
    if (self->task)
        diags_add(self->diags, place_of(self, ref), help,
                  "task `%s` refers to `%s`, which does not exist",
                  self->task->name, ref->name);
    else
        diags_add(self->diags, place_of(self, ref), help,
                  "the output refers to `%s`, which does not exist", ref->name);
}

static void
see_task(struct resolver *self, uint32_t task, struct flow_place place)
{
    self->count++;
    if (self->task && task == self->number && !self->itself) {
        self->itself = true;
        diags_add(self->diags, place, NULL, "task `%s` depends on itself",
                  self->task->name);
    }
}

static void
resolve_ref(void *ctx, struct ref *ref)
{
    struct resolver *self = ctx;

    if (ref->scope == REF_UNRESOLVED && !resolve_own(self, ref) &&
        !resolve_global(self, ref)) {
        refuse(self, ref);
        return;
    }
    if (ref->scope == REF_TASK) {
        self->flow->tasks[ref->index].referred = true;
        see_task(self, ref->index, place_of(self, ref));
    }
}

/* ---- tasks ---- */

static void
resolve_binds(struct resolver *self, const struct flow_bind *binds, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        tmpl_each_ref(binds[i].value, resolve_ref, self);
}

static void
resolve_bindings(struct resolver *self)
{
    const struct flow_task *task = self->task;

    self->sight = SEES_FLOW;
    for (uint32_t i = 0; i < task->neach; i++) {
        tmpl_each_ref(task->each[i].values, resolve_ref, self);
        tmpl_each_ref(task->each[i].from, resolve_ref, self);
        tmpl_each_ref(task->each[i].to, resolve_ref, self);
    }
    self->sight = SEES_EACH;
    resolve_binds(self, task->with, task->nwith);
    self->sight = SEES_ALL;
}

static void
add_names(struct resolver *self)
{
    const struct flow_task *task = self->task;

    if (task->neach + task->nwith <= FEW)
        return;
    for (uint32_t i = 0; i < task->neach; i++)
        names_add(&self->names, task->each[i].name, i);
    for (uint32_t i = 0; i < task->nwith; i++)
        names_add(&self->names, task->with[i].name, i | IS_WITH);
}

static void
resolve_task(struct resolver *self)
{
    struct flow_task *task = self->task;

    add_names(self);
    resolve_bindings(self);
    resolve_binds(self, task->options->env, task->options->nenv);
    tmpl_each_ref(task->options->cwd, resolve_ref, self);
    for (uint32_t i = 0; i < task->ncase; i++)
        tmpl_each_ref(task->cases[i].of, resolve_ref, self);
    tmpl_each_ref(task->argv, resolve_ref, self);
    tmpl_each_ref(task->input, resolve_ref, self);
    tmpl_each_ref(task->creates, resolve_ref, self);
    for (uint32_t i = 0; i < task->nneeds; i++) {
        see_task(self, task->needs[i], task->place);
        if (task->kind == FLOW_MERGE)
            self->flow->tasks[task->needs[i]].referred = true;
    }
    if (self->count > LIMIT_REFERENCES)
        diags_add(self->diags, task->place, NULL,
                  "task `%s` refers to other tasks %u times; %u are the most",
                  task->name, self->count, LIMIT_REFERENCES);
    names_release(&self->names);
}

void
check_resolve(struct flow *self, struct diags *diags)
{
    struct resolver output = {.flow = self, .diags = diags};

    for (size_t i = 0; i < self->ntask; i++)
        self->tasks[i].referred = false;
    for (size_t i = 0; i < self->ntask; i++) {
        struct resolver resolver = {.flow = self,
                                    .diags = diags,
                                    .task = &self->tasks[i],
                                    .number = (uint32_t)i};

        resolve_task(&resolver);
    }
    tmpl_each_ref(self->output, resolve_ref, &output);
}
