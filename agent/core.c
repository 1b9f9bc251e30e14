/* SPDX-License-Identifier: MPL-2.0 */
#include "agent/core.h"

#include <stdlib.h>

#include "agent/core_impl.h"
#include "base/mem.h"
#include "base/span.h"

static void
refuse(struct agent *self, uint32_t i, const char *why)
{
    struct result result = {.state = PLAN_CRASHED,
                            .cause = why,
                            .code = -1,
                            .refused = REFUSED_SHORT};

    agent_spool_add(self, i, &result);
}

static void
enqueue(struct agent *self, uint32_t i)
{
    struct buf why = {0};

    if (!agent_queue_add(self, i, &why))
        refuse(self, i, buf_str(&why));
    else if (self->draining && !self->entries[i].handlers)
        agent_entry_give_back(self, i);
    buf_release(&why);
}

/* Children of a task follow each other. */
static uint64_t
attempt_key(const struct held *held)
{
    uint64_t x = held->run * UINT64_C(0xbf58476d1ce4e5b9);

    x ^= (uint64_t)held->id.task << 32 | held->attempt;
    x *= UINT64_C(0x9e3779b97f4a7c15);
    return (x ^ x >> 32) + held->id.child;
}

static bool
is_same_attempt(const struct held *a, const struct held *b)
{
    return a->run == b->run && plan_id_is(a->id, b->id) &&
           a->attempt == b->attempt;
}

static bool
is_held(const struct agent *self, uint64_t key, const struct held *held)
{
    uint32_t i = agent_name_find(self, BY_ATTEMPT, key);

    while (i != NONE && !is_same_attempt(&self->entries[i].held, held))
        i = agent_name_next(self, BY_ATTEMPT, i);
    return i != NONE;
}

static int
check_task(const struct agent *self, const struct lane_task *task,
           const struct held *held, uint64_t key, struct err *err)
{
    if (!self->in_session)
        return err_set(err, ERR_INVALID, "a task came outside a session");
    if (task->ticket == 0)
        return err_set(err, ERR_INVALID, "a task has no ticket");
    if (agent_entry_by_ticket(self, task->ticket) != NONE)
        return err_set(err, ERR_INVALID, "ticket %u was given out twice",
                       task->ticket);
    if (!task->work->spec->handlers && is_held(self, key, held))
        return err_set(err, ERR_INVALID,
                       "an attempt was given out twice: run %llu task %u "
                       "child %d attempt %u",
                       (unsigned long long)held->run, held->id.task,
                       (int)held->id.child, held->attempt);
    if (self->nentry >= PLACES - 1 && self->empty.n == 0)
        return err_set(err, ERR_LIMIT, "%u attempts are held here",
                       self->nentry);
    return 0;
}

int
agent_task(struct agent *self, const struct lane_task *task, int64_t now,
           struct err *err)
{
    const struct work *work = task->work;
    struct held held = {.run = work->spec->run,
                        .id = work->id,
                        .attempt = work->attempt,
                        .epoch = self->epoch};
    uint64_t key = attempt_key(&held);
    struct entry *entry;
    uint32_t i;

    (void)now;
    if (check_task(self, task, &held, key, err) < 0)
        return -1;
    i = agent_entry_new(self);
    entry = &self->entries[i];
    entry->ticket = task->ticket;
    entry->exclusive = work->spec->exclusive;
    entry->handlers = work->spec->handlers;
    entry->work = work;
    entry->held = held;
    agent_name_add(self, BY_TICKET, i, task->ticket);
    if (!entry->handlers)
        agent_name_add(self, BY_ATTEMPT, i, key);
    self->idle_since = SPAN_NEVER;
    self->idle_over = false;
    enqueue(self, i);
    return 0;
}

/* ---- from the lane ---- */

static void
cancel_queued(struct agent *self, uint32_t i)
{
    struct result result = {
        .state = PLAN_CANCELLED, .cause = "it was cancelled", .code = -1};

    agent_spool_add(self, i, &result);
}

void
agent_cancel(struct agent *self, uint32_t ticket, bool at_once)
{
    uint32_t i = agent_entry_by_ticket(self, ticket);

    if (i == NONE)
        return;
    if (self->entries[i].phase == QUEUED) {
        cancel_queued(self, i);
    } else if (self->entries[i].phase == STARTED) {
        self->entries[i].cancelled = true;
        self->effects.stop(self->effects.ctx, agent_entry_own(self, i),
                           at_once);
    }
}

void
agent_recall(struct agent *self, uint32_t ticket)
{
    uint32_t i = agent_entry_by_ticket(self, ticket);

    if (i != NONE && self->in_session && self->entries[i].phase == QUEUED)
        agent_entry_give_back(self, i);
}

void
agent_drain(struct agent *self, int64_t now)
{
    (void)now;
    self->draining = true;
    if (self->in_session)
        agent_entry_give_back_all(self);
}

/* ---- from what runs ---- */

void
agent_began(struct agent *self, uint32_t own)
{
    uint32_t i = agent_entry_by_own(self, own);
    struct entry *entry = i == NONE ? NULL : &self->entries[i];

    if (!entry || entry->phase != STARTED || entry->began)
        return;
    entry->began = true;
    if (!self->in_session || entry->ticket == 0)
        return;
    self->effects.started(self->effects.ctx, entry->ticket);
}

