/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "proto/limits.h"

#define PATIENCE (5 * SPAN_SECOND) /* of a look; then it is answered */
#define STRANGE  (200 * SPAN_MS)   /* of one at a run that is not ours */
#define PACE     (25 * SPAN_MS) /* from look to look while news keep coming */
#define ALL      SIZE_MAX

struct parked {
    struct broker_question *question;
    int64_t until;
};

struct watched {
    uint64_t run;
    uint64_t touched; /* the last group with something of it */
    bool ended;       /* in that group */
};

struct broker_watch {
    struct watched *runs; /* in the order of their numbers */
    size_t nrun, cap_run, recent;
    struct parked *parked;
    size_t nparked, cap_parked;
    size_t left; /* of them to be gone through: the first; ALL: begin anew */
    uint64_t committed;
    bool look;     /* something may be due */
    int64_t again; /* when something will be that came too soon */
};

struct broker_watch *
broker_watch_new(void)
{
    struct broker_watch *self = mem_alloc(1, sizeof *self);

    self->again = SPAN_NEVER;
    self->left = ALL;
    return self;
}

void
broker_watch_destroy(struct broker_watch **self_p)
{
    struct broker_watch *self = *self_p;

    if (!self)
        return;
    *self_p = NULL;
    for (size_t i = 0; i < self->nparked; i++)
        broker_question_destroy(&self->parked[i].question);
    free(self->parked);
    free(self->runs);
    free(self);
}

/* Where the run is, or would be. */
static size_t
place_of(const struct broker_watch *self, uint64_t run)
{
    size_t low = 0, high = self->nrun;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (self->runs[middle].run < run)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct watched *
find(struct broker_watch *self, uint64_t run)
{
    if (self->recent >= self->nrun || self->runs[self->recent].run != run)
        self->recent = place_of(self, run);
    if (self->recent >= self->nrun || self->runs[self->recent].run != run)
        return NULL;
    return &self->runs[self->recent];
}

static struct watched *
add(struct broker_watch *self, uint64_t run)
{
    size_t place = place_of(self, run);
    struct watched *watched;

    self->runs = mem_grow(self->runs, &self->cap_run, self->nrun + 1,
                          sizeof *self->runs);
    watched = &self->runs[place];
    memmove(watched + 1, watched, (self->nrun - place) * sizeof *watched);
    self->nrun++;
    *watched = (struct watched){.run = run};
    return watched;
}

void
broker_watch_begin(struct broker_watch *self, uint64_t run)
{
    struct watched *watched = find(self, run);

    if (!watched)
        watched = add(self, run);
    watched->ended = false;
}

void
broker_watch_touch(struct broker_watch *self, uint64_t run, uint64_t group)
{
    struct watched *watched = find(self, run);

    if (watched)
        watched->touched = group;
}

void
broker_watch_end(struct broker_watch *self, uint64_t run, uint64_t group)
{
    struct watched *watched = find(self, run);

    if (!watched)
        return;
    watched->touched = group;
    watched->ended = true;
}

int
broker_watch_park(struct broker_watch *self,
                  struct broker_question **question_p, int64_t now,
                  struct err *err)
{
    struct broker_question *question = *question_p;
    const struct watched *watched = find(self, question->look.run);
    struct parked *parked;

    if (self->nparked >= LIMIT_CLIENTS)
        return err_set(err, ERR_LIMIT,
                       "the broker has %u questions that wait already",
                       LIMIT_CLIENTS);
    self->parked = mem_grow(self->parked, &self->cap_parked, self->nparked + 1,
                            sizeof *self->parked);
    parked = &self->parked[self->nparked++];
    parked->question = question;
    parked->until = now + (watched ? PATIENCE : STRANGE);
    *question_p = NULL;
    self->left = ALL;
    /* Its run may have come to something while it was asked. */
    self->look = self->look || (watched && watched->touched > question->news &&
                                self->committed > question->news);
    return 0;
}

void
broker_watch_committed(struct broker_watch *self, uint64_t group)
{
    self->committed = group;
    self->look = true;
    self->left = ALL;
}

/* Ended runs that nobody needs to be told of any more. */
static void
forget_ended(struct broker_watch *self)
{
    size_t n = 0;

    for (size_t i = 0; i < self->nrun; i++) {
        const struct watched *watched = &self->runs[i];

        if (!watched->ended || watched->touched > self->committed)
            self->runs[n++] = *watched;
    }
    self->nrun = n;
}

/* Else it asks for the row alone, of which nothing is told before the end. */
static bool
wants_news(const struct broker_look *look)
{
    return look->records || look->output || look->source;
}

/* When its run's news are to be told: at once, if they are its last or nothing
 * was told for a while. */
static int64_t
news_due(struct broker_watch *self, const struct broker_question *question)
{
    const struct watched *watched = find(self, question->look.run);

    if (!watched || watched->touched <= question->news ||
        self->committed <= question->news)
        return SPAN_NEVER;
    if (watched->ended)
        return 0;
    return wants_news(&question->look) ? question->asked + PACE : SPAN_NEVER;
}

static bool
is_due(struct broker_watch *self, const struct parked *parked, int64_t now)
{
    int64_t due;

    if (now >= parked->until)
        return true;
    due = self->look ? news_due(self, parked->question) : SPAN_NEVER;
    if (due > now && due < self->again)
        self->again = due;
    return due <= now;
}

struct broker_question *
broker_watch_due(struct broker_watch *self, int64_t now)
{
    if (now >= self->again) {
        self->again = SPAN_NEVER;
        self->look = true;
    }
    if (self->left == ALL)
        self->left = self->nparked;
    for (size_t i = self->left; i > 0; i--) {
        struct parked *parked = &self->parked[i - 1];
        struct broker_question *question = parked->question;

        if (!is_due(self, parked, now))
            continue;
        if (now >= parked->until)
            question->look.wait = false;
        /* What takes its place has been gone through. */
        *parked = self->parked[--self->nparked];
        self->left = i - 1;
        return question;
    }
    self->left = ALL;
    if (self->look)
        forget_ended(self);
    self->look = false;
    return NULL;
}

int64_t
broker_watch_next(const struct broker_watch *self)
{
    int64_t next = self->look ? 0 : self->again;

    for (size_t i = 0; i < self->nparked; i++) {
        if (self->parked[i].until < next)
            next = self->parked[i].until;
    }
    return next;
}
