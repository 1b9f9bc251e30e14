/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/plan_inner.h"

enum plan_state
plan_state(const struct plan *self, struct plan_id id)
{
    const struct task *t;

    assert(id.task < self->ntask);
    t = &self->tasks[id.task];
    if (id.child == PLAN_WHOLE)
        return t->state;
    assert(t->children && id.child < t->children->nchild);
    return t->children->states[id.child];
}

uint32_t
plan_children(const struct plan *self, uint32_t task)
{
    assert(task < self->ntask);
    return self->tasks[task].children ? self->tasks[task].children->nchild : 0;
}

uint32_t
plan_children_in(const struct plan *self, uint32_t task, enum plan_state state)
{
    assert(task < self->ntask && state < PLAN_STATE_COUNT);
    return self->tasks[task].children ? self->tasks[task].children->count[state]
                                      : 0;
}

uint64_t
plan_count(const struct plan *self, enum plan_state state)
{
    assert(state < PLAN_STATE_COUNT);
    return self->count[state];
}

bool
plan_task_is_finished(const struct plan *self, uint32_t task)
{
    const struct task *t;

    assert(task < self->ntask);
    t = &self->tasks[task];
    return t->children ? t->children->nopen == 0
                       : plan_state_is_final(t->state);
}

bool
plan_task_is_success(const struct plan *self, uint32_t task)
{
    struct tally seen = {0};

    assert(task < self->ntask);
    if (!self->tasks[task].children)
        return plan_state_is_success(self->tasks[task].state);
    plan_tally_children(&seen, self->tasks[task].children);
    return seen.nsuccess == seen.nstate;
}

bool
plan_is_finished(const struct plan *self)
{
    return self->nopen == 0;
}

bool
plan_is_stalled(const struct plan *self)
{
    return self->nopen > 0 && self->head == self->tail &&
           self->asked.task == PLAN_NONE && self->ndeferred == 0 &&
           self->count[PLAN_READY] == 0 && self->count[PLAN_RUNNING] == 0 &&
           self->count[PLAN_RETRYING] == 0;
}

void
plan_downstream(const struct plan *self, uint32_t task, plan_task_fn *fn,
                void *ctx)
{
    assert(task < self->ntask);
    for (uint32_t i = self->out.begin[task]; i < self->out.begin[task + 1]; i++)
        fn(ctx, edge_task(self->out.edge[i]));
}
