/* SPDX-License-Identifier: MPL-2.0 */
#include "store/extents.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>

#include "base/mem.h"

#define STREAMS 3

struct extent {
    struct plan_id id;
    uint32_t attempt;
    uint32_t origin;
    uint64_t end[STREAMS];
};

static int
by_attempt(const void *left, const void *right)
{
    const struct extent *a = left, *b = right;

    if (a->id.task != b->id.task)
        return a->id.task < b->id.task ? -1 : 1;
    if (a->id.child != b->id.child)
        return a->id.child < b->id.child ? -1 : 1;
    return a->attempt < b->attempt ? -1 : a->attempt > b->attempt;
}

void
extents_release(struct extents *self)
{
    tdestroy(self->tree, free);
    *self = (struct extents){0};
}

static struct extent *
find(const struct extents *self, struct plan_id id, uint32_t attempt)
{
    struct extent key = {.id = id, .attempt = attempt};
    struct extent *const *place = tfind(&key, &self->tree, by_attempt);

    return place ? *place : NULL;
}

static struct extent *
add(struct extents *self, struct plan_id id, uint32_t attempt)
{
    struct extent *extent = mem_alloc(1, sizeof *extent);

    extent->id = id;
    extent->attempt = attempt;
    if (!tsearch(extent, &self->tree, by_attempt))
        abort(); /* there is no memory, see base/mem.h */
    self->n++;
    return extent;
}

uint64_t *
extents_end(struct extents *self, const struct store_piece *piece)
{
    struct extent *extent = find(self, piece->id, piece->attempt);

    assert(piece->origin != 0 && piece->stream >= 0 && piece->stream < STREAMS);
    if (!extent)
        extent = add(self, piece->id, piece->attempt);
    if (extent->origin != piece->origin)
        *extent = (struct extent){.id = piece->id,
                                  .attempt = piece->attempt,
                                  .origin = piece->origin};
    return &extent->end[piece->stream];
}

void
extents_leave_out(struct extents *self, struct store_piece *piece,
                  uint64_t offset)
{
    uint64_t end = *extents_end(self, piece);
    size_t n = 0;

    if (end > offset)
        n = end - offset < piece->n ? (size_t)(end - offset) : piece->n;
    piece->data += n;
    piece->n -= n;
}

void
extents_forget(struct extents *self, struct plan_id id, uint32_t attempt)
{
    struct extent *extent = find(self, id, attempt);

    if (!extent)
        return;
    (void)tdelete(extent, &self->tree, by_attempt);
    free(extent);
    self->n--;
}
