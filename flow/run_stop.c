/* SPDX-License-Identifier: MPL-2.0 */
/*
 * run_stop - one instance is cancelled, while the run goes on.
 *
 * What has not begun ends at once. What runs is in a list until it has come to
 * an end, whatever that is; should it be about to be started once more, it ends
 * then. So is a child that is not there yet.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "flow/run_impl.h"

static bool
is_there(const struct run *self, struct plan_id id)
{
    return id.child == PLAN_WHOLE ||
           id.child < plan_children(self->plan, id.task);
}

/* Whether it is in the list. NULL: it is a child that is not there yet; or none
 * of that map is, and there are no marks to be made. */
static bool *
mark_of(const struct run *self, struct plan_id id, bool make)
{
    struct run_task *task = &self->tasks[id.task];
    struct map *map = task->map;

    if (id.child == PLAN_WHOLE)
        return &task->stopping;
    if (!map || id.child >= map->n)
        return NULL;
    if (!map->stopping && make)
        map->stopping = mem_alloc(map->n, sizeof *map->stopping);
    return map->stopping ? &map->stopping[id.child] : NULL;
}

/* Once, however often it is called for. */
static void
note(struct run *self, struct plan_id id)
{
    bool *mark = mark_of(self, id, true);

    if (mark && *mark)
        return;
    if (mark)
        *mark = true;
    self->stops = mem_grow(self->stops, &self->cap_stop, self->nstop + 1,
                           sizeof *self->stops);
    self->stops[self->nstop++] = id;
}

/* What it came to in an earlier session holds: that is all that will be. */
static bool
is_kept(const struct run *self, struct plan_id id, enum plan_state state)
{
    return state == PLAN_READY && run_attempts_now(self, id) == 0 &&
           run_kept(self, id);
}

/* True if it has ended by this. */
static bool
stop_instance(struct run *self, struct plan_id id)
{
    enum plan_state state = plan_state(self->plan, id);
    bool seized;

    if (is_kept(self, id, state))
        return false;
    if (run_pending(self, id)) { /* its handlers are asked */
        note(self, id);
        return false;
    }
    seized = plan_seize(self->plan, id);
    if (seized) {
        if (state == PLAN_RETRYING)
            (void)timers_remove(&self->timers, id);
        self->stopping = &id;
        run_finish(self, id, PLAN_CANCELLED, NULL, RUN_STOPPED);
        self->stopping = NULL;
    }
    if (!plan_state_is_final(plan_state(self->plan, id)))
        note(self, id);
    return seized;
}

static bool
stop(struct run *self, struct plan_id id)
{
    bool any = false;

    if (!is_there(self, id)) {
        note(self, id);
        return false;
    }
    if (plan_state(self->plan, id) != PLAN_MAPPED)
        return stop_instance(self, id);
    for (id.child = 0; is_there(self, id); id.child++)
        any = stop_instance(self, id) || any;
    return any;
}

void
run_stop(struct run *self, struct plan_id id)
{
    if (!run_is_stopping(self, id))
        (void)stop(self, id);
}

bool
run_see_to_stops(struct run *self)
{
    struct plan_id *before = self->stops;
    size_t n = self->nstop;
    bool any = false;

    self->stops = NULL;
    self->nstop = self->cap_stop = 0;
    for (size_t i = 0; i < n; i++) {
        bool *mark = mark_of(self, before[i], false);

        if (mark)
            *mark = false;
        any = stop(self, before[i]) || any;
    }
    free(before);
    return any;
}

bool
run_is_stopping(const struct run *self, struct plan_id id)
{
    const bool *mark = mark_of(self, id, false);

    if (self->stopping && plan_id_is(*self->stopping, id))
        return true;
    if (mark || is_there(self, id))
        return mark && *mark;
    for (size_t i = 0; i < self->nstop; i++) {
        if (plan_id_is(self->stops[i], id))
            return true;
    }
    return false;
}
