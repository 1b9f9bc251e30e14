/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/check.h"

#include <stdlib.h>

#include "base/mem.h"
#include "proto/limits.h"

#define SHOWN_CYCLE 20 /* tasks of it that are printed */

/* ---- what is derived ---- */

static bool
has_mapped_branches(const struct flow *self, const struct flow_task *merge)
{
    for (uint32_t i = 0; i < merge->nneeds; i++) {
        if (!self->tasks[merge->needs[i]].mapped)
            return false;
    }
    return true;
}

/* Deny wishes that can't be granted; false if there were none. */
static bool
deny_merges(struct flow *self)
{
    bool denied = false;

    for (size_t i = 0; i < self->ntask; i++) {
        struct flow_task *task = &self->tasks[i];

        if (task->kind == FLOW_MERGE && task->mapped &&
            !has_mapped_branches(self, task)) {
            task->mapped = false;
            denied = true;
        }
    }
    return denied;
}

static void
settle_maps(struct flow *self)
{
    bool again = true;

    for (size_t i = 0; i < self->ntask; i++) {
        if (self->tasks[i].kind != FLOW_MERGE)
            self->tasks[i].mapped = self->tasks[i].neach > 0;
    }
    while (again) /* a merge of merges may lose its wish by another one's */
        again = deny_merges(self);
}

static void
settle_kind(struct flow_task *task, struct diags *diags)
{
    if (task->kind == FLOW_CALL || task->kind == FLOW_MERGE)
        task->value = VALUE_JSON;
    else if (!task->has_value_kind)
        task->value = task->referred || task->creates ? VALUE_TEXT : VALUE_NONE;
    else if (task->creates && task->value != VALUE_NONE)
        diags_add(diags, task->place,
                  mem_dup("leave `value` out: the value is the path"),
                  "task `%s` has both `creates` and `value: %s`, but when the "
                  "file is there already nothing runs that could give one",
                  task->name, value_kind_names[task->value]);
}

/* ---- what contradicts itself ---- */

static void
check_task(const struct flow *self, const struct flow_task *task,
           struct diags *diags)
{
    check_each(self, task, diags);
    if (task->options->at_most_once && task->options->retry.times > 0)
        diags_add(diags, task->place,
                  mem_dup("write `retry: 0`, or leave out `at-most-once`"),
                  "task `%s` may be started once only, but is to be retried",
                  task->name);
}

static void
check_size(const struct flow *self, struct diags *diags)
{
    if (self->ntask > LIMIT_TASKS)
        diags_add(diags, (struct flow_place){0}, NULL,
                  "the flow has %zu tasks; %u are the most", self->ntask,
                  LIMIT_TASKS);
}

/* ---- cycles ---- */

/* A plan's cycle goes the way values go, what is told the way tasks wait. */
static void
add_cycle(const struct flow *self, const uint32_t *cycle, struct diags *diags)
{
    struct buf path = {0};
    size_t n = 0, shown = 0;

    while (cycle[n] != PLAN_NONE)
        n++;
    for (size_t i = n; i > 0; i--) {
        const struct flow_task *task = &self->tasks[cycle[i % n]];

        if (!task->hidden && shown++ < SHOWN_CYCLE)
            buf_printf(&path, "%s -> ", task->name);
    }
    if (shown > SHOWN_CYCLE)
        buf_printf(&path, "(%zu more) -> ", shown - SHOWN_CYCLE);
    if (shown == 1) /* with itself, by a merge of its own */
        diags_add(diags, self->tasks[cycle[0]].place, NULL,
                  "task `%s` depends on itself", self->tasks[cycle[0]].name);
    else
        diags_add(diags, self->tasks[cycle[0]].place, NULL,
                  "these tasks wait for each other in a circle: %s%s",
                  buf_str(&path), self->tasks[cycle[0]].name);
    buf_release(&path);
}

/* Tasks that depend on themselves have been reported. */
static size_t
drop_loops(struct plan_edge *edges, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        if (edges[i].from != edges[i].to)
            edges[kept++] = edges[i];
    }
    return kept;
}

static void
check_cycles(const struct flow *self, struct diags *diags)
{
    struct plan_task *tasks = flow_plan_tasks(self);
    struct plan_edge *edges = NULL;
    struct plan *plan = NULL;
    uint32_t *cycle = NULL;
    struct err err;
    size_t n;

    edges = flow_edges(self, &n);
    n = drop_loops(edges, n);
    if (plan_new(&plan, tasks, (uint32_t)self->ntask, edges, n, &cycle, &err) <
        0) {
        if (cycle)
            add_cycle(self, cycle, diags);
        else
            diags_add(diags, (struct flow_place){0}, NULL, "%s", err.msg);
    }
    free(cycle);
    free(edges);
    free(tasks);
    plan_destroy(&plan);
}

int
flow_check(struct flow *self, struct diags *diags)
{
    size_t before = diags->n + diags->dropped;

    check_size(self, diags);
    for (size_t i = 0; i < self->nparam; i++)
        check_param(&self->params[i], diags);
    check_resolve(self, diags);
    check_names(self, diags);
    settle_maps(self);
    for (size_t i = 0; i < self->ntask; i++)
        settle_kind(&self->tasks[i], diags);
    for (size_t i = 0; i < self->ntask; i++)
        check_task(self, &self->tasks[i], diags);
    check_cycles(self, diags);
    return diags->n + diags->dropped == before ? 0 : -1;
}
