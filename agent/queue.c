/* SPDX-License-Identifier: MPL-2.0 */
/* The part of the core that decides what starts. */
#include <stdlib.h>
#include <string.h>

#include "agent/core_impl.h"
#include "base/mem.h"
#include "base/span.h"

#define WEIGHT 4 /* a length counts a fourth part */

/* ---- what is asked for ---- */

static bool
is_same(const struct request *request, enum room_kind kind, bool guarded,
        const struct room_need *needs, uint32_t nneed)
{
    return request->kind == kind && request->guarded == guarded &&
           request->nneed == nneed &&
           memcmp(request->needs, needs, nneed * sizeof *needs) == 0;
}

static struct request *
find_request(struct agent *self, enum room_kind kind, bool guarded,
             const struct room_need *needs, uint32_t nneed)
{
    struct request *request;

    TAILQ_FOREACH(request, &self->requests, link) {
        if (is_same(request, kind, guarded, needs, nneed))
            return request;
    }
    request = mem_alloc(1, sizeof *request + nneed * sizeof *needs);
    request->kind = kind;
    request->guarded = guarded;
    request->nneed = nneed;
    request->queue.first = request->queue.last = NONE;
    memcpy(request->needs, needs, nneed * sizeof *needs);
    TAILQ_INSERT_TAIL(&self->requests, request, link);
    return request;
}

static enum room_kind
kind_of(const struct work *work)
{
    const struct work_spec *spec = work->spec;

    if (spec->kind != FLOW_CALL)
        return ROOM_COMMAND;
    if (spec->handlers)
        return ROOM_SHORT;
    if (spec->when || work->creates || spec->timeout > 0 ||
        spec->nresource > 0 || spec->exclusive || spec->at_most_once)
        return ROOM_CALL;
    return ROOM_SHORT;
}

/* NULL: there will never be room for it. */
static struct request *
request_of(struct agent *self, const struct work *work, struct buf *why)
{
    const struct work_spec *spec = work->spec;
    enum room_kind kind = kind_of(work);
    bool guarded = spec->exclusive || spec->at_most_once;
    struct room_need few[4];
    struct room_need *needs = few;
    struct request *request = NULL;
    uint32_t n;

    if (kind == ROOM_SHORT && self->small)
        return self->small;
    if (spec->nresource + 1 > sizeof few / sizeof few[0])
        needs = mem_alloc(spec->nresource + 1, sizeof *needs);
    n = agent_room_needs(self->room, spec->resources, spec->nresource, needs,
                         why);
    if (n > 0)
        request = find_request(self, kind, guarded, needs, n);
    if (kind == ROOM_SHORT)
        self->small = request;
    if (needs != few)
        free(needs);
    return request;
}

/* ---- the queue ---- */

bool
agent_queue_add(struct agent *self, uint32_t i, struct buf *why)
{
    struct entry *entry = &self->entries[i];

    entry->request = request_of(self, entry->work, why);
    if (!entry->request)
        return false;
    entry->request->users++;
    agent_entry_set_phase(self, i, QUEUED);
    agent_chain_add(self, &entry->request->queue, i);
    return true;
}

/* Among those that arrived earlier: it is near the front. */
static void
insert_early(struct agent *self, struct chain *chain, uint32_t i)
{
    struct entry *entry = &self->entries[i];
    uint32_t next = chain->first;

    while (next != NONE && self->entries[next].order < entry->order)
        next = self->entries[next].next;
    if (next == NONE) {
        agent_chain_add(self, chain, i);
        return;
    }
    entry->next = next;
    entry->before = self->entries[next].before;
    self->entries[next].before = i;
    if (entry->before != NONE)
        self->entries[entry->before].next = i;
    else
        chain->first = i;
    chain->n++;
}

static void
give_room_back(struct agent *self, struct entry *entry)
{
    const struct request *request = entry->request;

    agent_room_give_back(self->room, request->kind, request->needs,
                         request->nneed, &entry->given);
}

void
agent_queue_again(struct agent *self, uint32_t i)
{
    struct entry *entry = &self->entries[i];

    give_room_back(self, entry);
    agent_entry_set_phase(self, i, QUEUED);
    insert_early(self, &entry->request->queue, i);
}

void
agent_queue_leave(struct agent *self, uint32_t i)
{
    struct entry *entry = &self->entries[i];
    struct request *request = entry->request;

    if (entry->phase == QUEUED)
        agent_chain_remove(self, &request->queue, i);
    else
        give_room_back(self, entry);
    entry->request = NULL;
    if (--request->users > 0 || request == self->small)
        return;
    TAILQ_REMOVE(&self->requests, request, link);
    free(request);
}

/* ---- starting ---- */

static struct measure *
measure_of(const struct agent *self, const struct entry *entry)
{
    uint64_t key = entry->held.run * UINT64_C(0x9e3779b97f4a7c15);

    key = (key >> 32) + entry->held.id.task;
    key += entry->handlers ? MEASURES / 2 : 0;
    return &self->measures[key % MEASURES];
}

static int64_t
measured(const struct agent *self, const struct entry *entry)
{
    const struct measure *measure = measure_of(self, entry);

    if (measure->run != entry->held.run ||
        measure->task != entry->held.id.task ||
        measure->handlers != entry->handlers || measure->mean == 0)
        return ROOM_UNKNOWN;
    return measure->mean;
}

/* A task that is new takes the place of another one. */
void
agent_queue_measure(struct agent *self, uint32_t i, const struct result *result)
{
    const struct entry *entry = &self->entries[i];
    struct measure *measure = measure_of(self, entry);

    if (entry->request->kind != ROOM_SHORT)
        return;
    if (measured(self, entry) == ROOM_UNKNOWN)
        *measure = (struct measure){entry->held.run, entry->held.id.task,
                                    entry->handlers, 0};
    measure->mean =
        span_follow(measure->mean, result->ended - result->started, WEIGHT);
}

/* The first to arrive of those that can start, or NULL. */
static struct request *
next_request(struct agent *self)
{
    struct request *best = NULL;
    struct request *request;

    TAILQ_FOREACH(request, &self->requests, link) {
        if (request->queue.n == 0 || request->blocked ||
            (request->guarded && !self->in_session))
            continue;
        if (!best || self->entries[request->queue.first].order <
                         self->entries[best->queue.first].order)
            best = request;
    }
    return best;
}

static void
start_first(struct agent *self, struct request *request)
{
    uint32_t i = request->queue.first;
    struct entry *entry = &self->entries[i];

    if (request->kind == ROOM_SHORT)
        entry->given.length = measured(self, entry);
    if (!agent_room_take(self->room, request->kind, request->needs,
                         request->nneed, &entry->given)) {
        request->blocked = true;
        return;
    }
    agent_chain_remove(self, &request->queue, i);
    agent_entry_set_phase(self, i, STARTED);
    self->effects.start(self->effects.ctx, agent_entry_own(self, i),
                        entry->given.slot, entry->work, entry->given.gpus,
                        entry->given.ngpu);
}

void
agent_queue_start(struct agent *self)
{
    struct request *request;

    TAILQ_FOREACH(request, &self->requests, link)
        request->blocked = false;
    while ((request = next_request(self)))
        start_first(self, request);
}
