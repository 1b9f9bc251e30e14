/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/timers.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/span.h"

struct timer {
    int64_t until;
    uint64_t order;
    struct plan_id id;
};

static bool
is_before(const struct timer *a, const struct timer *b)
{
    return a->until != b->until ? a->until < b->until : a->order < b->order;
}

void
timers_release(struct timers *self)
{
    free(self->heap);
    *self = (struct timers){0};
}

void
timers_clear(struct timers *self)
{
    self->n = 0;
}

void
timers_add(struct timers *self, struct plan_id id, int64_t until)
{
    struct timer timer = {until, self->order++, id};
    size_t i = self->n++;

    self->heap = mem_grow(self->heap, &self->cap, self->n, sizeof *self->heap);
    for (; i > 0 && is_before(&timer, &self->heap[(i - 1) / 2]);
         i = (i - 1) / 2)
        self->heap[i] = self->heap[(i - 1) / 2];
    self->heap[i] = timer;
}

int64_t
timers_due(const struct timers *self)
{
    return self->n > 0 ? self->heap[0].until : SPAN_NEVER;
}

struct plan_id
timers_take(struct timers *self)
{
    struct plan_id id;
    struct timer last;
    size_t i = 0;

    assert(self->n > 0);
    id = self->heap[0].id;
    last = self->heap[--self->n];
    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= self->n)
            break;
        if (child + 1 < self->n &&
            is_before(&self->heap[child + 1], &self->heap[child]))
            child++;
        if (!is_before(&self->heap[child], &last))
            break;
        self->heap[i] = self->heap[child];
        i = child;
    }
    self->heap[i] = last;
    return id;
}

bool
timers_remove(struct timers *self, struct plan_id id)
{
    size_t i = 0;
    struct timer it;

    while (i < self->n && (self->heap[i].id.task != id.task ||
                           self->heap[i].id.child != id.child))
        i++;
    if (i == self->n)
        return false;
    it = self->heap[i];
    for (; i > 0; i = (i - 1) / 2)
        self->heap[i] = self->heap[(i - 1) / 2];
    self->heap[0] = it;
    (void)timers_take(self);
    return true;
}
