/* SPDX-License-Identifier: MPL-2.0 */
#include "proto/frames.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

void
frames_release(struct frames *self)
{
    for (size_t i = 0; i < self->cap; i++)
        buf_release(&self->list[i]);
    free(self->list);
    *self = (struct frames){0};
}

/* The memory of the first one is kept: there is seldom another. */
void
frames_clear(struct frames *self)
{
    for (size_t i = 1; i < self->n; i++)
        buf_release(&self->list[i]);
    self->first = self->n = self->bytes = 0;
}

struct buf *
frames_add(struct frames *self)
{
    size_t cap = self->cap;

    self->list =
        mem_grow(self->list, &self->cap, self->n + 1, sizeof *self->list);
    for (; cap < self->cap; cap++)
        self->list[cap] = (struct buf){0};
    buf_clear(&self->list[self->n]);
    return &self->list[self->n++];
}

void
frames_filled(struct frames *self)
{
    self->bytes += self->list[self->n - 1].len;
}

const struct buf *
frames_next(const struct frames *self)
{
    return self->first < self->n ? &self->list[self->first] : NULL;
}

void
frames_sent(struct frames *self)
{
    assert(self->first < self->n);
    self->bytes -= self->list[self->first].len;
    if (self->first > 0)
        buf_release(&self->list[self->first]);
    if (++self->first == self->n)
        self->first = self->n = 0;
}
