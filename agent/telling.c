/* SPDX-License-Identifier: MPL-2.0 */
#include "agent/telling.h"

#include <stdlib.h>
#include <sys/sysinfo.h>

#include "base/mem.h"
#include "base/span.h"
#include "proto/limits.h"

#define BEAT       (LIMIT_BEAT_MS * SPAN_MS)
#define PACE       (8 * SPAN_MS) /* nothing waits for longer */
#define MOST_BYTES (64u << 10)   /* ... nor more than this */
/* Results before anything waits: an agent that was lost under one of its first
 * tasks has told that it began. */
#define WARM 16

struct telling {
    struct session *session; /* borrowed from whoever made this */
    uint32_t *begun;         /* tickets, not told yet */
    size_t nbegun, cap_begun;
    uint64_t beat;
    int64_t beat_at;
    int64_t told;  /* when all that there was to tell was last sent */
    uint32_t warm; /* results in this session, WARM at most */
};

struct telling *
telling_new(struct session *session)
{
    struct telling *self = mem_alloc(1, sizeof *self);

    self->session = session;
    return self;
}

void
telling_destroy(struct telling **self_p)
{
    struct telling *self = *self_p;

    if (!self)
        return;
    free(self->begun);
    free(self);
    *self_p = NULL;
}

void
telling_begin(struct telling *self)
{
    self->warm = 0;
    self->nbegun = 0;
    self->beat_at = 0;
}

static bool
may_wait(const struct telling *self, bool enough, int64_t now)
{
    return enough && self->warm == WARM &&
           return_out_bytes(session_out(self->session)) < MOST_BYTES &&
           now < self->told + PACE;
}

void
telling_started(struct telling *self, uint32_t ticket)
{
    self->begun = mem_grow(self->begun, &self->cap_begun, self->nbegun + 1,
                           sizeof *self->begun);
    self->begun[self->nbegun++] = ticket;
}

/* There are no more of these than slots. True: it was not told. */
static bool
forget_begun(struct telling *self, uint32_t ticket)
{
    for (size_t i = 0; i < self->nbegun; i++) {
        if (self->begun[i] != ticket)
            continue;
        self->begun[i] = self->begun[--self->nbegun];
        return true;
    }
    return false;
}

void
telling_result(struct telling *self, uint64_t number,
               const struct result *result, bool enough, int64_t now)
{
    struct return_out *out = session_out(self->session);

    /* One that ends in the turn that starts it is seen to run all the same. */
    if (forget_begun(self, result->ticket) && !may_wait(self, enough, now))
        return_out_started(out, result->ticket);
    self->warm += self->warm < WARM;
    return_out_result(out, number, result);
}

void
telling_given_back(struct telling *self, uint32_t ticket)
{
    (void)forget_begun(self, ticket);
    return_out_given_back(session_out(self->session), ticket);
}

int64_t
telling_beat(struct telling *self, const struct agent_state *state, int64_t now)
{
    struct beat beat = {.queued = state->queued, .running = state->running};
    struct sysinfo info;

    if (now < self->beat_at)
        return self->beat_at;
    beat.number = ++self->beat;
    if (sysinfo(&info) == 0) {
        beat.load = (double)info.loads[0] / (1 << SI_LOAD_SHIFT);
        beat.memory = (info.freeram + info.bufferram) * info.mem_unit;
    }
    return_out_beat(session_out(self->session), &beat);
    self->beat_at = now + BEAT;
    return self->beat_at;
}

int64_t
telling_send(struct telling *self, bool enough, int64_t now)
{
    struct return_out *out = session_out(self->session);
    bool is_news = self->nbegun > 0 || return_out_bytes(out) > 0;

    if (is_news && may_wait(self, enough, now))
        return self->told + PACE;
    for (size_t i = 0; i < self->nbegun; i++)
        return_out_started(out, self->begun[i]);
    self->nbegun = 0;
    if (!session_flush(self->session))
        return now + SPAN_SECOND;
    if (is_news)
        self->told = now;
    return SPAN_NEVER;
}
