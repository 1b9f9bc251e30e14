/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/lines.h"

#include <stdbool.h>
#include <string.h>

static bool
is_same(const struct lines_source *a, const struct lines_source *b)
{
    return plan_id_is(a->id, b->id) && a->attempt == b->attempt &&
           a->stream == b->stream;
}

static struct lines_partial *
find_open(struct lines *self, const struct lines_source *source)
{
    for (size_t i = 0; i < self->nopen; i++) {
        if (is_same(&self->open[i].source, source))
            return &self->open[i];
    }
    return NULL;
}

static void
emit(struct lines *self, const struct lines_source *source, int64_t when,
     const char *text, size_t n)
{
    if (n > 0 && text[n - 1] == '\r')
        n--;
    self->fn(self->ctx, source, when, text, n);
}

/* Hand out an unfinished line as if it were whole, and forget it. */
static void
complete(struct lines *self, struct lines_partial *partial)
{
    size_t i = (size_t)(partial - self->open);

    emit(self, &partial->source, partial->when, buf_str(&partial->text),
         partial->text.len);
    buf_release(&partial->text);
    self->nopen--;
    memmove(partial, partial + 1, (self->nopen - i) * sizeof *partial);
}

static void
hold(struct lines *self, const struct lines_source *source, int64_t when,
     const char *data, size_t n)
{
    struct lines_partial *partial = find_open(self, source);

    if (!partial) {
        if (self->nopen == LINES_OPEN)
            complete(self, &self->open[0]);
        partial = &self->open[self->nopen++];
        *partial = (struct lines_partial){.source = *source, .when = when};
    }
    buf_add(&partial->text, data, n);
    if (partial->text.len >= LINES_BYTES)
        complete(self, partial);
}

void
lines_add(struct lines *self, const struct lines_source *source, int64_t when,
          const char *data, size_t n)
{
    struct lines_partial *partial = find_open(self, source);
    const char *end = n > 0 ? memchr(data, '\n', n) : NULL;

    if (partial && end) {
        buf_add(&partial->text, data, (size_t)(end - data));
        complete(self, partial);
        n -= (size_t)(end + 1 - data);
        data = end + 1;
    }
    while (n > 0 && (end = memchr(data, '\n', n)) != NULL) {
        emit(self, source, when, data, (size_t)(end - data));
        n -= (size_t)(end + 1 - data);
        data = end + 1;
    }
    if (n > 0)
        hold(self, source, when, data, n);
}

void
lines_end(struct lines *self, const struct plan_id *id)
{
    size_t i = 0;

    while (i < self->nopen) {
        const struct plan_id *of = &self->open[i].source.id;

        if (!id || (of->task == id->task && of->child == id->child))
            complete(self, &self->open[i]);
        else
            i++;
    }
}

void
lines_release(struct lines *self)
{
    while (self->nopen > 0)
        buf_release(&self->open[--self->nopen].text);
}
