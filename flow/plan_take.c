/* SPDX-License-Identifier: MPL-2.0 */
/*
 * plan_take - what is ready, until it is taken.
 *
 * A slot is in `ready` when its task may start, or one of its children that
 * are ready and the map runs fewer than it may.
 */
#include "flow/plan_inner.h"

void
plan_offer(struct plan *self, const struct task *t)
{
    const struct children *m = t->children;
    bool can_start = t->state == PLAN_READY;

    if (m)
        can_start =
            m->count[PLAN_READY] > 0 &&
            (t->max_parallel == 0 || m->count[PLAN_RUNNING] < t->max_parallel);
    if (can_start)
        bits_add(&self->ready, t->slot);
    else
        bits_remove(&self->ready, t->slot);
}

void
plan_make_ready(struct plan *self, struct plan_id id)
{
    struct task *t = &self->tasks[id.task];

    plan_enter(self, id, PLAN_READY);
    if (t->children)
        bits_add(&t->children->ready, id.child);
    plan_offer(self, t);
}

void
plan_begin(struct plan *self, struct plan_id id)
{
    struct task *t = &self->tasks[id.task];

    if (id.child != PLAN_WHOLE)
        bits_remove(&t->children->ready, id.child);
    plan_enter(self, id, PLAN_RUNNING);
    plan_offer(self, t);
}

bool
plan_take(struct plan *self, struct plan_id *ret)
{
    assert(self->nclass == 1);
    return plan_take_of(self, 0, ret);
}

bool
plan_take_of(struct plan *self, uint32_t class, struct plan_id *ret)
{
    uint32_t slot = plan_first_slot(self, class);
    struct plan_id id = {PLAN_NONE, PLAN_WHOLE};

    if (slot == BITS_NONE)
        return false;
    id.task = self->order[slot];
    if (self->tasks[id.task].children)
        id.child = bits_least(&self->tasks[id.task].children->ready);
    plan_begin(self, id);
    *ret = id;
    return true;
}

void
plan_take_id(struct plan *self, struct plan_id id)
{
    assert(plan_state(self, id) == PLAN_READY);
    plan_begin(self, id);
}