void
agent_ended(struct agent *self, const struct result *result, int64_t now)
{
    uint32_t i = agent_entry_by_own(self, result->ticket);
    struct entry *entry = i == NONE ? NULL : &self->entries[i];
    struct result changed = *result;

    (void)now;
    if (!entry || entry->phase != STARTED)
        return;
    agent_queue_measure(self, i, result);
    if (entry->ticket == 0) {
        agent_entry_free(self, i);
        return;
    }
    if (entry->fenced && !plan_state_is_success(result->state)) {
        changed.state = PLAN_CRASHED;
        changed.cause = "the broker was away for too long for a task that must "
                        "not run twice at once";
    }
    agent_spool_add(self, i, &changed);
}

void
agent_not_begun(struct agent *self, uint32_t own)
{
    uint32_t i = agent_entry_by_own(self, own);
    struct entry *entry = i == NONE ? NULL : &self->entries[i];

    if (!entry || entry->phase != STARTED)
        return;
    if (entry->ticket == 0) {
        agent_entry_free(self, i);
        return;
    }
    if (entry->cancelled) {
        cancel_queued(self, i);
        return;
    }
    agent_queue_again(self, i);
    if (self->draining && self->in_session && !entry->handlers)
        agent_entry_give_back(self, i);
}

/* ---- output ---- */

void
agent_output(struct agent *self, const struct output *output)
{
    uint32_t i = agent_entry_by_own(self, output->ticket);
    struct output sent = *output;

    /* Nobody wants it any more. */
    if (i == NONE || self->entries[i].ticket == 0)
        return;
    outbox_add(&self->outbox, output);
    sent.ticket = self->entries[i].ticket;
    if (self->in_session)
        self->effects.output(self->effects.ctx, &sent);
}

void
agent_saved(struct agent *self, uint64_t bytes)
{
    if (self->in_session)
        outbox_saved(&self->outbox, bytes);
}

uint32_t
agent_ticket(const struct agent *self, uint32_t own)
{
    uint32_t i = agent_entry_by_own(self, own);

    return i == NONE || !self->in_session ? 0 : self->entries[i].ticket;
}

/* ---- time ---- */

struct agent_state
agent_state(const struct agent *self)
{
    bool is_empty = self->count[FREE] == self->nentry;

    return (struct agent_state){
        .queued = self->count[QUEUED],
        .running = self->count[STARTED],
        .spooled = self->count[SPOOLED],
        .kept = self->outbox.bytes,
        .draining = self->draining,
        .may_leave = is_empty && (self->draining || self->idle_over),
    };
}

/* Alone for too long: the broker will give them to others. */
static int64_t
fence(struct agent *self, int64_t now)
{
    int64_t due;

    if (self->in_session || self->is_fenced || self->config.fence <= 0)
        return SPAN_NEVER;
    if (self->alone_since == SPAN_NEVER)
        self->alone_since = now;
    due = self->alone_since + self->config.fence;
    if (now < due)
        return due;
    self->is_fenced = true;
    for (uint32_t i = 0; i < self->nentry; i++) {
        struct entry *entry = &self->entries[i];

        if (entry->phase != STARTED || !entry->exclusive)
            continue;
        entry->fenced = true;
        self->effects.stop(self->effects.ctx, agent_entry_own(self, i), true);
    }
    return SPAN_NEVER;
}

static int64_t
look_at_lifetime(struct agent *self, int64_t now)
{
    int64_t due = self->born + self->config.lifetime;

    if (self->config.lifetime <= 0 || self->draining)
        return SPAN_NEVER;
    if (now < due)
        return due;
    agent_drain(self, now);
    return SPAN_NEVER;
}

static int64_t
look_at_idle(struct agent *self, int64_t now)
{
    if (self->config.idle <= 0 || self->idle_over ||
        self->count[FREE] != self->nentry)
        return SPAN_NEVER;
    if (self->idle_since == SPAN_NEVER)
        self->idle_since = now;
    if (now < self->idle_since + self->config.idle)
        return self->idle_since + self->config.idle;
    self->idle_over = true;
    return SPAN_NEVER;
}

static int64_t
sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t
agent_tick(struct agent *self, int64_t now)
{
    int64_t due = sooner(fence(self, now), look_at_lifetime(self, now));

    /* All else was given back, if there was a session. */
    if (!self->draining || self->in_session)
        agent_queue_start(self);
    return sooner(due, look_at_idle(self, now));
}

/* ---- life ---- */

struct agent *
agent_new(const struct agent_config *config,
          const struct agent_effects *effects, int64_t now)
{
    struct agent *self = mem_alloc(1, sizeof *self);

    self->effects = *effects;
    self->config = *config;
    self->config.resources = NULL;
    self->room =
        agent_room_new(config->slots, config->resources, config->nresource);
    self->born = now;
    self->idle_since = self->alone_since = SPAN_NEVER;
    self->empty.first = self->empty.last = NONE;
    self->spool.first = self->spool.last = NONE;
    self->kept.first = self->kept.last = NONE;
    self->measures = mem_alloc(MEASURES, sizeof *self->measures);
    TAILQ_INIT(&self->requests);
    return self;
}

void
agent_destroy(struct agent **self_p)
{
    struct agent *self = *self_p;

    if (!self)
        return;
    for (uint32_t i = 0; i < self->nentry; i++) {
        if (self->entries[i].phase != FREE)
            agent_entry_free(self, i);
    }
    free(self->small);
    agent_room_destroy(&self->room);
    outbox_release(&self->outbox);
    for (unsigned k = 0; k < NAME_COUNT; k++)
        free(self->names[k].first);
    free(self->entries);
    free(self->measures);
    free(self->held);
    free(self->held_own);
    free(self);
    *self_p = NULL;
}
