/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/core.h"

#include <stdlib.h>

#include "base/mem.h"
#include "broker/core_impl.h"

/* ---- life ---- */

struct broker *
broker_new(const struct broker_effects *effects, uint32_t epoch)
{
    struct broker *self = mem_alloc(1, sizeof *self);

    self->effects = *effects;
    self->epoch = epoch;
    self->version = self->fit_version = 1;
    self->group = 1;
    self->agents_since = SPAN_NEVER;
    TAILQ_INIT(&self->lives);
    (void)broker_resource(self, "cpus");
    (void)broker_resource(self, "memory");
    (void)broker_resource(self, "gpus");
    return self;
}

void
broker_destroy(struct broker **self_p)
{
    struct broker *self = *self_p;
    struct life *life;

    if (!self)
        return;
    for (uint32_t p = 0; p < self->npeer; p++)
        broker_asks_forget(self->peers[p]);
    while ((life = TAILQ_FIRST(&self->lives)))
        broker_life_destroy(&life);
    for (uint32_t p = 0; p < LIMIT_AGENTS; p++)
        broker_peer_destroy(&self->peers[p]);
    for (size_t i = 0; i < self->nlease; i++)
        free(self->leases[i].agent);
    for (size_t i = 0; i < self->nresource; i++)
        free(self->resource_names[i]);
    free(self->leases);
    free(self->storing);
    free(self->resource_names);
    free(self->ready);
    names_release(&self->resources);
    buf_release(&self->key);
    buf_release(&self->item);
    free(self);
    *self_p = NULL;
}

/* ---- the store ---- */

uint64_t
broker_seal(struct broker *self)
{
    broker_acks_note(self, self->group);
    self->recorded = false;
    return self->group++;
}

void
broker_committed(struct broker *self, uint64_t group, int64_t now)
{
    if (group <= self->committed || group >= self->group)
        return;
    self->committed = group;
    broker_send_stored(self, now);
    (void)broker_acks_send(self, now);
}

/* ---- a turn ---- */

static int64_t
sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void
check_deadlines(struct broker *self, int64_t now)
{
    struct life *life;

    TAILQ_FOREACH(life, &self->lives, link) {
        if (life->deadline > now)
            continue;
        life->deadline = SPAN_NEVER;
        life->timed_out = !life->cancelled;
        broker_life_cancel(life, false, now);
    }
}

/* True if there is more to decide. */
static bool
look_at_lives(struct broker *self)
{
    struct life *life;
    bool unsettled = false;

    TAILQ_FOREACH(life, &self->lives, link) {
        if (life->fell && !life->recalled) {
            life->recalled = true;
            broker_life_fell(life);
        }
        unsettled = unsettled || life->unsettled;
    }
    return unsettled;
}

/* Ends of runs; when the next of those that are left wants to be seen to. */
static int64_t
end_lives(struct broker *self)
{
    int64_t next = SPAN_NEVER;
    struct life *life, *after;

    for (life = TAILQ_FIRST(&self->lives); life; life = after) {
        after = TAILQ_NEXT(life, link);
        if (broker_life_end(life))
            continue;
        next = sooner(next, sooner(life->wake, life->deadline));
    }
    return next;
}

int64_t
broker_tick(struct broker *self, int64_t now)
{
    int64_t next = broker_peers_tick(self, now);

    next = sooner(next, broker_leases_tick(self, now));
    check_deadlines(self, now);
    /* What ends at once may have readied others. */
    do
        broker_schedule(self, now);
    while (look_at_lives(self));
    next = sooner(next, end_lives(self));
    next = sooner(next, broker_rebalance(self, now));
    /* Results that nothing had to be recorded for. */
    if (!self->recorded)
        broker_acks_note(self, self->group - 1);
    return sooner(next, broker_acks_send(self, now));
}

struct broker_counts
broker_counts(const struct broker *self)
{
    return self->counts;
}
