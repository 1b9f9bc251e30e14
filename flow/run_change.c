/* SPDX-License-Identifier: MPL-2.0 */
/*
 * run_change - every change of state: proposed to the handlers, then made.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/run.h"
#include "flow/run_impl.h"

void
run_announce(struct run *self, const struct run_change *change)
{
    if (self->hooks.changed)
        self->hooks.changed(self->hooks.ctx, change);
}

/* ---- proposals that are kept ---- */

/* Where that of an instance is kept; NULL: no child has one. */
static struct run_proposal **
place_of(const struct run *self, struct plan_id id)
{
    struct run_task *task = &self->tasks[id.task];

    if (id.child == PLAN_WHOLE)
        return &task->proposal;
    if (!task->map || !task->map->proposals)
        return NULL;
    return &task->map->proposals[id.child];
}

static const struct run_proposal *
find(const struct run *self, struct plan_id id)
{
    struct run_proposal **place = place_of(self, id);

    return place ? *place : NULL;
}

static void
release(struct run_proposal *p)
{
    json_decref(p->value);
    if (p->map) /* mostly there is none */
        map_destroy(&p->map);
    if (p->cause)
        free(p->cause);
}

static void
drop(struct run_proposal **place)
{
    if (!place || !*place)
        return;
    release(*place);
    free(*place);
    *place = NULL;
}

void
run_drop_proposals(struct run *self, uint32_t task)
{
    struct run_task *t = &self->tasks[task];

    drop(&t->proposal);
    for (uint32_t k = 0; t->map && t->map->proposals && k < t->map->n; k++)
        drop(&t->map->proposals[k]);
}

/* Until the handlers have answered. */
static void
keep(struct run *self, const struct run_proposal *p)
{
    struct plan_id id = p->change.id;
    struct map *map = self->tasks[id.task].map;
    struct run_proposal **place = place_of(self, id);
    struct run_proposal *kept = mem_alloc(1, sizeof *kept);

    assert(!run_pending(self, id));
    drop(place);
    if (!place) {
        map->proposals = mem_alloc(map->n, sizeof(struct run_proposal *));
        place = &map->proposals[id.child];
    }
    *kept = *p;
    kept->change.cause = kept->cause = mem_dup(p->change.cause);
    kept->decided = plan_defer(self->plan, id);
    *place = kept;
}

const struct run_change *
run_pending(const struct run *self, struct plan_id id)
{
    const struct run_proposal *p = find(self, id);

    return p && !p->agreed ? &p->change : NULL;
}

bool
run_is_agreed(const struct run *self, struct plan_id id)
{
    const struct run_proposal *p = self->hooks.handle ? find(self, id) : NULL;

    return p && p->agreed && p->change.attempt == run_attempts(self, id) + 1;
}

/* ---- cancelling ---- */

/* One with a cause of its own was cancelled before. */
static void
announce_if_cancelled(struct run *self, struct plan_id id)
{
    struct run_change change = {
        .id = id, .state = PLAN_CANCELLED, .cause = self->cancelled};

    if (plan_state(self->plan, id) != PLAN_CANCELLED || run_own_cause(self, id))
        return;
    change.attempt = run_attempts(self, id);
    change.kept = run_is_left_as_it_was(self, id);
    run_announce(self, &change);
}

/* What it waited for is not to be any more; but an end is an end. */
static void
cancel_pending(struct run *self, struct plan_id id)
{
    const struct run_change *change = run_pending(self, id);
    enum plan_state proposed = change ? change->state : PLAN_WAITING;

    if (!change || (plan_state(self->plan, id) == PLAN_RUNNING &&
                    plan_state_is_final(proposed)))
        return;
    drop(place_of(self, id));
    if (plan_state(self->plan, id) != PLAN_RUNNING)
        return;
    if (proposed == PLAN_RUNNING)
        run_uncount(self, id);
    run_end_cancelled(self, id);
}

/* Tell of everything that plan_cancel has ended. */
static void
cancel_task(struct run *self, uint32_t task)
{
    uint32_t n = plan_children(self->plan, task);
    struct plan_id id = {task, PLAN_WHOLE};

    cancel_pending(self, id);
    announce_if_cancelled(self, id);
    for (id.child = 0; id.child < n; id.child++) {
        cancel_pending(self, id);
        announce_if_cancelled(self, id);
    }
}

void
run_cancel_for(struct run *self, const char *cause)
{
    if (self->cancelled)
        return;
    self->cancelled = mem_dup(cause);
    timers_clear(&self->timers);
    plan_cancel(self->plan);
    for (size_t t = 0; t < self->flow->ntask; t++)
        cancel_task(self, (uint32_t)t);
}

/* ---- making them ---- */

void
run_count_failure(struct run *self, enum plan_state state)
{
    uint32_t most = self->flow->max_fails;
    char cause[80];

    if (!plan_state_is_failure(state))
        return;
    self->failures++;
    if (!self->flow->has_max_fails || self->failures <= most)
        return;
    (void)snprintf(cause, sizeof cause,
                   "max-fails: more than %u failure%s ended the run", most,
                   most == 1 ? "" : "s");
    run_cancel_for(self, cause);
}

