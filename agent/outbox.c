/* SPDX-License-Identifier: MPL-2.0 */
#include "agent/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
outbox_release(struct outbox *self)
{
    for (size_t i = 0; i < self->n; i++)
        free((char *)(uintptr_t)self->list[self->first + i].data);
    free(self->list);
    *self = (struct outbox){0};
}

static size_t
weight(const struct output *piece)
{
    return sizeof *piece + piece->n;
}

static void
drop(struct outbox *self, struct output *piece)
{
    self->bytes -= weight(piece);
    free((char *)(uintptr_t)piece->data);
}

/* To the front, when that is worth it. */
static void
move_up(struct outbox *self)
{
    if (self->first == 0 || self->first < self->n)
        return;
    memcpy(self->list, self->list + self->first, self->n * sizeof *self->list);
    self->first = 0;
}

void
outbox_add(struct outbox *self, const struct output *output)
{
    struct output *piece;

    move_up(self);
    self->list = mem_grow(self->list, &self->cap, self->first + self->n + 1,
                          sizeof *self->list);
    piece = &self->list[self->first + self->n++];
    *piece = *output;
    piece->data = mem_text(output->data, output->n);
    self->bytes += weight(piece);
}

void
outbox_saved(struct outbox *self, uint64_t bytes)
{
    while (self->n > 0) {
        struct output *piece = &self->list[self->first];

        if (bytes < self->saved + piece->n)
            break;
        self->saved += piece->n;
        drop(self, piece);
        self->first++;
        self->n--;
    }
}

void
outbox_again(struct outbox *self, outbox_fn *fn, void *ctx)
{
    struct output *list = self->n > 0 ? self->list + self->first : NULL;
    size_t n = 0;

    self->saved = 0;
    for (size_t i = 0; i < self->n; i++) {
        if (fn(ctx, &list[i]))
            list[n++] = list[i];
        else
            drop(self, &list[i]);
    }
    self->n = n;
}
