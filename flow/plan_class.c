/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>

#include "base/mem.h"
#include "flow/plan_inner.h"

/* Slots by class, each in the order of starting: a counting sort. */
static void
sort_by_class(struct plan *self, const uint32_t *class_of)
{
    uint32_t *order = mem_alloc(self->ntask, sizeof *order);
    uint32_t *at = mem_alloc(self->nclass, sizeof *at);

    self->begin = mem_alloc((size_t)self->nclass + 1, sizeof *self->begin);
    self->places = mem_alloc(self->ntask, sizeof *self->places);
    for (uint32_t t = 0; t < self->ntask; t++) {
        assert(class_of[t] < self->nclass);
        self->begin[class_of[t] + 1]++;
    }
    for (uint32_t c = 0; c < self->nclass; c++) {
        self->begin[c + 1] += self->begin[c];
        at[c] = self->begin[c];
    }
    for (uint32_t place = 0; place < self->ntask; place++) {
        uint32_t task = self->order[place];
        uint32_t slot = at[class_of[task]]++;

        order[slot] = task;
        self->places[slot] = place;
        self->tasks[task].slot = slot;
    }
    free(at);
    self->order = order;
}

void
plan_set_classes(struct plan *self, const uint32_t *class_of, uint32_t nclass)
{
    struct bits before = self->ready;
    uint32_t *old = self->order;

    assert(self->nclass == 1 && nclass > 0);
    if (nclass == 1)
        return;
    self->nclass = nclass;
    sort_by_class(self, class_of);
    bits_init(&self->ready, self->ntask, false);
    for (uint32_t i = bits_least(&before); i != BITS_NONE;
         i = bits_next(&before, i + 1))
        bits_add(&self->ready, self->tasks[old[i]].slot);
    bits_release(&before);
    free(old);
}

uint32_t
plan_first_slot(const struct plan *self, uint32_t class)
{
    uint32_t slot;

    assert(class < self->nclass);
    if (!self->begin)
        return bits_least(&self->ready);
    slot = bits_next(&self->ready, self->begin[class]);
    return slot < self->begin[class + 1] ? slot : BITS_NONE;
}

uint32_t
plan_first_of(const struct plan *self, uint32_t class)
{
    uint32_t slot = plan_first_slot(self, class);

    if (slot == BITS_NONE)
        return PLAN_NONE;
    return self->places ? self->places[slot] : slot;
}

/* The class that a slot is of. */
static uint32_t
class_of_slot(const struct plan *self, uint32_t slot)
{
    uint32_t low = 0, high = self->nclass - 1;

    while (low < high) {
        uint32_t middle = (low + high + 1) / 2;

        if (self->begin[middle] <= slot)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

uint32_t
plan_next_class(const struct plan *self, uint32_t class)
{
    uint32_t slot;

    if (class >= self->nclass)
        return PLAN_NONE;
    if (!self->begin)
        return bits_least(&self->ready) == BITS_NONE ? PLAN_NONE : 0;
    slot = bits_next(&self->ready, self->begin[class]);
    return slot == BITS_NONE ? PLAN_NONE : class_of_slot(self, slot);
}
