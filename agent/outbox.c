/* SPDX-License-Identifier: MPL-2.0 */
#include "agent/outbox.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/span.h"

struct outbox_piece {
    uint64_t run;
    struct plan_id id;
    uint32_t attempt;
    int stream;
    int64_t when;
    char *data;
    size_t n;
};

static void
clear(struct outbox *self)
{
    for (size_t i = 0; i < self->n; i++)
        free(self->list[i].data);
    self->n = self->bytes = 0;
}

void
outbox_release(struct outbox *self)
{
    clear(self);
    free(self->list);
    *self = (struct outbox){0};
}

void
outbox_add(struct outbox *self, const struct work *work, int stream,
           const char *data, size_t n)
{
    self->list =
        mem_grow(self->list, &self->cap, self->n + 1, sizeof *self->list);
    self->list[self->n++] = (struct outbox_piece){
        .run = work->spec->run,
        .id = work->id,
        .attempt = work->attempt,
        .stream = stream,
        .when = span_wall(),
        .data = mem_text(data, n),
        .n = n,
    };
    self->bytes += n + sizeof *self->list;
}

static uint32_t
find(const struct outbox_piece *piece, const struct held *held,
     const uint32_t *tickets, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (held[i].run == piece->run && held[i].id.task == piece->id.task &&
            held[i].id.child == piece->id.child &&
            held[i].attempt == piece->attempt)
            return tickets[i];
    }
    return 0;
}

static int
is_like(const struct outbox_piece *a, const struct outbox_piece *b)
{
    return a->run == b->run && a->id.task == b->id.task &&
           a->id.child == b->id.child && a->attempt == b->attempt;
}

void
outbox_send(struct outbox *self, const struct held *held,
            const uint32_t *tickets, size_t n, struct return_out *out)
{
    uint32_t ticket = 0;

    for (size_t i = 0; i < self->n; i++) {
        const struct outbox_piece *piece = &self->list[i];

        if (i == 0 || !is_like(piece, piece - 1))
            ticket = find(piece, held, tickets, n);
        if (ticket != 0)
            return_out_output(out, ticket, piece->stream, piece->when,
                              piece->data, piece->n);
    }
    clear(self);
}
