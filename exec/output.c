/* SPDX-License-Identifier: MPL-2.0 */
#include "exec/output.h"

#include <string.h>

#include "proto/limits.h"

/* Forget all that is held but the last n bytes. */
static void
cut_to_last(struct buf *held, size_t n)
{
    if (held->len <= n)
        return;
    memmove(held->data, held->data + held->len - n, n);
    held->len = n;
    held->data[n] = '\0';
}

static void
pass(const struct output *self, const char *data, size_t n)
{
    if (self->fn && n > 0)
        self->fn(self->ctx, data, n);
}

bool
output_add(struct output *self, const char *data, size_t n)
{
    uint64_t left = LIMIT_OUTPUT_BYTES - self->passed;
    size_t now = n < left ? n : (size_t)left;

    pass(self, data, now);
    if (now > 0)
        self->last = data[now - 1];
    self->passed += now;
    self->total += n;
    buf_add(&self->held, data, n);
    if (self->keep > 0 && self->held.len <= self->keep)
        return true;
    /* Cutting at twice the size moves each byte once at most. */
    if (self->keep > 0 || self->held.len > (size_t)2 * LIMIT_OUTPUT_TAIL)
        cut_to_last(&self->held, LIMIT_OUTPUT_TAIL);
    if (self->keep == 0)
        return true;
    self->keep = 0;
    return false;
}

uint64_t
output_end(struct output *self)
{
    uint64_t rest = self->total - self->passed;
    uint64_t dropped = 0;
    size_t tail;

    if (self->keep == 0)
        cut_to_last(&self->held, LIMIT_OUTPUT_TAIL);
    tail = rest < LIMIT_OUTPUT_TAIL ? (size_t)rest : LIMIT_OUTPUT_TAIL;
    if (rest > tail) {
        struct buf line = {0};

        dropped = rest - tail;
        buf_printf(&line, "%s[leat: %llu bytes left out]\n",
                   self->last == '\n' ? "" : "\n", (unsigned long long)dropped);
        pass(self, line.data, line.len);
        buf_release(&line);
    }
    if (tail > 0)
        pass(self, self->held.data + self->held.len - tail, tail);
    self->passed = self->total;
    return dropped;
}

void
output_release(struct output *self)
{
    buf_release(&self->held);
}
