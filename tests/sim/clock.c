/* SPDX-License-Identifier: MPL-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tests/sim/sim.h"

static bool
is_before(const struct event *a, const struct event *b)
{
    return a->when != b->when ? a->when < b->when : a->order < b->order;
}

static void
push(struct clock *self, struct event event)
{
    size_t i = self->n++;

    self->heap = mem_grow(self->heap, &self->cap, self->n, sizeof event);
    for (; i > 0 && is_before(&event, &self->heap[(i - 1) / 2]);
         i = (i - 1) / 2)
        self->heap[i] = self->heap[(i - 1) / 2];
    self->heap[i] = event;
}

static struct event
pop(struct clock *self)
{
    struct event first = self->heap[0];
    struct event last = self->heap[--self->n];
    size_t i = 0;

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
    return first;
}

void
sim_at(struct sim *s, int64_t when, event_fn *fn, void *what, uint64_t a,
       uint64_t b)
{
    push(&s->clock, (struct event){.when = when > s->now ? when : s->now,
                                   .order = ++s->clock.norder,
                                   .fn = fn,
                                   .what = what,
                                   .a = a,
                                   .b = b});
}

void
sim_at_owned(struct sim *s, int64_t when, event_fn *fn, void *what,
             void (*drop)(void *), uint64_t a)
{
    push(&s->clock, (struct event){.when = when > s->now ? when : s->now,
                                   .order = ++s->clock.norder,
                                   .fn = fn,
                                   .what = what,
                                   .drop = drop,
                                   .a = a});
}

bool
sim_step(struct sim *s)
{
    struct event event;

    if (s->clock.n == 0)
        return false;
    event = pop(&s->clock);
    s->now = event.when;
    s->nevent++;
    event.fn(s, event.what, event.a, event.b);
    return true;
}

void
sim_clear(struct sim *s)
{
    for (size_t i = 0; i < s->clock.n; i++) {
        if (s->clock.heap[i].drop)
            s->clock.heap[i].drop(s->clock.heap[i].what);
    }
    free(s->clock.heap);
    s->clock = (struct clock){0};
}

bool
sim_chance(struct sim *s, uint32_t percent)
{
    return dice_roll(&s->dice, 100) < percent;
}

int64_t
sim_span(struct sim *s, int64_t lo, int64_t hi)
{
    int64_t most = hi - lo;

    for (uint32_t n = dice_roll(&s->dice, 4); n > 1; n--)
        most /= 8;
    return lo + (int64_t)(dice_mix(s->dice = dice_mix(s->dice)) %
                          (uint64_t)(most + 1));
}

static void print(const struct sim *s, const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));

static void
print(const struct sim *s, const char *fmt, va_list args)
{
    (void)fprintf(stderr, "%10.6f ", (double)s->now / SPAN_SECOND);
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
}

void
sim_say(const struct sim *s, const char *fmt, ...)
{
    va_list args;

    if (!s->loud)
        return;
    va_start(args, fmt);
    print(s, fmt, args);
    va_end(args);
}

void
sim_fail(const struct sim *s, const char *fmt, ...)
{
    va_list args;

    (void)fprintf(stderr,
                  "sim: seed %llu fails; to repeat: make sim "
                  "SEED=%llu V=1\n",
                  (unsigned long long)s->seed, (unsigned long long)s->seed);
    va_start(args, fmt);
    print(s, fmt, args);
    va_end(args);
    /* Nothing is in order any more: no destructors. */
    (void)fflush(NULL);
    _Exit(1);
}
