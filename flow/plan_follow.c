/* SPDX-License-Identifier: MPL-2.0 */
#include "base/mem.h"
#include "flow/plan_inner.h"

/* One that was final may be under way again, when the run is retried. */
static void
count_open(uint32_t *nopen, enum plan_state from, enum plan_state to)
{
    *nopen += plan_state_is_final(from);
    *nopen -= plan_state_is_final(to);
}

/* Nobody waits for anything here: no views, nothing ready. */
static struct children *
new_children(uint32_t n)
{
    struct children *self = mem_alloc(1, sizeof *self);

    self->nchild = self->nopen = n;
    self->count[PLAN_WAITING] = n;
    self->states = mem_alloc(n, sizeof *self->states);
    bits_init(&self->ready, n, false);
    return self;
}

void
plan_follow(struct plan *self, struct plan_id id, enum plan_state state)
{
    struct task *t = &self->tasks[id.task];
    struct children *m = t->children;
    enum plan_state from = plan_state(self, id);

    if (id.child == PLAN_WHOLE && m) {
        /* It ended as a whole after all: no children count any more. */
        plan_follow_map(self, id.task, 0);
        plan_children_destroy(&t->children);
        self->nopen++;
        count_open(&self->nopen, PLAN_MAPPED, state);
    } else if (id.child == PLAN_WHOLE) {
        count_open(&self->nopen, from, state);
    } else {
        self->nopen += m->nopen == 0;
        count_open(&m->nopen, from, state);
        self->nopen -= m->nopen == 0;
    }
    plan_enter(self, id, state);
}

void
plan_follow_map(struct plan *self, uint32_t task, uint32_t n)
{
    struct task *t = &self->tasks[task];

    assert(t->mapped);
    if (t->children) {
        self->nopen += t->children->nopen == 0;
        for (int s = 0; s < PLAN_STATE_COUNT; s++)
            self->count[s] -= t->children->count[s];
        plan_children_destroy(&t->children);
    } else {
        count_open(&self->nopen, (enum plan_state)t->state, PLAN_MAPPED);
    }
    t->children = new_children(n);
    plan_enter(self, (struct plan_id){task, PLAN_WHOLE}, PLAN_MAPPED);
    self->count[PLAN_WAITING] += n;
    self->nopen -= n == 0;
}
