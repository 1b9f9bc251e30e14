/* SPDX-License-Identifier: MPL-2.0 */
#include "base/mem.h"
#include "flow/plan_inner.h"

/* Nobody waits for anything here: no views, nothing ready. */
static struct children *
new_children(uint32_t n, const struct children *old)
{
    struct children *self = mem_alloc(1, sizeof *self);

    self->nchild = n;
    self->states = mem_alloc(n, sizeof *self->states);
    for (uint32_t k = 0; k < n; k++) {
        self->states[k] =
            old && k < old->nchild ? old->states[k] : (uint8_t)PLAN_WAITING;
        self->count[self->states[k]]++;
        self->nopen += !plan_state_is_final(self->states[k]);
    }
    bits_init(&self->ready, n, false);
    return self;
}

/* Take the children of a map for those there were; either may be NULL. */
static void
replace_children(struct plan *self, struct task *t, struct children *m)
{
    struct children *old = t->children;

    for (int s = 0; s < PLAN_STATE_COUNT; s++) {
        self->count[s] += m ? m->count[s] : 0;
        self->count[s] -= old ? old->count[s] : 0;
    }
    if (old)
        self->nopen += old->nopen == 0;
    else
        self->nopen += plan_state_is_final(t->state);
    if (m)
        self->nopen -= m->nopen == 0;
    plan_children_destroy(&t->children);
    t->children = m;
}

void
plan_follow(struct plan *self, struct plan_id id, enum plan_state state)
{
    struct task *t = &self->tasks[id.task];
    struct children *m;

    if (id.child == PLAN_WHOLE) {
        /* If it had children they count no more: it ended as a whole. */
        replace_children(self, t, NULL);
        self->nopen -= plan_state_is_final(state);
    } else {
        m = t->children;
        self->nopen += m->nopen == 0;
        m->nopen += plan_state_is_final(m->states[id.child]);
        m->nopen -= plan_state_is_final(state);
        self->nopen -= m->nopen == 0;
    }
    plan_enter(self, id, state);
}

void
plan_follow_map(struct plan *self, uint32_t task, uint32_t n)
{
    struct task *t = &self->tasks[task];

    assert(t->mapped);
    replace_children(self, t, new_children(n, t->children));
    plan_enter(self, (struct plan_id){task, PLAN_WHOLE}, PLAN_MAPPED);
}
