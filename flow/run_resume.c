/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/run.h"
#include "flow/run_impl.h"

const struct run_kept *
run_kept(const struct run *self, struct plan_id id)
{
    const struct run_resume *r = self->resume;
    const struct run_kept *kept = NULL;

    if (!r)
        return NULL;
    if (id.child == PLAN_WHOLE)
        kept = &r->whole[id.task];
    else if (id.child < r->nchild[id.task])
        kept = &r->children[id.task][id.child];
    return kept && kept->attempts > 0 ? kept : NULL;
}

uint32_t
run_attempts_before(const struct run *self, struct plan_id id)
{
    const struct run_kept *kept = run_kept(self, id);

    return kept ? kept->attempts : 0;
}

static bool
link_is_fresh(const struct run *self, struct plan_id id,
              const struct plan_edge *edge)
{
    const struct run_task *from = &self->tasks[edge->from];
    const struct run_task *task = &self->tasks[id.task];

    if (!from->fresh)
        return false;
    if (edge->kind == PLAN_EDGE_WHOLE || id.child == PLAN_WHOLE || !from->map)
        return true;
    for (uint32_t i = 0; i < task->map->nsource; i++) {
        const struct map_source *source = &task->map->sources[i];
        uint32_t item = map_item(source, id.child);

        if (source->task != edge->from)
            continue;
        if (task->map->owner)
            item = task->map->owner[item];
        return from->map->fresh && from->map->fresh[item];
    }
    return true;
}

bool
run_upstream_is_fresh(const struct run *self, struct plan_id id)
{
    const struct run_resume *r = self->resume;

    for (size_t i = r->in_begin[id.task]; i < r->in_begin[id.task + 1]; i++) {
        if (link_is_fresh(self, id, &r->in[i]))
            return true;
    }
    return false;
}

void
run_resume_destroy(struct run *self)
{
    struct run_resume *r = self->resume;

    if (!r)
        return;
    for (size_t t = 0; t < self->flow->ntask; t++) {
        json_decref(r->whole[t].value);
        for (size_t k = 0; k < r->nchild[t]; k++)
            json_decref(r->children[t][k].value);
        free(r->children[t]);
    }
    free(r->whole);
    free(r->children);
    free(r->nchild);
    free(r->in);
    free(r->in_begin);
    free(r);
    self->resume = NULL;
}

/* Group the edges by their targets: a counting sort. */
static void
group_edges(struct run *self, struct run_resume *r)
{
    size_t n = 0;
    struct plan_edge *edges = flow_edges(self->flow, &n);
    size_t *at = mem_alloc(self->flow->ntask + 1, sizeof *at);

    r->in = mem_alloc(n, sizeof *r->in);
    r->in_begin = mem_alloc(self->flow->ntask + 1, sizeof *r->in_begin);
    for (size_t i = 0; i < n; i++)
        r->in_begin[edges[i].to + 1]++;
    for (size_t t = 0; t < self->flow->ntask; t++)
        r->in_begin[t + 1] += r->in_begin[t];
    memcpy(at, r->in_begin, (self->flow->ntask + 1) * sizeof *at);
    for (size_t i = 0; i < n; i++)
        r->in[at[edges[i].to]++] = edges[i];
    free(at);
    free(edges);
}

static struct run_resume *
resume_of(struct run *self)
{
    size_t n = self->flow->ntask;
    struct run_resume *r = self->resume;

    if (r)
        return r;
    r = self->resume = mem_alloc(1, sizeof *r);
    r->whole = mem_alloc(n, sizeof *r->whole);
    r->children = mem_alloc(n, sizeof *r->children);
    r->nchild = mem_alloc(n, sizeof *r->nchild);
    group_edges(self, r);
    return r;
}

void
run_keep(struct run *self, struct plan_id id, enum plan_state state,
         json_t *value, uint32_t attempts)
{
    struct run_resume *r = resume_of(self);
    struct run_kept kept = {json_incref(value), attempts, (uint8_t)state};
    size_t *n = &r->nchild[id.task];

    if (id.child == PLAN_WHOLE) {
        json_decref(r->whole[id.task].value);
        r->whole[id.task] = kept;
        return;
    }
    if (id.child >= *n) {
        size_t more = (size_t)id.child + 1 + *n / 2;
        size_t cap = *n;

        r->children[id.task] =
            mem_grow(r->children[id.task], &cap, more, sizeof **r->children);
        memset(r->children[id.task] + *n, 0, (cap - *n) * sizeof **r->children);
        *n = cap;
    }
    json_decref(r->children[id.task][id.child].value);
    r->children[id.task][id.child] = kept;
}

static void
forget_one(void *ctx, uint32_t task)
{
    struct run *self = ctx;
    struct run_resume *r = self->resume;

    if (self->tasks[task].forgotten)
        return;
    self->tasks[task].forgotten = true;
    json_decref(r->whole[task].value);
    r->whole[task] = (struct run_kept){0};
    for (size_t k = 0; k < r->nchild[task]; k++)
        json_decref(r->children[task][k].value);
    free(r->children[task]);
    r->children[task] = NULL;
    r->nchild[task] = 0;
    plan_downstream(self->plan, task, forget_one, self);
}

void
run_forget(struct run *self, uint32_t task)
{
    (void)resume_of(self);
    forget_one(self, task);
}

void
run_approve_all(struct run *self)
{
    for (size_t t = 0; t < self->flow->ntask; t++)
        self->tasks[t].approved = true;
}
