/* SPDX-License-Identifier: MPL-2.0 */
/*
 * edges - a checked flow as the plan sees it.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "flow/flow.h"

#define KINDS 3

struct edges {
    const struct flow *flow;
    struct plan_edge *list;
    size_t n, cap;
    uint32_t to; /* the task whose edges are being collected */
    /* For each kind and source the last task + 1 that has such an edge. */
    uint32_t *seen[KINDS];
};

static void
add(struct edges *self, uint32_t from, enum plan_edge_kind kind)
{
    if (self->seen[kind][from] == self->to + 1)
        return;
    self->seen[kind][from] = self->to + 1;
    self->list =
        mem_grow(self->list, &self->cap, self->n + 1, sizeof *self->list);
    self->list[self->n++] = (struct plan_edge){from, self->to, kind};
}

static void
add_ref(void *ctx, struct ref *ref)
{
    if (ref->scope == REF_TASK)
        add(ctx, ref->index, PLAN_EDGE_WHOLE);
}

static void
add_binds(struct edges *self, const struct flow_bind *binds, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        tmpl_each_ref(binds[i].value, add_ref, self);
}

uint32_t
flow_child_source(const struct flow *self, const struct flow_task *task,
                  uint32_t key)
{
    const struct tmpl *values = task->each[key].values;

    if (!values || values->kind != TMPL_REF || values->ref->scope != REF_TASK ||
        values->ref->nstep > 0 || !self->tasks[values->ref->index].mapped)
        return UINT32_MAX;
    return values->ref->index;
}

static void
add_each(struct edges *self, const struct flow_task *task)
{
    for (uint32_t i = 0; i < task->neach; i++) {
        const struct flow_each *each = &task->each[i];
        uint32_t from = flow_child_source(self->flow, task, i);

        if (from != UINT32_MAX) {
            add(self, from, task->flatten ? PLAN_EDGE_FLAT : PLAN_EDGE_CHILD);
            continue;
        }
        tmpl_each_ref(each->values, add_ref, self);
        tmpl_each_ref(each->from, add_ref, self);
        tmpl_each_ref(each->to, add_ref, self);
    }
}

static void
add_task(struct edges *self, const struct flow_task *task)
{
    bool merge = task->kind == FLOW_MERGE && task->mapped;

    for (uint32_t i = 0; i < task->nneeds; i++)
        add(self, task->needs[i], merge ? PLAN_EDGE_CHILD : PLAN_EDGE_WHOLE);
    add_each(self, task);
    add_binds(self, task->with, task->nwith);
    add_binds(self, task->options->env, task->options->nenv);
    tmpl_each_ref(task->options->cwd, add_ref, self);
    for (uint32_t i = 0; i < task->ncase; i++)
        tmpl_each_ref(task->cases[i].of, add_ref, self);
    tmpl_each_ref(task->argv, add_ref, self);
    tmpl_each_ref(task->input, add_ref, self);
    tmpl_each_ref(task->creates, add_ref, self);
}

/* Of the tasks from `first` on, up to `end`. */
static struct plan_edge *
collect(const struct flow *flow, uint32_t first, uint32_t end, size_t *n)
{
    struct edges edges = {.flow = flow};

    for (int kind = 0; kind < KINDS; kind++)
        edges.seen[kind] = mem_alloc(flow->ntask, sizeof *edges.seen[kind]);
    for (uint32_t i = first; i < end; i++) {
        edges.to = i;
        add_task(&edges, &flow->tasks[i]);
    }
    for (int kind = 0; kind < KINDS; kind++)
        free(edges.seen[kind]);
    *n = edges.n;
    return edges.list ? edges.list : mem_alloc(1, sizeof *edges.list);
}

struct plan_edge *
flow_edges(const struct flow *self, size_t *n)
{
    return collect(self, 0, (uint32_t)self->ntask, n);
}

struct plan_edge *
flow_edges_to(const struct flow *self, uint32_t task, size_t *n)
{
    return collect(self, task, task + 1, n);
}

struct plan_task *
flow_plan_tasks(const struct flow *self)
{
    struct plan_task *tasks = mem_alloc(self->ntask, sizeof *tasks);

    for (size_t i = 0; i < self->ntask; i++) {
        const struct flow_options *options = self->tasks[i].options;

        tasks[i] = (struct plan_task){
            .mapped = self->tasks[i].mapped,
            .skip_on_skip = options->skip_on_skip,
            .trigger = (uint8_t)options->trigger,
            .at_least = options->at_least,
            .at_most = options->at_most,
            .priority = options->priority,
            .max_parallel = options->max_parallel,
        };
    }
    return tasks;
}
