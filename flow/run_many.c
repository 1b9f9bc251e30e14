/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>

#include "flow/run_impl.h"

/* ---- many at once ---- */

void
run_set_classes(struct run *self, const uint32_t *class_of, uint32_t nclass)
{
    plan_set_classes(self->plan, class_of, nclass);
}

bool
run_take(struct run *self, uint32_t class, struct plan_id *work)
{
    return plan_take_of(self->plan, class, work) && run_start(self, *work);
}

void
run_give_back(struct run *self, struct plan_id id)
{
    run_uncount(self, id);
    if (self->cancelled)
        run_end_cancelled(self, id);
    else
        plan_ready(self->plan, id);
}

void
run_put_off(struct run *self, struct plan_id id, int64_t until)
{
    run_uncount(self, id);
    if (self->cancelled) {
        run_end_cancelled(self, id);
        return;
    }
    plan_retry(self->plan, id);
    timers_add(&self->timers, id, until);
}

/* ---- after a restart of whoever drives it ---- */

void
run_hold_started(struct run *self, int64_t until)
{
    self->hold_until = until;
    self->goes_on = true;
}

/* Is this attempt one of whose end neither an earlier session nor this one has
 * heard? */
static bool
is_unheard(const struct run *self, struct plan_id id, uint32_t attempt)
{
    uint32_t before = run_attempts_before(self, id);

    if (run_kept(self, id) || attempt <= run_attempts_now(self, id))
        return false;
    return attempt > before ||
           (attempt == before && run_state_before(self, id) == PLAN_RUNNING);
}

/* Do children have numbers up to this one, or is it a task without any? */
static bool
is_there(const struct run *self, struct plan_id id)
{
    if (id.task >= self->flow->ntask ||
        self->flow->tasks[id.task].kind == FLOW_MERGE)
        return false;
    if (id.child == PLAN_WHOLE)
        return !self->flow->tasks[id.task].mapped;
    return id.child < plan_children(self->plan, id.task);
}

bool
run_adopt(struct run *self, struct plan_id id, uint32_t attempt)
{
    struct run_change change = {
        .id = id, .state = PLAN_RUNNING, .attempt = attempt};

    if (!is_there(self, id) || self->cancelled || attempt == 0 ||
        !is_unheard(self, id, attempt))
        return false;
    if (plan_state(self->plan, id) == PLAN_RETRYING &&
        timers_remove(&self->timers, id))
        plan_ready(self->plan, id);
    if (plan_state(self->plan, id) != PLAN_READY)
        return false;
    plan_take_id(self->plan, id);
    run_set_attempts(self, id, attempt);
    run_note_since(self, id, RUN_NOW);
    run_announce(self, &change);
    return true;
}

/* ---- following a run that goes on elsewhere ---- */

static int
follow_map(struct run *self, struct plan_id id, uint32_t children,
           struct err *err)
{
    struct run_task *task = &self->tasks[id.task];
    struct map *map = NULL;

    if (id.child != PLAN_WHOLE || !self->flow->tasks[id.task].mapped)
        return err_set(err, ERR_INVALID, "task %u has no children", id.task);
    if (run_expand(self, id.task, &map, err) < 0)
        return -1;
    if (map->n != children) {
        uint32_t n = map->n;

        map_destroy(&map);
        return err_set(err, ERR_INVALID,
                       "task %u should have %u children, and has %u", id.task,
                       n, children);
    }
    if (task->map)
        map_inherit(map, task->map);
    map_destroy(&task->map);
    json_decref(task->value);
    task->value = NULL;
    task->map = map;
    plan_follow_map(self->plan, id.task, children);
    return 0;
}

/* The list of a map's values is made anew when it is asked for. */
static void
forget_list(struct run *self, struct plan_id id)
{
    struct run_task *task = &self->tasks[id.task];

    if (id.child == PLAN_WHOLE)
        return;
    json_decref(task->value);
    task->value = NULL;
}

int
run_follow(struct run *self, const struct run_change *change, uint32_t children,
           struct err *err)
{
    struct plan_id id = change->id;

    if (id.task >= self->flow->ntask || change->state >= PLAN_STATE_COUNT)
        return err_set(err, ERR_INVALID, "there is no task %u", id.task);
    if (change->state == PLAN_MAPPED) {
        if (follow_map(self, id, children, err) < 0)
            return -1;
    } else if (id.child != PLAN_WHOLE &&
               id.child >= plan_children(self->plan, id.task)) {
        return err_set(err, ERR_INVALID, "task %u has no child %u", id.task,
                       id.child);
    } else {
        if (id.child == PLAN_WHOLE)
            map_destroy(&self->tasks[id.task].map);
        forget_list(self, id);
        run_set_attempts(self, id, change->attempt);
        run_set_result(self, id,
                       json_incref((json_t *)(uintptr_t)change->value),
                       change->cause);
        plan_follow(self->plan, id, change->state);
    }
    run_announce(self, change);
    return 0;
}
