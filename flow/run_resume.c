/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/run.h"
#include "flow/run_impl.h"

static const struct run_kept *
find_any(const struct run *self, struct plan_id id)
{
    const struct run_resume *r = self->resume;

    if (!r)
        return NULL;
    if (id.child == PLAN_WHOLE)
        return &r->whole[id.task];
    return id.child < r->nchild[id.task] ? &r->children[id.task][id.child]
                                         : NULL;
}

/* Of what was started. */
static const struct run_kept *
find_kept(const struct run *self, struct plan_id id)
{
    const struct run_kept *kept = find_any(self, id);

    return kept && kept->attempts > 0 ? kept : NULL;
}

uint32_t
run_attempts_before(const struct run *self, struct plan_id id)
{
    const struct run_kept *kept = find_kept(self, id);

    return kept ? kept->attempts : 0;
}

enum plan_state
run_state_before(const struct run *self, struct plan_id id)
{
    const struct run_kept *kept = find_kept(self, id);

    return kept ? (enum plan_state)kept->state : PLAN_WAITING;
}

/* When what an instance sees along an edge came to something new. */
static uint32_t
link_since(const struct run *self, struct plan_id id,
           const struct plan_edge *edge)
{
    const struct run_task *from = &self->tasks[edge->from];
    const struct map *map = self->tasks[id.task].map;
    uint32_t since = 0;

    if (edge->kind == PLAN_EDGE_WHOLE || id.child == PLAN_WHOLE || !from->map)
        return from->since;
    /* In a product with itself several keys go over the same map. */
    for (uint32_t i = 0; from->map->since && i < map->nsource; i++) {
        uint32_t item = map_item(&map->sources[i], id.child);

        if (map->sources[i].task != edge->from)
            continue;
        if (map->owner)
            item = map->owner[item];
        if (from->map->since[item] > since)
            since = from->map->since[item];
    }
    return since;
}

static uint32_t
upstream_since(const struct run *self, struct plan_id id)
{
    const struct run_resume *r = self->resume;
    uint32_t since = 0;

    for (size_t i = r->in_begin[id.task];
         i < r->in_begin[id.task + 1] && since < RUN_NOW; i++) {
        uint32_t one = link_since(self, id, &r->in[i]);

        since = one > since ? one : since;
    }
    return since;
}

/* A session that somebody asked for tries failures again; one that only goes
 * on with what its driver has lost does not. */
static bool
is_kept_state(const struct run *self, enum plan_state state)
{
    return plan_state_is_success(state) ||
           (self->goes_on && plan_state_is_failure(state));
}

const struct run_kept *
run_kept(const struct run *self, struct plan_id id)
{
    const struct run_kept *kept = find_kept(self, id);

    if (!kept || !is_kept_state(self, (enum plan_state)kept->state) ||
        upstream_since(self, id) > kept->order)
        return NULL;
    return kept;
}

const struct run_kept *
run_decided(const struct run *self, struct plan_id id)
{
    const struct run_kept *kept = find_any(self, id);

    if (!kept || !self->goes_on || kept->attempts > 0 ||
        kept->state == PLAN_WAITING || upstream_since(self, id) > kept->order)
        return NULL;
    return kept;
}

bool
run_is_left_as_it_was(const struct run *self, struct plan_id id)
{
    if (!self->resume)
        return false;
    if (id.child == PLAN_WHOLE && self->resume->nchild[id.task] > 0)
        return true;
    return run_kept(self, id);
}

void
run_note_since(struct run *self, struct plan_id id, uint32_t since)
{
    struct run_task *task = &self->tasks[id.task];

    if (!self->resume)
        return;
    if (task->since < since)
        task->since = since;
    if (id.child == PLAN_WHOLE)
        return;
    if (!task->map->since)
        task->map->since = mem_alloc(task->map->n, sizeof *task->map->since);
    if (task->map->since[id.child] < since)
        task->map->since[id.child] = since;
}

void
run_inherit_since(struct run *self, struct plan_id id)
{
    if (self->resume)
        run_note_since(self, id, upstream_since(self, id));
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

/* Only handlers make a difference between deciding it again and keeping it. */
static bool
may_be_decided(const struct run *self, enum plan_state state)
{
    return self->hooks.handle &&
           (state == PLAN_MAPPED ||
            (plan_state_is_final(state) && state != PLAN_CANCELLED));
}

void
run_keep(struct run *self, struct plan_id id, enum plan_state state,
         json_t *value, uint32_t attempts)
{
    struct run_resume *r;
    struct run_kept kept = {.attempts = attempts, .state = (uint8_t)state};
    size_t *n;

    if (attempts == 0 && !may_be_decided(self, state))
        return;
    r = resume_of(self);
    kept.value = json_incref(value);
    kept.order = ++r->nkept;
    n = &r->nchild[id.task];
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

/* Attempts still count: what was started was started. */
static void
forget_one(struct run_kept *kept)
{
    json_decref(kept->value);
    kept->value = NULL;
    kept->state = PLAN_WAITING;
}

/* Tasks to be forgotten; the chain of them may be as long as the flow. */
struct forgetting {
    struct run *run;
    uint32_t *tasks;
    size_t n, cap;
};

static void
will_forget(void *ctx, uint32_t task)
{
    struct forgetting *self = ctx;

    if (self->run->tasks[task].forgotten)
        return;
    self->run->tasks[task].forgotten = true;
    self->tasks =
        mem_grow(self->tasks, &self->cap, self->n + 1, sizeof *self->tasks);
    self->tasks[self->n++] = task;
}

void
run_forget(struct run *self, uint32_t task)
{
    struct run_resume *r = resume_of(self);
    struct forgetting all = {.run = self};

    will_forget(&all, task);
    for (size_t i = 0; i < all.n; i++) {
        uint32_t t = all.tasks[i];

        forget_one(&r->whole[t]);
        for (size_t k = 0; k < r->nchild[t]; k++)
            forget_one(&r->children[t][k]);
        plan_downstream(self->plan, t, will_forget, &all);
    }
    free(all.tasks);
}

void
run_approve_all(struct run *self)
{
    for (size_t t = 0; t < self->flow->ntask; t++)
        self->tasks[t].approved = true;
}