/* A handler may answer anything; what makes no sense here is a failure. */
static void
end_instance(struct run *self, struct run_change *change, json_t *value)
{
    if (!plan_state_is_final(change->state)) {
        change->state = PLAN_FAILED;
        change->cause = "its state handler gave a state that is not an end";
    }
    if (change->state == PLAN_SUCCEEDED)
        change->cause = NULL;
    if (change->state == PLAN_CANCELLED && !change->cause)
        change->cause = "its state handler cancelled it";
    change->value = value;
    run_set_result(self, change->id, json_incref(value), change->cause);
    run_inherit_since(self, change->id);
    plan_finish(self->plan, change->id, change->state);
    run_announce(self, change);
    run_count_failure(self, change->state);
}

static void
make_map(struct run *self, struct run_proposal *p)
{
    struct plan_id id = p->change.id;
    const struct flow_task *spec = &self->flow->tasks[id.task];
    struct map *map = p->map;
    struct plan_link *links;
    uint32_t nlink = 0;

    assert(map);
    links = mem_alloc(map->nsource, sizeof *links);
    for (uint32_t i = 0; spec->kind != FLOW_MERGE && i < map->nsource; i++) {
        if (run_is_linked(self, id.task, i))
            links[nlink++] = (struct plan_link){
                .from = map->sources[i].task,
                .stride = map->sources[i].stride,
                .count = map->sources[i].count,
                .owner = map->owner,
            };
    }
    self->tasks[id.task].map = map;
    p->map = NULL;
    run_inherit_since(self, id);
    plan_expand(self->plan, id.task, map->n, links, nlink);
    free(links);
    run_announce(self, &p->change);
}

static void
make_pause(struct run *self, const struct run_proposal *p)
{
    if (self->tasks[p->change.id.task].approved) { /* meanwhile */
        plan_ready(self->plan, p->change.id);
        return;
    }
    plan_pause(self->plan, p->change.id);
    run_announce(self, &p->change);
}

static void
make_retry(struct run *self, const struct run_proposal *p)
{
    plan_retry(self->plan, p->change.id);
    timers_add(&self->timers, p->change.id, p->change.until);
    run_announce(self, &p->change);
}

bool
run_make(struct run *self, struct run_proposal *p, enum plan_state proposed)
{
    if (proposed == PLAN_RUNNING && p->change.state == proposed) {
        run_announce(self, &p->change);
        return true; /* it owns nothing */
    }
    if (p->change.state != proposed || plan_state_is_final(proposed))
        end_instance(self, &p->change, p->value);
    else if (proposed == PLAN_RETRYING)
        make_retry(self, p);
    else if (proposed == PLAN_MAPPED)
        make_map(self, p);
    else
        make_pause(self, p);
    release(p);
    return false;
}

/* ---- asking ---- */

/* As it was answered before the driver of this session lost it. */
static bool
is_known(const struct run *self, struct run_change *change)
{
    const struct run_kept *kept = run_decided(self, change->id);

    if (!kept || change->state == PLAN_RUNNING ||
        (kept->state == PLAN_MAPPED && change->state != PLAN_MAPPED))
        return false;
    change->state = (enum plan_state)kept->state;
    change->kept = true;
    return true;
}

bool
run_propose(struct run *self, struct run_proposal *p)
{
    struct run_change *change = &p->change;
    enum plan_state proposed = change->state;
    enum plan_state answer;

    change->value = p->value;
    if (!self->hooks.handle)
        return run_make(self, p, proposed);
    if (!is_known(self, change)) {
        change->from = plan_state(self->plan, change->id);
        if (proposed == PLAN_RUNNING) /* it has just been taken */
            change->from = PLAN_READY;
        answer = self->hooks.handle(self->hooks.ctx, change);
        change->state = proposed;
        if (answer == RUN_LATER) {
            keep(self, p);
            return false;
        }
        change->state = answer;
    }
    return run_make(self, p, proposed);
}

/* It may run: it is handed out as if it were the first time. */
static void
agree(struct run *self, struct run_proposal *p)
{
    p->agreed = true;
    run_uncount(self, p->change.id);
    plan_ready(self->plan, p->change.id);
}

void
run_handled(struct run *self, struct plan_id id, enum plan_state state,
            const char *cause)
{
    struct run_proposal **place = place_of(self, id);
    enum plan_state proposed;
    struct run_proposal p;

    assert(place && run_pending(self, id) && state < PLAN_STATE_COUNT);
    if (state == PLAN_RUNNING && (*place)->change.state == state) {
        agree(self, *place);
        return;
    }
    p = **place;
    free(*place);
    *place = NULL;
    if (p.decided)
        plan_recall(self->plan, id);
    if (cause)
        p.change.cause = cause;
    proposed = p.change.state;
    p.change.state = state;
    (void)run_make(self, &p, proposed);
}

/* ---- what is proposed in more places than one ---- */

void
run_finish(struct run *self, struct plan_id id, enum plan_state state,
           json_t *value, const char *cause)
{
    struct run_proposal p = {
        .change = {.id = id,
                   .state = state,
                   .attempt = run_attempts(self, id),
                   .cause = cause},
        .value = value,
    };

    (void)run_propose(self, &p);
}

void
run_start_again(struct run *self, struct plan_id id, const char *cause,
                int64_t until)
{
    struct run_proposal p = {
        .change = {.id = id,
                   .state = PLAN_RETRYING,
                   .attempt = run_attempts(self, id),
                   .cause = cause,
                   .until = until},
    };

    (void)run_propose(self, &p);
}

void
run_end_cancelled(struct run *self, struct plan_id id)
{
    struct run_change change = {.id = id,
                                .state = PLAN_CANCELLED,
                                .attempt = run_attempts(self, id),
                                .cause = self->cancelled};

    end_instance(self, &change, NULL);
}
